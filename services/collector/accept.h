/* Keeping: what was checked becomes records on `feedback`, with ids, once however often it is sent. Many submissions share one
 * commit; each is answered after it. A submission belongs to the server thread until accept_submit(), to the writer until its `done`. */
#ifndef COLLECTOR_ACCEPT_H
#define COLLECTOR_ACCEPT_H

#include "intake.h"

enum fate { FATE_REJECTED, FATE_ACCEPTED, FATE_DUPLICATE, FATE_CONFLICT };

struct submission;

/* A sender that numbers its items. Both run in the writer's transaction, and again after an aborted step. */
struct numbering {
	/* Before the first item: how many at the front were kept before (they are looked at once more, and not kept), or sets
	 * `refused`: then nothing is. */
	int (*begin)(struct hy_step *s, struct submission *sub, size_t *known);
	/* Behind the last: notes how far the sender has come. */
	int (*end)(struct hy_step *s, struct submission *sub);
};

struct submission {
	struct hy_job job;
	struct collector *collector;
	struct hy_request *request;
	struct hy_arena *arena;       /* of the items; the submission's */
	uint32_t project, key_number;
	uint64_t scope;
	size_t count;
	struct item *items;           /* in the arena */
	struct hy_id *ids;            /* in the arena: item i's, once accepted or known */
	enum fate *fates;             /* in the arena */
	void (*answer)(struct submission *s, int err); /* server thread, after the commit; frees with submission_free() */
	const struct numbering *numbering; /* NULL = none */
	bool refused;                 /* by its numbering: no item has a fate */
	bool single;                  /* not an array: its answer's statuses differ */
	bool by_header;               /* the single item's id came as Idempotency-Key */
	void *note;                   /* the answer's own */
};

/* Room for `count` items. */
struct submission *submission_new(struct collector *c, struct hy_request *request, size_t count);
void submission_free(struct submission **s);
/* Hands it to the writer; HY_BUSY or HY_FULL: nothing was handed over. Items that are not ok are left out. */
int accept_submit(struct submission *s);

#endif
