#include "service/daemon.h"

#include <stdlib.h>
#include <unistd.h>

/* ---- what a handler may do ---- */

bool hy_is_feedback(const Huiyin__Envelope *e)
{
	return e->feedback && e->feedback->body_case == HUIYIN__FEEDBACK__BODY_REMARK && !e->ticket && !e->delivery;
}

struct hy_id hy_step_id(struct hy_step *s)
{
	s->daemon->ids_used = true;
	return hy_id_new(&s->daemon->ids, s->now_ms);
}

struct hy_id hy_step_derive(struct hy_id id, uint32_t number, struct hy_bytes person, const char *word)
{
	uint8_t be[4] = { number >> 24, number >> 16, number >> 8, number };
	struct hy_bytes parts[] = { hy_bytes(be, 4), person, hy_bytes_text(word) };
	return hy_id_derive(id, parts, 3);
}

int hy_step_emit_packed(struct hy_step *s, struct hy_bytes packed, bool is_feedback)
{
	struct hy_daemon *d = s->daemon;
	if (packed.size > HY_WIRE_ENVELOPE_MAX)
		return HY_TOO_LARGE;
	int err = hy_stream_append(d->out, s->txn, packed, s->now_ms, NULL);
	if (err == HY_OK && is_feedback)
		d->tally.emitted++;
	return err;
}

int hy_step_forward_packed(struct hy_step *s, uint32_t field, struct hy_bytes packed)
{
	struct hy_buffer *b = &s->daemon->pack;
	hy_buffer_clear(b);
	hy_buffer_bytes(b, s->raw);
	int err = hy_wire_append(b, field, packed);
	return err ? err : hy_step_emit_packed(s, hy_buffer_view(b), hy_is_feedback(s->in));
}

int hy_step_forward(struct hy_step *s, uint32_t field, const ProtobufCMessage *ours)
{
	struct hy_buffer *b = &s->daemon->pack;
	hy_buffer_clear(b);
	hy_buffer_bytes(b, s->raw);
	int err = hy_wire_append_message(b, field, ours);
	return err ? err : hy_step_emit_packed(s, hy_buffer_view(b), hy_is_feedback(s->in));
}

int hy_step_pass(struct hy_step *s)
{
	return hy_step_emit_packed(s, s->raw, hy_is_feedback(s->in));
}

int hy_step_emit(struct hy_step *s, Huiyin__Envelope *e)
{
	struct hy_id id;
	if (e->id.len == 0) {
		id = hy_step_id(s);
		e->id = HY_ID_TO_PB(id);
	}
	if (e->key.len == 0)
		e->key = e->id;
	if (e->at_ms == 0)
		e->at_ms = s->now_ms;
	if (e->project == 0 && s->in)
		e->project = s->in->project;
	if (e->origin_ms == 0)
		e->origin_ms = s->in ? s->in->origin_ms : e->at_ms;
	struct hy_buffer *b = &s->daemon->pack;
	hy_buffer_clear(b);
	int err = hy_wire_pack(&e->base, b);
	return err ? err : hy_step_emit_packed(s, hy_buffer_view(b), hy_is_feedback(e));
}

/* ---- queues of jobs ---- */

void jobs_put(struct job_queue *q, struct hy_job *job)
{
	job->next = NULL;
	pthread_mutex_lock(&q->lock);
	*q->last = job;
	q->last = &job->next;
	pthread_mutex_unlock(&q->lock);
}

struct hy_job *jobs_take(struct job_queue *q)
{
	pthread_mutex_lock(&q->lock);
	struct hy_job *chain = q->first;
	q->first = NULL;
	q->last = &q->first;
	pthread_mutex_unlock(&q->lock);
	return chain;
}

static void jobs_put_back(struct job_queue *q, struct hy_job *chain)
{
	if (!chain)
		return;
	struct hy_job *last = chain;
	while (last->next)
		last = last->next;
	pthread_mutex_lock(&q->lock);
	last->next = q->first;
	if (!q->first)
		q->last = &last->next;
	q->first = chain;
	pthread_mutex_unlock(&q->lock);
}

void jobs_finish(struct hy_daemon *d, struct hy_job *chain, int err, bool of_server)
{
	if (!chain)
		return;
	if (!of_server || d->offline) {
		for (struct hy_job *j = chain, *next; j; j = next) {
			next = j->next;
			j->done(j, err, d->self);
		}
		return;
	}
	int64_t records = 0;
	struct hy_job *last = NULL;
	for (struct hy_job *j = chain; j; last = j, j = j->next) {
		records += (int64_t)j->records;
		j->err = err;
	}
	atomic_fetch_sub(&d->job_records, records);
	pthread_mutex_lock(&d->done.lock);
	*d->done.last = chain;
	d->done.last = &last->next;
	pthread_mutex_unlock(&d->done.lock);
	hy_loop_wake(d->server_loop);
}

int hy_daemon_submit(struct hy_daemon *d, struct hy_job *job)
{
	if (!d->offline && atomic_fetch_add(&d->job_records, (int64_t)job->records) > JOB_RECORDS_MAX) {
		atomic_fetch_sub(&d->job_records, (int64_t)job->records);
		return HY_BUSY;
	}
	jobs_put(&d->jobs, job);
	d->handed_over = true;
	return HY_OK;
}

void hy_daemon_post(struct hy_daemon *d, struct hy_job *job)
{
	jobs_put(&d->posts, job);
}

/* ---- a step ---- */

/* What one step took on. */
struct plan {
	size_t works;
	struct hy_job *jobs, *posts;
	size_t fired;      /* timer rows */
	bool alone;        /* one thing only */
	struct work *bad;  /* the record that failed */
};

void step_fail(struct hy_daemon *d, int err)
{
	if (hy_err_fate(err) != HY_STOP)
		return;
	/* The outcome of the commit is unknown, or the store is damaged: only a new start can read the mark again. */
	hy_error("daemon.stop", "daemon=%s error=%s text=\"%s\"", d->service->name, hy_err_name(err), hy_err_text(err));
	_exit(hy_err_exit(err));
}

int step_handle(struct hy_daemon *d, struct hy_step *s, struct work *w)
{
	hy_arena_reset(d->arena);
	if (!w->in && !w->err)
		work_open(d->arena, w);
	if (w->err == HY_ERASED)
		return HY_OK;
	if (w->err)
		return w->err;
	s->in = w->in;
	s->raw = w->record.bytes;
	s->prepared = w->prepared;
	if (!w->input->def->returns && hy_is_feedback(w->in)) /* what returns was seen on its way out */
		d->tally.seen++;
	int err = w->input->def->handle(s, d->self);
	if (err == HY_OK)
		err = hy_txn_err(s->txn);
	s->in = NULL;
	s->prepared = NULL;
	return err;
}

void step_load_due(struct hy_daemon *d, struct hy_txn *t)
{
	for (size_t i = 0; i < d->timer_count; i++) {
		struct hy_cursor c = hy_cursor_open(t, d->service->timers[i].table, hy_bytes(NULL, 0));
		d->timer_due[i] = hy_cursor_on(&c) && c.key.size >= 8 ? (int64_t)hy_be_get64(c.key.data) : NEVER;
		hy_cursor_close(&c);
	}
}

int64_t step_next_due(const struct hy_daemon *d)
{
	int64_t due = NEVER;
	for (size_t i = 0; i < d->timer_count; i++)
		due = d->timer_due[i] < due ? d->timer_due[i] : due;
	return due;
}

/* Fires due rows of one table, `most` at the most. Each row is gone before its handler runs: what it puts back is new. */
static int fire_timers(struct hy_daemon *d, struct hy_step *s, size_t index, size_t most, size_t *fired)
{
	const struct hy_timer *timer = &d->service->timers[index];
	while (*fired < most) {
		struct hy_cursor c = hy_cursor_open(s->txn, timer->table, hy_bytes(NULL, 0));
		if (!hy_cursor_on(&c) || c.key.size < 8 || (int64_t)hy_be_get64(c.key.data) > s->now_ms) {
			hy_cursor_close(&c);
			break;
		}
		hy_arena_reset(d->arena);
		uint8_t *key = hy_arena_get(d->arena, c.key.size), *row = hy_arena_get(d->arena, c.value.size + 1);
		if (!key || !row) {
			hy_cursor_close(&c);
			return HY_NO_MEMORY;
		}
		struct hy_bytes k = { key, c.key.size }, v = { row, c.value.size };
		memcpy(key, c.key.data, k.size);
		if (v.size)
			memcpy(row, c.value.data, v.size);
		hy_cursor_close(&c);
		hy_txn_del(s->txn, timer->table, k);
		(*fired)++;
		int err = timer->fire(s, k, v, d->self);
		if (err == HY_OK)
			err = hy_txn_err(s->txn);
		if (err)
			return err;
	}
	return HY_OK;
}

/* The first due row goes to the dead letters: its handler refuses it for good. */
static int bury_timer(struct hy_daemon *d, struct hy_txn *t, int reason, int64_t now_ms)
{
	for (size_t i = 0; i < d->timer_count; i++) {
		struct hy_cursor c = hy_cursor_open(t, d->service->timers[i].table, hy_bytes(NULL, 0));
		if (hy_cursor_on(&c) && c.key.size >= 8 && (int64_t)hy_be_get64(c.key.data) <= now_ms) {
			char name[64];
			snprintf(name, sizeof(name), "timer.%s", d->service->timers[i].table);
			dead_put(t, name, (uint64_t)now_ms, c.value, reason, hy_err_text(reason), now_ms);
			hy_cursor_del(&c);
			hy_cursor_close(&c);
			break;
		}
		hy_cursor_close(&c);
	}
	return hy_txn_err(t);
}

static bool input_waits(const struct hy_daemon *d, const struct input *in)
{
	return !in->def->returns && atomic_load(&d->full) != 0;
}

static size_t take_records(struct hy_daemon *d, size_t most)
{
	size_t n = 0, bytes = 0;
	for (size_t i = 0; i < d->input_count; i++) {
		struct input *in = &d->inputs[i];
		if (!in->follow || input_waits(d, in))
			continue;
		struct hy_record r;
		while (n < most && (bytes < HY_STEP_BYTES || n == 0) && hy_follow_take(in->follow, &r)) {
			d->works[n++] = (struct work){ .input = in, .record = r, .err = r.err };
			bytes += r.bytes.size;
		}
	}
	return n;
}

static void settle_follows(struct hy_daemon *d, bool committed)
{
	for (size_t i = 0; i < d->input_count; i++)
		if (d->inputs[i].follow)
			hy_follow_done(d->inputs[i].follow, committed);
}

int step_settle(struct hy_daemon *d, struct hy_txn **t)
{
	uint8_t row[24];
	bool changed;
	if (memcmp(&d->tally, &d->settled, sizeof(d->tally)) != 0 || d->ids_used) {
		d->tally.last_ms = d->ids.last_ms;
		hy_be_put64(row, (uint64_t)d->tally.seen);
		hy_be_put64(row + 8, (uint64_t)d->tally.emitted);
		hy_be_put64(row + 16, (uint64_t)d->tally.last_ms);
		hy_txn_put(*t, "daemon", HY_LIT("tally"), hy_bytes(row, sizeof(row)));
	}
	for (size_t i = 0; i < d->input_count; i++)
		if (d->inputs[i].follow)
			hy_follow_mark(d->inputs[i].follow, *t);
	hy_stream_seal(d->out, *t);
	if (d->serve) {
		hy_serve_keep(d->serve, *t, &changed);
		upkeep_trim(d, *t);
	}
	step_load_due(d, *t);
	hy_crash_point("step.before_commit");
	int err = hy_txn_commit(t);
	if (err == HY_OK)
		hy_crash_point("step.after_commit");
	hy_stream_settled(d->out, err == HY_OK);
	settle_follows(d, err == HY_OK);
	if (err == HY_OK) {
		d->settled = d->tally;
		d->progressed = true;
		if (d->serve)
			hy_serve_wake(d->serve);
		if (d->service->view)
			d->view = d->service->view(d, d->self);
	} else {
		d->tally = d->settled;
	}
	d->ids_used = false;
	return err;
}

static void abort_step(struct hy_daemon *d, struct hy_txn **t)
{
	hy_txn_abort(t);
	hy_stream_settled(d->out, false);
	settle_follows(d, false);
	d->tally = d->settled;
	d->ids_used = false;
	struct hy_txn *r = hy_txn_begin(d->db, HY_READ); /* an aborted timer is due again */
	step_load_due(d, r);
	hy_txn_abort(&r);
}

int step_alone(struct hy_daemon *d, int (*run)(struct hy_step *s, void *arg), void *arg)
{
	struct hy_step s = { .daemon = d, .now_ms = hy_now_ms(), .arena = d->arena };
	s.txn = hy_txn_begin(d->db, HY_WRITE);
	hy_arena_reset(d->arena);
	int err = run(&s, arg);
	if (err == HY_OK)
		err = hy_txn_err(s.txn);
	if (err == HY_OK)
		err = step_settle(d, &s.txn);
	else
		abort_step(d, &s.txn);
	step_fail(d, err);
	return err;
}

/* At size 1 after crashes: the try is on disk before the handler runs, so that the fifth can be told from the first. */
static int note_try(struct hy_daemon *d, const struct work *w, int64_t *tries)
{
	struct hy_key k = { 0 };
	hy_key_bytes(&k, "try/", 4);
	hy_key_bytes(&k, w->input->def->stream, strlen(w->input->def->stream));
	uint8_t row[16];
	struct hy_bytes old;
	struct hy_txn *t = hy_txn_begin(d->db, HY_WRITE);
	*tries = 1;
	if (hy_txn_get(t, "daemon", hy_key_view(&k), &old) == HY_OK && old.size == 16 && hy_be_get64(old.data) == w->record.seq)
		*tries = (int64_t)hy_be_get64(old.data + 8) + 1;
	hy_be_put64(row, w->record.seq);
	hy_be_put64(row + 8, (uint64_t)*tries);
	hy_txn_put(t, "daemon", hy_key_view(&k), hy_bytes(row, 16));
	return hy_txn_commit(&t);
}

static int bury(struct hy_daemon *d, const struct work *w, int reason, int64_t now_ms)
{
	struct hy_txn *t = hy_txn_begin(d->db, HY_WRITE);
	int err = dead_put(t, w->input->def->stream, w->record.seq, w->record.bytes, reason, w->reason[0] ? w->reason : hy_err_text(reason), now_ms);
	hy_warn("record.dead", "stream=%s seq=%" PRIu64 " reason=%s detail=\"%s\"", w->input->def->stream, w->record.seq, hy_err_name(reason), w->reason);
	hy_count(d, "dead_letters_total", 1);
	if (w->in && !w->input->def->returns && hy_is_feedback(w->in))
		d->tally.seen++;
	if (err)
		abort_step(d, &t);
	return err ? err : step_settle(d, &t);
}

/* A failure that may pass: the work stays where it is and is tried again, slower each time up to 5 s. Jobs have somebody waiting: they
 * are told at once. */
static enum step_result later(struct hy_daemon *d, struct plan *p, int err)
{
	jobs_finish(d, p->jobs, err, true);
	jobs_put_back(&d->posts, p->posts);
	d->retry_ms = d->retry_ms ? (d->retry_ms * 2 > 5000 ? 5000 : d->retry_ms * 2) : 100;
	d->retry_at = hy_mono_ms() + d->retry_ms;
	if (err == HY_FULL)
		upkeep_disk_full(d);
	hy_warn("step.retry", "error=%s wait_ms=%" PRId64, hy_err_name(err), d->retry_ms);
	return STEP_LATER;
}

static enum step_result failed(struct hy_daemon *d, struct plan *p, int err, int64_t now_ms)
{
	step_fail(d, err);
	if (hy_err_fate(err) == HY_RETRY)
		return later(d, p, err);
	size_t things = p->works + p->fired;
	for (struct hy_job *j = p->jobs; j; j = j->next)
		things++;
	for (struct hy_job *j = p->posts; j; j = j->next)
		things++;
	if (!p->alone && things > 1) { /* which one is it? */
		jobs_put_back(&d->jobs, p->jobs);
		jobs_put_back(&d->posts, p->posts);
		d->cautious = things;
		return STEP_DONE;
	}
	if (p->bad) {
		size_t index = (size_t)(p->bad - d->works);
		struct work w = *p->bad;
		struct hy_record again;
		if (w.input->follow && !hy_follow_take(w.input->follow, &again))
			hy_panic("record %zu of a failed step is gone", index);
		w.in = p->bad->in;
		err = bury(d, &w, err, now_ms);
	} else if (p->jobs || p->posts) {
		jobs_finish(d, p->jobs, err, true);
		jobs_finish(d, p->posts, err, false);
		return STEP_DONE;
	} else {
		struct hy_txn *t = hy_txn_begin(d->db, HY_WRITE);
		hy_error("timer.dead", "reason=%s", hy_err_name(err));
		err = bury_timer(d, t, err, now_ms);
		if (err)
			abort_step(d, &t);
		else
			err = step_settle(d, &t);
	}
	step_fail(d, err);
	return err ? later(d, &(struct plan){ 0 }, err) : STEP_DONE;
}

/* Runs the jobs of a chain in order, at most `records` of them; the rest goes back to its queue. */
static struct hy_job *cut_chain(struct job_queue *q, size_t records)
{
	struct hy_job *chain = jobs_take(q), *last = NULL;
	size_t sum = 0;
	for (struct hy_job *j = chain; j; last = j, j = j->next) {
		if (last && sum + j->records > records) {
			last->next = NULL;
			jobs_put_back(q, j);
			break;
		}
		sum += j->records;
	}
	return chain;
}

static int run_chain(struct hy_daemon *d, struct hy_step *s, struct hy_job *chain)
{
	for (struct hy_job *j = chain; j; j = j->next) {
		hy_arena_reset(d->arena);
		int err = j->run(s, j, d->self);
		if (err == HY_OK)
			err = hy_txn_err(s->txn);
		if (err)
			return err;
	}
	return HY_OK;
}

enum step_result step_run(struct hy_daemon *d)
{
	if (d->retry_at && hy_mono_ms() < d->retry_at) {
		/* Somebody may be waiting for an answer meanwhile. */
		if (atomic_load(&d->full))
			jobs_finish(d, jobs_take(&d->jobs), HY_FULL, true);
		return STEP_LATER;
	}
	struct hy_step s = { .daemon = d, .now_ms = hy_now_ms(), .arena = d->arena };
	struct plan p = { .alone = d->cautious > 0 || d->step_max == 1 };

	p.works = take_records(d, p.alone ? 1 : d->step_max);
	if (!p.alone || p.works == 0)
		p.posts = cut_chain(&d->posts, p.alone ? 0 : HY_STEP_RECORDS);
	if (!p.alone || (p.works == 0 && !p.posts))
		p.jobs = cut_chain(&d->jobs, p.alone ? 0 : HY_STEP_RECORDS);
	bool due = step_next_due(d) <= s.now_ms && (!p.alone || (p.works == 0 && !p.jobs && !p.posts));
	if (p.works == 0 && !p.jobs && !p.posts && !due)
		return STEP_IDLE;

	if (d->try_first && p.works == 1) {
		int64_t tries;
		int err = note_try(d, &d->works[0], &tries);
		step_fail(d, err);
		if (err == HY_OK && tries > 5) {
			snprintf(d->works[0].reason, sizeof(d->works[0].reason), "%s", hy_err_text(HY_CRASHED));
			d->works[0].in = NULL;
			err = bury(d, &d->works[0], HY_CRASHED, s.now_ms);
			step_fail(d, err);
		} else if (err == HY_OK) {
			err = HY_ERASED; /* go on below */
		}
		if (err != HY_ERASED) {
			settle_follows(d, false);
			return err ? later(d, &p, err) : STEP_DONE;
		}
	}
	pool_prepare(d->pool, d->works, p.works);
	s.txn = hy_txn_begin(d->db, HY_WRITE);
	int err = hy_txn_err(s.txn);
	for (size_t i = 0; i < p.works && err == HY_OK; i++) {
		err = step_handle(d, &s, &d->works[i]);
		if (err)
			p.bad = &d->works[i];
	}
	if (err == HY_OK)
		err = run_chain(d, &s, p.posts);
	if (err == HY_OK)
		err = run_chain(d, &s, p.jobs);
	for (size_t i = 0; due && i < d->timer_count && err == HY_OK; i++)
		if (d->timer_due[i] <= s.now_ms)
			err = fire_timers(d, &s, i, p.alone ? 1 : p.fired + HY_FANOUT_CHUNK, &p.fired);
	if (err) {
		abort_step(d, &s.txn);
		return failed(d, &p, err, s.now_ms);
	}
	err = step_settle(d, &s.txn);
	if (err) {
		p.bad = NULL;
		step_fail(d, err);
		return later(d, &p, hy_err_fate(err) == HY_RETRY ? err : HY_BUSY);
	}
	jobs_finish(d, p.jobs, HY_OK, true);
	jobs_finish(d, p.posts, HY_OK, false);
	d->retry_at = d->retry_ms = 0;
	if (d->cautious)
		d->cautious--;
	if (p.works) {
		d->try_first = false;
		d->step_max = HY_STEP_RECORDS;
	}
	return STEP_DONE;
}
