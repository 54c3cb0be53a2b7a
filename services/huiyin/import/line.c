#include "line.h"

#include "base/text.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>

/* ---- rules ---- */

static int add_rule(struct line_rules *rules, const char *text, size_t size, bool constant, struct hy_fault *f)
{
	struct line_rule *r = &rules->list[rules->count];
	const char *equals = memchr(text, '=', size);
	size_t to = equals ? (size_t)(equals - text) : 0, from = equals ? size - to - 1 : 0;
	if (!equals || to == 0 || from == 0)
		return hy_fail(f, HY_USAGE, "'%.*s' is not TO=FROM, like text=review", (int)size, text);
	if (rules->count == LINE_RULES_MAX || to >= sizeof(r->to) || from >= sizeof(r->from))
		return hy_fail(f, HY_USAGE, "too many rules, or too long ones");
	snprintf(r->to, sizeof(r->to), "%.*s", (int)to, text);
	snprintf(r->from, sizeof(r->from), "%.*s", (int)from, equals + 1);
	r->constant = constant;
	rules->count++;
	return HY_OK;
}

int line_rules_parse(struct line_rules *rules, const char *text, bool constant, struct hy_fault *f)
{
	int err = HY_OK;
	while (*text && err == HY_OK) {
		size_t size = constant ? strlen(text) : strcspn(text, ",");
		err = add_rule(rules, text, size, constant, f);
		text += size + (text[size] == ',');
	}
	return err;
}

/* ---- ids ---- */

void line_file(struct line_file *file, const char *name, struct hy_bytes first_line)
{
	const char *slash = strrchr(name, '/');
	crypto_generichash_state h;
	crypto_generichash_init(&h, NULL, 0, sizeof(file->identity));
	name = slash ? slash + 1 : name;
	crypto_generichash_update(&h, (const uint8_t *)name, strlen(name) + 1);
	crypto_generichash_update(&h, first_line.data, first_line.size);
	crypto_generichash_final(&h, file->identity, sizeof(file->identity));
}

void line_id(const struct line_file *file, uint64_t number, struct hy_bytes line, char out[static LINE_ID_TEXT])
{
	uint8_t be[8], hash[16];
	crypto_generichash_state h;
	hy_be_put64(be, number);
	crypto_generichash_init(&h, NULL, 0, sizeof(hash));
	crypto_generichash_update(&h, file->identity, sizeof(file->identity));
	crypto_generichash_update(&h, be, sizeof(be));
	crypto_generichash_update(&h, line.data, line.size);
	crypto_generichash_final(&h, hash, sizeof(hash));
	memcpy(out, "import-", 7);
	hy_hex(hash, sizeof(hash), out + 7);
}

/* ---- with rules ---- */

static json_t *get_path(const json_t *object, const char *path)
{
	json_t *whole = json_object_get(object, path);
	char name[256];
	size_t size = strcspn(path, ".");
	if (whole || !path[size])
		return whole;
	snprintf(name, sizeof(name), "%.*s", (int)size, path);
	return get_path(json_object_get(object, name), path + size + 1);
}

static void set_path(json_t *object, const char *path, json_t *value)
{
	char name[128];
	size_t size = strcspn(path, ".");
	snprintf(name, sizeof(name), "%.*s", (int)size, path);
	if (!path[size]) {
		json_object_set(object, name, value);
		return;
	}
	if (!json_is_object(json_object_get(object, name)))
		json_object_set_new(object, name, json_object());
	set_path(json_object_get(object, name), path + size + 1, value);
}

/* "a, b; c" as a list. */
static json_t *list_of(const char *text)
{
	json_t *list = json_array();
	while (*(text += strspn(text, ",; "))) {
		size_t size = strcspn(text, ",;");
		json_array_append_new(list, json_stringn(text, size));
		text += size;
	}
	return list;
}

/* The scale in "rating.stars", NULL for another path. */
static const char *scale_of(const char *path)
{
	static const char *const scales[] = { "nps", "csat", "ces", "stars", NULL };
	for (size_t i = 0; scales[i] && strncmp(path, "rating.", 7) == 0; i++)
		if (strcmp(path + 7, scales[i]) == 0)
			return scales[i];
	return NULL;
}

/* Others write numbers, lists and yes or no as text, and ids as numbers. */
static json_t *fitting(const char *to, json_t *v)
{
	bool wants_number = strcmp(to, "rating.score") == 0 || strcmp(to, "rating.max") == 0 || scale_of(to);
	const char *text = json_string_value(v);
	char *end, digits[32];
	double n = text && wants_number ? strtod(text, &end) : 0;
	if (text && wants_number && end != text && end[strspn(end, " ")] == 0)
		return n == (double)(int64_t)n ? json_integer((int64_t)n) : json_real(n);
	if (text && strcmp(to, "tags") == 0)
		return list_of(text);
	if (text && strcmp(to, "helped") == 0 && strchr("yntf10", text[0]) && text[0])
		return json_boolean(strchr("yt1", text[0]) != NULL);
	if (!wants_number && json_is_integer(v)) {
		snprintf(digits, sizeof(digits), "%" JSON_INTEGER_FORMAT, json_integer_value(v));
		return json_string(digits);
	}
	return json_incref(v);
}

static bool known(const char *name)
{
	static const char *const names[] = { "id", "text", "rating", "kind", "channel", "customer", "context", "tags",
		"occurred_at", "in_reply_to", "helped", NULL };
	for (size_t i = 0; names[i]; i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

static bool used(const struct line_rules *rules, const char *name)
{
	for (size_t i = 0; i < rules->count; i++)
		if (!rules->list[i].constant && strcmp(rules->list[i].from, name) == 0)
			return true;
	return false;
}

static json_t *apply(const struct line_rules *rules, const json_t *from)
{
	json_t *to = json_object(), *context = json_object(), *v;
	const char *name;
	json_object_foreach((json_t *)(uintptr_t)from, name, v)
	{
		if (used(rules, name) || json_is_null(v))
			continue;
		json_object_set(known(name) ? to : context, name, v);
	}
	if (json_object_size(context) && json_object_get(to, "context"))
		json_object_update_missing(json_object_get(to, "context"), context);
	else if (json_object_size(context))
		json_object_set(to, "context", context);
	json_decref(context);
	for (size_t i = 0; i < rules->count; i++) {
		const struct line_rule *r = &rules->list[i];
		v = r->constant ? json_string(r->from) : json_incref(get_path(from, r->from));
		json_t *fits = v && !json_is_null(v) ? fitting(r->to, v) : NULL;
		const char *scale = fits ? scale_of(r->to) : NULL;
		if (scale) {
			json_t *word = json_string(scale);
			set_path(to, "rating.scale", word);
			json_decref(word);
		}
		if (fits)
			set_path(to, scale ? "rating.score" : r->to, fits);
		json_decref(fits);
		json_decref(v);
	}
	return to;
}

/* ---- the item ---- */

static int item_by_rules(
	const struct line_rules *rules, const char *id, struct hy_bytes line, struct hy_buffer *out, struct hy_fault *f)
{
	json_error_t where;
	json_t *from = json_loadb((const char *)line.data, line.size, JSON_REJECT_DUPLICATES, &where);
	if (!from)
		return hy_fail(f, HY_BAD_INPUT, "column %d: %s", where.column, where.text);
	json_t *to = apply(rules, from);
	if (!json_object_get(to, "id"))
		json_object_set_new(to, "id", json_string(id));
	char *text = json_dumps(to, JSON_COMPACT);
	hy_buffer_text(out, text);
	free(text);
	json_decref(to);
	json_decref(from);
	return out->err;
}

/* A line of a rejects file is what it was before, or as somebody has repaired it. */
static bool was_rejected(const struct hy_json *root)
{
	return hy_json_get(root, "import_reason") && hy_json_get(root, "import_line");
}

static void put_repaired(const struct hy_json *root, struct hy_buffer *out)
{
	const struct hy_json *input = hy_json_get(root, "import_input");
	const char *comma = "";
	if (input && input->type == HY_JSON_TEXT) {
		hy_buffer_bytes(out, input->text);
		return;
	}
	hy_buffer_byte(out, '{');
	for (const struct hy_json *m = root->first; m; m = m->next) {
		if (hy_bytes_starts(m->key, HY_LIT("import_")))
			continue;
		hy_buffer_text(out, comma);
		hy_json_put_text(out, m->key);
		hy_buffer_byte(out, ':');
		hy_json_dump(out, m);
		comma = ",";
	}
	hy_buffer_byte(out, '}');
}

static bool white(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

int line_item(struct hy_json_reader *reader, const struct line_file *file, const struct line_rules *rules,
	uint64_t number, struct hy_bytes line, struct hy_buffer *out, struct hy_fault *f)
{
	const struct hy_json *root;
	char id[LINE_ID_TEXT];
	if (number == 1 && hy_bytes_starts(line, HY_LIT("\xef\xbb\xbf")))
		line = hy_bytes(line.data + 3, line.size - 3);
	while (line.size && white(line.data[0]))
		line = hy_bytes(line.data + 1, line.size - 1);
	while (line.size && white(line.data[line.size - 1]))
		line.size--;
	if (line.size == 0)
		return HY_NOT_FOUND;
	if (line.size > LINE_MAX_BYTES)
		return hy_fail(f, HY_TOO_LARGE, "the line has more than %zu bytes", LINE_MAX_BYTES);
	int err = hy_json_read_copy(reader, line, &root, f);
	if (err)
		return err;
	if (root->type != HY_JSON_OBJECT)
		return hy_fail(
			f, HY_BAD_INPUT, "a feedback is an object, {...}, not %s", hy_json_type_name(root->type));
	if (was_rejected(root)) {
		struct hy_buffer repaired = { 0 };
		put_repaired(root, &repaired);
		err = repaired.err ? repaired.err
				   : line_item(reader, file, rules, number, hy_buffer_view(&repaired), out, f);
		hy_buffer_free(&repaired);
		return err;
	}
	line_id(file, number, line, id);
	if (rules && rules->count)
		return item_by_rules(rules, id, line, out, f);
	if (!hy_json_get(root, "id")) {
		hy_buffer_printf(out, "{\"id\":\"%s\"%s", id, root->count ? "," : "");
		line = hy_bytes(line.data + 1, line.size - 1);
	}
	hy_buffer_bytes(out, line);
	return out->err;
}
