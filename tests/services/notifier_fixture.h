/* The notifier in a test: people, tickets and their events, fed as the router would; mails read back from
 * DIR/outbox. */
#ifndef HY_TESTS_NOTIFIER_FIXTURE_H
#define HY_TESTS_NOTIFIER_FIXTURE_H

#include "support/fixture.h"

#include <dirent.h>
#include <sys/stat.h>

#include "base/seal.h"
#include "notifier/commands.h"
#include "notifier/notifier.h"
#include "notifier/outbox.h"

#define EVENT(k) HUIYIN__TICKET_EVENT_KIND__##k
#define STATE(k) HUIYIN__TICKET_STATE__##k
#define OUTCOME(k) HUIYIN__OUTCOME__##k

static struct notifier nf;
static uint64_t nf_serial;
static struct hy_secret nf_contact_key;

static struct fx *nf_open(const char *yaml)
{
	memset(&nf, 0, sizeof(nf));
	nf_serial = 0;
	struct fx *fx = fx_open(&notifier_service, &nf, yaml);
	struct hy_fault f = { 0 };
	char path[4096];
	snprintf(path, sizeof(path), "%s/keys", fx->dir);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/keys/contact.key", fx->dir);
	assert_int_equal(hy_secret_make(path, &f), HY_OK);
	assert_int_equal(hy_secret_load(path, &nf_contact_key, &f), HY_OK);
	snprintf(path, sizeof(path), "%s/keys/follow-up.key", fx->dir);
	assert_int_equal(hy_secret_make(path, &f), HY_OK);
	fx_start(fx);
	return fx;
}

static inline int nf_setup(void **state)
{
	*state = nf_open("follow_up: { receipt: no }\n");
	return 0;
}

static inline int nf_teardown(void **state)
{
	fx_close(*state);
	return 0;
}

static inline struct hy_id nf_id(uint64_t kind, uint64_t n)
{
	struct hy_id id;
	hy_be_put64(id.b, (uint64_t)FX_NOW << 16 | 0x7000 | kind);
	hy_be_put64(id.b + 8, UINT64_C(0x8000000000000000) | n);
	return id;
}
static inline struct hy_id nf_ticket(uint64_t n)
{
	return nf_id(1, n);
}
static inline struct hy_id nf_feedback(uint64_t n)
{
	return nf_id(2, n);
}

/* Somebody who speaks: who 0 is anonymous, others are persons with an address unless `email` is NULL. */
struct nf_voice {
	uint64_t who, feedback;
	const char *email, *name, *locale, *text, *language;
	bool reply;
};

struct nf_record {
	Huiyin__Envelope e;
	Huiyin__Feedback fb;
	Huiyin__Customer customer;
	Huiyin__Remark remark;
	Huiyin__InReplyTo in_reply_to;
	Huiyin__Classification classification;
	Huiyin__Routed routed;
	Huiyin__TicketEvent event;
	Huiyin__Note note;
	struct hy_id id, cause, ticket, other, anonymous;
	uint8_t person[16];
	struct hy_buffer sealed;
};

static inline void nf_person(uint64_t who, uint8_t out[16])
{
	hy_be_put64(out, 0x5045525350455253u);
	hy_be_put64(out + 8, who * UINT64_C(0x9e3779b97f4a7c15));
}

static inline void nf_speak(struct nf_record *r, const struct nf_voice *v)
{
	r->id = nf_feedback(v->feedback);
	huiyin__envelope__init(&r->e);
	huiyin__feedback__init(&r->fb);
	huiyin__customer__init(&r->customer);
	huiyin__remark__init(&r->remark);
	huiyin__classification__init(&r->classification);
	r->e.id = HY_ID_TO_PB(r->id);
	r->e.project = 1;
	r->e.origin_ms = FX_NOW - 1000;
	r->e.feedback = &r->fb;
	r->e.classification = &r->classification;
	r->classification.language = row_text(v->language ? v->language : "zh");
	r->fb.body_case = HUIYIN__FEEDBACK__BODY_REMARK;
	r->fb.remark = &r->remark;
	r->remark.text = row_text(v->text ? v->text : "物流太慢了");
	if (v->reply) {
		huiyin__in_reply_to__init(&r->in_reply_to);
		r->in_reply_to.round = 1;
		r->remark.in_reply_to = &r->in_reply_to;
	}
	if (!v->who)
		return;
	nf_person(v->who, r->person);
	r->fb.person = (ProtobufCBinaryData){ 16, r->person };
	r->fb.customer = &r->customer;
	r->customer.name = row_text(v->name ? v->name : "");
	r->customer.locale = row_text(v->locale ? v->locale : "");
	if (v->email) {
		Huiyin__Contact c = HUIYIN__CONTACT__INIT;
		struct hy_buffer plain = { 0 };
		c.email = row_text(v->email);
		hy_wire_pack(&c.base, &plain);
		assert_int_equal(hy_seal(&nf_contact_key, hy_buffer_view(&plain), &r->sealed), HY_OK);
		hy_buffer_free(&plain);
		r->customer.sealed = HY_TO_PB(hy_buffer_view(&r->sealed));
	}
}

static inline int nf_feed(struct fx *fx, struct nf_record *r)
{
	int err = fx_feed(fx, "ticket", &r->e);
	hy_buffer_free(&r->sealed);
	return err;
}

/* The record itself, routed by `decision`. */
static inline int nf_say(struct fx *fx, const struct nf_voice *v, Huiyin__Decision decision)
{
	struct nf_record r = { 0 };
	nf_speak(&r, v);
	huiyin__routed__init(&r.routed);
	r.routed.decision = decision;
	r.e.routed = &r.routed;
	return nf_feed(fx, &r);
}

static inline void nf_event(
	struct nf_record *r, uint64_t ticket, Huiyin__TicketEventKind kind, Huiyin__TicketState state, uint32_t round)
{
	r->ticket = nf_ticket(ticket);
	r->cause = r->id;
	r->id = nf_id(3, ++nf_serial);
	if (!r->e.base.descriptor)
		huiyin__envelope__init(&r->e);
	huiyin__ticket_event__init(&r->event);
	r->e.id = HY_ID_TO_PB(r->id);
	if (!hy_id_is_zero(r->cause))
		r->e.cause = HY_ID_TO_PB(r->cause);
	r->e.project = 1;
	r->e.origin_ms = FX_NOW - 1000;
	r->e.ticket = &r->event;
	r->e.key = HY_ID_TO_PB(r->ticket);
	r->event.ticket = HY_ID_TO_PB(r->ticket);
	r->event.number = ticket;
	r->event.kind = kind;
	r->event.state = state;
	r->event.round = round;
	r->event.department = row_text("logistics");
	r->event.subject = row_text("别人的第一句话");
}

/* Passed on by the router, then joined to the ticket. */
static inline void nf_join(struct fx *fx, uint64_t ticket, uint32_t round, const struct nf_voice *v)
{
	struct nf_record r = { 0 };
	assert_int_equal(
		nf_say(fx, v, v->reply ? HUIYIN__DECISION__DECISION_REPLY : HUIYIN__DECISION__DECISION_TICKET), HY_OK);
	nf_speak(&r, v);
	nf_event(&r, ticket, EVENT(JOINED), round > 1 ? STATE(REOPENED) : STATE(NEW), round);
	if (v->who) {
		r.event.person = r.fb.person;
	} else {
		r.anonymous = r.cause;
		r.event.feedback = HY_ID_TO_PB(r.anonymous);
	}
	assert_int_equal(nf_feed(fx, &r), HY_OK);
}

static inline void nf_happens(struct fx *fx, uint64_t ticket, Huiyin__TicketEventKind kind, Huiyin__TicketState state,
	uint32_t round, uint64_t who, const char *zh, const char *en)
{
	struct nf_record r = { 0 };
	nf_event(&r, ticket, kind, state, round);
	if (who) {
		nf_person(who, r.person);
		r.event.person = (ProtobufCBinaryData){ 16, r.person };
	}
	if (zh || en) {
		huiyin__note__init(&r.note);
		r.note.zh = row_text(zh ? zh : "");
		r.note.en = row_text(en ? en : "");
		r.event.note = &r.note;
	}
	assert_int_equal(nf_feed(fx, &r), HY_OK);
}

static inline void nf_resolve(struct fx *fx, uint64_t ticket, uint32_t round, const char *zh, const char *en)
{
	nf_happens(fx, ticket, EVENT(EVENT_RESOLVED), STATE(RESOLVED), round, 0, zh, en);
}

static inline struct hy_id nf_notice(uint64_t ticket, uint32_t round, uint64_t who, Huiyin__NoticeKind kind)
{
	uint8_t person[16];
	nf_person(who, person);
	struct notifier_about a = {
		.kind = kind, .ticket = nf_ticket(ticket), .round = round, .person = hy_bytes(person, 16)
	};
	return notifier_notice_id(&a);
}

/* Files in DIR/outbox, temporary ones too. */
static inline size_t nf_files(struct fx *fx)
{
	char path[4096];
	snprintf(path, sizeof(path), "%s/outbox", fx->dir);
	DIR *d = opendir(path);
	size_t n = 0;
	for (struct dirent *e; d && (e = readdir(d));)
		n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
	if (d)
		closedir(d);
	return n;
}

/* A mail as its file holds it; the caller frees. NULL when there is none. */
static inline char *nf_mail(struct fx *fx, struct hy_id notice)
{
	char path[4096], id[HY_ID_TEXT];
	hy_id_text(notice, id);
	snprintf(path, sizeof(path), "%s/outbox/%s.eml", fx->dir, id);
	FILE *f = fopen(path, "r");
	if (!f)
		return NULL;
	char *text = calloc(1, 65536);
	assert_non_null(text);
	assert_true(fread(text, 1, 65535, f) > 0);
	fclose(f);
	return text;
}

/* Deliveries so far with this outcome (0: all). */
static inline size_t nf_outcomes(struct fx *fx, Huiyin__Outcome outcome)
{
	size_t n = 0, all = fx_outputs(fx);
	for (size_t i = 0; i < all; i++)
		n += outcome == 0 || fx->outputs[i]->delivery->outcome == outcome;
	return n;
}

static inline int64_t nf_number(struct fx *fx, const char *name)
{
	struct hy_txn *t = hy_txn_begin(hy_daemon_store(fx->daemon), HY_READ);
	json_t *o = notifier_counts(t, &nf);
	int64_t v = json_integer_value(json_object_get(o, name));
	json_decref(o);
	hy_txn_abort(&t);
	return v;
}

#endif
