/* Bodies: inflated where the client compressed them, gathered for the handler or handed to it piece by piece. What stops a body (too large,
 * no room, not sound, the handler's own answer) stops only the taking of it: the rest is read and thrown away, since a client in the
 * middle of sending may else lose our answer to a reset. */
#include <stdio.h>
#include <strings.h>

#include "base/clock.h"
#include "http/inner.h"

static void free_inflate(struct hy_request *q)
{
	if (q->inflate && q->h)
		q->h->bodies -= HTTP_INFLATE_ROOM;
	http_inflate_free(&q->inflate);
}

void http_body_free(struct hy_request *q)
{
	free_inflate(q);
	if (q->h)
		q->h->bodies -= q->body.room;
	hy_buffer_free(&q->body);
}

/* ---- before it ---- */

/* The one coding named, or -1. No more than one field, no more than one word: nobody compresses twice but to hide something. */
static int coding_of(const struct hy_request *q)
{
	static const struct {
		const char *name;
		enum http_coding coding;
	} known[] = {
		{ "identity", HTTP_IDENTITY },
		{ "gzip", HTTP_GZIP },
		{ "x-gzip", HTTP_GZIP },
		{ "deflate", HTTP_DEFLATE },
	};
	const char *value = NULL;
	for (int i = 0; i < q->fields; i++) {
		if (q->field[i].name.size != 16 || strcasecmp(http_text(q, q->field[i].name), "Content-Encoding") != 0)
			continue;
		if (value)
			return -1;
		value = http_text(q, q->field[i].value);
	}
	if (!value || !*value)
		return HTTP_IDENTITY;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (!strcasecmp(value, known[i].name))
			return (int)known[i].coding;
	return -1;
}

/* Bytes on the wire that so large a body may take. Compressing makes some a little longer, flushing after each line a little more; past that
 * they are there to keep us busy. */
static size_t wire_max(const struct hy_request *q, bool compressed)
{
	return compressed ? q->body_max + q->body_max / 8 + 1024 : q->body_max;
}

static void begin_to_inflate(struct hy_request *q, enum http_coding coding)
{
	struct hy_http *h = q->h;
	if (h->bodies + HTTP_INFLATE_ROOM <= HTTP_BODIES_MAX)
		q->inflate = http_inflate_new(coding, q->body_max);
	if (q->inflate)
		h->bodies += HTTP_INFLATE_ROOM;
	else
		http_busy(q, "too many compressed bodies at a time");
}

void http_body_expect(struct hy_request *q)
{
	if (!q->length && !q->chunked)
		return;
	int coding = coding_of(q);
	if (coding < 0 || (coding != HTTP_IDENTITY && !q->route->row->inflate)) {
		hy_http_add_header(q, "Accept-Encoding", q->route->row->inflate ? "gzip, deflate" : "identity");
		http_refuse(q, 415, "content-encoding",
			"the body is compressed in a way that is not taken here: see Accept-Encoding");
	} else if (q->length > wire_max(q, coding != HTTP_IDENTITY)) {
		http_refuse(q, 413, "too-large",
			q->body_max ? "the body is larger than this path takes" : "this path takes no body");
	} else if (coding != HTTP_IDENTITY) {
		begin_to_inflate(q, (enum http_coding)coding);
	}
}

/* ---- as it comes ---- */

static void too_large(struct hy_request *q)
{
	http_refuse(q, 413, "too-large", "the body is larger than this path takes");
}

static bool gather(struct hy_request *q, struct hy_bytes bytes)
{
	struct hy_http *h = q->h;
	/* It grows as it comes: what a client announces costs nothing. */
	size_t before = q->body.room, want = q->body.size + bytes.size + HTTP_PAD;
	if (want > before) {
		size_t most = want > HTTP_SMALL_BODY ? HTTP_BODIES_LARGE : HTTP_BODIES_MAX;
		uint8_t *room =
			h->bodies + (want - before) <= most ? hy_buffer_room(&q->body, bytes.size + HTTP_PAD) : NULL;
		h->bodies += q->body.room - before;
		if (!room) {
			http_busy(q, "too many large bodies at a time");
			return false;
		}
	}
	memcpy(q->body.data + q->body.size, bytes.data, bytes.size);
	q->body.size += bytes.size;
	return true;
}

/* Plain bytes, for whoever wants them. */
static bool deliver(void *arg, struct hy_bytes bytes)
{
	struct hy_request *q = arg;
	if (bytes.size > q->body_max - q->body_size) {
		too_large(q);
		return false;
	}
	q->body_size += bytes.size;
	if (!q->piece)
		return gather(q, bytes);
	bool on = q->piece(q, bytes, q->h->arg);
	if (!on && !q->status)
		http_refuse(q, 500, "internal", "the body was given up; this is our fault");
	return !q->status;
}

static void inflate(struct hy_request *q, struct hy_bytes bytes)
{
	struct hy_fault f = { 0 };
	int err = http_inflate_put(q->inflate, bytes, deliver, q, &f);
	if (q->status || err == HY_OK)
		return;
	if (err == HY_TOO_LARGE) {
		q->close = true; /* what is left may be as large again, and there is no use in it */
		too_large(q);
	} else if (err == HY_NO_MEMORY) {
		http_busy(q, f.text);
	} else {
		http_refuse(q, 400, "content-encoding", f.text);
	}
}

/* A streamed body may be long; as long as it comes at a fair speed its deadline moves on. */
static void put_deadline_off(struct hy_request *q, size_t size)
{
	int64_t length_ms = q->h->list[HTTP_STREAM].length_ms, now = hy_mono_ms();
	if (!q->stream_until_ms)
		q->stream_until_ms = q->conn->due_ms + (HTTP_STREAM_TIMES - 1) * length_ms;
	q->window += size;
	if ((int64_t)q->window * 1000 < (int64_t)HTTP_STREAM_RATE * length_ms || now + length_ms > q->stream_until_ms)
		return;
	q->window = 0;
	http_phase(q->conn, HTTP_STREAM);
}

enum MHD_Result http_body_take(struct hy_request *q, const char *data, size_t size)
{
	if (q->piece)
		put_deadline_off(q, size);
	q->wire += size;
	if (!q->status) {
		if (q->wire > wire_max(q, q->inflate != NULL))
			too_large(q);
		else if (q->inflate)
			inflate(q, hy_bytes(data, size));
		else
			deliver(q, hy_bytes(data, size));
		if (!q->status)
			return MHD_YES;
		http_body_free(q);
	}
	q->thrown += size;
	size_t most = q->piece && q->body_max > HTTP_DRAIN_MAX ? q->body_max : HTTP_DRAIN_MAX;
	return q->thrown <= most ? MHD_YES : MHD_NO;
}

/* ---- and after it ---- */

void http_body_end(struct hy_request *q)
{
	struct hy_fault f = { 0 };
	if (q->inflate && http_inflate_end(q->inflate, &f) != HY_OK)
		http_refuse(q, 400, "content-encoding", f.text);
	free_inflate(q); /* its window is not to wait with the handler */
	if (q->body.data)
		memset(q->body.data + q->body.size, 0, HTTP_PAD);
}

void hy_http_stream(
	struct hy_request *q, size_t body_max, bool (*piece)(struct hy_request *q, struct hy_bytes bytes, void *arg))
{
	if (q->state != HTTP_NEW || !q->headed)
		hy_panic("http: hy_http_stream() belongs into head()");
	q->body_max = body_max;
	q->piece = piece;
}
