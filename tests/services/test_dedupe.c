// link: hy_collector
#include "support/test.h"

#include "collector/dedupe.h"

#define NOW INT64_C(1767225600000)

struct fx {
	char *dir;
	struct hy_store *db;
	struct dedupe *dedupe;
	struct hy_ids ids;
};

static void start(struct fx *fx, size_t ids, int64_t window_ms)
{
	static const char *const tables[] = { "dedupe", NULL };
	struct hy_store_options o = { .tables = tables, .maker = "collector", .version = 1, .quota_bytes = 1 << 20 };
	struct hy_fault f;
	if (hy_store_open(&fx->db, fx->dir, &o, &f) != HY_OK)
		fail_msg("%s", f.text);
	assert_int_equal(dedupe_open(&fx->dedupe, fx->db, ids, window_ms), HY_OK);
}

static void stop(struct fx *fx)
{
	dedupe_close(&fx->dedupe);
	hy_store_close(&fx->db);
}

static int setup(void **state)
{
	struct fx *fx = calloc(1, sizeof(*fx));
	assert_non_null(fx);
	fx->dir = test_mkdir();
	start(fx, 100, 60000);
	*state = fx;
	return 0;
}

static int teardown(void **state)
{
	struct fx *fx = *state;
	stop(fx);
	test_rmdir(fx->dir);
	free(fx);
	return 0;
}

static int note(
	struct fx *fx, uint64_t scope, const char *client, const char *body, int64_t now_ms, struct hy_id *first)
{
	struct dedupe_key k = dedupe_key(scope, hy_bytes_text(client), hy_bytes_text(body));
	struct hy_id id = hy_id_new(&fx->ids, now_ms), out;
	struct hy_txn *t = hy_txn_begin(fx->db, HY_WRITE);
	int result = dedupe_note(fx->dedupe, t, &k, id, now_ms, first ? first : &out);
	assert_int_equal(hy_txn_commit(&t), HY_OK);
	return result;
}

static void what_is_sent_again_has_its_first_id(void **state)
{
	struct fx *fx = *state;
	struct hy_id first, again;
	assert_int_equal(note(fx, 1, "a", "hello", NOW, &first), HY_NOT_FOUND);
	assert_int_equal(note(fx, 1, "a", "hello", NOW + 5, &again), HY_EXISTS);
	assert_true(hy_id_equal(first, again));
	assert_int_equal(note(fx, 1, "b", "hello", NOW, NULL), HY_NOT_FOUND);
}

static void the_same_id_with_other_words_is_a_conflict(void **state)
{
	note(*state, 1, "a", "hello", NOW, NULL);
	assert_int_equal(note(*state, 1, "a", "goodbye", NOW, NULL), HY_CONFLICT);
}

static void another_key_may_use_the_same_id(void **state)
{
	note(*state, 1, "a", "hello", NOW, NULL);
	assert_int_equal(note(*state, 2, "a", "hello", NOW, NULL), HY_NOT_FOUND);
}

static void a_restart_forgets_nothing(void **state)
{
	struct fx *fx = *state;
	struct hy_id first, again;
	note(fx, 1, "a", "hello", NOW, &first);
	stop(fx);
	start(fx, 100, 60000);
	assert_int_equal(note(fx, 1, "a", "hello", NOW + 1000, &again), HY_EXISTS);
	assert_true(hy_id_equal(first, again));
}

static void outside_its_window_an_id_is_new(void **state)
{
	note(*state, 1, "a", "hello", NOW, NULL);
	assert_int_equal(note(*state, 1, "a", "hello", NOW + 60001, NULL), HY_NOT_FOUND);
	assert_int_equal(note(*state, 1, "a", "hello", NOW + 60002, NULL), HY_EXISTS);
}

static void more_than_its_room_forgets_the_oldest_and_says_so(void **state)
{
	struct fx *fx = *state;
	char client[16];
	for (int i = 0; i < 150; i++) {
		snprintf(client, sizeof(client), "c%d", i);
		assert_int_equal(note(fx, 1, client, "x", NOW + i, NULL), HY_NOT_FOUND);
	}
	assert_true(dedupe_count(fx->dedupe) <= 102);
	assert_true(dedupe_overflowed(fx->dedupe) >= 48);
	assert_int_equal(note(fx, 1, "c149", "x", NOW + 200, NULL), HY_EXISTS);
	assert_int_equal(note(fx, 1, "c0", "x", NOW + 200, NULL), HY_NOT_FOUND);
}

static void an_aborted_step_leaves_nothing_behind(void **state)
{
	struct fx *fx = *state;
	struct dedupe_key k = dedupe_key(1, HY_LIT("a"), HY_LIT("hello"));
	struct hy_id id = hy_id_new(&fx->ids, NOW), first;
	for (int i = 0; i < 3; i++) {
		struct hy_txn *t = hy_txn_begin(fx->db, HY_WRITE);
		assert_int_equal(dedupe_note(fx->dedupe, t, &k, id, NOW, &first), HY_NOT_FOUND);
		hy_txn_abort(&t);
	}
	assert_int_equal(dedupe_count(fx->dedupe), 1);
	assert_int_equal(note(fx, 1, "b", "other", NOW, NULL),
		HY_NOT_FOUND); /* takes the row that the aborted one would have had */
	assert_int_equal(note(fx, 1, "a", "hello", NOW, NULL), HY_NOT_FOUND);
	assert_int_equal(note(fx, 1, "a", "hello", NOW, NULL), HY_EXISTS);
}

static void a_disk_that_stays_full_does_not_fill_the_memory(void **state)
{
	struct fx *fx = *state;
	char client[16];
	assert_int_equal(note(fx, 1, "kept", "hello", NOW, NULL), HY_NOT_FOUND);
	for (int step = 0; step < 20; step++) {
		struct hy_txn *t = hy_txn_begin(fx->db, HY_WRITE);
		for (int i = 0; i < 500; i++) {
			struct hy_id first;
			snprintf(client, sizeof(client), "%d", step * 1000 + i);
			struct dedupe_key k = dedupe_key(1, hy_bytes_text(client), HY_LIT("x"));
			assert_int_equal(
				dedupe_note(fx->dedupe, t, &k, hy_id_new(&fx->ids, NOW), NOW, &first), HY_NOT_FOUND);
		}
		hy_txn_abort(&t);
	}
	assert_true(dedupe_count(fx->dedupe) <= 501);
	assert_int_equal(note(fx, 1, "kept", "hello", NOW, NULL), HY_EXISTS);
	assert_int_equal(note(fx, 1, "0", "x", NOW, NULL), HY_NOT_FOUND);
	assert_int_equal(dedupe_count(fx->dedupe), 2);
}

static void with_a_smaller_room_after_a_restart_the_newest_are_still_known(void **state)
{
	struct fx *fx = *state;
	char client[16];
	for (int i = 0; i < 50; i++) {
		snprintf(client, sizeof(client), "%d", i);
		assert_int_equal(note(fx, 1, client, "x", NOW + i, NULL), HY_NOT_FOUND);
	}
	stop(fx);
	start(fx, 10, 1000000);
	assert_int_equal(dedupe_count(fx->dedupe), 10);
	assert_int_equal(note(fx, 1, "49", "x", NOW + 60, NULL), HY_EXISTS);
	assert_int_equal(note(fx, 1, "40", "x", NOW + 60, NULL), HY_EXISTS);
	assert_int_equal(note(fx, 1, "0", "x", NOW + 60, NULL), HY_NOT_FOUND);
}

static void thousands_come_and_go_and_each_is_found_while_it_should_be(void **state)
{
	struct fx *fx = *state;
	char client[16];
	stop(fx);
	start(fx, 2000, 1000000);
	struct hy_txn *t = hy_txn_begin(fx->db, HY_WRITE);
	for (int i = 0; i < 10000; i++) {
		struct hy_id first;
		snprintf(client, sizeof(client), "c%d", i);
		struct dedupe_key k = dedupe_key(1, hy_bytes_text(client), HY_LIT("x"));
		assert_int_equal(
			dedupe_note(fx->dedupe, t, &k, hy_id_new(&fx->ids, NOW + i), NOW + i, &first), HY_NOT_FOUND);
		if (i >= 1500) {
			snprintf(client, sizeof(client), "c%d", i - 1500);
			k = dedupe_key(1, hy_bytes_text(client), HY_LIT("x"));
			assert_int_equal(dedupe_note(fx->dedupe, t, &k, hy_id_new(&fx->ids, NOW + i), NOW + i, &first),
				HY_EXISTS);
		}
	}
	assert_int_equal(hy_txn_commit(&t), HY_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_is_sent_again_has_its_first_id, setup, teardown),
		cmocka_unit_test_setup_teardown(the_same_id_with_other_words_is_a_conflict, setup, teardown),
		cmocka_unit_test_setup_teardown(another_key_may_use_the_same_id, setup, teardown),
		cmocka_unit_test_setup_teardown(a_restart_forgets_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(outside_its_window_an_id_is_new, setup, teardown),
		cmocka_unit_test_setup_teardown(more_than_its_room_forgets_the_oldest_and_says_so, setup, teardown),
		cmocka_unit_test_setup_teardown(an_aborted_step_leaves_nothing_behind, setup, teardown),
		cmocka_unit_test_setup_teardown(a_disk_that_stays_full_does_not_fill_the_memory, setup, teardown),
		cmocka_unit_test_setup_teardown(
			with_a_smaller_room_after_a_restart_the_newest_are_still_known, setup, teardown),
		cmocka_unit_test_setup_teardown(
			thousands_come_and_go_and_each_is_found_while_it_should_be, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
