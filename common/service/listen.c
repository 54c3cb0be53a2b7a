/* Sockets that the service manager listens on for us: it may open ports below 1024, which we may not, and it keeps those who connect while
 * we restart waiting instead of turning them away. */
#include "service/daemon.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#ifdef HY_SYSTEMD
#include <systemd/sd-daemon.h>
#endif

#include "log/log.h"

#ifdef HY_SYSTEMD
/* A fault leaves the socket alone, and the caller opens its own. */
static bool usable(int fd, const char *name)
{
	int flags = fcntl(fd, F_GETFL);
	if (sd_is_socket(fd, AF_UNSPEC, SOCK_STREAM, 1) > 0 && flags >= 0 &&
		fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0)
		return true;
	hy_warn("service.socket",
		"name=%s reason=\"what the service manager handed over is no listening stream socket\"", name);
	return false;
}
#endif

int hy_daemon_listen_fd(const struct hy_daemon *d, const char *name)
{
	int found = 0;
#ifdef HY_SYSTEMD
	char **names = NULL;
	int count = d->offline ? 0 : sd_listen_fds_with_names(0, &names);
	for (int i = 0; i < count; i++) {
		int fd = SD_LISTEN_FDS_START + i;
		if (strcmp(names[i], name) == 0) {
			if (found)
				hy_warn("service.socket",
					"name=%s reason=\"more than one is handed over; the first is used\"", name);
			else if (usable(fd, name))
				found = fd;
		}
		free(names[i]);
	}
	free(names);
#else
	(void)d, (void)name;
#endif
	return found;
}
