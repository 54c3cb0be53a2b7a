/* Bytes from a link or a control socket: the gate, and the walk that reads without unpacking. What passes the gate is packed again and must
 * pass it a second time. The first byte chooses the message. */
#include "wire/wire.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const ProtobufCMessageDescriptor *const types[] = { &huiyin__envelope__descriptor, &huiyin__link__descriptor,
	&huiyin__ask__descriptor, &huiyin__answer__descriptor, &huiyin__contact__descriptor };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct hy_arena *arena;
	struct hy_fault f;
	ProtobufCMessage *m = NULL;
	if (size == 0)
		return 0;
	if (!arena)
		arena = hy_arena_new(0);
	hy_arena_reset(arena);
	const ProtobufCMessageDescriptor *type = types[data[0] % (sizeof(types) / sizeof(*types))];
	struct hy_bytes raw = hy_bytes(data + 1, size - 1);
	struct hy_wire_item item;
	int err = HY_OK;
	for (size_t at = 0; hy_wire_next(raw, &at, &item, &err);)
		if (item.bytes.size &&
			(item.bytes.data < raw.data || item.bytes.data + item.bytes.size > raw.data + raw.size))
			abort();
	if (hy_wire_unpack(arena, type, raw, &m, &f) == HY_OK) {
		struct hy_buffer again = { 0 };
		ProtobufCMessage *twice = NULL;
		if (hy_wire_pack(m, &again) == HY_OK &&
			hy_wire_unpack(arena, type, hy_buffer_view(&again), &twice, &f) != HY_OK &&
			again.size <= HY_WIRE_FRAME_MAX && f.err != HY_NO_MEMORY)
			abort();
		hy_buffer_free(&again);
	}
	Huiyin__Envelope *e;
	hy_arena_reset(arena);
	hy_wire_open(arena, raw, &e, &f);
	return 0;
}
