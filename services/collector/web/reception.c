#include "reception.h"
#include "strangers.h"
#include "collector/view.h"

#include <math.h>
#include <stdlib.h>
#include <strings.h>

#define IDEMPOTENCY_MAX 200 /* characters, as of an id */

/* ---- who asks, and how fast ---- */

bool reception_guesses(struct collector *c, struct hy_request *q)
{
	int64_t wait = strangers_wrong(c->strangers, hy_http_peer(q), hy_mono_ms());
	if (wait == 0)
		return false;
	hy_http_add_header(q, "Connection", "close"); /* the next guess costs a connection */
	reception_later(q, 429, "strangers", "Too many unknown keys from this address.", wait);
	return true;
}

static struct hy_api_key *unknown(struct collector *c, struct hy_request *q, bool named)
{
	if (named && reception_guesses(c, q))
		return NULL;
	hy_http_add_header(q, "WWW-Authenticate", "Bearer realm=\"huiyin\"");
	hy_http_problem(q, 401, "unauthorized",
		named ? "This key is not known here." : "A key is needed: Authorization: Bearer hy_...", NULL);
	return NULL;
}

static struct hy_api_key *allowed(struct collector *c, struct hy_request *q, struct hy_api_key *key, bool named)
{
	if (!key)
		return unknown(c, q, named);
	if (key->may_feedback)
		return key;
	hy_http_problem(q, 403, "forbidden", "This key may not send feedback.", NULL);
	return NULL;
}

struct hy_api_key *reception_key(struct collector *c, struct hy_request *q)
{
	const char *said = hy_http_header(q, "Authorization");
	return allowed(c, q, hy_keys_find(hy_daemon_keys(c->daemon), said), said != NULL);
}

struct hy_api_key *reception_key_text(struct collector *c, struct hy_request *q, struct hy_bytes text)
{
	return allowed(c, q, hy_keys_find_text(hy_daemon_keys(c->daemon), text), text.size > 0);
}

void reception_retry_after(struct hy_request *q, int64_t ms)
{
	char text[24];
	snprintf(text, sizeof(text), "%" PRId64, ms < 1000 ? 1 : (ms + 999) / 1000);
	hy_http_add_header(q, "Retry-After", text);
}

void reception_later(struct hy_request *q, int status, const char *name, const char *detail, int64_t wait_ms)
{
	reception_retry_after(q, wait_ms);
	hy_http_problem(q, status, name, detail, NULL);
}

void reception_tell_rate(struct hy_request *q, const struct hy_api_key *key, int64_t wait_ms)
{
	char text[64];
	if (key->rate <= 0)
		return;
	snprintf(text, sizeof(text), "\"ingest\";q=%.0f;w=1",
		ceil(key->rate)); /* draft-ietf-httpapi-ratelimit-headers */
	hy_http_add_header(q, "RateLimit-Policy", text);
	snprintf(text, sizeof(text), "\"ingest\";r=%.0f;t=%" PRId64, wait_ms ? 0 : floor(key->tokens),
		(wait_ms + 999) / 1000);
	hy_http_add_header(q, "RateLimit", text);
}

static bool fits(struct hy_request *q, const struct hy_api_key *key, int64_t wait_ms)
{
	if (wait_ms == 0)
		return true;
	reception_tell_rate(q, key, wait_ms);
	reception_later(q, 429, "rate", "This key sends faster than its rate allows.", wait_ms);
	return false;
}

bool reception_rate(struct hy_request *q, struct hy_api_key *key, size_t items)
{
	if (!fits(q, key, hy_api_key_spend(key, items)))
		return false;
	reception_tell_rate(q, key, 0);
	return true;
}

/* ---- what comes, before it does ---- */

bool reception_is(const struct hy_request *q, const char *type)
{
	const char *said = hy_http_header(q, "Content-Type");
	size_t size = strlen(type);
	return said && strncasecmp(said, type, size) == 0 && (said[size] == 0 || strchr("; \t", said[size]));
}

bool reception_takes(struct hy_request *q, const char *const *types)
{
	char list[256] = "", detail[320];
	const char *said = hy_http_header(q, "Content-Type");
	bool taken = !said || !said[0];
	for (const char *const *t = types; *t && !taken; t++) {
		size_t at = strlen(list);
		taken = reception_is(q, *t);
		snprintf(list + at, sizeof(list) - at, "%s%s", at ? ", " : "", *t);
	}
	if (taken)
		return true;
	hy_http_add_header(q, "Accept-Post", list);
	snprintf(detail, sizeof(detail), "The body's Content-Type is not taken here; it may be %s.", list);
	hy_http_problem(q, 415, "media-type", detail, NULL);
	return false;
}

struct hy_api_key *reception_admit(struct collector *c, struct hy_request *q, const char *const *types)
{
	struct hy_api_key *key = reception_key(c, q);
	if (!key || !reception_takes(q, types))
		return NULL;
	return fits(q, key, hy_api_key_wait(key)) ? key : NULL; /* what it costs is known when the body is */
}

void reception_head(struct hy_request *q, void *collector)
{
	static const char *const types[] = { "application/json", NULL };
	reception_admit(collector, q, types);
}

bool reception_in_chinese(const struct hy_request *q)
{
	const char *link = hy_http_query(q, "l"), *browser = hy_http_header(q, "Accept-Language");
	return link ? strcmp(link, "zh") == 0 : browser && strncasecmp(browser, "zh", 2) == 0;
}

/* ---- answers ---- */

void reception_busy(struct hy_request *q, int err)
{
	if (err == HY_FULL)
		reception_later(q, 503, "full", "The store is full; nothing was kept. Try again later.", 5000);
	else
		reception_later(q, 503, "busy", "Too much is waiting; nothing was kept. Try again.", 1000);
}

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

const struct hy_json *reception_json_under(struct collector *c, struct hy_request *q, struct hy_api_key *key)
{
	if (!fits(q, key, hy_api_key_wait(key)))
		return NULL;
	const struct hy_json *root = reception_json(c, q);
	if (!root)
		hy_api_key_spend(key, 1);
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

/* draft-ietf-httpapi-idempotency-key-header: a text in double quotes (RFC 8941); bare, as most send it, is taken too. */
static bool read_idempotency(const char *said, char out[static IDEMPOTENCY_MAX + 1])
{
	size_t n = 0;
	bool quoted = *said == '"';
	said += quoted;
	for (; *said && !(quoted && *said == '"'); said++) {
		if (quoted && *said == '\\' && (said[1] == '"' || said[1] == '\\'))
			said++;
		else if (*said == '\\' || *said == '"')
			return false;
		if (*said < (quoted ? ' ' : '!') || *said > '~' || n == IDEMPOTENCY_MAX)
			return false;
		out[n++] = *said;
	}
	if (quoted && *said++ != '"')
		return false;
	out[n] = 0;
	return n > 0 && *said == 0;
}

bool reception_idempotency(struct submission **sub)
{
	struct submission *s = *sub;
	char id[IDEMPOTENCY_MAX + 1];
	const char *said = hy_http_header(s->request, "Idempotency-Key");
	if (!said)
		return true;
	if (!read_idempotency(said, id)) {
		hy_http_problem(s->request, 400, "idempotency-key",
			"An Idempotency-Key is 1 to 200 printable ASCII characters, bare (without spaces) or in double "
			"quotes.",
			NULL);
		submission_free(sub);
		return false;
	}
	if (s->items[0].ok && !s->items[0].has_client_id) {
		const char *copy = hy_arena_text(s->arena, hy_bytes_text(id));
		if (!copy) { /* kept without it, what is sent again would be entered twice */
			reception_busy(s->request, HY_BUSY);
			submission_free(sub);
			return false;
		}
		s->items[0].client_id = hy_bytes_text(copy);
		s->items[0].has_client_id = s->by_header = true;
	}
	return true;
}

void reception_finish(struct submission *s)
{
	struct hy_request *q = s->request;
	size_t good = 0;
	for (size_t i = 0; i < s->count; i++)
		good += s->items[i].ok;
	if (good == 0) {
		hy_count(s->collector->daemon, "rejected_total", (int64_t)s->count);
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
