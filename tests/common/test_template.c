// link: hy_template
#include "support/test.h"

#include "template/template.h"

static const struct hy_template_value values[] = {
	{ "name", "李伟 <b>&\"'" },
	{ "ticket.number", "T-88" },
	{ "resolved", "yes" },
	{ "declined", NULL },
	{ "note", "" },
	{ "hole", "{{name}}" },
	{ NULL, NULL },
};

static void renders(const char *text, bool html, const char *expected)
{
	struct hy_template *t;
	struct hy_fault f = { 0 };
	struct hy_buffer out = { 0 };
	hy_buffer_text(&out, ">");
	if (hy_template_open(&t, "notice", hy_bytes_text(text), html, &f) != HY_OK)
		fail_msg("%s", f.text);
	for (int i = 0; i < 2; i++) { /* a template can be used again */
		out.size = 1;
		assert_int_equal(hy_template_render(t, values, &out, &f), HY_OK);
		assert_string_equal(hy_buffer_string(&out) + 1, expected);
	}
	hy_template_close(&t);
	assert_null(t);
	hy_buffer_free(&out);
}

static void refused(const char *text, bool html, const char *words)
{
	struct hy_template *t;
	struct hy_fault f = { 0 };
	assert_int_equal(hy_template_open(&t, "notice", hy_bytes_text(text), html, &f), HY_BAD_INPUT);
	assert_string_equal(f.text, words);
	assert_null(t);
}

static void customer_text_stays_text_in_html(void **state)
{
	(void)state;
	renders("<p>{{name}}</p>", true, "<p>李伟 &lt;b&gt;&amp;&quot;&#39;</p>");
	renders("<a title='{{name}}'>{{ name }}{{hole}}</a>", true,
		"<a title='李伟 &lt;b&gt;&amp;&quot;&#39;'>李伟 &lt;b&gt;&amp;&quot;&#39;{{name}}</a>");
}

static void text_parts_are_not_escaped(void **state)
{
	(void)state;
	renders("亲爱的{{name}}：{{{name}}} {{& name}}\r\n", false,
		"亲爱的李伟 <b>&\"'：李伟 <b>&\"' 李伟 <b>&\"'\r\n");
	renders("", false, "");
	renders("no holes } }} { {", false, "no holes } }} { {");
}

static void a_raw_variable_is_refused_in_html(void **state)
{
	(void)state;
	refused("<p>\n  {{{name}}}</p>", true, "notice:2:3: in HTML everything is escaped; write {{name}}");
	refused("好{{&name}}", true, "notice:1:2: in HTML everything is escaped; write {{name}}");
	refused("{{\v\f& name\v}}", true, "notice:1:1: in HTML everything is escaped; write {{name}}");
	refused("{{ & name }}", true, "notice:1:1: in HTML everything is escaped; write {{name}}");
}

static void sections_over_nothing_vanish(void **state)
{
	(void)state;
	renders("{{#resolved}}done{{/resolved}}{{#declined}}no{{/declined}}{{#note}}note{{/note}}{{#absent}}?{{/"
		"absent}}",
		true, "done");
	renders("{{^resolved}}a{{/resolved}}{{^declined}}b{{/declined}}{{^note}}c{{/note}}{{^absent}}d{{/absent}}",
		true, "bcd");
	renders("Hello\n{{#resolved}}\n{{ticket.number}} is done{{#note}}: {{note}}{{/note}}.\n{{/resolved}}\nBye\n",
		false, "Hello\nT-88 is done.\nBye\n");
	renders("{{#ticket.number}}[{{.}}]{{/ticket.number}}", true, "[T-88]");
}

static void an_absent_variable_is_empty(void **state)
{
	(void)state;
	renders("[{{absent}}{{declined}}{{note}}{{.}}]", true, "[]");
}

static void comments_leave_no_trace(void **state)
{
	(void)state;
	renders("a{{! {{name }}b\n  {{! a line\n of its own }}  \nc\n", false, "ab\nc\n");
	renders("{{!only}}", true, "");
	renders("{{!x}}\r\n{{!y}}z", true, "z");
}

static void a_broken_template_is_refused_with_its_place(void **state)
{
	(void)state;
	refused("a\n好 {{name", false, "notice:2:3: a tag is never closed with }}");
	refused("{{{name}}", false, "notice:1:1: a tag is never closed with }}}");
	refused("{{", false, "notice:1:1: a tag is never closed with }}");
	refused("{{}}", false, "notice:1:1: a tag without a name");
	refused("{{# }}", false, "notice:1:1: a tag without a name");
	refused("{{#a}}\n{{#b}}", false, "notice:2:1: the section 'b' is never closed");
	refused("{{#a}}{{#b}}{{/a}}{{/b}}", false, "notice:1:13: {{/a}} closes the section 'b'");
	refused("x{{/a}}", false, "notice:1:2: {{/a}} closes a section that was never opened");
	refused("{{>other}}", false, "notice:1:1: a template can't include another one");
	refused("{{=<% %>=}}", false, "notice:1:1: the delimiters stay {{ and }}");
	refused("{{\v=<% %>=\f}}", false, "notice:1:1: the delimiters stay {{ and }}");
	refused("{{{=<% %>=}}}", false, "notice:1:1: the delimiters stay {{ and }}");
	refused("\xff", false, "notice: not UTF-8 text");
}

static void what_could_exhaust_the_process_is_refused(void **state)
{
	(void)state;
	struct hy_buffer text = { 0 }, out = { 0 };
	struct hy_template *t;
	struct hy_fault f = { 0 };
	for (int i = 0; i < 17; i++)
		hy_buffer_text(&text, "{{#a}}");
	refused(hy_buffer_string(&text), false, "notice:1:97: more than 16 sections within each other");
	hy_buffer_clear(&text);
	for (int i = 0; i < 200000; i++)
		hy_buffer_byte(&text, 'x');
	assert_int_equal(hy_template_open(&t, "notice", hy_buffer_view(&text), true, &f), HY_TOO_LARGE);
	assert_string_equal(f.text, "notice: larger than 128 KiB");
	/* Many holes and a long text: the result is as before. */
	const struct hy_template_value wide[] = { { "x", hy_buffer_string(&text) }, { NULL, NULL } };
	struct hy_buffer holes = { 0 };
	for (int i = 0; i < 100; i++)
		hy_buffer_text(&holes, "{{x}}");
	assert_int_equal(hy_template_open(&t, "notice", hy_buffer_view(&holes), true, &f), HY_OK);
	hy_buffer_text(&out, "kept");
	assert_int_equal(hy_template_render(t, wide, &out, &f), HY_TOO_LARGE);
	assert_string_equal(f.text, "notice: the values put in are larger than 4 MiB together");
	assert_string_equal(hy_buffer_string(&out), "kept");
	hy_template_close(&t);
	hy_buffer_free(&text);
	hy_buffer_free(&holes);
	hy_buffer_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(customer_text_stays_text_in_html),
		cmocka_unit_test(text_parts_are_not_escaped),
		cmocka_unit_test(a_raw_variable_is_refused_in_html),
		cmocka_unit_test(sections_over_nothing_vanish),
		cmocka_unit_test(an_absent_variable_is_empty),
		cmocka_unit_test(comments_leave_no_trace),
		cmocka_unit_test(a_broken_template_is_refused_with_its_place),
		cmocka_unit_test(what_could_exhaust_the_process_is_refused),
	};
	return cmocka_run_group_tests_name("template", tests, NULL, NULL);
}
