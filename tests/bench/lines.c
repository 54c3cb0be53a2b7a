/* NDJSON through the collector's HTTP door, durable: bodies made beforehand, kept-alive connections.
 *     bench-lines COUNT [--items N] [--connections N] [--jansson]
 * rate: feedbacks a second from the first post until the last answer. --jansson runs the same collector with jansson in simdjson's place (jansson.c), which is what
 * reading costs otherwise. */
#include "daemons.h"
#include "mix.h"

#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv)
{
	size_t count = 400000, items = 500;
	int connections = 8;
	struct daemons d = { 0 };
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--jansson") == 0)
			d.collector = "bench-collector-jansson";
		else if (strcmp(argv[i], "--items") == 0 && i + 1 < argc)
			items = strtoull(argv[++i], NULL, 10);
		else if (strcmp(argv[i], "--connections") == 0 && i + 1 < argc)
			connections = atoi(argv[++i]);
		else
			count = strtoull(argv[i], NULL, 10);
	}
	size_t requests = (count + items - 1) / items;
	char **bodies = calloc(requests, sizeof(*bodies));
	size_t *sizes = calloc(requests, sizeof(*sizes));
	struct mix *m = mix_new(1);
	for (size_t i = 0; i < requests; i++)
		bodies[i] = mix_lines(m, items, &sizes[i]);
	mix_free(m);

	int64_t began;
	daemons_start(&d, "limits: { requests: 1000000000 }\n", true);
	struct bench_usage before = bench_usage(d.pids[COLLECTOR]);
	daemons_post(&d, bodies, sizes, requests, connections, &began);
	double seconds = (double)(bench_ns() - began) / 1e9;
	struct bench_usage after = bench_usage(d.pids[COLLECTOR]);
	count = requests * items;
	bench_say("rate", (double)count / seconds);
	bench_say("cpu_us", (after.cpu_s - before.cpu_s) * 1e6 / (double)count);
	daemons_stop(&d);
	for (size_t i = 0; i < requests; i++)
		free(bodies[i]);
	free(bodies);
	free(sizes);
	return 0;
}
