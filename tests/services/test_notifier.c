// link: hy_notifier PkgConfig::GMIME
/* What customers get, and what is written down about it. */
#include "support/test.h"

#include <gmime/gmime.h>

#include "notifier_fixture.h"

static const struct nf_voice li = { 1, 1, "li@example.com", "李雷", "zh-CN", "快递三天没动静", "zh", false };
static const struct nf_voice ann = { 2, 2, "ann@example.com", "Ann", "en-GB", "Parcel is stuck", "en", false };
static const struct nf_voice mei = { 3, 3, "mei@example.com", "", "", "物流太慢", "zh", false };

/* Text and HTML of a mail, decoded; the caller frees. */
static char *body_of(struct fx *fx, struct hy_id notice, int part)
{
	char *raw = nf_mail(fx, notice);
	if (!raw)
		return NULL;
	GMimeStream *stream = g_mime_stream_mem_new_with_buffer(raw, strlen(raw));
	GMimeParser *parser = g_mime_parser_new_with_stream(stream);
	GMimeMessage *m = g_mime_parser_construct_message(parser, NULL);
	GMimeObject *of = g_mime_multipart_get_part(GMIME_MULTIPART(g_mime_message_get_mime_part(m)), part);
	GMimeStream *to = g_mime_stream_mem_new();
	g_mime_data_wrapper_write_to_stream(g_mime_part_get_content(GMIME_PART(of)), to);
	GByteArray *bytes = g_mime_stream_mem_get_byte_array(GMIME_STREAM_MEM(to));
	char *text = strndup((const char *)bytes->data, bytes->len);
	g_object_unref(to);
	g_object_unref(m);
	g_object_unref(parser);
	g_object_unref(stream);
	free(raw);
	return text;
}

static bool mail_says(struct fx *fx, struct hy_id notice, const char *what)
{
	char *text = body_of(fx, notice, 0);
	bool says = text && strstr(text, what);
	free(text);
	return says;
}

static void three_join(struct fx *fx)
{
	nf_join(fx, 7, 1, &li);
	nf_join(fx, 7, 1, &ann);
	nf_join(fx, 7, 1, &mei);
}

#define RESOLVED_FOR(who, round) nf_notice(7, round, who, HUIYIN__NOTICE_KIND__NOTICE_RESOLVED)

static void a_resolved_ticket_writes_one_mail_for_each_person(void **state)
{
	struct fx *fx = *state;
	three_join(fx);
	assert_int_equal(nf_files(fx), 0);
	nf_resolve(fx, 7, 1, "换了物流，两天内到。", "We changed the carrier.");
	fx_wait(fx, 1);
	assert_int_equal(nf_files(fx), 3);
	assert_int_equal(nf_outcomes(fx, OUTCOME(TOLD)), 3);
	assert_int_equal(nf_outcomes(fx, 0), 3);
	assert_true(mail_says(fx, RESOLVED_FOR(1, 1), "李雷，您好"));
	assert_true(mail_says(fx, RESOLVED_FOR(1, 1), "换了物流，两天内到。"));
	assert_true(mail_says(fx, RESOLVED_FOR(1, 1), "快递三天没动静"));
	assert_true(mail_says(fx, RESOLVED_FOR(2, 1), "We changed the carrier."));
	assert_true(mail_says(fx, RESOLVED_FOR(2, 1), "Dear Ann,"));
	assert_true(mail_says(fx, RESOLVED_FOR(3, 1), "物流太慢")); /* no locale: the language she wrote in */
	assert_false(mail_says(fx, RESOLVED_FOR(2, 1), "别人的第一句话")); /* nobody reads what another wrote */
	assert_int_equal(nf_number(fx, "notices"), 3);
	assert_int_equal(nf_number(fx, "told"), 3);
	assert_int_equal(nf_number(fx, "pending"), 0);
	assert_int_equal(nf_number(fx, "unaccounted"), 0);
	const Huiyin__Delivery *d = fx->outputs[0]->delivery;
	assert_int_equal(d->round, 1);
	assert_string_equal(d->channel, "file");
	assert_int_equal(fx->outputs[0]->origin_ms, FX_NOW - 1000);
	assert_int_equal(d->feedback.len, 16);
}

static void a_note_in_one_language_reaches_everybody(void **state)
{
	struct fx *fx = *state;
	three_join(fx);
	nf_resolve(fx, 7, 1, NULL, "We changed the carrier.");
	fx_wait(fx, 1);
	assert_true(mail_says(fx, RESOLVED_FOR(1, 1), "We changed the carrier."));
	assert_true(mail_says(fx, RESOLVED_FOR(1, 1), "您好"));
}

static void the_link_in_a_mail_is_hers_alone(void **state)
{
	struct fx *fx = *state;
	three_join(fx);
	nf_resolve(fx, 7, 1, "好了", NULL);
	fx_wait(fx, 1);
	struct hy_token token;
	char text[HY_TOKEN_TEXT] = "";
	uint8_t person[16];
	char *body = body_of(fx, RESOLVED_FOR(2, 1), 0), *html = body_of(fx, RESOLVED_FOR(2, 1), 1);
	const char *link = strstr(body, "http://127.0.0.1:8080/r/");
	assert_non_null(link);
	assert_int_equal(sscanf(link + strlen("http://127.0.0.1:8080/r/"), "%79[A-Za-z0-9_-]", text), 1);
	assert_true(hy_token_read(&nf.follow_up_key, text, &token));
	nf_person(2, person);
	assert_memory_equal(token.person, person, 16);
	assert_true(hy_id_equal(token.ticket, nf_ticket(7)));
	assert_int_equal(token.round, 1);
	assert_int_equal(token.purpose, 'r');
	assert_non_null(strstr(html, text));
	free(body);
	free(html);
}

static void the_same_event_again_changes_nothing(void **state)
{
	struct fx *fx = *state;
	three_join(fx);
	nf_resolve(fx, 7, 1, "好了", NULL);
	fx_wait(fx, 1);
	three_join(fx);
	nf_resolve(fx, 7, 1, "好了", NULL);
	fx_wait(fx, 1);
	fx_restart(fx);
	nf_resolve(fx, 7, 1, "好了", NULL);
	fx_wait(fx, 60000);
	assert_int_equal(nf_outcomes(fx, 0), 3);
	assert_int_equal(nf_files(fx), 3);
	assert_int_equal(nf_number(fx, "duplicated"), 0);
}

static void people_without_a_way_to_reach_them_have_their_reason(void **state)
{
	struct fx *fx = *state;
	nf_join(fx, 7, 1, &(struct nf_voice){ .who = 0, .feedback = 11 });
	nf_join(fx, 7, 1, &(struct nf_voice){ .who = 0, .feedback = 12 });
	nf_join(fx, 7, 1, &(struct nf_voice){ .who = 4, .feedback = 13, .name = "无名" });
	nf_join(fx, 7, 1,
		&(struct nf_voice){ .who = 5, .feedback = 14, .email = "x@y.example\r\nRCPT TO:<z@y.example>" });
	nf_resolve(fx, 7, 1, "好了", NULL);
	fx_wait(fx, 1);
	assert_int_equal(nf_outcomes(fx, OUTCOME(ANONYMOUS)), 2);
	assert_int_equal(nf_outcomes(fx, OUTCOME(NO_CONTACT)), 1);
	assert_int_equal(nf_outcomes(fx, OUTCOME(REFUSED)), 1);
	assert_int_equal(nf_outcomes(fx, 0), 4);
	assert_int_equal(nf_files(fx), 0);
	size_t reasons = 0;
	for (size_t i = 0; i < fx->output_count; i++) {
		const Huiyin__Delivery *d = fx->outputs[i]->delivery;
		reasons += d->outcome == OUTCOME(REFUSED) && strstr(d->reason, "e-mail address");
		if (d->outcome == OUTCOME(ANONYMOUS))
			assert_int_equal(d->feedback.len, 16); /* that is how the router knows whose it is */
	}
	assert_int_equal(reasons, 1);
	assert_int_equal(nf_number(fx, "unaccounted"), 0);
}

static void praise_is_thanked_once(void **state)
{
	struct fx *fx = *state;
	struct nf_voice kind = { 1, 1, "li@example.com", "李雷", "zh-CN", "很好用！买药点 http://evil.example", "zh",
		false };
	assert_int_equal(nf_say(fx, &kind, HUIYIN__DECISION__DECISION_THANKS), HY_OK);
	assert_int_equal(nf_say(fx, &kind, HUIYIN__DECISION__DECISION_THANKS), HY_OK);
	assert_int_equal(
		nf_say(fx, &(struct nf_voice){ .feedback = 2, .text = "great" }, HUIYIN__DECISION__DECISION_THANKS),
		HY_OK);
	fx_wait(fx, 1);
	assert_int_equal(nf_outcomes(fx, 0), 2);
	assert_int_equal(nf_outcomes(fx, OUTCOME(TOLD)), 1);
	assert_int_equal(nf_outcomes(fx, OUTCOME(ANONYMOUS)), 1);
	uint8_t person[16];
	nf_person(1, person);
	struct hy_id id = hy_step_derive(nf_feedback(1), 0, hy_bytes(person, 16), "thanks");
	assert_true(mail_says(fx, id, "夸奖"));
	assert_false(mail_says(fx, id, "evil")); /* nobody sends his words through us by writing to us */
}

static void a_receipt_is_sent_where_it_can_be_and_is_no_outcome_elsewhere(void **state)
{
	(void)state;
	struct fx *fx = nf_open(NULL);
	nf_join(fx, 7, 1, &li);
	nf_join(fx, 7, 1, &li);
	nf_join(fx, 7, 1, &(struct nf_voice){ .who = 0, .feedback = 11 });
	nf_join(fx, 7, 1, &(struct nf_voice){ .who = 4, .feedback = 13 });
	fx_wait(fx, 1);
	struct hy_id id = nf_notice(7, 1, 1, HUIYIN__NOTICE_KIND__NOTICE_RECEIPT);
	assert_int_equal(nf_files(fx), 1);
	assert_true(mail_says(fx, id, "T-7"));
	assert_false(mail_says(fx, id, "快递三天没动静"));
	assert_int_equal(nf_outcomes(fx, 0), 1);
	assert_int_equal(fx->outputs[0]->delivery->kind, HUIYIN__NOTICE_KIND__NOTICE_RECEIPT);
	fx_close(fx);
}

static void an_answer_does_not_wait_behind_a_crowd_of_receipts(void **state)
{
	(void)state;
	struct fx *fx = nf_open(NULL);
	for (uint64_t i = 1; i <= 400; i++) {
		char email[40];
		snprintf(email, sizeof(email), "p%d@example.com", (int)i);
		nf_join(fx, 8, 1, &(struct nf_voice){ .who = 100 + i, .feedback = 100 + i, .email = email });
	}
	nf_join(fx, 7, 1, &li);
	nf_resolve(fx, 7, 1, "好了", NULL);
	fx_wait(fx, 1);
	assert_int_equal(nf_outcomes(fx, OUTCOME(TOLD)), 402);
	size_t at = 0;
	while (fx->outputs[at]->delivery->kind != HUIYIN__NOTICE_KIND__NOTICE_RESOLVED)
		at++;
	assert_true(at < 256);
	fx_close(fx);
}

static void who_says_no_waits_alone_for_the_next_round(void **state)
{
	struct fx *fx = *state;
	three_join(fx);
	nf_resolve(fx, 7, 1, "好了", NULL);
	fx_wait(fx, 1);
	nf_happens(fx, 7, EVENT(EVENT_REOPENED), STATE(REOPENED), 2, 1, NULL, NULL);
	struct nf_voice no = li;
	no.feedback = 21;
	no.reply = true;
	nf_join(fx, 7, 2, &no);
	fx_wait(fx, 1);
	assert_int_equal(nf_files(fx), 4); /* "we have opened this again", once */
	assert_true(mail_says(fx, nf_notice(7, 2, 1, HUIYIN__NOTICE_KIND__NOTICE_REOPENED), "重新打开"));
	nf_resolve(fx, 7, 2, "这次真的好了", NULL);
	fx_wait(fx, 1);
	assert_int_equal(nf_files(fx), 5);
	assert_true(mail_says(fx, RESOLVED_FOR(1, 2), "这次真的好了"));
	assert_false(mail_says(fx, RESOLVED_FOR(2, 2), ""));
	assert_true(mail_says(fx, RESOLVED_FOR(1, 1), "好了")); /* the first answer stays what it was */
}

static void staff_who_reopen_lift_everybody(void **state)
{
	struct fx *fx = *state;
	three_join(fx);
	nf_resolve(fx, 7, 1, "好了", NULL);
	fx_wait(fx, 1);
	nf_happens(fx, 7, EVENT(EVENT_REOPENED), STATE(REOPENED), 2, 0, NULL, NULL);
	nf_happens(fx, 7, EVENT(EVENT_DECLINED), STATE(DECLINED), 2, 0, "做不了，抱歉", NULL);
	fx_wait(fx, 1);
	assert_int_equal(nf_outcomes(fx, OUTCOME(TOLD)), 6);
	assert_true(mail_says(fx, nf_notice(7, 2, 3, HUIYIN__NOTICE_KIND__NOTICE_DECLINED), "做不了，抱歉"));
}

static void moved_people_keep_their_words_and_late_ones_are_told_at_once(void **state)
{
	struct fx *fx = *state;
	nf_join(fx, 7, 1, &li);
	nf_join(fx, 8, 1, &ann);
	nf_join(fx, 8, 1, &(struct nf_voice){ .who = 0, .feedback = 11 });
	nf_resolve(fx, 7, 1, "好了", "Done.");
	fx_wait(fx, 1);
	assert_int_equal(nf_outcomes(fx, 0), 1);
	for (int anonymous = 0; anonymous < 2; anonymous++) {
		struct nf_record r = { 0 };
		nf_event(&r, 7, EVENT(MOVED), STATE(RESOLVED), 1);
		r.other = nf_ticket(8);
		r.event.other = HY_ID_TO_PB(r.other);
		nf_person(2, r.person);
		r.anonymous = nf_feedback(11);
		if (anonymous)
			r.event.feedback = HY_ID_TO_PB(r.anonymous);
		else
			r.event.person = (ProtobufCBinaryData){ 16, r.person };
		assert_int_equal(nf_feed(fx, &r), HY_OK);
	}
	fx_wait(fx, 1);
	assert_int_equal(nf_outcomes(fx, OUTCOME(TOLD)), 2);
	assert_int_equal(nf_outcomes(fx, OUTCOME(ANONYMOUS)), 1);
	assert_true(mail_says(fx, RESOLVED_FOR(2, 1), "Parcel is stuck"));
}

static void thousands_are_told_in_chunks_and_a_restart_loses_nobody(void **state)
{
	enum { PEOPLE = 2300 };
	struct fx *fx = *state;
	for (uint64_t i = 0; i < PEOPLE; i++) {
		char email[40];
		snprintf(email, sizeof(email), "p%d@example.com", (int)i);
		nf_join(fx, 7, 1,
			&(struct nf_voice){ .who = i % 3 ? 100 + i : 0, .feedback = 100 + i, .email = email });
	}
	nf_resolve(fx, 7, 1, "好了", NULL);
	size_t chunks = 0, last = 0;
	while (nf_number(fx, "walks")) {
		fx_wait(fx, 1);
		size_t now = (size_t)nf_number(fx, "notices");
		assert_true(now - last <= HY_FANOUT_CHUNK);
		assert_true(now > last);
		last = now;
		chunks++;
		fx_restart(fx);
	}
	assert_int_equal(chunks, 3);
	fx_wait(fx, 1);
	assert_int_equal(nf_outcomes(fx, 0), PEOPLE);
	assert_int_equal(nf_outcomes(fx, OUTCOME(ANONYMOUS)), (PEOPLE + 2) / 3);
	assert_int_equal(nf_files(fx), PEOPLE - (PEOPLE + 2) / 3);
	assert_int_equal(nf_number(fx, "unaccounted"), 0);
}

static void prefer(struct fx *fx, uint64_t who, const char *kind, const char *value, const char *from, const char *to)
{
	struct nf_record r = { 0 };
	Huiyin__Preferences p = HUIYIN__PREFERENCES__INIT;
	Huiyin__Pair pair = HUIYIN__PAIR__INIT, *pairs[] = { &pair };
	nf_speak(&r, &(struct nf_voice){ .who = who, .feedback = 900 + ++nf_serial });
	r.fb.body_case = HUIYIN__FEEDBACK__BODY_PREFERENCES;
	r.fb.preferences = &p;
	pair.name = row_text(kind);
	pair.value = row_text(value);
	if (kind) {
		p.consent = pairs;
		p.n_consent = 1;
	}
	p.quiet_from = row_text(from);
	p.quiet_to = row_text(to);
	assert_int_equal(nf_feed(fx, &r), HY_OK);
}

static void who_unsubscribed_is_left_in_peace_until_she_agrees_again(void **state)
{
	struct fx *fx = *state;
	three_join(fx);
	prefer(fx, 1, "all", "no", "", "");
	prefer(fx, 2, "receipt", "no", "", "");
	nf_resolve(fx, 7, 1, "好了", NULL);
	fx_wait(fx, 1);
	assert_int_equal(nf_outcomes(fx, OUTCOME(UNSUBSCRIBED)), 1);
	assert_int_equal(nf_outcomes(fx, OUTCOME(TOLD)), 2);
	prefer(fx, 1, "all", "yes", "", "");
	nf_happens(fx, 7, EVENT(EVENT_REOPENED), STATE(REOPENED), 2, 0, NULL, NULL);
	nf_resolve(fx, 7, 2, "好了", NULL);
	fx_wait(fx, 1);
	assert_int_equal(nf_outcomes(fx, OUTCOME(TOLD)), 5);
}

static void quiet_hours_put_a_notice_off_until_morning(void **state)
{
	struct fx *fx = *state;
	three_join(fx);
	prefer(fx, 1, NULL, NULL, "22:00", "07:30"); /* the clock stands at midnight, UTC */
	nf_resolve(fx, 7, 1, "好了", NULL);
	fx_wait(fx, 1);
	assert_int_equal(nf_files(fx), 2);
	fx_wait(fx, 7 * 3600000);
	assert_int_equal(nf_files(fx), 2);
	fx_restart(fx);
	fx_wait(fx, 30 * 60000);
	assert_int_equal(nf_files(fx), 3);
	assert_int_equal(nf_outcomes(fx, OUTCOME(TOLD)), 3);
}

static void erase(struct fx *fx, uint64_t who)
{
	struct nf_record r = { 0 };
	Huiyin__Erasure erasure = HUIYIN__ERASURE__INIT;
	nf_speak(&r, &(struct nf_voice){ .who = who, .feedback = 900 + ++nf_serial });
	r.fb.body_case = HUIYIN__FEEDBACK__BODY_ERASURE;
	r.fb.erasure = &erasure;
	assert_int_equal(nf_feed(fx, &r), HY_OK);
}

static void the_erased_are_forgotten_and_stay_so(void **state)
{
	struct fx *fx = *state;
	three_join(fx);
	prefer(fx, 2, NULL, NULL, "22:00", "07:30");
	nf_resolve(fx, 7, 1, "好了", NULL);
	fx_wait(fx, 1);
	assert_int_equal(nf_files(fx), 2);
	erase(fx, 1); /* told already */
	erase(fx, 2); /* still owed */
	fx_wait(fx, 1);
	assert_int_equal(nf_files(fx), 1);
	assert_int_equal(nf_outcomes(fx, OUTCOME(OUTCOME_ERASED)), 1);
	assert_int_equal(nf_number(fx, "people"), 1);
	nf_join(fx, 7, 1, &li); /* a late record of hers */
	assert_int_equal(nf_number(fx, "people"), 1);
	nf_happens(fx, 7, EVENT(EVENT_REOPENED), STATE(REOPENED), 2, 0, NULL, NULL);
	nf_resolve(fx, 7, 2, "好了", NULL);
	fx_wait(fx, 8 * 3600000);
	assert_int_equal(nf_outcomes(fx, OUTCOME(OUTCOME_ERASED)), 3);
	assert_int_equal(nf_outcomes(fx, OUTCOME(TOLD)), 3);
	assert_int_equal(nf_number(fx, "unaccounted"), 0);
}

static void a_newer_address_is_used_and_an_unchanged_one_costs_nothing(void **state)
{
	struct fx *fx = *state;
	nf_join(fx, 7, 1, &li);
	struct nf_voice moved = li;
	moved.feedback = 22;
	moved.email = "li@new.example";
	moved.name = NULL; /* what is left out stays */
	nf_join(fx, 7, 1, &moved);
	nf_resolve(fx, 7, 1, "好了", NULL);
	fx_wait(fx, 1);
	char *raw = nf_mail(fx, RESOLVED_FOR(1, 1));
	assert_non_null(strstr(raw, "<li@new.example>"));
	free(raw);
	assert_true(mail_says(fx, RESOLVED_FOR(1, 1), "李雷，您好"));
}

static void staff_see_what_became_of_each_notice(void **state)
{
	struct fx *fx = *state;
	three_join(fx);
	nf_join(fx, 7, 1, &(struct nf_voice){ .who = 0, .feedback = 11 });
	nf_resolve(fx, 7, 1, "好了", NULL);
	fx_wait(fx, 1);
	json_t *o;
	assert_int_equal(fx_ask(fx, "delivery.list", (const char *[]){ "ticket", "T-7", NULL }, &o), HY_OK);
	json_t *list = json_object_get(o, "notices");
	assert_int_equal(json_array_size(list), 4);
	char *notice = strdup(json_string_value(json_object_get(json_array_get(list, 0), "notice")));
	json_decref(o);
	assert_int_equal(fx_ask(fx, "delivery.show", (const char *[]){ "notice", notice, NULL }, &o), HY_OK);
	assert_string_equal(json_string_value(json_object_get(o, "kind")), "resolved");
	json_decref(o);
	free(notice);
	uint8_t person[16];
	char hex[33];
	nf_person(2, person);
	hy_hex(person, 16, hex);
	assert_int_equal(fx_ask(fx, "delivery.list", (const char *[]){ "person", hex, NULL }, &o), HY_OK);
	list = json_object_get(o, "notices");
	assert_int_equal(json_array_size(list), 1);
	assert_string_equal(json_string_value(json_object_get(json_array_get(list, 0), "outcome")), "told");
	json_decref(o);
	assert_int_equal(fx_ask(fx, "delivery.list", (const char *[]){ "ticket", "T-99", NULL }, &o), HY_NOT_FOUND);
	assert_int_equal(fx_ask(fx, "delivery.list", (const char *[]){ "ticket", "x", NULL }, &o), HY_BAD_INPUT);
	assert_int_equal(fx_ask(fx, "delivery.list", (const char *[]){ NULL }, &o), HY_BAD_INPUT);
	assert_int_equal(fx_ask(fx, "delivery.show", (const char *[]){ "notice", "x", NULL }, &o), HY_BAD_INPUT);
	assert_int_equal(fx_ask(fx, "audit", (const char *[]){ NULL }, &o), HY_OK);
	assert_int_equal(json_integer_value(json_object_get(o, "notices")), 4);
	assert_int_equal(json_integer_value(json_object_get(o, "told")), 3);
	assert_int_equal(json_integer_value(json_object_get(o, "duplicated")), 0);
	assert_int_equal(json_integer_value(json_object_get(o, "unaccounted")), 0);
	json_decref(o);
}

static void old_loops_are_folded_into_counters(void **state)
{
	const int64_t day = 24 * 3600000;
	struct fx *fx = *state;
	three_join(fx);
	nf_join(fx, 8, 1, &li);
	nf_resolve(fx, 7, 1, "好了", NULL);
	fx_wait(fx, 1);
	nf_happens(fx, 7, EVENT(EVENT_CLOSED), STATE(CLOSED), 1, 0, NULL, NULL);
	struct hy_txn *t;
	for (int i = 0; i < 405; i++)
		fx_wait(fx, day + 2);
	fx_wait(fx, 1);
	fx_wait(fx, 1);
	assert_int_equal(nf_number(fx, "told"), 3);
	assert_int_equal(nf_number(fx, "unaccounted"), 0);
	int64_t people = nf_number(fx, "people");
	t = hy_txn_begin(hy_daemon_store(fx->daemon), HY_READ);
	assert_int_equal(hy_store_rows(t, "ledger"), 0);
	assert_int_equal(hy_store_rows(t, "link"), 1); /* T-8 is still open */
	assert_int_equal(hy_store_rows(t, "case"), 1);
	assert_int_equal(hy_store_rows(t, "note"), 0);
	assert_int_equal(hy_store_rows(t, "by_ticket"), 0);
	assert_int_equal(hy_store_rows(t, "person"), people + 1); /* and her place in T-8 */
	assert_int_equal(hy_store_rows(t, "number"), 1);
	hy_txn_abort(&t);
}

static void an_event_without_its_ticket_is_refused(void **state)
{
	struct fx *fx = *state;
	struct nf_record r = { 0 };
	nf_event(&r, 7, EVENT(JOINED), STATE(NEW), 1);
	r.event.ticket = (ProtobufCBinaryData){ 0 };
	assert_int_equal(nf_feed(fx, &r), HY_BAD_INPUT);
	assert_int_equal(nf_number(fx, "notices"), 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, nf_setup, nf_teardown)
	const struct CMUnitTest tests[] = {
		T(a_resolved_ticket_writes_one_mail_for_each_person),
		T(a_note_in_one_language_reaches_everybody),
		T(the_link_in_a_mail_is_hers_alone),
		T(the_same_event_again_changes_nothing),
		T(people_without_a_way_to_reach_them_have_their_reason),
		T(praise_is_thanked_once),
		cmocka_unit_test(a_receipt_is_sent_where_it_can_be_and_is_no_outcome_elsewhere),
		cmocka_unit_test(an_answer_does_not_wait_behind_a_crowd_of_receipts),
		T(who_says_no_waits_alone_for_the_next_round),
		T(staff_who_reopen_lift_everybody),
		T(moved_people_keep_their_words_and_late_ones_are_told_at_once),
		T(thousands_are_told_in_chunks_and_a_restart_loses_nobody),
		T(who_unsubscribed_is_left_in_peace_until_she_agrees_again),
		T(quiet_hours_put_a_notice_off_until_morning),
		T(the_erased_are_forgotten_and_stay_so),
		T(a_newer_address_is_used_and_an_unchanged_one_costs_nothing),
		T(staff_see_what_became_of_each_notice),
		T(old_loops_are_folded_into_counters),
		T(an_event_without_its_ticket_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
