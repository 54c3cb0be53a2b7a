/* A collector's ZeroMQ door for tests of the client, in a thread: it keeps what it is told as proto/intake.proto says, and misbehaves where a test asks it to. */
#ifndef HY_TESTS_CLIENT_DOOR_H
#define HY_TESTS_CLIENT_DOOR_H

#include "support/test.h"

#include "base/clock.h"
#include "loop/loop.h"
#include "wire/wire.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

enum { DOOR_TEXTS = 200000, DOOR_NAMES = 64 };

struct test_door {
	char endpoint[128];
	struct hy_loop *loop;
	struct hy_socket *socket;
	struct hy_arena *arena;
	pthread_t thread;
	atomic_bool stop;
	/* What it does. */
	_Atomic uint32_t credit; /* 4,000 at the beginning */
	atomic_bool mute; /* hears, and keeps nothing, and says nothing */
	atomic_bool garbage; /* answers with bytes that are no Receipt */
	_Atomic(const char *) fault; /* refuses everything for this reason */
	_Atomic uint64_t lie; /* added to durable_seq */
	atomic_int forget; /* that many times: knows nothing of whom it knew */
	atomic_int drop; /* that many Submits with items vanish */
	/* What it has. */
	pthread_mutex_t lock;
	struct {
		char id[65];
		uint64_t durable_seq;
	} names[DOOR_NAMES];
	size_t name_count;
	char *texts[DOOR_TEXTS]; /* of what was kept, in order */
	size_t text_count;
	atomic_size_t refused; /* empty items, and those whose text begins with "bad" */
	atomic_size_t gaps, asks, submits;
};

static inline void door_reply(struct test_door *d, struct hy_bytes to, Huiyin__Receipt *r)
{
	struct hy_bytes packed = hy_wire_pack_in(d->arena, &r->base);
	hy_socket_send(d->socket, to, packed);
}

static inline uint64_t *door_name(struct test_door *d, const char *id)
{
	for (size_t i = 0; i < d->name_count; i++)
		if (strcmp(d->names[i].id, id) == 0)
			return &d->names[i].durable_seq;
	assert_true(d->name_count < DOOR_NAMES);
	snprintf(d->names[d->name_count].id, sizeof(d->names[0].id), "%s", id);
	d->names[d->name_count].durable_seq = 0;
	return &d->names[d->name_count++].durable_seq;
}

static inline void door_keep(struct test_door *d, const Huiyin__Submit *s, uint64_t *durable, Huiyin__Receipt *r)
{
	Huiyin__Rejected **rejected = hy_arena_get(d->arena, (s->n_items + 1) * sizeof(*rejected));
	for (size_t i = 0; i < s->n_items; i++) {
		uint64_t seq = s->first_seq + i;
		const Huiyin__Item *it = s->items[i];
		bool bad = !it->text[0] || strncmp(it->text, "bad", 3) == 0;
		if (bad) {
			Huiyin__Rejected *one = hy_arena_get(d->arena, sizeof(*one));
			Huiyin__Reason *why = hy_arena_get(d->arena, sizeof(*why));
			Huiyin__Reason **list = hy_arena_get(d->arena, sizeof(*list));
			huiyin__rejected__init(one);
			huiyin__reason__init(why);
			why->pointer = (char *)"/text";
			why->detail = (char *)"bad words";
			list[0] = why;
			one->seq = seq;
			one->reasons = list;
			one->n_reasons = 1;
			rejected[r->n_rejected++] = one;
		}
		if (seq <= *durable)
			continue;
		*durable = seq;
		if (bad) {
			d->refused++;
			continue;
		}
		assert_true(d->text_count < DOOR_TEXTS);
		d->texts[d->text_count++] = strdup(it->text);
	}
	r->rejected = rejected;
}

static inline void door_on_message(void *arg, struct hy_bytes from, struct hy_bytes message)
{
	struct test_door *d = arg;
	Huiyin__Submit *s;
	Huiyin__Receipt r = HUIYIN__RECEIPT__INIT;
	struct hy_fault f;
	hy_arena_reset(d->arena);
	if (d->mute)
		return;
	if (d->garbage) {
		hy_socket_send(d->socket, from, HY_LIT("\xff\xff\xff garbage"));
		return;
	}
	int err = hy_wire_unpack(d->arena, &huiyin__submit__descriptor, message, &s, &f);
	if (err != HY_OK) {
		r.fault = (char *)"invalid";
		r.detail = f.text;
		door_reply(d, from, &r);
		return;
	}
	*(s->n_items ? &d->submits : &d->asks) += 1;
	if (s->n_items && d->drop > 0) {
		d->drop--;
		return;
	}
	pthread_mutex_lock(&d->lock);
	uint64_t *durable = door_name(d, s->client_id);
	if (d->forget > 0) {
		d->forget--;
		*durable = 0;
	}
	const char *fault = d->fault;
	if (fault) {
		r.fault = (char *)(uintptr_t)fault;
		r.detail = (char *)"because the test says so";
		r.retry_ms = 50;
	} else if (s->n_items && s->first_seq > *durable + 1) {
		r.fault = (char *)"gap";
		d->gaps++;
	} else {
		door_keep(d, s, durable, &r);
	}
	r.client_id = s->client_id;
	r.durable_seq = *durable + d->lie;
	r.credit = d->credit;
	pthread_mutex_unlock(&d->lock);
	door_reply(d, from, &r);
}

static inline void *door_thread(void *arg)
{
	struct test_door *d = arg;
	while (!d->stop)
		hy_loop_turn(d->loop, 50);
	return NULL;
}

/* Opens the door at d->endpoint; what it has stays from the last time. */
static inline void door_start(struct test_door *d)
{
	struct hy_fault f;
	d->stop = false;
	assert_int_equal(hy_loop_open(&d->loop), HY_OK);
	const struct hy_socket_options o = { .kind = HY_DOOR, .endpoint = d->endpoint, .window = 64 };
	if (hy_socket_open(&d->socket, &o, &f) != HY_OK)
		fail_msg("%s", f.text);
	assert_int_equal(hy_loop_watch_socket(d->loop, d->socket, door_on_message, d), HY_OK);
	assert_int_equal(pthread_create(&d->thread, NULL, door_thread, d), 0);
}

static inline void door_stop(struct test_door *d)
{
	if (!d->loop)
		return;
	d->stop = true;
	hy_loop_wake(d->loop);
	pthread_join(d->thread, NULL);
	hy_socket_close(&d->socket);
	hy_loop_close(&d->loop);
}

static inline struct test_door *door_new(const char *dir)
{
	struct test_door *d = calloc(1, sizeof(*d));
	assert_non_null(d);
	snprintf(d->endpoint, sizeof(d->endpoint), "ipc://%s/door.sock", dir);
	d->credit = 4000;
	d->arena = hy_arena_new((size_t)64 << 20);
	pthread_mutex_init(&d->lock, NULL);
	return d;
}

static inline void door_free(struct test_door *d)
{
	door_stop(d);
	for (size_t i = 0; i < d->text_count; i++)
		free(d->texts[i]);
	hy_arena_free(&d->arena);
	pthread_mutex_destroy(&d->lock);
	free(d);
}

static inline size_t door_has(struct test_door *d)
{
	pthread_mutex_lock(&d->lock);
	size_t n = d->text_count;
	pthread_mutex_unlock(&d->lock);
	return n;
}

/* How often it has this text. */
static inline size_t door_count(struct test_door *d, const char *text)
{
	size_t n = 0;
	pthread_mutex_lock(&d->lock);
	for (size_t i = 0; i < d->text_count; i++)
		n += strcmp(d->texts[i], text) == 0;
	pthread_mutex_unlock(&d->lock);
	return n;
}

#endif
