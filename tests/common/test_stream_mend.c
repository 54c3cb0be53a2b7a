// link: hy_stream
/* fsck: damage is found wherever it is, mended where the result can be proved, and marked where it can't. */
#include "common/log_fixture.h"

#include <xxhash.h>

enum { RECORDS = 500, BLOCK = 128 };

static struct hy_log_report report(struct hy_txn *t, bool repair)
{
	struct hy_log_report r;
	assert_int_equal(hy_stream_check(t, "feedback", repair, &r), HY_OK);
	return r;
}

static uint8_t *take_block(struct hy_txn *t, uint64_t first, size_t *size)
{
	struct hy_key k = { 0 };
	struct hy_bytes v;
	hy_key_u64(&k, first);
	assert_int_equal(hy_txn_get(t, TABLE, hy_key_view(&k), &v), HY_OK);
	uint8_t *copy = malloc(v.size);
	memcpy(copy, v.data, v.size);
	*size = v.size;
	return copy;
}

static void plant(struct hy_txn *t, uint64_t first, const void *data, size_t size)
{
	struct hy_key k = { 0 };
	hy_key_u64(&k, first);
	assert_int_equal(hy_txn_put(t, TABLE, hy_key_view(&k), hy_bytes(data, size)), HY_OK);
}

/* Commits what was planted and mended, opens the log again and reads it through. */
static struct seen read_all(struct fx *fx, struct hy_txn *t)
{
	struct seen seen = { .next = 1, .size = 40 };
	assert_int_equal(hy_txn_commit(&t), HY_OK);
	fx_reopen(fx);
	assert_int_equal(fx_read(fx, 0, &seen, NULL), HY_OK);
	assert_int_equal(seen.next, RECORDS + 1);
	return seen;
}

static void a_sound_log_has_nothing_to_report(void **state)
{
	struct fx *fx = *state;
	fx_add(fx, RECORDS, 40, 1);
	struct hy_txn *t = hy_txn_begin(fx->db, HY_WRITE);
	assert_int_equal(hy_stream_erase(fx->log, t, 7), HY_OK);
	struct hy_log_report want = { .blocks = 4, .records = RECORDS, .erased = 1 }, r = report(t, true);
	assert_memory_equal(&r, &want, sizeof(r));
	assert_int_equal(hy_stream_trim(fx->log, t, RECORDS, INT64_MAX, 2, NULL), HY_OK);
	r = report(t, true);
	want = (struct hy_log_report){ .blocks = 2, .records = RECORDS - 2 * BLOCK };
	assert_memory_equal(&r, &want, sizeof(r));
	assert_int_equal(hy_stream_check(t, "other", false, &r), HY_CORRUPT);
	hy_txn_abort(&t);
	hy_stream_settled(fx->log, false);
}

static void any_single_bit_of_a_head_is_mended(void **state)
{
	struct fx *fx = *state;
	size_t size, full;
	fx_add(fx, RECORDS, 40, 5);
	struct hy_txn *t = hy_txn_begin(fx->db, HY_WRITE);
	static const uint64_t firsts[] = { 1, 129, 385 };
	for (size_t i = 0; i < 3; i++) {
		uint8_t *good = take_block(t, firsts[i], &full);
		size_t bits = 8 * (HY_BLOCK_HEAD + 8 * (size_t)(firsts[i] == 385 ? RECORDS - 384 : BLOCK));
		for (size_t bit = 0; bit < bits; bit += bit < 8 * HY_BLOCK_HEAD ? 7 : 501) {
			good[bit / 8] ^= (uint8_t)(1 << bit % 8);
			plant(t, firsts[i], good, full);
			good[bit / 8] ^= (uint8_t)(1 << bit % 8);
			struct hy_log_report r = report(t, false);
			assert_true(r.bad_blocks == 1 && r.mended == 0 && r.at_seq == firsts[i]);
			r = report(t, true);
			assert_true(r.bad_blocks == 1 && r.mended == 1 && r.lost == 0);
			uint8_t *now = take_block(t, firsts[i], &size);
			assert_int_equal(size, full);
			assert_memory_equal(now, good, full);
			free(now);
		}
		free(good);
	}
	assert_int_equal(read_all(fx, t).good, RECORDS);
}

/* Many bytes of the head are gone: it is made again from the records, and the chain proves it. */
static void a_zeroed_head_is_made_again_from_its_records(void **state)
{
	struct fx *fx = *state;
	size_t size;
	fx_add(fx, RECORDS, 40, 5);
	uint64_t chain = hy_stream_state(fx->log).chain;
	static const struct {
		uint64_t first;
		size_t from, bytes;
	} rows[] = {
		{ 1, 0, 512 },
		{ 129, 0, 512 },
		{ 257, 0, HY_BLOCK_HEAD },
		{ 385, 0, 512 }, /* any block, the last too */
		{ 129, 0, HY_BLOCK_HEAD + 8 * BLOCK }, /* nothing but the records is left */
		{ 129, 600, 400 },
		{ 129, HY_BLOCK_HEAD, 4 * BLOCK },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct hy_txn *t = hy_txn_begin(fx->db, HY_WRITE);
		uint8_t *bad = take_block(t, rows[i].first, &size);
		memset(bad + rows[i].from, 0, rows[i].bytes);
		plant(t, rows[i].first, bad, size);
		struct hy_log_report r = report(t, true);
		assert_true(r.bad_blocks == 1 && r.mended == 1 && r.lost == 0);
		r = report(t, false);
		assert_true(r.at_seq == 0 && r.records == RECORDS);
		assert_int_equal(read_all(fx, t).good, RECORDS);
		assert_true(hy_stream_state(fx->log).chain == chain);
		free(bad);
	}
}

/* The head and a record are hit: the checks in the array still prove the lengths, and the record alone is marked. */
static void a_head_is_mended_around_a_damaged_record(void **state)
{
	struct fx *fx = *state;
	size_t size;
	fx_add(fx, RECORDS, 40, 5);
	struct hy_txn *t = hy_txn_begin(fx->db, HY_WRITE);
	uint8_t *bad = take_block(t, 129, &size);
	memset(bad, 0, 24);
	bad[size - 100] ^= 0x55;
	plant(t, 129, bad, size);
	free(bad);
	struct hy_log_report r = report(t, true);
	assert_true(r.bad_blocks == 1 && r.mended == 1 && r.lost == 0);
	struct seen seen = read_all(fx, t);
	assert_true(seen.good == RECORDS - 1 && seen.damaged == 1);
	assert_true(seen.chain == hy_stream_state(fx->log).chain);
}

static void the_first_block_left_after_a_trim_is_mended_too(void **state)
{
	struct fx *fx = *state;
	size_t size;
	fx_add(fx, RECORDS, 40, 5);
	struct hy_txn *t = hy_txn_begin(fx->db, HY_WRITE);
	assert_int_equal(hy_stream_trim(fx->log, t, BLOCK, INT64_MAX, 9, NULL), HY_OK);
	uint8_t *bad = take_block(t, 129, &size);
	memset(bad, 0, 32); /* all but its chain_before: nobody else knows that */
	plant(t, 129, bad, size);
	struct hy_log_report r = report(t, true);
	assert_true(r.mended == 1 && r.lost == 0);
	memset(bad, 0, 40);
	plant(t, 129, bad, size);
	r = report(t, true);
	assert_true(r.mended == 0 && r.lost == BLOCK);
	free(bad);
	hy_txn_abort(&t);
	hy_stream_settled(fx->log, false);
}

static void what_cannot_be_proved_becomes_markers_and_reading_goes_on(void **state)
{
	struct fx *fx = *state;
	static const uint64_t firsts[] = { 129, 385 };
	fx_add(fx, RECORDS, 40, 5);
	for (size_t i = 0; i < 2; i++) {
		size_t size;
		struct hy_txn *t = hy_txn_begin(fx->db, HY_WRITE);
		uint8_t *bad = take_block(t, firsts[i], &size);
		memset(bad, 0xee, size);
		plant(t, firsts[i], bad, size);
		struct hy_log_report r = report(t, true);
		assert_true(r.bad_blocks == 1 && r.mended == 0);
		assert_int_equal(r.lost, i ? RECORDS - 384 : BLOCK);
		free(bad);
		struct seen seen = read_all(fx, t);
		assert_int_equal(seen.damaged, i ? RECORDS - 384 + BLOCK : BLOCK);
		assert_int_equal(seen.good + seen.damaged, RECORDS);
		struct hy_copied what;
		seen = (struct seen){ .next = firsts[i], .size = 40 };
		assert_int_equal(fx_copy(fx, firsts[i] - 1, 1, &what), HY_OK);
		see_batch(&fx->out, &what, &seen);
		assert_int_equal(seen.damaged, what.count);
	}
	/* The log goes on behind it, with new numbers. */
	fx_add(fx, 1, 40, 6);
	assert_int_equal(hy_stream_state(fx->log).head, RECORDS + 1);
}

static void missing_blocks_are_filled_with_markers(void **state)
{
	struct fx *fx = *state;
	struct hy_key first = { 0 }, last = { 0 };
	fx_add(fx, RECORDS, 40, 5);
	struct hy_txn *t = hy_txn_begin(fx->db, HY_WRITE);
	hy_key_u64(&first, 129);
	hy_key_u64(&last, 385);
	assert_int_equal(hy_txn_del(t, TABLE, hy_key_view(&first)), HY_OK);
	assert_int_equal(hy_txn_del(t, TABLE, hy_key_view(&last)), HY_OK);
	struct hy_log_report r = report(t, false);
	assert_true(r.missing == RECORDS - 2 * BLOCK && r.at_seq == 129 && r.lost == 0);
	r = report(t, true);
	assert_true(r.missing == RECORDS - 2 * BLOCK && r.lost == r.missing);
	struct seen seen = read_all(fx, t);
	assert_true(seen.good == 2 * BLOCK && seen.damaged == RECORDS - 2 * BLOCK);
}

static void two_bad_blocks_in_a_row_are_told_apart(void **state)
{
	struct fx *fx = *state;
	size_t size;
	fx_add(fx, RECORDS, 40, 5);
	struct hy_txn *t = hy_txn_begin(fx->db, HY_WRITE);
	uint8_t *a = take_block(t, 129, &size);
	a[3] ^= 4; /* one bit: mended by itself */
	plant(t, 129, a, size);
	free(a);
	a = take_block(t, 257, &size);
	memset(a, 0, 300); /* then the one before is sound, and proves this one */
	plant(t, 257, a, size);
	free(a);
	struct hy_log_report r = report(t, true);
	assert_true(r.bad_blocks == 2 && r.mended == 2 && r.lost == 0 && r.at_seq == 129);
	assert_int_equal(read_all(fx, t).good, RECORDS);
}

static void del(struct hy_txn *t, uint64_t first)
{
	struct hy_key k = { 0 };
	hy_key_u64(&k, first);
	assert_int_equal(hy_txn_del(t, TABLE, hy_key_view(&k)), HY_OK);
}

static void two_lost_blocks_in_a_row_leave_their_neighbours_alone(void **state)
{
	struct fx *fx = *state;
	size_t size;
	fx_add(fx, RECORDS, 40, 5);
	struct hy_txn *t = hy_txn_begin(fx->db, HY_WRITE);
	uint8_t *bad = take_block(t, 129, &size);
	memset(bad, 0, size);
	plant(t, 129, bad, size);
	plant(t, 257, bad, size);
	free(bad);
	struct hy_log_report r = report(t, true);
	assert_true(r.bad_blocks == 2 && r.mended == 0 && r.lost == 2 * BLOCK && r.missing == 0);
	struct seen seen = read_all(fx, t);
	assert_true(seen.good == RECORDS - 2 * BLOCK && seen.damaged == 2 * BLOCK);
}

static void a_cut_or_swollen_block_is_given_up(void **state)
{
	struct fx *fx = *state;
	static uint8_t bytes[HY_WIRE_ENVELOPE_MAX + 4096];
	static const size_t sizes[] = { 0, 20, 100, sizeof(bytes) };
	fx_add(fx, RECORDS, 40, 5);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct hy_txn *t = hy_txn_begin(fx->db, HY_WRITE);
		plant(t, 129, bytes, sizes[i]);
		struct hy_log_report r = report(t, true);
		assert_true(r.bad_blocks == 1 && r.mended == 0 && r.lost == BLOCK);
		hy_txn_abort(&t);
	}
}

static void a_flipped_bit_is_mended_though_the_block_behind_is_missing(void **state)
{
	struct fx *fx = *state;
	size_t size;
	fx_add(fx, RECORDS, 40, 5);
	struct hy_txn *t = hy_txn_begin(fx->db, HY_WRITE);
	uint8_t *bad = take_block(t, 129, &size);
	bad[17] ^= 1;
	plant(t, 129, bad, size);
	free(bad);
	del(t, 257);
	struct hy_log_report r = report(t, true);
	assert_true(r.mended == 1 && r.missing == BLOCK && r.lost == BLOCK);
	struct seen seen = read_all(fx, t);
	assert_true(seen.good == RECORDS - BLOCK && seen.damaged == BLOCK);
}

static void a_head_is_made_again_around_a_damaged_frame(void **state)
{
	static const uint8_t tags[] = { 0x52, 0x48, 0x07 }; /* another field, another type, none at all */
	struct fx *fx = *state;
	size_t size;
	fx_add(fx, RECORDS, 40, 5);
	for (size_t i = 0; i < sizeof(tags); i++) {
		struct hy_txn *t = hy_txn_begin(fx->db, HY_WRITE);
		uint8_t *bad = take_block(t, 129, &size);
		memset(bad, 0, HY_BLOCK_HEAD);
		bad[HY_BLOCK_HEAD + 8 * BLOCK + 42] = tags[i]; /* the second record's */
		plant(t, 129, bad, size);
		free(bad);
		struct hy_log_report r = report(t, true);
		assert_true(r.mended == 1 && r.lost == 0 && r.damaged == 0);
		hy_txn_abort(&t);
	}
}

static void an_erased_record_stays_erased_when_its_head_is_made_again(void **state)
{
	struct fx *fx = *state;
	size_t size;
	fx_add(fx, RECORDS, 40, 5);
	struct hy_txn *t = hy_txn_begin(fx->db, HY_WRITE);
	assert_int_equal(hy_stream_erase(fx->log, t, 200), HY_OK);
	uint8_t *bad = take_block(t, 129, &size);
	memset(bad, 0, HY_BLOCK_HEAD);
	plant(t, 129, bad, size);
	free(bad);
	struct hy_log_report r = report(t, true);
	assert_true(r.mended == 1 && r.erased == 1 && r.lost == 0);
	struct seen seen = read_all(fx, t);
	assert_true(seen.good == RECORDS - 1 && seen.erased == 1);
}

static void a_head_made_again_is_dated_between_its_neighbours(void **state)
{
	struct fx *fx = *state;
	struct hy_block b;
	size_t size;
	fx_add(fx, BLOCK, 40, 5);
	fx_add(fx, BLOCK, 40, 6);
	fx_add(fx, BLOCK, 40, 7);
	struct hy_txn *t = hy_txn_begin(fx->db, HY_WRITE);
	uint8_t *bad = take_block(t, 129, &size);
	memset(bad, 0, HY_BLOCK_HEAD);
	bad[22] = 1; /* a date far from now */
	plant(t, 129, bad, size);
	free(bad);
	assert_int_equal(report(t, true).mended, 1);
	bad = take_block(t, 129, &size);
	assert_int_equal(hy_block_open(hy_bytes(bad, size), 129, &b), HY_OK);
	assert_int_equal(b.at_ms, 5);
	free(bad);
	hy_txn_abort(&t);
}

static void what_a_newer_version_or_somebody_else_wrote_is_left_alone(void **state)
{
	struct fx *fx = *state;
	struct hy_log_report r;
	fx_add(fx, RECORDS, 40, 5);
	uint8_t later[HY_BLOCK_HEAD + 8] = { [8] = HY_BLOCK_VERSION + 1, [10] = 1 };
	uint64_t sum = XXH3_64bits(later + 8, sizeof(later) - 8);
	for (int i = 0; i < 8; i++)
		later[i] = (uint8_t)(sum >> 8 * i);
	struct hy_txn *t = hy_txn_begin(fx->db, HY_WRITE);
	plant(t, 129, later, sizeof(later));
	assert_int_equal(hy_stream_check(t, "feedback", true, &r), HY_NEWER);
	hy_txn_abort(&t);
	static const struct {
		const char *key;
		size_t size;
	} strange[] = { { "x", 1 }, { "\0", 1 }, { "\0\0\0\0\0\0\0\0", 8 }, { "\0\0\0\0\0\0\x10\0", 8 } };
	for (size_t i = 0; i < sizeof(strange) / sizeof(strange[0]); i++) {
		t = hy_txn_begin(fx->db, HY_WRITE);
		hy_txn_put(t, TABLE, hy_bytes(strange[i].key, strange[i].size), HY_LIT("not ours"));
		assert_int_equal(hy_stream_check(t, "feedback", true, &r), HY_CORRUPT);
		assert_int_equal(r.blocks, 0);
		hy_txn_abort(&t);
	}
	t = hy_txn_begin(fx->db, HY_WRITE);
	hy_txn_put(t, "stream", HY_LIT("head/feedback"), HY_LIT("\x02 later"));
	assert_int_equal(hy_stream_check(t, "feedback", true, &r), HY_NEWER);
	hy_txn_abort(&t);
}

static void an_empty_log_is_sound(void **state)
{
	struct fx *fx = *state;
	struct hy_txn *t = hy_txn_begin(fx->db, HY_WRITE);
	struct hy_log_report want = { 0 }, r = report(t, true);
	assert_memory_equal(&r, &want, sizeof(r));
	hy_txn_abort(&t);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		T(a_sound_log_has_nothing_to_report),
		T(any_single_bit_of_a_head_is_mended),
		T(a_zeroed_head_is_made_again_from_its_records),
		T(a_head_is_mended_around_a_damaged_record),
		T(the_first_block_left_after_a_trim_is_mended_too),
		T(what_cannot_be_proved_becomes_markers_and_reading_goes_on),
		T(missing_blocks_are_filled_with_markers),
		T(two_bad_blocks_in_a_row_are_told_apart),
		T(two_lost_blocks_in_a_row_leave_their_neighbours_alone),
		T(a_cut_or_swollen_block_is_given_up),
		T(a_flipped_bit_is_mended_though_the_block_behind_is_missing),
		T(a_head_is_made_again_around_a_damaged_frame),
		T(an_erased_record_stays_erased_when_its_head_is_made_again),
		T(a_head_made_again_is_dated_between_its_neighbours),
		T(what_a_newer_version_or_somebody_else_wrote_is_left_alone),
		T(an_empty_log_is_sound),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
