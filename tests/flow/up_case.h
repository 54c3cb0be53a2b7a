/* `huiyin up` as a child, for the tests of it: the installation is its caller's. */
#ifndef HY_TESTS_UP_CASE_H
#define HY_TESTS_UP_CASE_H

#include "support/test.h"

#include "base/clock.h"
#include "huiyin/huiyin.h"

#include <arpa/inet.h>
#include <limits.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define UP_PATIENCE_MS 60000

struct up {
	pid_t pid; /* 0 = not running */
	FILE *out;
};

static inline int up_free_port(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &size), 0);
	close(fd);
	return ntohs(a.sin_port);
}

/* Runs the command; its standard output, which the caller frees. */
static inline char *up_command(const char *install, int expected, const char *words)
{
	char line[PATH_MAX + 1024];
	char *out = calloc(1, 1 << 16);
	snprintf(line, sizeof(line), HY_BIN_DIR "/huiyin %s -C %s", words, install);
	FILE *p = popen(line, "r");
	assert_non_null(p);
	size_t n = fread(out, 1, (1 << 16) - 1, p);
	out[n] = 0;
	assert_int_equal(WEXITSTATUS(pclose(p)), expected);
	return out;
}

/* Returns when all daemons are ready. What it says otherwise is added to `log`. */
static inline void up_start(struct up *u, const char *program, const char *install, const char *log)
{
	int ends[2];
	char line[4096];
	assert_int_equal(pipe(ends), 0);
	u->pid = fork();
	if (u->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGTERM); /* no ring outlives its test */
		dup2(ends[1], 1);
		close(ends[0]);
		FILE *said = freopen(log, "a", stderr);
		execl(program, "huiyin", "up", install, "--json", (char *)NULL);
		_exit(said ? 127 : 126);
	}
	close(ends[1]);
	u->out = fdopen(ends[0], "r");
	assert_non_null(fgets(line, sizeof(line), u->out)); /* it says so when all are ready */
	assert_non_null(strstr(line, "\"ready\":true"));
}

/* Its exit code; -1 when a signal ended it. */
static inline int up_stop(struct up *u, int with)
{
	int status = -1;
	if (!u->pid)
		return 0;
	kill(u->pid, with);
	waitpid(u->pid, &status, 0);
	u->pid = 0;
	fclose(u->out);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* The daemon's process, once it answers as another one than `before`. */
static inline pid_t up_pid_of(struct common *common, const char *daemon, pid_t before)
{
	for (int64_t until = hy_mono_ms() + UP_PATIENCE_MS; hy_mono_ms() < until; usleep(50000)) {
		struct hy_fault f = { 0 };
		json_t *j = huiyin_ask_within(common, daemon, "health", NULL, 500, &f);
		pid_t pid = (pid_t)huiyin_number(j, "pid");
		json_decref(j);
		if (pid && pid != before)
			return pid;
	}
	fail_msg("the %s does not answer", daemon);
	return 0;
}

/* Asks until the account has what is expected under that name. */
static inline void up_wait_for(const char *install, const char *name, int64_t expected)
{
	for (int64_t until = hy_mono_ms() + UP_PATIENCE_MS; hy_mono_ms() < until; usleep(100000)) {
		char *text = up_command(install, EX_OK, "audit --json");
		json_t *j = json_loads(text, 0, NULL);
		int64_t n = huiyin_number(j, name);
		assert_int_equal(huiyin_number(j, "unaccounted"), 0);
		json_decref(j);
		free(text);
		if (n == expected)
			return;
	}
	fail_msg("'%s' does not become %d", name, (int)expected);
}

#endif
