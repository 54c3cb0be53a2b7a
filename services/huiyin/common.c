#include "huiyin.h"
#include "show.h"

#include "base/place.h"

#include <unistd.h>

const char *const huiyin_daemons[] = { "collector", "classifier", "router", "notifier", NULL };

const char *huiyin_stream_of(const char *daemon)
{
	static const char *const streams[] = { "feedback", "classification", "ticket", "delivery" };
	for (size_t i = 0; huiyin_daemons[i]; i++)
		if (strcmp(huiyin_daemons[i], daemon) == 0)
			return streams[i];
	return "";
}

/* ---- options ---- */

enum { OPTION_JSON = 0x1001, OPTION_COLOR };

static const struct argp_option common_rows[] = {
	{ NULL, 0, NULL, 0, "Everywhere:", 10 },
	{ "directory", 'C', "DIR", 0, "The installation (default ./huiyin, then /etc/huiyin)", 10 },
	{ "json", OPTION_JSON, NULL, 0, "Answer in JSON, for scripts", 10 },
	{ "color", OPTION_COLOR, "WHEN", 0,
		"always, never or auto (the default: on a terminal, unless NO_COLOR is set)", 10 },
	{ 0 },
};

static error_t parse_common(int key, char *arg, struct argp_state *state)
{
	struct common *c = state->input;
	switch (key) {
	case 'C':
		if (strlen(arg) >= sizeof(c->dir))
			argp_error(state, "the directory's name is too long");
		snprintf(c->dir, sizeof(c->dir), "%s", arg);
		c->chosen = true;
		return 0;
	case OPTION_JSON:
		c->json = true;
		return 0;
	case OPTION_COLOR:
		if (!show_color_mode(arg))
			argp_error(state, "--color is always, never or auto, not '%s'", arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

error_t huiyin_no_options(int key, char *arg, struct argp_state *state)
{
	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = state->input;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "'%s' is one word too many", arg);
		return EINVAL;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

void huiyin_options(int argc, char **argv, const struct argp_option *rows, argp_parser_t parser, const char *arguments,
	const char *doc, struct common *options)
{
	static const struct argp common_argp = { common_rows, parse_common, NULL, NULL, NULL, NULL, NULL };
	const struct argp_child children[] = { { &common_argp, 0, NULL, 0 }, { 0 } };
	struct argp argp = { rows, parser, arguments, doc, children, NULL, NULL };
	options->verb = argv[0];
	argp_parse(&argp, argc, argv, 0, NULL, options);
	if (!options->dir[0])
		snprintf(options->dir, sizeof(options->dir), "%s",
			access("huiyin/huiyin.yaml", F_OK) == 0 ? "huiyin" : "/etc/huiyin");
}

/* ---- failing ---- */

int huiyin_fail(const struct common *c, const struct hy_fault *f)
{
	fflush(stdout);
	fprintf(stderr, "%s%s:%s %s\n", show_color(stderr, SHOW_RED), c->verb, show_plain(stderr),
		f->text[0] ? f->text : hy_err_text(f->err));
	return hy_err_exit(f->err);
}

int huiyin_which(const char *verb, const char *word, const char *const *names)
{
	for (int i = 0; names[i]; i++)
		if (strcmp(names[i], word) == 0)
			return i;
	const char *meant = hy_did_you_mean(word, names);
	fprintf(stderr, "%s: there is no '%s'", verb, word);
	if (meant)
		fprintf(stderr, "; did you mean '%s'?\n", meant);
	else
		fprintf(stderr, "; `%s --help` tells what there is\n", verb);
	return -1;
}

/* ---- asking ---- */

json_t *huiyin_ask_within(const struct common *c, const char *daemon, const char *verb, const char *const *arguments,
	int64_t ms, struct hy_fault *f)
{
	char *text = NULL;
	json_error_t where;
	f->text[0] = 0;
	f->err = hy_ask_daemon(c->dir, daemon, verb, arguments, NULL, ms, &text, f);
	if (f->err)
		return NULL;
	json_t *j = json_loads(text, JSON_DECODE_ANY, &where);
	if (!j)
		hy_fail(f, HY_BAD_INPUT, "the %s's answer is not JSON: %s", daemon, where.text);
	free(text);
	return j;
}

json_t *huiyin_ask(
	const struct common *c, const char *daemon, const char *verb, const char *const *arguments, struct hy_fault *f)
{
	return huiyin_ask_within(c, daemon, verb, arguments, 10000, f);
}

int huiyin_print_json(json_t *j)
{
	int failed = json_dumpf(j, stdout, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(6));
	putchar('\n');
	json_decref(j);
	return failed || fflush(stdout) != 0 ? EX_IOERR : EX_OK;
}

const char *huiyin_text(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));
	return text ? text : "";
}

int64_t huiyin_number(const json_t *object, const char *name)
{
	const json_t *v = json_object_get(object, name);
	return json_is_real(v) ? (int64_t)json_real_value(v) : json_integer_value(v);
}

/* ---- where we are installed ---- */

void huiyin_program(const char *daemon, char *out, size_t room)
{
	char folder[1024];
	snprintf(out, room, "%s/huiyin-%s", hy_program_folder(folder, sizeof(folder)) ? folder : ".", daemon);
}

void huiyin_share(const char *name, char *out, size_t room)
{
	if (!hy_share_path(name, out, room))
		snprintf(out, room, "share/huiyin/%s", name);
}
