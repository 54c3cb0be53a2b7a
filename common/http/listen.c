/* A listening socket from "host:port". Ours rather than libmicrohttpd's, so that the fault can say what is wrong. */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http/inner.h"

#define BACKLOG 1024

static int split(const char *listen, char host[static 128], const char **port, struct hy_fault *f)
{
	const char *colon = listen ? strrchr(listen, ':') : NULL;
	if (!colon || !colon[1] || strspn(colon + 1, "0123456789") != strlen(colon + 1) || atol(colon + 1) > 65535)
		return hy_fail(f, HY_CONFIG,
			"\"%s\" is no address to listen on: write 127.0.0.1:8080, [::1]:8080 or :8080",
			listen ? listen : "");
	const char *from = listen;
	size_t size = (size_t)(colon - listen);
	if (size >= 2 && from[0] == '[' && from[size - 1] == ']') {
		from++;
		size -= 2;
	} else if (memchr(from, ':', size)) {
		return hy_fail(f, HY_CONFIG, "\"%s\": an IPv6 address is written in brackets, [::1]:8080", listen);
	}
	if (size >= 128)
		return hy_fail(f, HY_CONFIG, "\"%s\": the host is too long", listen);
	memcpy(host, from, size);
	host[size] = 0;
	*port = colon + 1;
	return HY_OK;
}

static int try_one(const struct addrinfo *a)
{
	int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -1;
	int yes = 1, no = 0;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (a->ai_family == AF_INET6) /* ":8080" means both families */
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof(no));
	if (bind(fd, a->ai_addr, a->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	int why = errno;
	close(fd);
	errno = why;
	return -1;
}

int http_listen(const char *listen, int *fd, struct hy_fault *f)
{
	char host[128];
	const char *port = "";
	int err = split(listen, host, &port, f);
	if (err)
		return err;
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV }, *all = NULL;
	int rc = getaddrinfo(host[0] ? host : NULL, port, &hints, &all);
	if (rc)
		return hy_fail(f, HY_CONFIG, "can't listen on \"%s\": %s", listen, gai_strerror(rc));
	*fd = -1;
	int why = EADDRNOTAVAIL;
	for (int family = AF_INET6; *fd < 0; family = AF_INET) { /* IPv6 first: with V6ONLY off it takes IPv4 too */
		for (struct addrinfo *a = all; a && *fd < 0; a = a->ai_next) {
			if (a->ai_family != family)
				continue;
			*fd = try_one(a);
			if (*fd < 0 && (why != EADDRINUSE))
				why = errno;
		}
		if (family == AF_INET)
			break;
	}
	freeaddrinfo(all);
	if (*fd >= 0)
		return HY_OK;
	if (why == EADDRINUSE)
		return hy_fail(f, HY_IN_USE,
			"the address %s is taken: another program listens there (`ss -ltnp` shows which)", listen);
	if (why == EACCES)
		return hy_fail(f, HY_FORBIDDEN,
			"not allowed to listen on %s: ports below 1024 need a right to (or use socket activation)",
			listen);
	return hy_fail(f, HY_CONFIG, "can't listen on %s: %s", listen, strerror(why));
}
