/* The mail channel: each notice goes to the mail server of the configuration, over a few connections that common/http/smtp.h keeps. What it answers
 * decides what becomes of the notice; what it refuses of ourselves (greeting, TLS, sign-in, sender) is never held against a customer: it waits for
 * the operator, says so in the log and in `health`, and one mail finds out now and then whether it is over. */
#include "notifier.h"

#include "breaker.h"
#include "verp.h"

#include <stdlib.h>

#include "http/smtp.h"

enum { CONNECTIONS_MAX = 64, PASSWORD_MAX = 512 };

struct smtp {
	struct notifier *n;
	struct hy_smtp *engine;
	const char *bounce; /* the configuration's memory; "" = notify.from */
	char relay[300]; /* host:port, for people */
	size_t connections, out;
	struct breaker breaker; /* of the mail server */
	struct breaker_domains domains; /* of those behind it */
	char trouble[NOTIFIER_REASON_SIZE]; /* its last words to us; "" = none */
	struct place {
		struct smtp *smtp;
		struct notifier_transfer *t; /* NULL: free */
		struct hy_smtp_mail *mail;
		char from[256];
	} places[CONNECTIONS_MAX];
};

/* ---- settings ---- */

static const char *nonempty(const char *text)
{
	return *text ? text : NULL;
}

static struct hy_smtp_options options_of(
	const struct hy_conf *c, const struct notifier_sender *from, const char *password)
{
	const char *security = hy_conf_text(c, "smtp.security");
	struct hy_smtp_options o = {
		.host = hy_conf_text(c, "smtp.host"),
		.port = (int)hy_conf_int(c, "smtp.port"),
		.tls = HY_SMTP_STARTTLS,
		.ca_file = nonempty(hy_conf_text(c, "smtp.ca_file")),
		.ehlo = nonempty(hy_conf_text(c, "smtp.ehlo")),
		.user = nonempty(hy_conf_text(c, "smtp.user")),
		.password = password,
		.connections = (int)hy_conf_int(c, "smtp.connections"),
	};
	if (strcmp(security, "tls") == 0)
		o.tls = HY_SMTP_TLS;
	else if (strcmp(security, "none") == 0)
		o.tls = HY_SMTP_PLAIN;
	if (!o.ehlo)
		o.ehlo = strrchr(from->address, '@') + 1;
	return o;
}

static int smtp_check(const struct hy_conf *c, struct hy_fault *f)
{
	struct notifier_sender from;
	const char *bounce = hy_conf_text(c, "smtp.bounce"), *why;
	int err = notifier_sender_parse(hy_conf_text(c, "notify.from"), &from, f);
	if (err)
		return err;
	if (!*hy_conf_text(c, "smtp.host"))
		return hy_fail(f, HY_CONFIG, "notify.channel is smtp: say in smtp.host which server takes the mail");
	if (*bounce && !hy_smtp_address_ok(bounce, &why))
		return hy_fail(f, HY_CONFIG, "smtp.bounce: %s", why);
	if (*bounce && (strchr(bounce, '@') - bounce > VERP_LOCAL_MAX || strlen(bounce) + 1 + VERP_TOKEN > 254))
		return hy_fail(f, HY_CONFIG,
			"smtp.bounce: at most %d characters before the @, each mail adds %d of its own", VERP_LOCAL_MAX,
			VERP_TOKEN + 1);
	struct hy_smtp_options o = options_of(c, &from, "");
	return hy_smtp_check(&o, f);
}

static int smtp_open(void **self, const char *dir, struct notifier *n, struct hy_fault *f)
{
	(void)dir;
	const struct hy_conf *c = hy_daemon_conf(n->daemon);
	char password[PASSWORD_MAX] = "";
	struct hy_smtp_options o = options_of(c, &n->from, password);
	if (o.user) {
		int err = hy_daemon_secret_text(n->daemon, "smtp.password", password, sizeof(password), f);
		if (err)
			return err;
	}
	struct smtp *s = calloc(1, sizeof(*s));
	if (!s)
		return hy_fail(f, HY_NO_MEMORY, "out of memory");
	s->n = n;
	s->bounce = hy_conf_text(c, "smtp.bounce");
	s->connections = (size_t)o.connections;
	snprintf(s->relay, sizeof(s->relay), "%s:%d", o.host, hy_smtp_port(&o));
	for (size_t i = 0; i < CONNECTIONS_MAX; i++)
		s->places[i].smtp = s;
	o.loop = hy_daemon_loop(n->daemon);
	int err = hy_smtp_open(&s->engine, &o, f);
	explicit_bzero(password, sizeof(password));
	*self = s;
	return err;
}

static void smtp_close(void **self)
{
	struct smtp *s = *self;
	if (!s)
		return;
	hy_smtp_close(&s->engine);
	free(s);
	*self = NULL;
}

/* ---- what the server's words mean ---- */

static const char *stage_name(enum hy_smtp_stage stage)
{
	static const char *const names[] = { "connect", "hello", "from", "to", "data", "dot" };
	return names[stage];
}

/* The class of an enhanced status code (RFC 3463), "5.1.": whether the words begin with it. */
static bool begins(const char *words, const char *status)
{
	return strncmp(words, status, strlen(status)) == 0;
}

/* There is no such mailbox. The old codes alone say so to RCPT; where a server tells more, its status decides. */
static bool no_mailbox(const struct hy_smtp_outcome *o)
{
	bool code = o->code == 550 || o->code == 551 || o->code == 553;
	bool status = begins(o->words, "5.") && o->words[2] >= '0' && o->words[2] <= '9';
	return code && (status ? begins(o->words, "5.1.") : o->stage == HY_SMTP_TO);
}

/* It will have nothing from us, whoever it is for: its greeting, TLS, our name and password, our sender; at any time, that we have not signed in. */
static bool refuses_us(const struct hy_smtp_outcome *o)
{
	bool sign_in = o->code == 530 || o->code == 534 || o->code == 535 || o->code == 538;
	bool sender = o->stage == HY_SMTP_FROM && (o->code == 0 || o->code == 421 || o->code >= 500);
	return o->stage <= HY_SMTP_HELLO || sender || (sign_in && !o->passed);
}

static enum notifier_result result_of(const struct hy_smtp_outcome *o)
{
	if (o->passed && !o->answered)
		return RESULT_UNKNOWN;
	if (o->passed && o->code < 300)
		return RESULT_SENT;
	if (refuses_us(o) || o->code < 500)
		return RESULT_LATER;
	return no_mailbox(o) ? RESULT_BOUNCED : RESULT_NEVER;
}

/* What the outcome says of the server, apart from this one notice. */
static void learn(struct smtp *s, const char *to, const struct hy_smtp_outcome *o)
{
	int64_t mono_ms = hy_mono_ms();
	if (refuses_us(o)) {
		bool first = !breaker_wait(&s->breaker, mono_ms);
		int64_t wait_ms = breaker_trip(&s->breaker, mono_ms);
		snprintf(s->trouble, sizeof(s->trouble), "%.*s", (int)sizeof(s->trouble) - 1, o->words);
		if (first)
			hy_error("smtp.refused", "relay=%s stage=%s code=%d words=\"%s\" next_ms=%" PRId64, s->relay,
				stage_name(o->stage), o->code, o->words, wait_ms);
		return;
	}
	if (s->breaker.trips)
		hy_info("smtp.accepts", "relay=%s", s->relay);
	breaker_mend(&s->breaker);
	s->trouble[0] = 0;
	if (o->stage == HY_SMTP_TO && o->code / 100 == 4 && o->code != 421)
		breaker_said_later(&s->domains, to, mono_ms);
	else if (o->stage > HY_SMTP_TO || o->code >= 500)
		breaker_said_yes(&s->domains, to);
}

static void on_done(void *arg, const struct hy_smtp_outcome *o)
{
	struct place *p = arg;
	struct smtp *s = p->smtp;
	learn(s, p->t->to, o);
	p->t->ours = refuses_us(o);
	if (o->code)
		notifier_transfer_done(p->t, result_of(o), "%d %s", o->code, o->words);
	else
		notifier_transfer_done(p->t, result_of(o), "%s", o->words);
	*p = (struct place){ .smtp = s };
	s->out--;
	hy_daemon_work_soon(s->n->daemon);
}

/* ---- the way of a transfer ---- */

static void on_dot(void *arg)
{
	struct place *p = arg;
	p->t->state = TRANSFER_AT_DOT;
	hy_daemon_work_soon(p->smtp->n->daemon);
}

static void smtp_begin(void *self, struct notifier_transfer *t)
{
	struct smtp *s = self;
	struct place *p = s->places;
	struct hy_fault f = { 0 };
	while (p->t)
		p++;
	HY_ASSERT(s->out < s->connections); /* room() said so */
	p->t = t;
	if (*s->bounce)
		verp_write(&s->n->follow_up_key, s->bounce, t->notice, p->from, sizeof(p->from));
	else
		snprintf(p->from, sizeof(p->from), "%s", s->n->from.address);
	struct hy_smtp_letter letter = {
		.from = p->from,
		.to = t->to,
		.message = hy_buffer_view(&t->message),
		.at_dot = on_dot,
		.done = on_done,
		.arg = p,
	};
	int err = hy_smtp_send(s->engine, &letter, &p->mail, &f);
	if (err == HY_OK) {
		t->own = p;
		s->out++;
		breaker_probes(&s->domains, t->to, hy_mono_ms());
		return;
	}
	*p = (struct place){ .smtp = s };
	/* What can't be said to a mail server won't become sayable: a person must look. */
	notifier_transfer_done(t, err == HY_BAD_INPUT ? RESULT_HOLD : RESULT_LATER, "%s", f.text);
}

static void smtp_finish(void *self, struct notifier_transfer *t)
{
	struct place *p = t->own;
	(void)self;
	hy_smtp_pass(p->mail);
}

static void smtp_cancel(void *self, struct notifier_transfer *t)
{
	struct smtp *s = self;
	struct place *p = t->own;
	hy_smtp_cancel(&p->mail);
	*p = (struct place){ .smtp = s };
	s->out--;
}

static size_t smtp_room(void *self)
{
	struct smtp *s = self;
	if (breaker_wait(&s->breaker, hy_mono_ms()))
		return 0;
	if (s->breaker.trips) /* one finds out whether it is over */
		return s->out ? 0 : 1;
	return s->connections - s->out;
}

static int64_t smtp_not_before(void *self, const char *to, int64_t now_ms)
{
	struct smtp *s = self;
	return now_ms + breaker_domain_wait(&s->domains, to, hy_mono_ms());
}

/* The connections move in the loop's turns; only the end of a pause is to be waited for here. */
static int64_t smtp_drive(void *self)
{
	struct smtp *s = self;
	int64_t wait_ms = breaker_wait(&s->breaker, hy_mono_ms());
	return wait_ms ? wait_ms : -1;
}

/* A server can't be made to forget. */
static void smtp_forget(void *self, struct hy_id notice)
{
	(void)self;
	(void)notice;
}

static void smtp_health(void *self, json_t *into)
{
	const struct smtp *s = self;
	json_t *o = json_pack(
		"{s:s, s:b, s:i}", "relay", s->relay, "refused", s->breaker.trips > 0, "on_their_way", (int)s->out);
	if (s->breaker.trips) {
		json_object_set_new(o, "words", json_string(s->trouble));
		json_object_set_new(o, "next_ms", json_integer(breaker_wait(&s->breaker, hy_mono_ms())));
	}
	json_object_set_new(into, "smtp", o);
}

const struct notifier_channel notifier_channel_smtp = {
	.name = "smtp",
	.reaches_mail = true,
	.wakes = true,
	.check = smtp_check,
	.open = smtp_open,
	.close = smtp_close,
	.begin = smtp_begin,
	.finish = smtp_finish,
	.drive = smtp_drive,
	.room = smtp_room,
	.not_before = smtp_not_before,
	.cancel = smtp_cancel,
	.forget = smtp_forget,
	.health = smtp_health,
};
