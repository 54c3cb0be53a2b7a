/* Labelled text from a file: one JSON object a line, plain or gzip, read as a stream. Known members: text, label, lang, and for
 * rows that speak to several tasks at once sentiment, type and topic; others are ignored. */
#ifndef CLASSIFIER_ROWS_H
#define CLASSIFIER_ROWS_H

#include "base/bytes.h"
#include "base/err.h"

#define ROW_BYTES_MAX ((size_t)1 << 20)

struct row { /* views that live until the callback returns; absent texts are "" */
	struct hy_bytes text;
	const char *label, *lang, *sentiment, *type, *topic;
	size_t line;
};

/* Calls `each` for every row until it fails. A line that is not such an object stops it: HY_BAD_INPUT, "FILE:LINE: ...". */
int rows_read(const char *path, int (*each)(void *arg, const struct row *row, struct hy_fault *f), void *arg,
	struct hy_fault *f);

#endif
