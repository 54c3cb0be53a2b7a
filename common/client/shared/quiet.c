/* In the shared library only: its own copy of common/log says nothing, since standard error belongs to the app. */
#include "log/log.h"

#include <stddef.h>

static void drop(const char *line, void *arg)
{
	(void)line;
	(void)arg;
}

static __attribute__((constructor)) void keep_quiet(void)
{
	hy_log_capture(drop, NULL);
}
