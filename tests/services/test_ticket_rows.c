// link: hy_router hy_starve
/* A ticket's row: what it is made of, how it is found, and how it is shown. */
#include "services/router_case.h"

#include "support/starve.h"

static void subject_is(struct fx *fx, uint32_t n, const char *text, const char *subject)
{
	char id[HY_ID_TEXT];
	rt_say(fx, n, .text = text, .type = "complaint", .topic = "delivery", .theme = n, .person = n);
	hy_id_text(rt_ticket(n), id);
	rt_is(fx, id, "subject", subject);
}

static void the_subject_is_the_first_words_with_every_kind_of_blank_as_one_space(void **state)
{
	struct fx *fx = *state;
	subject_is(fx, 1, "  \t快递\u3000\u3000还没到 \n", "快递 还没到");
	subject_is(fx, 2,
		"a\x7f"
		"b\u2028c\u2029d\xc2\x85"
		"e\u00a0f",
		"a b c d e f");
	subject_is(fx, 3, "caf\u00e9 \u3001 \u2027 \u202a", "caf\u00e9 \u3001 \u2027 \u202a");
	subject_is(fx, 4, "\u3000 ", "");
}

static Huiyin__Envelope envelope = HUIYIN__ENVELOPE__INIT;
static Huiyin__Feedback feedback = HUIYIN__FEEDBACK__INIT;
static Huiyin__Remark remark = HUIYIN__REMARK__INIT;
static Huiyin__Rating rating = HUIYIN__RATING__INIT, *ratings[] = { &rating };
static struct hy_id envelope_id;

/* A rating and nothing else, as a classifier that gave up would pass it on. */
static void rated(uint32_t n, bool scored)
{
	envelope_id = rt_id(n);
	envelope.id = envelope.key = HY_ID_TO_PB(envelope_id);
	envelope.project = 1;
	envelope.at_ms = envelope.origin_ms = FX_NOW;
	envelope.feedback = &feedback;
	feedback.body_case = HUIYIN__FEEDBACK__BODY_REMARK;
	feedback.remark = &remark;
	remark.channel = "app";
	remark.ratings = ratings;
	remark.n_ratings = 1;
	rating.scale = "nps";
	rating.score = 3;
	rating.has_score_case = scored ? HUIYIN__RATING__HAS_SCORE_SCORE : HUIYIN__RATING__HAS_SCORE__NOT_SET;
}

static void a_rating_without_words_or_classification_opens_a_ticket_under_its_scale(void **state)
{
	struct fx *fx = *state;
	char id[HY_ID_TEXT];
	for (uint32_t n = 1; n <= 2; n++) {
		rated(n, n == 1);
		assert_int_equal(rt_feed(fx, 0, &envelope), HY_OK);
		hy_id_text(rt_ticket(n), id);
		rt_is(fx, id, "subject", n == 1 ? "nps 3" : "nps 0");
		rt_is(fx, id, "type", "");
		rt_is(fx, id, "department", TRIAGE);
	}
}

static struct hy_bytes theme(uint32_t n)
{
	static uint8_t bytes[16];
	rt_bytes(bytes, 't', n);
	return hy_bytes(bytes, 16);
}

static void another_issue_of_the_same_hash_is_not_mistaken_for_it(void **state)
{
	struct fx *fx = *state;
	struct ticket k;
	rt_complain(fx, 1, 1);
	struct hy_arena *arena = hy_arena_new(0);
	struct hy_txn *t = hy_txn_begin(hy_daemon_store(fx->daemon), HY_READ);
	assert_int_equal(ticket_of_theme(t, arena, rt_router.themes, 1, theme(1), &k), HY_OK);
	assert_true(hy_id_equal(k.id, rt_ticket(1)));
	themes_put(rt_router.themes, 2, theme(1), rt_ticket(1));
	themes_put(rt_router.themes, 1, theme(2), rt_ticket(1));
	assert_int_equal(ticket_of_theme(t, arena, rt_router.themes, 2, theme(1), &k), HY_NOT_FOUND);
	assert_int_equal(ticket_of_theme(t, arena, rt_router.themes, 1, theme(2), &k), HY_NOT_FOUND);
	assert_int_equal(ticket_of_theme(t, arena, rt_router.themes, 1, hy_bytes(NULL, 0), &k), HY_NOT_FOUND);
	hy_txn_abort(&t);
	hy_arena_free(&arena);
}

/* ---- within a step ---- */

static void open_short_of_memory(struct fx *fx)
{
	(void)fx;
	struct ticket k;
	struct hy_step s = *rt_step;
	const struct department *d = rules_department(rt_router.rules, TRIAGE);
	int err = HY_NO_MEMORY, tries = 0;
	rated(7, true);
	s.in = &envelope;
	for (size_t limit = 16; err != HY_OK; limit += 16, tries++) {
		s.arena = hy_arena_new(limit);
		err = ticket_open(&s, d, "normal", rt_id(3), &k);
		if (err == HY_OK) {
			assert_string_equal(k.row->subject, "nps 3");
			assert_true(hy_id_equal(HY_ID_FROM_PB(k.row->follows), rt_id(3)));
		} else
			assert_int_equal(err, HY_NO_MEMORY);
		hy_arena_free(&s.arena);
	}
	assert_true(tries > 2);
}

static void a_ticket_that_gets_no_memory_is_not_opened(void **state)
{
	rt_together(*state, open_short_of_memory);
}

static void without_a_department(struct fx *fx)
{
	(void)fx;
	struct ticket k;
	assert_int_equal(ticket_get(rt_step->txn, rt_step->arena, rt_ticket(1), &k), HY_OK);
	int64_t due_ms = k.row->due_ms;
	ticket_set_due(rt_step, &k, NULL);
	assert_int_equal(k.row->due_ms, due_ms);
	k.row->labels = NULL;
	const struct department *d = rules_department(rt_router.rules, "logistics");
	ticket_set_due(rt_step, &k, d);
	assert_int_equal(k.row->due_ms, rt_step->now_ms + d->due_ms[URGENCY_NORMAL]);
}

static void a_department_that_is_gone_changes_no_due_time(void **state)
{
	rt_complain(*state, 1, 1);
	rt_together(*state, without_a_department);
}

static void nobody_to_tell(struct fx *fx)
{
	(void)fx;
	struct ticket k;
	assert_int_equal(ticket_get(rt_step->txn, rt_step->arena, rt_ticket(1), &k), HY_OK);
	ticket_begin_wait(rt_step, &k);
	assert_int_equal(k.row->wait_ms, rt_step->now_ms + DAYS(7));
	assert_int_equal(k.row->last_delivery.len, 0);
}

static void a_wait_that_no_delivery_began_has_none_for_its_cause(void **state)
{
	rt_complain(*state, 1, 1);
	rt_together(*state, nobody_to_tell);
}

static void emit_short_of_memory(struct fx *fx)
{
	(void)fx;
	struct ticket k;
	struct hy_buffer raw = { 0 };
	struct hy_step s = *rt_step;
	int err;
	long n = 1;
	rated(7, true);
	assert_int_equal(hy_wire_pack(&envelope.base, &raw), HY_OK);
	s.in = &envelope;
	s.raw = hy_buffer_view(&raw);
	assert_int_equal(ticket_get(s.txn, s.arena, rt_ticket(1), &k), HY_OK);
	struct ticket_news news = {
		.kind = HUIYIN__TICKET_EVENT_KIND__JOINED, .cause = rt_id(7), .with_feedback = true
	};
	for (; starve_at(n), err = ticket_emit(&s, &k, &news), starve_over(); n++)
		assert_int_equal(err, HY_NO_MEMORY);
	assert_int_equal(err, HY_OK);
	assert_true(n > 1);
	hy_buffer_free(&raw);
}

static void an_event_that_gets_no_memory_is_not_emitted_and_the_next_carries_its_feedback(void **state)
{
	struct fx *fx = *state;
	rt_complain(fx, 1, 1);
	size_t joined = rt_events(fx, HUIYIN__TICKET_EVENT_KIND__JOINED);
	rt_together(fx, emit_short_of_memory);
	assert_int_equal(rt_events(fx, HUIYIN__TICKET_EVENT_KIND__JOINED), joined + 1);
	Huiyin__Envelope *e = rt_event(fx, HUIYIN__TICKET_EVENT_KIND__JOINED);
	assert_non_null(e->feedback);
	assert_string_equal(e->feedback->remark->ratings[0]->scale, "nps");
	assert_null(e->classification);
}

/* ---- showing ---- */

static void what_a_row_lacks_is_not_shown(void **state)
{
	struct fx *fx = *state;
	Huiyin__Router__Ticket row = HUIYIN__ROUTER__TICKET__INIT;
	struct ticket k = { rt_ticket(1), &row };
	row.state = HUIYIN__TICKET_STATE__NEW;
	row.project = 77; /* no longer in huiyin.yaml */
	row.note_en = "only in English";
	row.moving = 5;
	row.overdue = true;
	json_t *j = ticket_json(fx->daemon, &k);
	assert_non_null(j);
	assert_string_equal(json_string_value(json_object_get(j, "project")), "77");
	assert_int_equal(json_integer_value(json_object_get(j, "moving")), 5);
	assert_true(json_is_true(json_object_get(j, "overdue")));
	json_t *note = json_object_get(j, "note");
	assert_null(json_object_get(note, "zh"));
	assert_string_equal(json_string_value(json_object_get(note, "en")), "only in English");
	static const char *const absent[] = { "type", "urgency", "assignee", "theme", "into", "due_at", "finished_at" };
	for (size_t i = 0; i < sizeof(absent) / sizeof(absent[0]); i++)
		assert_null(json_object_get(j, absent[i]));
	json_decref(j);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, rt_setup, rt_teardown)
	const struct CMUnitTest tests[] = {
		T(the_subject_is_the_first_words_with_every_kind_of_blank_as_one_space),
		T(a_rating_without_words_or_classification_opens_a_ticket_under_its_scale),
		T(another_issue_of_the_same_hash_is_not_mistaken_for_it),
		T(a_ticket_that_gets_no_memory_is_not_opened),
		T(a_department_that_is_gone_changes_no_due_time),
		T(a_wait_that_no_delivery_began_has_none_for_its_cause),
		T(an_event_that_gets_no_memory_is_not_emitted_and_the_next_carries_its_feedback),
		T(what_a_row_lacks_is_not_shown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
