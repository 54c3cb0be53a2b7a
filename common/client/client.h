/* libhuiyin: streams customers' feedback from your program into Huiyin, and never makes your program wait for it.
 *
 *     struct hy_client *c;
 *     hy_client_open(&c, "tcp://127.0.0.1:5570", key);
 *     hy_client_feedback(c, HY_CLIENT_FEEDBACK(.text = "点开订单就闪退", .customer_id = "u-17"));
 *     hy_client_close(&c);
 *
 * hy_client_feedback() copies what it is given into a bounded piece of memory and returns, within microseconds; it does no input or
 * output. Everything else (the disk, the network, trying again) is done by ONE thread of this library in the background.
 *
 * WHERE A FEEDBACK IS, AND WHAT IT SURVIVES
 *   in memory     hy_client_feedback() said HY_CLIENT_OK. It survives a collector that is away; it is gone when the program dies.
 *   in the spool  with a spool directory, some milliseconds later: written and synced, before it is sent. It survives kill -9 of the program
 *                 and a power cut, and is sent by the next hy_client_open_with() of the same directory.
 *   durable       the collector has committed it (or said why it never will: a rejection). Nothing is left to do.
 * hy_client_flush() tells which of these holds. What is durable was entered exactly once, through crashes of both sides: over ZeroMQ because items
 * are numbered and a number is never used for other content, over HTTP because each item carries an id. (Exactly once ends where the
 * memory of it ends: when a spool is copied to a second machine, or the collector goes back to a backup or forgets a client (its
 * setting `door.forget`; over HTTP `dedupe.window`). Then items that were not yet known to be durable are sent again rather than lost.)
 * When memory is full, and the spool too or there is none, hy_client_feedback() says HY_CLIENT_FULL and counts the item in `lost`. While the disk itself
 * refuses to take more, what is in memory is sent from there, as without a spool.
 *
 * THREADS  hy_client_feedback(), _flush(), _stats(), _problem(): any number of threads at once. hy_client_close() once, when nobody is inside.
 * FORK     A client belongs to the process that opened it. In a child every call says HY_CLIENT_FORKED and does nothing; open one there.
 * SIGNALS  Nothing here may be called from a signal handler. The background thread blocks all signals; none is sent, none is handled.
 * EXIT     exit() without hy_client_close() leaves unsent what is in memory; the spool stays. The library can't be unloaded (dlclose() does nothing).
 * The library writes nothing to standard output or standard error, and never ends the process.
 *
 * Plain C, usable from C++. Every struct begins with its `size`, which the macros fill in, so that structs can grow at their end: a program built with an
 * older header goes on working. Text is UTF-8 with a NUL at its end; NULL is the same as absent. Nothing that is passed in is kept: it may go as
 * soon as the call returns. Times are milliseconds. */
#ifndef HUIYIN_CLIENT_H
#define HUIYIN_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct hy_client;

/* What the functions return: 0, above 0 for "not yet, but safe", below 0 for an error. hy_client_strerror() has a sentence for each. */
enum hy_client_result {
	HY_CLIENT_OK = 0,
	HY_CLIENT_SPOOLED = 1,    /* flush, close: not all is at the collector yet, but all is in the spool */
	HY_CLIENT_FULL = -1,      /* no room in memory: the item is not taken, and counted in `lost`. Later there may be room */
	HY_CLIENT_INVALID = -2,   /* an argument is missing, out of its range, or text that is not UTF-8 */
	HY_CLIENT_TOO_LARGE = -3, /* an item of more than 48 KiB, or more than 1,000 pairs, tags or ratings */
	HY_CLIENT_NO_MEMORY = -4,
	HY_CLIENT_IN_USE = -5,    /* another client has this spool open */
	HY_CLIENT_SPOOL = -6,     /* the spool directory can't be made, read or written */
	HY_CLIENT_TIMEOUT = -7,   /* flush: some are still in memory only. close: those are lost */
	HY_CLIENT_FORKED = -8,    /* this client was opened by another process */
};
const char *hy_client_strerror(int result); /* never NULL */
const char *hy_client_version(void);        /* "0.1.0" */

/* ---- opening and closing ---- */

struct hy_client_rejection;
typedef void hy_client_rejected(void *arg, const struct hy_client_rejection *r);

struct hy_client_options {
	size_t size;              /* sizeof(struct hy_client_options); HY_CLIENT_OPTIONS() fills it in */
	const char *url;          /* tcp://HOST:5570 or ipc:///PATH: the collector's ZeroMQ door. http://HOST:8080 or https://HOST: its HTTP door */
	const char *key;          /* API key, "hy_..." */
	const char *spool;        /* a directory of this client's own, made when missing (0700). NULL: memory alone */
	size_t memory_bytes;      /* for what waits in memory; 0 = 8 MiB, at least 64 KiB. The thread itself needs up to 4 MiB more */
	uint64_t spool_bytes;     /* on disk at most; 0 = 256 MiB, at least 256 KiB */
	int64_t close_ms;         /* how long hy_client_close() may flush; 0 = 2,000; -1: not at all */
	const char *curve_server; /* CURVE (tcp:// beyond this machine): the door's public key, the text of DIR/keys/door.pub, 40 characters of Z85 */
	const char *curve_secret; /* ... and the secret key of your own pair, whose public half stands in the key's row (`huiyin keygen`) */
	const char *ca_file;      /* https://: PEM file of authorities to trust instead of the system's */
	hy_client_rejected *on_rejected; /* as hy_client_on_rejected(), from the first moment on */
	void *on_rejected_arg;
};
#define HY_CLIENT_OPTIONS(...) (&(struct hy_client_options){ .size = sizeof(struct hy_client_options), __VA_ARGS__ })

/* Starts a client. It does not wait for the collector: an address where nobody answers is no error, since somebody may later. The caller ends it with
 * hy_client_close(). HY_CLIENT_INVALID, _NO_MEMORY. *out is NULL after an error. */
int hy_client_open(struct hy_client **out, const char *url, const char *key);
/* The same with options. When it fails, `why` (may be NULL; `room` bytes) says what is wrong and what to do. Also HY_CLIENT_IN_USE, _SPOOL. */
int hy_client_open_with(struct hy_client **out, const struct hy_client_options *o, char *why, size_t room);

/* Flushes for at most `close_ms`, ends the thread, frees everything, leaves *c NULL. HY_CLIENT_OK: all is durable. HY_CLIENT_SPOOLED: the rest
 * stays in the spool for the next time. HY_CLIENT_TIMEOUT: without a spool (or with a full one) the rest is lost. NULL is fine. */
int hy_client_close(struct hy_client **c);

/* ---- feedback ---- */

enum hy_client_kind { /* of feedback */
	HY_CLIENT_REMARK = 0,
	HY_CLIENT_SURVEY = 1,
	HY_CLIENT_IDEA = 2,
	HY_CLIENT_VOTE = 3,
	HY_CLIENT_MENTION = 4,
	HY_CLIENT_REVIEW = 5,
	HY_CLIENT_INTERVIEW = 6,
	HY_CLIENT_REPLY = 7,
};
enum hy_client_helped { HY_CLIENT_NOT_SAID = 0, HY_CLIENT_HELPED = 1, HY_CLIENT_NOT_HELPED = -1 };

/* These two never change. */
struct hy_client_pair {
	const char *name, *value;
};
struct hy_client_rating {
	const char *scale;        /* "nps", "csat", "ces", "stars" */
	double score;
	double max;               /* 0 = the scale's usual one */
	bool lower_better;
};

/* What somebody said: the fields, limits and meaning of POST /v1/feedback. Text, a rating or `helped` must be there. */
struct hy_client_feedback {
	size_t size;              /* sizeof(struct hy_client_feedback); HY_CLIENT_FEEDBACK() fills it in */
	const char *text;         /* at most 10,000 characters */
	const char *id;           /* your own id: the same id is kept once, however often and through whatever door it comes. May be NULL */
	const char *channel;      /* [a-z0-9_.-]{1,32}; NULL = the door's own name */
	int kind;                 /* enum hy_client_kind */
	int helped;               /* enum hy_client_helped: with in_reply_to, whether our answer helped */
	const char *in_reply_to;  /* a follow-up token, or the ID of a feedback of the same key and customer */
	int64_t occurred_ms;      /* when it was said, by your clock, since 1970; 0 = not said */
	const struct hy_client_rating *ratings;
	size_t rating_count;
	const char *const *tags;
	size_t tag_count;
	const struct hy_client_pair *context; /* whatever helps to understand it: version, page, order */
	size_t context_count;
	const char *customer_id, *customer_email, *customer_phone, *customer_name;
	const char *customer_locale;   /* BCP 47, "zh-CN" */
	const char *customer_timezone; /* IANA, "Asia/Shanghai" */
	const struct hy_client_pair *customer_traits;
	size_t customer_trait_count;
};
#define HY_CLIENT_FEEDBACK(...) (&(struct hy_client_feedback){ .size = sizeof(struct hy_client_feedback), __VA_ARGS__ })

/* Takes one feedback into memory. Never waits for disk or network. HY_CLIENT_OK, _FULL, _INVALID, _TOO_LARGE, _FORKED. What it can't see for itself (an
 * address that is none, a text that is too long) the collector refuses later: hy_client_on_rejected(). */
int hy_client_feedback(struct hy_client *c, const struct hy_client_feedback *f);

/* Waits, at most `ms`, until everything taken so far is durable at the collector (or rejected). HY_CLIENT_OK: it is. HY_CLIENT_SPOOLED: not
 * yet, but it is in the spool. HY_CLIENT_TIMEOUT: some is still in memory only. 0 asks without waiting. Not for the hot path. */
int hy_client_flush(struct hy_client *c, int64_t ms);

/* ---- what became of it ---- */

/* A feedback that the collector will never accept as it is. All of it lives until the callback returns. */
struct hy_client_rejection {
	size_t size;
	const char *id;           /* your own, "" when there was none */
	const char *text;         /* what was said; "" when there was none */
	const char *pointer;      /* the field at fault, "/customer/email"; "" = the whole */
	const char *detail;       /* why, for a person; further faults follow after "; " */
};
/* `call` is told each rejection, once, on the background thread; it may call hy_client_feedback() but neither flush nor close. A rejection that
 * arrives while the process dies may go untold. NULL: nobody is told (they are still counted). */
void hy_client_on_rejected(struct hy_client *c, hy_client_rejected *call, void *arg);

struct hy_client_stats {
	size_t size;              /* sizeof(struct hy_client_stats), set by the caller */
	uint64_t queued;          /* now in memory alone: not in the spool, not known to be at the collector */
	uint64_t spooled;         /* now in the spool, not known to be at the collector */
	uint64_t sent;            /* handed to the network since open, repeats too */
	uint64_t durable;         /* kept by the collector since open */
	uint64_t rejected;        /* refused by the collector for good */
	uint64_t lost;            /* not taken since open (HY_CLIENT_FULL) */
	uint64_t damaged;         /* in the spool, but unreadable (their bytes fail their check): skipped */
	uint64_t spool_bytes;     /* the spool's size on disk */
	uint64_t renamed;         /* how often the numbering had to begin anew (see "exactly once ends" above) */
	bool connected;           /* the collector has answered, and not fallen silent since */
};
/* Fills as much of `out` as out->size says. HY_CLIENT_OK, _INVALID. */
int hy_client_stats(const struct hy_client *c, struct hy_client_stats *out);
/* The present trouble in words ("unauthorized: ...", "the spool can't be written: ..."), "" when there is none; at most `room` bytes with the NUL. */
int hy_client_problem(const struct hy_client *c, char *out, size_t room);

#ifdef __cplusplus
}
#endif

#endif
