/* huiyin status: how the four daemons are, on one screen. */
#include "huiyin.h"
#include "show.h"

#include <unistd.h>

struct status {
	struct common common;
	bool watch;
	double every;
};

struct found {
	json_t *health[4]; /* NULL = no answer */
	struct hy_fault faults[4];
	json_t *troubles; /* sentences, each with its remedy */
	int code;
};

static void trouble(struct found *s, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static void trouble(struct found *s, int code, const char *fmt, ...)
{
	char text[640];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	json_array_append_new(s->troubles, json_string(text));
	if (s->code != EX_UNAVAILABLE && code)
		s->code = code;
}

static void look_inputs(struct found *s, const json_t *h)
{
	json_t *in;
	size_t i;
	json_array_foreach(json_object_get(h, "inputs"), i, in)
	{
		const char *why = huiyin_text(in, "trouble");
		if (strcmp(huiyin_text(in, "link"), "up") != 0)
			trouble(s, 1, "%s: its link to %s's stream %s is %s%s%s", huiyin_text(h, "daemon"),
				huiyin_text(in, "from"), huiyin_text(in, "stream"), huiyin_text(in, "link"),
				*why ? ": " : "", why);
	}
}

static void look(struct found *s, const json_t *h)
{
	const json_t *store = json_object_get(h, "store");
	const char *name = huiyin_text(h, "daemon"), *state = huiyin_text(h, "state");
	double share = json_number_value(json_object_get(store, "share"));
	int64_t dead = huiyin_number(h, "dead");
	look_inputs(s, h);
	if (strncmp(state, "full", 4) == 0 || strcmp(state, "disk full") == 0)
		trouble(s, 1,
			"%s: %s at %.0f %% of its quota; its largest table is %s: raise store.quota, or shorten retain "
			"or keep.closed",
			name, state, 100 * share, huiyin_text(store, "largest"));
	else if (share > 0.7)
		trouble(s, 0, "%s: its store is %.0f %% full; its largest table is %s", name, 100 * share,
			huiyin_text(store, "largest"));
	if (dead)
		trouble(s, 1,
			"%s: %" PRId64
			" dead letter%s; `huiyin dead list` shows why, `huiyin dead retry` runs them again",
			name, dead, dead == 1 ? "" : "s");
	const json_t *smtp = json_object_get(h, "smtp");
	if (json_is_true(json_object_get(smtp, "refused")))
		trouble(s, 1,
			"%s: the mail server %s can't be reached, or takes nothing from us (%s); notices wait, and one "
			"is tried "
			"now and then",
			name, huiyin_text(smtp, "relay"), huiyin_text(smtp, "words"));
	/* They are told nothing, so that somebody should be. */
	int64_t strangers = huiyin_number(json_object_get(h, "counters"), "door_strangers_total");
	if (strangers)
		trouble(s, 0,
			"%s: %" PRId64
			" connection%s to the ZeroMQ door came with a public key that no API key names; `huiyin key "
			"add NAME --curve PUBLIC` lets one in",
			name, strangers, strangers == 1 ? "" : "s");
	if (huiyin_number(json_object_get(h, "dedupe"), "overflowed"))
		trouble(s, 0,
			"%s: more client ids within dedupe.window than dedupe.ids holds; the oldest were forgotten",
			name);
}

/* The reader of a daemon's stream that has most to read yet; NULL when all have read everything. */
static const json_t *slowest(const json_t *h)
{
	const json_t *worst = NULL;
	json_t *reader;
	size_t i;
	json_array_foreach(json_object_get(json_object_get(h, "stream"), "readers"), i,
		reader) if (huiyin_number(reader, "lag") > (worst ? huiyin_number(worst, "lag") : 0)) worst = reader;
	return worst;
}

/* How long the next record of its slowest reader has been waiting since it was accepted; 0 when nothing waits. */
static int64_t backlog_age(struct common *c, const json_t *h)
{
	const json_t *reader = slowest(h);
	struct hy_fault f = { 0 };
	char after[32];
	if (!reader)
		return 0;
	snprintf(after, sizeof(after), "%" PRId64, huiyin_number(reader, "mark"));
	const char *const arguments[] = { "after", after, "limit", "1", NULL };
	json_t *page = huiyin_ask_within(c, huiyin_text(h, "daemon"), "stream.read", arguments, 3000, &f);
	int64_t at = huiyin_number(
		json_object_get(json_array_get(json_object_get(page, "records"), 0), "envelope"), "at_ms");
	json_decref(page);
	return at ? hy_now_ms() - at : 0;
}

static void gather(struct common *c, struct found *s)
{
	*s = (struct found){ .troubles = json_array() };
	for (size_t i = 0; huiyin_daemons[i]; i++) {
		s->health[i] = huiyin_ask_within(c, huiyin_daemons[i], "health", NULL, 3000, &s->faults[i]);
		if (s->health[i]) {
			json_object_set_new(s->health[i], "backlog_age_ms", json_integer(backlog_age(c, s->health[i])));
			look(s, s->health[i]);
			continue;
		}
		s->code = EX_UNAVAILABLE;
		trouble(s, EX_UNAVAILABLE, "%s", s->faults[i].text);
	}
}

static void forget(struct found *s)
{
	for (size_t i = 0; i < 4; i++)
		json_decref(s->health[i]);
	json_decref(s->troubles);
}

static json_t *status_json(const struct found *s)
{
	json_t *daemons = json_array();
	for (size_t i = 0; huiyin_daemons[i]; i++)
		json_array_append_new(daemons,
			s->health[i] ? json_incref(s->health[i])
				     : json_pack("{s:s, s:s}", "daemon", huiyin_daemons[i], "state", "no answer"));
	return json_pack("{s:b, s:o, s:O}", "ok", s->code == EX_OK, "daemons", daemons, "troubles", s->troubles);
}

/* "feedback 0, delivery 3 (12 s)" */
static void put_lag(struct hy_buffer *out, const json_t *h)
{
	json_t *in;
	size_t i;
	json_array_foreach(json_object_get(h, "inputs"), i, in)
	{
		hy_buffer_printf(out, "%s%s ", i ? ", " : "", huiyin_text(in, "stream"));
		show_count(out, huiyin_number(in, "lag"));
	}
}

static void row(struct show_table *t, const json_t *h)
{
	const json_t *stream = json_object_get(h, "stream"), *store = json_object_get(h, "store");
	const char *state = huiyin_text(h, "state");
	struct hy_buffer head = { 0 }, lag = { 0 }, size = { 0 };
	char up[24], age[24] = "-";
	int64_t backlog = slowest(h) ? huiyin_number(slowest(h), "lag") : 0,
		age_ms = huiyin_number(h, "backlog_age_ms");
	show_count(&head, huiyin_number(stream, "head"));
	put_lag(&lag, h);
	show_bytes(&size, (double)huiyin_number(store, "live_bytes"));
	hy_duration_text(huiyin_number(h, "uptime_ms"), up);
	if (age_ms)
		hy_duration_text(age_ms, age);
	show_cell(t, SHOW_BOLD, "%s", huiyin_text(h, "daemon"));
	show_cell(t, strcmp(state, "ok") == 0 ? SHOW_GREEN : SHOW_RED, "%s", state);
	show_cell(t, 0, "%s", up);
	show_cell(t, 0, "%s", huiyin_text(stream, "name"));
	show_cell(t, 0, "%s", hy_buffer_string(&head));
	show_cell(t, backlog ? SHOW_YELLOW : 0, "%" PRId64, backlog);
	show_cell(t, 0, "%s", age);
	show_cell(t, 0, "%s (%.1f %%)", hy_buffer_string(&size),
		100 * json_number_value(json_object_get(store, "share")));
	show_cell(t, huiyin_number(h, "dead") ? SHOW_RED : 0, "%" PRId64, huiyin_number(h, "dead"));
	show_cell(t, 0, "%s", hy_buffer_string(&lag));
	hy_buffer_free(&head);
	hy_buffer_free(&lag);
	hy_buffer_free(&size);
}

static void print(const struct found *s)
{
	struct show_table t;
	json_t *text;
	size_t i;
	show_table_open(&t, "DAEMON|STATE|>UP|STREAM|>HEAD|>BACKLOG|>AGE|>STORE|>DEAD|INPUT LAG");
	for (i = 0; huiyin_daemons[i]; i++) {
		if (s->health[i]) {
			row(&t, s->health[i]);
			continue;
		}
		show_cell(&t, SHOW_BOLD, "%s", huiyin_daemons[i]);
		show_cell(&t, SHOW_RED, "no answer");
		for (int k = 0; k < 8; k++)
			show_cell(&t, 0, "-");
	}
	show_table_print(&t, stdout);
	json_array_foreach(s->troubles, i, text) printf("%s%s%s%s\n", i ? "" : "\n", show_color(stdout, SHOW_YELLOW),
		json_string_value(text), show_plain(stdout));
}

/* ---- the verb ---- */

static const struct argp_option rows[] = {
	{ "watch", 'w', "SECONDS", OPTION_ARG_OPTIONAL, "Again and again (every 1 s)", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct status *o = state->input;
	if (key != 'w')
		return huiyin_no_options(key, arg, state);
	o->watch = true;
	if (arg && (o->every = strtod(arg, NULL)) < 0.1)
		argp_error(state, "--watch takes seconds, 0.1 or more");
	return 0;
}

int huiyin_status(int argc, char **argv)
{
	struct status o = { .every = 1 };
	struct found s;
	huiyin_options(argc, argv, rows, parse, NULL,
		"How each daemon is: the head of its stream, how many records its slowest reader has still to read and "
		"how old they may be, its store, its dead letters, and how "
		"far it is behind in what it reads. Exit code 0 when all is well, 1 when something is not, 69 when a "
		"daemon does not answer.\v"
		"Examples:\n  huiyin status\n  huiyin status --watch\n",
		&o.common);
	for (;;) {
		gather(&o.common, &s);
		int code = s.code;
		if (o.watch && !o.common.json && show_columns(stdout))
			printf("\033[H\033[2J");
		if (o.common.json)
			code = huiyin_print_json(status_json(&s)) ? EX_IOERR : code;
		else
			print(&s);
		forget(&s);
		if (!o.watch || fflush(stdout) != 0)
			return code;
		usleep((useconds_t)(o.every * 1e6));
	}
}
