/* One station of the bare chain: the skeleton, the store and the link as every daemon has them, and a handler that passes each record on. The first
 * makes the records, as fast as its steps go or paced; the last one tells when they were durable there. bench-chain runs four of them:
 *     bench-station DIR ROLE(1..4) COUNT RATE(0 = as fast as it goes) */
#include "bench.h"

#include "service/service.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

struct station {
	struct hy_daemon *daemon;
	int role;
	uint64_t count, passed;
	double rate;
	bool going, told;
	double cpu_before;
	int64_t began_ns;

	/* the first */
	struct hy_job job;
	bool posted;
	uint64_t made, wanted;
	uint8_t record[BENCH_RECORD];
	size_t id_at, stamp_at;

	/* the last: when each record of this step was made, and how long it took */
	int64_t *stamps;
	size_t stamped, settled;
	double *took_ms;
};

static double cpu_s(void)
{
	struct rusage u;
	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

/* ---- the first station: a record with everything that a feedback has, its id and its stamp rewritten in place ---- */

#define STAMP_DIGITS 19

static void pack_template(struct station *st)
{
	uint8_t id[16] = { 0x01, 0x90, 0, 0, 0, 0, 0x70, 0, 0x80 }, person[16] = { 7, 7, 7 };
	char stamp[STAMP_DIGITS + 1] = "0000000000000000000", filler[BENCH_RECORD];
	memset(filler, 'x', sizeof(filler));
	Huiyin__Envelope e = HUIYIN__ENVELOPE__INIT;
	Huiyin__Feedback f = HUIYIN__FEEDBACK__INIT;
	Huiyin__Customer c = HUIYIN__CUSTOMER__INIT;
	Huiyin__Remark r = HUIYIN__REMARK__INIT;
	e.id = (ProtobufCBinaryData){ 16, id };
	e.key = f.person = (ProtobufCBinaryData){ 16, person };
	e.project = 1;
	e.at_ms = e.origin_ms = f.at_ms = 1750000000000;
	e.feedback = &f;
	f.customer = &c;
	f.body_case = HUIYIN__FEEDBACK__BODY_REMARK;
	f.remark = &r;
	c.id = (char *)"customer-000042";
	c.name = (char *)"Lin Xiaomei";
	c.locale = (char *)"zh-CN";
	c.timezone = (char *)"Asia/Shanghai";
	r.channel = (char *)"app";
	r.client_id = stamp;
	for (size_t length = 10; length < sizeof(filler); length++) {
		filler[length] = 0;
		r.text = filler;
		if (protobuf_c_message_get_packed_size(&e.base) == BENCH_RECORD)
			break;
		filler[length] = 'x';
	}
	if (protobuf_c_message_get_packed_size(&e.base) != BENCH_RECORD)
		bench_die("no record of %d bytes", BENCH_RECORD);
	protobuf_c_message_pack(&e.base, st->record);
	st->id_at = (size_t)((uint8_t *)memmem(st->record, BENCH_RECORD, id, 16) - st->record);
	st->stamp_at = (size_t)((uint8_t *)memmem(st->record, BENCH_RECORD, stamp, STAMP_DIGITS) - st->record);
}

static void write_stamp(uint8_t *at, int64_t ns)
{
	for (int i = STAMP_DIGITS - 1; i >= 0; i--, ns /= 10)
		at[i] = (uint8_t)('0' + ns % 10);
}

static int run_make(struct hy_step *s, struct hy_job *job, void *self)
{
	struct station *st = self;
	(void)job;
	for (uint64_t n = st->made; n < st->wanted; n++) {
		/* Paced: stamped with the time at which it was due, so that a commit in progress counts as waiting. */
		int64_t stamp = st->rate > 0 ? st->began_ns + (int64_t)((double)n / st->rate * 1e9) : st->began_ns;
		hy_be_put64(st->record + st->id_at + 8, n | (uint64_t)1 << 63);
		if (st->rate > 0)
			write_stamp(st->record + st->stamp_at, stamp);
		int err = hy_step_emit_packed(s, hy_bytes(st->record, BENCH_RECORD), true);
		if (err)
			return err;
	}
	return HY_OK;
}

static void done_make(struct hy_job *job, int err, void *self)
{
	struct station *st = self;
	(void)job;
	if (err == HY_OK)
		st->made = st->wanted;
	st->posted = false;
}

static int64_t make_more(struct station *st)
{
	char go;
	if (!st->going && read(0, &go, 1) != 1)
		return 1;
	if (!st->going) {
		st->going = true;
		st->began_ns = bench_ns();
		printf("began %" PRId64 "\n", st->began_ns);
		fflush(stdout);
	}
	if (st->made == st->count || st->posted)
		return -1;
	uint64_t most = HY_STEP_BYTES / BENCH_RECORD, due = st->count;
	if (st->rate > 0) {
		due = (uint64_t)((double)(bench_ns() - st->began_ns) / 1e9 * st->rate);
		due = due < st->count ? due : st->count;
	}
	if (due <= st->made)
		return 1;
	st->wanted = due - st->made > most ? st->made + most : due;
	st->posted = true;
	hy_daemon_post(st->daemon, &st->job);
	hy_daemon_wake(st->daemon);
	return st->rate > 0 ? 1 : -1;
}

/* ---- the others ---- */

static int on_record(struct hy_step *s, void *self)
{
	struct station *st = self;
	if (st->role == 4 && st->rate > 0 && st->settled + st->stamped < st->count)
		st->stamps[st->settled + st->stamped++] = strtoll(s->in->feedback->remark->client_id, NULL, 10);
	return hy_step_pass(s);
}

/* After each commit. */
static const void *settled(struct hy_daemon *d, void *self)
{
	struct station *st = self;
	uint64_t head = hy_stream_state(hy_daemon_output(d)).head;
	int64_t now = bench_ns();
	if (!st->told && head >= st->count) {
		printf("done %" PRId64 " %.6f\n", now, cpu_s() - st->cpu_before);
		fflush(stdout);
		st->told = true;
	}
	for (; st->stamped && st->settled < head; st->settled++, st->stamped--)
		st->took_ms[st->settled] = (double)(now - st->stamps[st->settled]) / 1e6;
	if (st->told && st->role == 4 && st->rate > 0 && st->settled == st->count) {
		size_t tail = st->count / 10; /* the first tenth warms up */
		double *from = st->took_ms + tail;
		double p50 = bench_part(from, st->count - tail, 0.5), p99 = bench_part(from, st->count - tail, 0.99);
		printf("latency %.6f %.6f\n", p50, p99);
		fflush(stdout);
		st->rate = 0;
	}
	return NULL;
}

static int64_t work(struct hy_daemon *d, void *self)
{
	struct station *st = self;
	(void)d;
	if (!st->going && st->role > 1) {
		st->going = true;
		printf("ready\n");
		fflush(stdout);
	}
	return st->role == 1 ? make_more(st) : -1;
}

int main(int argc, char **argv)
{
	static const char *const names[] = { "", "one", "two", "three", "four" };
	static const char *const streams[] = { "", "a", "b", "c", "d" };
	struct station st = { .job = { .run = run_make, .done = done_make } };
	if (argc != 5)
		bench_die("usage: bench-station DIR ROLE COUNT RATE");
	st.role = atoi(argv[2]);
	st.count = strtoull(argv[3], NULL, 10);
	st.rate = atof(argv[4]);
	struct hy_input inputs[] = { { streams[st.role - 1], names[st.role - 1], on_record, false, NULL }, { 0 } };
	const char *readers[] = { st.role < 4 ? names[st.role + 1] : NULL, NULL };
	struct hy_service service = { .name = names[st.role],
		.summary = "a station of the bare chain",
		.version = 1,
		.inputs = st.role > 1 ? inputs : &inputs[1],
		.output = streams[st.role],
		.readers = readers,
		.work = work,
		.view = settled };
	struct hy_daemon_options options = { .dir = argv[1] };
	struct hy_fault f = { 0 };
	hy_log_open(service.name, HY_INFO, -1);
	if (st.role == 1) {
		pack_template(&st);
		fcntl(0, F_SETFL, O_NONBLOCK);
	}
	if (st.role == 4 && st.rate > 0) {
		st.stamps = calloc(st.count, sizeof(*st.stamps));
		st.took_ms = calloc(st.count, sizeof(*st.took_ms));
	}
	int err = hy_daemon_open(&st.daemon, &service, &st, &options, &f);
	if (err)
		bench_die("%s: %s", service.name, f.text);
	st.cpu_before = cpu_s();
	err = hy_daemon_run(st.daemon);
	hy_daemon_close(&st.daemon);
	free(st.stamps);
	free(st.took_ms);
	return err ? 1 : 0;
}
