/* The room that libcurl gets on our loop. libcurl says which descriptors and which time it waits for; when either is ready it is called, and
 * afterwards whatever has ended is told. Nothing is told from within a call of libcurl's, so an owner may do what he likes with his transfers. */
#include "http/curl.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "http/inner.h"

struct http_curl {
	CURLM *multi;
	struct hy_loop *loop;
	int64_t due_ms; /* by http_curl_clock(); -1: libcurl waits for no time */
};

int64_t http_curl_clock(void)
{
	struct timespec t = { 0 };
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void tell_ended(struct http_curl *c)
{
	int left;
	for (CURLMsg *m; (m = curl_multi_info_read(c->multi, &left));) {
		if (m->msg != CURLMSG_DONE)
			continue;
		struct http_transfer *t = NULL;
		CURLcode code = m->data.result; /* the message goes with the next call to libcurl */
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &t);
		t->ended(t, code);
	}
}

static void act(struct http_curl *c, curl_socket_t fd, int ready)
{
	int running;
	curl_multi_socket_action(c->multi, fd, ready, &running);
	tell_ended(c);
}

static int64_t on_time(void *arg)
{
	struct http_curl *c = arg;
	if (c->due_ms >= 0 && c->due_ms <= http_curl_clock()) {
		c->due_ms = -1;
		act(c, CURL_SOCKET_TIMEOUT, 0);
	}
	if (c->due_ms < 0)
		return -1;
	int64_t left = c->due_ms - http_curl_clock();
	return left > 0 ? left : 0;
}

static void on_events(void *arg, int fd, int events)
{
	act(arg, fd, (events & HY_LOOP_READ ? CURL_CSELECT_IN : 0) | (events & HY_LOOP_WRITE ? CURL_CSELECT_OUT : 0));
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *of_socket)
{
	struct http_curl *c = arg;
	(void)easy;
	(void)of_socket;
	int events = (what & CURL_POLL_IN ? HY_LOOP_READ : 0) | (what & CURL_POLL_OUT ? HY_LOOP_WRITE : 0);
	if (what == CURL_POLL_REMOVE)
		events = 0;
	return hy_loop_watch_events(c->loop, fd, events, on_events, c) == HY_OK ? 0 : -1;
}

static int on_timer(CURLM *multi, long wait_ms, void *arg)
{
	struct http_curl *c = arg;
	(void)multi;
	c->due_ms = wait_ms < 0 ? -1 : http_curl_clock() + wait_ms;
	return 0;
}

static CURLcode started = CURLE_FAILED_INIT;

static void start_library(void)
{
	started = curl_global_init(CURL_GLOBAL_DEFAULT); /* for the life of the process */
}

int http_curl_open(struct http_curl **out, struct hy_loop *loop, long connections, long kept, struct hy_fault *f)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	*out = NULL;
	pthread_once(&once, start_library);
	if (started != CURLE_OK)
		return hy_fail(f, HY_IO, "libcurl does not start: %s", curl_easy_strerror(started));
	struct http_curl *c = calloc(1, sizeof(*c));
	if (!c || !(c->multi = curl_multi_init())) {
		free(c);
		return hy_fail(f, HY_NO_MEMORY, "out of memory");
	}
	c->loop = loop;
	c->due_ms = -1;
	curl_multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c);
	curl_multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, on_timer);
	curl_multi_setopt(c->multi, CURLMOPT_TIMERDATA, c);
	curl_multi_setopt(c->multi, CURLMOPT_MAX_HOST_CONNECTIONS, connections);
	curl_multi_setopt(c->multi, CURLMOPT_MAXCONNECTS, kept);
	if (hy_loop_watch_time(loop, on_time, c) != HY_OK) {
		curl_multi_cleanup(c->multi);
		free(c);
		return hy_fail(f, HY_NO_MEMORY, "out of memory");
	}
	*out = c;
	return HY_OK;
}

void http_curl_close(struct http_curl **c)
{
	if (!*c)
		return;
	hy_loop_unwatch_time((*c)->loop, on_time, *c);
	curl_multi_cleanup((*c)->multi); /* takes its watches off the loop by on_socket() */
	free(*c);
	*c = NULL;
}

static curl_socket_t on_open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *to)
{
	struct http_transfer *t = arg;
	(void)purpose;
	if (!t->private_ok && http_address_private(&to->addr)) {
		t->refused = true;
		return CURL_SOCKET_BAD;
	}
	return socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

int http_transfer_open(struct http_transfer *t, struct http_curl *c, const char *protocols, const char *ca_file)
{
	t->curl = c;
	t->easy = curl_easy_init();
	if (!t->easy)
		return HY_NO_MEMORY;
	CURL *e = t->easy;
	CURLcode code = CURLE_OK;
#define SET(option, value) (code = code ? code : curl_easy_setopt(e, option, value))
	SET(CURLOPT_PRIVATE, t);
	SET(CURLOPT_ERRORBUFFER, t->error);
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_PROTOCOLS_STR, protocols);
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	SET(CURLOPT_PROXY, ""); /* not from the environment either */
	SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	SET(CURLOPT_SSL_VERIFYPEER, 1L);
	SET(CURLOPT_SSL_VERIFYHOST, 2L);
	SET(CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
	SET(CURLOPT_OPENSOCKETDATA, t);
	SET(CURLOPT_QUICK_EXIT, 1L); /* letting a transfer go does not wait for a name server */
	if (ca_file) {
		SET(CURLOPT_CAINFO, ca_file);
		SET(CURLOPT_CAPATH, NULL);
	}
#undef SET
	if (code) {
		http_transfer_close(t);
		return HY_NO_MEMORY; /* nothing else fails here: the options are ours */
	}
	return HY_OK;
}

int http_transfer_start(struct http_transfer *t)
{
	t->refused = false;
	t->error[0] = 0;
	if (curl_multi_add_handle(t->curl->multi, t->easy) != CURLM_OK)
		return HY_NO_MEMORY;
	t->out = true;
	return HY_OK;
}

void http_transfer_stop(struct http_transfer *t)
{
	if (!t->out)
		return;
	curl_multi_remove_handle(t->curl->multi, t->easy);
	t->out = false;
}

void http_transfer_close(struct http_transfer *t)
{
	if (!t->easy)
		return;
	http_transfer_stop(t);
	curl_easy_cleanup(t->easy);
	t->easy = NULL;
}

int http_transfer_err(const struct http_transfer *t, CURLcode code)
{
	if (t->refused && code != CURLE_OK)
		return HY_FORBIDDEN;
	switch (code) {
	case CURLE_OK:
		return HY_OK;
	case CURLE_OPERATION_TIMEDOUT:
		return HY_TIMEOUT;
	case CURLE_OUT_OF_MEMORY:
		return HY_NO_MEMORY;
	default:
		return HY_UNREACHABLE;
	}
}

const char *http_transfer_words(const struct http_transfer *t, CURLcode code)
{
	if (code == CURLE_OK)
		return "";
	if (t->refused)
		return "the address is a private one: name it in the configuration if it is meant";
	return t->error[0] ? t->error : curl_easy_strerror(code);
}

/* ---- addresses ---- */

#define V4(a, b, c, d, bits)                                                                                           \
	{                                                                                                              \
		{ { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d } }, 96 + (bits)                              \
	}

static const struct http_trusted inside[] = {
	V4(0, 0, 0, 0, 8),
	V4(10, 0, 0, 0, 8),
	V4(100, 64, 0, 0, 10),
	V4(127, 0, 0, 0, 8),
	V4(169, 254, 0, 0, 16),
	V4(172, 16, 0, 0, 12),
	V4(192, 0, 0, 0, 24),
	V4(192, 168, 0, 0, 16),
	V4(198, 18, 0, 0, 15),
	V4(224, 0, 0, 0, 3),
	{ { { 0 } }, 128 },
	{ { { [15] = 1 } }, 128 },
	{ { { 0x00, 0x64, 0xff, 0x9b } }, 96 },
	{ { { 0x20, 0x02 } }, 16 },
	{ { { 0xfc } }, 7 },
	{ { { 0xfe, 0x80 } }, 10 },
	{ { { 0xff } }, 8 },
};

bool http_address_private(const struct sockaddr *sa)
{
	struct http_address a = http_address_of(sa);
	if (sa->sa_family != AF_INET &&
		(sa->sa_family != AF_INET6 || IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)(const void *)a.b)))
		return true;
	for (size_t i = 0; i < sizeof(inside) / sizeof(*inside); i++)
		if (http_within(&a, &inside[i]))
			return true;
	return false;
}
