/* An SMTP server on loopback that does as a test says. It takes mail on threads of its own, keeps every message and every line that was said and
 * heard, and misbehaves by rule: the first rule that fits the moment acts, without one it answers as RFC 5321 asks.
 *
 *     smtp_server_rule(s, &(struct smtp_rule){ .at = SMTP_AT_DOT, .does = SMTP_WITHHOLD });
 *     ... smtp_server_wait(s, SMTP_WITHHELD, 1): the message is taken, its sender does not know yet. Kill it here; then smtp_server_release(s).
 *
 * A message counts as taken from the moment its final dot was read, whatever is answered. Events and messages stay where they are until
 * smtp_server_close(): the pointers may be kept, from any thread. Nothing here asserts: the program smtp_server uses it too. */
#ifndef HY_TESTS_SMTP_SERVER_H
#define HY_TESTS_SMTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct smtp_server;

enum smtp_server_tls { SMTP_WITHOUT_TLS, SMTP_OFFERS_STARTTLS, SMTP_TLS_FROM_THE_FIRST_BYTE };

struct smtp_server_options {
	int port; /* 0 = any */
	enum smtp_server_tls tls;
	const char *name;            /* whom the certificate names; NULL = localhost and 127.0.0.1 */
	const char *user, *password; /* NULL = no AUTH; else nobody mails without it */
	const char *mechanisms;      /* offered; NULL = "PLAIN LOGIN", both of which are understood in any case */
};
/* 0, or -1 with errno. */
int smtp_server_open(struct smtp_server **out, const struct smtp_server_options *o);
void smtp_server_close(struct smtp_server **s);
int smtp_server_port(const struct smtp_server *s);
const char *smtp_server_ca_file(const struct smtp_server *s); /* its certificate, which signed itself; NULL without TLS */

enum smtp_at {
	SMTP_AT_GREETING,
	SMTP_AT_EHLO,
	SMTP_AT_STARTTLS,
	SMTP_AT_AUTH,
	SMTP_AT_MAIL,
	SMTP_AT_RCPT,
	SMTP_AT_DATA,
	SMTP_AT_BODY, /* its first line was read */
	SMTP_AT_DOT,
	SMTP_AT_REST  /* a message was answered, and `ms` passed without a command */
};

enum smtp_does {
	SMTP_SAYS,         /* `text` in place of the usual reply; `ms` later */
	SMTP_SAYS_NOTHING, /* until the other side hangs up */
	SMTP_CLOSES,       /* says `text` (if any), waits `ms`, hangs up */
	SMTP_RESETS,       /* the same with an RST */
	SMTP_WITHHOLD,     /* waits for smtp_server_release(), then goes on as usual, or says `text` */
	SMTP_DRIPS,        /* from now on this connection says one byte each `ms` */
	SMTP_SIPS,         /* from now on this connection hears one byte each `ms` */
	SMTP_NEVER_ENDS    /* says `text` again and again, until the other side hangs up */
};

struct smtp_rule {
	enum smtp_at at;
	enum smtp_does does;
	const char *text; /* with its line ends; copied */
	size_t size;      /* of `text`; 0 = up to its NUL */
	int64_t ms;
	const char *to;   /* only for this recipient, from SMTP_AT_RCPT on; NULL = all */
	int line;         /* only on the nth connection; 0 = all */
	int after, times; /* lets so many pass first, then acts so often; 0 times = always */
	int64_t for_ms;   /* acts for so long after it was first asked; 0 = always */
	bool each;        /* counts and times hold for each recipient by herself: greylisting */
};
void smtp_server_rule(struct smtp_server *s, const struct smtp_rule *rule);
void smtp_server_behave(struct smtp_server *s);  /* forgets all rules */
void smtp_server_release(struct smtp_server *s); /* whatever is withheld now goes on */

void smtp_server_down(struct smtp_server *s); /* connections are refused, those that stand end with an RST */
int smtp_server_up(struct smtp_server *s);    /* on the same port again: 0, or -1 with errno */

enum smtp_event_kind { SMTP_CONNECTED, SMTP_HEARD, SMTP_SAID, SMTP_ENCRYPTED, SMTP_TAKEN, SMTP_WITHHELD, SMTP_GONE };

struct smtp_event {
	enum smtp_event_kind kind;
	int line;         /* the connection, from 1 */
	int64_t at_ms;    /* CLOCK_MONOTONIC */
	const char *text; /* SMTP_HEARD: the command without its CRLF; SMTP_SAID: the reply; SMTP_TAKEN: the Message-ID */
	size_t size;      /* the text may hold NUL */
};

struct smtp_message {
	int line;
	const char *from, *to; /* several recipients: separated by a space */
	const char *user;      /* who signed in; "" = nobody */
	bool encrypted;
	const char *data;      /* as it was meant, without the dots that stuffed it; a NUL follows */
	size_t size;
	const char *id;        /* of the header Message-ID, with its <>; "" = none */
	bool torn;             /* a CR or LF by itself, a NUL, or a line of more than 998 bytes */
};

const struct smtp_event *smtp_server_event(struct smtp_server *s, size_t i);     /* NULL behind the last */
const struct smtp_message *smtp_server_message(struct smtp_server *s, size_t i); /* NULL behind the last */

/* How many events of a kind there were; waits up to `ms` for at least `n` of them. */
size_t smtp_server_count(struct smtp_server *s, enum smtp_event_kind kind);
bool smtp_server_wait(struct smtp_server *s, enum smtp_event_kind kind, size_t n, int64_t ms);

size_t smtp_server_taken(struct smtp_server *s, const char *to);  /* messages to an address; NULL = all */
size_t smtp_server_copies(struct smtp_server *s, const char *id); /* of one message; NULL = of the one that has most */

/* The first command that is none of those a mailer should send, with what is wrong with it; NULL when all were fine. */
const char *smtp_server_stranger(struct smtp_server *s);
/* Everything, a line each, for a test that fails. malloc'ed. */
char *smtp_server_story(struct smtp_server *s);

#endif
