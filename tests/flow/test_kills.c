// link: hy_ring
#include "support/ring.h"

#include "base/clock.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>

/* A process dies at each named point, and at random instants under load. Afterwards nothing that was answered 2xx is missing, nothing is
 * there twice, and the audit is clean. HUIYIN_KILLS (default 100) and HUIYIN_SEED repeat and lengthen the random part. */

static int open_ring(void **state)
{
	*state = ring_open(NULL);
	return 0;
}

static int close_ring(void **state)
{
	ring_close(*state);
	return 0;
}

/* One array of `n` feedbacks with ids of their own: bugs that join a few tickets, wishes that open their own, praise, and some nobody can answer. */
static char *batch(int from, int n)
{
	json_t *list = json_array();
	for (int i = from; i < from + n; i++) {
		char id[32], text[128], email[64];
		snprintf(id, sizeof(id), "k%d", i);
		snprintf(email, sizeof(email), "c%d@example.com", i % 37);
		if (i % 4 == 0)
			snprintf(text, sizeof(text), "%s",
				i % 8 ? "The app crashes when I open the settings page"
				      : "导出报表时总是闪退,报错 500");
		else if (i % 4 == 1)
			snprintf(text, sizeof(text), "Please add an export of report number %d", i % 90);
		else if (i % 4 == 2)
			snprintf(text, sizeof(text), "I love this app, it works great, thank you!");
		else
			snprintf(text, sizeof(text), "快递已经第%d天了还没有送到,什么时候能收到?", i % 9);
		json_t *item = json_pack("{s:s, s:s}", "id", id, "text", text);
		if (i % 5)
			json_object_set_new(item, "customer",
				json_pack("{s:s, s:s}", "email", email, "locale", i % 2 ? "zh-CN" : "en"));
		json_array_append_new(list, item);
	}
	char *text = json_dumps(list, JSON_COMPACT);
	json_decref(list);
	return text;
}

/* Sends the batch until it is answered 202: every answer is kept, every id is sent as often as it takes. */
static void send_until_kept(struct ring *r, int from, int n)
{
	char *text = batch(from, n);
	int64_t until = hy_mono_ms() + 60000;
	while (ring_post(r, text, NULL) != 202) {
		if (hy_mono_ms() > until)
			fail_msg("no 202 for 60 s (%s)", r->dir);
		usleep(20000);
	}
	free(text);
}

static void all_are_there_once(struct ring *r, json_int_t sent)
{
	ring_settle(r);
	json_t *audit = ring_audit(r), *notifier = ring_ask(r, NOTIFIER, "audit", NULL, NULL);
	assert_int_equal(json_integer_value(json_object_get(audit, "accepted")), sent);
	assert_int_equal(json_integer_value(json_object_get(audit, "unaccounted")), 0);
	assert_int_equal(json_integer_value(json_object_get(audit, "duplicated")), 0);
	assert_int_equal(json_integer_value(json_object_get(audit, "dead")), 0);
	json_decref(audit);
	json_decref(notifier);
}

/* h(n) beside each mark equals the writer's at that sequence: every hop saw the same records in the same order. */
static void chains_agree(struct ring *r)
{
	json_t *health[STATIONS];
	for (int s = 0; s < STATIONS; s++)
		health[s] = ring_ask(r, (enum station)s, "health", NULL, NULL);
	for (int s = 0; s < STATIONS; s++) {
		size_t i;
		json_t *in;
		json_array_foreach(json_object_get(health[s], "inputs"), i, in)
		{
			for (int w = 0; w < STATIONS; w++) {
				json_t *stream = json_object_get(health[w], "stream");
				if (!json_equal(json_object_get(stream, "name"), json_object_get(in, "stream")) ||
					json_equal(json_object_get(in, "chain"), json_object_get(stream, "chain")))
					continue;
				char *mark = json_dumps(in, 0), *head = json_dumps(stream, 0);
				fail_msg("the %s stands at %s, its writer at %s", station_names[s], mark, head);
			}
		}
	}
	for (int s = 0; s < STATIONS; s++)
		json_decref(health[s]);
}

static void a_process_that_dies_at_a_named_point_loses_and_doubles_nothing(void **state)
{
	static const struct {
		enum station station;
		const char *point;
	} points[] = {
		{ COLLECTOR, "collector.kept:2" },
		{ COLLECTOR, "step.before_commit:2" },
		{ COLLECTOR, "step.after_commit:2" },
		{ CLASSIFIER, "step.before_commit:2" },
		{ CLASSIFIER, "step.after_commit:2" },
		{ ROUTER, "step.before_commit:2" },
		{ ROUTER, "step.after_commit:2" },
		{ NOTIFIER, "step.before_commit:2" },
		{ NOTIFIER, "step.after_commit:2" },
		{ NOTIFIER, "notifier.dot:1" },
		{ NOTIFIER, "notifier.answered:1" },
	};
	struct ring *r = *state;
	int sent = 0;
	for (size_t i = 0; i < sizeof(points) / sizeof(*points); i++) {
		enum station s = points[i].station;
		ring_kill(r, s, SIGTERM);
		ring_start(r, s, points[i].point);
		for (int other = 0; other < STATIONS; other++)
			if (!r->pid[other])
				ring_start(r, (enum station)other, NULL);
		int64_t until = hy_mono_ms() + 30000;
		int status = 0;
		bool died = false;
		while (!died) {
			char *text = batch(sent, 10);
			if (ring_post(r, text, NULL) == 202)
				sent += 10;
			free(text);
			died = waitpid(r->pid[s], &status, WNOHANG) == r->pid[s];
			if (!died && hy_mono_ms() > until)
				fail_msg("%s never came to %s", station_names[s], points[i].point);
			usleep(20000);
		}
		r->pid[s] = 0;
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 137);
		ring_start(r, s, NULL);
		assert_true(ring_ready(r));
		send_until_kept(r, sent, 10); /* what got no answer is sent again with the same ids */
		sent += 10;
	}
	all_are_there_once(r, sent);
	chains_agree(r);
}

struct load {
	struct ring *r;
	_Atomic int sent;
	_Atomic bool stop;
};

static void *post_all_the_time(void *arg)
{
	struct load *l = arg;
	while (!atomic_load(&l->stop)) {
		char *text = batch(atomic_load(&l->sent), 20);
		while (ring_post(l->r, text, NULL) != 202)
			usleep(10000);
		free(text);
		atomic_fetch_add(&l->sent, 20);
	}
	return NULL;
}

static void random_kills_under_load_lose_and_double_nothing(void **state)
{
	struct ring *r = *state;
	const char *kills_text = getenv("HUIYIN_KILLS"), *seed_text = getenv("HUIYIN_SEED");
	int kills = kills_text ? atoi(kills_text) : 100;
	unsigned seed = seed_text ? (unsigned)atoi(seed_text) : (unsigned)hy_now_ms();
	print_message("HUIYIN_SEED=%u HUIYIN_KILLS=%d\n", seed, kills);
	struct load load = { .r = r };
	pthread_t client;
	ring_start_all(r);
	assert_true(ring_ready(r));
	assert_int_equal(pthread_create(&client, NULL, post_all_the_time, &load), 0);
	for (int done = 0; done < kills;) {
		unsigned subset = 1 + (unsigned)rand_r(&seed) % 15;
		usleep(50000 + (useconds_t)(rand_r(&seed) % 250000));
		for (int s = 0; s < STATIONS; s++)
			if (subset & 1U << s) {
				ring_kill(r, (enum station)s, SIGKILL);
				done++;
			}
		ring_start_all(r);
	}
	assert_true(ring_ready(r));
	atomic_store(&load.stop, true);
	pthread_join(client, NULL);
	all_are_there_once(r, atomic_load(&load.sent));
	chains_agree(r);
	print_message("%d feedbacks\n", atomic_load(&load.sent));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_process_that_dies_at_a_named_point_loses_and_doubles_nothing, open_ring, close_ring),
		cmocka_unit_test_setup_teardown(random_kills_under_load_lose_and_double_nothing, open_ring, close_ring),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
