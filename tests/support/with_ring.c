/* with_ring [-e SED-SCRIPT] COMMAND [ARGUMENT...]
 *
 * The real ring around one command: for tests that are scripts and drive a client of their own. The command has HUIYIN_URL, HUIYIN_KEY, HUIYIN_DIR and
 * HUIYIN_BIN in its environment, and HUIYIN_RING, this process: SIGUSR1 kills the collector as a power cut would, SIGUSR2 starts it
 * again. The ring ends with the command; the exit status is the command's. -e edits huiyin.yaml before the ring starts. */
#include "support/ring.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

static volatile sig_atomic_t cut, again, stop;

static void on_signal(int signal)
{
	if (signal == SIGUSR1)
		cut = 1;
	else if (signal == SIGUSR2)
		again = 1;
	else
		stop = 1;
}

static void tell(const struct ring *r)
{
	char url[64], pid[24];
	snprintf(url, sizeof(url), "http://127.0.0.1:%d", r->port);
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	setenv("HUIYIN_URL", url, 1);
	setenv("HUIYIN_KEY", r->key, 1);
	setenv("HUIYIN_DIR", r->dir, 1);
	setenv("HUIYIN_BIN", HY_BIN_DIR, 1);
	setenv("HUIYIN_RING", pid, 1);
}

static void tell_why(const struct ring *r)
{
	char command[4200];
	snprintf(command, sizeof(command), "tail -v -n 10 '%s'/*.log >&2", r->dir);
	fprintf(stderr, "with_ring: the ring did not get ready in time\n");
	if (system(command) != 0)
		fprintf(stderr, "with_ring: and has said nothing\n");
}

static pid_t start(char **command)
{
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execvp(command[0], command);
		fprintf(stderr, "with_ring: %s: %s\n", command[0], strerror(errno));
		_exit(127);
	}
	return pid;
}

int main(int argc, char **argv)
{
	const char *edit = NULL;
	int status = 0;
	argv++, argc--;
	if (argc > 2 && strcmp(argv[0], "-e") == 0) {
		edit = argv[1];
		argv += 2, argc -= 2;
	}
	if (argc == 0) {
		fprintf(stderr, "usage: with_ring [-e SED-SCRIPT] COMMAND [ARGUMENT...]\n");
		return 64;
	}
	signal(SIGUSR1, on_signal);
	signal(SIGUSR2, on_signal);
	signal(SIGTERM, on_signal);
	signal(SIGINT, on_signal);
	struct ring *r = ring_open(edit);
	ring_start_all(r);
	bool ready = ring_ready(r);
	tell(r);
	pid_t command = ready ? start(argv) : -1;
	if (!ready)
		tell_why(r);
	while (command > 0 && waitpid(command, &status, WNOHANG) == 0) {
		if (cut) {
			cut = 0;
			ring_kill(r, COLLECTOR, SIGKILL);
		}
		if (again) {
			again = 0;
			if (!r->pid[COLLECTOR])
				ring_start(r, COLLECTOR, NULL);
		}
		if (stop) {
			stop = 0;
			kill(command, SIGTERM);
		}
		usleep(20000);
	}
	ring_close(r);
	if (command < 0)
		return 1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
