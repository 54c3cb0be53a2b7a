/* Segment's HTTP tracking API, so that its clients for servers, browsers and phones work with a host and a key of ours and no other change.
 *   POST /v1/track ... /v1/batch   a call, or up to 500 KB of calls; the short forms of browsers (/v1/t) and phones (/v1/b, /b) too
 *   GET /projects/KEY/settings     what a phone asks for first
 * `track` of an event that the mapping knows becomes a feedback, `identify` tells who somebody is; page, screen, group, alias and other events are
 * answered and not kept. 200 comes after the commit. A full or busy collector says 503, a fast key 429: both are sent again by the clients, a 400 never is.
 * Server thread. */
#ifndef COLLECTOR_SEGMENT_H
#define COLLECTOR_SEGMENT_H

#include "collector/intake.h"
#include "mapping.h"

#define SEGMENT_CALL_MAX ((size_t)32 * 1024)
#define SEGMENT_BATCH_MAX ((size_t)500 * 1024)
#define SEGMENT_BODY_MAX ((size_t)512 * 1024)

/* Refuses a stranger before the body, where the key comes before it. */
void segment_head(struct hy_request *q, void *arg);
void segment_post(struct hy_request *q, void *arg);
void segment_settings(struct hy_request *q, void *arg);

/* What a call is to us. */
enum segment_use { SEGMENT_NOTHING, SEGMENT_IDENTIFY, SEGMENT_FEEDBACK, SEGMENT_FAULT };
/* `type` is the path's, NULL for a call of a batch, which says so itself. *row is the mapping's for a feedback (may be NULL). Pure. */
enum segment_use segment_use(
	const struct map_door *door, const struct hy_json *call, const char *type, const struct map_row **row);
/* The call as an item; `sent_ms`: the sender's clock at sending, 0 = not told. False: there is nothing in it to keep, *out is empty. Pure. */
bool segment_item(const struct intake *in, const struct map_door *door, const struct hy_json *call, const char *type,
	int64_t sent_ms, struct item *out);

/* The routes' rows: all clients' spellings. */
#define SEGMENT_POST(path)                                                                                             \
	{                                                                                                              \
		"POST", path, SEGMENT_BODY_MAX, segment_post, segment_head, NULL, true, true                           \
	}
#define SEGMENT_ROUTES                                                                                                 \
	SEGMENT_POST("/v1/track"), SEGMENT_POST("/v1/identify"), SEGMENT_POST("/v1/page"), SEGMENT_POST("/v1/screen"), \
		SEGMENT_POST("/v1/group"), SEGMENT_POST("/v1/alias"), SEGMENT_POST("/v1/batch"),                       \
		SEGMENT_POST("/v1/t"), SEGMENT_POST("/v1/i"), SEGMENT_POST("/v1/p"), SEGMENT_POST("/v1/s"),            \
		SEGMENT_POST("/v1/g"), SEGMENT_POST("/v1/a"), SEGMENT_POST("/v1/b"), SEGMENT_POST("/b"),               \
		{ "GET", "/projects/{key}/settings", 0, segment_settings, NULL, NULL, false, true },                   \
	{                                                                                                              \
		"GET", "/v1/projects/{key}/settings", 0, segment_settings, NULL, NULL, false, true                     \
	}

#endif
