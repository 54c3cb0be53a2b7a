/* Walks in key order. A walk stays within its prefix and closes itself when it leaves it. */
#include <errno.h>
#include <stdlib.h>

#include "store/inside.h"

static void walk_free(struct hy_walk *w)
{
	mdb_cursor_close(w->mdb);
	*w->link = w->next;
	if (w->next)
		w->next->link = w->link;
	free(w);
}

/* LMDB frees a writer's cursors with its transaction and never a reader's; here both go before it ends. */
void hy_txn_close_walks(struct hy_txn *t)
{
	while (t->walks)
		walk_free(t->walks);
}

void hy_cursor_close(struct hy_cursor *c)
{
	if (c->handle)
		walk_free(c->handle);
	c->handle = NULL;
	c->on = false;
	c->key = c->value = (struct hy_bytes){ 0 };
}

/* Moves, and leaves the walk on a row of its prefix, or closed. */
static void move(struct hy_cursor *c, MDB_val *k, MDB_cursor_op op)
{
	MDB_val v;
	struct hy_walk *w = c->handle;
	int rc = mdb_cursor_get(w->mdb, k, &v, op);
	if (rc && rc != MDB_NOTFOUND)
		hy_txn_fail(c->txn, rc);
	if (rc || !hy_bytes_starts(hy_val_view(*k), hy_key_view(&c->prefix))) {
		hy_cursor_close(c);
		return;
	}
	c->key = hy_val_view(*k);
	c->value = hy_val_view(v);
	c->on = true;
}

static struct hy_cursor start(struct hy_txn *t, const char *table, struct hy_bytes prefix)
{
	struct hy_cursor c = { .txn = t };
	hy_key_bytes(&c.prefix, prefix.data, prefix.size);
	if (t->err != HY_OK)
		return c;
	const struct hy_table *tab = hy_store_table(t->store, table);
	if (tab->missing)
		return c;
	struct hy_walk *w = calloc(1, sizeof(*w));
	int rc = w ? mdb_cursor_open(t->mdb, tab->dbi, &w->mdb) : ENOMEM;
	if (rc) {
		free(w);
		hy_txn_fail(t, rc);
		return c;
	}
	w->next = t->walks;
	if (w->next)
		w->next->link = &w->next;
	w->link = &t->walks;
	t->walks = w;
	c.handle = w;
	return c;
}

struct hy_cursor hy_cursor_open(struct hy_txn *t, const char *table, struct hy_bytes prefix)
{
	struct hy_cursor c = start(t, table, prefix);
	if (c.handle)
		move(&c, &(MDB_val){ c.prefix.size, c.prefix.data }, prefix.size ? MDB_SET_RANGE : MDB_FIRST);
	return c;
}

struct hy_cursor hy_cursor_last(struct hy_txn *t, const char *table, struct hy_bytes prefix)
{
	struct hy_cursor c = start(t, table, prefix);
	if (!c.handle)
		return c;
	/* The first key behind the prefix is the prefix with its last byte raised, and the one before that is ours. */
	struct hy_key behind = c.prefix;
	while (behind.size && behind.data[behind.size - 1] == 0xff)
		behind.size--;
	MDB_val k = { behind.size, behind.data }, v;
	struct hy_walk *w = c.handle;
	int rc = MDB_NOTFOUND;
	if (behind.size) {
		behind.data[behind.size - 1]++;
		rc = mdb_cursor_get(w->mdb, &k, &v, MDB_SET_RANGE);
	}
	if (rc && rc != MDB_NOTFOUND) {
		hy_txn_fail(t, rc);
		hy_cursor_close(&c);
		return c;
	}
	move(&c, &k, rc ? MDB_LAST : MDB_PREV);
	return c;
}

bool hy_cursor_on(const struct hy_cursor *c)
{
	return c->on;
}

void hy_cursor_next(struct hy_cursor *c)
{
	if (c->on)
		move(c, &(MDB_val){ 0 }, MDB_NEXT);
}

void hy_cursor_prev(struct hy_cursor *c)
{
	if (c->on)
		move(c, &(MDB_val){ 0 }, MDB_PREV);
}

void hy_cursor_seek(struct hy_cursor *c, struct hy_bytes from)
{
	struct hy_bytes prefix = hy_key_view(&c->prefix);
	if (!c->handle)
		return;
	if (hy_bytes_cmp(from, prefix) < 0)
		from = prefix;
	MDB_val k = hy_val(from);
	move(c, &k, from.size ? MDB_SET_RANGE : MDB_FIRST);
}

int hy_cursor_del(struct hy_cursor *c)
{
	struct hy_txn *t = c->txn;
	if (t->err != HY_OK)
		return t->err;
	HY_ASSERT(t->mode == HY_WRITE);
	if (!c->on)
		return HY_NOT_FOUND;
	struct hy_walk *w = c->handle;
	int rc = mdb_cursor_del(w->mdb, 0);
	c->key = c->value = (struct hy_bytes){ 0 };
	return rc ? hy_txn_fail(t, rc) : HY_OK;
}
