/* The loop: one array of watches, polled together with an eventfd through which other threads wake it. */
#include "loop/loop.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <zmq.h>

#include "loop/socket.h"

#define MESSAGES_A_TURN 64

enum watch_kind { WATCH_GONE, WATCH_FD, WATCH_EVENTS, WATCH_SOCKET, WATCH_TIME };

struct watch {
	enum watch_kind kind;
	int fd, events; /* HY_LOOP_READ, HY_LOOP_WRITE */
	struct hy_socket *socket;
	void (*on_fd)(void *arg);
	void (*on_events)(void *arg, int fd, int events);
	void (*on_message)(void *arg, struct hy_bytes from, struct hy_bytes message);
	int64_t (*on_time)(void *arg);
	void *arg;
};

struct hy_loop {
	int wake_fd;
	struct watch *watches; /* callbacks add and remove: reached by index, compacted at the start of a turn */
	size_t count, room;
	zmq_pollitem_t *items;
	size_t *watch_of; /* items[i] belongs to watches[watch_of[i]]; items[0] is wake_fd */
	size_t items_room;
};

int hy_loop_open(struct hy_loop **out)
{
	struct hy_loop *l = calloc(1, sizeof(*l));
	*out = NULL;
	if (!l)
		return HY_NO_MEMORY;
	l->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (l->wake_fd < 0) {
		int err = hy_err_from_errno(errno);
		free(l);
		return err;
	}
	*out = l;
	return HY_OK;
}

void hy_loop_close(struct hy_loop **l)
{
	if (!*l)
		return;
	close((*l)->wake_fd);
	free((*l)->watches);
	free((*l)->items);
	free((*l)->watch_of);
	free(*l);
	*l = NULL;
}

static int watch(struct hy_loop *l, const struct watch *w)
{
	if (l->count == l->room) {
		size_t room = l->room ? 2 * l->room : 16;
		struct watch *grown = realloc(l->watches, room * sizeof(*grown));
		if (!grown)
			return HY_NO_MEMORY;
		l->watches = grown;
		l->room = room;
	}
	l->watches[l->count++] = *w;
	return HY_OK;
}

int hy_loop_watch_fd(struct hy_loop *l, int fd, void (*call)(void *arg), void *arg)
{
	return watch(l, &(struct watch){ .kind = WATCH_FD, .fd = fd, .on_fd = call, .arg = arg });
}

int hy_loop_watch_events(struct hy_loop *l, int fd, int events, void (*call)(void *arg, int fd, int events), void *arg)
{
	const struct watch new = { .kind = WATCH_EVENTS, .fd = fd, .events = events, .on_events = call, .arg = arg };
	for (size_t i = 0; i < l->count; i++)
		if (l->watches[i].kind == WATCH_EVENTS && l->watches[i].fd == fd) {
			/* The entry goes: when the descriptor is closed and its number used again within this turn, what was ready
			 * before must not be told to the new watch. */
			if (events == 0)
				l->watches[i].kind = WATCH_GONE;
			else
				l->watches[i] = new;
			return HY_OK;
		}
	return events == 0 ? HY_OK : watch(l, &new);
}

int hy_loop_watch_time(struct hy_loop *l, int64_t (*call)(void *arg), void *arg)
{
	return watch(l, &(struct watch){ .kind = WATCH_TIME, .on_time = call, .arg = arg });
}

int hy_loop_watch_socket(struct hy_loop *l, struct hy_socket *s,
	void (*call)(void *arg, struct hy_bytes from, struct hy_bytes message), void *arg)
{
	return watch(l, &(struct watch){ .kind = WATCH_SOCKET, .socket = s, .on_message = call, .arg = arg });
}

/* Only marks: a callback may be running over the array. */
void hy_loop_unwatch_fd(struct hy_loop *l, int fd)
{
	for (size_t i = 0; i < l->count; i++)
		if (l->watches[i].kind == WATCH_FD && l->watches[i].fd == fd)
			l->watches[i].kind = WATCH_GONE;
}

void hy_loop_unwatch_time(struct hy_loop *l, int64_t (*call)(void *arg), void *arg)
{
	for (size_t i = 0; i < l->count; i++)
		if (l->watches[i].kind == WATCH_TIME && l->watches[i].on_time == call && l->watches[i].arg == arg)
			l->watches[i].kind = WATCH_GONE;
}

void hy_loop_unwatch_socket(struct hy_loop *l, struct hy_socket *s)
{
	for (size_t i = 0; i < l->count; i++)
		if (l->watches[i].kind == WATCH_SOCKET && l->watches[i].socket == s)
			l->watches[i].kind = WATCH_GONE;
}

void hy_loop_wake(struct hy_loop *l)
{
	int kept = errno; /* a signal handler must leave it alone */
	uint64_t one = 1;
	if (write(l->wake_fd, &one, sizeof(one)) < 0) {
		/* EAGAIN: the counter is full, so the loop is awake already. */
	}
	errno = kept;
}

static void forget_gone(struct hy_loop *l)
{
	size_t kept = 0;
	for (size_t i = 0; i < l->count; i++)
		if (l->watches[i].kind != WATCH_GONE)
			l->watches[kept++] = l->watches[i];
	l->count = kept;
}

static int64_t ask_clocks(struct hy_loop *l, int64_t wait_ms)
{
	for (size_t i = 0; i < l->count; i++) {
		if (l->watches[i].kind != WATCH_TIME)
			continue;
		int64_t due_ms = l->watches[i].on_time(l->watches[i].arg);
		if (due_ms >= 0 && (wait_ms < 0 || due_ms < wait_ms))
			wait_ms = due_ms;
	}
	return wait_ms;
}

static int fill_items(struct hy_loop *l, size_t *count)
{
	if (l->items_room < l->count + 1) {
		size_t room = l->room + 1;
		zmq_pollitem_t *items = realloc(l->items, room * sizeof(*items));
		if (items)
			l->items = items;
		size_t *watch_of = realloc(l->watch_of, room * sizeof(*watch_of));
		if (watch_of)
			l->watch_of = watch_of;
		if (!items || !watch_of)
			return HY_NO_MEMORY;
		l->items_room = room;
	}
	size_t n = 0;
	l->items[n++] = (zmq_pollitem_t){ .fd = l->wake_fd, .events = ZMQ_POLLIN };
	for (size_t i = 0; i < l->count; i++) {
		const struct watch *w = &l->watches[i];
		if (w->kind != WATCH_FD && w->kind != WATCH_EVENTS && w->kind != WATCH_SOCKET)
			continue;
		short events = ZMQ_POLLIN;
		if (w->kind == WATCH_EVENTS)
			events = (short)((w->events & HY_LOOP_READ ? ZMQ_POLLIN : 0) |
					 (w->events & HY_LOOP_WRITE ? ZMQ_POLLOUT : 0));
		l->watch_of[n] = i;
		l->items[n++] = (zmq_pollitem_t){
			.socket = w->kind == WATCH_SOCKET ? hy_socket_zmq(w->socket) : NULL,
			.fd = w->kind == WATCH_SOCKET ? 0 : w->fd,
			.events = events,
		};
	}
	*count = n;
	return HY_OK;
}

/* An error or a hang-up is told as everything that was waited for: reading or writing then says which it was. What another callback
 * of this turn asked no more for is not told. */
static int events_of(const struct watch *w, short ready)
{
	if (ready & ZMQ_POLLERR)
		return w->events;
	return w->events & ((ready & ZMQ_POLLIN ? HY_LOOP_READ : 0) | (ready & ZMQ_POLLOUT ? HY_LOOP_WRITE : 0));
}

static int serve_watch(struct hy_loop *l, size_t at, short ready)
{
	struct watch w = l->watches[at];
	if (w.kind == WATCH_FD)
		w.on_fd(w.arg);
	if (w.kind == WATCH_EVENTS && events_of(&w, ready))
		w.on_events(w.arg, w.fd, events_of(&w, ready));
	/* What is left after 64 keeps the socket readable, and zmq_poll looks at that before it sleeps. */
	for (int i = 0; i < MESSAGES_A_TURN && l->watches[at].kind == WATCH_SOCKET; i++) {
		int err = hy_socket_serve(w.socket, w.on_message, w.arg);
		if (err == HY_NOT_FOUND)
			break;
		if (err != HY_OK)
			return err;
	}
	return HY_OK;
}

int hy_loop_turn(struct hy_loop *l, int64_t max_ms)
{
	forget_gone(l);
	int64_t wait_ms = ask_clocks(l, max_ms);
	size_t count;
	int err = fill_items(l, &count);
	if (err != HY_OK)
		return err;
	if (zmq_poll(l->items, (int)count, (long)wait_ms) < 0) {
		if (errno == EINTR)
			return HY_OK;
		return HY_IO;
	}
	uint64_t calls;
	if (l->items[0].revents && read(l->wake_fd, &calls, sizeof(calls)) < 0 && errno != EAGAIN)
		return HY_IO;
	for (size_t i = 1; i < count && err == HY_OK; i++)
		if (l->items[i].revents)
			err = serve_watch(l, l->watch_of[i], l->items[i].revents);
	return err;
}
