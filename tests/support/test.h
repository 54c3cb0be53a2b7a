/* cmocka 1.1.5 with the headers it expects first, and the few helpers every test wants. */
#ifndef HY_TESTS_TEST_H
#define HY_TESTS_TEST_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A fresh directory below $TMPDIR, removed with all its files by test_rmdir(). The caller owns the path. */
static inline char *test_mkdir(void)
{
	const char *tmp = getenv("TMPDIR");
	char *path = NULL;
	if (asprintf(&path, "%s/huiyin-test-XXXXXX", tmp ? tmp : "/tmp") < 0 || !mkdtemp(path))
		fail_msg("no temporary directory");
	return path;
}
static inline void test_rmdir(char *path)
{
	char command[4096];
	snprintf(command, sizeof(command), "rm -rf '%s'", path);
	if (system(command) != 0)
		print_error("could not remove %s\n", path);
	free(path);
}

#endif
