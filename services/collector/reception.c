#include "reception.h"
#include "view.h"

#include <math.h>
#include <stdlib.h>

/* ---- who asks, and how fast ---- */

static struct hy_api_key *allowed(struct hy_request *q, struct hy_api_key *key, bool named)
{
	if (!key) {
		hy_http_add_header(q, "WWW-Authenticate", "Bearer realm=\"huiyin\"");
		hy_http_problem(q, 401, "unauthorized",
			named ? "This key is not known here." : "A key is needed: Authorization: Bearer hy_...", NULL);
	} else if (!key->may_feedback) {
		hy_http_problem(q, 403, "forbidden", "This key may not send feedback.", NULL);
		key = NULL;
	}
	return key;
}

struct hy_api_key *reception_key(struct collector *c, struct hy_request *q)
{
	const char *said = hy_http_header(q, "Authorization");
	return allowed(q, hy_keys_find(hy_daemon_keys(c->daemon), said), said != NULL);
}

struct hy_api_key *reception_key_text(struct collector *c, struct hy_request *q, struct hy_bytes text)
{
	return allowed(q, hy_keys_find_text(hy_daemon_keys(c->daemon), text), text.size > 0);
}

static void retry_after(struct hy_request *q, int64_t ms)
{
	char text[24];
	snprintf(text, sizeof(text), "%" PRId64, ms < 1000 ? 1 : (ms + 999) / 1000);
	hy_http_add_header(q, "Retry-After", text);
}

bool reception_rate(struct hy_request *q, struct hy_api_key *key, size_t items)
{
	int64_t wait = hy_api_key_spend(key, items);
	if (key->rate > 0) { /* draft-ietf-httpapi-ratelimit-headers */
		char text[64];
		snprintf(text, sizeof(text), "\"ingest\";q=%.0f;w=1", ceil(key->rate));
		hy_http_add_header(q, "RateLimit-Policy", text);
		snprintf(text, sizeof(text), "\"ingest\";r=%.0f;t=%" PRId64, wait ? 0 : floor(key->tokens),
			(wait + 999) / 1000);
		hy_http_add_header(q, "RateLimit", text);
	}
	if (wait == 0)
		return true;
	retry_after(q, wait);
	hy_http_problem(q, 429, "rate", "This key sends faster than its rate allows.", NULL);
	return false;
}

void reception_busy(struct hy_request *q, int err)
{
	retry_after(q, err == HY_FULL ? 5000 : 1000);
	hy_http_problem(q, 503, hy_err_name(err),
		err == HY_FULL ? "The store is full; nothing was kept. Try again later."
			       : "Too much is waiting; nothing was kept. Try again.",
		NULL);
}

/* ---- answers ---- */

void reception_reply(struct hy_request *q, int status, json_t *j)
{
	char *text = json_dumps(j, JSON_COMPACT);
	json_decref(j);
	hy_http_reply(q, status, "application/json", hy_bytes_text(text ? text : "{}"));
	free(text);
}

void reception_problem(struct hy_request *q, int status, const char *name, const char *detail, json_t *errors)
{
	char *text = errors ? json_dumps(errors, JSON_COMPACT) : NULL;
	hy_http_problem(q, status, name, detail, text);
	free(text);
}

/* ---- the body, and handing it in ---- */

const struct hy_json *reception_json(struct collector *c, struct hy_request *q)
{
	const struct hy_json *root;
	struct hy_fault f = { 0 };
	if (hy_http_body(q).size == 0) {
		hy_http_problem(q, 400, "json", "The body is empty.", NULL);
		return NULL;
	}
	if (hy_json_read(c->json, hy_http_body(q), &root, &f) != HY_OK) {
		hy_http_problem(q, 400, "json", f.text, NULL);
		return NULL;
	}
	return root;
}

struct submission *reception_begin(
	struct collector *c, struct hy_request *q, const struct hy_api_key *key, size_t count)
{
	struct submission *s = submission_new(c, q, count);
	if (!s) {
		reception_busy(q, HY_BUSY);
		return NULL;
	}
	s->project = key->project;
	s->key_number = key->number;
	s->scope = key->scope;
	return s;
}

static int find_feedback(void *arg, struct hy_id feedback, const uint8_t *person, struct hy_id *ticket)
{
	struct reception_finder *f = arg;
	struct hy_arena *a = hy_arena_new(0);
	struct hy_txn *t = hy_txn_begin(hy_daemon_store(f->collector->daemon), HY_READ);
	int err = view_find(t, a, feedback, f->key_number, person, ticket);
	hy_txn_abort(&t);
	hy_arena_free(&a);
	return err;
}

struct intake reception_intake(const struct submission *s, struct reception_finder *finder)
{
	struct collector *c = s->collector;
	*finder = (struct reception_finder){ c, s->key_number };
	return (struct intake){
		.contact_key = &c->contact_key,
		.follow_up_key = &c->follow_up_key,
		.project = s->project,
		.key_number = s->key_number,
		.now_ms = hy_now_ms(),
		.arena = s->arena,
		.find = find_feedback,
		.arg = finder,
	};
}

void reception_finish(struct submission *s)
{
	struct hy_request *q = s->request;
	size_t good = 0;
	for (size_t i = 0; i < s->count; i++)
		good += s->items[i].ok;
	if (good == 0) {
		s->answer(s, HY_OK);
		return;
	}
	int err = accept_submit(s);
	if (err) {
		submission_free(&s);
		reception_busy(q, err);
		return;
	}
	hy_http_later(q);
}
