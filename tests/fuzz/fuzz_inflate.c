/* Compressed bodies from outside. The first byte chooses coding and how the rest is cut into pieces; what comes out never passes the limit,
 * and does not depend on the cutting. */
#include <stdlib.h>

#include "http/inflate.h"

#define MOST ((size_t)256 << 10)

struct seen {
	size_t size;
	uint64_t sum;
};

static bool take(void *arg, struct hy_bytes bytes)
{
	struct seen *s = arg;
	s->size += bytes.size;
	for (size_t i = 0; i < bytes.size; i++)
		s->sum = s->sum * 31 + bytes.data[i];
	return true;
}

static int run(enum http_coding coding, struct hy_bytes in, size_t piece, struct seen *s)
{
	struct http_inflate *z = http_inflate_new(coding, MOST);
	struct hy_fault f = { 0 };
	int err = HY_OK;
	for (size_t at = 0, size; at < in.size && !err; at += size) {
		size = in.size - at < piece ? in.size - at : piece;
		err = http_inflate_put(z, hy_bytes(in.data + at, size), take, s, &f);
	}
	if (!err)
		err = http_inflate_end(z, &f);
	if (s->size > MOST || (err && !f.text[0]))
		abort();
	http_inflate_free(&z);
	return err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	enum http_coding coding = data[0] & 1 ? HTTP_GZIP : HTTP_DEFLATE;
	struct hy_bytes in = hy_bytes(data + 1, size - 1);
	struct seen whole = { 0 }, cut = { 0 };
	int err = run(coding, in, SIZE_MAX, &whole);
	if (run(coding, in, (size_t)(data[0] >> 1) + 1, &cut) != err)
		abort();
	if (!err && (cut.size != whole.size || cut.sum != whole.sum))
		abort();
	return 0;
}
