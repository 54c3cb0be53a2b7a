/* The HTTP door: POST /v1/feedback with one item a line (NDJSON), one request at a time. Every item has an id, its own or one made of its run and
 * number, so that sending it again changes nothing; the answer names each line that was not kept. */
#include "client/inside.h"

#include "base/clock.h"
#include "http/client.h"
#include "json/json.h" /* answers are read with jansson: a parser for megabytes a second would bring C++ into every app */

#include <stdlib.h>

enum {
	ITEMS = 2000,
	BYTES = 512 << 10,
	ANSWER_MAX = 4 << 20,
	TIMEOUT_MS = 30000,
	BACKOFF_FIRST = 100,
	BACKOFF_MOST = 30000,
	LATER_MOST = 300000,
	REFUSALS_KEPT = 1000, /* of one answer in words; further ones are counted, and told without */
};

enum fate { KEPT, REFUSED, LATER };

struct line {
	uint64_t n;
	enum fate fate;
};

struct web {
	struct hy_http_client *http;
	struct hy_http_call *call;
	char *url, *authorization;
	int64_t due_ms, backoff_ms;
	uint32_t items_max;
	struct hy_buffer body;
	struct line lines[ITEMS]; /* of the request that is out */
	size_t line_count, unreadable;
	struct refusal refusals[ITEMS];
	size_t refusal_count;
};

static void later(struct hy_client *c, int64_t ms)
{
	struct web *w = c->door_state;
	queue_rewind(c);
	if (ms <= 0) {
		ms = w->backoff_ms;
		w->backoff_ms = 2 * w->backoff_ms < BACKOFF_MOST ? 2 * w->backoff_ms : BACKOFF_MOST;
	}
	w->due_ms = hy_mono_ms() + (ms < LATER_MOST ? ms : LATER_MOST);
}

/* ---- the answer ---- */

/* "/text: too long; /customer/email: no address" of [{"pointer","detail"}], the first pointer aside. */
static void words_of(struct hy_client *c, const json_t *errors, struct refusal *out)
{
	struct hy_buffer words = { 0 };
	size_t i;
	const json_t *e;
	json_array_foreach(errors, i, e)
	{
		const char *pointer = json_string_value(json_object_get(e, "pointer"));
		const char *detail = json_string_value(json_object_get(e, "detail"));
		if (i == 0)
			out->pointer = hy_arena_text(c->arena, hy_bytes_text(pointer ? pointer : ""));
		hy_buffer_printf(&words, "%s%s%s%s", i ? "; " : "", i && pointer ? pointer : "", i ? ": " : "",
			detail ? detail : "");
	}
	out->detail = hy_arena_text(c->arena, hy_buffer_view(&words));
	hy_buffer_free(&words);
	out->pointer = out->pointer ? out->pointer : "";
	out->detail = out->detail ? out->detail : "";
}

static bool read_rejected(struct hy_client *c, const json_t *rejected)
{
	struct web *w = c->door_state;
	size_t i, words = 0;
	const json_t *r;
	json_array_foreach(rejected, i, r)
	{
		const json_t *index = json_object_get(r, "index");
		json_int_t at = json_integer_value(index);
		if (!json_is_integer(index) || at < 0 || (size_t)at >= w->line_count)
			return false;
		w->lines[at].fate = json_is_true(json_object_get(r, "retry")) ? LATER : REFUSED;
		struct refusal *out = &w->refusals[w->refusal_count];
		if (w->lines[at].fate == LATER || w->refusal_count == ITEMS)
			continue;
		*out = (struct refusal){ w->lines[at].n, "", "" };
		if (words++ < REFUSALS_KEPT)
			words_of(c, json_object_get(r, "errors"), out);
		w->refusal_count++;
	}
	return true;
}

static int by_n(const void *a, const void *b)
{
	uint64_t x = ((const struct refusal *)a)->n, y = ((const struct refusal *)b)->n;
	return x < y ? -1 : x > y;
}

/* What the lines' fates say: settled up to the first that is to be sent again. */
static void settle(struct hy_client *c, int64_t retry_ms)
{
	struct web *w = c->door_state;
	uint64_t n = c->at.n - 1;
	bool again = false;
	for (size_t i = 0; i < w->line_count && !again; i++)
		if (w->lines[i].fate == LATER) {
			again = true;
			n = w->lines[i].n - 1;
		}
	qsort(w->refusals, w->refusal_count, sizeof(*w->refusals), by_n);
	queue_settle(c, n, w->refusals, w->refusal_count);
	w->backoff_ms = BACKOFF_FIRST;
	if (w->items_max < ITEMS)
		w->items_max = 2 * w->items_max < ITEMS ? 2 * w->items_max : ITEMS;
	if (again)
		later(c, retry_ms > 0 ? retry_ms : 1000);
	client_problem(
		c, &c->door_problem, "%s", again ? "the collector could not keep all of it: it is sent again" : "");
}

/* 202: as many were kept as it says, or it is no collector that answers. */
static bool on_kept(struct hy_client *c, const json_t *answer)
{
	const struct web *w = c->door_state;
	const json_t *rejected = json_object_get(answer, "rejected");
	json_int_t kept = json_integer_value(json_object_get(answer, "accepted")) +
			  json_integer_value(json_object_get(answer, "duplicates"));
	return json_is_array(rejected) && kept >= 0 && (uint64_t)kept + json_array_size(rejected) == w->line_count &&
	       read_rejected(c, rejected);
}

static void not_believed(struct hy_client *c)
{
	struct web *w = c->door_state;
	client_problem(c, &c->door_problem, "what answers at %s is no collector", w->url);
	w->refusal_count = w->unreadable;
	later(c, 0);
}

/* 4xx about what was sent: about one of the items, unless there was only one. A page without a reason is not the collector's (nginx says 400 to http:// on
 * an https:// port): it settles nothing, but that something is too large anybody on the way may say. */
static void on_refused(struct hy_client *c, const struct hy_http_outcome *o, const json_t *answer)
{
	struct web *w = c->door_state;
	const json_t *errors = json_object_get(answer, "errors");
	const char *detail = json_string_value(json_object_get(answer, "detail"));
	if (json_array_size(errors) == w->line_count && read_rejected(c, errors)) {
		settle(c, 0);
	} else if (w->line_count > 1) {
		w->items_max = 1;
		later(c, 1);
	} else if (!detail && o->status != 413) {
		not_believed(c);
	} else {
		char words[64];
		snprintf(words, sizeof(words), "refused with status %d", o->status);
		w->refusals[w->refusal_count++] = (struct refusal){ w->lines[0].n, "", detail ? detail : words };
		settle(c, 0);
	}
}

static void on_answer(void *arg, const struct hy_http_outcome *o)
{
	struct hy_client *c = arg;
	struct web *w = c->door_state;
	w->call = NULL;
	c->connected = o->err == HY_OK;
	hy_loop_wake(c->loop); /* this may be the turn's beginning: it does not wait any more for what was due before */
	hy_arena_reset(c->arena); /* where the words of `unreadable` refusals do not live */
	if (o->err != HY_OK) {
		client_problem(c, &c->door_problem, "no answer from %s: %s", w->url, o->words);
		later(c, 0);
		return;
	}
	json_t *answer = json_loadb((const char *)o->body.data, o->body.size, 0, NULL);
	const char *detail = json_string_value(json_object_get(answer, "detail"));
	switch (o->status) {
	case 202:
		if (on_kept(c, answer)) {
			settle(c, o->retry_after_ms);
			break;
		}
		not_believed(c);
		break;
	case 400:
	case 409:
	case 413:
	case 415:
	case 422:
		on_refused(c, o, answer);
		break;
	default: /* about the door (401, 403, 404), or for later (429, 5xx): the items can't help it */
		client_problem(c, &c->door_problem, "status %d from %s%s%s", o->status, w->url, detail ? ": " : "",
			detail ? detail : "");
		later(c, o->retry_after_ms);
	}
	json_decref(answer);
}

/* ---- the question ---- */

static bool put_item(void *arg, const struct item *it)
{
	struct hy_client *c = arg;
	struct web *w = c->door_state;
	char id[2 * RUN_SIZE + 24];
	hy_hex(it->run->id, RUN_SIZE, id);
	snprintf(id + 2 * RUN_SIZE, sizeof(id) - 2 * RUN_SIZE, "-%llu", (unsigned long long)(it->n - it->run->base_n));
	if (it->damaged)
		return true; /* its number is settled with its neighbours' */
	size_t before = w->body.size;
	hy_arena_reset(c->arena);
	int err = item_json(c->arena, it->field, id, &w->body);
	if (err == HY_OK) {
		hy_buffer_byte(&w->body, '\n');
		w->lines[w->line_count++] = (struct line){ it->n, KEPT };
		return true;
	}
	w->body.size = before;
	if (w->body.err || err == HY_NO_MEMORY)
		return false;
	w->refusals[w->refusal_count++] = (struct refusal){ it->n, "", "can't be read" };
	w->unreadable++;
	return true;
}

static void post(struct hy_client *c)
{
	struct web *w = c->door_state;
	struct hy_fault f = { 0 };
	hy_buffer_clear(&w->body);
	w->line_count = w->refusal_count = w->unreadable = 0;
	if (!queue_send(c, w->items_max, BYTES, put_item, c))
		return;
	if (w->line_count == 0) { /* nothing that could be sent */
		settle(c, 0);
		return;
	}
	const struct hy_http_question q = {
		.method = "POST",
		.url = w->url,
		.headers = (const char *const[]){ w->authorization, "Content-Type: application/x-ndjson", NULL },
		.body = hy_buffer_view(&w->body),
		.timeout_ms = TIMEOUT_MS,
		.answer_max = ANSWER_MAX,
		.done = on_answer,
		.arg = c,
	};
	if (hy_http_ask(w->http, &q, &w->call, &f) == HY_OK)
		return;
	client_problem(c, &c->door_problem, "%s", f.text);
	later(c, 0);
}

static int64_t pump(struct hy_client *c, int64_t now_ms)
{
	struct web *w = c->door_state;
	struct item it;
	if (w->call)
		return -1;
	if (now_ms < w->due_ms)
		return w->due_ms - now_ms;
	if (!queue_peek(c, &it))
		return -1;
	post(c);
	return w->call ? -1 : 0;
}

/* ---- opening and closing ---- */

static void close_web(struct hy_client *c)
{
	struct web *w = c->door_state;
	if (!w)
		return;
	hy_http_cancel(&w->call);
	hy_http_client_close(&w->http);
	hy_buffer_free(&w->body);
	free(w->url);
	free(w->authorization);
	free(w);
	c->door_state = NULL;
}

static int open_web(struct hy_client *c, struct hy_fault *f)
{
	struct web *w = calloc(1, sizeof(*w));
	size_t url = strlen(c->url);
	if (!w)
		return hy_fail(f, HY_NO_MEMORY, "no memory");
	c->door_state = w;
	w->backoff_ms = BACKOFF_FIRST;
	w->items_max = ITEMS;
	while (url && c->url[url - 1] == '/')
		url--;
	if (asprintf(&w->url, "%.*s/v1/feedback", (int)url, c->url) < 0)
		w->url = NULL;
	if (asprintf(&w->authorization, "Authorization: Bearer %s", c->key) < 0)
		w->authorization = NULL;
	if (!w->url || !w->authorization)
		return hy_fail(f, HY_NO_MEMORY, "no memory");
	/* The address is the app's own word: it may be inside. */
	const struct hy_http_client_options o = {
		.loop = c->loop, .private_ok = true, .connections = 1, .ca_file = c->ca_file
	};
	return hy_http_client_open(&w->http, &o, f);
}

const struct door door_web = { open_web, close_web, pump };
