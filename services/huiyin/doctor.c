/* huiyin doctor: what would go wrong on this machine, and what to do about it. Each check is a row; none changes anything. */
#include "files.h"
#include "huiyin.h"
#include "show.h"
#include "users.h"

#include <errno.h>
#include <pwd.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <unistd.h>

enum verdict { GOOD, WARN, BAD };

struct doctor {
	struct common common;
	json_t *found;
	enum verdict worst;
};

static void find(struct doctor *d, const char *check, enum verdict verdict, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
static void find(struct doctor *d, const char *check, enum verdict verdict, const char *fmt, ...)
{
	static const char *const names[] = { "good", "warning", "bad" };
	char text[2048];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	for (size_t size = strlen(text); size && text[size - 1] == '\n'; size--)
		text[size - 1] = 0;
	json_array_append_new(
		d->found, json_pack("{s:s, s:s, s:s}", "check", check, "verdict", names[verdict], "text", text));
	d->worst = verdict > d->worst ? verdict : d->worst;
}

/* ---- checks ---- */

static void check_programs(struct doctor *d)
{
	char path[4200];
	struct hy_buffer missing = { 0 };
	for (size_t i = 0; huiyin_daemons[i]; i++) {
		huiyin_program(huiyin_daemons[i], path, sizeof(path));
		if (access(path, X_OK) != 0)
			hy_buffer_printf(&missing, " %s", path);
	}
	huiyin_share("templates", path, sizeof(path));
	if (missing.size)
		find(d, "programs", BAD, "missing beside this program:%s; build or install them",
			hy_buffer_string(&missing));
	else if (access(path, R_OK) != 0)
		find(d, "programs", BAD, "%s is missing; install Huiyin whole, not its programs alone", path);
	else
		find(d, "programs", GOOD, "all daemons are beside this program");
	hy_buffer_free(&missing);
}

static void check_configuration(struct doctor *d)
{
	struct hy_buffer said = { 0 };
	json_t *warnings = json_array(), *w;
	size_t i;
	if (huiyin_check_config(d->common.dir, &said))
		find(d, "configuration", BAD, "%s", hy_buffer_string(&said));
	else
		huiyin_config_warnings(d->common.dir, warnings);
	json_array_foreach(warnings, i, w) find(d, "configuration", WARN, "%s", json_string_value(w));
	if (!said.size && json_array_size(warnings) == 0)
		find(d, "configuration", GOOD, "huiyin.yaml is fine for all daemons");
	json_decref(warnings);
	hy_buffer_free(&said);
}

static void check_keys(struct doctor *d)
{
	static const char *const names[] = { "contact.key", "follow-up.key", "app-default.key", "door.curve",
		"smtp.password" };
	enum verdict worst = GOOD;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char path[1200];
		struct stat st;
		bool needed = i < 2;
		snprintf(path, sizeof(path), "%s/keys/%s", d->common.dir, names[i]);
		if (stat(path, &st) != 0 && needed)
			find(d, "keys", worst = BAD, "%s: %s; `huiyin init %s` makes what is missing", path,
				strerror(errno), d->common.dir);
		else if (stat(path, &st) == 0 && (st.st_mode & 077))
			find(d, "keys", worst = BAD, "%s can be read by others; chmod 600 %s", path, path);
	}
	if (worst == GOOD)
		find(d, "keys", GOOD, "all there, and readable by their owner alone");
}

/* A socket's name must fit into the kernel's structure, terminator included. */
static void check_sockets(struct doctor *d)
{
	size_t longest = strlen(d->common.dir) + strlen("/run/classifier.ctl.sock");
	if (longest >= sizeof(((struct sockaddr_un *)NULL)->sun_path))
		find(d, "sockets", BAD,
			"the path %s is too long for sockets below it; move the installation, or reach it by a shorter "
			"link",
			d->common.dir);
	else
		find(d, "sockets", GOOD, "their names fit");
}

/* What the kernel says of the file system: shared ones know no memory map that two machines agree on. */
static void check_disk(struct doctor *d)
{
	enum { NFS = 0x6969, SMB = 0x517b, CIFS = (int)0xff534d42, SMB2 = (int)0xfe534d42, P9 = 0x01021997 };
	char path[1200];
	struct statvfs room;
	struct statfs kind;
	struct hy_buffer left = { 0 };
	snprintf(path, sizeof(path), "%s/state", d->common.dir);
	if (statvfs(path, &room) != 0 || statfs(path, &kind) != 0) {
		find(d, "disk", BAD, "%s: %s; `huiyin init %s` makes it", path, strerror(errno), d->common.dir);
		return;
	}
	double free_bytes = (double)room.f_bavail * (double)room.f_frsize;
	int type = (int)kind.f_type;
	show_bytes(&left, free_bytes);
	if (type == NFS || type == SMB || type == CIFS || type == SMB2 || type == P9)
		find(d, "disk", BAD, "%s is on a network file system: stores need a disk of their own machine", path);
	else if (free_bytes < 1e9)
		find(d, "disk", WARN, "%s left on %s: a full disk refuses feedback until there is room",
			hy_buffer_string(&left), path);
	else
		find(d, "disk", GOOD, "%s left", hy_buffer_string(&left));
	hy_buffer_free(&left);
}

static void check_limits(struct doctor *d)
{
	struct rlimit files;
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < 4096 + 256)
		find(d, "open files", WARN,
			"%llu open files at most, fewer than limits.connections may need; `ulimit -n 16384` before "
			"`huiyin up`",
			(unsigned long long)files.rlim_cur);
	else
		find(d, "open files", GOOD, "enough for limits.connections");
}

/* How many daemons answer, and how many of them run as the user that is made for each. */
static size_t count_own(struct doctor *d, const struct users *u, size_t *answering)
{
	size_t own = 0;
	for (size_t i = 0; huiyin_daemons[i]; i++) {
		struct hy_fault f = { 0 };
		struct stat st;
		char path[64];
		json_t *j = huiyin_ask_within(&d->common, huiyin_daemons[i], "health", NULL, 2000, &f);
		snprintf(path, sizeof(path), "/proc/%" PRId64, huiyin_number(j, "pid"));
		*answering += j != NULL;
		own += j && stat(path, &st) == 0 && u->uid[i] != 0 && st.st_uid == u->uid[i];
		json_decref(j);
	}
	return own;
}

/* Each daemon its own user, or all of them the caller's, and why. */
static void check_user(struct doctor *d)
{
	const struct passwd *p = getpwuid(geteuid());
	struct hy_fault f = { 0 };
	struct settings settings = { 0 };
	struct users u;
	size_t answering = 0;
	settings_read(d->common.dir, &settings, &f); /* without it the checks above have said enough */
	users_look(&u, d->common.dir, &settings);
	if (!u.root) {
		find(d, "user", GOOD,
			"all daemons run as %s and share its files: `huiyin up` is not started by root, which would "
			"give each a user of its own",
			p ? p->pw_name : "you");
		return;
	}
	size_t own = count_own(d, &u, &answering);
	if (answering && own == answering)
		find(d, "user", GOOD, "each daemon runs as a user of its own, huiyin-NAME");
	else if (!u.own)
		find(d, "user", WARN, "`huiyin up` started by root runs every daemon as root: %s", u.why);
	else if (answering)
		find(d, "user", WARN,
			"%zu of %zu daemons don't run as users of their own; `huiyin up` started anew by root gives "
			"each its own",
			answering - own, answering);
	else
		find(d, "user", GOOD, "`huiyin up` started by root runs each daemon as a user of its own, huiyin-NAME");
}

static void check_running(struct doctor *d)
{
	size_t answers = 0;
	for (size_t i = 0; huiyin_daemons[i]; i++) {
		struct hy_fault f = { 0 };
		json_t *j = huiyin_ask_within(&d->common, huiyin_daemons[i], "health", NULL, 2000, &f);
		const char *version = huiyin_text(j, "version"), *state = huiyin_text(j, "state");
		answers += j != NULL;
		if (j && strcmp(version, HY_VERSION) != 0)
			find(d, "daemons", WARN, "the %s runs version %s, this is %s; restart it", huiyin_daemons[i],
				version, HY_VERSION);
		else if (j && strcmp(state, "ok") != 0)
			find(d, "daemons", WARN, "the %s is %s; `huiyin status` tells more", huiyin_daemons[i], state);
		json_decref(j);
	}
	if (answers == 4)
		find(d, "daemons", GOOD, "all four answer");
	else
		find(d, "daemons", answers ? BAD : WARN, "%zu of 4 answer; `huiyin up %s` starts them", answers,
			d->common.dir);
}

int huiyin_doctor(int argc, char **argv)
{
	static void (*const checks[])(struct doctor * d) = { check_programs, check_configuration, check_keys,
		check_sockets, check_disk, check_limits, check_user, check_running };
	static const enum show_color colors[] = { SHOW_GREEN, SHOW_YELLOW, SHOW_RED };
	static const char *const signs[] = { "✓", "!", "✗" };
	struct doctor d = { .found = json_array() };
	json_t *one;
	size_t i;
	huiyin_options(argc, argv, NULL, huiyin_no_options, NULL,
		"Looks for what would go wrong on this machine, and says what to do about it. Changes nothing. Exit "
		"code 1 when something is bad.\v"
		"Example:\n  huiyin doctor -C /etc/huiyin\n",
		&d.common);
	for (i = 0; i < sizeof(checks) / sizeof(checks[0]); i++)
		checks[i](&d);
	if (d.common.json) {
		huiyin_print_json(json_pack("{s:b, s:o}", "ok", d.worst != BAD, "found", d.found));
		return d.worst == BAD;
	}
	json_array_foreach(d.found, i, one)
	{
		const char *verdict = huiyin_text(one, "verdict");
		size_t which = strcmp(verdict, "good") == 0 ? GOOD : strcmp(verdict, "bad") == 0 ? BAD : WARN;
		printf("%s%s%s %-14s %s\n", show_color(stdout, colors[which]), signs[which], show_plain(stdout),
			huiyin_text(one, "check"), huiyin_text(one, "text"));
	}
	json_decref(d.found);
	return d.worst == BAD;
}
