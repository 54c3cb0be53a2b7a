// link: hy_http
#include "support/web.h"

#define HOST "Host: localhost\r\n"
#define GET(path) "GET " path " HTTP/1.1\r\n" HOST "\r\n"
#define POST(path, length, body) "POST " path " HTTP/1.1\r\n" HOST "Content-Length: " #length "\r\n\r\n" body

/* ---- routes ---- */

static void on_hello(struct hy_request *q, void *arg)
{
	struct web *w = arg;
	w->calls++;
	hy_http_add_header(q, "X-Method", hy_http_method(q));
	hy_http_reply(q, 200, "text/plain", HY_LIT("hello"));
}

static void on_thing(struct hy_request *q, void *arg)
{
	(void)arg;
	char text[512];
	const char *a = hy_http_query(q, "a"), *empty = hy_http_query(q, "empty");
	snprintf(text, sizeof(text), "%s|%s|%s|%s|%s", hy_http_path(q), hy_http_param(q, "id"),
		hy_http_param(q, "none"), a ? a : "(null)", empty ? empty : "(null)");
	hy_http_reply(q, 200, "text/plain", hy_bytes_text(text));
}

static void on_special(struct hy_request *q, void *arg)
{
	(void)arg;
	hy_http_reply(q, 200, "text/plain", HY_LIT("special"));
}

static void on_take(struct hy_request *q, void *arg)
{
	struct web *w = arg;
	w->calls++;
	struct hy_bytes body = hy_http_body(q);
	size_t sum = 0;
	for (size_t i = 0; i < body.size; i++)
		sum += body.data[i];
	for (int i = 0; i < 64; i++) /* readable, and zero */
		if (body.data[body.size + (size_t)i] != 0)
			sum = 0;
	char text[64];
	snprintf(text, sizeof(text), "%zu %zu", body.size, sum);
	hy_http_reply(q, 202, "text/plain", hy_bytes_text(text));
}

static void on_later(struct hy_request *q, void *arg)
{
	struct web *w = arg;
	w->calls++;
	hy_http_later(q);
	w->held[w->held_count] = q;
	w->held_count++;
}

static void on_now_after_all(struct hy_request *q, void *arg)
{
	(void)arg;
	hy_http_later(q);
	hy_http_reply(q, 200, NULL, HY_LIT("now"));
}

static void on_form(struct hy_request *q, void *arg)
{
	(void)arg;
	char value[16], text[128];
	int err = hy_http_form(q, "name", value, sizeof(value));
	snprintf(text, sizeof(text), "%s:%s", hy_err_name(err), value);
	hy_http_reply(q, 200, "text/plain", hy_bytes_text(text));
}

static void check_key(struct hy_request *q, void *arg)
{
	(void)arg;
	const char *key = hy_http_header(q, "authorization");
	if (!key || strcmp(key, "Bearer yes") != 0)
		hy_http_problem(
			q, 401, "unauthenticated", "say \"please\" with\na key \\ 密钥", "[{\"pointer\":\"/a\"}]");
}

static void on_silent(struct hy_request *q, void *arg)
{
	(void)q, (void)arg;
}

static void on_huge(struct hy_request *q, void *arg)
{
	(void)arg;
	size_t size = (size_t)16 << 20;
	void *data = calloc(1, size);
	hy_http_reply(q, 200, "application/octet-stream", hy_bytes(data, data ? size : 0));
	free(data);
}

static void on_peer(struct hy_request *q, void *arg)
{
	struct web *w = arg;
	if (hy_http_query(q, "hold")) {
		on_later(q, w);
		return;
	}
	hy_http_reply(q, 200, "text/plain", hy_bytes_text(hy_http_peer(q)));
}

static const struct hy_route routes[] = {
	{ .method = "GET", .pattern = "/hello", .handle = on_hello },
	{ .method = "GET", .pattern = "/things/{id}", .handle = on_thing },
	{ .method = "GET", .pattern = "/things/special", .handle = on_special },
	{ .method = "DELETE", .pattern = "/things/{id}", .handle = on_thing },
	{ .method = "POST", .pattern = "/take", .body_max = 1 << 20, .handle = on_take },
	{ .method = "POST", .pattern = "/small", .body_max = 10, .handle = on_take },
	{ .method = "POST", .pattern = "/later", .body_max = 1000, .handle = on_later },
	{ .method = "POST", .pattern = "/now", .handle = on_now_after_all },
	{ .method = "POST", .pattern = "/form", .body_max = 4096, .handle = on_form },
	{ .method = "POST", .pattern = "/guarded", .body_max = 1 << 20, .handle = on_take, .head = check_key },
	{ .method = "GET", .pattern = "/silent", .handle = on_silent },
	{ .method = "GET", .pattern = "/peer", .handle = on_peer },
	{ .method = "GET", .pattern = "/huge", .handle = on_huge },
	{ 0 },
};

static struct web web;

static int up_with(struct hy_http_options o)
{
	web_start(&web, routes, o);
	return 0;
}

static int up(void **state)
{
	(void)state;
	return up_with((struct hy_http_options){ 0 });
}

static int down(void **state)
{
	(void)state;
	web_stop(&web);
	return 0;
}

/* ---- asking and being answered ---- */

static void a_question_is_answered(void **state)
{
	(void)state;
	int fd = web_connect(&web);
	struct web_answer a = web_ask(fd, GET("/hello"));
	assert_int_equal(a.status, 200);
	assert_string_equal(a.body, "hello");
	assert_non_null(strstr(a.head, "X-Method: GET\r\n"));
	assert_non_null(strstr(a.head, "Content-Type: text/plain\r\n"));
	close(fd);
}

static void the_connection_serves_the_next_question_too(void **state)
{
	(void)state;
	int fd = web_connect(&web);
	for (int i = 0; i < 50; i++) {
		assert_int_equal(web_ask(fd, GET("/hello")).status, 200);
		assert_int_equal(web_ask(fd, POST("/take", 3, "abc")).status, 202);
	}
	close(fd);
}

static void questions_sent_in_one_go_are_answered_in_order(void **state)
{
	(void)state;
	int fd = web_connect(&web);
	web_say(fd, GET("/hello") POST("/take", 2, "ab") GET("/things/7") POST("/take", 0, "") GET("/nowhere"));
	assert_string_equal(web_read(fd).body, "hello");
	assert_string_equal(web_read(fd).body, "2 195");
	assert_string_equal(web_read(fd).body, "/things/7|7||(null)|(null)");
	assert_string_equal(web_read(fd).body, "0 0");
	assert_int_equal(web_read(fd).status, 404);
	close(fd);
}

static void head_is_answered_like_get_without_the_body(void **state)
{
	(void)state;
	int fd = web_connect(&web);
	web_say(fd, "HEAD /hello HTTP/1.1\r\n" HOST "\r\n");
	struct web_answer a = web_read_for(fd, true);
	assert_int_equal(a.status, 200);
	assert_non_null(strstr(a.head, "Content-Length: 5\r\n"));
	assert_string_equal(web_ask(fd, GET("/hello")).body, "hello"); /* nothing of a body in between */
	close(fd);
}

static void an_unknown_path_is_a_problem_with_status_404(void **state)
{
	(void)state;
	int fd = web_connect(&web);
	struct web_answer a = web_ask(fd, GET("/nowhere"));
	assert_int_equal(a.status, 404);
	assert_non_null(strstr(a.head, "Content-Type: application/problem+json\r\n"));
	assert_string_equal(a.body, "{\"type\":\"/problems/not-found\",\"title\":\"Not "
				    "found\",\"status\":404,\"detail\":\"nothing is at this path\"}\n");
	assert_int_equal(web_ask(fd, GET("/hello/")).status, 404);
	assert_int_equal(web_ask(fd, GET("/things/")).status, 404);
	assert_int_equal(web_ask(fd, GET("/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r/s")).status, 404);
	close(fd);
}

static void another_method_is_405_and_told_which_ones_there_are(void **state)
{
	(void)state;
	int fd = web_connect(&web);
	struct web_answer a = web_ask(fd, "PATCH /things/7 HTTP/1.1\r\n" HOST "\r\n");
	assert_int_equal(a.status, 405);
	assert_non_null(strstr(a.head, "Allow: GET, HEAD, DELETE\r\n"));
	assert_int_equal(web_ask(fd, "OPTIONS /hello HTTP/1.1\r\n" HOST "\r\n").status, 405);
	close(fd);
}

static void path_and_query_come_decoded(void **state)
{
	(void)state;
	int fd = web_connect(&web);
	assert_string_equal(
		web_ask(fd, GET("/things/a%2Fb%20c+d?a=1+2%263&empty=&b")).body, "/things/a/b c+d|a/b c+d||1 2&3|");
	assert_string_equal(
		web_ask(fd, GET("/things/%E5%9B%9E%e9%9f%b3?a=%E5%9B%9E&a=2")).body, "/things/回音|回音||回|(null)");
	assert_string_equal(web_ask(fd, GET("/things/special?a=b")).body, "special");
	assert_string_equal(web_ask(fd, GET("/things/x?&&a&&")).body, "/things/x|x|||(null)");
	close(fd);
}

static void a_target_that_cannot_be_decoded_is_refused(void **state)
{
	(void)state;
	static const char *const bad[] = {
		GET("/things/%"),
		GET("/things/%4"),
		GET("/things/%zz"),
		GET("/things/%00"),
		GET("/things/%ff"),
		GET("/things/%c0%80"),
		GET("/things/x?a=%"),
		GET("/things/x?a=%00"),
		GET("/things/x?%ff=1"),
	};
	int fd = web_connect(&web);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(web_ask(fd, bad[i]).status, 400);
	assert_int_equal(web_ask(fd, GET("/hello")).status, 200);
	close(fd);
}

static void a_form_field_comes_decoded(void **state)
{
	(void)state;
	int fd = web_connect(&web);
	assert_string_equal(web_ask(fd, POST("/form", 17, "a=1&name=x+y%21&b")).body, "ok:x y!");
	assert_string_equal(web_ask(fd, POST("/form", 14, "name=%E5%9B%9E")).body, "ok:回");
	assert_string_equal(web_ask(fd, POST("/form", 10, "na%6De=x&&")).body, "ok:x");
	assert_string_equal(web_ask(fd, POST("/form", 4, "name")).body, "ok:");
	assert_string_equal(web_ask(fd, POST("/form", 7, "names=1")).body, "not_found:");
	assert_string_equal(web_ask(fd, POST("/form", 0, "")).body, "not_found:");
	assert_string_equal(web_ask(fd, POST("/form", 21, "name=aaaaaaaaaaaaaaaa")).body, "too_large:");
	assert_string_equal(web_ask(fd, POST("/form", 8, "name=%00")).body, "bad_input:");
	assert_string_equal(web_ask(fd, POST("/form", 8, "name=%f0")).body, "bad_input:");
	assert_string_equal(web_ask(fd, POST("/form", 8, "name=%1g")).body, "bad_input:");
	char many[1024] = "", text[2048];
	for (int i = 0; i < 201; i++)
		strcat(many, "a=&");
	snprintf(
		text, sizeof(text), "POST /form HTTP/1.1\r\n" HOST "Content-Length: %zu\r\n\r\n%s", strlen(many), many);
	assert_string_equal(web_ask(fd, text).body, "too_large:");
	close(fd);
}

static void a_handler_that_forgets_to_answer_shows_as_500(void **state)
{
	(void)state;
	int fd = web_connect(&web);
	assert_int_equal(web_ask(fd, GET("/silent")).status, 500);
	assert_int_equal(web_ask(fd, GET("/hello")).status, 200);
	close(fd);
}

/* ---- bodies ---- */

static void a_body_of_any_size_up_to_the_limit_arrives_whole(void **state)
{
	(void)state;
	int fd = web_connect(&web);
	size_t sizes[] = { 1, 63, 64, 65, 4096, 16384, 100000, 1 << 20 };
	char *body = malloc(1 << 20), head[128], want[64];
	for (size_t i = 0; i < 1 << 20; i++)
		body[i] = (char)(i % 64 + ' ');
	for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
		size_t sum = 0;
		for (size_t i = 0; i < sizes[s]; i++)
			sum += (uint8_t)body[i];
		snprintf(head, sizeof(head), "POST /take HTTP/1.1\r\n" HOST "Content-Length: %zu\r\n\r\n", sizes[s]);
		web_say(fd, head);
		assert_true(web_send(fd, body, sizes[s]));
		snprintf(want, sizeof(want), "%zu %zu", sizes[s], sum);
		assert_string_equal(web_read(fd).body, want);
	}
	free(body);
	close(fd);
}

static void a_body_in_chunks_arrives_whole_and_ends_the_connection(void **state)
{
	(void)state;
	int fd = web_connect(&web);
	struct web_answer a =
		web_ask(fd, "POST /take HTTP/1.1\r\n" HOST
			    "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n" GET("/hello"));
	assert_int_equal(a.status, 202);
	assert_string_equal(a.body, "4 394");
	assert_non_null(strstr(a.head, "Connection: close\r\n"));
	assert_true(web_closed(fd)); /* what follows is not looked at */
	close(fd);
}

static void a_body_that_is_too_large_is_413_and_not_handled(void **state)
{
	(void)state;
	int fd = web_connect(&web), before = web.calls;
	struct web_answer a = web_ask(fd, POST("/small", 11, "abcdefghijk"));
	assert_int_equal(a.status, 413);
	assert_int_equal(web_ask(fd, "GET /hello HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\nhi").status, 413);
	assert_int_equal(web_ask(fd, "POST /small HTTP/1.1\r\n" HOST
				     "Transfer-Encoding: chunked\r\n\r\n6\r\nabcdef\r\n6\r\nabcdef\r\n0\r\n\r\n")
				 .status,
		413);
	assert_true(web_closed(fd));
	close(fd);
	assert_int_equal(web.calls, before);
	fd = web_connect(&web);
	a = web_ask(fd,
		"POST /small HTTP/1.1\r\n" HOST "Content-Length: 99999999999\r\n\r\n"); /* refused before it is sent */
	assert_int_equal(a.status, 413);
	assert_non_null(strstr(a.head, "Connection: close\r\n"));
	assert_true(web_closed(fd));
	close(fd);
}

static void an_endless_body_is_cut_off(void **state)
{
	(void)state;
	int fd = web_connect(&web), before = web.calls;
	web_say(fd, "POST /small HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n");
	char chunk[4096 + 16];
	size_t head = (size_t)sprintf(chunk, "1000\r\n");
	memset(chunk + head, 'x', 4096);
	memcpy(chunk + head + 4096, "\r\n", 2);
	int sent = 0;
	while (sent < 100000 && web_send(fd, chunk, head + 4098))
		sent++;
	assert_true(sent < 100000); /* 400 MB would have gone through */
	assert_int_equal(web.calls, before);
	close(fd);
}

static void a_refusal_by_the_head_reaches_a_client_that_is_still_sending(void **state)
{
	(void)state;
	int fd = web_connect(&web), before = web.calls;
	char *body = calloc(1, 300000);
	web_say(fd, "POST /guarded HTTP/1.1\r\n" HOST "Content-Length: 300000\r\n\r\n");
	assert_true(web_send(fd, body, 300000));
	struct web_answer a = web_read(fd);
	assert_int_equal(a.status, 401);
	assert_string_equal(a.body,
		"{\"type\":\"/problems/unauthenticated\",\"title\":\"Not authenticated\",\"status\":401,"
		"\"detail\":\"say \\\"please\\\" with\\u000aa key \\\\ 密钥\",\"errors\":[{\"pointer\":\"/a\"}]}\n");
	assert_int_equal(web.calls, before);
	assert_int_equal(web_ask(fd, "POST /guarded HTTP/1.1\r\n" HOST
				     "AUTHORIZATION:  Bearer yes \r\nContent-Length: 1\r\n\r\na")
				 .status,
		202);
	free(body);
	close(fd);
}

static void a_client_that_asks_before_sending_is_told_at_once(void **state)
{
	(void)state;
	int fd = web_connect(&web);
	assert_int_equal(
		web_ask(fd, "POST /guarded HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n")
			.status,
		401);
	assert_true(web_closed(fd));
	close(fd);
	fd = web_connect(&web);
	assert_int_equal(
		web_ask(fd, "POST /take HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n").status,
		100);
	assert_int_equal(web_ask(fd, "12345").status, 202);
	close(fd);
}

/* ---- answering later ---- */

static void an_answer_can_come_later(void **state)
{
	(void)state;
	int fd[20];
	for (int i = 0; i < 20; i++) {
		fd[i] = web_connect(&web);
		web_say(fd[i], POST("/later", 2, "hi") GET("/hello"));
	}
	web_until(web.held_count == 20);
	int other = web_connect(&web);
	assert_int_equal(web_ask(other, GET("/hello")).status, 200); /* meanwhile others are served */
	close(other);
	web_release(&web);
	for (int i = 0; i < 20; i++) {
		assert_string_equal(web_read(fd[i]).body, "later");
		assert_string_equal(web_read(fd[i]).body, "hello");
		close(fd[i]);
	}
}

static void an_answer_within_the_handler_is_fine_after_later(void **state)
{
	(void)state;
	int fd = web_connect(&web);
	assert_string_equal(web_ask(fd, "POST /now HTTP/1.1\r\n" HOST "\r\n").body, "now");
	close(fd);
}

static void a_client_that_leaves_before_its_answer_does_no_harm(void **state)
{
	(void)state;
	for (int i = 0; i < 20; i++) {
		int fd = web_connect(&web);
		web_say(fd, POST("/later", 2, "hi"));
		if (i % 2) {
			struct linger reset = { 1, 0 };
			setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		}
		web_until(web.held_count == i + 1);
		close(fd);
	}
	web_release(&web);
	web_until(web_counts(&web).connections == 0);
	int fd = web_connect(&web);
	assert_int_equal(web_ask(fd, GET("/hello")).status, 200);
	close(fd);
}

static void a_handler_that_takes_too_long_is_answered_for(void **state)
{
	(void)state;
	up_with((struct hy_http_options){ .answer_ms = 100 });
	int fd = web_connect(&web);
	struct web_answer a = web_ask(fd, POST("/later", 2, "hi"));
	assert_int_equal(a.status, 503);
	assert_non_null(strstr(a.head, "Retry-After: "));
	assert_string_equal(web_ask(fd, GET("/hello")).body,
		"hello"); /* the connection goes on while the handler still holds the request */
	web_release(&web);
	web_until(web.held_count == 0);
	assert_string_equal(web_ask(fd, GET("/hello")).body, "hello");
	close(fd);
	down(NULL);
	assert_int_equal(web.counts.timed_out, 1);
}

static void closing_tells_those_who_wait_and_their_handlers_may_answer_afterwards(void **state)
{
	(void)state;
	up_with((struct hy_http_options){ 0 });
	int fd[10];
	for (int i = 0; i < 10; i++) {
		fd[i] = web_connect(&web);
		web_say(fd[i], POST("/later", 2, "hi"));
	}
	int idle = web_connect(&web);
	assert_int_equal(web_ask(idle, GET("/hello")).status, 200);
	web_until(web.held_count == 10);
	web.keep_held = true;
	down(NULL);
	for (int i = 0; i < 10; i++) {
		struct web_answer a = web_read(fd[i]);
		assert_int_equal(a.status, 503);
		assert_non_null(strstr(a.head, "Connection: close\r\n"));
		assert_true(web_closed(fd[i]));
		close(fd[i]);
	}
	assert_true(web_closed(idle));
	close(idle);
}

static void closing_does_not_wait_for_clients_that_dawdle(void **state)
{
	(void)state;
	up_with((struct hy_http_options){ 0 });
	int half_head = web_connect(&web), half_body = web_connect(&web), deaf = web_connect(&web),
	    silent = web_connect(&web);
	web_say(half_head, "GET /hello HTTP/1.1\r\nHost");
	web_say(half_body, "POST /take HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nab");
	web_say(deaf, GET("/huge"));
	web_until(web_counts(&web).requests == 3);
	down(NULL);
	assert_true(web_closed(half_head));
	assert_true(web_closed(half_body));
	assert_true(web_closed(silent));
	close(half_head);
	close(half_body);
	close(deaf);
	close(silent);
}

/* ---- many at once ---- */

/* The head is asked first, so that without a key nobody learns what sizes and codings are taken. */
static void a_stranger_with_a_large_or_compressed_body_is_told_of_the_key_alone(void **state)
{
	(void)state;
	static const char *const bad[] = { "Content-Length: 2000000\r\n",
		"Content-Length: 2\r\nContent-Encoding: br\r\n" };
	for (size_t i = 0; i < 2; i++) {
		char text[256];
		int fd = web_connect(&web);
		snprintf(text, sizeof(text), "POST /guarded HTTP/1.1\r\n" HOST "%s\r\nhi", bad[i]);
		assert_int_equal(web_ask(fd, text).status, 401);
		close(fd);
		fd = web_connect(&web);
		snprintf(text, sizeof(text), "POST /guarded HTTP/1.1\r\n" HOST "Authorization: Bearer yes\r\n%s\r\nhi",
			bad[i]);
		assert_int_equal(web_ask(fd, text).status, i ? 415 : 413);
		close(fd);
	}
}

/* 80 MiB of large bodies at a time, of which 64 MiB may be held. */
static void large_bodies_have_a_bound_together_and_small_ones_still_pass(void **state)
{
	(void)state;
	enum { CLIENTS = 80, SIZE = 1 << 20 };
	int fd[CLIENTS], taken = 0, busy = 0;
	char *body = calloc(1, SIZE), head[128];
	snprintf(head, sizeof(head), "POST /take HTTP/1.1\r\n" HOST "Content-Length: %d\r\n\r\n", (int)SIZE);
	for (int i = 0; i < CLIENTS; i++) {
		fd[i] = web_connect(&web);
		web_say(fd[i], head);
		assert_true(web_send(fd[i], body, SIZE - 1));
	}
	int small = web_connect(&web);
	assert_int_equal(web_ask(small, POST("/take", 2, "hi")).status, 202);
	for (int i = 0; i < CLIENTS; i++)
		assert_true(web_send(fd[i], body, 1));
	for (int i = 0; i < CLIENTS; i++) {
		struct web_answer a = web_read(fd[i]);
		taken += a.status == 202;
		busy += a.status == 503 && strstr(a.head, "Retry-After: ");
	}
	assert_true(taken > 0);
	assert_true(busy > 0);
	assert_int_equal(taken + busy, CLIENTS);
	web_say(fd[0], head); /* and afterwards there is room again, on the same connections */
	assert_true(web_send(fd[0], body, SIZE));
	assert_int_equal(web_read(fd[0]).status, 202);
	for (int i = 0; i < CLIENTS; i++)
		close(fd[i]);
	close(small);
	free(body);
}

static void burst(int count)
{
	int fd[300];
	for (int i = 0; i < count; i++) {
		fd[i] = web_connect(&web);
		assert_int_equal(web_ask(fd[i], GET("/hello")).status, 200); /* surely accepted */
	}
	web_pause(&web);
	for (int i = 0; i < count; i++)
		web_say(fd[i], POST("/take", 2, "ab"));
	web_continue(&web);
	for (int i = 0; i < count; i++) {
		assert_int_equal(web_read(fd[i]).status, 202);
		close(fd[i]);
	}
	web_until(web_counts(&web).connections == 0);
}

/* 128 and its multiples: as many events as libmicrohttpd fetches at a time. Its own waiting then sleeps on a full bag. */
static void bursts_that_fill_the_event_array_are_all_answered(void **state)
{
	(void)state;
	int counts[] = { 1, 127, 128, 129, 255, 256, 257, 300 };
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		burst(counts[i]);
}

static void a_thousand_silent_connections_do_not_keep_others_from_being_served(void **state)
{
	(void)state;
	int *fd = calloc(1000, sizeof(int));
	for (int i = 0; i < 1000; i++)
		fd[i] = web_connect(&web);
	int other = web_connect(&web);
	for (int i = 0; i < 100; i++)
		assert_int_equal(web_ask(other, GET("/hello")).status, 200);
	close(other);
	for (int i = 0; i < 1000; i++)
		close(fd[i]);
	free(fd);
}

/* ---- limits and deadlines ---- */

/* Sends one byte after the other until the server has had enough. */
static void dribble(const char *start, char byte)
{
	int fd = web_connect(&web);
	web_say(fd, start);
	int sent = 0;
	struct timespec pause = { .tv_nsec = 5000000 };
	char answer;
	while (web_send(fd, &byte, 1)) {
		nanosleep(&pause, NULL);
		ssize_t n = recv(fd, &answer, 1, MSG_DONTWAIT);
		if (n == 0 || (n < 0 && errno != EAGAIN))
			break;
		if (++sent > 6000)
			fail_msg("a dribbling client stays connected for ever");
	}
	close(fd);
}

static void a_client_that_dribbles_is_cut_off_at_the_total_deadline(void **state)
{
	(void)state;
	up_with((struct hy_http_options){ .head_ms = 100, .body_ms = 100, .idle_ms = 100, .answer_ms = 60000 });
	dribble("G", 'A'); /* the request line */
	dribble("GET /hello HTTP/1.1\r\n" HOST "X-Slow: ", 'a'); /* the head */
	dribble("POST /take HTTP/1.1\r\n" HOST "Content-Length: 100000\r\n\r\n", 'a'); /* the body */
	dribble("POST /guarded HTTP/1.1\r\n" HOST "Content-Length: 100000\r\n\r\n", 'a'); /* a body nobody wants */
	assert_int_equal(web.calls, 0);
	down(NULL);
	assert_int_equal(web.counts.timed_out, 3); /* a slow first line counts as idle */
}

static void an_idle_connection_is_closed(void **state)
{
	(void)state;
	up_with((struct hy_http_options){ .idle_ms = 100 });
	int fresh = web_connect(&web), used = web_connect(&web);
	assert_int_equal(web_ask(used, GET("/hello")).status, 200);
	assert_true(web_closed(fresh));
	assert_true(web_closed(used));
	close(fresh);
	close(used);
	web_until(web_counts(&web).connections == 0);
	down(NULL);
}

static void a_client_that_does_not_read_is_cut_off(void **state)
{
	(void)state;
	up_with((struct hy_http_options){ .answer_ms = 100, .idle_ms = 60000, .body_ms = 60000, .head_ms = 60000 });
	int fd = web_connect(&web);
	web_say(fd, GET("/huge")); /* more than all buffers between us hold */
	web_until(web_counts(&web).timed_out == 1);
	web_until(web_counts(&web).connections == 0);
	close(fd);
	down(NULL);
}

static void a_connection_ends_after_its_share_of_requests(void **state)
{
	(void)state;
	up_with((struct hy_http_options){ .requests = 3 });
	int fd = web_connect(&web);
	assert_null(strstr(web_ask(fd, GET("/hello")).head, "Connection: close"));
	assert_null(strstr(web_ask(fd, GET("/hello")).head, "Connection: close"));
	assert_non_null(strstr(web_ask(fd, GET("/hello")).head, "Connection: close"));
	assert_true(web_closed(fd));
	close(fd);
	down(NULL);
}

static void one_connection_too_many_is_told_503(void **state)
{
	(void)state;
	up_with((struct hy_http_options){ .connections = 4 });
	int fd[4];
	for (int i = 0; i < 4; i++) {
		fd[i] = web_connect(&web);
		assert_int_equal(web_ask(fd[i], GET("/hello")).status, 200);
	}
	for (int i = 0; i < 3; i++) {
		int more = web_connect(&web);
		struct web_answer a = web_ask(more, GET("/hello"));
		assert_int_equal(a.status, 503);
		assert_non_null(strstr(a.head, "Retry-After: "));
		assert_true(web_closed(more));
		close(more);
	}
	assert_int_equal(web_ask(fd[0], GET("/hello")).status, 200);
	close(fd[0]);
	web_until(web_counts(&web).connections == 3);
	fd[0] = web_connect(&web);
	assert_int_equal(web_ask(fd[0], GET("/hello")).status, 200);
	for (int i = 0; i < 4; i++)
		close(fd[i]);
	down(NULL);
	assert_int_equal(web.counts.refused_full, 3);
}

/* Far more than the limit: most are cut off at once, none stays, and those who were there first are served. */
static void a_flood_of_connections_does_not_disturb_those_that_are_there(void **state)
{
	(void)state;
	up_with((struct hy_http_options){ .connections = 4 });
	int first = web_connect(&web), fd[600];
	assert_int_equal(web_ask(first, GET("/hello")).status, 200);
	for (int i = 0; i < 600; i++)
		fd[i] = web_connect(&web);
	assert_int_equal(web_ask(first, GET("/hello")).status, 200);
	int ended = 0;
	for (int i = 3; i < 600; i++) { /* three of them are within the limit */
		char byte;
		ssize_t n;
		while ((n = recv(fd[i], &byte, 1, 0)) > 0)
			;
		ended += n == 0 || errno == ECONNRESET;
	}
	assert_int_equal(ended, 597);
	for (int i = 0; i < 600; i++)
		close(fd[i]);
	close(first);
	down(NULL);
}

static void one_address_gets_its_share_of_connections_and_no_more(void **state)
{
	(void)state;
	up_with((struct hy_http_options){ 0 });
	struct rlimit files;
	if (getrlimit(RLIMIT_NOFILE, &files) != 0 ||
		files.rlim_cur < 5000) { /* both ends are ours: 4,100 descriptors */
		down(NULL);
		skip();
	}
	int *fd = calloc(2048, sizeof(int));
	for (int i = 0; i < 2048; i++)
		fd[i] = web_connect(&web);
	int more = web_connect(&web);
	assert_int_equal(web_ask(more, GET("/hello")).status, 503); /* loopback's share is 2,048 */
	close(more);
	assert_int_equal(web_ask(fd[2047], GET("/hello")).status, 200);
	for (int i = 0; i < 2048; i++)
		close(fd[i]);
	free(fd);
	down(NULL);
}

static void ask_as(int fd, const char *forwarded, const char *hold, int want_status, const char *want)
{
	char text[512];
	snprintf(text, sizeof(text), "GET /peer%s HTTP/1.1\r\n" HOST "%s\r\n", hold, forwarded);
	web_say(fd, text);
	if (!want_status)
		return;
	struct web_answer a = web_read(fd);
	assert_int_equal(a.status, want_status);
	if (want)
		assert_string_equal(a.body, want);
}

static void behind_a_trusted_proxy_the_forwarded_address_speaks(void **state)
{
	(void)state;
	static const char *const trusted[] = { "127.0.0.1", "10.0.0.0/8", "2001:db8:1::/48", NULL };
	up_with((struct hy_http_options){ .trusted = trusted, .per_address = 2 });
	int fd = web_connect(&web);
	ask_as(fd, "", "", 200, "127.0.0.1");
	ask_as(fd, "X-Forwarded-For: 192.0.2.7\r\n", "", 200, "192.0.2.7");
	ask_as(fd, "X-Forwarded-For: 6.6.6.6, 192.0.2.7, 10.1.2.3\r\n", "", 200, "192.0.2.7");
	ask_as(fd, "X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-For: 192.0.2.7:4711\r\n", "", 200, "192.0.2.7");
	ask_as(fd, "X-Forwarded-For: [2001:db8:2::7]:80, 2001:db8:1::1\r\n", "", 200, "2001:db8:2::7");
	ask_as(fd, "X-Forwarded-For: 6.6.6.6, nonsense, 10.1.2.3\r\n", "", 200, "10.1.2.3");
	ask_as(fd, "X-Forwarded-For: nonsense\r\n", "", 200, "127.0.0.1");

	/* Two requests at a time for one address; an IPv6 household is one address. */
	int a = web_connect(&web), b = web_connect(&web);
	ask_as(a, "X-Forwarded-For: 2001:db8:2:3::1\r\n", "?hold=1", 0, NULL);
	ask_as(b, "X-Forwarded-For: 2001:db8:2:3::2\r\n", "?hold=1", 0, NULL);
	web_until(web.held_count == 2);
	ask_as(fd, "X-Forwarded-For: 2001:db8:2:3::3\r\n", "", 503, NULL);
	ask_as(fd, "X-Forwarded-For: 2001:db8:2:4::3\r\n", "", 200, NULL);
	web_release(&web);
	assert_int_equal(web_read(a).status, 202);
	assert_int_equal(web_read(b).status, 202);
	ask_as(fd, "X-Forwarded-For: 2001:db8:2:3::3\r\n", "", 200, NULL);
	close(a);
	close(b);
	close(fd);
	down(NULL);
}

static void a_forwarded_address_from_a_stranger_counts_for_nothing(void **state)
{
	(void)state;
	int fd = web_connect(&web);
	ask_as(fd, "X-Forwarded-For: 192.0.2.7\r\n", "", 200, "127.0.0.1");
	close(fd);
}

/* ---- opening ---- */

static void a_taken_address_is_named(void **state)
{
	(void)state;
	char listen[32];
	struct hy_http *second = NULL;
	struct hy_fault f = { 0 };
	snprintf(listen, sizeof(listen), "127.0.0.1:%d", web.port);
	assert_int_equal(hy_http_open(&second,
				 &(struct hy_http_options){ .loop = web.loop, .listen = listen, .routes = routes }, &f),
		HY_IN_USE);
	assert_null(second);
	assert_non_null(strstr(f.text, listen));
}

static void an_address_that_is_none_is_refused(void **state)
{
	(void)state;
	static const char *const bad[] = { "", "8080", "127.0.0.1", "127.0.0.1:", "127.0.0.1:http", "::1:8080",
		"127.0.0.1:99999999", "256.1.1.1:80" };
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct hy_http *h = NULL;
		struct hy_fault f = { 0 };
		assert_int_equal(
			hy_http_open(&h,
				&(struct hy_http_options){ .loop = web.loop, .listen = bad[i], .routes = routes }, &f),
			HY_CONFIG);
		assert_true(f.text[0]);
	}
	static const char *const trusted[] = { "10.0.0.0/33", NULL };
	struct hy_http *h = NULL;
	assert_int_equal(
		hy_http_open(&h,
			&(struct hy_http_options){
				.loop = web.loop, .listen = "127.0.0.1:0", .routes = routes, .trusted = trusted },
			NULL),
		HY_CONFIG);
}

static void a_socket_that_listens_already_is_taken_over(void **state)
{
	(void)state;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in any = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	assert_int_equal(bind(fd, (struct sockaddr *)&any, sizeof(any)), 0);
	assert_int_equal(listen(fd, 16), 0);
	up_with((struct hy_http_options){ .listen_fd = fd });
	int client = web_connect(&web);
	assert_int_equal(web_ask(client, GET("/hello")).status, 200);
	close(client);
	down(NULL);
}

int main(void)
{
#define WITH_SERVER(t) cmocka_unit_test_setup_teardown(t, up, down)
	const struct CMUnitTest tests[] = {
		WITH_SERVER(a_question_is_answered),
		WITH_SERVER(the_connection_serves_the_next_question_too),
		WITH_SERVER(questions_sent_in_one_go_are_answered_in_order),
		WITH_SERVER(head_is_answered_like_get_without_the_body),
		WITH_SERVER(an_unknown_path_is_a_problem_with_status_404),
		WITH_SERVER(another_method_is_405_and_told_which_ones_there_are),
		WITH_SERVER(path_and_query_come_decoded),
		WITH_SERVER(a_target_that_cannot_be_decoded_is_refused),
		WITH_SERVER(a_form_field_comes_decoded),
		WITH_SERVER(a_handler_that_forgets_to_answer_shows_as_500),
		WITH_SERVER(a_body_of_any_size_up_to_the_limit_arrives_whole),
		WITH_SERVER(a_body_in_chunks_arrives_whole_and_ends_the_connection),
		WITH_SERVER(a_body_that_is_too_large_is_413_and_not_handled),
		WITH_SERVER(an_endless_body_is_cut_off),
		WITH_SERVER(a_refusal_by_the_head_reaches_a_client_that_is_still_sending),
		WITH_SERVER(a_client_that_asks_before_sending_is_told_at_once),
		WITH_SERVER(an_answer_can_come_later),
		WITH_SERVER(an_answer_within_the_handler_is_fine_after_later),
		WITH_SERVER(a_client_that_leaves_before_its_answer_does_no_harm),
		cmocka_unit_test(a_handler_that_takes_too_long_is_answered_for),
		cmocka_unit_test(closing_tells_those_who_wait_and_their_handlers_may_answer_afterwards),
		cmocka_unit_test(closing_does_not_wait_for_clients_that_dawdle),
		WITH_SERVER(a_stranger_with_a_large_or_compressed_body_is_told_of_the_key_alone),
		WITH_SERVER(large_bodies_have_a_bound_together_and_small_ones_still_pass),
		WITH_SERVER(bursts_that_fill_the_event_array_are_all_answered),
		WITH_SERVER(a_thousand_silent_connections_do_not_keep_others_from_being_served),
		cmocka_unit_test(a_client_that_dribbles_is_cut_off_at_the_total_deadline),
		cmocka_unit_test(an_idle_connection_is_closed),
		cmocka_unit_test(a_client_that_does_not_read_is_cut_off),
		cmocka_unit_test(a_connection_ends_after_its_share_of_requests),
		cmocka_unit_test(one_connection_too_many_is_told_503),
		cmocka_unit_test(a_flood_of_connections_does_not_disturb_those_that_are_there),
		cmocka_unit_test(one_address_gets_its_share_of_connections_and_no_more),
		cmocka_unit_test(behind_a_trusted_proxy_the_forwarded_address_speaks),
		WITH_SERVER(a_forwarded_address_from_a_stranger_counts_for_nothing),
		WITH_SERVER(a_taken_address_is_named),
		WITH_SERVER(an_address_that_is_none_is_refused),
		cmocka_unit_test(a_socket_that_listens_already_is_taken_over),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
