// link: hy_notifier hy_template hy_smtp_server
/* The mail channel: what a mail server's words do to a notice, to the next ones, and to what staff see. */
#include "notifier_fixture.h"

#include <signal.h>

#include "http/smtp_check.h"
#include "notifier/breaker.h"
#include "notifier/send.h"
#include "notifier/verp.h"
#include "support/smtp_server.h"

enum { TICKET = 7, MINUTE = 60000 };

static struct smtp_server *server;

static void start(struct fx **out, const char *unknown, const struct smtp_server_options *o, const char *more)
{
	char yaml[1024];
	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(smtp_server_open(&server, o), 0);
	snprintf(yaml, sizeof(yaml),
		"follow_up: { receipt: no }\n"
		"notify: { channel: smtp, from: 回音客服 <care@acme.example>, unknown: %s }\n"
		"smtp: { host: 127.0.0.1, port: %d, security: none, connections: 4, bounce: bounce@mail.acme.example%s "
		"}\n",
		unknown, smtp_server_port(server), more);
	*out = nf_open(yaml);
}

static int setup(void **state)
{
	start((struct fx **)state, "resend-once", &(struct smtp_server_options){ 0 }, "");
	return 0;
}

static int setup_hold(void **state)
{
	start((struct fx **)state, "hold", &(struct smtp_server_options){ 0 }, "");
	return 0;
}

static int teardown(void **state)
{
	nf_teardown(state);
	smtp_server_close(&server);
	return 0;
}

/* The daemon's life, by hand, until the condition holds. */
#define live_until(fx, condition)                                                                                      \
	for (int turns_ = 0; !(condition); turns_++) {                                                                 \
		assert_int_equal(hy_loop_turn(hy_daemon_loop((fx)->daemon), 5), HY_OK);                                \
		assert_int_equal(hy_daemon_tick((fx)->daemon), HY_OK);                                                 \
		if (turns_ > 6000)                                                                                     \
			fail_msg("never came: %s\n%s", #condition, smtp_server_story(server));                         \
	}

/* Time passes, and nothing of what was to come of it is waited for. */
static void live(struct fx *fx, int64_t ms)
{
	fx_wait(fx, ms);
	for (int i = 0; i < 10; i++) {
		assert_int_equal(hy_loop_turn(hy_daemon_loop(fx->daemon), 5), HY_OK);
		assert_int_equal(hy_daemon_tick(fx->daemon), HY_OK);
	}
}

static void raised_by(struct fx *fx, uint64_t who)
{
	char email[40];
	snprintf(email, sizeof(email), "p%d@example.com", (int)who);
	nf_join(fx, TICKET, 1, &(struct nf_voice){ .who = who, .feedback = who, .email = email });
}

/* Told of the outcome, with a wish of the server's first. */
static void resolve(struct fx *fx)
{
	nf_resolve(fx, TICKET, 1, "好了", NULL);
	fx_wait(fx, 1); /* the walk over those who wait */
}

static void rule(enum smtp_at at, enum smtp_does does, const char *text)
{
	smtp_server_rule(server, &(struct smtp_rule){ .at = at, .does = does, .text = text });
}

/* What `delivery.show` says of the notice to `who`; new reference. */
static json_t *shown(struct fx *fx, uint64_t who)
{
	char id[HY_ID_TEXT];
	json_t *o;
	hy_id_text(nf_notice(TICKET, 1, who, HUIYIN__NOTICE_KIND__NOTICE_RESOLVED), id);
	assert_int_equal(fx_ask(fx, "delivery.show", (const char *[]){ "notice", id, NULL }, &o), HY_OK);
	return o;
}

static bool is(struct fx *fx, uint64_t who, const char *name, const char *value)
{
	json_t *o = shown(fx, who);
	const char *text = json_string_value(json_object_get(o, name));
	bool same = text && strcmp(text, value) == 0;
	json_decref(o);
	return same;
}

static json_int_t number(struct fx *fx, uint64_t who, const char *name)
{
	json_t *o = shown(fx, who);
	json_int_t n = json_integer_value(json_object_get(o, name));
	json_decref(o);
	return n;
}

static json_t *health(struct fx *fx)
{
	json_t *o = json_object();
	nf.channel->health(nf.channel_self, o);
	(void)fx;
	json_t *smtp = json_incref(json_object_get(o, "smtp"));
	json_decref(o);
	return smtp;
}

static bool refused(struct fx *fx)
{
	json_t *o = health(fx);
	bool yes = json_is_true(json_object_get(o, "refused"));
	json_decref(o);
	return yes;
}

static bool pauses(struct fx *fx)
{
	json_t *o = health(fx);
	bool yes = json_integer_value(json_object_get(o, "next_ms")) > 0 &&
		   *json_string_value(json_object_get(o, "words"));
	json_decref(o);
	return yes;
}

/* ---- what becomes of a notice ---- */

static void everybody_is_told_once_over_few_connections(void **state)
{
	struct fx *fx = *state;
	for (uint64_t who = 1; who <= 60; who++)
		raised_by(fx, who);
	resolve(fx);
	live_until(fx, nf_outcomes(fx, OUTCOME(TOLD)) == 60);
	assert_int_equal(smtp_server_taken(server, NULL), 60);
	assert_int_equal(smtp_server_copies(server, NULL), 1);
	assert_true(smtp_server_count(server, SMTP_CONNECTED) <= 4);
	assert_null(smtp_server_stranger(server));
	assert_int_equal(nf_number(fx, "pending"), 0);
	assert_int_equal(nf_number(fx, "unaccounted"), 0);
	for (size_t i = 0; i < 60; i++)
		assert_false(smtp_server_message(server, i)->torn);
}

static void a_mail_s_sender_leads_a_bounce_back_to_its_notice(void **state)
{
	struct fx *fx = *state;
	raised_by(fx, 1);
	resolve(fx);
	live_until(fx, nf_outcomes(fx, OUTCOME(TOLD)) == 1);
	const struct smtp_message *m = smtp_server_message(server, 0);
	struct hy_id notice, expected = nf_notice(TICKET, 1, 1, HUIYIN__NOTICE_KIND__NOTICE_RESOLVED);
	assert_memory_equal(m->from, "bounce+", 7);
	assert_non_null(strstr(m->from, "@mail.acme.example"));
	assert_true(verp_read(&nf.follow_up_key, m->from, &notice));
	assert_true(hy_id_equal(notice, expected));
	assert_non_null(strstr(m->data, "<care@acme.example>"));
	assert_null(strstr(m->data, "bounce+"));
}

static void what_the_server_says_of_a_recipient_decides(void **state)
{
	struct fx *fx = *state;
	static const struct {
		enum smtp_at at;
		const char *text;
		Huiyin__Outcome outcome;
		const char *reason;
	} rows[] = {
		{ SMTP_AT_RCPT, "550 5.1.1 nobody of that name\r\n", OUTCOME(BOUNCED),
			"550 5.1.1 nobody of that name" },
		{ SMTP_AT_RCPT, "553 no such mailbox\r\n", OUTCOME(BOUNCED), "553 no such mailbox" },
		{ SMTP_AT_RCPT, "550 5.7.1 not from you\r\n", OUTCOME(REFUSED), "550 5.7.1 not from you" },
		{ SMTP_AT_RCPT, "552 5.2.2 full\r\n", OUTCOME(REFUSED), "552 5.2.2 full" },
		{ SMTP_AT_DATA, "554 no\r\n", OUTCOME(REFUSED), "554 no" },
		{ SMTP_AT_DOT, "554 5.7.1 looks like spam\r\n", OUTCOME(REFUSED), "554 5.7.1 looks like spam" },
		{ SMTP_AT_DOT, "550 5.1.1 gone\r\n", OUTCOME(BOUNCED), "550 5.1.1 gone" },
		{ SMTP_AT_DOT, "550 no\r\n", OUTCOME(REFUSED), "550 no" },
	};
	size_t count = sizeof(rows) / sizeof(*rows);
	for (size_t i = 0; i < count; i++) {
		char to[40];
		snprintf(to, sizeof(to), "p%zu@example.com", i + 1);
		smtp_server_rule(server,
			&(struct smtp_rule){ .at = rows[i].at, .does = SMTP_SAYS, .text = rows[i].text, .to = to });
		raised_by(fx, i + 1);
	}
	resolve(fx);
	live_until(fx, nf_outcomes(fx, 0) == count);
	for (size_t i = 0; i < count; i++) {
		if (!is(fx, i + 1, "outcome", notifier_outcome_name(rows[i].outcome)) ||
			!is(fx, i + 1, "reason", rows[i].reason))
			fail_msg("row %zu: %s", i, json_dumps(shown(fx, i + 1), 0));
		assert_int_equal(number(fx, i + 1, "copies"), 0);
	}
	assert_false(refused(fx));
}

static void long_words_are_cut_between_characters(void **state)
{
	struct fx *fx = *state;
	char text[1000] = "550 5.7.1 x";
	for (int i = 0; i < 100; i++)
		strcat(text, "邮件");
	strcat(text, "\r\n");
	rule(SMTP_AT_RCPT, SMTP_SAYS, text);
	raised_by(fx, 1);
	resolve(fx);
	live_until(fx,
		nf_outcomes(fx, OUTCOME(REFUSED)) == 1); /* fx reads it through the gate, which refuses torn UTF-8 */
}

static void one_that_is_put_off_goes_again_by_the_schedule(void **state)
{
	struct fx *fx = *state;
	rule(SMTP_AT_RCPT, SMTP_SAYS, "451 4.7.1 greylisted\r\n");
	raised_by(fx, 1);
	resolve(fx);
	live_until(fx, is(fx, 1, "state", "deferred"));
	assert_true(is(fx, 1, "reason", "451 4.7.1 greylisted"));
	assert_int_equal(number(fx, 1, "tries"), 1);
	live(fx, MINUTE / 2);
	assert_int_equal(number(fx, 1, "tries"), 1);
	fx_wait(fx, MINUTE);
	live_until(fx, number(fx, 1, "tries") == 2);
	smtp_server_behave(server);
	live(fx, 4 * MINUTE);
	assert_true(is(fx, 1, "state", "deferred"));
	fx_wait(fx, MINUTE);
	live_until(fx, nf_outcomes(fx, OUTCOME(TOLD)) == 1);
	assert_int_equal(smtp_server_taken(server, NULL), 1);
	assert_false(refused(fx));
}

static void one_person_is_told_one_thing_at_a_time(void **state)
{
	struct fx *fx = *state;
	rule(SMTP_AT_DOT, SMTP_WITHHOLD, NULL);
	raised_by(fx, 1);
	nf_join(fx, 8, 1,
		&(struct nf_voice){ .who = 2, .feedback = 80, .email = "P1@Example.com" }); /* the same mailbox */
	raised_by(fx, 3);
	resolve(fx);
	nf_resolve(fx, 8, 1, "好了", NULL);
	fx_wait(fx, 1);
	live_until(fx, smtp_server_count(server, SMTP_WITHHELD) == 2);
	live(fx, 1);
	assert_int_equal(smtp_server_count(server, SMTP_WITHHELD), 2);
	assert_int_equal(smtp_server_count(server, SMTP_CONNECTED), 2);
	smtp_server_behave(server);
	smtp_server_release(server);
	live_until(fx, nf_outcomes(fx, OUTCOME(TOLD)) == 3);
}

/* Whoever waits for a server's answer, for a free connection or for a pause to end sleeps meanwhile. */
static void waiting_costs_nothing(void **state)
{
	struct fx *fx = *state;
	rule(SMTP_AT_DOT, SMTP_WITHHOLD, NULL);
	for (uint64_t who = 1; who <= 10; who++)
		raised_by(fx, who);
	resolve(fx);
	live_until(fx, smtp_server_count(server, SMTP_WITHHELD) == 4);
	live(fx, 1);
	assert_int_equal(notifier_send_work(&nf), -1);
	smtp_server_behave(server);
	smtp_server_down(server);
	live_until(fx, pauses(fx));
	live(fx, 1);
	int64_t wait_ms = notifier_send_work(&nf);
	assert_true(wait_ms > 0 && wait_ms <= MINUTE);
}

/* ---- unknown ---- */

static void a_dot_without_an_answer_goes_once_more_as_the_same_mail(void **state)
{
	struct fx *fx = *state;
	rule(SMTP_AT_DOT, SMTP_CLOSES, NULL);
	raised_by(fx, 1);
	resolve(fx);
	live_until(fx, smtp_server_taken(server, NULL) == 1);
	live(fx, 9 * MINUTE);
	assert_true(is(fx, 1, "state", "dot"));
	assert_int_equal(number(fx, 1, "copies"), 1);
	json_t *o = shown(fx, 1);
	assert_non_null(json_string_value(json_object_get(o, "reason"))); /* staff see why it waits */
	json_decref(o);
	fx_wait(fx, 2 * MINUTE);
	live_until(fx, smtp_server_taken(server, NULL) == 2);
	live(fx, 11 * MINUTE);
	live_until(fx, is(fx, 1, "state", "held")); /* twice unknown: never a third */
	assert_int_equal(smtp_server_taken(server, NULL), 2);
	const struct smtp_message *a = smtp_server_message(server, 0), *b = smtp_server_message(server, 1);
	assert_int_equal(a->size, b->size);
	assert_memory_equal(a->data, b->data, a->size); /* Message-ID and Date among it */
	assert_string_equal(a->from, b->from);
	assert_int_equal(nf_outcomes(fx, OUTCOME(HELD)), 1);
}

static void after_a_restart_an_unknown_one_waits_its_ten_minutes_too(void **state)
{
	struct fx *fx = *state;
	rule(SMTP_AT_DOT, SMTP_WITHHOLD, NULL);
	raised_by(fx, 1);
	resolve(fx);
	live_until(fx, smtp_server_count(server, SMTP_WITHHELD) == 1);
	fx_restart(fx);
	smtp_server_behave(server);
	smtp_server_release(server);
	live(fx, 9 * MINUTE);
	assert_true(is(fx, 1, "state", "dot"));
	assert_int_equal(smtp_server_taken(server, NULL), 1);
	fx_wait(fx, 2 * MINUTE);
	live_until(fx, nf_outcomes(fx, OUTCOME(TOLD)) == 1);
	assert_int_equal(smtp_server_taken(server, NULL), 2);
	assert_int_equal(nf_number(fx, "duplicated"), 1);
}

static void what_is_held_when_unknown_is_never_sent_twice(void **state)
{
	struct fx *fx = *state;
	rule(SMTP_AT_DOT, SMTP_WITHHOLD, NULL);
	raised_by(fx, 1);
	resolve(fx);
	live_until(fx, smtp_server_count(server, SMTP_WITHHELD) == 1);
	fx_restart(fx);
	smtp_server_behave(server);
	smtp_server_release(server);
	fx_wait(fx, 11 * MINUTE);
	live_until(fx, is(fx, 1, "state", "held"));
	live(fx, 60 * MINUTE);
	assert_int_equal(smtp_server_taken(server, NULL), 1);
	char id[HY_ID_TEXT]; /* but by staff, who have looked */
	hy_id_text(nf_notice(TICKET, 1, 1, HUIYIN__NOTICE_KIND__NOTICE_RESOLVED), id);
	assert_int_equal(fx_ask(fx, "delivery.resend", (const char *[]){ "notice", id, NULL }, NULL), HY_OK);
	live_until(fx, nf_outcomes(fx, OUTCOME(TOLD)) == 1);
	assert_int_equal(smtp_server_taken(server, NULL), 2);
}

static void one_that_never_reached_its_dot_goes_at_once_after_a_restart(void **state)
{
	struct fx *fx = *state;
	rule(SMTP_AT_DATA, SMTP_WITHHOLD, NULL);
	raised_by(fx, 1);
	resolve(fx);
	live_until(fx, smtp_server_count(server, SMTP_WITHHELD) == 1);
	fx_restart(fx);
	smtp_server_behave(server);
	smtp_server_release(server);
	live_until(fx, nf_outcomes(fx, OUTCOME(TOLD)) == 1);
	assert_int_equal(smtp_server_taken(server, NULL), 1);
}

/* ---- the server refuses us ---- */

static void a_server_that_refuses_us_is_held_against_nobody(void **state)
{
	struct fx *fx = *state;
	static const struct {
		enum smtp_at at;
		const char *text;
	} rows[] = { { SMTP_AT_GREETING, "554 5.7.1 not you\r\n" }, { SMTP_AT_EHLO, "550 no\r\n" },
		{ SMTP_AT_MAIL, "553 5.7.1 not your domain\r\n" }, { SMTP_AT_RCPT, "530 5.7.0 sign in first\r\n" } };
	for (uint64_t who = 1; who <= 20; who++)
		raised_by(fx, who);
	for (size_t i = 0; i < 4; i++) {
		rule(rows[i].at, SMTP_SAYS, rows[i].text);
		if (i == 0)
			resolve(fx);
		else
			fx_wait(fx, 11 * MINUTE); /* the longest pause is over: one tries */
		live_until(fx, pauses(fx));
		live(fx, 1);
		smtp_server_behave(server);
		/* a connection that stood would not be greeted again */
		smtp_server_down(server);
		assert_int_equal(smtp_server_up(server), 0);
	}
	assert_int_equal(nf_outcomes(fx, 0), 0);
	assert_int_equal(nf_number(fx, "pending"), 20);
	int64_t tries = 0;
	for (uint64_t who = 1; who <= 20; who++)
		tries += number(fx, who, "tries");
	assert_true(tries <= 4 + 3); /* those that were on their way, then one at a time: the others were not tried */
	fx_wait(fx, 11 * MINUTE);
	live_until(fx, !refused(fx));
	fx_wait(fx, 300 * MINUTE);
	live_until(fx, nf_outcomes(fx, OUTCOME(TOLD)) == 20);
}

static void a_server_that_is_away_for_a_week_costs_no_notice_and_no_hours_when_it_is_back(void **state)
{
	struct fx *fx = *state;
	raised_by(fx, 1);
	smtp_server_down(server);
	resolve(fx);
	live_until(fx, refused(fx));
	for (int i = 0; i < 7 * 6; i++) {
		fx_wait(fx, 240 * MINUTE);
		live_until(fx, pauses(fx)); /* one has tried */
	}
	assert_int_equal(nf_outcomes(fx, 0), 0);
	assert_int_equal(smtp_server_up(server), 0);
	fx_wait(fx, 11 * MINUTE);
	live_until(fx, nf_outcomes(fx, OUTCOME(TOLD)) == 1);
}

static void while_the_server_is_down_one_mail_finds_out(void **state)
{
	struct fx *fx = *state;
	for (uint64_t who = 1; who <= 30; who++)
		raised_by(fx, who);
	smtp_server_down(server);
	resolve(fx);
	live_until(fx, refused(fx));
	for (int i = 0; i < 10; i++)
		live(fx, MINUTE); /* down ten minutes */
	assert_int_equal(nf_outcomes(fx, 0), 0);
	int64_t tries = 0;
	for (uint64_t who = 1; who <= 30; who++)
		tries += number(fx, who, "tries");
	assert_true(tries >= 4 && tries <= 10);
	assert_int_equal(smtp_server_up(server), 0);
	fx_wait(fx, 10 * MINUTE);
	live_until(fx, nf_outcomes(fx, OUTCOME(TOLD)) >= 20);
	fx_wait(fx, 60 * MINUTE);
	live_until(fx, nf_outcomes(fx, OUTCOME(TOLD)) == 30);
	assert_int_equal(smtp_server_copies(server, NULL), 1);
	assert_false(refused(fx));
}

static void a_domain_that_puts_everybody_off_is_left_alone_and_others_are_not(void **state)
{
	struct fx *fx = *state;
	for (uint64_t who = 1; who <= 60; who++) {
		char email[40];
		snprintf(email, sizeof(email), "p%d@%s.example", (int)who, who <= 40 ? "busy" : "fine");
		nf_join(fx, TICKET, 1, &(struct nf_voice){ .who = who, .feedback = who, .email = email });
	}
	for (int i = 1; i <= 40; i++) {
		char to[40];
		snprintf(to, sizeof(to), "p%d@busy.example", i);
		smtp_server_rule(server,
			&(struct smtp_rule){
				.at = SMTP_AT_RCPT, .does = SMTP_SAYS, .text = "450 4.2.0 later\r\n", .to = to });
	}
	resolve(fx);
	live_until(fx, nf_outcomes(fx, OUTCOME(TOLD)) == 20);
	live(fx, 1);
	int64_t tries = 0;
	for (uint64_t who = 1; who <= 40; who++)
		tries += number(fx, who, "tries");
	assert_true(tries >= 20 && tries < 30);
	assert_false(refused(fx));
	smtp_server_behave(server);
	for (int i = 0; i < 6; i++)
		live(fx, 2 * MINUTE);
	live_until(fx, nf_outcomes(fx, OUTCOME(TOLD)) == 60);
}

/* ---- its settings ---- */

static void the_password_comes_from_its_file_and_nothing_goes_without_it(void **state)
{
	(void)state;
	struct fx *fx;
	char yaml[512];
	struct hy_fault f = { 0 };
	assert_int_equal(
		smtp_server_open(&server, &(struct smtp_server_options){ .user = "care", .password = "open sesame" }),
		0);
	snprintf(yaml, sizeof(yaml),
		"follow_up: { receipt: no }\nnotify: { channel: smtp, from: a@acme.example }\n"
		"smtp: { host: 127.0.0.1, port: %d, security: none, user: care }\n",
		smtp_server_port(server));
	fx = nf_open("{}\n");
	hy_daemon_close(&fx->daemon);
	fx_write(fx->dir, "huiyin.yaml", yaml);
	struct hy_daemon_options o = { .dir = fx->dir, .offline = true };
	assert_int_not_equal(hy_daemon_open(&fx->daemon, &notifier_service, &nf, &o, &f), HY_OK);
	assert_non_null(strstr(f.text, "smtp.password"));
	hy_daemon_close(&fx->daemon);
	fx_write(fx->dir, "keys/smtp.password", "open sesame\n");
	char path[4096];
	snprintf(path, sizeof(path), "%s/keys/smtp.password", fx->dir);
	assert_int_equal(chmod(path, 0600), 0);
	fx_start(fx);
	raised_by(fx, 1);
	resolve(fx);
	live_until(fx, nf_outcomes(fx, OUTCOME(TOLD)) == 1);
	const struct smtp_message *m = smtp_server_message(server, 0);
	assert_string_equal(m->user, "care");
	assert_string_equal(m->from, "a@acme.example");
	fx_close(fx);
	smtp_server_close(&server);
}

static void a_setting_that_can_not_be_is_refused_at_the_start(void **state)
{
	(void)state;
	static const struct {
		const char *from, *smtp, *word;
	} rows[] = {
		{ "a@acme.example", "port: 25", "smtp.host" },
		{ "a@acme.example", "host: 'a b'", "host" },
		{ "a@acme.example", "host: mail.acme.example, ehlo: 'a b'", "name" },
		{ "a@acme.example", "host: mail.acme.example, security: none, user: care", "clear" },
		{ "a@acme.example", "host: mail.acme.example, bounce: nobody", "smtp.bounce" },
		{ "a@acme.example", "host: mail.acme.example, bounce: a-very-long-bounce-address@acme.example",
			"smtp.bounce" },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char yaml[512];
		struct hy_conf *c;
		struct hy_fault f = { 0 };
		snprintf(yaml, sizeof(yaml), "notify: { channel: smtp, from: %s }\nsmtp: { %s }\n", rows[i].from,
			rows[i].smtp);
		char *dir = test_mkdir(), path[4096];
		fx_write(dir, "huiyin.yaml", yaml);
		snprintf(path, sizeof(path), "%s/huiyin.yaml", dir);
		const struct hy_conf_row *const tables[] = { notifier_service.conf, NULL };
		assert_int_equal(hy_conf_open(&c, path, tables, NULL), HY_OK);
		assert_int_equal(notifier_channel_smtp.check(c, &f), HY_CONFIG);
		if (!strstr(f.text, rows[i].word))
			fail_msg("row %zu: %s", i, f.text);
		hy_conf_close(&c);
		test_rmdir(dir);
	}
}

/* ---- its parts ---- */

static void a_bounce_address_is_read_back_and_no_other(void **state)
{
	(void)state;
	struct hy_secret k, other;
	char a[256], spoilt[256];
	memset(k.b, 1, sizeof(k.b));
	memset(other.b, 2, sizeof(other.b));
	for (unsigned n = 0; n < 200; n++) {
		struct hy_id id, back;
		for (size_t i = 0; i < 16; i++)
			id.b[i] = (uint8_t)(n * 37 + i * 11);
		verp_write(&k, "bounce@acme.example", id, a, sizeof(a));
		assert_true(hy_smtp_address_ok(a, NULL));
		assert_int_equal(strchr(a, '@') - a, 7 + VERP_TOKEN);
		assert_true(verp_read(&k, a, &back));
		assert_true(hy_id_equal(id, back));
		assert_false(verp_read(&other, a, &back));
		snprintf(spoilt, sizeof(spoilt), "%s", a);
		for (char *c = spoilt; *c; c++)
			*c = (char)(*c >= 'a' && *c <= 'z' ? *c - 32 : *c);
		assert_true(verp_read(&k, spoilt, &back));
		for (int i = 7; a[i] != '@'; i++) {
			snprintf(spoilt, sizeof(spoilt), "%s", a);
			spoilt[i] = a[i] == 'a' ? 'b' : 'a';
			assert_false(verp_read(&k, spoilt, &back));
		}
	}
	static const char *const never[] = { "", "@", "bounce@acme.example", "bounce+@acme.example",
		"bounce+abc@acme.example", "+", "bounce+111111111111111111111111111111111111111@acme.example" };
	struct hy_id back;
	for (size_t i = 0; i < sizeof(never) / sizeof(*never); i++)
		assert_false(verp_read(&k, never[i], &back));
}

static void a_breaker_waits_longer_each_time_and_forgets_when_it_is_mended(void **state)
{
	(void)state;
	struct breaker b = { 0 };
	static const int minutes[] = { 1, 2, 5, 10, 10, 10 };
	int64_t now = 1000;
	assert_int_equal(breaker_wait(&b, now), 0);
	for (size_t i = 0; i < 6; i++) {
		assert_int_equal(breaker_trip(&b, now), minutes[i] * MINUTE);
		assert_int_equal(
			breaker_trip(&b, now + 10), minutes[i] * MINUTE - 10); /* others that were on their way */
		now += minutes[i] * MINUTE;
		assert_int_equal(breaker_wait(&b, now - 1), 1);
		assert_int_equal(breaker_wait(&b, now), 0);
	}
	breaker_mend(&b);
	assert_int_equal(breaker_trip(&b, now), MINUTE);
}

static void of_many_domains_the_longest_unheard_of_is_forgotten(void **state)
{
	(void)state;
	struct breaker_domains *d = calloc(1, sizeof(*d));
	for (int i = 0; i < BREAKER_ROW; i++)
		breaker_said_later(d, "a@Busy.example", 1);
	assert_int_equal(breaker_domain_wait(d, "b@busy.EXAMPLE", 1), MINUTE);
	assert_int_equal(breaker_domain_wait(d, "b@other.example", 1), 0);
	breaker_probes(d, "b@busy.example", 2 * MINUTE);
	assert_int_equal(
		breaker_domain_wait(d, "c@busy.example", 2 * MINUTE), MINUTE); /* they wait for what it hears */
	for (int i = 0; i < BREAKER_DOMAINS; i++) {
		char to[40];
		snprintf(to, sizeof(to), "a@d%d.example", i);
		breaker_said_later(d, to, 10 + i);
	}
	assert_int_equal(breaker_domain_wait(d, "c@busy.example", 2 * MINUTE), 0);
	for (int i = 0; i < BREAKER_ROW - 1; i++)
		breaker_said_later(d, "a@d5.example", 100);
	assert_true(breaker_domain_wait(d, "a@d5.example", 100) > 0);
	breaker_said_yes(d, "x@d5.example");
	assert_int_equal(breaker_domain_wait(d, "a@d5.example", 100), 0);
	free(d);
}

/* Whatever names, subjects and notes hold, what is written can be said to a mail server. */
static void no_words_of_anybody_make_a_message_that_can_not_be_sent(void **state)
{
	(void)state;
	struct hy_buffer nasty = { 0 }, out = { 0 };
	struct notifier_sender sender = { .address = "care@acme.example" };
	struct hy_fault f = { 0 };
	for (int i = 0; i < 400; i++)
		hy_buffer_text(&nasty,
			i % 3 ? "很长很长的话.\r\n.\r\nMAIL FROM:<x@y>\n\r" : "a-word-without-any-blank-in-it-");
	memset(sender.name, 'n', sizeof(sender.name) - 1);
	struct notifier_mail m = {
		.from = &sender,
		.to = "li@example.com",
		.to_name = hy_buffer_view(&nasty),
		.language = "zh",
		.date_ms = FX_NOW,
		.subject = hy_buffer_view(&nasty),
		.text = hy_buffer_view(&nasty),
		.html = hy_buffer_view(&nasty),
	};
	assert_int_equal(notifier_mail_write(&m, &out), HY_OK);
	if (smtp_message_check(hy_buffer_view(&out), &f) != HY_OK)
		fail_msg("%s", f.text);
	hy_buffer_free(&nasty);
	hy_buffer_free(&out);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(everybody_is_told_once_over_few_connections),
		T(a_mail_s_sender_leads_a_bounce_back_to_its_notice),
		T(what_the_server_says_of_a_recipient_decides),
		T(long_words_are_cut_between_characters),
		T(one_that_is_put_off_goes_again_by_the_schedule),
		T(one_person_is_told_one_thing_at_a_time),
		T(waiting_costs_nothing),
		T(a_dot_without_an_answer_goes_once_more_as_the_same_mail),
		T(after_a_restart_an_unknown_one_waits_its_ten_minutes_too),
		cmocka_unit_test_setup_teardown(what_is_held_when_unknown_is_never_sent_twice, setup_hold, teardown),
		T(one_that_never_reached_its_dot_goes_at_once_after_a_restart),
		T(a_server_that_refuses_us_is_held_against_nobody),
		T(while_the_server_is_down_one_mail_finds_out),
		T(a_server_that_is_away_for_a_week_costs_no_notice_and_no_hours_when_it_is_back),
		T(a_domain_that_puts_everybody_off_is_left_alone_and_others_are_not),
		cmocka_unit_test(the_password_comes_from_its_file_and_nothing_goes_without_it),
		cmocka_unit_test(a_setting_that_can_not_be_is_refused_at_the_start),
		cmocka_unit_test(a_bounce_address_is_read_back_and_no_other),
		cmocka_unit_test(a_breaker_waits_longer_each_time_and_forgets_when_it_is_mended),
		cmocka_unit_test(of_many_domains_the_longest_unheard_of_is_forgotten),
		cmocka_unit_test(no_words_of_anybody_make_a_message_that_can_not_be_sent),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
