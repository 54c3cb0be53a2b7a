/* CloudEvents 1.0 over HTTP: POST /events (and /v1/events), in all three modes.
 *   binary       the attributes in ce- headers, the data in the body
 *   structured   application/cloudevents+json
 *   batch        application/cloudevents-batch+json
 * The type chooses the row of the mapping; data of an event without a row is a feedback when it has the shape of POST /v1/feedback, or words or a score in the
 * usual places. The same source and id are kept once. 202 comes after the commit, with the same body as /v1/feedback. The key comes in the
 * Authorization header, or as access_token in the query (CloudEvents' web hooks). Server thread. */
#ifndef COLLECTOR_CLOUDEVENTS_H
#define COLLECTOR_CLOUDEVENTS_H

#include "collector/intake.h"
#include "mapping.h"

void cloudevents_post(struct hy_request *q, void *arg);
void cloudevents_head(struct hy_request *q, void *arg);

/* The attributes that we look at; "" = absent. */
struct cloudevent {
	const char *specversion, *id, *source, *type, *time, *subject;
	const struct hy_json *data; /* NULL = none */
	const struct hy_json
		*at; /* the event itself, for pointers; NULL in binary mode: its attributes stand in headers */
};

/* From an object of structured or batch mode; false with a fault in *out. Pure. */
bool cloudevent_read(const struct hy_json *object, struct cloudevent *e, struct item *out);
/* The value of a ce- header: percent-decoded into `out`; false when it is no UTF-8 or has no room. Pure. */
bool cloudevent_header(const char *value, char *out, size_t room);
/* As an item. Pure. */
void cloudevent_item(
	const struct intake *in, const struct map_door *door, const struct cloudevent *e, struct item *out);

#define CLOUDEVENTS_ROUTES                                                                                             \
	{ "POST", "/events", 0, cloudevents_post, cloudevents_head, NULL, true, true },                                \
	{                                                                                                              \
		"POST", "/v1/events", 0, cloudevents_post, cloudevents_head, NULL, true, true                          \
	}

#endif
