/* A small store in a directory of its own. */
#ifndef HY_TESTS_STORE_FIXTURE_H
#define HY_TESTS_STORE_FIXTURE_H

#include "support/test.h"

#include "base/clock.h"
#include "store/store.h"

#define SMALL ((uint64_t)32 << 20) /* a quota that keeps the first growth short */

static const char *const tables[] = { "ticket", "due", "link", NULL };

struct fx {
	char *dir;
	struct hy_store *db;
	struct hy_fault fault;
};

static inline int fx_try(struct fx *fx, const struct hy_store_options *o)
{
	return hy_store_open(&fx->db, fx->dir, o, &fx->fault);
}

static inline void fx_open(struct fx *fx)
{
	const struct hy_store_options o = { .tables = tables, .maker = "router", .version = 3, .quota_bytes = SMALL };
	int err = fx_try(fx, &o);
	if (err != HY_OK)
		fail_msg("%s", fx->fault.text);
}

static inline void fx_reopen(struct fx *fx)
{
	hy_store_close(&fx->db);
	fx_open(fx);
}

static inline int begin(void **state)
{
	struct fx *fx = calloc(1, sizeof(*fx));
	fx->dir = test_mkdir();
	fx_open(fx);
	*state = fx;
	return 0;
}

static inline int end(void **state)
{
	struct fx *fx = *state;
	hy_store_close(&fx->db);
	test_rmdir(fx->dir);
	free(fx);
	hy_clock_stand(-1);
	return 0;
}

static inline struct hy_bytes text(const char *s)
{
	return hy_bytes_text(s);
}

static inline void put_all(struct fx *fx, const char *table, const char *const *keys)
{
	struct hy_txn *t = hy_txn_begin(fx->db, HY_WRITE);
	for (; *keys; keys++)
		hy_txn_put(t, table, text(*keys), text(*keys));
	assert_int_equal(hy_txn_commit(&t), HY_OK);
}

/* "a b c": the keys in the order they are met. */
static inline const char *walked(struct hy_store *db, const char *table, const char *prefix, bool back)
{
	static char line[1024];
	line[0] = '\0';
	struct hy_txn *t = hy_txn_begin(db, HY_READ);
	struct hy_cursor c = back ? hy_cursor_last(t, table, text(prefix)) : hy_cursor_open(t, table, text(prefix));
	while (hy_cursor_on(&c)) {
		size_t n = strlen(line);
		snprintf(line + n, sizeof(line) - n, "%s%.*s", n ? " " : "", (int)c.key.size, (const char *)c.key.data);
		assert_true(hy_bytes_equal(c.key, c.value));
		if (back)
			hy_cursor_prev(&c);
		else
			hy_cursor_next(&c);
	}
	assert_int_equal(hy_txn_commit(&t), HY_OK);
	return line;
}

#endif
