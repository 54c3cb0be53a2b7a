/* Where each feedback is in the loop, from what comes back: `ticket` brings classification, decision and the life of tickets,
 * `delivery` what each person was told. */
#ifndef COLLECTOR_VIEW_H
#define COLLECTOR_VIEW_H

#include "collector.h"
#include "collector_rows.pb-c.h"

/* Handlers of the return inputs. */
int collector_on_ticket(struct hy_step *s, void *self);
int collector_on_delivery(struct hy_step *s, void *self);

/* GET /v1/feedback/ID and `huiyin trace`: the whole way with its times, or NULL when it is not `project`'s (0 = any). The caller owns the reference. */
json_t *view_json(struct hy_txn *t, struct hy_arena *a, struct hy_id feedback, uint32_t project);

/* What is publicly known of the ticket, or of the one it was merged into (*ticket is then that one's id). HY_NOT_FOUND. */
int view_public(struct hy_txn *t, struct hy_arena *a, struct hy_id *ticket, Huiyin__Collector__Public **out);

/* Which ticket a feedback of this key and person went to; zero when it has none yet. HY_NOT_FOUND when it is not theirs. */
int view_find(struct hy_txn *t, struct hy_arena *a, struct hy_id feedback, uint32_t key_number, const uint8_t *person, struct hy_id *ticket);

/* Her last answer on that round of the ticket; HY_NOT_FOUND. */
int view_answer(struct hy_txn *t, struct hy_arena *a, const struct hy_token *token, Huiyin__Collector__Answered **out);
int view_note_answer(struct hy_txn *t, struct hy_id ticket, uint32_t round, const uint8_t *person, bool helped, int64_t now_ms);

const char *view_state_name(uint32_t state); /* "in_progress" */

#endif
