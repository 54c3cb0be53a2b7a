/* A small HTTP server in a thread of its own and a client that sends raw bytes: for tests of common/http and of routes.
 * The server thread can be paused, so that a test decides what has arrived before it looks. */
#ifndef HY_TESTS_WEB_H
#define HY_TESTS_WEB_H

#include "support/test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

#include "http/http.h"
#include "loop/loop.h"

#define WEB_HELD 1024

struct web {
	struct hy_loop *loop;
	struct hy_http *http;
	int port;
	pthread_t thread;
	pthread_mutex_t gate; /* the server thread holds it while it turns */
	atomic_bool stop, paused;
	atomic_int calls; /* handler calls */
	atomic_int held_count; /* requests taken with hy_http_later(), not yet answered */
	atomic_bool release; /* the server thread answers all held ones at its next turn */
	struct hy_request *held[WEB_HELD];
	struct hy_http_counts counts; /* after web_stop() */
	bool keep_held; /* web_stop() closes the server before the held ones are answered, then answers them */
};

/* ---- the server ---- */

static inline void web_answer_held(struct web *w)
{
	for (int i = 0; i < w->held_count; i++)
		hy_http_reply(w->held[i], 202, "text/plain", HY_LIT("later"));
	w->held_count = 0;
}

static inline int64_t web_on_time(void *arg)
{
	struct web *w = arg;
	if (atomic_exchange(&w->release, false))
		web_answer_held(w);
	return -1;
}

static inline void *web_thread(void *arg)
{
	struct web *w = arg;
	while (!w->stop) {
		while (w->paused)
			usleep(1000);
		pthread_mutex_lock(&w->gate);
		hy_loop_turn(w->loop, -1);
		pthread_mutex_unlock(&w->gate);
	}
	if (!w->keep_held)
		web_answer_held(w);
	w->counts = hy_http_counts(w->http);
	hy_http_close(&w->http);
	web_answer_held(w);
	return NULL;
}

static inline void web_start(struct web *w, const struct hy_route *routes, struct hy_http_options o)
{
	struct hy_fault f = { 0 };
	struct rlimit files;
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max < 8192 ? files.rlim_max : 8192;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	memset(w, 0, sizeof(*w));
	pthread_mutex_init(&w->gate, NULL);
	assert_int_equal(hy_loop_open(&w->loop), HY_OK);
	o.loop = w->loop;
	o.listen = o.listen ? o.listen : "127.0.0.1:0";
	o.routes = routes;
	o.arg = w;
	if (hy_http_open(&w->http, &o, &f) != HY_OK)
		fail_msg("%s", f.text);
	w->port = hy_http_port(w->http);
	hy_loop_watch_time(w->loop, web_on_time, w);
	assert_int_equal(pthread_create(&w->thread, NULL, web_thread, w), 0);
}

static inline void web_stop(struct web *w)
{
	w->stop = true;
	hy_loop_wake(w->loop);
	pthread_join(w->thread, NULL);
	hy_loop_close(&w->loop);
	pthread_mutex_destroy(&w->gate);
}

static inline void web_pause(struct web *w)
{
	w->paused = true;
	hy_loop_wake(w->loop);
	pthread_mutex_lock(&w->gate);
}

static inline void web_continue(struct web *w)
{
	w->paused = false;
	pthread_mutex_unlock(&w->gate);
}

static inline void web_release(struct web *w)
{
	w->release = true;
	hy_loop_wake(w->loop);
}

/* What the server has counted, read while it stands still. */
static inline struct hy_http_counts web_counts(struct web *w)
{
	web_pause(w);
	struct hy_http_counts c = hy_http_counts(w->http);
	web_continue(w);
	return c;
}

/* Waits (30 s at most) until the condition holds. */
#define web_until(condition)                                                                                           \
	do {                                                                                                           \
		int web_tries_ = 0;                                                                                    \
		while (!(condition)) {                                                                                 \
			usleep(5000);                                                                                  \
			if (++web_tries_ > 6000)                                                                       \
				fail_msg("never came: %s", #condition);                                                \
		}                                                                                                      \
	} while (0)

/* ---- the client ---- */

static inline int web_connect(const struct web *w)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;
	struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)w->port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	struct timeval patience = { .tv_sec = 30 };
	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
	return fd;
}

/* False when the server has closed. */
static inline bool web_send(int fd, const void *data, size_t size)
{
	for (size_t at = 0; at < size;) {
		ssize_t n = send(fd, (const char *)data + at, size - at, MSG_NOSIGNAL);
		if (n <= 0)
			return false;
		at += (size_t)n;
	}
	return true;
}

static inline bool web_say(int fd, const char *text)
{
	return web_send(fd, text, strlen(text));
}

struct web_answer {
	int status; /* 0: the connection ended without one */
	char head[4096], body[8192];
	size_t size; /* of the body */
};

/* Reads one answer, byte by byte up to the end of its head, so that the next one stays where it is. */
static inline struct web_answer web_read_for(int fd, bool without_body)
{
	struct web_answer a = { 0 };
	size_t size = 0;
	while (size < sizeof(a.head) - 1) {
		ssize_t n = recv(fd, a.head + size, 1, 0);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			fail_msg("no answer in 30 s");
		if (n <= 0)
			return a;
		a.head[++size] = 0;
		if (size >= 4 && !memcmp(a.head + size - 4, "\r\n\r\n", 4))
			break;
	}
	int status = 0;
	if (sscanf(a.head, "HTTP/1.1 %d", &status) != 1)
		fail_msg("no HTTP: %s", a.head);
	const char *length = strcasestr(a.head, "\r\nContent-Length:");
	size_t want = length && !without_body ? strtoul(length + 17, NULL, 10) : 0;
	assert_true(want < sizeof(a.body));
	while (a.size < want) {
		ssize_t n = recv(fd, a.body + a.size, want - a.size, 0);
		if (n <= 0)
			break;
		a.size += (size_t)n;
	}
	a.status = status;
	return a;
}

static inline struct web_answer web_read(int fd)
{
	return web_read_for(fd, false);
}

/* True when the server closes without another byte; fails the test when it neither speaks nor closes. */
static inline bool web_closed(int fd)
{
	char byte;
	ssize_t n = recv(fd, &byte, 1, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		fail_msg("the connection stays open");
	return n <= 0;
}

static inline struct web_answer web_ask(int fd, const char *text)
{
	web_say(fd, text);
	return web_read(fd);
}

#endif
