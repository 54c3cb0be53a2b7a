// link: hy_log
#include "support/test.h"

#include "base/clock.h"
#include "log/log.h"

#include <errno.h>
#include <pthread.h>

static char captured[16384];

static void keep(const char *line, void *arg)
{
	snprintf(captured, sizeof(captured), "%s", line);
	++*(int *)arg;
}

static int stand(void **state)
{
	static int lines;
	lines = 0;
	captured[0] = '\0';
	*state = &lines;
	hy_clock_stand(1769846400123);
	hy_log_open("notifier", HY_INFO, 0);
	hy_log_capture(keep, &lines);
	return 0;
}

static int let_go(void **state)
{
	(void)state;
	hy_log_capture(NULL, NULL);
	hy_clock_stand(-1);
	return 0;
}

static void a_line_has_time_level_program_event_and_fields(void **state)
{
	(void)state;
	hy_info("notice.told", "notice=%s tries=%d", "018f", 2);
	assert_string_equal(captured, "2026-01-31T08:00:00.123Z info  notifier notice.told notice=018f tries=2");
	hy_error("store.full", "%s", "");
	assert_string_equal(captured, "2026-01-31T08:00:00.123Z error notifier store.full");
}

static void below_the_level_nothing_is_formatted(void **state)
{
	int evaluated = 0;
	hy_debug("step", "n=%d", ++evaluated);
	assert_int_equal(*(int *)*state, 0);
	assert_int_equal(evaluated, 0);
	hy_log_open("notifier", HY_DEBUG, 0);
	hy_debug("step", "n=%d", ++evaluated);
	assert_int_equal(*(int *)*state, 1);
}

static void customer_text_cannot_forge_a_line(void **state)
{
	hy_warn("text.odd", "text=%s", "hello\n2026-01-31T08:00:00.123Z info  notifier notice.told\x1b[2J 你好");
	assert_int_equal(*(int *)*state, 1);
	assert_null(strchr(captured, '\n'));
	assert_null(strchr(captured, '\x1b'));
	assert_non_null(strstr(captured, "text=hello\\n2026"));
	assert_non_null(strstr(captured, "\\u{1b}[2J 你好"));
}

static void a_long_line_is_kept_up_to_8_kib_and_cut_between_characters(void **state)
{
	(void)state;
	static char text[30001];
	memset(text, 'x', 3000);
	text[3000] = '\0';
	hy_info("long", "text=%s", text);
	assert_int_equal(strlen(captured), strlen("2026-01-31T08:00:00.123Z info  notifier long text=") + 3000);
	for (size_t i = 0; i < 10000; i++)
		memcpy(text + 3 * i, "\xe8\xbf\x9f", 3);
	text[30000] = '\0';
	hy_info("long", "text=%s", text);
	size_t size = strlen(captured);
	assert_true(size > 8000 && size < 8192);
	assert_string_equal(captured + size - 7, "\xe8\xbf\x9f ...");
}

static void every_length_around_the_stacks_room_arrives_whole(void **state)
{
	(void)state;
	static char text[2001];
	size_t head = strlen("2026-01-31T08:00:00.123Z info  notifier n ");
	for (size_t size = 900; size < 2000; size++) {
		memset(text, 'y', size);
		text[size] = '\0';
		hy_info("n", "%s", text);
		assert_int_equal(strlen(captured), head + size);
		assert_string_equal(captured + head, text);
	}
}

static void a_log_line_leaves_errno_alone(void **state)
{
	(void)state;
	errno = ENOSPC;
	hy_info("x", "text=%s", "换行\n");
	assert_int_equal(errno, ENOSPC);
}

static void levels_are_words(void **state)
{
	(void)state;
	enum hy_level level;
	assert_true(hy_log_level_parse("debug", &level));
	assert_int_equal(level, HY_DEBUG);
	assert_true(hy_log_level_parse("WARN", &level));
	assert_int_equal(level, HY_WARN);
	assert_false(hy_log_level_parse("loud", &level));
	assert_false(hy_log_level_parse("", &level));
	assert_false(hy_log_level_parse(NULL, &level));
}

static void colour_comes_only_when_asked_for(void **state)
{
	(void)state;
	hy_log_open("notifier", HY_INFO, 1);
	hy_error("x", "a=%d", 1);
	assert_non_null(strstr(captured, "\033[1;31merror\033[0m notifier x a=1"));
	hy_log_open("notifier", HY_INFO, 0);
	hy_error("x", "a=%d", 1);
	assert_null(strchr(captured, '\033'));
}

static void *talk(void *arg)
{
	for (int i = 0; i < 500; i++)
		hy_info("thread.line", "who=%s i=%03d text=0123456789", (const char *)arg, i);
	return NULL;
}

static void lines_of_several_threads_stay_whole(void **state)
{
	(void)state;
	hy_log_capture(NULL, NULL);
	char path[] = "/tmp/huiyin-log-XXXXXX";
	int file = mkstemp(path), saved = dup(STDERR_FILENO);
	assert_true(file >= 0 && saved >= 0);
	unlink(path);
	fflush(stderr);
	dup2(file, STDERR_FILENO);
	pthread_t threads[4];
	const char *const names[4] = { "a", "b", "c", "d" };
	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, talk, (void *)(uintptr_t)names[i]);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	dup2(saved, STDERR_FILENO);
	close(saved);
	lseek(file, 0, SEEK_SET);
	FILE *in = fdopen(file, "r");
	char line[256];
	int lines = 0;
	const char *head = "2026-01-31T08:00:00.123Z info  notifier thread.line who=";
	size_t whole = strlen(head) + strlen("a i=000 text=0123456789\n");
	while (fgets(line, sizeof(line), in)) {
		assert_int_equal(strlen(line), whole);
		assert_memory_equal(line, head, strlen(head));
		lines++;
	}
	fclose(in);
	assert_int_equal(lines, 2000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_line_has_time_level_program_event_and_fields, stand, let_go),
		cmocka_unit_test_setup_teardown(below_the_level_nothing_is_formatted, stand, let_go),
		cmocka_unit_test_setup_teardown(customer_text_cannot_forge_a_line, stand, let_go),
		cmocka_unit_test_setup_teardown(
			a_long_line_is_kept_up_to_8_kib_and_cut_between_characters, stand, let_go),
		cmocka_unit_test_setup_teardown(every_length_around_the_stacks_room_arrives_whole, stand, let_go),
		cmocka_unit_test_setup_teardown(a_log_line_leaves_errno_alone, stand, let_go),
		cmocka_unit_test_setup_teardown(levels_are_words, stand, let_go),
		cmocka_unit_test_setup_teardown(colour_comes_only_when_asked_for, stand, let_go),
		cmocka_unit_test_setup_teardown(lines_of_several_threads_stay_whole, stand, let_go),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
