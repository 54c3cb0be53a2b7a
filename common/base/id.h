/* Ids: 16 bytes, ordered by time.
 * New ones are UUIDv7 (RFC 9562 section 5.7) whose milliseconds only rise: max(clock, last issued, kept in the store), so a clock
 * set back makes no id that sorts before its elders. A derived id keeps the 48 time bits of its cause and hashes the
 * rest (UUIDv8): making it again makes the same id, which is what turns a repeat into no change. */
#ifndef HY_BASE_ID_H
#define HY_BASE_ID_H

#include "base/bytes.h"

struct hy_id {
	uint8_t b[16];
};
#define HY_ID_TEXT 37 /* "018f2d3c-....", with its NUL */

/* The issuer's memory. `last_ms` is loaded from the store at start and kept there (see service.h); `count` begins at 0,
 * and the first id then takes a later millisecond than `last_ms`. */
struct hy_ids {
	int64_t last_ms;
	uint16_t count;
};

struct hy_id hy_id_new(struct hy_ids *ids, int64_t now_ms);
/* Same cause, same parts: same id. Each part is hashed with its length, so ("ab","c") differs from ("a","bc"). */
struct hy_id hy_id_derive(struct hy_id cause, const struct hy_bytes *parts, size_t count);

int64_t hy_id_ms(struct hy_id id);
bool hy_id_is_zero(struct hy_id id);
bool hy_id_equal(struct hy_id a, struct hy_id b);
int hy_id_cmp(struct hy_id a, struct hy_id b);
struct hy_id hy_id_from(struct hy_bytes b); /* zero unless exactly 16 bytes */
static inline struct hy_bytes hy_id_bytes(const struct hy_id *id)
{
	return (struct hy_bytes){ id->b, sizeof(id->b) };
}
void hy_id_text(struct hy_id id, char out[static HY_ID_TEXT]);
bool hy_id_parse(const char *text, struct hy_id *out); /* the 36-character form, either case */

#endif
