/* Packing, unpacking behind the gate (scan.c, then decode.c), and walking over encoded fields. */
#include "wire/inside.h"

static int unpack(struct hy_arena *a, const ProtobufCMessageDescriptor *type, struct hy_bytes raw, wire_skip skip,
	void *out, struct hy_fault *f)
{
	if (raw.size > HY_WIRE_FRAME_MAX)
		return hy_fail(f, HY_TOO_LARGE, "%s: %zu bytes, at most %zu are taken", type->short_name, raw.size,
			HY_WIRE_FRAME_MAX);
	int err = wire_scan(type, raw, skip, f);
	if (err)
		return err;
	struct arena_mark mark = arena_mark(a);
	ProtobufCMessage *m = wire_decode(a, type, raw, skip);
	if (m) {
		memcpy(out, &m, sizeof(m)); /* `out` is a pointer to a pointer to the message's own struct */
		return HY_OK;
	}
	arena_rewind(a, mark);
	/* With the arena to itself it will never fit; else it may, after a reset. */
	if (mark.taken == 0 && !arena_starved(a))
		return hy_fail(f, HY_TOO_LARGE, "%s: unpacks to more than its limit", type->short_name);
	return hy_fail(f, HY_NO_MEMORY, "%s: no room left in this step's memory", type->short_name);
}

int hy_wire_unpack(
	struct hy_arena *a, const ProtobufCMessageDescriptor *type, struct hy_bytes raw, void *out, struct hy_fault *f)
{
	return unpack(a, type, raw, 0, out, f);
}

int hy_wire_open(struct hy_arena *a, struct hy_bytes raw, Huiyin__Envelope **out, struct hy_fault *f)
{
	return hy_wire_open_parts(a, raw, 0, out, f);
}

/* The stations' fields, as bits. */
enum {
	PARTS = 1 << HY_FIELD_FEEDBACK | 1 << HY_FIELD_CLASSIFICATION | 1 << HY_FIELD_ROUTED | 1 << HY_FIELD_TICKET |
		1 << HY_FIELD_DELIVERY
};

int hy_wire_open_parts(
	struct hy_arena *a, struct hy_bytes raw, uint32_t parts, Huiyin__Envelope **out, struct hy_fault *f)
{
	const wire_skip skip = parts ? PARTS & ~parts : 0;
	if (raw.size > HY_WIRE_ENVELOPE_MAX)
		return hy_fail(
			f, HY_TOO_LARGE, "Envelope: %zu bytes, at most %zu are taken", raw.size, HY_WIRE_ENVELOPE_MAX);
	Huiyin__Envelope *e = NULL;
	struct arena_mark mark = arena_mark(a);
	int err = unpack(a, &huiyin__envelope__descriptor, raw, skip, &e, f);
	if (err)
		return err;
	if (e->id.len != 16)
		err = hy_fail(f, HY_BAD_INPUT, "id: missing");
	else if (!skip && !(e->feedback && e->feedback->body_case != HUIYIN__FEEDBACK__BODY__NOT_SET) &&
		 !(e->ticket && e->ticket->kind != HUIYIN__TICKET_EVENT_KIND__EVENT_NONE) &&
		 !(e->delivery && e->delivery->outcome != HUIYIN__OUTCOME__OUTCOME_NONE))
		err = hy_fail(f, HY_BAD_INPUT, "Envelope: neither a body nor an event that this version knows");
	if (err) {
		arena_rewind(a, mark);
		return err;
	}
	*out = e;
	return HY_OK;
}

int hy_wire_pack(const ProtobufCMessage *m, struct hy_buffer *out)
{
	size_t size = protobuf_c_message_get_packed_size(m);
	uint8_t *to = hy_buffer_room(out, size);
	if (!to)
		return out->err;
	out->size += protobuf_c_message_pack(m, to);
	return HY_OK;
}

struct hy_bytes hy_wire_pack_in(struct hy_arena *a, const ProtobufCMessage *m)
{
	size_t size = protobuf_c_message_get_packed_size(m);
	uint8_t *to = hy_arena_get(a, size + 1); /* an empty message is there, too */
	if (!to)
		return hy_bytes(NULL, 0);
	return hy_bytes(to, protobuf_c_message_pack(m, to));
}

struct hy_bytes hy_wire_pack_to(const ProtobufCMessage *m, uint8_t *to, size_t room)
{
	HY_ASSERT(protobuf_c_message_get_packed_size(m) <= room);
	return hy_bytes(to, protobuf_c_message_pack(m, to));
}

static void put_head(struct hy_buffer *out, uint32_t number, size_t size)
{
	hy_wire_put_varint(out, (uint64_t)number << 3 | WIRE_BYTES);
	hy_wire_put_varint(out, size);
}

int hy_wire_append(struct hy_buffer *out, uint32_t number, struct hy_bytes packed)
{
	put_head(out, number, packed.size);
	hy_buffer_bytes(out, packed);
	return out->err;
}

int hy_wire_append_message(struct hy_buffer *out, uint32_t number, const ProtobufCMessage *m)
{
	size_t size = protobuf_c_message_get_packed_size(m);
	put_head(out, number, size);
	uint8_t *to = hy_buffer_room(out, size);
	if (!to)
		return out->err;
	out->size += protobuf_c_message_pack(m, to);
	return HY_OK;
}

bool hy_wire_next(struct hy_bytes raw, size_t *at, struct hy_wire_item *out, int *err)
{
	if (err)
		*err = HY_OK;
	if (*at >= raw.size)
		return false;
	*out = (struct hy_wire_item){ 0 };
	const uint8_t *p = raw.data + *at;
	if (!wire_take_item(&p, raw.data + raw.size, out)) {
		if (err)
			*err = HY_BAD_INPUT;
		return false;
	}
	*at = (size_t)(p - raw.data);
	return true;
}

struct hy_bytes hy_wire_field(struct hy_bytes raw, uint32_t number)
{
	struct hy_bytes found = { NULL, 0 };
	if (!raw.size)
		return found;
	const uint8_t *at = raw.data, *end = at + raw.size;
	while (at < end) {
		struct hy_wire_item item;
		if (!wire_take_item(&at, end, &item))
			return (struct hy_bytes){ NULL, 0 };
		if (item.number == number && item.wire_type == WIRE_BYTES)
			found = item.bytes;
	}
	return found;
}

void hy_wire_put_varint(struct hy_buffer *out, uint64_t v)
{
	uint8_t *to = hy_buffer_room(out, 10);
	if (!to)
		return;
	for (; v >= 0x80; v >>= 7) {
		*to++ = (uint8_t)(v | 0x80);
		out->size++;
	}
	*to = (uint8_t)v;
	out->size++;
}

size_t hy_wire_varint_size(uint64_t v)
{
	size_t size = 1;
	for (; v >= 0x80; v >>= 7)
		size++;
	return size;
}
