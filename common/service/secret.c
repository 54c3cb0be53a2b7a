/* Where a daemon's secrets are: what started it hands them over as systemd does, in a directory that only this daemon can enter, or they stand
 * in the installation's keys/. */
#include "base/seal.h"
#include "service/service.h"

#include <stdlib.h>
#include <unistd.h>

/* Whether it was handed over. A manager may have handed over something else alone: then keys/ is as good as without it. */
static bool handed_over(const char *name, char *path, size_t room)
{
	const char *dir = getenv("CREDENTIALS_DIRECTORY");
	return dir && snprintf(path, room, "%s/%s", dir, name) < (int)room && access(path, F_OK) == 0;
}

int hy_daemon_secret(const struct hy_daemon *d, const char *name, struct hy_secret *out, struct hy_fault *f)
{
	char path[2200];
	if (handed_over(name, path, sizeof(path)))
		return hy_secret_load_credential(path, out, f);
	snprintf(path, sizeof(path), "keys/%s", name);
	return hy_secret_load(hy_daemon_path(d, path), out, f);
}

int hy_daemon_secret_text(const struct hy_daemon *d, const char *name, char *out, size_t room, struct hy_fault *f)
{
	char path[2200];
	if (handed_over(name, path, sizeof(path)))
		return hy_secret_load_text_credential(path, out, room, f);
	snprintf(path, sizeof(path), "keys/%s", name);
	return hy_secret_load_text(hy_daemon_path(d, path), out, room, f);
}
