/* Looking through a log for damage, and mending what can be proved. A bad head has three things against it: its own checksum,
 * which finds a single flipped bit by trying; the chain at the end of the block before; and the chain at the beginning of
 * the one behind. Between the two, a head made again from the records is right or is found out. */
#include <stdio.h>
#include <stdlib.h>

#include "stream/block.h"

struct place {
	uint64_t expected; /* where the block before ended; 0 = nothing yet: a log may begin anywhere */
	uint64_t first, next; /* its own number and that of the block behind */
	struct hy_bytes stored;
	/* What the neighbours tell: the chain on both sides, and the dates between which it lies. */
	bool before_known, after_known;
	uint64_t before, after;
	int64_t before_ms, after_ms;
};

struct check {
	struct hy_txn *t;
	const char *name;
	char table[32];
	struct hy_stream_state row;
	bool repair;
	struct hy_log_report *out;
	struct hy_block_maker *maker;
};

static void note(struct check *c, uint64_t *count, uint64_t n, uint64_t seq)
{
	*count += n;
	if (c->out->at_seq == 0) /* the walk goes forward */
		c->out->at_seq = seq;
}

static bool find(struct check *c, uint64_t from, uint64_t *first, struct hy_bytes *stored)
{
	struct hy_key k = { 0 };
	hy_key_u64(&k, from);
	struct hy_cursor cur = hy_cursor_open(c->t, c->table, HY_LIT(""));
	hy_cursor_seek(&cur, hy_key_view(&k));
	bool on = hy_cursor_on(&cur);
	if (on) {
		*first = hy_be_get64(cur.key.data);
		*stored = cur.value;
	}
	hy_cursor_close(&cur);
	return on;
}

static int put_row(struct check *c, uint64_t first, struct hy_bytes block)
{
	struct hy_key k = { 0 };
	hy_key_u64(&k, first);
	return hy_txn_put(c->t, c->table, hy_key_view(&k), block);
}

static int put_maker(struct check *c)
{
	size_t size = hy_block_size(c->maker);
	uint8_t *bytes = malloc(size);
	if (!bytes)
		return HY_NO_MEMORY;
	hy_block_write(c->maker, bytes);
	int err = put_row(c, c->maker->first, hy_bytes(bytes, size));
	free(bytes);
	return err;
}

/* ---- one flipped bit ---- */

#define HEAD_MOST (HY_BLOCK_HEAD + 8 * HY_BLOCK_RECORDS) /* bytes under a block's checksum */

static bool mend_bit(struct check *c, const struct place *p, int *err)
{
	struct hy_block b;
	bool found = false;
	size_t bits = 8 * (p->stored.size < HEAD_MOST ? p->stored.size : HEAD_MOST);
	if (p->stored.size < HY_BLOCK_HEAD)
		return false;
	uint8_t *copy = malloc(p->stored.size);
	if (!copy) {
		*err = HY_NO_MEMORY;
		return false;
	}
	memcpy(copy, p->stored.data, p->stored.size);
	for (size_t bit = 0; !found && bit < bits; bit++) {
		copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
		found = hy_block_open(hy_bytes(copy, p->stored.size), p->first, &b) == HY_OK;
		if (!found)
			copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	if (found)
		*err = put_row(c, p->first, hy_bytes(copy, p->stored.size));
	free(copy);
	return found;
}

/* ---- a head made again from the records ---- */

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint64_t get64(const uint8_t *p)
{
	return get32(p) | (uint64_t)get32(p + 4) << 32;
}

/* The lengths as the frames tell them; a record of no bytes takes its mark from the array, where there may be one. */
static bool lengths_from_frames(struct hy_block_maker *m, const uint8_t *array)
{
	size_t at = 0;
	for (uint32_t i = 0; i < m->count; i++) {
		struct hy_wire_item item;
		int err = HY_OK;
		if (!hy_wire_next(hy_bytes(m->wire, m->wire_size), &at, &item, &err) || item.number != 9 ||
			item.wire_type != 2)
			return false;
		uint32_t marks = get32(array + 4 * (size_t)i) & (HY_BLOCK_ERASED | HY_BLOCK_LOST);
		m->lengths[i] = (uint32_t)item.bytes.size | (item.bytes.size ? 0 : marks);
	}
	return at == m->wire_size;
}

static bool lengths_from_array(struct hy_block_maker *m, const uint8_t *array)
{
	size_t sum = 0;
	for (uint32_t i = 0; i < m->count; i++) {
		m->lengths[i] = get32(array + 4 * (size_t)i);
		size_t length = m->lengths[i] & ~(HY_BLOCK_ERASED | HY_BLOCK_LOST);
		sum += 1 + hy_wire_varint_size(length) + length;
	}
	return sum == m->wire_size;
}

/* The checks as the records give them, or as they stand in the array; a record that is gone has only the latter. */
static bool proved(struct hy_block_maker *m, const uint8_t *array, bool from_records, uint64_t after)
{
	size_t at = 0;
	m->chain = m->chain_before;
	for (uint32_t i = 0; i < m->count; i++) {
		uint32_t length = m->lengths[i] & ~(HY_BLOCK_ERASED | HY_BLOCK_LOST);
		at += 1 + hy_wire_varint_size(length);
		m->checks[i] = from_records && length == m->lengths[i] ? hy_check(hy_bytes(m->wire + at, length))
								       : get32(array + 4 * (size_t)i);
		at += length;
		m->chain = hy_chain_next(m->chain, m->checks[i]);
	}
	return m->chain == after;
}

static bool mend_head(struct check *c, const struct place *p, int *err)
{
	struct hy_block_maker *m = c->maker;
	uint64_t count = p->next - p->first;
	if (!p->after_known || count > HY_BLOCK_RECORDS || p->stored.size < HY_BLOCK_HEAD + 8 * count)
		return false;
	const uint8_t *lengths = p->stored.data + HY_BLOCK_HEAD, *checks = lengths + 4 * count,
		      *wire = checks + 4 * count;
	size_t wire_size = p->stored.size - HY_BLOCK_HEAD - 8 * count;
	if (wire_size > sizeof(m->wire))
		return false;
	int64_t at_ms = (int64_t)get64(p->stored.data + 16);
	hy_block_begin(m, p->first, p->before_known ? p->before : get64(p->stored.data + 32));
	m->count = (uint32_t)count;
	m->wire_size = (uint32_t)wire_size;
	m->at_ms = at_ms >= p->before_ms && at_ms <= p->after_ms ? at_ms : p->before_ms;
	memcpy(m->wire, wire, wire_size);
	bool good = false;
	for (int way = 0; !good && way < 4; way++)
		good = (way < 2 ? lengths_from_frames(m, lengths) : lengths_from_array(m, lengths)) &&
		       proved(m, checks, way % 2 == 0, p->after);
	if (good)
		*err = put_maker(c);
	return good;
}

/* ---- what can't be proved ---- */

/* Markers for the records first .. next - 1, in as many blocks as they need. At the end of the log its row is told the chain that
 * they make; further in front the chain of the block behind stands, and readers see that it does not follow. */
static int give_up(struct check *c, uint64_t first, uint64_t next, uint64_t before, int64_t at_ms)
{
	struct hy_block_maker *m = c->maker;
	int err = HY_OK;
	c->out->lost += next - first;
	while (err == HY_OK && first < next) {
		hy_block_begin(m, first, before);
		m->at_ms = at_ms;
		for (; m->count < HY_BLOCK_RECORDS && first < next; first++) {
			m->wire[m->wire_size++] = 0x4a;
			m->wire[m->wire_size++] = 0;
			m->lengths[m->count] = HY_BLOCK_LOST;
			m->checks[m->count++] = 0;
			m->chain = hy_chain_next(m->chain, 0);
		}
		before = m->chain;
		err = put_maker(c);
	}
	if (err == HY_OK && next == c->row.head + 1) {
		c->row.chain = before;
		err = hy_log_row_put(c->t, c->name, &c->row);
	}
	return err;
}

static int mend(struct check *c, const struct place *p)
{
	int err = HY_OK;
	if (mend_bit(c, p, &err) || (err == HY_OK && mend_head(c, p, &err))) {
		c->out->mended++;
		return err;
	}
	return err == HY_OK ? give_up(c, p->first, p->next, p->before, p->before_ms) : err;
}

/* ---- the walk ---- */

static void tally(struct check *c, const struct hy_block *b)
{
	struct hy_record r;
	size_t at = 0;
	c->out->blocks++;
	for (uint32_t i = 0; hy_block_next(b, &i, &at, &r);) {
		c->out->records++;
		c->out->erased += r.err == HY_ERASED;
		if (r.err == HY_DAMAGED)
			note(c, &c->out->damaged, 1, r.seq);
	}
}

/* Who stands behind, and what it says about the one in front. */
static void look_behind(struct check *c, struct place *p)
{
	struct hy_bytes behind;
	struct hy_block b;
	p->after_known = true;
	p->after_ms = INT64_MAX;
	if (!find(c, p->first + 1, &p->next, &behind)) {
		p->next = c->row.head + 1;
		p->after = c->row.chain;
	} else if (hy_block_open(behind, p->next, &b) == HY_OK) {
		p->after = b.chain_before;
		p->after_ms = b.at_ms;
	} else
		p->after_known = false;
}

/* *again: the block was bad and is good now, so it can be looked at like any other. */
static int check_block(struct check *c, struct place *p, bool *again)
{
	struct hy_block b;
	int err = hy_block_open(p->stored, p->first, &b);
	if (err == HY_NEWER)
		return err;
	p->before_known |= p->first == 1; /* h(0) is 0 */
	if (err == HY_OK) {
		if (p->before_known && b.chain_before != p->before)
			note(c, &c->out->broken_chain, 1, p->first);
		tally(c, &b);
		p->expected = p->first + b.count;
		p->before = hy_block_chain(&b, p->expected);
		p->before_known = true;
		p->before_ms = b.at_ms;
		return HY_OK;
	}
	look_behind(c, p);
	note(c, &c->out->bad_blocks, 1, p->first);
	uint64_t mended = c->out->mended;
	err = c->repair ? mend(c, p) : HY_OK;
	*again = c->out->mended > mended;
	if (*again)
		return err;
	p->expected = p->next;
	p->before = p->after;
	p->before_known = p->after_known;
	return err;
}

/* Blocks are missing before `next`. */
static int fill(struct check *c, struct place *p, uint64_t next)
{
	uint64_t from = p->expected;
	note(c, &c->out->missing, next - from, from);
	p->expected = next;
	p->before_known = false;
	return c->repair ? give_up(c, from, next, p->before, p->before_ms) : HY_OK;
}

/* Rows that no log of ours would have: who put them there may have done more, so nothing is touched. */
static int all_ours(struct check *c)
{
	int err = HY_OK;
	struct hy_cursor cur = hy_cursor_open(c->t, c->table, HY_LIT(""));
	for (; err == HY_OK && hy_cursor_on(&cur); hy_cursor_next(&cur))
		if (cur.key.size != 8 || hy_be_get64(cur.key.data) - 1 >= c->row.head)
			err = HY_CORRUPT;
	hy_cursor_close(&cur);
	return err;
}

static int walk(struct check *c)
{
	struct place p = { 0 };
	int err = all_ours(c);
	for (uint64_t from = 0; err == HY_OK && find(c, from, &p.first, &p.stored);) {
		bool again = false;
		from = p.first;
		if (p.expected && p.first > p.expected) {
			err = fill(c, &p, p.first); /* a write: what was found has moved */
			continue;
		}
		err = check_block(c, &p, &again);
		from += !again;
	}
	if (err == HY_OK && p.expected && p.expected <= c->row.head)
		err = fill(c, &p, c->row.head + 1);
	return err == HY_OK ? hy_txn_err(c->t) : err;
}

int hy_stream_check(struct hy_txn *t, const char *name, bool repair, struct hy_log_report *out)
{
	*out = (struct hy_log_report){ 0 };
	struct check c = { .t = t, .name = name, .repair = repair, .out = out };
	int err = hy_log_row(t, name, &c.row);
	if (err != HY_OK)
		return err == HY_NOT_FOUND ? HY_CORRUPT : err;
	snprintf(c.table, sizeof(c.table), "log.%s", name);
	c.maker = malloc(sizeof(*c.maker));
	err = c.maker ? walk(&c) : HY_NO_MEMORY;
	free(c.maker);
	return err;
}
