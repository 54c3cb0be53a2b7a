// link: hy_stream hy_starve
/* Memory that runs out anywhere in the log: the call says so, and the log is what it was. */
#include "common/log_fixture.h"

#include "support/starve.h"

enum { RECORDS = 500, BLOCK = 128 };

static int reads(struct fx *fx)
{
	struct seen seen = { .next = 1, .size = 40 };
	return fx_read(fx, 0, &seen, NULL);
}

static int copies(struct fx *fx)
{
	struct hy_copied what;
	hy_buffer_free(&fx->out);
	return fx_copy(fx, 0, SIZE_MAX, &what);
}

static int tells_a_chain(struct fx *fx)
{
	uint64_t chain;
	struct hy_txn *t = hy_txn_begin(fx->db, HY_READ);
	int err = hy_stream_chain(fx->log, t, 300, &chain);
	hy_txn_abort(&t);
	return err;
}

static int erases(struct fx *fx)
{
	struct hy_txn *t = hy_txn_begin(fx->db, HY_WRITE);
	int err = hy_stream_erase(fx->log, t, 300);
	hy_txn_abort(&t);
	return err;
}

static int trims(struct fx *fx)
{
	size_t removed = 9;
	struct hy_txn *t = hy_txn_begin(fx->db, HY_WRITE);
	int err = hy_stream_trim(fx->log, t, 300, INT64_MAX, 9, &removed);
	hy_txn_abort(&t);
	hy_stream_settled(fx->log, false);
	assert_int_equal(removed, err == HY_OK ? 2 : 0);
	return err;
}

static int opens(struct fx *fx)
{
	struct hy_stream *again;
	int err = hy_stream_open(&again, fx->db, "feedback");
	assert_int_equal(again != NULL, err == HY_OK);
	hy_stream_close(&again);
	return err;
}

static void whoever_runs_out_of_memory_says_so_and_the_log_is_what_it_was(void **state)
{
	struct fx *fx = *state;
	int (*const works[])(struct fx * fx) = { reads, copies, tells_a_chain, erases, trims, opens };
	fx_add(fx, RECORDS, 40, 5);
	for (size_t i = 0; i < sizeof(works) / sizeof(works[0]); i++) {
		int err;
		long n = 1;
		for (; starve_at(n), err = works[i](fx), starve_over(); n++)
			assert_int_equal(err, HY_NO_MEMORY);
		assert_int_equal(err, HY_OK);
		assert_true(n > 1);
		struct seen seen = { .next = 1, .size = 40 };
		assert_int_equal(fx_read(fx, 0, &seen, NULL), HY_OK);
		assert_int_equal(seen.good, RECORDS);
	}
}

static struct hy_bytes block(struct hy_txn *t, uint64_t first)
{
	struct hy_key k = { 0 };
	struct hy_bytes stored;
	hy_key_u64(&k, first);
	assert_int_equal(hy_txn_get(t, TABLE, hy_key_view(&k), &stored), HY_OK);
	return stored;
}

/* One bit, a whole head, everything, and a block at the end that is not there: each kind of mending. */
static void harm(struct fx *fx)
{
	static uint8_t bytes[HY_BLOCK_BYTES];
	struct hy_txn *t = hy_txn_begin(fx->db, HY_WRITE);
	static const uint64_t firsts[] = { 1, 129, 385, 641 };
	for (size_t i = 0; i < 4; i++) {
		uint64_t first = firsts[i];
		struct hy_key k = { 0 };
		hy_key_u64(&k, first);
		struct hy_bytes stored = block(t, first);
		memcpy(bytes, stored.data, stored.size);
		if (i == 0)
			bytes[20] ^= 4;
		else
			memset(bytes, 0, i == 1 ? HY_BLOCK_HEAD : stored.size);
		if (i == 3)
			assert_int_equal(hy_txn_del(t, TABLE, hy_key_view(&k)), HY_OK);
		else
			assert_int_equal(hy_txn_put(t, TABLE, hy_key_view(&k), hy_bytes(bytes, stored.size)), HY_OK);
	}
	assert_int_equal(hy_txn_commit(&t), HY_OK);
}

static void a_repair_that_runs_out_of_memory_can_be_made_again(void **state)
{
	struct fx *fx = *state;
	struct hy_log_report r;
	fx_add(fx, 6 * BLOCK, 40, 5);
	harm(fx);
	for (int repair = 0; repair < 2; repair++) {
		int err = HY_OK;
		for (long n = 1;; n++) {
			struct hy_txn *t = hy_txn_begin(fx->db, HY_WRITE);
			starve_at(n);
			err = hy_stream_check(t, "feedback", repair, &r);
			bool starved = starve_over();
			if (!starved) {
				assert_int_equal(err, HY_OK);
				assert_int_equal(hy_txn_commit(&t), HY_OK);
				break;
			}
			assert_int_equal(err, HY_NO_MEMORY);
			hy_txn_abort(&t);
		}
	}
	assert_true(r.bad_blocks == 3 && r.mended == 2 && r.missing == BLOCK && r.lost == 2 * BLOCK);
	fx_reopen(fx);
	struct seen seen = { .next = 1, .size = 40 };
	assert_int_equal(fx_read(fx, 0, &seen, NULL), HY_OK);
	assert_true(seen.good == 4 * BLOCK && seen.damaged == 2 * BLOCK);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		T(whoever_runs_out_of_memory_says_so_and_the_log_is_what_it_was),
		T(a_repair_that_runs_out_of_memory_can_be_made_again),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
