#include "loop/zap.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <zmq.h>

#define ENDPOINT "inproc://zeromq.zap.01"

struct zap_door {
	struct zap_door *next;
	char domain[32];
	bool (*admit)(void *arg, const char *public_key, char *user, size_t room);
	void *arg;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of what follows; held while a door's admit() runs */
static struct zap_door *doors;
static uint64_t domains; /* given out: a late question about a closed door never meets another one */
static bool running;
static pthread_t thread;

/* ---- one question ---- */

/* The request's frames in order; longer ones than these are no request of ZeroMQ's. */
enum { VERSION, REQUEST, DOMAIN, ADDRESS, ROUTING, MECHANISM, CREDENTIALS, FRAMES };
struct frame {
	uint8_t data[256];
	size_t size;
};

/* HY_OK, HY_BAD_INPUT for a request of another shape (swallowed), HY_IO at the end. */
static int receive(void *zmq, struct frame frames[static FRAMES])
{
	int count = 0, more = 1, err = HY_OK;
	size_t size = sizeof(more);
	while (more) {
		struct frame spare, *f = count < FRAMES ? &frames[count] : &spare;
		int got = zmq_recv(zmq, f->data, sizeof(f->data), 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return HY_IO;
		if (count++ >= FRAMES || got > (int)sizeof(f->data))
			err = HY_BAD_INPUT;
		f->size = err ? 0 : (size_t)got;
		if (zmq_getsockopt(zmq, ZMQ_RCVMORE, &more, &size) < 0)
			return HY_IO;
	}
	return count == FRAMES ? err : HY_BAD_INPUT;
}

static bool is(const struct frame *f, const char *text)
{
	return hy_bytes_equal(hy_bytes(f->data, f->size), hy_bytes_text(text));
}

static bool admits(const struct frame frames[static FRAMES], char user[static ZAP_USER])
{
	char public_key[HY_CURVE_TEXT];
	const struct frame *key = &frames[CREDENTIALS];
	bool yes = false;
	if (!is(&frames[VERSION], "1.0") || !is(&frames[MECHANISM], "CURVE") || key->size != 32 ||
		!zmq_z85_encode(public_key, key->data, key->size))
		return false;
	pthread_mutex_lock(&lock);
	for (struct zap_door *d = doors; d; d = d->next)
		if (is(&frames[DOMAIN], d->domain)) {
			yes = d->admit(d->arg, public_key, user, ZAP_USER);
			break;
		}
	pthread_mutex_unlock(&lock);
	return yes;
}

static void answer(void *zmq, const struct frame *request, bool yes, const char *user)
{
	const struct hy_bytes frames[] = {
		HY_LIT("1.0"), hy_bytes(request->data, request->size), yes ? HY_LIT("200") : HY_LIT("400"),
		yes ? HY_LIT("OK") : HY_LIT("not admitted"), hy_bytes_text(yes ? user : ""),
		HY_LIT(""), /* no metadata of our own */
	};
	const size_t count = sizeof(frames) / sizeof(frames[0]);
	for (size_t i = 0; i < count; i++)
		if (zmq_send(zmq, frames[i].data, frames[i].size, i + 1 < count ? ZMQ_SNDMORE : 0) < 0)
			return; /* the context ends: receive() sees it, too */
}

static void *handle(void *zmq)
{
	struct frame frames[FRAMES];
	for (;;) {
		char user[ZAP_USER] = "";
		int err = receive(zmq, frames);
		if (err == HY_IO)
			break;
		bool yes = err == HY_OK && admits(frames, user);
		answer(zmq, &frames[REQUEST], yes, user);
	}
	zmq_close(zmq);
	return NULL;
}

/* ---- the thread ---- */

/* Signals are for the threads that wait for them. */
static int begin_thread(void *zmq)
{
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int rc = pthread_create(&thread, NULL, handle, zmq);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return rc;
}

static int start(void *context, struct hy_fault *f)
{
	void *zmq = zmq_socket(context, ZMQ_REP);
	int zero = 0;
	if (!zmq || zmq_setsockopt(zmq, ZMQ_LINGER, &zero, sizeof(zero)) < 0 || zmq_bind(zmq, ENDPOINT) < 0) {
		int why = errno;
		if (zmq)
			zmq_close(zmq);
		return hy_fail(f, HY_IO, "no door with CURVE: its handler can't be set up: %s", zmq_strerror(why));
	}
	int rc = begin_thread(zmq);
	if (rc != 0) {
		zmq_close(zmq);
		return hy_fail(
			f, hy_err_from_errno(rc), "no door with CURVE: no thread for its handler: %s", strerror(rc));
	}
	running = true;
	return HY_OK;
}

void zap_end(void)
{
	pthread_mutex_lock(&lock);
	bool join = running;
	running = false;
	HY_ASSERT(!doors);
	pthread_mutex_unlock(&lock);
	if (join)
		pthread_join(thread, NULL);
}

/* ---- doors ---- */

int zap_enter(struct zap_door **out, void *context, const struct hy_socket_options *o, struct hy_fault *f)
{
	HY_ASSERT(o->admit);
	struct zap_door *d = calloc(1, sizeof(*d));
	*out = NULL;
	if (!d)
		return hy_fail(f, HY_NO_MEMORY, "no memory for a door");
	d->admit = o->admit;
	d->arg = o->admit_arg;
	pthread_mutex_lock(&lock);
	int err = running ? HY_OK : start(context, f);
	if (err == HY_OK) {
		snprintf(d->domain, sizeof(d->domain), "door-%llu", (unsigned long long)++domains);
		d->next = doors;
		doors = d;
		*out = d;
	}
	pthread_mutex_unlock(&lock);
	if (err)
		free(d);
	return err;
}

const char *zap_domain(const struct zap_door *d)
{
	return d->domain;
}

void zap_leave(struct zap_door **d)
{
	if (!*d)
		return;
	pthread_mutex_lock(&lock);
	struct zap_door **at = &doors;
	while (*at != *d)
		at = &(*at)->next;
	*at = (*d)->next;
	pthread_mutex_unlock(&lock);
	free(*d);
	*d = NULL;
}
