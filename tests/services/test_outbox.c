// link: hy_notifier
/* The outbox: never lost, sent once, and one copy more only where nobody can know whether the first arrived. */
#include "support/test.h"

#include "notifier_fixture.h"

#include "notifier/decide.h"

/* A channel like SMTP: it pauses before the dot, answers when the test says so, and a copy can't be taken back. */
static struct pigeon {
	struct notifier_transfer *waiting[64]; /* past the dot, no answer yet */
	size_t count;
	size_t begun, dots; /* dots = final dots that left: copies that may arrive */
	bool stop_before_dot; /* the other side refuses the recipient */
	bool answers; /* at once, with `result` */
	enum notifier_result result;
	const char *reason;
} pigeon;

static int pigeon_open(void **self, const char *dir, struct notifier *n, struct hy_fault *f)
{
	(void)n;
	(void)dir;
	(void)f;
	*self = &pigeon;
	return HY_OK;
}
static void pigeon_close(void **self)
{
	*self = NULL;
}
static void pigeon_begin(void *self, struct notifier_transfer *t)
{
	(void)self;
	pigeon.begun++;
	assert_true(t->message.size > 0);
	if (pigeon.stop_before_dot)
		notifier_transfer_done(t, pigeon.result, "%s", pigeon.reason);
	else
		t->state = TRANSFER_AT_DOT;
}
static void pigeon_finish(void *self, struct notifier_transfer *t)
{
	(void)self;
	pigeon.dots++;
	assert_int_equal(t->state, TRANSFER_PASSED);
	if (pigeon.answers)
		notifier_transfer_done(t, pigeon.result, "%s", pigeon.reason ? pigeon.reason : "");
	else
		pigeon.waiting[pigeon.count++] = t;
}
static int64_t pigeon_drive(void *self)
{
	(void)self;
	return -1;
}
static void pigeon_cancel(void *self, struct notifier_transfer *t)
{
	(void)self;
	(void)t;
}
static void pigeon_forget(void *self, struct hy_id notice)
{
	(void)self;
	(void)notice;
}
static const struct notifier_channel pigeon_post = { "pigeon", false, true, pigeon_open, pigeon_close, pigeon_begin,
	pigeon_finish, pigeon_drive, pigeon_cancel, pigeon_forget };

static void use_pigeon(void)
{
	nf.channel->close(&nf.channel_self);
	nf.channel = &pigeon_post;
	nf.channel->open(&nf.channel_self, "", &nf, NULL);
	memset(&pigeon, 0, sizeof(pigeon));
}

/* The file channel as it is, but the process dies before anybody hears that the file is there. */
static int64_t drive_and_say_nothing(void *self)
{
	struct notifier_transfer *t = pigeon.waiting[0];
	notifier_channel_file.drive(self);
	if (t && t->state == TRANSFER_DONE)
		t->state = TRANSFER_PASSED;
	return -1;
}
static void finish_and_remember(void *self, struct notifier_transfer *t)
{
	pigeon.waiting[0] = t;
	notifier_channel_file.finish(self, t);
}
static void use_file_that_never_answers(void)
{
	static struct notifier_channel mute;
	memset(&pigeon, 0, sizeof(pigeon));
	mute = notifier_channel_file;
	mute.drive = drive_and_say_nothing;
	mute.finish = finish_and_remember;
	nf.channel = &mute;
}

/* A kill: whatever was on its way is forgotten. */
static void restart(struct fx *fx)
{
	size_t dots = pigeon.dots;
	fx_restart(fx);
	use_pigeon();
	pigeon.dots = dots;
}

static void one_is_owed(struct fx *fx)
{
	nf_join(fx, 7, 1, &(struct nf_voice){ .who = 1, .feedback = 1, .email = "li@example.com" });
	nf_resolve(fx, 7, 1, "好了", NULL);
}

/* What `delivery.show` says of it. */
static json_t *shown(struct fx *fx)
{
	char id[HY_ID_TEXT];
	json_t *o;
	hy_id_text(nf_notice(7, 1, 1, HUIYIN__NOTICE_KIND__NOTICE_RESOLVED), id);
	assert_int_equal(fx_ask(fx, "delivery.show", (const char *[]){ "notice", id, NULL }, &o), HY_OK);
	return o;
}

static const char *state_of(struct fx *fx)
{
	static char text[32];
	json_t *o = shown(fx);
	snprintf(text, sizeof(text), "%s", json_string_value(json_object_get(o, "state")));
	json_decref(o);
	return text;
}

static json_int_t number_of(struct fx *fx, const char *name)
{
	json_t *o = shown(fx);
	json_int_t n = json_integer_value(json_object_get(o, name));
	json_decref(o);
	return n;
}

static int staff(struct fx *fx, const char *verb)
{
	char id[HY_ID_TEXT];
	hy_id_text(nf_notice(7, 1, 1, HUIYIN__NOTICE_KIND__NOTICE_RESOLVED), id);
	return fx_ask(fx, verb, (const char *[]){ "notice", id, NULL }, NULL);
}

static void lose_the_folder(struct fx *fx)
{
	char path[4096];
	snprintf(path, sizeof(path), "%s/outbox", fx->dir);
	assert_int_equal(rmdir(path), 0);
}

static void the_states_lead_only_where_they_should(void **state)
{
	(void)state;
	assert_int_equal(notifier_state_after(NOTICE_QUEUED, VERB_DOT), NOTICE_DOT);
	assert_int_equal(
		notifier_state_after(NOTICE_QUEUED, VERB_SENT), NOTICE_NOWHERE); /* nothing is sent without its dot */
	assert_int_equal(notifier_state_after(NOTICE_DOT, VERB_DROP), NOTICE_NOWHERE);
	assert_int_equal(notifier_state_after(NOTICE_HELD, VERB_DOT), NOTICE_NOWHERE);
	assert_int_equal(notifier_state_after(NOTICE_HELD, VERB_RELEASE), NOTICE_QUEUED);
	for (int verb = 0; verb < VERBS; verb++) { /* the end is the end */
		assert_int_equal(notifier_state_after(NOTICE_SENT, verb), NOTICE_NOWHERE);
		assert_int_equal(notifier_state_after(NOTICE_DEAD, verb), NOTICE_NOWHERE);
		assert_int_equal(notifier_state_after(NOTICE_NOWHERE, verb), NOTICE_NOWHERE);
	}
	assert_int_equal(notifier_state_after(NOTICE_STATES, VERB_DOT), NOTICE_NOWHERE);
}

static void quiet_hours_know_midnight_and_time_zones(void **state)
{
	(void)state;
	const int64_t hour = 3600000, midnight = FX_NOW; /* 2026-01-01T00:00Z; 08:00 in Shanghai */
	assert_int_equal(notifier_quiet_until(midnight, "22:00", "07:30", ""), midnight + 7 * hour + hour / 2);
	assert_int_equal(notifier_quiet_until(midnight, "22:00", "07:30", "Asia/Shanghai"), midnight);
	assert_int_equal(notifier_quiet_until(midnight - hour, "22:00", "09:00", "Asia/Shanghai"), midnight + hour);
	assert_int_equal(
		notifier_quiet_until(midnight + 15 * hour, "22:00", "07:00", "Asia/Shanghai"), midnight + 23 * hour);
	assert_int_equal(notifier_quiet_until(midnight, "00:00", "01:00", ""), midnight + hour);
	assert_int_equal(notifier_quiet_until(midnight + hour, "00:00", "01:00", ""), midnight + hour);
	assert_int_equal(notifier_quiet_until(midnight, "9:00", "07:00", ""), midnight);
	assert_int_equal(notifier_quiet_until(midnight, "25:00", "07:00", ""), midnight);
	assert_int_equal(notifier_quiet_until(midnight, "", "", "Mars/Olympus"), midnight);
	assert_int_equal(notifier_quiet_until(midnight, "22:00", "07:00", "Mars/Olympus"), midnight + 7 * hour);
	/* Berlin goes to summer time on 2026-03-29 at 01:00Z: 07:00 there is 05:00Z that morning. */
	const int64_t before = INT64_C(1774742400000); /* 2026-03-29T00:00Z, 01:00 in Berlin */
	assert_int_equal(notifier_quiet_until(before, "22:00", "07:00", "Europe/Berlin"), before + 5 * hour);
}

static void a_disk_in_trouble_puts_notices_off_and_they_go_when_it_is_well(void **state)
{
	struct fx *fx = *state;
	one_is_owed(fx);
	lose_the_folder(fx);
	fx_wait(fx, 1);
	assert_int_equal(nf_outcomes(fx, 0), 0);
	assert_string_equal(state_of(fx), "deferred");
	fx_restart(fx); /* makes the folder */
	fx_wait(fx, 59000);
	assert_int_equal(nf_files(fx), 0);
	fx_wait(fx, 1000);
	assert_int_equal(nf_files(fx), 1);
	assert_int_equal(nf_outcomes(fx, OUTCOME(TOLD)), 1);
}

static void after_five_days_of_trouble_it_is_given_up_with_its_reason(void **state)
{
	struct fx *fx = *state;
	one_is_owed(fx);
	use_pigeon();
	pigeon.stop_before_dot = true;
	pigeon.result = RESULT_LATER;
	pigeon.reason = "451 greylisted";
	for (int hours = 0; hours <= 5 * 24 + 4; hours++)
		fx_wait(fx, 3600000);
	assert_int_equal(nf_outcomes(fx, OUTCOME(GAVE_UP)), 1);
	assert_int_equal(nf_outcomes(fx, 0), 1);
	assert_string_equal(fx->outputs[0]->delivery->reason, "451 greylisted");
	assert_int_equal(pigeon.dots, 0);
	assert_in_range(pigeon.begun, 25, 40); /* 1, 5, 15, 60 minutes, then each 4 hours */
	assert_string_equal(state_of(fx), "dead");
}

static void a_refusal_is_final(void **state)
{
	struct fx *fx = *state;
	one_is_owed(fx);
	use_pigeon();
	pigeon.stop_before_dot = true;
	pigeon.result = RESULT_BOUNCED;
	pigeon.reason = "550 no such user";
	fx_wait(fx, 1);
	fx_wait(fx, 3600000);
	assert_int_equal(nf_outcomes(fx, OUTCOME(BOUNCED)), 1);
	assert_int_equal(pigeon.begun, 1);
}

static void a_kill_between_dot_and_answer_writes_the_same_file_again(void **state)
{
	struct fx *fx = *state;
	struct hy_id id = nf_notice(7, 1, 1, HUIYIN__NOTICE_KIND__NOTICE_RESOLVED);
	one_is_owed(fx);
	use_file_that_never_answers();
	fx_wait(fx, 1);
	assert_string_equal(state_of(fx), "dot");
	char *first = nf_mail(fx, id);
	assert_non_null(first);
	fx_restart(fx);
	fx_wait(fx, 1); /* no ten minutes here: a repeat does no harm */
	assert_string_equal(state_of(fx), "sent");
	char *second = nf_mail(fx, id);
	assert_string_equal(first, second);
	assert_int_equal(nf_files(fx), 1);
	assert_int_equal(nf_outcomes(fx, OUTCOME(TOLD)), 1);
	assert_int_equal(nf_number(fx, "duplicated"), 0);
	free(first);
	free(second);
}

static void no_dot_leaves_before_its_commit(void **state)
{
	struct fx *fx = *state;
	one_is_owed(fx);
	use_pigeon();
	pigeon.answers = true;
	pigeon.result = RESULT_SENT;
	assert_int_equal(hy_daemon_tick(fx->daemon), HY_OK); /* the fan-out */
	assert_int_equal(pigeon.dots, 1);
	nf_happens(fx, 7, EVENT(EVENT_REOPENED), STATE(REOPENED), 2, 0, NULL, NULL);
	nf_resolve(fx, 7, 2, "好了", NULL);
	hy_store_fail_commits(hy_daemon_store(fx->daemon), HY_FULL, 1000);
	fx->now_ms += 1;
	hy_clock_stand(fx->now_ms);
	hy_daemon_tick(fx->daemon);
	hy_daemon_tick(fx->daemon);
	assert_int_equal(pigeon.dots, 1);
	hy_store_fail_commits(hy_daemon_store(fx->daemon), HY_FULL, 0);
	for (int i = 0; i < 20; i++) { /* pauses are over */
		fx->now_ms += 1000;
		hy_clock_stand(fx->now_ms);
		hy_daemon_tick(fx->daemon);
	}
	assert_int_equal(pigeon.dots, 2);
	assert_int_equal(nf_outcomes(fx, OUTCOME(TOLD)), 2);
}

static void a_kill_after_the_dot_costs_one_copy_at_most(void **state)
{
	struct fx *fx = *state;
	one_is_owed(fx);
	use_pigeon();
	fx_wait(fx, 1);
	assert_int_equal(pigeon.dots, 1); /* no answer, and then: */
	restart(fx);
	fx_wait(fx, 1);
	assert_string_equal(state_of(fx), "dot");
	fx_wait(fx, 9 * 60000);
	assert_int_equal(pigeon.dots, 1); /* the other side is given ten minutes */
	fx_wait(fx, 60000);
	assert_int_equal(pigeon.dots, 2); /* once more: the same Message-ID and Date */
	restart(fx);
	for (int i = 0; i < 50; i++)
		fx_wait(fx, 3600000);
	assert_int_equal(pigeon.dots, 2); /* never a third by itself */
	assert_string_equal(state_of(fx), "held");
	assert_int_equal(nf_outcomes(fx, OUTCOME(HELD)), 1);
	assert_int_equal(nf_number(fx, "held"), 1);
	assert_int_equal(staff(fx, "delivery.drop"), HY_OK);
	assert_int_equal(nf_outcomes(fx, OUTCOME(GAVE_UP)), 1);
	assert_int_equal(nf_number(fx, "held"), 0);
	assert_int_equal(nf_number(fx, "duplicated"), 1);
	assert_int_equal(nf_number(fx, "unaccounted"), 0);
}

static void with_hold_an_unknown_one_waits_for_staff(void **state)
{
	(void)state;
	struct fx *fx = nf_open("follow_up: { receipt: no }\nnotify: { unknown: hold }\n");
	one_is_owed(fx);
	use_pigeon();
	fx_wait(fx, 1);
	restart(fx);
	fx_wait(fx, 11 * 60000);
	assert_int_equal(pigeon.dots, 1);
	assert_string_equal(state_of(fx), "held");
	assert_int_equal(nf_outcomes(fx, OUTCOME(HELD)), 1);
	pigeon.answers = true;
	pigeon.result = RESULT_SENT;
	assert_int_equal(staff(fx, "delivery.resend"), HY_OK);
	fx_wait(fx, 1);
	assert_int_equal(nf_outcomes(fx, OUTCOME(TOLD)), 1);
	assert_int_equal(nf_number(fx, "held"), 0);
	assert_int_equal(staff(fx, "delivery.resend"), HY_NOT_FOUND);
	fx_close(fx);
}

static void a_broken_connection_after_the_dot_is_unknown_too(void **state)
{
	struct fx *fx = *state;
	one_is_owed(fx);
	use_pigeon();
	pigeon.answers = true;
	pigeon.result = RESULT_UNKNOWN;
	fx_wait(fx, 1);
	assert_int_equal(pigeon.dots, 1);
	fx_wait(fx, 60000);
	assert_int_equal(pigeon.dots, 1);
	assert_int_equal(staff(fx, "delivery.drop"), HY_BAD_STATE);
	pigeon.result = RESULT_SENT;
	fx_wait(fx, 9 * 60000);
	assert_int_equal(pigeon.dots, 2);
	assert_int_equal(nf_outcomes(fx, OUTCOME(TOLD)), 1);
}

static void a_dot_that_is_answered_with_later_is_no_copy(void **state)
{
	struct fx *fx = *state;
	one_is_owed(fx);
	use_pigeon();
	pigeon.answers = true;
	pigeon.result = RESULT_LATER;
	pigeon.reason = "451 try again";
	for (int i = 0; i < 4; i++)
		fx_wait(fx, 4 * 3600000);
	assert_int_equal(pigeon.dots, 4);
	assert_string_equal(state_of(fx), "deferred");
	assert_int_equal(number_of(fx, "copies"), 0);
	assert_int_equal(number_of(fx, "tries"), 4);
	pigeon.result = RESULT_UNKNOWN; /* the first that may have arrived: one more is in order */
	fx_wait(fx, 4 * 3600000);
	assert_string_equal(state_of(fx), "dot");
	assert_int_equal(number_of(fx, "copies"), 1);
	pigeon.stop_before_dot = true;
	pigeon.result = RESULT_LATER;
	fx_wait(fx, 10 * 60000); /* refused before its dot: the first one may still have arrived */
	assert_string_equal(state_of(fx), "deferred");
	assert_int_equal(number_of(fx, "copies"), 1);
	assert_int_equal(number_of(fx, "tries"), 6);
	pigeon.stop_before_dot = false;
	pigeon.result = RESULT_SENT;
	fx_wait(fx, 4 * 3600000);
	assert_string_equal(state_of(fx), "sent");
	assert_int_equal(number_of(fx, "copies"), 2);
	assert_int_equal(nf_number(fx, "duplicated"), 1);
}

static void greylisting_at_the_dot_duplicates_nothing(void **state)
{
	struct fx *fx = *state;
	one_is_owed(fx);
	use_pigeon();
	pigeon.answers = true;
	pigeon.result = RESULT_LATER;
	pigeon.reason = "451 greylisted";
	fx_wait(fx, 1);
	fx_wait(fx, 60000);
	pigeon.result = RESULT_SENT;
	fx_wait(fx, 5 * 60000);
	assert_int_equal(pigeon.dots, 3);
	assert_int_equal(nf_outcomes(fx, OUTCOME(TOLD)), 1);
	assert_int_equal(number_of(fx, "copies"), 1);
	assert_int_equal(nf_number(fx, "duplicated"), 0);
}

static void an_answer_that_takes_long_is_waited_for(void **state)
{
	struct fx *fx = *state;
	one_is_owed(fx);
	use_pigeon();
	fx_wait(fx, 1);
	fx_wait(fx, 11 * 60000); /* its place in the queue comes up, but it is on its way */
	assert_int_equal(pigeon.dots, 1);
	notifier_transfer_done(pigeon.waiting[0], RESULT_SENT, "%s", "");
	fx_wait(fx, 1);
	assert_int_equal(nf_outcomes(fx, OUTCOME(TOLD)), 1);
	assert_int_equal(nf_number(fx, "pending"), 0);
}

static void all_that_is_due_shares_its_commits(void **state)
{
	struct fx *fx = *state;
	for (uint64_t i = 1; i <= 50; i++) {
		char email[40];
		snprintf(email, sizeof(email), "p%d@example.com", (int)i);
		nf_join(fx, 7, 1, &(struct nf_voice){ .who = i, .feedback = i, .email = email });
	}
	nf_resolve(fx, 7, 1, "好了", NULL);
	use_pigeon();
	fx_wait(fx, 1);
	assert_int_equal(pigeon.count, 50);
	for (size_t i = 0; i < 50; i++)
		notifier_transfer_done(
			pigeon.waiting[i], i % 2 ? RESULT_SENT : RESULT_NEVER, "%s", i % 2 ? "" : "554 no");
	fx_wait(fx, 1);
	assert_int_equal(nf_outcomes(fx, OUTCOME(TOLD)), 25);
	assert_int_equal(nf_outcomes(fx, OUTCOME(REFUSED)), 25);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, nf_setup, nf_teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_states_lead_only_where_they_should),
		cmocka_unit_test(quiet_hours_know_midnight_and_time_zones),
		T(a_disk_in_trouble_puts_notices_off_and_they_go_when_it_is_well),
		T(after_five_days_of_trouble_it_is_given_up_with_its_reason),
		T(a_refusal_is_final),
		T(a_kill_between_dot_and_answer_writes_the_same_file_again),
		T(no_dot_leaves_before_its_commit),
		T(a_kill_after_the_dot_costs_one_copy_at_most),
		cmocka_unit_test(with_hold_an_unknown_one_waits_for_staff),
		T(a_broken_connection_after_the_dot_is_unknown_too),
		T(a_dot_that_is_answered_with_later_is_no_copy),
		T(greylisting_at_the_dot_duplicates_nothing),
		T(an_answer_that_takes_long_is_waited_for),
		T(all_that_is_due_shares_its_commits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
