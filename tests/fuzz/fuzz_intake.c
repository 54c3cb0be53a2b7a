/* Bodies of POST /v1/feedback and /v1/identify: whatever comes, an item is either refused with reasons or passes the wire's gate. */
#include "collector/intake.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(struct hy_arena *arena, struct item *item)
{
	Huiyin__Feedback *f;
	struct hy_fault fault;
	if (item->ok == (item->errors != NULL))
		abort();
	if (item->ok && hy_wire_unpack(arena, &huiyin__feedback__descriptor, item->feedback, &f, &fault) != HY_OK)
		abort();
	json_decref(item->errors);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct hy_json_reader *reader;
	static struct hy_arena *arena;
	static const struct hy_secret key;
	const struct hy_json *root;
	struct hy_fault f;
	struct item item;
	if (!reader) {
		reader = hy_json_reader_new();
		arena = hy_arena_new(0);
	}
	hy_arena_reset(arena);
	if (size > (256 << 10) || hy_json_read_copy(reader, hy_bytes(data, size), &root, &f) != HY_OK)
		return 0;
	struct intake in = { &key, &key, 1, 1, 1767225600000, arena, NULL, NULL };
	const struct hy_json *each = root->type == HY_JSON_ARRAY ? root->first : root;
	for (; each; each = root->type == HY_JSON_ARRAY ? each->next : NULL) {
		intake_feedback(&in, each, &item);
		check(arena, &item);
		hy_arena_reset(arena);
	}
	intake_identify(&in, root, &item);
	check(arena, &item);
	return 0;
}
