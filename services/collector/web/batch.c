#include "batch.h"
#include "answer.h"
#include "ndjson.h"

#include <stdlib.h>

#define PART_ITEMS 1000
#define PART_BYTES ((size_t)1 << 20) /* of the lines as they came */
#define ROOM_LEAST ((int64_t)128 << 10) /* without it none is begun: arena and rows of its first part */

/* Handed to the writer, or not taken by it: waits for the parts before it. */
struct part {
	struct part *next;
	struct batch *batch;
	struct submission *submission;
	size_t bytes;
	int err;
	bool done;
};

struct batch {
	struct collector *collector;
	struct hy_request *request; /* NULL: gone, or answered */
	struct ndjson lines;
	struct reception_finder finder;
	struct intake intake;
	struct hy_api_key *key; /* while a piece is looked at */
	uint32_t project, key_number;
	uint64_t scope;
	struct submission *open; /* being filled */
	size_t open_bytes, items, refused;
	size_t told; /* bytes of the answer that wait to be sent */
	struct part *first, **last;
	struct answer answer;
	bool ended; /* no more lines will come */
	bool starved; /* there was no memory to go on */
};

static void batch_free(struct batch *b)
{
	b->collector->batch_room += ROOM_LEAST + (int64_t)(b->open_bytes + b->told);
	ndjson_free(&b->lines);
	submission_free(&b->open);
	answer_free(&b->answer);
	free(b);
}

/* Parts are told of in their order; when the last one is, so is the client. */
static void settle(struct batch *b)
{
	for (struct part *p; (p = b->first) && p->done;) {
		b->first = p->next;
		if (!b->first)
			b->last = &b->first;
		answer_add(&b->answer, p->submission, p->err);
		/* Ids of tiny lines are longer than the lines: whoever never ends his body must not gather them without bound. */
		size_t told = b->answer.ids.size + b->answer.rejected.size;
		b->collector->batch_room += (int64_t)p->bytes - (int64_t)(told - b->told);
		b->told = told;
		struct submission *s = p->submission; /* the part is in its arena */
		submission_free(&s);
	}
	if (!b->ended || b->first)
		return;
	if (b->request && b->starved)
		reception_later(b->request, 503, "busy",
			"No memory to read all of it; what has an id may be sent again.", 1000);
	else if (b->request)
		answer_send(&b->answer, b->request);
	batch_free(b);
}

static void on_part(struct submission *s, int err)
{
	struct part *p = s->note;
	p->err = err;
	p->done = true;
	settle(p->batch);
}

/* Hands over what was gathered. settle() is the caller's. */
static void close_part(struct batch *b)
{
	struct submission *s = b->open;
	struct part *p = s ? hy_arena_get(s->arena, sizeof(*p)) : NULL;
	size_t good = 0;
	if (!p) {
		b->starved |= s != NULL;
		return;
	}
	*p = (struct part){ .batch = b, .submission = s, .bytes = b->open_bytes };
	b->open = NULL;
	b->open_bytes = 0;
	*b->last = p;
	b->last = &p->next;
	s->answer = on_part;
	s->note = p;
	for (size_t i = 0; i < s->count; i++)
		good += s->items[i].ok;
	p->err = good ? accept_submit(s) : HY_OK;
	b->refused += p->err ? good : 0;
	if (good == 0)
		hy_count(b->collector->daemon, "rejected_total", (int64_t)s->count);
	p->done = p->err || good == 0;
}

/* ---- a line ---- */

static void line_fault(struct item *item, const struct hy_fault *f, uint64_t line)
{
	size_t within, column;
	intake_fault(item, "", hy_json_fault_words(f, &within, &column));
	if (within == 0)
		return;
	json_t *fault = json_array_get(item->errors, 0);
	json_object_set_new(fault, "line", json_integer((json_int_t)line));
	json_object_set_new(fault, "column", json_integer((json_int_t)column));
}

static enum intake_later admit(struct batch *b, const struct ndjson_line *line)
{
	int64_t wait = hy_api_key_spend(b->key, 1);
	if (wait) {
		b->answer.wait_ms = wait;
		return LATER_RATE;
	}
	return line->err == HY_BUSY || b->collector->batch_room < (int64_t)line->text.size ? LATER_BUSY : LATER_NOT;
}

static void take_line(struct batch *b, const struct ndjson_line *line, struct item *item)
{
	const struct hy_json *root;
	struct hy_fault f = { 0 };
	enum intake_later later = admit(b, line);
	if (later) {
		item->later = later;
	} else if (line->err) {
		char detail[80];
		snprintf(detail, sizeof(detail), "the line is longer than %zu bytes, the most for one item",
			b->lines.line_max);
		intake_fault(item, "", detail);
	} else if (hy_json_read(b->collector->json, line->text, &root, &f) != HY_OK) {
		line_fault(item, &f, line->number);
	} else {
		intake_feedback(&b->intake, root, item);
		item->line = line->number; /* it begins with a clean one */
	}
	b->refused += !item->ok;
}

/* One entry that stands for all lines from here on. */
static void take_rest(struct batch *b, struct item *item)
{
	char detail[96];
	size_t most = b->items > BATCH_ITEMS_MAX ? BATCH_ITEMS_MAX : BATCH_REFUSED_MAX;
	snprintf(detail, sizeof(detail), "%zu lines %s: from here on nothing was read", most,
		most == BATCH_ITEMS_MAX ? "are as many as one body may have" : "were not taken");
	intake_fault(item, "", detail);
	item->rest = true;
}

static bool on_line(void *arg, const struct ndjson_line *line)
{
	struct batch *b = arg;
	if (!b->open) {
		b->open = submission_new(b->collector, b->request, PART_ITEMS);
		b->starved = !b->open;
		if (!b->open)
			return false;
		b->open->count = 0;
		b->open->project = b->project;
		b->open->key_number = b->key_number;
		b->open->scope = b->scope;
		b->intake = reception_intake(b->open, &b->finder);
	}
	struct item *item = &b->open->items[b->open->count++];
	item->line = line->number;
	if (b->items++ == BATCH_ITEMS_MAX || b->refused >= BATCH_REFUSED_MAX) {
		take_rest(b, item);
		return false;
	}
	take_line(b, line, item);
	b->open_bytes += line->text.size;
	b->collector->batch_room -= (int64_t)line->text.size;
	if (b->open->count == PART_ITEMS || b->open_bytes >= PART_BYTES)
		close_part(b);
	return !b->starved;
}

/* ---- the body ---- */

/* Whether its key is still one: rows may have been read anew since the last piece. */
static bool still_known(struct batch *b)
{
	b->key = reception_key(b->collector, b->request);
	return b->key != NULL;
}

static bool on_piece(struct hy_request *q, struct hy_bytes bytes, void *arg)
{
	struct batch *b = hy_http_note(q);
	(void)arg;
	if (!still_known(b))
		return false;
	b->intake.now_ms = hy_now_ms();
	ndjson_put(&b->lines, bytes);
	settle(b);
	return true;
}

void batch_begin(struct collector *c, struct hy_request *q, const struct hy_api_key *key)
{
	const struct hy_conf *conf = hy_daemon_conf(c->daemon);
	struct batch *b = c->batch_room >= ROOM_LEAST ? calloc(1, sizeof(*b)) : NULL;
	if (!b) {
		reception_busy(q, HY_BUSY);
		return;
	}
	c->batch_room -= ROOM_LEAST;
	*b = (struct batch){
		.collector = c,
		.request = q,
		.lines = { .line_max = (size_t)hy_conf_int(conf, "limits.body"),
			.room = &c->batch_room,
			.line = on_line,
			.arg = b },
		.project = key->project,
		.key_number = key->number,
		.scope = key->scope,
		.answer = { .form = ANSWER_LINES },
	};
	b->last = &b->first;
	hy_http_set_note(q, b);
	hy_http_stream(q, (size_t)hy_conf_int(conf, "limits.ndjson"), on_piece);
}

void batch_end(struct hy_request *q)
{
	struct batch *b = hy_http_note(q);
	if (!still_known(b)) {
		batch_dropped(q);
		return;
	}
	ndjson_end(&b->lines);
	close_part(b);
	reception_tell_rate(q, b->key, b->answer.wait_ms);
	b->ended = true;
	hy_http_later(q);
	settle(b);
}

void batch_dropped(struct hy_request *q)
{
	struct batch *b = hy_http_note(q);
	if (!b)
		return;
	hy_http_set_note(q, NULL);
	b->request = NULL;
	b->ended = true;
	submission_free(&b->open);
	settle(b);
}
