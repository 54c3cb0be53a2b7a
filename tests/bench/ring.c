/* The ring with its real handlers, fed over HTTP with arrays whose bodies were made before.
 *     bench-ring [COUNT] [--receipts] [--yaml LINES]
 * rate: feedbacks from the first post until notifier and router have committed marks at the heads of their inputs. cpu_*: microseconds per feedback.
 * drained: the same until the outbox is empty too, which includes the mail files of thanks (and receipts). */
#include "daemons.h"
#include "mix.h"

#include "service/service.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ITEMS = 500, CONNECTIONS = 4 };

struct sum {
	uint64_t records, bytes;
};

static int add_record(const struct hy_record *r, void *arg)
{
	struct sum *s = arg;
	s->records++;
	s->bytes += r->bytes.size;
	return s->records < 20000 ? HY_OK : HY_EXISTS;
}

/* Mean size of what the collector wrote, read from its store at rest. */
static double mean_size(const struct daemons *d)
{
	static const char *const tables[] = { "stream", "log.feedback", NULL };
	struct hy_store_options o = { .tables = tables, .maker = "collector", .version = 1, .read_only = true };
	struct hy_store *db = NULL;
	struct hy_stream *s = NULL;
	struct hy_fault f = { 0 };
	struct sum sum = { 0 };
	uint64_t at;
	char path[900];
	snprintf(path, sizeof(path), "%s/state/collector", d->dir);
	if (hy_store_open(&db, path, &o, &f) == HY_OK && hy_stream_open(&s, db, "feedback") == HY_OK) {
		struct hy_txn *t = hy_txn_begin(db, HY_READ);
		hy_stream_read(s, t, hy_stream_state(s).oldest - 1, add_record, &sum, &at);
		hy_txn_abort(&t);
	}
	hy_stream_close(&s);
	hy_store_close(&db);
	return sum.records ? (double)sum.bytes / (double)sum.records : 0;
}

static void say_decisions(const struct daemons *d, double count)
{
	static const char *const names[] = { "ticket", "thanks", "spam", "reply", "passed" };
	json_t *health = daemons_ask(d, ROUTER, "health");
	char path[64];
	for (size_t i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "decided.%s", names[i]);
		double n = json_number_value(json_object_get(json_object_get(health, "counters"), path));
		snprintf(path, sizeof(path), "share_%s", names[i]);
		bench_say(path, n / count);
	}
	bench_say("tickets", (double)daemons_number(health, "tickets"));
	json_decref(health);
}

int main(int argc, char **argv)
{
	size_t count = 200000;
	char yaml[2048] = "";
	bool receipts = false;
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--receipts") == 0)
			receipts = true;
		else if (strcmp(argv[i], "--yaml") == 0 && i + 1 < argc)
			snprintf(yaml, sizeof(yaml), "%s\n", argv[++i]);
		else
			count = strtoull(argv[i], NULL, 10);
	}
	snprintf(yaml + strlen(yaml), sizeof(yaml) - strlen(yaml), "follow_up: { receipt: %s }\n",
		receipts ? "yes" : "no");

	size_t requests = (count + ITEMS - 1) / ITEMS;
	char **bodies = calloc(requests, sizeof(*bodies));
	size_t *sizes = calloc(requests, sizeof(*sizes));
	struct mix *m = mix_new(1);
	for (size_t i = 0; i < requests; i++)
		bodies[i] = mix_request(m, ITEMS, &sizes[i]);
	mix_free(m);
	count = requests * ITEMS;

	struct daemons d = { 0 };
	struct bench_usage before[DAEMONS];
	daemons_start(&d, yaml, false);
	for (int i = 0; i < DAEMONS; i++)
		before[i] = bench_usage(d.pids[i]);
	int64_t began, posted, passed = 0;
	daemons_post(&d, bodies, sizes, requests, CONNECTIONS, &began);
	posted = bench_ns();
	struct daemons_lag lag;
	double cpu = 0, used;
	for (;;) {
		lag = daemons_lag(&d);
		if (!passed && lag.waiting == 0 && lag.head >= (long long)count) {
			passed = bench_ns();
			for (int i = 0; i < DAEMONS; i++) {
				char name[64];
				struct bench_usage u = bench_usage(d.pids[i]);
				cpu += used = (u.cpu_s - before[i].cpu_s) * 1e6 / (double)count;
				snprintf(name, sizeof(name), "cpu_%s_us", daemon_names[i]);
				bench_say(name, used);
				snprintf(name, sizeof(name), "written_%s_bytes", daemon_names[i]);
				bench_say(name, (double)(u.written_bytes - before[i].written_bytes) / (double)count);
			}
		}
		if (passed && lag.waiting == 0 && lag.outbox == 0)
			break;
		bench_sleep_ms(passed ? 200 : 20);
	}
	bench_say("rate", (double)count / ((double)(passed - began) / 1e9));
	bench_say("intake_rate", (double)count / ((double)(posted - began) / 1e9));
	bench_say("drained_rate", (double)count / ((double)(bench_ns() - began) / 1e9));
	bench_say("cpu_us", cpu);
	say_decisions(&d, (double)count);
	daemons_stop(&d);
	bench_say("record_bytes", mean_size(&d));
	for (size_t i = 0; i < requests; i++)
		free(bodies[i]);
	free(bodies);
	free(sizes);
	return 0;
}
