// link: hy_ring
#include "support/ring.h"

#include "base/clock.h"

#include <sys/wait.h>

/* The API does what its description says: openapi.py walks the one against the other. */

static int open_ring(void **state)
{
	struct ring *r = ring_open(NULL);
	*state = r;
	ring_start_all(r);
	return ring_ready(r) ? 0 : -1;
}

static int close_ring(void **state)
{
	ring_close(*state);
	return 0;
}

static void every_path_answers_as_it_is_described_and_every_example_is_accepted(void **state)
{
	struct ring *r = *state;
	char command[4096];
	snprintf(command, sizeof(command), "/usr/bin/python3 -W ignore '%s/tests/flow/openapi.py' %d '%s' '%s'",
		HY_SOURCE_DIR, r->port, r->key, HY_SOURCE_DIR);
	int status = system(command);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77 || WEXITSTATUS(status) == 127)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
	ring_settle(r);
	json_t *j = ring_audit(r);
	assert_true(json_integer_value(json_object_get(j, "accepted")) > 0);
	json_decref(j);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			every_path_answers_as_it_is_described_and_every_example_is_accepted, open_ring, close_ring),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
