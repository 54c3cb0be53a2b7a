/* Output for people: tables whose columns line up whatever script is in them, colours only where they are seen, and a
 * progress bar. Text that comes from outside is always made one harmless line first. */
#ifndef HUIYIN_SHOW_H
#define HUIYIN_SHOW_H

#include "base/bytes.h"

#include <stdio.h>

enum show_color {
	SHOW_PLAIN,
	SHOW_DIM,
	SHOW_BOLD,
	SHOW_RED,
	SHOW_GREEN,
	SHOW_YELLOW,
	SHOW_BLUE,
	SHOW_MAGENTA,
	SHOW_CYAN
};

/* auto (a terminal without NO_COLOR), always, never; false for another word. */
bool show_color_mode(const char *word);
/* The escape sequence, or "" where colours are not wanted. */
const char *show_color(FILE *out, enum show_color color);
static inline const char *show_plain(FILE *out)
{
	return show_color(out, SHOW_PLAIN);
}
/* Columns of the terminal; 0 when `out` is none. */
size_t show_columns(FILE *out);

/* ---- tables ---- */

#define SHOW_COLUMNS_MAX 12

struct show_table {
	size_t columns, cells;
	char heads[SHOW_COLUMNS_MAX][24];
	bool right[SHOW_COLUMNS_MAX];
	struct show_cell *list;
	size_t room;
};

/* "DAEMON|STATE|>HEAD": a column that begins with > is set to the right. */
void show_table_open(struct show_table *t, const char *heads);
void show_cell(struct show_table *t, enum show_color color, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Prints and frees it. On a terminal the last column is cut to what fits. */
void show_table_print(struct show_table *t, FILE *out);

/* `text` as one harmless line of at most `columns` columns, with an ellipsis when it was longer; appended. */
void show_line(struct hy_buffer *out, const char *text, size_t columns);
/* A bar of `width` cells with `share` (0..1) of it full. */
void show_bar(struct hy_buffer *out, double share, size_t width);
/* 1234567 -> "1,234,567", "8.0 GiB". */
void show_count(struct hy_buffer *out, int64_t n);
void show_bytes(struct hy_buffer *out, double n);
/* Local time of the day, "14:03:22.123"; with the date when it is another day. */
void show_time(struct hy_buffer *out, int64_t ms);

/* ---- progress, on standard error, only on a terminal and only when it takes longer than 2 s ---- */

struct show_progress {
	int64_t total, begun_ms, drawn_ms, begun_at;
	bool off, drawn;
};
void show_progress_open(struct show_progress *p, int64_t total, int64_t begun_at, bool wanted);
void show_progress(struct show_progress *p, int64_t done, int64_t items, const char *unit);
void show_progress_close(struct show_progress *p);

#endif
