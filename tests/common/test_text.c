// link: hy_base
#include "support/test.h"

#include "base/text.h"

static void utf8_is_accepted_in_all_its_lengths(void **state)
{
	(void)state;
	assert_true(hy_utf8_valid(HY_LIT("")));
	assert_true(hy_utf8_valid(hy_bytes(NULL, 0)));
	assert_true(hy_utf8_valid(HY_LIT("a long enough line of plain ASCII")));
	assert_true(hy_utf8_valid(HY_LIT("快递三天没动静, é, 😀, and plain text behind it")));
	assert_true(hy_utf8_valid(HY_LIT(
		"\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf")));
}

static void broken_utf8_is_refused_wherever_it_stands(void **state)
{
	(void)state;
	static const char *const bad[] = {
		"\x80",
		"\xbf",
		"\xc0\x80",
		"\xc1\xbf",
		"\xc2",
		"\xe0\x9f\xbf",
		"\xe4\xb8",
		"\xed\xa0\x80",
		"\xed\xbf\xbf",
		"\xf0\x8f\xbf\xbf",
		"\xf4\x90\x80\x80",
		"\xf5\x80\x80\x80",
		"\xf0\x90\x80",
		"\xfe",
		"\xff",
		"\xe4\x41\x41",
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		for (int lead = 0; lead <= 17; lead++) {
			char text[64];
			int size = snprintf(text, sizeof(text), "%.*s%s", lead, "0123456789abcdefgh", bad[i]);
			assert_false(hy_utf8_valid(hy_bytes(text, (size_t)size)));
			size = snprintf(
				text, sizeof(text), "%.*s%s, and more behind", lead, "0123456789abcdefgh", bad[i]);
			assert_false(hy_utf8_valid(hy_bytes(text, (size_t)size)));
		}
	}
}

static void each_code_point_survives_writing_and_reading(void **state)
{
	(void)state;
	for (uint32_t cp = 0; cp <= 0x10ffff; cp += cp < 0x3000 ? 1 : 97) {
		char out[4];
		size_t size = hy_utf8_put(out, cp), at = 0;
		struct hy_bytes text = hy_bytes(out, size);
		bool surrogate = cp >= 0xd800 && cp <= 0xdfff;
		assert_true(hy_utf8_valid(text));
		assert_int_equal(hy_utf8_next(text, &at), surrogate ? 0xfffd : cp);
		assert_int_equal(at, size);
		assert_int_equal(hy_utf8_count(text), 1);
	}
	char out[4];
	size_t at = 0;
	size_t size = hy_utf8_put(out, 0x110000);
	assert_int_equal(hy_utf8_next(hy_bytes(out, size), &at), 0xfffd);
}

static void a_broken_byte_is_read_as_a_replacement_and_the_rest_goes_on(void **state)
{
	(void)state;
	struct hy_bytes text = HY_LIT("\xe5\xbf"
				      "a\xff");
	size_t at = 0;
	assert_int_equal(hy_utf8_next(text, &at), 0xfffd);
	assert_int_equal(at, 1);
	assert_int_equal(hy_utf8_next(text, &at), 0xfffd);
	assert_int_equal(hy_utf8_next(text, &at), 'a');
	assert_int_equal(hy_utf8_next(text, &at), 0xfffd);
	assert_int_equal(at, text.size);
}

static void assert_prefix(const char *text, size_t points, const char *wanted)
{
	struct hy_bytes got = hy_utf8_prefix(hy_bytes_text(text), points);
	char copy[128];
	snprintf(copy, sizeof(copy), "%.*s", (int)got.size, (const char *)got.data);
	assert_string_equal(copy, wanted);
}

static void a_prefix_counts_code_points_and_never_tears_a_character(void **state)
{
	(void)state;
	assert_prefix("快递三天", 2, "快递");
	assert_prefix("快递", 2, "快递");
	assert_prefix("快递", 9, "快递");
	assert_prefix("abc", 0, "");
	assert_prefix("", 5, "");
	assert_prefix("cafe\xcc\x81!", 4, "caf"); /* e and its accent stay together */
	assert_prefix("cafe\xcc\x81!", 5, "cafe\xcc\x81");
	assert_prefix("ok👨‍👩‍👧", 4, "ok"); /* a family joined by joiners */
	assert_prefix("ok👍🏽", 3, "ok"); /* a skin tone */
	assert_prefix("x❤️y", 2, "x"); /* a variation selector */
	assert_prefix("🇨🇳🇩🇪", 3, "🇨🇳"); /* flags are pairs */
	assert_prefix("🇨🇳🇩🇪", 2, "🇨🇳");
	assert_prefix("a\r\nb", 2, "a");
	assert_prefix("👨‍👩‍👧", 3, "👨‍👩"); /* torn, for nothing else would be left */
}

static void width_is_what_a_terminal_shows(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		size_t columns;
	} texts[] = {
		{ "", 0 },
		{ "plain", 5 },
		{ "物流", 4 },
		{ "ｶﾅ", 2 },
		{ "Ａ", 2 },
		{ "é", 1 },
		{ "e\xcc\x81", 1 },
		{ "한국", 4 },
		{ "\xe1\x84\x92\xe1\x85\xa1\xe1\x86\xab", 2 },
		{ "😀", 2 },
		{ "👍🏽", 2 },
		{ "👨‍👩‍👧", 2 },
		{ "❤", 1 },
		{ "❤️", 2 },
		{ "🇨🇳", 2 },
		{ "a\xe2\x80\x8b"
		  "b",
			2 },
		{ "—", 1 },
		{ "。", 2 },
	};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_int_equal(hy_text_width(hy_bytes_text(texts[i].text)), texts[i].columns);
}

static void assert_line(struct hy_bytes text, const char *wanted)
{
	struct hy_buffer out = { 0 };
	hy_text_line(&out, text);
	assert_string_equal(hy_buffer_string(&out), wanted);
	hy_buffer_free(&out);
}

static void what_a_customer_writes_stays_one_harmless_line(void **state)
{
	(void)state;
	assert_line(HY_LIT("plain and quite long, nothing to do here"), "plain and quite long, nothing to do here");
	assert_line(HY_LIT("快递\n\t三天"), "快递\\n\\t三天");
	assert_line(HY_LIT("01234567\r\x1b[31m red\x7f"), "01234567\\u{d}\\u{1b}[31m red\\u{7f}");
	assert_line(HY_LIT("nul\0inside"), "nul\\u{0}inside");
	assert_line(HY_LIT("a\xe2\x80\xa8"
			   "b\xe2\x80\xa9"
			   "c\xc2\x85"),
		"a\\u{2028}b\\u{2029}c\\u{85}");
	assert_line(HY_LIT("\xe2\x80\xae"
			   "gpj.exe\xe2\x81\xa6"),
		"\\u{202e}gpj.exe\\u{2066}");
	assert_line(HY_LIT("ok\xff\xe5"), "ok\xef\xbf\xbd\xef\xbf\xbd");
	assert_line(hy_bytes(NULL, 0), "");
}

static void no_byte_in_any_place_reaches_a_terminal_as_a_control(void **state)
{
	(void)state;
	for (int byte = 0; byte < 256; byte++) {
		for (size_t place = 0; place < 16; place++) {
			char text[16];
			memset(text, 'x', sizeof(text));
			text[place] = (char)byte;
			struct hy_buffer out = { 0 };
			hy_text_line(&out, hy_bytes(text, sizeof(text)));
			for (size_t i = 0; i < out.size; i++)
				assert_true(out.data[i] >= 0x20 && out.data[i] != 0x7f);
			assert_true(hy_utf8_valid(hy_buffer_view(&out)));
			hy_buffer_free(&out);
		}
	}
}

static void html_characters_are_escaped(void **state)
{
	(void)state;
	struct hy_buffer out = { 0 };
	hy_text_html(&out, HY_LIT("<b class=\"x\">'快' & more</b>"));
	assert_string_equal(hy_buffer_string(&out), "&lt;b class=&quot;x&quot;&gt;&#39;快&#39; &amp; more&lt;/b&gt;");
	hy_buffer_clear(&out);
	hy_text_html(&out, hy_bytes(NULL, 0));
	assert_string_equal(hy_buffer_string(&out), "");
	hy_buffer_free(&out);
}

static void a_mistyped_word_finds_its_neighbour(void **state)
{
	(void)state;
	static const char *const names[] = { "status", "send", "ticket", "trace", "train", "audit", "x", NULL };
	assert_string_equal(hy_did_you_mean("stauts", names), "status");
	assert_string_equal(hy_did_you_mean("tikcet", names), "ticket");
	assert_string_equal(hy_did_you_mean("tickets", names), "ticket");
	assert_string_equal(hy_did_you_mean("TRACE", names), "trace");
	assert_string_equal(hy_did_you_mean("sned", names), "send");
	assert_null(hy_did_you_mean("backup", names));
	assert_null(hy_did_you_mean("y", names));
	assert_null(hy_did_you_mean("", names));
	char longest[200];
	memset(longest, 's', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	assert_null(hy_did_you_mean(longest, names));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(utf8_is_accepted_in_all_its_lengths),
		cmocka_unit_test(broken_utf8_is_refused_wherever_it_stands),
		cmocka_unit_test(each_code_point_survives_writing_and_reading),
		cmocka_unit_test(a_broken_byte_is_read_as_a_replacement_and_the_rest_goes_on),
		cmocka_unit_test(a_prefix_counts_code_points_and_never_tears_a_character),
		cmocka_unit_test(width_is_what_a_terminal_shows),
		cmocka_unit_test(what_a_customer_writes_stays_one_harmless_line),
		cmocka_unit_test(no_byte_in_any_place_reaches_a_terminal_as_a_control),
		cmocka_unit_test(html_characters_are_escaped),
		cmocka_unit_test(a_mistyped_word_finds_its_neighbour),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
