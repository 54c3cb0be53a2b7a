/* Which ticket an issue has: from (project, theme) to its newest ticket, in memory, because themes are hashes and
 * a row for each under its hash would scatter writes over the whole table. What lasts are rows of "theme" under
 * the ticket's id, which come in order; at start they are read once. Memory is bounded: of the issues heard of
 * lately THEMES_MAX are remembered, at most twice as many; an issue that nobody has raised for so long opens a
 * ticket that follows nothing. A ticket that was found must be checked: only its row says what its theme is. */
#ifndef ROUTER_THEMES_H
#define ROUTER_THEMES_H

#include "base/id.h"
#include "store/store.h"

#define THEMES_MAX ((size_t)1 << 20)

struct themes;
struct themes *themes_new(size_t most); /* panics without memory; `most` is THEMES_MAX but in tests */
void themes_free(struct themes **t);

/* Reads the rows of "theme". */
int themes_load(struct themes *t, struct hy_txn *txn);
/* The row that lasts. */
int themes_keep(struct hy_txn *txn, uint32_t project, struct hy_bytes theme, struct hy_id ticket);
int themes_drop(struct hy_txn *txn, struct hy_id ticket);

/* From now on `ticket` is the newest. The one before it is remembered too: the step that opened `ticket` may yet
 * be undone. */
void themes_put(struct themes *t, uint32_t project, struct hy_bytes theme, struct hy_id ticket);
/* The newest, and the one before it (zero when there is none); false when the issue is not known. */
bool themes_find(struct themes *t, uint32_t project, struct hy_bytes theme, struct hy_id *newest, struct hy_id *before);

#endif
