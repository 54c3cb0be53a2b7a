/* What the app says, as an encoded Item of proto/intake.proto; and the way back, for HTTP and for rejections. */
#ifndef HY_CLIENT_ITEM_H
#define HY_CLIENT_ITEM_H

#include "client/client.h"
#include "wire/wire.h"

/* Copies what the app's version of the struct has; the rest is zero. HY_CLIENT_INVALID: no struct. */
int item_take(const struct hy_client_feedback *f, struct hy_client_feedback *out);
/* Checks it, and tells the size of the Item. HY_CLIENT_INVALID, HY_CLIENT_TOO_LARGE. */
int item_measure(const struct hy_client_feedback *f, uint32_t *item_size);
/* The Item as a field of a Submit, item_field_size() bytes at `to`. False when it is no longer what was measured. */
static inline size_t item_field_size(uint32_t item_size)
{
	return 1 + hy_wire_varint_size(item_size) + item_size;
}
bool item_write(const struct hy_client_feedback *f, uint8_t *to, uint32_t item_size);

/* The Item within such a field. */
struct hy_bytes item_within(struct hy_bytes field);
/* As a JSON object of POST /v1/feedback, appended to `out`; `id` is for items that have none of their own. HY_BAD_INPUT, HY_NO_MEMORY. */
int item_json(struct hy_arena *a, struct hy_bytes field, const char *id, struct hy_buffer *out);

#endif
