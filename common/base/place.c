#include "base/place.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

bool hy_program_folder(char *out, size_t room)
{
	ssize_t n = readlink("/proc/self/exe", out, room - 1);
	if (n <= 0 || (size_t)n >= room - 1)
		return false;
	out[n] = 0;
	char *slash = strrchr(out, '/');
	if (!slash)
		return false;
	*slash = 0;
	return true;
}

bool hy_share_path(const char *relative, char *out, size_t room)
{
	char folder[1024];
	if (!hy_program_folder(folder, sizeof(folder)))
		return false;
	char *slash = strrchr(folder, '/');
	if (slash)
		*slash = 0;
	int n = snprintf(out, room, "%s/share/huiyin/%s", folder, relative);
	return n > 0 && (size_t)n < room;
}
