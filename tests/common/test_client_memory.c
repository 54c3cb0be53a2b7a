// link: hy_client hy_starve
#include "support/test.h"

#include "client/client.h"
#include "loop/loop.h"
#include "support/starve.h"

/* An app without memory is told so, whatever allocation it is that fails; it is never ended. */
static void opening_without_memory_is_an_answer(void **state)
{
	static const char *const urls[] = { "tcp://127.0.0.1:9", "http://127.0.0.1:9" };
	char *dir = test_mkdir(), spool[256], why[256];
	(void)state;
	snprintf(spool, sizeof(spool), "%s/spool", dir);
	for (int i = 0; i < 4; i++) {
		int failed = 0;
		for (long n = 1;; n++) {
			struct hy_client *c;
			starve_at(n);
			int result = hy_client_open_with(&c,
				HY_CLIENT_OPTIONS(.url = urls[i % 2], .key = "hy_key", .spool = i < 2 ? NULL : spool,
					.close_ms = -1),
				why, sizeof(why));
			bool starved = starve_over();
			if (result == HY_CLIENT_OK) {
				assert_int_equal(hy_client_feedback(c, HY_CLIENT_FEEDBACK(.text = "x")), HY_CLIENT_OK);
				assert_int_equal(hy_client_close(&c), i < 2 ? HY_CLIENT_TIMEOUT : HY_CLIENT_SPOOLED);
			} else {
				assert_null(c);
				failed++;
			}
			if (!starved)
				break;
		}
		assert_true(failed > 4);
	}
	hy_loop_zmq_end();
	test_rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(opening_without_memory_is_an_answer) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
