/* The framing guard. libmicrohttpd 0.9.75 is generous: it takes bare LF, folded lines, NUL in values, two lengths. Behind a proxy that reads
 * the same bytes otherwise, each of these lets one client put words into another's mouth. We can't see the wire, but it parses in place and
 * overwrites separators with NUL, so the distances between the strings it hands us show which separators were there: where CRLF
 * stood, two bytes are missing, where LF stood, one. Anything but the exact distances of a plain request is refused and the connection closed.
 * This leans on the layout of one library version: selftest.c tries it at start, and the tests run the whole table. */
#include "http/inner.h"

#include <strings.h>

// clang-format off
/* RFC 9110 tchar. */
static const bool token_char[256] = {
	['!'] = true, ['#'] = true, ['$'] = true, ['%'] = true, ['&'] = true, ['\''] = true, ['*'] = true, ['+'] = true,
	['-'] = true, ['.'] = true, ['^'] = true, ['_'] = true, ['`'] = true, ['|'] = true, ['~'] = true,
	['0' ... '9'] = true, ['A' ... 'Z'] = true, ['a' ... 'z'] = true,
};
static const bool host_char[256] = {
	['-'] = true, ['.'] = true, ['_'] = true, ['~'] = true, [':'] = true, ['['] = true, [']'] = true, ['%'] = true,
	['0' ... '9'] = true, ['A' ... 'Z'] = true, ['a' ... 'z'] = true,
};
// clang-format on

static bool all_of(const bool set[256], const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (!set[(uint8_t)text[i]])
			return false;
	return size > 0;
}

bool http_token_text(const char *text, size_t size)
{
	return all_of(token_char, text, size);
}

bool http_host_text(const char *text, size_t size)
{
	return all_of(host_char, text, size);
}

static bool plain_value(const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		uint8_t c = (uint8_t)text[i];
		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return false;
	}
	return true;
}

struct walk {
	struct hy_request *q;
	const char *method; /* the head begins here ... */
	size_t head_size; /* ... and is so long, says libmicrohttpd */
	const char *next; /* where the next field has to begin */
	const char *fault;
	int status, hosts, lengths, encodings;
};

static enum MHD_Result refuse(struct walk *w, int status, const char *fault)
{
	w->status = status;
	w->fault = fault;
	return MHD_NO;
}

static enum MHD_Result on_length(struct walk *w, const char *value, size_t size)
{
	if (++w->lengths > 1)
		return refuse(w, 400, "more than one Content-Length");
	if (size == 0 || size > 15)
		return refuse(w, 400, "Content-Length is not a number");
	uint64_t length = 0;
	for (size_t i = 0; i < size; i++) {
		if (value[i] < '0' || value[i] > '9')
			return refuse(w, 400, "Content-Length is not a number");
		length = length * 10 + (uint64_t)(value[i] - '0');
	}
	w->q->length = length;
	return MHD_YES;
}

static enum MHD_Result on_field(
	void *cls, enum MHD_ValueKind kind, const char *key, size_t key_size, const char *value, size_t value_size)
{
	struct walk *w = cls;
	struct hy_request *q = w->q;
	(void)kind;
	uintptr_t from = (uintptr_t)w->method, to = from + w->head_size;
	if (key != w->next)
		return refuse(w, 400, "a header line is folded, or not ended by CRLF");
	if (!value || (uintptr_t)value <= (uintptr_t)key + key_size || (uintptr_t)value + value_size + 2 > to)
		return refuse(w, 400, "a header line is malformed");
	if (!all_of(token_char, key, key_size))
		return refuse(w, 400, "a header name has characters that don't belong there");
	for (const char *p = key + key_size + 1; p < value; p++)
		if (*p != ' ' && *p != '\t')
			return refuse(w, 400, "a header line is malformed");
	if (!plain_value(value, value_size))
		return refuse(w, 400, "a header value has control characters");
	w->next = value + value_size + 2;
	if (q->fields == HTTP_FIELDS_MAX)
		return refuse(w, 431, "more than 64 header fields");

	size_t size = value_size;
	while (size && (value[size - 1] == ' ' || value[size - 1] == '\t'))
		size--;
	/* Offsets in the head for now; http_guard() moves them to where the copy of it begins. */
	q->field[q->fields++] = (struct http_field){
		{ (uint32_t)(key - w->method), (uint32_t)key_size },
		{ (uint32_t)(value - w->method), (uint32_t)size },
	};
	switch (key_size) {
	case 4:
		if (!strncasecmp(key, "Host", 4)) {
			if (++w->hosts > 1)
				return refuse(w, 400, "more than one Host");
			if (!all_of(host_char, value, size))
				return refuse(w, 400, "Host is not a host name");
		}
		break;
	case 6:
		if (!strncasecmp(key, "Expect", 6))
			q->expects = true;
		break;
	case 14:
		if (!strncasecmp(key, "Content-Length", 14))
			return on_length(w, value, size);
		break;
	case 17:
		if (!strncasecmp(key, "Transfer-Encoding", 17)) {
			if (++w->encodings > 1 || size != 7 || memcmp(value, "chunked", 7) != 0)
				return refuse(w, 411, "send Content-Length, or one plain \"chunked\"");
		}
		break;
	default:
		break;
	}
	return MHD_YES;
}

/* The head, and where the target was: compared as numbers, since a surprise may be no pointer into the same memory. */
static const char *request_line(const struct hy_request *q, const char *method, const char *version, int *status)
{
	*status = 400;
	if (!method || !version || !q->target_at)
		return "the request line is malformed";
	size_t size = strlen(method);
	if (!all_of(token_char, method, size))
		return "the method has characters that don't belong there";
	if ((uintptr_t)q->target_at != (uintptr_t)method + size + 1)
		return "one space belongs between method and target";
	if (q->target.size > HTTP_LINE_MAX) {
		*status = 414;
		return "the request target is longer than 2 KiB";
	}
	if ((uintptr_t)version != (uintptr_t)q->target_at + q->target.size + 1)
		return "one space belongs between target and version";
	const char *target = http_text(q, q->target);
	for (uint32_t i = 0; i < q->target.size; i++)
		if ((uint8_t)target[i] < 0x21 || (uint8_t)target[i] > 0x7e)
			return "the request target has characters that belong percent-encoded";
	if (target[0] != '/')
		return "the request target has to begin with \"/\"";
	if (strcmp(version, "HTTP/1.1") != 0) {
		*status = 505;
		return "HTTP/1.1 is spoken here (nginx: proxy_http_version 1.1)";
	}
	return NULL;
}

const char *http_guard(struct hy_request *q, const char *method, const char *version, int *status)
{
	const char *fault = request_line(q, method, version, status);
	if (fault)
		return fault;
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(q->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
	*status = 400;
	if (!info)
		return "the head can't be measured";
	struct walk w = {
		.q = q,
		.method = method,
		.head_size = info->header_size,
		.next = version + sizeof("HTTP/1.1") - 1 + 2,
	};
	MHD_get_connection_values_n(q->mhd, MHD_HEADER_KIND, on_field, &w);
	*status = w.status;
	if (w.fault)
		return w.fault;
	*status = 400;
	if ((uintptr_t)w.next + 2 != (uintptr_t)method + w.head_size || memcmp(w.next - 2, "\0\0\0\0", 4) != 0)
		return "a header line is folded, or not ended by CRLF";
	if (w.hosts != 1)
		return "Host is missing";
	if (w.encodings && w.lengths)
		return "Content-Length and Transfer-Encoding exclude each other";
	*status = 431;
	if (w.head_size > HTTP_HEAD_MAX)
		return "the head is larger than 8 KiB";
	/* libmicrohttpd is lenient inside chunks too, where we see nothing of the wire. So a chunked request is the last of its connection:
	 * however its end is read, no second request follows that a proxy might have seen otherwise. */
	q->chunked = w.encodings > 0;
	if (q->chunked)
		q->close = true;

	uint32_t at = (uint32_t)q->text.size;
	hy_buffer_put(&q->text, method, w.head_size);
	if (q->text.err) {
		*status = 503;
		return "out of memory";
	}
	q->method = (struct http_span){ at, (uint32_t)strlen(method) };
	for (int i = 0; i < q->fields; i++) {
		struct http_field *f = &q->field[i];
		f->name.at += at;
		f->value.at += at;
		q->text.data[f->value.at + f->value.size] = 0; /* cuts the white space off */
	}
	return NULL;
}
