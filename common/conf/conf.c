#include "conf/inside.h"

#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- Memory ---- */

void *hy_conf_alloc(struct hy_conf *c, size_t size)
{
	size = (size + _Alignof(max_align_t) - 1) & ~(_Alignof(max_align_t) - 1);
	struct hy_conf_block *b = c->memory;
	if (!b || b->room - b->used < size) {
		size_t room = size > 65536 ? size : 65536;
		b = calloc(1, sizeof(*b) + room);
		if (!b)
			hy_panic("conf: no memory");
		b->room = room;
		b->next = c->memory;
		c->memory = b;
	}
	b->used += size;
	return b->data + b->used - size;
}

char *hy_conf_copy(struct hy_conf *c, const char *text, size_t size)
{
	char *copy = hy_conf_alloc(c, size + 1);
	if (size)
		memcpy(copy, text, size);
	return copy;
}

void hy_conf_close(struct hy_conf **c)
{
	struct hy_conf *old = *c;
	if (!old)
		return;
	*c = NULL;
	for (size_t i = 0; i < old->fault_count; i++)
		free(old->faults[i].words);
	free(old->faults);
	hy_buffer_free(&old->file);
	while (old->memory) {
		struct hy_conf_block *b = old->memory;
		old->memory = b->next;
		free(b);
	}
	free(old);
}

/* ---- Values ---- */

/* Reads `text` as the row says; returns NULL or why not. */
static const char *read_as(const struct hy_conf_row *row, const char *text, struct hy_conf_value *v)
{
	switch (row->type) {
	case HY_CONF_INT:
		return hy_conf_parse_int(text, &v->integer);
	case HY_CONF_NUMBER:
		return hy_conf_parse_number(text, &v->number);
	case HY_CONF_BOOL:
		return hy_conf_parse_bool(text, &v->integer);
	case HY_CONF_BYTES:
		return hy_conf_parse_bytes(text, &v->integer);
	case HY_CONF_DURATION:
		return hy_conf_parse_duration(text, &v->integer);
	case HY_CONF_WORD:
		return hy_conf_choice(row->choices, text) ? NULL : "is none of the words that fit here";
	default:
		return NULL;
	}
}

/* A list as a row's default writes it: "a, b" or "[a, b]". */
static const char *const *split_list(struct hy_conf *c, const char *text)
{
	size_t n = 1, i = 0;
	for (const char *p = text; *p; p++)
		n += *p == ',';
	const char **list = hy_conf_alloc(c, (n + 1) * sizeof(*list));
	while (*text) {
		text += strspn(text, "[], ");
		size_t size = strcspn(text, ",]");
		size_t trimmed = size;
		while (trimmed > 0 && text[trimmed - 1] == ' ')
			trimmed--;
		if (trimmed > 0)
			list[i++] = hy_conf_copy(c, text, trimmed);
		text += size;
	}
	return list;
}

static void set_default(struct hy_conf *c, struct hy_conf_value *v)
{
	static const char *const nothing[] = { NULL };
	v->text = v->row->value ? v->row->value : "";
	v->list = nothing;
	if (v->row->type == HY_CONF_LIST) {
		v->list = split_list(c, v->text);
	} else if (v->row->value) {
		const char *why = read_as(v->row, v->text, v);
		if (why)
			hy_panic("conf: the default of %s, '%s', %s", v->row->path, v->text, why);
	}
}

static bool in_bounds(const struct hy_conf_node *n, enum hy_conf_type type, int64_t min, int64_t max, int64_t v)
{
	char low[32], high[32];
	if ((min == 0 && max == 0) || (v >= min && v <= max))
		return true;
	hy_conf_amount(type, min, low);
	hy_conf_amount(type, max, high);
	if (v < min)
		hy_conf_fault(n, "'%s' is too small; the least is %s", n->text, low);
	else
		hy_conf_fault(n, "'%s' is too large; the most is %s", n->text, high);
	return false;
}

static const char *shape_name(const struct hy_conf_node *n)
{
	return n->shape == HY_CONF_MAPPING ? "a map" : n->shape == HY_CONF_SEQUENCE ? "a list" : "a single value";
}

/* The words of "a|b|c" as a NULL-terminated list. */
static const char *const *words_of(struct hy_conf *c, const char *choices)
{
	size_t n = 2, i = 0;
	for (const char *p = choices; *p; p++)
		n += *p == '|';
	const char **words = hy_conf_alloc(c, n * sizeof(*words));
	while (*choices) {
		size_t size = strcspn(choices, "|");
		words[i++] = hy_conf_copy(c, choices, size);
		choices += size + (choices[size] == '|');
	}
	return words;
}

static void take_list(struct hy_conf *c, struct hy_conf_value *v, struct hy_conf_node *n)
{
	if (n->shape == HY_CONF_MAPPING) {
		hy_conf_fault(n, "'%s' is a list of texts, not a map", v->row->path);
		return;
	}
	size_t count = n->shape == HY_CONF_SCALAR ? 1 : n->count, used = 0;
	const char **list = hy_conf_alloc(c, (count + 1) * sizeof(*list));
	for (size_t i = 0; i < count; i++) { /* a single text is a list of one */
		const struct hy_conf_node *item = n->shape == HY_CONF_SCALAR ? n : n->item[i];
		if (item->shape != HY_CONF_SCALAR || item->null)
			hy_conf_fault(item, "a text should stand here, as an item of '%s'", v->row->path);
		else
			list[used++] = item->text;
	}
	v->node = n;
	v->list = list;
}

/* Takes what the file says for a row; after a fault the default stays. */
static void take(struct hy_conf *c, struct hy_conf_value *v, struct hy_conf_node *n)
{
	const struct hy_conf_row *row = v->row;
	if (row->type == HY_CONF_TREE) {
		v->node = n->null ? NULL : n;
		return;
	}
	if (n->null) {
		hy_conf_fault(n->key, "'%s' has no value; leave the line out for the default", row->path);
		return;
	}
	if (row->type == HY_CONF_LIST) {
		take_list(c, v, n);
		return;
	}
	if (n->shape != HY_CONF_SCALAR) {
		hy_conf_fault(n, "'%s' is a single value, not %s", row->path, shape_name(n));
		return;
	}
	struct hy_conf_value read = *v;
	const char *why = read_as(row, n->text, &read);
	if (why && row->type == HY_CONF_WORD) {
		const char *meant = hy_did_you_mean(n->text, words_of(c, row->choices));
		hy_conf_fault(n, meant ? "'%s' isn't one of %s; did you mean '%s'?" : "'%s' isn't one of %s", n->text,
			row->choices, meant);
	} else if (why) {
		hy_conf_fault(n, "'%s' %s", n->text, why);
	} else if (in_bounds(n, row->type, row->min, row->max, read.integer)) {
		read.text = n->text;
		read.node = n;
		*v = read;
	}
}

/* ---- The file against the rows ---- */

/* Is `path` exactly, or does it begin with, PREFIX.NAME (or NAME for an empty prefix)? Returns what follows, or NULL. */
static const char *below(const char *path, const char *prefix, const char *name)
{
	size_t p = strlen(prefix), n = strlen(name);
	if (p) {
		if (strncmp(path, prefix, p) != 0 || path[p] != '.')
			return NULL;
		path += p + 1;
	}
	if (strncmp(path, name, n) != 0 || (path[n] && path[n] != '.'))
		return NULL;
	return path + n;
}

/* The names that may stand directly below `prefix`. */
static const char *const *names_below(struct hy_conf *c, const char *prefix)
{
	size_t parts = 0, used = 0, p = strlen(prefix);
	while (!p && hy_conf_parts[parts])
		parts++;
	const char **names = hy_conf_alloc(c, (parts + c->count + 1) * sizeof(*names));
	for (; used < parts; used++)
		names[used] = hy_conf_parts[used];
	for (size_t i = 0; i < c->count; i++) {
		const char *path = c->values[i].row->path;
		if (p && (strncmp(path, prefix, p) != 0 || path[p] != '.'))
			continue;
		path += p ? p + 1 : 0;
		names[used++] = hy_conf_copy(c, path, strcspn(path, "."));
	}
	return names;
}

static bool among(const char *word, const char *const *names)
{
	for (; *names; names++) {
		if (strcmp(word, *names) == 0)
			return true;
	}
	return false;
}

static void unknown(const struct hy_conf_node *key, const char *const *names)
{
	const char *meant = hy_did_you_mean(key->text, names);
	if (meant)
		hy_conf_fault(key, "unknown setting '%s'; did you mean '%s'?", key->text, meant);
	else
		hy_conf_fault(key, "unknown setting '%s'", key->text);
}

static void check(struct hy_conf *c, struct hy_conf_node *map, const char *prefix)
{
	const char *const *names = NULL;
	for (size_t i = 0; i < map->count; i++) {
		struct hy_conf_node *n = map->item[i];
		const char *name = n->key->text;
		if (!*name || (c->cut && map == c->root && i + 1 == map->count))
			continue; /* told already, or not read to its end */
		struct hy_conf_value *leaf = NULL;
		bool inner = false;
		for (size_t k = 0; k < c->count; k++) {
			const char *rest = below(c->values[k].row->path, prefix, name);
			if (rest && *rest)
				inner = true;
			else if (rest && !leaf) /* of a path that two tables share, the first row counts */
				leaf = &c->values[k];
		}
		if (leaf) {
			take(c, leaf, n);
		} else if (inner && n->shape == HY_CONF_MAPPING) {
			struct hy_buffer path = { 0 };
			hy_buffer_printf(&path, "%s%s%s", prefix, *prefix ? "." : "", name);
			check(c, n, hy_conf_copy(c, (const char *)path.data, path.size));
			hy_buffer_free(&path);
		} else if (inner && !n->null) {
			hy_conf_fault(n, "'%s' is a map of settings, not %s", name, shape_name(n));
		} else if (!inner && (*prefix || !among(name, hy_conf_parts))) {
			if (!names)
				names = names_below(c, prefix);
			unknown(n->key, names);
		}
	}
}

static void read_file(struct hy_conf *c)
{
	struct stat st;
	int fd = open(c->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) != 0) {
		hy_conf_fault_at(c, NOWHERE,
			errno == ENOENT ? "there is no such file; `huiyin init DIR` writes one" : "can't be read: %s",
			strerror(errno));
	} else if (!S_ISREG(st.st_mode)) {
		hy_conf_fault_at(c, NOWHERE, "isn't a file");
	} else {
		ssize_t got = 1;
		while (got > 0 && c->file.size <= HY_CONF_FILE_MAX) {
			uint8_t *room = hy_buffer_room(&c->file, 65536);
			if (!room)
				hy_panic("conf: no memory");
			got = read(fd, room, 65536);
			if (got > 0)
				c->file.size += (size_t)got;
			else if (got < 0 && errno == EINTR)
				got = 1;
		}
		if (got < 0)
			hy_conf_fault_at(c, NOWHERE, "can't be read: %s", strerror(errno));
		else if (c->file.size > HY_CONF_FILE_MAX)
			hy_conf_fault_at(c, NOWHERE, "is larger than %zu KiB", HY_CONF_FILE_MAX / 1024);
	}
	if (fd >= 0)
		close(fd);
	if (c->fault_count)
		return;
	struct hy_bytes file = hy_buffer_view(&c->file);
	for (size_t at = 0; at < file.size;) {
		size_t before = at;
		uint32_t cp = hy_utf8_next(file, &at);
		if ((cp == 0xfffd && at == before + 1) || cp == 0) {
			hy_conf_fault_at(c, before, cp ? "not UTF-8" : "a NUL character");
			return;
		}
	}
	hy_conf_parse(c);
}

void hy_conf_open_defaults(struct hy_conf **out, const struct hy_conf_row *const *tables)
{
	struct hy_conf *c = calloc(1, sizeof(*c));
	if (!c)
		hy_panic("conf: no memory");
	for (size_t t = 0; tables[t]; t++) {
		for (const struct hy_conf_row *row = tables[t]; row->path; row++)
			c->count++;
	}
	c->values = hy_conf_alloc(c, (c->count + 1) * sizeof(*c->values));
	size_t n = 0;
	for (size_t t = 0; tables[t]; t++) {
		for (const struct hy_conf_row *row = tables[t]; row->path; row++, n++) {
			c->values[n].row = row;
			set_default(c, &c->values[n]);
		}
	}
	*out = c;
}

int hy_conf_open(
	struct hy_conf **out, const char *path, const struct hy_conf_row *const *tables, struct hy_buffer *report)
{
	struct hy_conf *c;
	hy_conf_open_defaults(&c, tables);
	c->path = hy_conf_copy(c, path, strlen(path));
	read_file(c);
	if (c->root && c->root->shape == HY_CONF_MAPPING)
		check(c, c->root, "");
	else if (c->root && !c->root->null)
		hy_conf_fault(c->root, "the file is a map of settings, 'name: value', not %s", shape_name(c->root));
	*out = c;
	return hy_conf_verdict(c, report);
}

/* ---- Looking values up ---- */

static const struct hy_conf_value *value_of(const struct hy_conf *c, const char *path)
{
	for (size_t i = 0; i < c->count; i++) {
		if (strcmp(c->values[i].row->path, path) == 0)
			return &c->values[i];
	}
	hy_panic("conf: there is no row '%s'", path);
}

const char *hy_conf_text(const struct hy_conf *c, const char *path)
{
	return value_of(c, path)->text;
}

int64_t hy_conf_int(const struct hy_conf *c, const char *path)
{
	return value_of(c, path)->integer;
}

double hy_conf_number(const struct hy_conf *c, const char *path)
{
	return value_of(c, path)->number;
}

bool hy_conf_bool(const struct hy_conf *c, const char *path)
{
	return value_of(c, path)->integer != 0;
}

const char *const *hy_conf_list(const struct hy_conf *c, const char *path)
{
	return value_of(c, path)->list;
}

const struct hy_conf_node *hy_conf_tree(const struct hy_conf *c, const char *path)
{
	return value_of(c, path)->node;
}

/* ---- Walking ---- */

enum hy_conf_shape hy_conf_shape(const struct hy_conf_node *n)
{
	return n->shape;
}

size_t hy_conf_count(const struct hy_conf_node *n)
{
	return n->count;
}

const struct hy_conf_node *hy_conf_item(const struct hy_conf_node *n, size_t i)
{
	return i < n->count ? n->item[i] : NULL;
}

const char *hy_conf_key(const struct hy_conf_node *n, size_t i)
{
	return n->shape == HY_CONF_MAPPING && i < n->count ? n->item[i]->key->text : "";
}

const struct hy_conf_node *hy_conf_key_node(const struct hy_conf_node *n, size_t i)
{
	return n->shape == HY_CONF_MAPPING && i < n->count ? n->item[i]->key : n;
}

const struct hy_conf_node *hy_conf_get(const struct hy_conf_node *n, const char *key)
{
	for (size_t i = 0; n && n->shape == HY_CONF_MAPPING && i < n->count; i++) {
		if (strcmp(n->item[i]->key->text, key) == 0)
			return n->item[i];
	}
	return NULL;
}

const char *hy_conf_scalar(const struct hy_conf_node *n)
{
	return n->null ? "" : n->text;
}

static bool is_scalar(const struct hy_conf_node *n, const char *wanted)
{
	if (n->shape == HY_CONF_SCALAR && !n->null)
		return true;
	hy_conf_fault(n, "%s should stand here", wanted);
	return false;
}

static bool said(const struct hy_conf_node *n, const char *why)
{
	if (why)
		hy_conf_fault(n, "'%s' %s", n->text, why);
	return !why;
}

bool hy_conf_read_int(const struct hy_conf_node *n, int64_t min, int64_t max, int64_t *out)
{
	int64_t v = 0;
	if (!is_scalar(n, "a whole number") || !said(n, hy_conf_parse_int(n->text, &v)) ||
		!in_bounds(n, HY_CONF_INT, min, max, v))
		return false;
	*out = v;
	return true;
}

bool hy_conf_read_number(const struct hy_conf_node *n, double *out)
{
	return is_scalar(n, "a number") && said(n, hy_conf_parse_number(n->text, out));
}

bool hy_conf_read_bool(const struct hy_conf_node *n, bool *out)
{
	int64_t v = 0;
	if (!is_scalar(n, "true or false") || !said(n, hy_conf_parse_bool(n->text, &v)))
		return false;
	*out = v != 0;
	return true;
}

bool hy_conf_read_duration(const struct hy_conf_node *n, int64_t *ms)
{
	return is_scalar(n, "a duration") && said(n, hy_conf_parse_duration(n->text, ms));
}

void hy_conf_known(const struct hy_conf_node *n, const char *const *known)
{
	if (n->shape != HY_CONF_MAPPING) {
		if (!n->null)
			hy_conf_fault(n, "a map of settings should stand here, not %s", shape_name(n));
		return;
	}
	for (size_t i = 0; i < n->count; i++) {
		if (*n->item[i]->key->text && !among(n->item[i]->key->text, known))
			unknown(n->item[i]->key, known);
	}
}
