/* The request target: path segments and query fields, percent-decoded once, checked as UTF-8. */
#include "base/text.h"
#include "http/inner.h"

bool http_decode(struct hy_bytes in, bool plus, struct hy_buffer *out)
{
	uint8_t *to = hy_buffer_room(out, in.size + 1);
	if (!to)
		return false;
	size_t size = 0;
	bool ascii = true;
	for (size_t i = 0; i < in.size; i++) {
		uint8_t c = in.data[i];
		if (c == '+' && plus) {
			c = ' ';
		} else if (c == '%') {
			int high = i + 2 < in.size ? hy_hex_value((char)in.data[i + 1]) : -1;
			int low = i + 2 < in.size ? hy_hex_value((char)in.data[i + 2]) : -1;
			if (high < 0 || low < 0)
				return false;
			c = (uint8_t)(high << 4 | low);
			i += 2;
		}
		if (c == 0)
			return false;
		ascii = ascii && c < 0x80;
		to[size++] = c;
	}
	if (!ascii && !hy_utf8_valid(hy_bytes(to, size)))
		return false;
	to[size] = 0;
	out->size += size;
	return true;
}

static bool decode(struct hy_request *q, struct hy_bytes in, bool plus, struct http_span *out)
{
	out->at = (uint32_t)q->text.size;
	if (!http_decode(in, plus, &q->text))
		return false;
	out->size = (uint32_t)(q->text.size - out->at);
	return true;
}

static bool take_path(struct hy_request *q, const char *raw, size_t size)
{
	q->path.at = (uint32_t)q->text.size;
	q->segments = 0;
	for (size_t at = 0; at < size;) {
		const char *slash = memchr(raw + at + 1, '/', size - at - 1);
		size_t end = slash ? (size_t)(slash - raw) : size;
		struct http_span segment;
		hy_buffer_byte(&q->text, '/');
		if (!decode(q, hy_bytes(raw + at + 1, end - at - 1), false, &segment))
			return false;
		if (q->segments < HTTP_SEGMENTS_MAX)
			q->segment[q->segments] = segment;
		q->segments++;
		at = end;
	}
	q->path.size = (uint32_t)(q->text.size - q->path.at);
	hy_buffer_byte(&q->text, 0);
	return true;
}

static bool take_query(struct hy_request *q, const char *raw, size_t size)
{
	for (size_t at = 0; at < size; at++) {
		const char *amp = memchr(raw + at, '&', size - at);
		size_t end = amp ? (size_t)(amp - raw) : size;
		const char *equals = memchr(raw + at, '=', end - at);
		size_t name_end = equals ? (size_t)(equals - raw) : end;
		size_t value_at = equals ? name_end + 1 : end;
		if (end > at) {
			if (q->queries == HTTP_FIELDS_MAX)
				return false;
			struct http_field *f = &q->query[q->queries++];
			if (!decode(q, hy_bytes(raw + at, name_end - at), true, &f->name))
				return false;
			hy_buffer_byte(&q->text, 0);
			if (!decode(q, hy_bytes(raw + value_at, end - value_at), true, &f->value))
				return false;
			hy_buffer_byte(&q->text, 0);
		}
		at = end;
	}
	return true;
}

const char *http_target(struct hy_request *q)
{
	/* All the room at once: the raw target is read while its decoded form is appended behind it. Decoding only shrinks; each field and
	 * segment adds at most its separator and a NUL. */
	if (!hy_buffer_room(&q->text, 4 * (size_t)q->target.size + 64))
		return "out of memory";
	const char *raw = http_text(q, q->target);
	size_t size = q->target.size;
	const char *mark = memchr(raw, '?', size);
	size_t path_size = mark ? (size_t)(mark - raw) : size;
	if (!take_path(q, raw, path_size))
		return "the path has a bad percent escape, or is not UTF-8";
	if (mark && !take_query(q, mark + 1, size - path_size - 1))
		return "the query has a bad percent escape, is not UTF-8, or has too many fields";
	return NULL;
}
