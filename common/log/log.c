/* A line is put together on the stack and leaves in one write(2), so threads need no lock between them. */
#include "log/log.h"

#include "base/bytes.h"
#include "base/clock.h"
#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum { STACK_ROOM = 1024, LINE_MAX_SIZE = 8192, HEAD_ROOM = 256 };

static const struct {
	const char *word, *padded, *colour;
} levels[] = {
	[HY_ERROR] = { "error", "error", "\033[1;31m" },
	[HY_WARN] = { "warn", "warn ", "\033[33m" },
	[HY_INFO] = { "info", "info ", "\033[32m" },
	[HY_DEBUG] = { "debug", "debug", "\033[36m" },
};

enum hy_level hy_log_level = HY_INFO;
static char program_name[64] = "huiyin";
static bool coloured;
static void (*capture)(const char *line, void *arg);
static void *capture_arg;

void hy_log_open(const char *program, enum hy_level level, int color)
{
	snprintf(program_name, sizeof(program_name), "%s", program);
	hy_log_level = level;
	const char *no_color = getenv("NO_COLOR");
	coloured = color > 0 || (color < 0 && isatty(STDERR_FILENO) && !(no_color && *no_color));
}

bool hy_log_level_parse(const char *word, enum hy_level *out)
{
	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
		if (word && strcasecmp(word, levels[i].word) == 0) {
			*out = (enum hy_level)i;
			return true;
		}
	}
	return false;
}

void hy_log_capture(void (*sink)(const char *line, void *arg), void *arg)
{
	capture = sink;
	capture_arg = arg;
}

/* `line` has its line feed, and room for a NUL in its place. */
static void emit(char *line, size_t size)
{
	if (capture) {
		line[size - 1] = '\0';
		capture(line, capture_arg);
		return;
	}
	while (size) {
		ssize_t n = write(STDERR_FILENO, line, size);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return; /* nowhere to complain */
		line += n;
		size -= (size_t)n;
	}
}

static size_t put_head(char head[static HEAD_ROOM], enum hy_level level, const char *event)
{
	char time[25];
	hy_time_text(hy_now_ms(), time);
	int n = coloured ? snprintf(head, HEAD_ROOM, "\033[2m%s\033[0m %s%s\033[0m %s %s", time, levels[level].colour,
				   levels[level].padded, program_name, event)
			 : snprintf(head, HEAD_ROOM, "%s %s %s %s", time, levels[level].padded, program_name, event);
	return n < 0 ? 0 : n >= HEAD_ROOM ? HEAD_ROOM - 1 : (size_t)n;
}

static bool is_plain(const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (text[i] < 0x20 || text[i] > 0x7e)
			return false;
	return true;
}

/* Cuts what is too long, without tearing a character. */
static size_t cut(const char *text, size_t size, size_t max)
{
	if (size <= max)
		return size;
	size = max;
	while (size && ((uint8_t)text[size] & 0xc0) == 0x80)
		size--;
	return size;
}

/* What isn't plain ASCII, or long: escaped on the heap. */
static void emit_escaped(const char *head, size_t head_size, const char *text, size_t size)
{
	struct hy_buffer line = { 0 };
	const char *more = " ...";
	hy_buffer_put(&line, head, head_size);
	if (size)
		hy_buffer_byte(&line, ' ');
	hy_text_line(&line, hy_bytes(text, size));
	if (line.size > LINE_MAX_SIZE - 8) {
		line.size = cut((const char *)line.data, line.size, LINE_MAX_SIZE - 8);
		hy_buffer_text(&line, more);
	}
	hy_buffer_byte(&line, '\n');
	if (!line.err)
		emit((char *)line.data, line.size);
	hy_buffer_free(&line);
}

void hy_log(enum hy_level level, const char *event, const char *fmt, ...)
{
	int saved_errno = errno; /* a log line between a failure and the look at errno changes nothing */
	char stack[HEAD_ROOM + STACK_ROOM];
	size_t head_size = put_head(stack, level, event);
	char *text = stack + head_size + 1; /* behind the head and a space */
	size_t room = sizeof(stack) - head_size - 2;

	va_list ap, again;
	va_start(ap, fmt);
	va_copy(again, ap);
	int wanted = fmt ? vsnprintf(text, room, fmt, ap) : 0;
	size_t size = wanted > 0 ? (size_t)wanted : 0;
	if (size < room && is_plain(text, size)) {
		stack[head_size] = ' ';
		size_t end = size ? head_size + 1 + size : head_size;
		stack[end] = '\n';
		emit(stack, end + 1);
	} else if (size < room) {
		emit_escaped(stack, head_size, text, size);
	} else {
		size_t heap_room = size < LINE_MAX_SIZE ? size + 1 : LINE_MAX_SIZE + 1;
		char *heap = malloc(heap_room);
		if (heap) {
			vsnprintf(heap, heap_room, fmt, again);
			emit_escaped(stack, head_size, heap, strlen(heap));
			free(heap);
		} else {
			emit_escaped(stack, head_size, text, room - 1);
		}
	}
	va_end(again);
	va_end(ap);
	errno = saved_errno;
}
