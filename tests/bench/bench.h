/* What the programs of the bench share: a temporary folder, an installation made by hand, children that are ended by their id, clocks,
 * what a process has used, and the one form in which a program tells its figures: a line `name value` each on standard output. */
#ifndef HY_TESTS_BENCH_H
#define HY_TESTS_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define BENCH_RECORD 305 /* bytes of a record, as in every comparison here */
#define BENCH_KEY "hy_0123456789012345678901234567890123456789abc"

int64_t bench_ns(void); /* CLOCK_MONOTONIC, the same in all processes */
void bench_sleep_ms(int64_t ms);
void bench_say(const char *name, double value);
_Noreturn void bench_die(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* A new folder below $TMPDIR (else /tmp); removed with all that is in it when the program ends, children first. */
const char *bench_dir(void);

/* Runs a program; standard output goes to `out` (a descriptor, -1: as ours), standard error to DIR/NAME.log. `in` is its standard input, -1: none.
 * It dies with us. */
pid_t bench_spawn(const char *name, char *const argv[], int in, int out);
void bench_stop(pid_t pid); /* SIGTERM, and waits; KILL after 20 s */

struct bench_usage {
	double cpu_s; /* user and system, all threads */
	double user_s;
	uint64_t anon_bytes; /* RssAnon */
	uint64_t written_bytes;
};
struct bench_usage bench_usage(pid_t pid); /* 0 = ourselves */

/* A folder with huiyin.yaml, keys and all that the daemons want; `extra` is more YAML. */
void bench_install(const char *dir, int port, const char *extra);
int bench_port(void); /* a free one, on loopback */
const char *bench_program(const char *name); /* beside this one */

/* The p-th part (0..1) of `n` values, which it sorts. */
double bench_part(double *values, size_t n, double p);

#endif
