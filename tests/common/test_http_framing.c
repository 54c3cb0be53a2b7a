// link: hy_http
#include "support/web.h"

static void on_call(struct hy_request *q, void *arg)
{
	struct web *w = arg;
	w->calls++;
	hy_http_reply(q, 202, NULL, hy_http_body(q));
}

static const struct hy_route routes[] = {
	{ .method = "POST", .pattern = "/t", .body_max = 1024, .handle = on_call },
	{ .method = "GET", .pattern = "/t", .handle = on_call },
	{ .method = "GET", .pattern = "/smuggled", .handle = on_call },
	{ .method = "DELETE", .pattern = "/t", .body_max = 1024, .handle = on_call },
	{ 0 },
};

static struct web web;

static int up(void **state)
{
	(void)state;
	web_start(&web, routes, (struct hy_http_options){ 0 });
	return 0;
}

/* Half a request line followed by the client's end stays until its deadline: libmicrohttpd looks no further. */
static int up_in_a_hurry(void **state)
{
	(void)state;
	web_start(&web, routes, (struct hy_http_options){ .idle_ms = 20, .head_ms = 20, .body_ms = 20 });
	return 0;
}

static int down(void **state)
{
	(void)state;
	web_stop(&web);
	return 0;
}

#define LINE "POST /t HTTP/1.1\r\n"
#define HOST "Host: a\r\n"
#define HI "Content-Length: 2\r\n\r\nhi"
#define NEXT "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"

struct row {
	const char *what;
	struct hy_bytes wire;
};

// clang-format off
static const struct row good[] = {
	{ "plain", HY_LIT(LINE HOST HI) },
	{ "no body", HY_LIT("GET /t HTTP/1.1\r\nHost: a\r\n\r\n") },
	{ "host with a port", HY_LIT(LINE "Host: example.org:8080\r\n" HI) },
	{ "host by address", HY_LIT(LINE "Host: [::1]:8080\r\n" HI) },
	{ "empty value", HY_LIT(LINE HOST "X:\r\nY: \r\n" HI) },
	{ "no space after the colon", HY_LIT(LINE "Host:a\r\nContent-Length:2\r\n\r\nhi") },
	{ "tabs and spaces around a value", HY_LIT(LINE HOST "X: \t a b\tc \t \r\n" HI) },
	{ "UTF-8 in a value", HY_LIT(LINE HOST "X: \xe5\x9b\x9e\r\n" HI) },
	{ "colon in a value", HY_LIT(LINE HOST "X: a:b: c\r\n" HI) },
	{ "odd but legal name", HY_LIT(LINE HOST "!#$%&'*+-.^_`|~09: a\r\n" HI) },
	{ "names in any case", HY_LIT(LINE "hOST: a\r\ncONTENT-lENGTH: 2\r\n\r\nhi") },
	{ "cookies", HY_LIT(LINE HOST "Cookie: a=b; c=\"d\"; e\r\n" HI) },
	{ "query with everything", HY_LIT("POST /t?a=%41&b&=c&d=e%20f+g&&?= HTTP/1.1\r\n" HOST HI) },
	{ "the same field twice", HY_LIT(LINE HOST "Accept: a\r\nAccept: b\r\n" HI) },
	{ "leading zeros in the length", HY_LIT(LINE HOST "Content-Length: 00002\r\n\r\nhi") },
	{ "a NUL in the body", HY_LIT(LINE HOST "Content-Length: 2\r\n\r\n\0\n") },
};

static const struct row bad[] = {
	/* two opinions on where the body ends */
	{ "two lengths, equal", HY_LIT(LINE HOST "Content-Length: 2\r\n" HI) },
	{ "two lengths, different", HY_LIT(LINE HOST "Content-Length: 2\r\nContent-Length: 40\r\n\r\nhi" NEXT) },
	{ "two lengths, names in different case", HY_LIT(LINE HOST "content-length: 2\r\nCONTENT-LENGTH: 40\r\n\r\nhi" NEXT) },
	{ "length list", HY_LIT(LINE HOST "Content-Length: 2, 2\r\n\r\nhi" NEXT) },
	{ "length with a sign", HY_LIT(LINE HOST "Content-Length: +2\r\n\r\nhi" NEXT) },
	{ "negative length", HY_LIT(LINE HOST "Content-Length: -2\r\n\r\nhi" NEXT) },
	{ "hexadecimal length", HY_LIT(LINE HOST "Content-Length: 0x2\r\n\r\nhi" NEXT) },
	{ "length with a space inside", HY_LIT(LINE HOST "Content-Length: 2 0\r\n\r\nhi" NEXT) },
	{ "length with a NUL inside", HY_LIT(LINE HOST "Content-Length: 2\0" "9\r\n\r\nhi" NEXT) },
	{ "length that overflows", HY_LIT(LINE HOST "Content-Length: 18446744073709551618\r\n\r\nhi" NEXT) },
	{ "empty length", HY_LIT(LINE HOST "Content-Length:\r\n\r\nhi" NEXT) },
	{ "chunked and a length", HY_LIT(LINE HOST "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n" NEXT) },
	{ "a length and chunked", HY_LIT(LINE HOST "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" NEXT) },
	{ "chunked twice", HY_LIT(LINE HOST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" NEXT) },
	{ "chunked list", HY_LIT(LINE HOST "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n" NEXT) },
	{ "gzip, chunked", HY_LIT(LINE HOST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" NEXT) },
	{ "identity", HY_LIT(LINE HOST "Transfer-Encoding: identity\r\nContent-Length: 2\r\n\r\nhi" NEXT) },
	{ "xchunked", HY_LIT(LINE HOST "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" NEXT) },
	{ "chunked in another case", HY_LIT(LINE HOST "Transfer-Encoding: Chunked\r\n\r\n0\r\n\r\n" NEXT) },
	{ "chunked with a vertical tab", HY_LIT(LINE HOST "Transfer-Encoding: \x0b" "chunked\r\n\r\n0\r\n\r\n" NEXT) },
	{ "chunked with a quote", HY_LIT(LINE HOST "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n" NEXT) },
	{ "empty transfer encoding", HY_LIT(LINE HOST "Transfer-Encoding:\r\nContent-Length: 2\r\n\r\nhi" NEXT) },
	/* two opinions on where a line ends */
	{ "bare LF after the request line", HY_LIT("POST /t HTTP/1.1\n" HOST HI NEXT) },
	{ "bare LF after a field", HY_LIT(LINE "Host: a\n" HI NEXT) },
	{ "bare LF after the last field", HY_LIT(LINE HOST "Content-Length: 2\n\r\nhi" NEXT) },
	{ "bare LF as the empty line", HY_LIT(LINE HOST "Content-Length: 2\r\n\nhi" NEXT) },
	{ "bare LF as the empty line, then NUL", HY_LIT(LINE HOST "Content-Length: 2\r\n\n\0i" NEXT) },
	{ "bare LF everywhere", HY_LIT("POST /t HTTP/1.1\nHost: a\nContent-Length: 2\n\nhi") },
	{ "bare CR after the request line", HY_LIT("POST /t HTTP/1.1\r" HOST HI NEXT) },
	{ "bare CR after a field", HY_LIT(LINE "Host: a\r" HI NEXT) },
	{ "bare CR in a value", HY_LIT(LINE HOST "X: a\rContent-Length: 9\r\n" HI NEXT) },
	{ "CR CR LF", HY_LIT(LINE HOST "X: a\r\r\n" HI NEXT) },
	{ "LF CR", HY_LIT(LINE HOST "X: a\n\r" HI NEXT) },
	{ "folded value, space", HY_LIT(LINE HOST "X: a\r\n b\r\n" HI NEXT) },
	{ "folded value, tab", HY_LIT(LINE HOST "X: a\r\n\tContent-Length: 9\r\n" HI NEXT) },
	{ "folded length", HY_LIT(LINE HOST "Content-Length:\r\n 2\r\n\r\nhi" NEXT) },
	{ "space before the first field", HY_LIT(LINE " " HOST HI NEXT) },
	{ "NUL at the end of a line", HY_LIT(LINE HOST "X: a\0\r\n" HI NEXT) },
	/* two opinions on what a line says */
	{ "space before the colon", HY_LIT(LINE HOST "Content-Length : 2\r\n\r\nhi" NEXT) },
	{ "tab before the colon", HY_LIT(LINE HOST "Content-Length\t: 2\r\n\r\nhi" NEXT) },
	{ "space in a name", HY_LIT(LINE HOST "X Y: a\r\n" HI NEXT) },
	{ "no colon", HY_LIT(LINE HOST "Nonsense\r\n" HI NEXT) },
	{ "no name", HY_LIT(LINE HOST ": a\r\n" HI NEXT) },
	{ "NUL in a name", HY_LIT(LINE HOST "X\0Y: a\r\n" HI NEXT) },
	{ "NUL in a value", HY_LIT(LINE HOST "X: a\0b\r\n" HI NEXT) },
	{ "NUL as a value", HY_LIT(LINE HOST "X: \0\r\n" HI NEXT) },
	{ "a line that begins with NUL", HY_LIT(LINE HOST "\0X: a\r\n" HI NEXT) },
	{ "control character in a value", HY_LIT(LINE HOST "X: a\x01" "b\r\n" HI NEXT) },
	{ "escape in a value", HY_LIT(LINE HOST "X: \x1b[31m\r\n" HI NEXT) },
	{ "DEL in a value", HY_LIT(LINE HOST "X: a\x7f\r\n" HI NEXT) },
	{ "UTF-8 in a name", HY_LIT(LINE HOST "\xe5\x9b\x9e: a\r\n" HI NEXT) },
	{ "slash in a name", HY_LIT(LINE HOST "X/Y: a\r\n" HI NEXT) },
	{ "bracket in a name", HY_LIT(LINE HOST "X[Y]: a\r\n" HI NEXT) },
	{ "no host", HY_LIT(LINE HI NEXT) },
	{ "two hosts", HY_LIT(LINE HOST "Host: b\r\n" HI NEXT) },
	{ "two equal hosts", HY_LIT(LINE HOST HOST HI NEXT) },
	{ "empty host", HY_LIT(LINE "Host:\r\n" HI NEXT) },
	{ "host with a path", HY_LIT(LINE "Host: a/b\r\n" HI NEXT) },
	{ "host with a user", HY_LIT(LINE "Host: a@b\r\n" HI NEXT) },
	{ "host list", HY_LIT(LINE "Host: a, b\r\n" HI NEXT) },
	/* the request line */
	{ "two spaces before the target", HY_LIT("POST  /t HTTP/1.1\r\n" HOST HI NEXT) },
	{ "two spaces after the target", HY_LIT("POST /t  HTTP/1.1\r\n" HOST HI NEXT) },
	{ "tab before the target", HY_LIT("POST\t/t HTTP/1.1\r\n" HOST HI NEXT) },
	{ "space after the version", HY_LIT("POST /t HTTP/1.1 \r\n" HOST HI NEXT) },
	{ "space in the target", HY_LIT("POST /t /u HTTP/1.1\r\n" HOST HI NEXT) },
	{ "tab in the target", HY_LIT("POST /t\tu HTTP/1.1\r\n" HOST HI NEXT) },
	{ "NUL in the target", HY_LIT("POST /t\0u HTTP/1.1\r\n" HOST HI NEXT) },
	{ "NUL after the target", HY_LIT("POST /t\0 HTTP/1.1\r\n" HOST HI NEXT) },
	{ "control character in the target", HY_LIT("POST /t?\x01 HTTP/1.1\r\n" HOST HI NEXT) },
	{ "UTF-8 in the target", HY_LIT("POST /t?\xe5\x9b\x9e HTTP/1.1\r\n" HOST HI NEXT) },
	{ "NUL in the method", HY_LIT("PO\0ST /t HTTP/1.1\r\n" HOST HI NEXT) },
	{ "odd method", HY_LIT("PO(ST /t HTTP/1.1\r\n" HOST HI NEXT) },
	{ "no version", HY_LIT("GET /t\r\n" HOST "\r\n" NEXT) },
	{ "HTTP/1.0", HY_LIT("POST /t HTTP/1.0\r\n" HOST HI NEXT) },
	{ "HTTP/1.2", HY_LIT("POST /t HTTP/1.2\r\n" HOST HI NEXT) },
	{ "HTTP/2.0", HY_LIT("POST /t HTTP/2.0\r\n" HOST HI NEXT) },
	{ "lower case version", HY_LIT("POST /t http/1.1\r\n" HOST HI NEXT) },
	{ "version with a zero", HY_LIT("POST /t HTTP/1.10\r\n" HOST HI NEXT) },
	{ "NUL after the version", HY_LIT("POST /t HTTP/1.1\0\r\n" HOST HI NEXT) },
	{ "whole URL as target", HY_LIT("POST http://a/t HTTP/1.1\r\n" HOST HI NEXT) },
	{ "relative target", HY_LIT("POST t HTTP/1.1\r\n" HOST HI NEXT) },
	{ "a body on a path without one, then more", HY_LIT("GET /t HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n" NEXT) },
	{ "DELETE with a folded field", HY_LIT("DELETE /t HTTP/1.1\r\n" HOST "X: a\r\n b\r\n" HI NEXT) },
	/* chunks */
	{ "chunk size is no number", HY_LIT(LINE HOST "Transfer-Encoding: chunked\r\n\r\nzz\r\nhi\r\n0\r\n\r\n" NEXT) },
	{ "negative chunk size", HY_LIT(LINE HOST "Transfer-Encoding: chunked\r\n\r\n-1\r\nhi\r\n0\r\n\r\n" NEXT) },
	{ "chunk size overflows", HY_LIT(LINE HOST "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nhi\r\n0\r\n\r\n" NEXT) },
	{ "chunk longer than its size", HY_LIT(LINE HOST "Transfer-Encoding: chunked\r\n\r\n1\r\nhi\r\n0\r\n\r\n" NEXT) },
};
// clang-format on

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void every_plain_request_passes_and_keeps_its_connection(void **state)
{
	(void)state;
	int fd = web_connect(&web);
	for (size_t i = 0; i < COUNT(good); i++) {
		web_send(fd, good[i].wire.data, good[i].wire.size);
		struct web_answer a = web_read(fd);
		if (a.status != 202)
			fail_msg("%s: %d %s", good[i].what, a.status, a.body);
	}
	assert_int_equal(web.calls, COUNT(good));
	close(fd);
}

/* The network may cut a head anywhere. */
static void a_plain_request_passes_in_pieces_of_any_size(void **state)
{
	(void)state;
	int fd = web_connect(&web), asked = 0;
	for (size_t i = 0; i < COUNT(good); i++) {
		size_t sizes[] = { 1, 2, 3, 5, 7, 11, 19, 23 };
		for (size_t s = 0; s < COUNT(sizes); s++) {
			for (size_t at = 0; at < good[i].wire.size; at += sizes[s]) {
				size_t left = good[i].wire.size - at;
				web_send(fd, good[i].wire.data + at, left < sizes[s] ? left : sizes[s]);
				if (sizes[s] > 3 || at % 4 == 0)
					sched_yield();
			}
			struct web_answer a = web_read(fd);
			if (a.status != 202)
				fail_msg("%s in pieces of %zu: %d %s", good[i].what, sizes[s], a.status, a.body);
			asked++;
		}
	}
	assert_int_equal(web.calls, asked);
	close(fd);
}

static void every_ambiguous_request_is_refused_and_its_connection_closed(void **state)
{
	(void)state;
	assert_true(COUNT(bad) >= 45);
	int wrong = 0;
	for (size_t i = 0; i < COUNT(bad); i++) {
		int fd = web_connect(&web), before = web.calls;
		web_send(fd, bad[i].wire.data, bad[i].wire.size);
		shutdown(fd, SHUT_WR); /* a request that waits for more of itself ends here */
		struct web_answer a = web_read(fd);
		char rest[4096];
		ssize_t n, size = 0;
		while ((n = recv(fd, rest + size, sizeof(rest) - 1 - (size_t)size, 0)) > 0)
			size += n;
		rest[size] = 0;
		close(fd);
		bool refused = a.status == 0 || a.status >= 400;
		if (!refused || web.calls != before || strstr(rest, "HTTP/1.1 2")) {
			print_error(
				"%s: status %d, %d calls, then: %s\n", bad[i].what, a.status, web.calls - before, rest);
			wrong++;
		}
	}
	assert_int_equal(wrong, 0);
}

/* Even a client that keeps its side open gets its answer and then the end of the connection. */
static void a_refused_connection_is_closed_by_us(void **state)
{
	(void)state;
	static const char *const heads[] = {
		// clang-format off
		LINE "Host: a\n" HI NEXT, LINE HOST "X: a\r\n b\r\n" HI NEXT, LINE HOST "Transfer-Encoding: gzip\r\n\r\n", "GET /t HTTP/1.0\r\nHost: a\r\n\r\n" NEXT,
		LINE HOST "Content-Length: 2\r\n" HI NEXT,
	}; // clang-format on
	for (size_t i = 0; i < COUNT(heads); i++) {
		int fd = web_connect(&web);
		struct web_answer a = web_ask(fd, heads[i]);
		assert_in_range(a.status, 400, 505);
		assert_non_null(strstr(a.head, "Connection: close\r\n"));
		assert_non_null(strstr(a.head, "application/problem+json"));
		assert_true(web_closed(fd));
		close(fd);
	}
	assert_int_equal(web.calls, 0);
}

static void what_is_too_long_is_refused(void **state)
{
	(void)state;
	char *text = malloc(70000);
	static const struct {
		const char *before, *after;
		size_t fill;
		int least, most;
	} rows[] = {
		{ "GET /t?", " HTTP/1.1\r\nHost: a\r\n\r\n", 2000, 202, 202 },
		{ "GET /t?", " HTTP/1.1\r\nHost: a\r\n\r\n", 2100, 414, 414 },
		{ "GET /t?", " HTTP/1.1\r\nHost: a\r\n\r\n", 60000, 400, 599 },
		{ "GET /t HTTP/1.1\r\nHost: a\r\nX: ", "\r\n\r\n", 8000, 202, 202 },
		{ "GET /t HTTP/1.1\r\nHost: a\r\nX: ", "\r\n\r\n", 8200, 431, 431 },
		{ "GET /t HTTP/1.1\r\nHost: a\r\nX: ", "\r\n\r\n", 60000, 400, 599 },
		{ "GET /t HTTP/1.1\r\nHost: a\r\n", ": x\r\n\r\n", 60000, 400, 599 },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		size_t size = strlen(rows[i].before);
		memcpy(text, rows[i].before, size);
		memset(text + size, 'a', rows[i].fill);
		strcpy(text + size + rows[i].fill, rows[i].after);
		int fd = web_connect(&web);
		web_say(fd, text);
		struct web_answer a = web_read(fd);
		if (a.status || rows[i].least < 400)
			assert_in_range(a.status, rows[i].least, rows[i].most);
		close(fd);
	}
	for (int fields = 63; fields <= 64; fields++) {
		strcpy(text, "GET /t HTTP/1.1\r\nHost: a\r\n");
		for (int i = 0; i < fields; i++)
			strcat(text, "A: b\r\n");
		strcat(text, "\r\n");
		int fd = web_connect(&web);
		assert_int_equal(web_ask(fd, text).status, fields == 63 ? 202 : 431);
		close(fd);
	}
	free(text);
}

/* Whatever arrives, the server stays on its feet, and afterwards serves as before. */
static void two_thousand_mutilated_requests_leave_the_server_well(void **state)
{
	(void)state;
	uint64_t seed = 20260101;
	for (int round = 0; round < 2000; round++) {
		const struct row *r =
			round % 2 ? &good[(size_t)round / 2 % COUNT(good)] : &bad[(size_t)round / 2 % COUNT(bad)];
		char wire[1024];
		size_t size = r->wire.size;
		memcpy(wire, r->wire.data, size);
		for (int change = 0; change < 1 + round % 4; change++) {
			static const char odd[] = "\0\r\n :\t\x7f\xff"
						  "a0;,%?&=";
			seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
			size_t at = (size_t)(seed >> 33) % size;
			switch ((seed >> 20) % 3) {
			case 0:
				wire[at] = odd[(seed >> 40) % (sizeof(odd) - 1)];
				break;
			case 1:
				memmove(wire + at, wire + at + 1, size - at - 1);
				size -= size > 1;
				break;
			default:
				memmove(wire + at + 1, wire + at, size - at);
				wire[at] = odd[(seed >> 40) % (sizeof(odd) - 1)];
				size++;
				break;
			}
		}
		int fd = web_connect(&web);
		web_send(fd, wire, size);
		shutdown(fd, SHUT_WR);
		char rest[4096];
		while (recv(fd, rest, sizeof(rest), 0) > 0)
			;
		close(fd);
	}
	int status = 0;
	for (int i = 0; i < 100 && status != 202; i++) { /* a busy machine may let the short deadline pass */
		int fd = web_connect(&web);
		status = web_ask(fd, LINE HOST HI).status;
		close(fd);
	}
	assert_int_equal(status, 202);
	web_until(web_counts(&web).connections == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_plain_request_passes_and_keeps_its_connection, up, down),
		cmocka_unit_test_setup_teardown(a_plain_request_passes_in_pieces_of_any_size, up, down),
		cmocka_unit_test_setup_teardown(every_ambiguous_request_is_refused_and_its_connection_closed, up, down),
		cmocka_unit_test_setup_teardown(a_refused_connection_is_closed_by_us, up, down),
		cmocka_unit_test_setup_teardown(what_is_too_long_is_refused, up, down),
		cmocka_unit_test_setup_teardown(
			two_thousand_mutilated_requests_leave_the_server_well, up_in_a_hurry, down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
