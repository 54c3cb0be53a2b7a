#include "plain.h"

#include "base/text.h"

#include <stdlib.h>

#define QUOTES_MAX 8

struct page {
	struct hy_bytes in;
	size_t at;
	struct hy_buffer *out;
	bool begun; /* the line has something in it */
	bool blank; /* white space is owed */
	int lines; /* ends of lines that are owed */
	size_t quotes; /* blockquotes we are in */
};

/* ---- out ---- */

static void owe_lines(struct page *p, int lines)
{
	p->lines = p->lines > lines ? p->lines : lines;
	p->blank = false;
}

static void put(struct page *p, const void *data, size_t size)
{
	if (p->lines && p->out->size) {
		for (int i = 0; i < p->lines; i++)
			hy_buffer_byte(p->out, '\n');
		p->begun = false;
	}
	p->lines = 0;
	if (!p->begun)
		for (size_t i = 0; i < p->quotes && i < QUOTES_MAX; i++)
			hy_buffer_text(p->out, "> ");
	else if (p->blank)
		hy_buffer_byte(p->out, ' ');
	p->blank = false;
	p->begun = true;
	hy_buffer_put(p->out, data, size);
}

/* ---- entities ---- */

static uint32_t named(const char *name, size_t size)
{
	static const struct {
		const char *name;
		uint32_t cp;
	} names[] = { { "amp", '&' }, { "lt", '<' }, { "gt", '>' }, { "quot", '"' }, { "apos", '\'' }, { "nbsp", ' ' },
		{ "copy", 0xa9 }, { "reg", 0xae }, { "trade", 0x2122 }, { "hellip", 0x2026 }, { "mdash", 0x2014 },
		{ "ndash", 0x2013 }, { "lsquo", 0x2018 }, { "rsquo", 0x2019 }, { "ldquo", 0x201c }, { "rdquo", 0x201d },
		{ "laquo", 0xab }, { "raquo", 0xbb }, { "bull", 0x2022 }, { "middot", 0xb7 }, { "euro", 0x20ac },
		{ "pound", 0xa3 }, { "yen", 0xa5 }, { "cent", 0xa2 }, { "deg", 0xb0 }, { "times", 0xd7 },
		{ "ensp", ' ' }, { "emsp", ' ' }, { "thinsp", ' ' }, { "zwnj", 0x200c }, { "zwj", 0x200d } };
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strlen(names[i].name) == size && memcmp(names[i].name, name, size) == 0)
			return names[i].cp;
	return 0;
}

/* The character of the entity at p->at, which moves behind it; 0 when the & is only an &. */
static uint32_t entity(struct page *p)
{
	const char *from = (const char *)p->in.data + p->at + 1;
	size_t left = p->in.size - p->at - 1, n = 0;
	while (n < left && n < 10 &&
		(from[n] == '#' || (from[n] >= '0' && from[n] <= '9') ||
			((from[n] | 32) >= 'a' && (from[n] | 32) <= 'z')))
		n++;
	uint32_t cp = 0;
	if (n >= 2 && from[0] == '#') {
		char digits[12];
		bool hex = (from[1] | 32) == 'x';
		memcpy(digits, from + 1 + hex, n - 1 - hex);
		digits[n - 1 - hex] = 0;
		cp = (uint32_t)strtoul(digits, NULL, hex ? 16 : 10);
		if (cp > 0x10ffff || (cp >= 0xd800 && cp < 0xe000) || (cp < 32 && cp != '\n' && cp != '\t') ||
			cp == 127)
			cp = 0xfffd;
		cp = cp == 0xa0 ? ' ' : cp;
	} else {
		cp = named(from, n);
	}
	if (cp)
		p->at += 1 + n + (n < left && from[n] == ';');
	return cp;
}

/* ---- tags ---- */

static bool tag_is(const char *name, const char *const *list)
{
	for (; *list; list++)
		if (strcmp(name, *list) == 0)
			return true;
	return false;
}

/* Behind the end of the tag at `at`, quotes respected. */
static size_t tag_end(struct hy_bytes in, size_t at)
{
	uint8_t quote = 0;
	for (; at < in.size; at++) {
		uint8_t c = in.data[at];
		if (quote)
			quote = c == quote ? 0 : quote;
		else if ((c == '"' || c == '\'') && in.data[at - 1] == '=')
			quote = c;
		else if (c == '>')
			return at + 1;
	}
	return in.size;
}

/* Over everything up to </name. */
static void skip_element(struct page *p, const char *name)
{
	size_t n = strlen(name);
	for (; p->at + n + 2 < p->in.size; p->at++)
		if (p->in.data[p->at] == '<' && p->in.data[p->at + 1] == '/' &&
			strncasecmp((const char *)p->in.data + p->at + 2, name, n) == 0) {
			p->at = tag_end(p->in, p->at + 1);
			return;
		}
	p->at = p->in.size;
}

static void take_tag(struct page *p)
{
	static const char *const hidden[] = { "script", "style", "head", "title", "template", "noscript", "svg",
		"object", NULL };
	static const char *const blocks[] = { "p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "table", "pre",
		NULL };
	static const char *const lines[] = { "div", "tr", "li", "dt", "dd", "hr", "section", "article", "header",
		"footer", "center", NULL };
	char name[16];
	size_t n = 0, at = p->at + 1;
	bool end = at < p->in.size && p->in.data[at] == '/';
	at += end;
	while (at + n < p->in.size && n + 1 < sizeof(name) &&
		(((p->in.data[at + n] | 32) >= 'a' && (p->in.data[at + n] | 32) <= 'z') ||
			(n && p->in.data[at + n] >= '0' && p->in.data[at + n] <= '9'))) {
		name[n] = (char)(p->in.data[at + n] | (p->in.data[at + n] >= 'A' ? 32 : 0));
		n++;
	}
	name[n] = 0;
	if (n == 0) { /* "a < b" is text */
		put(p, "<", 1);
		p->at++;
		return;
	}
	p->at = tag_end(p->in, p->at + 1);
	if (!end && tag_is(name, hidden)) {
		skip_element(p, name);
	} else if (strcmp(name, "br") == 0) {
		p->lines++;
		p->lines = p->lines > 2 ? 2 : p->lines;
		p->blank = false;
	} else if (strcmp(name, "blockquote") == 0) {
		owe_lines(p, 1);
		p->quotes += !end;
		p->quotes -= end && p->quotes;
	} else if (tag_is(name, blocks)) {
		owe_lines(p, 2);
	} else if (tag_is(name, lines)) {
		owe_lines(p, 1);
		if (!end && strcmp(name, "li") == 0)
			put(p, "-", 1), p->blank = true;
	} else if (strcmp(name, "td") == 0 || strcmp(name, "th") == 0) {
		p->blank = p->begun;
	}
}

static void take_mark(struct page *p)
{
	struct hy_bytes rest = hy_bytes(p->in.data + p->at, p->in.size - p->at);
	if (hy_bytes_starts(rest, HY_LIT("<!--"))) {
		const uint8_t *end = memmem(rest.data + 4, rest.size - 4, "-->", 3);
		p->at = end ? (size_t)(end - p->in.data) + 3 : p->in.size;
	} else if (rest.size > 1 && (rest.data[1] == '!' || rest.data[1] == '?')) {
		p->at = tag_end(p->in, p->at + 1);
	} else {
		take_tag(p);
	}
}

void plain_html(struct hy_buffer *out, struct hy_bytes html)
{
	struct page p = { .in = html, .out = out };
	while (p.at < html.size) {
		uint8_t c = html.data[p.at];
		if (c == '<') {
			take_mark(&p);
			continue;
		}
		if (c <= ' ') {
			p.blank = p.begun || p.blank;
			p.at++;
			continue;
		}
		uint32_t cp = c == '&' ? entity(&p) : 0;
		if (cp) {
			char utf8[4];
			if (cp == ' ' || cp == '\n' || cp == '\t')
				p.blank = p.begun;
			else
				put(&p, utf8, hy_utf8_put(utf8, cp));
			continue;
		}
		size_t from = p.at++;
		while (c != '&' && p.at < html.size && html.data[p.at] > ' ' && html.data[p.at] != '<' &&
			html.data[p.at] != '&')
			p.at++;
		put(&p, html.data + from, p.at - from);
	}
}
