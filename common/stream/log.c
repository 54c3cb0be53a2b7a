/* The log: blocks in the table "log.NAME", and one row "head/NAME" in the table "stream" with the log's id and where it ends.
 * The row is written with every seal, so the numbers go on where they were when all blocks have been trimmed, and a lost tail
 * is noticed instead of having its numbers given away twice. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "stream/block.h"

#define ROW_VERSION 1
#define ROW_BYTES 33 /* version, log_id, head, chain */

struct hy_stream {
	struct hy_store *db;
	char name[28], table[32];
	struct hy_stream_state next; /* as of the writer's transaction */
	bool dirty; /* the row must be written at the next seal */
	pthread_mutex_t lock; /* over: */
	struct hy_stream_state state;
	struct hy_block_maker maker;
};

static struct hy_key block_key(uint64_t first)
{
	struct hy_key k = { 0 };
	hy_key_u64(&k, first);
	return k;
}

static uint64_t first_of(const struct hy_cursor *c)
{
	return c->key.size == 8 ? hy_be_get64(c->key.data) : 0;
}

/* On the last block that begins at or before `seq`; else on the first one behind. Off when there is none at all. */
static struct hy_cursor block_at(const struct hy_stream *s, struct hy_txn *t, uint64_t seq)
{
	struct hy_key k = block_key(seq);
	struct hy_cursor c = hy_cursor_open(t, s->table, HY_LIT(""));
	if (!hy_cursor_on(&c) || first_of(&c) >= seq)
		return c;
	hy_cursor_seek(&c, hy_key_view(&k));
	if (!hy_cursor_on(&c))
		return hy_cursor_last(t, s->table, HY_LIT(""));
	if (first_of(&c) != seq)
		hy_cursor_prev(&c);
	return c;
}

/* ---- the row ---- */

static struct hy_key row_key(const char *name)
{
	struct hy_key k = { 0 };
	hy_key_bytes(&k, "head/", 5);
	hy_key_bytes(&k, name, strlen(name));
	return k;
}

int hy_log_row_put(struct hy_txn *t, const char *name, const struct hy_stream_state *st)
{
	uint8_t row[ROW_BYTES] = { ROW_VERSION };
	struct hy_key k = row_key(name);
	memcpy(row + 1, st->log_id.b, 16);
	hy_be_put64(row + 17, st->head);
	hy_be_put64(row + 25, st->chain);
	return hy_txn_put(t, "stream", hy_key_view(&k), hy_bytes(row, sizeof(row)));
}

int hy_log_row(struct hy_txn *t, const char *name, struct hy_stream_state *out)
{
	struct hy_bytes row;
	struct hy_key k = row_key(name);
	int err = hy_txn_get(t, "stream", hy_key_view(&k), &row);
	if (err != HY_OK)
		return err;
	if (row.size != ROW_BYTES || row.data[0] != ROW_VERSION)
		return row.size && row.data[0] > ROW_VERSION ? HY_NEWER : HY_CORRUPT;
	memcpy(out->log_id.b, row.data + 1, 16);
	out->head = hy_be_get64(row.data + 17);
	out->chain = hy_be_get64(row.data + 25);
	return HY_OK;
}

/* ---- open and close ---- */

static void new_log_id(struct hy_log_id *id)
{
	HY_ASSERT(getentropy(id->b, sizeof(id->b)) == 0); /* waits for the kernel where it must, and then can't fail */
}

/* Finds the first block's place and date, from the cursor on it. */
static void set_oldest(struct hy_stream_state *st, const struct hy_cursor *c)
{
	struct hy_block b;
	st->oldest = st->head + 1;
	st->oldest_ms = 0;
	if (!hy_cursor_on(c))
		return;
	st->oldest = first_of(c);
	if (hy_block_open(c->value, st->oldest, &b) == HY_OK)
		st->oldest_ms = b.at_ms;
}

/* Row and blocks must tell the same story; where they differ somebody has lost part of it. */
static int load(struct hy_stream *s, struct hy_txn *t)
{
	struct hy_stream_state *st = &s->next;
	struct hy_block b;
	struct hy_cursor last = hy_cursor_last(t, s->table, HY_LIT(""));
	int err = hy_log_row(t, s->name, st);
	if (err == HY_NOT_FOUND && hy_cursor_on(&last))
		err = HY_CORRUPT;
	if (err == HY_OK && hy_cursor_on(&last)) {
		err = hy_block_open(last.value, first_of(&last), &b);
		if (err == HY_OK && (b.first + b.count - 1 != st->head || hy_block_chain(&b, st->head) != st->chain))
			err = HY_CORRUPT;
		if (err == HY_DAMAGED)
			err = HY_CORRUPT;
	}
	hy_cursor_close(&last);
	if (err == HY_OK) {
		struct hy_cursor c = hy_cursor_open(t, s->table, HY_LIT(""));
		set_oldest(st, &c);
		hy_cursor_close(&c);
	}
	return hy_txn_err(t) != HY_OK ? hy_txn_err(t) : err;
}

static int create(struct hy_stream *s)
{
	new_log_id(&s->next.log_id);
	s->next.oldest = 1;
	struct hy_txn *t = hy_txn_begin(s->db, HY_WRITE);
	hy_log_row_put(t, s->name, &s->next);
	int err = hy_txn_commit(&t);
	return err == HY_FORBIDDEN ? HY_NOT_FOUND : err; /* a tool looks at a store that has no such log yet */
}

int hy_stream_open(struct hy_stream **out, struct hy_store *db, const char *name)
{
	*out = NULL;
	struct hy_stream *s = calloc(1, sizeof(*s));
	if (!s)
		return HY_NO_MEMORY;
	HY_ASSERT(strlen(name) < sizeof(s->name));
	s->db = db;
	snprintf(s->name, sizeof(s->name), "%s", name);
	snprintf(s->table, sizeof(s->table), "log.%s", name);
	pthread_mutex_init(&s->lock, NULL);
	struct hy_txn *t = hy_txn_begin(db, HY_READ);
	int err = load(s, t);
	hy_txn_abort(&t);
	if (err == HY_NOT_FOUND)
		err = create(s);
	if (err != HY_OK) {
		hy_stream_close(&s);
		return err;
	}
	s->state = s->next;
	hy_block_begin(&s->maker, s->next.head + 1, s->next.chain);
	*out = s;
	return HY_OK;
}

void hy_stream_close(struct hy_stream **s)
{
	if (*s) {
		pthread_mutex_destroy(&(*s)->lock);
		free(*s);
	}
	*s = NULL;
}

const char *hy_stream_name(const struct hy_stream *s)
{
	return s->name;
}

struct hy_stream_state hy_stream_state(const struct hy_stream *s)
{
	pthread_mutex_t *lock = (pthread_mutex_t *)(uintptr_t)&s->lock;
	pthread_mutex_lock(lock);
	struct hy_stream_state st = s->state;
	pthread_mutex_unlock(lock);
	return st;
}

/* ---- append ---- */

static int flush(struct hy_stream *s, struct hy_txn *t)
{
	struct hy_block_maker *m = &s->maker;
	if (m->count == 0)
		return hy_txn_err(t);
	struct hy_key k = block_key(m->first);
	uint8_t *room = hy_txn_reserve(t, s->table, hy_key_view(&k), hy_block_size(m), true);
	if (!room)
		return hy_txn_err(t);
	hy_block_write(m, room);
	if (s->next.oldest > s->next.head)
		s->next.oldest_ms = m->at_ms;
	s->next.head += m->count;
	s->next.chain = m->chain;
	s->dirty = true;
	hy_block_begin(m, s->next.head + 1, s->next.chain);
	return HY_OK;
}

int hy_stream_append(struct hy_stream *s, struct hy_txn *t, struct hy_bytes record, int64_t at_ms, uint64_t *seq)
{
	if (record.size > HY_WIRE_ENVELOPE_MAX)
		return HY_TOO_LARGE;
	if (!hy_block_fits(&s->maker, record.size)) {
		int err = flush(s, t);
		if (err != HY_OK)
			return err;
	}
	hy_block_add(&s->maker, record, at_ms);
	if (seq)
		*seq = s->next.head + s->maker.count;
	return HY_OK;
}

int hy_stream_seal(struct hy_stream *s, struct hy_txn *t)
{
	int err = flush(s, t);
	if (err == HY_OK && s->dirty)
		err = hy_log_row_put(t, s->name, &s->next);
	if (err == HY_OK)
		s->dirty = false;
	return err;
}

void hy_stream_settled(struct hy_stream *s, bool committed)
{
	if (committed) {
		HY_ASSERT(s->maker.count == 0 && !s->dirty); /* a commit without seal would lose records */
		pthread_mutex_lock(&s->lock);
		s->state = s->next;
		pthread_mutex_unlock(&s->lock);
	} else {
		s->next = s->state; /* only this thread writes it */
		s->dirty = false;
		hy_block_begin(&s->maker, s->next.head + 1, s->next.chain);
	}
}

/* ---- read ---- */

static int read_block(
	const struct hy_block *b, uint64_t after, int (*each)(const struct hy_record *r, void *arg), void *arg)
{
	struct hy_record r;
	size_t at = 0;
	for (uint32_t i = 0; hy_block_next(b, &i, &at, &r);) {
		int err = r.seq > after ? each(&r, arg) : HY_OK;
		if (err != HY_OK)
			return err;
	}
	return HY_OK;
}

int hy_stream_read(struct hy_stream *s, struct hy_txn *t, uint64_t after,
	int (*each)(const struct hy_record *r, void *arg), void *arg, uint64_t *at_seq)
{
	int err = HY_OK;
	uint64_t expected = 0; /* nothing yet: a log may begin anywhere */
	struct hy_cursor c = after < UINT64_MAX ? block_at(s, t, after + 1) : (struct hy_cursor){ 0 };
	for (; err == HY_OK && hy_cursor_on(&c); hy_cursor_next(&c)) {
		struct hy_block b;
		uint64_t first = first_of(&c);
		err = expected && first != expected ? HY_DAMAGED : hy_block_open(c.value, first, &b);
		if (err != HY_OK) { /* where the reading ends: the first number that can't be had */
			if (at_seq)
				*at_seq = expected ? expected : first;
			break;
		}
		err = read_block(&b, after, each, arg);
		expected = first + b.count;
	}
	hy_cursor_close(&c);
	return err == HY_OK ? hy_txn_err(t) : err;
}

int hy_stream_chain(struct hy_stream *s, struct hy_txn *t, uint64_t seq, uint64_t *chain)
{
	struct hy_block b;
	struct hy_stream_state row;
	struct hy_cursor c = block_at(s, t, seq);
	int err = hy_txn_err(t);
	if (err == HY_OK && hy_cursor_on(&c)) {
		err = hy_block_open(c.value, first_of(&c), &b);
		if (err == HY_OK && (seq + 1 < b.first || seq >= b.first + b.count))
			err = HY_NOT_FOUND;
		if (err == HY_OK)
			*chain = hy_block_chain(&b, seq);
	} else if (err == HY_OK) {
		err = hy_log_row(t, s->name, &row);
		if (err == HY_OK && row.head != seq)
			err = HY_NOT_FOUND;
		if (err == HY_OK)
			*chain = row.chain;
	}
	hy_cursor_close(&c);
	return err;
}

/* ---- trim, erase, renew ---- */

/* Whether the block under the cursor may go. One with a bad head has no date; when every reader is past it nobody misses it. */
static bool may_go(
	struct hy_stream *s, struct hy_txn *t, const struct hy_cursor *c, uint64_t keep_after, int64_t before_ms)
{
	struct hy_block b;
	uint64_t first = first_of(c), last;
	if (hy_block_open(c->value, first, &b) == HY_OK) {
		last = first + b.count - 1;
		if (b.at_ms >= before_ms)
			return false;
	} else {
		struct hy_key k = block_key(first + 1);
		struct hy_cursor behind = hy_cursor_open(t, s->table, HY_LIT(""));
		hy_cursor_seek(&behind, hy_key_view(&k));
		last = hy_cursor_on(&behind) ? first_of(&behind) - 1 : s->next.head;
		hy_cursor_close(&behind);
	}
	return last <= keep_after;
}

int hy_stream_trim(
	struct hy_stream *s, struct hy_txn *t, uint64_t keep_after, int64_t before_ms, size_t blocks, size_t *removed)
{
	size_t gone = 0;
	struct hy_cursor c = hy_cursor_open(t, s->table, HY_LIT(""));
	for (; gone < blocks && hy_cursor_on(&c) && may_go(s, t, &c, keep_after, before_ms); hy_cursor_next(&c)) {
		hy_cursor_del(&c); /* a failure is remembered by the transaction, which then has no further rows */
		gone++;
	}
	int err = hy_txn_err(t);
	if (err == HY_OK && gone)
		set_oldest(&s->next, &c);
	hy_cursor_close(&c);
	if (removed)
		*removed = err == HY_OK ? gone : 0;
	return err;
}

int hy_stream_erase(struct hy_stream *s, struct hy_txn *t, uint64_t seq)
{
	struct hy_block b;
	struct hy_buffer copy = { 0 };
	struct hy_cursor c = block_at(s, t, seq);
	int err = hy_txn_err(t);
	if (err == HY_OK)
		err = hy_cursor_on(&c) ? hy_block_open(c.value, first_of(&c), &b) : HY_NOT_FOUND;
	if (err == HY_OK && (seq < b.first || seq >= b.first + b.count))
		err = HY_NOT_FOUND;
	if (err == HY_OK && !(hy_block_length(&b, (uint32_t)(seq - b.first)) & HY_BLOCK_ERASED)) {
		hy_block_erase(&b, seq, &copy); /* before the write: it looks into the page that the write gives away */
		struct hy_key k = block_key(b.first);
		err = copy.err != HY_OK ? copy.err : hy_txn_put(t, s->table, hy_key_view(&k), hy_buffer_view(&copy));
	}
	hy_cursor_close(&c);
	hy_buffer_free(&copy);
	return err;
}

int hy_stream_renew(struct hy_stream *s, struct hy_txn *t)
{
	new_log_id(&s->next.log_id);
	s->dirty = true;
	return hy_stream_seal(s, t);
}

/* ---- serving ---- */

int hy_stream_copy(const struct hy_stream *s, struct hy_txn *t, uint64_t after, size_t credit_bytes,
	struct hy_buffer *out, struct hy_copied *what)
{
	*what = (struct hy_copied){ .first = after + 1, .state = hy_stream_state(s) };
	size_t most = credit_bytes < HY_BATCH_BYTES ? credit_bytes : HY_BATCH_BYTES, start = out->size;
	if (after > what->state.head || after + 1 < what->state.oldest)
		return HY_NOT_FOUND;
	if (after == what->state.head)
		return HY_OK;
	int err = HY_OK;
	uint64_t expected = after + 1;
	struct hy_cursor c = block_at(s, t, expected);
	if (hy_cursor_on(&c) && first_of(&c) > expected)
		err = HY_NOT_FOUND; /* `t` shows a trim that is not settled yet */
	/* A commit that is not settled yet may show in `t`; its blocks lie behind the head and wait. */
	for (; err == HY_OK && hy_cursor_on(&c) && first_of(&c) <= what->state.head; hy_cursor_next(&c)) {
		struct hy_block b;
		uint64_t first = first_of(&c);
		if (what->count && out->size - start + c.value.size > most)
			break;
		bool gap = what->count ? first != expected : first > expected;
		err = gap ? HY_DAMAGED : hy_block_open(c.value, first, &b);
		if (err == HY_OK && what->count + b.count > HY_WIRE_REPEATED_MAX)
			break;
		if (err != HY_OK)
			break; /* what came before is served first, the fault with the next call */
		if (what->count == 0)
			what->chain = hy_block_chain(&b, after);
		what->count += hy_block_copy(&b, after, out, &what->damaged);
		expected = first + b.count > expected ? first + b.count : expected;
	}
	hy_cursor_close(&c);
	if (out->err != HY_OK || hy_txn_err(t) != HY_OK)
		return out->err != HY_OK ? out->err : hy_txn_err(t);
	return what->count ? HY_OK : err;
}
