/* huiyin keygen: pairs of CURVE keys for the ZeroMQ door. Without a name the door's own, which `init` makes; with one an app's. */
#include "files.h"
#include "huiyin.h"
#include "pair.h"
#include "show.h"

#include <unistd.h>

struct keygen_options {
	struct common common;
	const char *name;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct keygen_options *o = state->input;
	if (key != ARGP_KEY_ARG || o->name)
		return huiyin_no_options(key, arg, state);
	o->name = arg;
	return 0;
}

/* What has to happen before an app can come with this key. */
static void next_step(const struct keygen_options *o, const char *public_key, char *out, size_t room)
{
	char path[1200];
	snprintf(path, sizeof(path), "%s/keys/%s.key", o->common.dir, o->name);
	if (access(path, F_OK) == 0)
		snprintf(out, room, "put  curve: \"%s\"  into the row of %s in %s/huiyin.yaml", public_key, o->name,
			o->common.dir);
	else
		snprintf(out, room, "huiyin key add %s --curve '%s' -C %s", o->name, public_key, o->common.dir);
}

static int tell(const struct keygen_options *o, const char *public_key, const char *door, bool made)
{
	char next[1400] = "", path[1200];
	bool ours = strcmp(o->name, "door") == 0;
	snprintf(path, sizeof(path), "%s/keys/%s.curve", o->common.dir, o->name);
	if (!ours)
		next_step(o, public_key, next, sizeof(next));
	if (o->common.json)
		return huiyin_print_json(json_pack("{s:s, s:s, s:b, s:s, s:s, s:s}", "name", o->name, "file", path,
			"made", made, "public", public_key, "door", door, "next", next));
	printf("  %s%-6s%s %s%s\n", show_color(stdout, made ? SHOW_GREEN : SHOW_DIM), made ? "made" : "kept",
		show_plain(stdout), path, ours ? "" : ": the app's secret; nobody else needs it");
	printf("  public %s\n", public_key);
	if (ours)
		printf("Give the public key to apps. It is in force when the collector starts; `huiyin keygen NAME` "
		       "makes "
		       "an app's pair.\n");
	else
		printf("  door   %s\nNext: %s\n", door, next);
	return EX_OK;
}

int huiyin_keygen(int argc, char **argv)
{
	struct keygen_options o = { 0 };
	struct hy_fault f = { 0 };
	char public_key[HY_CURVE_TEXT] = "", door[HY_CURVE_TEXT] = "";
	bool made = false, door_made = false;
	huiyin_options(argc, argv, NULL, parse, "[NAME]",
		"Makes a pair of CURVE keys for the ZeroMQ door: without NAME the door's own, with NAME an app's, in "
		"keys/NAME.curve, and says the command that lets it in. What is there is kept.\v"
		"Examples:\n  huiyin keygen\n  huiyin keygen mobile-app\n",
		&o.common);
	if (o.name && !file_good_name(o.name)) {
		fprintf(stderr, "%s: a NAME is 1 to 63 of A-Z, a-z, 0-9, _, . and -\n", argv[0]);
		return EX_USAGE;
	}
	if (!o.name)
		o.name = "door";
	struct settings settings;
	int err = settings_read(o.common.dir, &settings, &f);
	if (err == HY_OK)
		err = pair_make(o.common.dir, "door", door, &door_made, &f);
	made = door_made;
	memcpy(public_key, door, sizeof(door));
	if (err == HY_OK && strcmp(o.name, "door") != 0)
		err = pair_make(o.common.dir, o.name, public_key, &made, &f);
	return err ? huiyin_fail(&o.common, &f) : tell(&o, public_key, door, made);
}
