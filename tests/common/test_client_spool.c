// link: hy_client
#include "support/test.h"

#include "client/segment.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* The spool by itself, on disks and with files that do what disks and files do. */

#define LIMIT ((uint64_t)1 << 20)

struct fx {
	char *tmp, dir[256];
	struct spool *spool;
};

static int open_fx(void **state)
{
	struct fx *fx = calloc(1, sizeof(*fx));
	assert_non_null(fx);
	fx->tmp = test_mkdir();
	snprintf(fx->dir, sizeof(fx->dir), "%s/spool", fx->tmp);
	*state = fx;
	return 0;
}

static int close_fx(void **state)
{
	struct fx *fx = *state;
	spool_close(&fx->spool);
	test_rmdir(fx->tmp);
	free(fx);
	return 0;
}

static void begin(struct fx *fx)
{
	struct hy_fault f = { 0 };
	if (spool_open(&fx->spool, fx->dir, LIMIT, &f) != HY_OK)
		fail_msg("%s", f.text);
}

/* The item with number n: "22 size n-and-filler"; sizes differ. */
static size_t payload(uint64_t n, uint8_t *to)
{
	uint8_t text[256];
	size_t size = (size_t)snprintf(
		(char *)text, sizeof(text), "item %llu %0*d", (unsigned long long)n, (int)(n * 7 % 60) + 1, 0);
	to[0] = 0x22;
	to[1] = (uint8_t)size;
	memcpy(to + 2, text, size);
	return size + 2;
}

static int append(struct fx *fx, uint64_t first_n, int count, struct hy_fault *f)
{
	static uint8_t records[1 << 16];
	size_t size = 0;
	for (int i = 0; i < count; i++) {
		uint8_t bytes[258];
		size_t n = payload(first_n + (uint64_t)i, bytes);
		record_begin(records + size, (uint32_t)n, first_n + (uint64_t)i);
		memcpy(records + size + RECORD_HEAD, bytes, n);
		size += record_room(n);
	}
	return spool_append(fx->spool, records, size, f);
}

static void put(struct fx *fx, uint64_t first_n, int count)
{
	struct hy_fault f;
	if (append(fx, first_n, count, &f) != HY_OK)
		fail_msg("%s", f.text);
}

struct seen {
	uint64_t good, damaged, first_n, last_n;
};

/* Reads on from *p: numbers rise, and what is not damaged is what was put in. */
static struct seen read_all(struct fx *fx, struct place *p)
{
	struct seen s = { 0 };
	struct item it;
	while (spool_next(fx->spool, p, &it)) {
		assert_true(it.n > s.last_n);
		s.first_n = s.first_n ? s.first_n : it.n;
		s.last_n = it.n;
		if (it.damaged) {
			s.damaged++;
			continue;
		}
		uint8_t bytes[258];
		size_t size = payload(it.n, bytes);
		assert_true(hy_bytes_equal(it.field, hy_bytes(bytes, size)));
		s.good++;
	}
	return s;
}

static struct seen read_again(struct fx *fx)
{
	spool_close(&fx->spool);
	begin(fx);
	struct place p = { .n = spool_mark(fx->spool)->settled_n + 1 };
	return read_all(fx, &p);
}

static char *file_of(struct fx *fx, uint64_t first_n)
{
	static char path[512];
	char name[SEGMENT_NAME];
	segment_name(first_n, name);
	snprintf(path, sizeof(path), "%s/%s", fx->dir, name);
	return path;
}

static size_t slurp(const char *path, uint8_t *to, size_t room)
{
	int fd = open(path, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, to, room);
	assert_true(n > 0);
	close(fd);
	return (size_t)n;
}

static void spill(const char *path, const uint8_t *data, size_t size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	close(fd);
}

/* Nothing but the lock and the mark is left in the directory. */
static void clean(struct fx *fx)
{
	spool_close(&fx->spool);
	DIR *d = opendir(fx->dir);
	assert_non_null(d);
	for (struct dirent *e; (e = readdir(d));)
		if (e->d_name[0] != '.')
			unlinkat(dirfd(d), e->d_name, 0);
	closedir(d);
}

static void what_is_put_in_is_read_in_order_in_this_life_and_the_next(void **state)
{
	struct fx *fx = *state;
	begin(fx);
	put(fx, 1, 300);
	struct place p = { 0 };
	struct seen s = read_all(fx, &p);
	assert_int_equal(s.good, 300);
	put(fx, 301, 300);
	s = read_all(fx, &p);
	assert_int_equal(s.good, 300);
	assert_int_equal(s.first_n, 301);
	s = read_again(fx);
	assert_int_equal(s.good, 600);
	assert_int_equal(s.damaged, 0);
	assert_true(spool_last_n(fx->spool) >= 600);
}

static void what_is_settled_goes_and_stays_gone(void **state)
{
	struct fx *fx = *state;
	begin(fx);
	struct place p = { 0 };
	struct item it;
	for (int i = 0; i < 40; i++) /* several files */
		put(fx, (uint64_t)i * 300 + 1, 300);
	uint64_t full = spool_bytes(fx->spool);
	for (int i = 0; i < 7000; i++)
		assert_true(spool_next(fx->spool, &p, &it));
	spool_settle(fx->spool, &p);
	assert_true(spool_bytes(fx->spool) < full * 6 / 10);
	struct seen s = read_again(fx);
	assert_int_equal(s.first_n, 7001);
	assert_int_equal(s.good, 5000);
	p = (struct place){ 0 };
	while (spool_next(fx->spool, &p, &it))
		;
	spool_settle(fx->spool, &p);
	assert_int_equal(spool_bytes(fx->spool), 0);
	assert_int_equal(read_again(fx).good, 0);
	assert_true(spool_last_n(fx->spool) >= 12000); /* no number twice */
}

static void a_file_cut_at_any_byte_keeps_what_is_before_the_cut(void **state)
{
	struct fx *fx = *state;
	static uint8_t bytes[4096];
	begin(fx);
	put(fx, 1, 12);
	spool_close(&fx->spool);
	size_t size = slurp(file_of(fx, 1), bytes, sizeof(bytes)), ends[13] = { HEAD_SIZE };
	for (uint64_t n = 1; n <= 12; n++) {
		uint8_t room[258];
		ends[n] = ends[n - 1] + record_room(payload(n, room));
	}
	assert_int_equal(ends[12], size);
	for (size_t cut = 0; cut < size; cut++) {
		uint64_t whole = 0;
		clean(fx);
		spill(file_of(fx, 1), bytes, cut);
		while (whole < 12 && ends[whole + 1] <= cut)
			whole++;
		struct seen s = read_again(fx);
		assert_int_equal(s.good, cut >= HEAD_SIZE ? whole : 0);
		assert_int_equal(s.damaged, 0);
		/* And life goes on behind it, under numbers and a name that were never used. */
		uint64_t next = spool_last_n(fx->spool) + 1;
		assert_true(next > whole);
		put(fx, next, 5);
		struct place p = { .n = 1 };
		assert_int_equal(read_all(fx, &p).good, s.good + 5);
		assert_int_equal(read_again(fx).good, s.good + 5);
	}
}

static void a_flipped_byte_costs_one_item_and_is_counted(void **state)
{
	struct fx *fx = *state;
	static uint8_t bytes[4096];
	begin(fx);
	put(fx, 1, 10);
	spool_close(&fx->spool);
	size_t size = slurp(file_of(fx, 1), bytes, sizeof(bytes));
	for (size_t at = 0; at < size; at++)
		for (int bit = 0; bit < 8; bit += 7) {
			clean(fx);
			bytes[at] ^= (uint8_t)(1 << bit);
			spill(file_of(fx, 1), bytes, size);
			bytes[at] ^= (uint8_t)(1 << bit);
			struct seen s = read_again(fx);
			if (at < HEAD_SIZE) {
				assert_int_equal(s.good, 0);
				assert_true(spool_set_aside(fx->spool) > 0);
				continue;
			}
			/* In the last one it is a torn end; in filling bytes it is nothing. */
			assert_true(s.good == 9 || s.good == 10);
			assert_true(s.damaged == (s.good == 10 || s.last_n == 9 ? 0 : 1));
			put(fx, spool_last_n(fx->spool) + 1, 1);
		}
}

static void what_is_missing_between_two_files_of_a_run_is_counted(void **state)
{
	struct fx *fx = *state;
	begin(fx);
	for (int i = 0; i < 20; i++)
		put(fx, (uint64_t)i * 100 + 1, 100);
	assert_true(fx->spool->count >= 2);
	uint64_t second = fx->spool->segments[1].first_n;
	spool_close(&fx->spool);
	assert_int_equal(truncate(file_of(fx, 1), HEAD_SIZE + 100), 0);
	struct seen s = read_again(fx);
	assert_int_equal(s.good + s.damaged, 2000);
	assert_true(s.damaged > 0 && s.damaged < second);
	assert_int_equal(s.first_n, 1);
	/* The first file goes altogether: the second begins the run. */
	assert_int_equal(unlink(file_of(fx, 1)), 0);
	s = read_again(fx);
	assert_int_equal(s.first_n, second);
	assert_int_equal(s.good, 2000 - second + 1);
}

static void a_mark_that_is_damaged_costs_nothing_but_the_memory_of_it(void **state)
{
	struct fx *fx = *state;
	char path[512];
	struct item it;
	static uint8_t bytes[8192];
	begin(fx);
	put(fx, 1, 100);
	struct place p = { 0 };
	for (int i = 0; i < 60; i++) {
		spool_next(fx->spool, &p, &it);
		spool_settle(fx->spool, &p);
	}
	spool_close(&fx->spool);
	snprintf(path, sizeof(path), "%s/mark", fx->dir);
	size_t size = slurp(path, bytes, sizeof(bytes));
	/* The newer slot torn: the older one stands. */
	for (int slot = 0; slot < 2; slot++) {
		size_t at = slot ? 4096 + 20 : 20;
		bytes[at] ^= 1;
		spill(path, bytes, size);
		struct seen s = read_again(fx);
		assert_in_range(s.first_n, 60, 61);
		spool_close(&fx->spool);
		bytes[at] ^= 1;
	}
	memset(bytes, 'x', size);
	spill(path, bytes, size);
	assert_int_equal(read_again(fx).good, 100);
}

static void a_new_name_is_still_known_in_the_next_life(void **state)
{
	struct fx *fx = *state;
	struct run alias;
	begin(fx);
	put(fx, 1, 10);
	struct run run = *spool_run(fx->spool);
	assert_int_equal(run_new(&alias, 4), HY_OK);
	assert_int_equal(spool_rename(fx->spool, &run, &alias, NULL), HY_OK);
	spool_close(&fx->spool);
	begin(fx);
	assert_memory_equal(spool_mark(fx->spool)->run, run.id, RUN_SIZE);
	assert_memory_equal(spool_mark(fx->spool)->alias.id, alias.id, RUN_SIZE);
	assert_int_equal(spool_mark(fx->spool)->alias.base_n, 4);
	assert_memory_not_equal(spool_run(fx->spool)->id, run.id, RUN_SIZE);
}

static void the_bound_is_kept_and_what_is_settled_makes_room(void **state)
{
	struct fx *fx = *state;
	struct hy_fault f;
	uint64_t n = 1;
	struct item it;
	begin(fx);
	while (append(fx, n, 100, &f) == HY_OK)
		n += 100;
	assert_string_equal(f.text, "");
	assert_int_equal(append(fx, n, 100, &f), HY_FULL);
	assert_true(spool_bytes(fx->spool) <= LIMIT);
	assert_true(spool_bytes(fx->spool) > LIMIT * 9 / 10);
	struct place p = { 0 };
	for (uint64_t i = 0; i < n / 2; i++)
		spool_next(fx->spool, &p, &it);
	spool_settle(fx->spool, &p);
	put(fx, n, 100);
	assert_int_equal(read_again(fx).last_n, n + 99);
}

/* A disk that ends in the middle of a write: RLIMIT_FSIZE stands in for it, at every length that a file can come to. */
static void a_disk_that_is_full_is_named_and_loses_nothing(void **state)
{
	struct fx *fx = *state;
	struct hy_fault f;
	struct rlimit was, now;
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &was);
	for (rlim_t limit = 1; limit < 1500; limit += 97) {
		begin(fx);
		uint64_t n = spool_last_n(fx->spool) + 1, first = n;
		now = was;
		now.rlim_cur = limit;
		setrlimit(RLIMIT_FSIZE, &now);
		int err;
		while ((err = append(fx, n, 3, &f)) == HY_OK)
			n += 3;
		assert_int_equal(err, HY_FULL);
		assert_non_null(strstr(f.text, fx->dir));
		setrlimit(RLIMIT_FSIZE, &was);
		put(fx, n, 3);
		struct place p = { 0 };
		struct seen s = read_all(fx, &p);
		assert_int_equal(s.good, n + 3 - first);
		assert_int_equal(s.damaged, 0);
		assert_int_equal(read_again(fx).good, s.good);
		clean(fx);
	}
	signal(SIGXFSZ, SIG_DFL);
}

/* Rights say nothing to root: the question is asked by somebody else. */
static void a_directory_that_may_not_be_written_is_named(void **state)
{
	struct fx *fx = *state;
	begin(fx);
	put(fx, 1, 10);
	spool_close(&fx->spool);
	assert_int_equal(chmod(fx->dir, 0555), 0);
	chmod(fx->tmp, 0755);
	pid_t pid = fork();
	if (pid == 0) {
		struct hy_fault f;
		if (geteuid() == 0 && (setgid(65534) || setuid(65534)))
			_exit(2);
		int err = spool_open(&fx->spool, fx->dir, LIMIT, &f);
		_exit(err == HY_FORBIDDEN && strstr(f.text, fx->dir) ? 0 : 1);
	}
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	chmod(fx->dir, 0700);
	assert_int_equal(status, 0);
	assert_int_equal(read_again(fx).good, 10);
}

static void a_directory_that_goes_away_below_us_is_named(void **state)
{
	struct fx *fx = *state;
	struct hy_fault f;
	char away[300];
	begin(fx);
	put(fx, 1, 10);
	clean(fx);
	begin(fx);
	spool_close(&fx->spool);
	begin(fx);
	snprintf(away, sizeof(away), "rm -rf '%s'", fx->dir);
	assert_int_equal(system(away), 0);
	assert_int_not_equal(append(fx, spool_last_n(fx->spool) + 1, 10, &f), HY_OK);
	assert_non_null(strstr(f.text, fx->dir));
}

static void two_processes_never_share_a_spool(void **state)
{
	struct fx *fx = *state;
	struct hy_fault f;
	struct spool *second;
	begin(fx);
	assert_int_equal(spool_open(&second, fx->dir, LIMIT, &f), HY_IN_USE);
	/* The refused attempt has not given the lock away. */
	pid_t pid = fork();
	if (pid == 0) {
		struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
		char path[300];
		snprintf(path, sizeof(path), "%s/lock", fx->dir);
		int fd = open(path, O_RDWR);
		_exit(fd >= 0 && fcntl(fd, F_SETLK, &whole) < 0 && (errno == EAGAIN || errno == EACCES) ? 0 : 1);
	}
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	spool_close(&fx->spool);
	begin(fx);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, open_fx, close_fx)
	const struct CMUnitTest tests[] = {
		CASE(what_is_put_in_is_read_in_order_in_this_life_and_the_next),
		CASE(what_is_settled_goes_and_stays_gone),
		CASE(a_file_cut_at_any_byte_keeps_what_is_before_the_cut),
		CASE(a_flipped_byte_costs_one_item_and_is_counted),
		CASE(what_is_missing_between_two_files_of_a_run_is_counted),
		CASE(a_mark_that_is_damaged_costs_nothing_but_the_memory_of_it),
		CASE(a_new_name_is_still_known_in_the_next_life),
		CASE(the_bound_is_kept_and_what_is_settled_makes_room),
		CASE(a_disk_that_is_full_is_named_and_loses_nothing),
		CASE(a_directory_that_may_not_be_written_is_named),
		CASE(a_directory_that_goes_away_below_us_is_named),
		CASE(two_processes_never_share_a_spool),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
