/* A notice as an e-mail: RFC 5322 and MIME, made by GMime. Text and HTML as alternatives, UTF-8, headers as RFC
 * 2047 words. Everything is derived from the notice: the same notice makes the same bytes, so that a copy is
 * recognised as one. Names, subjects and notes come from outside: no control character of theirs reaches a header. */
#ifndef HY_NOTIFIER_MAIL_H
#define HY_NOTIFIER_MAIL_H

#include "base/err.h"
#include "base/id.h"

/* The text as one line: blanks of all kinds become one space, control characters and bidirectional overrides go, at
 * most `points` code points and never torn inside a character ("…" says that something is missing). */
void notifier_line(struct hy_buffer *out, struct hy_bytes text, size_t points);

/* "Acme 客服 <care@acme.example>" or a bare address, taken apart. HY_BAD_INPUT. */
struct notifier_sender {
	char name[128], address[256];
};
int notifier_sender_parse(const char *text, struct notifier_sender *out, struct hy_fault *f);

struct notifier_mail {
	struct hy_id notice; /* Message-ID and boundary */
	struct hy_id thread; /* the ticket: In-Reply-To and References; zero = none */
	const struct notifier_sender *from;
	const char *to; /* an address that passed hy_smtp_address_ok() */
	struct hy_bytes to_name; /* may be empty */
	const char *language; /* "zh" or "en": Content-Language */
	int64_t date_ms;
	struct hy_bytes subject, text, html;
};

/* Appends the message to `out`, every line ending in CRLF and 7-bit. HY_BAD_INPUT for an address that is none. */
int notifier_mail_write(const struct notifier_mail *m, struct hy_buffer *out);

#endif
