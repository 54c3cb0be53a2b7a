// link: hy_client
#include "support/web.h"

#include "base/clock.h"
#include "client/client.h"

#include <jansson.h>
#include <signal.h>

/* The client against an HTTP server that answers as a test says: what it keeps, what it tries again, and what it gives up. */

enum { PATIENCE = 120000, SCRIPT_MAX = 16, KEPT_MAX = 4096 };

struct script {
	int status;
	const char *retry_after, *body; /* body NULL: a collector's, all kept */
};

static struct {
	struct script steps[SCRIPT_MAX]; /* one a request; afterwards everything is kept */
	atomic_int step, requests;
	int64_t asked_ms[64]; /* when the requests came */
	char *ids[KEPT_MAX]; /* of what was kept, each once */
	char *texts[KEPT_MAX];
	atomic_int kept, repeats;
	char authorization[64], type[64];
} server;

struct fx {
	struct web web;
	struct hy_client *c;
	char url[64];
};

static void keep(const char *id, const char *text)
{
	for (int i = 0; i < server.kept; i++)
		if (strcmp(server.ids[i], id) == 0) {
			server.repeats++;
			return;
		}
	assert_true(server.kept < KEPT_MAX);
	server.ids[server.kept] = strdup(id);
	server.texts[server.kept] = strdup(text);
	server.kept++;
}

/* Lines whose text begins with "bad" are refused, with "later" told to come again (once), the others kept. */
static void answer_as_a_collector(struct hy_request *q)
{
	struct hy_bytes body = hy_http_body(q);
	json_t *rejected = json_array();
	int index = 0, good = 0;
	bool again = false;
	for (size_t at = 0; at < body.size; index++) {
		const char *line = (const char *)body.data + at;
		size_t size = strcspn(line, "\n");
		json_t *item = json_loadb(line, size, 0, NULL);
		assert_non_null(item);
		const char *text = json_string_value(json_object_get(item, "text"));
		const char *id = json_string_value(json_object_get(item, "id"));
		assert_non_null(id);
		static int later;
		bool bad = strncmp(text, "bad", 3) == 0, put_off = strncmp(text, "later", 5) == 0 && later++ % 2 == 0;
		if (bad || put_off) {
			json_t *one = json_pack("{s:i, s:[{s:s, s:s}]}", "index", index, "errors", "pointer",
				bad ? "/text" : "", "detail", bad ? "bad words" : "not kept: busy");
			if (put_off)
				json_object_set_new(one, "retry", json_true());
			again |= put_off;
			json_array_append_new(rejected, one);
		} else {
			keep(id, text);
			good++;
		}
		json_decref(item);
		at += size + 1;
	}
	if (again)
		hy_http_add_header(q, "Retry-After", "1");
	json_t *answer = good ? json_pack("{s:i, s:i, s:o}", "accepted", good, "duplicates", 0, "rejected", rejected)
			      : json_pack("{s:s, s:o}", "detail", "nothing of it", "errors", rejected);
	char *text = json_dumps(answer, JSON_COMPACT);
	hy_http_reply(q, good ? 202 : 422, "application/json", hy_bytes_text(text));
	free(text);
	json_decref(answer);
}

static void on_feedback(struct hy_request *q, void *arg)
{
	int n = server.requests++;
	(void)arg;
	if (n < 64)
		server.asked_ms[n] = hy_mono_ms();
	snprintf(server.authorization, sizeof(server.authorization), "%s", hy_http_header(q, "Authorization"));
	snprintf(server.type, sizeof(server.type), "%s", hy_http_header(q, "Content-Type"));
	const struct script *s = server.step < SCRIPT_MAX ? &server.steps[server.step] : NULL;
	if (!s || !s->status) {
		answer_as_a_collector(q);
		return;
	}
	server.step++;
	if (s->retry_after)
		hy_http_add_header(q, "Retry-After", s->retry_after);
	hy_http_reply(q, s->status, "application/json", hy_bytes_text(s->body ? s->body : "{}"));
}

static const struct hy_route routes[] = {
	{ "POST", "/v1/feedback", .body_max = 1 << 20, .handle = on_feedback },
	{ 0 },
};

static int open_fx(void **state)
{
	struct fx *fx = calloc(1, sizeof(*fx));
	assert_non_null(fx);
	memset(&server, 0, sizeof(server));
	signal(SIGPIPE, SIG_IGN);
	web_start(&fx->web, routes, (struct hy_http_options){ 0 });
	snprintf(fx->url, sizeof(fx->url), "http://127.0.0.1:%d/", fx->web.port);
	*state = fx;
	return 0;
}

static int close_fx(void **state)
{
	struct fx *fx = *state;
	hy_client_close(&fx->c);
	web_stop(&fx->web);
	for (int i = 0; i < server.kept; i++) {
		free(server.ids[i]);
		free(server.texts[i]);
	}
	free(fx);
	return 0;
}

static void begin(struct fx *fx)
{
	assert_int_equal(hy_client_open(&fx->c, fx->url, "hy_key"), HY_CLIENT_OK);
}

static void say(struct fx *fx, const char *text, int count)
{
	char words[64];
	for (int i = 0; i < count; i++) {
		snprintf(words, sizeof(words), "%s %d", text, i);
		assert_int_equal(hy_client_feedback(fx->c, HY_CLIENT_FEEDBACK(.text = words)), HY_CLIENT_OK);
	}
}

static struct hy_client_stats stats(struct fx *fx)
{
	struct hy_client_stats s = { .size = sizeof(s) };
	assert_int_equal(hy_client_stats(fx->c, &s), HY_CLIENT_OK);
	return s;
}

static void flushed(struct fx *fx)
{
	char words[512] = "";
	int result = hy_client_flush(fx->c, PATIENCE);
	hy_client_problem(fx->c, words, sizeof(words));
	if (result != HY_CLIENT_OK)
		fail_msg("%d: %s", result, words);
}

static void items_go_as_lines_with_ids_and_the_key(void **state)
{
	struct fx *fx = *state;
	begin(fx);
	say(fx, "one", 3000);
	flushed(fx);
	assert_int_equal(server.kept, 3000);
	assert_int_equal(server.repeats, 0);
	assert_string_equal(server.authorization, "Bearer hy_key");
	assert_string_equal(server.type, "application/x-ndjson");
	assert_true(server.requests < 100);
	assert_int_equal(stats(fx).durable, 3000);
	assert_true(stats(fx).connected);
}

static void what_passes_is_tried_again_no_sooner_than_asked(void **state)
{
	struct fx *fx = *state;
	server.steps[0] = (struct script){ 503, "1", NULL };
	server.steps[1] = (struct script){ 429, "1", NULL };
	server.steps[2] = (struct script){ 500, NULL, NULL };
	server.steps[3] = (struct script){ 502, NULL, "<html>a proxy</html>" };
	server.steps[4] = (struct script){ 401, NULL, "{\"detail\":\"who are you\"}" };
	server.steps[5] = (struct script){ 404, NULL, NULL };
	begin(fx);
	say(fx, "one", 1);
	flushed(fx);
	assert_int_equal(server.requests, 7);
	assert_int_equal(server.kept, 1);
	assert_true(server.asked_ms[1] - server.asked_ms[0] >= 999);
	assert_true(server.asked_ms[2] - server.asked_ms[1] >= 999);
	assert_int_equal(stats(fx).rejected, 0);
}

static void an_answer_that_is_no_collectors_is_not_believed(void **state)
{
	struct fx *fx = *state;
	static const char *const bodies[] = { "", "<html>welcome to this hotel</html>", "[]", "{}", "{\"accepted\":1}",
		"{\"accepted\":7,\"duplicates\":0,\"rejected\":[]}",
		"{\"accepted\":0,\"duplicates\":0,\"rejected\":[{\"index\":9}]}",
		"{\"accepted\":0,\"duplicates\":0,\"rejected\":[{\"index\":-1}]}",
		"{\"accepted\":0,\"duplicates\":0,\"rejected\":[3]}" };
	char words[512];
	begin(fx);
	for (size_t i = 0; i < sizeof(bodies) / sizeof(*bodies); i++) {
		server.steps[0] = (struct script){ i == 1 ? 200 : 202, NULL, bodies[i] };
		server.step = 0;
		say(fx, "one", 1);
		do {
			usleep(2000);
			hy_client_problem(fx->c, words, sizeof(words));
		} while (!words[0] && server.kept == (int)i);
		flushed(fx);
		assert_int_equal(server.step, 1);
		assert_int_equal(server.kept, i + 1);
		assert_int_equal(server.repeats, 0);
		assert_int_equal(stats(fx).durable, i + 1);
	}
}

struct told {
	atomic_int count;
	char words[256];
};

static void on_rejected(void *arg, const struct hy_client_rejection *r)
{
	struct told *t = arg;
	snprintf(t->words, sizeof(t->words), "%s|%s|%s", r->text, r->pointer, r->detail);
	t->count++;
}

static void what_is_refused_is_told_and_the_rest_is_kept(void **state)
{
	struct fx *fx = *state;
	struct told told = { 0 };
	begin(fx);
	hy_client_on_rejected(fx->c, on_rejected, &told);
	for (int i = 0; i < 50; i++) {
		say(fx, "good", 3);
		say(fx, "bad", 1);
	}
	flushed(fx);
	assert_int_equal(stats(fx).rejected, 50);
	assert_int_equal(stats(fx).durable, 150);
	say(fx, "bad", 2); /* nothing of it can be kept: another status */
	flushed(fx);
	assert_int_equal(stats(fx).rejected, 52);
	assert_int_equal(told.count, 52);
	assert_string_equal(told.words, "bad 1|/text|bad words");
}

static void lines_that_could_not_be_kept_yet_come_again(void **state)
{
	struct fx *fx = *state;
	begin(fx);
	say(fx, "good", 10);
	say(fx, "later", 1);
	say(fx, "good", 10);
	flushed(fx);
	assert_int_equal(server.kept, 21);
	assert_int_equal(stats(fx).durable, 21);
	assert_int_equal(stats(fx).rejected, 0);
}

/* 400 and 413 speak of the whole: it is sent line by line, and only what is refused alone is given up. */
static void a_request_that_is_refused_as_a_whole_is_taken_apart(void **state)
{
	struct fx *fx = *state;
	struct told told = { 0 };
	server.steps[0] = (struct script){ 503, "1", NULL }; /* all of it is waiting then */
	server.steps[1] = (struct script){ 413, NULL, NULL };
	server.steps[2] = (struct script){ 400, NULL, "{\"detail\":\"not JSON\"}" };
	begin(fx);
	hy_client_on_rejected(fx->c, on_rejected, &told);
	say(fx, "one", 20);
	flushed(fx);
	assert_int_equal(server.kept, 19);
	assert_int_equal(stats(fx).durable, 19);
	assert_int_equal(stats(fx).rejected, 1);
	assert_string_equal(told.words, "one 0||not JSON");
}

static void a_page_of_a_stranger_s_that_refuses_settles_nothing(void **state)
{
	struct fx *fx = *state;
	static const char page[] = "<html>The plain HTTP request was sent to HTTPS port</html>";
	server.steps[0] = (struct script){ 503, "1", NULL }; /* all of it is waiting then */
	server.steps[1] = server.steps[2] = (struct script){ 400, NULL, page };
	server.steps[3] = (struct script){ 422, NULL, page };
	begin(fx);
	say(fx, "one", 5);
	flushed(fx);
	assert_int_equal(server.kept, 5);
	assert_int_equal(stats(fx).durable, 5);
	assert_int_equal(stats(fx).rejected, 0);
}

static void a_server_that_goes_away_and_comes_back_gets_everything_once(void **state)
{
	struct fx *fx = *state;
	char listen[64];
	begin(fx);
	say(fx, "one", 100);
	flushed(fx);
	snprintf(listen, sizeof(listen), "127.0.0.1:%d", fx->web.port);
	web_stop(&fx->web);
	say(fx, "two", 100);
	assert_int_equal(hy_client_flush(fx->c, 500), HY_CLIENT_TIMEOUT);
	assert_false(stats(fx).connected);
	web_start(&fx->web, routes, (struct hy_http_options){ .listen = listen });
	flushed(fx);
	assert_int_equal(server.kept, 200);
	assert_int_equal(server.repeats, 0);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, open_fx, close_fx)
	const struct CMUnitTest tests[] = {
		CASE(items_go_as_lines_with_ids_and_the_key),
		CASE(what_passes_is_tried_again_no_sooner_than_asked),
		CASE(an_answer_that_is_no_collectors_is_not_believed),
		CASE(what_is_refused_is_told_and_the_rest_is_kept),
		CASE(lines_that_could_not_be_kept_yet_come_again),
		CASE(a_request_that_is_refused_as_a_whole_is_taken_apart),
		CASE(a_page_of_a_stranger_s_that_refuses_settles_nothing),
		CASE(a_server_that_goes_away_and_comes_back_gets_everything_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
