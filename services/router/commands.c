/* What staff and programs ask for on the control socket. A ticket is named by its id or as T-n within its project;
 * a command that changes a ticket answers with the ticket as it is then. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "router/audit.h"
#include "router/merge.h"
#include "router/router.h"

#define NOTE_POINTS 4000
#define LIST_MAX 1000
#define LIST_WALK 50000 /* rows looked at for one page */
#define COMMENTS_MAX 100

/* ---- which ticket ---- */

/* A project by name or number; none said: the default one. */
static int find_project(struct hy_step *s, struct hy_ask *a, uint32_t *out)
{
	const char *name = hy_ask_text(a, "project");
	char *end;
	*out = hy_daemon_project(s->daemon, name[0] ? name : "default");
	if (*out == 0 && name[0] == '\0')
		*out = 1;
	if (*out)
		return HY_OK;
	unsigned long n = strtoul(name, &end, 10);
	if (*end || n == 0 || n > UINT32_MAX)
		return hy_ask_fault(a, HY_NOT_FOUND, "no project '%s' in huiyin.yaml", name);
	*out = (uint32_t)n;
	return HY_OK;
}

static int find_ticket(struct hy_step *s, struct hy_ask *a, const char *argument, struct ticket *out)
{
	const char *name = hy_ask_text(a, argument);
	struct hy_id id;
	uint32_t project;
	char *end;
	int err = HY_OK;
	if (name[0] == '\0')
		return hy_ask_fault(a, HY_BAD_INPUT, "which ticket? Say %s=T-12 or its id", argument);
	if (!hy_id_parse(name, &id)) {
		const char *digits = (name[0] == 'T' || name[0] == 't') && name[1] == '-' ? name + 2 : name;
		unsigned long long n = strtoull(digits, &end, 10);
		if (*end || end == digits || !isdigit((unsigned char)digits[0]))
			return hy_ask_fault(a, HY_BAD_INPUT, "'%s' is no ticket: T-12 or an id is expected", name);
		err = find_project(s, a, &project);
		if (err)
			return err;
		err = ticket_of_number(s->txn, project, n, &id);
	}
	if (err == HY_OK)
		err = ticket_get(s->txn, s->arena, id, out);
	return err == HY_NOT_FOUND ? hy_ask_fault(a, err, "no ticket %s", name) : err;
}

static int answer_ticket(struct hy_step *s, struct hy_ask *a, const struct ticket *k)
{
	hy_ask_answer(a, ticket_json(s->daemon, k));
	return HY_OK;
}

/* ---- changing the state ---- */

static int refuse_while_moving(struct hy_ask *a, const struct ticket *k)
{
	if (k->row->moving == 0)
		return HY_OK;
	return hy_ask_fault(
		a, HY_BUSY, "people are still moving here from T-%" PRIu64 ", try again", k->row->moving_from);
}

static int move(struct hy_step *s, struct hy_ask *a, struct ticket *k, enum ticket_verb verb)
{
	const char *refusal = "";
	int err = ticket_move(s, k, verb, hy_ask_text(a, "actor"), &refusal);
	if (err)
		return hy_ask_fault(
			a, err, "T-%" PRIu64 " is %s: %s", k->row->number, ticket_state_names[k->row->state], refusal);
	return HY_OK;
}

/* Puts the ticket, tells the stream, answers. */
static int finish(struct hy_step *s, struct hy_ask *a, const struct ticket *k, Huiyin__TicketEventKind kind)
{
	int err = ticket_put(s->txn, k);
	if (err == HY_OK)
		err = ticket_emit(s, k,
			&(struct ticket_news){ .kind = kind, .cause = hy_ask_id(a), .actor = hy_ask_text(a, "actor") });
	return err ? err : answer_ticket(s, a, k);
}

static int check_department(struct hy_ask *a, const struct router *r, const char *name)
{
	if (rules_department(r->rules, name))
		return HY_OK;
	const char *meant = hy_did_you_mean(name, rules_departments(r->rules));
	return hy_ask_fault(a, HY_NOT_FOUND, "no department '%s'%s%s%s", name, meant ? "; did you mean '" : "",
		meant ? meant : "", meant ? "'?" : "");
}

static int run_assign(struct hy_step *s, struct hy_ask *a, void *self)
{
	struct router *r = self;
	struct ticket k;
	const char *department = hy_ask_text(a, "department"), *assignee = hy_ask_text(a, "assignee");
	int err = find_ticket(s, a, "ticket", &k);
	if (err == HY_OK && !department[0] && !assignee[0])
		err = hy_ask_fault(a, HY_BAD_INPUT, "assign to whom? Say department, assignee or both");
	if (err == HY_OK && department[0])
		err = check_department(a, r, department);
	if (err == HY_OK)
		err = move(s, a, &k, TICKET_ASSIGN);
	if (err)
		return err;
	if (department[0] && strcmp(department, k.row->department) != 0) {
		k.row->department = (char *)(uintptr_t)department;
		k.row->assignee = (char *)(uintptr_t) "";
		ticket_set_due(s, &k, rules_department(r->rules, department));
	}
	if (assignee[0])
		k.row->assignee = (char *)(uintptr_t)assignee;
	return finish(s, a, &k, HUIYIN__TICKET_EVENT_KIND__EVENT_ASSIGNED);
}

static int run_simple(struct hy_step *s, struct hy_ask *a, enum ticket_verb verb, Huiyin__TicketEventKind kind)
{
	struct ticket k;
	int err = find_ticket(s, a, "ticket", &k);
	if (err == HY_OK)
		err = move(s, a, &k, verb);
	return err ? err : finish(s, a, &k, kind);
}

static int run_start(struct hy_step *s, struct hy_ask *a, void *self)
{
	(void)self;
	return run_simple(s, a, TICKET_START, HUIYIN__TICKET_EVENT_KIND__STARTED);
}

static int run_wait(struct hy_step *s, struct hy_ask *a, void *self)
{
	(void)self;
	return run_simple(s, a, TICKET_WAIT, HUIYIN__TICKET_EVENT_KIND__EVENT_WAITING);
}

static bool has_han(const char *text)
{
	struct hy_bytes b = hy_bytes_text(text);
	for (size_t at = 0; at < b.size;) {
		uint32_t c = hy_utf8_next(b, &at);
		if (c >= 0x3400 && c <= 0x9FFF)
			return true;
	}
	return false;
}

/* The public answer: note_zh and note_en, or `note` in either language. */
static int take_note(struct hy_ask *a, struct ticket *k)
{
	const char *zh = hy_ask_text(a, "note_zh"), *en = hy_ask_text(a, "note_en"), *note = hy_ask_text(a, "note");
	if (note[0] && has_han(note) && !zh[0])
		zh = note;
	else if (note[0] && !en[0])
		en = note;
	if (strspn(zh, " \t\r\n") == strlen(zh) && strspn(en, " \t\r\n") == strlen(en))
		return hy_ask_fault(a, HY_BAD_INPUT,
			"a public note is needed: everybody who raised it will read it. Say note_zh, note_en or both");
	if (hy_utf8_count(hy_bytes_text(zh)) > NOTE_POINTS || hy_utf8_count(hy_bytes_text(en)) > NOTE_POINTS)
		return hy_ask_fault(a, HY_TOO_LARGE, "a note has at most %d characters", NOTE_POINTS);
	k->row->note_zh = (char *)(uintptr_t)zh;
	k->row->note_en = (char *)(uintptr_t)en;
	return HY_OK;
}

static int run_answer(struct hy_step *s, struct hy_ask *a, enum ticket_verb verb, Huiyin__TicketEventKind kind)
{
	struct ticket k;
	int err = find_ticket(s, a, "ticket", &k);
	if (err == HY_OK)
		err = refuse_while_moving(a, &k);
	if (err == HY_OK)
		err = move(s, a, &k, verb);
	if (err == HY_OK)
		err = take_note(a, &k);
	if (err)
		return err;
	if (k.row->awaiting == 0)
		ticket_begin_wait(s, &k);
	return finish(s, a, &k, kind);
}

static int run_resolve(struct hy_step *s, struct hy_ask *a, void *self)
{
	(void)self;
	return run_answer(s, a, TICKET_RESOLVE, HUIYIN__TICKET_EVENT_KIND__EVENT_RESOLVED);
}

static int run_decline(struct hy_step *s, struct hy_ask *a, void *self)
{
	(void)self;
	return run_answer(s, a, TICKET_DECLINE, HUIYIN__TICKET_EVENT_KIND__EVENT_DECLINED);
}

static int run_reopen(struct hy_step *s, struct hy_ask *a, void *self)
{
	struct router *r = self;
	struct ticket k;
	int err = find_ticket(s, a, "ticket", &k);
	if (err == HY_OK)
		err = move(s, a, &k, TICKET_REOPEN);
	if (err)
		return err;
	ticket_set_due(s, &k, rules_department(r->rules, k.row->department));
	return finish(s, a, &k, HUIYIN__TICKET_EVENT_KIND__EVENT_REOPENED);
}

static int run_merge(struct hy_step *s, struct hy_ask *a, void *self)
{
	(void)self;
	struct ticket from, into;
	const char *refusal;
	int err = find_ticket(s, a, "ticket", &from);
	if (err == HY_OK)
		err = find_ticket(s, a, "into", &into);
	if (err == HY_OK && hy_id_equal(from.id, into.id))
		err = hy_ask_fault(a, HY_BAD_INPUT, "a ticket can't be merged into itself");
	if (err == HY_OK && from.row->project != into.row->project)
		err = hy_ask_fault(a, HY_BAD_INPUT, "both tickets must belong to the same project");
	if (err == HY_OK && !ticket_leads(ticket_place(&from), TICKET_MERGE, &refusal))
		err = hy_ask_fault(a, HY_BAD_STATE, "T-%" PRIu64 " is %s: %s", from.row->number,
			ticket_state_names[from.row->state], refusal);
	if (err == HY_OK && !ticket_leads(ticket_place(&into), TICKET_JOIN, &refusal))
		err = hy_ask_fault(a, HY_BAD_STATE, "T-%" PRIu64 " is %s: %s", into.row->number,
			ticket_state_names[into.row->state], refusal);
	if (err == HY_OK)
		err = refuse_while_moving(a, &from);
	if (err == HY_OK)
		err = refuse_while_moving(a, &into);
	if (err == HY_OK)
		err = router_merge_begin(s, &from, &into, hy_ask_id(a), hy_ask_text(a, "actor"));
	return err ? err : answer_ticket(s, a, &from);
}

/* ---- putting a label right ---- */

static const char *const fields[] = { "department", "sentiment", "tone", "type", "topic", "urgency", "language", "spam",
	NULL };

/* Where the ticket keeps that label; NULL when it keeps none. */
static char **label_of(const struct ticket *k, const char *field)
{
	Huiyin__Router__Labels *l = k->row->labels;
	struct {
		const char *name;
		char **at;
	} all[] = { { "sentiment", &l->sentiment }, { "tone", &l->tone }, { "type", &l->type }, { "topic", &l->topic },
		{ "urgency", &l->urgency }, { "language", &l->language }, { "department", &k->row->department } };
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (strcmp(all[i].name, field) == 0)
			return all[i].at;
	return NULL;
}

static int check_correction(struct hy_ask *a, struct router *r, const char *field, const char *value)
{
	bool known = false;
	for (size_t i = 0; fields[i]; i++)
		known = known || strcmp(fields[i], field) == 0;
	if (!known) {
		const char *meant = hy_did_you_mean(field, fields);
		return hy_ask_fault(a, HY_BAD_INPUT, "no field '%s'; %s%s", field, meant ? "did you mean " : "",
			meant ? meant
			      : "there are department, sentiment, tone, type, topic, urgency, language and spam");
	}
	size_t size = strspn(value, "abcdefghijklmnopqrstuvwxyz0123456789_.-");
	if (size == 0 || size > 64 || value[size])
		return hy_ask_fault(a, HY_BAD_INPUT, "'%s' is no label: up to 64 of a-z, 0-9, _, . and -", value);
	if (strcmp(field, "department") == 0)
		return check_department(a, r, value);
	if (strcmp(field, "urgency") == 0 && strcmp(urgency_names[urgency_rank(value)], value) != 0)
		return hy_ask_fault(a, HY_BAD_INPUT, "urgency is one of low, normal, high, critical");
	return HY_OK;
}

static int run_correct(struct hy_step *s, struct hy_ask *a, void *self)
{
	struct router *r = self;
	struct ticket k;
	Huiyin__Correction c = HUIYIN__CORRECTION__INIT;
	const char *field = hy_ask_text(a, "field"), *value = hy_ask_text(a, "value");
	struct hy_id feedback = { 0 };
	int err = find_ticket(s, a, "ticket", &k);
	if (err == HY_OK)
		err = check_correction(a, r, field, value);
	if (err == HY_OK && hy_ask_has(a, "feedback") && !hy_id_parse(hy_ask_text(a, "feedback"), &feedback))
		err = hy_ask_fault(a, HY_BAD_INPUT, "feedback is an id");
	if (err == HY_OK && strcmp(field, "department") == 0 && !ticket_can(&k, TICKET_JOIN))
		err = hy_ask_fault(a, HY_BAD_STATE, "T-%" PRIu64 " is %s: it can't move to another department",
			k.row->number, ticket_state_names[k.row->state]);
	if (err)
		return err;
	/* Another feedback than the one that opened it says nothing about the ticket's own labels. */
	bool own = hy_id_is_zero(feedback) || hy_bytes_equal(hy_id_bytes(&feedback), HY_PB(k.row->feedback));
	char **label = own ? label_of(&k, field) : NULL;
	c.feedback = own ? k.row->feedback : row_id(&feedback);
	c.field = (char *)(uintptr_t)field;
	c.is = (char *)(uintptr_t)value;
	if (label) {
		c.was = *label;
		*label = c.is;
	}
	if (own && (strcmp(field, "department") == 0 || strcmp(field, "urgency") == 0) && ticket_can(&k, TICKET_JOIN))
		ticket_set_due(s, &k, rules_department(r->rules, k.row->department));
	k.row->changed_ms = s->now_ms;
	k.row->actor = (char *)(uintptr_t)hy_ask_text(a, "actor");
	err = ticket_put(s->txn, &k);
	if (err == HY_OK)
		err = ticket_emit(s, &k,
			&(struct ticket_news){ .kind = HUIYIN__TICKET_EVENT_KIND__CORRECTED,
				.cause = hy_ask_id(a),
				.actor = hy_ask_text(a, "actor"),
				.correction = &c });
	return err ? err : answer_ticket(s, a, &k);
}

/* ---- looking ---- */

static bool state_wanted(const struct ticket *k, const char *state)
{
	if (strcmp(state, "open") == 0)
		return ticket_can(k, TICKET_JOIN);
	return strcmp(state, "all") == 0 || strcmp(ticket_state_names[k->row->state], state) == 0;
}

static int check_state(struct hy_ask *a, const char *state)
{
	static const char *const names[] = { "open", "all", "new", "assigned", "in_progress", "waiting", "resolved",
		"confirmed", "closed", "reopened", "declined", "duplicate", NULL };
	for (size_t i = 0; names[i]; i++)
		if (strcmp(names[i], state) == 0)
			return HY_OK;
	const char *meant = hy_did_you_mean(state, names);
	return hy_ask_fault(a, HY_BAD_INPUT, "no state '%s'; %s%s", state, meant ? "did you mean " : "",
		meant ? meant : "there are open, all, and each state by its name");
}

static int run_list(struct hy_step *s, struct hy_ask *a, void *self)
{
	struct router *r = self;
	const char *department = hy_ask_text(a, "department"), *assignee = hy_ask_text(a, "assignee");
	const char *state = hy_ask_has(a, "state") && hy_ask_text(a, "state")[0] ? hy_ask_text(a, "state") : "all";
	int64_t limit = hy_ask_int(a, "limit", 50), walked = 0;
	struct hy_id before = { 0 };
	uint32_t project = 0;
	char next[HY_ID_TEXT] = "";
	int err = check_state(a, state);
	if (err == HY_OK && department[0])
		err = check_department(a, r, department);
	if (err == HY_OK && hy_ask_text(a, "project")[0])
		err = find_project(s, a, &project);
	if (err == HY_OK && hy_ask_text(a, "before")[0] && !hy_id_parse(hy_ask_text(a, "before"), &before))
		err = hy_ask_fault(a, HY_BAD_INPUT, "before is the id in `next` of the page before");
	if (err)
		return err;
	limit = limit < 1 ? 1 : limit > LIST_MAX ? LIST_MAX : limit;
	json_t *list = json_array();
	struct hy_cursor c = hy_cursor_last(s->txn, "ticket", hy_bytes(NULL, 0));
	if (!hy_id_is_zero(before) && hy_cursor_on(&c) && hy_bytes_cmp(c.key, hy_id_bytes(&before)) >= 0) {
		hy_cursor_seek(&c, hy_id_bytes(&before)); /* a ticket at or behind it exists */
		hy_cursor_prev(&c);
	}
	for (; hy_cursor_on(&c) && err == HY_OK; hy_cursor_prev(&c)) {
		struct ticket k = { .id = hy_id_from(c.key) };
		hy_arena_reset(r->scratch);
		err = hy_row_open(r->scratch, c.value, &huiyin__router__ticket__descriptor, &k.row);
		if (err)
			break;
		if (state_wanted(&k, state) && (!department[0] || strcmp(department, k.row->department) == 0) &&
			(!assignee[0] || strcmp(assignee, k.row->assignee) == 0) &&
			(!project || project == k.row->project))
			json_array_append_new(list, ticket_json(s->daemon, &k));
		if ((int64_t)json_array_size(list) == limit || ++walked == LIST_WALK) {
			hy_id_text(k.id, next);
			hy_cursor_prev(&c);
			if (!hy_cursor_on(&c))
				next[0] = '\0';
			break;
		}
	}
	hy_cursor_close(&c);
	hy_ask_answer(a, json_pack("{s:o, s:s}", "tickets", list, "next", next));
	return err;
}

static int run_show(struct hy_step *s, struct hy_ask *a, void *self)
{
	struct router *r = self;
	static const char *const answers[] = { "", "yes", "no" };
	struct ticket k;
	int err = find_ticket(s, a, "ticket", &k);
	if (err)
		return err;
	json_t *j = ticket_json(s->daemon, &k), *comments = json_array();
	const struct department *d = rules_department(r->rules, k.row->department);
	if (d)
		json_object_set_new(j, "department_title", json_pack("{s:s, s:s}", "zh", d->zh, "en", d->en));
	struct hy_cursor c = hy_cursor_last(s->txn, "comment", hy_id_bytes(&k.id));
	for (; hy_cursor_on(&c) && json_array_size(comments) < COMMENTS_MAX; hy_cursor_prev(&c)) {
		Huiyin__Router__Comment *row;
		char id[HY_ID_TEXT], at[25];
		hy_arena_reset(r->scratch);
		err = hy_row_open(r->scratch, c.value, &huiyin__router__comment__descriptor, &row);
		if (err)
			break;
		hy_id_text(hy_id_from(hy_bytes(c.key.data + 16, c.key.size - 16)), id);
		hy_time_text(row->at_ms, at);
		json_array_insert_new(comments, 0,
			json_pack("{s:s, s:s, s:s, s:s}", "feedback", id, "at", at, "text", row->text, "helped",
				answers[row->answer <= ANSWER_NO ? row->answer : 0]));
	}
	hy_cursor_close(&c);
	json_object_set_new(j, "comments", comments);
	hy_ask_answer(a, j);
	return err;
}

static int run_departments(struct hy_step *s, struct hy_ask *a, void *self)
{
	(void)s;
	struct router *r = self;
	json_t *list = json_array();
	for (const char *const *name = rules_departments(r->rules); *name; name++) {
		const struct department *d = rules_department(r->rules, *name);
		json_array_append_new(
			list, json_pack("{s:s, s:{s:s, s:s}}", "name", d->name, "title", "zh", d->zh, "en", d->en));
	}
	hy_ask_answer(a, json_pack("{s:o}", "departments", list));
	return HY_OK;
}

const struct hy_command router_commands[] = {
	{ "ticket.list",
		"tickets, newest first: state (open, all or a state), department, assignee, project, limit, before",
		false, run_list },
	{ "ticket.show", "one ticket with its comments: ticket", false, run_show },
	{ "ticket.assign", "gives it to somebody: ticket, department, assignee", true, run_assign },
	{ "ticket.start", "work begins: ticket", true, run_start },
	{ "ticket.wait", "work waits for somebody else: ticket", true, run_wait },
	{ "ticket.resolve", "answers everybody of the round: ticket, note_zh, note_en", true, run_resolve },
	{ "ticket.decline", "answers everybody of the round that it will not be done: ticket, note_zh, note_en", true,
		run_decline },
	{ "ticket.reopen", "takes the answer back, for everybody: ticket", true, run_reopen },
	{ "ticket.merge", "makes it a duplicate, its people move: ticket, into", true, run_merge },
	{ "ticket.correct", "puts a label right, and the classifier learns: ticket, field, value, feedback", true,
		run_correct },
	{ "departments", "the departments of huiyin.yaml", false, run_departments },
	{ "audit", "what became of every feedback: upto, after", false, router_audit_run },
	{ 0 },
};
