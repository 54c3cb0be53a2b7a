/* The pool: unpacking and prepare() for a step's records, before the transaction opens. The writer thread works along, so a pool without
 * threads is the same code. Workers touch nothing but their own arena and the records they claimed. */
#include "service/daemon.h"

#include <stdlib.h>
#include <unistd.h>

#define CLAIM 16 /* records a worker takes at once */
#define WORTH_WAKING 48 /* below it waking a thread costs more than it saves */
#define WORKERS_MAX 64

struct worker {
	struct pool *pool;
	pthread_t thread;
	struct hy_arena *arena;
	void *scratch;
	bool runs;
};

struct pool {
	struct hy_daemon *d;
	struct worker workers[WORKERS_MAX + 1]; /* 0 is the writer thread itself */
	size_t count;
	pthread_mutex_t lock;
	pthread_cond_t begin, end;
	uint64_t round;
	size_t busy;
	bool stop;
	struct work *works;
	size_t works_count;
	_Atomic size_t next;
};

void work_open(struct hy_arena *a, struct work *w)
{
	struct hy_fault f;
	w->err = hy_wire_open_parts(a, w->record.bytes, w->input->def->parts, &w->in, &f);
	if (w->err)
		snprintf(w->reason, sizeof(w->reason), "%.150s", f.text);
}

static void prepare_some(struct worker *me)
{
	struct pool *p = me->pool;
	for (;;) {
		size_t at = atomic_fetch_add(&p->next, CLAIM);
		if (at >= p->works_count)
			return;
		size_t end = at + CLAIM < p->works_count ? at + CLAIM : p->works_count;
		for (size_t i = at; i < end; i++) {
			struct work *w = &p->works[i];
			if (w->err)
				continue;
			work_open(me->arena, w);
			if (w->err == HY_OK && w->input->def->prepare)
				w->prepared = w->input->def->prepare(w->in, p->d->view, me->arena, me->scratch);
		}
	}
}

static void *worker_main(void *arg)
{
	struct worker *me = arg;
	struct pool *p = me->pool;
	uint64_t seen = 0;
	pthread_mutex_lock(&p->lock);
	for (;;) {
		while (!p->stop && p->round == seen)
			pthread_cond_wait(&p->begin, &p->lock);
		if (p->stop)
			break;
		seen = p->round;
		pthread_mutex_unlock(&p->lock);
		prepare_some(me);
		pthread_mutex_lock(&p->lock);
		if (--p->busy == 0)
			pthread_cond_signal(&p->end);
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

struct pool *pool_open(struct hy_daemon *d, size_t workers)
{
	struct pool *p = calloc(1, sizeof(*p));
	if (!p)
		hy_panic("no memory for the workers");
	p->d = d;
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->begin, NULL);
	pthread_cond_init(&p->end, NULL);
	p->count = (workers < WORKERS_MAX ? workers : WORKERS_MAX) + 1;
	for (size_t i = 0; i < p->count; i++) {
		struct worker *w = &p->workers[i];
		w->pool = p;
		w->arena = hy_arena_new(
			(size_t)256
			<< 20); /* a step is <= 1 MiB encoded; unpacked at most 16 times that, with room for prepare() */
		w->scratch = d->service->worker_open ? d->service->worker_open(d->self) : NULL;
		if (i > 0)
			w->runs = pthread_create(&w->thread, NULL, worker_main, w) == 0;
	}
	return p;
}

void pool_close(struct pool **pool)
{
	struct pool *p = *pool;
	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	p->stop = true;
	pthread_cond_broadcast(&p->begin);
	pthread_mutex_unlock(&p->lock);
	for (size_t i = 0; i < p->count; i++) {
		struct worker *w = &p->workers[i];
		if (w->runs)
			pthread_join(w->thread, NULL);
		if (p->d->service->worker_close)
			p->d->service->worker_close(w->scratch);
		hy_arena_free(&w->arena);
	}
	pthread_mutex_destroy(&p->lock);
	pthread_cond_destroy(&p->begin);
	pthread_cond_destroy(&p->end);
	free(p);
	*pool = NULL;
}

void pool_prepare(struct pool *p, struct work *works, size_t count)
{
	if (!p || count == 0)
		return;
	bool any = false;
	for (size_t i = 0; i < count && !any; i++)
		any = works[i].input->def->prepare != NULL;
	if (!any)
		return; /* nothing to prepare: unpacking just before the handler is kinder to the caches */
	for (size_t i = 0; i < p->count; i++)
		hy_arena_reset(p->workers[i].arena);
	p->works = works;
	p->works_count = count;
	atomic_store(&p->next, 0);
	size_t helpers = 0;
	if (count >= WORTH_WAKING) {
		pthread_mutex_lock(&p->lock);
		for (size_t i = 1; i < p->count; i++)
			helpers += p->workers[i].runs;
		p->busy = helpers;
		p->round++;
		pthread_cond_broadcast(&p->begin);
		pthread_mutex_unlock(&p->lock);
	}
	prepare_some(&p->workers[0]);
	if (helpers) {
		pthread_mutex_lock(&p->lock);
		while (p->busy > 0)
			pthread_cond_wait(&p->end, &p->lock);
		pthread_mutex_unlock(&p->lock);
	}
}
