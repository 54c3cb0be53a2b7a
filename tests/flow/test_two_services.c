// link: hy_stations
#include "support/stations.h"

#include "base/clock.h"
#include "stream/stream.h"

#include <signal.h>
#include <sodium.h>

/* The skeleton alone, in processes: two stations over ipc, killed at random; stations that fill up and drain; records that leave when all have passed
 * them. HUIYIN_KILLS (default 100) and HUIYIN_SEED repeat and lengthen the first. */

static void a_hundred_kills_of_either_lose_double_and_reorder_nothing(void **state)
{
	const char *kills_text = getenv("HUIYIN_KILLS"), *seed_text = getenv("HUIYIN_SEED");
	int kills = kills_text ? atoi(kills_text) : 100;
	unsigned seed = seed_text ? (unsigned)atoi(seed_text) : (unsigned)hy_now_ms();
	struct stations s = { .records = 1000000000, .last = 2, .size = 40 };
	(void)state;
	print_message("HUIYIN_SEED=%u HUIYIN_KILLS=%d\n", seed, kills);
	stations_open(&s, "{}\n");
	stations_start(&s, 1);
	stations_start(&s, 2);
	stations_until(stations_number(&s, 2, "count", "next") > 0);
	for (int i = 0; i < kills; i++) {
		int which = 1 + rand_r(&seed) % 2;
		usleep((useconds_t)(rand_r(&seed) % 200000));
		stations_kill(&s, which, SIGKILL);
		if (rand_r(&seed) % 4 == 0)
			stations_kill(&s, 3 - which, rand_r(&seed) % 2 ? SIGKILL : SIGTERM);
		for (int n = 1; n <= 2; n++)
			if (!s.pid[n])
				stations_start(&s, n);
	}
	stations_until(stations_number(&s, 2, "count", "next") >= 0);
	stations_until(stations_number(&s, 1, "count", "made") > 0);
	stations_kill(&s, 1, SIGTERM);
	s.records = 1; /* it makes no more */
	stations_start(&s, 1);
	json_int_t made;
	stations_until((made = stations_number(&s, 1, "count", "made")) > 0);
	stations_until(stations_linked_up(&s, 2));
	print_message("%lld records\n", (long long)made);
	assert_int_equal(stations_number(&s, 2, "count", "next"), made);
	assert_int_equal(stations_number(&s, 2, "count", "wrong"), 0);
	assert_int_equal(stations_number(&s, 2, "standing", "seen"), made);
	assert_int_equal(stations_number(&s, 2, "standing", "emitted"), made);
	stations_close(&s);
}

/* Full, all of them, and nothing has moved for a second. */
static bool all_stand_full(struct stations *s)
{
	json_int_t made = stations_number(s, 1, "count", "made");
	sleep(1);
	for (int n = 1; n <= 4; n++)
		if (!stations_state_is(s, n, "full"))
			return false;
	return made == stations_number(s, 1, "count", "made");
}

static void four_stations_above_85_percent_drain_once_the_last_is_freed(void **state)
{
	struct stations s = { .records = 16000, .last = 4, .size = 1000 };
	const char *const fill[] = { "bytes", "3900000", NULL };
	(void)state;
	stations_open(&s, "store: { quota: 4MiB }\n");
	stations_start(&s, 4);
	stations_until(stations_number(&s, 4, "count", "next") == 0);
	json_decref(stations_ask(&s, 4, "fill", fill));
	stations_until(stations_state_is(&s, 4, "full"));
	for (int n = 3; n >= 1; n--)
		stations_start(&s, n);
	stations_until(all_stand_full(&s));
	assert_true(stations_number(&s, 1, "count", "made") < s.records);
	assert_int_equal(stations_number(&s, 4, "count", "next"), 0);
	assert_true(stations_logged(&s, 4, "store.filling.*largest=ballast"));
	assert_true(stations_logged(&s, 1, "store.full.*why=quota.*largest=log.s1"));
	json_decref(stations_ask(&s, 4, "free", NULL));
	stations_until(stations_number(&s, 4, "count", "next") == s.records);
	for (int n = 2; n <= 4; n++) {
		stations_until(stations_linked_up(&s, n));
		assert_int_equal(stations_number(&s, n, "count", "wrong"), 0);
	}
	for (int n = 1; n <= 4; n++)
		stations_until(stations_state_is(&s, n, "ok"));
	stations_close(&s);
}

static json_int_t live_bytes(struct stations *s, int number)
{
	json_t *j = stations_ask(s, number, "health", NULL);
	json_int_t v = j ? json_integer_value(json_object_get(json_object_get(j, "store"), "live_bytes")) : INT64_MAX;
	json_decref(j);
	return v;
}

static void records_that_all_have_passed_leave_when_retain_is_over(void **state)
{
	struct stations s = { .records = 8000, .last = 2, .size = 1000 };
	(void)state;
	stations_open(&s, "retain: 1s\n");
	stations_start(&s, 1);
	stations_until(stations_number(&s, 1, "count", "made") == s.records);
	usleep(2000000);
	assert_true(live_bytes(&s, 1) > 7000000); /* its ring reader has not come: nothing may go */
	stations_start(&s, 2);
	stations_until(stations_number(&s, 2, "count", "next") == s.records);
	stations_until(live_bytes(&s, 1) < 2000000);
	stations_until(live_bytes(&s, 2) < 2000000);
	assert_int_equal(stations_number(&s, 2, "count", "wrong"), 0);
	stations_close(&s);
}

static const char follow_key[] = "hy_0123456789012345678901234567890123456789012";

static char *yaml_with_key(void)
{
	uint8_t hash[32];
	char hex[65], *yaml = NULL;
	crypto_generichash(hash, sizeof(hash), (const uint8_t *)follow_key, strlen(follow_key), NULL, 0);
	hy_hex(hash, sizeof(hash), hex);
	assert_true(asprintf(&yaml,
			    "retain: 1s\nreaders: { max_lag: 5s }\nkeys:\n  - { name: department, hash: %s, scopes: "
			    "[follow] }\n",
			    hex) > 0);
	return yaml;
}

/* A department's program: takes a few records, says so, and is never seen again. */
static void follow_a_little(struct stations *s)
{
	static const char *const tables[] = { "stream", NULL };
	char dir[4096], endpoint[4096];
	struct hy_store *db = NULL;
	struct hy_loop *loop = NULL;
	struct hy_follow *follow = NULL;
	struct hy_record r;
	struct hy_fault f;
	int taken = 0;
	snprintf(dir, sizeof(dir), "%s/department", s->dir);
	snprintf(endpoint, sizeof(endpoint), "ipc://%s/run/s1.sock", s->dir);
	assert_int_equal(
		hy_store_open(&db, dir,
			&(struct hy_store_options){ .tables = tables, .maker = "department", .version = 1 }, &f),
		HY_OK);
	assert_int_equal(hy_loop_open(&loop), HY_OK);
	assert_int_equal(hy_follow_open(&follow,
				 &(struct hy_follow_options){ .db = db,
					 .peer = "department",
					 .stream = "s1",
					 .endpoint = endpoint,
					 .epoch = 1,
					 .loop = loop,
					 .key = follow_key,
					 .from = "oldest" },
				 &f),
		HY_OK);
	for (int64_t until = hy_mono_ms() + 60000; taken < 50 && hy_mono_ms() < until;) {
		hy_loop_turn(loop, 100);
		while (taken < 50 && hy_follow_take(follow, &r))
			taken++;
	}
	assert_int_equal(taken, 50);
	struct hy_txn *t = hy_txn_begin(db, HY_WRITE);
	hy_follow_mark(follow, t);
	assert_int_equal(hy_txn_commit(&t), HY_OK);
	hy_follow_done(follow, true);
	for (int64_t until = hy_mono_ms() + 300; hy_mono_ms() < until;) /* its mark goes out */
		hy_loop_turn(loop, 50);
	hy_follow_close(&follow);
	hy_loop_close(&loop);
	hy_store_close(&db);
}

static void an_outside_reader_that_stays_away_longer_than_max_lag_loses_its_place(void **state)
{
	struct stations s = { .records = 8000, .last = 2, .size = 1000 };
	char *yaml = yaml_with_key();
	(void)state;
	stations_open(&s, yaml);
	stations_start(&s, 1);
	stations_until(stations_number(&s, 1, "count", "made") == s.records);
	follow_a_little(&s);
	stations_start(&s, 2);
	stations_until(stations_number(&s, 2, "count", "next") == s.records);
	stations_until(stations_logged(&s, 1, "reader.dropped peer=department stream=s1 .*why=max_lag"));
	stations_until(live_bytes(&s, 1) < 2000000);
	stations_close(&s);
	free(yaml);
}

int main(int argc, char **argv)
{
	int code;
	if (station_main(argc, argv, &code))
		return code;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_hundred_kills_of_either_lose_double_and_reorder_nothing),
		cmocka_unit_test(four_stations_above_85_percent_drain_once_the_last_is_freed),
		cmocka_unit_test(records_that_all_have_passed_leave_when_retain_is_over),
		cmocka_unit_test(an_outside_reader_that_stays_away_longer_than_max_lag_loses_its_place),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
