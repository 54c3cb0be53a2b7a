#include "queues.h"
#include "collector_rows.pb-c.h"
#include "service/rows.h"

#define XXH_INLINE_ALL /* each item is hashed, and most are small */
#include <xxhash.h>

struct hy_key queue_key(uint64_t scope, struct hy_bytes client_id)
{
	struct hy_key k = { 0 };
	hy_key_u64(&k, scope);
	hy_key_bytes(&k, client_id.data, client_id.size);
	return k;
}

uint64_t queue_check(struct hy_bytes item)
{
	return XXH3_64bits(item.data, item.size);
}

int queue_load(struct hy_txn *t, struct hy_arena *a, struct queue *q)
{
	Huiyin__Collector__Queue *row;
	int err = hy_row_get(t, a, "door", hy_key_view(&q->key), &huiyin__collector__queue__descriptor, &row);
	q->durable_seq = err ? 0 : row->durable_seq;
	q->check = err ? 0 : row->check;
	return err == HY_NOT_FOUND ? HY_OK : err;
}

static int begin(struct hy_step *s, struct submission *sub, size_t *known)
{
	struct queue *q = sub->note;
	int err = queue_load(s->txn, s->arena, q);
	if (err)
		return err;
	q->state = QUEUE_GOES_ON;
	if (q->first_seq > q->durable_seq + 1) {
		q->state = QUEUE_GAP;
	} else {
		uint64_t behind = q->durable_seq + 1 - q->first_seq;
		if (behind > 0 && behind <= sub->count && q->checks[behind - 1] != q->check)
			q->state = QUEUE_CONFLICT;
		*known = behind < sub->count ? (size_t)behind : sub->count;
	}
	sub->refused = q->state != QUEUE_GOES_ON;
	return HY_OK;
}

static int end(struct hy_step *s, struct submission *sub)
{
	struct queue *q = sub->note;
	Huiyin__Collector__Queue row = HUIYIN__COLLECTOR__QUEUE__INIT;
	uint8_t room[64];
	uint64_t last = q->first_seq + sub->count - 1;
	if (last <= q->durable_seq)
		return HY_OK;
	q->durable_seq = row.durable_seq = last;
	q->check = row.check = q->checks[sub->count - 1];
	row.seen_ms = s->now_ms;
	return hy_txn_put(s->txn, "door", hy_key_view(&q->key), hy_wire_pack_to(&row.base, room, sizeof(room)));
}

const struct numbering queue_numbering = { begin, end };

int queues_forget(struct hy_step *s, struct hy_bytes from, struct hy_key *next)
{
	int64_t before = s->now_ms - hy_conf_int(hy_daemon_conf(s->daemon), "door.forget");
	size_t looked = 0;
	int err = HY_OK;
	*next = (struct hy_key){ 0 };
	struct hy_cursor c = hy_cursor_open(s->txn, "door", hy_bytes(NULL, 0));
	if (from.size)
		hy_cursor_seek(&c, from);
	for (; hy_cursor_on(&c); hy_cursor_next(&c)) {
		Huiyin__Collector__Queue *row;
		if (looked++ == HY_FANOUT_CHUNK) {
			hy_key_bytes(next, c.key.data, c.key.size);
			break;
		}
		hy_arena_reset(s->arena);
		err = hy_row_open(s->arena, c.value, &huiyin__collector__queue__descriptor, &row);
		if (err)
			break;
		if (row->seen_ms < before)
			hy_cursor_del(&c);
	}
	hy_cursor_close(&c);
	return err;
}
