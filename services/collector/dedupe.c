#include "dedupe.h"

#include <stdlib.h>
#include <sys/mman.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

/* fingerprint 0 = free */
struct slot {
	uint64_t fingerprint, arrival;
};

/* A row: hash 16, body 8, id 16, at 8. */
enum { ROW = 48 };

#define NOTED 16384 /* more than one step notes */

/* What was put into the table, or taken out of it. */
struct noted {
	struct slot slot;
	bool gone;
};

struct dedupe {
	struct slot *slots;
	size_t mask, bytes, count, ids;
	int64_t window_ms, overflowed;
	int64_t oldest_ms; /* no row is older: before its window has passed nothing is forgotten */
	struct noted noted[NOTED]; /* the last changes, as a ring: an aborted step's are undone */
	uint64_t noted_count;
};

struct dedupe_key dedupe_key(uint64_t scope, struct hy_bytes client_id, struct hy_bytes body)
{
	struct dedupe_key k;
	/* No secret is kept here: who could make two ids of one key alike could as well send the same id twice. */
	XXH128_canonicalFromHash(
		(XXH128_canonical_t *)k.hash, XXH3_128bits_withSeed(client_id.data, client_id.size, scope));
	k.body = XXH3_64bits(body.data, body.size);
	return k;
}

static uint64_t fingerprint(const uint8_t hash[16])
{
	uint64_t f;
	memcpy(&f, hash + 8, 8);
	return f ? f : 1;
}

static size_t home(const struct dedupe *d, uint64_t f)
{
	return (size_t)(f * UINT64_C(0x9e3779b97f4a7c15) >> 20) & d->mask;
}

static void insert(struct dedupe *d, uint64_t f, uint64_t arrival)
{
	size_t i = home(d, f);
	while (d->slots[i].fingerprint)
		i = (i + 1) & d->mask;
	d->slots[i] = (struct slot){ f, arrival };
	d->count++;
}

/* Takes one entry out and moves up whoever had been pushed behind it, so that no search stops early. */
static void take_out(struct dedupe *d, uint64_t f, uint64_t arrival)
{
	size_t i = home(d, f);
	while (d->slots[i].fingerprint && (d->slots[i].fingerprint != f || d->slots[i].arrival != arrival))
		i = (i + 1) & d->mask;
	if (!d->slots[i].fingerprint)
		return;
	d->count--;
	for (size_t j = (i + 1) & d->mask; d->slots[j].fingerprint; j = (j + 1) & d->mask) {
		size_t h = home(d, d->slots[j].fingerprint);
		if (((j - h) & d->mask) >= ((j - i) & d->mask)) {
			d->slots[i] = d->slots[j];
			i = j;
		}
	}
	d->slots[i].fingerprint = 0;
}

int dedupe_open(struct dedupe **out, struct hy_store *db, size_t ids, int64_t window_ms)
{
	struct dedupe *d = calloc(1, sizeof(*d));
	if (!d)
		return HY_NO_MEMORY;
	*out = d;
	size_t room = 1024;
	while (room < ids * 2)
		room *= 2;
	d->mask = room - 1;
	d->ids = ids;
	d->window_ms = window_ms;
	d->bytes = room * sizeof(*d->slots);
	d->slots = mmap(NULL, d->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (d->slots == MAP_FAILED) {
		d->slots = NULL;
		return HY_NO_MEMORY;
	}
	struct hy_txn *t = hy_txn_begin(db, HY_READ);
	uint64_t rows = hy_store_rows(t, "dedupe"),
		 skip = rows > ids ? rows - ids : 0; /* the setting was lowered: the newest stay */
	for (struct hy_cursor c = hy_cursor_open(t, "dedupe", hy_bytes(NULL, 0)); hy_cursor_on(&c); hy_cursor_next(&c))
		if (skip > 0)
			skip--;
		else if (c.value.size == ROW)
			insert(d, fingerprint(c.value.data), hy_be_get64(c.key.data));
	return hy_txn_commit(&t);
}

void dedupe_close(struct dedupe **d)
{
	if (*d && (*d)->slots)
		munmap((*d)->slots, (*d)->bytes);
	free(*d);
	*d = NULL;
}

static void remember(struct dedupe *d, uint64_t f, uint64_t arrival, bool gone)
{
	d->noted[d->noted_count++ % NOTED] = (struct noted){ { f, arrival }, gone };
}

/* At most two go for each that comes, so that no step pays for a whole window at once. */
static void forget(struct dedupe *d, struct hy_txn *t, int64_t now_ms)
{
	for (int i = 0; i < 2 && (d->count > d->ids || d->oldest_ms < now_ms - d->window_ms); i++) {
		struct hy_cursor c = hy_cursor_open(t, "dedupe", hy_bytes(NULL, 0));
		bool is_row = hy_cursor_on(&c) && c.value.size == ROW;
		int64_t at_ms = is_row ? (int64_t)hy_be_get64(c.value.data + 40) : now_ms;
		bool old = at_ms<now_ms - d->window_ms, many = d->count> d->ids;
		if (is_row && (old || many)) {
			d->overflowed += many && !old;
			take_out(d, fingerprint(c.value.data), hy_be_get64(c.key.data));
			remember(d, fingerprint(c.value.data), hy_be_get64(c.key.data), true);
			hy_cursor_del(&c);
		} else {
			d->oldest_ms = at_ms;
			i = 2;
		}
		hy_cursor_close(&c);
	}
}

/* Arrivals from `arrival` on are about to be given anew: who had them before was in a step that was aborted, and so were those it
 * forgot. Left so, a disk that stays full for an hour would fill the table with ids that never came, and empty it of those that did. */
static void undo_aborted(struct dedupe *d, uint64_t arrival)
{
	for (int i = 0; i < NOTED && d->noted_count > 0; i++, d->noted_count--) {
		struct noted *last = &d->noted[(d->noted_count - 1) % NOTED];
		if (!last->gone && last->slot.arrival < arrival)
			return;
		if (!last->gone)
			take_out(d, last->slot.fingerprint, last->slot.arrival);
		else if (last->slot.fingerprint) {
			insert(d, last->slot.fingerprint, last->slot.arrival);
			d->oldest_ms = 0;
		}
		*last = (struct noted){ .gone = true };
	}
}

void dedupe_expect(const struct dedupe *d, const struct dedupe_key *k)
{
	__builtin_prefetch(&d->slots[home(d, fingerprint(k->hash))], 1);
}

int dedupe_look(
	const struct dedupe *d, struct hy_txn *t, const struct dedupe_key *k, int64_t now_ms, struct hy_id *first)
{
	uint64_t f = fingerprint(k->hash);
	struct hy_bytes row;
	uint8_t key[8];
	for (size_t i = home(d, f); d->slots[i].fingerprint; i = (i + 1) & d->mask) {
		if (d->slots[i].fingerprint != f)
			continue;
		hy_be_put64(key, d->slots[i].arrival);
		if (hy_txn_get(t, "dedupe", hy_bytes(key, 8), &row) != HY_OK || row.size != ROW)
			continue;
		if (memcmp(row.data, k->hash, 16) != 0)
			continue;
		if ((int64_t)hy_be_get64(row.data + 40) < now_ms - d->window_ms)
			continue; /* outside the window it is somebody new */
		*first = hy_id_from(hy_bytes(row.data + 24, 16));
		return memcmp(row.data + 16, &k->body, 8) == 0 ? HY_EXISTS : HY_CONFLICT;
	}
	return HY_NOT_FOUND;
}

int dedupe_note(struct dedupe *d, struct hy_txn *t, const struct dedupe_key *k, struct hy_id id, int64_t now_ms,
	struct hy_id *first)
{
	uint64_t f = fingerprint(k->hash);
	uint8_t key[8], fresh[ROW];
	struct hy_cursor last = hy_cursor_last(t, "dedupe", hy_bytes(NULL, 0));
	uint64_t arrival = hy_cursor_on(&last) ? hy_be_get64(last.key.data) + 1 : 1;
	hy_cursor_close(&last);
	undo_aborted(d, arrival);
	int known = dedupe_look(d, t, k, now_ms, first);
	if (known != HY_NOT_FOUND)
		return known;
	forget(d, t, now_ms);
	memcpy(fresh, k->hash, 16);
	memcpy(fresh + 16, &k->body, 8);
	memcpy(fresh + 24, id.b, 16);
	hy_be_put64(fresh + 40, (uint64_t)now_ms);
	hy_be_put64(key, arrival);
	int err = hy_txn_append(t, "dedupe", hy_bytes(key, 8), hy_bytes(fresh, ROW));
	if (err == HY_OK && d->count < d->mask) {
		insert(d, f, arrival);
		remember(d, f, arrival, false);
	}
	*first = id;
	return err ? err : HY_NOT_FOUND;
}

int64_t dedupe_overflowed(const struct dedupe *d)
{
	return d->overflowed;
}

size_t dedupe_count(const struct dedupe *d)
{
	return d->count;
}
