#include "keylist.h"

#include <stdlib.h>

/* Where the list lies in the text, as offsets. */
struct list {
	bool there;
	size_t head, behind_head; /* the line "keys:" */
	bool empty_flow; /* "keys: []" */
	size_t begin, end; /* of its items, whole lines; comments and empty lines behind the last one are not its */
	size_t indent; /* columns before an item's dash */
	bool any;
};

static size_t line_end(struct hy_bytes t, size_t at)
{
	const uint8_t *lf = at < t.size ? memchr(t.data + at, '\n', t.size - at) : NULL;
	return lf ? (size_t)(lf - t.data) + 1 : t.size;
}

static size_t spaces(struct hy_bytes t, size_t at)
{
	size_t n = 0;
	while (at + n < t.size && t.data[at + n] == ' ')
		n++;
	return n;
}

static bool blank(struct hy_bytes t, size_t at)
{
	at += spaces(t, at);
	return at >= t.size || t.data[at] == '\n' || t.data[at] == '\r' || t.data[at] == '#';
}

static bool item(struct hy_bytes t, size_t at)
{
	at += spaces(t, at);
	return at < t.size && t.data[at] == '-' && (at + 1 >= t.size || strchr(" \t\r\n", t.data[at + 1]));
}

static int find(struct hy_bytes t, struct list *l, struct hy_fault *f)
{
	*l = (struct list){ 0 };
	for (size_t at = 0; at < t.size; at = line_end(t, at))
		if (hy_bytes_starts(hy_bytes(t.data + at, t.size - at), HY_LIT("keys:"))) {
			l->there = true;
			l->head = at;
			break;
		}
	if (!l->there)
		return HY_OK;
	l->behind_head = l->begin = l->end = line_end(t, l->head);
	size_t value = l->head + 5 + spaces(t, l->head + 5);
	l->empty_flow = hy_bytes_starts(hy_bytes(t.data + value, t.size - value), HY_LIT("[]"));
	if (!l->empty_flow && !blank(t, value))
		return hy_fail(f, HY_BAD_STATE,
			"the list `keys` stands on one line; write an item a line, each behind a dash, so that it can "
			"be edited here");
	for (size_t at = l->behind_head; at < t.size && !l->empty_flow; at = line_end(t, at)) {
		if (blank(t, at))
			continue;
		if (!l->any && item(t, at)) {
			l->any = true;
			l->indent = spaces(t, at);
			l->begin = at;
		}
		bool ours = l->any && (spaces(t, at) > l->indent || (spaces(t, at) == l->indent && item(t, at)));
		if (!ours)
			break;
		l->end = line_end(t, at);
	}
	return HY_OK;
}

static void put(struct hy_buffer *out, struct hy_bytes t, size_t from, size_t to)
{
	hy_buffer_put(out, t.data + from, to - from);
}

int keylist_add(struct hy_bytes t, const char *row, struct hy_buffer *out, struct hy_fault *f)
{
	struct list l;
	int err = find(t, &l, f);
	if (err)
		return err;
	size_t at = l.there ? l.end : t.size;
	if (l.empty_flow) {
		put(out, t, 0, l.head);
		hy_buffer_text(out, "keys:\n");
		at = l.behind_head;
	} else {
		put(out, t, 0, at);
		if (at > 0 && t.data[at - 1] != '\n')
			hy_buffer_byte(out, '\n');
		if (!l.there)
			hy_buffer_text(out, "\nkeys:\n");
	}
	hy_buffer_printf(out, "%*s- %s\n", l.any ? (int)l.indent : 2, "", row);
	put(out, t, at, t.size);
	return out->err;
}

/* Whether the item's lines say "name: NAME", in any of YAML's ways that one would use. */
static bool has_name(struct hy_bytes t, const char *name)
{
	size_t size = strlen(name);
	for (size_t at = 0; at + 5 < t.size; at++) {
		if (memcmp(t.data + at, "name:", 5) != 0 || (at && !strchr(" {,-\n", t.data[at - 1])))
			continue;
		size_t v = at + 5 + spaces(t, at + 5);
		bool quoted = v < t.size && (t.data[v] == '"' || t.data[v] == '\'');
		v += quoted;
		return v + size <= t.size && memcmp(t.data + v, name, size) == 0 &&
		       (v + size == t.size || strchr(quoted ? "\"'" : " ,}\r\n#", t.data[v + size]));
	}
	return false;
}

int keylist_remove(struct hy_bytes t, const char *name, struct hy_buffer *out, struct hy_fault *f)
{
	struct list l;
	int err = find(t, &l, f);
	if (err)
		return err;
	size_t count = 0, from = 0, to = 0;
	for (size_t at = l.begin; at < l.end;) {
		size_t next = line_end(t, at);
		while (next < l.end && !(spaces(t, next) == l.indent && item(t, next)))
			next = line_end(t, next);
		count += item(t, at);
		if (has_name(hy_bytes(t.data + at, next - at), name)) {
			from = at;
			to = next;
		}
		at = next;
	}
	if (to == 0)
		return hy_fail(f, HY_NOT_FOUND, "no key '%s' in the list; `huiyin key list` shows them", name);
	if (count == 1) { /* a list without items would read as nothing at all */
		put(out, t, 0, l.head);
		hy_buffer_text(out, "keys: []\n");
		put(out, t, l.behind_head, from);
	} else {
		put(out, t, 0, from);
	}
	put(out, t, to, t.size);
	return out->err;
}
