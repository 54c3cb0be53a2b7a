#include "clients.h"

#include "base/err.h"

#include <stdlib.h>

#define ITEMS_SHARED 32768 /* on their way, of all clients; the writer takes twice as many */
#define BYTES_SHARED ((double)(32 << 20)) /* the same in bytes: half of what the writer takes */
#define CREDIT_FIRST 64 /* of a client that has just come: a thousand may come at once */
#define CREDIT_LEAST 4
#define CREDIT_MOST 16384
#define SUBMITS_SHARED 8192 /* the same in Submits: each has memory of its own while it is on its way */
#define SUBMITS_MOST 64 /* of one client */
#define SUBMITS_LEAST 2
#define SILENT_MS 600000 /* who says nothing for so long is forgotten */
#define PERIOD_MS 1000

struct clients {
	struct client **table;
	size_t mask, count, most;
	struct client *newest, *oldest;
	int64_t period; /* the second that is counted now */
	size_t active, before; /* clients that said something in it, and in the one before */
};

struct clients *clients_open(size_t most)
{
	struct clients *c = calloc(1, sizeof(*c));
	size_t room = 1024;
	while (room < most)
		room *= 2;
	if (!c || !(c->table = calloc(room, sizeof(*c->table))))
		hy_panic("no memory for clients");
	c->mask = room - 1;
	c->most = most;
	return c;
}

/* FNV-1a: the ids begin with a hash of the key. */
static struct client **slot(struct clients *c, struct hy_bytes id)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);
	for (size_t i = 0; i < id.size; i++)
		h = (h ^ id.data[i]) * UINT64_C(0x100000001b3);
	return &c->table[(h ^ h >> 32) & c->mask];
}

static void unlink_age(struct clients *c, struct client *m)
{
	*(m->newer ? &m->newer->older : &c->newest) = m->older;
	*(m->older ? &m->older->newer : &c->oldest) = m->newer;
}

static void link_newest(struct clients *c, struct client *m)
{
	m->newer = NULL;
	m->older = c->newest;
	*(c->newest ? &c->newest->newer : &c->oldest) = m;
	c->newest = m;
}

static void forget(struct clients *c, struct client *m)
{
	struct client **at = slot(c, hy_key_view(&m->id));
	while (*at != m)
		at = &(*at)->chain;
	*at = m->chain;
	unlink_age(c, m);
	c->count--;
	free(m);
}

void clients_close(struct clients **c)
{
	if (!*c)
		return;
	while ((*c)->oldest)
		forget(*c, (*c)->oldest);
	free((*c)->table);
	free(*c);
	*c = NULL;
}

static void turn_period(struct clients *c, int64_t period)
{
	if (period == c->period)
		return;
	c->before = period == c->period + 1 ? c->active : 0;
	c->active = 0;
	c->period = period;
}

struct client *clients_meet(struct clients *c, struct hy_bytes id, int64_t now_ms)
{
	/* Two of the silent ones go for each that speaks. */
	for (int i = 0; i < 2 && c->oldest && !c->oldest->submits && c->oldest->seen_ms < now_ms - SILENT_MS; i++)
		forget(c, c->oldest);
	turn_period(c, now_ms / PERIOD_MS);
	struct client **at = slot(c, id), *m = *at;
	while (m && !hy_bytes_equal(hy_key_view(&m->id), id))
		m = m->chain;
	if (m) {
		unlink_age(c, m);
	} else {
		if (c->count >= c->most && c->oldest->submits)
			return NULL;
		if (c->count >= c->most)
			forget(c, c->oldest);
		m = calloc(1, sizeof(*m));
		if (!m)
			return NULL;
		hy_key_bytes(&m->id, id.data, id.size);
		m->period = -1;
		m->chain = *at;
		*at = m;
		c->count++;
	}
	link_newest(c, m);
	m->seen_ms = now_ms;
	c->active += m->period != c->period;
	m->period = c->period;
	return m;
}

size_t clients_count(const struct clients *c)
{
	return c->count;
}

static double active(const struct clients *c)
{
	size_t n = c->active > c->before ? c->active : c->before;
	return n ? (double)n : 1;
}

static uint32_t share(const struct clients *c, const struct client *m)
{
	double items = ITEMS_SHARED / active(c), bytes = BYTES_SHARED / active(c);
	if (m->item_bytes > 0 && items > bytes / m->item_bytes)
		items = bytes / m->item_bytes;
	return items < CREDIT_LEAST ? CREDIT_LEAST : items > CREDIT_MOST ? CREDIT_MOST : (uint32_t)items;
}

/* Twice what it was, up to its part: a newcomer begins small, since how many come with it is known a moment later only. */
uint32_t clients_credit(struct clients *c, struct client *m)
{
	uint32_t most = share(c, m), next = m->told ? m->told * 2 : CREDIT_FIRST;
	m->told = next < most ? next : most;
	return m->told;
}

bool clients_take(struct clients *c, struct client *m, size_t items, size_t bytes)
{
	uint32_t most = share(c, m);
	if (most < m->told) /* what it was told before others came still counts */
		most = m->told;
	double submits = SUBMITS_SHARED / active(c);
	submits = submits < SUBMITS_LEAST ? SUBMITS_LEAST : submits > SUBMITS_MOST ? SUBMITS_MOST : submits;
	if ((double)m->submits >= submits || m->items + items > most)
		return false;
	m->submits++;
	m->items += items;
	if (items) {
		double each = (double)bytes / (double)items;
		m->item_bytes = m->item_bytes > 0 ? m->item_bytes * 0.75 + each * 0.25 : each;
	}
	return true;
}

void clients_give(struct client *m, size_t items)
{
	HY_ASSERT(m->submits > 0 && m->items >= items);
	m->submits--;
	m->items -= items;
}
