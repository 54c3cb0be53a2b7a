#include "rows.h"

#include <errno.h>
#include <string.h>
#include <zlib.h>

#include "json/json.h"

/* One line without its end into `line`; false at the end of the file. gzgets() would hide a NUL in the middle. */
static bool next_line(gzFile in, struct hy_buffer *line)
{
	int c;
	hy_buffer_clear(line);
	while ((c = gzgetc(in)) != -1 && c != '\n' && line->size <= ROW_BYTES_MAX)
		hy_buffer_byte(line, (uint8_t)c);
	return c != -1 || line->size > 0;
}

static int read_row(struct hy_json_reader *reader, const char *path, size_t number, struct hy_buffer *line,
	struct row *row, struct hy_fault *f)
{
	if (line->size > ROW_BYTES_MAX)
		return hy_fail(f, HY_TOO_LARGE, "%s:%zu: longer than %zu bytes", path, number, ROW_BYTES_MAX);
	struct hy_fault why = { 0 };
	const struct hy_json *root;
	size_t size = line->size;
	if (!hy_buffer_room(line, HY_JSON_PAD))
		return hy_fail(f, HY_NO_MEMORY, "%s:%zu: out of memory", path, number);
	int err = hy_json_read(reader, hy_bytes(line->data, size), &root, &why);
	if (err)
		return hy_fail(f, err, "%s:%zu: %s", path, number, why.text);
	const struct hy_json *text = hy_json_get(root, "text");
	if (!text || text->type != HY_JSON_TEXT)
		return hy_fail(f, HY_BAD_INPUT, "%s:%zu: expected an object with a \"text\"", path, number);
	*row = (struct row){ .text = text->text,
		.label = hy_json_text(root, "label", ""),
		.lang = hy_json_text(root, "lang", ""),
		.sentiment = hy_json_text(root, "sentiment", ""),
		.type = hy_json_text(root, "type", ""),
		.topic = hy_json_text(root, "topic", ""),
		.line = number };
	return HY_OK;
}

int rows_read(const char *path, int (*each)(void *arg, const struct row *row, struct hy_fault *f), void *arg,
	struct hy_fault *f)
{
	gzFile in = gzopen(path, "rbe");
	if (!in)
		return hy_fail(
			f, errno == ENOENT ? HY_NOT_FOUND : hy_err_from_errno(errno), "%s: %s", path, strerror(errno));
	gzbuffer(in, 1 << 17);
	struct hy_json_reader *reader = hy_json_reader_new();
	struct hy_buffer line = { 0 };
	struct row row;
	int err = HY_OK;
	for (size_t number = 1; err == HY_OK && next_line(in, &line); number++) {
		bool blank = true;
		for (size_t i = 0; i < line.size && blank; i++)
			blank = line.data[i] == ' ' || line.data[i] == '\t' || line.data[i] == '\r';
		if (blank)
			continue;
		err = read_row(reader, path, number, &line, &row, f);
		if (err == HY_OK)
			err = each(arg, &row, f);
	}
	int problem = Z_OK;
	const char *text = gzerror(in, &problem);
	if (err == HY_OK && problem != Z_OK && problem != Z_STREAM_END)
		err = hy_fail(f, HY_BAD_INPUT, "%s: the file is cut or damaged: %s", path, text);
	hy_buffer_free(&line);
	hy_json_reader_free(&reader);
	gzclose(in);
	return err;
}
