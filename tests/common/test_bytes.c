// link: hy_base
#include "support/test.h"

#include "base/bytes.h"
#include "base/err.h"

static void bytes_sort_as_the_store_sorts_keys(void **state)
{
	(void)state;
	assert_true(hy_bytes_cmp(HY_LIT("a"), HY_LIT("b")) < 0);
	assert_true(hy_bytes_cmp(HY_LIT("a"), HY_LIT("aa")) < 0);
	assert_true(hy_bytes_cmp(HY_LIT("\xff"), HY_LIT("a")) > 0);
	assert_int_equal(hy_bytes_cmp(HY_LIT("same"), HY_LIT("same")), 0);
	assert_true(hy_bytes_cmp(hy_bytes(NULL, 0), HY_LIT("a")) < 0);
	assert_int_equal(hy_bytes_cmp(hy_bytes(NULL, 0), HY_LIT("")), 0);
}

static void equal_and_starts_accept_what_is_empty(void **state)
{
	(void)state;
	assert_true(hy_bytes_equal(hy_bytes(NULL, 0), HY_LIT("")));
	assert_false(hy_bytes_equal(HY_LIT("ab"), HY_LIT("ac")));
	assert_true(hy_bytes_starts(HY_LIT("ticket.opened"), HY_LIT("ticket.")));
	assert_true(hy_bytes_starts(HY_LIT("x"), hy_bytes_text(NULL)));
	assert_false(hy_bytes_starts(HY_LIT("t"), HY_LIT("ticket")));
}

static void numbers_sort_as_keys(void **state)
{
	(void)state;
	static const uint64_t numbers[] = { 0, 1, 255, 256, 65535, 65536, UINT64_MAX - 1, UINT64_MAX };
	for (size_t i = 1; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		uint8_t a[8], b[8];
		hy_be_put64(a, numbers[i - 1]);
		hy_be_put64(b, numbers[i]);
		assert_true(memcmp(a, b, 8) < 0);
		assert_true(hy_be_get64(b) == numbers[i]);
	}
}

static void a_key_sorts_by_its_parts_in_order(void **state)
{
	(void)state;
	struct hy_key a = { 0 }, b = { 0 };
	hy_key_u64(&a, 255);
	hy_key_bytes(&a, "zz", 2);
	hy_key_u64(&b, 256);
	hy_key_bytes(&b, "aa", 2);
	assert_true(hy_bytes_cmp(hy_key_view(&a), hy_key_view(&b)) < 0);
	assert_int_equal(hy_key_view(&a).size, 10);
}

static void a_buffer_gathers_text_bytes_and_numbers(void **state)
{
	(void)state;
	struct hy_buffer b = { 0 };
	assert_string_equal(hy_buffer_string(&b), "");
	hy_buffer_text(&b, "T-");
	hy_buffer_printf(&b, "%d ", 42);
	hy_buffer_bytes(&b, HY_LIT("物流"));
	hy_buffer_byte(&b, '!');
	hy_buffer_put(&b, NULL, 0);
	hy_buffer_text(&b, NULL);
	assert_string_equal(hy_buffer_string(&b), "T-42 物流!");
	assert_int_equal(b.size, strlen("T-42 物流!"));
	hy_buffer_clear(&b);
	assert_string_equal(hy_buffer_string(&b), "");
	hy_buffer_free(&b);
	assert_null(b.data);
}

static void a_long_formatted_text_arrives_whole(void **state)
{
	(void)state;
	struct hy_buffer b = { 0 };
	char line[1000];
	memset(line, 'x', sizeof(line) - 1);
	line[sizeof(line) - 1] = '\0';
	for (int i = 0; i < 50; i++)
		hy_buffer_printf(&b, "%s|", line);
	assert_int_equal(b.size, 50 * 1000);
	assert_int_equal(b.data[49 * 1000 + 998], 'x');
	assert_int_equal(b.data[50 * 1000 - 1], '|');
	hy_buffer_free(&b);
}

static void puts_after_a_failure_do_nothing(void **state)
{
	(void)state;
	struct hy_buffer b = { 0 };
	hy_buffer_text(&b, "before");
	b.err = HY_NO_MEMORY;
	hy_buffer_text(&b, "after");
	hy_buffer_byte(&b, 1);
	hy_buffer_printf(&b, "%d", 1);
	assert_null(hy_buffer_room(&b, 1));
	assert_int_equal(b.size, 6);
	assert_string_equal(hy_buffer_string(&b), "");
	hy_buffer_clear(&b);
	assert_int_equal(b.err, HY_OK);
	hy_buffer_free(&b);
}

static void hexadecimal_is_lower_case(void **state)
{
	(void)state;
	char out[9];
	hy_hex("\x00\x9f\xA0\xff", 4, out);
	assert_string_equal(out, "009fa0ff");
	hy_hex("", 0, out);
	assert_string_equal(out, "");
}

static void base64url_gives_back_what_it_was_given(void **state)
{
	(void)state;
	uint8_t bytes[64], back[64];
	char text[4 * sizeof(bytes) / 3 + 3];
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(251 * i + 250);
	for (size_t size = 0; size <= sizeof(bytes); size++) {
		size_t length = hy_base64url_encode(hy_bytes(bytes, size), text);
		assert_int_equal(strlen(text), length);
		assert_null(strpbrk(text, "+/="));
		assert_int_equal(hy_base64url_decode(hy_bytes(text, length), back, size), (long)size);
		assert_memory_equal(back, bytes, size);
	}
	hy_base64url_encode(HY_LIT("\xfb\xff"), text);
	assert_string_equal(text, "-_8");
}

static void base64url_has_one_spelling_for_a_value(void **state)
{
	(void)state;
	uint8_t out[16];
	assert_int_equal(hy_base64url_decode(HY_LIT("-_8"), out, sizeof(out)), 2);
	assert_int_equal(hy_base64url_decode(HY_LIT("-_9"), out, sizeof(out)), HY_BAD_INPUT); /* stray bits */
	assert_int_equal(hy_base64url_decode(HY_LIT("-_8="), out, sizeof(out)), HY_BAD_INPUT);
	assert_int_equal(hy_base64url_decode(HY_LIT("+/8"), out, sizeof(out)), HY_BAD_INPUT);
	assert_int_equal(hy_base64url_decode(HY_LIT("-_ 8"), out, sizeof(out)), HY_BAD_INPUT);
	assert_int_equal(hy_base64url_decode(HY_LIT("A"), out, sizeof(out)), HY_BAD_INPUT);
	assert_int_equal(hy_base64url_decode(HY_LIT("AAAAA"), out, sizeof(out)), HY_BAD_INPUT);
	assert_int_equal(hy_base64url_decode(HY_LIT("AAAA"), out, 2), HY_TOO_LARGE);
	assert_int_equal(hy_base64url_decode(HY_LIT(""), out, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_sort_as_the_store_sorts_keys),
		cmocka_unit_test(equal_and_starts_accept_what_is_empty),
		cmocka_unit_test(numbers_sort_as_keys),
		cmocka_unit_test(a_key_sorts_by_its_parts_in_order),
		cmocka_unit_test(a_buffer_gathers_text_bytes_and_numbers),
		cmocka_unit_test(a_long_formatted_text_arrives_whole),
		cmocka_unit_test(puts_after_a_failure_do_nothing),
		cmocka_unit_test(hexadecimal_is_lower_case),
		cmocka_unit_test(base64url_gives_back_what_it_was_given),
		cmocka_unit_test(base64url_has_one_spelling_for_a_value),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
