// link: hy_ring hy_smtp_server
#include "support/ring.h"
#include "support/smtp_server.h"

#include "base/clock.h"

#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* Mail from the real notifier to a server that does its worst: each notice ends as it was promised, and no more copies leave than were promised.
 * What the server has taken is the truth, what the notifier says is held against it. HUIYIN_KILLS (default 10), HUIYIN_WINDOW (default 12) and
 * HUIYIN_SEED lengthen and repeat the kills; HUIYIN_TEST picks tests. */

enum { LONG = 60000, ELEVEN_MINUTES = 11 * 60000 };

struct post {
	struct ring *r;
	struct smtp_server *s;
	int people; /* so many have written */
	int tickets; /* T-1 ... */
};

/* ---- the ring and its mail server ---- */

static struct post *post_open(const char *unknown, const struct smtp_server_options *o)
{
	char edit[2048], secret[4096];
	struct post *p = calloc(1, sizeof(*p));
	assert_int_equal(smtp_server_open(&p->s, o), 0);
	const char *ca = smtp_server_ca_file(p->s);
	snprintf(edit, sizeof(edit),
		"/^smtp:/,/^$/d; s/^( *)channel: .*/\\1channel: smtp/; s/^( *)unknown: .*/\\1unknown: %s/; "
		"s/^( *)receipt: .*/\\1receipt: no/; s/^( *)from: .*/\\1from: 回音客服 <care@acme.example>/; "
		"$a smtp:\\n  host: localhost\\n  port: %d\\n  security: %s\\n  connections: 4%s%s%s%s",
		unknown, smtp_server_port(p->s), ca ? "starttls" : "none", ca ? "\\n  ca_file: " : "", ca ? ca : "",
		o->user ? "\\n  bounce: bounce@acme.example\\n  user: " : "", o->user ? o->user : "");
	p->r = ring_open(edit);
	if (o->password) {
		snprintf(secret, sizeof(secret), "%s/keys/smtp.password", p->r->dir);
		FILE *f = fopen(secret, "w");
		assert_non_null(f);
		assert_int_equal(fchmod(fileno(f), 0600), 0);
		fprintf(f, "%s\n", o->password);
		fclose(f);
	}
	ring_start_all(p->r);
	assert_true(ring_ready(p->r));
	return p;
}

static int post_resends(void **state)
{
	*state = post_open("resend-once", &(struct smtp_server_options){ 0 });
	return 0;
}

static int post_holds(void **state)
{
	*state = post_open("hold", &(struct smtp_server_options){ 0 });
	return 0;
}

static int post_seals(void **state)
{
	*state = post_open("hold", &(struct smtp_server_options){
					   .tls = SMTP_OFFERS_STARTTLS, .user = "huiyin", .password = "pass wörd" });
	return 0;
}

static int post_close(void **state)
{
	struct post *p = *state;
	ring_close(p->r);
	smtp_server_close(&p->s);
	free(p);
	return 0;
}

/* The notifier starts again when so much time has passed. */
static void later(struct post *p, int64_t ms)
{
	ring_kill(p->r, NOTIFIER, SIGTERM);
	p->r->ahead_ms += ms;
	ring_start(p->r, NOTIFIER, NULL);
}

static void die(struct post *p)
{
	ring_kill(p->r, NOTIFIER, SIGKILL);
}

static void story(struct post *p)
{
	char *text = smtp_server_story(p->s);
	size_t size = strlen(text);
	fputs(size > 8000 ? text + size - 8000 : text, stderr); /* too long for cmocka */
	free(text);
}

/* A domain for each: what is said of one is said of one person. */
static void address(char out[static 64], int person)
{
	snprintf(out, 64, "p%d@d%d.example", person, person);
}

/* `n` people say the same; the number of the ticket they are in together. */
static char *raised_by(struct post *p, int n)
{
	char number[32];
	for (int done = 0; done < n;) {
		json_t *list = json_array();
		for (int i = 0; i < 100 && done < n; i++, done++) {
			char email[64];
			address(email, p->people++);
			json_array_append_new(list, json_pack("{s:s, s:{s:s, s:s}}", "text",
							    "The app crashes when I open the settings page", "customer",
							    "email", email, "locale", done % 2 ? "zh-CN" : "en"));
		}
		char *text = json_dumps(list, JSON_COMPACT);
		assert_int_equal(ring_post(p->r, text, NULL), 202);
		free(text);
		json_decref(list);
		if (done <= 100)
			ring_settle(p->r); /* the first ones have opened it */
	}
	ring_settle(p->r);
	snprintf(number, sizeof(number), "T-%d", ++p->tickets);
	return strdup(number);
}

static void resolve(struct post *p, const char *ticket)
{
	char command[256], *out;
	snprintf(command, sizeof(command), "ticket resolve %s --note-zh '已经修好。' --note-en 'Fixed.'", ticket);
	if (ring_huiyin(p->r, command, &out) != 0)
		fail_msg("%s", out);
	free(out);
}

/* The notices of a ticket; new reference. */
static json_t *notices(struct post *p, const char *ticket)
{
	json_t *o = ring_ask(
		p->r, NOTIFIER, "delivery.list", (const char *[]){ "ticket", ticket, "limit", "1000", NULL }, NULL);
	json_t *list = json_incref(json_object_get(o, "notices"));
	json_decref(o);
	return list;
}

static const char *text_in(const json_t *notice, const char *name)
{
	const char *text = json_string_value(json_object_get(notice, name));
	return text ? text : "";
}

static json_int_t number_in(const json_t *notice, const char *name)
{
	return json_integer_value(json_object_get(notice, name));
}

/* How often the server has taken it. */
static size_t copies_of(struct post *p, const json_t *notice)
{
	char id[128];
	snprintf(id, sizeof(id), "<%s@acme.example>", text_in(notice, "notice"));
	return smtp_server_copies(p->s, id);
}

/* ---- what is waited for ---- */

struct wanted {
	struct post *p;
	const char *ticket, *state;
	size_t n;
};

static size_t in_state(struct post *p, const char *ticket, const char *state)
{
	size_t i, n = 0;
	json_t *list = notices(p, ticket), *notice;
	json_array_foreach(list, i, notice) n += strcmp(text_in(notice, "state"), state) == 0;
	json_decref(list);
	return n;
}

static bool are_there(struct ring *r, void *arg)
{
	struct wanted *w = arg;
	(void)r;
	return in_state(w->p, w->ticket, w->state) >= w->n;
}

/* Until `n` notices of the ticket are in the state. */
static void until_state(struct post *p, const char *ticket, const char *state, size_t n)
{
	struct wanted w = { p, ticket, state, n };
	for (int64_t until = hy_mono_ms() + LONG; !are_there(p->r, &w); usleep(20000))
		if (hy_mono_ms() > until) {
			json_t *list = notices(p, ticket);
			char *text = json_dumps(list, JSON_INDENT(1));
			story(p);
			fail_msg("waited in vain for %zu %s: %.4000s", n, state, text);
		}
}

/* By the notifier's clock. */
static int64_t now_there(const struct post *p)
{
	return hy_now_ms() + p->r->ahead_ms;
}

/* The notifier leaves the server alone for a while. */
static bool is_put_off(struct post *p)
{
	json_t *health = ring_ask(p->r, NOTIFIER, "health", NULL, NULL), *smtp = json_object_get(health, "smtp");
	bool off = json_is_true(json_object_get(smtp, "refused")) && number_in(smtp, "on_their_way") == 0;
	json_decref(health);
	return off;
}

/* Nothing is to be done: whatever waits, waits for a time that is still to come, or for the server. */
static void until_rest(struct post *p, const char *ticket)
{
	bool rest = false;
	for (int64_t until = hy_mono_ms() + LONG; !rest; usleep(20000)) {
		size_t i;
		json_t *list = notices(p, ticket), *notice;
		rest = list != NULL;
		json_array_foreach(list, i, notice)
		{
			int64_t next_ms;
			rest = rest && (!hy_time_parse(text_in(notice, "next"), &next_ms) || next_ms > now_there(p));
		}
		json_decref(list);
		rest = rest || is_put_off(p);
		if (!rest && hy_mono_ms() > until) {
			story(p);
			fail_msg("something of %s is due, and nobody does it (%s)", ticket, p->r->dir);
		}
	}
}

/* Until each of the `n` notices has its outcome or is held, however often somebody has to come back later. */
static void until_decided(struct post *p, const char *ticket, size_t n)
{
	for (int times = 0; times < 9; times++) {
		until_rest(p, ticket);
		if (in_state(p, ticket, "sent") + in_state(p, ticket, "held") + in_state(p, ticket, "dead") == n)
			return;
		later(p, ELEVEN_MINUTES);
	}
	story(p);
	fail_msg("%zu notices of %s never came to an end (%s)", n, ticket, p->r->dir);
}

/* ---- mail as it should be ---- */

static void who_raised_it_gets_one_mail_and_the_envelope_is_right(void **state)
{
	struct post *p = *state;
	char *ticket = raised_by(p, 2);
	resolve(p, ticket);
	until_state(p, ticket, "sent", 2);
	assert_int_equal(smtp_server_taken(p->s, NULL), 2);
	for (size_t i = 0; i < 2; i++) {
		const struct smtp_message *m = smtp_server_message(p->s, i);
		assert_false(m->torn);
		assert_non_null(strstr(m->from, "@acme.example"));
		assert_int_equal(smtp_server_taken(p->s, m->to), 1);
		assert_non_null(strstr(m->data, "\r\nAuto-Submitted: auto-generated\r\n"));
		assert_non_null(strstr(m->data, "\r\nIn-Reply-To: <ticket-"));
	}
	json_t *list = notices(p, ticket);
	for (size_t i = 0; i < 2; i++) {
		assert_string_equal(text_in(json_array_get(list, i), "channel"), "smtp");
		assert_int_equal(copies_of(p, json_array_get(list, i)), 1);
	}
	json_decref(list);
	assert_null(smtp_server_stranger(p->s));
	json_t *audit = (ring_settle(p->r), ring_audit(p->r));
	assert_int_equal(json_integer_value(json_object_get(audit, "answered")), 2);
	json_decref(audit);
	die(p); /* what was answered and written down is never sent again */
	p->r->ahead_ms += ELEVEN_MINUTES;
	ring_start(p->r, NOTIFIER, NULL);
	ring_settle(p->r);
	later(p, ELEVEN_MINUTES);
	ring_settle(p->r);
	assert_int_equal(smtp_server_taken(p->s, NULL), 2);
	free(ticket);
}

/* Our own files alone know the password. */
static void a_server_that_demands_encryption_and_a_password_gets_both(void **state)
{
	struct post *p = *state;
	char *ticket = raised_by(p, 2), command[4200];
	resolve(p, ticket);
	until_state(p, ticket, "sent", 2);
	for (size_t i = 0; i < 2; i++) {
		const struct smtp_message *m = smtp_server_message(p->s, i);
		assert_true(m->encrypted);
		assert_string_equal(m->user, "huiyin");
		assert_int_equal(strncmp(m->from, "bounce+", 7), 0);
		assert_non_null(strstr(m->from, "@acme.example"));
	}
	assert_string_not_equal(smtp_server_message(p->s, 0)->from, smtp_server_message(p->s, 1)->from);
	snprintf(command, sizeof(command), "! grep -rl 'pass w' '%s' --exclude=smtp.password", p->r->dir);
	assert_int_equal(system(command), 0);
	smtp_server_rule(
		p->s, &(struct smtp_rule){
			      .at = SMTP_AT_STARTTLS, .does = SMTP_SAYS, .text = "454 4.7.0 not now\r\n", .times = 1 });
	smtp_server_rule(
		p->s, &(struct smtp_rule){
			      .at = SMTP_AT_AUTH, .does = SMTP_SAYS, .text = "454 4.7.0 not now\r\n", .times = 1 });
	later(p, 0); /* no connection is left from before */
	free(ticket);
	ticket = raised_by(p, 3);
	resolve(p, ticket);
	until_decided(p, ticket, 3);
	assert_int_equal(in_state(p, ticket, "sent"), 3); /* nothing went without them meanwhile */
	for (size_t i = 2; i < 5; i++)
		assert_true(smtp_server_message(p->s, i)->encrypted && *smtp_server_message(p->s, i)->user);
	assert_null(smtp_server_stranger(p->s));
	free(ticket);
}

static const char *const names[] = { "李雷", "a\r\nBcc: v@evil.example\r\n\r\n<script>",
	"=?utf-8?Q?=0D=0ABcc:_v@evil.example?=", "\n.\n", ".", "\"a\" <v@evil.example>, b",
	"\xe2\x80\xae"
	"evil",
	"From me",
	"👩‍🔧👩‍🔧👩‍🔧👩‍🔧👩‍🔧👩‍🔧👩‍🔧👩‍🔧👩‍🔧",
	"{{note}}",
	"\x7f\xc2\x85\xe2\x80\xa8"
	"x",
	"--=_x" };
enum { NAMES = sizeof(names) / sizeof(*names) };

static void whatever_is_in_a_name_or_note_a_mail_has_its_own_headers_and_no_others(void **state)
{
	static const char known[] = "Auto-Submitted Content-Language Content-Type Date From In-Reply-To MIME-Version "
				    "Message-Id References Subject To ";
	struct post *p = *state;
	json_t *list = json_array();
	for (size_t i = 0; i < NAMES; i++) {
		char email[64];
		address(email, (int)i);
		json_array_append_new(list,
			json_pack("{s:s, s:{s:s, s:s, s:s}}", "text", "The app crashes when I open the settings page",
				"customer", "email", email, "name", names[i], "locale", i % 2 ? "zh" : "en"));
	}
	char *text = json_dumps(list, JSON_COMPACT), *out;
	json_t *answer;
	assert_int_equal(ring_post(p->r, text, &answer), 202);
	int n = (int)json_integer_value(json_object_get(answer, "accepted")); /* the door refuses some */
	assert_true(n >= 6);
	ring_settle(p->r);
	if (ring_huiyin(p->r,
		    "ticket resolve T-1 --note-zh '好了\r\n.\r\nMAIL FROM:<a@b.co>\n.\n' --note-en \"$(printf "
		    "'Fixed.\\r\\n.\\r\\nQUIT\\n.\\n')\"",
		    &out) != 0)
		fail_msg("%s", out);
	free(out);
	until_state(p, "T-1", "sent", (size_t)n);
	assert_int_equal(smtp_server_taken(p->s, NULL), n);
	for (int i = 0; i < n; i++) {
		const struct smtp_message *m = smtp_server_message(p->s, (size_t)i);
		int headers = 0;
		assert_false(m->torn);
		assert_null(strchr(m->to, ' '));
		for (const char *line = m->data; strncmp(line, "\r\n", 2) != 0; line = strstr(line, "\r\n") + 2) {
			char name[64];
			if (*line == ' ' || *line == '\t')
				continue;
			snprintf(name, sizeof(name), "%.*s ", (int)strcspn(line, ":"), line);
			if (!strcasestr(known, name))
				fail_msg("a header nobody wanted: %.100s", line);
			headers++;
		}
		assert_int_equal(headers, 11);
	}
	assert_null(smtp_server_stranger(p->s));
	free(text);
	json_decref(list);
	json_decref(answer);
}

/* ---- sins ---- */

static const char words[] =
	"550 5.1.1 no \x1b[31msuch\r bell\x07 \xff\xfe user "
	"wwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwww"
	"wwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwww"
	"wwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwww\r\n";

/* What the server does to one recipient, where her notice stands then, and what has become of it an hour later. */
static const struct sin {
	struct smtp_rule rule;
	const char *first, *outcome; /* states, or the outcome of what is dead */
	size_t copies; /* that the server has taken in the end */
} sins[] = {
	/* clang-format off */
	{ { .at = SMTP_AT_RCPT, .does = SMTP_SAYS, .text = "550 5.1.1 no such user\r\n" }, "bounced", "bounced", 0 },
	{ { .at = SMTP_AT_RCPT, .does = SMTP_SAYS, .text = words }, "bounced", "bounced", 0 },
	{ { .at = SMTP_AT_RCPT, .does = SMTP_SAYS, .text = "451 4.7.1 greylisted\r\n", .times = 2 }, "deferred", "told", 1 },
	{ { .at = SMTP_AT_RCPT, .does = SMTP_SAYS, .text = "250-we\r\n250-are\r\n250 glad\r\n" }, "told", "told", 1 },
	{ { .at = SMTP_AT_RCPT, .does = SMTP_NEVER_ENDS, .text = "250-and another thing\r\n", .times = 1 }, "deferred", "told", 1 },
	{ { .at = SMTP_AT_RCPT, .does = SMTP_CLOSES, .text = "\x00\xff\x01 what\r\n", .size = 9, .times = 1 }, "deferred", "told", 1 },
	{ { .at = SMTP_AT_DATA, .does = SMTP_SAYS, .text = "554 5.7.1 not from you\r\n" }, "refused", "refused", 0 },
	{ { .at = SMTP_AT_DATA, .does = SMTP_SAYS, .text = "452 4.3.1 no room\r\n", .times = 1 }, "deferred", "told", 1 },
	{ { .at = SMTP_AT_DATA, .does = SMTP_RESETS, .times = 1 }, "deferred", "told", 1 },
	{ { .at = SMTP_AT_DATA, .does = SMTP_SIPS, .ms = 1 }, "told", "told", 1 },
	{ { .at = SMTP_AT_RCPT, .does = SMTP_DRIPS, .ms = 20 }, "told", "told", 1 },
	{ { .at = SMTP_AT_DOT, .does = SMTP_SAYS, .text = "552 5.2.2 mailbox full\r\n" }, "refused", "refused", 1 },
	{ { .at = SMTP_AT_DOT, .does = SMTP_SAYS, .text = "451 4.3.0 later\r\n", .times = 2 }, "deferred", "told", 3 },
	{ { .at = SMTP_AT_DOT, .does = SMTP_RESETS, .times = 1 }, "dot", "told", 2 },
	{ { .at = SMTP_AT_DOT, .does = SMTP_CLOSES, .times = 1 }, "dot", "told", 2 },
	{ { .at = SMTP_AT_DOT, .does = SMTP_CLOSES, .text = "\x00\xfe rubbish \x80\r\n", .size = 14, .times = 1 }, "dot", "told", 2 },
	{ { .at = SMTP_AT_DOT, .does = SMTP_RESETS }, "dot", "held", 2 },
	{ { .at = SMTP_AT_DOT, .does = SMTP_RESETS, .text = "250 2.0.0 taken\r\n", .ms = 100 }, "told", "told", 1 },
	{ { .at = SMTP_AT_DOT, .does = SMTP_SAYS, .text = "250 2.0.0 taken\r\n250 2.0.0 taken\r\n" }, "told", "told", 1 },
	{ { .at = SMTP_AT_DOT, .does = SMTP_SAYS, .text = "250-2.0.0 taken\r\n250 indeed\r\n" }, "told", "told", 1 },
	/* clang-format on */
};
enum { SINS = sizeof(sins) / sizeof(*sins) };

/* Where a notice stands: its outcome, or the state in which it waits. */
static const char *stands(const json_t *notice)
{
	const char *outcome = text_in(notice, "outcome");
	return *outcome ? outcome : text_in(notice, "state");
}

/* Whose notice is it? The persons' addresses are sealed; `p->people` of them wrote one feedback each, in order, and feedback ids rise. */
static const json_t *notice_of(const json_t *list, size_t person)
{
	const json_t *found = NULL;
	size_t i, before;
	json_t *notice, *other;
	for (i = 0; i < json_array_size(list); i++) {
		notice = json_array_get(list, i);
		size_t j;
		before = 0;
		json_array_foreach(list, j, other) before +=
			strcmp(text_in(other, "feedback"), text_in(notice, "feedback")) < 0;
		if (before == person)
			found = notice;
	}
	return found;
}

/* Each notice comes to where it should, be it for the minute until it is tried again. */
static void until_as_promised(struct post *p, const char *ticket, bool last)
{
	bool seen[SINS] = { false };
	size_t missing = SINS;
	for (int64_t until = hy_mono_ms() + 2 * LONG; missing && hy_mono_ms() < until; usleep(50000)) {
		json_t *list = notices(p, ticket);
		missing = json_array_size(list) == SINS ? 0 : SINS;
		for (size_t i = 0; i < SINS && json_array_size(list) == SINS; i++) {
			seen[i] = seen[i] ||
				  strcmp(stands(notice_of(list, i)), last ? sins[i].outcome : sins[i].first) == 0;
			missing += !seen[i];
		}
		json_decref(list);
	}
	for (size_t i = 0; missing && i < SINS; i++)
		if (!seen[i]) {
			json_t *list = notices(p, ticket);
			char *text = json_dumps(notice_of(list, i), JSON_INDENT(1));
			story(p);
			fail_msg("sin %zu: never %s, it is %s", i, last ? sins[i].outcome : sins[i].first, text);
		}
}

static void each_sin_of_a_mail_server_ends_as_promised(void **state)
{
	struct post *p = *state;
	char to[SINS][64];
	for (size_t i = 0; i < SINS; i++) {
		struct smtp_rule rule = sins[i].rule;
		address(to[i], (int)i);
		rule.to = to[i];
		smtp_server_rule(p->s, &rule);
	}
	char *ticket = raised_by(p, SINS);
	resolve(p, ticket);
	until_as_promised(p, ticket, false);
	until_decided(p, ticket, SINS);
	until_as_promised(p, ticket, true);
	json_t *list = notices(p, ticket);
	for (size_t i = 0; i < SINS; i++) {
		const json_t *notice = notice_of(list, i);
		const char *reason = text_in(notice, "reason");
		if (copies_of(p, notice) != sins[i].copies || smtp_server_taken(p->s, to[i]) != sins[i].copies) {
			story(p);
			fail_msg("sin %zu: %zu copies", i, copies_of(p, notice));
		}
		for (const char *c = reason; *c; c++)
			assert_true((unsigned char)*c >= 0x20 && *c != 0x7f);
	}
	json_decref(list);
	assert_null(smtp_server_stranger(p->s));
	free(ticket);
}

static void a_server_that_was_down_gets_everything_when_it_is_back(void **state)
{
	struct post *p = *state;
	enum { N = 30 };
	char *ticket = raised_by(p, N);
	smtp_server_down(p->s);
	resolve(p, ticket);
	until_state(p, ticket, "deferred", 1);
	later(p, 61000);
	until_state(p, ticket, "deferred", 1);
	assert_int_equal(smtp_server_up(p->s), 0);
	smtp_server_rule(p->s,
		&(struct smtp_rule){
			.at = SMTP_AT_GREETING, .does = SMTP_SAYS, .text = "421 4.3.2 starting\r\n", .times = 2 });
	smtp_server_rule(
		p->s, &(struct smtp_rule){
			      .at = SMTP_AT_GREETING, .does = SMTP_SAYS, .text = "554 5.3.2 not yet\r\n", .times = 2 });
	smtp_server_rule(
		p->s, &(struct smtp_rule){
			      .at = SMTP_AT_EHLO, .does = SMTP_CLOSES, .text = "421 4.3.2 soon\r\n", .times = 2 });
	smtp_server_rule(p->s,
		&(struct smtp_rule){ .at = SMTP_AT_MAIL, .does = SMTP_SAYS, .text = "451 4.3.2 soon\r\n", .times = 2 });
	smtp_server_rule(
		p->s, &(struct smtp_rule){
			      .at = SMTP_AT_REST, .does = SMTP_CLOSES, .times = 10 }); /* one mail a connection */
	until_decided(p, ticket, N);
	assert_int_equal(in_state(p, ticket, "sent"), N);
	assert_int_equal(smtp_server_taken(p->s, NULL), N);
	assert_int_equal(smtp_server_copies(p->s, NULL), 1);
	ring_settle(p->r);
	json_decref(ring_audit(p->r));
	free(ticket);
}

static void a_notifier_that_is_asked_to_stop_waits_for_the_answer_to_its_dot(void **state)
{
	struct post *p = *state;
	smtp_server_rule(p->s, &(struct smtp_rule){ .at = SMTP_AT_DOT, .does = SMTP_WITHHOLD });
	char *ticket = raised_by(p, 2);
	resolve(p, ticket);
	assert_true(smtp_server_wait(p->s, SMTP_WITHHELD, 2, LONG));
	kill(p->r->pid[NOTIFIER], SIGTERM);
	usleep(300000);
	smtp_server_release(p->s);
	ring_wait_exit(p->r, NOTIFIER);
	p->r->ahead_ms += ELEVEN_MINUTES;
	ring_start(p->r, NOTIFIER, NULL);
	until_state(p, ticket, "sent", 2);
	assert_int_equal(smtp_server_taken(p->s, NULL), 2);
	free(ticket);
}

/* ---- kills ---- */

static int times_from(const char *name, int otherwise)
{
	const char *text = getenv(name);
	return text ? atoi(text) : otherwise;
}

/* Nothing lost; a second copy only where the notifier says that the first one's dot was open; what is told has arrived. */
static void check_copies(struct post *p, const char *ticket, size_t n, size_t most)
{
	size_t i, twice = 0, held = 0;
	json_t *list = notices(p, ticket), *notice;
	assert_int_equal(json_array_size(list), n);
	json_array_foreach(list, i, notice)
	{
		size_t copies = copies_of(p, notice);
		json_int_t dots = number_in(notice, "copies");
		bool told = strcmp(stands(notice), "told") == 0, is_held = strcmp(stands(notice), "held") == 0;
		if (copies > most || (json_int_t)copies > dots || (told && copies == 0) || (!told && !is_held)) {
			char *text = json_dumps(notice, JSON_INDENT(1));
			story(p);
			fail_msg("%zu copies of %s", copies, text);
		}
		twice += copies > 1;
		held += is_held;
	}
	print_message("%zu notices: %zu came twice, %zu are held\n", n, twice, held);
	json_decref(list);
}

/* Dies in the very window: the server has each notice, nobody has been told. HUIYIN_WINDOW notices, 4 at a time. */
static char *die_in_the_window(struct post *p, int n)
{
	smtp_server_rule(
		p->s, &(struct smtp_rule){ .at = SMTP_AT_DOT, .does = SMTP_WITHHOLD, .each = true, .times = 1 });
	char *ticket = raised_by(p, n);
	resolve(p, ticket);
	for (int done = 0; done < n; done += 4) {
		if (!smtp_server_wait(p->s, SMTP_WITHHELD, (size_t)done + 4, LONG)) {
			story(p);
			fail_msg("%d were withheld", done);
		}
		die(p);
		smtp_server_release(p->s);
		ring_start(p->r, NOTIFIER, NULL);
	}
	return ticket;
}

static void a_kill_between_dot_and_answer_costs_one_copy_and_loses_nothing(void **state)
{
	struct post *p = *state;
	int n = times_from("HUIYIN_WINDOW", 12) / 4 * 4;
	char *ticket = die_in_the_window(p, n);
	assert_int_equal(smtp_server_taken(p->s, NULL), n);
	later(p, ELEVEN_MINUTES);
	until_state(p, ticket, "sent", (size_t)n);
	check_copies(p, ticket, (size_t)n, 2);
	assert_int_equal(smtp_server_taken(p->s, NULL), 2 * n);
	for (int copy = 0; copy < n; copy++) { /* to the byte, so that a mailbox can tell */
		const struct smtp_message *m = smtp_server_message(p->s, (size_t)copy), *other;
		size_t i = (size_t)n;
		while ((other = smtp_server_message(p->s, i)) && strcmp(other->id, m->id) != 0)
			i++;
		assert_non_null(other);
		assert_string_equal(m->data, other->data);
	}
	free(ticket);
}

static void with_hold_a_kill_between_dot_and_answer_costs_no_copy_and_staff_see_it(void **state)
{
	struct post *p = *state;
	int n = times_from("HUIYIN_WINDOW", 8) / 4 * 4;
	char *ticket = die_in_the_window(p, n);
	later(p, ELEVEN_MINUTES);
	until_state(p, ticket, "held", (size_t)n);
	check_copies(p, ticket, (size_t)n, 1);
	assert_int_equal(smtp_server_taken(p->s, NULL), n);
	ring_settle(p->r);
	json_t *audit = ring_audit(p->r), *list = notices(p, ticket);
	assert_int_equal(json_integer_value(json_object_get(audit, "held")), n);
	const char *one = text_in(json_array_get(list, 0), "notice");
	json_decref(ring_ask(p->r, NOTIFIER, "delivery.resend", (const char *[]){ "notice", one, NULL }, NULL));
	until_state(p, ticket, "sent", 1);
	assert_int_equal(smtp_server_taken(p->s, NULL), n + 1);
	json_decref(audit);
	json_decref(list);
	free(ticket);
}

/* HUIYIN_KILLS kills at any moment, 50 to a ticket of 400 people; HUIYIN_SEED repeats them. */
static void kill_at_random(struct post *p, size_t most)
{
	int kills = times_from("HUIYIN_KILLS", 10);
	unsigned seed = (unsigned)times_from("HUIYIN_SEED", (int)(hy_now_ms() & 0xffffff));
	print_message("HUIYIN_SEED=%u HUIYIN_KILLS=%d\n", seed, kills);
	smtp_server_rule(p->s,
		&(struct smtp_rule){ .at = SMTP_AT_DOT, .does = SMTP_SAYS, .text = "250 2.0.0 taken\r\n", .ms = 30 });
	while (kills > 0) {
		int now = kills < 50 ? kills : 50;
		size_t n = (size_t)now * 8, before = smtp_server_taken(p->s, NULL),
		       connections = smtp_server_count(p->s, SMTP_CONNECTED);
		char *ticket = raised_by(p, (int)n);
		resolve(p, ticket);
		for (int i = 0; i < now; i++, kills--) {
			if (smtp_server_taken(p->s, NULL) < before + n) /* it begins to send, and then: */
				smtp_server_wait(p->s, SMTP_CONNECTED, connections + 1, 2000);
			usleep((useconds_t)(rand_r(&seed) % 150000));
			die(p);
			connections = smtp_server_count(p->s, SMTP_CONNECTED);
			if (rand_r(&seed) % 4 == 0)
				p->r->ahead_ms += ELEVEN_MINUTES;
			ring_start(p->r, NOTIFIER, NULL);
		}
		until_decided(p, ticket, n);
		check_copies(p, ticket, n, most);
		free(ticket);
	}
	assert_null(smtp_server_stranger(p->s));
}

static void random_kills_lose_no_notice_and_make_two_copies_at_most(void **state)
{
	kill_at_random(*state, 2);
}

static void with_hold_random_kills_lose_no_notice_and_make_no_copy(void **state)
{
	kill_at_random(*state, 1);
}

int main(void)
{
#define RESENDS(name) cmocka_unit_test_setup_teardown(name, post_resends, post_close)
#define HOLDS(name) cmocka_unit_test_setup_teardown(name, post_holds, post_close)
#define SEALS(name) cmocka_unit_test_setup_teardown(name, post_seals, post_close)
	const struct CMUnitTest tests[] = {
		RESENDS(who_raised_it_gets_one_mail_and_the_envelope_is_right),
		SEALS(a_server_that_demands_encryption_and_a_password_gets_both),
		RESENDS(whatever_is_in_a_name_or_note_a_mail_has_its_own_headers_and_no_others),
		RESENDS(each_sin_of_a_mail_server_ends_as_promised),
		RESENDS(a_server_that_was_down_gets_everything_when_it_is_back),
		RESENDS(a_notifier_that_is_asked_to_stop_waits_for_the_answer_to_its_dot),
		RESENDS(a_kill_between_dot_and_answer_costs_one_copy_and_loses_nothing),
		HOLDS(with_hold_a_kill_between_dot_and_answer_costs_no_copy_and_staff_see_it),
		RESENDS(random_kills_lose_no_notice_and_make_two_copies_at_most),
		HOLDS(with_hold_random_kills_lose_no_notice_and_make_no_copy),
	};
	cmocka_set_test_filter(getenv("HUIYIN_TEST")); /* for the long forms: "random*" */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
