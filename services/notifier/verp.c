#include "verp.h"

#include <ctype.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

enum { CHECK = 8, BYTES = 16 + CHECK };
static const char digits[] = "abcdefghijklmnopqrstuvwxyz234567";

static void check_of(const struct hy_secret *k, struct hy_id notice, uint8_t out[static CHECK])
{
	static const char purpose[] = "bounce"; /* the key signs other things too */
	uint8_t said[sizeof(purpose) + 16], full[32];
	memcpy(said, purpose, sizeof(purpose));
	memcpy(said + sizeof(purpose), notice.b, 16);
	crypto_generichash(full, sizeof(full), said, sizeof(said), k->b, sizeof(k->b));
	memcpy(out, full, CHECK);
}

void verp_write(const struct hy_secret *k, const char *bounce, struct hy_id notice, char *out, size_t room)
{
	uint8_t b[BYTES + 1] = { 0 }; /* the last digit's spare bits are zero */
	char token[VERP_TOKEN + 1];
	memcpy(b, notice.b, 16);
	check_of(k, notice, b + 16);
	for (size_t i = 0; i < VERP_TOKEN; i++) {
		size_t bit = 5 * i;
		unsigned pair = (unsigned)b[bit / 8] << 8 | b[bit / 8 + 1];
		token[i] = digits[pair >> (11 - bit % 8) & 31];
	}
	token[VERP_TOKEN] = 0;
	const char *at = strrchr(bounce, '@');
	snprintf(out, room, "%.*s+%s%s", (int)(at - bounce), bounce, token, at);
}

bool verp_read(const struct hy_secret *k, const char *address, struct hy_id *notice)
{
	uint8_t b[BYTES + 1] = { 0 }, check[CHECK];
	const char *at = strrchr(address, '@');
	if (!at || at - address <= VERP_TOKEN || at[-VERP_TOKEN - 1] != '+')
		return false;
	for (size_t i = 0; i < VERP_TOKEN; i++) {
		char c = (char)tolower((unsigned char)at[(long)i - VERP_TOKEN]);
		const char *digit = c ? strchr(digits, c) : NULL;
		if (!digit)
			return false;
		unsigned pair = (unsigned)(digit - digits) << (11 - 5 * i % 8);
		b[5 * i / 8] |= (uint8_t)(pair >> 8);
		b[5 * i / 8 + 1] |= (uint8_t)pair;
	}
	memcpy(notice->b, b, 16);
	check_of(k, *notice, check);
	return b[BYTES] == 0 && sodium_memcmp(check, b + 16, CHECK) == 0;
}
