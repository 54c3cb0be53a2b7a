/* Timers: rows with a due time. A step fires those that were there when it began, so what a handler puts back, even due at once,
 * has the next step's transaction, and a row that fails is one that can be found again. */
#include "service/daemon.h"

#include <stdlib.h>

#define ROWS_A_STEP HY_FANOUT_CHUNK /* of each table: a backlog of one neither starves the others nor the records */

static bool due_row(const struct hy_cursor *c, int64_t now_ms)
{
	return hy_cursor_on(c) && c->key.size >= 8 && (int64_t)hy_be_get64(c->key.data) <= now_ms;
}

void timers_load(struct hy_daemon *d, struct hy_txn *t)
{
	for (size_t i = 0; i < d->timer_count; i++) {
		struct hy_cursor c = hy_cursor_open(t, d->service->timers[i].table, hy_bytes(NULL, 0));
		d->timer_due[i] = hy_cursor_on(&c) && c.key.size >= 8 ? (int64_t)hy_be_get64(c.key.data) : NEVER;
		hy_cursor_close(&c);
	}
}

int64_t timers_next(const struct hy_daemon *d)
{
	int64_t due = NEVER;
	for (size_t i = 0; i < d->timer_count; i++)
		due = d->timer_due[i] < due ? d->timer_due[i] : due;
	return due;
}

int timers_gather(struct hy_daemon *d, struct hy_txn *t, int64_t now_ms, bool one)
{
	d->due_count = 0;
	for (size_t i = 0; i < d->timer_count && !(one && d->due_count); i++) {
		if (d->timer_due[i] > now_ms)
			continue;
		size_t most = d->due_count + (one ? 1 : ROWS_A_STEP);
		struct hy_cursor c = hy_cursor_open(t, d->service->timers[i].table, hy_bytes(NULL, 0));
		for (; d->due_count < most && due_row(&c, now_ms); hy_cursor_next(&c)) {
			if (d->due_count == d->due_room) {
				size_t room = d->due_room ? 2 * d->due_room : 64;
				struct due *grown = realloc(d->due, room * sizeof(*grown));
				if (!grown)
					break; /* the rest falls to the next step */
				d->due = grown;
				d->due_room = room;
			}
			struct due *due = &d->due[d->due_count++];
			due->timer = &d->service->timers[i];
			due->key.size = 0;
			hy_key_bytes(&due->key, c.key.data, c.key.size);
		}
		hy_cursor_close(&c);
	}
	return hy_txn_err(t);
}

/* The row is gone before its handler runs: what the handler puts back is new. */
static int fire(struct hy_daemon *d, struct hy_step *s, const struct due *due)
{
	struct hy_bytes row, key = hy_key_view(&due->key);
	int err = hy_txn_get(s->txn, due->timer->table, key, &row);
	if (err)
		return err == HY_NOT_FOUND ? HY_OK : err; /* this step has taken it away */
	hy_arena_reset(d->arena);
	uint8_t *copy = hy_arena_get(d->arena, row.size + 1);
	if (!copy)
		return HY_NO_MEMORY;
	if (row.size)
		memcpy(copy, row.data, row.size);
	hy_txn_del(s->txn, due->timer->table, key);
	err = due->timer->fire(s, key, hy_bytes(copy, row.size), d->self);
	return err ? err : hy_txn_err(s->txn);
}

int timers_fire(struct hy_daemon *d, struct hy_step *s, struct due **bad)
{
	for (size_t i = 0; i < d->due_count; i++) {
		int err = fire(d, s, &d->due[i]);
		if (err) {
			*bad = &d->due[i];
			return err;
		}
	}
	return HY_OK;
}

int timers_bury(struct hy_daemon *d, struct hy_txn *t, const struct due *due, int reason, int64_t now_ms)
{
	struct hy_bytes row, key = hy_key_view(&due->key);
	char name[64];
	if (hy_txn_get(t, due->timer->table, key, &row) == HY_OK) {
		snprintf(name, sizeof(name), "timer.%s", due->timer->table);
		hy_error("timer.dead", "table=%s due_ms=%" PRIu64 " reason=%s", due->timer->table,
			hy_be_get64(key.data), hy_err_name(reason));
		hy_count(d, "dead_letters_total", 1);
		dead_put(t, name, hy_be_get64(key.data), row, reason, hy_err_text(reason), now_ms);
		hy_txn_del(t, due->timer->table, key);
	}
	return hy_txn_err(t);
}
