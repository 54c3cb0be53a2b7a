// link: hy_collector
#include "services/calls_fixture.h"

#include "collector/compat/sentry.h"

/* Envelopes of Sentry's SDKs, whole and in pieces, and what is not quite one; feedback made of what they hold. */

#define ID "9ec79c33ec9942ab8353589fcb2e04dc"

/* Takes `text` in pieces of `size` bytes. */
static int take(struct calls *c, struct sentry_envelope *e, struct hy_bytes text, size_t size, struct hy_fault *f)
{
	int err = HY_OK;
	sentry_envelope_init(e, c->reader);
	for (size_t at = 0; at < text.size && err == HY_OK; at += size)
		err = sentry_envelope_put(
			e, hy_bytes(text.data + at, text.size - at < size ? text.size - at : size), f);
	return err ? err : sentry_envelope_end(e, f);
}

static void an_envelope_gives_the_same_in_pieces_of_any_size(void **state)
{
	struct calls *c = *state;
	static const struct {
		const char *text;
		size_t count;
		const char *first, *last; /* payloads */
	} rows[] = {
		{ "{}", 0, NULL, NULL },
		{ "{}\n", 0, NULL, NULL },
		{ "{}\n\n\n", 0, NULL, NULL },
		{ "{}\n{\"type\":\"feedback\"}\n{\"a\":1}", 1, "{\"a\":1}", "{\"a\":1}" },
		{ "{}\n{\"type\":\"feedback\"}\n{\"a\":1}\n", 1, "{\"a\":1}", "{\"a\":1}" },
		{ "{}\r\n{\"type\":\"feedback\"}\r\n{\"a\":1}\r\n", 1, "{\"a\":1}\r", "{\"a\":1}\r" },
		{ "{}\n{\"type\":\"feedback\",\"length\":7}\n{\"a\":1}", 1, "{\"a\":1}", "{\"a\":1}" },
		{ "{}\n{\"type\":\"feedback\",\"length\":7}\n{\"a\":1}\n", 1, "{\"a\":1}", "{\"a\":1}" },
		{ "{}\r\n{\"type\":\"feedback\",\"length\":7}\r\n{\"a\":1}\r\n{\"type\":\"user_report\"}\r\n{}", 2,
			"{\"a\":1}", "{}" },
		{ "{}\n{\"type\":\"feedback\",\"length\":8}\n{\"a\":\n1}\n", 1, "{\"a\":\n1}", "{\"a\":\n1}" },
		{ "{}\n{\"type\":\"attachment\",\"length\":5}\n\n{\"}\"\n{\"type\":\"feedback\"}\n{}\n", 1, "{}",
			"{}" },
		{ "{}\n{\"type\":\"attachment\",\"length\":0}\n\n{\"type\":\"feedback\"}\n{}", 1, "{}", "{}" },
		{ "{}\n{\"type\":\"event\"}\n{\"message\":1}\n\n{\"type\":\"feedback\",\"length\":null}\n1\n{\"type\":"
		  "\"feedback\"}\n2\n",
			2, "1", "2" },
		{ "{}\n{\"type\":\"feedback\"}\n{}\n{\"type\":\"attachment\",\"length\":3}\nabc\n{\"type\":\"x\"}\nabc",
			1, "{}", "{}" },
		{ "{}\n{\"type\":\"session\"}", 0, NULL, NULL },
		{ "{}\n{\"type\":\"feedback\"}\n", 1, "", "" },
		{ "{}\n{\"type\":\"feedback\"}", 1, "", "" },
	};
	struct sentry_envelope e;
	struct hy_fault f;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct hy_bytes text = hy_bytes_text(rows[i].text);
		for (size_t size = 1; size <= text.size; size++) {
			int err = take(c, &e, text, size, &f);
			if (err)
				fail_msg("%s in pieces of %zu: %s", rows[i].text, size, f.text);
			if (e.count != rows[i].count ||
				(e.count && (strcmp(hy_buffer_string(&e.items[0].payload), rows[i].first) != 0 ||
						    strcmp(hy_buffer_string(&e.items[e.count - 1].payload),
							    rows[i].last) != 0)))
				fail_msg("%s in pieces of %zu: %zu items", rows[i].text, size, e.count);
			sentry_envelope_free(&e);
		}
	}
}

static void what_is_no_envelope_is_refused_in_words_in_pieces_of_any_size(void **state)
{
	struct calls *c = *state;
	static const struct {
		const char *text, *words;
	} rows[] = {
		{ "", "begins with" },
		{ "\n{}", "begins with" },
		{ "[]\n", "begins with" },
		{ "feedback=1", "begins with" },
		{ "{\"event_id\":\"\xff\"}\n", "begins with" },
		{ "{}\nnothing\n", "an item begins" },
		{ "{}\n[]\n", "an item begins" },
		{ "{}\n{}\n", "no type" },
		{ "{}\n{\"type\":7}\n", "no type" },
		{ "{}\n{\"type\":\"feedback\",\"length\":-1}\n", "no number" },
		{ "{}\n{\"type\":\"feedback\",\"length\":1.5}\n", "no number" },
		{ "{}\n{\"type\":\"feedback\",\"length\":\"3\"}\n", "no number" },
		{ "{}\n{\"type\":\"feedback\",\"length\":99999999999999999999}\n", "no number" },
		{ "{}\n{\"type\":\"feedback\",\"length\":8}\n{\"a\":1}", "ends inside" },
		{ "{}\n{\"type\":\"attachment\",\"length\":9007199254740991}\nx", "ends inside" },
		{ "{}\n{\"type\":\"feedback\",\"length\":6}\n{\"a\":1}\n", "does not end" },
		{ "{}\n{\"type\":\"feedback\",\"length\":2}\n{}{\"type\":\"feedback\"}\n", "does not end" },
	};
	struct sentry_envelope e;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct hy_bytes text = hy_bytes_text(rows[i].text);
		for (size_t size = 1; size <= text.size + 1; size++) {
			struct hy_fault f = { 0 };
			int err = take(c, &e, text, size, &f);
			if (err != HY_BAD_INPUT || !strstr(f.text, rows[i].words))
				fail_msg("%s in pieces of %zu: %d %s", rows[i].text, size, err, f.text);
			sentry_envelope_free(&e);
		}
	}
}

static void what_is_too_large_is_refused_and_a_screenshot_is_not_held(void **state)
{
	struct calls *c = *state;
	struct hy_buffer b = { 0 };
	struct sentry_envelope e;
	struct hy_fault f;
	hy_buffer_text(&b, "{\"event_id\":\"");
	for (size_t i = 0; i < SENTRY_LINE_MAX; i++)
		hy_buffer_byte(&b, 'a');
	assert_int_equal(take(c, &e, hy_buffer_view(&b), 1000, &f), HY_TOO_LARGE);
	sentry_envelope_free(&e);

	hy_buffer_clear(&b);
	hy_buffer_text(&b, "{}\n");
	for (int i = 0; i < SENTRY_ITEMS + 1; i++)
		hy_buffer_text(&b, "{\"type\":\"feedback\"}\n{}\n");
	assert_int_equal(take(c, &e, hy_buffer_view(&b), 1000, &f), HY_TOO_LARGE);
	sentry_envelope_free(&e);

	for (int held = 0; held < 2; held++) {
		hy_buffer_clear(&b);
		hy_buffer_printf(&b, "{}\n{\"type\":\"%s\"}\n", held ? "feedback" : "event");
		for (size_t i = 0; i <= SENTRY_HELD_MAX; i++)
			hy_buffer_byte(&b, ' ');
		hy_buffer_text(&b, "\n{\"type\":\"feedback\"}\n{}");
		assert_int_equal(take(c, &e, hy_buffer_view(&b), 1000, &f), held ? HY_TOO_LARGE : HY_OK);
		if (!held)
			assert_int_equal(e.count, 1);
		sentry_envelope_free(&e);
	}

	sentry_envelope_init(&e, c->reader);
	assert_int_equal(
		sentry_envelope_put(&e, HY_LIT("{}\n{\"type\":\"attachment\",\"length\":1000000000}\n"), &f), HY_OK);
	for (int i = 0; i < 300; i++)
		assert_int_equal(sentry_envelope_put(&e, hy_buffer_view(&b), &f), HY_OK);
	assert_int_equal(e.count, 0);
	assert_true(e.line.room < 100000);
	sentry_envelope_free(&e);
	hy_buffer_free(&b);
}

static void the_header_names_key_event_and_time(void **state)
{
	struct calls *c = *state;
	static const struct {
		const char *text, *key, *id;
		bool time;
	} rows[] = {
		{ "{\"event_id\":\"" ID
		  "\",\"sent_at\":\"2026-01-01T00:00:00.5Z\",\"dsn\":\"https://hy_key@host.example/1\"}",
			"hy_key", ID, true },
		{ "{\"dsn\":\"https://hy_key:secret@host/1\",\"sent_at\":\"now\"}", "hy_key", "", false },
		{ "{\"dsn\":\"https://host/1\",\"event_id\":7}", "", "", false },
		{ "{\"dsn\":\"hy_key@host/1\"}", "", "", false },
		{ "{\"dsn\":\"://\",\"sent_at\":1767225600}", "", "", false },
		{ "{\"dsn\":\"https://0123456789012345678901234567890123456789012345678901234567890123456789@host/1\","
		  "\"event_id\":\"0123456789012345678901234567890123456789012345678901234567890123456789\"}",
			"", "", false },
	};
	struct sentry_envelope e;
	struct hy_fault f;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		assert_int_equal(take(c, &e, hy_bytes_text(rows[i].text), 7, &f), HY_OK);
		assert_string_equal(e.key, rows[i].key);
		assert_string_equal(e.event_id, rows[i].id);
		assert_true((e.sent_ms != 0) == rows[i].time);
		sentry_envelope_free(&e);
	}
}

/* ---- feedback ---- */

static void item(struct calls *c, enum sentry_type type, const char *json, int64_t sent_ms)
{
	struct sentry_envelope e = { .event_id = ID, .sent_ms = sent_ms, .items = { { .type = type } }, .count = 1 };
	const struct hy_json *root = calls_read(c, json);
	sentry_item(&c->intake, &c->mapping->sentry, &e, 0, root, &c->item);
}

static void feedback_keeps_its_words_and_where_they_were_said(void **state)
{
	struct calls *c = *state;
	item(c, SENTRY_FEEDBACK,
		"{\"type\":\"feedback\",\"event_id\":\"" ID
		"\",\"timestamp\":1767225540.25,\"platform\":\"javascript\",\"release\":\"web@3\","
		"\"environment\":\"production\",\"tags\":{\"plan\":\"pro\",\"n\":3},\"user\":{\"id\":\"u\",\"email\":"
		"\"secret@example.com\","
		"\"username\":\"lei\",\"ip_address\":\"10.0.0.1\",\"team\":\"a\"},\"contexts\":{\"trace\":{\"trace_"
		"id\":\"t1\"},\"culture\":{\"locale\":\"zh\","
		"\"timezone\":\"Asia/"
		"Shanghai\"},\"feedback\":{\"message\":\"打不开\",\"contact_email\":\"secret2@example.com\",\"name\":"
		"\"李\",\"url\":\"https://x/y\","
		"\"source\":\"widget\",\"associated_event_id\":\"e1\"}}}",
		NOW - 1000);
	const Huiyin__Remark *r = calls_remark(c);
	assert_string_equal(r->text, "打不开");
	assert_string_equal(r->client_id, ID);
	assert_string_equal(r->channel, "sentry");
	assert_true(r->occurred_ms == 1767225540250 + 1000);
	assert_string_equal(c->feedback->customer->id, "u");
	assert_string_equal(c->feedback->customer->name, "李");
	assert_string_equal(c->feedback->customer->locale, "zh");
	assert_string_equal(c->feedback->customer->timezone, "Asia/Shanghai");
	assert_int_equal(c->feedback->customer->n_traits, 2);
	assert_string_equal(calls_pair(c->feedback->customer->traits, 2, "team"), "a");
	static const char *const context[][2] = { { "url", "https://x/y" }, { "source", "widget" },
		{ "associated_event_id", "e1" }, { "trace_id", "t1" }, { "environment", "production" },
		{ "release", "web@3" }, { "platform", "javascript" }, { "tags.plan", "pro" }, { "tags.n", "3" } };
	for (size_t i = 0; i < sizeof(context) / sizeof(*context); i++)
		assert_string_equal(calls_context(c, context[i][0]), context[i][1]);
	assert_false(calls_keeps(c, "secret"));
	assert_false(calls_keeps(c, "10.0.0.1"));
}

static void a_report_is_kept_once_and_another_for_the_same_error_is_another(void **state)
{
	struct calls *c = *state;
	char first[200];
	item(c, SENTRY_REPORT,
		"{\"event_id\":\"" ID "\",\"email\":\"a@example.com\",\"name\":\"Ann\",\"comments\":\"it broke\"}", 0);
	assert_string_equal(calls_remark(c)->text, "it broke");
	assert_string_equal(c->feedback->customer->name, "Ann");
	assert_string_equal(calls_context(c, "associated_event_id"), ID);
	snprintf(first, sizeof(first), "%s", calls_remark(c)->client_id);
	item(c, SENTRY_REPORT, "{\"event_id\":\"" ID "\",\"email\":\"a@example.com\",\"comments\":\"it broke\"}", 0);
	assert_string_equal(calls_remark(c)->client_id, first);
	item(c, SENTRY_REPORT, "{\"event_id\":\"" ID "\",\"email\":\"a@example.com\",\"comments\":\"it broke again\"}",
		0);
	assert_string_not_equal(calls_remark(c)->client_id, first);
}

static void two_feedbacks_of_one_envelope_are_two(void **state)
{
	struct calls *c = *state;
	struct sentry_envelope e = {
		.event_id = ID, .items = { { .type = SENTRY_FEEDBACK }, { .type = SENTRY_FEEDBACK } }, .count = 2
	};
	static const char *const ids[] = { ID, ID "-1" };
	for (size_t i = 0; i < 2; i++) {
		const struct hy_json *root = calls_read(c, "{\"contexts\":{\"feedback\":{\"message\":\"打不开\"}}}");
		sentry_item(&c->intake, &c->mapping->sentry, &e, i, root, &c->item);
		assert_string_equal(calls_remark(c)->client_id, ids[i]);
	}
	e.event_id[0] = 0; /* nothing names them: nothing tells that they came before */
	const struct hy_json *root = calls_read(c, "{\"contexts\":{\"feedback\":{\"message\":\"打不开\"}}}");
	sentry_item(&c->intake, &c->mapping->sentry, &e, 1, root, &c->item);
	assert_string_equal(calls_remark(c)->client_id, "");
}

static void what_says_nothing_is_refused_and_what_is_odd_is_not(void **state)
{
	struct calls *c = *state;
	static const char *const nothing[] = { "{}", "[]", "7", "{\"message\":\"not here\"}",
		"{\"contexts\":{\"feedback\":{\"message\":\"\"}}}", "{\"contexts\":{\"feedback\":[]}}" };
	static const char *const something[] = {
		"{\"contexts\":{\"feedback\":{\"message\":\"words\",\"contact_email\":7,\"name\":[],\"url\":{}}},"
		"\"user\":\"me\",\"tags\":[[\"a\",\"b\"]]}",
		"{\"contexts\":{\"feedback\":{\"message\":\"words\"}},\"timestamp\":-1}",
		"{\"contexts\":{\"feedback\":{\"message\":\"words\"}},\"timestamp\":1e300}",
		"{\"contexts\":{\"feedback\":{\"message\":\"words\"}},\"timestamp\":\"2026-01-01T00:00:00Z\",\"event_"
		"id\":7}",
		"{\"contexts\":{\"feedback\":{\"message\":\"words\",\"contact_email\":\"no address\"}},\"user\":null}",
	};
	for (size_t i = 0; i < sizeof(nothing) / sizeof(*nothing); i++) {
		item(c, SENTRY_FEEDBACK, nothing[i], 0);
		assert_string_equal(calls_pointer(c), "");
	}
	for (size_t i = 0; i < sizeof(something) / sizeof(*something); i++) {
		item(c, SENTRY_FEEDBACK, something[i], NOW);
		assert_string_equal(calls_remark(c)->text, "words");
		assert_string_equal(calls_remark(c)->client_id, ID);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			an_envelope_gives_the_same_in_pieces_of_any_size, calls_setup, calls_teardown),
		cmocka_unit_test_setup_teardown(
			what_is_no_envelope_is_refused_in_words_in_pieces_of_any_size, calls_setup, calls_teardown),
		cmocka_unit_test_setup_teardown(
			what_is_too_large_is_refused_and_a_screenshot_is_not_held, calls_setup, calls_teardown),
		cmocka_unit_test_setup_teardown(the_header_names_key_event_and_time, calls_setup, calls_teardown),
		cmocka_unit_test_setup_teardown(
			feedback_keeps_its_words_and_where_they_were_said, calls_setup, calls_teardown),
		cmocka_unit_test_setup_teardown(
			a_report_is_kept_once_and_another_for_the_same_error_is_another, calls_setup, calls_teardown),
		cmocka_unit_test_setup_teardown(two_feedbacks_of_one_envelope_are_two, calls_setup, calls_teardown),
		cmocka_unit_test_setup_teardown(
			what_says_nothing_is_refused_and_what_is_odd_is_not, calls_setup, calls_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
