// link: hy_ring
#include "support/ring.h"
#include "support/web.h"

#include "base/clock.h"

#include <signal.h>
#include <sys/wait.h>

/* What the HTTP routes have in common: who may, how fast, what they take; and preferences through the whole ring. */

static int open_collector(void **state)
{
	struct ring *r = ring_open(NULL);
	*state = r;
	ring_start(r, COLLECTOR, NULL);
	int64_t until = hy_mono_ms() + 60000;
	while (ring_http(r, "GET", "/healthz", NULL, NULL, NULL) != 200) {
		if (hy_mono_ms() > until)
			return -1;
		usleep(20000);
	}
	return 0;
}

static int open_all(void **state)
{
	struct ring *r = ring_open(NULL);
	*state = r;
	ring_start_all(r);
	return ring_ready(r) ? 0 : -1;
}

static int close_ring(void **state)
{
	ring_close(*state);
	return 0;
}

/* A request on a connection of its own; `key` NULL = without one, `headers` each with its CRLF. */
static struct web_answer ask(struct ring *r, const char *key, const char *line, const char *headers, const char *body)
{
	struct web w = { .port = r->port };
	char text[4096], authorization[200] = "", length[64] = "";
	int fd = web_connect(&w);
	if (key)
		snprintf(authorization, sizeof(authorization), "Authorization: Bearer %s\r\n", key);
	if (body)
		snprintf(length, sizeof(length), "Content-Length: %zu\r\n", strlen(body));
	snprintf(text, sizeof(text), "%s HTTP/1.1\r\nHost: localhost\r\n%s%s%s\r\n%s", line, authorization, headers,
		length, body ? body : "");
	struct web_answer a = web_ask(fd, text);
	close(fd);
	return a;
}

static struct web_answer post(struct ring *r, const char *path, const char *headers, const char *body)
{
	char line[256];
	snprintf(line, sizeof(line), "POST %s", path);
	return ask(r, r->key, line, headers, body);
}

#define JSON "Content-Type: application/json\r\n"

static void says(struct web_answer a, int status, const char *words)
{
	if (a.status != status || !strstr(a.body, words))
		fail_msg("%d, not %d, or without '%s': %s%s", a.status, status, words, a.head, a.body);
}

static void set_rate(struct ring *r, const char *rate)
{
	char command[4300];
	ring_kill(r, COLLECTOR, SIGTERM);
	snprintf(command, sizeof(command), "sed -i 's|rate: unlimited|rate: %s|' '%s/huiyin.yaml'", rate, r->dir);
	assert_int_equal(system(command), 0);
	ring_start(r, COLLECTOR, NULL);
	int64_t until = hy_mono_ms() + 60000;
	while (ring_http(r, "GET", "/healthz", NULL, NULL, NULL) != 200) {
		assert_true(hy_mono_ms() < until);
		usleep(20000);
	}
}

static void what_is_not_taken_is_refused_with_what_would_be(void **state)
{
	struct ring *r = *state;
	struct web_answer a = post(r, "/v1/feedback", "Content-Type: application/x-www-form-urlencoded\r\n", "text=a");
	says(a, 415, "/problems/media-type");
	assert_non_null(strstr(a.head, "\r\nAccept-Post: application/json, application/x-ndjson, "));
	a = post(r, "/v1/preferences", "Content-Type: application/x-ndjson\r\n", "{}");
	says(a, 415, "it may be application/json.");
	says(post(r, "/v1/feedback", "Content-Type: application/jsonx\r\n", "{}"), 415, "media-type");
	says(post(r, "/v1/feedback", "Content-Type: Application/JSON; charset=utf-8\r\n", "{\"text\":\"a\"}"), 202,
		"ids");
	says(post(r, "/v1/feedback", "", "{\"text\":\"no type is said\"}"), 202, "ids");
}

/* The body never comes: what can be said without it is said. */
static void a_stranger_is_refused_before_she_uploads_anything(void **state)
{
	struct ring *r = *state;
	says(ask(r, NULL, "POST /v1/feedback", JSON "Expect: 100-continue\r\nContent-Length: 200000\r\n", NULL), 401,
		"A key is needed");
	says(ask(r, "hy_no", "POST /v1/feedback",
		     "Content-Type: application/x-ndjson\r\nExpect: 100-continue\r\nContent-Length: 8000000\r\n", NULL),
		401, "not known here");
	says(ask(r, r->key, "POST /v1/preferences",
		     "Content-Type: text/csv\r\nExpect: 100-continue\r\nContent-Length: 9000\r\n", NULL),
		415, "media-type");
}

static void who_guesses_keys_is_slowed_and_those_who_have_one_are_not(void **state)
{
	struct ring *r = *state;
	int refused = 0, slowed = 0;
	for (int i = 0; i < 300; i++) {
		char key[64];
		snprintf(key, sizeof(key), "hy_%043d", i);
		struct web_answer a = ask(r, key, "POST /v1/feedback", JSON, "{\"text\":\"guess\"}");
		assert_true(a.status == 401 || a.status == 429);
		refused += a.status == 401;
		slowed += a.status == 429;
		if (a.status == 429) {
			assert_non_null(strstr(a.head, "\r\nRetry-After: 1\r\n"));
			assert_non_null(strstr(a.head, "\r\nConnection: close\r\n"));
			says(post(r, "/v1/feedback", JSON, "{\"text\":\"honest\"}"), 202, "ids");
		}
	}
	assert_true(refused >= 20);
	print_message("300 guesses: %d refused, %d told to wait\n", refused, slowed);
}

/* Each begins an envelope as large as may be held, under a key that is none, and leaves it unfinished. */
static void strangers_envelopes_take_no_room_from_those_who_have_a_key(void **state)
{
	enum { STRANGERS = 140, HELD = 250000 };
	static const char head[] =
		"{\"dsn\":\"https://hy_no@localhost/1\"}\n{\"type\":\"feedback\",\"length\":260000}\n";
	struct ring *r = *state;
	struct web w = { .port = r->port };
	int fds[STRANGERS];
	char *piece = malloc(HELD), text[200];
	assert_non_null(piece);
	memset(piece, 'a', HELD);
	memcpy(piece, head, strlen(head));
	for (int i = 0; i < STRANGERS; i++) {
		fds[i] = web_connect(&w);
		snprintf(text, sizeof(text),
			"POST /api/1/envelope/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 300000\r\n\r\n");
		assert_int_equal(write(fds[i], text, strlen(text)), strlen(text));
		for (ssize_t at = 0, n; at < HELD; at += n)
			assert_true((n = write(fds[i], piece + at, (size_t)(HELD - at))) > 0);
	}
	for (int i = 0; i < 20; i++, usleep(50000)) /* while it reads them */
		says(post(r, "/v1/feedback", "Content-Type: application/x-ndjson\r\n", "{\"text\":\"honest\"}\n"), 202,
			"ids");
	for (int i = 0; i < STRANGERS; i++)
		close(fds[i]);
	free(piece);
}

static void an_envelope_whose_id_came_by_another_door_is_not_called_kept(void **state)
{
	struct ring *r = *state;
	char path[200];
	snprintf(path, sizeof(path), "/api/1/envelope/?sentry_key=%s", r->key);
	says(post(r, "/v1/feedback", JSON, "{\"id\":\"e-1\",\"text\":\"first\"}"), 202, "ids");
	says(post(r, path, "",
		     "{\"event_id\":\"e-1\"}\n{\"type\":\"feedback\"}\n{\"contexts\":{\"feedback\":{\"message\":\"x\"}}"
		     "}\n"),
		400, "another door");
	says(post(r, path, "",
		     "{\"event_id\":\"e-2\"}\n{\"type\":\"feedback\"}\n{\"contexts\":{\"feedback\":{\"message\":\"x\"}}"
		     "}\n"),
		200, "e-2");
}

static void an_idempotency_key_is_bare_or_quoted_and_is_checked(void **state)
{
	struct ring *r = *state;
	char long_key[300] = "Idempotency-Key: ";
	struct web_answer first =
		post(r, "/v1/feedback", JSON "Idempotency-Key: \"8e03978e 40d5\"\r\n", "{\"text\":\"one\"}");
	says(first, 202, "\"accepted\":1");
	says(post(r, "/v1/feedback", JSON "Idempotency-Key: \"8e03978e 40d5\"\r\n", "{\"text\":\"one\"}"), 202,
		"\"duplicates\":1");
	struct web_answer other =
		post(r, "/v1/feedback", JSON "Idempotency-Key: \"8e03978e 40d5\"\r\n", "{\"text\":\"two\"}");
	says(other, 409, "This Idempotency-Key came before");
	says(post(r, "/v1/feedback", JSON "Idempotency-Key: \"a\\\"b\"\r\n", "{\"text\":\"quote\"}"), 202,
		"\"accepted\":1");
	says(post(r, "/v1/feedback", JSON "Idempotency-Key: a\r\n", "{\"text\":\"bare\"}"), 202, "\"accepted\":1");
	says(post(r, "/v1/feedback", JSON "Idempotency-Key: \"a\"\r\n", "{\"text\":\"bare\"}"), 202,
		"\"duplicates\":1");
	static const char *const bad[] = { "\"open", "\"a\"b", "a b", "\"\"", "\"\xc3\xa9\"", "a\"b" };
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		char header[128];
		snprintf(header, sizeof(header), JSON "Idempotency-Key: %s\r\n", bad[i]);
		struct web_answer a = post(r, "/v1/feedback", header, "{\"text\":\"x\"}");
		if (a.status != 400)
			fail_msg("%s: %d %s", bad[i], a.status, a.body);
	}
	size_t at = strlen(long_key);
	memset(long_key + at, 'k', 201);
	strcpy(long_key + at + 201, "\r\n");
	says(post(r, "/v1/feedback", long_key, "{\"text\":\"x\"}"), 400, "/problems/idempotency-key");
	says(post(r, "/v1/feedback", JSON "Idempotency-Key: k\r\n", "[{\"text\":\"x\"}]"), 400, "give each its own id");
	/* The object's own id goes first. */
	says(post(r, "/v1/feedback", JSON "Idempotency-Key: other\r\n", "{\"id\":\"own\",\"text\":\"x\"}"), 202,
		"\"accepted\":1");
	says(post(r, "/v1/feedback", JSON, "{\"id\":\"own\",\"text\":\"x\"}"), 202, "\"duplicates\":1");
}

static void a_key_with_a_rate_learns_where_it_stands(void **state)
{
	struct ring *r = *state;
	set_rate(r, "1/min");
	struct web_answer a = post(r, "/v1/feedback", JSON, "{\"text\":\"one\"}");
	says(a, 202, "ids");
	assert_non_null(strstr(a.head, "\r\nRateLimit: \"ingest\";r=0;t=0\r\n"));
	assert_non_null(strstr(a.head, "\r\nRateLimit-Policy: \"ingest\";q=1;w=1\r\n"));
	a = post(r, "/v1/feedback", JSON, "{\"broken"); /* the rate goes before the reading of JSON */
	says(a, 429, "/problems/rate");
	assert_non_null(strstr(a.head, "\r\nRetry-After: "));
	assert_non_null(strstr(a.head, "\r\nRateLimit: \"ingest\";r=0;t="));
}

static void an_array_larger_than_a_seconds_worth_waits_but_not_for_ever(void **state)
{
	struct ring *r = *state;
	set_rate(r, "2/s");
	int64_t until = hy_mono_ms() + 120000;
	for (int taken = 0; taken < 2;) {
		struct web_answer a = post(r, "/v1/feedback", JSON,
			"[{\"text\":\"a\"},{\"text\":\"b\"},{\"text\":\"c\"},{\"text\":\"d\"},{\"text\":\"e\"}]");
		assert_true(a.status == 202 || a.status == 429);
		assert_true(hy_mono_ms() < until);
		taken += a.status == 202;
		usleep(100000);
	}
}

static void a_body_that_cant_be_read_costs_its_token(void **state)
{
	struct ring *r = *state;
	set_rate(r, "1/min");
	says(post(r, "/v1/feedback", JSON, "{\"broken"), 400, "/problems/json");
	says(post(r, "/v1/feedback", JSON, "{\"broken"), 429, "/problems/rate");
	says(post(r, "/events", "Content-Type: application/cloudevents+json\r\n", "{\"broken"), 429, "/problems/rate");
}

static void a_page_of_any_origin_may_send_feedback(void **state)
{
	struct ring *r = *state;
	struct web_answer a = ask(r, NULL, "OPTIONS /v1/feedback",
		"Origin: https://shop.example\r\nAccess-Control-Request-Method: POST\r\n"
		"Access-Control-Request-Headers: authorization,content-type\r\n",
		NULL);
	assert_int_equal(a.status, 204);
	assert_non_null(strcasestr(a.head, "\r\nAccess-Control-Allow-Origin: "));
	a = post(r, "/v1/feedback", JSON "Origin: https://shop.example\r\n", "{\"text\":\"from a page\"}");
	says(a, 202, "ids");
	assert_non_null(strcasestr(a.head, "\r\nAccess-Control-Allow-Origin: "));
}

static int tls(struct ring *r, const char *yaml)
{
	char command[9000];
	snprintf(command, sizeof(command),
		"cd '%s' && openssl req -x509 -newkey rsa:2048 -nodes -keyout keys/tls.key -out tls.pem -days 2 -subj "
		"/CN=localhost "
		"2>/dev/null && sed -i -E '/^ *(certificate|key|tls):/d; s|^( *)listen: (127.0.0.1:%d)|\\1listen: "
		"\\2\\n%s|' huiyin.yaml",
		r->dir, r->port, yaml);
	return system(command);
}

static void tls_files_are_relative_to_the_installation_and_go_together(void **state)
{
	struct ring *r = *state;
	char command[300], words[64] = "";
	ring_kill(r, COLLECTOR, SIGTERM);
	if (tls(r, "\\1tls: { certificate: tls.pem, key: keys/tls.key }") != 0)
		skip(); /* no openssl */
	ring_start(r, COLLECTOR, NULL);
	snprintf(command, sizeof(command),
		"curl -sk --retry 60 --retry-delay 1 --retry-all-errors https://127.0.0.1:%d/healthz", r->port);
	FILE *p = popen(command, "r");
	assert_non_null(p);
	assert_non_null(fgets(words, sizeof(words), p));
	pclose(p);
	assert_string_equal(words, "ok\n");
	ring_kill(r, COLLECTOR, SIGTERM);
	assert_int_equal(tls(r, "\\1tls: { certificate: tls.pem }"), 0);
	ring_start(r, COLLECTOR, NULL);
	int status = ring_wait_exit(r, COLLECTOR);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 78);
	snprintf(command, sizeof(command), "grep -q 'go together: both, or neither' '%s/collector.log'", r->dir);
	assert_int_equal(system(command), 0);
}

static void problems_explain_themselves_in_both_languages(void **state)
{
	struct ring *r = *state;
	says(ask(r, NULL, "GET /problems/full", "Accept-Language: zh-CN,zh;q=0.9\r\n", NULL), 200, "存储空间已满");
	says(ask(r, NULL, "GET /problems/full", "", NULL), 200, "What to do: Wait as long as");
	says(ask(r, NULL, "GET /problems/full?l=zh", "Accept-Language: en\r\n", NULL), 200, "怎么办");
	says(ask(r, NULL, "GET /problems/none", "", NULL), 404, "/problems/not-found");
}

static void the_description_is_served_once_and_then_known(void **state)
{
	struct ring *r = *state;
	char etag[64], headers[128];
	char *text = NULL;
	assert_int_equal(ring_http(r, "GET", "/openapi.yaml", NULL, NULL, &text), 200);
	assert_int_equal(strncmp(text, "openapi: 3.1.0\n", 15), 0);
	free(text);
	struct web w = { .port = r->port };
	int fd = web_connect(&w);
	web_say(fd, "HEAD /openapi.yaml HTTP/1.1\r\nHost: localhost\r\n\r\n");
	struct web_answer a = web_read_for(fd, true);
	assert_int_equal(sscanf(strstr(a.head, "\r\nETag: "), "\r\nETag: %60s", etag), 1);
	snprintf(headers, sizeof(headers), "GET /openapi.yaml HTTP/1.1\r\nHost: localhost\r\nIf-None-Match: %s\r\n\r\n",
		etag);
	web_say(fd, headers);
	a = web_read_for(fd, true);
	assert_int_equal(a.status, 304);
	web_say(fd, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"); /* nothing followed the 304 */
	a = web_read(fd);
	assert_int_equal(a.status, 200);
	close(fd);
}

static void preferences_have_pointers_and_are_kept_once(void **state)
{
	struct ring *r = *state;
	static const char body[] = "{\"id\":\"p1\",\"customer\":{\"id\":\"u\"},\"consent\":{\"receipt\":false}}";
	says(post(r, "/v1/preferences", JSON,
		     "{\"customer\":{\"id\":\"u\"},\"quiet\":{\"from\":\"8pm\",\"to\":\"07:00\"}}"),
		422, "\"pointer\":\"/quiet/from\"");
	says(post(r, "/v1/preferences", JSON, "[]"), 422, "must be an object");
	says(post(r, "/v1/preferences", JSON, body), 202, "\"accepted\":1");
	says(post(r, "/v1/preferences", JSON, body), 202, "\"duplicates\":1");
	says(post(r, "/v1/preferences", JSON,
		     "{\"id\":\"p1\",\"customer\":{\"id\":\"u\"},\"consent\":{\"all\":false}}"),
		409, "/id");
	says(post(r, "/v1/preferences", JSON "Idempotency-Key: pk\r\n",
		     "{\"customer\":{\"id\":\"u\"},\"channels\":[\"email\"]}"),
		202, "\"accepted\":1");
	/* Nobody's feedback: it has no place in the loop, and the account does not count it. */
	struct web_answer a = post(r, "/v1/preferences", JSON, body);
	char path[128] = "GET /v1/feedback/";
	assert_int_equal(sscanf(strstr(a.body, "\"ids\":[\""), "\"ids\":[\"%36s", path + strlen(path)), 1);
	assert_int_equal(ask(r, r->key, path, "", NULL).status, 404);
}

static void who_wants_no_thanks_gets_none_and_the_account_says_why(void **state)
{
	struct ring *r = *state;
	says(post(r, "/v1/preferences", JSON, "{\"customer\":{\"id\":\"shy\"},\"consent\":{\"all\":false}}"), 202,
		"\"accepted\":1");
	ring_settle(r);
	free(ring_say(r, "{\"text\":\"谢谢，客服非常耐心，很满意！\",\"customer\":{\"id\":\"shy\",\"email\":\"shy@"
			 "example.org\"}}"));
	free(ring_say(r, "{\"text\":\"谢谢，客服非常耐心，很满意！\",\"customer\":{\"id\":\"open\",\"email\":\"open@"
			 "example.org\"}}"));
	ring_settle(r);
	json_t *j = ring_audit(r);
	assert_int_equal(json_integer_value(json_object_get(j, "accepted")), 2);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(j, "excused"), "unsubscribed")), 1);
	json_decref(j);
	assert_null(ring_mail(r, "shy@example.org", ""));
}

int main(void)
{
#define AT_A_COLLECTOR(f) cmocka_unit_test_setup_teardown(f, open_collector, close_ring)
	const struct CMUnitTest tests[] = {
		AT_A_COLLECTOR(what_is_not_taken_is_refused_with_what_would_be),
		AT_A_COLLECTOR(a_stranger_is_refused_before_she_uploads_anything),
		AT_A_COLLECTOR(who_guesses_keys_is_slowed_and_those_who_have_one_are_not),
		AT_A_COLLECTOR(strangers_envelopes_take_no_room_from_those_who_have_a_key),
		AT_A_COLLECTOR(an_envelope_whose_id_came_by_another_door_is_not_called_kept),
		AT_A_COLLECTOR(an_idempotency_key_is_bare_or_quoted_and_is_checked),
		AT_A_COLLECTOR(a_key_with_a_rate_learns_where_it_stands),
		AT_A_COLLECTOR(an_array_larger_than_a_seconds_worth_waits_but_not_for_ever),
		AT_A_COLLECTOR(a_body_that_cant_be_read_costs_its_token),
		AT_A_COLLECTOR(a_page_of_any_origin_may_send_feedback),
		AT_A_COLLECTOR(tls_files_are_relative_to_the_installation_and_go_together),
		AT_A_COLLECTOR(problems_explain_themselves_in_both_languages),
		AT_A_COLLECTOR(the_description_is_served_once_and_then_known),
		AT_A_COLLECTOR(preferences_have_pointers_and_are_kept_once),
		cmocka_unit_test_setup_teardown(
			who_wants_no_thanks_gets_none_and_the_account_says_why, open_all, close_ring),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
