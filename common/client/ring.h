/* The memory that apps write into: records one after the other, in a circle. Any thread puts, under a lock that is held for the copying alone; one
 * thread, the background's, looks and lets go, without the lock. */
#ifndef HY_CLIENT_RING_H
#define HY_CLIENT_RING_H

#include "client/item.h"
#include "client/record.h"

#include <pthread.h>
#include <stdatomic.h>

struct ring {
	uint8_t *data;
	size_t room;
	pthread_mutex_t lock;
	_Atomic uint64_t head, tail; /* offsets that only rise; head: where what is still needed begins, tail: where the next one goes */
	_Atomic uint64_t last_n;     /* of the last record put */
};

int ring_open(struct ring *r, size_t room, uint64_t last_n); /* HY_NO_MEMORY */
void ring_close(struct ring *r);

bool ring_crowded(const struct ring *r); /* a quarter of it is taken; any thread */
/* HY_CLIENT_OK, HY_CLIENT_FULL, HY_CLIENT_INVALID (item_write()). */
int ring_put(struct ring *r, const struct hy_client_feedback *f, uint32_t item_size);

/* Background thread. The record at offset *at, which moves behind it; NULL when there is none. It stays where it is until it is released. */
uint8_t *ring_next(struct ring *r, uint64_t *at);
bool ring_empty(const struct ring *r, uint64_t at);
void ring_release(struct ring *r, uint64_t to); /* everything before offset `to` may be written over */
/* When nothing is in it: begins at the memory's start again, so that an app that says little touches few pages. Where the head is now. */
uint64_t ring_rest(struct ring *r);

#endif
