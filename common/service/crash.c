/* What crashes leave behind. A row says that a life has begun, with how large steps, and where the inputs stood; a clean end says so too. A life
 * that ends otherwise with its inputs where they were got nothing done: each one quarters the steps of the next (4,000, 1,000, ... 1).
 * At size 1 one thing is done at a time, and the try is on disk before its handler runs, so that the fifth can be told from the first: then
 * it is a dead letter. A due row comes first, then a record, so that neither hides behind the other. Success doubles the size again. */
#include "service/daemon.h"

#include <stdlib.h>
#include <unistd.h>

#define TRIES 5

/* Where the inputs stand, as one number: it rises with any progress. */
static uint64_t mark_sum(struct hy_daemon *d, struct hy_txn *t)
{
	uint64_t sum = 0;
	for (size_t i = 0; i < d->input_count; i++) {
		struct hy_mark m;
		if (hy_follow_kept(t, d->inputs[i].def->stream, &m) == HY_OK)
			sum += m.seq;
	}
	return sum;
}

static void put_run(struct hy_daemon *d, struct hy_txn *t, bool running)
{
	uint8_t row[17] = { running };
	hy_be_put64(row + 1, d->step_max);
	hy_be_put64(row + 9, mark_sum(d, t));
	hy_txn_put(t, "daemon", HY_LIT("run"), hy_bytes(row, sizeof(row)));
}

void crash_begin(struct hy_daemon *d, struct hy_txn *t)
{
	struct hy_bytes row;
	d->step_max = HY_STEP_RECORDS;
	if (hy_txn_get(t, "daemon", HY_LIT("run"), &row) == HY_OK && row.size == 17 && row.data[0] &&
		hy_be_get64(row.data + 9) == mark_sum(d, t)) {
		uint64_t before = hy_be_get64(row.data + 1);
		d->step_max = before / 4 > 1 ? before / 4 : 1;
		hy_warn("daemon.recover",
			"daemon=%s the last life did not end by itself and got nothing done; steps of %zu now",
			d->service->name, d->step_max);
	}
	put_run(d, t, true);
}

void crash_end(struct hy_daemon *d)
{
	struct hy_txn *t = hy_txn_begin(d->db, HY_WRITE);
	put_run(d, t, false);
	hy_txn_commit(&t);
}

/* ---- tries ---- */

static struct hy_key try_key(const char *of)
{
	struct hy_key k = { 0 };
	hy_key_bytes(&k, "try/", 4);
	hy_key_bytes(&k, of, strlen(of));
	return k;
}

/* Row: how many tries, of what. */
static int note_try(struct hy_daemon *d, const char *of, struct hy_bytes what, uint64_t *tries)
{
	struct hy_key k = try_key(of), row = { 0 };
	struct hy_bytes old;
	struct hy_txn *t = hy_txn_begin(d->db, HY_WRITE);
	*tries = 1;
	what.size = what.size < sizeof(row.data) - 8 ? what.size : sizeof(row.data) - 8;
	if (hy_txn_get(t, "daemon", hy_key_view(&k), &old) == HY_OK && old.size > 8 &&
		hy_bytes_equal(hy_bytes(old.data + 8, old.size - 8), what))
		*tries = hy_be_get64(old.data) + 1;
	hy_key_u64(&row, *tries);
	hy_key_bytes(&row, what.data, what.size);
	hy_txn_put(t, "daemon", hy_key_view(&k), hy_key_view(&row));
	return hy_txn_commit(&t);
}

/* One record or one row is about to be tried. HY_CRASHED: it was tried five times, and is a dead letter now. */
int crash_note_try(struct hy_daemon *d, size_t works, int64_t now_ms)
{
	if (d->step_max > 1 || (works == 0 && d->due_count == 0))
		return HY_OK;
	uint64_t tries;
	uint8_t seq[8];
	int err;
	if (d->due_count) {
		err = note_try(d, d->due[0].timer->table, hy_key_view(&d->due[0].key), &tries);
		if (err || tries <= TRIES)
			return err;
		err = step_bury_due(d, &d->due[0], HY_CRASHED, now_ms);
	} else {
		struct work *w = &d->works[0];
		hy_be_put64(seq, w->record.seq);
		err = note_try(d, w->input->def->stream, hy_bytes(seq, 8), &tries);
		if (err || tries <= TRIES)
			return err;
		err = step_bury(d, w, HY_CRASHED, now_ms);
	}
	return err ? err : HY_CRASHED;
}

/* In the transaction of the step that got there. */
int crash_passed(struct hy_daemon *d, struct hy_txn *t, size_t works)
{
	if (works == 0 || d->step_max == HY_STEP_RECORDS)
		return HY_OK;
	if (d->step_max == 1) {
		struct hy_key k = try_key(d->works[0].input->def->stream);
		hy_txn_del(t, "daemon", hy_key_view(&k));
	}
	d->step_max = d->step_max * 2 < HY_STEP_RECORDS ? d->step_max * 2 : HY_STEP_RECORDS;
	return HY_OK;
}

/* ---- crash points ---- */

#ifdef HY_CRASH_POINTS
void hy_crash_point(const char *name)
{
	static _Atomic int passed;
	const char *at = getenv("HUIYIN_CRASH_AT"), *colon = at ? strrchr(at, ':') : NULL;
	if (!colon || strlen(name) != (size_t)(colon - at) || strncmp(at, name, (size_t)(colon - at)) != 0)
		return;
	if (atomic_fetch_add(&passed, 1) + 1 == atoi(colon + 1))
		_exit(137);
}
#endif
