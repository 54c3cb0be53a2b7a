/* Following: the reader's side of the link. Says Hello, pulls a window of Batches, checks them, hands their records out in
 * order, and keeps the mark. Everything here runs on the writer thread's loop. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "log/log.h"
#include "stream/block.h"
#include "stream/link.h"

#define WINDOW_BYTES (HY_STREAM_WINDOW * HY_BATCH_BYTES)
#define PULL_EARLY_BYTES (HY_BATCH_BYTES / 2) /* received since the last Pull: don't wait for the turn's end */
#define TICK_MS 500
#define UNSENT_MS 50 /* until a Hello that nobody was there for is tried again */
#define GAP_MS 50 /* at most one Hello that often because of gaps */
#define MARK_VERSION 1
#define MARK_BYTES (1 + 16 + 8 + 8)

struct held {
	struct held *next;
	struct hy_message *message;
	size_t memory; /* all that this batch keeps from being used */
	uint64_t chain_before; /* h of the record before its first */
	uint32_t count;
	struct hy_record records[];
};

/* A place among the held records: the next one is batch->records[at], or the first of the next batch. */
struct place {
	struct held *batch;
	uint32_t at;
};

struct hy_follow {
	struct hy_store *db;
	struct hy_loop *loop;
	struct hy_socket *socket;
	char peer[HY_LINK_NAME], stream[HY_LINK_NAME], endpoint[200], key[HY_LINK_KEY];
	bool outside, from_now, paused;
	uint64_t epoch;

	struct held *first, *last; /* received and not committed */
	struct place done, next; /* behind the last committed record, behind the last taken one */
	size_t memory, waiting, waiting_bytes;

	bool log_known; /* the log that all these numbers belong to */
	struct hy_mark committed, taken, received;
	bool kept, keeping; /* a row with our place exists; the step under way writes one */

	enum hy_link_state link;
	bool said_hello, greeting; /* greeting: no answer to the last Hello yet */
	bool told_down; /* link.down was logged, link.up was not */
	bool pull_due, hello_due;
	size_t unpulled; /* bytes received since the last Pull */
	int64_t hello_ms, tick_ms, heard_ms;
	int64_t quiet_ms; /* time without a frame, counted only while the loop turns */
	uint64_t head, dropped;
	uint64_t doubted; /* a chain of the writer's that differed from ours, once */
	char trouble[200];
};

/* ---- the mark ----------------------------------------------------------------------------------------------------- */

static struct hy_key mark_key(const char *stream)
{
	struct hy_key k = { .size = 0 };
	hy_key_bytes(&k, "mark/", 5);
	hy_key_bytes(&k, stream, strlen(stream));
	return k;
}

int hy_follow_kept(struct hy_txn *t, const char *stream, struct hy_mark *out)
{
	struct hy_key key = mark_key(stream);
	struct hy_bytes row;
	memset(out, 0, sizeof(*out));
	int err = hy_txn_get(t, "stream", hy_key_view(&key), &row);
	if (err != HY_OK)
		return err;
	if (row.size >= 1 && row.data[0] > MARK_VERSION)
		return HY_NEWER;
	if (row.size != MARK_BYTES || row.data[0] != MARK_VERSION)
		return HY_CORRUPT;
	memcpy(out->log_id.b, row.data + 1, 16);
	out->seq = hy_be_get64(row.data + 17);
	out->chain = hy_be_get64(row.data + 25);
	return HY_OK;
}

int hy_follow_mark(struct hy_follow *f, struct hy_txn *t)
{
	if (!f->log_known || (f->kept && f->taken.seq == f->committed.seq))
		return HY_OK;
	f->keeping = true;
	struct hy_key key = mark_key(f->stream);
	uint8_t row[MARK_BYTES] = { MARK_VERSION };
	memcpy(row + 1, f->taken.log_id.b, 16);
	hy_be_put64(row + 17, f->taken.seq);
	hy_be_put64(row + 25, f->taken.chain);
	return hy_txn_put(t, "stream", hy_key_view(&key), hy_bytes(row, sizeof(row)));
}

static int load_mark(struct hy_follow *f, struct hy_fault *fault)
{
	struct hy_txn *t = hy_txn_begin(f->db, HY_READ);
	int err = hy_follow_kept(t, f->stream, &f->committed);
	hy_txn_abort(&t);
	if (err == HY_NOT_FOUND)
		return HY_OK;
	if (err != HY_OK)
		return hy_fail(fault, err, "the mark of stream %s: %s", f->stream, hy_err_text(err));
	f->log_known = f->kept = true;
	f->taken = f->received = f->committed;
	return HY_OK;
}

/* ---- speaking ----------------------------------------------------------------------------------------------------- */

static void say_hello(struct hy_follow *f, int64_t now_ms)
{
	struct hy_hello h = {
		.protocol = HY_LINK_PROTOCOL, .epoch = f->epoch, .has_log = f->log_known, .from_now = f->from_now
	};
	memcpy(h.peer, f->peer, sizeof(h.peer));
	memcpy(h.stream, f->stream, sizeof(h.stream));
	memcpy(h.key, f->key, sizeof(h.key));
	h.outside = f->outside;
	if (f->log_known) {
		h.log_id = f->committed.log_id;
		h.mark = f->committed.seq;
		h.chain = f->committed.chain;
	}
	struct hy_buffer frame = { 0 };
	hy_link_put_hello(&frame, &h);
	int err = hy_link_send(f->socket, hy_bytes(NULL, 0), false, &frame);
	f->hello_ms = now_ms;
	f->said_hello = err == HY_OK;
	f->greeting = true;
	f->hello_due = false;
}

static void pull(struct hy_follow *f)
{
	if (!f->log_known || f->greeting || f->link != HY_LINK_UP)
		return;
	struct hy_pull p = { .log_id = f->received.log_id, .epoch = f->epoch };
	memcpy(p.stream, f->stream, sizeof(p.stream));
	p.after = f->received.seq;
	p.committed = f->committed.seq;
	if (!f->paused && f->memory < WINDOW_BYTES)
		p.credit_bytes = WINDOW_BYTES - f->memory;
	struct hy_buffer frame = { 0 };
	hy_link_put_pull(&frame, &p);
	/* Lost or refused by a full socket: the writer falls silent, and silence makes us say Hello. */
	if (hy_link_send(f->socket, hy_bytes(NULL, 0), false, &frame) == HY_OK) {
		f->pull_due = false;
		f->unpulled = 0;
	}
}

/* ---- hearing ------------------------------------------------------------------------------------------------------ */

static void link_up(struct hy_follow *f)
{
	if (f->link == HY_LINK_UP)
		return;
	f->link = HY_LINK_UP;
	f->told_down = false;
	f->trouble[0] = '\0';
	hy_info("link.up", "stream=%s after=%" PRIu64 " head=%" PRIu64, f->stream, f->received.seq, f->head);
}

static void link_down(struct hy_follow *f)
{
	if (f->told_down)
		return;
	f->link = HY_LINK_DOWN;
	f->told_down = true;
	snprintf(f->trouble, sizeof(f->trouble), "nothing heard from the writer of %.31s at %.100s: is it running?",
		f->stream, f->endpoint);
	hy_warn("link.down", "stream=%s trouble=\"%s\"", f->stream, f->trouble);
}

static void on_refuse(struct hy_follow *f, const struct hy_refuse *r)
{
	if (strcmp(r->stream, f->stream) != 0 || r->epoch != f->epoch) {
		f->dropped++; /* another start is meant */
		return;
	}
	f->link = HY_LINK_REFUSED;
	snprintf(f->trouble, sizeof(f->trouble), "%s: %.180s", hy_refuse_name(r->reason), r->text);
	hy_error("link.refused", "stream=%s trouble=\"%s\"", f->stream, f->trouble);
}

/* Something is missing: begin again from what we have. What is still on its way from before is dropped until then. */
static void drop_and_ask_again(struct hy_follow *f)
{
	f->dropped++;
	if (!f->greeting)
		f->hello_due = true;
}

/* The answer to the Hello of a reader without a mark tells where it begins. */
static void begin_at(struct hy_follow *f, const struct hy_batch *b)
{
	f->log_known = true;
	f->committed = (struct hy_mark){ .log_id = b->log_id, .seq = b->first - 1, .chain = b->chain };
	f->taken = f->received = f->committed;
}

static void on_nothing_new(struct hy_follow *f, const struct hy_batch *b)
{
	/* With a mark the answer begins behind it, so anything beyond what we have was said before our Hello was heard. */
	bool beyond = b->first > f->received.seq + 1;
	if (f->greeting) {
		if (beyond)
			return;
		f->greeting = false;
		link_up(f);
	} else if (beyond) {
		drop_and_ask_again(f);
		return;
	}
	f->pull_due = true;
}

static bool given_up(const struct hy_record *r)
{
	return r->err == HY_DAMAGED && r->check == 0;
}

/* Records that fsck gave up have lost their checks, so the chain breaks behind them: only the next Batch tells where it
 * goes on. Returns how many records to take of this one. */
static uint32_t up_to_a_break(const struct hy_record *r, uint32_t count)
{
	for (uint32_t i = 0; i + 1 < count; i++)
		if (given_up(&r[i]) && !given_up(&r[i + 1]))
			return i + 1;
	return count;
}

static bool records_sound(const struct hy_record *r, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		if (r[i].err == HY_OK && hy_check(r[i].bytes) != r[i].check)
			return false;
	return true;
}

static void hold(struct hy_follow *f, struct held *h)
{
	if (f->last)
		f->last->next = h;
	else
		f->first = h;
	f->last = h;
	f->memory += h->memory;
	f->waiting += h->count;
	h->chain_before = f->received.chain;
	for (uint32_t i = 0; i < h->count; i++) {
		f->waiting_bytes += h->records[i].bytes.size;
		f->received.chain = hy_chain_next(f->received.chain, h->records[i].check);
	}
	f->received.seq += h->count;
	f->unpulled += h->memory;
	f->pull_due = true;
	if (f->unpulled >= PULL_EARLY_BYTES)
		pull(f);
}

/* Both chains must be one. Where they differ once the frame may be broken, so we ask again; when the writer insists, history
 * was repaired between us: that is said aloud, and both chains go on from the writer's. */
static bool chain_agrees(struct hy_follow *f, const struct hy_batch *b)
{
	if (!b->chain || b->chain == f->received.chain)
		return true;
	if (f->doubted != b->chain) {
		f->doubted = b->chain;
		return false;
	}
	hy_error("link.chain", "stream=%s before=%" PRIu64 " ours=%016" PRIx64 " theirs=%016" PRIx64, f->stream,
		b->first, f->received.chain, b->chain);
	f->received.chain = b->chain;
	return true;
}

static void on_records(struct hy_follow *f, struct hy_bytes raw, const struct hy_batch *b)
{
	if (b->first + b->count - 1 <= f->received.seq) {
		f->dropped++; /* had it */
		return;
	}
	if (b->first != f->received.seq + 1 || !chain_agrees(f, b)) {
		drop_and_ask_again(f);
		return;
	}
	struct held *h = malloc(sizeof(*h) + b->count * sizeof(h->records[0]));
	struct hy_bytes kept;
	if (!h || hy_socket_keep(f->socket, &h->message, &kept) != HY_OK) {
		free(h);
		drop_and_ask_again(f);
		return;
	}
	struct hy_batch moved = *b;
	moved.body.data = kept.data + (b->body.data - raw.data); /* a small message was copied */
	h->next = NULL;
	h->count = b->count;
	h->memory = sizeof(*h) + b->count * sizeof(h->records[0]) + raw.size;
	if (hy_batch_records(&moved, h->records) != HY_OK || !records_sound(h->records, h->count)) {
		hy_warn("link.damaged_batch", "stream=%s first=%" PRIu64 " count=%u", f->stream, b->first, b->count);
		hy_message_free(&h->message);
		free(h);
		drop_and_ask_again(f);
		return;
	}
	h->count = up_to_a_break(h->records, b->count);
	hold(f, h);
	if (h->count < b->count)
		f->hello_due = true; /* for the rest */
}

static void on_batch(struct hy_follow *f, struct hy_bytes raw, const struct hy_batch *b)
{
	if (strcmp(b->stream, f->stream) != 0 || b->epoch != f->epoch) {
		f->dropped++; /* said to an earlier start of ours */
		return;
	}
	f->heard_ms = hy_mono_ms();
	f->quiet_ms = 0;
	if (!f->log_known && b->count == 0)
		begin_at(f, b);
	if (!f->log_known || memcmp(b->log_id.b, f->received.log_id.b, sizeof(b->log_id.b)) != 0) {
		drop_and_ask_again(f); /* the writer's log was made anew: our Hello will be refused */
		return;
	}
	f->head = b->head;
	if (b->count == 0)
		on_nothing_new(f, b);
	else
		on_records(f, raw, b);
}

static void on_message(void *arg, struct hy_bytes from, struct hy_bytes raw)
{
	struct hy_follow *f = arg;
	struct hy_frame frame;
	(void)from;
	if (f->link == HY_LINK_REFUSED)
		return;
	int err = hy_link_open(raw, &frame);
	if (err == HY_OK && frame.kind == HY_FRAME_BATCH)
		on_batch(f, raw, &frame.batch);
	else if (err == HY_OK && frame.kind == HY_FRAME_REFUSE)
		on_refuse(f, &frame.refuse);
	else
		f->dropped++;
}

/* ---- waiting ------------------------------------------------------------------------------------------------------ */

static int64_t at_most(int64_t ms, int64_t most)
{
	return ms < 0 ? 0 : ms < most ? ms : most;
}

/* How long until a Hello is to be said: 0 = now. */
static int64_t hello_in_ms(const struct hy_follow *f, int64_t now_ms)
{
	int64_t since = now_ms - f->hello_ms;
	if (f->hello_ms < 0)
		return 0;
	if (!f->said_hello)
		return at_most(UNSENT_MS - since, TICK_MS);
	if (f->hello_due)
		return at_most(GAP_MS - since, TICK_MS);
	if (f->greeting)
		return at_most(HY_LINK_HELLO_MS - since, TICK_MS);
	return at_most(HY_LINK_QUIET_MS - f->quiet_ms, TICK_MS);
}

static int64_t on_turn(void *arg)
{
	struct hy_follow *f = arg;
	if (f->link == HY_LINK_REFUSED)
		return -1;
	int64_t now_ms = hy_mono_ms();
	/* A long step is our own silence, not the writer's: what it sent meanwhile waits in the socket. */
	f->quiet_ms += at_most(now_ms - f->tick_ms, TICK_MS);
	f->tick_ms = now_ms;
	if (f->quiet_ms >= HY_LINK_DOWN_MS)
		link_down(f);
	if (hello_in_ms(f, now_ms) == 0)
		say_hello(f, now_ms);
	if (f->pull_due)
		pull(f);
	return hello_in_ms(f, now_ms);
}

/* ---- taking ------------------------------------------------------------------------------------------------------- */

static struct hy_record *look(struct place *p, struct held *first)
{
	if (!p->batch)
		*p = (struct place){ first, 0 };
	while (p->batch && p->at == p->batch->count && p->batch->next)
		*p = (struct place){ p->batch->next, 0 };
	return p->batch && p->at < p->batch->count ? &p->batch->records[p->at] : NULL;
}

bool hy_follow_take(struct hy_follow *f, struct hy_record *out)
{
	const struct hy_record *r = look(&f->next, f->first);
	if (!r)
		return false;
	*out = *r;
	if (f->next.at++ == 0)
		f->taken.chain = f->next.batch->chain_before;
	f->taken.seq = r->seq;
	f->taken.chain = hy_chain_next(f->taken.chain, r->check);
	f->waiting--;
	f->waiting_bytes -= r->bytes.size;
	return true;
}

size_t hy_follow_waiting(const struct hy_follow *f, size_t *bytes)
{
	if (bytes)
		*bytes = f->waiting_bytes;
	return f->waiting;
}

static void release(struct hy_follow *f, struct held *h)
{
	f->memory -= h->memory;
	hy_message_free(&h->message);
	free(h);
}

/* Gives back the batches that are wholly behind `p`; the one it stands in, which is one of ours, stays. */
static void release_before(struct hy_follow *f, struct place *p)
{
	while (f->first != p->batch) {
		struct held *h = f->first;
		f->first = h->next;
		release(f, h);
	}
	if (p->at == f->first->count) {
		struct held *h = f->first;
		f->first = h->next;
		release(f, h);
		*p = (struct place){ f->first, 0 };
	}
	if (!f->first)
		f->last = NULL;
}

void hy_follow_done(struct hy_follow *f, bool committed)
{
	f->kept |= committed && f->keeping;
	f->keeping = false;
	if (f->taken.seq == f->committed.seq)
		return;
	if (!committed) {
		struct place p = f->done;
		for (uint64_t n = f->taken.seq - f->committed.seq; n > 0; n--, p.at++) {
			f->waiting_bytes += look(&p, f->first)->bytes.size;
			f->waiting++;
		}
		f->next = f->done;
		f->taken = f->committed;
		return;
	}
	f->committed = f->taken;
	release_before(f, &f->next);
	f->done = f->next;
	pull(f);
}

void hy_follow_pause(struct hy_follow *f, bool paused)
{
	if (f->paused == paused)
		return;
	f->paused = paused;
	pull(f);
}

/* ---- its life ----------------------------------------------------------------------------------------------------- */

static int set_text(char *to, size_t room, const char *from, const char *what, struct hy_fault *fault)
{
	if (strlen(from) >= room)
		return hy_fail(fault, HY_CONFIG, "%s \"%s\" is longer than %zu bytes", what, from, room - 1);
	memcpy(to, from, strlen(from) + 1);
	return HY_OK;
}

static int set_options(struct hy_follow *f, const struct hy_follow_options *o, struct hy_fault *fault)
{
	f->db = o->db;
	f->loop = o->loop;
	f->epoch = o->epoch;
	f->outside = o->key != NULL;
	f->from_now = o->from && strcmp(o->from, "now") == 0;
	f->hello_ms = -1;
	f->tick_ms = hy_mono_ms();
	snprintf(f->trouble, sizeof(f->trouble), "not linked yet");
	int err = set_text(f->peer, sizeof(f->peer), o->peer, "the reader's name", fault);
	if (err == HY_OK)
		err = set_text(f->stream, sizeof(f->stream), o->stream, "the stream's name", fault);
	if (err == HY_OK)
		err = set_text(f->endpoint, sizeof(f->endpoint), o->endpoint, "the address", fault);
	if (err == HY_OK && o->key)
		err = set_text(f->key, sizeof(f->key), o->key, "the key", fault);
	return err;
}

int hy_follow_open(struct hy_follow **out, const struct hy_follow_options *o, struct hy_fault *fault)
{
	*out = NULL;
	struct hy_follow *f = calloc(1, sizeof(*f));
	if (!f)
		return hy_fail(fault, HY_NO_MEMORY, "no memory to follow %s", o->stream);
	int err = set_options(f, o, fault);
	if (err == HY_OK)
		err = load_mark(f, fault);
	if (err == HY_OK)
		err = hy_socket_open(
			&f->socket, &(struct hy_socket_options){ .kind = HY_CALLER, .endpoint = o->endpoint }, fault);
	if (err == HY_OK)
		err = hy_loop_watch_socket(f->loop, f->socket, on_message, f);
	if (err == HY_OK)
		err = hy_loop_watch_time(f->loop, on_turn, f);
	if (err != HY_OK) {
		hy_follow_close(&f);
		return err;
	}
	*out = f;
	return HY_OK;
}

void hy_follow_close(struct hy_follow **follow)
{
	struct hy_follow *f = *follow;
	if (!f)
		return;
	hy_loop_unwatch_time(f->loop, on_turn, f);
	if (f->socket)
		hy_loop_unwatch_socket(f->loop, f->socket);
	hy_socket_close(&f->socket);
	while (f->first) {
		struct held *h = f->first;
		f->first = h->next;
		release(f, h);
	}
	free(f);
	*follow = NULL;
}

struct hy_follow_state hy_follow_state(const struct hy_follow *f)
{
	struct hy_follow_state s = {
		.link = f->link, .mark = f->committed, .head = f->head, .heard_ms = f->heard_ms, .dropped = f->dropped
	};
	memcpy(s.trouble, f->trouble, sizeof(s.trouble));
	return s;
}
