#include "router/keep.h"

#include <stdlib.h>

#include "router/audit.h"
#include "router/router.h"

enum { STAGE_FEEDBACK, STAGE_TICKETS, STAGE_DONE };

/* A pass, while one chunk of it runs. */
struct pass {
	struct hy_step *s;
	struct router *r;
	int64_t before_ms;
	struct hy_key cursor; /* the last row looked at */
	size_t left; /* rows of this chunk */
};

static int put_state(struct hy_txn *t, int64_t due_ms, uint32_t stage, const struct pass *p)
{
	Huiyin__Router__Keep row = HUIYIN__ROUTER__KEEP__INIT;
	struct hy_key due = row_due_key(due_ms, hy_bytes(NULL, 0));
	row.stage = stage;
	if (p) {
		row.before_ms = p->before_ms;
		row.cursor = HY_TO_PB(hy_key_view(&p->cursor));
	}
	return hy_row_put(t, "keep", hy_key_view(&due), &row.base);
}

void router_keep_begin(struct hy_txn *t)
{
	struct hy_cursor c = hy_cursor_open(t, "keep", hy_bytes(NULL, 0));
	bool there = hy_cursor_on(&c);
	hy_cursor_close(&c);
	if (!there)
		put_state(t, 0, STAGE_FEEDBACK, NULL);
}

static struct hy_cursor resume(struct pass *p, const char *table)
{
	struct hy_cursor c = hy_cursor_open(p->s->txn, table, hy_bytes(NULL, 0));
	if (p->cursor.size) {
		hy_cursor_seek(&c, hy_key_view(&p->cursor));
		if (hy_cursor_on(&c) && hy_bytes_equal(c.key, hy_key_view(&p->cursor)))
			hy_cursor_next(&c);
	}
	return c;
}

static void remember(struct pass *p, struct hy_bytes key)
{
	p->cursor = (struct hy_key){ .size = 0 };
	hy_key_bytes(&p->cursor, key.data, key.size);
}

/* Whether this feedback's loop ended before the pass's limit. */
static int loop_is_over(struct pass *p, const Huiyin__Router__Feedback *row, bool *over)
{
	struct ticket k;
	*over = true;
	if (row->decision == HUIYIN__DECISION__DECISION_THANKS)
		*over = row->outcome != HUIYIN__OUTCOME__OUTCOME_NONE && row->outcome != HUIYIN__OUTCOME__HELD;
	if (row->decision != HUIYIN__DECISION__DECISION_TICKET)
		return HY_OK;
	int err = ticket_get_final(p->s->txn, p->r->scratch, HY_ID_FROM_PB(row->ticket), &k);
	if (err)
		return err == HY_NOT_FOUND ? HY_OK : err;
	*over = k.row->final && k.row->finished_ms <= p->before_ms;
	return HY_OK;
}

/* Old feedback whose loop is over is added to the sums and goes. *done: nothing older than the limit is left to
 * look at. */
static int fold_feedback(struct pass *p, struct audit_sums *sums, bool *done)
{
	int err = HY_OK;
	struct hy_cursor c = resume(p, "feedback");
	for (; hy_cursor_on(&c) && p->left > 0 && err == HY_OK; hy_cursor_next(&c), p->left--) {
		struct hy_id id = hy_id_from(c.key);
		Huiyin__Router__Feedback *row;
		enum audit_state state;
		int64_t close_ms;
		bool over = false;
		if (hy_id_ms(id) > p->before_ms)
			break;
		remember(p, c.key);
		hy_arena_reset(p->r->scratch);
		err = hy_row_open(p->r->scratch, c.value, &huiyin__router__feedback__descriptor, &row);
		if (err == HY_OK)
			err = loop_is_over(p, row, &over);
		if (err == HY_OK && over)
			err = router_audit_state(p->s->txn, p->r->scratch, id, row, &state, &close_ms);
		if (err == HY_OK && over) {
			router_audit_add(sums, state, close_ms);
			err = hy_cursor_del(&c);
		}
	}
	*done = p->left > 0;
	hy_cursor_close(&c);
	return err;
}

/* Deletes rows below `prefix`, as many as the chunk has left; *empty when none remain. */
static int drop_rows(struct pass *p, const char *table, struct hy_id prefix, bool *empty)
{
	int err = HY_OK;
	struct hy_cursor c = hy_cursor_open(p->s->txn, table, hy_id_bytes(&prefix));
	for (; hy_cursor_on(&c) && p->left > 0 && err == HY_OK; hy_cursor_next(&c), p->left--)
		err = hy_cursor_del(&c);
	*empty = !hy_cursor_on(&c);
	hy_cursor_close(&c);
	return err;
}

/* One finished ticket. *gone: it left; it stays while feedback still leads through it to a ticket that lives. */
static int drop_ticket(struct pass *p, struct hy_id id, bool *gone)
{
	struct ticket k, last;
	bool links_gone = false, comments_gone = false;
	*gone = true;
	hy_arena_reset(p->r->scratch);
	int err = ticket_get(p->s->txn, p->r->scratch, id, &k);
	if (err)
		return err == HY_NOT_FOUND ? HY_OK : err;
	err = ticket_get_final(p->s->txn, p->r->scratch, id, &last);
	if (err && err != HY_NOT_FOUND)
		return err;
	if (err == HY_OK && !(last.row->final && last.row->finished_ms <= p->before_ms))
		return HY_OK; /* a duplicate of what lives */
	err = drop_rows(p, "link", id, &links_gone);
	if (err == HY_OK && links_gone)
		err = drop_rows(p, "comment", id, &comments_gone);
	*gone = comments_gone;
	if (err || !comments_gone)
		return err;
	ticket_forget(p->s->txn, &k);
	struct hy_key finished = row_due_key(k.row->finished_ms, hy_id_bytes(&id));
	hy_txn_del(p->s->txn, "finished", hy_key_view(&finished));
	return hy_txn_err(p->s->txn);
}

static int drop_tickets(struct pass *p, bool *done)
{
	*done = false;
	while (p->left > 0) {
		struct hy_cursor c = resume(p, "finished");
		bool on = hy_cursor_on(&c) && (int64_t)hy_be_get64(c.key.data) <= p->before_ms, gone = false;
		struct hy_key key = { 0 };
		if (on)
			hy_key_bytes(&key, c.key.data, c.key.size);
		hy_cursor_close(&c);
		if (!on) {
			*done = true;
			return HY_OK;
		}
		int err = drop_ticket(p, hy_id_from(hy_bytes(key.data + 8, key.size - 8)), &gone);
		if (err || !gone)
			return err;
		p->cursor = key;
		p->left -= p->left > 0;
	}
	return HY_OK;
}

int router_keep_on_due(struct hy_step *s, struct hy_bytes key, struct hy_bytes row, void *self)
{
	(void)key;
	Huiyin__Router__Keep *state;
	int err = hy_row_open(s->arena, row, &huiyin__router__keep__descriptor, &state);
	if (err)
		return err;
	uint32_t stage = state->stage;
	struct pass p = { .s = s, .r = self, .before_ms = state->before_ms, .left = HY_FANOUT_CHUNK };
	bool done = false;
	if (stage == STAGE_FEEDBACK && state->before_ms == 0) /* a new pass */
		p.before_ms = s->now_ms - hy_conf_int(hy_daemon_conf(s->daemon), "keep.closed");
	else
		remember(&p, HY_PB(state->cursor));
	if (stage == STAGE_FEEDBACK) {
		struct audit_sums *sums = calloc(1, sizeof(*sums));
		if (!sums)
			return HY_NO_MEMORY;
		err = fold_feedback(&p, sums, &done);
		if (err == HY_OK)
			err = router_audit_fold(s->txn, sums);
		free(sums);
	} else {
		err = drop_tickets(&p, &done);
	}
	if (err)
		return err;
	if (done) {
		p.cursor.size = 0;
		stage++;
	}
	/* A time of its own, so that the next chunk has a transaction of its own. */
	return stage == STAGE_DONE ? put_state(s->txn, s->now_ms + KEEP_EVERY_MS, STAGE_FEEDBACK, NULL)
				   : put_state(s->txn, s->now_ms + 1, stage, &p);
}
