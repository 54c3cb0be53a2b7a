// link: hy_stream
/* The writer's side where the log changes under its readers: trimmed and not settled, damaged, busy; and which of them is due next. */
#include "link/by_hand.h"

/* A trim that is committed, and that the stream has not been told of yet. */
static void trim_unsettled(uint64_t keep_after)
{
	struct hy_txn *t = hy_txn_begin(e->writer_db, HY_WRITE);
	assert_int_equal(hy_stream_trim(e->stream, t, keep_after, INT64_MAX, 1000, NULL), HY_OK);
	assert_int_equal(hy_txn_commit(&t), HY_OK);
}

static void a_trim_that_shows_before_it_is_settled_refuses_nobody(void **state)
{
	(void)state;
	ends_append(e, 100);
	ends_append(e, 100);
	say_hello(&a);
	expect_welcome(&a, 1);
	trim_unsettled(100); /* the first block: what follows 0 begins behind a gap */
	pull(&a, 0, 0, 1000000);
	int heard = a.heard;
	settle();
	trim_unsettled(200); /* and now there is none at all */
	pull(&a, 0, 0, 1000000);
	settle();
	assert_int_equal(a.heard, heard);
	hy_stream_settled(e->stream, true);
	pull(&a, 0, 0, 1000000);
	expect_refusal(&a, HUIYIN__REFUSE_REASON__TRIMMED, "201");
}

static void a_waiting_reader_is_refused_when_new_records_find_its_place_trimmed(void **state)
{
	(void)state;
	ends_append(e, 100);
	ends_append(e, 100);
	say_hello(&a);
	expect_welcome(&a, 1);
	trim_unsettled(100);
	pull(&a, 0, 0, 1000000);
	settle();
	hy_stream_settled(e->stream, true);
	ends_append(e, 10); /* wakes the server */
	expect_refusal(&a, HUIYIN__REFUSE_REASON__TRIMMED, "101");
}

static void a_mark_in_a_damaged_block_is_believed_since_nobody_can_tell(void **state)
{
	(void)state;
	ends_append(e, 100);
	ends_append(e, 100);
	struct hy_key key = { .size = 0 };
	hy_key_u64(&key, 1);
	struct hy_txn *t = hy_txn_begin(e->writer_db, HY_WRITE);
	assert_int_equal(hy_txn_put(t, "log.feedback", hy_key_view(&key), HY_LIT("no block, this is")), HY_OK);
	assert_int_equal(hy_txn_commit(&t), HY_OK);
	a.hello.chain = 1;
	hello_with_mark(&a, 50);
	expect_welcome(&a, 51);
	hello_with_mark(&a, 150);
	expect_refusal(&a, HUIYIN__REFUSE_REASON__OTHER_LOG, "restored");
}

static void epochs_of_an_earlier_life_fence_nobody_off(void **state)
{
	(void)state;
	a.hello.epoch = 9;
	say_hello(&a);
	expect_welcome(&a, 1);
	ends_keep(e);
	ends_writer_close(e);
	ends_writer_open(e);
	hand_close(&b);
	hand_open(&b, 3); /* its store was restored from a backup; the writer was restarted as it was told */
	say_hello(&b);
	expect_welcome(&b, 1);
}

static bool everybody(void *arg, const char *key, const char *peer, const char *stream)
{
	(void)arg, (void)key, (void)peer, (void)stream;
	return true;
}

static void an_outside_reader_that_lost_an_answer_says_hello_again(void **state)
{
	(void)state;
	ends_writer_close(e);
	e->allowed = everybody;
	ends_writer_open(e);
	hand_close(&a);
	hand_open(&a, 1);
	a.hello.outside = true;
	strcpy(a.hello.peer, "audit");
	say_hello(&a);
	expect_welcome(&a, 1);
	say_hello(&a);
	expect_welcome(&a, 1);
}

/* A sign of life for each, a second after each was spoken to, in whatever order they stand in the table. */
static void each_waiting_reader_gets_its_sign_of_life_in_its_own_time(void **state)
{
	(void)state;
	struct hand *hands[] = { &a, &b };
	strcpy(b.hello.peer, "audit");
	for (int i = 0; i < 2; i++) {
		say_hello(hands[i]);
		expect_welcome(hands[i], 1);
	}
	for (int i = 0; i < 2; i++) { /* a is due before b, then b before a */
		struct hand *early = hands[i], *late = hands[1 - i];
		hy_clock_stand(e->now_ms += HY_LINK_ALIVE_MS);
		pull(early, 0, 0, 0);
		hear(early, 1);
		hy_clock_stand(e->now_ms += HY_LINK_ALIVE_MS / 2);
		pull(late, 0, 0, 0);
		hear(late, 1);
		pull(early, 0, 0, 0);
		pull(late, 0, 0, 0);
		settle();
		int heard = late->heard;
		hy_clock_stand(e->now_ms += HY_LINK_ALIVE_MS / 2);
		hear(early, 1);
		settle();
		assert_int_equal(late->heard, heard);
		hy_clock_stand(e->now_ms += HY_LINK_ALIVE_MS / 2);
		hear(late, 1);
	}
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_trim_that_shows_before_it_is_settled_refuses_nobody),
		T(a_waiting_reader_is_refused_when_new_records_find_its_place_trimmed),
		T(a_mark_in_a_damaged_block_is_believed_since_nobody_can_tell),
		T(epochs_of_an_earlier_life_fence_nobody_off),
		T(an_outside_reader_that_lost_an_answer_says_hello_again),
		T(each_waiting_reader_gets_its_sign_of_life_in_its_own_time),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
