#include "view.h"
#include "keep.h"
#include "service/rows.h"

#include <stdlib.h>

/* ---- what comes back ---- */

/* Classification.at_ms, its first field: the labels need no unpacking for that. */
static int64_t classified_ms(const struct hy_step *s)
{
	struct hy_wire_item item;
	size_t at = 0;
	bool there = hy_wire_next(hy_wire_field(s->raw, HY_FIELD_CLASSIFICATION), &at, &item, NULL);
	return there && item.number == 1 ? (int64_t)item.value : 0;
}

/* Feedback on its way: classified and routed. */
static int note_way(struct hy_step *s)
{
	Huiyin__Collector__View *v;
	struct hy_bytes id = HY_PB(s->in->id);
	int err = hy_row_get(s->txn, s->arena, "view", id, &huiyin__collector__view__descriptor, &v);
	if (err == HY_NOT_FOUND)
		return HY_OK; /* its row has been folded away */
	if (err)
		return err;
	v->classified_ms = classified_ms(s);
	v->routed_ms = s->in->routed->at_ms;
	v->decision = s->in->routed->decision;
	v->department = s->in->routed->department;
	v->ticket = s->in->routed->ticket;
	return hy_row_put(s->txn, "view", id, &v->base);
}

static bool ends(const Huiyin__TicketEvent *e)
{
	return e->kind == HUIYIN__TICKET_EVENT_KIND__EVENT_CONFIRMED ||
	       e->kind == HUIYIN__TICKET_EVENT_KIND__EVENT_CLOSED;
}

static int note_event(struct hy_step *s)
{
	const Huiyin__TicketEvent *e = s->in->ticket;
	Huiyin__Collector__Public fresh = HUIYIN__COLLECTOR__PUBLIC__INIT, *p = &fresh;
	if (e->kind == HUIYIN__TICKET_EVENT_KIND__JOINED || e->kind == HUIYIN__TICKET_EVENT_KIND__MOVED ||
		e->kind == HUIYIN__TICKET_EVENT_KIND__CORRECTED)
		return HY_OK; /* of one person, or of a label: the ticket is as it was */
	int err = hy_row_get(s->txn, s->arena, "public", HY_PB(e->ticket), &huiyin__collector__public__descriptor, &p);
	if (err && err != HY_NOT_FOUND)
		return err;
	p->number = e->number;
	p->state = e->state;
	p->round = e->round;
	p->at_ms = e->at_ms;
	p->project = s->in->project;
	p->finished = ends(e);
	if (e->department[0])
		p->department = e->department;
	if (e->note) {
		p->note_zh = e->note->zh;
		p->note_en = e->note->en;
	}
	if (e->kind == HUIYIN__TICKET_EVENT_KIND__MERGED)
		p->into = e->other;
	err = hy_row_put(s->txn, "public", HY_PB(e->ticket), &p->base);
	if (err == HY_OK && (p->finished || e->kind == HUIYIN__TICKET_EVENT_KIND__MERGED))
		err = keep_ticket(s, HY_PB(e->ticket));
	return err;
}

int collector_on_ticket(struct hy_step *s, void *self)
{
	(void)self;
	if (s->in->ticket)
		return note_event(s);
	return s->in->routed && s->in->routed->decision != HUIYIN__DECISION__DECISION_PASSED ? note_way(s) : HY_OK;
}

static struct hy_key told_key(struct hy_bytes about, struct hy_bytes person, struct hy_bytes notice)
{
	static const uint8_t nobody[HY_PERSON_SIZE];
	struct hy_key k = { 0 };
	hy_key_bytes(&k, about.data, about.size);
	hy_key_bytes(&k, person.size == HY_PERSON_SIZE ? person.data : nobody, HY_PERSON_SIZE);
	hy_key_bytes(&k, notice.data, notice.size);
	return k;
}

int collector_on_delivery(struct hy_step *s, void *self)
{
	const Huiyin__Delivery *d = s->in->delivery;
	Huiyin__Collector__Told told = HUIYIN__COLLECTOR__TOLD__INIT;
	(void)self;
	if (!d || d->person.len == 0 || d->notice.len != 16)
		return HY_OK; /* nobody who could look it up */
	told.kind = d->kind;
	told.outcome = d->outcome;
	told.channel = d->channel;
	told.at_ms = d->at_ms;
	told.round = d->round;
	struct hy_bytes about = d->kind == HUIYIN__NOTICE_KIND__NOTICE_THANKS || d->ticket.len == 0 ? HY_PB(d->feedback)
												    : HY_PB(d->ticket);
	struct hy_key k = told_key(about, HY_PB(d->person), HY_PB(d->notice));
	return hy_row_put(s->txn, "told", hy_key_view(&k), &told.base);
}

/* ---- looking ---- */

int view_public(struct hy_txn *t, struct hy_arena *a, struct hy_id *ticket, Huiyin__Collector__Public **out)
{
	for (int i = 0; i < 32;
		i++) { /* merged tickets merge again; a ring of them can't come to be, a bound costs nothing */
		int err = hy_row_get(t, a, "public", hy_id_bytes(ticket), &huiyin__collector__public__descriptor, out);
		if (err || (*out)->into.len != 16)
			return err;
		*ticket = HY_ID_FROM_PB((*out)->into);
	}
	return HY_NOT_FOUND;
}

int view_find(struct hy_txn *t, struct hy_arena *a, struct hy_id feedback, uint32_t key_number, const uint8_t *person,
	struct hy_id *ticket)
{
	Huiyin__Collector__View *v;
	int err = hy_row_get(t, a, "view", hy_id_bytes(&feedback), &huiyin__collector__view__descriptor, &v);
	struct hy_bytes whose = person ? hy_bytes(person, HY_PERSON_SIZE) : hy_bytes(NULL, 0);
	if (err || v->key_number != key_number || !hy_bytes_equal(HY_PB(v->person), whose))
		return HY_NOT_FOUND;
	*ticket = HY_ID_FROM_PB(v->ticket);
	return HY_OK;
}

static struct hy_key answer_key(struct hy_id ticket, uint32_t round, const uint8_t *person)
{
	struct hy_key k = { 0 };
	hy_key_bytes(&k, ticket.b, 16);
	hy_key_u64(&k, round);
	hy_key_bytes(&k, person, HY_PERSON_SIZE);
	return k;
}

int view_answer(struct hy_txn *t, struct hy_arena *a, const struct hy_token *token, Huiyin__Collector__Answered **out)
{
	struct hy_key k = answer_key(token->ticket, token->round, token->person);
	return hy_row_get(t, a, "answer", hy_key_view(&k), &huiyin__collector__answered__descriptor, out);
}

int view_note_answer(
	struct hy_txn *t, struct hy_id ticket, uint32_t round, const uint8_t *person, bool helped, int64_t now_ms)
{
	Huiyin__Collector__Answered row = HUIYIN__COLLECTOR__ANSWERED__INIT;
	row.helped = helped;
	row.at_ms = now_ms;
	struct hy_key k = answer_key(ticket, round, person);
	return hy_row_put(t, "answer", hy_key_view(&k), &row.base);
}

const char *view_state_name(uint32_t state)
{
	static const char *const names[] = { "none", "new", "assigned", "in_progress", "waiting", "resolved",
		"confirmed", "closed", "reopened", "declined", "duplicate" };
	return state < sizeof(names) / sizeof(*names) ? names[state] : "unknown";
}

static const char *decision_name(uint32_t decision)
{
	static const char *const names[] = { "", "ticket", "thanks", "spam", "reply", "passed" };
	return decision < sizeof(names) / sizeof(*names) ? names[decision] : "unknown";
}

static const char *kind_name(uint32_t kind)
{
	static const char *const names[] = { "notice", "receipt", "resolved", "declined", "reopened", "thanks" };
	return kind < sizeof(names) / sizeof(*names) ? names[kind] : "notice";
}

static const char *outcome_name(uint32_t outcome)
{
	static const char *const names[] = { "none", "told", "held", "no_contact", "unsubscribed", "refused", "bounced",
		"gave_up", "capped", "erased", "anonymous" };
	return outcome < sizeof(names) / sizeof(*names) ? names[outcome] : "unknown";
}

static void set_time(json_t *j, const char *name, int64_t ms)
{
	char text[25];
	if (!ms)
		return;
	hy_time_text(ms, text);
	json_object_set_new(j, name, json_string(text));
}

static void add_told(struct hy_txn *t, struct hy_arena *a, json_t *list, struct hy_id about, struct hy_bytes person)
{
	struct hy_key k = { 0 };
	hy_key_bytes(&k, about.b, 16);
	hy_key_bytes(&k, person.data, person.size);
	for (struct hy_cursor c = hy_cursor_open(t, "told", hy_key_view(&k)); hy_cursor_on(&c); hy_cursor_next(&c)) {
		Huiyin__Collector__Told *told;
		if (hy_wire_unpack(a, &huiyin__collector__told__descriptor, c.value, &told, NULL) != HY_OK)
			continue;
		json_t *j = json_pack("{s:s, s:s, s:I}", "kind", kind_name(told->kind), "outcome",
			outcome_name(told->outcome), "round", (json_int_t)told->round);
		if (told->channel[0])
			json_object_set_new(j, "channel", json_string(told->channel));
		set_time(j, "at", told->at_ms);
		json_array_append_new(list, j);
	}
}

static const char *at_of(const json_t *told)
{
	const char *text = json_string_value(json_object_get(told, "at"));
	return text ? text : "";
}

/* Notices lie under their ids, which are derived; a reader wants them as they happened. The times are all of one shape, so their text sorts. */
static json_t *by_time(json_t *list)
{
	for (size_t i = 1; i < json_array_size(list); i++)
		for (size_t k = i; k > 0; k--) {
			json_t *a = json_array_get(list, k - 1), *b = json_array_get(list, k);
			if (strcmp(at_of(a), at_of(b)) <= 0)
				break;
			json_incref(a);
			json_array_set(list, k - 1, b);
			json_array_set_new(list, k, a);
		}
	return list;
}

json_t *view_json(struct hy_txn *t, struct hy_arena *a, struct hy_id feedback, uint32_t project)
{
	Huiyin__Collector__View *v;
	Huiyin__Collector__Public *p;
	char id[HY_ID_TEXT], number[32];
	if (hy_row_get(t, a, "view", hy_id_bytes(&feedback), &huiyin__collector__view__descriptor, &v) != HY_OK ||
		(project && v->project != project))
		return NULL;
	hy_id_text(feedback, id);
	json_t *j = json_pack("{s:s}", "id", id), *told = json_array();
	set_time(j, "received", v->received_ms);
	set_time(j, "classified", v->classified_ms);
	set_time(j, "routed", v->routed_ms);
	if (v->decision)
		json_object_set_new(j, "decision", json_string(decision_name(v->decision)));
	if (v->department[0])
		json_object_set_new(j, "department", json_string(v->department));
	struct hy_bytes person = HY_PB(v->person);
	if (v->ticket.len == 16) {
		struct hy_id ticket = HY_ID_FROM_PB(v->ticket), last = ticket;
		if (view_public(t, a, &last, &p) == HY_OK) {
			snprintf(number, sizeof(number), "T-%" PRIu64, p->number);
			json_t *tj = json_pack("{s:s, s:s, s:I}", "number", number, "status", view_state_name(p->state),
				"round", (json_int_t)p->round);
			if (p->note_zh[0] || p->note_en[0])
				json_object_set_new(
					tj, "note", json_pack("{s:s, s:s}", "zh", p->note_zh, "en", p->note_en));
			set_time(tj, "at", p->at_ms);
			json_object_set_new(j, "ticket", tj);
		}
		if (person.size)
			add_told(t, a, told, ticket, person);
		if (person.size && !hy_id_equal(ticket, last))
			add_told(t, a, told, last, person);
	}
	if (person.size)
		add_told(t, a, told, feedback, person);
	json_object_set_new(j, "told", by_time(told));
	return j;
}
