/* One thread's loop over zmq_poll: file descriptors, ZeroMQ sockets, deadlines, and calls from other threads.
 * A turn waits until something is there or a deadline is due, then calls back; callbacks run to their end. */
#ifndef HY_LOOP_H
#define HY_LOOP_H

#include "base/bytes.h"
#include "base/err.h"

struct hy_loop;
struct hy_socket;

int hy_loop_open(struct hy_loop **out);
void hy_loop_close(struct hy_loop **l); /* sockets are closed by their owners before */

/* Waits at most `max_ms` (-1: until something happens), serves what is ready, returns. HY_OK, or HY_IO. */
int hy_loop_turn(struct hy_loop *l, int64_t max_ms);

/* Readiness of a file descriptor that the caller owns. `call` is told each turn it is readable. */
int hy_loop_watch_fd(struct hy_loop *l, int fd, void (*call)(void *arg), void *arg);
void hy_loop_unwatch_fd(struct hy_loop *l, int fd);
/* The same for reading and writing, for libraries that say what they wait for: `call` gets what is ready. Asked again for the same
 * descriptor it changes `events`; 0 ends the watch. */
enum { HY_LOOP_READ = 1, HY_LOOP_WRITE = 2 };
int hy_loop_watch_events(struct hy_loop *l, int fd, int events, void (*call)(void *arg, int fd, int events), void *arg);

/* A clock: `call` is asked at the start of every turn and returns how many ms until it wants to be asked again
 * (-1: never). It does its due work within the call. */
int hy_loop_watch_time(struct hy_loop *l, int64_t (*call)(void *arg), void *arg);
void hy_loop_unwatch_time(struct hy_loop *l, int64_t (*call)(void *arg), void *arg);

/* From any thread, from a signal handler too: the loop's next turn does not wait. Calls coalesce. */
void hy_loop_wake(struct hy_loop *l);

/* ---- sockets: the process has one ZeroMQ context, made at first use, ended by hy_loop_zmq_end() ---- */

enum hy_socket_kind { HY_DOOR /* ROUTER, binds */, HY_CALLER /* DEALER, connects */ };

struct hy_socket_options {
	enum hy_socket_kind kind;
	const char *endpoint;       /* "ipc:///.../feedback.sock", "tcp://127.0.0.1:5570" */
	int window;                 /* messages queued each way; 0 = 16; -1: 16 to send, and whatever comes is held, for a caller that may be
	                             * slow to read: held back, its heartbeats would be the end of its process when the door goes (socket.c) */
	size_t frame_max;           /* 0 = 1 MiB */

	/* CURVE (rfc.zeromq.org/spec/26), keys as 40 characters of Z85. All NULL = none. `curve_secret` is this end's own; a caller also names
	 * the door's public key; a door also says who may come. `admit` is asked once for each connection, on a thread of its own: false
	 * turns the stranger away before a byte of his reaches us; true puts the name under which he is known into `user`. */
	const char *curve_secret, *curve_server;
	bool (*admit)(void *arg, const char *public_key, char *user, size_t room);
	void *admit_arg;
};

#define HY_CURVE_TEXT 41 /* a key with its NUL */
bool hy_curve_good(const char *key); /* whether it is 32 bytes as 40 characters of Z85 */
/* A new pair. HY_IO when the library has no CURVE. */
int hy_curve_make(char public_key[static HY_CURVE_TEXT], char secret[static HY_CURVE_TEXT]);
int hy_curve_public(const char *secret, char public_key[static HY_CURVE_TEXT]); /* HY_BAD_INPUT */

/* Sets every option of reliability.md rule 13 (LINGER 0, heartbeats 1 s / 3 s of callers, MAXMSGSIZE, MANDATORY, HANDOVER, IMMEDIATE ...).
 * A HY_DOOR on ipc:// makes the socket file with mode 0600 and replaces a dead one; where its directory is setgid, so that
 * daemons with users of their own share its group, the mode is 0660. Fault: "the address is taken", ... */
int hy_socket_open(struct hy_socket **out, const struct hy_socket_options *o, struct hy_fault *f);
void hy_socket_close(struct hy_socket **s);

/* `call` gets each message: for a door `from` is the peer's routing id, else empty. Views live until it returns.
 * At most 64 messages a turn, so that others get their turn. */
int hy_loop_watch_socket(struct hy_loop *l, struct hy_socket *s, void (*call)(void *arg, struct hy_bytes from, struct hy_bytes message), void *arg);
void hy_loop_unwatch_socket(struct hy_loop *l, struct hy_socket *s);

/* Within `call` of a door with CURVE: the name that admit() gave to who sends this; "" without CURVE. */
const char *hy_socket_user(const struct hy_socket *s);
/* The port a door on tcp://ADDRESS:* was given; 0 for others. */
int hy_socket_port(const struct hy_socket *s);

/* Within `call`: keeps the message that it was given, without a copy when it is large, so that *view lives until
 * hy_message_free(). Once a message. HY_NO_MEMORY. */
struct hy_message;
int hy_socket_keep(struct hy_socket *s, struct hy_message **out, struct hy_bytes *view);
void hy_message_free(struct hy_message **m); /* NULL is fine */

/* Sends now or not at all: HY_OK, HY_BUSY (the peer's window is full), HY_UNREACHABLE (the peer is gone). `to` is empty for
 * a caller. HY_OK means nothing more than "queued": only the other side's answer is an acknowledgement. */
int hy_socket_send(struct hy_socket *s, struct hy_bytes to, struct hy_bytes message);
/* The same without a copy: takes `data` (from malloc) over in any case. */
int hy_socket_send_own(struct hy_socket *s, struct hy_bytes to, void *data, size_t size);

/* A caller can't send before its connection stands (HY_BUSY): waits for that at most `timeout_ms`. HY_TIMEOUT. */
int hy_socket_ready(struct hy_socket *s, int64_t timeout_ms);
/* For commands: waits for one message at most `timeout_ms`. The view lives until the next call. HY_TIMEOUT. */
int hy_socket_receive(struct hy_socket *s, int64_t timeout_ms, struct hy_bytes *message);

void hy_loop_zmq_end(void);

#endif
