// link: hy_notifier hy_http hy_smtp_server
/* Whatever somebody gives as his address: no byte of it becomes a command to a mail server. The server keeps every line it was told. */
#include "support/test.h"
#include "support/smtp_server.h"

#include "notifier_fixture.h"

#include "http/smtp.h"
#include "loop/loop.h"

static struct smtp_server *server;

static int open_notifier(void **state)
{
	char yaml[256];
	assert_int_equal(smtp_server_open(&server, &(struct smtp_server_options){ 0 }), 0);
	snprintf(yaml, sizeof(yaml),
		"follow_up: { receipt: no }\nnotify: { channel: smtp }\nsmtp: { host: 127.0.0.1, port: %d, security: "
		"none }\n",
		smtp_server_port(server));
	*state = nf_open(yaml);
	return 0;
}

static int close_notifier(void **state)
{
	fx_close(*state);
	smtp_server_close(&server);
	return 0;
}

static const char *const good[] = { "a@b.co", "li.lei+tag@mail.example.com", "o'brien@x-y.example", "user@localhost",
	"!#$%&*+-/=?^_`{|}~@b.co", "A.B@EXAMPLE.COM", "1@2.co" };

static const char *const bad[] = { "", "@", "a", "a@", "@b.co", "a@b@c.co", "a b@c.co", " a@b.co", "a@b.co ",
	"a@b.co\t", "<a@b.co>", "a>@b.co", "<>", "a@b.co>", "a@b.co> SIZE=1", "a@b.co\r\nRCPT TO:<victim@evil.example>",
	"a@b.co>\r\nRCPT TO:<victim@evil.example", "a@b.co\nDATA", "a@b.co\rDATA", "\r\na@b.co", "a\r\n@b.co",
	"a@\r\nb.co", "a@b.co\r", "a@b.co\n", "\"a\"@b.co", "\"a b\"@c.co", "a,b@c.co", "a@b.co,c@d.co",
	"a@b.co;c@d.co", "a\\b@c.co", "a:b@c.co", "@x,@y:a@b.co", "a(c)@b.co", "a@[127.0.0.1]", "a@[IPv6:::1]",
	"a@b..co", "a@.b.co", "a@b.co.", "a@-b.co", "a@b-.co", ".a@b.co", "a.@b.co", "a..b@c.co", "a@b_c.co",
	"a@b.co\x7f", "a\x01@b.co", "a@b.co\x1b[0m", "李雷@例子.中国", "a@例子.中国", "a\u202e@b.co", "a\u2028@b.co",
	"a\xff@b.co", "a\xc0\x8a@b.co", "=?utf-8?Q?a?=@b.co\r\n", "a%0d%0aDATA@b.co\n", "a@b.co NOTIFY=NEVER",
	"postmaster", "a@b.co\x0b", "a@b.co\x0c", "a@b.co\xc2\x85", "a@b.co\xe2\x80\xa8" };

enum { GOOD = sizeof(good) / sizeof(*good), BAD = sizeof(bad) / sizeof(*bad) };

static bool is_told(const char *address)
{
	const struct smtp_event *e;
	char command[400];
	snprintf(command, sizeof(command), "RCPT TO:<%s>", address);
	for (size_t i = 0; (e = smtp_server_event(server, i)); i++)
		if (e->kind == SMTP_HEARD && strcmp(e->text, command) == 0)
			return true;
	return false;
}

static size_t recipients(void)
{
	const struct smtp_event *e;
	size_t n = 0;
	for (size_t i = 0; (e = smtp_server_event(server, i)); i++)
		n += e->kind == SMTP_HEARD && strncasecmp(e->text, "RCPT", 4) == 0;
	return n;
}

/* One transfer at the channel's door, until it stands at its dot (and is let go without it) or has ended. */
static enum notifier_transfer_state offered(struct fx *fx, const char *address)
{
	static const char message[] =
		"From: <care@acme.example>\r\nTo: <x@example.com>\r\nMessage-ID: <1@acme.example>\r\n\r\nhello\r\n";
	static uint64_t serial;
	struct notifier_transfer t = { .notice = nf_feedback(++serial), .state = TRANSFER_BEGUN };
	int64_t patience = 6000;
	assert_true(strlen(address) < sizeof(t.to));
	strcpy(t.to, address);
	hy_buffer_text(&t.message, message);
	nf.channel->begin(nf.channel_self, &t);
	while (t.state == TRANSFER_BEGUN && patience-- > 0) {
		hy_loop_turn(hy_daemon_loop(fx->daemon), 10);
		nf.channel->drive(nf.channel_self);
	}
	enum notifier_transfer_state state = t.state;
	if (state == TRANSFER_DONE)
		assert_true(t.result == RESULT_HOLD || t.result == RESULT_BOUNCED || t.result == RESULT_NEVER);
	else
		nf.channel->cancel(nf.channel_self, &t);
	hy_buffer_free(&t.message);
	return state;
}

static void no_byte_of_an_address_becomes_a_command(void **state)
{
	struct fx *fx = *state;
	for (size_t i = 0; i < BAD; i++)
		if (offered(fx, bad[i]) != TRANSFER_DONE)
			fail_msg("'%s' was taken", bad[i]);
	for (int place = 0; place < 4; place++) /* every byte, at each place */
		for (int byte = 1; byte < 256; byte++) {
			char address[16];
			snprintf(address, sizeof(address), "%s%c%s%c%s%c%s%c", place == 0 ? "" : "x",
				place == 0 ? byte : 'a', "b", place == 1 ? byte : 'c', "@d", place == 2 ? byte : 'e',
				".co", place == 3 ? byte : 'm');
			const char *why = NULL;
			bool fine = hy_smtp_address_ok(address, &why);
			if ((offered(fx, address) == TRANSFER_DONE) == fine)
				fail_msg("'%s': %s", address, fine ? "refused" : why);
		}
	assert_null(smtp_server_stranger(server));
	assert_int_equal(smtp_server_taken(server, NULL), 0);
	size_t before = recipients();
	for (size_t i = 0; i < GOOD; i++) {
		assert_int_equal(offered(fx, good[i]), TRANSFER_AT_DOT);
		assert_true(is_told(good[i]));
	}
	assert_int_equal(recipients(), before + GOOD);
	assert_null(smtp_server_stranger(server));
}

/* The whole way: whoever gave an address that is none is accounted for, and the others get their mail. */
static void who_gave_no_address_is_accounted_for_and_the_others_are_told(void **state)
{
	struct fx *fx = *state;
	uint64_t who = 0;
	for (size_t i = 0; i < BAD; i++)
		if (bad[i][0] && hy_utf8_valid(hy_bytes_text(bad[i]))) {
			nf_join(fx, 7, 1,
				&(struct nf_voice){ .who = who + 1,
					.feedback = who + 1,
					.email = bad[i],
					.name = bad[i],
					.text = bad[i] });
			who++;
		}
	for (size_t i = 0; i < GOOD; i++) {
		nf_join(fx, 7, 1,
			&(struct nf_voice){ .who = who + 1,
				.feedback = who + 1,
				.email = good[i],
				.name = bad[i],
				.text = bad[i] });
		who++;
	}
	nf_resolve(fx, 7, 1, "好了", NULL);
	for (int i = 0; i < 6000 && nf_outcomes(fx, OUTCOME(TOLD)) < GOOD; i++) {
		hy_loop_turn(hy_daemon_loop(fx->daemon), 10);
		fx_wait(fx, 1);
	}
	assert_int_equal(nf_outcomes(fx, OUTCOME(TOLD)), GOOD);
	assert_int_equal(nf_outcomes(fx, 0), who);
	assert_int_equal(nf_number(fx, "pending"), 0);
	assert_int_equal(smtp_server_taken(server, NULL), GOOD);
	assert_int_equal(recipients(), GOOD);
	for (size_t i = 0; i < GOOD; i++)
		assert_int_equal(smtp_server_taken(server, good[i]), 1);
	assert_null(smtp_server_stranger(server));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, open_notifier, close_notifier)
	const struct CMUnitTest tests[] = {
		T(no_byte_of_an_address_becomes_a_command),
		T(who_gave_no_address_is_accounted_for_and_the_others_are_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
