/* The notifier: everybody who raised something is told what became of it, once.
 *
 *     on_ticket (notifier.c)  keeps contacts (people.h) and links, and asks for notices
 *     fanout.h                an event for a whole round, walked in chunks
 *     decide.h                who is reached, when, and whether at all
 *     outbox.h                what is owed: states, queue, ledger, and the way through a channel (channel.h)
 *     mail.h, templates.h     the words and their envelope
 *     breaker.h, verp.h       when a mail server is left alone; where bounces lead
 *     commands.h, sweep.h     questions from staff; rows that have grown old
 *
 * Each notice ends in exactly one final Delivery on the stream `delivery`, whatever happens in between. */
#ifndef HY_NOTIFIER_H
#define HY_NOTIFIER_H

#include "channel.h"
#include "mail.h"
#include "rows.h"
#include "templates.h"

#include "base/seal.h"
#include "service/service.h"

extern const struct hy_service notifier_service;

struct notifier_outbox;

struct notifier {
	struct hy_daemon *daemon;
	struct hy_secret contact_key, follow_up_key;
	const char *public_url; /* without a slash at its end; the configuration's memory */
	size_t public_url_size;
	struct notifier_sender from;
	bool receipts;
	bool hold_unknown;
	int64_t keep_ms;
	struct notifier_templates *templates;
	const struct notifier_channel *channel;
	void *channel_self;
	struct notifier_outbox *outbox;
	struct hy_arena *scratch; /* of one link of a walk: a step's own would have to hold a thousand */
	int64_t walk_ms; /* the step in which `walk_left` counts */
	size_t walk_left; /* links that its walks may still visit */
};

#endif
