/* The seam to kainjow's mustache: C on this side, C++ behind it. Only template.c calls it; no exception crosses it. */
#ifndef HY_TEMPLATE_MUSTACHE_H
#define HY_TEMPLATE_MUSTACHE_H

#include "template/template.h"

#define HY_TEMPLATE_VALUES_MAX ((size_t)4 << 20) /* bytes of values put into one result */

struct hy_mustache;
typedef void hy_mustache_escape(struct hy_buffer *out, struct hy_bytes text);

/* Parses a text that template.c has looked through. `escape` NULL: variables stay as they are. On failure *out is NULL and
 * `why`, of `room` bytes, has the words. */
int hy_mustache_new(struct hy_mustache **out, struct hy_bytes text, hy_mustache_escape *escape, char *why, size_t room);
void hy_mustache_free(struct hy_mustache *m);
int hy_mustache_render(
	struct hy_mustache *m, const struct hy_template_value *values, struct hy_buffer *out, char *why, size_t room);

#endif
