#include "check.h"

#include "intake.h"

#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

static void put_errors(struct hy_buffer *out, const json_t *errors)
{
	const char *comma = "";
	size_t i;
	json_t *e;
	hy_buffer_byte(out, '[');
	json_array_foreach(errors, i, e)
	{
		const char *pointer = json_string_value(json_object_get(e, "pointer"));
		if (pointer && strcmp(pointer, "/in_reply_to") ==
				       0) /* what it names is in the store, and its key is not here */
			continue;
		char *text = json_dumps(e, JSON_COMPACT);
		hy_buffer_text(out, comma);
		hy_buffer_text(out, text ? text : "{}");
		free(text);
		comma = ",";
	}
	hy_buffer_text(out, "]\n");
}

static void check(struct hy_json_reader *reader, struct hy_arena *arena, struct hy_bytes line, struct hy_buffer *out)
{
	static const struct hy_secret none; /* nothing that it seals or signs leaves here */
	const struct intake in = { .contact_key = &none,
		.follow_up_key = &none,
		.project = 1,
		.key_number = 1,
		.now_ms = hy_now_ms(),
		.arena = arena };
	const struct hy_json *root;
	struct hy_fault f = { 0 };
	struct item item = { 0 };
	if (hy_json_read_copy(reader, line, &root, &f) == HY_OK)
		intake_feedback(&in, root, &item);
	else
		item.errors = json_pack("[{s:s, s:s}]", "pointer", "", "detail", f.text);
	put_errors(out, item.errors);
	json_decref(item.errors);
	hy_arena_reset(arena);
}

int collector_check(void)
{
	struct hy_json_reader *reader = hy_json_reader_new();
	struct hy_arena *arena = hy_arena_new(0);
	struct hy_buffer out = { 0 };
	char *line = NULL;
	size_t room = 0;
	bool good = true;
	for (ssize_t n; good && (n = getline(&line, &room, stdin)) > 0;) {
		n -= line[n - 1] == '\n';
		if (n > 0) {
			check(reader, arena, hy_bytes(line, (size_t)n), &out);
			continue;
		}
		good = !out.err && fwrite(out.data, 1, out.size, stdout) == out.size && fflush(stdout) == 0;
		hy_buffer_clear(&out);
	}
	free(line);
	hy_buffer_free(&out);
	hy_arena_free(&arena);
	hy_json_reader_free(&reader);
	return good ? EX_OK : EX_IOERR;
}
