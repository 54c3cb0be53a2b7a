/* The account of `huiyin audit`: what the daemons said, added up. Pure, so that it can be tried without daemons.
 *
 * A stream keeps its order, so "the first n feedbacks" means the same at every station and a station's counter bounds what it has of them. The
 * daemons are asked in ring order, each after the one before; a later look only finds records further on. With `accepted` feedbacks up to the last
 * id at the collector, `bound` = accepted - dead at the classifier is what reaches the router sooner or later; what it has of these, as rows and
 * dead letters, is counted row by row, and the rest is in flight. Three things prove that nothing was lost on the way:
 *   - at the classifier, what was seen is what was passed on and what is dead;
 *   - a station whose mark has passed the writer's head has seen everything the writer had counted;
 *   - the router's rows and dead letters agree with its own count of what it has seen, taken before and after the rows were walked. */
#ifndef HUIYIN_ACCOUNT_H
#define HUIYIN_ACCOUNT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	EXCUSED_NO_CONTACT,
	EXCUSED_UNSUBSCRIBED,
	EXCUSED_REFUSED,
	EXCUSED_BOUNCED,
	EXCUSED_GAVE_UP,
	EXCUSED_CAPPED,
	EXCUSED_SPAM,
	EXCUSED_ERASED,
	EXCUSED_ANONYMOUS_PRAISE,
	EXCUSED
};
extern const char *const excused_names[EXCUSED + 1];

struct station {
	int64_t seen, emitted; /* feedbacks taken in and passed on */
	int64_t dead; /* dead letters that are feedback, up to the last id accepted */
	int64_t dead_all; /* all of them, of the same moment as seen and emitted */
	int64_t mark, head; /* of its forward input; of its stream */
};

struct account {
	/* what was said */
	int64_t accepted, collector_head;
	struct station classifier, router;
	int64_t router_seen_after;
	int64_t open, held, answered, replies, excused[EXCUSED];
	int64_t duplicated;
	/* what follows */
	int64_t in_flight, dead, lost, unaccounted;
	double coverage;
};

void account_close(struct account *a);

/* The median of values in steps of (value, count) that stand in any order; sorts them. 0 when there are none. */
struct close_step {
	int64_t ms, count;
};
int64_t account_median(struct close_step *steps, size_t n);

#endif
