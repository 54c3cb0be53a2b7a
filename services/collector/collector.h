/* The collector hears: it checks what comes in, keeps it, and answers when it is kept. It also shows customers where their
 * feedback is, from what comes back on `ticket` and `delivery`.
 *   intake    an Item, however it came, to a Feedback, with a pointer to each fault (intake_json: from JSON)
 *   accept    the job that gives it an id and keeps it, once however often it is sent
 *   dedupe    which ids came within the window
 *   view      where each feedback is in the loop; keep: how long all that stays
 *   check     what would become of items, for `huiyin import --dry-run`: nothing is kept
 * The doors in front of it:
 *   web/      HTTP. routes, reception (who asks, how fast, the answers that all routes share; strangers: wrong keys), batch (feedback as
 *             lines, kept while it comes; ndjson: pieces to lines), answer (what became of each item), page (the follow-up page), manual
 *             (the API's own description, what each problem means), metrics
 *   compat/   clients that exist already: segment, sentry (sentry_envelope: taken apart), cloudevents; mapping says which of their
 *             events are feedback, mapped makes an Item of one
 *   door/     ZeroMQ, for apps that stream: door, submit (one taken apart), clients (who, and how much each may send), queues (how far each is kept) */
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
