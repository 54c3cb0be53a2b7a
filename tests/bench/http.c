/* Single durable POSTs with wrk on keep-alive connections.
 *     bench-http CONNECTIONS SECONDS [volatile]      requests/s of the collector, or of the same door without a store
 * and, of the collector, the longest time in which it kept nothing new while clients were waiting (a stall). */
#include "daemons.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static double read_wrk(int fd, double *refused)
{
	FILE *f = fdopen(fd, "r");
	char line[512];
	double rate = 0;
	while (fgets(line, sizeof(line), f)) {
		sscanf(line, "Requests/sec: %lf", &rate);
		sscanf(line, "  Non-2xx or 3xx responses: %lf", refused);
	}
	fclose(f);
	return rate;
}

int main(int argc, char **argv)
{
	if (argc < 3)
		bench_die("usage: bench-http CONNECTIONS SECONDS [volatile]");
	bool is_volatile = argc > 3 && strcmp(argv[3], "volatile") == 0;
	struct daemons d = { 0 };
	char url[64], seconds[16], port[16], connections[16], script[700];
	int out[2];
	if (is_volatile) {
		snprintf(d.dir, sizeof(d.dir), "%s/door", bench_dir());
		d.port = bench_port();
		bench_install(d.dir, d.port, "");
		snprintf(port, sizeof(port), "%d", d.port);
		char *args[] = { (char *)bench_program("bench-volatile"), d.dir, port, NULL };
		d.pids[COLLECTOR] = bench_spawn("volatile", args, -1, -1);
		bench_sleep_ms(500);
	} else {
		daemons_start(&d, "limits: { requests: 1000000000 }\n", true);
	}
	snprintf(url, sizeof(url), "http://127.0.0.1:%d", d.port);
	snprintf(seconds, sizeof(seconds), "%ss", argv[2]);
	snprintf(connections, sizeof(connections), "%s", argv[1]);
	snprintf(script, sizeof(script), "%s/tests/bench/post.lua", BENCH_SOURCE_DIR);
	setenv("BENCH_KEY", BENCH_KEY, 1);
	char *args[] = { (char *)"/usr/bin/wrk", (char *)"-t2", (char *)"-c", connections, (char *)"-d", seconds,
		(char *)"--timeout", (char *)"20s", (char *)"-s", script, url, NULL };
	struct bench_usage before = bench_usage(d.pids[COLLECTOR]);
	if (pipe(out) != 0)
		bench_die("no pipe");
	pid_t wrk = bench_spawn("wrk", args, -1, out[1]);
	close(out[1]);
	long long kept = 0, last = 0;
	double gap_ms = 0;
	int64_t until = bench_ns() + atoll(argv[2]) * 1000000000 - 300000000, changed = bench_ns();
	while (!is_volatile && bench_ns() < until) {
		json_t *health = daemons_ask(&d, COLLECTOR, "health");
		int64_t now = bench_ns();
		kept = daemons_number(health, "feedback.emitted");
		json_decref(health);
		if (kept != last) {
			gap_ms =
				last && (double)(now - changed) / 1e6 > gap_ms ? (double)(now - changed) / 1e6 : gap_ms;
			last = kept;
			changed = now;
		}
		bench_sleep_ms(20);
	}
	if (!is_volatile && (double)(bench_ns() - changed) / 1e6 > gap_ms)
		gap_ms = (double)(bench_ns() - changed) / 1e6; /* it stood until the end */
	double refused = 0, rate = read_wrk(out[0], &refused);
	struct bench_usage after = bench_usage(d.pids[COLLECTOR]);
	if (rate <= 0)
		bench_die("wrk says nothing; see %s/wrk.log", bench_dir());
	bench_stop(wrk);
	bench_say("rate", rate);
	bench_say("refused", refused);
	bench_say("cpu_us", (after.cpu_s - before.cpu_s) * 1e6 / (rate * atof(argv[2])));
	if (!is_volatile)
		bench_say("longest_gap_ms", gap_ms);
	daemons_stop(&d);
	return 0;
}
