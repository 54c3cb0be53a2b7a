/* How urgent: a sum of points for what is said (danger, fraud, lost money, threats, deadlines, asking again) and how. There is no
 * honest data to learn this from, so it is rules, and every level comes with its reasons. */
#ifndef CLASSIFIER_URGENCY_H
#define CLASSIFIER_URGENCY_H

#include "lexicon.h"

#define URGENCY_REASONS_MAX 16

struct urgency {
	const char *level; /* low, normal, high, critical */
	float points, confidence;
	const char *reasons[URGENCY_REASONS_MAX]; /* fixed words, heaviest first */
	size_t reason_count;
};

struct urgency_case {
	const struct found *found;
	const char *type;
	float polarity; /* -1..1 */
	bool rated;
	float rating; /* -1..1 when rated */
};

struct urgency urgency_of(const struct urgency_case *c);

#endif
