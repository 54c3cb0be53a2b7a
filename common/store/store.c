/* Opening and closing an environment: whose it is, which version wrote it, and that there is room for it. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log/log.h"
#include "store/inside.h"

#define FIRST_BYTES ((uint64_t)64 << 20)

/* ---- the directory ---- */

/* What is wrong with a path is for the operator to put right, unless the disk itself says no. */
static int path_err(int errno_value)
{
	int err = hy_err_from_errno(errno_value);
	return hy_err_fate(err) == HY_REJECT ? HY_CONFIG : err;
}

int hy_store_make_dir(const char *dir, struct hy_fault *f)
{
	char path[4096];
	if ((size_t)snprintf(path, sizeof(path), "%s", dir) >= sizeof(path))
		return hy_fail(f, HY_CONFIG, "the path of the store is too long: %s", dir);
	for (char *p = path + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		mkdir(path, 0700); /* when it fails the last one fails too, and has the words */
		*p = '/';
	}
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return hy_fail(f, path_err(errno), "can't make the directory %s: %s", dir, strerror(errno));
	return HY_OK;
}

/* LMDB lets several processes write in turns. Ours must not: a daemon's state is its own while it runs. The lock goes with the process,
 * however it ends; the number inside is for the message. */
static int lock_dir(struct hy_store *s, const char *dir, struct hy_fault *f)
{
	char path[4096], who[16] = "";
	snprintf(path, sizeof(path), "%s/lock", dir);
	s->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (s->lock_fd < 0)
		return hy_fail(f, path_err(errno), "can't open %s: %s", path, strerror(errno));
	if (flock(s->lock_fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK)
			return hy_fail(f, HY_IO, "can't lock %s: %s", path, strerror(errno));
		ssize_t n = pread(s->lock_fd, who, sizeof(who) - 1, 0);
		who[n > 0 ? strcspn(who, "\n") : 0] = '\0';
		return hy_fail(f, HY_IN_USE, "the store %s is in use by process %s: stop it first", dir,
			who[0] ? who : "(unknown)");
	}
	int n = snprintf(who, sizeof(who), "%ld\n", (long)getpid());
	if (ftruncate(s->lock_fd, 0) < 0 || pwrite(s->lock_fd, who, (size_t)n, 0) != n)
		return hy_fail(f, hy_err_from_errno(errno), "can't write %s: %s", path, strerror(errno));
	return HY_OK;
}

/* ---- the file ---- */

/* How big the file is from the start. A small quota asks for less. */
static off_t first_bytes(struct hy_store *s)
{
	uint64_t want = atomic_load(&s->quota) / 128;
	return (off_t)(want < FIRST_BYTES ? want : FIRST_BYTES);
}

/* Writes the file's first pages for real, so that a disk without room shows at the first start and not in the first busy hour. */
static int grow(struct hy_store *s, const char *dir, struct hy_fault *f)
{
	static const uint8_t zeros[1 << 16];
	mdb_filehandle_t fd;
	struct stat st;
	off_t want = first_bytes(s);
	int err = mdb_env_get_fd(s->env, &fd);
	if (!err && fstat(fd, &st) < 0)
		err = errno;
	for (off_t at = err ? want : st.st_size; at < want && !err;) {
		size_t n = want - at < (off_t)sizeof(zeros) ? (size_t)(want - at) : sizeof(zeros);
		ssize_t done = pwrite(fd, zeros, n, at);
		if (done > 0)
			at += done;
		else if (done == 0 || errno != EINTR)
			err = done == 0 ? ENOSPC : errno;
	}
	if (!err && fsync(fd) < 0)
		err = errno;
	if (!err)
		err = hy_store_sync_dir(dir);
	return err ? hy_fail(f, hy_store_err(err), "no room for the store %s: %s", dir, mdb_strerror(err)) : HY_OK;
}

/* A file shorter than its own page count would kill us by SIGBUS at some later read. */
static int check_length(struct hy_store *s, const char *dir, struct hy_fault *f)
{
	MDB_envinfo info;
	MDB_stat db;
	mdb_filehandle_t fd;
	struct stat st;
	int err = mdb_env_info(s->env, &info);
	if (!err)
		err = mdb_env_stat(s->env, &db);
	if (!err)
		err = mdb_env_get_fd(s->env, &fd);
	if (!err && fstat(fd, &st) < 0)
		err = errno;
	if (err)
		return hy_fail(f, hy_store_err(err), "can't look at %s/data.mdb: %s", dir, mdb_strerror(err));
	s->page_bytes = db.ms_psize;
	s->fresh = db.ms_entries == 0;
	uint64_t want = ((uint64_t)info.me_last_pgno + 1) * s->page_bytes;
	if (info.me_last_txnid > 0 && (uint64_t)st.st_size < want)
		return hy_fail(f, HY_CORRUPT,
			"%s/data.mdb is cut short: %lld of %llu bytes are there. Restore the backup", dir,
			(long long)st.st_size, (unsigned long long)want);
	return HY_OK;
}

static int open_env(struct hy_store *s, const char *dir, struct hy_fault *f)
{
	int rc = mdb_env_create(&s->env);
	if (!rc)
		rc = mdb_env_set_maxreaders(s->env, HY_STORE_READERS);
	if (!rc)
		rc = mdb_env_set_maxdbs(s->env, HY_STORE_TABLES_MAX + 1);
	if (!rc)
		rc = mdb_env_set_mapsize(s->env, HY_STORE_MAP_BYTES);
	if (!rc)
		rc = mdb_env_open(s->env, dir, MDB_NOTLS | (s->read_only ? MDB_RDONLY : 0), 0600);
	if (rc == ENOENT && s->read_only)
		return hy_fail(f, HY_NOT_FOUND, "there is no store in %s", dir);
	if (rc)
		return hy_fail(f, hy_store_err(rc), "can't open the store %s: %s", dir, mdb_strerror(rc));
	return check_length(s, dir, f);
}

/* ---- the tables and the version ---- */

static int open_table(struct hy_store *s, struct hy_txn *t, const char *name)
{
	struct hy_table *tab = &s->tables[s->table_count];
	HY_ASSERT(s->table_count < HY_STORE_TABLES_MAX + 1);
	HY_ASSERT(strlen(name) < sizeof(tab->name));
	strcpy(tab->name, name);
	int rc = mdb_dbi_open(t->mdb, name, s->read_only ? 0 : MDB_CREATE, &tab->dbi);
	if (rc == MDB_NOTFOUND)
		tab->missing = true;
	else if (rc)
		return hy_txn_fail(t, rc);
	s->table_count++;
	return HY_OK;
}

static int check_maker(struct hy_txn *t, const char *dir, const struct hy_store_options *o, struct hy_fault *f)
{
	struct hy_bytes maker;
	int err = hy_txn_get(t, HY_STORE_META, HY_LIT("maker"), &maker);
	if (err == HY_NOT_FOUND && t->store->fresh && t->mode == HY_WRITE) {
		hy_txn_put(t, HY_STORE_META, HY_LIT("maker"), hy_bytes_text(o->maker));
		return hy_txn_count(t, HY_STORE_META, HY_LIT("version"), o->version, NULL);
	}
	if (err != HY_OK)
		return hy_fail(f, err == HY_NOT_FOUND ? HY_CORRUPT : err, "the store %s does not say who made it", dir);
	if (o->maker && !hy_bytes_equal(maker, hy_bytes_text(o->maker)))
		return hy_fail(f, HY_CONFIG, "the store %s belongs to %.*s, not to %s", dir, (int)maker.size,
			(const char *)maker.data, o->maker);
	return HY_OK;
}

static int check_version(struct hy_txn *t, const char *dir, const struct hy_store_options *o, struct hy_fault *f)
{
	uint64_t is = (uint64_t)hy_txn_number(t, HY_STORE_META, HY_LIT("version"));
	if (hy_txn_err(t) != HY_OK || is == o->version)
		return hy_txn_err(t);
	if (is > o->version)
		return hy_fail(f, HY_NEWER,
			"the store %s has version %llu, this program knows %u: install the newer program, or restore "
			"the backup",
			dir, (unsigned long long)is, o->version);
	if (t->mode == HY_READ)
		return hy_fail(f, HY_BAD_STATE, "the store %s has the older version %llu: start its daemon once", dir,
			(unsigned long long)is);
	if (!o->upgrade)
		return hy_fail(f, HY_CONFIG, "the store %s has version %llu, and no way leads from there to %u", dir,
			(unsigned long long)is, o->version);
	int err = o->upgrade(t, (uint32_t)is, f);
	if (err != HY_OK)
		return err;
	return hy_txn_count(t, HY_STORE_META, HY_LIT("version"), (int64_t)o->version - (int64_t)is, NULL);
}

/* In a transaction of its own making: table handles opened by a reader last only if it is committed for good, which pooled
 * readers never are. */
static int open_tables(struct hy_store *s, const char *dir, const struct hy_store_options *o, struct hy_fault *f)
{
	struct hy_txn t = { .store = s, .mode = s->read_only ? HY_READ : HY_WRITE };
	if (f)
		f->err = HY_OK; /* tells below whether the words are there */
	int rc = mdb_txn_begin(s->env, NULL, s->read_only ? MDB_RDONLY : 0, &t.mdb);
	int err = rc ? hy_store_err(rc) : open_table(s, &t, HY_STORE_META);
	for (size_t i = 0; err == HY_OK && o->tables && o->tables[i]; i++) {
		HY_ASSERT(strcmp(o->tables[i], HY_STORE_META) != 0); /* that one is ours */
		err = open_table(s, &t, o->tables[i]);
	}
	if (err == HY_OK)
		err = check_maker(&t, dir, o, f);
	if (err == HY_OK)
		err = check_version(&t, dir, o, f);
	if (err == HY_OK)
		err = t.err;
	hy_txn_close_walks(&t);
	if (err == HY_OK)
		err = hy_store_err(mdb_txn_commit(t.mdb));
	else if (t.mdb)
		mdb_txn_abort(t.mdb);
	if (err != HY_OK && f && f->err == HY_OK)
		hy_fail(f, err, "can't set up the store %s: %s", dir, hy_err_text(err));
	return err;
}

/* ---- open and close ---- */

static int open_db(struct hy_store *s, const char *dir, const struct hy_store_options *o, struct hy_fault *f)
{
	int err = open_env(s, dir, f);
	if (err == HY_OK)
		err = open_tables(s, dir, o, f);
	if (err == HY_OK && !s->read_only)
		err = grow(s, dir, f);
	if (err == HY_OK && !s->read_only) {
		int swept = hy_store_sweep(s);
		if (swept < 0)
			err = hy_fail(f, swept, "can't check the readers of the store %s", dir);
	}
	return err;
}

static void close_db(struct hy_store *s)
{
	HY_ASSERT(!s->reading && !atomic_load(&s->writing)); /* someone still works with it */
	while (s->idle) {
		struct hy_txn *t = s->idle;
		s->idle = t->next;
		mdb_txn_abort(t->mdb);
		free(t);
	}
	if (s->env)
		mdb_env_close(s->env);
	s->env = NULL;
	memset(s->tables, 0, sizeof(s->tables));
	s->table_count = 0;
}

/* A file that is mostly free pages keeps what was erased, and room that others could use. */
static bool mostly_free(struct hy_store *s)
{
	struct hy_store_usage u;
	return hy_store_usage(s, &u) == HY_OK && u.file_bytes > 4 * u.live_bytes &&
	       u.file_bytes > 4 * (uint64_t)first_bytes(s);
}

/* Starting goes on with the old file when the new one can't be made, unless it was asked for. */
static int compact(struct hy_store *s, const char *dir, const struct hy_store_options *o, struct hy_fault *f)
{
	struct hy_fault why = { 0 };
	int err = hy_store_compact_begin(s, dir, &why);
	if (err == HY_OK) {
		close_db(s);
		err = hy_store_compact_end(dir, &why);
		int again = open_db(s, dir, o, f);
		if (again != HY_OK)
			return again;
	}
	if (err != HY_OK && o->compact)
		return hy_fail(f, err, "%s", why.text);
	if (err != HY_OK)
		hy_warn("store.not_compacted", "dir=%s why=\"%s\"", dir, why.text);
	return HY_OK;
}

int hy_store_open(struct hy_store **out, const char *dir, const struct hy_store_options *o, struct hy_fault *f)
{
	HY_ASSERT(o->read_only || o->maker);
	*out = NULL;
	struct hy_store *s = calloc(1, sizeof(*s));
	if (!s)
		return hy_fail(f, HY_NO_MEMORY, "no memory for the store %s", dir);
	s->lock_fd = -1;
	s->read_only = o->read_only;
	pthread_mutex_init(&s->lock, NULL);
	hy_store_quota(s, o->quota_bytes);
	int err = HY_OK;
	if (!s->read_only)
		err = hy_store_make_dir(dir, f);
	if (err == HY_OK && !s->read_only)
		err = lock_dir(s, dir, f);
	if (err == HY_OK)
		err = open_db(s, dir, o, f);
	if (err == HY_OK && !s->read_only && (o->compact || mostly_free(s)))
		err = compact(s, dir, o, f);
	if (err != HY_OK)
		hy_store_close(&s);
	*out = s;
	return err;
}

void hy_store_close(struct hy_store **s)
{
	struct hy_store *self = *s;
	*s = NULL;
	if (!self)
		return;
	close_db(self);
	if (self->lock_fd >= 0)
		close(self->lock_fd);
	pthread_mutex_destroy(&self->lock);
	free(self);
}
