/* What went wrong, and what happens next.
 * Every function that can fail returns HY_OK or one of the negative codes below. A code has a row in one table: its
 * name, a sentence, and its fate, which tells the skeleton what to do with the work at hand. A `struct hy_fault` is the
 * code with the particulars: what, where, and what to do next; it is filled where the failure is understood and printed
 * once, where the decision is taken. */
#ifndef HY_BASE_ERR_H
#define HY_BASE_ERR_H

#include <stddef.h>

enum hy_fate {
	HY_DONE,   /* nothing to do: the work is finished, or was already */
	HY_RETRY,  /* the same work may succeed later: full, busy, no memory */
	HY_REJECT, /* this input will never succeed: to the dead letters, or refused, with the reason */
	HY_STOP,   /* the process can't vouch for its state: exit, the supervisor starts us again */
};

/* name, code, fate, sentence */
#define HY_ERR_TABLE(X)                                                                                                \
	X(HY_OK, 0, HY_DONE, "ok")                                                                                     \
	X(HY_NOT_FOUND, -1, HY_REJECT, "not found")                                                                    \
	X(HY_EXISTS, -2, HY_REJECT, "exists already")                                                                  \
	X(HY_BAD_INPUT, -3, HY_REJECT, "the input is malformed")                                                       \
	X(HY_TOO_LARGE, -4, HY_REJECT, "larger than its limit")                                                        \
	X(HY_BAD_STATE, -5, HY_REJECT, "not possible in the present state")                                            \
	X(HY_FORBIDDEN, -6, HY_REJECT, "not allowed")                                                                  \
	X(HY_CONFLICT, -7, HY_REJECT, "conflicts with what was said before")                                           \
	X(HY_DAMAGED, -8, HY_REJECT, "the stored bytes fail their checksum")                                           \
	X(HY_ERASED, -9, HY_DONE, "the record was erased at its subject's request")                                    \
	X(HY_BUSY, -20, HY_RETRY, "busy, try again")                                                                   \
	X(HY_FULL, -21, HY_RETRY, "the store is full")                                                                 \
	X(HY_NO_MEMORY, -22, HY_RETRY, "out of memory")                                                                \
	X(HY_TIMEOUT, -23, HY_RETRY, "no answer in time")                                                              \
	X(HY_UNREACHABLE, -24, HY_RETRY, "the peer can't be reached")                                                  \
	X(HY_CRASHED, -25, HY_REJECT, "the process died five times while handling this record")                        \
	X(HY_IO, -40, HY_STOP, "input/output error")                                                                   \
	X(HY_CORRUPT, -41, HY_STOP, "the store is damaged: run `huiyin fsck`")                                         \
	X(HY_NEWER, -42, HY_STOP, "written by a newer version: install that version, or restore the backup")           \
	X(HY_IN_USE, -43, HY_STOP, "another process has it open")                                                      \
	X(HY_CONFIG, -44, HY_STOP, "the configuration has a fault")                                                    \
	X(HY_USAGE, -45, HY_STOP, "wrong usage")

enum hy_err {
#define HY_ERR_ENUM(name, code, fate, text) name = code,
	HY_ERR_TABLE(HY_ERR_ENUM)
#undef HY_ERR_ENUM
};

const char *hy_err_text(int err);      /* its sentence; never NULL */
const char *hy_err_name(int err);      /* "full" for HY_FULL: for logs and JSON; never NULL */
enum hy_fate hy_err_fate(int err);     /* HY_STOP for a code without a row */
int hy_err_exit(int err);              /* the sysexits(3) code a program ends with */
int hy_err_from_errno(int errno_value); /* ENOSPC -> HY_FULL, ENOMEM -> HY_NO_MEMORY ... */

/* A failure with its particulars. `text` is one or more lines for a person. */
struct hy_fault {
	int err;
	char text[1024];
};

/* Fills `f` (may be NULL) and returns `err`, so that `return hy_fail(f, HY_BAD_INPUT, "...")` reads as one step. */
int hy_fail(struct hy_fault *f, int err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* A bug of our own: prints, and aborts. Stays in release builds. */
void hy_panic(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));
#define HY_ASSERT(x) ((x) ? (void)0 : hy_panic("%s:%d: %s", __FILE__, __LINE__, #x))

#endif
