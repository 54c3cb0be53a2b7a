#include "mapped.h"

#include "base/text.h"

#include <math.h>
#include <stdlib.h>

static char empty[] = "";

/* ---- finding ---- */

/* A reference token against a name: ~1 is /, ~0 is ~. */
static bool token_is(const char *token, size_t size, struct hy_bytes key)
{
	size_t at = 0;
	for (size_t i = 0; i < size; i++, at++) {
		char c = token[i];
		if (c == '~' && i + 1 < size)
			c = token[++i] == '1' ? '/' : '~';
		if (at >= key.size || key.data[at] != (uint8_t)c)
			return false;
	}
	return at == key.size;
}

static const struct hy_json *child(const struct hy_json *node, const char *token, size_t size)
{
	const struct hy_json *c = node->first;
	if (node->type == HY_JSON_OBJECT) {
		while (c && !token_is(token, size, c->key))
			c = c->next;
		return c;
	}
	if (node->type != HY_JSON_ARRAY || size == 0 || size > 6 || strspn(token, "0123456789") < size)
		return NULL;
	for (unsigned long i = strtoul(token, NULL, 10); c && i; i--)
		c = c->next;
	return c;
}

const struct hy_json *map_at(const struct hy_json *root, const char *pointer)
{
	while (root && *pointer == '/') {
		size_t size = strcspn(++pointer, "/");
		root = child(root, pointer, size);
		pointer += size;
	}
	return root;
}

static bool has_value(const struct hy_json *v)
{
	return v && (v->type == HY_JSON_NUMBER || v->type == HY_JSON_BOOL || (v->type == HY_JSON_TEXT && v->text.size));
}

/* The field's value as text, "" when it has none. */
static char *find(struct mapped *m, enum map_field field, const char *const *places, const struct hy_json *root)
{
	char *found = NULL;
	for (size_t i = 0; i < MAP_PLACES && places[i]; i++) {
		const struct hy_json *v = places[i][0] == '/' ? map_at(root, places[i]) : NULL;
		if (!found && has_value(v)) {
			m->from[field] = v;
			found = intake_value_text(m->in, v);
		} else if (!found && places[i][0] != '/') {
			found = (char *)(uintptr_t)places[i];
		} else if (v && (field == MAP_EMAIL || field == MAP_PHONE)) {
			m->hidden[m->hidden_count++] = v;
		}
	}
	return found ? found : empty;
}

/* ---- filling ---- */

static bool within(const char *text, size_t points)
{
	struct hy_bytes v = hy_bytes_text(text);
	return v.size <= points || hy_utf8_count(v) <= points;
}

static char *only_email(char *text)
{
	const char *at = strchr(text, '@');
	return at && at != text && at[1] && !text[strcspn(text, " \t\r\n<>")] && within(text, 254) ? text : empty;
}

static char *only_phone(char *text)
{
	return !text[strspn(text, "+0123456789 -().")] && within(text, 32) ? text : empty;
}

static bool read_number(const char *text, double *out)
{
	char *end;
	*out = strtod(text, &end);
	return end != text && !*end && isfinite(*out);
}

static void fault(struct mapped *m, enum map_field field, const char *detail)
{
	struct hy_buffer pointer = { 0 };
	hy_json_pointer(&pointer, m->from[field] ? m->from[field] : m->root);
	intake_fault(m->out, hy_buffer_string(&pointer), detail);
	hy_buffer_free(&pointer);
}

static void fill_rating(struct mapped *m, char *scale, const char *score, const char *max)
{
	huiyin__rating__init(&m->rating);
	if (!score[0])
		return;
	if (!read_number(score, &m->rating.score)) {
		fault(m, MAP_SCORE, "must be a number");
		return;
	}
	m->rating.has_score_case = HUIYIN__RATING__HAS_SCORE_SCORE;
	m->rating.scale = scale[0] ? scale : (char *)(uintptr_t) "stars";
	if (max[0]) {
		m->rating.has_max_case = HUIYIN__RATING__HAS_MAX_MAX;
		if (!read_number(max, &m->rating.max))
			fault(m, MAP_MAX, "must be a number");
	}
	m->ratings[0] = &m->rating;
	m->item.rating = m->ratings;
	m->item.n_rating = 1;
}

void map_fill(struct mapped *m, const struct intake *in, const struct map_door *door, const struct map_row *row,
	const struct hy_json *root, struct item *out)
{
	char *value[MAP_FIELDS];
	*out = (struct item){ 0 };
	memset(m->from, 0, sizeof(m->from));
	m->in = in;
	m->door = door;
	m->root = root;
	m->out = out;
	m->hidden_count = 0;
	huiyin__item__init(&m->item);
	huiyin__who__init(&m->who);
	for (int f = 0; f < MAP_FIELDS; f++)
		value[f] = find(m, (enum map_field)f, row && row->at[f][0] ? row->at[f] : door->usual->at[f], root);
	m->item.kind = row ? row->kind : door->usual->kind;
	m->item.channel = (char *)(uintptr_t)door->channel;
	m->item.text = value[MAP_TEXT];
	m->item.in_reply_to = value[MAP_IN_REPLY_TO];
	m->item.context = m->context;
	fill_rating(m, value[MAP_SCALE], value[MAP_SCORE], value[MAP_MAX]);
	m->who.id = value[MAP_CUSTOMER];
	m->who.email = only_email(value[MAP_EMAIL]);
	m->who.phone = only_phone(value[MAP_PHONE]);
	m->who.name = within(value[MAP_NAME], 200) ? value[MAP_NAME] : empty;
	m->who.locale = within(value[MAP_LOCALE], 35) ? value[MAP_LOCALE] : empty;
	m->who.timezone = within(value[MAP_TIMEZONE], 64) ? value[MAP_TIMEZONE] : empty;
}

bool map_says(const struct mapped *m)
{
	return m->item.text[0] || m->item.n_rating || m->out->errors;
}

/* ---- what is not mapped ---- */

void map_note(struct mapped *m, const char *name, const char *value)
{
	if (!value || !value[0] || m->item.n_context == MAP_CONTEXT)
		return;
	Huiyin__Pair *p = &m->pairs[m->item.n_context];
	huiyin__pair__init(p);
	p->name = (char *)(uintptr_t)name;
	p->value = (char *)(uintptr_t)value;
	m->context[m->item.n_context++] = p;
}

static bool holds(const struct hy_json *member, const struct hy_json *inner)
{
	while (inner && inner != member)
		inner = inner->parent;
	return inner != NULL;
}

static bool is_contact(struct hy_bytes name)
{
	static const char *const names[] = { "email", "phone", "contact_email" };
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (name.size == strlen(names[i]) && strncasecmp((const char *)name.data, names[i], name.size) == 0)
			return true;
	return false;
}

static bool named(const struct hy_json *member, const char *const *names)
{
	for (; names && *names; names++)
		if (hy_bytes_equal(member->key, hy_bytes_text(*names)))
			return true;
	return false;
}

/* Mapped already, contact data, or nothing. */
static bool left_out(const struct mapped *m, const struct hy_json *member, const char *const *without)
{
	if (member->type == HY_JSON_NULL || is_contact(member->key) || named(member, without))
		return true;
	for (int f = 0; f < MAP_FIELDS; f++)
		if (m->from[f] == member)
			return true;
	for (size_t i = 0; i < m->hidden_count; i++)
		if (holds(member, m->hidden[i]))
			return true;
	return holds(member, m->from[MAP_EMAIL]) || holds(member, m->from[MAP_PHONE]);
}

/* The rest of an object as one JSON object. */
static void note_rest(struct mapped *m, const char *prefix, const struct hy_json *v, const char *const *without)
{
	struct hy_buffer text = { 0 }, name = { 0 };
	bool more = false;
	hy_buffer_byte(&text, '{');
	for (; v; v = v->next) {
		if (left_out(m, v, without))
			continue;
		struct hy_json key = { .type = HY_JSON_TEXT, .text = v->key };
		if (more)
			hy_buffer_byte(&text, ',');
		more = true;
		hy_json_dump(&text, &key);
		hy_buffer_byte(&text, ':');
		hy_json_dump(&text, v);
	}
	hy_buffer_byte(&text, '}');
	hy_buffer_printf(&name, "%smore", prefix);
	const char *kept_name = hy_arena_text(m->in->arena, hy_buffer_view(&name));
	if (more && kept_name)
		map_note(m, kept_name, hy_arena_text(m->in->arena, hy_buffer_view(&text)));
	hy_buffer_free(&text);
	hy_buffer_free(&name);
}

void map_members(struct mapped *m, const char *prefix, const struct hy_json *object, const char *const *without)
{
	const struct hy_json *v = object && object->type == HY_JSON_OBJECT ? object->first : NULL;
	for (; v && m->item.n_context + 1 < MAP_CONTEXT; v = v->next) {
		if (left_out(m, v, without))
			continue;
		size_t size = strlen(prefix);
		char *name = hy_arena_get(m->in->arena, size + v->key.size + 1);
		if (!name)
			return; /* what follows will not fit either, and says so */
		memcpy(name, prefix, size);
		memcpy(name + size, v->key.data, v->key.size + 1);
		map_note(m, name, intake_value_text(m->in, v));
	}
	if (v)
		note_rest(m, prefix, v, without);
}

void map_traits(struct mapped *m, const struct hy_json *object, const char *const *without)
{
	if (!object || object->type != HY_JSON_OBJECT)
		return;
	size_t room = object->count < MAP_CONTEXT ? object->count : MAP_CONTEXT;
	Huiyin__Pair *pairs = hy_arena_get(m->in->arena, (room + 1) * sizeof(*pairs));
	m->who.traits = hy_arena_get(m->in->arena, (room + 1) * sizeof(*m->who.traits));
	if (!pairs || !m->who.traits)
		return;
	for (const struct hy_json *v = object->first; v && m->who.n_traits < room; v = v->next) {
		if (left_out(m, v, without))
			continue;
		Huiyin__Pair *p = &pairs[m->who.n_traits];
		huiyin__pair__init(p);
		p->name = (char *)(uintptr_t)v->key.data;
		p->value = intake_value_text(m->in, v);
		m->who.traits[m->who.n_traits++] = p;
	}
}

void map_time(struct mapped *m, int64_t said_ms, int64_t sent_ms)
{
	int64_t at = said_ms && sent_ms ? said_ms + (m->in->now_ms - sent_ms) : said_ms;
	m->item.occurred_ms = at > 0 ? at : 0;
}

/* ---- checking ---- */

/* The checker's pointers say where in an Item; here they are made to say where in the call. */
static void place_faults(struct mapped *m)
{
	static const struct {
		const char *at;
		enum map_field field;
	} places[] = { { "/text", MAP_TEXT }, { "/rating/0/scale", MAP_SCALE }, { "/rating/0/score", MAP_SCORE },
		{ "/rating/0/max", MAP_MAX }, { "/in_reply_to", MAP_IN_REPLY_TO }, { "/customer/id", MAP_CUSTOMER } };
	size_t i;
	json_t *error;
	json_array_foreach(m->out->errors, i, error)
	{
		const char *pointer = json_string_value(json_object_get(error, "pointer"));
		const struct hy_json *from = NULL;
		struct hy_buffer b = { 0 };
		for (size_t p = 0; p < sizeof(places) / sizeof(*places) && !from; p++)
			if (strcmp(pointer, places[p].at) == 0)
				from = m->from[places[p].field];
		hy_json_pointer(&b, from ? from : m->root);
		if (!from)
			hy_buffer_text(&b, pointer);
		json_object_set_new(error, "pointer", json_string(hy_buffer_string(&b)));
		hy_buffer_free(&b);
	}
}

void map_finish(struct mapped *m, const char *id)
{
	json_t *before = m->out->errors;
	const Huiyin__Who *who = &m->who;
	m->item.id = (char *)(uintptr_t)id;
	if (who->id[0] || who->email[0] || who->phone[0] || who->name[0] || who->locale[0] || who->timezone[0] ||
		who->n_traits)
		m->item.customer = &m->who;
	if (before)
		return;
	intake_item(m->in, &m->item, m->out);
	if (m->out->errors)
		place_faults(m);
	m->out->said = hy_bytes_text(m->door->name);
}
