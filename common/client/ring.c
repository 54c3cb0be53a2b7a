#include "client/ring.h"

#include <stdlib.h>

int ring_open(struct ring *r, size_t room, uint64_t last_n)
{
	*r = (struct ring){ .room = room & ~(size_t)7, .last_n = last_n };
	r->data = malloc(r->room);
	if (!r->data)
		return HY_NO_MEMORY;
	pthread_mutexattr_t adaptive; /* the lock is held for some 100 ns: better to spin than to sleep */
	pthread_mutexattr_init(&adaptive);
	pthread_mutexattr_settype(&adaptive, PTHREAD_MUTEX_ADAPTIVE_NP);
	pthread_mutex_init(&r->lock, &adaptive);
	pthread_mutexattr_destroy(&adaptive);
	return HY_OK;
}

void ring_close(struct ring *r)
{
	if (!r->data)
		return;
	free(r->data);
	pthread_mutex_destroy(&r->lock);
	*r = (struct ring){ 0 };
}

static int put(struct ring *r, const struct hy_client_feedback *f, uint32_t item_size)
{
	uint32_t size = (uint32_t)item_field_size(item_size);
	uint64_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
	uint64_t n = atomic_load_explicit(&r->last_n, memory_order_relaxed) + 1;
	size_t need = record_room(size), at = tail % r->room, left = r->room - at, filler = left < need ? left : 0;
	uint64_t used = tail - atomic_load_explicit(&r->head, memory_order_acquire);
	if (need + filler > r->room - used)
		return HY_CLIENT_FULL;
	if (filler) {
		const uint32_t pad = RECORD_PAD;
		memcpy(r->data + at, &pad, sizeof(pad));
		at = 0;
	}
	record_begin(r->data + at, size, n);
	if (!item_write(f, r->data + at + RECORD_HEAD, item_size))
		return HY_CLIENT_INVALID; /* the tail has not moved: nothing happened */
	atomic_store_explicit(&r->tail, tail + filler + need, memory_order_release);
	/* After the tail: who knows the number finds the record. */
	atomic_store_explicit(&r->last_n, n, memory_order_release);
	return HY_CLIENT_OK;
}

int ring_put(struct ring *r, const struct hy_client_feedback *f, uint32_t item_size)
{
	pthread_mutex_lock(&r->lock);
	int result = put(r, f, item_size);
	pthread_mutex_unlock(&r->lock);
	return result;
}

uint8_t *ring_next(struct ring *r, uint64_t *at)
{
	uint64_t tail = atomic_load(&r->tail);
	if (*at < tail && record_size(r->data + *at % r->room) == RECORD_PAD)
		*at += r->room - *at % r->room;
	if (*at >= tail)
		return NULL;
	uint8_t *record = r->data + *at % r->room;
	*at += record_room(record_size(record));
	return record;
}

void ring_release(struct ring *r, uint64_t to)
{
	atomic_store_explicit(&r->head, to, memory_order_release);
}

uint64_t ring_rest(struct ring *r)
{
	uint64_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
	if (tail % r->room == 0 || atomic_load_explicit(&r->head, memory_order_relaxed) != tail)
		return atomic_load_explicit(&r->head, memory_order_relaxed);
	pthread_mutex_lock(&r->lock);
	if (atomic_load(&r->tail) == tail) {
		tail += r->room - tail % r->room;
		atomic_store(&r->head, tail);
		atomic_store(&r->tail, tail);
	}
	pthread_mutex_unlock(&r->lock);
	return atomic_load_explicit(&r->head, memory_order_relaxed);
}

bool ring_empty(const struct ring *r, uint64_t at)
{
	return at >= atomic_load(&r->tail);
}

bool ring_crowded(const struct ring *r)
{
	uint64_t head = atomic_load_explicit(&r->head, memory_order_relaxed); /* first: it only follows the tail */
	return atomic_load_explicit(&r->tail, memory_order_relaxed) - head > r->room / 4;
}
