/* The public functions, and the background thread. */
#include "client/inside.h"

#include "base/clock.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { CLOSE_MS = 2000, KEY_MAX = 256, NAPS_SHORT = 20, NAP_MOST_MS = 32 };

/* ---- whose process this is ---- */

/* Raised in every child of fork(): a client that was opened with another number has no thread here, and its locks may be held by nobody. */
static unsigned lives;

static void on_fork(void)
{
	lives++;
}

static void watch_forks(void)
{
	pthread_atfork(NULL, NULL, on_fork);
}

static bool ours(const struct hy_client *c)
{
	return c->lives == lives;
}

/* ---- words ---- */

const char *hy_client_version(void)
{
	return HY_VERSION;
}

const char *hy_client_strerror(int result)
{
	switch (result) {
	case HY_CLIENT_OK:
		return "done";
	case HY_CLIENT_SPOOLED:
		return "safe in the spool, not yet at the collector";
	case HY_CLIENT_FULL:
		return "memory is full: the item was not taken";
	case HY_CLIENT_INVALID:
		return "an argument is missing, out of its range, or not UTF-8";
	case HY_CLIENT_TOO_LARGE:
		return "the item is larger than 48 KiB, or has too many parts";
	case HY_CLIENT_NO_MEMORY:
		return "out of memory";
	case HY_CLIENT_IN_USE:
		return "another client has this spool open";
	case HY_CLIENT_SPOOL:
		return "the spool directory can't be used";
	case HY_CLIENT_TIMEOUT:
		return "not everything got out of memory in time";
	case HY_CLIENT_FORKED:
		return "the client was opened by another process";
	default:
		return "unknown result";
	}
}

int client_result(int err)
{
	switch (err) {
	case HY_OK:
		return HY_CLIENT_OK;
	case HY_NO_MEMORY:
		return HY_CLIENT_NO_MEMORY;
	case HY_IN_USE:
		return HY_CLIENT_IN_USE;
	case HY_BAD_INPUT:
	case HY_USAGE:
		return HY_CLIENT_INVALID;
	default:
		return HY_CLIENT_SPOOL;
	}
}

void client_problem(struct hy_client *c, char (*which)[512], const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	pthread_mutex_lock(&c->lock);
	vsnprintf(*which, sizeof(*which), fmt, ap);
	pthread_mutex_unlock(&c->lock);
	va_end(ap);
}

/* ---- the background thread ---- */

/* Putting an item makes no system call: waking a sleeper would cost the app's thread tens of microseconds. This thread looks by itself, every millisecond while
 * something comes, then less and less often; it is woken only when a burst is about to fill the memory meanwhile. */
static int64_t nap(struct hy_client *c, int64_t wait_ms, uint64_t *seen, int *naps)
{
	uint64_t tail = atomic_load(&c->ring.tail);
	*naps = tail != *seen ? 0 : *naps + 1;
	*seen = tail;
	int64_t nap_ms = 1;
	for (int i = NAPS_SHORT; i < *naps && nap_ms < NAP_MOST_MS; i++)
		nap_ms *= 2;
	atomic_store(&c->asleep, nap_ms > 1);
	return wait_ms < 0 || wait_ms > nap_ms ? nap_ms : wait_ms;
}

static void *background(void *arg)
{
	struct hy_client *c = arg;
	uint64_t seen = 0;
	int naps = 0;
	queue_scan(c);
	while (!c->stop) {
		int64_t store_ms = queue_store(c, hy_mono_ms());
		int64_t wait_ms = c->door->pump(c, hy_mono_ms());
		queue_rest(c);
		if (store_ms >= 0 && (wait_ms < 0 || store_ms < wait_ms))
			wait_ms = store_ms;
		wait_ms = nap(c, wait_ms, &seen, &naps);
		if (hy_loop_turn(c->loop, wait_ms) != HY_OK) /* no memory, no descriptors: it may pass */
			nanosleep(&(struct timespec){ .tv_nsec = 50 * 1000000 }, NULL);
		atomic_store(&c->asleep, false);
	}
	c->spool_again_ms = 0;
	while (queue_store(c, hy_mono_ms()) == 0)
		;
	return NULL;
}

static int start(struct hy_client *c, struct hy_fault *f)
{
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int err = pthread_create(&c->thread, NULL, background, c);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (err)
		return hy_fail(f, HY_NO_MEMORY, "no thread: %s", strerror(err));
	pthread_setname_np(c->thread, "huiyin-client");
	return HY_OK;
}

/* ---- opening and closing ---- */

static void free_client(struct hy_client *c)
{
	if (c->door)
		c->door->close(c);
	queue_close(c);
	hy_arena_free(&c->arena);
	hy_loop_close(&c->loop);
	pthread_mutex_destroy(&c->lock);
	pthread_cond_destroy(&c->moved);
	free(c->url);
	free(c->key);
	free(c->ca_file);
	free(c->curve_server);
	free(c->curve_secret);
	free(c);
}

static bool starts(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

static const struct door *door_for(const char *url)
{
	if (starts(url, "http://") || starts(url, "https://"))
		return &door_web;
	if (starts(url, "ipc://"))
		return url[6] ? &door_link : NULL;
	if (!starts(url, "tcp://"))
		return NULL;
	const char *port = strrchr(url + 6, ':');
	char *end;
	long number = port && port > url + 6 ? strtol(port + 1, &end, 10) : 0;
	return number > 0 && number < 65536 && !*end ? &door_link : NULL;
}

static bool good_key(const char *key)
{
	size_t size = 0;
	while (key[size] > ' ' && key[size] < 0x7f && size < KEY_MAX)
		size++;
	return size && !key[size];
}

static int check_options(const struct hy_client_options *o, struct hy_fault *f)
{
	if (!o->url || !o->key)
		return hy_fail(f, HY_BAD_INPUT, "url and key are needed");
	if (!door_for(o->url))
		return hy_fail(f, HY_BAD_INPUT,
			"url: tcp://HOST:PORT, ipc:///PATH, http://HOST:PORT or https://HOST:PORT, not '%s'", o->url);
	if (!good_key(o->key))
		return hy_fail(f, HY_BAD_INPUT, "key: the text that begins with hy_, without blanks or line feeds");
	if (!o->curve_server != !o->curve_secret)
		return hy_fail(f, HY_BAD_INPUT, "curve_server and curve_secret: both or neither");
	return HY_OK;
}

static int copy_text(char **to, const char *text)
{
	*to = text ? strdup(text) : NULL;
	return text && !*to ? HY_NO_MEMORY : HY_OK;
}

static int set_up(struct hy_client *c, const struct hy_client_options *o, struct hy_fault *f)
{
	pthread_condattr_t steady;
	pthread_condattr_init(&steady);
	pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
	pthread_cond_init(&c->moved, &steady);
	pthread_condattr_destroy(&steady);
	pthread_mutex_init(&c->lock, NULL);
	c->lives = lives;
	c->close_ms = o->close_ms ? o->close_ms : CLOSE_MS;
	c->on_rejected = o->on_rejected;
	c->on_rejected_arg = o->on_rejected_arg;
	int err = check_options(o, f);
	if (err != HY_OK)
		return err;
	if (copy_text(&c->url, o->url) || copy_text(&c->key, o->key) || copy_text(&c->ca_file, o->ca_file) ||
		copy_text(&c->curve_server, o->curve_server) || copy_text(&c->curve_secret, o->curve_secret) ||
		hy_arena_open(&c->arena, 0) != HY_OK)
		return hy_fail(f, HY_NO_MEMORY, "no memory");
	err = hy_loop_open(&c->loop);
	if (err != HY_OK)
		return hy_fail(f, HY_NO_MEMORY, "no event descriptor: %s", hy_err_text(err));
	c->door = door_for(o->url);
	err = c->door->open(c, f);
	if (err == HY_OK)
		err = queue_open(c, o, f);
	return err == HY_OK ? start(c, f) : err;
}

int hy_client_open_with(struct hy_client **out, const struct hy_client_options *given, char *why, size_t room)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct hy_client_options o = { 0 };
	struct hy_fault f = { 0 };
	*out = NULL;
	pthread_once(&once, watch_forks);
	if (why && room)
		why[0] = 0;
	if (!given || given->size < sizeof(given->size))
		return HY_CLIENT_INVALID;
	memcpy(&o, given, given->size < sizeof(o) ? given->size : sizeof(o));
	struct hy_client *c = calloc(1, sizeof(*c));
	int err = c ? set_up(c, &o, &f) : hy_fail(&f, HY_NO_MEMORY, "no memory");
	if (err != HY_OK) {
		if (c)
			free_client(c);
		if (why && room)
			snprintf(why, room, "%s", f.text);
		return client_result(err);
	}
	*out = c;
	return HY_CLIENT_OK;
}

int hy_client_open(struct hy_client **out, const char *url, const char *key)
{
	return hy_client_open_with(out, HY_CLIENT_OPTIONS(.url = url, .key = key), NULL, 0);
}

static int standing(struct hy_client *c, uint64_t n)
{
	return c->settled_n >= n ? HY_CLIENT_OK : c->spool && c->spooled_n >= n ? HY_CLIENT_SPOOLED : HY_CLIENT_TIMEOUT;
}

int hy_client_close(struct hy_client **client)
{
	struct hy_client *c = *client;
	*client = NULL;
	if (!c)
		return HY_CLIENT_OK;
	if (!ours(c))
		return HY_CLIENT_FORKED; /* its memory stays: its locks belong to nobody here */
	if (c->close_ms > 0)
		hy_client_flush(c, c->close_ms);
	c->stop = true;
	hy_loop_wake(c->loop);
	pthread_join(c->thread, NULL);
	int result = standing(c, c->ring.last_n);
	free_client(c);
	return result;
}

/* ---- feedback ---- */

int hy_client_feedback(struct hy_client *c, const struct hy_client_feedback *given)
{
	struct hy_client_feedback f;
	uint32_t size;
	if (!c)
		return HY_CLIENT_INVALID;
	if (!ours(c))
		return HY_CLIENT_FORKED;
	int result = item_take(given, &f);
	if (result == HY_CLIENT_OK)
		result = item_measure(&f, &size);
	if (result == HY_CLIENT_OK)
		result = ring_put(&c->ring, &f, size);
	if (result == HY_CLIENT_FULL)
		atomic_fetch_add_explicit(&c->lost, 1, memory_order_relaxed);
	if (atomic_load(&c->asleep) && ring_crowded(&c->ring) && atomic_exchange(&c->asleep, false))
		hy_loop_wake(c->loop);
	return result;
}

static struct timespec after(int64_t ms)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	ms = ms < 0 ? 0 : ms > INT32_MAX ? INT32_MAX : ms;
	t.tv_sec += (time_t)(ms / 1000);
	t.tv_nsec += (long)(ms % 1000) * 1000000;
	if (t.tv_nsec >= 1000000000) {
		t.tv_sec++;
		t.tv_nsec -= 1000000000;
	}
	return t;
}

int hy_client_flush(struct hy_client *c, int64_t ms)
{
	if (!c)
		return HY_CLIENT_INVALID;
	if (!ours(c))
		return HY_CLIENT_FORKED;
	const struct timespec until = after(ms);
	uint64_t n = atomic_load(&c->ring.last_n);
	c->flushing++;
	hy_loop_wake(c->loop);
	pthread_mutex_lock(&c->lock);
	while (c->settled_n < n && pthread_cond_timedwait(&c->moved, &c->lock, &until) == 0)
		;
	int result = standing(c, n);
	pthread_mutex_unlock(&c->lock);
	c->flushing--;
	return result;
}

/* ---- what became of it ---- */

void hy_client_on_rejected(struct hy_client *c, hy_client_rejected *call, void *arg)
{
	if (!c || !ours(c))
		return;
	pthread_mutex_lock(&c->lock);
	c->on_rejected = call;
	c->on_rejected_arg = arg;
	pthread_mutex_unlock(&c->lock);
}

int hy_client_stats(const struct hy_client *client, struct hy_client_stats *out)
{
	struct hy_client *c = (struct hy_client *)(uintptr_t)client; /* const: the lock alone changes */
	if (!c || !out || out->size < sizeof(out->size))
		return HY_CLIENT_INVALID;
	if (!ours(c))
		return HY_CLIENT_FORKED;
	uint64_t last_n = atomic_load(&c->ring.last_n);
	pthread_mutex_lock(&c->lock);
	uint64_t gone_n = c->spool && c->spooled_n > c->settled_n ? c->spooled_n : c->settled_n;
	pthread_mutex_unlock(&c->lock);
	struct hy_client_stats s = {
		.size = out->size,
		.queued = last_n > gone_n ? last_n - gone_n : 0,
		.spooled = c->waiting,
		.sent = c->sent,
		.durable = c->durable,
		.rejected = c->rejected,
		.lost = c->lost,
		.damaged = c->damaged,
		.spool_bytes = c->spool_bytes,
		.renamed = c->renamed,
		.connected = c->connected,
	};
	memcpy(out, &s, out->size < sizeof(s) ? out->size : sizeof(s));
	return HY_CLIENT_OK;
}

int hy_client_problem(const struct hy_client *client, char *out, size_t room)
{
	struct hy_client *c = (struct hy_client *)(uintptr_t)client;
	if (!c || !out || !room)
		return HY_CLIENT_INVALID;
	out[0] = 0;
	if (!ours(c))
		return HY_CLIENT_FORKED;
	pthread_mutex_lock(&c->lock);
	snprintf(out, room, "%s%s%s", c->spool_problem, c->spool_problem[0] && c->door_problem[0] ? "; " : "",
		c->door_problem);
	pthread_mutex_unlock(&c->lock);
	return HY_CLIENT_OK;
}
