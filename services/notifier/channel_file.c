/* The file channel: each notice is DIR/outbox/NOTICE-ID.eml, complete or not there at all. Files are written under
 * a temporary name, made durable, renamed, and the folder made durable: one sync for the whole batch, since a flush
 * of the disk costs the same for one file as for hundreds. A repeat writes the same bytes under the same name. */
#include "notifier.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BATCH = 256, SYNC_ALL_FROM = 8 };

struct file {
	struct notifier_transfer *t;
	int fd;
};

struct folder {
	int fd;
	struct file files[BATCH];
	size_t count;
};

struct name {
	char final[HY_ID_TEXT + 8], temporary[HY_ID_TEXT + 8];
};

static struct name file_name(struct hy_id notice)
{
	struct name n;
	char id[HY_ID_TEXT];
	hy_id_text(notice, id);
	snprintf(n.final, sizeof(n.final), "%s.eml", id);
	snprintf(n.temporary, sizeof(n.temporary), ".%s.tmp", id);
	return n;
}

static int file_open(void **self, const char *dir, struct notifier *n, struct hy_fault *f)
{
	(void)n;
	char path[4096];
	if (snprintf(path, sizeof(path), "%s/outbox", dir) >= (int)sizeof(path))
		return hy_fail(f, HY_CONFIG, "%s: the path is too long", dir);
	if (mkdir(path, 0700) != 0 && errno != EEXIST)
		return hy_fail(f, hy_err_from_errno(errno), "%s: can't make the folder: %s", path, strerror(errno));
	struct folder *o = calloc(1, sizeof(*o));
	if (!o)
		return HY_NO_MEMORY;
	o->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (o->fd < 0) {
		int saved = errno;
		free(o);
		return hy_fail(f, hy_err_from_errno(saved), "%s: can't open the folder: %s", path, strerror(saved));
	}
	*self = o;
	return HY_OK;
}

static void file_close(void **self)
{
	struct folder *o = *self;
	if (!o)
		return;
	for (size_t i = 0; i < o->count; i++)
		close(o->files[i].fd);
	close(o->fd);
	free(o);
	*self = NULL;
}

/* Nothing leaves before the dot: a file that is not renamed yet was never there. */
static void file_begin(void *self, struct notifier_transfer *t)
{
	(void)self;
	t->state = TRANSFER_AT_DOT;
}

static bool write_all(int fd, struct hy_bytes v)
{
	while (v.size) {
		ssize_t n = write(fd, v.data, v.size);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		v.data += n;
		v.size -= (size_t)n;
	}
	return true;
}

static void fail(struct folder *o, struct notifier_transfer *t, const char *what, int saved)
{
	unlinkat(o->fd, file_name(t->notice).temporary, 0);
	notifier_transfer_done(t, RESULT_LATER, "%s: %s", what, strerror(saved));
}

static int64_t file_drive(void *self);

static void file_finish(void *self, struct notifier_transfer *t)
{
	struct folder *o = self;
	if (o->count == BATCH)
		file_drive(o);
	int fd = openat(
		o->fd, file_name(t->notice).temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		fail(o, t, "can't make the file", errno);
		return;
	}
	if (!write_all(fd, hy_buffer_view(&t->message))) {
		int saved = errno;
		close(fd);
		fail(o, t, "can't write the file", saved);
		return;
	}
	o->files[o->count++] = (struct file){ t, fd };
}

/* A batch is flushed as one: syncfs() waits for all files at once and reports their errors (Linux 5.8 and later).
 * For a few files fsync() is kinder to whatever else the disk is doing. */
static void sync_files(struct folder *o)
{
	bool together = o->count >= SYNC_ALL_FROM && syncfs(o->fd) == 0;
	for (size_t i = 0; i < o->count; i++) {
		struct file *file = &o->files[i];
		int saved = together || fsync(file->fd) == 0 ? 0 : errno;
		close(file->fd);
		if (saved) {
			fail(o, file->t, "can't make the file durable", saved);
			file->t = NULL;
		}
	}
}

static int64_t file_drive(void *self)
{
	struct folder *o = self;
	if (!o->count)
		return -1;
	sync_files(o);
	for (size_t i = 0; i < o->count; i++) {
		struct notifier_transfer *t = o->files[i].t;
		if (!t)
			continue;
		struct name n = file_name(t->notice);
		if (renameat(o->fd, n.temporary, o->fd, n.final) != 0) {
			fail(o, t, "can't rename the file", errno);
			o->files[i].t = NULL;
		}
	}
	int saved = fsync(o->fd) == 0 ? 0 : errno;
	for (size_t i = 0; i < o->count; i++) {
		struct notifier_transfer *t = o->files[i].t;
		if (t && saved)
			notifier_transfer_done(t, RESULT_LATER, "can't make the folder durable: %s", strerror(saved));
		else if (t)
			notifier_transfer_done(t, RESULT_SENT, "%s", "");
	}
	o->count = 0;
	return -1;
}

static void file_cancel(void *self, struct notifier_transfer *t)
{
	(void)self;
	(void)t;
}

static void file_forget(void *self, struct hy_id notice)
{
	struct folder *o = self;
	struct name n = file_name(notice);
	unlinkat(o->fd, n.final, 0);
	unlinkat(o->fd, n.temporary, 0);
}

const struct notifier_channel notifier_channel_file = {
	.name = "file",
	.repeats_harmless = true,
	.reaches_mail = true,
	.open = file_open,
	.close = file_close,
	.begin = file_begin,
	.finish = file_finish,
	.drive = file_drive,
	.cancel = file_cancel,
	.forget = file_forget,
};

const struct notifier_channel *notifier_channel_named(const char *name)
{
	static const struct notifier_channel *const all[] = { &notifier_channel_file, &notifier_channel_smtp };
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		if (strcmp(all[i]->name, name) == 0)
			return all[i];
	return NULL;
}

void notifier_transfer_done(struct notifier_transfer *t, enum notifier_result result, const char *fmt, ...)
{
	struct hy_fault f = { 0 };
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(f.text, sizeof(f.text), fmt, ap);
	va_end(ap);
	/* Other people's words: cut between characters, or the Delivery that carries them would be no UTF-8. */
	struct hy_bytes v = hy_bytes_text(f.text);
	size_t fits = 0;
	for (size_t at = 0; at < v.size;) {
		hy_utf8_next(v, &at);
		if (at >= sizeof(t->reason))
			break;
		fits = at;
	}
	snprintf(t->reason, sizeof(t->reason), "%.*s", (int)fits, f.text);
	t->result = result;
	t->state = TRANSFER_DONE;
}
