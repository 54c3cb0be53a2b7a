#include "http/inflate.h"

#include <stdlib.h>
#include <zlib.h>

#define PIECE 16384
#define WRAPPED_GZIP (16 + MAX_WBITS) /* zlib's own way to say so */
#define BARE (-MAX_WBITS)

enum stage {
	BEGIN, /* no byte yet, or one that does not tell how the stream is wrapped */
	INSIDE,
	BETWEEN, /* a gzip member is at its end: another one may follow */
	END,
};

struct http_inflate {
	z_stream z;
	enum http_coding coding;
	enum stage stage;
	bool open; /* `z` has memory of zlib's */
	uint8_t first; /* of a deflate stream whose second byte is still to come ... */
	bool has_first; /* ... which tells whether it is wrapped */
	size_t out, out_max;
};

struct http_inflate *http_inflate_new(enum http_coding coding, size_t out_max)
{
	struct http_inflate *z = calloc(1, sizeof(*z));
	if (z) {
		z->coding = coding;
		z->out_max = out_max;
	}
	return z;
}

void http_inflate_free(struct http_inflate **z)
{
	if (*z && (*z)->open)
		inflateEnd(&(*z)->z);
	free(*z);
	*z = NULL;
}

static int begin(struct http_inflate *z, int wrapping)
{
	if (inflateInit2(&z->z, wrapping) != Z_OK)
		return HY_NO_MEMORY;
	z->open = true;
	z->stage = INSIDE;
	return HY_OK;
}

static const char *name_of(const struct http_inflate *z)
{
	return z->coding == HTTP_GZIP ? "gzip" : "deflate";
}

/* One call of zlib after the other until the input is used up, or the stream is at its end: then the rest is left. */
static int run(struct http_inflate *z, struct hy_bytes *in, bool (*out)(void *arg, struct hy_bytes bytes), void *arg,
	struct hy_fault *f)
{
	uint8_t piece[PIECE];
	int rc;
	do {
		z->z.next_in = (Bytef *)(uintptr_t)in->data;
		z->z.avail_in = (uInt)in->size;
		z->z.next_out = piece;
		z->z.avail_out = sizeof(piece);
		rc = inflate(&z->z, Z_NO_FLUSH);
		*in = hy_bytes(z->z.next_in, z->z.avail_in);
		size_t made = sizeof(piece) - z->z.avail_out;
		if (rc == Z_MEM_ERROR)
			return hy_fail(f, HY_NO_MEMORY, "out of memory");
		if (made > z->out_max - z->out)
			return hy_fail(f, HY_TOO_LARGE, "larger than %zu bytes once inflated", z->out_max);
		z->out += made;
		if (made && !out(arg, hy_bytes(piece, made)))
			return HY_BAD_STATE;
		if (rc == Z_NEED_DICT)
			return hy_fail(f, HY_BAD_INPUT, "the %s body wants a dictionary, which HTTP has no way to name",
				name_of(z));
		if (rc != Z_OK && rc != Z_STREAM_END && (rc != Z_BUF_ERROR || in->size))
			return hy_fail(f, HY_BAD_INPUT, "the body is no sound %s stream: %s, after %zu bytes of text",
				name_of(z), z->z.msg ? z->z.msg : "it can't be read", z->out);
	} while (rc == Z_OK && (in->size || z->z.avail_out == 0));
	if (rc == Z_STREAM_END)
		z->stage = z->coding == HTTP_GZIP ? BETWEEN : END;
	return HY_OK;
}

/* The first two bytes of zlib's wrapping are a multiple of 31, and say "deflate"; a bare stream would have to begin with an odd stored block
 * to look like that. */
static int begin_deflate(struct http_inflate *z, struct hy_bytes *in, bool (*out)(void *arg, struct hy_bytes bytes),
	void *arg, struct hy_fault *f)
{
	if (!z->has_first) {
		z->first = *in->data;
		z->has_first = true;
		*in = hy_bytes(in->data + 1, in->size - 1);
		if (!in->size)
			return HY_OK;
	}
	bool wrapped = (z->first & 15) == Z_DEFLATED && ((unsigned)z->first << 8 | *in->data) % 31 == 0;
	int err = begin(z, wrapped ? MAX_WBITS : BARE);
	struct hy_bytes first = hy_bytes(&z->first, 1);
	return err ? hy_fail(f, err, "out of memory") : run(z, &first, out, arg, f);
}

int http_inflate_put(struct http_inflate *z, struct hy_bytes in, bool (*out)(void *arg, struct hy_bytes bytes),
	void *arg, struct hy_fault *f)
{
	int err = HY_OK;
	while (in.size && !err) {
		switch (z->stage) {
		case BEGIN:
			if (z->coding == HTTP_DEFLATE)
				err = begin_deflate(z, &in, out, arg, f);
			else if (begin(z, WRAPPED_GZIP))
				err = hy_fail(f, HY_NO_MEMORY, "out of memory");
			break;
		case INSIDE:
			err = run(z, &in, out, arg, f);
			break;
		case BETWEEN:
			if (in.data[0] != 0x1f)
				return hy_fail(f, HY_BAD_INPUT, "something stands behind the end of the gzip body");
			inflateReset(&z->z);
			z->stage = INSIDE;
			break;
		case END:
			return hy_fail(f, HY_BAD_INPUT, "something stands behind the end of the %s body", name_of(z));
		}
	}
	return err;
}

int http_inflate_end(const struct http_inflate *z, struct hy_fault *f)
{
	if (z->stage == BETWEEN || z->stage == END || (z->stage == BEGIN && !z->has_first))
		return HY_OK;
	return hy_fail(f, HY_BAD_INPUT, "the %s body ends in the middle, after %zu bytes of text", name_of(z), z->out);
}
