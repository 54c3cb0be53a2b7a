// link: hy_wire
#include "support/test.h"

#include "wire/wire.h"

#include <math.h>

struct fx {
	struct hy_arena *arena;
	struct hy_buffer raw, part;
	struct hy_fault fault;
};

static int open_fx(void **state)
{
	struct fx *fx = calloc(1, sizeof(*fx));
	fx->arena = hy_arena_new(0);
	*state = fx;
	return 0;
}

static int close_fx(void **state)
{
	struct fx *fx = *state;
	hy_arena_free(&fx->arena);
	assert_null(fx->arena);
	hy_buffer_free(&fx->raw);
	hy_buffer_free(&fx->part);
	free(fx);
	return 0;
}

static const char id_bytes[] = "0123456789abcdef";

/* A complaint as the collector writes it, with something in every kind of field. */
static void pack_complaint(struct fx *fx)
{
	Huiyin__Rating rating = HUIYIN__RATING__INIT;
	rating.scale = "nps";
	rating.has_score_case = HUIYIN__RATING__HAS_SCORE_SCORE;
	rating.score = 0;
	Huiyin__Pair pair = HUIYIN__PAIR__INIT;
	pair.name = "order";
	pair.value = "A-1042";
	Huiyin__Remark remark = HUIYIN__REMARK__INIT;
	remark.kind = HUIYIN__KIND__REVIEW;
	remark.channel = "app";
	remark.text = "快递三天没动静，客服也不回";
	remark.ratings = (Huiyin__Rating *[]){ &rating };
	remark.n_ratings = 1;
	remark.context = (Huiyin__Pair *[]){ &pair };
	remark.n_context = 1;
	remark.tags = (char *[]){ "vip", "物流" };
	remark.n_tags = 2;
	Huiyin__Customer customer = HUIYIN__CUSTOMER__INIT;
	customer.id = "c-17";
	customer.locale = "zh-CN";
	Huiyin__Feedback feedback = HUIYIN__FEEDBACK__INIT;
	feedback.at_ms = 1769846400123;
	feedback.customer = &customer;
	feedback.person = (ProtobufCBinaryData){ 16, (uint8_t *)(uintptr_t)id_bytes };
	feedback.body_case = HUIYIN__FEEDBACK__BODY_REMARK;
	feedback.remark = &remark;
	Huiyin__Envelope e = HUIYIN__ENVELOPE__INIT;
	e.id = (ProtobufCBinaryData){ 16, (uint8_t *)(uintptr_t)id_bytes };
	e.project = 1;
	e.key = feedback.person;
	e.at_ms = feedback.at_ms;
	e.feedback = &feedback;
	hy_buffer_clear(&fx->raw);
	assert_int_equal(hy_wire_pack(&e.base, &fx->raw), HY_OK);
}

static int open_envelope(struct fx *fx, Huiyin__Envelope **e)
{
	*e = NULL;
	fx->fault.text[0] = '\0';
	return hy_wire_open(fx->arena, hy_buffer_view(&fx->raw), e, &fx->fault);
}

static void an_envelope_comes_out_as_it_went_in(void **state)
{
	struct fx *fx = *state;
	Huiyin__Envelope *e;
	pack_complaint(fx);
	assert_int_equal(open_envelope(fx, &e), HY_OK);
	assert_memory_equal(e->id.data, id_bytes, 16);
	assert_true(hy_id_is_zero(HY_ID_FROM_PB(e->cause)));
	assert_int_equal(e->feedback->body_case, HUIYIN__FEEDBACK__BODY_REMARK);
	Huiyin__Remark *remark = e->feedback->remark;
	assert_string_equal(remark->text, "快递三天没动静，客服也不回");
	assert_string_equal(remark->client_id, ""); /* absent */
	assert_int_equal(remark->n_tags, 2);
	assert_string_equal(remark->tags[1], "物流");
	assert_int_equal(remark->ratings[0]->has_score_case, HUIYIN__RATING__HAS_SCORE_SCORE);
	assert_int_equal(remark->ratings[0]->has_max_case, 0);
	assert_null(e->classification);
	struct hy_buffer again = { 0 };
	hy_wire_pack(&e->base, &again);
	assert_true(hy_bytes_equal(hy_buffer_view(&again), hy_buffer_view(&fx->raw)));
	hy_buffer_free(&again);
}

static void a_station_adds_its_field_to_bytes_it_does_not_unpack(void **state)
{
	struct fx *fx = *state;
	pack_complaint(fx);
	size_t before = fx->raw.size;
	Huiyin__Routed routed = HUIYIN__ROUTED__INIT;
	routed.decision = HUIYIN__DECISION__DECISION_TICKET;
	routed.department = "logistics";
	assert_int_equal(hy_wire_append_message(&fx->raw, HY_FIELD_ROUTED, &routed.base), HY_OK);
	struct hy_bytes field = hy_wire_field(hy_buffer_view(&fx->raw), HY_FIELD_ROUTED);
	assert_int_equal(field.size, protobuf_c_message_get_packed_size(&routed.base));
	assert_ptr_equal(field.data + field.size, fx->raw.data + fx->raw.size);
	struct hy_buffer by_hand = { 0 };
	hy_buffer_put(&by_hand, fx->raw.data, before);
	assert_int_equal(hy_wire_append(&by_hand, HY_FIELD_ROUTED, field), HY_OK);
	assert_true(hy_bytes_equal(hy_buffer_view(&by_hand), hy_buffer_view(&fx->raw)));
	hy_buffer_free(&by_hand);
	Huiyin__Envelope *e;
	assert_int_equal(open_envelope(fx, &e), HY_OK);
	assert_string_equal(e->routed->department, "logistics");
	assert_non_null(e->feedback->remark);
}

/* Wraps `fx->part` in field `number`, as the outermost field of the frame. */
static void wrap(struct fx *fx, uint32_t number)
{
	struct hy_buffer out = { 0 };
	hy_wire_append(&out, number, hy_buffer_view(&fx->part));
	hy_buffer_free(&fx->part);
	fx->part = out;
}

static void put_number(struct hy_buffer *out, uint32_t field, uint64_t v)
{
	hy_wire_put_varint(out, (uint64_t)field << 3);
	hy_wire_put_varint(out, v);
}

/* `fx->part` is a Remark: puts it into a Feedback into an Envelope, and looks for the fault. */
static void assert_remark_refused(struct fx *fx, int err, const char *fault)
{
	Huiyin__Envelope *e;
	wrap(fx, 10);
	hy_buffer_clear(&fx->raw);
	hy_wire_append(&fx->raw, 1, hy_bytes(id_bytes, 16));
	hy_wire_append(&fx->raw, HY_FIELD_FEEDBACK, hy_buffer_view(&fx->part));
	hy_buffer_clear(&fx->part);
	assert_int_equal(open_envelope(fx, &e), err);
	assert_string_equal(fx->fault.text, fault);
	assert_null(e);
}

static void the_fault_names_the_field_and_what_is_wrong(void **state)
{
	struct fx *fx = *state;
	hy_wire_append(&fx->part, 3, HY_LIT("\xff\xfe"));
	assert_remark_refused(fx, HY_BAD_INPUT, "feedback.remark.text: not UTF-8");
	hy_wire_append(&fx->part, 3, HY_LIT("early\0end"));
	assert_remark_refused(fx, HY_BAD_INPUT, "feedback.remark.text: has a NUL in it");
	hy_wire_append(&fx->part, 6, HY_LIT("good"));
	hy_wire_append(&fx->part, 6, HY_LIT("\xe5\xbf"));
	assert_remark_refused(fx, HY_BAD_INPUT, "feedback.remark.tags[1]: not UTF-8");
	put_number(&fx->part, 1, 8);
	assert_remark_refused(fx, HY_BAD_INPUT, "feedback.remark.kind: not a value of its enum");
	put_number(&fx->part, 1, UINT64_MAX);
	assert_remark_refused(fx, HY_BAD_INPUT, "feedback.remark.kind: not a value of its enum");
	put_number(&fx->part, 3, 1);
	assert_remark_refused(fx, HY_BAD_INPUT, "feedback.remark.text: of another type");
	hy_wire_append(&fx->part, 7, HY_LIT("soon"));
	assert_remark_refused(fx, HY_BAD_INPUT, "feedback.remark.occurred_ms: of another type");
	hy_buffer_text(&fx->part, "\x1a\x05"
				  "abc");
	assert_remark_refused(fx, HY_BAD_INPUT, "feedback.remark: malformed or cut off");
	hy_wire_append(&fx->part, 9,
		HY_LIT("\x0a\x03"
		       "abc"));
	assert_remark_refused(fx, HY_BAD_INPUT, "feedback.remark.in_reply_to.ticket: not an id of 16 bytes");
	hy_wire_append(&fx->part, 9, HY_LIT(""));
	hy_wire_append(&fx->part, 9, HY_LIT(""));
	assert_remark_refused(fx, HY_BAD_INPUT, "feedback.remark.in_reply_to: occurs twice");
	hy_wire_append(&fx->part, 9, HY_LIT("\x10\xff\xff\xff\xff\xff\x01"));
	assert_remark_refused(fx, HY_BAD_INPUT, "feedback.remark.in_reply_to.round: out of range");
	double nan = NAN;
	struct hy_buffer rating = { 0 };
	hy_buffer_byte(&rating, 2 << 3 | 1);
	hy_buffer_put(&rating, &nan, sizeof(nan));
	hy_wire_append(&fx->part, 4, hy_buffer_view(&rating));
	hy_buffer_free(&rating);
	assert_remark_refused(fx, HY_BAD_INPUT, "feedback.remark.ratings[0].score: not a finite number");
	for (int i = 0; i <= HY_WIRE_REPEATED_MAX; i++)
		hy_wire_append(&fx->part, 6, HY_LIT(""));
	assert_remark_refused(fx, HY_TOO_LARGE, "feedback.remark.tags[4096]: too many items");
}

static void two_bodies_in_one_feedback_are_refused(void **state)
{
	struct fx *fx = *state;
	hy_wire_append(&fx->part, 10, HY_LIT("\x1a\x02hi"));
	hy_wire_append(&fx->part, 13, HY_LIT(""));
	wrap(fx, HY_FIELD_FEEDBACK);
	hy_wire_append(&fx->part, 1, hy_bytes(id_bytes, 16));
	Huiyin__Envelope *e;
	assert_int_equal(hy_wire_open(fx->arena, hy_buffer_view(&fx->part), &e, &fx->fault), HY_BAD_INPUT);
	assert_string_equal(fx->fault.text, "feedback.erasure: stands beside another field of its oneof");
}

static void an_envelope_needs_an_id_and_something_it_says(void **state)
{
	struct fx *fx = *state;
	Huiyin__Envelope *e;
	pack_complaint(fx);
	struct hy_bytes feedback = hy_wire_field(hy_buffer_view(&fx->raw), HY_FIELD_FEEDBACK);
	assert_int_equal(hy_wire_append(&fx->part, HY_FIELD_FEEDBACK, feedback), HY_OK);
	assert_int_equal(hy_wire_open(fx->arena, hy_buffer_view(&fx->part), &e, &fx->fault), HY_BAD_INPUT);
	assert_string_equal(fx->fault.text, "id: missing");

	hy_buffer_clear(&fx->raw);
	hy_wire_append(&fx->raw, 1, hy_bytes(id_bytes, 16));
	assert_int_equal(open_envelope(fx, &e), HY_BAD_INPUT);
	hy_wire_append(&fx->raw, HY_FIELD_FEEDBACK, HY_LIT("")); /* a body of a later version looks like this */
	assert_int_equal(open_envelope(fx, &e), HY_BAD_INPUT);
	assert_string_equal(fx->fault.text, "Envelope: neither a body nor an event that this version knows");
	hy_wire_append(&fx->raw, HY_FIELD_TICKET, HY_LIT("\x10\x01"));
	assert_int_equal(open_envelope(fx, &e), HY_OK);
	assert_int_equal(open_envelope(fx, &e), HY_OK);
	assert_int_equal(hy_wire_open(fx->arena, hy_bytes(NULL, 0), &e, NULL), HY_BAD_INPUT);
}

static void what_is_larger_than_its_limit_is_refused_before_it_is_read(void **state)
{
	struct fx *fx = *state;
	Huiyin__Envelope *e;
	pack_complaint(fx);
	size_t pad = HY_WIRE_ENVELOPE_MAX - fx->raw.size;
	char *text = calloc(1, pad);
	hy_wire_append(&fx->raw, 1000, hy_bytes(text, pad - 5)); /* tag 2, length 3 */
	assert_int_equal(fx->raw.size, HY_WIRE_ENVELOPE_MAX);
	assert_int_equal(open_envelope(fx, &e), HY_OK);
	put_number(&fx->raw, 1001, 0);
	assert_int_equal(open_envelope(fx, &e), HY_TOO_LARGE);
	free(text);
	Huiyin__Link *link;
	text = calloc(1, HY_WIRE_FRAME_MAX + 1);
	assert_int_equal(hy_wire_unpack(fx->arena, &huiyin__link__descriptor, hy_bytes(text, HY_WIRE_FRAME_MAX + 1),
				 &link, &fx->fault),
		HY_TOO_LARGE);
	free(text);
}

static void fields_of_a_later_version_pass(void **state)
{
	struct fx *fx = *state;
	Huiyin__Envelope *e;
	pack_complaint(fx);
	put_number(&fx->raw, 77, 123456789);
	hy_wire_append(&fx->raw, 78, HY_LIT("\xff\0\xff"));
	hy_buffer_put(&fx->raw,
		"\xfd\x04"
		"abcd",
		6); /* 79, fixed32 */
	assert_int_equal(open_envelope(fx, &e), HY_OK);
	assert_string_equal(e->feedback->remark->channel, "app");
	hy_buffer_byte(&fx->raw, 80 & 0x7f);
	assert_int_equal(open_envelope(fx, &e), HY_BAD_INPUT);
}

static void a_batch_carries_packed_and_unpacked_checks(void **state)
{
	struct fx *fx = *state;
	Huiyin__Batch b = HUIYIN__BATCH__INIT;
	b.stream = "feedback";
	b.log_id = (ProtobufCBinaryData){ 16, (uint8_t *)(uintptr_t)id_bytes };
	b.first = 1042;
	b.count = b.n_checks = b.n_records = 3;
	b.checks = (uint32_t[]){ 1, 0, UINT32_MAX };
	b.records = (ProtobufCBinaryData[]){ { 3, (uint8_t *)"abc" }, { 0, NULL }, { 1, (uint8_t *)"x" } };
	hy_wire_pack(&b.base, &fx->raw);
	Huiyin__Batch *got;
	assert_int_equal(
		hy_wire_unpack(fx->arena, &huiyin__batch__descriptor, hy_buffer_view(&fx->raw), &got, &fx->fault),
		HY_OK);
	assert_int_equal(got->n_checks, 3);
	assert_true(got->checks[2] == UINT32_MAX);
	assert_int_equal(got->records[1].len, 0);
	hy_buffer_put(&fx->raw, "\x45\x09\0\0\0", 5); /* one more, by itself */
	assert_int_equal(
		hy_wire_unpack(fx->arena, &huiyin__batch__descriptor, hy_buffer_view(&fx->raw), &got, &fx->fault),
		HY_OK);
	assert_int_equal(got->n_checks, 4);
	assert_int_equal(got->checks[3], 9);
	hy_wire_append(&fx->raw, 8, HY_LIT("12345"));
	assert_int_equal(
		hy_wire_unpack(fx->arena, &huiyin__batch__descriptor, hy_buffer_view(&fx->raw), &got, &fx->fault),
		HY_BAD_INPUT);
	assert_string_equal(fx->fault.text, "checks[4]: cut off");
}

static void too_many_packed_numbers_are_refused(void **state)
{
	struct fx *fx = *state;
	Huiyin__Batch *got;
	uint8_t *checks = calloc(HY_WIRE_REPEATED_MAX + 1, 4);
	hy_wire_append(&fx->raw, 8, hy_bytes(checks, 4 * HY_WIRE_REPEATED_MAX));
	assert_int_equal(
		hy_wire_unpack(fx->arena, &huiyin__batch__descriptor, hy_buffer_view(&fx->raw), &got, &fx->fault),
		HY_OK);
	assert_int_equal(got->n_checks, HY_WIRE_REPEATED_MAX);
	hy_wire_append(&fx->raw, 8, hy_bytes(checks, 4));
	assert_int_equal(
		hy_wire_unpack(fx->arena, &huiyin__batch__descriptor, hy_buffer_view(&fx->raw), &got, &fx->fault),
		HY_TOO_LARGE);
	free(checks);
}

/* 1 MiB of tiny items would become dozens of MiB. */
static void a_frame_of_tiny_items_cannot_outgrow_its_arena(void **state)
{
	struct fx *fx = *state;
	Huiyin__Classification *got;
	struct hy_buffer label = { 0 };
	for (int i = 0; i < HY_WIRE_REPEATED_MAX; i++)
		hy_wire_append(&label, 3, HY_LIT(""));
	static const uint32_t labels[] = { 4, 6, 8, 9, 10, 13 };
	for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++)
		hy_wire_append(&fx->raw, labels[i], hy_buffer_view(&label));
	hy_buffer_free(&label);
	struct hy_arena *small = hy_arena_new(256 << 10);
	struct hy_bytes raw = hy_buffer_view(&fx->raw);
	assert_int_equal(
		hy_wire_unpack(small, &huiyin__classification__descriptor, raw, &got, &fx->fault), HY_TOO_LARGE);
	assert_non_null(hy_arena_get(small, 256 << 10)); /* what it had taken was given back */
	hy_arena_reset(small);
	assert_non_null(hy_arena_get(small, 16));
	assert_int_equal(
		hy_wire_unpack(small, &huiyin__classification__descriptor, raw, &got, &fx->fault), HY_NO_MEMORY);
	hy_arena_free(&small);
	assert_int_equal(hy_wire_unpack(fx->arena, &huiyin__classification__descriptor, raw, &got, &fx->fault), HY_OK);
	assert_int_equal(got->topic->n_evidence, HY_WIRE_REPEATED_MAX);
}

/* None of our messages nests itself; this one does, to try the limit. */
struct nested {
	ProtobufCMessage base;
	struct nested *inner;
};
static const ProtobufCMessageDescriptor nested_type;
static const ProtobufCFieldDescriptor nested_fields[] = {
	{ "inner", 1, PROTOBUF_C_LABEL_NONE, PROTOBUF_C_TYPE_MESSAGE, 0, offsetof(struct nested, inner), &nested_type },
};
static void nested_init(ProtobufCMessage *m)
{
	*(struct nested *)m = (struct nested){ .base = PROTOBUF_C_MESSAGE_INIT(&nested_type) };
}
static const unsigned nested_by_name[] = { 0 };
static const ProtobufCIntRange nested_ranges[] = { { 1, 0 }, { 0, 1 } };
static const ProtobufCMessageDescriptor nested_type = {
	.magic = PROTOBUF_C__MESSAGE_DESCRIPTOR_MAGIC,
	.name = "Nested",
	.short_name = "Nested",
	.c_name = "Nested",
	.package_name = "",
	.sizeof_message = sizeof(struct nested),
	.n_fields = 1,
	.fields = nested_fields,
	.fields_sorted_by_name = nested_by_name,
	.n_field_ranges = 1,
	.field_ranges = nested_ranges,
	.message_init = nested_init,
};

static void nesting_stops_at_eight(void **state)
{
	struct fx *fx = *state;
	struct nested *got;
	for (int depth = 1; depth <= 8; depth++) {
		assert_int_equal(
			hy_wire_unpack(fx->arena, &nested_type, hy_buffer_view(&fx->part), &got, &fx->fault), HY_OK);
		wrap(fx, 1);
	}
	assert_int_equal(
		hy_wire_unpack(fx->arena, &nested_type, hy_buffer_view(&fx->part), &got, &fx->fault), HY_BAD_INPUT);
	assert_non_null(strstr(fx->fault.text, "inner.inner: nested too deep"));
	for (int depth = 0; depth < 10000; depth++)
		wrap(fx, 1);
	assert_int_equal(
		hy_wire_unpack(fx->arena, &nested_type, hy_buffer_view(&fx->part), &got, &fx->fault), HY_BAD_INPUT);
}

static void the_walk_shows_every_field_in_order(void **state)
{
	struct fx *fx = *state;
	put_number(&fx->raw, 3, 300);
	hy_wire_append(&fx->raw, 1, HY_LIT("first"));
	hy_buffer_put(&fx->raw, "\x11\x01\x02\x03\x04\x05\x06\x07\x08", 9); /* 2, fixed64 */
	hy_wire_append(&fx->raw, 1, HY_LIT("last"));
	hy_buffer_put(&fx->raw, "\x25\xff\xff\xff\xff", 5); /* 4, fixed32 */
	struct hy_bytes raw = hy_buffer_view(&fx->raw);
	struct hy_wire_item item;
	size_t at = 0;
	int err = 7;
	assert_true(hy_wire_next(raw, &at, &item, &err));
	assert_true(item.number == 3 && item.wire_type == 0 && item.value == 300);
	assert_true(hy_wire_next(raw, &at, &item, &err));
	assert_true(item.number == 1 && item.wire_type == 2 && hy_bytes_equal(item.bytes, HY_LIT("first")));
	assert_true(hy_wire_next(raw, &at, &item, &err));
	assert_true(item.number == 2 && item.wire_type == 1 && item.value == 0x0807060504030201);
	assert_true(hy_wire_next(raw, &at, &item, &err));
	assert_true(hy_wire_next(raw, &at, &item, &err));
	assert_true(item.number == 4 && item.wire_type == 5 && item.value == UINT32_MAX);
	assert_false(hy_wire_next(raw, &at, &item, &err));
	assert_int_equal(err, HY_OK);
	assert_true(hy_bytes_equal(hy_wire_field(raw, 1), HY_LIT("last")));
	assert_null(hy_wire_field(raw, 3).data); /* a number */
	assert_null(hy_wire_field(raw, 9).data);
	assert_null(hy_wire_field(hy_bytes(raw.data, raw.size - 1), 1).data);
	assert_null(hy_wire_field(hy_bytes(NULL, 0), 1).data);
}

static void the_walk_stops_at_what_is_malformed(void **state)
{
	(void)state;
	static const struct hy_bytes bad[] = {
		{ (const uint8_t *)"\x00\x01", 2 }, /* field 0 */
		{ (const uint8_t *)"\x0b", 1 }, /* a group */
		{ (const uint8_t *)"\x0e\x01", 2 }, /* no such wire type */
		{ (const uint8_t *)"\x08", 1 }, /* no value */
		{ (const uint8_t *)"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 11 }, /* 65 bits */
		{ (const uint8_t *)"\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 12 }, /* 11 bytes */
		{ (const uint8_t *)"\x80\x80\x80\x80\x80\x01\x00", 7 }, /* a tag of 6 bytes */
		{ (const uint8_t *)"\x0a\x80\x80\x80\x80\x80\x00", 7 }, /* a length of 6 bytes */
		{ (const uint8_t *)"\x0a\xff\xff\xff\xff\x0f", 6 }, /* longer than what is there */
		{ (const uint8_t *)"\x0a\x02x", 3 },
		{ (const uint8_t *)"\x09\0\0\0\0\0\0\0", 8 },
		{ (const uint8_t *)"\x0d\0\0\0", 4 },
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		/* A copy of exactly its size: the sanitizer sees a read behind the end. */
		uint8_t *copy = malloc(bad[i].size);
		memcpy(copy, bad[i].data, bad[i].size);
		struct hy_wire_item item;
		size_t at = 0;
		int err = HY_OK;
		assert_false(hy_wire_next(hy_bytes(copy, bad[i].size), &at, &item, &err));
		assert_int_equal(err, HY_BAD_INPUT);
		free(copy);
	}
}

static void varints_are_as_long_as_said(void **state)
{
	struct fx *fx = *state;
	static const struct {
		uint64_t v;
		size_t size;
	} numbers[] = { { 0, 1 }, { 127, 1 }, { 128, 2 }, { 16383, 2 }, { 16384, 3 }, { UINT32_MAX, 5 },
		{ UINT64_MAX, 10 } };
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		hy_buffer_clear(&fx->raw);
		hy_wire_put_varint(&fx->raw, numbers[i].v);
		assert_int_equal(fx->raw.size, numbers[i].size);
		assert_int_equal(hy_wire_varint_size(numbers[i].v), numbers[i].size);
		hy_buffer_clear(&fx->raw);
		put_number(&fx->raw, 1, numbers[i].v);
		struct hy_wire_item item;
		size_t at = 0;
		int err;
		assert_true(hy_wire_next(hy_buffer_view(&fx->raw), &at, &item, &err));
		assert_true(item.value == numbers[i].v);
	}
}

static uint32_t next_random(uint32_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 17;
	*seed ^= *seed << 5;
	return *seed;
}

static void forget_unknown_fields(ProtobufCMessage *m)
{
	const ProtobufCMessageDescriptor *type = m->descriptor;
	for (size_t i = 0; i < m->n_unknown_fields; i++)
		free(m->unknown_fields[i].data);
	free(m->unknown_fields);
	m->unknown_fields = NULL;
	m->n_unknown_fields = 0;
	for (unsigned i = 0; i < type->n_fields; i++) {
		const ProtobufCFieldDescriptor *field = &type->fields[i];
		uint8_t *at = (uint8_t *)m;
		if (field->type != PROTOBUF_C_TYPE_MESSAGE)
			continue;
		if (field->label == PROTOBUF_C_LABEL_REPEATED) {
			ProtobufCMessage **inner = *(ProtobufCMessage ***)(at + field->offset);
			for (size_t n = 0; n < *(size_t *)(at + field->quantifier_offset); n++)
				forget_unknown_fields(inner[n]);
		} else if (!(field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) ||
			   *(uint32_t *)(at + field->quantifier_offset) == field->id) {
			ProtobufCMessage *inner = *(ProtobufCMessage **)(at + field->offset);
			if (inner)
				forget_unknown_fields(inner);
		}
	}
}

/* protobuf-c reads the same message out of the same bytes. */
static void assert_as_protobuf_c(const ProtobufCMessage *ours, struct hy_bytes raw)
{
	ProtobufCMessage *theirs = protobuf_c_message_unpack(ours->descriptor, NULL, raw.size, raw.data);
	assert_non_null(theirs);
	forget_unknown_fields(theirs);
	struct hy_buffer a = { 0 }, b = { 0 };
	hy_wire_pack(ours, &a);
	hy_wire_pack(theirs, &b);
	assert_true(hy_bytes_equal(hy_buffer_view(&a), hy_buffer_view(&b)));
	hy_buffer_free(&a);
	hy_buffer_free(&b);
	protobuf_c_message_free_unpacked(theirs, NULL);
}

/* Whatever the gate lets through can be read plainly: texts end where they say, and packing makes a message again that
 * the gate lets through. */
static void damaged_envelopes_are_refused_or_harmless(void **state)
{
	struct fx *fx = *state;
	pack_complaint(fx);
	struct hy_buffer good = { 0 }, again = { 0 };
	hy_buffer_bytes(&good, hy_buffer_view(&fx->raw));
	uint32_t seed = 20260131;
	int passed = 0;
	for (int round = 0; round < 20000; round++) {
		size_t size = next_random(&seed) % 4 ? good.size : next_random(&seed) % (good.size + 1);
		uint8_t *copy = malloc(size ? size : 1);
		memcpy(copy, good.data, size);
		for (uint32_t n = next_random(&seed) % 4; n > 0 && size; n--)
			copy[next_random(&seed) % size] = (uint8_t)next_random(&seed);
		Huiyin__Envelope *e, *e2;
		struct hy_bytes raw = hy_bytes(copy, size);
		hy_arena_reset(fx->arena);
		if (hy_wire_open(fx->arena, raw, &e, &fx->fault) == HY_OK) {
			passed++;
			hy_buffer_clear(&again);
			assert_int_equal(hy_wire_pack(&e->base, &again), HY_OK);
			assert_as_protobuf_c(&e->base, raw);
			assert_int_equal(hy_wire_open(fx->arena, hy_buffer_view(&again), &e2, &fx->fault), HY_OK);
		}
		hy_wire_field(raw, HY_FIELD_FEEDBACK);
		free(copy);
	}
	assert_true(passed > 1000);
	hy_buffer_free(&good);
	hy_buffer_free(&again);
}

static void an_arena_gives_aligned_memory_up_to_its_limit(void **state)
{
	(void)state;
	struct hy_arena *a = hy_arena_new(1 << 20);
	for (int round = 0; round < 3; round++) {
		size_t taken = 0;
		uint8_t *got;
		for (size_t size = 1; (got = hy_arena_get(a, size)) != NULL; size = size * 3 % 9973 + 1) {
			assert_int_equal((uintptr_t)got % 16, 0);
			memset(got, 0xa5, size);
			taken += size;
		}
		assert_true(taken > (1 << 20) - 20000 && taken <= 1 << 20);
		hy_arena_reset(a);
	}
	assert_null(hy_arena_get(a, (1 << 20) + 1));
	assert_null(hy_arena_get(a, SIZE_MAX));
	assert_non_null(hy_arena_get(a, 1 << 20));
	assert_null(hy_arena_get(a, 1));
	hy_arena_reset(a);
	assert_string_equal(hy_arena_text(a, HY_LIT("你好")), "你好");
	assert_string_equal(hy_arena_text(a, hy_bytes(NULL, 0)), "");
	hy_arena_free(&a);
	hy_arena_free(&a);
}

int main(void)
{
#define WITH_FX(test) cmocka_unit_test_setup_teardown(test, open_fx, close_fx)
	const struct CMUnitTest tests[] = {
		WITH_FX(an_envelope_comes_out_as_it_went_in),
		WITH_FX(a_station_adds_its_field_to_bytes_it_does_not_unpack),
		WITH_FX(the_fault_names_the_field_and_what_is_wrong),
		WITH_FX(two_bodies_in_one_feedback_are_refused),
		WITH_FX(an_envelope_needs_an_id_and_something_it_says),
		WITH_FX(what_is_larger_than_its_limit_is_refused_before_it_is_read),
		WITH_FX(fields_of_a_later_version_pass),
		WITH_FX(a_batch_carries_packed_and_unpacked_checks),
		WITH_FX(too_many_packed_numbers_are_refused),
		WITH_FX(a_frame_of_tiny_items_cannot_outgrow_its_arena),
		WITH_FX(nesting_stops_at_eight),
		WITH_FX(the_walk_shows_every_field_in_order),
		WITH_FX(the_walk_stops_at_what_is_malformed),
		WITH_FX(varints_are_as_long_as_said),
		WITH_FX(damaged_envelopes_are_refused_or_harmless),
		WITH_FX(an_arena_gives_aligned_memory_up_to_its_limit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
