/* The bare chain: four stations as four processes, as fast as it goes (rate 0) or paced.
 *     bench-chain [COUNT [RATE]]
 * prints records/s, microseconds of CPU per record and station, and, paced, the time from a record's making to its commit in the last station. */
#include "bench.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool expect(FILE *from, const char *word, char *line, size_t room)
{
	while (fgets(line, (int)room, from))
		if (strncmp(line, word, strlen(word)) == 0)
			return true;
	return false;
}

int main(int argc, char **argv)
{
	const char *count = argc > 1 ? argv[1] : "1000000", *rate = argc > 2 ? argv[2] : "0", *dir = bench_dir();
	char role[4][2] = { "1", "2", "3", "4" }, line[256], install[700];
	FILE *said[4];
	int go[2];
	double cpu = 0;
	int64_t began = 0, ended = 0;
	snprintf(install, sizeof(install), "%s/chain", dir);
	bench_install(install, 1, getenv("BENCH_YAML") ? getenv("BENCH_YAML") : "");
	if (pipe(go) != 0)
		bench_die("no pipe");
	pid_t pids[4];
	for (int i = 3; i >= 0; i--) {
		int out[2];
		char *args[] = { (char *)bench_program("bench-station"), install, role[i], (char *)count, (char *)rate,
			NULL };
		if (pipe(out) != 0)
			bench_die("no pipe");
		pids[i] = bench_spawn("station", args, i == 0 ? go[0] : -1, out[1]);
		close(out[1]);
		said[i] = fdopen(out[0], "r");
	}
	for (int i = 1; i < 4; i++)
		if (!expect(said[i], "ready", line, sizeof(line)))
			bench_die("station %d does not start; see %s/station.log", i + 1, dir);
	bench_sleep_ms(700); /* the links stand */
	if (write(go[1], "g", 1) != 1 || !expect(said[0], "began", line, sizeof(line)))
		bench_die("the first station does not begin");
	sscanf(line, "began %" SCNd64, &began);
	for (int i = 0; i < 4; i++) {
		double used = 0;
		if (!expect(said[i], "done", line, sizeof(line)) ||
			sscanf(line, "done %" SCNd64 " %lf", &ended, &used) != 2)
			bench_die("station %d ended early; see %s/station.log", i + 1, dir);
		cpu += used;
		snprintf(line, sizeof(line), "station%d_cpu_us", i + 1);
		bench_say(line, used * 1e6 / atof(count));
	}
	bench_say("rate", atof(count) / ((double)(ended - began) / 1e9));
	bench_say("cpu_us", cpu * 1e6 / atof(count) / 4);
	if (atof(rate) > 0) {
		double p50 = 0, p99 = 0;
		if (!expect(said[3], "latency", line, sizeof(line)) || sscanf(line, "latency %lf %lf", &p50, &p99) != 2)
			bench_die("no latencies");
		bench_say("p50_ms", p50);
		bench_say("p99_ms", p99);
	}
	for (int i = 0; i < 4; i++)
		bench_stop(pids[i]);
	return 0;
}
