#include "classifier.h"

static const struct hy_conf_row conf[] = {
	{ "classifier.model", HY_CONF_TEXT, "", "The model file; empty = the one that came with the program", NULL, 0,
		0 },
	{ 0 },
};

/* ---- feedback ---- */

/* On a worker: everything that costs time. The result is packed here too, so that the step only copies. */
static void *prepare(const Huiyin__Envelope *in, const void *view, struct hy_arena *a, void *worker)
{
	if (!hy_is_feedback(in))
		return NULL;
	const Huiyin__Remark *r = in->feedback->remark;
	struct judge_input input = { .text = hy_bytes_text(r->text),
		.ratings = r->ratings,
		.rating_count = r->n_ratings,
		.project = in->project,
		.at_ms = hy_now_ms() };
	Huiyin__Classification c;
	judge_text(view, worker, &input, &c, a);
	struct hy_bytes *packed = hy_arena_get(a, sizeof(*packed));
	if (!packed)
		return NULL;
	*packed = hy_wire_pack_in(a, &c.base);
	return packed->data ? packed : NULL;
}

static int on_feedback(struct hy_step *s, void *self)
{
	const struct hy_bytes *packed = s->prepared;
	(void)self;
	if (!hy_is_feedback(s->in))
		return hy_step_pass(s);
	return packed ? hy_step_forward_packed(s, HY_FIELD_CLASSIFICATION, *packed) : HY_NO_MEMORY;
}

/* ---- corrections: kept by feedback and field, the last word counts ---- */

static int on_ticket(struct hy_step *s, void *self)
{
	const Huiyin__TicketEvent *e = s->in->ticket;
	(void)self;
	if (!e || e->kind != HUIYIN__TICKET_EVENT_KIND__CORRECTED || !e->correction)
		return HY_OK;
	struct hy_key k = { 0 };
	struct hy_buffer row = { 0 };
	hy_key_bytes(&k, e->correction->feedback.data, e->correction->feedback.len);
	hy_key_bytes(&k, e->correction->field, strnlen(e->correction->field, 32));
	int err = hy_wire_pack(&e->base, &row);
	if (err == HY_OK)
		err = hy_txn_put(s->txn, "correction", hy_key_view(&k), hy_buffer_view(&row));
	hy_buffer_free(&row);
	hy_count(s->daemon, "corrections_total", 1);
	return err;
}

/* ---- life ---- */

static int open_classifier(struct hy_daemon *d, void *self, struct hy_fault *f)
{
	struct classifier *c = self;
	const char *path = hy_conf_text(hy_daemon_conf(d), "classifier.model");
	int err = judge_open(&c->judge, path[0] ? path : NULL, f);
	if (err == HY_OK)
		hy_info("model.open", "version=%s", judge_model_version(c->judge));
	return err;
}

static const void *view(struct hy_daemon *d, void *self)
{
	(void)d;
	return ((struct classifier *)self)->judge;
}

static void *worker_open(void *self)
{
	(void)self;
	return judge_scratch_new();
}

static void worker_close(void *worker)
{
	struct judge_scratch *s = worker;
	judge_scratch_free(&s);
}

static void health(struct hy_daemon *d, json_t *into, void *self)
{
	struct classifier *c = self;
	(void)d;
	if (c->judge)
		json_object_set_new(into, "model", json_string(judge_model_version(c->judge)));
}

static void close_classifier(struct hy_daemon *d, void *self)
{
	(void)d;
	judge_close(&((struct classifier *)self)->judge);
}

static const char *const tables[] = { "correction", NULL };
static const char *const readers[] = { "router", NULL };
static const struct hy_input inputs[] = {
	{ "ticket", "router", on_ticket, true, NULL, 1 << HY_FIELD_TICKET },
	{ "feedback", "collector", on_feedback, false, prepare, 0 },
	{ 0 },
};

const struct hy_service classifier_service = {
	.name = "classifier",
	.summary = "feedback in, classifications out",
	.version = 1,
	.conf = conf,
	.tables = tables,
	.inputs = inputs,
	.output = "classification",
	.readers = readers,
	.open = open_classifier,
	.view = view,
	.worker_open = worker_open,
	.worker_close = worker_close,
	.health = health,
	.close = close_classifier,
};
