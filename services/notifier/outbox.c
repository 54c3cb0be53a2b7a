#include "outbox.h"

#include "decide.h"

enum notifier_state notifier_state_after(enum notifier_state state, enum notifier_verb verb)
{
	static const uint8_t after[NOTICE_STATES][VERBS] = {
		/* clang-format off */
		/*                    DOT         SENT         LATER         NEVER        HOLD         RELEASE        DROP */
		[NOTICE_QUEUED] = { NOTICE_DOT, 0,           NOTICE_DEFER, NOTICE_DEAD, NOTICE_HELD, 0,             NOTICE_DEAD },
		[NOTICE_DEFER]  = { NOTICE_DOT, 0,           NOTICE_DEFER, NOTICE_DEAD, NOTICE_HELD, NOTICE_QUEUED, NOTICE_DEAD },
		[NOTICE_DOT]    = { NOTICE_DOT, NOTICE_SENT, NOTICE_DEFER, NOTICE_DEAD, NOTICE_HELD, 0,             0 },
		[NOTICE_HELD]   = { 0,          0,           0,            0,           0,           NOTICE_QUEUED, NOTICE_DEAD },
		/* clang-format on */
	};
	return state < NOTICE_STATES && verb < VERBS ? after[state][verb] : NOTICE_NOWHERE;
}

const char *notifier_state_name(enum notifier_state state)
{
	static const char *const names[] = { "", "queued", "dot", "deferred", "held", "sent", "dead" };
	return state < NOTICE_STATES ? names[state] : "";
}

const char *notifier_outcome_name(uint32_t outcome)
{
	static const char *const names[] = { "", "told", "held", "no_contact", "unsubscribed", "refused", "bounced",
		"gave_up", "capped", "erased", "anonymous" };
	return outcome < sizeof(names) / sizeof(*names) ? names[outcome] : "";
}

void notifier_tally(struct hy_txn *t, const char *name, int64_t delta)
{
	hy_txn_count(t, "tally", hy_bytes_text(name), delta, NULL);
}

struct hy_id notifier_notice_id(const struct notifier_about *a)
{
	if (a->kind == HUIYIN__NOTICE_KIND__NOTICE_THANKS)
		return hy_step_derive(a->feedback, 0, a->person, "thanks");
	/* Anonymous people have no name of their own: each goes by her feedback. */
	struct hy_bytes who = a->person.size ? a->person : hy_id_bytes(&a->feedback);
	return hy_step_derive(a->ticket, a->round, who, notifier_kind_name(a->kind));
}

int notifier_outbox_get(struct hy_txn *t, struct hy_arena *a, struct hy_id id, notice_row **out)
{
	return hy_row_get(t, a, "outbox", hy_id_bytes(&id), &huiyin__notifier__notice__descriptor, out);
}

static bool exists(struct hy_txn *t, struct hy_id id)
{
	struct hy_bytes ignored;
	return hy_txn_get(t, "outbox", hy_id_bytes(&id), &ignored) == HY_OK ||
	       hy_txn_get(t, "ledger", hy_id_bytes(&id), &ignored) == HY_OK;
}

static int put_row(struct hy_step *s, struct hy_id id, notice_row *row)
{
	return hy_row_put(s->txn, "outbox", hy_id_bytes(&id), &row->base);
}

const char *notifier_outbox_queue(uint32_t kind)
{
	return kind == HUIYIN__NOTICE_KIND__NOTICE_RECEIPT ? "receipts" : "queue";
}

/* Its place in the queue: one at the most. */
static void queue(struct hy_step *s, struct hy_id id, notice_row *row, int64_t due_ms)
{
	struct hy_key old = notifier_due_key(row->due_ms, id), fresh = notifier_due_key(due_ms, id);
	if (row->due_ms)
		hy_txn_del(s->txn, notifier_outbox_queue(row->kind), hy_key_view(&old));
	if (due_ms)
		hy_txn_put(s->txn, notifier_outbox_queue(row->kind), hy_key_view(&fresh), hy_bytes(NULL, 0));
	row->due_ms = due_ms;
}

static int emit(struct hy_step *s, struct hy_id id, const notice_row *row, Huiyin__Outcome outcome, const char *channel,
	const char *reason)
{
	Huiyin__Delivery d = HUIYIN__DELIVERY__INIT;
	Huiyin__Envelope e = HUIYIN__ENVELOPE__INIT;
	/* Held, released and held again is said each time; the tries tell these apart. */
	struct hy_id own = hy_step_derive(id, row->tries << 8 | (uint32_t)outcome, HY_PB(row->person), "delivery");
	d.at_ms = s->now_ms;
	d.notice = HY_ID_TO_PB(id);
	d.kind = (Huiyin__NoticeKind)row->kind;
	d.outcome = outcome;
	d.ticket = row->ticket;
	d.round = row->round;
	d.person = row->person;
	d.feedback = row->feedback;
	d.channel = row_text(channel);
	d.reason = row_text(reason);
	e.id = HY_ID_TO_PB(own);
	e.cause = row->cause;
	e.project = row->project;
	e.key = row->person;
	e.origin_ms = row->origin_ms;
	e.delivery = &d;
	return hy_step_emit(s, &e);
}

int notifier_outbox_settle(struct hy_step *s, struct notifier *n, struct hy_id id, notice_row *row,
	Huiyin__Outcome outcome, const char *channel, const char *reason)
{
	entry_row e = HUIYIN__NOTIFIER__ENTRY__INIT;
	if (row->state != NOTICE_NOWHERE) {
		queue(s, id, row, 0);
		hy_txn_del(s->txn, "outbox", hy_id_bytes(&id));
	}
	if (row->state == NOTICE_HELD)
		notifier_tally(s->txn, "held", -1);
	e.kind = row->kind;
	e.ticket = row->ticket;
	e.round = row->round;
	e.person = row->person;
	e.feedback = row->feedback;
	e.outcome = outcome;
	e.channel = row_text(channel);
	e.at_ms = s->now_ms;
	e.reason = row_text(reason);
	e.copies = row->copies;
	e.tries = row->tries;
	e.project = row->project;
	int err = hy_row_put(s->txn, "ledger", hy_id_bytes(&id), &e.base);
	if (err)
		return err;
	notifier_tally(s->txn, notifier_outcome_name(outcome), 1);
	if (row->copies > 1)
		notifier_tally(s->txn, "duplicated", 1);
	hy_count(n->daemon, outcome == HUIYIN__OUTCOME__TOLD ? "notices_told" : "notices_not_told", 1);
	return emit(s, id, row, outcome, channel, reason);
}

int notifier_outbox_move(struct hy_step *s, struct hy_id id, notice_row *row, enum notifier_verb verb, int64_t due_ms)
{
	enum notifier_state to = notifier_state_after(row->state, verb);
	if (to == NOTICE_NOWHERE)
		return HY_BAD_STATE;
	if (row->state == NOTICE_HELD)
		notifier_tally(s->txn, "held", -1);
	row->state = to;
	if (due_ms != row->due_ms)
		queue(s, id, row, due_ms);
	return put_row(s, id, row);
}

int notifier_outbox_hold(struct hy_step *s, struct notifier *n, struct hy_id id, notice_row *row, const char *reason)
{
	row->reason = row_text(reason);
	int err = notifier_outbox_move(s, id, row, VERB_HOLD, 0);
	if (err)
		return err;
	notifier_tally(s->txn, "held", 1);
	hy_count(n->daemon, "notices_held", 1);
	return emit(s, id, row, HUIYIN__OUTCOME__HELD, n->channel->name, reason);
}

static bool is_courtesy(Huiyin__NoticeKind kind)
{
	return kind == HUIYIN__NOTICE_KIND__NOTICE_RECEIPT || kind == HUIYIN__NOTICE_KIND__NOTICE_REOPENED;
}

int notifier_tell(struct hy_step *s, struct notifier *n, const struct notifier_about *a)
{
	struct notifier_verdict v;
	struct hy_id id = notifier_notice_id(a);
	if (exists(s->txn, id))
		return HY_OK;
	int err = notifier_decide(s->txn, s->arena, n, a->person, a->kind, s->now_ms, &v);
	if (err || (v.outcome && is_courtesy(a->kind)))
		return err;
	notice_row row = HUIYIN__NOTIFIER__NOTICE__INIT;
	row.kind = a->kind;
	if (!hy_id_is_zero(a->ticket))
		row.ticket = HY_TO_PB(hy_id_bytes(&a->ticket));
	if (!hy_id_is_zero(a->feedback))
		row.feedback = HY_TO_PB(hy_id_bytes(&a->feedback));
	row.round = a->round;
	row.person = HY_TO_PB(a->person);
	row.project = a->project;
	row.number = a->number;
	row.language = row_text(a->language);
	row.words = row_text(a->words);
	row.cause = HY_TO_PB(hy_id_bytes(&a->cause));
	row.origin_ms = a->origin_ms;
	row.made_ms = s->now_ms;
	notifier_tally(s->txn, "made", 1);
	struct hy_key by_ticket = KEY_OF(HY_PB(row.ticket), hy_id_bytes(&id));
	struct hy_key by_person = KEY_OF(a->person, HY_LIT("n"), hy_id_bytes(&id));
	if (row.ticket.len)
		hy_txn_put(s->txn, "by_ticket", hy_key_view(&by_ticket), hy_bytes(NULL, 0));
	if (a->person.size)
		hy_txn_put(s->txn, "person", hy_key_view(&by_person), hy_bytes(NULL, 0));
	if (v.outcome)
		return notifier_outbox_settle(s, n, id, &row, v.outcome, "", v.reason);
	row.state = NOTICE_QUEUED;
	queue(s, id, &row, v.due_ms);
	return put_row(s, id, &row);
}
