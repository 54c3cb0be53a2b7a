#include "source.h"

#include "encoding.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#define CHUNK ((size_t)128 << 10)

struct source {
	const char *path;
	gzFile in;
	int64_t size;
	const char *encoding;
	struct encoding *convert; /* NULL: it is UTF-8 */
	struct hy_buffer sample; /* raw, until it has been taken in */
	struct hy_buffer text; /* of what has been read, from `at` on still to be given out */
	size_t at;
	int64_t base; /* where text.data[0] stands in the file's text */
	uint64_t lines; /* given out whole */
	char end;
	bool dry; /* no more to read */
};

/* ---- reading ---- */

/* Bytes from the file; 0 at its end. */
static size_t read_raw(struct source *s, void *to, size_t room)
{
	int n = gzread(s->in, to, (unsigned)room);
	return n > 0 ? (size_t)n : 0;
}

static void take(struct source *s, struct hy_bytes raw, bool last)
{
	if (s->convert)
		encoding_convert(s->convert, raw, last, &s->text);
	else
		hy_buffer_bytes(&s->text, raw);
}

/* More text behind what is there; false when there is none. */
static bool read_more(struct source *s)
{
	if (s->dry || s->text.err)
		return false;
	if (s->at)
		memmove(s->text.data, s->text.data + s->at, s->text.size - s->at);
	s->text.size -= s->at;
	s->base += (int64_t)s->at;
	s->at = 0;
	size_t before = s->text.size;
	while (s->text.size == before && !s->dry) {
		uint8_t *room = s->convert ? NULL : hy_buffer_room(&s->text, CHUNK), raw[16384];
		size_t n = read_raw(s, room ? room : raw, room ? CHUNK : sizeof(raw));
		s->dry = n == 0;
		if (room)
			s->text.size += n;
		else
			take(s, hy_bytes(raw, n), s->dry);
	}
	return s->text.size > before;
}

bool source_next(struct source *s, struct source_line *out)
{
	size_t looked = 0;
	if (!s->text.data && !read_more(s))
		return false;
	for (;;) {
		const uint8_t *from = s->text.data + s->at;
		size_t left = s->text.size - s->at;
		const uint8_t *end = left > looked ? memchr(from + looked, s->end, left - looked) : NULL;
		looked = left;
		size_t size = end ? (size_t)(end - from) : left;
		bool ends = end != NULL && size <= SOURCE_LINE_MAX;
		if (size > SOURCE_LINE_MAX) {
			size = SOURCE_LINE_MAX;
		} else if (!end) {
			if (read_more(s))
				continue;
			ends = true;
			if (left == 0 || source_broken(s))
				return false;
			from = s->text.data + s->at; /* it may have moved */
		}
		*out = (struct source_line){ hy_bytes(from, size), s->lines + 1, ends };
		s->at += size + (end && ends);
		s->lines += ends;
		if (ends && s->end == '\n' && size && from[size - 1] == '\r')
			out->text.size--;
		return true;
	}
}

bool source_broken(struct source *s)
{
	int bad = Z_OK;
	gzerror(s->in, &bad);
	return s->text.err || (bad != Z_OK && bad != Z_STREAM_END);
}

int source_check(struct source *s, struct hy_fault *f)
{
	int bad = Z_OK;
	const char *words = gzerror(s->in, &bad);
	if (s->text.err)
		return hy_fail(f, s->text.err, "%s: no memory", s->path);
	if (!source_broken(s))
		return HY_OK;
	return hy_fail(f, HY_BAD_INPUT, "%s, behind line %llu: %s", s->path, (unsigned long long)s->lines,
		bad == Z_ERRNO ? strerror(errno) : words);
}

struct source_place source_place(const struct source *s)
{
	return (struct source_place){ s->base + (int64_t)s->at, s->lines };
}

int source_seek(struct source *s, struct source_place to, struct hy_fault *f)
{
	int64_t here = s->base + (int64_t)s->at, ahead = s->base + (int64_t)s->text.size;
	if (!s->convert && to.at > ahead) {
		if (gzseek(s->in, (z_off_t)to.at, SEEK_SET) < 0)
			return hy_fail(f, HY_IO, "%s: can't go on at byte %lld", s->path, (long long)to.at);
		s->base = to.at;
		s->at = s->text.size = 0;
		here = to.at;
	}
	while (here < to.at) {
		int64_t left = (int64_t)(s->text.size - s->at), step = to.at - here < left ? to.at - here : left;
		s->at += (size_t)step;
		here += step;
		if (here < to.at && !read_more(s))
			return hy_fail(f, HY_BAD_INPUT, "%s is shorter than it was", s->path);
	}
	s->lines = to.lines;
	return here == to.at ? HY_OK : hy_fail(f, HY_BAD_STATE, "%s: can't go back", s->path);
}

/* ---- opening ---- */

static int open_file(struct source *s, struct hy_fault *f)
{
	struct stat st;
	int fd = strcmp(s->path, "-") == 0 ? dup(0) : open(s->path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return hy_fail(f, HY_NOT_FOUND, "%s: can't read it: %s", s->path, strerror(errno));
	if (fstat(fd, &st) != 0 || S_ISDIR(st.st_mode)) {
		close(fd);
		return hy_fail(f, HY_NOT_FOUND, "%s: can't read it: is it a directory?", s->path);
	}
	s->size = S_ISREG(st.st_mode) ? st.st_size : 0;
	s->in = gzdopen(fd, "rb"); /* reads what is not compressed as it is */
	if (!s->in) {
		close(fd);
		return hy_fail(f, HY_NO_MEMORY, "%s: no memory", s->path);
	}
	gzbuffer(s->in, 1 << 17);
	return HY_OK;
}

/* Looks at the beginning, which then is the first of the text. */
static int look(struct source *s, const char *encoding, struct hy_fault *f)
{
	uint8_t *room = hy_buffer_room(&s->sample, ENCODING_SAMPLE);
	size_t n = 0;
	struct hy_fault why = { 0 };
	int err = HY_OK;
	while (room && s->sample.size < ENCODING_SAMPLE &&
		(n = read_raw(s, room + s->sample.size, ENCODING_SAMPLE - s->sample.size)) > 0)
		s->sample.size += n;
	struct hy_bytes sample = hy_buffer_view(&s->sample);
	s->encoding = encoding;
	if (!encoding)
		err = encoding_detect(sample, n == 0, &s->encoding, &why);
	if (err)
		return hy_fail(f, err, "%s: %s", s->path, why.text);
	if (!encoding_is_utf8(s->encoding))
		err = encoding_open(&s->convert, s->encoding, f);
	if (err)
		return err;
	take(s, sample, false);
	hy_buffer_free(&s->sample);
	if (hy_bytes_starts(hy_buffer_view(&s->text), HY_LIT("\xef\xbb\xbf")))
		s->at = 3;
	bool lf = s->text.size && memchr(s->text.data, '\n', s->text.size),
	     cr = s->text.size && memchr(s->text.data, '\r', s->text.size);
	s->end = cr && !lf ? '\r' : '\n';
	return s->text.err;
}

int source_open(struct source **out, const char *path, const char *encoding, struct hy_fault *f)
{
	struct source *s = *out = calloc(1, sizeof(*s));
	if (!s)
		return hy_fail(f, HY_NO_MEMORY, "no memory");
	s->path = path;
	int err = open_file(s, f);
	return err ? err : look(s, encoding, f);
}

void source_close(struct source **s)
{
	if (!*s)
		return;
	if ((*s)->in)
		gzclose((*s)->in);
	encoding_close(&(*s)->convert);
	hy_buffer_free(&(*s)->sample);
	hy_buffer_free(&(*s)->text);
	free(*s);
	*s = NULL;
}

const char *source_encoding(const struct source *s)
{
	return s->encoding;
}

struct hy_bytes source_beginning(const struct source *s)
{
	size_t size = s->text.size - s->at;
	if (size == 0)
		return hy_bytes("", 0);
	return hy_bytes(s->text.data + s->at, size < ENCODING_SAMPLE ? size : ENCODING_SAMPLE);
}

int64_t source_size(const struct source *s)
{
	return s->size;
}

int64_t source_offset(const struct source *s)
{
	return gzoffset(s->in);
}
