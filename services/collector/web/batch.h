/* POST /v1/feedback as lines (application/x-ndjson): each line is parsed and checked as it arrives, and about a thousand of them at a time are handed
 * to the writer while reading goes on; one answer follows the last commit. A line at fault costs only itself. What was handed over stays, whatever
 * becomes of the rest: a client that breaks off sends all of it again, and ids make that harmless. Server thread. */
#ifndef COLLECTOR_BATCH_H
#define COLLECTOR_BATCH_H

#include "reception.h"

#define BATCH_ITEMS_MAX 100000 /* lines of one body that are read ... */
#define BATCH_REFUSED_MAX 10000 /* ... and of them, those that are not taken: then it is the wrong body, or the wrong moment */
/* Bytes that all batches together may hold: lines cut by a piece, and parts that are being filled or wait for their commit. */
#define BATCH_ROOM ((int64_t)32 << 20)

/* In head(), once key and rate were looked at: the body will come to it. 503. */
void batch_begin(struct collector *c, struct hy_request *q, const struct hy_api_key *key);
/* In handle(): the body is there. The answer comes now or later. */
void batch_end(struct hy_request *q);
/* In dropped(): it never will be. Does nothing without a batch. */
void batch_dropped(struct hy_request *q);

#endif
