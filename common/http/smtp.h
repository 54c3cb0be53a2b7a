/* Mail to an SMTP server (RFC 5321) over connections that libcurl makes, driven by our loop. A delivery stops before its final dot and says so; whoever
 * owns it makes durable that the server may have it from now on, and lets it go: that is how a notice is sent once (reliability.md rules 27 to 31).
 *
 *     hy_smtp_send()  ->  at_dot()  ->  hy_smtp_pass()  ->  done()
 *
 * Connections are kept and used again. Addresses are checked by our own grammar before libcurl sees them, and the message must be CRLF lines of at most
 * 998 bytes without a bare CR, LF or NUL. The final reply has 600 s, as RFC 5321 asks; everything before it 5 minutes at most. One per thread. */
#ifndef HY_HTTP_SMTP_H
#define HY_HTTP_SMTP_H

#include "base/bytes.h"
#include "base/err.h"
#include "loop/loop.h"

struct hy_smtp;
struct hy_smtp_mail;

enum hy_smtp_tls { HY_SMTP_STARTTLS /* demanded */, HY_SMTP_TLS /* from the first byte, port 465 */, HY_SMTP_PLAIN };

struct hy_smtp_options {
	struct hy_loop *loop;
	const char *host;         /* a name or an address */
	int port;                 /* 0 = 587, with HY_SMTP_TLS 465, with HY_SMTP_PLAIN 25 */
	enum hy_smtp_tls tls;
	const char *ca_file;      /* NULL = the system's */
	const char *ehlo;         /* our name; [A-Za-z0-9.-] */
	const char *user, *password; /* NULL = no AUTH. Refused with HY_SMTP_PLAIN unless the host is loopback */
	int connections;          /* 0 = 4 */
	int64_t dot_ms;           /* 0 = 600,000; tests alone make it shorter */
};
/* HY_CONFIG: what of the options can't be, or would say a password in the clear; as hy_smtp_open() says it. */
int hy_smtp_check(const struct hy_smtp_options *o, struct hy_fault *f);
/* The port that will be spoken to: the one asked for, else the usual one. */
int hy_smtp_port(const struct hy_smtp_options *o);
int hy_smtp_open(struct hy_smtp **out, const struct hy_smtp_options *o, struct hy_fault *f);
/* Deliveries that are out end without a word: whoever sent them knows which had passed their dot. */
void hy_smtp_close(struct hy_smtp **s);

enum hy_smtp_stage { HY_SMTP_CONNECT, HY_SMTP_HELLO /* greeting, TLS, AUTH */, HY_SMTP_FROM, HY_SMTP_TO, HY_SMTP_DATA, HY_SMTP_DOT };

struct hy_smtp_outcome {
	bool passed;              /* the dot was let go: without an answer the server may have it */
	bool answered;            /* the server's reply to that stage is in `code` */
	int code;                 /* 250, 451, 550 ...; 0 = none */
	enum hy_smtp_stage stage; /* the last one reached */
	const char *words;        /* the server's words or libcurl's, one line of printable UTF-8, at most 500 bytes; until done() returns */
};

struct hy_smtp_letter {
	const char *from, *to;    /* envelope addresses; from "" = the null path */
	struct hy_bytes message;  /* must live until done() */
	void (*at_dot)(void *arg);
	void (*done)(void *arg, const struct hy_smtp_outcome *o); /* once, from a loop turn */
	void *arg;
};
/* HY_BAD_INPUT (an address, the message: the fault says which), HY_BUSY (as many as connections are out). at_dot() and done() come from later turns. */
int hy_smtp_send(struct hy_smtp *s, const struct hy_smtp_letter *letter, struct hy_smtp_mail **out, struct hy_fault *f);
/* Once, after at_dot(): the last bytes may go. done() follows from a later turn; it never comes between at_dot() and this, so that `m` is there. A
 * server that has left meanwhile gets no dot. */
void hy_smtp_pass(struct hy_smtp_mail *m);
void hy_smtp_cancel(struct hy_smtp_mail **m); /* before hy_smtp_pass(): the connection is dropped, nothing was delivered, done() is not called */

/* printable ASCII without <>",;:\ and blanks, at most 254 bytes, one @, labels of letters, digits and - behind it (rule 31). `why` may be NULL. */
bool hy_smtp_address_ok(const char *address, const char **why);

#endif
