// link: hy_stream hy_starve
/* Memory that runs out anywhere in the link: frames and batches are lost by that, and nothing else. */
#include "link/two_ends.h"

#include "support/starve.h"

/* As ends_turn(), but the loops may be short of memory too: then they turn again. */
static void turn(struct ends *e)
{
	hy_clock_stand(e->now_ms += STEP_MS);
	int writer = hy_loop_turn(e->writer_loop, 1), reader = hy_loop_turn(e->reader_loop, 1);
	assert_true(writer == HY_OK || writer == HY_NO_MEMORY);
	assert_true(reader == HY_OK || reader == HY_NO_MEMORY);
}

/* Three records are on their way, and somebody's n-th allocation fails until they are there; whether it came to it. */
static bool starves(struct ends *e, long n)
{
	ends_append(e, 3);
	starve_at(n);
	for (int i = 0; hy_follow_waiting(e->follow, NULL) != e->appended - e->took; i++) {
		assert_true(i < STEPS_MAX);
		turn(e);
	}
	bool starved = starve_over();
	ends_agree(e);
	return starved;
}

static void batches_short_of_memory_lose_time_and_nothing_else(void **state)
{
	struct ends *e = *state;
	long n = 1;
	ends_append(e, 1);
	for (ends_agree(e); starves(e, n); n++)
		;
	assert_true(n > 5);
	assert_int_equal(e->took, e->appended);
}

static void hellos_short_of_memory_lose_time_and_nothing_else(void **state)
{
	struct ends *e = *state;
	for (long n = 1; n < 20; n++) { /* how often a Hello is tried depends on when the connection stands */
		ends_reader_close(e);
		ends_reader_open(e);
		starves(e, n);
	}
}

static void an_end_that_gets_no_memory_does_not_open_and_says_why(void **state)
{
	struct ends *e = *state;
	struct hy_fault f = { 0 };
	struct hy_loop *loop;
	long n;
	int err;
	ends_reader_close(e);
	ends_writer_close(e);
	e->reader_db = ends_store(e, "reader");
	e->writer_db = ends_store(e, "writer");
	assert_int_equal(hy_stream_open(&e->stream, e->writer_db, "feedback"), HY_OK);
	assert_int_equal(hy_loop_open(&loop), HY_OK);
	struct hy_serve_options so = { e->writer_db, e->streams, e->endpoint, loop, NULL, NULL };
	struct hy_follow_options fo = { e->reader_db, e->peer, "feedback", e->endpoint, 1, loop, NULL, e->from };
	for (n = 1; starve_at(n), err = hy_serve_open(&e->serve, &so, &f), starve_over(); n++) {
		assert_int_equal(err, HY_NO_MEMORY);
		assert_null(e->serve);
	}
	assert_true(n > 2 && err == HY_OK && f.text[0]);
	for (n = 1; starve_at(n), err = hy_follow_open(&e->follow, &fo, &f), starve_over(); n++) {
		assert_int_equal(err, HY_NO_MEMORY);
		assert_null(e->follow);
	}
	assert_true(n > 2 && err == HY_OK);
	hy_follow_close(&e->follow);
	hy_serve_close(&e->serve);
	hy_loop_close(&loop);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, ends_setup, ends_teardown)
	const struct CMUnitTest tests[] = {
		T(batches_short_of_memory_lose_time_and_nothing_else),
		T(hellos_short_of_memory_lose_time_and_nothing_else),
		T(an_end_that_gets_no_memory_does_not_open_and_says_why),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
