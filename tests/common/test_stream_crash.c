// link: hy_stream
/* A writer that is killed at any moment has lost nothing it said was kept, and goes on where it was. */
#include "common/log_fixture.h"

#include <signal.h>
#include <sys/wait.h>

/* Steps of a few records for ever; each committed head is told through the pipe. Only kill ends it. */
static void write_on(struct fx *fx, int out, uint32_t dice)
{
	fx_open(fx);
	for (;;) {
		dice = dice * 1664525 + 1013904223;
		fx_add(fx, 1 + (dice >> 16) % 300, 40, 1);
		if (dice % 5 == 0) {
			struct hy_txn *t = hy_txn_begin(fx->db, HY_WRITE);
			hy_stream_trim(fx->log, t, hy_stream_state(fx->log).head / 2, INT64_MAX, 3, NULL);
			hy_txn_commit(&t);
			hy_stream_settled(fx->log, true);
		}
		uint64_t head = hy_stream_state(fx->log).head;
		if (write(out, &head, sizeof(head)) != sizeof(head))
			_exit(1);
	}
}

static void a_killed_writer_has_lost_nothing_that_was_committed(void **state)
{
	struct fx *fx = *state;
	uint64_t said = 0, seen_oldest = 1;
	fx_close(fx);
	for (uint32_t life = 1; life <= 25; life++) {
		int back[2], status;
		uint64_t head;
		assert_int_equal(pipe(back), 0);
		pid_t pid = fork();
		if (pid == 0)
			write_on(fx, back[1], life * 2654435761u);
		close(back[1]);
		/* After so many commits, somewhere in the next one. */
		for (uint32_t n = 0; n < 1 + life % 7; n++) {
			assert_int_equal(read(back[0], &head, sizeof(head)), sizeof(head));
			assert_true(head > said);
			said = head;
		}
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		while (read(back[0], &head, sizeof(head)) == sizeof(head))
			said = head; /* told, and not read yet */
		close(back[0]);
		fx_open(fx);
		struct hy_stream_state st = hy_stream_state(fx->log);
		assert_true(st.head >= said && st.oldest >= seen_oldest);
		seen_oldest = st.oldest;
		struct seen seen = { .next = st.oldest, .size = 40 };
		struct hy_txn *t = hy_txn_begin(fx->db, HY_READ);
		assert_int_equal(hy_stream_chain(fx->log, t, st.oldest - 1, &seen.chain), HY_OK);
		hy_txn_abort(&t);
		assert_int_equal(fx_read(fx, st.oldest - 1, &seen, NULL), HY_OK);
		assert_int_equal(seen.next, st.head + 1);
		assert_int_equal(seen.good, st.head + 1 - st.oldest);
		assert_true(seen.chain == st.chain);
		said = st.head;
		fx_close(fx);
	}
	fx_open(fx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_killed_writer_has_lost_nothing_that_was_committed, begin, end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
