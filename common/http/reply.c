/* Answers: from the handler at once, from the handler later, from us. */
#include <inttypes.h>
#include <stdio.h>

#include "base/text.h"
#include "http/inner.h"

static const struct {
	int status;
	const char *title;
} titles[] = {
	{ 400, "Bad request" },
	{ 401, "Not authenticated" },
	{ 403, "Not allowed" },
	{ 404, "Not found" },
	{ 405, "Method not allowed" },
	{ 406, "Not acceptable" },
	{ 408, "Too slow" },
	{ 409, "Conflict" },
	{ 410, "Gone" },
	{ 411, "Length required" },
	{ 413, "Too large" },
	{ 414, "Address too long" },
	{ 415, "Media type not supported" },
	{ 422, "Not acceptable as it is" },
	{ 429, "Too many requests" },
	{ 431, "Head too large" },
	{ 500, "Our fault" },
	{ 501, "Not supported" },
	{ 503, "Not available now" },
	{ 505, "HTTP version not supported" },
};

static const char *title_of(int status)
{
	for (size_t i = 0; i < sizeof(titles) / sizeof(titles[0]); i++)
		if (titles[i].status == status)
			return titles[i].title;
	return status < 500 ? "Not possible" : "Failed";
}

/* ---- building ---- */

static void put_header(struct hy_buffer *headers, const char *name, const char *value)
{
	for (const char *p = name; *p; p++)
		if (*p <= ' ' || *p == ':' || *p == 0x7f)
			hy_panic("http: header name \"%s\"", name);
	for (const char *p = value; *p; p++)
		if (((uint8_t)*p < ' ' && *p != '\t') || *p == 0x7f)
			hy_panic("http: control character in the value of header %s", name);
	hy_buffer_put(headers, name, strlen(name) + 1);
	hy_buffer_put(headers, value, strlen(value) + 1);
}

void hy_http_add_header(struct hy_request *q, const char *name, const char *value)
{
	put_header(&q->headers, name, value);
}

/* libmicrohttpd copies the body. When memory lacks even for that, `status` still says that the request is answered, and http_send() drops
 * the connection. */
static void build(struct hy_request *q, int status, const char *content_type, struct hy_bytes body)
{
	q->status = status;
	q->answer = MHD_create_response_from_buffer(body.size, (void *)(uintptr_t)body.data, MHD_RESPMEM_MUST_COPY);
	if (!q->answer)
		return;
	if (content_type)
		MHD_add_response_header(q->answer, MHD_HTTP_HEADER_CONTENT_TYPE, content_type);
	http_cors_headers(q);
	for (size_t at = 0; at < q->headers.size;) {
		const char *name = (const char *)q->headers.data + at;
		const char *value = name + strlen(name) + 1;
		MHD_add_response_header(q->answer, name, value);
		at = (size_t)(value + strlen(value) + 1 - (const char *)q->headers.data);
	}
	hy_buffer_clear(&q->headers);
}

static void answer(struct hy_request *q, int status, const char *content_type, struct hy_bytes body)
{
	bool waiting = q->state == HTTP_WAITING;
	build(q, status, content_type, body);
	if (q->state == HTTP_HANDLING || waiting)
		q->state = HTTP_ANSWERED;
	if (waiting) {
		http_phase(q->conn, HTTP_SEND);
		http_resume(q);
	}
}

enum MHD_Result http_send(struct hy_request *q)
{
	if (!q->answer)
		return MHD_NO;
	if (q->close || q->h->closing || q->conn->requests >= q->h->requests_max)
		MHD_add_response_header(q->answer, MHD_HTTP_HEADER_CONNECTION, "close");
	enum MHD_Result rc = MHD_queue_response(q->mhd, (unsigned)q->status, q->answer);
	MHD_destroy_response(q->answer);
	q->answer = NULL;
	q->state = HTTP_SENT;
	if (q->status >= 100 && q->status < 600)
		q->h->counts.status[q->status / 100]++;
	http_phase(q->conn, HTTP_SEND);
	return rc;
}

/* ---- the handler's words ---- */

void hy_http_later(struct hy_request *q)
{
	if (q->state != HTTP_HANDLING)
		hy_panic("http: hy_http_later() belongs into the handler, before the answer");
	q->held = true;
}

void hy_http_reply(struct hy_request *q, int status, const char *content_type, struct hy_bytes body)
{
	bool held = q->held;
	bool early = q->state == HTTP_NEW || q->state == HTTP_READING; /* in head(), or in a piece */
	bool open = q->h && (q->state == HTTP_WAITING || q->state == HTTP_HANDLING || (early && !held));
	if (!held && (!open || q->status))
		hy_panic("http: answered twice");
	q->held = false;
	if (open)
		answer(q, status, content_type, body);
	else
		http_release(q); /* we answered in its place, or the server was closed */
}

static void put_json_text(struct hy_buffer *out, const char *text)
{
	static const char digit[] = "0123456789abcdef";
	struct hy_bytes in = hy_bytes_text(text);
	hy_buffer_byte(out, '"');
	for (size_t at = 0; at < in.size;) {
		uint32_t cp = hy_utf8_next(in, &at);
		char raw[4];
		if (cp == '"' || cp == '\\') {
			hy_buffer_byte(out, '\\');
			hy_buffer_byte(out, (uint8_t)cp);
		} else if (cp < 0x20 || cp == 0x7f || cp == 0x2028 || cp == 0x2029) {
			hy_buffer_put(out, "\\u", 2);
			for (int shift = 12; shift >= 0; shift -= 4)
				hy_buffer_byte(out, (uint8_t)digit[cp >> shift & 15]);
		} else {
			hy_buffer_put(out, raw, hy_utf8_put(raw, cp));
		}
	}
	hy_buffer_byte(out, '"');
}

static void put_problem(
	struct hy_buffer *out, int status, const char *name, const char *detail, const char *errors_json)
{
	hy_buffer_text(out, "{\"type\":\"/problems/");
	hy_buffer_text(out, name);
	hy_buffer_text(out, "\",\"title\":");
	put_json_text(out, title_of(status));
	hy_buffer_printf(out, ",\"status\":%d,\"detail\":", status);
	put_json_text(out, detail ? detail : "");
	if (errors_json) {
		hy_buffer_text(out, ",\"errors\":");
		hy_buffer_text(out, errors_json);
	}
	hy_buffer_text(out, "}\n");
}

static const char problem_type[] = "application/problem+json";

void hy_http_problem(struct hy_request *q, int status, const char *name, const char *detail, const char *errors_json)
{
	struct hy_buffer out = { 0 };
	put_problem(&out, status, name, detail, errors_json);
	hy_http_reply(q, status, problem_type, hy_buffer_view(&out));
	hy_buffer_free(&out);
}

/* ---- our own words ---- */

void http_refuse(struct hy_request *q, int status, const char *name, const char *detail)
{
	struct hy_buffer out = { 0 };
	put_problem(&out, status, name, detail, NULL);
	answer(q, status, problem_type, hy_buffer_view(&out));
	hy_buffer_free(&out);
}

void http_done(struct hy_request *q, int status)
{
	answer(q, status, NULL, hy_bytes(NULL, 0));
}

void http_busy(struct hy_request *q, const char *detail)
{
	hy_buffer_clear(&q->headers); /* what the handler may have begun to say */
	put_header(&q->headers, MHD_HTTP_HEADER_RETRY_AFTER, "2");
	http_refuse(q, 503, "busy", detail);
}
