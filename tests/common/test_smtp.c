// link: hy_http hy_smtp_server
#include "support/test.h"

#include <signal.h>

#include "http/smtp.h"
#include "http/smtp_check.h"
#include "http/smtp_reply.h"
#include "support/smtp_server.h"

#define MESSAGE "Subject: hello\r\n\r\n.dot\r\n..two\r\n\r\nthe end\r\n"
#define PATIENCE 60000 /* ms */

/* One mail and what was heard of it. */
struct letter {
	struct fx *fx;
	struct hy_smtp_mail *mail;
	int at_dot, done;
	bool hold; /* the test passes it */
	struct hy_smtp_outcome o;
	char words[512];
};

struct fx {
	struct hy_loop *loop;
	struct smtp_server *server;
	struct hy_smtp *smtp;
	struct letter letters[64];
};

static int setup(void **state)
{
	struct fx *fx = calloc(1, sizeof(*fx));
	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(hy_loop_open(&fx->loop), HY_OK);
	for (size_t i = 0; i < 64; i++)
		fx->letters[i].fx = fx;
	*state = fx;
	return 0;
}

static int teardown(void **state)
{
	struct fx *fx = *state;
	hy_smtp_close(&fx->smtp);
	if (fx->server)
		smtp_server_close(&fx->server);
	hy_loop_close(&fx->loop);
	free(fx);
	return 0;
}

static void start_server(struct fx *fx, const struct smtp_server_options *o)
{
	assert_int_equal(smtp_server_open(&fx->server, o), 0);
}

static void start_engine(struct fx *fx, struct hy_smtp_options o)
{
	struct hy_fault f = { 0 };
	o.loop = fx->loop;
	o.host = o.host ? o.host : "127.0.0.1";
	o.port = o.port ? o.port : smtp_server_port(fx->server);
	o.ehlo = "mail.huiyin.example";
	if (hy_smtp_open(&fx->smtp, &o, &f) != HY_OK)
		fail_msg("%s", f.text);
}

/* A plain server without wishes, and an engine for it. */
static void start(struct fx *fx)
{
	start_server(fx, &(struct smtp_server_options){ 0 });
	start_engine(fx, (struct hy_smtp_options){ .tls = HY_SMTP_PLAIN });
}

static void on_dot(void *arg)
{
	struct letter *l = arg;
	l->at_dot++;
	if (!l->hold)
		hy_smtp_pass(l->mail);
}

static void on_done(void *arg, const struct hy_smtp_outcome *o)
{
	struct letter *l = arg;
	l->done++;
	l->o = *o;
	snprintf(l->words, sizeof(l->words), "%s", o->words);
	l->mail = NULL;
}

static int send_to(struct fx *fx, int n, const char *to)
{
	struct letter *l = &fx->letters[n];
	return hy_smtp_send(fx->smtp,
		&(struct hy_smtp_letter){ .from = "bounce@huiyin.example",
			.to = to,
			.message = HY_LIT(MESSAGE),
			.at_dot = on_dot,
			.done = on_done,
			.arg = l },
		&l->mail, NULL);
}

static void post(struct fx *fx, int n)
{
	char to[40];
	snprintf(to, sizeof(to), "u%d@example.com", n);
	assert_int_equal(send_to(fx, n, to), HY_OK);
}

/* Turns the loop until the condition holds, a minute at most. */
#define turn_until(fx, condition)                                                                                      \
	for (int turns_ = 0; !(condition); turns_++) {                                                                 \
		assert_int_equal(hy_loop_turn((fx)->loop, 10), HY_OK);                                                 \
		if (turns_ > 6000)                                                                                     \
			fail_msg("never came: %s\n%s", #condition, smtp_server_story((fx)->server));                   \
	}

static struct letter *delivered(struct fx *fx, int n)
{
	post(fx, n);
	turn_until(fx, fx->letters[n].done);
	return &fx->letters[n];
}

static void rule(struct fx *fx, enum smtp_at at, enum smtp_does does, const char *text)
{
	smtp_server_rule(fx->server, &(struct smtp_rule){ .at = at, .does = does, .text = text });
}

/* ---- the way of a mail ---- */

static void a_mail_stops_at_its_dot_and_goes_when_it_is_let_go(void **state)
{
	struct fx *fx = *state;
	start(fx);
	struct letter *l = &fx->letters[0];
	l->hold = true;
	post(fx, 0);
	assert_int_equal(l->at_dot + l->done, 0); /* never within hy_smtp_send() */
	turn_until(fx, l->at_dot);
	for (int i = 0; i < 10; i++)
		assert_int_equal(hy_loop_turn(fx->loop, 5), HY_OK);
	assert_int_equal(smtp_server_taken(fx->server, NULL), 0);
	assert_int_equal(l->at_dot, 1);
	hy_smtp_pass(l->mail);
	assert_int_equal(l->done, 0); /* never within hy_smtp_pass() */
	turn_until(fx, l->done);
	assert_true(l->o.passed);
	assert_true(l->o.answered);
	assert_int_equal(l->o.code, 250);
	assert_int_equal(l->o.stage, HY_SMTP_DOT);
	assert_true(l->words[0]);
	assert_int_equal(smtp_server_taken(fx->server, NULL), 1);
	const struct smtp_message *m = smtp_server_message(fx->server, 0);
	assert_string_equal(m->from, "bounce@huiyin.example");
	assert_string_equal(m->to, "u0@example.com");
	assert_string_equal(m->data, MESSAGE);
	assert_false(m->torn);
	assert_null(smtp_server_stranger(fx->server));
	assert_non_null(strstr(smtp_server_event(fx->server, 2)->text, "mail.huiyin.example"));
}

static void a_connection_is_kept_for_the_next_mail(void **state)
{
	struct fx *fx = *state;
	start(fx);
	for (int i = 0; i < 10; i++)
		assert_int_equal(delivered(fx, i)->o.code, 250);
	assert_int_equal(smtp_server_count(fx->server, SMTP_CONNECTED), 1);
	assert_int_equal(smtp_server_taken(fx->server, NULL), 10);
	assert_null(smtp_server_stranger(fx->server));
}

static void several_mails_wait_at_their_dots_together(void **state)
{
	struct fx *fx = *state;
	start(fx);
	for (int i = 0; i < 4; i++) {
		fx->letters[i].hold = true;
		post(fx, i);
	}
	assert_int_equal(send_to(fx, 4, "u4@example.com"), HY_BUSY); /* 4 connections unless more were asked for */
	turn_until(
		fx, fx->letters[0].at_dot && fx->letters[1].at_dot && fx->letters[2].at_dot && fx->letters[3].at_dot);
	assert_int_equal(smtp_server_taken(fx->server, NULL), 0);
	for (int i = 0; i < 4; i++)
		hy_smtp_pass(fx->letters[i].mail);
	turn_until(fx, fx->letters[0].done && fx->letters[1].done && fx->letters[2].done && fx->letters[3].done);
	for (int i = 0; i < 4; i++)
		assert_int_equal(fx->letters[i].o.code, 250);
	assert_int_equal(smtp_server_taken(fx->server, NULL), 4);
}

static void a_server_that_thinks_about_one_mail_holds_up_no_other(void **state)
{
	struct fx *fx = *state;
	start(fx);
	smtp_server_rule(
		fx->server, &(struct smtp_rule){ .at = SMTP_AT_DOT, .does = SMTP_WITHHOLD, .to = "u0@example.com" });
	post(fx, 0);
	turn_until(fx, smtp_server_count(fx->server, SMTP_WITHHELD) == 1);
	for (int i = 1; i < 20; i++)
		assert_int_equal(delivered(fx, i)->o.code, 250);
	assert_int_equal(fx->letters[0].done, 0);
	smtp_server_release(fx->server);
	turn_until(fx, fx->letters[0].done);
	assert_int_equal(fx->letters[0].o.code, 250);
}

/* ---- refusals ---- */

static void a_refusal_has_its_stage_its_code_and_its_words(void **state)
{
	struct fx *fx = *state;
	static const struct {
		enum smtp_at at;
		const char *text;
		int code;
		enum hy_smtp_stage stage;
		bool passed;
		const char *words;
	} rows[] = {
		{ SMTP_AT_MAIL, "553 5.7.1 not your domain\r\n", 553, HY_SMTP_FROM, false, "5.7.1 not your domain" },
		{ SMTP_AT_RCPT, "550-5.1.1 nobody here\r\n550 5.1.1 of that name\r\n", 550, HY_SMTP_TO, false,
			"5.1.1 nobody here 5.1.1 of that name" },
		{ SMTP_AT_RCPT, "451 4.7.1 请稍后再试\r\n", 451, HY_SMTP_TO, false, "4.7.1 请稍后再试" },
		{ SMTP_AT_DATA, "554 no\r\n", 554, HY_SMTP_DATA, false, "no" },
		{ SMTP_AT_DOT, "552 5.2.2 full\x1b[31m\r\n", 552, HY_SMTP_DOT, true, "5.2.2 full\\u{1b}[31m" },
		{ SMTP_AT_DOT, "451 later\r\n", 451, HY_SMTP_DOT, true, "later" },
		{ SMTP_AT_DOT, "250\r\n", 250, HY_SMTP_DOT, true, "" },
	};
	int count = sizeof(rows) / sizeof(*rows);
	start(fx);
	for (int i = 0; i < count; i++) {
		rule(fx, rows[i].at, SMTP_SAYS, rows[i].text);
		struct letter *l = delivered(fx, i);
		assert_int_equal(l->o.code, rows[i].code);
		assert_int_equal(l->o.stage, rows[i].stage);
		assert_int_equal(l->o.passed, rows[i].passed);
		assert_true(l->o.answered);
		assert_string_equal(l->words, rows[i].words);
		smtp_server_behave(fx->server);
	}
	assert_int_equal(delivered(fx, count)->o.code, 250);
	assert_int_equal(smtp_server_count(fx->server, SMTP_CONNECTED), 1); /* a refusal costs no connection */
	assert_null(smtp_server_stranger(fx->server));
}

static void a_server_that_will_have_none_of_us_says_so_in_its_greeting(void **state)
{
	struct fx *fx = *state;
	start(fx);
	rule(fx, SMTP_AT_GREETING, SMTP_SAYS, "554 5.7.1 your address is on a list\r\n");
	struct letter *l = delivered(fx, 0);
	assert_int_equal(l->o.stage, HY_SMTP_HELLO);
	assert_int_equal(l->o.code, 554);
	assert_string_equal(l->words, "5.7.1 your address is on a list");
	assert_false(l->o.passed);
	assert_int_equal(l->at_dot, 0);
}

static void nobody_listens(void **state)
{
	struct fx *fx = *state;
	start(fx);
	smtp_server_down(fx->server);
	struct letter *l = delivered(fx, 0);
	assert_int_equal(l->o.stage, HY_SMTP_CONNECT);
	assert_int_equal(l->o.code, 0);
	assert_false(l->o.answered);
	assert_false(l->o.passed);
	assert_true(l->words[0]);
	assert_int_equal(smtp_server_up(fx->server), 0);
	assert_int_equal(delivered(fx, 1)->o.code, 250);
}

/* ---- broken lines ---- */

static void a_line_that_breaks_before_the_dot_delivered_nothing(void **state)
{
	struct fx *fx = *state;
	static const struct {
		enum smtp_at at;
		enum smtp_does does;
		const char *text;
		enum hy_smtp_stage stage;
		int code;
	} rows[] = {
		{ SMTP_AT_GREETING, SMTP_CLOSES, NULL, HY_SMTP_HELLO, 0 },
		{ SMTP_AT_GREETING, SMTP_RESETS, NULL, HY_SMTP_HELLO, 0 },
		{ SMTP_AT_GREETING, SMTP_SAYS, "hello there\r\n", HY_SMTP_HELLO, 0 },
		{ SMTP_AT_EHLO, SMTP_CLOSES, NULL, HY_SMTP_HELLO, 0 },
		{ SMTP_AT_MAIL, SMTP_CLOSES, NULL, HY_SMTP_FROM, 0 },
		{ SMTP_AT_MAIL, SMTP_RESETS, NULL, HY_SMTP_FROM, 0 },
		{ SMTP_AT_MAIL, SMTP_CLOSES, "421 too busy\r\n", HY_SMTP_FROM, 421 },
		{ SMTP_AT_MAIL, SMTP_SAYS, "250 a\r\n250 b\r\n", HY_SMTP_FROM, 0 },
		{ SMTP_AT_RCPT, SMTP_CLOSES, NULL, HY_SMTP_TO, 0 },
		{ SMTP_AT_RCPT, SMTP_SAYS, "250-a\r\n251 b\r\n", HY_SMTP_TO, 0 },
		{ SMTP_AT_RCPT, SMTP_SAYS, "hm\r\n", HY_SMTP_TO, 0 },
		{ SMTP_AT_DATA, SMTP_CLOSES, "354 go\r\n", HY_SMTP_DATA, 0 },
		{ SMTP_AT_DATA, SMTP_RESETS, NULL, HY_SMTP_DATA, 0 },
		{ SMTP_AT_DATA, SMTP_SAYS, "250 so soon\r\n", HY_SMTP_DATA, 0 },
		{ SMTP_AT_RCPT, SMTP_NEVER_ENDS, "250-more\r\n", HY_SMTP_TO, 0 },
		{ SMTP_AT_RCPT, SMTP_NEVER_ENDS, "x", HY_SMTP_TO, 0 },
		{ SMTP_AT_GREETING, SMTP_NEVER_ENDS, "220-more\r\n", HY_SMTP_HELLO, 0 },
		{ SMTP_AT_EHLO, SMTP_NEVER_ENDS, "250-MORE\r\n", HY_SMTP_HELLO, 0 },
	};
	int count = sizeof(rows) / sizeof(*rows);
	start(fx);
	for (int i = 0; i < count; i++) {
		rule(fx, rows[i].at, rows[i].does, rows[i].text);
		struct letter *l = &fx->letters[i];
		l->hold = true; /* where the server leaves after 354 the mail may reach its dot first */
		post(fx, i);
		turn_until(fx, l->done || l->at_dot);
		if (!l->done) {
			turn_until(fx, smtp_server_count(fx->server, SMTP_GONE) ==
					       smtp_server_count(fx->server, SMTP_CONNECTED));
			hy_smtp_pass(l->mail);
			turn_until(fx, l->done);
		}
		/* a reset can come so soon that it reads as no connection at all */
		enum hy_smtp_stage stage = l->o.stage == HY_SMTP_CONNECT ? HY_SMTP_HELLO : l->o.stage;
		if (l->o.passed || stage != rows[i].stage || l->o.code != rows[i].code)
			fail_msg("row %d: passed %d stage %d code %d: %s", i, l->o.passed, (int)l->o.stage, l->o.code,
				l->words);
		assert_true(l->words[0]);
		smtp_server_behave(fx->server);
		hy_smtp_close(&fx->smtp);
		start_engine(fx, (struct hy_smtp_options){ .tls = HY_SMTP_PLAIN });
	}
	assert_int_equal(smtp_server_taken(fx->server, NULL), 0);
}

static void a_server_that_leaves_while_the_dot_waits_gets_no_dot(void **state)
{
	struct fx *fx = *state;
	start(fx);
	struct letter *l = &fx->letters[0];
	l->hold = true;
	post(fx, 0);
	turn_until(fx, l->at_dot);
	smtp_server_down(fx->server);
	assert_true(smtp_server_wait(fx->server, SMTP_GONE, 1, PATIENCE));
	for (int i = 0; i < 5; i++)
		assert_int_equal(hy_loop_turn(fx->loop, 5), HY_OK);
	assert_int_equal(l->done, 0); /* not before it is passed */
	hy_smtp_pass(l->mail);
	turn_until(fx, l->done);
	assert_false(l->o.passed);
	assert_false(l->o.answered);
	assert_int_equal(l->o.stage, HY_SMTP_DATA);
}

static void after_the_dot_a_broken_line_leaves_it_unknown(void **state)
{
	struct fx *fx = *state;
	static const struct {
		enum smtp_does does;
		const char *text;
	} rows[] = { { SMTP_CLOSES, NULL }, { SMTP_RESETS, NULL }, { SMTP_SAYS, "354 what?\r\n" },
		{ SMTP_SAYS, "nonsense\r\n" }, { SMTP_CLOSES, "25" }, { SMTP_NEVER_ENDS, "250-" },
		{ SMTP_SAYS_NOTHING, NULL } };
	start_server(fx, &(struct smtp_server_options){ 0 });
	start_engine(fx, (struct hy_smtp_options){ .tls = HY_SMTP_PLAIN, .dot_ms = 700 });
	for (int i = 0; i < 7; i++) {
		rule(fx, SMTP_AT_DOT, rows[i].does, rows[i].text);
		struct letter *l = delivered(fx, i);
		if (!l->o.passed || l->o.answered || l->o.code || l->o.stage != HY_SMTP_DOT)
			fail_msg("row %d: %d %d %d: %s", i, l->o.passed, l->o.answered, l->o.code, l->words);
		smtp_server_behave(fx->server);
	}
	assert_int_equal(smtp_server_taken(fx->server, NULL), 7);
}

static void a_second_reply_to_the_dot_ends_the_connection_and_nothing_else(void **state)
{
	struct fx *fx = *state;
	start(fx);
	rule(fx, SMTP_AT_DOT, SMTP_SAYS, "250 taken\r\n250 taken again\r\n");
	struct letter *l = delivered(fx, 0);
	assert_true(l->o.passed && l->o.answered);
	assert_int_equal(l->o.code, 250);
	assert_string_equal(l->words, "taken");
	smtp_server_behave(fx->server);
	assert_int_equal(delivered(fx, 1)->o.code, 250);
	assert_int_equal(smtp_server_count(fx->server, SMTP_CONNECTED), 2);
}

static void a_kept_connection_that_died_costs_the_next_mail_nothing(void **state)
{
	struct fx *fx = *state;
	start(fx);
	assert_int_equal(delivered(fx, 0)->o.code, 250);
	smtp_server_down(fx->server);
	assert_int_equal(smtp_server_up(fx->server), 0);
	assert_int_equal(delivered(fx, 1)->o.code, 250);
	/* one that dies with the word that it got, and one that says 421 to it */
	static const struct smtp_rule rules[] = { { .at = SMTP_AT_MAIL, .does = SMTP_CLOSES, .times = 1 },
		{ .at = SMTP_AT_MAIL, .does = SMTP_CLOSES, .text = "421 been here too long\r\n", .times = 1 } };
	for (int i = 0; i < 2; i++) {
		smtp_server_rule(fx->server, &rules[i]);
		assert_int_equal(delivered(fx, 2 + i)->o.code, 250);
		smtp_server_behave(fx->server);
	}
	assert_int_equal(smtp_server_count(fx->server, SMTP_CONNECTED), 4);
	/* once: a server that always does so is told of */
	rule(fx, SMTP_AT_MAIL, SMTP_CLOSES, NULL);
	struct letter *l = delivered(fx, 5);
	assert_false(l->o.passed);
	assert_int_equal(l->o.stage, HY_SMTP_FROM);
	assert_int_equal(smtp_server_count(fx->server, SMTP_CONNECTED), 5);
}

static void a_cancelled_mail_was_never_sent(void **state)
{
	struct fx *fx = *state;
	start(fx);
	for (int i = 0; i < 2; i++)
		fx->letters[i].hold = true;
	post(fx, 0);
	turn_until(fx, fx->letters[0].at_dot);
	hy_smtp_cancel(&fx->letters[0].mail);
	assert_null(fx->letters[0].mail);
	post(fx, 1);
	hy_smtp_cancel(&fx->letters[1].mail); /* before it has a connection */
	hy_smtp_cancel(&fx->letters[1].mail);
	assert_int_equal(delivered(fx, 2)->o.code, 250);
	assert_int_equal(fx->letters[0].done + fx->letters[1].done, 0);
	assert_int_equal(smtp_server_taken(fx->server, NULL), 1);
}

static void closing_ends_what_is_out_without_a_word(void **state)
{
	struct fx *fx = *state;
	start(fx);
	fx->letters[0].hold = true;
	post(fx, 0);
	turn_until(fx, fx->letters[0].at_dot);
	rule(fx, SMTP_AT_DOT, SMTP_SAYS_NOTHING, NULL);
	post(fx, 1);
	turn_until(fx, smtp_server_taken(fx->server, "u1@example.com") == 1);
	post(fx, 2);
	hy_smtp_close(&fx->smtp);
	assert_null(fx->smtp);
	assert_int_equal(fx->letters[0].done + fx->letters[1].done + fx->letters[2].done, 0);
	assert_int_equal(smtp_server_taken(fx->server, NULL), 1);
	hy_smtp_close(&fx->smtp);
}

/* ---- TLS and signing in ---- */

static void a_password_is_said_within_tls_alone(void **state)
{
	struct fx *fx = *state;
	static const enum smtp_server_tls of_server[] = { SMTP_OFFERS_STARTTLS, SMTP_TLS_FROM_THE_FIRST_BYTE };
	static const enum hy_smtp_tls ours[] = { HY_SMTP_STARTTLS, HY_SMTP_TLS };
	for (int i = 0; i < 2; i++) {
		start_server(fx,
			&(struct smtp_server_options){ .tls = of_server[i], .user = "care", .password = "pass word" });
		start_engine(fx, (struct hy_smtp_options){ .tls = ours[i],
					 .user = "care",
					 .password = "pass word",
					 .ca_file = smtp_server_ca_file(fx->server) });
		for (int k = 0; k < 3; k++) {
			struct letter *l = delivered(fx, 10 * i + k);
			if (l->o.code != 250)
				fail_msg("%s", l->words);
			assert_true(smtp_server_message(fx->server, (size_t)k)->encrypted);
			assert_string_equal(smtp_server_message(fx->server, (size_t)k)->user, "care");
			assert_string_equal(smtp_server_message(fx->server, (size_t)k)->data, MESSAGE);
		}
		assert_int_equal(smtp_server_count(fx->server, SMTP_CONNECTED), 1);
		hy_smtp_close(&fx->smtp);
		smtp_server_close(&fx->server);
	}
}

static void a_long_message_goes_through_tls_piece_by_piece(void **state)
{
	struct fx *fx = *state;
	start_server(fx, &(struct smtp_server_options){ .tls = SMTP_OFFERS_STARTTLS });
	start_engine(fx, (struct hy_smtp_options){ .ca_file = smtp_server_ca_file(fx->server) });
	struct hy_buffer big = { 0 };
	hy_buffer_text(&big, "Subject: big\r\n\r\n");
	for (int i = 0; i < 60000; i++)
		hy_buffer_printf(&big, ".line %08d of a message that no socket takes at once\r\n", i);
	struct letter *l = &fx->letters[0];
	assert_int_equal(hy_smtp_send(fx->smtp,
				 &(struct hy_smtp_letter){ .from = "",
					 .to = "a@example.com",
					 .message = hy_buffer_view(&big),
					 .at_dot = on_dot,
					 .done = on_done,
					 .arg = l },
				 &l->mail, NULL),
		HY_OK);
	turn_until(fx, l->done);
	assert_int_equal(l->o.code, 250);
	const struct smtp_message *m = smtp_server_message(fx->server, 0);
	assert_int_equal(m->size, big.size);
	assert_memory_equal(m->data, big.data, big.size);
	assert_string_equal(m->from, "");
	hy_buffer_free(&big);
}

static void without_trust_without_tls_or_without_a_way_to_sign_in_nothing_is_sent(void **state)
{
	struct fx *fx = *state;
	static const struct {
		struct smtp_server_options server;
		enum hy_smtp_tls tls;
		bool trusted;
		const char *user, *host;
		int code;
	} rows[] = {
		{ { .tls = SMTP_OFFERS_STARTTLS }, HY_SMTP_STARTTLS, false, NULL, NULL, 0 },
		{ { .tls = SMTP_TLS_FROM_THE_FIRST_BYTE }, HY_SMTP_TLS, false, NULL, NULL, 0 },
		{ { .tls = SMTP_OFFERS_STARTTLS, .name = "other.example" }, HY_SMTP_STARTTLS, true, NULL, NULL, 0 },
		{ { 0 }, HY_SMTP_STARTTLS, false, NULL, NULL, 0 },
		{ { 0 }, HY_SMTP_PLAIN, false, "care", NULL, 0 },
		{ { .user = "care", .password = "other" }, HY_SMTP_PLAIN, false, "care", NULL, 535 },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		start_server(fx, &rows[i].server);
		start_engine(fx, (struct hy_smtp_options){ .tls = rows[i].tls,
					 .ca_file = rows[i].trusted ? smtp_server_ca_file(fx->server) : NULL,
					 .user = rows[i].user,
					 .password = "secret" });
		struct letter *l = delivered(fx, (int)i);
		if (l->o.stage != HY_SMTP_HELLO || l->o.code != rows[i].code || l->o.passed || !l->words[0])
			fail_msg("row %zu: stage %d code %d: %s", i, (int)l->o.stage, l->o.code, l->words);
		assert_null(strstr(l->words, "secret"));
		assert_int_equal(smtp_server_taken(fx->server, NULL), 0);
		hy_smtp_close(&fx->smtp);
		smtp_server_close(&fx->server);
	}
}

/* ---- what we refuse ourselves ---- */

static void options_that_can_not_be_are_named(void **state)
{
	struct fx *fx = *state;
	static const struct {
		struct hy_smtp_options o;
		const char *word;
	} rows[] = {
		{ { .host = NULL, .ehlo = "a.example" }, "host" },
		{ { .host = "", .ehlo = "a.example" }, "host" },
		{ { .host = "a b", .ehlo = "a.example" }, "host" },
		{ { .host = "a/b@c", .ehlo = "a.example" }, "host" },
		{ { .host = "a.example", .ehlo = NULL }, "name" },
		{ { .host = "a.example", .ehlo = "a.example\r\nMAIL" }, "name" },
		{ { .host = "a.example", .ehlo = "a/b" }, "name" },
		{ { .host = "a.example", .ehlo = "a.example", .port = 65536 }, "port" },
		{ { .host = "a.example", .ehlo = "a.example", .user = "u" }, "password" },
		{ { .host = "a.example", .ehlo = "a.example", .user = "u", .password = "p", .tls = HY_SMTP_PLAIN },
			"clear" },
		{ { .host = "a.example", .ehlo = "a.example", .connections = 1000 }, "connections" },
	};
	struct hy_fault f = { 0 };
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct hy_smtp_options o = rows[i].o;
		o.loop = fx->loop;
		assert_int_equal(hy_smtp_open(&fx->smtp, &o, &f), HY_CONFIG);
		assert_null(fx->smtp);
		if (!strstr(f.text, rows[i].word))
			fail_msg("row %zu: %s", i, f.text);
	}
	static const char *const fine[] = { "localhost", "127.0.0.1", "::1" };
	for (size_t i = 0; i < 3; i++) {
		struct hy_smtp_options o = { .loop = fx->loop,
			.host = fine[i],
			.ehlo = "a",
			.user = "u",
			.password = "p",
			.tls = HY_SMTP_PLAIN };
		assert_int_equal(hy_smtp_open(&fx->smtp, &o, &f), HY_OK);
		hy_smtp_close(&fx->smtp);
	}
}

static void an_address_that_a_server_could_take_for_a_command_stays_here(void **state)
{
	struct fx *fx = *state;
	start(fx);
	static const char *const bad[] = { "", "victim", "@b.example", "a@", "a@b@c.example",
		"a@b.example>\r\nRCPT TO:<v@w", "a\r\n@b.example", "a@b.example\n", "a b@c.example", "a<b@c.example",
		"a@b.example>", "\"a\"@b.example", "a,b@c.example", "a;b@c.example", "a:b@c.example", "a\\b@c.example",
		"a@b..example", "a@-b.example", "a@b-.example", "a@[127.0.0.1]", "\xe4\xb8\xad@b.example",
		"a@\xe4\xb8\xad.example", ".a@b.example", "a.@b.example", "a..b@c.example", "a\x7f@b.example" };
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		const char *why = NULL;
		if (hy_smtp_address_ok(bad[i], &why) || !why || send_to(fx, 0, bad[i]) != HY_BAD_INPUT)
			fail_msg("%s", bad[i]);
	}
	struct hy_fault f = { 0 };
	struct hy_smtp_letter l = { .from = "a@b\r\nDATA", .to = "a@b.example", .message = HY_LIT(MESSAGE) };
	assert_int_equal(hy_smtp_send(fx->smtp, &l, &fx->letters[0].mail, &f), HY_BAD_INPUT);
	assert_non_null(strstr(f.text, "sender"));
	assert_int_equal(smtp_server_count(fx->server, SMTP_CONNECTED), 0);
}

static void a_message_that_could_be_taken_for_two_stays_here(void **state)
{
	(void)state;
	char line[1100];
	struct hy_fault f;
#define BAD(text) assert_int_equal(smtp_message_check(HY_LIT(text), &f), HY_BAD_INPUT)
	BAD("");
	BAD("a");
	BAD("a\n");
	BAD("a\r");
	BAD("a\r\nb");
	BAD("a\n.\nMAIL FROM:<x@y>\r\n");
	BAD("a\r.\r\n");
	BAD("a\r\n.\rb\r\n");
	BAD("\nb\r\n");
	BAD("a\0b\r\n");
	BAD("a\r\r\n");
#undef BAD
	assert_int_equal(smtp_message_check(HY_LIT("\r\n"), &f), HY_OK);
	assert_int_equal(smtp_message_check(HY_LIT(MESSAGE), &f), HY_OK);
	memset(line, 'a', sizeof(line));
	memcpy(line + 998, "\r\n", 2);
	assert_int_equal(smtp_message_check(hy_bytes(line, 1000), &f), HY_OK);
	line[998] = 'a';
	memcpy(line + 999, "\r\n", 2);
	assert_int_equal(smtp_message_check(hy_bytes(line, 1001), &f), HY_BAD_INPUT);
	assert_non_null(strstr(f.text, "998"));
}

/* ---- replies ---- */

static void a_reply_is_the_same_however_it_arrives(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int err, code;
		const char *words;
	} rows[] = {
		{ "250 ok\r\n", HY_OK, 250, "ok" },
		{ "250\r\n", HY_OK, 250, "" },
		{ "250 \n", HY_OK, 250, "" },
		{ "250-a\r\n250-\r\n250 b\r\n", HY_OK, 250, "a b" },
		{ "550 5.1.1 \xff\x01no\r\n", HY_OK, 550, "5.1.1 \xef\xbf\xbd\\u{1}no" },
		{ "25 ok\r\n", HY_BAD_INPUT, 0, "" },
		{ "150 ok\r\n", HY_BAD_INPUT, 0, "" },
		{ "650 ok\r\n", HY_BAD_INPUT, 0, "" },
		{ "2500 ok\r\n", HY_BAD_INPUT, 0, "" },
		{ "250_ok\r\n", HY_BAD_INPUT, 0, "" },
		{ "250-a\r\n251 b\r\n", HY_BAD_INPUT, 250, "a" },
		{ "\r\n", HY_BAD_INPUT, 0, "" },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		for (size_t step = 1; step < 30; step++) {
			struct smtp_reply r;
			size_t size = strlen(rows[i].text), used;
			int err = HY_OK;
			smtp_reply_begin(&r);
			for (size_t at = 0; at < size && err == HY_OK && !r.complete; at += used) {
				size_t n = size - at < step ? size - at : step;
				err = smtp_reply_take(&r, hy_bytes(rows[i].text + at, n), &used);
			}
			assert_int_equal(err, rows[i].err);
			assert_int_equal(r.code, rows[i].code);
			assert_string_equal(r.words, rows[i].words);
			assert_int_equal(r.complete, err == HY_OK);
		}
}

static void a_reply_has_at_most_twenty_lines_of_two_kibibytes(void **state)
{
	(void)state;
	struct smtp_reply r;
	struct hy_buffer b = { 0 };
	size_t used;
	for (int lines = 20; lines <= 21; lines++) {
		hy_buffer_clear(&b);
		smtp_reply_begin(&r);
		for (int i = 0; i < lines - 1; i++)
			hy_buffer_printf(&b, "250-%0*d\r\n", 2000, i);
		hy_buffer_text(&b, "250 中\r\n中");
		int err = smtp_reply_take(&r, hy_buffer_view(&b), &used);
		assert_int_equal(err, lines == 20 ? HY_OK : HY_TOO_LARGE);
		assert_int_equal(r.complete, lines == 20);
		assert_true(strlen(r.words) <= 500);
		if (lines == 20)
			assert_int_equal(used, b.size - 3); /* what follows is left to the caller */
	}
	hy_buffer_clear(&b);
	hy_buffer_printf(&b, "250 %0*d", 2100, 0);
	smtp_reply_begin(&r);
	assert_int_equal(smtp_reply_take(&r, hy_buffer_view(&b), &used), HY_TOO_LARGE);
	hy_buffer_free(&b);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_mail_stops_at_its_dot_and_goes_when_it_is_let_go),
		T(a_connection_is_kept_for_the_next_mail),
		T(several_mails_wait_at_their_dots_together),
		T(a_server_that_thinks_about_one_mail_holds_up_no_other),
		T(a_refusal_has_its_stage_its_code_and_its_words),
		T(a_server_that_will_have_none_of_us_says_so_in_its_greeting),
		T(nobody_listens),
		T(a_line_that_breaks_before_the_dot_delivered_nothing),
		T(a_server_that_leaves_while_the_dot_waits_gets_no_dot),
		T(after_the_dot_a_broken_line_leaves_it_unknown),
		T(a_second_reply_to_the_dot_ends_the_connection_and_nothing_else),
		T(a_kept_connection_that_died_costs_the_next_mail_nothing),
		T(a_cancelled_mail_was_never_sent),
		T(closing_ends_what_is_out_without_a_word),
		T(a_password_is_said_within_tls_alone),
		T(a_long_message_goes_through_tls_piece_by_piece),
		T(without_trust_without_tls_or_without_a_way_to_sign_in_nothing_is_sent),
		T(options_that_can_not_be_are_named),
		T(an_address_that_a_server_could_take_for_a_command_stays_here),
		cmocka_unit_test(a_message_that_could_be_taken_for_two_stays_here),
		cmocka_unit_test(a_reply_is_the_same_however_it_arrives),
		cmocka_unit_test(a_reply_has_at_most_twenty_lines_of_two_kibibytes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
