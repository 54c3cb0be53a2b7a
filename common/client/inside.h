/* A client's inside. Three parts, and one thread that works them:
 *     ring   memory that the app's threads put items into
 *     spool  the disk, when there is one: what comes out of the ring is synced there before it is sent
 *     door   the way to the collector: link.c over ZeroMQ, web.c over HTTP
 * queue.c stands between: it knows what is to be sent next, what is on its way, and what is settled. */
#ifndef HY_CLIENT_INSIDE_H
#define HY_CLIENT_INSIDE_H

#include "client/client.h"
#include "client/ring.h"
#include "client/spool.h"
#include "loop/loop.h"
#include "wire/wire.h"

enum {
	PARCELS_MAX = 16, /* messages on their way */
	PARCEL_ITEMS = 1000,
	PARCEL_BYTES = 256 << 10,
	ON_THE_WAY_BYTES = 2 << 20,
};

/* Items that went out in one message. */
struct parcel {
	struct place start, end;
	uint64_t first_n, last_n;
	uint32_t items, good; /* good: neither damaged nor a stand-in */
	size_t bytes;
};

/* What the collector will never take. */
struct refusal {
	uint64_t n;
	const char *pointer, *detail;
};

struct door {
	int (*open)(struct hy_client *c, struct hy_fault *f);
	void (*close)(struct hy_client *c);
	/* Sends what can be sent; ms until it wants to be asked again, -1: when something happens. */
	int64_t (*pump)(struct hy_client *c, int64_t now_ms);
};
extern const struct door door_link, door_web;

struct hy_client {
	/* Set at open, read by all. */
	char *url, *key, *ca_file, *curve_server, *curve_secret;
	int64_t close_ms;
	unsigned lives; /* see client.c: whose process this is */

	struct ring ring;

	/* Between the threads. */
	_Atomic bool stop, asleep;
	_Atomic int flushing;
	_Atomic uint64_t lost, sent, durable, rejected, damaged, waiting, renamed, spool_bytes;
	_Atomic bool connected;
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t moved;
	uint64_t settled_n, spooled_n; /* everything up to here is settled; is in the spool */
	char spool_problem[512], door_problem[512];
	hy_client_rejected *on_rejected;
	void *on_rejected_arg;

	/* The background thread's. */
	pthread_t thread;
	struct hy_loop *loop;
	const struct door *door;
	void *door_state;
	struct hy_arena *arena;
	struct spool *spool; /* NULL: memory alone */
	struct run run;      /* of the ring, where items are sent from it: without a spool, and while `direct` */
	/* While the disk can't be written to and the spool has nothing left to be sent, items are sent as if there were no spool. */
	bool direct;
	struct place spool_at;  /* `at`, meanwhile */
	uint64_t taken_at;   /* with a spool: the ring's offset up to which it has been written there */
	int64_t spool_again_ms, spool_wait_ms;
	struct place at;     /* what is to be sent next */
	struct parcel parcels[PARCELS_MAX];
	unsigned first_parcel, parcels_out;
	uint32_t items_out;
	size_t bytes_out;
	uint64_t floor_n;    /* settled_n, as this thread knows it */
	uint64_t poison_n;   /* an item that the collector can't even read: an empty one goes in its place; 0 = none */
};

/* Errors of common/ in the words of client.h. */
int client_result(int err);
void client_problem(struct hy_client *c, char (*which)[512], const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* ---- queue.c, background thread ---- */

int queue_open(struct hy_client *c, const struct hy_client_options *o, struct hy_fault *f);
void queue_close(struct hy_client *c);
bool queue_on_disk(const struct hy_client *c); /* items are sent from the spool, not from memory */
const struct run *queue_run(const struct hy_client *c); /* of what comes in now */
void queue_scan(struct hy_client *c); /* counts what a former life has left in the spool */

/* Ring to spool. Ms until it wants to go on, 0: at once, -1: when something new is there. */
int64_t queue_store(struct hy_client *c, int64_t now_ms);

/* The next item to be sent, without going on; false when there is none. */
bool queue_peek(struct hy_client *c, struct item *out);
/* Whether at least `items` are waiting to be sent. */
bool queue_has(struct hy_client *c, uint64_t items);
/* Hands the next items of one run to `put`, at most so many, and remembers them as a parcel. False: there are none, or no parcel is free. `put` returns
 * false to leave an item, and what comes after it, for the next time. */
bool queue_send(struct hy_client *c, uint32_t items, size_t bytes, bool (*put)(void *arg, const struct item *it), void *arg);
/* The last parcel did not leave after all. */
void queue_unsend(struct hy_client *c);
/* Everything that is not settled is to be sent again. */
void queue_rewind(struct hy_client *c);
/* Everything up to number n is settled. `refusals` by number; those up to what was settled before are passed over. */
void queue_settle(struct hy_client *c, uint64_t n, const struct refusal *refusals, size_t count);
/* The same for what a former life has sent: the items of `run` up to n, which are next, are not sent. */
void queue_skip(struct hy_client *c, const struct run *run, uint64_t n);
/* When nothing is left anywhere: whoever flushes is told. */
void queue_rest(struct hy_client *c);

#endif
