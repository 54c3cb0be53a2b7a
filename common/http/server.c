/* The server: libmicrohttpd in external epoll mode, run once a turn by our loop, all in one thread.
 * It never blocks inside libmicrohttpd: its own waiting hangs when exactly 128 requests arrive together, and its wake-up does not reach us.
 * So every turn runs it whether the epoll descriptor is readable or not, and again while it says it has work left. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "http/inner.h"
#include "log/log.h"

#define RUNS_PER_TURN 8
#define TURN_MS 1000
#define CLOSE_MS 2000
#define POOL_SIZE ((size_t)16384) /* libmicrohttpd's memory per connection: the head, and a window on the body */

/* ---- a request's life ---- */

void http_release(struct hy_request *q)
{
	if (q->held || q->mhd)
		return;
	struct hy_http *h = q->h;
	for (struct hy_request **at = h ? &h->orphans : NULL; at && *at; at = &(*at)->next) {
		if (*at == q) {
			*at = q->next;
			break;
		}
	}
	if (q->answer)
		MHD_destroy_response(q->answer);
	http_body_free(q);
	if (h && h->spares < HTTP_SPARE_MAX) {
		struct hy_buffer text = q->text, headers = q->headers;
		hy_buffer_clear(&text);
		hy_buffer_clear(&headers);
		memset(q, 0, offsetof(struct hy_request, query));
		q->queries = q->fields = 0;
		q->text = text;
		q->headers = headers;
		q->next = h->spare;
		h->spare = q;
		h->spares++;
		return;
	}
	hy_buffer_free(&q->text);
	hy_buffer_free(&q->headers);
	free(q);
}

/* libmicrohttpd's time-out does not count resumed connections, and its own wake-up is off in this mode. Outside of http_turn() another clock
 * of this turn may be the caller, with nothing left between it and the wait: hence the wake. */
void http_resume(struct hy_request *q)
{
	struct hy_http *h = q->h;
	if (!h->resumed && !h->running && h->loop)
		hy_loop_wake(h->loop);
	h->resumed = true;
	MHD_resume_connection(q->mhd);
}

static struct http_conn *conn_of(struct MHD_Connection *mhd)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	return info ? info->socket_context : NULL;
}

/* The request line is there; it is the last moment the target is seen as it came over the wire. */
static void *on_target(void *cls, const char *target, struct MHD_Connection *mhd)
{
	struct hy_http *h = cls;
	struct http_conn *c = conn_of(mhd);
	struct hy_request *q = h->spare;
	if (!c)
		return NULL;
	if (q) {
		h->spare = q->next;
		h->spares--;
	} else {
		q = calloc(1, sizeof(*q));
		if (!q)
			return NULL;
	}
	q->h = h;
	q->mhd = mhd;
	q->conn = c;
	q->next = NULL;
	c->request = q;
	c->requests++;
	h->counts.requests++;
	memcpy(q->peer, c->peer, sizeof(q->peer));
	size_t size = strlen(target);
	q->target_at = target;
	q->target = (struct http_span){ 0, (uint32_t)size };
	hy_buffer_put(&q->text, target, size + 1);
	http_phase(c, HTTP_HEAD);
	return q;
}

static void on_completed(void *cls, struct MHD_Connection *mhd, void **context, enum MHD_RequestTerminationCode how)
{
	struct hy_request *q = *context;
	(void)cls, (void)mhd, (void)how;
	if (!q)
		return;
	*context = NULL;
	http_place_leave(&q->h->forwarded, q->forwarded);
	q->forwarded = NULL;
	if (q->headed && !q->handled && q->route->row->dropped)
		q->route->row->dropped(q, q->h->arg);
	q->conn->request = NULL;
	http_phase(q->conn, HTTP_IDLE);
	q->conn = NULL;
	q->mhd = NULL;
	q->state = HTTP_SENT;
	if (q->held) {
		q->next = q->h->orphans;
		q->h->orphans = q;
	}
	http_release(q);
}

/* ---- the head ---- */

static void count_speaker(struct hy_request *q)
{
	struct hy_http *h = q->h;
	struct http_address a;
	if (!http_speaker(q, &a))
		return;
	http_address_text(&a, q->peer);
	int max = h->per_address < 2048 && http_address_loopback(&a) ? 2048 : h->per_address;
	q->forwarded = http_place_take(&h->forwarded, &a, max);
	if (!q->forwarded) {
		h->counts.refused_full++;
		http_busy(q, "too many requests of your address at a time");
	}
}

static void look_at_head(struct hy_request *q, const char *method, const char *version)
{
	struct hy_http *h = q->h;
	if (q->conn->over) {
		q->close = true;
		h->counts.refused_full++;
		http_busy(q, "too many connections");
		return;
	}
	if (q->text.err) {
		q->close = true;
		http_busy(q, "out of memory");
		return;
	}
	int status;
	const char *fault = http_guard(q, method, version, &status);
	if (fault) {
		q->close = true;
		h->counts.refused_framing++;
		hy_debug("http.framing", "peer=%s status=%d fault=\"%s\"", q->peer, status, fault);
		http_refuse(q, status, "bad-request", fault);
		return;
	}
	fault = http_target(q);
	if (fault) {
		http_refuse(q, 400, "bad-request", fault);
		return;
	}
	http_route(q); /* first, so that what follows is said in a way that browsers let pages read */
	if (q->status)
		return;
	if (h->closing) {
		http_busy(q, "going down");
		return;
	}
	count_speaker(q);
	if (q->status)
		return;
	const struct hy_route *row = q->route->row;
	if (q->text.err) {
		http_busy(q, "out of memory");
		return;
	}
	q->body_max = row->body_max;
	if (row->head) {
		q->headed = true;
		row->head(q, h->arg);
	}
	if (!q->status)
		http_body_expect(q);
}

static enum MHD_Result on_head(struct hy_request *q, const char *method, const char *version)
{
	http_phase(q->conn, HTTP_BODY);
	look_at_head(q, method, version);
	q->state = HTTP_READING;
	if (!q->status) {
		if (q->piece)
			http_phase(q->conn, HTTP_STREAM);
		return MHD_YES;
	}
	/* Refused. If the body is short we let it come first: a client in the middle of sending may else lose our answer to a reset. If it
	 * asked before sending, or the body is long, the answer goes out at once and the connection with it. */
	if (q->close || q->chunked || q->length > HTTP_DRAIN_MAX || (q->expects && q->length)) {
		q->close = true;
		return http_send(q);
	}
	return MHD_YES;
}

static enum MHD_Result on_whole(struct hy_request *q)
{
	if (!q->status)
		http_body_end(q);
	if (q->h->closing && !q->status)
		http_busy(q, "going down; sending the same again is safe");
	if (q->status)
		return http_send(q);
	q->handled = true;
	q->state = HTTP_HANDLING;
	http_phase(q->conn, HTTP_WAIT);
	q->route->row->handle(q, q->h->arg);
	if (q->status)
		return http_send(q);
	if (!q->held) {
		hy_error("http.unanswered", "method=%s path=%s", hy_http_method(q), hy_http_path(q));
		http_refuse(q, 500, "internal", "the request was not answered; this is our fault");
		return http_send(q);
	}
	q->state = HTTP_WAITING;
	MHD_suspend_connection(q->mhd);
	return MHD_YES;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *mhd, const char *url, const char *method,
	const char *version, const char *data, size_t *size, void **context)
{
	struct hy_request *q = *context;
	(void)cls, (void)mhd, (void)url;
	if (!q)
		return MHD_NO; /* no memory for it */
	switch (q->state) {
	case HTTP_NEW:
		return on_head(q, method, version);
	case HTTP_READING:
		if (*size) {
			enum MHD_Result rc = http_body_take(q, data, *size);
			*size = 0;
			return rc;
		}
		return on_whole(q);
	case HTTP_ANSWERED:
		return http_send(q);
	case HTTP_HANDLING:
	case HTTP_WAITING:
	case HTTP_SENT:
		break;
	}
	*size = 0;
	return MHD_YES;
}

/* ---- the daemon ---- */

/* The query and path are decoded from our own copy (target.c); libmicrohttpd's decoding would only move bytes about. */
static size_t leave_as_it_is(void *cls, struct MHD_Connection *mhd, char *text)
{
	(void)cls, (void)mhd;
	return strlen(text);
}

int http_daemon_start(struct hy_http *h, int listen_fd, struct hy_fault *f)
{
	unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME;
	if (listen_fd < 0)
		flags |= MHD_USE_NO_LISTEN_SOCKET;
	if (h->tls)
		flags |= MHD_USE_TLS;
	struct MHD_OptionItem more[2 + HTTP_TLS_OPTIONS] = { 0 };
	int count = 0;
	if (listen_fd >= 0)
		more[count++] = (struct MHD_OptionItem){ MHD_OPTION_LISTEN_SOCKET, listen_fd, NULL };
	if (h->tls) {
		http_tls_options(more + count);
		count += HTTP_TLS_OPTIONS;
	}
	more[count] = (struct MHD_OptionItem){ MHD_OPTION_END, 0, NULL };
	// clang-format off: option, value
	h->daemon = MHD_start_daemon(flags, 0, NULL, NULL, on_request, h, MHD_OPTION_URI_LOG_CALLBACK, on_target, h,
		MHD_OPTION_NOTIFY_COMPLETED, on_completed, h, MHD_OPTION_NOTIFY_CONNECTION, http_on_connection, h,
		MHD_OPTION_UNESCAPE_CALLBACK, leave_as_it_is, NULL, MHD_OPTION_CONNECTION_LIMIT,
		(unsigned)(h->connections_max + 2 * HTTP_OVER_MAX), MHD_OPTION_CONNECTION_MEMORY_LIMIT, POOL_SIZE,
		MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_ARRAY, more, MHD_OPTION_END);
	// clang-format on
	if (!h->daemon)
		return hy_fail(f, HY_IO, "the HTTP server can't start: %s", strerror(errno));
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	if (!info)
		return hy_fail(f, HY_IO, "the HTTP server has no epoll descriptor");
	h->epoll_fd = info->epoll_fd;
	return HY_OK;
}

int64_t http_turn(void *arg)
{
	struct hy_http *h = arg;
	int64_t wait = 0;
	h->running = true;
	for (int i = 0; i < RUNS_PER_TURN && wait == 0; i++) {
		MHD_UNSIGNED_LONG_LONG timeout;
		h->resumed = false; /* before the run: what a handler resumes within it is for the next */
		MHD_run(h->daemon);
		wait = TURN_MS;
		if (MHD_get_timeout(h->daemon, &timeout) == MHD_YES && timeout < TURN_MS)
			wait = (int64_t)timeout;
		if (h->resumed) /* which its time-out does not know about */
			wait = 0;
	}
	int64_t due = http_deadlines(h);
	h->running = false;
	if (h->resumed)
		return 0;
	return due >= 0 && due < wait ? due : wait;
}

/* Readable: the turn ends, and the next one begins with http_turn(). */
static void on_epoll(void *arg)
{
	(void)arg;
}

/* ---- open and close ---- */

void http_server_free(struct hy_http *h)
{
	if (h->daemon)
		MHD_stop_daemon(h->daemon); /* closes the listening socket, unless it was quiesced */
	/* Their handlers still owe an answer; that ends them. */
	for (struct hy_request *q = h->orphans, *next; q; q = next) {
		next = q->next;
		q->next = NULL;
		q->h = NULL;
	}
	for (struct hy_request *q = h->spare, *next; q; q = next) {
		next = q->next;
		hy_buffer_free(&q->text);
		hy_buffer_free(&q->headers);
		free(q);
	}
	free(h->routes);
	http_origins_free(h);
	http_tls_free(&h->tls);
	free(h->trusted);
	free(h);
}

static int64_t given(int64_t value, int64_t otherwise)
{
	return value > 0 ? value : otherwise;
}

static int open_listener(struct hy_http *h, const struct hy_http_options *o, int *fd, struct hy_fault *f)
{
	*fd = o->listen_fd;
	int err = HY_OK;
	if (o->listen_fd <= 0)
		err = http_listen(o->listen, fd, f);
	if (err)
		return err;
	struct sockaddr_storage sa = { 0 };
	socklen_t size = sizeof(sa);
	if (getsockname(*fd, (struct sockaddr *)&sa, &size) == 0) {
		if (sa.ss_family == AF_INET6)
			h->port = ntohs(((struct sockaddr_in6 *)&sa)->sin6_port);
		else if (sa.ss_family == AF_INET)
			h->port = ntohs(((struct sockaddr_in *)&sa)->sin_port);
	}
	return HY_OK;
}

int hy_http_open(struct hy_http **out, const struct hy_http_options *o, struct hy_fault *f)
{
	int err = http_selftest(f), fd = -1;
	*out = NULL;
	if (err)
		return err;
	struct hy_http *h = calloc(1, sizeof(*h));
	if (!h)
		return hy_fail(f, HY_NO_MEMORY, "out of memory");
	h->loop = o->loop;
	h->arg = o->arg;
	h->connections_max = (int)given(o->connections, 4096);
	h->per_address = (int)given(o->per_address, 32);
	h->requests_max = (int)given(o->requests, 10000);
	h->list[HTTP_IDLE].length_ms = given(o->idle_ms, 15000);
	h->list[HTTP_HEAD].length_ms = given(o->head_ms, 5000);
	h->list[HTTP_BODY].length_ms = given(o->body_ms, 15000);
	h->list[HTTP_STREAM].length_ms = h->list[HTTP_BODY].length_ms;
	h->list[HTTP_WAIT].length_ms = given(o->answer_ms, 30000);
	h->list[HTTP_SEND].length_ms = given(o->answer_ms, 30000);
	h->list[HTTP_OVER].length_ms = HTTP_OVER_MS;
	http_routes_compile(h, o->routes);
	err = h->routes ? http_trusted_parse(h, o->trusted, f) : hy_fail(f, HY_NO_MEMORY, "out of memory");
	if (!err)
		err = http_origins_parse(h, o->origins, f);
	if (!err)
		err = http_tls_open(&h->tls, o->tls_certificate, o->tls_key, f);
	if (!err)
		err = open_listener(h, o, &fd, f);
	if (!err)
		err = http_daemon_start(h, fd, f);
	if (!err)
		err = hy_loop_watch_fd(h->loop, h->epoll_fd, on_epoll, h);
	if (err)
		goto fail;
	err = hy_loop_watch_time(h->loop, http_turn, h);
	if (err) {
		hy_loop_unwatch_fd(h->loop, h->epoll_fd);
		goto fail;
	}
	*out = h;
	return HY_OK;
fail:
	if (!h->daemon && fd >= 0)
		close(fd);
	http_server_free(h);
	return err;
}

/* Those that wait for a handler are told to come again; those that wait for a client are cut off. */
static void send_away(struct hy_http *h)
{
	struct http_conn *c;
	while ((c = h->list[HTTP_WAIT].first))
		http_busy(c->request, "going down; sending the same again is safe");
	while ((c = h->list[HTTP_IDLE].first))
		http_shut(c);
}

/* Not through base/clock.h: the end has to come even where a test lets that clock stand. */
static int64_t real_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void hy_http_close(struct hy_http **out)
{
	struct hy_http *h = *out;
	if (!h)
		return;
	*out = NULL;
	hy_loop_unwatch_time(h->loop, http_turn, h);
	hy_loop_unwatch_fd(h->loop, h->epoll_fd);
	MHD_socket fd = MHD_quiesce_daemon(h->daemon);
	if (fd != MHD_INVALID_SOCKET)
		close(fd);
	http_turn(h); /* what has arrived is still served */
	h->closing = true;
	int64_t until = real_ms() + CLOSE_MS;
	for (;;) {
		send_away(h);
		int64_t wait = http_turn(h);
		if (h->counts.connections == 0 || real_ms() >= until)
			break;
		struct pollfd p = { .fd = h->epoll_fd, .events = POLLIN };
		poll(&p, 1, wait > 50 ? 50 : (int)wait);
	}
	http_server_free(h);
}

int hy_http_port(const struct hy_http *h)
{
	return h->port;
}

struct hy_http_counts hy_http_counts(const struct hy_http *h)
{
	return h->counts;
}
