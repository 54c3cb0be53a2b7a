/* Words with holes: the Mustache language (https://mustache.github.io/mustache.5.html), behind one small C++ file.
 * In HTML every variable is escaped ({{{raw}}} and {{&raw}} are refused); in text none is. Sections over a false, empty or absent
 * variable vanish. A missing variable is empty when rendering; `lint` is another's work. Templates don't include each other and keep
 * their delimiters. Names are flat: "ticket.number" is one name. Comments vanish, with their line when it holds nothing else. */
#ifndef HY_TEMPLATE_H
#define HY_TEMPLATE_H

#include "base/bytes.h"
#include "base/err.h"

struct hy_template;

/* `text` is UTF-8, up to 128 KiB. HY_BAD_INPUT with "name:line:column: words", HY_TOO_LARGE. The caller owns *out. */
int hy_template_open(struct hy_template **out, const char *name, struct hy_bytes text, bool html, struct hy_fault *f);
void hy_template_close(struct hy_template **t);

/* One variable or switch: text NULL = false. The list ends with a NULL name. */
struct hy_template_value {
	const char *name, *text;
};
/* Appends the result to `out`. HY_BAD_INPUT with the reason, HY_TOO_LARGE above 4 MiB of values put in; `out` is then as before. Thread: one at a time per template. */
int hy_template_render(
	struct hy_template *t, const struct hy_template_value *values, struct hy_buffer *out, struct hy_fault *f);

#endif
