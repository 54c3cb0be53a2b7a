/* huiyin ticket: what staff do with tickets, at the router's control socket. */
#include "huiyin.h"
#include "show.h"

#include <pwd.h>
#include <unistd.h>

const char *const huiyin_ticket_verbs[] = { "list", "show", "assign", "start", "wait", "resolve", "decline", "reopen",
	"merge", "correct", NULL };
enum { LIST, SHOW, ASSIGN, START, WAIT, RESOLVE, DECLINE, REOPEN, MERGE, CORRECT };

struct ticket_options {
	struct common common;
	const char *words[8];
	size_t count;
	const char *department, *assignee, *state, *project, *limit, *note, *note_zh, *note_en, *lang, *feedback,
		*actor;
};

/* ---- arguments of the command ---- */

struct arguments {
	const char *list[32];
	size_t n;
};

static void add(struct arguments *a, const char *name, const char *value)
{
	if (!value || !*value)
		return;
	HY_ASSERT(a->n + 3 <= sizeof(a->list) / sizeof(a->list[0]));
	a->list[a->n++] = name;
	a->list[a->n++] = value;
	a->list[a->n] = NULL;
}

static bool has_han(const char *text)
{
	struct hy_bytes b = hy_bytes_text(text);
	for (size_t at = 0; at < b.size;) {
		uint32_t c = hy_utf8_next(b, &at);
		if ((c >= 0x3400 && c <= 0x9fff) || (c >= 0x20000 && c <= 0x3ffff))
			return true;
	}
	return false;
}

/* --note goes to the language it is in, unless --lang says which. */
static void add_notes(struct arguments *a, const struct ticket_options *o)
{
	bool zh = o->note && (o->lang ? strcmp(o->lang, "zh") == 0 : has_han(o->note));
	add(a, "note_zh", o->note_zh ? o->note_zh : zh ? o->note : NULL);
	add(a, "note_en", o->note_en ? o->note_en : zh ? NULL : o->note);
}

/* ---- showing ---- */

static enum show_color state_color(const char *state)
{
	if (strcmp(state, "confirmed") == 0 || strcmp(state, "resolved") == 0)
		return SHOW_GREEN;
	if (strcmp(state, "reopened") == 0 || strcmp(state, "new") == 0)
		return SHOW_YELLOW;
	return strcmp(state, "closed") == 0 || strcmp(state, "duplicate") == 0 ? SHOW_DIM : SHOW_PLAIN;
}

static int64_t time_of(const json_t *j, const char *name)
{
	int64_t ms;
	return hy_time_parse(huiyin_text(j, name), &ms) ? ms : 0;
}

static void print_list(const json_t *answer)
{
	struct show_table t;
	json_t *k;
	size_t i;
	if (json_array_size(json_object_get(answer, "tickets")) == 0) {
		printf("No tickets.\n");
		return;
	}
	show_table_open(&t, "TICKET|STATE|DEPARTMENT|URGENCY|>PEOPLE|>AGE|DUE|SUBJECT");
	json_array_foreach(json_object_get(answer, "tickets"), i, k)
	{
		char age[24] = "", due[24] = "";
		int64_t at = time_of(k, "due_at"), now = hy_now_ms();
		bool late = at && at < now && !json_is_true(json_object_get(k, "final"));
		hy_duration_text(now - time_of(k, "opened_at"), age);
		hy_duration_text(at > now ? at - now : now - at, due);
		show_cell(&t, SHOW_BOLD, "%s", huiyin_text(k, "number"));
		show_cell(&t, state_color(huiyin_text(k, "state")), "%s", huiyin_text(k, "state"));
		show_cell(&t, 0, "%s", huiyin_text(k, "department"));
		show_cell(&t, 0, "%s", huiyin_text(k, "urgency"));
		show_cell(&t, 0, "%" PRId64, huiyin_number(k, "people"));
		show_cell(&t, 0, "%s", age);
		show_cell(&t, late ? SHOW_RED : 0, "%s%s%s", at ? (late ? "" : "in ") : "-", at ? due : "",
			late ? " late" : "");
		show_cell(&t, 0, "%s", huiyin_text(k, "subject"));
	}
	show_table_print(&t, stdout);
	if (*huiyin_text(answer, "next"))
		printf("There are more; --limit shows them.\n");
}

static void print_field(const char *name, const char *value)
{
	struct hy_buffer line = { 0 };
	if (!*value)
		return;
	hy_text_line(&line, hy_bytes_text(value));
	printf("  %s%-13s%s %s\n", show_color(stdout, SHOW_DIM), name, show_plain(stdout), hy_buffer_string(&line));
	hy_buffer_free(&line);
}

static void print_time(const json_t *k, const char *member, const char *name)
{
	struct hy_buffer text = { 0 };
	int64_t at = time_of(k, member);
	if (at)
		show_time(&text, at);
	print_field(name, hy_buffer_string(&text));
	hy_buffer_free(&text);
}

static void print_ticket(const json_t *k)
{
	const json_t *note = json_object_get(k, "note"), *comment;
	char text[128];
	size_t i;
	printf("%s%s%s  %s%s%s\n", show_color(stdout, SHOW_BOLD), huiyin_text(k, "number"), show_plain(stdout),
		show_color(stdout, state_color(huiyin_text(k, "state"))), huiyin_text(k, "state"), show_plain(stdout));
	print_field("subject", huiyin_text(k, "subject"));
	print_field("department", huiyin_text(k, "department"));
	print_field("assignee", huiyin_text(k, "assignee"));
	snprintf(text, sizeof(text),
		"%" PRId64 " (%" PRId64 " in round %" PRId64 ", %" PRId64 " still to be told, %" PRId64
		" told, %" PRId64 " said it helped)",
		huiyin_number(k, "people"), huiyin_number(k, "round_people"), huiyin_number(k, "round"),
		huiyin_number(k, "awaiting"), huiyin_number(k, "told"), huiyin_number(k, "yes"));
	print_field("people", text);
	print_field("type", huiyin_text(k, "type"));
	print_field("topic", huiyin_text(k, "topic"));
	print_field("sentiment", huiyin_text(k, "sentiment"));
	print_field("tone", huiyin_text(k, "tone"));
	print_field("urgency", huiyin_text(k, "urgency"));
	print_field("note (zh)", huiyin_text(note, "zh"));
	print_field("note (en)", huiyin_text(note, "en"));
	print_time(k, "opened_at", "opened");
	print_time(k, "due_at", "due");
	print_time(k, "changed_at", "changed");
	print_time(k, "wait_ends_at", "wait ends");
	print_time(k, "finished_at", "finished");
	print_field("id", huiyin_text(k, "id"));
	print_field("follows", huiyin_text(k, "follows"));
	print_field("merged into", huiyin_text(k, "into"));
	json_array_foreach(json_object_get(k, "comments"), i, comment)
	{
		const char *helped = huiyin_text(comment, "helped");
		struct hy_buffer line = { 0 };
		hy_text_line(&line, hy_bytes_text(huiyin_text(comment, "text")));
		printf("  %s%s%s  %s%s%s\n", show_color(stdout, SHOW_DIM), huiyin_text(comment, "at"),
			show_plain(stdout), *helped ? "helped: " : "", helped, *helped ? "  " : "");
		if (line.size)
			printf("      %s\n", hy_buffer_string(&line));
		hy_buffer_free(&line);
	}
}

/* ---- options ---- */

enum {
	OPTION_DEPARTMENT = 'd',
	OPTION_ASSIGNEE = 'a',
	OPTION_STATE = 's',
	OPTION_PROJECT = 'p',
	OPTION_LIMIT = 'n',
	OPTION_NOTE = 0x100,
	OPTION_ZH,
	OPTION_EN,
	OPTION_LANG,
	OPTION_FEEDBACK,
	OPTION_ACTOR
};

static const struct argp_option rows[] = {
	{ "department", OPTION_DEPARTMENT, "NAME", 0, "list: only its tickets; assign: whom to give it to", 0 },
	{ "assignee", OPTION_ASSIGNEE, "NAME", 0, "list: only whose; assign: who", 0 },
	{ "state", OPTION_STATE, "STATE", 0, "list: open (the default), all, or one state", 0 },
	{ "limit", OPTION_LIMIT, "N", 0, "list: how many (default 50)", 0 },
	{ "note", OPTION_NOTE, "TEXT", 0, "resolve, decline: the public answer, in the language it is in", 0 },
	{ "note-zh", OPTION_ZH, "TEXT", 0, "The public answer in Chinese", 0 },
	{ "note-en", OPTION_EN, "TEXT", 0, "The public answer in English", 0 },
	{ "lang", OPTION_LANG, "zh|en", 0, "The language of --note", 0 },
	{ "feedback", OPTION_FEEDBACK, "ID", 0, "correct: which feedback, when not the one that opened it", 0 },
	{ "project", OPTION_PROJECT, "NAME", 0, "Whose T-n it is (default: default)", 0 },
	{ "actor", OPTION_ACTOR, "NAME", 0, "Who does it (default: you)", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct ticket_options *o = state->input;
	const struct {
		int key;
		const char **at;
	} texts[] = { { OPTION_DEPARTMENT, &o->department }, { OPTION_ASSIGNEE, &o->assignee },
		{ OPTION_STATE, &o->state }, { OPTION_PROJECT, &o->project }, { OPTION_LIMIT, &o->limit },
		{ OPTION_NOTE, &o->note }, { OPTION_ZH, &o->note_zh }, { OPTION_EN, &o->note_en },
		{ OPTION_LANG, &o->lang }, { OPTION_FEEDBACK, &o->feedback }, { OPTION_ACTOR, &o->actor } };
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (texts[i].key == key) {
			*texts[i].at = arg;
			if (key == OPTION_LANG && strcmp(arg, "zh") != 0 && strcmp(arg, "en") != 0)
				argp_error(state, "--lang is zh or en, not '%s'", arg);
			return 0;
		}
	if (key == ARGP_KEY_ARG && o->count < 5) {
		o->words[o->count++] = arg;
		return 0;
	}
	return huiyin_no_options(key, arg, state);
}

/* How many words each verb wants behind it, and which. */
static const struct {
	size_t words;
	const char *what;
} wants[] = { [LIST] = { 0, "" },
	[SHOW] = { 1, "TICKET" },
	[ASSIGN] = { 1, "TICKET [DEPARTMENT]" },
	[START] = { 1, "TICKET" },
	[WAIT] = { 1, "TICKET" },
	[RESOLVE] = { 1, "TICKET --note TEXT" },
	[DECLINE] = { 1, "TICKET --note TEXT" },
	[REOPEN] = { 1, "TICKET" },
	[MERGE] = { 2, "TICKET INTO" },
	[CORRECT] = { 3, "TICKET FIELD VALUE" } };

static const char *actor_of(const struct ticket_options *o)
{
	const struct passwd *p = o->actor ? NULL : getpwuid(getuid());
	return o->actor ? o->actor : p ? p->pw_name : "";
}

static int ask_and_show(struct ticket_options *o, int which, const struct arguments *a)
{
	struct hy_fault f = { 0 };
	char verb[64];
	snprintf(verb, sizeof(verb), "ticket.%s", huiyin_ticket_verbs[which]);
	json_t *answer = huiyin_ask(&o->common, "router", verb, a->list, &f);
	if (!answer)
		return huiyin_fail(&o->common, &f);
	if (o->common.json)
		return huiyin_print_json(answer);
	if (which == LIST)
		print_list(answer);
	else if (which == SHOW)
		print_ticket(answer);
	else
		printf("%s is %s%s%s (%s)\n", huiyin_text(answer, "number"),
			show_color(stdout, state_color(huiyin_text(answer, "state"))), huiyin_text(answer, "state"),
			show_plain(stdout), huiyin_text(answer, "department"));
	if (which == RESOLVE || which == DECLINE)
		printf("%" PRId64 " %s being told.\n", huiyin_number(answer, "awaiting"),
			huiyin_number(answer, "awaiting") == 1 ? "person is" : "people are");
	json_decref(answer);
	return EX_OK;
}

int huiyin_ticket(int argc, char **argv)
{
	struct ticket_options o = { 0 };
	struct arguments a = { .n = 0 };
	huiyin_options(argc, argv, rows, parse,
		"list\nshow TICKET\nassign TICKET [DEPARTMENT]\nstart TICKET\nwait TICKET\nresolve TICKET\ndecline "
		"TICKET\nreopen TICKET\nmerge TICKET INTO\ncorrect TICKET FIELD VALUE",
		"Looks at tickets and moves them on. TICKET is T-12 or an id. Resolving and declining need a public "
		"note: everybody who raised it will read it.\v"
		"Examples:\n  huiyin ticket list --department engineering\n  huiyin ticket resolve T-12 --note "
		"'已修复，请更新到 2.4.1'\n"
		"  huiyin ticket decline T-9 --note-en 'We will keep it as it is.' --note-zh '我们会保持现状。'\n  "
		"huiyin ticket correct T-3 topic delivery\n",
		&o.common);
	int which = huiyin_which(argv[0], o.count ? o.words[0] : "list", huiyin_ticket_verbs);
	if (which < 0)
		return EX_USAGE;
	size_t given = o.count ? o.count - 1 : 0, most = which == ASSIGN ? 2 : wants[which].words;
	if (given < wants[which].words || given > most) {
		fprintf(stderr, "%s: it is `%s %s %s`\n", argv[0], argv[0], huiyin_ticket_verbs[which],
			wants[which].what);
		return EX_USAGE;
	}
	if ((which == RESOLVE || which == DECLINE) && !o.note && !o.note_zh && !o.note_en) {
		fprintf(stderr, "%s: a public note is needed: --note TEXT is what everybody who raised it will read\n",
			argv[0]);
		return EX_USAGE;
	}
	if (which == LIST) {
		add(&a, "state", o.state ? o.state : "open");
		add(&a, "limit", o.limit);
	} else {
		add(&a, "ticket", o.words[1]);
		add(&a, "actor", actor_of(&o));
	}
	if (which == RESOLVE || which == DECLINE)
		add_notes(&a, &o);
	if (which == MERGE)
		add(&a, "into", o.words[2]);
	if (which == CORRECT) {
		add(&a, "field", o.words[2]);
		add(&a, "value", o.words[3]);
		add(&a, "feedback", o.feedback);
	}
	add(&a, "department", which == ASSIGN && given == 2 ? o.words[2] : o.department);
	add(&a, "assignee", o.assignee);
	add(&a, "project", o.project);
	return ask_and_show(&o, which, &a);
}
