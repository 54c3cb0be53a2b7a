// link: hy_stream
/* Two ends married: what a reader sees of a writer, whatever happens between them. */
#include "link/two_ends.h"

static void records_arrive_in_order_and_the_writer_learns_what_was_committed(void **state)
{
	struct ends *e = *state;
	ends_append(e, 1000);
	ends_agree(e);
	assert_int_equal(e->began, 1);
	ENDS_UNTIL(e, ends_committed(e) == 1000);
	assert_int_equal(ends_link(e), HY_LINK_UP);
	assert_string_equal(hy_follow_state(e->follow).trouble, "");
	assert_int_equal(hy_follow_state(e->follow).head, 1000);
}

static void a_waiting_pull_is_answered_as_soon_as_something_is_committed(void **state)
{
	struct ends *e = *state;
	ENDS_UNTIL(e, ends_link(e) == HY_LINK_UP);
	for (int i = 0; i < 10; i++)
		ends_step(e);
	for (int i = 0; i < 50; i++) {
		ends_append(e, 1);
		/* The clock stands: no second passes, no Hello is repeated. */
		for (int n = 0; e->took < e->appended; n++) {
			assert_true(n < STEPS_MAX);
			assert_int_equal(hy_loop_turn(e->writer_loop, 1), HY_OK);
			assert_int_equal(hy_loop_turn(e->reader_loop, 1), HY_OK);
			ends_take(e, true);
		}
	}
	ends_agree(e);
}

static void an_idle_link_stays_up(void **state)
{
	struct ends *e = *state;
	ends_append(e, 3);
	ends_agree(e);
	for (int i = 0; i < 20 * 1000 / STEP_MS; i++)
		ends_step(e);
	assert_int_equal(ends_link(e), HY_LINK_UP);
	assert_null(strstr(e->log, "link.down"));
	struct hy_reader r;
	assert_true(ends_reader(e, "classifier", &r));
	assert_true(r.linked);
	assert_false(r.outside);
	ends_append(e, 3);
	ends_agree(e);
}

static void a_reader_that_starts_again_goes_on_behind_its_mark(void **state)
{
	struct ends *e = *state;
	ends_append(e, 1000);
	e->take_most = 333; /* in the middle of a block */
	ENDS_UNTIL(e, e->took >= 333);
	ends_reader_close(e);
	ends_reader_open(e);
	e->take_most = 0;
	ends_agree(e);
	ends_append(e, 500);
	ends_agree(e);
}

static void a_writer_that_starts_again_is_found_and_pulled_from(void **state)
{
	struct ends *e = *state;
	for (int i = 0; i < 3; i++) {
		ends_append(e, 700);
		ENDS_UNTIL(e, e->took > 0 || i > 0);
		ends_writer_close(e);
		ends_writer_open(e);
		ends_append(e, 300);
		ends_agree(e);
	}
}

static void silence_takes_the_link_down_once_and_the_writer_brings_it_up(void **state)
{
	struct ends *e = *state;
	ends_append(e, 10);
	ends_agree(e);
	ends_writer_close(e);
	ENDS_UNTIL(e, ends_link(e) == HY_LINK_DOWN);
	assert_non_null(strstr(hy_follow_state(e->follow).trouble, e->endpoint));
	for (int i = 0; i < 10 * 1000 / STEP_MS; i++)
		ends_step(e);
	const char *first = strstr(e->log, "link.down");
	assert_non_null(first);
	assert_null(strstr(first + 1, "link.down"));
	ends_writer_open(e);
	ends_append(e, 10);
	ends_agree(e);
	assert_int_equal(ends_link(e), HY_LINK_UP);
	assert_non_null(strstr(first, "link.up"));
}

static void a_reader_may_wait_for_its_writer_to_appear(void **state)
{
	struct ends *e = *state = ends_new();
	ends_reader_open(e);
	ENDS_UNTIL(e, strstr(e->log, "link.down"));
	assert_int_equal(ends_link(e), HY_LINK_DOWN);
	ends_writer_open(e);
	ends_append(e, 10);
	ends_agree(e);
}

static void a_step_that_is_aborted_sees_the_same_records_again(void **state)
{
	struct ends *e = *state;
	ends_append(e, 900);
	size_t bytes, waiting;
	ENDS_TURN_UNTIL(e, hy_follow_waiting(e->follow, NULL) == 900);
	waiting = hy_follow_waiting(e->follow, &bytes);
	for (int i = 0; i < 5; i++) {
		size_t again;
		e->take_most = 200 * (size_t)i;
		ends_take(e, false);
		assert_int_equal(hy_follow_waiting(e->follow, &again), waiting);
		assert_int_equal(again, bytes);
	}
	e->take_most = 300;
	assert_int_equal(ends_take(e, true), 300);
	e->take_most = 0;
	assert_int_equal(ends_take(e, false), 600);
	ends_agree(e);
	assert_int_equal(hy_follow_waiting(e->follow, &bytes), 0);
	assert_int_equal(bytes, 0);
}

static void a_commit_that_fails_costs_a_repeat_and_nothing_else(void **state)
{
	struct ends *e = *state;
	struct hy_record r;
	ends_append(e, 50);
	ENDS_TURN_UNTIL(e, hy_follow_waiting(e->follow, NULL) == 50);
	hy_store_fail_commits(e->reader_db, HY_FULL, 1);
	assert_true(hy_follow_take(e->follow, &r));
	struct hy_txn *t = hy_txn_begin(e->reader_db, HY_WRITE);
	assert_int_equal(hy_follow_mark(e->follow, t), HY_OK);
	assert_int_equal(hy_txn_commit(&t), HY_FULL);
	hy_follow_done(e->follow, false);
	ends_agree(e);
}

static void a_reader_begins_at_the_oldest_record_with_the_writers_chain(void **state)
{
	struct ends *e = *state;
	ends_reader_close(e);
	for (int i = 0; i < 10; i++)
		ends_append(e, 100);
	assert_int_equal(ends_trim(e, 450), 4);
	ends_reader_open(e);
	ends_agree(e);
	assert_int_equal(e->began, 401);
}

static void a_reader_begins_now_and_keeps_that_place_before_the_first_record(void **state)
{
	struct ends *e = *state;
	ends_append(e, 100);
	ends_reader_close(e);
	test_rmdir(strcat(strcpy(malloc(300), e->dir), "/reader"));
	e->from = "now";
	e->took = e->began = 0;
	ends_reader_open(e);
	ENDS_UNTIL(e, ends_link(e) == HY_LINK_UP);
	ends_step(e);
	assert_int_equal(hy_follow_state(e->follow).mark.seq, 100);
	ends_reader_close(e);
	ends_append(e, 20); /* while it is away */
	ends_reader_open(e);
	ends_agree(e);
	assert_int_equal(e->began, 101);
}

static void a_record_erased_or_damaged_is_a_marker_and_the_chain_goes_on(void **state)
{
	struct ends *e = *state;
	ends_reader_close(e);
	ends_append(e, 300);
	struct hy_txn *t = hy_txn_begin(e->writer_db, HY_WRITE);
	assert_int_equal(hy_stream_erase(e->stream, t, 7), HY_OK);
	assert_int_equal(hy_stream_erase(e->stream, t, 200), HY_OK);
	assert_int_equal(hy_txn_commit(&t), HY_OK);
	/* One byte of record 150 turns over on the disk. */
	uint8_t wanted[512], block[HY_BLOCK_BYTES * 2];
	size_t size = ends_record(e, 150, wanted);
	struct hy_key key = { .size = 0 };
	hy_key_u64(&key, 129);
	t = hy_txn_begin(e->writer_db, HY_WRITE);
	struct hy_bytes row;
	assert_int_equal(hy_txn_get(t, "log.feedback", hy_key_view(&key), &row), HY_OK);
	memcpy(block, row.data, row.size);
	uint8_t *at = memmem(block, row.size, wanted, size);
	assert_non_null(at);
	at[size / 2] ^= 1;
	assert_int_equal(hy_txn_put(t, "log.feedback", hy_key_view(&key), hy_bytes(block, row.size)), HY_OK);
	assert_int_equal(hy_txn_commit(&t), HY_OK);
	ends_reader_open(e);
	ends_agree(e);
	assert_int_equal(e->erased, 2);
	assert_int_equal(e->damaged, 1);
	assert_non_null(strstr(e->log, "stream.damaged_records"));
}

static void a_block_with_a_bad_head_stops_the_stream_there_and_says_so_once(void **state)
{
	struct ends *e = *state;
	ends_reader_close(e);
	for (int i = 0; i < 4; i++)
		ends_append(e, 100);
	struct hy_key key = { .size = 0 };
	hy_key_u64(&key, 301);
	struct hy_txn *t = hy_txn_begin(e->writer_db, HY_WRITE);
	assert_int_equal(hy_txn_put(t, "log.feedback", hy_key_view(&key), HY_LIT("no block at all, this is")), HY_OK);
	assert_int_equal(hy_txn_commit(&t), HY_OK);
	ends_reader_open(e);
	ENDS_UNTIL(e, strstr(e->log, "stream.damaged"));
	ENDS_UNTIL(e, e->took == 300);
	for (int i = 0; i < 5 * 1000 / STEP_MS; i++)
		ends_step(e);
	assert_int_equal(e->took, 300);
	assert_int_equal(ends_link(e), HY_LINK_UP);
	assert_non_null(strstr(e->log, "quarantine"));
	assert_null(strstr(strstr(e->log, "stream.damaged") + 1, "stream.damaged"));
}

/* fsck could not mend the block 101..200: markers with checks of nothing, and the chain behind goes on as it was. */
static void give_up_a_block(struct ends *e)
{
	static struct hy_block_maker m;
	uint8_t row[4096];
	uint64_t chain;
	struct hy_key key = { .size = 0 };
	hy_key_u64(&key, 101);
	struct hy_txn *t = hy_txn_begin(e->writer_db, HY_WRITE);
	assert_int_equal(hy_stream_chain(e->stream, t, 100, &chain), HY_OK);
	hy_block_begin(&m, 101, chain);
	for (int i = 0; i < 100; i++) {
		m.wire[m.wire_size++] = 9 << 3 | 2;
		m.wire[m.wire_size++] = 0;
		m.lengths[m.count] = HY_BLOCK_LOST;
		m.checks[m.count++] = 0;
		m.chain = hy_chain_next(m.chain, 0);
	}
	hy_block_write(&m, row);
	assert_int_equal(hy_txn_put(t, "log.feedback", hy_key_view(&key), hy_bytes(row, hy_block_size(&m))), HY_OK);
	assert_int_equal(hy_txn_commit(&t), HY_OK);
}

static void a_reader_crosses_what_fsck_gave_up_wherever_it_starts_again(void **state)
{
	struct ends *e = *state;
	ends_reader_close(e);
	for (int i = 0; i < 4; i++)
		ends_append(e, 100);
	give_up_a_block(e);
	ends_reader_open(e);
	for (e->take_most = 7; e->took < e->appended;) {
		ENDS_TURN_UNTIL(e, hy_follow_waiting(e->follow, NULL) > 0);
		ends_take(e, true);
		ends_reader_close(e);
		ends_reader_open(e);
	}
	assert_int_equal(e->damaged, 100);
	e->take_most = 0;
	ends_agree(e);
	assert_non_null(strstr(e->log, "link.chain"));
}

/* ---- slow readers ---- */

static void a_reader_that_takes_nothing_holds_three_batches_and_no_more(void **state)
{
	struct ends *e = *state;
	e->record_size = 2000;
	for (int i = 0; i < 20; i++)
		ends_append(e, 500);
	size_t bytes = 0;
	ENDS_TURN_UNTIL(e, hy_follow_waiting(e->follow, &bytes) > 0 && bytes > 2 * HY_BATCH_BYTES);
	for (int i = 0; i < 500; i++)
		ends_turn(e);
	hy_follow_waiting(e->follow, &bytes);
	assert_true(bytes <= HY_STREAM_WINDOW * HY_BATCH_BYTES + HY_BLOCK_BYTES);
	assert_int_equal(ends_link(e), HY_LINK_UP);
	ends_agree(e);
}

static void many_small_commits_fill_the_window_without_a_pull_between(void **state)
{
	struct ends *e = *state;
	e->record_size = 10;
	ENDS_UNTIL(e, ends_link(e) == HY_LINK_UP);
	for (int i = 0; i < 300; i++) {
		ends_append(e, 1);
		assert_int_equal(hy_loop_turn(e->writer_loop, 0), HY_OK);
	}
	ends_agree(e);
}

static void a_record_larger_than_the_credit_left_still_moves(void **state)
{
	struct ends *e = *state;
	e->record_size = HY_WIRE_ENVELOPE_MAX - 10;
	for (int i = 0; i < 60; i++)
		ends_append(e, 1);
	for (int i = 0; i < 300; i++)
		ends_turn(e);
	e->take_most = 1;
	ends_agree(e);
}

static void a_paused_reader_gets_no_records_but_tells_its_mark_and_stays_linked(void **state)
{
	struct ends *e = *state;
	ends_append(e, 10);
	ENDS_TURN_UNTIL(e, hy_follow_waiting(e->follow, NULL) == 10);
	hy_follow_pause(e->follow, true);
	hy_follow_pause(e->follow, true);
	ENDS_UNTIL(e, ends_committed(e) == 10);
	ends_append(e, 100);
	for (int i = 0; i < 6 * 1000 / STEP_MS; i++)
		ends_step(e);
	assert_int_equal(e->took, 10);
	assert_int_equal(ends_link(e), HY_LINK_UP);
	assert_int_equal(hy_follow_state(e->follow).head, 110);
	hy_follow_pause(e->follow, false);
	ends_agree(e);
}

static void a_long_step_of_the_reader_is_not_taken_for_silence(void **state)
{
	struct ends *e = *state;
	ends_append(e, 10);
	ends_agree(e);
	e->now_ms += 60 * 1000; /* neither loop turned for a minute */
	ends_step(e);
	assert_int_equal(ends_link(e), HY_LINK_UP);
	ends_append(e, 10);
	ends_agree(e);
	assert_null(strstr(e->log, "link.down"));
}

/* ---- a lossy road: frames lost at chosen places ---- */

struct road {
	struct ends *e;
	enum hy_frame_kind kind;
	bool from_writer;
	int lose; /* that many of them */
	int passed;
	unsigned seed, percent;
};

static bool lose_some(void *arg, bool from_writer, struct hy_bytes raw)
{
	struct road *road = arg;
	struct hy_frame f;
	assert_int_equal(hy_link_open(raw, &f), HY_OK);
	if (f.kind == road->kind && from_writer == road->from_writer && road->lose > 0)
		return road->lose--, false;
	if (f.kind == road->kind && from_writer == road->from_writer)
		road->passed++;
	return !road->percent || (unsigned)rand_r(&road->seed) % 100 >= road->percent;
}

static void lost_frames_of(struct ends *e, enum hy_frame_kind kind, bool from_writer)
{
	struct road road = { .e = e, .kind = kind, .from_writer = from_writer };
	hy_link_tamper(lose_some, &road);
	for (int i = 0; i < 4; i++) {
		road.lose = i;
		ends_append(e, 900);
		ends_agree(e);
		ends_reader_close(e);
		road.lose = i;
		ends_reader_open(e);
		ENDS_UNTIL(e, ends_link(e) == HY_LINK_UP);
	}
	assert_true(road.passed > 0);
	hy_link_tamper(NULL, NULL);
	ends_agree(e);
}

static void lost_hellos_are_said_again(void **state)
{
	lost_frames_of(*state, HY_FRAME_HELLO, false);
}

static void lost_pulls_are_made_good(void **state)
{
	lost_frames_of(*state, HY_FRAME_PULL, false);
}

static void lost_batches_are_sent_again(void **state)
{
	lost_frames_of(*state, HY_FRAME_BATCH, true);
}

static void a_lost_batch_in_the_middle_of_the_window_leaves_no_gap(void **state)
{
	struct ends *e = *state;
	struct road road = { .e = e, .kind = HY_FRAME_BATCH, .from_writer = true };
	ENDS_UNTIL(e, ends_link(e) == HY_LINK_UP);
	hy_link_tamper(lose_some, &road);
	for (int i = 0; i < 10; i++) {
		road.lose = 1;
		ends_append(e, 5); /* lost */
		assert_int_equal(hy_loop_turn(e->writer_loop, 0), HY_OK);
		assert_int_equal(hy_loop_turn(e->writer_loop, 0), HY_OK);
		ends_append(e, 5); /* arrives alone */
		ends_agree(e);
	}
	assert_true(hy_follow_state(e->follow).dropped > 0);
}

static void with_a_third_of_all_frames_lost_everything_arrives_once(void **state)
{
	struct ends *e = *state;
	for (unsigned seed = 1; seed <= 5; seed++) {
		struct road road = { .e = e, .seed = seed, .percent = 30 };
		hy_link_tamper(lose_some, &road);
		for (int i = 0; i < 20; i++) {
			ends_append(e, 50);
			ends_step(e);
		}
		ends_agree(e);
		hy_link_tamper(NULL, NULL);
	}
}

static void restarts_of_either_side_under_loss_keep_order_and_chain(void **state)
{
	struct ends *e = *state;
	struct road road = { .e = e, .seed = 99, .percent = 10 };
	unsigned seed = 7;
	hy_link_tamper(lose_some, &road);
	for (int i = 0; i < 40; i++) {
		ends_append(e, 1 + (uint64_t)rand_r(&seed) % 300);
		for (int n = rand_r(&seed) % 30; n > 0; n--) {
			ends_turn(e);
			e->take_most = 1 + (size_t)rand_r(&seed) % 100;
			ends_take(e, rand_r(&seed) % 4 != 0);
		}
		if (rand_r(&seed) % 3 == 0) {
			ends_reader_close(e);
			ends_reader_open(e);
		}
		if (rand_r(&seed) % 3 == 0) {
			ends_writer_close(e);
			ends_writer_open(e);
		}
	}
	hy_link_tamper(NULL, NULL);
	e->take_most = 0;
	ends_agree(e);
}

/* ---- a road of its own: doubled and late frames ---- */

struct relay {
	struct hy_socket *door, *caller;
	struct hy_loop *loop;
	uint8_t reader[255];
	size_t reader_size;
	struct {
		uint8_t *data;
		size_t size;
		bool to_writer;
	} late[64];
	int lates;
	unsigned seed;
	bool broken; /* flips a bit of some Batches */
};

static void relay_send(struct relay *r, bool to_writer, struct hy_bytes frame)
{
	if (to_writer)
		hy_socket_send(r->caller, hy_bytes(NULL, 0), frame);
	else
		hy_socket_send(r->door, hy_bytes(r->reader, r->reader_size), frame);
}

static void relay_frame(struct relay *r, bool to_writer, struct hy_bytes frame)
{
	uint8_t *copy = malloc(frame.size + 1);
	memcpy(copy, frame.data, frame.size);
	int fate = rand_r(&r->seed) % 10;
	bool records = !to_writer && frame.size > 150;
	if (r->broken && fate == 4 && records)
		copy[(size_t)rand_r(&r->seed) % frame.size] ^= (uint8_t)(1 << rand_r(&r->seed) % 8);
	if (fate >= 1)
		relay_send(r, to_writer, hy_bytes(copy, frame.size));
	if (fate == 1 || fate == 2) /* twice */
		relay_send(r, to_writer, hy_bytes(copy, frame.size));
	if (fate <= 3 && r->lates < 64) { /* later, again or for the first time */
		r->late[r->lates].data = copy;
		r->late[r->lates].size = frame.size;
		r->late[r->lates++].to_writer = to_writer;
		copy = NULL;
	}
	free(copy);
	if (r->lates > 0 && rand_r(&r->seed) % 4 == 0) {
		int i = rand_r(&r->seed) % r->lates;
		relay_send(r, r->late[i].to_writer, hy_bytes(r->late[i].data, r->late[i].size));
		free(r->late[i].data);
		r->late[i] = r->late[--r->lates];
	}
}

static void relay_from_reader(void *arg, struct hy_bytes from, struct hy_bytes frame)
{
	struct relay *r = arg;
	memcpy(r->reader, from.data, from.size);
	r->reader_size = from.size;
	relay_frame(r, true, frame);
}

static void relay_from_writer(void *arg, struct hy_bytes from, struct hy_bytes frame)
{
	(void)from;
	relay_frame(arg, false, frame);
}

/* Returns how many frames the reader dropped, over its lives. */
static uint64_t through_a_relay(struct ends *e, bool broken)
{
	uint64_t dropped = 0;
	struct relay r = { .seed = 5, .broken = broken };
	struct hy_socket_options o = { HY_DOOR, e->reader_endpoint, 100, 0 };
	ends_reader_close(e);
	snprintf(e->reader_endpoint, sizeof(e->reader_endpoint), "ipc://%s/relay.sock", e->dir);
	assert_int_equal(hy_loop_open(&r.loop), HY_OK);
	assert_int_equal(hy_socket_open(&r.door, &o, NULL), HY_OK);
	o = (struct hy_socket_options){ HY_CALLER, e->endpoint, 100, 0 };
	assert_int_equal(hy_socket_open(&r.caller, &o, NULL), HY_OK);
	hy_loop_watch_socket(r.loop, r.door, relay_from_reader, &r);
	hy_loop_watch_socket(r.loop, r.caller, relay_from_writer, &r);
	ends_reader_open(e);
	for (int i = 0; i < 300; i++) {
		ends_append(e, 1 + (uint64_t)i % 150);
		ends_step(e);
		assert_int_equal(hy_loop_turn(r.loop, 1), HY_OK);
		if (i % 60 == 59) { /* what is late reaches the next start */
			dropped += hy_follow_state(e->follow).dropped;
			ends_reader_close(e);
			ends_reader_open(e);
		}
	}
	for (int i = 0; e->took < e->appended; i++) {
		if (i == STEPS_MAX)
			fail_msg("took %d of %d\n%s", (int)e->took, (int)e->appended, e->log);
		ends_step(e);
		assert_int_equal(hy_loop_turn(r.loop, 1), HY_OK);
	}
	ends_agree(e);
	while (r.lates > 0)
		free(r.late[--r.lates].data);
	hy_socket_close(&r.door);
	hy_socket_close(&r.caller);
	hy_loop_close(&r.loop);
	return dropped + hy_follow_state(e->follow).dropped;
}

static void doubled_late_and_replayed_frames_change_nothing(void **state)
{
	assert_true(through_a_relay(*state, false) > 0);
}

static void broken_frames_are_dropped_and_nothing_wrong_gets_in(void **state)
{
	through_a_relay(*state, true);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, ends_setup, ends_teardown)
	const struct CMUnitTest tests[] = {
		T(records_arrive_in_order_and_the_writer_learns_what_was_committed),
		T(a_waiting_pull_is_answered_as_soon_as_something_is_committed),
		T(an_idle_link_stays_up),
		T(a_reader_that_starts_again_goes_on_behind_its_mark),
		T(a_writer_that_starts_again_is_found_and_pulled_from),
		T(silence_takes_the_link_down_once_and_the_writer_brings_it_up),
		cmocka_unit_test_teardown(a_reader_may_wait_for_its_writer_to_appear, ends_teardown),
		T(a_step_that_is_aborted_sees_the_same_records_again),
		T(a_commit_that_fails_costs_a_repeat_and_nothing_else),
		T(a_reader_begins_at_the_oldest_record_with_the_writers_chain),
		T(a_reader_begins_now_and_keeps_that_place_before_the_first_record),
		T(a_record_erased_or_damaged_is_a_marker_and_the_chain_goes_on),
		T(a_block_with_a_bad_head_stops_the_stream_there_and_says_so_once),
		T(a_reader_crosses_what_fsck_gave_up_wherever_it_starts_again),
		T(a_reader_that_takes_nothing_holds_three_batches_and_no_more),
		T(many_small_commits_fill_the_window_without_a_pull_between),
		T(a_record_larger_than_the_credit_left_still_moves),
		T(a_paused_reader_gets_no_records_but_tells_its_mark_and_stays_linked),
		T(a_long_step_of_the_reader_is_not_taken_for_silence),
		T(lost_hellos_are_said_again),
		T(lost_pulls_are_made_good),
		T(lost_batches_are_sent_again),
		T(a_lost_batch_in_the_middle_of_the_window_leaves_no_gap),
		T(with_a_third_of_all_frames_lost_everything_arrives_once),
		T(restarts_of_either_side_under_loss_keep_order_and_chain),
		T(doubled_late_and_replayed_frames_change_nothing),
		T(broken_frames_are_dropped_and_nothing_wrong_gets_in),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
