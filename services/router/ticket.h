/* A ticket: one issue, the people who raised it, and the department that acts. It resolves in rounds; each person
 * is told once per round and has her own answer.
 *
 *     new -> assigned -> in_progress <-> waiting -> resolved -> confirmed | closed
 *     reopened (round + 1), declined, duplicate
 *
 * What each verb does in each state, and the words of a refusal, is one table in ticket.c: ticket_move() is the
 * only way that a state changes. Rows live in "ticket" under the ticket's id; themes.h leads from an issue to its
 * newest ticket, "number" from (project, n) to T-n, "due" holds due times and the ends of waits, "finished" what
 * has ended, by time. */
#ifndef ROUTER_TICKET_H
#define ROUTER_TICKET_H

#include "json/json.h"
#include "router/rows.h"
#include "router/rules.h"
#include "router/themes.h"
#include "service/service.h"

#define TICKET_SUBJECT_POINTS 80

struct ticket {
	struct hy_id id;
	Huiyin__Router__Ticket *row; /* in the arena it was read into; change it, then ticket_put() */
};

/* ---- states ---- */

enum ticket_verb {
	TICKET_ASSIGN,
	TICKET_START,
	TICKET_WAIT,
	TICKET_RESOLVE,
	TICKET_DECLINE,
	TICKET_REOPEN, /* by staff: everybody is lifted into the next round */
	TICKET_MERGE,
	TICKET_JOIN, /* somebody raised it too */
	TICKET_NO, /* a person said that it did not help */
	TICKET_CONFIRM, /* everybody told said yes, or some did when the wait ended */
	TICKET_CLOSE, /* silence until the wait ended */
	TICKET_VERBS,
};
extern const char *const ticket_verb_names[]; /* by enum ticket_verb */
extern const char *const ticket_state_names[]; /* by Huiyin__TicketState, NULL-terminated */
/* A declined ticket whose wait is over: no longer in the file's enum, a place of its own in the table. */
enum { TICKET_DECLINED_FINAL = HUIYIN__TICKET_STATE__DUPLICATE + 1, TICKET_PLACES };

/* Where `verb` leads from `place` (a state, or TICKET_DECLINED_FINAL), or 0 with the words of the refusal. */
int ticket_leads(int place, enum ticket_verb verb, const char **refusal);
int ticket_place(const struct ticket *k);
/* Changes the row's state, time, actor and what hangs on the state: resolve and decline begin to wait for the
 * told, a reopening begins the next round, an end is noted in "finished". HY_BAD_STATE with *refusal (may be
 * NULL): nothing changed. The caller puts the row. */
int ticket_move(struct hy_step *s, struct ticket *k, enum ticket_verb verb, const char *actor, const char **refusal);
bool ticket_can(const struct ticket *k, enum ticket_verb verb);
bool ticket_finished(const struct ticket *k);

/* ---- rows ---- */

int ticket_get(struct hy_txn *t, struct hy_arena *a, struct hy_id id, struct ticket *out); /* HY_NOT_FOUND */
/* The ticket that stands for it after merges. */
int ticket_get_final(struct hy_txn *t, struct hy_arena *a, struct hy_id id, struct ticket *out);
int ticket_put(struct hy_txn *t, const struct ticket *k);
/* The newest ticket of an issue, after merges. HY_NOT_FOUND. */
int ticket_of_theme(struct hy_txn *t, struct hy_arena *a, struct themes *themes, uint32_t project,
	struct hy_bytes theme, struct ticket *out);
int ticket_of_number(struct hy_txn *t, uint32_t project, uint64_t number, struct hy_id *out);

/* Takes its row away, and the ways that lead to it. Links and comments are the caller's. */
void ticket_forget(struct hy_txn *t, const struct ticket *k);

/* Makes the row of a new ticket from the feedback that opens it: id, number, labels, due time. The caller adds the
 * person and puts it. */
int ticket_open(
	struct hy_step *s, const struct department *d, const char *urgency, struct hy_id follows, struct ticket *out);
/* A due time from now, by department and urgency; its row in "due". */
void ticket_set_due(struct hy_step *s, struct ticket *k, const struct department *d);
/* Everybody of the round has been told: the wait begins. The step's delivery, where it has one, is what began it. */
void ticket_begin_wait(struct hy_step *s, struct ticket *k);

/* ---- events ---- */

/* An event's parts that are not the ticket's own. Zeroed is none. */
struct ticket_news {
	Huiyin__TicketEventKind kind;
	struct hy_id cause; /* of the feedback, delivery or command */
	const char *actor; /* NULL = by itself */
	struct hy_bytes person;
	struct hy_bytes feedback; /* moved: what an anonymous person is known by */
	struct hy_id other;
	Huiyin__Correction *correction;
	bool with_feedback; /* joined: carries the step's feedback and classification */
};
/* The ticket as it is after the change, as a record of its own; the id derives from cause, round, person and kind. */
int ticket_emit(struct hy_step *s, const struct ticket *k, const struct ticket_news *news);

/* For `huiyin ticket show` and list. The caller owns the reference. */
json_t *ticket_json(const struct hy_daemon *d, const struct ticket *k);

#endif
