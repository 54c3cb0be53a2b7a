/* Text from people: UTF-8, counted in code points, never cut inside a character. */
#ifndef HY_BASE_TEXT_H
#define HY_BASE_TEXT_H

#include "base/bytes.h"

bool hy_utf8_valid(struct hy_bytes text);           /* RFC 3629: no overlong forms, no surrogates, <= U+10FFFF */
size_t hy_utf8_count(struct hy_bytes text);         /* code points; the text is valid */
/* Decodes the code point at *at and moves *at behind it; U+FFFD and one byte for an invalid sequence. */
uint32_t hy_utf8_next(struct hy_bytes text, size_t *at);
size_t hy_utf8_put(char out[static 4], uint32_t cp); /* bytes written */
/* The longest prefix with at most `points` code points, which keeps a base letter with its combining marks, variation
 * selectors and joiners (so that an emoji is not torn). */
struct hy_bytes hy_utf8_prefix(struct hy_bytes text, size_t points);
/* Columns on a terminal: 2 for East Asian wide and emoji, 0 for combining marks. */
size_t hy_text_width(struct hy_bytes text);
/* Appends `text` as one harmless line: control characters, line and paragraph separators and bidirectional overrides
 * become \n, \t or \u{...}. For logs and terminals. */
void hy_text_line(struct hy_buffer *out, struct hy_bytes text);
/* Appends `text` with the five HTML characters escaped. */
void hy_text_html(struct hy_buffer *out, struct hy_bytes text);

/* The entry of `names` (NULL-terminated) that was probably meant by `word` (Damerau-Levenshtein <= 1 + length / 4), or NULL. */
const char *hy_did_you_mean(const char *word, const char *const *names);

#endif
