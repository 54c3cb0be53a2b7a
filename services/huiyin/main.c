#include "huiyin.h"
#include "show.h"

const struct huiyin_verb huiyin_verbs[] = {
	{ "init", "make an installation: configuration, keys, directories", huiyin_init, NULL },
	{ "up", "run all daemons in the foreground", huiyin_up, NULL },
	{ "send", "send one feedback", huiyin_send, NULL },
	{ "import", "send the feedback in a file", huiyin_import, NULL },
	{ "mail-in", "take one mail from a mail server's pipe", huiyin_mail_in, NULL },
	{ "status", "how the daemons are", huiyin_status, NULL },
	{ "tail", "what passes by on a stream", huiyin_tail, NULL },
	{ "trace", "the way of one feedback, with times", huiyin_trace, NULL },
	{ "ticket", "look at tickets and answer them", huiyin_ticket, huiyin_ticket_verbs },
	{ "audit", "account for every feedback", huiyin_audit, NULL },
	{ "dead", "look at dead letters, retry or drop them", huiyin_dead, huiyin_dead_verbs },
	{ "config", "check or print the configuration", huiyin_config, huiyin_config_verbs },
	{ "doctor", "look for what would go wrong on this machine", huiyin_doctor, NULL },
	{ "fsck", "check every block, record and mark of the stores", huiyin_fsck, NULL },
	{ "key", "add, list or revoke API keys", huiyin_key, huiyin_key_verbs },
	{ "keygen", "make CURVE keys for the ZeroMQ door and its apps", huiyin_keygen, NULL },
	{ "train", "train the classifier on labelled texts", huiyin_tool, NULL },
	{ "eval", "measure the classifier on labelled texts", huiyin_tool, NULL },
	{ "classify", "classify the lines of standard input", huiyin_tool, NULL },
	{ "completion", "print the completion script of a shell", huiyin_completion, NULL },
	{ 0 },
};

static int help(FILE *out)
{
	fprintf(out,
		"Usage: %shuiyin%s VERB [OPTION...]\n\nA self-hosted feedback loop: every piece of feedback gets an "
		"answer.\n\n",
		show_color(out, SHOW_BOLD), show_plain(out));
	for (const struct huiyin_verb *v = huiyin_verbs; v->name; v++)
		fprintf(out, "  %s%-11s%s %s\n", show_color(out, SHOW_CYAN), v->name, show_plain(out), v->summary);
	fprintf(out, "\n`huiyin VERB --help` tells more. A first day:\n"
		     "  huiyin init ./huiyin && huiyin up ./huiyin\n"
		     "  huiyin send --email li@example.com '点开订单就闪退'\n"
		     "  huiyin tail ticket\n"
		     "  huiyin ticket resolve T-1 --note '已修复，请更新到最新版'\n"
		     "  huiyin audit\n");
	return fflush(out) == 0 ? EX_OK : EX_IOERR;
}

static void print_version(FILE *out, struct argp_state *state)
{
	(void)state;
	fprintf(out, "huiyin %s\n", HY_VERSION);
}

int main(int argc, char **argv)
{
	const char *word = argc > 1 ? argv[1] : "";
	argp_err_exit_status = EX_USAGE;
	argp_program_version_hook = print_version;
	setenv("ARGP_HELP_FMT", "rmargin=110", 0); /* examples stay on their lines */
	if (!*word) {
		help(stderr);
		return EX_USAGE;
	}
	if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0)
		return help(stdout);
	if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0 || strcmp(word, "version") == 0) {
		print_version(stdout, NULL);
		return EX_OK;
	}
	const char *names[sizeof(huiyin_verbs) / sizeof(huiyin_verbs[0])];
	size_t n = 0;
	for (const struct huiyin_verb *v = huiyin_verbs; v->name; v++)
		names[n++] = v->name;
	names[n] = NULL;
	if (word[0] == '-') {
		fprintf(stderr,
			"huiyin: '%s' stands before the verb; options come behind it, as in `huiyin status -C DIR`\n",
			word);
		return EX_USAGE;
	}
	int which = huiyin_which("huiyin", word, names);
	if (which < 0)
		return EX_USAGE;
	char name[64];
	snprintf(name, sizeof(name), "huiyin %s", word);
	argv[1] = name; /* so that argp's messages begin with what was typed */
	return huiyin_verbs[which].run(argc - 1, argv + 1);
}

/* ---- completion ---- */

static int complete_bash(void)
{
	printf("# Completion of huiyin for bash: source <(huiyin completion bash)\n_huiyin() {\n"
	       "\tlocal word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}\n"
	       "\tcase $before in\n"
	       "\t-C|--directory) COMPREPLY=($(compgen -d -- \"$word\")); return ;;\n"
	       "\t--key-file) COMPREPLY=($(compgen -f -- \"$word\")); return ;;\n"
	       "\t--color) COMPREPLY=($(compgen -W 'always never auto' -- \"$word\")); return ;;\n"
	       "\tesac\n"
	       "\tif [ \"$COMP_CWORD\" = 1 ]; then\n\t\tCOMPREPLY=($(compgen -W '");
	for (const struct huiyin_verb *v = huiyin_verbs; v->name; v++)
		printf("%s ", v->name);
	printf("--help --version' -- \"$word\"))\n\t\treturn\n\tfi\n"
	       "\tif [[ $word == -* ]]; then\n"
	       "\t\tCOMPREPLY=($(compgen -W \"$(\"$1\" \"${COMP_WORDS[1]}\" --help 2>/dev/null | grep -o -- "
	       "'--[a-z][a-z-]*' | sort -u)\" -- \"$word\"))\n"
	       "\t\treturn\n\tfi\n"
	       "\tcase ${COMP_WORDS[1]} in\n");
	for (const struct huiyin_verb *v = huiyin_verbs; v->name; v++) {
		if (!v->sub)
			continue;
		printf("\t%s) [ \"$COMP_CWORD\" = 2 ] && COMPREPLY=($(compgen -W '", v->name);
		for (const char *const *s = v->sub; *s; s++)
			printf("%s%s", s == v->sub ? "" : " ", *s);
		printf("' -- \"$word\")) ;;\n");
	}
	printf("\ttail) COMPREPLY=($(compgen -W 'feedback classification ticket delivery' -- \"$word\")) ;;\n"
	       "\tinit|up) COMPREPLY=($(compgen -d -- \"$word\")) ;;\n"
	       "\timport|train|eval) COMPREPLY=($(compgen -f -- \"$word\")) ;;\n"
	       "\tcompletion) COMPREPLY=($(compgen -W bash -- \"$word\")) ;;\n"
	       "\tesac\n}\ncomplete -o filenames -F _huiyin huiyin\n");
	return fflush(stdout) == 0 ? EX_OK : EX_IOERR;
}

struct completion {
	struct common common;
	const char *shell;
};

static error_t parse_completion(int key, char *arg, struct argp_state *state)
{
	struct completion *o = state->input;
	if (key == ARGP_KEY_ARG && !o->shell) {
		o->shell = arg;
		return 0;
	}
	if (key == ARGP_KEY_NO_ARGS)
		argp_error(state, "which shell? There is bash");
	return huiyin_no_options(key, arg, state);
}

int huiyin_completion(int argc, char **argv)
{
	static const char *const shells[] = { "bash", NULL };
	struct completion o = { 0 };
	huiyin_options(argc, argv, NULL, parse_completion, "SHELL",
		"Prints the completion script of a shell.\vExample:\n  source <(huiyin completion bash)\n", &o.common);
	return huiyin_which(argv[0], o.shell, shells) < 0 ? EX_USAGE : complete_bash();
}
