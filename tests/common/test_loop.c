// link: hy_loop
#include "support/test.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "loop/loop.h"

struct fx {
	struct hy_loop *loop;
	struct hy_socket *door, *caller;
	char *dir;
	char endpoint[200];
	uint8_t peer[255]; /* who spoke last at the door */
	size_t peer_size;
	char heard[8][64];
	int messages;
	int most; /* messages of one turn */
	int fd, fd_calls, clock_calls;
	bool leave; /* unwatch within the callback */
	struct hy_message *kept;
	struct hy_bytes kept_view;
	bool keep;
};

static int setup(void **state)
{
	struct fx *fx = calloc(1, sizeof(*fx));
	fx->dir = test_mkdir();
	snprintf(fx->endpoint, sizeof(fx->endpoint), "ipc://%s/door.sock", fx->dir);
	fx->fd = eventfd(0, EFD_NONBLOCK);
	assert_int_equal(hy_loop_open(&fx->loop), HY_OK);
	*state = fx;
	return 0;
}

static int teardown(void **state)
{
	struct fx *fx = *state;
	hy_message_free(&fx->kept);
	hy_socket_close(&fx->door);
	hy_socket_close(&fx->caller);
	hy_loop_close(&fx->loop);
	hy_loop_zmq_end();
	close(fx->fd);
	test_rmdir(fx->dir);
	free(fx);
	return 0;
}

static void on_message(void *arg, struct hy_bytes from, struct hy_bytes message)
{
	struct fx *fx = arg;
	memcpy(fx->peer, from.data, from.size);
	fx->peer_size = from.size;
	char *to = fx->heard[fx->messages++ % 8];
	snprintf(to, 64, "%.*s", (int)(message.size < 63 ? message.size : 63), (const char *)message.data);
	if (fx->keep)
		assert_int_equal(hy_socket_keep(fx->door, &fx->kept, &fx->kept_view), HY_OK);
	if (fx->leave)
		hy_loop_unwatch_socket(fx->loop, fx->door);
}

static void on_answer(void *arg, struct hy_bytes from, struct hy_bytes message)
{
	struct fx *fx = arg;
	assert_int_equal(from.size, 0);
	snprintf(fx->heard[fx->messages++ % 8], 64, "%.*s", (int)message.size, (const char *)message.data);
}

static void open_door(struct fx *fx)
{
	struct hy_fault f = { 0 };
	if (hy_socket_open(&fx->door, &(struct hy_socket_options){ HY_DOOR, fx->endpoint }, &f) != HY_OK)
		fail_msg("%s", f.text);
	assert_int_equal(hy_loop_watch_socket(fx->loop, fx->door, on_message, fx), HY_OK);
}

static void open_both(struct fx *fx)
{
	open_door(fx);
	assert_int_equal(
		hy_socket_open(&fx->caller, &(struct hy_socket_options){ HY_CALLER, fx->endpoint }, NULL), HY_OK);
	assert_int_equal(hy_socket_ready(fx->caller, 10000), HY_OK);
}

static void turn_until(struct fx *fx, int messages)
{
	while (fx->messages < messages)
		assert_int_equal(hy_loop_turn(fx->loop, 1000), HY_OK);
}

static void a_message_reaches_the_door_and_its_answer_comes_back(void **state)
{
	struct fx *fx = *state;
	open_both(fx);
	assert_int_equal(hy_socket_send(fx->caller, hy_bytes(NULL, 0), HY_LIT("ni hao")), HY_OK);
	turn_until(fx, 1);
	assert_string_equal(fx->heard[0], "ni hao");
	assert_true(fx->peer_size > 0);
	assert_int_equal(hy_socket_send(fx->door, hy_bytes(fx->peer, fx->peer_size), HY_LIT("hao")), HY_OK);
	struct hy_bytes answer;
	assert_int_equal(hy_socket_receive(fx->caller, 10000, &answer), HY_OK);
	assert_true(hy_bytes_equal(answer, HY_LIT("hao")));
	assert_int_equal(hy_socket_receive(fx->caller, 0, &answer), HY_TIMEOUT);
	assert_int_equal(answer.size, 0);
}

static void a_caller_in_a_loop_hears_answers_and_empty_messages(void **state)
{
	struct fx *fx = *state;
	open_both(fx);
	assert_int_equal(hy_loop_watch_socket(fx->loop, fx->caller, on_answer, fx), HY_OK);
	assert_int_equal(hy_socket_send(fx->caller, hy_bytes(NULL, 0), hy_bytes(NULL, 0)), HY_OK);
	turn_until(fx, 1);
	assert_string_equal(fx->heard[0], "");
	char *own = strdup("owned");
	assert_int_equal(hy_socket_send_own(fx->door, hy_bytes(fx->peer, fx->peer_size), own, 5), HY_OK);
	turn_until(fx, 2);
	assert_string_equal(fx->heard[1], "owned");
}

static void the_door_on_ipc_is_for_its_owner_or_for_the_group_of_its_directory(void **state)
{
	struct fx *fx = *state;
	open_door(fx);
	struct stat st;
	assert_int_equal(stat(fx->endpoint + 6, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	hy_loop_unwatch_socket(fx->loop, fx->door);
	hy_socket_close(&fx->door);
	assert_int_equal(chmod(fx->dir, 02770), 0); /* a group shares the directory */
	open_door(fx);
	assert_int_equal(stat(fx->endpoint + 6, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
}

static void a_door_that_is_listened_at_is_not_taken_over(void **state)
{
	struct fx *fx = *state;
	struct hy_fault f = { 0 };
	struct hy_socket *second;
	open_door(fx);
	assert_int_equal(hy_socket_open(&second, &(struct hy_socket_options){ HY_DOOR, fx->endpoint }, &f), HY_IN_USE);
	assert_null(second);
	assert_non_null(strstr(f.text, fx->endpoint));
	assert_non_null(strstr(f.text, "taken"));
}

static void the_socket_file_of_a_dead_process_is_replaced(void **state)
{
	struct fx *fx = *state;
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	snprintf(to.sun_path, sizeof(to.sun_path), "%s", fx->endpoint + 6);
	assert_int_equal(bind(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	close(fd); /* the file stays, as after a kill */
	open_both(fx);
	assert_int_equal(hy_socket_send(fx->caller, hy_bytes(NULL, 0), HY_LIT("x")), HY_OK);
	turn_until(fx, 1);
}

static void a_door_that_was_closed_can_be_opened_again_at_once(void **state)
{
	struct fx *fx = *state;
	for (int i = 0; i < 20; i++) {
		open_both(fx);
		int before = fx->messages;
		assert_int_equal(hy_socket_send(fx->caller, hy_bytes(NULL, 0), HY_LIT("x")), HY_OK);
		turn_until(fx, before + 1);
		hy_socket_close(&fx->caller);
		hy_loop_unwatch_socket(fx->loop, fx->door);
		hy_socket_close(&fx->door);
		assert_int_equal(access(fx->endpoint + 6, F_OK), -1);
	}
	int port = 15600;
	struct hy_socket_options o = { HY_DOOR, fx->endpoint };
	do
		snprintf(fx->endpoint, sizeof(fx->endpoint), "tcp://127.0.0.1:%d", port++);
	while (hy_socket_open(&fx->door, &o, NULL) == HY_IN_USE);
	for (int i = 0; i < 20; i++) {
		hy_socket_close(&fx->door);
		assert_int_equal(hy_socket_open(&fx->door, &o, NULL), HY_OK);
	}
}

static void a_file_that_is_no_socket_is_left_alone(void **state)
{
	struct fx *fx = *state;
	struct hy_fault f = { 0 };
	FILE *file = fopen(fx->endpoint + 6, "w");
	fputs("precious", file);
	fclose(file);
	assert_int_equal(
		hy_socket_open(&fx->door, &(struct hy_socket_options){ HY_DOOR, fx->endpoint }, &f), HY_IN_USE);
	assert_non_null(strstr(f.text, "no socket"));
	assert_int_equal(access(fx->endpoint + 6, F_OK), 0);
}

static void a_path_too_long_for_a_socket_is_named(void **state)
{
	struct fx *fx = *state;
	struct hy_fault f = { 0 };
	char endpoint[300];
	snprintf(endpoint, sizeof(endpoint), "ipc://%s/%0120d.sock", fx->dir, 0);
	assert_int_equal(hy_socket_open(&fx->door, &(struct hy_socket_options){ HY_DOOR, endpoint }, &f), HY_CONFIG);
	assert_non_null(strstr(f.text, "107"));
	assert_int_equal(
		hy_socket_open(&fx->caller, &(struct hy_socket_options){ HY_CALLER, endpoint }, &f), HY_CONFIG);
	assert_int_equal(hy_socket_open(&fx->door, &(struct hy_socket_options){ HY_DOOR, "ipc://" }, &f), HY_CONFIG);
}

static void a_taken_port_and_a_wrong_address_are_named(void **state)
{
	struct fx *fx = *state;
	struct hy_fault f = { 0 };
	struct sockaddr_storage at = { 0 };
	socklen_t size = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(listen(fd, 1), 0); /* any free port */
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &size), 0);
	const uint8_t *port = (const uint8_t *)&at + 2;
	char endpoint[64];
	snprintf(endpoint, sizeof(endpoint), "tcp://127.0.0.1:%d", port[0] << 8 | port[1]);
	assert_int_equal(hy_socket_open(&fx->door, &(struct hy_socket_options){ HY_DOOR, endpoint }, &f), HY_IN_USE);
	assert_non_null(strstr(f.text, endpoint));
	close(fd);
	assert_int_equal(
		hy_socket_open(&fx->door, &(struct hy_socket_options){ HY_DOOR, "gopher://x" }, &f), HY_CONFIG);
	assert_non_null(strstr(f.text, "gopher://x"));
	assert_int_equal(
		hy_socket_open(&fx->caller, &(struct hy_socket_options){ HY_CALLER, "gopher://x" }, &f), HY_CONFIG);
	assert_int_equal(hy_socket_open(&fx->door, &(struct hy_socket_options){ HY_DOOR, "ipc:///no/such/dir/x" }, &f),
		HY_CONFIG);
}

static void nothing_is_sent_to_a_peer_that_is_not_there(void **state)
{
	struct fx *fx = *state;
	open_door(fx);
	assert_int_equal(hy_socket_send(fx->door, HY_LIT("nobody"), HY_LIT("x")), HY_UNREACHABLE);
	assert_int_equal(hy_socket_send_own(fx->door, HY_LIT("nobody"), malloc(10), 10), HY_UNREACHABLE);
	char endpoint[300];
	snprintf(endpoint, sizeof(endpoint), "%s.missing", fx->endpoint);
	assert_int_equal(hy_socket_open(&fx->caller, &(struct hy_socket_options){ HY_CALLER, endpoint }, NULL), HY_OK);
	assert_int_equal(hy_socket_send(fx->caller, hy_bytes(NULL, 0), HY_LIT("x")), HY_BUSY);
	assert_int_equal(hy_socket_ready(fx->caller, 0), HY_TIMEOUT);
}

static void a_peer_that_does_not_read_fills_its_window_and_no_more(void **state)
{
	struct fx *fx = *state;
	open_both(fx);
	assert_int_equal(hy_socket_send(fx->caller, hy_bytes(NULL, 0), HY_LIT("x")), HY_OK);
	turn_until(fx, 1);
	int err = HY_OK;
	for (int sent = 0; sent < 1000 && err == HY_OK; sent++)
		err = hy_socket_send_own(fx->door, hy_bytes(fx->peer, fx->peer_size), calloc(1, 1 << 19), 1 << 19);
	assert_int_equal(err, HY_BUSY);
}

static void a_caller_that_floods_a_door_and_leaves_does_not_end_the_process_behind_it(void **state)
{
	struct fx *fx = *state;
	static uint8_t large[64 << 10];
	struct hy_fault f = { 0 };
	open_both(fx);
	for (int left = 1000; left > 0 && hy_socket_ready(fx->caller, 200) == HY_OK;
		left--) /* until the door holds it back */
		hy_socket_send(fx->caller, hy_bytes(NULL, 0), hy_bytes(large, sizeof(large)));
	hy_socket_close(&fx->caller);
	usleep(2500000); /* two heartbeats, had the door any */
	const struct hy_socket_options o = { .kind = HY_CALLER, .endpoint = fx->endpoint };
	assert_int_equal(hy_socket_open(&fx->caller, &o, &f), HY_OK);
	assert_int_equal(hy_socket_ready(fx->caller, 60000), HY_OK);
}

static void count_turns(struct fx *fx, int messages)
{
	while (fx->messages < messages) {
		int before = fx->messages;
		assert_int_equal(hy_loop_turn(fx->loop, 1000), HY_OK);
		if (fx->messages - before > fx->most)
			fx->most = fx->messages - before;
	}
}

static void a_busy_socket_yields_after_64_messages_and_none_is_forgotten(void **state)
{
	struct fx *fx = *state;
	struct hy_socket_options wide = { HY_DOOR, fx->endpoint, 1000, 4096 };
	assert_int_equal(hy_socket_open(&fx->door, &wide, NULL), HY_OK);
	assert_int_equal(hy_loop_watch_socket(fx->loop, fx->door, on_message, fx), HY_OK);
	wide.kind = HY_CALLER;
	assert_int_equal(hy_socket_open(&fx->caller, &wide, NULL), HY_OK);
	assert_int_equal(hy_socket_ready(fx->caller, 10000), HY_OK);
	for (int i = 0; i < 300; i++)
		while (hy_socket_send(fx->caller, hy_bytes(NULL, 0), HY_LIT("m")) != HY_OK)
			assert_int_equal(hy_socket_ready(fx->caller, 10000), HY_OK);
	count_turns(fx, 300);
	assert_int_equal(fx->messages, 300);
	assert_true(fx->most <= 64);
}

static void a_frame_beyond_the_limit_is_not_delivered(void **state)
{
	struct fx *fx = *state;
	struct hy_socket_options narrow = { HY_DOOR, fx->endpoint, 0, 8192 };
	assert_int_equal(hy_socket_open(&fx->door, &narrow, NULL), HY_OK);
	assert_int_equal(hy_loop_watch_socket(fx->loop, fx->door, on_message, fx), HY_OK);
	assert_int_equal(
		hy_socket_open(&fx->caller, &(struct hy_socket_options){ HY_CALLER, fx->endpoint }, NULL), HY_OK);
	assert_int_equal(hy_socket_ready(fx->caller, 10000), HY_OK);
	assert_int_equal(hy_socket_send_own(fx->caller, hy_bytes(NULL, 0), calloc(1, 9000), 9000), HY_OK);
	/* The connection is cut, made anew, and what fits goes through. */
	while (fx->messages == 0) {
		int err = hy_socket_send(fx->caller, hy_bytes(NULL, 0), HY_LIT("small"));
		assert_true(err == HY_OK || err == HY_BUSY);
		assert_int_equal(hy_loop_turn(fx->loop, 20), HY_OK);
	}
	assert_string_equal(fx->heard[0], "small");
}

static void a_kept_message_outlives_its_callback(void **state)
{
	struct fx *fx = *state;
	fx->keep = true;
	open_both(fx);
	for (size_t size = 100; size <= 100000; size *= 1000) {
		char *big = malloc(size);
		memset(big, 'k', size);
		assert_int_equal(hy_socket_send_own(fx->caller, hy_bytes(NULL, 0), big, size), HY_OK);
		int before = fx->messages;
		turn_until(fx, before + 1);
		assert_int_equal(fx->kept_view.size, size);
		for (size_t i = 0; i < size; i++)
			assert_int_equal(fx->kept_view.data[i], 'k');
		hy_message_free(&fx->kept);
		assert_null(fx->kept);
	}
	hy_message_free(&fx->kept);
}

static void on_fd(void *arg)
{
	struct fx *fx = arg;
	uint64_t n;
	fx->fd_calls++;
	assert_int_equal(read(fx->fd, &n, sizeof(n)), 8);
	if (fx->leave)
		hy_loop_unwatch_fd(fx->loop, fx->fd);
}

static void a_readable_descriptor_is_served_until_it_is_unwatched(void **state)
{
	struct fx *fx = *state;
	uint64_t one = 1;
	assert_int_equal(hy_loop_watch_fd(fx->loop, fx->fd, on_fd, fx), HY_OK);
	assert_int_equal(hy_loop_turn(fx->loop, 0), HY_OK);
	assert_int_equal(fx->fd_calls, 0);
	assert_int_equal(write(fx->fd, &one, 8), 8);
	assert_int_equal(hy_loop_turn(fx->loop, -1), HY_OK);
	assert_int_equal(fx->fd_calls, 1);
	fx->leave = true;
	assert_int_equal(write(fx->fd, &one, 8), 8);
	assert_int_equal(hy_loop_turn(fx->loop, -1), HY_OK);
	assert_int_equal(write(fx->fd, &one, 8), 8);
	assert_int_equal(hy_loop_turn(fx->loop, 0), HY_OK);
	assert_int_equal(fx->fd_calls, 2);
}

static void a_socket_unwatched_in_its_callback_is_not_served_again(void **state)
{
	struct fx *fx = *state;
	open_both(fx);
	fx->leave = true;
	assert_int_equal(hy_socket_send(fx->caller, hy_bytes(NULL, 0), HY_LIT("one")), HY_OK);
	assert_int_equal(hy_socket_send(fx->caller, hy_bytes(NULL, 0), HY_LIT("two")), HY_OK);
	turn_until(fx, 1);
	assert_int_equal(hy_loop_turn(fx->loop, 50), HY_OK);
	assert_int_equal(fx->messages, 1);
	fx->leave = false;
	assert_int_equal(hy_loop_watch_socket(fx->loop, fx->door, on_message, fx), HY_OK);
	turn_until(fx, 2);
	assert_string_equal(fx->heard[1], "two");
}

struct pair {
	struct fx *fx;
	int fd[2], calls[2], events; /* what was told last */
	bool swap; /* the one served first puts a new descriptor into the other's number */
};

static void open_pair(struct pair *p, struct fx *fx)
{
	p->fx = fx;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, p->fd), 0);
}

static void on_events(void *arg, int fd, int events)
{
	struct pair *p = arg;
	p->calls[fd == p->fd[1]]++;
	p->events = events;
	if (p->swap) {
		int other = p->fd[fd == p->fd[0]];
		p->swap = false;
		assert_int_equal(hy_loop_watch_events(p->fx->loop, other, 0, NULL, NULL), HY_OK);
		assert_int_equal(dup2(p->fx->fd, other), other);
		assert_int_equal(hy_loop_watch_events(p->fx->loop, other, HY_LOOP_READ, on_events, p), HY_OK);
	}
}

static void what_is_waited_for_can_change_and_only_that_is_told(void **state)
{
	struct fx *fx = *state;
	struct pair p = { 0 };
	open_pair(&p, fx);
	assert_int_equal(hy_loop_watch_events(fx->loop, p.fd[0], HY_LOOP_READ, on_events, &p), HY_OK);
	assert_int_equal(hy_loop_turn(fx->loop, 0), HY_OK);
	assert_int_equal(p.calls[0], 0); /* writable, but nobody asked */
	assert_int_equal(hy_loop_watch_events(fx->loop, p.fd[0], HY_LOOP_READ | HY_LOOP_WRITE, on_events, &p), HY_OK);
	assert_int_equal(hy_loop_turn(fx->loop, -1), HY_OK);
	assert_int_equal(p.calls[0], 1);
	assert_int_equal(p.events, HY_LOOP_WRITE);
	assert_int_equal(write(p.fd[1], "x", 1), 1);
	assert_int_equal(hy_loop_turn(fx->loop, -1), HY_OK);
	assert_int_equal(p.events, HY_LOOP_READ | HY_LOOP_WRITE);
	assert_int_equal(hy_loop_watch_events(fx->loop, p.fd[0], HY_LOOP_READ, on_events, &p), HY_OK);
	assert_int_equal(hy_loop_turn(fx->loop, -1), HY_OK);
	assert_int_equal(p.events, HY_LOOP_READ);
	assert_int_equal(p.calls[0], 3);
	assert_int_equal(hy_loop_watch_events(fx->loop, p.fd[0], 0, NULL, NULL), HY_OK);
	assert_int_equal(
		hy_loop_watch_events(fx->loop, p.fd[0], 0, NULL, NULL), HY_OK); /* ends once, may be said twice */
	assert_int_equal(hy_loop_turn(fx->loop, 0), HY_OK);
	assert_int_equal(p.calls[0], 3);
	close(p.fd[0]);
	close(p.fd[1]);
}

static void an_error_on_a_descriptor_is_told_to_who_only_waits_to_write(void **state)
{
	struct fx *fx = *state;
	int fd[2];
	struct pair p = { .fx = fx };
	assert_int_equal(pipe2(fd, O_NONBLOCK), 0);
	p.fd[0] = fd[1];
	while (write(fd[1], fx->heard, sizeof(fx->heard)) > 0) /* full: not writable */
		;
	close(fd[0]);
	assert_int_equal(hy_loop_watch_events(fx->loop, fd[1], HY_LOOP_WRITE, on_events, &p), HY_OK);
	assert_int_equal(hy_loop_turn(fx->loop, -1), HY_OK);
	assert_int_equal(p.calls[0], 1);
	assert_int_equal(p.events, HY_LOOP_WRITE);
	assert_int_equal(hy_loop_watch_events(fx->loop, fd[1], 0, NULL, NULL), HY_OK);
	close(fd[1]);
}

/* libraries close a connection and open the next within one callback: the kernel hands out the same number again */
static void a_number_used_again_within_a_turn_is_not_told_what_its_former_owner_had(void **state)
{
	struct fx *fx = *state;
	struct pair p = { .swap = true };
	open_pair(&p, fx);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(write(p.fd[i], "x", 1), 1);
		assert_int_equal(hy_loop_watch_events(fx->loop, p.fd[i], HY_LOOP_READ, on_events, &p), HY_OK);
	}
	assert_int_equal(hy_loop_turn(fx->loop, -1), HY_OK);
	assert_int_equal(p.calls[0] + p.calls[1], 1);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(hy_loop_watch_events(fx->loop, p.fd[i], 0, NULL, NULL), HY_OK);
		close(p.fd[i]);
	}
}

static int64_t on_time(void *arg)
{
	struct fx *fx = arg;
	fx->clock_calls++;
	return fx->clock_calls == 1 ? 5 : -1;
}

static int64_t never(void *arg)
{
	(void)arg;
	return -1;
}

static void a_clock_ends_the_wait_when_it_is_due(void **state)
{
	struct fx *fx = *state;
	assert_int_equal(hy_loop_watch_time(fx->loop, never, fx), HY_OK);
	assert_int_equal(hy_loop_watch_time(fx->loop, on_time, fx), HY_OK);
	assert_int_equal(hy_loop_turn(fx->loop, -1), HY_OK); /* would hang without the clock */
	assert_int_equal(fx->clock_calls, 1);
	assert_int_equal(hy_loop_turn(fx->loop, 0), HY_OK);
	assert_int_equal(fx->clock_calls, 2);
	hy_loop_unwatch_time(fx->loop, on_time, fx);
	assert_int_equal(hy_loop_turn(fx->loop, 0), HY_OK);
	assert_int_equal(fx->clock_calls, 2);
}

static void *wake_later(void *arg)
{
	hy_loop_wake(arg);
	return NULL;
}

static void another_thread_wakes_the_loop_and_calls_coalesce(void **state)
{
	struct fx *fx = *state;
	pthread_t thread;
	assert_int_equal(pthread_create(&thread, NULL, wake_later, fx->loop), 0);
	assert_int_equal(hy_loop_turn(fx->loop, -1), HY_OK);
	pthread_join(thread, NULL);
	hy_loop_wake(fx->loop);
	hy_loop_wake(fx->loop);
	assert_int_equal(hy_loop_turn(fx->loop, -1), HY_OK);
	assert_int_equal(hy_loop_turn(fx->loop, 0), HY_OK); /* one turn ate both: nothing is left to serve */
}

static struct hy_loop *signalled;

static void on_signal(int number)
{
	(void)number;
	int kept = errno;
	errno = 77;
	hy_loop_wake(signalled);
	if (errno != 77)
		abort();
	errno = kept;
}

static void *signal_later(void *arg)
{
	pthread_kill(*(pthread_t *)arg, SIGUSR1);
	return NULL;
}

static void a_signal_ends_the_wait_without_an_error(void **state)
{
	struct fx *fx = *state;
	struct sigaction act = { .sa_handler = on_signal }, old;
	pthread_t self = pthread_self(), thread;
	signalled = fx->loop;
	sigaction(SIGUSR1, &act, &old);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(pthread_create(&thread, NULL, signal_later, &self), 0);
		assert_int_equal(hy_loop_turn(fx->loop, -1), HY_OK);
		pthread_join(thread, NULL);
		assert_int_equal(hy_loop_turn(fx->loop, 0), HY_OK);
	}
	sigaction(SIGUSR1, &old, NULL);
}

static int64_t many_calls;

static int64_t count_call(void *arg)
{
	(void)arg;
	return many_calls++, -1;
}

static void many_watches_find_room(void **state)
{
	struct fx *fx = *state;
	static char owners[100];
	many_calls = 0;
	for (int i = 0; i < 100; i++)
		assert_int_equal(hy_loop_watch_time(fx->loop, count_call, &owners[i]), HY_OK);
	assert_int_equal(hy_loop_turn(fx->loop, 0), HY_OK);
	assert_int_equal(many_calls, 100);
	for (int i = 0; i < 99; i++)
		hy_loop_unwatch_time(fx->loop, count_call, &owners[i]);
	assert_int_equal(hy_loop_turn(fx->loop, 0), HY_OK);
	assert_int_equal(many_calls, 101);
}

static void closing_nothing_is_fine(void **state)
{
	(void)state;
	struct hy_loop *loop = NULL;
	struct hy_socket *socket = NULL;
	hy_loop_close(&loop);
	hy_socket_close(&socket);
	hy_loop_zmq_end();
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_message_reaches_the_door_and_its_answer_comes_back),
		T(a_caller_in_a_loop_hears_answers_and_empty_messages),
		T(the_door_on_ipc_is_for_its_owner_or_for_the_group_of_its_directory),
		T(a_door_that_is_listened_at_is_not_taken_over),
		T(the_socket_file_of_a_dead_process_is_replaced),
		T(a_door_that_was_closed_can_be_opened_again_at_once),
		T(a_file_that_is_no_socket_is_left_alone),
		T(a_path_too_long_for_a_socket_is_named),
		T(a_taken_port_and_a_wrong_address_are_named),
		T(nothing_is_sent_to_a_peer_that_is_not_there),
		T(a_peer_that_does_not_read_fills_its_window_and_no_more),
		T(a_caller_that_floods_a_door_and_leaves_does_not_end_the_process_behind_it),
		T(a_busy_socket_yields_after_64_messages_and_none_is_forgotten),
		T(a_frame_beyond_the_limit_is_not_delivered),
		T(a_kept_message_outlives_its_callback),
		T(a_readable_descriptor_is_served_until_it_is_unwatched),
		T(a_socket_unwatched_in_its_callback_is_not_served_again),
		T(what_is_waited_for_can_change_and_only_that_is_told),
		T(an_error_on_a_descriptor_is_told_to_who_only_waits_to_write),
		T(a_number_used_again_within_a_turn_is_not_told_what_its_former_owner_had),
		T(a_clock_ends_the_wait_when_it_is_due),
		T(another_thread_wakes_the_loop_and_calls_coalesce),
		T(a_signal_ends_the_wait_without_an_error),
		T(many_watches_find_room),
		cmocka_unit_test(closing_nothing_is_fine),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
