#include "support/stations.h"

#include "base/clock.h"
#include "service/service.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

/* ---- the station ---- */

struct station {
	int number, records, size, poison, poison_row;
};

static struct hy_id number_id(uint32_t n)
{
	struct hy_id id = { { 1 } };
	id.b[6] = 0x70, id.b[8] = 0x80;
	id.b[12] = n >> 24, id.b[13] = n >> 16, id.b[14] = n >> 8, id.b[15] = n;
	return id;
}

static int emit_number(struct hy_step *s, const struct station *st, uint32_t n)
{
	Huiyin__Envelope e = HUIYIN__ENVELOPE__INIT;
	Huiyin__Feedback f = HUIYIN__FEEDBACK__INIT;
	Huiyin__Remark r = HUIYIN__REMARK__INIT;
	char text[4096];
	struct hy_id id = number_id(n);
	snprintf(text, sizeof(text), "%0*u", st->size, n);
	r.text = text;
	f.body_case = HUIYIN__FEEDBACK__BODY_REMARK;
	f.remark = &r;
	e.id = HY_ID_TO_PB(id);
	e.project = 1;
	e.feedback = &f;
	return hy_step_emit(s, &e);
}

static int put_make(struct hy_step *s, int64_t due_ms)
{
	struct hy_key k = { 0 };
	hy_key_u64(&k, (uint64_t)due_ms);
	return hy_txn_put(s->txn, "make", hy_key_view(&k), HY_LIT("make"));
}

/* s1: some more records, until there are enough. */
static int on_make(struct hy_step *s, struct hy_bytes key, struct hy_bytes row, void *self)
{
	struct station *st = self;
	int64_t made = hy_txn_number(s->txn, "count", HY_LIT("made"));
	int err = HY_OK, i = 0;
	(void)key;
	if (hy_bytes_equal(row, HY_LIT("poison")))
		_exit(137);
	for (; i < 100 && made + i < st->records && !hy_daemon_full(s->daemon) && err == HY_OK; i++)
		err = emit_number(s, st, (uint32_t)(made + i + 1));
	hy_txn_count(s->txn, "count", HY_LIT("made"), i, NULL);
	if (err == HY_OK && made + i < st->records)
		err = put_make(s, s->now_ms + (i == 0 ? 50 : 1));
	return err;
}

static int on_record(struct hy_step *s, void *self)
{
	struct station *st = self;
	int64_t n = atoll(s->in->feedback->remark->text), next = hy_txn_number(s->txn, "count", HY_LIT("next"));
	if (st->poison && n == st->poison)
		_exit(137);
	if (n != next + 1 + (st->poison && n == st->poison + 1))
		hy_txn_count(s->txn, "count", HY_LIT("wrong"), 1, NULL);
	hy_txn_count(s->txn, "count", HY_LIT("next"), n - next, NULL);
	return hy_step_pass(s);
}

static int open_station(struct hy_daemon *d, void *self, struct hy_fault *f)
{
	struct station *st = self;
	struct hy_txn *t = hy_txn_begin(hy_daemon_store(d), HY_WRITE);
	struct hy_step s = { .daemon = d, .txn = t };
	(void)f;
	if (st->number == 1 && st->records && hy_txn_number(t, "count", HY_LIT("made")) == 0)
		put_make(&s, 1);
	if (st->poison_row && !hy_txn_number(t, "count", HY_LIT("poisoned"))) {
		struct hy_key k = { 0 };
		hy_key_u64(&k, 2);
		hy_txn_put(t, "make", hy_key_view(&k), HY_LIT("poison"));
		hy_txn_count(t, "count", HY_LIT("poisoned"), 1, NULL);
	}
	return hy_txn_commit(&t);
}

static int run_count(struct hy_step *s, struct hy_ask *a, void *self)
{
	(void)self;
	hy_ask_answer(
		a, json_pack("{s:I, s:I, s:I}", "next", (json_int_t)hy_txn_number(s->txn, "count", HY_LIT("next")),
			   "wrong", (json_int_t)hy_txn_number(s->txn, "count", HY_LIT("wrong")), "made",
			   (json_int_t)hy_txn_number(s->txn, "count", HY_LIT("made"))));
	return HY_OK;
}

/* Ballast in rows that a page holds one of, so that it is about as large as it says. */
static int run_fill(struct hy_step *s, struct hy_ask *a, void *self)
{
	static uint8_t row[3000];
	(void)self;
	for (int64_t left = hy_ask_int(a, "bytes", 0), i = 0; left > 0; left -= 4096, i++) {
		struct hy_key k = { 0 };
		hy_key_u64(&k, (uint64_t)i);
		hy_txn_put(s->txn, "ballast", hy_key_view(&k), hy_bytes(row, sizeof(row)));
	}
	return HY_OK;
}

static int run_free(struct hy_step *s, struct hy_ask *a, void *self)
{
	(void)self, (void)a;
	for (struct hy_cursor c = hy_cursor_open(s->txn, "ballast", hy_bytes(NULL, 0)); hy_cursor_on(&c);
		hy_cursor_next(&c))
		hy_cursor_del(&c);
	return HY_OK;
}

static const char *const names[] = { "", "s1", "s2", "s3", "s4" };
static const char *const tables[] = { "make", "count", "ballast", NULL };
static const struct hy_timer timers[] = { { "make", on_make }, { 0 } };
static const struct hy_command commands[] = {
	{ "count", "records that came, and how many of them out of order", false, run_count },
	{ "fill", "puts ballast into the store: bytes", true, run_fill },
	{ "free", "takes it out again", true, run_free },
	{ 0 },
};

static int asked_for(const char *name)
{
	const char *text = getenv(name);
	return text ? atoi(text) : 0;
}

bool station_main(int argc, char **argv, int *code)
{
	if (argc < 2 || strcmp(argv[1], "--station") != 0)
		return false;
	struct station st = { .records = asked_for("STATION_RECORDS"),
		.size = asked_for("STATION_SIZE"),
		.poison = asked_for("STATION_POISON") };
	st.number = atoi(argv[2]);
	st.poison_row = st.number == 1 ? 0 : asked_for("STATION_POISON_ROW");
	const char *const readers[] = { st.number < asked_for("STATION_LAST") ? names[st.number + 1] : NULL, NULL };
	const struct hy_input inputs[] = { { .stream = st.number > 1 ? names[st.number - 1] : NULL,
						   .writer = names[st.number - 1],
						   .handle = on_record },
		{ 0 } };
	const struct hy_service service = { .name = names[st.number],
		.summary = "passes on",
		.tables = tables,
		.inputs = inputs,
		.output = names[st.number],
		.readers = readers,
		.timers = timers,
		.commands = commands,
		.open = open_station };
	argv[2] = argv[0];
	*code = hy_service_main(argc - 2, argv + 2, &service, &st);
	return true;
}

/* ---- the test's side ---- */

void stations_open(struct stations *s, const char *yaml)
{
	char path[4096];
	s->dir = test_mkdir();
	snprintf(path, sizeof(path), "%s/huiyin.yaml", s->dir);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fputs(yaml, f);
	fclose(f);
}

static void put_number(const char *name, int value)
{
	char text[16];
	snprintf(text, sizeof(text), "%d", value);
	setenv(name, text, 1);
}

static void be_station(struct stations *s, int number)
{
	char log[4096], which[8], program[4096];
	ssize_t size = readlink("/proc/self/exe", program, sizeof(program) - 1);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	program[size > 0 ? size : 0] = 0;
	put_number("STATION_RECORDS", s->records);
	put_number("STATION_SIZE", s->size);
	put_number("STATION_POISON", s->poison);
	put_number("STATION_POISON_ROW", s->poison_row);
	put_number("STATION_LAST", s->last);
	snprintf(which, sizeof(which), "%d", number);
	snprintf(log, sizeof(log), "%s/s%d.log", s->dir, number);
	if (freopen(log, "a", stderr))
		execl(program, program, "--station", which, "-C", s->dir, (char *)NULL);
	_exit(127);
}

void stations_start(struct stations *s, int number)
{
	assert_int_equal(s->pid[number], 0);
	s->pid[number] = fork();
	assert_true(s->pid[number] >= 0);
	if (s->pid[number] == 0)
		be_station(s, number);
}

void stations_kill(struct stations *s, int number, int signal)
{
	int status;
	if (!s->pid[number])
		return;
	kill(s->pid[number], signal);
	assert_int_equal(waitpid(s->pid[number], &status, 0), s->pid[number]);
	s->pid[number] = 0;
}

bool stations_died(struct stations *s, int number)
{
	int status;
	if (s->pid[number] && waitpid(s->pid[number], &status, WNOHANG) != s->pid[number])
		return false;
	s->pid[number] = 0;
	return true;
}

void stations_close(struct stations *s)
{
	for (int i = 1; i <= STATIONS_MOST; i++)
		stations_kill(s, i, SIGKILL);
	hy_loop_zmq_end();
	if (getenv("HUIYIN_KEEP"))
		print_message("kept: %s\n", s->dir);
	else
		test_rmdir(s->dir);
}

json_t *stations_ask(struct stations *s, int number, const char *verb, const char *const *pairs)
{
	char *text = NULL;
	struct hy_fault f;
	int err = hy_ask_daemon(s->dir, names[number], verb, pairs, NULL, 1000, &text, &f);
	json_t *j = err ? NULL : json_loads(text, JSON_DECODE_ANY, NULL);
	free(text);
	return j;
}

json_int_t stations_number(struct stations *s, int number, const char *verb, const char *name)
{
	json_t *j = stations_ask(s, number, verb, NULL), *n = json_object_get(j, name);
	json_int_t v = n ? json_integer_value(n) : -1;
	json_decref(j);
	return v;
}

bool stations_state_is(struct stations *s, int number, const char *state)
{
	json_t *j = stations_ask(s, number, "health", NULL);
	const char *is = json_string_value(json_object_get(j, "state"));
	bool same = is && strcmp(is, state) == 0;
	json_decref(j);
	return same;
}

bool stations_linked_up(struct stations *s, int number)
{
	json_t *writer = stations_ask(s, number - 1, "health", NULL), *reader = stations_ask(s, number, "health", NULL);
	json_t *stream = json_object_get(writer, "stream"), *in = json_array_get(json_object_get(reader, "inputs"), 0);
	bool same = stream && in && json_equal(json_object_get(stream, "head"), json_object_get(in, "mark")) &&
		    json_equal(json_object_get(stream, "chain"), json_object_get(in, "chain"));
	json_decref(writer);
	json_decref(reader);
	return same;
}

bool stations_logged(struct stations *s, int number, const char *word)
{
	char command[4096];
	snprintf(command, sizeof(command), "grep -q '%s' '%s/s%d.log'", word, s->dir, number);
	return system(command) == 0;
}
