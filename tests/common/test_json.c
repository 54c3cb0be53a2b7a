// link: hy_json
#include "support/test.h"

#include "json/json.h"

#include <errno.h>
#include <inttypes.h>
#include <time.h>

static int setup(void **state)
{
	*state = hy_json_reader_new();
	return 0;
}

static int teardown(void **state)
{
	struct hy_json_reader *r = *state;
	hy_json_reader_free(&r);
	assert_null(r);
	return 0;
}

static const struct hy_json *read_ok(struct hy_json_reader *r, const char *text)
{
	const struct hy_json *root = NULL;
	struct hy_fault f = { 0 };
	int err = hy_json_read_copy(r, hy_bytes_text(text), &root, &f);
	if (err)
		fail_msg("%s: %s", text, f.text);
	return root;
}

static void refused_bytes(struct hy_json_reader *r, struct hy_bytes text, const char *words)
{
	const struct hy_json *root = NULL;
	struct hy_fault f = { 0 };
	assert_int_equal(hy_json_read_copy(r, text, &root, &f), HY_BAD_INPUT);
	assert_int_equal(f.err, HY_BAD_INPUT);
	assert_string_equal(f.text, words);
	assert_null(root);
}

static void refused(struct hy_json_reader *r, const char *text, const char *words)
{
	refused_bytes(r, hy_bytes_text(text), words);
}

static void dumps_as(const struct hy_json *node, const char *text)
{
	struct hy_buffer out = { 0 };
	hy_json_dump(&out, node);
	assert_string_equal(hy_buffer_string(&out), text);
	hy_buffer_free(&out);
}

static void points_at(const struct hy_json *node, const char *pointer)
{
	struct hy_buffer out = { 0 };
	hy_json_pointer(&out, node);
	assert_string_equal(hy_buffer_string(&out), pointer);
	hy_buffer_free(&out);
}

static void every_kind_of_value_arrives_as_it_was_written(void **state)
{
	const struct hy_json *root =
		read_ok(*state, "{\"text\":\"包裹还没到\\u0021\",\"n\":-7,\"half\":0.5,\"yes\":true,"
				"\"no\":false,\"none\":null,\"list\":[1,[],{}]}");
	assert_int_equal(root->type, HY_JSON_OBJECT);
	assert_int_equal(root->count, 7);
	assert_null(root->parent);
	assert_string_equal(hy_json_text(root, "text", ""), "包裹还没到!");
	assert_int_equal(hy_json_integer(root, "n", 0), -7);
	assert_true(hy_json_get(root, "half")->number == 0.5);
	assert_false(hy_json_get(root, "half")->whole);
	assert_true(hy_json_truth(root, "yes", false));
	assert_false(hy_json_truth(root, "no", true));
	assert_int_equal(hy_json_get(root, "none")->type, HY_JSON_NULL);
	const struct hy_json *list = hy_json_get(root, "list");
	assert_int_equal(list->count, 3);
	assert_int_equal(list->first->next->type, HY_JSON_ARRAY);
	assert_int_equal(list->first->next->count, 0);
	assert_ptr_equal(list->first->parent, list);
	assert_null(list->first->next->next->next);
	assert_int_equal(root->first->key.data[root->first->key.size], 0);
}

static void an_absent_member_or_one_of_another_type_gives_the_callers_default(void **state)
{
	const struct hy_json *root = read_ok(*state, "{\"a\":1,\"b\":\"x\"}");
	assert_string_equal(hy_json_text(root, "a", "-"), "-");
	assert_string_equal(hy_json_text(root, "c", "-"), "-");
	assert_int_equal(hy_json_integer(root, "b", 5), 5);
	assert_true(hy_json_truth(root, "a", true));
	assert_null(hy_json_get(hy_json_get(root, "a"), "x"));
	assert_null(hy_json_get(NULL, "x"));
	assert_string_equal(hy_json_type_name(HY_JSON_OBJECT), "an object");
}

static void numbers_are_whole_when_they_are_and_only_then(void **state)
{
	static const struct {
		const char *text;
		bool whole;
		int64_t integer;
		double number;
	} cases[] = {
		{ "0", true, 0, 0 },
		{ "-0", true, 0, 0 },
		{ "9.0", true, 9, 9 },
		{ "1e3", true, 1000, 1000 },
		{ "9.5", false, 0, 9.5 },
		{ "9223372036854775807", true, INT64_MAX, 9223372036854775807.0 },
		{ "-9223372036854775808", true, INT64_MIN, -9223372036854775808.0 },
		{ "9223372036854775808", false, 0, 9223372036854775808.0 },
		{ "18446744073709551615", false, 0, 18446744073709551615.0 },
		{ "-9223372036854775809", false, 0, -9223372036854775808.0 },
		{ "123456789012345678901234567890", false, 0, 1.2345678901234568e29 },
		{ "1e300", false, 0, 1e300 },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct hy_json *n = read_ok(*state, cases[i].text);
		assert_int_equal(n->type, HY_JSON_NUMBER);
		if (n->whole != cases[i].whole || n->integer != cases[i].integer || n->number != cases[i].number)
			fail_msg("%s: whole=%d integer=%" PRId64 " number=%.17g", cases[i].text, n->whole, n->integer,
				n->number);
	}
	/* Digits inside texts stay as they are while the integer beside them becomes a double. */
	const struct hy_json *both =
		read_ok(*state, "{\"\\\"99999999999999999999\":\"88888888888888888888\",\"n\":77777777777777777777}");
	assert_string_equal((const char *)both->first->key.data, "\"99999999999999999999");
	assert_string_equal((const char *)both->first->text.data, "88888888888888888888");
	assert_true(hy_json_get(both, "n")->number == 77777777777777777777.0);
	refused(*state, "[1, 1e999]", "line 1, column 5: the number is too large");
	refused(*state, "[1, 01]",
		"line 1, column 5: not a JSON value (texts stand in double quotes; true, false and null are written "
		"small)");
	refused(*state, "[99999999999999999999, 1.]",
		"line 1, column 24: not a JSON value (texts stand in double quotes; true, "
		"false and null are written small)");
}

static void a_text_may_hold_a_nul_and_tells_its_size(void **state)
{
	const struct hy_json *root = read_ok(*state, "[\"a\\u0000b\"]");
	assert_int_equal(root->first->text.size, 3);
	assert_memory_equal(root->first->text.data, "a\0b", 4);
	dumps_as(root, "[\"a\\u0000b\"]");
}

static void a_fault_names_line_and_column_counted_in_characters(void **state)
{
	refused(*state, "{\n  \"文字\": \"好\",\n  \"名\": oops\n}",
		"line 3, column 8: not a JSON value (texts stand in double quotes; true, false and null are written "
		"small)");
	refused(*state, "{\"a\":1,}", "line 1, column 8: a name in double quotes should stand here");
	refused(*state, "{\"a\" 1}", "line 1, column 6: a ':' should stand here, between the name and its value");
	refused(*state, "{\"a\":1 \"b\":2}", "line 1, column 8: a ',' or '}' should stand here");
	refused(*state, "[1 2]", "line 1, column 4: a ',' or ']' should stand here");
	refused(*state, "[1,]", "line 1, column 4: a value should stand here");
	refused(*state, "[1", "line 1, column 3: the text ends too early");
	refused(*state, "{\"a\":\"b", "line 1, column 8: the text ends too early");
	refused(*state, "", "line 1, column 1: no text at all");
	refused(*state, "{} x", "line 1, column 4: nothing may follow the value");
	refused(*state, "{}{}", "line 1, column 3: nothing may follow the value");
	refused(*state, "\xef\xbb\xbf{}", "line 1, column 1: a byte order mark, which JSON does without");
	refused(*state, "{\"好\":\"\xff\"}", "line 1, column 7: not UTF-8");
	refused(*state, "[\"\xed\xa0\x80\"]", "line 1, column 3: not UTF-8");
}

static void texts_with_broken_escapes_are_refused(void **state)
{
	static const char *const broken[] = { "[\"\\x\"]", "[\"\\ud800\"]", "[\"\\udc00x\"]", "[\"a\nb\"]",
		"[\"a\tb\"]", "[\"\\u12g4\"]", "['a']", "[nul]", "[True]", "[NaN]", "[Infinity]", "[+1]", "[.5]",
		"[1e]", "[-]", "{a:1}", "[1]//", "\"", "]", "\\" };
	for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
		const struct hy_json *root;
		struct hy_fault f = { 0 };
		if (hy_json_read_copy(*state, hy_bytes_text(broken[i]), &root, &f) != HY_BAD_INPUT)
			fail_msg("accepted: %s", broken[i]);
		if (strncmp(f.text, "line 1, column ", 15) != 0 && strncmp(f.text, "line 2, column ", 15) != 0)
			fail_msg("%s: %s", broken[i], f.text);
	}
}

static void a_name_that_occurs_twice_is_refused_in_small_and_large_objects(void **state)
{
	refused(*state, "{\"id\":1,\n \"text\":2, \"id\":3}",
		"line 2, column 12: the name \"id\" occurs twice in this object");
	refused(*state, "[{\"a\":{\"\\u0062\":1,\"b\":2}}]",
		"line 1, column 19: the name \"b\" occurs twice in this object");
	read_ok(*state, "[{\"a\":1},{\"a\":{\"a\":1}}]");
	read_ok(*state, "{\"\":1,\"a\":2,\"aa\":3,\"aaaaaaaaX1aaaaaaaa\":4,\"aaaaaaaaX2aaaaaaaa\":5}");
	refused(*state, "{\"\":1,\"\":2}", "line 1, column 7: the name \"\" occurs twice in this object");
	for (int names = 15; names <= HY_JSON_KEYS; names += names < 20 ? 1 : 327) {
		struct hy_buffer text = { 0 };
		for (int i = 0; i < names; i++)
			hy_buffer_printf(&text, "%c\"name-%d\":%d", i ? ',' : '{', i, i);
		size_t whole = text.size;
		hy_buffer_text(&text, "}");
		const struct hy_json *root = read_ok(*state, hy_buffer_string(&text));
		assert_int_equal(root->count, names);
		assert_int_equal(hy_json_integer(root, "name-14", -1), 14);
		text.size = whole - 1;
		while (text.data[text.size - 1] != ',')
			text.size--;
		hy_buffer_text(&text, "\"name-7\":0}");
		struct hy_fault f;
		assert_int_equal(hy_json_read_copy(*state, hy_buffer_view(&text), &root, &f), HY_BAD_INPUT);
		assert_non_null(strstr(f.text, "the name \"name-7\" occurs twice"));
		hy_buffer_free(&text);
	}
}

static void more_levels_than_allowed_are_refused_where_they_begin(void **state)
{
	struct hy_buffer text = { 0 };
	for (int i = 0; i < HY_JSON_DEPTH; i++)
		hy_buffer_text(&text, i % 2 ? "{\"a[{\\\"\":" : "[");
	hy_buffer_text(&text, "1");
	for (int i = HY_JSON_DEPTH - 1; i >= 0; i--)
		hy_buffer_text(&text, i % 2 ? "}" : "]");
	const struct hy_json *node = read_ok(*state, hy_buffer_string(&text));
	while (node->first)
		node = node->first;
	points_at(node, "/0/a[{\"/0/a[{\"/0/a[{\"/0/a[{\"/0/a[{\"/0/a[{\"/0/a[{\"/0/a[{\"");
	hy_buffer_free(&text);

	refused(*state, "[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]", "line 1, column 17: more than 16 levels");
	refused(*state, "[[[[[[[[[[[[[[[[\n {}]]]]]]]]]]]]]]]]", "line 2, column 2: more than 16 levels");
	for (int i = 0; i < 100000; i++)
		hy_buffer_text(&text, "[");
	refused(*state, hy_buffer_string(&text), "line 1, column 17: more than 16 levels");
	hy_buffer_free(&text);
}

static void more_names_than_allowed_are_refused(void **state)
{
	struct hy_buffer text = { 0 };
	for (int i = 0; i <= HY_JSON_KEYS; i++)
		hy_buffer_printf(&text, "%s\"%d\":[1,2]", i ? "\n," : "{", i);
	hy_buffer_text(&text, "}");
	refused_bytes(*state, hy_buffer_view(&text), "line 1001, column 1: more than 1000 names in one object");
	hy_buffer_free(&text);
}

static void a_nul_in_a_name_or_between_values_is_refused(void **state)
{
	const struct hy_json *root;
	struct hy_fault f;
	assert_int_equal(hy_json_read_copy(*state, hy_bytes_text("{\"a\\u0000b\":1}"), &root, &f), HY_BAD_INPUT);
	assert_non_null(strstr(f.text, "U+0000"));
	assert_int_equal(hy_json_read_copy(*state, HY_LIT("{}\0"), &root, &f), HY_BAD_INPUT);
	assert_int_equal(hy_json_read_copy(*state, HY_LIT("[1,\0 2]"), &root, &f), HY_BAD_INPUT);
}

static void the_text_is_left_alone_and_what_stands_behind_it_is_not_read(void **state)
{
	char *text = malloc(2 + HY_JSON_PAD);
	memset(text, 'x', 2 + HY_JSON_PAD);
	memcpy(text, "17", 2);
	const struct hy_json *root;
	assert_int_equal(hy_json_read(*state, hy_bytes(text, 2), &root, NULL), HY_OK);
	assert_int_equal(root->integer, 17);
	assert_memory_equal(text, "17xx", 4);
	free(text);
	assert_int_equal(hy_json_read(*state, hy_bytes(NULL, 0), &root, NULL), HY_BAD_INPUT);
}

static void a_reader_goes_on_after_a_fault_and_after_a_large_document(void **state)
{
	struct hy_buffer text = { 0 };
	for (int i = 0; i < 100000; i++)
		hy_buffer_printf(&text, "%c%d", i ? ',' : '[', i);
	hy_buffer_text(&text, "]");
	const struct hy_json *root = read_ok(*state, hy_buffer_string(&text));
	assert_int_equal(root->count, 100000);
	hy_buffer_free(&text);
	refused(*state, "[", "line 1, column 2: the text ends too early");
	dumps_as(read_ok(*state, "[]"), "[]");
}

static void a_pointer_leads_back_to_the_fault(void **state)
{
	const struct hy_json *root = read_ok(*state, "[0,1,{\"customer\":{\"a/b~c\":1}}]");
	points_at(root, "");
	const struct hy_json *item = root->first->next->next;
	points_at(item, "/2");
	points_at(hy_json_get(item, "customer")->first, "/2/customer/a~1b~0c");
}

static void a_dump_reads_back_as_the_same_document(void **state)
{
	static const char *const texts[] = {
		"{\"a\":[1,-2,true,false,null],\"b\":{\"c\":\"\\\"\\\\\\n\\u001f é 好\"},\"\":[]}",
		"[0.1,1e+300,-2.5,3.141592653589793,4.94065645841247e-324]", "\"x\"", "{}"
	};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		dumps_as(read_ok(*state, texts[i]), texts[i]);
}

/* The object that intake sees most: with HY_BENCH set, how many of them a second. */
static void a_feedback_object_is_read_fast(void **state)
{
	static const char feedback[] =
		"{\"id\":\"fb-2026-000001\",\"text\":\"Der Kurier kam nicht, 快递三天了还没有到，客服也不回复。Very "
		"unhappy with the delivery this "
		"time.\",\"kind\":\"feedback\",\"channel\":\"app\",\"customer\":{\"id\":\"c-10293\",\"email\":\"li.wei@"
		"example.com\","
		"\"name\":\"李伟\",\"locale\":\"zh-CN\"},\"rating\":{\"scale\":\"stars\",\"score\":1,\"max\":5},"
		"\"context\":"
		"{\"version\":\"5.2.1\",\"os\":\"android 14\",\"order\":\"A-99812\"},\"tags\":[\"delivery\",\"late\"]}";
	char text[sizeof(feedback) + HY_JSON_PAD] = { 0 };
	memcpy(text, feedback, sizeof(feedback));
	const struct hy_json *root;
	const char *bench = getenv("HY_BENCH");
	long rounds = bench ? strtol(bench, NULL, 10) : 100;
	struct timespec a, b;
	clock_gettime(CLOCK_MONOTONIC, &a);
	for (long i = 0; i < rounds; i++)
		assert_int_equal(hy_json_read(*state, hy_bytes(text, sizeof(feedback) - 1), &root, NULL), HY_OK);
	clock_gettime(CLOCK_MONOTONIC, &b);
	if (bench) {
		double s = (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9;
		print_message("%zu bytes: %.0f documents/s\n", sizeof(feedback) - 1, (double)rounds / s);
	}
	assert_int_equal(root->count, 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_kind_of_value_arrives_as_it_was_written, setup, teardown),
		cmocka_unit_test_setup_teardown(
			an_absent_member_or_one_of_another_type_gives_the_callers_default, setup, teardown),
		cmocka_unit_test_setup_teardown(numbers_are_whole_when_they_are_and_only_then, setup, teardown),
		cmocka_unit_test_setup_teardown(a_text_may_hold_a_nul_and_tells_its_size, setup, teardown),
		cmocka_unit_test_setup_teardown(a_fault_names_line_and_column_counted_in_characters, setup, teardown),
		cmocka_unit_test_setup_teardown(texts_with_broken_escapes_are_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_name_that_occurs_twice_is_refused_in_small_and_large_objects, setup, teardown),
		cmocka_unit_test_setup_teardown(more_levels_than_allowed_are_refused_where_they_begin, setup, teardown),
		cmocka_unit_test_setup_teardown(more_names_than_allowed_are_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(a_nul_in_a_name_or_between_values_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(
			the_text_is_left_alone_and_what_stands_behind_it_is_not_read, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_reader_goes_on_after_a_fault_and_after_a_large_document, setup, teardown),
		cmocka_unit_test_setup_teardown(a_pointer_leads_back_to_the_fault, setup, teardown),
		cmocka_unit_test_setup_teardown(a_dump_reads_back_as_the_same_document, setup, teardown),
		cmocka_unit_test_setup_teardown(a_feedback_object_is_read_fast, setup, teardown),
	};
	return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
