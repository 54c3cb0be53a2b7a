#include "router/erase.h"

#include "router/router.h"

int router_erase_begin(struct hy_step *s, struct hy_bytes person)
{
	if (person.size == 0)
		return HY_OK;
	Huiyin__Router__Erase row = HUIYIN__ROUTER__ERASE__INIT;
	struct hy_key due = row_due_key(s->now_ms, person);
	return hy_row_put(s->txn, "erasing", hy_key_view(&due), &row.base);
}

/* One feedback of hers: the ticket that it opened loses its subject, the comment that it was goes. */
static int erase_one(struct hy_step *s, struct router *r, struct hy_id feedback, struct hy_id ticket)
{
	struct ticket k;
	struct hy_key comment = { 0 };
	hy_arena_reset(r->scratch);
	int err = ticket_get(s->txn, r->scratch, ticket, &k);
	if (err)
		return err == HY_NOT_FOUND ? HY_OK : err;
	if (k.row->subject[0] && hy_bytes_equal(HY_PB(k.row->feedback), hy_id_bytes(&feedback))) {
		k.row->subject = (char *)(uintptr_t) "";
		err = ticket_put(s->txn, &k);
	}
	hy_key_bytes(&comment, ticket.b, sizeof(ticket.b));
	hy_key_bytes(&comment, feedback.b, sizeof(feedback.b));
	hy_txn_del(s->txn, "comment", hy_key_view(&comment));
	return err;
}

int router_erase_on_due(struct hy_step *s, struct hy_bytes key, struct hy_bytes row, void *self)
{
	struct router *r = self;
	struct hy_bytes person = hy_bytes(key.data + 8, key.size - 8);
	struct found {
		struct hy_id feedback, ticket;
	} *found = hy_arena_get(s->arena, HY_FANOUT_CHUNK * sizeof(*found));
	Huiyin__Router__Erase *state;
	int err = hy_row_open(s->arena, row, &huiyin__router__erase__descriptor, &state);
	if (err || !found)
		return err ? err : HY_NO_MEMORY;
	struct hy_id at = HY_ID_FROM_PB(state->cursor);
	size_t walked = 0, n = 0;
	struct hy_cursor c = hy_cursor_open(s->txn, "feedback", hy_bytes(NULL, 0));
	if (!hy_id_is_zero(at))
		hy_cursor_seek(&c, hy_id_bytes(&at));
	for (; hy_cursor_on(&c) && walked < HY_FANOUT_CHUNK && err == HY_OK; hy_cursor_next(&c), walked++) {
		Huiyin__Router__Feedback *f;
		hy_arena_reset(r->scratch);
		at = hy_id_from(c.key);
		err = hy_row_open(r->scratch, c.value, &huiyin__router__feedback__descriptor, &f);
		if (err == HY_OK && f->ticket.len && hy_bytes_equal(HY_PB(f->person), person))
			found[n++] = (struct found){ at, HY_ID_FROM_PB(f->ticket) };
	}
	bool more = hy_cursor_on(&c);
	hy_cursor_close(&c);
	for (size_t i = 0; i < n && err == HY_OK; i++)
		err = erase_one(s, r, found[i].feedback, found[i].ticket);
	if (err || !more)
		return err;
	struct hy_key due = row_due_key(s->now_ms + 1, person);
	state->cursor = row_id(&at); /* seen again: harmless */
	return hy_row_put(s->txn, "erasing", hy_key_view(&due), &state->base);
}
