/* What became of the items of a request, gathered part by part and said once, after the commits. The text is made here by hand: a batch's answer is a
 * thousand ids, and a tree of them would cost more than what they stand for. Server thread. */
#ifndef COLLECTOR_ANSWER_H
#define COLLECTOR_ANSWER_H

#include "collector/accept.h"

/* How the items came, which decides what their pointers say and what the answer's status is. */
enum answer_form { ANSWER_SINGLE, ANSWER_ARRAY, ANSWER_LINES };

struct answer {
	enum answer_form form;
	size_t items, accepted, duplicates, later;
	const char *conflict; /* what a single item's was; NULL = none */
	enum intake_later why; /* the first reason of those that may be sent again */
	int64_t wait_ms; /* when to come back, where it is known better than from `why` */
	struct hy_buffer ids, rejected; /* the members of both arrays */
};

/* The items of `s`, behind those that are there. `err`: none of them was kept. */
void answer_add(struct answer *a, const struct submission *s, int err);
/* 202 when something is kept, now or before; else 409, 422, 429 or 503 with the reasons. */
void answer_send(const struct answer *a, struct hy_request *q);
void answer_free(struct answer *a);
/* All of that for one submission: its `answer`. */
void answer_items(struct submission *s, int err);

#endif
