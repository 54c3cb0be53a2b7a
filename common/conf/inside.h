/* What the files of this module share: the file as a tree of places, its faults, and the reading of one scalar. */
#ifndef HY_CONF_INSIDE_H
#define HY_CONF_INSIDE_H

#include "conf/conf.h"

#define HY_CONF_FILE_MAX ((size_t)1 << 20)
#define HY_CONF_DEPTH 16 /* levels of lists and maps */
#define HY_CONF_NODES 200000 /* values and names in the file */
#define HY_CONF_FAULTS_TOLD 50 /* the rest is counted */

/* Memory that is given back all at once. */
struct hy_conf_block {
	struct hy_conf_block *next;
	size_t used, room;
	_Alignas(max_align_t) char data[];
};

struct hy_conf_node {
	struct hy_conf *conf;
	enum hy_conf_shape shape;
	bool null; /* nothing was written, or ~ or null */
	size_t at; /* byte in the file */
	const char *text; /* of a scalar; "" otherwise */
	struct hy_conf_node *first, *last, *next; /* items of a list, or values of a map */
	struct hy_conf_node *key; /* of a value in a map */
	struct hy_conf_node **item; /* the same items, by number: made when the file has been read */
	size_t count;
};

struct hy_conf_fault_row {
	size_t at; /* byte in the file; NOWHERE when it isn't about a place */
	size_t rank; /* in the order of finding, among those of one place */
	bool told;
	char *words;
};
#define NOWHERE SIZE_MAX

struct hy_conf_value {
	const struct hy_conf_row *row;
	struct hy_conf_node *node; /* NULL: the default holds */
	const char *text;
	int64_t integer; /* INT, BYTES, DURATION; BOOL as 0 or 1 */
	double number;
	const char *const *list;
};

struct hy_conf {
	const char *path;
	struct hy_buffer file;
	struct hy_conf_node *root; /* a map; NULL for an empty or unreadable file */
	bool cut; /* the last entry of the root is a list or map that a fault cut short */
	struct hy_conf_value *values;
	size_t count;
	struct hy_conf_fault_row *faults;
	size_t fault_count, fault_room;
	struct hy_conf_block *memory;
};

void *hy_conf_alloc(struct hy_conf *c, size_t size); /* zeroed, lives as long as `c` */
char *hy_conf_copy(struct hy_conf *c, const char *text, size_t size);

/* conf.c: the rows with their defaults, no file read. */
void hy_conf_open_defaults(struct hy_conf **out, const struct hy_conf_row *const *tables);

/* tree.c: fills c->root from c->file. */
void hy_conf_parse(struct hy_conf *c);

/* report.c */
void hy_conf_fault_at(struct hy_conf *c, size_t at, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void hy_conf_report(struct hy_conf *c, struct hy_buffer *out); /* the faults not yet told, in the file's order */
size_t hy_conf_place(
	const struct hy_conf *c, size_t line, size_t column); /* the byte at a line and column, both from 1 */

/* scalar.c: what a person may write. Each returns NULL, or why it can't be read. */
const char *hy_conf_parse_int(const char *text, int64_t *out);
const char *hy_conf_parse_number(const char *text, double *out);
const char *hy_conf_parse_bool(const char *text, int64_t *out);
const char *hy_conf_parse_bytes(const char *text, int64_t *out);
const char *hy_conf_parse_duration(const char *text, int64_t *ms);
/* A bound as one would write it: "250ms", "8GiB", "17". */
void hy_conf_amount(enum hy_conf_type type, int64_t v, char out[static 32]);

/* The parts of the file, with what each is about. */
struct hy_conf_part {
	const char *name, *about;
};
extern const struct hy_conf_part hy_conf_part_table[];
bool hy_conf_choice(const char *choices, const char *word); /* is `word` one of "a|b|c"? */

#endif
