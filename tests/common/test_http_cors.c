// link: hy_http
#include "support/web.h"

#define HOST "Host: localhost\r\n"
#define ORIGIN(x) "Origin: " x "\r\n"
#define ASK(method) "Access-Control-Request-Method: " method "\r\n"
#define APP ORIGIN("https://app.example")

static void on_ok(struct hy_request *q, void *arg)
{
	struct web *w = arg;
	w->calls++;
	hy_http_add_header(q, "Retry-After", "1");
	hy_http_reply(q, 200, "text/plain", HY_LIT("ok"));
}

static void check_key(struct hy_request *q, void *arg)
{
	(void)arg;
	if (!hy_http_header(q, "Authorization"))
		hy_http_problem(q, 401, "unauthorized", "a key is needed", NULL);
}

static void on_later(struct hy_request *q, void *arg)
{
	struct web *w = arg;
	hy_http_later(q);
	w->held[w->held_count++] = q;
}

static const struct hy_route routes[] = {
	{ "POST", "/v1/things", 10, on_ok, .cors = true },
	{ "GET", "/v1/things/{id}", 0, on_ok, .cors = true },
	{ "PATCH", "/v1/things/{id}", 10, on_ok, .cors = true },
	{ "DELETE", "/v1/things/{id}", 0, on_ok },
	{ "POST", "/v1/locked", 10, on_ok, check_key, .cors = true },
	{ "POST", "/v1/later", 10, on_later, .cors = true },
	{ "GET", "/inside", 0, on_ok },
	{ 0 },
};

static struct web web;
static const char *const listed[] = { "https://app.example", "http://localhost:3000", NULL };
static const char *const everyone[] = { "*", NULL };

static int up(void **state)
{
	(void)state;
	web_start(&web, routes, (struct hy_http_options){ .origins = listed });
	return 0;
}

static int up_for_everyone(void **state)
{
	(void)state;
	web_start(&web, routes, (struct hy_http_options){ .origins = everyone });
	return 0;
}

static int up_for_nobody(void **state)
{
	(void)state;
	web_start(&web, routes, (struct hy_http_options){ 0 });
	return 0;
}

static int down(void **state)
{
	(void)state;
	web_stop(&web);
	return 0;
}

static struct web_answer ask(const char *text)
{
	int fd = web_connect(&web);
	struct web_answer a = web_ask(fd, text);
	close(fd);
	return a;
}

#define has(a, line) assert_non_null(strstr((a).head, "\r\n" line "\r\n"))
#define lacks(a, word) assert_null(strcasestr((a).head, word))

static void a_preflight_is_told_what_the_page_may_send(void **state)
{
	(void)state;
	struct web_answer a = ask("OPTIONS /v1/things HTTP/1.1\r\n" HOST APP ASK(
		"POST") "Access-Control-Request-Headers: authorization,content-type\r\n\r\n");
	assert_int_equal(a.status, 204);
	has(a, "Access-Control-Allow-Origin: https://app.example");
	has(a, "Access-Control-Allow-Methods: POST");
	has(a, "Access-Control-Allow-Headers: authorization,content-type");
	has(a, "Access-Control-Max-Age: 86400");
	has(a, "Vary: Origin");
	lacks(a, "Credentials");
	lacks(a, "Private-Network");
	assert_int_equal(web.calls, 0);
}

static void a_preflight_names_the_methods_for_pages_only(void **state)
{
	(void)state;
	struct web_answer a =
		ask("OPTIONS /v1/things/7 HTTP/1.1\r\n" HOST ORIGIN("http://localhost:3000") ASK("DELETE") "\r\n");
	assert_int_equal(a.status, 204);
	has(a, "Access-Control-Allow-Methods: GET, PATCH");
	has(a, "Access-Control-Allow-Origin: http://localhost:3000");
	lacks(a, "Allow-Headers"); /* none were asked for */
}

static void the_connection_goes_on_after_a_preflight(void **state)
{
	(void)state;
	int fd = web_connect(&web);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(
			web_ask(fd, "OPTIONS /v1/things HTTP/1.1\r\n" HOST APP ASK("POST") "\r\n").status, 204);
		struct web_answer a =
			web_ask(fd, "POST /v1/things HTTP/1.1\r\n" HOST APP "Content-Length: 2\r\n\r\nhi");
		assert_int_equal(a.status, 200);
		assert_string_equal(a.body, "ok");
	}
	close(fd);
}

static void pages_of_other_origins_get_nothing(void **state)
{
	(void)state;
	static const char *const strangers[] = { ORIGIN("https://evil.example"), ORIGIN("https://app.example.evil"),
		ORIGIN("http://app.example"), ORIGIN("https://app.example:8443"), ORIGIN("null"),
		ORIGIN("https://APP.example"), ORIGIN("*") };
	char text[512];
	for (size_t i = 0; i < sizeof(strangers) / sizeof(strangers[0]); i++) {
		snprintf(text, sizeof(text), "OPTIONS /v1/things HTTP/1.1\r\n" HOST "%s" ASK("POST") "\r\n",
			strangers[i]);
		struct web_answer a = ask(text);
		assert_int_equal(a.status, 403);
		lacks(a, "Access-Control");
		assert_non_null(strstr(a.body, "http.origins"));
		snprintf(text, sizeof(text), "POST /v1/things HTTP/1.1\r\n" HOST "%sContent-Length: 0\r\n\r\n",
			strangers[i]);
		a = ask(text);
		assert_int_equal(a.status, 200); /* it is the browser that keeps it from the page */
		lacks(a, "Access-Control");
		has(a, "Vary: Origin");
	}
}

static void answers_are_shown_to_the_page_with_what_it_needs_to_read(void **state)
{
	(void)state;
	struct web_answer a = ask("GET /v1/things/7 HTTP/1.1\r\n" HOST APP "\r\n");
	assert_int_equal(a.status, 200);
	has(a, "Access-Control-Allow-Origin: https://app.example");
	has(a, "Access-Control-Expose-Headers: Retry-After, RateLimit, RateLimit-Policy, Location");
	has(a, "Vary: Origin");
	lacks(a, "Credentials");
	a = ask("GET /v1/things/7 HTTP/1.1\r\n" HOST "\r\n"); /* no page asks */
	lacks(a, "Access-Control");
	has(a, "Vary: Origin");
}

static void faults_are_shown_to_the_page_too(void **state)
{
	(void)state;
	static const struct {
		int status;
		const char *text;
	} faults[] = {
		{ 401, "POST /v1/locked HTTP/1.1\r\n" HOST APP "Content-Length: 2\r\n\r\nhi" },
		{ 405, "PUT /v1/things HTTP/1.1\r\n" HOST APP "\r\n" },
		{ 413, "POST /v1/things HTTP/1.1\r\n" HOST APP "Content-Length: 11\r\n\r\nhello world" },
		{ 413, "POST /v1/things HTTP/1.1\r\n" HOST APP
		       "Transfer-Encoding: chunked\r\n\r\nb\r\nhello world\r\n0\r\n\r\n" },
		{ 415, "POST /v1/things HTTP/1.1\r\n" HOST APP "Content-Encoding: br\r\nContent-Length: 2\r\n\r\nhi" },
		{ 400, "OPTIONS /v1/things HTTP/1.1\r\n" HOST APP ASK(
			       "POST") "Access-Control-Request-Headers: a b, c/d\r\n\r\n" },
	};
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		struct web_answer a = ask(faults[i].text);
		assert_int_equal(a.status, faults[i].status);
		has(a, "Access-Control-Allow-Origin: https://app.example");
	}
}

static void an_answer_given_in_the_handlers_place_is_shown_to_the_page(void **state)
{
	(void)state;
	web_start(&web, routes, (struct hy_http_options){ .origins = listed, .answer_ms = 100 });
	struct web_answer a = ask("POST /v1/later HTTP/1.1\r\n" HOST APP "Content-Length: 0\r\n\r\n");
	assert_int_equal(a.status, 503);
	has(a, "Access-Control-Allow-Origin: https://app.example");
	web_stop(&web);
}

static void paths_that_are_not_for_pages_stay_as_they_are(void **state)
{
	(void)state;
	struct web_answer a = ask("GET /inside HTTP/1.1\r\n" HOST APP "\r\n");
	assert_int_equal(a.status, 200);
	lacks(a, "Access-Control");
	lacks(a, "Vary");
	a = ask("OPTIONS /inside HTTP/1.1\r\n" HOST APP ASK("GET") "\r\n");
	assert_int_equal(a.status, 405);
	lacks(a, "Access-Control");
	a = ask("OPTIONS /nowhere HTTP/1.1\r\n" HOST APP ASK("GET") "\r\n");
	assert_int_equal(a.status, 404);
	lacks(a, "Access-Control");
	a = ask("OPTIONS /v1/things HTTP/1.1\r\n" HOST APP "\r\n"); /* no preflight: it asks for no method */
	assert_int_equal(a.status, 405);
	has(a, "Allow: POST");
}

/* What a browser would never send must not come back as if it were ours. */
static void only_header_names_are_repeated(void **state)
{
	(void)state;
	static const char *const bad[] = { "x y", "a;b", "\"a\"", "a:b", "\xc3\xa4", "a, b=c", "a,", ",a" };
	char text[4096];
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(text, sizeof(text),
			"OPTIONS /v1/things HTTP/1.1\r\n" HOST APP ASK(
				"POST") "Access-Control-Request-Headers: %s\r\n\r\n",
			bad[i]);
		struct web_answer a = ask(text);
		assert_int_equal(a.status, 400);
		lacks(a, "Allow-Headers");
	}
	snprintf(text, sizeof(text),
		"OPTIONS /v1/things HTTP/1.1\r\n" HOST APP ASK(
			"POST") "Access-Control-Request-Headers: %01025d\r\n\r\n",
		0);
	assert_int_equal(ask(text).status, 400);
}

static void with_a_star_every_page_may_ask_but_without_credentials(void **state)
{
	(void)state;
	struct web_answer a = ask("OPTIONS /v1/things HTTP/1.1\r\n" HOST ORIGIN("https://any.example")
			ASK("POST") "Access-Control-Request-Headers: "
				    "Authorization\r\nAccess-Control-Request-Private-Network: true\r\n\r\n");
	assert_int_equal(a.status, 204);
	has(a, "Access-Control-Allow-Origin: *");
	has(a, "Access-Control-Allow-Headers: Authorization"); /* named: a star would not cover it */
	lacks(a, "Credentials");
	lacks(a, "Private-Network");
	a = ask("POST /v1/things HTTP/1.1\r\n" HOST ORIGIN("null") "Content-Length: 0\r\n\r\n");
	has(a, "Access-Control-Allow-Origin: *");
}

static void without_origins_nothing_is_said_to_pages(void **state)
{
	(void)state;
	struct web_answer a = ask("OPTIONS /v1/things HTTP/1.1\r\n" HOST APP ASK("POST") "\r\n");
	assert_int_equal(a.status, 405);
	lacks(a, "Access-Control");
	a = ask("POST /v1/things HTTP/1.1\r\n" HOST APP "Content-Length: 0\r\n\r\n");
	assert_int_equal(a.status, 200);
	lacks(a, "Access-Control");
	lacks(a, "Vary");
}

static void an_origin_that_could_never_match_is_a_fault_at_start(void **state)
{
	(void)state;
	static const char *const bad[] = { "app.example", "https://", "https://app.example/", "https://App.example",
		"ftp://a", "https://a b", "https://*.example", "" };
	struct hy_loop *loop;
	assert_int_equal(hy_loop_open(&loop), HY_OK);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		const char *list[] = { "https://fine.example", bad[i], NULL };
		struct hy_http *h;
		struct hy_fault f = { 0 };
		struct hy_http_options o = { .loop = loop, .listen = "127.0.0.1:0", .routes = routes, .origins = list };
		assert_int_equal(hy_http_open(&h, &o, &f), HY_CONFIG);
		assert_non_null(strstr(f.text, "https://app.example"));
		assert_null(h);
	}
	hy_loop_close(&loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_preflight_is_told_what_the_page_may_send, up, down),
		cmocka_unit_test_setup_teardown(a_preflight_names_the_methods_for_pages_only, up, down),
		cmocka_unit_test_setup_teardown(the_connection_goes_on_after_a_preflight, up, down),
		cmocka_unit_test_setup_teardown(pages_of_other_origins_get_nothing, up, down),
		cmocka_unit_test_setup_teardown(answers_are_shown_to_the_page_with_what_it_needs_to_read, up, down),
		cmocka_unit_test_setup_teardown(faults_are_shown_to_the_page_too, up, down),
		cmocka_unit_test(an_answer_given_in_the_handlers_place_is_shown_to_the_page),
		cmocka_unit_test_setup_teardown(paths_that_are_not_for_pages_stay_as_they_are, up, down),
		cmocka_unit_test_setup_teardown(only_header_names_are_repeated, up, down),
		cmocka_unit_test_setup_teardown(
			with_a_star_every_page_may_ask_but_without_credentials, up_for_everyone, down),
		cmocka_unit_test_setup_teardown(without_origins_nothing_is_said_to_pages, up_for_nobody, down),
		cmocka_unit_test(an_origin_that_could_never_match_is_a_fault_at_start),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
