/* Faults: collected while the file is read and checked, told in the file's order with the line and a caret. */
#include "conf/inside.h"

#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define SHOWN 110 /* code points of a line, around the fault */

static void add_fault(struct hy_conf *c, size_t at, const char *fmt, va_list args)
{
	char *words = NULL;
	if (c->fault_count == c->fault_room) {
		c->fault_room = c->fault_room ? 2 * c->fault_room : 16;
		c->faults = realloc(c->faults, c->fault_room * sizeof(*c->faults));
	}
	if (!c->faults || vasprintf(&words, fmt, args) < 0)
		hy_panic("conf: no memory");
	size_t rank = c->fault_count++;
	c->faults[rank] = (struct hy_conf_fault_row){ .at = at, .rank = rank, .words = words };
}

void hy_conf_fault_at(struct hy_conf *c, size_t at, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	add_fault(c, at, fmt, args);
	va_end(args);
}

void hy_conf_fault(const struct hy_conf_node *n, const char *fmt, ...)
{
	HY_ASSERT(n);
	va_list args;
	va_start(args, fmt);
	add_fault(n->conf, n->at, fmt, args);
	va_end(args);
}

size_t hy_conf_place(const struct hy_conf *c, size_t line, size_t column)
{
	struct hy_bytes file = hy_buffer_view(&c->file);
	size_t at = 0;
	while (line > 1 && at < file.size)
		line -= file.data[at++] == '\n';
	while (column > 1 && at < file.size && file.data[at] != '\n') {
		hy_utf8_next(file, &at);
		column--;
	}
	return at;
}

static int in_file_order(const void *a, const void *b)
{
	const struct hy_conf_fault_row *x = a, *y = b;
	if (x->at != y->at)
		return x->at < y->at ? -1 : 1;
	return x->rank < y->rank ? -1 : x->rank > y->rank;
}

/* "huiyin.yaml:14:9: words", the line, and the caret below its column. */
static void tell(const struct hy_conf *c, const struct hy_conf_fault_row *fault, struct hy_buffer *out)
{
	struct hy_bytes file = hy_buffer_view(&c->file);
	size_t at = fault->at < file.size ? fault->at : file.size;
	/* A fault at the very end stands behind the last character, not on the empty line after it. */
	while (fault->at == file.size && at > 0 && file.data[at - 1] == '\n')
		at--;
	size_t line = 1, start = 0;
	for (size_t i = 0; i < at; i++) {
		if (file.data[i] == '\n') {
			line++;
			start = i + 1;
		}
	}
	size_t end = at;
	while (end < file.size && file.data[end] != '\n' && file.data[end] != '\r')
		end++;
	size_t column = hy_utf8_count(hy_bytes(file.data + start, at - start));
	hy_buffer_text(out, c->path);
	hy_buffer_printf(out, ":%zu:%zu: ", line, column + 1);
	hy_text_line(out, hy_bytes_text(fault->words));
	hy_buffer_text(out, "\n");

	const char *before = "", *after = "";
	size_t from = start;
	if (column > SHOWN * 3 / 4) {
		from += hy_utf8_prefix(hy_bytes(file.data + start, at - start), column - SHOWN / 2).size;
		before = "...";
	}
	struct hy_bytes shown = hy_utf8_prefix(hy_bytes(file.data + from, end - from), SHOWN);
	if (shown.size < end - from)
		after = "...";
	struct hy_buffer ahead = { 0 }; /* as it appears on the terminal, so that its width is the caret's column */
	hy_buffer_text(&ahead, before);
	hy_text_line(&ahead, hy_bytes(file.data + from, at - from));
	hy_buffer_printf(out, "%5zu | %s", line, before);
	hy_text_line(out, shown);
	hy_buffer_printf(out, "%s\n      | %*s^\n", after, (int)hy_text_width(hy_buffer_view(&ahead)), "");
	hy_buffer_free(&ahead);
}

void hy_conf_report(struct hy_conf *c, struct hy_buffer *out)
{
	size_t told = 0, left = 0;
	if (c->fault_count)
		qsort(c->faults, c->fault_count, sizeof(*c->faults), in_file_order);
	for (size_t i = 0; i < c->fault_count; i++) {
		struct hy_conf_fault_row *fault = &c->faults[i];
		if (fault->told)
			continue;
		fault->told = true;
		if (told == HY_CONF_FAULTS_TOLD) {
			left++;
		} else {
			told++;
			if (fault->at != NOWHERE) {
				tell(c, fault, out);
				continue;
			}
			hy_buffer_printf(out, "%s: ", c->path);
			hy_text_line(out, hy_bytes_text(fault->words));
			hy_buffer_text(out, "\n");
		}
	}
	if (left)
		hy_buffer_printf(out, "%s: and %zu more\n", c->path, left);
}

int hy_conf_verdict(struct hy_conf *c, struct hy_buffer *report)
{
	if (report)
		hy_conf_report(c, report);
	return c->fault_count ? HY_CONFIG : HY_OK;
}
