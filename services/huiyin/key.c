/* huiyin key: who may send. The key's text is with its owner and in keys/NAME.key; huiyin.yaml has its hash. The collector looks at the file every
 * two seconds, so a new or revoked key needs no restart. */
#include "files.h"
#include "huiyin.h"
#include "keylist.h"
#include "show.h"

#include "loop/loop.h"

#include <fcntl.h>
#include <unistd.h>

const char *const huiyin_key_verbs[] = { "add", "list", "revoke", NULL };

struct key_options {
	struct common common;
	const char *what, *name, *project, *rate, *curve;
	bool show, follow;
};

static const struct hy_conf_row conf_rows[] = {
	{ "keys", HY_CONF_TREE, NULL, "", NULL, 0, 0 },
	{ "projects", HY_CONF_TREE, NULL, "", NULL, 0, 0 },
	{ 0 },
};
static const struct hy_conf_row *const conf_tables[] = { conf_rows, NULL };

static const char *member(const struct hy_conf_node *n, const char *name, const char *otherwise)
{
	const struct hy_conf_node *v = hy_conf_get(n, name);
	return v ? hy_conf_scalar(v) : otherwise;
}

static const struct hy_conf_node *find_key(const struct hy_conf *c, const char *name)
{
	const struct hy_conf_node *keys = hy_conf_tree(c, "keys");
	for (size_t i = 0; keys && i < hy_conf_count(keys); i++)
		if (strcmp(member(hy_conf_item(keys, i), "name", ""), name) == 0)
			return hy_conf_item(keys, i);
	return NULL;
}

static size_t count_keys(const struct hy_conf *c)
{
	const struct hy_conf_node *keys = hy_conf_tree(c, "keys");
	return keys ? hy_conf_count(keys) : 0;
}

static bool has_project(const struct hy_conf *c, const char *name)
{
	const struct hy_conf_node *projects = hy_conf_tree(c, "projects");
	for (size_t i = 0; projects && i < hy_conf_count(projects); i++)
		if (strcmp(member(hy_conf_item(projects, i), "name", ""), name) == 0)
			return true;
	return !projects && strcmp(name, "default") == 0;
}

static void path_of(const struct key_options *o, const char *name, char *out, size_t room)
{
	snprintf(out, room, "%s/%s", o->common.dir, name);
}

static int open_conf(const struct key_options *o, struct hy_conf **c, struct hy_fault *f)
{
	char path[1200];
	struct hy_buffer report = { 0 };
	path_of(o, "huiyin.yaml", path, sizeof(path));
	int err = hy_conf_open(c, path, conf_tables, &report);
	if (err)
		hy_fail(f, err, "%s", hy_buffer_string(&report));
	hy_buffer_free(&report);
	return err;
}

/* Puts the edited text in place when it reads as meant: with so many keys, and with or without that one. */
static int replace(const struct key_options *o, struct hy_bytes text, size_t count, bool with, struct hy_fault *f)
{
	char path[1200], trial[1200];
	struct hy_conf *c = NULL;
	path_of(o, "huiyin.yaml", path, sizeof(path));
	path_of(o, ".huiyin.yaml.trial", trial, sizeof(trial));
	int err = file_write(trial, text, 0600, f);
	if (err)
		return err;
	bool good = hy_conf_open(&c, trial, conf_tables, NULL) == HY_OK && count_keys(c) == count &&
		    (find_key(c, o->name) != NULL) == with;
	hy_conf_close(&c);
	unlink(trial);
	if (!good)
		return hy_fail(f, HY_BAD_STATE,
			"%s: the list `keys` can't be edited safely as it is written; change it by hand", path);
	return file_write(path, text, 0644, f);
}

static bool good_rate(const char *rate)
{
	char *end;
	double n = strtod(rate, &end);
	return strcmp(rate, "unlimited") == 0 ||
	       (end != rate && n > 0 && (strcmp(end, "/s") == 0 || strcmp(end, "/min") == 0));
}

/* ---- add ---- */

static int add_row(const struct key_options *o, const struct hy_conf *c, const char *key, struct hy_fault *f)
{
	char path[1200], hash[65], row[512], curve[64] = "";
	struct hy_buffer old = { 0 }, fresh = { 0 };
	key_hash(key, hash);
	if (o->curve)
		snprintf(curve, sizeof(curve), ", curve: \"%s\"", o->curve);
	snprintf(row, sizeof(row), "{ name: %s, hash: %s, project: %s, scopes: [%s], rate: %s%s }", o->name, hash,
		o->project, o->follow ? "feedback, follow" : "feedback", o->rate, curve);
	path_of(o, "huiyin.yaml", path, sizeof(path));
	int err = file_read(path, 4 << 20, &old, f);
	if (err == HY_OK)
		err = keylist_add(hy_buffer_view(&old), row, &fresh, f);
	if (err == HY_OK)
		err = replace(o, hy_buffer_view(&fresh), count_keys(c) + 1, true, f);
	hy_buffer_free(&old);
	hy_buffer_free(&fresh);
	return err;
}

static int add(const struct key_options *o, const struct hy_conf *c, struct hy_fault *f)
{
	char path[1200], relative[128], key[KEY_TEXT], line[KEY_TEXT + 1];
	if (find_key(c, o->name))
		return hy_fail(
			f, HY_EXISTS, "there is a key '%s' already; revoke it first, or choose another name", o->name);
	if (!has_project(c, o->project))
		return hy_fail(f, HY_NOT_FOUND, "no project '%s' in huiyin.yaml", o->project);
	snprintf(relative, sizeof(relative), "keys/%s.key", o->name);
	path_of(o, relative, path, sizeof(path));
	if (access(path, F_OK) == 0)
		return hy_fail(f, HY_EXISTS, "%s is there already; it would be lost", path);
	key_make(key);
	snprintf(line, sizeof(line), "%s\n", key);
	int err = file_write(path, hy_bytes_text(line), 0600, f);
	if (err)
		return err;
	err = add_row(o, c, key, f);
	if (err)
		unlink(path);
	else if (o->common.json)
		huiyin_print_json(
			o->show ? json_pack("{s:s, s:s, s:s, s:s}", "name", o->name, "project", o->project, "file",
					  path, "key", key)
				: json_pack("{s:s, s:s, s:s}", "name", o->name, "project", o->project, "file", path));
	else if (o->show)
		printf("%s\n", key);
	else
		printf("Key %s is in %s. It is in force within two seconds.\n", o->name, path);
	explicit_bzero(key, sizeof(key));
	explicit_bzero(line, sizeof(line));
	return err;
}

/* ---- list ---- */

static void put_scopes(struct hy_buffer *out, const struct hy_conf_node *key)
{
	const struct hy_conf_node *list = hy_conf_get(key, "scopes");
	if (!list)
		hy_buffer_text(out, "feedback");
	for (size_t i = 0; list && i < hy_conf_count(list); i++)
		hy_buffer_printf(out, "%s%s", i ? " " : "", hy_conf_scalar(hy_conf_item(list, i)));
}

static json_t *keys_json(const struct key_options *o, const struct hy_conf *c)
{
	const struct hy_conf_node *keys = hy_conf_tree(c, "keys");
	json_t *all = json_array();
	for (size_t i = 0; keys && i < hy_conf_count(keys); i++) {
		const struct hy_conf_node *k = hy_conf_item(keys, i);
		struct hy_buffer scopes = { 0 };
		char path[1200], file[128];
		snprintf(file, sizeof(file), "keys/%.63s.key", member(k, "name", "?"));
		path_of(o, file, path, sizeof(path));
		put_scopes(&scopes, k);
		json_array_append_new(
			all, json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "name", member(k, "name", "?"), "project",
				     member(k, "project", "default"), "scopes", hy_buffer_string(&scopes), "rate",
				     member(k, "rate", "unlimited"), "hash", member(k, "hash", ""), "file",
				     access(path, F_OK) == 0 ? file : "", "curve", member(k, "curve", "")));
		hy_buffer_free(&scopes);
	}
	return all;
}

static int list(const struct key_options *o, const struct hy_conf *c)
{
	json_t *all = keys_json(o, c), *k;
	struct show_table t;
	size_t i;
	if (o->common.json)
		return huiyin_print_json(json_pack("{s:o}", "keys", all));
	show_table_open(&t, "NAME|PROJECT|SCOPES|RATE|HASH|FILE|CURVE");
	json_array_foreach(all, i, k)
	{
		show_cell(&t, SHOW_BOLD, "%s", huiyin_text(k, "name"));
		show_cell(&t, 0, "%s", huiyin_text(k, "project"));
		show_cell(&t, 0, "%s", huiyin_text(k, "scopes"));
		show_cell(&t, 0, "%s", huiyin_text(k, "rate"));
		show_cell(&t, SHOW_DIM, "%.12s…", huiyin_text(k, "hash"));
		show_cell(&t, 0, "%s", *huiyin_text(k, "file") ? huiyin_text(k, "file") : "-");
		show_cell(&t, SHOW_DIM, "%s", *huiyin_text(k, "curve") ? huiyin_text(k, "curve") : "-");
	}
	show_table_print(&t, stdout);
	json_decref(all);
	return EX_OK;
}

/* ---- revoke ---- */

static int take_away(const struct key_options *o, const struct hy_conf *c, struct hy_fault *f)
{
	char path[1200], relative[128];
	struct hy_buffer old = { 0 }, fresh = { 0 };
	path_of(o, "huiyin.yaml", path, sizeof(path));
	int err = file_read(path, 4 << 20, &old, f);
	if (err == HY_OK)
		err = keylist_remove(hy_buffer_view(&old), o->name, &fresh, f);
	if (err == HY_OK)
		err = replace(o, hy_buffer_view(&fresh), count_keys(c) - 1, false, f);
	hy_buffer_free(&old);
	hy_buffer_free(&fresh);
	if (err)
		return err;
	snprintf(relative, sizeof(relative), "keys/%s.key", o->name);
	path_of(o, relative, path, sizeof(path));
	unlink(path); /* it opens nothing any more */
	if (o->common.json)
		huiyin_print_json(json_pack("{s:s, s:b}", "name", o->name, "revoked", 1));
	else
		printf("Key %s is revoked; within two seconds nobody gets in with it.\n", o->name);
	return HY_OK;
}

/* ---- the verb ---- */

enum { OPTION_PROJECT = 'p', OPTION_RATE = 'r', OPTION_SHOW = 0x100, OPTION_FOLLOW, OPTION_CURVE };

static const struct argp_option rows[] = {
	{ "project", OPTION_PROJECT, "NAME", 0, "add: whose feedback it sends (default: default)", 0 },
	{ "rate", OPTION_RATE, "RATE", 0, "add: unlimited (the default), 500/s, 1000/min", 0 },
	{ "follow", OPTION_FOLLOW, NULL, 0, "add: it may read streams, too", 0 },
	{ "curve", OPTION_CURVE, "PUBLIC", 0, "add: the app's public key for the ZeroMQ door (huiyin keygen NAME)", 0 },
	{ "show", OPTION_SHOW, NULL, 0, "add: print the key itself", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct key_options *o = state->input;
	switch (key) {
	case OPTION_PROJECT:
		if (!file_good_name(arg))
			argp_error(state, "'%s' is no name of a project", arg);
		o->project = arg;
		return 0;
	case OPTION_RATE:
		if (!good_rate(arg))
			argp_error(state, "a rate is unlimited, 500/s or 1000/min, not '%s'", arg);
		o->rate = arg;
		return 0;
	case OPTION_CURVE:
		if (!hy_curve_good(arg))
			argp_error(
				state, "a CURVE key has 40 characters, as `huiyin keygen` prints them, not '%s'", arg);
		o->curve = arg;
		return 0;
	case OPTION_SHOW:
		o->show = true;
		return 0;
	case OPTION_FOLLOW:
		o->follow = true;
		return 0;
	case ARGP_KEY_ARG:
		if (o->what && o->name)
			return huiyin_no_options(key, arg, state);
		*(o->what ? &o->name : &o->what) = arg;
		return 0;
	default:
		return huiyin_no_options(key, arg, state);
	}
}

int huiyin_key(int argc, char **argv)
{
	struct key_options o = { .project = "default", .rate = "unlimited" };
	struct hy_fault f = { 0 };
	struct hy_conf *c = NULL;
	huiyin_options(argc, argv, rows, parse, "add NAME\nlist\nrevoke NAME",
		"API keys: who may send feedback. `add` writes the key to keys/NAME.key and its hash to huiyin.yaml.\v"
		"Examples:\n  huiyin key add mobile-app --rate 500/s\n"
		"  huiyin keygen shop         # says the next line with the public key in it\n"
		"  huiyin key add shop --curve PUBLIC\n  huiyin key list\n  huiyin key revoke mobile-app\n",
		&o.common);
	int which = huiyin_which(argv[0], o.what ? o.what : "list", huiyin_key_verbs);
	if (which < 0)
		return EX_USAGE;
	if (which != 1 && (!o.name || !file_good_name(o.name))) {
		fprintf(stderr, "%s %s: a NAME of 1 to 63 of A-Z, a-z, 0-9, _, . and - is needed\n", argv[0],
			huiyin_key_verbs[which]);
		return EX_USAGE;
	}
	int code = EX_OK, err = open_conf(&o, &c, &f);
	if (err == HY_OK && which == 1)
		code = list(&o, c);
	else if (err == HY_OK)
		err = which == 0 ? add(&o, c, &f) : take_away(&o, c, &f);
	hy_conf_close(&c);
	return err ? huiyin_fail(&o.common, &f) : code;
}
