/* libcurl makes the connection: the name, TLS, EHLO, AUTH. What follows is spoken here. libcurl's own delivery waits for the reply to the final dot
 * within one call (7.88.1, measured: the call lasts as long as the server takes), which would hold up the whole loop, and it does not say whether
 * the dot had left. So a connection is opened with CURLOPT_CONNECT_ONLY and used through curl_easy_send() and curl_easy_recv(), which never wait.
 * Each place for a connection has a multi handle of its own: in a shared one the making of a new connection looks through the idle ones and may end them.
 *
 * A connection has at most one mail, a mail at most one connection. Whatever becomes of a mail is only noted where it happens and told by tell(),
 * from the loop's turn, where its owner may send, pass and cancel as he likes. */
#include "http/smtp.h"

#include <stdlib.h>

#include "base/text.h"
#include "http/curl.h"
#include "http/smtp_check.h"
#include "http/smtp_reply.h"

enum { CONNECTIONS = 4, CONNECT_MS = 30000, BEFORE_MS = 300000, DOT_MS = 600000, IDLE_MS = 60000 };

enum phase {
	CLOSED,
	OPENING, /* libcurl's: up to AUTH */
	IDLE,
	FROM, /* said, and waiting for the reply: */
	TO,
	DATA,
	BODY, /* on its way */
	AT_DOT, /* all but the dot is out */
	DOT,
	RESET, /* RSET: the next mail waits for its reply */
};

struct conn {
	struct http_transfer transfer; /* first: ended() gets back here */
	struct http_curl *curl;
	struct hy_smtp *s;
	struct hy_smtp_mail *mail;
	enum phase phase;
	int fd;
	bool used; /* a mail went over it before */
	bool signed_in;
	int64_t idle_until; /* by http_curl_clock() */
	struct smtp_reply reply;
	struct hy_buffer out; /* what is being said; stays where it is until it is out, as TLS demands */
	size_t sent;
};

struct hy_smtp_mail {
	struct hy_smtp *s;
	struct hy_smtp_mail *prev, *next;
	struct conn *conn; /* NULL once it is over */
	struct hy_smtp_letter letter;
	char *from, *to;
	int64_t due_ms;
	bool again; /* goes over a second connection: the first was kept, and dead */
	bool at_dot, over; /* to be told */
	struct hy_smtp_outcome outcome;
	char words[SMTP_WORDS_MAX + 1];
};

struct hy_smtp {
	struct hy_loop *loop;
	struct conn *conns;
	int count;
	struct hy_smtp_mail *mails;
	enum hy_smtp_tls tls;
	int64_t dot_ms;
	char *url, *ca_file, *user, *password;
};

static void open_conn(struct conn *c);

/* ---- what becomes of a mail ---- */

static enum hy_smtp_stage stage_of(enum phase phase)
{
	switch (phase) {
	case FROM:
		return HY_SMTP_FROM;
	case TO:
		return HY_SMTP_TO;
	case DATA:
	case BODY:
	case AT_DOT:
		return HY_SMTP_DATA;
	case DOT:
		return HY_SMTP_DOT;
	default:
		return HY_SMTP_HELLO;
	}
}

/* The mail has an outcome and lets its connection go. `code` 0: the server did not answer. */
static void end_mail(struct conn *c, int code, const char *words)
{
	struct hy_smtp_mail *m = c->mail;
	m->outcome.stage = stage_of(c->phase);
	/* Of a dot that the system took no byte of nothing arrived. */
	m->outcome.passed = c->phase == DOT && c->sent > 0;
	m->outcome.code = code;
	m->outcome.answered = code != 0;
	size_t size = 0;
	smtp_words_add(m->words, &size, hy_bytes_text(words));
	m->over = true;
	m->at_dot = false;
	m->conn = NULL;
	c->mail = NULL;
}

static void close_conn(struct conn *c)
{
	if (c->fd >= 0)
		hy_loop_watch_events(c->s->loop, c->fd, 0, NULL, NULL);
	c->fd = -1;
	http_transfer_close(&c->transfer);
	hy_buffer_free(&c->out);
	c->phase = CLOSED;
	c->used = c->signed_in = false;
	c->sent = 0;
}

/* The connection is of no use any more. A mail on a kept one that got no word on it yet goes over a fresh one: the server had ended the connection
 * meanwhile, as servers do. */
static void break_conn(struct conn *c, int code, const char *words)
{
	struct hy_smtp_mail *m = c->mail;
	if (m && (c->phase == RESET || (c->used && c->phase == FROM)) && !m->again) {
		m->again = true;
		close_conn(c);
		open_conn(c);
		return;
	}
	if (m)
		end_mail(c, code, words);
	close_conn(c);
}

/* ---- speaking ---- */

static void on_events(void *arg, int fd, int events);

static void watch(struct conn *c)
{
	int events = HY_LOOP_READ | (c->sent < c->out.size ? HY_LOOP_WRITE : 0);
	if (hy_loop_watch_events(c->s->loop, c->fd, events, on_events, c) != HY_OK)
		break_conn(c, 0, "out of memory");
}

/* Says what the system takes now. */
static void speak(struct conn *c)
{
	while (c->sent < c->out.size) {
		size_t n = 0;
		CURLcode code = curl_easy_send(c->transfer.easy, c->out.data + c->sent, c->out.size - c->sent, &n);
		if (code == CURLE_AGAIN)
			break;
		if (code != CURLE_OK) {
			break_conn(c, 0, "the server closed the connection");
			return;
		}
		c->sent += n;
	}
	if (c->phase == BODY && c->sent == c->out.size) {
		/* Not listened to until hy_smtp_pass(): its owner counts on the mail until then. */
		c->phase = AT_DOT;
		c->mail->at_dot = true;
		hy_loop_watch_events(c->s->loop, c->fd, 0, NULL, NULL);
	} else {
		watch(c);
	}
}

static void say(struct conn *c, enum phase phase, const char *fmt, const char *what)
{
	c->phase = phase;
	c->sent = 0;
	smtp_reply_begin(&c->reply);
	hy_buffer_clear(&c->out);
	hy_buffer_printf(&c->out, fmt, what);
	if (c->out.err)
		break_conn(c, 0, "out of memory");
	else
		speak(c);
}

static void say_body(struct conn *c)
{
	c->phase = BODY;
	c->sent = 0;
	smtp_reply_begin(&c->reply);
	hy_buffer_clear(&c->out);
	smtp_stuff_dots(c->mail->letter.message, &c->out);
	if (c->out.err)
		break_conn(c, 0, "out of memory");
	else
		speak(c);
}

static void rest(struct conn *c)
{
	c->phase = IDLE;
	c->idle_until = http_curl_clock() + IDLE_MS;
	smtp_reply_begin(&c->reply);
}

static void begin(struct conn *c, struct hy_smtp_mail *m)
{
	c->mail = m;
	m->conn = c;
	c->used = c->used || c->phase != OPENING;
	say(c, FROM, "MAIL FROM:<%s>\r\n", m->from);
}

/* ---- listening ---- */

/* The reply is complete. `more`: the server said something behind it, which nobody asked for, so that its words can't be matched to ours. */
static void on_reply(struct conn *c, bool more)
{
	static const char *const confused = "the server said more than it was asked for";
	int code = c->reply.code;
	bool good = code / 100 == 2;
	if (c->phase == DOT) {
		end_mail(c, code / 100 == 3 ? 0 : code, c->reply.words);
		if (more || code == 421)
			close_conn(c);
		else
			rest(c);
	} else if (c->phase == RESET) {
		if (more || !good)
			break_conn(c, code, c->reply.words);
		else if (c->mail)
			begin(c, c->mail);
		else
			rest(c);
	} else if (code == 421 || c->phase == IDLE || c->phase == BODY || c->phase == AT_DOT) {
		break_conn(c, code, c->reply.words); /* it ends the conversation, or can't follow it */
	} else if (more) {
		break_conn(c, 0, confused);
	} else if (c->phase == FROM && good) {
		say(c, TO, "RCPT TO:<%s>\r\n", c->mail->to);
	} else if (c->phase == TO && good) {
		say(c, DATA, "DATA\r\n", NULL);
	} else if (c->phase == DATA && code == 354) {
		say_body(c);
	} else if (c->phase == DATA && good) {
		break_conn(c, 0, confused);
	} else {
		end_mail(c, code, c->reply.words);
		c->idle_until = http_curl_clock() + IDLE_MS;
		say(c, RESET, "RSET\r\n", NULL);
	}
}

/* Whether there may be more to hear on the same connection. */
static bool on_bytes(struct conn *c, struct hy_bytes in)
{
	size_t used;
	int err = smtp_reply_take(&c->reply, in, &used);
	if (err) {
		break_conn(c, 0, err == HY_TOO_LARGE ? "the server's reply has no end" : "the server speaks no SMTP");
		return false;
	}
	if (c->reply.complete)
		on_reply(c, used < in.size);
	return c->phase != CLOSED && c->phase != OPENING;
}

/* Takes what is there. */
static void listen_to(struct conn *c)
{
	char bytes[4096];
	for (;;) {
		size_t n = 0;
		CURLcode code = curl_easy_recv(c->transfer.easy, bytes, sizeof(bytes), &n);
		if (code == CURLE_AGAIN)
			return;
		if (code != CURLE_OK || n == 0) {
			break_conn(c, 0, "the server closed the connection");
			return;
		}
		if (!on_bytes(c, hy_bytes(bytes, n)))
			return;
	}
}

static void tell(struct hy_smtp *s);

static void on_events(void *arg, int fd, int events)
{
	struct conn *c = arg;
	struct hy_smtp *s = c->s;
	(void)fd;
	if (events & HY_LOOP_WRITE)
		speak(c);
	if (c->phase != CLOSED && c->phase != OPENING)
		listen_to(c);
	tell(s);
}

/* ---- opening: libcurl's part ---- */

/* Replies on the way to AUTH, a line at a time. They are bounded too, and the last one says why it failed. */
static size_t on_line(char *data, size_t one, size_t size, void *arg)
{
	struct conn *c = arg;
	size_t used;
	if (c->reply.complete)
		smtp_reply_begin(&c->reply);
	if (smtp_reply_take(&c->reply, hy_bytes(data, one * size), &used) != HY_OK)
		return 0;
	c->signed_in = c->signed_in || (c->reply.complete && c->reply.code == 235);
	return one * size;
}

static void on_opened(struct http_transfer *t, CURLcode code)
{
	struct conn *c = (struct conn *)t;
	struct hy_smtp *s = c->s;
	struct hy_smtp_mail *m = c->mail;
	curl_socket_t fd = CURL_SOCKET_BAD;
	char *connected = NULL;
	curl_easy_getinfo(t->easy, CURLINFO_PRIMARY_IP, &connected);
	if (code == CURLE_OK)
		curl_easy_getinfo(t->easy, CURLINFO_ACTIVESOCKET, &fd);
	if (fd != CURL_SOCKET_BAD && (!s->user || c->signed_in)) {
		c->fd = fd;
		begin(c, m);
	} else {
		bool refused = c->reply.complete && c->reply.code >= 400;
		const char *words = http_transfer_words(t, code);
		if (refused)
			words = c->reply.words;
		else if (code == CURLE_OK)
			words = "the server offers no way to sign in that we know, and a user is configured";
		else if (code == CURLE_WRITE_ERROR)
			words = "the server's greeting has no end, or is no SMTP";
		end_mail(c, refused ? c->reply.code : 0, words);
		m->outcome.stage = connected && *connected ? HY_SMTP_HELLO : HY_SMTP_CONNECT;
		close_conn(c);
	}
	tell(s);
}

static int set_options(struct conn *c)
{
	const struct hy_smtp *s = c->s;
	CURLcode code = CURLE_OK;
#define SET(option, value) (code = code ? code : curl_easy_setopt(c->transfer.easy, option, value))
	SET(CURLOPT_URL, s->url);
	SET(CURLOPT_CONNECT_ONLY, 1L);
	SET(CURLOPT_USE_SSL, (long)(s->tls == HY_SMTP_STARTTLS ? CURLUSESSL_ALL : CURLUSESSL_NONE));
	SET(CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
	SET(CURLOPT_TIMEOUT_MS, (long)BEFORE_MS);
	SET(CURLOPT_SERVER_RESPONSE_TIMEOUT, BEFORE_MS / 1000L);
	SET(CURLOPT_HEADERFUNCTION, on_line);
	SET(CURLOPT_HEADERDATA, c);
	if (s->user) {
		SET(CURLOPT_USERNAME, s->user);
		SET(CURLOPT_PASSWORD, s->password);
	}
#undef SET
	return code ? HY_NO_MEMORY : HY_OK;
}

/* For the mail that it has. */
static void open_conn(struct conn *c)
{
	c->phase = OPENING;
	c->transfer = (struct http_transfer){ .private_ok = true, .ended = on_opened };
	smtp_reply_begin(&c->reply);
	int err = http_transfer_open(&c->transfer, c->curl, "smtp,smtps", c->s->ca_file);
	err = err ? err : set_options(c);
	err = err ? err : http_transfer_start(&c->transfer);
	if (err)
		break_conn(c, 0, hy_err_text(err));
}

/* ---- telling ---- */

static void free_mail(struct hy_smtp_mail *m)
{
	if (m->prev)
		m->prev->next = m->next;
	else
		m->s->mails = m->next;
	if (m->next)
		m->next->prev = m->prev;
	free(m->from);
	free(m->to);
	free(m);
}

/* Each call may change the list, so it begins again after each; what was told is told no more. */
static void tell(struct hy_smtp *s)
{
	for (struct hy_smtp_mail *m = s->mails; m;) {
		if (m->at_dot) {
			m->at_dot = false;
			m->letter.at_dot(m->letter.arg);
		} else if (m->over) {
			m->over = false;
			m->outcome.words = m->words;
			m->letter.done(m->letter.arg, &m->outcome);
			free_mail(m);
		} else {
			m = m->next;
			continue;
		}
		m = s->mails;
	}
}

static void late(struct conn *c)
{
	static const char *const what[] = { "connection", "greeting and sign-in", "MAIL", "RCPT", "DATA", "final dot" };
	char words[100];
	enum hy_smtp_stage stage = stage_of(c->phase);
	snprintf(words, sizeof(words), "the server did not answer in time (%s)", what[stage]);
	struct hy_smtp_mail *m = c->mail;
	m->again = true; /* no time is left for a second connection */
	break_conn(c, 0, words);
}

static int64_t sooner(int64_t a, int64_t b)
{
	return a < 0 || b < a ? b : a;
}

/* QUIT is a courtesy: its reply is not waited for. One that owes us the reply to RSET may have a mail waiting behind it. */
static void leave(struct conn *c)
{
	if (c->phase == IDLE)
		say(c, RESET, "QUIT\r\n", NULL);
	break_conn(c, 0, "the server did not answer in time (RSET)");
}

static int64_t on_time(void *arg)
{
	struct hy_smtp *s = arg;
	int64_t now_ms = http_curl_clock(), wait_ms = -1;
	for (int i = 0; i < s->count; i++) {
		struct conn *c = &s->conns[i];
		bool rests = c->phase == IDLE || c->phase == RESET;
		if (rests && c->idle_until <= now_ms) {
			leave(c);
		} else if (rests) {
			wait_ms = sooner(wait_ms, c->idle_until - now_ms);
		} else if (c->mail && c->phase != AT_DOT && c->mail->due_ms <= now_ms) {
			late(c);
		} else if (c->mail && c->phase != AT_DOT) {
			wait_ms = sooner(wait_ms, c->mail->due_ms - now_ms);
		}
	}
	tell(s);
	for (struct hy_smtp_mail *m = s->mails; m; m = m->next) /* made over within tell() */
		if (m->over || m->at_dot)
			return 0;
	return wait_ms;
}

/* ---- the face ---- */

static char *copy(const char *text, int *err)
{
	char *kept = text ? strdup(text) : NULL;
	if (text && !kept)
		*err = HY_NO_MEMORY;
	return kept;
}

int hy_smtp_port(const struct hy_smtp_options *o)
{
	static const int ports[] = { [HY_SMTP_STARTTLS] = 587, [HY_SMTP_TLS] = 465, [HY_SMTP_PLAIN] = 25 };
	return o->port ? o->port : ports[o->tls];
}

int hy_smtp_open(struct hy_smtp **out, const struct hy_smtp_options *o, struct hy_fault *f)
{
	*out = NULL;
	int err = hy_smtp_check(o, f);
	if (err)
		return err;
	struct hy_smtp *s = calloc(1, sizeof(*s));
	if (!s)
		return hy_fail(f, HY_NO_MEMORY, "out of memory");
	char url[700];
	bool six = strchr(o->host, ':');
	snprintf(url, sizeof(url), "%s://%s%s%s:%d/%s", o->tls == HY_SMTP_TLS ? "smtps" : "smtp", six ? "[" : "",
		o->host, six ? "]" : "", hy_smtp_port(o), o->ehlo);
	s->loop = o->loop;
	s->tls = o->tls;
	s->dot_ms = o->dot_ms ? o->dot_ms : DOT_MS;
	s->url = copy(url, &err);
	s->ca_file = copy(o->ca_file, &err);
	s->user = copy(o->user, &err);
	s->password = copy(o->user ? o->password : NULL, &err);
	s->count = o->connections ? o->connections : CONNECTIONS;
	s->conns = calloc((size_t)s->count, sizeof(*s->conns));
	if (!s->conns)
		err = HY_NO_MEMORY;
	for (int i = 0; s->conns && i < s->count; i++) { /* all of them: hy_smtp_close() looks at all */
		s->conns[i].s = s;
		s->conns[i].fd = -1;
	}
	for (int i = 0; !err && i < s->count; i++)
		err = http_curl_open(&s->conns[i].curl, s->loop, 0, 2, NULL);
	if (!err)
		err = hy_loop_watch_time(s->loop, on_time, s);
	if (err) {
		hy_smtp_close(&s);
		return hy_fail(f, err, "%s", hy_err_text(err));
	}
	*out = s;
	return HY_OK;
}

void hy_smtp_close(struct hy_smtp **s)
{
	if (!*s)
		return;
	hy_loop_unwatch_time((*s)->loop, on_time, *s);
	for (int i = 0; (*s)->conns && i < (*s)->count; i++) {
		struct conn *c = &(*s)->conns[i];
		c->mail = NULL;
		leave(c);
		http_curl_close(&c->curl);
	}
	while ((*s)->mails)
		free_mail((*s)->mails);
	if ((*s)->password)
		explicit_bzero((*s)->password, strlen((*s)->password));
	free((*s)->password);
	free((*s)->user);
	free((*s)->ca_file);
	free((*s)->url);
	free((*s)->conns);
	free(*s);
	*s = NULL;
}

static int check_letter(const struct hy_smtp_letter *l, struct hy_fault *f)
{
	const char *why;
	if (*l->from && !hy_smtp_address_ok(l->from, &why))
		return hy_fail(f, HY_BAD_INPUT, "the sender: %s", why);
	if (!hy_smtp_address_ok(l->to, &why))
		return hy_fail(f, HY_BAD_INPUT, "the recipient: %s", why);
	return smtp_message_check(l->message, f);
}

/* A connection that rests; else one that will soon, after a refusal; else one that is not open. */
static struct conn *free_conn(struct hy_smtp *s)
{
	struct conn *closed = NULL, *soon = NULL;
	for (int i = 0; i < s->count; i++) {
		struct conn *c = &s->conns[i];
		if (c->phase == IDLE)
			return c;
		if (c->phase == RESET && !c->mail)
			soon = c;
		else if (c->phase == CLOSED)
			closed = c;
	}
	return soon ? soon : closed;
}

int hy_smtp_send(struct hy_smtp *s, const struct hy_smtp_letter *letter, struct hy_smtp_mail **out, struct hy_fault *f)
{
	*out = NULL;
	int err = check_letter(letter, f);
	if (err)
		return err;
	struct conn *c = free_conn(s);
	if (!c)
		return hy_fail(f, HY_BUSY, "all connections to the mail server are in use");
	struct hy_smtp_mail *m = calloc(1, sizeof(*m));
	if (!m)
		return hy_fail(f, HY_NO_MEMORY, "out of memory");
	m->s = s;
	m->letter = *letter;
	m->from = copy(letter->from, &err);
	m->to = copy(letter->to, &err);
	m->due_ms = http_curl_clock() + BEFORE_MS;
	m->next = s->mails;
	if (s->mails)
		s->mails->prev = m;
	s->mails = m;
	if (err) {
		free_mail(m);
		return hy_fail(f, err, "out of memory");
	}
	*out = m;
	c->mail = m;
	m->conn = c;
	if (c->phase == IDLE)
		begin(c, m);
	else if (c->phase == CLOSED)
		open_conn(c);
	return HY_OK;
}

void hy_smtp_pass(struct hy_smtp_mail *m)
{
	struct conn *c = m->conn;
	HY_ASSERT(c && c->phase == AT_DOT);
	listen_to(c); /* a server that has left, or says that it does, gets no dot: then it surely has no mail */
	if (m->conn != c || c->phase != AT_DOT)
		return;
	m->due_ms = http_curl_clock() + m->s->dot_ms;
	say(c, DOT, ".\r\n", NULL);
}

void hy_smtp_cancel(struct hy_smtp_mail **m)
{
	if (!*m)
		return;
	struct conn *c = (*m)->conn;
	if (c) {
		HY_ASSERT(c->phase != DOT);
		c->mail = NULL;
		close_conn(c);
	}
	free_mail(*m);
	*m = NULL;
}
