/* A Sentry envelope, taken apart as it arrives: a header line, then items, each a line of JSON that tells its type and perhaps its length, and its payload.
 *     {"event_id":"9ec7...","sent_at":"2026-01-31T08:00:00Z"}
 *     {"type":"feedback","length":512}
 *     ...
 * Only what somebody said is held, feedback and user_report; attachments (screenshots are large), errors, sessions and unknown types pass by. Lines end with LF or
 * CRLF; the last item may do without. Pure; any piece size gives the same. */
#ifndef COLLECTOR_SENTRY_ENVELOPE_H
#define COLLECTOR_SENTRY_ENVELOPE_H

#include "json/json.h"

#define SENTRY_ITEMS 20 /* held of one envelope; more are a fault */
#define SENTRY_LINE_MAX ((size_t)16 << 10) /* a header */
#define SENTRY_HELD_MAX ((size_t)256 << 10) /* of all that is held together */

enum sentry_type { SENTRY_OTHER, SENTRY_FEEDBACK, SENTRY_REPORT };

struct sentry_item {
	enum sentry_type type;
	struct hy_buffer payload; /* JSON, not yet looked at */
};

struct sentry_envelope {
	bool begun; /* its header has come: */
	char event_id[65], key[65]; /* "" when not told; the key is the DSN's */
	int64_t sent_ms; /* 0 = not told */
	struct sentry_item items[SENTRY_ITEMS];
	size_t count;
	size_t held; /* bytes of their payloads */
	/* its own */
	struct hy_json_reader *json;
	enum { SENTRY_HEADER, SENTRY_ITEM_HEADER, SENTRY_BYTES, SENTRY_BEHIND, SENTRY_REST, SENTRY_BROKEN } state;
	enum sentry_type type; /* of the item at hand */
	uint64_t left; /* bytes of its payload */
	struct hy_buffer line;
};

/* `json` is used during put and end, and is the caller's. */
void sentry_envelope_init(struct sentry_envelope *e, struct hy_json_reader *json);
/* HY_BAD_INPUT, HY_TOO_LARGE, HY_NO_MEMORY with the reason; then it takes no more. */
int sentry_envelope_put(struct sentry_envelope *e, struct hy_bytes piece, struct hy_fault *f);
/* Everything has come. */
int sentry_envelope_end(struct sentry_envelope *e, struct hy_fault *f);
void sentry_envelope_free(struct sentry_envelope *e);

#endif
