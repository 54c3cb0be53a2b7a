/* What became of every feedback, added up. `audit` walks the rows in the order of ids, at most AUDIT_ROWS of them
 * in one command, and answers with partial sums and the cursor of the next page; a row's state is worked out from
 * its ticket's link, so that the sums can't drift from what they count.
 *
 *     open       its ticket is not answered yet, or its thanks not sent
 *     held       a notice waits for a decision by staff
 *     answered   told the outcome, or thanked for praise
 *     excused    nobody could be told, by reason
 *     replies    answers to our answers: closed with their ticket
 *
 * close_ms is a histogram of [ms from acceptance to the answer, how many], in steps of about 1.5 %. */
#ifndef ROUTER_AUDIT_H
#define ROUTER_AUDIT_H

#include "router/rows.h"
#include "service/service.h"

#define AUDIT_ROWS 50000

enum audit_state {
	AUDIT_OPEN,
	AUDIT_HELD,
	AUDIT_ANSWERED,
	AUDIT_REPLIES,
	AUDIT_NO_CONTACT, /* the excused begin here */
	AUDIT_UNSUBSCRIBED,
	AUDIT_REFUSED,
	AUDIT_BOUNCED,
	AUDIT_GAVE_UP,
	AUDIT_CAPPED,
	AUDIT_SPAM,
	AUDIT_ERASED,
	AUDIT_ANONYMOUS_PRAISE,
	AUDIT_STATES,
};
extern const char *const router_audit_state_names[]; /* by enum audit_state */

enum { AUDIT_BUCKETS = 40 * 64 };
struct audit_sums {
	int64_t states[AUDIT_STATES];
	int64_t rows;
	uint32_t close[AUDIT_BUCKETS];
};

/* The state of one feedback; *close_ms = how long its answer took, when answered. */
int router_audit_state(struct hy_txn *t, struct hy_arena *a, struct hy_id id, const Huiyin__Router__Feedback *row,
	enum audit_state *state, int64_t *close_ms);
void router_audit_add(struct audit_sums *sums, enum audit_state state, int64_t close_ms);

/* Sums of what has left the tables (keep.h) live in "count". */
int router_audit_fold(struct hy_txn *t, const struct audit_sums *sums);
int router_audit_folded(struct hy_txn *t, struct audit_sums *sums); /* adds them to *sums */

int router_audit_run(struct hy_step *s, struct hy_ask *a, void *self);

#endif
