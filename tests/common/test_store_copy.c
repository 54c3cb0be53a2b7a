// link: hy_store
/* Copies of a store: the backup, and the file made small again. */
#include "common/store_fixture.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "log/log.h"

/* Whether the bytes stand anywhere in the file, in a live row or in a page left over. */
static bool in_file(const char *dir, const char *needle)
{
	char path[4096];
	struct stat st;
	snprintf(path, sizeof(path), "%s/data.mdb", dir);
	int fd = open(path, O_RDONLY);
	assert_int_equal(fstat(fd, &st), 0);
	uint8_t *all = malloc((size_t)st.st_size);
	assert_int_equal(read(fd, all, (size_t)st.st_size), st.st_size);
	close(fd);
	bool found = memmem(all, (size_t)st.st_size, needle, strlen(needle)) != NULL;
	free(all);
	return found;
}

static void fill(struct fx *fx, uint64_t rows)
{
	struct hy_txn *t = hy_txn_begin(fx->db, HY_WRITE);
	for (uint64_t i = 0; i < rows; i++) {
		struct hy_key k = { 0 };
		hy_key_u64(&k, i);
		uint8_t *room = hy_txn_reserve(t, "link", hy_key_view(&k), 20000, true);
		assert_non_null(room);
		memset(room, 'w', 20000);
		memcpy(room, "secret of a customer", 20);
	}
	assert_int_equal(hy_txn_commit(&t), HY_OK);
}

static void empty(struct fx *fx)
{
	struct hy_txn *t = hy_txn_begin(fx->db, HY_WRITE);
	for (struct hy_cursor c = hy_cursor_open(t, "link", HY_LIT("")); hy_cursor_on(&c); hy_cursor_next(&c))
		hy_cursor_del(&c);
	assert_int_equal(hy_txn_commit(&t), HY_OK);
}

static void a_copy_is_a_store_of_its_own(void **state)
{
	struct fx *fx = *state;
	char to[4096];
	snprintf(to, sizeof(to), "%s/backup/today", fx->dir);
	put_all(fx, "due", (const char *[]){ "a", "b", NULL });
	fill(fx, 20);
	for (int compact = 0; compact < 2; compact++) {
		assert_int_equal(hy_store_copy(fx->db, to, compact, &fx->fault), HY_OK);
		assert_int_equal(hy_store_copy(fx->db, to, compact, &fx->fault), HY_EXISTS);
		put_all(fx, "due", (const char *[]){ "c", NULL });
		struct hy_store *copy;
		const struct hy_store_options o = {
			.tables = tables, .maker = "router", .version = 3, .quota_bytes = SMALL
		};
		assert_int_equal(hy_store_open(&copy, to, &o, &fx->fault), HY_OK);
		assert_string_equal(walked(copy, "due", "", false), compact ? "a b c" : "a b");
		hy_store_close(&copy);
		snprintf(to, sizeof(to), "%s/backup/small", fx->dir);
	}
	snprintf(to, sizeof(to), "%s/data.mdb/x", fx->dir);
	assert_int_equal(hy_store_copy(fx->db, to, false, &fx->fault), HY_CONFIG);
}

static void compacting_leaves_erased_bytes_behind(void **state)
{
	struct fx *fx = *state;
	struct hy_store_options o = {
		.tables = tables, .maker = "router", .version = 3, .quota_bytes = SMALL, .compact = true
	};
	put_all(fx, "due", (const char *[]){ "a", "b", NULL });
	fill(fx, 10);
	empty(fx);
	assert_true(in_file(fx->dir, "secret of a customer"));
	hy_store_close(&fx->db);
	assert_int_equal(fx_try(fx, &o), HY_OK);
	assert_false(in_file(fx->dir, "secret of a customer"));
	assert_string_equal(walked(fx->db, "due", "", false), "a b");
	put_all(fx, "due", (const char *[]){ "c", NULL });
	fx_reopen(fx);
	assert_string_equal(walked(fx->db, "due", "", false), "a b c");
}

static void a_mostly_empty_file_shrinks_at_the_next_start(void **state)
{
	struct fx *fx = *state;
	struct hy_store_usage before, after;
	put_all(fx, "due", (const char *[]){ "a", NULL });
	fill(fx, 100);
	empty(fx);
	put_all(fx, "due", (const char *[]){ "b", NULL }); /* pages are free from the next commit on */
	assert_int_equal(hy_store_usage(fx->db, &before), HY_OK);
	fx_reopen(fx);
	assert_int_equal(hy_store_usage(fx->db, &after), HY_OK);
	assert_true(before.file_bytes > 2000000);
	assert_true(after.file_bytes < before.file_bytes / 4);
	assert_string_equal(walked(fx->db, "due", "", false), "a b");
}

static void hush(const char *line, void *arg)
{
	(void)arg;
	assert_non_null(strstr(line, "store.not_compacted"));
}

/* A tool has the old file open: it must not be pulled away under it. */
static void compacting_waits_for_tools_that_look(void **state)
{
	struct fx *fx = *state;
	int ready[2], hold[2], status;
	char c;
	struct hy_store_options o = { .tables = tables, .maker = "router", .version = 3, .quota_bytes = SMALL };
	put_all(fx, "due", (const char *[]){ "a", NULL });
	fill(fx, 100);
	empty(fx);
	hy_store_close(&fx->db);
	assert_int_equal(pipe(ready) | pipe(hold), 0);
	pid_t pid = fork();
	if (pid == 0) {
		struct hy_store_options look = { .tables = tables, .version = 3, .read_only = true };
		struct hy_store *db;
		if (hy_store_open(&db, fx->dir, &look, NULL) != HY_OK)
			_exit(1);
		if (write(ready[1], "r", 1) != 1 || read(hold[0], &c, 1) != 1)
			_exit(1);
		_exit(strcmp(walked(db, "due", "", false), "a b") == 0 ? 0 : 1);
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	o.compact = true;
	assert_int_equal(fx_try(fx, &o), HY_BUSY);
	o.compact = false;
	hy_log_capture(hush, NULL);
	assert_int_equal(fx_try(fx, &o), HY_OK); /* only said, where nobody asked for it */
	hy_log_capture(NULL, NULL);
	put_all(fx, "due", (const char *[]){ "b", NULL });
	assert_int_equal(write(hold[1], "x", 1), 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WEXITSTATUS(status), 0);
	for (int i = 0; i < 2; i++) {
		close(ready[i]);
		close(hold[i]);
	}
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		T(a_copy_is_a_store_of_its_own),
		T(compacting_leaves_erased_bytes_behind),
		T(a_mostly_empty_file_shrinks_at_the_next_start),
		T(compacting_waits_for_tools_that_look),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
