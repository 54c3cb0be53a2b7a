/* A stream is an append-only log in one service's store. append() is durable once the transaction commits; read() returns
 * records in order, the same bytes as appended; trim() keeps what a declared reader still needs. One writer, the service that
 * owns the store. Readers elsewhere use follow(), which speaks Hello, Pull and Batch (proto/link.proto).
 *
 * The log's value is a block: up to 128 records or 64 KiB in the encoding of Batch, under its first sequence number, with
 * a checksummed head, a 4-byte check for each record, and the chain h(n) = XXH3_64(h(n-1) || check(n)) before its first
 * record. A record whose bytes fail their check is served as a `damaged` marker, a block whose head fails stops the stream.
 * A reader computes the same chain and keeps it beside its mark: two numbers that must be equal at every hop.
 *
 * Threads: append, trim and follow belong to the store's writer thread; hy_serve belongs to the server thread; the
 * head and the readers' marks are handed between them inside. */
#ifndef HY_STREAM_H
#define HY_STREAM_H

#include "base/id.h"
#include "loop/loop.h"
#include "store/store.h"
#include "wire/wire.h"

#define HY_BLOCK_RECORDS 128
#define HY_BLOCK_BYTES ((size_t)64 << 10)
#define HY_BATCH_BYTES ((size_t)512 << 10)
#define HY_STREAM_WINDOW 3 /* batches on their way to one reader */

/* ---- the log -------------------------------------------------------------------------------------------------- */

/* Tables a store must declare for its streams: "log.NAME" for each, and "stream" (heads, readers' marks, marks here). */
#define HY_STREAM_TABLES "stream"

struct hy_stream;

/* Opens the log `name` in `db`, with a new random log_id when it has none. HY_CORRUPT when its last block is unreadable. */
int hy_stream_open(struct hy_stream **out, struct hy_store *db, const char *name);
void hy_stream_close(struct hy_stream **s);

/* Adds one record (<= HY_WIRE_ENVELOPE_MAX) to the block being filled; it gets the next sequence number, returned in *seq (may be NULL).
 * Blocks are written to `t` when they are full and by hy_stream_seal(), which must come before the commit. After the commit call
 * hy_stream_settled(true), after an abort hy_stream_settled(false), which takes the numbers back. `at_ms` dates the block for trim. */
int hy_stream_append(struct hy_stream *s, struct hy_txn *t, struct hy_bytes record, int64_t at_ms, uint64_t *seq);
int hy_stream_seal(struct hy_stream *s, struct hy_txn *t);
void hy_stream_settled(struct hy_stream *s, bool committed);

struct hy_log_id {
	uint8_t b[16];
};
struct hy_stream_state {
	struct hy_log_id log_id;
	uint64_t head;    /* last committed sequence; 0 = empty */
	uint64_t oldest;  /* first sequence still there; head + 1 when none is */
	uint64_t chain;   /* h(head) */
	int64_t oldest_ms; /* date of the oldest block; 0 when empty */
};
struct hy_stream_state hy_stream_state(const struct hy_stream *s); /* committed state; from any thread */
const char *hy_stream_name(const struct hy_stream *s);

/* One record out of a log, here or from a Batch. */
struct hy_record {
	uint64_t seq;
	uint32_t check;
	int err;              /* HY_OK, HY_DAMAGED or HY_ERASED: then `bytes` is empty */
	struct hy_bytes bytes;
};

/* Calls `each` for the records after `after`, in order, until it returns other than HY_OK, which is handed on (HY_DONE fate
 * included), or the head is reached (HY_OK). HY_DAMAGED when a block's head fails its checksum: *at_seq says where. For tools, tail, tests; the
 * server uses its own copy path. Views live within the call. */
int hy_stream_read(struct hy_stream *s, struct hy_txn *t, uint64_t after, int (*each)(const struct hy_record *r, void *arg), void *arg, uint64_t *at_seq);
/* h(seq) of a record still in the log (or of oldest - 1): what a reader's mark must carry. HY_NOT_FOUND when trimmed or ahead. */
int hy_stream_chain(struct hy_stream *s, struct hy_txn *t, uint64_t seq, uint64_t *chain);

/* Removes whole blocks from the front: all whose records every reader has committed (`keep_after` = smallest committed mark of
 * those that must not be dropped) and that are older than `before_ms`; at most `blocks` of them. Returns through *removed how many. */
int hy_stream_trim(struct hy_stream *s, struct hy_txn *t, uint64_t keep_after, int64_t before_ms, size_t blocks, size_t *removed);

/* Replaces one record by an `erased` marker of the same sequence and check. */
int hy_stream_erase(struct hy_stream *s, struct hy_txn *t, uint64_t seq);
/* A restored store begins a new log: same records, new log_id. */
int hy_stream_renew(struct hy_stream *s, struct hy_txn *t);

/* What `huiyin fsck` found in a log. All but the first three numbers are 0 in a sound one. */
struct hy_log_report {
	uint64_t blocks, records, erased;
	uint64_t damaged;      /* records that fail their check; they are served as markers */
	uint64_t bad_blocks;   /* blocks whose head fails: reading stops there */
	uint64_t missing;      /* records whose block is gone: reading stops there */
	uint64_t broken_chain; /* blocks whose chain does not follow from the one before */
	uint64_t mended;       /* with repair: bad blocks made good again, nothing lost */
	uint64_t lost;         /* with repair: records given up, `damaged` markers from now on */
	uint64_t at_seq;       /* where the first of all this is */
};

/* Looks at every block of the log `name`, also of one that hy_stream_open() refuses. With `repair`, in a write transaction and
 * with no stream of that name open, a bad head is made again: from its own bytes less one flipped bit, or from the records behind
 * it, when the chain on both sides proves the result. What can't be proved becomes `damaged` markers, and reading goes on behind them.
 * HY_OK whatever was found; HY_CORRUPT when the log's row is gone, so that nobody knows where it ends. */
int hy_stream_check(struct hy_txn *t, const char *name, bool repair, struct hy_log_report *out);

/* ---- serving: the writer's side of the link ---------------------------------------------------------------------------- */

struct hy_serve;
struct hy_serve_options {
	struct hy_store *db;
	struct hy_stream *const *streams; /* NULL-terminated */
	const char *endpoint;
	struct hy_loop *loop;             /* the server thread's */
	/* Whether the outside reader `peer` with that key may follow that stream; NULL: outside readers are forbidden. Server thread. */
	bool (*allowed)(void *arg, const char *key, const char *peer, const char *stream);
	void *arg;
};
/* Binds the door and answers Hellos and Pulls from short read transactions. Stations of the ring are heard on ipc:// alone, where
 * the file's mode tells who they are; on other addresses a reader is an outside one, with a key. Waiting Pulls are answered when hy_serve_wake() is
 * called after a commit (from the writer thread), and with an empty Batch once a second. */
int hy_serve_open(struct hy_serve **out, const struct hy_serve_options *o, struct hy_fault *f);
void hy_serve_close(struct hy_serve **s);
void hy_serve_wake(struct hy_serve *s);
uint64_t hy_serve_dropped(const struct hy_serve *s); /* frames that were malformed, stale or from strangers; any thread */

/* Readers and where they stand. `committed` is what the reader said; what this store has kept of it is written by
 * hy_serve_keep() in the writer's transaction, and trimming counts only what is kept. */
struct hy_reader {
	char peer[32], stream[32];
	bool outside, linked;     /* linked: heard of within 4.5 s */
	uint64_t epoch, committed, kept;
	int64_t heard_ms;         /* monotonic; 0 = not in this life */
	int64_t seen_ms;          /* wall clock, of earlier lives too (kept to the hour) */
};
size_t hy_serve_readers(struct hy_serve *s, struct hy_reader *out, size_t room); /* any thread */
int hy_serve_keep(struct hy_serve *s, struct hy_txn *t, bool *changed);         /* writer thread, inside its transaction */
int hy_serve_forget(struct hy_serve *s, struct hy_txn *t, const char *peer, const char *stream); /* an outside reader over max_lag */
/* Smallest kept mark among ring readers (those in `ring`, NULL-terminated peers; one that never came counts as 0) and the
 * outside readers known: the `keep_after` for trim. UINT64_MAX when nobody is counted. */
uint64_t hy_serve_floor(struct hy_serve *s, const char *stream, const char *const *ring, bool count_outside);

/* ---- following: the reader's side of the link -------------------------------------------------------------------------- */

struct hy_follow;
struct hy_follow_options {
	struct hy_store *db;      /* where the mark lives */
	const char *peer;         /* who we are */
	const char *stream;
	const char *endpoint;
	uint64_t epoch;           /* this start's, committed already */
	struct hy_loop *loop;     /* the writer thread's: it wakes when a Batch arrives */
	const char *key;          /* outside readers; NULL within the ring */
	const char *from;         /* "oldest" or "now", when there is no mark yet */
};

struct hy_mark {
	struct hy_log_id log_id;
	uint64_t seq, chain;
};

int hy_follow_open(struct hy_follow **out, const struct hy_follow_options *o, struct hy_fault *f);
void hy_follow_close(struct hy_follow **f);

/* Whether we ask for more. Paused, the window runs out and the other side waits; marks are still told. */
void hy_follow_pause(struct hy_follow *f, bool paused);

/* The next received record that has not been taken, without waiting: true and *out (a view until hy_follow_done()), or false. */
bool hy_follow_take(struct hy_follow *f, struct hy_record *out);
/* Records waiting, and the bytes of them. */
size_t hy_follow_waiting(const struct hy_follow *f, size_t *bytes);
/* Writes the mark of everything taken, within the step's transaction: the commit is the acknowledgement. */
int hy_follow_mark(struct hy_follow *f, struct hy_txn *t);
/* The step ended. committed: what was taken is done, its memory goes, the writer is told. Otherwise the same records are taken again. */
void hy_follow_done(struct hy_follow *f, bool committed);

enum hy_link_state { HY_LINK_DOWN, HY_LINK_UP, HY_LINK_REFUSED };
struct hy_follow_state {
	enum hy_link_state link;
	struct hy_mark mark;      /* committed */
	uint64_t head;            /* the writer's, as last heard */
	int64_t heard_ms;         /* monotonic; 0 = never */
	uint64_t dropped;         /* frames that were malformed, stale, doubled or came after a gap */
	char trouble[200];        /* why refused or down, and the remedy */
};
struct hy_follow_state hy_follow_state(const struct hy_follow *f);
/* The mark kept in a store, for tools and audits. HY_NOT_FOUND when it never read. */
int hy_follow_kept(struct hy_txn *t, const char *stream, struct hy_mark *out);

/* Tests of the link put a lossy road between the two ends: called for every frame about to leave; false drops it. */
void hy_link_tamper(bool (*road)(void *arg, bool from_writer, struct hy_bytes frame), void *arg);

#endif
