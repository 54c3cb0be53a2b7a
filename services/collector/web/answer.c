#include "answer.h"
#include "reception.h"

/* From here on a rejected item tells its first fault alone: what a client gets wrong a hundred thousand times it need not read in full. */
#define REJECTED_IN_FULL ((size_t)1 << 20)

static const struct {
	const char *name, *detail, *whole;
	int status, wait_ms;
} reasons[] = {
	[LATER_FULL] = { "full", "not kept: the store is full; send it again",
		"The store is full; nothing was kept. Try again later.", 503, 5000 },
	[LATER_BUSY] = { "busy", "not kept: too much is waiting; send it again",
		"Too much is waiting; nothing was kept. Try again.", 503, 1000 },
	[LATER_RATE] = { "rate", "not kept: this key sends faster than its rate allows; send it again",
		"This key sends faster than its rate allows.", 429, 0 },
};

static void put_number(struct hy_buffer *b, const char *before, uint64_t n)
{
	char digits[21];
	size_t at = sizeof(digits);
	do
		digits[--at] = (char)('0' + n % 10);
	while (n /= 10);
	hy_buffer_text(b, before);
	hy_buffer_put(b, digits + at, sizeof(digits) - at);
}

static void put_fault(struct hy_buffer *b, const char *pointer, const char *detail)
{
	hy_buffer_text(b, "[{\"pointer\":\"");
	hy_buffer_text(b, pointer);
	hy_buffer_text(b, "\",\"detail\":\"");
	hy_buffer_text(b, detail);
	hy_buffer_text(b, "\"}]");
}

static void put_conflict(struct answer *a, size_t index, bool by_header)
{
	char pointer[32] = "/id";
	a->conflict = by_header ? "This Idempotency-Key came before with other content."
				: "This id came before with other content.";
	if (a->form == ANSWER_ARRAY)
		snprintf(pointer, sizeof(pointer), "/%zu/id", index);
	if (by_header)
		put_fault(&a->rejected, "", "conflict: this Idempotency-Key came before with other content");
	else
		put_fault(&a->rejected, pointer, "conflict: this id came before with other content");
}

static void put_errors(struct answer *a, json_t *errors)
{
	while (a->rejected.size > REJECTED_IN_FULL && json_array_size(errors) > 1)
		json_array_remove(errors, json_array_size(errors) - 1);
	char *text = json_dumps(errors, JSON_COMPACT);
	hy_buffer_text(&a->rejected, text ? text : "[]");
	free(text);
}

/* A single object's faults are the answer's own; of several, each says which. */
static void reject(struct answer *a, const struct submission *s, const struct item *item, enum intake_later later)
{
	size_t index = a->items;
	if (a->form != ANSWER_SINGLE) {
		put_number(&a->rejected, a->rejected.size ? ",{\"index\":" : "{\"index\":", index);
		if (item->line)
			put_number(&a->rejected, ",\"line\":", item->line);
		hy_buffer_text(&a->rejected, item->rest ? ",\"rest\":true" : "");
		hy_buffer_text(&a->rejected, later || item->rest ? ",\"retry\":true" : "");
		hy_buffer_text(&a->rejected, ",\"errors\":");
	}
	if (later) {
		a->later++;
		a->why = a->why ? a->why : later;
		put_fault(&a->rejected, "", reasons[later].detail);
	} else if (item->ok) {
		put_conflict(a, index, s->by_header);
	} else {
		put_errors(a, item->errors);
	}
	if (a->form != ANSWER_SINGLE)
		hy_buffer_byte(&a->rejected, '}');
}

void answer_add(struct answer *a, const struct submission *s, int err)
{
	enum intake_later none = err == HY_OK ? LATER_NOT : err == HY_FULL ? LATER_FULL : LATER_BUSY;
	for (size_t i = 0; i < s->count; i++) {
		const struct item *item = &s->items[i];
		bool kept = !err && (s->fates[i] == FATE_ACCEPTED || s->fates[i] == FATE_DUPLICATE);
		if (a->items)
			hy_buffer_byte(&a->ids, ',');
		if (kept) {
			char id[1 + HY_ID_TEXT] = "\"";
			hy_id_text(s->ids[i], id + 1);
			id[HY_ID_TEXT] = '"';
			hy_buffer_put(&a->ids, id, sizeof(id));
			a->accepted += s->fates[i] == FATE_ACCEPTED;
			a->duplicates += s->fates[i] == FATE_DUPLICATE;
		} else {
			hy_buffer_text(&a->ids, "null");
			reject(a, s, item, item->later ? item->later : item->ok ? none : LATER_NOT);
		}
		a->items++;
	}
}

static void send_kept(const struct answer *a, struct hy_request *q)
{
	struct hy_buffer text = { 0 };
	hy_buffer_room(&text, a->ids.size + a->rejected.size + 128);
	put_number(&text, "{\"accepted\":", a->accepted);
	put_number(&text, ",\"duplicates\":", a->duplicates);
	hy_buffer_text(&text, ",\"rejected\":[");
	hy_buffer_bytes(&text, hy_buffer_view(&a->rejected));
	hy_buffer_text(&text, "],\"ids\":[");
	hy_buffer_bytes(&text, hy_buffer_view(&a->ids));
	hy_buffer_text(&text, "]}");
	if (text.err || a->ids.err || a->rejected.err) /* it is kept, and can't be told: sent again it is a duplicate */
		reception_later(q, 503, "busy", "No memory for the answer. What has an id may be sent again.", 1000);
	else
		hy_http_reply(q, 202, "application/json", hy_buffer_view(&text));
	hy_buffer_free(&text);
}

static void send_refused(const struct answer *a, struct hy_request *q)
{
	struct hy_buffer errors = { 0 };
	bool single = a->form == ANSWER_SINGLE;
	hy_buffer_text(&errors, single ? "" : "[");
	hy_buffer_bytes(&errors, hy_buffer_view(&a->rejected));
	hy_buffer_text(&errors, single ? "" : "]");
	const char *text = hy_buffer_string(&errors);
	if (a->items == 0)
		hy_http_problem(q, 422, "invalid", "There is no item in the body.", NULL);
	else if (single && a->conflict)
		hy_http_problem(q, 409, "conflict", a->conflict, text);
	else
		hy_http_problem(q, 422, "invalid", "Nothing in this request can be accepted.", text);
	hy_buffer_free(&errors);
}

void answer_send(const struct answer *a, struct hy_request *q)
{
	int64_t wait_ms = a->wait_ms > reasons[a->why].wait_ms ? a->wait_ms : reasons[a->why].wait_ms;
	if (a->accepted + a->duplicates > 0) {
		if (a->later)
			reception_retry_after(q, wait_ms);
		send_kept(a, q);
	} else if (a->later) {
		reception_later(q, reasons[a->why].status, reasons[a->why].name, reasons[a->why].whole, wait_ms);
	} else {
		send_refused(a, q);
	}
}

void answer_free(struct answer *a)
{
	hy_buffer_free(&a->ids);
	hy_buffer_free(&a->rejected);
}

void answer_items(struct submission *s, int err)
{
	struct answer a = { .form = s->single ? ANSWER_SINGLE : ANSWER_ARRAY };
	answer_add(&a, s, err);
	answer_send(&a, s->request);
	answer_free(&a);
	submission_free(&s);
}
