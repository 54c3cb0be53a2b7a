/* The collector hears: it checks what comes in, keeps it, and answers when it is kept. It also shows customers where their
 * feedback is, from what comes back on `ticket` and `delivery`.
 *   intake    an Item, however it came, to a Feedback, with a pointer to each fault (intake_json: from JSON)
 *   accept    the job that gives it an id and keeps it, once however often it is sent
 *   dedupe    which ids came within the window
 *   view      where each feedback is in the loop
 *   keep      how long all that stays
 *   page      the follow-up page: what was done, did this help?
 *   reception who asks, how fast, and the answers that all HTTP routes share (strangers: wrong keys)
 *   batch     feedback as lines, kept while it comes (ndjson: pieces to lines)
 *   answer    what became of each item
 *   check     what would become of items, for `huiyin import --dry-run`: nothing is kept
 *   manual    the API's own description, and what each problem means
 *   routes    HTTP in front of all of it; metrics for Prometheus
 *   mapping   which events of other systems are feedback (mapped: an Item made of one), for clients that exist already:
 *             segment, sentry (sentry_envelope: taken apart), cloudevents
 *   door      ZeroMQ in front of all of it, for apps that stream (submit, queues, clients) */
#ifndef COLLECTOR_H
#define COLLECTOR_H

#include "base/seal.h"
#include "http/http.h"
#include "service/service.h"
#include "template/template.h"

struct dedupe;
struct door;
struct manual;
struct mapping;
struct page;
struct strangers;

struct collector {
	struct hy_daemon *daemon;
	struct hy_secret contact_key, follow_up_key;
	struct dedupe *dedupe;       /* writer thread */
	struct page *page;           /* server thread */
	struct hy_http *http;        /* server thread */
	struct door *door;           /* server thread */
	struct hy_json_reader *json; /* server thread */
	struct strangers *strangers; /* server thread */
	struct manual *manual;       /* server thread */
	struct mapping *mapping;     /* read once; any thread */
	int64_t batch_room;          /* server thread: bytes that batches and envelopes may still hold */
	struct hy_loop *server;
};

extern const struct hy_service collector_service;

#endif
