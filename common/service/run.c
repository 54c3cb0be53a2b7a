/* A daemon running: the server thread beside the writer's loop, signals, and how long the writer may sleep. */
#include "service/daemon.h"

#include <signal.h>
#ifdef HY_SYSTEMD
#include <systemd/sd-daemon.h>
#endif

/* In a flood work() gets its turn this often: what it does (a batch of mail files takes some 50 ms) would hold up everything behind. */
enum { WORK_PAUSE_MS = 1000 };

/* An answer that comes within this time spares somebody a second copy, or staff a question; `huiyin up` and systemd wait longer than that. */
enum { LINGER_MS = 5000, LINGER_TURN_MS = 100 };

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

void daemon_work(struct hy_daemon *d)
{
	int64_t now = hy_mono_ms(), flood = behind(d) ? d->worked_at + WORK_PAUSE_MS : 0;
	d->work_at = !d->service->work ? NEVER : flood > d->work_pause ? flood : d->work_pause;
	if (now < d->work_at)
		return;
	d->worked_at = now;
	int64_t ms = d->service->work(d, d->self);
	d->work_at = ms < 0 ? NEVER : hy_mono_ms() + ms;
}

void hy_daemon_work_soon(struct hy_daemon *d)
{
	if (d->service->work)
		d->work_at = 0;
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

static int linger(struct hy_daemon *d)
{
	int err = HY_OK;
	int64_t until = hy_mono_ms() + LINGER_MS;
	while (err == HY_OK && d->service->lingers && d->service->lingers(d, d->self) && hy_mono_ms() < until) {
		enum step_result result = step_run(d);
		daemon_work(d);
		err = hy_loop_turn(d->loop, soonest(until_wanted(d, result, LINGER_TURN_MS), LINGER_TURN_MS));
	}
	return err;
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
			daemon_work(d);
		err = hy_loop_turn(d->loop, until_wanted(d, result, upkeep_ms));
	}
	tell_manager("STOPPING=1");
	err = err ? err : linger(d);
	stop_server(d);
	hy_info("daemon.stopped", "daemon=%s", d->service->name);
	return err ? err : d->server_err;
}
