/* Where HTTP requests are received: who asks and how fast, what the body says, handing it in, and the answers that all routes share.
 * Every function that returns NULL or false has answered the request, but for those that ask a plain question (reception_is(), reception_guesses(),
 * reception_in_chinese()). Server thread. */
#ifndef COLLECTOR_RECEPTION_H
#define COLLECTOR_RECEPTION_H

#include "collector/accept.h"
#include "service/keys.h"

/* The key of the request's Authorization header that may send feedback; 401 or 403 otherwise, and 429 for an address that is wrong too often. */
struct hy_api_key *reception_key(struct collector *c, struct hy_request *q);
/* The same for a key that stands elsewhere: in the query, in the body. */
struct hy_api_key *reception_key_text(struct collector *c, struct hy_request *q, struct hy_bytes text);
/* A key that nobody has was named: true, and 429, when its address has named too many. Both above ask. */
bool reception_guesses(struct collector *c, struct hy_request *q);
/* Takes `items` from the key's bucket and tells where it stands (RateLimit, RateLimit-Policy); 429 with Retry-After when they don't fit. */
bool reception_rate(struct hy_request *q, struct hy_api_key *key, size_t items);
/* Tells where the bucket stands, nothing more; `wait_ms` > 0: it is empty for so long. */
void reception_tell_rate(struct hy_request *q, const struct hy_api_key *key, int64_t wait_ms);
/* Whether the body is of one of these media types (NULL-terminated), or of none that is named; 415 with Accept-Post. */
bool reception_takes(struct hy_request *q, const char *const *types);
bool reception_is(const struct hy_request *q, const char *type);
/* head() of a route that takes application/json under a key in the Authorization header: all that can be refused is, before the body is read; the rate, too,
 * when the bucket is empty. */
void reception_head(struct hy_request *q, void *collector);
struct hy_api_key *reception_admit(struct collector *c, struct hy_request *q, const char *const *types);

/* The body as JSON, by the collector's reader: until the next document. 400. */
const struct hy_json *reception_json(struct collector *c, struct hy_request *q);
/* The same under a key. A body that can't be read costs a token, and with an empty bucket none is looked at (429): else nothing would bound how
 * many of them are tried. */
const struct hy_json *reception_json_under(struct collector *c, struct hy_request *q, struct hy_api_key *key);

/* A submission of `count` items under that key, to be filled by intake_*(); 503. */
struct submission *reception_begin(
	struct collector *c, struct hy_request *q, const struct hy_api_key *key, size_t count);
/* What an intake needs to fill it. `finder` is the caller's room; it must live as long as the intake. */
struct reception_finder {
	struct collector *collector;
	uint32_t key_number;
};
struct intake reception_intake(const struct submission *s, struct reception_finder *finder);
/* The one item's id may stand in the header Idempotency-Key instead; the object's own goes first. 400. The submission is given up then. */
bool reception_idempotency(struct submission **s);
/* Hands it to the writer; s->answer comes after the commit, or at once when no item is ok. Takes the submission over. */
void reception_finish(struct submission *s);

/* The reader's language: the link's (?l=zh), which a notice chose for her; without it the browser's. */
bool reception_in_chinese(const struct hy_request *q);

/* Answers. */
void reception_retry_after(struct hy_request *q, int64_t ms); /* the header alone */
void reception_later(
	struct hy_request *q, int status, const char *name, const char *detail, int64_t wait_ms); /* with it */
void reception_busy(struct hy_request *q, int err); /* 503 + Retry-After: HY_FULL or anything that passes */
void reception_reply(struct hy_request *q, int status, json_t *j); /* takes the reference */
void reception_problem(struct hy_request *q, int status, const char *name, const char *detail,
	json_t *errors); /* errors stay the caller's */

#endif
