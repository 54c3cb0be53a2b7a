// link: hy_collector
#include "support/fixture.h"

#include "collector/collector.h"
#include "collector/view.h"

/* The collector's public view through its handlers: what comes back on `ticket` and `delivery`, and how long it stays. */

struct world {
	struct fx *fx;
	struct collector collector;
	struct hy_id feedback, ticket, other, notice;
	uint8_t person[HY_PERSON_SIZE];
};

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	assert_non_null(w);
	w->fx = fx_open(&collector_service, &w->collector, "keep: { closed: 10d }\n");
	char keys[4096], path[4200];
	snprintf(keys, sizeof(keys), "%s/keys", w->fx->dir);
	snprintf(path, sizeof(path), "mkdir -p '%s'", keys);
	assert_int_equal(system(path), 0);
	snprintf(path, sizeof(path), "%s/contact.key", keys);
	assert_int_equal(hy_secret_make(path, NULL), HY_OK);
	snprintf(path, sizeof(path), "%s/follow-up.key", keys);
	assert_int_equal(hy_secret_make(path, NULL), HY_OK);
	fx_start(w->fx);
	struct hy_ids ids = { 0 };
	w->feedback = hy_id_new(&ids, FX_NOW);
	w->ticket = hy_id_new(&ids, FX_NOW);
	w->other = hy_id_new(&ids, FX_NOW);
	w->notice = hy_id_new(&ids, FX_NOW);
	memset(w->person, 5, sizeof(w->person));
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;
	fx_close(w->fx);
	free(w);
	return 0;
}

/* What intake leaves: the feedback's row. */
static void heard(struct world *w)
{
	Huiyin__Collector__View v = HUIYIN__COLLECTOR__VIEW__INIT;
	struct hy_buffer b = { 0 };
	v.received_ms = FX_NOW;
	v.project = 1;
	v.key_number = 42;
	v.person = (ProtobufCBinaryData){ HY_PERSON_SIZE, w->person };
	hy_wire_pack(&v.base, &b);
	struct hy_txn *t = hy_txn_begin(hy_daemon_store(w->fx->daemon), HY_WRITE);
	hy_txn_put(t, "view", hy_id_bytes(&w->feedback), hy_buffer_view(&b));
	assert_int_equal(hy_txn_commit(&t), HY_OK);
	hy_buffer_free(&b);
}

static void routed(struct world *w, Huiyin__Decision decision)
{
	Huiyin__Envelope e = HUIYIN__ENVELOPE__INIT;
	Huiyin__Feedback f = HUIYIN__FEEDBACK__INIT;
	Huiyin__Remark r = HUIYIN__REMARK__INIT;
	Huiyin__Classification c = HUIYIN__CLASSIFICATION__INIT;
	Huiyin__Routed d = HUIYIN__ROUTED__INIT;
	e.id = e.key = HY_ID_TO_PB(w->feedback);
	e.project = 1;
	f.body_case = HUIYIN__FEEDBACK__BODY_REMARK;
	f.remark = &r;
	c.at_ms = FX_NOW + 5;
	d.at_ms = FX_NOW + 9;
	d.decision = decision;
	d.department = "engineering";
	if (decision == HUIYIN__DECISION__DECISION_TICKET)
		d.ticket = HY_ID_TO_PB(w->ticket);
	e.feedback = &f;
	e.classification = &c;
	e.routed = &d;
	assert_int_equal(fx_feed(w->fx, "ticket", &e), HY_OK);
}

static void event(struct world *w, struct hy_id *ticket, Huiyin__TicketEventKind kind, Huiyin__TicketState state,
	struct hy_id *other)
{
	Huiyin__Envelope e = HUIYIN__ENVELOPE__INIT;
	Huiyin__TicketEvent t = HUIYIN__TICKET_EVENT__INIT;
	Huiyin__Note note = HUIYIN__NOTE__INIT;
	e.id = e.key = HY_ID_TO_PB(*ticket);
	e.project = 1;
	t.kind = kind;
	t.state = state;
	t.ticket = HY_ID_TO_PB(*ticket);
	t.number = ticket == &w->ticket ? 7 : 8;
	t.round = 1;
	t.at_ms = FX_NOW + 20;
	t.department = "engineering";
	if (other)
		t.other = HY_ID_TO_PB(*other);
	if (kind == HUIYIN__TICKET_EVENT_KIND__EVENT_RESOLVED) {
		note.zh = "好了";
		note.en = "done";
		t.note = &note;
	}
	e.ticket = &t;
	assert_int_equal(fx_feed(w->fx, "ticket", &e), HY_OK);
}

static void told_at(struct world *w, struct hy_id *ticket, struct hy_id notice, Huiyin__NoticeKind kind, int64_t at_ms)
{
	Huiyin__Envelope e = HUIYIN__ENVELOPE__INIT;
	Huiyin__Delivery d = HUIYIN__DELIVERY__INIT;
	e.id = e.key = HY_ID_TO_PB(notice);
	e.project = 1;
	d.notice = HY_ID_TO_PB(notice);
	d.kind = kind;
	d.outcome = HUIYIN__OUTCOME__TOLD;
	d.ticket = HY_ID_TO_PB(*ticket);
	d.person = (ProtobufCBinaryData){ HY_PERSON_SIZE, w->person };
	d.channel = "file";
	d.round = 1;
	d.at_ms = at_ms;
	e.delivery = &d;
	assert_int_equal(fx_feed(w->fx, "delivery", &e), HY_OK);
}

static void told(struct world *w, struct hy_id *ticket)
{
	told_at(w, ticket, w->notice, HUIYIN__NOTICE_KIND__NOTICE_RESOLVED, FX_NOW + 30);
}

static json_t *look(struct world *w, uint32_t project)
{
	struct hy_arena *a = hy_arena_new(0);
	struct hy_txn *t = hy_txn_begin(hy_daemon_store(w->fx->daemon), HY_READ);
	json_t *j = view_json(t, a, w->feedback, project);
	hy_txn_abort(&t);
	hy_arena_free(&a);
	return j;
}

static const char *word(json_t *j, const char *key)
{
	const char *text = json_string_value(json_object_get(j, key));
	return text ? text : "";
}

static void the_whole_way_is_shown_with_its_times(void **state)
{
	struct world *w = *state;
	heard(w);
	routed(w, HUIYIN__DECISION__DECISION_TICKET);
	event(w, &w->ticket, HUIYIN__TICKET_EVENT_KIND__OPENED, HUIYIN__TICKET_STATE__NEW, NULL);
	event(w, &w->ticket, HUIYIN__TICKET_EVENT_KIND__EVENT_RESOLVED, HUIYIN__TICKET_STATE__RESOLVED, NULL);
	told(w, &w->ticket);
	json_t *j = look(w, 1), *ticket = json_object_get(j, "ticket"),
	       *notice = json_array_get(json_object_get(j, "told"), 0);
	assert_string_equal(word(j, "received"), "2026-01-01T00:00:00.000Z");
	assert_string_equal(word(j, "classified"), "2026-01-01T00:00:00.005Z");
	assert_string_equal(word(j, "routed"), "2026-01-01T00:00:00.009Z");
	assert_string_equal(word(j, "decision"), "ticket");
	assert_string_equal(word(ticket, "number"), "T-7");
	assert_string_equal(word(ticket, "status"), "resolved");
	assert_string_equal(word(json_object_get(ticket, "note"), "zh"), "好了");
	assert_string_equal(word(notice, "kind"), "resolved");
	assert_string_equal(word(notice, "channel"), "file");
	json_decref(j);
}

static void notices_are_shown_in_the_order_in_which_they_went(void **state)
{
	struct world *w = *state;
	struct hy_id first = { 0 }, last = { 0 };
	memset(&first, 0xee, sizeof(first)); /* the row of the first notice lies behind the last one's */
	memset(&last, 0x11, sizeof(last));
	heard(w);
	routed(w, HUIYIN__DECISION__DECISION_TICKET);
	event(w, &w->ticket, HUIYIN__TICKET_EVENT_KIND__OPENED, HUIYIN__TICKET_STATE__NEW, NULL);
	told_at(w, &w->ticket, first, HUIYIN__NOTICE_KIND__NOTICE_RECEIPT, FX_NOW + 10);
	told_at(w, &w->ticket, last, HUIYIN__NOTICE_KIND__NOTICE_RESOLVED, FX_NOW + 20);
	json_t *j = look(w, 1), *list = json_object_get(j, "told");
	assert_int_equal(json_array_size(list), 2);
	assert_string_equal(word(json_array_get(list, 0), "kind"), "receipt");
	assert_string_equal(word(json_array_get(list, 1), "kind"), "resolved");
	json_decref(j);
}

static void another_projects_feedback_is_not_there(void **state)
{
	heard(*state);
	assert_null(look(*state, 2));
	json_t *j = look(*state, 1);
	assert_non_null(j);
	json_decref(j);
}

static void a_merged_ticket_shows_the_one_it_became_and_what_was_told_there(void **state)
{
	struct world *w = *state;
	heard(w);
	routed(w, HUIYIN__DECISION__DECISION_TICKET);
	event(w, &w->ticket, HUIYIN__TICKET_EVENT_KIND__OPENED, HUIYIN__TICKET_STATE__NEW, NULL);
	event(w, &w->other, HUIYIN__TICKET_EVENT_KIND__OPENED, HUIYIN__TICKET_STATE__NEW, NULL);
	event(w, &w->ticket, HUIYIN__TICKET_EVENT_KIND__MERGED, HUIYIN__TICKET_STATE__DUPLICATE, &w->other);
	told(w, &w->other);
	json_t *j = look(w, 1);
	assert_string_equal(word(json_object_get(j, "ticket"), "number"), "T-8");
	assert_int_equal(json_array_size(json_object_get(j, "told")), 1);
	json_decref(j);
}

static void a_return_input_is_consumed_never_forwarded(void **state)
{
	struct world *w = *state;
	heard(w);
	routed(w, HUIYIN__DECISION__DECISION_TICKET);
	told(w, &w->ticket);
	assert_int_equal(fx_outputs(w->fx), 0);
}

static void a_finished_loop_leaves_after_its_time_and_an_open_one_stays(void **state)
{
	struct world *w = *state;
	const int64_t day = INT64_C(86400000);
	heard(w);
	routed(w, HUIYIN__DECISION__DECISION_TICKET);
	event(w, &w->ticket, HUIYIN__TICKET_EVENT_KIND__OPENED, HUIYIN__TICKET_STATE__NEW, NULL);
	told(w, &w->ticket);
	fx_wait(w->fx, 20 * day);
	json_t *j = look(w, 1);
	assert_non_null(j); /* still open */
	json_decref(j);
	event(w, &w->ticket, HUIYIN__TICKET_EVENT_KIND__EVENT_CLOSED, HUIYIN__TICKET_STATE__CLOSED, NULL);
	fx_wait(w->fx, 9 * day);
	j = look(w, 1);
	assert_non_null(j);
	json_decref(j);
	fx_restart(w->fx);
	fx_wait(w->fx, 2 * day);
	fx_wait(w->fx, day);
	assert_null(look(w, 1));
	struct hy_txn *t = hy_txn_begin(hy_daemon_store(w->fx->daemon), HY_READ);
	assert_int_equal(hy_store_rows(t, "told") + hy_store_rows(t, "public") + hy_store_rows(t, "view"), 0);
	hy_txn_abort(&t);
}

static void a_thank_you_leaves_with_its_feedback(void **state)
{
	struct world *w = *state;
	heard(w);
	routed(w, HUIYIN__DECISION__DECISION_THANKS);
	fx_wait(w->fx, 11 * INT64_C(86400000));
	assert_null(look(w, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_whole_way_is_shown_with_its_times, setup, teardown),
		cmocka_unit_test_setup_teardown(notices_are_shown_in_the_order_in_which_they_went, setup, teardown),
		cmocka_unit_test_setup_teardown(another_projects_feedback_is_not_there, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_merged_ticket_shows_the_one_it_became_and_what_was_told_there, setup, teardown),
		cmocka_unit_test_setup_teardown(a_return_input_is_consumed_never_forwarded, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_finished_loop_leaves_after_its_time_and_an_open_one_stays, setup, teardown),
		cmocka_unit_test_setup_teardown(a_thank_you_leaves_with_its_feedback, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
