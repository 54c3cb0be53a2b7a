/* The table of readers and its rows "reader/STREAM/PEER". */
#include "stream/readers.h"

#include "base/clock.h"
#include "log/log.h"

#define ROW_VERSION 1
#define ROW_BYTES (1 + 1 + 8 + 8)
#define SEEN_EVERY_MS (3600 * 1000) /* a reader that only says it is there is written this often */

static struct hy_key row_key(const char *stream, const char *peer)
{
	struct hy_key k = { .size = 0 };
	hy_key_bytes(&k, "reader/", 7);
	hy_key_bytes(&k, stream, strlen(stream));
	hy_key_bytes(&k, "/", 1);
	hy_key_bytes(&k, peer, strlen(peer));
	return k;
}

static bool is(const struct hy_served *one, const char *peer, const char *stream)
{
	return one->used && strcmp(one->row.peer, peer) == 0 && strcmp(one->row.stream, stream) == 0;
}

struct hy_served *hy_readers_find(struct hy_readers *r, const char *peer, const char *stream)
{
	struct hy_served *found = NULL;
	pthread_mutex_lock(&r->lock);
	for (size_t i = 0; i < r->top && !found; i++)
		if (is(&r->all[i], peer, stream))
			found = &r->all[i];
	pthread_mutex_unlock(&r->lock);
	return found;
}

struct hy_served *hy_readers_by_id(struct hy_readers *r, struct hy_bytes id, const char *stream)
{
	struct hy_served *found = NULL;
	pthread_mutex_lock(&r->lock);
	for (size_t i = 0; i < r->top && !found; i++) {
		struct hy_served *one = &r->all[i];
		if (one->used && one->stream && hy_bytes_equal(hy_bytes(one->id, one->id_size), id) &&
			strcmp(one->row.stream, stream) == 0)
			found = one;
	}
	pthread_mutex_unlock(&r->lock);
	return found;
}

struct hy_served *hy_readers_add(struct hy_readers *r, const char *peer, const char *stream)
{
	struct hy_served *found = NULL;
	pthread_mutex_lock(&r->lock);
	for (size_t i = 0; i < HY_READERS_MAX && !found; i++)
		if (!r->all[i].used) {
			found = &r->all[i];
			r->top = i + 1 > r->top ? i + 1 : r->top;
		}
	if (found) {
		*found = (struct hy_served){ .used = true };
		memcpy(found->row.peer, peer, strlen(peer) + 1);
		memcpy(found->row.stream, stream, strlen(stream) + 1);
	}
	pthread_mutex_unlock(&r->lock);
	return found;
}

void hy_readers_greet(struct hy_readers *r, struct hy_served *one, const struct hy_hello *h, uint64_t from)
{
	pthread_mutex_lock(&r->lock);
	one->row.outside = h->outside;
	one->row.epoch = h->epoch;
	pthread_mutex_unlock(&r->lock);
	hy_readers_heard(r, one, from);
}

void hy_readers_heard(struct hy_readers *r, struct hy_served *one, uint64_t committed)
{
	pthread_mutex_lock(&r->lock);
	one->row.committed = committed;
	one->row.heard_ms = hy_mono_ms();
	one->row.seen_ms = hy_now_ms();
	pthread_mutex_unlock(&r->lock);
}

/* ---- rows --------------------------------------------------------------------------------------------------------- */

/* The names in "reader/STREAM/PEER". */
static bool read_key(struct hy_bytes key, char stream[HY_LINK_NAME], char peer[HY_LINK_NAME])
{
	const uint8_t *at = key.data + 7, *end = key.data + key.size;
	const uint8_t *slash = memchr(at, '/', (size_t)(end - at));
	if (!slash || slash - at >= HY_LINK_NAME || end - slash - 1 >= HY_LINK_NAME)
		return false;
	memcpy(stream, at, (size_t)(slash - at));
	stream[slash - at] = '\0';
	memcpy(peer, slash + 1, (size_t)(end - slash - 1));
	peer[end - slash - 1] = '\0';
	return true;
}

static int load_row(struct hy_readers *r, struct hy_bytes key, struct hy_bytes row)
{
	char stream[HY_LINK_NAME], peer[HY_LINK_NAME];
	if (row.size >= 1 && row.data[0] > ROW_VERSION)
		return HY_NEWER;
	if (row.size != ROW_BYTES || row.data[0] != ROW_VERSION || !read_key(key, stream, peer))
		return HY_CORRUPT;
	struct hy_served *one = hy_readers_add(r, peer, stream);
	if (!one) {
		hy_warn("reader.too_many", "stream=%s peer=%s most=%d", stream, peer, HY_READERS_MAX);
		return HY_OK;
	}
	one->row.outside = row.data[1] != 0;
	one->row.kept = one->row.committed = hy_be_get64(row.data + 2);
	one->row.seen_ms = one->stored_seen_ms = (int64_t)hy_be_get64(row.data + 10);
	one->stored = one->verified = true;
	return HY_OK;
}

int hy_readers_load(struct hy_readers *r, struct hy_store *db)
{
	struct hy_txn *t = hy_txn_begin(db, HY_READ);
	int err = HY_OK;
	struct hy_cursor c = hy_cursor_open(t, "stream", HY_LIT("reader/"));
	for (; err == HY_OK && hy_cursor_on(&c); hy_cursor_next(&c))
		err = load_row(r, c.key, c.value);
	hy_cursor_close(&c);
	if (err == HY_OK)
		err = hy_txn_err(t);
	hy_txn_abort(&t);
	return err;
}

/* Writes the reader's row when the store doesn't hold it yet. An abort of the transaction is found out by looking at the
 * row again in the next one. */
static int keep_one(struct hy_txn *t, struct hy_served *now, bool *changed)
{
	struct hy_key key = row_key(now->row.stream, now->row.peer);
	uint8_t row[ROW_BYTES] = { ROW_VERSION, now->row.outside };
	hy_be_put64(row + 2, now->row.committed);
	hy_be_put64(row + 10, (uint64_t)now->row.seen_ms);
	struct hy_bytes old;
	bool same = hy_txn_get(t, "stream", hy_key_view(&key), &old) == HY_OK && old.size == ROW_BYTES &&
		    memcmp(old.data, row, 10) == 0;
	if (same && now->row.seen_ms - (int64_t)hy_be_get64(old.data + 10) < SEEN_EVERY_MS) {
		now->stored_seen_ms = (int64_t)hy_be_get64(old.data + 10);
		now->verified = now->stored = true;
		now->row.kept = now->row.committed;
		return HY_OK;
	}
	int err = hy_txn_put(t, "stream", hy_key_view(&key), hy_bytes(row, sizeof(row)));
	if (err != HY_OK)
		return err;
	*changed = true;
	now->verified = false;
	now->stored = true;
	now->stored_seen_ms = now->row.seen_ms;
	now->row.kept = now->row.committed;
	return HY_OK;
}

int hy_readers_keep(struct hy_readers *r, struct hy_txn *t, bool *changed)
{
	bool any = false;
	int err = HY_OK;
	pthread_mutex_lock(&r->lock);
	size_t top = r->top;
	pthread_mutex_unlock(&r->lock);
	for (size_t i = 0; i < top; i++) {
		struct hy_served *one = &r->all[i], now = { .used = false };
		pthread_mutex_lock(&r->lock);
		if (one->used) {
			now.used = true;
			now.row = one->row;
			now.stored = one->stored;
			now.verified = one->verified;
			now.stored_seen_ms = one->stored_seen_ms;
		}
		pthread_mutex_unlock(&r->lock);
		if (!now.used || (now.stored && now.verified && now.row.kept == now.row.committed &&
					 now.row.seen_ms - now.stored_seen_ms < SEEN_EVERY_MS))
			continue;
		err = keep_one(t, &now, &any);
		if (err != HY_OK)
			break;
		pthread_mutex_lock(&r->lock);
		one->row.kept = now.row.kept;
		one->stored = now.stored;
		one->verified = now.verified;
		one->stored_seen_ms = now.stored_seen_ms;
		pthread_mutex_unlock(&r->lock);
	}
	if (changed)
		*changed = any;
	return err;
}

int hy_readers_forget(struct hy_readers *r, struct hy_txn *t, const char *peer, const char *stream)
{
	struct hy_served *one = hy_readers_find(r, peer, stream);
	if (!one)
		return HY_NOT_FOUND;
	struct hy_key key = row_key(stream, peer);
	int err = hy_txn_del(t, "stream", hy_key_view(&key));
	if (err != HY_OK && err != HY_NOT_FOUND)
		return err;
	/* Its next Pull finds nobody, so it says Hello, and is refused once its place is trimmed. */
	pthread_mutex_lock(&r->lock);
	one->used = false;
	pthread_mutex_unlock(&r->lock);
	return HY_OK;
}

/* ---- looking ------------------------------------------------------------------------------------------------------ */

size_t hy_readers_list(struct hy_readers *r, struct hy_reader *out, size_t room)
{
	size_t n = 0;
	int64_t now_ms = hy_mono_ms();
	pthread_mutex_lock(&r->lock);
	for (size_t i = 0; i < r->top && n < room; i++) {
		if (!r->all[i].used)
			continue;
		out[n] = r->all[i].row;
		out[n].linked = out[n].heard_ms && now_ms - out[n].heard_ms < HY_LINK_LINKED_MS;
		n++;
	}
	pthread_mutex_unlock(&r->lock);
	return n;
}

static uint64_t kept_of_station(const struct hy_readers *r, const char *peer, const char *stream)
{
	for (size_t i = 0; i < r->top; i++)
		if (is(&r->all[i], peer, stream) && !r->all[i].row.outside)
			return r->all[i].row.kept;
	return 0;
}

uint64_t hy_readers_floor(struct hy_readers *r, const char *stream, const char *const *ring, bool count_outside)
{
	uint64_t floor = UINT64_MAX;
	pthread_mutex_lock(&r->lock);
	for (; ring && *ring; ring++) {
		uint64_t kept = kept_of_station(r, *ring, stream);
		floor = kept < floor ? kept : floor;
	}
	for (size_t i = 0; i < r->top && count_outside; i++) {
		const struct hy_served *one = &r->all[i];
		if (one->used && one->row.outside && strcmp(one->row.stream, stream) == 0 && one->row.kept < floor)
			floor = one->row.kept;
	}
	pthread_mutex_unlock(&r->lock);
	return floor;
}
