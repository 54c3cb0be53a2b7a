// link: hy_http
#include "support/web.h"

#include <inttypes.h>
#include <stdlib.h>
#include <zlib.h>

#include "http/inflate.h"

#define HEAD(path) "POST " path " HTTP/1.1\r\nHost: localhost\r\n"
#define BODY_MAX ((size_t)64 << 10)

enum wrapping { GZIP = 16 + MAX_WBITS, ZLIB = MAX_WBITS, BARE = -MAX_WBITS };

static struct hy_bytes words(size_t size)
{
	uint8_t *data = malloc(size + 1);
	for (size_t i = 0; i < size; i++)
		data[i] = "0123456789 \nabcdef"[(i * 7 + i / 97) % 18];
	return hy_bytes(data, size);
}

/* Appends `text`, compressed. */
static void squeeze(struct hy_buffer *out, enum wrapping wrapping, struct hy_bytes text)
{
	z_stream z = { 0 };
	assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, wrapping, 8, Z_DEFAULT_STRATEGY), Z_OK);
	size_t room = deflateBound(&z, text.size) + 64;
	z.next_in = (Bytef *)(uintptr_t)text.data;
	z.avail_in = (uInt)text.size;
	z.next_out = hy_buffer_room(out, room);
	z.avail_out = (uInt)room;
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	out->size += room - z.avail_out;
	deflateEnd(&z);
}

static struct hy_buffer squeezed(enum wrapping wrapping, struct hy_bytes text)
{
	struct hy_buffer out = { 0 };
	squeeze(&out, wrapping, text);
	return out;
}

/* ---- the unit ---- */

static bool keep(void *arg, struct hy_bytes bytes)
{
	hy_buffer_bytes(arg, bytes);
	return true;
}

/* Inflates in pieces of `piece` bytes; the first failure of put or end. */
static int inflate_all(enum http_coding coding, struct hy_bytes in, size_t piece, size_t most, struct hy_buffer *out,
	struct hy_fault *f)
{
	struct http_inflate *z = http_inflate_new(coding, most);
	int err = HY_OK;
	for (size_t at = 0, size; at < in.size && !err; at += size) {
		size = in.size - at < piece ? in.size - at : piece;
		err = http_inflate_put(z, hy_bytes(in.data + at, size), keep, out, f);
	}
	if (!err)
		err = http_inflate_end(z, f);
	http_inflate_free(&z);
	assert_null(z);
	return err;
}

static void expect_text(enum http_coding coding, const struct hy_buffer *in, struct hy_bytes text)
{
	static const size_t pieces[] = { 1, 2, 3, 1000, 65536, SIZE_MAX };
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		struct hy_buffer out = { 0 };
		struct hy_fault f = { 0 };
		if (inflate_all(coding, hy_buffer_view(in), pieces[i], text.size, &out, &f))
			fail_msg("in pieces of %zu: %s", pieces[i], f.text);
		assert_true(hy_bytes_equal(hy_buffer_view(&out), text));
		hy_buffer_free(&out);
	}
}

static void what_was_compressed_comes_out_as_it_was(void **state)
{
	(void)state;
	static const size_t sizes[] = { 0, 1, 100, 16383, 16384, 16385, 300000 };
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct hy_bytes text = words(sizes[i]);
		struct hy_buffer gzip = squeezed(GZIP, text), zlib = squeezed(ZLIB, text), bare = squeezed(BARE, text);
		expect_text(HTTP_GZIP, &gzip, text);
		expect_text(HTTP_DEFLATE, &zlib, text);
		expect_text(HTTP_DEFLATE, &bare, text);
		hy_buffer_free(&gzip);
		hy_buffer_free(&zlib);
		hy_buffer_free(&bare);
		free((void *)(uintptr_t)text.data);
	}
}

static void gzip_members_one_after_the_other_are_one_text(void **state)
{
	(void)state;
	struct hy_buffer in = squeezed(GZIP, HY_LIT("hello "));
	squeeze(&in, GZIP, HY_LIT(""));
	squeeze(&in, GZIP, HY_LIT("world"));
	expect_text(HTTP_GZIP, &in, HY_LIT("hello world"));
	hy_buffer_free(&in);
}

static void no_bytes_at_all_are_an_empty_body(void **state)
{
	(void)state;
	struct hy_buffer nothing = { 0 };
	expect_text(HTTP_GZIP, &nothing, HY_LIT(""));
	expect_text(HTTP_DEFLATE, &nothing, HY_LIT(""));
}

/* In any pieces, and in words that name the coding. */
static void expect_fault(enum http_coding coding, struct hy_bytes in, const char *words_of_it)
{
	static const size_t pieces[] = { 1, 5, SIZE_MAX };
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		struct hy_buffer out = { 0 };
		struct hy_fault f = { 0 };
		assert_int_equal(inflate_all(coding, in, pieces[i], BODY_MAX, &out, &f), HY_BAD_INPUT);
		if (!strstr(f.text, words_of_it))
			fail_msg("\"%s\" does not say \"%s\"", f.text, words_of_it);
		hy_buffer_free(&out);
	}
}

static void every_shortened_stream_ends_in_the_middle(void **state)
{
	(void)state;
	struct hy_buffer gzip = squeezed(GZIP, HY_LIT("hello world")), zlib = squeezed(ZLIB, HY_LIT("hello world")),
			 bare = squeezed(BARE, HY_LIT("hello world"));
	for (size_t size = 1; size < gzip.size; size++)
		expect_fault(HTTP_GZIP, hy_bytes(gzip.data, size), "the gzip body ends in the middle");
	for (size_t size = 1; size < zlib.size; size++)
		expect_fault(HTTP_DEFLATE, hy_bytes(zlib.data, size), "the deflate body ends in the middle");
	for (size_t size = 1; size < bare.size; size++)
		expect_fault(HTTP_DEFLATE, hy_bytes(bare.data, size), "the deflate body ends in the middle");
	hy_buffer_free(&gzip);
	hy_buffer_free(&zlib);
	hy_buffer_free(&bare);
}

static void a_wrong_checksum_is_a_fault(void **state)
{
	(void)state;
	struct hy_buffer gzip = squeezed(GZIP, HY_LIT("hello world")), zlib = squeezed(ZLIB, HY_LIT("hello world"));
	gzip.data[gzip.size - 8] ^= 1; /* CRC */
	expect_fault(HTTP_GZIP, hy_buffer_view(&gzip), "incorrect data check");
	gzip.data[gzip.size - 8] ^= 1;
	gzip.data[gzip.size - 4] ^= 1; /* length */
	expect_fault(HTTP_GZIP, hy_buffer_view(&gzip), "incorrect length check");
	zlib.data[zlib.size - 1] ^= 1;
	expect_fault(HTTP_DEFLATE, hy_buffer_view(&zlib), "incorrect data check");
	hy_buffer_free(&gzip);
	hy_buffer_free(&zlib);
}

static void what_stands_behind_the_end_is_a_fault(void **state)
{
	(void)state;
	struct hy_buffer gzip = squeezed(GZIP, HY_LIT("hello world")), zlib = squeezed(ZLIB, HY_LIT("hello world")),
			 bare = squeezed(BARE, HY_LIT("hello world"));
	hy_buffer_text(&gzip, "x");
	hy_buffer_text(&zlib, "x");
	hy_buffer_text(&bare, "x");
	expect_fault(HTTP_GZIP, hy_buffer_view(&gzip), "behind the end of the gzip body");
	expect_fault(HTTP_DEFLATE, hy_buffer_view(&zlib), "behind the end of the deflate body");
	expect_fault(HTTP_DEFLATE, hy_buffer_view(&bare), "behind the end of the deflate body");
	hy_buffer_free(&gzip);
	hy_buffer_free(&zlib);
	hy_buffer_free(&bare);
}

static void text_that_was_never_compressed_is_a_fault(void **state)
{
	(void)state;
	expect_fault(HTTP_GZIP, HY_LIT("{\"text\":\"hello\"}"), "no sound gzip stream");
	expect_fault(HTTP_DEFLATE, HY_LIT("\xff{\"text\":\"hello\"}"), "no sound deflate stream");
}

static void a_stream_that_wants_a_dictionary_is_a_fault(void **state)
{
	(void)state;
	z_stream z = { 0 };
	uint8_t out[256];
	deflateInit(&z, 6);
	deflateSetDictionary(&z, (const Bytef *)"hello", 5);
	z.next_in = (Bytef *)(uintptr_t) "hello hello";
	z.avail_in = 11;
	z.next_out = out;
	z.avail_out = sizeof(out);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	expect_fault(HTTP_DEFLATE, hy_bytes(out, sizeof(out) - z.avail_out), "dictionary");
	deflateEnd(&z);
}

static void a_small_input_that_becomes_large_stops_at_the_limit(void **state)
{
	(void)state;
	size_t size = (size_t)64 << 20;
	void *zeros = calloc(1, size);
	struct hy_buffer bomb = squeezed(GZIP, hy_bytes(zeros, size)), out = { 0 };
	free(zeros);
	assert_true(bomb.size < size / 500);
	struct hy_fault f = { 0 };
	assert_int_equal(inflate_all(HTTP_GZIP, hy_buffer_view(&bomb), 4096, BODY_MAX, &out, &f), HY_TOO_LARGE);
	assert_true(out.size <= BODY_MAX);
	hy_buffer_free(&out);
	hy_buffer_free(&bomb);
}

static void the_limit_itself_still_fits(void **state)
{
	(void)state;
	struct hy_bytes text = words(BODY_MAX + 1);
	struct hy_buffer fits = squeezed(GZIP, hy_bytes(text.data, BODY_MAX)), more = squeezed(GZIP, text), out = { 0 };
	struct hy_fault f = { 0 };
	assert_int_equal(inflate_all(HTTP_GZIP, hy_buffer_view(&fits), 1000, BODY_MAX, &out, &f), HY_OK);
	assert_int_equal(out.size, BODY_MAX);
	hy_buffer_clear(&out);
	assert_int_equal(inflate_all(HTTP_GZIP, hy_buffer_view(&more), 1000, BODY_MAX, &out, &f), HY_TOO_LARGE);
	hy_buffer_free(&out);
	hy_buffer_free(&fits);
	hy_buffer_free(&more);
	free((void *)(uintptr_t)text.data);
}

/* ---- over HTTP ---- */

static void reply_with_body(struct hy_request *q, void *arg)
{
	struct web *w = arg;
	w->calls++;
	char text[64];
	struct hy_bytes body = hy_http_body(q);
	snprintf(text, sizeof(text), "%zu %.*s", body.size, body.size < 32 ? (int)body.size : 0,
		(const char *)body.data);
	hy_http_reply(q, 202, "text/plain", hy_bytes_text(text));
}

static bool ignore(struct hy_request *q, struct hy_bytes bytes, void *arg)
{
	struct web *w = arg;
	(void)q;
	assert_true(bytes.size > 0);
	w->held_count += (int)bytes.size; /* nobody else counts here */
	return true;
}

static void stream(struct hy_request *q, void *arg)
{
	(void)arg;
	hy_http_stream(q, BODY_MAX, ignore);
}

static const struct hy_route routes[] = {
	{ "POST", "/gather", BODY_MAX, reply_with_body, .inflate = true },
	{ "POST", "/stream", 0, reply_with_body, stream, .inflate = true },
	{ "POST", "/plain", BODY_MAX, reply_with_body },
	{ 0 },
};

static struct web web;

static int up(void **state)
{
	(void)state;
	web_start(&web, routes, (struct hy_http_options){ 0 });
	return 0;
}

static int down(void **state)
{
	(void)state;
	web.held_count = 0;
	web_stop(&web);
	return 0;
}

/* `piece` 0: with its length, in one go; else in chunks of so many bytes. */
static int say_body(const char *path, const char *codings, struct hy_bytes body, size_t piece)
{
	char text[512];
	int fd = web_connect(&web);
	snprintf(text, sizeof(text), "POST %s HTTP/1.1\r\nHost: localhost\r\n%s", path, codings);
	web_say(fd, text);
	if (!piece) {
		snprintf(text, sizeof(text), "Content-Length: %zu\r\n\r\n", body.size);
		web_say(fd, text);
		web_send(fd, body.data, body.size);
		return fd;
	}
	web_say(fd, "Transfer-Encoding: chunked\r\n\r\n");
	for (size_t at = 0, size; at < body.size; at += size) {
		size = body.size - at < piece ? body.size - at : piece;
		snprintf(text, sizeof(text), "%zx\r\n", size);
		if (!web_say(fd, text) || !web_send(fd, body.data + at, size) || !web_say(fd, "\r\n"))
			break;
	}
	web_say(fd, "0\r\n\r\n");
	return fd;
}

static struct web_answer post(const char *path, const char *codings, struct hy_bytes body, size_t piece)
{
	int fd = say_body(path, codings, body, piece);
	struct web_answer a = web_read(fd);
	close(fd);
	return a;
}

#define CODED(x) "Content-Encoding: " x "\r\n"

static void compressed_bodies_are_taken_by_the_names_that_clients_use(void **state)
{
	(void)state;
	struct hy_buffer gzip = squeezed(GZIP, HY_LIT("hello")), zlib = squeezed(ZLIB, HY_LIT("hello")),
			 bare = squeezed(BARE, HY_LIT("hello"));
	for (size_t piece = 0; piece < 3; piece++) {
		assert_string_equal(post("/gather", CODED("gzip"), hy_buffer_view(&gzip), piece).body, "5 hello");
		assert_string_equal(post("/gather", CODED("x-gzip"), hy_buffer_view(&gzip), piece).body, "5 hello");
		assert_string_equal(post("/gather", CODED("GZip"), hy_buffer_view(&gzip), piece).body, "5 hello");
		assert_string_equal(post("/gather", CODED("deflate"), hy_buffer_view(&zlib), piece).body, "5 hello");
		assert_string_equal(post("/gather", CODED("deflate"), hy_buffer_view(&bare), piece).body, "5 hello");
		assert_string_equal(post("/gather", CODED("identity"), HY_LIT("hello"), piece).body, "5 hello");
		assert_string_equal(post("/gather", CODED(""), HY_LIT("hello"), piece).body, "5 hello");
		assert_string_equal(post("/plain", CODED("identity"), HY_LIT("hello"), piece).body, "5 hello");
		web.held_count = 0;
		assert_int_equal(post("/stream", CODED("gzip"), hy_buffer_view(&gzip), piece).status, 202);
		assert_int_equal(web.held_count, 5);
	}
	hy_buffer_free(&gzip);
	hy_buffer_free(&zlib);
	hy_buffer_free(&bare);
}

static void other_codings_are_415_and_told_what_is_taken(void **state)
{
	(void)state;
	static const char *const bad[] = { CODED("br"), CODED("zstd"), CODED("compress"), CODED("gzip, gzip"),
		CODED("gzip, br"), CODED("aws-chunked"), CODED("gzip") CODED("gzip"), CODED("gzip;q=1"), CODED("gzi") };
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct web_answer a = post("/gather", bad[i], HY_LIT("hello"), i & 1);
		assert_int_equal(a.status, 415);
		assert_non_null(strstr(a.head, "Accept-Encoding: gzip, deflate\r\n"));
		assert_non_null(strstr(a.head, "application/problem+json"));
	}
	struct web_answer a = post("/plain", CODED("gzip"), HY_LIT("hello"), 0);
	assert_int_equal(a.status, 415);
	assert_non_null(strstr(a.head, "Accept-Encoding: identity\r\n"));
	assert_int_equal(web.calls, 0);
}

static void a_bomb_is_413_and_the_connection_ends(void **state)
{
	(void)state;
	size_t size = (size_t)20 << 20;
	void *zeros = calloc(1, size);
	struct hy_buffer bomb = squeezed(GZIP, hy_bytes(zeros, size));
	free(zeros);
	for (int i = 0; i < 4; i++) {
		int fd =
			say_body(i & 1 ? "/gather" : "/stream", CODED("gzip"), hy_buffer_view(&bomb), i & 2 ? 1000 : 0);
		struct web_answer a = web_read(fd);
		assert_int_equal(a.status, 413);
		assert_non_null(strstr(a.body, "/problems/too-large"));
		assert_non_null(strstr(a.head, "Connection: close\r\n"));
		assert_true(web_closed(fd));
		close(fd);
	}
	assert_int_equal(web.calls, 0);
	assert_in_range(web.held_count, 1, 2 * BODY_MAX);
	hy_buffer_free(&bomb);
}

/* Empty members make no text at all, so it is the bytes on the wire that end it. */
static void bytes_that_become_nothing_have_an_end_too(void **state)
{
	(void)state;
	struct hy_buffer in = { 0 };
	while (in.size < 2 * BODY_MAX)
		squeeze(&in, GZIP, HY_LIT(""));
	assert_int_equal(post("/gather", CODED("gzip"), hy_buffer_view(&in), 0).status, 413);
	assert_int_equal(post("/gather", CODED("gzip"), hy_buffer_view(&in), 4000).status, 413);
	hy_buffer_free(&in);
}

static void a_broken_body_is_400_in_words_and_the_connection_goes_on(void **state)
{
	(void)state;
	struct hy_buffer gzip = squeezed(GZIP, HY_LIT("hello"));
	gzip.data[gzip.size - 8] ^= 1;
	for (int i = 0; i < 2; i++) {
		int fd = say_body(i ? "/gather" : "/stream", CODED("gzip"), hy_buffer_view(&gzip), 0);
		struct web_answer a = web_read(fd);
		assert_int_equal(a.status, 400);
		assert_non_null(strstr(a.body, "/problems/content-encoding"));
		assert_non_null(strstr(a.body, "incorrect data check, after 5 bytes"));
		assert_string_equal(web_ask(fd, HEAD("/plain") "Content-Length: 2\r\n\r\nhi").body, "2 hi");
		close(fd);
	}
	assert_int_equal(post("/gather", CODED("gzip"), hy_bytes(gzip.data, gzip.size - 3), 5).status, 400);
	assert_int_equal(post("/gather", CODED("gzip"), HY_LIT("{\"text\":\"hello\"}"), 0).status, 400);
	assert_int_equal(web.calls, 2);
	hy_buffer_free(&gzip);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_compressed_comes_out_as_it_was),
		cmocka_unit_test(gzip_members_one_after_the_other_are_one_text),
		cmocka_unit_test(no_bytes_at_all_are_an_empty_body),
		cmocka_unit_test(every_shortened_stream_ends_in_the_middle),
		cmocka_unit_test(a_wrong_checksum_is_a_fault),
		cmocka_unit_test(what_stands_behind_the_end_is_a_fault),
		cmocka_unit_test(text_that_was_never_compressed_is_a_fault),
		cmocka_unit_test(a_stream_that_wants_a_dictionary_is_a_fault),
		cmocka_unit_test(a_small_input_that_becomes_large_stops_at_the_limit),
		cmocka_unit_test(the_limit_itself_still_fits),
		cmocka_unit_test_setup_teardown(compressed_bodies_are_taken_by_the_names_that_clients_use, up, down),
		cmocka_unit_test_setup_teardown(other_codings_are_415_and_told_what_is_taken, up, down),
		cmocka_unit_test_setup_teardown(a_bomb_is_413_and_the_connection_ends, up, down),
		cmocka_unit_test_setup_teardown(bytes_that_become_nothing_have_an_end_too, up, down),
		cmocka_unit_test_setup_teardown(a_broken_body_is_400_in_words_and_the_connection_goes_on, up, down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
