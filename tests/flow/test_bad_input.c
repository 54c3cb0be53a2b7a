// link: hy_ring
#include "support/ring.h"

#include "base/clock.h"

#include <signal.h>
#include <sys/wait.h>

/* Bad input at the real collector, and bad circumstances at its start: each has a defined answer and costs nothing already accepted. */

static int open_collector(void **state)
{
	struct ring *r = ring_open(NULL);
	*state = r;
	ring_start(r, COLLECTOR, NULL);
	int64_t until = hy_mono_ms() + 20000;
	while (ring_http(r, "GET", "/healthz", NULL, NULL, NULL) != 200) {
		if (hy_mono_ms() > until)
			return -1;
		usleep(20000);
	}
	return 0;
}

static int open_only(void **state)
{
	*state = ring_open(NULL);
	return 0;
}

static int close_ring(void **state)
{
	ring_close(*state);
	return 0;
}

static int post(struct ring *r, const char *headers, const char *body, char **answer)
{
	char all[1024];
	snprintf(all, sizeof(all), "Authorization: Bearer %s\r\n%s", r->key, headers);
	return ring_http(r, "POST", "/v1/feedback", all, body, answer);
}

static void says(char *answer, const char *words)
{
	assert_non_null(answer);
	if (!strstr(answer, words))
		fail_msg("'%s' does not say '%s'", answer, words);
	free(answer);
}

static void malformed_json_is_400_with_line_and_column(void **state)
{
	char *answer;
	static const struct {
		const char *body, *words;
	} cases[] = {
		{ "{\"text\":\"a\",}", "line 1, column" },
		{ "{\"text\":\"a\"\n\"b\"}", "line 2, column" },
		{ "{\"text\":\"a\",\"text\":\"b\"}", "text" },
		{ "{\"text\":\"\xff\xfe\"}", "UTF-8" },
		{ "[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]", "16 levels" },
		{ "{\"text\":\"a\"} trailing", "line 1" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_int_equal(post(*state, "", cases[i].body, &answer), 400);
		assert_non_null(strstr(answer, "\"type\":\"/problems/json\""));
		says(answer, cases[i].words);
	}
}

static void a_stranger_gets_401_and_learns_how_to_come_in(void **state)
{
	char *answer;
	assert_int_equal(ring_http(*state, "POST", "/v1/feedback", NULL, "{\"text\":\"a\"}", &answer), 401);
	says(answer, "Authorization: Bearer");
	assert_int_equal(ring_http(*state, "POST", "/v1/feedback", "Authorization: Bearer hy_wrong\r\n",
				 "{\"text\":\"a\"}", &answer),
		401);
	says(answer, "not known");
	assert_int_equal(
		ring_http(*state, "GET", "/v1/feedback/01a202bd-2481-7079-9639-04c1b72b8ea7", NULL, NULL, &answer),
		401);
	free(answer);
}

static void unknown_paths_methods_and_ids_are_told_apart(void **state)
{
	struct ring *r = *state;
	char headers[256], *answer;
	snprintf(headers, sizeof(headers), "Authorization: Bearer %s\r\n", r->key);
	assert_int_equal(ring_http(r, "GET", "/v2/nothing", NULL, NULL, NULL), 404);
	assert_int_equal(ring_http(r, "DELETE", "/v1/feedback", headers, NULL, NULL), 405);
	assert_int_equal(ring_http(r, "GET", "/v1/feedback/not-an-id", headers, NULL, NULL), 404);
	assert_int_equal(
		ring_http(r, "GET", "/v1/feedback/01a202bd-2481-7079-9639-04c1b72b8ea7", headers, NULL, &answer), 404);
	says(answer, "No feedback with this ID");
}

static void a_body_over_its_limit_is_413_and_the_rest_goes_on(void **state)
{
	char *large = malloc(300 * 1024);
	assert_non_null(large);
	memset(large, ' ', 300 * 1024);
	large[300 * 1024 - 1] = 0;
	assert_int_equal(post(*state, "", large, NULL), 413);
	free(large);
	free(ring_say(*state, "{\"text\":\"still here\"}"));
}

static void ambiguous_framing_is_refused(void **state)
{
	struct ring *r = *state;
	assert_int_equal(post(r, "Transfer-Encoding: chunked\r\n", "{\"text\":\"a\"}", NULL), 400);
	assert_int_equal(post(r, "Content-Length: 3\r\n", "{\"text\":\"a\"}", NULL), 400);
	assert_int_equal(post(r, "X-Folded: a\r\n b\r\n", "{\"text\":\"a\"}", NULL), 400);
}

static void an_id_that_comes_back_with_other_words_is_a_conflict(void **state)
{
	struct ring *r = *state;
	char *answer, *first = ring_say(r, "{\"id\":\"c1\",\"text\":\"one\"}"),
		      *again = ring_say(r, "{\"id\":\"c1\",\"text\":\"one\"}");
	assert_string_equal(first, again);
	assert_int_equal(post(r, "", "{\"id\":\"c1\",\"text\":\"two\"}", &answer), 409);
	says(answer, "/id");
	assert_int_equal(
		post(r, "", "[{\"id\":\"c1\",\"text\":\"two\"},{\"id\":\"c2\",\"text\":\"new\"}]", &answer), 202);
	assert_non_null(strstr(answer, "\"accepted\":1"));
	says(answer, "\"pointer\":\"/0/id\"");
	free(first), free(again);
}

static void an_idempotency_key_works_for_single_objects(void **state)
{
	struct ring *r = *state;
	char *answer;
	assert_int_equal(post(r, "Idempotency-Key: k-77\r\n", "{\"text\":\"one\"}", &answer), 202);
	says(answer, "\"accepted\":1");
	assert_int_equal(post(r, "Idempotency-Key: k-77\r\n", "{\"text\":\"one\"}", &answer), 202);
	says(answer, "\"duplicates\":1");
}

static void nothing_acceptable_is_422_and_some_is_202(void **state)
{
	char *answer;
	assert_int_equal(post(*state, "", "{\"rating\":{\"scale\":\"nps\",\"score\":12}}", &answer), 422);
	says(answer, "/rating/score");
	assert_int_equal(post(*state, "", "[{\"txt\":1},{}]", &answer), 422);
	says(answer, "/0/txt");
	assert_int_equal(post(*state, "", "[{\"txt\":1},{\"text\":\"good\"}]", &answer), 202);
	assert_non_null(strstr(answer, "\"ids\":[null,\""));
	says(answer, "\"index\":0");
	assert_int_equal(post(*state, "", "[]", &answer), 422);
	free(answer);
}

static void a_token_that_is_not_ours_shows_a_polite_page(void **state)
{
	char *html;
	assert_int_equal(ring_http(*state, "GET", "/r/AAAA?l=zh", NULL, NULL, &html), 404);
	says(html, "这个链接不完整");
	assert_int_equal(ring_http(*state, "POST", "/r/AAAA", "Content-Type: application/x-www-form-urlencoded\r\n",
				 "helped=yes", &html),
		404);
	says(html, "no longer valid");
}

static void metrics_have_help_and_type_on_each_family(void **state)
{
	char *text;
	free(ring_say(*state, "{\"text\":\"count me\"}"));
	assert_int_equal(ring_http(*state, "GET", "/metrics", NULL, NULL, &text), 200);
	assert_non_null(strstr(text, "# TYPE huiyin_accepted_total counter\nhuiyin_accepted_total 1\n"));
	says(text, "# HELP huiyin_stream_head");
}

/* ---- at the start ---- */

static int run_to_exit(struct ring *r, enum station s)
{
	ring_start(r, s, NULL);
	int status = ring_wait_exit(r, s);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static char *log_of(struct ring *r, enum station s)
{
	char path[4096], *text = calloc(1, 65536);
	snprintf(path, sizeof(path), "%s/%s.log", r->dir, station_names[s]);
	FILE *f = fopen(path, "r");
	assert_non_null(f);
	assert_non_null(text);
	size_t n = fread(text, 1, 65535, f);
	text[n] = 0;
	fclose(f);
	return text;
}

static void edit(struct ring *r, const char *script)
{
	char command[4096];
	snprintf(command, sizeof(command), "sed -i -E '%s' '%s/huiyin.yaml'", script, r->dir);
	assert_int_equal(system(command), 0);
}

static void a_typo_in_the_configuration_is_shown_with_its_place_and_nothing_starts(void **state)
{
	struct ring *r = *state;
	char *out;
	edit(r, "s/^retain:/retian:/");
	assert_int_equal(run_to_exit(r, COLLECTOR), 78);
	out = log_of(r, COLLECTOR);
	assert_non_null(strstr(out, "did you mean 'retain'?"));
	assert_non_null(strstr(out, "^"));
	says(out, "huiyin.yaml:");
	assert_int_equal(ring_huiyin(r, "config check", &out), 78);
	says(out, "retian");
}

static void a_rule_for_a_department_that_is_not_there_is_a_fault(void **state)
{
	struct ring *r = *state;
	edit(r, "s/^( *)department: logistics/\\1department: logistic/");
	assert_int_equal(run_to_exit(r, ROUTER), 78);
	says(log_of(r, ROUTER), "did you mean 'logistics'?");
}

static void a_store_in_use_and_a_port_taken_are_said_plainly(void **state)
{
	struct ring *r = *state, second = *r;
	second.pid[COLLECTOR] = 0;
	assert_int_not_equal(run_to_exit(&second, COLLECTOR), 0);
	says(log_of(r, COLLECTOR), "in_use");
	char command[4096];
	struct ring *other = ring_open(NULL);
	snprintf(command, sizeof(command), "sed -i -E 's/127\\.0\\.0\\.1:%d/127.0.0.1:%d/' '%s/huiyin.yaml'",
		other->port, r->port, other->dir);
	assert_int_equal(system(command), 0);
	assert_int_not_equal(run_to_exit(other, COLLECTOR), 0);
	char port[16];
	snprintf(port, sizeof(port), ":%d", r->port);
	says(log_of(other, COLLECTOR), port);
	ring_close(other);
	free(ring_say(r, "{\"text\":\"the first one is still well\"}"));
}

static void a_store_that_fills_up_refuses_and_heals_when_there_is_room_again(void **state)
{
	struct ring *r = *state;
	json_t *j;
	char *text = malloc(40001);
	assert_non_null(text);
	edit(r, "s/^( *)quota: .*/\\1quota: 2MiB/");
	ring_start(r, COLLECTOR, NULL);
	int64_t until = hy_mono_ms() + 20000;
	while (ring_http(r, "GET", "/healthz", NULL, NULL, NULL) != 200 && hy_mono_ms() < until)
		usleep(20000);
	int status = 202, sent = 0;
	strcpy(text, "{\"text\":\"");
	memset(text + 9, 'x', 9000);
	strcpy(text + 9009, "\"}");
	for (; status == 202 && sent < 5000; sent++)
		status = ring_post(r, text, NULL);
	free(text);
	assert_int_equal(status, 503); /* nobody reads: the store fills to 85 % and says so */
	ring_kill(r, COLLECTOR, SIGTERM);
	edit(r, "s/^( *)quota: .*/\\1quota: 1GiB/");
	ring_start_all(r);
	assert_true(ring_ready(r));
	free(ring_say(r, "{\"text\":\"there is room again\"}"));
	ring_settle(r);
	j = ring_audit(r);
	assert_int_equal(json_integer_value(json_object_get(j, "accepted")), sent);
	json_decref(j);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(malformed_json_is_400_with_line_and_column, open_collector, close_ring),
		cmocka_unit_test_setup_teardown(
			a_stranger_gets_401_and_learns_how_to_come_in, open_collector, close_ring),
		cmocka_unit_test_setup_teardown(
			unknown_paths_methods_and_ids_are_told_apart, open_collector, close_ring),
		cmocka_unit_test_setup_teardown(
			a_body_over_its_limit_is_413_and_the_rest_goes_on, open_collector, close_ring),
		cmocka_unit_test_setup_teardown(ambiguous_framing_is_refused, open_collector, close_ring),
		cmocka_unit_test_setup_teardown(
			an_id_that_comes_back_with_other_words_is_a_conflict, open_collector, close_ring),
		cmocka_unit_test_setup_teardown(
			an_idempotency_key_works_for_single_objects, open_collector, close_ring),
		cmocka_unit_test_setup_teardown(nothing_acceptable_is_422_and_some_is_202, open_collector, close_ring),
		cmocka_unit_test_setup_teardown(
			a_token_that_is_not_ours_shows_a_polite_page, open_collector, close_ring),
		cmocka_unit_test_setup_teardown(metrics_have_help_and_type_on_each_family, open_collector, close_ring),
		cmocka_unit_test_setup_teardown(
			a_typo_in_the_configuration_is_shown_with_its_place_and_nothing_starts, open_only, close_ring),
		cmocka_unit_test_setup_teardown(
			a_rule_for_a_department_that_is_not_there_is_a_fault, open_only, close_ring),
		cmocka_unit_test_setup_teardown(
			a_store_in_use_and_a_port_taken_are_said_plainly, open_collector, close_ring),
		cmocka_unit_test_setup_teardown(
			a_store_that_fills_up_refuses_and_heals_when_there_is_room_again, open_only, close_ring),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
