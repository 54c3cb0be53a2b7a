#include "intake.h"

#include <math.h>
#include <stdlib.h>

#define ITEMS_MAX 100 /* pairs, tags, ratings of one item */
#define SEAL_OVER 64 /* what sealing adds, at most */

/* ---- faults ---- */

void intake_fault(struct item *out, const char *pointer, const char *detail)
{
	if (!out->errors)
		out->errors = json_array();
	if (json_array_size(out->errors) < 20)
		json_array_append_new(out->errors, json_pack("{s:s, s:s}", "pointer", pointer, "detail", detail));
}

/* The pointer is put together only where there is a fault: that is seldom. */
static void fault_in(struct item *out, const char *at, const char *member, const char *detail)
{
	char pointer[96];
	snprintf(pointer, sizeof(pointer), "%s/%s", at, member);
	intake_fault(out, pointer, detail);
}

static void too_long(struct item *out, const char *at, const char *member, const char *text, size_t points)
{
	struct hy_bytes v = hy_bytes_text(text);
	char detail[96];
	if (v.size <= points || hy_utf8_count(v) <= points)
		return;
	snprintf(detail, sizeof(detail), "longer than %zu characters", points);
	fault_in(out, at, member, detail);
}

/* ---- the parts of a feedback ---- */

struct draft {
	Huiyin__Feedback feedback;
	Huiyin__Customer customer;
	Huiyin__Contact contact;
	Huiyin__Remark remark;
	Huiyin__InReplyTo reply;
	Huiyin__Profile profile;
	struct hy_id ticket, answered; /* what `reply` points at */
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

static void check_customer(
	const struct intake *in, const Huiyin__Who *who, const char *at, struct draft *d, struct item *out)
{
	const struct {
		const char *name, *text;
		size_t points;
	} texts[] = { { "id", who->id, 200 }, { "email", who->email, 254 }, { "phone", who->phone, 32 },
		{ "name", who->name, 200 }, { "locale", who->locale, 35 }, { "timezone", who->timezone, 64 } };
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		too_long(out, at, texts[i].name, texts[i].text, texts[i].points);
	const char *email_at = strchr(who->email, '@');
	if (who->email[0] && (!email_at || email_at == who->email || !email_at[1]))
		fault_in(out, at, "email", "is not an e-mail address");
	if (who->phone[0] && strspn(who->phone, "+0123456789 -().") != strlen(who->phone))
		fault_in(out, at, "phone", "is not a phone number");
	if (who->n_traits > ITEMS_MAX)
		fault_in(out, at, "traits", "more than 100 members");
	d->customer.id = who->id;
	d->customer.name = who->name;
	d->customer.locale = who->locale;
	d->customer.timezone = who->timezone;
	d->customer.n_traits = who->n_traits;
	d->customer.traits = who->traits;
	d->contact.email = who->email;
	d->contact.phone = who->phone;
	d->feedback.customer = &d->customer;
	set_person(in, d, out);
}

static const struct {
	const char *name;
	double min, max;
} scales[] = { { "nps", 0, 10 }, { "csat", 1, 5 }, { "ces", 1, 7 }, { "stars", 1, 5 } };

static void rating_fault(struct item *out, size_t index, const char *member, const char *detail)
{
	char at[32];
	snprintf(at, sizeof(at), "/rating/%zu", index);
	fault_in(out, at, member, detail);
}

static void check_rating(
	const struct intake *in, const Huiyin__Rating *said, size_t index, struct draft *d, struct item *out)
{
	size_t scale = 0;
	char detail[96];
	while (scale < sizeof(scales) / sizeof(*scales) && strcmp(said->scale, scales[scale].name) != 0)
		scale++;
	if (scale == sizeof(scales) / sizeof(*scales)) {
		rating_fault(out, index, "scale", "must be one of nps, csat, ces, stars");
		return;
	}
	if (!said->has_score_case) {
		rating_fault(out, index, "score", "must be a number");
		return;
	}
	double top = said->has_max_case ? said->max : scales[scale].max;
	if (!(top >= 2 && top <= 100) || (scale == 0 && top != 10)) {
		rating_fault(out, index, "max", scale == 0 ? "nps goes from 0 to 10" : "must be from 2 to 100");
		return;
	}
	if (!(said->score >= scales[scale].min && said->score <= top) ||
		(scale == 0 && said->score != floor(said->score))) {
		snprintf(detail, sizeof(detail), "must be %s from %g to %g", scale == 0 ? "a whole number" : "a number",
			scales[scale].min, top);
		rating_fault(out, index, "score", detail);
		return;
	}
	Huiyin__Rating *r = hy_arena_get(in->arena, sizeof(*r));
	if (!r)
		return;
	huiyin__rating__init(r);
	r->scale = (char *)(uintptr_t)scales[scale].name;
	r->has_score_case = HUIYIN__RATING__HAS_SCORE_SCORE;
	r->has_max_case = HUIYIN__RATING__HAS_MAX_MAX;
	r->score = said->score;
	r->max = top;
	r->lower_better = said->lower_better;
	d->remark.ratings[d->remark.n_ratings++] = r;
}

static void check_ratings(const struct intake *in, const Huiyin__Item *said, struct draft *d, struct item *out)
{
	if (said->n_rating == 0)
		return;
	if (said->n_rating > ITEMS_MAX) {
		intake_fault(out, "/rating", "more than 100 ratings");
		return;
	}
	d->remark.ratings = hy_arena_get(in->arena, said->n_rating * sizeof(*d->remark.ratings));
	for (size_t i = 0; i < said->n_rating && d->remark.ratings; i++)
		check_rating(in, said->rating[i], i, d, out);
}

static void check_tags(const Huiyin__Item *said, struct draft *d, struct item *out)
{
	char pointer[32];
	if (said->n_tags > ITEMS_MAX) {
		intake_fault(out, "/tags", "must be an array of at most 100 texts");
		return;
	}
	for (size_t i = 0; i < said->n_tags; i++) {
		struct hy_bytes tag = hy_bytes_text(said->tags[i]);
		if (tag.size && (tag.size <= 100 || hy_utf8_count(tag) <= 100))
			continue;
		snprintf(pointer, sizeof(pointer), "/tags/%zu", i);
		intake_fault(out, pointer, "a tag is a text of 1 to 100 characters");
	}
	d->remark.n_tags = said->n_tags;
	d->remark.tags = said->tags;
}

static void check_reply(const struct intake *in, const Huiyin__Item *said, struct draft *d, struct item *out)
{
	struct hy_token token;
	if (!said->in_reply_to[0]) {
		if (said->has_helped_case)
			intake_fault(out, "/helped", "answers nothing: in_reply_to is missing");
		return;
	}
	if (hy_token_read(in->follow_up_key, said->in_reply_to, &token)) {
		d->ticket = token.ticket;
		d->reply.ticket = HY_ID_TO_PB(d->ticket);
		d->reply.round = token.round;
		memcpy(out->person, token.person,
			HY_PERSON_SIZE); /* the token says who speaks, whatever else stands there */
		out->has_person = true;
	} else if (hy_id_parse(said->in_reply_to, &d->answered) && in->find &&
		   in->find(in->arg, d->answered, out->has_person ? out->person : NULL, &d->ticket) == HY_OK) {
		d->reply.feedback = HY_ID_TO_PB(d->answered);
		if (!hy_id_is_zero(d->ticket))
			d->reply.ticket = HY_ID_TO_PB(d->ticket);
	} else {
		intake_fault(out, "/in_reply_to",
			"is neither a follow-up token nor the ID of a feedback of this key and customer");
		return;
	}
	if (said->has_helped_case) {
		out->answers = d->reply.round > 0;
		out->helped = said->helped;
		out->round = d->reply.round;
		out->ticket = d->ticket;
		d->reply.has_helped_case = HUIYIN__IN_REPLY_TO__HAS_HELPED_HELPED;
		d->reply.helped = said->helped;
	}
	d->remark.in_reply_to = &d->reply;
	d->remark.kind = HUIYIN__KIND__REPLY;
}

/* ---- packing ---- */

static void keep_client_id(const struct intake *in, const char *id, struct item *out)
{
	const char *copy = id[0] ? hy_arena_text(in->arena, hy_bytes_text(id)) : NULL;
	if (id[0] && !copy)
		intake_fault(out, "", "too large to be kept");
	out->client_id = hy_bytes_text(copy ? copy : "");
	out->has_client_id = out->client_id.size > 0;
}

/* A Feedback without the time at which it came: its first field. */
static struct hy_bytes timeless(struct hy_bytes feedback)
{
	struct hy_wire_item field;
	size_t at = 0;
	int err;
	bool first = feedback.data && hy_wire_next(feedback, &at, &field, &err) && field.number == 1;
	return first ? hy_bytes(feedback.data + at, feedback.size - at) : feedback;
}

/* Packs what is kept, and what is compared: before the contact is sealed (a seal is never the same twice), and without the time. */
static void finish(const struct intake *in, struct item *out, struct draft *d)
{
	if (out->errors)
		return;
	struct hy_bytes contact = hy_wire_pack_in(in->arena, &d->contact.base);
	uint8_t *room = contact.size ? hy_arena_get(in->arena, contact.size + SEAL_OVER) : NULL;
	struct hy_buffer sealed = { .data = room, .room = room ? contact.size + SEAL_OVER : 0 };
	if (out->has_person)
		d->feedback.person = (ProtobufCBinaryData){ HY_PERSON_SIZE, out->person };
	d->customer.sealed = HY_TO_PB(contact);
	if (contact.size)
		out->said = hy_wire_pack_in(in->arena, &d->feedback.base);
	if (room && hy_seal(in->contact_key, contact, &sealed) == HY_OK)
		d->customer.sealed = HY_TO_PB(hy_buffer_view(&sealed));
	else if (contact.size)
		intake_fault(out, "", "too large to be kept");
	d->feedback.at_ms = in->now_ms;
	out->feedback = hy_wire_pack_in(in->arena, &d->feedback.base);
	if (!contact.size)
		out->said = timeless(out->feedback);
	if (!out->feedback.data || !out->said.data)
		intake_fault(out, "", "too large to be kept");
	else if (out->feedback.size > HY_WIRE_INTAKE_MAX)
		intake_fault(out, "", "larger than 48 KiB in all");
	else
		out->ok = !out->errors;
}

void intake_item(const struct intake *in, const Huiyin__Item *said, struct item *out)
{
	struct draft d;
	*out = (struct item){ 0 };
	draft_init(&d, in);
	if (said->customer)
		check_customer(in, said->customer, "/customer", &d, out);
	too_long(out, "", "id", said->id, 200);
	too_long(out, "", "text", said->text, INTAKE_TEXT_MAX);
	too_long(out, "", "channel", said->channel, 32);
	if (strspn(said->channel, "abcdefghijklmnopqrstuvwxyz0123456789_.-") != strlen(said->channel))
		intake_fault(out, "/channel", "a channel is 1 to 32 of a-z 0-9 _ . -");
	if (said->n_context > ITEMS_MAX)
		intake_fault(out, "/context", "more than 100 members");
	d.remark.client_id = said->id;
	d.remark.text = said->text;
	d.remark.kind = said->kind;
	d.remark.channel = said->channel[0] ? said->channel : (char *)(uintptr_t)(in->channel ? in->channel : "api");
	d.remark.occurred_ms = said->occurred_ms;
	d.remark.n_context = said->n_context;
	d.remark.context = said->context;
	check_ratings(in, said, &d, out);
	check_tags(said, &d, out);
	check_reply(in, said, &d, out);
	if (!d.remark.text[0] && d.remark.n_ratings == 0 && !d.reply.has_helped_case && !out->errors)
		intake_fault(out, "", "says nothing: text, rating or helped is needed");
	d.feedback.body_case = HUIYIN__FEEDBACK__BODY_REMARK;
	d.feedback.remark = &d.remark;
	keep_client_id(in, said->id, out);
	finish(in, out, &d);
}

void intake_profile(const struct intake *in, const Huiyin__Who *who, const char *user_id, const char *anonymous_id,
	const char *message_id, struct item *out)
{
	struct draft d;
	Huiyin__Who known = *who;
	*out = (struct item){ 0 };
	draft_init(&d, in);
	known.id = (char *)(uintptr_t)(user_id[0] ? user_id : anonymous_id);
	if (!known.id[0])
		intake_fault(out, "/userId", "userId or anonymousId is needed");
	too_long(out, "", "userId", user_id, 200);
	too_long(out, "", "anonymousId", anonymous_id, 200);
	too_long(out, "", "messageId", message_id, 200);
	known.id = out->errors ? (char *)(uintptr_t) "" : known.id; /* said above, where it stands */
	check_customer(in, &known, "/traits", &d, out);
	d.profile.user_id = (char *)(uintptr_t)user_id;
	d.profile.anonymous_id = (char *)(uintptr_t)anonymous_id;
	d.feedback.body_case = HUIYIN__FEEDBACK__BODY_PROFILE;
	d.feedback.profile = &d.profile;
	keep_client_id(in, message_id, out);
	finish(in, out, &d);
}

/* ---- preferences ---- */

static bool in_list(const char *word, const char *const *list)
{
	for (; *list; list++)
		if (strcmp(word, *list) == 0)
			return true;
	return false;
}

static void check_word(struct item *out, const char *pointer, const char *word, const char *const *list)
{
	char detail[200] = "must be one of";
	if (in_list(word, list))
		return;
	for (const char *const *w = list; *w; w++) {
		size_t at = strlen(detail);
		snprintf(detail + at, sizeof(detail) - at, "%s %s", w == list ? "" : ",", *w);
	}
	intake_fault(out, pointer, detail);
}

/* HH:MM of a day. */
static bool is_time(const char *text)
{
	return strlen(text) == 5 && text[2] == ':' && strspn(text, "0123456789:") == 5 && text[1] != ':' &&
	       (text[0] < '2' || (text[0] == '2' && text[1] < '4')) && text[3] < '6';
}

static void check_choices(const Huiyin__Preferences *wanted, struct item *out)
{
	/* The ways to people, whether this installation has them yet or not; and the kinds of notices, "email" and "all" standing for every one. */
	static const char *const channels[] = { "email", "in_app", "sms", "push", NULL };
	static const char *const kinds[] = { "all", "email", "receipt", "thanks", "resolved", "declined", "reopened",
		NULL };
	char pointer[96];
	for (size_t i = 0; i < wanted->n_channels; i++) {
		snprintf(pointer, sizeof(pointer), "/channels/%zu", i);
		check_word(out, pointer, wanted->channels[i], channels);
		for (size_t j = 0; j < i; j++)
			if (strcmp(wanted->channels[i], wanted->channels[j]) == 0)
				intake_fault(out, pointer, "is named twice");
	}
	for (size_t i = 0; i < wanted->n_consent; i++) {
		struct hy_buffer at = { 0 };
		hy_buffer_text(&at, "/consent");
		hy_json_pointer_step(&at, hy_bytes_text(wanted->consent[i]->name));
		check_word(out, hy_buffer_string(&at), wanted->consent[i]->name, kinds);
		hy_buffer_free(&at);
	}
	if (wanted->quiet_from[0] && !is_time(wanted->quiet_from))
		intake_fault(out, "/quiet/from", "must be a time of day, HH:MM");
	if (wanted->quiet_to[0] && !is_time(wanted->quiet_to))
		intake_fault(out, "/quiet/to", "must be a time of day, HH:MM");
	if (!wanted->quiet_from[0] != !wanted->quiet_to[0])
		intake_fault(out, "/quiet", "quiet hours have a beginning and an end: from and to");
	if (!wanted->n_channels && !wanted->n_consent && !wanted->quiet_from[0] && !wanted->quiet_to[0] && !out->errors)
		intake_fault(out, "", "says nothing: channels, quiet or consent is needed");
}

void intake_choices(const struct intake *in, const Huiyin__Who *who, const Huiyin__Preferences *wanted, const char *id,
	struct item *out)
{
	struct draft d;
	Huiyin__Preferences kept = *wanted;
	*out = (struct item){ 0 };
	draft_init(&d, in);
	check_customer(in, who, "/customer", &d, out);
	if (!out->has_person)
		intake_fault(out, "/customer", "whose are they? id, email or phone is needed");
	too_long(out, "", "id", id, 200);
	check_choices(wanted, out);
	d.feedback.body_case = HUIYIN__FEEDBACK__BODY_PREFERENCES;
	d.feedback.preferences = &kept;
	keep_client_id(in, id, out);
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
	keep_client_id(in, nonce, out);
	finish(in, out, &d);
}
