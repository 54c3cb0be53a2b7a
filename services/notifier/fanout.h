/* What concerns many people is one row, and a timer that walks them in chunks: each chunk is a transaction with its
 * cursor, so a restart goes on where the last commit stood, and no transaction grows with the number of people. */
#ifndef HY_NOTIFIER_FANOUT_H
#define HY_NOTIFIER_FANOUT_H

#include "notifier.h"

enum { WALK_TELL = 1, WALK_ERASE };

/* Writes the row; it is walked from the next step on. `w->cause` is set. */
int notifier_walk_begin(struct hy_step *s, const walk_row *w);

/* The timer of table walk. */
int notifier_walk_on(struct hy_step *s, struct hy_bytes key, struct hy_bytes row, void *self);

/* One link of a ticket is owed a notice of `kind`. `feedback` is the link's own when it is anonymous. */
int notifier_tell_link(struct hy_step *s, struct notifier *n, struct hy_id ticket, const case_row *c,
	struct hy_bytes person, const link_row *link, uint32_t round, Huiyin__NoticeKind kind, struct hy_id cause,
	int64_t origin_ms);

/* Somebody came to a ticket after its answer: she is owed it too. */
int notifier_tell_late(struct hy_step *s, struct notifier *n, struct hy_id ticket, const case_row *c,
	struct hy_bytes person, const link_row *link, struct hy_id cause, int64_t origin_ms);

#endif
