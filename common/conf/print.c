/* The configuration as commented YAML that reads back as the same configuration. */
#include "conf/inside.h"

#include <stdio.h>
#include <strings.h>

#define HIDDEN "\"(hidden)\""

/* What nobody wants to find in a bug report. */
static bool is_secret(const char *name)
{
	static const char *const secrets[] = { "password", "secret", "token" };
	for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++) {
		if (strcasestr(name, secrets[i]))
			return true;
	}
	return false;
}

static bool needs_quotes(const char *text)
{
	static const char *const null_words[] = { "~", "null" };
	size_t size = strlen(text);
	if (size == 0 || strchr(" -?:,[]{}#&*!|>'\"%@`=<", text[0]) || text[size - 1] == ' ' || text[size - 1] == ':')
		return true;
	for (size_t i = 0; i < sizeof(null_words) / sizeof(null_words[0]); i++) {
		if (strcmp(text, null_words[i]) == 0)
			return true;
	}
	for (size_t i = 0; i < size; i++) {
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f || strchr(",[]{}\"\\", text[i]) ||
			(text[i] == ':' && text[i + 1] == ' ') || (text[i] == ' ' && text[i + 1] == '#'))
			return true;
	}
	return false;
}

static void put_scalar(struct hy_buffer *out, const char *text)
{
	/* A negative number is the one thing that may begin with a dash. */
	bool number = text[0] == '-' && text[1] >= '0' && text[1] <= '9' && !text[1 + strspn(text + 1, "0123456789.")];
	if (number || !needs_quotes(text)) {
		hy_buffer_text(out, text);
		return;
	}
	hy_buffer_byte(out, '"');
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			hy_buffer_printf(out, "\\%c", *text);
		else if (*text == '\n')
			hy_buffer_text(out, "\\n");
		else if ((unsigned char)*text < ' ' || *text == 0x7f)
			hy_buffer_printf(out, "\\x%02x", (unsigned)*text);
		else
			hy_buffer_byte(out, (uint8_t)*text);
	}
	hy_buffer_byte(out, '"');
}

static void indent(struct hy_buffer *out, int depth)
{
	for (int i = 0; i < depth; i++)
		hy_buffer_text(out, "  ");
}

/* A node behind "name:" or "-": on the same line when it is a scalar or empty, else below it. */
static void put_tree(struct hy_buffer *out, const struct hy_conf_node *n, int depth, bool secret)
{
	if (n->shape == HY_CONF_SCALAR || n->count == 0) {
		hy_buffer_byte(out, ' ');
		if (n->shape != HY_CONF_SCALAR)
			hy_buffer_text(out, n->shape == HY_CONF_MAPPING ? "{}" : "[]");
		else if (n->null)
			hy_buffer_text(out, "null");
		else if (secret)
			hy_buffer_text(out, HIDDEN);
		else
			put_scalar(out, n->text);
		hy_buffer_byte(out, '\n');
		return;
	}
	hy_buffer_byte(out, '\n');
	for (size_t i = 0; i < n->count; i++) {
		indent(out, depth);
		if (n->shape == HY_CONF_SEQUENCE) {
			hy_buffer_byte(out, '-');
		} else {
			put_scalar(out, n->item[i]->key->text);
			hy_buffer_byte(out, ':');
		}
		put_tree(out, n->item[i], depth + 1, secret || (n->item[i]->key && is_secret(n->item[i]->key->text)));
	}
}

static void put_list(struct hy_buffer *out, const char *const *list)
{
	hy_buffer_byte(out, '[');
	for (size_t i = 0; list[i]; i++) {
		hy_buffer_text(out, i ? ", " : "");
		put_scalar(out, list[i]);
	}
	hy_buffer_byte(out, ']');
}

/* Help, bounds and whether the default holds, as a comment above the setting. */
static void put_help(struct hy_buffer *out, const struct hy_conf_value *v, int depth, bool in_force)
{
	const struct hy_conf_row *row = v->row;
	char low[32], high[32];
	indent(out, depth);
	const char *help = row->help ? row->help : row->path;
	hy_buffer_printf(out, "# %s", help);
	if ((row->type == HY_CONF_WORD || row->min || row->max) && help[0] && !strchr(".?!", help[strlen(help) - 1]))
		hy_buffer_byte(out, '.');
	if (row->type == HY_CONF_WORD)
		hy_buffer_printf(out, " One of %s.", row->choices);
	if (row->min || row->max) {
		hy_conf_amount(row->type, row->min, low);
		hy_conf_amount(row->type, row->max, high);
		hy_buffer_printf(out, " From %s to %s.", low, high);
	}
	if (in_force && row->type != HY_CONF_TREE) {
		if (!v->node)
			hy_buffer_text(out, " (default)");
		else if (row->value)
			hy_buffer_printf(out, " (default: %s)", *row->value ? row->value : "empty");
	}
	hy_buffer_byte(out, '\n');
}

static void put_value(struct hy_buffer *out, const struct hy_conf_value *v, const char *name, int depth, bool in_force)
{
	const struct hy_conf_row *row = v->row;
	if (row->type == HY_CONF_TREE && !in_force)
		return;
	put_help(out, v, depth, in_force);
	indent(out, depth);
	if (!v->node && !row->value) {
		hy_buffer_printf(out, "# %s:\n", name); /* nothing set, nothing by default */
		return;
	}
	hy_buffer_printf(out, "%s:", name);
	if (row->type == HY_CONF_TREE) {
		put_tree(out, v->node, depth + 1, is_secret(name));
		return;
	}
	hy_buffer_byte(out, ' ');
	if (row->type == HY_CONF_LIST)
		put_list(out, v->list);
	else if (is_secret(name) && *v->text)
		hy_buffer_text(out, HIDDEN);
	else
		put_scalar(out, v->text);
	hy_buffer_byte(out, '\n');
}

/* What comes behind `prefix` in `path`, or NULL when `path` isn't below it. */
static const char *behind(const char *path, const char *prefix, size_t size)
{
	if (size == 0)
		return path;
	return strncmp(path, prefix, size) == 0 && path[size] == '.' ? path + size + 1 : NULL;
}

static bool anything_below(
	const struct hy_conf_value *values, size_t count, const char *prefix, size_t size, bool in_force)
{
	for (size_t i = 0; i < count; i++) {
		if (behind(values[i].row->path, prefix, size) && (in_force || values[i].row->type != HY_CONF_TREE))
			return true;
	}
	return false;
}

/* Has a row before `i` the same name at this level? Rows of one map need not stand together in their tables. */
static bool seen(
	const struct hy_conf_value *values, size_t i, const char *prefix, size_t size, const char *name, size_t length)
{
	for (size_t k = 0; k < i; k++) {
		const char *rest = behind(values[k].row->path, prefix, size);
		if (rest && strcspn(rest, ".") == length && strncmp(rest, name, length) == 0)
			return true;
	}
	return false;
}

static void put_level(struct hy_buffer *out, const struct hy_conf_value *values, size_t count, const char *prefix,
	size_t size, int depth, bool in_force)
{
	for (size_t i = 0; i < count; i++) {
		const char *name = behind(values[i].row->path, prefix, size);
		size_t length = name ? strcspn(name, ".") : 0;
		if (!name || seen(values, i, prefix, size, name, length))
			continue;
		if (!name[length]) {
			put_value(out, &values[i], name, depth, in_force);
			if (depth == 0)
				hy_buffer_byte(out, '\n');
			continue;
		}
		size_t below = (size_t)(name - values[i].row->path) + length;
		if (!anything_below(values, count, values[i].row->path, below, in_force))
			continue;
		for (const struct hy_conf_part *p = hy_conf_part_table; depth == 0 && p->name; p++) {
			if (strlen(p->name) == length && strncmp(p->name, name, length) == 0)
				hy_buffer_printf(out, "# %s\n", p->about);
		}
		indent(out, depth);
		hy_buffer_printf(out, "%.*s:\n", (int)length, name);
		put_level(out, values, count, values[i].row->path, below, depth + 1, in_force);
		if (depth == 0)
			hy_buffer_byte(out, '\n');
	}
}

void hy_conf_print(const struct hy_conf *c, struct hy_buffer *out)
{
	put_level(out, c->values, c->count, "", 0, 0, true);
}

void hy_conf_print_defaults(const struct hy_conf_row *rows, struct hy_buffer *out)
{
	struct hy_conf *c = NULL;
	const struct hy_conf_row *const tables[] = { rows, NULL };
	hy_conf_open_defaults(&c, tables);
	put_level(out, c->values, c->count, "", 0, 0, false);
	hy_conf_close(&c);
}
