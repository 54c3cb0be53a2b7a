/* Readers made by hand, frame by frame, in front of a true writer. */
#ifndef HY_TESTS_BY_HAND_H
#define HY_TESTS_BY_HAND_H

#include "link/two_ends.h"

/* A reader made of frames. */
struct hand {
	struct hy_socket *socket;
	struct hy_loop *loop;
	struct hy_hello hello;
	struct hy_frame last; /* of the frames heard; its texts are copies, its body is not */
	int heard;
	uint64_t received;
	uint32_t counts[64];
};

static struct ends *e;
static struct hand a, b;

static inline void on_frame(void *arg, struct hy_bytes from, struct hy_bytes raw)
{
	struct hand *h = arg;
	(void)from;
	assert_int_equal(hy_link_open(raw, &h->last), HY_OK);
	if (h->last.kind == HY_FRAME_BATCH) {
		h->counts[h->heard % 64] = h->last.batch.count;
		if (h->last.batch.count > 0)
			h->received = h->last.batch.first + h->last.batch.count - 1;
	}
	h->heard++;
}

static inline void hand_open(struct hand *h, uint64_t epoch)
{
	*h = (struct hand){ .hello = { 1, "classifier", "feedback", .epoch = epoch } };
	assert_int_equal(hy_loop_open(&h->loop), HY_OK);
	assert_int_equal(
		hy_socket_open(&h->socket, &(struct hy_socket_options){ HY_CALLER, e->endpoint }, NULL), HY_OK);
	hy_loop_watch_socket(h->loop, h->socket, on_frame, h);
	assert_int_equal(hy_socket_ready(h->socket, 10000), HY_OK);
}

static inline void hand_close(struct hand *h)
{
	hy_socket_close(&h->socket);
	hy_loop_close(&h->loop);
}

static inline int setup(void **state)
{
	e = *state = ends_new();
	ends_writer_open(e);
	hand_open(&a, 1);
	hand_open(&b, 1);
	return 0;
}

static inline int teardown(void **state)
{
	hand_close(&a);
	hand_close(&b);
	ends_free(*state);
	return 0;
}

static inline void turn(void)
{
	assert_int_equal(hy_loop_turn(e->writer_loop, 1), HY_OK);
	assert_int_equal(hy_loop_turn(a.loop, 0), HY_OK);
	assert_int_equal(hy_loop_turn(b.loop, 0), HY_OK);
}

static inline void hear(struct hand *h, int more)
{
	int wanted = h->heard + more;
	for (int i = 0; h->heard < wanted; i++) {
		if (i == STEPS_MAX)
			fail_msg("nothing heard\n%s", e->log);
		turn();
	}
}

/* What is on its way arrives: a Hello of another peer is answered after it. */
static inline void settle(void)
{
	struct hand c;
	hand_open(&c, 1);
	struct hy_buffer frame = { 0 };
	struct hy_hello probe = { 1, "probe", "feedback", .epoch = 1 };
	hy_link_put_hello(&frame, &probe);
	assert_int_equal(hy_link_send(c.socket, hy_bytes(NULL, 0), false, &frame), HY_OK);
	for (int i = 0; c.heard == 0; i++) {
		assert_true(i < STEPS_MAX);
		turn();
		assert_int_equal(hy_loop_turn(c.loop, 0), HY_OK);
	}
	hand_close(&c);
	for (int i = 0; i < 5; i++)
		turn();
}

static inline void send_raw(struct hand *h, const void *data, size_t size)
{
	assert_int_equal(hy_socket_send(h->socket, hy_bytes(NULL, 0), hy_bytes(data, size)), HY_OK);
}

static inline void say_hello(struct hand *h)
{
	struct hy_buffer frame = { 0 };
	hy_link_put_hello(&frame, &h->hello);
	assert_int_equal(hy_link_send(h->socket, hy_bytes(NULL, 0), false, &frame), HY_OK);
}

static inline struct hy_pull pull_of(const struct hand *h, uint64_t after, uint64_t committed, uint64_t credit)
{
	struct hy_pull p = { "feedback", hy_stream_state(e->stream).log_id, h->hello.epoch, after, committed, credit };
	return p;
}

static inline void send_pull(struct hand *h, const struct hy_pull *p)
{
	struct hy_buffer frame = { 0 };
	hy_link_put_pull(&frame, p);
	assert_int_equal(hy_link_send(h->socket, hy_bytes(NULL, 0), false, &frame), HY_OK);
}

static inline void pull(struct hand *h, uint64_t after, uint64_t committed, uint64_t credit)
{
	struct hy_pull p = pull_of(h, after, committed, credit);
	send_pull(h, &p);
}

static inline void hello_with_mark(struct hand *h, uint64_t mark)
{
	h->hello.has_log = true;
	h->hello.log_id = hy_stream_state(e->stream).log_id;
	h->hello.mark = mark;
	say_hello(h);
}

static inline void expect_refusal(struct hand *h, Huiyin__RefuseReason reason, const char *word)
{
	hear(h, 1);
	assert_int_equal(h->last.kind, HY_FRAME_REFUSE);
	assert_int_equal(h->last.refuse.reason, reason);
	assert_string_equal(h->last.refuse.stream, h->hello.stream);
	assert_int_equal(h->last.refuse.epoch, h->hello.epoch);
	if (!strstr(h->last.refuse.text, word))
		fail_msg("\"%s\" does not say \"%s\"", h->last.refuse.text, word);
}

static inline void expect_welcome(struct hand *h, uint64_t first)
{
	hear(h, 1);
	if (h->last.kind == HY_FRAME_REFUSE)
		fail_msg("refused: %s", h->last.refuse.text);
	assert_int_equal(h->last.kind, HY_FRAME_BATCH);
	assert_int_equal(h->last.batch.count, 0);
	assert_int_equal(h->last.batch.first, first);
	assert_int_equal(h->last.batch.epoch, h->hello.epoch);
}

#endif
