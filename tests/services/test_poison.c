// link: hy_stations
#include "support/stations.h"

#include <signal.h>

/* One record, or one due row, kills whoever handles it. Real processes: the one that died is started again, as a supervisor would. */

enum { RECORDS = 300, LIVES_MOST = 60 };

/* Starts s2 again whenever it has died, until `done` says so; how many lives it took. */
static int live_until(struct stations *s, bool (*done)(struct stations *s))
{
	int lives = 0;
	int64_t tries = 0;
	while (!done(s)) {
		if (stations_died(s, 2)) {
			assert_true(++lives <= LIVES_MOST);
			stations_start(s, 2);
		}
		usleep(10000);
		assert_true(++tries < 12000);
	}
	return lives;
}

static bool all_came(struct stations *s)
{
	return s->pid[2] && stations_number(s, 2, "count", "next") == RECORDS;
}

static json_t *letters(struct stations *s)
{
	json_t *j = stations_ask(s, 2, "dead.list", NULL);
	assert_non_null(j);
	assert_int_equal(json_integer_value(json_object_get(j, "count")), 1);
	return j;
}

static void a_record_that_kills_the_process_five_times_is_a_dead_letter_and_the_rest_goes_on(void **state)
{
	struct stations s = { .records = RECORDS, .last = 2, .size = 50, .poison = 130 };
	(void)state;
	stations_open(&s, "{}\n");
	stations_start(&s, 1);
	int lives = live_until(&s, all_came);
	print_message("%d lives\n", lives);
	assert_true(lives >= 6);
	json_t *j = letters(&s), *letter = json_array_get(json_object_get(j, "dead"), 0);
	assert_string_equal(json_string_value(json_object_get(letter, "letter")), "s1/130");
	assert_string_equal(json_string_value(json_object_get(letter, "error")), "crashed");
	json_decref(j);
	assert_int_equal(stations_number(&s, 2, "count", "wrong"), 0);
	assert_true(stations_linked_up(&s, 2));
	/* it is in the account: all that came was seen, one of it is dead */
	assert_int_equal(stations_number(&s, 2, "standing", "seen"), RECORDS);
	assert_int_equal(stations_number(&s, 2, "standing", "emitted"), RECORDS - 1);
	assert_int_equal(stations_number(&s, 2, "standing", "dead"), 1);
	/* given up for good it stays there */
	const char *const drop[] = { "letter", "s1/130", NULL };
	json_decref(stations_ask(&s, 2, "dead.drop", drop));
	assert_int_equal(stations_number(&s, 2, "standing", "dead"), 1);
	stations_close(&s);
}

static void a_due_row_that_kills_the_process_is_a_dead_letter_too(void **state)
{
	struct stations s = { .records = RECORDS, .last = 2, .size = 50, .poison_row = 1 };
	(void)state;
	stations_open(&s, "{}\n");
	stations_start(&s, 1);
	live_until(&s, all_came);
	json_t *j = letters(&s), *letter = json_array_get(json_object_get(j, "dead"), 0);
	assert_string_equal(json_string_value(json_object_get(letter, "stream")), "timer.make");
	assert_string_equal(json_string_value(json_object_get(letter, "error")), "crashed");
	json_decref(j);
	stations_close(&s);
}

static void a_process_killed_while_it_has_nothing_to_do_works_at_full_size_soon_again(void **state)
{
	struct stations s = { .records = RECORDS, .last = 2, .size = 50 };
	(void)state;
	stations_open(&s, "{}\n");
	for (int i = 0; i < 8; i++) {
		stations_start(&s, 2);
		stations_until(stations_number(&s, 2, "count", "next") == 0);
		stations_kill(&s, 2, SIGKILL);
	}
	assert_true(stations_logged(&s, 2, "steps of 1 now"));
	stations_start(&s, 1);
	stations_start(&s, 2);
	stations_until(all_came(&s));
	stations_kill(&s, 2, SIGKILL);
	stations_start(&s, 2);
	stations_until(stations_linked_up(&s, 2));
	json_t *j = stations_ask(&s, 2, "dead.list", NULL);
	assert_int_equal(json_integer_value(json_object_get(j, "count")), 0);
	json_decref(j);
	stations_close(&s);
}

int main(int argc, char **argv)
{
	int code;
	if (station_main(argc, argv, &code))
		return code;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_record_that_kills_the_process_five_times_is_a_dead_letter_and_the_rest_goes_on),
		cmocka_unit_test(a_due_row_that_kills_the_process_is_a_dead_letter_too),
		cmocka_unit_test(a_process_killed_while_it_has_nothing_to_do_works_at_full_size_soon_again),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
