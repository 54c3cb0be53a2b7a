/* The words of a mail without what mail programs put around them. Pure; UTF-8 in, UTF-8 out. */
#ifndef HUIYIN_PLAIN_H
#define HUIYIN_PLAIN_H

#include "base/bytes.h"

/* What somebody reads on an HTML page: tags gone, scripts, styles and comments with all that is in them, entities decoded, a line for each block, "> " before the
 * lines of what is quoted. Appended; never fails on what is no HTML. */
void plain_html(struct hy_buffer *out, struct hy_bytes html);

/* One form for every text: lines end in LF, no control characters but TAB, no white space at the ends of lines and text, at most one empty line in a row.
 * What is not UTF-8 becomes U+FFFD. Appended. */
void plain_tidy(struct hy_buffer *out, struct hy_bytes text);

/* How much of a tidy text its writer wrote this time: without the mail that is answered, quoted below it, and without the signature. Where it is not sure, as with
 * answers between quoted lines, or with nothing above the quote, it is all of it. */
size_t plain_own(struct hy_bytes text);

#endif
