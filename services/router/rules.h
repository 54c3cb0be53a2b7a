/* Who acts: the departments of huiyin.yaml, and the rules that send a feedback to one of them. Rules are tried in
 * the file's order and the first whose conditions all hold decides: a ticket for a department, thanks, or spam.
 * What no rule catches is the router's to decide (praise is thanked, the rest goes to triage).
 *
 *     rules:
 *       - name: parcels
 *         when: { topic: { is: delivery, confidence: 0.5 }, type: [complaint, question], rating: { scale: nps, score: "<= 6" } }
 *         department: logistics
 *         priority: high
 *
 * A condition's value is a word, a list of words (any of them), or a map with `is`, `not` and `confidence`.
 * Numbers are compared as "<= 6", "> 0.5", "3..5", or plain: equal (for confidence: at least). Faults are reported
 * at their place in the file. */
#ifndef ROUTER_RULES_H
#define ROUTER_RULES_H

#include "conf/conf.h"
#include "wire/wire.h"

#define TRIAGE "triage" /* where everything goes that nobody claimed; must exist */
#define MARKETING "marketing" /* praise without a rule, where it exists */

enum urgency { URGENCY_LOW, URGENCY_NORMAL, URGENCY_HIGH, URGENCY_CRITICAL, URGENCY_COUNT };
extern const char *const urgency_names[]; /* NULL-terminated, by enum urgency */
enum urgency urgency_rank(const char *name); /* URGENCY_NORMAL for a word it does not know */

struct department {
	const char *name, *zh, *en;
	int64_t due_ms[URGENCY_COUNT]; /* from opening to due */
};

enum ruling_act { RULING_NONE, RULING_TICKET, RULING_THANK, RULING_SPAM };
struct ruling {
	enum ruling_act act;
	const char *rule; /* its name; "" when none matched */
	const char *department; /* "" when the rule names none */
	const char *priority; /* "" or a name of urgency */
};

struct rules;

/* The settings it walks: departments, rules. To be among the tables of hy_conf_open(), with `projects`. */
extern const struct hy_conf_row router_rules_conf[];

/* Reads both. Faults go to the configuration (hy_conf_verdict() tells); the result can be used even so. Without
 * departments in the file the eight of `huiyin init` exist. The caller owns *out: rules_free(). */
void rules_read(struct rules **out, const struct hy_conf *conf);
void rules_free(struct rules **r);

/* Pure: any thread. Views live as long as the rules. */
void rules_judge(const struct rules *r, const Huiyin__Envelope *e, struct ruling *out);

const struct department *rules_department(const struct rules *r, const char *name); /* NULL when there is none */
const char *const *rules_departments(const struct rules *r); /* their names, NULL-terminated */

#endif
