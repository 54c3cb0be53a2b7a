// link: hy_base
#include "support/test.h"

#include "base/clock.h"

#include <time.h>

static void the_clock_stands_where_a_test_puts_it(void **state)
{
	(void)state;
	hy_clock_stand(1769846400123);
	assert_true(hy_now_ms() == 1769846400123);
	assert_true(hy_mono_ms() == 1769846400123);
	hy_clock_stand(-1);
	int64_t now = hy_now_ms();
	assert_true(now / 1000 >= 1769846400 && llabs(now / 1000 - (int64_t)time(NULL)) <= 1);
	uint64_t before = hy_mono_ns();
	assert_true(hy_mono_ns() >= before);
}

static void the_wall_clock_alone_runs_ahead(void **state)
{
	(void)state;
	int64_t wall = hy_now_ms(), mono = hy_mono_ms();
	hy_clock_ahead(3600000);
	assert_true(hy_now_ms() - wall >= 3600000 && hy_now_ms() - wall < 7200000);
	assert_true(hy_mono_ms() - mono < 3600000);
	hy_clock_ahead(0);
	assert_true(hy_now_ms() - wall < 3600000);
}

static void a_time_reads_as_it_was_written(void **state)
{
	(void)state;
	static const struct {
		int64_t ms;
		const char *text;
	} times[] = {
		{ 0, "1970-01-01T00:00:00.000Z" },
		{ -1, "1969-12-31T23:59:59.999Z" },
		{ 1769846400000, "2026-01-31T08:00:00.000Z" },
		{ 951782400000, "2000-02-29T00:00:00.000Z" },
		{ 951868799999, "2000-02-29T23:59:59.999Z" },
		{ 4107542400000, "2100-03-01T00:00:00.000Z" },
		{ -62167219200000, "0000-01-01T00:00:00.000Z" },
		{ 253402300799999, "9999-12-31T23:59:59.999Z" },
	};
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		char text[25];
		hy_time_text(times[i].ms, text);
		assert_string_equal(text, times[i].text);
		int64_t ms = 1;
		assert_true(hy_time_parse(times[i].text, &ms));
		assert_true(ms == times[i].ms);
	}
}

static void every_day_of_four_centuries_agrees_with_the_c_library(void **state)
{
	(void)state;
	for (int64_t day = -60000; day < 86100; day += 7) {
		time_t t = (time_t)(day * 86400);
		struct tm tm;
		char ours[25], theirs[25];
		gmtime_r(&t, &tm);
		strftime(theirs, sizeof(theirs), "%Y-%m-%dT%H:%M:%S.000Z", &tm);
		hy_time_text(day * 86400000, ours);
		assert_string_equal(ours, theirs);
	}
}

static void a_time_out_of_the_calendar_is_shown_at_its_edge(void **state)
{
	(void)state;
	char text[25];
	hy_time_text(INT64_MAX, text);
	assert_string_equal(text, "9999-12-31T23:59:59.999Z");
	hy_time_text(INT64_MIN, text);
	assert_string_equal(text, "0000-01-01T00:00:00.000Z");
}

static void offsets_and_fractions_are_understood(void **state)
{
	(void)state;
	static const char *const same[] = {
		"2026-01-31T08:00:00Z",
		"2026-01-31t08:00:00z",
		"2026-01-31 08:00:00Z",
		"2026-01-31T16:00:00+08:00",
		"2026-01-31T02:30:00.000000-05:30",
		"2026-01-31T08:00:00.0009Z",
		"2026-01-31T08:00:00-00:00",
		"2026-01-31T07:59:60Z",
	};
	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
		int64_t ms = 0;
		assert_true(hy_time_parse(same[i], &ms));
		assert_true(ms == 1769846400000);
	}
	int64_t ms = 0;
	assert_true(hy_time_parse("1970-01-01T00:00:00.5Z", &ms));
	assert_true(ms == 500);
}

static void what_is_no_time_is_refused(void **state)
{
	(void)state;
	static const char *const bad[] = {
		"",
		"2026",
		"2026-01-31",
		"2026-01-31T08:00Z",
		"2026-01-31T08:00:00",
		"2026-13-01T00:00:00Z",
		"2026-00-01T00:00:00Z",
		"2026-02-29T00:00:00Z",
		"2100-02-29T00:00:00Z",
		"2026-01-32T00:00:00Z",
		"2026-01-31T24:00:00Z",
		"2026-01-31T08:60:00Z",
		"2026-01-31T08:00:61Z",
		"2026-01-31T08:00:00.Z",
		"2026-01-31T08:00:00+0800",
		"2026-01-31T08:00:00+24:00",
		"2026-01-31T08:00:00Zx",
		" 2026-01-31T08:00:00Z",
		"2026-1-31T08:00:00Z",
		"+026-01-31T08:00:00Z",
	};
	int64_t ms = 17;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(hy_time_parse(bad[i], &ms));
	assert_false(hy_time_parse(NULL, &ms));
	assert_true(ms == 17);
}

static void durations_are_said_as_people_say_them(void **state)
{
	(void)state;
	static const struct {
		int64_t ms;
		const char *text;
	} durations[] = {
		{ 0, "0 ms" },
		{ 850, "850 ms" },
		{ 12400, "12.4 s" },
		{ 59999, "59.9 s" },
		{ 180000, "3 min" },
		{ 90 * 60000, "90 min" },
		{ 7200000, "2 h" },
		{ 5 * 86400000LL, "5 d" },
		{ -850, "-850 ms" },
		{ INT64_MAX, "106751991167 d" },
		{ INT64_MIN, "-106751991167 d" },
	};
	for (size_t i = 0; i < sizeof(durations) / sizeof(durations[0]); i++) {
		char text[24];
		hy_duration_text(durations[i].ms, text);
		assert_string_equal(text, durations[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_clock_stands_where_a_test_puts_it),
		cmocka_unit_test(the_wall_clock_alone_runs_ahead),
		cmocka_unit_test(a_time_reads_as_it_was_written),
		cmocka_unit_test(every_day_of_four_centuries_agrees_with_the_c_library),
		cmocka_unit_test(a_time_out_of_the_calendar_is_shown_at_its_edge),
		cmocka_unit_test(offsets_and_fractions_are_understood),
		cmocka_unit_test(what_is_no_time_is_refused),
		cmocka_unit_test(durations_are_said_as_people_say_them),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
