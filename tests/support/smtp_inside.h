/* What the parts of smtp_server share: the server, one connection, and what is noted about it. */
#ifndef HY_TESTS_SMTP_INSIDE_H
#define HY_TESTS_SMTP_INSIDE_H

#include "support/smtp_line.h"

#include "base/bytes.h"

#include <pthread.h>

enum { LINES_MOST = 1024, KINDS = SMTP_GONE + 1 };

struct event {
	struct smtp_event seen;
	struct event *next;
};

struct message {
	struct smtp_message seen;
	struct message *next;
};

/* How often a rule was asked, by whom. */
struct asked {
	char *by;
	int times;
	int64_t first_ms;
	struct asked *next;
};

struct rule {
	struct smtp_rule r;
	struct asked *asked;
	struct rule *next;
};

struct smtp_server {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct smtp_server_options o;
	char *user, *password, *mechanisms;
	struct smtp_tls *tls;
	int listener, port;
	pthread_t acceptor;
	bool up, stopping;
	unsigned released; /* how often: whoever waits began at another number */
	int lines;
	struct line *line[LINES_MOST];
	struct rule *rules, *old_rules;
	struct event *events, *last_event, *seen_event;
	size_t seen_event_at, counts[KINDS];
	struct message *messages, *last_message;
};

/* One connection. */
struct line {
	struct smtp_server *server;
	struct smtp_wire wire;
	pthread_t thread;
	int number;
	bool over; /* its thread needs to be joined and nothing else */
	bool broken; /* hang up */
	bool greeted, signed_in;
	char *from, user[512];
	struct hy_buffer to, data;
	const char *rcpt; /* whom a rule is about; NULL before SMTP_AT_RCPT */
};


void *smtp_keep(const void *data, size_t size); /* a copy with a NUL behind it */
void smtp_note(struct line *l, enum smtp_event_kind kind, const void *text, size_t size);
const struct smtp_rule *smtp_rule_for(struct line *l, enum smtp_at at); /* NULL = as usual; lives as long as the server */
bool smtp_pause(struct smtp_server *s, int64_t ms); /* true when the server stops meanwhile */
void smtp_withhold(struct line *l);
void smtp_take(struct line *l); /* the message that `data` now holds */

void *smtp_talk(void *line); /* a connection's thread */

#endif
