// link: hy_notifier hy_router
/* Router and notifier together, their streams carried by hand: what one says the other understands. */
#include "support/fixture.h"

#include <sys/stat.h>

#include "base/seal.h"
#include "notifier/notifier.h"
#include "router/router.h"

struct pair {
	struct fx *router, *notifier;
	struct router r;
	struct notifier n;
	struct hy_secret contact_key;
	size_t tickets, deliveries; /* carried so far */
	struct hy_ids ids;
};

static void make_keys(struct pair *p)
{
	struct hy_fault f = { 0 };
	char path[4096];
	snprintf(path, sizeof(path), "%s/keys", p->notifier->dir);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/keys/follow-up.key", p->notifier->dir);
	assert_int_equal(hy_secret_make(path, &f), HY_OK);
	snprintf(path, sizeof(path), "%s/keys/contact.key", p->notifier->dir);
	assert_int_equal(hy_secret_make(path, &f), HY_OK);
	assert_int_equal(hy_secret_load(path, &p->contact_key, &f), HY_OK);
}

static int setup(void **state)
{
	struct pair *p = calloc(1, sizeof(*p));
	p->router = fx_open(&router_service, &p->r, "follow_up: { receipt: no }\n");
	p->notifier = fx_open(&notifier_service, &p->n, "follow_up: { receipt: no }\n");
	make_keys(p);
	fx_start(p->router);
	fx_start(p->notifier);
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	struct pair *p = *state;
	fx_close(p->notifier);
	fx_close(p->router);
	free(p);
	return 0;
}

/* Carries both streams until nobody has anything more to say. */
static void carry(struct pair *p)
{
	for (bool more = true; more;) {
		more = false;
		for (size_t n = fx_outputs(p->router); p->tickets < n; p->tickets++, more = true)
			assert_int_equal(fx_feed(p->notifier, "ticket", p->router->outputs[p->tickets]), HY_OK);
		p->router->now_ms = p->notifier->now_ms;
		fx_wait(p->notifier, 1);
		p->router->now_ms = p->notifier->now_ms - 1;
		fx_wait(p->router, 1);
		for (size_t n = fx_outputs(p->notifier); p->deliveries < n; p->deliveries++, more = true)
			assert_int_equal(fx_feed(p->router, "delivery", p->notifier->outputs[p->deliveries]), HY_OK);
	}
}

/* Somebody says something; `who` 0 is anonymous. `helped` 1 or 0 answers `ticket` of `round`; -1 is fresh. */
static struct hy_id say(struct pair *p, uint8_t who, uint8_t theme, int helped, struct hy_id ticket, uint32_t round)
{
	Huiyin__Envelope e = HUIYIN__ENVELOPE__INIT;
	Huiyin__Feedback fb = HUIYIN__FEEDBACK__INIT;
	Huiyin__Customer customer = HUIYIN__CUSTOMER__INIT;
	Huiyin__Remark remark = HUIYIN__REMARK__INIT;
	Huiyin__InReplyTo to = HUIYIN__IN_REPLY_TO__INIT;
	Huiyin__Classification c = HUIYIN__CLASSIFICATION__INIT;
	Huiyin__Label type = HUIYIN__LABEL__INIT, topic = HUIYIN__LABEL__INIT, sentiment = HUIYIN__LABEL__INIT;
	struct hy_id id = hy_id_new(&p->ids, p->router->now_ms);
	uint8_t person[16] = { who }, issue[16] = { theme, 1 };
	struct hy_buffer plain = { 0 }, sealed = { 0 };
	char email[40];
	e.id = HY_ID_TO_PB(id);
	e.project = 1;
	e.at_ms = e.origin_ms = p->router->now_ms;
	e.key = e.id;
	e.feedback = &fb;
	e.classification = &c;
	fb.body_case = HUIYIN__FEEDBACK__BODY_REMARK;
	fb.remark = &remark;
	remark.text = (char *)"快递三天没动静";
	type.name = (char *)"complaint";
	topic.name = (char *)"delivery";
	sentiment.name = (char *)"negative";
	c.type = &type;
	c.topic = &topic;
	c.sentiment = &sentiment;
	c.language = (char *)"zh";
	c.theme = (ProtobufCBinaryData){ 16, issue };
	if (who) {
		Huiyin__Contact contact = HUIYIN__CONTACT__INIT;
		snprintf(email, sizeof(email), "p%d@example.com", who);
		contact.email = email;
		hy_wire_pack(&contact.base, &plain);
		assert_int_equal(hy_seal(&p->contact_key, hy_buffer_view(&plain), &sealed), HY_OK);
		fb.person = (ProtobufCBinaryData){ 16, person };
		fb.customer = &customer;
		customer.sealed = HY_TO_PB(hy_buffer_view(&sealed));
	}
	if (helped >= 0) {
		remark.in_reply_to = &to;
		to.ticket = HY_ID_TO_PB(ticket);
		to.round = round;
		to.has_helped_case = HUIYIN__IN_REPLY_TO__HAS_HELPED_HELPED;
		to.helped = helped;
	}
	assert_int_equal(fx_feed(p->router, "classification", &e), HY_OK);
	hy_buffer_free(&plain);
	hy_buffer_free(&sealed);
	return id;
}

static const struct hy_id none;

/* The state of T-`n` as staff see it, and its id. */
static const char *ticket_state(struct pair *p, const char *number, struct hy_id *id)
{
	static char text[32];
	json_t *o = NULL;
	assert_int_equal(fx_ask(p->router, "ticket.show", (const char *[]){ "ticket", number, NULL }, &o), HY_OK);
	json_t *t = json_object_get(o, "ticket");
	t = json_is_object(t) ? t : o;
	snprintf(text, sizeof(text), "%s", json_string_value(json_object_get(t, "state")));
	if (id) {
		const char *own = json_string_value(json_object_get(t, "id"));
		assert_true(hy_id_parse(own ? own : json_string_value(json_object_get(t, "ticket")), id));
	}
	json_decref(o);
	return text;
}

static void resolve(struct pair *p, const char *number, const char *note)
{
	const char *text = NULL;
	if (hy_daemon_ask(p->router->daemon, "ticket.resolve",
		    (const char *[]){ "ticket", number, "note_zh", note, NULL }, &text) != HY_OK)
		fail_msg("%s", text);
}

static size_t told(struct pair *p, Huiyin__Outcome outcome)
{
	size_t n = 0, all = fx_outputs(p->notifier);
	for (size_t i = 0; i < all; i++)
		n += p->notifier->outputs[i]->delivery->outcome == outcome;
	return n;
}

static void everybody_is_told_and_all_yes_confirm(void **state)
{
	struct pair *p = *state;
	struct hy_id ticket;
	for (uint8_t who = 0; who <= 3; who++)
		say(p, who, 1, -1, none, 0);
	carry(p);
	resolve(p, "T-1", "换了物流");
	carry(p);
	assert_int_equal(told(p, HUIYIN__OUTCOME__TOLD), 3);
	assert_int_equal(told(p, HUIYIN__OUTCOME__ANONYMOUS), 1);
	assert_string_equal(ticket_state(p, "T-1", &ticket), "resolved");
	for (uint8_t who = 1; who <= 3; who++)
		say(p, who, 1, 1, ticket, 1);
	carry(p);
	assert_string_equal(ticket_state(p, "T-1", NULL), "confirmed");
}

static void a_no_reopens_and_only_she_is_told_again(void **state)
{
	struct pair *p = *state;
	struct hy_id ticket;
	for (uint8_t who = 0; who <= 3; who++)
		say(p, who, 1, -1, none, 0);
	carry(p);
	resolve(p, "T-1", "换了物流");
	carry(p);
	ticket_state(p, "T-1", &ticket);
	say(p, 2, 1, 0, ticket, 1);
	carry(p);
	assert_string_equal(ticket_state(p, "T-1", NULL), "reopened");
	assert_int_equal(told(p, HUIYIN__OUTCOME__TOLD), 4); /* "we have opened this again" */
	resolve(p, "T-1", "补发了");
	carry(p);
	assert_int_equal(told(p, HUIYIN__OUTCOME__TOLD), 5);
	assert_int_equal(told(p, HUIYIN__OUTCOME__ANONYMOUS), 1);
	assert_string_equal(ticket_state(p, "T-1", NULL), "resolved");
}

static void people_of_a_merged_ticket_are_told_by_the_other(void **state)
{
	struct pair *p = *state;
	say(p, 1, 1, -1, none, 0);
	say(p, 2, 2, -1, none, 0);
	say(p, 0, 2, -1, none, 0);
	carry(p);
	const char *text = NULL;
	if (hy_daemon_ask(p->router->daemon, "ticket.merge", (const char *[]){ "ticket", "T-2", "into", "T-1", NULL },
		    &text) != HY_OK)
		fail_msg("%s", text);
	carry(p);
	resolve(p, "T-1", "好了");
	carry(p);
	assert_int_equal(told(p, HUIYIN__OUTCOME__TOLD), 2);
	assert_int_equal(told(p, HUIYIN__OUTCOME__ANONYMOUS), 1);
	assert_string_equal(ticket_state(p, "T-1", NULL), "resolved");
}

static void staff_who_reopen_owe_everybody_a_new_answer(void **state)
{
	struct pair *p = *state;
	for (uint8_t who = 0; who <= 2; who++)
		say(p, who, 1, -1, none, 0);
	carry(p);
	resolve(p, "T-1", "好了");
	carry(p);
	const char *text = NULL;
	if (hy_daemon_ask(p->router->daemon, "ticket.reopen", (const char *[]){ "ticket", "T-1", NULL }, &text) !=
		HY_OK)
		fail_msg("%s", text);
	carry(p);
	resolve(p, "T-1", "这次真的好了");
	carry(p);
	assert_int_equal(told(p, HUIYIN__OUTCOME__TOLD), 4);
	assert_int_equal(told(p, HUIYIN__OUTCOME__ANONYMOUS), 2);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(everybody_is_told_and_all_yes_confirm),
		T(a_no_reopens_and_only_she_is_told_again),
		T(people_of_a_merged_ticket_are_told_by_the_other),
		T(staff_who_reopen_owe_everybody_a_new_answer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
