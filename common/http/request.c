/* What a handler may ask of a request. All of it is the request's own copy, so it holds until the answer, whatever the client does. */
#include <strings.h>

#include "base/text.h"
#include "http/inner.h"

const char *hy_http_method(const struct hy_request *q)
{
	return http_text(q, q->method);
}

const char *hy_http_path(const struct hy_request *q)
{
	return http_text(q, q->path);
}

const char *hy_http_param(const struct hy_request *q, const char *name)
{
	size_t size = strlen(name);
	for (int i = 0; q->route && i < q->route->segments; i++) {
		const struct http_segment *s = &q->route->segment[i];
		if (s->param && s->size == size && memcmp(s->text, name, size) == 0)
			return http_text(q, q->param[i]);
	}
	return "";
}

const char *hy_http_query(const struct hy_request *q, const char *name)
{
	for (int i = 0; i < q->queries; i++)
		if (!strcmp(http_text(q, q->query[i].name), name))
			return http_text(q, q->query[i].value);
	return NULL;
}

const char *hy_http_header(const struct hy_request *q, const char *name)
{
	size_t size = strlen(name);
	for (int i = 0; i < q->fields; i++)
		if (q->field[i].name.size == size && !strncasecmp(http_text(q, q->field[i].name), name, size))
			return http_text(q, q->field[i].value);
	return NULL;
}

struct hy_bytes hy_http_body(const struct hy_request *q)
{
	static const uint8_t nothing[HTTP_PAD];
	return q->body.data ? hy_buffer_view(&q->body) : hy_bytes(nothing, 0);
}

const char *hy_http_peer(const struct hy_request *q)
{
	return q->peer;
}

void *hy_http_note(const struct hy_request *q)
{
	return q->note;
}

void hy_http_set_note(struct hy_request *q, void *note)
{
	q->note = note;
}

int hy_http_form(const struct hy_request *q, const char *name, char *out, size_t room)
{
	struct hy_bytes body = hy_http_body(q);
	struct hy_buffer text = { 0 };
	int err = HY_NOT_FOUND, fields = 0;
	size_t name_size = strlen(name);
	for (size_t at = 0, end; at < body.size && err == HY_NOT_FOUND; at = end + 1) {
		const uint8_t *amp = memchr(body.data + at, '&', body.size - at);
		end = amp ? (size_t)(amp - body.data) : body.size;
		if (end == at)
			continue;
		if (++fields > HTTP_FORM_FIELDS_MAX) {
			err = HY_TOO_LARGE;
			break;
		}
		const uint8_t *equals = memchr(body.data + at, '=', end - at);
		size_t name_end = equals ? (size_t)(equals - body.data) : end;
		hy_buffer_clear(&text);
		if (!http_decode(hy_bytes(body.data + at, name_end - at), true, &text)) {
			err = text.err ? text.err : HY_BAD_INPUT;
			break;
		}
		if (text.size != name_size || memcmp(text.data, name, name_size) != 0)
			continue;
		size_t value_at = equals ? name_end + 1 : end;
		hy_buffer_clear(&text);
		if (!http_decode(hy_bytes(body.data + value_at, end - value_at), true, &text))
			err = text.err ? text.err : HY_BAD_INPUT;
		else if (text.size >= room)
			err = HY_TOO_LARGE;
		else
			err = HY_OK;
	}
	if (err == HY_OK) {
		memcpy(out, text.data, text.size);
		out[text.size] = 0;
	} else if (room) {
		out[0] = 0;
	}
	hy_buffer_free(&text);
	return err;
}
