/* Transactions and rows. A transaction remembers its first failure, so that nobody has to check each call. */
#include <errno.h>
#include <stdlib.h>
#include <sys/statvfs.h>

#include "base/clock.h"
#include "store/inside.h"

/* What hy_txn_begin() hands out when there is no memory for a reader. Never written to. */
static struct hy_txn no_memory = { .mode = HY_READ, .err = HY_NO_MEMORY };

int hy_store_err(int mdb_err)
{
	switch (mdb_err) {
	case MDB_SUCCESS:
		return HY_OK;
	case MDB_NOTFOUND:
		return HY_NOT_FOUND;
	case MDB_KEYEXIST:
		return HY_EXISTS;
	case MDB_MAP_FULL:
		return HY_FULL;
	case MDB_READERS_FULL:
		return HY_BUSY;
	case MDB_BAD_TXN: /* a call before this one ran out of memory */
		return HY_NO_MEMORY;
	case MDB_TXN_FULL:
	case MDB_BAD_VALSIZE:
		return HY_TOO_LARGE;
	case MDB_PAGE_NOTFOUND:
	case MDB_CORRUPTED:
	case MDB_INVALID:
	case MDB_VERSION_MISMATCH:
	case MDB_INCOMPATIBLE:
	case MDB_CURSOR_FULL:
	case MDB_PAGE_FULL:
		return HY_CORRUPT;
	case EIO: /* MDB_PANIC too: an earlier flush failed, nobody knows what the disk holds */
	case MDB_PANIC:
		return HY_IO;
	default:
		return mdb_err > 0 ? hy_err_from_errno(mdb_err) : HY_IO;
	}
}

int hy_txn_fail(struct hy_txn *t, int mdb_err)
{
	int err = hy_store_err(mdb_err);
	if (t->err == HY_OK)
		t->err = err;
	return err;
}

const struct hy_table *hy_store_table(struct hy_store *s, const char *name)
{
	size_t slot = ((uintptr_t)name ^ (uintptr_t)name >> 6) % HY_STORE_GUESSES;
	size_t guess = atomic_load_explicit(&s->guesses[slot], memory_order_relaxed);
	if (guess < s->table_count && strcmp(s->tables[guess].name, name) == 0)
		return &s->tables[guess];
	for (size_t i = 0; i < s->table_count; i++) {
		if (strcmp(s->tables[i].name, name) == 0) {
			atomic_store_explicit(&s->guesses[slot], (uint8_t)i, memory_order_relaxed);
			return &s->tables[i];
		}
	}
	hy_panic("the table %s was not declared when the store was opened", name);
}

/* ---- begin and end ---- */

static struct hy_txn *begin_write(struct hy_store *s)
{
	struct hy_txn *t = &s->writer;
	HY_ASSERT(!atomic_exchange(&s->writing, true)); /* one writer thread, one transaction at a time */
	*t = (struct hy_txn){ .store = s, .mode = HY_WRITE, .begun_ms = hy_mono_ms() };
	int rc = s->read_only ? EACCES : mdb_txn_begin(s->env, NULL, 0, &t->mdb);
	if (rc) {
		t->mdb = NULL;
		hy_txn_fail(t, rc);
	}
	return t;
}

/* Places in LMDB's reader table are few, so a process that died in one is looked for before we give up. */
static int start_reading(struct hy_store *s, struct hy_txn *t)
{
	for (int tries = 0;; tries++) {
		int rc = t->mdb ? mdb_txn_renew(t->mdb) : mdb_txn_begin(s->env, NULL, MDB_RDONLY, &t->mdb);
		if (rc != MDB_READERS_FULL || tries > 0)
			return rc;
		hy_store_sweep(s);
	}
}

static struct hy_txn *begin_read(struct hy_store *s)
{
	pthread_mutex_lock(&s->lock);
	struct hy_txn *t = s->idle;
	if (t)
		s->idle = t->next;
	pthread_mutex_unlock(&s->lock);
	if (!t && !(t = calloc(1, sizeof(*t))))
		return &no_memory;
	t->store = s;
	t->mode = HY_READ;
	t->err = HY_OK;
	t->begun_ms = hy_mono_ms();
	int rc = start_reading(s, t);
	if (rc)
		hy_txn_fail(t, rc);
	pthread_mutex_lock(&s->lock);
	t->next = s->reading;
	if (t->next)
		t->next->link = &t->next;
	t->link = &s->reading;
	s->reading = t;
	pthread_mutex_unlock(&s->lock);
	return t;
}

static void end_read(struct hy_txn *t)
{
	struct hy_store *s = t->store;
	if (!s)
		return;
	hy_txn_close_walks(t);
	pthread_mutex_lock(&s->lock);
	*t->link = t->next;
	if (t->next)
		t->next->link = t->link;
	if (t->err == HY_OK) {
		mdb_txn_reset(t->mdb);
		t->next = s->idle;
		s->idle = t;
		t = NULL;
	}
	pthread_mutex_unlock(&s->lock);
	if (!t)
		return;
	if (t->mdb) /* a reader that failed is not kept: whatever is wrong with it goes too */
		mdb_txn_abort(t->mdb);
	free(t);
}

struct hy_txn *hy_txn_begin(struct hy_store *s, enum hy_txn_mode mode)
{
	return mode == HY_WRITE ? begin_write(s) : begin_read(s);
}

/* Tests make a commit fail without a broken disk. */
static int planted_failure(struct hy_store *s)
{
	if (atomic_load(&s->fail_count) <= 0)
		return HY_OK;
	atomic_fetch_sub(&s->fail_count, 1);
	return atomic_load(&s->fail_err);
}

/* LMDB calls a write cut short by a full disk EIO. It happens before the meta page is touched, so nothing has changed; a failure
 * later than that leaves LMDB in its panic, where no transaction begins any more. */
static int full_or_broken(struct hy_store *s)
{
	MDB_txn *probe;
	mdb_filehandle_t fd;
	struct statvfs st;
	if (mdb_txn_begin(s->env, NULL, 0, &probe) != MDB_SUCCESS)
		return HY_IO;
	mdb_txn_abort(probe);
	if (mdb_env_get_fd(s->env, &fd) != MDB_SUCCESS || fstatvfs(fd, &st) < 0)
		return HY_IO;
	return (uint64_t)st.f_bavail * st.f_frsize < ((uint64_t)1 << 20) ? HY_FULL : HY_IO;
}

int hy_txn_commit(struct hy_txn **t)
{
	struct hy_txn *self = *t;
	struct hy_store *s = self->store;
	if (self->mode == HY_READ || self->err != HY_OK || (self->err = planted_failure(s)) != HY_OK) {
		int err = self->err;
		hy_txn_abort(t);
		return err;
	}
	hy_txn_close_walks(self);
	int err = hy_store_err(mdb_txn_commit(self->mdb)); /* frees it, whatever comes of it */
	self->mdb = NULL;
	if (err == HY_IO)
		err = full_or_broken(s);
	atomic_store(&s->writing, false);
	*t = NULL;
	return err;
}

void hy_txn_abort(struct hy_txn **t)
{
	struct hy_txn *self = *t;
	*t = NULL;
	if (!self)
		return;
	if (self->mode == HY_READ) {
		end_read(self);
		return;
	}
	hy_txn_close_walks(self);
	if (self->mdb)
		mdb_txn_abort(self->mdb);
	self->mdb = NULL;
	atomic_store(&self->store->writing, false);
}

int hy_txn_err(const struct hy_txn *t)
{
	return t->err;
}

/* ---- rows ---- */

int hy_txn_get(struct hy_txn *t, const char *table, struct hy_bytes key, struct hy_bytes *out)
{
	*out = (struct hy_bytes){ 0 };
	if (t->err != HY_OK)
		return t->err;
	const struct hy_table *tab = hy_store_table(t->store, table);
	if (tab->missing || key.size == 0 || key.size > HY_STORE_KEY_MAX) /* no row has such a key */
		return HY_NOT_FOUND;
	MDB_val k = hy_val(key), v;
	int rc = mdb_get(t->mdb, tab->dbi, &k, &v);
	if (rc == MDB_NOTFOUND)
		return HY_NOT_FOUND;
	if (rc)
		return hy_txn_fail(t, rc);
	*out = hy_val_view(v);
	return HY_OK;
}

/* The one way in for every row. `v` comes back pointing at the room when flags ask for it. */
static int put(struct hy_txn *t, const char *table, struct hy_bytes key, MDB_val *v, unsigned flags)
{
	if (t->err != HY_OK)
		return t->err;
	HY_ASSERT(t->mode == HY_WRITE);
	const struct hy_table *tab = hy_store_table(t->store, table);
	if (key.size == 0 || key.size > HY_STORE_KEY_MAX)
		return hy_txn_fail(t, MDB_BAD_VALSIZE);
	MDB_val k = hy_val(key);
	int rc = mdb_put(t->mdb, tab->dbi, &k, v, flags);
	if (rc == MDB_KEYEXIST && (flags & MDB_APPEND)) /* not behind the last key after all */
		rc = mdb_put(t->mdb, tab->dbi, &k, v, flags & ~(unsigned)MDB_APPEND);
	if (rc == MDB_KEYEXIST)
		return HY_EXISTS;
	return rc ? hy_txn_fail(t, rc) : HY_OK;
}

int hy_txn_put(struct hy_txn *t, const char *table, struct hy_bytes key, struct hy_bytes value)
{
	return put(t, table, key, &(MDB_val){ value.size, (void *)(uintptr_t)value.data }, 0);
}

int hy_txn_add(struct hy_txn *t, const char *table, struct hy_bytes key, struct hy_bytes value)
{
	return put(t, table, key, &(MDB_val){ value.size, (void *)(uintptr_t)value.data }, MDB_NOOVERWRITE);
}

int hy_txn_append(struct hy_txn *t, const char *table, struct hy_bytes key, struct hy_bytes value)
{
	return put(t, table, key, &(MDB_val){ value.size, (void *)(uintptr_t)value.data }, MDB_APPEND);
}

void *hy_txn_reserve(struct hy_txn *t, const char *table, struct hy_bytes key, size_t size, bool append)
{
	MDB_val v = { size, NULL };
	int err = put(t, table, key, &v, MDB_RESERVE | (append ? MDB_APPEND : 0));
	return err == HY_OK ? v.mv_data : NULL;
}

int hy_txn_del(struct hy_txn *t, const char *table, struct hy_bytes key)
{
	if (t->err != HY_OK)
		return t->err;
	HY_ASSERT(t->mode == HY_WRITE);
	const struct hy_table *tab = hy_store_table(t->store, table);
	if (key.size == 0 || key.size > HY_STORE_KEY_MAX)
		return HY_NOT_FOUND;
	MDB_val k = hy_val(key);
	int rc = mdb_del(t->mdb, tab->dbi, &k, NULL);
	if (rc == MDB_NOTFOUND)
		return HY_NOT_FOUND;
	return rc ? hy_txn_fail(t, rc) : HY_OK;
}

/* A row of 8 bytes, big-endian. Any other size is not a number, and nobody but a damaged disk made it so. */
static int number_get(struct hy_txn *t, const char *table, struct hy_bytes key, int64_t *out)
{
	struct hy_bytes v;
	*out = 0;
	int err = hy_txn_get(t, table, key, &v);
	if (err != HY_OK)
		return err;
	if (v.size != 8)
		return hy_txn_fail(t, MDB_CORRUPTED);
	*out = (int64_t)hy_be_get64(v.data);
	return HY_OK;
}

int hy_txn_count(struct hy_txn *t, const char *table, struct hy_bytes key, int64_t delta, int64_t *out)
{
	int64_t n;
	int err = number_get(t, table, key, &n);
	if (out)
		*out = n;
	if (err != HY_OK && err != HY_NOT_FOUND)
		return err;
	n = (int64_t)((uint64_t)n + (uint64_t)delta);
	uint8_t *room = hy_txn_reserve(t, table, key, 8, false);
	if (!room)
		return hy_txn_err(t);
	hy_be_put64(room, (uint64_t)n);
	if (out)
		*out = n;
	return HY_OK;
}

int64_t hy_txn_number(struct hy_txn *t, const char *table, struct hy_bytes key)
{
	int64_t n;
	number_get(t, table, key, &n);
	return n;
}

uint64_t hy_store_rows(struct hy_txn *t, const char *table)
{
	MDB_stat st;
	if (t->err != HY_OK)
		return 0;
	const struct hy_table *tab = hy_store_table(t->store, table);
	if (tab->missing)
		return 0;
	int rc = mdb_stat(t->mdb, tab->dbi, &st);
	if (rc) {
		hy_txn_fail(t, rc);
		return 0;
	}
	return st.ms_entries;
}
