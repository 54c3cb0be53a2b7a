// link: hy_ring
#include "support/ring.h"

#include <signal.h>

/* The whole way of a feedback through real processes: heard, understood, assigned, answered, and heard again. */

static int open_ring(void **state)
{
	*state = ring_open("s/^( *)wait: .*/\\1wait: 2s/");
	ring_start_all(*state);
	return ring_ready(*state) ? 0 : -1;
}

static int close_ring(void **state)
{
	ring_close(*state);
	return 0;
}

struct expected {
	const char *id, *word;
};

/* The feedback's ticket has the status `word`, or its decision is it. */
static bool stands_at(struct ring *r, void *arg)
{
	struct expected *e = arg;
	json_t *j = ring_view(r, e->id);
	const char *status = json_string_value(json_object_get(json_object_get(j, "ticket"), "status")),
		   *decision = json_string_value(json_object_get(j, "decision"));
	bool yes = (status && strcmp(status, e->word) == 0) || (decision && strcmp(decision, e->word) == 0);
	json_decref(j);
	return yes;
}

static void wait_for(struct ring *r, const char *id, const char *word)
{
	struct expected e = { id, word };
	ring_until(r, stands_at, &e, word);
}

static char *ticket_of(struct ring *r, const char *id)
{
	json_t *j = ring_view(r, id);
	const char *number = json_string_value(json_object_get(json_object_get(j, "ticket"), "number"));
	assert_non_null(number);
	char *copy = strdup(number);
	json_decref(j);
	return copy;
}

static void resolve(struct ring *r, const char *ticket)
{
	char command[512];
	char *out;
	snprintf(command, sizeof(command),
		"ticket resolve %s --note-zh '已经修好,请更新到 2.1 版。' --note-en 'Fixed in version 2.1, please "
		"update.'",
		ticket);
	if (ring_huiyin(r, command, &out) != 0)
		fail_msg("%s", out);
	free(out);
}

struct mail {
	const char *address, *words;
	char *text;
};

static bool mail_came(struct ring *r, void *arg)
{
	struct mail *m = arg;
	m->text = ring_mail(r, m->address, m->words);
	return m->text != NULL;
}

/* The text of a mail once it is there; the caller frees. */
static char *mail_to(struct ring *r, const char *address, const char *words)
{
	struct mail m = { address, words, NULL };
	ring_until(r, mail_came, &m, address);
	return m.text;
}

static int answer(struct ring *r, const char *page, const char *form)
{
	return ring_http(r, "POST", page, "Content-Type: application/x-www-form-urlencoded\r\n", form, NULL);
}

static json_int_t count(json_t *audit, const char *name)
{
	return json_integer_value(json_object_get(audit, name));
}

static void everybody_who_raised_it_is_told_and_a_yes_from_all_confirms_it(void **state)
{
	struct ring *r = *state;
	char *first =
		ring_say(r, "{\"text\":\"导出报表时总是闪退,报错 "
			    "500\",\"customer\":{\"id\":\"a1\",\"email\":\"li@example.com\",\"locale\":\"zh-CN\"}}");
	char *second =
		ring_say(r, "{\"text\":\"导出报表时总是闪退,报错 "
			    "500!\",\"customer\":{\"id\":\"a2\",\"email\":\"ann@example.com\",\"locale\":\"en\"}}");
	wait_for(r, first, "new");
	wait_for(r, second, "new");
	char *ticket = ticket_of(r, first), *other = ticket_of(r, second);
	assert_string_equal(ticket, other);
	resolve(r, ticket);
	char *zh = mail_to(r, "li@example.com", "已经修好"),
	     *en = mail_to(r, "ann@example.com", "Fixed in version 2.1");
	char *zh_page = ring_link(zh), *en_page = ring_link(en), *html;
	assert_int_equal(ring_http(r, "GET", zh_page, NULL, NULL, &html), 200);
	assert_non_null(strstr(html, "已经修好"));
	assert_non_null(strstr(html, "这个结果对您有帮助吗"));
	free(html);
	wait_for(r, first, "resolved"); /* looking changed nothing */
	assert_int_equal(answer(r, zh_page, "helped=yes&nonce=1&comment="), 200);
	assert_int_equal(answer(r, en_page, "helped=yes&nonce=2&comment=Thanks"), 200);
	wait_for(r, first, "confirmed");
	assert_int_equal(ring_http(r, "GET", zh_page, NULL, NULL, &html), 200);
	assert_non_null(strstr(html, "已经结束"));
	free(html);
	ring_settle(r);
	json_t *audit = ring_audit(r);
	assert_int_equal(count(audit, "accepted"), 4);
	assert_int_equal(count(audit, "answered"), 2);
	assert_int_equal(count(audit, "replies"), 2);
	json_decref(audit);
	free(zh_page), free(en_page), free(zh), free(en), free(ticket), free(other), free(first), free(second);
}

static void a_no_brings_it_back_to_its_department_and_the_next_answer_goes_only_to_whom_it_did_not_help(void **state)
{
	struct ring *r = *state;
	char *unhappy =
		ring_say(r, "{\"text\":\"The app crashes when I open the settings "
			    "page\",\"customer\":{\"id\":\"b1\",\"email\":\"bob@example.com\",\"locale\":\"en\"}}");
	char *happy =
		ring_say(r, "{\"text\":\"The app crashes when I open the settings "
			    "page!\",\"customer\":{\"id\":\"b2\",\"email\":\"bea@example.com\",\"locale\":\"en\"}}");
	wait_for(r, unhappy, "new");
	wait_for(r, happy, "new");
	char *ticket = ticket_of(r, unhappy);
	resolve(r, ticket);
	char *mail = mail_to(r, "bob@example.com", "Fixed in version 2.1"), *page = ring_link(mail),
	     *bea = mail_to(r, "bea@example.com", "Fixed in version 2.1");
	size_t mails = ring_mails(r);
	assert_int_equal(answer(r, page, "helped=no&nonce=3&comment=It+still+crashes"), 200);
	wait_for(r, unhappy, "reopened");
	assert_int_equal(
		answer(r, page, "helped=no&nonce=3&comment=It+still+crashes"), 200); /* sent again: changes nothing */
	ring_settle(r);
	assert_int_equal(ring_mails(r), mails + 1); /* he is told that it is open again */
	resolve(r, ticket);
	wait_for(r, unhappy, "resolved");
	ring_settle(r);
	assert_int_equal(ring_mails(r), mails + 2); /* the second answer goes to him alone */
	json_t *audit = ring_audit(r);
	assert_int_equal(count(audit, "answered"), 2);
	assert_int_equal(count(audit, "replies"), 1);
	json_decref(audit);
	free(mail), free(page), free(bea), free(ticket), free(unhappy), free(happy);
}

static void silence_closes_it_when_the_wait_is_over(void **state)
{
	struct ring *r = *state;
	char *id = ring_say(r, "{\"text\":\"Please add a dark mode\",\"customer\":{\"email\":\"cy@example.com\"}}");
	wait_for(r, id, "new");
	char *ticket = ticket_of(r, id);
	resolve(r, ticket);
	wait_for(r, id, "closed");
	json_t *audit = ring_audit(r);
	assert_int_equal(count(audit, "answered"), 1);
	json_decref(audit);
	free(id), free(ticket);
}

static void praise_is_thanked_and_who_can_not_be_told_is_accounted_for(void **state)
{
	struct ring *r = *state;
	char *thanked = ring_say(r, "{\"text\":\"I love this app, it works great. Thank you so "
				    "much!\",\"customer\":{\"email\":\"di@example.com\",\"locale\":\"en\"}}");
	char *nobody = ring_say(r, "{\"text\":\"物流太慢了,等了两个星期还没收到\"}");
	wait_for(r, thanked, "thanks");
	wait_for(r, nobody, "new");
	char *ticket = ticket_of(r, nobody), *mail = mail_to(r, "di@example.com", "praise");
	resolve(r, ticket);
	wait_for(r, nobody, "closed");
	ring_settle(r);
	json_t *audit = ring_audit(r);
	assert_int_equal(count(audit, "accepted"), 2);
	assert_int_equal(count(audit, "answered"), 1);
	assert_int_equal(count(json_object_get(audit, "excused"), "no_contact"), 1);
	json_decref(audit);
	free(thanked), free(nobody), free(ticket), free(mail);
}

static void everything_stops_and_starts_again_on_the_same_data(void **state)
{
	struct ring *r = *state;
	char *id = ring_say(r,
		"{\"text\":\"登录时提示验证码错误,进不去\",\"id\":\"x1\",\"customer\":{\"email\":\"ed@example.com\"}}");
	wait_for(r, id, "new");
	for (int s = 0; s < STATIONS; s++)
		ring_kill(r, (enum station)s, SIGTERM);
	ring_start_all(r);
	assert_true(ring_ready(r));
	json_t *again;
	assert_int_equal(ring_post(r,
				 "{\"text\":\"登录时提示验证码错误,进不去\",\"id\":\"x1\",\"customer\":{\"email\":\"ed@"
				 "example.com\"}}",
				 &again),
		202);
	assert_int_equal(count(again, "duplicates"), 1);
	assert_string_equal(json_string_value(json_array_get(json_object_get(again, "ids"), 0)), id);
	json_decref(again);
	char *ticket = ticket_of(r, id);
	resolve(r, ticket);
	free(mail_to(r, "ed@example.com", "已经修好"));
	free(id), free(ticket);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			everybody_who_raised_it_is_told_and_a_yes_from_all_confirms_it, open_ring, close_ring),
		cmocka_unit_test_setup_teardown(
			a_no_brings_it_back_to_its_department_and_the_next_answer_goes_only_to_whom_it_did_not_help,
			open_ring, close_ring),
		cmocka_unit_test_setup_teardown(silence_closes_it_when_the_wait_is_over, open_ring, close_ring),
		cmocka_unit_test_setup_teardown(
			praise_is_thanked_and_who_can_not_be_told_is_accounted_for, open_ring, close_ring),
		cmocka_unit_test_setup_teardown(
			everything_stops_and_starts_again_on_the_same_data, open_ring, close_ring),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
