/* One line of a file to import, made into an item for the collector. Pure. */
#ifndef HUIYIN_LINE_H
#define HUIYIN_LINE_H

#include "json/json.h"

#define LINE_MAX_BYTES ((size_t)128 << 10)
#define LINE_RULES_MAX 32

/* --map TO=FROM and --set TO=VALUE. Names are dotted paths: rating.score, customer.email; rating.stars is the score on that scale. */
struct line_rule {
	char to[128], from[256];
	bool constant; /* `from` is the value itself */
};
struct line_rules {
	struct line_rule list[LINE_RULES_MAX];
	size_t count;
};
/* "text=review,rating.score=stars" into the rules; HY_USAGE. */
int line_rules_parse(struct line_rules *rules, const char *text, bool constant, struct hy_fault *f);

/* What makes a file this file, whatever its folder: its name and its first line. It can grow at its end. */
struct line_file {
	uint8_t identity[16];
};
void line_file(struct line_file *file, const char *name, struct hy_bytes first_line);
/* The id of a line without one: the same from the same file, place and content, so that importing it again changes nothing. */
#define LINE_ID_TEXT 40
void line_id(const struct line_file *file, uint64_t number, struct hy_bytes line, char out[static LINE_ID_TEXT]);

/* Appends the item's JSON to `out`. An object without an id gets line_id(). What a rejects file has added goes. HY_NOT_FOUND: the line is empty. HY_BAD_INPUT, HY_TOO_LARGE: the reason. With rules, members that neither the collector nor
 * a rule knows go into `context`. */
int line_item(struct hy_json_reader *reader, const struct line_file *file, const struct line_rules *rules,
	uint64_t number, struct hy_bytes line, struct hy_buffer *out, struct hy_fault *f);

#endif
