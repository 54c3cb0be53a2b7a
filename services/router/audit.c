#include "router/audit.h"

#include <stdlib.h>

#include "router/router.h"

#define FOLDED "folded/"
#define FOLDED_CLOSE "folded-close/"

const char *const router_audit_state_names[] = { "open", "held", "answered", "replies", "no_contact", "unsubscribed",
	"refused", "bounced", "gave_up", "capped", "spam", "erased", "anonymous_praise", NULL };

/* ---- one feedback ---- */

static enum audit_state of_outcome(uint32_t outcome, bool praise)
{
	switch (outcome) {
	case HUIYIN__OUTCOME__TOLD:
		return AUDIT_ANSWERED;
	case HUIYIN__OUTCOME__HELD:
		return AUDIT_HELD;
	case HUIYIN__OUTCOME__NO_CONTACT:
		return AUDIT_NO_CONTACT;
	case HUIYIN__OUTCOME__UNSUBSCRIBED:
		return AUDIT_UNSUBSCRIBED;
	case HUIYIN__OUTCOME__REFUSED:
		return AUDIT_REFUSED;
	case HUIYIN__OUTCOME__BOUNCED:
		return AUDIT_BOUNCED;
	case HUIYIN__OUTCOME__GAVE_UP:
		return AUDIT_GAVE_UP;
	case HUIYIN__OUTCOME__CAPPED:
		return AUDIT_CAPPED;
	case HUIYIN__OUTCOME__OUTCOME_ERASED:
		return AUDIT_ERASED;
	case HUIYIN__OUTCOME__ANONYMOUS:
		return praise ? AUDIT_ANONYMOUS_PRAISE : AUDIT_NO_CONTACT;
	default:
		return AUDIT_OPEN;
	}
}

/* Her link in the ticket that the feedback went to; when she has moved on with a merge, the one where she is now,
 * and *round is the round in which she came there. HY_NOT_FOUND: no link anywhere. */
static int find_link(struct hy_txn *t, struct hy_arena *a, struct hy_id id, const Huiyin__Router__Feedback *row,
	struct link *l, uint32_t *round)
{
	struct ticket k = { .id = HY_ID_FROM_PB(row->ticket) };
	*round = row->round;
	for (;;) {
		int err = link_get(t, a, link_key(k.id, HY_PB(row->person), hy_id_bytes(&id)), l);
		if (err || !l->fresh)
			return err;
		err = ticket_get(t, a, k.id, &k);
		if (err)
			return err;
		if (k.row->into.len == 0)
			return HY_NOT_FOUND;
		k.id = HY_ID_FROM_PB(k.row->into);
		*round = UINT32_MAX; /* the link says */
	}
}

int router_audit_state(struct hy_txn *t, struct hy_arena *a, struct hy_id id, const Huiyin__Router__Feedback *row,
	enum audit_state *state, int64_t *close_ms)
{
	struct link l;
	uint32_t round;
	*close_ms = 0;
	*state = AUDIT_OPEN;
	switch (row->decision) {
	case HUIYIN__DECISION__DECISION_SPAM:
		*state = AUDIT_SPAM;
		return HY_OK;
	case HUIYIN__DECISION__DECISION_REPLY:
		*state = AUDIT_REPLIES;
		return HY_OK;
	case HUIYIN__DECISION__DECISION_THANKS:
		*state = of_outcome(row->outcome, true);
		*close_ms = row->told_ms - hy_id_ms(id);
		return HY_OK;
	default:
		break;
	}
	int err = find_link(t, a, id, row, &l, &round);
	if (err)
		return err == HY_NOT_FOUND ? HY_OK : err;
	round = round == UINT32_MAX ? l.row->moved_round : round;
	if (l.row->told_round >= round)
		*state = of_outcome(l.row->outcome, false);
	else if (l.row->held_round >= round)
		*state = AUDIT_HELD;
	*close_ms = l.row->told_ms - hy_id_ms(id);
	return HY_OK;
}

/* ---- sums ---- */

/* 64 steps in each doubling, so a step is about 1.5 % wide. */
static size_t bucket_of(int64_t ms)
{
	uint64_t v = ms > 0 ? (uint64_t)ms : 0;
	if (v < 64)
		return (size_t)v;
	int shift = 57 - __builtin_clzll(v); /* v >> shift lies in [64, 128) */
	size_t bucket = 64 * (size_t)shift + (size_t)(v >> shift);
	return bucket < AUDIT_BUCKETS ? bucket : AUDIT_BUCKETS - 1;
}

static int64_t bucket_middle(size_t bucket)
{
	if (bucket < 128)
		return (int64_t)bucket;
	size_t shift = bucket / 64 - 1;
	return (int64_t)(((bucket - 64 * shift) << shift) + ((size_t)1 << shift) / 2);
}

void router_audit_add(struct audit_sums *sums, enum audit_state state, int64_t close_ms)
{
	sums->rows++;
	sums->states[state]++;
	if (state == AUDIT_ANSWERED)
		sums->close[bucket_of(close_ms)]++;
}

static struct hy_key folded_key(const char *name)
{
	struct hy_key k = { 0 };
	hy_key_bytes(&k, FOLDED, sizeof(FOLDED) - 1);
	hy_key_bytes(&k, name, strlen(name));
	return k;
}

int router_audit_fold(struct hy_txn *t, const struct audit_sums *sums)
{
	struct hy_key k = folded_key("rows");
	if (sums->rows == 0)
		return HY_OK;
	hy_txn_count(t, "count", hy_key_view(&k), sums->rows, NULL);
	for (int i = 0; i < AUDIT_STATES; i++) {
		k = folded_key(router_audit_state_names[i]);
		if (sums->states[i])
			hy_txn_count(t, "count", hy_key_view(&k), sums->states[i], NULL);
	}
	for (size_t i = 0; i < AUDIT_BUCKETS; i++) {
		if (sums->close[i] == 0)
			continue;
		k = (struct hy_key){ 0 };
		hy_key_bytes(&k, FOLDED_CLOSE, sizeof(FOLDED_CLOSE) - 1);
		hy_key_u64(&k, i);
		hy_txn_count(t, "count", hy_key_view(&k), sums->close[i], NULL);
	}
	return hy_txn_err(t);
}

int router_audit_folded(struct hy_txn *t, struct audit_sums *sums)
{
	struct hy_key k = folded_key("rows");
	sums->rows += hy_txn_number(t, "count", hy_key_view(&k));
	for (int i = 0; i < AUDIT_STATES; i++) {
		k = folded_key(router_audit_state_names[i]);
		sums->states[i] += hy_txn_number(t, "count", hy_key_view(&k));
	}
	struct hy_cursor c = hy_cursor_open(t, "count", HY_LIT(FOLDED_CLOSE));
	for (; hy_cursor_on(&c); hy_cursor_next(&c)) {
		uint64_t bucket = hy_be_get64(c.key.data + sizeof(FOLDED_CLOSE) - 1);
		if (bucket < AUDIT_BUCKETS)
			sums->close[bucket] += (uint32_t)hy_txn_number(t, "count", c.key);
	}
	hy_cursor_close(&c);
	return hy_txn_err(t);
}

/* ---- the command ---- */

static int walk(struct hy_step *s, struct hy_arena *a, struct hy_id after, struct hy_id upto, struct audit_sums *sums,
	struct hy_id *next)
{
	int err = HY_OK;
	int64_t budget = AUDIT_ROWS;
	struct hy_id id = after;
	*next = (struct hy_id){ 0 };
	struct hy_cursor c = hy_cursor_open(s->txn, "feedback", hy_bytes(NULL, 0));
	hy_cursor_seek(&c, hy_id_bytes(&after));
	for (; hy_cursor_on(&c) && err == HY_OK; hy_cursor_next(&c)) {
		struct hy_id at = hy_id_from(c.key);
		if (hy_id_equal(at, after))
			continue;
		if (hy_id_cmp(at, upto) > 0)
			break;
		if (budget-- == 0) {
			*next = id;
			break;
		}
		id = at;
		Huiyin__Router__Feedback *row;
		enum audit_state state = AUDIT_OPEN;
		int64_t close_ms = 0;
		hy_arena_reset(a);
		err = hy_row_open(a, c.value, &huiyin__router__feedback__descriptor, &row);
		if (err == HY_OK)
			err = router_audit_state(s->txn, a, id, row, &state, &close_ms);
		if (err == HY_OK)
			router_audit_add(sums, state, close_ms);
	}
	hy_cursor_close(&c);
	return err;
}

static json_t *sums_json(const struct audit_sums *sums)
{
	json_t *j = json_object(), *excused = json_object(), *close = json_array();
	for (int i = 0; i < AUDIT_STATES; i++)
		json_object_set_new(
			i < AUDIT_NO_CONTACT ? j : excused, router_audit_state_names[i], json_integer(sums->states[i]));
	for (size_t i = 0; i < AUDIT_BUCKETS; i++)
		if (sums->close[i])
			json_array_append_new(
				close, json_pack("[I, I]", (json_int_t)bucket_middle(i), (json_int_t)sums->close[i]));
	json_object_set_new(j, "excused", excused);
	json_object_set_new(j, "close_ms", close);
	json_object_set_new(j, "rows", json_integer(sums->rows));
	return j;
}

static bool parse_cursor(const char *text, uint8_t otherwise, struct hy_id *out)
{
	memset(out->b, otherwise, sizeof(out->b));
	return text[0] == '\0' || hy_id_parse(text, out);
}

int router_audit_run(struct hy_step *s, struct hy_ask *ask, void *self)
{
	struct router *r = self;
	struct hy_id after, upto, next;
	char text[HY_ID_TEXT] = "";
	if (!parse_cursor(hy_ask_text(ask, "after"), 0, &after) || !parse_cursor(hy_ask_text(ask, "upto"), 0xFF, &upto))
		return hy_ask_fault(ask, HY_BAD_INPUT, "after and upto are ids of feedback");
	struct audit_sums *sums = calloc(1, sizeof(*sums));
	if (!sums)
		return HY_NO_MEMORY;
	bool first = hy_ask_text(ask, "after")[0] == '\0';
	int err = first ? router_audit_folded(s->txn, sums) : HY_OK;
	int64_t folded = sums->rows;
	if (err == HY_OK)
		err = walk(s, r->scratch, after, upto, sums, &next);
	if (err) {
		free(sums);
		return err;
	}
	json_t *j = sums_json(sums);
	free(sums);
	if (!hy_id_is_zero(next))
		hy_id_text(next, text);
	json_object_set_new(j, "next", json_string(text));
	json_object_set_new(
		j, "duplicated", json_integer(first ? hy_txn_number(s->txn, "count", HY_LIT("duplicated")) : 0));
	if (first) {
		struct hy_mark mark = { 0 };
		hy_follow_kept(s->txn, "classification", &mark);
		int64_t dead = hy_dead_feedback(s, upto), emitted = (int64_t)hy_store_rows(s->txn, "feedback") + folded;
		json_object_set_new(j, "seen", json_integer(emitted + dead));
		json_object_set_new(j, "emitted", json_integer(emitted));
		json_object_set_new(j, "dead", json_integer(dead));
		json_object_set_new(j, "mark", json_integer((json_int_t)mark.seq));
		json_object_set_new(
			j, "head", json_integer((json_int_t)hy_stream_state(hy_daemon_output(s->daemon)).head));
	}
	hy_ask_answer(ask, j);
	return HY_OK;
}
