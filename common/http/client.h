/* An HTTP client on libcurl's multi interface, driven by our loop: calls run side by side, connections are kept and used again, nothing waits
 * inside a call. Only http and https, no redirects, no proxy from the environment. Private and loopback addresses are refused at connect time
 * unless the owner of the configuration named them (reliability.md rule 32). One per thread.
 * A call on a kept connection that turns out to be dead before a byte of the answer goes again on a fresh one, a POST too: give those an id that the
 * other side knows a repeat by. */
#ifndef HY_HTTP_CLIENT_H
#define HY_HTTP_CLIENT_H

#include "base/bytes.h"
#include "base/err.h"
#include "loop/loop.h"

struct hy_http_client;
struct hy_http_call;

struct hy_http_client_options {
	struct hy_loop *loop;
	bool private_ok;          /* loopback and private addresses may be spoken to */
	int connections;          /* to one host; 0 = 8. More calls wait their turn */
	const char *ca_file;      /* PEM of authorities to trust instead of the system's; NULL = the system's */
};
int hy_http_client_open(struct hy_http_client **out, const struct hy_http_client_options *o, struct hy_fault *f);
/* Calls that are still out are told HY_UNREACHABLE (their done() is called). */
void hy_http_client_close(struct hy_http_client **c);

struct hy_http_outcome {
	int err;                  /* HY_OK: an answer came, whatever its status. HY_UNREACHABLE, HY_TIMEOUT, HY_FORBIDDEN (the address), HY_TOO_LARGE ... */
	int status;
	int64_t retry_after_ms;   /* of Retry-After, both forms; 0 = not said */
	struct hy_bytes body;     /* until done() returns */
	const char *content_type; /* "" when absent */
	const char *words;        /* what went wrong, for a person; "" when nothing */
};

struct hy_http_question {
	const char *method, *url;
	const char *const *headers; /* "Name: value", NULL-terminated; copied */
	struct hy_bytes body;     /* copied */
	int64_t timeout_ms;       /* of the whole call; 0 = 10 s. The connection alone: 3 s at most */
	size_t answer_max;        /* 0 = 64 KiB */
	void (*done)(void *arg, const struct hy_http_outcome *o); /* exactly once, from a loop turn; may ask again */
	void *arg;
};
/* HY_BAD_INPUT: no such URL or a control character in a header; then done() is not called. */
int hy_http_ask(struct hy_http_client *c, const struct hy_http_question *q, struct hy_http_call **out, struct hy_fault *f);
/* The call is let go: done() is not called. Not from within its own done(). NULL is fine. `out` of hy_http_ask() may be NULL for who never does this. */
void hy_http_cancel(struct hy_http_call **call);

#endif
