#include "fanout.h"

#include "outbox.h"
#include "people.h"

/* ticket, kind byte, person or feedback */
enum { LINK_KEY = 33, PERSON_KEY = 33 };

int notifier_walk_begin(struct hy_step *s, const walk_row *w)
{
	struct hy_id cause = HY_ID_FROM_PB(w->cause);
	struct hy_bytes whose = w->person.len ? HY_PB(w->person) : HY_PB(w->ticket);
	struct hy_key key = notifier_due_key(s->now_ms, hy_step_derive(cause, w->task, whose, "walk"));
	return hy_row_put(s->txn, "walk", hy_key_view(&key), &w->base);
}

/* Rows that a walk visits in one step: copied, since what follows writes. */
struct visit {
	struct hy_bytes key;
	link_row *link; /* of table link */
};

struct chunk {
	struct visit *rows;
	size_t count;
	struct hy_bytes next; /* where to go on; empty = the end */
};

static struct hy_bytes copied(struct hy_arena *a, struct hy_bytes v)
{
	uint8_t *to = hy_arena_get(a, v.size + 1);
	if (!to)
		return hy_bytes(NULL, 0);
	memcpy(to, v.data, v.size);
	return hy_bytes(to, v.size);
}

/* Rows with `prefix` from the walk's cursor on, as many as this step may still visit. */
static int take_chunk(struct hy_step *s, struct notifier *n, const char *table, struct hy_bytes prefix,
	const walk_row *w, bool links, struct chunk *out)
{
	*out = (struct chunk){ .rows = hy_arena_get(s->arena, HY_FANOUT_CHUNK * sizeof(struct visit)) };
	if (!out->rows)
		return HY_NO_MEMORY;
	struct hy_cursor c = hy_cursor_open(s->txn, table, prefix);
	if (w->cursor.len && hy_cursor_on(&c))
		hy_cursor_seek(&c, HY_PB(w->cursor));
	int err = HY_OK;
	for (; hy_cursor_on(&c) && err == HY_OK; hy_cursor_next(&c)) {
		struct visit *v = &out->rows[out->count];
		struct hy_bytes key = copied(s->arena, c.key);
		if (!key.data) {
			err = HY_NO_MEMORY;
		} else if (n->walk_left == 0) {
			out->next = key;
			break;
		} else {
			*v = (struct visit){ .key = key };
			if (links)
				err = hy_row_open(s->arena, c.value, &huiyin__notifier__link__descriptor, &v->link);
			out->count++;
			n->walk_left--;
		}
	}
	hy_cursor_close(&c);
	return err;
}

/* Back into the table behind this step's time, so that it fires in the next one. */
static int go_on(struct hy_step *s, struct hy_bytes key, walk_row *w, const struct chunk *chunk)
{
	w->done += chunk->count;
	if (!chunk->next.size)
		return HY_OK;
	w->cursor = HY_TO_PB(chunk->next);
	struct hy_key again = notifier_due_key(s->now_ms + 1, hy_id_from(hy_bytes(key.data + 8, key.size - 8)));
	return hy_row_put(s->txn, "walk", hy_key_view(&again), &w->base);
}

int notifier_tell_link(struct hy_step *s, struct notifier *n, struct hy_id ticket, const case_row *c,
	struct hy_bytes person, const link_row *link, uint32_t round, Huiyin__NoticeKind kind, struct hy_id cause,
	int64_t origin_ms)
{
	struct notifier_about about = {
		.kind = kind,
		.ticket = ticket,
		.feedback = HY_ID_FROM_PB(link->feedback),
		.round = round,
		.person = person,
		.project = c->project,
		.number = c->number,
		.language = link->language,
		.words = link->words,
		.cause = cause,
		.origin_ms = link->origin_ms ? link->origin_ms : origin_ms,
	};
	return notifier_tell(s, n, &about);
}

/* Who stands in a link's key: a person, or nobody (then the key has her feedback, which is in the row too). */
static struct hy_bytes person_of(struct hy_bytes link_key)
{
	bool person = link_key.size == LINK_KEY && link_key.data[16] == 'p';
	return person ? hy_bytes(link_key.data + 17, HY_PERSON_SIZE) : hy_bytes(NULL, 0);
}

static int case_of(struct hy_step *s, struct hy_bytes ticket, case_row **out)
{
	return hy_row_get(s->txn, s->arena, "case", ticket, &huiyin__notifier__case__descriptor, out);
}

/* The same step with memory of its own, empty at each link. */
static struct hy_step one_link(struct hy_step *s, struct notifier *n)
{
	struct hy_step one = *s;
	hy_arena_reset(n->scratch);
	one.arena = n->scratch;
	return one;
}

static int walk_tell(struct hy_step *s, struct notifier *n, struct hy_bytes key, walk_row *w)
{
	struct chunk chunk;
	case_row *c;
	struct hy_id ticket = HY_ID_FROM_PB(w->ticket);
	int err = case_of(s, HY_PB(w->ticket), &c);
	if (err)
		return err == HY_NOT_FOUND ? HY_OK : err;
	err = take_chunk(s, n, "link", HY_PB(w->ticket), w, true, &chunk);
	for (size_t i = 0; i < chunk.count && err == HY_OK; i++) {
		struct hy_step one = one_link(s, n);
		const link_row *link = chunk.rows[i].link;
		uint32_t waits_in = link->round > w->floor_round ? link->round : w->floor_round;
		if (waits_in == w->round)
			err = notifier_tell_link(&one, n, ticket, c, person_of(chunk.rows[i].key), link, w->round,
				(Huiyin__NoticeKind)w->kind, HY_ID_FROM_PB(w->cause), w->origin_ms);
	}
	return err ? err : go_on(s, key, w, &chunk);
}

int notifier_tell_late(struct hy_step *s, struct notifier *n, struct hy_id ticket, const case_row *c,
	struct hy_bytes person, const link_row *link, struct hy_id cause, int64_t origin_ms)
{
	if (link->round != c->round)
		return HY_OK;
	if (c->state == HUIYIN__TICKET_STATE__RESOLVED)
		return notifier_tell_link(s, n, ticket, c, person, link, c->round, HUIYIN__NOTICE_KIND__NOTICE_RESOLVED,
			cause, origin_ms);
	if (c->state == HUIYIN__TICKET_STATE__DECLINED)
		return notifier_tell_link(s, n, ticket, c, person, link, c->round, HUIYIN__NOTICE_KIND__NOTICE_DECLINED,
			cause, origin_ms);
	return HY_OK;
}

static int erase_notice(struct hy_step *s, struct notifier *n, struct hy_id id)
{
	notice_row *row;
	int err = notifier_outbox_get(s->txn, s->arena, id, &row);
	if (err == HY_OK)
		err = notifier_outbox_settle(s, n, id, row, HUIYIN__OUTCOME__OUTCOME_ERASED, "", "");
	else if (err == HY_NOT_FOUND)
		err = HY_OK;
	n->channel->forget(n->channel_self, id);
	return err;
}

static int erase_words(struct hy_step *s, struct hy_id ticket, struct hy_bytes person)
{
	link_row *link;
	struct hy_key key = notifier_link_key(ticket, person, (struct hy_id){ 0 });
	int err = hy_row_get(s->txn, s->arena, "link", hy_key_view(&key), &huiyin__notifier__link__descriptor, &link);
	if (err)
		return err == HY_NOT_FOUND ? HY_OK : err;
	link->words = row_text("");
	return hy_row_put(s->txn, "link", hy_key_view(&key), &link->base);
}

/* Her link stays as a number: the ticket's counts must go on agreeing. Her words, what she is owed and its files
 * go. */
static int walk_erase(struct hy_step *s, struct notifier *n, struct hy_bytes key, walk_row *w)
{
	struct chunk chunk;
	struct hy_bytes person = HY_PB(w->person);
	int err = take_chunk(s, n, "person", person, w, false, &chunk);
	for (size_t i = 0; i < chunk.count && err == HY_OK; i++) {
		struct hy_step one = one_link(s, n);
		struct hy_bytes row = chunk.rows[i].key;
		if (row.size != PERSON_KEY)
			continue;
		struct hy_id id = hy_id_from(hy_bytes(row.data + 17, sizeof(id.b)));
		err = row.data[16] == 'n' ? erase_notice(&one, n, id) : erase_words(&one, id, person);
	}
	return err ? err : go_on(s, key, w, &chunk);
}

int notifier_walk_on(struct hy_step *s, struct hy_bytes key, struct hy_bytes row, void *self)
{
	struct notifier *n = self;
	walk_row *w;
	int err = hy_row_open(s->arena, row, &huiyin__notifier__walk__descriptor, &w);
	if (err)
		return err;
	/* Several walks share one step's allowance. */
	if (n->walk_ms != s->now_ms) {
		n->walk_ms = s->now_ms;
		n->walk_left = HY_FANOUT_CHUNK;
	}
	switch (w->task) {
	case WALK_TELL:
		return walk_tell(s, n, key, w);
	case WALK_ERASE:
		return walk_erase(s, n, key, w);
	}
	return HY_CORRUPT;
}
