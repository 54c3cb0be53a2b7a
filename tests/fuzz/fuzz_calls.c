/* Calls of Segment's clients and CloudEvents: whatever comes, it is passed over, refused with reasons, or passes the wire's gate. */
#include "collector/compat/cloudevents.h"
#include "collector/compat/segment.h"

#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct hy_json_reader *reader;
static struct hy_arena *arena;
static struct mapping *mapping;

/* Rows of each kind, and other events kept: every way through. */
static void open_all(void)
{
	static const struct hy_conf_row rows[] = { { "mapping", HY_CONF_TREE, NULL, "", NULL, 0, 0 }, { 0 } };
	static const struct hy_conf_row *const tables[] = { rows, NULL };
	static const char yaml[] =
		"mapping:\n"
		"  segment: { other: keep, events: [ { event: mine, score: [/properties/0, /properties/a~1b], max: "
		"/properties/m } ] }\n"
		"  cloudevents: { types: [ { type: mine.*, kind: vote, text: [/a/0/b, /a], email: /e } ] }\n";
	char path[] = "/tmp/huiyin-fuzz-XXXXXX";
	struct hy_conf *conf = NULL;
	int fd = mkstemp(path);
	if (fd < 0 || write(fd, yaml, sizeof(yaml) - 1) != (ssize_t)sizeof(yaml) - 1)
		abort();
	close(fd);
	if (hy_conf_open(&conf, path, tables, NULL) != HY_OK)
		abort();
	unlink(path);
	reader = hy_json_reader_new();
	arena = hy_arena_new(0);
	mapping_read(&mapping, conf);
	if (hy_conf_verdict(conf, NULL) != HY_OK)
		abort();
	hy_conf_close(&conf);
}

static void check(struct item *item)
{
	Huiyin__Feedback *feedback;
	struct hy_fault f;
	if (item->ok == (item->errors != NULL) || (item->ok && hy_wire_unpack(arena, &huiyin__feedback__descriptor,
								       item->feedback, &feedback, &f) != HY_OK))
		abort();
	json_decref(item->errors);
	hy_arena_reset(arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct hy_secret key;
	static const char *const types[] = { NULL, "track", "identify", "page" };
	struct hy_fault f;
	struct item item;
	struct cloudevent e;
	const struct hy_json *root;
	char text[256], header[128];
	if (!reader)
		open_all();
	if (size == 0 || size > (256 << 10))
		return 0;
	snprintf(text, sizeof(text), "%.*s", (int)(size < 200 ? size : 200), (const char *)data);
	cloudevent_header(text, header, sizeof(header));
	if (hy_json_read_copy(reader, hy_bytes(data, size), &root, &f) != HY_OK)
		return 0;
	struct intake in = { .contact_key = &key,
		.follow_up_key = &key,
		.project = 1,
		.key_number = 1,
		.now_ms = 1767225600000,
		.arena = arena };
	const struct hy_json *each = root->type == HY_JSON_ARRAY ? root->first : root;
	for (; each; each = root->type == HY_JSON_ARRAY ? each->next : NULL) {
		for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
			if (segment_item(&in, &mapping->segment, each, types[i], 1767225600000, &item))
				check(&item);
		if (cloudevent_read(each, &e, &item))
			cloudevent_item(&in, &mapping->cloudevents, &e, &item);
		check(&item);
	}
	return 0;
}
