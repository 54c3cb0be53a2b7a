/* The peer: NATS JetStream, file store, over three hops: publisher -> s1 -> worker -> s2 -> worker -> s3 -> sink. Each is a process of its own; records are published
 * asynchronously with 4,000 in flight and pulled with ack-all. A worker acknowledges what it pulled when what it published has been acknowledged. The server
 * does not sync before it acknowledges: this is the easier promise.
 *     bench-nats [COUNT [HOPS]] */
#include "bench.h"

#include <nats/nats.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WINDOW = 4000, PULL = 1000 };

static char url[64];

static void must(natsStatus s, const char *what)
{
	if (s != NATS_OK)
		bench_die("nats: %s: %s", what, natsStatus_GetText(s));
}

static jsCtx *connect_js(natsConnection **c)
{
	jsCtx *js = NULL;
	jsOptions o;
	must(natsConnection_ConnectTo(c, url), "connect");
	jsOptions_Init(&o);
	o.PublishAsync.MaxPending = WINDOW;
	o.PublishAsync.StallWait = 60000;
	must(natsConnection_JetStream(&js, *c, &o), "JetStream");
	return js;
}

static void make_stream(jsCtx *js, int n)
{
	char name[16], subject[16];
	const char *subjects[] = { subject };
	jsStreamConfig cfg;
	jsErrCode code = 0;
	snprintf(name, sizeof(name), "s%d", n);
	snprintf(subject, sizeof(subject), "hop.%d", n);
	jsStreamConfig_Init(&cfg);
	cfg.Name = name;
	cfg.Subjects = subjects;
	cfg.SubjectsLen = 1;
	cfg.Storage = js_FileStorage;
	must(js_AddStream(NULL, js, &cfg, NULL, &code), "add stream");
}

static void publish(uint64_t count)
{
	natsConnection *c;
	jsCtx *js = connect_js(&c);
	char record[BENCH_RECORD];
	memset(record, 'x', sizeof(record));
	for (uint64_t i = 0; i < count; i++) {
		memcpy(record, &i, sizeof(i));
		must(js_PublishAsync(js, "hop.1", record, sizeof(record), NULL), "publish");
	}
	jsPubOptions o;
	jsPubOptions_Init(&o);
	o.MaxWait = 120000;
	must(js_PublishAsyncComplete(js, &o), "publish");
	exit(0);
}

/* Pulls from hop n; forwards to hop n + 1 unless it is the last. */
static void pull(int n, bool last, uint64_t count, int ready)
{
	natsConnection *c;
	jsCtx *js = connect_js(&c);
	char from[16], to[16], durable[16];
	natsSubscription *sub = NULL;
	jsSubOptions so;
	jsErrCode code = 0;
	snprintf(from, sizeof(from), "hop.%d", n);
	snprintf(to, sizeof(to), "hop.%d", n + 1);
	snprintf(durable, sizeof(durable), "w%d", n);
	jsSubOptions_Init(&so);
	so.Config.AckPolicy = js_AckAll;
	so.Config.MaxAckPending = 4 * WINDOW;
	must(js_PullSubscribe(&sub, js, from, durable, NULL, &so, &code), "subscribe");
	if (write(ready, "r", 1) != 1)
		exit(70);
	for (uint64_t got = 0; got < count;) {
		natsMsgList list = { 0 };
		uint64_t want = count - got < PULL ? count - got : PULL;
		natsStatus s = natsSubscription_Fetch(&list, sub, (int)want, 30000, &code);
		if (s == NATS_TIMEOUT)
			continue;
		must(s, "fetch");
		for (int i = 0; !last && i < list.Count; i++)
			must(js_PublishAsync(
				     js, to, natsMsg_GetData(list.Msgs[i]), natsMsg_GetDataLength(list.Msgs[i]), NULL),
				"publish");
		if (!last) {
			jsPubOptions o;
			jsPubOptions_Init(&o);
			o.MaxWait = 120000;
			must(js_PublishAsyncComplete(js, &o), "publish");
		}
		if (list.Count)
			must(natsMsg_Ack(list.Msgs[list.Count - 1], NULL), "ack");
		got += (uint64_t)list.Count;
		natsMsgList_Destroy(&list);
	}
	must(natsConnection_FlushTimeout(c, 10000), "flush");
	exit(0);
}

int main(int argc, char **argv)
{
	uint64_t count = argc > 1 ? strtoull(argv[1], NULL, 10) : 200000;
	int hops = argc > 2 ? atoi(argv[2]) : 3, port = bench_port(), ready[2];
	char text[16], store[700], b;
	const char *server =
		access("/usr/sbin/nats-server", X_OK) == 0 ? "/usr/sbin/nats-server" : "/usr/bin/nats-server";
	snprintf(text, sizeof(text), "%d", port);
	snprintf(store, sizeof(store), "%s/nats", bench_dir());
	snprintf(url, sizeof(url), "nats://127.0.0.1:%d", port);
	char *args[] = { (char *)server, "-a", "127.0.0.1", "-p", text, "-js", "-sd", store, NULL };
	pid_t pid = bench_spawn("nats", args, -1, -1), sink = 0;
	if (pipe(ready) != 0)
		bench_die("no pipe");
	/* Made by a process of its own: a client library with threads must not be forked. */
	pid_t maker = fork();
	if (maker == 0) {
		natsConnection *c;
		for (int i = 0; natsConnection_ConnectTo(&c, url) != NATS_OK; i++) {
			if (i == 200)
				bench_die("the server does not start; see nats.log");
			bench_sleep_ms(50);
		}
		jsCtx *js = connect_js(&c);
		for (int i = 1; i <= hops; i++)
			make_stream(js, i);
		_exit(0);
	}
	int status;
	if (waitpid(maker, &status, 0) != maker || status != 0)
		bench_die("no streams");
	for (int i = 1; i <= hops; i++) {
		pid_t p = fork();
		if (p == 0)
			pull(i, i == hops, count, ready[1]);
		sink = p;
	}
	for (int i = 0; i < hops; i++)
		if (read(ready[0], &b, 1) != 1)
			bench_die("a worker does not start");
	int64_t began = bench_ns();
	if (fork() == 0)
		publish(count);
	if (waitpid(sink, &status, 0) != sink || status != 0)
		bench_die("the sink failed");
	double took = (double)(bench_ns() - began) / 1e9;
	bench_say("rate", (double)count / took);
	bench_say("server_cpu_us", bench_usage(pid).cpu_s * 1e6 / (double)count);
	for (int i = 0; i < hops; i++) /* the publisher and the other workers; the sink was one of hops + 1 */
		wait(NULL);
	struct rusage clients;
	getrusage(RUSAGE_CHILDREN, &clients);
	double cpu_s = (double)(clients.ru_utime.tv_sec + clients.ru_stime.tv_sec) +
		       (double)(clients.ru_utime.tv_usec + clients.ru_stime.tv_usec) / 1e6;
	bench_say("cpu_us", (cpu_s + bench_usage(pid).cpu_s) * 1e6 / (double)count);
	bench_stop(pid);
	return 0;
}
