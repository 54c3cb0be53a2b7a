/* The ZeroMQ door: Submit and Receipt (proto/intake.proto).
 *
 * Every connection begins with an empty Submit, which asks where this client_id stands. Only what the answer leaves open is sent; a Receipt that
 * stays out is asked for in the same way. Items are numbered for the collector from 1 in each run, so that a number is never used for two items.
 * Where the collector's word does not fit what was sent (it went back to a backup, it forgot us, somebody has a copy of our spool), the run goes on
 * under a new name: what is not known to be settled is sent again rather than passed over. */
#include "client/inside.h"

#include "base/clock.h"

#include <stdlib.h>

enum {
	ASK_AGAIN_FIRST = 20, /* ms: the connection may stand in a moment */
	ASK_AGAIN_MOST = 1000,
	ANSWER_MOST = 3000, /* to the question where we stand */
	SILENCE_MOST = 1000, /* with something on its way */
	BACKOFF_FIRST = 100,
	BACKOFF_MOST = 30000,
	HOLD_MOST = 60000,
	FEW = 128, /* items that are not worth a message while others are on their way */
	GAPS_MOST = 10,
};

enum state { DOWN, ASKING, ASKED, UP };

struct link {
	struct hy_socket *socket;
	enum state state;
	int64_t due_ms; /* DOWN, ASKING: when to go on; ASKED: when to give up */
	int64_t heard_ms; /* the last Receipt */
	int64_t ask_wait_ms, backoff_ms;
	struct run run; /* whose items are being sent */
	struct run name; /* under which name: the run itself, or its alias */
	char client_id[2 * RUN_SIZE + 1];
	uint64_t
		sent_n; /* the highest number sent under this name; UINT64_MAX: a former life sent, nobody knows how far */
	uint32_t credit, items_max;
	int gaps;
	struct hy_buffer frame;
};

static void on_receipt(void *arg, struct hy_bytes from, struct hy_bytes message);

/* ---- up and down ---- */

static int64_t jitter(int64_t ms)
{
	return ms -
	       (int64_t)(hy_mono_ns() / 1000 % (uint64_t)(ms / 4 + 1)); /* so that many apps don't come back at once */
}

static void hang_up(struct hy_client *c)
{
	struct link *l = c->door_state;
	if (!l->socket)
		return;
	hy_loop_unwatch_socket(c->loop, l->socket);
	hy_socket_close(&l->socket);
}

static void go_down(struct hy_client *c)
{
	struct link *l = c->door_state;
	hang_up(c);
	queue_rewind(c);
	c->connected = false;
	l->state = DOWN;
	l->due_ms = hy_mono_ms() + jitter(l->backoff_ms);
	l->backoff_ms = 2 * l->backoff_ms < BACKOFF_MOST ? 2 * l->backoff_ms : BACKOFF_MOST;
}

static void ask_again(struct hy_client *c)
{
	struct link *l = c->door_state;
	queue_rewind(c);
	l->state = ASKING;
	l->due_ms = 0;
	l->ask_wait_ms = ASK_AGAIN_FIRST;
}

static bool dial(struct hy_client *c)
{
	struct link *l = c->door_state;
	struct hy_fault f = { 0 };
	const struct hy_socket_options o = { .kind = HY_CALLER,
		.endpoint = c->url,
		.window = PARCELS_MAX,
		.curve_server = c->curve_server,
		.curve_secret = c->curve_secret };
	int err = hy_socket_open(&l->socket, &o, &f);
	if (err == HY_OK && (err = hy_loop_watch_socket(c->loop, l->socket, on_receipt, c)) != HY_OK) {
		hy_fail(&f, err, "%s", hy_err_text(err));
		hy_socket_close(&l->socket);
	}
	if (err == HY_OK)
		return true; /* ZeroMQ connects in the background */
	client_problem(c, &c->door_problem, "%s", f.text);
	go_down(c);
	return false;
}

/* ---- names ---- */

static void take_name(struct link *l, const struct run *run, const struct run *name, uint64_t sent_n)
{
	l->run = *run;
	l->name = *name;
	l->sent_n = sent_n;
	l->gaps = 0;
	hy_hex(name->id, RUN_SIZE, l->client_id);
}

/* The run of what is next, when that has changed; this life's own when nothing is there yet. */
static void take_run(struct hy_client *c)
{
	struct link *l = c->door_state;
	struct item it;
	const struct run *own = queue_run(c);
	const struct mark *m = c->spool ? spool_mark(c->spool) : NULL;
	struct run run;
	if (queue_peek(c, &it))
		run = *it.run;
	else if (!l->client_id[0])
		run = *own;
	else
		return;
	if (l->client_id[0] && memcmp(run.id, l->run.id, RUN_SIZE) == 0)
		return;
	bool renamed = m && memcmp(m->run, run.id, RUN_SIZE) == 0;
	bool ours = memcmp(run.id, own->id, RUN_SIZE) == 0;
	take_name(l, &run, renamed ? &m->alias : &run, ours ? run.base_n : UINT64_MAX);
}

/* Never again a word under the present name. */
static void rename_run(struct hy_client *c, const char *why)
{
	struct link *l = c->door_state;
	struct hy_fault f = { 0 };
	struct run alias;
	struct item it;
	client_problem(c, &c->door_problem, "%s; what is not known to be kept is sent again under a new name", why);
	queue_rewind(c);
	bool ours = queue_peek(c, &it) && memcmp(it.run->id, l->run.id, RUN_SIZE) == 0;
	if (ours && run_new(&alias, it.n - 1) == HY_OK) {
		if (queue_on_disk(c) && spool_rename(c->spool, &l->run, &alias, &f) != HY_OK) {
			client_problem(c, &c->spool_problem, "%s", f.text); /* and once more, after a while */
		} else {
			const struct run run = l->run;
			take_name(l, &run, &alias, alias.base_n);
			c->renamed++;
		}
	}
	go_down(c);
}

/* ---- what the collector says ---- */

/* Refusals of a Receipt by number, in the arena; several reasons make one detail. */
static struct refusal *refusals_of(struct hy_client *c, const Huiyin__Receipt *r, size_t *count)
{
	const struct link *l = c->door_state;
	struct refusal *out = r->n_rejected ? hy_arena_get(c->arena, r->n_rejected * sizeof(*out)) : NULL;
	*count = 0;
	for (size_t i = 0; out && i < r->n_rejected; i++) {
		const Huiyin__Rejected *one = r->rejected[i];
		uint64_t n = l->name.base_n + one->seq;
		if (n < one->seq || (*count && n <= out[*count - 1].n))
			continue; /* not by number: no such collector */
		struct hy_buffer words = { 0 };
		for (size_t k = 0; k < one->n_reasons; k++)
			hy_buffer_printf(&words, "%s%s%s%s", k ? "; " : "", k ? one->reasons[k]->pointer : "",
				k ? ": " : "", one->reasons[k]->detail);
		char *detail = hy_arena_text(c->arena, hy_buffer_view(&words));
		hy_buffer_free(&words);
		out[(*count)++] =
			(struct refusal){ n, one->n_reasons ? one->reasons[0]->pointer : "", detail ? detail : "" };
	}
	return out;
}

static void ask_later(struct hy_client *c, int64_t now_ms, uint32_t ms)
{
	struct link *l = c->door_state;
	ask_again(c);
	l->due_ms = now_ms + (ms > HOLD_MOST ? HOLD_MOST : ms < ASK_AGAIN_FIRST ? ASK_AGAIN_FIRST : ms);
}

static void on_fault(struct hy_client *c, const Huiyin__Receipt *r, int64_t now_ms)
{
	struct link *l = c->door_state;
	client_problem(c, &c->door_problem, "%s: %s", r->fault, r->detail);
	if (strcmp(r->fault, "unauthorized") == 0 || strcmp(r->fault, "forbidden") == 0) {
		go_down(c);
	} else if (strcmp(r->fault, "conflict") == 0) {
		rename_run(c, "the collector has other items under our numbers");
	} else if (strcmp(r->fault, "gap") == 0) {
		/* What follows a Submit that was not taken is a gap, too: asking where we stand clears that up. */
		if (l->state != UP)
			return;
		if (++l->gaps >= GAPS_MOST)
			rename_run(c, "the collector misses items that it had");
		else
			ask_again(c);
	} else if (strcmp(r->fault, "invalid") == 0) {
		struct item it;
		queue_rewind(c);
		if (l->items_max > 1)
			l->items_max = 1; /* which of them is it? */
		else if (queue_peek(c, &it))
			c->poison_n = it.n;
		ask_again(c);
	} else { /* rate, full, busy, and what a later version may say */
		ask_later(c, now_ms, r->retry_ms ? r->retry_ms : 1000);
	}
}

/* The answer to the question where we stand: everything beyond it is sent (again). */
static void on_standing(struct hy_client *c, uint64_t n)
{
	struct link *l = c->door_state;
	struct item it;
	if (n > l->sent_n) {
		rename_run(c, "the collector has more under our name than we have sent");
		return;
	}
	if (queue_peek(c, &it) && memcmp(it.run->id, l->run.id, RUN_SIZE) == 0 && n + 1 < it.n) {
		rename_run(c, "the collector no longer knows what it had kept");
		return;
	}
	if (l->sent_n == UINT64_MAX)
		queue_skip(c, &l->run, n);
	l->state = UP;
}

static void on_receipt(void *arg, struct hy_bytes from, struct hy_bytes message)
{
	struct hy_client *c = arg;
	struct link *l = c->door_state;
	Huiyin__Receipt *r;
	struct hy_fault f = { 0 };
	int64_t now_ms = hy_mono_ms();
	(void)from;
	hy_arena_reset(c->arena);
	int err = hy_wire_unpack(c->arena, &huiyin__receipt__descriptor, message, &r, &f);
	if (err != HY_OK) {
		client_problem(c, &c->door_problem, "what answers at %s is no collector: %s", c->url, f.text);
		go_down(c);
		return;
	}
	if (strcmp(r->client_id, l->client_id) != 0 && !(r->fault[0] && !r->client_id[0]))
		return; /* of a name that we no longer have */
	l->heard_ms = now_ms;
	c->connected = true;
	if (r->fault[0]) {
		on_fault(c, r, now_ms);
		return;
	}
	uint64_t n = l->name.base_n + r->durable_seq;
	if (n < r->durable_seq)
		n = UINT64_MAX - 1; /* more than there are: treated as any number that was not sent */
	if (l->state == ASKED || l->state == ASKING)
		on_standing(c, n);
	else if (n > l->sent_n)
		rename_run(c, "the collector has more under our name than we have sent");
	if (l->state != UP)
		return;
	l->credit = r->credit;
	if (n > c->floor_n) {
		size_t count;
		struct refusal *refusals = refusals_of(c, r, &count);
		queue_settle(c, n, refusals, count);
		l->gaps = 0;
		l->backoff_ms = BACKOFF_FIRST;
		if (c->poison_n == 0 && l->items_max < PARCEL_ITEMS)
			l->items_max = 2 * l->items_max < PARCEL_ITEMS ? 2 * l->items_max : PARCEL_ITEMS;
	}
	client_problem(c, &c->door_problem, "%s", "");
	if (r->credit == 0)
		ask_later(c, now_ms, r->retry_ms ? r->retry_ms : 100);
}

/* ---- what we say ---- */

/* A Submit but for its items. */
static void begin_frame(struct hy_client *c, uint64_t first_seq)
{
	struct link *l = c->door_state;
	hy_buffer_clear(&l->frame);
	hy_wire_append(&l->frame, 1, hy_bytes_text(c->key));
	hy_wire_append(&l->frame, 2, hy_bytes_text(l->client_id));
	if (first_seq) {
		hy_buffer_byte(&l->frame, 3 << 3);
		hy_wire_put_varint(&l->frame, first_seq);
	}
}

static int send_frame(struct link *l)
{
	return l->frame.err ? l->frame.err : hy_socket_send(l->socket, hy_bytes(NULL, 0), hy_buffer_view(&l->frame));
}

static bool put_item(void *arg, const struct item *it)
{
	struct link *l = arg;
	hy_buffer_bytes(&l->frame, it->field);
	return true;
}

/* One Submit. HY_NOT_FOUND: nothing more is to be sent now. */
static int send_some(struct hy_client *c)
{
	struct link *l = c->door_state;
	struct item it;
	if (c->items_out >= l->credit || c->bytes_out >= ON_THE_WAY_BYTES || !queue_peek(c, &it))
		return HY_NOT_FOUND;
	if (memcmp(it.run->id, l->run.id, RUN_SIZE) != 0) {
		if (c->parcels_out == 0)
			ask_again(c); /* under the name of the next run */
		return HY_NOT_FOUND;
	}
	if (c->parcels_out && !queue_has(c, FEW))
		return HY_NOT_FOUND;
	uint32_t items = l->credit - c->items_out;
	begin_frame(c, it.n - l->name.base_n);
	if (!queue_send(c, items < l->items_max ? items : l->items_max, PARCEL_BYTES, put_item, l))
		return HY_NOT_FOUND;
	int err = send_frame(l);
	if (err != HY_OK) {
		queue_unsend(c);
		return err;
	}
	uint64_t last_n = c->at.n - 1;
	l->sent_n = last_n > l->sent_n ? last_n : l->sent_n;
	return HY_OK;
}

static int64_t ask(struct hy_client *c, int64_t now_ms)
{
	struct link *l = c->door_state;
	take_run(c);
	begin_frame(c, 0);
	int err = send_frame(l);
	if (err == HY_OK) {
		l->state = ASKED;
		l->due_ms = now_ms + ANSWER_MOST;
		return ANSWER_MOST;
	}
	/* No connection yet. */
	if (l->ask_wait_ms > SILENCE_MOST / 2) {
		c->connected = false;
		client_problem(c, &c->door_problem, "nobody answers at %s", c->url);
	}
	l->due_ms = now_ms + l->ask_wait_ms;
	l->ask_wait_ms = 2 * l->ask_wait_ms < ASK_AGAIN_MOST ? 2 * l->ask_wait_ms : ASK_AGAIN_MOST;
	return l->due_ms - now_ms;
}

static int64_t pump(struct hy_client *c, int64_t now_ms)
{
	struct link *l = c->door_state;
	if (l->state == ASKED && now_ms >= l->due_ms) {
		client_problem(c, &c->door_problem, "no answer from %s", c->url);
		go_down(c);
	}
	if (l->state == DOWN && now_ms >= l->due_ms && dial(c))
		ask_again(c);
	int err = HY_OK;
	while (l->state == UP && err == HY_OK)
		err = send_some(c);
	if (l->state == UP && err != HY_BUSY && err != HY_NOT_FOUND)
		go_down(c);
	bool waiting = c->parcels_out > 0 || err == HY_BUSY;
	if (l->state == UP && waiting && now_ms - l->heard_ms >= SILENCE_MOST)
		ask_again(c);
	switch (l->state) {
	case ASKING:
		return now_ms < l->due_ms ? l->due_ms - now_ms : ask(c, now_ms);
	case UP:
		return err == HY_BUSY ? ASK_AGAIN_FIRST : waiting ? SILENCE_MOST - (now_ms - l->heard_ms) : -1;
	default:
		return now_ms < l->due_ms ? l->due_ms - now_ms : 0;
	}
}

static int open_link(struct hy_client *c, struct hy_fault *f)
{
	if (c->curve_server && (!hy_curve_good(c->curve_server) || !hy_curve_good(c->curve_secret)))
		return hy_fail(f, HY_BAD_INPUT, "curve_server and curve_secret: a key is 40 characters of Z85");
	struct link *l = calloc(1, sizeof(*l));
	if (!l)
		return hy_fail(f, HY_NO_MEMORY, "no memory");
	l->backoff_ms = BACKOFF_FIRST;
	l->items_max = PARCEL_ITEMS;
	c->door_state = l;
	return HY_OK;
}

static void close_link(struct hy_client *c)
{
	struct link *l = c->door_state;
	if (!l)
		return;
	hang_up(c);
	hy_buffer_free(&l->frame);
	free(l);
	c->door_state = NULL;
}

const struct door door_link = { open_link, close_link, pump };
