/* One step: what it takes on, its transaction, and what a failure means.
 *     a handler refuses       the records before it are done one by one, then it is a dead letter; a timer's row and a job at once
 *     it may pass             nothing is done; all waits and is tried again, slower each time; jobs go on without the records meanwhile
 *     nobody can vouch        the process ends, and the next start reads the mark again
 *     the process died        crash.c */
#include "service/daemon.h"

#include <unistd.h>

#define RETRY_FIRST_MS 100
#define RETRY_MOST_MS 5000

/* What one step took on, and what of it failed. */
struct plan {
	size_t works;
	struct hy_job *jobs, *posts;
	bool paused; /* after a failure that may pass: jobs alone */
	struct work *bad_work;
	struct hy_job *bad_job, *bad_post;
	struct due *bad_due;
};

void step_fail(struct hy_daemon *d, int err)
{
	if (hy_err_fate(err) != HY_STOP)
		return;
	/* The outcome of the commit is unknown, or the store is damaged: only a new start can read the mark again. */
	hy_error("daemon.stop", "daemon=%s error=%s text=\"%s\"", d->service->name, hy_err_name(err), hy_err_text(err));
	_exit(hy_err_exit(err));
}

/* ---- one record ---- */

/* Whether it counts among the feedbacks that came. Looks at the encoded fields, so that it can tell of a record that nobody dares to open. */
bool record_is_feedback(struct hy_bytes raw)
{
	struct hy_bytes feedback = hy_wire_field(raw, HY_FIELD_FEEDBACK);
	return hy_wire_field(feedback, FEEDBACK_REMARK).data && !hy_wire_field(raw, HY_FIELD_TICKET).data &&
	       !hy_wire_field(raw, HY_FIELD_DELIVERY).data;
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

/* ---- the end of a transaction ---- */

static void settle_follows(struct hy_daemon *d, bool committed)
{
	for (size_t i = 0; i < d->input_count; i++)
		if (d->inputs[i].follow)
			hy_follow_done(d->inputs[i].follow, committed);
}

/* Memory goes back to what the store says: records are taken again, timers due again, numbers given anew. */
static void undo(struct hy_daemon *d)
{
	hy_stream_settled(d->out, false);
	settle_follows(d, false);
	d->tally = d->settled;
	d->ids_used = false;
	struct hy_txn *r = hy_txn_begin(d->db, HY_READ);
	timers_load(d, r);
	hy_txn_abort(&r);
}

static void put_tally(struct hy_daemon *d, struct hy_txn *t)
{
	uint8_t row[24];
	if (memcmp(&d->tally, &d->settled, sizeof(d->tally)) == 0 && !d->ids_used)
		return;
	d->tally.last_ms = d->ids.last_ms;
	hy_be_put64(row, (uint64_t)d->tally.seen);
	hy_be_put64(row + 8, (uint64_t)d->tally.emitted);
	hy_be_put64(row + 16, (uint64_t)d->tally.last_ms);
	hy_txn_put(t, "daemon", HY_LIT("tally"), hy_bytes(row, sizeof(row)));
}

int step_settle(struct hy_daemon *d, struct hy_txn **t)
{
	put_tally(d, *t);
	for (size_t i = 0; i < d->input_count; i++)
		if (d->inputs[i].follow)
			hy_follow_mark(d->inputs[i].follow, *t);
	hy_stream_seal(d->out, *t);
	if (d->serve) {
		hy_serve_keep(d->serve, *t, NULL);
		upkeep_trim(d, *t);
	}
	timers_load(d, *t);
	hy_crash_point("step.before_commit");
	int err = hy_txn_commit(t);
	if (err) {
		undo(d);
		return err;
	}
	hy_crash_point("step.after_commit");
	hy_stream_settled(d->out, true);
	settle_follows(d, true);
	d->settled = d->tally;
	d->ids_used = false;
	if (d->serve)
		hy_serve_wake(d->serve);
	if (d->service->view)
		d->view = d->service->view(d, d->self);
	return HY_OK;
}

static void abort_step(struct hy_daemon *d, struct hy_txn **t)
{
	hy_txn_abort(t);
	undo(d);
}

/* Commits when `err` is HY_OK, else aborts; what came of it. */
static int end_step(struct hy_daemon *d, struct hy_txn **t, int err)
{
	if (err == HY_OK)
		err = hy_txn_err(*t);
	if (err == HY_OK)
		return step_settle(d, t);
	abort_step(d, t);
	return err;
}

int step_alone(struct hy_daemon *d, int (*run)(struct hy_step *s, void *arg), void *arg)
{
	struct hy_step s = { .daemon = d, .now_ms = hy_now_ms(), .arena = d->arena };
	s.txn = hy_txn_begin(d->db, HY_WRITE);
	hy_arena_reset(d->arena);
	int refused = hy_txn_err(s.txn) ? HY_OK : run(&s, arg), broken = hy_txn_err(s.txn);
	int err = end_step(d, &s.txn, refused);
	/* A command's own answer stops nobody, whatever its code; a store that fails does. */
	step_fail(d, refused ? broken : err);
	return err;
}

/* ---- dead letters ---- */

int step_bury(struct hy_daemon *d, const struct work *w, int reason, int64_t now_ms)
{
	const char *words = w->reason[0] ? w->reason : hy_err_text(reason);
	struct hy_txn *t = hy_txn_begin(d->db, HY_WRITE);
	int err = dead_put(t, w->input->def->stream, w->record.seq, w->record.bytes, reason, words, now_ms);
	hy_warn("record.dead", "stream=%s seq=%" PRIu64 " reason=%s detail=\"%s\"", w->input->def->stream,
		w->record.seq, hy_err_name(reason), words);
	hy_count(d, "dead_letters_total", 1);
	if (!w->input->def->returns && dead_is_feedback(w->record.bytes))
		d->tally.seen++;
	return end_step(d, &t, err);
}

int step_bury_due(struct hy_daemon *d, const struct due *due, int reason, int64_t now_ms)
{
	struct hy_txn *t = hy_txn_begin(d->db, HY_WRITE);
	return end_step(d, &t, timers_bury(d, t, due, reason, now_ms));
}

int step_feed(struct hy_daemon *d, struct work *w)
{
	struct hy_step s = { .daemon = d, .now_ms = hy_now_ms(), .arena = d->arena };
	pool_prepare(d->pool, w, 1);
	s.txn = hy_txn_begin(d->db, HY_WRITE);
	int err = end_step(d, &s.txn, step_handle(d, &s, w));
	if (err == HY_OK || hy_err_fate(err) == HY_RETRY)
		return err;
	int buried = step_bury(d, w, err, s.now_ms);
	return buried ? buried : err;
}

/* ---- failures ---- */

/* It may pass: the work stays where it is and is tried again, slower each time. Jobs have somebody waiting. */
static enum step_result later(struct hy_daemon *d, int err)
{
	d->retry_ms = d->retry_ms ? d->retry_ms * 2 : RETRY_FIRST_MS;
	if (d->retry_ms > RETRY_MOST_MS)
		d->retry_ms = RETRY_MOST_MS;
	d->retry_at = hy_mono_ms() + d->retry_ms;
	if (err == HY_FULL)
		upkeep_disk_full(d);
	hy_warn("step.retry", "error=%s wait_ms=%" PRId64, hy_err_name(err), d->retry_ms);
	return STEP_LATER;
}

static int refuse_record(struct hy_daemon *d, const struct plan *p, int err, int64_t now_ms)
{
	size_t before = (size_t)(p->bad_work - d->works);
	if (before > 0) { /* those before it may be why: it is to fail by itself */
		d->cautious = before + 1;
		return HY_OK;
	}
	struct hy_record again;
	if (p->bad_work->input->follow && !hy_follow_take(p->bad_work->input->follow, &again))
		hy_panic("record %" PRIu64 " of a failed step is gone", p->bad_work->record.seq);
	d->cautious -= d->cautious > 0;
	return step_bury(d, p->bad_work, err, now_ms);
}

static enum step_result failed(struct hy_daemon *d, struct plan *p, int err, int64_t now_ms)
{
	step_fail(d, err);
	bool passes = hy_err_fate(err) == HY_RETRY;
	if (!(p->bad_work || p->bad_due || p->bad_post || (p->bad_job && !passes))) { /* nothing can be kept now */
		err = passes ? err : HY_BUSY;
		jobs_finish(d, p->jobs, err, true);
		jobs_put_back(&d->posts, p->posts);
		return later(d, err);
	}
	jobs_put_back(&d->jobs, p->bad_job ? jobs_without(p->jobs, p->bad_job) : p->jobs);
	jobs_put_back(&d->posts, p->bad_post && !passes ? jobs_without(p->posts, p->bad_post) : p->posts);
	if (passes)
		return later(d, err);
	if (p->bad_job)
		jobs_finish(d, p->bad_job, err, true);
	else if (p->bad_post)
		jobs_finish(d, p->bad_post, err, false);
	else if (p->bad_due)
		err = step_bury_due(d, p->bad_due, err, now_ms);
	else
		err = refuse_record(d, p, err, now_ms);
	if (p->bad_job || p->bad_post || err == HY_OK)
		return STEP_DONE;
	step_fail(d, err);
	return later(d, err);
}

/* ---- the step ---- */

/* What there is to do now; after crashes one thing, in the order of crash.c. */
static bool gather(struct hy_daemon *d, struct plan *p, int64_t now_ms)
{
	bool crashing = d->step_max == 1;
	d->due_count = 0;
	if (!p->paused) {
		if (timers_next(d) <= now_ms && !(crashing && d->due_tried)) {
			struct hy_txn *t = hy_txn_begin(d->db, HY_READ);
			timers_gather(d, t, now_ms, crashing);
			hy_txn_abort(&t);
		}
		if (crashing && d->due_count)
			return d->due_tried = true;
		p->works = take_records(d, d->cautious ? 1 : d->step_max);
		if (crashing && p->works)
			return true;
		d->due_tried = false;
		p->posts = jobs_cut(&d->posts);
	}
	p->jobs = jobs_cut(&d->jobs);
	return p->works || p->posts || p->jobs || d->due_count;
}

static int run_plan(struct hy_daemon *d, struct hy_step *s, struct plan *p)
{
	int err = hy_txn_err(s->txn);
	for (size_t i = 0; i < p->works && err == HY_OK; i++) {
		err = step_handle(d, s, &d->works[i]);
		if (err)
			p->bad_work = &d->works[i];
	}
	if (err == HY_OK)
		err = jobs_run(d, s, p->posts, &p->bad_post);
	if (err == HY_OK)
		err = jobs_run(d, s, p->jobs, &p->bad_job);
	return err == HY_OK ? timers_fire(d, s, &p->bad_due) : err;
}

/* While the disk is full somebody may be waiting for an answer: questions are answered, what would be kept is refused. */
static void answer_meanwhile(struct hy_daemon *d)
{
	for (struct hy_job *j = jobs_take(&d->jobs), *next; j; j = next) {
		next = j->next;
		j->next = NULL;
		int err = HY_FULL;
		if (j->records == 0) {
			struct hy_step s = { .daemon = d, .now_ms = hy_now_ms(), .arena = d->arena };
			s.txn = hy_txn_begin(d->db, HY_READ);
			err = j->run(&s, j, d->self);
			hy_txn_abort(&s.txn);
		}
		jobs_finish(d, j, err, true);
	}
}

enum step_result step_run(struct hy_daemon *d)
{
	struct plan p = { .paused = d->retry_at && hy_mono_ms() < d->retry_at };
	if (p.paused && hy_daemon_full(d)) {
		answer_meanwhile(d);
		return STEP_LATER;
	}
	struct hy_step s = { .daemon = d, .now_ms = hy_now_ms(), .arena = d->arena };
	if (!gather(d, &p, s.now_ms))
		return p.paused ? STEP_LATER : STEP_IDLE;
	int err = crash_note_try(d, p.works, s.now_ms);
	if (err == HY_CRASHED)
		return STEP_DONE;
	if (err == HY_OK) {
		pool_prepare(d->pool, d->works, p.works);
		s.txn = hy_txn_begin(d->db, HY_WRITE);
		err = run_plan(d, &s, &p);
		if (err == HY_OK)
			err = end_step(d, &s.txn, crash_passed(d, s.txn, p.works));
		else
			abort_step(d, &s.txn);
	}
	if (err)
		return failed(d, &p, err, s.now_ms);
	jobs_finish(d, p.jobs, HY_OK, true);
	jobs_finish(d, p.posts, HY_OK, false);
	if (!p.paused)
		d->retry_at = d->retry_ms = 0;
	d->cautious -= p.works < d->cautious ? p.works : d->cautious;
	return STEP_DONE;
}
