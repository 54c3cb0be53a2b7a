#include "accept.h"
#include "collector_rows.pb-c.h"
#include "dedupe.h"
#include "view.h"

#include <stdlib.h>

struct submission *submission_new(struct collector *c, struct hy_request *request, size_t count)
{
	struct submission *s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->collector = c;
	s->request = request;
	s->count = count;
	s->arena = hy_arena_new((size_t)64 << 20);
	s->items = hy_arena_get(s->arena, (count + 1) * sizeof(*s->items));
	s->ids = hy_arena_get(s->arena, (count + 1) * sizeof(*s->ids));
	s->fates = hy_arena_get(s->arena, (count + 1) * sizeof(*s->fates));
	if (!s->items || !s->ids || !s->fates) {
		hy_arena_free(&s->arena);
		free(s);
		return NULL;
	}
	memset(s->items, 0, (count + 1) * sizeof(*s->items));
	memset(s->ids, 0, (count + 1) * sizeof(*s->ids));
	memset(s->fates, 0, (count + 1) * sizeof(*s->fates));
	return s;
}

void submission_free(struct submission **s)
{
	if (!*s)
		return;
	for (size_t i = 0; i < (*s)->count; i++)
		json_decref((*s)->items[i].errors);
	hy_arena_free(&(*s)->arena);
	free(*s);
	*s = NULL;
}

static int keep_view(struct hy_step *s, const struct submission *sub, const struct item *item, struct hy_id id)
{
	Huiyin__Collector__View v = HUIYIN__COLLECTOR__VIEW__INIT;
	uint8_t row[64 + HY_PERSON_SIZE];
	v.received_ms = s->now_ms;
	v.project = sub->project;
	v.key_number = sub->key_number;
	if (item->has_person)
		v.person = (ProtobufCBinaryData){ HY_PERSON_SIZE, (uint8_t *)(uintptr_t)item->person };
	return hy_txn_append(s->txn, "view", hy_id_bytes(&id), hy_wire_pack_to(&v.base, row, sizeof(row)));
}

/* The head as the collector writes it, then the encoded Feedback as its field: packed once. *last becomes the id of a
 * feedback proper. */
static int keep(
	struct hy_step *s, const struct submission *sub, const struct item *item, struct hy_id id, struct hy_id *last)
{
	struct hy_buffer b = { 0 };
	uint8_t room[256];
	Huiyin__Envelope head = HUIYIN__ENVELOPE__INIT;
	bool remark = hy_wire_field(item->feedback, 10).data != NULL; /* Feedback.remark */
	head.id = HY_ID_TO_PB(id);
	head.project = sub->project;
	head.key = item->has_person ? (ProtobufCBinaryData){ HY_PERSON_SIZE, (uint8_t *)(uintptr_t)item->person }
				    : HY_ID_TO_PB(id);
	head.at_ms = head.origin_ms = s->now_ms;
	struct hy_bytes packed = hy_wire_pack_to(&head.base, room, sizeof(room));
	b.room = packed.size + item->feedback.size + 16;
	b.data = hy_arena_get(s->arena, b.room);
	if (!b.data)
		return HY_NO_MEMORY;
	hy_buffer_bytes(&b, packed);
	int err = hy_wire_append(&b, HY_FIELD_FEEDBACK, item->feedback);
	if (err == HY_OK)
		err = hy_step_emit_packed(s, hy_buffer_view(&b), remark);
	if (err == HY_OK && remark) {
		*last = id;
		err = keep_view(s, sub, item, id);
	}
	if (err == HY_OK && item->answers)
		err = view_note_answer(s->txn, item->ticket, item->round, item->person, item->helped, s->now_ms);
	return err;
}

/* An item that its sender's number says was kept: whether it was, or was rejected for its id. */
static enum fate look_again(struct hy_step *s, const struct collector *c, struct submission *sub, size_t i)
{
	const struct item *item = &sub->items[i];
	if (!item->has_client_id)
		return FATE_DUPLICATE;
	struct dedupe_key k = dedupe_key(sub->scope, item->client_id, item->said);
	int known = dedupe_look(c->dedupe, s->txn, &k, s->now_ms, &sub->ids[i]);
	return known == HY_CONFLICT ? FATE_CONFLICT : FATE_DUPLICATE;
}

/* The keys of the next AHEAD items: told to the table before they are looked for in it. */
#define AHEAD 16
struct ahead {
	struct dedupe_key keys[AHEAD];
	size_t known;
};

static const struct dedupe_key *key_of(struct ahead *a, const struct dedupe *d, const struct submission *sub, size_t i)
{
	for (; a->known < sub->count && a->known < i + AHEAD; a->known++) {
		const struct item *item = &sub->items[a->known];
		struct dedupe_key *k = &a->keys[a->known % AHEAD];
		if (!item->ok || !item->has_client_id)
			continue;
		*k = dedupe_key(sub->scope, item->client_id, item->said);
		dedupe_expect(d, k);
	}
	return &a->keys[i % AHEAD];
}

static int run(struct hy_step *s, struct hy_job *job, void *self)
{
	struct collector *c = self;
	struct submission *sub = (struct submission *)job;
	struct hy_id last = { { 0 } };
	struct ahead ahead = { 0 };
	size_t numbered = 0;
	sub->refused = false;
	int begun = sub->numbering ? sub->numbering->begin(s, sub, &numbered) : HY_OK;
	if (begun || sub->refused)
		return begun;
	for (size_t i = 0; i < sub->count; i++) {
		const struct item *item = &sub->items[i];
		if (!item->ok)
			continue;
		if (i < numbered) {
			sub->fates[i] = look_again(s, c, sub, i);
			continue;
		}
		struct hy_id id = hy_step_id(s);
		sub->fates[i] = FATE_ACCEPTED;
		sub->ids[i] = id;
		if (item->has_client_id) {
			const struct dedupe_key *k = key_of(&ahead, c->dedupe, sub, i);
			int known = dedupe_note(c->dedupe, s->txn, k, id, s->now_ms, &sub->ids[i]);
			if (known == HY_EXISTS || known == HY_CONFLICT) {
				sub->fates[i] = known == HY_EXISTS ? FATE_DUPLICATE : FATE_CONFLICT;
				continue;
			}
			if (known != HY_NOT_FOUND)
				return known;
		}
		int err = keep(s, sub, item, id, &last);
		if (err)
			return err;
		hy_arena_reset(s->arena);
	}
	hy_crash_point("collector.kept");
	int ended = sub->numbering ? sub->numbering->end(s, sub) : HY_OK;
	if (ended)
		return ended;
	return hy_id_is_zero(last) ? HY_OK : hy_txn_put(s->txn, "last", HY_LIT("feedback"), hy_id_bytes(&last));
}

static void done(struct hy_job *job, int err, void *self)
{
	struct submission *sub = (struct submission *)job;
	struct collector *c = self;
	int64_t accepted = 0, duplicates = 0, counted = err || sub->refused ? 0 : (int64_t)sub->count;
	for (int64_t i = 0; i < counted; i++) {
		accepted += sub->fates[i] == FATE_ACCEPTED;
		duplicates += sub->fates[i] == FATE_DUPLICATE;
	}
	if (accepted)
		hy_count(c->daemon, "accepted_total", accepted);
	if (duplicates)
		hy_count(c->daemon, "duplicates_total", duplicates);
	if (counted > accepted + duplicates)
		hy_count(c->daemon, "rejected_total", counted - accepted - duplicates);
	sub->answer(sub, err);
}

int accept_submit(struct submission *s)
{
	s->job.run = run;
	s->job.done = done;
	s->job.records = s->count;
	s->job.bytes = 0;
	for (size_t i = 0; i < s->count; i++)
		s->job.bytes += s->items[i].feedback.size;
	if (hy_daemon_full(s->collector->daemon))
		return HY_FULL;
	return hy_daemon_submit(s->collector->daemon, &s->job);
}
