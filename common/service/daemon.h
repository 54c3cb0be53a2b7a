/* What the skeleton's rooms share; services see service.h alone.
 *   daemon.c    opens and closes
 *   settings.c  huiyin.yaml as every daemon reads it
 *   run.c       running: threads, signals, the writer's loop
 *   offline.c   driven by hand
 *   step.c      gathers work, runs a step, and decides what a failure means
 *   emit.c      what a handler may put on its stream
 *   timers.c    rows with a due time
 *   jobs.c      queues between the threads
 *   crash.c     smaller steps after crashes, and tries that are counted
 *   prepare.c   the pool of worker threads
 *   upkeep.c    fullness, trimming, readers' marks, old answers: what happens once a second
 *   control.c   the control socket and the commands that every daemon has
 *   dead.c      dead letters
 *   show.c      messages as JSON
 *   rows.c      messages as rows
 *   main.c      options of a daemon's program
 *   keys.c      API keys: who may speak to us from outside
 *   listen.c    sockets that the service manager opened
 *   ask.c       the other end of the control socket */
#ifndef HY_SERVICE_DAEMON_H
#define HY_SERVICE_DAEMON_H

#include "service/keys.h"

#include <pthread.h>
#include <stdatomic.h>

#define INPUTS_MAX 4
#define TIMERS_MAX 8
#define COUNTERS_MAX 64
#define PROJECTS_MAX 64
#define JOB_RECORDS_MAX 65536 /* records of jobs in flight: past it intake is told to come back */
#define JOB_BYTES_MAX ((int64_t)64 << 20) /* and their bytes */
#define JOB_STEP_BYTES ((size_t)4 << 20)   /* bytes of the jobs of one step */
#define FEEDBACK_REMARK 10                 /* Feedback.remark, as in feedback.proto */
#define NEVER INT64_MAX

struct input {
	const struct hy_input *def;
	struct hy_follow *follow; /* NULL offline */
	uint64_t fed;             /* offline: sequence of the last record fed */
};

/* What is left after a commit, and what an abort goes back to. */
struct tally {
	int64_t seen;      /* feedbacks taken from the inputs */
	int64_t emitted;   /* feedbacks put on the output */
	int64_t last_ms;   /* newest time used in an id */
};

struct job_queue {
	pthread_mutex_t lock;
	struct hy_job *first, **last;
};

/* One record of a step, unpacked by a worker or just before its handler. */
struct work {
	struct input *input;
	struct hy_record record;
	Huiyin__Envelope *in;
	void *prepared;
	int err;
	char reason[160];
};

/* A row whose time has come. */
struct due {
	const struct hy_timer *timer;
	struct hy_key key;
};

struct pool;

struct hy_daemon {
	const struct hy_service *service;
	void *self;
	char dir[1024], path[2][1200];
	bool offline;

	struct hy_conf *conf;
	struct {
		char name[64];
		uint32_t number;
	} projects[PROJECTS_MAX];
	size_t project_count;
	int64_t retain_ms, max_lag_ms;
	struct hy_keys *keys; /* server thread, once that runs */

	struct hy_store *db;
	struct hy_stream *out, *streams[2]; /* streams: what the door offers, ended by NULL */
	struct hy_serve *serve;
	struct hy_loop *loop, *server_loop;
	struct hy_socket *control;
	pthread_t server;
	bool server_runs;
	int server_err;
	struct hy_fault server_fault;
	pthread_mutex_t server_lock;
	pthread_cond_t server_ready;
	bool server_is_ready;

	struct input inputs[INPUTS_MAX];
	size_t input_count;
	int64_t timer_due[TIMERS_MAX];
	size_t timer_count;

	/* the step */
	struct work *works;
	struct hy_arena *arena;
	struct hy_buffer pack;
	struct tally tally, settled;
	struct hy_ids ids;
	bool ids_used;
	size_t cautious;       /* so many records are to be done one by one, to find the one that fails */
	size_t step_max;       /* records of a step; smaller after crashes */
	bool due_tried;        /* at size 1: the due row has had its turn */
	struct due *due;       /* rows that this step fires */
	size_t due_count, due_room;
	int64_t retry_at, retry_ms; /* monotonic: after a failure that may pass */
	int64_t work_at;       /* monotonic: when service->work() wants to be called */
	int64_t worked_at;     /* monotonic: when it was called last */
	int64_t work_pause;    /* monotonic: not before, since the clock has jumped */
	int64_t clock_gap;     /* wall clock less monotonic, as last seen */
	const void *view;
	struct pool *pool;

	struct job_queue jobs;  /* server thread -> writer */
	struct job_queue done;  /* writer -> server thread */
	struct job_queue posts; /* writer -> writer */
	_Atomic int64_t job_records, job_bytes;
	bool handed_over;       /* server thread: the writer must be woken at the end of this turn */

	/* fullness, written by upkeep */
	_Atomic int full;       /* 0, or why intake is refused: 1 quota, 2 disk */
	bool giving_way, warned;
	struct hy_store_usage usage;
	uint64_t grown;         /* bytes put on the stream since */
	int64_t upkeep_at, looked_at, sweep_at, disk_probe_at;

	struct {
		const char *name;
		_Atomic int64_t value;
	} counters[COUNTERS_MAX];
	_Atomic int counter_count;
	pthread_mutex_t counter_lock;

	uint64_t epoch;
	int64_t started_ms, started_mono;
	_Atomic bool stop;         /* no new work */
	_Atomic bool server_stop;  /* and all that was handed over is answered */
	struct hy_buffer answer;
};

/* step.c */
enum step_result { STEP_IDLE, STEP_DONE, STEP_LATER };
enum step_result step_run(struct hy_daemon *d);
int step_alone(struct hy_daemon *d, int (*run)(struct hy_step *s, void *arg), void *arg); /* one transaction of its own, for commands */
int step_settle(struct hy_daemon *d, struct hy_txn **t);  /* writes what every commit carries, and commits; a failure is undone */
void step_fail(struct hy_daemon *d, int err);             /* stops the process when the fate says so */
int step_handle(struct hy_daemon *d, struct hy_step *s, struct work *w);
int step_feed(struct hy_daemon *d, struct work *w);       /* offline: one record as a step of its own; its handler's code */
int step_bury(struct hy_daemon *d, const struct work *w, int reason, int64_t now_ms);
int step_bury_due(struct hy_daemon *d, const struct due *due, int reason, int64_t now_ms);
bool record_is_feedback(struct hy_bytes raw);

/* crash.c */
void crash_begin(struct hy_daemon *d, struct hy_txn *t); /* a life begins: d->step_max */
void crash_end(struct hy_daemon *d);
int crash_note_try(struct hy_daemon *d, size_t works, int64_t now_ms); /* HY_CRASHED: buried instead */
int crash_passed(struct hy_daemon *d, struct hy_txn *t, size_t works);

/* timers.c */
void timers_load(struct hy_daemon *d, struct hy_txn *t);
int64_t timers_next(const struct hy_daemon *d); /* wall ms of the earliest row, NEVER */
int timers_gather(struct hy_daemon *d, struct hy_txn *t, int64_t now_ms, bool one);
int timers_fire(struct hy_daemon *d, struct hy_step *s, struct due **bad);
int timers_bury(struct hy_daemon *d, struct hy_txn *t, const struct due *due, int reason, int64_t now_ms);

/* jobs.c */
void jobs_open(struct job_queue *q);
void jobs_close(struct job_queue *q);
bool jobs_wait(struct job_queue *q);                                 /* whether there are any */
struct hy_job *jobs_take(struct job_queue *q);                       /* all */
struct hy_job *jobs_cut(struct job_queue *q);                        /* as many as one step takes, one at least */
void jobs_put_back(struct job_queue *q, struct hy_job *chain);       /* in front */
struct hy_job *jobs_without(struct hy_job *chain, struct hy_job *one); /* the rest of the chain */
int jobs_run(struct hy_daemon *d, struct hy_step *s, struct hy_job *chain, struct hy_job **bad);
void jobs_finish(struct hy_daemon *d, struct hy_job *chain, int err, bool of_server);
int64_t jobs_deliver(void *daemon); /* server thread: done() of what the writer has finished; a hy_loop_watch_time() call */

/* prepare.c */
struct pool *pool_open(struct hy_daemon *d, size_t workers);
void pool_close(struct pool **p);
void pool_prepare(struct pool *p, struct work *works, size_t count);
void work_open(struct hy_arena *a, struct work *w);

/* upkeep.c */
int64_t upkeep(struct hy_daemon *d); /* ms until it is wanted again */
int upkeep_trim(struct hy_daemon *d, struct hy_txn *t);
void upkeep_disk_full(struct hy_daemon *d);

/* control.c */
int control_open(struct hy_daemon *d, struct hy_fault *f);
int control_run(struct hy_daemon *d, const Huiyin__Ask *ask, struct hy_buffer *json, struct hy_fault *f);
void control_forget(struct hy_daemon *d, struct hy_txn *t, int64_t before_ms);

/* ask.c */
#define ASK_WORDS 64
struct ask_words {
	Huiyin__Argument rows[ASK_WORDS], *list[ASK_WORDS];
};
/* Makes an Ask that looks at all it is given; `words` is its memory. */
void ask_fill(Huiyin__Ask *ask, struct ask_words *words, const struct hy_id *id, const char *verb, const char *const *name_value_pairs);

/* dead.c */
int dead_put(struct hy_txn *t, const char *stream, uint64_t seq, struct hy_bytes record, int err, const char *reason, int64_t now_ms);
extern const struct hy_command dead_commands[];
int64_t dead_count(struct hy_txn *t);
/* Whether a letter counts as a feedback. Of one that came damaged, or is no Envelope, nobody can tell: most records are feedback, and it is
 * better counted than lost, or taken for one that is still on its way. */
bool dead_is_feedback(struct hy_bytes record);
int64_t dead_feedback(struct hy_daemon *d, struct hy_txn *t, const struct hy_id *upto); /* feedbacks among them, given up ones too; upto NULL = all */

/* settings.c, run.c */
void daemon_work(struct hy_daemon *d); /* service->work(), when it is its time */
extern const struct hy_conf_row hy_service_conf[];
int daemon_configure(struct hy_daemon *d, const char *conf_path, struct hy_buffer *report);

#endif
