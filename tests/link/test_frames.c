// link: hy_stream
/* The frames themselves: what goes in comes out, and nothing that an honest peer would not send gets in. */
#include "support/test.h"

#include "stream/block.h"
#include "stream/link.h"

static struct hy_buffer frame;

static int setup(void **state)
{
	(void)state;
	frame = (struct hy_buffer){ 0 };
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	hy_buffer_free(&frame);
	return 0;
}

static const struct hy_hello a_hello = {
	1,
	"classifier",
	"feedback",
	7,
	true,
	{ "0123456789abcde" },
	1042,
	0xfedcba9876543210,
	true,
	"hy_key",
	true,
};
static const struct hy_pull a_pull = { "feedback", { "0123456789abcde" }, 7, 1050, 1042, 1 << 20 };
static const struct hy_refuse a_refusal = { "feedback", HUIYIN__REFUSE_REASON__AHEAD,
	"the mark is 12, the log ends at 7", 7 };

static void put_batch(uint32_t count)
{
	struct hy_batch b = { "feedback", { "0123456789abcde" }, 7, 1043, 2000, 1, 99, count };
	uint8_t checks[4 * 8];
	hy_link_batch_begin(&frame);
	for (uint32_t i = 0; i < count; i++) {
		char record[16];
		int size = snprintf(record, sizeof(record), "record %u", i);
		uint32_t check = hy_check(hy_bytes(record, (size_t)size));
		memcpy(checks + 4 * i, &check, 4); /* little-endian, as the machine is */
		hy_wire_append(&frame, 9, hy_bytes(record, (size_t)size));
	}
	if (count)
		hy_wire_append(&frame, 8, hy_bytes(checks, 4 * count));
	hy_link_batch_end(&frame, &b);
}

static void each_frame_comes_out_as_it_went_in(void **state)
{
	struct hy_frame f;
	(void)state;
	hy_link_put_hello(&frame, &a_hello);
	assert_int_equal(hy_link_open(hy_buffer_view(&frame), &f), HY_OK);
	assert_int_equal(f.kind, HY_FRAME_HELLO);
	assert_memory_equal(f.hello.peer, a_hello.peer, sizeof(f.hello.peer));
	assert_string_equal(f.hello.stream, "feedback");
	assert_true(f.hello.protocol == 1 && f.hello.epoch == 7 && f.hello.has_log && f.hello.mark == 1042);
	assert_true(f.hello.chain == a_hello.chain && f.hello.from_now && f.hello.outside);
	assert_string_equal(f.hello.key, "hy_key");
	assert_memory_equal(f.hello.log_id.b, a_hello.log_id.b, 16);
	hy_buffer_clear(&frame);
	hy_link_put_pull(&frame, &a_pull);
	assert_int_equal(hy_link_open(hy_buffer_view(&frame), &f), HY_OK);
	assert_int_equal(f.kind, HY_FRAME_PULL);
	assert_memory_equal(&f.pull, &a_pull, sizeof(a_pull));
	hy_buffer_clear(&frame);
	hy_link_put_refuse(&frame, &a_refusal);
	assert_int_equal(hy_link_open(hy_buffer_view(&frame), &f), HY_OK);
	assert_int_equal(f.kind, HY_FRAME_REFUSE);
	assert_memory_equal(&f.refuse, &a_refusal, sizeof(a_refusal));
	hy_buffer_clear(&frame);
	struct hy_record records[8];
	put_batch(8);
	assert_int_equal(hy_link_open(hy_buffer_view(&frame), &f), HY_OK);
	assert_int_equal(f.kind, HY_FRAME_BATCH);
	assert_true(f.batch.first == 1043 && f.batch.count == 8 && f.batch.head == 2000 && f.batch.oldest == 1);
	assert_true(f.batch.chain == 99 && f.batch.epoch == 7);
	assert_int_equal(hy_batch_records(&f.batch, records), HY_OK);
	for (uint32_t i = 0; i < 8; i++) {
		assert_int_equal(records[i].seq, 1043 + i);
		assert_int_equal(records[i].check, hy_check(records[i].bytes));
	}
}

/* What the generated code packs is what we read, and the other way round: department programs use theirs. */
static void programs_with_generated_code_understand_us_and_we_them(void **state)
{
	struct hy_frame f;
	(void)state;
	put_batch(3);
	Huiyin__Link *link = huiyin__link__unpack(NULL, frame.size, frame.data);
	assert_non_null(link);
	assert_int_equal(link->frame_case, HUIYIN__LINK__FRAME_BATCH);
	assert_int_equal(link->batch->n_records, 3);
	assert_int_equal(link->batch->n_checks, 3);
	assert_int_equal(link->batch->first, 1043);
	assert_int_equal(link->batch->chain, 99);
	hy_buffer_clear(&frame);
	assert_int_equal(hy_wire_pack(&link->base, &frame), HY_OK);
	assert_int_equal(hy_link_open(hy_buffer_view(&frame), &f), HY_OK);
	assert_int_equal(f.batch.count, 3);
	huiyin__link__free_unpacked(link, NULL);

	Huiyin__Link out = HUIYIN__LINK__INIT;
	Huiyin__Hello hello = HUIYIN__HELLO__INIT;
	hello.protocol = 1;
	hello.peer = (char *)"department";
	hello.stream = (char *)"ticket";
	hello.from = (char *)"oldest";
	hello.mark = 5;
	out.frame_case = HUIYIN__LINK__FRAME_HELLO;
	out.hello = &hello;
	hy_buffer_clear(&frame);
	assert_int_equal(hy_wire_pack(&out.base, &frame), HY_OK);
	assert_int_equal(hy_link_open(hy_buffer_view(&frame), &f), HY_OK);
	assert_string_equal(f.hello.peer, "department");
	assert_false(f.hello.has_log);
	assert_false(f.hello.from_now);
	assert_int_equal(f.hello.mark, 5);
}

/* A frame of that kind: a good one's fields, then these. */
static int with_fields(enum hy_frame_kind kind, const char *fields, size_t size)
{
	struct hy_buffer good = { 0 };
	struct hy_frame f;
	hy_buffer_clear(&frame);
	if (kind == HY_FRAME_HELLO)
		hy_link_put_hello(&good, &a_hello);
	else if (kind == HY_FRAME_PULL)
		hy_link_put_pull(&good, &a_pull);
	else if (kind == HY_FRAME_REFUSE)
		hy_link_put_refuse(&good, &a_refusal);
	else
		put_batch(3), good = frame, frame = (struct hy_buffer){ 0 };
	hy_buffer_put(&good, fields, size);
	hy_wire_append(&frame, kind, hy_bytes(good.data + 4, good.size - 4));
	hy_buffer_free(&good);
	return hy_link_open(hy_buffer_view(&frame), &f);
}

#define FIELDS(kind, bytes) with_fields(kind, bytes, sizeof(bytes) - 1)

static void a_field_of_the_wrong_type_or_size_makes_a_frame_bad(void **state)
{
	static const char long_name[] = "\x12\x20"
					"a-name-of-thirty-two-characters-";
	(void)state;
	for (int kind = HY_FRAME_HELLO; kind <= HY_FRAME_REFUSE; kind++) {
		assert_int_equal(FIELDS((enum hy_frame_kind)kind, ""), HY_OK);
		assert_int_equal(
			FIELDS((enum hy_frame_kind)kind, "\xf2\x07\x03new"), HY_OK); /* field 126: of a newer peer */
		assert_int_equal(FIELDS((enum hy_frame_kind)kind, "\x07"), HY_BAD_INPUT);
		/* Every field that we know, with a type that none of its kind has. */
		for (int field = 1; field <= 11; field++) {
			int known = kind == HY_FRAME_HELLO   ? 10
				    : kind == HY_FRAME_PULL  ? 6
				    : kind == HY_FRAME_BATCH ? 11
							     : 4;
			char fixed32[] = { (char)(field << 3 | 5), 1, 2, 3, 4 }, number[] = { (char)(field << 3), 1 };
			char bytes[] = { (char)(field << 3 | 2), 1, 'X' };
			bool checks = kind == HY_FRAME_BATCH && field == 8;
			if (field > known)
				continue;
			assert_int_equal(with_fields((enum hy_frame_kind)kind, fixed32, 5), HY_BAD_INPUT);
			if (with_fields((enum hy_frame_kind)kind, number, 2) == HY_OK)
				assert_false(checks);
			if (with_fields((enum hy_frame_kind)kind, bytes, 3) == HY_OK)
				assert_false(checks);
		}
	}
	/* Hello */
	assert_int_equal(with_fields(HY_FRAME_HELLO, long_name, sizeof(long_name) - 1), HY_BAD_INPUT);
	assert_int_equal(FIELDS(HY_FRAME_HELLO, "\x12\x02"
						"Up"),
		HY_BAD_INPUT);
	assert_int_equal(FIELDS(HY_FRAME_HELLO, "\x12\x03"
						"a/b"),
		HY_BAD_INPUT);
	assert_int_equal(FIELDS(HY_FRAME_HELLO, "\x12\x06"
						"a_1.-z"),
		HY_OK);
	assert_int_equal(FIELDS(HY_FRAME_HELLO, "\x12\x02"
						"a{"),
		HY_BAD_INPUT);
	assert_int_equal(FIELDS(HY_FRAME_HELLO, "\x12\x00"), HY_BAD_INPUT);
	assert_int_equal(FIELDS(HY_FRAME_HELLO, "\x08\xff\xff\xff\xff\x7f"), HY_BAD_INPUT);
	assert_int_equal(FIELDS(HY_FRAME_HELLO, "\x2a\x00"), HY_OK); /* an empty log_id: never read */
	assert_int_equal(FIELDS(HY_FRAME_HELLO, "\x28\x00"), HY_BAD_INPUT);
	assert_int_equal(FIELDS(HY_FRAME_HELLO, "\x2a\x0f"
						"fifteen bytes.."),
		HY_BAD_INPUT);
	assert_int_equal(FIELDS(HY_FRAME_HELLO, "\x30\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), HY_BAD_INPUT);
	assert_int_equal(FIELDS(HY_FRAME_HELLO, "\x3a\x00"), HY_OK);
	assert_int_equal(FIELDS(HY_FRAME_HELLO, "\x3a\x06oldest"), HY_OK);
	assert_int_equal(FIELDS(HY_FRAME_HELLO, "\x3a\x05later"), HY_BAD_INPUT);
	assert_int_equal(FIELDS(HY_FRAME_HELLO, "\x3a\x09yesterday"), HY_BAD_INPUT);
	assert_int_equal(FIELDS(HY_FRAME_HELLO, "\x42\x02\xc3\x28"), HY_BAD_INPUT); /* not UTF-8 */
	assert_int_equal(FIELDS(HY_FRAME_HELLO, "\x42\x03"
						"a\0b"),
		HY_BAD_INPUT);
	assert_int_equal(FIELDS(HY_FRAME_HELLO, "\x48\x02"), HY_BAD_INPUT);
	assert_int_equal(FIELDS(HY_FRAME_HELLO, "\x50\x01"), HY_BAD_INPUT);
	/* Pull */
	assert_int_equal(FIELDS(HY_FRAME_PULL, "\x20\x05"), HY_BAD_INPUT); /* after 5, committed 1042 */
	assert_int_equal(FIELDS(HY_FRAME_PULL, "\x12\x01x"), HY_BAD_INPUT);
	/* Refuse */
	assert_int_equal(FIELDS(HY_FRAME_REFUSE, "\x10\xff\xff\xff\xff\x0f"), HY_BAD_INPUT);
	assert_int_equal(FIELDS(HY_FRAME_REFUSE, "\x10\x00"), HY_BAD_INPUT); /* for no reason */
	/* Batch */
	assert_int_equal(FIELDS(HY_FRAME_BATCH, "\x20\x00"), HY_BAD_INPUT); /* first 0 */
	assert_int_equal(FIELDS(HY_FRAME_BATCH, "\x28\x04"), HY_BAD_INPUT); /* count 4, records 3 */
	assert_int_equal(FIELDS(HY_FRAME_BATCH, "\x28\x81\x20"), HY_BAD_INPUT); /* count 4097 */
	assert_int_equal(FIELDS(HY_FRAME_BATCH, "\x4a\x00"), HY_BAD_INPUT); /* a record without a check */
	assert_int_equal(FIELDS(HY_FRAME_BATCH, "\x45\x01\x02\x03\x04"), HY_BAD_INPUT); /* a check without a record */
	assert_int_equal(FIELDS(HY_FRAME_BATCH, "\x28\x04\x4a\x00\x45\x01\x02\x03\x04"), HY_OK);
	assert_int_equal(FIELDS(HY_FRAME_BATCH, "\x42\x03"
						"abc"),
		HY_BAD_INPUT);
	assert_int_equal(FIELDS(HY_FRAME_BATCH, "\x50\x01"), HY_BAD_INPUT);
}

static void a_frame_without_its_names_is_bad(void **state)
{
	struct hy_frame f;
	(void)state;
	for (uint32_t kind = HY_FRAME_HELLO; kind <= HY_FRAME_REFUSE; kind++) {
		hy_buffer_clear(&frame);
		hy_wire_append(&frame, kind, HY_LIT(""));
		assert_int_equal(hy_link_open(hy_buffer_view(&frame), &f), HY_BAD_INPUT);
	}
	hy_buffer_clear(&frame);
	hy_wire_append(&frame, HY_FRAME_HELLO, HY_LIT("\x12\x01p")); /* a peer and no stream */
	assert_int_equal(hy_link_open(hy_buffer_view(&frame), &f), HY_BAD_INPUT);
	hy_buffer_clear(&frame);
	hy_wire_append(&frame, HY_FRAME_BATCH, HY_LIT("\x20\x01")); /* a place and no stream */
	assert_int_equal(hy_link_open(hy_buffer_view(&frame), &f), HY_BAD_INPUT);
}

static void a_link_has_exactly_one_frame(void **state)
{
	struct hy_frame f;
	(void)state;
	assert_int_equal(hy_link_open(hy_bytes(NULL, 0), &f), HY_BAD_INPUT);
	assert_int_equal(hy_link_open(HY_LIT("\x08\x01"), &f), HY_BAD_INPUT);
	hy_link_put_pull(&frame, &a_pull);
	size_t size = frame.size;
	hy_wire_append(&frame, 99, HY_LIT("unknown beside it"));
	assert_int_equal(hy_link_open(hy_buffer_view(&frame), &f), HY_OK);
	hy_buffer_put(&frame, frame.data, size);
	assert_int_equal(hy_link_open(hy_buffer_view(&frame), &f), HY_BAD_INPUT);
	hy_buffer_clear(&frame);
	hy_wire_append(&frame, 98, HY_LIT("unknown alone"));
	assert_int_equal(hy_link_open(hy_buffer_view(&frame), &f), HY_BAD_INPUT);
}

static void a_record_larger_than_an_envelope_or_too_many_of_them_are_bad(void **state)
{
	static const uint8_t big[HY_WIRE_ENVELOPE_MAX + 1];
	struct hy_frame f;
	struct hy_batch b = { "feedback", .first = 1, .count = 1 };
	(void)state;
	hy_link_batch_begin(&frame);
	hy_wire_append(&frame, 9, hy_bytes(big, sizeof(big)));
	hy_wire_append(&frame, 8, HY_LIT("abcd"));
	hy_link_batch_end(&frame, &b);
	assert_int_equal(hy_link_open(hy_buffer_view(&frame), &f), HY_BAD_INPUT);
	hy_buffer_clear(&frame);
	b.count = HY_WIRE_REPEATED_MAX;
	hy_link_batch_begin(&frame);
	for (int i = 0; i <= HY_WIRE_REPEATED_MAX; i++)
		hy_wire_append(&frame, 9, hy_bytes(big, 1));
	hy_link_batch_end(&frame, &b);
	assert_int_equal(hy_link_open(hy_buffer_view(&frame), &f), HY_BAD_INPUT);
}

static int marked(struct hy_bytes marker, struct hy_record *records)
{
	struct hy_frame f;
	struct hy_batch b = { "feedback", .first = 10, .count = 2 };
	hy_buffer_clear(&frame);
	hy_link_batch_begin(&frame);
	hy_wire_append(&frame, 9, HY_LIT("a"));
	hy_wire_append(&frame, 9, HY_LIT("b"));
	hy_wire_append(&frame, 8, HY_LIT("abcdefgh"));
	hy_wire_append(&frame, 10, marker);
	hy_link_batch_end(&frame, &b);
	assert_int_equal(hy_link_open(hy_buffer_view(&frame), &f), HY_OK);
	return hy_batch_records(&f.batch, records);
}

static void markers_name_a_record_of_their_batch(void **state)
{
	struct hy_record r[2];
	(void)state;
	assert_int_equal(marked(HY_LIT("\x08\x0b\x10\x02"), r), HY_OK);
	assert_int_equal(r[0].err, HY_OK);
	assert_int_equal(r[1].err, HY_ERASED);
	assert_int_equal(r[1].bytes.size, 0);
	assert_int_equal(marked(HY_LIT("\x08\x0a\x10\x01\x38\x05"), r), HY_OK); /* a field we don't know beside them */
	assert_int_equal(r[0].err, HY_DAMAGED);
	assert_int_equal(marked(HY_LIT("\x08\x09\x10\x01"), r), HY_BAD_INPUT);
	assert_int_equal(marked(HY_LIT("\x08\x0c\x10\x01"), r), HY_BAD_INPUT);
	assert_int_equal(marked(HY_LIT("\x10\x01"), r), HY_BAD_INPUT);
	assert_int_equal(marked(HY_LIT("\x0a\x00"), r), HY_BAD_INPUT);
	assert_int_equal(marked(HY_LIT("\x08\x0a\x12\x00"), r), HY_BAD_INPUT);
	assert_int_equal(marked(HY_LIT("\x08"), r), HY_BAD_INPUT);
}

/* Whatever a stranger makes of a good frame, it is read to its end and not further. */
static void cut_and_flipped_frames_do_no_harm(void **state)
{
	struct hy_frame f;
	struct hy_record records[8];
	unsigned seed = 3;
	(void)state;
	for (int kind = 0; kind < 4; kind++) {
		hy_buffer_clear(&frame);
		if (kind == 0)
			hy_link_put_hello(&frame, &a_hello);
		else if (kind == 1)
			hy_link_put_pull(&frame, &a_pull);
		else if (kind == 2)
			hy_link_put_refuse(&frame, &a_refusal);
		else
			put_batch(8);
		for (size_t size = 0; size < frame.size; size++) {
			uint8_t *cut = malloc(size + 1); /* to the byte, for the sanitizer's sake */
			memcpy(cut, frame.data, size);
			cut = realloc(cut, size ? size : 1);
			assert_int_equal(hy_link_open(hy_bytes(cut, size), &f), HY_BAD_INPUT);
			free(cut);
		}
		for (int i = 0; i < 20000; i++) {
			uint8_t *bent = malloc(frame.size);
			memcpy(bent, frame.data, frame.size);
			for (int n = rand_r(&seed) % 3; n >= 0; n--)
				bent[(size_t)rand_r(&seed) % frame.size] = (uint8_t)rand_r(&seed);
			if (hy_link_open(hy_bytes(bent, frame.size), &f) == HY_OK && f.kind == HY_FRAME_BATCH) {
				assert_true(f.batch.count <= 8);
				hy_batch_records(&f.batch, records);
			}
			free(bent);
		}
	}
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(each_frame_comes_out_as_it_went_in),
		T(programs_with_generated_code_understand_us_and_we_them),
		T(a_field_of_the_wrong_type_or_size_makes_a_frame_bad),
		T(a_frame_without_its_names_is_bad),
		T(a_link_has_exactly_one_frame),
		T(a_record_larger_than_an_envelope_or_too_many_of_them_are_bad),
		T(markers_name_a_record_of_their_batch),
		T(cut_and_flipped_frames_do_no_harm),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
