/* A log in a store of its own, records that are told by their number, and readers that check what they are given. */
#ifndef HY_TESTS_LOG_FIXTURE_H
#define HY_TESTS_LOG_FIXTURE_H

#include "support/test.h"

#include "stream/block.h"

#define SMALL ((uint64_t)32 << 20)
#define DAY ((int64_t)86400000)
#define TABLE "log.feedback"

static const char *const tables[] = { "stream", TABLE, NULL };

struct fx {
	char *dir;
	struct hy_store *db;
	struct hy_stream *log;
	struct hy_buffer out; /* fields of a Batch */
};

static inline void fx_open(struct fx *fx)
{
	struct hy_fault f;
	const struct hy_store_options o = {
		.tables = tables, .maker = "collector", .version = 1, .quota_bytes = SMALL
	};
	if (hy_store_open(&fx->db, fx->dir, &o, &f) != HY_OK)
		fail_msg("%s", f.text);
	assert_int_equal(hy_stream_open(&fx->log, fx->db, "feedback"), HY_OK);
}

static inline void fx_close(struct fx *fx)
{
	hy_stream_close(&fx->log);
	hy_store_close(&fx->db);
}

static inline void fx_reopen(struct fx *fx)
{
	fx_close(fx);
	fx_open(fx);
}

static inline int begin(void **state)
{
	struct fx *fx = calloc(1, sizeof(*fx));
	fx->dir = test_mkdir();
	fx_open(fx);
	*state = fx;
	return 0;
}

static inline int end(void **state)
{
	struct fx *fx = *state;
	fx_close(fx);
	hy_buffer_free(&fx->out);
	test_rmdir(fx->dir);
	free(fx);
	return 0;
}

/* Record n: 8 bytes of n, then a filling that depends on n and on how long it is. */
static inline struct hy_bytes record(uint64_t n, size_t size)
{
	static uint8_t bytes[HY_WIRE_ENVELOPE_MAX + 1];
	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)(n * 31 + i * 7 + (i >> 8));
	if (size >= 8)
		hy_be_put64(bytes, n);
	return hy_bytes(bytes, size);
}

/* One step: `count` records of `size` bytes, dated `at_ms`, committed. */
static inline void fx_add(struct fx *fx, size_t count, size_t size, int64_t at_ms)
{
	struct hy_txn *t = hy_txn_begin(fx->db, HY_WRITE);
	uint64_t seq, head = hy_stream_state(fx->log).head;
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(hy_stream_append(fx->log, t, record(head + i + 1, size), at_ms, &seq), HY_OK);
		assert_int_equal(seq, head + i + 1);
	}
	assert_int_equal(hy_stream_seal(fx->log, t), HY_OK);
	assert_int_equal(hy_txn_commit(&t), HY_OK);
	hy_stream_settled(fx->log, true);
}

/* What a reader of the log has seen. */
struct seen {
	uint64_t next, chain; /* expected number; chain of what came */
	size_t size; /* of each record; 0 = don't compare */
	uint64_t good, damaged, erased;
	uint64_t stop_at;
};

static inline int see(const struct hy_record *r, void *arg)
{
	struct seen *seen = arg;
	if (seen->next)
		assert_int_equal(r->seq, seen->next);
	seen->next = r->seq + 1;
	seen->chain = hy_chain_next(seen->chain, r->check);
	if (r->err == HY_OK) {
		seen->good++;
		assert_int_equal(hy_check(r->bytes), r->check);
		if (seen->size)
			assert_true(hy_bytes_equal(r->bytes, record(r->seq, seen->size)));
	} else {
		assert_int_equal(r->bytes.size, 0);
		seen->damaged += r->err == HY_DAMAGED;
		seen->erased += r->err == HY_ERASED;
	}
	return seen->stop_at == r->seq ? HY_EXISTS : HY_OK;
}

static inline int fx_read(struct fx *fx, uint64_t after, struct seen *seen, uint64_t *at_seq)
{
	struct hy_txn *t = hy_txn_begin(fx->db, HY_READ);
	int err = hy_stream_read(fx->log, t, after, see, seen, at_seq);
	hy_txn_abort(&t);
	return err;
}

static inline int fx_copy(struct fx *fx, uint64_t after, size_t credit, struct hy_copied *what)
{
	struct hy_txn *t = hy_txn_begin(fx->db, HY_READ);
	hy_buffer_clear(&fx->out);
	int err = hy_stream_copy(fx->log, t, after, credit, &fx->out, what);
	hy_txn_abort(&t);
	return err;
}

/* Unpacks the fields as a reader does, and looks at each record. */
static inline void see_batch(struct hy_buffer *out, const struct hy_copied *what, struct seen *seen)
{
	Huiyin__Batch *b = huiyin__batch__unpack(NULL, out->size, out->data);
	assert_non_null(b);
	assert_int_equal(b->n_checks, what->count);
	assert_int_equal(b->n_records, what->count);
	size_t m = 0;
	for (size_t i = 0; i < b->n_records; i++) {
		struct hy_record r = { .seq = what->first + i, .check = b->checks[i] };
		r.bytes = HY_PB(b->records[i]);
		if (m < b->n_markers && b->markers[m]->seq == r.seq)
			r.err = b->markers[m++]->kind == HUIYIN__MARKER_KIND__ERASED ? HY_ERASED : HY_DAMAGED;
		assert_int_equal(see(&r, seen), HY_OK);
	}
	assert_int_equal(m, b->n_markers);
	huiyin__batch__free_unpacked(b, NULL);
}

#endif
