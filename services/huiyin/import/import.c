/* huiyin import FILE: a file of feedback, a JSON object a line or a table (gzip too, and in other encodings), through the collector's door. It can be killed
 * at any time and begun again: FILE.import says how far it came, and every row's id is always the same, so what is sent twice is entered once. */
#include "checker.h"
#include "columns.h"
#include "huiyin/huiyin.h"
#include "progress.h"
#include "huiyin/show.h"

#include "base/clock.h"
#include "base/text.h"

#include <inttypes.h>
#include <signal.h>
#include <unistd.h>

struct import {
	struct common common;
	const char *path, *key_file, *encoding;
	char delimiter;
	struct line_rules rules;
	bool dry_run, restart, ragged, is_table;

	struct source *source;
	struct table *table; /* NULL: lines of JSON */
	struct columns *columns;
	struct hy_json_reader *reader;
	struct line_file file;
	struct hy_buffer line; /* one that came in pieces */
	struct sender *sender;
	struct checker *checker; /* of a dry run */
	struct batch *spare[SENDER_WINDOW + 1];
	size_t spares;
	struct progress progress;
	struct show_progress bar;
	uint64_t resumed, fresh; /* rows done before this run; in it */
	bool ended; /* the file */
};

static volatile sig_atomic_t stopped;

static void on_signal(int signal)
{
	(void)signal;
	stopped = 1;
}

/* ---- rows into a batch ---- */

static int add_row(struct import *m, struct batch *b, const struct table_row *row)
{
	char id[LINE_ID_TEXT], why[sizeof(row->why)];
	size_t columns = table_columns(m->table), at = b->body.size;
	snprintf(why, sizeof(why), "%s", row->why);
	if (row->count > columns || (row->count && row->count < columns && !m->ragged))
		snprintf(why, sizeof(why), "it has %zu cells, the first row names %zu columns%s", row->count, columns,
			row->count < columns ? "; --ragged takes what is there" : "");
	if (why[0])
		return batch_reject(b, row->first, row->raw, why);
	line_id(&m->file, row->first, row->raw, id);
	int err = columns_item(m->columns, id, &b->body);
	return err == HY_NOT_FOUND ? HY_OK : err ? err : batch_add(b, row->first, at, row->raw);
}

static int next_row(struct import *m, struct batch *b, bool *more)
{
	struct table_row row;
	int err = HY_OK;
	do { /* a batch ends where another run can begin */
		*more = table_next(m->table, &row);
		if (!*more)
			break;
		b->rows++;
		err = add_row(m, b, &row);
	} while (err == HY_OK && !row.settled);
	b->after = table_place(m->table);
	return err;
}

static int add_line(struct import *m, struct batch *b, uint64_t number, struct hy_bytes text)
{
	struct hy_fault why = { 0 };
	size_t at = b->body.size;
	int err = hy_utf8_valid(text) ? line_item(m->reader, &m->file, &m->rules, number, text, &b->body, &why)
				      : hy_fail(&why, HY_BAD_INPUT, "it is not %s", source_encoding(m->source));
	if (err == HY_NOT_FOUND)
		return HY_OK;
	if (err == HY_BAD_INPUT || err == HY_TOO_LARGE) {
		b->body.size = at;
		return batch_reject(b, number, text, why.text);
	}
	for (size_t i = at; i < b->body.size; i++)
		if (b->body.data[i] ==
			'\n') /* of a file whose lines end in CR: white space, JSON has none within a text */
			b->body.data[i] = ' ';
	return err ? err : batch_add(b, number, at, text);
}

static int next_line(struct import *m, struct batch *b, bool *more)
{
	struct source_line line;
	bool pieces = false;
	hy_buffer_clear(&m->line);
	while ((*more = source_next(m->source, &line)) && !line.ends) { /* too long: its beginning is enough */
		if (!pieces)
			hy_buffer_put(&m->line, line.text.data, 1000);
		pieces = true;
	}
	if (!*more && (!pieces || source_broken(m->source)))
		return HY_OK;
	b->rows++;
	b->after = source_place(m->source);
	char why[80];
	snprintf(why, sizeof(why), "the line has more than %zu bytes", SOURCE_LINE_MAX);
	return pieces ? batch_reject(b, line.number, hy_buffer_view(&m->line), why)
		      : add_line(m, b, line.number, line.text);
}

/* The next batch; NULL at the end of the file, or with a fault. */
static struct batch *read_batch(struct import *m, struct hy_fault *f)
{
	struct batch *b = m->spares ? m->spare[--m->spares] : batch_new();
	bool more = true;
	int err = b ? HY_OK : HY_NO_MEMORY;
	if (b)
		b->after = m->progress.done.place;
	while (err == HY_OK && more && !stopped && !batch_full(b))
		err = m->table ? next_row(m, b, &more) : next_line(m, b, &more);
	m->ended = m->ended || !more;
	if (err)
		hy_fail(f, err, "%s: %s", m->path, hy_err_text(err));
	if (err || b->rows == 0)
		batch_free(&b);
	return b;
}

/* ---- the run ---- */

/* Enters what is answered, oldest first. */
static int enter(struct import *m, struct batch *b, struct hy_fault *f)
{
	m->fresh += b->rows;
	int err = progress_enter(&m->progress, b, f);
	if (m->spares <= SENDER_WINDOW) {
		batch_clear(b);
		m->spare[m->spares++] = b;
	} else {
		batch_free(&b);
	}
	return err;
}

static int run_dry(struct import *m, struct hy_fault *f)
{
	struct batch *b;
	int err = HY_OK;
	while (err == HY_OK && !stopped && (b = read_batch(m, f))) {
		if (m->checker && b->to_send)
			err = checker_batch(m->checker, b, f);
		else
			b->accepted = b->to_send;
		if (err)
			batch_free(&b);
		else
			err = enter(m, b, f);
		show_progress(&m->bar, source_offset(m->source), (int64_t)m->fresh, m->table ? "rows" : "lines");
	}
	return err ? err : f->err;
}

static int run(struct import *m, struct hy_fault *f)
{
	struct batch *b;
	int err = HY_OK;
	while (err == HY_OK) {
		while (!m->ended && !stopped && f->err == HY_OK && sender_room(m->sender) && (b = read_batch(m, f))) {
			sender_give(m->sender, b);
			if ((err = sender_turn(m->sender, 0, f)) != HY_OK)
				return err;
		}
		while (err == HY_OK && (b = sender_take(m->sender)))
			err = enter(m, b, f);
		if (err || (sender_idle(m->sender) && (m->ended || stopped || f->err)))
			break;
		if (stopped && sender_waits(m->sender)) /* what has been sent is waited for, a pause is not */
			break;
		if (!sender_idle(m->sender) && !(sender_room(m->sender) && !m->ended && !stopped && f->err == HY_OK))
			err = sender_turn(m->sender, 250, f);
		show_progress(&m->bar, source_offset(m->source), (int64_t)m->fresh, m->table ? "rows" : "lines");
	}
	return err ? err : f->err;
}

static int go(struct import *m, struct hy_fault *f)
{
	struct hy_fault unsaved = { 0 };
	int err = m->dry_run ? run_dry(m, f) : run(m, f);
	if (err == HY_OK && m->ended && !stopped) /* what could be read of a broken file has been sent */
		err = source_check(m->source, f);
	int kept = progress_save(&m->progress, &unsaved);
	show_progress_close(&m->bar);
	if (err == HY_OK && kept)
		*f = unsaved;
	if (err == HY_OK && kept == HY_OK && stopped)
		return hy_fail(f, HY_BUSY, "stopped after line %" PRIu64 "; the same command goes on from here",
			m->progress.done.place.lines);
	return err ? err : kept;
}

/* ---- opening ---- */

static bool ends_with(const char *path, size_t size, const char *end)
{
	size_t n = strlen(end);
	return size > n && strncasecmp(path + size - n, end, n) == 0;
}

/* By its name; where that says nothing, by its first character. */
static bool is_table(const struct import *m)
{
	size_t size = strlen(m->path);
	size -= ends_with(m->path, size, ".gz") ? 3 : 0;
	if (m->delimiter || ends_with(m->path, size, ".csv") || ends_with(m->path, size, ".tsv"))
		return true;
	if (ends_with(m->path, size, ".jsonl") || ends_with(m->path, size, ".ndjson") ||
		ends_with(m->path, size, ".json"))
		return false;
	struct hy_bytes b = source_beginning(m->source);
	while (b.size && (b.data[0] <= ' '))
		b = hy_bytes(b.data + 1, b.size - 1);
	return b.size && b.data[0] != '{' && b.data[0] != '[';
}

static void say_what_it_is(const struct import *m)
{
	struct hy_buffer b = { 0 };
	char name[] = { table_delimiter(m->table), 0 };
	hy_buffer_printf(&b, "%s: %s, columns divided by %s: ", m->path, source_encoding(m->source),
		name[0] == '\t' ? "TAB" : name);
	columns_describe(m->columns, &b);
	fprintf(stderr, "%s\n", hy_buffer_string(&b));
	hy_buffer_free(&b);
}

/* The first line names the file, together with its name. */
static void identify(struct import *m)
{
	struct hy_bytes b = source_beginning(m->source);
	const uint8_t *end = b.size ? memchr(b.data, '\n', b.size) : NULL;
	b.size = end ? (size_t)(end - b.data) : b.size;
	line_file(&m->file, m->path, b);
	if (strcmp(m->path, "-") == 0) { /* the next file that comes this way is another one */
		struct hy_ids ids = { 0 };
		struct hy_id id = hy_id_new(&ids, hy_now_ms());
		memcpy(m->file.identity, id.b, 16);
	}
}

static int open_table(struct import *m, struct hy_fault *f)
{
	struct hy_fault why = { 0 };
	int err = table_open(&m->table, m->source, m->delimiter, &why);
	if (err == HY_OK)
		err = columns_open(&m->columns, m->table, &m->rules, &why);
	if (err)
		return hy_fail(f, err, "%s: %s", m->path, why.text);
	m->progress.delimiter = table_delimiter(m->table);
	m->progress.head_row = table_head_row(m->table);
	return HY_OK;
}

/* Goes to where an earlier run of the same file came. */
static int resume(struct import *m, struct hy_fault *f)
{
	struct progress *p = &m->progress;
	bool other = false;
	memcpy(p->identity, m->file.identity, 16);
	p->done.place = m->table ? table_place(m->table) : source_place(m->source);
	if (m->restart || m->dry_run || !progress_resume(p, &other)) {
		if (other)
			fprintf(stderr, "%s: %s is of another file and is begun anew\n", m->common.verb, p->state_path);
		return HY_OK;
	}
	m->resumed = p->done.rows;
	return m->table ? table_seek(m->table, p->done.place, f) : source_seek(m->source, p->done.place, f);
}

static int open_sender(struct import *m, struct hy_fault *f)
{
	struct post_door door;
	int err = post_door(m->common.dir, m->key_file, &door, f);
	if (err == HY_OK)
		err = sender_open(&m->sender, &door, f);
	explicit_bzero(&door, sizeof(door));
	return err;
}

/* Where the collector's program is not, the file alone is looked at. */
static int open_checker(struct import *m)
{
	struct hy_fault why = { 0 };
	if (checker_open(&m->checker, &why) == HY_OK)
		return HY_OK;
	fprintf(stderr, "%s: %s; what the collector would refuse is not told\n", m->common.verb, why.text);
	checker_close(&m->checker);
	return HY_OK;
}

static int open_all(struct import *m, struct hy_fault *f)
{
	bool standard = strcmp(m->path, "-") == 0;
	int err = source_open(&m->source, m->path, m->encoding, f);
	if (err)
		return err;
	m->is_table = is_table(m);
	struct hy_bytes beginning = source_beginning(m->source);
	hy_buffer_put(&m->progress.beginning, beginning.data,
		beginning.size < PROGRESS_KNOWN ? beginning.size : PROGRESS_KNOWN);
	m->progress.begun_at = source_place(m->source).at;
	identify(m);
	if (!standard && !m->dry_run)
		snprintf(m->progress.state_path, sizeof(m->progress.state_path), "%s.import", m->path);
	if (!m->dry_run)
		snprintf(m->progress.rejects_path, sizeof(m->progress.rejects_path), "%s.rejects.%s",
			standard ? "standard-input" : m->path, m->is_table ? "csv" : "jsonl");
	err = m->is_table ? open_table(m, f) : HY_OK;
	if (err == HY_OK)
		err = resume(m, f);
	if (err == HY_OK && m->table && !m->common.json)
		say_what_it_is(m);
	if (err == HY_OK)
		err = m->dry_run ? open_checker(m) : open_sender(m, f);
	if (err == HY_OK)
		err = progress_open(&m->progress, f);
	show_progress_open(&m->bar, source_size(m->source), source_offset(m->source), !m->common.json);
	return err;
}

static int report(struct import *m)
{
	const struct progress_counts *n = &m->progress.done;
	const char *rejects = n->rejected && !m->dry_run ? m->progress.rejects_path : "",
		   *unit = m->table ? "rows" : "lines";
	char delimiter[] = { m->table ? table_delimiter(m->table) : 0, 0 };
	if (m->common.json)
		huiyin_print_json(json_pack("{s:s, s:b, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:s}", "file",
			m->path, "dry_run", m->dry_run, "format", m->table ? "table" : "lines", "encoding",
			source_encoding(m->source), "delimiter", delimiter, "lines", (json_int_t)n->place.lines, "rows",
			(json_int_t)n->rows, "resumed_after", (json_int_t)m->resumed, "accepted",
			(json_int_t)n->accepted, "duplicates", (json_int_t)n->duplicates, "rejected",
			(json_int_t)n->rejected, "rejects_file", rejects));
	else
		printf("%s: %" PRIu64 " %s%s; %" PRIu64 " %s, %" PRIu64 " there already, %s%" PRIu64
		       " rejected%s%s%s\n",
			m->path, n->rows, unit, m->resumed ? " (an earlier run included)" : "", n->accepted,
			m->dry_run ? "would be accepted" : "accepted", n->duplicates,
			n->rejected ? show_color(stdout, SHOW_RED) : "", n->rejected,
			n->rejected ? show_plain(stdout) : "", *rejects ? ", see " : "", rejects);
	return n->rejected ? EX_DATAERR : EX_OK;
}

/* ---- options ---- */

enum {
	OPTION_MAP = 'm',
	OPTION_SET = 's',
	OPTION_DRY = 'n',
	OPTION_RESTART = 0x100,
	OPTION_KEY,
	OPTION_ENCODING,
	OPTION_DELIMITER,
	OPTION_RAGGED
};

static const struct argp_option rows[] = {
	{ "map", OPTION_MAP, "TO=FROM,...", 0,
		"Where our fields are in the file, by name or number of the column: "
		"text=review,rating.stars=3,customer.email=mail",
		0 },
	{ "set", OPTION_SET, "TO=VALUE", 0, "The same value in each: channel=appstore; may be given again", 0 },
	{ "encoding", OPTION_ENCODING, "NAME", 0,
		"The file's encoding: GB18030, Big5, UTF-16LE ... (default: found out)", 0 },
	{ "delimiter", OPTION_DELIMITER, "CHAR", 0,
		"What divides the columns of a table: , ; TAB or | (default: found out)", 0 },
	{ "ragged", OPTION_RAGGED, NULL, 0, "Take rows with fewer cells than columns: the others are empty", 0 },
	{ "dry-run", OPTION_DRY, NULL, 0, "Read and check the file, send nothing", 0 },
	{ "restart", OPTION_RESTART, NULL, 0, "From the first line, whatever an earlier run did", 0 },
	{ "key-file", OPTION_KEY, "FILE", 0, "The API key (default DIR/keys/app-default.key)", 0 },
	{ 0 },
};

static char delimiter_of(const char *arg, struct argp_state *state)
{
	if (strcasecmp(arg, "TAB") == 0 || strcmp(arg, "\\t") == 0)
		return '\t';
	if (strlen(arg) != 1 || *arg == '"' || (unsigned char)*arg < ' ' || (unsigned char)*arg > 126)
		argp_error(state, "--delimiter is one character, like ';' or TAB, not '%s'", arg);
	return *arg;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct import *m = state->input;
	struct hy_fault f = { 0 };
	switch (key) {
	case OPTION_MAP:
	case OPTION_SET:
		if (line_rules_parse(&m->rules, arg, key == OPTION_SET, &f) != HY_OK)
			argp_error(state, "%s", f.text);
		return 0;
	case OPTION_ENCODING:
		m->encoding = arg;
		return 0;
	case OPTION_DELIMITER:
		m->delimiter = delimiter_of(arg, state);
		return 0;
	case OPTION_RAGGED:
		m->ragged = true;
		return 0;
	case OPTION_DRY:
		m->dry_run = true;
		return 0;
	case OPTION_RESTART:
		m->restart = true;
		return 0;
	case OPTION_KEY:
		m->key_file = arg;
		return 0;
	case ARGP_KEY_ARG:
		if (m->path)
			return huiyin_no_options(key, arg, state);
		m->path = arg;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "which file? - is standard input");
		return EINVAL;
	default:
		return huiyin_no_options(key, arg, state);
	}
}

static const char doc[] = "Sends the feedback in FILE to the running collector: a table (.csv, .tsv) whose first row "
			  "names the columns, or a JSON object a line; gzip too. "
			  "Encoding and delimiter are found out, columns are known by their usual names in Chinese and "
			  "English, the others go to the context. "
			  "It can be stopped and begun again at any time: FILE.import says how far it came, and "
			  "nothing is entered twice. "
			  "Rows that are refused go to FILE.rejects.csv (or .jsonl) with line and reason, to be "
			  "repaired and imported; then the exit code is 65. "
			  "--dry-run says the same without a running collector and sends nothing; only which ids came "
			  "before it does not know.\v"
			  "Examples:\n  huiyin import 评价.csv --dry-run\n  huiyin import reviews.csv.gz --map "
			  "text=Review,rating.stars=4 --set channel=appstore\n"
			  "  huiyin import reviews.csv.rejects.csv\n  zcat old.jsonl.gz | huiyin import -\n";

int huiyin_import(int argc, char **argv)
{
	struct import m = { 0 };
	struct hy_fault f = { 0 };
	huiyin_options(argc, argv, rows, parse, "FILE", doc, &m.common);
	struct sigaction quit = { .sa_handler = on_signal };
	sigaction(SIGINT, &quit, NULL);
	sigaction(SIGTERM, &quit, NULL);
	stopped = 0;
	m.reader = hy_json_reader_new();
	int err = open_all(&m, &f);
	if (err == HY_OK)
		err = go(&m, &f);
	int code = err ? huiyin_fail(&m.common, &f) : report(&m);
	progress_close(&m.progress);
	sender_close(&m.sender);
	checker_close(&m.checker);
	while (m.spares)
		batch_free(&m.spare[--m.spares]);
	columns_close(&m.columns);
	table_close(&m.table);
	source_close(&m.source);
	hy_buffer_free(&m.line);
	hy_json_reader_free(&m.reader);
	return code;
}
