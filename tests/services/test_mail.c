// link: hy_notifier hy_template PkgConfig::GMIME
/* A notice as an e-mail: what arrives in somebody's mailbox, byte by byte, and what a parser makes of it. */
#include "support/test.h"

#include <gmime/gmime.h>

#include "base/text.h"
#include "http/smtp.h"
#include "notifier/channel.h"
#include "notifier/mail.h"
#include "notifier/templates.h"

static const struct notifier_sender from = { "回音客服", "care@acme.example" };

static struct notifier_mail plain_mail(void)
{
	struct notifier_mail m = {
		.from = &from, .to = "li@example.com", .language = "zh", .date_ms = INT64_C(1767225600000)
	};
	memset(m.notice.b, 0x11, 16);
	memset(m.thread.b, 0x22, 16);
	m.to_name = HY_LIT("李雷");
	m.subject = HY_LIT("您反映的问题有结果了（T-12）");
	m.text = HY_LIT("您好：\n\n处理好了。\n");
	m.html = HY_LIT("<p>处理好了。</p>");
	return m;
}

static const char *written(const struct notifier_mail *m, struct hy_buffer *b)
{
	hy_buffer_clear(b);
	assert_int_equal(notifier_mail_write(m, b), HY_OK);
	return hy_buffer_string(b);
}

/* Properties that hold for every message whatever was put in. */
static void check_bytes(const struct hy_buffer *b)
{
	size_t column = 0;
	for (size_t i = 0; i < b->size; i++) {
		uint8_t c = b->data[i];
		assert_true(c < 0x80 && c != 0);
		if (c == '\n')
			assert_true(i > 0 && b->data[i - 1] == '\r');
		if (c == '\r')
			assert_true(i + 1 < b->size && b->data[i + 1] == '\n');
		column = c == '\n' ? 0 : column + 1;
		assert_true(column <= 998);
	}
	assert_null(strstr((const char *)b->data, "\r\n.\r\n"));
}

/* The names of the header lines, in order, joined by spaces. */
static void header_names(const char *message, char *out, size_t room)
{
	*out = 0;
	for (const char *line = message; strncmp(line, "\r\n", 2) != 0; line = strstr(line, "\r\n") + 2)
		if (*line != ' ' && *line != '\t')
			snprintf(out + strlen(out), room - strlen(out), "%.*s ", (int)strcspn(line, ":"), line);
}

static GMimeMessage *parsed(const struct hy_buffer *b)
{
	GMimeStream *stream = g_mime_stream_mem_new_with_buffer((const char *)b->data, b->size);
	GMimeParser *parser = g_mime_parser_new_with_stream(stream);
	GMimeMessage *m = g_mime_parser_construct_message(parser, NULL);
	g_object_unref(parser);
	g_object_unref(stream);
	assert_non_null(m);
	return m;
}

/* The decoded content of the i-th alternative; the caller frees. */
static char *alternative(GMimeMessage *m, int i)
{
	GMimeObject *both = g_mime_message_get_mime_part(m);
	assert_true(GMIME_IS_MULTIPART(both));
	GMimeObject *part = g_mime_multipart_get_part(GMIME_MULTIPART(both), i);
	GMimeStream *to = g_mime_stream_mem_new();
	g_mime_data_wrapper_write_to_stream(g_mime_part_get_content(GMIME_PART(part)), to);
	GByteArray *bytes = g_mime_stream_mem_get_byte_array(GMIME_STREAM_MEM(to));
	char *text = strndup((const char *)bytes->data, bytes->len);
	g_object_unref(to);
	return text;
}

static void a_chinese_notice_reads_back_as_it_was_written(void **state)
{
	(void)state;
	struct hy_buffer b = { 0 };
	struct notifier_mail m = plain_mail();
	written(&m, &b);
	check_bytes(&b);
	GMimeMessage *p = parsed(&b);
	assert_string_equal(g_mime_message_get_subject(p), "您反映的问题有结果了（T-12）");
	InternetAddress *to = internet_address_list_get_address(g_mime_message_get_to(p), 0);
	assert_string_equal(internet_address_get_name(to), "李雷");
	assert_string_equal(internet_address_mailbox_get_addr((InternetAddressMailbox *)to), "li@example.com");
	InternetAddress *sender = internet_address_list_get_address(g_mime_message_get_from(p), 0);
	assert_string_equal(internet_address_get_name(sender), "回音客服");
	assert_string_equal(g_mime_message_get_message_id(p), "11111111-1111-1111-1111-111111111111@acme.example");
	assert_string_equal(g_mime_object_get_header(GMIME_OBJECT(p), "In-Reply-To"),
		"<ticket-22222222-2222-2222-2222-222222222222@acme.example>");
	assert_string_equal(g_mime_object_get_header(GMIME_OBJECT(p), "Auto-Submitted"), "auto-generated");
	assert_int_equal(g_date_time_to_unix(g_mime_message_get_date(p)), 1767225600);
	char *text = alternative(p, 0), *html = alternative(p, 1);
	assert_string_equal(text, "您好：\r\n\r\n处理好了。\r\n");
	assert_string_equal(html, "<p>处理好了。</p>\r\n");
	free(text);
	free(html);
	g_object_unref(p);
	hy_buffer_free(&b);
}

static void the_same_notice_makes_the_same_bytes(void **state)
{
	(void)state;
	struct hy_buffer a = { 0 }, b = { 0 };
	struct notifier_mail m = plain_mail();
	written(&m, &a);
	written(&m, &b);
	assert_true(hy_bytes_equal(hy_buffer_view(&a), hy_buffer_view(&b)));
	assert_non_null(strstr(hy_buffer_string(&a), "boundary=\"=_11111111-1111-1111-1111-111111111111\""));
	hy_buffer_free(&a);
	hy_buffer_free(&b);
}

static void line_breaks_in_a_name_or_subject_add_no_header(void **state)
{
	(void)state;
	static const char bad[] = "李雷\r\nBcc: victim@example.com\r\n\r\n<script>\0X-Evil: 1\n";
	struct hy_buffer a = { 0 }, b = { 0 };
	char expected[1000], got[1000];
	struct notifier_mail m = plain_mail();
	header_names(written(&m, &a), expected, sizeof(expected));
	m.to_name = m.subject = hy_bytes(bad, sizeof(bad) - 1);
	header_names(written(&m, &b), got, sizeof(got));
	assert_string_equal(got, expected);
	check_bytes(&b);
	GMimeMessage *p = parsed(&b);
	assert_null(
		g_mime_message_get_bcc(p) && internet_address_list_length(g_mime_message_get_bcc(p)) ? "bcc" : NULL);
	assert_int_equal(internet_address_list_length(g_mime_message_get_to(p)), 1);
	assert_string_equal(g_mime_message_get_subject(p), "李雷 Bcc: victim@example.com <script> X-Evil: 1");
	g_object_unref(p);
	m.to_name = HY_LIT("a\u202emoc\u2028evil, other@example.com");
	written(&m, &b);
	p = parsed(&b);
	assert_int_equal(internet_address_list_length(g_mime_message_get_to(p)), 1);
	g_object_unref(p);
	hy_buffer_free(&a);
	hy_buffer_free(&b);
}

/* Each encoded word decoded by itself must be whole characters: a mail program may show them one by one. */
static void a_long_subject_is_never_cut_inside_a_character(void **state)
{
	(void)state;
	struct hy_buffer b = { 0 }, subject = { 0 };
	for (int i = 0; i < 60; i++)
		hy_buffer_text(&subject, i % 7 ? "反馈" : "回音👩‍🔧");
	struct notifier_mail m = plain_mail();
	for (size_t cut = 0; cut < 3; cut++) {
		m.subject = hy_bytes(subject.data, subject.size - cut); /* also text that ends inside a character */
		const char *word = strstr(written(&m, &b), "Subject:");
		const char *end = strstr(word, "\r\nMessage-Id");
		end = end ? end : strstr(word, "\r\n\r\n");
		int words = 0;
		while ((word = strstr(word, "=?")) && word < end) {
			char *one = strndup(word, (size_t)(strstr(word + 10, "?=") + 2 - word));
			char *plain = g_mime_utils_header_decode_text(NULL, one);
			assert_true(strlen(one) <= 75);
			assert_true(g_utf8_validate(plain, -1, NULL));
			assert_null(strstr(plain, "=?"));
			g_free(plain);
			free(one);
			assert_int_equal(word[-1] == ' ', 1);
			word = strstr(word + 10, "?=") + 2;
			words++;
		}
		assert_true(words > 1);
		GMimeMessage *p = parsed(&b);
		char *start = strndup((const char *)subject.data, 60);
		assert_true(g_str_has_prefix(g_mime_message_get_subject(p), start));
		assert_true(g_str_has_suffix(g_mime_message_get_subject(p), "…"));
		free(start);
		g_object_unref(p);
	}
	hy_buffer_free(&subject);
	hy_buffer_free(&b);
}

static void a_lone_dot_and_control_characters_in_a_body_do_no_harm(void **state)
{
	(void)state;
	static const char text[] =
		"one\n.\n..\n.dot\r\nFrom here\rbare\0nul \x1b[31m\nvery = long "
		"0123456789012345678901234567890123456789012345678901234567890123456789.0123456789 \n.\r\n.";
	struct hy_buffer b = { 0 };
	struct notifier_mail m = plain_mail();
	m.text = hy_bytes(text, sizeof(text) - 1);
	const char *message = written(&m, &b);
	check_bytes(&b);
	assert_null(strstr(message, "\r\n."));
	assert_null(strstr(message, "\r\nFrom "));
	GMimeMessage *p = parsed(&b);
	char *got = alternative(p, 0);
	assert_string_equal(got,
		"one\r\n.\r\n..\r\n.dot\r\nFrom here\r\nbarenul [31m\r\nvery = long "
		"0123456789012345678901234567890123456789012345678901234567890123456789.0123456789 \r\n.\r\n.\r\n");
	free(got);
	g_object_unref(p);
	hy_buffer_free(&b);
}

static void addresses_that_could_be_commands_are_refused(void **state)
{
	(void)state;
	static const char *const good[] = { "a@b.co", "li.lei+tag@mail.example.com", "o'brien@x-y.example",
		"user@localhost", NULL };
	static const char *const bad[] = { "", "@b.co", "a@", "a", "a@b@c.co", "a b@c.co", "a@b..co", "a@-b.co",
		"a@b-.co", ".a@b.co", "a.@b.co", "a..b@c.co", "a@b.co\r\nRCPT TO:<x@y>", "a>@b.co", "<a@b.co>",
		"a,b@c.co", "\"a\"@b.co", "a@b.co;c", "a\\b@c.co", "李雷@例子.中国", "a(c)@b.co", "a@[127.0.0.1]",
		"a:b@c.co", "a\x7f@b.co", NULL };
	struct hy_buffer b = { 0 };
	struct notifier_mail m = plain_mail();
	for (size_t i = 0; good[i]; i++)
		assert_true(hy_smtp_address_ok(good[i], NULL));
	for (size_t i = 0; bad[i]; i++) {
		const char *why = NULL;
		if (hy_smtp_address_ok(bad[i], &why))
			fail_msg("'%s' was taken", bad[i]);
		assert_non_null(why);
		m.to = bad[i];
		assert_int_equal(notifier_mail_write(&m, &b), HY_BAD_INPUT);
		assert_int_equal(b.size, 0);
	}
	char lengthy[300];
	memset(lengthy, 'a', sizeof(lengthy));
	memcpy(lengthy + 60, "@", 1);
	for (size_t i = 100; i < 255; i += 40)
		lengthy[i] = '.';
	lengthy[254] = 0;
	assert_true(hy_smtp_address_ok(lengthy, NULL));
	lengthy[254] = 'a';
	lengthy[255] = 0;
	assert_false(hy_smtp_address_ok(lengthy, NULL));
	hy_buffer_free(&b);
}

static void a_sender_is_a_name_and_an_address(void **state)
{
	(void)state;
	struct notifier_sender s;
	struct hy_fault f;
	assert_int_equal(notifier_sender_parse("Acme 客服 <care@acme.example>", &s, &f), HY_OK);
	assert_string_equal(s.name, "Acme 客服");
	assert_string_equal(s.address, "care@acme.example");
	assert_int_equal(notifier_sender_parse("\"Acme, Inc.\" <care@acme.example>", &s, &f), HY_OK);
	assert_string_equal(s.name, "Acme, Inc.");
	assert_int_equal(notifier_sender_parse("care@acme.example", &s, &f), HY_OK);
	assert_string_equal(s.name, "");
	assert_int_equal(notifier_sender_parse("Acme <care@acme.example", &s, &f), HY_BAD_INPUT);
	assert_int_equal(notifier_sender_parse("nobody", &s, &f), HY_BAD_INPUT);
	assert_int_equal(notifier_sender_parse("", &s, &f), HY_BAD_INPUT);
}

static struct notifier_templates *open_own(void)
{
	struct notifier_templates *t = NULL;
	struct hy_fault f = { 0 };
	const char *const dirs[] = { HY_SOURCE_DIR "/services/notifier/templates", NULL };
	if (notifier_templates_open(&t, dirs, &f) != HY_OK)
		fail_msg("%s", f.text);
	return t;
}

static void every_notice_has_its_words_in_both_languages(void **state)
{
	(void)state;
	struct notifier_templates *t = open_own();
	struct notifier_rendered r = { 0 };
	struct hy_fault f = { 0 };
	struct notifier_words w = { "Lin", "好用，但是慢", "已经换了物流。\n两天内到。", "T-12",
		"https://x.example/r/TOKEN", "Acme" };
	for (unsigned kind = 1; kind < NOTIFIER_KINDS; kind++)
		for (int l = 0; l < 2; l++) {
			assert_int_equal(notifier_templates_render(t, l ? "en" : "zh", kind, &w, &r, &f), HY_OK);
			const char *text = hy_buffer_string(&r.text), *html = hy_buffer_string(&r.html);
			assert_true(r.subject.size > 4);
			assert_null(strstr(text, "{{"));
			assert_null(strstr(html, "{{"));
			assert_null(strstr(text, "\n\n\n"));
			assert_non_null(strstr(text, "Lin"));
			assert_non_null(strstr(html, "prefers-color-scheme: dark"));
			assert_true(hy_utf8_valid(hy_buffer_view(&r.text)) && hy_utf8_valid(hy_buffer_view(&r.html)));
			bool answer = kind == 2 || kind == 3;
			assert_int_equal(strstr(text, "两天内到。") && strstr(html, "两天内到。"), answer);
			assert_int_equal(strstr(text, "/r/TOKEN") && strstr(html, "/r/TOKEN"), answer);
		}
	notifier_rendered_free(&r);
	notifier_templates_close(&t);
}

static void what_customers_and_staff_wrote_is_text_in_html(void **state)
{
	(void)state;
	struct notifier_templates *t = open_own();
	struct notifier_rendered r = { 0 };
	struct hy_fault f = { 0 };
	struct notifier_words w = { "<b>\"Lin\"</b>", "<script>alert(1)</script>", "{{name}} & <img src=x onerror=1>",
		"T-1", "https://x.example/r/T", "A&B" };
	assert_int_equal(notifier_templates_render(t, "en", 2, &w, &r, &f), HY_OK);
	const char *html = hy_buffer_string(&r.html), *text = hy_buffer_string(&r.text);
	assert_null(strstr(html, "<script>"));
	assert_null(strstr(html, "<img"));
	assert_null(strstr(html, "<b>"));
	assert_non_null(strstr(html, "&lt;script&gt;"));
	assert_non_null(strstr(html, "{{name}} &amp;"));
	assert_non_null(strstr(text, "<script>alert(1)</script>")); /* plain text is plain */
	notifier_rendered_free(&r);
	notifier_templates_close(&t);
}

static void without_a_name_the_greeting_has_none(void **state)
{
	(void)state;
	struct notifier_templates *t = open_own();
	struct notifier_rendered r = { 0 };
	struct hy_fault f = { 0 };
	struct notifier_words w = { "", "", "", "", "", "Acme" };
	assert_int_equal(notifier_templates_render(t, "zh", 2, &w, &r, &f), HY_OK);
	assert_true(hy_bytes_starts(hy_buffer_view(&r.text), HY_LIT("您好：")));
	assert_null(strstr(hy_buffer_string(&r.text), "您当时说"));
	assert_null(strstr(hy_buffer_string(&r.subject), "（"));
	assert_int_equal(notifier_templates_render(t, "en", 1, &w, &r, &f), HY_OK);
	assert_true(hy_bytes_starts(hy_buffer_view(&r.text), HY_LIT("Hello,")));
	notifier_rendered_free(&r);
	notifier_templates_close(&t);
}

static void a_company_changes_one_text_and_keeps_the_others(void **state)
{
	(void)state;
	char *dir = test_mkdir(), path[4096], command[4096];
	snprintf(command, sizeof(command), "mkdir -p %s/zh", dir);
	assert_int_equal(system(command), 0);
	snprintf(path, sizeof(path), "%s/zh/thanks.subject", dir);
	FILE *file = fopen(path, "w");
	fputs("阿克米谢谢{{name}}", file);
	fclose(file);
	const char *const dirs[] = { dir, HY_SOURCE_DIR "/services/notifier/templates", NULL };
	struct notifier_templates *t = NULL;
	struct hy_fault f = { 0 };
	struct notifier_rendered r = { 0 };
	struct notifier_words w = { "您", "", "", "", "", "Acme" };
	assert_int_equal(notifier_templates_open(&t, dirs, &f), HY_OK);
	assert_int_equal(notifier_templates_render(t, "zh", 5, &w, &r, &f), HY_OK);
	assert_string_equal(hy_buffer_string(&r.subject), "阿克米谢谢您");
	assert_non_null(strstr(hy_buffer_string(&r.text), "夸奖"));
	notifier_templates_close(&t);
	file = fopen(path, "w");
	fputs("{{#name}}", file);
	fclose(file);
	assert_int_equal(notifier_templates_open(&t, dirs, &f), HY_CONFIG);
	assert_non_null(strstr(f.text, "thanks.subject"));
	notifier_rendered_free(&r);
	test_rmdir(dir);
}

static void a_file_is_whole_or_not_there_and_a_repeat_changes_nothing(void **state)
{
	(void)state;
	char *dir = test_mkdir(), path[4096], command[4200];
	struct hy_fault f = { 0 };
	const struct notifier_channel *ch = notifier_channel_named("file");
	void *self = NULL;
	assert_non_null(ch);
	assert_null(notifier_channel_named("pigeon"));
	assert_int_equal(ch->open(&self, dir, NULL, &f), HY_OK);
	struct notifier_transfer t[300] = { 0 };
	for (int again = 0; again < 2; again++) {
		for (size_t i = 0; i < 300; i++) {
			memset(t[i].notice.b, 0, 16);
			hy_be_put64(t[i].notice.b, i + 1);
			hy_buffer_clear(&t[i].message);
			hy_buffer_printf(&t[i].message, "message %zu\r\n", i);
			t[i].state = TRANSFER_BEGUN;
			ch->begin(self, &t[i]);
			assert_int_equal(t[i].state, TRANSFER_AT_DOT);
			t[i].state = TRANSFER_PASSED;
			ch->finish(self, &t[i]);
		}
		ch->drive(self);
		for (size_t i = 0; i < 300; i++) {
			assert_int_equal(t[i].state, TRANSFER_DONE);
			assert_int_equal(t[i].result, RESULT_SENT);
		}
	}
	snprintf(command, sizeof(command), "test $(ls -A %s/outbox | wc -l) = 300", dir);
	assert_int_equal(system(command), 0);
	snprintf(path, sizeof(path), "%s/outbox/00000000-0000-0005-0000-000000000000.eml", dir);
	char text[32] = "";
	FILE *file = fopen(path, "r");
	assert_non_null(file);
	assert_non_null(fgets(text, sizeof(text), file));
	fclose(file);
	assert_string_equal(text, "message 4\r\n");
	ch->forget(self, t[4].notice);
	assert_int_not_equal(access(path, F_OK), 0);

	snprintf(command, sizeof(command), "rm -rf %s/outbox", dir); /* somebody took the folder away */
	assert_int_equal(system(command), 0);
	t[0].state = TRANSFER_PASSED;
	ch->finish(self, &t[0]);
	ch->drive(self);
	assert_int_equal(t[0].state, TRANSFER_DONE);
	assert_int_equal(t[0].result, RESULT_LATER);
	assert_true(strlen(t[0].reason) > 0);
	for (size_t i = 0; i < 300; i++)
		hy_buffer_free(&t[i].message);
	ch->close(&self);
	test_rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_chinese_notice_reads_back_as_it_was_written),
		cmocka_unit_test(the_same_notice_makes_the_same_bytes),
		cmocka_unit_test(line_breaks_in_a_name_or_subject_add_no_header),
		cmocka_unit_test(a_long_subject_is_never_cut_inside_a_character),
		cmocka_unit_test(a_lone_dot_and_control_characters_in_a_body_do_no_harm),
		cmocka_unit_test(addresses_that_could_be_commands_are_refused),
		cmocka_unit_test(a_sender_is_a_name_and_an_address),
		cmocka_unit_test(every_notice_has_its_words_in_both_languages),
		cmocka_unit_test(what_customers_and_staff_wrote_is_text_in_html),
		cmocka_unit_test(without_a_name_the_greeting_has_none),
		cmocka_unit_test(a_company_changes_one_text_and_keeps_the_others),
		cmocka_unit_test(a_file_is_whole_or_not_there_and_a_repeat_changes_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
