#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <netinet/in.h>
#include <signal.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CHILDREN_MAX 32

static char temporary[600];
static pid_t children[CHILDREN_MAX];
static pid_t owner;

int64_t bench_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

void bench_sleep_ms(int64_t ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000 };
	nanosleep(&t, NULL);
}

void bench_say(const char *name, double value)
{
	printf("%s %.6g\n", name, value);
	fflush(stdout);
}

void bench_die(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	fprintf(stderr, "bench: ");
	vfprintf(stderr, fmt, ap);
	fprintf(stderr, "\n");
	va_end(ap);
	exit(70);
}

/* ---- the folder ---- */

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *where)
{
	(void)st;
	(void)type;
	(void)where;
	return remove(path);
}

static void clean_up(void)
{
	if (getpid() != owner)
		return;
	for (int i = 0; i < CHILDREN_MAX; i++)
		if (children[i] > 0)
			kill(children[i], SIGKILL);
	for (int i = 0; i < CHILDREN_MAX; i++)
		if (children[i] > 0)
			waitpid(children[i], NULL, 0);
	if (temporary[0] && !getenv("BENCH_KEEP"))
		nftw(temporary, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void on_signal(int number)
{
	(void)number;
	exit(75);
}

const char *bench_dir(void)
{
	const char *base = getenv("TMPDIR");
	if (temporary[0])
		return temporary;
	owner = getpid();
	snprintf(temporary, sizeof(temporary), "%s/huiyin-bench-XXXXXX", base && *base ? base : "/tmp");
	if (!mkdtemp(temporary))
		bench_die("%s: %s", temporary, strerror(errno));
	atexit(clean_up);
	signal(SIGTERM, on_signal);
	signal(SIGINT, on_signal);
	signal(SIGPIPE, SIG_IGN);
	return temporary;
}

/* ---- children ---- */

pid_t bench_spawn(const char *name, char *const argv[], int in, int out)
{
	char log[700];
	snprintf(log, sizeof(log), "%s/%s.log", bench_dir(), name);
	fflush(NULL);
	pid_t parent = getpid(), pid = fork();
	if (pid < 0)
		bench_die("fork: %s", strerror(errno));
	if (pid == 0) {
		int null = open("/dev/null", O_RDWR), err = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(70);
		dup2(in < 0 ? null : in, 0);
		if (out >= 0)
			dup2(out, 1);
		dup2(err, 2);
		closefrom(3);
		execv(argv[0], argv);
		fprintf(stderr, "%s: %s\n", argv[0], strerror(errno));
		_exit(69);
	}
	for (int i = 0; i < CHILDREN_MAX; i++)
		if (children[i] == 0) {
			children[i] = pid;
			return pid;
		}
	bench_die("too many children");
}

void bench_stop(pid_t pid)
{
	for (int i = 0; i < CHILDREN_MAX; i++)
		if (children[i] == pid)
			children[i] = 0;
	kill(pid, SIGTERM);
	for (int i = 0; i < 2000; i++) {
		if (waitpid(pid, NULL, WNOHANG) == pid)
			return;
		bench_sleep_ms(10);
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	fprintf(stderr, "bench: process %d had to be killed\n", (int)pid);
}

static bool read_file(const char *path, char *out, size_t room)
{
	int fd = open(path, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, out, room - 1);
	if (fd >= 0)
		close(fd);
	out[n > 0 ? n : 0] = 0;
	return n > 0;
}

struct bench_usage bench_usage(pid_t pid)
{
	struct bench_usage u = { 0 };
	char path[64], text[4096];
	unsigned long user = 0, system = 0;
	pid = pid ? pid : getpid();
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	const char *after = read_file(path, text, sizeof(text)) ? strrchr(text, ')') : NULL;
	if (after && sscanf(after + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) == 2) {
		double hz = (double)sysconf(_SC_CLK_TCK);
		u.user_s = (double)user / hz;
		u.cpu_s = (double)(user + system) / hz;
	}
	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	const char *anon = read_file(path, text, sizeof(text)) ? strstr(text, "RssAnon:") : NULL;
	if (anon)
		u.anon_bytes = strtoull(anon + 8, NULL, 10) * 1024;
	snprintf(path, sizeof(path), "/proc/%d/io", (int)pid);
	const char *written = read_file(path, text, sizeof(text)) ? strstr(text, "\nwrite_bytes:") : NULL;
	if (written)
		u.written_bytes = strtoull(written + 13, NULL, 10);
	return u;
}

/* ---- an installation ---- */

static void write_file(const char *dir, const char *name, const void *data, size_t size, mode_t mode)
{
	char path[1200];
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, mode);
	if (fd < 0 || write(fd, data, size) != (ssize_t)size || close(fd) != 0)
		bench_die("%s: %s", path, strerror(errno));
}

static void make_key(const char *dir, const char *name)
{
	uint8_t key[32];
	randombytes_buf(key, sizeof(key));
	write_file(dir, name, key, sizeof(key), 0600);
}

static size_t defaults(char *out, size_t room)
{
	FILE *f = fopen(BENCH_SOURCE_DIR "/services/router/defaults.yaml", "r");
	size_t n = f ? fread(out, 1, room - 1, f) : 0;
	if (f)
		fclose(f);
	out[n] = 0;
	return n;
}

void bench_install(const char *dir, int port, const char *extra)
{
	static const char *const folders[] = { "", "/keys", "/run", "/state", "/outbox", NULL };
	static char yaml[65536], rules[32768];
	char path[1200], hex[65];
	uint8_t hash[32];
	if (sodium_init() < 0)
		bench_die("libsodium does not start");
	for (const char *const *f = folders; *f; f++) {
		snprintf(path, sizeof(path), "%s%s", dir, *f);
		if (mkdir(path, 0700) != 0 && errno != EEXIST)
			bench_die("%s: %s", path, strerror(errno));
	}
	make_key(dir, "keys/contact.key");
	make_key(dir, "keys/follow-up.key");
	write_file(dir, "keys/app-default.key", BENCH_KEY, strlen(BENCH_KEY), 0600);
	crypto_generichash(hash, sizeof(hash), (const uint8_t *)BENCH_KEY, strlen(BENCH_KEY), NULL, 0);
	sodium_bin2hex(hex, sizeof(hex), hash, sizeof(hash));
	defaults(rules, sizeof(rules));
	int n = snprintf(yaml, sizeof(yaml),
		"public_url: http://127.0.0.1:%d\n"
		"http: { listen: '127.0.0.1:%d' }\n"
		"%s"
		"keys: [ { name: app-default, hash: %s, project: default, scopes: [feedback] } ]\n%s%s",
		port, port, strstr(extra, "door:") ? "" : "door: { listen: '' }\n", hex, extra, rules);
	write_file(dir, "huiyin.yaml", yaml, (size_t)n, 0600);
}

int bench_port(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t size = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, size) != 0 || getsockname(fd, (struct sockaddr *)&a, &size) != 0)
		bench_die("no free port: %s", strerror(errno));
	close(fd);
	return ntohs(a.sin_port);
}

const char *bench_program(const char *name)
{
	static char paths[8][1200];
	static int turn;
	char *out = paths[turn++ % 8], self[1024];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	self[n > 0 ? n : 0] = 0;
	char *slash = strrchr(self, '/');
	if (slash)
		*slash = 0;
	snprintf(out, sizeof(paths[0]), "%s/%s", self, name);
	return out;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return x < y ? -1 : x > y;
}

double bench_part(double *values, size_t n, double p)
{
	if (n == 0)
		return 0;
	qsort(values, n, sizeof(*values), by_size);
	return values[(size_t)(p * (double)(n - 1) + 0.5)];
}
