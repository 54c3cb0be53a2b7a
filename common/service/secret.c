/* Where a daemon's secrets are: what started it hands them over as systemd does, in a directory that only this daemon can enter, or they stand
 * in the installation's keys/. */
#include "base/seal.h"
#include "service/service.h"

#include <stdlib.h>
#include <unistd.h>

int hy_daemon_secret(const struct hy_daemon *d, const char *name, struct hy_secret *out, struct hy_fault *f)
{
	const char *handed = getenv("CREDENTIALS_DIRECTORY");
	char path[2200];
	/* A manager may have handed over something else alone: then keys/ is as good as without it. */
	if (handed && snprintf(path, sizeof(path), "%s/%s", handed, name) < (int)sizeof(path) &&
		access(path, F_OK) == 0)
		return hy_secret_load_credential(path, out, f);
	snprintf(path, sizeof(path), "keys/%s", name);
	return hy_secret_load(hy_daemon_path(d, path), out, f);
}
