// link: hy_huiyin
/* huiyin up with its four daemons: ready, alive again after a death, stopped in order; and what the other verbs find there meanwhile. */
#include "flow/up_case.h"

#include "base/clock.h"
#include "huiyin/huiyin.h"

#define PATIENCE_MS 60000

struct fx {
	char *dir;
	char install[300], log[300];
	struct up up;
	struct common common;
};

static char *huiyin(struct fx *fx, int expected, const char *words)
{
	return up_command(fx->install, expected, words);
}

static void start(struct fx *fx)
{
	up_start(&fx->up, HY_BIN_DIR "/huiyin", fx->install, fx->log);
}

static int setup(void **state)
{
	struct fx *fx = calloc(1, sizeof(*fx));
	char words[128];
	fx->dir = test_mkdir();
	snprintf(fx->install, sizeof(fx->install), "%s/h", fx->dir);
	snprintf(fx->log, sizeof(fx->log), "%s/up.log", fx->dir);
	snprintf(words, sizeof(words), "init --door '' --listen 127.0.0.1:%d", up_free_port());
	free(huiyin(fx, EX_OK, words));
	snprintf(fx->common.dir, sizeof(fx->common.dir), "%s", fx->install);
	fx->common.verb = "test";
	start(fx);
	*state = fx;
	return 0;
}

static int teardown(void **state)
{
	struct fx *fx = *state;
	up_stop(&fx->up, SIGTERM);
	test_rmdir(fx->dir);
	free(fx);
	return 0;
}

/* The daemon's process, once it answers as another one than `before`. */
static pid_t pid_of(struct fx *fx, const char *daemon, pid_t before)
{
	for (int64_t until = hy_mono_ms() + PATIENCE_MS; hy_mono_ms() < until; usleep(50000)) {
		struct hy_fault f = { 0 };
		json_t *j = huiyin_ask_within(&fx->common, daemon, "health", NULL, 500, &f);
		pid_t pid = (pid_t)huiyin_number(j, "pid");
		json_decref(j);
		if (pid && pid != before)
			return pid;
	}
	fail_msg("the %s does not come back", daemon);
	return 0;
}

/* Asks until the account has what is expected under that name. */
static void wait_for(struct fx *fx, const char *name, int64_t expected)
{
	for (int64_t until = hy_mono_ms() + PATIENCE_MS; hy_mono_ms() < until; usleep(100000)) {
		char *text = huiyin(fx, EX_OK, "audit --json");
		json_t *j = json_loads(text, 0, NULL);
		int64_t n = huiyin_number(j, name);
		assert_int_equal(huiyin_number(j, "unaccounted"), 0);
		json_decref(j);
		free(text);
		if (n == expected)
			return;
	}
	fail_msg("'%s' does not become %d", name, (int)expected);
}

static void a_feedback_is_sent_traced_resolved_and_accounted_for(void **state)
{
	struct fx *fx = *state;
	char words[256];
	char *id = huiyin(fx, EX_OK, "send --email li@example.com '点开订单就闪退'");
	id[strcspn(id, "\n")] = 0;
	wait_for(fx, "open", 1);
	free(huiyin(fx, EX_OK, "ticket resolve T-1 --note '已修复'"));
	wait_for(fx, "answered", 1);
	snprintf(words, sizeof(words), "trace %s", id);
	char *trace = huiyin(fx, EX_OK, words);
	assert_non_null(strstr(trace, "received"));
	assert_non_null(strstr(trace, "T-1"));
	char *tail = huiyin(fx, EX_OK, "tail --once");
	assert_non_null(strstr(tail, "点开订单就闪退"));
	char *list = huiyin(fx, EX_OK, "ticket list --state all --json");
	assert_non_null(strstr(list, "\"resolved\""));
	free(huiyin(fx, EX_OK, "dead list"));
	free(trace);
	free(tail);
	free(list);
	free(id);
}

static void a_daemon_that_dies_is_started_again_and_nothing_is_missing(void **state)
{
	struct fx *fx = *state;
	pid_t before = pid_of(fx, "router", 0);
	free(huiyin(fx, EX_OK, "send --email a@example.com 'the parcel never came'"));
	kill(before, SIGKILL);
	free(huiyin(fx, EX_OK, "send --email b@example.com 'refund please, the parcel is broken'"));
	pid_of(fx, "router", before);
	wait_for(fx, "open", 2);
}

static void a_second_up_leaves_the_first_alone(void **state)
{
	struct fx *fx = *state;
	char words[400];
	snprintf(words, sizeof(words), "up %s 2>&1", fx->install);
	char line[2048], out[4096];
	snprintf(line, sizeof(line), HY_BIN_DIR "/huiyin %s", words);
	FILE *p = popen(line, "r");
	size_t n = fread(out, 1, sizeof(out) - 1, p);
	out[n] = 0;
	assert_int_equal(WEXITSTATUS(pclose(p)), EX_TEMPFAIL);
	assert_non_null(strstr(out, "another"));
	free(huiyin(fx, EX_OK, "status"));
}

static void stopping_goes_around_the_ring_and_ends_with_0(void **state)
{
	struct fx *fx = *state;
	struct hy_buffer log = { 0 };
	char line[8192];
	assert_int_equal(up_stop(&fx->up, SIGINT), EX_OK);
	FILE *f = fopen(fx->log, "r");
	while (fgets(line, sizeof(line), f))
		if (strstr(line, "daemon.stopped"))
			hy_buffer_text(&log, line);
	fclose(f);
	const char *at = hy_buffer_string(&log);
	for (size_t i = 0; huiyin_daemons[i]; i++) {
		at = strstr(at, huiyin_daemons[i]);
		assert_non_null(at);
	}
	hy_buffer_free(&log);
	free(huiyin(fx, EX_UNAVAILABLE, "status 2>/dev/null"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(a_feedback_is_sent_traced_resolved_and_accounted_for),
		TEST(a_daemon_that_dies_is_started_again_and_nothing_is_missing),
		TEST(a_second_up_leaves_the_first_alone),
		TEST(stopping_goes_around_the_ring_and_ends_with_0),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
