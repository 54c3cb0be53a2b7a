#include "send.h"

#include "decide.h"

#include <stdlib.h>

enum { BATCH = 256, TRANSFERS = 2 * BATCH, PAUSE_MS = 1000, NAME_POINTS = 40, COPIES_MAX = 2 };
static const int64_t MINUTE = 60000, UNKNOWN_WAIT = 10 * 60000, GIVE_UP = (int64_t)5 * 24 * 60 * 60000;

struct notifier_outbox {
	struct notifier_transfer transfers[TRANSFERS];
	int64_t not_before[TRANSFERS]; /* with RESULT_LATER: quiet hours end; 0 = by the schedule */
	int64_t queued_at[TRANSFERS]; /* the place in the queue it was found at */
	struct hy_arena *arena;
	struct notifier_rendered rendered;
	struct hy_job dots, outcomes;
	bool dots_posted, outcomes_posted;
	int64_t pause_until; /* monotonic: a commit was refused */
	bool stopping;
};

static int run_dots(struct hy_step *s, struct hy_job *job, void *self);
static void dots_done(struct hy_job *job, int err, void *self);
static int run_outcomes(struct hy_step *s, struct hy_job *job, void *self);
static void outcomes_done(struct hy_job *job, int err, void *self);

int notifier_send_open(struct notifier *n, struct hy_fault *f)
{
	struct notifier_outbox *o = calloc(1, sizeof(*o));
	if (!o)
		return HY_NO_MEMORY;
	o->arena = hy_arena_new(0);
	o->dots = (struct hy_job){ .run = run_dots, .done = dots_done };
	o->outcomes = (struct hy_job){ .run = run_outcomes, .done = outcomes_done };
	n->outbox = o;
	return n->channel->open(&n->channel_self, hy_daemon_dir(n->daemon), n, f);
}

void notifier_send_close(struct notifier *n)
{
	struct notifier_outbox *o = n->outbox;
	if (!o)
		return;
	n->channel->close(&n->channel_self);
	for (size_t i = 0; i < TRANSFERS; i++)
		hy_buffer_free(&o->transfers[i].message);
	notifier_rendered_free(&o->rendered);
	hy_arena_free(&o->arena);
	free(o);
	n->outbox = NULL;
}

/* ---- composing ---- */

/* A name is for the greeting. One that looks like an address or a link is somebody's attempt to send words through
 * us. */
static const char *greeting_name(struct hy_arena *a, const char *name)
{
	struct hy_buffer line = { 0 };
	notifier_line(&line, hy_bytes_text(name), NAME_POINTS);
	const char *text = hy_buffer_string(&line);
	bool plain = !strstr(text, "//") && !strstr(text, "www.") && !strchr(text, '@');
	char *kept = plain ? hy_arena_text(a, hy_buffer_view(&line)) : NULL;
	hy_buffer_free(&line);
	return kept ? kept : "";
}

static bool asks(uint32_t kind)
{
	return kind == HUIYIN__NOTICE_KIND__NOTICE_RESOLVED || kind == HUIYIN__NOTICE_KIND__NOTICE_DECLINED;
}

/* What staff wrote, in her language when they wrote it in that. */
static int note_of(struct hy_txn *t, struct hy_arena *a, const notice_row *row, const char *language, const char **out)
{
	answer_row *answer;
	*out = "";
	if (!asks(row->kind))
		return HY_OK;
	struct hy_key key = notifier_note_key(HY_ID_FROM_PB(row->ticket), row->round, row->kind);
	int err = hy_row_get(t, a, "note", hy_key_view(&key), &huiyin__notifier__answer__descriptor, &answer);
	if (err)
		return err == HY_NOT_FOUND ? HY_OK : err;
	bool zh = strcmp(language, "zh") == 0;
	*out = zh ? answer->zh : answer->en;
	if (!**out)
		*out = zh ? answer->en : answer->zh;
	return HY_OK;
}

/* The page speaks the language of the mail that led to it. */
static const char *link_of(struct hy_arena *a, const struct notifier *n, const notice_row *row, const char *language)
{
	struct hy_token token = { .ticket = HY_ID_FROM_PB(row->ticket), .round = row->round, .purpose = 'r' };
	char text[HY_TOKEN_TEXT];
	if (!asks(row->kind) || row->person.len != HY_PERSON_SIZE)
		return "";
	memcpy(token.person, row->person.data, HY_PERSON_SIZE);
	hy_token_write(&n->follow_up_key, &token, text);
	struct hy_buffer link = { 0 };
	hy_buffer_put(&link, n->public_url, n->public_url_size);
	hy_buffer_printf(&link, "/r/%s?l=%s", text, language);
	char *kept = hy_arena_text(a, hy_buffer_view(&link));
	hy_buffer_free(&link);
	return kept ? kept : "";
}

static int compose(struct hy_txn *t, struct hy_arena *a, struct notifier *n, struct hy_id id, const notice_row *row,
	const struct notifier_contact *contact, struct notifier_rendered *rendered, struct hy_buffer *out,
	struct hy_fault *f)
{
	const char *language = notifier_people_language(contact->row->locale, row->language), *note;
	char number[32] = "";
	int err = note_of(t, a, row, language, &note);
	if (err)
		return err;
	if (row->number)
		snprintf(number, sizeof(number), "T-%" PRIu64, row->number);
	/* Her own words come back to her only where staff have acted. What goes out by itself must not carry a
	 * stranger's text to whatever address he gave. */
	bool by_itself =
		row->kind == HUIYIN__NOTICE_KIND__NOTICE_RECEIPT || row->kind == HUIYIN__NOTICE_KIND__NOTICE_THANKS;
	struct notifier_words words = {
		.name = greeting_name(a, contact->row->name),
		.words = by_itself ? "" : row->words,
		.note = note,
		.ticket = number,
		.link = link_of(a, n, row, language),
		.sender = n->from.name[0] ? n->from.name : n->from.address,
	};
	err = notifier_templates_render(n->templates, language, row->kind, &words, rendered, f);
	if (err)
		return err;
	struct notifier_mail m = {
		.notice = id,
		.thread = HY_ID_FROM_PB(row->ticket),
		.from = &n->from,
		.to = contact->email,
		.to_name = hy_bytes_text(words.name),
		.language = language,
		.date_ms = row->made_ms,
		.subject = hy_buffer_view(&rendered->subject),
		.text = hy_buffer_view(&rendered->text),
		.html = hy_buffer_view(&rendered->html),
	};
	hy_buffer_clear(out);
	return notifier_mail_write(&m, out);
}

/* ---- picking what is due ---- */

static bool on_its_way(const struct notifier_outbox *o, struct hy_id id)
{
	for (size_t i = 0; i < TRANSFERS; i++)
		if (o->transfers[i].state != TRANSFER_FREE && hy_id_equal(o->transfers[i].notice, id))
			return true;
	return false;
}

static size_t free_place(const struct notifier_outbox *o, size_t from)
{
	while (from < TRANSFERS && o->transfers[from].state != TRANSFER_FREE)
		from++;
	return from;
}

/* Whether somebody is just being told something: her mails go one after the other (reliability.md rule 29). */
static bool is_being_told(const struct notifier_outbox *o, const char *to)
{
	for (size_t i = 0; i < TRANSFERS; i++) {
		const struct notifier_transfer *tr = &o->transfers[i];
		if (tr->state >= TRANSFER_BEGUN && tr->state < TRANSFER_DONE && strcasecmp(tr->to, to) == 0)
			return true;
	}
	return false;
}

/* Decides again with what is known now, composes, and hands the transfer to the channel. One that must wait for another to the same person leaves its
 * place free again. */
static int prepare(struct notifier *n, struct hy_txn *t, size_t place, int64_t now_ms)
{
	struct notifier_outbox *o = n->outbox;
	struct notifier_transfer *tr = &o->transfers[place];
	struct notifier_verdict v;
	struct hy_fault f = { 0 };
	notice_row *row;
	hy_arena_reset(o->arena);
	int err = notifier_outbox_get(t, o->arena, tr->notice, &row);
	if (err == HY_NOT_FOUND) { /* a place in the queue without its notice: the settling takes it away */
		notifier_transfer_done(tr, RESULT_DECIDED, "%s", "");
		return HY_OK;
	}
	if (err)
		return err;
	if (row->state == NOTICE_DOT && !n->channel->repeats_harmless &&
		(n->hold_unknown || row->copies >= COPIES_MAX)) {
		notifier_transfer_done(tr, RESULT_HOLD, "it may have arrived: nobody answered after it was sent");
		return HY_OK;
	}
	err = notifier_decide(t, o->arena, n, HY_PB(row->person), row->kind, now_ms, &v);
	if (err)
		return err;
	if (v.outcome) {
		tr->outcome = v.outcome;
		notifier_transfer_done(tr, RESULT_DECIDED, "%s", v.reason);
		return HY_OK;
	}
	if (v.due_ms > now_ms) {
		o->not_before[place] = v.due_ms;
		notifier_transfer_done(tr, RESULT_LATER, "quiet hours");
		return HY_OK;
	}
	if (!n->channel->repeats_harmless && is_being_told(o, v.contact.email)) {
		tr->state = TRANSFER_FREE;
		return HY_OK;
	}
	int64_t not_before =
		n->channel->not_before ? n->channel->not_before(n->channel_self, v.contact.email, now_ms) : 0;
	if (not_before > now_ms) {
		o->not_before[place] = not_before;
		notifier_transfer_done(tr, RESULT_LATER, "the mail servers of this domain put us off");
		return HY_OK;
	}
	err = compose(t, o->arena, n, tr->notice, row, &v.contact, &o->rendered, &tr->message, &f);
	if (err == HY_BAD_INPUT || err == HY_TOO_LARGE) {
		notifier_transfer_done(tr, RESULT_HOLD, "the template does not render: %s", f.text);
		return HY_OK;
	}
	if (err)
		return err;
	snprintf(tr->to, sizeof(tr->to), "%s", v.contact.email);
	tr->state = TRANSFER_BEGUN;
	n->channel->begin(n->channel_self, tr);
	return HY_OK;
}

/* What one turn has found. */
struct picked {
	size_t looked, taken;
	size_t room; /* of the channel */
	size_t place; /* the next free one */
	int64_t next_ms; /* when the next place in a queue comes up; INT64_MAX: none */
};

static int pick_from(struct notifier *n, struct hy_txn *t, const char *queue, int64_t now_ms, struct picked *p)
{
	struct notifier_outbox *o = n->outbox;
	struct hy_cursor c = hy_cursor_open(t, queue, hy_bytes(NULL, 0));
	int err = HY_OK;
	for (; err == HY_OK && hy_cursor_on(&c); hy_cursor_next(&c)) {
		if (c.key.size != 8 + sizeof(struct hy_id))
			continue;
		int64_t due_ms = (int64_t)hy_be_get64(c.key.data);
		struct hy_id id = hy_id_from(hy_bytes(c.key.data + 8, sizeof(id.b)));
		bool later = due_ms > now_ms;
		if (!later && on_its_way(o, id))
			continue;
		if (!later && p->room == 0) /* the channel says when there is some */
			break;
		if (later || p->looked == BATCH || p->place == TRANSFERS) {
			/* Where all that was looked at waits for others of its own, the end of one of these is what counts. */
			int64_t at = later ? due_ms : p->taken ? now_ms : INT64_MAX;
			p->next_ms = at < p->next_ms ? at : p->next_ms;
			break;
		}
		struct hy_buffer kept = o->transfers[p->place].message;
		o->transfers[p->place] = (struct notifier_transfer){ .notice = id, .message = kept };
		o->transfers[p->place].state = TRANSFER_BEGUN;
		o->queued_at[p->place] = due_ms;
		o->not_before[p->place] = 0;
		err = prepare(n, t, p->place, now_ms);
		if (err)
			o->transfers[p->place].state = TRANSFER_FREE;
		enum notifier_transfer_state state = o->transfers[p->place].state;
		p->looked++;
		p->taken += state != TRANSFER_FREE;
		p->room -= state != TRANSFER_FREE && state != TRANSFER_DONE;
		p->place = free_place(o, p->place);
	}
	hy_cursor_close(&c);
	return err;
}

/* Takes up to a batch of what is due, answers before receipts. */
static int pick(struct notifier *n, int64_t now_ms, int64_t *next_ms)
{
	struct notifier_outbox *o = n->outbox;
	struct picked p = { .place = free_place(o, 0), .next_ms = INT64_MAX, .room = BATCH };
	if (n->channel->room)
		p.room = n->channel->room(n->channel_self);
	struct hy_txn *t = hy_txn_begin(hy_daemon_store(n->daemon), HY_READ);
	int err = pick_from(n, t, "queue", now_ms, &p);
	err = err ? err : pick_from(n, t, "receipts", now_ms, &p);
	int end = hy_txn_err(t);
	hy_txn_abort(&t);
	*next_ms = p.next_ms;
	return err ? err : end;
}

/* ---- the two commits ---- */

static bool any(const struct notifier_outbox *o, enum notifier_transfer_state state)
{
	for (size_t i = 0; i < TRANSFERS; i++)
		if (o->transfers[i].state == state)
			return true;
	return false;
}

static void all(struct notifier_outbox *o, enum notifier_transfer_state from, enum notifier_transfer_state to)
{
	for (size_t i = 0; i < TRANSFERS; i++)
		if (o->transfers[i].state == from)
			o->transfers[i].state = to;
}

static int run_dots(struct hy_step *s, struct hy_job *job, void *self)
{
	struct notifier *n = self;
	(void)job;
	for (size_t i = 0; i < TRANSFERS; i++) {
		struct notifier_transfer *tr = &n->outbox->transfers[i];
		notice_row *row;
		if (tr->state != TRANSFER_MARKING)
			continue;
		int err = notifier_outbox_get(s->txn, s->arena, tr->notice, &row);
		tr->gone = err == HY_NOT_FOUND || (err == HY_OK && !notifier_state_after(row->state, VERB_DOT));
		if (tr->gone)
			continue;
		if (err)
			return err;
		row->tries++;
		row->copies = n->channel->repeats_harmless ? 1 : row->copies + 1;
		row->dot_ms = s->now_ms;
		/* The place in the queue is where an answer that never came is looked for. */
		int64_t due = n->channel->repeats_harmless ? row->due_ms : s->now_ms + UNKNOWN_WAIT;
		err = notifier_outbox_move(s, tr->notice, row, VERB_DOT, due);
		if (err)
			return err;
		tr->passed = true;
	}
	return HY_OK;
}

static void dots_done(struct hy_job *job, int err, void *self)
{
	struct notifier *n = self;
	struct notifier_outbox *o = n->outbox;
	(void)job;
	o->dots_posted = false;
	if (err == HY_OK)
		hy_crash_point("notifier.dot");
	else
		o->pause_until = hy_mono_ms() + PAUSE_MS;
	for (size_t i = 0; i < TRANSFERS; i++) {
		struct notifier_transfer *tr = &o->transfers[i];
		if (tr->state != TRANSFER_MARKING)
			continue;
		if (err || tr->gone) {
			n->channel->cancel(n->channel_self, tr);
			tr->state = TRANSFER_FREE; /* still in the queue, unless it was withdrawn */
		} else {
			tr->state = TRANSFER_PASSED;
			n->channel->finish(n->channel_self, tr);
		}
	}
}

/* 1, 5, 15, 60 minutes, then each 4 hours (reliability.md rule 30). */
static int64_t wait_after(uint32_t tries)
{
	static const uint8_t first[] = { 1, 1, 5, 15, 60 };
	return (tries < sizeof(first) ? first[tries] : 240) * MINUTE;
}

static int settle_later(struct hy_step *s, struct notifier *n, size_t place, notice_row *row)
{
	struct notifier_transfer *tr = &n->outbox->transfers[place];
	int64_t due = n->outbox->not_before[place];
	if (!due) {
		row->tries += !tr->passed; /* a dot counted itself */
		/* The channel itself knows when it is worth while again. */
		due = s->now_ms + (tr->ours ? MINUTE : wait_after(row->tries));
		if (!tr->ours && s->now_ms - row->made_ms >= GIVE_UP)
			return notifier_outbox_settle(
				s, n, tr->notice, row, HUIYIN__OUTCOME__GAVE_UP, n->channel->name, tr->reason);
	}
	char id[HY_ID_TEXT];
	hy_id_text(tr->notice, id);
	hy_info("notice.deferred", "notice=%s channel=%s tries=%u next_ms=%" PRId64 " reason=\"%s\"", id,
		n->channel->name, row->tries, due, tr->reason);
	row->reason = tr->reason;
	return notifier_outbox_move(s, tr->notice, row, VERB_LATER, due);
}

/* It stays in DOT, with its place in the queue ten minutes from the dot. */
static int settle_unknown(struct hy_step *s, struct notifier *n, size_t place, notice_row *row)
{
	struct notifier_transfer *tr = &n->outbox->transfers[place];
	if (n->channel->repeats_harmless)
		return settle_later(s, n, place, row);
	char id[HY_ID_TEXT];
	hy_id_text(tr->notice, id);
	hy_warn("notice.unknown", "notice=%s channel=%s copies=%u next_ms=%" PRId64 " reason=\"%s\"", id,
		n->channel->name, row->copies, row->due_ms, tr->reason);
	row->reason = tr->reason;
	return notifier_outbox_move(s, tr->notice, row, VERB_DOT, row->due_ms);
}

static int settle_one(struct hy_step *s, struct notifier *n, size_t place, notice_row *row)
{
	struct notifier_transfer *tr = &n->outbox->transfers[place];
	const char *by = n->channel->name;
	bool refused = tr->result == RESULT_LATER || tr->result == RESULT_NEVER || tr->result == RESULT_BOUNCED;
	if (tr->passed && refused && !n->channel->repeats_harmless)
		row->copies--; /* the dot was answered: there is no copy */
	switch (tr->result) {
	case RESULT_SENT:
		return notifier_outbox_settle(s, n, tr->notice, row, HUIYIN__OUTCOME__TOLD, by, "");
	case RESULT_NEVER:
		return notifier_outbox_settle(s, n, tr->notice, row, HUIYIN__OUTCOME__REFUSED, by, tr->reason);
	case RESULT_BOUNCED:
		return notifier_outbox_settle(s, n, tr->notice, row, HUIYIN__OUTCOME__BOUNCED, by, tr->reason);
	case RESULT_DECIDED:
		return notifier_outbox_settle(s, n, tr->notice, row, (Huiyin__Outcome)tr->outcome, "", tr->reason);
	case RESULT_HOLD:
		return notifier_outbox_hold(s, n, tr->notice, row, tr->reason);
	case RESULT_LATER:
		return settle_later(s, n, place, row);
	case RESULT_UNKNOWN:
		return settle_unknown(s, n, place, row);
	}
	hy_panic("a transfer ended with result %d", (int)tr->result);
}

static int run_outcomes(struct hy_step *s, struct hy_job *job, void *self)
{
	struct notifier *n = self;
	(void)job;
	for (size_t i = 0; i < TRANSFERS; i++) {
		struct notifier_transfer *tr = &n->outbox->transfers[i];
		notice_row *row;
		if (tr->state != TRANSFER_SETTLING)
			continue;
		int err = notifier_outbox_get(s->txn, s->arena, tr->notice, &row);
		tr->gone = err == HY_NOT_FOUND;
		if (tr->gone) {
			struct hy_key place = notifier_due_key(n->outbox->queued_at[i], tr->notice);
			hy_txn_del(s->txn, "queue", hy_key_view(&place));
			hy_txn_del(s->txn, "receipts", hy_key_view(&place));
			continue;
		}
		if (err == HY_OK)
			err = settle_one(s, n, i, row);
		if (err)
			return err;
	}
	return HY_OK;
}

static void outcomes_done(struct hy_job *job, int err, void *self)
{
	struct notifier *n = self;
	struct notifier_outbox *o = n->outbox;
	(void)job;
	o->outcomes_posted = false;
	if (err) {
		o->pause_until = hy_mono_ms() + PAUSE_MS;
		all(o, TRANSFER_SETTLING, TRANSFER_DONE);
		return;
	}
	for (size_t i = 0; i < TRANSFERS; i++) {
		struct notifier_transfer *tr = &o->transfers[i];
		if (tr->state != TRANSFER_SETTLING)
			continue;
		if (tr->gone) /* erased while it was on its way */
			n->channel->forget(n->channel_self, tr->notice);
		tr->state = TRANSFER_FREE;
	}
}

int64_t notifier_send_work(struct notifier *n)
{
	struct notifier_outbox *o = n->outbox;
	int64_t next_ms = INT64_MAX, now_ms = hy_now_ms(), mono = hy_mono_ms();
	int64_t wait = n->channel->drive(n->channel_self);
	if (o->pause_until > mono)
		return o->pause_until - mono;
	int err = o->stopping ? HY_OK : pick(n, now_ms, &next_ms);
	if (err) {
		hy_warn("notice.pick", "error=%s", hy_err_name(err));
		o->pause_until = mono + PAUSE_MS;
		return PAUSE_MS;
	}
	if (!o->outcomes_posted && any(o, TRANSFER_DONE)) {
		hy_crash_point("notifier.answered"); /* it is out, and nobody here knows yet */
		all(o, TRANSFER_DONE, TRANSFER_SETTLING);
		o->outcomes_posted = true;
		hy_daemon_post(n->daemon, &o->outcomes);
	}
	if (!o->dots_posted && !o->stopping && any(o, TRANSFER_AT_DOT)) {
		all(o, TRANSFER_AT_DOT, TRANSFER_MARKING);
		o->dots_posted = true;
		hy_daemon_post(n->daemon, &o->dots);
	}
	/* What was posted is run by the next step, which calls us again; a turn of the loop is enough. */
	if (o->outcomes_posted || o->dots_posted || (!n->channel->wakes && any(o, TRANSFER_PASSED)))
		return 0;
	int64_t due = next_ms == INT64_MAX ? -1 : next_ms > now_ms ? next_ms - now_ms : 0;
	return due < 0 || (wait >= 0 && wait < due) ? wait : due;
}

bool notifier_send_lingers(struct notifier *n)
{
	struct notifier_outbox *o = n->outbox;
	o->stopping = true;
	return o->dots_posted || o->outcomes_posted || any(o, TRANSFER_PASSED) || any(o, TRANSFER_DONE);
}
