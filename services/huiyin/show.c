#include "show.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

struct show_cell {
	char *text;
	enum show_color color;
};

/* ---- colours ---- */

static enum { AUTO, ALWAYS, NEVER } mode;

bool show_color_mode(const char *word)
{
	if (strcmp(word, "auto") == 0)
		mode = AUTO;
	else if (strcmp(word, "always") == 0)
		mode = ALWAYS;
	else if (strcmp(word, "never") == 0)
		mode = NEVER;
	else
		return false;
	return true;
}

static bool colored(FILE *out)
{
	const char *none = getenv("NO_COLOR"), *term = getenv("TERM");
	if (mode != AUTO)
		return mode == ALWAYS;
	return isatty(fileno(out)) && !(none && none[0]) && !(term && strcmp(term, "dumb") == 0);
}

const char *show_color(FILE *out, enum show_color color)
{
	static const char *const codes[] = { [SHOW_PLAIN] = "\033[0m",
		[SHOW_DIM] = "\033[2m",
		[SHOW_BOLD] = "\033[1m",
		[SHOW_RED] = "\033[31m",
		[SHOW_GREEN] = "\033[32m",
		[SHOW_YELLOW] = "\033[33m",
		[SHOW_BLUE] = "\033[34m",
		[SHOW_MAGENTA] = "\033[35m",
		[SHOW_CYAN] = "\033[36m" };
	return colored(out) ? codes[color] : "";
}

size_t show_columns(FILE *out)
{
	struct winsize w;
	if (!isatty(fileno(out)))
		return 0;
	return ioctl(fileno(out), TIOCGWINSZ, &w) == 0 && w.ws_col > 0 ? w.ws_col : 80;
}

/* ---- words ---- */

void show_line(struct hy_buffer *out, const char *text, size_t columns)
{
	struct hy_buffer line = { 0 };
	hy_text_line(&line, hy_bytes_text(text));
	struct hy_bytes all = hy_buffer_view(&line), some = all;
	/* wide characters take two columns: fewer code points fit than columns */
	for (size_t points = columns; hy_text_width(some) > columns - (some.size < all.size); points--)
		some = hy_utf8_prefix(all, points);
	hy_buffer_bytes(out, some);
	if (some.size < all.size)
		hy_buffer_text(out, "…");
	hy_buffer_free(&line);
}

void show_bar(struct hy_buffer *out, double share, size_t width)
{
	static const char *const eighths[] = { "", "▏", "▎", "▍", "▌", "▋", "▊", "▉" };
	share = share < 0 ? 0 : share > 1 ? 1 : share;
	size_t steps = (size_t)(share * (double)(8 * width) + 0.5), full = steps / 8, at = full;
	for (size_t i = 0; i < full; i++)
		hy_buffer_text(out, "█");
	if (steps % 8) {
		hy_buffer_text(out, eighths[steps % 8]);
		at++;
	}
	for (; at < width; at++)
		hy_buffer_byte(out, ' ');
}

void show_count(struct hy_buffer *out, int64_t n)
{
	char digits[24];
	int size = snprintf(digits, sizeof(digits), "%" PRIu64, n < 0 ? (uint64_t)0 - (uint64_t)n : (uint64_t)n);
	if (n < 0)
		hy_buffer_byte(out, '-');
	for (int i = 0; i < size; i++) {
		if (i && (size - i) % 3 == 0)
			hy_buffer_byte(out, ',');
		hy_buffer_byte(out, (uint8_t)digits[i]);
	}
}

void show_bytes(struct hy_buffer *out, double n)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	size_t unit = 0;
	for (; n >= 1000 && unit < 4; unit++)
		n /= 1024;
	hy_buffer_printf(out, unit && n < 100 ? "%.1f %s" : "%.0f %s", n, units[unit]);
}

void show_time(struct hy_buffer *out, int64_t ms)
{
	time_t now = (time_t)(hy_now_ms() / 1000), at = (time_t)(ms / 1000);
	struct tm today, then;
	char text[40];
	localtime_r(&now, &today);
	localtime_r(&at, &then);
	bool same = today.tm_yday == then.tm_yday && today.tm_year == then.tm_year;
	strftime(text, sizeof(text), same ? "%H:%M:%S" : "%Y-%m-%d %H:%M:%S", &then);
	hy_buffer_printf(out, "%s.%03d", text, (int)(ms % 1000));
}

/* ---- tables ---- */

void show_table_open(struct show_table *t, const char *heads)
{
	*t = (struct show_table){ 0 };
	while (*heads) {
		size_t size = strcspn(heads, "|");
		HY_ASSERT(t->columns < SHOW_COLUMNS_MAX);
		t->right[t->columns] = *heads == '>';
		snprintf(t->heads[t->columns], sizeof(t->heads[0]), "%.*s", (int)(size - (*heads == '>')),
			heads + (*heads == '>'));
		t->columns++;
		heads += size + (heads[size] == '|');
	}
}

void show_cell(struct show_table *t, enum show_color color, const char *fmt, ...)
{
	va_list ap;
	char *text = NULL;
	if (t->cells == t->room) {
		t->room = t->room ? 2 * t->room : 64;
		t->list = realloc(t->list, t->room * sizeof(*t->list));
		if (!t->list)
			hy_panic("no memory for a table");
	}
	va_start(ap, fmt);
	int size = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (size < 0)
		hy_panic("no memory for a table");
	struct hy_buffer line = { 0 };
	hy_text_line(&line, hy_bytes_text(text));
	free(text);
	t->list[t->cells++] = (struct show_cell){ strdup(hy_buffer_string(&line)), color };
	hy_buffer_free(&line);
}

static void pad(FILE *out, size_t n)
{
	while (n--)
		fputc(' ', out);
}

static void print_cell(FILE *out, const struct show_table *t, size_t column, const char *text, enum show_color color,
	const size_t *widths)
{
	size_t width = hy_text_width(hy_bytes_text(text)), room = widths[column];
	bool last = column + 1 == t->columns;
	if (t->right[column])
		pad(out, room > width ? room - width : 0);
	fprintf(out, "%s%s%s", color ? show_color(out, color) : "", text, color ? show_plain(out) : "");
	if (!t->right[column] && !last)
		pad(out, room > width ? room - width : 0);
	fputs(last ? "\n" : "  ", out);
}

void show_table_print(struct show_table *t, FILE *out)
{
	size_t widths[SHOW_COLUMNS_MAX] = { 0 }, columns = show_columns(out), before = 0;
	for (size_t c = 0; c < t->columns; c++)
		widths[c] = hy_text_width(hy_bytes_text(t->heads[c]));
	for (size_t i = 0; i < t->cells; i++) {
		size_t w = hy_text_width(hy_bytes_text(t->list[i].text));
		if (w > widths[i % t->columns])
			widths[i % t->columns] = w;
	}
	for (size_t c = 0; c + 1 < t->columns; c++)
		before += widths[c] + 2;
	for (size_t c = 0; c < t->columns; c++)
		print_cell(out, t, c, t->heads[c], SHOW_DIM, widths);
	for (size_t i = 0; i < t->cells; i++) {
		struct hy_buffer cut = { 0 };
		bool last = (i + 1) % t->columns == 0;
		if (last && columns > before + 10)
			show_line(&cut, t->list[i].text, columns - before);
		else
			hy_buffer_text(&cut, t->list[i].text);
		print_cell(out, t, i % t->columns, hy_buffer_string(&cut), t->list[i].color, widths);
		hy_buffer_free(&cut);
		free(t->list[i].text);
	}
	free(t->list);
	*t = (struct show_table){ 0 };
}

/* ---- progress ---- */

void show_progress_open(struct show_progress *p, int64_t total, int64_t begun_at, bool wanted)
{
	*p = (struct show_progress){
		.total = total, .begun_ms = hy_mono_ms(), .begun_at = begun_at, .off = !wanted || !isatty(STDERR_FILENO)
	};
}

void show_progress(struct show_progress *p, int64_t done, int64_t items, const char *unit)
{
	int64_t now = hy_mono_ms(), spent = now - p->begun_ms;
	if (p->off || spent < 2000 || now - p->drawn_ms < 100)
		return;
	double share = p->total > 0 ? (double)done / (double)p->total : 0,
	       rate = (double)items / ((double)spent / 1000);
	double pace = (double)(done - p->begun_at) / (double)spent; /* bytes a millisecond, of this run alone */
	char left[24] = "?";
	struct hy_buffer line = { 0 };
	if (pace > 0)
		hy_duration_text((int64_t)((double)(p->total - done) / pace), left);
	hy_buffer_text(&line, "\r\033[K[");
	show_bar(&line, share, 30);
	hy_buffer_printf(&line, "] %3.0f %%  ", 100 * share);
	show_count(&line, items);
	hy_buffer_printf(&line, " %s  %.0f/s  %s left", unit, rate, left);
	fputs(hy_buffer_string(&line), stderr);
	fflush(stderr);
	hy_buffer_free(&line);
	p->drawn_ms = now;
	p->drawn = true;
}

void show_progress_close(struct show_progress *p)
{
	if (p->drawn)
		fputs("\r\033[K", stderr);
	p->drawn = false;
}
