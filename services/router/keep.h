/* Lifetimes: what ended more than `keep.closed` ago leaves the tables, HY_FANOUT_CHUNK rows in each transaction,
 * and stays as counts that `audit` adds in. A pass goes over the old feedback first, then over the finished
 * tickets whose feedback is gone by then: their links, comments and rows. One row in "keep" is the pass under way,
 * or the next one's time: passes begin an hour apart. */
#ifndef ROUTER_KEEP_H
#define ROUTER_KEEP_H

#include "service/service.h"

#define KEEP_EVERY_MS ((int64_t)3600000)

void router_keep_begin(struct hy_txn *t); /* at start: sees to it that the row is there */
int router_keep_on_due(struct hy_step *s, struct hy_bytes key, struct hy_bytes row, void *self);

#endif
