/* The bytes of one connection of smtp_server: plain or TLS (GnuTLS, with a certificate made on the spot), at the pace that a test asks for. */
#ifndef HY_TESTS_SMTP_LINE_H
#define HY_TESTS_SMTP_LINE_H

#include "support/smtp_server.h"

struct smtp_tls;
struct smtp_tls *smtp_tls_open(const char *name); /* a key and a certificate for `name`; NULL when that fails */
void smtp_tls_close(struct smtp_tls **t);
const char *smtp_tls_file(const struct smtp_tls *t); /* the certificate, in PEM */

struct smtp_wire {
	int fd;
	void *tls; /* a gnutls_session_t */
	unsigned char in[4096];
	size_t at, have;
	int64_t drip_ms, sip_ms; /* for each byte out and in; 0 = as fast as it goes */
	bool reset, broken;
};

void wire_open(struct smtp_wire *w, int fd);
void wire_farewell(struct smtp_wire *w); /* TLS says that nothing more comes */
void wire_close(struct smtp_wire *w); /* with an RST when `reset` */
void wire_break(struct smtp_wire *w); /* from another thread: whatever waits on it returns */
bool wire_broken(const struct smtp_wire *w);
bool wire_encrypt(struct smtp_wire *w, struct smtp_tls *t); /* what came before is forgotten (RFC 3207 section 4.2) */
bool wire_write(struct smtp_wire *w, const char *data, size_t size);
int wire_byte(struct smtp_wire *w); /* -1: the other side is gone */
bool wire_waits(struct smtp_wire *w, int64_t ms); /* whether something is there to read, now or within `ms` */

/* Standard base64 of a line; the size, 0 when it is none. */
size_t smtp_base64(const char *text, size_t size, char *out, size_t room);

#endif
