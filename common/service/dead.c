/* Dead letters: records whose handler refused them for good, with the reason, kept until somebody retries or drops them.
 * Row: "dead", key STREAM 0 SEQ, value a Dead of 4 fields in the wire's own encoding: error, reason, time, record. */
#include "service/daemon.h"

#include <stdlib.h>

enum { DEAD_ERR = 1, DEAD_REASON = 2, DEAD_AT = 3, DEAD_RECORD = 4 };

#define ENVELOPE_ID 1 /* as in envelope.proto */

struct dead {
	int err;
	int64_t at_ms;
	struct hy_bytes reason, record;
};

static struct hy_key dead_key(const char *stream, uint64_t seq)
{
	struct hy_key k = { 0 };
	hy_key_bytes(&k, stream, strlen(stream) + 1);
	hy_key_u64(&k, seq);
	return k;
}

int dead_put(struct hy_txn *t, const char *stream, uint64_t seq, struct hy_bytes record, int err, const char *reason,
	int64_t now_ms)
{
	struct hy_buffer row = { 0 };
	struct hy_key k = dead_key(stream, seq);
	hy_wire_put_varint(&row, DEAD_ERR << 3);
	hy_wire_put_varint(&row, (uint64_t)-err);
	hy_wire_append(&row, DEAD_REASON, hy_bytes_text(reason));
	hy_wire_put_varint(&row, DEAD_AT << 3);
	hy_wire_put_varint(&row, (uint64_t)now_ms);
	hy_wire_append(&row, DEAD_RECORD, record);
	int result = row.err ? row.err : hy_txn_put(t, "dead", hy_key_view(&k), hy_buffer_view(&row));
	hy_buffer_free(&row);
	return result;
}

static struct dead dead_read(struct hy_bytes row)
{
	struct dead out = { 0 };
	struct hy_wire_item item;
	int err = HY_OK;
	for (size_t at = 0; hy_wire_next(row, &at, &item, &err);) {
		if (item.number == DEAD_ERR)
			out.err = -(int)item.value;
		else if (item.number == DEAD_AT)
			out.at_ms = (int64_t)item.value;
		else if (item.number == DEAD_REASON)
			out.reason = item.bytes;
		else if (item.number == DEAD_RECORD)
			out.record = item.bytes;
	}
	return out;
}

int64_t dead_count(struct hy_txn *t)
{
	return (int64_t)hy_store_rows(t, "dead");
}

static const struct input *input_named(const struct hy_daemon *d, const char *stream)
{
	for (size_t i = 0; i < d->input_count; i++)
		if (strcmp(d->inputs[i].def->stream, stream) == 0)
			return &d->inputs[i];
	return NULL;
}

bool dead_is_feedback(struct hy_bytes record)
{
	struct hy_wire_item item;
	int err = HY_OK;
	for (size_t at = 0; hy_wire_next(record, &at, &item, &err);)
		;
	return record.size == 0 || err || record_is_feedback(record);
}

/* Feedbacks that end here: a letter of a return input has been counted on its way out. */
static bool ends_a_feedback(const struct hy_daemon *d, struct hy_bytes key, struct hy_bytes record)
{
	const struct input *input = input_named(d, (const char *)key.data);
	return input && !input->def->returns && dead_is_feedback(record);
}

int64_t dead_feedback(struct hy_daemon *d, struct hy_txn *t, const struct hy_id *upto)
{
	int64_t n = hy_txn_number(t, "daemon", HY_LIT("dropped"));
	for (struct hy_cursor c = hy_cursor_open(t, "dead", hy_bytes(NULL, 0)); hy_cursor_on(&c); hy_cursor_next(&c)) {
		struct dead dead = dead_read(c.value);
		struct hy_bytes id = hy_wire_field(dead.record, ENVELOPE_ID);
		if (ends_a_feedback(d, c.key, dead.record) &&
			!(upto && id.size == 16 && hy_id_cmp(hy_id_from(id), *upto) > 0))
			n++;
	}
	return n;
}

int64_t hy_dead_feedback(struct hy_step *s, struct hy_id upto)
{
	return dead_feedback(s->daemon, s->txn, &upto);
}

/* ---- commands: a dead letter's name is STREAM/SEQ ---- */

static json_t *dead_json(struct hy_bytes key, struct hy_bytes row, bool whole)
{
	struct dead dead = dead_read(row);
	size_t stream = strnlen((const char *)key.data, key.size);
	uint64_t seq = hy_be_get64(key.data + stream + 1);
	char at[25], name[128];
	hy_time_text(dead.at_ms, at);
	snprintf(name, sizeof(name), "%.*s/%" PRIu64, (int)stream, (const char *)key.data, seq);
	json_t *j = json_pack("{s:s, s:s%, s:I, s:s, s:s%, s:s}", "letter", name, "stream", (const char *)key.data,
		stream, "seq", (json_int_t)seq, "error", hy_err_name(dead.err), "reason",
		(const char *)dead.reason.data, dead.reason.size, "at", at);
	json_t *envelope = dead.record.size ? hy_show_envelope(dead.record) : NULL;
	json_t *id = envelope ? json_object_get(envelope, "id") : NULL;
	if (id)
		json_object_set(j, "id", id);
	if (whole && envelope)
		json_object_set(j, "envelope", envelope);
	json_decref(envelope);
	return j;
}

static int run_list(struct hy_step *s, struct hy_ask *a, void *self)
{
	(void)self;
	json_t *list = json_array();
	int64_t limit = hy_ask_int(a, "limit", 1000);
	for (struct hy_cursor c = hy_cursor_open(s->txn, "dead", hy_bytes(NULL, 0)); hy_cursor_on(&c);
		hy_cursor_next(&c)) {
		if ((int64_t)json_array_size(list) >= limit) {
			hy_cursor_close(&c);
			break;
		}
		json_array_append_new(list, dead_json(c.key, c.value, hy_ask_has(a, "whole")));
	}
	hy_ask_answer(a, json_pack("{s:o, s:I}", "dead", list, "count", (json_int_t)dead_count(s->txn)));
	return HY_OK;
}

static int find(
	struct hy_step *s, struct hy_ask *a, struct hy_key *key, struct hy_bytes *row, const struct input **input)
{
	char stream[64];
	const char *name = hy_ask_text(a, "letter"), *slash = strrchr(name, '/');
	char *end = NULL;
	uint64_t seq = slash ? strtoull(slash + 1, &end, 10) : 0;
	if (!slash || slash == name || (size_t)(slash - name) >= sizeof(stream) || !end || *end || end == slash + 1)
		return hy_ask_fault(a, HY_BAD_INPUT,
			"'%s' names no dead letter; `huiyin dead list` shows their names, STREAM/SEQ", name);
	snprintf(stream, sizeof(stream), "%.*s", (int)(slash - name), name);
	*key = dead_key(stream, seq);
	if (hy_txn_get(s->txn, "dead", hy_key_view(key), row) != HY_OK)
		return hy_ask_fault(a, HY_NOT_FOUND, "no dead letter %s here", name);
	*input = input_named(s->daemon, stream);
	return HY_OK;
}

static int run_retry(struct hy_step *s, struct hy_ask *a, void *self)
{
	(void)self;
	struct hy_key key;
	struct hy_bytes row;
	const struct input *input;
	int err = find(s, a, &key, &row, &input);
	if (err)
		return err;
	struct dead dead = dead_read(row);
	if (!input || dead.record.size == 0)
		return hy_ask_fault(
			a, HY_BAD_STATE, "this letter has no record to run again; drop it when it has been read");
	struct hy_buffer copy = { 0 };
	hy_buffer_bytes(&copy, dead.record);
	hy_txn_del(s->txn, "dead", hy_key_view(&key));
	struct work w = { .input = (struct input *)(uintptr_t)input, .record = { .bytes = hy_buffer_view(&copy) } };
	struct tally before = s->daemon->tally;
	pool_prepare(s->daemon->pool, &w, 1);
	err = step_handle(s->daemon, s, &w);
	s->daemon->tally.seen = before.seen; /* it was counted when it came */
	hy_buffer_free(&copy);
	if (err)
		return hy_ask_fault(a, err, "it failed again: %s", w.reason[0] ? w.reason : hy_err_text(err));
	hy_ask_answer(a, json_pack("{s:s, s:b}", "letter", hy_ask_text(a, "letter"), "done", 1));
	return HY_OK;
}

static int run_drop(struct hy_step *s, struct hy_ask *a, void *self)
{
	(void)self;
	struct hy_key key;
	struct hy_bytes row;
	const struct input *input;
	int err = find(s, a, &key, &row, &input);
	if (err)
		return err;
	json_t *gone = dead_json(hy_key_view(&key), row, false);
	if (ends_a_feedback(s->daemon, hy_key_view(&key), dead_read(row).record))
		hy_txn_count(s->txn, "daemon", HY_LIT("dropped"), 1, NULL); /* it stays in the account */
	hy_txn_del(s->txn, "dead", hy_key_view(&key));
	hy_ask_answer(a, gone);
	return HY_OK;
}

const struct hy_command dead_commands[] = {
	{ "dead.list", "the dead letters: limit, whole", false, run_list },
	{ "dead.retry", "runs a dead letter's record again: letter=STREAM/SEQ", true, run_retry },
	{ "dead.drop", "gives a dead letter up for good: letter=STREAM/SEQ", true, run_drop },
	{ 0 },
};
