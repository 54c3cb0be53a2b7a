#include "daemons.h"

#include "service/service.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

const char *const daemon_names[DAEMONS] = { "collector", "classifier", "router", "notifier" };

json_t *daemons_ask(const struct daemons *d, int which, const char *verb)
{
	struct hy_fault f = { 0 };
	char *text = NULL;
	int err = hy_ask_daemon(d->dir, daemon_names[which], verb, NULL, NULL, 20000, &text, &f);
	json_t *j = err ? NULL : json_loads(text, 0, NULL);
	free(text);
	return j;
}

long long daemons_number(const json_t *j, const char *path)
{
	char name[64];
	while (j && strchr(path, '.')) {
		size_t n = strcspn(path, ".");
		snprintf(name, sizeof(name), "%.*s", (int)n, path);
		j = json_object_get(j, name);
		path += n + 1;
	}
	return j ? (long long)json_number_value(json_object_get(j, path)) : 0;
}

static bool linked(const json_t *health)
{
	size_t i;
	json_t *in;
	json_array_foreach(json_object_get(health, "inputs"), i,
		in) if (strcmp(json_string_value(json_object_get(in, "link")), "up") != 0) return false;
	return health != NULL;
}

void daemons_start(struct daemons *d, const char *extra, bool only_collector)
{
	char name[64];
	snprintf(d->dir, sizeof(d->dir), "%s/ring", bench_dir());
	d->port = bench_port();
	bench_install(d->dir, d->port, extra);
	int count = only_collector ? 1 : DAEMONS;
	for (int i = 0; i < count; i++) {
		snprintf(name, sizeof(name), "huiyin-%s", daemon_names[i]);
		if (i == COLLECTOR && d->collector)
			snprintf(name, sizeof(name), "%s", d->collector);
		char *args[] = { (char *)bench_program(name), (char *)"-C", d->dir, NULL };
		d->pids[i] = bench_spawn(daemon_names[i], args, -1, -1);
	}
	for (int i = 0; i < count; i++)
		for (int tries = 0;; tries++) {
			json_t *health = daemons_ask(d, i, "health");
			bool up = only_collector ? health != NULL : linked(health);
			json_decref(health);
			if (up)
				break;
			if (tries == 300)
				bench_die("%s does not come up; see %s/%s.log (BENCH_KEEP=1 keeps it)", daemon_names[i],
					bench_dir(), daemon_names[i]);
			bench_sleep_ms(50);
		}
}

void daemons_stop(struct daemons *d)
{
	for (int i = DAEMONS - 1; i >= 0; i--)
		if (d->pids[i])
			bench_stop(d->pids[i]);
	hy_loop_zmq_end();
}

static long long mark_of(const json_t *health, const char *stream)
{
	size_t i;
	json_t *in;
	json_array_foreach(json_object_get(health, "inputs"), i,
		in) if (strcmp(json_string_value(json_object_get(in, "stream")), stream) == 0) return daemons_number(in,
		"mark");
	return 0;
}

struct daemons_lag daemons_lag(const struct daemons *d)
{
	json_t *h[DAEMONS];
	long long head[DAEMONS];
	struct daemons_lag lag = { 0 };
	/* Writers before readers: what a reader's mark has passed was in the head read before it, or came later and is counted next time. */
	for (int i = 0; i < DAEMONS; i++) {
		h[i] = daemons_ask(d, i, "health");
		head[i] = daemons_number(h[i], "stream.head");
	}
	json_t *router = daemons_ask(d, ROUTER, "health");
	long long gaps[] = { head[COLLECTOR] - mark_of(h[CLASSIFIER], "feedback"),
		head[CLASSIFIER] - mark_of(h[ROUTER], "classification"), head[ROUTER] - mark_of(h[NOTIFIER], "ticket"),
		head[NOTIFIER] - mark_of(router, "delivery") };
	for (int i = 0; i < DAEMONS; i++)
		lag.waiting += gaps[i] > 0 ? gaps[i] : 0;
	lag.head = head[COLLECTOR];
	json_t *audit = daemons_ask(d, NOTIFIER, "audit");
	lag.outbox = daemons_number(audit, "pending");
	json_decref(audit);
	json_decref(router);
	for (int i = 0; i < DAEMONS; i++)
		json_decref(h[i]);
	return lag;
}

/* ---- posting ---- */

struct posting {
	const struct daemons *d;
	char *const *requests;
	const size_t *sizes;
	size_t count;
	_Atomic size_t next;
};

static int connect_to(int port)
{
	struct sockaddr_in a = {
		.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr = { htonl(INADDR_LOOPBACK) }
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) != 0)
		bench_die("the collector does not listen on port %d", port);
	return fd;
}

/* Sends one request and reads its answer; the status, 0 when the connection ended. */
static int exchange(int fd, const char *request, size_t size, char *answer, size_t room)
{
	size_t got = 0, want = 0;
	int status = 0;
	while (size) {
		ssize_t n = send(fd, request, size, MSG_NOSIGNAL);
		if (n <= 0)
			return 0;
		request += n;
		size -= (size_t)n;
	}
	while (!want || got < want) {
		if (got + 1 >= room)
			return 0;
		ssize_t n = recv(fd, answer + got, room - 1 - got, 0);
		if (n <= 0)
			return 0;
		got += (size_t)n;
		answer[got] = 0;
		char *end = want ? NULL : strstr(answer, "\r\n\r\n"),
		     *length = end ? strcasestr(answer, "content-length:") : NULL;
		if (end && length)
			want = (size_t)(end + 4 - answer) + strtoul(length + 15, NULL, 10);
		if (end)
			sscanf(answer, "HTTP/1.1 %d", &status);
	}
	return status;
}

static void *post_thread(void *arg)
{
	struct posting *p = arg;
	enum { ROOM = 1 << 20 };
	char *answer = malloc(ROOM);
	int fd = connect_to(p->d->port), refused = 0;
	for (size_t i; (i = atomic_fetch_add(&p->next, 1)) < p->count;) {
		int status;
		while ((status = exchange(fd, p->requests[i], p->sizes[i], answer, ROOM)) != 202) {
			if (status == 0) {
				close(fd);
				fd = connect_to(p->d->port);
			} else if (status != 503 && status != 429) {
				bench_die("the collector answers %.600s", answer);
			}
			if (++refused > 10000)
				bench_die("the collector goes on refusing");
			bench_sleep_ms(20);
		}
	}
	close(fd);
	free(answer);
	return NULL;
}

void daemons_post(const struct daemons *d, char *const *requests, const size_t *sizes, size_t count, int connections,
	int64_t *began_ns)
{
	struct posting p = { .d = d, .requests = requests, .sizes = sizes, .count = count };
	pthread_t threads[64];
	*began_ns = bench_ns();
	for (int i = 0; i < connections; i++)
		if (pthread_create(&threads[i], NULL, post_thread, &p) != 0)
			bench_die("no thread");
	for (int i = 0; i < connections; i++)
		pthread_join(threads[i], NULL);
}
