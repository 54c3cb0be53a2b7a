#include "sweep.h"

enum { LEDGER, CASES, EACH_MS = 24 * 60 * 60000 };

static int put_sweep(struct hy_txn *t, int64_t due_ms, const sweep_row *row)
{
	struct hy_key key = { .size = 0 };
	hy_key_u64(&key, (uint64_t)due_ms);
	return hy_row_put(t, "sweep", hy_key_view(&key), &row->base);
}

int notifier_sweep_begin(struct notifier *n)
{
	struct hy_txn *t = hy_txn_begin(hy_daemon_store(n->daemon), HY_WRITE);
	sweep_row row = HUIYIN__NOTIFIER__SWEEP__INIT;
	int err = hy_store_rows(t, "sweep") ? HY_OK : put_sweep(t, hy_now_ms() + EACH_MS, &row);
	if (err) {
		hy_txn_abort(&t);
		return err;
	}
	return hy_txn_commit(&t);
}

/* One row of the walk: its key, copied, and what to do. */
struct old {
	struct hy_id id;
	struct hy_bytes ticket, person;
};

/* Rows of `table` from the cursor on that may be old enough; those for which `is_old` says so are put into `out`. */
static int find_old(struct hy_step *s, const char *table, sweep_row *w, int64_t before_ms, size_t most,
	int (*is_old)(struct hy_step *s, struct hy_bytes row, int64_t before_ms, struct old *out), struct old *out,
	size_t *count)
{
	int err = HY_OK;
	size_t seen = 0;
	struct hy_cursor c = hy_cursor_open(s->txn, table, hy_bytes(NULL, 0));
	if (w->cursor.len && hy_cursor_on(&c))
		hy_cursor_seek(&c, HY_PB(w->cursor));
	*count = 0;
	w->cursor = (ProtobufCBinaryData){ 0 };
	for (; hy_cursor_on(&c) && err == HY_OK; hy_cursor_next(&c)) {
		struct hy_id id = hy_id_from(c.key);
		if (hy_id_ms(id) >= before_ms)
			break;
		if (seen++ == most) {
			uint8_t *key = hy_arena_get(s->arena, sizeof(id.b));
			if (!key) {
				err = HY_NO_MEMORY;
				break;
			}
			memcpy(key, id.b, sizeof(id.b));
			w->cursor = (ProtobufCBinaryData){ sizeof(id.b), key };
			break;
		}
		out[*count] = (struct old){ .id = id };
		int old = is_old(s, c.value, before_ms, &out[*count]);
		if (old < 0)
			err = old;
		else
			*count += (size_t)old;
	}
	hy_cursor_close(&c);
	return err;
}

static int entry_is_old(struct hy_step *s, struct hy_bytes row, int64_t before_ms, struct old *out)
{
	entry_row *e;
	int err = hy_row_open(s->arena, row, &huiyin__notifier__entry__descriptor, &e);
	if (err)
		return err;
	out->ticket = HY_PB(e->ticket);
	out->person = HY_PB(e->person);
	return e->at_ms < before_ms;
}

static int sweep_ledger(struct hy_step *s, sweep_row *w, int64_t before_ms)
{
	struct old *old = hy_arena_get(s->arena, HY_FANOUT_CHUNK * sizeof(*old));
	size_t count;
	if (!old)
		return HY_NO_MEMORY;
	int err = find_old(s, "ledger", w, before_ms, HY_FANOUT_CHUNK, entry_is_old, old, &count);
	if (err)
		return err;
	for (size_t i = 0; i < count; i++) {
		struct hy_key by_ticket = KEY_OF(old[i].ticket, hy_id_bytes(&old[i].id));
		struct hy_key by_person = KEY_OF(old[i].person, HY_LIT("n"), hy_id_bytes(&old[i].id));
		hy_txn_del(s->txn, "ledger", hy_id_bytes(&old[i].id));
		hy_txn_del(s->txn, "by_ticket", hy_key_view(&by_ticket));
		hy_txn_del(s->txn, "person", hy_key_view(&by_person));
	}
	if (count)
		hy_txn_count(s->txn, "tally", HY_LIT("folded"), (int64_t)count, NULL);
	return HY_OK;
}

/* A declined ticket stays declined; after so long nobody is coming back. */
static int case_is_old(struct hy_step *s, struct hy_bytes row, int64_t before_ms, struct old *out)
{
	case_row *c;
	(void)out;
	int err = hy_row_open(s->arena, row, &huiyin__notifier__case__descriptor, &c);
	if (err)
		return err;
	bool ended = c->state == HUIYIN__TICKET_STATE__CONFIRMED || c->state == HUIYIN__TICKET_STATE__CLOSED ||
		     c->state == HUIYIN__TICKET_STATE__DECLINED || c->state == HUIYIN__TICKET_STATE__DUPLICATE;
	return ended && c->changed_ms < before_ms;
}

/* Deletes at most *most rows of a ticket in `table`, a link with its place in person; true when none is left. */
static bool clear(struct hy_step *s, const char *table, struct hy_id ticket, size_t *most)
{
	struct hy_cursor c = hy_cursor_open(s->txn, table, hy_id_bytes(&ticket));
	for (; hy_cursor_on(&c) && *most; hy_cursor_next(&c), --*most) {
		struct hy_key key = KEY_OF(c.key);
		hy_cursor_del(&c);
		if (key.size == 33 && key.data[16] == 'p') {
			struct hy_key of = KEY_OF(hy_bytes(key.data + 17, 16), HY_LIT("t"), hy_id_bytes(&ticket));
			hy_txn_del(s->txn, "person", hy_key_view(&of));
		}
	}
	bool left = hy_cursor_on(&c);
	hy_cursor_close(&c);
	return !left;
}

static void clear_case(struct hy_step *s, struct hy_id ticket)
{
	case_row *c;
	if (hy_row_get(s->txn, s->arena, "case", hy_id_bytes(&ticket), &huiyin__notifier__case__descriptor, &c) !=
		HY_OK)
		return;
	struct hy_key number = notifier_number_key(c->project, c->number);
	hy_txn_del(s->txn, "number", hy_key_view(&number));
	hy_txn_del(s->txn, "case", hy_id_bytes(&ticket));
}

/* Links are many: as long as some are left the case stays, and the walk comes back to it. */
static int sweep_cases(struct hy_step *s, sweep_row *w, int64_t before_ms)
{
	struct old *old = hy_arena_get(s->arena, HY_FANOUT_CHUNK * sizeof(*old));
	size_t count, most = HY_FANOUT_CHUNK;
	if (!old)
		return HY_NO_MEMORY;
	int err = find_old(s, "case", w, before_ms, HY_FANOUT_CHUNK, case_is_old, old, &count);
	for (size_t i = 0; i < count && err == HY_OK; i++) {
		if (!clear(s, "link", old[i].id, &most) || !clear(s, "note", old[i].id, &most)) {
			w->cursor = HY_TO_PB(hy_id_bytes(&old[i].id));
			break;
		}
		clear_case(s, old[i].id);
	}
	return err;
}

int notifier_sweep_on(struct hy_step *s, struct hy_bytes key, struct hy_bytes row, void *self)
{
	struct notifier *n = self;
	sweep_row *w;
	(void)key;
	int err = hy_row_open(s->arena, row, &huiyin__notifier__sweep__descriptor, &w);
	if (err)
		return err;
	int64_t before_ms = s->now_ms - n->keep_ms;
	err = w->stage == LEDGER ? sweep_ledger(s, w, before_ms) : sweep_cases(s, w, before_ms);
	if (err)
		return err;
	int64_t due = s->now_ms + 1;
	if (!w->cursor.len) { /* the end of a table */
		due = w->stage == LEDGER ? due : s->now_ms + EACH_MS;
		w->stage = w->stage == LEDGER ? CASES : LEDGER;
	}
	return put_sweep(s->txn, due, w);
}
