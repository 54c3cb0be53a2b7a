// link: hy_stream
/* The table of readers by itself: what it remembers, what it keeps in the store, and whom trimming waits for. */
#include "support/test.h"

#include "base/clock.h"
#include "log/log.h"
#include "stream/readers.h"

static const char *const tables[] = { "stream", NULL };
static struct hy_readers readers;
static struct hy_store *db;
static char *dir;

static int setup(void **state)
{
	struct hy_fault f;
	struct hy_store_options o = {
		.tables = tables, .maker = "collector", .version = 1, .quota_bytes = (uint64_t)32 << 20
	};
	(void)state;
	dir = test_mkdir();
	hy_clock_stand(1000000);
	readers = (struct hy_readers){ .lock = PTHREAD_MUTEX_INITIALIZER };
	if (hy_store_open(&db, dir, &o, &f) != HY_OK)
		fail_msg("%s", f.text);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	hy_store_close(&db);
	hy_clock_stand(-1);
	test_rmdir(dir);
	return 0;
}

static struct hy_served *add(const char *peer, const char *stream, uint64_t committed, bool outside)
{
	struct hy_served *one = hy_readers_add(&readers, peer, stream);
	struct hy_hello h = { .epoch = 1, .outside = outside };
	hy_readers_greet(&readers, one, &h, committed);
	return one;
}

static bool keep(void)
{
	bool changed;
	struct hy_txn *t = hy_txn_begin(db, HY_WRITE);
	assert_int_equal(hy_readers_keep(&readers, t, &changed), HY_OK);
	assert_int_equal(hy_txn_commit(&t), HY_OK);
	return changed;
}

static void a_peer_reads_each_stream_from_a_place_of_its_own(void **state)
{
	(void)state;
	struct hy_served *first = add("audit", "feedback", 10, true), *second = add("audit", "ticket", 20, true);
	assert_ptr_not_equal(first, second);
	assert_ptr_equal(hy_readers_find(&readers, "audit", "feedback"), first);
	assert_ptr_equal(hy_readers_find(&readers, "audit", "ticket"), second);
	assert_null(hy_readers_find(&readers, "audit", "delivery"));
	keep();
	assert_int_equal(hy_readers_floor(&readers, "feedback", NULL, true), 10);
	assert_int_equal(hy_readers_floor(&readers, "ticket", NULL, true), 20);
	first->stream = second->stream = (struct hy_stream *)(void *)&readers; /* any: both are linked */
	memcpy(first->id, "road", first->id_size = 4);
	memcpy(second->id, "road", second->id_size = 4);
	assert_ptr_equal(hy_readers_by_id(&readers, HY_LIT("road"), "ticket"), second);
	assert_null(hy_readers_by_id(&readers, HY_LIT("rope"), "ticket"));
}

static void the_slowest_outside_reader_is_the_floor(void **state)
{
	(void)state;
	static const char *const ring[] = { "classifier", NULL };
	add("slow", "feedback", 10, true);
	add("fast", "feedback", 90, true);
	add("classifier", "feedback", 50, false);
	struct hy_served *gone = add("gone", "feedback", 1, true);
	keep();
	struct hy_txn *t = hy_txn_begin(db, HY_WRITE);
	assert_int_equal(hy_readers_forget(&readers, t, "gone", "feedback"), HY_OK);
	assert_int_equal(hy_txn_commit(&t), HY_OK);
	assert_false(gone->used);
	assert_int_equal(hy_readers_floor(&readers, "feedback", ring, true), 10);
	assert_int_equal(hy_readers_floor(&readers, "feedback", ring, false), 50);
}

static void a_place_left_by_a_forgotten_reader_is_passed_over_and_used_again(void **state)
{
	(void)state;
	struct hy_reader out[4];
	struct hy_served *first = add("first", "feedback", 1, true);
	add("second", "feedback", 2, true);
	keep();
	struct hy_txn *t = hy_txn_begin(db, HY_WRITE);
	assert_int_equal(hy_readers_forget(&readers, t, "first", "feedback"), HY_OK);
	assert_int_equal(hy_txn_commit(&t), HY_OK);
	assert_false(keep());
	assert_int_equal(hy_readers_list(&readers, out, 4), 1);
	assert_string_equal(out[0].peer, "second");
	assert_ptr_equal(add("third", "feedback", 3, true), first);
	assert_int_equal(hy_readers_list(&readers, out, 4), 2);
	assert_int_equal(hy_readers_list(&readers, out, 1), 1);
}

static void a_reader_that_was_not_heard_for_long_is_not_linked(void **state)
{
	(void)state;
	struct hy_reader r;
	add("audit", "feedback", 1, true);
	hy_readers_list(&readers, &r, 1);
	assert_true(r.linked);
	hy_clock_stand(1000000 + HY_LINK_LINKED_MS);
	hy_readers_list(&readers, &r, 1);
	assert_false(r.linked);
}

static void a_reader_without_a_row_is_forgotten_as_well(void **state)
{
	(void)state;
	add("audit", "feedback", 1, true); /* said Hello, and nothing has been kept yet */
	struct hy_txn *t = hy_txn_begin(db, HY_WRITE);
	assert_int_equal(hy_readers_forget(&readers, t, "audit", "feedback"), HY_OK);
	assert_int_equal(hy_txn_commit(&t), HY_OK);
	assert_null(hy_readers_find(&readers, "audit", "feedback"));
}

static void a_row_that_was_changed_behind_our_back_is_written_again(void **state)
{
	(void)state;
	struct hy_served *one = add("audit", "feedback", 7, true);
	assert_true(keep());
	struct hy_txn *t = hy_txn_begin(db, HY_WRITE);
	hy_txn_put(t, "stream", HY_LIT("reader/feedback/audit"), HY_LIT("short"));
	assert_int_equal(hy_readers_keep(&readers, t, NULL), HY_OK); /* not every caller asks */
	assert_int_equal(hy_txn_commit(&t), HY_OK);
	assert_false(keep());
	struct hy_readers again = { .lock = PTHREAD_MUTEX_INITIALIZER };
	assert_int_equal(hy_readers_load(&again, db), HY_OK);
	assert_int_equal(again.all[0].row.kept, one->row.kept);
}

static void a_mark_that_moved_on_is_written_with_the_next_step(void **state)
{
	(void)state;
	struct hy_served *one = add("audit", "feedback", 7, true);
	assert_true(keep());
	assert_false(keep()); /* seen in a later transaction: it was committed */
	hy_readers_heard(&readers, one, 8);
	assert_int_equal(hy_readers_floor(&readers, "feedback", NULL, true), 7);
	assert_true(keep());
	assert_int_equal(hy_readers_floor(&readers, "feedback", NULL, true), 8);
}

static void a_reader_that_only_shows_itself_is_written_once_an_hour(void **state)
{
	(void)state;
	struct hy_served *one = add("audit", "feedback", 7, true);
	assert_true(keep());
	assert_false(keep());
	hy_clock_stand(1000000 + 3600 * 1000 - 1);
	hy_readers_heard(&readers, one, 7);
	assert_false(keep());
	hy_clock_stand(1000000 + 3600 * 1000);
	hy_readers_heard(&readers, one, 7);
	assert_true(keep());
}

static void in_a_failed_transaction_nothing_is_kept_and_nobody_forgotten(void **state)
{
	(void)state;
	bool changed;
	struct hy_served *one = add("audit", "feedback", 7, true);
	struct hy_txn *t = hy_txn_begin(db, HY_WRITE);
	hy_txn_put(t, "stream", HY_LIT(""), HY_LIT("")); /* remembered */
	assert_int_equal(hy_readers_keep(&readers, t, &changed), HY_TOO_LARGE);
	assert_false(changed);
	assert_int_equal(hy_readers_forget(&readers, t, "audit", "feedback"), HY_TOO_LARGE);
	hy_txn_abort(&t);
	assert_true(one->used);
	assert_int_equal(one->row.kept, 0);
	assert_true(keep());
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_peer_reads_each_stream_from_a_place_of_its_own),
		T(the_slowest_outside_reader_is_the_floor),
		T(a_place_left_by_a_forgotten_reader_is_passed_over_and_used_again),
		T(a_reader_that_was_not_heard_for_long_is_not_linked),
		T(a_reader_without_a_row_is_forgotten_as_well),
		T(a_row_that_was_changed_behind_our_back_is_written_again),
		T(a_mark_that_moved_on_is_written_with_the_next_step),
		T(a_reader_that_only_shows_itself_is_written_once_an_hour),
		T(in_a_failed_transaction_nothing_is_kept_and_nobody_forgotten),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
