/* huiyin config: what the daemons think of huiyin.yaml. Each knows its own part, so each is asked, as a program of its own: it need not run. */
#include "files.h"
#include "huiyin.h"
#include "show.h"

#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

const char *const huiyin_config_verbs[] = { "check", "print", NULL };

/* Runs `huiyin-NAME -C DIR OPTION` and appends both its outputs; its exit code, or -1. */
static int run_daemon(const char *daemon, const char *dir, const char *option, struct hy_buffer *out)
{
	char program[4200], chunk[4096];
	int ends[2], status;
	huiyin_program(daemon, program, sizeof(program));
	if (pipe(ends) != 0)
		return -1;
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		dup2(ends[1], 1);
		dup2(ends[1], 2);
		close(ends[0]);
		close(ends[1]);
		execl(program, program, "-C", dir, option, (char *)NULL);
		printf("%s: can't run it: %s\n", program, strerror(errno));
		fflush(stdout);
		_exit(EX_UNAVAILABLE);
	}
	close(ends[1]);
	for (ssize_t n; pid > 0 && ((n = read(ends[0], chunk, sizeof(chunk))) > 0 || (n < 0 && errno == EINTR));)
		if (n > 0)
			hy_buffer_put(out, chunk, (size_t)n);
	close(ends[0]);
	while (pid > 0 && waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	return pid > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Appends the blocks of `text` that `out` has not yet. A block ends before a line that `begins` says starts one. */
static void add_new(struct hy_buffer *out, const char *text, bool (*begins)(const char *line, const char *before))
{
	const char *from = text;
	for (const char *line = text; *line;) {
		size_t size = strcspn(line, "\n");
		const char *next = line + size + (line[size] == '\n');
		if (*next == 0 || begins(next, line)) {
			size_t block = (size_t)(next - from);
			if (!out->size || !memmem(out->data, out->size, from, block))
				hy_buffer_put(out, from, block);
			from = next;
		}
		line = next;
	}
}

/* A fault begins at the margin; its line of the file and the caret stand indented below. */
static bool fault_begins(const char *line, const char *before)
{
	(void)before;
	return *line != ' ' && *line != '\t';
}

/* A part of the printed configuration ends with an empty line. */
static bool part_begins(const char *line, const char *before)
{
	(void)line;
	return *before == '\n';
}

int huiyin_check_config(const char *dir, struct hy_buffer *said)
{
	int worst = 0;
	for (size_t i = 0; huiyin_daemons[i]; i++) {
		struct hy_buffer out = { 0 };
		int code = run_daemon(huiyin_daemons[i], dir, "--check-config", &out);
		if (code != 0)
			add_new(said, hy_buffer_string(&out), fault_begins);
		if (code != 0 && worst != EX_CONFIG)
			worst = code < 0 ? EX_OSERR : code;
		hy_buffer_free(&out);
	}
	return worst;
}

/* ---- check ---- */

static bool is_loopback(const char *url)
{
	const char *host = strstr(url, "://");
	host = host ? host + 3 : url;
	return strncmp(host, "127.", 4) == 0 || strncmp(host, "localhost", 9) == 0 || strncmp(host, "[::1]", 5) == 0;
}

/* A text of a part that only another daemon's table knows; "" when it isn't said. */
static const char *text_in(const struct hy_conf *c, const char *part, const char *name)
{
	const struct hy_conf_node *tree = hy_conf_tree(c, part), *node = tree ? hy_conf_get(tree, name) : NULL;
	const char *text = node ? hy_conf_scalar(node) : NULL;
	return text ? text : "";
}

/* What no daemon can call a fault, but nobody wants. */
void huiyin_config_warnings(const char *dir, json_t *warnings)
{
	static const struct hy_conf_row rows[] = {
		{ "public_url", HY_CONF_TEXT, "http://127.0.0.1:8080", "", NULL, 0, 0 },
		{ "notify", HY_CONF_TREE, NULL, "", NULL, 0, 0 },
		{ "smtp", HY_CONF_TREE, NULL, "", NULL, 0, 0 },
		{ "http", HY_CONF_TREE, NULL, "", NULL, 0, 0 },
		{ 0 },
	};
	static const struct hy_conf_row *const tables[] = { rows, NULL };
	struct hy_conf *c = NULL;
	char path[1100];
	snprintf(path, sizeof(path), "%s/huiyin.yaml", dir);
	hy_conf_open(&c, path, tables, NULL);
	const char *url = hy_conf_text(c, "public_url");
	const struct hy_conf_node *http = hy_conf_tree(c, "http"), *listen = http ? hy_conf_get(http, "listen") : NULL;
	bool smtp = strcmp(text_in(c, "notify", "channel"), "smtp") == 0;
	if (smtp && is_loopback(url))
		json_array_append_new(warnings, json_sprintf("mail goes out by SMTP, but its links lead to %s: nobody "
							     "else can open them; set public_url",
							url));
	const char *from = text_in(c, "notify", "from");
	if (smtp && (!*from || strstr(from, "@localhost")))
		json_array_append_new(
			warnings, json_string("mail goes out by SMTP, but nobody can answer to notify.from: give it an "
					      "address of your own domain"));
	snprintf(path, sizeof(path), "%s/keys/smtp.password", dir);
	if (smtp && *text_in(c, "smtp", "user") && access(path, F_OK) != 0 && errno == ENOENT)
		json_array_append_new(
			warnings, json_sprintf("smtp.user is %s, but %s is not there: write the password into it, then "
					       "chmod 600; without it the notifier does not start",
					  text_in(c, "smtp", "user"), path));
	if (listen && !is_loopback(hy_conf_scalar(listen)) && is_loopback(url))
		json_array_append_new(warnings,
			json_sprintf("the collector listens on %s, but links in notices lead to %s; set public_url",
				hy_conf_scalar(listen), url));
	hy_conf_close(&c);
}

static int check(struct common *c)
{
	struct hy_buffer said = { 0 };
	json_t *warnings = json_array(), *w;
	size_t i;
	int code = huiyin_check_config(c->dir, &said);
	if (code == 0)
		huiyin_config_warnings(c->dir, warnings);
	if (c->json) {
		huiyin_print_json(json_pack(
			"{s:b, s:s, s:O}", "ok", code == 0, "faults", hy_buffer_string(&said), "warnings", warnings));
	} else {
		fputs(hy_buffer_string(&said), stderr);
		json_array_foreach(warnings, i, w) fprintf(stderr, "%swarning:%s %s\n", show_color(stderr, SHOW_YELLOW),
			show_plain(stderr), json_string_value(w));
		if (code == 0)
			printf("%s/huiyin.yaml: %sfine%s for all daemons\n", c->dir, show_color(stdout, SHOW_GREEN),
				show_plain(stdout));
	}
	json_decref(warnings);
	hy_buffer_free(&said);
	return code;
}

/* ---- print ---- */

static int print(struct common *c)
{
	struct hy_buffer all = { 0 };
	int worst = 0;
	for (size_t i = 0; huiyin_daemons[i] && worst == 0; i++) {
		struct hy_buffer out = { 0 };
		worst = run_daemon(huiyin_daemons[i], c->dir, "--print-config", &out);
		if (worst == 0)
			add_new(&all, hy_buffer_string(&out), part_begins);
		else
			fputs(hy_buffer_string(&out), stderr);
		hy_buffer_free(&out);
	}
	if (worst == 0 && c->json)
		huiyin_print_json(json_pack("{s:s}", "config", hy_buffer_string(&all)));
	else if (worst == 0)
		fputs(hy_buffer_string(&all), stdout);
	hy_buffer_free(&all);
	return worst < 0 ? EX_OSERR : worst;
}

/* ---- the verb ---- */

struct config {
	struct common common;
	const char *what;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct config *o = state->input;
	if (key == ARGP_KEY_ARG && !o->what) {
		o->what = arg;
		return 0;
	}
	if (key == ARGP_KEY_NO_ARGS)
		argp_error(state, "what? check or print");
	return huiyin_no_options(key, arg, state);
}

int huiyin_config(int argc, char **argv)
{
	struct config o = { 0 };
	huiyin_options(argc, argv, NULL, parse, "check\nprint",
		"Checks huiyin.yaml with every daemon (exit code 78 when there is a fault), or prints the settings in "
		"force with what each means.\v"
		"Examples:\n  huiyin config check\n  huiyin config print -C /etc/huiyin\n",
		&o.common);
	switch (huiyin_which(argv[0], o.what, huiyin_config_verbs)) {
	case 0:
		return check(&o.common);
	case 1:
		return print(&o.common);
	default:
		return EX_USAGE;
	}
}
