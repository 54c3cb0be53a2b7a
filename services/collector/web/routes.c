#include "routes.h"
#include "answer.h"
#include "batch.h"
#include "collector/compat/cloudevents.h"
#include "collector/dedupe.h"
#include "manual.h"
#include "page.h"
#include "collector/compat/segment.h"
#include "collector/compat/sentry.h"
#include "strangers.h"
#include "collector/view.h"

#include <stdlib.h>

#define ARRAY_MAX 5000

/* ---- POST /v1/feedback ---- */

static const char *const lines[] = { "application/x-ndjson", "application/ndjson", "application/jsonl", NULL };
static const char *const taken[] = { "application/json", "application/x-ndjson", "application/ndjson",
	"application/jsonl", NULL };

static void idempotency_misplaced(struct hy_request *q)
{
	hy_http_problem(q, 400, "idempotency-key",
		"Idempotency-Key works for a single object; of several, give each its own id.", NULL);
}

static void head_feedback(struct hy_request *q, void *arg)
{
	struct collector *c = arg;
	bool several = false;
	const struct hy_api_key *key = reception_admit(c, q, taken);
	if (!key)
		return;
	for (const char *const *t = lines; *t; t++)
		several |= reception_is(q, *t);
	if (several && hy_http_header(q, "Idempotency-Key"))
		idempotency_misplaced(q);
	else if (several)
		batch_begin(c, q, key);
}

static void dropped_feedback(struct hy_request *q, void *arg)
{
	(void)arg;
	batch_dropped(q);
}

static void post_feedback(struct hy_request *q, void *arg)
{
	struct collector *c = arg;
	if (hy_http_note(q)) {
		batch_end(q);
		return;
	}
	struct hy_api_key *key = reception_key(c, q);
	const struct hy_json *root = key ? reception_json_under(c, q, key) : NULL;
	if (!root)
		return;
	bool array = root->type == HY_JSON_ARRAY;
	size_t count = array ? root->count : 1;
	if (count == 0 || count > ARRAY_MAX) {
		hy_http_problem(q, 422, "invalid",
			count ? "More than 5,000 items in one array; send lines, application/x-ndjson, for more."
			      : "The array is empty.",
			NULL);
		return;
	}
	if (array && hy_http_header(q, "Idempotency-Key")) {
		idempotency_misplaced(q);
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
	s->single = !array;
	s->answer = answer_items;
	if (array || reception_idempotency(&s))
		reception_finish(s);
}

/* ---- POST /v1/preferences ---- */

static void post_preferences(struct hy_request *q, void *arg)
{
	struct collector *c = arg;
	struct hy_api_key *key = reception_key(c, q);
	const struct hy_json *root = key ? reception_json_under(c, q, key) : NULL;
	struct submission *s = root && reception_rate(q, key, 1) ? reception_begin(c, q, key, 1) : NULL;
	if (!s)
		return;
	struct reception_finder finder;
	struct intake in = reception_intake(s, &finder);
	intake_preferences(&in, root, &s->items[0]);
	s->single = true;
	s->answer = answer_items;
	if (reception_idempotency(&s))
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
		hy_http_problem(q, 404, "not-found", "No feedback with this ID.", NULL);
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

#define INTAKE .head = reception_head, .inflate = true, .cors = true
static const struct hy_route routes[] = {
	{ "POST", "/v1/feedback", 0, post_feedback, head_feedback, dropped_feedback, .inflate = true, .cors = true },
	{ "GET", "/v1/feedback/{id}", 0, get_feedback, .cors = true },
	{ "POST", "/v1/preferences", 0, post_preferences, INTAKE },
	SEGMENT_ROUTES,
	SENTRY_ROUTES,
	CLOUDEVENTS_ROUTES,
	{ "GET", "/r/{token}", 0, page_get },
	{ "POST", "/r/{token}", 32768, page_post },
	{ "GET", "/openapi.yaml", 0, manual_openapi, .cors = true },
	{ "GET", "/problems/{name}", 0, manual_problem, .cors = true },
	{ "GET", "/healthz", 0, get_healthz },
	{ "GET", "/readyz", 0, get_ready },
	{ "GET", "/metrics", 0, get_metrics },
	{ 0 },
};

/* A setting that names a file, as a whole path; NULL when it is empty. The caller frees. */
static char *path_of(const struct collector *c, const char *setting)
{
	const char *path = hy_conf_text(hy_daemon_conf(c->daemon), setting);
	if (!path[0])
		return NULL;
	return strdup(path[0] == '/' ? path : hy_daemon_path(c->daemon, path));
}

int routes_open(struct collector *c, struct hy_loop *server, struct hy_fault *f)
{
	const struct hy_conf *conf = hy_daemon_conf(c->daemon);
	static struct hy_route table[sizeof(routes) / sizeof(*routes)];
	memcpy(table, routes, sizeof(routes));
	for (size_t i = 0; table[i].method;
		i++) /* the largest body is the configuration's, except where the table knows better */
		if (strcmp(table[i].method, "POST") == 0 && table[i].body_max == 0)
			table[i].body_max = (size_t)hy_conf_int(conf, "limits.body");
	c->batch_room = BATCH_ROOM;
	c->strangers = strangers_new();
	if (!c->strangers)
		return hy_fail(f, HY_NO_MEMORY, "out of memory");
	char *certificate = path_of(c, "http.tls.certificate"), *key = path_of(c, "http.tls.key");
	struct hy_http_options o = { .loop = server,
		.listen = hy_conf_text(conf, "http.listen"),
		.listen_fd = hy_daemon_listen_fd(c->daemon, "http"),
		.routes = table,
		.arg = c,
		.connections = (int)hy_conf_int(conf, "limits.connections"),
		.per_address = (int)hy_conf_int(conf, "limits.per_address"),
		.trusted = hy_conf_list(conf, "limits.trusted_proxies"),
		.requests = (int)hy_conf_int(conf, "limits.requests"),
		.origins = hy_conf_list(conf, "http.origins"),
		.tls_certificate = certificate,
		.tls_key = key };
	int err = manual_open(&c->manual, f);
	if (err == HY_OK && !certificate != !key)
		err = hy_fail(f, HY_CONFIG, "http.tls.certificate and http.tls.key go together: both, or neither");
	if (err == HY_OK)
		err = hy_http_open(&c->http, &o, f);
	free(certificate);
	free(key);
	if (err == HY_OK)
		hy_info("http.listening", "address=%s port=%d",
			o.listen_fd > 0 ? "(from the service manager)" : o.listen, hy_http_port(c->http));
	return err;
}

void routes_close(struct collector *c)
{
	hy_http_close(&c->http);
	manual_close(&c->manual);
	strangers_free(&c->strangers);
}
