// link: hy_base
#include "support/test.h"

#include "base/id.h"

#include <sys/wait.h>

static void new_ids_only_rise_within_one_millisecond_and_beyond(void **state)
{
	(void)state;
	struct hy_ids ids = { 0 };
	struct hy_id last = hy_id_new(&ids, 1000);
	for (int i = 0; i < 20000; i++) { /* more than the counter holds */
		struct hy_id id = hy_id_new(&ids, 1000);
		assert_true(hy_id_cmp(last, id) < 0);
		last = id;
	}
	assert_true(hy_id_ms(last) >= 1004 && hy_id_ms(last) <= 1010);
}

static void a_clock_set_back_makes_no_id_that_sorts_before_its_elders(void **state)
{
	(void)state;
	struct hy_ids ids = { 0 };
	struct hy_id before = hy_id_new(&ids, 5000);
	struct hy_id after = hy_id_new(&ids, 3000);
	assert_true(hy_id_cmp(before, after) < 0);
	assert_true(hy_id_ms(after) == 5000);
}

static void ids_rise_across_a_restart_in_the_same_millisecond(void **state)
{
	(void)state;
	struct hy_ids ids = { 0 };
	struct hy_id last = { 0 };
	for (int i = 0; i < 2000; i++)
		last = hy_id_new(&ids, 1000);
	struct hy_ids restarted = { .last_ms = ids.last_ms };
	assert_true(hy_id_cmp(last, hy_id_new(&restarted, 1000)) < 0);
}

static void an_id_is_a_uuid_of_version_7_and_shows_its_time(void **state)
{
	(void)state;
	struct hy_ids ids = { 0 };
	struct hy_id id = hy_id_new(&ids, 0x018f2d3c4b5a);
	char text[HY_ID_TEXT];
	hy_id_text(id, text);
	assert_int_equal(strlen(text), 36);
	assert_memory_equal(text, "018f2d3c-4b5a-7", 15);
	assert_non_null(strchr("89ab", text[19]));
	assert_true(hy_id_ms(id) == 0x018f2d3c4b5a);
}

static void a_derived_id_is_the_same_each_time_and_keeps_its_causes_time(void **state)
{
	(void)state;
	struct hy_ids ids = { 0 };
	struct hy_id cause = hy_id_new(&ids, 123456789);
	struct hy_bytes parts[] = { HY_LIT("round 1"), HY_LIT("person") };
	struct hy_id a = hy_id_derive(cause, parts, 2), b = hy_id_derive(cause, parts, 2);
	assert_true(hy_id_equal(a, b));
	assert_true(hy_id_ms(a) == 123456789);
	assert_int_equal(a.b[6] >> 4, 8);
	assert_int_equal(a.b[8] >> 6, 2);
	assert_false(hy_id_equal(a, cause));
}

static void other_parts_or_another_cause_make_another_id(void **state)
{
	(void)state;
	struct hy_ids ids = { 0 };
	struct hy_id cause = hy_id_new(&ids, 5), other = hy_id_new(&ids, 5);
	struct hy_bytes ab_c[] = { HY_LIT("ab"), HY_LIT("c") }, a_bc[] = { HY_LIT("a"), HY_LIT("bc") };
	struct hy_bytes abc[] = { HY_LIT("abc") }, none[] = { { NULL, 0 } };
	struct hy_id made[] = {
		hy_id_derive(cause, ab_c, 2),
		hy_id_derive(cause, a_bc, 2),
		hy_id_derive(cause, abc, 1),
		hy_id_derive(cause, none, 1),
		hy_id_derive(cause, NULL, 0),
		hy_id_derive(other, ab_c, 2),
	};
	for (size_t i = 0; i < sizeof(made) / sizeof(made[0]); i++)
		for (size_t j = 0; j < i; j++)
			assert_false(hy_id_equal(made[i], made[j]));
}

/* Ids are stored: another hash would let every replay make new tickets and notices. */
static void a_derived_id_never_changes_between_versions(void **state)
{
	(void)state;
	struct hy_id cause;
	assert_true(hy_id_parse("018f2d3c-4b5a-7000-8000-000000000001", &cause));
	struct hy_bytes parts[] = { HY_LIT("ticket"), HY_LIT("\x00\x01") };
	char text[HY_ID_TEXT];
	hy_id_text(hy_id_derive(cause, parts, 2), text);
	assert_string_equal(text, "018f2d3c-4b5a-8ffb-b68a-e316a04096e7");
}

static void text_and_id_go_both_ways(void **state)
{
	(void)state;
	struct hy_id id, upper;
	assert_true(hy_id_parse("018f2d3c-4b5a-7abc-8def-0123456789ab", &id));
	assert_true(hy_id_parse("018F2D3C-4B5A-7ABC-8DEF-0123456789AB", &upper));
	assert_true(hy_id_equal(id, upper));
	char text[HY_ID_TEXT];
	hy_id_text(id, text);
	assert_string_equal(text, "018f2d3c-4b5a-7abc-8def-0123456789ab");
	static const char *const bad[] = {
		"",
		"018f2d3c",
		"018f2d3c4b5a7abc8def0123456789ab",
		"018f2d3c-4b5a-7abc-8def-0123456789a",
		"018f2d3c-4b5a-7abc-8def-0123456789abc",
		"018f2d3c-4b5a-7abc-8def-0123456789ag",
		"{18f2d3c-4b5a-7abc-8def-0123456789ab",
		"018f2d3c-4b5a-7abc-8def-0123456789ab ",
		"018f2d3c_4b5a_7abc_8def_0123456789ab",
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(hy_id_parse(bad[i], &upper));
	assert_false(hy_id_parse(NULL, &upper));
}

static void only_sixteen_bytes_are_an_id(void **state)
{
	(void)state;
	struct hy_ids ids = { 0 };
	struct hy_id id = hy_id_new(&ids, 1);
	assert_true(hy_id_equal(hy_id_from(hy_id_bytes(&id)), id));
	assert_true(hy_id_is_zero(hy_id_from(hy_bytes(id.b, 15))));
	assert_true(hy_id_is_zero(hy_id_from(hy_bytes(NULL, 0))));
	assert_false(hy_id_is_zero(id));
}

static void a_forked_child_makes_other_ids_than_its_parent(void **state)
{
	(void)state;
	struct hy_ids ids = { 0 };
	hy_id_new(&ids, 1000); /* fills the pool of random bytes that the child would inherit */
	struct hy_ids child_ids = ids;
	int fds[2];
	assert_int_equal(pipe(fds), 0);
	pid_t pid = fork();
	if (pid == 0) {
		struct hy_id theirs = hy_id_new(&child_ids, 2000);
		_exit(write(fds[1], theirs.b, 16) == 16 ? 0 : 1);
	}
	struct hy_id theirs, ours = hy_id_new(&ids, 2000);
	assert_int_equal(read(fds[0], theirs.b, 16), 16);
	close(fds[0]);
	close(fds[1]);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_memory_not_equal(theirs.b + 8, ours.b + 8, 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(new_ids_only_rise_within_one_millisecond_and_beyond),
		cmocka_unit_test(a_clock_set_back_makes_no_id_that_sorts_before_its_elders),
		cmocka_unit_test(ids_rise_across_a_restart_in_the_same_millisecond),
		cmocka_unit_test(an_id_is_a_uuid_of_version_7_and_shows_its_time),
		cmocka_unit_test(a_derived_id_is_the_same_each_time_and_keeps_its_causes_time),
		cmocka_unit_test(other_parts_or_another_cause_make_another_id),
		cmocka_unit_test(a_derived_id_never_changes_between_versions),
		cmocka_unit_test(text_and_id_go_both_ways),
		cmocka_unit_test(only_sixteen_bytes_are_an_id),
		cmocka_unit_test(a_forked_child_makes_other_ids_than_its_parent),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
