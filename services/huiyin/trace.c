/* huiyin trace ID: the way of one feedback around the ring, with the time that each part of it took. */
#include "huiyin.h"
#include "show.h"

struct trace {
	struct common common;
	const char *id;
};

static int64_t time_of(const json_t *j, const char *name)
{
	int64_t ms;
	return hy_time_parse(huiyin_text(j, name), &ms) ? ms : 0;
}

/* One station: a dot on the line, and above it how long the way there took. */
static void station(int64_t *before, int64_t at, enum show_color color, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
static void station(int64_t *before, int64_t at, enum show_color color, const char *fmt, ...)
{
	struct hy_buffer when = { 0 }, words = { 0 }, line = { 0 };
	char took[24], text[1024];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (*before && at) {
		hy_duration_text(at - *before, took);
		printf("  %s│%s  %s%s%s\n", show_color(stdout, SHOW_DIM), show_plain(stdout),
			show_color(stdout, SHOW_DIM), took, show_plain(stdout));
	}
	if (at)
		show_time(&when, at);
	hy_text_line(&line, hy_bytes_text(text));
	printf("  %s%s%s  %-12s  %s\n", show_color(stdout, color), at ? "●" : "○", show_plain(stdout),
		hy_buffer_string(&when), hy_buffer_string(&line));
	if (at)
		*before = at;
	hy_buffer_free(&when);
	hy_buffer_free(&words);
	hy_buffer_free(&line);
}

static void print(const json_t *j)
{
	const json_t *ticket = json_object_get(j, "ticket"), *note = json_object_get(ticket, "note"), *told;
	const char *decision = huiyin_text(j, "decision"), *department = huiyin_text(j, "department");
	int64_t before = 0, received = time_of(j, "received"), classified = time_of(j, "classified"),
		routed = time_of(j, "routed");
	size_t i;
	printf("%s%s%s\n", show_color(stdout, SHOW_BOLD), huiyin_text(j, "id"), show_plain(stdout));
	station(&before, received, SHOW_CYAN, "received");
	station(&before, classified, SHOW_MAGENTA, classified ? "classified" : "not classified yet");
	if (*decision)
		station(&before, routed, SHOW_YELLOW, "routed: %s%s%s", decision, *department ? " → " : "", department);
	else
		station(&before, 0, SHOW_DIM, "not routed yet");
	json_array_foreach(json_object_get(j, "told"), i, told) station(&before, time_of(told, "at"), SHOW_BLUE,
		"%s: %s%s%s", huiyin_text(told, "kind"), huiyin_text(told, "outcome"),
		*huiyin_text(told, "channel") ? " by " : "", huiyin_text(told, "channel"));
	if (ticket) {
		bool open = strcmp(huiyin_text(ticket, "status"), "confirmed") != 0 &&
			    strcmp(huiyin_text(ticket, "status"), "closed") != 0;
		printf("\n  %s%s%s is %s%s%s, round %" PRId64 "\n", show_color(stdout, SHOW_BOLD),
			huiyin_text(ticket, "number"), show_plain(stdout),
			show_color(stdout, open ? SHOW_YELLOW : SHOW_GREEN), huiyin_text(ticket, "status"),
			show_plain(stdout), huiyin_number(ticket, "round"));
	}
	static const char *const languages[] = { "zh", "en" };
	for (i = 0; i < 2; i++) {
		struct hy_buffer line = { 0 };
		if (*huiyin_text(note, languages[i])) {
			hy_text_line(&line, hy_bytes_text(huiyin_text(note, languages[i])));
			printf("  %s: %s\n", languages[i], hy_buffer_string(&line));
		}
		hy_buffer_free(&line);
	}
}

/* Milliseconds between the stations, for scripts. */
static void add_spans(json_t *j)
{
	static const char *const names[] = { "received", "classified", "routed" };
	json_t *spans = json_object(), *told = json_array_get(json_object_get(j, "told"), 0);
	int64_t before = time_of(j, names[0]), first = before;
	for (size_t i = 1; i < 3; i++) {
		int64_t at = time_of(j, names[i]);
		if (at && before)
			json_object_set_new(spans, names[i], json_integer(at - before));
		before = at;
	}
	if (told && first)
		json_object_set_new(spans, "first_told", json_integer(time_of(told, "at") - first));
	json_object_set_new(j, "took_ms", spans);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct trace *o = state->input;
	if (key == ARGP_KEY_ARG && !o->id) {
		o->id = arg;
		return 0;
	}
	if (key == ARGP_KEY_NO_ARGS)
		argp_error(state, "which feedback? Give its ID; `huiyin tail` shows the latest");
	return huiyin_no_options(key, arg, state);
}

int huiyin_trace(int argc, char **argv)
{
	struct trace o = { 0 };
	struct hy_fault f = { 0 };
	huiyin_options(argc, argv, NULL, parse, "ID",
		"The way of one feedback: received, classified, routed, told, with the time between, and the ticket "
		"that it belongs to.\v"
		"Example:\n  huiyin trace \"$(huiyin send '点开订单就闪退')\"\n",
		&o.common);
	const char *const arguments[] = { "id", o.id, NULL };
	json_t *j = huiyin_ask(&o.common, "collector", "trace", arguments, &f);
	if (!j)
		return huiyin_fail(&o.common, &f);
	add_spans(j);
	if (o.common.json)
		return huiyin_print_json(j);
	print(j);
	json_decref(j);
	return EX_OK;
}
