#include "keep.h"
#include "collector_rows.pb-c.h"
#include "collector/door/queues.h"

#define WALK_EVERY_MS INT64_C(3600000)

enum { AT_KIND = 8, AT_ID = 9 }; /* of a key: due time, kind, id */

static struct hy_key keep_key(int64_t due_ms, char kind, struct hy_bytes id)
{
	struct hy_key k = { 0 };
	hy_key_u64(&k, (uint64_t)due_ms);
	hy_key_bytes(&k, &kind, 1);
	hy_key_bytes(&k, id.data, id.size);
	return k;
}

/* The walk of that kind is due now, unless it stands in the table already. */
static void begin_walk(struct hy_txn *t, char kind)
{
	for (struct hy_cursor c = hy_cursor_open(t, "keep", hy_bytes(NULL, 0)); hy_cursor_on(&c); hy_cursor_next(&c))
		if (c.key.size > AT_KIND && c.key.data[AT_KIND] == kind) {
			hy_cursor_close(&c);
			return;
		}
	struct hy_key k = keep_key(hy_now_ms(), kind, hy_bytes(NULL, 0));
	hy_txn_put(t, "keep", hy_key_view(&k), hy_bytes(NULL, 0));
}

int keep_begin(struct hy_daemon *d)
{
	struct hy_txn *t = hy_txn_begin(hy_daemon_store(d), HY_WRITE);
	begin_walk(t, 'v');
	begin_walk(t, 'q');
	return hy_txn_commit(&t);
}

static int64_t lifetime(const struct hy_step *s)
{
	return hy_conf_int(hy_daemon_conf(s->daemon), "keep.closed");
}

int keep_ticket(struct hy_step *s, struct hy_bytes ticket)
{
	struct hy_key k = keep_key(s->now_ms + lifetime(s), 't', ticket);
	return hy_txn_put(s->txn, "keep", hy_key_view(&k), hy_bytes(NULL, 0));
}

/* Removes up to a chunk of the rows that begin with `prefix`; true when none is left. */
static bool clear(struct hy_txn *t, const char *table, struct hy_bytes prefix, size_t *budget)
{
	struct hy_cursor c = hy_cursor_open(t, table, prefix);
	for (; hy_cursor_on(&c); hy_cursor_next(&c)) {
		if (*budget == 0) {
			hy_cursor_close(&c);
			return false;
		}
		(*budget)--;
		hy_cursor_del(&c);
	}
	return true;
}

static int forget_ticket(struct hy_step *s, struct hy_bytes ticket)
{
	size_t budget = HY_FANOUT_CHUNK;
	struct hy_key again = keep_key(s->now_ms + 1, 't', ticket); /* in a transaction of its own */
	if (!clear(s->txn, "told", ticket, &budget) || !clear(s->txn, "answer", ticket, &budget))
		return hy_txn_put(s->txn, "keep", hy_key_view(&again), hy_bytes(NULL, 0));
	hy_txn_del(s->txn, "public", ticket);
	return HY_OK;
}

/* Whether a feedback's loop is over and its ticket has been forgotten. */
static bool is_over(struct hy_step *s, const Huiyin__Collector__View *v)
{
	struct hy_bytes row;
	return v->ticket.len != 16 ? v->routed_ms != 0
				   : hy_txn_get(s->txn, "public", HY_PB(v->ticket), &row) == HY_NOT_FOUND;
}

/* Ids rise with time: the walk begins at the oldest and ends at the first that is young enough. */
static int walk(struct hy_step *s, struct hy_bytes from)
{
	int64_t before = s->now_ms - lifetime(s);
	struct hy_id gone[HY_FANOUT_CHUNK], last = hy_id_from(from);
	size_t looked = 0, n = 0;
	struct hy_cursor c = hy_cursor_open(s->txn, "view", hy_bytes(NULL, 0));
	hy_cursor_seek(&c, from);
	bool more = false;
	for (; hy_cursor_on(&c); hy_cursor_next(&c)) {
		Huiyin__Collector__View *v;
		struct hy_id id = hy_id_from(c.key);
		if (hy_id_ms(id) >= before)
			break;
		more = looked++ == HY_FANOUT_CHUNK;
		last = id;
		if (more)
			break;
		hy_arena_reset(s->arena);
		if (hy_wire_unpack(s->arena, &huiyin__collector__view__descriptor, c.value, &v, NULL) != HY_OK ||
			is_over(s, v))
			gone[n++] = id;
	}
	hy_cursor_close(&c);
	for (size_t i = 0; i < n; i++) {
		size_t budget = HY_FANOUT_CHUNK;
		hy_txn_del(s->txn, "view", hy_id_bytes(&gone[i]));
		clear(s->txn, "told", hy_id_bytes(&gone[i]), &budget); /* a thank-you or two */
	}
	struct hy_key next = keep_key(s->now_ms + (more ? 1 : WALK_EVERY_MS), 'v', hy_bytes(NULL, 0));
	return hy_txn_put(s->txn, "keep", hy_key_view(&next), more ? hy_id_bytes(&last) : hy_bytes(NULL, 0));
}

/* The same for the queues of the ZeroMQ door's clients. */
static int walk_queues(struct hy_step *s, struct hy_bytes from)
{
	struct hy_key next;
	int err = queues_forget(s, from, &next);
	if (err)
		return err;
	struct hy_key again = keep_key(s->now_ms + (next.size ? 1 : WALK_EVERY_MS), 'q', hy_bytes(NULL, 0));
	return hy_txn_put(s->txn, "keep", hy_key_view(&again), hy_key_view(&next));
}

int collector_on_keep(struct hy_step *s, struct hy_bytes key, struct hy_bytes row, void *self)
{
	(void)self;
	if (key.size <= AT_KIND)
		return HY_OK;
	if (key.data[AT_KIND] == 'v') { /* the view of where the walk goes on dies with the arena */
		struct hy_id from = hy_id_from(row);
		return walk(s, row.size == 16 ? hy_id_bytes(&from) : hy_bytes(NULL, 0));
	}
	if (key.data[AT_KIND] == 'q') {
		struct hy_key from = { 0 };
		hy_key_bytes(&from, row.data, row.size);
		return walk_queues(s, hy_key_view(&from));
	}
	struct hy_id ticket = hy_id_from(hy_bytes(key.data + AT_ID, key.size - AT_ID));
	return forget_ticket(s, hy_id_bytes(&ticket));
}
