/* Which column of a table is which member of a feedback: by --map and --set, by its name in Chinese or English, or none, then it goes to the
 * context. And a row as the JSON of a feedback. Pure. */
#ifndef HUIYIN_COLUMNS_H
#define HUIYIN_COLUMNS_H

#include "line.h"
#include "table.h"

struct columns;

/* HY_USAGE: a rule names no member or no column (with what was probably meant); HY_BAD_INPUT: neither a text nor a rating is among them. The
 * caller closes *out, also after an error. */
int columns_open(struct columns **out, const struct table *t, const struct line_rules *rules, struct hy_fault *f);
void columns_close(struct columns **c);
/* "内容 → text, 评分 → rating.stars, 3 others → context", appended. */
void columns_describe(const struct columns *c, struct hy_buffer *out);

/* Appends the row in hand as one line of JSON without its end. `id` is for a row that has none of its own. HY_NOT_FOUND: all its cells are empty. */
int columns_item(const struct columns *c, const char *id, struct hy_buffer *out);

#endif
