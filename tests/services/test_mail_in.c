// link: hy_huiyin
/* What huiyin mail-in makes of the mails that people and programs send, without a collector. */
#include "support/test.h"

#include "huiyin/huiyin.h"
#include "huiyin/mail/letter.h"
#include "huiyin/mail/plain.h"

#include "base/text.h"

#include <unicode/ucnv.h>

#define NOW INT64_C(1800000000000)
#define HEAD                                                                                                           \
	"From: Li Lei <li@example.com>\nSubject: Refund\nMessage-ID: <m1@example.com>\nDate: Sat, 31 Jan 2026 "        \
	"08:00:00 +0800\n"

static struct letter letter_of(const char *text, size_t size)
{
	struct letter l;
	struct hy_fault f = { 0 };
	if (letter_read(hy_bytes(text, size ? size : strlen(text)), NULL, NULL, NOW, &l, &f) != HY_OK)
		fail_msg("%s", f.text);
	return l;
}

static void expect_text(const char *mail, const char *text)
{
	struct letter l = letter_of(mail, 0);
	assert_non_null(l.feedback);
	assert_string_equal(huiyin_text(l.feedback, "text"), text);
	json_decref(l.feedback);
}

/* The body as text/plain in that charset, 8 bit. */
static void expect_charset(const char *icu, const char *declared, const char *utf8)
{
	char mail[4096], body[2048];
	UErrorCode code = U_ZERO_ERROR;
	int32_t n = ucnv_convert(icu, "UTF-8", body, sizeof(body), utf8, -1, &code);
	assert_true(U_SUCCESS(code));
	int head = snprintf(mail, sizeof(mail), HEAD "Content-Type: text/plain%s%s\n\n", declared ? "; charset=" : "",
		declared ? declared : "");
	memcpy(mail + head, body, (size_t)n);
	struct letter l = letter_of(mail, (size_t)head + (size_t)n);
	assert_string_equal(huiyin_text(l.feedback, "text"), utf8);
	json_decref(l.feedback);
}

/* ---- what a mail becomes ---- */

static void a_mail_is_a_feedback_with_its_writer_its_id_and_its_time(void **state)
{
	(void)state;
	struct letter l = letter_of(HEAD "\nMy refund has not come.\n", 0);
	json_t *who = json_object_get(l.feedback, "customer"), *context = json_object_get(l.feedback, "context");
	assert_string_equal(huiyin_text(l.feedback, "id"), "m1@example.com");
	assert_string_equal(huiyin_text(l.feedback, "text"), "My refund has not come.");
	assert_string_equal(huiyin_text(l.feedback, "channel"), "mail");
	assert_string_equal(huiyin_text(l.feedback, "occurred_at"), "2026-01-31T00:00:00.000Z");
	assert_string_equal(huiyin_text(who, "email"), "li@example.com");
	assert_string_equal(huiyin_text(who, "name"), "Li Lei");
	assert_string_equal(huiyin_text(context, "subject"), "Refund");
	json_decref(l.feedback);
}

static void a_mail_in_any_charset_and_encoding_is_read(void **state)
{
	static const char zh[] = "快递三天了还没有到，请查一下。", tw[] = "訂單無法付款，請幫忙。",
			  jp[] = "注文が届きません。";
	(void)state;
	expect_charset("UTF-8", "utf-8", zh);
	expect_charset("GBK", "gbk", zh);
	expect_charset("GB18030", "gb2312", zh);
	expect_charset("Big5", "big5", tw);
	expect_charset("ISO-2022-JP", "iso-2022-jp", jp);
	expect_charset("Shift_JIS", "shift_jis", jp);
	expect_charset("windows-1252", "windows-1252", "Très déçu");
	expect_charset("GBK", NULL, zh); /* says nothing */
	expect_charset("GBK", "utf-8", zh); /* says what it is not */
	expect_charset("UTF-8", "x-nothing-known", zh);
	expect_text(HEAD "Content-Type: text/plain; charset=gb2312\nContent-Transfer-Encoding: base64\n\nwv3Bywo=\n",
		"慢了");
	expect_text(HEAD "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: "
			 "quoted-printable\n\n=E6=85=A2=E4=BA=86=\n, truly\n",
		"慢了, truly");
}

static void a_subject_and_a_name_in_encoded_words_are_read_and_a_bare_subject_speaks_for_an_empty_mail(void **state)
{
	(void)state;
	struct letter l = letter_of(
		"From: =?gb2312?B?wO7A1w==?= <li@example.com>\nSubject: =?utf-8?B?5oWi?=\nMessage-ID: <a@b>\n\n  \n",
		0);
	assert_string_equal(huiyin_text(l.feedback, "text"), "慢");
	assert_string_equal(huiyin_text(json_object_get(l.feedback, "customer"), "name"), "李雷");
	json_decref(l.feedback);
}

#define PARTS "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=x\n\n"
static void the_plain_text_is_preferred_and_attachments_are_named(void **state)
{
	(void)state;
	struct letter l = letter_of(HEAD PARTS
		"--x\nContent-Type: multipart/alternative; boundary=y\n\n--y\nContent-Type: text/html\n\n<p>html</p>\n"
		"--y\nContent-Type: text/plain\n\nplain\n--y--\n--x\nContent-Type: image/png\n"
		"Content-Disposition: attachment; filename=\"shot.png\"\nContent-Transfer-Encoding: "
		"base64\n\naGVsbG8=\n"
		"--x\nContent-Type: text/plain; name=notes.txt\nContent-Disposition: attachment; "
		"filename=notes.txt\n\nnot this\n--x--\n",
		0);
	assert_string_equal(huiyin_text(l.feedback, "text"), "plain");
	assert_string_equal(huiyin_text(json_object_get(l.feedback, "context"), "attachments"),
		"2: shot.png (5 bytes), notes.txt (8 bytes)");
	json_decref(l.feedback);
	expect_text("From: a@b.example\nMessage-ID: <a@b>\n" PARTS
		    "--x\nContent-Type: image/png; name=screen.png\n\nabc\n--x--\n",
		"screen.png (3 bytes)");
}

static void html_becomes_what_people_read_of_it(void **state)
{
	static const struct {
		const char *html, *text;
	} pages[] = {
		{ "<html><head><title>t</title><style>p{color:red}</style></head><body><p>One &amp; "
		  "two</p><p>three<br>four</p></body></html>",
			"One & two\n\nthree\nfour" },
		{ "a<script>alert('<p>')</script>b<!-- c -->d", "abd" },
		{ "1 < 2 &lt;b&gt; &#20320;&#x597D; &nbsp;x &unknown; &", "1 < 2 <b> 你好 x &unknown; &" },
		{ "<ul><li>one<li>two</ul>", "- one\n- two" },
		{ "<a href=\"x>y\" title='>'>link</a>", "link" },
		{ "mine<blockquote>theirs<br>more<blockquote>old</blockquote></blockquote>",
			"mine\n> theirs\n> more\n> > old" },
		{ "<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc" },
		{ "<script>never ends", "" },
		{ "<", "<" },
		{ "<p", "" },
		{ "<!doctype html>x", "x" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(pages) / sizeof(*pages); i++) {
		struct hy_buffer raw = { 0 }, tidy = { 0 };
		plain_html(&raw, hy_bytes_text(pages[i].html));
		plain_tidy(&tidy, hy_buffer_view(&raw));
		assert_string_equal(hy_buffer_string(&tidy), pages[i].text);
		hy_buffer_free(&raw);
		hy_buffer_free(&tidy);
	}
}

/* ---- whose words ---- */

static void the_quoted_mail_and_the_signature_are_left_out(void **state)
{
	static const char *const mails[] = {
		"It works now.\n\nOn Mon, 2 Feb 2026, Support <care@acme.example> wrote:\n> Please try 2.4.1\n>\n> "
		"Yours\n",
		"It works now.\n\nOn Mon, 2 Feb 2026 at 10:00, Support Of A Long Name\n<care@acme.example> wrote:\n\n> "
		"Please try\n",
		"It works now.\n\n在 2026年2月2日，客服 <care@acme.example> 写道：\n> 请更新\n",
		"It works now.\n\n------------------ 原始邮件 ------------------\n发件人: \"客服\"\n内容\n",
		"It works now.\n\n-----Original Message-----\nFrom: Support\n\nPlease try\n",
		"It works now.\n\n________________________________\nFrom: Support\nSent: Monday\nTo: Li\n\nPlease "
		"try\n",
		"It works now.\n\n> Please try\n> 2.4.1\n",
		"It works now.\n-- \nLi Lei\nAcme Ltd\n",
		"It works now.\n\nSent from my iPhone\n",
		"It works now.\n\n发自我的iPhone\n",
		"It works now.\n--\nLi\n\nOn Monday, S <c@a.example> wrote:\n> x\n",
	};
	(void)state;
	for (size_t i = 0; i < sizeof(mails) / sizeof(*mails); i++) {
		char mail[2048];
		snprintf(mail, sizeof(mail), HEAD "Content-Type: text/plain; charset=utf-8\n\n%s", mails[i]);
		expect_text(mail, "It works now.");
	}
}

static void where_it_is_not_sure_whose_words_they_are_all_are_kept(void **state)
{
	static const char *const mails[] = {
		"> Does it work?\n\nNo.",
		"Hello,\n\n> Does it work?\n\nNo.\n\n> And this?\n\nYes.",
		"On Monday, S <c@a.example> wrote:\n> x\n\nMy answer is below",
		"> only a quote\n> of two lines",
		"He wrote:\nno quote follows",
		"From: the beginning it was broken",
	};
	(void)state;
	for (size_t i = 0; i < sizeof(mails) / sizeof(*mails); i++) {
		char mail[2048];
		snprintf(mail, sizeof(mail), HEAD "\n%s\n", mails[i]);
		expect_text(mail, mails[i]);
	}
}

static void a_long_mail_is_cut_at_a_character_with_a_mark(void **state)
{
	static const char *const letters[] = { "慢", "a", "\xf0\x9f\x98\xa1", "e\xcc\x81" };
	(void)state;
	for (size_t k = 0; k < 4; k++) {
		struct hy_buffer b = { 0 };
		hy_buffer_text(&b, HEAD "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n");
		for (int i = 0; i < 12000; i++)
			hy_buffer_text(&b, letters[k]);
		struct letter l = letter_of((const char *)b.data, b.size);
		const char *text = huiyin_text(l.feedback, "text");
		assert_true(hy_utf8_count(hy_bytes_text(text)) <= LETTER_TEXT_MAX);
		assert_true(strlen(text) < 40000 && strlen(text) > 9000);
		assert_string_equal(text + strlen(text) - 6, "\n[…]");
		assert_non_null(json_object_get(json_object_get(l.feedback, "context"), "cut"));
		json_decref(l.feedback);
		hy_buffer_free(&b);
	}
}

/* ---- which notice is answered ---- */

#define TOKEN "AZwq9Kd8cAC-abcdefghijklmnopqrstuvwxyz0123456789_ABCDEFGHIJKLMNOPQRSTUVWXYZab"

static void an_answer_carries_the_token_of_its_address_or_of_the_quoted_link(void **state)
{
	struct letter l;
	struct hy_fault f = { 0 };
	(void)state;
	assert_int_equal(
		letter_read(HY_LIT(HEAD "\nyes\n"), "li@example.com", "reply+" TOKEN "@acme.example", NOW, &l, &f),
		HY_OK);
	assert_string_equal(huiyin_text(l.feedback, "in_reply_to"), TOKEN);
	json_decref(l.feedback);
	l = letter_of(HEAD "In-Reply-To: <0190-x@acme.example>\n\nyes\n\nOn Monday, S <c@a.example> wrote:\n> Did it "
			   "help? http://127.0.0.1:8080/r/" TOKEN "?l=en\n",
		0);
	assert_string_equal(huiyin_text(l.feedback, "in_reply_to"), TOKEN);
	assert_string_equal(huiyin_text(l.feedback, "text"), "yes");
	assert_string_equal(
		huiyin_text(json_object_get(l.feedback, "context"), "in_reply_to"), "<0190-x@acme.example>");
	json_decref(l.feedback);
	/* a link alone is no answer */
	l = letter_of(HEAD "\nsee http://127.0.0.1:8080/r/" TOKEN "\n", 0);
	assert_null(json_object_get(l.feedback, "in_reply_to"));
	json_decref(l.feedback);
}

/* ---- what programs write ---- */

static void what_programs_write_is_passed_over(void **state)
{
	static const char *const heads[] = { "Auto-Submitted: auto-replied\n",
		"Auto-Submitted: auto-generated; owner=x\n", "Precedence: bulk\n", "Precedence: LIST\n",
		"Precedence: junk\n", "Return-Path: <>\n", "Content-Type: multipart/report; boundary=x\n",
		"X-Autoreply: yes\n" };
	(void)state;
	for (size_t i = 0; i < sizeof(heads) / sizeof(*heads); i++) {
		char mail[1024];
		snprintf(mail, sizeof(mail), HEAD "%s\nI am on holiday\n", heads[i]);
		struct letter l = letter_of(mail, 0);
		assert_null(l.feedback);
		assert_non_null(l.dropped);
	}
	struct letter l;
	struct hy_fault f = { 0 };
	assert_int_equal(letter_read(HY_LIT(HEAD "\nx\n"), "", NULL, NOW, &l, &f), HY_OK);
	assert_string_equal(l.dropped, "a bounce");
	l = letter_of(HEAD "Auto-Submitted: no\nReturn-Path: <li@example.com>\n\nx\n", 0);
	assert_non_null(l.feedback);
	json_decref(l.feedback);
	l = letter_of("From: a@b.example\nMessage-ID: <a@b>\n\n", 0);
	assert_string_equal(l.dropped, "an empty mail");
}

static void what_is_no_mail_is_refused_and_strange_headers_do_no_harm(void **state)
{
	struct letter l;
	struct hy_fault f = { 0 };
	(void)state;
	assert_int_equal(letter_read(HY_LIT(""), NULL, NULL, NOW, &l, &f), HY_BAD_INPUT);
	assert_int_equal(letter_read(HY_LIT("just words\nand more\n"), NULL, NULL, NOW, &l, &f), HY_BAD_INPUT);
	/* an address that is none, a date in the future, an id that is none: the text is kept */
	l = letter_of("From: undisclosed\nDate: Sat, 31 Jan 2126 08:00:00 +0800\nMessage-ID: <\xe6\x85\xa2>\nSubject: "
		      "s\n\ntext\n",
		0);
	assert_string_equal(huiyin_text(l.feedback, "text"), "text");
	assert_true(strncmp(huiyin_text(l.feedback, "id"), "mail-", 5) == 0);
	assert_null(json_object_get(l.feedback, "customer"));
	assert_null(json_object_get(l.feedback, "occurred_at"));
	json_decref(l.feedback);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_mail_is_a_feedback_with_its_writer_its_id_and_its_time),
		cmocka_unit_test(a_mail_in_any_charset_and_encoding_is_read),
		cmocka_unit_test(
			a_subject_and_a_name_in_encoded_words_are_read_and_a_bare_subject_speaks_for_an_empty_mail),
		cmocka_unit_test(the_plain_text_is_preferred_and_attachments_are_named),
		cmocka_unit_test(html_becomes_what_people_read_of_it),
		cmocka_unit_test(the_quoted_mail_and_the_signature_are_left_out),
		cmocka_unit_test(where_it_is_not_sure_whose_words_they_are_all_are_kept),
		cmocka_unit_test(a_long_mail_is_cut_at_a_character_with_a_mark),
		cmocka_unit_test(an_answer_carries_the_token_of_its_address_or_of_the_quoted_link),
		cmocka_unit_test(what_programs_write_is_passed_over),
		cmocka_unit_test(what_is_no_mail_is_refused_and_strange_headers_do_no_harm),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
