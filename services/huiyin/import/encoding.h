/* In which encoding the text of a file is, told from its beginning, and its bytes as UTF-8. Pure. */
#ifndef HUIYIN_ENCODING_H
#define HUIYIN_ENCODING_H

#include "base/bytes.h"
#include "base/err.h"

#include <stdio.h>

#define ENCODING_SAMPLE ((size_t)256 << 10) /* how much of a file is looked at */

/* Tells the encoding of a text by its beginning: "UTF-8", "GB18030" (which holds GBK and GB2312), "UTF-16LE", "UTF-16BE", "UTF-32LE". A byte
 * order mark decides; else NULs at every other place; else each line with more than ASCII in it is tried, since a broken line must not make
 * the whole file another one. `whole`: the sample ends where the file ends, not in the middle of a line. HY_BAD_INPUT: no text, or in none
 * of these; the fault says what to do. */
int encoding_detect(struct hy_bytes sample, bool whole, const char **name, struct hy_fault *f);
/* Whether it is UTF-8 by any of its names: then nothing is to be converted. */
bool encoding_is_utf8(const char *name);

/* From `name` to UTF-8, in pieces. What the encoding does not allow comes out as one byte 0xff, so that whoever checks a line for UTF-8 finds
 * it there. HY_USAGE: there is no such encoding. The caller closes *out. */
struct encoding;
int encoding_open(struct encoding **out, const char *name, struct hy_fault *f);
void encoding_close(struct encoding **e);
/* Appends the piece to `out`. `last`: nothing follows. */
int encoding_convert(struct encoding *e, struct hy_bytes piece, bool last, struct hy_buffer *out);

#endif
