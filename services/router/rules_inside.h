/* What reading rules and judging by them share. */
#ifndef ROUTER_RULES_INSIDE_H
#define ROUTER_RULES_INSIDE_H

#include "router/rules.h"

#define DEPARTMENTS_MAX 64

enum field {
	FIELD_LABEL, /* one of the classification's labels */
	FIELD_TEXT, /* one of its texts */
	FIELD_POLARITY,
	FIELD_SARCASTIC,
	FIELD_UNSURE,
	FIELD_REASON,
	FIELD_THEME,
	FIELD_PII,
	FIELD_PROJECT,
	FIELD_CHANNEL,
	FIELD_KIND,
	FIELD_TAG,
	FIELD_TRAIT,
	FIELD_RATING,
};

struct bounds {
	bool on, low_open, high_open;
	double low, high;
};

struct words {
	const char **at;
	size_t count;
};

struct test {
	enum field field;
	size_t offset; /* FIELD_LABEL, FIELD_TEXT: where in the classification */
	const char *name; /* FIELD_TRAIT: which */
	struct words is, isnt; /* none: any */
	struct bounds confidence; /* FIELD_LABEL */
	struct bounds number; /* polarity, score */
	bool truth; /* sarcastic, unsure */
};

struct rule {
	struct ruling ruling;
	struct test *tests;
	size_t count;
};

struct rules {
	struct hy_arena *memory;
	struct department departments[DEPARTMENTS_MAX];
	const char *names[DEPARTMENTS_MAX + 1];
	size_t department_count;
	struct rule *rules;
	size_t rule_count;
};

#endif
