/* huiyin fsck: every block, every record and every mark of an installation held against its checksums. Each store is looked at in a child of its
 * own: a file damaged so badly that reading it kills the reader kills the child, and that is an answer too. Looking needs nothing stopped;
 * --quarantine writes, so it wants the daemons at rest. */
#include "huiyin.h"
#include "show.h"

#include <sys/wait.h>
#include <unistd.h>

struct fsck {
	struct common common;
	bool quarantine;
};

/* Who reads what from whom. */
static const struct {
	const char *reader, *stream, *writer;
} inputs[] = {
	{ "collector", "ticket", "router" },
	{ "collector", "delivery", "notifier" },
	{ "classifier", "ticket", "router" },
	{ "classifier", "feedback", "collector" },
	{ "router", "delivery", "notifier" },
	{ "router", "classification", "classifier" },
	{ "notifier", "ticket", "router" },
};

/* ---- in the child ---- */

static int open_store(const struct fsck *o, const char *daemon, bool write, struct hy_store **db, struct hy_fault *f)
{
	char dir[1200], log[64];
	const char *tables[] = { "stream", log, NULL };
	struct hy_store_options so = { .tables = tables, .maker = daemon, .version = 1, .read_only = !write };
	snprintf(dir, sizeof(dir), "%s/state/%s", o->common.dir, daemon);
	snprintf(log, sizeof(log), "log.%s", huiyin_stream_of(daemon));
	if (access(dir, F_OK) != 0)
		return hy_fail(f, HY_NOT_FOUND, "no store yet: it has never run");
	return hy_store_open(db, dir, &so, f);
}

static void problem(json_t *report, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void problem(json_t *report, const char *fmt, ...)
{
	char text[512];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	json_array_append_new(json_object_get(report, "problems"), json_string(text));
}

/* Every block and record of the daemon's own log. */
static void check_log(const struct fsck *o, struct hy_store *db, const char *stream, json_t *report)
{
	struct hy_log_report r = { 0 };
	struct hy_txn *t = hy_txn_begin(db, o->quarantine ? HY_WRITE : HY_READ);
	int err = hy_stream_check(t, stream, o->quarantine, &r);
	int end = hy_txn_commit(&t);
	if (err || end) {
		problem(report, "%s: %s", stream, hy_err_text(err ? err : end));
		return;
	}
	json_object_update_new(
		report, json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "blocks", (json_int_t)r.blocks, "records",
				(json_int_t)r.records, "erased", (json_int_t)r.erased, "damaged", (json_int_t)r.damaged,
				"mended", (json_int_t)r.mended, "lost", (json_int_t)r.lost));
	uint64_t stops = r.bad_blocks + r.missing + r.broken_chain;
	if (r.damaged)
		problem(report,
			"%s: %" PRIu64 " records fail their check, the first near %" PRIu64
			"; their readers have them as dead letters",
			stream, r.damaged, r.at_seq);
	if (stops && !o->quarantine)
		problem(report,
			"%s: reading stops near %" PRIu64 " (%" PRIu64 " bad blocks, %" PRIu64
			" records missing, %" PRIu64
			" breaks of the chain); stop the daemons, then huiyin fsck --quarantine",
			stream, r.at_seq, r.bad_blocks, r.missing, r.broken_chain);
	if (o->quarantine && r.lost)
		problem(report,
			"%s: %" PRIu64 " records could not be saved; they are marked, and reading goes on behind them",
			stream, r.lost);
}

/* The chain beside a mark must be the writer's at that sequence: both saw the same records in the same order. */
static void check_mark(
	const struct fsck *o, struct hy_store *db, const char *stream, const char *writer, json_t *report)
{
	struct hy_mark mark;
	struct hy_store *other = NULL;
	struct hy_stream *s = NULL;
	struct hy_fault f = { 0 };
	uint64_t chain;
	struct hy_txn *t = hy_txn_begin(db, HY_READ);
	int err = hy_follow_kept(t, stream, &mark);
	hy_txn_abort(&t);
	if (err || open_store(o, writer, false, &other, &f) !=
			   HY_OK) /* the writer's own trouble is told with the writer */
		return;
	if (hy_stream_open(&s, other, stream) == HY_OK) {
		struct hy_stream_state state = hy_stream_state(s);
		t = hy_txn_begin(other, HY_READ);
		if (memcmp(state.log_id.b, mark.log_id.b, sizeof(mark.log_id.b)) != 0)
			problem(report, "its mark on %s belongs to another log: the %s was restored or made anew",
				stream, writer);
		else if (mark.seq > state.head)
			problem(report, "its mark on %s is %" PRIu64 ", but the stream ends at %" PRIu64, stream,
				mark.seq, state.head);
		else if (hy_stream_chain(s, t, mark.seq, &chain) == HY_OK && chain != mark.chain)
			problem(report,
				"its mark on %s at %" PRIu64
				" has another chain than the %s: they saw different records",
				stream, mark.seq, writer);
		hy_txn_abort(&t);
	}
	hy_stream_close(&s);
	hy_store_close(&other);
}

static json_t *look(const struct fsck *o, const char *daemon)
{
	struct hy_store *db = NULL;
	struct hy_fault f = { 0 };
	json_t *report = json_pack("{s:s, s:[]}", "daemon", daemon, "problems");
	int err = open_store(o, daemon, o->quarantine, &db, &f);
	if (err == HY_OK) {
		check_log(o, db, huiyin_stream_of(daemon), report);
		for (size_t i = 0; i < sizeof(inputs) / sizeof(*inputs); i++)
			if (strcmp(inputs[i].reader, daemon) == 0)
				check_mark(o, db, inputs[i].stream, inputs[i].writer, report);
	} else if (err != HY_NOT_FOUND) {
		problem(report, "%s", f.text);
	}
	hy_store_close(&db);
	return report;
}

/* ---- the parent ---- */

static json_t *look_in_child(const struct fsck *o, const char *daemon)
{
	int ends[2], status = 0;
	struct hy_buffer text = { 0 };
	fflush(NULL);
	if (pipe(ends) != 0)
		return NULL;
	pid_t child = fork();
	if (child == 0) {
		close(ends[0]);
		json_t *report = look(o, daemon);
		_exit(json_dumpfd(report, ends[1], JSON_COMPACT) == 0 ? 0 : EX_IOERR);
	}
	close(ends[1]);
	for (uint8_t *room; child > 0 && (room = hy_buffer_room(&text, 4096));) {
		ssize_t n = read(ends[0], room, 4096);
		if (n <= 0)
			break;
		text.size += (size_t)n;
	}
	close(ends[0]);
	if (child > 0)
		waitpid(child, &status, 0);
	json_t *report = child > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0
				 ? json_loads(hy_buffer_string(&text), 0, NULL)
				 : NULL;
	hy_buffer_free(&text);
	if (!report) {
		report = json_pack("{s:s, s:[]}", "daemon", daemon, "problems");
		problem(report, "reading its store ended the reader: the file itself is damaged; restore the backup");
	}
	return report;
}

static void print_report(const json_t *report)
{
	const json_t *problems = json_object_get(report, "problems"), *one;
	size_t i;
	bool sound = json_array_size(problems) == 0;
	printf("%s%-10s%s  ", show_color(stdout, SHOW_BOLD), huiyin_text(report, "daemon"), show_plain(stdout));
	if (!json_object_get(report, "blocks") && sound)
		printf("no store yet\n");
	else
		printf("%s%s%s  %" PRId64 " records in %" PRId64 " blocks%s\n",
			show_color(stdout, sound ? SHOW_GREEN : SHOW_RED), sound ? "sound" : "NOT SOUND",
			show_plain(stdout), huiyin_number(report, "records"), huiyin_number(report, "blocks"),
			huiyin_number(report, "mended") ? ", some mended without loss" : "");
	json_array_foreach((json_t *)(uintptr_t)problems, i, one) printf("  %s\n", json_string_value(one));
}

static const struct argp_option rows[] = {
	{ "quarantine", 'q', NULL, 0,
		"Mend what can be proved, mark what is lost, so that reading goes on; the daemons must be stopped", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct fsck *o = state->input;
	if (key != 'q')
		return huiyin_no_options(key, arg, state);
	o->quarantine = true;
	return 0;
}

int huiyin_fsck(int argc, char **argv)
{
	struct fsck o = { 0 };
	huiyin_options(argc, argv, rows, parse, NULL,
		"Checks every block and record of the four stores, and that readers and writers saw the same.\v"
		"Exit code 0 when all is sound, 1 when something is not.\n\n"
		"Examples:\n  huiyin fsck\n  huiyin fsck --quarantine -C /etc/huiyin\n",
		&o.common);
	json_t *list = json_array();
	bool sound = true;
	for (size_t d = 0; huiyin_daemons[d]; d++) {
		json_t *report = look_in_child(&o, huiyin_daemons[d]);
		if (!report)
			break;
		sound = sound && json_array_size(json_object_get(report, "problems")) == 0;
		if (!o.common.json)
			print_report(report);
		json_array_append_new(list, report);
	}
	if (o.common.json)
		huiyin_print_json(json_pack("{s:b, s:O}", "sound", sound, "stores", list));
	json_decref(list);
	return sound ? EX_OK : 1;
}
