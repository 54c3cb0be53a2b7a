#include "table.h"

#include "base/text.h"

#include <csv.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define ROW_NOT_BEGUN 0 /* csv_parser.pstate between two rows */

struct table {
	struct source *source;
	struct csv_parser csv;
	char delimiter;
	struct hy_buffer head_cells, head_row;
	size_t head_ends[TABLE_COLUMNS_MAX]; /* behind each head, where its NUL stands */
	size_t columns;

	/* The row being read. */
	struct hy_buffer raw, cells;
	size_t ends[TABLE_COLUMNS_MAX], count; /* count may be larger than what `ends` holds */
	bool whole; /* libcsv has said that it ends */
	bool large; /* more than TABLE_ROW_MAX; the rest is read over */
	bool broken; /* its quotes are */

	/* Lines to be read once more, behind a row whose quotes were broken. */
	struct hy_buffer again, given; /* given: the one that was taken from there last */
	size_t again_at;
	uint64_t again_line;
	bool lost; /* until a row has the number of cells that it should have */
	struct source_place settled;
};

/* ---- libcsv ---- */

static void on_cell(void *data, size_t size, void *arg)
{
	struct table *t = arg;
	if (t->count < TABLE_COLUMNS_MAX && t->cells.size + size <= TABLE_ROW_MAX) {
		hy_buffer_put(&t->cells, data, size);
		hy_buffer_byte(&t->cells, 0);
		t->ends[t->count] = t->cells.size - 1;
	} else if (t->cells.size + size > TABLE_ROW_MAX) {
		t->large = true;
	}
	t->count++;
}

static void on_row(int end, void *arg)
{
	(void)end;
	((struct table *)arg)->whole = true;
}

static int only_lf(unsigned char c)
{
	return c == CSV_LF;
}

/* Quotes inside of an unquoted cell are what they are: 5" of screen. In a quoted cell they would tear the row apart. */
static void parse(struct table *t, struct hy_bytes text)
{
	while (text.size && !t->broken) {
		size_t n = csv_parse(&t->csv, text.data, text.size, on_cell, on_row, t);
		/* A cell without an end must not be gathered: it is too long already. libcsv may take one character back. */
		if (t->csv.entry_pos > TABLE_ROW_MAX) {
			t->csv.entry_pos = 1;
			t->csv.spaces = 0;
			t->large = true;
		}
		if (n == text.size)
			return;
		if (t->csv.quoted) {
			t->broken = true;
			return;
		}
		text = hy_bytes(text.data + n, text.size - n);
		csv_set_opts(&t->csv, 0);
		csv_parse(&t->csv, text.data, 1, on_cell, on_row, t);
		csv_set_opts(&t->csv, CSV_STRICT);
		text = hy_bytes(text.data + 1, text.size - 1);
	}
}

/* The row in hand is forgotten, the parser stands before a new one. */
static void begin_row(struct table *t)
{
	hy_buffer_clear(&t->raw);
	hy_buffer_clear(&t->cells);
	t->count = 0;
	t->whole = t->large = t->broken = false;
	t->csv.pstate = ROW_NOT_BEGUN;
	t->csv.quoted = 0;
	t->csv.spaces = t->csv.entry_pos = 0;
}

/* ---- lines, once more where needed ---- */

static bool next_line(struct table *t, struct source_line *line)
{
	if (t->again_at >= t->again.size)
		return source_next(t->source, line);
	const uint8_t *from = t->again.data + t->again_at, *end = memchr(from, '\n', t->again.size - t->again_at);
	size_t size = end ? (size_t)(end - from) : t->again.size - t->again_at;
	hy_buffer_clear(&t->given); /* `again` may be made anew while the line is in use */
	hy_buffer_put(&t->given, from, size);
	t->again_at += size + 1;
	*line = (struct source_line){ hy_buffer_view(&t->given), t->again_line++, true };
	return true;
}

/* All lines of the row but the first are read once more. */
static void put_back(struct table *t, uint64_t first)
{
	struct hy_buffer rest = { 0 };
	const uint8_t *end = memchr(t->raw.data, '\n', t->raw.size);
	size_t skip = end ? (size_t)(end - t->raw.data) + 1 : t->raw.size;
	bool more = t->again_at < t->again.size;
	hy_buffer_put(&rest, t->raw.data + skip, t->raw.size - skip);
	if (end && more)
		hy_buffer_byte(&rest, '\n');
	if (more)
		hy_buffer_put(&rest, t->again.data + t->again_at, t->again.size - t->again_at);
	if (end && !more)
		hy_buffer_byte(&rest, '\n'); /* an empty last line is one, too */
	hy_buffer_free(&t->again);
	t->again = rest;
	t->again_at = 0;
	t->again_line = first + 1;
	t->raw.size = end ? skip - 1 : skip;
}

static void feed(struct table *t, const struct source_line *line)
{
	struct hy_bytes text = line->text;
	if (t->raw.size + text.size > TABLE_ROW_MAX) {
		t->large = true;
		text.size = TABLE_ROW_MAX > t->raw.size ? TABLE_ROW_MAX - t->raw.size : 0;
	}
	hy_buffer_bytes(&t->raw, text);
	/* A carriage return within a line is content. */
	csv_set_term_func(&t->csv, line->text.size && memchr(line->text.data, '\r', line->text.size) ? only_lf : NULL);
	parse(t, line->text);
	if (line->ends)
		parse(t, HY_LIT("\n"));
}

/* ---- rows ---- */

static void blame(struct table_row *out, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void blame(struct table_row *out, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(out->why, sizeof(out->why), fmt, ap);
	va_end(ap);
	out->count = 0;
}

/* What is wrong with the row that has been read. `open`: the file ends within it. */
static void judge(struct table *t, struct table_row *out, bool open)
{
	out->count = t->count;
	out->why[0] = 0;
	if ((t->broken || open) && !t->large) {
		blame(out, open ? "a quoted cell has no end" : "something stands behind a quoted cell");
		put_back(t, out->first);
		out->last = out->first;
		t->lost = true;
	} else if (t->large) {
		const char *tail = t->broken || open ? ": a quote is not closed" : "";
		if (out->first == out->last)
			blame(out, "the row has more than %zu KiB%s", TABLE_ROW_MAX >> 10, tail);
		else
			blame(out, "lines %llu to %llu are one row of more than %zu KiB%s",
				(unsigned long long)out->first, (unsigned long long)out->last, TABLE_ROW_MAX >> 10,
				tail);
		t->lost = t->broken || open;
	} else if (!hy_utf8_valid(hy_buffer_view(&t->raw))) {
		blame(out, "it is not %s", source_encoding(t->source));
	} else if (t->lost && t->columns && t->count != t->columns) {
		blame(out, "it stands behind broken quotes and has %zu cells of %zu", t->count, t->columns);
	} else {
		t->lost = false;
	}
	out->raw = hy_buffer_view(&t->raw);
	out->settled = t->again_at >= t->again.size;
	if (out->settled)
		t->settled = source_place(t->source);
}

bool table_next(struct table *t, struct table_row *out)
{
	struct source_line line = { .ends = true };
	bool any = false;
	begin_row(t);
	while (next_line(t, &line)) {
		if (!any)
			out->first = line.number;
		else if (line.number != out->last && !t->large)
			hy_buffer_byte(&t->raw, '\n');
		out->last = line.number;
		any = true;
		feed(t, &line);
		if (!line.ends)
			continue;
		if (t->whole || t->broken) {
			judge(t, out, false);
			return true;
		}
		if (t->csv.pstate == ROW_NOT_BEGUN) { /* an empty line */
			begin_row(t);
			any = false;
			if (t->again_at >= t->again.size)
				t->settled = source_place(t->source);
		}
	}
	if (!any || t->raw.size == 0 || source_broken(t->source)) /* what is missing may end the row */
		return false;
	judge(t, out, true);
	return true;
}

struct hy_bytes table_cell(const struct table *t, size_t column)
{
	if (column >= t->count || column >= TABLE_COLUMNS_MAX)
		return hy_bytes("", 0);
	size_t from = column ? t->ends[column - 1] + 1 : 0;
	return hy_bytes(t->cells.data + from, t->ends[column] - from);
}

struct source_place table_place(const struct table *t)
{
	return t->settled;
}

int table_seek(struct table *t, struct source_place to, struct hy_fault *f)
{
	t->settled = to;
	return source_seek(t->source, to, f);
}

/* ---- the first row ---- */

/* How many of it stand outside of quotes in each of the first lines, if it is the same number everywhere; else in the first line, counted less. */
static size_t evenness(struct hy_bytes text, char delimiter)
{
	size_t first = 0, same = 0, rows = 0, n = 0;
	bool quoted = false;
	for (size_t i = 0; i < text.size && rows < 20; i++) {
		uint8_t c = text.data[i];
		quoted ^= c == '"';
		n += !quoted && c == (uint8_t)delimiter;
		if (quoted || (c != '\n' && c != '\r' && i + 1 < text.size))
			continue;
		if (rows == 0)
			first = n;
		if (n || rows == 0) {
			same += n == first;
			rows++;
		}
		n = 0;
		while (i + 1 < text.size && (text.data[i + 1] == '\n' || text.data[i + 1] == '\r'))
			i++;
	}
	return first ? first + 1000 * same / (rows ? rows : 1) : 0;
}

static char find_delimiter(struct hy_bytes text)
{
	static const char all[] = ",;\t|";
	size_t best = 0, most = 0;
	if (text.size == 0)
		return ',';
	for (size_t i = 0; all[i]; i++) {
		size_t n = evenness(text, all[i]);
		if (n > most) {
			most = n;
			best = i;
		}
	}
	for (size_t i = 0; most == 0 && all[i]; i++) /* one column: what its texts do not hold */
		if (!memchr(text.data, all[i], text.size))
			return all[i];
	return all[best];
}

static struct hy_bytes trimmed(struct hy_bytes text)
{
	while (text.size && (text.data[0] == ' ' || text.data[0] == '\t' || text.data[0] == '\n'))
		text = hy_bytes(text.data + 1, text.size - 1);
	while (text.size && (text.data[text.size - 1] == ' ' || text.data[text.size - 1] == '\t' ||
				    text.data[text.size - 1] == '\n'))
		text.size--;
	return text;
}

static int read_heads(struct table *t, struct hy_fault *f)
{
	struct table_row row;
	if (!table_next(t, &row)) {
		int err = source_check(t->source, f);
		return err ? err : hy_fail(f, HY_BAD_INPUT, "the first row names the columns; the file is empty");
	}
	if (t->count > TABLE_COLUMNS_MAX)
		return hy_fail(f, HY_BAD_INPUT, "the first row names %zu columns%s; more than %d can't be read",
			t->count, t->large ? " and more" : "", TABLE_COLUMNS_MAX);
	if (row.count == 0)
		return hy_fail(f, HY_BAD_INPUT, "the first row, which names the columns: %s", row.why);
	for (size_t i = 0; i < row.count; i++) {
		hy_buffer_bytes(&t->head_cells, trimmed(table_cell(t, i)));
		hy_buffer_byte(&t->head_cells, 0);
		t->head_ends[i] = t->head_cells.size - 1;
	}
	hy_buffer_bytes(&t->head_row, row.raw);
	t->columns = row.count;
	return t->head_cells.err ? t->head_cells.err : t->head_row.err;
}

int table_open(struct table **out, struct source *source, char delimiter, struct hy_fault *f)
{
	struct table *t = *out = calloc(1, sizeof(*t));
	if (!t || csv_init(&t->csv, CSV_STRICT) != 0) {
		free(t);
		*out = NULL;
		return hy_fail(f, HY_NO_MEMORY, "no memory");
	}
	t->source = source;
	t->delimiter = delimiter ? delimiter : find_delimiter(source_beginning(source));
	csv_set_delim(&t->csv, (unsigned char)t->delimiter);
	csv_set_blk_size(&t->csv, 4096);
	return read_heads(t, f);
}

void table_close(struct table **t)
{
	if (!*t)
		return;
	csv_free(&(*t)->csv);
	hy_buffer_free(&(*t)->head_cells);
	hy_buffer_free(&(*t)->head_row);
	hy_buffer_free(&(*t)->raw);
	hy_buffer_free(&(*t)->cells);
	hy_buffer_free(&(*t)->again);
	hy_buffer_free(&(*t)->given);
	free(*t);
	*t = NULL;
}

char table_delimiter(const struct table *t)
{
	return t->delimiter;
}

size_t table_columns(const struct table *t)
{
	return t->columns;
}

struct hy_bytes table_head(const struct table *t, size_t column)
{
	size_t from = column ? t->head_ends[column - 1] + 1 : 0;
	return hy_bytes(t->head_cells.data + from, t->head_ends[column] - from);
}

struct hy_bytes table_head_row(const struct table *t)
{
	return hy_buffer_view(&t->head_row);
}
