// link: hy_client
#include "support/test.h"

#include "client/client.h"
#include "support/client_door.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_is_flushed_is_at_the_collector_in_order, open_fx, close_fx),
		cmocka_unit_test_setup_teardown(with_a_spool_too, open_fx, close_fx),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
