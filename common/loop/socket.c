/* Sockets: the process's ZeroMQ context, the options that every socket gets, sending and receiving. */
#include "loop/socket.h"
#include "loop/zap.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

#define WINDOW_DEFAULT 16
#define FRAME_DEFAULT ((size_t)1 << 20)
#define PEER_MAX 255 /* bytes of a routing id, ZeroMQ's own limit */
#define USER_PROPERTY "User-Id" /* of a message: what the handler of zap.c called its sender */
/* libzmq has it since 4.3.0; its header shows the name to builds with drafts alone. */
#define ENFORCE_DOMAIN 93
/* Smaller messages share the decoder's 8 KiB buffer; keeping one of them would keep all of it. */
#define KEEP_FROM ((size_t)16 << 10)

struct hy_socket {
	void *zmq;
	enum hy_socket_kind kind;
	char *path; /* the socket file that this door made */
	zmq_msg_t *served; /* the message whose callback is running */
	zmq_msg_t received; /* what hy_socket_receive() handed out */
	struct zap_door *zap; /* of a door with CURVE */
	char user[ZAP_USER]; /* who sent the message whose callback is running */
};

struct hy_message {
	zmq_msg_t msg;
	uint8_t copy[];
};

static pthread_mutex_t context_lock = PTHREAD_MUTEX_INITIALIZER;
static void *context;
static int context_sockets;
static bool closed_a_door;

static void *socket_new(int type)
{
	pthread_mutex_lock(&context_lock);
	if (!context)
		context = zmq_ctx_new();
	void *zmq = context ? zmq_socket(context, type) : NULL;
	if (zmq)
		context_sockets++;
	pthread_mutex_unlock(&context_lock);
	return zmq;
}

static void socket_end(void *zmq, enum hy_socket_kind kind)
{
	zmq_close(zmq);
	pthread_mutex_lock(&context_lock);
	context_sockets--;
	closed_a_door |= kind == HY_DOOR;
	pthread_mutex_unlock(&context_lock);
}

void hy_loop_zmq_end(void)
{
	pthread_mutex_lock(&context_lock);
	if (context_sockets != 0)
		hy_panic("%d sockets are still open", context_sockets);
	if (context) {
		zmq_ctx_shutdown(context); /* what the thread of zap.c waits for */
		zap_end();
	}
	while (context && zmq_ctx_term(context) < 0 && errno == EINTR)
		;
	context = NULL;
	pthread_mutex_unlock(&context_lock);
}

static void set_int(void *zmq, int option, int value)
{
	if (zmq_setsockopt(zmq, option, &value, sizeof(value)) < 0)
		hy_panic("ZeroMQ refuses option %d = %d: %s", option, value, zmq_strerror(errno));
}

static void set_options(void *zmq, const struct hy_socket_options *o)
{
	const int both[][2] = {
		{ ZMQ_LINGER, 0 },
		{ ZMQ_HANDSHAKE_IVL, 2000 },
		{ ZMQ_RECONNECT_IVL, 20 },
		{ ZMQ_RECONNECT_IVL_MAX, 500 },
		{ ZMQ_TCP_KEEPALIVE, 1 },
		{ ZMQ_TCP_KEEPALIVE_IDLE, 30 },
		{ ZMQ_TCP_KEEPALIVE_INTVL, 5 },
		{ ZMQ_TCP_KEEPALIVE_CNT, 3 },
		{ ZMQ_SNDTIMEO, 0 },
	};
	for (size_t i = 0; i < sizeof(both) / sizeof(both[0]); i++)
		set_int(zmq, both[i][0], both[i][1]);
	int window = o->window > 0 ? o->window : WINDOW_DEFAULT;
	set_int(zmq, ZMQ_SNDHWM, window);
	set_int(zmq, ZMQ_RCVHWM, o->window < 0 ? 0 : window);
	int64_t frame_max = (int64_t)(o->frame_max ? o->frame_max : FRAME_DEFAULT);
	if (zmq_setsockopt(zmq, ZMQ_MAXMSGSIZE, &frame_max, sizeof(frame_max)) < 0)
		hy_panic("ZeroMQ refuses a frame limit of %lld", (long long)frame_max);
	if (o->kind == HY_DOOR) {
		/* Without MANDATORY a message to a peer that left vanishes in silence; without HANDOVER a hung connection
		 * would keep its successor out. */
		set_int(zmq, ZMQ_ROUTER_MANDATORY, 1);
		set_int(zmq, ZMQ_ROUTER_HANDOVER, 1);
	} else {
		set_int(zmq, ZMQ_IMMEDIATE, 1);
		/* Callers alone: libzmq 4.3.4 ends the process (`!_io_error`) when a heartbeat of its own falls due on a connection that
		 * broke while its input was held back, and so anybody who floods a door and leaves would end the daemon behind it. A
		 * door notices a dead caller by the TTL that comes with the caller's heartbeats, and by TCP's keepalive. */
		set_int(zmq, ZMQ_HEARTBEAT_IVL, 1000);
		set_int(zmq, ZMQ_HEARTBEAT_TIMEOUT, 3000);
		set_int(zmq, ZMQ_HEARTBEAT_TTL, 6000);
	}
	if (strstr(o->endpoint, "://[")) /* with it "*" would mean every address of both kinds */
		set_int(zmq, ZMQ_IPV6, 1);
}

static int set_key(void *zmq, int option, const char *key, const char *which, struct hy_fault *f)
{
	if (!key || !hy_curve_good(key) || zmq_setsockopt(zmq, option, key, HY_CURVE_TEXT) < 0)
		return hy_fail(f, HY_CONFIG, "%s is no CURVE key: 40 characters of Z85 are", which);
	return HY_OK;
}

static int set_curve(struct hy_socket *s, const struct hy_socket_options *o, struct hy_fault *f)
{
	char ours[HY_CURVE_TEXT];
	if (!o->curve_secret)
		return HY_OK;
	int err = set_key(s->zmq, ZMQ_CURVE_SECRETKEY, o->curve_secret, "this end's secret key", f);
	if (err)
		return err;
	if (o->kind == HY_CALLER) {
		if (hy_curve_public(o->curve_secret, ours) != HY_OK)
			return hy_fail(f, HY_CONFIG, "this end's secret key has no public key");
		err = set_key(s->zmq, ZMQ_CURVE_PUBLICKEY, ours, "this end's public key", f);
		return err ? err : set_key(s->zmq, ZMQ_CURVE_SERVERKEY, o->curve_server, "the door's public key", f);
	}
	err = zap_enter(&s->zap, context, o, f);
	if (err)
		return err;
	/* Without the domain's being enforced a handler that went missing would open the door to everybody. */
	const char *domain = zap_domain(s->zap);
	set_int(s->zmq, ZMQ_CURVE_SERVER, 1);
	set_int(s->zmq, ENFORCE_DOMAIN, 1);
	if (zmq_setsockopt(s->zmq, ZMQ_ZAP_DOMAIN, domain, strlen(domain)) < 0)
		hy_panic("ZeroMQ refuses the domain %s", domain);
	return HY_OK;
}

/* The path of an ipc:// endpoint that is a file, or NULL. */
static const char *ipc_path(const char *endpoint)
{
	if (strncmp(endpoint, "ipc://", 6) != 0 || endpoint[6] == '@')
		return NULL;
	return endpoint + 6;
}

static int check_path(const char *path, struct hy_fault *f)
{
	size_t most = sizeof(((struct sockaddr_un *)0)->sun_path) - 1;
	if (strlen(path) > most)
		return hy_fail(f, HY_CONFIG, "the socket path %s is longer than %zu bytes: choose a shorter directory",
			path, most);
	if (!*path)
		return hy_fail(f, HY_CONFIG, "the socket path is empty");
	return HY_OK;
}

/* ZeroMQ would take the path from a live owner; only the file of a dead one may go. */
static int make_way(const char *path, struct hy_fault *f)
{
	struct stat st;
	if (lstat(path, &st) < 0)
		return HY_OK;
	if (!S_ISSOCK(st.st_mode))
		return hy_fail(f, HY_IN_USE, "%s is there and no socket: move it away", path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return hy_fail(f, hy_err_from_errno(errno), "no socket to look at %s: %s", path, strerror(errno));
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	memcpy(to.sun_path, path, strlen(path));
	int rc = connect(fd, (struct sockaddr *)&to, sizeof(to));
	int why = errno;
	close(fd);
	if (rc == 0 || why == EAGAIN) /* EAGAIN: someone listens, and is busy */
		return hy_fail(f, HY_IN_USE, "the address ipc://%s is taken: another process listens there", path);
	if (why != ECONNREFUSED && why != ENOENT)
		return hy_fail(
			f, hy_err_from_errno(why), "can't tell whether anyone listens at %s: %s", path, strerror(why));
	if (unlink(path) < 0 && errno != ENOENT)
		return hy_fail(
			f, hy_err_from_errno(errno), "can't remove the dead socket %s: %s", path, strerror(errno));
	return HY_OK;
}

/* ZeroMQ closes in the background: a port that this process has just left may take a moment to be free. */
static int bind_patiently(void *zmq, const char *endpoint)
{
	int rc = zmq_bind(zmq, endpoint);
	pthread_mutex_lock(&context_lock);
	int tries = closed_a_door ? 50 : 0;
	pthread_mutex_unlock(&context_lock);
	for (; rc < 0 && errno == EADDRINUSE && tries > 0; tries--) {
		nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
		rc = zmq_bind(zmq, endpoint);
	}
	return rc;
}

/* Daemons that run as users of their own share a group, and `run/` gives it to what is made there. */
static bool hands_its_group_on(const char *path)
{
	char dir[sizeof(((struct sockaddr_un *)0)->sun_path)];
	struct stat st;
	const char *slash = strrchr(path, '/');
	snprintf(dir, sizeof(dir), "%.*s", slash ? (int)(slash - path) : 1, slash ? path : ".");
	return stat(dir, &st) == 0 && (st.st_mode & S_ISGID);
}

static int bind_door(struct hy_socket *s, const char *endpoint, const char *path, struct hy_fault *f)
{
	int err = path ? make_way(path, f) : HY_OK;
	if (err != HY_OK)
		return err;
	if (bind_patiently(s->zmq, endpoint) < 0) {
		if (errno == EADDRINUSE)
			return hy_fail(
				f, HY_IN_USE, "the address %s is taken: another process listens there", endpoint);
		return hy_fail(f, HY_CONFIG, "can't listen at %s: %s", endpoint, zmq_strerror(errno));
	}
	if (!path)
		return HY_OK;
	s->path = strdup(path);
	if (!s->path || chmod(path, hands_its_group_on(path) ? 0660 : 0600) < 0)
		return hy_fail(f, hy_err_from_errno(errno), "can't set the mode of %s: %s", path, strerror(errno));
	return HY_OK;
}

int hy_socket_open(struct hy_socket **out, const struct hy_socket_options *o, struct hy_fault *f)
{
	*out = NULL;
	const char *path = ipc_path(o->endpoint);
	int err = path ? check_path(path, f) : HY_OK;
	if (err != HY_OK)
		return err;
	struct hy_socket *s = calloc(1, sizeof(*s));
	if (!s)
		return hy_fail(f, HY_NO_MEMORY, "no memory for a socket");
	s->kind = o->kind;
	zmq_msg_init(&s->received);
	s->zmq = socket_new(o->kind == HY_DOOR ? ZMQ_ROUTER : ZMQ_DEALER);
	if (!s->zmq) {
		err = hy_fail(f, HY_IO, "no socket for %s: %s", o->endpoint, zmq_strerror(errno));
		free(s);
		return err;
	}
	set_options(s->zmq, o);
	err = set_curve(s, o, f);
	if (err == HY_OK && o->kind == HY_DOOR)
		err = bind_door(s, o->endpoint, path, f);
	else if (err == HY_OK && zmq_connect(s->zmq, o->endpoint) < 0)
		err = hy_fail(f, HY_CONFIG, "can't connect to %s: %s", o->endpoint, zmq_strerror(errno));
	if (err != HY_OK) {
		hy_socket_close(&s);
		return err;
	}
	*out = s;
	return HY_OK;
}

void hy_socket_close(struct hy_socket **s)
{
	if (!*s)
		return;
	/* The file goes now, the listener behind it in a moment: the next one at this path meets neither. */
	if ((*s)->path)
		unlink((*s)->path);
	free((*s)->path);
	socket_end((*s)->zmq, (*s)->kind);
	zap_leave(&(*s)->zap);
	zmq_msg_close(&(*s)->received);
	free(*s);
	*s = NULL;
}

void *hy_socket_zmq(struct hy_socket *s)
{
	return s->zmq;
}

const char *hy_socket_user(const struct hy_socket *s)
{
	return s->user;
}

int hy_socket_port(const struct hy_socket *s)
{
	char endpoint[256];
	size_t size = sizeof(endpoint);
	if (zmq_getsockopt(s->zmq, ZMQ_LAST_ENDPOINT, endpoint, &size) < 0 || strncmp(endpoint, "tcp://", 6) != 0)
		return 0;
	return atoi(strrchr(endpoint, ':') + 1);
}

/* ---- sending ------------------------------------------------------------------------------------------------------ */

static int send_error(void)
{
	switch (errno) {
	case EAGAIN:
	case EINTR:
		return HY_BUSY;
	case EHOSTUNREACH:
		return HY_UNREACHABLE;
	default:
		return HY_IO;
	}
}

/* Takes `msg` over. */
static int send_message(struct hy_socket *s, struct hy_bytes to, zmq_msg_t *msg)
{
	int err = HY_OK;
	if (s->kind == HY_DOOR && zmq_send(s->zmq, to.data, to.size, ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0)
		err = send_error();
	if (err == HY_OK && zmq_msg_send(msg, s->zmq, ZMQ_DONTWAIT) < 0)
		err = send_error();
	zmq_msg_close(msg);
	return err;
}

int hy_socket_send(struct hy_socket *s, struct hy_bytes to, struct hy_bytes message)
{
	zmq_msg_t msg;
	if (zmq_msg_init_size(&msg, message.size) < 0)
		return HY_NO_MEMORY;
	if (message.size)
		memcpy(zmq_msg_data(&msg), message.data, message.size);
	return send_message(s, to, &msg);
}

static void free_sent(void *data, void *hint)
{
	(void)hint;
	free(data);
}

int hy_socket_send_own(struct hy_socket *s, struct hy_bytes to, void *data, size_t size)
{
	zmq_msg_t msg;
	if (zmq_msg_init_data(&msg, data, size, free_sent, NULL) < 0) {
		free(data);
		return HY_NO_MEMORY;
	}
	return send_message(s, to, &msg);
}

/* ---- receiving ---------------------------------------------------------------------------------------------------- */

static int receive_error(void)
{
	return errno == EAGAIN || errno == EINTR ? HY_NOT_FOUND : HY_IO;
}

/* One message of the expected shape: [peer] payload for a door, payload for a caller. Others are swallowed whole, *fits
 * is false then. */
static int receive(struct hy_socket *s, uint8_t *peer, size_t *peer_size, zmq_msg_t *payload, bool *fits)
{
	int parts = 0, wanted = s->kind == HY_DOOR ? 2 : 1;
	bool more;
	*peer_size = 0;
	do {
		if (zmq_msg_recv(payload, s->zmq, ZMQ_DONTWAIT) < 0)
			return receive_error(); /* parts come together: only the first can be missing */
		parts++;
		more = zmq_msg_more(payload);
		if (s->kind == HY_DOOR && parts == 1) {
			*peer_size = zmq_msg_size(payload);
			HY_ASSERT(*peer_size <= PEER_MAX);
			memcpy(peer, zmq_msg_data(payload), *peer_size);
		}
	} while (more);
	*fits = parts == wanted;
	return HY_OK;
}

/* Copied, because hy_socket_keep() takes the message away. */
static void note_user(struct hy_socket *s, zmq_msg_t *msg)
{
	const char *user = s->zap ? zmq_msg_gets(msg, USER_PROPERTY) : NULL;
	if (s->zap)
		snprintf(s->user, sizeof(s->user), "%s", user ? user : "");
}

int hy_socket_serve(
	struct hy_socket *s, void (*call)(void *arg, struct hy_bytes from, struct hy_bytes message), void *arg)
{
	uint8_t peer[PEER_MAX];
	size_t peer_size;
	bool fits = false;
	zmq_msg_t msg;
	zmq_msg_init(&msg);
	int err = receive(s, peer, &peer_size, &msg, &fits);
	if (err == HY_OK && fits) {
		s->served = &msg;
		note_user(s, &msg);
		call(arg, hy_bytes(peer, peer_size), hy_bytes(zmq_msg_data(&msg), zmq_msg_size(&msg)));
		/* `s` may be closed by now: a callback is free to do that. */
	}
	zmq_msg_close(&msg);
	return err;
}

int hy_socket_keep(struct hy_socket *s, struct hy_message **out, struct hy_bytes *view)
{
	HY_ASSERT(s->served);
	size_t size = zmq_msg_size(s->served);
	bool copy = size < KEEP_FROM;
	struct hy_message *m = malloc(sizeof(*m) + (copy ? size : 0));
	*out = NULL;
	if (!m)
		return HY_NO_MEMORY;
	zmq_msg_init(&m->msg);
	if (copy) {
		memcpy(m->copy, zmq_msg_data(s->served), size);
		*view = hy_bytes(m->copy, size);
	} else {
		zmq_msg_move(&m->msg, s->served);
		*view = hy_bytes(zmq_msg_data(&m->msg), size);
	}
	s->served = NULL;
	*out = m;
	return HY_OK;
}

void hy_message_free(struct hy_message **m)
{
	if (!*m)
		return;
	zmq_msg_close(&(*m)->msg);
	free(*m);
	*m = NULL;
}

static int wait_for(struct hy_socket *s, short events, int64_t timeout_ms)
{
	zmq_pollitem_t item = { .socket = s->zmq, .events = events };
	int rc = zmq_poll(&item, 1, (long)timeout_ms);
	if (rc < 0 && errno != EINTR)
		return HY_IO;
	return rc > 0 ? HY_OK : HY_TIMEOUT;
}

int hy_socket_ready(struct hy_socket *s, int64_t timeout_ms)
{
	return wait_for(s, ZMQ_POLLOUT, timeout_ms);
}

int hy_socket_receive(struct hy_socket *s, int64_t timeout_ms, struct hy_bytes *message)
{
	uint8_t peer[PEER_MAX];
	size_t peer_size;
	bool fits = false;
	*message = hy_bytes(NULL, 0);
	int err = wait_for(s, ZMQ_POLLIN, timeout_ms);
	if (err == HY_OK)
		err = receive(s, peer, &peer_size, &s->received, &fits);
	if (err != HY_OK)
		return err == HY_NOT_FOUND ? HY_TIMEOUT : err;
	if (!fits)
		return HY_BAD_INPUT;
	*message = hy_bytes(zmq_msg_data(&s->received), zmq_msg_size(&s->received));
	return HY_OK;
}
