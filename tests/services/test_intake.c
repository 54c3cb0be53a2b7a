// link: hy_collector
#include "support/test.h"

#include "collector/intake.h"

#define NOW INT64_C(1767225600000)

struct fx {
	struct hy_secret contact, follow_up;
	struct hy_json_reader *reader;
	struct hy_arena *arena;
	struct intake intake;
	struct item item;
	struct hy_id known; /* what `find` knows */
	struct hy_id ticket;
};

static int find(void *arg, struct hy_id feedback, const uint8_t *person, struct hy_id *ticket)
{
	struct fx *fx = arg;
	if (!hy_id_equal(feedback, fx->known) || !person)
		return HY_NOT_FOUND;
	*ticket = fx->ticket;
	return HY_OK;
}

static int setup(void **state)
{
	struct fx *fx = calloc(1, sizeof(*fx));
	assert_non_null(fx);
	memset(fx->contact.b, 1, 32);
	memset(fx->follow_up.b, 2, 32);
	memset(fx->known.b, 7, 16);
	memset(fx->ticket.b, 9, 16);
	fx->reader = hy_json_reader_new();
	fx->arena = hy_arena_new(0);
	fx->intake = (struct intake){ &fx->contact, &fx->follow_up, 1, 42, NOW, fx->arena, find, fx };
	*state = fx;
	return 0;
}

static int teardown(void **state)
{
	struct fx *fx = *state;
	json_decref(fx->item.errors);
	hy_json_reader_free(&fx->reader);
	hy_arena_free(&fx->arena);
	free(fx);
	return 0;
}

static const struct item *take(struct fx *fx, const char *json)
{
	const struct hy_json *root;
	struct hy_fault f;
	json_decref(fx->item.errors);
	hy_arena_reset(fx->arena);
	if (hy_json_read_copy(fx->reader, hy_bytes_text(json), &root, &f) != HY_OK)
		fail_msg("%s", f.text);
	intake_feedback(&fx->intake, root, &fx->item);
	return &fx->item;
}

static const Huiyin__Feedback *taken(struct fx *fx, const char *json)
{
	const struct item *item = take(fx, json);
	Huiyin__Feedback *f;
	struct hy_fault fault;
	if (!item->ok)
		fail_msg("%s: %s", json, json_string_value(json_object_get(json_array_get(item->errors, 0), "detail")));
	if (hy_wire_unpack(fx->arena, &huiyin__feedback__descriptor, item->feedback, &f, &fault) != HY_OK)
		fail_msg("%s", fault.text);
	return f;
}

static void refused(struct fx *fx, const char *json, const char *pointer, const char *words)
{
	const struct item *item = take(fx, json);
	assert_false(item->ok);
	json_t *first = json_array_get(item->errors, 0);
	assert_string_equal(json_string_value(json_object_get(first, "pointer")), pointer);
	if (!strstr(json_string_value(json_object_get(first, "detail")), words))
		fail_msg(
			"%s: '%s' does not say '%s'", json, json_string_value(json_object_get(first, "detail")), words);
}

static void all_that_was_said_is_kept(void **state)
{
	const Huiyin__Feedback *f = taken(*state, "{\"id\":\"a-1\",\"text\":\"太慢了\",\"kind\":\"review\",\"channel\":"
						  "\"ios\",\"tags\":[\"vip\"],\"occurred_at\":\"2026-01-01T00:00:00Z\","
						  "\"customer\":{\"id\":\"u1\",\"name\":\"李雷\",\"locale\":\"zh-CN\","
						  "\"traits\":{\"plan\":\"pro\",\"seats\":3}},"
						  "\"rating\":{\"scale\":\"stars\",\"score\":2},\"context\":{\"page\":"
						  "\"/pay\",\"nested\":{\"a\":[1,2]}}}");
	assert_string_equal(f->remark->text, "太慢了");
	assert_int_equal(f->remark->kind, HUIYIN__KIND__REVIEW);
	assert_string_equal(f->remark->channel, "ios");
	assert_string_equal(f->remark->tags[0], "vip");
	assert_int_equal(f->remark->occurred_ms, NOW);
	assert_string_equal(f->remark->client_id, "a-1");
	assert_string_equal(f->customer->name, "李雷");
	assert_string_equal(f->customer->traits[1]->value, "3");
	assert_string_equal(f->remark->context[1]->value, "{\"a\":[1,2]}");
	assert_true(f->remark->ratings[0]->score == 2 && f->remark->ratings[0]->max == 5);
	assert_int_equal(f->person.len, HY_PERSON_SIZE);
	assert_int_equal(f->key_number, 42);
}

static void contact_data_is_sealed_and_nowhere_in_the_clear(void **state)
{
	struct fx *fx = *state;
	const Huiyin__Feedback *f = taken(
		fx, "{\"text\":\"hi\",\"customer\":{\"email\":\"ann@example.com\",\"phone\":\"+86 138 0000 1111\"}}");
	struct hy_buffer plain = { 0 };
	assert_null(memmem(fx->item.feedback.data, fx->item.feedback.size, "ann@", 4));
	assert_null(memmem(fx->item.feedback.data, fx->item.feedback.size, "138", 3));
	assert_int_equal(hy_unseal(&fx->contact, HY_PB(f->customer->sealed), &plain), HY_OK);
	assert_non_null(memmem(plain.data, plain.size, "ann@example.com", 15));
	hy_buffer_free(&plain);
}

static void the_same_said_twice_compares_equal_although_the_seal_differs(void **state)
{
	struct fx *fx = *state;
	const char *json = "{\"id\":\"1\",\"text\":\"hi\",\"customer\":{\"email\":\"ann@example.com\"}}";
	uint8_t first[512];
	struct hy_bytes said = take(fx, json)->said;
	size_t size = said.size;
	assert_true(size < sizeof(first));
	memcpy(first, said.data, size);
	said = take(fx, json)->said;
	assert_true(hy_bytes_equal(said, hy_bytes(first, size)));
	said = take(fx, "{\"id\":\"1\",\"text\":\"hi\",\"customer\":{\"email\":\"bob@example.com\"}}")->said;
	assert_false(hy_bytes_equal(said, hy_bytes(first, size)));
}

static void a_person_is_her_id_before_her_mail_and_her_mail_in_any_case(void **state)
{
	struct fx *fx = *state;
	uint8_t by_id[16], by_mail[16];
	memcpy(by_id, take(fx, "{\"text\":\"a\",\"customer\":{\"id\":\"u\",\"email\":\"a@b.c\"}}")->person, 16);
	assert_memory_equal(take(fx, "{\"text\":\"a\",\"customer\":{\"id\":\"u\"}}")->person, by_id, 16);
	memcpy(by_mail, take(fx, "{\"text\":\"a\",\"customer\":{\"email\":\"a@b.c\"}}")->person, 16);
	assert_memory_not_equal(by_mail, by_id, 16);
	assert_memory_equal(take(fx, "{\"text\":\"a\",\"customer\":{\"email\":\"A@B.C\"}}")->person, by_mail, 16);
	assert_false(take(fx, "{\"text\":\"a\"}")->has_person);
}

static void each_fault_has_its_pointer_and_says_what_would_do(void **state)
{
	struct fx *fx = *state;
	refused(fx, "[]", "", "must be an object, is");
	refused(fx, "{}", "", "says nothing");
	refused(fx, "{\"txt\":\"a\"}", "/txt", "did you mean 'text'?");
	refused(fx, "{\"text\":5}", "/text", "must be a text, is");
	refused(fx, "{\"text\":\"a\\u0000b\"}", "/text", "NUL");
	refused(fx, "{\"text\":\"a\",\"kind\":\"rant\"}", "/kind", "feedback, survey");
	refused(fx, "{\"text\":\"a\",\"channel\":\"My App\"}", "/channel", "a-z 0-9");
	refused(fx, "{\"text\":\"a\",\"tags\":\"vip\"}", "/tags", "array");
	refused(fx, "{\"text\":\"a\",\"tags\":[1]}", "/tags/0", "a tag is");
	refused(fx, "{\"text\":\"a\",\"occurred_at\":\"yesterday\"}", "/occurred_at", "RFC 3339");
	refused(fx, "{\"text\":\"a\",\"customer\":\"ann\"}", "/customer", "an object");
	refused(fx, "{\"text\":\"a\",\"customer\":{\"mail\":\"a@b.c\"}}", "/customer/mail", "did you mean 'email'?");
	refused(fx, "{\"text\":\"a\",\"customer\":{\"email\":\"nobody\"}}", "/customer/email", "e-mail");
	refused(fx, "{\"text\":\"a\",\"customer\":{\"phone\":\"call me\"}}", "/customer/phone", "phone");
	refused(fx, "{\"text\":\"a\",\"context\":[]}", "/context", "an object");
	refused(fx, "{\"text\":\"a\",\"helped\":true}", "/helped", "answers nothing");
	refused(fx, "{\"text\":\"a\",\"in_reply_to\":\"nonsense\"}", "/in_reply_to", "neither");
}

static void a_rating_is_of_a_known_scale_and_within_it(void **state)
{
	struct fx *fx = *state;
	assert_true(take(fx, "{\"rating\":{\"scale\":\"nps\",\"score\":0}}")->ok);
	assert_true(
		take(fx, "{\"rating\":{\"scale\":\"ces\",\"score\":9,\"max\":10,\"direction\":\"lower_better\"}}")->ok);
	assert_true(take(fx, "{\"rating\":[{\"scale\":\"nps\",\"score\":9},{\"scale\":\"csat\",\"score\":4}]}")->ok);
	refused(fx, "{\"rating\":{\"scale\":\"smiles\",\"score\":1}}", "/rating/scale", "nps, csat, ces, stars");
	refused(fx, "{\"rating\":{\"scale\":\"nps\"}}", "/rating/score", "number");
	refused(fx, "{\"rating\":{\"scale\":\"nps\",\"score\":\"9\"}}", "/rating/score", "number");
	refused(fx, "{\"rating\":{\"scale\":\"nps\",\"score\":11}}", "/rating/score", "from 0 to 10");
	refused(fx, "{\"rating\":{\"scale\":\"nps\",\"score\":7.5}}", "/rating/score", "whole");
	refused(fx, "{\"rating\":{\"scale\":\"stars\",\"score\":0}}", "/rating/score", "from 1 to 5");
	refused(fx, "{\"rating\":{\"scale\":\"stars\",\"score\":3,\"max\":1}}", "/rating/max", "2 to 100");
	refused(fx, "{\"rating\":{\"scale\":\"csat\",\"score\":3,\"direction\":\"up\"}}", "/rating/direction",
		"higher_better");
}

static void ten_thousand_characters_are_taken_and_one_more_is_not(void **state)
{
	struct fx *fx = *state;
	struct hy_buffer b = { 0 };
	hy_buffer_text(&b, "{\"text\":\"");
	for (int i = 0; i < INTAKE_TEXT_MAX; i++)
		hy_buffer_text(&b, "慢");
	hy_buffer_text(&b, "\"}");
	assert_true(take(fx, hy_buffer_string(&b))->ok);
	b.size -= 2;
	hy_buffer_text(&b, "慢\"}");
	refused(fx, hy_buffer_string(&b), "/text", "10000 characters");
	hy_buffer_free(&b);
}

static void an_item_over_48_kib_in_all_is_refused(void **state)
{
	struct fx *fx = *state;
	struct hy_buffer b = { 0 };
	hy_buffer_text(&b, "{\"text\":\"a\",\"context\":{");
	for (int i = 0; i < 60; i++) {
		hy_buffer_printf(&b, "%s\"k%d\":\"", i ? "," : "", i);
		for (int k = 0; k < 900; k++)
			hy_buffer_byte(&b, 'x');
		hy_buffer_text(&b, "\"");
	}
	hy_buffer_text(&b, "}}");
	refused(fx, hy_buffer_string(&b), "", "48 KiB");
	hy_buffer_free(&b);
}

static void a_follow_up_token_says_which_ticket_and_who_speaks(void **state)
{
	struct fx *fx = *state;
	char token[HY_TOKEN_TEXT], json[256];
	struct hy_token t = { .ticket = fx->ticket, .round = 3, .person = "fifteen bytes..", .purpose = 'r' };
	hy_token_write(&fx->follow_up, &t, token);
	snprintf(json, sizeof(json),
		"{\"in_reply_to\":\"%s\",\"helped\":false,\"customer\":{\"id\":\"somebody else\"}}", token);
	const Huiyin__Feedback *f = taken(fx, json);
	assert_int_equal(f->remark->kind, HUIYIN__KIND__REPLY);
	assert_int_equal(f->remark->in_reply_to->round, 3);
	assert_memory_equal(f->remark->in_reply_to->ticket.data, fx->ticket.b, 16);
	assert_memory_equal(f->person.data, t.person, HY_PERSON_SIZE);
	assert_true(f->remark->in_reply_to->has_helped_case && !f->remark->in_reply_to->helped);
	assert_true(fx->item.answers && !fx->item.helped && fx->item.round == 3);
	token[5] = token[5] == 'A' ? 'B' : 'A';
	snprintf(json, sizeof(json), "{\"in_reply_to\":\"%s\",\"helped\":true}", token);
	refused(fx, json, "/in_reply_to", "neither");
}

static void a_reply_to_a_feedback_id_needs_the_same_customer(void **state)
{
	struct fx *fx = *state;
	char id[HY_ID_TEXT], json[256];
	hy_id_text(fx->known, id);
	snprintf(json, sizeof(json), "{\"in_reply_to\":\"%s\",\"text\":\"still broken\",\"customer\":{\"id\":\"u\"}}",
		id);
	const Huiyin__Feedback *f = taken(fx, json);
	assert_memory_equal(f->remark->in_reply_to->feedback.data, fx->known.b, 16);
	assert_memory_equal(f->remark->in_reply_to->ticket.data, fx->ticket.b, 16);
	snprintf(json, sizeof(json), "{\"in_reply_to\":\"%s\",\"text\":\"still broken\"}", id);
	refused(fx, json, "/in_reply_to", "neither");
}

static void identify_seals_the_traits_that_are_contact_data(void **state)
{
	struct fx *fx = *state;
	const struct hy_json *root;
	Huiyin__Feedback *f;
	struct hy_fault fault;
	assert_int_equal(hy_json_read_copy(fx->reader,
				 hy_bytes_text("{\"type\":\"identify\",\"userId\":\"u1\",\"messageId\":\"m1\","
					       "\"context\":{\"library\":{}},"
					       "\"traits\":{\"email\":\"ann@example.com\",\"plan\":\"pro\"}}"),
				 &root, &fault),
		HY_OK);
	intake_identify(&fx->intake, root, &fx->item);
	assert_true(fx->item.ok && fx->item.has_client_id);
	assert_int_equal(
		hy_wire_unpack(fx->arena, &huiyin__feedback__descriptor, fx->item.feedback, &f, &fault), HY_OK);
	assert_int_equal(f->customer->n_traits, 1);
	assert_string_equal(f->customer->traits[0]->name, "plan");
	assert_true(f->customer->sealed.len > 0);
	assert_null(memmem(fx->item.feedback.data, fx->item.feedback.size, "ann@", 4));
}

/* ---- preferences ---- */

static const struct item *choose(struct fx *fx, const char *json)
{
	const struct hy_json *root;
	struct hy_fault f;
	json_decref(fx->item.errors);
	hy_arena_reset(fx->arena);
	if (hy_json_read_copy(fx->reader, hy_bytes_text(json), &root, &f) != HY_OK)
		fail_msg("%s", f.text);
	intake_preferences(&fx->intake, root, &fx->item);
	return &fx->item;
}

static void what_somebody_wants_to_hear_is_kept_in_her_order(void **state)
{
	struct fx *fx = *state;
	Huiyin__Feedback *f;
	const struct item *item = choose(fx,
		"{\"id\":\"p1\",\"customer\":{\"id\":\"u1\",\"email\":\"a@example.org\"},\"channels\":[\"sms\","
		"\"email\"],"
		"\"quiet\":{\"from\":\"22:00\",\"to\":\"07:30\"},\"consent\":{\"receipt\":false,\"thanks\":true}}");
	assert_true(item->ok && item->has_person && item->has_client_id);
	assert_int_equal(hy_wire_unpack(fx->arena, &huiyin__feedback__descriptor, item->feedback, &f, NULL), HY_OK);
	assert_int_equal(f->body_case, HUIYIN__FEEDBACK__BODY_PREFERENCES);
	assert_string_equal(f->customer->id, "u1");
	assert_true(f->customer->sealed.len > 0);
	const Huiyin__Preferences *p = f->preferences;
	assert_int_equal(p->n_channels, 2);
	assert_string_equal(p->channels[0], "sms");
	assert_string_equal(p->quiet_from, "22:00");
	assert_string_equal(p->quiet_to, "07:30");
	assert_int_equal(p->n_consent, 2);
	assert_string_equal(p->consent[0]->name, "receipt");
	assert_string_equal(p->consent[0]->value, "no");
	assert_string_equal(p->consent[1]->value, "yes");
	assert_true(choose(fx, "{\"customer\":{\"id\":\"u1\"},\"quiet_from\":\"00:00\",\"quiet_to\":\"23:59\"}")->ok);
}

static void each_fault_of_preferences_has_its_pointer(void **state)
{
	struct fx *fx = *state;
	static const struct {
		const char *json, *pointer, *words;
	} cases[] = {
		{ "[]", "", "must be an object" },
		{ "{\"consent\":{\"all\":false}}", "/customer", "whose" },
		{ "{\"customer\":{\"id\":\"u\"}}", "", "says nothing" },
		{ "{\"customer\":{\"id\":\"u\"},\"chanels\":[]}", "/chanels", "did you mean 'channels'?" },
		{ "{\"customer\":{\"id\":\"u\"},\"channels\":[\"email\",\"fax\"]}", "/channels/1",
			"must be one of email, in_app" },
		{ "{\"customer\":{\"id\":\"u\"},\"channels\":[\"email\",\"email\"]}", "/channels/1", "twice" },
		{ "{\"customer\":{\"id\":\"u\"},\"channels\":\"email\"}", "/channels", "array" },
		{ "{\"customer\":{\"id\":\"u\"},\"quiet\":{\"from\":\"24:00\",\"to\":\"07:00\"}}", "/quiet/from",
			"HH:MM" },
		{ "{\"customer\":{\"id\":\"u\"},\"quiet\":{\"from\":\"22:00\",\"to\":\"7:00\"}}", "/quiet/to",
			"HH:MM" },
		{ "{\"customer\":{\"id\":\"u\"},\"quiet\":{\"from\":\"22:00\"}}", "/quiet", "from and to" },
		{ "{\"customer\":{\"id\":\"u\"},\"quiet\":{}}", "/quiet", "from and to" },
		{ "{\"customer\":{\"id\":\"u\"},\"quiet_from\":\"22:60\",\"quiet_to\":\"07:00\"}", "/quiet_from",
			"HH:MM" },
		{ "{\"customer\":{\"id\":\"u\"},\"quiet\":{\"from\":\"22:00\",\"to\":\"07:00\"},\"quiet_to\":\"08:"
		  "00\"}",
			"/quiet", "twice" },
		{ "{\"customer\":{\"id\":\"u\"},\"consent\":{\"resolved\":1}}", "/consent/resolved", "true or false" },
		{ "{\"customer\":{\"id\":\"u\"},\"consent\":{\"a/b\":true}}", "/consent/a~1b", "must be one of all" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const struct item *item = choose(fx, cases[i].json);
		assert_false(item->ok);
		const json_t *first = json_array_get(item->errors, 0);
		const char *pointer = json_string_value(json_object_get(first, "pointer")),
			   *detail = json_string_value(json_object_get(first, "detail"));
		if (strcmp(pointer, cases[i].pointer) != 0 || !strstr(detail, cases[i].words))
			fail_msg("%s: '%s' '%s'", cases[i].json, pointer, detail);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(all_that_was_said_is_kept, setup, teardown),
		cmocka_unit_test_setup_teardown(contact_data_is_sealed_and_nowhere_in_the_clear, setup, teardown),
		cmocka_unit_test_setup_teardown(
			the_same_said_twice_compares_equal_although_the_seal_differs, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_person_is_her_id_before_her_mail_and_her_mail_in_any_case, setup, teardown),
		cmocka_unit_test_setup_teardown(each_fault_has_its_pointer_and_says_what_would_do, setup, teardown),
		cmocka_unit_test_setup_teardown(a_rating_is_of_a_known_scale_and_within_it, setup, teardown),
		cmocka_unit_test_setup_teardown(ten_thousand_characters_are_taken_and_one_more_is_not, setup, teardown),
		cmocka_unit_test_setup_teardown(an_item_over_48_kib_in_all_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(a_follow_up_token_says_which_ticket_and_who_speaks, setup, teardown),
		cmocka_unit_test_setup_teardown(a_reply_to_a_feedback_id_needs_the_same_customer, setup, teardown),
		cmocka_unit_test_setup_teardown(identify_seals_the_traits_that_are_contact_data, setup, teardown),
		cmocka_unit_test_setup_teardown(what_somebody_wants_to_hear_is_kept_in_her_order, setup, teardown),
		cmocka_unit_test_setup_teardown(each_fault_of_preferences_has_its_pointer, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
