// link: hy_http hy_starve
#include "support/test.h"

#include "http/smtp.h"
#include "loop/loop.h"
#include "support/starve.h"

static void an_engine_that_gets_no_memory_says_so_whatever_allocation_it_is_that_fails(void **state)
{
	const struct hy_smtp_options o = { .host = "mail.example",
		.tls = HY_SMTP_STARTTLS,
		.ehlo = "feedback.example",
		.user = "huiyin",
		.password = "secret" };
	int failed = 0;
	(void)state;
	for (long n = 1;; n++) {
		struct hy_smtp_options with = o;
		struct hy_smtp *smtp;
		struct hy_fault f = { 0 };
		assert_int_equal(hy_loop_open(&with.loop), HY_OK);
		starve_at(n);
		int err = hy_smtp_open(&smtp, &with, &f);
		bool starved = starve_over();
		failed += err != HY_OK;
		assert_int_equal(err, starved ? HY_NO_MEMORY : HY_OK);
		hy_smtp_close(&smtp);
		assert_null(smtp);
		hy_loop_close(&with.loop);
		if (!starved)
			break;
	}
	assert_true(failed > 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_engine_that_gets_no_memory_says_so_whatever_allocation_it_is_that_fails),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
