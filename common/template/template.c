#include "template/template.h"
#include "template/mustache.h"

#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define TEMPLATE_MAX ((size_t)128 << 10)
#define SECTIONS_MAX 16 /* one within the other: the library walks them by recursion */

struct hy_template {
	char *name;
	struct hy_mustache *parsed;
};

/* One pass over the text before the library sees it: what we don't allow is refused with its place, sections are known to
 * match, and comments are taken out (with their line, when they have one for themselves). */
struct scan {
	const char *name;
	struct hy_bytes text;
	bool html;
	struct hy_fault *fault;
	struct hy_buffer clean;
	struct {
		struct hy_bytes name;
		size_t at;
	} open[SECTIONS_MAX];
	size_t depth;
};

/* "notice.html:3:14: words" */
static int fault_at(const struct scan *s, size_t at, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static int fault_at(const struct scan *s, size_t at, const char *fmt, ...)
{
	char words[512];
	size_t line = 1, start = 0;
	va_list args;
	va_start(args, fmt);
	vsnprintf(words, sizeof(words), fmt, args);
	va_end(args);
	for (size_t i = 0; i < at; i++) {
		if (s->text.data[i] == '\n') {
			line++;
			start = i + 1;
		}
	}
	size_t column = 1 + hy_utf8_count(hy_bytes(s->text.data + start, at - start));
	return hy_fail(s->fault, HY_BAD_INPUT, "%s:%zu:%zu: %s", s->name, line, column, words);
}

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t';
}

/* What the library takes for space around a name: it has to be the same here, or a tag could slip through. */
static bool is_space(uint8_t c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static struct hy_bytes trimmed(struct hy_bytes b)
{
	while (b.size && is_space(b.data[0]))
		b = hy_bytes(b.data + 1, b.size - 1);
	while (b.size && is_space(b.data[b.size - 1]))
		b.size--;
	return b;
}

/* Where `what` begins at or after `from`; text.size when nowhere. */
static size_t find(struct hy_bytes text, size_t from, const char *what)
{
	const uint8_t *p = memmem(text.data + from, text.size - from, what, strlen(what));
	return p ? (size_t)(p - text.data) : text.size;
}

static int on_section(struct scan *s, size_t at, uint8_t sign, struct hy_bytes name)
{
	int shown = name.size < 100 ? (int)name.size : 100;
	if (sign != '/') {
		if (s->depth == SECTIONS_MAX)
			return fault_at(s, at, "more than %d sections within each other", SECTIONS_MAX);
		s->open[s->depth].name = name;
		s->open[s->depth++].at = at;
		return HY_OK;
	}
	if (s->depth == 0)
		return fault_at(
			s, at, "{{/%.*s}} closes a section that was never opened", shown, (const char *)name.data);
	struct hy_bytes opened = s->open[--s->depth].name;
	if (!hy_bytes_equal(opened, name))
		return fault_at(s, at, "{{/%.*s}} closes the section '%.*s'", shown, (const char *)name.data,
			opened.size < 100 ? (int)opened.size : 100, (const char *)opened.data);
	return HY_OK;
}

/* Leaves out the comment that ends before `end`; returns where the text goes on. */
static size_t skip_comment(struct scan *s, size_t end)
{
	size_t back = s->clean.size, after = end;
	while (back > 0 && is_blank(s->clean.data[back - 1]))
		back--;
	while (after < s->text.size && is_blank(s->text.data[after]))
		after++;
	bool first = back == 0 || s->clean.data[back - 1] == '\n';
	bool last = after == s->text.size || s->text.data[after] == '\n' ||
		    (s->text.data[after] == '\r' && after + 1 < s->text.size && s->text.data[after + 1] == '\n');
	if (!first || !last)
		return end;
	s->clean.size = back;
	if (after < s->text.size)
		after += s->text.data[after] == '\r' ? 2 : 1;
	return after;
}

/* The tag at `*at`, moved behind. */
static int on_tag(struct scan *s, size_t *at)
{
	size_t from = *at, begin = from + 2;
	bool triple = begin < s->text.size && s->text.data[begin] == '{';
	size_t close = find(s->text, begin, triple ? "}}}" : "}}");
	if (close == s->text.size)
		return fault_at(s, from, "a tag is never closed with %s", triple ? "}}}" : "}}");
	size_t end = close + (triple ? 3 : 2);
	struct hy_bytes inside = trimmed(hy_bytes(s->text.data + begin + triple, close - begin - triple));
	uint8_t sign = triple ? '&' : inside.size ? inside.data[0] : 0;
	struct hy_bytes name = inside;
	if (!triple && sign && strchr("#^/&>!=", sign))
		name = trimmed(hy_bytes(inside.data + 1, inside.size - 1));
	if (sign == '!') {
		*at = skip_comment(s, end);
		return HY_OK;
	}
	*at = end;
	if (sign == '>')
		return fault_at(s, from, "a template can't include another one");
	if (sign == '=' || (triple && inside.size && inside.data[0] == '='))
		return fault_at(s, from, "the delimiters stay {{ and }}");
	if (name.size == 0)
		return fault_at(s, from, "a tag without a name");
	if (sign == '&' && s->html)
		return fault_at(s, from, "in HTML everything is escaped; write {{%.*s}}",
			name.size < 100 ? (int)name.size : 100, (const char *)name.data);
	hy_buffer_put(&s->clean, s->text.data + from, end - from);
	return sign == '#' || sign == '^' || sign == '/' ? on_section(s, from, sign, name) : HY_OK;
}

static int look_through(struct scan *s)
{
	if (s->text.size > TEMPLATE_MAX)
		return hy_fail(s->fault, HY_TOO_LARGE, "%s: larger than %zu KiB", s->name, TEMPLATE_MAX >> 10);
	if (!hy_utf8_valid(s->text) || (s->text.size && memchr(s->text.data, 0, s->text.size)))
		return hy_fail(s->fault, HY_BAD_INPUT, "%s: not UTF-8 text", s->name);
	for (size_t at = 0; at < s->text.size;) {
		size_t tag = find(s->text, at, "{{");
		hy_buffer_put(&s->clean, s->text.data + at, tag - at);
		at = tag;
		if (tag == s->text.size)
			break;
		int err = on_tag(s, &at);
		if (err)
			return err;
	}
	if (s->depth > 0) {
		struct hy_bytes name = s->open[s->depth - 1].name;
		return fault_at(s, s->open[s->depth - 1].at, "the section '%.*s' is never closed",
			name.size < 100 ? (int)name.size : 100, (const char *)name.data);
	}
	return s->clean.err ? hy_fail(s->fault, HY_NO_MEMORY, "%s: no memory", s->name) : HY_OK;
}

int hy_template_open(struct hy_template **out, const char *name, struct hy_bytes text, bool html, struct hy_fault *f)
{
	struct scan s = { .name = name, .text = text, .html = html, .fault = f };
	char why[256];
	*out = NULL;
	int err = look_through(&s);
	if (err == HY_OK) {
		struct hy_template *t = calloc(1, sizeof(*t));
		if (!t || !(t->name = strdup(name)))
			hy_panic("template: no memory");
		err = hy_mustache_new(
			&t->parsed, hy_buffer_view(&s.clean), html ? hy_text_html : NULL, why, sizeof(why));
		if (err) {
			hy_fail(f, err, "%s: %s", name, why);
			hy_template_close(&t);
		}
		*out = t;
	}
	hy_buffer_free(&s.clean);
	return err;
}

void hy_template_close(struct hy_template **t)
{
	if (!*t)
		return;
	hy_mustache_free((*t)->parsed);
	free((*t)->name);
	free(*t);
	*t = NULL;
}

int hy_template_render(
	struct hy_template *t, const struct hy_template_value *values, struct hy_buffer *out, struct hy_fault *f)
{
	char why[256];
	size_t before = out->size;
	if (out->err)
		return hy_fail(f, out->err, "%s: %s", t->name, hy_err_text(out->err));
	int err = hy_mustache_render(t->parsed, values, out, why, sizeof(why));
	if (err == HY_OK)
		return HY_OK;
	out->size = before;
	return hy_fail(f, err, "%s: %s", t->name, out->err ? hy_err_text(err) : why);
}
