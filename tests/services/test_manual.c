// link: hy_collector
#include "support/test.h"

#include "collector/web/manual.h"
#include "collector/web/strangers.h"

#include <glob.h>

/* What the API says of itself, and what it says to strangers. */

static bool is_explained(const char *name, size_t size)
{
	const char *known;
	for (size_t i = 0; (known = manual_problem_name(i)); i++)
		if (strlen(known) == size && memcmp(known, name, size) == 0)
			return true;
	return false;
}

/* The names in `text` that a call of `function` gives to its problem: the first text among its arguments. */
static size_t look_for(const char *path, const char *text, const char *function)
{
	size_t found = 0;
	for (const char *p = text; (p = strstr(p, function)); p++) {
		const char *end = strchr(p, ';'), *name = strchr(p, '"'), *close = name ? strchr(name + 1, '"') : NULL;
		if (!close || !end || name > end)
			continue; /* a declaration, or a name that comes from a table */
		if (!is_explained(name + 1, (size_t)(close - name) - 1))
			fail_msg("%s: no row of manual.c explains the problem %.*s", path, (int)(close - name) + 1,
				name);
		found++;
	}
	return found;
}

static void every_problem_that_is_told_is_explained(void **state)
{
	glob_t files = { 0 };
	size_t found = 0;
	(void)state;
	assert_int_equal(glob(HY_SOURCE_DIR "/services/collector/*.c", 0, NULL, &files), 0);
	assert_int_equal(glob(HY_SOURCE_DIR "/services/collector/*/*.c", GLOB_APPEND, NULL, &files), 0);
	assert_int_equal(glob(HY_SOURCE_DIR "/common/http/*.c", GLOB_APPEND, NULL, &files), 0);
	for (size_t i = 0; i < files.gl_pathc; i++) {
		static const char *const functions[] = { "hy_http_problem(", "reception_problem(", "reception_later(",
			"http_refuse(" };
		static char text[1 << 20];
		FILE *f = fopen(files.gl_pathv[i], "r");
		assert_non_null(f);
		text[fread(text, 1, sizeof(text) - 1, f)] = 0;
		fclose(f);
		for (size_t k = 0; k < sizeof(functions) / sizeof(*functions); k++)
			found += look_for(files.gl_pathv[i], text, functions[k]);
	}
	globfree(&files);
	assert_true(found > 30); /* else the search is what is broken */
}

static void wrong_keys_are_answered_twenty_times_and_then_told_to_wait(void **state)
{
	struct strangers *s = strangers_new();
	int64_t now = 1000000;
	(void)state;
	for (int i = 0; i < STRANGERS_RATE; i++)
		assert_int_equal(strangers_wrong(s, "192.0.2.7", now), 0);
	int64_t wait = strangers_wrong(s, "192.0.2.7", now);
	assert_in_range(wait, 1, 1000 / STRANGERS_RATE + 1);
	assert_true(strangers_wrong(s, "192.0.2.7", now) > 0);
	assert_int_equal(strangers_wrong(s, "192.0.2.7", now + wait), 0);
	assert_true(strangers_wrong(s, "192.0.2.7", now + wait) > 0);
	for (int i = 0; i < STRANGERS_RATE; i++) /* a second later all is forgotten */
		assert_int_equal(strangers_wrong(s, "192.0.2.7", now + 2000), 0);
	strangers_free(&s);
	assert_null(s);
}

static void a_household_of_ipv6_counts_as_one_and_others_are_not_meant(void **state)
{
	struct strangers *s = strangers_new();
	char peer[64];
	int told = 0;
	(void)state;
	for (int i = 0; i < 100; i++) {
		snprintf(peer, sizeof(peer), "2001:db8:1:2::%x", i + 1);
		told += strangers_wrong(s, peer, 5000) == 0;
	}
	assert_int_equal(told, STRANGERS_RATE);
	told = 0;
	for (int i = 0; i < 100; i++) { /* one of a hundred others may share the place, by chance */
		snprintf(peer, sizeof(peer), "198.51.100.%d", i + 1);
		told += strangers_wrong(s, peer, 5000) == 0;
	}
	assert_true(told >= 98);
	strangers_free(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_problem_that_is_told_is_explained),
		cmocka_unit_test(wrong_keys_are_answered_twenty_times_and_then_told_to_wait),
		cmocka_unit_test(a_household_of_ipv6_counts_as_one_and_others_are_not_meant),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
