/* huiyin init DIR: an installation that works as it stands. What is there already is kept; running it again is harmless. */
#include "files.h"
#include "huiyin.h"
#include "pair.h"
#include "show.h"

#include "base/seal.h"

#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

extern const struct hy_conf_row hy_service_conf[];

struct init {
	struct common common;
	const char *dir, *public_url, *listen, *door;
	json_t *made, *kept;
};

/* ---- huiyin.yaml ---- */

/* The daemons' own settings with their defaults; each daemon checks its part of the file against its own rows. */
static const struct hy_conf_row daemon_rows[] = {
	{ "http.listen", HY_CONF_TEXT, "127.0.0.1:8080",
		"Where the collector listens; before the world may see it, put a proxy with TLS in front" },
	{ "http.origins", HY_CONF_LIST, "*", "Whose web pages may send feedback from a browser; * = all" },
	{ "limits.body", HY_CONF_BYTES, "256KiB", "Largest body of a request, and largest line of NDJSON" },
	{ "limits.ndjson", HY_CONF_BYTES, "8MiB", "Largest body of lines (NDJSON)" },
	{ "limits.connections", HY_CONF_INT, "4096", "Connections in all" },
	{ "limits.per_address", HY_CONF_INT, "32", "Connections of one address (loopback and trusted proxies: 2,048)" },
	{ "limits.trusted_proxies", HY_CONF_LIST, "", "Addresses of proxies whose X-Forwarded-For counts" },
	{ "dedupe.window", HY_CONF_DURATION, "7d",
		"How long a client's own id is known: sent again, it is entered once" },
	{ "dedupe.ids", HY_CONF_INT, "4000000", "How many of them at most; the oldest are forgotten first" },
	{ "door.listen", HY_CONF_TEXT, "tcp://127.0.0.1:5570",
		"Where the collector listens for apps that stream over ZeroMQ; \"\" = nowhere" },
	{ "door.curve", HY_CONF_WORD, "auto",
		"Encryption of that door: auto = exactly where the address is not loopback; then only apps whose "
		"public key stands in `keys` come in (huiyin keygen NAME)",
		"auto|always" },
	{ "door.forget", HY_CONF_DURATION, "30d",
		"How long the numbers of a client that sends nothing are remembered; after it they begin anew" },
	{ "notify.channel", HY_CONF_WORD, "file",
		"How notices leave: file writes each as outbox/ID.eml, smtp gives them to a mail server", "file|smtp" },
	{ "notify.from", HY_CONF_TEXT, "Huiyin <feedback@localhost>", "Who signs notices: Name <address>" },
	{ "notify.unknown", HY_CONF_WORD, "resend-once",
		"When nobody knows whether a notice got through: send it once more, or hold it for staff",
		"resend-once|hold" },
	{ "smtp.host", HY_CONF_TEXT, "", "The mail server that takes our mail: a name or an address" },
	{ "smtp.port", HY_CONF_INT, "0", "Its port; 0 is 587, with security tls 465, with none 25" },
	{ "smtp.security", HY_CONF_WORD, "starttls",
		"starttls is demanded before anything is said; tls from the first byte; none for a server on this "
		"machine",
		"starttls|tls|none" },
	{ "smtp.user", HY_CONF_TEXT, "", "Who signs in; the password stands in keys/smtp.password. \"\" = nobody" },
	{ "smtp.connections", HY_CONF_INT, "4", "Connections to it at once" },
	{ "smtp.bounce", HY_CONF_TEXT, "",
		"Where bounces go, each mail with a sign of its own behind the name. \"\" = notify.from" },
	{ 0 },
};

/* The rows with some defaults replaced, as commented YAML. `values` are path, value pairs. Bounds stand behind the help, so it ends in a stop. */
static void put_rows(struct hy_buffer *out, const struct hy_conf_row *rows, const char *const *values)
{
	struct hy_conf_row copy[64];
	char help[64][256];
	size_t n = 0;
	for (; rows->path; rows++) {
		HY_ASSERT(n + 1 < sizeof(copy) / sizeof(copy[0]));
		if (rows->type == HY_CONF_TREE)
			continue;
		copy[n] = *rows;
		snprintf(help[n], sizeof(help[n]), "%s.", rows->help);
		copy[n].help = help[n];
		for (const char *const *v = values; *v; v += 2)
			if (strcmp(v[0], rows->path) == 0)
				copy[n].value = v[1];
		n++;
	}
	copy[n] = (struct hy_conf_row){ 0 };
	hy_conf_print_defaults(copy, out);
}

static int put_defaults(struct hy_buffer *out, struct hy_fault *f)
{
	char path[4200];
	huiyin_share("defaults.yaml", path, sizeof(path));
	return file_read(path, 1 << 20, out, f);
}

static int make_yaml(const struct init *o, const char *hash, struct hy_buffer *out, struct hy_fault *f)
{
	const char *const values[] = { "public_url", o->public_url, "http.listen", o->listen, "door.listen", o->door,
		NULL };
	hy_buffer_text(out, "# Huiyin: settings of all daemons. `huiyin config check` checks this file, `huiyin config "
			    "print` shows what is in force.\n"
			    "# Most settings here are their defaults, and a line that is taken away keeps its default. "
			    "Changes come into force with a\n"
			    "# restart of `huiyin up`; keys at once.\n\n");
	put_rows(out, hy_service_conf, values);
	put_rows(out, daemon_rows, values);
	hy_buffer_printf(out,
		"# API keys: who may send. `huiyin key add NAME` adds one; the key itself is in keys/NAME.key, only "
		"its hash is here.\n"
		"# scopes: feedback (sends), follow (reads streams). rate: unlimited, 500/s, 1000/min.\n"
		"keys:\n"
		"  - { name: app-default, hash: %s, project: default, scopes: [feedback], rate: unlimited }\n\n",
		hash);
	hy_buffer_text(out,
		"# Clients you already use: which events of Segment and CloudEvents are feedback, and where their\n"
		"# words stand, when the usual names and places don't fit. Pointers go into a Segment call, and into\n"
		"# the data of a CloudEvent. What is said here comes before what is built in.\n"
		"# mapping:\n"
		"#   segment:\n"
		"#     events:\n"
		"#       - event: Checkout Rated\n"
		"#         kind: survey\n"
		"#         scale: csat\n"
		"#         score: /properties/answer\n"
		"#         text: [/properties/remarks, /properties/reason]\n"
		"#     other: drop   # keep: every other event with words or a score is feedback, too\n"
		"#   cloudevents:\n"
		"#     types:\n"
		"#       - { type: com.example.survey.*, scale: nps, score: /answers/nps, customer: /user/id }\n\n");
	int err = put_defaults(out, f);
	return err ? err : out->err;
}

/* ---- pieces, each kept when it is there ---- */

static void note(struct init *o, const char *name, bool made)
{
	json_array_append_new(made ? o->made : o->kept, json_string(name));
	if (!o->common.json)
		printf("  %s%-6s%s %s/%s\n", show_color(stdout, made ? SHOW_GREEN : SHOW_DIM), made ? "made" : "kept",
			show_plain(stdout), o->dir, name);
}

static int make_directories(struct init *o, struct hy_fault *f)
{
	static const struct {
		const char *name;
		unsigned mode;
	} all[] = { { "keys", 0700 }, { "state", 0711 }, { "run", 0700 }, { "outbox", 0700 } };
	char path[1200];
	bool made;
	int err = file_mkdir(o->dir, 0711, NULL, f);
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]) && err == HY_OK; i++) {
		snprintf(path, sizeof(path), "%s/%s", o->dir, all[i].name);
		err = file_mkdir(path, all[i].mode, &made, f);
		if (err == HY_OK) {
			snprintf(path, sizeof(path), "%s/", all[i].name);
			note(o, path, made);
		}
	}
	return err;
}

static int make_secret(struct init *o, const char *name, struct hy_fault *f)
{
	char path[1200];
	snprintf(path, sizeof(path), "%s/%s", o->dir, name);
	int err = hy_secret_make(path, f);
	if (err && err != HY_EXISTS)
		return err;
	note(o, name, err == HY_OK);
	return HY_OK;
}

static int make_door_pair(struct init *o, struct hy_fault *f)
{
	char public_key[HY_CURVE_TEXT];
	bool made;
	int err = pair_make(o->dir, "door", public_key, &made, f);
	if (err)
		return err;
	note(o, "keys/door.curve", made);
	note(o, "keys/door.pub", made);
	return HY_OK;
}

/* The first app key. It stands before the file that speaks of it, so that an init cut short is completed by the next. */
static int make_app_key(struct init *o, char hash[static 65], struct hy_fault *f)
{
	char path[1200], key[128], line[130];
	snprintf(path, sizeof(path), "%s/keys/app-default.key", o->dir);
	bool there = access(path, F_OK) == 0;
	int err = HY_OK;
	if (there) {
		err = key_load(path, key, sizeof(key), f);
	} else {
		key_make(key);
		snprintf(line, sizeof(line), "%s\n", key);
		err = file_write(path, hy_bytes_text(line), 0600, f);
	}
	if (err)
		return err;
	key_hash(key, hash);
	note(o, "keys/app-default.key", !there);
	return HY_OK;
}

static int copy_file(const char *from, const char *to, struct hy_fault *f)
{
	struct hy_buffer text = { 0 };
	if (access(to, F_OK) == 0)
		return HY_OK; /* somebody's own words */
	int err = file_read(from, 1 << 20, &text, f);
	if (err == HY_OK)
		err = file_write(to, hy_buffer_view(&text), 0644, f);
	hy_buffer_free(&text);
	return err;
}

/* A folder of files and folders; two levels are all there are. */
static int copy_folder(const char *from, const char *to, int depth, struct hy_fault *f)
{
	char source[4600], target[1600];
	struct stat st;
	DIR *dir = opendir(from);
	if (!dir)
		return errno == ENOENT ? HY_OK : hy_fail(f, HY_IO, "%s: %s", from, strerror(errno));
	int err = file_mkdir(to, 0755, NULL, f);
	for (struct dirent *e; err == HY_OK && (e = readdir(dir));) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(source, sizeof(source), "%s/%s", from, e->d_name);
		snprintf(target, sizeof(target), "%s/%s", to, e->d_name);
		if (stat(source, &st) != 0)
			continue;
		if (S_ISDIR(st.st_mode) && depth > 0)
			err = copy_folder(source, target, depth - 1, f);
		else if (S_ISREG(st.st_mode))
			err = copy_file(source, target, f);
	}
	closedir(dir);
	return err;
}

static int make_templates(struct init *o, struct hy_fault *f)
{
	char from[4200], to[1200];
	huiyin_share("templates", from, sizeof(from));
	snprintf(to, sizeof(to), "%s/templates", o->dir);
	bool there = access(to, F_OK) == 0;
	int err = file_mkdir(to, 0755, NULL, f);
	if (err == HY_OK && !there)
		err = copy_folder(from, to, 1, f);
	if (err == HY_OK)
		note(o, "templates/", !there);
	return err;
}

static int make_configuration(struct init *o, const char *hash, struct hy_fault *f)
{
	char path[1200];
	struct hy_buffer text = { 0 };
	snprintf(path, sizeof(path), "%s/huiyin.yaml", o->dir);
	bool there = access(path, F_OK) == 0;
	int err = there ? HY_OK : make_yaml(o, hash, &text, f);
	if (err == HY_OK && !there)
		err = file_write(path, hy_buffer_view(&text), 0644, f);
	hy_buffer_free(&text);
	if (err == HY_OK)
		note(o, "huiyin.yaml", !there);
	return err;
}

/* ---- the verb ---- */

enum { OPTION_URL = 0x100, OPTION_LISTEN, OPTION_DOOR };

static const struct argp_option rows[] = {
	{ "public-url", OPTION_URL, "URL", 0, "How customers reach the pages (default http://127.0.0.1:8080)", 0 },
	{ "listen", OPTION_LISTEN, "ADDRESS", 0, "Where the collector listens (default 127.0.0.1:8080)", 0 },
	{ "door", OPTION_DOOR, "ENDPOINT", 0,
		"Where it listens for ZeroMQ, \"\" for nowhere (default tcp://127.0.0.1:5570, as far from 5570 as "
		"--listen is from 8080)",
		0 },
	{ 0 },
};

static bool good_url(const char *url)
{
	const char *host = strncmp(url, "http://", 7) == 0 ? url + 7 : strncmp(url, "https://", 8) == 0 ? url + 8 : "";
	return *host && *host != '/' && strlen(url) < 250 && !url[strcspn(url, " \t\r\n\"'<>\\")];
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct init *o = state->input;
	switch (key) {
	case OPTION_URL:
		if (!good_url(arg))
			argp_error(state, "--public-url is http://HOST... or https://HOST..., not '%s'", arg);
		o->public_url = arg;
		return 0;
	case OPTION_LISTEN:
		if (!strrchr(arg, ':') || strlen(arg) > 200)
			argp_error(state, "--listen is ADDRESS:PORT, not '%s'", arg);
		o->listen = arg;
		return 0;
	case OPTION_DOOR:
		if (*arg && strncmp(arg, "tcp://", 6) != 0 && strncmp(arg, "ipc://", 6) != 0)
			argp_error(state, "--door is tcp://ADDRESS:PORT or ipc://PATH, not '%s'", arg);
		o->door = arg;
		return 0;
	case ARGP_KEY_ARG:
		if (o->dir)
			argp_error(state, "one directory is enough; '%s' is another", arg);
		o->dir = arg;
		return 0;
	default:
		return huiyin_no_options(key, arg, state);
	}
}

int huiyin_init(int argc, char **argv)
{
	struct init o = { .public_url = NULL, .listen = "127.0.0.1:8080" };
	struct hy_fault f = { 0 };
	char hash[65], url[220];
	huiyin_options(argc, argv, rows, parse, "[DIR]",
		"Makes an installation in DIR (default ./huiyin): a commented huiyin.yaml, keys, and directories. "
		"Never asks; what is there is kept.\v"
		"Examples:\n  huiyin init ./huiyin\n  huiyin init /etc/huiyin --public-url "
		"https://feedback.example.com\n",
		&o.common);
	if (!o.dir)
		o.dir = o.common.chosen ? o.common.dir : "huiyin";
	if (strlen(o.dir) > 900) {
		hy_fail(&f, HY_USAGE, "the directory's name is too long");
		return huiyin_fail(&o.common, &f);
	}
	if (!o.public_url) { /* who listens elsewhere is reached there, unless told otherwise */
		bool any = o.listen[0] == ':' || strncmp(o.listen, "0.0.0.0:", 8) == 0 ||
			   strncmp(o.listen, "[::]:", 5) == 0;
		snprintf(url, sizeof(url), "http://%s%s", any ? "127.0.0.1" : o.listen,
			any ? strrchr(o.listen, ':') : "");
		o.public_url = url;
	}
	char door[64];
	if (!o.door) { /* two installations on one machine: who moves one door has moved both */
		int port = 5570 + atoi(strrchr(o.listen, ':') + 1) - 8080;
		snprintf(door, sizeof(door), "tcp://127.0.0.1:%d", port > 1023 && port < 65536 ? port : 5570);
		o.door = door;
	}
	o.made = json_array();
	o.kept = json_array();
	if (!o.common.json)
		printf("An installation in %s:\n", o.dir);
	int err = make_directories(&o, &f);
	if (err == HY_OK)
		err = make_secret(&o, "keys/contact.key", &f);
	if (err == HY_OK)
		err = make_secret(&o, "keys/follow-up.key", &f);
	if (err == HY_OK)
		err = make_door_pair(&o, &f);
	if (err == HY_OK)
		err = make_app_key(&o, hash, &f);
	if (err == HY_OK)
		err = make_templates(&o, &f);
	if (err == HY_OK)
		err = make_configuration(&o, hash, &f);
	int code = EX_OK;
	struct settings settings = { 0 };
	if (err == HY_OK)
		err = settings_read(o.dir, &settings, &f);
	bool fresh = json_array_size(o.made) > 0;
	if (err)
		code = huiyin_fail(&o.common, &f);
	else if (o.common.json)
		code = huiyin_print_json(json_pack("{s:s, s:s, s:O, s:O}", "dir", o.dir, "public_url",
			settings.public_url, "made", o.made, "kept", o.kept));
	else
		printf("%s Start it with\n  huiyin up %s\n",
			fresh ? "Done." : "All of it was there already and is kept.", o.dir);
	json_decref(o.made);
	json_decref(o.kept);
	return code;
}
