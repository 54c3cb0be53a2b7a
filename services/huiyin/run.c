/* huiyin train, eval, classify: the classifier's own tools, run in its program. */
#include "huiyin.h"

#include <errno.h>
#include <unistd.h>

int huiyin_tool(int argc, char **argv)
{
	char program[4200];
	char **list = calloc((size_t)argc + 3, sizeof(*list));
	const char *verb = strrchr(argv[0], ' ');
	if (!list)
		return EX_OSERR;
	huiyin_program("classifier", program, sizeof(program));
	list[0] = program;
	list[1] = (char *)(uintptr_t) "--tool";
	list[2] = (char *)(uintptr_t)(verb ? verb + 1 : argv[0]);
	for (int i = 1; i < argc; i++)
		list[i + 2] = argv[i];
	fflush(NULL);
	execv(program, list);
	fprintf(stderr, "%s: %s: can't run it: %s; it belongs beside this program\n", argv[0], program,
		strerror(errno));
	free(list);
	return EX_UNAVAILABLE;
}
