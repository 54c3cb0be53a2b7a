/* The readers of a service's streams, as its server knows them: where each stands, and what the store has kept of it.
 * Private to common/stream. The server thread changes the table, the writer thread reads it, keeps it and forgets from
 * it: everything in `row` and `used` is behind the lock, the rest is the server thread's own. */
#ifndef HY_STREAM_READERS_H
#define HY_STREAM_READERS_H

#include <pthread.h>

#include "stream/link.h"

#define HY_READERS_MAX 256

struct hy_served {
	bool used;
	struct hy_reader row;
	bool stored, verified; /* a row was written; it was seen in a later transaction, so its own was committed */
	int64_t stored_seen_ms;

	struct hy_stream *stream; /* NULL until its Hello of this life */
	uint8_t id[255]; /* routing id of its connection */
	size_t id_size;
	uint64_t after, sent; /* as its last Pull said; the last sequence sent */
	struct {
		uint64_t last;
		size_t bytes;
	} out[HY_STREAM_WINDOW]; /* batches sent and not yet pulled past, oldest first */
	int outs;
	size_t credit;
	bool pulled; /* since the last frame to it: it waits for an answer */
	int64_t spoke_ms; /* when we sent it something last */
	uint64_t damaged_at; /* the bad block that was logged */
};

struct hy_readers {
	pthread_mutex_t lock;
	size_t top; /* all used ones stand before it */
	struct hy_served all[HY_READERS_MAX];
};

int hy_readers_load(struct hy_readers *r, struct hy_store *db);
/* Server thread. NULL when there is none, or no room. */
struct hy_served *hy_readers_find(struct hy_readers *r, const char *peer, const char *stream);
struct hy_served *hy_readers_by_id(struct hy_readers *r, struct hy_bytes id, const char *stream);
struct hy_served *hy_readers_add(struct hy_readers *r, const char *peer, const char *stream);
void hy_readers_greet(struct hy_readers *r, struct hy_served *one, const struct hy_hello *h, uint64_t from);
void hy_readers_heard(struct hy_readers *r, struct hy_served *one, uint64_t committed);

size_t hy_readers_list(struct hy_readers *r, struct hy_reader *out, size_t room);
int hy_readers_keep(struct hy_readers *r, struct hy_txn *t, bool *changed);
int hy_readers_forget(struct hy_readers *r, struct hy_txn *t, const char *peer, const char *stream);
uint64_t hy_readers_floor(struct hy_readers *r, const char *stream, const char *const *ring, bool count_outside);

#endif
