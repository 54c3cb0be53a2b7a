// link: hy_huiyin
/* huiyin up as root: each daemon as a user of its own, who reaches what is its own and nothing else; and as root where that can't be. */
#include "flow/up_case.h"

#include "base/clock.h"
#include "huiyin/users.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>

struct fx {
	char *dir;
	char install[300], log[300];
	char bin[400]; /* where the programs are started from */
	uid_t uid[USERS];
	gid_t group;
	struct up up;
	struct common common;
};

/* ---- the installation ---- */

static char *huiyin(struct fx *fx, int expected, const char *words)
{
	return up_command(fx->install, expected, words);
}

static void start(struct fx *fx)
{
	char program[420];
	snprintf(program, sizeof(program), "%s/huiyin", fx->bin);
	unlink(fx->log);
	up_start(&fx->up, program, fx->install, fx->log);
}

static bool logged(struct fx *fx, const char *words)
{
	char line[8192];
	bool found = false;
	FILE *f = fopen(fx->log, "r");
	assert_non_null(f);
	while (!found && fgets(line, sizeof(line), f))
		found = strstr(line, words) != NULL;
	fclose(f);
	return found;
}

/* ---- whether this machine lets us try ---- */

static bool open_to_all(const char *path)
{
	char part[PATH_MAX];
	struct stat st;
	for (const char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		snprintf(part, sizeof(part), "%.*s", (int)(slash - path), path);
		if (stat(part, &st) != 0 || !(st.st_mode & S_IXOTH))
			return false;
	}
	return true;
}

/* Why not, or NULL. */
static const char *impossible(struct fx *fx)
{
	if (geteuid() != 0)
		return "only root can give each daemon a user";
	if (system(HY_SOURCE_DIR "/deploy/users >/dev/null 2>&1") != 0)
		return "users can't be made here";
	if (!open_to_all(HY_BIN_DIR "/") || !open_to_all(fx->install))
		return "other users can't reach the programs or the temporary directory";
	pid_t pid = fork();
	if (pid == 0)
		_exit(setgroups(0, NULL) == 0 && setresuid(1, 1, 1) == 0 ? 0 : 1);
	int status;
	waitpid(pid, &status, 0);
	return status == 0 ? NULL : "this root can't become another user";
}

static int setup(void **state)
{
	struct fx *fx = calloc(1, sizeof(*fx));
	char words[128];
	*state = fx;
	fx->dir = test_mkdir();
	chmod(fx->dir, 0711);
	snprintf(fx->bin, sizeof(fx->bin), "%s", HY_BIN_DIR);
	snprintf(fx->install, sizeof(fx->install), "%s/h", fx->dir);
	snprintf(fx->log, sizeof(fx->log), "%s/up.log", fx->dir);
	snprintf(fx->common.dir, sizeof(fx->common.dir), "%s", fx->install);
	fx->common.verb = "test";
	if (impossible(fx))
		return 0;
	fx->group = getgrnam("huiyin")->gr_gid;
	for (size_t i = 0; huiyin_daemons[i]; i++) {
		char name[64];
		snprintf(name, sizeof(name), "huiyin-%s", huiyin_daemons[i]);
		fx->uid[i] = getpwnam(name)->pw_uid;
	}
	snprintf(words, sizeof(words), "init --door '' --listen 127.0.0.1:%d", up_free_port());
	free(huiyin(fx, EX_OK, words));
	return 0;
}

static int teardown(void **state)
{
	struct fx *fx = *state;
	up_stop(&fx->up, SIGTERM);
	test_rmdir(fx->dir);
	free(fx);
	return 0;
}

#define NEEDS_USERS(fx)                                                                                                \
	do {                                                                                                           \
		const char *why_ = impossible(fx);                                                                     \
		if (why_) {                                                                                            \
			print_message("skipped: %s\n", why_);                                                          \
			skip();                                                                                        \
		}                                                                                                      \
	} while (0)

/* ---- questions ---- */

/* A line of /proc/PID/status, without its name. */
static void process_line(pid_t pid, const char *name, char *out, size_t room)
{
	char path[64], line[512];
	size_t size = strlen(name);
	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	FILE *f = fopen(path, "r");
	assert_non_null(f);
	out[0] = 0;
	while (fgets(line, sizeof(line), f))
		if (strncmp(line, name, size) == 0 && line[size] == ':')
			snprintf(out, room, "%s", line + size + 1);
	fclose(f);
}

/* Real, effective, saved and file system ids are all this one. */
static void assert_ids(pid_t pid, const char *name, unsigned expected)
{
	char line[512];
	unsigned a, b, c, d;
	process_line(pid, name, line, sizeof(line));
	assert_int_equal(sscanf(line, "%u %u %u %u", &a, &b, &c, &d), 4);
	assert_true(a == expected && b == expected && c == expected && d == expected);
}

static bool has_in_environment(pid_t pid, const char *begins)
{
	char path[64], text[65536];
	snprintf(path, sizeof(path), "/proc/%d/environ", (int)pid);
	int fd = open(path, O_RDONLY);
	assert_true(fd >= 0);
	ssize_t n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n > 0 ? n : 0] = 0;
	for (const char *at = text; at < text + n; at += strlen(at) + 1)
		if (strncmp(at, begins, strlen(begins)) == 0)
			return true;
	return false;
}

static void assert_all_run_as_root(struct fx *fx)
{
	for (size_t i = 0; i < USERS; i++)
		assert_ids(up_pid_of(&fx->common, huiyin_daemons[i], 0), "Uid", 0);
}

static void assert_each_has_its_user(struct fx *fx)
{
	for (size_t i = 0; i < USERS; i++)
		assert_ids(up_pid_of(&fx->common, huiyin_daemons[i], 0), "Uid", fx->uid[i]);
}

/* How many mails there are; each of them has to belong to the user. */
static size_t mails_of(struct fx *fx, uid_t uid)
{
	char path[400];
	size_t n = 0;
	snprintf(path, sizeof(path), "%s/outbox", fx->install);
	DIR *dir = opendir(path);
	assert_non_null(dir);
	for (struct dirent *e; (e = readdir(dir));) {
		struct stat st;
		if (!strstr(e->d_name, ".eml"))
			continue;
		assert_int_equal(fstatat(dirfd(dir), e->d_name, &st, 0), 0);
		assert_int_equal(st.st_uid, uid);
		n++;
	}
	closedir(dir);
	return n;
}

enum deed { READ, LIST, WRITE, REMOVE, MOVE };

/* Does it as the daemon's user: 0, or the errno. */
static int as(struct fx *fx, size_t which, enum deed deed, const char *relative)
{
	char path[400], other[420];
	int status = -1;
	snprintf(path, sizeof(path), "%s/%s", fx->install, relative);
	snprintf(other, sizeof(other), "%s.moved", path);
	pid_t pid = fork();
	if (pid == 0) {
		bool good = setgroups(1, &fx->group) == 0 && setresgid(fx->group, fx->group, fx->group) == 0 &&
			    setresuid(fx->uid[which], fx->uid[which], fx->uid[which]) == 0;
		errno = good ? 0 : ENOSYS;
		if (good && deed == REMOVE)
			unlink(path);
		else if (good && deed == MOVE)
			rename(path, other);
		else if (good)
			open(path, deed == LIST ? O_RDONLY | O_DIRECTORY : deed == WRITE ? O_WRONLY : O_RDONLY);
		_exit(errno);
	}
	waitpid(pid, &status, 0);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* ---- the tests ---- */

enum { COLLECTOR, CLASSIFIER, ROUTER, NOTIFIER };

static void each_daemon_runs_as_its_own_user_and_the_ring_answers(void **state)
{
	struct fx *fx = *state;
	NEEDS_USERS(fx);
	start(fx);
	assert_true(logged(fx, "a user of its own"));
	for (size_t i = 0; i < USERS; i++) {
		char line[512];
		pid_t pid = up_pid_of(&fx->common, huiyin_daemons[i], 0);
		assert_ids(pid, "Uid", fx->uid[i]);
		assert_ids(pid, "Gid", fx->group);
		process_line(pid, "Groups", line, sizeof(line));
		assert_int_equal(strtoul(line, NULL, 10), fx->group);
		process_line(pid, "NoNewPrivs", line, sizeof(line));
		assert_int_equal(atoi(line), 1);
		process_line(pid, "CapEff", line, sizeof(line));
		assert_int_equal(strtoull(line, NULL, 16), 0);
		assert_false(has_in_environment(pid, "HOME="));
		assert_int_equal(has_in_environment(pid, "CREDENTIALS_DIRECTORY="), i == COLLECTOR || i == NOTIFIER);
	}
	free(huiyin(fx, EX_OK, "send --email li@example.com '点开订单就闪退'"));
	up_wait_for(fx->install, "open", 1);
	free(huiyin(fx, EX_OK, "ticket resolve T-1 --note '已修复'"));
	up_wait_for(fx->install, "answered", 1);
	assert_true(mails_of(fx, fx->uid[NOTIFIER]) >= 1);
	char *said = huiyin(fx, EX_OK, "doctor");
	assert_non_null(strstr(said, "each daemon runs as a user of its own"));
	free(said);
}

static void a_daemons_user_reaches_its_own_and_nothing_else(void **state)
{
	struct fx *fx = *state;
	NEEDS_USERS(fx);
	start(fx);
	for (size_t i = 0; i < USERS; i++) {
		char path[128];
		assert_int_equal(as(fx, i, READ, "huiyin.yaml"), 0);
		assert_int_equal(as(fx, i, READ, "templates/zh/resolved.txt"), 0);
		assert_int_equal(as(fx, i, WRITE, "huiyin.yaml"), EACCES);
		assert_int_equal(as(fx, i, LIST, "keys"), EACCES);
		assert_int_equal(as(fx, i, READ, "keys/contact.key"), EACCES);
		assert_int_equal(as(fx, i, LIST, "outbox"), i == NOTIFIER ? 0 : EACCES);
		for (size_t k = 0; k < USERS; k++) {
			snprintf(path, sizeof(path), "state/%s/data.mdb", huiyin_daemons[k]);
			assert_int_equal(as(fx, i, READ, path), i == k ? 0 : EACCES);
			snprintf(path, sizeof(path), "run/credentials/%s/contact.key", huiyin_daemons[k]);
			int expected = k != COLLECTOR && k != NOTIFIER ? ENOENT : i == k ? 0 : EACCES;
			assert_int_equal(as(fx, i, READ, path), expected);
			assert_true(as(fx, i, WRITE, path) != 0);
			snprintf(path, sizeof(path), "run/%s.sock", huiyin_daemons[k]);
			if (i != k)
				assert_int_equal(as(fx, i, REMOVE, path), EPERM);
		}
		assert_int_equal(as(fx, i, MOVE, "run/credentials"), EPERM);
		assert_int_equal(as(fx, i, MOVE, "state"), EACCES);
		assert_int_equal(as(fx, i, REMOVE, "run/up.lock"), EPERM);
	}
}

static void a_daemon_that_dies_comes_back_as_its_user_and_credentials_go_with_the_last(void **state)
{
	struct fx *fx = *state;
	char path[400];
	NEEDS_USERS(fx);
	start(fx);
	pid_t before = up_pid_of(&fx->common, huiyin_daemons[NOTIFIER], 0);
	kill(before, SIGKILL);
	assert_ids(up_pid_of(&fx->common, huiyin_daemons[NOTIFIER], before), "Uid", fx->uid[NOTIFIER]);
	assert_int_equal(up_stop(&fx->up, SIGTERM), EX_OK);
	assert_true(logged(fx, "daemon.stopped"));
	snprintf(path, sizeof(path), "%s/run/credentials", fx->install);
	assert_int_equal(access(path, F_OK), -1);
}

static void daemons_run_as_root_where_their_users_cant_go_and_as_themselves_again_where_they_can(void **state)
{
	struct fx *fx = *state;
	NEEDS_USERS(fx);
	start(fx);
	free(huiyin(fx, EX_OK, "send --email a@example.com 'the parcel never came'"));
	up_wait_for(fx->install, "open", 1);
	assert_int_equal(up_stop(&fx->up, SIGTERM), EX_OK);

	chmod(fx->dir, 0700);
	start(fx);
	assert_true(logged(fx, "every daemon runs as root: huiyin-collector can't enter"));
	assert_all_run_as_root(fx);
	free(huiyin(fx, EX_OK, "send --email b@example.com 'refund please, the parcel is broken'"));
	up_wait_for(fx->install, "open", 2);
	char *said = huiyin(fx, EX_OK, "doctor");
	assert_non_null(strstr(said, "runs every daemon as root: huiyin-collector can't enter"));
	free(said);
	kill(up_pid_of(&fx->common, huiyin_daemons[ROUTER], 0), SIGKILL); /* leaves its sockets, which are root's */
	assert_int_equal(up_stop(&fx->up, SIGTERM), EX_OK);

	chmod(fx->dir, 0711);
	start(fx);
	assert_each_has_its_user(fx);
	up_wait_for(fx->install, "open", 2);
	assert_true(mails_of(fx, fx->uid[NOTIFIER]) >= 2);
}

static void programs_in_a_private_folder_run_as_root(void **state)
{
	struct fx *fx = *state;
	char command[4096], words[600];
	NEEDS_USERS(fx);
	snprintf(fx->bin, sizeof(fx->bin), "%s/private/bin", fx->dir);
	snprintf(command, sizeof(command),
		"umask 077 && mkdir -p %s && cp %s/huiyin %s/huiyin-* %s && cp -r %s/../share %s/../share", fx->bin,
		HY_BIN_DIR, HY_BIN_DIR, fx->bin, HY_BIN_DIR, fx->bin);
	assert_int_equal(system(command), 0);
	start(fx);
	snprintf(words, sizeof(words), "huiyin-collector can't enter %s/private (mode 0700)", fx->dir);
	assert_true(logged(fx, words));
	assert_all_run_as_root(fx);
}

static void an_installation_of_somebody_else_is_left_to_root(void **state)
{
	struct fx *fx = *state;
	struct stat st;
	char path[400];
	NEEDS_USERS(fx);
	assert_int_equal(chown(fx->install, 1, 1), 0);
	start(fx);
	assert_true(logged(fx, "belongs to another user"));
	assert_all_run_as_root(fx);
	snprintf(path, sizeof(path), "%s/huiyin.yaml", fx->install);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0644);
}

static void what_a_daemon_planted_is_not_given_to_it(void **state)
{
	struct fx *fx = *state;
	char victim[400], path[500];
	struct stat st;
	NEEDS_USERS(fx);
	start(fx);
	assert_int_equal(up_stop(&fx->up, SIGTERM), EX_OK);
	snprintf(victim, sizeof(victim), "%s/victim", fx->dir);
	close(open(victim, O_WRONLY | O_CREAT, 0600));
	snprintf(path, sizeof(path), "%s/state/router/link", fx->install);
	assert_int_equal(link(victim, path), 0);
	snprintf(path, sizeof(path), "%s/state/router/symlink", fx->install);
	assert_int_equal(symlink(victim, path), 0);
	start(fx);
	assert_int_equal(stat(victim, &st), 0);
	assert_int_equal(st.st_uid, 0);
	assert_int_equal(up_stop(&fx->up, SIGTERM), EX_OK);

	snprintf(path, sizeof(path), "%s/run/credentials", fx->install);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(chown(path, fx->uid[ROUTER], fx->group), 0);
	snprintf(path, sizeof(path), HY_BIN_DIR "/huiyin up %s 2>&1 | grep -q 'not root.s alone'", fx->install);
	assert_int_equal(system(path), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(each_daemon_runs_as_its_own_user_and_the_ring_answers),
		TEST(a_daemons_user_reaches_its_own_and_nothing_else),
		TEST(a_daemon_that_dies_comes_back_as_its_user_and_credentials_go_with_the_last),
		TEST(daemons_run_as_root_where_their_users_cant_go_and_as_themselves_again_where_they_can),
		TEST(programs_in_a_private_folder_run_as_root),
		TEST(an_installation_of_somebody_else_is_left_to_root),
		TEST(what_a_daemon_planted_is_not_given_to_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
