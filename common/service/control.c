/* The control socket: Ask in, Answer out, on the writer thread. A command that changes something runs in a transaction of its own which
 * also holds its answer under the command's id: asked again (the answer got lost, somebody pressed twice) it repeats the answer. */
#include "service/daemon.h"

#include <stdlib.h>
#include <unistd.h>

struct hy_ask {
	const Huiyin__Ask *ask;
	json_t *result;
	struct hy_fault fault;
};

const char *hy_ask_text(const struct hy_ask *a, const char *name)
{
	for (size_t i = 0; i < a->ask->n_arguments; i++)
		if (strcmp(a->ask->arguments[i]->name, name) == 0)
			return a->ask->arguments[i]->value;
	return "";
}

bool hy_ask_has(const struct hy_ask *a, const char *name)
{
	return hy_ask_text(a, name)[0] != 0;
}

int64_t hy_ask_int(const struct hy_ask *a, const char *name, int64_t otherwise)
{
	const char *text = hy_ask_text(a, name);
	char *end;
	long long v = strtoll(text, &end, 10);
	return *text && !*end ? v : otherwise;
}

struct hy_id hy_ask_id(const struct hy_ask *a)
{
	return HY_ID_FROM_PB(a->ask->id);
}

void hy_ask_answer(struct hy_ask *a, json_t *result)
{
	json_decref(a->result);
	a->result = result;
}

int hy_ask_fault(struct hy_ask *a, int err, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	a->fault.err = err;
	vsnprintf(a->fault.text, sizeof(a->fault.text), fmt, ap);
	va_end(ap);
	return err;
}

/* ---- commands every daemon has ---- */

static const char *const link_names[] = { [HY_LINK_DOWN] = "down", [HY_LINK_UP] = "up", [HY_LINK_REFUSED] = "refused" };

static json_t *health_inputs(struct hy_daemon *d)
{
	json_t *list = json_array();
	for (size_t i = 0; i < d->input_count; i++) {
		const struct input *in = &d->inputs[i];
		if (!in->follow)
			continue;
		struct hy_follow_state f = hy_follow_state(in->follow);
		char chain[17];
		snprintf(chain, sizeof(chain), "%016" PRIx64, f.mark.chain);
		json_array_append_new(
			list, json_pack("{s:s, s:s, s:b, s:s, s:I, s:I, s:I, s:s, s:I, s:s}", "stream", in->def->stream,
				      "from", in->def->writer, "returns", in->def->returns, "link", link_names[f.link],
				      "mark", (json_int_t)f.mark.seq, "head", (json_int_t)f.head, "lag",
				      (json_int_t)(f.head > f.mark.seq ? f.head - f.mark.seq : 0), "chain", chain,
				      "heard_ms_ago", (json_int_t)(f.heard_ms ? hy_mono_ms() - f.heard_ms : -1),
				      "trouble", f.trouble));
	}
	return list;
}

static json_t *health_stream(struct hy_daemon *d)
{
	struct hy_stream_state s = hy_stream_state(d->out);
	char log_id[33], chain[17];
	hy_hex(s.log_id.b, 16, log_id);
	snprintf(chain, sizeof(chain), "%016" PRIx64, s.chain);
	json_t *readers = json_array();
	struct hy_reader list[64];
	size_t n = d->serve ? hy_serve_readers(d->serve, list, 64) : 0;
	for (size_t i = 0; i < n; i++) {
		const struct hy_reader *r = &list[i];
		if (strcmp(r->stream, d->service->output) != 0)
			continue;
		json_array_append_new(
			readers, json_pack("{s:s, s:b, s:b, s:I, s:I, s:I}", "peer", r->peer, "outside", r->outside,
					 "linked", r->linked, "mark", (json_int_t)r->committed, "lag",
					 (json_int_t)(s.head > r->committed ? s.head - r->committed : 0), "epoch",
					 (json_int_t)r->epoch));
	}
	return json_pack("{s:s, s:I, s:I, s:s, s:s, s:I, s:o}", "name", d->service->output, "head", (json_int_t)s.head,
		"oldest", (json_int_t)s.oldest, "log_id", log_id, "chain", chain, "oldest_age_ms",
		(json_int_t)(s.oldest_ms ? hy_now_ms() - s.oldest_ms : 0), "readers", readers);
}

static json_t *health_counters(struct hy_daemon *d)
{
	json_t *counters = json_object();
	int n = atomic_load(&d->counter_count);
	for (int i = 0; i < n; i++)
		json_object_set_new(counters, d->counters[i].name, json_integer(atomic_load(&d->counters[i].value)));
	return counters;
}

json_t *hy_daemon_health(struct hy_daemon *d)
{
	struct hy_txn *t = hy_txn_begin(d->db, HY_READ);
	int64_t dead = dead_count(t);
	hy_txn_abort(&t);
	int full = atomic_load(&d->full);
	json_t *inputs = health_inputs(d);
	const char *state = full == 2 ? "disk full" : full == 1 ? "full" : "ok";
	size_t i;
	json_t *in;
	json_array_foreach(
		inputs, i, in) if (!full && strcmp(json_string_value(json_object_get(in, "link")), "up") != 0) state =
		json_string_value(json_object_get(in, "link")); /* the worst that is known */
	json_t *j = json_pack("{s:s, s:s, s:s, s:i, s:I, s:I, s:I, s:o, s:o, s:{s:f, s:I, s:I, s:I, s:s, s:I}, s:I, "
			      "s:{s:I, s:I}, s:o}",
		"daemon", d->service->name, "state", state, "version", HY_VERSION, "pid", (int)getpid(), "started_ms",
		(json_int_t)d->started_ms, "uptime_ms", (json_int_t)(hy_mono_ms() - d->started_mono), "epoch",
		(json_int_t)d->epoch, "stream", health_stream(d), "inputs", inputs, "store", "share", d->usage.share,
		"live_bytes", (json_int_t)d->usage.live_bytes, "file_bytes", (json_int_t)d->usage.file_bytes,
		"quota_bytes", (json_int_t)d->usage.quota_bytes, "largest", d->usage.largest, "largest_bytes",
		(json_int_t)d->usage.largest_bytes, "dead", (json_int_t)dead, "feedback", "seen",
		(json_int_t)d->settled.seen, "emitted", (json_int_t)d->settled.emitted, "counters", health_counters(d));
	if (j && d->service->health)
		d->service->health(d, j, d->self);
	return j;
}

static int run_health(struct hy_step *s, struct hy_ask *a, void *self)
{
	(void)self;
	hy_ask_answer(a, hy_daemon_health(s->daemon));
	return HY_OK;
}

static int run_config(struct hy_step *s, struct hy_ask *a, void *self)
{
	(void)self;
	struct hy_buffer text = { 0 };
	hy_conf_print(s->daemon->conf, &text);
	hy_ask_answer(a, json_pack("{s:s}", "config", hy_buffer_string(&text)));
	hy_buffer_free(&text);
	return HY_OK;
}

struct listing {
	json_t *list;
	size_t limit;
};

static int list_record(const struct hy_record *r, void *arg)
{
	struct listing *l = arg;
	json_t *j = r->err ? json_pack("{s:I, s:s}", "seq", (json_int_t)r->seq, "marker", hy_err_name(r->err))
			   : json_pack("{s:I, s:o}", "seq", (json_int_t)r->seq, "envelope", hy_show_envelope(r->bytes));
	json_array_append_new(l->list, j);
	return json_array_size(l->list) < l->limit ? HY_OK : HY_EXISTS;
}

static int run_read(struct hy_step *s, struct hy_ask *a, void *self)
{
	(void)self;
	struct hy_daemon *d = s->daemon;
	struct hy_stream_state state = hy_stream_state(d->out);
	int64_t last = hy_ask_int(a, "last", -1), limit = hy_ask_int(a, "limit", 100);
	uint64_t after = (uint64_t)hy_ask_int(a, "after", (int64_t)state.head), at;
	if (last >= 0)
		after = state.head > (uint64_t)last ? state.head - (uint64_t)last : 0;
	if (after + 1 < state.oldest)
		after = state.oldest - 1;
	struct listing l = { json_array(), limit < 1 ? 1 : limit > 500 ? 500 : (size_t)limit };
	hy_stream_read(d->out, s->txn, after, list_record, &l, &at);
	hy_ask_answer(a, json_pack("{s:s, s:I, s:I, s:o}", "stream", d->service->output, "head", (json_int_t)state.head,
				 "after", (json_int_t)after, "records", l.list));
	return HY_OK;
}

/* Where this daemon stands, for `huiyin audit`; each service's own `audit` adds what it knows. */
static int run_standing(struct hy_step *s, struct hy_ask *a, void *self)
{
	(void)self;
	struct hy_daemon *d = s->daemon;
	json_t *marks = json_object();
	for (size_t i = 0; i < d->input_count; i++) {
		struct hy_mark m;
		bool read = hy_follow_kept(s->txn, d->inputs[i].def->stream, &m) == HY_OK;
		json_object_set_new(marks, d->inputs[i].def->stream, json_integer(read ? (json_int_t)m.seq : 0));
	}
	const char *upto = hy_ask_text(a, "upto");
	struct hy_id last;
	bool bounded = hy_id_parse(upto, &last);
	int64_t dead = dead_feedback(d, s->txn, bounded ? &last : NULL);
	struct hy_stream_state st = hy_stream_state(d->out);
	hy_ask_answer(a, json_pack("{s:s, s:I, s:I, s:I, s:I, s:o}", "daemon", d->service->name, "seen",
				 (json_int_t)d->settled.seen, "emitted", (json_int_t)d->settled.emitted, "dead",
				 (json_int_t)dead, "head", (json_int_t)st.head, "marks", marks));
	return HY_OK;
}

static const struct hy_command own_commands[] = {
	{ "health", "how this daemon is", false, run_health },
	{ "config", "its configuration in force", false, run_config },
	{ "stream.read", "records of its stream as JSON: after or last, limit", false, run_read },
	{ "standing", "feedback seen, passed on and dead, and the input marks: upto", false, run_standing },
	{ 0 },
};

/* ---- running one ---- */

static const struct hy_command *find_command(const struct hy_command *table, const char *verb)
{
	for (; table && table->name; table++)
		if (strcmp(table->name, verb) == 0)
			return table;
	return NULL;
}

struct running {
	const struct hy_command *command;
	struct hy_ask ask;
	struct hy_buffer *json;
};

static void dump(json_t *j, struct hy_buffer *out)
{
	char *text = j ? json_dumps(j, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
	hy_buffer_clear(out);
	hy_buffer_text(out, text ? text : "null");
	free(text);
}

static int run_command(struct hy_step *s, void *arg)
{
	struct running *r = arg;
	struct hy_bytes id = HY_PB(r->ask.ask->id), kept;
	if (r->command->changes && hy_txn_get(s->txn, "asked", id, &kept) == HY_OK) {
		hy_buffer_clear(r->json);
		hy_buffer_bytes(r->json, kept);
		return HY_OK;
	}
	int err = r->command->run(s, &r->ask, s->daemon->self);
	if (err)
		return err;
	dump(r->ask.result, r->json);
	if (r->command->changes)
		hy_txn_put(s->txn, "asked", id, hy_buffer_view(r->json));
	return r->json->err;
}

/* Reads need no commit: the transaction is a reader's, and what the handler sees is what is committed. */
static int look(struct hy_daemon *d, struct running *r)
{
	struct hy_step s = { .daemon = d, .now_ms = hy_now_ms(), .arena = d->arena };
	hy_arena_reset(d->arena);
	s.txn = hy_txn_begin(d->db, HY_READ);
	int err = run_command(&s, r);
	hy_txn_abort(&s.txn);
	return err;
}

int control_run(struct hy_daemon *d, const Huiyin__Ask *ask, struct hy_buffer *json, struct hy_fault *f)
{
	const struct hy_command *const tables[] = { own_commands, dead_commands, d->service->commands };
	struct running r = { .ask = { .ask = ask }, .json = json };
	const char *names[128];
	size_t n = 0;
	for (size_t i = 0; i < 3 && !r.command; i++) {
		r.command = find_command(tables[i], ask->verb);
		for (const struct hy_command *c = tables[i]; c && c->name && n < 127; c++)
			names[n++] = c->name;
	}
	names[n] = NULL;
	if (!r.command) {
		const char *meant = hy_did_you_mean(ask->verb, names);
		return hy_fail(f, HY_USAGE, "%s has no command '%s'%s%s%s", d->service->name, ask->verb,
			meant ? "; did you mean '" : "", meant ? meant : "", meant ? "'?" : "");
	}
	if (r.command->changes && ask->id.len != 16)
		return hy_fail(f, HY_BAD_INPUT, "a command that changes something carries an id of 16 bytes");
	int err = r.command->changes ? step_alone(d, run_command, &r) : look(d, &r);
	if (r.command->changes && err == HY_OK)
		hy_daemon_work_soon(d); /* it may have made something due */
	json_decref(r.ask.result);
	if (err)
		hy_fail(f, err, "%s", r.ask.fault.text[0] ? r.ask.fault.text : hy_err_text(err));
	return err;
}

static void on_ask(void *arg, struct hy_bytes from, struct hy_bytes message)
{
	struct hy_daemon *d = arg;
	struct hy_arena *a = hy_arena_new(0);
	struct hy_buffer json = { 0 }, frame = { 0 };
	struct hy_fault f = { 0 };
	Huiyin__Ask *ask;
	if (hy_wire_unpack(a, &huiyin__ask__descriptor, message, &ask, &f) == HY_OK) {
		Huiyin__Answer answer = HUIYIN__ANSWER__INIT;
		answer.id = ask->id;
		answer.code = control_run(d, ask, &json, &f);
		answer.text = answer.code ? f.text : "";
		answer.json = answer.code ? "" : (char *)(uintptr_t)hy_buffer_string(&json);
		if (hy_wire_pack(&answer.base, &frame) == HY_OK)
			hy_socket_send(d->control, from, hy_buffer_view(&frame));
	} else {
		hy_warn("control.malformed", "bytes=%zu detail=\"%s\"", message.size, f.text);
	}
	hy_buffer_free(&json);
	hy_buffer_free(&frame);
	hy_arena_free(&a);
}

int control_open(struct hy_daemon *d, struct hy_fault *f)
{
	char endpoint[1300];
	snprintf(endpoint, sizeof(endpoint), "ipc://%s/run/%s.ctl.sock", d->dir, d->service->name);
	struct hy_socket_options o = { .kind = HY_DOOR, .endpoint = endpoint };
	int err = hy_socket_open(&d->control, &o, f);
	return err ? err : hy_loop_watch_socket(d->loop, d->control, on_ask, d);
}

/* Ids rise with time, so the old ones stand first. */
void control_forget(struct hy_daemon *d, struct hy_txn *t, int64_t before_ms)
{
	(void)d;
	size_t most = 1000;
	for (struct hy_cursor c = hy_cursor_open(t, "asked", hy_bytes(NULL, 0)); hy_cursor_on(&c); hy_cursor_next(&c)) {
		if (most-- == 0 || hy_id_ms(hy_id_from(c.key)) >= before_ms) {
			hy_cursor_close(&c);
			return;
		}
		hy_cursor_del(&c);
	}
}
