/* What the files of common/store share. Nobody else includes this, and nobody else sees lmdb.h. */
#ifndef HY_STORE_INSIDE_H
#define HY_STORE_INSIDE_H

#include <lmdb.h>
#include <pthread.h>
#include <stdatomic.h>

#include "store/store.h"

#define HY_STORE_READERS 256
#define HY_STORE_META "meta" /* our own table: "maker", "version" */
#define HY_STORE_GUESSES 64

struct hy_table {
	char name[32];
	MDB_dbi dbi;
	bool missing; /* opened read-only, and the writer has not made it yet: reads as empty */
};

struct hy_txn {
	struct hy_store *store; /* NULL only in the one that stands for "no memory" */
	MDB_txn *mdb;
	enum hy_txn_mode mode;
	int err;
	int64_t begun_ms; /* monotonic */
	struct hy_walk *walks; /* cursors still open, closed with the transaction */
	struct hy_txn *next, **link; /* in store->idle or store->reading */
};

/* A cursor's hidden half. */
struct hy_walk {
	MDB_cursor *mdb;
	struct hy_walk *next, **link; /* in txn->walks */
};

struct hy_store {
	MDB_env *env;
	int lock_fd; /* -1 when read-only */
	bool read_only, fresh; /* fresh: it had no tables when we opened it */
	uint32_t page_bytes;
	struct hy_table tables[HY_STORE_TABLES_MAX + 1];
	size_t table_count;
	/* Which table a name's address meant last time: a hint, checked against the name. */
	_Atomic uint8_t guesses[HY_STORE_GUESSES];

	struct hy_txn writer;
	atomic_bool writing;

	pthread_mutex_t lock; /* over the two lists and what follows */
	struct hy_txn *idle; /* ended readers, kept with their place in LMDB's reader table */
	struct hy_txn *reading;
	size_t held_txn; /* the oldest snapshot that someone holds, while newer ones exist ... */
	int64_t held_ms; /* ... and since when we see it */

	_Atomic uint64_t quota;
	_Atomic int fail_err, fail_count;
};

int hy_store_err(int mdb_err); /* LMDB's code, or an errno, as ours */
/* The table called `name`; panics when it was not declared at open. */
const struct hy_table *hy_store_table(struct hy_store *s, const char *name);
int hy_store_make_dir(const char *dir, struct hy_fault *f); /* with its parents, mode 0700 */
int hy_store_sync_dir(const char *dir); /* an errno, or 0 */
/* Makes a copy without free pages beside the open store's file; then, with the store closed, puts it in that file's place. HY_BUSY
 * when another process still looks at the old one: it would meet pages that are not what its lock file says. */
int hy_store_compact_begin(struct hy_store *s, const char *dir, struct hy_fault *f);
int hy_store_compact_end(const char *dir, struct hy_fault *f);
/* Remembers the first failure and hands on `mdb_err` as ours. */
int hy_txn_fail(struct hy_txn *t, int mdb_err);
void hy_txn_close_walks(struct hy_txn *t);

static inline MDB_val hy_val(struct hy_bytes b)
{
	return (MDB_val){ b.size, (void *)(uintptr_t)b.data };
}
static inline struct hy_bytes hy_val_view(MDB_val v)
{
	return (struct hy_bytes){ v.mv_data, v.mv_size };
}

#endif
