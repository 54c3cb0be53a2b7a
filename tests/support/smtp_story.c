/* What an SMTP server has heard, judged and told. */
#include "support/smtp_server.h"

#include "base/bytes.h"

#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* reliability.md rule 31: nothing else may stand in a path that we send. */
#define PATH "[^][<>\",;:\\ [:cntrl:]]"

static const char *const known[] = {
	"^EHLO [a-z0-9.-]{1,255}$",
	"^(STARTTLS|DATA|RSET|NOOP|QUIT)$",
	"^AUTH (PLAIN|LOGIN)$",
	"^[(]secret[)]$",
	"^MAIL FROM:<(" PATH "{1,252}@[a-z0-9.-]{1,252})?>( SIZE=[0-9]+| BODY=(7BIT|8BITMIME))*$",
	"^RCPT TO:<" PATH "{1,252}@[a-z0-9.-]{1,252}>$",
};
enum { KNOWN = sizeof(known) / sizeof(*known) };

static bool is_known(const struct smtp_event *e, const regex_t *like)
{
	bool found = false;
	for (size_t i = 0; i < KNOWN && !found; i++)
		found = regexec(&like[i], e->text, 0, NULL, 0) == 0;
	return found && strlen(e->text) == e->size;
}

const char *smtp_server_stranger(struct smtp_server *s)
{
	regex_t like[KNOWN];
	const struct smtp_event *e;
	const char *found = NULL;
	for (size_t i = 0; i < KNOWN; i++)
		if (regcomp(&like[i], known[i], REG_EXTENDED | REG_NOSUB | REG_ICASE) != 0)
			abort();
	for (size_t i = 0; !found && (e = smtp_server_event(s, i)); i++)
		if (e->kind == SMTP_HEARD && !is_known(e, like))
			found = e->text;
	for (size_t i = 0; i < KNOWN; i++)
		regfree(&like[i]);
	return found;
}

char *smtp_server_story(struct smtp_server *s)
{
	static const char *const words[] = { "connected", "<", ">", "encrypted", "taken", "withheld", "gone" };
	struct hy_buffer b = { 0 };
	const struct smtp_event *e, *first = smtp_server_event(s, 0);
	for (size_t i = 0; (e = smtp_server_event(s, i)); i++) {
		hy_buffer_printf(&b, "%6lld ms  %d %s ", (long long)(e->at_ms - first->at_ms), e->line, words[e->kind]);
		for (size_t at = 0; at < e->size && at < 300; at++)
			if (e->text[at] >= 0x20 && e->text[at] < 0x7f)
				hy_buffer_byte(&b, (uint8_t)e->text[at]);
			else
				hy_buffer_printf(&b, "\\x%02x", (unsigned char)e->text[at]);
		hy_buffer_byte(&b, '\n');
	}
	char *text = strdup(hy_buffer_string(&b));
	hy_buffer_free(&b);
	return text;
}
