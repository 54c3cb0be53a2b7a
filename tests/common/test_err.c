// link: hy_base
#include "support/test.h"

#include "base/err.h"

#include <errno.h>
#include <sys/wait.h>

static void each_code_has_a_name_a_sentence_and_a_fate(void **state)
{
	(void)state;
	static const int codes[] = {
#define CODE(name, code, fate, text) code,
		HY_ERR_TABLE(CODE)
#undef CODE
	};
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		assert_string_not_equal(hy_err_name(codes[i]), "unknown");
		assert_true(strlen(hy_err_text(codes[i])) > 0);
		assert_true(hy_err_exit(codes[i]) == 0 ? codes[i] == HY_OK : codes[i] != HY_OK);
	}
	assert_string_equal(hy_err_name(HY_FULL), "full");
	assert_string_equal(hy_err_name(HY_NO_MEMORY), "no_memory");
	assert_string_equal(hy_err_text(HY_FULL), "the store is full");
	assert_int_equal(hy_err_fate(HY_FULL), HY_RETRY);
	assert_int_equal(hy_err_fate(HY_BAD_INPUT), HY_REJECT);
}

static void a_code_that_nobody_knows_stops_the_process(void **state)
{
	(void)state;
	assert_int_equal(hy_err_fate(-999), HY_STOP);
	assert_int_equal(hy_err_fate(7), HY_STOP);
	assert_string_equal(hy_err_name(-999), "unknown");
	assert_string_equal(hy_err_text(-999), "unknown error");
	assert_int_equal(hy_err_exit(-999), 70);
}

static void scripts_can_tell_a_wrong_option_from_a_full_disk(void **state)
{
	(void)state;
	static const struct {
		int err, code;
	} wanted[] = {
		{ HY_OK, 0 },
		{ HY_USAGE, 64 },
		{ HY_BAD_INPUT, 65 },
		{ HY_NOT_FOUND, 66 },
		{ HY_UNREACHABLE, 69 },
		{ HY_CORRUPT, 70 },
		{ HY_FULL, 73 },
		{ HY_IO, 74 },
		{ HY_BUSY, 75 },
		{ HY_FORBIDDEN, 77 },
		{ HY_CONFIG, 78 },
	};
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		assert_int_equal(hy_err_exit(wanted[i].err), wanted[i].code);
}

static void errno_finds_its_code(void **state)
{
	(void)state;
	assert_int_equal(hy_err_from_errno(0), HY_OK);
	assert_int_equal(hy_err_from_errno(ENOSPC), HY_FULL);
	assert_int_equal(hy_err_from_errno(ENOMEM), HY_NO_MEMORY);
	assert_int_equal(hy_err_from_errno(ENOENT), HY_NOT_FOUND);
	assert_int_equal(hy_err_from_errno(EAGAIN), HY_BUSY);
	assert_int_equal(hy_err_from_errno(ECONNREFUSED), HY_UNREACHABLE);
	assert_int_equal(hy_err_from_errno(EIO), HY_IO);
	assert_int_equal(hy_err_from_errno(4711), HY_IO);
}

static void a_fault_can_be_wrapped_with_its_own_words(void **state)
{
	(void)state;
	struct hy_fault f;
	assert_int_equal(hy_fail(&f, HY_BAD_INPUT, "line %d", 7), HY_BAD_INPUT);
	assert_int_equal(hy_fail(&f, HY_CONFIG, "huiyin.yaml: %s", f.text), HY_CONFIG);
	assert_int_equal(f.err, HY_CONFIG);
	assert_string_equal(f.text, "huiyin.yaml: line 7");
	assert_int_equal(hy_fail(NULL, HY_FULL, "nobody %s", "listens"), HY_FULL);
}

static void a_long_fault_is_cut_between_characters(void **state)
{
	(void)state;
	char text[3 * 400 + 1];
	for (size_t i = 0; i < 400; i++)
		memcpy(text + 3 * i, "\xe8\xbf\x9f", 3);
	text[sizeof(text) - 1] = '\0';
	for (int lead = 0; lead < 3; lead++) {
		struct hy_fault f;
		hy_fail(&f, HY_BAD_INPUT, "%.*s%s", lead, "abc", text);
		size_t size = strlen(f.text);
		assert_true(size > sizeof(f.text) - 5);
		assert_int_equal((size - (size_t)lead) % 3, 0);
	}
}

static void a_panic_says_why_and_aborts(void **state)
{
	(void)state;
	int fds[2];
	assert_int_equal(pipe(fds), 0);
	pid_t pid = fork();
	if (pid == 0) {
		dup2(fds[1], STDERR_FILENO);
		HY_ASSERT(fds[0] < 0);
		_exit(0);
	}
	close(fds[1]);
	char text[256] = "";
	ssize_t n = read(fds[0], text, sizeof(text) - 1);
	close(fds[0]);
	int status = 0;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(n > 0);
	assert_non_null(strstr(text, "panic: "));
	assert_non_null(strstr(text, "fds[0] < 0\n"));
	assert_true(WIFSIGNALED(status));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_code_has_a_name_a_sentence_and_a_fate),
		cmocka_unit_test(a_code_that_nobody_knows_stops_the_process),
		cmocka_unit_test(scripts_can_tell_a_wrong_option_from_a_full_disk),
		cmocka_unit_test(errno_finds_its_code),
		cmocka_unit_test(a_fault_can_be_wrapped_with_its_own_words),
		cmocka_unit_test(a_long_fault_is_cut_between_characters),
		cmocka_unit_test(a_panic_says_why_and_aborts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
