/* What the loop knows of a socket beyond loop.h. Private to this folder. */
#ifndef HY_LOOP_SOCKET_H
#define HY_LOOP_SOCKET_H

#include "loop/loop.h"

void *hy_socket_zmq(struct hy_socket *s);

/* Serves one message that is there: HY_OK, or HY_NOT_FOUND when there is none, HY_IO. Messages of the wrong shape are swallowed. */
int hy_socket_serve(
	struct hy_socket *s, void (*call)(void *arg, struct hy_bytes from, struct hy_bytes message), void *arg);

#endif
