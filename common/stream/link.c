/* Frames of the link: packing, walking, and the seam where tests lose them. */
#include "stream/link.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "stream/block.h"

/* ---- writing ------------------------------------------------------------------------------------------------------ */

static void put_number(struct hy_buffer *out, uint32_t field, uint64_t v)
{
	if (v == 0)
		return;
	hy_wire_put_varint(out, (uint64_t)field << 3);
	hy_wire_put_varint(out, v);
}

static void put_bytes(struct hy_buffer *out, uint32_t field, struct hy_bytes v)
{
	if (v.size)
		hy_wire_append(out, field, v);
}

static void put_text(struct hy_buffer *out, uint32_t field, const char *v)
{
	put_bytes(out, field, hy_bytes_text(v));
}

static void put_fixed64(struct hy_buffer *out, uint32_t field, uint64_t v)
{
	if (v == 0)
		return;
	hy_wire_put_varint(out, (uint64_t)field << 3 | 1);
	for (int i = 0; i < 8; i++)
		hy_buffer_byte(out, (uint8_t)(v >> 8 * i));
}

/* The message of a Link gets its size when it is complete. Three bytes hold it, padded where fewer would do: that keeps
 * half a megabyte of records where they were copied to. */
#define LINK_HEAD 4
#define LINK_BODY_MAX ((size_t)1 << 21)

static void begin(struct hy_buffer *out)
{
	HY_ASSERT(out->size == 0);
	hy_buffer_put(out, "\0\0\0\0", LINK_HEAD);
}

static void end(struct hy_buffer *out, enum hy_frame_kind kind)
{
	if (out->err)
		return;
	size_t size = out->size - LINK_HEAD;
	HY_ASSERT(size < LINK_BODY_MAX);
	out->data[0] = (uint8_t)(kind << 3 | 2);
	out->data[1] = (uint8_t)(0x80 | (size & 0x7f));
	out->data[2] = (uint8_t)(0x80 | (size >> 7 & 0x7f));
	out->data[3] = (uint8_t)(size >> 14);
}

void hy_link_put_hello(struct hy_buffer *out, const struct hy_hello *h)
{
	begin(out);
	put_number(out, 1, h->protocol);
	put_text(out, 2, h->peer);
	put_text(out, 3, h->stream);
	put_number(out, 4, h->epoch);
	if (h->has_log)
		put_bytes(out, 5, hy_bytes(h->log_id.b, sizeof(h->log_id.b)));
	put_number(out, 6, h->mark);
	if (h->from_now)
		put_text(out, 7, "now");
	put_text(out, 8, h->key);
	put_number(out, 9, h->outside);
	put_fixed64(out, 10, h->chain);
	end(out, HY_FRAME_HELLO);
}

void hy_link_put_pull(struct hy_buffer *out, const struct hy_pull *p)
{
	begin(out);
	put_text(out, 1, p->stream);
	put_bytes(out, 2, hy_bytes(p->log_id.b, sizeof(p->log_id.b)));
	put_number(out, 3, p->epoch);
	put_number(out, 4, p->after);
	put_number(out, 5, p->committed);
	put_number(out, 6, p->credit_bytes);
	end(out, HY_FRAME_PULL);
}

void hy_link_put_refuse(struct hy_buffer *out, const struct hy_refuse *r)
{
	begin(out);
	put_text(out, 1, r->stream);
	put_number(out, 2, r->reason);
	put_text(out, 3, r->text);
	put_number(out, 4, r->epoch);
	end(out, HY_FRAME_REFUSE);
}

void hy_link_batch_begin(struct hy_buffer *out)
{
	begin(out);
}

void hy_link_batch_end(struct hy_buffer *out, const struct hy_batch *head)
{
	put_text(out, 1, head->stream);
	put_bytes(out, 2, hy_bytes(head->log_id.b, sizeof(head->log_id.b)));
	put_number(out, 3, head->epoch);
	put_number(out, 4, head->first);
	put_number(out, 5, head->count);
	put_number(out, 6, head->head);
	put_number(out, 7, head->oldest);
	put_fixed64(out, 11, head->chain);
	end(out, HY_FRAME_BATCH);
}

/* ---- reading ------------------------------------------------------------------------------------------------------ */

static bool take_name(const struct hy_wire_item *item, char out[HY_LINK_NAME])
{
	if (item->wire_type != 2 || item->bytes.size == 0 || item->bytes.size >= HY_LINK_NAME)
		return false;
	for (size_t i = 0; i < item->bytes.size; i++) {
		uint8_t c = item->bytes.data[i];
		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-'))
			return false;
	}
	memcpy(out, item->bytes.data, item->bytes.size);
	out[item->bytes.size] = '\0';
	return true;
}

static bool take_text(const struct hy_wire_item *item, char *out, size_t room)
{
	if (item->wire_type != 2 || item->bytes.size >= room)
		return false;
	if (!hy_utf8_valid(item->bytes) || (item->bytes.size && memchr(item->bytes.data, 0, item->bytes.size)))
		return false;
	if (item->bytes.size)
		memcpy(out, item->bytes.data, item->bytes.size);
	out[item->bytes.size] = '\0';
	return true;
}

static bool take_log_id(const struct hy_wire_item *item, struct hy_log_id *out)
{
	if (item->wire_type != 2 || item->bytes.size != sizeof(out->b))
		return false;
	memcpy(out->b, item->bytes.data, sizeof(out->b));
	return true;
}

static bool take_number(const struct hy_wire_item *item, int wire_type, uint64_t most, uint64_t *out)
{
	if (item->wire_type != wire_type || item->value > most)
		return false;
	*out = item->value;
	return true;
}

static bool take_u32(const struct hy_wire_item *item, uint32_t most, uint32_t *out)
{
	uint64_t v;
	if (!take_number(item, 0, most, &v))
		return false;
	*out = (uint32_t)v;
	return true;
}

/* Sequence numbers leave room above, so that sums of two can't wrap. */
#define SEQ_MAX ((uint64_t)1 << 62)

static bool take_seq(const struct hy_wire_item *item, uint64_t *out)
{
	return take_number(item, 0, SEQ_MAX, out);
}

/* Fields we don't know are passed over: a newer peer may send more than we read. */
static bool hello_field(const struct hy_wire_item *item, struct hy_hello *h)
{
	char from[8] = "";
	uint64_t flag;
	switch (item->number) {
	case 1:
		return take_u32(item, UINT32_MAX, &h->protocol);
	case 2:
		return take_name(item, h->peer);
	case 3:
		return take_name(item, h->stream);
	case 4:
		return take_number(item, 0, UINT64_MAX, &h->epoch);
	case 5:
		h->has_log = item->wire_type == 2 && item->bytes.size > 0;
		return !h->has_log ? item->wire_type == 2 : take_log_id(item, &h->log_id);
	case 6:
		return take_seq(item, &h->mark);
	case 7:
		if (!take_text(item, from, sizeof(from)))
			return false;
		h->from_now = strcmp(from, "now") == 0;
		return h->from_now || !*from || strcmp(from, "oldest") == 0;
	case 8:
		return take_text(item, h->key, sizeof(h->key));
	case 9:
		if (!take_number(item, 0, 1, &flag))
			return false;
		h->outside = flag != 0;
		return true;
	case 10:
		return take_number(item, 1, UINT64_MAX, &h->chain);
	default:
		return true;
	}
}

static bool pull_field(const struct hy_wire_item *item, struct hy_pull *p)
{
	switch (item->number) {
	case 1:
		return take_name(item, p->stream);
	case 2:
		return take_log_id(item, &p->log_id);
	case 3:
		return take_number(item, 0, UINT64_MAX, &p->epoch);
	case 4:
		return take_seq(item, &p->after);
	case 5:
		return take_seq(item, &p->committed);
	case 6:
		return take_number(item, 0, UINT64_MAX, &p->credit_bytes);
	default:
		return true;
	}
}

static bool refuse_field(const struct hy_wire_item *item, struct hy_refuse *r)
{
	uint32_t reason;
	switch (item->number) {
	case 1:
		return take_name(item, r->stream);
	case 2:
		if (!take_u32(item, INT32_MAX, &reason))
			return false;
		r->reason = (Huiyin__RefuseReason)reason;
		return true;
	case 3:
		return take_text(item, r->text, sizeof(r->text));
	case 4:
		return take_number(item, 0, UINT64_MAX, &r->epoch);
	default:
		return true;
	}
}

struct batch_count {
	uint32_t records, checks;
};

static bool batch_field(const struct hy_wire_item *item, struct hy_batch *b, struct batch_count *n)
{
	switch (item->number) {
	case 1:
		return take_name(item, b->stream);
	case 2:
		return take_log_id(item, &b->log_id);
	case 3:
		return take_number(item, 0, UINT64_MAX, &b->epoch);
	case 4:
		return take_seq(item, &b->first);
	case 5:
		return take_u32(item, HY_WIRE_REPEATED_MAX, &b->count);
	case 6:
		return take_seq(item, &b->head);
	case 7:
		return take_seq(item, &b->oldest);
	case 8: /* packed, or one by one as an older encoder would */
		if (item->wire_type == 2 && item->bytes.size % 4 == 0)
			n->checks += (uint32_t)(item->bytes.size / 4);
		else if (item->wire_type == 5)
			n->checks++;
		else
			return false;
		return true;
	case 9:
		if (item->wire_type != 2 || item->bytes.size > HY_WIRE_ENVELOPE_MAX)
			return false;
		return ++n->records <= HY_WIRE_REPEATED_MAX;
	case 10:
		return item->wire_type == 2;
	case 11:
		return take_number(item, 1, UINT64_MAX, &b->chain);
	default:
		return true;
	}
}

static int open_batch(struct hy_bytes body, struct hy_batch *b)
{
	struct hy_wire_item item;
	struct batch_count n = { 0 };
	size_t at = 0;
	int err = HY_OK;
	b->body = body;
	while (hy_wire_next(body, &at, &item, &err))
		if (!batch_field(&item, b, &n))
			return HY_BAD_INPUT;
	if (err != HY_OK || n.records != b->count || n.checks != b->count || !*b->stream || b->first == 0)
		return HY_BAD_INPUT;
	return HY_OK;
}

static int open_small(struct hy_bytes body, struct hy_frame *f)
{
	struct hy_wire_item item;
	size_t at = 0;
	int err = HY_OK;
	bool good = true;
	while (good && hy_wire_next(body, &at, &item, &err))
		good = f->kind == HY_FRAME_HELLO  ? hello_field(&item, &f->hello)
		       : f->kind == HY_FRAME_PULL ? pull_field(&item, &f->pull)
						  : refuse_field(&item, &f->refuse);
	return good && err == HY_OK ? HY_OK : HY_BAD_INPUT;
}

int hy_link_open(struct hy_bytes raw, struct hy_frame *out)
{
	struct hy_wire_item item;
	struct hy_bytes body = { 0 };
	size_t at = 0;
	int err = HY_OK;
	memset(out, 0, sizeof(*out));
	while (hy_wire_next(raw, &at, &item, &err)) {
		if (item.number > HY_FRAME_REFUSE)
			continue;
		if (out->kind || item.wire_type != 2)
			return HY_BAD_INPUT;
		out->kind = (enum hy_frame_kind)item.number;
		body = item.bytes;
	}
	if (err != HY_OK)
		return HY_BAD_INPUT;
	switch (out->kind) {
	case HY_FRAME_BATCH:
		return open_batch(body, &out->batch);
	case HY_FRAME_HELLO:
		err = open_small(body, out);
		return err == HY_OK && *out->hello.peer && *out->hello.stream ? HY_OK : HY_BAD_INPUT;
	case HY_FRAME_PULL:
		err = open_small(body, out);
		return err == HY_OK && *out->pull.stream && out->pull.committed <= out->pull.after ? HY_OK
												   : HY_BAD_INPUT;
	case HY_FRAME_REFUSE:
		err = open_small(body, out);
		return err == HY_OK && *out->refuse.stream && out->refuse.reason ? HY_OK : HY_BAD_INPUT;
	default:
		return HY_BAD_INPUT;
	}
}

static uint32_t check_at(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static bool mark_record(const struct hy_batch *b, struct hy_bytes marker, struct hy_record *out)
{
	struct hy_wire_item item;
	uint64_t seq = 0, kind = 0;
	size_t at = 0;
	int err = HY_OK;
	while (hy_wire_next(marker, &at, &item, &err)) {
		if (item.number == 1 && !take_seq(&item, &seq))
			return false;
		if (item.number == 2 && !take_number(&item, 0, INT32_MAX, &kind))
			return false;
	}
	if (err != HY_OK || seq < b->first || seq - b->first >= b->count)
		return false;
	struct hy_record *r = &out[seq - b->first];
	/* A kind we don't know still means that there is nothing to read: the dead letters will tell. */
	r->err = kind == HUIYIN__MARKER_KIND__ERASED ? HY_ERASED : HY_DAMAGED;
	r->bytes = hy_bytes(NULL, 0);
	return true;
}

int hy_batch_records(const struct hy_batch *b, struct hy_record *out)
{
	struct hy_wire_item item;
	uint32_t records = 0, checks = 0;
	size_t at = 0;
	int err = HY_OK;
	while (hy_wire_next(b->body, &at, &item, &err)) {
		if (item.number == 9) {
			out[records].seq = b->first + records;
			out[records].err = HY_OK;
			out[records++].bytes = item.bytes;
		} else if (item.number == 8 && item.wire_type == 5) {
			out[checks++].check = (uint32_t)item.value;
		} else if (item.number == 8) {
			for (size_t i = 0; i < item.bytes.size; i += 4)
				out[checks++].check = check_at(item.bytes.data + i);
		}
	}
	/* Markers last: they may stand before the records they mark. */
	at = 0;
	while (hy_wire_next(b->body, &at, &item, &err))
		if (item.number == 10 && !mark_record(b, item.bytes, out))
			return HY_BAD_INPUT;
	return HY_OK;
}

/* ---- sending ------------------------------------------------------------------------------------------------------ */

typedef bool hy_road(void *arg, bool from_writer, struct hy_bytes frame);
static hy_road *_Atomic road;
static void *_Atomic road_arg;

void hy_link_tamper(hy_road *to, void *arg)
{
	atomic_store(&road_arg, arg);
	atomic_store(&road, to);
}

int hy_link_send(struct hy_socket *s, struct hy_bytes to, bool from_writer, struct hy_buffer *frame)
{
	hy_road *passes = atomic_load_explicit(&road, memory_order_relaxed);
	struct hy_buffer sent = *frame;
	*frame = (struct hy_buffer){ 0 };
	if (sent.err) {
		free(sent.data);
		return HY_NO_MEMORY;
	}
	if (passes && !passes(atomic_load(&road_arg), from_writer, hy_buffer_view(&sent))) {
		free(sent.data);
		return HY_OK; /* as a network does */
	}
	return hy_socket_send_own(s, to, sent.data, sent.size);
}

const char *hy_refuse_name(Huiyin__RefuseReason reason)
{
	static const char *const names[] = { "", "trimmed", "ahead", "other_log", "unknown", "forbidden", "fenced",
		"protocol" };
	return (unsigned)reason < sizeof(names) / sizeof(names[0]) ? names[reason] : "refused";
}
