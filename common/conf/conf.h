/* One huiyin.yaml for all daemons, read with libfyaml and checked before anything starts.
 * A setting is a row: its dotted path, type, default, bounds and help sentence; rows are also what --print-config prints. Lists and maps that a
 * service reads for itself (departments, rules, keys) are walked as nodes, and a fault found there is reported with the same face:
 *     huiyin.yaml:14:9: unknown setting 'retian'; did you mean 'retain'?
 *       14 |   store: { retian: 7d }
 *          |            ^
 * Every daemon checks the whole file's top level against all known names and the parts it has rows for in full. */
#ifndef HY_CONF_H
#define HY_CONF_H

#include "base/bytes.h"
#include "base/err.h"

enum hy_conf_type {
	HY_CONF_TEXT, /* any string */
	HY_CONF_WORD, /* one of `choices`, "a|b|c" */
	HY_CONF_INT,
	HY_CONF_NUMBER, /* double */
	HY_CONF_BOOL, /* true, false, yes, no, on, off */
	HY_CONF_BYTES, /* 8GiB, 512 KiB, 300MB, 1024 */
	HY_CONF_DURATION, /* 7d, 12h, 30m, 15s, 250ms; kept in ms */
	HY_CONF_LIST, /* of texts */
	HY_CONF_TREE, /* a part that a service walks itself */
};

struct hy_conf_row {
	const char *path; /* "store.quota" */
	enum hy_conf_type type;
	const char *value; /* default, as one would write it; NULL for trees: absent */
	const char *help; /* one sentence, shown by --print-config */
	const char *choices; /* HY_CONF_WORD */
	int64_t min, max; /* INT, BYTES, DURATION (ms); both 0 = no bounds */
};

struct hy_conf;
struct hy_conf_node; /* a place in the file */

/* All top-level names that exist, so that one daemon knows another's part from a typo. */
extern const char *const hy_conf_parts[];

/* Reads `path` and checks it against the tables (NULL-terminated list of row arrays that end with a NULL path). HY_CONFIG: `report` has every
 * fault found, each with file:line:col, the line and a caret (a missing file is one). *out is set then too, with defaults where the
 * file is at fault, so that a service can add its own faults before all are told. The caller owns *out; `report` may be NULL. */
int hy_conf_open(
	struct hy_conf **out, const char *path, const struct hy_conf_row *const *tables, struct hy_buffer *report);
void hy_conf_close(struct hy_conf **c);

/* Values; a path without a row panics. Texts live as long as the conf. */
const char *hy_conf_text(const struct hy_conf *c, const char *path);
int64_t hy_conf_int(const struct hy_conf *c, const char *path); /* INT, BYTES, DURATION */
double hy_conf_number(const struct hy_conf *c, const char *path);
bool hy_conf_bool(const struct hy_conf *c, const char *path);
const char *const *hy_conf_list(const struct hy_conf *c, const char *path); /* NULL-terminated */
const struct hy_conf_node *hy_conf_tree(const struct hy_conf *c, const char *path); /* NULL when absent */

/* The configuration in force as commented YAML: each row with its help and whether it is the default. */
void hy_conf_print(const struct hy_conf *c, struct hy_buffer *out);
/* The same for the rows alone with their defaults: what `huiyin init` writes. Trees are left to the caller. */
void hy_conf_print_defaults(const struct hy_conf_row *rows, struct hy_buffer *out);

/* Walking a tree. */
enum hy_conf_shape { HY_CONF_SCALAR, HY_CONF_SEQUENCE, HY_CONF_MAPPING };
enum hy_conf_shape hy_conf_shape(const struct hy_conf_node *n);
size_t hy_conf_count(const struct hy_conf_node *n);
const struct hy_conf_node *hy_conf_item(
	const struct hy_conf_node *n, size_t i); /* i-th item, or i-th value of a mapping */
const char *hy_conf_key(const struct hy_conf_node *n, size_t i); /* i-th key of a mapping */
const struct hy_conf_node *hy_conf_key_node(const struct hy_conf_node *n, size_t i); /* the key's place, for faults */
const struct hy_conf_node *hy_conf_get(const struct hy_conf_node *n, const char *key); /* NULL when absent */
const char *hy_conf_scalar(const struct hy_conf_node *n); /* "" for other shapes; lives as long as the conf */

/* Reading a scalar by type; false after a fault was reported. */
bool hy_conf_read_int(const struct hy_conf_node *n, int64_t min, int64_t max, int64_t *out);
bool hy_conf_read_number(const struct hy_conf_node *n, double *out);
bool hy_conf_read_bool(const struct hy_conf_node *n, bool *out);
bool hy_conf_read_duration(const struct hy_conf_node *n, int64_t *ms);

/* Reports a fault at `n` (a service's own check), e.g. hy_conf_fault(n, "no department '%s'; did you mean '%s'?", ...). */
void hy_conf_fault(const struct hy_conf_node *n, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Every key of mapping `n` must be among `known` (NULL-terminated); others are reported with a suggestion. */
void hy_conf_known(const struct hy_conf_node *n, const char *const *known);
/* Faults so far (hy_conf_open's and hy_conf_fault's): HY_OK or HY_CONFIG; `report` (may be NULL) gets the words of
 * those that no report has had yet, in the file's order. */
int hy_conf_verdict(struct hy_conf *c, struct hy_buffer *report);

#endif
