// link: hy_stream
/* The writer's side against readers made by hand: who is heard, who is refused and why, and what is remembered of them. */
#include "link/by_hand.h"

#include <pthread.h>
#include <stdatomic.h>

/* ---- Hello ---- */

static void a_hello_is_answered_with_the_place_the_log_and_the_chain(void **state)
{
	(void)state;
	ends_append(e, 10);
	say_hello(&a);
	expect_welcome(&a, 1);
	struct hy_stream_state st = hy_stream_state(e->stream);
	assert_memory_equal(a.last.batch.log_id.b, st.log_id.b, 16);
	assert_int_equal(a.last.batch.head, 10);
	assert_int_equal(a.last.batch.oldest, 1);
	hello_with_mark(&a, 10);
	expect_welcome(&a, 11);
	assert_true(a.last.batch.chain == st.chain);
	b.hello.from_now = true;
	strcpy(b.hello.peer, "late");
	say_hello(&b);
	expect_welcome(&b, 11);
	assert_true(b.last.batch.chain == st.chain);
}

static void refusals_name_the_reason_and_the_remedy(void **state)
{
	(void)state;
	for (int i = 0; i < 5; i++)
		ends_append(e, 100);
	ends_trim(e, 250); /* 1..200 go */
	struct hy_hello good = a.hello;
	a.hello.protocol = 2;
	say_hello(&a);
	expect_refusal(&a, HUIYIN__REFUSE_REASON__PROTOCOL, "same version");
	a.hello = good;
	strcpy(a.hello.stream, "gossip");
	say_hello(&a);
	expect_refusal(&a, HUIYIN__REFUSE_REASON__UNKNOWN, "no stream gossip");
	a.hello = good;
	for (int i = 0; i < 2; i++) {
		a.hello.chain = i ? 0x77 : 0; /* of a place that is not here: nothing to compare it with */
		hello_with_mark(&a, 501);
		expect_refusal(&a, HUIYIN__REFUSE_REASON__AHEAD, "restore");
		hello_with_mark(&a, 199);
		expect_refusal(&a, HUIYIN__REFUSE_REASON__TRIMMED, "begin anew");
	}
	a.hello.chain = 0;
	hello_with_mark(&a, 200);
	expect_welcome(&a, 201);
	a.hello.log_id.b[3] ^= 1;
	say_hello(&a);
	expect_refusal(&a, HUIYIN__REFUSE_REASON__OTHER_LOG, "restore");
	a.hello = good;
	a.hello.outside = true;
	strcpy(a.hello.peer, "stranger");
	say_hello(&a);
	expect_refusal(&a, HUIYIN__REFUSE_REASON__FORBIDDEN, "keys");
	assert_non_null(strstr(e->log, "reader.refused"));
}

static void a_mark_whose_chain_differs_belongs_to_another_history(void **state)
{
	(void)state;
	ends_append(e, 100);
	uint64_t chain;
	struct hy_txn *t = hy_txn_begin(e->writer_db, HY_READ);
	assert_int_equal(hy_stream_chain(e->stream, t, 60, &chain), HY_OK);
	hy_txn_abort(&t);
	a.hello.chain = chain;
	hello_with_mark(&a, 60);
	expect_welcome(&a, 61);
	a.hello.chain = chain + 1;
	hello_with_mark(&a, 60);
	expect_refusal(&a, HUIYIN__REFUSE_REASON__OTHER_LOG, "another log");
}

static void a_newer_start_fences_the_older_off(void **state)
{
	(void)state;
	ends_append(e, 10);
	a.hello.epoch = 4;
	say_hello(&a);
	expect_welcome(&a, 1);
	b.hello.epoch = 5;
	say_hello(&b);
	expect_welcome(&b, 1);
	if (a.heard < 2)
		expect_refusal(&a, HUIYIN__REFUSE_REASON__FENCED, "newer start");
	say_hello(&a);
	expect_refusal(&a, HUIYIN__REFUSE_REASON__FENCED, "newer start");
	uint64_t before = hy_serve_dropped(e->serve);
	pull(&a, 10, 10, 1000);
	settle();
	assert_int_equal(hy_serve_dropped(e->serve), before + 1);
	struct hy_reader r;
	assert_true(ends_reader(e, "classifier", &r));
	assert_int_equal(r.epoch, 5);
	assert_int_equal(r.committed, 0);
	pull(&b, 0, 0, 100000);
	hear(&b, 1);
	assert_int_equal(b.received, 10);
	/* The same start on a new connection just goes on. */
	a.hello.epoch = 5;
	hello_with_mark(&a, 10);
	expect_welcome(&a, 11);
}

static void a_pull_without_a_hello_in_this_life_is_dropped_not_refused(void **state)
{
	(void)state;
	ends_append(e, 10);
	say_hello(&a);
	expect_welcome(&a, 1);
	ends_writer_close(e);
	ends_writer_open(e);
	assert_int_equal(hy_socket_ready(a.socket, 10000), HY_OK);
	int heard = a.heard;
	for (int i = 0; hy_serve_dropped(e->serve) == 0; i++) {
		struct hy_buffer frame = { 0 };
		struct hy_pull p = pull_of(&a, 0, 0, 100000);
		hy_link_put_pull(&frame, &p);
		hy_link_send(a.socket, hy_bytes(NULL, 0), false, &frame); /* busy until the connection is made anew */
		assert_true(i < STEPS_MAX);
		turn();
	}
	settle();
	assert_int_equal(a.heard, heard);
}

static void malformed_and_senseless_frames_are_dropped_and_counted(void **state)
{
	(void)state;
	say_hello(&a);
	expect_welcome(&a, 1);
	int heard = a.heard;
	uint64_t before = hy_serve_dropped(e->serve);
	send_raw(&a, "", 0);
	send_raw(&a, "garbage", 7);
	send_raw(&a, "\x0a\xff\xff\xff\xff\x0f", 6);
	struct hy_buffer frame = { 0 };
	struct hy_refuse refuse = { "feedback", HUIYIN__REFUSE_REASON__AHEAD, "you" };
	hy_link_put_refuse(&frame, &refuse); /* a reader has nothing to refuse */
	hy_link_send(a.socket, hy_bytes(NULL, 0), false, &frame);
	struct hy_pull p = pull_of(&a, 0, 0, 1000);
	p.epoch = 99;
	send_pull(&a, &p);
	p = pull_of(&a, 3, 4, 1000); /* committed what it has not received */
	send_pull(&a, &p);
	p = pull_of(&a, 0, 0, 1000);
	strcpy(p.stream, "gossip");
	send_pull(&a, &p);
	settle();
	assert_int_equal(hy_serve_dropped(e->serve), before + 7);
	assert_int_equal(a.heard, heard);
}

/* ---- Pull ---- */

static void a_pull_of_a_place_that_is_not_there_is_refused(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++)
		ends_append(e, 100);
	say_hello(&a);
	expect_welcome(&a, 1);
	pull(&a, 301, 0, 1000);
	expect_refusal(&a, HUIYIN__REFUSE_REASON__AHEAD, "ends at 300");
	hello_with_mark(&a, 0);
	expect_welcome(&a, 1);
	ends_trim(e, 100);
	pull(&a, 0, 0, 1000);
	expect_refusal(&a, HUIYIN__REFUSE_REASON__TRIMMED, "101");
	hello_with_mark(&a, 100);
	expect_welcome(&a, 101);
	struct hy_pull p = pull_of(&a, 100, 100, 1000);
	p.log_id.b[0] ^= 1;
	send_pull(&a, &p);
	expect_refusal(&a, HUIYIN__REFUSE_REASON__OTHER_LOG, "restore");
}

static void a_waiting_reader_whose_place_is_trimmed_is_refused_when_it_is_fed(void **state)
{
	(void)state;
	ends_append(e, 100);
	say_hello(&a);
	expect_welcome(&a, 1);
	pull(&a, 0, 0, 0); /* no credit */
	settle();
	ends_append(e, 100);
	ends_trim(e, 100);
	pull(&a, 0, 0, 1000);
	expect_refusal(&a, HUIYIN__REFUSE_REASON__TRIMMED, "oldest");
	int heard = a.heard;
	pull(&a, 100, 100, 1000); /* refused: only a Hello helps */
	settle();
	assert_int_equal(a.heard, heard);
}

static void the_window_is_three_batches_of_at_most_half_a_megabyte(void **state)
{
	(void)state;
	e->record_size = 2000;
	for (int i = 0; i < 10; i++)
		ends_append(e, 500);
	say_hello(&a);
	expect_welcome(&a, 1);
	pull(&a, 0, 0, UINT64_MAX);
	hear(&a, 3);
	settle();
	assert_int_equal(a.heard, 4);
	assert_true(a.received * 2000 <= 3 * HY_BATCH_BYTES);
	assert_true(a.received * 2000 > 3 * (HY_BATCH_BYTES - HY_BLOCK_BYTES - 2000));
	/* The first of the three is here: one more may go. */
	pull(&a, a.counts[1], 0, UINT64_MAX);
	hear(&a, 1);
	settle();
	assert_int_equal(a.heard, 5);
	/* The same said again changes nothing. */
	pull(&a, a.counts[1], 0, UINT64_MAX);
	settle();
	assert_int_equal(a.heard, 5);
}

static void credit_bounds_what_is_on_its_way_but_one_block_always_moves(void **state)
{
	(void)state;
	e->record_size = 1000;
	for (int i = 0; i < 10; i++)
		ends_append(e, 64);
	say_hello(&a);
	expect_welcome(&a, 1);
	for (uint64_t after = 0; after < 640; after += 64) {
		pull(&a, after, 0, 1);
		hear(&a, 1);
		settle();
		assert_int_equal(a.received, after + 64);
	}
	pull(&a, 0, 0, 200000);
	hear(&a, 1);
	settle();
	assert_int_equal(a.received, 3 * 64 * 1000 > 200000 ? 128 : 192);
}

static void a_pull_from_further_back_gets_the_records_again(void **state)
{
	(void)state;
	ends_append(e, 100);
	say_hello(&a);
	expect_welcome(&a, 1);
	pull(&a, 0, 0, 100000);
	hear(&a, 1);
	pull(&a, 100, 0, 100000);
	pull(&a, 37, 37, 100000);
	hear(&a, 1);
	assert_int_equal(a.last.batch.first, 38);
	assert_int_equal(a.received, 100);
	/* committed never goes back within a start */
	pull(&a, 37, 20, 0);
	settle();
	assert_int_equal(ends_committed(e), 37);
}

static void nothing_is_sent_without_credit_but_signs_of_life_once_a_second(void **state)
{
	(void)state;
	ends_append(e, 100);
	say_hello(&a);
	expect_welcome(&a, 1);
	settle();
	hy_clock_stand(e->now_ms += 5000);
	settle();
	assert_int_equal(a.heard, 1); /* it has not asked */
	pull(&a, 0, 0, 0);
	for (int i = 0; i < 3; i++) {
		hear(&a, 1);
		assert_int_equal(a.last.batch.count, 0);
		assert_int_equal(a.last.batch.first, 1);
		hy_clock_stand(e->now_ms += 900);
		pull(&a, 0, 0, 0);
		settle();
		assert_int_equal(a.heard, 2 + i);
		hy_clock_stand(e->now_ms += 200);
	}
	hear(&a, 1);
	hy_clock_stand(e->now_ms += 10000);
	settle();
	assert_int_equal(a.heard, 5); /* one sign of life for one Pull: a deaf reader's socket is not filled */
}

static void a_reader_that_left_costs_nothing(void **state)
{
	(void)state;
	ends_append(e, 100);
	say_hello(&a);
	expect_welcome(&a, 1);
	pull(&a, 0, 0, 100000);
	hear(&a, 1);
	pull(&a, 100, 100, 100000);
	settle();
	hy_socket_close(&a.socket);
	hy_loop_close(&a.loop);
	hand_open(&a, 1);
	for (int i = 0; i < 20; i++) {
		ends_append(e, 100);
		settle();
	}
	hello_with_mark(&a, 100);
	expect_welcome(&a, 101);
	pull(&a, 100, 100, 1 << 20);
	while (a.received < 2100)
		hear(&a, 1);
}

/* ---- what is remembered ---- */

static const char *const ring[] = { "classifier", NULL };
static const char *const wide_ring[] = { "classifier", "console", NULL };

static void marks_are_kept_and_known_after_a_restart(void **state)
{
	(void)state;
	assert_int_equal(hy_serve_floor(e->serve, "feedback", ring, true), 0);
	assert_true(hy_serve_floor(e->serve, "feedback", NULL, true) == UINT64_MAX);
	ends_append(e, 100);
	say_hello(&a);
	expect_welcome(&a, 1);
	pull(&a, 80, 60, 0);
	settle();
	struct hy_reader r;
	assert_true(ends_reader(e, "classifier", &r));
	assert_int_equal(r.committed, 60);
	assert_int_equal(r.kept, 0);
	assert_int_equal(hy_serve_floor(e->serve, "feedback", ring, true), 0);
	assert_true(ends_keep(e));
	assert_int_equal(hy_serve_floor(e->serve, "feedback", ring, true), 60);
	assert_int_equal(hy_serve_floor(e->serve, "feedback", wide_ring, true), 0);
	assert_true(hy_serve_floor(e->serve, "gossip", NULL, true) == UINT64_MAX);
	assert_false(ends_keep(e));
	assert_false(ends_keep(e));
	ends_writer_close(e);
	ends_writer_open(e);
	assert_int_equal(hy_serve_floor(e->serve, "feedback", ring, true), 60);
	assert_true(ends_reader(e, "classifier", &r));
	assert_int_equal(r.kept, 60);
	assert_int_equal(r.heard_ms, 0);
	assert_int_equal(r.seen_ms, e->now_ms);
	assert_false(r.linked);
	assert_false(ends_keep(e));
}

static void a_mark_whose_transaction_was_aborted_is_kept_by_the_next(void **state)
{
	(void)state;
	bool changed;
	ends_append(e, 100);
	say_hello(&a);
	expect_welcome(&a, 1);
	pull(&a, 50, 50, 0);
	settle();
	struct hy_txn *t = hy_txn_begin(e->writer_db, HY_WRITE);
	assert_int_equal(hy_serve_keep(e->serve, t, &changed), HY_OK);
	assert_true(changed);
	hy_txn_abort(&t);
	assert_true(ends_keep(e));
	ends_writer_close(e);
	ends_writer_open(e);
	assert_int_equal(hy_serve_floor(e->serve, "feedback", ring, false), 50);
}

static void a_quiet_readers_last_sign_is_kept_to_the_hour(void **state)
{
	(void)state;
	say_hello(&a);
	expect_welcome(&a, 1);
	assert_true(ends_keep(e));
	assert_false(ends_keep(e));
	hy_clock_stand(e->now_ms += 50 * 60 * 1000);
	pull(&a, 0, 0, 0);
	settle();
	ends_keep(e); /* the probe of settle() is new, the reader's row is not written */
	assert_false(ends_keep(e));
	hy_clock_stand(e->now_ms += 20 * 60 * 1000);
	pull(&a, 0, 0, 0);
	settle();
	assert_true(ends_keep(e));
}

static bool key_is_good(void *arg, const char *key, const char *peer, const char *stream)
{
	assert_ptr_equal(arg, e);
	assert_string_equal(stream, "feedback");
	return strcmp(key, "hy_good") == 0 && (strncmp(peer, "outside", 7) == 0 || strcmp(peer, "classifier") == 0);
}

static void outside_readers_come_with_a_key_under_their_own_name(void **state)
{
	(void)state;
	struct hy_reader r;
	ends_writer_close(e);
	e->allowed = key_is_good;
	ends_writer_open(e);
	hand_close(&a); /* new connections: the old ones may not have noticed yet */
	hand_close(&b);
	hand_open(&a, 1);
	hand_open(&b, 1);
	ends_append(e, 100);
	a.hello.outside = true;
	strcpy(a.hello.peer, "outside-1");
	say_hello(&a);
	expect_refusal(&a, HUIYIN__REFUSE_REASON__FORBIDDEN, "key");
	strcpy(a.hello.key, "hy_good");
	say_hello(&a);
	expect_welcome(&a, 1);
	pull(&a, 40, 40, 0);
	settle();
	ends_keep(e);
	assert_int_equal(hy_serve_floor(e->serve, "feedback", NULL, true), 40);
	assert_true(hy_serve_floor(e->serve, "feedback", NULL, false) == UINT64_MAX);
	assert_true(ends_reader(e, "outside-1", &r));
	assert_true(r.outside);
	/* An outside reader can't take a station's name, a station takes its own back. */
	strcpy(a.hello.peer, "classifier");
	say_hello(&a);
	expect_welcome(&a, 1);
	assert_int_equal(hy_serve_floor(e->serve, "feedback", ring, false), 0);
	b.hello.epoch = 0; /* lower than the outside reader's */
	say_hello(&b);
	expect_welcome(&b, 1);
	say_hello(&a);
	hear(&a, 1);
	assert_int_equal(a.last.kind, HY_FRAME_REFUSE);
	if (a.last.refuse.reason == HUIYIN__REFUSE_REASON__FENCED) /* told when the station came */
		hear(&a, 1);
	assert_int_equal(a.last.refuse.reason, HUIYIN__REFUSE_REASON__FORBIDDEN);
}

static void a_forgotten_reader_has_no_place_and_no_row(void **state)
{
	(void)state;
	struct hy_reader r;
	ends_append(e, 100);
	say_hello(&a);
	expect_welcome(&a, 1);
	pull(&a, 10, 10, 0);
	settle();
	ends_keep(e);
	struct hy_txn *t = hy_txn_begin(e->writer_db, HY_WRITE);
	assert_int_equal(hy_serve_forget(e->serve, t, "nobody", "feedback"), HY_NOT_FOUND);
	assert_int_equal(hy_serve_forget(e->serve, t, "classifier", "feedback"), HY_OK);
	assert_int_equal(hy_txn_commit(&t), HY_OK);
	assert_false(ends_reader(e, "classifier", &r));
	uint64_t before = hy_serve_dropped(e->serve);
	pull(&a, 20, 20, 0);
	settle();
	assert_int_equal(hy_serve_dropped(e->serve), before + 1);
	ends_append(e, 10);
	ends_trim(e, 100);
	hello_with_mark(&a, 20);
	expect_refusal(&a, HUIYIN__REFUSE_REASON__TRIMMED, "begin anew");
	ends_writer_close(e);
	ends_writer_open(e);
	assert_false(ends_reader(e, "classifier", &r));
}

static void the_table_of_readers_is_bounded(void **state)
{
	(void)state;
	for (int i = 0; i < 256; i++) {
		snprintf(a.hello.peer, sizeof(a.hello.peer), "reader-%d", i);
		say_hello(&a);
		expect_welcome(&a, 1);
	}
	strcpy(a.hello.peer, "one-more");
	say_hello(&a);
	expect_refusal(&a, HUIYIN__REFUSE_REASON__FORBIDDEN, "256 readers");
	ends_keep(e);
	struct hy_key key = { .size = 0 };
	uint8_t row[18] = { 1 };
	hy_key_bytes(&key, "reader/feedback/one-more", 24);
	struct hy_txn *t = hy_txn_begin(e->writer_db, HY_WRITE);
	hy_txn_put(t, "stream", hy_key_view(&key), hy_bytes(row, sizeof(row)));
	assert_int_equal(hy_txn_commit(&t), HY_OK);
	ends_writer_close(e);
	ends_writer_open(e); /* and says which it left out */
	assert_non_null(strstr(e->log, "reader.too_many"));
}

static void a_row_of_a_newer_version_or_a_damaged_one_stops_the_start(void **state)
{
	(void)state;
	static const struct {
		const char *key, *row;
		size_t size;
		int err;
	} bad[] = {
		{ "reader/feedback/x", "\x02 later", 7, HY_NEWER },
		{ "reader/feedback/x", "\x01 short", 7, HY_CORRUPT },
		{ "reader/feedback/x", "", 0, HY_CORRUPT },
		{ "reader/feedback/x", "\0 as long as a row", 18, HY_CORRUPT },
		{ "reader/feedback", "\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 18, HY_CORRUPT },
		{ "reader/a-name-that-is-too-long-for-a-stream/x", "\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 18,
			HY_CORRUPT },
		{ "reader/x/a-name-that-is-too-long-for-a-reader", "\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 18,
			HY_CORRUPT },
	};
	hy_serve_close(&e->serve);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct hy_fault f = { 0 };
		struct hy_txn *t = hy_txn_begin(e->writer_db, HY_WRITE);
		hy_txn_put(t, "stream", hy_bytes_text(bad[i].key), hy_bytes(bad[i].row, bad[i].size));
		assert_int_equal(hy_txn_commit(&t), HY_OK);
		struct hy_serve_options o = { e->writer_db, e->streams, e->endpoint, e->writer_loop };
		assert_int_equal(hy_serve_open(&e->serve, &o, &f), bad[i].err);
		assert_null(e->serve);
		assert_non_null(strstr(f.text, "marks"));
		t = hy_txn_begin(e->writer_db, HY_WRITE);
		hy_txn_del(t, "stream", hy_bytes_text(bad[i].key));
		assert_int_equal(hy_txn_commit(&t), HY_OK);
	}
}

static void stations_are_heard_on_ipc_alone(void **state)
{
	(void)state;
	struct hy_fault f = { 0 };
	hand_close(&a);
	hy_serve_close(&e->serve);
	for (int port = 15570; !e->serve; port++) {
		snprintf(e->endpoint, sizeof(e->endpoint), "tcp://127.0.0.1:%d", port);
		struct hy_serve_options o = { e->writer_db, e->streams, e->endpoint, e->writer_loop, key_is_good, e };
		int err = hy_serve_open(&e->serve, &o, &f);
		assert_true(err == HY_OK || err == HY_IN_USE);
	}
	hand_open(&a, 1);
	say_hello(&a);
	expect_refusal(&a, HUIYIN__REFUSE_REASON__FORBIDDEN, "ipc");
	a.hello.outside = true;
	strcpy(a.hello.peer, "outside-2");
	strcpy(a.hello.key, "hy_good");
	say_hello(&a);
	expect_welcome(&a, 1);
}

/* ---- two threads ---- */

static atomic_bool stop_server;

static void *serve_thread(void *arg)
{
	while (!atomic_load(&stop_server))
		hy_loop_turn(arg, 100);
	return NULL;
}

static void the_writer_thread_keeps_and_asks_while_the_server_thread_serves(void **state)
{
	(void)state;
	pthread_t server;
	struct hy_reader all[8];
	hy_clock_stand(-1);
	e->now_ms = hy_now_ms();
	ends_reader_open(e);
	atomic_store(&stop_server, false);
	assert_int_equal(pthread_create(&server, NULL, serve_thread, e->writer_loop), 0);
	for (int i = 0; i < 200 || e->took < e->appended; i++) {
		if (i < 200)
			ends_append(e, 20);
		assert_int_equal(hy_loop_turn(e->reader_loop, 10), HY_OK);
		ends_take(e, true);
		if (i % 10 == 0) {
			ends_keep(e);
			hy_serve_readers(e->serve, all, 8);
			ends_trim(e, hy_serve_floor(e->serve, "feedback", ring, true));
		}
	}
	atomic_store(&stop_server, true);
	hy_loop_wake(e->writer_loop);
	pthread_join(server, NULL);
	assert_int_equal(hy_follow_state(e->follow).mark.seq, 4000);
	assert_true(hy_follow_state(e->follow).mark.chain == hy_stream_state(e->stream).chain);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_hello_is_answered_with_the_place_the_log_and_the_chain),
		T(refusals_name_the_reason_and_the_remedy),
		T(a_mark_whose_chain_differs_belongs_to_another_history),
		T(a_newer_start_fences_the_older_off),
		T(a_pull_without_a_hello_in_this_life_is_dropped_not_refused),
		T(malformed_and_senseless_frames_are_dropped_and_counted),
		T(a_pull_of_a_place_that_is_not_there_is_refused),
		T(a_waiting_reader_whose_place_is_trimmed_is_refused_when_it_is_fed),
		T(the_window_is_three_batches_of_at_most_half_a_megabyte),
		T(credit_bounds_what_is_on_its_way_but_one_block_always_moves),
		T(a_pull_from_further_back_gets_the_records_again),
		T(nothing_is_sent_without_credit_but_signs_of_life_once_a_second),
		T(a_reader_that_left_costs_nothing),
		T(marks_are_kept_and_known_after_a_restart),
		T(a_mark_whose_transaction_was_aborted_is_kept_by_the_next),
		T(a_quiet_readers_last_sign_is_kept_to_the_hour),
		T(outside_readers_come_with_a_key_under_their_own_name),
		T(a_forgotten_reader_has_no_place_and_no_row),
		T(the_table_of_readers_is_bounded),
		T(a_row_of_a_newer_version_or_a_damaged_one_stops_the_start),
		T(stations_are_heard_on_ipc_alone),
		T(the_writer_thread_keeps_and_asks_while_the_server_thread_serves),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
