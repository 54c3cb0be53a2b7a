/* libhuiyin as an app has it: what a call costs the caller, and how much one client gets through the door.
 *     bench-client MODE [COUNT [THREADS]]        MODE: memory, spool (both over ZeroMQ), http
 * prints the time of hy_client_feedback() in the caller in µs (p50, p99, p99.9, worst; from COUNT / 10 calls, 10,000 a second and thread, so that memory
 * never fills), and records/s from the first call until all COUNT records of 305 bytes are durable, with the CPU that client and collector took. */
#include "daemons.h"

#include "client/client.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PACE_NS 100000

struct talk {
	pthread_t thread;
	struct hy_client *client;
	size_t count;
	double *took_us; /* NULL: as fast as it goes, again when memory is full */
	size_t full;
};

static void *talk(void *arg)
{
	struct talk *t = arg;
	static const char text[] =
		"The export of last month's report stops at 80 % and then says that something went wrong; I have tried "
		"it three times today, with the browser and with the app, and it is always the same. Please help.";
	const struct hy_client_pair context[] = { { "version", "3.2.1" }, { "page", "/reports/export" } };
	int64_t due = bench_ns();
	char customer[32];
	for (size_t i = 0; i < t->count; i++) {
		snprintf(customer, sizeof(customer), "customer-%zu", i % 200000);
		const struct hy_client_feedback *f = HY_CLIENT_FEEDBACK(.text = text, .customer_id = customer,
			.customer_locale = "en", .channel = "bench", .context = context, .context_count = 2);
		if (t->took_us) {
			while (bench_ns() < due)
				;
			due += PACE_NS;
		}
		int64_t before = bench_ns();
		int result = hy_client_feedback(t->client, f);
		if (t->took_us)
			t->took_us[i] = (double)(bench_ns() - before) / 1e3;
		if (result == HY_CLIENT_FULL) {
			t->full++;
			i--;
			usleep(500);
		} else if (result != HY_CLIENT_OK) {
			bench_die("feedback: %s", hy_client_strerror(result));
		}
	}
	return NULL;
}

static void run(struct hy_client *c, size_t count, int threads, double *took_us, size_t *full)
{
	struct talk talks[64] = { 0 };
	for (int i = 0; i < threads; i++) {
		talks[i] = (struct talk){ .client = c, .count = count / (size_t)threads };
		talks[i].took_us = took_us ? took_us + (size_t)i * talks[i].count : NULL;
		if (pthread_create(&talks[i].thread, NULL, talk, &talks[i]) != 0)
			bench_die("no thread");
	}
	for (int i = 0; i < threads; i++) {
		pthread_join(talks[i].thread, NULL);
		*full += talks[i].full;
	}
	if (hy_client_flush(c, 600000) != HY_CLIENT_OK) {
		char words[256];
		hy_client_problem(c, words, sizeof(words));
		bench_die("not everything arrived: %s", words);
	}
}

static void say_calls(struct hy_client *c, size_t calls, int threads)
{
	size_t full = 0;
	double *took_us = calloc(calls, sizeof(*took_us));
	calls -= calls % (size_t)threads;
	run(c, calls, threads, took_us, &full);
	bench_say("call_p50_us", bench_part(took_us, calls, 0.5));
	bench_say("call_p99_us", bench_part(took_us, calls, 0.99));
	bench_say("call_p999_us", bench_part(took_us, calls, 0.999));
	bench_say("call_worst_us", bench_part(took_us, calls, 1));
	free(took_us);
}

int main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "";
	size_t count = argc > 2 ? strtoull(argv[2], NULL, 10) : 1000000;
	int threads = argc > 3 ? atoi(argv[3]) : 1;
	bool http = strcmp(mode, "http") == 0, spool = strcmp(mode, "spool") == 0;
	if ((!http && !spool && strcmp(mode, "memory") != 0) || count < 1000 || threads < 1 || threads > 64)
		bench_die("usage: bench-client memory|spool|http [COUNT [THREADS]]");
	char url[64], yaml[256], dir[700], why[512];
	struct daemons d = { 0 };
	int door = bench_port();
	snprintf(
		yaml, sizeof(yaml), "door: { listen: 'tcp://127.0.0.1:%d' }\nlimits: { requests: 1000000000 }\n", door);
	daemons_start(&d, yaml, true);
	snprintf(url, sizeof(url), http ? "http://127.0.0.1:%d" : "tcp://127.0.0.1:%d", http ? d.port : door);
	snprintf(dir, sizeof(dir), "%s/spool", bench_dir());
	struct hy_client *c;
	if (hy_client_open_with(
		    &c, HY_CLIENT_OPTIONS(.url = url, .key = BENCH_KEY, .spool = spool ? dir : NULL), why, sizeof(why)))
		bench_die("%s", why);
	size_t full = 0;
	say_calls(c, count / 10, threads);
	struct bench_usage own = bench_usage(0), collector = bench_usage(d.pids[COLLECTOR]);
	int64_t began = bench_ns();
	run(c, count, threads, NULL, &full);
	double seconds = (double)(bench_ns() - began) / 1e9;
	bench_say("rate", (double)(count - count % (size_t)threads) / seconds);
	bench_say("cpu_client_us", (bench_usage(0).cpu_s - own.cpu_s) * 1e6 / (double)count);
	bench_say("cpu_collector_us", (bench_usage(d.pids[COLLECTOR]).cpu_s - collector.cpu_s) * 1e6 / (double)count);
	bench_say("memory_was_full", (double)full);
	bench_say("anon_bytes", (double)bench_usage(0).anon_bytes);
	struct hy_client_stats s = { .size = sizeof(s) };
	hy_client_stats(c, &s);
	bench_say("sent_twice", (double)s.sent - (double)s.durable);
	hy_client_close(&c);
	daemons_stop(&d);
	return 0;
}
