/* ZeroMQ in front of the collector: apps stream Submits in and get Receipts (proto/intake.proto). Where it listens beyond loopback it speaks
 * CURVE, and lets in only apps whose public key stands in `keys`. Server thread, but for door_clients(). */
#ifndef COLLECTOR_DOOR_H
#define COLLECTOR_DOOR_H

#include "collector/collector.h"

/* HY_OK, too, when the configuration wants no door. */
int door_open(struct collector *c, struct hy_loop *server, struct hy_fault *f);
void door_stop(struct collector *c);  /* nobody is heard or answered any more */
void door_close(struct collector *c); /* everything that was handed to the writer has come back */
size_t door_clients(const struct collector *c); /* any thread */

/* Whether this address is for programs of this machine alone. */
bool door_is_loopback(const char *endpoint);

#endif
