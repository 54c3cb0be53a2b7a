#include "progress.h"

#include "base/clock.h"
#include "base/text.h"
#include "huiyin/files.h"
#include "huiyin/huiyin.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sodium.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define SAVE_MS 1000

/* ---- FILE.import ---- */

/* The same name and the same first line are not the same file: shops export "reviews.csv" every week. What was read must still be there. */
static void check_of(const struct progress *p, int64_t at, char out[static 33])
{
	uint8_t hash[16];
	int64_t read = at - p->begun_at;
	size_t size = read < 0 ? 0 : read < (int64_t)p->beginning.size ? (size_t)read : p->beginning.size;
	crypto_generichash(hash, sizeof(hash), p->beginning.data, size, NULL, 0);
	hy_hex(hash, sizeof(hash), out);
}

static int rejects_fault(const struct progress *p, struct hy_fault *f)
{
	return hy_fail(f, hy_err_from_errno(errno), "%s: %s", p->rejects_path, strerror(errno));
}

int progress_save(struct progress *p, struct hy_fault *f)
{
	char identity[33], check[33];
	const struct progress_counts *d = &p->done;
	if (!p->state_path[0])
		return HY_OK;
	/* First: what FILE.import counts as rejected must not be gone after a power cut. */
	if (p->rejects && fdatasync(fileno(p->rejects)) != 0)
		return rejects_fault(p, f);
	hy_hex(p->identity, 16, identity);
	check_of(p, d->place.at, check);
	json_t *j = json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "file", identity, "check", check, "at",
		(json_int_t)d->place.at, "lines", (json_int_t)d->place.lines, "rows", (json_int_t)d->rows, "accepted",
		(json_int_t)d->accepted, "duplicates", (json_int_t)d->duplicates, "rejected", (json_int_t)d->rejected,
		"rejects_bytes", (json_int_t)d->rejects_bytes);
	char *text = json_dumps(j, JSON_COMPACT);
	json_decref(j);
	int err = text ? file_write(p->state_path, hy_bytes_text(text), 0600, f) : HY_NO_MEMORY;
	free(text);
	p->saved_ms = hy_mono_ms();
	return err;
}

bool progress_resume(struct progress *p, bool *other)
{
	struct hy_buffer text = { 0 };
	char identity[33], check[33];
	*other = false;
	if (!p->state_path[0] || file_read(p->state_path, 65536, &text, NULL) != HY_OK) {
		hy_buffer_free(&text);
		return false;
	}
	json_t *j = json_loadb((const char *)text.data, text.size, 0, NULL);
	int64_t at = huiyin_number(j, "at");
	hy_hex(p->identity, 16, identity);
	check_of(p, at, check);
	bool same = j && strcmp(huiyin_text(j, "file"), identity) == 0 && strcmp(huiyin_text(j, "check"), check) == 0;
	if (same)
		p->done = (struct progress_counts){ (uint64_t)huiyin_number(j, "rows"),
			(uint64_t)huiyin_number(j, "accepted"), (uint64_t)huiyin_number(j, "duplicates"),
			(uint64_t)huiyin_number(j, "rejected"), huiyin_number(j, "rejects_bytes"),
			{ at, (uint64_t)huiyin_number(j, "lines") } };
	*other = !same;
	json_decref(j);
	hy_buffer_free(&text);
	return same;
}

/* ---- rejects ---- */

int progress_open(struct progress *p, struct hy_fault *f)
{
	struct stat st;
	if (!p->rejects_path[0])
		return HY_OK;
	int fd = open(p->rejects_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	p->rejects = fd >= 0 ? fdopen(fd, "r+") : NULL;
	if (!p->rejects)
		return rejects_fault(p, f);
	if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		fclose(p->rejects); /* it is the other's */
		p->rejects = NULL;
		return hy_fail(f, HY_BUSY, "another import of this file runs: it holds %s", p->rejects_path);
	}
	/* A file that was taken away meanwhile begins anew. */
	if (fstat(fd, &st) != 0 || st.st_size < p->done.rejects_bytes)
		p->done.rejects_bytes = 0;
	return HY_OK;
}

/* Rows of a batch that was not answered come again: what was said of them goes, once the first batch is there. Not before: who imports a file
 * again that is done may have repaired its rejects. */
static int cut_rejects(struct progress *p, struct hy_fault *f)
{
	if (p->cut || !p->rejects)
		return HY_OK;
	if (ftruncate(fileno(p->rejects), p->done.rejects_bytes) != 0 || fseek(p->rejects, 0, SEEK_END) != 0)
		return rejects_fault(p, f);
	p->cut = true;
	return HY_OK;
}

/* What is not UTF-8 becomes U+FFFD, so that the file is text whatever the row was. */
static void put_clean(struct hy_buffer *out, struct hy_bytes raw)
{
	for (size_t at = 0; at < raw.size;) {
		size_t from = at;
		if (hy_utf8_next(raw, &at) == 0xfffd && at == from + 1)
			hy_buffer_text(out, "\xef\xbf\xbd");
		else
			hy_buffer_put(out, raw.data + from, at - from);
	}
}

static void put_quoted(struct hy_buffer *out, const char *text)
{
	hy_buffer_byte(out, '"');
	for (; *text; text++) {
		if (*text == '"')
			hy_buffer_byte(out, '"');
		hy_buffer_byte(out, (uint8_t)*text);
	}
	hy_buffer_byte(out, '"');
}

static void table_reject(
	const struct progress *p, struct hy_buffer *out, const struct sender_item *i, struct hy_bytes raw)
{
	hy_buffer_printf(out, "%" PRIu64 "%c", i->line, p->delimiter);
	put_quoted(out, i->why);
	hy_buffer_byte(out, (uint8_t)p->delimiter);
	put_clean(out, raw);
	hy_buffer_byte(out, '\n');
}

/* The object with two members more; what is no object stands as text in a third one. */
static void line_reject(struct hy_buffer *out, const struct sender_item *i, struct hy_bytes raw)
{
	struct hy_buffer clean = { 0 };
	put_clean(&clean, raw);
	while (clean.size && clean.data[clean.size - 1] <= ' ')
		clean.size--;
	json_error_t e;
	json_t *j = json_loadb((const char *)clean.data, clean.size, JSON_REJECT_DUPLICATES, &e);
	bool object = json_is_object(j);
	hy_buffer_printf(out, "{\"import_line\":%" PRIu64 ",\"import_reason\":", i->line);
	hy_json_put_text(out, hy_bytes_text(i->why));
	const uint8_t *open = object ? memchr(clean.data, '{', clean.size) : NULL;
	if (open) {
		struct hy_bytes rest = hy_bytes(open + 1, (size_t)(clean.data + clean.size - open - 1));
		hy_buffer_text(out, json_object_size(j) ? "," : "");
		hy_buffer_bytes(out, rest);
	} else {
		hy_buffer_text(out, ",\"import_input\":");
		hy_json_put_text(out, hy_buffer_view(&clean));
		hy_buffer_byte(out, '}');
	}
	hy_buffer_byte(out, '\n');
	json_decref(j);
	hy_buffer_free(&clean);
}

static void put_reject(struct progress *p, const struct batch *b, const struct sender_item *i, struct hy_buffer *out)
{
	struct hy_bytes raw = hy_bytes(b->raw.data + i->raw_at, i->raw_size);
	if (!p->rejects) {
		hy_buffer_clear(out);
		hy_text_line(out, hy_bytes_text(i->why));
		fprintf(stderr, "line %" PRIu64 ": %s\n", i->line, hy_buffer_string(out));
		hy_buffer_clear(out);
		return;
	}
	if (p->delimiter && p->done.rejects_bytes == 0 && out->size == 0) {
		hy_buffer_printf(out, "\xef\xbb\xbfimport_line%cimport_reason%c", p->delimiter, p->delimiter);
		hy_buffer_bytes(out, p->head_row);
		hy_buffer_byte(out, '\n');
	}
	if (p->delimiter)
		table_reject(p, out, i, raw);
	else
		line_reject(out, i, raw);
}

int progress_enter(struct progress *p, const struct batch *b, struct hy_fault *f)
{
	struct hy_buffer out = { 0 };
	uint64_t rejected = 0;
	for (size_t i = 0; i < b->count; i++)
		if (b->items[i].why) {
			put_reject(p, b, &b->items[i], &out);
			rejected++;
		}
	int err = out.err ? out.err : cut_rejects(p, f);
	if (err == HY_OK && out.size &&
		(fwrite(out.data, 1, out.size, p->rejects) != out.size || fflush(p->rejects) != 0))
		err = rejects_fault(p, f);
	if (err == HY_OK) {
		p->done.rows += b->rows;
		p->done.accepted += b->accepted;
		p->done.duplicates += b->duplicates;
		p->done.rejected += rejected;
		p->done.rejects_bytes += (int64_t)out.size;
		p->done.place = b->after;
	}
	hy_buffer_free(&out);
	if (err == HY_OK && hy_mono_ms() - p->saved_ms >= SAVE_MS)
		err = progress_save(p, f);
	return err;
}

void progress_close(struct progress *p)
{
	if (p->rejects && fclose(p->rejects) == 0 && p->done.rejected == 0)
		unlink(p->rejects_path);
	p->rejects = NULL;
	hy_buffer_free(&p->beginning);
}
