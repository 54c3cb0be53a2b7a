/* Who is reached, when, and whether at all. In this order (definitions.md 5): nobody to tell, erased, unsubscribed,
 * no way to reach her, an address that is none, quiet hours. What is found is always written down: a notice that
 * does not go out has its reason. */
#ifndef HY_NOTIFIER_DECIDE_H
#define HY_NOTIFIER_DECIDE_H

#include "people.h"

struct notifier_verdict {
	Huiyin__Outcome outcome; /* OUTCOME_NONE: it goes out, else what becomes of it */
	const char *reason; /* a sentence; "" for none */
	int64_t due_ms; /* not before */
	struct notifier_contact contact;
};
int notifier_decide(struct hy_txn *t, struct hy_arena *a, const struct notifier *n, struct hy_bytes person,
	uint32_t kind, int64_t now_ms, struct notifier_verdict *out);

/* The end of the quiet hours that hold at `now_ms` in `timezone` (IANA; unknown or empty: UTC), or `now_ms` outside
 * of them. `from` and `to` are HH:MM and may span midnight; anything else means no quiet hours. */
int64_t notifier_quiet_until(int64_t now_ms, const char *from, const char *to, const char *timezone);

#endif
