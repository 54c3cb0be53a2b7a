/* What is to be sent, what is on its way, what is settled. */
#include "client/inside.h"

#include <stdlib.h>

#define STORE_BYTES ((size_t)1 << 20) /* written and synced at once */
enum { SPOOL_WAIT_FULL = 20, SPOOL_WAIT_FIRST = 200, SPOOL_WAIT_MOST = 5000 }; /* ms */
static const uint64_t memory_default = 8 << 20, memory_least = 64 << 10;
static const uint64_t spool_default = 256 << 20, spool_least = 256 << 10;

int queue_open(struct hy_client *c, const struct hy_client_options *o, struct hy_fault *f)
{
	uint64_t memory = o->memory_bytes ? o->memory_bytes : memory_default;
	uint64_t disk = o->spool_bytes ? o->spool_bytes : spool_default, last_n = 0;
	if (memory < memory_least)
		return hy_fail(f, HY_BAD_INPUT, "memory_bytes: at least 64 KiB");
	if (o->spool && disk < spool_least)
		return hy_fail(f, HY_BAD_INPUT, "spool_bytes: at least 256 KiB");
	int err = o->spool ? spool_open(&c->spool, o->spool, disk, f) : run_new(&c->run, 0);
	if (err != HY_OK)
		return o->spool ? err : hy_fail(f, err, "no random numbers");
	if (c->spool) {
		last_n = spool_last_n(c->spool);
		c->floor_n = c->settled_n = spool_mark(c->spool)->settled_n;
		c->spooled_n = last_n;
		c->at.n = c->floor_n + 1;
		c->damaged = spool_set_aside(c->spool);
		c->spool_bytes = spool_bytes(c->spool);
	}
	err = ring_open(&c->ring, memory, last_n);
	return err == HY_OK ? HY_OK : hy_fail(f, err, "no memory for %llu bytes", (unsigned long long)memory);
}

void queue_close(struct hy_client *c)
{
	spool_close(&c->spool);
	ring_close(&c->ring);
}

/* ---- ring to spool ---- */

bool queue_on_disk(const struct hy_client *c)
{
	return c->spool && !c->direct;
}

const struct run *queue_run(const struct hy_client *c)
{
	return queue_on_disk(c) ? spool_run(c->spool) : &c->run;
}

static struct parcel *parcel(struct hy_client *c, unsigned i)
{
	return &c->parcels[(c->first_parcel + i) % PARCELS_MAX];
}

/* The disk refuses, and all that it had is settled: what is in memory goes out as a run of its own, so that a full disk does not silence an app whose
 * collector is there. */
static void go_direct(struct hy_client *c, uint64_t first_n)
{
	struct item it;
	if (c->parcels_out || queue_peek(c, &it) || run_new(&c->run, first_n - 1) != HY_OK)
		return;
	c->spool_at = c->at;
	c->at = (struct place){ .n = first_n, .at = c->taken_at };
	c->direct = true;
}

/* The disk takes again, and has what was not settled: under the same name and the same numbers, so it does not matter what of it had left already. */
static void come_back(struct hy_client *c)
{
	queue_rewind(c);
	c->at = c->spool_at;
	c->direct = false;
}

/* What is in the ring from offset `end` on in one piece, at most STORE_BYTES. */
struct piece {
	uint8_t *data;
	size_t size;
	uint64_t count, first_n, last_n, end;
};

static struct piece next_piece(struct hy_client *c, uint64_t end)
{
	struct piece p = { .end = end };
	uint8_t *next;
	for (; p.size < STORE_BYTES && (next = ring_next(&c->ring, &end)); p.end = end) {
		if (p.data && next != p.data + p.size)
			break; /* the memory's end lay between */
		p.last_n = record_n(next);
		p.first_n = p.data ? p.first_n : p.last_n;
		p.data = p.data ? p.data : next;
		p.size += record_room(record_size(next));
		p.count++;
	}
	return p;
}

/* The bound is looked at again soon: what the collector takes makes room. */
static int64_t wait_for_disk(struct hy_client *c, int64_t now_ms, bool bound)
{
	int64_t wait_ms = bound ? SPOOL_WAIT_FULL : 2 * c->spool_wait_ms;
	if (!bound && wait_ms < SPOOL_WAIT_FIRST)
		wait_ms = SPOOL_WAIT_FIRST;
	c->spool_wait_ms = wait_ms < SPOOL_WAIT_MOST ? wait_ms : SPOOL_WAIT_MOST;
	c->spool_again_ms = now_ms + c->spool_wait_ms;
	return c->spool_wait_ms;
}

int64_t queue_store(struct hy_client *c, int64_t now_ms)
{
	if (!c->spool)
		return -1;
	if (c->direct)
		c->taken_at = c->parcels_out ? parcel(c, 0)->start.at : c->at.at;
	if (ring_empty(&c->ring, c->taken_at))
		return -1;
	if (now_ms < c->spool_again_ms)
		return c->spool_again_ms - now_ms;
	if (c->direct)
		spool_take_run(c->spool, &c->run);
	const struct piece p = next_piece(c, c->taken_at);
	struct hy_fault f = { 0 };
	int err = spool_append(c->spool, p.data, p.size, &f);
	c->spool_bytes = spool_bytes(c->spool);
	if (err != HY_OK) {
		bool bound = err == HY_FULL && !f.text[0];
		client_problem(c, &c->spool_problem, "%s", bound ? "the spool is full" : f.text);
		if (!bound && !c->direct)
			go_direct(c, p.first_n);
		return wait_for_disk(c, now_ms, bound);
	}
	if (c->direct)
		come_back(c);
	c->spool_wait_ms = 0;
	c->taken_at = p.end;
	ring_release(&c->ring, p.end);
	c->waiting += p.count;
	pthread_mutex_lock(&c->lock);
	c->spool_problem[0] = 0;
	c->spooled_n = p.last_n;
	pthread_mutex_unlock(&c->lock);
	return ring_empty(&c->ring, p.end) ? -1 : 0;
}

/* ---- reading ---- */

static bool next_item(struct hy_client *c, struct place *p, struct item *out)
{
	if (queue_on_disk(c)) {
		if (!spool_next(c->spool, p, out))
			return false;
	} else {
		const uint8_t *record = ring_next(&c->ring, &p->at);
		if (!record)
			return false;
		*out = (struct item){ record_n(record), hy_bytes(record + RECORD_HEAD, record_size(record)), &c->run,
			false };
		p->n = out->n + 1;
	}
	if (out->n == c->poison_n)
		out->field = ITEM_EMPTY;
	return true;
}

void queue_scan(struct hy_client *c)
{
	struct place p = c->at;
	struct item it;
	uint64_t good = 0;
	for (uint64_t i = 0; c->spool && spool_next(c->spool, &p, &it) && !(i % 1024 == 0 && c->stop); i++)
		good += !it.damaged;
	c->waiting = good;
}

bool queue_peek(struct hy_client *c, struct item *out)
{
	struct place p = c->at;
	if (next_item(c, &p, out))
		return true;
	c->at = p; /* behind what can't be read at the end of a file, so that it can go */
	return false;
}

bool queue_has(struct hy_client *c, uint64_t items)
{
	uint64_t last_n = queue_on_disk(c) ? spool_last_n(c->spool) : atomic_load(&c->ring.last_n);
	return last_n + 1 >= c->at.n + items;
}

/* ---- sending ---- */

static bool same_run(const struct run *a, const struct run *b)
{
	return memcmp(a->id, b->id, RUN_SIZE) == 0;
}

bool queue_send(
	struct hy_client *c, uint32_t items, size_t bytes, bool (*put)(void *arg, const struct item *it), void *arg)
{
	if (c->parcels_out == PARCELS_MAX)
		return false;
	struct parcel *p = parcel(c, c->parcels_out);
	*p = (struct parcel){ .start = c->at };
	struct run run = { 0 };
	struct item it;
	while (p->items < items && p->bytes < bytes) {
		struct place before = c->at;
		if (!next_item(c, &c->at, &it))
			break;
		if (p->items == 0)
			run = *it.run;
		if (!same_run(&run, it.run) || (p->items && it.n != p->last_n + 1) ||
			(p->items && p->bytes + it.field.size > bytes) || !put(arg, &it)) {
			c->at = before;
			break;
		}
		p->first_n = p->items ? p->first_n : it.n;
		p->last_n = it.n;
		p->items++;
		p->good += !it.damaged;
		p->bytes += it.field.size;
	}
	if (!p->items)
		return false;
	p->end = c->at;
	c->parcels_out++;
	c->bytes_out += p->bytes;
	c->items_out += p->items;
	c->sent += p->items;
	return true;
}

void queue_unsend(struct hy_client *c)
{
	struct parcel *p = parcel(c, --c->parcels_out);
	c->at = p->start;
	c->bytes_out -= p->bytes;
	c->items_out -= p->items;
	c->sent -= p->items;
}

void queue_rewind(struct hy_client *c)
{
	if (c->parcels_out)
		c->at = parcel(c, 0)->start;
	c->parcels_out = 0;
	c->bytes_out = c->items_out = 0;
}

/* ---- settling ---- */

static void count_settled(struct hy_client *c, uint64_t durable, uint64_t rejected)
{
	c->durable += durable;
	c->rejected += rejected;
	if (queue_on_disk(c))
		c->waiting -= durable + rejected < c->waiting ? durable + rejected : c->waiting;
}

/* Before `p` nothing is needed any more; numbers up to n are settled. */
static void let_go(struct hy_client *c, const struct place *p, uint64_t n)
{
	if (queue_on_disk(c)) {
		spool_settle(c->spool, p);
		c->spool_bytes = spool_bytes(c->spool);
	} else {
		ring_release(&c->ring, p->at);
	}
	if (n <= c->floor_n)
		return;
	c->floor_n = n;
	pthread_mutex_lock(&c->lock);
	c->settled_n = n;
	if (c->flushing)
		pthread_cond_broadcast(&c->moved);
	pthread_mutex_unlock(&c->lock);
}

/* The callback's texts come from the item as it was put in, whatever went out in its place. */
static void tell(struct hy_client *c, struct hy_bytes field, const struct refusal *r)
{
	pthread_mutex_lock(&c->lock);
	hy_client_rejected *call = c->on_rejected;
	void *arg = c->on_rejected_arg;
	pthread_mutex_unlock(&c->lock);
	if (!call)
		return;
	Huiyin__Item *item = NULL;
	struct hy_arena *a = NULL;
	struct hy_fault f;
	if (hy_arena_open(&a, 1 << 20) == HY_OK &&
		hy_wire_unpack(a, &huiyin__item__descriptor, hy_wire_field(field, 4), &item, &f) != HY_OK)
		item = NULL;
	call(arg, &(struct hy_client_rejection){ sizeof(struct hy_client_rejection), item ? item->id : "",
			  item ? item->text : "", r->pointer, r->detail });
	hy_arena_free(&a);
}

/* The items of a parcel up to number n, one by one; *p ends behind the last of them. */
static void settle_one_by_one(
	struct hy_client *c, struct parcel *p, uint64_t n, const struct refusal *refusals, size_t count, size_t *i)
{
	uint64_t durable = 0, rejected = 0;
	uint64_t poison_n = c->poison_n;
	c->poison_n = 0; /* see tell() */
	for (;;) {
		struct place before = p->start;
		struct item it;
		if (p->items == 0 || !next_item(c, &p->start, &it) || it.n > n) {
			p->start = before;
			break;
		}
		p->items--;
		c->items_out--;
		while (*i < count && refusals[*i].n < it.n)
			++*i;
		if (it.damaged) {
			c->damaged++;
		} else if (*i < count && refusals[*i].n == it.n) {
			rejected++;
			tell(c, it.field, &refusals[*i]);
		} else {
			durable++;
		}
		p->good -= !it.damaged;
	}
	c->poison_n = poison_n > n ? poison_n : 0;
	count_settled(c, durable, rejected);
}

void queue_settle(struct hy_client *c, uint64_t n, const struct refusal *refusals, size_t count)
{
	size_t i = 0;
	struct place done = { 0 };
	while (c->parcels_out) {
		struct parcel *p = parcel(c, 0);
		if (p->first_n > n)
			break;
		while (i < count && refusals[i].n <= c->floor_n)
			i++;
		bool whole = p->last_n <= n;
		if (whole && p->good == p->items && !(i < count && refusals[i].n <= p->last_n))
			count_settled(c, p->good, 0);
		else
			settle_one_by_one(c, p, n, refusals, count, &i);
		done = whole ? p->end : p->start;
		if (!whole) {
			p->first_n = n + 1;
			break;
		}
		c->bytes_out -= p->bytes;
		c->items_out -= p->items;
		c->first_parcel = (c->first_parcel + 1) % PARCELS_MAX;
		c->parcels_out--;
	}
	if (done.n)
		let_go(c, &done, done.n - 1);
}

void queue_skip(struct hy_client *c, const struct run *run, uint64_t n)
{
	uint64_t durable = 0;
	struct item it;
	for (;;) {
		struct place before = c->at;
		if (!next_item(c, &c->at, &it) || it.n > n || !same_run(it.run, run)) {
			c->at = before;
			break;
		}
		durable += !it.damaged;
		c->damaged += it.damaged;
	}
	count_settled(c, durable, 0);
	let_go(c, &c->at, c->at.n - 1);
}

void queue_rest(struct hy_client *c)
{
	uint64_t last_n = atomic_load_explicit(&c->ring.last_n, memory_order_acquire);
	uint64_t *at = queue_on_disk(c) ? &c->taken_at : &c->at.at;
	struct item it;
	if (c->parcels_out || queue_peek(c, &it) || !ring_empty(&c->ring, *at))
		return;
	let_go(c, &c->at, last_n);
	*at = ring_rest(&c->ring);
}
