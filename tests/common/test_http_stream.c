// link: hy_http
#include "support/web.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdlib.h>

#define HEAD(path) "POST " path " HTTP/1.1\r\nHost: localhost\r\n"
#define STREAM_MAX ((size_t)1 << 20)

/* What one request has had so far. */
struct heard {
	size_t size, pieces;
	uint64_t sum;
};

static struct web web;
static atomic_int notes; /* allocated, and not yet given back */
static atomic_int dropped;
static atomic_size_t heard_bytes; /* of all requests */

static uint64_t sum_of(uint64_t sum, struct hy_bytes b)
{
	for (size_t i = 0; i < b.size; i++)
		sum = sum * 31 + b.data[i];
	return sum;
}

static bool on_piece(struct hy_request *q, struct hy_bytes bytes, void *arg)
{
	(void)arg;
	struct heard *h = hy_http_note(q);
	h->size += bytes.size;
	h->pieces++;
	h->sum = sum_of(h->sum, bytes);
	heard_bytes += bytes.size;
	if (memchr(bytes.data, '!', bytes.size)) {
		hy_http_problem(q, 422, "invalid", "no exclamation marks", NULL);
		return false;
	}
	return true;
}

static void begin_stream(struct hy_request *q, void *arg)
{
	struct web *w = arg;
	w->calls++;
	hy_http_set_note(q, calloc(1, sizeof(struct heard)));
	notes++;
	if (hy_http_query(q, "refuse")) {
		hy_http_problem(q, 401, "unauthorized", "no", NULL);
		return;
	}
	hy_http_stream(q, STREAM_MAX, on_piece);
}

static void end_stream(struct hy_request *q, void *arg)
{
	(void)arg;
	struct heard *h = hy_http_note(q);
	char text[96];
	assert_int_equal(hy_http_body(q).size, 0);
	snprintf(text, sizeof(text), "%zu %" PRIx64, h->size, h->sum);
	hy_http_reply(q, 202, "text/plain", hy_bytes_text(text));
	free(h);
	notes--;
}

static void on_dropped(struct hy_request *q, void *arg)
{
	(void)arg;
	free(hy_http_note(q));
	hy_http_set_note(q, NULL);
	notes--;
	dropped++;
}

static void gathered(struct hy_request *q, void *arg)
{
	struct web *w = arg;
	w->calls++;
	char text[96];
	snprintf(text, sizeof(text), "%zu %" PRIx64, hy_http_body(q).size, sum_of(0, hy_http_body(q)));
	hy_http_reply(q, 202, "text/plain", hy_bytes_text(text));
}

/* A small body_max in the row: hy_http_stream() says a larger one. */
static const struct hy_route routes[] = {
	{ "POST", "/stream", 10, end_stream, begin_stream, .dropped = on_dropped, .inflate = true },
	{ "POST", "/gather", STREAM_MAX, gathered, .inflate = true },
	{ "POST", "/plain", STREAM_MAX, gathered },
	{ "POST", "/take", 10, gathered },
	{ 0 },
};

static int up_with(struct hy_http_options o)
{
	dropped = 0;
	heard_bytes = 0;
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
	assert_int_equal(notes, 0); /* each was given back, by the handler or by dropped() */
	return 0;
}

/* ---- bodies to send ---- */

static struct hy_bytes words(size_t size)
{
	uint8_t *data = malloc(size + 1);
	for (size_t i = 0; i < size; i++)
		data[i] = "0123456789 \nabcdef"[(i * 7 + i / 97) % 18];
	return hy_bytes(data, size);
}

static void give_back(struct hy_bytes b)
{
	free((void *)(uintptr_t)b.data);
}

/* Sends head and body, the body in pieces of `piece` bytes, as chunks or with its length. */
static int send_in_pieces(const char *head, struct hy_bytes body, size_t piece, bool chunked)
{
	char text[256];
	int fd = web_connect(&web);
	web_say(fd, head);
	if (chunked)
		snprintf(text, sizeof(text), "Transfer-Encoding: chunked\r\n\r\n");
	else
		snprintf(text, sizeof(text), "Content-Length: %zu\r\n\r\n", body.size);
	web_say(fd, text);
	for (size_t at = 0, size; at < body.size; at += size) {
		size = body.size - at < piece ? body.size - at : piece;
		if (chunked) {
			snprintf(text, sizeof(text), "%zx\r\n", size);
			web_say(fd, text);
		}
		if (!web_send(fd, body.data + at, size))
			break;
		if (chunked)
			web_say(fd, "\r\n");
	}
	if (chunked)
		web_say(fd, "0\r\n\r\n");
	return fd;
}

static struct web_answer post(const char *head, struct hy_bytes body, size_t piece, bool chunked)
{
	int fd = send_in_pieces(head, body, piece, chunked);
	struct web_answer a = web_read(fd);
	close(fd);
	return a;
}

static void expect_whole(struct web_answer a, struct hy_bytes body)
{
	char text[96];
	snprintf(text, sizeof(text), "%zu %" PRIx64, body.size, sum_of(0, body));
	assert_int_equal(a.status, 202);
	assert_string_equal(a.body, text);
}

/* ---- streams ---- */

static void a_streamed_body_arrives_whole_however_it_is_cut(void **state)
{
	(void)state;
	static const size_t pieces[] = { 1, 7, 100, 4096, 65536, STREAM_MAX };
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		struct hy_bytes body = words(pieces[i] < 100 ? 3000 : STREAM_MAX);
		expect_whole(post(HEAD("/stream"), body, pieces[i], false), body);
		expect_whole(post(HEAD("/stream"), body, pieces[i], true), body);
		give_back(body);
	}
	assert_int_equal(dropped, 0);
}

static void a_stream_without_a_body_is_empty(void **state)
{
	(void)state;
	int fd = web_connect(&web);
	for (int i = 0; i < 3; i++)
		assert_string_equal(web_ask(fd, HEAD("/stream") "Content-Length: 0\r\n\r\n").body, "0 0");
	close(fd);
}

static void streams_and_gathered_bodies_follow_each_other_on_one_connection(void **state)
{
	(void)state;
	int fd = web_connect(&web);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(web_ask(fd, HEAD("/stream") "Content-Length: 11\r\n\r\nhello world").status, 202);
		assert_int_equal(web_ask(fd, HEAD("/take") "Content-Length: 2\r\n\r\nhi").status, 202);
		assert_int_equal(web_ask(fd, HEAD("/stream") "Content-Length: 2\r\n\r\nh!").status, 422);
	}
	close(fd);
	web_until(dropped == 20);
}

static void a_stream_past_its_limit_is_413_and_its_note_goes(void **state)
{
	(void)state;
	struct hy_bytes body = words(STREAM_MAX + 1);
	assert_int_equal(post(HEAD("/stream"), body, 65536, false).status, 413);
	assert_int_equal(heard_bytes, 0); /* its length said so */
	assert_int_equal(post(HEAD("/stream"), body, 65536, true).status, 413);
	assert_true(heard_bytes <= STREAM_MAX);
	web_until(dropped == 2);
	give_back(body);
}

static void a_request_refused_by_its_head_is_dropped_once(void **state)
{
	(void)state;
	int fd = web_connect(&web);
	struct web_answer a = web_ask(fd, HEAD("/stream?refuse=1") "Content-Length: 3\r\n\r\nabc");
	assert_int_equal(a.status, 401);
	assert_int_equal(web_ask(fd, HEAD("/take") "Content-Length: 2\r\n\r\nhi").status, 202);
	close(fd);
	assert_int_equal(dropped, 1);
	assert_int_equal(heard_bytes, 0);
}

static void a_piece_may_refuse_and_the_rest_is_thrown_away(void **state)
{
	(void)state;
	struct hy_bytes body = words(STREAM_MAX);
	((uint8_t *)(uintptr_t)body.data)[100000] = '!';
	struct web_answer a = post(HEAD("/stream"), body, 5000, false);
	assert_int_equal(a.status, 422);
	assert_non_null(strstr(a.body, "no exclamation marks"));
	assert_true(heard_bytes < 200000);
	web_until(dropped == 1);
	give_back(body);
}

static void a_client_that_leaves_in_the_middle_is_dropped_once(void **state)
{
	(void)state;
	int fd = web_connect(&web);
	web_say(fd, HEAD("/stream") "Content-Length: 1000\r\n\r\nabc");
	web_until(heard_bytes == 3);
	assert_int_equal(dropped, 0);
	close(fd);
	web_until(dropped == 1);
	fd = web_connect(&web);
	web_say(fd, HEAD("/stream") "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
	web_until(heard_bytes == 6);
	close(fd);
	web_until(dropped == 2);
}

static void closing_the_server_drops_what_is_in_the_middle(void **state)
{
	up(state);
	int fd = web_connect(&web);
	web_say(fd, HEAD("/stream") "Content-Length: 1000\r\n\r\nabc");
	web_until(heard_bytes == 3);
	down(state);
	assert_int_equal(dropped, 1);
	close(fd);
}

static void a_bad_chunk_ends_the_stream_and_drops_it(void **state)
{
	(void)state;
	int fd = web_connect(&web);
	web_say(fd, HEAD("/stream") "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n");
	web_until(dropped == 1);
	close(fd);
	assert_int_equal(notes, 0);
}

/* ---- deadlines of streams ---- */

static int64_t now;

static void later(int64_t ms)
{
	now += ms;
	hy_clock_stand(now);
	hy_loop_wake(web.loop);
}

/* Sends so much and waits until it is there; false when the server has cut us off. */
static bool hear(int fd, size_t size)
{
	size_t before = heard_bytes;
	struct hy_bytes body = words(size);
	bool sent = web_send(fd, body.data, size);
	give_back(body);
	for (int i = 0; sent && heard_bytes < before + size && i < 6000; i++) {
		if (web_counts(&web).timed_out)
			return false;
		usleep(5000);
	}
	return sent && heard_bytes == before + size;
}

static void a_stream_has_more_time_while_it_is_fast_enough(void **state)
{
	(void)state;
	now = 1000000;
	hy_clock_stand(now);
	up_with((struct hy_http_options){ .body_ms = 1000, .idle_ms = 1000000, .head_ms = 1000000 });
	int fd = web_connect(&web);
	web_say(fd, HEAD("/stream") "Content-Length: 100000\r\n\r\n");
	for (int i = 0; i < 5; i++) {
		assert_true(hear(fd, 20000));
		if (i < 4)
			later(900);
	}
	assert_int_equal(web_read(fd).status, 202);
	close(fd);
	down(NULL);
	hy_clock_stand(-1);
	assert_int_equal(web.counts.timed_out, 0);
}

static void a_stream_that_is_too_slow_is_cut_off(void **state)
{
	(void)state;
	now = 1000000;
	hy_clock_stand(now);
	up_with((struct hy_http_options){ .body_ms = 1000, .idle_ms = 1000000, .head_ms = 1000000 });
	int fd = web_connect(&web);
	web_say(fd, HEAD("/stream") "Content-Length: 100000\r\n\r\n");
	assert_true(hear(fd, 10000));
	later(900);
	assert_true(hear(fd, 5000));
	later(200);
	web_until(web_counts(&web).timed_out == 1);
	web_until(dropped == 1);
	close(fd);
	down(NULL);
	hy_clock_stand(-1);
}

static void a_stream_that_never_ends_is_cut_off_however_fast(void **state)
{
	(void)state;
	now = 1000000;
	hy_clock_stand(now);
	up_with((struct hy_http_options){ .body_ms = 1000, .idle_ms = 1000000, .head_ms = 1000000 });
	int fd = web_connect(&web), turns = 0;
	web_say(fd, HEAD("/stream") "Content-Length: 1000000\r\n\r\n");
	while (turns < 12 && hear(fd, 20000)) {
		later(900);
		turns++;
	}
	assert_in_range(turns, 7, 11); /* eight times body_ms, and what was on its way */
	web_until(dropped == 1);
	close(fd);
	down(NULL);
	hy_clock_stand(-1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_streamed_body_arrives_whole_however_it_is_cut, up, down),
		cmocka_unit_test_setup_teardown(a_stream_without_a_body_is_empty, up, down),
		cmocka_unit_test_setup_teardown(
			streams_and_gathered_bodies_follow_each_other_on_one_connection, up, down),
		cmocka_unit_test_setup_teardown(a_stream_past_its_limit_is_413_and_its_note_goes, up, down),
		cmocka_unit_test_setup_teardown(a_request_refused_by_its_head_is_dropped_once, up, down),
		cmocka_unit_test_setup_teardown(a_piece_may_refuse_and_the_rest_is_thrown_away, up, down),
		cmocka_unit_test_setup_teardown(a_client_that_leaves_in_the_middle_is_dropped_once, up, down),
		cmocka_unit_test(closing_the_server_drops_what_is_in_the_middle),
		cmocka_unit_test_setup_teardown(a_bad_chunk_ends_the_stream_and_drops_it, up, down),
		cmocka_unit_test(a_stream_has_more_time_while_it_is_fast_enough),
		cmocka_unit_test(a_stream_that_is_too_slow_is_cut_off),
		cmocka_unit_test(a_stream_that_never_ends_is_cut_off_however_fast),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
