#include "sentry.h"
#include "mapped.h"
#include "collector/web/reception.h"

#include <math.h>
#include <sodium.h>
#include <stdlib.h>

/* ---- items ---- */

/* Seconds with a fraction, or RFC 3339. */
static int64_t time_of(const struct hy_json *v)
{
	int64_t ms;
	if (v && v->type == HY_JSON_NUMBER && v->number > 0 && v->number < 1e11)
		return (int64_t)floor(v->number * 1000);
	return v && v->type == HY_JSON_TEXT && hy_time_parse((const char *)v->text.data, &ms) ? ms : 0;
}

static void note_feedback(struct mapped *m, const struct hy_json *root)
{
	static const char *const places[][2] = {
		{ "url", "/contexts/feedback/url" },
		{ "source", "/contexts/feedback/source" },
		{ "associated_event_id", "/contexts/feedback/associated_event_id" },
		{ "trace_id", "/contexts/trace/trace_id" },
		{ "environment", "/environment" },
		{ "release", "/release" },
		{ "platform", "/platform" },
	};
	static const char *const not_theirs[] = { "ip_address", NULL };
	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		const struct hy_json *v = map_at(root, places[i][1]);
		if (v && v->type == HY_JSON_TEXT)
			map_note(m, places[i][0], intake_value_text(m->in, v));
	}
	map_members(m, "tags.", hy_json_get(root, "tags"), NULL);
	map_traits(m, hy_json_get(root, "user"), not_theirs);
}

/* A report's event_id is the error's that it speaks of, which may have several. */
static void report_id(const char *event_id, const char *words, char out[static 96])
{
	uint8_t hash[16];
	crypto_generichash(hash, sizeof(hash), (const uint8_t *)words, strlen(words), NULL, 0);
	int n = snprintf(out, 63, "%.60s-", event_id);
	hy_hex(hash, sizeof(hash), out + n);
}

/* Its own id, else the envelope's: that can be the first item's alone, or the second would pass for the first sent again. */
static const char *id_of(
	const struct sentry_envelope *e, size_t index, const struct hy_json *root, char room[static 96])
{
	const char *own = hy_json_text(root, "event_id", "");
	if (own[0] || !e->event_id[0] || index == 0)
		return own[0] ? own : e->event_id;
	snprintf(room, 96, "%s-%zu", e->event_id, index);
	return room;
}

void sentry_item(const struct intake *in, const struct map_door *door, const struct sentry_envelope *e, size_t index,
	const struct hy_json *root, struct item *out)
{
	struct mapped m;
	char id[96], room[96];
	map_fill(&m, in, door, NULL, root, out);
	if (e->items[index].type == SENTRY_REPORT) {
		const char *event_id = hy_json_text(root, "event_id", e->event_id);
		report_id(event_id, m.item.text, id);
		map_note(&m, "associated_event_id", event_id);
		map_finish(&m, id);
		return;
	}
	note_feedback(&m, root);
	map_time(&m, time_of(hy_json_get(root, "timestamp")), e->sent_ms);
	map_finish(&m, id_of(e, index, root, room));
}

/* ---- who sends ---- */

struct visit {
	struct sentry_envelope envelope;
	char key[65]; /* "" = the envelope's own */
};

static void visit_free(struct collector *c, struct visit **v)
{
	if (*v) {
		c->batch_room += (int64_t)(*v)->envelope.held;
		sentry_envelope_free(&(*v)->envelope);
	}
	free(*v);
	*v = NULL;
}

/* From the query, or from "Sentry sentry_version=7, sentry_key=..., ...". */
static void read_key(const struct hy_request *q, char out[static 65])
{
	const char *key = hy_http_query(q, "sentry_key"), *header = hy_http_header(q, "X-Sentry-Auth");
	if (!key && header && (key = strstr(header, "sentry_key=")))
		key += strlen("sentry_key=");
	size_t size = key ? strcspn(key, ", ") : 0;
	snprintf(out, 65, "%.*s", (int)(size < 65 ? size : 0), key ? key : "");
}

/* SDKs expect 403 where others are told 401. */
static struct hy_api_key *key_of(struct collector *c, struct hy_request *q, const char *text)
{
	struct hy_api_key *key = hy_keys_find_text(hy_daemon_keys(c->daemon), hy_bytes_text(text));
	char project[16] = "";
	if (!key && text[0] && reception_guesses(c, q))
		return NULL;
	if (key)
		snprintf(project, sizeof(project), "%u", key->project);
	if (key && key->may_feedback && strcmp(hy_http_param(q, "project"), project) == 0)
		return key;
	hy_http_problem(q, 403, "forbidden",
		!key                 ? "This key is not known here: the DSN is https://KEY@HOST/PROJECT."
		: !key->may_feedback ? "This key may not send feedback."
				     : "This key is of another project: its number is the last part of the DSN.",
		NULL);
	return NULL;
}

/* ---- the envelope, as it comes ---- */

/* Whose it is, as soon as that can be told: a stranger's items are not held until all of them have come. */
static bool is_known(struct collector *c, struct hy_request *q, struct visit *v)
{
	if (v->key[0] || !v->envelope.begun)
		return true;
	memcpy(v->key, v->envelope.key, sizeof(v->key));
	return key_of(c, q, v->key) != NULL;
}

static bool on_piece(struct hy_request *q, struct hy_bytes bytes, void *arg)
{
	struct collector *c = arg;
	struct visit *v = hy_http_note(q);
	struct hy_fault f;
	size_t before = v->envelope.held;
	int err = sentry_envelope_put(&v->envelope, bytes, &f);
	c->batch_room -= (int64_t)(v->envelope.held - before);
	if (err == HY_OK && c->batch_room < 0)
		err = HY_NO_MEMORY;
	if (err == HY_NO_MEMORY)
		reception_busy(q, HY_BUSY);
	else if (err)
		hy_http_problem(q, err == HY_TOO_LARGE ? 413 : 400, "envelope", f.text, NULL);
	if (err == HY_OK && is_known(c, q, v))
		return true;
	visit_free(c, &v); /* what is still to come is thrown away, for up to two minutes */
	hy_http_set_note(q, NULL);
	return false;
}

void sentry_head(struct hy_request *q, void *arg)
{
	struct collector *c = arg;
	char key[65];
	read_key(q, key);
	if (key[0] && !key_of(c, q, key))
		return;
	struct visit *v = calloc(1, sizeof(*v));
	if (!v) {
		reception_busy(q, HY_BUSY);
		return;
	}
	sentry_envelope_init(&v->envelope, c->json);
	memcpy(v->key, key, sizeof(key));
	hy_http_set_note(q, v);
	hy_http_stream(q, SENTRY_BODY_MAX, on_piece);
}

void sentry_dropped(struct hy_request *q, void *arg)
{
	struct visit *v = hy_http_note(q);
	visit_free(arg, &v);
}

/* ---- keeping and answering ---- */

static void reply(struct hy_request *q, const char *id)
{
	reception_reply(q, 200, json_pack("{s:s}", "id", id));
}

static void answer(struct submission *s, int err)
{
	json_t *errors = NULL;
	size_t bad = 0, conflicts = 0;
	for (size_t i = 0; i < s->count; i++) {
		conflicts += s->items[i].ok && s->fates[i] == FATE_CONFLICT;
		bad += !s->items[i].ok;
		errors = errors ? errors : s->items[i].errors;
	}
	if (err)
		reception_busy(s->request, err == HY_FULL ? HY_FULL : HY_BUSY);
	else if (bad + conflicts == s->count)
		reception_problem(s->request, 400, "invalid",
			conflicts ? "An event_id came before, by another door." : "This feedback can't be used.",
			errors);
	else
		reply(s->request, s->note);
	submission_free(&s);
}

static bool has_rate(struct hy_request *q, struct hy_api_key *key, size_t items)
{
	int64_t wait = hy_api_key_spend(key, items);
	char limits[64];
	if (wait == 0)
		return true;
	snprintf(limits, sizeof(limits), "%" PRId64 ":feedback:organization", (wait + 999) / 1000);
	hy_http_add_header(q, "X-Sentry-Rate-Limits", limits);
	hy_http_add_header(q, "Access-Control-Expose-Headers",
		"X-Sentry-Rate-Limits"); /* for SDKs in browsers; the server adds its own */
	reception_tell_rate(q, key, wait);
	reception_later(q, 429, "rate", "This key sends faster than its rate allows.", wait);
	return false;
}

static void take(struct collector *c, struct hy_request *q, const struct sentry_envelope *e, struct hy_api_key *key)
{
	struct submission *s = has_rate(q, key, e->count) ? reception_begin(c, q, key, e->count) : NULL;
	struct reception_finder finder;
	if (!s)
		return;
	struct intake in = reception_intake(s, &finder);
	const char *said = e->event_id; /* what the answer names */
	for (size_t i = 0; i < e->count; i++) {
		const struct hy_json *root;
		struct hy_fault f;
		if (hy_json_read_copy(c->json, hy_buffer_view(&e->items[i].payload), &root, &f) != HY_OK) {
			intake_fault(&s->items[i], "", f.text);
			continue;
		}
		if (!said[0])
			said = hy_arena_text(s->arena, hy_bytes_text(hy_json_text(root, "event_id", "")));
		if (!said)
			said = "";
		sentry_item(&in, &c->mapping->sentry, e, i, root, &s->items[i]);
	}
	s->note = hy_arena_text(s->arena, hy_bytes_text(said));
	s->answer = answer;
	reception_finish(s);
}

void sentry_post(struct hy_request *q, void *arg)
{
	struct collector *c = arg;
	struct visit *v = hy_http_note(q);
	struct hy_fault f;
	hy_http_set_note(q, NULL);
	int err = sentry_envelope_end(&v->envelope, &f);
	struct hy_api_key *key = NULL;
	if (err)
		hy_http_problem(q, 400, "envelope", f.text, NULL);
	else
		key = key_of(c, q, v->key[0] ? v->key : v->envelope.key);
	if (key && v->envelope.count)
		take(c, q, &v->envelope, key);
	else if (key)
		reply(q, v->envelope.event_id);
	visit_free(c, &v);
}
