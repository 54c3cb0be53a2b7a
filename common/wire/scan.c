/* The gate: one pass over the encoded bytes, beside protobuf-c's descriptors, before anything is allocated. It refuses
 * what protobuf-c would accept: text that is not UTF-8 or ends early at a NUL, numbers outside an enum, any depth, and
 * millions of two-byte items; and a message that comes twice, which some readers merge and others replace, so that two of
 * them could see two different things in the same bytes. Unknown fields pass: a newer station may say more than this one
 * understands. */
#include "wire/inside.h"

#include "base/text.h"

#include <math.h>
#include <stdio.h>

enum { DEPTH_MAX = 8, FIELDS_MAX = 32 };

/* Where the scan is, for the fault's text. The outermost frame has no `up`. */
struct frame {
	const struct frame *up;
	const ProtobufCFieldDescriptor *field; /* NULL: in the message itself */
	unsigned index; /* of a repeated field */
	int depth;
};

const uint8_t wire_types[] = {
	[PROTOBUF_C_TYPE_INT32] = WIRE_VARINT,
	[PROTOBUF_C_TYPE_SINT32] = WIRE_VARINT,
	[PROTOBUF_C_TYPE_SFIXED32] = WIRE_FIXED32,
	[PROTOBUF_C_TYPE_INT64] = WIRE_VARINT,
	[PROTOBUF_C_TYPE_SINT64] = WIRE_VARINT,
	[PROTOBUF_C_TYPE_UINT32] = WIRE_VARINT,
	[PROTOBUF_C_TYPE_FIXED32] = WIRE_FIXED32,
	[PROTOBUF_C_TYPE_UINT64] = WIRE_VARINT,
	[PROTOBUF_C_TYPE_SFIXED64] = WIRE_FIXED64,
	[PROTOBUF_C_TYPE_FIXED64] = WIRE_FIXED64,
	[PROTOBUF_C_TYPE_FLOAT] = WIRE_FIXED32,
	[PROTOBUF_C_TYPE_DOUBLE] = WIRE_FIXED64,
	[PROTOBUF_C_TYPE_BOOL] = WIRE_VARINT,
	[PROTOBUF_C_TYPE_ENUM] = WIRE_VARINT,
	[PROTOBUF_C_TYPE_STRING] = WIRE_BYTES,
	[PROTOBUF_C_TYPE_BYTES] = WIRE_BYTES,
	[PROTOBUF_C_TYPE_MESSAGE] = WIRE_BYTES,
};

/* Writes "feedback.remark.ratings[2].scale"; returns where it ends. */
static size_t put_path(const struct frame *at, char *out, size_t room)
{
	if (!at)
		return 0;
	size_t end = put_path(at->up, out, room);
	if (!at->field || end >= room)
		return end;
	int n = snprintf(out + end, room - end, "%s%s", end ? "." : "", at->field->name);
	end += n > 0 ? (size_t)n : 0;
	if (at->field->label == PROTOBUF_C_LABEL_REPEATED && end < room) {
		n = snprintf(out + end, room - end, "[%u]", at->index);
		end += n > 0 ? (size_t)n : 0;
	}
	return end;
}

/* Out of line: the way that a good message never takes. */
static __attribute__((noinline, cold)) int refuse(struct hy_fault *f, const struct frame *at, int err, const char *what)
{
	char path[256] = "";
	put_path(at, path, sizeof(path));
	return hy_fail(f, err, "%s%s%s", path, path[0] ? ": " : "", what);
}

uint32_t wire_find_elsewhere(const ProtobufCMessageDescriptor *type, uint32_t number)
{
	for (unsigned i = 0; i < type->n_field_ranges; i++) {
		const ProtobufCIntRange *range = &type->field_ranges[i];
		if (number < (uint32_t)range->start_value)
			break;
		uint32_t index = range->orig_index + (number - (uint32_t)range->start_value);
		if (index < range[1].orig_index)
			return index;
	}
	return type->n_fields;
}

static bool in_enum(const ProtobufCEnumDescriptor *type, uint64_t value)
{
	if (value > INT32_MAX)
		return false; /* none of ours is negative */
	for (unsigned i = 0; i < type->n_value_ranges; i++) {
		const ProtobufCIntRange *range = &type->value_ranges[i];
		int64_t over = (int64_t)value - range->start_value;
		if (over < 0)
			return false;
		if (over < (int64_t)range[1].orig_index - (int64_t)range->orig_index)
			return true;
	}
	return false;
}

/* What is wrong with a number, or NULL. protobuf-c would cut what is too large for its field. */
static const char *number_fault(const ProtobufCFieldDescriptor *field, uint64_t v)
{
	switch (field->type) {
	case PROTOBUF_C_TYPE_INT32:
		return v > INT32_MAX && v < (uint64_t)INT32_MIN ? "out of range" : NULL;
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_SINT32:
		return v > UINT32_MAX ? "out of range" : NULL;
	case PROTOBUF_C_TYPE_ENUM:
		return in_enum(field->descriptor, v) ? NULL : "not a value of its enum";
	case PROTOBUF_C_TYPE_DOUBLE: {
		double d;
		memcpy(&d, &v, sizeof(d));
		return isfinite(d) ? NULL : "not a finite number";
	}
	case PROTOBUF_C_TYPE_FLOAT: {
		uint32_t bits = (uint32_t)v;
		float d;
		memcpy(&d, &bits, sizeof(d));
		return isfinite(d) ? NULL : "not a finite number";
	}
	default:
		return NULL;
	}
}

static bool is_id(const char *name)
{
	static const char *const names[] = { "id", "cause", "person", "ticket", "theme", "notice", "feedback", "other",
		"log_id" };
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

/* Counts the numbers of a packed field onto *count. */
static const char *packed_fault(const ProtobufCFieldDescriptor *field, struct hy_bytes packed, uint32_t *count)
{
	size_t step = wire_types[field->type] == WIRE_FIXED32 ? 4 : wire_types[field->type] == WIRE_FIXED64 ? 8 : 0;
	if (step && packed.size % step)
		return "cut off";
	const uint8_t *at = packed.data, *end = at + packed.size;
	for (; at < end && *count <= HY_WIRE_REPEATED_MAX; ++*count) {
		uint64_t v = 0;
		if (step) {
			for (size_t i = step; i-- > 0;)
				v = v << 8 | at[i];
			at += step;
		} else if (!wire_take_varint(&at, end, 10, &v)) {
			return "cut off";
		}
		const char *fault = number_fault(field, v);
		if (fault)
			return fault;
	}
	return NULL;
}

/* Whether another member of the field's oneof was there before. */
static bool oneof_taken(const ProtobufCMessageDescriptor *type, const ProtobufCFieldDescriptor *field, uint32_t seen)
{
	for (unsigned i = 0; i < type->n_fields; i++) {
		const ProtobufCFieldDescriptor *other = &type->fields[i];
		if ((seen & 1u << i) && other != field && (other->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) &&
			other->quantifier_offset == field->quantifier_offset)
			return true;
	}
	return false;
}

static int scan(const ProtobufCMessageDescriptor *type, struct hy_bytes raw, wire_skip skip, const struct frame *up,
	struct hy_fault *f)
{
	struct frame here = { .up = up, .depth = up ? up->depth + 1 : 1 };
	if (here.depth > DEPTH_MAX)
		return refuse(f, up, HY_BAD_INPUT, "nested too deep");
	const uint32_t fields = type->n_fields;
	HY_ASSERT(fields <= FIELDS_MAX);
	/* `counts` is valid where `seen` has a bit: most messages are small, and clearing it would cost more than the rest. */
	uint32_t counts[FIELDS_MAX], seen = 0, unknown = 0, index = 0;
	const uint8_t *at = raw.data, *end = at + raw.size;
	while (at < end) {
		struct hy_wire_item item;
		here.field = NULL;
		if (!wire_take_item(&at, end, &item))
			return refuse(f, &here, HY_BAD_INPUT, "malformed or cut off");
		if (skip && wire_skips(skip, item.number))
			continue;
		uint32_t found = wire_find(type, index, item.number);
		if (found == fields) {
			if (++unknown > HY_WIRE_REPEATED_MAX)
				return refuse(f, &here, HY_TOO_LARGE, "too many unknown fields");
			continue;
		}
		index = found;
		const ProtobufCFieldDescriptor *field = here.field = &type->fields[index];
		const uint32_t bit = 1u << index;
		const bool repeated = field->label == PROTOBUF_C_LABEL_REPEATED;
		const int wanted_type = wire_types[field->type];
		const char *fault = NULL;
		if (repeated) {
			uint32_t *count = &counts[index];
			if (!(seen & bit))
				*count = 0;
			here.index = *count;
			if (item.wire_type == wanted_type)
				++*count;
			else if (item.wire_type == WIRE_BYTES)
				fault = packed_fault(field, item.bytes, count);
			if (fault)
				return refuse(f, &here, HY_BAD_INPUT, fault);
			if (*count > HY_WIRE_REPEATED_MAX)
				return refuse(f, &here, HY_TOO_LARGE, "too many items");
		} else if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) && oneof_taken(type, field, seen)) {
			return refuse(f, &here, HY_BAD_INPUT, "stands beside another field of its oneof");
		}
		if (item.wire_type != wanted_type) {
			if (!repeated || item.wire_type != WIRE_BYTES)
				return refuse(f, &here, HY_BAD_INPUT, "of another type");
			seen |= bit;
			continue; /* packed, and looked at above */
		}
		switch (field->type) {
		case PROTOBUF_C_TYPE_STRING:
			if (!hy_utf8_valid(item.bytes))
				return refuse(f, &here, HY_BAD_INPUT, "not UTF-8");
			if (item.bytes.size && memchr(item.bytes.data, 0, item.bytes.size))
				return refuse(f, &here, HY_BAD_INPUT, "has a NUL in it");
			break;
		case PROTOBUF_C_TYPE_BYTES:
			if (item.bytes.size != 16 && item.bytes.size && !repeated && is_id(field->name))
				return refuse(f, &here, HY_BAD_INPUT, "not an id of 16 bytes");
			break;
		case PROTOBUF_C_TYPE_MESSAGE: {
			if (!repeated && (seen & bit))
				return refuse(f, &here, HY_BAD_INPUT, "occurs twice");
			int err = scan(field->descriptor, item.bytes, 0, &here, f);
			if (err)
				return err;
			break;
		}
		default:
			fault = number_fault(field, item.value);
			if (fault)
				return refuse(f, &here, HY_BAD_INPUT, fault);
		}
		seen |= bit;
	}
	return HY_OK;
}

int wire_scan(const ProtobufCMessageDescriptor *type, struct hy_bytes raw, wire_skip skip, struct hy_fault *f)
{
	return raw.size ? scan(type, raw, skip, NULL, f) : HY_OK; /* its data may be NULL */
}
