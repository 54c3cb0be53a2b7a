/* Small services as real processes: a row of stations s1, s2 ..., each reading the one before it over ipc and passing every record on, with nothing
 * of a product in them, so that a test sees the skeleton alone. The test's own program is run again as a station: its main() begins with
 *     if (station_main(argc, argv, &code)) return code;
 * s1 makes numbered records until there are as many as asked for, and stops while its store is full. Each later one notes whether they came in
 * order, once. Commands: `count` {next, wrong, made}; `fill` bytes=N puts ballast into the store, `free` takes it out. */
#ifndef HY_TESTS_STATIONS_H
#define HY_TESTS_STATIONS_H

#include "support/test.h"

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

#define STATIONS_MOST 4

struct stations {
	char *dir;
	pid_t pid[STATIONS_MOST + 1]; /* by number, from 1; 0 = not running */
	int last;                     /* the last station: nobody reads it */
	int records, size;            /* how many s1 makes, and of how many bytes of text */
	int poison;                   /* a record that kills the process that handles it; 0 = none */
	int poison_row;               /* a timer's row that does; 0 = none */
};

/* Whether this process was started as a station: then it has been one, and *code is what to exit with. */
bool station_main(int argc, char **argv, int *code);

/* `yaml`: the configuration all of them share. Nothing runs yet. */
void stations_open(struct stations *s, const char *yaml);
void stations_close(struct stations *s); /* ends what runs, and removes the directory */

void stations_start(struct stations *s, int number);
void stations_kill(struct stations *s, int number, int signal);
bool stations_died(struct stations *s, int number); /* it ended by itself since */

/* A command's answer; new reference, NULL when there was none within a second. */
json_t *stations_ask(struct stations *s, int number, const char *verb, const char *const *pairs);
json_int_t stations_number(struct stations *s, int number, const char *verb, const char *name); /* -1 when there was no answer */
bool stations_state_is(struct stations *s, int number, const char *state);
/* Its input's mark and chain equal the head and chain of the station before it. */
bool stations_linked_up(struct stations *s, int number);
bool stations_logged(struct stations *s, int number, const char *word);

/* Waits up to 120 s for the condition. */
#define stations_until(condition)                                    \
	do {                                                         \
		int tries_ = 0;                                      \
		while (!(condition)) {                               \
			usleep(20000);                               \
			if (++tries_ > 6000)                         \
				fail_msg("never came: %s", #condition); \
		}                                                    \
	} while (0)

#endif
