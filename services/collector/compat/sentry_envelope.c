#include "sentry_envelope.h"

#include "base/clock.h"

void sentry_envelope_init(struct sentry_envelope *e, struct hy_json_reader *json)
{
	*e = (struct sentry_envelope){ .json = json };
}

void sentry_envelope_free(struct sentry_envelope *e)
{
	for (size_t i = 0; i < e->count; i++)
		hy_buffer_free(&e->items[i].payload);
	hy_buffer_free(&e->line);
	e->count = 0;
}

static int broken(struct sentry_envelope *e, int err, struct hy_fault *f, const char *why)
{
	e->state = SENTRY_BROKEN;
	return hy_fail(f, err, "%s", why);
}

/* ---- headers ---- */

/* "https://KEY@host/1" */
static void take_dsn(struct sentry_envelope *e, const char *dsn)
{
	const char *key = strstr(dsn, "://");
	size_t size = key ? strcspn(key + 3, ":@/") : 0;
	if (size && size < sizeof(e->key) && strchr(key, '@'))
		snprintf(e->key, sizeof(e->key), "%.*s", (int)size, key + 3);
}

static int on_header(struct sentry_envelope *e, const struct hy_json *h)
{
	const char *id = hy_json_text(h, "event_id", ""), *sent = hy_json_text(h, "sent_at", "");
	if (strlen(id) < sizeof(e->event_id))
		strcpy(e->event_id, id);
	if (!hy_time_parse(sent, &e->sent_ms))
		e->sent_ms = 0;
	take_dsn(e, hy_json_text(h, "dsn", ""));
	e->begun = true;
	e->state = SENTRY_ITEM_HEADER;
	return HY_OK;
}

static int on_item_header(struct sentry_envelope *e, const struct hy_json *h, struct hy_fault *f)
{
	const char *type = hy_json_text(h, "type", "");
	const struct hy_json *length = hy_json_get(h, "length");
	if (!type[0])
		return broken(e, HY_BAD_INPUT, f, "an item's header has no type");
	if (length && length->type != HY_JSON_NULL && (!length->whole || length->integer < 0))
		return broken(e, HY_BAD_INPUT, f, "an item's length is no number of bytes");
	e->type = strcmp(type, "feedback") == 0      ? SENTRY_FEEDBACK
		  : strcmp(type, "user_report") == 0 ? SENTRY_REPORT
						     : SENTRY_OTHER;
	if (e->type != SENTRY_OTHER && e->count == SENTRY_ITEMS)
		return broken(e, HY_TOO_LARGE, f, "an envelope has at most 20 feedbacks");
	if (e->type != SENTRY_OTHER)
		e->items[e->count++] = (struct sentry_item){ .type = e->type };
	bool told = length && length->type == HY_JSON_NUMBER;
	e->left = told ? (uint64_t)length->integer : 0;
	e->state = !told ? SENTRY_REST : e->left ? SENTRY_BYTES : SENTRY_BEHIND;
	return HY_OK;
}

/* A whole header, with or without its CR: to JSON that is white space. */
static int on_line(struct sentry_envelope *e, struct hy_fault *f)
{
	const struct hy_json *h;
	struct hy_fault why;
	struct hy_bytes text = hy_buffer_view(&e->line);
	bool blank = text.size == 0 || (text.size == 1 && text.data[0] == '\r');
	if (e->line.err)
		return broken(e, HY_NO_MEMORY, f, "no memory for a header");
	if (blank && e->state == SENTRY_ITEM_HEADER)
		return HY_OK; /* between items, or at the end */
	int err = hy_json_read_copy(e->json, text, &h, &why);
	if (err || h->type != HY_JSON_OBJECT)
		return broken(e, HY_BAD_INPUT, f,
			e->state == SENTRY_HEADER ? "an envelope begins with a line that is a JSON object"
						  : "an item begins with a line that is a JSON object");
	err = e->state == SENTRY_HEADER ? on_header(e, h) : on_item_header(e, h, f);
	hy_buffer_clear(&e->line);
	return err;
}

/* ---- pieces ---- */

static int hold(struct sentry_envelope *e, struct hy_bytes bytes, struct hy_fault *f)
{
	if (e->type == SENTRY_OTHER)
		return HY_OK;
	struct hy_buffer *payload = &e->items[e->count - 1].payload;
	if (bytes.size > SENTRY_HELD_MAX - e->held)
		return broken(e, HY_TOO_LARGE, f, "the feedbacks of an envelope have at most 256 KiB together");
	hy_buffer_bytes(payload, bytes);
	e->held += bytes.size;
	return payload->err ? broken(e, HY_NO_MEMORY, f, "no memory for a feedback") : HY_OK;
}

/* Takes what belongs to the state at hand from the front of the piece. */
static int step(struct sentry_envelope *e, struct hy_bytes *piece, struct hy_fault *f)
{
	size_t size = piece->size;
	int err = HY_OK;
	const uint8_t *end = memchr(piece->data, '\n', size);
	switch (e->state) {
	case SENTRY_HEADER:
	case SENTRY_ITEM_HEADER:
		size = end ? (size_t)(end - piece->data) : size;
		if (size > SENTRY_LINE_MAX - e->line.size)
			return broken(e, HY_TOO_LARGE, f, "a header has at most 16 KiB");
		hy_buffer_put(&e->line, piece->data, size);
		err = end ? on_line(e, f) : HY_OK;
		if (end)
			hy_buffer_clear(&e->line);
		break;
	case SENTRY_BYTES:
		size = size < e->left ? size : (size_t)e->left;
		err = hold(e, hy_bytes(piece->data, size), f);
		e->left -= size;
		if (e->left == 0 && err == HY_OK)
			e->state = SENTRY_BEHIND;
		end = NULL;
		break;
	case SENTRY_BEHIND: /* the end of its line */
		if (piece->data[0] != '\n' && piece->data[0] != '\r')
			return broken(e, HY_BAD_INPUT, f, "an item does not end where its length says");
		end = piece->data[0] == '\n' ? piece->data : NULL;
		size = end ? 0 : 1;
		if (end)
			e->state = SENTRY_ITEM_HEADER;
		break;
	case SENTRY_REST:
		size = end ? (size_t)(end - piece->data) : size;
		err = hold(e, hy_bytes(piece->data, size), f);
		if (end && err == HY_OK)
			e->state = SENTRY_ITEM_HEADER;
		break;
	default:
		return broken(e, HY_BAD_INPUT, f, "the envelope is broken");
	}
	size += end != NULL;
	piece->data += size;
	piece->size -= size;
	return err;
}

int sentry_envelope_put(struct sentry_envelope *e, struct hy_bytes piece, struct hy_fault *f)
{
	int err = HY_OK;
	while (piece.size && err == HY_OK)
		err = step(e, &piece, f);
	return err;
}

int sentry_envelope_end(struct sentry_envelope *e, struct hy_fault *f)
{
	int err = HY_OK;
	if (e->state == SENTRY_HEADER || (e->state == SENTRY_ITEM_HEADER && e->line.size))
		err = on_line(e, f);
	if (err == HY_OK && e->state == SENTRY_BYTES)
		err = broken(e, HY_BAD_INPUT, f, "the envelope ends inside an item");
	if (err == HY_OK && e->state == SENTRY_BROKEN)
		err = broken(e, HY_BAD_INPUT, f, "the envelope is broken");
	return err;
}
