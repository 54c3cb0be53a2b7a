/* A Submit as it came over ZeroMQ: taken apart by hand, so that each of its items passes the gate alone and a bad one costs
 * only itself. Pure. */
#ifndef COLLECTOR_SUBMIT_H
#define COLLECTOR_SUBMIT_H

#include "collector/intake.h"

#define SUBMIT_MAX ((size_t)512 << 10) /* bytes of a Submit */
#define SUBMIT_ITEMS HY_WIRE_REPEATED_MAX
#define SUBMIT_CLIENT_ID 64 /* characters */

struct submit {
	struct hy_bytes raw; /* what the views look into */
	struct hy_bytes key, client_id;
	uint64_t first_seq; /* 1 or more when there are items */
	size_t count;
};

/* HY_BAD_INPUT, HY_TOO_LARGE, with what is wrong. What could be read of key and client_id is there then, too. */
int submit_read(struct submit *out, struct hy_bytes raw, struct hy_fault *f);
/* Item by item: begin with *at = 0; false behind the last. */
bool submit_next(const struct submit *m, size_t *at, struct hy_bytes *item);
/* One item through the gate and intake_item(). `scratch` is reset: nothing of it is needed afterwards. */
void submit_item(const struct intake *in, struct hy_arena *scratch, struct hy_bytes raw, struct item *out);

#endif
