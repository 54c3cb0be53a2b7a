// link: hy_loop
#include "support/test.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <time.h>

#include "loop/loop.h"

#define FRIENDS 4

struct pair {
	char open[HY_CURVE_TEXT], secret[HY_CURVE_TEXT];
};

struct fx {
	struct hy_loop *loop;
	struct hy_socket *door;
	struct pair ours;
	struct pair friends[FRIENDS]; /* who may come */
	_Atomic int asked, admitted; /* written by the handler's thread */
	int port;
	char endpoint[64];
	int messages;
	char heard[64], user[128];
	bool keep; /* takes the message away before it asks who sent it */
};

static bool admit(void *arg, const char *public_key, char *user, size_t room)
{
	struct fx *fx = arg;
	for (int i = 0; i < FRIENDS; i++)
		if (strcmp(fx->friends[i].open, public_key) == 0) {
			snprintf(user, room, "friend-%d", i);
			atomic_fetch_add(&fx->admitted, 1);
			atomic_fetch_add(&fx->asked, 1);
			return true;
		}
	atomic_fetch_add(&fx->asked, 1);
	return false;
}

static void on_message(void *arg, struct hy_bytes from, struct hy_bytes message)
{
	struct fx *fx = arg;
	struct hy_message *kept = NULL;
	fx->messages++;
	if (fx->keep) {
		assert_int_equal(hy_socket_keep(fx->door, &kept, &message), HY_OK);
		hy_socket_send(fx->door, from, message);
		hy_message_free(&kept);
	} else {
		snprintf(fx->heard, sizeof(fx->heard), "%.*s", (int)message.size, (const char *)message.data);
		hy_socket_send(fx->door, from, message);
	}
	snprintf(fx->user, sizeof(fx->user), "%s", hy_socket_user(fx->door));
}

static void make(struct pair *p)
{
	assert_int_equal(hy_curve_make(p->open, p->secret), HY_OK);
}

static int setup(void **state)
{
	struct fx *fx = calloc(1, sizeof(*fx));
	struct hy_fault f = { 0 };
	make(&fx->ours);
	for (int i = 0; i < FRIENDS; i++)
		make(&fx->friends[i]);
	assert_int_equal(hy_loop_open(&fx->loop), HY_OK);
	const struct hy_socket_options o = { .kind = HY_DOOR,
		.endpoint = "tcp://127.0.0.1:*",
		.window = 64,
		.curve_secret = fx->ours.secret,
		.admit = admit,
		.admit_arg = fx };
	if (hy_socket_open(&fx->door, &o, &f) != HY_OK)
		fail_msg("%s", f.text);
	fx->port = hy_socket_port(fx->door);
	assert_in_range(fx->port, 1, 65535);
	snprintf(fx->endpoint, sizeof(fx->endpoint), "tcp://127.0.0.1:%d", fx->port);
	assert_int_equal(hy_loop_watch_socket(fx->loop, fx->door, on_message, fx), HY_OK);
	*state = fx;
	return 0;
}

static int teardown(void **state)
{
	struct fx *fx = *state;
	hy_socket_close(&fx->door);
	hy_loop_close(&fx->loop);
	hy_loop_zmq_end();
	free(fx);
	return 0;
}

static int64_t mono_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000) + t.tv_nsec / 1000000;
}

static void turn_for(struct fx *fx, int64_t ms)
{
	for (int64_t end = mono_ms() + ms; mono_ms() < end;)
		assert_int_equal(hy_loop_turn(fx->loop, 5), HY_OK);
}

/* Turns the loop until the condition holds, two minutes at most. */
#define turn_until(fx, condition)                                                                                      \
	do {                                                                                                           \
		int64_t end_ = mono_ms() + 120000;                                                                     \
		while (!(condition)) {                                                                                 \
			assert_int_equal(hy_loop_turn(fx->loop, 20), HY_OK);                                           \
			if (mono_ms() > end_)                                                                          \
				fail_msg("never came: %s", #condition);                                                \
		}                                                                                                      \
	} while (0)

static struct hy_socket *caller(struct fx *fx, const char *secret, const char *server)
{
	struct hy_socket *s = NULL;
	struct hy_fault f = { 0 };
	const struct hy_socket_options o = {
		.kind = HY_CALLER, .endpoint = fx->endpoint, .curve_secret = secret, .curve_server = server
	};
	if (hy_socket_open(&s, &o, &f) != HY_OK)
		fail_msg("%s", f.text);
	return s;
}

/* A friend says one word, and the door hears it under the friend's name. */
static void a_friend_is_heard(struct fx *fx, int which)
{
	struct hy_socket *s = caller(fx, fx->friends[which].secret, fx->ours.open);
	int before = fx->messages;
	struct hy_bytes answer;
	char name[32];
	snprintf(name, sizeof(name), "friend-%d", which);
	assert_int_equal(hy_socket_ready(s, 120000), HY_OK);
	assert_int_equal(hy_socket_send(s, hy_bytes(NULL, 0), HY_LIT("hello")), HY_OK);
	turn_until(fx, fx->messages > before);
	assert_int_equal(fx->messages, before + 1);
	assert_string_equal(fx->heard, "hello");
	assert_string_equal(fx->user, name);
	assert_int_equal(hy_socket_receive(s, 120000, &answer), HY_OK);
	assert_true(hy_bytes_equal(answer, HY_LIT("hello")));
	hy_socket_close(&s);
}

/* ---- */

static void a_pair_is_made_and_the_secret_knows_its_public_key(void **state)
{
	struct pair p;
	char open[HY_CURVE_TEXT];
	(void)state;
	make(&p);
	assert_int_equal(strlen(p.open), 40);
	assert_int_equal(hy_curve_public(p.secret, open), HY_OK);
	assert_string_equal(open, p.open);
	assert_true(hy_curve_good(p.open));
	assert_int_equal(hy_curve_public("", open), HY_BAD_INPUT);
	assert_int_equal(hy_curve_public("0123456789012345678901234567890123456 89", open), HY_BAD_INPUT);
	assert_false(hy_curve_good("#########################################"));
	assert_false(hy_curve_good("########################################")); /* more than 32 bytes can say */
	assert_false(hy_curve_good("short"));
}

static void who_is_listed_is_heard_under_the_name_that_the_list_gives_him(void **state)
{
	struct fx *fx = *state;
	for (int i = 0; i < FRIENDS; i++)
		a_friend_is_heard(fx, i);
	assert_int_equal(fx->admitted, FRIENDS);
}

static void a_key_that_is_not_listed_is_asked_about_and_turned_away(void **state)
{
	struct fx *fx = *state;
	struct pair stranger;
	make(&stranger);
	struct hy_socket *s = caller(fx, stranger.secret, fx->ours.open);
	turn_until(fx, fx->asked > 0);
	assert_int_equal(hy_socket_ready(s, 300), HY_TIMEOUT);
	assert_int_equal(hy_socket_send(s, hy_bytes(NULL, 0), HY_LIT("psst")), HY_BUSY);
	assert_int_equal(fx->admitted, 0);
	a_friend_is_heard(fx, 0);
	hy_socket_close(&s);
}

static void a_list_that_changes_is_asked_again_at_the_next_connection(void **state)
{
	struct fx *fx = *state;
	struct pair newcomer;
	make(&newcomer);
	struct hy_socket *s = caller(fx, newcomer.secret, fx->ours.open);
	turn_until(fx, fx->asked > 0);
	assert_int_equal(hy_socket_ready(s, 100), HY_TIMEOUT);
	hy_socket_close(&s);
	int asked = fx->asked;
	turn_for(fx, 50); /* what is on its way may still be asked about */
	fx->friends[2] = newcomer;
	assert_true(fx->asked >= asked);
	a_friend_is_heard(fx, 2);
}

static void each_door_asks_its_own_list(void **state)
{
	struct fx *fx = *state;
	struct fx other = { 0 };
	struct hy_fault f = { 0 };
	struct pair both;
	make(&both);
	for (int i = 0; i < FRIENDS; i++)
		make(&other.friends[i]);
	other.friends[3] = both;
	const struct hy_socket_options o = { .kind = HY_DOOR,
		.endpoint = "tcp://127.0.0.1:*",
		.curve_secret = fx->ours.secret,
		.admit = admit,
		.admit_arg = &other };
	assert_int_equal(hy_socket_open(&other.door, &o, &f), HY_OK);
	snprintf(other.endpoint, sizeof(other.endpoint), "tcp://127.0.0.1:%d", hy_socket_port(other.door));
	assert_int_equal(hy_loop_open(&other.loop), HY_OK);
	hy_loop_watch_socket(other.loop, other.door, on_message, &other);
	other.ours = fx->ours;
	a_friend_is_heard(&other, 3);
	assert_int_equal(fx->asked, 0);
	struct hy_socket *s = caller(fx, both.secret, fx->ours.open); /* at the first door nobody knows him */
	turn_until(fx, fx->asked > 0);
	assert_int_equal(hy_socket_ready(s, 200), HY_TIMEOUT);
	hy_socket_close(&s);
	hy_socket_close(&other.door);
	hy_loop_close(&other.loop);
	a_friend_is_heard(fx, 1);
}

static void a_door_without_curve_beside_it_is_not_asked_about(void **state)
{
	struct fx *fx = *state;
	struct fx plain = { 0 };
	struct hy_fault f = { 0 };
	const struct hy_socket_options o = { .kind = HY_DOOR, .endpoint = "tcp://127.0.0.1:*" };
	assert_int_equal(hy_socket_open(&plain.door, &o, &f), HY_OK);
	assert_int_equal(hy_loop_open(&plain.loop), HY_OK);
	snprintf(plain.endpoint, sizeof(plain.endpoint), "tcp://127.0.0.1:%d", hy_socket_port(plain.door));
	hy_loop_watch_socket(plain.loop, plain.door, on_message, &plain);
	struct hy_socket *s = caller(&plain, NULL, NULL);
	assert_int_equal(hy_socket_ready(s, 120000), HY_OK);
	assert_int_equal(hy_socket_send(s, hy_bytes(NULL, 0), HY_LIT("plain")), HY_OK);
	turn_until((&plain), plain.messages == 1);
	assert_string_equal(plain.user, "");
	assert_int_equal(fx->asked, 0);
	hy_socket_close(&s);
	hy_socket_close(&plain.door);
	hy_loop_close(&plain.loop);
}

static void a_kept_message_leaves_its_sender_s_name_behind(void **state)
{
	struct fx *fx = *state;
	static uint8_t large[32 << 10]; /* kept without a copy */
	struct hy_socket *s = caller(fx, fx->friends[1].secret, fx->ours.open);
	fx->keep = true;
	assert_int_equal(hy_socket_ready(s, 120000), HY_OK);
	assert_int_equal(hy_socket_send(s, hy_bytes(NULL, 0), hy_bytes(large, sizeof(large))), HY_OK);
	turn_until(fx, fx->messages == 1);
	assert_string_equal(fx->user, "friend-1");
	hy_socket_close(&s);
}

static void a_key_that_is_none_is_named(void **state)
{
	struct fx *fx = *state;
	struct hy_socket *s = NULL;
	struct hy_fault f = { 0 };
	struct hy_socket_options o = { .kind = HY_DOOR,
		.endpoint = "tcp://127.0.0.1:*",
		.curve_secret = "not a key",
		.admit = admit,
		.admit_arg = fx };
	assert_int_equal(hy_socket_open(&s, &o, &f), HY_CONFIG);
	assert_non_null(strstr(f.text, "secret key is no CURVE key"));
	assert_null(s);
	o = (struct hy_socket_options){
		.kind = HY_CALLER, .endpoint = fx->endpoint, .curve_secret = fx->friends[0].secret, .curve_server = NULL
	};
	assert_int_equal(hy_socket_open(&s, &o, &f), HY_CONFIG);
	assert_non_null(strstr(f.text, "the door's public key is no CURVE key"));
}

/* ---- strangers, one after another and many at once ---- */

static int raw_connect(const struct fx *fx)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in to = {
		.sin_family = AF_INET, .sin_port = htons((uint16_t)fx->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)
	};
	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

static void raw_send(int fd, const void *data, size_t size)
{
	if (send(fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
		/* turned away already: fine */
	}
}

static void greet(int fd, const char *mechanism)
{
	uint8_t greeting[64] = { 0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3, 0 };
	memcpy(greeting + 12, mechanism, strlen(mechanism));
	raw_send(fd, greeting, sizeof(greeting));
}

static const char a_frame[] = "\x00\x05hello";
static const char ready[] = "\x04\x1c\x05READY\x0bSocket-Type\0\0\0\x06"
			    "DEALER";

/* Each speaks without waiting for an answer, message and all. */
static void speak_null(int fd)
{
	greet(fd, "NULL");
	raw_send(fd, ready, sizeof(ready) - 1);
	raw_send(fd, a_frame, sizeof(a_frame) - 1);
}

static void speak_plain(int fd)
{
	greet(fd, "PLAIN");
	raw_send(fd, "\x04\x10\x05HELLO\x04user\x04pass", 18);
	raw_send(fd, "\x04\x09\x08INITIATE", 11);
	raw_send(fd, a_frame, sizeof(a_frame) - 1);
}

static void speak_curve_with_a_huge_hello(int fd)
{
	static const uint8_t head[9] = { 0x06, 0, 0, 0, 0, 0x40, 0, 0, 0 }; /* a command of 1 GiB */
	uint8_t some[4096];
	memset(some, 'x', sizeof(some));
	greet(fd, "CURVE");
	raw_send(fd, head, sizeof(head));
	for (int i = 0; i < 16; i++)
		raw_send(fd, some, sizeof(some));
}

static void speak_zmtp_2(int fd)
{
	static const uint8_t greeting[] = { 0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 1, 5, 0, 0 };
	raw_send(fd, greeting, sizeof(greeting));
	raw_send(fd, a_frame, sizeof(a_frame) - 1);
}

static void speak_zmtp_1(int fd)
{
	raw_send(fd, "\x01\x00", 2); /* an anonymous peer */
	raw_send(fd, "\x06\x00hello", 7);
}

static void speak_garbage(int fd)
{
	raw_send(fd, "GET / HTTP/1.1\r\nHost: door\r\n\r\n", 30);
}

static void say_nothing(int fd)
{
	(void)fd;
}

static void (*const raw_kinds[])(int fd) = { speak_null, speak_plain, speak_curve_with_a_huge_hello, speak_zmtp_2,
	speak_zmtp_1, speak_garbage, say_nothing };
enum { RAW_KINDS = sizeof(raw_kinds) / sizeof(raw_kinds[0]) };

/* Waits until the door has closed it: everything that it sent has been looked at by then. */
static void wait_closed(struct fx *fx, int fd)
{
	char bytes[512];
	for (int64_t end = mono_ms() + 120000;;) {
		ssize_t n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
			break;
		if (mono_ms() > end)
			fail_msg("the door keeps a stranger's connection");
		if (n < 0)
			assert_int_equal(hy_loop_turn(fx->loop, 10), HY_OK);
	}
	close(fd);
}

static void come_with_zmq(struct fx *fx, struct hy_socket **s, int kind)
{
	struct pair any, wrong;
	make(&any);
	make(&wrong);
	if (kind == 0)
		*s = caller(fx, NULL, NULL); /* no key at all */
	else if (kind == 1)
		*s = caller(fx, fx->friends[0].secret, wrong.open); /* a friend who was told a wrong door's key */
	else
		*s = caller(fx, any.secret, fx->ours.open);
}

static size_t count_fds(void)
{
	size_t n = 0;
	DIR *d = opendir("/proc/self/fd");
	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static long anonymous_kib(void)
{
	char line[256];
	long kib = 0;
	FILE *f = fopen("/proc/self/status", "r");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "RssAnon: %ld", &kib) == 1)
			break;
	fclose(f);
	return kib;
}

/* So many at once. */
enum { RAW_ROUND = 70, ZMQ_ROUND = 30 };

static void a_round_of_strangers(struct fx *fx)
{
	int fds[RAW_ROUND];
	struct hy_socket *callers[ZMQ_ROUND];
	for (int i = 0; i < RAW_ROUND; i++) {
		fds[i] = raw_connect(fx);
		raw_kinds[i % RAW_KINDS](fds[i]);
	}
	int asked = fx->asked;
	for (int i = 0; i < ZMQ_ROUND; i++)
		come_with_zmq(fx, &callers[i], i % 3);
	for (int i = 0; i < RAW_ROUND; i++)
		wait_closed(fx, fds[i]);
	turn_until(fx, fx->asked >= asked + ZMQ_ROUND / 3);
	for (int i = 0; i < ZMQ_ROUND; i++) {
		assert_int_equal(hy_socket_ready(callers[i], 0), HY_TIMEOUT);
		assert_int_equal(hy_socket_send(callers[i], hy_bytes(NULL, 0), HY_LIT("psst")), HY_BUSY);
		hy_socket_close(&callers[i]);
	}
}

static void strangers_get_nothing_however_many_they_are_and_whatever_they_speak(void **state)
{
	struct fx *fx = *state;
	const char *wanted = getenv("HUIYIN_STRANGERS");
	int rounds = ((wanted ? atoi(wanted) : 200) + RAW_ROUND + ZMQ_ROUND - 1) / (RAW_ROUND + ZMQ_ROUND);
	a_friend_is_heard(fx, 0);
	a_round_of_strangers(fx); /* what the first hundred need once is there */
	turn_for(fx, 100);
	size_t fds = count_fds();
	long kib = anonymous_kib();
	for (int i = 1; i < rounds; i++)
		a_round_of_strangers(fx);
	assert_int_equal(fx->messages, 1);
	a_friend_is_heard(fx, 1);
	assert_int_equal(fx->messages, 2);
	turn_until(fx, count_fds() <= fds + 8);
	long grown = anonymous_kib() - kib;
#ifdef __SANITIZE_ADDRESS__
	grown = 0; /* what was freed is kept aside here, to find who uses it still */
#endif
	if (grown > 16 * 1024)
		fail_msg("%d strangers left %ld KiB behind", rounds * (RAW_ROUND + ZMQ_ROUND), grown);
}

/* ---- */

static void the_context_ends_with_its_handler_and_begins_again(void **state)
{
	struct fx *fx = *state;
	a_friend_is_heard(fx, 0);
	hy_socket_close(&fx->door);
	hy_loop_close(&fx->loop);
	hy_loop_zmq_end();
	struct fx *again = NULL;
	setup((void **)&again);
	a_friend_is_heard(again, 3);
	free(fx);
	*state = again;
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_pair_is_made_and_the_secret_knows_its_public_key),
		T(who_is_listed_is_heard_under_the_name_that_the_list_gives_him),
		T(a_key_that_is_not_listed_is_asked_about_and_turned_away),
		T(a_list_that_changes_is_asked_again_at_the_next_connection),
		T(each_door_asks_its_own_list),
		T(a_door_without_curve_beside_it_is_not_asked_about),
		T(a_kept_message_leaves_its_sender_s_name_behind),
		T(a_key_that_is_none_is_named),
		T(strangers_get_nothing_however_many_they_are_and_whatever_they_speak),
		T(the_context_ends_with_its_handler_and_begins_again),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
