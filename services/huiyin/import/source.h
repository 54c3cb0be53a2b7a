/* A file as lines of UTF-8: unpacked when it is gzip, converted when it is in another encoding, without its byte order mark, in memory that does
 * not grow with it. Lines end as the file's first lines do: LF (with or without CR), else CR. */
#ifndef HUIYIN_SOURCE_H
#define HUIYIN_SOURCE_H

#include "base/bytes.h"
#include "base/err.h"

#define SOURCE_LINE_MAX ((size_t)128 << 10) /* longer lines come in pieces */

struct source;

/* `path` "-" is standard input. `encoding` NULL: told from the beginning of the file. HY_NOT_FOUND, HY_BAD_INPUT, HY_USAGE. The caller closes *out,
 * also after an error. */
int source_open(struct source **out, const char *path, const char *encoding, struct hy_fault *f);
void source_close(struct source **s);

struct source_line {
	struct hy_bytes
		text; /* without its end; until the next call. Holds a byte 0xff where the file's encoding was violated */
	uint64_t number; /* from 1 */
	bool ends; /* false: more of this line follows */
};
/* The next line, or piece of one; false at the end of the file, or where it can't be read on: source_check() tells. What stands behind the last line
 * feed is a line too, but not in a broken file: there the rest of it is missing, and a run on the mended file begins with it. */
bool source_next(struct source *s, struct source_line *out);
bool source_broken(struct source *s); /* it could not be read to its end */
int source_check(struct source *s, struct hy_fault *f);

/* Where the next line begins, and going there: for a run that begins where another one ended. */
struct source_place {
	int64_t at; /* byte, of the text as it is read here */
	uint64_t lines; /* before it */
};
struct source_place source_place(const struct source *s);
int source_seek(struct source *s, struct source_place to, struct hy_fault *f);

const char *source_encoding(const struct source *s); /* "UTF-8", "GB18030" ... */
/* The beginning of the text, for who has to guess what it is: at most ENCODING_SAMPLE bytes, before the first source_next(). */
struct hy_bytes source_beginning(const struct source *s);
int64_t source_size(const struct source *s); /* bytes on the disk; 0 when nobody knows */
int64_t source_offset(const struct source *s); /* of them read, for a progress bar */

#endif
