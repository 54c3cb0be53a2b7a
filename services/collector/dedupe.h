/* Which client ids came within the window, so that what is sent again is entered once.
 * Rows stand in arrival order in the table "dedupe" (arrival number -> row), written with the record they belong to; the look-up is a hash
 * table in memory from fingerprint to arrival number, rebuilt from the rows at start. A hit counts only when its row says the same; what an
 * aborted step left is taken out when the next one comes. The oldest rows go first: those outside `dedupe.window`, then those beyond `dedupe.ids`. Writer thread. */
#ifndef COLLECTOR_DEDUPE_H
#define COLLECTOR_DEDUPE_H

#include "service/service.h"

struct dedupe;

/* The table is allocated whole (untouched memory costs nothing). HY_NO_MEMORY. */
int dedupe_open(struct dedupe **out, struct hy_store *db, size_t ids, int64_t window_ms);
void dedupe_close(struct dedupe **d);

struct dedupe_key {
	uint8_t hash[16];  /* of (scope, client id) */
	uint64_t body;     /* of what was said */
};
struct dedupe_key dedupe_key(uint64_t scope, struct hy_bytes client_id, struct hy_bytes body);

/* It will be looked for soon: the table is large, and each look is a wait for memory. */
void dedupe_expect(const struct dedupe *d, const struct dedupe_key *k);
/* What dedupe_note() would say, without noting it. */
int dedupe_look(const struct dedupe *d, struct hy_txn *t, const struct dedupe_key *k, int64_t now_ms, struct hy_id *first);
/* HY_NOT_FOUND: new, and noted under `id`. HY_EXISTS: said before, *first is its id. HY_CONFLICT: the id came with another body. */
int dedupe_note(struct dedupe *d, struct hy_txn *t, const struct dedupe_key *k, struct hy_id id, int64_t now_ms, struct hy_id *first);

/* Ids that had to be forgotten inside their window because there were more than `dedupe.ids`. */
int64_t dedupe_overflowed(const struct dedupe *d);
size_t dedupe_count(const struct dedupe *d);

#endif
