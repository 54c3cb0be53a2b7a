#include "strangers.h"

#include <arpa/inet.h>
#include <sodium.h>
#include <stdlib.h>

#define PLACES 4096

struct strangers {
	uint8_t seed[crypto_shorthash_KEYBYTES]; /* so that nobody can choose whose place to share */
	struct place {
		double tokens;
		int64_t filled_ms;
	} places[PLACES];
};

struct strangers *strangers_new(void)
{
	struct strangers *s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	randombytes_buf(s->seed, sizeof(s->seed));
	for (int i = 0; i < PLACES; i++)
		s->places[i].tokens = STRANGERS_RATE;
	return s;
}

void strangers_free(struct strangers **s)
{
	free(*s);
	*s = NULL;
}

static struct place *place_of(struct strangers *s, const char *peer)
{
	uint8_t address[16] = { 0 }, hash[crypto_shorthash_BYTES];
	size_t size = 4;
	if (inet_pton(AF_INET, peer, address) != 1 && inet_pton(AF_INET6, peer, address) == 1)
		size = 8;
	crypto_shorthash(hash, address, size, s->seed);
	return &s->places[(hash[0] | hash[1] << 8) % PLACES];
}

int64_t strangers_wrong(struct strangers *s, const char *peer, int64_t mono_ms)
{
	struct place *p = place_of(s, peer);
	p->tokens += (double)(mono_ms - p->filled_ms) / 1000 * STRANGERS_RATE;
	p->tokens = p->tokens > STRANGERS_RATE ? STRANGERS_RATE : p->tokens;
	p->filled_ms = mono_ms;
	if (p->tokens < 1)
		return (int64_t)((1 - p->tokens) / STRANGERS_RATE * 1000) + 1;
	p->tokens -= 1;
	return 0;
}
