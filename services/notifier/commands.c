#include "commands.h"

#include "outbox.h"

#include <stdlib.h>

static void put_id(json_t *o, const char *name, ProtobufCBinaryData id)
{
	char text[HY_ID_TEXT];
	if (id.len != sizeof(struct hy_id))
		return;
	hy_id_text(HY_ID_FROM_PB(id), text);
	json_object_set_new(o, name, json_string(text));
}

static void put_person(json_t *o, ProtobufCBinaryData person)
{
	char text[2 * HY_PERSON_SIZE + 1];
	if (person.len != HY_PERSON_SIZE)
		return;
	hy_hex(person.data, person.len, text);
	json_object_set_new(o, "person", json_string(text));
}

static void put_time(json_t *o, const char *name, int64_t ms)
{
	char text[25];
	if (!ms)
		return;
	hy_time_text(ms, text);
	json_object_set_new(o, name, json_string(text));
}

static void put_text(json_t *o, const char *name, const char *text)
{
	if (*text)
		json_object_set_new(o, name, json_string(text));
}

static json_t *show_owed(struct hy_id id, const notice_row *row)
{
	json_t *o = json_object();
	put_id(o, "notice", HY_ID_TO_PB(id));
	put_text(o, "kind", notifier_kind_name(row->kind));
	put_text(o, "state", notifier_state_name(row->state));
	put_id(o, "ticket", row->ticket);
	json_object_set_new(o, "round", json_integer(row->round));
	put_person(o, row->person);
	put_id(o, "feedback", row->feedback);
	json_object_set_new(o, "tries", json_integer(row->tries));
	json_object_set_new(o, "copies", json_integer(row->copies));
	put_time(o, "made", row->made_ms);
	put_time(o, "next", row->due_ms);
	put_text(o, "reason", row->reason);
	return o;
}

static json_t *show_done(struct hy_id id, const entry_row *row)
{
	json_t *o = json_object();
	put_id(o, "notice", HY_ID_TO_PB(id));
	put_text(o, "kind", notifier_kind_name(row->kind));
	put_text(o, "state", row->outcome == HUIYIN__OUTCOME__TOLD ? "sent" : "dead");
	put_text(o, "outcome", notifier_outcome_name(row->outcome));
	put_id(o, "ticket", row->ticket);
	json_object_set_new(o, "round", json_integer(row->round));
	put_person(o, row->person);
	put_id(o, "feedback", row->feedback);
	put_text(o, "channel", row->channel);
	json_object_set_new(o, "tries", json_integer(row->tries));
	json_object_set_new(o, "copies", json_integer(row->copies));
	put_time(o, "at", row->at_ms);
	put_text(o, "reason", row->reason);
	return o;
}

/* A notice, owed or done; NULL with *err. */
static json_t *show(struct hy_step *s, struct hy_id id, int *err)
{
	notice_row *owed;
	entry_row *done;
	*err = notifier_outbox_get(s->txn, s->arena, id, &owed);
	if (*err == HY_OK)
		return show_owed(id, owed);
	if (*err == HY_NOT_FOUND)
		*err = hy_row_get(
			s->txn, s->arena, "ledger", hy_id_bytes(&id), &huiyin__notifier__entry__descriptor, &done);
	return *err == HY_OK ? show_done(id, done) : NULL;
}

static bool hex16(const char *text, uint8_t out[static HY_PERSON_SIZE])
{
	if (strlen(text) != 2 * HY_PERSON_SIZE || strspn(text, "0123456789abcdef") != 2 * HY_PERSON_SIZE)
		return false;
	for (size_t i = 0; i < HY_PERSON_SIZE; i++)
		out[i] = (uint8_t)strtoul((char[]){ text[2 * i], text[2 * i + 1], 0 }, NULL, 16);
	return true;
}

/* An id, or T-n of a project. */
static int find_ticket(struct hy_step *s, struct hy_ask *a, struct hy_id *out)
{
	const char *text = hy_ask_text(a, "ticket"), *project = hy_ask_text(a, "project");
	if (hy_id_parse(text, out))
		return HY_OK;
	char *end;
	uint64_t number = text[0] == 'T' && text[1] == '-' ? strtoull(text + 2, &end, 10) : 0;
	if (!number || *end)
		return hy_ask_fault(a, HY_BAD_INPUT, "'%s' is no ticket: give its id or T-n", text);
	uint32_t of = hy_daemon_project(s->daemon, *project ? project : "default");
	if (!of)
		return hy_ask_fault(a, HY_NOT_FOUND, "there is no project '%s'", project);
	struct hy_key key = notifier_number_key(of, number);
	struct hy_bytes id;
	if (hy_txn_get(s->txn, "number", hy_key_view(&key), &id) != HY_OK)
		return hy_ask_fault(a, HY_NOT_FOUND, "no notice was ever due for %s", text);
	*out = hy_id_from(id);
	return HY_OK;
}

static int run_list(struct hy_step *s, struct hy_ask *a, void *self)
{
	uint8_t person[HY_PERSON_SIZE];
	struct hy_key prefix = { .size = 0 };
	const char *table = "by_ticket";
	(void)self;
	if (hy_ask_has(a, "person")) {
		if (!hex16(hy_ask_text(a, "person"), person))
			return hy_ask_fault(a, HY_BAD_INPUT, "a person is 32 hexadecimal digits");
		table = "person";
		prefix = KEY_OF(hy_bytes(person, sizeof(person)), HY_LIT("n"));
	} else if (hy_ask_has(a, "ticket")) {
		struct hy_id ticket;
		int err = find_ticket(s, a, &ticket);
		if (err)
			return err;
		prefix = KEY_OF(hy_id_bytes(&ticket));
	} else if (strcmp(hy_ask_text(a, "state"), "pending") == 0) {
		table = "outbox";
	} else {
		return hy_ask_fault(a, HY_BAD_INPUT, "say whose notices: ticket, person, or state=pending");
	}
	int64_t limit = hy_ask_int(a, "limit", 100);
	struct hy_id ids[1000];
	size_t most = limit < 1 ? 1 : limit > 1000 ? 1000 : (size_t)limit, count = 0;
	struct hy_cursor c = hy_cursor_open(s->txn, table, hy_key_view(&prefix));
	for (; hy_cursor_on(&c) && count < most; hy_cursor_next(&c))
		if (c.key.size >= sizeof(struct hy_id))
			ids[count++] = hy_id_from(
				hy_bytes(c.key.data + c.key.size - sizeof(struct hy_id), sizeof(struct hy_id)));
	bool more = hy_cursor_on(&c);
	hy_cursor_close(&c);
	json_t *list = json_array();
	for (size_t i = 0; i < count; i++) {
		int err;
		json_t *o = show(s, ids[i], &err);
		if (o)
			json_array_append_new(list, o);
		else if (err != HY_NOT_FOUND) {
			json_decref(list);
			return err;
		}
	}
	hy_ask_answer(a, json_pack("{s:o, s:b}", "notices", list, "more", more));
	return HY_OK;
}

static int run_show(struct hy_step *s, struct hy_ask *a, void *self)
{
	struct hy_id id;
	int err;
	(void)self;
	if (!hy_id_parse(hy_ask_text(a, "notice"), &id))
		return hy_ask_fault(a, HY_BAD_INPUT, "'%s' is no notice's id", hy_ask_text(a, "notice"));
	json_t *o = show(s, id, &err);
	if (!o)
		return err == HY_NOT_FOUND ? hy_ask_fault(a, err, "there is no such notice") : err;
	hy_ask_answer(a, o);
	return HY_OK;
}

static int find_owed(struct hy_step *s, struct hy_ask *a, struct hy_id *id, notice_row **row)
{
	if (!hy_id_parse(hy_ask_text(a, "notice"), id))
		return hy_ask_fault(a, HY_BAD_INPUT, "'%s' is no notice's id", hy_ask_text(a, "notice"));
	int err = notifier_outbox_get(s->txn, s->arena, *id, row);
	return err == HY_NOT_FOUND ? hy_ask_fault(a, err, "no such notice is waiting") : err;
}

static int run_resend(struct hy_step *s, struct hy_ask *a, void *self)
{
	struct hy_id id;
	notice_row *row;
	(void)self;
	int err = find_owed(s, a, &id, &row);
	if (err)
		return err;
	err = notifier_outbox_move(s, id, row, VERB_RELEASE, s->now_ms);
	if (err == HY_BAD_STATE)
		return hy_ask_fault(a, err, "the notice is %s: only one that is held or deferred is sent by hand",
			notifier_state_name(row->state));
	if (err == HY_OK)
		hy_ask_answer(a, show_owed(id, row));
	return err;
}

static int run_drop(struct hy_step *s, struct hy_ask *a, void *self)
{
	struct notifier *n = self;
	struct hy_id id;
	notice_row *row;
	int err = find_owed(s, a, &id, &row);
	if (err)
		return err;
	if (notifier_state_after(row->state, VERB_DROP) == NOTICE_NOWHERE)
		return hy_ask_fault(a, HY_BAD_STATE, "the notice is on its way");
	err = notifier_outbox_settle(s, n, id, row, HUIYIN__OUTCOME__GAVE_UP, "", "dropped by staff");
	json_t *o = err ? NULL : show(s, id, &err);
	if (o)
		hy_ask_answer(a, o);
	return err;
}

json_t *notifier_counts(struct hy_txn *t, struct notifier *n)
{
	json_t *o = json_object(), *outcomes = json_object();
	int64_t made = hy_txn_number(t, "tally", HY_LIT("made")), folded = hy_txn_number(t, "tally", HY_LIT("folded"));
	int64_t pending = (int64_t)hy_store_rows(t, "outbox"), done = (int64_t)hy_store_rows(t, "ledger");
	(void)n;
	for (uint32_t i = HUIYIN__OUTCOME__TOLD; i <= HUIYIN__OUTCOME__ANONYMOUS; i++)
		if (i != HUIYIN__OUTCOME__HELD)
			json_object_set_new(outcomes, notifier_outcome_name(i),
				json_integer(hy_txn_number(t, "tally", hy_bytes_text(notifier_outcome_name(i)))));
	json_object_set_new(o, "notices", json_integer(made));
	json_object_set_new(o, "pending", json_integer(pending));
	json_object_set_new(o, "held", json_integer(hy_txn_number(t, "tally", HY_LIT("held"))));
	json_object_set_new(o, "told", json_integer(hy_txn_number(t, "tally", HY_LIT("told"))));
	json_object_set_new(o, "duplicated", json_integer(hy_txn_number(t, "tally", HY_LIT("duplicated"))));
	/* Every notice ever made is owed, done, or folded away: the rows are counted, not remembered. */
	json_object_set_new(o, "unaccounted", json_integer(made - pending - done - folded));
	json_object_set_new(o, "walks", json_integer((json_int_t)hy_store_rows(t, "walk")));
	json_object_set_new(o, "people", json_integer(hy_txn_number(t, "tally", HY_LIT("people"))));
	json_object_set_new(o, "outcomes", outcomes);
	return o;
}

static int run_audit(struct hy_step *s, struct hy_ask *a, void *self)
{
	json_t *o = notifier_counts(s->txn, self);
	struct hy_mark mark;
	int err = hy_follow_kept(s->txn, "ticket", &mark);
	json_object_set_new(o, "mark", json_integer(err == HY_OK ? (json_int_t)mark.seq : 0));
	json_object_set_new(o, "head", json_integer((json_int_t)hy_stream_state(hy_daemon_output(s->daemon)).head));
	hy_ask_answer(a, o);
	return HY_OK;
}

const struct hy_command notifier_commands[] = {
	{ "delivery.list",
		"notices of a ticket (ticket, project), of a person (person), or all that wait (state=pending); limit",
		false, run_list },
	{ "delivery.show", "one notice", false, run_show },
	{ "delivery.resend", "sends a notice that is held or deferred now", true, run_resend },
	{ "delivery.drop", "gives a waiting notice up", true, run_drop },
	{ "audit", "every notice accounted for: owed, held, told, or why not", false, run_audit },
	{ 0 },
};
