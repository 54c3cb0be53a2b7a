// link: hy_router
#include "router_case.h"

/* ---- commands ---- */

static void a_ticket_goes_the_whole_way(void **state)
{
	struct fx *fx = *state;
	rt_complain(fx, 1, 1);
	rt_do(fx, "ticket.assign", "ticket", "T-1", "department", "support", "assignee", "li", "actor", "wang");
	rt_is(fx, "T-1", "state", "assigned");
	rt_is(fx, "T-1", "department", "support");
	rt_is(fx, "T-1", "assignee", "li");
	assert_int_equal(rt_event(fx, HUIYIN__TICKET_EVENT_KIND__EVENT_ASSIGNED)->ticket->due_ms, FX_NOW + DAYS(1));
	rt_do(fx, "ticket.start", "ticket", "1");
	rt_do(fx, "ticket.wait", "ticket", "t-1");
	rt_is(fx, "T-1", "state", "waiting");
	rt_do(fx, "ticket.start", "ticket", "T-1");
	rt_do(fx, "ticket.resolve", "ticket", "T-1", "note_zh", "好了", "note_en", "Done");
	rt_is(fx, "T-1", "state", "resolved");
	rt_do(fx, "ticket.reopen", "ticket", "T-1");
	rt_is(fx, "T-1", "state", "reopened");
	assert_int_equal(rt_number(fx, "T-1", "round"), 2);
	assert_int_equal(rt_number(fx, "T-1", "round_people"), 1);
	assert_int_equal(rt_events(fx, HUIYIN__TICKET_EVENT_KIND__STARTED), 2);
}

static void refusals_say_why(void **state)
{
	struct fx *fx = *state;
	rt_complain(fx, 1, 1);
	rt_refused(fx, HY_BAD_STATE, "T-1 is new: only work in progress can wait", "ticket.wait", "ticket", "T-1");
	rt_refused(fx, HY_BAD_INPUT, "a public note is needed", "ticket.resolve", "ticket", "T-1");
	rt_refused(fx, HY_BAD_INPUT, "a public note is needed", "ticket.decline", "ticket", "T-1", "note_zh", " \n");
	rt_refused(fx, HY_BAD_INPUT, "assign to whom?", "ticket.assign", "ticket", "T-1");
	rt_refused(
		fx, HY_NOT_FOUND, "did you mean 'finance'?", "ticket.assign", "ticket", "T-1", "department", "finence");
	rt_refused(fx, HY_NOT_FOUND, "no ticket T-7", "ticket.show", "ticket", "T-7");
	rt_refused(fx, HY_BAD_INPUT, "is no ticket", "ticket.show", "ticket", "the first");
	rt_refused(fx, HY_BAD_INPUT, "which ticket?", "ticket.show", "tickets", "T-1");
	rt_refused(fx, HY_NOT_FOUND, "no project 'shopp'", "ticket.show", "ticket", "T-1", "project", "shopp");
	rt_refused(fx, HY_BAD_INPUT, "merged into itself", "ticket.merge", "ticket", "T-1", "into", "T-1");
	rt_refused(fx, HY_BAD_INPUT, "no state 'resovled'; did you mean resolved", "ticket.list", "state", "resovled");
	rt_is(fx, "T-1", "state", "new");
	rt_do(fx, "ticket.resolve", "ticket", "T-1", "note", "Done");
	rt_refused(fx, HY_BAD_STATE, "T-1 is resolved: it has been resolved: reopen it first", "ticket.resolve",
		"ticket", "T-1", "note", "Again");
	assert_int_equal(rt_events(fx, HUIYIN__TICKET_EVENT_KIND__EVENT_RESOLVED), 1);
}

static void a_note_finds_its_language(void **state)
{
	struct fx *fx = *state;
	rt_complain(fx, 1, 1);
	rt_do(fx, "ticket.resolve", "ticket", "T-1", "note", "已经补发");
	assert_string_equal(rt_event(fx, HUIYIN__TICKET_EVENT_KIND__EVENT_RESOLVED)->ticket->note->zh, "已经补发");
	assert_string_equal(rt_event(fx, HUIYIN__TICKET_EVENT_KIND__EVENT_RESOLVED)->ticket->note->en, "");
}

static void a_staff_reopening_lifts_everybody_into_the_next_round(void **state)
{
	struct fx *fx = *state;
	for (uint32_t who = 1; who <= 3; who++)
		rt_complain(fx, who, who);
	rt_do(fx, "ticket.resolve", "ticket", "T-1", "note", "Done");
	for (uint32_t who = 1; who <= 3; who++)
		rt_told(fx, rt_ticket(1), 1, who);
	rt_say(fx, 9, .ticket = rt_ticket(1), .round = 1, .person = 1, .helped = 1);
	rt_do(fx, "ticket.reopen", "ticket", "T-1");
	assert_int_equal(rt_event(fx, HUIYIN__TICKET_EVENT_KIND__EVENT_REOPENED)->ticket->person.len, 0);
	assert_int_equal(rt_number(fx, "T-1", "round_people"), 3);
	assert_int_equal(rt_number(fx, "T-1", "told"), 0);
	assert_int_equal(rt_number(fx, "T-1", "yes"), 0);
	rt_complain(fx, 10, 2); /* waits already */
	assert_int_equal(rt_number(fx, "T-1", "round_people"), 3);
	rt_do(fx, "ticket.resolve", "ticket", "T-1", "note", "Now really");
	assert_int_equal(rt_number(fx, "T-1", "awaiting"), 3);
	for (uint32_t who = 1; who <= 3; who++)
		rt_told(fx, rt_ticket(1), 2, who);
	assert_int_equal(rt_number(fx, "T-1", "told"), 3);
	assert_int_equal(rt_number(fx, "T-1", "awaiting"), 0);
	assert_int_equal(rt_audit(fx, "answered"), 4);
}

static void note_numbers(const json_t *list, bool seen[6])
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		int n = atoi(json_string_value(json_object_get(json_array_get(list, i), "number")) + 2);
		assert_in_range(n, 1, 5);
		assert_false(seen[n]);
		seen[n] = true;
	}
}

static void lists_are_filtered_and_come_in_pages(void **state)
{
	struct fx *fx = *state;
	for (uint32_t n = 1; n <= 5; n++)
		rt_say(fx, n, .type = "complaint", .topic = n % 2 ? "delivery" : "order_refund");
	rt_do(fx, "ticket.resolve", "ticket", "T-5", "note", "Done");
	json_t *j;
	assert_int_equal(rt_ask(fx, &j, "ticket.list", (const char *const[]){ "limit", "2", NULL }), HY_OK);
	json_t *list = json_object_get(j, "tickets");
	assert_int_equal(json_array_size(list), 2);
	bool seen[6] = { false };
	note_numbers(list, seen);
	char next[HY_ID_TEXT];
	snprintf(next, sizeof(next), "%s", json_string_value(json_object_get(j, "next")));
	json_decref(j);
	assert_int_equal(
		rt_ask(fx, &j, "ticket.list", (const char *const[]){ "limit", "3", "before", next, NULL }), HY_OK);
	list = json_object_get(j, "tickets");
	assert_int_equal(json_array_size(list), 3);
	note_numbers(list, seen);
	for (int n = 1; n <= 5; n++)
		assert_true(seen[n]);
	assert_string_equal(json_string_value(json_object_get(j, "next")), "");
	json_decref(j);
	assert_int_equal(rt_ask(fx, &j, "ticket.list",
				 (const char *const[]){ "state", "open", "department", "logistics", NULL }),
		HY_OK);
	assert_int_equal(json_array_size(json_object_get(j, "tickets")), 2);
	json_decref(j);
}

static void a_correction_is_told_to_the_classifier_and_remembered(void **state)
{
	struct fx *fx = *state;
	rt_complain(fx, 1, 1);
	rt_do(fx, "ticket.correct", "ticket", "T-1", "field", "topic", "value", "quality", "actor", "li");
	Huiyin__Correction *c = rt_event(fx, HUIYIN__TICKET_EVENT_KIND__CORRECTED)->ticket->correction;
	assert_string_equal(c->field, "topic");
	assert_string_equal(c->was, "delivery");
	assert_string_equal(c->is, "quality");
	assert_memory_equal(c->feedback.data, rt_id(1).b, 16);
	rt_is(fx, "T-1", "topic", "quality");
	rt_do(fx, "ticket.correct", "ticket", "T-1", "field", "department", "value", "quality");
	rt_is(fx, "T-1", "department", "quality");
	rt_is(fx, "T-1", "state", "new");
	assert_string_equal(rt_event(fx, HUIYIN__TICKET_EVENT_KIND__CORRECTED)->ticket->department, "quality");
	rt_do(fx, "ticket.correct", "ticket", "T-1", "field", "urgency", "value", "critical");
	assert_int_equal(rt_event(fx, HUIYIN__TICKET_EVENT_KIND__CORRECTED)->ticket->due_ms, FX_NOW + HOURS(4));
	rt_refused(fx, HY_BAD_INPUT, "did you mean topic", "ticket.correct", "ticket", "T-1", "field", "topci", "value",
		"price");
	rt_refused(fx, HY_BAD_INPUT, "is no label", "ticket.correct", "ticket", "T-1", "field", "topic", "value",
		"Too Dear!");
	rt_refused(fx, HY_BAD_INPUT, "urgency is one of", "ticket.correct", "ticket", "T-1", "field", "urgency",
		"value", "asap");
	rt_refused(fx, HY_NOT_FOUND, "no department", "ticket.correct", "ticket", "T-1", "field", "department", "value",
		"cellar");
}

/* ---- due times ---- */

static void an_overdue_ticket_says_so_once_even_across_a_restart(void **state)
{
	struct fx *fx = *state;
	rt_complain(fx, 1, 1);
	fx_wait(fx, DAYS(1));
	fx_restart(fx);
	fx_wait(fx, DAYS(1) - 1);
	assert_int_equal(rt_events(fx, HUIYIN__TICKET_EVENT_KIND__OVERDUE), 0);
	fx_wait(fx, 1);
	assert_int_equal(rt_events(fx, HUIYIN__TICKET_EVENT_KIND__OVERDUE), 1);
	fx_restart(fx);
	fx_wait(fx, DAYS(30));
	assert_int_equal(rt_events(fx, HUIYIN__TICKET_EVENT_KIND__OVERDUE), 1);
	/* A new due time can pass too. */
	rt_do(fx, "ticket.assign", "ticket", "T-1", "department", "support");
	fx_wait(fx, DAYS(1));
	assert_int_equal(rt_events(fx, HUIYIN__TICKET_EVENT_KIND__OVERDUE), 2);
}

static void what_is_answered_in_time_is_never_overdue(void **state)
{
	struct fx *fx = *state;
	rt_complain(fx, 1, 1);
	rt_do(fx, "ticket.resolve", "ticket", "T-1", "note", "Done");
	fx_wait(fx, DAYS(30));
	assert_int_equal(rt_events(fx, HUIYIN__TICKET_EVENT_KIND__OVERDUE), 0);
}

/* ---- merging ---- */

enum { PEOPLE = 2300 };

static void many_complain(struct fx *fx)
{
	for (uint32_t n = 1; n <= PEOPLE; n++)
		rt_complain(fx, n, n % 10 ? n : 0);
}

/* Everybody who complained is told, in the ticket that is open last. */
static void many_are_told_in(struct fx *fx, uint32_t opener)
{
	for (uint32_t n = 1; n <= PEOPLE; n++)
		assert_int_equal(rt_deliver(fx, HUIYIN__NOTICE_KIND__NOTICE_RESOLVED,
					 n % 10 ? HUIYIN__OUTCOME__TOLD : HUIYIN__OUTCOME__ANONYMOUS, rt_ticket(opener),
					 1, n % 10 ? n : 0, n),
			HY_OK);
}

static void many_are_told(struct fx *fx)
{
	many_are_told_in(fx, 1);
}

static void many_are_told_where_they_moved(struct fx *fx)
{
	many_are_told_in(fx, 5000);
}

static void a_merge_moves_more_people_than_one_transaction_may_touch(void **state)
{
	struct fx *fx = *state;
	rt_together(fx, many_complain);
	rt_say(fx, 5000, .type = "complaint", .topic = "delivery", .theme = 2, .person = 1); /* is in both */
	rt_do(fx, "ticket.merge", "ticket", "T-1", "into", "T-2");
	rt_is(fx, "T-1", "state", "duplicate");
	Huiyin__TicketEvent *merged = rt_event(fx, HUIYIN__TICKET_EVENT_KIND__MERGED)->ticket;
	assert_true(hy_id_equal(HY_ID_FROM_PB(merged->other), rt_ticket(5000)));
	assert_int_equal(hy_daemon_tick(fx->daemon), HY_OK);
	assert_int_equal(rt_events(fx, HUIYIN__TICKET_EVENT_KIND__MOVED), 1000);
	rt_refused(fx, HY_BUSY, "people are still moving here from T-1, try again", "ticket.resolve", "ticket", "T-2",
		"note", "x");
	rt_say(fx, 6000, .type = "complaint", .topic = "delivery", .theme = 1,
		.person = 9000); /* its theme leads to T-2 now */
	fx_restart(fx);
	fx_wait(fx, 1);
	fx_wait(fx, 1);
	assert_int_equal(rt_events(fx, HUIYIN__TICKET_EVENT_KIND__MOVED), PEOPLE);
	assert_int_equal(rt_number(fx, "T-2", "people"), PEOPLE + 1);
	assert_int_equal(rt_number(fx, "T-2", "round_people"), PEOPLE + 1);
	assert_int_equal(rt_number(fx, "T-2", "moving"), 0);
	rt_do(fx, "ticket.resolve", "ticket", "T-2", "note", "Done");
	rt_together(fx, many_are_told_where_they_moved);
	rt_told(fx, rt_ticket(5000), 1, 9000);
	assert_int_equal(rt_number(fx, "T-2", "awaiting"), 0);
	assert_int_equal(rt_audit(fx, "open"), 0);
	assert_int_equal(rt_audit(fx, "answered"), PEOPLE - PEOPLE / 10 + 2);
	assert_int_equal(rt_audit(fx, "excused.no_contact"), PEOPLE / 10);
}

static void who_was_told_before_a_merge_stays_told_and_her_no_counts_where_the_issue_is_now(void **state)
{
	struct fx *fx = *state;
	rt_complain(fx, 1, 1);
	rt_complain(fx, 2, 2);
	rt_do(fx, "ticket.resolve", "ticket", "T-1", "note", "Done");
	rt_told(fx, rt_ticket(1), 1, 1);
	rt_told(fx, rt_ticket(1), 1, 2);
	rt_say(fx, 3, .ticket = rt_ticket(1), .round = 1, .person = 2, .helped = -1);
	rt_say(fx, 4, .type = "complaint", .topic = "delivery", .theme = 2, .person = 5);
	rt_do(fx, "ticket.merge", "ticket", "T-1", "into", "T-2");
	fx_wait(fx, 1);
	assert_int_equal(rt_events(fx, HUIYIN__TICKET_EVENT_KIND__MOVED), 1);
	assert_int_equal(rt_number(fx, "T-2", "people"), 2);
	assert_int_equal(rt_audit(fx, "answered"), 1);
	rt_say(fx, 5, .ticket = rt_ticket(1), .round = 1, .person = 1, .helped = -1);
	assert_int_equal(rt_number(fx, "T-2", "people"), 3);
	assert_true(hy_id_equal(
		HY_ID_FROM_PB(rt_event(fx, HUIYIN__TICKET_EVENT_KIND__JOINED)->ticket->ticket), rt_ticket(4)));
}

static void merging_needs_two_open_tickets_of_one_project(void **state)
{
	struct fx *fx = *state;
	char other[HY_ID_TEXT];
	rt_say(fx, 1, .type = "complaint", .topic = "delivery");
	rt_say(fx, 2, .type = "complaint", .topic = "delivery");
	rt_say(fx, 3, .type = "complaint", .topic = "delivery", .project = 2);
	hy_id_text(rt_ticket(3), other);
	rt_refused(fx, HY_BAD_INPUT, "the same project", "ticket.merge", "ticket", "T-1", "into", other);
	rt_do(fx, "ticket.resolve", "ticket", "T-2", "note", "Done");
	rt_refused(fx, HY_BAD_STATE, "T-2 is resolved", "ticket.merge", "ticket", "T-1", "into", "T-2");
	rt_refused(fx, HY_BAD_STATE, "T-2 is resolved", "ticket.merge", "ticket", "T-2", "into", "T-1");
}

/* ---- the account ---- */

/* Says one of everything: answered, held, open, no contact, spam, anonymous praise, a reply. */
static void one_of_everything(struct fx *fx)
{
	rt_complain(fx, 1, 1);
	rt_complain(fx, 2, 2);
	rt_complain(fx, 3, 3);
	rt_do(fx, "ticket.resolve", "ticket", "T-1", "note", "Done");
	fx_wait(fx, HOURS(1));
	rt_told(fx, rt_ticket(1), 1, 1);
	rt_deliver(fx, HUIYIN__NOTICE_KIND__NOTICE_RESOLVED, HUIYIN__OUTCOME__HELD, rt_ticket(1), 1, 2, 0);
	rt_deliver(fx, HUIYIN__NOTICE_KIND__NOTICE_RESOLVED, HUIYIN__OUTCOME__NO_CONTACT, rt_ticket(1), 1, 3, 0);
	rt_say(fx, 4, .type = "question");
	rt_say(fx, 5, .spam = true);
	rt_say(fx, 6, .type = "praise", .sentiment = "positive");
	rt_deliver(fx, HUIYIN__NOTICE_KIND__NOTICE_THANKS, HUIYIN__OUTCOME__ANONYMOUS, (struct hy_id){ 0 }, 0, 0, 6);
	rt_say(fx, 7, .ticket = rt_ticket(1), .round = 1, .person = 1, .helped = 1);
}

static void expect_everything(struct fx *fx)
{
	static const char *const once[] = { "open", "held", "answered", "replies", "excused.no_contact", "excused.spam",
		"excused.anonymous_praise" };
	for (size_t i = 0; i < sizeof(once) / sizeof(once[0]); i++)
		if (rt_audit(fx, once[i]) != 1)
			fail_msg("%s is %d", once[i], rt_audit(fx, once[i]));
	assert_int_equal(rt_audit(fx, "rows"), 7);
	assert_int_equal(rt_audit(fx, "duplicated"), 0);
}

static void every_feedback_is_in_one_sum_of_the_audit(void **state)
{
	struct fx *fx = *state;
	one_of_everything(fx);
	expect_everything(fx);
	json_t *j;
	assert_int_equal(rt_ask(fx, &j, "audit", (const char *const[]){ NULL }), HY_OK);
	json_t *close = json_array_get(json_object_get(j, "close_ms"), 0);
	int64_t ms = json_integer_value(json_array_get(close, 0));
	assert_in_range(ms, HOURS(1) * 98 / 100, HOURS(1) * 102 / 100);
	assert_int_equal(json_integer_value(json_array_get(close, 1)), 1);
	assert_int_equal(json_integer_value(json_object_get(j, "seen")), 7);
	json_decref(j);
}

static void the_audit_looks_no_further_than_it_is_asked_to(void **state)
{
	struct fx *fx = *state;
	char upto[HY_ID_TEXT], after[HY_ID_TEXT];
	one_of_everything(fx);
	hy_id_text(rt_id(4), upto);
	hy_id_text(rt_id(1), after);
	json_t *j;
	assert_int_equal(rt_ask(fx, &j, "audit", (const char *const[]){ "upto", upto, "after", after, NULL }), HY_OK);
	assert_int_equal(json_integer_value(json_object_get(j, "rows")), 3);
	assert_string_equal(json_string_value(json_object_get(j, "next")), "");
	json_decref(j);
	rt_refused(fx, HY_BAD_INPUT, "ids of feedback", "audit", "upto", "yesterday");
}

static void a_dead_letter_of_feedback_is_counted(void **state)
{
	struct fx *fx = *state;
	assert_int_not_equal(hy_daemon_feed(fx->daemon, "classification", HY_LIT("\xff")), HY_OK);
	assert_int_equal(rt_audit(fx, "dead"), 1);
}

/* ---- lifetimes ---- */

static void a_day_of_housekeeping(struct fx *fx)
{
	for (int hour = 0; hour < 24; hour++)
		fx_wait(fx, HOURS(1));
}

static void old_loops_leave_the_tables_and_stay_in_the_account(void **state)
{
	struct fx *fx = *state;
	one_of_everything(fx);
	rt_deliver(fx, HUIYIN__NOTICE_KIND__NOTICE_RESOLVED, HUIYIN__OUTCOME__TOLD, rt_ticket(1), 1, 2, 0);
	fx_wait(fx, DAYS(8));
	rt_is(fx, "T-1", "state", "confirmed");
	int answered = rt_audit(fx, "answered"), open = rt_audit(fx, "open");
	assert_int_equal(answered, 2);
	fx_wait(fx, DAYS(399));
	assert_int_equal(rt_number(fx, "T-1", "people"), 3);
	fx_wait(fx, DAYS(5));
	a_day_of_housekeeping(fx);
	rt_refused(fx, HY_NOT_FOUND, "no ticket T-1", "ticket.show", "ticket", "T-1");
	rt_is(fx, "T-2", "state", "new"); /* nobody has answered the question yet: it stays */
	assert_int_equal(rt_audit(fx, "answered"), answered);
	assert_int_equal(rt_audit(fx, "open"), open);
	assert_int_equal(rt_audit(fx, "rows"), 7);
	assert_int_equal(rt_audit(fx, "excused.spam"), 1);
	assert_int_equal(rt_rows(fx, "feedback"), 1);
	assert_int_equal(rt_rows(fx, "link"), 1);
	assert_int_equal(rt_rows(fx, "finished"), 0);
	assert_int_equal(rt_rows(fx, "theme"), 0);
	assert_int_equal(rt_rows(fx, "number"), 1);
	rt_complain(fx, 20, 1); /* the issue comes back: a new ticket, with a number of its own */
	assert_int_equal(rt_event(fx, HUIYIN__TICKET_EVENT_KIND__OPENED)->ticket->number, 3);
}

static void a_large_finished_ticket_leaves_in_chunks(void **state)
{
	struct fx *fx = *state;
	rt_together(fx, many_complain);
	rt_do(fx, "ticket.resolve", "ticket", "T-1", "note", "Done");
	rt_together(fx, many_are_told);
	fx_wait(fx, DAYS(8));
	fx_wait(fx, DAYS(401));
	a_day_of_housekeeping(fx);
	assert_int_equal(rt_rows(fx, "feedback"), 0);
	assert_int_equal(rt_rows(fx, "link"), 0);
	assert_int_equal(rt_rows(fx, "ticket"), 0);
	assert_int_equal(rt_audit(fx, "answered"), PEOPLE - PEOPLE / 10);
	assert_int_equal(rt_audit(fx, "excused.no_contact"), PEOPLE / 10);
}

static void a_merged_ticket_stays_while_the_one_it_went_into_lives(void **state)
{
	struct fx *fx = *state;
	rt_say(fx, 1, .type = "complaint", .topic = "delivery", .person = 1);
	rt_say(fx, 2, .type = "complaint", .topic = "delivery", .person = 2);
	rt_do(fx, "ticket.merge", "ticket", "T-1", "into", "T-2");
	fx_wait(fx, DAYS(401));
	a_day_of_housekeeping(fx);
	rt_is(fx, "T-1", "state", "duplicate");
	assert_int_equal(rt_audit(fx, "open"), 2);
	rt_do(fx, "ticket.resolve", "ticket", "T-2", "note", "Done");
	rt_told(fx, rt_ticket(2), 1, 1);
	rt_told(fx, rt_ticket(2), 1, 2);
	fx_wait(fx, DAYS(8));
	fx_wait(fx, DAYS(401));
	a_day_of_housekeeping(fx);
	assert_int_equal(rt_audit(fx, "answered"), 2);
	rt_refused(fx, HY_NOT_FOUND, "no ticket", "ticket.show", "ticket", "T-1");
	rt_refused(fx, HY_NOT_FOUND, "no ticket", "ticket.show", "ticket", "T-2");
}

static void an_erased_persons_words_leave(void **state)
{
	struct fx *fx = *state;
	Huiyin__Envelope e = HUIYIN__ENVELOPE__INIT;
	Huiyin__Feedback f = HUIYIN__FEEDBACK__INIT;
	Huiyin__Erasure erasure = HUIYIN__ERASURE__INIT;
	struct hy_id id = rt_id(1000);
	uint8_t person[16];
	rt_complain(fx, 1, 1);
	rt_say(fx, 2, .type = "complaint", .topic = "order_refund", .person = 2, .text = "退款");
	rt_say(fx, 3, .ticket = rt_ticket(1), .round = 1, .person = 1, .text = "我叫王小明");
	rt_bytes(person, 'p', 1);
	f.body_case = HUIYIN__FEEDBACK__BODY_ERASURE;
	f.erasure = &erasure;
	f.person = (ProtobufCBinaryData){ 16, person };
	e.id = HY_ID_TO_PB(id);
	e.project = 1;
	e.feedback = &f;
	assert_int_equal(fx_feed(fx, "classification", &e), HY_OK);
	assert_int_equal(rt_routed(fx)->decision, HUIYIN__DECISION__DECISION_PASSED);
	fx_wait(fx, 1);
	rt_is(fx, "T-1", "subject", "");
	rt_is(fx, "T-2", "subject", "退款");
	assert_int_equal(rt_rows(fx, "comment"), 0);
	assert_int_equal(rt_audit(fx, "rows"), 3); /* the account still holds */
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, rt_setup, rt_teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_ticket_goes_the_whole_way),
		TEST(refusals_say_why),
		TEST(a_note_finds_its_language),
		TEST(a_staff_reopening_lifts_everybody_into_the_next_round),
		TEST(lists_are_filtered_and_come_in_pages),
		TEST(a_correction_is_told_to_the_classifier_and_remembered),
		TEST(an_overdue_ticket_says_so_once_even_across_a_restart),
		TEST(what_is_answered_in_time_is_never_overdue),
		TEST(a_merge_moves_more_people_than_one_transaction_may_touch),
		TEST(who_was_told_before_a_merge_stays_told_and_her_no_counts_where_the_issue_is_now),
		TEST(merging_needs_two_open_tickets_of_one_project),
		TEST(every_feedback_is_in_one_sum_of_the_audit),
		TEST(the_audit_looks_no_further_than_it_is_asked_to),
		TEST(a_dead_letter_of_feedback_is_counted),
		TEST(old_loops_leave_the_tables_and_stay_in_the_account),
		TEST(a_large_finished_ticket_leaves_in_chunks),
		TEST(a_merged_ticket_stays_while_the_one_it_went_into_lives),
		TEST(an_erased_persons_words_leave),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
