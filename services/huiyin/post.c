#include "post.h"

#include "base/clock.h"
#include "json/json.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECT_MS 3000
#define ANSWER_MS 45000
#define HEAD_MAX ((size_t)64 << 10)

struct post {
	char host[200], port[16], listen[256], key[256];
	int fd;
	bool used; /* the connection has answered before: it may have been closed since */
	struct hy_buffer in;
};

static bool split(const char *listen, char *host, size_t host_room, char *port, size_t port_room)
{
	const char *colon = strrchr(listen, ':'), *from = listen;
	if (!colon || !colon[1] || strspn(colon + 1, "0123456789") != strlen(colon + 1))
		return false;
	size_t size = (size_t)(colon - listen);
	if (size >= 2 && from[0] == '[' && from[size - 1] == ']') {
		from++;
		size -= 2;
	}
	snprintf(host, host_room, "%.*s", (int)size, from);
	snprintf(port, port_room, "%s", colon + 1);
	if (!host[0] || strcmp(host, "0.0.0.0") == 0 || strcmp(host, "*") == 0)
		snprintf(host, host_room, "127.0.0.1");
	else if (strcmp(host, "::") == 0)
		snprintf(host, host_room, "::1");
	return true;
}

int post_open(struct post **out, const char *listen, const char *key, struct hy_fault *f)
{
	struct post *p = calloc(1, sizeof(*p));
	if (!p)
		return hy_fail(f, HY_NO_MEMORY, "no memory");
	p->fd = -1;
	*out = p;
	snprintf(p->listen, sizeof(p->listen), "%s", listen);
	snprintf(p->key, sizeof(p->key), "%s", key);
	if (!split(listen, p->host, sizeof(p->host), p->port, sizeof(p->port))) {
		post_close(out);
		return hy_fail(f, HY_CONFIG, "http.listen: '%s' is not ADDRESS:PORT", listen);
	}
	return HY_OK;
}

static void hang_up(struct post *p)
{
	if (p->fd >= 0)
		close(p->fd);
	p->fd = -1;
	p->used = false;
	hy_buffer_clear(&p->in);
}

void post_close(struct post **p)
{
	if (!*p)
		return;
	hang_up(*p);
	hy_buffer_free(&(*p)->in);
	explicit_bzero((*p)->key, sizeof((*p)->key));
	free(*p);
	*p = NULL;
}

static bool ready(int fd, short events, int64_t until)
{
	for (;;) {
		struct pollfd w = { .fd = fd, .events = events };
		int64_t left = until - hy_mono_ms();
		int n = poll(&w, 1, left > 0 ? (int)left : 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0)
			errno = ETIMEDOUT;
		return n > 0;
	}
}

static int connect_one(const struct addrinfo *a)
{
	int fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, a->ai_protocol), one = 1, bad = 0;
	socklen_t size = sizeof(bad);
	if (fd < 0)
		return -1;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(fd, a->ai_addr, a->ai_addrlen) == 0)
		return fd;
	if (errno == EINPROGRESS && ready(fd, POLLOUT, hy_mono_ms() + CONNECT_MS) &&
		getsockopt(fd, SOL_SOCKET, SO_ERROR, &bad, &size) == 0) {
		if (bad == 0)
			return fd;
		errno = bad;
	}
	int saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

static int dial(struct post *p, struct hy_fault *f)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list = NULL;
	int bad = getaddrinfo(p->host, p->port, &hints, &list);
	if (bad)
		return hy_fail(f, HY_UNREACHABLE, "%s: %s", p->listen, gai_strerror(bad));
	for (const struct addrinfo *a = list; a && p->fd < 0; a = a->ai_next)
		p->fd = connect_one(a);
	int saved = errno;
	freeaddrinfo(list);
	if (p->fd >= 0)
		return HY_OK;
	return hy_fail(f, HY_UNREACHABLE, "the collector does not answer at %s (%s); start it with `huiyin up`",
		p->listen, strerror(saved));
}

/* ---- one exchange ---- */

static bool write_all(int fd, struct hy_bytes b, int64_t until)
{
	while (b.size > 0) {
		ssize_t n = send(fd, b.data, b.size, MSG_NOSIGNAL);
		if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
			if (!ready(fd, POLLOUT, until))
				return false;
			continue;
		}
		if (n <= 0)
			return false;
		b = hy_bytes(b.data + n, b.size - (size_t)n);
	}
	return true;
}

/* More of the answer: false at its end or when it breaks off. */
static bool read_more(struct post *p, int64_t until)
{
	for (;;) {
		uint8_t *room = hy_buffer_room(&p->in, 65536);
		if (!room)
			return false;
		ssize_t n = recv(p->fd, room, 65536, 0);
		if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
			if (!ready(p->fd, POLLIN, until))
				return false;
			continue;
		}
		if (n == 0)
			errno = ECONNRESET;
		if (n <= 0)
			return false;
		p->in.size += (size_t)n;
		return true;
	}
}

struct head {
	int status;
	size_t size; /* of the head, with the empty line */
	int64_t length; /* of the body, -1 = to the end of the connection */
	int64_t retry_after_ms;
	bool close;
};

/* The value of a header line when it has that name. */
static const char *value_of(const char *line, size_t size, const char *name, char *out, size_t room)
{
	size_t n = strlen(name);
	if (size <= n || line[n] != ':' || strncasecmp(line, name, n) != 0)
		return NULL;
	const char *from = line + n + 1, *end = line + size;
	while (from < end && (*from == ' ' || *from == '\t'))
		from++;
	while (end > from && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	snprintf(out, room, "%.*s", (int)(end - from), from);
	return out;
}

/* 0 = not complete yet, -1 = not HTTP as we understand it. */
static int parse_head(struct hy_bytes in, struct head *h)
{
	const char *text = (const char *)in.data;
	const char *end = in.size ? memmem(text, in.size, "\r\n\r\n", 4) : NULL;
	if (!end)
		return in.size > HEAD_MAX ? -1 : 0;
	*h = (struct head){ .length = -1, .size = (size_t)(end - text) + 4 };
	if (in.size < 12 || memcmp(text, "HTTP/1.", 7) != 0)
		return -1;
	h->status = atoi(text + 9);
	h->close = text[7] == '0';
	for (const char *line = memmem(text, h->size, "\r\n", 2); line && line < end;) {
		char value[64];
		line += 2;
		const char *next = memmem(line, (size_t)(end + 2 - line), "\r\n", 2);
		size_t size = (size_t)((next ? next : end) - line);
		if (value_of(line, size, "Content-Length", value, sizeof(value)))
			h->length = strtoll(value, NULL, 10);
		else if (value_of(line, size, "Connection", value, sizeof(value)))
			h->close = strcasecmp(value, "close") == 0;
		else if (value_of(line, size, "Retry-After", value, sizeof(value)))
			h->retry_after_ms = 1000 * strtoll(value, NULL, 10);
		else if (value_of(line, size, "Transfer-Encoding", value, sizeof(value)))
			return -1; /* the collector sends lengths */
		line = next;
	}
	if (h->status < 100 || h->status > 599 || h->length > (int64_t)POST_ANSWER_MAX || h->retry_after_ms < 0)
		return -1;
	if (h->status == 204 || h->status == 304)
		h->length = 0;
	return 1;
}

static void eat(struct hy_buffer *b, size_t size)
{
	memmove(b->data, b->data + size, b->size - size);
	b->size -= size;
}

static int receive(struct post *p, struct post_answer *out, int64_t until, struct hy_fault *f)
{
	struct head h;
	for (;;) {
		int there = parse_head(hy_buffer_view(&p->in), &h);
		if (there < 0)
			return hy_fail(f, HY_BAD_INPUT, "what answers at %s does not speak HTTP as the collector does",
				p->listen);
		if (there && h.status >= 200)
			break;
		if (there)
			eat(&p->in, h.size); /* 100 Continue and its like announce the answer */
		else if (!read_more(p, until))
			return hy_fail(f, errno == ETIMEDOUT ? HY_TIMEOUT : HY_UNREACHABLE, "the collector at %s: %s",
				p->listen, errno == ETIMEDOUT ? "no answer in time" : "the connection broke off");
	}
	eat(&p->in, h.size);
	while (h.length < 0 || p->in.size < (size_t)h.length) {
		if (p->in.size > POST_ANSWER_MAX)
			return hy_fail(f, HY_TOO_LARGE, "the answer of %s is larger than %zu bytes", p->listen,
				POST_ANSWER_MAX);
		if (read_more(p, until))
			continue;
		if (h.length >= 0)
			return hy_fail(f, HY_UNREACHABLE, "the collector at %s: the connection broke off", p->listen);
		h.length = (int64_t)p->in.size;
		h.close = true;
	}
	hy_buffer_clear(&out->body);
	hy_buffer_put(&out->body, p->in.data, (size_t)h.length);
	out->status = h.status;
	out->retry_after_ms = h.retry_after_ms;
	eat(&p->in, (size_t)h.length);
	p->used = true;
	if (h.close)
		hang_up(p);
	return out->body.err;
}

int post_send(struct post *p, const char *method, const char *path, struct hy_bytes body, struct post_answer *out,
	struct hy_fault *f)
{
	struct hy_buffer request = { 0 };
	int err;
	hy_buffer_printf(&request,
		"%s %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nUser-Agent: huiyin/" HY_VERSION
		"\r\nAccept: application/json\r\n",
		method, path, p->listen[0] == ':' ? "localhost" : p->listen, p->key);
	if (body.size)
		hy_buffer_printf(&request, "Content-Type: application/json\r\nContent-Length: %zu\r\n", body.size);
	hy_buffer_text(&request, "\r\n");
	hy_buffer_bytes(&request, body);
	for (;;) {
		bool again = p->used;
		int64_t until = hy_mono_ms() + ANSWER_MS;
		err = request.err ? request.err : p->fd < 0 ? dial(p, f) : HY_OK;
		/* Even when the request can't be written to its end, the answer may be there: a refusal comes before the body is read. */
		if (err == HY_OK) {
			bool sent = write_all(p->fd, hy_buffer_view(&request), until);
			err = sent || !again ? receive(p, out, until, f) : HY_UNREACHABLE;
		}
		if (err)
			hang_up(p);
		if (err != HY_UNREACHABLE || !again)
			break;
	}
	explicit_bzero(request.data, request.size);
	hy_buffer_free(&request);
	return err;
}

void post_problem(const struct post_answer *a, char *out, size_t room)
{
	json_t *j = json_loadb((const char *)a->body.data, a->body.size, 0, NULL), *e;
	const char *detail = json_string_value(json_object_get(j, "detail"));
	size_t i;
	int n = snprintf(out, room, "%s", detail ? detail : "");
	if (!detail)
		n = snprintf(out, room, "the collector answered %d", a->status);
	json_array_foreach(json_object_get(j, "errors"), i, e)
	{
		const char *pointer = json_string_value(json_object_get(e, "pointer")),
			   *what = json_string_value(json_object_get(e, "detail"));
		if (what && n > 0 && (size_t)n < room)
			n += snprintf(out + n, room - (size_t)n, "%s%s%s%s", i ? "; " : " ", pointer ? pointer : "",
				pointer && *pointer ? ": " : "", what);
	}
	json_decref(j);
}
