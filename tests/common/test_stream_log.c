// link: hy_stream
/* The log: what goes in comes out, in order, with the same numbers for ever. */
#include "common/log_fixture.h"

#define DAY ((int64_t)86400000)

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

static void the_snapshot_of_a_trim_that_took_everything_shows_nothing_new(void **state)
{
	struct fx *fx = *state;
	struct hy_copied what;
	fx_add(fx, 10, 50, 1);
	struct hy_txn *t = hy_txn_begin(fx->db, HY_WRITE);
	assert_int_equal(hy_stream_trim(fx->log, t, 10, INT64_MAX, 9, NULL), HY_OK);
	assert_int_equal(hy_txn_commit(&t), HY_OK);
	assert_int_equal(fx_copy(fx, 0, SIZE_MAX, &what), HY_OK);
	assert_int_equal(what.count, 0);
	hy_stream_settled(fx->log, true);
	assert_int_equal(fx_copy(fx, 0, SIZE_MAX, &what), HY_NOT_FOUND);
}

static void a_log_renewed_in_the_middle_of_a_step_keeps_the_steps_records(void **state)
{
	struct fx *fx = *state;
	fx_add(fx, 3, 50, 1);
	struct hy_stream_state before = hy_stream_state(fx->log);
	struct hy_txn *t = hy_txn_begin(fx->db, HY_WRITE);
	assert_int_equal(hy_stream_append(fx->log, t, record(4, 50), 1, NULL), HY_OK);
	assert_int_equal(hy_stream_renew(fx->log, t), HY_OK);
	assert_int_equal(hy_stream_append(fx->log, t, record(5, 50), 1, NULL), HY_OK);
	assert_int_equal(hy_stream_seal(fx->log, t), HY_OK);
	assert_int_equal(hy_txn_commit(&t), HY_OK);
	hy_stream_settled(fx->log, true);
	fx_reopen(fx);
	assert_memory_not_equal(hy_stream_state(fx->log).log_id.b, before.log_id.b, 16);
	struct seen seen = { .next = 1, .size = 50 };
	assert_int_equal(fx_read(fx, 0, &seen, NULL), HY_OK);
	assert_int_equal(seen.good, 5);
}

static void a_record_larger_than_an_envelope_belongs_into_no_block(void **state)
{
	struct fx *fx = *state;
	static struct hy_block_maker m;
	hy_block_begin(&m, 1, 0);
	assert_true(hy_block_fits(&m, HY_WIRE_ENVELOPE_MAX));
	assert_false(hy_block_fits(&m, HY_WIRE_ENVELOPE_MAX + 1));
	struct hy_txn *t = hy_txn_begin(fx->db, HY_WRITE);
	assert_int_equal(hy_stream_append(fx->log, t, record(1, HY_WIRE_ENVELOPE_MAX + 1), 1, NULL), HY_TOO_LARGE);
	hy_txn_abort(&t);
	hy_stream_settled(fx->log, false);
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
		T(the_snapshot_of_a_trim_that_took_everything_shows_nothing_new),
		T(a_log_renewed_in_the_middle_of_a_step_keeps_the_steps_records),
		T(a_record_larger_than_an_envelope_belongs_into_no_block),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
