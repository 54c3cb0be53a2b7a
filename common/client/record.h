/* A record: one numbered item, as it lies in memory and, byte for byte, in a file of the spool. Numbers are in the machine's own order, since neither
 * leaves it.
 *     0  u32  size     of the payload; RECORD_PAD = nothing but a filler up to the end of the memory
 *     4  u32  check    low half of XXH3 over number and payload, seeded with the run and the size; put in before it goes to disk
 *     8  u64  n        the item's number in this spool; it only rises
 *    16       payload  the item as a field of a Submit (tag, size, bytes), so that a Submit is payloads one after the other; zeros up to a multiple of 8
 *
 * A file of the spool begins with a head that says which run its records belong to. A run is one life of one client: its items go under
 * one client_id and are numbered there from 1, n - base_n. Nothing is ever added to the run of a former life: whatever became of its last
 * records, their numbers are not used again. */
#ifndef HY_CLIENT_RECORD_H
#define HY_CLIENT_RECORD_H

#include "base/bytes.h"
#include "base/err.h"

#define RUN_SIZE 16
struct run {
	uint8_t id[RUN_SIZE]; /* random */
	uint64_t base_n;
};
int run_new(struct run *out, uint64_t base_n); /* HY_IO without random numbers */

enum { RECORD_HEAD = 16, RECORD_PAYLOAD_MAX = (48 << 10) + 16 };
#define RECORD_PAD UINT32_MAX
/* All a record takes. */
static inline size_t record_room(size_t payload)
{
	return RECORD_HEAD + ((payload + 7) & ~(size_t)7);
}
void record_begin(uint8_t *at, uint32_t size, uint64_t n); /* the head, without check, and the last zeros */
void record_seal(uint8_t *at, const struct run *run);     /* the check */

/* Reading memory, which is trusted. */
static inline uint32_t record_size(const uint8_t *at)
{
	uint32_t v;
	memcpy(&v, at, sizeof(v));
	return v;
}
static inline uint64_t record_n(const uint8_t *at)
{
	uint64_t v;
	memcpy(&v, at + 8, sizeof(v));
	return v;
}

/* Reading a file. The record at `at` of `bytes`: HY_OK; HY_NOT_FOUND: it goes on beyond `bytes`; HY_DAMAGED. */
struct record {
	uint64_t n;
	struct hy_bytes payload;
	size_t room;
};
int record_read(struct hy_bytes bytes, size_t at, const struct run *run, struct record *out);
/* Where, from `at` on, the next good record with a number of [first_n, last_n] begins; bytes.size when there is none. */
size_t record_find(struct hy_bytes bytes, size_t at, const struct run *run, uint64_t first_n, uint64_t last_n);

/* The head of a file. */
enum { HEAD_SIZE = 64 };
struct head {
	struct run run;
	uint64_t first_n; /* of the first record */
};
void head_write(uint8_t out[static HEAD_SIZE], const struct head *h);
int head_read(struct hy_bytes bytes, struct head *out); /* HY_DAMAGED; HY_NEWER: of a later version */

/* The mark: how far the collector has it, and the name under which a run goes on when its own can't be used any more. Two slots in one small
 * file are written in turn. */
enum { MARK_SIZE = 72 };
struct mark {
	uint32_t turn;      /* the higher one counts */
	uint64_t settled_n; /* everything up to here is durable at the collector, or rejected */
	uint8_t run[RUN_SIZE]; /* the run that goes under another name, zeros = none */
	struct run alias;   /* that name, and where its numbers begin */
};
void mark_write(uint8_t out[static MARK_SIZE], const struct mark *m);
int mark_read(struct hy_bytes bytes, struct mark *out); /* HY_DAMAGED */

#endif
