#include "service/daemon.h"

#include <argp.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

struct options {
	const struct hy_service *service;
	char dir[1024];
	bool check, print;
};

static const struct argp_option option_rows[] = {
	{ "directory", 'C', "DIR", 0, "The installation (default ./huiyin, then /etc/huiyin)", 0 },
	{ "check-config", 'c', NULL, 0, "Check huiyin.yaml and exit: 0 when it is right, 78 when it is not", 0 },
	{ "print-config", 'p', NULL, 0, "Print the configuration in force, with what each setting means", 0 },
	{ 0 },
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;
	switch (key) {
	case 'C':
		snprintf(o->dir, sizeof(o->dir), "%s", arg);
		return 0;
	case 'c':
		o->check = true;
		return 0;
	case 'p':
		o->print = true;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "'%s' is not an option", arg);
		return EINVAL;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static void print_version(FILE *out, struct argp_state *state)
{
	const struct options *o = state->input;
	fprintf(out, "huiyin-%s %s\n", o->service->name, HY_VERSION);
}

static int check_only(struct hy_daemon *d, struct options *o, struct hy_buffer *report)
{
	struct hy_buffer text = { 0 };
	int err = daemon_configure(d, NULL, report);
	if (report->size)
		fprintf(stderr, "%s", hy_buffer_string(report));
	if (err == HY_OK && o->print) {
		hy_conf_print(d->conf, &text);
		printf("%s", hy_buffer_string(&text));
	} else if (err == HY_OK) {
		printf("%s/huiyin.yaml: fine for huiyin-%s\n", d->dir, d->service->name);
	}
	hy_buffer_free(&text);
	return err;
}

int hy_service_main(int argc, char **argv, const struct hy_service *service, void *self)
{
	char doc[512];
	snprintf(doc, sizeof(doc),
		"Huiyin's %s: %s.\v`huiyin up` starts it together with the others; example by hand:\n  huiyin-%s -C "
		"/etc/huiyin\n",
		service->name, service->summary, service->name);
	struct argp argp = { option_rows, parse_option, NULL, doc, NULL, NULL, NULL };
	struct options o = { .service = service };
	argp_program_version_hook = print_version;
	argp_err_exit_status = EX_USAGE;
	argp_parse(&argp, argc, argv, 0, NULL, &o);
	if (!o.dir[0])
		snprintf(
			o.dir, sizeof(o.dir), "%s", access("huiyin/huiyin.yaml", F_OK) == 0 ? "huiyin" : "/etc/huiyin");

	int err;
	struct hy_fault f = { 0 };
	struct hy_daemon *d = NULL;
	if (o.check || o.print) {
		struct hy_buffer report = { 0 };
		d = calloc(1, sizeof(*d));
		if (!d)
			return EX_OSERR;
		d->service = service;
		d->self = self;
		snprintf(d->dir, sizeof(d->dir), "%s", o.dir);
		err = check_only(d, &o, &report);
		hy_buffer_free(&report);
		hy_daemon_close(&d);
		return err ? hy_err_exit(err) : 0;
	}
#ifdef HY_CRASH_POINTS
	const char *ahead = getenv("HUIYIN_AHEAD_MS");
	hy_clock_ahead(ahead ? atoll(ahead) : 0);
#endif
	hy_log_open(service->name, HY_INFO, -1);
	struct hy_daemon_options options = { .dir = o.dir };
	err = hy_daemon_open(&d, service, self, &options, &f);
	if (err == HY_OK)
		err = hy_daemon_run(d);
	else if (err == HY_CONFIG)
		fprintf(stderr, "%s", f.text); /* the faults stand there with their lines and carets */
	else
		hy_error("daemon.start", "daemon=%s error=%s %s", service->name, hy_err_name(err), f.text);
	hy_daemon_close(&d);
	return err ? hy_err_exit(err) : 0;
}
