/* Copies of a store: for a backup, and without its free pages, which is the only way to make the file smaller and to be rid
 * of the bytes that erased rows leave behind in pages not used again yet. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/inside.h"

static int sync_file(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC);
	int err = fd < 0 || fsync(fd) < 0 ? errno : 0;
	if (fd >= 0)
		close(fd);
	return err;
}

int hy_store_sync_dir(const char *dir)
{
	return sync_file(dir, O_RDONLY | O_DIRECTORY);
}

int hy_store_copy(struct hy_store *s, const char *to, bool compact, struct hy_fault *f)
{
	char file[4096];
	struct stat st;
	int err = hy_store_make_dir(to, f);
	if (err != HY_OK)
		return err;
	snprintf(file, sizeof(file), "%s/data.mdb", to);
	if (stat(file, &st) == 0)
		return hy_fail(f, HY_EXISTS, "there is a store in %s already", to);
	err = mdb_env_copy2(s->env, to, compact ? MDB_CP_COMPACT : 0);
	if (!err)
		err = sync_file(file, O_RDONLY);
	if (!err)
		err = hy_store_sync_dir(to);
	if (!err)
		return HY_OK;
	unlink(file); /* half a copy looks like a whole one */
	return hy_fail(f, hy_store_err(err), "can't copy the store to %s: %s", to, mdb_strerror(err));
}

static void part_names(const char *dir, char part[static 4096], char from[static 4200])
{
	snprintf(part, 4096, "%s/compact", dir);
	snprintf(from, 4200, "%s/data.mdb", part);
}

int hy_store_compact_begin(struct hy_store *s, const char *dir, struct hy_fault *f)
{
	char part[4096], from[4200];
	part_names(dir, part, from);
	unlink(from); /* of an attempt that was cut short */
	int err = hy_store_copy(s, part, true, f);
	if (err != HY_OK)
		rmdir(part);
	return err;
}

/* LMDB holds a lock on its own file for as long as a process has the store open. Ours is closed by now. */
static bool someone_looks(const char *path)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return false;
	bool held = fcntl(fd, F_GETLK, &lock) < 0 || lock.l_type != F_UNLCK;
	close(fd);
	return held;
}

/* The old file stays until the new one is whole and on the disk; a rename then puts it in its place in one step. LMDB's lock file tells
 * of transactions of the old one, so it goes too and is made anew. */
int hy_store_compact_end(const char *dir, struct hy_fault *f)
{
	char part[4096], from[4200], to[4200], lock[4200];
	int err = HY_OK;
	part_names(dir, part, from);
	snprintf(to, sizeof(to), "%s/data.mdb", dir);
	snprintf(lock, sizeof(lock), "%s/lock.mdb", dir);
	if (someone_looks(lock))
		err = hy_fail(f, HY_BUSY, "another process has the store %s open for reading", dir);
	else if (rename(from, to) < 0)
		err = hy_fail(f, hy_err_from_errno(errno), "can't put %s in its place: %s", from, strerror(errno));
	else
		unlink(lock);
	unlink(from);
	rmdir(part);
	int rc = hy_store_sync_dir(dir);
	if (err == HY_OK && rc != 0)
		err = hy_fail(f, hy_err_from_errno(rc), "can't sync %s: %s", dir, strerror(rc));
	return err;
}
