/* Jobs on their way between the threads: queues that keep their order, what of them one step takes, and their way back. */
#include "service/daemon.h"

void jobs_open(struct job_queue *q)
{
	pthread_mutex_init(&q->lock, NULL);
	q->last = &q->first;
}

void jobs_close(struct job_queue *q)
{
	pthread_mutex_destroy(&q->lock);
}

bool jobs_wait(struct job_queue *q)
{
	pthread_mutex_lock(&q->lock);
	bool some = q->first != NULL;
	pthread_mutex_unlock(&q->lock);
	return some;
}

static struct hy_job *last_of(struct hy_job *chain)
{
	while (chain->next)
		chain = chain->next;
	return chain;
}

static void put_behind(struct job_queue *q, struct hy_job *chain)
{
	struct hy_job *last = last_of(chain);
	pthread_mutex_lock(&q->lock);
	*q->last = chain;
	q->last = &last->next;
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

void jobs_put_back(struct job_queue *q, struct hy_job *chain)
{
	if (!chain)
		return;
	struct hy_job *last = last_of(chain);
	pthread_mutex_lock(&q->lock);
	last->next = q->first;
	if (!q->first)
		q->last = &last->next;
	q->first = chain;
	pthread_mutex_unlock(&q->lock);
}

struct hy_job *jobs_cut(struct job_queue *q)
{
	struct hy_job *chain = jobs_take(q), *last = NULL;
	size_t records = 0, bytes = 0;
	for (struct hy_job *j = chain; j; last = j, j = j->next) {
		records += j->records;
		bytes += j->bytes;
		if (last && (records > HY_STEP_RECORDS || bytes > JOB_STEP_BYTES)) {
			last->next = NULL;
			jobs_put_back(q, j);
			break;
		}
	}
	return chain;
}

struct hy_job *jobs_without(struct hy_job *chain, struct hy_job *one)
{
	for (struct hy_job **at = &chain; *at; at = &(*at)->next)
		if (*at == one) {
			*at = one->next;
			one->next = NULL;
			break;
		}
	return chain;
}

int jobs_run(struct hy_daemon *d, struct hy_step *s, struct hy_job *chain, struct hy_job **bad)
{
	for (struct hy_job *j = chain; j; j = j->next) {
		hy_arena_reset(d->arena);
		int err = j->run(s, j, d->self);
		if (err == HY_OK)
			err = hy_txn_err(s->txn);
		if (err) {
			*bad = j;
			return err;
		}
	}
	return HY_OK;
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
	int64_t records = 0, bytes = 0;
	for (struct hy_job *j = chain; j; j = j->next) {
		records += (int64_t)j->records;
		bytes += (int64_t)j->bytes;
		j->err = err;
	}
	atomic_fetch_sub(&d->job_records, records);
	atomic_fetch_sub(&d->job_bytes, bytes);
	put_behind(&d->done, chain);
	hy_loop_wake(d->server_loop);
}

int64_t jobs_deliver(void *arg)
{
	struct hy_daemon *d = arg;
	for (struct hy_job *j = jobs_take(&d->done), *next; j; j = next) {
		next = j->next;
		j->done(j, j->err, d->self);
	}
	return -1;
}

int hy_daemon_submit(struct hy_daemon *d, struct hy_job *job)
{
	if (!d->offline) {
		int64_t records = atomic_fetch_add(&d->job_records, (int64_t)job->records);
		int64_t bytes = atomic_fetch_add(&d->job_bytes, (int64_t)job->bytes);
		if (records > JOB_RECORDS_MAX || bytes > JOB_BYTES_MAX || atomic_load(&d->stop)) {
			atomic_fetch_sub(&d->job_records, (int64_t)job->records);
			atomic_fetch_sub(&d->job_bytes, (int64_t)job->bytes);
			return HY_BUSY;
		}
	}
	job->next = NULL;
	put_behind(&d->jobs, job);
	d->handed_over = true;
	return HY_OK;
}

void hy_daemon_post(struct hy_daemon *d, struct hy_job *job)
{
	job->next = NULL;
	put_behind(&d->posts, job);
}
