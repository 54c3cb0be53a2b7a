#include "checker.h"

#include "huiyin/huiyin.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

struct checker {
	pid_t pid;
	FILE *to, *from;
	char *line;
	size_t room;
	struct hy_json_reader *reader;
};

static int failed(struct hy_fault *f)
{
	return hy_fail(f, HY_IO, "huiyin-collector --tool check: %s", errno ? strerror(errno) : "it ended early");
}

int checker_open(struct checker **out, struct hy_fault *f)
{
	struct checker *c = *out = calloc(1, sizeof(*c));
	posix_spawn_file_actions_t actions;
	int in[2] = { -1, -1 }, answers[2] = { -1, -1 };
	char path[1200];
	if (!c)
		return hy_fail(f, HY_NO_MEMORY, "no memory");
	if (pipe2(in, O_CLOEXEC) != 0 || pipe2(answers, O_CLOEXEC) != 0) {
		if (in[0] >= 0) {
			close(in[0]);
			close(in[1]);
		}
		return failed(f);
	}
	huiyin_program("collector", path, sizeof(path));
	char *const argv[] = { path, (char *)(uintptr_t) "--tool", (char *)(uintptr_t) "check", NULL };
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, in[0], 0);
	posix_spawn_file_actions_adddup2(&actions, answers[1], 1);
	errno = posix_spawn(&c->pid, path, &actions, NULL, argv, environ);
	int bad = errno;
	posix_spawn_file_actions_destroy(&actions);
	close(in[0]);
	close(answers[1]);
	c->to = fdopen(in[1], "w");
	c->from = fdopen(answers[0], "r");
	c->reader = hy_json_reader_new();
	signal(SIGPIPE, SIG_IGN); /* a checker that dies is an error of ours, not our end */
	if (bad)
		c->pid = 0;
	errno = bad;
	return bad || !c->to || !c->from ? failed(f) : HY_OK;
}

void checker_close(struct checker **c)
{
	if (!*c)
		return;
	if ((*c)->to)
		fclose((*c)->to);
	if ((*c)->from)
		fclose((*c)->from);
	if ((*c)->pid)
		waitpid((*c)->pid, NULL, 0);
	free((*c)->line);
	hy_json_reader_free(&(*c)->reader);
	free(*c);
	*c = NULL;
}

int checker_batch(struct checker *c, struct batch *b, struct hy_fault *f)
{
	errno = 0;
	/* The whole batch, then its end: the other side answers only then, so that the two never wait for each other. */
	if (fwrite(b->body.data, 1, b->body.size, c->to) != b->body.size || fputc('\n', c->to) == EOF ||
		fflush(c->to) != 0)
		return failed(f);
	for (size_t i = 0; i < b->to_send; i++) {
		const struct hy_json *errors;
		ssize_t n = getline(&c->line, &c->room, c->from);
		if (n <= 0)
			return failed(f);
		int err = hy_json_read_copy(c->reader, hy_bytes(c->line, (size_t)n), &errors, f);
		if (err)
			return err;
		if (errors->count)
			b->items[b->todo[i]].why = sender_reason(errors);
		else
			b->accepted++;
	}
	return HY_OK;
}
