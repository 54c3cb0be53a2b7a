#include "service/daemon.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef HY_SYSTEMD
#include <systemd/sd-daemon.h>
#endif

/* clang-format off */
const struct hy_conf_row hy_service_conf[] = {
	{ "public_url", HY_CONF_TEXT, "http://127.0.0.1:8080", "How customers reach the collector's pages; links in notices begin with it", NULL, 0, 0 },
	{ "projects", HY_CONF_TREE, NULL, "Projects as {name, number}; numbers stay with a project for ever. Without it: default, 1", NULL, 0, 0 },
	{ "keys", HY_CONF_TREE, NULL, "API keys as {name, hash, project, scopes, rate}; `huiyin init` makes the first, `huiyin key` the others", NULL, 0, 0 },
	{ "store.quota", HY_CONF_BYTES, "8GiB", "Most that one daemon's store may hold; above 85 % of it intake is refused until there is room", NULL, 1 << 20, (int64_t)1 << 42 },
	{ "retain", HY_CONF_DURATION, "7d", "How long a record stays in a stream after every station has passed it", NULL, 0, 0 },
	{ "keep.closed", HY_CONF_DURATION, "400d", "How long the rows of a finished loop stay before they are folded into counters", NULL, 0, 0 },
	{ "readers.max_lag", HY_CONF_DURATION, "7d", "How far an outside reader of a stream may lag before it loses its place", NULL, 0, 0 },
	{ "follow_up.wait", HY_CONF_DURATION, "7d", "How long a resolved ticket waits for its customers' answers before it closes", NULL, 0, 0 },
	{ "follow_up.receipt", HY_CONF_BOOL, "yes", "Whether a customer is told at once that the feedback has arrived", NULL, 0, 0 },
	{ "log.level", HY_CONF_WORD, "info", "What is logged", "error|warn|info|debug", 0, 0 },
	{ "workers", HY_CONF_INT, "0", "Threads that prepare records beside the writer; 0 = one for each further processor, at most 3", NULL, 0, 64 },
	{ 0 },
};
/* clang-format on */

/* In a flood work() gets its turn this often: what it does (a batch of mail files takes some 50 ms) would hold up everything behind. */
enum { WORK_PAUSE_MS = 250 };

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

uint32_t hy_daemon_project(const struct hy_daemon *d, const char *name)
{
	for (size_t i = 0; i < d->project_count; i++)
		if (strcmp(d->projects[i].name, name) == 0)
			return d->projects[i].number;
	return 0;
}

const char *hy_daemon_project_name(const struct hy_daemon *d, uint32_t number)
{
	for (size_t i = 0; i < d->project_count; i++)
		if (d->projects[i].number == number)
			return d->projects[i].name;
	return NULL;
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

/* ---- configuration ---- */

static void read_projects(struct hy_daemon *d)
{
	const struct hy_conf_node *tree = hy_conf_tree(d->conf, "projects");
	static const char *const known[] = { "name", "number", NULL };
	for (size_t i = 0; tree && i < hy_conf_count(tree); i++) {
		const struct hy_conf_node *p = hy_conf_item(tree, i), *name = hy_conf_get(p, "name"),
					  *number = hy_conf_get(p, "number");
		int64_t n;
		hy_conf_known(p, known);
		if (!name || !hy_conf_scalar(name)[0] || strlen(hy_conf_scalar(name)) > 63) {
			hy_conf_fault(p, "a project has a name of 1 to 63 bytes");
			continue;
		}
		if (!number) {
			hy_conf_fault(p, "project '%s' has no number", hy_conf_scalar(name));
			continue;
		}
		if (!hy_conf_read_int(number, 1, UINT32_MAX, &n))
			continue;
		if (hy_daemon_project(d, hy_conf_scalar(name)) || hy_daemon_project_name(d, (uint32_t)n)) {
			hy_conf_fault(p, "project '%s', number %" PRId64 ": that name or number is taken already",
				hy_conf_scalar(name), n);
			continue;
		}
		if (d->project_count == PROJECTS_MAX) {
			hy_conf_fault(p, "more than %d projects", PROJECTS_MAX);
			return;
		}
		snprintf(d->projects[d->project_count].name, 64, "%s", hy_conf_scalar(name));
		d->projects[d->project_count++].number = (uint32_t)n;
	}
	if (d->project_count == 0) {
		snprintf(d->projects[0].name, 64, "default");
		d->projects[0].number = 1;
		d->project_count = 1;
	}
}

int daemon_configure(struct hy_daemon *d, const char *conf_path, struct hy_buffer *report)
{
	char path[1100];
	snprintf(path, sizeof(path), "%s/huiyin.yaml", d->dir);
	const struct hy_conf_row *tables[] = { hy_service_conf, d->service->conf, NULL };
	int err = hy_conf_open(&d->conf, conf_path ? conf_path : path, tables, report);
	if (err)
		return err;
	read_projects(d);
	hy_keys_free(&d->keys);
	err = hy_keys_read(&d->keys, d, d->conf);
	if (err)
		return err;
	d->retain_ms = hy_conf_int(d->conf, "retain");
	d->max_lag_ms = hy_conf_int(d->conf, "readers.max_lag");
	enum hy_level level;
	if (!d->offline && hy_log_level_parse(hy_conf_text(d->conf, "log.level"), &level))
		hy_log_level = level;
	if (d->service->configure)
		err = d->service->configure(d, d->self);
	int verdict = hy_conf_verdict(d->conf, report);
	return verdict ? verdict : err;
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
	err = hy_loop_open(&d->loop);
	if (err == HY_OK)
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

/* ---- running ---- */

/* Jobs of one turn reach the writer together: woken by the first, it would commit that one alone while the others wait for a commit more. */
static int64_t hand_over(void *arg)
{
	struct hy_daemon *d = arg;
	if (d->handed_over)
		hy_loop_wake(d->loop);
	d->handed_over = false;
	return -1;
}

static void *server_main(void *arg)
{
	struct hy_daemon *d = arg;
	int err = hy_loop_watch_time(d->server_loop, jobs_deliver, d);
	if (err == HY_OK && d->service->serve)
		err = d->service->serve(d, d->server_loop, d->self, &d->server_fault);
	if (err == HY_OK) /* after those of the service: what they submit goes in the same turn */
		err = hy_loop_watch_time(d->server_loop, hand_over, d);
	pthread_mutex_lock(&d->server_lock);
	d->server_err = err;
	d->server_is_ready = true;
	pthread_cond_signal(&d->server_ready);
	pthread_mutex_unlock(&d->server_lock);
	while (err == HY_OK && !atomic_load(&d->server_stop))
		err = hy_loop_turn(d->server_loop, -1);
	if (err) {
		pthread_mutex_lock(&d->server_lock);
		d->server_err = err;
		pthread_mutex_unlock(&d->server_lock);
		hy_daemon_stop(d);
	}
	jobs_deliver(d);
	if (d->service->serve_stop)
		d->service->serve_stop(d, d->self);
	return NULL;
}

static struct hy_daemon *signalled;

static void on_signal(int number)
{
	(void)number;
	atomic_store(&signalled->stop, true);
	hy_loop_wake(signalled->loop);
	hy_loop_wake(signalled->server_loop);
}

static void catch_signals(struct hy_daemon *d)
{
	struct sigaction stop = { .sa_handler = on_signal }, ignore = { .sa_handler = SIG_IGN };
	signalled = d;
	sigaction(SIGTERM, &stop, NULL);
	sigaction(SIGINT, &stop, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
}

static void tell_manager(const char *what)
{
#ifdef HY_SYSTEMD
	sd_notify(0, what);
#else
	(void)what;
#endif
}

static int64_t soonest(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* How long the writer may sleep: until the next row is due, upkeep, work(), or the end of a pause after a failure. */
static int64_t until_wanted(struct hy_daemon *d, enum step_result last, int64_t upkeep_ms)
{
	if (last == STEP_DONE)
		return 0;
	int64_t mono = hy_mono_ms(), wait = upkeep_ms;
	if (d->retry_at > mono)
		return soonest(wait, d->retry_at - mono);
	if (jobs_wait(&d->posts))
		return 0;
	int64_t due = timers_next(d);
	if (due != NEVER)
		wait = soonest(wait, due - hy_now_ms());
	if (d->work_at != NEVER)
		wait = soonest(wait, d->work_at - mono);
	return wait < 0 ? 0 : wait;
}

/* More than a step's worth of records waits on some input. */
static bool behind(const struct hy_daemon *d)
{
	for (size_t i = 0; i < d->input_count && !d->offline; i++) {
		struct hy_follow_state f = hy_follow_state(d->inputs[i].follow);
		if (f.link == HY_LINK_UP && f.head > f.mark.seq + HY_STEP_RECORDS)
			return true;
	}
	return false;
}

static void do_work(struct hy_daemon *d)
{
	int64_t now = hy_mono_ms(), flood = behind(d) ? d->worked_at + WORK_PAUSE_MS : 0;
	d->work_at = !d->service->work ? NEVER : flood > d->work_pause ? flood : d->work_pause;
	if (now < d->work_at)
		return;
	d->worked_at = now;
	int64_t ms = d->service->work(d, d->self);
	d->work_at = ms < 0 ? NEVER : hy_mono_ms() + ms;
}

static int start_server(struct hy_daemon *d)
{
	if (pthread_create(&d->server, NULL, server_main, d) != 0)
		return HY_NO_MEMORY;
	d->server_runs = true;
	pthread_mutex_lock(&d->server_lock);
	while (!d->server_is_ready)
		pthread_cond_wait(&d->server_ready, &d->server_lock);
	int err = d->server_err;
	pthread_mutex_unlock(&d->server_lock);
	if (err)
		hy_error("daemon.start", "daemon=%s error=%s %s", d->service->name, hy_err_name(err),
			d->server_fault.text);
	return err;
}

/* Nothing new is taken on. What has been handed over is kept and answered first; then the server thread ends, and with it whoever came too late. */
static void stop_server(struct hy_daemon *d)
{
	atomic_store(&d->stop, true);
	while (jobs_wait(&d->jobs) && step_run(d) == STEP_DONE)
		;
	jobs_finish(d, jobs_take(&d->jobs), HY_BUSY, true);
	atomic_store(&d->server_stop, true);
	hy_loop_wake(d->server_loop);
	if (d->server_runs)
		pthread_join(d->server, NULL);
	jobs_finish(d, jobs_take(&d->jobs), HY_BUSY, true);
	jobs_deliver(d);
	jobs_finish(d, jobs_take(&d->posts), HY_BUSY, false);
}

int hy_daemon_run(struct hy_daemon *d)
{
	catch_signals(d);
	int err = start_server(d);
	if (err == HY_OK) {
		hy_info("daemon.ready", "daemon=%s version=%s epoch=%" PRIu64 " head=%" PRIu64, d->service->name,
			HY_VERSION, d->epoch, hy_stream_state(d->out).head);
		tell_manager("READY=1");
	}
	while (err == HY_OK && !atomic_load(&d->stop)) {
		int64_t upkeep_ms = upkeep(d);
		enum step_result result = step_run(d);
		if (result == STEP_DONE || hy_mono_ms() >= d->work_at)
			do_work(d);
		err = hy_loop_turn(d->loop, until_wanted(d, result, upkeep_ms));
	}
	tell_manager("STOPPING=1");
	stop_server(d);
	hy_info("daemon.stopped", "daemon=%s", d->service->name);
	return err ? err : d->server_err;
}

/* ---- offline ---- */

int hy_daemon_feed(struct hy_daemon *d, const char *stream, struct hy_bytes record)
{
	struct input *in = NULL;
	for (size_t i = 0; i < d->input_count; i++)
		if (strcmp(d->inputs[i].def->stream, stream) == 0)
			in = &d->inputs[i];
	if (!in)
		hy_panic("%s does not read %s", d->service->name, stream);
	struct work w = { .input = in, .record = { .seq = ++in->fed, .bytes = record } };
	return step_feed(d, &w);
}

int hy_daemon_tick(struct hy_daemon *d)
{
	struct hy_txn *t = hy_txn_begin(d->db, HY_READ);
	timers_load(d, t);
	hy_txn_abort(&t);
	do {
		enum step_result result;
		while ((result = step_run(d)) == STEP_DONE)
			;
		if (result == STEP_LATER)
			return HY_BUSY;
		do_work(d);
	} while (jobs_wait(&d->jobs) || jobs_wait(&d->posts));
	return HY_OK;
}

int hy_daemon_ask(struct hy_daemon *d, const char *verb, const char *const *name_value_pairs, const char **json)
{
	struct ask_words words;
	Huiyin__Ask ask;
	struct hy_id id = hy_step_id(&(struct hy_step){ .daemon = d, .now_ms = hy_now_ms() });
	ask_fill(&ask, &words, &id, verb, name_value_pairs);
	struct hy_fault f = { 0 };
	int err = control_run(d, &ask, &d->answer, &f);
	if (err) {
		hy_buffer_clear(&d->answer);
		hy_buffer_text(&d->answer, f.text);
	}
	if (json)
		*json = hy_buffer_string(&d->answer);
	return err;
}

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
