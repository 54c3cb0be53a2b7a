/* The people of a ticket: one link each, with the round in which she waits, what became of telling her, and her
 * answer.
 *
 * Her round is the later of link.round and the ticket's floor_round (a staff reopen lifts everybody at once,
 * without touching a link). She waits when that is the ticket's round; she is told when a final TOLD came for it.
 * The ticket's counters follow:
 *     round_people  links of the current round           awaiting  of those, without a final outcome (while resolved or declined)
 *     told          links told for their round           yes       of those, with the answer that it helped
 * Anonymous people can't be recognised again: each of their feedbacks is a person of its own. */
#ifndef ROUTER_PEOPLE_H
#define ROUTER_PEOPLE_H

#include "router/ticket.h"

enum { ANSWER_NONE, ANSWER_YES, ANSWER_NO };

struct link {
	struct hy_key key;
	Huiyin__Router__Link *row;
	bool fresh; /* not stored before */
};

/* Whose link: a person, or an anonymous feedback when `person` is empty. */
struct hy_key link_key(struct hy_id ticket, struct hy_bytes person, struct hy_bytes feedback);
/* What identifies her in a link's key; *anonymous tells which kind. */
struct hy_bytes link_who(struct hy_bytes key, bool *anonymous);

/* Reads the link, or makes an empty one (fresh). */
int link_get(struct hy_txn *t, struct hy_arena *a, struct hy_key key, struct link *out);
int link_put(struct hy_txn *t, const struct link *l);

uint32_t link_round(const struct ticket *k, const struct link *l);
bool link_waits(const struct ticket *k, const struct link *l);
bool link_told(const struct ticket *k, const struct link *l);

/* She takes part in the current round, told or not before. Counts in *k; puts the link when it changed; the caller
 * puts the ticket. */
int people_join(struct hy_step *s, struct ticket *k, struct link *l);
/* A delivery outcome for (ticket, round, person). *settled: it was the last one of the current round, the wait
 * begins. *changed: the ticket's row did. */
int people_outcome(struct hy_step *s, struct ticket *k, struct link *l, uint32_t round, Huiyin__Outcome outcome,
	bool *settled, bool *changed);
/* Her answer; round 0 = not said. Counts a yes. */
int people_answer(struct hy_step *s, struct ticket *k, struct link *l, int answer, uint32_t round);
/* Whether everybody told said yes, and nobody is still to be told. */
bool people_content(const struct ticket *k);

#endif
