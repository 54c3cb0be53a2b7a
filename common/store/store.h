/* A store is one LMDB environment: what one daemon knows, on disk. Transactions are all or nothing and durable when
 * hy_txn_commit() returns HY_OK. One writer thread; any number of short readers beside it.
 * LMDB runs in its default mode, every commit synced, and there is no option that weakens it (reliability.md rule 1).
 *
 * Calls on a transaction remember the first failure, so a chain of them is checked once, at commit:
 *     struct hy_txn *t = hy_txn_begin(db, HY_WRITE);
 *     hy_txn_put(t, "ticket", ticket_key, ticket_row);
 *     hy_txn_put(t, "due", due_key, ticket_key);
 *     return hy_txn_commit(&t);
 * Views handed out by get and cursors live until the next write or the end of the transaction. */
#ifndef HY_STORE_H
#define HY_STORE_H

#include "base/bytes.h"
#include "base/err.h"

struct hy_store;
struct hy_txn;

#define HY_STORE_TABLES_MAX 48
#define HY_STORE_KEY_MAX 256    /* bytes of a key */
#define HY_STORE_MAP_BYTES ((size_t)64 << 30) /* address space, not disk */

struct hy_store_options {
	const char *const *tables;  /* NULL-terminated, all that will be used; made when missing */
	const char *maker;          /* "collector": who may open it again; written at the first open */
	uint32_t version;           /* of the rows; an older one is upgraded by `upgrade`, a newer one refused with HY_NEWER */
	int (*upgrade)(struct hy_txn *t, uint32_t from, struct hy_fault *f); /* NULL when there is nothing older */
	uint64_t quota_bytes;       /* 0 = 8 GiB */
	bool read_only;             /* for tools: opens beside a running daemon, no lock on the directory */
	bool compact;               /* `huiyin compact`: leave the free pages behind now. Happens by itself when the file is
	                             * bigger than 4 times what lives in it */
};

/* Opens `dir` (made with mode 0700 when missing; the first open grows the file to 64 MiB with real writes, so that a full
 * disk shows now). HY_IN_USE when another process writes here, HY_NEWER, HY_CORRUPT, HY_FULL, HY_IO; `f` has the words.
 * The caller owns *out: hy_store_close(). Never fork() with a store open. */
int hy_store_open(struct hy_store **out, const char *dir, const struct hy_store_options *o, struct hy_fault *f);
void hy_store_close(struct hy_store **s);

enum hy_txn_mode { HY_READ, HY_WRITE };

/* Never NULL: a failure is remembered and comes back from each call and from commit. Keep readers short (<= 100 ms):
 * the pages they hold can't be used again. */
struct hy_txn *hy_txn_begin(struct hy_store *s, enum hy_txn_mode mode);
int hy_txn_commit(struct hy_txn **t); /* also ends a reader. HY_FULL: nothing changed. HY_IO: unknown; the caller stops */
void hy_txn_abort(struct hy_txn **t); /* NULL is fine */
int hy_txn_err(const struct hy_txn *t); /* the first failure so far, or HY_OK; HY_NOT_FOUND and HY_EXISTS are answers, not failures */

int hy_txn_get(struct hy_txn *t, const char *table, struct hy_bytes key, struct hy_bytes *out); /* HY_NOT_FOUND */
int hy_txn_put(struct hy_txn *t, const char *table, struct hy_bytes key, struct hy_bytes value);
int hy_txn_add(struct hy_txn *t, const char *table, struct hy_bytes key, struct hy_bytes value); /* HY_EXISTS keeps the old */
/* `key` sorts behind every key of the table: cheaper, and fills pages. Falls back to put when it does not. */
int hy_txn_append(struct hy_txn *t, const char *table, struct hy_bytes key, struct hy_bytes value);
/* Room for a value of `size` bytes, to be filled before the next call on `t`; NULL on failure. Appends when `append`. */
void *hy_txn_reserve(struct hy_txn *t, const char *table, struct hy_bytes key, size_t size, bool append);
int hy_txn_del(struct hy_txn *t, const char *table, struct hy_bytes key); /* HY_NOT_FOUND when it was not there */

/* Numbers as rows: adds `delta` to the 8-byte counter and hands back the new value (out may be NULL). */
int hy_txn_count(struct hy_txn *t, const char *table, struct hy_bytes key, int64_t delta, int64_t *out);
int64_t hy_txn_number(struct hy_txn *t, const char *table, struct hy_bytes key); /* 0 when absent */

/* A walk in key order:
 *     for (struct hy_cursor c = hy_cursor_open(t, "link", prefix); hy_cursor_on(&c); hy_cursor_next(&c)) ... c.key, c.value
 * visits the keys that begin with `prefix` (size 0: all). hy_cursor_seek() goes to the first key >= `from` within it.
 * Deleting the row under the cursor is allowed through hy_cursor_del(), which leaves it before the next row: a
 * hy_cursor_next() follows as usual. Other writes to the table end the walk's guarantees: seek again.
 * hy_cursor_close() is needed when the loop is left early; running off the end closes by itself. */
struct hy_cursor {
	struct hy_bytes key, value;
	struct hy_txn *txn;
	void *handle;
	struct hy_key prefix;
	bool on;
};
struct hy_cursor hy_cursor_open(struct hy_txn *t, const char *table, struct hy_bytes prefix);
struct hy_cursor hy_cursor_last(struct hy_txn *t, const char *table, struct hy_bytes prefix); /* on the last key of the prefix; goes backwards with hy_cursor_prev() */
bool hy_cursor_on(const struct hy_cursor *c);
void hy_cursor_next(struct hy_cursor *c);
void hy_cursor_prev(struct hy_cursor *c);
void hy_cursor_seek(struct hy_cursor *c, struct hy_bytes from);
int hy_cursor_del(struct hy_cursor *c);
void hy_cursor_close(struct hy_cursor *c);

/* How full, by live pages (pages in use less pages free for use again) against the quota. Costs a walk of the free list:
 * once a second, not once a record. */
struct hy_store_usage {
	uint64_t live_bytes, file_bytes, quota_bytes;
	double share;              /* live / quota */
	char largest[32];          /* table with the most pages */
	uint64_t largest_bytes;
	double oldest_reader_s;    /* a reader older than 5 s is a bug of ours: it holds pages */
};
int hy_store_usage(struct hy_store *s, struct hy_store_usage *out);
void hy_store_quota(struct hy_store *s, uint64_t quota_bytes); /* a reload changed it */
uint64_t hy_store_rows(struct hy_txn *t, const char *table);
/* Frees the places of readers whose process died; returns how many, or a negative code. At start, every 10 s, and before
 * a HY_FULL is believed. */
int hy_store_sweep(struct hy_store *s);

/* Copies the store into the directory `to`, made when missing, while its daemon goes on: a backup. `compact` leaves out the free
 * pages. On the disk when it returns; HY_EXISTS when there is a store in `to`. It is a reader for its whole run and holds
 * pages meanwhile: begin it below half of the quota. A restored copy needs hy_stream_renew() for each of its streams. */
int hy_store_copy(struct hy_store *s, const char *to, bool compact, struct hy_fault *f);

/* Tests only: the next commits fail with `err` (HY_FULL, HY_IO), `count` times. */
void hy_store_fail_commits(struct hy_store *s, int err, int count);

#endif
