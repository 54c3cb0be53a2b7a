#include "router/merge.h"

#include "router/router.h"

int router_merge_begin(
	struct hy_step *s, struct ticket *from, struct ticket *into, struct hy_id command, const char *actor)
{
	Huiyin__Router__Move move = HUIYIN__ROUTER__MOVE__INIT;
	struct hy_key due = row_due_key(s->now_ms, hy_id_bytes(&from->id));
	int err = ticket_move(s, from, TICKET_MERGE, actor, NULL);
	if (err)
		return err;
	from->row->into = row_id(&into->id);
	into->row->moving++;
	into->row->moving_from = from->row->number;
	move.into = row_id(&into->id);
	move.command = row_id(&command);
	move.actor = (char *)(uintptr_t)actor;
	ticket_put(s->txn, from);
	ticket_put(s->txn, into);
	hy_row_put(s->txn, "moving", hy_key_view(&due), &move.base);
	err = hy_txn_err(s->txn);
	return err ? err
		   : ticket_emit(s, from,
			     &(struct ticket_news){ .kind = HUIYIN__TICKET_EVENT_KIND__MERGED,
				     .cause = command,
				     .other = into->id,
				     .actor = actor });
}

/* One person, with her link taken out of `from` already. */
static int move_one(struct hy_step *s, struct router *r, const struct ticket *from, struct ticket *into,
	struct hy_bytes key, struct hy_id command, const char *actor)
{
	bool anonymous;
	struct hy_bytes who = link_who(key, &anonymous), nobody = hy_bytes(NULL, 0);
	struct link l;
	int err = link_get(
		s->txn, r->scratch, link_key(into->id, anonymous ? nobody : who, anonymous ? who : nobody), &l);
	if (err)
		return err;
	l.row->moved_round = into->row->round;
	bool waits = link_waits(into, &l);
	err = waits ? link_put(s->txn, &l) : people_join(s, into, &l);
	if (err)
		return err;
	return ticket_emit(s, into,
		&(struct ticket_news){ .kind = HUIYIN__TICKET_EVENT_KIND__MOVED,
			.cause = command,
			.person = anonymous ? nobody : who,
			.feedback = anonymous ? who : nobody,
			.other = from->id,
			.actor = actor });
}

/* Collects the keys of the next links behind `cursor` first: moving writes to the table that is walked. */
static size_t next_keys(struct hy_step *s, struct hy_id ticket, struct hy_bytes cursor, struct hy_key *keys)
{
	size_t n = 0;
	struct hy_cursor c = hy_cursor_open(s->txn, "link", hy_id_bytes(&ticket));
	if (cursor.size)
		hy_cursor_seek(&c, cursor);
	for (; hy_cursor_on(&c) && n < HY_FANOUT_CHUNK; hy_cursor_next(&c)) {
		if (hy_bytes_equal(c.key, cursor))
			continue;
		keys[n] = (struct hy_key){ .size = 0 };
		hy_key_bytes(&keys[n++], c.key.data, c.key.size);
	}
	hy_cursor_close(&c);
	return n;
}

int router_merge_on_move(struct hy_step *s, struct hy_bytes key, struct hy_bytes row, void *self)
{
	struct router *r = self;
	Huiyin__Router__Move *move;
	struct ticket from, into;
	struct hy_key *keys = hy_arena_get(s->arena, HY_FANOUT_CHUNK * sizeof(*keys));
	int err = hy_row_open(s->arena, row, &huiyin__router__move__descriptor, &move);
	if (err == HY_OK && !keys)
		err = HY_NO_MEMORY;
	if (err == HY_OK)
		err = ticket_get(s->txn, s->arena, hy_id_from(hy_bytes(key.data + 8, key.size - 8)), &from);
	if (err == HY_OK)
		err = ticket_get(s->txn, s->arena, HY_ID_FROM_PB(move->into), &into);
	if (err)
		return err;
	size_t n = next_keys(s, from.id, HY_PB(move->cursor), keys);
	for (size_t i = 0; i < n && err == HY_OK; i++) {
		struct link l;
		hy_arena_reset(r->scratch);
		err = link_get(s->txn, r->scratch, keys[i], &l);
		if (err || !link_waits(&from, &l))
			continue;
		hy_txn_del(s->txn, "link", hy_key_view(&keys[i]));
		err = move_one(s, r, &from, &into, hy_key_view(&keys[i]), HY_ID_FROM_PB(move->command), move->actor);
	}
	if (err)
		return err;
	if (n < HY_FANOUT_CHUNK) {
		into.row->moving -= into.row->moving > 0;
		hy_info("ticket.moved", "from=T-%" PRIu64 " into=T-%" PRIu64 " people=%u", from.row->number,
			into.row->number, into.row->people);
		return ticket_put(s->txn, &into);
	}
	/* A time of its own, so that the next chunk has a transaction of its own. */
	struct hy_key due = row_due_key(s->now_ms + 1, hy_id_bytes(&from.id));
	move->cursor = HY_TO_PB(hy_key_view(&keys[n - 1]));
	ticket_put(s->txn, &into);
	return hy_row_put(s->txn, "moving", hy_key_view(&due), &move->base);
}
