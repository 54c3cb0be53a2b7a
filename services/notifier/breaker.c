#include "breaker.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static const int64_t MINUTE = 60000;

int64_t breaker_wait(const struct breaker *b, int64_t mono_ms)
{
	return b->trips && b->until_ms > mono_ms ? b->until_ms - mono_ms : 0;
}

int64_t breaker_trip(struct breaker *b, int64_t mono_ms)
{
	static const uint8_t minutes[] = { 1, 2, 5, 10 };
	int64_t left_ms = breaker_wait(b, mono_ms);
	if (left_ms)
		return left_ms;
	int64_t wait_ms = minutes[b->trips < 3 ? b->trips : 3] * MINUTE;
	b->trips++;
	b->until_ms = mono_ms + wait_ms;
	return wait_ms;
}

void breaker_mend(struct breaker *b)
{
	*b = (struct breaker){ 0 };
}

/* ---- domains ---- */

static const char *domain_of(const char *address)
{
	const char *at = strrchr(address, '@');
	return at ? at + 1 : address;
}

static struct breaker_domain *find(const struct breaker_domains *d, const char *address)
{
	for (size_t i = 0; i < BREAKER_DOMAINS; i++)
		if (d->of[i].row && strcasecmp(d->of[i].name, domain_of(address)) == 0)
			return (struct breaker_domain *)&d->of[i];
	return NULL;
}

void breaker_said_later(struct breaker_domains *d, const char *address, int64_t mono_ms)
{
	struct breaker_domain *found = find(d, address);
	if (!found) { /* in the place of none, else of the one that was heard of longest ago */
		found = &d->of[0];
		for (size_t i = 0; i < BREAKER_DOMAINS && found->row; i++)
			if (!d->of[i].row || d->of[i].at_ms < found->at_ms)
				found = &d->of[i];
		*found = (struct breaker_domain){ 0 };
		snprintf(found->name, sizeof(found->name), "%s", domain_of(address));
	}
	found->at_ms = mono_ms;
	if (++found->row >= BREAKER_ROW)
		breaker_trip(&found->breaker, mono_ms);
}

void breaker_said_yes(struct breaker_domains *d, const char *address)
{
	struct breaker_domain *found = find(d, address);
	if (found)
		*found = (struct breaker_domain){ 0 };
}

int64_t breaker_domain_wait(const struct breaker_domains *d, const char *address, int64_t mono_ms)
{
	const struct breaker_domain *found = find(d, address);
	return found ? breaker_wait(&found->breaker, mono_ms) : 0;
}

void breaker_probes(struct breaker_domains *d, const char *address, int64_t mono_ms)
{
	struct breaker_domain *found = find(d, address);
	if (found && found->breaker.trips)
		found->breaker.until_ms = mono_ms + MINUTE;
}
