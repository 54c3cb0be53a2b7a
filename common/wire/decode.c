/* From scanned bytes to protobuf-c's structs, in an arena. protobuf-c's own unpack lists every field of every message
 * before it stores the first, and asks an allocator for each list: behind the scan none of this is needed, and a
 * classified Envelope takes a third of the time. Packing stays protobuf-c's. */
#include "wire/inside.h"

/* Bytes of one value in its struct. */
static size_t value_size(ProtobufCType type)
{
	switch (type) {
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_SFIXED32:
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
	case PROTOBUF_C_TYPE_FLOAT:
	case PROTOBUF_C_TYPE_ENUM:
		return 4;
	case PROTOBUF_C_TYPE_BOOL:
		return sizeof(protobuf_c_boolean);
	case PROTOBUF_C_TYPE_STRING:
	case PROTOBUF_C_TYPE_MESSAGE:
		return sizeof(void *);
	case PROTOBUF_C_TYPE_BYTES:
		return sizeof(ProtobufCBinaryData);
	default:
		return 8;
	}
}

static void store_number(ProtobufCType type, uint64_t v, void *to)
{
	uint32_t narrow = (uint32_t)v;
	protobuf_c_boolean truth = v != 0;
	switch (type) {
	case PROTOBUF_C_TYPE_SINT32:
		narrow = narrow >> 1 ^ (0u - (narrow & 1)); /* zigzag: 0, -1, 1, -2 ... */
		memcpy(to, &narrow, sizeof(narrow));
		break;
	case PROTOBUF_C_TYPE_SINT64:
		v = v >> 1 ^ (0u - (v & 1));
		memcpy(to, &v, sizeof(v));
		break;
	case PROTOBUF_C_TYPE_BOOL:
		memcpy(to, &truth, sizeof(truth));
		break;
	default:
		if (value_size(type) == 4)
			memcpy(to, &narrow, sizeof(narrow));
		else
			memcpy(to, &v, sizeof(v));
	}
}

static bool store(struct hy_arena *a, const ProtobufCFieldDescriptor *field, const struct hy_wire_item *item, void *to)
{
	switch (field->type) {
	case PROTOBUF_C_TYPE_STRING: {
		char *text = hy_arena_text(a, item->bytes);
		memcpy(to, &text, sizeof(text));
		return text;
	}
	case PROTOBUF_C_TYPE_BYTES: {
		ProtobufCBinaryData bytes = { .len = item->bytes.size };
		if (bytes.len) {
			bytes.data = hy_arena_get(a, bytes.len);
			if (!bytes.data)
				return false;
			memcpy(bytes.data, item->bytes.data, bytes.len);
		}
		memcpy(to, &bytes, sizeof(bytes));
		return true;
	}
	case PROTOBUF_C_TYPE_MESSAGE: {
		ProtobufCMessage *m = wire_decode(a, field->descriptor, item->bytes, 0);
		memcpy(to, &m, sizeof(m));
		return m;
	}
	default:
		store_number(field->type, item->value, to);
		return true;
	}
}

static bool is_packed(const ProtobufCFieldDescriptor *field, const struct hy_wire_item *item)
{
	return item->wire_type == WIRE_BYTES && wire_types[field->type] != WIRE_BYTES;
}

/* The next number of a packed field. */
static uint64_t take_packed(int wire_type, const uint8_t **at, const uint8_t *end)
{
	uint64_t v = 0;
	if (wire_type == WIRE_VARINT) {
		wire_take_varint(at, end, 10, &v);
		return v;
	}
	for (size_t i = wire_type == WIRE_FIXED32 ? 4 : 8; i-- > 0;)
		v = v << 8 | (*at)[i];
	*at += wire_type == WIRE_FIXED32 ? 4 : 8;
	return v;
}

static size_t count_packed(int wire_type, struct hy_bytes packed)
{
	if (wire_type != WIRE_VARINT)
		return packed.size / (wire_type == WIRE_FIXED32 ? 4 : 8);
	size_t count = 0;
	for (size_t i = 0; i < packed.size; i++)
		count += packed.data[i] < 0x80;
	return count;
}

/* How many values the field has in `item` and from `at` on: met for the first time, its array is made for all of them. */
static size_t count_values(
	const ProtobufCFieldDescriptor *field, struct hy_wire_item item, const uint8_t *at, const uint8_t *end)
{
	size_t count = 0;
	do {
		if (item.number == field->id)
			count += is_packed(field, &item) ? count_packed(wire_types[field->type], item.bytes) : 1;
	} while (at < end && wire_take_item(&at, end, &item));
	return count;
}

static bool add_values(struct hy_arena *a, const ProtobufCFieldDescriptor *field, const struct hy_wire_item *item,
	const uint8_t *at, const uint8_t *end, uint8_t *message)
{
	size_t count, size = value_size(field->type);
	uint8_t *array;
	memcpy(&count, message + field->quantifier_offset, sizeof(count));
	memcpy(&array, message + field->offset, sizeof(array));
	if (!array) {
		array = hy_arena_get(a, count_values(field, *item, at, end) * size);
		if (!array)
			return false;
		memcpy(message + field->offset, &array, sizeof(array));
	}
	if (is_packed(field, item)) {
		const uint8_t *p = item->bytes.data, *last = p + item->bytes.size;
		for (; p < last; count++)
			store_number(field->type, take_packed(wire_types[field->type], &p, last), array + count * size);
	} else {
		if (!store(a, field, item, array + count * size))
			return false;
		count++;
	}
	memcpy(message + field->quantifier_offset, &count, sizeof(count));
	return true;
}

ProtobufCMessage *wire_decode(
	struct hy_arena *a, const ProtobufCMessageDescriptor *type, struct hy_bytes raw, wire_skip skip)
{
	uint8_t *message = hy_arena_get(a, type->sizeof_message);
	if (!message)
		return NULL;
	protobuf_c_message_init(type, message);
	if (!raw.size)
		return (ProtobufCMessage *)message;
	const uint8_t *at = raw.data, *end = at + raw.size;
	struct hy_wire_item item;
	uint32_t index = 0;
	while (at < end && wire_take_item(&at, end, &item)) {
		if (skip && wire_skips(skip, item.number))
			continue;
		uint32_t found = wire_find(type, index, item.number);
		if (found == type->n_fields)
			continue;
		index = found;
		const ProtobufCFieldDescriptor *field = &type->fields[index];
		if (field->label == PROTOBUF_C_LABEL_REPEATED) {
			if (!add_values(a, field, &item, at, end, message))
				return NULL;
			continue;
		}
		HY_ASSERT(field->label == PROTOBUF_C_LABEL_NONE); /* proto3 */
		if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) {
			uint32_t which = field->id;
			memcpy(message + field->quantifier_offset, &which, sizeof(which));
		}
		if (!store(a, field, &item, message + field->offset))
			return NULL;
	}
	return (ProtobufCMessage *)message;
}
