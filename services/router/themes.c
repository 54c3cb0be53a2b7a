#include "router/themes.h"

#include <stdlib.h>
#include <sys/random.h>

/* Room for the issues of a large house from the start: 20 MiB of addresses, of which memory takes the pages in use. Grown
 * from little, the table would still be growing after millions of records. */
#define SLOTS_FIRST ((size_t)1 << 19)

struct slot {
	uint64_t key; /* 0 = empty */
	struct hy_id newest, before;
};

/* Open addressing, at most half full. */
struct generation {
	struct slot *slots;
	size_t room, count;
	uint64_t salt; /* so that nobody can write texts that meet in one place */
};

/* What is looked for comes into the young generation; when that is full it becomes the old one, and what nobody
 * asked for meanwhile is forgotten with the old. */
struct themes {
	struct generation young, old;
	size_t most;
};

static struct generation generation_new(size_t room, uint64_t salt)
{
	struct generation g = { calloc(room, sizeof(struct slot)), room, 0, salt };
	if (!g.slots)
		hy_panic("no memory for %zu themes", room);
	return g;
}

/* For `most` themes, at most half full; large ones grow on. */
static size_t first_room(size_t most)
{
	size_t room = 16;
	while (room < 2 * most && room < SLOTS_FIRST)
		room *= 2;
	return room;
}

struct themes *themes_new(size_t most)
{
	struct themes *t = calloc(1, sizeof(*t));
	if (!t)
		hy_panic("no memory for the themes");
	t->most = most;
	uint64_t salt = 0;
	if (getrandom(&salt, sizeof(salt), 0) != sizeof(salt))
		hy_panic("no random bytes");
	t->young = generation_new(first_room(most), salt);
	return t;
}

void themes_free(struct themes **t)
{
	if (!*t)
		return;
	free((*t)->young.slots);
	free((*t)->old.slots);
	free(*t);
	*t = NULL;
}

/* Themes are hashes already: their last bytes are as good as any. */
static uint64_t key_of(uint32_t project, struct hy_bytes theme)
{
	uint64_t key = theme.size >= 8 ? hy_be_get64(theme.data + theme.size - 8) : 0;
	key ^= (uint64_t)project * UINT64_C(0x9E3779B97F4A7C15);
	return key ? key : 1;
}

/* The slot that has `key`, or the empty one where it belongs. */
static struct slot *find(const struct generation *g, uint64_t key)
{
	uint64_t mixed = key + g->salt;
	mixed = (mixed ^ mixed >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
	mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94D049BB133111EB);
	size_t at = (size_t)(mixed ^ mixed >> 31) & (g->room - 1);
	while (g->slots[at].key != 0 && g->slots[at].key != key)
		at = (at + 1) & (g->room - 1);
	return &g->slots[at];
}

static void grow(struct generation *g)
{
	struct generation larger = generation_new(g->room * 2, g->salt);
	for (size_t i = 0; i < g->room; i++)
		if (g->slots[i].key)
			*find(&larger, g->slots[i].key) = g->slots[i];
	larger.count = g->count;
	free(g->slots);
	*g = larger;
}

static struct slot *enter(struct themes *t, uint64_t key)
{
	if (t->young.count >= t->most) {
		free(t->old.slots);
		t->old = t->young;
		t->young = generation_new(first_room(t->most), t->old.salt);
	}
	if (t->young.count * 2 >= t->young.room)
		grow(&t->young);
	struct slot *s = find(&t->young, key);
	s->key = key;
	t->young.count++;
	return s;
}

/* Its slot in the young generation, brought over from the old one when it was there; NULL when it is in neither. */
static struct slot *look(struct themes *t, uint64_t key)
{
	struct slot *s = find(&t->young, key);
	if (s->key)
		return s;
	const struct slot *old = t->old.slots ? find(&t->old, key) : NULL;
	if (!old || !old->key)
		return NULL;
	struct slot kept = *old; /* entering may free the old generation */
	s = enter(t, key);
	*s = kept;
	return s;
}

void themes_put(struct themes *t, uint32_t project, struct hy_bytes theme, struct hy_id ticket)
{
	uint64_t key = key_of(project, theme);
	struct slot *s = look(t, key);
	if (!s)
		s = enter(t, key);
	if (hy_id_equal(s->newest, ticket))
		return;
	s->before = s->newest;
	s->newest = ticket;
}

bool themes_find(struct themes *t, uint32_t project, struct hy_bytes theme, struct hy_id *newest, struct hy_id *before)
{
	const struct slot *s = look(t, key_of(project, theme));
	if (!s)
		return false;
	*newest = s->newest;
	*before = s->before;
	return true;
}

/* ---- what lasts ---- */

enum { ROW_SIZE = 4 + 16 };

int themes_keep(struct hy_txn *txn, uint32_t project, struct hy_bytes theme, struct hy_id ticket)
{
	uint8_t row[ROW_SIZE] = { project >> 24, project >> 16, project >> 8, project };
	if (theme.size != ROW_SIZE - 4)
		return HY_OK;
	memcpy(row + 4, theme.data, theme.size);
	return hy_txn_put(txn, "theme", hy_id_bytes(&ticket), hy_bytes(row, sizeof(row)));
}

int themes_drop(struct hy_txn *txn, struct hy_id ticket)
{
	int err = hy_txn_del(txn, "theme", hy_id_bytes(&ticket));
	return err == HY_NOT_FOUND ? HY_OK : err;
}

int themes_load(struct themes *t, struct hy_txn *txn)
{
	struct hy_cursor c = hy_cursor_open(txn, "theme", hy_bytes(NULL, 0));
	for (; hy_cursor_on(&c); hy_cursor_next(&c)) {
		const uint8_t *p = c.value.data;
		if (c.value.size != ROW_SIZE)
			continue;
		uint32_t project = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
		themes_put(t, project, hy_bytes(p + 4, ROW_SIZE - 4), hy_id_from(c.key));
	}
	hy_cursor_close(&c);
	return hy_txn_err(txn);
}
