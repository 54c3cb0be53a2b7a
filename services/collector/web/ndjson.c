#include "ndjson.h"

#include "json/json.h"

static bool blank(struct hy_bytes text)
{
	for (size_t i = 0; i < text.size; i++)
		if (text.data[i] != ' ' && text.data[i] != '\t')
			return false;
	return true;
}

/* One line is over. */
static bool tell(struct ndjson *n, struct hy_bytes text, int err)
{
	struct ndjson_line line = { .number = ++n->ended, .err = err };
	if (text.size && text.data[text.size - 1] == '\r')
		text.size--;
	if (err == HY_OK && text.size > n->line_max)
		line.err = HY_TOO_LARGE;
	else if (err == HY_OK && blank(text))
		return true;
	else if (err == HY_OK)
		line.text = text;
	n->stopped = !n->line(n->arg, &line);
	return !n->stopped;
}

/* Keeps the beginning of a line until its end comes; memory grows as it does. */
static void hold(struct ndjson *n, struct hy_bytes part)
{
	size_t before = n->held.room, want = n->held.size + part.size + HY_JSON_PAD;
	if (n->skipping)
		return;
	if (n->held.size + part.size > n->line_max + 1) /* it may end in a CR */
		n->skipping = HY_TOO_LARGE;
	else if (n->room && want > before && (int64_t)(want - before) > *n->room)
		n->skipping = HY_BUSY;
	else if (!hy_buffer_room(&n->held, part.size + HY_JSON_PAD))
		n->skipping = HY_BUSY;
	else
		hy_buffer_bytes(&n->held, part);
	if (n->room)
		*n->room -= (int64_t)(n->held.room - before);
	if (n->skipping)
		ndjson_free(n);
}

bool ndjson_put(struct ndjson *n, struct hy_bytes piece)
{
	for (size_t at = 0; at < piece.size && !n->stopped;) {
		const uint8_t *lf = memchr(piece.data + at, '\n', piece.size - at);
		size_t end = lf ? (size_t)(lf - piece.data) : piece.size;
		struct hy_bytes part = hy_bytes(piece.data + at, end - at);
		bool padded = piece.size - end >= HY_JSON_PAD;
		at = end + 1;
		if (lf && padded && n->held.size == 0 && !n->skipping) {
			tell(n, part, HY_OK); /* whole, and what stands behind it may be read: as it lies */
			continue;
		}
		hold(n, part);
		if (!lf)
			break;
		int err = n->skipping;
		n->skipping = HY_OK;
		tell(n, hy_buffer_view(&n->held), err);
		hy_buffer_clear(&n->held);
	}
	return !n->stopped;
}

void ndjson_end(struct ndjson *n)
{
	if (!n->stopped && (n->held.size || n->skipping))
		tell(n, hy_buffer_view(&n->held), n->skipping);
	n->skipping = HY_OK;
	ndjson_free(n);
}

void ndjson_free(struct ndjson *n)
{
	if (n->room)
		*n->room += (int64_t)n->held.room;
	hy_buffer_free(&n->held);
}
