// link: hy_huiyin
/* The command as a program, without running daemons: what it makes, what it says, and the codes it ends with. */
#include "support/test.h"

#include "huiyin/files.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>

static int command(char *out, size_t room, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static int command(char *out, size_t room, const char *fmt, ...)
{
	char line[4096], whole[4200];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	snprintf(whole, sizeof(whole), HY_BIN_DIR "/%s 2>&1", line);
	FILE *p = popen(whole, "r");
	assert_non_null(p);
	size_t n = fread(out, 1, room - 1, p);
	out[n] = 0;
	return WEXITSTATUS(pclose(p));
}

static void init_makes_an_installation_that_every_daemon_accepts_and_keeps_it_the_second_time(void **state)
{
	char out[8192];
	char *dir = test_mkdir();
	struct stat st;
	(void)state;
	assert_int_equal(
		command(out, sizeof(out), "huiyin init %s/h --public-url https://feedback.example.com", dir), EX_OK);
	assert_int_equal(command(out, sizeof(out), "huiyin config check -C %s/h", dir), EX_OK);
	assert_int_equal(command(out, sizeof(out), "huiyin-collector -C %s/h --check-config", dir), EX_OK);
	char path[1024];
	snprintf(path, sizeof(path), "%s/h/keys/app-default.key", dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	struct hy_buffer a = { 0 }, b = { 0 };
	snprintf(path, sizeof(path), "%s/h/huiyin.yaml", dir);
	assert_int_equal(file_read(path, 65536, &a, NULL), HY_OK);
	assert_non_null(strstr(hy_buffer_string(&a), "public_url: https://feedback.example.com"));
	assert_int_equal(command(out, sizeof(out), "huiyin init %s/h", dir), EX_OK);
	assert_non_null(strstr(out, "kept"));
	assert_null(strstr(out, "made "));
	assert_int_equal(file_read(path, 65536, &b, NULL), HY_OK);
	assert_true(hy_bytes_equal(hy_buffer_view(&a), hy_buffer_view(&b)));
	hy_buffer_free(&a);
	hy_buffer_free(&b);
	test_rmdir(dir);
}

static void keys_are_added_and_revoked_and_the_file_stays_good(void **state)
{
	char out[8192];
	char *dir = test_mkdir();
	(void)state;
	assert_int_equal(command(out, sizeof(out), "huiyin init %s/h", dir), EX_OK);
	assert_int_equal(command(out, sizeof(out), "huiyin key add mobile --rate 500/s -C %s/h", dir), EX_OK);
	assert_null(strstr(out, "hy_")); /* it is in its file, and nowhere else */
	assert_int_equal(command(out, sizeof(out), "huiyin key add mobile -C %s/h", dir), EX_CANTCREAT);
	assert_int_equal(command(out, sizeof(out), "huiyin config check -C %s/h", dir), EX_OK);
	assert_int_equal(command(out, sizeof(out), "huiyin key list --json -C %s/h", dir), EX_OK);
	assert_non_null(strstr(out, "\"mobile\""));
	assert_int_equal(command(out, sizeof(out), "huiyin key revoke mobile -C %s/h", dir), EX_OK);
	assert_int_equal(command(out, sizeof(out), "huiyin key list --json -C %s/h", dir), EX_OK);
	assert_null(strstr(out, "\"mobile\""));
	assert_int_equal(command(out, sizeof(out), "huiyin config check -C %s/h", dir), EX_OK);
	test_rmdir(dir);
}

static void a_fault_in_the_configuration_starts_nothing_and_is_told_once(void **state)
{
	char out[8192], path[1024];
	char *dir = test_mkdir();
	(void)state;
	assert_int_equal(command(out, sizeof(out), "huiyin init %s/h", dir), EX_OK);
	snprintf(path, sizeof(path), "%s/h/huiyin.yaml", dir);
	FILE *f = fopen(path, "a");
	assert_non_null(f);
	fputs("\nretian: 7d\n", f);
	fclose(f);
	assert_int_equal(command(out, sizeof(out), "huiyin up %s/h", dir), EX_CONFIG);
	const char *once = strstr(out, "did you mean 'retain'");
	assert_non_null(once);
	assert_null(strstr(once + 1, "did you mean 'retain'"));
	assert_int_equal(command(out, sizeof(out), "huiyin config check -C %s/h", dir), EX_CONFIG);
	test_rmdir(dir);
}

static void wrong_usage_is_64_and_says_what_was_probably_meant(void **state)
{
	char out[8192];
	(void)state;
	assert_int_equal(command(out, sizeof(out), "huiyin staus"), EX_USAGE);
	assert_non_null(strstr(out, "did you mean 'status'?"));
	assert_int_equal(command(out, sizeof(out), "huiyin -C x status"), EX_USAGE);
	assert_non_null(strstr(out, "huiyin status -C DIR"));
	assert_int_equal(command(out, sizeof(out), "huiyin ticket reslove T-1"), EX_USAGE);
	assert_non_null(strstr(out, "did you mean 'resolve'?"));
	assert_int_equal(command(out, sizeof(out), "huiyin send"), EX_USAGE);
	assert_int_equal(command(out, sizeof(out), "huiyin tail --bogus"), EX_USAGE);
	assert_int_equal(command(out, sizeof(out), "huiyin"), EX_USAGE);
	assert_int_equal(command(out, sizeof(out), "huiyin --help"), EX_OK);
	assert_int_equal(command(out, sizeof(out), "huiyin --version"), EX_OK);
	assert_int_equal(command(out, sizeof(out), "huiyin completion bash | bash -n"), EX_OK);
}

static void every_verb_has_help_with_an_example(void **state)
{
	static const char *const verbs[] = { "init", "up", "send", "import", "mail-in", "doctor", "fsck", "status",
		"tail", "trace", "ticket", "audit", "dead", "config", "key", "completion" };
	char out[16384];
	(void)state;
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		assert_int_equal(command(out, sizeof(out), "huiyin %s --help", verbs[i]), EX_OK);
		assert_non_null(strstr(out, "Example"));
		assert_non_null(strstr(out, "--json"));
	}
}

static void without_daemons_asking_is_69_and_says_how_to_start_them(void **state)
{
	char out[8192];
	char *dir = test_mkdir();
	(void)state;
	assert_int_equal(command(out, sizeof(out), "huiyin init %s/h", dir), EX_OK);
	assert_int_equal(command(out, sizeof(out), "huiyin status -C %s/h", dir), EX_UNAVAILABLE);
	assert_non_null(strstr(out, "huiyin up"));
	assert_int_equal(command(out, sizeof(out), "huiyin audit -C %s/h", dir), EX_UNAVAILABLE);
	assert_int_equal(command(out, sizeof(out), "huiyin send -C %s hello", dir), EX_CONFIG);
	test_rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(init_makes_an_installation_that_every_daemon_accepts_and_keeps_it_the_second_time),
		cmocka_unit_test(keys_are_added_and_revoked_and_the_file_stays_good),
		cmocka_unit_test(a_fault_in_the_configuration_starts_nothing_and_is_told_once),
		cmocka_unit_test(wrong_usage_is_64_and_says_what_was_probably_meant),
		cmocka_unit_test(every_verb_has_help_with_an_example),
		cmocka_unit_test(without_daemons_asking_is_69_and_says_how_to_start_them),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
