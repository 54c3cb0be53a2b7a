/* Routes: patterns taken apart once at start, and compared segment by segment. Rows without parameters come first, so that
 * "/v1/feedback/batch" is found whatever the order of the table. */
#include <stdio.h>
#include <stdlib.h>

#include "http/inner.h"

static void compile(struct http_route *r, const struct hy_route *row)
{
	const char *p = row->pattern;
	if (!p || p[0] != '/' || !row->handle)
		hy_panic("http route %s %s: wants a pattern that begins with / and a handler", row->method, p ? p : "");
	*r = (struct http_route){ .row = row };
	while (*p) {
		if (r->segments == HTTP_SEGMENTS_MAX)
			hy_panic("http route %s: more than %d segments", row->pattern, HTTP_SEGMENTS_MAX);
		struct http_segment *s = &r->segment[r->segments++];
		s->text = p + 1;
		s->size = strcspn(p + 1, "/");
		if (s->size > 2 && s->text[0] == '{' && s->text[s->size - 1] == '}') {
			s->param = true;
			s->text++;
			s->size -= 2;
			r->params++;
			p += s->size + 3;
		} else {
			p += s->size + 1;
		}
	}
}

void http_routes_compile(struct hy_http *h, const struct hy_route *rows)
{
	int count = 0;
	while (rows[count].method)
		count++;
	h->routes = calloc((size_t)count + 1, sizeof(*h->routes));
	if (!h->routes)
		return;
	for (int plain = 1; plain >= 0; plain--) {
		for (int i = 0; i < count; i++) {
			struct http_route r;
			compile(&r, &rows[i]);
			if ((r.params == 0) == plain)
				h->routes[h->route_count++] = r;
		}
	}
}

static bool matches(const struct hy_request *q, const struct http_route *r)
{
	if (q->segments != r->segments)
		return false;
	for (int i = 0; i < r->segments; i++) {
		const struct http_segment *want = &r->segment[i];
		struct http_span have = q->segment[i];
		if (want->param && have.size == 0)
			return false;
		if (!want->param &&
			!hy_bytes_equal(hy_bytes(http_text(q, have), have.size), hy_bytes(want->text, want->size)))
			return false;
	}
	return true;
}

static void take_params(struct hy_request *q)
{
	for (int i = 0; i < q->route->segments; i++) {
		if (!q->route->segment[i].param)
			continue;
		struct http_span s = q->segment[i];
		q->param[i] = (struct http_span){ (uint32_t)q->text.size, s.size };
		uint8_t *to = hy_buffer_room(&q->text, (size_t)s.size + 1);
		if (!to)
			return; /* remembered in text.err: the caller looks */
		memcpy(to, q->text.data + s.at, s.size);
		to[s.size] = 0;
		q->text.size += (size_t)s.size + 1;
	}
}

/* Several rows may list one method for one path; Allow names it once. */
static void add_method(char *allow, size_t room, const char *method)
{
	size_t size = strlen(method);
	for (const char *p = allow; (p = strstr(p, method)); p += size)
		if ((p == allow || p[-1] == ' ') && (p[size] == ',' || p[size] == 0))
			return;
	size_t at = strlen(allow);
	snprintf(allow + at, room - at, "%s%s", at ? ", " : "", method);
}

void http_route(struct hy_request *q)
{
	const char *method = http_text(q, q->method);
	if (!strcmp(method, "HEAD"))
		method = "GET";
	char allow[256] = "", shared[256] = ""; /* methods of this path; those that pages of other origins may use */
	for (int i = 0; i < q->h->route_count; i++) {
		const struct http_route *r = &q->h->routes[i];
		if (!matches(q, r))
			continue;
		if (!strcmp(r->row->method, method)) {
			q->route = r;
			q->cors = r->row->cors;
			take_params(q);
			return;
		}
		add_method(allow, sizeof(allow), r->row->method);
		if (!strcmp(r->row->method, "GET"))
			add_method(allow, sizeof(allow), "HEAD");
		if (r->row->cors)
			add_method(shared, sizeof(shared), r->row->method);
	}
	q->cors = shared[0] != 0;
	if (!allow[0]) {
		http_refuse(q, 404, "not-found", "nothing is at this path");
		return;
	}
	if (q->cors && q->h->origins[0] && http_is_preflight(q)) {
		http_preflight(q, shared);
		return;
	}
	hy_http_add_header(q, "Allow", allow);
	http_refuse(q, 405, "method-not-allowed", "this path takes another method: see Allow");
}
