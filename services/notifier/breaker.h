/* When to leave somebody alone who can't be reached: a minute, then two, five and ten, with one try after each. One for the mail server that we give
 * our mail to, and a table of those behind it, by domain, which say "later" through it. Times are monotonic; a restart begins anew. */
#ifndef HY_NOTIFIER_BREAKER_H
#define HY_NOTIFIER_BREAKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct breaker {
	unsigned trips; /* in a row; 0 = all is well */
	int64_t until_ms; /* nothing is tried before */
};
/* How long it waits now. A trip while it waits (others were on their way) changes nothing. */
int64_t breaker_trip(struct breaker *b, int64_t mono_ms);
void breaker_mend(struct breaker *b);
/* ms until it may be tried; 0 = now. */
int64_t breaker_wait(const struct breaker *b, int64_t mono_ms);

/* Of domains: so many "later" in a row, and the domain waits. Greylisting, which says "later" to each new correspondence, stays far below. */
enum { BREAKER_DOMAINS = 64, BREAKER_ROW = 20 };
struct breaker_domains {
	struct breaker_domain {
		char name[256];
		unsigned row; /* so many in a row */
		int64_t at_ms;
		struct breaker breaker;
	} of[BREAKER_DOMAINS];
};
void breaker_said_later(struct breaker_domains *d, const char *address, int64_t mono_ms);
void breaker_said_yes(struct breaker_domains *d, const char *address);
int64_t breaker_domain_wait(const struct breaker_domains *d, const char *address, int64_t mono_ms);
/* One goes to find out: the others wait another minute for what it hears. */
void breaker_probes(struct breaker_domains *d, const char *address, int64_t mono_ms);

#endif
