/* Bodies of Sentry's envelope path: whatever comes, whole or in pieces, it is the same; and what is held becomes a feedback or is refused with reasons. */
#include "collector/compat/mapped.h"
#include "collector/compat/sentry.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct hy_json_reader *reader;
static struct hy_arena *arena;
static struct mapping *mapping;

static void open_all(void)
{
	static const struct hy_conf_row rows[] = { { "mapping", HY_CONF_TREE, NULL, "", NULL, 0, 0 }, { 0 } };
	static const struct hy_conf_row *const tables[] = { rows, NULL };
	struct hy_conf *conf = NULL;
	reader = hy_json_reader_new();
	arena = hy_arena_new(0);
	hy_conf_open(&conf, "/dev/null", tables, NULL);
	mapping_read(&mapping, conf);
	hy_conf_close(&conf);
}

static int take(struct sentry_envelope *e, struct hy_bytes text, size_t piece)
{
	struct hy_fault f;
	int err = HY_OK;
	sentry_envelope_init(e, reader);
	for (size_t at = 0; at < text.size && err == HY_OK; at += piece)
		err = sentry_envelope_put(
			e, hy_bytes(text.data + at, text.size - at < piece ? text.size - at : piece), &f);
	return err ? err : sentry_envelope_end(e, &f);
}

static void check(const struct sentry_envelope *e, size_t index)
{
	static const struct hy_secret key;
	struct intake in = { .contact_key = &key,
		.follow_up_key = &key,
		.project = 1,
		.key_number = 1,
		.now_ms = 1767225600000,
		.arena = arena };
	const struct hy_json *root;
	Huiyin__Feedback *feedback;
	struct hy_fault f;
	struct item item;
	if (hy_json_read_copy(reader, hy_buffer_view(&e->items[index].payload), &root, &f) != HY_OK)
		return;
	sentry_item(&in, &mapping->sentry, e, index, root, &item);
	if (item.ok == (item.errors != NULL) || (item.ok && hy_wire_unpack(arena, &huiyin__feedback__descriptor,
								    item.feedback, &feedback, &f) != HY_OK))
		abort();
	json_decref(item.errors);
	hy_arena_reset(arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sentry_envelope whole, pieces;
	if (!reader)
		open_all();
	if (size > (1 << 20))
		return 0;
	int err = take(&whole, hy_bytes(data, size), size + 1),
	    other = take(&pieces, hy_bytes(data, size), size % 7 + 1);
	if (err != other || whole.count != pieces.count)
		abort();
	for (size_t i = 0; i < whole.count && err == HY_OK; i++) {
		if (!hy_bytes_equal(hy_buffer_view(&whole.items[i].payload), hy_buffer_view(&pieces.items[i].payload)))
			abort();
		check(&whole, i);
	}
	sentry_envelope_free(&whole);
	sentry_envelope_free(&pieces);
	return 0;
}
