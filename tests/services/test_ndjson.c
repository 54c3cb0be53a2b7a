// link: hy_collector
#include "support/test.h"

#include "collector/web/ndjson.h"
#include "json/json.h"

/* Pieces to lines: however a body is cut, its lines are the same, and what is held stays small. */

struct heard {
	struct hy_buffer text; /* "1:one|3:-3|", the error in a text's place */
	int stop_after; /* lines; 0 = never */
	int lines;
	volatile uint8_t sum; /* of the bytes behind each line, so that they are really read */
};

static bool hear(void *arg, const struct ndjson_line *line)
{
	struct heard *h = arg;
	for (size_t i = 0; i < HY_JSON_PAD && line->text.data; i++)
		h->sum = (uint8_t)(h->sum + line->text.data[line->text.size + i]);
	hy_buffer_printf(&h->text, "%d:", (int)line->number);
	if (line->err)
		hy_buffer_printf(&h->text, "%d|", line->err);
	else
		hy_buffer_printf(&h->text, "%.*s|", (int)line->text.size, (const char *)line->text.data);
	return ++h->lines != h->stop_after;
}

/* A piece in memory of exactly its size, so that reading past it is seen. */
static bool put(struct ndjson *n, const char *data, size_t size)
{
	char *copy = malloc(size ? size : 1);
	memcpy(copy, data, size);
	bool on = ndjson_put(n, hy_bytes(copy, size));
	free(copy);
	return on;
}

/* What comes of `body` in pieces of `step` bytes. The caller frees. */
static char *lines_of(const char *body, size_t size, size_t step, size_t line_max)
{
	struct heard h = { 0 };
	struct ndjson n = { .line_max = line_max, .line = hear, .arg = &h };
	for (size_t at = 0; at < size; at += step)
		assert_true(put(&n, body + at, size - at < step ? size - at : step));
	ndjson_end(&n);
	assert_null(n.held.data);
	char *text = strdup(hy_buffer_string(&h.text));
	hy_buffer_free(&h.text);
	return text;
}

static void gives(const char *body, size_t line_max, const char *expected)
{
	for (size_t step = 1; step <= strlen(body) + 1; step++) {
		char *got = lines_of(body, strlen(body), step, line_max);
		if (strcmp(got, expected) != 0)
			fail_msg("in pieces of %zu: '%s', not '%s'", step, got, expected);
		free(got);
	}
}

static void lines_end_in_lf_or_crlf_and_the_last_may_do_without(void **state)
{
	(void)state;
	gives("one\ntwo\r\nthree", 100, "1:one|2:two|3:three|");
	gives("one\ntwo\r\nthree\n", 100, "1:one|2:two|3:three|");
	gives("one\rtwo\n", 100, "1:one\rtwo|");
	gives("one\r", 100, "1:one|");
}

static void empty_lines_are_passed_over_but_count(void **state)
{
	(void)state;
	gives("", 100, "");
	gives("\n\r\n \t\n", 100, "");
	gives("\n\none\n\n  \ntwo\n\n", 100, "3:one|6:two|");
}

static void a_line_that_is_too_long_costs_only_itself(void **state)
{
	(void)state;
	gives("a\n12345\n123456\n12345\r\n123456\r\nb", 5, "1:a|2:12345|3:-4|4:12345|5:-4|6:b|");
	gives("1234567890123456789012345678901234567890", 5, "1:-4|");
	gives("b\n1234567890123456789012345678901234567890\r\nc\n", 5, "1:b|2:-4|3:c|");
}

static void long_pieces_are_read_where_they_lie(void **state)
{
	struct hy_buffer body = { 0 }, expected = { 0 };
	(void)state;
	for (int i = 1; i <= 200; i++) {
		hy_buffer_printf(&body, "{\"n\":%d}\n", i);
		hy_buffer_printf(&expected, "%d:{\"n\":%d}|", i, i);
	}
	for (size_t step = 1; step < 3000; step += 61) {
		char *got = lines_of(hy_buffer_string(&body), body.size, step, 100);
		assert_string_equal(got, hy_buffer_string(&expected));
		free(got);
	}
	hy_buffer_free(&body);
	hy_buffer_free(&expected);
}

static void an_endless_line_holds_no_more_than_a_line(void **state)
{
	struct heard h = { 0 };
	int64_t room = 1 << 20;
	struct ndjson n = { .line_max = 1000, .room = &room, .line = hear, .arg = &h };
	char piece[4096];
	size_t most = 0;
	(void)state;
	memset(piece, 'x', sizeof(piece));
	put(&n, "one\n", 4);
	for (int i = 0; i < 2048; i++) { /* 8 MiB */
		put(&n, piece, i % 2 ? sizeof(piece) : 100);
		most = n.held.room > most ? n.held.room : most;
	}
	assert_true(most <= 4096);
	put(&n, "\ntwo", 4);
	ndjson_end(&n);
	assert_string_equal(hy_buffer_string(&h.text), "1:one|2:-4|3:two|");
	assert_int_equal(room, 1 << 20);
	hy_buffer_free(&h.text);
}

static void without_room_a_cut_line_is_told_as_busy_and_the_next_ones_pass(void **state)
{
	struct heard h = { 0 };
	int64_t room = 0;
	struct ndjson n = { .line_max = 1000, .room = &room, .line = hear, .arg = &h };
	char tail[128];
	(void)state;
	memset(tail, ' ', sizeof(tail));
	put(&n, "cut", 3);
	memcpy(tail, " here\nwhole\n", 12);
	put(&n, tail, sizeof(tail));
	room = 4096;
	put(&n, "\nagain", 6);
	ndjson_end(&n);
	assert_string_equal(hy_buffer_string(&h.text), "1:-20|2:whole|3:-20|4:again|");
	assert_int_equal(room, 4096);
	hy_buffer_free(&h.text);
}

static void who_has_enough_is_not_told_more(void **state)
{
	struct heard h = { .stop_after = 2 };
	struct ndjson n = { .line_max = 1000, .line = hear, .arg = &h };
	(void)state;
	assert_false(put(&n, "a\nb\nc\nd", 7));
	assert_false(put(&n, "\ne\n", 3));
	ndjson_end(&n);
	assert_string_equal(hy_buffer_string(&h.text), "1:a|2:b|");
	hy_buffer_free(&h.text);
	ndjson_free(&n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_end_in_lf_or_crlf_and_the_last_may_do_without),
		cmocka_unit_test(empty_lines_are_passed_over_but_count),
		cmocka_unit_test(a_line_that_is_too_long_costs_only_itself),
		cmocka_unit_test(long_pieces_are_read_where_they_lie),
		cmocka_unit_test(an_endless_line_holds_no_more_than_a_line),
		cmocka_unit_test(without_room_a_cut_line_is_told_as_busy_and_the_next_ones_pass),
		cmocka_unit_test(who_has_enough_is_not_told_more),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
