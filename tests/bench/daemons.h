/* The four daemons, running in an installation of their own. */
#ifndef HY_TESTS_DAEMONS_H
#define HY_TESTS_DAEMONS_H

#include "bench.h"

#include <jansson.h>

enum { COLLECTOR, CLASSIFIER, ROUTER, NOTIFIER, DAEMONS };
extern const char *const daemon_names[DAEMONS];

struct daemons {
	char dir[700];
	int port;
	const char *collector; /* another program in the collector's place; NULL = huiyin-collector */
	pid_t pids[DAEMONS];
};
/* `extra`: more lines of huiyin.yaml; `only_collector`: without the stations behind it. Returns when all answer and are linked. */
void daemons_start(struct daemons *d, const char *extra, bool only_collector);
void daemons_stop(struct daemons *d);

json_t *daemons_ask(const struct daemons *d, int which, const char *verb); /* the caller owns it */
long long daemons_number(const json_t *j, const char *path); /* "stream.head"; 0 when absent */

/* Where the ring stands: as much is waiting at the stations' inputs (the return inputs of collector and classifier are not counted). */
struct daemons_lag {
	long long head; /* of the collector's stream */
	long long waiting; /* records committed somewhere and not yet committed by the next station */
	long long outbox; /* notices on their way */
};
struct daemons_lag daemons_lag(const struct daemons *d);

/* Posts prepared requests over `connections` keep-alive connections, each its own thread; returns when all are answered 202. One refused for now is sent again.
 * *began is when the first left. */
void daemons_post(const struct daemons *d, char *const *requests, const size_t *sizes, size_t count, int connections,
	int64_t *began_ns);

#endif
