#include "account.h"

#include <stdlib.h>

const char *const excused_names[EXCUSED + 1] = { "no_contact", "unsubscribed", "refused", "bounced", "gave_up",
	"capped", "spam", "erased", "anonymous_praise", NULL };

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t above_zero(int64_t n)
{
	return n > 0 ? n : 0;
}

void account_close(struct account *a)
{
	int64_t states = a->open + a->held + a->answered + a->replies;
	for (size_t i = 0; i < EXCUSED; i++)
		states += a->excused[i];
	int64_t bound = above_zero(a->accepted - a->classifier.dead);
	int64_t arrived = states + a->router.dead; /* at the router, row by row */
	int64_t least_arrived = least(a->router.seen, bound), most_arrived = least(a->router_seen_after, bound);
	/* Between the two looks anything may have arrived; outside of them something is missing, or too much. */
	int64_t believed = arrived < least_arrived ? least_arrived : arrived > most_arrived ? most_arrived : arrived;
	a->in_flight = bound - believed;
	a->dead = a->classifier.dead + a->router.dead;
	a->lost = a->classifier.seen - a->classifier.emitted - a->classifier.dead_all;
	if (a->classifier.mark >= a->collector_head)
		a->lost += above_zero(a->accepted - a->classifier.seen);
	if (a->router.mark >= a->classifier.head)
		a->lost += above_zero(a->classifier.emitted - a->router.seen);
	/* What is lost on the way would look as if it were in flight for ever. */
	int64_t hidden = a->lost > 0 ? least(a->lost, a->in_flight) : 0;
	a->in_flight -= hidden;
	a->unaccounted = a->accepted - (a->in_flight + a->dead + states);
	int64_t due = a->accepted - a->replies - a->excused[EXCUSED_SPAM] - a->excused[EXCUSED_ERASED];
	a->coverage = due > 0 ? (double)a->answered / (double)due : 1;
}

static int by_ms(const void *a, const void *b)
{
	const struct close_step *x = a, *y = b;
	return (x->ms > y->ms) - (x->ms < y->ms);
}

int64_t account_median(struct close_step *steps, size_t n)
{
	int64_t all = 0, at = 0;
	if (n)
		qsort(steps, n, sizeof(*steps), by_ms);
	for (size_t i = 0; i < n; i++)
		all += steps[i].count;
	for (size_t i = 0; i < n; i++) {
		at += steps[i].count;
		if (2 * at >= all && all)
			return steps[i].ms;
	}
	return 0;
}
