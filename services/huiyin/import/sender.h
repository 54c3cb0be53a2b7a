/* Batches of items on their way to the collector, several at once over kept connections, as NDJSON. What is refused for now is sent again after the pause
 * that was asked for, what can never be accepted is told item by item, and batches come back in the order in which they were given. */
#ifndef HUIYIN_SENDER_H
#define HUIYIN_SENDER_H

#include "json/json.h"
#include "huiyin/post.h"
#include "source.h"

#define SENDER_ITEMS 1000
#define SENDER_BYTES ((size_t)512 << 10)
#define SENDER_CONNECTIONS 4
#define SENDER_WINDOW 8 /* batches given: as many again wait behind those on their way, so that an answer never finds the collector idle */

/* An item, and where it comes from. */
struct sender_item {
	uint64_t line;          /* of the file */
	size_t at, size;        /* its JSON in batch.body, with the line feed */
	size_t raw_at, raw_size; /* what stood in the file, in batch.raw */
	char *why;              /* it was, or is, rejected: the reason; NULL = not */
	bool local;             /* rejected before it was sent */
};

struct batch {
	struct hy_buffer body, raw;
	struct sender_item *items;
	size_t count, room;
	size_t to_send; /* of them */
	struct source_place after; /* where the file goes on behind it */
	uint64_t rows, accepted, duplicates;
	/* the sender's */
	struct sender *sender;
	struct hy_http_call *call;
	uint32_t *todo; /* items still to be sent */
	size_t todo_count, chunk, asked; /* how many go at once; how many went */
	int64_t again_ms;
	bool done;
};

/* Memory that is used again; NULL without memory. */
struct batch *batch_new(void);
void batch_clear(struct batch *b);
void batch_free(struct batch **b);
/* Adds an item whose JSON has been put behind body (from `body_at` on). HY_NO_MEMORY. */
int batch_add(struct batch *b, uint64_t line, size_t body_at, struct hy_bytes raw);
/* Adds a line that is rejected here and now. */
int batch_reject(struct batch *b, uint64_t line, struct hy_bytes raw, const char *why);
bool batch_full(const struct batch *b);

struct sender;
/* HY_UNREACHABLE: nobody is there. The caller closes *out, also after an error. */
int sender_open(struct sender **out, const struct post_door *door, struct hy_fault *f);
void sender_close(struct sender **s);
bool sender_room(const struct sender *s); /* one more may be given */
/* The batch is the sender's until it is taken. */
void sender_give(struct sender *s, struct batch *b);
/* Waits for something to happen, at most `max_ms`. HY_FORBIDDEN, HY_UNREACHABLE, HY_TIMEOUT ...: there is no going on; what was not taken may or may not
 * have been kept, and may be sent again in another run. */
int sender_turn(struct sender *s, int64_t max_ms, struct hy_fault *f);
/* The oldest batch, once all of it is answered; NULL when it is not. It is the caller's again. */
struct batch *sender_take(struct sender *s);
bool sender_idle(const struct sender *s); /* none is on its way */
bool sender_waits(const struct sender *s); /* for a pause to end, or for somebody to listen again */
/* "/rating/score: must be a number; ..." of the collector's errors; a pointer into an array loses the item's place there. The caller frees. */
char *sender_reason(const struct hy_json *errors);

#endif
