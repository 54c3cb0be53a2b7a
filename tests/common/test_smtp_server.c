// link: hy_smtp_server
/* The SMTP server that other tests lean on does what it says: seen from a plain socket. */
#include "support/test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <gnutls/gnutls.h>

#include "support/smtp_server.h"

enum { LONG = 60000 };

static int open_server(void **state)
{
	return smtp_server_open((struct smtp_server **)state, &(struct smtp_server_options){ 0 });
}

static int close_server(void **state)
{
	smtp_server_close((struct smtp_server **)state);
	return 0;
}

static int dial(struct smtp_server *s)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)smtp_server_port(s)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct timeval patience = { .tv_sec = 60 };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0)
		return fd;
	close(fd);
	return -1;
}

static void tell(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* A reply of any number of lines, the code of its last one; 0 when the connection ended, -1 with an RST. */
static int hear(int fd)
{
	char line[600];
	size_t n = 0;
	for (;;) {
		ssize_t got = recv(fd, line + n, 1, 0);
		if (got < 0 && errno != ECONNRESET)
			fail_msg("no answer: %s", strerror(errno));
		if (got <= 0)
			return got < 0 ? -1 : 0;
		if (line[n++] != '\n' && n < sizeof(line))
			continue;
		if (n < 5 || line[3] != '-')
			return atoi(line);
		n = 0;
	}
}

static int ask(int fd, const char *text)
{
	tell(fd, text);
	return hear(fd);
}

static int greeted(struct smtp_server *s)
{
	int fd = dial(s);
	assert_int_equal(hear(fd), 220);
	assert_int_equal(ask(fd, "EHLO test.example\r\n"), 250);
	return fd;
}

static int addressed(struct smtp_server *s, const char *to)
{
	char rcpt[300];
	int fd = greeted(s);
	snprintf(rcpt, sizeof(rcpt), "RCPT TO:<%s>\r\n", to);
	assert_int_equal(ask(fd, "MAIL FROM:<a@x.example>\r\n"), 250);
	assert_int_equal(ask(fd, rcpt), 250);
	assert_int_equal(ask(fd, "DATA\r\n"), 354);
	return fd;
}

#define MAIL "Message-ID: <1@x>\r\nSubject: one\r\n\r\nhello\r\n..dot\r\n"

static void a_message_is_kept_as_it_was_meant_with_its_envelope(void **state)
{
	struct smtp_server *s = *state;
	int fd = addressed(s, "li@y.example");
	assert_int_equal(ask(fd, MAIL ".\r\n"), 250);
	assert_int_equal(ask(fd, "QUIT\r\n"), 221);
	close(fd);
	const struct smtp_message *m = smtp_server_message(s, 0);
	assert_non_null(m);
	assert_null(smtp_server_message(s, 1));
	assert_string_equal(m->from, "a@x.example");
	assert_string_equal(m->to, "li@y.example");
	assert_string_equal(m->data, "Message-ID: <1@x>\r\nSubject: one\r\n\r\nhello\r\n.dot\r\n");
	assert_string_equal(m->id, "<1@x>");
	assert_false(m->torn);
	assert_false(m->encrypted);
	assert_int_equal(smtp_server_taken(s, "li@y.example"), 1);
	assert_int_equal(smtp_server_taken(s, "i@y.example"), 0);
	assert_int_equal(smtp_server_copies(s, NULL), 1);
	assert_null(smtp_server_stranger(s));
	assert_true(smtp_server_wait(s, SMTP_GONE, 1, LONG));
	char *story = smtp_server_story(s);
	assert_non_null(strstr(story, "1 < RCPT TO:<li@y.example>"));
	assert_non_null(strstr(story, "1 > 354 go on"));
	assert_non_null(strstr(story, "1 taken <1@x>"));
	free(story);
}

static void an_answer_is_withheld_until_the_test_lets_it_go(void **state)
{
	struct smtp_server *s = *state;
	smtp_server_rule(s, &(struct smtp_rule){ .at = SMTP_AT_DOT, .does = SMTP_WITHHOLD });
	int fd = addressed(s, "li@y.example");
	tell(fd, MAIL ".\r\n");
	assert_true(smtp_server_wait(s, SMTP_WITHHELD, 1, LONG));
	assert_int_equal(smtp_server_taken(s, NULL), 1); /* it is in, and nobody was told */
	assert_int_equal(poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, 50), 0);
	smtp_server_release(s);
	assert_int_equal(hear(fd), 250);
	close(fd);
	fd = addressed(s, "li@y.example"); /* a sender who dies in the window */
	tell(fd, MAIL ".\r\n");
	assert_true(smtp_server_wait(s, SMTP_WITHHELD, 2, LONG));
	close(fd);
	smtp_server_release(s);
	assert_true(smtp_server_wait(s, SMTP_GONE, 2, LONG));
	assert_int_equal(smtp_server_copies(s, "<1@x>"), 2);
}

static void a_rule_holds_for_whom_and_when_it_says(void **state)
{
	struct smtp_server *s = *state;
	const char *from = "MAIL FROM:<a@x.example>\r\n", *li = "RCPT TO:<li@y.example>\r\n",
		   *an = "RCPT TO:<an@y.example>\r\n";
	smtp_server_rule(s, &(struct smtp_rule){ .at = SMTP_AT_RCPT,
				    .does = SMTP_SAYS,
				    .text = "451 4.7.1 greylisted\r\n",
				    .times = 2,
				    .each = true });
	smtp_server_rule(
		s, &(struct smtp_rule){
			   .at = SMTP_AT_RCPT, .does = SMTP_SAYS, .text = "550 5.1.1 who?\r\n", .to = "an@y.example" });
	smtp_server_rule(s,
		&(struct smtp_rule){ .at = SMTP_AT_GREETING, .does = SMTP_SAYS, .text = "554 not you\r\n", .line = 2 });
	int fd = greeted(s), second = dial(s);
	assert_int_equal(hear(second), 554);
	close(second);
	assert_int_equal(ask(fd, from), 250);
	assert_int_equal(ask(fd, li), 451);
	assert_int_equal(ask(fd, an), 451);
	assert_int_equal(ask(fd, li), 451);
	assert_int_equal(ask(fd, li), 250);
	assert_int_equal(ask(fd, an), 451);
	assert_int_equal(ask(fd, an), 550);
	smtp_server_behave(s);
	assert_int_equal(ask(fd, an), 250);
	smtp_server_rule(
		s, &(struct smtp_rule){
			   .at = SMTP_AT_MAIL, .does = SMTP_SAYS, .text = "450 4.2.0 soon\r\n", .for_ms = 30 });
	assert_int_equal(ask(fd, "RSET\r\n"), 250);
	while (ask(fd, from) == 450)
		usleep(5000);
	assert_int_equal(ask(fd, "RSET\r\n"), 250);
	smtp_server_rule(s, &(struct smtp_rule){ .at = SMTP_AT_RCPT,
				    .does = SMTP_SAYS,
				    .text = "452 4.5.3 enough\r\n",
				    .after = 1,
				    .times = 1 });
	assert_int_equal(ask(fd, from), 250);
	assert_int_equal(ask(fd, li), 250);
	assert_int_equal(ask(fd, li), 452);
	assert_int_equal(ask(fd, li), 250);
	close(fd);
}

static void connections_end_as_they_should_at_every_moment(void **state)
{
	struct smtp_server *s = *state;
	smtp_server_rule(
		s, &(struct smtp_rule){
			   .at = SMTP_AT_DOT, .does = SMTP_RESETS, .text = "250 ok\r\n", .line = 1, .ms = 20 });
	smtp_server_rule(s, &(struct smtp_rule){ .at = SMTP_AT_DOT, .does = SMTP_RESETS, .line = 2 });
	smtp_server_rule(s,
		&(struct smtp_rule){ .at = SMTP_AT_DOT, .does = SMTP_SAYS, .text = "250 ok\r\n250 ok\r\n", .line = 3 });
	smtp_server_rule(s,
		&(struct smtp_rule){ .at = SMTP_AT_BODY, .does = SMTP_CLOSES, .text = "421 4.3.2 bye\r\n", .line = 4 });
	smtp_server_rule(s, &(struct smtp_rule){ .at = SMTP_AT_REST, .does = SMTP_CLOSES, .line = 5 });
	int fd = addressed(s, "li@y.example");
	assert_int_equal(ask(fd, MAIL ".\r\n"), 250);
	assert_int_equal(hear(fd), -1);
	close(fd);
	fd = addressed(s, "li@y.example");
	assert_int_equal(ask(fd, MAIL ".\r\n"), -1);
	close(fd);
	fd = addressed(s, "li@y.example");
	assert_int_equal(ask(fd, MAIL ".\r\n"), 250);
	assert_int_equal(hear(fd), 250);
	close(fd);
	assert_int_equal(smtp_server_taken(s, NULL), 3);
	fd = addressed(s, "li@y.example");
	assert_int_equal(ask(fd, "Subject: half\r\n"), 421);
	close(fd);
	fd = addressed(s, "li@y.example");
	assert_int_equal(ask(fd, MAIL ".\r\n"), 250);
	assert_int_equal(hear(fd), 0);
	close(fd);
	assert_int_equal(smtp_server_taken(s, NULL), 4); /* half a message is none */
}

static void what_is_not_text_and_what_never_ends_goes_out_as_it_is(void **state)
{
	struct smtp_server *s = *state;
	char got[64];
	smtp_server_rule(
		s, &(struct smtp_rule){
			   .at = SMTP_AT_GREETING, .does = SMTP_SAYS, .text = "2\0\xff", .size = 3, .line = 1 });
	smtp_server_rule(
		s, &(struct smtp_rule){
			   .at = SMTP_AT_GREETING, .does = SMTP_NEVER_ENDS, .text = "220-more\r\n", .line = 2 });
	smtp_server_rule(s, &(struct smtp_rule){ .at = SMTP_AT_GREETING, .does = SMTP_SAYS_NOTHING, .line = 3 });
	smtp_server_rule(s, &(struct smtp_rule){ .at = SMTP_AT_GREETING, .does = SMTP_DRIPS, .ms = 1, .line = 4 });
	int fd = dial(s);
	assert_int_equal(recv(fd, got, 3, MSG_WAITALL), 3);
	assert_memory_equal(got, "2\0\xff", 3);
	close(fd);
	fd = dial(s);
	for (int i = 0; i < 100000; i++)
		assert_int_equal(recv(fd, got, 10, MSG_WAITALL), 10);
	close(fd);
	fd = dial(s);
	tell(fd, "EHLO x\r\n");
	assert_int_equal(poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, 50), 0);
	close(fd);
	fd = greeted(s);
	close(fd);
	assert_true(smtp_server_wait(s, SMTP_GONE, 4, LONG));
}

static void down_means_refused_and_up_means_there_again(void **state)
{
	struct smtp_server *s = *state;
	int fd = greeted(s), port = smtp_server_port(s);
	smtp_server_down(s);
	assert_true(hear(fd) <= 0);
	close(fd);
	assert_int_equal(dial(s), -1);
	assert_int_equal(smtp_server_up(s), 0);
	assert_int_equal(smtp_server_port(s), port);
	fd = greeted(s);
	close(fd);
}

static void nobody_mails_without_the_right_password(void **state)
{
	(void)state;
	struct smtp_server *s;
	assert_int_equal(
		smtp_server_open(&s, &(struct smtp_server_options){ .user = "tim", .password = "tanstaaftanstaaf" }),
		0);
	int fd = greeted(s);
	assert_int_equal(ask(fd, "MAIL FROM:<a@x.example>\r\n"), 530);
	assert_int_equal(ask(fd, "AUTH PLAIN AHRpbQB3cm9uZw==\r\n"), 535);
	assert_int_equal(ask(fd, "AUTH LOGIN\r\n"), 334);
	assert_int_equal(ask(fd, "dGlt\r\n"), 334);
	assert_int_equal(ask(fd, "dGFuc3RhYWZ0YW5zdGFhZg==\r\n"), 235);
	assert_int_equal(ask(fd, "MAIL FROM:<a@x.example>\r\n"), 250);
	close(fd);
	fd = greeted(s);
	assert_int_equal(ask(fd, "AUTH PLAIN\r\n"), 334);
	assert_int_equal(ask(fd, "AHRpbQB0YW5zdGFhZnRhbnN0YWFm\r\n"), 235);
	close(fd);
	char *story = smtp_server_story(s);
	assert_null(strstr(story, "dGFuc3")); /* not even here */
	assert_null(strstr(story, "AHRpbQ"));
	free(story);
	assert_null(smtp_server_stranger(s));
	smtp_server_close(&s);
}

static void a_connection_is_encrypted_with_a_certificate_that_can_be_checked(void **state)
{
	(void)state;
	struct smtp_server *s;
	gnutls_certificate_credentials_t known;
	gnutls_session_t tls;
	int err;
	assert_int_equal(smtp_server_open(&s, &(struct smtp_server_options){ .tls = SMTP_OFFERS_STARTTLS }), 0);
	smtp_server_rule(s,
		&(struct smtp_rule){ .at = SMTP_AT_STARTTLS, .does = SMTP_SAYS, .text = "454 later\r\n", .line = 2 });
	int fd = greeted(s), refused = greeted(s);
	assert_int_equal(ask(refused, "STARTTLS\r\n"), 454);
	close(refused);
	assert_int_equal(ask(fd, "STARTTLS\r\n"), 220);
	assert_int_equal(gnutls_certificate_allocate_credentials(&known), 0);
	assert_int_equal(gnutls_certificate_set_x509_trust_file(known, smtp_server_ca_file(s), GNUTLS_X509_FMT_PEM), 1);
	assert_int_equal(gnutls_init(&tls, GNUTLS_CLIENT | GNUTLS_NO_SIGNAL), 0);
	gnutls_set_default_priority(tls);
	gnutls_credentials_set(tls, GNUTLS_CRD_CERTIFICATE, known);
	gnutls_session_set_verify_cert(tls, "localhost", 0);
	gnutls_transport_set_int(tls, fd);
	do
		err = gnutls_handshake(tls);
	while (err < 0 && !gnutls_error_is_fatal(err));
	assert_int_equal(err, 0);
	assert_true(smtp_server_wait(s, SMTP_ENCRYPTED, 1, LONG));
	char got[256] = "";
	assert_int_equal(gnutls_record_send(tls, "EHLO x\r\n", 8), 8);
	assert_true(gnutls_record_recv(tls, got, sizeof(got) - 1) > 10);
	assert_non_null(strstr(got, "250-8BITMIME"));
	assert_null(strstr(got, "STARTTLS")); /* once is enough */
	gnutls_deinit(tls);
	gnutls_certificate_free_credentials(known);
	close(fd);
	smtp_server_close(&s);
}

static void a_command_that_no_mailer_should_send_is_noticed(void **state)
{
	static const char *const strange[] = { "RCPT TO:<a@b.co> NOTIFY=NEVER\r\n", "RCPT TO:<a b@b.co>\r\n",
		"RCPT TO:<a@b.co\n>\r\n", "VRFY a\r\n", "EHLO a b\r\n", "MAIL FROM:<a,b@c.co>\r\n", "DATA now\r\n",
		"X\r\n", "RCPT TO:<\"a\"@b.co>\r\n" };
	(void)state;
	for (size_t i = 0; i < sizeof(strange) / sizeof(*strange); i++) {
		struct smtp_server *s;
		assert_int_equal(smtp_server_open(&s, &(struct smtp_server_options){ 0 }), 0);
		int fd = greeted(s);
		assert_int_equal(ask(fd, "MAIL FROM:<>\r\n"), 250);
		assert_null(smtp_server_stranger(s));
		ask(fd, strange[i]);
		if (!smtp_server_stranger(s))
			fail_msg("not noticed: %s", strange[i]);
		close(fd);
		smtp_server_close(&s);
	}
}

static void lines_that_a_server_could_read_otherwise_are_noticed(void **state)
{
	static const char *const torn[] = { "a\nb\r\n.\r\n", "a\rb\r\n.\r\n", "a\n.\r\nMAIL FROM:<x@y>\r\n.\r\n" };
	struct smtp_server *s = *state;
	for (size_t i = 0; i < sizeof(torn) / sizeof(*torn); i++) {
		int fd = addressed(s, "li@y.example");
		assert_int_equal(ask(fd, torn[i]), 250);
		close(fd);
		assert_true(smtp_server_message(s, i)->torn);
	}
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, open_server, close_server)
	const struct CMUnitTest tests[] = {
		T(a_message_is_kept_as_it_was_meant_with_its_envelope),
		T(an_answer_is_withheld_until_the_test_lets_it_go),
		T(a_rule_holds_for_whom_and_when_it_says),
		T(connections_end_as_they_should_at_every_moment),
		T(what_is_not_text_and_what_never_ends_goes_out_as_it_is),
		T(down_means_refused_and_up_means_there_again),
		cmocka_unit_test(nobody_mails_without_the_right_password),
		cmocka_unit_test(a_connection_is_encrypted_with_a_certificate_that_can_be_checked),
		cmocka_unit_test(a_command_that_no_mailer_should_send_is_noticed),
		T(lines_that_a_server_could_read_otherwise_are_noticed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
