/* The framing guard trusts distances inside libmicrohttpd's buffer. Before the first server opens, a private one is fed good and bad heads
 * over a socket pair. If the guard refuses a good one or misses a bad one, this library lays heads out differently, and we don't start:
 * a service that is down is noticed, a guard that sees nothing is not. */
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http/inner.h"

static void on_selftest(struct hy_request *q, void *arg)
{
	int *calls = arg;
	(*calls)++;
	hy_http_reply(q, 202, NULL, hy_bytes(NULL, 0));
}

static const struct hy_route routes[] = {
	{ .method = "POST", .pattern = "/t", .body_max = 64, .handle = on_selftest },
	{ 0 },
};

#define HOST "Host: a\r\n"
#define BODY "Content-Length: 2\r\n\r\nhi"
/* Every case has a NUL-proof length; the second piece, if any, is sent after the server has looked at the first. */
// clang-format off
static const struct {
	struct hy_bytes first, second;
	bool good;
} cases[] = {
	{ HY_LIT("POST /t HTTP/1.1\r\n" HOST BODY), HY_LIT(""), true },
	{ HY_LIT("POST /t?a=%41&b HTTP/1.1\r\n" HOST "X-Empty:\r\nX-Tab:\tv w \r\n" BODY), HY_LIT(""), true },
	{ HY_LIT("POST /t HTTP/1.1\r\nHo"), HY_LIT("st: a\r\n" BODY), true },
	{ HY_LIT("POST /t HTTP/1.1\r"), HY_LIT("\n" HOST BODY), true },
	{ HY_LIT("POST /t HTTP/1.1\n" HOST BODY), HY_LIT(""), false },
	{ HY_LIT("POST /t HTTP/1.1\r\nHost: a\n" BODY), HY_LIT(""), false },
	{ HY_LIT("POST /t HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\nhi"), HY_LIT(""), false },
	{ HY_LIT("POST /t HTTP/1.1\r\n" HOST "X: a\r\n b\r\n" BODY), HY_LIT(""), false },
	{ HY_LIT("POST /t HTTP/1.1\r\n" HOST "X: a\0b\r\n" BODY), HY_LIT(""), false },
	{ HY_LIT("POST /t HTTP/1.1\r\n" HOST "X : a\r\n" BODY), HY_LIT(""), false },
	{ HY_LIT("POST /t\0 HTTP/1.1\r\n" HOST BODY), HY_LIT(""), false },
	{ HY_LIT("POST  /t HTTP/1.1\r\n" HOST BODY), HY_LIT(""), false },
	{ HY_LIT("POST /t HTTP/1.1\r\n" HOST "Content-Length: 2\r\n" BODY), HY_LIT(""), false },
};
// clang-format on

static void turns(struct hy_http *h)
{
	for (int i = 0; i < 4; i++)
		http_turn(h);
}

static void send_piece(struct hy_http *h, int fd, struct hy_bytes piece)
{
	if (piece.size && send(fd, piece.data, piece.size, MSG_NOSIGNAL) == (ssize_t)piece.size)
		turns(h);
}

/* True when the answer and the handler's calls are as they should be. */
static bool try_case(struct hy_http *h, size_t i, const int *calls)
{
	int fd[2], before = *calls;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fd) != 0)
		return false;
	struct sockaddr_in from = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	char answer[32] = "";
	/* Takes fd[1] over in any case. */
	if (MHD_add_connection(h->daemon, fd[1], (struct sockaddr *)&from, sizeof(from)) == MHD_YES) {
		turns(h);
		send_piece(h, fd[0], cases[i].first);
		send_piece(h, fd[0], cases[i].second);
		ssize_t got = recv(fd[0], answer, sizeof(answer) - 1, 0);
		answer[got > 0 ? got : 0] = 0;
	}
	close(fd[0]);
	turns(h);
	const char *want = cases[i].good ? "HTTP/1.1 202 " : "HTTP/1.1 4";
	return !strncmp(answer, want, strlen(want)) && *calls == before + cases[i].good;
}

static struct hy_fault verdict;

static void run(void)
{
	int calls = 0;
	struct hy_http *h = calloc(1, sizeof(*h));
	if (!h) {
		hy_fail(&verdict, HY_NO_MEMORY, "out of memory");
		return;
	}
	h->arg = &calls;
	h->connections_max = h->per_address = h->requests_max = 16;
	for (int i = 0; i < HTTP_PHASES; i++)
		h->list[i].length_ms = 60000;
	http_routes_compile(h, routes);
	if (h->routes)
		http_daemon_start(h, -1, &verdict);
	else
		hy_fail(&verdict, HY_NO_MEMORY, "out of memory");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]) && verdict.err == HY_OK; i++)
		if (!try_case(h, i, &calls))
			hy_fail(&verdict, HY_CONFIG,
				"libmicrohttpd %s lays request heads out in a way that the framing guard "
				"does not know (case %zu); it is written for 0.9.75",
				MHD_get_version(), i);
	http_server_free(h);
}

int http_selftest(struct hy_fault *f)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, run);
	if (f && verdict.err)
		*f = verdict;
	return verdict.err;
}
