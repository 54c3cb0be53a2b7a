// link: hy_collector
#include "services/calls_fixture.h"

#include "collector/compat/segment.h"

/* Calls of Segment's clients, as they come and as they should not. */

static bool take(struct calls *c, const char *json, const char *type, int64_t sent_ms)
{
	return segment_item(&c->intake, &c->mapping->segment, calls_read(c, json), type, sent_ms, &c->item);
}

static void an_nps_answer_is_a_survey_with_its_score_words_and_customer(void **state)
{
	struct calls *c = *state;
	assert_true(take(c,
		"{\"type\":\"track\",\"event\":\"NPS Answered\",\"userId\":\"u1\",\"messageId\":\"m1\","
		"\"properties\":{\"score\":0,\"comment\":\"太慢了\",\"page\":\"cart\"},"
		"\"context\":{\"locale\":\"zh-CN\",\"traits\":{\"name\":\"王\",\"email\":\"w@example.com\",\"plan\":"
		"\"pro\"},\"ip\":null}}",
		NULL, 0));
	const Huiyin__Remark *r = calls_remark(c);
	assert_string_equal(r->text, "太慢了");
	assert_int_equal(r->kind, HUIYIN__KIND__SURVEY);
	assert_string_equal(r->channel, "segment");
	assert_string_equal(r->client_id, "m1");
	assert_string_equal(r->ratings[0]->scale, "nps");
	assert_true(r->ratings[0]->score == 0);
	assert_string_equal(c->feedback->customer->id, "u1");
	assert_string_equal(c->feedback->customer->name, "王");
	assert_string_equal(c->feedback->customer->locale, "zh-CN");
	assert_string_equal(calls_context(c, "event"), "NPS Answered");
	assert_string_equal(calls_context(c, "page"), "cart");
	assert_null(calls_context(c, "score"));
	assert_null(calls_context(c, "comment"));
	assert_null(calls_context(c, "context.traits"));
	assert_int_equal(c->feedback->customer->n_traits, 1);
	assert_string_equal(c->feedback->customer->traits[0]->name, "plan");
}

static void an_address_stands_nowhere_but_under_its_seal(void **state)
{
	struct calls *c = *state;
	static const char *const calls[] = {
		"{\"event\":\"Feedback "
		"Given\",\"userId\":\"u\",\"properties\":{\"text\":\"x\",\"email\":\"secret@example.com\"}}",
		"{\"event\":\"Feedback "
		"Given\",\"properties\":{\"text\":\"x\",\"email\":\"secret@example.com\"},\"context\":{\"traits\":{"
		"\"email\":"
		"\"other@example.com\"}}}",
		"{\"event\":\"Feedback Given\",\"properties\":{\"text\":\"x\",\"Email\":\"secret@example.com\"}}",
		"{\"event\":\"Feedback Given\",\"properties\":{\"text\":\"x\",\"email\":[\"secret@example.com\"]}}",
		"{\"event\":\"Feedback Given\",\"properties\":{\"text\":\"x\",\"email\":\"secret@example.com and "
		"more\"}}",
		"{\"event\":\"Feedback "
		"Given\",\"properties\":{\"text\":\"x\"},\"context\":{\"traits\":{\"email\":{\"home\":\"secret@example."
		"com\"}}}}",
	};
	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
		assert_true(take(c, calls[i], "track", 0));
		calls_remark(c);
		if (calls_keeps(c, "secret@example.com"))
			fail_msg("in the clear: %s", calls[i]);
	}
}

static void what_is_no_feedback_is_not_kept(void **state)
{
	struct calls *c = *state;
	static const char *const calls[] = {
		"{\"type\":\"page\",\"name\":\"Home\"}",
		"{\"type\":\"screen\"}",
		"{\"type\":\"group\",\"groupId\":\"g\"}",
		"{\"type\":\"alias\",\"previousId\":\"a\"}",
		"{\"type\":\"track\",\"event\":\"Order Completed\",\"properties\":{\"text\":\"x\"}}",
		"{\"type\":\"track\",\"event\":\"nps answered\",\"properties\":{\"score\":1}}",
	};
	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++)
		if (take(c, calls[i], NULL, 0) || c->item.errors)
			fail_msg("kept or refused: %s", calls[i]);
}

static void other_events_with_words_are_kept_where_the_configuration_says_so(void **state)
{
	struct calls *c = *state;
	calls_must_map(c, "mapping: { segment: { other: keep, channel: app } }\n");
	assert_true(
		take(c, "{\"event\":\"Chat Closed\",\"properties\":{\"message\":\"thanks for nothing\"}}", "track", 0));
	assert_string_equal(calls_remark(c)->text, "thanks for nothing");
	assert_string_equal(calls_remark(c)->channel, "app");
	assert_false(take(c, "{\"event\":\"Order Completed\",\"properties\":{\"total\":3}}", "track", 0));
	assert_false(take(c, "{\"name\":\"Home\"}", "page", 0));
}

static void a_row_of_ones_own_comes_first_and_says_only_what_differs(void **state)
{
	struct calls *c = *state;
	calls_must_map(c,
		"mapping:\n"
		"  segment:\n"
		"    events:\n"
		"      - { event: NPS Answered, kind: interview, scale: csat, score: [/properties/a~1b, "
		"/properties/list/1] }\n"
		"      - { event: Rated *, kind: review, scale: stars, max: 10, score: /properties/value }\n");
	assert_true(
		take(c, "{\"event\":\"NPS Answered\",\"userId\":7,\"properties\":{\"a/b\":\"4\",\"comment\":\"ok\"}}",
			"track", 0));
	assert_int_equal(calls_remark(c)->kind, HUIYIN__KIND__INTERVIEW);
	assert_string_equal(calls_remark(c)->ratings[0]->scale, "csat");
	assert_true(calls_remark(c)->ratings[0]->score == 4);
	assert_string_equal(calls_remark(c)->text, "ok");
	assert_string_equal(c->feedback->customer->id, "7");
	assert_true(take(c, "{\"event\":\"NPS Answered\",\"properties\":{\"list\":[1,2,3]}}", "track", 0));
	assert_true(calls_remark(c)->ratings[0]->score == 2);
	assert_true(take(c, "{\"event\":\"Rated Article\",\"properties\":{\"value\":9}}", "track", 0));
	assert_true(calls_remark(c)->ratings[0]->max == 10);
	assert_int_equal(calls_remark(c)->kind, HUIYIN__KIND__REVIEW);
}

static void a_fault_points_at_the_value_that_came(void **state)
{
	struct calls *c = *state;
	static const struct {
		const char *call, *type, *pointer;
	} rows[] = {
		{ "{\"event\":\"NPS Answered\",\"properties\":{\"score\":11}}", "track", "/properties/score" },
		{ "{\"event\":\"NPS Answered\",\"properties\":{\"score\":\"many\"}}", "track", "/properties/score" },
		{ "{\"event\":\"NPS Answered\",\"properties\":{\"score\":9,\"scale\":\"feet\"}}", "track",
			"/properties/scale" },
		{ "{\"event\":\"CSAT Answered\",\"properties\":{\"score\":3,\"max\":\"x\"}}", "track",
			"/properties/max" },
		{ "{\"event\":\"Feedback Given\",\"properties\":{}}", "track", "" },
		{ "{\"event\":\"Feedback Given\"}", "track", "" },
		{ "{\"event\":\"Feedback Given\",\"properties\":{\"text\":\"x\",\"in_reply_to\":\"nothing\"}}", "track",
			"/properties/in_reply_to" },
		{ "{\"properties\":{}}", "track", "/event" },
		{ "{\"event\":7}", "track", "/event" },
		{ "{\"type\":\"trakc\"}", NULL, "/type" },
		{ "{}", NULL, "/type" },
		{ "{\"type\":\"batch\"}", NULL, "/type" },
		{ "[]", "track", "" },
		{ "3", NULL, "" },
		{ "{}", "identify", "/userId" },
		{ "{\"userId\":7}", "identify", "/userId" },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		assert_true(take(c, rows[i].call, rows[i].type, 0));
		if (strcmp(calls_pointer(c), rows[i].pointer) != 0)
			fail_msg("%s: '%s'", rows[i].call, calls_pointer(c));
	}
}

static void the_message_id_decides_whatever_else_differs(void **state)
{
	struct calls *c = *state;
	uint8_t first[64];
	assert_true(take(c,
		"{\"event\":\"Feedback "
		"Given\",\"messageId\":\"m\",\"properties\":{\"text\":\"x\"},\"timestamp\":\"2025-12-31T23:00:00Z\"}",
		"track", NOW));
	size_t size = c->item.said.size;
	assert_true(c->item.has_client_id && size <= sizeof(first));
	memcpy(first, c->item.said.data, size);
	assert_true(take(c,
		"{\"event\":\"Feedback "
		"Given\",\"messageId\":\"m\",\"properties\":{\"text\":\"x\"},\"timestamp\":\"2025-12-31T23:00:00Z\"}",
		"track", NOW - 5));
	assert_memory_equal(c->item.said.data, first, size);
	assert_true(take(c, "{\"userId\":\"u\",\"messageId\":\"m\"}", "identify", 0));
	assert_memory_equal(c->item.said.data, first, size);
}

static void the_error_of_the_senders_clock_is_taken_out(void **state)
{
	struct calls *c = *state;
	const char *call = "{\"event\":\"Feedback "
			   "Given\",\"properties\":{\"text\":\"x\"},\"timestamp\":\"2001-02-03T04:05:06.789Z\"}";
	int64_t said;
	assert_true(hy_time_parse("2001-02-03T04:05:06.789Z", &said));
	assert_true(take(c, call, "track", said + 60000)); /* sent a minute later, by that clock */
	assert_true(calls_remark(c)->occurred_ms == NOW - 60000);
	assert_true(take(c, call, "track", 0));
	assert_true(calls_remark(c)->occurred_ms == said);
	assert_true(
		take(c, "{\"event\":\"Feedback Given\",\"properties\":{\"text\":\"x\"},\"timestamp\":\"yesterday\"}",
			"track", said));
	assert_true(calls_remark(c)->occurred_ms == 0);
}

static void a_hundred_properties_and_more_are_kept_together(void **state)
{
	struct calls *c = *state;
	struct hy_buffer b = { 0 };
	hy_buffer_text(&b, "{\"event\":\"Feedback Given\",\"properties\":{\"text\":\"x\"");
	for (int i = 0; i < 300; i++)
		hy_buffer_printf(&b, ",\"p%d\":\"v%d\"", i, i);
	hy_buffer_text(&b, ",\"email\":\"secret@example.com\"},\"context\":{\"page\":{\"url\":\"/cart\"}}}");
	assert_true(take(c, hy_buffer_string(&b), "track", 0));
	assert_int_equal(calls_remark(c)->n_context, MAP_CONTEXT);
	assert_string_equal(calls_context(c, "p5"), "v5");
	const char *more = calls_context(c, "more");
	assert_non_null(more);
	json_t *j = json_loads(more, 0, NULL);
	assert_string_equal(json_string_value(json_object_get(j, "p299")), "v299");
	json_decref(j);
	assert_false(calls_keeps(c, "secret@example.com"));
	hy_buffer_free(&b);
}

static void words_survive_whatever_else_is_odd(void **state)
{
	struct calls *c = *state;
	static const char *const calls[] = {
		"{\"event\":\"Feedback Given\",\"properties\":{\"text\":\"words\"},\"context\":[]}",
		"{\"event\":\"Feedback "
		"Given\",\"properties\":{\"text\":\"words\"},\"context\":{\"traits\":7,\"locale\":{},\"timezone\":[1]}"
		"}",
		"{\"event\":\"Feedback "
		"Given\",\"properties\":{\"text\":\"words\"},\"context\":{\"traits\":{\"phone\":\"call "
		"me\",\"email\":\"@\"}}}",
		"{\"event\":\"Feedback "
		"Given\",\"properties\":{\"text\":\"words\",\"a\":\"\\u0000\"},\"userId\":null,\"anonymousId\":\"a\"}",
		"{\"event\":\"Feedback Given\",\"properties\":{\"text\":\"\",\"comment\":\"words\",\"rating\":null}}",
		"{\"event\":\"Feedback "
		"Given\",\"properties\":{\"text\":\"words\"},\"sentAt\":7,\"timestamp\":7,\"messageId\":7,"
		"\"integrations\":{\"All\":true}}",
	};
	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
		assert_true(take(c, calls[i], "track", 0));
		assert_string_equal(calls_remark(c)->text, "words");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			an_nps_answer_is_a_survey_with_its_score_words_and_customer, calls_setup, calls_teardown),
		cmocka_unit_test_setup_teardown(
			an_address_stands_nowhere_but_under_its_seal, calls_setup, calls_teardown),
		cmocka_unit_test_setup_teardown(what_is_no_feedback_is_not_kept, calls_setup, calls_teardown),
		cmocka_unit_test_setup_teardown(
			other_events_with_words_are_kept_where_the_configuration_says_so, calls_setup, calls_teardown),
		cmocka_unit_test_setup_teardown(
			a_row_of_ones_own_comes_first_and_says_only_what_differs, calls_setup, calls_teardown),
		cmocka_unit_test_setup_teardown(a_fault_points_at_the_value_that_came, calls_setup, calls_teardown),
		cmocka_unit_test_setup_teardown(
			the_message_id_decides_whatever_else_differs, calls_setup, calls_teardown),
		cmocka_unit_test_setup_teardown(
			the_error_of_the_senders_clock_is_taken_out, calls_setup, calls_teardown),
		cmocka_unit_test_setup_teardown(
			a_hundred_properties_and_more_are_kept_together, calls_setup, calls_teardown),
		cmocka_unit_test_setup_teardown(words_survive_whatever_else_is_odd, calls_setup, calls_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
