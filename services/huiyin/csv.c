#include "csv.h"

#include "base/text.h"

#include <stdlib.h>

bool csv_whole(struct hy_bytes text)
{
	size_t quotes = 0;
	for (size_t i = 0; i < text.size; i++)
		quotes += text.data[i] == '"';
	return quotes % 2 == 0;
}

/* The separator that the first row has most of, outside of quotes. */
static char separator_of(struct hy_bytes row)
{
	static const char all[] = ",;\t";
	size_t counts[3] = { 0 };
	bool quoted = false;
	for (size_t i = 0; i < row.size; i++) {
		const char *which = row.data[i] ? strchr(all, row.data[i]) : NULL;
		quoted ^= row.data[i] == '"';
		if (which && !quoted)
			counts[which - all]++;
	}
	size_t best = counts[1] > counts[0] ? 1 : 0;
	return all[counts[2] > counts[best] ? 2 : best];
}

/* The cell at *at, which moves behind its separator; false with a reason when its quotes are wrong. */
static bool take_cell(struct hy_bytes row, char separator, size_t *at, struct hy_buffer *cell, const char **why)
{
	size_t i = *at;
	hy_buffer_clear(cell);
	if (i < row.size && row.data[i] == '"') {
		for (i++; i < row.size; i++) {
			if (row.data[i] == '"' && (i + 1 >= row.size || row.data[i + 1] != '"'))
				break;
			i += row.data[i] == '"';
			hy_buffer_byte(cell, row.data[i]);
		}
		if (i++ >= row.size) {
			*why = "a quoted cell has no end";
			return false;
		}
		if (i < row.size && row.data[i] != (uint8_t)separator) {
			*why = "something stands behind a quoted cell";
			return false;
		}
	} else {
		for (; i < row.size && row.data[i] != (uint8_t)separator; i++)
			hy_buffer_byte(cell, row.data[i]);
	}
	*at = i + 1; /* behind the end when it was the last */
	return true;
}

static struct hy_bytes trimmed(struct hy_bytes t)
{
	if (hy_bytes_starts(t, HY_LIT("\xef\xbb\xbf")))
		t = hy_bytes(t.data + 3, t.size - 3);
	while (t.size && (t.data[t.size - 1] == '\r' || t.data[t.size - 1] == '\n'))
		t.size--;
	return t;
}

int csv_open(struct csv *c, struct hy_bytes row, struct hy_fault *f)
{
	struct hy_buffer cell = { 0 };
	const char *why = "";
	int err = HY_OK;
	row = trimmed(row);
	*c = (struct csv){ .separator = separator_of(row) };
	if (row.size == 0 || !hy_utf8_valid(row))
		err = hy_fail(f, HY_BAD_INPUT,
			row.size ? "the first row is not UTF-8" : "the first row names the columns; it is empty");
	for (size_t at = 0; err == HY_OK && at <= row.size;) {
		if (!take_cell(row, c->separator, &at, &cell, &why))
			err = hy_fail(f, HY_BAD_INPUT, "the first row: %s", why);
		else if (c->count == CSV_COLUMNS_MAX)
			err = hy_fail(f, HY_BAD_INPUT, "more than %d columns", CSV_COLUMNS_MAX);
		else if (!(c->heads[c->count++] = strdup(hy_buffer_string(&cell))))
			err = HY_NO_MEMORY;
	}
	hy_buffer_free(&cell);
	return err;
}

void csv_close(struct csv *c)
{
	for (size_t i = 0; i < c->count; i++)
		free(c->heads[i]);
	*c = (struct csv){ 0 };
}

int csv_row(const struct csv *c, struct hy_bytes row, struct hy_buffer *out, struct hy_fault *f)
{
	struct hy_buffer cell = { 0 };
	const char *why = "";
	size_t column = 0;
	int err = HY_OK;
	row = trimmed(row);
	if (!hy_utf8_valid(row))
		return hy_fail(f, HY_BAD_INPUT, "the row is not UTF-8");
	json_t *object = json_object();
	for (size_t at = 0; err == HY_OK && at <= row.size; column++) {
		if (!take_cell(row, c->separator, &at, &cell, &why))
			err = hy_fail(f, HY_BAD_INPUT, "%s", why);
		else if (column >= c->count && cell.size)
			err = hy_fail(
				f, HY_BAD_INPUT, "the row has more cells than the first row has names (%zu)", c->count);
		else if (cell.size && c->heads[column][0])
			json_object_set_new(object, c->heads[column], json_stringn((const char *)cell.data, cell.size));
	}
	if (err == HY_OK && json_object_size(object) == 0)
		err = HY_NOT_FOUND;
	char *text = err ? NULL : json_dumps(object, JSON_COMPACT);
	if (text)
		hy_buffer_text(out, text);
	free(text);
	json_decref(object);
	hy_buffer_free(&cell);
	return err ? err : out->err;
}
