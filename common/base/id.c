/* Making ids: intake makes tens of thousands of them a second. */
#include "base/id.h"

#include "base/random.h"

#include <sodium.h>

enum { COUNT_MAX = 0xfff, COUNT_SEED = 0x3ff };

static uint64_t random_u64(void)
{
	uint64_t v;
	hy_random(&v, sizeof(v));
	return v;
}

static void put_ms(struct hy_id *id, int64_t ms)
{
	for (int i = 5; i >= 0; i--, ms >>= 8)
		id->b[i] = (uint8_t)ms;
}

struct hy_id hy_id_new(struct hy_ids *ids, int64_t now_ms)
{
	uint64_t random = random_u64();
	/* The counter begins low, at random, and is never 0 while it counts: 0 says that last_ms comes from the store, where
	 * the counter is not kept, so that millisecond may be used up. */
	uint16_t seed = (uint16_t)(1 + random_u64() % COUNT_SEED);
	if (now_ms > ids->last_ms) {
		ids->last_ms = now_ms;
		ids->count = seed;
	} else if (ids->count == 0 || ids->count >= COUNT_MAX) {
		ids->last_ms++;
		ids->count = seed;
	} else {
		ids->count++;
	}
	struct hy_id id;
	put_ms(&id, ids->last_ms);
	id.b[6] = (uint8_t)(0x70 | ids->count >> 8);
	id.b[7] = (uint8_t)ids->count;
	hy_be_put64(id.b + 8, random);
	id.b[8] = (uint8_t)(0x80 | (id.b[8] & 0x3f));
	return id;
}

struct hy_id hy_id_derive(struct hy_id cause, const struct hy_bytes *parts, size_t count)
{
	hy_sodium_ready();
	crypto_generichash_state hash;
	struct hy_id id;
	crypto_generichash_init(&hash, NULL, 0, sizeof(id.b));
	crypto_generichash_update(&hash, cause.b, sizeof(cause.b));
	for (size_t i = 0; i < count; i++) {
		uint8_t size[8];
		hy_be_put64(size, parts[i].size);
		crypto_generichash_update(&hash, size, sizeof(size));
		if (parts[i].size)
			crypto_generichash_update(&hash, parts[i].data, parts[i].size);
	}
	crypto_generichash_final(&hash, id.b, sizeof(id.b));
	memcpy(id.b, cause.b, 6);
	id.b[6] = (uint8_t)(0x80 | (id.b[6] & 0x0f));
	id.b[8] = (uint8_t)(0x80 | (id.b[8] & 0x3f));
	return id;
}

int64_t hy_id_ms(struct hy_id id)
{
	int64_t ms = 0;
	for (int i = 0; i < 6; i++)
		ms = ms << 8 | id.b[i];
	return ms;
}

bool hy_id_is_zero(struct hy_id id)
{
	static const struct hy_id zero;
	return hy_id_equal(id, zero);
}

bool hy_id_equal(struct hy_id a, struct hy_id b)
{
	return memcmp(a.b, b.b, sizeof(a.b)) == 0;
}

int hy_id_cmp(struct hy_id a, struct hy_id b)
{
	return memcmp(a.b, b.b, sizeof(a.b));
}

struct hy_id hy_id_from(struct hy_bytes b)
{
	struct hy_id id = { 0 };
	if (b.size == sizeof(id.b))
		memcpy(id.b, b.data, sizeof(id.b));
	return id;
}

/* A dash stands before these bytes: 8-4-4-4-12 digits. */
static bool dash_before(size_t byte)
{
	return byte == 4 || byte == 6 || byte == 8 || byte == 10;
}

void hy_id_text(struct hy_id id, char out[static HY_ID_TEXT])
{
	char *to = out;
	for (size_t i = 0; i < sizeof(id.b); i++) {
		if (dash_before(i))
			*to++ = '-';
		hy_hex(&id.b[i], 1, to);
		to += 2;
	}
}

bool hy_id_parse(const char *text, struct hy_id *out)
{
	if (!text)
		return false;
	struct hy_id id;
	for (size_t i = 0; i < sizeof(id.b); i++) {
		if (dash_before(i) && *text++ != '-')
			return false;
		int high = hy_hex_value(text[0]);
		int low = high < 0 ? -1 : hy_hex_value(text[1]);
		if (low < 0)
			return false;
		id.b[i] = (uint8_t)(high << 4 | low);
		text += 2;
	}
	if (*text)
		return false;
	*out = id;
	return true;
}
