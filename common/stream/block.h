/* Blocks: how a log keeps records, and how they get into a Batch. Private to common/stream: log.c writes blocks, the server
 * side of link.c copies them out of the map, and both follow the chain with hy_chain_next().
 *
 * A stored block, little-endian:
 *     0  u64  checksum      XXH3 of everything from `version` to the end of the checks
 *     8  u16  version       HY_BLOCK_VERSION
 *    10  u16  count         records, 1 .. HY_BLOCK_RECORDS
 *    12  u32  wire_size     bytes of the records' part
 *    16  i64  at_ms         the newest record's date, for trim
 *    24  u64  first         sequence number of the first record; also the row's key, big-endian
 *    32  u64  chain_before  h(first - 1)
 *    40  u32  lengths[count]    bytes of each record; the two upper bits tell erased and lost
 *        u32  checks[count]     check(n) of each record as it was appended
 *        the records as field 9 of Batch: tag 0x4a, varint length, bytes
 *
 * The checksum covers the head and both arrays, so a flipped bit among the records damages one record, not its
 * neighbours: where each record lies follows from the lengths, and its framing can be made again. */
#ifndef HY_STREAM_BLOCK_H
#define HY_STREAM_BLOCK_H

#include "stream/stream.h"

#define HY_BLOCK_VERSION 1
#define HY_BLOCK_HEAD ((size_t)40)
#define HY_BLOCK_FRAME 4 /* most bytes before a record: the tag and a length of up to 64 KiB */
#define HY_BLOCK_ERASED (1u << 31) /* the bytes are gone at their subject's request */
#define HY_BLOCK_LOST (1u << 30) /* the bytes were lost to damage, and fsck said so */

uint32_t hy_check(struct hy_bytes record); /* check(n): low half of its XXH3 */
uint64_t hy_chain_next(uint64_t chain, uint32_t check); /* h(n) from h(n-1); h(0) = 0 */

/* ---- making one ---- */

/* The block being filled. Big (64 KiB): lives in the stream, not on the stack. */
struct hy_block_maker {
	uint64_t first, chain_before;
	uint64_t chain; /* h of the last record added */
	int64_t at_ms;
	uint32_t count, wire_size;
	uint32_t lengths[HY_BLOCK_RECORDS], checks[HY_BLOCK_RECORDS];
	uint8_t wire[HY_WIRE_ENVELOPE_MAX + HY_BLOCK_FRAME];
};
void hy_block_begin(struct hy_block_maker *m, uint64_t first, uint64_t chain_before);
bool hy_block_fits(const struct hy_block_maker *m, size_t size); /* whether a record of `size` still belongs into it */
void hy_block_add(struct hy_block_maker *m, struct hy_bytes record, int64_t at_ms); /* panics unless it fits */
size_t hy_block_size(const struct hy_block_maker *m);
void hy_block_write(const struct hy_block_maker *m, uint8_t *out); /* hy_block_size() bytes */

/* ---- looking at one ---- */

struct hy_block {
	uint64_t first, chain_before;
	int64_t at_ms;
	uint32_t count;
	const uint8_t *lengths, *checks; /* little-endian, unaligned: hy_block_length(), hy_block_check() */
	struct hy_bytes wire;
};
/* Checks the head and the arrays; `first` is the number in the row's key. HY_DAMAGED, or HY_NEWER for a version we don't
 * know. *out looks into `stored`. The records themselves are checked when they are read or copied. */
int hy_block_open(struct hy_bytes stored, uint64_t first, struct hy_block *out);
uint32_t hy_block_length(const struct hy_block *b, uint32_t i); /* with its upper bits */
uint32_t hy_block_check(const struct hy_block *b, uint32_t i);

/* The record under *i, *at (both 0 at first), which move behind it: false at the end. Its bytes fulfil its check, or `err`
 * says HY_DAMAGED or HY_ERASED and they are empty. */
bool hy_block_next(const struct hy_block *b, uint32_t *i, size_t *at, struct hy_record *out);
/* h of the record `seq` in it, or of the one before its first. */
uint64_t hy_block_chain(const struct hy_block *b, uint64_t seq);

/* Appends to `out` the same block with the record `seq` emptied and marked erased, its check kept. */
void hy_block_erase(const struct hy_block *b, uint64_t seq, struct hy_buffer *out);

/* Appends the records behind `after` as fields 8 (checks, packed), 9 (records) and 10 (markers) of Batch. Repeated fields
 * may come in several runs, so blocks follow one another. One copy out of the map when every record is sound; otherwise
 * the damaged ones are left empty with a marker, and their neighbours go out as they are.
 * Returns how many records went in, and adds to *damaged those whose bytes fail their check; out->err tells when memory
 * ran out. */
uint32_t hy_block_copy(const struct hy_block *b, uint64_t after, struct hy_buffer *out, uint32_t *damaged);

/* ---- the log's row ---- */

/* Where the log `name` ends, as its row in the table "stream" tells: log_id, head and chain. HY_NOT_FOUND when there is no
 * such log, HY_CORRUPT, HY_NEWER. */
int hy_log_row(struct hy_txn *t, const char *name, struct hy_stream_state *out);
int hy_log_row_put(struct hy_txn *t, const char *name, const struct hy_stream_state *st);

/* ---- serving ---- */

struct hy_copied {
	uint64_t first; /* of the records copied; after + 1 when there are none */
	uint32_t count;
	uint32_t damaged; /* those among them that fail their check: worth a line in the log */
	uint64_t chain; /* h(first - 1) as their own block tells it: behind what fsck gave up, that is where the chain goes on */
	struct hy_stream_state state; /* as it was: `head` >= first + count - 1 */
};
/* Appends the committed records behind `after` to `out`, in whole blocks (the first may begin in its middle): until the next would go
 * beyond `credit_bytes`, HY_BATCH_BYTES or HY_WIRE_REPEATED_MAX records, but at least one block when there is one.
 * `t` is a short read transaction of the caller; from any thread. The caller writes Batch's other fields.
 * HY_OK (count 0: nothing new); HY_NOT_FOUND when `after` lies before the oldest or behind the head; HY_DAMAGED or HY_NEWER
 * when the first block needed has a bad head (what comes before it is served first). */
int hy_stream_copy(const struct hy_stream *s, struct hy_txn *t, uint64_t after, size_t credit_bytes,
	struct hy_buffer *out, struct hy_copied *what);

#endif
