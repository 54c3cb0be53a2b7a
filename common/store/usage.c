/* How full a store is, and who holds its pages. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "store/inside.h"

void hy_store_quota(struct hy_store *s, uint64_t quota_bytes)
{
	atomic_store(&s->quota, quota_bytes ? quota_bytes : (uint64_t)8 << 30);
}

void hy_store_fail_commits(struct hy_store *s, int err, int count)
{
	atomic_store(&s->fail_err, err);
	atomic_store(&s->fail_count, count);
}

int hy_store_sweep(struct hy_store *s)
{
	int dead = 0;
	int rc = mdb_reader_check(s->env, &dead);
	return rc ? hy_store_err(rc) : dead;
}

/* LMDB tells its reader table as text only: a line "pid thread txn" each, the txn "-" for an idle place. */
static int oldest_line(const char *line, void *arg)
{
	size_t *oldest = arg, txn;
	int pid;
	char thread[32];
	if (sscanf(line, "%d %31s %zu", &pid, thread, &txn) == 3 && txn < *oldest)
		*oldest = txn;
	return 0;
}

/* Adds up the pages that may be used again: those freed by transactions that every reader has seen, the newest one too, or a store that
 * rests after it was emptied would stay full. A row of the free list is keyed by the transaction and begins with how many
 * pages follow. */
static int free_pages(MDB_txn *txn, size_t oldest, uint64_t *pages)
{
	MDB_cursor *c;
	MDB_val k, v;
	*pages = 0;
	int rc = mdb_cursor_open(txn, 0, &c);
	if (rc)
		return rc;
	while ((rc = mdb_cursor_get(c, &k, &v, MDB_NEXT)) == MDB_SUCCESS) {
		size_t freed_by, count;
		if (k.mv_size != sizeof(freed_by) || v.mv_size < sizeof(count)) {
			rc = MDB_CORRUPTED;
			break;
		}
		memcpy(&freed_by, k.mv_data, sizeof(freed_by));
		memcpy(&count, v.mv_data, sizeof(count));
		if (freed_by <= oldest)
			*pages += count;
	}
	mdb_cursor_close(c);
	return rc == MDB_NOTFOUND ? MDB_SUCCESS : rc;
}

static int largest_table(struct hy_store *s, MDB_txn *txn, struct hy_store_usage *out)
{
	for (size_t i = 0; i < s->table_count; i++) {
		MDB_stat st;
		if (s->tables[i].missing)
			continue;
		int rc = mdb_stat(txn, s->tables[i].dbi, &st);
		if (rc)
			return rc;
		uint64_t bytes =
			(uint64_t)(st.ms_branch_pages + st.ms_leaf_pages + st.ms_overflow_pages) * s->page_bytes;
		if (bytes >= out->largest_bytes) {
			out->largest_bytes = bytes;
			snprintf(out->largest, sizeof(out->largest), "%s", s->tables[i].name);
		}
	}
	return MDB_SUCCESS;
}

/* Our own readers carry their start; one in another process is dated from when we first saw its snapshot grow old. */
static double reader_age_s(struct hy_store *s, const struct hy_txn *self, size_t oldest, size_t newest)
{
	int64_t now = hy_mono_ms(), age = 0;
	pthread_mutex_lock(&s->lock);
	for (const struct hy_txn *t = s->reading; t; t = t->next)
		if (t != self && now - t->begun_ms > age)
			age = now - t->begun_ms;
	if (oldest >= newest)
		s->held_txn = 0;
	else if (s->held_txn != oldest) {
		s->held_txn = oldest;
		s->held_ms = now;
	} else if (now - s->held_ms > age)
		age = now - s->held_ms;
	pthread_mutex_unlock(&s->lock);
	return (double)age / 1000;
}

int hy_store_usage(struct hy_store *s, struct hy_store_usage *out)
{
	MDB_envinfo info;
	mdb_filehandle_t fd;
	struct stat st;
	uint64_t unused = 0;
	*out = (struct hy_store_usage){ .quota_bytes = atomic_load(&s->quota) };
	struct hy_txn *t = hy_txn_begin(s, HY_READ);
	if (t->err == HY_OK) {
		size_t oldest = SIZE_MAX;
		int rc = mdb_env_info(s->env, &info);
		if (!rc)
			rc = mdb_env_get_fd(s->env, &fd);
		if (!rc && fstat(fd, &st) < 0)
			rc = errno;
		if (!rc && mdb_reader_list(s->env, oldest_line, &oldest) < 0)
			rc = EIO;
		if (!rc)
			rc = free_pages(t->mdb, oldest, &unused);
		if (!rc)
			rc = largest_table(s, t->mdb, out);
		if (rc)
			hy_txn_fail(t, rc);
		else {
			uint64_t used = (uint64_t)info.me_last_pgno + 1;
			out->file_bytes = (uint64_t)st.st_size;
			out->live_bytes = (used - (unused < used ? unused : used)) * s->page_bytes;
			out->share = (double)out->live_bytes / (double)out->quota_bytes;
			out->oldest_reader_s = reader_age_s(s, t, oldest, info.me_last_txnid);
		}
	}
	return hy_txn_commit(&t);
}
