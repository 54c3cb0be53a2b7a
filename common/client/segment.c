/* Reading the spool's files, whatever has become of them. */
#include "client/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { RECORD_LEAST = 24, HOLE_MOST = 1 << 20 };

void segment_name(uint64_t first_n, char out[static SEGMENT_NAME])
{
	snprintf(out, SEGMENT_NAME, "%016" PRIx64 ".spool", first_n);
}

bool segment_number(const char *name, uint64_t *first_n)
{
	char again[SEGMENT_NAME];
	if (strlen(name) != 22 || sscanf(name, "%16" SCNx64, first_n) != 1)
		return false;
	segment_name(*first_n, again);
	return strcmp(name, again) == 0;
}

int segment_open(struct spool *s, struct segment *g)
{
	char name[SEGMENT_NAME];
	uint8_t bytes[HEAD_SIZE];
	struct head head;
	struct stat st;
	segment_name(g->first_n, name);
	g->end = 0;
	int fd = openat(s->dir_fd, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return hy_err_from_errno(errno);
	ssize_t n = pread(fd, bytes, sizeof(bytes), 0);
	g->end = fstat(fd, &st) == 0 && st.st_size > 0 ? (uint64_t)st.st_size : 0;
	close(fd);
	int err = head_read(hy_bytes(bytes, n > 0 ? (size_t)n : 0), &head);
	if (err != HY_OK)
		return err;
	g->run = head.run;
	return head.first_n == g->first_n ? HY_OK : HY_DAMAGED;
}

void segment_forget(struct spool *s, uint64_t first_n)
{
	if (s->read_fd < 0 || s->read_segment != first_n)
		return;
	close(s->read_fd);
	s->read_fd = -1;
	s->read_size = 0;
}

/* The bytes of `g` from `at` on, as many as the buffer has; read again when `fresh`. Empty when they can't be read. */
static struct hy_bytes look(struct spool *s, const struct segment *g, uint64_t at, bool fresh)
{
	if (s->read_fd < 0 || s->read_segment != g->first_n) {
		char name[SEGMENT_NAME];
		if (s->read_fd >= 0)
			close(s->read_fd);
		segment_name(g->first_n, name);
		s->read_fd = openat(s->dir_fd, name, O_RDONLY | O_CLOEXEC);
		s->read_segment = g->first_n;
		s->read_size = 0;
		if (s->read_fd < 0)
			return hy_bytes(NULL, 0);
	}
	if (fresh || at < s->read_at || at >= s->read_at + s->read_size) {
		uint64_t left = g->end - at;
		ssize_t n;
		do
			n = pread(s->read_fd, s->buffer, left < SEGMENT_BUFFER ? (size_t)left : SEGMENT_BUFFER,
				(off_t)at);
		while (n < 0 && errno == EINTR);
		s->read_at = at;
		s->read_size = n > 0 ? (size_t)n : 0;
	}
	size_t from = (size_t)(at - s->read_at);
	return from < s->read_size ? hy_bytes(s->buffer + from, s->read_size - from) : hy_bytes(NULL, 0);
}

static int read_at(struct spool *s, const struct segment *g, uint64_t at, struct record *out)
{
	int err = record_read(look(s, g, at, false), 0, &g->run, out);
	if (err == HY_NOT_FOUND)
		err = record_read(look(s, g, at, true), 0, &g->run, out);
	return err;
}

/* Behind damage at `at`: where the next good record of this file is, or its end. */
static uint64_t find(struct spool *s, const struct segment *g, uint64_t at, uint64_t first_n, uint64_t last_n)
{
	for (at++; at < g->end;) {
		struct hy_bytes seen = look(s, g, at, true);
		size_t found = record_find(seen, 0, &g->run, first_n, last_n);
		if (found < seen.size)
			return at + found;
		if (at + seen.size >= g->end || seen.size <= RECORD_PAYLOAD_MAX + RECORD_HEAD)
			break;
		at += seen.size - RECORD_PAYLOAD_MAX -
		      RECORD_HEAD; /* one may begin in this piece and end in the next */
	}
	return g->end;
}

/* The segment at or behind first_n. */
static const struct segment *segment_from(const struct spool *s, uint64_t first_n)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->segments[i].first_n >= first_n)
			return &s->segments[i];
	return NULL;
}

static const struct segment *next_of_run(const struct spool *s, const struct segment *g)
{
	const struct segment *next = g + 1 < s->segments + s->count ? g + 1 : NULL;
	return next && memcmp(next->run.id, g->run.id, RUN_SIZE) == 0 ? next : NULL;
}

/* Number p->n can't be read, the next that can is `n`. False: so many are missing that somebody has taken files away, and they are not counted one
 * by one. */
static bool hand_out_damaged(const struct segment *g, struct place *p, uint64_t n, struct item *out)
{
	if (n - p->n > HOLE_MOST) {
		p->n = n;
		return false;
	}
	*out = (struct item){ .n = p->n++, .field = ITEM_EMPTY, .run = &g->run, .damaged = true };
	return true;
}

bool spool_next(struct spool *s, struct place *p, struct item *out)
{
	for (;;) {
		const struct segment *g = segment_from(s, p->segment);
		if (!g)
			return false;
		if (p->segment != g->first_n || p->at == 0) {
			p->n = p->n > g->first_n ? p->n : g->first_n;
			p->segment = g->first_n;
			p->at = HEAD_SIZE;
		}
		const struct segment *after = next_of_run(s, g);
		if (p->at >= g->end) {
			if (after && p->n < after->first_n && hand_out_damaged(g, p, after->first_n, out))
				return true;
			if (g + 1 == s->segments + s->count)
				return false;
			p->segment = g->first_n + 1;
			p->at = 0;
			continue;
		}
		struct record r;
		uint64_t last_n = after ? after->first_n - 1 : g->first_n + g->end / RECORD_LEAST;
		if (read_at(s, g, p->at, &r) != HY_OK || r.n > last_n || r.payload.size < 2) {
			p->at = find(s, g, p->at, p->n, last_n);
		} else if (r.n < p->n) { /* was handed out already */
			p->at += r.room;
		} else if (r.n > p->n) {
			if (hand_out_damaged(g, p, r.n, out))
				return true;
		} else {
			*out = (struct item){ .n = p->n++, .field = r.payload, .run = &g->run };
			p->at += r.room;
			return true;
		}
	}
}
