// link: hy_http
#include "support/web.h"

#include "http/client.h"
#include "http/curl.h"

/* What came of one call. */
struct answer {
	int done, err, status;
	int64_t retry_after_ms;
	char body[256], type[64], words[256];
	size_t size;
	struct fx *fx;
	const char *then; /* asked from within done() */
};

struct fx {
	struct hy_loop *loop;
	struct hy_http_client *client;
	struct web web;
	int raw; /* a listening socket that the test serves by hand */
	struct answer answers[200];
};

/* ---- the server ---- */

static void on_hello(struct hy_request *q, void *arg)
{
	((struct web *)arg)->calls++;
	hy_http_reply(q, 200, "text/plain; charset=utf-8", HY_LIT("hello"));
}

static void on_echo(struct hy_request *q, void *arg)
{
	char text[256];
	const char *type = hy_http_header(q, "Content-Type"), *own = hy_http_header(q, "X-Own");
	((struct web *)arg)->calls++;
	snprintf(text, sizeof(text), "%s|%s|%s|%.*s", hy_http_method(q), type ? type : "-", own ? own : "-",
		(int)hy_http_body(q).size, (const char *)hy_http_body(q).data);
	hy_http_reply(q, 200, "text/plain", hy_bytes_text(text));
}

static void on_big(struct hy_request *q, void *arg)
{
	static const char zeros[100 << 10];
	((struct web *)arg)->calls++;
	const char *size = hy_http_query(q, "size");
	hy_http_reply(q, 200, "application/octet-stream", hy_bytes(zeros, strtoul(size ? size : "0", NULL, 10)));
}

static void on_busy(struct hy_request *q, void *arg)
{
	(void)arg;
	hy_http_add_header(q, "Retry-After", "7");
	hy_http_reply(q, 503, "text/plain", HY_LIT("busy"));
}

static void on_moved(struct hy_request *q, void *arg)
{
	(void)arg;
	hy_http_add_header(q, "Location", "/hello");
	hy_http_reply(q, 302, "text/plain", HY_LIT(""));
}

static void on_later(struct hy_request *q, void *arg)
{
	struct web *w = arg;
	hy_http_later(q);
	w->held[w->held_count++] = q;
}

static const struct hy_route routes[] = {
	{ "GET", "/hello", 0, on_hello },
	{ "POST", "/echo", 1 << 20, on_echo },
	{ "GET", "/big", 0, on_big },
	{ "GET", "/busy", 0, on_busy },
	{ "GET", "/moved", 0, on_moved },
	{ "GET", "/later", 0, on_later },
	{ 0 },
};

/* ---- the client ---- */

static void open_client(struct fx *fx, const struct hy_http_client_options *like)
{
	struct hy_fault f = { 0 };
	struct hy_http_client_options o = *like;
	o.loop = fx->loop;
	if (hy_http_client_open(&fx->client, &o, &f) != HY_OK)
		fail_msg("%s", f.text);
}

static int setup(void **state)
{
	struct fx *fx = calloc(1, sizeof(*fx));
	assert_int_equal(hy_loop_open(&fx->loop), HY_OK);
	web_start(&fx->web, routes, (struct hy_http_options){ 0 });
	for (size_t i = 0; i < 200; i++)
		fx->answers[i].fx = fx;
	fx->raw = -1;
	*state = fx;
	return 0;
}

static int teardown(void **state)
{
	struct fx *fx = *state;
	hy_http_client_close(&fx->client);
	web_stop(&fx->web);
	hy_loop_close(&fx->loop);
	if (fx->raw >= 0)
		close(fx->raw);
	free(fx);
	return 0;
}

static void at(char url[static 128], int port, const char *path)
{
	snprintf(url, 128, "http://127.0.0.1:%d%s", port, path);
}

static void on_done(void *arg, const struct hy_http_outcome *o)
{
	struct answer *a = arg;
	a->done++;
	a->err = o->err;
	a->status = o->status;
	a->retry_after_ms = o->retry_after_ms;
	a->size = o->body.size;
	snprintf(a->body, sizeof(a->body), "%.*s", (int)o->body.size, (const char *)o->body.data);
	snprintf(a->type, sizeof(a->type), "%s", o->content_type);
	snprintf(a->words, sizeof(a->words), "%s", o->words);
	if (a->then) {
		char url[128];
		at(url, a->fx->web.port, a->then);
		a->then = NULL;
		assert_int_equal(
			hy_http_ask(a->fx->client,
				&(struct hy_http_question){ .method = "GET", .url = url, .done = on_done, .arg = a },
				NULL, NULL),
			HY_OK);
	}
}

static struct hy_http_call *ask(struct fx *fx, int n, struct hy_http_question q, int port, const char *path)
{
	char url[128];
	struct hy_http_call *call;
	struct hy_fault f = { 0 };
	at(url, port, path);
	q.method = q.method ? q.method : "GET";
	q.url = url;
	q.done = on_done;
	q.arg = &fx->answers[n];
	if (hy_http_ask(fx->client, &q, &call, &f) != HY_OK)
		fail_msg("%s", f.text);
	return call;
}

static void get(struct fx *fx, int n, const char *path)
{
	ask(fx, n, (struct hy_http_question){ .timeout_ms = 120000 }, fx->web.port, path);
}

/* Turns the loop until the condition holds, a minute at most. */
#define turn_until(fx, condition)                                                                                      \
	for (int turns_ = 0; !(condition); turns_++) {                                                                 \
		assert_int_equal(hy_loop_turn((fx)->loop, 10), HY_OK);                                                 \
		if (turns_ > 6000)                                                                                     \
			fail_msg("never came: %s", #condition);                                                        \
	}

static int answered(const struct fx *fx)
{
	int n = 0;
	for (size_t i = 0; i < 200; i++)
		n += fx->answers[i].done;
	return n;
}

static void an_answer_has_its_status_its_type_and_its_body(void **state)
{
	struct fx *fx = *state;
	open_client(fx, &(struct hy_http_client_options){ .private_ok = true });
	get(fx, 0, "/hello");
	assert_int_equal(fx->answers[0].done, 0); /* never within hy_http_ask() */
	get(fx, 1, "/nothing-there");
	get(fx, 2, "/busy");
	turn_until(fx, answered(fx) == 3);
	assert_int_equal(fx->answers[0].err, HY_OK);
	assert_int_equal(fx->answers[0].status, 200);
	assert_string_equal(fx->answers[0].body, "hello");
	assert_string_equal(fx->answers[0].type, "text/plain; charset=utf-8");
	assert_string_equal(fx->answers[0].words, "");
	assert_int_equal(fx->answers[1].err, HY_OK);
	assert_int_equal(fx->answers[1].status, 404);
	assert_int_equal(fx->answers[2].status, 503);
	assert_int_equal(fx->answers[2].retry_after_ms, 7000);
}

static void a_body_and_headers_arrive_as_they_were_given(void **state)
{
	struct fx *fx = *state;
	open_client(fx, &(struct hy_http_client_options){ .private_ok = true });
	char body[] = "{\"a\":1}";
	ask(fx, 0,
		(struct hy_http_question){ .method = "POST",
			.headers = (const char *const[]){ "Content-Type: application/json", "X-Own: yes", NULL },
			.body = hy_bytes(body, 7) },
		fx->web.port, "/echo");
	memset(body, 'x', 7); /* copied */
	ask(fx, 1, (struct hy_http_question){ .method = "POST" }, fx->web.port, "/echo");
	turn_until(fx, answered(fx) == 2);
	assert_string_equal(fx->answers[0].body, "POST|application/json|yes|{\"a\":1}");
	assert_string_equal(fx->answers[1].body, "POST|-|-|");
}

static void a_connection_is_kept_and_used_again(void **state)
{
	struct fx *fx = *state;
	open_client(fx, &(struct hy_http_client_options){ .private_ok = true });
	for (int i = 0; i < 20; i++) {
		get(fx, i, "/hello");
		turn_until(fx, fx->answers[i].done);
		assert_int_equal(fx->answers[i].status, 200);
	}
	assert_int_equal(web_counts(&fx->web).connections, 1);
}

static void many_calls_share_few_connections_and_all_are_answered(void **state)
{
	struct fx *fx = *state;
	open_client(fx, &(struct hy_http_client_options){ .private_ok = true, .connections = 4 });
	for (int i = 0; i < 100; i++)
		get(fx, i, "/later");
	turn_until(fx, fx->web.held_count == 4);
	for (int i = 0; i < 20; i++)
		assert_int_equal(hy_loop_turn(fx->loop, 5), HY_OK);
	assert_int_equal(fx->web.held_count, 4); /* the others wait here */
	while (answered(fx) < 100) {
		web_release(&fx->web);
		int before = answered(fx);
		turn_until(fx, answered(fx) > before);
	}
	for (int i = 0; i < 100; i++) {
		assert_int_equal(fx->answers[i].done, 1);
		assert_int_equal(fx->answers[i].status, 202);
	}
	assert_int_equal(web_counts(&fx->web).connections, 4);
}

static void an_outcome_may_lead_to_the_next_question(void **state)
{
	struct fx *fx = *state;
	open_client(fx, &(struct hy_http_client_options){ .private_ok = true, .connections = 1 });
	fx->answers[0].then = "/busy";
	get(fx, 0, "/hello");
	turn_until(fx, fx->answers[0].done == 2);
	assert_int_equal(fx->answers[0].status, 503);
}

static void silence_ends_with_the_timeout(void **state)
{
	struct fx *fx = *state;
	open_client(fx, &(struct hy_http_client_options){ .private_ok = true, .connections = 1 });
	ask(fx, 0, (struct hy_http_question){ .timeout_ms = 300 }, fx->web.port, "/later");
	turn_until(fx, fx->answers[0].done);
	assert_int_equal(fx->answers[0].err, HY_TIMEOUT);
	assert_int_equal(fx->answers[0].status, 0);
	assert_true(fx->answers[0].words[0]);
	/* who waits for a connection is counted too */
	get(fx, 1, "/later");
	ask(fx, 2, (struct hy_http_question){ .timeout_ms = 300 }, fx->web.port, "/hello");
	turn_until(fx, fx->answers[2].done);
	assert_int_equal(fx->answers[2].err, HY_TIMEOUT);
	assert_int_equal(fx->answers[1].done, 0);
}

static void an_answer_beyond_its_limit_is_let_go(void **state)
{
	struct fx *fx = *state;
	open_client(fx, &(struct hy_http_client_options){ .private_ok = true });
	ask(fx, 0, (struct hy_http_question){ .answer_max = 1000 }, fx->web.port, "/big?size=1000");
	ask(fx, 1, (struct hy_http_question){ .answer_max = 1000 }, fx->web.port, "/big?size=1001");
	get(fx, 2, "/big?size=65536");
	get(fx, 3, "/big?size=65537");
	turn_until(fx, answered(fx) == 4);
	assert_int_equal(fx->answers[0].err, HY_OK);
	assert_int_equal(fx->answers[0].size, 1000);
	assert_int_equal(fx->answers[1].err, HY_TOO_LARGE);
	assert_int_equal(fx->answers[1].size, 0);
	assert_int_equal(fx->answers[2].size, 65536);
	assert_int_equal(fx->answers[3].err, HY_TOO_LARGE);
}

static void a_redirect_is_an_answer_like_others(void **state)
{
	struct fx *fx = *state;
	open_client(fx, &(struct hy_http_client_options){ .private_ok = true });
	get(fx, 0, "/moved");
	turn_until(fx, fx->answers[0].done);
	assert_int_equal(fx->answers[0].status, 302);
	assert_int_equal(fx->web.calls, 0);
}

static void a_proxy_in_the_environment_is_ignored(void **state)
{
	struct fx *fx = *state;
	setenv("http_proxy", "http://127.0.0.1:1", 1);
	setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
	open_client(fx, &(struct hy_http_client_options){ .private_ok = true });
	get(fx, 0, "/hello");
	turn_until(fx, fx->answers[0].done);
	unsetenv("http_proxy");
	unsetenv("ALL_PROXY");
	assert_int_equal(fx->answers[0].status, 200);
}

static void no_spelling_of_loopback_leads_inside(void **state)
{
	struct fx *fx = *state;
	static const char *const hosts[] = { "127.0.0.1", "127.1", "127.0.1", "127.255.0.9", "2130706433", "0x7f000001",
		"0x7f.1", "0177.0.0.1", "017700000001", "00000177.1", "localhost", "LOCALHOST", "localhost.",
		"127.0.0.1.", "[::1]", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]",
		"0.0.0.0", "0", "[::]", "user@127.0.0.1", "user:secret@127.0.0.1", "example.com@127.0.0.1",
		"127.0.0.1#@example.com", "127.0.0.1%00.example.com", "%31%32%37.0.0.1", "①②⑦.0.0.1", "１２７.0.0.1",
		"127。0。0。1", "[::1%25lo]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[fe80::1%25lo]", "[fc00::1]" };
	size_t count = sizeof(hosts) / sizeof(*hosts);
	open_client(fx, &(struct hy_http_client_options){ 0 });
	for (size_t i = 0; i < count; i++) {
		char url[200];
		const char *end = strchr(hosts[i], '#');
		snprintf(url, sizeof(url), "http://%.*s:%d/hello%s",
			(int)(end ? end - hosts[i] : (long)strlen(hosts[i])), hosts[i], fx->web.port, end ? end : "");
		struct answer *a = &fx->answers[i];
		int err = hy_http_ask(fx->client,
			&(struct hy_http_question){
				.method = "GET", .url = url, .timeout_ms = 20000, .done = on_done, .arg = a },
			NULL, NULL);
		if (err == HY_BAD_INPUT)
			continue;
		assert_int_equal(err, HY_OK);
		turn_until(fx, a->done);
		if (a->err == HY_OK)
			fail_msg("%s was let through", url);
	}
	assert_int_equal(fx->answers[0].err, HY_FORBIDDEN);
	assert_non_null(strstr(fx->answers[0].words, "private"));
	assert_int_equal(web_counts(&fx->web).requests, 0);
	assert_int_equal(fx->web.calls, 0);
}

static void the_list_of_private_addresses_ends_where_it_should(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		bool inside;
	} rows[] = { { "0.1.2.3", true }, { "1.0.0.0", false }, { "9.255.255.255", false }, { "10.0.0.1", true },
		{ "11.0.0.0", false }, { "100.63.255.255", false }, { "100.64.0.0", true }, { "100.127.255.255", true },
		{ "100.128.0.0", false }, { "128.0.0.1", false }, { "169.254.169.254", true }, { "169.255.0.0", false },
		{ "172.15.255.255", false }, { "172.16.0.0", true }, { "172.31.255.255", true },
		{ "172.32.0.0", false }, { "192.0.0.8", true }, { "192.0.1.0", false }, { "192.167.1.1", false },
		{ "192.168.0.1", true }, { "198.17.255.255", false }, { "198.18.0.0", true },
		{ "198.19.255.255", true }, { "198.20.0.0", false }, { "223.255.255.255", false },
		{ "224.0.0.1", true }, { "255.255.255.255", true }, { "::", true }, { "::1", true }, { "::2", false },
		{ "::ffff:8.8.8.8", true }, { "64:ff9b::808:808", true }, { "64:ff9c::1", false },
		{ "2001:db8::1", false }, { "2002::1", true }, { "2003::1", false }, { "fbff::1", false },
		{ "fc00::1", true }, { "fdff::1", true }, { "fe7f::1", false }, { "fe80::1", true },
		{ "febf::1", true }, { "fec0::1", false }, { "ff02::1", true } };
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct sockaddr_in four = { .sin_family = AF_INET };
		struct sockaddr_in6 six = { .sin6_family = AF_INET6 };
		bool is_four = inet_pton(AF_INET, rows[i].text, &four.sin_addr) == 1;
		if (!is_four)
			assert_int_equal(inet_pton(AF_INET6, rows[i].text, &six.sin6_addr), 1);
		if (http_address_private(is_four ? (struct sockaddr *)&four : (struct sockaddr *)&six) !=
			rows[i].inside)
			fail_msg("%s", rows[i].text);
	}
}

static void what_is_no_question_is_named_and_not_asked(void **state)
{
	struct fx *fx = *state;
	open_client(fx, &(struct hy_http_client_options){ .private_ok = true });
	static const char *const urls[] = { "", "hello", "file:///etc/passwd", "gopher://127.0.0.1/",
		"ftp://127.0.0.1/", "smtp://127.0.0.1/", "http://", "https://a b/", "http://a\r\nX: y/",
		"http://a/\x01", "//host/path" };
	struct hy_fault f = { 0 };
	struct hy_http_call *call;
	for (size_t i = 0; i < sizeof(urls) / sizeof(*urls); i++) {
		struct hy_http_question q = { .method = "GET", .url = urls[i], .done = on_done, .arg = fx->answers };
		if (hy_http_ask(fx->client, &q, &call, &f) != HY_BAD_INPUT)
			fail_msg("%s", urls[i]);
		assert_null(call);
		assert_non_null(strstr(f.text, "URL"));
	}
	static const char *const headers[] = { "", "X", ": y", "X: a\r\nY: b", "X: a\nY", "X y: z", "X: \x7f" };
	char url[128];
	at(url, fx->web.port, "/hello");
	for (size_t i = 0; i < sizeof(headers) / sizeof(*headers); i++) {
		struct hy_http_question q = { .method = "GET", .url = url, .done = on_done, .arg = fx->answers };
		q.headers = (const char *const[]){ headers[i], NULL };
		assert_int_equal(hy_http_ask(fx->client, &q, NULL, &f), HY_BAD_INPUT);
		assert_non_null(strstr(f.text, "header"));
	}
	struct hy_http_question q = {
		.method = "GET /x HTTP/1.1\r\n", .url = url, .done = on_done, .arg = fx->answers
	};
	assert_int_equal(hy_http_ask(fx->client, &q, NULL, &f), HY_BAD_INPUT);
	assert_int_equal(hy_loop_turn(fx->loop, 20), HY_OK);
	assert_int_equal(answered(fx), 0);
}

static void a_cancelled_call_says_nothing_and_the_others_go_on(void **state)
{
	struct fx *fx = *state;
	open_client(fx, &(struct hy_http_client_options){ .private_ok = true });
	struct hy_http_call *call = ask(fx, 0, (struct hy_http_question){ 0 }, fx->web.port, "/later");
	ask(fx, 1, (struct hy_http_question){ .timeout_ms = 120000 }, fx->web.port, "/later");
	turn_until(fx, fx->web.held_count == 2);
	hy_http_cancel(&call);
	assert_null(call);
	hy_http_cancel(&call);
	web_release(&fx->web);
	turn_until(fx, fx->answers[1].done);
	assert_int_equal(fx->answers[0].done, 0);
	call = ask(fx, 2, (struct hy_http_question){ 0 }, fx->web.port, "/hello");
	hy_http_cancel(&call); /* before it ever began */
	get(fx, 3, "/hello");
	turn_until(fx, fx->answers[3].done);
	assert_int_equal(answered(fx), 2);
}

static void closing_tells_the_calls_that_are_out(void **state)
{
	struct fx *fx = *state;
	open_client(fx, &(struct hy_http_client_options){ .private_ok = true, .connections = 2 });
	fx->answers[0].then = NULL;
	for (int i = 0; i < 5; i++)
		get(fx, i, "/later");
	turn_until(fx, fx->web.held_count == 2);
	hy_http_client_close(&fx->client);
	assert_null(fx->client);
	for (int i = 0; i < 5; i++) {
		assert_int_equal(fx->answers[i].done, 1);
		assert_int_equal(fx->answers[i].err, HY_UNREACHABLE);
	}
	hy_http_client_close(&fx->client);
}

/* ---- peers that die ---- */

static int raw_open(struct fx *fx)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(to);
	fx->raw = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(fx->raw, (struct sockaddr *)&to, sizeof(to)), 0);
	assert_int_equal(listen(fx->raw, 8), 0);
	assert_int_equal(getsockname(fx->raw, (struct sockaddr *)&to, &size), 0);
	return ntohs(to.sin_port);
}

/* Waits for a connection and for what is said on it; the request is not looked at. */
static int raw_accept(struct fx *fx)
{
	int fd = -1;
	char head[2000];
	turn_until(fx, (fd = accept4(fx->raw, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0);
	turn_until(fx, recv(fd, head, sizeof(head), 0) > 0);
	return fd;
}

static void a_kept_connection_that_died_is_made_anew(void **state)
{
	struct fx *fx = *state;
	int port = raw_open(fx);
	open_client(fx, &(struct hy_http_client_options){ .private_ok = true });
	for (int i = 0; i < 3; i++) {
		ask(fx, i, (struct hy_http_question){ .timeout_ms = 60000 }, port, "/x");
		int fd = raw_accept(fx);
		web_say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
		turn_until(fx, fx->answers[i].done);
		assert_string_equal(fx->answers[i].body, "ok");
		close(fd);
	}
}

static void a_peer_that_dies_within_its_answer_is_unreachable(void **state)
{
	struct fx *fx = *state;
	int port = raw_open(fx);
	open_client(fx, &(struct hy_http_client_options){ .private_ok = true });
	static const char *const halves[] = { "", "HTTP/1.1 2", "HTTP/1.1 200 OK\r\nContent-Le",
		"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", "SSH-2.0-x\r\n" };
	for (int i = 0; i < 5; i++) {
		ask(fx, i, (struct hy_http_question){ .timeout_ms = 60000 }, port, "/x");
		int fd = raw_accept(fx);
		web_say(fd, halves[i]);
		close(fd);
		turn_until(fx, fx->answers[i].done);
		assert_int_equal(fx->answers[i].err, HY_UNREACHABLE);
		assert_true(fx->answers[i].words[0]);
	}
	close(fx->raw);
	fx->raw = -1;
	ask(fx, 9, (struct hy_http_question){ 0 }, port, "/x");
	turn_until(fx, fx->answers[9].done);
	assert_int_equal(fx->answers[9].err, HY_UNREACHABLE);
}

static void an_endless_head_ends(void **state)
{
	struct fx *fx = *state;
	int port = raw_open(fx);
	open_client(fx, &(struct hy_http_client_options){ .private_ok = true });
	ask(fx, 0, (struct hy_http_question){ .timeout_ms = 100000 }, port, "/x");
	int fd = raw_accept(fx);
	web_say(fd, "HTTP/1.1 200 OK\r\n");
	for (int i = 0; !fx->answers[0].done && i < 10000; i++) {
		char line[120];
		snprintf(line, sizeof(line), "X-%08d: %080d\r\n", i, i);
		send(fd, line, strlen(line), MSG_NOSIGNAL);
		assert_int_equal(hy_loop_turn(fx->loop, 1), HY_OK);
	}
	close(fd);
	assert_int_equal(fx->answers[0].done, 1);
	assert_int_equal(fx->answers[0].err, HY_TOO_LARGE);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(an_answer_has_its_status_its_type_and_its_body),
		T(a_body_and_headers_arrive_as_they_were_given),
		T(a_connection_is_kept_and_used_again),
		T(many_calls_share_few_connections_and_all_are_answered),
		T(an_outcome_may_lead_to_the_next_question),
		T(silence_ends_with_the_timeout),
		T(an_answer_beyond_its_limit_is_let_go),
		T(a_redirect_is_an_answer_like_others),
		T(a_proxy_in_the_environment_is_ignored),
		T(no_spelling_of_loopback_leads_inside),
		cmocka_unit_test(the_list_of_private_addresses_ends_where_it_should),
		T(what_is_no_question_is_named_and_not_asked),
		T(a_cancelled_call_says_nothing_and_the_others_go_on),
		T(closing_tells_the_calls_that_are_out),
		T(a_kept_connection_that_died_is_made_anew),
		T(a_peer_that_dies_within_its_answer_is_unreachable),
		T(an_endless_head_ends),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
