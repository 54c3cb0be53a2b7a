// link: hy_ring
#include "support/ring.h"
#include "support/web.h"

#include "base/clock.h"

#include <signal.h>
#include <sys/wait.h>

/* Feedback as lines at the real collector: bad ones between good ones, clients that leave, a collector that is killed in the middle. */

static void up(struct ring *r, const char *crash_at)
{
	ring_start(r, COLLECTOR, crash_at);
	int64_t until = hy_mono_ms() + 60000;
	while (ring_http(r, "GET", "/healthz", NULL, NULL, NULL) != 200) {
		assert_true(hy_mono_ms() < until);
		usleep(20000);
	}
}

static int open_collector(void **state)
{
	struct ring *r = ring_open(NULL);
	*state = r;
	up(r, NULL);
	return 0;
}

static int open_only(void **state)
{
	*state = ring_open(NULL);
	return 0;
}

/* Whatever was asked of it, the collector ends in peace (leaks show in its exit status). */
static int close_ring(void **state)
{
	struct ring *r = *state;
	if (r->pid[COLLECTOR]) {
		kill(r->pid[COLLECTOR], SIGTERM);
		int status = ring_wait_exit(r, COLLECTOR);
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	}
	ring_close(r);
	return 0;
}

static int dial(const struct ring *r)
{
	struct web w = { .port = r->port };
	return web_connect(&w);
}

static void say_head(int fd, const struct ring *r, const char *more, size_t length)
{
	char head[512];
	snprintf(head, sizeof(head),
		"POST /v1/feedback HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n"
		"Content-Type: application/x-ndjson\r\n%sContent-Length: %zu\r\n\r\n",
		r->key, more, length);
	assert_true(web_say(fd, head));
}

/* The lines on a connection of their own; the answer's status, *j is new. */
static int post(struct ring *r, const struct hy_buffer *lines, json_t **j)
{
	char headers[256], *text = NULL;
	struct hy_buffer body = { 0 };
	snprintf(
		headers, sizeof(headers), "Authorization: Bearer %s\r\nContent-Type: application/x-ndjson\r\n", r->key);
	hy_buffer_bytes(&body, hy_buffer_view(lines));
	int status = ring_http(r, "POST", "/v1/feedback", headers, hy_buffer_string(&body), &text);
	*j = text ? json_loads(text, 0, NULL) : NULL;
	free(text);
	hy_buffer_free(&body);
	return status;
}

static json_int_t number(const json_t *j, const char *name)
{
	return json_integer_value(json_object_get(j, name));
}

static const char *first_detail(const json_t *entry)
{
	const char *text =
		json_string_value(json_object_get(json_array_get(json_object_get(entry, "errors"), 0), "detail"));
	return text ? text : "";
}

static void put_lines(struct hy_buffer *b, int from, int to)
{
	for (int i = from; i < to; i++)
		hy_buffer_printf(b,
			"{\"id\":\"line-%d\",\"text\":\"the parcel %d is late\",\"customer\":{\"id\":\"c%d\"}}\n", i, i,
			i % 97);
}

static void five_thousand_lines_are_kept_and_the_bad_ones_between_are_named(void **state)
{
	struct ring *r = *state;
	struct hy_buffer b = { 0 };
	json_t *j, *entry;
	size_t i;
	for (int n = 0; n < 5000; n++) {
		if (n % 100 == 7)
			hy_buffer_text(
				&b, n % 200 == 7 ? "\n{\"text\":\"broken\",}\r\n" : "\n{\"txt\":\"misspelt\"}\n");
		else
			put_lines(&b, n, n + 1);
	}
	b.size--; /* the last line does without its end */
	assert_int_equal(post(r, &b, &j), 202);
	assert_int_equal(number(j, "accepted"), 4950);
	json_t *rejected = json_object_get(j, "rejected"), *ids = json_object_get(j, "ids");
	assert_int_equal(json_array_size(rejected), 50);
	assert_int_equal(json_array_size(ids), 5000);
	json_array_foreach(rejected, i, entry)
	{
		json_t *fault = json_array_get(json_object_get(entry, "errors"), 0);
		assert_int_equal(number(entry, "index"), 100 * i + 7);
		assert_int_equal(number(entry, "line"), 100 * i + 8 + i + 1); /* an empty line before each bad one */
		assert_true(json_is_null(json_array_get(ids, 100 * i + 7)));
		if (i % 2 == 0) {
			assert_int_equal(number(fault, "line"), number(entry, "line"));
			assert_int_equal(number(fault, "column"), 18);
		} else {
			assert_string_equal(json_string_value(json_object_get(fault, "pointer")), "/txt");
			assert_non_null(strstr(first_detail(entry), "did you mean 'text'?"));
		}
	}
	json_decref(j);
	assert_int_equal(post(r, &b, &j), 202); /* again: each has its first id */
	assert_int_equal(number(j, "duplicates"), 4950);
	assert_int_equal(number(j, "accepted"), 0);
	json_decref(j);
	hy_buffer_free(&b);
}

static void each_bad_line_says_what_is_wrong_with_it(void **state)
{
	struct ring *r = *state;
	static const struct {
		const char *line, *words;
	} cases[] = {
		{ "[{\"text\":\"a\"}]", "must be an object, is an array" },
		{ "\"text\"", "must be an object, is a text" },
		{ "{\"text\":\"\xff\"}", "not UTF-8" },
		{ "{\"text\":\"a\"} {\"text\":\"b\"}", "nothing may follow the value" },
		{ "{}", "says nothing" },
		{ "{\"text\":\"a\\u0000b\"}", "NUL" },
	};
	struct hy_buffer b = { 0 };
	json_t *j;
	hy_buffer_text(&b, "\xef\xbb\xbf{\"text\":\"a mark before it\"}\n");
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		hy_buffer_printf(&b, "%s\n", cases[i].line);
	hy_buffer_text(&b, "{\"text\":\"");
	for (int i = 0; i < 300 * 1024; i++)
		hy_buffer_byte(&b, 'x');
	hy_buffer_text(&b, "\"}\n{\"text\":\"good\"}");
	assert_int_equal(post(r, &b, &j), 202);
	assert_int_equal(number(j, "accepted"), 1);
	json_t *rejected = json_object_get(j, "rejected");
	assert_int_equal(json_array_size(rejected), 2 + sizeof(cases) / sizeof(*cases));
	assert_non_null(strstr(first_detail(json_array_get(rejected, 0)), "byte order mark"));
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		if (!strstr(first_detail(json_array_get(rejected, i + 1)), cases[i].words))
			fail_msg("%s: '%s'", cases[i].line, first_detail(json_array_get(rejected, i + 1)));
	assert_non_null(strstr(
		first_detail(json_array_get(rejected, json_array_size(rejected) - 1)), "longer than 262144 bytes"));
	json_decref(j);
	hy_buffer_free(&b);
}

static void nothing_good_in_it_is_422_and_nothing_in_it_too(void **state)
{
	struct ring *r = *state;
	struct hy_buffer b = { 0 };
	json_t *j;
	hy_buffer_text(&b, "{\"text\":\n \"spread over lines\"\n}\n");
	assert_int_equal(post(r, &b, &j), 422);
	assert_int_equal(json_array_size(json_object_get(j, "errors")), 3);
	json_decref(j);
	hy_buffer_clear(&b);
	hy_buffer_text(&b, "\n\n");
	assert_int_equal(post(r, &b, &j), 422);
	json_decref(j);
	hy_buffer_free(&b);
}

static void a_key_of_the_header_goes_with_one_object_only(void **state)
{
	struct ring *r = *state;
	int fd = dial(r);
	say_head(fd, r, "Idempotency-Key: k\r\n", 2);
	web_say(fd, "{}");
	struct web_answer a = web_read(fd);
	assert_int_equal(a.status, 400);
	assert_non_null(strstr(a.body, "/problems/idempotency-key"));
	close(fd);
}

static void a_client_that_leaves_in_the_middle_costs_nothing_and_sends_all_again(void **state)
{
	struct ring *r = *state;
	struct hy_buffer b = { 0 };
	json_t *j;
	put_lines(&b, 0, 4000);
	for (int cut = 1; cut < 5; cut++) { /* within the first part, at its end, far behind it */
		int fd = dial(r);
		say_head(fd, r, "", b.size);
		web_send(fd, b.data, b.size * (size_t)cut / 5 + 3);
		close(fd);
	}
	assert_int_equal(post(r, &b, &j), 202);
	assert_int_equal(number(j, "accepted") + number(j, "duplicates"), 4000);
	assert_int_equal(json_array_size(json_object_get(j, "rejected")), 0);
	json_decref(j);
	hy_buffer_free(&b);
}

static void a_slow_sender_gets_its_answer_once_all_is_kept(void **state)
{
	struct ring *r = *state;
	struct hy_buffer b = { 0 };
	put_lines(&b, 0, 40);
	int fd = dial(r);
	say_head(fd, r, "", b.size);
	for (size_t at = 0; at < b.size; at += 7)
		assert_true(web_send(fd, b.data + at, b.size - at < 7 ? b.size - at : 7));
	struct web_answer a = web_read(fd);
	assert_int_equal(a.status, 202);
	assert_non_null(strstr(a.body, "{\"accepted\":40,\"duplicates\":0,\"rejected\":[],"));
	close(fd);
	hy_buffer_free(&b);
}

static void where_the_rate_ends_the_rest_may_come_again(void **state)
{
	struct ring *r = *state;
	char command[4300];
	struct hy_buffer b = { 0 };
	snprintf(command, sizeof(command), "sed -i 's|rate: unlimited|rate: 1/min|' '%s/huiyin.yaml'", r->dir);
	assert_int_equal(system(command), 0);
	up(r, NULL);
	put_lines(&b, 0, 6);
	int fd = dial(r);
	say_head(fd, r, "", b.size);
	web_send(fd, b.data, b.size);
	struct web_answer a = web_read(fd);
	assert_int_equal(a.status, 202);
	assert_non_null(strstr(a.head, "\r\nRetry-After: "));
	assert_non_null(strstr(a.head, "\r\nRateLimit-Policy: \"ingest\";q=1;w=1\r\n"));
	assert_non_null(strstr(a.head, "\r\nRateLimit: \"ingest\";r=0;t="));
	assert_non_null(strstr(a.body, "\"retry\":true,\"errors\":[{\"pointer\":\"\",\"detail\":\"not kept: this key "
				       "sends faster than its rate "
				       "allows; send it again\"}]}"));
	say_head(fd, r, "", b.size); /* an empty bucket says so before the body is looked at */
	web_send(fd, b.data, b.size);
	a = web_read(fd);
	assert_int_equal(a.status, 429);
	assert_non_null(strstr(a.head, "\r\nRetry-After: "));
	close(fd);
	hy_buffer_free(&b);
}

static void a_body_of_very_many_lines_is_read_as_far_as_said(void **state)
{
	struct ring *r = *state;
	struct hy_buffer b = { 0 };
	json_t *j;
	hy_buffer_text(&b, "{\"text\":\"the first is good\"}\n");
	for (int i = 0; i < 100500; i++)
		hy_buffer_text(&b, "{\"a\":1,\"b\":2}\n");
	assert_int_equal(post(r, &b, &j), 202);
	assert_int_equal(number(j, "accepted"), 1);
	json_t *rejected = json_object_get(j, "rejected");
	size_t n = json_array_size(rejected);
	assert_int_equal(n, 10001); /* those that were read, and one entry for the rest */
	assert_int_equal(json_array_size(json_object_get(json_array_get(rejected, 0), "errors")), 2);
	assert_int_equal(json_array_size(json_object_get(json_array_get(rejected, n - 2), "errors")), 1);
	const json_t *rest = json_array_get(rejected, n - 1);
	assert_string_equal(first_detail(rest), "10000 lines were not taken: from here on nothing was read");
	assert_true(json_is_true(json_object_get(rest, "rest")) && json_is_true(json_object_get(rest, "retry")));
	assert_int_equal(number(rest, "line"), 10002);
	json_decref(j);
	hy_buffer_clear(&b);
	for (int i = 0; i < 100002; i++)
		hy_buffer_printf(&b, "{\"text\":\"%d\"}\n", i);
	assert_int_equal(post(r, &b, &j), 202);
	assert_int_equal(number(j, "accepted"), 100000);
	rest = json_array_get(json_object_get(j, "rejected"), 0);
	assert_string_equal(
		first_detail(rest), "100000 lines are as many as one body may have: from here on nothing was read");
	assert_int_equal(number(rest, "index"), 100000);
	assert_int_equal(json_array_size(json_object_get(j, "ids")), 100001);
	json_decref(j);
	hy_buffer_free(&b);
}

/* The whole answer, head too, until the server closes. The caller frees. */
static char *read_all(int fd)
{
	struct hy_buffer b = { 0 };
	for (;;) {
		uint8_t *room = hy_buffer_room(&b, 65536);
		ssize_t n = recv(fd, room, 65536, 0);
		if (n <= 0)
			break;
		b.size += (size_t)n;
	}
	char *text = strdup(hy_buffer_string(&b));
	hy_buffer_free(&b);
	return text;
}

/* What was kept before the store was full is told as kept, the rest as what may come again; nothing kept is 503. */
static void a_store_that_fills_up_in_the_middle_names_what_may_come_again(void **state)
{
	struct ring *r = *state;
	enum { LINES = 7000 };
	char command[4300];
	struct hy_buffer b = { 0 };
	bool full = false;
	json_t *j, *entry;
	size_t at = 0, i;
	snprintf(command, sizeof(command), "sed -i -E 's/^( *)quota: .*/\\1quota: 4MiB/' '%s/huiyin.yaml'", r->dir);
	assert_int_equal(system(command), 0);
	up(r, NULL);
	for (i = 0; i < LINES; i++)
		hy_buffer_printf(&b, "{\"id\":\"f-%zu\",\"text\":\"%01000zu\"}\n", i, i);
	int fd = dial(r);
	say_head(fd, r, "Connection: close\r\n", b.size);
	for (size_t step = 256 << 10; !full && at + step < b.size;
		at += step) { /* until somebody else is told that it is */
		assert_true(web_send(fd, b.data + at, step));
		full = ring_post(r, "{\"text\":\"and this?\"}", NULL) == 503;
	}
	assert_true(full);
	assert_true(web_send(fd, b.data + at, b.size - at));
	char *text = read_all(fd);
	close(fd);
	assert_int_equal(strncmp(text, "HTTP/1.1 202 ", 13), 0);
	assert_non_null(strstr(text, "\r\nRetry-After: 5\r\n"));
	j = json_loads(strstr(text, "\r\n\r\n"), 0, NULL);
	free(text);
	json_t *rejected = json_object_get(j, "rejected");
	assert_in_range(number(j, "accepted"), 1000, LINES - 1000);
	assert_int_equal(json_array_size(rejected), LINES - number(j, "accepted"));
	json_array_foreach(rejected, i, entry)
	{
		assert_true(json_is_true(json_object_get(entry, "retry")));
		assert_string_equal(first_detail(entry), "not kept: the store is full; send it again");
		assert_true(json_is_null(json_array_get(json_object_get(j, "ids"), (size_t)number(entry, "index"))));
	}
	json_decref(j);
	b.size = 0;
	hy_buffer_text(&b, "{\"text\":\"one more\"}\n");
	assert_int_equal(post(r, &b, &j), 503);
	assert_string_equal(json_string_value(json_object_get(j, "type")), "/problems/full");
	json_decref(j);
	hy_buffer_free(&b);
}

static void a_key_that_is_revoked_in_the_middle_ends_it_and_what_was_kept_stays(void **state)
{
	struct ring *r = *state;
	char command[4300];
	struct hy_buffer b = { 0 };
	struct web_answer a = { 0 };
	put_lines(&b, 0, 1500);
	int fd = dial(r);
	say_head(fd, r, "", 4 * b.size);
	assert_true(web_send(fd, b.data, b.size));
	snprintf(command, sizeof(command), "sed -i -E '/name: app-default/d; s/^keys:$/keys: []/' '%s/huiyin.yaml'",
		r->dir);
	assert_int_equal(system(command), 0);
	int64_t until = hy_mono_ms() + 60000;
	while (ring_post(r, "{\"text\":\"and now?\"}", NULL) != 401) { /* the file is looked at every two seconds */
		assert_true(hy_mono_ms() < until);
		usleep(50000);
	}
	for (int i = 0; i < 3; i++)
		assert_true(web_send(fd, b.data, b.size));
	a = web_read(fd);
	assert_int_equal(a.status, 401);
	close(fd);
	json_t *health = ring_ask(r, COLLECTOR, "health", NULL, NULL);
	assert_true(number(json_object_get(health, "feedback"), "emitted") >= 1000);
	json_decref(health);
	hy_buffer_free(&b);
}

/* Killed while parts are being kept, sent again as a whole: each once, and the account adds up. */
static void a_batch_cut_by_kill_9_is_sent_again_and_each_line_is_there_once(void **state)
{
	struct ring *r = *state;
	struct hy_buffer b = { 0 };
	json_t *j;
	put_lines(&b, 0, 5000);
	for (int at = 1; at <= 4; at++) {
		char point[32];
		snprintf(point, sizeof(point), "collector.kept:%d", at);
		up(r, point);
		post(r, &b, &j); /* it dies on the way: no answer */
		json_decref(j);
		ring_wait_exit(r, COLLECTOR);
	}
	ring_start_all(r);
	assert_true(ring_ready(r));
	assert_int_equal(post(r, &b, &j), 202);
	assert_int_equal(number(j, "accepted") + number(j, "duplicates"), 5000);
	json_decref(j);
	ring_settle(r);
	j = ring_audit(r);
	assert_int_equal(number(j, "accepted"), 5000);
	json_decref(j);
	hy_buffer_free(&b);
}

int main(void)
{
#define AT_A_COLLECTOR(f) cmocka_unit_test_setup_teardown(f, open_collector, close_ring)
	const struct CMUnitTest tests[] = {
		AT_A_COLLECTOR(five_thousand_lines_are_kept_and_the_bad_ones_between_are_named),
		AT_A_COLLECTOR(each_bad_line_says_what_is_wrong_with_it),
		AT_A_COLLECTOR(nothing_good_in_it_is_422_and_nothing_in_it_too),
		AT_A_COLLECTOR(a_key_of_the_header_goes_with_one_object_only),
		AT_A_COLLECTOR(a_client_that_leaves_in_the_middle_costs_nothing_and_sends_all_again),
		AT_A_COLLECTOR(a_slow_sender_gets_its_answer_once_all_is_kept),
		AT_A_COLLECTOR(a_body_of_very_many_lines_is_read_as_far_as_said),
		cmocka_unit_test_setup_teardown(
			a_store_that_fills_up_in_the_middle_names_what_may_come_again, open_only, close_ring),
		AT_A_COLLECTOR(a_key_that_is_revoked_in_the_middle_ends_it_and_what_was_kept_stays),
		cmocka_unit_test_setup_teardown(where_the_rate_ends_the_rest_may_come_again, open_only, close_ring),
		cmocka_unit_test_setup_teardown(
			a_batch_cut_by_kill_9_is_sent_again_and_each_line_is_there_once, open_only, close_ring),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
