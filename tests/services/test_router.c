// link: hy_router
#include "router_case.h"

/* ---- deciding ---- */

static void a_complaint_opens_a_ticket_in_the_department_of_its_rule(void **state)
{
	struct fx *fx = *state;
	rt_complain(fx, 1, 7);
	assert_int_equal(fx_outputs(fx), 3); /* the feedback passed on, then opened, then joined */
	Huiyin__Envelope *passed = fx->outputs[0], *opened = fx->outputs[1], *joined = fx->outputs[2];
	assert_int_equal(passed->routed->decision, HUIYIN__DECISION__DECISION_TICKET);
	assert_string_equal(passed->routed->department, "logistics");
	assert_string_equal(passed->routed->rule, "parcels");
	assert_int_equal(passed->routed->number, 1);
	assert_string_equal(passed->feedback->remark->text, "快递还没到");
	assert_int_equal(opened->ticket->kind, HUIYIN__TICKET_EVENT_KIND__OPENED);
	assert_int_equal(opened->ticket->state, HUIYIN__TICKET_STATE__NEW);
	assert_string_equal(opened->ticket->subject, "快递还没到");
	assert_int_equal(opened->ticket->due_ms, FX_NOW + DAYS(2));
	assert_null(opened->feedback);
	assert_int_equal(joined->ticket->kind, HUIYIN__TICKET_EVENT_KIND__JOINED);
	assert_int_equal(joined->ticket->person.len, 16);
	assert_string_equal(joined->feedback->remark->text, "快递还没到");
	assert_string_equal(joined->classification->topic->name, "delivery");
	assert_memory_equal(joined->cause.data, passed->id.data, 16);
	assert_memory_equal(joined->key.data, passed->routed->ticket.data, 16);
	assert_true(hy_id_equal(HY_ID_FROM_PB(passed->routed->ticket), rt_ticket(1)));
}

static void an_urgent_refund_opens_a_ticket_due_in_four_hours(void **state)
{
	struct fx *fx = *state;
	rt_say(fx, 1, .type = "complaint", .topic = "order_refund", .urgency = "high", .person = 1);
	assert_int_equal(rt_event(fx, HUIYIN__TICKET_EVENT_KIND__OPENED)->ticket->due_ms, FX_NOW + HOURS(4));
}

static void a_recurring_issue_joins_the_ticket_that_is_open(void **state)
{
	struct fx *fx = *state;
	rt_complain(fx, 1, 1);
	rt_complain(fx, 2, 2);
	rt_complain(fx, 3, 2); /* the same person again */
	rt_complain(fx, 4, 0);
	rt_complain(fx, 5, 0); /* two anonymous ones are two people */
	assert_int_equal(rt_events(fx, HUIYIN__TICKET_EVENT_KIND__OPENED), 1);
	assert_int_equal(rt_events(fx, HUIYIN__TICKET_EVENT_KIND__JOINED), 5);
	assert_int_equal(rt_number(fx, "T-1", "people"), 4);
	assert_int_equal(rt_number(fx, "T-1", "round_people"), 4);
}

static void other_themes_and_other_projects_open_tickets_of_their_own(void **state)
{
	struct fx *fx = *state;
	rt_complain(fx, 1, 1);
	rt_say(fx, 2, .type = "complaint", .topic = "delivery", .theme = 2);
	rt_say(fx, 3, .type = "complaint", .topic = "delivery", .theme = 1, .project = 2);
	rt_say(fx, 4, .type = "complaint", .topic = "delivery"); /* without a theme it stands alone */
	rt_say(fx, 5, .type = "complaint", .topic = "delivery");
	assert_int_equal(rt_events(fx, HUIYIN__TICKET_EVENT_KIND__OPENED), 5);
	assert_int_equal(rt_event(fx, HUIYIN__TICKET_EVENT_KIND__OPENED)->ticket->number, 4);
	json_t *j;
	assert_int_equal(
		rt_ask(fx, &j, "ticket.show", (const char *const[]){ "ticket", "T-1", "project", "shop", NULL }),
		HY_OK);
	assert_string_equal(json_string_value(json_object_get(j, "project")), "shop");
	json_decref(j);
}

static void a_more_urgent_voice_brings_the_due_time_nearer(void **state)
{
	struct fx *fx = *state;
	rt_complain(fx, 1, 1);
	rt_say(fx, 2, .type = "complaint", .topic = "delivery", .theme = 1, .urgency = "critical");
	assert_int_equal(rt_event(fx, HUIYIN__TICKET_EVENT_KIND__JOINED)->ticket->due_ms, FX_NOW + HOURS(4));
	rt_is(fx, "T-1", "urgency", "critical");
	rt_complain(fx, 3, 3);
	rt_is(fx, "T-1", "urgency", "critical");
}

static void praise_is_thanked_by_marketing(void **state)
{
	struct fx *fx = *state;
	rt_say(fx, 1, .text = "太好用了", .type = "praise", .sentiment = "positive", .person = 1);
	assert_int_equal(fx_outputs(fx), 1);
	assert_int_equal(rt_routed(fx)->decision, HUIYIN__DECISION__DECISION_THANKS);
	assert_string_equal(rt_routed(fx)->department, "marketing");
	rt_say(fx, 2, .type = "praise", .sentiment = "positive", .unsure = true, .person = 1);
	assert_int_equal(rt_routed(fx)->decision, HUIYIN__DECISION__DECISION_TICKET);
	assert_string_equal(rt_routed(fx)->department, "triage");
}

static void a_rule_can_thank_or_call_it_spam(void **state)
{
	struct fx *fx = *state;
	rt_say(fx, 1, .stars = 5, .person = 1);
	assert_int_equal(rt_routed(fx)->decision, HUIYIN__DECISION__DECISION_THANKS);
	assert_string_equal(rt_routed(fx)->department, "product");
	rt_say(fx, 2, .tag = "advert", .type = "question");
	assert_int_equal(rt_routed(fx)->decision, HUIYIN__DECISION__DECISION_SPAM);
	assert_string_equal(rt_routed(fx)->rule, "adverts");
	rt_say(fx, 3, .spam = true, .stars = 5); /* spam comes before the rules */
	assert_int_equal(rt_routed(fx)->decision, HUIYIN__DECISION__DECISION_SPAM);
	assert_int_equal(fx_outputs(fx), 3);
	assert_int_equal(rt_audit(fx, "excused.spam"), 2);
}

static void what_nobody_claims_goes_to_triage(void **state)
{
	struct fx *fx = *state;
	rt_say(fx, 1, .text = "嗯", .unsure = true);
	assert_string_equal(rt_routed(fx)->department, "triage");
	assert_string_equal(rt_routed(fx)->rule, "");
	assert_int_equal(rt_events(fx, HUIYIN__TICKET_EVENT_KIND__OPENED), 1);
}

static void a_subject_is_one_line_of_eighty_characters(void **state)
{
	struct fx *fx = *state;
	char text[600] = "  第一行\n\t第二行 ";
	for (int i = 0; i < 40; i++)
		strcat(text, "很长很长");
	rt_say(fx, 1, .text = text);
	char *subject = rt_event(fx, HUIYIN__TICKET_EVENT_KIND__OPENED)->ticket->subject;
	assert_true(hy_bytes_starts(hy_bytes_text(subject), HY_LIT("第一行 第二行 很长")));
	assert_int_equal(hy_utf8_count(hy_bytes_text(subject)), 80);
	rt_say(fx, 2, .stars = 2);
	assert_string_equal(rt_event(fx, HUIYIN__TICKET_EVENT_KIND__OPENED)->ticket->subject, "stars 2");
}

static void what_is_no_feedback_is_passed_on(void **state)
{
	struct fx *fx = *state;
	Huiyin__Envelope e = HUIYIN__ENVELOPE__INIT;
	Huiyin__Feedback f = HUIYIN__FEEDBACK__INIT;
	Huiyin__Profile p = HUIYIN__PROFILE__INIT;
	struct hy_id id = rt_id(1);
	p.user_id = "u1";
	f.body_case = HUIYIN__FEEDBACK__BODY_PROFILE;
	f.profile = &p;
	e.id = HY_ID_TO_PB(id);
	e.project = 1;
	e.feedback = &f;
	assert_int_equal(fx_feed(fx, "classification", &e), HY_OK);
	assert_int_equal(rt_routed(fx)->decision, HUIYIN__DECISION__DECISION_PASSED);
	assert_int_equal(rt_audit(fx, "rows"), 0);
}

static void a_replayed_record_changes_nothing_and_is_counted(void **state)
{
	struct fx *fx = *state;
	rt_complain(fx, 1, 1);
	rt_say(fx, 2, .type = "praise", .sentiment = "positive");
	size_t before = fx_outputs(fx);
	rt_complain(fx, 1, 1);
	rt_say(fx, 2, .type = "praise", .sentiment = "positive");
	fx_restart(fx);
	rt_complain(fx, 1, 1);
	assert_int_equal(fx_outputs(fx), before);
	assert_int_equal(rt_number(fx, "T-1", "people"), 1);
	assert_int_equal(rt_audit(fx, "rows"), 2);
	assert_int_equal(rt_audit(fx, "duplicated"), 3);
}

/* ---- telling and answering ---- */

/* Three people have raised it, all were told that it is resolved. */
static struct hy_id resolved(struct fx *fx)
{
	struct hy_id ticket = rt_ticket(1);
	for (uint32_t who = 1; who <= 3; who++)
		rt_complain(fx, who, who);
	rt_do(fx, "ticket.resolve", "ticket", "T-1", "note_zh", "已经补发");
	for (uint32_t who = 1; who <= 3; who++)
		rt_told(fx, ticket, 1, who);
	return ticket;
}

static void resolving_tells_everybody_of_the_round(void **state)
{
	struct fx *fx = *state;
	rt_complain(fx, 1, 1);
	rt_complain(fx, 2, 2);
	rt_do(fx, "ticket.resolve", "ticket", "T-1", "note_zh", "已经补发", "actor", "li");
	Huiyin__TicketEvent *event = rt_event(fx, HUIYIN__TICKET_EVENT_KIND__EVENT_RESOLVED)->ticket;
	assert_int_equal(event->round, 1);
	assert_int_equal(event->state, HUIYIN__TICKET_STATE__RESOLVED);
	assert_string_equal(event->note->zh, "已经补发");
	assert_string_equal(event->actor, "li");
	assert_int_equal(event->people, 2);
	assert_int_equal(rt_number(fx, "T-1", "awaiting"), 2);
	rt_told(fx, rt_ticket(1), 1, 1);
	rt_told(fx, rt_ticket(1), 1, 1); /* said twice */
	assert_int_equal(rt_number(fx, "T-1", "awaiting"), 1);
	assert_int_equal(rt_number(fx, "T-1", "told"), 1);
	assert_int_equal(
		rt_deliver(fx, HUIYIN__NOTICE_KIND__NOTICE_RESOLVED, HUIYIN__OUTCOME__HELD, rt_ticket(1), 1, 2, 0),
		HY_OK);
	assert_int_equal(rt_number(fx, "T-1", "awaiting"), 1);
	assert_int_equal(rt_audit(fx, "held"), 1);
	assert_int_equal(
		rt_deliver(fx, HUIYIN__NOTICE_KIND__NOTICE_RESOLVED, HUIYIN__OUTCOME__BOUNCED, rt_ticket(1), 1, 2, 0),
		HY_OK);
	assert_int_equal(rt_number(fx, "T-1", "awaiting"), 0);
	assert_int_equal(rt_number(fx, "T-1", "told"), 1);
	assert_int_equal(rt_audit(fx, "excused.bounced"), 1);
}

static void when_everybody_told_says_yes_it_is_confirmed_at_once(void **state)
{
	struct fx *fx = *state;
	struct hy_id ticket = resolved(fx);
	rt_say(fx, 11, .ticket = ticket, .round = 1, .person = 1, .helped = 1);
	rt_say(fx, 12, .ticket = ticket, .round = 1, .person = 2, .helped = 1);
	rt_say(fx, 13, .ticket = ticket, .round = 1, .person = 2, .helped = 1); /* pressed twice */
	assert_int_equal(rt_number(fx, "T-1", "yes"), 2);
	rt_is(fx, "T-1", "state", "resolved");
	rt_say(fx, 14, .ticket = ticket, .round = 1, .person = 3, .helped = 1);
	rt_is(fx, "T-1", "state", "confirmed");
	assert_int_equal(rt_events(fx, HUIYIN__TICKET_EVENT_KIND__EVENT_CONFIRMED), 1);
	assert_int_equal(rt_routed(fx)->decision, HUIYIN__DECISION__DECISION_REPLY);
	assert_int_equal(rt_audit(fx, "answered"), 3);
	assert_int_equal(rt_audit(fx, "replies"), 4);
}

static void a_yes_that_overtakes_word_of_its_delivery_counts(void **state)
{
	struct fx *fx = *state;
	rt_complain(fx, 1, 1);
	rt_do(fx, "ticket.resolve", "ticket", "T-1", "note_en", "Sent again");
	rt_say(fx, 2, .ticket = rt_ticket(1), .round = 1, .person = 1, .helped = 1);
	rt_is(fx, "T-1", "state", "resolved");
	rt_told(fx, rt_ticket(1), 1, 1);
	rt_is(fx, "T-1", "state", "confirmed");
}

static void a_no_reopens_at_once_for_those_who_said_no(void **state)
{
	struct fx *fx = *state;
	struct hy_id ticket = resolved(fx);
	rt_say(fx, 11, .ticket = ticket, .round = 1, .person = 2, .helped = -1, .text = "还是没有收到");
	rt_is(fx, "T-1", "state", "reopened");
	assert_int_equal(rt_number(fx, "T-1", "round"), 2);
	assert_int_equal(rt_number(fx, "T-1", "round_people"), 1);
	assert_int_equal(rt_number(fx, "T-1", "told"), 2);
	fx_outputs(fx);
	Huiyin__Envelope *passed = fx->outputs[fx->output_count - 3], *reopened = fx->outputs[fx->output_count - 2],
			 *joined = fx->outputs[fx->output_count - 1];
	assert_int_equal(passed->routed->decision, HUIYIN__DECISION__DECISION_REPLY);
	assert_int_equal(reopened->ticket->kind, HUIYIN__TICKET_EVENT_KIND__EVENT_REOPENED);
	assert_int_equal(reopened->ticket->round, 2);
	assert_int_equal(reopened->ticket->person.len, 16);
	assert_int_equal(joined->ticket->kind, HUIYIN__TICKET_EVENT_KIND__JOINED);
	assert_string_equal(joined->feedback->remark->text, "还是没有收到");
	/* A later no, through the mail of the first round, joins the second. The same no again changes nothing. */
	rt_say(fx, 12, .ticket = ticket, .round = 1, .person = 3, .helped = -1);
	rt_say(fx, 13, .ticket = ticket, .round = 1, .person = 3, .helped = -1);
	assert_int_equal(rt_number(fx, "T-1", "round"), 2);
	assert_int_equal(rt_number(fx, "T-1", "round_people"), 2);
	assert_int_equal(rt_events(fx, HUIYIN__TICKET_EVENT_KIND__EVENT_REOPENED), 1);
	assert_int_equal(rt_events(fx, HUIYIN__TICKET_EVENT_KIND__JOINED), 5);
	/* The second round tells those two. */
	rt_do(fx, "ticket.resolve", "ticket", "T-1", "note_en", "Sent again");
	assert_int_equal(rt_number(fx, "T-1", "awaiting"), 2);
	rt_told(fx, ticket, 2, 2);
	rt_told(fx, ticket, 2, 3);
	assert_int_equal(rt_number(fx, "T-1", "told"), 3);
	for (uint32_t who = 1; who <= 3; who++)
		rt_say(fx, 20 + who, .ticket = ticket, .round = 2, .person = who, .helped = 1);
	rt_is(fx, "T-1", "state", "confirmed");
}

static void the_last_answer_counts(void **state)
{
	struct fx *fx = *state;
	struct hy_id ticket = resolved(fx);
	rt_say(fx, 11, .ticket = ticket, .round = 1, .person = 1, .helped = 1);
	rt_say(fx, 12, .ticket = ticket, .round = 1, .person = 1, .helped = -1);
	rt_is(fx, "T-1", "state", "reopened");
	assert_int_equal(rt_number(fx, "T-1", "yes"), 0);
}

static void displeased_words_without_a_button_reopen_too(void **state)
{
	struct fx *fx = *state;
	resolved(fx);
	rt_say(fx, 11, .feedback = 2, .person = 2, .text = "还是没有收到", .sentiment = "negative");
	rt_is(fx, "T-1", "state", "reopened");
}

static void a_remark_without_an_answer_is_kept_as_a_comment(void **state)
{
	struct fx *fx = *state;
	resolved(fx);
	rt_say(fx, 11, .feedback = 2, .person = 2, .text = "谢谢告知");
	rt_is(fx, "T-1", "state", "resolved");
	json_t *j;
	assert_int_equal(rt_ask(fx, &j, "ticket.show", (const char *const[]){ "ticket", "T-1", NULL }), HY_OK);
	json_t *comment = json_array_get(json_object_get(j, "comments"), 0);
	assert_string_equal(json_string_value(json_object_get(comment, "text")), "谢谢告知");
	json_decref(j);
}

static void a_strangers_token_changes_nothing(void **state)
{
	struct fx *fx = *state;
	struct hy_id ticket = resolved(fx);
	rt_say(fx, 11, .ticket = ticket, .round = 1, .person = 99, .helped = -1);
	rt_say(fx, 12, .ticket = rt_id(500), .round = 1, .person = 1, .helped = -1);
	rt_is(fx, "T-1", "state", "resolved");
	assert_int_equal(rt_number(fx, "T-1", "people"), 3);
	assert_int_equal(rt_audit(fx, "replies"), 2);
}

static void silence_closes_and_some_yes_confirms(void **state)
{
	struct fx *fx = *state;
	resolved(fx);
	rt_say(fx, 20, .type = "complaint", .topic = "order_refund", .person = 1, .theme = 2);
	rt_say(fx, 21, .type = "complaint", .topic = "order_refund", .person = 2, .theme = 2);
	rt_do(fx, "ticket.resolve", "ticket", "T-2", "note_en", "Refunded");
	rt_told(fx, rt_ticket(20), 1, 1);
	rt_told(fx, rt_ticket(20), 1, 2);
	rt_say(fx, 22, .ticket = rt_ticket(20), .round = 1, .person = 1, .helped = 1);
	fx_restart(fx); /* waits are rows: they survive */
	fx_wait(fx, DAYS(7) - 1);
	rt_is(fx, "T-1", "state", "resolved");
	fx_wait(fx, 1);
	rt_is(fx, "T-1", "state", "closed");
	rt_is(fx, "T-2", "state", "confirmed");
	assert_int_equal(rt_events(fx, HUIYIN__TICKET_EVENT_KIND__EVENT_CLOSED), 1);
	/* What is over stays over. */
	rt_say(fx, 23, .ticket = rt_ticket(1), .round = 1, .person = 1, .helped = -1);
	rt_is(fx, "T-1", "state", "closed");
	assert_int_equal(rt_routed(fx)->decision, HUIYIN__DECISION__DECISION_REPLY);
}

static void the_wait_begins_with_the_last_delivery(void **state)
{
	struct fx *fx = *state;
	rt_complain(fx, 1, 1);
	rt_complain(fx, 2, 2);
	rt_do(fx, "ticket.resolve", "ticket", "T-1", "note_en", "Sent again");
	rt_told(fx, rt_ticket(1), 1, 1);
	fx_wait(fx, DAYS(20));
	rt_is(fx, "T-1", "state", "resolved");
	assert_int_equal(rt_deliver(fx, HUIYIN__NOTICE_KIND__NOTICE_RESOLVED, HUIYIN__OUTCOME__NO_CONTACT, rt_ticket(1),
				 1, 2, 0),
		HY_OK);
	fx_wait(fx, DAYS(7));
	rt_is(fx, "T-1", "state", "closed");
	assert_int_equal(rt_audit(fx, "excused.no_contact"), 1);
}

static void a_declined_ticket_reopens_with_a_no_and_is_final_after_its_wait(void **state)
{
	struct fx *fx = *state;
	struct hy_id ticket = rt_ticket(1);
	rt_complain(fx, 1, 1);
	rt_do(fx, "ticket.decline", "ticket", "T-1", "note_en", "We can't change the carrier");
	assert_int_equal(rt_event(fx, HUIYIN__TICKET_EVENT_KIND__EVENT_DECLINED)->ticket->round, 1);
	rt_deliver(fx, HUIYIN__NOTICE_KIND__NOTICE_DECLINED, HUIYIN__OUTCOME__TOLD, ticket, 1, 1, 0);
	rt_say(fx, 2, .ticket = ticket, .round = 1, .person = 1, .helped = -1);
	rt_is(fx, "T-1", "state", "reopened");
	rt_do(fx, "ticket.decline", "ticket", "T-1", "note_en", "Really");
	rt_deliver(fx, HUIYIN__NOTICE_KIND__NOTICE_DECLINED, HUIYIN__OUTCOME__TOLD, ticket, 2, 1, 0);
	rt_say(fx, 3, .ticket = ticket, .round = 2, .person = 1, .helped = 1);
	rt_is(fx, "T-1", "state", "declined");
	fx_wait(fx, DAYS(7));
	rt_is(fx, "T-1", "state", "declined");
	rt_say(fx, 4, .ticket = ticket, .round = 2, .person = 1, .helped = -1);
	rt_is(fx, "T-1", "state", "declined");
	rt_refused(fx, HY_BAD_STATE, "it is finished", "ticket.reopen", "ticket", "T-1");
}

static void feedback_on_a_resolved_issue_opens_a_ticket_that_follows_it(void **state)
{
	struct fx *fx = *state;
	resolved(fx);
	rt_complain(fx, 11, 4);
	Huiyin__TicketEvent *opened = rt_event(fx, HUIYIN__TICKET_EVENT_KIND__OPENED)->ticket;
	assert_int_equal(opened->number, 2);
	assert_true(hy_id_equal(HY_ID_FROM_PB(opened->other), rt_ticket(1)));
	rt_complain(fx, 12, 5);
	assert_int_equal(rt_number(fx, "T-2", "people"), 2);
	assert_int_equal(rt_number(fx, "T-1", "people"), 3);
}

static void a_step_that_was_undone_leaves_no_trace_in_memory(void **state)
{
	struct fx *fx = *state;
	const struct rt_say say = { .type = "complaint", .topic = "delivery", .theme = 1, .person = 4 };
	resolved(fx);
	size_t before = fx_outputs(fx);
	hy_store_fail_commits(hy_daemon_store(fx->daemon), HY_FULL, 1);
	assert_int_not_equal(rt_say_packed(fx, 11, &say), HY_OK);
	assert_int_equal(fx_outputs(fx), before);
	fx_wait(fx, 10000); /* the daemon tries again after a while */
	assert_int_equal(rt_say_packed(fx, 11, &say), HY_OK);
	Huiyin__TicketEvent *opened = rt_event(fx, HUIYIN__TICKET_EVENT_KIND__OPENED)->ticket;
	assert_int_equal(opened->number, 2);
	assert_true(hy_id_equal(HY_ID_FROM_PB(opened->other), rt_ticket(1)));
	assert_int_equal(rt_audit(fx, "duplicated"), 0);
}

static void who_comes_back_to_a_finished_ticket_by_her_feedback_is_heard_afresh(void **state)
{
	struct fx *fx = *state;
	resolved(fx);
	fx_wait(fx, DAYS(7));
	rt_say(fx, 11, .feedback = 2, .person = 2, .helped = -1, .text = "又坏了", .type = "complaint",
		.topic = "delivery");
	assert_int_equal(rt_routed(fx)->decision, HUIYIN__DECISION__DECISION_TICKET);
	Huiyin__TicketEvent *opened = rt_event(fx, HUIYIN__TICKET_EVENT_KIND__OPENED)->ticket;
	assert_true(hy_id_equal(HY_ID_FROM_PB(opened->other), rt_ticket(1)));
	rt_is(fx, "T-1", "state", "closed");
}

static void anonymous_people_are_known_by_their_feedback(void **state)
{
	struct fx *fx = *state;
	rt_complain(fx, 1, 0);
	rt_complain(fx, 2, 0);
	rt_do(fx, "ticket.resolve", "ticket", "T-1", "note_en", "Sent again");
	for (uint32_t n = 1; n <= 2; n++)
		rt_deliver(fx, HUIYIN__NOTICE_KIND__NOTICE_RESOLVED, HUIYIN__OUTCOME__ANONYMOUS, rt_ticket(1), 1, 0, n);
	assert_int_equal(rt_number(fx, "T-1", "awaiting"), 0);
	assert_int_equal(rt_audit(fx, "excused.no_contact"), 2);
	rt_say(fx, 3, .feedback = 2, .helped = -1, .text = "没有收到");
	rt_is(fx, "T-1", "state", "reopened");
	assert_memory_equal(
		rt_event(fx, HUIYIN__TICKET_EVENT_KIND__EVENT_REOPENED)->ticket->feedback.data, rt_id(2).b, 16);
	assert_memory_equal(rt_event(fx, HUIYIN__TICKET_EVENT_KIND__JOINED)->ticket->feedback.data, rt_id(2).b, 16);
}

static void thanks_end_with_their_delivery(void **state)
{
	struct fx *fx = *state;
	rt_say(fx, 1, .type = "praise", .sentiment = "positive", .person = 1);
	rt_say(fx, 2, .type = "praise", .sentiment = "positive");
	assert_int_equal(rt_audit(fx, "open"), 2);
	rt_deliver(fx, HUIYIN__NOTICE_KIND__NOTICE_THANKS, HUIYIN__OUTCOME__TOLD, (struct hy_id){ 0 }, 0, 1, 1);
	rt_deliver(fx, HUIYIN__NOTICE_KIND__NOTICE_THANKS, HUIYIN__OUTCOME__ANONYMOUS, (struct hy_id){ 0 }, 0, 0, 2);
	rt_deliver(fx, HUIYIN__NOTICE_KIND__NOTICE_THANKS, HUIYIN__OUTCOME__BOUNCED, (struct hy_id){ 0 }, 0, 1,
		1); /* too late */
	assert_int_equal(rt_audit(fx, "open"), 0);
	assert_int_equal(rt_audit(fx, "answered"), 1);
	assert_int_equal(rt_audit(fx, "excused.anonymous_praise"), 1);
}

static void a_receipt_is_no_answer(void **state)
{
	struct fx *fx = *state;
	rt_complain(fx, 1, 1);
	rt_deliver(fx, HUIYIN__NOTICE_KIND__NOTICE_RECEIPT, HUIYIN__OUTCOME__TOLD, rt_ticket(1), 1, 1, 1);
	assert_int_equal(rt_audit(fx, "open"), 1);
	assert_int_equal(rt_audit(fx, "answered"), 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, rt_setup, rt_teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_complaint_opens_a_ticket_in_the_department_of_its_rule),
		TEST(an_urgent_refund_opens_a_ticket_due_in_four_hours),
		TEST(a_recurring_issue_joins_the_ticket_that_is_open),
		TEST(other_themes_and_other_projects_open_tickets_of_their_own),
		TEST(a_more_urgent_voice_brings_the_due_time_nearer),
		TEST(praise_is_thanked_by_marketing),
		TEST(a_rule_can_thank_or_call_it_spam),
		TEST(what_nobody_claims_goes_to_triage),
		TEST(a_subject_is_one_line_of_eighty_characters),
		TEST(what_is_no_feedback_is_passed_on),
		TEST(a_replayed_record_changes_nothing_and_is_counted),
		TEST(resolving_tells_everybody_of_the_round),
		TEST(when_everybody_told_says_yes_it_is_confirmed_at_once),
		TEST(a_yes_that_overtakes_word_of_its_delivery_counts),
		TEST(a_no_reopens_at_once_for_those_who_said_no),
		TEST(the_last_answer_counts),
		TEST(displeased_words_without_a_button_reopen_too),
		TEST(a_remark_without_an_answer_is_kept_as_a_comment),
		TEST(a_strangers_token_changes_nothing),
		TEST(silence_closes_and_some_yes_confirms),
		TEST(the_wait_begins_with_the_last_delivery),
		TEST(a_declined_ticket_reopens_with_a_no_and_is_final_after_its_wait),
		TEST(feedback_on_a_resolved_issue_opens_a_ticket_that_follows_it),
		TEST(a_step_that_was_undone_leaves_no_trace_in_memory),
		TEST(who_comes_back_to_a_finished_ticket_by_her_feedback_is_heard_afresh),
		TEST(anonymous_people_are_known_by_their_feedback),
		TEST(thanks_end_with_their_delivery),
		TEST(a_receipt_is_no_answer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
