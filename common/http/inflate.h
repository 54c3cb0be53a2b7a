/* A compressed body made plain, piece by piece, as it arrives: Content-Encoding gzip (several members one after the other too) and deflate
 * (with zlib's wrapping as the standard says, or bare as some clients send it). What is asked of the memory does not depend on what
 * comes: one window, and a piece of output at a time. It stops at `out_max`, however small the input was.
 * A pure unit: it knows nothing of requests, so that it can be fuzzed. */
#ifndef HY_HTTP_INFLATE_H
#define HY_HTTP_INFLATE_H

#include "base/bytes.h"
#include "base/err.h"

enum http_coding { HTTP_IDENTITY, HTTP_GZIP, HTTP_DEFLATE };

#define HTTP_INFLATE_ROOM ((size_t)44 << 10) /* bytes that one takes, its window among them */

struct http_inflate;

/* NULL: no memory. http_inflate_free() gives it back. */
struct http_inflate *http_inflate_new(enum http_coding coding, size_t out_max);
void http_inflate_free(struct http_inflate **z);

/* Takes the next bytes, and gives `out` what they become, in pieces of up to 16 KiB. HY_OK; HY_TOO_LARGE past `out_max`; HY_BAD_INPUT with a
 * sentence for the sender when the bytes are no such stream; HY_NO_MEMORY; HY_BAD_STATE when `out` returned false. After a failure there is
 * nothing left but http_inflate_free(). */
int http_inflate_put(struct http_inflate *z, struct hy_bytes in, bool (*out)(void *arg, struct hy_bytes bytes),
	void *arg, struct hy_fault *f);
/* After the last byte: HY_BAD_INPUT when the stream is not at its end. No bytes at all are an empty body. */
int http_inflate_end(const struct http_inflate *z, struct hy_fault *f);

#endif
