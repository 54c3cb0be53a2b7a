// link: hy_router
#include "support/test.h"

#include "router/themes.h"

static struct hy_id id_of(uint32_t n)
{
	struct hy_id id = { { 1 } };
	hy_be_put64(id.b + 8, n);
	return id;
}

static struct hy_bytes theme_of(uint32_t n)
{
	static uint8_t theme[16];
	memset(theme, 't', 16);
	hy_be_put64(theme + 8, (uint64_t)n * UINT64_C(0x9E3779B97F4A7C15));
	return hy_bytes(theme, 16);
}

static void an_issue_leads_to_its_newest_ticket_and_the_one_before(void **state)
{
	(void)state;
	struct themes *t = themes_new(THEMES_MAX);
	struct hy_id newest, before;
	assert_false(themes_find(t, 1, theme_of(7), &newest, &before));
	themes_put(t, 1, theme_of(7), id_of(1));
	themes_put(t, 1, theme_of(7), id_of(2));
	themes_put(t, 1, theme_of(7), id_of(2)); /* a step that ran twice */
	assert_true(themes_find(t, 1, theme_of(7), &newest, &before));
	assert_true(hy_id_equal(newest, id_of(2)));
	assert_true(hy_id_equal(before, id_of(1)));
	assert_false(themes_find(t, 2, theme_of(7), &newest, &before));
	themes_free(&t);
}

static void many_issues_are_all_found(void **state)
{
	(void)state;
	enum { ISSUES = 50000 };
	struct themes *t = themes_new(THEMES_MAX);
	struct hy_id newest, before;
	for (uint32_t n = 0; n < ISSUES; n++)
		themes_put(t, 1, theme_of(n), id_of(n));
	for (uint32_t n = 0; n < ISSUES; n++) {
		assert_true(themes_find(t, 1, theme_of(n), &newest, &before));
		assert_true(hy_id_equal(newest, id_of(n)));
	}
	themes_free(&t);
}

static void the_issues_that_nobody_raises_are_forgotten_first(void **state)
{
	(void)state;
	struct themes *t = themes_new(1000);
	struct hy_id newest, before;
	for (uint32_t n = 0; n < 10000; n++) {
		themes_put(t, 1, theme_of(n), id_of(n));
		assert_true(themes_find(t, 1, theme_of(3), &newest, &before) ==
			    (n >= 3)); /* somebody always asks for this one */
	}
	assert_true(hy_id_equal(newest, id_of(3)));
	assert_false(themes_find(t, 1, theme_of(4), &newest, &before));
	assert_true(themes_find(t, 1, theme_of(9999), &newest, &before));
	assert_true(themes_find(t, 1, theme_of(9300), &newest, &before));
	themes_free(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_issue_leads_to_its_newest_ticket_and_the_one_before),
		cmocka_unit_test(many_issues_are_all_found),
		cmocka_unit_test(the_issues_that_nobody_raises_are_forgotten_first),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
