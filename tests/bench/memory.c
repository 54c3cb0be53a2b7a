/* What the daemons hold in memory, and what their streams hold on disk, after FIRST feedbacks and after LAST of them, with streams that keep nothing longer than a second
 * after everybody has passed it.
 *     bench-memory FIRST LAST */
#include "daemons.h"
#include "mix.h"

#include <stdio.h>
#include <stdlib.h>

enum { ITEMS = 500, CONNECTIONS = 2, CHUNK = 100 };

struct point {
	uint64_t anon_bytes[DAEMONS];
	long long live_bytes[DAEMONS], held[DAEMONS];
};

static void feed(const struct daemons *d, struct mix *m, size_t count)
{
	static char *bodies[CHUNK];
	static size_t sizes[CHUNK];
	for (size_t fed = 0; fed < count; fed += (size_t)CHUNK * ITEMS) {
		int64_t began;
		size_t n = (count - fed + ITEMS - 1) / ITEMS;
		n = n < CHUNK ? n : CHUNK;
		for (size_t i = 0; i < n; i++)
			bodies[i] = mix_request(m, ITEMS, &sizes[i]);
		daemons_post(d, bodies, sizes, n, CONNECTIONS, &began);
		for (size_t i = 0; i < n; i++)
			free(bodies[i]);
		while (daemons_lag(d).waiting >
			200000) /* the disk may hold the backlog, but that is not the question here */
			bench_sleep_ms(100);
	}
}

/* When all is quiet and what may go has gone. */
static struct point look(const struct daemons *d)
{
	struct point p;
	while (daemons_lag(d).waiting > 0)
		bench_sleep_ms(100);
	bench_sleep_ms(4000);
	for (int i = 0; i < DAEMONS; i++) {
		json_t *health = daemons_ask(d, i, "health");
		p.anon_bytes[i] = bench_usage(d->pids[i]).anon_bytes;
		p.live_bytes[i] = daemons_number(health, "store.live_bytes");
		p.held[i] = daemons_number(health, "stream.head") - daemons_number(health, "stream.oldest") + 1;
		json_decref(health);
	}
	return p;
}

int main(int argc, char **argv)
{
	size_t first = argc > 1 ? strtoull(argv[1], NULL, 10) : 200000,
	       last = argc > 2 ? strtoull(argv[2], NULL, 10) : 1000000;
	struct daemons d = { 0 };
	struct mix *m = mix_new(2);
	char name[64];
	daemons_start(&d, "retain: 1s\nstore: { quota: 64GiB }\nfollow_up: { receipt: no }\n", false);
	feed(&d, m, first);
	struct point a = look(&d);
	feed(&d, m, last - first);
	struct point b = look(&d);
	for (int i = 0; i < DAEMONS; i++) {
		const char *who = daemon_names[i];
		snprintf(name, sizeof(name), "%s_first_mib", who);
		bench_say(name, (double)a.anon_bytes[i] / 1048576);
		snprintf(name, sizeof(name), "%s_last_mib", who);
		bench_say(name, (double)b.anon_bytes[i] / 1048576);
		snprintf(name, sizeof(name), "%s_growth", who);
		bench_say(name, (double)b.anon_bytes[i] / (double)a.anon_bytes[i]);
		snprintf(name, sizeof(name), "%s_store_first_mib", who);
		bench_say(name, (double)a.live_bytes[i] / 1048576);
		snprintf(name, sizeof(name), "%s_store_last_mib", who);
		bench_say(name, (double)b.live_bytes[i] / 1048576);
		snprintf(name, sizeof(name), "%s_records_held", who);
		bench_say(name, (double)b.held[i]);
	}
	daemons_stop(&d);
	mix_free(m);
	return 0;
}
