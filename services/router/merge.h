/* Merging: a ticket becomes a duplicate of another, and its waiting people move there, HY_FANOUT_CHUNK of them in
 * each transaction. Who has been told in an earlier round stays behind: she has her answer. While people are on
 * their way the other ticket can't be answered. */
#ifndef ROUTER_MERGE_H
#define ROUTER_MERGE_H

#include "router/ticket.h"

/* Both are open; `from` ends here and both rows are put. The people follow by the timer. */
int router_merge_begin(
	struct hy_step *s, struct ticket *from, struct ticket *into, struct hy_id command, const char *actor);
int router_merge_on_move(struct hy_step *s, struct hy_bytes key, struct hy_bytes row, void *self);

#endif
