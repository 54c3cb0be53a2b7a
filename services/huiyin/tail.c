/* huiyin tail: what passes by on a stream, a line a record. It reads over the writer's control socket and holds no place in the stream: the ring
 * does not notice it. */
#include "huiyin.h"
#include "show.h"

#include <unistd.h>

#define POLL_MS 300
#define TEXT_COLUMNS 60

struct tail {
	struct common common;
	const char *stream;
	int64_t last;
	bool once;
	const char *daemon;
};

static const char *const streams[] = { "feedback", "classification", "ticket", "delivery", NULL };

/* ---- one line ---- */

static void lower(struct hy_buffer *out, const char *word)
{
	if (strncmp(word, "EVENT_", 6) == 0)
		word += 6;
	if (strncmp(word, "NOTICE_", 7) == 0)
		word += 7;
	if (strncmp(word, "DECISION_", 9) == 0)
		word += 9;
	if (strncmp(word, "OUTCOME_", 8) == 0)
		word += 8;
	for (; *word; word++)
		hy_buffer_byte(out, (uint8_t)(*word >= 'A' && *word <= 'Z' ? *word - 'A' + 'a' : *word));
}

static const char *label(const json_t *classification, const char *name)
{
	const char *text = huiyin_text(json_object_get(classification, name), "name");
	return *text ? text : "-";
}

static void put_feedback(struct hy_buffer *out, const json_t *e)
{
	const json_t *f = json_object_get(e, "feedback"), *remark = json_object_get(f, "remark"), *rating;
	static const char *const bodies[] = { "profile", "preferences", "erasure", NULL };
	size_t i;
	if (!remark) {
		for (i = 0; bodies[i]; i++)
			if (json_object_get(f, bodies[i]))
				hy_buffer_text(out, bodies[i]);
		return;
	}
	const char *kind = huiyin_text(remark, "kind"), *channel = huiyin_text(remark, "channel");
	lower(out, *kind ? kind : "feedback");
	if (*channel)
		hy_buffer_printf(out, "/%s", channel);
	json_array_foreach(json_object_get(remark, "ratings"), i, rating) hy_buffer_printf(
		out, " %s=%g", huiyin_text(rating, "scale"), json_number_value(json_object_get(rating, "score")));
	hy_buffer_text(out, "  ");
	show_line(out, huiyin_text(remark, "text"), TEXT_COLUMNS);
}

static void put_classification(struct hy_buffer *out, const json_t *e)
{
	const json_t *c = json_object_get(e, "classification");
	if (!c || !json_object_get(c, "type"))
		return;
	hy_buffer_printf(out, "  %s→ %s %s/%s %s %s%s%s", show_color(stdout, SHOW_DIM), huiyin_text(c, "language"),
		label(c, "type"), label(c, "topic"), label(c, "sentiment"), label(c, "urgency"),
		json_is_true(json_object_get(c, "unsure")) ? " unsure" : "", show_plain(stdout));
}

static void put_routed(struct hy_buffer *out, const json_t *e)
{
	const json_t *r = json_object_get(e, "routed");
	if (!r)
		return;
	hy_buffer_printf(out, "  %s→ ", show_color(stdout, SHOW_GREEN));
	lower(out, huiyin_text(r, "decision"));
	if (huiyin_number(r, "number"))
		hy_buffer_printf(out, " T-%" PRId64, huiyin_number(r, "number"));
	if (*huiyin_text(r, "department"))
		hy_buffer_printf(out, " %s", huiyin_text(r, "department"));
	hy_buffer_text(out, show_plain(stdout));
}

static void put_event(struct hy_buffer *out, const json_t *t)
{
	const json_t *note = json_object_get(t, "note");
	hy_buffer_printf(out, "%sticket.", show_color(stdout, SHOW_CYAN));
	lower(out, huiyin_text(t, "kind"));
	hy_buffer_printf(out, "%s T-%" PRId64, show_plain(stdout), huiyin_number(t, "number"));
	if (huiyin_number(t, "round") > 1)
		hy_buffer_printf(out, " round %" PRId64, huiyin_number(t, "round"));
	if (*huiyin_text(t, "department"))
		hy_buffer_printf(out, " %s", huiyin_text(t, "department"));
	if (*huiyin_text(t, "actor"))
		hy_buffer_printf(out, " by %s", huiyin_text(t, "actor"));
	if (note || *huiyin_text(t, "subject"))
		hy_buffer_text(out, "  ");
	if (note)
		show_line(out, *huiyin_text(note, "zh") ? huiyin_text(note, "zh") : huiyin_text(note, "en"),
			TEXT_COLUMNS);
	else if (*huiyin_text(t, "subject"))
		show_line(out, huiyin_text(t, "subject"), TEXT_COLUMNS);
}

static void put_delivery(struct hy_buffer *out, const json_t *d)
{
	const char *outcome = huiyin_text(d, "outcome");
	lower(out, huiyin_text(d, "kind"));
	hy_buffer_printf(out, " %s", show_color(stdout, strcmp(outcome, "TOLD") == 0 ? SHOW_GREEN : SHOW_YELLOW));
	lower(out, outcome);
	hy_buffer_text(out, show_plain(stdout));
	if (*huiyin_text(d, "channel"))
		hy_buffer_printf(out, " by %s", huiyin_text(d, "channel"));
	if (*huiyin_text(d, "reason"))
		hy_buffer_printf(out, "  (%s)", huiyin_text(d, "reason"));
}

static void print_record(const json_t *record)
{
	const json_t *e = json_object_get(record, "envelope"), *t = json_object_get(e, "ticket"),
		     *d = json_object_get(e, "delivery");
	struct hy_buffer line = { 0 };
	hy_buffer_text(&line, show_color(stdout, SHOW_DIM));
	if (e)
		show_time(&line, huiyin_number(e, "at_ms"));
	hy_buffer_printf(&line, "%s %s%s%s  ", show_plain(stdout), show_color(stdout, SHOW_DIM), huiyin_text(e, "id"),
		show_plain(stdout));
	if (!e)
		hy_buffer_printf(
			&line, "record %" PRId64 ": %s", huiyin_number(record, "seq"), huiyin_text(record, "marker"));
	else if (*huiyin_text(e, "unreadable"))
		hy_buffer_printf(&line, "unreadable: %s", huiyin_text(e, "unreadable"));
	else if (d)
		put_delivery(&line, d);
	else if (t)
		put_event(&line, t);
	else
		put_feedback(&line, e);
	if (!t && !d) {
		put_classification(&line, e);
		put_routed(&line, e);
	}
	printf("%s\n", hy_buffer_string(&line));
	hy_buffer_free(&line);
}

/* ---- following ---- */

/* Prints a page; moves *after behind its last record. */
static void print_page(const struct tail *o, const json_t *page, int64_t *after)
{
	json_t *record;
	size_t i;
	json_array_foreach(json_object_get(page, "records"), i, record)
	{
		*after = huiyin_number(record, "seq");
		if (o->common.json) {
			json_dumpf(record, stdout, JSON_COMPACT);
			putchar('\n');
		} else {
			print_record(record);
		}
	}
	fflush(stdout);
}

static int follow(struct tail *o, struct hy_fault *f)
{
	char number[32];
	int64_t after = -1;
	bool gone = false;
	for (bool first = true;; first = false) {
		snprintf(number, sizeof(number), "%" PRId64, first ? o->last : after);
		const char *const arguments[] = { first ? "last" : "after", number, "limit", "500", NULL };
		json_t *page = huiyin_ask(&o->common, o->daemon, "stream.read", arguments, f);
		if (!page && (first || o->once))
			return f->err;
		if (!page && !gone) {
			fprintf(stderr, "%s: %s; waiting for it\n", o->common.verb, f->text);
			gone = true;
		}
		if (!page) { /* it is being started again: the place is kept */
			usleep(1000000);
			first = after < 0;
			continue;
		}
		gone = false;
		int64_t head = huiyin_number(page, "head"), before = after;
		if (first || head < after) /* a log made anew begins anew */
			after = first ? huiyin_number(page, "after") : 0;
		print_page(o, page, &after);
		json_decref(page);
		if (ferror(stdout))
			return HY_IO;
		if (o->once && (after >= head || (after == before && !first)))
			return HY_OK;
		if (after >= head)
			usleep(POLL_MS * 1000);
	}
}

/* ---- the verb ---- */

static const struct argp_option rows[] = {
	{ "lines", 'n', "N", 0, "Begin with the last N records (default 10)", 0 },
	{ "once", '1', NULL, 0, "Show what is there and end", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct tail *o = state->input;
	char *end;
	switch (key) {
	case 'n':
		o->last = strtoll(arg, &end, 10);
		if (*end || end == arg || o->last < 0)
			argp_error(state, "-n takes a number, not '%s'", arg);
		return 0;
	case '1':
		o->once = true;
		return 0;
	case ARGP_KEY_ARG:
		if (!o->stream) {
			o->stream = arg;
			return 0;
		}
		return huiyin_no_options(key, arg, state);
	default:
		return huiyin_no_options(key, arg, state);
	}
}

int huiyin_tail(int argc, char **argv)
{
	struct tail o = { .last = 10 };
	struct hy_fault f = { 0 };
	huiyin_options(argc, argv, rows, parse, "[feedback|classification|ticket|delivery]",
		"Shows the last records of a stream (default feedback) and then each new one. With --json a JSON "
		"object a line.\v"
		"Examples:\n  huiyin tail\n  huiyin tail ticket -n 50 --once\n  huiyin tail classification --json | jq "
		".envelope.classification.type.name\n",
		&o.common);
	int which = huiyin_which(argv[0], o.stream ? o.stream : "feedback", streams);
	if (which < 0)
		return EX_USAGE;
	o.daemon = huiyin_daemons[which];
	return follow(&o, &f) ? huiyin_fail(&o.common, &f) : EX_OK;
}
