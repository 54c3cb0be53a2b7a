/* huiyin dead: records that a daemon's handler refused for good, and what to do with them. A letter is named STREAM/SEQ; the same record may be
 * dead with several of the stream's readers. */
#include "huiyin.h"
#include "show.h"

const char *const huiyin_dead_verbs[] = { "list", "retry", "drop", NULL };

struct dead {
	struct common common;
	const char *what, *letters[64];
	size_t count;
	bool all, whole;
	const char *daemon;
};

/* Every letter of every daemon that answers, each with its daemon. */
static json_t *gather(struct dead *o, struct hy_fault *f)
{
	json_t *all = json_array(), *one;
	const char *const arguments[] = { "limit", "100000", o->whole ? "whole" : NULL, "yes", NULL };
	size_t i, answered = 0;
	for (size_t d = 0; huiyin_daemons[d]; d++) {
		struct hy_fault mine = { 0 };
		if (o->daemon && strcmp(o->daemon, huiyin_daemons[d]) != 0)
			continue;
		json_t *j = huiyin_ask(&o->common, huiyin_daemons[d], "dead.list", arguments, &mine);
		if (!j) {
			*f = mine;
			if (!o->common.json)
				fprintf(stderr, "%s: %s\n", o->common.verb, mine.text);
			continue;
		}
		answered++;
		json_array_foreach(json_object_get(j, "dead"), i, one)
		{
			json_object_set_new(one, "daemon", json_string(huiyin_daemons[d]));
			json_array_append(all, one);
		}
		json_decref(j);
	}
	if (answered)
		return all;
	json_decref(all);
	return NULL;
}

static int list(struct dead *o)
{
	struct hy_fault f = { 0 };
	struct show_table t;
	json_t *all = gather(o, &f), *one;
	size_t i;
	if (!all)
		return huiyin_fail(&o->common, &f);
	if (o->common.json)
		return huiyin_print_json(
			json_pack("{s:o, s:I}", "dead", all, "count", (json_int_t)json_array_size(all)));
	if (json_array_size(all) == 0) {
		printf("No dead letters.\n");
		json_decref(all);
		return f.err ? hy_err_exit(f.err) : EX_OK;
	}
	show_table_open(&t, "LETTER|DAEMON|AT|ID|ERROR|REASON");
	json_array_foreach(all, i, one)
	{
		show_cell(&t, SHOW_BOLD, "%s", huiyin_text(one, "letter"));
		show_cell(&t, 0, "%s", huiyin_text(one, "daemon"));
		show_cell(&t, 0, "%s", huiyin_text(one, "at"));
		show_cell(&t, SHOW_DIM, "%s", *huiyin_text(one, "id") ? huiyin_text(one, "id") : "-");
		show_cell(&t, SHOW_RED, "%s", huiyin_text(one, "error"));
		show_cell(&t, 0, "%s", huiyin_text(one, "reason"));
	}
	show_table_print(&t, stdout);
	json_decref(all);
	return f.err ? hy_err_exit(f.err) : EX_OK;
}

static bool wanted(const struct dead *o, const char *letter)
{
	for (size_t i = 0; i < o->count; i++)
		if (strcmp(o->letters[i], letter) == 0)
			return true;
	return o->all;
}

static int act(struct dead *o, const char *verb, const char *done)
{
	struct hy_fault f = { 0 }, first = { 0 };
	json_t *all = gather(o, &f), *one, *results = json_array();
	size_t i, hits = 0;
	if (!all) {
		json_decref(results);
		return huiyin_fail(&o->common, &f);
	}
	json_array_foreach(all, i, one)
	{
		const char *letter = huiyin_text(one, "letter"), *daemon = huiyin_text(one, "daemon");
		const char *const arguments[] = { "letter", letter, NULL };
		if (!wanted(o, letter))
			continue;
		hits++;
		json_t *answer = huiyin_ask(&o->common, daemon, verb, arguments, &f);
		if (!answer && !first.err)
			first = f;
		json_array_append_new(results, json_pack("{s:s, s:s, s:b, s:s}", "letter", letter, "daemon", daemon,
						       "done", answer != NULL, "error", answer ? "" : f.text));
		if (!o->common.json)
			printf("%s at the %s: %s\n", letter, daemon, answer ? done : f.text);
		json_decref(answer);
	}
	json_decref(all);
	if (o->common.json)
		huiyin_print_json(json_incref(results));
	json_decref(results);
	if (hits == 0 && o->all) {
		if (!o->common.json)
			printf("No dead letters.\n");
		return EX_OK;
	}
	if (hits == 0) {
		hy_fail(&f, HY_NOT_FOUND, "no dead letter %s; `huiyin dead list` shows those there are", o->letters[0]);
		return huiyin_fail(&o->common, &f);
	}
	return first.err ? hy_err_exit(first.err) : EX_OK;
}

enum { OPTION_WHOLE = 0x100, OPTION_DAEMON };

static const struct argp_option rows[] = {
	{ "all", 'a', NULL, 0, "retry, drop: all of them", 0 },
	{ "whole", OPTION_WHOLE, NULL, 0, "list --json: with the records themselves", 0 },
	{ "daemon", OPTION_DAEMON, "NAME", 0, "Only those of this daemon", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct dead *o = state->input;
	switch (key) {
	case 'a':
		o->all = true;
		return 0;
	case OPTION_WHOLE:
		o->whole = true;
		return 0;
	case OPTION_DAEMON:
		if (huiyin_which("--daemon", arg, huiyin_daemons) < 0)
			exit(EX_USAGE);
		o->daemon = arg;
		return 0;
	case ARGP_KEY_ARG:
		if (!o->what)
			o->what = arg;
		else if (o->count < sizeof(o->letters) / sizeof(o->letters[0]))
			o->letters[o->count++] = arg;
		else
			argp_error(state, "too many letters at once; --all takes all");
		return 0;
	default:
		return huiyin_no_options(key, arg, state);
	}
}

int huiyin_dead(int argc, char **argv)
{
	struct dead o = { 0 };
	huiyin_options(argc, argv, rows, parse, "list\nretry LETTER...\ndrop LETTER...",
		"Dead letters are records that a daemon refused for good, with the reason. A letter's name is "
		"STREAM/SEQ. `retry` runs one again, `drop` gives it up.\v"
		"Examples:\n  huiyin dead list\n  huiyin dead retry classification/1042\n  huiyin dead retry --all\n",
		&o.common);
	int which = huiyin_which(argv[0], o.what ? o.what : "list", huiyin_dead_verbs);
	if (which > 0 && !o.all && o.count == 0) {
		fprintf(stderr, "%s %s: which letter? `huiyin dead list` shows their names; --all takes all\n", argv[0],
			huiyin_dead_verbs[which]);
		return EX_USAGE;
	}
	switch (which) {
	case 0:
		return list(&o);
	case 1:
		return act(&o, "dead.retry", "done");
	case 2:
		return act(&o, "dead.drop", "dropped");
	default:
		return EX_USAGE;
	}
}
