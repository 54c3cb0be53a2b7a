/* What happens once a second, more often while much is written: how full the store is and what follows from it, trimming what every reader has passed,
 * keeping the readers' marks, forgetting old answers and outside readers that stayed away.
 *
 *     60 %  `retain` gives way: what every ring reader has passed goes, oldest first
 *     70 %  a warning that names the largest table and the setting to shorten
 *     85 %  forward input pauses and intake refuses; return inputs, acknowledgements, deletes and erasure go on, from the reserve */
#include "service/daemon.h"

#define EVERY_MS 1000
#define SWEEP_EVERY_MS 10000
#define GIVE_WAY 0.60
#define WARN_AT 0.70
#define FULL_AT 0.85
#define FULL_UNTIL 0.84 /* a little below, so that it does not flutter */
#define TRIM_BLOCKS 256
#define READERS_MAX 256 /* of all streams here */
#define GROWS_PART 64 /* when a station has written this part of its quota, a second is too long: */
#define LOOK_AGAIN_MS 20 /* then this often */
#define PROBE_BYTES ((size_t)1 << 20)
#define CLOCK_JUMP_MS ((int64_t)300000)
#define CLOCK_PAUSE_MS ((int64_t)60000)
#define ENVELOPE_AT_MS 5 /* as in envelope.proto */
#define ANSWERS_KEPT_MS ((int64_t)86400000)

static const char *setting_for(const char *table)
{
	if (strncmp(table, "log.", 4) == 0)
		return "retain, or the reader that lags (huiyin status)";
	if (strcmp(table, "dedupe") == 0)
		return "dedupe.window or dedupe.ids";
	return "keep.closed";
}

static void pause_forward(struct hy_daemon *d, bool pause)
{
	for (size_t i = 0; i < d->input_count; i++)
		if (d->inputs[i].follow && !d->inputs[i].def->returns)
			hy_follow_pause(d->inputs[i].follow, pause);
}

static void set_full(struct hy_daemon *d, int why)
{
	int was = atomic_exchange(&d->full, why);
	if (was == why)
		return;
	if (why)
		hy_error("store.full",
			"daemon=%s why=%s share=%.2f largest=%s largest_bytes=%" PRIu64 " shorten=\"%s\"",
			d->service->name, why == 2 ? "disk" : "quota", d->usage.share, d->usage.largest,
			d->usage.largest_bytes, setting_for(d->usage.largest));
	else
		hy_info("store.freed", "daemon=%s share=%.2f", d->service->name, d->usage.share);
	pause_forward(d, why != 0);
}

void upkeep_disk_full(struct hy_daemon *d)
{
	hy_store_sweep(d->db);
	d->disk_probe_at = hy_mono_ms() + 1000;
	set_full(d, 2);
}

bool hy_daemon_full(const struct hy_daemon *d)
{
	return atomic_load(&d->full) != 0;
}

/* Whole blocks that every reader has passed, and that are older than `retain` unless it has given way. */
int upkeep_trim(struct hy_daemon *d, struct hy_txn *t)
{
	struct hy_stream_state s = hy_stream_state(d->out);
	if (s.head < s.oldest)
		return HY_OK;
	uint64_t floor = hy_serve_floor(d->serve, d->service->output, d->service->readers, !d->giving_way);
	int64_t before = d->giving_way ? INT64_MAX : hy_now_ms() - d->retain_ms;
	if (floor < s.oldest || s.oldest_ms >= before)
		return HY_OK;
	size_t removed;
	return hy_stream_trim(d->out, t, floor, before, TRIM_BLOCKS, &removed);
}

static int first_at(const struct hy_record *r, void *arg)
{
	int64_t *at_ms = arg;
	struct hy_wire_item item;
	for (size_t at = 0; hy_wire_next(r->bytes, &at, &item, NULL);)
		if (item.number == ENVELOPE_AT_MS)
			*at_ms = (int64_t)item.value;
	return HY_EXISTS; /* one is enough */
}

/* When the first record was made that this reader has not committed; INT64_MAX when there is none. */
static int64_t waits_since(
	struct hy_daemon *d, struct hy_txn *t, const struct hy_reader *r, const struct hy_stream_state *s)
{
	int64_t at_ms = s->oldest_ms;
	uint64_t at;
	if (r->kept >= s->head)
		return INT64_MAX;
	hy_stream_read(d->out, t, r->kept, first_at, &at_ms, &at);
	return at_ms;
}

/* An outside reader whose next record is older than max_lag, or whose backlog fills a fifth of the quota, loses its place. */
static void drop_outsiders(struct hy_daemon *d, struct hy_txn *t)
{
	struct hy_reader readers[READERS_MAX];
	size_t n = hy_serve_readers(d->serve, readers, READERS_MAX);
	struct hy_stream_state s = hy_stream_state(d->out);
	char log[64];
	snprintf(log, sizeof(log), "log.%s", d->service->output);
	double bytes = strcmp(d->usage.largest, log) == 0 ? (double)d->usage.largest_bytes : 0,
	       records = (double)(s.head + 1 - s.oldest);
	/* What `retain` or a station keeps is not held by them. */
	int64_t lag_ms = d->max_lag_ms > d->retain_ms ? d->max_lag_ms : d->retain_ms;
	uint64_t floor = hy_serve_floor(d->serve, d->service->output, d->service->readers, false);
	for (size_t i = 0; i < n; i++) {
		const struct hy_reader *r = &readers[i];
		if (!r->outside || r->kept >= s.head || r->kept >= floor)
			continue;
		bool large = bytes * (double)(s.head - r->kept) > (double)d->usage.quota_bytes / 5 * records;
		bool old = waits_since(d, t, r, &s) < hy_now_ms() - lag_ms;
		if (!large && !old)
			continue;
		hy_warn("reader.dropped", "peer=%s stream=%s mark=%" PRIu64 " head=%" PRIu64 " why=%s", r->peer,
			r->stream, r->kept, s.head, old ? "max_lag" : "quota");
		hy_serve_forget(d->serve, t, r->peer, r->stream);
	}
}

static int tidy(struct hy_step *s, void *arg)
{
	struct hy_daemon *d = s->daemon;
	(void)arg;
	if (d->serve)
		drop_outsiders(d, s->txn);
	control_forget(d, s->txn, s->now_ms - ANSWERS_KEPT_MS);
	return HY_OK; /* marks and trimming come with every commit */
}

static bool something_to_tidy(struct hy_daemon *d, bool in_any_case)
{
	if (in_any_case || !d->serve)
		return in_any_case;
	struct hy_reader readers[READERS_MAX];
	size_t n = hy_serve_readers(d->serve, readers, READERS_MAX);
	for (size_t i = 0; i < n; i++)
		if (readers[i].committed != readers[i].kept)
			return true;
	struct hy_stream_state s = hy_stream_state(d->out);
	return s.head >= s.oldest &&
	       hy_serve_floor(d->serve, d->service->output, d->service->readers, !d->giving_way) >= s.oldest &&
	       (d->giving_way || s.oldest_ms < hy_now_ms() - d->retain_ms);
}

static int put_probe(struct hy_step *s, void *arg)
{
	(void)arg;
	void *room = hy_txn_reserve(s->txn, "daemon", HY_LIT("probe"), PROBE_BYTES, false);
	if (room)
		memset(room, 0, PROBE_BYTES);
	return hy_txn_err(s->txn);
}

static int del_probe(struct hy_step *s, void *arg)
{
	(void)arg;
	hy_txn_del(s->txn, "daemon", HY_LIT("probe"));
	return hy_txn_err(s->txn);
}

/* Whether the disk takes a step's worth again. Asked before anybody is told that there is room. */
static bool disk_has_room(struct hy_daemon *d)
{
	bool room = step_alone(d, put_probe, NULL) == HY_OK;
	return step_alone(d, del_probe, NULL) == HY_OK && room;
}

static void look_at_fullness(struct hy_daemon *d, int64_t mono)
{
	if (hy_store_usage(d->db, &d->usage) != HY_OK)
		return;
	d->grown = 0;
	double share = d->usage.share;
	int full = atomic_load(&d->full);
	d->giving_way = share > GIVE_WAY;
	if (share > WARN_AT && !d->warned)
		hy_warn("store.filling", "daemon=%s share=%.2f largest=%s shorten=\"%s\"", d->service->name, share,
			d->usage.largest, setting_for(d->usage.largest));
	d->warned = share > WARN_AT;
	if (full == 2 && mono >= d->disk_probe_at && disk_has_room(d)) {
		d->retry_at = d->retry_ms = 0;
		set_full(d, share > FULL_AT ? 1 : 0);
	} else if (full == 0 && share > FULL_AT) {
		set_full(d, 1);
	} else if (full == 1 && share < FULL_UNTIL) {
		set_full(d, 0);
	}
	if (d->usage.oldest_reader_s > 5)
		hy_warn("store.reader", "daemon=%s a reader holds pages for %.0f s", d->service->name,
			d->usage.oldest_reader_s);
}

/* A clock that was set, or a machine that slept: what seems due all at once may not be, so outside work waits a minute. */
static void look_at_clock(struct hy_daemon *d, int64_t mono)
{
	int64_t gap = hy_now_ms() - mono, jump = gap - d->clock_gap;
	if (d->clock_gap && (jump > CLOCK_JUMP_MS || jump < -CLOCK_JUMP_MS)) {
		hy_warn("clock.jump", "daemon=%s by_ms=%" PRId64 " pause_ms=%" PRId64, d->service->name, jump,
			CLOCK_PAUSE_MS);
		d->work_pause = mono + CLOCK_PAUSE_MS;
	}
	d->clock_gap = gap;
}

int64_t upkeep(struct hy_daemon *d)
{
	int64_t now = hy_mono_ms();
	bool grows = d->grown > d->usage.quota_bytes / GROWS_PART && now >= d->looked_at + LOOK_AGAIN_MS;
	if (now < d->upkeep_at && !grows)
		return d->upkeep_at - now;
	d->upkeep_at = now + EVERY_MS;
	d->looked_at = now;
	bool tidy_up = now >= d->sweep_at;
	if (tidy_up) {
		d->sweep_at = now + SWEEP_EVERY_MS;
		hy_store_sweep(d->db);
	}
	look_at_clock(d, now);
	look_at_fullness(d, now);
	if (something_to_tidy(d, tidy_up)) {
		int err = step_alone(d, tidy, NULL);
		if (err == HY_FULL)
			upkeep_disk_full(d);
		if (err == HY_OK && d->giving_way)
			d->upkeep_at = now + 50; /* more blocks may be ready to go */
	}
	int64_t wait = d->upkeep_at - hy_mono_ms();
	return wait > 0 ? wait : 0;
}
