/* Inside wire only: reading one field of an encoded message. The gate's scan and the public walk share it, so that both
 * see the same fields in the same bytes, as protobuf-c will: tags and lengths of at most 5 bytes, numbers of at most 10,
 * no groups. */
#ifndef HY_WIRE_ITEM_H
#define HY_WIRE_ITEM_H

#include "wire/wire.h"

#include <endian.h>

enum { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

/* At most `max` bytes; false when it is cut off, or longer, or more than 64 bits. */
static inline bool wire_take_varint(const uint8_t **at, const uint8_t *end, int max, uint64_t *v)
{
	const uint8_t *p = *at;
	if (p < end && *p < 0x80) {
		*v = *p;
		*at = p + 1;
		return true;
	}
	uint64_t value = 0;
	for (int i = 0; i < max && p < end; i++) {
		uint8_t byte = *p++;
		if (i == 9 && byte > 1)
			return false;
		value |= (uint64_t)(byte & 0x7f) << (7 * i);
		if (byte < 0x80) {
			*v = value;
			*at = p;
			return true;
		}
	}
	return false;
}

/* The field at *at, which lies before `end`; moves *at behind it. */
static inline bool wire_take_item(const uint8_t **at, const uint8_t *end, struct hy_wire_item *out)
{
	uint64_t tag;
	if (!wire_take_varint(at, end, 5, &tag) || tag > UINT32_MAX || tag < 8)
		return false;
	out->number = (uint32_t)(tag >> 3);
	out->wire_type = (int)(tag & 7);
	size_t left = (size_t)(end - *at);
	switch (out->wire_type) {
	case WIRE_VARINT:
		return wire_take_varint(at, end, 10, &out->value);
	case WIRE_BYTES: {
		uint64_t size;
		if (!wire_take_varint(at, end, 5, &size) || size > (size_t)(end - *at))
			return false;
		out->bytes = hy_bytes(*at, (size_t)size);
		*at += size;
		return true;
	}
	case WIRE_FIXED64: {
		uint64_t v;
		if (left < sizeof(v))
			return false;
		memcpy(&v, *at, sizeof(v));
		out->value = le64toh(v);
		*at += sizeof(v);
		return true;
	}
	case WIRE_FIXED32: {
		uint32_t v;
		if (left < sizeof(v))
			return false;
		memcpy(&v, *at, sizeof(v));
		out->value = le32toh(v);
		*at += sizeof(v);
		return true;
	}
	default:
		return false;
	}
}

/* A point of an arena to go back to. */
struct arena_mark {
	struct arena_block *block;
	size_t used, taken;
};
struct arena_mark arena_mark(const struct hy_arena *a);
void arena_rewind(struct hy_arena *a, struct arena_mark mark);

/* Whether protobuf-c may be let at `raw` as a `type`: everything that it doesn't check itself. */
int wire_scan(const ProtobufCMessageDescriptor *type, struct hy_bytes raw, struct hy_fault *f);

#endif
