// link: hy_collector
#include "services/calls_fixture.h"

/* The part `mapping` of huiyin.yaml: its faults, with their places, and JSON pointers. */

static void each_fault_is_told_with_its_place(void **state)
{
	struct calls *c = *state;
	static const struct {
		const char *yaml, *place, *words;
	} rows[] = {
		{ "mapping: [1]\n", "1:10", "segment, sentry and cloudevents" },
		{ "mapping: { segmnt: {} }\n", "1:12", "did you mean 'segment'" },
		{ "mapping:\n  segment: 7\n", "2:12", "a map is expected" },
		{ "mapping:\n  segment: { event: [] }\n", "2:14", "did you mean 'events'" },
		{ "mapping:\n  segment: { other: maybe }\n", "2:21", "drop, keep" },
		{ "mapping:\n  segment: { channel: In App }\n", "2:23", "a channel is" },
		{ "mapping:\n  sentry: { other: keep }\n", "2:13", "other" },
		{ "mapping:\n  segment: { events: { event: x } }\n", "2:22", "a list is expected" },
		{ "mapping:\n  segment:\n    events: [ x ]\n", "3:15", "where its values stand" },
		{ "mapping:\n  segment:\n    events: [ { text: /a } ]\n", "3:15", "where its values stand" },
		{ "mapping:\n  segment:\n    events: [ { event: x, tekst: /a } ]\n", "3:27", "did you mean 'text'" },
		{ "mapping:\n  segment:\n    events: [ { event: x, kind: survei } ]\n", "3:33", "kind is one of" },
		{ "mapping:\n  segment:\n    events: [ { event: x, text: properties } ]\n", "3:33", "a JSON pointer" },
		{ "mapping:\n  segment:\n    events: [ { event: x, text: /a~2 } ]\n", "3:33", "a JSON pointer" },
		{ "mapping:\n  segment:\n    events: [ { event: x, scale: yards } ]\n", "3:34",
			"nps, csat, ces, stars" },
		{ "mapping:\n  segment:\n    events: [ { event: x, max: ten } ]\n", "3:32", "number" },
		{ "mapping:\n  segment:\n    events: [ { event: x, text: [] } ]\n", "3:33", "one pointer" },
		{ "mapping:\n  cloudevents:\n    types: [ { event: x } ]\n", "3:14", "type" },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char *words = calls_map(c, rows[i].yaml), place[32];
		snprintf(place, sizeof(place), "huiyin.yaml:%s:", rows[i].place);
		if (!strstr(words, place) || !strstr(words, rows[i].words))
			fail_msg("%s%s", rows[i].yaml, words);
		free(words);
	}
}

static void an_event_is_found_by_its_name_or_its_beginning(void **state)
{
	struct calls *c = *state;
	calls_must_map(c, "mapping: { cloudevents: { types: [ { type: a.b }, { type: a.*, kind: idea }, { type: '*', "
			  "kind: vote } ] } }\n");
	const struct map_door *door = &c->mapping->cloudevents;
	assert_int_equal(map_find(door, "a.b")->kind, HUIYIN__KIND__FEEDBACK);
	assert_int_equal(map_find(door, "a.bc")->kind, HUIYIN__KIND__IDEA);
	assert_int_equal(map_find(door, "a.")->kind, HUIYIN__KIND__IDEA);
	assert_int_equal(map_find(door, "a")->kind, HUIYIN__KIND__VOTE);
	assert_int_equal(map_find(door, "")->kind, HUIYIN__KIND__VOTE);
	assert_null(map_find(&c->mapping->segment, "a.b"));
	assert_non_null(map_find(&c->mapping->segment, "Feedback Given"));
}

static void a_pointer_finds_what_it_says(void **state)
{
	struct calls *c = *state;
	const struct hy_json *root =
		calls_read(c, "{\"a\":{\"b\":[10,{\"c\":11}],\"\":12},\"x/y\":13,\"~\":14,\"\":{\"\":15},\"01\":16}");
	static const struct {
		const char *pointer;
		int64_t value; /* 0 = nothing is there */
	} rows[] = { { "/a/b/0", 10 }, { "/a/b/1/c", 11 }, { "/a/", 12 }, { "/x~1y", 13 }, { "/~0", 14 }, { "//", 15 },
		{ "/01", 16 }, { "/a/b/2", 0 }, { "/a/b/-", 0 }, { "/a/b/1000000000000", 0 }, { "/a/b/c", 0 },
		{ "/a/b/0/x", 0 }, { "/nothing/here", 0 }, { "/x/y", 0 } };
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const struct hy_json *v = map_at(root, rows[i].pointer);
		if ((v != NULL) != (rows[i].value != 0) || (v && v->integer != rows[i].value))
			fail_msg("%s", rows[i].pointer);
	}
	assert_ptr_equal(map_at(root, ""), root);
	assert_null(map_at(NULL, "/a"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_fault_is_told_with_its_place, calls_setup, calls_teardown),
		cmocka_unit_test_setup_teardown(
			an_event_is_found_by_its_name_or_its_beginning, calls_setup, calls_teardown),
		cmocka_unit_test_setup_teardown(a_pointer_finds_what_it_says, calls_setup, calls_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
