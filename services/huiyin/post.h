/* A small HTTP/1.1 client for the collector's door: plain sockets, one kept-alive connection, one request at a time. It speaks to the
 * address in http.listen and to nothing else; whoever needs more of HTTP than this uses common/http. */
#ifndef HUIYIN_POST_H
#define HUIYIN_POST_H

#include "base/bytes.h"
#include "base/err.h"

#define POST_ANSWER_MAX ((size_t)16 << 20)

struct post;
struct post_answer {
	int status;
	int64_t retry_after_ms; /* 0 = not said */
	struct hy_buffer body;
};

/* `listen` as in huiyin.yaml: "127.0.0.1:8080", "[::1]:8080", ":8080"; an address for everybody is reached over loopback. The connection
 * is made by the first request. The caller owns *out. */
int post_open(struct post **out, const char *listen, const char *key, struct hy_fault *f);
void post_close(struct post **p);

/* Sends one request and reads its whole answer into *out (its body's memory is kept for the next; the caller frees it). `body` may be
 * empty. HY_UNREACHABLE: nobody listens there. HY_TIMEOUT, HY_BAD_INPUT (no HTTP). After HY_OK the status tells. A connection that the
 * server has closed in between is made again once: what is sent must be harmless to send twice. */
int post_send(struct post *p, const char *method, const char *path, struct hy_bytes body, struct post_answer *out,
	struct hy_fault *f);

/* What the answer says went wrong, for a person: the problem's detail, else the status. */
void post_problem(const struct post_answer *a, char *out, size_t room);

#endif
