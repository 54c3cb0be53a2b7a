#include "routes.h"
#include "dedupe.h"
#include "page.h"
#include "reception.h"
#include "view.h"

#include <stdlib.h>

#define ARRAY_MAX 5000

/* ---- POST /v1/feedback ---- */

static json_t *conflict_errors(size_t index, bool single)
{
	char pointer[32];
	if (single)
		snprintf(pointer, sizeof(pointer), "/id");
	else
		snprintf(pointer, sizeof(pointer), "/%zu/id", index);
	return json_pack(
		"[{s:s, s:s}]", "pointer", pointer, "detail", "conflict: this id came before with other content");
}

static void answer_feedback(struct submission *s, int err)
{
	size_t accepted = 0, duplicates = 0;
	if (err) {
		reception_busy(s->request, err == HY_FULL ? HY_FULL : HY_BUSY);
		submission_free(&s);
		return;
	}
	json_t *rejected = json_array(), *ids = json_array();
	for (size_t i = 0; i < s->count; i++) {
		char id[HY_ID_TEXT];
		const struct item *item = &s->items[i];
		accepted += s->fates[i] == FATE_ACCEPTED;
		duplicates += s->fates[i] == FATE_DUPLICATE;
		if (s->fates[i] == FATE_ACCEPTED || s->fates[i] == FATE_DUPLICATE) {
			hy_id_text(s->ids[i], id);
			json_array_append_new(ids, json_string(id));
			continue;
		}
		json_array_append_new(ids, json_null());
		json_t *errors = item->ok ? conflict_errors(i, s->single) : json_incref(item->errors);
		json_array_append_new(rejected, json_pack("{s:I, s:o}", "index", (json_int_t)i, "errors", errors));
	}
	if (s->single && s->fates[0] == FATE_CONFLICT)
		reception_problem(s->request, 409, "conflict", "This id came before with other content.",
			json_object_get(json_array_get(rejected, 0), "errors"));
	else if (accepted + duplicates == 0)
		reception_problem(s->request, 422, "invalid", "Nothing in this request can be accepted.",
			s->single ? json_object_get(json_array_get(rejected, 0), "errors") : rejected);
	else {
		reception_reply(s->request, 202,
			json_pack("{s:I, s:I, s:O, s:O}", "accepted", (json_int_t)accepted, "duplicates",
				(json_int_t)duplicates, "rejected", rejected, "ids", ids));
	}
	json_decref(rejected);
	json_decref(ids);
	submission_free(&s);
}

static void post_feedback(struct hy_request *q, void *arg)
{
	struct collector *c = arg;
	struct hy_api_key *key = reception_key(c, q);
	const struct hy_json *root = key ? reception_json(c, q) : NULL;
	if (!root)
		return;
	bool array = root->type == HY_JSON_ARRAY;
	size_t count = array ? root->count : 1;
	if (count == 0 || count > ARRAY_MAX) {
		hy_http_problem(q, 422, "invalid",
			count ? "More than 5,000 items in one request." : "The array is empty.", NULL);
		return;
	}
	if (!reception_rate(q, key, count))
		return;
	struct submission *s = reception_begin(c, q, key, count);
	if (!s)
		return;
	struct reception_finder finder;
	struct intake in = reception_intake(s, &finder);
	const struct hy_json *object = array ? root->first : root;
	for (size_t i = 0; i < count; i++, object = object->next)
		intake_feedback(&in, object, &s->items[i]);
	const char *idempotency = hy_http_header(q, "Idempotency-Key");
	if (idempotency && !array && !s->items[0].has_client_id && s->items[0].ok) {
		s->items[0].client_id = hy_bytes_text(hy_arena_text(s->arena, hy_bytes_text(idempotency)));
		s->items[0].has_client_id = s->items[0].client_id.size > 0;
	}
	s->single = !array;
	s->answer = answer_feedback;
	reception_finish(s);
}

/* ---- POST /v1/identify ---- */

static void answer_identify(struct submission *s, int err)
{
	if (err)
		reception_busy(s->request, err == HY_FULL ? HY_FULL : HY_BUSY);
	else if (!s->items[0].ok)
		reception_problem(s->request, 400, "invalid", "This call can't be used.", s->items[0].errors);
	else
		reception_reply(s->request, 200, json_pack("{s:b}", "success", 1));
	submission_free(&s);
}

static void post_identify(struct hy_request *q, void *arg)
{
	struct collector *c = arg;
	struct hy_api_key *key = reception_key(c, q);
	const struct hy_json *root = key ? reception_json(c, q) : NULL;
	if (!root || !reception_rate(q, key, 1))
		return;
	struct submission *s = reception_begin(c, q, key, 1);
	if (!s)
		return;
	struct reception_finder finder;
	struct intake in = reception_intake(s, &finder);
	intake_identify(&in, root, &s->items[0]);
	s->single = true;
	s->answer = answer_identify;
	reception_finish(s);
}

/* ---- GET /v1/feedback/ID ---- */

static void get_feedback(struct hy_request *q, void *arg)
{
	struct collector *c = arg;
	struct hy_api_key *key = reception_key(c, q);
	struct hy_id id;
	json_t *j = NULL;
	if (!key)
		return;
	if (hy_id_parse(hy_http_param(q, "id"), &id)) {
		struct hy_arena *a = hy_arena_new(0);
		struct hy_txn *t = hy_txn_begin(hy_daemon_store(c->daemon), HY_READ);
		j = view_json(t, a, id, key->project);
		hy_txn_abort(&t);
		hy_arena_free(&a);
	}
	if (j)
		reception_reply(q, 200, j);
	else
		hy_http_problem(q, 404, "not_found", "No feedback with this ID.", NULL);
}

/* ---- how we are: health belongs to the writer thread, so the question goes there and back ---- */

struct question {
	struct hy_job job;
	struct collector *collector;
	struct hy_request *request;
	json_t *health;
	bool metrics;
};

static int run_question(struct hy_step *s, struct hy_job *job, void *self)
{
	struct question *w = (struct question *)job;
	(void)self;
	json_decref(w->health);
	w->health = hy_daemon_health(s->daemon);
	return HY_OK;
}

static void done_question(struct hy_job *job, int err, void *self)
{
	struct question *w = (struct question *)job;
	struct collector *c = self;
	const char *state = w->health ? json_string_value(json_object_get(w->health, "state")) : "busy";
	if (w->metrics && w->health) {
		struct hy_buffer text = { 0 };
		struct hy_http_counts n = hy_http_counts(c->http);
		metrics_text(w->health, &text);
		hy_buffer_printf(&text, "# HELP huiyin_http_requests_total Requests by the class of their answer\n# "
					"TYPE huiyin_http_requests_total counter\n");
		for (int i = 1; i < 6; i++)
			hy_buffer_printf(
				&text, "huiyin_http_requests_total{class=\"%dxx\"} %" PRIu64 "\n", i, n.status[i]);
		hy_buffer_printf(&text,
			"# HELP huiyin_http_connections Connections now\n# TYPE huiyin_http_connections "
			"gauge\nhuiyin_http_connections %d\n",
			n.connections);
		hy_http_reply(w->request, 200, "text/plain; version=0.0.4; charset=utf-8", hy_buffer_view(&text));
		hy_buffer_free(&text);
	} else {
		bool ready = err == HY_OK && state && strcmp(state, "ok") == 0;
		if (!ready)
			hy_http_add_header(w->request, "Retry-After", "5");
		reception_reply(w->request, ready ? 200 : 503,
			json_pack("{s:b, s:s}", "ready", ready, "state", state ? state : "busy"));
	}
	json_decref(w->health);
	free(w);
}

static void ask_writer(struct hy_request *q, struct collector *c, bool metrics)
{
	struct question *w = calloc(1, sizeof(*w));
	if (!w) {
		reception_busy(q, HY_BUSY);
		return;
	}
	*w = (struct question){
		.job = { .run = run_question, .done = done_question }, .collector = c, .request = q, .metrics = metrics
	};
	int err = hy_daemon_submit(c->daemon, &w->job);
	if (err) {
		free(w);
		reception_busy(q, err);
		return;
	}
	hy_http_later(q);
}

static void get_ready(struct hy_request *q, void *arg)
{
	ask_writer(q, arg, false);
}

static void get_metrics(struct hy_request *q, void *arg)
{
	ask_writer(q, arg, true);
}

static void get_healthz(struct hy_request *q, void *arg)
{
	(void)arg;
	hy_http_reply(q, 200, "text/plain; charset=utf-8", HY_LIT("ok\n"));
}

/* ---- */

static const struct hy_route routes[] = {
	{ "POST", "/v1/feedback", 0, post_feedback, NULL },
	{ "GET", "/v1/feedback/{id}", 0, get_feedback, NULL },
	{ "POST", "/v1/identify", 0, post_identify, NULL },
	{ "GET", "/r/{token}", 0, page_get, NULL },
	{ "POST", "/r/{token}", 32768, page_post, NULL },
	{ "GET", "/healthz", 0, get_healthz, NULL },
	{ "GET", "/readyz", 0, get_ready, NULL },
	{ "GET", "/metrics", 0, get_metrics, NULL },
	{ 0 },
};

int routes_open(struct collector *c, struct hy_loop *server, struct hy_fault *f)
{
	const struct hy_conf *conf = hy_daemon_conf(c->daemon);
	static struct hy_route table[sizeof(routes) / sizeof(*routes)];
	memcpy(table, routes, sizeof(routes));
	for (size_t i = 0; table[i].method;
		i++) /* the largest body is the configuration's, except where the table knows better */
		if (strcmp(table[i].method, "POST") == 0 && table[i].body_max == 0)
			table[i].body_max = (size_t)hy_conf_int(conf, "limits.body");
	struct hy_http_options o = { .loop = server,
		.listen = hy_conf_text(conf, "http.listen"),
		.routes = table,
		.arg = c,
		.connections = (int)hy_conf_int(conf, "limits.connections"),
		.per_address = (int)hy_conf_int(conf, "limits.per_address"),
		.trusted = hy_conf_list(conf, "limits.trusted_proxies"),
		.requests = (int)hy_conf_int(conf, "limits.requests") };
	int err = hy_http_open(&c->http, &o, f);
	if (err == HY_OK)
		hy_info("http.listening", "address=%s port=%d", o.listen, hy_http_port(c->http));
	return err;
}

void routes_close(struct collector *c)
{
	hy_http_close(&c->http);
}
