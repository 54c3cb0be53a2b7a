#include "service/daemon.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const own_tables[] = { "daemon", "dead", "asked", "stream", NULL };

/* ---- small services to the service ---- */

const struct hy_conf *hy_daemon_conf(const struct hy_daemon *d)
{
	return d->conf;
}
const char *hy_daemon_dir(const struct hy_daemon *d)
{
	return d->dir;
}
struct hy_store *hy_daemon_store(const struct hy_daemon *d)
{
	return d->db;
}
struct hy_loop *hy_daemon_loop(const struct hy_daemon *d)
{
	return d->loop;
}
struct hy_stream *hy_daemon_output(struct hy_daemon *d)
{
	return d->out;
}

const char *hy_daemon_path(const struct hy_daemon *d, const char *relative)
{
	static _Thread_local char path[2200];
	snprintf(path, sizeof(path), "%s/%s", d->dir, relative);
	return path;
}

void hy_count(struct hy_daemon *d, const char *name, int64_t n)
{
	int count = atomic_load(&d->counter_count);
	for (int i = 0; i < count; i++)
		if (d->counters[i].name == name || strcmp(d->counters[i].name, name) == 0) {
			atomic_fetch_add(&d->counters[i].value, n);
			return;
		}
	pthread_mutex_lock(&d->counter_lock);
	int now = atomic_load(&d->counter_count);
	bool added = now > count; /* another thread was first: look again */
	if (!added && now < COUNTERS_MAX) {
		d->counters[now].name = name;
		atomic_store(&d->counters[now].value, n);
		atomic_store(&d->counter_count, now + 1);
	}
	pthread_mutex_unlock(&d->counter_lock);
	if (added)
		hy_count(d, name, n);
}

void hy_daemon_wake(struct hy_daemon *d)
{
	if (d->loop)
		hy_loop_wake(d->loop);
}

void hy_daemon_stop(struct hy_daemon *d)
{
	atomic_store(&d->stop, true);
	hy_daemon_wake(d);
}

/* ---- open and close ---- */

/* Epoch, counters and the size of the first step, read and written before anybody is spoken to. */
static int begin_life(struct hy_daemon *d)
{
	struct hy_bytes row;
	struct hy_txn *t = hy_txn_begin(d->db, HY_WRITE);
	d->epoch = (uint64_t)hy_txn_number(t, "daemon", HY_LIT("epoch")) + 1;
	hy_txn_count(t, "daemon", HY_LIT("epoch"), 1, NULL);
	if (hy_txn_get(t, "daemon", HY_LIT("tally"), &row) == HY_OK && row.size == 24) {
		d->tally.seen = (int64_t)hy_be_get64(row.data);
		d->tally.emitted = (int64_t)hy_be_get64(row.data + 8);
		d->tally.last_ms = (int64_t)hy_be_get64(row.data + 16);
	}
	d->settled = d->tally;
	d->ids.last_ms = d->tally.last_ms;
	crash_begin(d, t);
	timers_load(d, t);
	return hy_txn_commit(&t);
}

static int open_store(struct hy_daemon *d, struct hy_fault *f)
{
	const char *tables[HY_STORE_TABLES_MAX + 1];
	static _Thread_local char log[64];
	size_t n = 0;
	snprintf(log, sizeof(log), "log.%s", d->service->output);
	for (const char *const *t = own_tables; *t; t++)
		tables[n++] = *t;
	tables[n++] = log;
	for (const char *const *t = d->service->tables; t && *t; t++) {
		if (n == HY_STORE_TABLES_MAX)
			hy_panic("%s declares too many tables", d->service->name);
		tables[n++] = *t;
	}
	tables[n] = NULL;
	struct hy_store_options o = { .tables = tables,
		.maker = d->service->name,
		.version = d->service->version ? d->service->version : 1,
		.quota_bytes = (uint64_t)hy_conf_int(d->conf, "store.quota") };
	char dir[1200];
	snprintf(dir, sizeof(dir), "%s/state", d->dir);
	if (mkdir(dir, 0711) != 0 && access(dir, F_OK) != 0)
		return hy_fail(f, HY_IO, "%s: can't make it", dir);
	snprintf(dir, sizeof(dir), "%s/state/%s", d->dir, d->service->name);
	int err = hy_store_open(&d->db, dir, &o, f);
	return err ? err : hy_stream_open(&d->out, d->db, d->service->output);
}

static int open_links(struct hy_daemon *d, struct hy_fault *f)
{
	char endpoint[1300];
	for (size_t i = 0; i < d->input_count; i++) {
		const struct hy_input *def = d->inputs[i].def;
		snprintf(endpoint, sizeof(endpoint), "ipc://%s/run/%s.sock", d->dir, def->writer);
		struct hy_follow_options o = { .db = d->db,
			.peer = d->service->name,
			.stream = def->stream,
			.endpoint = endpoint,
			.epoch = d->epoch,
			.loop = d->loop,
			.from = "oldest" };
		int err = hy_follow_open(&d->inputs[i].follow, &o, f);
		if (err)
			return err;
	}
	return HY_OK;
}

/* Programs of departments follow a stream with a key of scope `follow`. */
static bool may_follow(void *arg, const char *key, const char *peer, const char *stream)
{
	const struct hy_api_key *k = hy_keys_find_text(hy_daemon_keys(arg), hy_bytes_text(key));
	(void)peer, (void)stream;
	return k && k->may_follow;
}

static void add_inputs(struct hy_daemon *d)
{
	/* return inputs first in each step: what comes back frees what waits */
	for (int returns = 1; returns >= 0; returns--)
		for (const struct hy_input *in = d->service->inputs; in && in->stream; in++)
			if (in->returns == (bool)returns) {
				HY_ASSERT(d->input_count < INPUTS_MAX);
				d->inputs[d->input_count++].def = in;
			}
	for (const struct hy_timer *t = d->service->timers; t && t->table; t++)
		d->timer_count++;
	HY_ASSERT(d->timer_count <= TIMERS_MAX);
}

static size_t worker_count(struct hy_daemon *d)
{
	int64_t n = hy_conf_int(d->conf, "workers");
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	if (n > 0)
		return (size_t)n;
	return cores < 2 ? 0 : cores > 4 ? 3 : (size_t)cores - 1;
}

int hy_daemon_open(struct hy_daemon **out, const struct hy_service *service, void *self,
	const struct hy_daemon_options *o, struct hy_fault *f)
{
	struct hy_daemon *d = calloc(1, sizeof(*d));
	if (!d)
		return hy_fail(f, HY_NO_MEMORY, "no memory for the daemon");
	*out = d;
	d->service = service;
	d->self = self;
	d->offline = o->offline;
	d->started_ms = hy_now_ms();
	d->started_mono = hy_mono_ms();
	snprintf(d->dir, sizeof(d->dir), "%s", o->dir);
	char *absolute = realpath(o->dir, NULL);
	if (absolute)
		snprintf(d->dir, sizeof(d->dir), "%s", absolute);
	free(absolute);
	pthread_mutex_init(&d->counter_lock, NULL);
	pthread_mutex_init(&d->server_lock, NULL);
	pthread_cond_init(&d->server_ready, NULL);
	jobs_open(&d->jobs);
	jobs_open(&d->done);
	jobs_open(&d->posts);
	add_inputs(d);

	struct hy_buffer report = { 0 };
	int err = daemon_configure(d, o->conf_path, &report);
	if (report.size)
		hy_fail(f, err, "%s", hy_buffer_string(&report));
	hy_buffer_free(&report);
	if (err == HY_OK)
		err = open_store(d, f);
	if (err == HY_OK)
		err = begin_life(d);
	if (err)
		return err;
	d->works = calloc(HY_STEP_RECORDS, sizeof(*d->works));
	d->arena = hy_arena_new((size_t)64 << 20);
	if (!d->works)
		return hy_fail(f, HY_NO_MEMORY, "no memory for a step");
	d->pool = pool_open(d, d->offline ? 0 : worker_count(d));
	err = hy_loop_open(&d->loop); /* offline too: what a service has on it a test turns by hand */
	if (err)
		return err;
	if (service->open) {
		err = service->open(d, self, f);
		if (err)
			return err;
	}
	if (service->view)
		d->view = service->view(d, self);
	if (d->offline)
		return HY_OK;
	char run[1200];
	snprintf(run, sizeof(run), "%s/run", d->dir);
	if (mkdir(run, 0700) != 0 && access(run, W_OK) != 0)
		return hy_fail(f, HY_IO, "%s: can't make or use it", run);
	err = hy_loop_open(&d->server_loop);
	if (err == HY_OK) {
		char endpoint[1300];
		snprintf(endpoint, sizeof(endpoint), "ipc://%s/run/%s.sock", d->dir, service->name);
		d->streams[0] = d->out;
		struct hy_serve_options so = { .db = d->db,
			.streams = d->streams,
			.endpoint = endpoint,
			.loop = d->server_loop,
			.allowed = may_follow,
			.arg = d };
		err = hy_serve_open(&d->serve, &so, f);
	}
	if (err == HY_OK)
		err = control_open(d, f);
	return err ? err : open_links(d, f);
}

void hy_daemon_close(struct hy_daemon **daemon)
{
	struct hy_daemon *d = *daemon;
	if (!d)
		return;
	for (size_t i = 0; i < d->input_count; i++)
		hy_follow_close(&d->inputs[i].follow);
	if (d->control)
		hy_loop_unwatch_socket(d->loop, d->control);
	hy_socket_close(&d->control);
	hy_serve_close(&d->serve);
	pool_close(&d->pool);
	if (d->service->close)
		d->service->close(d, d->self);
	if (d->db && d->epoch)
		crash_end(d);
	hy_stream_close(&d->out);
	hy_store_close(&d->db);
	hy_keys_free(&d->keys);
	hy_conf_close(&d->conf);
	hy_loop_close(&d->loop);
	hy_loop_close(&d->server_loop);
	hy_arena_free(&d->arena);
	hy_buffer_free(&d->pack);
	hy_buffer_free(&d->answer);
	free(d->works);
	free(d->due);
	jobs_close(&d->jobs);
	jobs_close(&d->done);
	jobs_close(&d->posts);
	pthread_mutex_destroy(&d->counter_lock);
	pthread_mutex_destroy(&d->server_lock);
	pthread_cond_destroy(&d->server_ready);
	free(d);
	*daemon = NULL;
}
