/* The spool's directory: lock, mark, and the list of its files. Their content is segment.c's. */
#include "client/segment.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEGMENT_LEAST ((uint64_t)64 << 10)
#define SEGMENT_MOST ((uint64_t)4 << 20)
enum { SEGMENTS_A_SPOOL = 16, RECORD_LEAST = 24 };
static const off_t mark_slots[2] = { 0, 4096 }; /* pages of their own: a torn write takes one of them */

/* ---- the lock: between processes by fcntl(), which a child of fork() does not inherit; within this one by a list ---- */

struct holding {
	struct holding *next;
	dev_t device;
	ino_t inode;
};
static pthread_mutex_t holdings_lock = PTHREAD_MUTEX_INITIALIZER;
static struct holding *holdings;

static int hold(struct spool *s, const struct stat *st)
{
	struct holding *own = malloc(sizeof(*own));
	if (!own)
		return HY_NO_MEMORY;
	*own = (struct holding){ .device = st->st_dev, .inode = st->st_ino };
	pthread_mutex_lock(&holdings_lock);
	bool held = false;
	for (const struct holding *h = holdings; h; h = h->next)
		held |= h->device == own->device && h->inode == own->inode;
	if (!held) {
		own->next = holdings;
		holdings = own;
		s->holding = own;
	}
	pthread_mutex_unlock(&holdings_lock);
	if (held)
		free(own);
	return held ? HY_IN_USE : HY_OK;
}

static void let_go(struct spool *s)
{
	if (!s->holding)
		return;
	pthread_mutex_lock(&holdings_lock);
	for (struct holding **at = &holdings; *at; at = &(*at)->next)
		if (*at == s->holding) {
			*at = s->holding->next;
			break;
		}
	pthread_mutex_unlock(&holdings_lock);
	free(s->holding);
	s->holding = NULL;
}

static int take_lock_alone(struct spool *s, struct hy_fault *f)
{
	struct stat st;
	/* Asked before the file is opened: closing a second descriptor of it would give the first one's lock away. */
	if (fstatat(s->dir_fd, "lock", &st, 0) == 0) {
		int err = hold(s, &st);
		if (err != HY_OK)
			return hy_fail(f, err, "%s: another client of this process has it open", s->dir);
	}
	s->lock_fd = openat(s->dir_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (s->lock_fd < 0)
		return hy_fail(f, hy_err_from_errno(errno), "%s/lock: %s", s->dir, strerror(errno));
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	if (fcntl(s->lock_fd, F_SETLK, &whole) < 0)
		return errno == EACCES || errno == EAGAIN
			       ? hy_fail(f, HY_IN_USE, "%s: another process has it open", s->dir)
			       : hy_fail(f, hy_err_from_errno(errno), "%s/lock: %s", s->dir, strerror(errno));
	if (s->holding)
		return HY_OK;
	if (fstat(s->lock_fd, &st) < 0)
		return hy_fail(f, hy_err_from_errno(errno), "%s/lock: %s", s->dir, strerror(errno));
	int err = hold(s, &st);
	return err == HY_OK ? HY_OK : hy_fail(f, err, "%s: another client of this process has it open", s->dir);
}

static int take_lock(struct spool *s, struct hy_fault *f)
{
	static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;
	pthread_mutex_lock(&one_at_a_time);
	int err = take_lock_alone(s, f);
	pthread_mutex_unlock(&one_at_a_time);
	return err;
}

/* ---- the mark ---- */

static int open_mark(struct spool *s, struct hy_fault *f)
{
	s->mark_fd = openat(s->dir_fd, "mark", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (s->mark_fd < 0)
		return hy_fail(f, hy_err_from_errno(errno), "%s/mark: %s", s->dir, strerror(errno));
	for (int i = 0; i < 2; i++) {
		uint8_t bytes[MARK_SIZE];
		struct mark m;
		if (pread(s->mark_fd, bytes, sizeof(bytes), mark_slots[i]) != sizeof(bytes))
			continue;
		int err = mark_read(hy_bytes(bytes, sizeof(bytes)), &m);
		if (err == HY_NEWER)
			return hy_fail(
				f, err, "%s was written by a newer version of this library: use that one", s->dir);
		if (err == HY_OK && m.turn >= s->mark.turn)
			s->mark = m;
	}
	return HY_OK;
}

static int keep_mark(struct spool *s, bool sync)
{
	uint8_t bytes[MARK_SIZE];
	s->mark.turn++;
	mark_write(bytes, &s->mark);
	if (pwrite(s->mark_fd, bytes, sizeof(bytes), mark_slots[s->mark.turn % 2]) != sizeof(bytes) ||
		(sync && fdatasync(s->mark_fd) < 0))
		return hy_err_from_errno(errno);
	return HY_OK;
}

int spool_rename(struct spool *s, const struct run *run, const struct run *alias, struct hy_fault *f)
{
	const struct mark was = s->mark;
	memcpy(s->mark.run, run->id, RUN_SIZE);
	s->mark.alias = *alias;
	int err = keep_mark(s, true);
	if (err == HY_OK)
		return HY_OK;
	memcpy(s->mark.run, was.run, RUN_SIZE);
	s->mark.alias = was.alias;
	return hy_fail(f, err, "%s/mark can't be written: %s", s->dir, hy_err_text(err));
}

/* ---- the list of files ---- */

static int add_segment(struct spool *s, const struct segment *g)
{
	if (s->count == s->room) {
		size_t room = s->room ? 2 * s->room : 16;
		struct segment *grown = realloc(s->segments, room * sizeof(*grown));
		if (!grown)
			return HY_NO_MEMORY;
		s->segments = grown;
		s->room = room;
	}
	s->segments[s->count++] = *g;
	return HY_OK;
}

static void remove_segment(struct spool *s, size_t at)
{
	char name[SEGMENT_NAME];
	segment_name(s->segments[at].first_n, name);
	unlinkat(s->dir_fd, name, 0); /* when it can't be: the mark says that it is done */
	segment_forget(s, s->segments[at].first_n);
	s->bytes -= s->segments[at].end;
	memmove(s->segments + at, s->segments + at + 1, (s->count - at - 1) * sizeof(*s->segments));
	s->count--;
}

static int by_first_n(const void *a, const void *b)
{
	uint64_t x = ((const struct segment *)a)->first_n, y = ((const struct segment *)b)->first_n;
	return x < y ? -1 : x > y;
}

static int list_segments(struct spool *s, struct hy_fault *f)
{
	int fd = dup(s->dir_fd), err = HY_OK;
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	if (!d) {
		if (fd >= 0)
			close(fd);
		return hy_fail(f, hy_err_from_errno(errno), "%s: %s", s->dir, strerror(errno));
	}
	rewinddir(d);
	for (struct dirent *e; err == HY_OK && (e = readdir(d));) {
		struct segment g = { 0 };
		if (segment_number(e->d_name, &g.first_n))
			err = add_segment(s, &g);
	}
	closedir(d);
	if (s->count)
		qsort(s->segments, s->count, sizeof(*s->segments), by_first_n);
	return err == HY_OK ? HY_OK : hy_fail(f, err, "%s: no memory", s->dir);
}

/* A file without a readable head: nobody knows under which name its items went. It is kept for a person to look at. */
static void set_aside(struct spool *s, size_t at)
{
	char name[SEGMENT_NAME], aside[SEGMENT_NAME + 8];
	const struct segment *g = &s->segments[at];
	segment_name(g->first_n, name);
	snprintf(aside, sizeof(aside), "%s.damaged", name);
	bool empty = g->end == 0; /* made, and not yet written to */
	if (empty ? unlinkat(s->dir_fd, name, 0) : renameat(s->dir_fd, name, s->dir_fd, aside))
		return;
	if (!empty)
		s->set_aside += at + 1 < s->count ? s->segments[at + 1].first_n - g->first_n : 1;
}

static int open_segments(struct spool *s, struct hy_fault *f)
{
	int err = list_segments(s, f);
	for (size_t i = 0; err == HY_OK && i < s->count;) {
		err = segment_open(s, &s->segments[i]);
		if (err == HY_NEWER)
			return hy_fail(
				f, err, "%s was written by a newer version of this library: use that one", s->dir);
		if (err == HY_OK) {
			s->bytes += s->segments[i].end;
			i++;
			continue;
		}
		err = HY_OK;
		set_aside(s, i);
		memmove(s->segments + i, s->segments + i + 1, (s->count - i - 1) * sizeof(*s->segments));
		s->count--;
	}
	if (err != HY_OK)
		return err;
	s->last_n = s->mark.settled_n;
	if (s->count) {
		/* As many records as could be in the last file, readable or not: no number is given twice. */
		const struct segment *last = &s->segments[s->count - 1];
		uint64_t taken = last->first_n + last->end / RECORD_LEAST;
		s->last_n = taken > s->last_n ? taken : s->last_n;
	}
	return HY_OK;
}

/* ---- opening and closing ---- */

static int open_dir(struct spool *s, const char *dir, struct hy_fault *f)
{
	s->dir = strdup(dir);
	if (!s->dir)
		return hy_fail(f, HY_NO_MEMORY, "no memory");
	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return hy_fail(f, hy_err_from_errno(errno), "%s can't be made: %s", dir, strerror(errno));
	s->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->dir_fd < 0)
		return hy_fail(f, hy_err_from_errno(errno), "%s: %s", dir, strerror(errno));
	return HY_OK;
}

int spool_open(struct spool **out, const char *dir, uint64_t limit_bytes, struct hy_fault *f)
{
	struct spool *s = calloc(1, sizeof(*s));
	*out = NULL;
	if (!s)
		return hy_fail(f, HY_NO_MEMORY, "no memory");
	*s = (struct spool){ .dir_fd = -1, .lock_fd = -1, .mark_fd = -1, .live_fd = -1, .read_fd = -1 };
	s->limit = limit_bytes;
	s->segment_max = limit_bytes / SEGMENTS_A_SPOOL;
	s->segment_max = s->segment_max < SEGMENT_LEAST  ? SEGMENT_LEAST
			 : s->segment_max > SEGMENT_MOST ? SEGMENT_MOST
							 : s->segment_max;
	s->buffer = malloc(SEGMENT_BUFFER);
	int err = s->buffer ? open_dir(s, dir, f) : hy_fail(f, HY_NO_MEMORY, "no memory");
	if (err == HY_OK)
		err = take_lock(s, f);
	if (err == HY_OK)
		err = open_mark(s, f);
	if (err == HY_OK)
		err = open_segments(s, f);
	if (err == HY_OK && run_new(&s->run, s->last_n) != HY_OK)
		err = hy_fail(f, HY_IO, "no random numbers");
	if (err != HY_OK)
		spool_close(&s);
	*out = s;
	return err;
}

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

void spool_close(struct spool **spool)
{
	struct spool *s = *spool;
	if (!s)
		return;
	*spool = NULL;
	close_fd(s->live_fd);
	close_fd(s->read_fd);
	close_fd(s->mark_fd);
	close_fd(s->lock_fd); /* gives the lock away */
	close_fd(s->dir_fd);
	let_go(s);
	free(s->segments);
	free(s->buffer);
	free(s->dir);
	free(s);
}

uint64_t spool_last_n(const struct spool *s)
{
	return s->last_n;
}

uint64_t spool_bytes(const struct spool *s)
{
	return s->bytes;
}

uint64_t spool_set_aside(const struct spool *s)
{
	return s->set_aside;
}

const struct run *spool_run(const struct spool *s)
{
	return &s->run;
}

const struct mark *spool_mark(const struct spool *s)
{
	return &s->mark;
}

/* ---- writing ---- */

/* Nothing more goes into the file that was written last. */
static void seal_live(struct spool *s)
{
	close_fd(s->live_fd);
	s->live_fd = -1;
}

void spool_take_run(struct spool *s, const struct run *run)
{
	if (memcmp(s->run.id, run->id, RUN_SIZE) == 0)
		return;
	seal_live(s);
	s->run = *run;
}

static int disk_fault(struct spool *s, struct hy_fault *f)
{
	int why = errno;
	return hy_fail(f, hy_err_from_errno(why), "the spool %s can't be written: %s", s->dir, strerror(why));
}

static bool write_all(int fd, const uint8_t *data, size_t size, uint64_t at)
{
	while (size) {
		ssize_t n = pwrite(fd, data, size, (off_t)at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			errno = n ? errno : ENOSPC;
			return false;
		}
		data += n;
		at += (size_t)n;
		size -= (size_t)n;
	}
	return true;
}

static int begin_segment(struct spool *s, uint64_t first_n, struct hy_fault *f)
{
	char name[SEGMENT_NAME];
	uint8_t head[HEAD_SIZE];
	struct segment g = { .first_n = first_n, .run = s->run, .end = HEAD_SIZE };
	segment_name(first_n, name);
	/* A file of that name can only be one in which nothing was written for good. */
	int fd = openat(s->dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return disk_fault(s, f);
	head_write(head, &(struct head){ s->run, first_n });
	int err = HY_OK;
	if (!write_all(fd, head, sizeof(head), 0) || fsync(s->dir_fd) < 0)
		err = disk_fault(s, f);
	else if (add_segment(s, &g) != HY_OK)
		err = hy_fail(f, HY_NO_MEMORY, "the spool %s: no memory", s->dir);
	if (err != HY_OK) {
		close(fd);
		unlinkat(s->dir_fd, name, 0);
		return err;
	}
	s->live_fd = fd;
	s->bytes += HEAD_SIZE;
	return HY_OK;
}

int spool_append(struct spool *s, uint8_t *records, size_t size, struct hy_fault *f)
{
	uint64_t last_n = 0;
	for (size_t at = 0; at < size; at += record_room(record_size(records + at))) {
		record_seal(records + at, &s->run);
		last_n = record_n(records + at);
	}
	if (f)
		f->text[0] = 0;
	if (s->live_fd >= 0 && s->segments[s->count - 1].end >= s->segment_max)
		seal_live(s);
	if (s->bytes + size + (s->live_fd < 0 ? HEAD_SIZE : 0) > s->limit)
		return HY_FULL;
	int err = s->live_fd < 0 ? begin_segment(s, record_n(records), f) : HY_OK;
	if (err != HY_OK)
		return err;
	struct segment *g = &s->segments[s->count - 1];
	/* After a failed sync nobody knows what the disk has: the file is cut to what it had, and the records go to a new one. Where even the cut fails, the
	 * same numbers stand in both with the same content, and the second is passed over. */
	if (!write_all(s->live_fd, records, size, g->end) || fdatasync(s->live_fd) < 0) {
		err = disk_fault(s, f);
		if (ftruncate(s->live_fd, (off_t)g->end) < 0) {
			/* Nothing can be done about it; see above. */
		}
		seal_live(s);
		if (g->end == HEAD_SIZE)
			remove_segment(s, s->count - 1);
		return err;
	}
	g->end += size;
	s->bytes += size;
	s->last_n = last_n;
	return HY_OK;
}

/* ---- done ---- */

void spool_settle(struct spool *s, const struct place *p)
{
	while (s->count) {
		const struct segment *g = &s->segments[0];
		bool live = s->live_fd >= 0 && s->count == 1;
		if (!(g->first_n < p->segment || (g->first_n == p->segment && p->at >= g->end && !live)))
			break;
		remove_segment(s, 0);
	}
	if (p->n <= s->mark.settled_n + 1)
		return;
	s->mark.settled_n = p->n - 1;
	keep_mark(s,
		false); /* neither synced nor looked after: after a crash the collector itself says how far it has it */
}
