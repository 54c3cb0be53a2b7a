/* huiyin up: the four daemons in the foreground. A daemon that dies is started again, later each time; a fault in the configuration starts nothing.
 * Stopping goes around the ring, the collector first, so that each still hands on what it has taken. */
#include "files.h"
#include "huiyin.h"
#include "show.h"
#include "users.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define DAEMONS 4
#define BACKOFF_MIN_MS 500
#define BACKOFF_MAX_MS 10000
#define GOOD_LIFE_MS 30000 /* who lived so long begins anew with the shortest pause */
#define STOP_MS 10000
#define READY_MS 30000

struct child {
	const char *name;
	pid_t pid; /* 0 = not running */
	int fd; /* its standard error, -1 = closed */
	struct hy_buffer line;
	int64_t started_ms, again_ms, backoff_ms; /* again_ms: when to start it; 0 = not waiting */
};

struct up {
	struct common common;
	const char *dir;
	struct child children[DAEMONS];
	struct settings settings;
	struct users users;
	int signals, lock;
	bool stopping, ready, told_slow;
	int code;
	int64_t begun_ms, asked_ms;
};

/* ---- words ---- */

static const enum show_color colors[DAEMONS] = { SHOW_CYAN, SHOW_MAGENTA, SHOW_YELLOW, SHOW_BLUE };

/* A daemon's line: its colour says whose it is, red and yellow what it means. */
static void print_line(const struct up *u, const struct child *c, const char *text)
{
	struct hy_buffer line = { 0 };
	size_t which = (size_t)(c - u->children);
	const char *level = strlen(text) > 30 && text[10] == 'T' && text[24] == ' ' ? text + 25 : "";
	enum show_color color = strncmp(level, "error", 5) == 0  ? SHOW_RED
				: strncmp(level, "warn", 4) == 0 ? SHOW_YELLOW
								 : SHOW_PLAIN;
	hy_text_line(&line, hy_bytes_text(text));
	fprintf(stderr, "%s%-10s │%s %s%s%s\n", show_color(stderr, colors[which]), c->name, show_plain(stderr),
		color ? show_color(stderr, color) : "", hy_buffer_string(&line), color ? show_plain(stderr) : "");
	hy_buffer_free(&line);
}

static void say(const struct up *u, const struct child *c, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static void say(const struct up *u, const struct child *c, const char *fmt, ...)
{
	char text[1024];
	va_list ap;
	(void)u;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	fprintf(stderr, "%s%-10s │%s %s%s%s\n", show_color(stderr, SHOW_DIM), "up", show_plain(stderr),
		c ? c->name : "", c ? ": " : "", text);
}

static void drain(struct up *u, struct child *c)
{
	char chunk[16384];
	ssize_t n;
	while (c->fd >= 0 && (n = read(c->fd, chunk, sizeof(chunk))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return; /* nothing there now */
		for (ssize_t i = 0; i < n; i++) {
			if (chunk[i] != '\n' && c->line.size < 16384) {
				hy_buffer_byte(&c->line, (uint8_t)chunk[i]);
				continue;
			}
			print_line(u, c, hy_buffer_string(&c->line));
			hy_buffer_clear(&c->line);
		}
	}
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	if (c->line.size)
		print_line(u, c, hy_buffer_string(&c->line));
	hy_buffer_clear(&c->line);
}

/* ---- one child ---- */

static void become(const struct up *u, const struct child *c, const int out[2], pid_t parent, const char *option)
{
	char program[4200];
	sigset_t none;
	int null = open("/dev/null", O_RDONLY);
	huiyin_program(c->name, program, sizeof(program));
	setpgid(0, 0); /* Ctrl-C is for the supervisor alone: it stops them in order */
	dup2(out[1], 1);
	dup2(out[1], 2);
	if (u->users.own)
		users_become(&u->users, c->name);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(EX_TEMPFAIL); /* the supervisor went between fork and here */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (null >= 0)
		dup2(null, 0);
	execl(program, program, "-C", u->users.own ? u->users.dir : u->dir, option, (char *)NULL);
	dprintf(2, "%s: can't run it: %s\n", program, strerror(errno));
	_exit(EX_UNAVAILABLE);
}

static bool start(struct up *u, struct child *c, const char *option)
{
	int out[2];
	pid_t parent = getpid();
	if (pipe2(out, O_CLOEXEC) != 0)
		return false;
	fflush(NULL);
	c->pid = fork();
	if (c->pid == 0)
		become(u, c, out, parent, option);
	close(out[1]);
	if (c->pid < 0) {
		c->pid = 0;
		close(out[0]);
		return false;
	}
	fcntl(out[0], F_SETFL, O_NONBLOCK);
	if (c->fd >= 0)
		drain(u, c);
	if (c->fd >= 0)
		close(c->fd);
	c->fd = out[0];
	c->started_ms = hy_mono_ms();
	c->again_ms = 0;
	return true;
}

static void begin_stop(struct up *u, int code)
{
	if (!u->stopping)
		u->code = code;
	u->stopping = true;
}

static void ended(struct up *u, struct child *c, int status)
{
	int64_t now = hy_mono_ms();
	drain(u, c);
	c->pid = 0;
	if (u->stopping)
		return;
	if (WIFEXITED(status) && WEXITSTATUS(status) == EX_CONFIG) {
		say(u, c, "its configuration has a fault; stopping all");
		begin_stop(u, EX_CONFIG);
		return;
	}
	bool lived = now - c->started_ms >= GOOD_LIFE_MS;
	c->backoff_ms = lived || !c->backoff_ms              ? BACKOFF_MIN_MS
			: 2 * c->backoff_ms > BACKOFF_MAX_MS ? BACKOFF_MAX_MS
							     : 2 * c->backoff_ms;
	c->again_ms = now + c->backoff_ms;
	if (WIFSIGNALED(status))
		say(u, c, "ended by signal %d (%s); again in %.1f s", WTERMSIG(status), strsignal(WTERMSIG(status)),
			(double)c->backoff_ms / 1000);
	else
		say(u, c, "ended with code %d; again in %.1f s", WEXITSTATUS(status), (double)c->backoff_ms / 1000);
}

static void reap(struct up *u)
{
	int status;
	for (size_t i = 0; i < DAEMONS; i++)
		if (u->children[i].pid && waitpid(u->children[i].pid, &status, WNOHANG) == u->children[i].pid)
			ended(u, &u->children[i], status);
}

/* ---- before anything starts ---- */

/* Each daemon checks its part of the configuration; what it says is shown, a sentence once. */
static int check(struct up *u, struct hy_fault *f)
{
	struct hy_buffer said = { 0 };
	int bad = huiyin_check_config(u->dir, &said);
	if (bad)
		hy_fail(f, HY_CONFIG, "nothing was started:\n%s", hy_buffer_string(&said));
	if (bad > 0 && bad != EX_CONFIG)
		f->err = HY_UNREACHABLE;
	hy_buffer_free(&said);
	return bad ? f->err : HY_OK;
}

static int take_lock(struct up *u, struct hy_fault *f)
{
	char path[1200], pid[32];
	snprintf(path, sizeof(path), "%s/run", u->dir);
	int err = file_mkdir(path, 0700, NULL, f);
	if (err)
		return err;
	snprintf(path, sizeof(path), "%s/run/up.lock", u->dir);
	u->lock = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (u->lock < 0)
		return hy_fail(f, hy_err_from_errno(errno), "%s: %s", path, strerror(errno));
	if (flock(u->lock, LOCK_EX | LOCK_NB) != 0) {
		ssize_t n = read(u->lock, pid, sizeof(pid) - 1);
		pid[n > 0 ? n : 0] = 0;
		pid[strcspn(pid, "\n")] = 0;
		return hy_fail(f, HY_IN_USE,
			"another `huiyin up` runs %s already%s%s; `huiyin status -C %s` tells how it is", u->dir,
			*pid ? ", process " : "", pid, u->dir);
	}
	int n = snprintf(pid, sizeof(pid), "%d\n", (int)getpid());
	if (ftruncate(u->lock, 0) != 0 || pwrite(u->lock, pid, (size_t)n, 0) != n)
		return hy_fail(f, hy_err_from_errno(errno), "%s: %s", path, strerror(errno));
	return HY_OK;
}

/* Root gives each daemon a user of its own, where that can be; otherwise says why in one line. */
static int choose_users(struct up *u, struct hy_fault *f)
{
	users_look(&u->users, u->dir, &u->settings);
	if (u->users.own)
		say(u, NULL, "each daemon runs as a user of its own, huiyin-NAME");
	else if (u->users.root)
		say(u, NULL, "every daemon runs as root: %s", u->users.why);
	return u->users.own ? users_prepare(&u->users, f) : HY_OK;
}

/* ---- being ready ---- */

static bool all_ready(const struct up *u)
{
	for (size_t i = 0; i < DAEMONS; i++) {
		struct hy_fault f = { 0 };
		if (!u->children[i].pid)
			return false;
		json_t *j = huiyin_ask_within(&u->common, u->children[i].name, "health", NULL, 300, &f), *in;
		bool good = j && huiyin_number(j, "pid") == u->children[i].pid;
		size_t k;
		json_array_foreach(json_object_get(j, "inputs"), k, in) good =
			good && strcmp(huiyin_text(in, "link"), "up") == 0;
		json_decref(j);
		if (!good)
			return false;
	}
	return true;
}

static void tell_ready(struct up *u)
{
	u->ready = true;
	if (u->common.json) {
		huiyin_print_json(json_pack("{s:b, s:s, s:s, s:s, s:i}", "ready", 1, "url", u->settings.public_url,
			"listen", u->settings.listen, "dir", u->dir, "pid", (int)getpid()));
		return;
	}
	const char *at = u->settings.listen[0] == ':' ? "127.0.0.1" : "";
	printf("\n%sHuiyin is ready%s at %s (%.1f s). Send it something:\n\n"
	       "  curl %s%s/v1/feedback -H \"Authorization: Bearer $(cat %s/keys/app-default.key)\" \\\n"
	       "    -d '{\"text\":\"点开订单就闪退\",\"customer\":{\"email\":\"li@example.com\"}}'\n\n"
	       "  huiyin status -C %s        how it is\n  huiyin tail -C %s          what comes in\n  Ctrl-C           "
	       "           stops it\n\n",
		show_color(stdout, SHOW_GREEN), show_plain(stdout), u->settings.public_url,
		(double)(hy_mono_ms() - u->begun_ms) / 1000, at, u->settings.listen, u->dir, u->dir, u->dir);
	fflush(stdout);
}

static void look_ready(struct up *u)
{
	int64_t now = hy_mono_ms();
	if (u->ready || u->stopping || now - u->asked_ms < 150)
		return;
	u->asked_ms = now;
	if (all_ready(u)) {
		tell_ready(u);
	} else if (!u->told_slow && now - u->begun_ms > READY_MS) {
		say(u, NULL, "not all are ready after %d s; `huiyin status -C %s` tells which and why", READY_MS / 1000,
			u->dir);
		u->told_slow = true;
	}
}

/* ---- the turn ---- */

static void on_signals(struct up *u)
{
	struct signalfd_siginfo s;
	while (read(u->signals, &s, sizeof(s)) == (ssize_t)sizeof(s)) {
		if (s.ssi_signo == SIGCHLD)
			continue;
		if (u->stopping) /* asked twice: now */
			for (size_t i = 0; i < DAEMONS; i++)
				if (u->children[i].pid)
					kill(u->children[i].pid, SIGKILL);
		begin_stop(u, EX_OK);
	}
	reap(u);
}

/* Waits for output, signals or the next due time. */
static void turn(struct up *u, int64_t most_ms)
{
	struct pollfd w[DAEMONS + 1];
	size_t who[DAEMONS + 1], n = 0;
	int64_t now = hy_mono_ms();
	for (size_t i = 0; i < DAEMONS; i++) {
		struct child *c = &u->children[i];
		if (c->fd >= 0) {
			who[n] = i;
			w[n++] = (struct pollfd){ .fd = c->fd, .events = POLLIN };
		}
		if (c->again_ms && c->again_ms - now < most_ms)
			most_ms = c->again_ms > now ? c->again_ms - now : 0;
	}
	w[n] = (struct pollfd){ .fd = u->signals, .events = POLLIN };
	if (poll(w, n + 1, (int)most_ms) < 0 && errno != EINTR)
		hy_panic("poll: %s", strerror(errno));
	for (size_t i = 0; i < n; i++)
		if (w[i].revents)
			drain(u, &u->children[who[i]]);
	on_signals(u);
}

static void run(struct up *u)
{
	while (!u->stopping) {
		turn(u, u->ready ? 60000 : 150);
		for (size_t i = 0; i < DAEMONS && !u->stopping; i++) {
			struct child *c = &u->children[i];
			if (c->again_ms && c->again_ms <= hy_mono_ms() && !start(u, c, NULL)) {
				say(u, c, "can't start it: %s", strerror(errno));
				c->again_ms = hy_mono_ms() + BACKOFF_MAX_MS;
			}
		}
		look_ready(u);
	}
}

static void stop_all(struct up *u)
{
	for (size_t i = 0; i < DAEMONS; i++) {
		struct child *c = &u->children[i];
		c->again_ms = 0;
		if (!c->pid)
			continue;
		int64_t until = hy_mono_ms() + STOP_MS;
		kill(c->pid, SIGTERM);
		while (c->pid && hy_mono_ms() < until)
			turn(u, until - hy_mono_ms());
		if (c->pid) {
			say(u, c, "has not stopped within %d s and is ended", STOP_MS / 1000);
			kill(c->pid, SIGKILL);
			while (c->pid)
				turn(u, 1000);
		}
	}
}

/* ---- the verb ---- */

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct up *u = state->input;
	if (key == ARGP_KEY_ARG && !u->dir) {
		u->dir = arg;
		return 0;
	}
	return huiyin_no_options(key, arg, state);
}

static int open_signals(void)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

int huiyin_up(int argc, char **argv)
{
	struct up u = { .lock = -1, .signals = -1 };
	struct hy_fault f = { 0 };
	for (size_t i = 0; i < DAEMONS; i++)
		u.children[i] = (struct child){ .name = huiyin_daemons[i], .fd = -1 };
	huiyin_options(argc, argv, NULL, parse, "[DIR]",
		"Runs the collector, classifier, router and notifier of DIR in the foreground, and starts again what "
		"dies. Ctrl-C stops them in order. Started by root, each runs as its own system user huiyin-NAME where "
		"these "
		"are (deploy/users makes them). Exit code 78: "
		"huiyin.yaml has a fault, and nothing was started.\v"
		"Example:\n  huiyin up ./huiyin\n",
		&u.common);
	if (!u.dir)
		u.dir = u.common.dir;
	else
		snprintf(u.common.dir, sizeof(u.common.dir), "%s", u.dir);
	signal(SIGPIPE, SIG_IGN);
	int err = settings_read(u.dir, &u.settings, &f);
	if (err == HY_OK)
		err = take_lock(&u, &f);
	if (err == HY_OK)
		err = check(&u, &f);
	if (err == HY_OK)
		err = choose_users(&u, &f);
	if (err)
		return huiyin_fail(&u.common, &f);
	u.begun_ms = hy_mono_ms();
	u.signals = open_signals();
	for (size_t i = 0; i < DAEMONS && !u.stopping; i++)
		if (!start(&u, &u.children[i], NULL))
			begin_stop(&u, EX_OSERR);
	run(&u);
	say(&u, NULL, "stopping");
	stop_all(&u);
	if (u.users.own)
		users_forget(&u.users);
	say(&u, NULL, "stopped");
	for (size_t i = 0; i < DAEMONS; i++)
		hy_buffer_free(&u.children[i].line);
	close(u.signals);
	close(u.lock);
	return u.code;
}
