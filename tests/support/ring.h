/* The real ring in a test: an installation made by `huiyin init` in a fresh directory, the four daemons as processes, an HTTP client on
 * plain sockets, and the questions a test asks. Everything is on loopback and ends with the test, by pid. */
#ifndef HY_TESTS_RING_H
#define HY_TESTS_RING_H

#include "support/test.h"

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

enum station { COLLECTOR, CLASSIFIER, ROUTER, NOTIFIER, STATIONS };
extern const char *const station_names[STATIONS];

struct ring {
	char *dir;
	char key[64];
	int port;
	pid_t pid[STATIONS];
	int64_t ahead_ms; /* the wall clock of what is started from now on runs ahead by so much */
};

/* Makes the installation; `edit` (may be NULL) is a sed script run over huiyin.yaml. Nothing runs yet. */
struct ring *ring_open(const char *edit);
/* Ends what runs (SIGTERM, then SIGKILL), and removes the directory unless the test has failed and $HUIYIN_KEEP is set. */
void ring_close(struct ring *r);

/* `crash_at` (may be NULL) is put into the daemon's environment: "step.before_commit:3". */
void ring_start(struct ring *r, enum station s, const char *crash_at);
void ring_start_all(struct ring *r);
void ring_kill(struct ring *r, enum station s, int signal); /* and waits for it */
int ring_wait_exit(struct ring *r, enum station s);         /* the wait status of one that ends by itself */
bool ring_ready(struct ring *r);                            /* /readyz says 200; within 20 s */

/* One HTTP request on a connection of its own. The answer's status, 0 when there was none; *body (may be NULL) is malloc'ed. */
int ring_http(struct ring *r, const char *method, const char *path, const char *headers, const char *body, char **answer);
/* Posts one JSON object or array with the app's key: status; *ids (may be NULL) is a new reference to the answer. */
int ring_post(struct ring *r, const char *json, json_t **answer);
/* The ID of a single accepted feedback; fails the test otherwise. The caller frees. */
char *ring_say(struct ring *r, const char *json);
/* GET /v1/feedback/ID; new reference or NULL. */
json_t *ring_view(struct ring *r, const char *id);

/* A command on a control socket; new reference, or NULL after an error (*code tells it; may be NULL). `pairs`: name, value, ..., NULL. */
json_t *ring_ask(struct ring *r, enum station s, const char *verb, const char *const *pairs, int *code);
/* `huiyin ARGUMENTS -C DIR` through the shell: exit status; *out (may be NULL) is malloc'ed. */
int ring_huiyin(struct ring *r, const char *arguments, char **out);

/* Asks again every 20 ms until `done` says true; fails the test after 60 s. */
void ring_until(struct ring *r, bool (*done)(struct ring *r, void *arg), void *arg, const char *what);
/* Until every input of every station has reached its head. */
void ring_settle(struct ring *r);
/* `huiyin audit --json`: fails the test when it is not clean. New reference. */
json_t *ring_audit(struct ring *r);
/* Number of .eml files in outbox/. */
size_t ring_mails(struct ring *r);
/* The text part of the newest mail to `address` that holds `words`, read back with GMime; malloc'ed, NULL when there is none. */
char *ring_mail(struct ring *r, const char *address, const char *words);
/* The path of the follow-up page that a mail's text links to, "/r/TOKEN..."; malloc'ed. */
char *ring_link(const char *mail);

#endif
