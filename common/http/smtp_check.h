/* What may be said to a mail server. Nobody outside common/http and its tests includes it; hy_smtp_address_ok() and hy_smtp_check() are in smtp.h. */
#ifndef HY_HTTP_SMTP_CHECK_H
#define HY_HTTP_SMTP_CHECK_H

#include "http/smtp.h"

bool smtp_name_ok(const char *name); /* of a host, as we would say it in EHLO: labels of letters, digits and - */
bool smtp_host_ok(const char *host); /* such a name (_ too, as networks of containers have), or an address, IPv6 without brackets */

/* Lines of at most 998 bytes, each with its CRLF, the last one too; no CR, LF or NUL besides. HY_BAD_INPUT. */
int smtp_message_check(struct hy_bytes message, struct hy_fault *f);
/* Appends the message as it goes over the wire (RFC 5321 section 4.5.2). */
void smtp_stuff_dots(struct hy_bytes message, struct hy_buffer *out);

#endif
