/* Bodies of POST /v1/feedback as lines. The first byte chooses the pieces; however they are cut, the lines are those of a plain reading, each is either
 * refused with reasons or passes the wire's gate, and nothing stays held. */
#include "collector/intake.h"
#include "collector/web/ndjson.h"

#include <stdlib.h>

#define LINE_MAX_HERE 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct heard {
	struct hy_buffer text; /* number, error, bytes of each line */
	struct hy_json_reader *reader; /* NULL = only listens */
	struct hy_arena *arena;
};

static void note(struct hy_buffer *out, uint64_t number, int err, struct hy_bytes text)
{
	hy_buffer_printf(out, "%llu %d %zu ", (unsigned long long)number, err, text.size);
	hy_buffer_bytes(out, text);
}

static void check(struct heard *h, struct hy_bytes text)
{
	static const struct hy_secret key;
	const struct hy_json *root;
	struct hy_fault f;
	struct item item;
	Huiyin__Feedback *feedback;
	size_t line, column;
	if (hy_json_read(h->reader, text, &root, &f) != HY_OK) {
		if (!hy_json_fault_words(&f, &line, &column)[0])
			abort();
		return;
	}
	struct intake in = { &key, &key, 1, 1, 1767225600000, h->arena, NULL, NULL };
	intake_feedback(&in, root, &item);
	if (item.ok == (item.errors != NULL))
		abort();
	if (item.ok && hy_wire_unpack(h->arena, &huiyin__feedback__descriptor, item.feedback, &feedback, &f) != HY_OK)
		abort();
	json_decref(item.errors);
	hy_arena_reset(h->arena);
}

static bool hear(void *arg, const struct ndjson_line *line)
{
	struct heard *h = arg;
	note(&h->text, line->number, line->err, line->text);
	if (h->reader && line->err == HY_OK)
		check(h, line->text);
	return true;
}

/* The whole body at hand, line by line, as one would write it without thinking of pieces. */
static void plainly(struct hy_bytes body, struct hy_buffer *out)
{
	uint64_t number = 0;
	for (size_t at = 0; at < body.size;) {
		const uint8_t *lf = memchr(body.data + at, '\n', body.size - at);
		size_t end = lf ? (size_t)(lf - body.data) : body.size;
		struct hy_bytes text = hy_bytes(body.data + at, end - at);
		at = end + 1;
		number++;
		if (text.size && text.data[text.size - 1] == '\r')
			text.size--;
		size_t black = 0;
		for (size_t i = 0; i < text.size; i++)
			black += text.data[i] != ' ' && text.data[i] != '\t';
		if (text.size > LINE_MAX_HERE)
			note(out, number, HY_TOO_LARGE, hy_bytes(NULL, 0));
		else if (black)
			note(out, number, HY_OK, text);
	}
}

static void in_pieces(struct hy_bytes body, uint32_t seed, struct heard *h)
{
	int64_t room = 1 << 20;
	struct ndjson n = { .line_max = LINE_MAX_HERE, .room = &room, .line = hear, .arg = h };
	for (size_t at = 0, step; at < body.size; at += step) {
		seed = seed * 1664525u + 1013904223u;
		step = seed >> 24 < 128 ? 1 + (seed >> 16 & 15) : 1 + (seed >> 8 & 4095);
		step = step < body.size - at ? step : body.size - at;
		uint8_t *piece = malloc(step);
		if (!piece)
			abort();
		memcpy(piece, body.data + at, step);
		ndjson_put(&n, hy_bytes(piece, step));
		free(piece);
	}
	ndjson_end(&n);
	if (room != 1 << 20 || n.held.data)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct hy_json_reader *reader;
	static struct hy_arena *arena;
	if (!reader) {
		reader = hy_json_reader_new();
		arena = hy_arena_new(0);
	}
	if (size == 0)
		return 0;
	struct hy_bytes body = hy_bytes(data + 1, size - 1);
	struct heard pieces = { .reader = reader, .arena = arena }, whole = { 0 };
	struct hy_buffer plain = { 0 };
	int64_t room = 1 << 20;
	struct ndjson n = { .line_max = LINE_MAX_HERE, .room = &room, .line = hear, .arg = &whole };
	in_pieces(body, data[0], &pieces);
	ndjson_put(&n, body);
	ndjson_end(&n);
	plainly(body, &plain);
	if (!hy_bytes_equal(hy_buffer_view(&pieces.text), hy_buffer_view(&plain)) ||
		!hy_bytes_equal(hy_buffer_view(&whole.text), hy_buffer_view(&plain)))
		abort();
	hy_buffer_free(&pieces.text);
	hy_buffer_free(&whole.text);
	hy_buffer_free(&plain);
	return 0;
}
