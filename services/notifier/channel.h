/* A channel carries one notice to one person: a file, an e-mail, later a webhook, a chat robot. The outbox (outbox.h) owns
 * the states and the transfers; a channel only moves bytes, between steps, and never waits inside a call.
 *
 *     begin()   does everything up to the dot, the point after which the other side may have the notice, then sets
 *               AT_DOT. A channel that fails before sets DONE with a result: provably undelivered.
 *     (the outbox commits the DOT of all transfers that wait there, in one transaction)
 *     finish()  lets the last byte go. When the answer is there the channel sets DONE with its result.
 *     drive()   makes progress on all of them; asked between steps, and again after the ms it returns.
 *
 * A channel that talks to a network does so in the turns of the writer's loop, sets AT_DOT and DONE there, and calls hy_daemon_work_soon(). All
 * calls come from the writer thread. */
#ifndef HY_NOTIFIER_CHANNEL_H
#define HY_NOTIFIER_CHANNEL_H

#include "base/err.h"
#include "base/id.h"
#include "conf/conf.h"
#include "json/json.h"

#define NOTIFIER_REASON_SIZE 200

enum notifier_transfer_state {
	TRANSFER_FREE,
	TRANSFER_BEGUN, /* the channel works towards the dot */
	TRANSFER_AT_DOT, /* set by the channel: waits for the commit */
	TRANSFER_MARKING, /* its DOT is being committed */
	TRANSFER_PASSED, /* the channel may complete it */
	TRANSFER_DONE, /* set by the channel, with `result` */
	TRANSFER_SETTLING /* its outcome is being committed */
};

enum notifier_result {
	RESULT_SENT, /* the other side has it */
	RESULT_LATER, /* not now: greylisted, full, unreachable */
	RESULT_NEVER, /* the other side refuses for good */
	RESULT_BOUNCED, /* there is no such mailbox */
	RESULT_UNKNOWN, /* the connection broke between the dot and the answer */
	RESULT_HOLD, /* a person must look: a template does not render, a second unknown */
	RESULT_DECIDED /* no transfer: `outcome` was found before the channel was asked */
};

struct notifier_transfer {
	struct hy_id notice;
	enum notifier_transfer_state state;
	enum notifier_result result;
	int outcome; /* RESULT_DECIDED */
	char reason[NOTIFIER_REASON_SIZE];
	char to[256]; /* the address, checked */
	struct hy_buffer message; /* what is to be carried; the outbox's memory */
	bool gone; /* the notice was withdrawn while on its way */
	bool ours; /* with RESULT_LATER: it is us that are refused or find nobody there. No notice is given up for that */
	bool passed; /* its DOT is committed: it counts as a copy unless the other side answers that it has none */
	void *own; /* the channel's */
};

struct notifier;

struct notifier_channel {
	const char *name;
	/* Sending again replaces what is there, so a DOT without an answer is simply sent again. */
	bool repeats_harmless;
	bool reaches_mail; /* needs an e-mail address */
	int (*open)(void **self, const char *dir, struct notifier *n, struct hy_fault *f); /* `dir`: the installation */
	void (*close)(void **self);
	void (*begin)(void *self, struct notifier_transfer *t);
	void (*finish)(void *self, struct notifier_transfer *t);
	int64_t (*drive)(void *self);
	void (*cancel)(
		void *self, struct notifier_transfer *t); /* the dot could not be committed: let go, nothing was sent */
	/* The person was erased: whatever is still kept of this notice goes. */
	void (*forget)(void *self, struct hy_id notice);

	/* What a channel may leave out. */
	/* It says itself when it has got on; otherwise drive() is asked again and again while something is to be completed. */
	bool wakes;
	/* Its settings, before anything is opened: HY_CONFIG. */
	int (*check)(const struct hy_conf *c, struct hy_fault *f);
	/* How many transfers it would begin now: the others stay in the queue, where nothing of theirs grows old. */
	size_t (*room)(void *self);
	/* When `to` may be tried, by the wall clock: a notice that waits for this has not been tried. */
	int64_t (*not_before)(void *self, const char *to, int64_t now_ms);
	void (*health)(void *self, json_t *into);
};

void notifier_transfer_done(struct notifier_transfer *t, enum notifier_result result, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

extern const struct notifier_channel notifier_channel_file, notifier_channel_smtp;

/* By its name in huiyin.yaml (notify.channel); NULL when there is none such. */
const struct notifier_channel *notifier_channel_named(const char *name);

#endif
