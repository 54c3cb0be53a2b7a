/* A body of lines, in pieces of any size, as whole lines: each ends with LF or CRLF, the last one may do without; empty lines are passed over but
 * count. Only a line that a piece cuts is held, and never more than `line_max` of it: one that is longer, or never ends, is told of once, without its
 * text. Pure. */
#ifndef COLLECTOR_NDJSON_H
#define COLLECTOR_NDJSON_H

#include "base/bytes.h"
#include "base/err.h"

struct ndjson_line {
	struct hy_bytes text; /* without its end, with HY_JSON_PAD readable bytes behind it; while the call lasts */
	uint64_t number; /* in the body, from 1 */
	int err; /* HY_OK; HY_TOO_LARGE, HY_BUSY (no room to hold it): then there is no text */
};

struct ndjson {
	size_t line_max; /* bytes */
	int64_t *room; /* bytes that may still be held, shared with whoever holds too; NULL = no bound */
	bool (*line)(void *arg, const struct ndjson_line *line); /* false: no more of it */
	void *arg;
	/* its own */
	struct hy_buffer held;
	uint64_t ended; /* lines */
	int skipping; /* the error of a line whose end is still to come */
	bool stopped;
};

/* False once line() has said so. */
bool ndjson_put(struct ndjson *n, struct hy_bytes piece);
/* The body is there: what is held is its last line. */
void ndjson_end(struct ndjson *n);
/* Gives back what is held; at any time. */
void ndjson_free(struct ndjson *n);

#endif
