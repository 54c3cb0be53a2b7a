// link: hy_stream
/* The reader's side against a writer made by hand: what it says, what it believes, and what it leaves alone. */
#include "link/two_ends.h"

struct writer {
	struct hy_socket *door;
	uint8_t peer[255];
	size_t peer_size;
	struct hy_hello hello; /* the last one heard */
	struct hy_pull pull;
	int hellos, pulls;
	struct hy_log_id log_id;
	uint64_t chain[100]; /* h(n) of the records it makes up */
};

static struct ends *e;
static struct writer w;

static void on_frame(void *arg, struct hy_bytes from, struct hy_bytes raw)
{
	struct hy_frame f;
	(void)arg;
	memcpy(w.peer, from.data, from.size);
	w.peer_size = from.size;
	assert_int_equal(hy_link_open(raw, &f), HY_OK);
	if (f.kind == HY_FRAME_HELLO) {
		w.hello = f.hello;
		w.hellos++;
	} else {
		assert_int_equal(f.kind, HY_FRAME_PULL);
		w.pull = f.pull;
		w.pulls++;
	}
}

static int setup(void **state)
{
	e = *state = ends_new();
	memset(&w, 0, sizeof(w));
	memset(w.log_id.b, 0x5a, sizeof(w.log_id.b));
	uint8_t record[512];
	for (uint64_t i = 1; i < 100; i++)
		w.chain[i] = hy_chain_next(w.chain[i - 1], hy_check(hy_bytes(record, ends_record(e, i, record))));
	assert_int_equal(hy_socket_open(&w.door, &(struct hy_socket_options){ HY_DOOR, e->endpoint }, NULL), HY_OK);
	hy_loop_watch_socket(e->writer_loop, w.door, on_frame, NULL);
	e->reader_db = ends_store(e, "reader");
	return 0;
}

static int teardown(void **state)
{
	hy_socket_close(&w.door);
	ends_free(*state);
	return 0;
}

static void turn(void)
{
	hy_clock_stand(e->now_ms += STEP_MS);
	assert_int_equal(hy_loop_turn(e->writer_loop, 1), HY_OK);
	if (e->follow)
		assert_int_equal(hy_loop_turn(e->reader_loop, 1), HY_OK);
}

#define TURN_UNTIL(cond)                                                                                               \
	for (int turns_ = 0; !(cond); turns_++) {                                                                      \
		if (turns_ == STEPS_MAX)                                                                               \
			fail_msg("never came: %s\n%s", #cond, e->log);                                                 \
		turn();                                                                                                \
	}

static struct hy_batch head(uint64_t first, uint32_t count)
{
	struct hy_batch b = { "feedback", w.log_id, e->epoch, first, 99, 1, count ? w.chain[first - 1] : 0, count };
	return b;
}

static void send_frame(struct hy_buffer *frame)
{
	assert_int_equal(hy_link_send(w.door, hy_bytes(w.peer, w.peer_size), true, frame), HY_OK);
}

enum harm {
	SOUND,
	BAD_CHECK,
	SHORT,
	NO_CHECKS,
	ODD_CHECKS,
	SINGLE_CHECKS,
	MARKED,
	MARKED_OUTSIDE,
	MARKED_ODDLY,
	UNKNOWN_FIELDS
};

static void put_checks(struct hy_buffer *frame, const uint8_t *checks, size_t size, enum harm harm)
{
	if (harm == SINGLE_CHECKS)
		for (size_t i = 0; i < size; i += 4) {
			hy_wire_put_varint(frame, 8 << 3 | 5);
			hy_buffer_put(frame, checks + i, 4);
		}
	else if (harm != NO_CHECKS)
		hy_wire_append(frame, 8, hy_bytes(checks, size - (harm == ODD_CHECKS)));
}

/* `b.count` records from b.first on, in the form that `harm` says. */
static void send_batch(struct hy_batch b, enum harm harm)
{
	struct hy_buffer frame = { 0 };
	uint8_t checks[400], record[512];
	hy_link_batch_begin(&frame);
	if (harm == MARKED) /* the second and third; markers may come first */
		hy_wire_append(&frame, 10, HY_LIT("\x08\x02\x10\x02")),
			hy_wire_append(&frame, 10, HY_LIT("\x08\x03\x10\x09"));
	if (harm == MARKED_OUTSIDE)
		hy_wire_append(&frame, 10, HY_LIT("\x08\x63\x10\x02"));
	if (harm == MARKED_ODDLY)
		hy_wire_append(&frame, 10, HY_LIT("\x09"));
	for (uint32_t i = 0; i < b.count; i++) {
		size_t size = ends_record(e, b.first + i, record);
		uint32_t check = hy_check(hy_bytes(record, size)) ^ (harm == BAD_CHECK && i == 1);
		for (int n = 0; n < 4; n++)
			checks[4 * i + (uint32_t)n] = (uint8_t)(check >> 8 * n);
		hy_wire_append(
			&frame, 9, harm == MARKED && (i == 1 || i == 2) ? hy_bytes(NULL, 0) : hy_bytes(record, size));
	}
	if (b.count)
		put_checks(&frame, checks, 4 * b.count, harm);
	if (harm == UNKNOWN_FIELDS) {
		hy_wire_append(&frame, 77, HY_LIT("from a newer writer"));
	}
	if (harm == SHORT)
		b.count++;
	hy_link_batch_end(&frame, &b);
	send_frame(&frame);
}

static void welcome(uint64_t first)
{
	struct hy_batch b = head(first, 0);
	b.chain = w.chain[first - 1];
	send_batch(b, SOUND);
}

static void link_up_at(uint64_t first)
{
	ends_follow(e);
	TURN_UNTIL(w.hellos > 0);
	welcome(first);
	TURN_UNTIL(w.pulls > 0);
	assert_int_equal(w.pull.after, first - 1);
}

static size_t waiting(void)
{
	return hy_follow_waiting(e->follow, NULL);
}

static uint64_t dropped(void)
{
	return hy_follow_state(e->follow).dropped;
}

/* ---- what it says ---- */

static void the_first_hello_says_who_and_that_it_never_read(void **state)
{
	(void)state;
	e->key = "hy_key";
	e->from = "now";
	e->epoch = 41;
	ends_follow(e);
	TURN_UNTIL(w.hellos > 0);
	assert_int_equal(w.hello.protocol, 1);
	assert_string_equal(w.hello.peer, "classifier");
	assert_string_equal(w.hello.stream, "feedback");
	assert_int_equal(w.hello.epoch, 42);
	assert_false(w.hello.has_log);
	assert_true(w.hello.from_now);
	assert_true(w.hello.outside);
	assert_string_equal(w.hello.key, "hy_key");
	int before = w.hellos;
	TURN_UNTIL(w.hellos >= before + 2); /* nobody answers: again, and no Pull */
	assert_int_equal(w.pulls, 0);
}

static void a_pull_says_what_was_received_what_was_committed_and_the_room_left(void **state)
{
	(void)state;
	link_up_at(1);
	assert_int_equal(w.pull.credit_bytes, HY_STREAM_WINDOW * HY_BATCH_BYTES);
	assert_int_equal(w.pull.committed, 0);
	send_batch(head(1, 10), SOUND);
	TURN_UNTIL(w.pull.after == 10);
	assert_int_equal(w.pull.committed, 0);
	assert_true(w.pull.credit_bytes < HY_STREAM_WINDOW * HY_BATCH_BYTES - 2000);
	assert_int_equal(ends_take(e, true), 10);
	TURN_UNTIL(w.pull.committed == 10);
	assert_int_equal(w.pull.credit_bytes, HY_STREAM_WINDOW * HY_BATCH_BYTES);
	int pulls = w.pulls;
	send_batch(head(11, 0), SOUND); /* alive: asks back, so that the writer knows the same of us */
	TURN_UNTIL(w.pulls > pulls);
}

static void after_a_restart_hello_carries_mark_log_and_chain(void **state)
{
	(void)state;
	link_up_at(1);
	send_batch(head(1, 9), SOUND);
	TURN_UNTIL(waiting() == 9);
	e->take_most = 5;
	ends_take(e, true);
	hy_follow_close(&e->follow);
	w.hellos = 0;
	ends_follow(e);
	TURN_UNTIL(w.hellos > 0);
	assert_true(w.hello.has_log);
	assert_memory_equal(w.hello.log_id.b, w.log_id.b, 16);
	assert_int_equal(w.hello.mark, 5);
	assert_true(w.hello.chain == w.chain[5]);
	assert_int_equal(w.hello.epoch, 2);
}

/* ---- what it believes ---- */

static void records_come_with_their_checks_packed_or_single_and_unknown_fields_are_passed_over(void **state)
{
	(void)state;
	link_up_at(1);
	send_batch(head(1, 3), SOUND);
	send_batch(head(4, 3), SINGLE_CHECKS);
	send_batch(head(7, 3), UNKNOWN_FIELDS);
	TURN_UNTIL(waiting() == 9);
	assert_int_equal(ends_take(e, true), 9);
	assert_true(hy_follow_state(e->follow).mark.chain == w.chain[9]);
	assert_int_equal(dropped(), 0);
}

static void marked_records_have_no_bytes_and_count_in_the_chain(void **state)
{
	(void)state;
	link_up_at(1);
	send_batch(head(1, 5), MARKED);
	TURN_UNTIL(waiting() == 5);
	ends_take(e, true);
	assert_int_equal(e->erased, 1);
	assert_int_equal(e->damaged, 1); /* of a kind we don't know */
	assert_true(hy_follow_state(e->follow).mark.chain == w.chain[5]);
}

static void a_record_that_was_damaged_on_its_way_is_asked_for_again(void **state)
{
	(void)state;
	link_up_at(1);
	int hellos = w.hellos;
	send_batch(head(1, 5), BAD_CHECK);
	TURN_UNTIL(w.hellos > hellos);
	assert_int_equal(waiting(), 0);
	assert_int_equal(dropped(), 1);
	assert_non_null(strstr(e->log, "link.damaged_batch"));
	welcome(1);
	send_batch(head(1, 5), SOUND);
	TURN_UNTIL(waiting() == 5);
}

static void a_gap_is_asked_for_again_and_what_follows_it_is_dropped(void **state)
{
	(void)state;
	link_up_at(1);
	send_batch(head(1, 5), SOUND);
	TURN_UNTIL(waiting() == 5);
	int hellos = w.hellos;
	send_batch(head(7, 5), SOUND);
	send_batch(head(12, 5), SOUND);
	TURN_UNTIL(w.hellos > hellos);
	assert_int_equal(w.hello.mark, 0); /* nothing is committed */
	assert_int_equal(waiting(), 5);
	int pulls = w.pulls;
	send_batch(head(17, 0), SOUND); /* alive, from before the Hello: no answer to it */
	send_batch(head(17, 2), SOUND);
	uint64_t before = dropped();
	TURN_UNTIL(dropped() > before);
	assert_int_equal(w.pulls, pulls);
	welcome(1);
	TURN_UNTIL(w.pulls > pulls);
	assert_int_equal(w.pull.after, 5);
	send_batch(head(6, 5), SOUND);
	TURN_UNTIL(waiting() == 10);
	/* A sign of life tells of a gap too. */
	hellos = w.hellos;
	send_batch(head(20, 0), SOUND);
	TURN_UNTIL(w.hellos > hellos);
}

static void what_came_already_is_dropped_in_silence(void **state)
{
	(void)state;
	link_up_at(1);
	send_batch(head(1, 5), SOUND);
	TURN_UNTIL(waiting() == 5);
	int hellos = w.hellos;
	send_batch(head(1, 5), SOUND);
	send_batch(head(2, 3), SOUND);
	TURN_UNTIL(dropped() == 2);
	assert_int_equal(waiting(), 5);
	send_batch(head(6, 5), SOUND);
	TURN_UNTIL(waiting() == 10);
	assert_int_equal(w.hellos, hellos);
}

static void frames_to_another_start_stream_or_log_are_not_ours(void **state)
{
	(void)state;
	struct hy_buffer frame = { 0 };
	link_up_at(1);
	struct hy_batch b = head(1, 5);
	b.epoch--;
	send_batch(b, SOUND);
	b = head(1, 5);
	strcpy(b.stream, "gossip");
	send_batch(b, SOUND);
	struct hy_refuse refuse = { "gossip", HUIYIN__REFUSE_REASON__UNKNOWN, "not yours" };
	hy_link_put_refuse(&frame, &refuse);
	send_frame(&frame);
	struct hy_pull pull = { "feedback", .after = 1 };
	hy_link_put_pull(&frame, &pull);
	send_frame(&frame);
	TURN_UNTIL(dropped() == 4);
	assert_int_equal(waiting(), 0);
	assert_int_equal(ends_link(e), HY_LINK_UP);
	/* Another log under the same name: our Hello will be refused, nothing of it is taken. */
	int hellos = w.hellos;
	b = head(1, 5);
	b.log_id.b[0] ^= 1;
	send_batch(b, SOUND);
	TURN_UNTIL(w.hellos > hellos);
	assert_int_equal(waiting(), 0);
}

static void malformed_frames_are_dropped_and_counted(void **state)
{
	(void)state;
	link_up_at(1);
	struct hy_bytes to = hy_bytes(w.peer, w.peer_size);
	hy_socket_send(w.door, to, HY_LIT("garbage"));
	hy_socket_send(w.door, to, hy_bytes(NULL, 0));
	send_batch(head(1, 5), SHORT);
	send_batch(head(1, 5), NO_CHECKS);
	send_batch(head(1, 5), ODD_CHECKS);
	TURN_UNTIL(dropped() == 5);
	int hellos = w.hellos;
	send_batch(head(1, 5), MARKED_OUTSIDE);
	TURN_UNTIL(w.hellos > hellos);
	welcome(1);
	hellos = w.hellos;
	send_batch(head(1, 5), MARKED_ODDLY);
	TURN_UNTIL(w.hellos > hellos);
	assert_int_equal(waiting(), 0);
	welcome(1);
	send_batch(head(1, 5), SOUND);
	TURN_UNTIL(waiting() == 5);
}

static void a_chain_that_differs_once_is_asked_for_again_and_twice_is_believed_aloud(void **state)
{
	(void)state;
	link_up_at(1);
	send_batch(head(1, 5), SOUND);
	TURN_UNTIL(waiting() == 5);
	int hellos = w.hellos;
	struct hy_batch b = head(6, 5);
	b.chain = 0x1234;
	send_batch(b, SOUND);
	TURN_UNTIL(w.hellos > hellos);
	assert_int_equal(waiting(), 5);
	welcome(1);
	send_batch(b, SOUND);
	TURN_UNTIL(waiting() == 10);
	assert_non_null(strstr(e->log, "link.chain"));
	ends_take(e, true);
	uint64_t chain = 0x1234;
	uint8_t record[512];
	for (uint64_t i = 6; i <= 10; i++)
		chain = hy_chain_next(chain, hy_check(hy_bytes(record, ends_record(e, i, record))));
	assert_true(hy_follow_state(e->follow).mark.chain == chain);
}

static void records_before_any_answer_are_not_taken_by_a_reader_without_a_mark(void **state)
{
	(void)state;
	ends_follow(e);
	TURN_UNTIL(w.hellos > 0);
	send_batch(head(1, 5), SOUND);
	TURN_UNTIL(dropped() == 1);
	welcome(3);
	TURN_UNTIL(w.pulls > 0);
	assert_int_equal(w.pull.after, 2);
	send_batch(head(3, 5), SOUND);
	TURN_UNTIL(waiting() == 5);
	ends_take(e, true);
	assert_true(hy_follow_state(e->follow).mark.chain == w.chain[7]);
}

/* ---- refused ---- */

static void a_refusal_stops_the_reader_and_says_why(void **state)
{
	(void)state;
	struct hy_buffer frame = { 0 };
	link_up_at(1);
	send_batch(head(1, 5), SOUND);
	TURN_UNTIL(w.pull.after == 5);
	struct hy_refuse refuse = { "feedback", HUIYIN__REFUSE_REASON__TRIMMED, "begin anew from the oldest",
		e->epoch - 1 };
	hy_link_put_refuse(&frame, &refuse); /* to an earlier start */
	send_frame(&frame);
	TURN_UNTIL(dropped() == 1);
	assert_int_equal(ends_link(e), HY_LINK_UP);
	refuse.epoch = e->epoch;
	hy_link_put_refuse(&frame, &refuse);
	send_frame(&frame);
	TURN_UNTIL(ends_link(e) == HY_LINK_REFUSED);
	assert_string_equal(hy_follow_state(e->follow).trouble, "trimmed: begin anew from the oldest");
	assert_non_null(strstr(e->log, "link.refused"));
	int hellos = w.hellos, pulls = w.pulls;
	assert_int_equal(ends_take(e, true), 5); /* what it has is good */
	send_batch(head(6, 5), SOUND);
	for (int i = 0; i < 10000 / STEP_MS; i++)
		turn();
	assert_int_equal(w.hellos, hellos);
	assert_int_equal(w.pulls, pulls);
	assert_int_equal(waiting(), 0);
	assert_int_equal(ends_link(e), HY_LINK_REFUSED);
	/* A restart tries again. */
	hy_follow_close(&e->follow);
	ends_follow(e);
	TURN_UNTIL(w.hellos > hellos);
}

static void each_reason_has_its_word(void **state)
{
	(void)state;
	assert_string_equal(hy_refuse_name(HUIYIN__REFUSE_REASON__OTHER_LOG), "other_log");
	assert_string_equal(hy_refuse_name(HUIYIN__REFUSE_REASON__FENCED), "fenced");
	assert_string_equal(hy_refuse_name((Huiyin__RefuseReason)99), "refused");
}

/* ---- its life ---- */

static void a_mark_of_a_newer_version_or_a_damaged_one_stops_the_start(void **state)
{
	(void)state;
	static const struct {
		const char *row;
		size_t size;
		int err;
	} bad[] = { { "\x02 later", 7, HY_NEWER }, { "\x01 short", 7, HY_CORRUPT }, { "", 0, HY_CORRUPT },
		{ "\0 as long as a mark, of no version", 33, HY_CORRUPT } };
	for (size_t i = 0; i < 4; i++) {
		struct hy_fault f = { 0 };
		struct hy_follow_options o = { e->reader_db, "classifier", "feedback", e->endpoint, 1, e->reader_loop };
		struct hy_txn *t = hy_txn_begin(e->reader_db, HY_WRITE);
		hy_txn_put(t, "stream", HY_LIT("mark/feedback"), hy_bytes(bad[i].row, bad[i].size));
		assert_int_equal(hy_txn_commit(&t), HY_OK);
		assert_int_equal(hy_follow_open(&e->follow, &o, &f), bad[i].err);
		assert_null(e->follow);
		assert_non_null(strstr(f.text, "feedback"));
	}
}

static void names_that_are_too_long_are_named(void **state)
{
	(void)state;
	char path[400];
	snprintf(path, sizeof(path), "ipc://%0300d", 0);
	struct hy_follow_options good = { e->reader_db, "classifier", "feedback", e->endpoint, 1, e->reader_loop }, o;
	struct hy_fault f = { 0 };
	const char *name = "a-name-of-more-than-thirty-one-bytes";
	o = good, o.peer = name;
	assert_int_equal(hy_follow_open(&e->follow, &o, &f), HY_CONFIG);
	assert_non_null(strstr(f.text, name));
	o = good, o.stream = name;
	assert_int_equal(hy_follow_open(&e->follow, &o, &f), HY_CONFIG);
	o = good, o.endpoint = path;
	assert_int_equal(hy_follow_open(&e->follow, &o, &f), HY_CONFIG);
	o = good, o.key = path;
	assert_int_equal(hy_follow_open(&e->follow, &o, &f), HY_CONFIG);
	o = good, o.endpoint = "nowhere";
	assert_int_equal(hy_follow_open(&e->follow, &o, &f), HY_CONFIG);
	hy_follow_close(&e->follow);
}

static void nothing_is_kept_before_the_first_answer(void **state)
{
	(void)state;
	struct hy_mark mark;
	ends_follow(e);
	assert_int_equal(ends_take(e, true), 0);
	struct hy_txn *t = hy_txn_begin(e->reader_db, HY_READ);
	assert_int_equal(hy_follow_kept(t, "feedback", &mark), HY_NOT_FOUND);
	hy_txn_abort(&t);
	hy_follow_pause(e->follow, true);
	TURN_UNTIL(w.hellos > 0);
	welcome(1);
	TURN_UNTIL(w.pulls > 0);
	assert_int_equal(w.pull.credit_bytes, 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(the_first_hello_says_who_and_that_it_never_read),
		T(a_pull_says_what_was_received_what_was_committed_and_the_room_left),
		T(after_a_restart_hello_carries_mark_log_and_chain),
		T(records_come_with_their_checks_packed_or_single_and_unknown_fields_are_passed_over),
		T(marked_records_have_no_bytes_and_count_in_the_chain),
		T(a_record_that_was_damaged_on_its_way_is_asked_for_again),
		T(a_gap_is_asked_for_again_and_what_follows_it_is_dropped),
		T(what_came_already_is_dropped_in_silence),
		T(frames_to_another_start_stream_or_log_are_not_ours),
		T(malformed_frames_are_dropped_and_counted),
		T(a_chain_that_differs_once_is_asked_for_again_and_twice_is_believed_aloud),
		T(records_before_any_answer_are_not_taken_by_a_reader_without_a_mark),
		T(a_refusal_stops_the_reader_and_says_why),
		T(each_reason_has_its_word),
		T(a_mark_of_a_newer_version_or_a_damaged_one_stops_the_start),
		T(names_that_are_too_long_are_named),
		T(nothing_is_kept_before_the_first_answer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
