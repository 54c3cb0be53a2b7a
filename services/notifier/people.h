/* People and what they take part in: contacts and preferences by person, the tickets' cases, and who waits in which
 * round. */
#ifndef HY_NOTIFIER_PEOPLE_H
#define HY_NOTIFIER_PEOPLE_H

#include "notifier.h"

/* Learns from a feedback record: contact, name, locale; preferences; a wish to be forgotten. A row is written only
 * when something changed. */
int notifier_people_learn(struct hy_step *s, struct notifier *n);

/* The contact of `person` and her address in the clear. HY_NOT_FOUND; HY_DAMAGED when it was sealed with another
 * key. `email` and `phone` live in `a`. */
struct notifier_contact {
	const contact_row *row;
	const char *email, *phone;
};
int notifier_people_contact(struct hy_txn *t, struct hy_arena *a, const struct notifier *n, struct hy_bytes person,
	struct notifier_contact *out);
bool notifier_people_gone(struct hy_txn *t, struct hy_bytes person);

/* "zh" or "en": by locale when there is one, else by the language of what she wrote. */
const char *notifier_people_language(const char *locale, const char *language);

/* Brings a ticket's case up to date with an event; *out lives in the step's arena. */
int notifier_people_case(struct hy_step *s, const Huiyin__TicketEvent *ev, case_row **out);

/* Somebody joins a ticket (`feedback`: which one made her). *fresh: she did not wait in this round before. */
struct notifier_join {
	struct hy_id ticket, feedback;
	struct hy_bytes person;
	uint32_t round;
	const char *language, *words;
	int64_t origin_ms;
};
int notifier_people_join(struct hy_step *s, const struct notifier_join *j, link_row **out, bool *fresh);

#endif
