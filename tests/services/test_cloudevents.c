// link: hy_collector
#include "services/calls_fixture.h"

#include "collector/compat/cloudevents.h"

/* CloudEvents: attributes from headers and objects, data in our shape, in others', and in none. */

static void take(struct calls *c, const char *json)
{
	struct cloudevent e;
	if (cloudevent_read(calls_read(c, json), &e, &c->item))
		cloudevent_item(&c->intake, &c->mapping->cloudevents, &e, &c->item);
}

#define EVENT(more) "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"t\"," more "}"

static void data_in_our_shape_is_read_as_ours(void **state)
{
	struct calls *c = *state;
	take(c, EVENT("\"data\":{\"text\":\"hello\",\"kind\":\"idea\",\"rating\":{\"scale\":\"stars\",\"score\":4},"
		      "\"id\":\"own\","
		      "\"customer\":{\"id\":\"u\",\"email\":\"u@example.com\"}}"));
	assert_string_equal(calls_remark(c)->text, "hello");
	assert_int_equal(calls_remark(c)->kind, HUIYIN__KIND__IDEA);
	assert_string_equal(calls_remark(c)->channel, "events");
	assert_string_equal(c->feedback->customer->id, "u");
	assert_int_equal(c->item.client_id.size, strlen("/s 1"));
	assert_memory_equal(c->item.client_id.data, "/s 1", 4);
}

static void data_in_others_shapes_is_mapped(void **state)
{
	struct calls *c = *state;
	static const struct {
		const char *data, *text, *scale, *customer;
		double score;
	} rows[] = {
		{ "{\"message\":\"m\",\"user\":{\"id\":\"u\"}}", "m", NULL, "u", 0 },
		{ "{\"comment\":\"m\",\"rating\":4}", "m", "stars", NULL, 4 },
		{ "{\"text\":\"m\",\"rating\":{\"scale\":\"nps\",\"score\":0},\"extra\":1}", "m", "nps", NULL, 0 },
		{ "{\"text\":\"m\",\"score\":\"7\",\"scale\":\"ces\",\"customer\":\"u\"}", "m", "ces", "u", 7 },
		{ "{\"description\":\"m\",\"user_id\":12}", "m", NULL, "12", 0 },
		{ "{\"score\":1,\"userId\":\"u\"}", "", "stars", "u", 1 },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char event[512];
		snprintf(event, sizeof(event), EVENT("\"subject\":\"x\",\"data\":%s"), rows[i].data);
		take(c, event);
		const Huiyin__Remark *r = calls_remark(c);
		assert_string_equal(r->text, rows[i].text);
		assert_int_equal(r->n_ratings, rows[i].scale != NULL);
		if (rows[i].scale) {
			assert_string_equal(r->ratings[0]->scale, rows[i].scale);
			assert_true(r->ratings[0]->score == rows[i].score);
		}
		if (rows[i].customer)
			assert_string_equal(c->feedback->customer->id, rows[i].customer);
		assert_string_equal(calls_context(c, "ce.type"), "t");
		assert_string_equal(calls_context(c, "ce.source"), "/s");
		assert_string_equal(calls_context(c, "ce.subject"), "x");
	}
}

static void a_fault_points_at_the_attribute_or_the_value(void **state)
{
	struct calls *c = *state;
	static const struct {
		const char *event, *pointer;
	} rows[] = {
		{ "[]", "" },
		{ "{\"id\":\"1\",\"source\":\"/s\",\"type\":\"t\",\"data\":{\"text\":\"x\"}}", "/specversion" },
		{ "{\"specversion\":\"0.3\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"t\",\"data\":{\"text\":\"x\"}}",
			"/specversion" },
		{ "{\"specversion\":1.0,\"id\":\"1\",\"source\":\"/s\",\"type\":\"t\",\"data\":{\"text\":\"x\"}}",
			"/specversion" },
		{ "{\"specversion\":\"1.0\",\"source\":\"/s\",\"type\":\"t\",\"data\":{\"text\":\"x\"}}", "/id" },
		{ "{\"specversion\":\"1.0\",\"id\":7,\"source\":\"/s\",\"type\":\"t\",\"data\":{\"text\":\"x\"}}",
			"/id" },
		{ "{\"specversion\":\"1.0\",\"id\":\"1\",\"type\":\"t\",\"data\":{\"text\":\"x\"}}", "/source" },
		{ "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"\",\"data\":{\"text\":\"x\"}}",
			"/type" },
		{ EVENT("\"data_base64\":\"e30=\""), "/data_base64" },
		{ EVENT("\"data\":\"{}\""), "/data" },
		{ EVENT("\"data\":null"), "/data" },
		{ EVENT("\"subject\":\"\""), "/data" },
		{ EVENT("\"data\":{\"colour\":\"blue\"}"), "/data" },
		{ EVENT("\"data\":{}"), "/data" },
		{ EVENT("\"data\":{\"text\":\"x\",\"rating\":{\"scale\":\"stars\",\"score\":9}}"),
			"/data/rating/score" },
		{ EVENT("\"data\":{\"note\":1,\"rating\":9}"), "/data/rating" },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		take(c, rows[i].event);
		if (strcmp(calls_pointer(c), rows[i].pointer) != 0)
			fail_msg("%s: '%s'", rows[i].event, calls_pointer(c));
	}
}

static struct hy_bytes named(struct calls *c, const char *source, const char *id)
{
	static char text[128];
	struct hy_buffer b = { 0 };
	hy_buffer_printf(&b,
		"{\"specversion\":\"1.0\",\"type\":\"t\",\"data\":{\"text\":\"x\"},\"source\":\"%s\",\"id\":\"%s\"}",
		source, id);
	take(c, hy_buffer_string(&b));
	hy_buffer_free(&b);
	calls_remark(c);
	assert_true(c->item.client_id.size < sizeof(text));
	memcpy(text, c->item.client_id.data, c->item.client_id.size);
	return hy_bytes(text, c->item.client_id.size);
}

static void source_and_id_together_are_the_name(void **state)
{
	struct calls *c = *state;
	char longer[400], before[128];
	struct hy_bytes name = named(c, "/a b", "c");
	memcpy(before, name.data, name.size);
	size_t size = name.size;
	assert_false(hy_bytes_equal(hy_bytes(before, size), named(c, "/a", "b c")));
	assert_true(hy_bytes_equal(hy_bytes(before, size), named(c, "/a b", "c")));
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = 0;
	name = named(c, longer, "1");
	memcpy(before, name.data, name.size);
	size = name.size;
	assert_false(hy_bytes_equal(hy_bytes(before, size), named(c, longer, "2")));
}

static void headers_are_percent_decoded(void **state)
{
	(void)state;
	static const struct {
		const char *value, *text; /* NULL = refused */
	} rows[] = { { "plain", "plain" }, { "%E8%AE%A2%E5%8D%95", "订单" }, { "100%", "100%" }, { "%zz%4", "%zz%4" },
		{ "%41%61", "Aa" }, { "a%00b", NULL }, { "%ff", NULL }, { "%C0%80", NULL }, { "", "" },
		{ "%25%32%30", "%20" } };
	char out[64];
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		bool ok = cloudevent_header(rows[i].value, out, sizeof(out));
		if (ok != (rows[i].text != NULL) || (ok && strcmp(out, rows[i].text) != 0))
			fail_msg("%s", rows[i].value);
	}
	assert_true(cloudevent_header("abc", out, 4));
	assert_false(cloudevent_header("abcd", out, 4));
}

static void a_row_chooses_by_type(void **state)
{
	struct calls *c = *state;
	calls_must_map(c, "mapping: { cloudevents: { channel: crm, types: [ { type: t, kind: mention, text: /deep/er, "
			  "customer: /id } ] } }\n");
	take(c, EVENT("\"time\":\"2025-12-31T00:00:00+08:00\",\"data\":{\"deep\":{\"er\":\"words\"},\"id\":\"u\","
		      "\"text\":\"not these\"}"));
	assert_string_equal(calls_remark(c)->text, "words");
	assert_int_equal(calls_remark(c)->kind, HUIYIN__KIND__MENTION);
	assert_string_equal(calls_remark(c)->channel, "crm");
	assert_string_equal(c->feedback->customer->id, "u");
	assert_string_equal(calls_context(c, "text"), "not these");
	assert_true(calls_remark(c)->occurred_ms == NOW - 32 * 3600000LL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(data_in_our_shape_is_read_as_ours, calls_setup, calls_teardown),
		cmocka_unit_test_setup_teardown(data_in_others_shapes_is_mapped, calls_setup, calls_teardown),
		cmocka_unit_test_setup_teardown(
			a_fault_points_at_the_attribute_or_the_value, calls_setup, calls_teardown),
		cmocka_unit_test_setup_teardown(source_and_id_together_are_the_name, calls_setup, calls_teardown),
		cmocka_unit_test_setup_teardown(headers_are_percent_decoded, calls_setup, calls_teardown),
		cmocka_unit_test_setup_teardown(a_row_chooses_by_type, calls_setup, calls_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
