#include "intake.h"

#include <math.h>
#include <stdlib.h>

#define ITEMS_MAX 100 /* pairs, tags, ratings of one item */

/* ---- faults ---- */

static void fault(struct item *out, const struct hy_json *at, const char *member, const char *detail)
{
	struct hy_buffer pointer = { 0 };
	if (at)
		hy_json_pointer(&pointer, at);
	if (member) {
		hy_buffer_byte(&pointer, '/');
		hy_buffer_text(&pointer, member);
	}
	if (!out->errors)
		out->errors = json_array();
	if (json_array_size(out->errors) < 20)
		json_array_append_new(
			out->errors, json_pack("{s:s, s:s}", "pointer", hy_buffer_string(&pointer), "detail", detail));
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

/* ---- plain values ---- */

static char empty[] = "";

/* A text member of at most `points` code points; "" when absent or at fault. */
static char *take_text(
	const struct intake *in, struct item *out, const struct hy_json *object, const char *name, size_t points)
{
	const struct hy_json *v = hy_json_get(object, name);
	char detail[96];
	if (!v || v->type == HY_JSON_NULL)
		return empty;
	if (v->type != HY_JSON_TEXT) {
		fault_type(out, v, "a text");
		return empty;
	}
	if (memchr(v->text.data, 0, v->text.size)) {
		fault(out, v, NULL, "holds a NUL character");
		return empty;
	}
	if (v->text.size > points && hy_utf8_count(v->text) > points) {
		snprintf(detail, sizeof(detail), "longer than %zu characters", points);
		fault(out, v, NULL, detail);
		return empty;
	}
	char *copy = hy_arena_text(in->arena, v->text);
	return copy ? copy : empty;
}

static bool in_words(const char *word, const char *const *words, size_t count, int *index)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(word, words[i]) == 0) {
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
	if (!v || v->type == HY_JSON_NULL)
		return 0;
	if (v->type != HY_JSON_TEXT || !hy_time_parse((const char *)v->text.data, &ms))
		fault(out, v, NULL, "must be an RFC 3339 time such as 2026-01-31T08:00:00Z");
	return ms;
}

/* A scalar as it is, anything nested as JSON: context and traits keep what they were given. */
static char *value_text(const struct intake *in, const struct hy_json *v)
{
	char *copy;
	if (v->type == HY_JSON_TEXT && !memchr(v->text.data, 0, v->text.size))
		copy = hy_arena_text(in->arena, v->text);
	else {
		struct hy_buffer b = { 0 };
		hy_json_dump(&b, v);
		copy = hy_arena_text(in->arena, hy_buffer_view(&b));
		hy_buffer_free(&b);
	}
	return copy ? copy : empty;
}

static size_t take_pairs(const struct intake *in, struct item *out, const struct hy_json *object, Huiyin__Pair ***list)
{
	size_t n = 0;
	if (!object || object->type == HY_JSON_NULL)
		return 0;
	if (object->type != HY_JSON_OBJECT) {
		fault_type(out, object, "an object");
		return 0;
	}
	if (object->count > ITEMS_MAX) {
		fault(out, object, NULL, "more than 100 members");
		return 0;
	}
	*list = hy_arena_get(in->arena, (object->count + 1) * sizeof(**list));
	for (const struct hy_json *m = object->first; m && *list; m = m->next) {
		if (m->type == HY_JSON_NULL)
			continue;
		if (memchr(m->key.data, 0, m->key.size)) {
			fault(out, object, NULL, "a member's name holds a NUL character");
			continue;
		}
		Huiyin__Pair *p = hy_arena_get(in->arena, sizeof(*p));
		char *name = hy_arena_text(in->arena, m->key);
		if (!p || !name)
			break;
		huiyin__pair__init(p);
		p->name = name;
		p->value = value_text(in, m);
		(*list)[n++] = p;
	}
	return n;
}

/* ---- the parts of a feedback ---- */

struct draft {
	Huiyin__Feedback feedback;
	Huiyin__Customer customer;
	Huiyin__Contact contact;
	Huiyin__Remark remark;
	Huiyin__InReplyTo reply;
	Huiyin__Profile profile;
};

static void draft_init(struct draft *d, const struct intake *in)
{
	huiyin__feedback__init(&d->feedback);
	huiyin__customer__init(&d->customer);
	huiyin__contact__init(&d->contact);
	huiyin__remark__init(&d->remark);
	huiyin__in_reply_to__init(&d->reply);
	huiyin__profile__init(&d->profile);
	d->feedback.key_number = in->key_number;
}

/* id, else e-mail, else phone: different kinds never merge by themselves. */
static void set_person(const struct intake *in, const struct draft *d, struct item *out)
{
	const char *value = d->customer.id;
	char kind = 'i';
	if (!value[0])
		value = d->contact.email, kind = 'e';
	if (!value[0])
		value = d->contact.phone, kind = 'p';
	if (!value[0])
		return;
	hy_person(in->contact_key, in->project, kind, hy_bytes_text(value), out->person);
	out->has_person = true;
}

static void read_people(const struct intake *in, struct item *out, const struct hy_json *v, struct draft *d)
{
	d->contact.email = take_text(in, out, v, "email", 254);
	d->contact.phone = take_text(in, out, v, "phone", 32);
	d->customer.name = take_text(in, out, v, "name", 200);
	d->customer.locale = take_text(in, out, v, "locale", 35);
	d->customer.timezone = take_text(in, out, v, "timezone", 64);
	const char *at = strchr(d->contact.email, '@');
	if (d->contact.email[0] && (!at || at == d->contact.email || !at[1]))
		fault(out, hy_json_get(v, "email"), NULL, "is not an e-mail address");
	if (d->contact.phone[0] && strspn(d->contact.phone, "+0123456789 -().") != strlen(d->contact.phone))
		fault(out, hy_json_get(v, "phone"), NULL, "is not a phone number");
}

static void read_customer(const struct intake *in, struct item *out, const struct hy_json *object, struct draft *d)
{
	static const char *const names[] = { "id", "email", "phone", "name", "locale", "timezone", "traits", NULL };
	const struct hy_json *v = hy_json_get(object, "customer");
	if (!v || v->type == HY_JSON_NULL)
		return;
	if (v->type != HY_JSON_OBJECT) {
		fault_type(out, v, "an object");
		return;
	}
	known(out, v, names);
	d->customer.id = take_text(in, out, v, "id", 200);
	read_people(in, out, v, d);
	d->customer.n_traits = take_pairs(in, out, hy_json_get(v, "traits"), &d->customer.traits);
	d->feedback.customer = &d->customer;
	set_person(in, d, out);
}

static const struct {
	const char *name;
	double min, max;
} scales[] = { { "nps", 0, 10 }, { "csat", 1, 5 }, { "ces", 1, 7 }, { "stars", 1, 5 } };
static const char *const scale_names[] = { "nps", "csat", "ces", "stars" };

static void read_rating(const struct intake *in, struct item *out, const struct hy_json *v, struct draft *d)
{
	static const char *const names[] = { "scale", "score", "max", "direction", NULL };
	static const char *const directions[] = { "higher_better", "lower_better" };
	int scale, direction = 0;
	char detail[96];
	if (v->type != HY_JSON_OBJECT) {
		fault_type(out, v, "an object");
		return;
	}
	known(out, v, names);
	const struct hy_json *score = hy_json_get(v, "score"), *max = hy_json_get(v, "max"),
			     *way = hy_json_get(v, "direction"), *word = hy_json_get(v, "scale");
	if (!word || word->type != HY_JSON_TEXT || !in_words((const char *)word->text.data, scale_names, 4, &scale)) {
		fault_words(out, word ? word : v, scale_names, 4);
		return;
	}
	if (!score || score->type != HY_JSON_NUMBER || (max && max->type != HY_JSON_NUMBER)) {
		fault(out,
			score && score->type != HY_JSON_NUMBER ? score
			: max                                  ? max
							       : v,
			score ? NULL : "score", "must be a number");
		return;
	}
	double top = max ? max->number : scales[scale].max;
	if (!(top >= 2 && top <= 100) || (scale == 0 && top != 10)) {
		fault(out, max, NULL, scale == 0 ? "nps goes from 0 to 10" : "must be from 2 to 100");
		return;
	}
	if (!(score->number >= scales[scale].min && score->number <= top) || (scale == 0 && !score->whole)) {
		snprintf(detail, sizeof(detail), "must be %s from %g to %g", scale == 0 ? "a whole number" : "a number",
			scales[scale].min, top);
		fault(out, score, NULL, detail);
		return;
	}
	if (way && (way->type != HY_JSON_TEXT || !in_words((const char *)way->text.data, directions, 2, &direction))) {
		fault_words(out, way, directions, 2);
		return;
	}
	Huiyin__Rating *r = hy_arena_get(in->arena, sizeof(*r));
	if (!r)
		return;
	huiyin__rating__init(r);
	r->scale = (char *)(uintptr_t)scales[scale].name;
	r->has_score_case = HUIYIN__RATING__HAS_SCORE_SCORE;
	r->has_max_case = HUIYIN__RATING__HAS_MAX_MAX;
	r->score = score->number;
	r->max = top;
	r->lower_better = direction == 1;
	d->remark.ratings[d->remark.n_ratings++] = r;
}

static void read_ratings(const struct intake *in, struct item *out, const struct hy_json *object, struct draft *d)
{
	const struct hy_json *v = hy_json_get(object, "rating");
	if (!v || v->type == HY_JSON_NULL)
		return;
	bool several = v->type == HY_JSON_ARRAY;
	if (several && v->count > ITEMS_MAX) {
		fault(out, v, NULL, "more than 100 ratings");
		return;
	}
	d->remark.ratings = hy_arena_get(in->arena, ((several ? v->count : 1) + 1) * sizeof(*d->remark.ratings));
	if (!d->remark.ratings)
		return;
	if (!several)
		read_rating(in, out, v, d);
	for (const struct hy_json *r = several ? v->first : NULL; r; r = r->next)
		read_rating(in, out, r, d);
}

static void read_tags(const struct intake *in, struct item *out, const struct hy_json *object, struct draft *d)
{
	const struct hy_json *v = hy_json_get(object, "tags");
	if (!v || v->type == HY_JSON_NULL)
		return;
	if (v->type != HY_JSON_ARRAY || v->count > ITEMS_MAX) {
		fault(out, v, NULL, "must be an array of at most 100 texts");
		return;
	}
	d->remark.tags = hy_arena_get(in->arena, (v->count + 1) * sizeof(*d->remark.tags));
	for (const struct hy_json *t = v->first; t && d->remark.tags; t = t->next) {
		if (t->type != HY_JSON_TEXT || t->text.size == 0 || memchr(t->text.data, 0, t->text.size) ||
			hy_utf8_count(t->text) > 100) {
			fault(out, t, NULL, "a tag is a text of 1 to 100 characters");
			continue;
		}
		char *copy = hy_arena_text(in->arena, t->text);
		if (copy)
			d->remark.tags[d->remark.n_tags++] = copy;
	}
}

static const char *const kind_names[] = { "feedback", "survey", "idea", "vote", "mention", "review", "interview",
	"reply" };

static void read_kind(const struct intake *in, struct item *out, const struct hy_json *object, struct draft *d)
{
	const struct hy_json *kind = hy_json_get(object, "kind"), *channel = hy_json_get(object, "channel");
	int index = 0;
	if (kind && kind->type != HY_JSON_NULL &&
		(kind->type != HY_JSON_TEXT || !in_words((const char *)kind->text.data, kind_names, 8, &index)))
		fault_words(out, kind, kind_names, 8);
	d->remark.kind = (Huiyin__Kind)index;
	d->remark.channel = take_text(in, out, object, "channel", 32);
	if (channel &&
		strspn(d->remark.channel, "abcdefghijklmnopqrstuvwxyz0123456789_.-") != strlen(d->remark.channel))
		fault(out, channel, NULL, "a channel is 1 to 32 of a-z 0-9 _ . -");
	if (!d->remark.channel[0])
		d->remark.channel = (char *)(uintptr_t) "api";
}

static void read_reply(const struct intake *in, struct item *out, const struct hy_json *object, struct draft *d)
{
	const struct hy_json *to = hy_json_get(object, "in_reply_to"), *helped = hy_json_get(object, "helped");
	if (helped && helped->type != HY_JSON_BOOL && helped->type != HY_JSON_NULL)
		fault_type(out, helped, "true or false");
	if (!to || to->type == HY_JSON_NULL) {
		if (helped && helped->type == HY_JSON_BOOL)
			fault(out, helped, NULL, "answers nothing: in_reply_to is missing");
		return;
	}
	struct hy_token token;
	struct hy_id feedback, *ticket = hy_arena_get(in->arena, 2 * sizeof(*ticket));
	if (!ticket)
		return;
	if (to->type == HY_JSON_TEXT && hy_token_read(in->follow_up_key, (const char *)to->text.data, &token)) {
		ticket[0] = token.ticket;
		d->reply.ticket = HY_ID_TO_PB(ticket[0]);
		d->reply.round = token.round;
		memcpy(out->person, token.person,
			HY_PERSON_SIZE); /* the token says who speaks, whatever else stands there */
		out->has_person = true;
	} else if (to->type == HY_JSON_TEXT && hy_id_parse((const char *)to->text.data, &feedback) && in->find &&
		   in->find(in->arg, feedback, out->has_person ? out->person : NULL, &ticket[0]) == HY_OK) {
		ticket[1] = feedback;
		d->reply.feedback = HY_ID_TO_PB(ticket[1]);
		if (!hy_id_is_zero(ticket[0]))
			d->reply.ticket = HY_ID_TO_PB(ticket[0]);
	} else {
		fault(out, to, NULL, "is neither a follow-up token nor the ID of a feedback of this key and customer");
		return;
	}
	if (helped && helped->type == HY_JSON_BOOL) {
		out->answers = d->reply.round > 0;
		out->helped = helped->truth;
		out->round = d->reply.round;
		out->ticket = ticket[0];
		d->reply.has_helped_case = HUIYIN__IN_REPLY_TO__HAS_HELPED_HELPED;
		d->reply.helped = helped->truth;
	}
	d->remark.in_reply_to = &d->reply;
	d->remark.kind = HUIYIN__KIND__REPLY;
}

/* ---- packing ---- */

/* Packs what is compared before the contact is sealed (a seal is never the same twice), then what is kept. */
static void finish(const struct intake *in, struct item *out, struct draft *d)
{
	if (out->errors)
		return;
	struct hy_bytes contact = hy_wire_pack_in(in->arena, &d->contact.base);
	struct hy_buffer sealed = { 0 };
	if (out->has_person)
		d->feedback.person = (ProtobufCBinaryData){ HY_PERSON_SIZE, out->person };
	d->customer.sealed = HY_TO_PB(contact);
	out->said = hy_wire_pack_in(in->arena, &d->feedback.base);
	if (contact.size && hy_seal(in->contact_key, contact, &sealed) == HY_OK)
		d->customer.sealed = HY_TO_PB(hy_buffer_view(&sealed));
	d->feedback.at_ms = in->now_ms;
	out->feedback = hy_wire_pack_in(in->arena, &d->feedback.base);
	hy_buffer_free(&sealed);
	if (!out->feedback.data || !out->said.data)
		fault(out, NULL, NULL, "too large to be kept");
	else if (out->feedback.size > HY_WIRE_INTAKE_MAX)
		fault(out, NULL, NULL, "larger than 48 KiB in all");
	else
		out->ok = true;
}

void intake_feedback(const struct intake *in, const struct hy_json *object, struct item *out)
{
	static const char *const names[] = { "id", "text", "rating", "kind", "channel", "customer", "context", "tags",
		"occurred_at", "in_reply_to", "helped", NULL };
	struct draft d;
	*out = (struct item){ 0 };
	draft_init(&d, in);
	if (object->type != HY_JSON_OBJECT) {
		fault_type(out, object, "an object");
		return;
	}
	known(out, object, names);
	read_customer(in, out, object, &d);
	d.remark.client_id = take_text(in, out, object, "id", 200);
	d.remark.text = take_text(in, out, object, "text", INTAKE_TEXT_MAX);
	d.remark.occurred_ms = take_time(out, object, "occurred_at");
	d.remark.n_context = take_pairs(in, out, hy_json_get(object, "context"), &d.remark.context);
	read_kind(in, out, object, &d);
	read_ratings(in, out, object, &d);
	read_tags(in, out, object, &d);
	read_reply(in, out, object, &d);
	if (!d.remark.text[0] && d.remark.n_ratings == 0 && !d.reply.has_helped_case && !out->errors)
		fault(out, object, NULL, "says nothing: text, rating or helped is needed");
	d.feedback.body_case = HUIYIN__FEEDBACK__BODY_REMARK;
	d.feedback.remark = &d.remark;
	out->has_client_id = d.remark.client_id[0] != 0;
	out->client_id = hy_bytes_text(d.remark.client_id);
	finish(in, out, &d);
}

void intake_identify(const struct intake *in, const struct hy_json *object, struct item *out)
{
	struct draft d;
	*out = (struct item){ 0 };
	draft_init(&d, in);
	if (object->type != HY_JSON_OBJECT) {
		fault_type(out, object, "an object");
		return;
	}
	/* Segment's clients send more than we use (context, integrations, sentAt ...): unknown members are theirs to have. */
	d.profile.user_id = take_text(in, out, object, "userId", 200);
	d.profile.anonymous_id = take_text(in, out, object, "anonymousId", 200);
	d.customer.id = d.profile.user_id[0] ? d.profile.user_id : d.profile.anonymous_id;
	if (!d.customer.id[0])
		fault(out, object, "userId", "userId or anonymousId is needed");
	const struct hy_json *traits = hy_json_get(object, "traits");
	if (traits && traits->type != HY_JSON_OBJECT && traits->type != HY_JSON_NULL)
		fault_type(out, traits, "an object");
	else if (traits && traits->type == HY_JSON_OBJECT) {
		read_people(in, out, traits, &d);
		size_t n = take_pairs(in, out, traits, &d.customer.traits), kept = 0;
		for (size_t i = 0; i < n; i++) { /* contact data is sealed, not kept beside */
			const char *name = d.customer.traits[i]->name;
			if (strcmp(name, "email") != 0 && strcmp(name, "phone") != 0)
				d.customer.traits[kept++] = d.customer.traits[i];
		}
		d.customer.n_traits = kept;
	}
	char *message_id = take_text(in, out, object, "messageId", 200);
	d.feedback.customer = &d.customer;
	set_person(in, &d, out);
	d.feedback.body_case = HUIYIN__FEEDBACK__BODY_PROFILE;
	d.feedback.profile = &d.profile;
	out->has_client_id = message_id[0] != 0;
	out->client_id = hy_bytes_text(message_id);
	finish(in, out, &d);
}

void intake_answer(const struct intake *in, const struct hy_token *token, int helped, const char *comment,
	const char *nonce, struct item *out)
{
	struct draft d;
	struct hy_id ticket = token->ticket;
	*out = (struct item){ 0 };
	draft_init(&d, in);
	memcpy(out->person, token->person, HY_PERSON_SIZE);
	out->has_person = true;
	d.reply.ticket = HY_ID_TO_PB(ticket);
	d.reply.round = token->round;
	if (helped >= 0) {
		out->answers = true;
		out->helped = helped == 1;
		out->round = token->round;
		out->ticket = ticket;
		d.reply.has_helped_case = HUIYIN__IN_REPLY_TO__HAS_HELPED_HELPED;
		d.reply.helped = helped == 1;
	}
	d.remark.kind = HUIYIN__KIND__REPLY;
	d.remark.channel = (char *)(uintptr_t) "follow-up";
	d.remark.text = (char *)(uintptr_t)comment;
	d.remark.in_reply_to = &d.reply;
	d.feedback.body_case = HUIYIN__FEEDBACK__BODY_REMARK;
	d.feedback.remark = &d.remark;
	out->client_id = hy_bytes_text(hy_arena_text(in->arena, hy_bytes_text(nonce)));
	out->has_client_id = out->client_id.size > 0;
	finish(in, out, &d);
}
