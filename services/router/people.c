#include "router/people.h"

struct hy_key link_key(struct hy_id ticket, struct hy_bytes person, struct hy_bytes feedback)
{
	struct hy_key k = { 0 };
	struct hy_bytes who = person.size ? person : feedback;
	hy_key_bytes(&k, ticket.b, sizeof(ticket.b));
	hy_key_bytes(&k, person.size ? "p" : "a", 1);
	hy_key_bytes(&k, who.data, who.size);
	return k;
}

struct hy_bytes link_who(struct hy_bytes key, bool *anonymous)
{
	enum { HEAD = 17 };
	HY_ASSERT(key.size > HEAD);
	*anonymous = key.data[HEAD - 1] == 'a';
	return hy_bytes(key.data + HEAD, key.size - HEAD);
}

int link_get(struct hy_txn *t, struct hy_arena *a, struct hy_key key, struct link *out)
{
	*out = (struct link){ .key = key };
	int err = hy_row_get(t, a, "link", hy_key_view(&out->key), &huiyin__router__link__descriptor, &out->row);
	if (err != HY_NOT_FOUND)
		return err;
	out->row = hy_arena_get(a, sizeof(*out->row));
	if (!out->row)
		return HY_NO_MEMORY;
	huiyin__router__link__init(out->row);
	out->fresh = true;
	return HY_OK;
}

int link_put(struct hy_txn *t, const struct link *l)
{
	return hy_row_put(t, "link", hy_key_view(&l->key), &l->row->base);
}

uint32_t link_round(const struct ticket *k, const struct link *l)
{
	return l->row->round > k->row->floor_round ? l->row->round : k->row->floor_round;
}

bool link_waits(const struct ticket *k, const struct link *l)
{
	return !l->fresh && link_round(k, l) == k->row->round;
}

bool link_told(const struct ticket *k, const struct link *l)
{
	return !l->fresh && l->row->outcome == HUIYIN__OUTCOME__TOLD && l->row->told_round >= link_round(k, l);
}

static bool says_yes(const struct ticket *k, const struct link *l)
{
	return link_told(k, l) && l->row->answer == ANSWER_YES && l->row->answer_round >= l->row->told_round;
}

/* The counters follow from what changed on the link, so that no path can count twice. */
struct counted {
	bool told, yes;
};

static struct counted count_before(const struct ticket *k, const struct link *l)
{
	return (struct counted){ link_told(k, l), says_yes(k, l) };
}

static void add(uint32_t *counter, int by)
{
	if (by < 0 && *counter == 0)
		return; /* a staff reopen began to count anew */
	*counter = (uint32_t)((int64_t)*counter + by);
}

static void count_after(struct ticket *k, const struct link *l, struct counted before)
{
	add(&k->row->told, link_told(k, l) - before.told);
	add(&k->row->yes, says_yes(k, l) - before.yes);
}

int people_join(struct hy_step *s, struct ticket *k, struct link *l)
{
	if (link_waits(k, l))
		return HY_OK;
	struct counted before = count_before(k, l);
	k->row->people += l->fresh;
	k->row->round_people++;
	l->fresh = false;
	l->row->round = k->row->round;
	count_after(k, l, before);
	return link_put(s->txn, l);
}

int people_outcome(struct hy_step *s, struct ticket *k, struct link *l, uint32_t round, Huiyin__Outcome outcome,
	bool *settled, bool *changed)
{
	Huiyin__Router__Ticket *row = k->row;
	*settled = *changed = false;
	if (l->fresh || round == 0 || l->row->told_round >= round)
		return HY_OK; /* not one of ours, or said before */
	if (outcome == HUIYIN__OUTCOME__HELD) {
		if (l->row->held_round >= round)
			return HY_OK;
		l->row->held_round = round;
		return link_put(s->txn, l);
	}
	struct counted before = count_before(k, l);
	l->row->told_round = round;
	l->row->outcome = outcome;
	l->row->told_ms = s->in && s->in->delivery ? s->in->delivery->at_ms : s->now_ms;
	count_after(k, l, before);
	if (round == row->round && link_waits(k, l) && row->awaiting > 0) {
		row->awaiting--;
		*settled = row->awaiting == 0;
		*changed = true;
	}
	*changed = *changed || before.told != link_told(k, l) || before.yes != says_yes(k, l);
	return link_put(s->txn, l);
}

int people_answer(struct hy_step *s, struct ticket *k, struct link *l, int answer, uint32_t round)
{
	struct counted before = count_before(k, l);
	l->row->answer = (uint32_t)answer;
	/* An answer through an older mail is still her answer now. Before the outcome of a mail is known here, the
	 * token's round tells. */
	uint32_t told = l->row->told_round;
	l->row->answer_round = link_told(k, l) || round < told ? told : round;
	l->row->answered_ms = s->now_ms;
	count_after(k, l, before);
	return link_put(s->txn, l);
}

bool people_content(const struct ticket *k)
{
	return k->row->awaiting == 0 && k->row->told > 0 && k->row->yes >= k->row->told;
}
