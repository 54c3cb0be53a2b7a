// link: hy_client
#include "support/test.h"

#include "client/client.h"
#include "support/client_door.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

/* The client against a door of the test's own: what an app sees, whatever the other side does. */

enum { PATIENCE = 120000 };

struct fx {
	char *dir, spool[256];
	struct test_door *door;
	struct hy_client *c;
};

static int open_fx(void **state)
{
	struct fx *fx = calloc(1, sizeof(*fx));
	assert_non_null(fx);
	fx->dir = test_mkdir();
	snprintf(fx->spool, sizeof(fx->spool), "%s/spool", fx->dir);
	fx->door = door_new(fx->dir);
	*state = fx;
	return 0;
}

static int close_fx(void **state)
{
	struct fx *fx = *state;
	hy_client_close(&fx->c);
	door_free(fx->door);
	hy_loop_zmq_end();
	test_rmdir(fx->dir);
	free(fx);
	return 0;
}

static void start(struct fx *fx, const char *spool)
{
	char why[512];
	int result = hy_client_open_with(&fx->c,
		HY_CLIENT_OPTIONS(.url = fx->door->endpoint, .key = "hy_key", .spool = spool, .close_ms = -1), why,
		sizeof(why));
	if (result != HY_CLIENT_OK)
		fail_msg("%d: %s", result, why);
}

static void say(struct fx *fx, int from, int count)
{
	char text[64];
	for (int i = from; i < from + count; i++) {
		snprintf(text, sizeof(text), "item %d", i);
		while (hy_client_feedback(fx->c, HY_CLIENT_FEEDBACK(.text = text)) == HY_CLIENT_FULL)
			usleep(1000);
	}
}

/* Items from..from+count-1 are there, in order, each once, and nothing else. */
static void has_exactly(struct fx *fx, int count)
{
	assert_int_equal(door_has(fx->door), count);
	for (int i = 0; i < count; i++) {
		char text[64];
		snprintf(text, sizeof(text), "item %d", i);
		assert_string_equal(fx->door->texts[i], text);
	}
}

static struct hy_client_stats stats(struct fx *fx)
{
	struct hy_client_stats s = { .size = sizeof(s) };
	assert_int_equal(hy_client_stats(fx->c, &s), HY_CLIENT_OK);
	return s;
}

#define until(condition)                                                                                               \
	do {                                                                                                           \
		for (int tries_ = 0; !(condition); tries_++) {                                                         \
			if (tries_ > PATIENCE / 5)                                                                     \
				fail_msg("never came: %s", #condition);                                                \
			usleep(5000);                                                                                  \
		}                                                                                                      \
	} while (0)

static void what_is_flushed_is_at_the_collector_in_order(void **state)
{
	struct fx *fx = *state;
	door_start(fx->door);
	start(fx, NULL);
	say(fx, 0, 5000);
	assert_int_equal(hy_client_flush(fx->c, PATIENCE), HY_CLIENT_OK);
	has_exactly(fx, 5000);
	struct hy_client_stats s = stats(fx);
	assert_int_equal(s.durable, 5000);
	assert_int_equal(s.queued, 0);
	assert_int_equal(s.lost, 0);
	assert_true(s.connected);
}

static void with_a_spool_too(void **state)
{
	struct fx *fx = *state;
	door_start(fx->door);
	start(fx, fx->spool);
	say(fx, 0, 5000);
	assert_int_equal(hy_client_flush(fx->c, PATIENCE), HY_CLIENT_OK);
	has_exactly(fx, 5000);
	assert_int_equal(stats(fx).durable, 5000);
	until(stats(fx).spooled == 0);
}

/* ---- the collector is away, or odd ---- */

static void what_is_said_while_the_collector_is_away_waits_for_it(void **state)
{
	struct fx *fx = *state;
	start(fx, NULL);
	say(fx, 0, 1000);
	assert_int_equal(hy_client_flush(fx->c, 100), HY_CLIENT_TIMEOUT);
	assert_false(stats(fx).connected);
	assert_int_equal(stats(fx).queued, 1000);
	door_start(fx->door);
	assert_int_equal(hy_client_flush(fx->c, PATIENCE), HY_CLIENT_OK);
	has_exactly(fx, 1000);
}

static void a_collector_that_comes_and_goes_gets_everything_once(void **state)
{
	struct fx *fx = *state;
	start(fx, fx->spool);
	for (int round = 0; round < 5; round++) {
		door_start(fx->door);
		say(fx, round * 3000, 3000);
		until(door_has(fx->door) > (size_t)round * 3000);
		door_stop(fx->door);
	}
	door_start(fx->door);
	assert_int_equal(hy_client_flush(fx->c, PATIENCE), HY_CLIENT_OK);
	has_exactly(fx, 15000);
	assert_int_equal(stats(fx).renamed, 0);
}

static void submits_that_vanish_are_sent_again(void **state)
{
	struct fx *fx = *state;
	door_start(fx->door);
	fx->door->drop = 3;
	start(fx, NULL);
	say(fx, 0, 5000);
	assert_int_equal(hy_client_flush(fx->c, PATIENCE), HY_CLIENT_OK);
	has_exactly(fx, 5000);
	assert_int_equal(stats(fx).durable, 5000);
}

static void credit_is_kept_to(void **state)
{
	struct fx *fx = *state;
	door_start(fx->door);
	fx->door->credit = 1;
	start(fx, NULL);
	say(fx, 0, 200);
	assert_int_equal(hy_client_flush(fx->c, PATIENCE), HY_CLIENT_OK);
	has_exactly(fx, 200);
	assert_true(fx->door->submits >= 200);
	fx->door->credit = 0;
	say(fx, 200, 1);
	until(door_has(fx->door) == 201); /* by the credit of the last Receipt */
	size_t submits = fx->door->submits;
	say(fx, 201, 10);
	assert_int_equal(hy_client_flush(fx->c, 500), HY_CLIENT_TIMEOUT);
	assert_int_equal(fx->door->submits, submits);
	fx->door->credit = 100;
	assert_int_equal(hy_client_flush(fx->c, PATIENCE), HY_CLIENT_OK);
	has_exactly(fx, 211);
}

static void whatever_fault_is_named_is_tried_again_and_told_in_words(void **state)
{
	static const char *const faults[] = { "full", "rate", "busy", "unauthorized", "forbidden", "a later one" };
	struct fx *fx = *state;
	char words[512];
	door_start(fx->door);
	start(fx, fx->spool);
	for (size_t i = 0; i < sizeof(faults) / sizeof(*faults); i++) {
		fx->door->fault = faults[i];
		say(fx, (int)i * 100, 100);
		do {
			usleep(5000);
			assert_int_equal(hy_client_problem(fx->c, words, sizeof(words)), HY_CLIENT_OK);
		} while (!strstr(words, faults[i]));
		fx->door->fault = NULL;
		assert_int_equal(hy_client_flush(fx->c, PATIENCE), HY_CLIENT_OK);
		assert_int_equal(hy_client_problem(fx->c, words, sizeof(words)), HY_CLIENT_OK);
		assert_string_equal(words, "");
	}
	has_exactly(fx, 600);
}

static void a_server_that_answers_garbage_or_nothing_loses_nothing(void **state)
{
	struct fx *fx = *state;
	char words[512];
	door_start(fx->door);
	fx->door->garbage = true;
	start(fx, NULL);
	say(fx, 0, 100);
	do {
		usleep(5000);
		hy_client_problem(fx->c, words, sizeof(words));
	} while (!strstr(words, "no collector"));
	fx->door->garbage = false;
	fx->door->mute = true;
	assert_int_equal(hy_client_flush(fx->c, 1500), HY_CLIENT_TIMEOUT);
	fx->door->mute = false;
	assert_int_equal(hy_client_flush(fx->c, PATIENCE), HY_CLIENT_OK);
	has_exactly(fx, 100);
}

static void a_server_that_claims_more_than_was_sent_is_not_believed(void **state)
{
	struct fx *fx = *state;
	door_start(fx->door);
	start(fx, fx->spool);
	say(fx, 0, 10);
	assert_int_equal(hy_client_flush(fx->c, PATIENCE), HY_CLIENT_OK);
	fx->door->lie = 1000000;
	say(fx, 10, 10);
	until(stats(fx).renamed > 0);
	fx->door->lie = UINT64_MAX - 100;
	uint64_t renamed = stats(fx).renamed;
	until(stats(fx).renamed > renamed);
	assert_int_not_equal(hy_client_flush(fx->c, 0), HY_CLIENT_OK);
	fx->door->lie = 0;
	assert_int_equal(hy_client_flush(fx->c, PATIENCE), HY_CLIENT_OK);
	for (int i = 0; i < 20; i++) {
		char text[64];
		snprintf(text, sizeof(text), "item %d", i);
		assert_true(door_count(fx->door, text) >= 1);
	}
}

/* It went back to a backup: items that it never told us about are there, once; what we were told is kept is its own affair. */
static void a_server_that_forgot_us_gets_what_is_open_under_a_new_name(void **state)
{
	struct fx *fx = *state;
	door_start(fx->door);
	start(fx, fx->spool);
	say(fx, 0, 100);
	assert_int_equal(hy_client_flush(fx->c, PATIENCE), HY_CLIENT_OK);
	door_stop(fx->door);
	say(fx, 100, 100);
	assert_int_equal(hy_client_flush(fx->c, 1000), HY_CLIENT_SPOOLED);
	pthread_mutex_lock(&fx->door->lock);
	fx->door->name_count = 0;
	pthread_mutex_unlock(&fx->door->lock);
	door_start(fx->door);
	assert_int_equal(hy_client_flush(fx->c, PATIENCE), HY_CLIENT_OK);
	has_exactly(fx, 200);
	assert_int_equal(stats(fx).renamed, 1);
}

/* ---- bounds ---- */

static void when_memory_is_full_the_app_is_told_at_once(void **state)
{
	struct fx *fx = *state;
	char text[1024];
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = 0;
	assert_int_equal(hy_client_open_with(&fx->c,
				 HY_CLIENT_OPTIONS(.url = fx->door->endpoint, .key = "hy_key", .memory_bytes = 65536,
					 .close_ms = -1),
				 NULL, 0),
		HY_CLIENT_OK);
	int taken = 0;
	while (hy_client_feedback(fx->c, HY_CLIENT_FEEDBACK(.text = text)) == HY_CLIENT_OK)
		taken++;
	assert_in_range(taken, 55, 64);
	for (int i = 0; i < 9; i++)
		assert_int_equal(hy_client_feedback(fx->c, HY_CLIENT_FEEDBACK(.text = text)), HY_CLIENT_FULL);
	assert_int_equal(stats(fx).lost, 10);
	door_start(fx->door);
	assert_int_equal(hy_client_flush(fx->c, PATIENCE), HY_CLIENT_OK);
	assert_int_equal(hy_client_feedback(fx->c, HY_CLIENT_FEEDBACK(.text = text)), HY_CLIENT_OK);
	assert_int_equal(hy_client_flush(fx->c, PATIENCE), HY_CLIENT_OK);
	assert_int_equal(door_has(fx->door), taken + 1);
}

static void beyond_memory_the_spool_takes_over_up_to_its_bound(void **state)
{
	struct fx *fx = *state;
	char text[1100];
	assert_int_equal(hy_client_open_with(&fx->c,
				 HY_CLIENT_OPTIONS(.url = fx->door->endpoint, .key = "hy_key", .spool = fx->spool,
					 .memory_bytes = 65536, .spool_bytes = 1 << 20, .close_ms = -1),
				 NULL, 0),
		HY_CLIENT_OK);
	int taken = 0, refused = 0;
	while (refused < 200) {
		snprintf(text, sizeof(text), "item %d %01000d", taken, 0);
		if (hy_client_feedback(fx->c, HY_CLIENT_FEEDBACK(.text = text)) == HY_CLIENT_OK) {
			taken++;
			refused = 0;
		} else {
			refused++;
			usleep(2000);
		}
	}
	assert_in_range(taken, 900, 1100);
	assert_true(stats(fx).spool_bytes <= 1 << 20);
	assert_int_equal(stats(fx).spooled + stats(fx).queued, taken);
	door_start(fx->door);
	assert_int_equal(hy_client_flush(fx->c, PATIENCE), HY_CLIENT_OK);
	assert_int_equal(door_has(fx->door), taken);
	until(stats(fx).spooled == 0);
}

/* Files can't grow, as on a full disk: RLIMIT_FSIZE stands in for it. */
static void the_disk_is_full(bool full)
{
	struct rlimit limit;
	signal(SIGXFSZ, full ? SIG_IGN : SIG_DFL);
	getrlimit(RLIMIT_FSIZE, &limit);
	limit.rlim_cur = full ? 1 : limit.rlim_max;
	setrlimit(RLIMIT_FSIZE, &limit);
}

static void a_full_disk_does_not_silence_an_app_whose_collector_is_there(void **state)
{
	struct fx *fx = *state;
	char words[512];
	int said = 0;
	start(fx, fx->spool);
	say(fx, 0, 100);
	while (hy_client_flush(fx->c, 10) != HY_CLIENT_SPOOLED)
		;
	said = 100;
	for (int round = 0; round < 4; round++) {
		the_disk_is_full(true);
		say(fx, said, 300);
		said += 300;
		if (round == 0) { /* what is in the spool goes first */
			do {
				usleep(5000);
				hy_client_problem(fx->c, words, sizeof(words));
			} while (!strstr(words, fx->spool));
			assert_int_equal(hy_client_flush(fx->c, 0), HY_CLIENT_TIMEOUT);
		}
		door_start(fx->door);
		assert_int_equal(hy_client_flush(fx->c, PATIENCE), HY_CLIENT_OK);
		if (round == 1)
			door_stop(fx->door);
		say(fx, said, 50);
		said += 50;
		the_disk_is_full(false);
		if (round == 1) /* once there is room again, it is used again */
			while (hy_client_flush(fx->c, 10) != HY_CLIENT_SPOOLED)
				;
		say(fx, said, 50);
		said += 50;
		if (round == 1)
			door_start(fx->door);
		assert_int_equal(hy_client_flush(fx->c, PATIENCE), HY_CLIENT_OK);
		do {
			usleep(5000);
			hy_client_problem(fx->c, words, sizeof(words));
			say(fx, said++, 1);
		} while (words[0]);
		assert_int_equal(hy_client_flush(fx->c, PATIENCE), HY_CLIENT_OK);
		door_stop(fx->door);
	}
	has_exactly(fx, said);
	assert_int_equal(stats(fx).renamed, 0);
	assert_int_equal(stats(fx).damaged, 0);
	assert_int_equal(stats(fx).durable, said);
	the_disk_is_full(true);
	say(fx, said, 10);
	assert_int_equal(hy_client_close(&fx->c), HY_CLIENT_TIMEOUT);
	the_disk_is_full(false);
}

/* ---- lives ---- */

static void what_close_could_not_send_is_sent_by_the_next_open(void **state)
{
	struct fx *fx = *state;
	for (int life = 0; life < 3; life++) {
		start(fx, fx->spool);
		say(fx, life * 100, 100);
		assert_int_equal(hy_client_close(&fx->c), HY_CLIENT_SPOOLED);
		assert_null(fx->c);
	}
	door_start(fx->door);
	start(fx, fx->spool);
	assert_int_equal(hy_client_flush(fx->c, 0), HY_CLIENT_SPOOLED);
	say(fx, 300, 100);
	assert_int_equal(hy_client_flush(fx->c, PATIENCE), HY_CLIENT_OK);
	has_exactly(fx, 400);
	assert_int_equal(hy_client_close(&fx->c), HY_CLIENT_OK);
	start(fx, fx->spool);
	assert_int_equal(hy_client_flush(fx->c, PATIENCE), HY_CLIENT_OK);
	assert_int_equal(hy_client_close(&fx->c), HY_CLIENT_OK);
	has_exactly(fx, 400);
}

static void without_a_spool_close_says_that_the_rest_is_lost(void **state)
{
	struct fx *fx = *state;
	start(fx, NULL);
	say(fx, 0, 1);
	assert_int_equal(hy_client_close(&fx->c), HY_CLIENT_TIMEOUT);
	assert_int_equal(hy_client_close(&fx->c), HY_CLIENT_OK); /* there is none any more */
}

/* A process that streams, and tells through a pipe how far its spool has it; it ends by SIGKILL alone. */
static pid_t stream_in_child(struct fx *fx, int from, int tell)
{
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid)
		return pid;
	start(fx, fx->spool);
	for (int i = from;; i += 50) {
		say(fx, i, 50);
		while (hy_client_flush(fx->c, 0) == HY_CLIENT_TIMEOUT)
			usleep(500);
		int safe = i + 50;
		if (write(tell, &safe, sizeof(safe)) != sizeof(safe))
			_exit(1);
	}
}

static void what_the_spool_had_survives_kill_9_and_is_sent_once(void **state)
{
	struct fx *fx = *state;
	int safe = 0;
	for (int life = 0; life < 6; life++) {
		int pipes[2], next = safe;
		assert_int_equal(pipe(pipes), 0);
		pid_t pid = stream_in_child(fx, safe, pipes[1]);
		if (life % 2) /* forked without threads; half of the lives see the collector */
			door_start(fx->door);
		while (next < safe + 500)
			assert_int_equal(read(pipes[0], &next, sizeof(next)), sizeof(next));
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		close(pipes[1]);
		while (read(pipes[0], &next, sizeof(next)) == sizeof(next))
			;
		close(pipes[0]);
		if (life % 2) {
			door_stop(fx->door);
			hy_loop_zmq_end();
		}
		/* Up to 50 more may be in the spool, and are as good as said: the next life goes on behind them. */
		safe = next + 50;
	}
	door_start(fx->door);
	start(fx, fx->spool);
	assert_int_equal(hy_client_flush(fx->c, PATIENCE), HY_CLIENT_OK);
	assert_true(door_has(fx->door) >= (size_t)safe - 6 * 50);
	int missing = 0;
	for (int i = 0; i < safe; i++) {
		char text[64];
		snprintf(text, sizeof(text), "item %d", i);
		size_t n = door_count(fx->door, text);
		assert_true(n <= 1);
		missing += n == 0;
	}
	assert_true(missing <= 6 * 50); /* what was in memory alone */
	assert_int_equal(stats(fx).renamed, 0);
}

static void a_spool_belongs_to_one_client(void **state)
{
	struct fx *fx = *state;
	struct hy_client *other;
	char why[256];
	start(fx, fx->spool);
	const struct hy_client_options *o =
		HY_CLIENT_OPTIONS(.url = fx->door->endpoint, .key = "hy_key", .spool = fx->spool);
	assert_int_equal(hy_client_open_with(&other, o, why, sizeof(why)), HY_CLIENT_IN_USE);
	assert_null(other);
	assert_non_null(strstr(why, "this process"));
	pid_t pid = fork();
	if (pid == 0)
		_exit(hy_client_open_with(&other, o, why, sizeof(why)) == HY_CLIENT_IN_USE && strstr(why, "process")
				? 0
				: 1);
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	hy_client_close(&fx->c);
	assert_int_equal(hy_client_open_with(&other, o, why, sizeof(why)), HY_CLIENT_OK);
	hy_client_close(&other);
}

static void a_forked_child_is_told_that_the_client_is_not_its_own(void **state)
{
	struct fx *fx = *state;
	start(fx, NULL);
	pid_t pid = fork();
	if (pid == 0) {
		struct hy_client_stats s = { .size = sizeof(s) };
		char words[64];
		int forked = hy_client_feedback(fx->c, HY_CLIENT_FEEDBACK(.text = "x")) == HY_CLIENT_FORKED;
		forked += hy_client_flush(fx->c, 1000) == HY_CLIENT_FORKED;
		forked += hy_client_stats(fx->c, &s) == HY_CLIENT_FORKED;
		forked += hy_client_problem(fx->c, words, sizeof(words)) == HY_CLIENT_FORKED;
		forked += hy_client_close(&fx->c) == HY_CLIENT_FORKED;
		_exit(forked == 5 ? 0 : 1);
	}
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	door_start(fx->door);
	say(fx, 0, 10);
	assert_int_equal(hy_client_flush(fx->c, PATIENCE), HY_CLIENT_OK);
}

/* ---- rejections ---- */

struct told {
	int count;
	char last[256];
};

static void on_rejected(void *arg, const struct hy_client_rejection *r)
{
	struct told *t = arg;
	t->count++;
	snprintf(t->last, sizeof(t->last), "%s|%s|%s|%s", r->id, r->text, r->pointer, r->detail);
}

static void rejections(struct fx *fx, const char *spool)
{
	struct told told = { 0 };
	door_start(fx->door);
	start(fx, spool);
	hy_client_on_rejected(fx->c, on_rejected, &told);
	for (int i = 0; i < 3000; i++) {
		char text[64], id[16];
		snprintf(text, sizeof(text), i % 3 ? "item %d" : "bad %d", i);
		snprintf(id, sizeof(id), "i%d", i);
		assert_int_equal(hy_client_feedback(fx->c, HY_CLIENT_FEEDBACK(.text = text, .id = id)), HY_CLIENT_OK);
	}
	assert_int_equal(hy_client_flush(fx->c, PATIENCE), HY_CLIENT_OK);
	assert_int_equal(stats(fx).rejected, 1000);
	assert_int_equal(stats(fx).durable, 2000);
	hy_client_close(&fx->c);
	assert_int_equal(told.count, 1000);
	assert_string_equal(told.last, "i2997|bad 2997|/text|bad words");
}

static void each_rejection_is_told_once_with_its_reason(void **state)
{
	rejections(*state, NULL);
}

static void each_rejection_is_told_once_from_the_spool_too(void **state)
{
	struct fx *fx = *state;
	rejections(fx, fx->spool);
}

/* ---- arguments ---- */

static void wrong_arguments_are_named(void **state)
{
	static const struct {
		const char *url, *key, *spool, *word;
		size_t memory;
	} cases[] = {
		{ "http:/x", "hy_k", NULL, "url", 0 },
		{ "tcp://localhost", "hy_k", NULL, "url", 0 },
		{ "tcp://:5570", "hy_k", NULL, "url", 0 },
		{ "tcp://localhost:99999", "hy_k", NULL, "url", 0 },
		{ "ipc://", "hy_k", NULL, "url", 0 },
		{ "", "hy_k", NULL, "url", 0 },
		{ NULL, "hy_k", NULL, "needed", 0 },
		{ "tcp://localhost:1", NULL, NULL, "needed", 0 },
		{ "tcp://localhost:1", "", NULL, "key", 0 },
		{ "tcp://localhost:1", "hy_k\n", NULL, "key", 0 },
		{ "tcp://localhost:1", "hy_k", NULL, "64 KiB", 1000 },
		{ "tcp://localhost:1", "hy_k", "/nowhere/at/all", "/nowhere/at/all", 0 },
		{ "tcp://localhost:1", "hy_k", "/dev/null", "/dev/null", 0 },
		{ "tcp://localhost:1", "hy_k", "/proc/self", "/proc/self", 0 },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct hy_client *c = (void *)&cases;
		char why[512];
		int result = hy_client_open_with(&c,
			HY_CLIENT_OPTIONS(.url = cases[i].url, .key = cases[i].key, .spool = cases[i].spool,
				.memory_bytes = cases[i].memory),
			why, sizeof(why));
		assert_int_equal(result, cases[i].spool ? HY_CLIENT_SPOOL : HY_CLIENT_INVALID);
		assert_null(c);
		assert_non_null(strstr(why, cases[i].word));
	}
	struct hy_client *c;
	char why[512];
	assert_int_equal(hy_client_open_with(&c,
				 HY_CLIENT_OPTIONS(.url = "tcp://localhost:1", .key = "hy_k", .curve_server = "short",
					 .curve_secret = "s"),
				 why, sizeof(why)),
		HY_CLIENT_INVALID);
	assert_non_null(strstr(why, "Z85"));
}

static void feedback_that_can_be_seen_to_be_wrong_is_refused_at_once(void **state)
{
	struct fx *fx = *state;
	static char large[50000];
	memset(large, 'x', sizeof(large) - 1);
	const struct hy_client_rating rating = { .scale = "nps", .score = 9 };
	const struct hy_client_rating nan = { .scale = "nps", .score = __builtin_nan("") };
	start(fx, NULL);
	assert_int_equal(hy_client_feedback(fx->c, NULL), HY_CLIENT_INVALID);
	assert_int_equal(hy_client_feedback(NULL, HY_CLIENT_FEEDBACK(.text = "x")), HY_CLIENT_INVALID);
	assert_int_equal(hy_client_feedback(fx->c, &(struct hy_client_feedback){ .text = "x" }), HY_CLIENT_INVALID);
	assert_int_equal(hy_client_feedback(fx->c, HY_CLIENT_FEEDBACK(.text = "")), HY_CLIENT_INVALID);
	assert_int_equal(hy_client_feedback(fx->c, HY_CLIENT_FEEDBACK(.text = "\xff")), HY_CLIENT_INVALID);
	assert_int_equal(hy_client_feedback(fx->c, HY_CLIENT_FEEDBACK(.text = "x", .customer_name = "\xc0\x80")),
		HY_CLIENT_INVALID);
	assert_int_equal(hy_client_feedback(fx->c, HY_CLIENT_FEEDBACK(.text = "x", .kind = 8)), HY_CLIENT_INVALID);
	assert_int_equal(hy_client_feedback(fx->c, HY_CLIENT_FEEDBACK(.text = "x", .tag_count = 1)), HY_CLIENT_INVALID);
	assert_int_equal(
		hy_client_feedback(fx->c, HY_CLIENT_FEEDBACK(.ratings = &nan, .rating_count = 1)), HY_CLIENT_INVALID);
	assert_int_equal(hy_client_feedback(fx->c, HY_CLIENT_FEEDBACK(.text = large)), HY_CLIENT_TOO_LARGE);
	assert_int_equal(
		hy_client_feedback(fx->c, HY_CLIENT_FEEDBACK(.ratings = &rating, .rating_count = 1)), HY_CLIENT_OK);
	assert_int_equal(hy_client_feedback(fx->c, HY_CLIENT_FEEDBACK(.helped = HY_CLIENT_NOT_HELPED)), HY_CLIENT_OK);
	/* A program of an older header: its struct ends with the text. */
	assert_int_equal(hy_client_feedback(fx->c, &(struct hy_client_feedback){ .size = 16, .text = "x", .kind = 99 }),
		HY_CLIENT_OK);
	assert_int_equal(stats(fx).lost, 0);
}

/* ---- threads ---- */

static void *talk(void *arg)
{
	struct fx *fx = arg;
	for (int i = 0; i < 2000; i++)
		while (hy_client_feedback(fx->c, HY_CLIENT_FEEDBACK(.text = "from a thread")) != HY_CLIENT_OK)
			usleep(100);
	return NULL;
}

static void many_threads_talk_at_once(void **state)
{
	struct fx *fx = *state;
	pthread_t threads[8];
	door_start(fx->door);
	assert_int_equal(hy_client_open_with(&fx->c,
				 HY_CLIENT_OPTIONS(.url = fx->door->endpoint, .key = "hy_key", .spool = fx->spool,
					 .memory_bytes = 65536),
				 NULL, 0),
		HY_CLIENT_OK);
	for (int i = 0; i < 8; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, talk, fx), 0);
	for (int i = 0; i < 8; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(hy_client_flush(fx->c, PATIENCE), HY_CLIENT_OK);
	assert_int_equal(door_has(fx->door), 16000);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, open_fx, close_fx)
	const struct CMUnitTest tests[] = {
		CASE(what_is_flushed_is_at_the_collector_in_order),
		CASE(with_a_spool_too),
		CASE(what_is_said_while_the_collector_is_away_waits_for_it),
		CASE(a_collector_that_comes_and_goes_gets_everything_once),
		CASE(submits_that_vanish_are_sent_again),
		CASE(credit_is_kept_to),
		CASE(whatever_fault_is_named_is_tried_again_and_told_in_words),
		CASE(a_server_that_answers_garbage_or_nothing_loses_nothing),
		CASE(a_server_that_claims_more_than_was_sent_is_not_believed),
		CASE(a_server_that_forgot_us_gets_what_is_open_under_a_new_name),
		CASE(when_memory_is_full_the_app_is_told_at_once),
		CASE(beyond_memory_the_spool_takes_over_up_to_its_bound),
		CASE(a_full_disk_does_not_silence_an_app_whose_collector_is_there),
		CASE(what_close_could_not_send_is_sent_by_the_next_open),
		CASE(without_a_spool_close_says_that_the_rest_is_lost),
		CASE(what_the_spool_had_survives_kill_9_and_is_sent_once),
		CASE(a_spool_belongs_to_one_client),
		CASE(a_forked_child_is_told_that_the_client_is_not_its_own),
		CASE(each_rejection_is_told_once_with_its_reason),
		CASE(each_rejection_is_told_once_from_the_spool_too),
		CASE(wrong_arguments_are_named),
		CASE(feedback_that_can_be_seen_to_be_wrong_is_refused_at_once),
		CASE(many_threads_talk_at_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
