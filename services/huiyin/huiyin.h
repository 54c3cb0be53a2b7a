/* The `huiyin` command: a verb a file (or a family of them), each with options of its own by argp.
 *   init            makes an installation: huiyin.yaml, keys, directories
 *   up              runs the four daemons in the foreground
 *   send            feedback in, over the collector's HTTP door; import/ does so with files, mail/ with a mail
 *   status, tail    how the daemons are; what passes by on a stream
 *   trace, audit    the way of one feedback; the account of all
 *   ticket, dead    what staff do
 *   config, key     huiyin.yaml
 *   keygen          pairs of CURVE keys
 *   doctor          the machine around it
 *   fsck            the stores
 *   train, eval, classify   run huiyin-classifier's own tools
 * A verb returns an exit code of sysexits(3). What it found goes to standard output (JSON with --json), everything else to standard
 * error. It asks running daemons on their control sockets; fsck alone opens stores, to read them. */
#ifndef HUIYIN_H
#define HUIYIN_H

#include "service/service.h"

#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

/* What every verb understands; the first member of its options. */
struct common {
	char dir[1024]; /* -C, or where an installation was found */
	bool chosen; /* by -C */
	bool json;
	const char *verb; /* "huiyin send": how messages begin */
};

/* Reads the verb's options: rows and parser are the verb's own, -C and --json are added. `state->input` is `options`. `doc` is
 * help, a \v, and an example. The parser's ARGP_KEY_INIT must hand its input to child_inputs[0]. Wrong usage exits with 64. */
void huiyin_options(int argc, char **argv, const struct argp_option *rows, argp_parser_t parser, const char *arguments,
	const char *doc, struct common *options);
/* A parser for verbs without options of their own. */
error_t huiyin_no_options(int key, char *arg, struct argp_state *state);

/* Prints "huiyin VERB: words" and returns the exit code of `err`. */
int huiyin_fail(const struct common *c, const struct hy_fault *f);

/* Asks a daemon; the answer as JSON (the caller gives the reference back) or NULL with the fault. */
json_t *huiyin_ask(
	const struct common *c, const char *daemon, const char *verb, const char *const *arguments, struct hy_fault *f);
/* The same with a reply time and without words. */
json_t *huiyin_ask_within(const struct common *c, const char *daemon, const char *verb, const char *const *arguments,
	int64_t ms, struct hy_fault *f);

/* The answer on standard output, as it is, for scripts. Takes the reference over; returns EX_OK, EX_IOERR. */
int huiyin_print_json(json_t *j);

/* The four daemons in ring order, NULL-terminated, and the stream each one writes. */
extern const char *const huiyin_daemons[];
const char *huiyin_stream_of(const char *daemon);
/* A program or a data file beside ours: BIN/huiyin-NAME, BIN/../share/huiyin/NAME. */
void huiyin_program(const char *daemon, char *out, size_t room);
void huiyin_share(const char *name, char *out, size_t room);

/* Runs each daemon's --check-config. 0, or the exit code of the worst; `said` gets every fault once. */
int huiyin_check_config(const char *dir, struct hy_buffer *said);
/* Adds sentences on what is no fault, but nobody wants. */
void huiyin_config_warnings(const char *dir, json_t *warnings);

/* Members of an answer, without a fuss when they are missing. */
const char *huiyin_text(const json_t *object, const char *name);
int64_t huiyin_number(const json_t *object, const char *name);

int huiyin_init(int argc, char **argv);
int huiyin_up(int argc, char **argv);
int huiyin_send(int argc, char **argv);
int huiyin_import(int argc, char **argv);
int huiyin_mail_in(int argc, char **argv);
int huiyin_status(int argc, char **argv);
int huiyin_tail(int argc, char **argv);
int huiyin_trace(int argc, char **argv);
int huiyin_ticket(int argc, char **argv);
int huiyin_dead(int argc, char **argv);
int huiyin_audit(int argc, char **argv);
int huiyin_config(int argc, char **argv);
int huiyin_key(int argc, char **argv);
int huiyin_keygen(int argc, char **argv);
int huiyin_doctor(int argc, char **argv);
int huiyin_fsck(int argc, char **argv);
int huiyin_tool(int argc, char **argv);
int huiyin_completion(int argc, char **argv);

/* The verbs, for help, completion and "did you mean"; ends with a NULL name. */
struct huiyin_verb {
	const char *name, *summary;
	int (*run)(int argc, char **argv);
	const char *const *sub; /* its own verbs, or NULL */
};
extern const struct huiyin_verb huiyin_verbs[];
extern const char *const huiyin_ticket_verbs[], *const huiyin_dead_verbs[], *const huiyin_config_verbs[],
										    *const huiyin_key_verbs[];

/* Which of `names` the word is, as an index; -1 after saying so, with what was probably meant. */
int huiyin_which(const char *verb, const char *word, const char *const *names);

#endif
