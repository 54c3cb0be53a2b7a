#include "door.h"
#include "clients.h"
#include "queues.h"
#include "collector/web/reception.h"
#include "submit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#define CLIENTS_MOST 65536
#define WITH_WRITER 16384 /* Submits, whoever sent them: each has an arena of its own */
#define RECEIPT_MAX ((size_t)256 << 10) /* beyond it rejected items are told with one reason each */
#define WINDOW 16 /* messages that ZeroMQ holds for a client, each way */
#define LOOK_EVERY_MS 1000
#define RETRY_BUSY_MS 50
#define RETRY_FULL_MS 5000

struct door {
	struct collector *collector;
	struct hy_loop *loop;
	struct hy_socket *socket; /* NULL once it is closed */
	bool curve;
	struct clients *clients;
	struct hy_arena *scratch; /* of one item, or one Receipt */
	struct hy_buffer packed; /* a Receipt */
	size_t with_writer; /* Submits */
	_Atomic size_t client_count; /* for other threads */
	int64_t looked_ms;

	/* Public keys that may come: the handler of CURVE asks on a thread of its own. */
	pthread_mutex_t lock;
	char (*friends)[HY_CURVE_TEXT];
	size_t friend_count;
};

/* One Submit on its way to the writer and back. */
struct passage {
	struct queue queue; /* first: what numbering looks at */
	struct door *door;
	struct client *client;
	size_t items;
	uint8_t route[255], route_size;
};

/* An empty Submit asks the writer, behind all that its client has sent before. */
struct question {
	struct hy_job job;
	struct passage passage;
};

/* ---- who may come ---- */

static bool admit(void *arg, const char *public_key, char *user, size_t room)
{
	struct door *d = arg;
	bool known = false;
	pthread_mutex_lock(&d->lock);
	for (size_t i = 0; i < d->friend_count && !known; i++)
		known = strcmp(d->friends[i], public_key) == 0;
	pthread_mutex_unlock(&d->lock);
	if (!known)
		hy_count(d->collector->daemon, "door_strangers_total", 1);
	snprintf(user, room, "%s", public_key); /* each Submit's API key must be this one's */
	return known;
}

static void read_friends(struct door *d)
{
	const struct hy_keys *keys = hy_daemon_keys(d->collector->daemon);
	const struct hy_api_key *key;
	size_t rows = 0, count = 0;
	while (hy_keys_row(keys, rows))
		rows++;
	char(*fresh)[HY_CURVE_TEXT] = calloc(rows + 1, sizeof(*fresh));
	if (!fresh)
		return; /* those in force stay */
	for (size_t i = 0; (key = hy_keys_row(keys, i)); i++)
		if (key->curve[0] && key->may_feedback)
			memcpy(fresh[count++], key->curve, sizeof(key->curve));
	pthread_mutex_lock(&d->lock);
	char(*old)[HY_CURVE_TEXT] = d->friends;
	d->friends = fresh;
	d->friend_count = count;
	pthread_mutex_unlock(&d->lock);
	free(old);
}

static int64_t on_time(void *arg)
{
	struct door *d = arg;
	int64_t now = hy_mono_ms();
	if (now - d->looked_ms >= LOOK_EVERY_MS) {
		d->looked_ms = now;
		read_friends(d);
	}
	return d->looked_ms + LOOK_EVERY_MS - now;
}

/* ---- receipts ---- */

static void send_packed(struct door *d, struct hy_bytes to, struct hy_bytes packed, bool fault)
{
	if (!d->socket)
		return;
	hy_count(d->collector->daemon, "door_receipts_total", 1);
	if (fault)
		hy_count(d->collector->daemon, "door_faults_total", 1);
	/* A client that doesn't read, or has gone, asks again with an empty Submit. */
	if (hy_socket_send(d->socket, to, packed) != HY_OK)
		hy_count(d->collector->daemon, "door_receipts_dropped_total", 1);
}

static void send_receipt(struct door *d, struct hy_bytes to, const Huiyin__Receipt *r)
{
	hy_buffer_clear(&d->packed);
	if (hy_wire_pack(&r->base, &d->packed) == HY_OK)
		send_packed(d, to, hy_buffer_view(&d->packed), r->fault[0]);
}

static char *lasting(const char *text)
{
	return (char *)(uintptr_t)text;
}

static struct hy_bytes client_id_of(const struct queue *q)
{
	return hy_bytes(q->key.data + 8, q->key.size - 8);
}

/* A Receipt to who is known: its credit, and how far it has come. */
static Huiyin__Receipt receipt(struct passage *p)
{
	struct door *d = p->door;
	Huiyin__Receipt r = HUIYIN__RECEIPT__INIT;
	char *id = hy_arena_text(d->scratch, client_id_of(&p->queue));
	r.client_id = id ? id : lasting("");
	r.durable_seq = p->queue.durable_seq;
	if (hy_daemon_full(d->collector->daemon))
		r.retry_ms = RETRY_FULL_MS;
	else
		r.credit = clients_credit(d->clients, p->client);
	return r;
}

static void answer_fault(struct passage *p, const char *fault, const char *detail, int64_t retry_ms)
{
	hy_arena_reset(p->door->scratch);
	Huiyin__Receipt r = receipt(p);
	r.fault = lasting(fault);
	r.detail = lasting(detail);
	if (retry_ms > r.retry_ms)
		r.retry_ms = (uint32_t)retry_ms;
	if (strcmp(fault, "full") == 0)
		r.credit = 0;
	send_receipt(p->door, hy_bytes(p->route, p->route_size), &r);
}

/* Where a client stands whose Submit got no further than here. */
static bool look_up(struct passage *p)
{
	struct door *d = p->door;
	hy_arena_reset(d->scratch);
	struct hy_txn *t = hy_txn_begin(hy_daemon_store(d->collector->daemon), HY_READ);
	int err = queue_load(t, d->scratch, &p->queue);
	hy_txn_abort(&t);
	return err == HY_OK;
}

static void answer_busy(struct passage *p, int err)
{
	if (!look_up(p))
		return; /* better no Receipt than one that says 0 */
	if (err == HY_FULL)
		answer_fault(
			p, "full", "the store is full; nothing of this was kept. Send it again later", RETRY_FULL_MS);
	else
		answer_fault(p, "busy",
			"too much is waiting; nothing of this was kept. Send it again, and no more than the credit",
			RETRY_BUSY_MS);
}

static void answer_refused(struct passage *p)
{
	const struct queue *q = &p->queue;
	char detail[256];
	if (q->state == QUEUE_CONFLICT)
		snprintf(detail, sizeof(detail),
			"item %" PRIu64
			" is kept with other content: two programs share this client_id, or the app has "
			"lost its numbers; go on with a new client_id",
			q->durable_seq);
	else
		snprintf(detail, sizeof(detail), "item %" PRIu64 " came, and %" PRIu64 " is the next%s", q->first_seq,
			q->durable_seq + 1,
			q->durable_seq ? "; go on from there"
				       : ": nothing of this client_id is known here, or not any more; number what is "
					 "waiting from 1");
	answer_fault(p, q->state == QUEUE_CONFLICT ? "conflict" : "gap", detail, 0);
}

static Huiyin__Reason *reason(struct hy_arena *a, const char *pointer, const char *detail)
{
	Huiyin__Reason *r = hy_arena_get(a, sizeof(*r));
	if (!r)
		return NULL;
	huiyin__reason__init(r);
	r->pointer = lasting(pointer);
	r->detail = lasting(detail);
	return r;
}

static Huiyin__Rejected *rejected(struct hy_arena *a, uint64_t seq, const struct item *item, size_t most)
{
	Huiyin__Rejected *r = hy_arena_get(a, sizeof(*r));
	size_t count = item->ok ? 1 : json_array_size(item->errors);
	if (!r || !(r->reasons = hy_arena_get(a, (count + 1) * sizeof(*r->reasons))))
		return NULL;
	Huiyin__Reason **reasons = r->reasons;
	huiyin__rejected__init(r);
	r->seq = seq;
	r->reasons = reasons;
	for (size_t i = 0; i < count && i < most; i++) {
		const json_t *e = item->ok ? NULL : json_array_get(item->errors, i);
		reasons[i] = e ? reason(a, json_string_value(json_object_get(e, "pointer")),
					 json_string_value(json_object_get(e, "detail")))
			       : reason(a, "/id", "conflict: this id came before with other content");
		if (!reasons[i])
			return NULL;
		r->n_reasons++;
	}
	return r;
}

/* The items that will never be kept as they are; false when there is no room to tell. */
static bool put_rejected(const struct submission *s, const struct queue *q, Huiyin__Receipt *r, size_t most)
{
	struct passage *p = s->note;
	struct hy_arena *a = p->door->scratch;
	size_t count = 0;
	for (size_t i = 0; i < s->count; i++)
		count += s->fates[i] == FATE_REJECTED || s->fates[i] == FATE_CONFLICT;
	r->n_rejected = 0;
	if (count == 0)
		return true;
	r->rejected = hy_arena_get(a, count * sizeof(*r->rejected));
	for (size_t i = 0; i < s->count && r->rejected; i++)
		if (s->fates[i] == FATE_REJECTED || s->fates[i] == FATE_CONFLICT) {
			r->rejected[r->n_rejected] = rejected(a, q->first_seq + i, &s->items[i], most);
			if (!r->rejected[r->n_rejected])
				return false;
			r->n_rejected++;
		}
	return r->rejected != NULL;
}

static void back_from_writer(struct passage *p)
{
	p->door->with_writer--;
	clients_give(p->client, p->items);
}

/* After the commit. */
static void answer(struct submission *s, int err)
{
	struct passage *p = s->note;
	struct door *d = p->door;
	back_from_writer(p);
	if (!d->socket) {
		submission_free(&s);
		return;
	}
	if (err) {
		answer_busy(p, err == HY_FULL ? HY_FULL : HY_BUSY);
	} else if (s->refused) {
		answer_refused(p);
	} else {
		hy_arena_reset(d->scratch);
		Huiyin__Receipt r = receipt(p);
		hy_buffer_clear(&d->packed);
		bool told = put_rejected(s, &p->queue, &r, SIZE_MAX) && hy_wire_pack(&r.base, &d->packed) == HY_OK;
		if (told && d->packed.size > RECEIPT_MAX) {
			hy_buffer_clear(&d->packed);
			told = put_rejected(s, &p->queue, &r, 1) && hy_wire_pack(&r.base, &d->packed) == HY_OK;
		}
		if (told)
			send_packed(d, hy_bytes(p->route, p->route_size), hy_buffer_view(&d->packed), false);
	}
	submission_free(&s);
}

static int run_question(struct hy_step *s, struct hy_job *job, void *self)
{
	struct question *q = (struct question *)job;
	(void)self;
	return queue_load(s->txn, s->arena, &q->passage.queue);
}

static void done_question(struct hy_job *job, int err, void *self)
{
	struct question *q = (struct question *)job;
	struct passage *p = &q->passage;
	(void)self;
	back_from_writer(p);
	if (p->door->socket && err) {
		answer_busy(p, HY_BUSY);
	} else if (p->door->socket) {
		hy_arena_reset(p->door->scratch);
		Huiyin__Receipt r = receipt(p);
		send_receipt(p->door, hy_bytes(p->route, p->route_size), &r);
	}
	free(q);
}

/* ---- submits ---- */

/* To who is not known: nothing is remembered of him. */
static void turn_away(struct door *d, struct hy_bytes to, const struct submit *m, const char *fault, const char *detail)
{
	Huiyin__Receipt r = HUIYIN__RECEIPT__INIT;
	hy_arena_reset(d->scratch);
	bool clean = m->client_id.size <= SUBMIT_CLIENT_ID && hy_utf8_valid(m->client_id) &&
		     !(m->client_id.size && memchr(m->client_id.data, 0, m->client_id.size));
	char *id = clean ? hy_arena_text(d->scratch, m->client_id) : NULL;
	r.client_id = id ? id : lasting("");
	r.fault = lasting(fault);
	r.detail = lasting(detail);
	send_receipt(d, to, &r);
}

/* Whose it is; NULL after it has been answered. */
static struct hy_api_key *key_of(struct door *d, struct hy_bytes from, const struct submit *m)
{
	struct hy_api_key *key = hy_keys_find_text(hy_daemon_keys(d->collector->daemon), m->key);
	if (!key) {
		turn_away(d, from, m, "unauthorized",
			m->key.size ? "this key is not known here; `huiyin key list` shows those that are"
				    : "a key is needed in each Submit");
	} else if (!key->may_feedback) {
		turn_away(d, from, m, "forbidden", "this key may not send feedback: it lacks the scope");
		key = NULL;
	} else if (d->curve && strcmp(key->curve, hy_socket_user(d->socket)) != 0) {
		turn_away(d, from, m, "forbidden",
			"this API key is not the one of the CURVE key that this connection came with");
		key = NULL;
	}
	return key;
}

static void ask(struct passage *p)
{
	struct question *q = malloc(sizeof(*q));
	if (!q) {
		back_from_writer(p);
		return;
	}
	*q = (struct question){ .job = { .run = run_question, .done = done_question }, .passage = *p };
	int err = hy_daemon_submit(p->door->collector->daemon, &q->job);
	if (err) {
		free(q);
		back_from_writer(p);
		answer_busy(p, err);
	}
}

/* Its items to the writer. */
static int hand_in(struct passage *p, const struct submit *m, const struct hy_api_key *key)
{
	struct door *d = p->door;
	struct submission *s = submission_new(d->collector, NULL, m->count);
	struct passage *kept = s ? hy_arena_get(s->arena, sizeof(*kept)) : NULL;
	uint64_t *checks = s ? hy_arena_get(s->arena, m->count * sizeof(*checks)) : NULL;
	struct reception_finder finder;
	if (!kept || !checks) {
		submission_free(&s);
		return HY_NO_MEMORY;
	}
	s->project = key->project;
	s->key_number = key->number;
	s->scope = key->scope;
	s->numbering = &queue_numbering;
	s->answer = answer;
	s->note = kept;
	*kept = *p;
	kept->queue.checks = checks;
	struct intake in = reception_intake(s, &finder);
	struct hy_bytes raw;
	size_t at = 0;
	in.channel = "stream";
	for (size_t i = 0; submit_next(m, &at, &raw); i++) {
		checks[i] = queue_check(raw);
		submit_item(&in, d->scratch, raw, &s->items[i]);
	}
	int err = accept_submit(s);
	if (err)
		submission_free(&s);
	return err;
}

static void on_submit(void *arg, struct hy_bytes from, struct hy_bytes message)
{
	struct door *d = arg;
	struct submit m;
	struct hy_fault f = { 0 };
	hy_count(d->collector->daemon, "door_submits_total", 1);
	int bad = submit_read(&m, message, &f);
	struct hy_api_key *key = key_of(d, from, &m);
	if (!key)
		return;
	if (bad) {
		turn_away(d, from, &m, "invalid", f.text);
		return;
	}
	struct passage p = { .queue = { .key = queue_key(key->scope, m.client_id), .first_seq = m.first_seq },
		.door = d,
		.items = m.count };
	p.route_size = (uint8_t)from.size;
	memcpy(p.route, from.data, from.size);
	p.client = clients_meet(d->clients, hy_key_view(&p.queue.key), hy_mono_ms());
	atomic_store(&d->client_count, clients_count(d->clients));
	if (!p.client)
		return; /* too many at once: it asks again */
	int64_t wait = m.count ? hy_api_key_spend(key, m.count) : 0;
	if (wait) {
		if (look_up(&p))
			answer_fault(&p, "rate", "this key sends faster than its rate allows", wait);
		return;
	}
	if (d->with_writer >= WITH_WRITER || !clients_take(d->clients, p.client, m.count, message.size)) {
		answer_busy(&p, HY_BUSY);
		return;
	}
	d->with_writer++;
	if (m.count == 0) {
		ask(&p);
		return;
	}
	int err = hand_in(&p, &m, key);
	if (err) {
		back_from_writer(&p);
		answer_busy(&p, err);
	}
}

/* ---- open, close ---- */

bool door_is_loopback(const char *endpoint)
{
	static const char *const local[] = { "ipc://", "inproc://", "tcp://127.", "tcp://localhost:", "tcp://[::1]:" };
	for (size_t i = 0; i < sizeof(local) / sizeof(*local); i++)
		if (strncmp(endpoint, local[i], strlen(local[i])) == 0)
			return true;
	return false;
}

static int listen_at(struct door *d, const char *endpoint, struct hy_fault *f)
{
	struct hy_socket_options o = {
		.kind = HY_DOOR, .endpoint = endpoint, .window = WINDOW, .frame_max = HY_WIRE_FRAME_MAX
	};
	char secret[HY_CURVE_TEXT + 1] = "";
	if (d->curve) {
		struct hy_fault why = { 0 };
		int err = hy_daemon_secret_text(d->collector->daemon, "door.curve", secret, sizeof(secret), &why);
		if (err == HY_OK && !hy_curve_good(secret)) /* systemd's unit hands over a word where there is none */
			err = hy_fail(&why, HY_CONFIG, "door.curve is no CURVE key");
		if (err)
			return hy_fail(f, err,
				"door.listen is %s, so the door needs a CURVE key, and there is none: `huiyin keygen` "
				"makes "
				"it (%s)",
				endpoint, why.text);
		o.curve_secret = secret;
		o.admit = admit;
		o.admit_arg = d;
		read_friends(d);
	}
	int err = hy_socket_open(&d->socket, &o, f);
	explicit_bzero(secret, sizeof(secret));
	if (err == HY_OK)
		hy_info("door.listening", "address=%s port=%d curve=%s", endpoint, hy_socket_port(d->socket),
			d->curve ? "yes" : "no");
	return err;
}

int door_open(struct collector *c, struct hy_loop *server, struct hy_fault *f)
{
	const struct hy_conf *conf = hy_daemon_conf(c->daemon);
	const char *endpoint = hy_conf_text(conf, "door.listen");
	if (!endpoint[0])
		return HY_OK;
	struct door *d = calloc(1, sizeof(*d));
	if (!d)
		return hy_fail(f, HY_NO_MEMORY, "no memory for the ZeroMQ door");
	c->door = d;
	d->collector = c;
	d->loop = server;
	d->curve = strcmp(hy_conf_text(conf, "door.curve"), "always") == 0 || !door_is_loopback(endpoint);
	d->clients = clients_open(CLIENTS_MOST);
	d->scratch = hy_arena_new(0);
	pthread_mutex_init(&d->lock, NULL);
	int err = listen_at(d, endpoint, f);
	if (err == HY_OK)
		err = hy_loop_watch_socket(server, d->socket, on_submit, d);
	if (err == HY_OK && d->curve)
		err = hy_loop_watch_time(server, on_time, d);
	return err;
}

void door_stop(struct collector *c)
{
	struct door *d = c->door;
	if (!d || !d->socket)
		return;
	hy_loop_unwatch_socket(d->loop, d->socket);
	hy_loop_unwatch_time(d->loop, on_time, d);
	hy_socket_close(&d->socket);
}

void door_close(struct collector *c)
{
	struct door *d = c->door;
	if (!d)
		return;
	HY_ASSERT(d->with_writer == 0);
	clients_close(&d->clients);
	hy_arena_free(&d->scratch);
	hy_buffer_free(&d->packed);
	pthread_mutex_destroy(&d->lock);
	free(d->friends);
	free(d);
	c->door = NULL;
}

size_t door_clients(const struct collector *c)
{
	return c->door ? atomic_load(&c->door->client_count) : 0;
}
