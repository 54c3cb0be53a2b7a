/* Users of the daemons' own: can it be, what has to belong to whom, and becoming one. Whatever a daemon's user may write is looked at through
 * descriptors and never followed by name: a daemon that was taken over must not make root give it more. */
#include "users.h"

#include "base/seal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

static const char group_name[] = "huiyin";
static const char notifier[] = "notifier";

/* Who needs which secret; nobody else gets one. */
static const struct {
	const char *daemon, *secret;
	bool words; /* and only where there is one: not every installation needs it */
} needs[] = {
	{ "collector", "contact.key" },
	{ "collector", "follow-up.key" },
	{ "collector", "door.curve", true },
	{ "notifier", "contact.key" },
	{ "notifier", "follow-up.key" },
	{ "notifier", "smtp.password", true },
};
#define NEEDS (sizeof(needs) / sizeof(needs[0]))

static bool needs_secrets(const char *daemon)
{
	for (size_t i = 0; i < NEEDS; i++)
		if (strcmp(needs[i].daemon, daemon) == 0)
			return true;
	return false;
}

static size_t index_of(const char *daemon)
{
	size_t i = 0;
	while (huiyin_daemons[i] && strcmp(huiyin_daemons[i], daemon) != 0)
		i++;
	HY_ASSERT(i < USERS);
	return i;
}

/* ---- becoming one ---- */

static bool take_user(gid_t group, uid_t uid)
{
	return setgroups(1, &group) == 0 && setresgid(group, group, group) == 0 && setresuid(uid, uid, uid) == 0;
}

void users_become(const struct users *u, const char *daemon)
{
	char credentials[PATH_MAX + 64];
	snprintf(credentials, sizeof(credentials), "%s/run/credentials/%s", u->dir, daemon);
	if (!take_user(u->group, u->uid[index_of(daemon)]) || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
		dprintf(2, "can't become huiyin-%s: %s\n", daemon, strerror(errno));
		_exit(EX_NOPERM);
	}
	setrlimit(RLIMIT_CORE, &(struct rlimit){ 0 }); /* a core would hold keys and customers' words */
	umask(027);
	unsetenv("HOME"); /* root's */
	if (needs_secrets(daemon))
		setenv("CREDENTIALS_DIRECTORY", credentials, 1);
	else
		unsetenv("CREDENTIALS_DIRECTORY");
}

/* ---- can it be ---- */

/* Whether the user has that access; else one clause, with the mode where that is what keeps it out. */
static bool may(const char *path, int mode, const char *who, const char *verb, struct hy_buffer *why)
{
	struct stat st;
	if (access(path, mode) == 0)
		return true;
	int saved = errno;
	if (saved == EACCES && stat(path, &st) == 0)
		hy_buffer_printf(why, "huiyin-%s can't %s %s (mode %04o)", who, verb, path, st.st_mode & 07777);
	else
		hy_buffer_printf(why, "huiyin-%s can't %s %s: %s", who, verb, path, strerror(saved));
	return false;
}

/* The same from the root on: the first folder that keeps it out is the one to name. */
static bool reach(const char *path, int mode, const char *who, const char *verb, struct hy_buffer *why)
{
	char part[PATH_MAX];
	for (const char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		snprintf(part, sizeof(part), "%.*s", (int)(slash - path), path);
		if (!may(part, X_OK, who, "enter", why))
			return false;
	}
	return may(path, mode, who, verb, why);
}

static bool is_below(const char *dir, const char *path)
{
	size_t size = strlen(dir);
	return strncmp(path, dir, size) == 0 && path[size] == '/';
}

/* Links in the installation lead to where an operator wants its data; the way there has to be open, too. */
static bool reach_installation(const struct users *u, const char *who, struct hy_buffer *why)
{
	static const char *const folders[] = { "", "/state", "/run", "/outbox", "/templates" };
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		char path[PATH_MAX + 16], real[PATH_MAX];
		snprintf(path, sizeof(path), "%s%s", u->dir, folders[i]);
		if (i == 0)
			snprintf(real, sizeof(real), "%s", u->dir);
		else if (!realpath(path, real) || is_below(u->dir, real))
			continue; /* not made yet, or below: users_prepare() sees to it */
		*strrchr(real, '/') = 0;
		if (real[0] && !reach(real, X_OK, who, "enter", why))
			return false;
	}
	return true;
}

static int first_free_port(void)
{
	char text[32] = "";
	FILE *f = fopen("/proc/sys/net/ipv4/ip_unprivileged_port_start", "re");
	if (f && !fgets(text, sizeof(text), f))
		text[0] = 0;
	if (f)
		fclose(f);
	return text[0] ? atoi(text) : 1024;
}

/* As the daemon's user. */
static bool try_all(const struct users *u, const char *daemon, const struct settings *settings, struct hy_buffer *why)
{
	char path[4200];
	const char *colon = strrchr(settings->listen, ':');
	int port = colon ? atoi(colon + 1) : 0;
	if (!reach_installation(u, daemon, why))
		return false;
	huiyin_program(daemon, path, sizeof(path));
	if (!reach(path, R_OK | X_OK, daemon, "run", why))
		return false;
	huiyin_share("templates", path, sizeof(path));
	if (!reach(path, R_OK | X_OK, daemon, "read", why))
		return false;
	huiyin_share("huiyin.model", path, sizeof(path));
	const char *model = settings->model[0] ? settings->model : access(path, F_OK) == 0 ? path : NULL;
	if (strcmp(daemon, "classifier") == 0 && model && !reach(model, R_OK, daemon, "read", why))
		return false;
	if (strcmp(daemon, "collector") == 0 && port > 0 && port < first_free_port()) {
		hy_buffer_printf(why, "http.listen is port %d, which only root may open", port);
		return false;
	}
	return true;
}

/* A child takes the user and looks: what the kernel says there counts, access lists and mount options included. */
static bool probe(struct users *u, const char *daemon, const struct settings *settings)
{
	int ends[2], status = -1;
	size_t size = 0;
	if (pipe2(ends, O_CLOEXEC) != 0) {
		snprintf(u->why, sizeof(u->why), "no pipe: %s", strerror(errno));
		return false;
	}
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		struct hy_buffer why = { 0 };
		bool good = take_user(u->group, u->uid[index_of(daemon)]);
		if (!good)
			hy_buffer_printf(&why, "this root can't become huiyin-%s here: %s", daemon, strerror(errno));
		else
			good = try_all(u, daemon, settings, &why);
		if (!good)
			good = write(ends[1], hy_buffer_string(&why), why.size) < 0;
		_exit(good ? 0 : 1);
	}
	close(ends[1]);
	for (ssize_t n;
		size < sizeof(u->why) - 1 &&
		((n = read(ends[0], u->why + size, sizeof(u->why) - 1 - size)) > 0 || (n < 0 && errno == EINTR));)
		size += n > 0 ? (size_t)n : 0;
	u->why[size] = 0;
	close(ends[0]);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0 && size == 0)
		return true;
	if (size == 0)
		snprintf(u->why, sizeof(u->why), "huiyin-%s could not be tried", daemon);
	return false;
}

static bool find_users(struct users *u)
{
	const struct group *g = getgrnam(group_name);
	bool there = g != NULL;
	u->group = g ? g->gr_gid : 0;
	for (size_t i = 0; i < USERS && there; i++) {
		char name[64];
		snprintf(name, sizeof(name), "huiyin-%s", huiyin_daemons[i]);
		const struct passwd *p = getpwnam(name);
		there = p != NULL;
		u->uid[i] = p ? p->pw_uid : 0;
		if (p && p->pw_uid == 0) {
			snprintf(u->why, sizeof(u->why), "%s is root by another name", name);
			return false;
		}
	}
	if (!there)
		snprintf(u->why, sizeof(u->why),
			"the users huiyin-NAME are not there; deploy/users or systemd-sysusers makes them");
	return there;
}

/* Root gives nothing away in a folder that somebody else can rearrange meanwhile. */
static bool is_roots_own(struct users *u)
{
	struct stat st;
	if (stat(u->dir, &st) != 0)
		snprintf(u->why, sizeof(u->why), "%s: %s", u->dir, strerror(errno));
	else if (st.st_uid != 0)
		snprintf(u->why, sizeof(u->why), "%s belongs to another user; chown -R root it", u->dir);
	else if (st.st_mode & 022)
		snprintf(u->why, sizeof(u->why), "others may write in %s; chmod 711 it", u->dir);
	else
		return true;
	return false;
}

void users_look(struct users *u, const char *dir, const struct settings *settings)
{
	memset(u, 0, sizeof(*u));
	u->root = geteuid() == 0;
	if (!u->root)
		return;
	if (!realpath(dir, u->dir)) {
		snprintf(u->why, sizeof(u->why), "%s: %s", dir, strerror(errno));
		return;
	}
	u->own = find_users(u) && is_roots_own(u);
	for (size_t i = 0; i < USERS && u->own; i++)
		u->own = probe(u, huiyin_daemons[i], settings);
}

/* ---- what belongs to whom ---- */

#define AS_IT_IS ((uid_t)-1)

static int failed(const struct users *u, struct hy_fault *f, const char *name)
{
	int saved = errno;
	return hy_fail(
		f, hy_err_from_errno(saved), "%s/%s: can't prepare it for its user: %s", u->dir, name, strerror(saved));
}

/* Owner and mode of an open file, touched only where they differ. */
static bool give(int fd, uid_t uid, gid_t gid, mode_t mode)
{
	struct stat st;
	if (fstat(fd, &st) != 0)
		return false;
	bool moves = (uid != AS_IT_IS && st.st_uid != uid) || (gid != AS_IT_IS && st.st_gid != gid);
	if (moves && fchown(fd, uid, gid) != 0)
		return false;
	return (!moves && (st.st_mode & 07777) == mode) || fchmod(fd, mode) == 0;
}

/* One file, socket or folder of a folder that its owner may rearrange at any time. What has a second name elsewhere is left alone: that other name
 * may be somebody else's file. */
static bool take_entry(int at, const char *name, uid_t uid, gid_t gid, int depth)
{
	struct stat st;
	bool good = true;
	if (fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_uid == uid && !S_ISDIR(st.st_mode))
		return true; /* as nearly always: an outbox has many files */
	int fd = openat(at, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) != 0) {
		good = errno == ENOENT;
	} else if (S_ISDIR(st.st_mode) && depth > 0) {
		int inside = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		DIR *dir = inside < 0 ? NULL : fdopendir(inside);
		for (struct dirent *e; good && dir && (e = readdir(dir));)
			if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
				good = take_entry(inside, e->d_name, uid, gid, depth - 1);
		good = good && dir && (st.st_uid == uid || fchownat(fd, "", uid, gid, AT_EMPTY_PATH) == 0);
		if (dir)
			closedir(dir);
	} else if ((S_ISREG(st.st_mode) || S_ISSOCK(st.st_mode)) && st.st_nlink == 1 && st.st_uid != uid) {
		good = fchownat(fd, "", uid, gid, AT_EMPTY_PATH) == 0;
	}
	if (fd >= 0)
		close(fd);
	return good;
}

/* A folder with all that is in it, for one user alone. */
static int take_folder(const struct users *u, int at, const char *name, int flags, uid_t uid, struct hy_fault *f)
{
	if (mkdirat(at, name, 0700) != 0 && errno != EEXIST)
		return failed(u, f, name);
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | flags);
	int inside = fd < 0 ? -1 : openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = inside < 0 ? NULL : fdopendir(inside);
	bool good = dir != NULL;
	for (struct dirent *e; good && (e = readdir(dir));)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			good = take_entry(inside, e->d_name, uid, u->group, 3);
	good = good && give(fd, uid, u->group, 0700);
	int err = good ? HY_OK : failed(u, f, name);
	if (dir)
		closedir(dir);
	if (fd >= 0)
		close(fd);
	return err;
}

/* Words for customers: everybody may read them. Root's own folder, so names are safe here. */
static bool let_read(int at, const char *name, int depth)
{
	struct stat st;
	int fd = openat(at, name, O_RDONLY | O_NONBLOCK | O_CLOEXEC | (depth < 2 ? O_NOFOLLOW : 0));
	if (fd < 0)
		return errno == ENOENT || errno == ELOOP;
	bool good = fstat(fd, &st) == 0;
	if (good && S_ISREG(st.st_mode))
		good = give(fd, AS_IT_IS, AS_IT_IS, (st.st_mode & 07777) | 0044);
	DIR *dir = good && S_ISDIR(st.st_mode) ? fdopendir(fd) : NULL;
	if (!dir) {
		close(fd);
		return good;
	}
	good = give(fd, AS_IT_IS, AS_IT_IS, (st.st_mode & 07777) | 0055);
	for (struct dirent *e; good && depth > 0 && (e = readdir(dir));)
		if (e->d_name[0] != '.')
			good = let_read(fd, e->d_name, depth - 1);
	closedir(dir);
	return good;
}

/* ---- secrets ---- */

/* A folder of plain files. */
static void remove_folder(int at, const char *name)
{
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	for (struct dirent *e; dir && (e = readdir(dir));)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			unlinkat(fd, e->d_name, 0);
	if (dir)
		closedir(dir);
	else if (fd >= 0)
		close(fd);
	unlinkat(at, name, fd < 0 ? 0 : AT_REMOVEDIR);
}

static int copy_secret(const struct users *u, int to, const char *name, bool words, uid_t uid, struct hy_fault *f)
{
	union {
		struct hy_secret key;
		char text[1024];
	} secret;
	char path[PATH_MAX + 64];
	snprintf(path, sizeof(path), "%s/keys/%s", u->dir, name);
	if (words && access(path, F_OK) != 0)
		return HY_OK;
	int err = words ? hy_secret_load_text(path, secret.text, sizeof(secret.text), f)
			: hy_secret_load(path, &secret.key, f);
	if (err)
		return err;
	size_t size = words ? strlen(secret.text) : sizeof(secret.key);
	int fd = openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0400);
	bool good = fd >= 0 && write(fd, &secret, size) == (ssize_t)size && give(fd, uid, u->group, 0400);
	explicit_bzero(&secret, sizeof(secret));
	if (!good)
		err = failed(u, f, "run/credentials");
	if (fd >= 0)
		close(fd);
	return err;
}

/* The whole folder at once: whoever reads meanwhile sees the old secrets or the new ones. */
static bool put_in_place(int at, const char *fresh, const char *name)
{
	if (renameat2(at, fresh, at, name, RENAME_EXCHANGE) == 0) {
		remove_folder(at, fresh);
		return true;
	}
	if (errno != ENOENT)
		remove_folder(at, name); /* a file system that can't exchange */
	return renameat(at, fresh, at, name) == 0;
}

static int hand_over(const struct users *u, int credentials, const char *daemon, struct hy_fault *f)
{
	char fresh[64];
	uid_t uid = u->uid[index_of(daemon)];
	snprintf(fresh, sizeof(fresh), ".%s.new", daemon);
	remove_folder(credentials, fresh); /* of a start that was cut short */
	if (mkdirat(credentials, fresh, 0700) != 0)
		return failed(u, f, "run/credentials");
	int fd = openat(credentials, fresh, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int err = fd < 0 ? failed(u, f, "run/credentials") : HY_OK;
	for (size_t i = 0; i < NEEDS && err == HY_OK; i++)
		if (strcmp(needs[i].daemon, daemon) == 0)
			err = copy_secret(u, fd, needs[i].secret, needs[i].words, uid, f);
	if (err == HY_OK && (!give(fd, uid, u->group, 0500) || !put_in_place(credentials, fresh, daemon)))
		err = failed(u, f, "run/credentials");
	if (fd >= 0)
		close(fd);
	if (err)
		remove_folder(credentials, fresh);
	return err;
}

/* run/ is the daemons' common ground: this folder must have been root's from the beginning. */
static int open_credentials(const struct users *u, int run, int *out, struct hy_fault *f)
{
	struct stat st;
	bool made = mkdirat(run, "credentials", 0700) == 0;
	*out = openat(run, "credentials", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (*out < 0 || fstat(*out, &st) != 0)
		return failed(u, f, "run/credentials");
	if (st.st_uid != 0 || (!made && (st.st_mode & 022)))
		return hy_fail(f, HY_FORBIDDEN,
			"%s/run/credentials is not root's alone: somebody else made it. Look into it, then remove it",
			u->dir);
	return give(*out, 0, u->group, 0711) ? HY_OK : failed(u, f, "run/credentials");
}

static int hand_all_over(const struct users *u, int run, struct hy_fault *f)
{
	int credentials = -1;
	int err = open_credentials(u, run, &credentials, f);
	for (size_t i = 0; i < USERS && err == HY_OK; i++)
		if (needs_secrets(huiyin_daemons[i]))
			err = hand_over(u, credentials, huiyin_daemons[i], f);
	if (credentials >= 0)
		close(credentials);
	return err;
}

void users_forget(const struct users *u)
{
	char path[PATH_MAX + 64];
	snprintf(path, sizeof(path), "%s/run/credentials", u->dir);
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return;
	for (size_t i = 0; i < USERS; i++)
		if (needs_secrets(huiyin_daemons[i]))
			remove_folder(fd, huiyin_daemons[i]);
	close(fd);
	rmdir(path);
}

/* ---- all of it ---- */

static int prepare_state(const struct users *u, int dir, struct hy_fault *f)
{
	if (mkdirat(dir, "state", 0711) != 0 && errno != EEXIST)
		return failed(u, f, "state");
	int state = openat(dir, "state", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int err = state >= 0 && give(state, 0, AS_IT_IS, 0711) ? HY_OK : failed(u, f, "state");
	for (size_t i = 0; i < USERS && err == HY_OK; i++)
		err = take_folder(u, state, huiyin_daemons[i], O_NOFOLLOW, u->uid[i], f);
	if (state >= 0)
		close(state);
	return err;
}

/* Setgid, so that sockets there are the group's; sticky, so that a daemon can't put its own in another's place. */
static int prepare_run(const struct users *u, int dir, struct hy_fault *f)
{
	static const char *const sockets[] = { "%s.sock", "%s.ctl.sock" };
	int run = openat(dir, "run", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int err = run >= 0 && give(run, 0, u->group, 03770) ? HY_OK : failed(u, f, "run");
	for (size_t i = 0; i < USERS && err == HY_OK; i++)
		for (size_t k = 0; k < 2 && err == HY_OK; k++) { /* left by daemons that ran as somebody else */
			char name[64];
			snprintf(name, sizeof(name), sockets[k], huiyin_daemons[i]);
			if (!take_entry(run, name, u->uid[i], u->group, 0))
				err = failed(u, f, "run");
		}
	if (err == HY_OK)
		err = hand_all_over(u, run, f);
	if (run >= 0)
		close(run);
	return err;
}

/* The folder itself and what stands in it by name; it is root's own, so nobody else can change these names. */
static int prepare_top(const struct users *u, int dir, struct hy_fault *f)
{
	struct stat st;
	if (fstat(dir, &st) != 0 || st.st_uid != 0 || (st.st_mode & 022))
		return hy_fail(f, HY_FORBIDDEN, "%s is not root's alone any more", u->dir);
	bool open_to_them = (st.st_mode & 01) || (st.st_gid == u->group && (st.st_mode & 010));
	if (!open_to_them && fchmod(dir, (st.st_mode & 07777) | 011) != 0)
		return failed(u, f, "");
	int yaml = openat(dir, "huiyin.yaml", O_RDONLY | O_CLOEXEC);
	int keys = openat(dir, "keys", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int err = HY_OK;
	if (yaml < 0 || !give(yaml, 0, u->group, 0640))
		err = failed(u, f, "huiyin.yaml");
	else if (keys < 0 || !give(keys, 0, AS_IT_IS, 0700))
		err = failed(u, f, "keys");
	else if (!let_read(dir, "templates", 2))
		err = failed(u, f, "templates");
	if (yaml >= 0)
		close(yaml);
	if (keys >= 0)
		close(keys);
	return err;
}

int users_prepare(const struct users *u, struct hy_fault *f)
{
	int dir = open(u->dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return failed(u, f, "");
	int err = prepare_top(u, dir, f);
	if (err == HY_OK)
		err = prepare_state(u, dir, f);
	if (err == HY_OK)
		err = take_folder(u, dir, "outbox", 0, u->uid[index_of(notifier)], f);
	if (err == HY_OK)
		err = prepare_run(u, dir, f);
	close(dir);
	return err;
}
