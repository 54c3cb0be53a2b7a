/* One connection's conversation: line after line is heard and answered, as the rules say or as RFC 5321 asks. */
#include "support/smtp_inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { COMMAND_MOST = 8192 };

static void say_bytes(struct line *l, const char *text, size_t size)
{
	if (wire_broken(&l->wire))
		l->broken = true;
	if (size == 0 || l->broken)
		return;
	smtp_note(l, SMTP_SAID, text, size); /* before it is said: what comes of it is noted behind it */
	if (!wire_write(&l->wire, text, size))
		l->broken = true;
}

static void say(struct line *l, const char *text)
{
	say_bytes(l, text, strlen(text));
}

static void drain(struct line *l)
{
	while (wire_byte(&l->wire) >= 0)
		;
	l->broken = true;
}

/* The reply at `at`: as the rule says, else `usual`. True when the usual thing happened, and so what hangs on it may. */
static bool answer(struct line *l, enum smtp_at at, const char *usual)
{
	const struct smtp_rule *r = smtp_rule_for(l, at);
	if (!r) {
		say(l, usual);
		return true;
	}
	switch (r->does) {
	case SMTP_DRIPS:
		l->wire.drip_ms = r->ms;
		say(l, usual);
		return true;
	case SMTP_SIPS:
		l->wire.sip_ms = r->ms;
		say(l, usual);
		return true;
	case SMTP_WITHHOLD:
		smtp_withhold(l);
		say_bytes(l, r->size ? r->text : usual, r->size ? r->size : strlen(usual));
		return r->size == 0;
	case SMTP_SAYS_NOTHING:
		drain(l);
		return false;
	case SMTP_SAYS:
		smtp_pause(l->server, r->ms);
		say_bytes(l, r->text, r->size);
		return r->size && (r->text[0] == '2' || r->text[0] == '3');
	case SMTP_NEVER_ENDS:
		smtp_note(l, SMTP_SAID, r->text, r->size);
		while (wire_write(&l->wire, r->text, r->size))
			;
		l->broken = true;
		return false;
	case SMTP_CLOSES:
	case SMTP_RESETS:
		if (r->size)
			say_bytes(l, r->text, r->size);
		smtp_pause(l->server, r->ms);
		l->wire.reset = r->does == SMTP_RESETS;
		l->broken = true;
		return false;
	}
	return false;
}

/* ---- mail ---- */

/* After a message: as it pleases the rule, or on. */
static void rest(struct line *l)
{
	const struct smtp_rule *r = l->broken ? NULL : smtp_rule_for(l, SMTP_AT_REST);
	if (!r || wire_waits(&l->wire, r->ms))
		return;
	if (r->size)
		say_bytes(l, r->text, r->size);
	l->wire.reset = r->does == SMTP_RESETS;
	l->broken = true;
}

/* One line with its CRLF, whatever else it holds; false at the end of the connection. */
static bool read_line(struct line *l, struct hy_buffer *b, size_t most)
{
	hy_buffer_clear(b);
	while (b->size < most) {
		int byte = wire_byte(&l->wire);
		if (byte < 0)
			return false;
		hy_buffer_byte(b, (uint8_t)byte);
		if (byte == '\n' && b->size >= 2 && b->data[b->size - 2] == '\r')
			return true;
	}
	return true;
}

static void on_data(struct line *l)
{
	struct hy_buffer b = { 0 };
	bool first = true, dot = false;
	if (!answer(l, SMTP_AT_DATA, "354 go on\r\n"))
		return;
	hy_buffer_clear(&l->data);
	while (!dot && !l->broken && read_line(l, &b, 1 << 20)) {
		dot = b.size == 3 && memcmp(b.data, ".\r\n", 3) == 0;
		if (!dot)
			hy_buffer_put(&l->data, b.data + (b.data[0] == '.'), b.size - (b.data[0] == '.'));
		if (first && !dot)
			answer(l, SMTP_AT_BODY, "");
		first = false;
	}
	hy_buffer_free(&b);
	if (dot) {
		smtp_take(l);
		answer(l, SMTP_AT_DOT, "250 2.0.0 taken\r\n");
		rest(l);
	} else {
		l->broken = true;
	}
	hy_buffer_clear(&l->to);
	free(l->from);
	l->from = NULL;
}

/* ---- commands ---- */

static void on_ehlo(struct line *l)
{
	struct smtp_server *s = l->server;
	char text[512];
	bool offers = s->o.tls == SMTP_OFFERS_STARTTLS && !l->wire.tls;
	snprintf(text, sizeof(text),
		"250-huiyin.test\r\n250-8BITMIME\r\n250-SIZE 33554432\r\n%s%s%s%s250 ENHANCEDSTATUSCODES\r\n",
		offers ? "250-STARTTLS\r\n" : "", s->user ? "250-AUTH " : "", s->user ? s->mechanisms : "",
		s->user ? "\r\n" : "");
	l->greeted = answer(l, SMTP_AT_EHLO, text);
}

static void on_starttls(struct line *l)
{
	struct smtp_server *s = l->server;
	if (s->o.tls != SMTP_OFFERS_STARTTLS || l->wire.tls) {
		say(l, "502 no\r\n");
		return;
	}
	if (!answer(l, SMTP_AT_STARTTLS, "220 go on\r\n"))
		return;
	l->greeted = false;
	if (wire_encrypt(&l->wire, s->tls))
		smtp_note(l, SMTP_ENCRYPTED, "", 0);
	else
		l->broken = true;
}

/* What a client says within AUTH, decoded; false at its end. */
static bool read_secret(struct line *l, char *out, size_t room, size_t *size)
{
	struct hy_buffer b = { 0 };
	bool read = read_line(l, &b, COMMAND_MOST);
	if (read && b.size >= 2)
		smtp_note(l, SMTP_HEARD, "(secret)", 8);
	*size = read && b.size >= 2 ? smtp_base64((const char *)b.data, b.size - 2, out, room) : 0;
	hy_buffer_free(&b);
	return read;
}

static void on_auth(struct line *l, const char *how)
{
	struct smtp_server *s = l->server;
	char given[1024] = "", user[512] = "", password[512] = "";
	size_t size = 0, n = 0;
	if (!s->user || (strncasecmp(how, "PLAIN", 5) != 0 && strcasecmp(how, "LOGIN") != 0)) {
		say(l, "504 5.5.4 not this way\r\n");
		return;
	}
	if (strncasecmp(how, "PLAIN", 5) == 0) { /* NUL user NUL password, at once or when asked */
		if (how[5] == ' ') {
			size = smtp_base64(how + 6, strlen(how + 6), given, sizeof(given) - 1);
		} else {
			say(l, "334 \r\n");
			if (!read_secret(l, given, sizeof(given) - 1, &size))
				return;
		}
		given[size] = '\0';
		size_t first = strnlen(given, size) + 1,
		       second = first <= size ? first + strlen(given + first) + 1 : size + 1;
		snprintf(user, sizeof(user), "%.*s", (int)sizeof(user) - 1, first <= size ? given + first : "");
		snprintf(password, sizeof(password), "%.*s", (int)sizeof(password) - 1,
			second <= size ? given + second : "");
	} else {
		say(l, "334 VXNlcm5hbWU6\r\n");
		if (!read_secret(l, user, sizeof(user) - 1, &n))
			return;
		user[n] = '\0';
		say(l, "334 UGFzc3dvcmQ6\r\n");
		if (!read_secret(l, password, sizeof(password) - 1, &n))
			return;
		password[n] = '\0';
	}
	bool right = strcmp(user, s->user) == 0 && strcmp(password, s->password) == 0;
	const char *usual = right ? "235 2.7.0 welcome\r\n" : "535 5.7.8 wrong user or password\r\n";
	if (answer(l, SMTP_AT_AUTH, usual) && right) {
		l->signed_in = true;
		snprintf(l->user, sizeof(l->user), "%s", user);
	}
}

/* The address between < and > behind `prefix`, NULL when that is not what stands there. */
static char *path_of(const char *command, const char *prefix)
{
	size_t size = strlen(prefix);
	const char *end = strchr(command, '>');
	if (strncasecmp(command, prefix, size) != 0 || command[size] != '<' || !end)
		return NULL;
	return smtp_keep(command + size + 1, (size_t)(end - command) - size - 1);
}

static void on_mail(struct line *l, const char *command)
{
	char *from = path_of(command, "MAIL FROM:");
	if (!l->greeted || l->from || (l->server->user && !l->signed_in) || !from) {
		say(l, !from                               ? "501 5.5.4 no path\r\n"
			: l->server->user && !l->signed_in ? "530 5.7.0 who are you?\r\n"
							   : "503 5.5.1 not now\r\n");
		free(from);
		return;
	}
	if (answer(l, SMTP_AT_MAIL, "250 2.1.0 ok\r\n"))
		l->from = from;
	else
		free(from);
}

static void on_rcpt(struct line *l, const char *command)
{
	char *to = path_of(command, "RCPT TO:");
	if (!l->from || !to) {
		say(l, to ? "503 5.5.1 not now\r\n" : "501 5.5.4 no path\r\n");
	} else {
		l->rcpt = to;
		if (answer(l, SMTP_AT_RCPT, "250 2.1.5 ok\r\n")) {
			if (l->to.size)
				hy_buffer_byte(&l->to, ' ');
			hy_buffer_text(&l->to, to);
		}
		l->rcpt = NULL;
	}
	free(to);
}

static void on_command(struct line *l, const char *command)
{
	bool plain_data = strcasecmp(command, "DATA") == 0;
	if (strncasecmp(command, "EHLO ", 5) == 0 || strncasecmp(command, "HELO ", 5) == 0) {
		on_ehlo(l);
	} else if (strcasecmp(command, "STARTTLS") == 0) {
		on_starttls(l);
	} else if (strncasecmp(command, "AUTH ", 5) == 0) {
		on_auth(l, command + 5);
	} else if (strncasecmp(command, "MAIL ", 5) == 0) {
		on_mail(l, command);
	} else if (strncasecmp(command, "RCPT ", 5) == 0) {
		on_rcpt(l, command);
	} else if (plain_data && l->to.size) {
		l->rcpt = hy_buffer_string(&l->to);
		on_data(l);
		l->rcpt = NULL;
	} else if (strcasecmp(command, "RSET") == 0) {
		hy_buffer_clear(&l->to);
		free(l->from);
		l->from = NULL;
		say(l, "250 2.0.0 ok\r\n");
	} else if (strcasecmp(command, "QUIT") == 0) {
		say(l, "221 2.0.0 bye\r\n");
		l->broken = true;
	} else {
		say(l, plain_data                          ? "503 5.5.1 to whom?\r\n"
			: strcasecmp(command, "NOOP") == 0 ? "250 2.0.0 ok\r\n"
							   : "500 5.5.2 what?\r\n");
	}
}

void *smtp_talk(void *arg)
{
	struct line *l = arg;
	struct smtp_server *s = l->server;
	struct hy_buffer b = { 0 };
	smtp_note(l, SMTP_CONNECTED, "", 0);
	if (s->o.tls == SMTP_TLS_FROM_THE_FIRST_BYTE) {
		l->broken = !wire_encrypt(&l->wire, s->tls);
		if (!l->broken)
			smtp_note(l, SMTP_ENCRYPTED, "", 0);
	}
	if (!l->broken)
		answer(l, SMTP_AT_GREETING, "220 huiyin.test ESMTP\r\n");
	while (!l->broken && read_line(l, &b, COMMAND_MOST)) {
		size_t size = b.size >= 2 ? b.size - 2 : b.size;
		bool secret = size > 11 && strncasecmp((const char *)b.data, "AUTH PLAIN ", 11) == 0;
		smtp_note(l, SMTP_HEARD, b.data, secret ? 10 : size);
		b.size = size;
		on_command(l, hy_buffer_string(&b));
	}
	hy_buffer_free(&b);
	hy_buffer_free(&l->to);
	hy_buffer_free(&l->data);
	free(l->from);
	wire_farewell(&l->wire);
	pthread_mutex_lock(&s->lock);
	wire_close(&l->wire);
	l->over = true;
	pthread_mutex_unlock(&s->lock);
	smtp_note(l, SMTP_GONE, "", 0);
	return NULL;
}
