// link: hy_huiyin
/* huiyin up with its four daemons: ready, alive again after a death, stopped in order; and what the other verbs find there meanwhile. */
#include "flow/up_case.h"

#include "base/clock.h"
#include "huiyin/huiyin.h"

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

static void a_feedback_is_sent_traced_resolved_and_accounted_for(void **state)
{
	struct fx *fx = *state;
	char words[256];
	char *id = huiyin(fx, EX_OK, "send --email li@example.com '点开订单就闪退'");
	id[strcspn(id, "\n")] = 0;
	up_wait_for(fx->install, "open", 1);
	free(huiyin(fx, EX_OK, "ticket resolve T-1 --note '已修复'"));
	up_wait_for(fx->install, "answered", 1);
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
	pid_t before = up_pid_of(&fx->common, "router", 0);
	free(huiyin(fx, EX_OK, "send --email a@example.com 'the parcel never came'"));
	kill(before, SIGKILL);
	free(huiyin(fx, EX_OK, "send --email b@example.com 'refund please, the parcel is broken'"));
	up_pid_of(&fx->common, "router", before);
	up_wait_for(fx->install, "open", 2);
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
