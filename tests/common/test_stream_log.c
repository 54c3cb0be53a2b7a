// link: hy_stream
/* The log: what goes in comes out, in order, with the same numbers for ever; and what the disk changed is never served. */
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

static void fx_open(struct fx *fx)
{
	struct hy_fault f;
	const struct hy_store_options o = {
		.tables = tables, .maker = "collector", .version = 1, .quota_bytes = SMALL
	};
	if (hy_store_open(&fx->db, fx->dir, &o, &f) != HY_OK)
		fail_msg("%s", f.text);
	assert_int_equal(hy_stream_open(&fx->log, fx->db, "feedback"), HY_OK);
}

static void fx_close(struct fx *fx)
{
	hy_stream_close(&fx->log);
	hy_store_close(&fx->db);
}

static void fx_reopen(struct fx *fx)
{
	fx_close(fx);
	fx_open(fx);
}

static int begin(void **state)
{
	struct fx *fx = calloc(1, sizeof(*fx));
	fx->dir = test_mkdir();
	fx_open(fx);
	*state = fx;
	return 0;
}

static int end(void **state)
{
	struct fx *fx = *state;
	fx_close(fx);
	hy_buffer_free(&fx->out);
	test_rmdir(fx->dir);
	free(fx);
	return 0;
}

/* Record n: 8 bytes of n, then a filling that depends on n and on how long it is. */
static struct hy_bytes record(uint64_t n, size_t size)
{
	static uint8_t bytes[HY_WIRE_ENVELOPE_MAX + 1];
	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)(n * 31 + i * 7 + (i >> 8));
	if (size >= 8)
		hy_be_put64(bytes, n);
	return hy_bytes(bytes, size);
}

/* One step: `count` records of `size` bytes, dated `at_ms`, committed. */
static void fx_add(struct fx *fx, size_t count, size_t size, int64_t at_ms)
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

static int see(const struct hy_record *r, void *arg)
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

static int fx_read(struct fx *fx, uint64_t after, struct seen *seen, uint64_t *at_seq)
{
	struct hy_txn *t = hy_txn_begin(fx->db, HY_READ);
	int err = hy_stream_read(fx->log, t, after, see, seen, at_seq);
	hy_txn_abort(&t);
	return err;
}

static int fx_copy(struct fx *fx, uint64_t after, size_t credit, struct hy_copied *what)
{
	struct hy_txn *t = hy_txn_begin(fx->db, HY_READ);
	hy_buffer_clear(&fx->out);
	int err = hy_stream_copy(fx->log, t, after, credit, &fx->out, what);
	hy_txn_abort(&t);
	return err;
}

/* Unpacks the fields as a reader does, and looks at each record. */
static void see_batch(struct hy_buffer *out, const struct hy_copied *what, struct seen *seen)
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

/* ---- appending and reading ---- */

static void a_hundred_thousand_records_come_back_in_order(void **state)
{
	struct fx *fx = *state;
	enum { ALL = 100000, STEP = 4000 };
	for (int i = 0; i < ALL / STEP; i++)
		fx_add(fx, STEP, 60, 1000);
	fx_reopen(fx);
	struct hy_stream_state st = hy_stream_state(fx->log);
	assert_int_equal(st.head, ALL);
	assert_int_equal(st.oldest, 1);
	assert_int_equal(st.oldest_ms, 1000);
	struct seen seen = { .next = 1, .size = 60 };
	assert_int_equal(fx_read(fx, 0, &seen, NULL), HY_OK);
	assert_int_equal(seen.good, ALL);
	assert_true(seen.chain == st.chain);
	/* The same by way of Batches, each within its limits. */
	seen = (struct seen){ .next = 1, .size = 60 };
	struct hy_copied what;
	while (seen.good < ALL) {
		assert_int_equal(fx_copy(fx, seen.next - 1, SIZE_MAX, &what), HY_OK);
		assert_int_equal(what.first, seen.next);
		assert_in_range(what.count, 1, HY_WIRE_REPEATED_MAX);
		assert_in_range(fx->out.size, 1, HY_BATCH_BYTES);
		assert_int_equal(what.state.head, ALL);
		see_batch(&fx->out, &what, &seen);
	}
	assert_true(seen.chain == st.chain);
	assert_int_equal(fx_copy(fx, ALL, SIZE_MAX, &what), HY_OK);
	assert_int_equal(what.count, 0);
	assert_int_equal(what.first, ALL + 1);
}

static void records_of_every_size_come_back_as_they_were(void **state)
{
	struct fx *fx = *state;
	static const size_t sizes[] = { 0, 1, 127, 128, 300, 16383, 16384, 40000, 65000, HY_WIRE_ENVELOPE_MAX - 1,
		HY_WIRE_ENVELOPE_MAX, 5, 65536 - 300, 200 };
	enum { COUNT = sizeof(sizes) / sizeof(sizes[0]) };
	for (int together = 0; together < 2; together++) {
		uint64_t head = hy_stream_state(fx->log).head;
		struct hy_txn *t = hy_txn_begin(fx->db, HY_WRITE);
		for (size_t i = 0; i < COUNT; i++) {
			assert_int_equal(hy_stream_append(fx->log, t, record(i, sizes[i]), 1, NULL), HY_OK);
			if (!together)
				assert_int_equal(hy_stream_seal(fx->log, t), HY_OK);
		}
		assert_int_equal(
			hy_stream_append(fx->log, t, record(0, HY_WIRE_ENVELOPE_MAX + 1), 1, NULL), HY_TOO_LARGE);
		assert_int_equal(hy_stream_seal(fx->log, t), HY_OK);
		assert_int_equal(hy_txn_commit(&t), HY_OK);
		hy_stream_settled(fx->log, true);
		for (size_t i = 0; i < COUNT; i++) {
			struct hy_copied what;
			assert_int_equal(fx_copy(fx, head + i, 1, &what), HY_OK);
			Huiyin__Batch *b = huiyin__batch__unpack(NULL, fx->out.size, fx->out.data);
			assert_non_null(b);
			assert_int_equal(b->n_markers, 0);
			assert_true(hy_bytes_equal(HY_PB(b->records[0]), record(i, sizes[i])));
			huiyin__batch__free_unpacked(b, NULL);
		}
	}
}

static void an_aborted_step_gives_its_numbers_back(void **state)
{
	struct fx *fx = *state;
	fx_add(fx, 10, 50, 1);
	struct hy_stream_state before = hy_stream_state(fx->log);
	for (int sealed = 0; sealed < 2; sealed++) {
		struct hy_txn *t = hy_txn_begin(fx->db, HY_WRITE);
		uint64_t seq;
		for (int i = 0; i < 300; i++)
			assert_int_equal(hy_stream_append(fx->log, t, HY_LIT("never"), 1, &seq), HY_OK);
		assert_int_equal(seq, 310);
		if (sealed)
			assert_int_equal(hy_stream_seal(fx->log, t), HY_OK);
		hy_txn_abort(&t);
		hy_stream_settled(fx->log, false);
	}
	struct hy_stream_state after = hy_stream_state(fx->log);
	assert_int_equal(after.head, before.head);
	assert_true(after.chain == before.chain);
	fx_add(fx, 5, 50, 1);
	fx_reopen(fx);
	struct seen seen = { .next = 1, .size = 50 };
	assert_int_equal(fx_read(fx, 0, &seen, NULL), HY_OK);
	assert_int_equal(seen.good, 15);
	assert_true(seen.chain == hy_stream_state(fx->log).chain);
}

static void a_full_disk_at_commit_gives_the_numbers_back(void **state)
{
	struct fx *fx = *state;
	struct hy_txn *t = hy_txn_begin(fx->db, HY_WRITE);
	hy_store_fail_commits(fx->db, HY_FULL, 1);
	hy_stream_append(fx->log, t, HY_LIT("lost"), 1, NULL);
	assert_int_equal(hy_stream_seal(fx->log, t), HY_OK);
	assert_int_equal(hy_txn_commit(&t), HY_FULL);
	hy_stream_settled(fx->log, false);
	assert_int_equal(hy_stream_state(fx->log).head, 0);
	fx_add(fx, 1, 50, 1);
	struct seen seen = { .next = 1, .size = 50 };
	assert_int_equal(fx_read(fx, 0, &seen, NULL), HY_OK);
	assert_int_equal(seen.good, 1);
}

static void a_failed_transaction_fails_append_and_seal(void **state)
{
	struct fx *fx = *state;
	struct hy_txn *t = hy_txn_begin(fx->db, HY_WRITE);
	hy_txn_put(t, "stream", HY_LIT(""), HY_LIT("")); /* remembered */
	int err = HY_OK;
	for (int i = 0; i <= HY_BLOCK_RECORDS; i++)
		err = hy_stream_append(fx->log, t, HY_LIT("x"), 1, NULL);
	assert_int_equal(err, HY_TOO_LARGE);
	assert_int_equal(hy_stream_seal(fx->log, t), HY_TOO_LARGE);
	assert_int_equal(hy_stream_erase(fx->log, t, 1), HY_TOO_LARGE);
	assert_int_equal(hy_stream_trim(fx->log, t, 1, 1, 1, NULL), HY_TOO_LARGE);
	assert_int_equal(hy_stream_renew(fx->log, t), HY_TOO_LARGE);
	assert_int_equal(hy_stream_read(fx->log, t, 0, see, NULL, NULL), HY_TOO_LARGE);
	hy_txn_abort(&t);
	hy_stream_settled(fx->log, false);
}

static void nothing_is_seen_before_its_commit_is_settled(void **state)
{
	struct fx *fx = *state;
	struct hy_copied what;
	fx_add(fx, 3, 50, 1);
	struct hy_txn *old = hy_txn_begin(fx->db, HY_READ);
	struct hy_txn *t = hy_txn_begin(fx->db, HY_WRITE);
	hy_stream_append(fx->log, t, record(4, 50), 1, NULL);
	hy_stream_seal(fx->log, t);
	assert_int_equal(hy_stream_state(fx->log).head, 3);
	assert_int_equal(hy_txn_commit(&t), HY_OK);
	/* Durable, and visible to new readers of the store, but not said yet. */
	assert_int_equal(fx_copy(fx, 0, SIZE_MAX, &what), HY_OK);
	assert_int_equal(what.count, 3);
	assert_int_equal(fx_copy(fx, 3, SIZE_MAX, &what), HY_OK);
	assert_int_equal(what.count, 0);
	hy_stream_settled(fx->log, true);
	assert_int_equal(fx_copy(fx, 3, SIZE_MAX, &what), HY_OK);
	assert_int_equal(what.count, 1);
	/* A snapshot from before knows nothing of it. */
	hy_buffer_clear(&fx->out);
	assert_int_equal(hy_stream_copy(fx->log, old, 3, SIZE_MAX, &fx->out, &what), HY_OK);
	assert_int_equal(what.count, 0);
	hy_txn_abort(&old);
}

static void reading_begins_anywhere_and_stops_when_told(void **state)
{
	struct fx *fx = *state;
	fx_add(fx, 300, 40, 1);
	for (uint64_t after = 0; after <= 300; after += 17) {
		struct seen seen = { .next = after < 300 ? after + 1 : 0, .size = 40 };
		assert_int_equal(fx_read(fx, after, &seen, NULL), HY_OK);
		assert_int_equal(seen.good, 300 - after);
		struct hy_copied what;
		seen = (struct seen){ .next = after + 1, .size = 40 };
		assert_int_equal(fx_copy(fx, after, SIZE_MAX, &what), HY_OK);
		assert_int_equal(what.count, 300 - after);
		see_batch(&fx->out, &what, &seen);
	}
	struct seen seen = { .stop_at = 5 };
	assert_int_equal(fx_read(fx, 0, &seen, NULL), HY_EXISTS);
	assert_int_equal(seen.good, 5);
	seen = (struct seen){ 0 };
	assert_int_equal(fx_read(fx, UINT64_MAX, &seen, NULL), HY_OK);
	assert_int_equal(fx_read(fx, 301, &seen, NULL), HY_OK);
	assert_int_equal(seen.good, 0);
}

static void an_empty_log_reads_as_nothing(void **state)
{
	struct fx *fx = *state;
	struct hy_stream_state st = hy_stream_state(fx->log);
	struct seen seen = { 0 };
	struct hy_copied what;
	uint64_t chain = 7;
	assert_string_equal(hy_stream_name(fx->log), "feedback");
	assert_true(st.head == 0 && st.oldest == 1 && st.chain == 0 && st.oldest_ms == 0);
	assert_int_equal(fx_read(fx, 0, &seen, NULL), HY_OK);
	assert_int_equal(fx_copy(fx, 0, SIZE_MAX, &what), HY_OK);
	assert_int_equal(what.count, 0);
	assert_int_equal(fx_copy(fx, 1, SIZE_MAX, &what), HY_NOT_FOUND);
	struct hy_txn *t = hy_txn_begin(fx->db, HY_WRITE);
	size_t removed = 9;
	assert_int_equal(hy_stream_chain(fx->log, t, 0, &chain), HY_OK);
	assert_true(chain == 0);
	assert_int_equal(hy_stream_chain(fx->log, t, 1, &chain), HY_NOT_FOUND);
	assert_int_equal(hy_stream_trim(fx->log, t, UINT64_MAX, INT64_MAX, 9, &removed), HY_OK);
	assert_int_equal(removed, 0);
	assert_int_equal(hy_stream_erase(fx->log, t, 1), HY_NOT_FOUND);
	assert_int_equal(hy_stream_seal(fx->log, t), HY_OK);
	hy_txn_abort(&t);
}

static void the_chain_of_any_record_can_be_asked(void **state)
{
	struct fx *fx = *state;
	uint64_t want = 0, chain;
	fx_add(fx, 200, 40, 1);
	fx_add(fx, 100, 40, 2);
	struct hy_txn *t = hy_txn_begin(fx->db, HY_WRITE);
	for (uint64_t seq = 0; seq <= 300; seq++) {
		if (seq)
			want = hy_chain_next(want, hy_check(record(seq, 40)));
		assert_int_equal(hy_stream_chain(fx->log, t, seq, &chain), HY_OK);
		assert_true(chain == want);
	}
	assert_int_equal(hy_stream_chain(fx->log, t, 301, &chain), HY_NOT_FOUND);
	assert_int_equal(hy_stream_chain(fx->log, t, UINT64_MAX, &chain), HY_NOT_FOUND);
	assert_int_equal(hy_stream_trim(fx->log, t, 128, INT64_MAX, 9, NULL), HY_OK);
	assert_int_equal(hy_stream_chain(fx->log, t, 128, &chain), HY_OK);
	assert_int_equal(hy_stream_chain(fx->log, t, 127, &chain), HY_NOT_FOUND);
	assert_int_equal(hy_stream_chain(fx->log, t, 0, &chain), HY_NOT_FOUND);
	hy_txn_abort(&t);
	hy_stream_settled(fx->log, false);
}

/* ---- batches ---- */

static void a_batch_ends_at_a_block_and_within_the_credit(void **state)
{
	struct fx *fx = *state;
	struct hy_copied what;
	fx_add(fx, 128 * 20, 400, 1);
	assert_int_equal(fx_copy(fx, 0, SIZE_MAX, &what), HY_OK);
	assert_int_equal(what.count % 128, 0);
	assert_in_range(fx->out.size, HY_BATCH_BYTES - 60000, HY_BATCH_BYTES);
	assert_int_equal(fx_copy(fx, 0, 0, &what), HY_OK); /* at least one block whatever the credit */
	assert_int_equal(what.count, 128);
	assert_int_equal(fx_copy(fx, 100, 110000, &what), HY_OK);
	assert_int_equal(what.count, 28 + 128);
	assert_int_equal(what.first, 101);
	/* It is appended behind what the caller has put there. */
	hy_buffer_clear(&fx->out);
	hy_buffer_text(&fx->out, "front");
	struct hy_txn *t = hy_txn_begin(fx->db, HY_READ);
	assert_int_equal(hy_stream_copy(fx->log, t, 0, 1, &fx->out, &what), HY_OK);
	hy_txn_abort(&t);
	assert_memory_equal(fx->out.data, "front", 5);
	assert_int_equal(fx->out.data[5], 0x42);
}

/* ---- trim ---- */

static void trim_takes_whole_blocks_that_are_read_and_old(void **state)
{
	struct fx *fx = *state;
	size_t removed;
	for (int day = 1; day <= 4; day++)
		fx_add(fx, 128, 40, day * DAY);
	struct {
		uint64_t keep_after;
		int64_t before_ms;
		size_t blocks, removed;
		uint64_t oldest;
	} rows[] = {
		{ 512, DAY, 9, 0, 1 }, /* nothing older than the first day */
		{ 127, 9 * DAY, 9, 0, 1 }, /* one record of the first block is not read yet */
		{ 512, 3 * DAY, 0, 0, 1 },
		{ 128, 9 * DAY, 9, 1, 129 },
		{ 512, 9 * DAY, 1, 1, 257 },
		{ 512, 4 * DAY, 9, 1, 385 },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct hy_txn *t = hy_txn_begin(fx->db, HY_WRITE);
		assert_int_equal(
			hy_stream_trim(fx->log, t, rows[i].keep_after, rows[i].before_ms, rows[i].blocks, &removed),
			HY_OK);
		assert_int_equal(hy_txn_commit(&t), HY_OK);
		hy_stream_settled(fx->log, true);
		assert_int_equal(removed, rows[i].removed);
		assert_int_equal(hy_stream_state(fx->log).oldest, rows[i].oldest);
	}
	assert_int_equal(hy_stream_state(fx->log).oldest_ms, 4 * DAY);
	struct hy_copied what;
	assert_int_equal(fx_copy(fx, 383, SIZE_MAX, &what), HY_NOT_FOUND);
	assert_int_equal(fx_copy(fx, 384, SIZE_MAX, &what), HY_OK);
	assert_int_equal(what.count, 128);
	struct seen seen = { .next = 385, .size = 40 };
	assert_int_equal(fx_read(fx, 0, &seen, NULL), HY_OK);
	assert_int_equal(seen.good, 128);
}

static void an_aborted_trim_leaves_everything(void **state)
{
	struct fx *fx = *state;
	size_t removed;
	fx_add(fx, 300, 40, 1);
	struct hy_txn *t = hy_txn_begin(fx->db, HY_WRITE);
	assert_int_equal(hy_stream_trim(fx->log, t, 300, INT64_MAX, 9, &removed), HY_OK);
	assert_int_equal(removed, 3);
	hy_txn_abort(&t);
	hy_stream_settled(fx->log, false);
	assert_int_equal(hy_stream_state(fx->log).oldest, 1);
	struct seen seen = { .next = 1, .size = 40 };
	assert_int_equal(fx_read(fx, 0, &seen, NULL), HY_OK);
	assert_int_equal(seen.good, 300);
}

static void numbers_are_never_used_twice_even_when_all_was_trimmed(void **state)
{
	struct fx *fx = *state;
	fx_add(fx, 300, 40, 1);
	struct hy_stream_state full = hy_stream_state(fx->log);
	struct hy_txn *t = hy_txn_begin(fx->db, HY_WRITE);
	assert_int_equal(hy_stream_trim(fx->log, t, 300, INT64_MAX, 9, NULL), HY_OK);
	assert_int_equal(hy_txn_commit(&t), HY_OK);
	hy_stream_settled(fx->log, true);
	fx_reopen(fx);
	struct hy_stream_state st = hy_stream_state(fx->log);
	assert_int_equal(st.head, 300);
	assert_int_equal(st.oldest, 301);
	assert_int_equal(st.oldest_ms, 0);
	assert_true(st.chain == full.chain);
	assert_memory_equal(st.log_id.b, full.log_id.b, 16);
	uint64_t chain;
	t = hy_txn_begin(fx->db, HY_READ);
	assert_int_equal(hy_stream_chain(fx->log, t, 300, &chain), HY_OK);
	assert_true(chain == full.chain);
	hy_txn_abort(&t);
	fx_add(fx, 1, 40, 5);
	assert_int_equal(hy_stream_state(fx->log).oldest, 301);
	assert_int_equal(hy_stream_state(fx->log).oldest_ms, 5);
	struct seen seen = { .next = 301, .chain = full.chain, .size = 40 };
	assert_int_equal(fx_read(fx, 300, &seen, NULL), HY_OK);
	assert_true(seen.chain == hy_stream_state(fx->log).chain);
}

static void a_snapshot_that_shows_an_unsettled_trim_is_no_damage(void **state)
{
	struct fx *fx = *state;
	struct hy_copied what;
	fx_add(fx, 300, 40, 1);
	struct hy_txn *t = hy_txn_begin(fx->db, HY_WRITE);
	assert_int_equal(hy_stream_trim(fx->log, t, 128, INT64_MAX, 9, NULL), HY_OK);
	assert_int_equal(hy_txn_commit(&t), HY_OK);
	assert_int_equal(fx_copy(fx, 0, SIZE_MAX, &what), HY_NOT_FOUND);
	hy_stream_settled(fx->log, true);
}

/* ---- erase and renew ---- */

static void an_erased_record_leaves_its_number_its_check_and_nothing_else(void **state)
{
	struct fx *fx = *state;
	static const uint64_t victims[] = { 1, 64, 128, 129, 300 };
	fx_add(fx, 300, 40, 7);
	struct hy_stream_state before = hy_stream_state(fx->log);
	struct hy_txn *t = hy_txn_begin(fx->db, HY_WRITE);
	for (size_t i = 0; i < 5; i++) {
		assert_int_equal(hy_stream_erase(fx->log, t, victims[i]), HY_OK);
		assert_int_equal(hy_stream_erase(fx->log, t, victims[i]), HY_OK); /* again changes nothing */
	}
	assert_int_equal(hy_stream_erase(fx->log, t, 301), HY_NOT_FOUND);
	assert_int_equal(hy_stream_erase(fx->log, t, 0), HY_NOT_FOUND);
	assert_int_equal(hy_stream_seal(fx->log, t), HY_OK);
	assert_int_equal(hy_txn_commit(&t), HY_OK);
	hy_stream_settled(fx->log, true);
	fx_reopen(fx);
	struct seen seen = { .next = 1, .size = 40 };
	assert_int_equal(fx_read(fx, 0, &seen, NULL), HY_OK);
	assert_int_equal(seen.good, 295);
	assert_int_equal(seen.erased, 5);
	assert_true(seen.chain == before.chain);
	struct hy_copied what;
	seen = (struct seen){ .next = 1, .size = 40 };
	assert_int_equal(fx_copy(fx, 0, SIZE_MAX, &what), HY_OK);
	see_batch(&fx->out, &what, &seen);
	assert_int_equal(seen.erased, 5);
	assert_int_equal(what.damaged, 0);
	assert_true(seen.chain == before.chain);
	/* The bytes are in no live row of the table. */
	t = hy_txn_begin(fx->db, HY_READ);
	for (struct hy_cursor c = hy_cursor_open(t, TABLE, HY_LIT("")); hy_cursor_on(&c); hy_cursor_next(&c))
		for (size_t i = 0; i < 5; i++)
			assert_null(memmem(c.value.data, c.value.size, record(victims[i], 40).data, 40));
	hy_txn_abort(&t);
}

static void a_renewed_log_has_the_same_records_under_another_id(void **state)
{
	struct fx *fx = *state;
	fx_add(fx, 20, 40, 1);
	struct hy_stream_state before = hy_stream_state(fx->log);
	struct hy_txn *t = hy_txn_begin(fx->db, HY_WRITE);
	assert_int_equal(hy_stream_renew(fx->log, t), HY_OK);
	assert_int_equal(hy_txn_commit(&t), HY_OK);
	hy_stream_settled(fx->log, true);
	assert_memory_not_equal(hy_stream_state(fx->log).log_id.b, before.log_id.b, 16);
	struct hy_stream_state renewed = hy_stream_state(fx->log);
	fx_reopen(fx);
	assert_memory_equal(hy_stream_state(fx->log).log_id.b, renewed.log_id.b, 16);
	assert_true(hy_stream_state(fx->log).chain == before.chain);
	struct seen seen = { .next = 1, .size = 40 };
	assert_int_equal(fx_read(fx, 0, &seen, NULL), HY_OK);
	assert_int_equal(seen.good, 20);
}

/* ---- damage ---- */

static struct hy_key key_of(uint64_t first)
{
	struct hy_key k = { 0 };
	hy_key_u64(&k, first);
	return k;
}

/* Puts other bytes under the block's key, in a transaction of the test. */
static void plant(struct hy_txn *t, uint64_t first, const void *data, size_t size)
{
	struct hy_key k = key_of(first);
	assert_int_equal(hy_txn_put(t, TABLE, hy_key_view(&k), hy_bytes(data, size)), HY_OK);
}

static uint8_t *block_bytes(struct hy_txn *t, uint64_t first, size_t *size)
{
	struct hy_key k = key_of(first);
	struct hy_bytes v;
	assert_int_equal(hy_txn_get(t, TABLE, hy_key_view(&k), &v), HY_OK);
	uint8_t *copy = malloc(v.size);
	memcpy(copy, v.data, v.size);
	*size = v.size;
	return copy;
}

/* Both ways out of the log, with one block changed: right bytes, or a marker, or a stop. Never anything else. */
static void judge(struct fx *fx, struct hy_txn *t, bool in_head, uint64_t first, uint64_t count)
{
	uint64_t at_seq = 0, chain = hy_stream_state(fx->log).chain;
	struct hy_copied what;
	struct seen seen = { .next = first, .size = 40 };
	int err = hy_stream_read(fx->log, t, first - 1, see, &seen, &at_seq);
	hy_buffer_clear(&fx->out);
	int copied = hy_stream_copy(fx->log, t, first - 1, SIZE_MAX, &fx->out, &what);
	if (in_head) {
		assert_int_equal(err, HY_DAMAGED);
		assert_int_equal(at_seq, first);
		assert_int_equal(seen.good, 0);
		assert_int_equal(copied, HY_DAMAGED);
		assert_int_equal(what.count, 0);
		assert_int_equal(fx->out.size, 0);
		return;
	}
	assert_int_equal(err, HY_OK);
	assert_int_equal(copied, HY_OK);
	assert_in_range(seen.damaged, 0, 1); /* none when only the framing was hit */
	assert_int_equal(seen.good + seen.damaged, count);
	struct seen again = { .next = first, .size = 40 };
	see_batch(&fx->out, &what, &again);
	assert_int_equal(again.good, seen.good);
	assert_int_equal(again.damaged, seen.damaged);
	assert_int_equal(what.damaged, seen.damaged);
	if (first == 1) {
		assert_true(seen.chain == chain);
		assert_true(again.chain == chain);
	}
}

static void no_flipped_bit_is_ever_served(void **state)
{
	struct fx *fx = *state;
	enum { RECORDS = 6 };
	size_t size, framing = 0;
	fx_add(fx, RECORDS, 40, 1);
	struct hy_txn *t = hy_txn_begin(fx->db, HY_WRITE);
	uint8_t *good = block_bytes(t, 1, &size), *bad = malloc(size);
	assert_int_equal(size, HY_BLOCK_HEAD + 8 * RECORDS + RECORDS * (40 + 2));
	for (size_t bit = 0; bit < 8 * size; bit++) {
		size_t at = bit / 8;
		memcpy(bad, good, size);
		bad[at] ^= (uint8_t)(1 << bit % 8);
		plant(t, 1, bad, size);
		judge(fx, t, at < HY_BLOCK_HEAD + 8 * RECORDS, 1, RECORDS);
		framing += at >= HY_BLOCK_HEAD + 8 * RECORDS && (at - HY_BLOCK_HEAD - 8 * RECORDS) % 42 < 2;
	}
	assert_int_equal(framing, RECORDS * 16);
	/* And cut anywhere, or with something behind it. */
	for (size_t cut = 0; cut < size; cut++) {
		plant(t, 1, good, cut);
		judge(fx, t, true, 1, RECORDS);
	}
	bad = realloc(bad, size + 1);
	memcpy(bad, good, size);
	bad[size] = 0;
	plant(t, 1, bad, size + 1);
	judge(fx, t, true, 1, RECORDS);
	plant(t, 1, good, size);
	judge(fx, t, false, 1, RECORDS);
	hy_txn_abort(&t);
	free(good);
	free(bad);
}

static void random_damage_in_a_full_block_hurts_only_its_records(void **state)
{
	struct fx *fx = *state;
	size_t size;
	uint32_t dice = 1;
	fx_add(fx, 128, 40, 1);
	struct hy_txn *t = hy_txn_begin(fx->db, HY_WRITE);
	uint8_t *good = block_bytes(t, 1, &size), *bad = malloc(size);
	for (int round = 0; round < 2000; round++) {
		size_t first_hit = SIZE_MAX, last_hit = 0;
		memcpy(bad, good, size);
		for (int hits = 0; hits < 3; hits++) { /* three bytes within 30: they meet at most two records */
			dice = dice * 1664525 + 1013904223;
			size_t at = hits ? first_hit + (dice >> 8) % 30 : (dice >> 8) % size;
			at = at < size ? at : size - 1;
			bad[at] ^= (uint8_t)(1 + (dice >> 24) % 255);
			first_hit = at < first_hit ? at : first_hit;
			last_hit = at > last_hit ? at : last_hit;
		}
		plant(t, 1, bad, size);
		struct seen seen = { .next = 1, .size = 40 };
		int err = hy_stream_read(fx->log, t, 0, see, &seen, NULL);
		if (memcmp(bad, good, HY_BLOCK_HEAD + 8 * 128) != 0)
			assert_int_equal(err, HY_DAMAGED);
		else {
			assert_int_equal(err, HY_OK);
			assert_int_equal(seen.good + seen.damaged, 128);
			assert_in_range(seen.damaged, 0, 2);
			struct hy_copied what;
			struct seen again = { .next = 1, .size = 40 };
			hy_buffer_clear(&fx->out);
			assert_int_equal(hy_stream_copy(fx->log, t, 0, SIZE_MAX, &fx->out, &what), HY_OK);
			see_batch(&fx->out, &what, &again);
			assert_int_equal(again.damaged, seen.damaged);
		}
	}
	hy_txn_abort(&t);
	free(good);
	free(bad);
}

static void an_erased_record_beside_a_damaged_one_keeps_its_own_marker(void **state)
{
	struct fx *fx = *state;
	size_t size;
	struct hy_copied what;
	fx_add(fx, 10, 40, 1);
	struct hy_txn *t = hy_txn_begin(fx->db, HY_WRITE);
	assert_int_equal(hy_stream_erase(fx->log, t, 3), HY_OK);
	uint8_t *bytes = block_bytes(t, 1, &size);
	bytes[size - 1] ^= 1; /* record 10 */
	plant(t, 1, bytes, size);
	struct seen seen = { .next = 1, .size = 40 };
	hy_buffer_clear(&fx->out);
	assert_int_equal(hy_stream_copy(fx->log, t, 0, SIZE_MAX, &fx->out, &what), HY_OK);
	see_batch(&fx->out, &what, &seen);
	assert_true(seen.good == 8 && seen.erased == 1 && seen.damaged == 1 && what.damaged == 1);
	assert_true(seen.chain == hy_stream_state(fx->log).chain);
	/* A damaged record can be erased like any other. */
	assert_int_equal(hy_stream_erase(fx->log, t, 10), HY_OK);
	seen = (struct seen){ .next = 1, .size = 40 };
	assert_int_equal(hy_stream_read(fx->log, t, 0, see, &seen, NULL), HY_OK);
	assert_true(seen.good == 8 && seen.erased == 2);
	hy_txn_abort(&t);
	free(bytes);
}

static void a_bad_head_stops_reading_there_and_no_earlier(void **state)
{
	struct fx *fx = *state;
	size_t size, removed;
	uint64_t at_seq, chain;
	struct hy_copied what;
	fx_add(fx, 128 * 4, 40, 5);
	struct hy_txn *t = hy_txn_begin(fx->db, HY_WRITE);
	uint8_t *bytes = block_bytes(t, 129, &size);
	bytes[9] ^= 1;
	plant(t, 129, bytes, size);
	assert_int_equal(hy_txn_commit(&t), HY_OK);
	fx_reopen(fx);
	struct seen seen = { .next = 1, .size = 40 };
	assert_int_equal(fx_read(fx, 0, &seen, &at_seq), HY_DAMAGED);
	assert_int_equal(seen.good, 128);
	assert_int_equal(at_seq, 129);
	assert_int_equal(fx_copy(fx, 0, SIZE_MAX, &what), HY_OK);
	assert_int_equal(what.count, 128);
	assert_int_equal(fx_copy(fx, 128, SIZE_MAX, &what), HY_DAMAGED);
	assert_int_equal(what.count, 0);
	assert_int_equal(fx_copy(fx, 200, SIZE_MAX, &what), HY_DAMAGED);
	assert_int_equal(fx_copy(fx, 256, SIZE_MAX, &what), HY_OK);
	assert_int_equal(what.count, 256);
	t = hy_txn_begin(fx->db, HY_WRITE);
	assert_int_equal(hy_stream_chain(fx->log, t, 150, &chain), HY_DAMAGED);
	assert_int_equal(hy_stream_erase(fx->log, t, 150), HY_DAMAGED);
	/* Nobody can date it, but once all readers are past it, it goes with the others. */
	assert_int_equal(hy_stream_trim(fx->log, t, 255, 9, 9, &removed), HY_OK);
	assert_int_equal(removed, 1);
	assert_int_equal(hy_stream_trim(fx->log, t, 256, 9, 9, &removed), HY_OK);
	assert_int_equal(removed, 1);
	assert_int_equal(hy_txn_commit(&t), HY_OK);
	hy_stream_settled(fx->log, true);
	assert_int_equal(hy_stream_state(fx->log).oldest, 257);
	free(bytes);
}

static void a_block_of_another_place_or_a_later_version_is_not_read(void **state)
{
	struct fx *fx = *state;
	size_t size;
	uint64_t at_seq;
	struct hy_block b;
	fx_add(fx, 256, 40, 1);
	struct hy_txn *t = hy_txn_begin(fx->db, HY_WRITE);
	uint8_t *bytes = block_bytes(t, 1, &size);
	plant(t, 129, bytes, size);
	struct seen seen = { .next = 1, .size = 40 };
	assert_int_equal(hy_stream_read(fx->log, t, 0, see, &seen, &at_seq), HY_DAMAGED);
	assert_int_equal(at_seq, 129);
	hy_txn_abort(&t);
	free(bytes);
	uint8_t later[HY_BLOCK_HEAD + 8] = { 0 };
	static const uint8_t sum[8] = { 0 };
	memcpy(later, sum, 8);
	later[8] = 2;
	later[10] = 1;
	assert_int_equal(hy_block_open(hy_bytes(later, sizeof(later)), 0, &b), HY_DAMAGED);
}

static void a_missing_block_is_noticed(void **state)
{
	struct fx *fx = *state;
	uint64_t at_seq;
	struct hy_copied what;
	fx_add(fx, 128 * 4, 40, 1);
	struct hy_txn *t = hy_txn_begin(fx->db, HY_WRITE);
	struct hy_key k = key_of(129);
	assert_int_equal(hy_txn_del(t, TABLE, hy_key_view(&k)), HY_OK);
	struct seen seen = { .next = 1, .size = 40 };
	assert_int_equal(hy_stream_read(fx->log, t, 0, see, &seen, &at_seq), HY_DAMAGED);
	assert_int_equal(at_seq, 129);
	assert_int_equal(seen.good, 128);
	assert_int_equal(hy_stream_read(fx->log, t, 128, see, &seen, &at_seq), HY_DAMAGED);
	hy_buffer_clear(&fx->out);
	assert_int_equal(hy_stream_copy(fx->log, t, 0, SIZE_MAX, &fx->out, &what), HY_OK);
	assert_int_equal(what.count, 128);
	assert_int_equal(hy_stream_copy(fx->log, t, 128, SIZE_MAX, &fx->out, &what), HY_DAMAGED);
	hy_txn_abort(&t);
}

static int open_error(struct fx *fx, struct hy_txn *t)
{
	assert_int_equal(hy_txn_commit(&t), HY_OK);
	hy_stream_close(&fx->log);
	return hy_stream_open(&fx->log, fx->db, "feedback");
}

static void a_log_whose_end_is_not_what_was_written_does_not_open(void **state)
{
	struct fx *fx = *state;
	size_t size;
	struct hy_key last = key_of(257);
	struct hy_bytes v;
	fx_add(fx, 300, 40, 1);
	struct hy_txn *t = hy_txn_begin(fx->db, HY_WRITE);
	uint8_t *bytes = block_bytes(t, 257, &size), row[33];
	assert_int_equal(hy_txn_get(t, "stream", HY_LIT("head/feedback"), &v), HY_OK);
	assert_int_equal(v.size, sizeof(row));
	memcpy(row, v.data, sizeof(row));
	bytes[20] ^= 4;
	plant(t, 257, bytes, size);
	assert_int_equal(open_error(fx, t), HY_CORRUPT);
	t = hy_txn_begin(fx->db, HY_WRITE);
	hy_txn_del(t, TABLE, hy_key_view(&last)); /* the tail is gone: its numbers must not be given away again */
	assert_int_equal(open_error(fx, t), HY_CORRUPT);
	t = hy_txn_begin(fx->db, HY_WRITE);
	bytes[20] ^= 4;
	plant(t, 257, bytes, size);
	row[32] ^= 1; /* another chain */
	hy_txn_put(t, "stream", HY_LIT("head/feedback"), hy_bytes(row, sizeof(row)));
	assert_int_equal(open_error(fx, t), HY_CORRUPT);
	t = hy_txn_begin(fx->db, HY_WRITE);
	hy_txn_put(t, "stream", HY_LIT("head/feedback"), hy_bytes(row, 5));
	assert_int_equal(open_error(fx, t), HY_CORRUPT);
	t = hy_txn_begin(fx->db, HY_WRITE);
	row[0] = 2;
	hy_txn_put(t, "stream", HY_LIT("head/feedback"), hy_bytes(row, sizeof(row)));
	assert_int_equal(open_error(fx, t), HY_NEWER);
	t = hy_txn_begin(fx->db, HY_WRITE);
	hy_txn_del(t, "stream", HY_LIT("head/feedback"));
	assert_int_equal(open_error(fx, t), HY_CORRUPT);
	assert_null(fx->log);
	t = hy_txn_begin(fx->db, HY_WRITE);
	row[0] = 1;
	row[32] ^= 1;
	hy_txn_put(t, "stream", HY_LIT("head/feedback"), hy_bytes(row, sizeof(row)));
	assert_int_equal(open_error(fx, t), HY_OK);
	assert_int_equal(hy_stream_state(fx->log).head, 300);
	free(bytes);
}

static void a_tool_reads_a_log_and_makes_none(void **state)
{
	struct fx *fx = *state;
	fx_add(fx, 5, 40, 1);
	fx_close(fx);
	static const char *const more[] = { "stream", TABLE, "log.ticket", NULL };
	const struct hy_store_options o = { .tables = more, .version = 1, .read_only = true };
	assert_int_equal(hy_store_open(&fx->db, fx->dir, &o, NULL), HY_OK);
	assert_int_equal(hy_stream_open(&fx->log, fx->db, "ticket"), HY_NOT_FOUND);
	assert_int_equal(hy_stream_open(&fx->log, fx->db, "feedback"), HY_OK);
	struct seen seen = { .next = 1, .size = 40 };
	assert_int_equal(fx_read(fx, 0, &seen, NULL), HY_OK);
	assert_int_equal(seen.good, 5);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		T(a_hundred_thousand_records_come_back_in_order),
		T(records_of_every_size_come_back_as_they_were),
		T(an_aborted_step_gives_its_numbers_back),
		T(a_full_disk_at_commit_gives_the_numbers_back),
		T(a_failed_transaction_fails_append_and_seal),
		T(nothing_is_seen_before_its_commit_is_settled),
		T(reading_begins_anywhere_and_stops_when_told),
		T(an_empty_log_reads_as_nothing),
		T(the_chain_of_any_record_can_be_asked),
		T(a_batch_ends_at_a_block_and_within_the_credit),
		T(trim_takes_whole_blocks_that_are_read_and_old),
		T(an_aborted_trim_leaves_everything),
		T(numbers_are_never_used_twice_even_when_all_was_trimmed),
		T(a_snapshot_that_shows_an_unsettled_trim_is_no_damage),
		T(an_erased_record_leaves_its_number_its_check_and_nothing_else),
		T(a_renewed_log_has_the_same_records_under_another_id),
		T(no_flipped_bit_is_ever_served),
		T(random_damage_in_a_full_block_hurts_only_its_records),
		T(an_erased_record_beside_a_damaged_one_keeps_its_own_marker),
		T(a_bad_head_stops_reading_there_and_no_earlier),
		T(a_block_of_another_place_or_a_later_version_is_not_read),
		T(a_missing_block_is_noticed),
		T(a_log_whose_end_is_not_what_was_written_does_not_open),
		T(a_tool_reads_a_log_and_makes_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
