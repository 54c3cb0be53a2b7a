#include "collector.h"
#include "collector_rows.pb-c.h"
#include "dedupe.h"
#include "collector/door/door.h"
#include "keep.h"
#include "collector/compat/mapping.h"
#include "collector/web/page.h"
#include "collector/web/routes.h"
#include "view.h"

static const struct hy_conf_row conf[] = {
	{ "http.listen", HY_CONF_TEXT, "127.0.0.1:8080",
		"Where the collector listens for HTTP; put a proxy with TLS in front of it before the world may see it",
		NULL, 0, 0 },
	{ "http.origins", HY_CONF_LIST, "*",
		"Whose web pages may send feedback from a browser, as https://app.example; * = all: keys are no "
		"cookies",
		NULL, 0, 0 },
	{ "http.tls.certificate", HY_CONF_TEXT, "",
		"Certificate chain (PEM), relative to the installation: TLS without a proxy; empty = plain HTTP", NULL,
		0, 0 },
	{ "http.tls.key", HY_CONF_TEXT, "", "Its private key (PEM)", NULL, 0, 0 },
	{ "limits.body", HY_CONF_BYTES, "256KiB", "Largest body of a request, and largest line of NDJSON", NULL, 1024,
		(int64_t)8 << 20 },
	{ "limits.ndjson", HY_CONF_BYTES, "8MiB", "Largest body of lines (NDJSON), which is read as it comes", NULL,
		1024, (int64_t)1 << 30 },
	{ "limits.connections", HY_CONF_INT, "4096", "Connections in all", NULL, 1, 100000 },
	{ "limits.per_address", HY_CONF_INT, "32", "Connections of one address (loopback and trusted proxies: 2,048)",
		NULL, 1, 100000 },
	{ "limits.trusted_proxies", HY_CONF_LIST, "", "Addresses whose X-Forwarded-For counts", NULL, 0, 0 },
	{ "limits.requests", HY_CONF_INT, "10000", "Requests of one connection", NULL, 1, 1000000000 },
	{ "dedupe.window", HY_CONF_DURATION, "7d",
		"How long a client's own id is remembered: sent again within it, a feedback is entered once", NULL, 0,
		0 },
	{ "dedupe.ids", HY_CONF_INT, "4000000", "How many of them at most; the oldest are forgotten first", NULL, 1000,
		1000000000 },
	{ "door.listen", HY_CONF_TEXT, "tcp://127.0.0.1:5570",
		"Where the collector listens for apps that stream over ZeroMQ; \"\" = nowhere", NULL, 0, 0 },
	{ "door.curve", HY_CONF_WORD, "auto",
		"Encryption of that door: auto = exactly where the address is not loopback; then only apps whose "
		"public key stands in `keys` come in",
		"auto|always", 0, 0 },
	{ "door.forget", HY_CONF_DURATION, "30d",
		"How long the numbers of a client that sends nothing are remembered; after it they begin anew", NULL,
		60000, INT64_C(315360000000) },
	{ "mapping", HY_CONF_TREE, NULL,
		"Which events of other systems are feedback, and where in them the words stand: segment {events: "
		"[{event, kind, "
		"scale, score, text}], other, channel}, cloudevents {types: [{type, ...}], channel}, sentry {channel}",
		NULL, 0, 0 },
	{ 0 },
};

static int configure(struct hy_daemon *d, void *self)
{
	struct collector *c = self;
	c->daemon = d;
	mapping_free(&c->mapping);
	mapping_read(&c->mapping, hy_daemon_conf(d));
	return HY_OK;
}

static int open_collector(struct hy_daemon *d, void *self, struct hy_fault *f)
{
	struct collector *c = self;
	const struct hy_conf *settings = hy_daemon_conf(d);
	int err = hy_daemon_secret(d, "contact.key", &c->contact_key, f);
	if (err == HY_OK)
		err = hy_daemon_secret(d, "follow-up.key", &c->follow_up_key, f);
	if (err)
		return err;
	err = dedupe_open(&c->dedupe, hy_daemon_store(d), (size_t)hy_conf_int(settings, "dedupe.ids"),
		hy_conf_int(settings, "dedupe.window"));
	return err ? hy_fail(f, err, "no memory for dedupe.ids = %" PRId64, hy_conf_int(settings, "dedupe.ids"))
		   : keep_begin(d);
}

static int serve(struct hy_daemon *d, struct hy_loop *server, void *self, struct hy_fault *f)
{
	struct collector *c = self;
	c->json = hy_json_reader_new();
	int err = page_open(&c->page, d, f);
	if (err == HY_OK)
		err = routes_open(c, server, f);
	return err ? err : door_open(c, server, f);
}

static void serve_stop(struct hy_daemon *d, void *self)
{
	struct collector *c = self;
	(void)d;
	door_stop(c);
	routes_close(c);
	page_close(&c->page);
	hy_json_reader_free(&c->json);
}

static void close_collector(struct hy_daemon *d, void *self)
{
	struct collector *c = self;
	(void)d;
	door_close(c);
	dedupe_close(&c->dedupe);
	mapping_free(&c->mapping);
}

static void health(struct hy_daemon *d, json_t *into, void *self)
{
	struct collector *c = self;
	(void)d;
	if (c->dedupe)
		json_object_set_new(into, "dedupe",
			json_pack("{s:I, s:I}", "ids", (json_int_t)dedupe_count(c->dedupe), "overflowed",
				(json_int_t)dedupe_overflowed(c->dedupe)));
	json_object_set_new(into, "door", json_pack("{s:I}", "clients", (json_int_t)door_clients(c)));
}

/* What was accepted up to now, by count and by last id: the bound of `huiyin audit`. */
static int run_audit(struct hy_step *s, struct hy_ask *a, void *self)
{
	struct hy_bytes id;
	char upto[HY_ID_TEXT] = "";
	(void)self;
	if (hy_txn_get(s->txn, "last", HY_LIT("feedback"), &id) == HY_OK)
		hy_id_text(hy_id_from(id), upto);
	json_t *health = hy_daemon_health(s->daemon);
	hy_ask_answer(a, json_pack("{s:I, s:s, s:I}", "accepted",
				 json_integer_value(json_object_get(json_object_get(health, "feedback"), "emitted")),
				 "upto", upto, "head", (json_int_t)hy_stream_state(hy_daemon_output(s->daemon)).head));
	json_decref(health);
	return HY_OK;
}

static int run_trace(struct hy_step *s, struct hy_ask *a, void *self)
{
	struct hy_id id;
	(void)self;
	if (!hy_id_parse(hy_ask_text(a, "id"), &id))
		return hy_ask_fault(a, HY_BAD_INPUT, "'%s' is not the ID of a feedback; `huiyin tail` shows the latest",
			hy_ask_text(a, "id"));
	json_t *j = view_json(s->txn, s->arena, id, 0);
	if (!j)
		return hy_ask_fault(a, HY_NOT_FOUND, "no feedback %s here", hy_ask_text(a, "id"));
	hy_ask_answer(a, j);
	return HY_OK;
}

static const char *const tables[] = { "view", "public", "told", "answer", "dedupe", "last", "keep", "door", NULL };
static const char *const readers[] = { "classifier", NULL };
static const struct hy_input inputs[] = {
	{ "ticket", "router", collector_on_ticket, true, NULL, 1 << HY_FIELD_ROUTED | 1 << HY_FIELD_TICKET },
	{ "delivery", "notifier", collector_on_delivery, true, NULL, 0 },
	{ 0 },
};
static const struct hy_timer timers[] = { { "keep", collector_on_keep }, { 0 } };
static const struct hy_command commands[] = {
	{ "audit", "feedback accepted up to now", false, run_audit },
	{ "trace", "where a feedback is in the loop: id", false, run_trace },
	{ 0 },
};

const struct hy_service collector_service = {
	.name = "collector",
	.summary = "feedback in over HTTP and ZeroMQ, kept and passed on",
	.version = 1,
	.conf = conf,
	.tables = tables,
	.inputs = inputs,
	.output = "feedback",
	.readers = readers,
	.timers = timers,
	.commands = commands,
	.configure = configure,
	.open = open_collector,
	.serve = serve,
	.serve_stop = serve_stop,
	.health = health,
	.close = close_collector,
};
