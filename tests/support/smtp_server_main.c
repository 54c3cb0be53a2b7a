/* The scripted SMTP server by hand: tells what it hears until it is ended.
 *
 *     smtp_server [PORT [AT:DOES[:TEXT] ...]]        smtp_server 2525 rcpt:says:'451 later' dot:nothing
 *
 * AT: greeting ehlo starttls auth mail rcpt data body dot rest. DOES: says nothing closes resets. TEXT gets its CRLF here. */
#include "support/smtp_server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int word(const char *text, size_t size, const char *const *words)
{
	for (int i = 0; words[i]; i++)
		if (strlen(words[i]) == size && strncmp(words[i], text, size) == 0)
			return i;
	return -1;
}

static bool add_rule(struct smtp_server *s, const char *text)
{
	static const char *const ats[] = { "greeting", "ehlo", "starttls", "auth", "mail", "rcpt", "data", "body",
		"dot", "rest", NULL };
	static const char *const does[] = { "says", "nothing", "closes", "resets", NULL };
	const char *colon = strchr(text, ':');
	if (!colon)
		return false;
	size_t size = strcspn(colon + 1, ":");
	int at = word(text, (size_t)(colon - text), ats), what = word(colon + 1, size, does);
	char reply[1024] = "";
	if (colon[1 + size] == ':')
		snprintf(reply, sizeof(reply), "%s\r\n", colon + size + 2);
	smtp_server_rule(s, &(struct smtp_rule){ .at = (enum smtp_at)at, .does = (enum smtp_does)what, .text = reply });
	return at >= 0 && what >= 0;
}

int main(int argc, char **argv)
{
	static const char *const words[] = { "connected", "<", ">", "encrypted", "taken", "withheld", "gone" };
	struct smtp_server *s;
	const struct smtp_event *e;
	if (smtp_server_open(&s, &(struct smtp_server_options){ .port = argc > 1 ? atoi(argv[1]) : 0 }) != 0) {
		perror("smtp_server");
		return 71;
	}
	for (int i = 2; i < argc; i++)
		if (!add_rule(s, argv[i])) {
			fprintf(stderr, "smtp_server: '%s' is no rule\n", argv[i]);
			return 64;
		}
	printf("127.0.0.1:%d\n", smtp_server_port(s));
	for (size_t i = 0;; i++) {
		while (!(e = smtp_server_event(s, i)))
			usleep(10000);
		printf("%d %s %s\n", e->line, words[e->kind], e->text);
		fflush(stdout);
	}
}
