#include "sender.h"

#include "base/clock.h"
#include "http/client.h"

#include <stdio.h>
#include <stdlib.h>

#define ANSWER_MS 45000
#define PATIENCE_MS 60000 /* how long nobody may answer at all */
#define PAUSE_MS 500
#define PAUSE_MAX_MS 60000

struct sender {
	struct post_door door;
	char url[700], authorization[300];
	struct hy_loop *loop;
	struct hy_http_client *client;
	struct batch *queue[SENDER_WINDOW];
	size_t count;
	struct hy_json_reader *reader;
	struct hy_buffer body;
	bool answered; /* ever */
	int64_t silent_ms, pause_ms; /* since when nobody answers, 0 = they do; until when nothing is sent */
	struct hy_fault fault; /* the end of it */
};

/* ---- batches ---- */

struct batch *batch_new(void)
{
	return calloc(1, sizeof(struct batch));
}

void batch_clear(struct batch *b)
{
	for (size_t i = 0; i < b->count; i++)
		free(b->items[i].why);
	hy_buffer_clear(&b->body);
	hy_buffer_clear(&b->raw);
	b->count = b->to_send = b->todo_count = b->chunk = b->asked = 0;
	b->rows = b->accepted = b->duplicates = 0;
	b->again_ms = 0;
	b->done = false;
}

void batch_free(struct batch **b)
{
	if (!*b)
		return;
	batch_clear(*b);
	hy_buffer_free(&(*b)->body);
	hy_buffer_free(&(*b)->raw);
	free((*b)->items);
	free((*b)->todo);
	free(*b);
	*b = NULL;
}

static struct sender_item *add(struct batch *b, uint64_t line, struct hy_bytes raw)
{
	if (b->count == b->room) {
		size_t room = b->room ? 2 * b->room : SENDER_ITEMS;
		struct sender_item *items = realloc(b->items, room * sizeof(*items));
		uint32_t *todo = items ? realloc(b->todo, room * sizeof(*todo)) : NULL;
		b->items = items ? items : b->items;
		b->todo = todo ? todo : b->todo;
		if (!items || !todo)
			return NULL;
		b->room = room;
	}
	struct sender_item *i = &b->items[b->count++];
	*i = (struct sender_item){ .line = line, .raw_at = b->raw.size, .raw_size = raw.size };
	hy_buffer_bytes(&b->raw, raw);
	return i;
}

int batch_add(struct batch *b, uint64_t line, size_t body_at, struct hy_bytes raw)
{
	hy_buffer_byte(&b->body, '\n');
	struct sender_item *i = add(b, line, raw);
	if (!i)
		return HY_NO_MEMORY;
	i->at = body_at;
	i->size = b->body.size - body_at;
	b->todo[b->to_send++] = (uint32_t)(b->count - 1);
	return b->body.err ? b->body.err : b->raw.err;
}

int batch_reject(struct batch *b, uint64_t line, struct hy_bytes raw, const char *why)
{
	struct sender_item *i = add(b, line, raw);
	if (!i)
		return HY_NO_MEMORY;
	i->why = strdup(why);
	i->local = true;
	return i->why ? b->raw.err : HY_NO_MEMORY;
}

bool batch_full(const struct batch *b)
{
	return b->count >= SENDER_ITEMS || b->body.size >= SENDER_BYTES || b->raw.size >= 2 * SENDER_BYTES;
}

/* ---- what an answer says ---- */

char *sender_reason(const struct hy_json *errors)
{
	struct hy_buffer b = { 0 };
	for (const struct hy_json *e = errors ? errors->first : NULL; e; e = e->next) {
		const char *pointer = hy_json_text(e, "pointer", "");
		size_t digits = *pointer == '/' ? strspn(pointer + 1, "0123456789") : 0;
		pointer += digits ? digits + 1 : 0;
		hy_buffer_printf(&b, "%s%s%s%s", b.size ? "; " : "", pointer, *pointer ? ": " : "",
			hy_json_text(e, "detail", ""));
	}
	char *why = strdup(b.size ? hy_buffer_string(&b) : "the collector refused it");
	hy_buffer_free(&b);
	return why;
}

/* Marks what was rejected; returns how many of the items that were asked stay to be sent again, at the beginning of todo. */
static size_t take_rejected(struct batch *b, const struct hy_json *list)
{
	size_t again = 0;
	uint32_t *stay = b->todo; /* written behind what is read: indices rise */
	for (const struct hy_json *r = list ? list->first : NULL; r; r = r->next) {
		int64_t index = hy_json_integer(r, "index", -1);
		if (index < (int64_t)again || index >= (int64_t)b->asked)
			continue;
		struct sender_item *item = &b->items[b->todo[index]];
		if (hy_json_truth(r, "retry", false))
			stay[again++] = b->todo[index];
		else if (!item->why)
			item->why = sender_reason(hy_json_get(r, "errors"));
	}
	return again;
}

static void drop_asked(struct batch *b, size_t again)
{
	memmove(b->todo + again, b->todo + b->asked, (b->todo_count - b->asked) * sizeof(*b->todo));
	b->todo_count -= b->asked - again;
	b->done = b->todo_count == 0;
}

static void pause_for(struct sender *s, int64_t ms)
{
	ms = ms <= 0 ? 1000 : ms > PAUSE_MAX_MS ? PAUSE_MAX_MS : ms;
	int64_t until = hy_mono_ms() + ms;
	s->pause_ms = until > s->pause_ms ? until : s->pause_ms;
}

/* A refusal that names no item is asked for again with half as many, down to the one. */
static void refused(struct sender *s, struct batch *b, const struct hy_http_outcome *o)
{
	char why[800];
	post_problem(o->status, o->body, why, sizeof(why));
	bool theirs = o->status == 400 || o->status == 409 || o->status == 413 || o->status == 422;
	if (theirs && b->asked > 1) {
		b->chunk = b->asked / 2;
	} else if (theirs) {
		b->items[b->todo[0]].why = strdup(why);
		drop_asked(b, 0);
	} else {
		hy_fail(&s->fault, o->status == 401 || o->status == 403 ? HY_FORBIDDEN : HY_UNREACHABLE, "%s", why);
	}
}

static void take_answer(struct sender *s, struct batch *b, const struct hy_http_outcome *o)
{
	const struct hy_json *root = NULL, *errors;
	struct hy_fault ignored;
	if (hy_json_read_copy(s->reader, o->body, &root, &ignored) != HY_OK)
		root = NULL;
	errors = hy_json_get(root, "errors");
	if (o->status == 202 && root) {
		b->accepted += (uint64_t)hy_json_integer(root, "accepted", 0);
		b->duplicates += (uint64_t)hy_json_integer(root, "duplicates", 0);
		size_t again = take_rejected(b, hy_json_get(root, "rejected"));
		drop_asked(b, again);
		if (again)
			pause_for(s, o->retry_after_ms);
	} else if (o->status == 422 && errors && errors->count == b->asked && hy_json_get(errors->first, "index")) {
		drop_asked(b, take_rejected(b, errors));
	} else if (o->status == 429 || o->status == 503) {
		pause_for(s, o->retry_after_ms);
	} else {
		refused(s, b, o);
	}
}

static void on_answer(void *arg, const struct hy_http_outcome *o)
{
	struct batch *b = arg;
	struct sender *s = b->sender;
	int64_t now = hy_mono_ms();
	b->call = NULL;
	bool gateway = o->err == HY_OK && (o->status == 502 || o->status == 504); /* a proxy whose collector is away */
	if (o->err == HY_OK && !gateway) {
		s->answered = true;
		s->silent_ms = 0;
		take_answer(s, b, o);
		return;
	}
	/* A collector that restarts is waited for. */
	s->silent_ms = s->silent_ms ? s->silent_ms : now;
	bool passing = gateway || o->err == HY_UNREACHABLE || o->err == HY_TIMEOUT;
	if (passing && s->answered && now - s->silent_ms < PATIENCE_MS)
		b->again_ms = now + PAUSE_MS;
	else if (gateway || o->err == HY_UNREACHABLE)
		hy_fail(&s->fault, HY_UNREACHABLE,
			"the collector does not answer at %s (%s); start it with `huiyin up`, the same command then "
			"goes on",
			post_place(&s->door), o->words);
	else
		hy_fail(&s->fault, o->err, "the collector at %s: %s", post_place(&s->door), o->words);
}

/* ---- sending ---- */

static int ask(struct sender *s, struct batch *b, struct hy_fault *f)
{
	const char *const headers[] = { s->authorization, "Content-Type: application/x-ndjson",
		"Accept: application/json", NULL };
	struct hy_bytes body = hy_buffer_view(&b->body);
	b->asked = b->chunk && b->chunk < b->todo_count ? b->chunk : b->todo_count;
	if (b->asked < b->to_send) {
		hy_buffer_clear(&s->body);
		for (size_t i = 0; i < b->asked; i++) {
			const struct sender_item *item = &b->items[b->todo[i]];
			hy_buffer_put(&s->body, b->body.data + item->at, item->size);
		}
		if (s->body.err)
			return s->body.err;
		body = hy_buffer_view(&s->body);
	}
	struct hy_http_question q = { .method = "POST",
		.url = s->url,
		.headers = headers,
		.body = body,
		.timeout_ms = ANSWER_MS,
		.answer_max = POST_ANSWER_MAX,
		.done = on_answer,
		.arg = b };
	return hy_http_ask(s->client, &q, &b->call, f);
}

/* Whether anybody is there is asked first: later on, who does not answer is waited for. */
static int knock(struct sender *s, struct hy_fault *f)
{
	struct post *p = NULL;
	struct post_answer a = { 0 };
	int err = post_open(&p, &s->door, f);
	if (err == HY_OK)
		err = post_send(p, "GET", "/healthz", hy_bytes("", 0), &a, f);
	s->answered = err == HY_OK;
	post_close(&p);
	hy_buffer_free(&a.body);
	return err;
}

int sender_open(struct sender **out, const struct post_door *door, struct hy_fault *f)
{
	struct sender *s = *out = calloc(1, sizeof(*s));
	if (!s)
		return hy_fail(f, HY_NO_MEMORY, "no memory");
	s->door = *door;
	s->reader = hy_json_reader_new();
	snprintf(s->url, sizeof(s->url), "%s/v1/feedback", door->base);
	snprintf(s->authorization, sizeof(s->authorization), "Authorization: Bearer %s", door->key);
	int err = hy_loop_open(&s->loop);
	if (err)
		return hy_fail(f, err, "no event loop: %s", hy_err_text(err));
	struct hy_http_client_options o = { .loop = s->loop,
		.private_ok = true,
		.connections = SENDER_CONNECTIONS,
		.ca_file = s->door.ca_file[0] ? s->door.ca_file : NULL };
	err = hy_http_client_open(&s->client, &o, f);
	return err ? err : knock(s, f);
}

void sender_close(struct sender **s)
{
	if (!*s)
		return;
	for (size_t i = 0; i < (*s)->count; i++) {
		if ((*s)->queue[i]->call)
			hy_http_cancel(&(*s)->queue[i]->call);
		batch_free(&(*s)->queue[i]);
	}
	if ((*s)->client)
		hy_http_client_close(&(*s)->client);
	hy_loop_close(&(*s)->loop);
	hy_json_reader_free(&(*s)->reader);
	hy_buffer_free(&(*s)->body);
	explicit_bzero(*s, sizeof(**s));
	free(*s);
	*s = NULL;
}

bool sender_room(const struct sender *s)
{
	return s->count < SENDER_WINDOW;
}

void sender_give(struct sender *s, struct batch *b)
{
	b->sender = s;
	b->todo_count = b->to_send;
	b->done = b->to_send == 0;
	s->queue[s->count++] = b;
}

int sender_turn(struct sender *s, int64_t max_ms, struct hy_fault *f)
{
	int64_t now = hy_mono_ms(), wait = max_ms;
	for (size_t i = 0; i < s->count && !s->fault.err; i++) {
		struct batch *b = s->queue[i];
		int64_t due = b->again_ms > s->pause_ms ? b->again_ms : s->pause_ms;
		if (b->done || b->call)
			continue;
		if (due <= now) {
			int err = ask(s, b, &s->fault);
			if (err)
				hy_fail(&s->fault, err, "%s", s->fault.text[0] ? s->fault.text : hy_err_text(err));
		} else if (wait < 0 || due - now < wait) {
			wait = due - now;
		}
	}
	if (!s->fault.err) {
		int err = hy_loop_turn(s->loop, wait);
		if (err)
			hy_fail(&s->fault, err, "the event loop: %s", hy_err_text(err));
	}
	if (s->fault.err)
		*f = s->fault;
	return s->fault.err;
}

struct batch *sender_take(struct sender *s)
{
	struct batch *b = s->count ? s->queue[0] : NULL;
	if (!b || !b->done)
		return NULL;
	memmove(s->queue, s->queue + 1, --s->count * sizeof(*s->queue));
	return b;
}

bool sender_idle(const struct sender *s)
{
	return s->count == 0;
}

bool sender_waits(const struct sender *s)
{
	int64_t now = hy_mono_ms();
	if (s->pause_ms > now)
		return true;
	for (size_t i = 0; i < s->count; i++)
		if (!s->queue[i]->done && !s->queue[i]->call)
			return true;
	return false;
}
