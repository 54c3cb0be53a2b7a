// link: hy_service
/* Where a daemon finds its secrets: handed over by what started it, else in the installation's keys/. */
#include "support/test.h"

#include "base/seal.h"
#include "service/daemon.h"

#include <fcntl.h>
#include <sys/stat.h>

struct fx {
	char *dir;
	char credentials[300];
	struct hy_daemon *daemon;
};

static void put(struct fx *fx, const char *folder, const char *name, char byte, mode_t mode)
{
	char path[500], content[32];
	memset(content, byte, sizeof(content));
	snprintf(path, sizeof(path), "%s/%s/%s", fx->dir, folder, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, content, sizeof(content)), sizeof(content));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static int setup(void **state)
{
	struct fx *fx = calloc(1, sizeof(*fx));
	char path[300];
	fx->dir = test_mkdir();
	fx->daemon = calloc(1, sizeof(*fx->daemon));
	snprintf(fx->daemon->dir, sizeof(fx->daemon->dir), "%s", fx->dir);
	snprintf(path, sizeof(path), "%s/keys", fx->dir);
	mkdir(path, 0700);
	snprintf(fx->credentials, sizeof(fx->credentials), "%s/credentials", fx->dir);
	mkdir(fx->credentials, 0700);
	put(fx, "keys", "contact.key", 'k', 0600);
	setenv("CREDENTIALS_DIRECTORY", fx->credentials, 1);
	*state = fx;
	return 0;
}

static int teardown(void **state)
{
	struct fx *fx = *state;
	unsetenv("CREDENTIALS_DIRECTORY");
	test_rmdir(fx->dir);
	free(fx->daemon);
	free(fx);
	return 0;
}

/* The first byte of the secret that the daemon gets, or the error. */
static int secret(struct fx *fx)
{
	struct hy_secret k;
	struct hy_fault f = { 0 };
	int err = hy_daemon_secret(fx->daemon, "contact.key", &k, &f);
	return err ? err : k.b[0];
}

static void what_was_handed_over_comes_before_the_installations_keys(void **state)
{
	struct fx *fx = *state;
	put(fx, "credentials", "contact.key", 'c', 0400);
	assert_int_equal(secret(fx), 'c');
}

static void an_access_list_shows_up_as_group_bits_and_is_fine(void **state)
{
	struct fx *fx = *state;
	put(fx, "credentials", "contact.key", 'c', 0440);
	assert_int_equal(secret(fx), 'c');
}

static void a_credential_that_anybody_may_read_is_refused(void **state)
{
	struct fx *fx = *state;
	put(fx, "credentials", "contact.key", 'c', 0444);
	assert_int_equal(secret(fx), HY_FORBIDDEN);
}

static void without_it_the_key_of_the_installation_counts(void **state)
{
	struct fx *fx = *state;
	put(fx, "credentials", "other.key", 'o', 0400); /* handed over for something else */
	assert_int_equal(secret(fx), 'k');
	unsetenv("CREDENTIALS_DIRECTORY");
	assert_int_equal(secret(fx), 'k');
	put(fx, "keys", "contact.key", 'k', 0640);
	assert_int_equal(secret(fx), HY_FORBIDDEN);
}

static void words(struct fx *fx, const char *folder, const char *text, size_t size, mode_t mode)
{
	char path[500];
	snprintf(path, sizeof(path), "%s/%s/door.curve", fx->dir, folder);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, size), size);
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static void a_secret_of_words_comes_without_the_newline_behind_it(void **state)
{
	struct fx *fx = *state;
	struct hy_fault f = { 0 };
	char out[8];
	assert_int_equal(hy_daemon_secret_text(fx->daemon, "door.curve", out, sizeof(out), &f), HY_CONFIG);
	words(fx, "keys", "secret\n", 7, 0600);
	assert_int_equal(hy_daemon_secret_text(fx->daemon, "door.curve", out, sizeof(out), &f), HY_OK);
	assert_string_equal(out, "secret");
	words(fx, "keys", "seven77\n", 8, 0600);
	assert_int_equal(hy_daemon_secret_text(fx->daemon, "door.curve", out, sizeof(out), &f), HY_OK);
	assert_string_equal(out, "seven77");
	words(fx, "credentials", "handed", 6, 0440);
	assert_int_equal(hy_daemon_secret_text(fx->daemon, "door.curve", out, sizeof(out), &f), HY_OK);
	assert_string_equal(out, "handed");
}

static void a_secret_of_words_that_is_empty_too_long_or_open_to_others_is_refused(void **state)
{
	struct fx *fx = *state;
	static const struct {
		const char *text;
		size_t size;
		mode_t mode;
		int err;
	} wrong[] = { { "\n", 1, 0600, HY_CONFIG }, { "", 0, 0600, HY_CONFIG }, { "12345678", 8, 0600, HY_CONFIG },
		{ "a\0b", 3, 0600, HY_CONFIG }, { "secret", 6, 0644, HY_FORBIDDEN } };
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		struct hy_fault f = { 0 };
		char out[8];
		words(fx, "keys", wrong[i].text, wrong[i].size, wrong[i].mode);
		assert_int_equal(hy_daemon_secret_text(fx->daemon, "door.curve", out, sizeof(out), &f), wrong[i].err);
		assert_non_null(strstr(f.text, "door.curve"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(what_was_handed_over_comes_before_the_installations_keys),
		TEST(an_access_list_shows_up_as_group_bits_and_is_fine),
		TEST(a_credential_that_anybody_may_read_is_refused),
		TEST(without_it_the_key_of_the_installation_counts),
		TEST(a_secret_of_words_comes_without_the_newline_behind_it),
		TEST(a_secret_of_words_that_is_empty_too_long_or_open_to_others_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
