/* Who may come through a door with CURVE: ZeroMQ asks a handler in our own process (rfc.zeromq.org/spec/27) about each stranger
 * before a byte of his reaches a door. Without a handler it would let in whoever has any key at all, so there is no door without one.
 * One thread answers for all doors; each has a domain of its own. Private to this folder. */
#ifndef HY_LOOP_ZAP_H
#define HY_LOOP_ZAP_H

#include "loop/loop.h"

#define ZAP_USER 128 /* a user's name with its NUL */

struct zap_door;

/* Starts the handler when it isn't up, and enters a door. Before its bind. */
int zap_enter(struct zap_door **out, void *context, const struct hy_socket_options *o, struct hy_fault *f);
const char *zap_domain(const struct zap_door *d);
/* Once this returns, `admit` is neither running nor asked again. */
void zap_leave(struct zap_door **d);
/* The context has been shut down: the handler's thread ends. */
void zap_end(void);

#endif
