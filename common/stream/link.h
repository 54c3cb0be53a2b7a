/* The frames of the link (proto/link.proto), as both its ends see them. Private to common/stream.
 * They are packed and walked by hand: a Batch goes out as its blocks lie in the map, and comes in as views. */
#ifndef HY_STREAM_LINK_H
#define HY_STREAM_LINK_H

#include "stream/stream.h"

#define HY_LINK_PROTOCOL 1
#define HY_LINK_NAME 32 /* room for a peer's or a stream's name: [a-z0-9_.-]{1,31} */
#define HY_LINK_KEY 64
#define HY_LINK_TEXT 256

#define HY_LINK_ALIVE_MS 1000 /* a writer with nothing new says so */
#define HY_LINK_QUIET_MS 1500 /* a reader that heard nothing says Hello again, */
#define HY_LINK_HELLO_MS 1000 /* this often */
#define HY_LINK_DOWN_MS 4000 /* and then calls the link down */
#define HY_LINK_LINKED_MS 4500 /* a writer calls a reader linked that long after its last frame */

struct hy_hello {
	uint32_t protocol;
	char peer[HY_LINK_NAME], stream[HY_LINK_NAME];
	uint64_t epoch;
	bool has_log;
	struct hy_log_id log_id;
	uint64_t mark, chain;
	bool from_now;
	char key[HY_LINK_KEY];
	bool outside;
};

struct hy_pull {
	char stream[HY_LINK_NAME];
	struct hy_log_id log_id;
	uint64_t epoch, after, committed, credit_bytes;
};

struct hy_batch {
	char stream[HY_LINK_NAME];
	struct hy_log_id log_id;
	uint64_t epoch, first, head, oldest, chain;
	uint32_t count;
	struct hy_bytes body; /* the message as it came: hy_batch_records() walks it */
};

struct hy_refuse {
	char stream[HY_LINK_NAME];
	Huiyin__RefuseReason reason;
	char text[HY_LINK_TEXT];
	uint64_t epoch;
};

enum hy_frame_kind { HY_FRAME_HELLO = 1, HY_FRAME_PULL, HY_FRAME_BATCH, HY_FRAME_REFUSE }; /* as in Link */

struct hy_frame {
	enum hy_frame_kind kind;
	union {
		struct hy_hello hello;
		struct hy_pull pull;
		struct hy_batch batch;
		struct hy_refuse refuse;
	};
};

/* HY_BAD_INPUT for anything that an honest peer would not have sent. A Batch's body looks into `raw`. */
int hy_link_open(struct hy_bytes raw, struct hy_frame *out);
/* Fills out[batch->count] with views into the body; the checks are not compared. HY_BAD_INPUT. */
int hy_batch_records(const struct hy_batch *b, struct hy_record *out);

void hy_link_put_hello(struct hy_buffer *out, const struct hy_hello *h);
void hy_link_put_pull(struct hy_buffer *out, const struct hy_pull *p);
void hy_link_put_refuse(struct hy_buffer *out, const struct hy_refuse *r);
/* A Batch is made in two steps around the copying of its blocks: begin in an empty buffer, let hy_stream_copy() append,
 * then end, which adds the head behind them (fields may come in any order) and fills in the size. */
void hy_link_batch_begin(struct hy_buffer *out);
void hy_link_batch_end(struct hy_buffer *out, const struct hy_batch *head);

/* Sends the frame and empties the buffer in any case; what hy_socket_send() returns. */
int hy_link_send(struct hy_socket *s, struct hy_bytes to, bool from_writer, struct hy_buffer *frame);

const char *hy_refuse_name(Huiyin__RefuseReason reason); /* "trimmed" */

#endif
