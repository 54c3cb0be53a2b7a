/* Pages of other origins. A browser asks first (the preflight) whether such a page may send what it wants to send, and shows an answer to its
 * script only when the answer names the page's origin. Keys are bearer tokens and there are no cookies here, so credentials are never
 * allowed, and a page can do no more than any other program that holds the key. */
#include <stdlib.h>
#include <strings.h>

#include "http/inner.h"
#include "log/log.h"

#define ASKED_MAX ((size_t)1024) /* bytes of the header names that a preflight may ask for */
#define MAX_AGE "86400"
#define EXPOSED "Retry-After, RateLimit, RateLimit-Policy, Location"

/* scheme://host or scheme://host:port, as browsers write it: a path, a slash at the end, would never match. */
static bool is_origin(const char *text)
{
	size_t scheme = !strncmp(text, "https://", 8) ? 8 : !strncmp(text, "http://", 7) ? 7 : 0;
	const char *host = text + scheme;
	return scheme && *host && http_host_text(host, strlen(host)) &&
	       strpbrk(host, "%ABCDEFGHIJKLMNOPQRSTUVWXYZ") == NULL;
}

int http_origins_parse(struct hy_http *h, const char *const *list, struct hy_fault *f)
{
	size_t count = 0;
	while (list && list[count])
		count++;
	h->origins = calloc(count + 1, sizeof(*h->origins));
	if (!h->origins)
		return hy_fail(f, HY_NO_MEMORY, "out of memory");
	for (size_t i = 0; i < count; i++) {
		if (!strcmp(list[i], "*"))
			h->any_origin = true;
		else if (!is_origin(list[i]))
			return hy_fail(f, HY_CONFIG,
				"origin \"%s\": write scheme and host in lower case, without a path, like "
				"https://app.example or "
				"http://localhost:3000; \"*\" stands for all",
				list[i]);
		h->origins[i] = strdup(list[i]);
		if (!h->origins[i])
			return hy_fail(f, HY_NO_MEMORY, "out of memory");
	}
	return HY_OK;
}

void http_origins_free(struct hy_http *h)
{
	for (char **at = h->origins; at && *at; at++)
		free(*at);
	free(h->origins);
}

/* What Access-Control-Allow-Origin says to this request; NULL: nothing. */
static const char *allowed(const struct hy_request *q)
{
	const char *origin = hy_http_header(q, "Origin");
	if (!origin)
		return NULL;
	if (q->h->any_origin)
		return "*";
	for (char **at = q->h->origins; *at; at++)
		if (!strcmp(*at, origin))
			return origin;
	return NULL;
}

void http_cors_headers(struct hy_request *q)
{
	if (!q->cors || !q->h || !q->h->origins[0])
		return;
	const char *origin = allowed(q);
	/* Without an Origin too: a cache must not give this answer to a page. */
	MHD_add_response_header(q->answer, MHD_HTTP_HEADER_VARY, "Origin");
	if (!origin)
		return;
	MHD_add_response_header(q->answer, MHD_HTTP_HEADER_ACCESS_CONTROL_ALLOW_ORIGIN, origin);
	MHD_add_response_header(q->answer, MHD_HTTP_HEADER_ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
}

/* A list of header names, and nothing that could end a line or begin another one. */
static bool are_names(const char *list)
{
	size_t size = strlen(list);
	if (size > ASKED_MAX)
		return false;
	for (;;) {
		list += strspn(list, " \t");
		size_t name = strcspn(list, ", \t");
		if (!http_token_text(list, name))
			return false;
		list += name;
		list += strspn(list, " \t");
		if (!*list)
			return true;
		if (*list++ != ',')
			return false;
	}
}

bool http_is_preflight(const struct hy_request *q)
{
	return !strcmp(hy_http_method(q), "OPTIONS") && hy_http_header(q, "Origin") &&
	       hy_http_header(q, "Access-Control-Request-Method");
}

void http_preflight(struct hy_request *q, const char *methods)
{
	const char *asked = hy_http_header(q, "Access-Control-Request-Headers");
	if (!allowed(q)) {
		http_refuse(q, 403, "origin",
			"pages of this origin may not call this path; the setting http.origins lists those that may");
		return;
	}
	if (asked && *asked && !are_names(asked)) {
		http_refuse(q, 400, "bad-request", "Access-Control-Request-Headers is no list of header names");
		return;
	}
	hy_http_add_header(q, "Access-Control-Allow-Methods", methods);
	if (asked && *asked)
		hy_http_add_header(q, "Access-Control-Allow-Headers", asked);
	hy_http_add_header(q, "Access-Control-Max-Age", MAX_AGE);
	http_done(q, 204);
}
