/* What is owed to whom: the outbox with its states, the queue, and the ledger of what became of each notice.
 *
 *     QUEUED -> DOT -> SENT | DEFER -> DOT ... | HELD -> QUEUED (staff) | DEAD
 *
 * A notice's id is derived from what it is about, so asking for it again makes nothing. It lives in the outbox
 * until it has its one final outcome, then in the ledger, and a Delivery goes out in the same transaction. The way
 * through a channel is in send.h. */
#ifndef HY_NOTIFIER_OUTBOX_H
#define HY_NOTIFIER_OUTBOX_H

#include "notifier.h"

enum notifier_state {
	NOTICE_NOWHERE,
	NOTICE_QUEUED,
	NOTICE_DOT,
	NOTICE_DEFER,
	NOTICE_HELD,
	NOTICE_SENT,
	NOTICE_DEAD,
	NOTICE_STATES
};
enum notifier_verb { VERB_DOT, VERB_SENT, VERB_LATER, VERB_NEVER, VERB_HOLD, VERB_RELEASE, VERB_DROP, VERBS };

/* The one transition table; NOTICE_NOWHERE when that can't happen. */
enum notifier_state notifier_state_after(enum notifier_state state, enum notifier_verb verb);
const char *notifier_state_name(enum notifier_state state);
const char *notifier_outcome_name(uint32_t outcome); /* "told", "no_contact" ... */

/* What a notice is about. */
struct notifier_about {
	Huiyin__NoticeKind kind;
	struct hy_id ticket, feedback; /* thanks have no ticket */
	uint32_t round;
	struct hy_bytes person; /* empty = anonymous */
	uint32_t project;
	uint64_t number;
	const char *language, *words;
	struct hy_id cause;
	int64_t origin_ms;
};
struct hy_id notifier_notice_id(const struct notifier_about *a);

/* Makes the notice unless it exists. Where nobody can be reached it is settled at once; a receipt or word of a
 * reopening is then not made at all, since it would say nothing that the answer won't. */
int notifier_tell(struct hy_step *s, struct notifier *n, const struct notifier_about *a);

/* A notice of the outbox changes state: VERB_LATER waits until `due_ms`, VERB_RELEASE goes at once. HY_BAD_STATE. */
int notifier_outbox_move(struct hy_step *s, struct hy_id id, notice_row *row, enum notifier_verb verb, int64_t due_ms);
/* Holds it until a person decides: said on the stream. */
int notifier_outbox_hold(struct hy_step *s, struct notifier *n, struct hy_id id, notice_row *row, const char *reason);
/* Its final outcome: out of the outbox, into the ledger, onto the stream. */
int notifier_outbox_settle(struct hy_step *s, struct notifier *n, struct hy_id id, notice_row *row,
	Huiyin__Outcome outcome, const char *channel, const char *reason);

/* The queue a notice stands in: answers go before receipts, however many of these there are. */
const char *notifier_outbox_queue(uint32_t kind);

int notifier_outbox_get(struct hy_txn *t, struct hy_arena *a, struct hy_id id, notice_row **out);

/* Counters kept as rows ("made", "held", "told" ...). */
void notifier_tally(struct hy_txn *t, const char *name, int64_t delta);

#endif
