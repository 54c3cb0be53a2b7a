// link: hy_store
/* Opening a store, and every way to refuse; how full it is, and who holds it. */
#include "common/store_fixture.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

static void a_second_process_is_told_who_has_it(void **state)
{
	struct fx *fx = *state;
	struct hy_store *other = NULL;
	char pid[32];
	const struct hy_store_options o = { .tables = tables, .maker = "router", .version = 3, .quota_bytes = SMALL };
	assert_int_equal(hy_store_open(&other, fx->dir, &o, &fx->fault), HY_IN_USE);
	assert_null(other);
	snprintf(pid, sizeof(pid), "process %ld:", (long)getpid());
	assert_non_null(strstr(fx->fault.text, pid));
	assert_int_equal(hy_store_open(&other, fx->dir, &o, NULL), HY_IN_USE);
	fx_reopen(fx);
}

static void a_newer_version_is_refused_and_left_alone(void **state)
{
	struct fx *fx = *state;
	hy_store_close(&fx->db);
	struct hy_store_options o = { .tables = tables, .maker = "router", .version = 2, .quota_bytes = SMALL };
	assert_int_equal(fx_try(fx, &o), HY_NEWER);
	assert_non_null(strstr(fx->fault.text, "version 3"));
	assert_null(fx->db);
	fx_open(fx);
}

static void another_daemons_store_is_refused(void **state)
{
	struct fx *fx = *state;
	hy_store_close(&fx->db);
	struct hy_store_options o = { .tables = tables, .maker = "notifier", .version = 3, .quota_bytes = SMALL };
	assert_int_equal(fx_try(fx, &o), HY_CONFIG);
	assert_non_null(strstr(fx->fault.text, "belongs to router"));
	fx_open(fx);
}

static int upgrade_result;
static int upgrade(struct hy_txn *t, uint32_t from, struct hy_fault *f)
{
	hy_txn_put(t, "ticket", HY_LIT("upgraded"), HY_LIT("yes"));
	hy_txn_count(t, "ticket", HY_LIT("from"), from, NULL);
	return upgrade_result == HY_OK ? HY_OK : hy_fail(f, upgrade_result, "the row T-1 can't be read");
}

static void an_older_version_is_upgraded_all_or_nothing(void **state)
{
	struct fx *fx = *state;
	struct hy_bytes v;
	hy_store_close(&fx->db);
	struct hy_store_options o = { .tables = tables, .maker = "router", .version = 4, .quota_bytes = SMALL };
	assert_int_equal(fx_try(fx, &o), HY_CONFIG); /* nobody knows how */
	o.upgrade = upgrade;
	upgrade_result = HY_BAD_INPUT;
	assert_int_equal(fx_try(fx, &o), HY_BAD_INPUT);
	assert_string_equal(fx->fault.text, "the row T-1 can't be read");
	fx_open(fx); /* still version 3 */
	struct hy_txn *t = hy_txn_begin(fx->db, HY_READ);
	assert_int_equal(hy_txn_get(t, "ticket", HY_LIT("upgraded"), &v), HY_NOT_FOUND);
	hy_txn_abort(&t);
	hy_store_close(&fx->db);
	upgrade_result = HY_OK;
	assert_int_equal(fx_try(fx, &o), HY_OK);
	t = hy_txn_begin(fx->db, HY_READ);
	assert_int_equal(hy_txn_number(t, "ticket", HY_LIT("from")), 3);
	hy_txn_abort(&t);
	hy_store_close(&fx->db);
	upgrade_result = HY_IO; /* not called again */
	assert_int_equal(fx_try(fx, &o), HY_OK);
}

static void a_new_table_is_made_at_the_next_open(void **state)
{
	struct fx *fx = *state;
	hy_store_close(&fx->db);
	const char *const more[] = { "ticket", "due", "link", "rules", NULL };
	struct hy_store_options o = { .tables = more, .maker = "router", .version = 3, .quota_bytes = SMALL };
	assert_int_equal(fx_try(fx, &o), HY_OK);
	put_all(fx, "rules", (const char *[]){ "r", NULL });
	assert_string_equal(walked(fx->db, "rules", "", false), "r");
}

/* Runs in a child of its own: LMDB wants one opening of a store for each process. */
static void tool(const char *dir, int go, int out)
{
	static const char *const seen[] = { "due", "later", NULL };
	struct hy_store_options o = { .tables = seen, .version = 3, .read_only = true };
	struct hy_store *db = NULL;
	struct hy_fault f;
	char answer = 'n';
	if (read(go, &answer, 1) == 1 && hy_store_open(&db, dir, &o, &f) == HY_OK) {
		struct hy_bytes v;
		struct hy_store_usage u;
		struct hy_txn *t = hy_txn_begin(db, HY_READ);
		answer = hy_txn_get(t, "due", HY_LIT("a"), &v) == HY_OK &&
					 hy_txn_get(t, "later", HY_LIT("a"), &v) == HY_NOT_FOUND &&
					 hy_store_rows(t, "later") == 0
				 ? 'y'
				 : 'n';
		struct hy_cursor c = hy_cursor_open(t, "later", HY_LIT(""));
		if (hy_cursor_on(&c) || hy_txn_commit(&t) != HY_OK || hy_store_usage(db, &u) != HY_OK)
			answer = 'n';
		hy_store_close(&db);
	}
	if (write(out, &answer, 1) != 1)
		_exit(1);
	_exit(0);
}

static void a_tool_reads_beside_the_running_daemon(void **state)
{
	struct fx *fx = *state;
	int go[2], back[2], status;
	char answer = 0;
	hy_store_close(&fx->db); /* no fork() with a store open */
	assert_int_equal(pipe(go) | pipe(back), 0);
	pid_t pid = fork();
	if (pid == 0)
		tool(fx->dir, go[0], back[1]);
	fx_open(fx);
	put_all(fx, "due", (const char *[]){ "a", NULL });
	assert_int_equal(write(go[1], "g", 1), 1);
	assert_int_equal(read(back[0], &answer, 1), 1);
	assert_int_equal(answer, 'y');
	assert_int_equal(waitpid(pid, &status, 0), pid);
	put_all(fx, "due", (const char *[]){ "b", NULL });
	for (int i = 0; i < 2; i++) {
		close(go[i]);
		close(back[i]);
	}
}

static void a_tool_on_an_older_or_newer_store_is_told(void **state)
{
	struct fx *fx = *state;
	hy_store_close(&fx->db);
	struct hy_store_options o = { .tables = tables, .version = 4, .read_only = true };
	assert_int_equal(fx_try(fx, &o), HY_BAD_STATE);
	o.version = 2;
	assert_int_equal(fx_try(fx, &o), HY_NEWER);
	o.version = 3;
	o.maker = "collector";
	assert_int_equal(fx_try(fx, &o), HY_CONFIG);
	o.maker = NULL;
	assert_int_equal(fx_try(fx, &o), HY_OK);
}

static void a_tool_without_a_store_says_so(void **state)
{
	(void)state;
	char *dir = test_mkdir(), path[4096];
	struct hy_store *db;
	struct hy_fault f;
	snprintf(path, sizeof(path), "%s/none", dir);
	struct hy_store_options o = { .tables = tables, .read_only = true };
	assert_int_equal(hy_store_open(&db, path, &o, &f), HY_NOT_FOUND);
	assert_non_null(strstr(f.text, "there is no store"));
	test_rmdir(dir);
}

static void the_directory_is_made_private_and_the_file_big_enough(void **state)
{
	(void)state;
	char *dir = test_mkdir(), path[4096];
	struct stat st;
	struct hy_store *db;
	struct hy_fault f;
	snprintf(path, sizeof(path), "%s/state/router", dir);
	struct hy_store_options o = { .tables = tables, .maker = "router", .version = 1 };
	assert_int_equal(hy_store_open(&db, path, &o, &f), HY_OK);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	struct hy_store_usage u;
	assert_int_equal(hy_store_usage(db, &u), HY_OK);
	assert_int_equal(u.file_bytes, (uint64_t)64 << 20);
	assert_int_equal(u.quota_bytes, (uint64_t)8 << 30);
	hy_store_close(&db);
	snprintf(path, sizeof(path), "%s/state/router/data.mdb", dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	/* Where a directory can't be made, the words say which. */
	assert_int_equal(hy_store_open(&db, path, &o, &f), HY_CONFIG);
	assert_non_null(strstr(f.text, "data.mdb"));
	snprintf(path, sizeof(path), "%0*d", 4095, 0);
	assert_int_not_equal(hy_store_open(&db, path, &o, &f), HY_OK);
	test_rmdir(dir);
}

static void write_file(const char *dir, const char *name, const void *data, size_t size)
{
	char path[4096];
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_int_equal(write(fd, data, size), size);
	close(fd);
}

static void a_file_that_is_no_store_is_refused(void **state)
{
	struct fx *fx = *state;
	char path[4096];
	struct hy_store_options o = { .tables = tables, .maker = "router", .version = 3, .quota_bytes = SMALL };
	/* Many rows, then the tail is cut off. */
	struct hy_txn *t = hy_txn_begin(fx->db, HY_WRITE);
	for (uint64_t i = 0; i < 300; i++) {
		struct hy_key k = { 0 };
		hy_key_u64(&k, i);
		assert_non_null(hy_txn_reserve(t, "due", hy_key_view(&k), 4000, true));
	}
	assert_int_equal(hy_txn_commit(&t), HY_OK);
	hy_store_close(&fx->db);
	snprintf(path, sizeof(path), "%s/data.mdb", fx->dir);
	assert_int_equal(truncate(path, 500000), 0);
	assert_int_equal(fx_try(fx, &o), HY_CORRUPT);
	assert_non_null(strstr(fx->fault.text, "cut short"));
	char rubbish[9000];
	memset(rubbish, 'x', sizeof(rubbish));
	write_file(fx->dir, "data.mdb", rubbish, sizeof(rubbish));
	assert_int_equal(fx_try(fx, &o), HY_CORRUPT);
	write_file(fx->dir, "data.mdb", rubbish, 100);
	assert_int_equal(fx_try(fx, &o), HY_CORRUPT);
}

static void usage_follows_live_data_not_the_file(void **state)
{
	struct fx *fx = *state;
	struct hy_store_usage before, full, after;
	assert_int_equal(hy_store_usage(fx->db, &before), HY_OK);
	struct hy_txn *t = hy_txn_begin(fx->db, HY_WRITE);
	for (uint64_t i = 0; i < 200; i++) {
		struct hy_key k = { 0 };
		hy_key_u64(&k, i);
		assert_non_null(hy_txn_reserve(t, "link", hy_key_view(&k), 20000, true));
	}
	assert_int_equal(hy_txn_commit(&t), HY_OK);
	assert_int_equal(hy_store_usage(fx->db, &full), HY_OK);
	assert_true(full.live_bytes > 200 * 20000);
	assert_true(full.share > before.share && full.share < 1);
	assert_string_equal(full.largest, "link");
	assert_true(full.largest_bytes > 200 * 20000);
	/* The rows go; while a reader looks at them, their pages stay in use. */
	struct hy_txn *r = hy_txn_begin(fx->db, HY_READ);
	t = hy_txn_begin(fx->db, HY_WRITE);
	for (struct hy_cursor c = hy_cursor_open(t, "link", HY_LIT("")); hy_cursor_on(&c); hy_cursor_next(&c))
		hy_cursor_del(&c);
	assert_int_equal(hy_txn_commit(&t), HY_OK);
	put_all(fx, "due", (const char *[]){ "a", NULL });
	assert_int_equal(hy_store_usage(fx->db, &after), HY_OK);
	assert_true(after.live_bytes > 200 * 20000);
	hy_txn_abort(&r);
	assert_int_equal(hy_store_usage(fx->db, &after), HY_OK);
	assert_true(after.live_bytes < before.live_bytes + 200000);
	assert_true(after.file_bytes >= full.file_bytes);
	hy_store_quota(fx->db, after.live_bytes / 2);
	assert_int_equal(hy_store_usage(fx->db, &after), HY_OK);
	assert_true(after.share > 1.9);
	hy_store_quota(fx->db, 0);
	assert_int_equal(hy_store_usage(fx->db, &after), HY_OK);
	assert_int_equal(after.quota_bytes, (uint64_t)8 << 30);
}

static void an_old_reader_is_noticed(void **state)
{
	struct fx *fx = *state;
	struct hy_store_usage u;
	hy_clock_stand(1000000);
	struct hy_txn *r = hy_txn_begin(fx->db, HY_READ);
	hy_clock_stand(1007000);
	assert_int_equal(hy_store_usage(fx->db, &u), HY_OK);
	assert_true(u.oldest_reader_s > 6.9 && u.oldest_reader_s < 7.1);
	hy_txn_abort(&r);
	assert_int_equal(hy_store_usage(fx->db, &u), HY_OK);
	assert_true(u.oldest_reader_s < 0.1);
}

/* A child dies inside a read transaction; its snapshot grows old, is seen, and is swept. */
static void a_dead_readers_place_is_swept(void **state)
{
	struct fx *fx = *state;
	int ready[2], hold[2], status;
	char c;
	struct hy_store_usage u;
	hy_store_close(&fx->db);
	assert_int_equal(pipe(ready) | pipe(hold), 0);
	pid_t pid = fork();
	if (pid == 0) {
		struct hy_store_options o = { .tables = tables, .version = 3, .read_only = true };
		struct hy_store *db;
		if (read(hold[0], &c, 1) != 1 || hy_store_open(&db, fx->dir, &o, NULL) != HY_OK)
			_exit(1);
		hy_txn_begin(db, HY_READ);
		if (write(ready[1], "r", 1) != 1 || read(hold[0], &c, 1) != 1)
			_exit(1);
		_exit(0); /* no clean up: as if killed */
	}
	fx_open(fx);
	put_all(fx, "due", (const char *[]){ "a", NULL });
	assert_int_equal(write(hold[1], "o", 1), 1);
	assert_int_equal(read(ready[0], &c, 1), 1);
	assert_int_equal(hy_store_sweep(fx->db), 0);
	put_all(fx, "due", (const char *[]){ "b", NULL });
	hy_clock_stand(1000000);
	assert_int_equal(hy_store_usage(fx->db, &u), HY_OK);
	assert_true(u.oldest_reader_s < 0.1);
	hy_clock_stand(1009000);
	assert_int_equal(hy_store_usage(fx->db, &u), HY_OK);
	assert_true(u.oldest_reader_s > 8.9);
	assert_int_equal(write(hold[1], "x", 1), 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(hy_store_sweep(fx->db), 1);
	assert_int_equal(hy_store_usage(fx->db, &u), HY_OK);
	assert_true(u.oldest_reader_s < 0.1);
	for (int i = 0; i < 2; i++) {
		close(ready[i]);
		close(hold[i]);
	}
}

static void more_readers_than_places_are_told_busy(void **state)
{
	struct fx *fx = *state;
	static struct hy_txn *r[300];
	size_t busy = 0;
	for (size_t i = 0; i < 300; i++) {
		r[i] = hy_txn_begin(fx->db, HY_READ);
		assert_non_null(r[i]);
		if (hy_txn_err(r[i]) != HY_OK) {
			assert_int_equal(hy_txn_err(r[i]), HY_BUSY);
			busy++;
		}
	}
	assert_int_equal(busy, 300 - 256);
	for (size_t i = 0; i < 300; i++)
		hy_txn_commit(&r[i]);
	struct hy_txn *t = hy_txn_begin(fx->db, HY_READ);
	assert_int_equal(hy_txn_commit(&t), HY_OK);
}

/* A bug of our own ends the process: shown in a child. */
static void dies(struct fx *fx, void (*misuse)(struct hy_store *db))
{
	int status;
	hy_store_close(&fx->db);
	pid_t pid = fork();
	if (pid == 0) {
		if (!freopen("/dev/null", "w", stderr))
			_exit(0);
		fx_open(fx);
		misuse(fx->db);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) != 0);
	fx_open(fx); /* and the store is none the worse for it */
}
static void two_writers(struct hy_store *db)
{
	hy_txn_begin(db, HY_WRITE);
	hy_txn_begin(db, HY_WRITE);
}
static void unknown_table(struct hy_store *db)
{
	struct hy_bytes v;
	hy_txn_get(hy_txn_begin(db, HY_READ), "tickets", HY_LIT("k"), &v);
}
static void write_in_a_reader(struct hy_store *db)
{
	hy_txn_put(hy_txn_begin(db, HY_READ), "due", HY_LIT("k"), HY_LIT("k"));
}
static void close_while_working(struct hy_store *db)
{
	hy_txn_begin(db, HY_READ);
	hy_store_close(&db);
}

static void misuse_stops_the_process(void **state)
{
	struct fx *fx = *state;
	dies(fx, two_writers);
	dies(fx, unknown_table);
	dies(fx, write_in_a_reader);
	dies(fx, close_while_working);
}

/* A real disk without room, where we may mount one. */
static void a_really_full_disk_refuses_and_heals(void **state)
{
	(void)state;
	char *dir = test_mkdir(), command[4096], ballast[2048];
	snprintf(command, sizeof(command), "mount -t tmpfs -o size=8m huiyin-test '%s' 2>/dev/null", dir);
	if (geteuid() != 0 || system(command) != 0) {
		test_rmdir(dir);
		skip();
	}
	static uint8_t big[60000];
	struct hy_store *db;
	struct hy_fault f;
	snprintf(ballast, sizeof(ballast), "%s/store", dir);
	/* The first start notices. */
	struct hy_store_options o = { .tables = tables, .maker = "router", .version = 1 };
	int err = hy_store_open(&db, ballast, &o, &f);
	struct hy_store_options small = { .tables = tables, .maker = "router", .version = 1, .quota_bytes = SMALL };
	char words[sizeof(f.text)];
	strcpy(words, f.text);
	snprintf(command, sizeof(command), "rm -rf '%s'", ballast);
	int removed = system(command);
	int second = hy_store_open(&db, ballast, &small, &f);
	/* Rows until nothing fits; what was committed is there, and after a delete there is room again. */
	uint64_t rows = 0;
	int full = HY_OK;
	while (second == HY_OK && full == HY_OK && rows < 1000) {
		struct hy_key k = { 0 };
		hy_key_u64(&k, rows);
		struct hy_txn *t = hy_txn_begin(db, HY_WRITE);
		hy_txn_append(t, "due", hy_key_view(&k), hy_bytes(big, sizeof(big)));
		if ((full = hy_txn_commit(&t)) == HY_OK)
			rows++;
	}
	struct hy_txn *t = hy_txn_begin(db, HY_READ);
	uint64_t kept = hy_store_rows(t, "due");
	hy_txn_abort(&t);
	snprintf(command, sizeof(command), "mount -o remount,size=16m '%s'", dir);
	int grown = system(command);
	t = hy_txn_begin(db, HY_WRITE);
	hy_txn_append(t, "due", HY_LIT("\xff"), hy_bytes(big, sizeof(big)));
	int healed = hy_txn_commit(&t);
	hy_store_close(&db);
	snprintf(command, sizeof(command), "umount '%s'", dir);
	int unmounted = system(command);
	test_rmdir(dir);
	if (err != HY_FULL)
		fail_msg("%s", words);
	assert_int_equal(removed | grown | unmounted, 0);
	assert_int_equal(second, HY_OK);
	assert_int_equal(full, HY_FULL);
	assert_true(kept == rows && rows > 20);
	assert_int_equal(healed, HY_OK);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		T(a_second_process_is_told_who_has_it),
		T(a_newer_version_is_refused_and_left_alone),
		T(another_daemons_store_is_refused),
		T(an_older_version_is_upgraded_all_or_nothing),
		T(a_new_table_is_made_at_the_next_open),
		T(a_tool_reads_beside_the_running_daemon),
		T(a_tool_on_an_older_or_newer_store_is_told),
		cmocka_unit_test(a_tool_without_a_store_says_so),
		cmocka_unit_test(the_directory_is_made_private_and_the_file_big_enough),
		T(a_file_that_is_no_store_is_refused),
		T(usage_follows_live_data_not_the_file),
		T(an_old_reader_is_noticed),
		T(a_dead_readers_place_is_swept),
		T(more_readers_than_places_are_told_busy),
		T(misuse_stops_the_process),
		cmocka_unit_test(a_really_full_disk_refuses_and_heals),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
