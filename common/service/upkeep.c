/* What happens once a second, whatever else goes on: how full the store is and what follows from it, trimming what every reader has passed,
 * keeping the readers' marks, forgetting old answers and outside readers that stayed away.
 *
 *     60 %  `retain` gives way: what every ring reader has passed goes, oldest first
 *     70 %  a warning that names the largest table and the setting to shorten
 *     85 %  forward input pauses and intake refuses; return inputs, acknowledgements, deletes and erasure go on, from the reserve */
#include "service/daemon.h"

#define GIVE_WAY 0.60
#define WARN_AT 0.70
#define FULL_AT 0.85
#define FULL_UNTIL 0.84 /* a little below, so that it does not flutter */
#define TRIM_BLOCKS 256
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
		hy_error("store.full", "daemon=%s why=%s share=%.2f largest=%s largest_bytes=%" PRIu64 " shorten=\"%s\"", d->service->name, why == 2 ? "disk" : "quota",
			d->usage.share, d->usage.largest, d->usage.largest_bytes, setting_for(d->usage.largest));
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

/* An outside reader that is older than max_lag, or whose backlog fills a fifth of the quota, loses its place. */
static void drop_outsiders(struct hy_daemon *d, struct hy_txn *t)
{
	struct hy_reader readers[64];
	size_t n = hy_serve_readers(d->serve, readers, 64);
	struct hy_stream_state s = hy_stream_state(d->out);
	char log[64];
	snprintf(log, sizeof(log), "log.%s", d->service->output);
	bool large = d->usage.quota_bytes && strcmp(d->usage.largest, log) == 0 && d->usage.largest_bytes > d->usage.quota_bytes / 5;
	bool old = s.oldest_ms && s.oldest_ms < hy_now_ms() - d->max_lag_ms;
	for (size_t i = 0; i < n; i++) {
		if (!readers[i].outside || readers[i].kept >= s.oldest || (!large && !old))
			continue;
		hy_warn("reader.dropped", "peer=%s stream=%s mark=%" PRIu64 " oldest=%" PRIu64 " why=%s", readers[i].peer, readers[i].stream, readers[i].kept, s.oldest,
			old ? "max_lag" : "quota");
		hy_serve_forget(d->serve, t, readers[i].peer, readers[i].stream);
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

static bool something_to_tidy(struct hy_daemon *d, bool minute)
{
	if (minute || !d->serve)
		return minute;
	struct hy_reader readers[64];
	size_t n = hy_serve_readers(d->serve, readers, 64);
	for (size_t i = 0; i < n; i++)
		if (readers[i].committed != readers[i].kept)
			return true;
	struct hy_stream_state s = hy_stream_state(d->out);
	return s.head >= s.oldest && hy_serve_floor(d->serve, d->service->output, d->service->readers, !d->giving_way) >= s.oldest &&
		(d->giving_way || s.oldest_ms < hy_now_ms() - d->retain_ms);
}

int64_t upkeep(struct hy_daemon *d)
{
	int64_t now = hy_mono_ms();
	if (now < d->upkeep_at)
		return d->upkeep_at - now;
	d->upkeep_at = now + 1000;
	bool minute = now >= d->sweep_at;
	if (minute) {
		d->sweep_at = now + 10000;
		hy_store_sweep(d->db);
	}
	if (hy_store_usage(d->db, &d->usage) == HY_OK) {
		double share = d->usage.share;
		d->giving_way = share > GIVE_WAY;
		if (share > WARN_AT && !d->warned)
			hy_warn("store.filling", "daemon=%s share=%.2f largest=%s shorten=\"%s\"", d->service->name, share, d->usage.largest, setting_for(d->usage.largest));
		d->warned = share > WARN_AT;
		int full = atomic_load(&d->full);
		if (full == 2 && now >= d->disk_probe_at)
			set_full(d, share > FULL_AT ? 1 : 0); /* the next step is the probe: it comes back here when the disk is still full */
		else if (full == 0 && share > FULL_AT)
			set_full(d, 1);
		else if (full == 1 && share < FULL_UNTIL)
			set_full(d, 0);
		if (d->usage.oldest_reader_s > 5)
			hy_warn("store.reader", "daemon=%s a reader holds pages for %.0f s", d->service->name, d->usage.oldest_reader_s);
	}
	if (something_to_tidy(d, minute)) {
		int err = step_alone(d, tidy, NULL);
		if (err == HY_FULL)
			upkeep_disk_full(d);
		if (err == HY_OK && d->giving_way)
			d->upkeep_at = now + 50; /* more blocks may be ready to go */
	}
	return d->upkeep_at - hy_mono_ms() > 0 ? d->upkeep_at - hy_mono_ms() : 0;
}
