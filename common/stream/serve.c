/* Serving: the writer's side of the link. Hello is checked and answered, Pull moves a window, Batches are copied out of the
 * log in short read transactions. Nothing on its way is remembered but how far it goes: a reader that lost something
 * says so, and gets it again from the log. Everything here runs on the server thread, unless stream.h says otherwise. */
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "log/log.h"
#include "stream/block.h"
#include "stream/readers.h"

#define WINDOW_BYTES (HY_STREAM_WINDOW * HY_BATCH_BYTES)
#define BLOCK_MOST (HY_BLOCK_BYTES + 8 * HY_BLOCK_RECORDS) /* a block with its framing, roughly */
#define FRAME_MAX 4096 /* of what readers may send: a Hello */
#define WARN_EVERY_MS 1000

struct hy_serve {
	struct hy_serve_options o;
	struct hy_socket *door;
	bool ring_door; /* on ipc://, where the file's mode says who comes in */
	struct hy_readers readers;
	_Atomic bool woken;
	_Atomic uint64_t dropped;
	int64_t warned_ms;
};

static struct hy_stream *stream_named(const struct hy_serve *s, const char *name)
{
	for (size_t i = 0; s->o.streams[i]; i++)
		if (strcmp(hy_stream_name(s->o.streams[i]), name) == 0)
			return s->o.streams[i];
	return NULL;
}

static void drop(struct hy_serve *s)
{
	atomic_fetch_add_explicit(&s->dropped, 1, memory_order_relaxed);
}

/* ---- speaking ----------------------------------------------------------------------------------------------------- */

static void refuse(struct hy_serve *s, struct hy_bytes to, const char *peer, const struct hy_refuse *r)
{
	struct hy_buffer frame = { 0 };
	hy_link_put_refuse(&frame, r);
	hy_link_send(s->door, to, true, &frame);
	int64_t now_ms = hy_mono_ms();
	if (now_ms - s->warned_ms < WARN_EVERY_MS)
		return;
	s->warned_ms = now_ms;
	hy_warn("reader.refused", "stream=%s peer=%s reason=%s text=\"%s\"", r->stream, peer, hy_refuse_name(r->reason),
		r->text);
}

/* Refuses a reader we know, and waits for a new Hello of it. */
static void refuse_reader(struct hy_serve *s, struct hy_served *one, const struct hy_refuse *r)
{
	refuse(s, hy_bytes(one->id, one->id_size), one->row.peer, r);
	one->stream = NULL;
}

static struct hy_refuse because(const char *stream, uint64_t epoch, Huiyin__RefuseReason reason)
{
	struct hy_refuse r = { .reason = reason, .epoch = epoch };
	snprintf(r.stream, sizeof(r.stream), "%s", stream);
	return r;
}

static struct hy_batch head_of(const struct hy_served *one, const struct hy_stream_state *st)
{
	struct hy_batch b = { .log_id = st->log_id, .head = st->head, .oldest = st->oldest, .epoch = one->row.epoch };
	memcpy(b.stream, one->row.stream, sizeof(b.stream));
	return b;
}

/* A peer that can't take a frame now has no credit left until it speaks again. */
static bool send_to(struct hy_serve *s, struct hy_served *one, struct hy_buffer *frame)
{
	if (hy_link_send(s->door, hy_bytes(one->id, one->id_size), true, frame) != HY_OK) {
		one->credit = 0;
		one->pulled = false;
		return false;
	}
	one->spoke_ms = hy_mono_ms();
	return true;
}

/* "Alive, nothing new", and the answer to a Hello. */
static void send_empty(struct hy_serve *s, struct hy_served *one, uint64_t chain)
{
	struct hy_stream_state st = hy_stream_state(one->stream);
	struct hy_batch b = head_of(one, &st);
	b.first = one->sent + 1;
	b.chain = chain;
	struct hy_buffer frame = { 0 };
	hy_link_batch_begin(&frame);
	hy_link_batch_end(&frame, &b);
	send_to(s, one, &frame);
}

static size_t on_their_way(const struct hy_served *one)
{
	size_t bytes = 0;
	for (int i = 0; i < one->outs; i++)
		bytes += one->out[i].bytes;
	return bytes;
}

/* Whether what follows `mark` can be had here; if not, *r says why. */
static bool place_is_here(uint64_t mark, const struct hy_stream_state *st, struct hy_refuse *r)
{
	if (mark > st->head) {
		r->reason = HUIYIN__REFUSE_REASON__AHEAD;
		snprintf(r->text, sizeof(r->text),
			"the mark is %" PRIu64 ", the log ends at %" PRIu64
			": the writer lost records or was restored; restore the reader from the same backup",
			mark, st->head);
		return false;
	}
	if (mark + 1 < st->oldest) {
		r->reason = HUIYIN__REFUSE_REASON__TRIMMED;
		snprintf(r->text, sizeof(r->text),
			"the mark is %" PRIu64 ", the oldest record still here is %" PRIu64
			": begin anew from the oldest, or restore the reader from a newer backup",
			mark, st->oldest);
		return false;
	}
	return true;
}

/* The log has nothing at `after`. When a trim just shows before it is settled, the next Pull finds it settled. */
static void refuse_place(struct hy_serve *s, struct hy_served *one, uint64_t after)
{
	struct hy_stream_state st = hy_stream_state(one->stream);
	struct hy_refuse r = because(one->row.stream, one->row.epoch, HUIYIN__REFUSE_REASON__TRIMMED);
	if (!place_is_here(after, &st, &r))
		refuse_reader(s, one, &r);
}

/* A block whose head is bad stops the stream for those who come to it; said once each time it is met anew. */
static void tell_damage(struct hy_served *one, uint64_t seq, int err)
{
	if (one->damaged_at == seq)
		return;
	one->damaged_at = seq;
	hy_error("stream.damaged", "stream=%s seq=%" PRIu64 " error=%s remedy=\"stop, then huiyin fsck --quarantine\"",
		one->row.stream, seq, hy_err_name(err));
}

/* Sends one Batch: true when there may be more to send. */
static bool send_batch(struct hy_serve *s, struct hy_served *one, size_t credit)
{
	struct hy_buffer frame = { 0 };
	struct hy_copied copied;
	hy_link_batch_begin(&frame);
	struct hy_txn *t = hy_txn_begin(s->o.db, HY_READ);
	int err = hy_stream_copy(one->stream, t, one->sent, credit, &frame, &copied);
	hy_txn_abort(&t);
	if (err != HY_OK || copied.count == 0) {
		hy_buffer_free(&frame);
		if (err == HY_NOT_FOUND)
			refuse_place(s, one, one->sent);
		else if (err != HY_OK && hy_err_fate(err) != HY_RETRY)
			tell_damage(one, one->sent + 1, err);
		return false; /* what was only busy is tried again at the next Pull */
	}
	if (copied.damaged)
		hy_error("stream.damaged_records", "stream=%s first=%" PRIu64 " count=%u damaged=%u", one->row.stream,
			copied.first, copied.count, copied.damaged);
	struct hy_batch b = head_of(one, &copied.state);
	b.first = copied.first;
	b.count = copied.count;
	b.chain = copied.chain;
	hy_link_batch_end(&frame, &b);
	size_t size = frame.size;
	if (!send_to(s, one, &frame))
		return false;
	one->sent = copied.first + copied.count - 1;
	one->out[one->outs].last = one->sent;
	one->out[one->outs++].bytes = size;
	one->pulled = false;
	return true;
}

/* Whatever the window and the credit allow. With nothing on its way, one block goes out however small the credit is, or a
 * reader with little room would never move. */
static void feed(struct hy_serve *s, struct hy_served *one)
{
	while (one->credit > 0 && one->outs < HY_STREAM_WINDOW && hy_stream_state(one->stream).head > one->sent) {
		size_t used = on_their_way(one);
		if (one->outs > 0 && used + BLOCK_MOST > one->credit)
			break;
		size_t left = one->credit - used;
		if (!send_batch(s, one, left < HY_BATCH_BYTES ? left : HY_BATCH_BYTES))
			break;
	}
}

/* ---- Hello -------------------------------------------------------------------------------------------------------- */

static bool may_come_in(
	const struct hy_serve *s, const struct hy_hello *h, const struct hy_served *known, struct hy_refuse *r)
{
	*r = because(h->stream, h->epoch, HUIYIN__REFUSE_REASON__FORBIDDEN);
	if (!h->outside && !s->ring_door) {
		snprintf(r->text, sizeof(r->text),
			"stations of the ring come by ipc://; others follow as outside readers, with a key");
		return false;
	}
	if (!h->outside)
		return true;
	if (!s->o.allowed || !s->o.allowed(s->o.arg, h->key, h->peer, h->stream)) {
		snprintf(r->text, sizeof(r->text), "the key may not follow %s as %s: see `keys` in huiyin.yaml",
			h->stream, h->peer);
		return false;
	}
	if (known && !known->row.outside) {
		snprintf(r->text, sizeof(r->text), "%s is a station of the ring: choose another name", h->peer);
		return false;
	}
	return true;
}

static bool same_log(const struct hy_serve *s, struct hy_stream *stream, const struct hy_hello *h)
{
	struct hy_stream_state st = hy_stream_state(stream);
	uint64_t chain;
	if (memcmp(st.log_id.b, h->log_id.b, sizeof(st.log_id.b)) != 0)
		return false;
	if (h->chain == 0 || h->mark > st.head || h->mark + 1 < st.oldest)
		return true;
	struct hy_txn *t = hy_txn_begin(s->o.db, HY_READ);
	int err = hy_stream_chain(stream, t, h->mark, &chain);
	hy_txn_abort(&t);
	return err != HY_OK || chain == h->chain;
}

static bool mark_is_good(
	const struct hy_serve *s, struct hy_stream *stream, const struct hy_hello *h, struct hy_refuse *r)
{
	struct hy_stream_state st = hy_stream_state(stream);
	if (!h->has_log)
		return true;
	*r = because(h->stream, h->epoch, HUIYIN__REFUSE_REASON__OTHER_LOG);
	if (!same_log(s, stream, h)) {
		snprintf(r->text, sizeof(r->text),
			"the mark %" PRIu64
			" belongs to another log: the writer was restored or made anew; restore the reader from "
			"the same backup",
			h->mark);
		return false;
	}
	return place_is_here(h->mark, &st, r);
}

static bool acceptable(struct hy_serve *s, const struct hy_hello *h, struct hy_stream *stream,
	const struct hy_served *known, struct hy_refuse *r)
{
	*r = because(h->stream, h->epoch, HUIYIN__REFUSE_REASON__PROTOCOL);
	if (h->protocol != HY_LINK_PROTOCOL) {
		snprintf(r->text, sizeof(r->text),
			"protocol %u is spoken here, not %u: install the same version on both sides", HY_LINK_PROTOCOL,
			h->protocol);
		return false;
	}
	if (!stream) {
		r->reason = HUIYIN__REFUSE_REASON__UNKNOWN;
		snprintf(r->text, sizeof(r->text),
			"there is no stream %s here: see `huiyin status` for those there are", h->stream);
		return false;
	}
	if (!may_come_in(s, h, known, r))
		return false;
	/* A station takes its name back from an outside reader, whose epochs are another count. */
	if (known && known->row.heard_ms && known->row.outside == h->outside && h->epoch < known->row.epoch) {
		r->reason = HUIYIN__REFUSE_REASON__FENCED;
		snprintf(r->text, sizeof(r->text),
			"a newer start of %s is at work (%" PRIu64 ", this is %" PRIu64
			"): stop one of them; after a restore of the reader restart the writer",
			h->peer, known->row.epoch, h->epoch);
		return false;
	}
	return mark_is_good(s, stream, h, r);
}

/* The connection of an older start learns why it is heard no more. */
static void fence_off(struct hy_serve *s, struct hy_served *one, struct hy_bytes from, uint64_t epoch)
{
	if (!one->stream || one->row.epoch == epoch || hy_bytes_equal(hy_bytes(one->id, one->id_size), from))
		return;
	struct hy_refuse r = because(one->row.stream, one->row.epoch, HUIYIN__REFUSE_REASON__FENCED);
	snprintf(r.text, sizeof(r.text),
		"a newer start of %s is at work (%" PRIu64 ", this is %" PRIu64 "): stop one of them", one->row.peer,
		epoch, one->row.epoch);
	refuse_reader(s, one, &r);
}

static uint64_t chain_at(struct hy_serve *s, struct hy_stream *stream, uint64_t seq)
{
	uint64_t chain = 0;
	struct hy_txn *t = hy_txn_begin(s->o.db, HY_READ);
	hy_stream_chain(stream, t, seq, &chain); /* 0 when it can't be told */
	hy_txn_abort(&t);
	return chain;
}

static void on_hello(struct hy_serve *s, struct hy_bytes from, const struct hy_hello *h)
{
	struct hy_stream *stream = stream_named(s, h->stream);
	struct hy_served *one = hy_readers_find(&s->readers, h->peer, h->stream);
	struct hy_refuse r;
	if (!acceptable(s, h, stream, one, &r)) {
		refuse(s, from, h->peer, &r);
		return;
	}
	if (!one)
		one = hy_readers_add(&s->readers, h->peer, h->stream);
	if (!one) {
		r = because(h->stream, h->epoch, HUIYIN__REFUSE_REASON__FORBIDDEN);
		snprintf(r.text, sizeof(r.text), "there are %d readers already: forget one", HY_READERS_MAX);
		refuse(s, from, h->peer, &r);
		return;
	}
	fence_off(s, one, from, h->epoch);
	struct hy_stream_state st = hy_stream_state(stream);
	uint64_t begin = h->has_log ? h->mark : h->from_now ? st.head : st.oldest - 1;
	if (!one->stream)
		hy_info("reader.linked", "stream=%s peer=%s epoch=%" PRIu64 " after=%" PRIu64 " head=%" PRIu64,
			h->stream, h->peer, h->epoch, begin, st.head);
	one->stream = stream;
	HY_ASSERT(from.size <= sizeof(one->id));
	memcpy(one->id, from.data, from.size);
	one->id_size = from.size;
	one->after = one->sent = begin;
	one->outs = 0;
	one->credit = 0;
	one->pulled = false;
	hy_readers_greet(&s->readers, one, h, begin);
	send_empty(s, one, chain_at(s, stream, begin));
}

/* ---- Pull --------------------------------------------------------------------------------------------------------- */

static void move_window(struct hy_served *one, uint64_t after)
{
	if (after < one->after || after > one->sent) {
		/* It lost something, or holds more than the Hello said: go on from what it has. */
		one->outs = 0;
		one->sent = after;
	}
	int gone = 0;
	while (gone < one->outs && one->out[gone].last <= after)
		gone++;
	one->outs -= gone;
	memmove(one->out, one->out + gone, (size_t)one->outs * sizeof(one->out[0]));
	one->after = after;
}

static void on_pull(struct hy_serve *s, struct hy_bytes from, const struct hy_pull *p)
{
	struct hy_served *one = hy_readers_by_id(&s->readers, from, p->stream);
	if (!one || p->epoch != one->row.epoch) {
		drop(s); /* no Hello in this life of ours: its silence alarm will make it say one */
		return;
	}
	struct hy_stream_state st = hy_stream_state(one->stream);
	if (memcmp(p->log_id.b, st.log_id.b, sizeof(st.log_id.b)) != 0) {
		struct hy_refuse r = because(p->stream, p->epoch, HUIYIN__REFUSE_REASON__OTHER_LOG);
		snprintf(r.text, sizeof(r.text), "the log was made anew; restore the reader from the same backup");
		refuse_reader(s, one, &r);
		return;
	}
	if (p->after > st.head || p->after + 1 < st.oldest) {
		refuse_place(s, one, p->after);
		return;
	}
	move_window(one, p->after);
	one->credit = p->credit_bytes < WINDOW_BYTES ? (size_t)p->credit_bytes : WINDOW_BYTES;
	one->pulled = true;
	hy_readers_heard(&s->readers, one, p->committed > one->row.committed ? p->committed : one->row.committed);
	feed(s, one);
}

static void on_message(void *arg, struct hy_bytes from, struct hy_bytes raw)
{
	struct hy_serve *s = arg;
	struct hy_frame frame;
	int err = hy_link_open(raw, &frame);
	if (err == HY_OK && frame.kind == HY_FRAME_HELLO)
		on_hello(s, from, &frame.hello);
	else if (err == HY_OK && frame.kind == HY_FRAME_PULL)
		on_pull(s, from, &frame.pull);
	else
		drop(s);
}

/* Each turn: new records to those who wait, and a sign of life to those who have waited a second. */
static int64_t on_turn(void *arg)
{
	struct hy_serve *s = arg;
	bool woken = atomic_exchange(&s->woken, false);
	int64_t now_ms = hy_mono_ms(), wait_ms = -1;
	for (size_t i = 0; i < HY_READERS_MAX && i < s->readers.top; i++) {
		struct hy_served *one = &s->readers.all[i];
		if (!one->stream)
			continue;
		if (woken)
			feed(s, one);
		if (!one->stream || !one->pulled)
			continue;
		int64_t due_ms = one->spoke_ms + HY_LINK_ALIVE_MS - now_ms;
		if (due_ms <= 0) {
			one->pulled = false; /* its next Pull is the answer; without one we don't fill its socket */
			send_empty(s, one, 0);
		} else if (wait_ms < 0 || due_ms < wait_ms) {
			wait_ms = due_ms;
		}
	}
	return wait_ms;
}

/* ---- its life, and what the writer thread asks -------------------------------------------------------------------- */

int hy_serve_open(struct hy_serve **out, const struct hy_serve_options *o, struct hy_fault *f)
{
	*out = NULL;
	struct hy_serve *s = calloc(1, sizeof(*s));
	if (!s)
		return hy_fail(f, HY_NO_MEMORY, "no memory to serve %s", o->endpoint);
	s->o = *o;
	s->ring_door = strncmp(o->endpoint, "ipc://", 6) == 0;
	s->warned_ms = -WARN_EVERY_MS;
	pthread_mutex_init(&s->readers.lock, NULL);
	int err = hy_readers_load(&s->readers, o->db);
	if (err != HY_OK)
		hy_fail(f, err, "the readers' marks: %s", hy_err_text(err));
	struct hy_socket_options door = { .kind = HY_DOOR, .endpoint = o->endpoint, .frame_max = FRAME_MAX };
	if (err == HY_OK)
		err = hy_socket_open(&s->door, &door, f);
	if (err == HY_OK)
		err = hy_loop_watch_socket(o->loop, s->door, on_message, s);
	if (err == HY_OK)
		err = hy_loop_watch_time(o->loop, on_turn, s);
	s->o.endpoint = NULL; /* the caller's text need not live on */
	if (err != HY_OK) {
		hy_serve_close(&s);
		return err;
	}
	*out = s;
	return HY_OK;
}

void hy_serve_close(struct hy_serve **serve)
{
	struct hy_serve *s = *serve;
	if (!s)
		return;
	hy_loop_unwatch_time(s->o.loop, on_turn, s);
	if (s->door)
		hy_loop_unwatch_socket(s->o.loop, s->door);
	hy_socket_close(&s->door);
	pthread_mutex_destroy(&s->readers.lock);
	free(s);
	*serve = NULL;
}

void hy_serve_wake(struct hy_serve *s)
{
	atomic_store(&s->woken, true);
	hy_loop_wake(s->o.loop);
}

uint64_t hy_serve_dropped(const struct hy_serve *s)
{
	return atomic_load_explicit(&s->dropped, memory_order_relaxed);
}

size_t hy_serve_readers(struct hy_serve *s, struct hy_reader *out, size_t room)
{
	return hy_readers_list(&s->readers, out, room);
}

int hy_serve_keep(struct hy_serve *s, struct hy_txn *t, bool *changed)
{
	return hy_readers_keep(&s->readers, t, changed);
}

int hy_serve_forget(struct hy_serve *s, struct hy_txn *t, const char *peer, const char *stream)
{
	return hy_readers_forget(&s->readers, t, peer, stream);
}

uint64_t hy_serve_floor(struct hy_serve *s, const char *stream, const char *const *ring, bool count_outside)
{
	return hy_readers_floor(&s->readers, stream, ring, count_outside);
}
