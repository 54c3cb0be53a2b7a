/* JSON, as apps send it, made an Item. What JSON alone can get wrong is said here: types, and members that nobody knows. */
#include "intake.h"

#include <stdlib.h>

#define MEMBERS_MAX 1000 /* of an object or array, before intake.c counts in earnest */

/* ---- faults ---- */

static void fault(struct item *out, const struct hy_json *at, const char *member, const char *detail)
{
	struct hy_buffer pointer = { 0 };
	hy_json_pointer(&pointer, at);
	if (member) {
		hy_buffer_byte(&pointer, '/');
		hy_buffer_text(&pointer, member);
	}
	intake_fault(out, hy_buffer_string(&pointer), detail);
	hy_buffer_free(&pointer);
}

static void fault_type(struct item *out, const struct hy_json *at, const char *wanted)
{
	char detail[96];
	snprintf(detail, sizeof(detail), "must be %s, is %s", wanted, hy_json_type_name(at->type));
	fault(out, at, NULL, detail);
}

/* The members an object may have; another one is a fault with the name that was probably meant. */
static void known(struct item *out, const struct hy_json *object, const char *const *names)
{
	for (const struct hy_json *m = object->first; m; m = m->next) {
		bool found = false;
		for (const char *const *n = names; *n && !found; n++)
			found = hy_bytes_equal(m->key, hy_bytes_text(*n));
		if (found)
			continue;
		char detail[160];
		const char *meant = hy_did_you_mean((const char *)m->key.data, names);
		snprintf(detail, sizeof(detail), "unknown member%s%s%s", meant ? "; did you mean '" : "",
			meant ? meant : "", meant ? "'?" : "");
		fault(out, m, NULL, detail);
	}
}

/* ---- plain values: views into the document ---- */

static char empty[] = "";

static bool absent(const struct hy_json *v)
{
	return !v || v->type == HY_JSON_NULL;
}

/* The text of `v`; "" when absent or at fault. */
static char *text_of(struct item *out, const struct hy_json *v, const char *wanted)
{
	if (absent(v))
		return empty;
	if (v->type != HY_JSON_TEXT) {
		fault_type(out, v, wanted);
		return empty;
	}
	if (memchr(v->text.data, 0, v->text.size)) {
		fault(out, v, NULL, "holds a NUL character");
		return empty;
	}
	return (char *)(uintptr_t)v->text.data;
}

static char *take_text(struct item *out, const struct hy_json *object, const char *name)
{
	return text_of(out, hy_json_get(object, name), "a text");
}

static bool in_words(const struct hy_json *v, const char *const *words, size_t count, int *index)
{
	for (size_t i = 0; v->type == HY_JSON_TEXT && i < count; i++)
		if (hy_bytes_equal(v->text, hy_bytes_text(words[i]))) {
			*index = (int)i;
			return true;
		}
	return false;
}

/* "must be one of a, b, c" */
static void fault_words(struct item *out, const struct hy_json *at, const char *const *words, size_t count)
{
	struct hy_buffer b = { 0 };
	hy_buffer_text(&b, "must be one of ");
	for (size_t i = 0; i < count; i++)
		hy_buffer_printf(&b, "%s%s", i ? ", " : "", words[i]);
	fault(out, at, NULL, hy_buffer_string(&b));
	hy_buffer_free(&b);
}

static int64_t take_time(struct item *out, const struct hy_json *object, const char *name)
{
	const struct hy_json *v = hy_json_get(object, name);
	int64_t ms = 0;
	if (!absent(v) && (v->type != HY_JSON_TEXT || !hy_time_parse((const char *)v->text.data, &ms)))
		fault(out, v, NULL, "must be an RFC 3339 time such as 2026-01-31T08:00:00Z");
	return ms;
}

char *intake_value_text(const struct intake *in, const struct hy_json *v)
{
	if (v->type == HY_JSON_TEXT && !memchr(v->text.data, 0, v->text.size))
		return (char *)(uintptr_t)v->text.data;
	struct hy_buffer b = { 0 };
	hy_json_dump(&b, v);
	char *copy = hy_arena_text(in->arena, hy_buffer_view(&b));
	hy_buffer_free(&b);
	return copy ? copy : empty;
}

static size_t take_pairs(const struct intake *in, struct item *out, const struct hy_json *object, Huiyin__Pair ***list)
{
	size_t n = 0;
	if (absent(object))
		return 0;
	if (object->type != HY_JSON_OBJECT) {
		fault_type(out, object, "an object");
		return 0;
	}
	*list = hy_arena_get(in->arena, (object->count + 1) * sizeof(**list));
	Huiyin__Pair *pairs = hy_arena_get(in->arena, (object->count + 1) * sizeof(*pairs));
	for (const struct hy_json *m = object->first; m && *list && pairs; m = m->next) {
		if (m->type == HY_JSON_NULL)
			continue;
		if (memchr(m->key.data, 0, m->key.size)) {
			fault(out, object, NULL, "a member's name holds a NUL character");
			continue;
		}
		huiyin__pair__init(&pairs[n]);
		pairs[n].name = (char *)(uintptr_t)m->key.data;
		pairs[n].value = intake_value_text(in, m);
		(*list)[n] = &pairs[n];
		n++;
	}
	return n;
}

/* ---- the parts of a feedback ---- */

static void read_people(struct item *out, const struct hy_json *v, Huiyin__Who *who)
{
	who->email = take_text(out, v, "email");
	who->phone = take_text(out, v, "phone");
	who->name = take_text(out, v, "name");
	who->locale = take_text(out, v, "locale");
	who->timezone = take_text(out, v, "timezone");
}

static void read_customer(
	const struct intake *in, struct item *out, const struct hy_json *object, Huiyin__Item *said, Huiyin__Who *who)
{
	static const char *const names[] = { "id", "email", "phone", "name", "locale", "timezone", "traits", NULL };
	const struct hy_json *v = hy_json_get(object, "customer");
	if (absent(v))
		return;
	if (v->type != HY_JSON_OBJECT) {
		fault_type(out, v, "an object");
		return;
	}
	known(out, v, names);
	huiyin__who__init(who);
	who->id = take_text(out, v, "id");
	read_people(out, v, who);
	who->n_traits = take_pairs(in, out, hy_json_get(v, "traits"), &who->traits);
	said->customer = who;
}

static bool read_rating(struct item *out, const struct hy_json *v, Huiyin__Rating *r)
{
	static const char *const names[] = { "scale", "score", "max", "direction", NULL };
	static const char *const directions[] = { "higher_better", "lower_better" };
	int direction = 0;
	huiyin__rating__init(r);
	if (v->type != HY_JSON_OBJECT) {
		fault_type(out, v, "an object");
		return false;
	}
	known(out, v, names);
	const struct hy_json *score = hy_json_get(v, "score"), *max = hy_json_get(v, "max"),
			     *way = hy_json_get(v, "direction");
	r->scale = take_text(out, v, "scale");
	if (!absent(score) && score->type != HY_JSON_NUMBER) {
		fault(out, score, NULL, "must be a number");
		return false;
	}
	if (!absent(max) && max->type != HY_JSON_NUMBER) {
		fault(out, max, NULL, "must be a number");
		return false;
	}
	if (!absent(way) && !in_words(way, directions, 2, &direction)) {
		fault_words(out, way, directions, 2);
		return false;
	}
	r->has_score_case = absent(score) ? 0 : HUIYIN__RATING__HAS_SCORE_SCORE;
	r->score = absent(score) ? 0 : score->number;
	r->has_max_case = absent(max) ? 0 : HUIYIN__RATING__HAS_MAX_MAX;
	r->max = absent(max) ? 0 : max->number;
	r->lower_better = direction == 1;
	return true;
}

static void read_ratings(const struct intake *in, struct item *out, const struct hy_json *object, Huiyin__Item *said)
{
	const struct hy_json *v = hy_json_get(object, "rating");
	if (absent(v))
		return;
	bool several = v->type == HY_JSON_ARRAY;
	size_t room = several ? v->count : 1;
	if (room > MEMBERS_MAX)
		room = MEMBERS_MAX;
	Huiyin__Rating *ratings = hy_arena_get(in->arena, (room + 1) * sizeof(*ratings));
	said->rating = hy_arena_get(in->arena, (room + 1) * sizeof(*said->rating));
	if (!ratings || !said->rating)
		return;
	for (const struct hy_json *r = several ? v->first : v; r && said->n_rating < room;
		r = several ? r->next : NULL) {
		if (!read_rating(out, r, &ratings[said->n_rating]))
			return;
		said->rating[said->n_rating] = &ratings[said->n_rating];
		said->n_rating++;
	}
}

static void read_tags(const struct intake *in, struct item *out, const struct hy_json *object, Huiyin__Item *said)
{
	const struct hy_json *v = hy_json_get(object, "tags");
	if (absent(v))
		return;
	if (v->type != HY_JSON_ARRAY || v->count > MEMBERS_MAX) {
		fault(out, v, NULL, "must be an array of at most 100 texts");
		return;
	}
	said->tags = hy_arena_get(in->arena, (v->count + 1) * sizeof(*said->tags));
	for (const struct hy_json *t = v->first; t && said->tags; t = t->next) {
		if (t->type != HY_JSON_TEXT || memchr(t->text.data, 0, t->text.size))
			fault(out, t, NULL, "a tag is a text of 1 to 100 characters");
		else
			said->tags[said->n_tags++] = (char *)(uintptr_t)t->text.data;
	}
}

static void read_kind(struct item *out, const struct hy_json *object, Huiyin__Item *said)
{
	static const char *const kinds[] = { "feedback", "survey", "idea", "vote", "mention", "review", "interview",
		"reply" };
	const struct hy_json *kind = hy_json_get(object, "kind");
	int index = 0;
	if (!absent(kind) && !in_words(kind, kinds, 8, &index))
		fault_words(out, kind, kinds, 8);
	said->kind = (Huiyin__Kind)index;
}

static void read_reply(struct item *out, const struct hy_json *object, Huiyin__Item *said)
{
	const struct hy_json *helped = hy_json_get(object, "helped");
	said->in_reply_to = take_text(out, object, "in_reply_to");
	if (absent(helped))
		return;
	if (helped->type != HY_JSON_BOOL) {
		fault_type(out, helped, "true or false");
		return;
	}
	said->has_helped_case = HUIYIN__ITEM__HAS_HELPED_HELPED;
	said->helped = helped->truth;
}

/* ---- */

/* The checker counts from the Item: where that stood in an array, or its one rating in none, the pointers say so. */
static void place_faults(const struct hy_json *object, struct item *out)
{
	const struct hy_json *rating = hy_json_get(object, "rating");
	bool alone = rating && rating->type != HY_JSON_ARRAY;
	size_t i;
	json_t *error;
	json_array_foreach(out->errors, i, error)
	{
		const char *pointer = json_string_value(json_object_get(error, "pointer"));
		struct hy_buffer b = { 0 };
		hy_json_pointer(&b, object);
		if (alone && strncmp(pointer, "/rating/0", 9) == 0) {
			hy_buffer_text(&b, "/rating");
			pointer += 9;
		}
		hy_buffer_text(&b, pointer);
		json_object_set_new(error, "pointer", json_string(hy_buffer_string(&b)));
		hy_buffer_free(&b);
	}
}

static const char *const feedback_names[] = { "id", "text", "rating", "kind", "channel", "customer", "context", "tags",
	"occurred_at", "in_reply_to", "helped", NULL };

bool intake_fits(const struct hy_json *object)
{
	const struct hy_json *rating = hy_json_get(object, "rating"), *customer = hy_json_get(object, "customer");
	struct item read = { 0 };
	if (object->type != HY_JSON_OBJECT ||
		(rating && rating->type != HY_JSON_OBJECT && rating->type != HY_JSON_ARRAY) ||
		(customer && customer->type != HY_JSON_OBJECT))
		return false;
	known(&read, object, feedback_names);
	bool fits = !read.errors;
	json_decref(read.errors);
	return fits;
}

void intake_feedback(const struct intake *in, const struct hy_json *object, struct item *out)
{
	Huiyin__Item said = HUIYIN__ITEM__INIT;
	Huiyin__Who who;
	struct item read = { 0 };
	*out = (struct item){ 0 };
	if (object->type != HY_JSON_OBJECT) {
		fault_type(out, object, "an object");
		return;
	}
	known(&read, object, feedback_names);
	read_customer(in, &read, object, &said, &who);
	said.id = take_text(&read, object, "id");
	said.text = take_text(&read, object, "text");
	said.channel = take_text(&read, object, "channel");
	said.occurred_ms = take_time(&read, object, "occurred_at");
	said.n_context = take_pairs(in, &read, hy_json_get(object, "context"), &said.context);
	read_kind(&read, object, &said);
	read_ratings(in, &read, object, &said);
	read_tags(in, &read, object, &said);
	read_reply(&read, object, &said);
	if (read.errors) {
		*out = read;
		return;
	}
	intake_item(in, &said, out);
	if (out->errors)
		place_faults(object, out);
}

void intake_identify(const struct intake *in, const struct hy_json *object, struct item *out)
{
	Huiyin__Who who = HUIYIN__WHO__INIT;
	struct item read = { 0 };
	*out = (struct item){ 0 };
	if (object->type != HY_JSON_OBJECT) {
		fault_type(out, object, "an object");
		return;
	}
	/* Segment's clients send more than we use (context, integrations, sentAt ...): unknown members are theirs to have. */
	const char *user_id = take_text(&read, object, "userId"),
		   *anonymous_id = take_text(&read, object, "anonymousId"),
		   *message_id = take_text(&read, object, "messageId");
	const struct hy_json *traits = hy_json_get(object, "traits");
	if (!absent(traits) && traits->type != HY_JSON_OBJECT)
		fault_type(&read, traits, "an object");
	else if (!absent(traits)) {
		read_people(&read, traits, &who);
		size_t n = take_pairs(in, &read, traits, &who.traits);
		for (size_t i = 0; i < n; i++) { /* contact data is sealed, not kept beside */
			const char *name = who.traits[i]->name;
			if (strcmp(name, "email") != 0 && strcmp(name, "phone") != 0)
				who.traits[who.n_traits++] = who.traits[i];
		}
	}
	if (read.errors) {
		*out = read;
		return;
	}
	intake_profile(in, &who, user_id, anonymous_id, message_id, out);
	if (out->errors)
		place_faults(object, out);
}

/* ---- preferences ---- */

static void read_channels(
	const struct intake *in, struct item *out, const struct hy_json *object, Huiyin__Preferences *wanted)
{
	const struct hy_json *v = hy_json_get(object, "channels");
	if (absent(v))
		return;
	if (v->type != HY_JSON_ARRAY || v->count > 20) {
		fault(out, v, NULL, "must be an array of at most 20 texts");
		return;
	}
	wanted->channels = hy_arena_get(in->arena, (v->count + 1) * sizeof(*wanted->channels));
	for (const struct hy_json *c = v->first; c && wanted->channels; c = c->next)
		wanted->channels[wanted->n_channels++] = text_of(out, c, "a text");
}

/* {"quiet":{"from":"22:00","to":"08:00"}}, or quiet_from and quiet_to beside the others. */
static void read_quiet(struct item *out, const struct hy_json *object, Huiyin__Preferences *wanted)
{
	static const char *const names[] = { "from", "to", NULL };
	const struct hy_json *v = hy_json_get(object, "quiet");
	wanted->quiet_from = take_text(out, object, "quiet_from");
	wanted->quiet_to = take_text(out, object, "quiet_to");
	if (absent(v))
		return;
	if (v->type != HY_JSON_OBJECT) {
		fault_type(out, v, "an object with from and to");
		return;
	}
	known(out, v, names);
	if (wanted->quiet_from[0] || wanted->quiet_to[0])
		fault(out, v, NULL, "quiet hours are said twice: here, and as quiet_from or quiet_to");
	wanted->quiet_from = take_text(out, v, "from");
	wanted->quiet_to = take_text(out, v, "to");
	if (!wanted->quiet_from[0] && !wanted->quiet_to[0])
		fault(out, v, NULL, "quiet hours have a beginning and an end: from and to");
}

static void read_consent(
	const struct intake *in, struct item *out, const struct hy_json *object, Huiyin__Preferences *wanted)
{
	const struct hy_json *v = hy_json_get(object, "consent");
	if (absent(v))
		return;
	if (v->type != HY_JSON_OBJECT || v->count > 64) {
		fault(out, v, NULL, "must be an object of at most 64 members, true or false each");
		return;
	}
	wanted->consent = hy_arena_get(in->arena, (v->count + 1) * sizeof(*wanted->consent));
	Huiyin__Pair *pairs = hy_arena_get(in->arena, (v->count + 1) * sizeof(*pairs));
	for (const struct hy_json *m = v->first; m && wanted->consent && pairs; m = m->next) {
		if (m->type != HY_JSON_BOOL) {
			fault_type(out, m, "true or false");
			continue;
		}
		Huiyin__Pair *p = &pairs[wanted->n_consent];
		huiyin__pair__init(p);
		p->name = (char *)(uintptr_t)m->key.data;
		p->value = (char *)(uintptr_t)(m->truth ? "yes" : "no");
		wanted->consent[wanted->n_consent++] = p;
	}
}

/* Quiet hours said flat are at fault where they stand. */
static void place_flat(const struct hy_json *object, struct item *out)
{
	static const char *const names[][2] = { { "/quiet/from", "/quiet_from" }, { "/quiet/to", "/quiet_to" } };
	size_t i;
	json_t *error;
	if (!absent(hy_json_get(object, "quiet")))
		return;
	json_array_foreach(out->errors, i, error)
	{
		const char *pointer = json_string_value(json_object_get(error, "pointer"));
		for (size_t k = 0; k < 2; k++)
			if (strcmp(pointer, names[k][0]) == 0) {
				json_object_set_new(error, "pointer", json_string(names[k][1]));
				break;
			}
	}
}

void intake_preferences(const struct intake *in, const struct hy_json *object, struct item *out)
{
	static const char *const names[] = { "id", "customer", "channels", "quiet", "quiet_from", "quiet_to", "consent",
		NULL };
	Huiyin__Preferences wanted = HUIYIN__PREFERENCES__INIT;
	Huiyin__Item said = HUIYIN__ITEM__INIT;
	Huiyin__Who who = HUIYIN__WHO__INIT;
	struct item read = { 0 };
	*out = (struct item){ 0 };
	if (object->type != HY_JSON_OBJECT) {
		fault_type(out, object, "an object");
		return;
	}
	known(&read, object, names);
	read_customer(in, &read, object, &said, &who);
	const char *id = take_text(&read, object, "id");
	read_channels(in, &read, object, &wanted);
	read_quiet(&read, object, &wanted);
	read_consent(in, &read, object, &wanted);
	if (read.errors) {
		*out = read;
		return;
	}
	intake_choices(in, &who, &wanted, id, out);
	if (out->errors) {
		place_flat(object, out);
		place_faults(object, out);
	}
}
