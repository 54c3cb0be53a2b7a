/* How far the queue of each client of the ZeroMQ door has been kept: rows of the table "door", read and written in the transaction that
 * keeps the items, so that each item is entered once, however often and after whatever crash it is sent. Writer thread, but for queue_load(),
 * which any thread may call in a transaction of its own. */
#ifndef COLLECTOR_QUEUES_H
#define COLLECTOR_QUEUES_H

#include "collector/accept.h"

/* A client's queue and its part of a Submit; its submission's `note`, whatever else hangs on it. */
struct queue {
	struct hy_key key; /* of its row */
	uint64_t first_seq;
	const uint64_t *checks; /* of each item as it came: the submission's */
	enum { QUEUE_GOES_ON, QUEUE_GAP, QUEUE_CONFLICT } state;
	uint64_t durable_seq, check; /* as the row has them; `check` is of the item at durable_seq */
};

struct hy_key queue_key(uint64_t scope, struct hy_bytes client_id);
uint64_t queue_check(struct hy_bytes item);

/* A submission whose note is a struct queue. */
extern const struct numbering queue_numbering;
/* Reads the row into `q`: zeros when there is none. */
int queue_load(struct hy_txn *t, struct hy_arena *a, struct queue *q);

/* The keep timer's walk: rows of clients that have sent nothing for `door.forget` go, a chunk a step. `from` is where it goes on, *next where
 * the next step does, its size 0 at the end. */
int queues_forget(struct hy_step *s, struct hy_bytes from, struct hy_key *next);

#endif
