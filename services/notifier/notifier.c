#include "notifier.h"

#include "commands.h"
#include "fanout.h"
#include "outbox.h"
#include "people.h"
#include "send.h"
#include "sweep.h"

#include <stdlib.h>

#include "base/place.h"

enum { WORDS_POINTS = 60, CLASSIFICATION_LANGUAGE = 3 /* field of Classification */ };

/* ---- what comes in ---- */

/* The beginning of what somebody wrote, as one line. */
static const char *words_of(struct hy_step *s, const Huiyin__Envelope *e)
{
	if (!e->feedback || e->feedback->body_case != HUIYIN__FEEDBACK__BODY_REMARK)
		return "";
	struct hy_buffer line = { 0 };
	notifier_line(&line, hy_bytes_text(e->feedback->remark->text), WORDS_POINTS);
	const char *text = line.err ? NULL : hy_arena_text(s->arena, hy_buffer_view(&line));
	hy_buffer_free(&line);
	return text ? text : "";
}

/* The classification is not unpacked: of all its labels and evidence only the language is wanted, and that seldom. */
static const char *language_of(struct hy_step *s)
{
	const Huiyin__Envelope *e = s->in;
	const char *locale = e->feedback && e->feedback->customer ? e->feedback->customer->locale : "";
	if (*locale)
		return notifier_people_language(locale, "");
	struct hy_bytes language =
		hy_wire_field(hy_wire_field(s->raw, HY_FIELD_CLASSIFICATION), CLASSIFICATION_LANGUAGE);
	return hy_bytes_equal(language, HY_LIT("zh")) ? "zh" : "en";
}

static int on_thanks(struct hy_step *s, struct notifier *n)
{
	const Huiyin__Envelope *e = s->in;
	struct notifier_about about = {
		.kind = HUIYIN__NOTICE_KIND__NOTICE_THANKS,
		.feedback = HY_ID_FROM_PB(e->id),
		.person = e->feedback ? HY_PB(e->feedback->person) : hy_bytes(NULL, 0),
		.project = e->project,
		.language = language_of(s),
		.words = "",
		.cause = HY_ID_FROM_PB(e->id),
		.origin_ms = e->origin_ms,
	};
	return notifier_tell(s, n, &about);
}

static bool is_reply(const Huiyin__Envelope *e)
{
	return e->feedback && e->feedback->body_case == HUIYIN__FEEDBACK__BODY_REMARK &&
	       e->feedback->remark->in_reply_to;
}

static int on_joined(struct hy_step *s, struct notifier *n, const Huiyin__TicketEvent *ev, const case_row *c)
{
	const Huiyin__Envelope *e = s->in;
	bool reply = is_reply(e);
	struct notifier_join j = {
		.ticket = HY_ID_FROM_PB(ev->ticket),
		.feedback = HY_ID_FROM_PB(ev->feedback.len ? ev->feedback : e->cause),
		.person = HY_PB(ev->person),
		.round = ev->round,
		.language = language_of(s),
		.words = words_of(s, e),
		.origin_ms = e->origin_ms,
	};
	link_row *link;
	bool fresh;
	int err = notifier_people_join(s, &j, &link, &fresh);
	if (err || !fresh)
		return err;
	if (reply || n->receipts) {
		/* Who said "no" hears that the matter is open again; the event of the reopening may have told her
		 * already. */
		Huiyin__NoticeKind kind =
			reply ? HUIYIN__NOTICE_KIND__NOTICE_REOPENED : HUIYIN__NOTICE_KIND__NOTICE_RECEIPT;
		err = notifier_tell_link(
			s, n, j.ticket, c, j.person, link, ev->round, kind, HY_ID_FROM_PB(e->id), e->origin_ms);
	}
	return err ? err : notifier_tell_late(s, n, j.ticket, c, j.person, link, HY_ID_FROM_PB(e->id), e->origin_ms);
}

/* She waited in `other`; what she wrote there goes along. Nobody is bothered with word of a merge. An anonymous one
 * goes by her feedback. */
static int on_moved(struct hy_step *s, struct notifier *n, const Huiyin__TicketEvent *ev, const case_row *c)
{
	const Huiyin__Envelope *e = s->in;
	struct hy_id feedback = HY_ID_FROM_PB(ev->feedback);
	if (!ev->person.len && !ev->feedback.len)
		return HY_BAD_INPUT;
	link_row *before = NULL, *link;
	bool fresh;
	struct hy_key key = notifier_link_key(HY_ID_FROM_PB(ev->other), HY_PB(ev->person), feedback);
	int err = hy_row_get(s->txn, s->arena, "link", hy_key_view(&key), &huiyin__notifier__link__descriptor, &before);
	if (err && err != HY_NOT_FOUND)
		return err;
	struct notifier_join j = {
		.ticket = HY_ID_FROM_PB(ev->ticket),
		.feedback = before ? HY_ID_FROM_PB(before->feedback) : feedback,
		.person = HY_PB(ev->person),
		.round = ev->round,
		.language = before ? before->language : "",
		.words = before ? before->words : "",
		.origin_ms = before ? before->origin_ms : e->origin_ms,
	};
	err = notifier_people_join(s, &j, &link, &fresh);
	return err ? err : notifier_tell_late(s, n, j.ticket, c, j.person, link, HY_ID_FROM_PB(e->id), e->origin_ms);
}

static int on_answered(struct hy_step *s, const Huiyin__TicketEvent *ev, const case_row *c, Huiyin__NoticeKind kind)
{
	answer_row a = HUIYIN__NOTIFIER__ANSWER__INIT;
	walk_row w = HUIYIN__NOTIFIER__WALK__INIT;
	if (ev->note) {
		a.zh = ev->note->zh;
		a.en = ev->note->en;
	}
	a.cause = s->in->id;
	a.origin_ms = s->in->origin_ms;
	a.at_ms = s->now_ms;
	struct hy_key key = notifier_note_key(HY_ID_FROM_PB(ev->ticket), ev->round, kind);
	int err = hy_row_put(s->txn, "note", hy_key_view(&key), &a.base);
	if (err)
		return err;
	w.task = WALK_TELL;
	w.ticket = ev->ticket;
	w.round = ev->round;
	w.floor_round = c->floor_round;
	w.kind = kind;
	w.project = s->in->project;
	w.cause = s->in->id;
	w.origin_ms = s->in->origin_ms;
	return notifier_walk_begin(s, &w);
}

static int on_reopened(struct hy_step *s, struct notifier *n, const Huiyin__TicketEvent *ev, const case_row *c)
{
	link_row *link;
	struct hy_id ticket = HY_ID_FROM_PB(ev->ticket);
	if (!ev->person.len)
		return HY_OK;
	struct hy_key key = notifier_link_key(ticket, HY_PB(ev->person), (struct hy_id){ 0 });
	int err = hy_row_get(s->txn, s->arena, "link", hy_key_view(&key), &huiyin__notifier__link__descriptor, &link);
	if (err)
		return err == HY_NOT_FOUND ? HY_OK : err;
	return notifier_tell_link(s, n, ticket, c, HY_PB(ev->person), link, ev->round,
		HUIYIN__NOTICE_KIND__NOTICE_REOPENED, HY_ID_FROM_PB(s->in->id), s->in->origin_ms);
}

/* Events that a delivery or a timer brought about (confirmed, closed, overdue) make no notice: a notice about a
 * notice would never end. */
static int on_event(struct hy_step *s, struct notifier *n, const Huiyin__TicketEvent *ev)
{
	case_row *c;
	if (ev->ticket.len != sizeof(struct hy_id))
		return HY_BAD_INPUT;
	int err = notifier_people_case(s, ev, &c);
	if (err)
		return err;
	switch (ev->kind) {
	case HUIYIN__TICKET_EVENT_KIND__JOINED:
		return on_joined(s, n, ev, c);
	case HUIYIN__TICKET_EVENT_KIND__MOVED:
		return on_moved(s, n, ev, c);
	case HUIYIN__TICKET_EVENT_KIND__EVENT_RESOLVED:
		return on_answered(s, ev, c, HUIYIN__NOTICE_KIND__NOTICE_RESOLVED);
	case HUIYIN__TICKET_EVENT_KIND__EVENT_DECLINED:
		return on_answered(s, ev, c, HUIYIN__NOTICE_KIND__NOTICE_DECLINED);
	case HUIYIN__TICKET_EVENT_KIND__EVENT_REOPENED:
		return on_reopened(s, n, ev, c);
	default:
		return HY_OK;
	}
}

static int notifier_on_ticket(struct hy_step *s, void *self)
{
	struct notifier *n = self;
	const Huiyin__Envelope *e = s->in;
	if (e->ticket)
		return on_event(s, n, e->ticket);
	int err = e->feedback ? notifier_people_learn(s, n) : HY_OK;
	if (err == HY_OK && e->routed && e->routed->decision == HUIYIN__DECISION__DECISION_THANKS)
		err = on_thanks(s, n);
	return err;
}

/* ---- its life ---- */

static int notifier_configure(struct hy_daemon *d, void *self)
{
	struct notifier *n = self;
	const struct hy_conf *c = hy_daemon_conf(d);
	struct hy_fault f = { 0 };
	n->daemon = d;
	n->public_url = hy_conf_text(c, "public_url");
	n->public_url_size = strlen(n->public_url);
	while (n->public_url_size && n->public_url[n->public_url_size - 1] == '/')
		n->public_url_size--;
	n->receipts = hy_conf_bool(c, "follow_up.receipt");
	n->hold_unknown = strcmp(hy_conf_text(c, "notify.unknown"), "hold") == 0;
	n->keep_ms = hy_conf_int(c, "keep.closed");
	n->channel = notifier_channel_named(hy_conf_text(c, "notify.channel"));
	if (!n->channel)
		hy_panic("notify.channel has a choice without a channel");
	if (n->channel->check && n->channel->check(c, &f) != HY_OK) {
		hy_error("conf.fault", "path=%s fault=\"%s\"", n->channel->name, f.text);
		return HY_CONFIG;
	}
	if (notifier_sender_parse(hy_conf_text(c, "notify.from"), &n->from, &f) != HY_OK) {
		hy_error("conf.fault", "path=notify.from fault=\"%s\"", f.text);
		return HY_CONFIG;
	}
	return HY_OK;
}

/* DIR/templates, then those that came with the program. */
static int open_templates(struct notifier *n, struct hy_fault *f)
{
	char own[2200], share[2200];
	snprintf(own, sizeof(own), "%s", hy_daemon_path(n->daemon, "templates"));
	bool there = hy_share_path("templates", share, sizeof(share));
	const char *const dirs[] = { own, there ? share : NULL, NULL };
	return notifier_templates_open(&n->templates, dirs, f);
}

static int notifier_open(struct hy_daemon *d, void *self, struct hy_fault *f)
{
	struct notifier *n = self;
	n->daemon = d;
	n->scratch = hy_arena_new(0);
	int err = hy_daemon_secret(d, "contact.key", &n->contact_key, f);
	if (err == HY_OK)
		err = hy_daemon_secret(d, "follow-up.key", &n->follow_up_key, f);
	if (err == HY_OK)
		err = open_templates(n, f);
	if (err == HY_OK)
		err = notifier_send_open(n, f);
	return err ? err : notifier_sweep_begin(n);
}

static int64_t notifier_work(struct hy_daemon *d, void *self)
{
	(void)d;
	return notifier_send_work(self);
}

static bool notifier_lingers(struct hy_daemon *d, void *self)
{
	(void)d;
	return notifier_send_lingers(self);
}

static void notifier_close(struct hy_daemon *d, void *self)
{
	struct notifier *n = self;
	(void)d;
	notifier_send_close(n);
	if (n->scratch)
		hy_arena_free(&n->scratch);
	if (n->templates)
		notifier_templates_close(&n->templates);
	explicit_bzero(&n->contact_key, sizeof(n->contact_key));
	explicit_bzero(&n->follow_up_key, sizeof(n->follow_up_key));
}

static void notifier_health(struct hy_daemon *d, json_t *into, void *self)
{
	struct hy_txn *t = hy_txn_begin(hy_daemon_store(d), HY_READ);
	json_object_set_new(into, "notices", notifier_counts(t, self));
	hy_txn_abort(&t);
	struct notifier *n = self;
	if (n->channel->health && n->channel_self)
		n->channel->health(n->channel_self, into);
}

static const struct hy_conf_row conf[] = {
	{ "notify.channel", HY_CONF_WORD, "file",
		"How notices leave: file writes each as DIR/outbox/ID.eml, smtp gives them to the mail server of smtp",
		"file|smtp", 0, 0 },
	{ "notify.from", HY_CONF_TEXT, "Huiyin <feedback@localhost>",
		"Who signs notices and whom they come from: Name <address>", NULL, 0, 0 },
	{ "notify.unknown", HY_CONF_WORD, "resend-once",
		"When nobody answered after a notice was sent: send it once more, or hold it until staff decide",
		"resend-once|hold", 0, 0 },
	{ "smtp.host", HY_CONF_TEXT, "", "The mail server (relay) that takes our mail: a name or an address", NULL, 0,
		0 },
	{ "smtp.port", HY_CONF_INT, "0", "Its port; 0 is 587, with security tls 465, with none 25", NULL, 0, 65535 },
	{ "smtp.security", HY_CONF_WORD, "starttls",
		"starttls: demanded before anything is said; tls: from the first byte; none: for a relay on this "
		"machine or net",
		"starttls|tls|none", 0, 0 },
	{ "smtp.ca_file", HY_CONF_TEXT, "", "PEM file of the authorities to trust in place of the system's", NULL, 0,
		0 },
	{ "smtp.user", HY_CONF_TEXT, "",
		"Who signs in; the password stands in DIR/keys/smtp.password (mode 0600). Empty: nobody", NULL, 0, 0 },
	{ "smtp.ehlo", HY_CONF_TEXT, "", "The name we say to it; empty: the domain of notify.from", NULL, 0, 0 },
	{ "smtp.connections", HY_CONF_INT, "4", "Connections at once: so many mails are on their way together", NULL, 1,
		64 },
	{ "smtp.bounce", HY_CONF_TEXT, "",
		"Where bounces go: of bounce@example.com each mail gets its own bounce+TOKEN@example.com. Empty: to "
		"notify.from",
		NULL, 0, 0 },
	{ 0 },
};

static const char *const tables[] = { "person", "preference", "gone", "case", "number", "link", "note", "outbox",
	"queue", "receipts", "ledger", "by_ticket", "walk", "sweep", "tally", NULL };
enum { PARTS = 1 << HY_FIELD_FEEDBACK | 1 << HY_FIELD_ROUTED | 1 << HY_FIELD_TICKET };
static const struct hy_input inputs[] = { { "ticket", "router", notifier_on_ticket, .parts = PARTS }, { 0 } };
static const struct hy_timer timers[] = { { "walk", notifier_walk_on }, { "sweep", notifier_sweep_on }, { 0 } };
static const char *const readers[] = { "router", "collector", NULL };

const struct hy_service notifier_service = {
	.name = "notifier",
	.summary = "ticket events in; everybody who raised something is told, and what became of it goes out",
	.version = 1,
	.conf = conf,
	.tables = tables,
	.inputs = inputs,
	.output = "delivery",
	.readers = readers,
	.timers = timers,
	.commands = notifier_commands,
	.configure = notifier_configure,
	.open = notifier_open,
	.work = notifier_work,
	.lingers = notifier_lingers,
	.health = notifier_health,
	.close = notifier_close,
};
