/* A thread that accepts, and one for each connection, which reads and answers line after line. What is shared (rules, events, messages) is behind one
 * lock; events and messages are linked lists that only grow, so that whoever looks needs no copy. */
#include "support/smtp_inside.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static int64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static struct timespec deadline(int64_t ms)
{
	int64_t at = now_ms() + ms;
	return (struct timespec){ .tv_sec = at / 1000, .tv_nsec = at % 1000 * 1000000 };
}

/* ---- what was seen ---- */

static void *room(size_t size)
{
	void *p = calloc(1, size);
	if (!p)
		abort();
	return p;
}

void *smtp_keep(const void *data, size_t size)
{
	char *copy = room(size + 1);
	if (size)
		memcpy(copy, data, size);
	return copy;
}

void smtp_note(struct line *l, enum smtp_event_kind kind, const void *text, size_t size)
{
	struct smtp_server *s = l->server;
	struct event *e = room(sizeof(*e));
	*e = (struct event){ .seen = { kind, l->number, now_ms(), smtp_keep(text, size), size } };
	pthread_mutex_lock(&s->lock);
	if (s->last_event)
		s->last_event->next = e;
	else
		s->events = e;
	s->last_event = e;
	s->counts[kind]++;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
}

/* ---- rules ---- */

static struct asked *asked_by(struct rule *r, const char *who)
{
	struct asked *a = r->asked;
	while (a && strcasecmp(a->by, who) != 0)
		a = a->next;
	if (!a) {
		a = room(sizeof(*a));
		*a = (struct asked){ .by = smtp_keep(who, strlen(who)), .first_ms = now_ms(), .next = r->asked };
		r->asked = a;
	}
	return a;
}

static bool fits(struct rule *r, struct line *l, enum smtp_at at)
{
	if (r->r.at != at || (r->r.line && r->r.line != l->number) ||
		(r->r.to && (!l->rcpt || strcasecmp(r->r.to, l->rcpt) != 0)))
		return false;
	struct asked *a = asked_by(r, r->r.each && l->rcpt ? l->rcpt : "");
	int time = a->times++;
	return time >= r->r.after && (!r->r.times || time < r->r.after + r->r.times) &&
	       (!r->r.for_ms || now_ms() - a->first_ms < r->r.for_ms);
}

const struct smtp_rule *smtp_rule_for(struct line *l, enum smtp_at at)
{
	struct smtp_server *s = l->server;
	pthread_mutex_lock(&s->lock);
	struct rule *r = s->rules;
	while (r && !fits(r, l, at))
		r = r->next;
	pthread_mutex_unlock(&s->lock);
	return r ? &r->r : NULL; /* rules live as long as the server */
}

bool smtp_pause(struct smtp_server *s, int64_t ms)
{
	struct timespec until = deadline(ms);
	pthread_mutex_lock(&s->lock);
	while (!s->stopping && ms > 0 && pthread_cond_timedwait(&s->changed, &s->lock, &until) != ETIMEDOUT)
		;
	bool stopping = s->stopping;
	pthread_mutex_unlock(&s->lock);
	return stopping;
}

void smtp_withhold(struct line *l)
{
	struct smtp_server *s = l->server;
	pthread_mutex_lock(&s->lock);
	unsigned before = s->released;
	pthread_mutex_unlock(&s->lock);
	smtp_note(l, SMTP_WITHHELD, "", 0);
	pthread_mutex_lock(&s->lock);
	while (s->released == before && !s->stopping)
		pthread_cond_wait(&s->changed, &s->lock);
	pthread_mutex_unlock(&s->lock);
}

static char *header(const char *data, const char *name)
{
	size_t size = strlen(name);
	for (const char *at = data; at && *at && *at != '\r'; at = strstr(at, "\r\n"), at = at ? at + 2 : NULL)
		if (strncasecmp(at, name, size) == 0 && at[size] == ':') {
			at += size + 1;
			at += strspn(at, " \t");
			return smtp_keep(at, strcspn(at, "\r\n"));
		}
	return smtp_keep("", 0);
}

static bool is_torn(const char *data, size_t size)
{
	size_t column = 0;
	for (size_t i = 0; i < size; i++) {
		bool bare = (data[i] == '\n' && (i == 0 || data[i - 1] != '\r')) ||
			    (data[i] == '\r' && (i + 1 == size || data[i + 1] != '\n'));
		column = data[i] == '\n' ? 0 : column + 1;
		if (bare || data[i] == '\0' || column > 999)
			return true;
	}
	return false;
}

void smtp_take(struct line *l)
{
	struct smtp_server *s = l->server;
	struct message *m = room(sizeof(*m));
	*m = (struct message){ .seen = { .line = l->number, .encrypted = l->wire.tls != NULL, .size = l->data.size } };
	m->seen.from = smtp_keep(l->from, strlen(l->from));
	m->seen.to = smtp_keep(l->to.data, l->to.size);
	m->seen.user = smtp_keep(l->user, strlen(l->user));
	m->seen.data = smtp_keep(l->data.data, l->data.size);
	m->seen.id = header(m->seen.data, "Message-ID");
	m->seen.torn = is_torn(m->seen.data, m->seen.size);
	pthread_mutex_lock(&s->lock);
	if (s->last_message)
		s->last_message->next = m;
	else
		s->messages = m;
	s->last_message = m;
	pthread_mutex_unlock(&s->lock);
	smtp_note(l, SMTP_TAKEN, m->seen.id, strlen(m->seen.id));
}

/* ---- connections ---- */

static void welcome(struct smtp_server *s, int fd)
{
	pthread_mutex_lock(&s->lock);
	int number = s->lines, free_place = -1;
	for (int i = 0; i < LINES_MOST && free_place < 0; i++)
		if (!s->line[i] || s->line[i]->over)
			free_place = i;
	if (free_place < 0 || s->stopping || !s->up) {
		pthread_mutex_unlock(&s->lock);
		close(fd);
		return;
	}
	struct line *old = s->line[free_place], *l = calloc(1, sizeof(*l));
	if (!l)
		abort();
	l->server = s;
	l->number = s->lines = number + 1;
	wire_open(&l->wire, fd);
	s->line[free_place] = l;
	int err = pthread_create(&l->thread, NULL, smtp_talk, l);
	pthread_mutex_unlock(&s->lock);
	if (err)
		abort();
	if (old) {
		pthread_join(old->thread, NULL);
		free(old);
	}
}

static void *accept_all(void *arg)
{
	struct smtp_server *s = arg;
	for (int fd; (fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0 || errno == EINTR ||
		     errno == ECONNABORTED || errno == EMFILE;)
		if (fd >= 0)
			welcome(s, fd);
		else if (errno == EMFILE)
			smtp_pause(s, 10);
	return NULL;
}

int smtp_server_up(struct smtp_server *s)
{
	struct sockaddr_in a = {
		.sin_family = AF_INET, .sin_port = htons((uint16_t)s->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)
	};
	socklen_t size = sizeof(a);
	int yes = 1;
	if (s->up)
		return 0;
	s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (s->listener < 0)
		return -1;
	setsockopt(s->listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (bind(s->listener, (struct sockaddr *)&a, size) != 0 || listen(s->listener, 128) != 0 ||
		getsockname(s->listener, (struct sockaddr *)&a, &size) != 0) {
		int saved = errno;
		close(s->listener);
		errno = saved;
		return -1;
	}
	s->port = ntohs(a.sin_port);
	s->up = true;
	errno = pthread_create(&s->acceptor, NULL, accept_all, s);
	if (errno) {
		close(s->listener);
		s->up = false;
	}
	return errno ? -1 : 0;
}

void smtp_server_down(struct smtp_server *s)
{
	if (!s->up)
		return;
	pthread_mutex_lock(&s->lock);
	s->up = false;
	pthread_mutex_unlock(&s->lock);
	shutdown(s->listener, SHUT_RDWR); /* accept4() returns */
	pthread_join(s->acceptor, NULL);
	close(s->listener);
	pthread_mutex_lock(&s->lock);
	s->released++;
	for (int i = 0; i < LINES_MOST; i++)
		if (s->line[i] && !s->line[i]->over)
			wire_break(&s->line[i]->wire);
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
}

int smtp_server_open(struct smtp_server **out, const struct smtp_server_options *o)
{
	struct smtp_server *s = calloc(1, sizeof(*s));
	pthread_condattr_t clock;
	if (!s)
		return -1;
	pthread_mutex_init(&s->lock, NULL);
	pthread_condattr_init(&clock);
	pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
	pthread_cond_init(&s->changed, &clock);
	pthread_condattr_destroy(&clock);
	s->o = *o;
	s->port = o->port;
	const char *mechanisms = o->mechanisms ? o->mechanisms : "PLAIN LOGIN";
	s->user = o->user ? smtp_keep(o->user, strlen(o->user)) : NULL;
	s->password = o->password ? smtp_keep(o->password, strlen(o->password)) : NULL;
	s->mechanisms = smtp_keep(mechanisms, strlen(mechanisms));
	s->tls = o->tls == SMTP_WITHOUT_TLS ? NULL : smtp_tls_open(o->name);
	bool fine = o->tls == SMTP_WITHOUT_TLS || s->tls;
	if (!fine || smtp_server_up(s) != 0) {
		int saved = fine ? errno : EIO;
		smtp_server_close(&s);
		errno = saved;
		return -1;
	}
	*out = s;
	return 0;
}

static void free_rules(struct rule *r)
{
	while (r) {
		struct rule *next = r->next;
		for (struct asked *a = r->asked; a;) {
			struct asked *behind = a->next;
			free(a->by);
			free(a);
			a = behind;
		}
		free((char *)r->r.text);
		free((char *)r->r.to);
		free(r);
		r = next;
	}
}

static void free_seen(struct smtp_server *s)
{
	while (s->events) {
		struct event *e = s->events;
		s->events = e->next;
		free((char *)e->seen.text);
		free(e);
	}
	while (s->messages) {
		struct message *m = s->messages;
		s->messages = m->next;
		free((char *)m->seen.from);
		free((char *)m->seen.to);
		free((char *)m->seen.user);
		free((char *)m->seen.data);
		free((char *)m->seen.id);
		free(m);
	}
}

void smtp_server_close(struct smtp_server **s)
{
	struct smtp_server *o = *s;
	if (!o)
		return;
	pthread_mutex_lock(&o->lock);
	o->stopping = true;
	pthread_cond_broadcast(&o->changed);
	pthread_mutex_unlock(&o->lock);
	smtp_server_down(o);
	for (int i = 0; i < LINES_MOST; i++)
		if (o->line[i]) {
			pthread_join(o->line[i]->thread, NULL);
			free(o->line[i]);
		}
	smtp_tls_close(&o->tls);
	free_rules(o->rules);
	free_rules(o->old_rules);
	free_seen(o);
	free(o->user);
	free(o->password);
	free(o->mechanisms);
	pthread_cond_destroy(&o->changed);
	pthread_mutex_destroy(&o->lock);
	free(o);
	*s = NULL;
}

int smtp_server_port(const struct smtp_server *s)
{
	return s->port;
}

const char *smtp_server_ca_file(const struct smtp_server *s)
{
	return s->tls ? smtp_tls_file(s->tls) : NULL;
}

/* ---- the test's side ---- */

void smtp_server_rule(struct smtp_server *s, const struct smtp_rule *rule)
{
	struct rule *r = room(sizeof(*r));
	*r = (struct rule){ .r = *rule };
	r->r.size = rule->size ? rule->size : rule->text ? strlen(rule->text) : 0;
	r->r.text = smtp_keep(rule->text, r->r.size);
	r->r.to = rule->to ? smtp_keep(rule->to, strlen(rule->to)) : NULL;
	pthread_mutex_lock(&s->lock);
	struct rule **end = &s->rules;
	while (*end)
		end = &(*end)->next;
	*end = r;
	pthread_mutex_unlock(&s->lock);
}

void smtp_server_behave(struct smtp_server *s)
{
	pthread_mutex_lock(&s->lock);
	struct rule **end = &s->old_rules; /* somebody may be acting by one */
	while (*end)
		end = &(*end)->next;
	*end = s->rules;
	s->rules = NULL;
	pthread_mutex_unlock(&s->lock);
}

void smtp_server_release(struct smtp_server *s)
{
	pthread_mutex_lock(&s->lock);
	s->released++;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
}

const struct smtp_event *smtp_server_event(struct smtp_server *s, size_t i)
{
	pthread_mutex_lock(&s->lock);
	if (!s->seen_event || i < s->seen_event_at) { /* whoever walks finds the next one beside the last */
		s->seen_event = s->events;
		s->seen_event_at = 0;
	}
	while (s->seen_event && s->seen_event_at < i && s->seen_event->next) {
		s->seen_event = s->seen_event->next;
		s->seen_event_at++;
	}
	struct event *e = s->seen_event && s->seen_event_at == i ? s->seen_event : NULL;
	pthread_mutex_unlock(&s->lock);
	return e ? &e->seen : NULL;
}

const struct smtp_message *smtp_server_message(struct smtp_server *s, size_t i)
{
	pthread_mutex_lock(&s->lock);
	struct message *m = s->messages;
	while (m && i--)
		m = m->next;
	pthread_mutex_unlock(&s->lock);
	return m ? &m->seen : NULL;
}

bool smtp_server_wait(struct smtp_server *s, enum smtp_event_kind kind, size_t n, int64_t ms)
{
	struct timespec until = deadline(ms);
	pthread_mutex_lock(&s->lock);
	while (s->counts[kind] < n && ms > 0 && pthread_cond_timedwait(&s->changed, &s->lock, &until) != ETIMEDOUT)
		;
	bool came = s->counts[kind] >= n;
	pthread_mutex_unlock(&s->lock);
	return came;
}

size_t smtp_server_count(struct smtp_server *s, enum smtp_event_kind kind)
{
	pthread_mutex_lock(&s->lock);
	size_t n = s->counts[kind];
	pthread_mutex_unlock(&s->lock);
	return n;
}

static bool is_among(const char *to, const char *list)
{
	size_t size = strlen(to);
	for (const char *at = list; *at; at += strcspn(at, " "), at += strspn(at, " "))
		if (strcspn(at, " ") == size && strncasecmp(at, to, size) == 0)
			return true;
	return false;
}

size_t smtp_server_taken(struct smtp_server *s, const char *to)
{
	size_t n = 0;
	pthread_mutex_lock(&s->lock);
	for (struct message *m = s->messages; m; m = m->next)
		n += !to || is_among(to, m->seen.to);
	pthread_mutex_unlock(&s->lock);
	return n;
}

size_t smtp_server_copies(struct smtp_server *s, const char *id)
{
	size_t most = 0;
	pthread_mutex_lock(&s->lock);
	for (struct message *m = s->messages; m; m = m->next) {
		size_t n = 0;
		for (struct message *other = s->messages; other; other = other->next)
			n += strcmp(other->seen.id, id ? id : m->seen.id) == 0;
		most = n > most ? n : most;
		if (id)
			break;
	}
	pthread_mutex_unlock(&s->lock);
	return most;
}
