#include "router/ticket.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/text.h"

#define MERGES_MAX 64 /* a chain of merges longer than this is a bug of ours */

const char *const ticket_verb_names[] = { "assign", "start", "wait", "resolve", "decline", "reopen", "merge", "join",
	"no", "confirm", "close" };
const char *const ticket_state_names[] = { "", "new", "assigned", "in_progress", "waiting", "resolved", "confirmed",
	"closed", "reopened", "declined", "duplicate", NULL };

/* ---- the transition table ---- */

enum {
	NEW = HUIYIN__TICKET_STATE__NEW,
	ASSIGNED = HUIYIN__TICKET_STATE__ASSIGNED,
	PROGRESS = HUIYIN__TICKET_STATE__IN_PROGRESS,
	WAITING = HUIYIN__TICKET_STATE__WAITING,
	RESOLVED = HUIYIN__TICKET_STATE__RESOLVED,
	CONFIRMED = HUIYIN__TICKET_STATE__CONFIRMED,
	CLOSED = HUIYIN__TICKET_STATE__CLOSED,
	REOPENED = HUIYIN__TICKET_STATE__REOPENED,
	DECLINED = HUIYIN__TICKET_STATE__DECLINED,
	DUPLICATE = HUIYIN__TICKET_STATE__DUPLICATE,
	FINAL = TICKET_DECLINED_FINAL,
};

struct cell {
	int to;
	const char *refusal;
};
#define TO(state)                                                                                                      \
	{                                                                                                              \
		state, NULL                                                                                            \
	}
#define NO(words)                                                                                                      \
	{                                                                                                              \
		0, words                                                                                               \
	}

#define IS_OPEN "it is open: nobody has been answered yet"
#define STARTED "it is in progress already"
#define WAITS "it waits already"
#define START_FIRST "only work in progress can wait: start it first"
#define ANSWERED "it has been resolved: reopen it first"
#define REFUSED "it has been declined: reopen it first"
#define OVER "it is finished; new feedback on it opens a ticket that follows it"
#define ELSEWHERE "it is a duplicate: use the ticket that it was merged into"
#define NOT_RESOLVED "it is not resolved"

/* clang-format off */
static const struct cell table[TICKET_PLACES][TICKET_VERBS] = {
/*              assign          start             wait             resolve         decline         reopen          merge            join            no              confirm           close */
[NEW]       = { TO(ASSIGNED),   TO(PROGRESS),     NO(START_FIRST), TO(RESOLVED),   TO(DECLINED),   NO(IS_OPEN),    TO(DUPLICATE),   TO(NEW),        TO(NEW),        NO(NOT_RESOLVED), NO(NOT_RESOLVED) },
[ASSIGNED]  = { TO(ASSIGNED),   TO(PROGRESS),     NO(START_FIRST), TO(RESOLVED),   TO(DECLINED),   NO(IS_OPEN),    TO(DUPLICATE),   TO(ASSIGNED),   TO(ASSIGNED),   NO(NOT_RESOLVED), NO(NOT_RESOLVED) },
[PROGRESS]  = { TO(ASSIGNED),   NO(STARTED),      TO(WAITING),     TO(RESOLVED),   TO(DECLINED),   NO(IS_OPEN),    TO(DUPLICATE),   TO(PROGRESS),   TO(PROGRESS),   NO(NOT_RESOLVED), NO(NOT_RESOLVED) },
[WAITING]   = { TO(ASSIGNED),   TO(PROGRESS),     NO(WAITS),       TO(RESOLVED),   TO(DECLINED),   NO(IS_OPEN),    TO(DUPLICATE),   TO(WAITING),    TO(WAITING),    NO(NOT_RESOLVED), NO(NOT_RESOLVED) },
[RESOLVED]  = { NO(ANSWERED),   NO(ANSWERED),     NO(ANSWERED),    NO(ANSWERED),   NO(ANSWERED),   TO(REOPENED),   NO(ANSWERED),    NO(ANSWERED),   TO(REOPENED),   TO(CONFIRMED),    TO(CLOSED) },
[CONFIRMED] = { NO(OVER),       NO(OVER),         NO(OVER),        NO(OVER),       NO(OVER),       NO(OVER),       NO(OVER),        NO(OVER),       NO(OVER),       NO(OVER),         NO(OVER) },
[CLOSED]    = { NO(OVER),       NO(OVER),         NO(OVER),        NO(OVER),       NO(OVER),       NO(OVER),       NO(OVER),        NO(OVER),       NO(OVER),       NO(OVER),         NO(OVER) },
[REOPENED]  = { TO(ASSIGNED),   TO(PROGRESS),     NO(START_FIRST), TO(RESOLVED),   TO(DECLINED),   NO(IS_OPEN),    TO(DUPLICATE),   TO(REOPENED),   TO(REOPENED),   NO(NOT_RESOLVED), NO(NOT_RESOLVED) },
[DECLINED]  = { NO(REFUSED),    NO(REFUSED),      NO(REFUSED),     NO(REFUSED),    NO(REFUSED),    TO(REOPENED),   NO(REFUSED),     NO(REFUSED),    TO(REOPENED),   NO(NOT_RESOLVED), TO(DECLINED) },
[DUPLICATE] = { NO(ELSEWHERE),  NO(ELSEWHERE),    NO(ELSEWHERE),   NO(ELSEWHERE),  NO(ELSEWHERE),  NO(ELSEWHERE),  NO(ELSEWHERE),   NO(ELSEWHERE),  NO(ELSEWHERE),  NO(ELSEWHERE),    NO(ELSEWHERE) },
[FINAL]     = { NO(OVER),       NO(OVER),         NO(OVER),        NO(OVER),       NO(OVER),       NO(OVER),       NO(OVER),        NO(OVER),       NO(OVER),       NO(OVER),         NO(OVER) },
};
/* clang-format on */

int ticket_place(const struct ticket *k)
{
	return k->row->state == DECLINED && k->row->final ? FINAL : (int)k->row->state;
}

int ticket_leads(int place, enum ticket_verb verb, const char **refusal)
{
	HY_ASSERT(place > 0 && place < TICKET_PLACES);
	if (refusal)
		*refusal = table[place][verb].refusal;
	return table[place][verb].to;
}

bool ticket_can(const struct ticket *k, enum ticket_verb verb)
{
	return ticket_leads(ticket_place(k), verb, NULL) != 0;
}

bool ticket_finished(const struct ticket *k)
{
	return k->row->final;
}

/* What hangs on the state. */
static void arrive(struct hy_step *s, struct ticket *k, enum ticket_verb verb, int from)
{
	Huiyin__Router__Ticket *row = k->row;
	switch (verb) {
	case TICKET_RESOLVE:
	case TICKET_DECLINE:
		row->awaiting = row->round_people;
		row->due_ms = 0;
		row->overdue = false;
		row->last_delivery = HY_TO_PB(hy_bytes(NULL, 0));
		break;
	case TICKET_REOPEN:
	case TICKET_NO:
		if (from != RESOLVED && from != DECLINED)
			return; /* a "no" while it is open: the person joins the round */
		row->round++;
		row->round_people = 0;
		row->awaiting = 0;
		row->wait_ms = 0;
		row->overdue = false;
		if (verb == TICKET_REOPEN) {
			row->floor_round = row->round;
			row->round_people = row->people;
			row->told = row->yes = 0;
		}
		break;
	case TICKET_MERGE:
	case TICKET_CONFIRM:
	case TICKET_CLOSE: {
		struct hy_key key = row_due_key(s->now_ms, hy_id_bytes(&k->id));
		row->final = true;
		row->finished_ms = s->now_ms;
		row->wait_ms = 0;
		row->due_ms = 0;
		hy_txn_put(s->txn, "finished", hy_key_view(&key), HY_LIT("1"));
		break;
	}
	default:
		break;
	}
}

int ticket_move(struct hy_step *s, struct ticket *k, enum ticket_verb verb, const char *actor, const char **refusal)
{
	int from = ticket_place(k), to = ticket_leads(from, verb, refusal);
	if (!to)
		return HY_BAD_STATE;
	k->row->state = (uint32_t)to;
	k->row->changed_ms = s->now_ms;
	k->row->actor = (char *)(uintptr_t)(actor ? actor : "");
	arrive(s, k, verb, from);
	return HY_OK;
}

/* ---- rows ---- */

int ticket_get(struct hy_txn *t, struct hy_arena *a, struct hy_id id, struct ticket *out)
{
	out->id = id;
	return hy_row_get(t, a, "ticket", hy_id_bytes(&out->id), &huiyin__router__ticket__descriptor, &out->row);
}

int ticket_get_final(struct hy_txn *t, struct hy_arena *a, struct hy_id id, struct ticket *out)
{
	int err = ticket_get(t, a, id, out);
	for (int i = 0; err == HY_OK && out->row->into.len; i++) {
		HY_ASSERT(i < MERGES_MAX); /* or they are merged in a circle */
		err = ticket_get(t, a, HY_ID_FROM_PB(out->row->into), out);
	}
	return err;
}

int ticket_put(struct hy_txn *t, const struct ticket *k)
{
	return hy_row_put(t, "ticket", hy_id_bytes(&k->id), &k->row->base);
}

static struct hy_key project_key(uint32_t project)
{
	struct hy_key k = { 0 };
	uint8_t be[4] = { project >> 24, project >> 16, project >> 8, project };
	hy_key_bytes(&k, be, 4);
	return k;
}

static int ticket_with_theme(struct hy_txn *t, struct hy_arena *a, struct hy_id id, uint32_t project,
	struct hy_bytes theme, struct ticket *out)
{
	if (hy_id_is_zero(id))
		return HY_NOT_FOUND;
	int err = ticket_get(t, a, id, out);
	if (err == HY_OK && (out->row->project != project || !hy_bytes_equal(HY_PB(out->row->theme), theme)))
		return HY_NOT_FOUND; /* two issues of one hash */
	return err;
}

int ticket_of_theme(struct hy_txn *t, struct hy_arena *a, struct themes *themes, uint32_t project,
	struct hy_bytes theme, struct ticket *out)
{
	struct hy_id newest, before;
	if (theme.size == 0 || !themes_find(themes, project, theme, &newest, &before))
		return HY_NOT_FOUND;
	int err = ticket_with_theme(t, a, newest, project, theme, out);
	if (err == HY_NOT_FOUND) /* it left, or the step that opened it was undone */
		err = ticket_with_theme(t, a, before, project, theme, out);
	return err || out->row->into.len == 0 ? err : ticket_get_final(t, a, HY_ID_FROM_PB(out->row->into), out);
}

int ticket_of_number(struct hy_txn *t, uint32_t project, uint64_t number, struct hy_id *out)
{
	struct hy_key key = project_key(project);
	struct hy_bytes id;
	hy_key_u64(&key, number);
	int err = hy_txn_get(t, "number", hy_key_view(&key), &id);
	if (err == HY_OK)
		*out = hy_id_from(id);
	return err;
}

/* Gives it the project's next number, and the ways that lead to it. */
static int enter(struct hy_step *s, struct ticket *k)
{
	struct hy_key counter = { 0 }, number = project_key(k->row->project);
	int64_t n = 0;
	hy_key_bytes(&counter, "number/", 7);
	hy_key_u64(&counter, k->row->project);
	hy_txn_count(s->txn, "count", hy_key_view(&counter), 1, &n);
	k->row->number = (uint64_t)n;
	hy_key_u64(&number, (uint64_t)n);
	hy_txn_put(s->txn, "number", hy_key_view(&number), hy_id_bytes(&k->id));
	themes_keep(s->txn, k->row->project, HY_PB(k->row->theme), k->id);
	return hy_txn_err(s->txn);
}

void ticket_forget(struct hy_txn *t, const struct ticket *k)
{
	struct hy_key key = project_key(k->row->project);
	hy_key_u64(&key, k->row->number);
	hy_txn_del(t, "number", hy_key_view(&key));
	themes_drop(t, k->id);
	hy_txn_del(t, "ticket", hy_id_bytes(&k->id));
}

/* The first words as one line; for a rating without words, the rating. */
static char *subject_of(struct hy_arena *a, const Huiyin__Remark *remark)
{
	char line[TICKET_SUBJECT_POINTS * 4 + 1];
	size_t size = 0;
	struct hy_bytes text = hy_utf8_prefix(hy_bytes_text(remark->text), 4 * TICKET_SUBJECT_POINTS);
	size_t points = 0;
	for (size_t at = 0; at < text.size && points < TICKET_SUBJECT_POINTS;) {
		size_t from = at;
		uint32_t c = hy_utf8_next(text, &at);
		bool blank =
			c <= ' ' || c == 0x7F || c == 0x3000 || c == 0x2028 || c == 0x2029 || (c >= 0x80 && c <= 0xA0);
		if (blank && (size == 0 || line[size - 1] == ' '))
			continue;
		if (blank)
			line[size++] = ' ';
		else
			for (; from < at; from++)
				line[size++] = (char)text.data[from];
		points++;
	}
	while (size && line[size - 1] == ' ')
		size--;
	if (size == 0 && remark->n_ratings)
		size = (size_t)snprintf(line, sizeof(line), "%.60s %g", remark->ratings[0]->scale,
			remark->ratings[0]->has_score_case ? remark->ratings[0]->score : 0);
	return hy_arena_text(a, hy_bytes(line, size));
}

static char *label_name(const Huiyin__Label *label)
{
	return (char *)(uintptr_t)(label ? label->name : "");
}

int ticket_open(
	struct hy_step *s, const struct department *d, const char *urgency, struct hy_id follows, struct ticket *out)
{
	struct {
		Huiyin__Router__Ticket row;
		Huiyin__Router__Labels labels;
		struct hy_id follows;
	} *fresh = hy_arena_get(s->arena, sizeof(*fresh));
	char *subject = subject_of(s->arena, s->in->feedback->remark);
	if (!fresh || !subject)
		return HY_NO_MEMORY;
	Huiyin__Router__Ticket *row = &fresh->row;
	Huiyin__Router__Labels *labels = &fresh->labels;
	huiyin__router__ticket__init(row);
	huiyin__router__labels__init(labels);
	fresh->follows = follows;
	row->project = s->in->project;
	row->state = NEW;
	row->round = 1;
	row->subject = subject;
	row->feedback = s->in->id;
	row->opened_ms = row->changed_ms = s->now_ms;
	row->labels = labels;
	labels->urgency = (char *)(uintptr_t)urgency;
	if (!hy_id_is_zero(follows))
		row->follows = row_id(&fresh->follows);
	if (s->in->classification) {
		const Huiyin__Classification *c = s->in->classification;
		labels->type = label_name(c->type);
		labels->topic = label_name(c->topic);
		labels->sentiment = label_name(c->sentiment);
		labels->tone = label_name(c->tone);
		labels->language = c->language;
		row->theme = c->theme;
	}
	*out = (struct ticket){ hy_step_derive(HY_ID_FROM_PB(s->in->id), 0, hy_bytes(NULL, 0), "ticket"), row };
	row->department = (char *)(uintptr_t)d->name;
	ticket_set_due(s, out, d);
	return enter(s, out);
}

void ticket_set_due(struct hy_step *s, struct ticket *k, const struct department *d)
{
	if (!d)
		return;
	k->row->due_ms = s->now_ms + d->due_ms[urgency_rank(k->row->labels ? k->row->labels->urgency : "")];
	k->row->overdue = false;
	struct hy_key key = row_due_key(k->row->due_ms, hy_id_bytes(&k->id));
	hy_txn_put(s->txn, "due", hy_key_view(&key), HY_LIT("o"));
}

void ticket_begin_wait(struct hy_step *s, struct ticket *k)
{
	k->row->wait_ms = s->now_ms + hy_conf_int(hy_daemon_conf(s->daemon), "follow_up.wait");
	if (s->in)
		k->row->last_delivery = s->in->id;
	struct hy_key key = row_due_key(k->row->wait_ms, hy_id_bytes(&k->id));
	hy_txn_put(s->txn, "due", hy_key_view(&key), HY_LIT("w"));
}

/* ---- events ---- */

static const char *const event_words[] = { "", "ticket.opened", "ticket.joined", "ticket.moved", "ticket.assigned",
	"ticket.started", "ticket.waiting", "ticket.resolved", "ticket.declined", "ticket.reopened", "ticket.confirmed",
	"ticket.closed", "ticket.merged", "ticket.corrected", "ticket.overdue" };

int ticket_emit(struct hy_step *s, const struct ticket *k, const struct ticket_news *news)
{
	const Huiyin__Router__Ticket *row = k->row;
	Huiyin__Envelope e = HUIYIN__ENVELOPE__INIT;
	Huiyin__TicketEvent event = HUIYIN__TICKET_EVENT__INIT;
	Huiyin__Note note = HUIYIN__NOTE__INIT;
	struct hy_bytes who = news->person.size ? news->person : news->feedback;
	struct hy_id id = hy_step_derive(news->cause, row->round, who, event_words[news->kind]);
	event.at_ms = s->now_ms;
	event.kind = news->kind;
	event.ticket = row_id(&k->id);
	event.number = row->number;
	event.round = row->round;
	event.state = (Huiyin__TicketState)row->state;
	event.department = row->department;
	event.person = HY_TO_PB(news->person);
	event.feedback = HY_TO_PB(news->feedback);
	if (news->kind == HUIYIN__TICKET_EVENT_KIND__EVENT_RESOLVED ||
		news->kind == HUIYIN__TICKET_EVENT_KIND__EVENT_DECLINED) {
		note.zh = row->note_zh;
		note.en = row->note_en;
		event.note = &note;
	}
	if (!hy_id_is_zero(news->other))
		event.other = row_id(&news->other);
	event.actor = (char *)(uintptr_t)(news->actor ? news->actor : "");
	event.theme = row->theme;
	event.subject = row->subject;
	event.due_ms = row->due_ms;
	event.correction = news->correction;
	event.people = row->people;
	e.id = row_id(&id);
	e.cause = row_id(&news->cause);
	e.project = row->project;
	e.key = event.ticket;
	e.at_ms = s->now_ms;
	e.origin_ms = s->in ? s->in->origin_ms : hy_id_ms(HY_ID_FROM_PB(row->feedback));
	e.ticket = &event;
	hy_count(s->daemon, event_words[news->kind], 1);
	if (!news->with_feedback)
		return hy_step_emit(s, &e);
	/* The feedback and its classification go along as they came: they are copied, not packed again. */
	struct hy_buffer packed = { 0 };
	hy_wire_pack(&e.base, &packed);
	hy_wire_append(&packed, HY_FIELD_FEEDBACK, hy_wire_field(s->raw, HY_FIELD_FEEDBACK));
	struct hy_bytes classification = hy_wire_field(s->raw, HY_FIELD_CLASSIFICATION);
	if (classification.data)
		hy_wire_append(&packed, HY_FIELD_CLASSIFICATION, classification);
	int err = packed.err ? packed.err : hy_step_emit_packed(s, hy_buffer_view(&packed), false);
	hy_buffer_free(&packed);
	return err;
}

/* ---- showing ---- */

static void set_id(json_t *j, const char *name, ProtobufCBinaryData id)
{
	char text[HY_ID_TEXT];
	if (id.len != 16)
		return;
	hy_id_text(HY_ID_FROM_PB(id), text);
	json_object_set_new(j, name, json_string(text));
}

static void set_time(json_t *j, const char *name, int64_t ms)
{
	char text[25];
	if (ms == 0)
		return;
	hy_time_text(ms, text);
	json_object_set_new(j, name, json_string(text));
}

static void set_text(json_t *j, const char *name, const char *text)
{
	if (text[0])
		json_object_set_new(j, name, json_string(text));
}

json_t *ticket_json(const struct hy_daemon *d, const struct ticket *k)
{
	const Huiyin__Router__Ticket *row = k->row;
	char id[HY_ID_TEXT], number[32], unnamed[16];
	const char *project = hy_daemon_project_name(d, row->project);
	hy_id_text(k->id, id);
	snprintf(unnamed, sizeof(unnamed), "%u", row->project);
	snprintf(number, sizeof(number), "T-%" PRIu64, row->number);
	json_t *j = json_pack("{s:s, s:s, s:s, s:s, s:i, s:s, s:s, s:i, s:i, s:i, s:i, s:i, s:b}", "id", id, "number",
		number, "project", project ? project : unnamed, "state", ticket_state_names[row->state], "round",
		(int)row->round, "department", row->department, "subject", row->subject, "people", (int)row->people,
		"round_people", (int)row->round_people, "awaiting", (int)row->awaiting, "told", (int)row->told, "yes",
		(int)row->yes, "final", row->final);
	if (row->labels) {
		set_text(j, "type", row->labels->type);
		set_text(j, "topic", row->labels->topic);
		set_text(j, "sentiment", row->labels->sentiment);
		set_text(j, "tone", row->labels->tone);
		set_text(j, "urgency", row->labels->urgency);
		set_text(j, "language", row->labels->language);
	}
	set_text(j, "assignee", row->assignee);
	set_text(j, "actor", row->actor);
	if (row->note_zh[0] || row->note_en[0]) {
		json_t *note = json_object();
		set_text(note, "zh", row->note_zh);
		set_text(note, "en", row->note_en);
		json_object_set_new(j, "note", note);
	}
	set_id(j, "theme", row->theme);
	set_id(j, "feedback", row->feedback);
	set_id(j, "into", row->into);
	set_id(j, "follows", row->follows);
	set_time(j, "due_at", row->due_ms);
	set_time(j, "wait_ends_at", row->wait_ms);
	set_time(j, "opened_at", row->opened_ms);
	set_time(j, "changed_at", row->changed_ms);
	set_time(j, "finished_at", row->finished_ms);
	if (row->overdue)
		json_object_set_new(j, "overdue", json_true());
	if (row->moving)
		json_object_set_new(j, "moving", json_integer(row->moving));
	return j;
}
