/* Sentry's user feedback, so that its SDKs and their feedback dialog work with a DSN of ours: https://KEY@HOST/PROJECT, where PROJECT is the number of the key's project.
 *   POST /api/PROJECT/envelope/    what SDKs send; only feedback (and the old user_report) is kept, the rest is answered and passes by
 * The key comes in the query (sentry_key), in X-Sentry-Auth, or in the envelope's own DSN. 200 {"id"} comes after the commit. Server thread. */
#ifndef COLLECTOR_SENTRY_H
#define COLLECTOR_SENTRY_H

#include "collector/intake.h"
#include "mapping.h"
#include "sentry_envelope.h"

#define SENTRY_BODY_MAX ((size_t)20 << 20) /* it is not gathered: screenshots pass by */

void sentry_head(struct hy_request *q, void *arg);
void sentry_post(struct hy_request *q, void *arg);
void sentry_dropped(struct hy_request *q, void *arg);

/* What is held at `index` as an Item. `root` is its payload. Pure. */
void sentry_item(const struct intake *in, const struct map_door *door, const struct sentry_envelope *e, size_t index,
	const struct hy_json *root, struct item *out);

#define SENTRY_ROUTES                                                                                                  \
	{ "POST", "/api/{project}/envelope/", SENTRY_BODY_MAX, sentry_post, sentry_head, sentry_dropped, true, true }, \
	{                                                                                                              \
		"POST", "/api/{project}/envelope", SENTRY_BODY_MAX, sentry_post, sentry_head, sentry_dropped, true,    \
			true                                                                                           \
	}

#endif
