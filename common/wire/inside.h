/* Inside wire only: reading one field of an encoded message. The gate's scan, the decoder and the public walk share it, so
 * that all see the same fields in the same bytes: tags and lengths of at most 5 bytes, numbers of at most 10, no groups. */
#ifndef HY_WIRE_INSIDE_H
#define HY_WIRE_INSIDE_H

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
	out->value = 0;
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

/* Index of the field `number`, or n_fields. Encoders write fields in the order of their numbers: mostly it is the one met
 * last, `index`, or the next. */
uint32_t wire_find_elsewhere(const ProtobufCMessageDescriptor *type, uint32_t number);
static inline uint32_t wire_find(const ProtobufCMessageDescriptor *type, uint32_t index, uint32_t number)
{
	for (uint32_t i = index; i < index + 2 && i < type->n_fields; i++)
		if (type->fields[i].id == number)
			return i;
	return wire_find_elsewhere(type, number);
}

extern const uint8_t wire_types[]; /* how a ProtobufCType is encoded when it isn't packed */

/* A point of an arena to go back to. */
struct arena_mark {
	struct arena_block *block;
	size_t used, taken;
};
struct arena_mark arena_mark(const struct hy_arena *a);
void arena_rewind(struct hy_arena *a, struct arena_mark mark);
bool arena_starved(const struct hy_arena *a); /* the machine had no memory, rather than the arena its limit */

/* Fields of the outermost message that are passed over as if unknown: bit n for field n. */
typedef uint32_t wire_skip;
static inline bool wire_skips(wire_skip skip, uint32_t number)
{
	return number < 32 && (skip >> number & 1);
}

/* Whether `raw` is a good `type`: everything the decoder and the code behind it rely on. */
int wire_scan(const ProtobufCMessageDescriptor *type, struct hy_bytes raw, wire_skip skip, struct hy_fault *f);
/* Makes the message out of scanned bytes; NULL when the arena has no room. */
ProtobufCMessage *wire_decode(
	struct hy_arena *a, const ProtobufCMessageDescriptor *type, struct hy_bytes raw, wire_skip skip);

#endif
