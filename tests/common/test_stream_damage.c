// link: hy_stream
/* What the disk changed is never served: a record that fails its check is marked, a block that fails its own stops the reading. */
#include "common/log_fixture.h"

#include <xxhash.h>

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
	/* Sound by its checksum, and written by a later version of this program. */
	uint8_t later[HY_BLOCK_HEAD + 8] = { [8] = HY_BLOCK_VERSION + 1, [10] = 1 };
	uint64_t sum = XXH3_64bits(later + 8, sizeof(later) - 8);
	for (int i = 0; i < 8; i++)
		later[i] = (uint8_t)(sum >> 8 * i);
	t = hy_txn_begin(fx->db, HY_WRITE);
	plant(t, 129, later, sizeof(later));
	assert_int_equal(hy_block_open(hy_bytes(later, sizeof(later)), 0, &b), HY_NEWER);
	seen = (struct seen){ .next = 1, .size = 40 };
	assert_int_equal(hy_stream_read(fx->log, t, 0, see, &seen, &at_seq), HY_NEWER);
	hy_txn_abort(&t);
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

static void put_u64(uint8_t *p, uint64_t v)
{
	for (int i = 0; i < 8; i++)
		p[i] = (uint8_t)(v >> 8 * i);
}

/* A block of that many empty records, sound by its checksum, whose records' part is longer by `more`. */
static int open_block_of(uint32_t count, uint32_t more)
{
	static uint8_t bytes[HY_BLOCK_HEAD + 10 * (HY_BLOCK_RECORDS + 1) + 1];
	struct hy_block b;
	uint32_t arrays = 8 * count, wire = 2 * count + more;
	memset(bytes, 0, sizeof(bytes));
	bytes[8] = HY_BLOCK_VERSION;
	bytes[10] = (uint8_t)count;
	bytes[12] = (uint8_t)wire;
	bytes[13] = (uint8_t)(wire >> 8);
	put_u64(bytes + 24, 1);
	put_u64(bytes, XXH3_64bits(bytes + 8, HY_BLOCK_HEAD - 8 + arrays));
	return hy_block_open(hy_bytes(bytes, HY_BLOCK_HEAD + arrays + wire), 1, &b);
}

static void a_block_that_makes_no_sense_is_not_read_however_right_its_checksum(void **state)
{
	(void)state;
	assert_int_equal(open_block_of(1, 0), HY_OK);
	assert_int_equal(open_block_of(HY_BLOCK_RECORDS, 0), HY_OK);
	assert_int_equal(open_block_of(0, 0), HY_DAMAGED);
	assert_int_equal(open_block_of(1, 1), HY_DAMAGED);
	assert_int_equal(open_block_of(HY_BLOCK_RECORDS + 1, 0), HY_DAMAGED);
}

static void a_row_that_is_no_block_stops_reading(void **state)
{
	struct fx *fx = *state;
	uint64_t at_seq;
	fx_add(fx, 10, 40, 1);
	struct hy_txn *t = hy_txn_begin(fx->db, HY_WRITE);
	assert_int_equal(hy_txn_put(t, TABLE, HY_LIT("x"), HY_LIT("not ours")), HY_OK);
	struct seen seen = { .next = 1, .size = 40 };
	assert_int_equal(hy_stream_read(fx->log, t, 0, see, &seen, &at_seq), HY_DAMAGED);
	assert_int_equal(seen.good, 10);
	assert_int_equal(at_seq, 11);
	hy_txn_abort(&t);
}

static void an_empty_log_without_its_row_has_no_chain(void **state)
{
	struct fx *fx = *state;
	uint64_t chain = 9;
	struct hy_txn *t = hy_txn_begin(fx->db, HY_WRITE);
	assert_int_equal(hy_stream_chain(fx->log, t, 0, &chain), HY_OK);
	assert_int_equal(chain, 0);
	hy_txn_del(t, "stream", HY_LIT("head/feedback"));
	assert_int_equal(hy_stream_chain(fx->log, t, 0, &chain), HY_NOT_FOUND);
	hy_txn_put(t, "stream", HY_LIT("head/feedback"), HY_LIT(""));
	assert_int_equal(hy_stream_chain(fx->log, t, 0, &chain), HY_CORRUPT);
	hy_txn_abort(&t);
}

static void a_last_block_with_a_bad_head_goes_with_the_others_once_all_have_read_it(void **state)
{
	struct fx *fx = *state;
	size_t size, removed;
	fx_add(fx, 200, 40, 5);
	struct hy_txn *t = hy_txn_begin(fx->db, HY_WRITE);
	uint8_t *bytes = block_bytes(t, 129, &size);
	bytes[9] ^= 1;
	plant(t, 129, bytes, size);
	free(bytes);
	assert_int_equal(hy_stream_trim(fx->log, t, 199, INT64_MAX, 9, &removed), HY_OK);
	assert_int_equal(removed, 1);
	assert_int_equal(hy_stream_trim(fx->log, t, 200, INT64_MAX, 9, &removed), HY_OK);
	assert_int_equal(removed, 1);
	assert_int_equal(hy_txn_commit(&t), HY_OK);
	hy_stream_settled(fx->log, true);
	assert_int_equal(hy_stream_state(fx->log).oldest, 201);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		T(no_flipped_bit_is_ever_served),
		T(random_damage_in_a_full_block_hurts_only_its_records),
		T(an_erased_record_beside_a_damaged_one_keeps_its_own_marker),
		T(a_bad_head_stops_reading_there_and_no_earlier),
		T(a_block_of_another_place_or_a_later_version_is_not_read),
		T(a_missing_block_is_noticed),
		T(a_log_whose_end_is_not_what_was_written_does_not_open),
		T(a_tool_reads_a_log_and_makes_none),
		T(a_block_that_makes_no_sense_is_not_read_however_right_its_checksum),
		T(a_row_that_is_no_block_stops_reading),
		T(an_empty_log_without_its_row_has_no_chain),
		T(a_last_block_with_a_bad_head_goes_with_the_others_once_all_have_read_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
