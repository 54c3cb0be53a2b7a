/* What may be said to a mail server: addresses, names, and a message that it can't take for something else. */
#include "http/smtp_check.h"

#include "http/inner.h"

enum {
	LINE_MAX_BYTES = 998,
	LABEL_MAX = 63,
	NAME_MAX_BYTES = 255,
	ADDRESS_MAX = 254,
	LOCAL_MAX = 64,
	CONNECTIONS_MAX = 64
};

static bool alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static bool in_local(char c)
{
	return alnum(c) || (c && strchr("!#$%&'*+-/=?^_`{|}~.", c));
}

static bool labels_ok(const char *domain)
{
	size_t label = 0;
	for (const char *c = domain; *c; c++) {
		if (*c == '.') {
			if (label == 0 || c[-1] == '-')
				return false;
			label = 0;
		} else if (alnum(*c) || (*c == '-' && label)) {
			if (++label > LABEL_MAX)
				return false;
		} else {
			return false;
		}
	}
	return label && domain[strlen(domain) - 1] != '-';
}

bool hy_smtp_address_ok(const char *address, const char **why)
{
	const char *ignored;
	if (!why)
		why = &ignored;
	size_t size = strlen(address);
	if (size == 0 || size > ADDRESS_MAX) {
		*why = "the e-mail address is empty or longer than 254 characters";
		return false;
	}
	const char *at = strchr(address, '@');
	if (!at || at == address || at - address > LOCAL_MAX || strchr(at + 1, '@')) {
		*why = "the e-mail address needs one @ with a name before it";
		return false;
	}
	for (const char *c = address; c < at; c++)
		if (!in_local(*c) || (*c == '.' && (c == address || c[1] == '.' || c[1] == '@'))) {
			*why = "the e-mail address has a character that mail servers could take for a command";
			return false;
		}
	if (!labels_ok(at + 1)) {
		*why = "the e-mail address's domain is not one";
		return false;
	}
	return true;
}

bool smtp_name_ok(const char *name)
{
	return strlen(name) <= NAME_MAX_BYTES && labels_ok(name);
}

bool smtp_host_ok(const char *host)
{
	static const char name[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-_";
	const char *allowed = strchr(host, ':') ? "0123456789abcdefABCDEF:." : name;
	size_t size = strspn(host, allowed);
	return size && !host[size] && size <= NAME_MAX_BYTES;
}

static bool on_loopback(const char *host)
{
	struct http_address a;
	return strcmp(host, "localhost") == 0 ||
	       (http_address_parse(host, strlen(host), &a) && http_address_loopback(&a));
}

int hy_smtp_check(const struct hy_smtp_options *o, struct hy_fault *f)
{
	if (!o->host || !smtp_host_ok(o->host))
		return hy_fail(f, HY_CONFIG, "the mail server's host is no name and no address");
	if (o->port < 0 || o->port > 65535)
		return hy_fail(f, HY_CONFIG, "the mail server's port is not between 1 and 65535");
	if (!o->ehlo || !smtp_name_ok(o->ehlo))
		return hy_fail(
			f, HY_CONFIG, "the name we say to the mail server is none: labels of letters, digits and -");
	if (o->user && !o->password)
		return hy_fail(f, HY_CONFIG, "there is a user for the mail server, but no password");
	if (o->user && o->tls == HY_SMTP_PLAIN && !on_loopback(o->host))
		return hy_fail(
			f, HY_CONFIG, "the password would go over the network in the clear: use STARTTLS or TLS");
	if (o->connections < 0 || o->connections > CONNECTIONS_MAX)
		return hy_fail(f, HY_CONFIG, "between 1 and %d connections to the mail server", CONNECTIONS_MAX);
	return HY_OK;
}

int smtp_message_check(struct hy_bytes message, struct hy_fault *f)
{
	size_t line = 0;
	for (size_t i = 0; i < message.size; i++) {
		uint8_t c = message.data[i];
		bool end = c == '\r' && i + 1 < message.size && message.data[i + 1] == '\n';
		if (c == 0 || (c == '\r' && !end) || (c == '\n' && (i == 0 || message.data[i - 1] != '\r')))
			return hy_fail(f, HY_BAD_INPUT,
				"the message has a NUL or a line that does not end in CR LF, at byte %zu", i);
		line = c == '\n' ? 0 : line + 1;
		if (line > LINE_MAX_BYTES && !end) /* the CR is none of the 998 */
			return hy_fail(
				f, HY_BAD_INPUT, "the message has a line of more than 998 bytes, at byte %zu", i);
	}
	if (message.size < 2 || message.data[message.size - 1] != '\n')
		return hy_fail(f, HY_BAD_INPUT, "the message does not end with a line's end");
	return HY_OK;
}

void smtp_stuff_dots(struct hy_bytes message, struct hy_buffer *out)
{
	while (message.size) {
		const uint8_t *end = memchr(message.data, '\n', message.size);
		size_t line = end ? (size_t)(end - message.data) + 1 : message.size;
		if (message.data[0] == '.')
			hy_buffer_byte(out, '.');
		hy_buffer_put(out, message.data, line);
		message = hy_bytes(message.data + line, message.size - line);
	}
}
