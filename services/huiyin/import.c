/* huiyin import FILE: a file of feedback, a JSON object a line or a table (gzip too), through the collector's door in arrays. It can be killed at any time and
 * begun again: FILE.import says how far it came, and every line's id is always the same, so what is sent twice is entered once. */
#include "csv.h"
#include "files.h"
#include "huiyin.h"
#include "line.h"
#include "post.h"
#include "show.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#define BATCH_LINES 500
#define BATCH_BYTES ((size_t)200 << 10)
#define SAVE_MS 1000
#define PATIENCE_MS 60000 /* how long nobody may answer at all */
#define PAUSE_MS 500

/* One item of the batch: its line in the file, and where its JSON lies in the body. */
struct item {
	uint64_t number;
	size_t at, size;
};

struct import {
	struct common common;
	const char *path, *key_file;
	struct line_rules rules;
	bool dry_run, restart;

	gzFile in;
	uint8_t chunk[65536];
	size_t chunk_at, chunk_size;
	struct hy_buffer line; /* or a row of a table, which may have several */
	bool more; /* `line` holds one that nobody has looked at */
	bool is_csv;
	struct csv csv;
	uint64_t read, number; /* lines read; number of the one in `line`, or of the row's first */
	struct line_file file;
	struct hy_json_reader *reader;
	struct post *post;
	struct post_answer answer;
	FILE *rejects;
	char rejects_path[1200], state_path[1200];
	struct item items[BATCH_LINES];
	size_t count;
	struct hy_buffer body;
	int64_t saved_ms;
	struct show_progress progress;

	struct counts {
		uint64_t lines, accepted, duplicates, rejected;
		int64_t rejects_bytes;
	} now, done; /* done: as of the last batch that was answered; this is what the state file says */
	uint64_t resumed; /* lines done before this run */
};

static volatile sig_atomic_t stopped;

static void on_signal(int signal)
{
	(void)signal;
	stopped = 1;
}

/* ---- state ---- */

static int save(struct import *m, struct hy_fault *f)
{
	char identity[33];
	if (m->dry_run || !m->state_path[0])
		return HY_OK;
	hy_hex(m->file.identity, 16, identity);
	json_t *j = json_pack("{s:s, s:I, s:I, s:I, s:I, s:I}", "file", identity, "lines", (json_int_t)m->done.lines,
		"accepted", (json_int_t)m->done.accepted, "duplicates", (json_int_t)m->done.duplicates, "rejected",
		(json_int_t)m->done.rejected, "rejects_bytes", (json_int_t)m->done.rejects_bytes);
	char *text = json_dumps(j, JSON_COMPACT);
	json_decref(j);
	int err = file_write(m->state_path, hy_bytes_text(text), 0600, f);
	free(text);
	m->saved_ms = hy_mono_ms();
	return err;
}

/* Takes up what an earlier run of the same file left. */
static void resume(struct import *m)
{
	struct hy_buffer text = { 0 };
	char identity[33];
	hy_hex(m->file.identity, 16, identity);
	if (m->restart || m->dry_run || !m->state_path[0] || file_read(m->state_path, 65536, &text, NULL) != HY_OK) {
		hy_buffer_free(&text);
		return;
	}
	json_t *j = json_loadb((const char *)text.data, text.size, 0, NULL);
	if (j && strcmp(huiyin_text(j, "file"), identity) == 0) {
		m->now = (struct counts){ (uint64_t)huiyin_number(j, "lines"), (uint64_t)huiyin_number(j, "accepted"),
			(uint64_t)huiyin_number(j, "duplicates"), (uint64_t)huiyin_number(j, "rejected"),
			huiyin_number(j, "rejects_bytes") };
		m->done = m->now;
		m->resumed = m->now.lines;
	} else {
		fprintf(stderr, "%s: %s is of another file and is begun anew\n", m->common.verb, m->state_path);
	}
	json_decref(j);
	hy_buffer_free(&text);
}

/* ---- rejects ---- */

static void reject(struct import *m, uint64_t number, json_t *errors, struct hy_bytes text)
{
	m->now.rejected++;
	if (m->dry_run || !m->rejects) {
		char *words = json_dumps(errors, JSON_COMPACT | JSON_ENCODE_ANY);
		fprintf(stderr, "line %" PRIu64 ": %s\n", number, words ? words : "");
		free(words);
		json_decref(errors);
		return;
	}
	json_t *input = json_stringn((const char *)text.data, text.size);
	json_t *j = json_pack(
		"{s:I, s:o, s:o}", "line", (json_int_t)number, "errors", errors, "input", input ? input : json_null());
	json_dumpf(j, m->rejects, JSON_COMPACT);
	fputc('\n', m->rejects);
	json_decref(j);
}

static void reject_words(struct import *m, uint64_t number, const char *words, struct hy_bytes text)
{
	reject(m, number, json_pack("[{s:s, s:s}]", "pointer", "", "detail", words), text);
}

/* The collector's pointer begins with the place in our array; the reader of the rejects file knows lines. */
static json_t *own_pointers(json_t *errors)
{
	json_t *list = json_array(), *e;
	size_t i;
	json_array_foreach(errors, i, e)
	{
		const char *pointer = huiyin_text(e, "pointer"), *rest = pointer;
		if (*rest == '/' && rest[1 + strspn(rest + 1, "0123456789")] != rest[1])
			rest += 1 + strspn(rest + 1, "0123456789");
		json_array_append_new(
			list, json_pack("{s:s, s:s}", "pointer", rest, "detail", huiyin_text(e, "detail")));
	}
	return list;
}

/* ---- sending ---- */

/* One exchange, with the patience that its answers ask for. */
static int exchange(struct import *m, struct hy_bytes body, struct hy_fault *f)
{
	int64_t silent_since = 0;
	for (;;) {
		int err = post_send(m->post, "POST", "/v1/feedback", body, &m->answer, f);
		int64_t wait = PAUSE_MS, now = hy_mono_ms();
		if (err == HY_UNREACHABLE || err == HY_TIMEOUT) {
			silent_since = silent_since ? silent_since : now;
			if (now - silent_since >= PATIENCE_MS || m->now.accepted + m->now.duplicates == 0 || stopped)
				return err; /* nobody was there from the beginning: say so at once */
		} else if (err || (m->answer.status != 429 && m->answer.status != 503)) {
			return err;
		} else {
			silent_since = 0;
			wait = m->answer.retry_after_ms > 0 ? m->answer.retry_after_ms : 1000;
			wait = wait > 60000 ? 60000 : wait;
		}
		for (; wait > 0 && !stopped; wait -= 100)
			usleep((useconds_t)(wait < 100 ? wait : 100) * 1000);
		if (stopped)
			return hy_fail(f, HY_TIMEOUT, "stopped; the same command goes on from here");
	}
}

static struct hy_bytes item_text(const struct import *m, const struct item *i)
{
	return hy_bytes(m->body.data + i->at, i->size);
}

static void take_rejected(struct import *m, const struct item *items, size_t count, const json_t *list)
{
	json_t *one;
	size_t i;
	json_array_foreach(list, i, one)
	{
		size_t index = (size_t)huiyin_number(one, "index");
		if (index < count)
			reject(m, items[index].number, own_pointers(json_object_get(one, "errors")),
				item_text(m, &items[index]));
	}
}

/* Whether a refusal of the whole array tells of each item. */
static bool tells_of_each(const json_t *list, size_t count)
{
	return json_array_size(list) == count && json_object_get(json_array_get(list, 0), "index");
}

/* Sends some items of the batch. A refusal that does not tell which item it means is asked for again with halves, down to the one. */
static int send_items(struct import *m, const struct item *items, size_t count, struct hy_fault *f)
{
	struct hy_buffer body = { 0 };
	hy_buffer_byte(&body, '[');
	for (size_t i = 0; i < count; i++) {
		if (i)
			hy_buffer_byte(&body, ',');
		hy_buffer_bytes(&body, item_text(m, &items[i]));
	}
	hy_buffer_byte(&body, ']');
	int err = body.err ? body.err : exchange(m, hy_buffer_view(&body), f);
	hy_buffer_free(&body);
	if (err)
		return err;
	int status = m->answer.status;
	json_t *j = json_loadb((const char *)m->answer.body.data, m->answer.body.size, 0, NULL);
	if (status == 202) {
		m->now.accepted += (uint64_t)huiyin_number(j, "accepted");
		m->now.duplicates += (uint64_t)huiyin_number(j, "duplicates");
		take_rejected(m, items, count, json_object_get(j, "rejected"));
	} else if (status == 422 && tells_of_each(json_object_get(j, "errors"), count)) {
		take_rejected(m, items, count, json_object_get(j, "errors"));
	} else if ((status == 400 || status == 413 || status == 422) && count > 1) {
		err = send_items(m, items, count / 2, f);
		if (err == HY_OK)
			err = send_items(m, items + count / 2, count - count / 2, f);
	} else {
		char why[800];
		post_problem(&m->answer, why, sizeof(why));
		if (status == 400 || status == 409 || status == 413 || status == 422)
			reject_words(m, items[0].number, why, item_text(m, &items[0]));
		else
			err = hy_fail(f, status == 401 || status == 403 ? HY_FORBIDDEN : HY_UNREACHABLE, "%s", why);
	}
	json_decref(j);
	return err;
}

static int flush_batch(struct import *m, uint64_t lines, struct hy_fault *f)
{
	int err = HY_OK;
	if (m->count && m->dry_run)
		m->now.accepted += m->count;
	else if (m->count)
		err = send_items(m, m->items, m->count, f);
	if (err)
		return err;
	m->count = 0;
	hy_buffer_clear(&m->body);
	m->now.lines = lines;
	if (m->rejects && (fflush(m->rejects) != 0 || (m->now.rejects_bytes = ftell(m->rejects)) < 0))
		return hy_fail(f, hy_err_from_errno(errno), "%s: %s", m->rejects_path, strerror(errno));
	m->done = m->now;
	return hy_mono_ms() - m->saved_ms >= SAVE_MS ? save(m, f) : HY_OK;
}

/* ---- reading ---- */

/* Adds the next line, without its end, however long (what is above the limit is read over). False at the end of the file. */
static bool add_line(struct import *m)
{
	bool any = false;
	for (;;) {
		if (m->chunk_at == m->chunk_size) {
			int n = gzread(m->in, m->chunk, sizeof(m->chunk));
			m->chunk_at = 0;
			m->chunk_size = n > 0 ? (size_t)n : 0;
			if (n <= 0)
				break;
		}
		const uint8_t *from = m->chunk + m->chunk_at, *lf = memchr(from, '\n', m->chunk_size - m->chunk_at);
		size_t size = lf ? (size_t)(lf - from) : m->chunk_size - m->chunk_at;
		any = true;
		if (m->line.size <= LINE_MAX_BYTES)
			hy_buffer_put(&m->line, from, size);
		m->chunk_at += size + (lf != NULL);
		if (lf)
			break;
	}
	m->read += any;
	return any;
}

static bool next_line(struct import *m)
{
	hy_buffer_clear(&m->line);
	if (!add_line(m))
		return false;
	m->number = m->read;
	while (m->is_csv && m->line.size <= LINE_MAX_BYTES && !csv_whole(hy_buffer_view(&m->line))) {
		hy_buffer_byte(&m->line, '\n');
		if (!add_line(m))
			break;
	}
	return true;
}

/* The line in hand as an item; a row becomes an object first. */
static int make_item(struct import *m, struct hy_buffer *out, struct hy_fault *f)
{
	struct hy_buffer object = { 0 };
	struct hy_bytes line = hy_buffer_view(&m->line);
	int err = HY_OK;
	if (m->is_csv) {
		err = csv_row(&m->csv, line, &object, f);
		line = hy_buffer_view(&object);
	}
	if (err == HY_OK)
		err = line_item(m->reader, &m->file, &m->rules, m->number, line, out, f);
	hy_buffer_free(&object);
	return err;
}

/* Puts the line into the batch; the batch goes first when it is full. A line that can't be an item is rejected, which is no failure. */
static int one_line(struct import *m, struct hy_fault *f)
{
	struct hy_buffer text = { 0 };
	struct hy_fault why = { 0 };
	int err = HY_OK, bad = make_item(m, &text, &why);
	if (bad == HY_OK) {
		if (m->count == BATCH_LINES || (m->count && m->body.size + text.size > BATCH_BYTES))
			err = flush_batch(m, m->number - 1, f);
		if (err == HY_OK) {
			m->items[m->count++] = (struct item){ m->number, m->body.size, text.size };
			hy_buffer_bytes(&m->body, hy_buffer_view(&text));
			err = m->body.err;
		}
	} else if (bad == HY_BAD_INPUT || bad == HY_TOO_LARGE) {
		reject_words(m, m->number, why.text, hy_buffer_view(&m->line));
	} else if (bad != HY_NOT_FOUND) {
		*f = why;
		err = bad;
	}
	hy_buffer_free(&text);
	return err;
}

/* A file that ends in the middle of its compression, or a disk that can't be read. */
static int check_input(struct import *m, struct hy_fault *f)
{
	int bad = Z_OK;
	const char *words = gzerror(m->in, &bad);
	if (bad == Z_OK || bad == Z_STREAM_END)
		return HY_OK;
	return hy_fail(f, HY_BAD_INPUT, "%s, behind line %" PRIu64 ": %s", m->path, m->read,
		bad == Z_ERRNO ? strerror(errno) : words);
}

static int run(struct import *m, struct hy_fault *f)
{
	int err = HY_OK;
	uint64_t fresh = 0;
	for (; m->more && err == HY_OK && !stopped; m->more = next_line(m)) {
		if (m->number > m->resumed) {
			err = one_line(m, f);
			fresh++;
		}
		show_progress(&m->progress, gzoffset(m->in), (int64_t)fresh, m->is_csv ? "rows" : "lines");
	}
	/* after a signal the line in hand has been read but not looked at */
	uint64_t upto = m->more ? m->number - 1 : m->read;
	if (err == HY_OK)
		err = flush_batch(m, upto > m->resumed ? upto : m->resumed, f);
	if (err == HY_OK)
		err = check_input(m, f);
	struct hy_fault unsaved = { 0 };
	int kept = save(m, &unsaved);
	show_progress_close(&m->progress);
	if (err == HY_OK && kept)
		*f = unsaved;
	if (err == HY_OK && kept == HY_OK && stopped)
		return hy_fail(f, HY_BUSY, "stopped after line %" PRIu64 "; the same command goes on from here",
			m->done.lines);
	return err ? err : kept;
}

/* ---- around it ---- */

static bool is_table(const char *path)
{
	size_t size = strlen(path);
	size -= size > 3 && strcmp(path + size - 3, ".gz") == 0 ? 3 : 0;
	return size > 4 &&
	       (strncasecmp(path + size - 4, ".csv", 4) == 0 || strncasecmp(path + size - 4, ".tsv", 4) == 0);
}

static int open_input(struct import *m, struct hy_fault *f)
{
	struct stat st;
	bool standard = strcmp(m->path, "-") == 0;
	int fd = standard ? dup(0) : open(m->path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) != 0 || S_ISDIR(st.st_mode))
		return hy_fail(f, HY_NOT_FOUND, "%s: can't read it: %s", m->path,
			fd < 0 ? strerror(errno) : "is it a directory?");
	m->in = gzdopen(fd, "rb"); /* reads what is not compressed as it is */
	if (!m->in)
		return hy_fail(f, HY_NO_MEMORY, "%s: no memory", m->path);
	gzbuffer(m->in, 1 << 17);
	m->is_csv = m->rules.table = is_table(m->path);
	m->more = next_line(m);
	line_file(&m->file, m->path, hy_buffer_view(&m->line));
	if (m->is_csv) {
		int err = csv_open(&m->csv, hy_buffer_view(&m->line), f);
		if (err)
			return err;
		m->more = next_line(m);
	}
	if (standard) { /* the next file that comes this way is another one */
		struct hy_ids ids = { 0 };
		struct hy_id id = hy_id_new(&ids, hy_now_ms());
		memcpy(m->file.identity, id.b, 16);
	} else {
		snprintf(m->state_path, sizeof(m->state_path), "%s.import", m->path);
	}
	snprintf(m->rejects_path, sizeof(m->rejects_path), "%s.rejects.jsonl", standard ? "standard-input" : m->path);
	show_progress_open(&m->progress, S_ISREG(st.st_mode) ? st.st_size : 0, 0, !m->common.json);
	return HY_OK;
}

static int open_rejects(struct import *m, struct hy_fault *f)
{
	int64_t bytes = m->now.rejects_bytes;
	if (m->dry_run)
		return HY_OK;
	m->rejects = fopen(m->rejects_path, bytes ? "r+" : "w");
	if (!m->rejects && bytes)
		m->rejects = fopen(m->rejects_path, "w");
	/* lines of a batch that was not acknowledged come again */
	if (!m->rejects || ftruncate(fileno(m->rejects), bytes) != 0 || fseek(m->rejects, 0, SEEK_END) != 0)
		return hy_fail(f, HY_IO, "%s: %s", m->rejects_path, strerror(errno));
	return HY_OK;
}

static int open_post(struct import *m, struct hy_fault *f)
{
	struct settings s;
	char path[1200], key[256];
	if (m->dry_run)
		return HY_OK;
	snprintf(path, sizeof(path), "%s/keys/app-default.key", m->common.dir);
	int err = settings_read(m->common.dir, &s, f);
	if (err == HY_OK)
		err = key_load(m->key_file ? m->key_file : path, key, sizeof(key), f);
	if (err == HY_OK)
		err = post_open(&m->post, s.listen, key, f);
	explicit_bzero(key, sizeof(key));
	return err;
}

static int report(struct import *m)
{
	const struct counts *n = &m->now;
	const char *rejects = n->rejected && !m->dry_run ? m->rejects_path : "";
	if (m->common.json)
		huiyin_print_json(json_pack("{s:s, s:b, s:I, s:I, s:I, s:I, s:I, s:s}", "file", m->path, "dry_run",
			m->dry_run, "lines", (json_int_t)n->lines, "resumed_after", (json_int_t)m->resumed, "accepted",
			(json_int_t)n->accepted, "duplicates", (json_int_t)n->duplicates, "rejected",
			(json_int_t)n->rejected, "rejects_file", rejects));
	else
		printf("%s: %" PRIu64 " lines%s; %" PRIu64 " %s, %" PRIu64 " there already, %s%" PRIu64
		       " rejected%s%s%s\n",
			m->path, n->lines, m->resumed ? " (an earlier run included)" : "", n->accepted,
			m->dry_run ? "could be sent" : "accepted", n->duplicates,
			n->rejected ? show_color(stdout, SHOW_RED) : "", n->rejected,
			n->rejected ? show_plain(stdout) : "", *rejects ? ", see " : "", rejects);
	return n->rejected ? EX_DATAERR : EX_OK;
}

enum { OPTION_MAP = 'm', OPTION_SET = 's', OPTION_DRY = 'n', OPTION_RESTART = 0x100, OPTION_KEY };

static const struct argp_option rows[] = {
	{ "map", OPTION_MAP, "TO=FROM,...", 0,
		"Where our fields are in the file: text=review,rating.score=stars,customer.email=mail", 0 },
	{ "set", OPTION_SET, "TO=VALUE", 0, "The same value in each: rating.scale=stars; may be given again", 0 },
	{ "dry-run", OPTION_DRY, NULL, 0, "Read and check the file, send nothing", 0 },
	{ "restart", OPTION_RESTART, NULL, 0, "From the first line, whatever an earlier run did", 0 },
	{ "key-file", OPTION_KEY, "FILE", 0, "The API key (default DIR/keys/app-default.key)", 0 },
	{ 0 },
};

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

int huiyin_import(int argc, char **argv)
{
	static struct import m; /* its items are too many for the stack's taste */
	struct hy_fault f = { 0 };
	m = (struct import){ 0 };
	huiyin_options(argc, argv, rows, parse, "FILE",
		"Sends the feedback in FILE to the running collector: a JSON object a line, or a table (.csv, .tsv) "
		"whose first row "
		"names the columns; gzip too. It can be "
		"stopped and begun again at any time: nothing is entered twice. "
		"Lines that are refused go to FILE.rejects.jsonl with the reasons; then the exit code is 65.\v"
		"Examples:\n  huiyin import reviews.jsonl --dry-run\n  huiyin import reviews.jsonl.gz --map "
		"text=review,rating.score=stars --set rating.scale=stars\n",
		&m.common);
	struct sigaction quit = { .sa_handler = on_signal };
	sigaction(SIGINT, &quit, NULL);
	sigaction(SIGTERM, &quit, NULL);
	m.reader = hy_json_reader_new();
	int err = open_input(&m, &f);
	if (err == HY_OK)
		resume(&m);
	if (err == HY_OK)
		err = open_post(&m, &f);
	if (err == HY_OK)
		err = open_rejects(&m, &f);
	if (err == HY_OK)
		err = run(&m, &f);
	int code = err ? huiyin_fail(&m.common, &f) : report(&m);
	if (m.rejects && fclose(m.rejects) == 0 && m.now.rejected == 0)
		unlink(m.rejects_path);
	if (m.in)
		gzclose(m.in);
	post_close(&m.post);
	hy_buffer_free(&m.answer.body);
	hy_buffer_free(&m.body);
	hy_buffer_free(&m.line);
	csv_close(&m.csv);
	hy_json_reader_free(&m.reader);
	return code;
}
