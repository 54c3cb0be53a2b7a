/* Blocks: written once, checked whenever they are looked at. */
#include <endian.h>
#define XXH_INLINE_ALL /* each record is hashed twice at every station, and a call into the library takes as long as the hash */
#include <xxhash.h>

#include "stream/block.h"

#define TAG_CHECKS 0x42 /* Batch.checks = 8, packed */
#define TAG_RECORD 0x4a /* Batch.records = 9 */
#define TAG_MARKER 0x52 /* Batch.markers = 10 */
#define GONE (HY_BLOCK_ERASED | HY_BLOCK_LOST)

/* Little-endian and unaligned. */
static uint64_t get64(const uint8_t *p)
{
	uint64_t v;
	memcpy(&v, p, 8);
	return le64toh(v);
}
static uint32_t get32(const uint8_t *p)
{
	uint32_t v;
	memcpy(&v, p, 4);
	return le32toh(v);
}
static uint32_t get16(const uint8_t *p)
{
	return (uint32_t)(p[0] | p[1] << 8);
}
static void put64(uint8_t *p, uint64_t v)
{
	v = htole64(v);
	memcpy(p, &v, 8);
}
static void put32(uint8_t *p, uint32_t v)
{
	v = htole32(v);
	memcpy(p, &v, 4);
}
static void put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}

static size_t put_varint(uint8_t *p, uint64_t v)
{
	size_t n = 0;
	for (; v >= 0x80; v >>= 7)
		p[n++] = (uint8_t)(v | 0x80);
	p[n++] = (uint8_t)v;
	return n;
}

/* What stands before a record of `length` bytes; a length has at most 17 bits, so three bytes hold it. */
static size_t put_frame(uint8_t *p, uint32_t length)
{
	p[0] = TAG_RECORD;
	return 1 + put_varint(p + 1, length);
}
static size_t frame_size(uint32_t length)
{
	return length < 1u << 7 ? 2 : length < 1u << 14 ? 3 : HY_BLOCK_FRAME;
}

uint32_t hy_check(struct hy_bytes record)
{
	return (uint32_t)XXH3_64bits(record.data, record.size);
}

uint64_t hy_chain_next(uint64_t chain, uint32_t check)
{
	uint8_t both[12];
	put64(both, chain);
	put32(both + 8, check);
	return XXH3_64bits(both, sizeof(both));
}

/* ---- making one ---- */

void hy_block_begin(struct hy_block_maker *m, uint64_t first, uint64_t chain_before)
{
	m->first = first;
	m->chain_before = m->chain = chain_before;
	m->at_ms = INT64_MIN;
	m->count = m->wire_size = 0;
}

/* A stored block stays within HY_BLOCK_BYTES with its head, less the 16 bytes that LMDB puts before a big value: it fills
 * its pages and does not spill into one more. A record alone may be as big as an Envelope gets. */
bool hy_block_fits(const struct hy_block_maker *m, size_t size)
{
	if (size > HY_WIRE_ENVELOPE_MAX || m->count == HY_BLOCK_RECORDS)
		return false;
	return m->count == 0 || hy_block_size(m) + 8 + frame_size((uint32_t)size) + size <= HY_BLOCK_BYTES - 16;
}

void hy_block_add(struct hy_block_maker *m, struct hy_bytes record, int64_t at_ms)
{
	HY_ASSERT(hy_block_fits(m, record.size));
	uint32_t check = hy_check(record);
	uint8_t *p = m->wire + m->wire_size;
	p += put_frame(p, (uint32_t)record.size);
	if (record.size)
		memcpy(p, record.data, record.size);
	m->wire_size = (uint32_t)(p - m->wire + (ptrdiff_t)record.size);
	m->lengths[m->count] = (uint32_t)record.size;
	m->checks[m->count++] = check;
	m->chain = hy_chain_next(m->chain, check);
	if (at_ms > m->at_ms)
		m->at_ms = at_ms;
}

size_t hy_block_size(const struct hy_block_maker *m)
{
	return HY_BLOCK_HEAD + 8 * (size_t)m->count + m->wire_size;
}

void hy_block_write(const struct hy_block_maker *m, uint8_t *out)
{
	uint8_t *p = out + HY_BLOCK_HEAD;
	put16(out + 8, HY_BLOCK_VERSION);
	put16(out + 10, m->count);
	put32(out + 12, m->wire_size);
	put64(out + 16, (uint64_t)m->at_ms);
	put64(out + 24, m->first);
	put64(out + 32, m->chain_before);
	for (uint32_t i = 0; i < m->count; i++, p += 4)
		put32(p, m->lengths[i]);
	for (uint32_t i = 0; i < m->count; i++, p += 4)
		put32(p, m->checks[i]);
	memcpy(p, m->wire, m->wire_size);
	put64(out, XXH3_64bits(out + 8, (size_t)(p - out) - 8));
}

/* ---- looking at one ---- */

uint32_t hy_block_length(const struct hy_block *b, uint32_t i)
{
	return get32(b->lengths + 4 * (size_t)i);
}

uint32_t hy_block_check(const struct hy_block *b, uint32_t i)
{
	return get32(b->checks + 4 * (size_t)i);
}

int hy_block_open(struct hy_bytes stored, uint64_t first, struct hy_block *out)
{
	const uint8_t *p = stored.data;
	if (stored.size < HY_BLOCK_HEAD)
		return HY_DAMAGED;
	uint32_t count = get16(p + 10), wire_size = get32(p + 12);
	size_t arrays = 8 * (size_t)count;
	if (stored.size - HY_BLOCK_HEAD < arrays || stored.size - HY_BLOCK_HEAD - arrays != wire_size || count == 0 ||
		get64(p) != XXH3_64bits(p + 8, HY_BLOCK_HEAD - 8 + arrays))
		return HY_DAMAGED;
	if (get16(p + 8) != HY_BLOCK_VERSION)
		return HY_NEWER;
	*out = (struct hy_block){
		.first = get64(p + 24),
		.chain_before = get64(p + 32),
		.at_ms = (int64_t)get64(p + 16),
		.count = count,
		.lengths = p + HY_BLOCK_HEAD,
		.checks = p + HY_BLOCK_HEAD + arrays / 2,
		.wire = hy_bytes(p + HY_BLOCK_HEAD + arrays, wire_size),
	};
	size_t want = 0;
	for (uint32_t i = 0; i < count; i++) {
		uint32_t length = hy_block_length(out, i) & ~GONE;
		want += frame_size(length) + length;
	}
	return count <= HY_BLOCK_RECORDS && want == wire_size && out->first == first ? HY_OK : HY_DAMAGED;
}

/* The record whose frame begins at `at`. A bad frame with sound bytes behind it is no loss: *framed tells. */
static struct hy_record look(const struct hy_block *b, uint32_t i, size_t at, bool *framed)
{
	uint8_t frame[HY_BLOCK_FRAME + 8];
	uint32_t length = hy_block_length(b, i);
	struct hy_record r = { .seq = b->first + i, .check = hy_block_check(b, i) };
	size_t n = put_frame(frame, length & ~GONE);
	*framed = memcmp(frame, b->wire.data + at, n) == 0;
	if (length & GONE) {
		r.err = length & HY_BLOCK_ERASED ? HY_ERASED : HY_DAMAGED;
		return r;
	}
	r.bytes = hy_bytes(b->wire.data + at + n, length);
	if (hy_check(r.bytes) != r.check) {
		r.err = HY_DAMAGED;
		r.bytes = (struct hy_bytes){ 0 };
	}
	return r;
}

/* Where the frame behind record i begins. */
static size_t step_over(const struct hy_block *b, uint32_t i, size_t at)
{
	uint32_t length = hy_block_length(b, i) & ~GONE;
	return at + frame_size(length) + length;
}

bool hy_block_next(const struct hy_block *b, uint32_t *i, size_t *at, struct hy_record *out)
{
	bool framed;
	if (*i >= b->count)
		return false;
	*out = look(b, *i, *at, &framed);
	*at = step_over(b, *i, *at);
	++*i;
	return true;
}

uint64_t hy_block_chain(const struct hy_block *b, uint64_t seq)
{
	uint64_t chain = b->chain_before;
	for (uint32_t i = 0; i < b->count && b->first + i <= seq; i++)
		chain = hy_chain_next(chain, hy_block_check(b, i));
	return chain;
}

void hy_block_erase(const struct hy_block *b, uint64_t seq, struct hy_buffer *out)
{
	uint32_t index = (uint32_t)(seq - b->first);
	size_t at = 0, arrays = 8 * (size_t)b->count, start = out->size;
	for (uint32_t i = 0; i < index; i++)
		at = step_over(b, i, at);
	size_t behind = step_over(b, index, at), size = HY_BLOCK_HEAD + arrays + b->wire.size - (behind - at) + 2;
	hy_buffer_put(out, b->lengths - HY_BLOCK_HEAD, HY_BLOCK_HEAD + arrays + at);
	hy_buffer_put(out, (uint8_t[]){ TAG_RECORD, 0 }, 2);
	hy_buffer_put(out, b->wire.data + behind, b->wire.size - behind);
	if (out->err != HY_OK)
		return;
	uint8_t *p = out->data + start;
	put32(p + 12, (uint32_t)(size - HY_BLOCK_HEAD - arrays));
	put32(p + HY_BLOCK_HEAD + 4 * (size_t)index, HY_BLOCK_ERASED);
	put64(p, XXH3_64bits(p + 8, HY_BLOCK_HEAD - 8 + arrays));
}

static void put_marker(struct hy_buffer *out, uint64_t seq, int err)
{
	uint8_t m[16] = { TAG_MARKER, 0, 0x08 };
	size_t n = 3 + put_varint(m + 3, seq);
	m[n++] = 0x10;
	m[n++] = err == HY_ERASED ? HUIYIN__MARKER_KIND__ERASED : HUIYIN__MARKER_KIND__DAMAGED;
	m[1] = (uint8_t)(n - 2);
	hy_buffer_put(out, m, n);
}

/* The slow way: each record framed anew, the damaged ones empty. */
static void copy_singly(const struct hy_block *b, uint32_t i, size_t at, struct hy_buffer *out)
{
	struct hy_record r;
	while (hy_block_next(b, &i, &at, &r)) {
		uint8_t frame[HY_BLOCK_FRAME + 8];
		hy_buffer_put(out, frame, put_frame(frame, (uint32_t)r.bytes.size));
		hy_buffer_bytes(out, r.bytes);
	}
}

uint32_t hy_block_copy(const struct hy_block *b, uint64_t after, struct hy_buffer *out, uint32_t *damaged)
{
	uint32_t from = 0, marked = 0;
	size_t start = 0, at;
	bool whole = true, framed;
	uint8_t head[8] = { TAG_CHECKS };
	for (; from < b->count && b->first + from <= after; from++)
		start = step_over(b, from, start);
	uint32_t count = b->count - from;
	if (count == 0)
		return 0;
	hy_buffer_put(out, head, 1 + put_varint(head + 1, 4 * (uint64_t)count));
	hy_buffer_put(out, b->checks + 4 * (size_t)from, 4 * (size_t)count);

	uint8_t gone[HY_BLOCK_RECORDS] = { 0 };
	at = start;
	for (uint32_t i = from; i < b->count; i++) {
		struct hy_record r = look(b, i, at, &framed);
		at = step_over(b, i, at);
		if (r.err != HY_OK) {
			gone[i] = r.err == HY_ERASED ? HUIYIN__MARKER_KIND__ERASED : HUIYIN__MARKER_KIND__DAMAGED;
			marked++;
			*damaged += r.err == HY_DAMAGED;
		}
		/* A record gone for long is empty in the block as well, and can be copied with the others. */
		whole &= framed && (r.err == HY_OK || hy_block_length(b, i) & GONE);
	}
	if (whole)
		hy_buffer_put(out, b->wire.data + start, b->wire.size - start);
	else
		copy_singly(b, from, start, out);
	for (uint32_t i = from; marked && i < b->count; i++)
		if (gone[i])
			put_marker(out, b->first + i, gone[i] == HUIYIN__MARKER_KIND__ERASED ? HY_ERASED : HY_DAMAGED);
	return count;
}
