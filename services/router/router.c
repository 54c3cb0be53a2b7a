#include "router/router.h"

#include <stdlib.h>

#include "base/text.h"
#include "router/erase.h"
#include "router/keep.h"
#include "router/merge.h"

#define COMMENT_POINTS 4000

static const struct hy_id no_id;

/* What has been decided about one feedback. */
struct course {
	Huiyin__Decision decision;
	const char *rule, *department;
	struct ticket ticket; /* decision ticket or reply; id zero when there is none */
	uint32_t round;
};

/* ---- entering and passing on ---- */

static struct hy_bytes person_of(const struct hy_step *s)
{
	return HY_PB(s->in->feedback->person);
}

/* Ids only rise, so a greater one is new; only a smaller one needs a look. */
static bool entered_before(struct hy_step *s, struct router *r, struct hy_id id)
{
	struct hy_bytes row;
	if (hy_id_cmp(id, r->last_feedback) > 0) {
		r->last_feedback = id;
		return false;
	}
	return hy_txn_get(s->txn, "feedback", hy_id_bytes(&id), &row) == HY_OK;
}

static int enter(struct hy_step *s, const struct course *c)
{
	Huiyin__Router__Feedback row = HUIYIN__ROUTER__FEEDBACK__INIT;
	row.decision = c->decision;
	row.person = s->in->feedback->person;
	row.round = c->round;
	if (!hy_id_is_zero(c->ticket.id))
		row.ticket = row_id(&c->ticket.id);
	return hy_row_append(s->txn, "feedback", HY_PB(s->in->id), &row.base);
}

static int pass_on(struct hy_step *s, const struct course *c)
{
	Huiyin__Routed routed = HUIYIN__ROUTED__INIT;
	routed.at_ms = s->now_ms;
	routed.decision = c->decision;
	routed.rule = (char *)(uintptr_t)(c->rule ? c->rule : "");
	routed.department = (char *)(uintptr_t)(c->department ? c->department : "");
	if (!hy_id_is_zero(c->ticket.id)) {
		routed.ticket = row_id(&c->ticket.id);
		routed.number = c->ticket.row ? c->ticket.row->number : 0;
	}
	return hy_step_forward(s, HY_FIELD_ROUTED, &routed.base);
}

/* The row first, then the record, then the events that it caused. */
static int settle(struct hy_step *s, const struct course *c)
{
	static const char *const names[] = { "", "decided.ticket", "decided.thanks", "decided.spam", "decided.reply",
		"decided.passed" };
	hy_count(s->daemon, names[c->decision], 1);
	int err = enter(s, c);
	return err ? err : pass_on(s, c);
}

static int emit_joined(struct hy_step *s, const struct ticket *k, struct hy_bytes who, bool anonymous)
{
	return ticket_emit(s, k,
		&(struct ticket_news){ .kind = HUIYIN__TICKET_EVENT_KIND__JOINED,
			.cause = HY_ID_FROM_PB(s->in->id),
			.person = anonymous ? hy_bytes(NULL, 0) : who,
			.feedback = anonymous ? who : hy_bytes(NULL, 0),
			.with_feedback = true });
}

/* ---- fresh feedback ---- */

static bool label_is(const Huiyin__Label *label, const char *name)
{
	return label && strcmp(label->name, name) == 0;
}

static bool is_praise(const Huiyin__Classification *c)
{
	return c && label_is(c->type, "praise") && label_is(c->sentiment, "positive") && !c->unsure && !c->sarcastic;
}

/* A more urgent voice makes the whole ticket more urgent; its due time only ever comes nearer by that. */
static void raise_urgency(struct hy_step *s, struct router *r, struct ticket *k, const char *urgency)
{
	Huiyin__Router__Labels *labels = k->row->labels;
	if (!labels || urgency_rank(urgency) <= urgency_rank(labels->urgency))
		return;
	const struct department *d = rules_department(r->rules, k->row->department);
	labels->urgency = (char *)(uintptr_t)urgency;
	if (d && s->now_ms + d->due_ms[urgency_rank(urgency)] < k->row->due_ms)
		ticket_set_due(s, k, d);
}

static const char *urgency_said(const struct hy_step *s, const struct ruling *ruling)
{
	const Huiyin__Classification *c = s->in->classification;
	if (ruling->priority[0])
		return ruling->priority;
	return c && c->urgency && c->urgency->name[0] ? c->urgency->name : "normal";
}

/* Joins the open ticket of the same issue, or opens one: in the rule's department, else in triage. */
static int take_ticket(struct hy_step *s, struct router *r, const struct ruling *ruling, struct hy_id follows)
{
	struct course c = { .decision = HUIYIN__DECISION__DECISION_TICKET, .rule = ruling->rule };
	const Huiyin__Classification *cl = s->in->classification;
	const char *urgency = urgency_said(s, ruling);
	struct ticket *k = &c.ticket;
	bool opened = false;
	int err = cl ? ticket_of_theme(s->txn, s->arena, r->themes, s->in->project, HY_PB(cl->theme), k) : HY_NOT_FOUND;
	if (err == HY_OK && ticket_can(k, TICKET_JOIN)) {
		raise_urgency(s, r, k, urgency);
	} else if (err == HY_OK || err == HY_NOT_FOUND) {
		const struct department *d =
			rules_department(r->rules, ruling->department[0] ? ruling->department : TRIAGE);
		if (!d)
			return HY_CONFIG;
		err = ticket_open(s, d, urgency, err == HY_OK ? k->id : follows, k);
		opened = true;
		if (err == HY_OK && k->row->theme.len)
			themes_put(r->themes, k->row->project, HY_PB(k->row->theme), k->id);
	}
	if (err)
		return err;
	struct hy_bytes person = person_of(s), id = HY_PB(s->in->id);
	struct link l;
	err = link_get(s->txn, s->arena, link_key(k->id, person, id), &l);
	if (err == HY_OK)
		err = people_join(s, k, &l);
	if (err == HY_OK)
		err = ticket_put(s->txn, k);
	if (err)
		return err;
	c.department = k->row->department;
	c.round = k->row->round;
	err = settle(s, &c);
	if (err == HY_OK && opened)
		err = ticket_emit(s, k,
			&(struct ticket_news){ .kind = HUIYIN__TICKET_EVENT_KIND__OPENED,
				.cause = HY_ID_FROM_PB(s->in->id),
				.other = HY_ID_FROM_PB(k->row->follows) });
	return err ? err : emit_joined(s, k, person.size ? person : id, person.size == 0);
}

static int take_fresh(struct hy_step *s, struct router *r, struct hy_id follows)
{
	const Huiyin__Classification *c = s->in->classification;
	struct ruling ruling = { RULING_NONE, "", "", "" };
	bool spam = c && label_is(c->spam, "spam");
	if (!spam)
		rules_judge(r->rules, s->in, &ruling);
	if (spam || ruling.act == RULING_SPAM)
		return settle(
			s, &(struct course){ HUIYIN__DECISION__DECISION_SPAM, ruling.rule, "", { no_id, NULL }, 0 });
	if (ruling.act == RULING_THANK || (ruling.act == RULING_NONE && is_praise(c))) {
		const char *department = ruling.department[0] ? ruling.department : MARKETING;
		if (!rules_department(r->rules, department))
			department = "";
		return settle(s, &(struct course){ HUIYIN__DECISION__DECISION_THANKS, ruling.rule, department,
					 { no_id, NULL }, 0 });
	}
	return take_ticket(s, r, &ruling, follows);
}

/* ---- replies ---- */

struct reply {
	bool by_feedback; /* it named a feedback, not a token */
	struct hy_id first; /* the ticket as named, before merges */
	struct link link; /* in the ticket that stands for it now */
	bool known; /* she has a link there, or in the ticket she named */
	int answer;
};

/* Which ticket is answered. HY_NOT_FOUND: none that we know. */
static int reply_ticket(struct hy_step *s, struct reply *p, struct ticket *k)
{
	const Huiyin__InReplyTo *to = s->in->feedback->remark->in_reply_to;
	p->by_feedback = to->feedback.len == 16;
	p->first = HY_ID_FROM_PB(to->ticket);
	if (hy_id_is_zero(p->first) && p->by_feedback) {
		Huiyin__Router__Feedback *row;
		int err = hy_row_get(
			s->txn, s->arena, "feedback", HY_PB(to->feedback), &huiyin__router__feedback__descriptor, &row);
		if (err)
			return err;
		p->first = HY_ID_FROM_PB(row->ticket);
	}
	return hy_id_is_zero(p->first) ? HY_NOT_FOUND : ticket_get_final(s->txn, s->arena, p->first, k);
}

/* Said in so many words, or, where the words alone came back to an answer of ours, by their clear displeasure. */
static int reply_answer(const struct hy_step *s, const struct ticket *k)
{
	const Huiyin__InReplyTo *to = s->in->feedback->remark->in_reply_to;
	const Huiyin__Classification *c = s->in->classification;
	if (to->has_helped_case)
		return to->helped ? ANSWER_YES : ANSWER_NO;
	bool answered =
		k->row->state == HUIYIN__TICKET_STATE__RESOLVED || k->row->state == HUIYIN__TICKET_STATE__DECLINED;
	return answered && c && label_is(c->sentiment, "negative") && !c->unsure ? ANSWER_NO : ANSWER_NONE;
}

static int reply_link(struct hy_step *s, const struct ticket *k, struct reply *p)
{
	struct hy_bytes person = person_of(s), feedback = HY_PB(s->in->feedback->remark->in_reply_to->feedback);
	if (person.size == 0 && feedback.size == 0)
		return HY_OK; /* nobody */
	int err = link_get(s->txn, s->arena, link_key(k->id, person, feedback), &p->link);
	if (err)
		return err;
	p->known = !p->link.fresh;
	if (!p->known &&
		!hy_id_equal(p->first, k->id)) { /* told before a merge, she stayed behind; her answer counts here */
		struct link before;
		err = link_get(s->txn, s->arena, link_key(p->first, person, feedback), &before);
		p->known = err == HY_OK && !before.fresh;
	}
	return err;
}

static int keep_comment(struct hy_step *s, const struct ticket *k, const struct reply *p)
{
	const char *text = s->in->feedback->remark->text;
	if (text[0] == '\0' && p->answer == ANSWER_NONE)
		return HY_OK;
	Huiyin__Router__Comment row = HUIYIN__ROUTER__COMMENT__INIT;
	struct hy_key key = { 0 };
	hy_key_bytes(&key, k->id.b, sizeof(k->id.b));
	hy_key_bytes(&key, s->in->id.data, s->in->id.len);
	row.text = hy_arena_text(s->arena, hy_utf8_prefix(hy_bytes_text(text), COMMENT_POINTS));
	row.answer = (uint32_t)p->answer;
	row.at_ms = s->now_ms;
	row.person = s->in->feedback->person;
	return row.text ? hy_row_put(s->txn, "comment", hy_key_view(&key), &row.base) : HY_NO_MEMORY;
}

/* It did not help: an answered ticket opens again for her, an open one takes her into its round. */
static int say_no(struct hy_step *s, struct router *r, struct ticket *k, struct reply *p, bool *reopened, bool *joined)
{
	int err = people_answer(s, k, &p->link, ANSWER_NO, s->in->feedback->remark->in_reply_to->round);
	*reopened = k->row->state == HUIYIN__TICKET_STATE__RESOLVED || k->row->state == HUIYIN__TICKET_STATE__DECLINED;
	if (err == HY_OK)
		err = ticket_move(s, k, TICKET_NO, NULL, NULL);
	if (err)
		return err;
	if (*reopened)
		ticket_set_due(s, k, rules_department(r->rules, k->row->department));
	*joined = p->link.fresh || !link_waits(k, &p->link);
	return people_join(s, k, &p->link);
}

static int say_yes(struct hy_step *s, struct ticket *k, struct reply *p, bool *confirmed)
{
	if (p->link.fresh)
		return HY_OK;
	int err = people_answer(s, k, &p->link, ANSWER_YES, s->in->feedback->remark->in_reply_to->round);
	if (err == HY_OK && people_content(k) && ticket_can(k, TICKET_CONFIRM)) {
		*confirmed = true;
		err = ticket_move(s, k, TICKET_CONFIRM, NULL, NULL);
	}
	return err;
}

/* A reply to a ticket that can still hear it. The ticket is put before the record goes on: its events are last. */
static int take_reply(struct hy_step *s, struct router *r, struct ticket *k, struct reply *p)
{
	struct course c = {
		.decision = HUIYIN__DECISION__DECISION_REPLY, .ticket = *k, .department = k->row->department
	};
	bool reopened = false, joined = false, confirmed = false;
	int err = reply_link(s, k, p);
	if (err)
		return err;
	p->answer = reply_answer(s, k);
	err = keep_comment(s, k, p);
	if (err == HY_OK && p->known && p->answer == ANSWER_NO)
		err = say_no(s, r, k, p, &reopened, &joined);
	else if (err == HY_OK && p->known && p->answer == ANSWER_YES)
		err = say_yes(s, k, p, &confirmed);
	if (err == HY_OK)
		err = ticket_put(s->txn, k);
	if (err)
		return err;
	c.round = k->row->round;
	err = settle(s, &c);
	if (err || (!reopened && !joined && !confirmed))
		return err;
	struct ticket_news news = { .kind = HUIYIN__TICKET_EVENT_KIND__EVENT_CONFIRMED,
		.cause = HY_ID_FROM_PB(s->in->id) };
	if (confirmed)
		return ticket_emit(s, k, &news);
	bool anonymous;
	struct hy_bytes who = link_who(hy_key_view(&p->link.key), &anonymous);
	news.kind = HUIYIN__TICKET_EVENT_KIND__EVENT_REOPENED;
	news.person = anonymous ? hy_bytes(NULL, 0) : who;
	news.feedback = anonymous ? who : hy_bytes(NULL, 0);
	if (reopened)
		err = ticket_emit(s, k, &news);
	return err || !joined ? err : emit_joined(s, k, who, anonymous);
}

static int on_reply(struct hy_step *s, struct router *r)
{
	struct reply p = { 0 };
	struct ticket k;
	int err = reply_ticket(s, &p, &k);
	if (err == HY_NOT_FOUND || (err == HY_OK && ticket_finished(&k))) {
		/* A token of what is over changes nothing; somebody who comes back to her own feedback is heard as
		 * if for the first time. */
		if (p.by_feedback)
			return take_fresh(s, r, err == HY_OK ? k.id : no_id);
		struct course c = { .decision = HUIYIN__DECISION__DECISION_REPLY };
		if (err == HY_OK)
			c = (struct course){ HUIYIN__DECISION__DECISION_REPLY, "", k.row->department, k, k.row->round };
		return settle(s, &c);
	}
	return err ? err : take_reply(s, r, &k, &p);
}

/* ---- the inputs ---- */

static int on_classification(struct hy_step *s, void *self)
{
	struct router *r = self;
	if (!hy_is_feedback(s->in)) {
		const Huiyin__Feedback *f = s->in->feedback;
		int err = f && f->body_case == HUIYIN__FEEDBACK__BODY_ERASURE ? router_erase_begin(s, HY_PB(f->person))
									      : HY_OK;
		return err ? err : pass_on(s, &(struct course){ .decision = HUIYIN__DECISION__DECISION_PASSED });
	}
	if (entered_before(s, r, HY_ID_FROM_PB(s->in->id))) {
		hy_warn("feedback.twice", "project=%u", s->in->project);
		return hy_txn_count(s->txn, "count", HY_LIT("duplicated"), 1, NULL);
	}
	return s->in->feedback->remark->in_reply_to ? on_reply(s, r) : take_fresh(s, r, no_id);
}

static int thanks_outcome(struct hy_step *s, const Huiyin__Delivery *d)
{
	Huiyin__Router__Feedback *row;
	int err = hy_row_get(
		s->txn, s->arena, "feedback", HY_PB(d->feedback), &huiyin__router__feedback__descriptor, &row);
	if (err == HY_NOT_FOUND)
		return HY_OK;
	if (err || (row->outcome != HUIYIN__OUTCOME__OUTCOME_NONE && row->outcome != HUIYIN__OUTCOME__HELD))
		return err; /* said before */
	row->outcome = d->outcome;
	row->told_ms = d->at_ms;
	return hy_row_put(s->txn, "feedback", HY_PB(d->feedback), &row->base);
}

static int round_outcome(struct hy_step *s, const Huiyin__Delivery *d)
{
	struct ticket k;
	struct link l;
	bool settled = false, changed = false, confirmed = false;
	if (d->person.len == 0 && d->feedback.len == 0)
		return HY_OK;
	int err = ticket_get(s->txn, s->arena, HY_ID_FROM_PB(d->ticket), &k);
	if (err == HY_NOT_FOUND)
		return HY_OK; /* folded long ago */
	if (err == HY_OK)
		err = link_get(s->txn, s->arena, link_key(k.id, HY_PB(d->person), HY_PB(d->feedback)), &l);
	if (err == HY_OK)
		err = people_outcome(s, &k, &l, d->round, d->outcome, &settled, &changed);
	if (err || !changed)
		return err;
	if (settled)
		ticket_begin_wait(s, &k);
	if (people_content(&k) && ticket_can(&k, TICKET_CONFIRM)) {
		confirmed = true;
		err = ticket_move(s, &k, TICKET_CONFIRM, NULL, NULL);
	}
	if (err == HY_OK)
		err = ticket_put(s->txn, &k);
	if (err == HY_OK && confirmed)
		err = ticket_emit(s, &k,
			&(struct ticket_news){ .kind = HUIYIN__TICKET_EVENT_KIND__EVENT_CONFIRMED,
				.cause = HY_ID_FROM_PB(s->in->id) });
	return err;
}

static int on_delivery(struct hy_step *s, void *self)
{
	(void)self;
	const Huiyin__Delivery *d = s->in->delivery;
	if (!d)
		return HY_OK;
	switch (d->kind) {
	case HUIYIN__NOTICE_KIND__NOTICE_THANKS:
		return thanks_outcome(s, d);
	case HUIYIN__NOTICE_KIND__NOTICE_RESOLVED:
	case HUIYIN__NOTICE_KIND__NOTICE_DECLINED:
		return round_outcome(s, d);
	default:
		return HY_OK; /* receipts and reopenings are no answers */
	}
}

/* ---- due times ---- */

static int on_overdue(struct hy_step *s, struct ticket *k)
{
	k->row->overdue = true;
	/* A ticket can be late more than once, after a new due time: the time makes the cause. */
	struct hy_id cause = hy_step_derive(k->id, (uint32_t)(k->row->due_ms / 1000), hy_bytes(NULL, 0), "due");
	int err = ticket_put(s->txn, k);
	return err ? err
		   : ticket_emit(
			     s, k, &(struct ticket_news){ .kind = HUIYIN__TICKET_EVENT_KIND__OVERDUE, .cause = cause });
}

static int on_wait_over(struct hy_step *s, struct ticket *k)
{
	bool yes = k->row->yes > 0 && ticket_can(k, TICKET_CONFIRM);
	struct hy_id cause = k->row->last_delivery.len ? HY_ID_FROM_PB(k->row->last_delivery) : k->id;
	int err = ticket_move(s, k, yes ? TICKET_CONFIRM : TICKET_CLOSE, NULL, NULL);
	if (err == HY_OK)
		err = ticket_put(s->txn, k);
	return err ? err
		   : ticket_emit(s, k,
			     &(struct ticket_news){ .kind = yes ? HUIYIN__TICKET_EVENT_KIND__EVENT_CONFIRMED
								: HUIYIN__TICKET_EVENT_KIND__EVENT_CLOSED,
				     .cause = cause });
}

/* Rows are not taken back when a ticket moves on: the ticket says whether this one still holds. */
static int on_due(struct hy_step *s, struct hy_bytes key, struct hy_bytes row, void *self)
{
	(void)self;
	struct ticket k;
	int64_t due_ms = (int64_t)hy_be_get64(key.data);
	int err = ticket_get(s->txn, s->arena, hy_id_from(hy_bytes(key.data + 8, key.size - 8)), &k);
	if (err)
		return err == HY_NOT_FOUND ? HY_OK : err;
	if (hy_bytes_equal(row, HY_LIT("w")))
		return k.row->wait_ms == due_ms && !k.row->final ? on_wait_over(s, &k) : HY_OK;
	return k.row->due_ms == due_ms && !k.row->overdue && ticket_can(&k, TICKET_JOIN) ? on_overdue(s, &k) : HY_OK;
}

/* ---- the service ---- */

static int configure(struct hy_daemon *d, void *self)
{
	struct router *r = self;
	rules_free(&r->rules);
	rules_read(&r->rules, hy_daemon_conf(d));
	return HY_OK;
}

static int open_store(struct hy_daemon *d, void *self, struct hy_fault *f)
{
	struct router *r = self;
	r->scratch = hy_arena_new(0);
	struct hy_txn *t = hy_txn_begin(hy_daemon_store(d), HY_WRITE);
	struct hy_cursor last = hy_cursor_last(t, "feedback", hy_bytes(NULL, 0));
	if (hy_cursor_on(&last))
		r->last_feedback = hy_id_from(last.key);
	hy_cursor_close(&last);
	r->themes = themes_new(THEMES_MAX);
	themes_load(r->themes, t);
	router_keep_begin(t);
	int err = hy_txn_commit(&t);
	return err ? hy_fail(f, err, "the router's store: %s", hy_err_text(err)) : HY_OK;
}

static void health(struct hy_daemon *d, json_t *into, void *self)
{
	(void)self;
	struct hy_txn *t = hy_txn_begin(hy_daemon_store(d), HY_READ);
	json_object_set_new(into, "tickets", json_integer((json_int_t)hy_store_rows(t, "ticket")));
	json_object_set_new(into, "finished", json_integer((json_int_t)hy_store_rows(t, "finished")));
	json_object_set_new(into, "merges_running", json_integer((json_int_t)hy_store_rows(t, "moving")));
	hy_txn_abort(&t);
}

static void close_router(struct hy_daemon *d, void *self)
{
	(void)d;
	struct router *r = self;
	rules_free(&r->rules);
	themes_free(&r->themes);
	hy_arena_free(&r->scratch);
}

static const char *const tables[] = { "ticket", "link", "feedback", "theme", "number", "due", "finished", "comment",
	"count", "moving", "keep", "erasing", NULL };
static const struct hy_input inputs[] = {
	{ .stream = "classification", .writer = "classifier", .handle = on_classification },
	{ .stream = "delivery", .writer = "notifier", .handle = on_delivery, .returns = true },
	{ 0 },
};
static const struct hy_timer timers[] = {
	{ "due", on_due },
	{ "moving", router_merge_on_move },
	{ "keep", router_keep_on_due },
	{ "erasing", router_erase_on_due },
	{ 0 },
};

const struct hy_service router_service = {
	.name = "router",
	.summary = "classifications in, tickets out: who acts on each feedback, and what became of it",
	.version = 1,
	.conf = router_rules_conf,
	.tables = tables,
	.inputs = inputs,
	.output = "ticket",
	.readers = (const char *const[]){ "notifier", "classifier", "collector", NULL },
	.timers = timers,
	.commands = router_commands,
	.configure = configure,
	.open = open_store,
	.health = health,
	.close = close_router,
};
