/* Who streams through the ZeroMQ door at the moment, and how much each may have on its way. What is shared is one number of items; each
 * active client has an equal part of it, so that one that floods takes nothing from the others. Nothing here is needed to be right: a
 * client that is forgotten is met as a new one. Server thread. */
#ifndef COLLECTOR_CLIENTS_H
#define COLLECTOR_CLIENTS_H

#include "base/bytes.h"

struct clients;
struct client {
	struct hy_key id;
	size_t items, submits;  /* with the writer now */
	uint32_t told;          /* its credit, as the last Receipt said */
	double item_bytes;      /* of an item of its, lately */
	int64_t period;         /* second in which it was last active */
	int64_t seen_ms;
	struct client *chain;   /* in the table */
	struct client *newer, *older;
};

struct clients *clients_open(size_t most); /* panics without memory */
void clients_close(struct clients **c);

/* The client of that id, made when it is new, as active as of now (ms, monotonic). NULL when there are too many. */
struct client *clients_meet(struct clients *c, struct hy_bytes id, int64_t now_ms);
size_t clients_count(const struct clients *c);

/* How many items it may have on their way from now on; told to it. */
uint32_t clients_credit(struct clients *c, struct client *client);
/* Whether so many more may go to the writer; then they count until clients_give(). */
bool clients_take(struct clients *c, struct client *client, size_t items, size_t bytes);
void clients_give(struct client *client, size_t items);

#endif
