/* Submits as they come through the ZeroMQ door: whatever comes, it is refused, or each of its items is, with reasons, or passes the
 * wire's gate as a Feedback; and no item is met twice or lost. */
#include "collector/door/submit.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(struct hy_arena *arena, struct item *item)
{
	Huiyin__Feedback *f;
	struct hy_fault fault;
	if (item->ok == (item->errors != NULL))
		abort();
	if (item->ok && (item->feedback.size > HY_WIRE_INTAKE_MAX ||
				hy_wire_unpack(arena, &huiyin__feedback__descriptor, item->feedback, &f, &fault)))
		abort();
	if (item->errors && json_array_size(item->errors) == 0)
		abort();
	json_decref(item->errors);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct hy_arena *arena, *scratch;
	static const struct hy_secret key;
	struct submit m;
	struct hy_fault f = { 0 };
	struct hy_bytes raw;
	struct item item;
	size_t at = 0, count = 0;
	if (!arena) {
		arena = hy_arena_new(0);
		scratch = hy_arena_new(0);
	}
	if (submit_read(&m, hy_bytes(data, size), &f) != HY_OK) {
		if (!f.text[0])
			abort();
		return 0;
	}
	struct intake in = { .contact_key = &key,
		.follow_up_key = &key,
		.project = 1,
		.key_number = 1,
		.now_ms = 1767225600000,
		.arena = arena,
		.channel = "stream" };
	for (; submit_next(&m, &at, &raw); count++) {
		hy_arena_reset(arena);
		submit_item(&in, scratch, raw, &item);
		hy_arena_reset(scratch);
		check(scratch, &item);
	}
	if (count != m.count)
		abort();
	return 0;
}
