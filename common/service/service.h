/* A daemon is a table, handlers, and one call: hy_service_main() gives every daemon the same life.
 * It reads the options and huiyin.yaml, opens the store, says its epoch, follows its inputs, serves its output stream, answers its
 * control socket, fires its timers, and runs steps:
 *
 *     a step = what is there (<= 4,000 records or 1 MiB, return inputs first, jobs of the server thread, due timers) handled in order,
 *              its state changes, outgoing records and input marks committed in ONE write transaction.
 *
 * The committed mark is the acknowledgement. A crash repeats the step, so handlers derive ids from their input and a repeat
 * changes nothing. A handler that fails ends in the dead letters or is tried again, as its code's fate says (err.h); it never stops the stream.
 * Nothing is served or answered before its commit.
 *
 * Threads: handlers, timers, commands and jobs run on the writer thread, prepare() on workers, the door of streams and the server's own
 * work (HTTP) on the server thread. */
#ifndef HY_SERVICE_H
#define HY_SERVICE_H

#include "base/clock.h"
#include "base/text.h"
#include "conf/conf.h"
#include "json/json.h"
#include "log/log.h"
#include "stream/stream.h"

#include <inttypes.h>

#define HY_STEP_RECORDS 4000
#define HY_STEP_BYTES ((size_t)1 << 20)
#define HY_FANOUT_CHUNK 1000 /* rows of one transaction of a fan-out */

struct hy_daemon; /* a running service */

/* ---- a step, as a handler sees it ----------------------------------------------------------------------------------- */

struct hy_step {
	struct hy_daemon *daemon;
	struct hy_txn *txn;
	int64_t now_ms;           /* the step's time, the same for all its records */
	struct hy_arena *arena;   /* lives until the handler returns */
	Huiyin__Envelope *in;     /* the record, checked; NULL in timers, commands and jobs */
	struct hy_bytes raw;      /* the same as it came, encoded */
	void *prepared;           /* what prepare() made of it, or NULL */
};

/* Passes the record on with one more field of ours. Counts it where it is feedback. */
int hy_step_forward(struct hy_step *s, uint32_t field, const ProtobufCMessage *ours);
int hy_step_forward_packed(struct hy_step *s, uint32_t field, struct hy_bytes packed);
/* Passes it on as it came. */
int hy_step_pass(struct hy_step *s);
/* A new record of our own. Missing parts of the head are filled: id (new), at_ms, origin_ms and project (of the input). */
int hy_step_emit(struct hy_step *s, Huiyin__Envelope *e);
/* A new record whose encoded head and fields the caller made (<= HY_WIRE_ENVELOPE_MAX). */
int hy_step_emit_packed(struct hy_step *s, struct hy_bytes packed, bool is_feedback);

struct hy_id hy_step_id(struct hy_step *s); /* a new id */
/* derive(id, number, person, word): the ids of notices and ticket events. person may be empty. */
struct hy_id hy_step_derive(struct hy_id id, uint32_t number, struct hy_bytes person, const char *word);

/* Feedbacks up to the id `upto` that ended in this daemon's dead letters, given up ones too: for its account. */
int64_t hy_dead_feedback(struct hy_step *s, struct hy_id upto);

/* Whether this Envelope is a feedback proper on its way (a remark, no event of ours). */
bool hy_is_feedback(const Huiyin__Envelope *e);

/* Counters of this life, shown by health and /metrics; names are constants. Any thread. */
void hy_count(struct hy_daemon *d, const char *name, int64_t n);

/* ---- what a service is -------------------------------------------------------------------------------------------------- */

struct hy_input {
	const char *stream, *writer;     /* "classification", "classifier" */
	int (*handle)(struct hy_step *s, void *self);
	bool returns;                    /* a return input: first in each step, and pulled even when the store is full */
	/* Pure, on a worker thread, before the transaction opens: whatever it returns (from `a`) is the handler's s->prepared. `view` is the
	 * service's snapshot. NULL when there is nothing to prepare. */
	void *(*prepare)(const Huiyin__Envelope *in, const void *view, struct hy_arena *a, void *worker);
	/* Which stations' fields the handler looks at: 1 << HY_FIELD_X each; the others are not unpacked and read as absent. 0 = all. Opening costs more
	 * than most handlers do. A forward input needs HY_FIELD_FEEDBACK: hy_is_feedback() reads it. */
	uint32_t parts;
};

/* Waiting is a row with a due time: the first 8 bytes of the table's key are the due time in ms, big-endian. When it has come the row is removed and
 * `fire` called with it, in a step. A fan-out is a row that walks HY_FANOUT_CHUNK links and puts itself back with its cursor: what is put back
 * fires in a later step, however soon it is due. */
struct hy_timer {
	const char *table;
	int (*fire)(struct hy_step *s, struct hy_bytes key, struct hy_bytes row, void *self);
};

/* A request on the control socket, while its command runs. */
struct hy_ask;
const char *hy_ask_text(const struct hy_ask *a, const char *name); /* an argument; "" when absent */
bool hy_ask_has(const struct hy_ask *a, const char *name);
int64_t hy_ask_int(const struct hy_ask *a, const char *name, int64_t otherwise);
struct hy_id hy_ask_id(const struct hy_ask *a);                     /* the command's own id: derive from it */
void hy_ask_answer(struct hy_ask *a, json_t *result);               /* takes the reference over */
int hy_ask_fault(struct hy_ask *a, int err, const char *fmt, ...) __attribute__((format(printf, 3, 4))); /* returns err */

struct hy_command {
	const char *name;             /* "ticket.resolve" */
	const char *help;             /* one sentence */
	bool changes;                 /* its effect and its answer are one transaction; repeating its id repeats the answer */
	int (*run)(struct hy_step *s, struct hy_ask *a, void *self); /* HY_OK, or an error: then nothing is changed */
};

struct hy_service {
	const char *name, *summary;
	uint32_t version;                      /* of its stored rows */
	const struct hy_conf_row *conf;        /* its settings; NULL = none */
	const char *const *tables;             /* its tables, NULL-terminated; the skeleton adds its own */
	const struct hy_input *inputs;         /* ends with a NULL stream */
	const char *output;                    /* its stream */
	const char *const *readers;            /* ring stations that read it, NULL-terminated: nothing is trimmed before they have passed it */
	const struct hy_timer *timers;         /* ends with a NULL table; NULL = none */
	const struct hy_command *commands;     /* ends with a NULL name; NULL = none */
	/* Reads its configuration (faults through hy_conf_fault) and builds what it keeps in memory. Also for --check-config: then d has no store. */
	int (*configure)(struct hy_daemon *d, void *self);
	/* The store is open: rebuild caches from rows, migrate, open files. */
	int (*open)(struct hy_daemon *d, void *self, struct hy_fault *f);
	/* On the server thread, before its first turn: doors of its own. `stop` when it ends. */
	int (*serve)(struct hy_daemon *d, struct hy_loop *server, void *self, struct hy_fault *f);
	void (*serve_stop)(struct hy_daemon *d, void *self);
	/* The writer thread's chance to do outside work (write a mail file, drive a transfer) between steps; returns ms until it wants to be called again, -1 for not by itself.
	 * While more than a step's worth of records waits on an input it is called once a second only. */
	int64_t (*work)(struct hy_daemon *d, void *self);
	/* The daemon is to stop: nothing new is begun from now on. True while the answer to something that has left is still to come, or to be written
	 * down; steps and work() go on so long, 5 s at most. NULL = nothing ever is. */
	bool (*lingers)(struct hy_daemon *d, void *self);
	/* After each commit, writer thread: the snapshot prepare() will see. NULL = none. */
	const void *(*view)(struct hy_daemon *d, void *self);
	/* Scratch memory of one worker thread, for prepare(). */
	void *(*worker_open)(void *self);
	void (*worker_close)(void *worker);
	/* Adds to the answer of the `health` command, and to /metrics. */
	void (*health)(struct hy_daemon *d, json_t *into, void *self);
	void (*close)(struct hy_daemon *d, void *self);
};

/* The program: options -C DIR, --check-config, --print-config, --version, --help; returns the exit code (sysexits). */
int hy_service_main(int argc, char **argv, const struct hy_service *service, void *self);

/* ---- the running daemon ----------------------------------------------------------------------------------------------------- */

const struct hy_conf *hy_daemon_conf(const struct hy_daemon *d);
const char *hy_daemon_dir(const struct hy_daemon *d);        /* the installation */
struct hy_store *hy_daemon_store(const struct hy_daemon *d);
struct hy_loop *hy_daemon_loop(const struct hy_daemon *d);   /* the writer thread's */
/* DIR/`relative` in a buffer that lives as long as the daemon's next call of this from the same thread. */
const char *hy_daemon_path(const struct hy_daemon *d, const char *relative);
/* A secret of the installation ("contact.key"): from $CREDENTIALS_DIRECTORY (systemd's LoadCredential=, `huiyin up` as root) when it is there, else
 * from DIR/keys. HY_CONFIG, HY_FORBIDDEN. */
struct hy_secret;
int hy_daemon_secret(const struct hy_daemon *d, const char *name, struct hy_secret *out, struct hy_fault *f);
/* The same for one of words ("door.curve", "smtp.password"): `room` with its NUL. */
int hy_daemon_secret_text(const struct hy_daemon *d, const char *name, char *out, size_t room, struct hy_fault *f);
/* A listening socket that the service manager (systemd: Sockets=, FileDescriptorName=NAME) opened for us; 0: none. Its taker closes it. */
int hy_daemon_listen_fd(const struct hy_daemon *d, const char *name);
/* Projects of the configuration: by name (0 when there is none), and back (NULL). "default" is number 1 unless the file says otherwise. */
uint32_t hy_daemon_project(const struct hy_daemon *d, const char *name);
const char *hy_daemon_project_name(const struct hy_daemon *d, uint32_t number);
/* Whether intake must be refused now (any thread): the store is above 85 % of its quota, or the disk is full. */
bool hy_daemon_full(const struct hy_daemon *d);
/* Health as the control socket tells it. Writer thread (a job takes it there); the caller owns the reference. */
json_t *hy_daemon_health(struct hy_daemon *d);

/* A job of the server thread for the writer: `run` within the next step's transaction, `done` back on the server thread after the
 * commit (err HY_OK), or when it was refused (HY_FULL, HY_BUSY, HY_IO...): then nothing was kept. Many jobs share one commit. The memory is the caller's and
 * must live until `done`. run() may be called again after an aborted step. When it fails for good its own `done` is told, and the step goes on without it. */
struct hy_job {
	int (*run)(struct hy_step *s, struct hy_job *job, void *self);
	void (*done)(struct hy_job *job, int err, void *self);
	size_t records;               /* how many records it will append: bounds a step. 0 = a question: it changes nothing, and is answered even when
	                               * nothing can be kept; the transaction is then a reader's */
	size_t bytes;                 /* about how many bytes it will append: bounds a step and what is in flight; 0 = few */
	struct hy_job *next;          /* the skeleton's */
	int err;                      /* the skeleton's */
};
/* Server thread. HY_BUSY when too many records are in flight already, and once the daemon stops. */
int hy_daemon_submit(struct hy_daemon *d, struct hy_job *job);
/* The same from the writer thread, for what work() found out: `done` comes back on the writer thread. */
void hy_daemon_post(struct hy_daemon *d, struct hy_job *job);
/* Makes the writer's loop turn now. Any thread. */
void hy_daemon_wake(struct hy_daemon *d);
/* work() is called as soon as this turn of the loop is over, whatever it wished for: something that it waits for has come. Writer thread. */
void hy_daemon_work_soon(struct hy_daemon *d);
/* Asks the daemon to stop: SIGTERM's way. Any thread. */
void hy_daemon_stop(struct hy_daemon *d);

/* An Envelope as JSON, ids as text, for tail, trace and dead letters. The caller owns the reference. */
json_t *hy_show_envelope(struct hy_bytes raw);
json_t *hy_show_message(const ProtobufCMessage *m);

/* ---- without a process: tests, and tools that work on a store at rest ---------------------------------------------------- */

struct hy_daemon_options {
	const char *dir;
	const char *conf_path;        /* NULL = DIR/huiyin.yaml */
	bool offline;                 /* no links, no control socket, no threads: hy_daemon_feed() and hy_daemon_tick() drive it */
};
int hy_daemon_open(struct hy_daemon **out, const struct hy_service *service, void *self, const struct hy_daemon_options *o, struct hy_fault *f);
int hy_daemon_run(struct hy_daemon *d); /* until stopped; HY_OK */
void hy_daemon_close(struct hy_daemon **d);

/* Offline: one record on `stream` through the whole step, commit included. Returns the handler's code; a rejected one is in the dead letters. */
int hy_daemon_feed(struct hy_daemon *d, const char *stream, struct hy_bytes record);
/* Offline: fires what is due, runs work() and waiting jobs (done() is called too). */
int hy_daemon_tick(struct hy_daemon *d);
/* Offline: a command. *json (may be NULL) is the answer's text in a buffer of the daemon's. */
int hy_daemon_ask(struct hy_daemon *d, const char *verb, const char *const *name_value_pairs, const char **json);
struct hy_stream *hy_daemon_output(struct hy_daemon *d);

/* ---- asking a running daemon, for commands --------------------------------------------------------------------------------- */

/* Connects to DIR/run/NAME.ctl.sock, asks, waits. Answer's code; *json is malloc'ed (the caller frees) or NULL; `f` has the answer's text.
 * HY_UNREACHABLE when no daemon answers. `id` NULL = a new one. */
int hy_ask_daemon(const char *dir, const char *daemon, const char *verb, const char *const *name_value_pairs, const struct hy_id *id, int64_t timeout_ms, char **json, struct hy_fault *f);

/* ---- crash points: tests end the process at a named place (and let it begin later: hy_clock_ahead()) ------------------------ */
#ifdef HY_CRASH_POINTS
void hy_crash_point(const char *name); /* HUIYIN_CRASH_AT="NAME:N" in the environment: _exit at the N-th passage */
#else
#define hy_crash_point(name) ((void)0)
#endif

#endif
