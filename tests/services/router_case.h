/* The router in a test: what people say, what is delivered, what staff command, and what comes out of it. */
#ifndef HY_TESTS_ROUTER_CASE_H
#define HY_TESTS_ROUTER_CASE_H

#include "support/fixture.h"

#include "router/router.h"

#define HOURS(n) ((int64_t)(n)*3600000)
#define DAYS(n) HOURS(24 * (n))

static const char rt_yaml[] =
	"projects: [{name: default, number: 1}, {name: shop, number: 2}]\n"
	"rules:\n"
	"  - {name: parcels, when: {topic: delivery, type: complaint}, department: logistics}\n"
	"  - {name: refunds, when: {topic: order_refund, type: complaint}, department: finance}\n"
	"  - {name: adverts, when: {tag: advert}, spam: true}\n"
	"  - {name: stars, when: {rating: {scale: stars, score: 5}}, thank: true, department: product}\n";

static struct router rt_router;

static int rt_setup(void **state)
{
	rt_router = (struct router){ 0 };
	struct fx *fx = fx_open(&router_service, &rt_router, rt_yaml);
	fx_start(fx);
	*state = fx;
	return 0;
}

static int rt_teardown(void **state)
{
	fx_close(*state);
	return 0;
}

/* Ids of feedback rise with n, and are dated FX_NOW. */
static struct hy_id rt_id(uint32_t n)
{
	struct hy_id id = { { 0 } };
	hy_be_put64(id.b, (uint64_t)FX_NOW << 16);
	id.b[12] = n >> 24, id.b[13] = n >> 16, id.b[14] = n >> 8, id.b[15] = n;
	return id;
}

/* One feedback, as the classifier hands it on. Zeroed is a neutral remark of an anonymous person. */
struct rt_say {
	const char *text, *type, *topic, *sentiment, *urgency, *tag;
	uint32_t person; /* 0 = anonymous */
	uint32_t theme; /* 0 = none */
	uint32_t project;
	double stars;
	bool unsure, spam;
	struct hy_id ticket; /* a reply with a token */
	uint32_t round;
	uint32_t feedback; /* a reply that names a feedback */
	int helped; /* 1 yes, -1 no */
};

/* Many records share one commit when they are made within rt_together(): a commit a record would make large tests slow. */
static struct hy_step *rt_step;
struct rt_job {
	struct hy_job job;
	struct fx *fx;
	void (*make)(struct fx *fx);
	bool done;
};

static int rt_feed(struct fx *fx, size_t input, Huiyin__Envelope *e)
{
	if (!rt_step)
		return fx_feed(fx, router_service.inputs[input].stream, e);
	struct hy_buffer b = { 0 };
	assert_int_equal(hy_wire_pack(&e->base, &b), HY_OK);
	rt_step->in = e;
	rt_step->raw = hy_buffer_view(&b);
	hy_arena_reset(rt_step->arena);
	int err = router_service.inputs[input].handle(rt_step, fx->self);
	rt_step->in = NULL;
	hy_buffer_free(&b);
	return err;
}

static int rt_run(struct hy_step *s, struct hy_job *job, void *self)
{
	(void)self;
	struct rt_job *j = (struct rt_job *)(void *)job;
	rt_step = s;
	j->make(j->fx);
	rt_step = NULL;
	return HY_OK;
}

static void rt_done(struct hy_job *job, int err, void *self)
{
	(void)self;
	assert_int_equal(err, HY_OK);
	((struct rt_job *)(void *)job)->done = true;
}

static inline void rt_together(struct fx *fx, void (*make)(struct fx *fx))
{
	struct rt_job j = { .job = { .run = rt_run, .done = rt_done, .records = 1 }, .fx = fx, .make = make };
	hy_daemon_post(fx->daemon, &j.job);
	assert_int_equal(hy_daemon_tick(fx->daemon), HY_OK);
	assert_true(j.done);
}

static void rt_bytes(uint8_t out[16], char kind, uint32_t n)
{
	memset(out, kind, 16);
	out[12] = n >> 24, out[13] = n >> 16, out[14] = n >> 8, out[15] = n;
}

static inline int rt_say_packed(struct fx *fx, uint32_t n, const struct rt_say *say)
{
	Huiyin__Envelope e = HUIYIN__ENVELOPE__INIT;
	Huiyin__Feedback f = HUIYIN__FEEDBACK__INIT;
	Huiyin__Remark r = HUIYIN__REMARK__INIT;
	Huiyin__InReplyTo to = HUIYIN__IN_REPLY_TO__INIT;
	Huiyin__Classification c = HUIYIN__CLASSIFICATION__INIT;
	Huiyin__Label type = HUIYIN__LABEL__INIT, topic = HUIYIN__LABEL__INIT, sentiment = HUIYIN__LABEL__INIT,
		      urgency = HUIYIN__LABEL__INIT, spam = HUIYIN__LABEL__INIT;
	Huiyin__Rating rating = HUIYIN__RATING__INIT, *ratings[] = { &rating };
	struct hy_id id = rt_id(n), named = rt_id(say->feedback), ticket = say->ticket;
	uint8_t person[16], theme[16];
	char *tags[] = { (char *)(uintptr_t)say->tag };
	rt_bytes(person, 'p', say->person);
	rt_bytes(theme, 't', say->theme);
#define RT_TEXT(text, otherwise) ((char *)(uintptr_t)((text) ? (text) : (otherwise)))
	r.text = RT_TEXT(say->text, "");
	r.channel = "app";
	r.tags = tags;
	r.n_tags = say->tag != NULL;
	rating.scale = "stars";
	rating.has_score_case = HUIYIN__RATING__HAS_SCORE_SCORE;
	rating.score = say->stars;
	r.ratings = ratings;
	r.n_ratings = say->stars > 0;
	if (say->feedback || !hy_id_is_zero(say->ticket)) {
		r.in_reply_to = &to;
		to.round = say->round;
		if (!hy_id_is_zero(say->ticket))
			to.ticket = HY_ID_TO_PB(ticket);
		if (say->feedback)
			to.feedback = HY_ID_TO_PB(named);
		if (say->helped) {
			to.has_helped_case = HUIYIN__IN_REPLY_TO__HAS_HELPED_HELPED;
			to.helped = say->helped > 0;
		}
	}
	f.body_case = HUIYIN__FEEDBACK__BODY_REMARK;
	f.remark = &r;
	if (say->person)
		f.person = (ProtobufCBinaryData){ 16, person };
	c.language = "zh";
	type.name = RT_TEXT(say->type, "other");
	topic.name = RT_TEXT(say->topic, "other");
	sentiment.name = RT_TEXT(say->sentiment, "neutral");
	urgency.name = RT_TEXT(say->urgency, "normal");
	spam.name = say->spam ? "spam" : "";
	c.type = &type;
	c.topic = &topic;
	c.sentiment = &sentiment;
	c.urgency = &urgency;
	c.spam = &spam;
	c.unsure = say->unsure;
	if (say->theme)
		c.theme = (ProtobufCBinaryData){ 16, theme };
	e.id = HY_ID_TO_PB(id);
	e.key = e.id;
	e.project = say->project ? say->project : 1;
	e.at_ms = e.origin_ms = FX_NOW;
	e.feedback = &f;
	e.classification = &c;
	return rt_feed(fx, 0, &e);
}

#define rt_say(fx, n, ...) assert_int_equal(rt_say_packed(fx, n, &(struct rt_say){ __VA_ARGS__ }), HY_OK)
/* A complaint about a parcel, theme 1. */
#define rt_complain(fx, n, who)                                                                                        \
	rt_say(fx, n, .text = "快递还没到", .type = "complaint", .topic = "delivery", .sentiment = "negative",         \
		.theme = 1, .person = who)

static struct hy_id rt_ticket(uint32_t opener)
{
	struct hy_id id = rt_id(opener);
	return hy_step_derive(id, 0, hy_bytes(NULL, 0), "ticket");
}

/* What the notifier says about one person and one notice. */
static inline int rt_deliver(struct fx *fx, Huiyin__NoticeKind kind, Huiyin__Outcome outcome, struct hy_id ticket,
	uint32_t round, uint32_t who, uint32_t feedback)
{
	static uint32_t made;
	Huiyin__Envelope e = HUIYIN__ENVELOPE__INIT;
	Huiyin__Delivery d = HUIYIN__DELIVERY__INIT;
	struct hy_id id = rt_id(0x70000000u + ++made), named = rt_id(feedback);
	uint8_t person[16];
	rt_bytes(person, 'p', who);
	d.at_ms = hy_now_ms();
	d.kind = kind;
	d.outcome = outcome;
	if (!hy_id_is_zero(ticket))
		d.ticket = HY_ID_TO_PB(ticket);
	d.round = round;
	if (who)
		d.person = (ProtobufCBinaryData){ 16, person };
	if (feedback)
		d.feedback = HY_ID_TO_PB(named);
	e.id = HY_ID_TO_PB(id);
	e.project = 1;
	e.delivery = &d;
	return rt_feed(fx, 1, &e);
}
#define rt_told(fx, ticket, round, who)                                                                                \
	assert_int_equal(                                                                                              \
		rt_deliver(fx, HUIYIN__NOTICE_KIND__NOTICE_RESOLVED, HUIYIN__OUTCOME__TOLD, ticket, round, who, 0),    \
		HY_OK)

/* ---- looking ---- */

static inline size_t rt_events(struct fx *fx, Huiyin__TicketEventKind kind)
{
	size_t n = 0;
	fx_outputs(fx);
	for (size_t i = 0; i < fx->output_count; i++)
		n += fx->outputs[i]->ticket && fx->outputs[i]->ticket->kind == kind;
	return n;
}

static inline Huiyin__Envelope *rt_event(struct fx *fx, Huiyin__TicketEventKind kind)
{
	fx_outputs(fx);
	for (size_t i = fx->output_count; i-- > 0;)
		if (fx->outputs[i]->ticket && fx->outputs[i]->ticket->kind == kind)
			return fx->outputs[i];
	fail_msg("no event of kind %d", kind);
	return NULL;
}

/* The decision on the feedback that came last. */
static inline Huiyin__Routed *rt_routed(struct fx *fx)
{
	fx_outputs(fx);
	for (size_t i = fx->output_count; i-- > 0;)
		if (fx->outputs[i]->routed)
			return fx->outputs[i]->routed;
	fail_msg("nothing was routed");
	return NULL;
}

/* A command with up to three arguments; its code. *out (may be NULL) is the caller's to give back. */
static inline int rt_ask(struct fx *fx, json_t **out, const char *verb, const char *const arguments[])
{
	const char *text = "";
	int err = hy_daemon_ask(fx->daemon, verb, arguments, &text);
	if (out)
		*out = err ? json_string(text) : json_loads(text, 0, NULL);
	return err;
}
#define rt_do(fx, verb, ...) assert_int_equal(rt_ask(fx, NULL, verb, (const char *const[]){ __VA_ARGS__, NULL }), HY_OK)
#define rt_refused(fx, code, words, verb, ...)                                                                         \
	do {                                                                                                           \
		json_t *answer_;                                                                                       \
		assert_int_equal(rt_ask(fx, &answer_, verb, (const char *const[]){ __VA_ARGS__, NULL }), code);        \
		if (!strstr(json_string_value(answer_), words))                                                        \
			fail_msg("expected \"%s\" in: %s", words, json_string_value(answer_));                         \
		json_decref(answer_);                                                                                  \
	} while (0)

/* One member of a ticket as `ticket.show` tells it. */
static inline int rt_number(struct fx *fx, const char *ticket, const char *member)
{
	json_t *j;
	assert_int_equal(rt_ask(fx, &j, "ticket.show", (const char *const[]){ "ticket", ticket, NULL }), HY_OK);
	int n = (int)json_integer_value(json_object_get(j, member));
	json_decref(j);
	return n;
}

static inline void rt_is(struct fx *fx, const char *ticket, const char *member, const char *value)
{
	json_t *j;
	assert_int_equal(rt_ask(fx, &j, "ticket.show", (const char *const[]){ "ticket", ticket, NULL }), HY_OK);
	const char *is = json_string_value(json_object_get(j, member));
	assert_string_equal(is ? is : "", value);
	json_decref(j);
}

static inline int rt_rows(struct fx *fx, const char *table)
{
	struct hy_txn *t = hy_txn_begin(hy_daemon_store(fx->daemon), HY_READ);
	int n = (int)hy_store_rows(t, table);
	hy_txn_abort(&t);
	return n;
}

/* A member of the audit, "open" or "excused.spam". */
static inline int rt_audit(struct fx *fx, const char *member)
{
	json_t *j;
	assert_int_equal(rt_ask(fx, &j, "audit", (const char *const[]){ NULL }), HY_OK);
	const char *dot = strchr(member, '.');
	json_t *in = dot ? json_object_get(j, "excused") : j;
	int n = (int)json_integer_value(json_object_get(in, dot ? dot + 1 : member));
	json_decref(j);
	return n;
}

#endif
