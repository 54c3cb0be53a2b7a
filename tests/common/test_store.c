// link: hy_store
/* The store: rows, counters and walks. */
#include "common/store_fixture.h"

#include <pthread.h>

static void a_committed_row_is_there_after_a_restart(void **state)
{
	struct fx *fx = *state;
	struct hy_bytes v;
	put_all(fx, "ticket", (const char *[]){ "T-1", NULL });
	fx_reopen(fx);
	struct hy_txn *t = hy_txn_begin(fx->db, HY_READ);
	assert_int_equal(hy_txn_get(t, "ticket", HY_LIT("T-1"), &v), HY_OK);
	assert_true(hy_bytes_equal(v, HY_LIT("T-1")));
	assert_int_equal(hy_txn_get(t, "due", HY_LIT("T-1"), &v), HY_NOT_FOUND);
	assert_int_equal(v.size, 0);
	assert_int_equal(hy_txn_commit(&t), HY_OK);
	assert_null(t);
}

static void an_aborted_transaction_leaves_nothing(void **state)
{
	struct fx *fx = *state;
	struct hy_bytes v;
	struct hy_txn *t = hy_txn_begin(fx->db, HY_WRITE);
	hy_txn_put(t, "ticket", HY_LIT("T-1"), HY_LIT("x"));
	assert_int_equal(hy_txn_get(t, "ticket", HY_LIT("T-1"), &v), HY_OK);
	hy_txn_abort(&t);
	assert_null(t);
	hy_txn_abort(&t);
	fx_reopen(fx);
	t = hy_txn_begin(fx->db, HY_READ);
	assert_int_equal(hy_txn_get(t, "ticket", HY_LIT("T-1"), &v), HY_NOT_FOUND);
	hy_txn_abort(&t);
}

static void a_reader_sees_the_state_at_its_beginning(void **state)
{
	struct fx *fx = *state;
	struct hy_bytes v;
	struct hy_txn *r = hy_txn_begin(fx->db, HY_READ);
	put_all(fx, "ticket", (const char *[]){ "T-1", NULL });
	assert_int_equal(hy_txn_get(r, "ticket", HY_LIT("T-1"), &v), HY_NOT_FOUND);
	assert_int_equal(hy_txn_commit(&r), HY_OK);
	r = hy_txn_begin(fx->db, HY_READ); /* the same place in the reader table, renewed */
	assert_int_equal(hy_txn_get(r, "ticket", HY_LIT("T-1"), &v), HY_OK);
	hy_txn_abort(&r);
}

static void adding_keeps_what_was_there(void **state)
{
	struct fx *fx = *state;
	struct hy_bytes v;
	struct hy_txn *t = hy_txn_begin(fx->db, HY_WRITE);
	assert_int_equal(hy_txn_add(t, "ticket", HY_LIT("k"), HY_LIT("first")), HY_OK);
	assert_int_equal(hy_txn_add(t, "ticket", HY_LIT("k"), HY_LIT("second")), HY_EXISTS);
	assert_int_equal(hy_txn_err(t), HY_OK); /* an answer, not a failure */
	assert_int_equal(hy_txn_get(t, "ticket", HY_LIT("k"), &v), HY_OK);
	assert_true(hy_bytes_equal(v, HY_LIT("first")));
	assert_int_equal(hy_txn_put(t, "ticket", HY_LIT("k"), HY_LIT("third")), HY_OK);
	assert_int_equal(hy_txn_get(t, "ticket", HY_LIT("k"), &v), HY_OK);
	assert_true(hy_bytes_equal(v, HY_LIT("third")));
	assert_int_equal(hy_txn_commit(&t), HY_OK);
}

static void appending_falls_back_when_the_key_is_not_the_last(void **state)
{
	struct fx *fx = *state;
	struct hy_txn *t = hy_txn_begin(fx->db, HY_WRITE);
	assert_int_equal(hy_txn_append(t, "due", HY_LIT("b"), HY_LIT("b")), HY_OK);
	assert_int_equal(hy_txn_append(t, "due", HY_LIT("c"), HY_LIT("c")), HY_OK);
	assert_int_equal(hy_txn_append(t, "due", HY_LIT("a"), HY_LIT("a")), HY_OK);
	assert_int_equal(hy_txn_append(t, "due", HY_LIT("c"), HY_LIT("c")), HY_OK);
	uint8_t *room = hy_txn_reserve(t, "due", HY_LIT("aa"), 2, true);
	assert_non_null(room);
	memcpy(room, "aa", 2);
	room = hy_txn_reserve(t, "due", HY_LIT("d"), 1, false);
	assert_non_null(room);
	*room = 'd';
	assert_int_equal(hy_txn_commit(&t), HY_OK);
	assert_string_equal(walked(fx->db, "due", "", false), "a aa b c d");
}

static void deleting_tells_whether_it_was_there(void **state)
{
	struct fx *fx = *state;
	put_all(fx, "due", (const char *[]){ "a", "b", NULL });
	struct hy_txn *t = hy_txn_begin(fx->db, HY_WRITE);
	assert_int_equal(hy_txn_del(t, "due", HY_LIT("a")), HY_OK);
	assert_int_equal(hy_txn_del(t, "due", HY_LIT("a")), HY_NOT_FOUND);
	assert_int_equal(hy_txn_del(t, "due", HY_LIT("")), HY_NOT_FOUND);
	assert_int_equal(hy_store_rows(t, "due"), 1);
	assert_int_equal(hy_txn_commit(&t), HY_OK);
}

static void an_impossible_key_is_refused_and_remembered(void **state)
{
	struct fx *fx = *state;
	uint8_t big[HY_STORE_KEY_MAX + 1] = { 0 };
	struct hy_bytes v, key = hy_bytes(big, sizeof(big));
	struct hy_txn *t = hy_txn_begin(fx->db, HY_WRITE);
	assert_int_equal(hy_txn_get(t, "due", key, &v), HY_NOT_FOUND);
	assert_int_equal(hy_txn_get(t, "due", HY_LIT(""), &v), HY_NOT_FOUND);
	assert_int_equal(hy_txn_del(t, "due", key), HY_NOT_FOUND);
	assert_int_equal(hy_txn_put(t, "due", HY_LIT("good"), HY_LIT("good")), HY_OK);
	assert_int_equal(hy_txn_put(t, "due", key, HY_LIT("x")), HY_TOO_LARGE);
	/* From here every call says the same, and nothing is kept. */
	assert_int_equal(hy_txn_err(t), HY_TOO_LARGE);
	assert_int_equal(hy_txn_put(t, "due", HY_LIT("x"), HY_LIT("x")), HY_TOO_LARGE);
	assert_int_equal(hy_txn_add(t, "due", HY_LIT("x"), HY_LIT("x")), HY_TOO_LARGE);
	assert_int_equal(hy_txn_append(t, "due", HY_LIT("x"), HY_LIT("x")), HY_TOO_LARGE);
	assert_null(hy_txn_reserve(t, "due", HY_LIT("x"), 4, false));
	assert_int_equal(hy_txn_get(t, "due", HY_LIT("good"), &v), HY_TOO_LARGE);
	assert_int_equal(hy_txn_del(t, "due", HY_LIT("good")), HY_TOO_LARGE);
	assert_int_equal(hy_txn_count(t, "due", HY_LIT("n"), 1, NULL), HY_TOO_LARGE);
	assert_int_equal(hy_store_rows(t, "due"), 0);
	struct hy_cursor c = hy_cursor_open(t, "due", HY_LIT(""));
	assert_false(hy_cursor_on(&c));
	assert_int_equal(hy_cursor_del(&c), HY_TOO_LARGE);
	c = hy_cursor_last(t, "due", HY_LIT(""));
	assert_false(hy_cursor_on(&c));
	assert_int_equal(hy_txn_commit(&t), HY_TOO_LARGE);
	assert_string_equal(walked(fx->db, "due", "", false), "");
}

static void counters_add_up_and_survive(void **state)
{
	struct fx *fx = *state;
	int64_t n = 99;
	struct hy_txn *t = hy_txn_begin(fx->db, HY_WRITE);
	assert_int_equal(hy_txn_number(t, "ticket", HY_LIT("next")), 0);
	assert_int_equal(hy_txn_count(t, "ticket", HY_LIT("next"), 5, &n), HY_OK);
	assert_int_equal(n, 5);
	assert_int_equal(hy_txn_count(t, "ticket", HY_LIT("next"), -7, NULL), HY_OK);
	assert_int_equal(hy_txn_commit(&t), HY_OK);
	fx_reopen(fx);
	t = hy_txn_begin(fx->db, HY_WRITE);
	assert_int_equal(hy_txn_number(t, "ticket", HY_LIT("next")), -2);
	assert_int_equal(hy_txn_put(t, "ticket", HY_LIT("odd"), HY_LIT("not a number")), HY_OK);
	assert_int_equal(hy_txn_count(t, "ticket", HY_LIT("odd"), 1, &n), HY_CORRUPT);
	assert_int_equal(n, 0);
	assert_int_equal(hy_txn_commit(&t), HY_CORRUPT);
}

static void a_walk_stays_within_its_prefix(void **state)
{
	struct fx *fx = *state;
	put_all(fx, "link",
		(const char *[]){ "a", "b", "b1", "b2", "b3", "c", "b\xff", "b\xff\xff", "\xff", "\xff\xff", NULL });
	assert_string_equal(walked(fx->db, "link", "b", false), "b b1 b2 b3 b\xff b\xff\xff");
	assert_string_equal(walked(fx->db, "link", "b", true), "b\xff\xff b\xff b3 b2 b1 b");
	assert_string_equal(walked(fx->db, "link", "b\xff", true), "b\xff\xff b\xff");
	assert_string_equal(walked(fx->db, "link", "\xff", true), "\xff\xff \xff");
	assert_string_equal(walked(fx->db, "link", "\xff\xff", false), "\xff\xff");
	assert_string_equal(walked(fx->db, "link", "d", false), "");
	assert_string_equal(walked(fx->db, "link", "d", true), "");
	assert_string_equal(walked(fx->db, "link", "0", true), "");
	assert_string_equal(walked(fx->db, "link", "", true), "\xff\xff \xff c b\xff\xff b\xff b3 b2 b1 b a");
	assert_string_equal(walked(fx->db, "due", "", false), "");
	assert_string_equal(walked(fx->db, "due", "", true), "");
}

static void a_walk_can_jump(void **state)
{
	struct fx *fx = *state;
	put_all(fx, "link", (const char *[]){ "a", "b1", "b3", "b5", "c", NULL });
	struct hy_txn *t = hy_txn_begin(fx->db, HY_READ);
	struct hy_cursor c = hy_cursor_open(t, "link", HY_LIT("b"));
	hy_cursor_seek(&c, HY_LIT("b2"));
	assert_true(hy_cursor_on(&c) && hy_bytes_equal(c.key, HY_LIT("b3")));
	hy_cursor_seek(&c, HY_LIT("a")); /* before the prefix: its first key */
	assert_true(hy_cursor_on(&c) && hy_bytes_equal(c.key, HY_LIT("b1")));
	hy_cursor_prev(&c);
	assert_false(hy_cursor_on(&c));
	hy_cursor_seek(&c, HY_LIT("b1")); /* it has closed itself: stays off, harmless */
	hy_cursor_next(&c);
	hy_cursor_prev(&c);
	hy_cursor_close(&c);
	assert_false(hy_cursor_on(&c));
	c = hy_cursor_open(t, "link", HY_LIT(""));
	hy_cursor_seek(&c, HY_LIT(""));
	assert_true(hy_bytes_equal(c.key, HY_LIT("a")));
	hy_cursor_seek(&c, HY_LIT("z"));
	assert_false(hy_cursor_on(&c));
	/* One is left open on purpose: the transaction closes it. */
	c = hy_cursor_open(t, "link", HY_LIT("b"));
	struct hy_cursor d = hy_cursor_open(t, "link", HY_LIT("c"));
	hy_cursor_close(&c);
	assert_true(hy_cursor_on(&d));
	assert_int_equal(hy_txn_commit(&t), HY_OK);
}

static void rows_can_be_deleted_under_a_walk(void **state)
{
	struct fx *fx = *state;
	put_all(fx, "link", (const char *[]){ "a1", "a2", "a3", "b1", "b2", NULL });
	struct hy_txn *t = hy_txn_begin(fx->db, HY_WRITE);
	size_t seen = 0;
	for (struct hy_cursor c = hy_cursor_open(t, "link", HY_LIT("a")); hy_cursor_on(&c); hy_cursor_next(&c)) {
		seen++;
		assert_int_equal(hy_cursor_del(&c), HY_OK);
	}
	assert_int_equal(seen, 3);
	struct hy_cursor gone = hy_cursor_open(t, "link", HY_LIT("a"));
	assert_int_equal(hy_cursor_del(&gone), HY_NOT_FOUND);
	for (struct hy_cursor c = hy_cursor_last(t, "link", HY_LIT("")); hy_cursor_on(&c); hy_cursor_prev(&c))
		assert_int_equal(hy_cursor_del(&c), HY_OK);
	assert_int_equal(hy_store_rows(t, "link"), 0);
	assert_int_equal(hy_txn_commit(&t), HY_OK);
}

/* A walk over thousands of rows of odd sizes, deleting by a rule, compared with an array that does the same. */
static void a_long_walk_with_deletes_visits_each_row_once(void **state)
{
	struct fx *fx = *state;
	enum { ROWS = 4000 };
	static bool there[ROWS];
	static uint8_t value[3000];
	uint32_t dice = 7;
	struct hy_txn *t = hy_txn_begin(fx->db, HY_WRITE);
	for (uint64_t i = 0; i < ROWS; i++) {
		struct hy_key k = { 0 };
		hy_key_u64(&k, i);
		dice = dice * 1664525 + 1013904223;
		hy_txn_append(t, "link", hy_key_view(&k), hy_bytes(value, dice % (i % 50 ? 90 : sizeof(value))));
		there[i] = true;
	}
	assert_int_equal(hy_txn_commit(&t), HY_OK);
	for (int round = 0; round < 12; round++) {
		bool back = round % 2;
		int64_t at = back ? ROWS : -1;
		t = hy_txn_begin(fx->db, HY_WRITE);
		struct hy_cursor c =
			back ? hy_cursor_last(t, "link", HY_LIT("")) : hy_cursor_open(t, "link", HY_LIT(""));
		while (hy_cursor_on(&c)) {
			int64_t i = (int64_t)hy_be_get64(c.key.data);
			for (at += back ? -1 : 1; at != i; at += back ? -1 : 1)
				assert_false(there[at]);
			dice = dice * 1664525 + 1013904223;
			if ((dice >> 16) % 4 < (round < 11 ? 1 : 4)) {
				assert_int_equal(hy_cursor_del(&c), HY_OK);
				there[i] = false;
			}
			if (back)
				hy_cursor_prev(&c);
			else
				hy_cursor_next(&c);
		}
		for (at += back ? -1 : 1; at >= 0 && at < ROWS; at += back ? -1 : 1)
			assert_false(there[at]);
		assert_int_equal(hy_txn_commit(&t), HY_OK);
	}
	assert_string_equal(walked(fx->db, "link", "", false), "");
}

static void a_full_disk_at_commit_changes_nothing_and_heals(void **state)
{
	struct fx *fx = *state;
	struct hy_txn *t;
	hy_store_fail_commits(fx->db, HY_FULL, 2);
	for (int i = 0; i < 2; i++) {
		t = hy_txn_begin(fx->db, HY_WRITE);
		hy_txn_put(t, "due", HY_LIT("a"), HY_LIT("a"));
		assert_int_equal(hy_txn_commit(&t), HY_FULL);
		assert_null(t);
	}
	assert_string_equal(walked(fx->db, "due", "", false), "");
	put_all(fx, "due", (const char *[]){ "a", NULL });
	assert_string_equal(walked(fx->db, "due", "", false), "a");
	hy_store_fail_commits(fx->db, HY_IO, 1);
	t = hy_txn_begin(fx->db, HY_WRITE);
	assert_int_equal(hy_txn_commit(&t), HY_IO);
}

struct crowd {
	struct hy_store *db;
	_Atomic bool stop;
	_Atomic int bad;
};

/* Both rows are written together, so no reader may ever see them differ. */
static void *look(void *arg)
{
	struct crowd *crowd = arg;
	while (!crowd->stop) {
		struct hy_txn *t = hy_txn_begin(crowd->db, HY_READ);
		int64_t a = hy_txn_number(t, "due", HY_LIT("a")), b = hy_txn_number(t, "link", HY_LIT("b"));
		if (a != b || hy_txn_commit(&t) != HY_OK)
			crowd->bad++;
		hy_txn_abort(&t);
	}
	return NULL;
}

static void readers_in_threads_see_whole_transactions(void **state)
{
	struct fx *fx = *state;
	struct crowd crowd = { .db = fx->db };
	pthread_t threads[3];
	for (int i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, look, &crowd), 0);
	for (int i = 0; i < 200; i++) {
		struct hy_txn *t = hy_txn_begin(fx->db, HY_WRITE);
		hy_txn_count(t, "due", HY_LIT("a"), 1, NULL);
		hy_txn_count(t, "link", HY_LIT("b"), 1, NULL);
		assert_int_equal(hy_txn_commit(&t), HY_OK);
	}
	crowd.stop = true;
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(crowd.bad, 0);
}

static void table_names_may_come_from_anywhere(void **state)
{
	struct fx *fx = *state;
	char name[16] = "due"; /* one address, two names, one after the other */
	struct hy_bytes v;
	struct hy_txn *t = hy_txn_begin(fx->db, HY_WRITE);
	assert_int_equal(hy_txn_put(t, name, HY_LIT("k"), HY_LIT("in due")), HY_OK);
	strcpy(name, "link");
	assert_int_equal(hy_txn_get(t, name, HY_LIT("k"), &v), HY_NOT_FOUND);
	assert_int_equal(hy_txn_put(t, name, HY_LIT("k"), HY_LIT("in link")), HY_OK);
	assert_int_equal(hy_txn_get(t, "due", HY_LIT("k"), &v), HY_OK);
	assert_true(hy_bytes_equal(v, HY_LIT("in due")));
	assert_int_equal(hy_txn_commit(&t), HY_OK);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		T(a_committed_row_is_there_after_a_restart),
		T(an_aborted_transaction_leaves_nothing),
		T(a_reader_sees_the_state_at_its_beginning),
		T(adding_keeps_what_was_there),
		T(appending_falls_back_when_the_key_is_not_the_last),
		T(deleting_tells_whether_it_was_there),
		T(an_impossible_key_is_refused_and_remembered),
		T(counters_add_up_and_survive),
		T(a_walk_stays_within_its_prefix),
		T(a_walk_can_jump),
		T(rows_can_be_deleted_under_a_walk),
		T(a_long_walk_with_deletes_visits_each_row_once),
		T(a_full_disk_at_commit_changes_nothing_and_heals),
		T(readers_in_threads_see_whole_transactions),
		T(table_names_may_come_from_anywhere),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
