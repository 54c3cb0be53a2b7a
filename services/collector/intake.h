/* What somebody said becomes a Feedback: every field checked, each fault named by its pointer. However it came, as JSON, over ZeroMQ or in
 * another system's words, it is first made an Item (proto/intake.proto); intake_item() is the one that checks. Pure; server thread. */
#ifndef COLLECTOR_INTAKE_H
#define COLLECTOR_INTAKE_H

#include "collector.h"

#define INTAKE_TEXT_MAX 10000 /* code points */

/* Why something was not kept that may be sent again. */
enum intake_later { LATER_NOT, LATER_FULL, LATER_BUSY, LATER_RATE };

/* What came of one item. */
struct item {
	bool ok;
	struct hy_bytes feedback; /* encoded Feedback, in the arena */
	uint8_t person[HY_PERSON_SIZE];
	bool has_person;
	bool has_client_id;
	struct hy_bytes client_id; /* in the arena */
	struct hy_bytes said; /* what idempotency compares: encoded before sealing; in the arena */
	bool answers; /* it says whether a follow-up helped: of which ticket and round */
	bool helped;
	uint32_t round;
	struct hy_id ticket;
	json_t *errors; /* [{"pointer","detail"}] when not ok; the caller gives the reference back */
	uint64_t line; /* of a body of lines, from 1; else 0. The caller's */
	bool rest; /* it stands for all lines from this one on. The caller's */
	enum intake_later later; /* not ok, and not at fault: why it was not even looked at. The caller's */
};

/* One more fault of the item, at most 20. */
void intake_fault(struct item *out, const char *pointer, const char *detail);

struct intake {
	const struct hy_secret *contact_key, *follow_up_key;
	uint32_t project, key_number;
	int64_t now_ms;
	struct hy_arena *arena;
	/* Finds what `in_reply_to` an ID speaks of: HY_OK with the ticket (zero when it has none yet), or HY_NOT_FOUND when it is not this key's and person's. */
	int (*find)(void *arg, struct hy_id feedback, const uint8_t *person, struct hy_id *ticket);
	void *arg;
	const char *channel; /* of items that name none; NULL = "api" */
};

/* What every door makes of what it hears. Strings are looked at until the function returns. */
void intake_item(const struct intake *in, const Huiyin__Item *said, struct item *out);
/* Who somebody is. `customer.id` is the user's, else the anonymous id; `message_id` may be "". */
void intake_profile(const struct intake *in, const Huiyin__Who *who, const char *user_id, const char *anonymous_id,
	const char *message_id, struct item *out);

/* What somebody wants to hear, how and when. */
void intake_choices(const struct intake *in, const Huiyin__Who *who, const Huiyin__Preferences *wanted, const char *id,
	struct item *out);

/* JSON as it came, from intake_json.c. POST /v1/feedback: one object. */
void intake_feedback(const struct intake *in, const struct hy_json *object, struct item *out);
/* POST /v1/identify: Segment's call. */
void intake_identify(const struct intake *in, const struct hy_json *object, struct item *out);
/* Whether an object from elsewhere has the shape of ours: no member that we don't know, and parts where parts belong. */
bool intake_fits(const struct hy_json *object);
/* A scalar as it is, anything nested as JSON: context and traits keep what they were given. In the document, or in the arena. */
char *intake_value_text(const struct intake *in, const struct hy_json *v);
/* POST /v1/preferences. */
void intake_preferences(const struct intake *in, const struct hy_json *object, struct item *out);
/* The follow-up page's form. `helped` -1 = not said. */
void intake_answer(const struct intake *in, const struct hy_token *token, int helped, const char *comment,
	const char *nonce, struct item *out);

#endif
