/* An HTTP/1.1 server on libmicrohttpd, driven by our loop: external epoll, one thread, reference/http.md's fifteen rules.
 * It refuses ambiguous framing, bounds everything (head, body, connections, total time), and lets a handler answer later:
 * the handler takes the request, gives it to whoever does the work, and hy_http_reply() in the server thread answers it.
 * Handlers run at the start of a loop turn, before the loop waits. Who gathers a turn's requests to hand them over together does so in a
 * hy_loop_watch_time() call registered after hy_http_open(): it comes after them, and before the wait.
 *
 * Refused with 400 and the connection closed: whatever two readers could take differently (bare LF, folds, NUL, two lengths or hosts ...).
 * HTTP/1.1 only. `Transfer-Encoding: chunked` is taken alone and exactly so; such a request is the last of its connection.
 * Bodies take memory as they arrive, 128 MiB for all connections together (those above 256 KiB: 64 MiB), then 503. Streamed ones take none, inflating
 * one takes 44 KiB while it arrives.
 *
 * A route is a row: method, pattern ("/v1/feedback/{id}"), the largest body, and its handler. Unknown paths get 404, known paths with another
 * method 405 with Allow, both as application/problem+json (RFC 9457). HEAD is served as GET without the body, OPTIONS by the routes. */
#ifndef HY_HTTP_H
#define HY_HTTP_H

#include "base/bytes.h"
#include "base/err.h"
#include "loop/loop.h"

struct hy_http;
struct hy_request;

struct hy_route {
	const char *method, *pattern;
	size_t body_max;              /* bytes; 0 = no body taken */
	/* Called once, with the whole body there. Must answer before it returns, or call hy_http_later() and answer afterwards. */
	void (*handle)(struct hy_request *q, void *arg);
	/* NULL, or asked when the head is there and before the body is read: answers (an error) or does nothing. Where keys, rates and content types are
	 * checked (hy_http_peer() is known), and where hy_http_stream() is called. It comes before the size and the coding of the body are looked at:
	 * a stranger learns nothing about them. */
	void (*head)(struct hy_request *q, void *arg);
	/* NULL, or told once that the request ends without `handle` after head() was called, whoever refused it or left: what head() or a piece put
	 * into the note goes here. It answers nothing; the note is all there is to ask for. */
	void (*dropped)(struct hy_request *q, void *arg);
	bool inflate; /* takes Content-Encoding gzip and deflate; body_max counts what comes out: past it 413, a broken one 400. Without it, and for
	               * other codings: 415 */
	bool cors;    /* browsers of the listed origins may call it: preflights are answered, answers carry Access-Control-Allow-Origin */
};

/* In head(): the body is not gathered. `piece` gets it as it arrives, inflated, in pieces of 1 byte to 16 KiB; `handle` follows with an empty body. A
 * piece may answer (an error) and return false: the rest is thrown away. `body_max` takes the place of the route's.
 * A streamed body has body_ms, and body_ms again for each 16 KiB/s * body_ms that have come (240 KiB in 15 s), up to 8 * body_ms (two minutes). */
void hy_http_stream(struct hy_request *q, size_t body_max, bool (*piece)(struct hy_request *q, struct hy_bytes bytes, void *arg));

struct hy_http_options {
	struct hy_loop *loop;
	const char *listen;           /* "127.0.0.1:8080", "[::1]:8080", ":8080"; port 0 = any, see hy_http_port() */
	int listen_fd;                /* > 0: already listening (socket activation); it is taken over */
	const struct hy_route *routes; /* ends with a NULL method */
	void *arg;
	int connections;              /* 0 = 4,096 in all */
	int per_address;              /* 0 = 32; loopback and trusted proxies 2,048 */
	const char *const *trusted;   /* addresses of proxies whose X-Forwarded-For counts; NULL = none */
	int64_t head_ms, body_ms, answer_ms, idle_ms; /* total deadlines; 0 = 5 s, 15 s, 30 s, 15 s */
	int requests;                 /* per connection; 0 = 10,000 */
	const char *const *origins;   /* whose pages may call routes with `cors`: "https://app.example", "*"; NULL = none */
	const char *tls_certificate, *tls_key; /* PEM files: TLS 1.2 and later instead of plain HTTP; NULL = plain. A changed file counts from the next connection on */
};

/* HY_IN_USE when the address is taken; the fault names it. */
int hy_http_open(struct hy_http **out, const struct hy_http_options *o, struct hy_fault *f);
/* Stops listening, answers what is there (2 s at most), closes. Requests still held with hy_http_later() are told 503; their hy_http_reply()
 * afterwards is still owed and only gives the memory back. */
void hy_http_close(struct hy_http **h);
int hy_http_port(const struct hy_http *h);
struct hy_http_counts {
	uint64_t requests, refused_framing, refused_full, timed_out, status[6]; /* status[2] = 2xx ... */
	int connections;
};
struct hy_http_counts hy_http_counts(const struct hy_http *h);

/* ---- the request; views live until it is answered ---- */
const char *hy_http_method(const struct hy_request *q);
const char *hy_http_path(const struct hy_request *q);       /* without the query, decoded */
const char *hy_http_param(const struct hy_request *q, const char *name); /* {id} of the pattern, decoded; "" when absent */
const char *hy_http_query(const struct hy_request *q, const char *name); /* NULL when absent */
const char *hy_http_header(const struct hy_request *q, const char *name); /* NULL when absent; several: the first */
struct hy_bytes hy_http_body(const struct hy_request *q);   /* HY_JSON_PAD (64) spare bytes behind it */
const char *hy_http_peer(const struct hy_request *q);       /* address, the forwarded one behind a trusted proxy */
void *hy_http_note(const struct hy_request *q);             /* what the handler left with hy_http_set_note() */
void hy_http_set_note(struct hy_request *q, void *note);

/* application/x-www-form-urlencoded: the field's decoded value in `out` (NUL-terminated, UTF-8 checked), or HY_NOT_FOUND, HY_TOO_LARGE, HY_BAD_INPUT. */
int hy_http_form(const struct hy_request *q, const char *name, char *out, size_t room);

/* ---- the answer ---- */
/* In the handler: the answer comes later. Exactly one hy_http_reply() or hy_http_problem() is owed, whatever happened meanwhile: the client may
 * have left, or got our 503 after answer_ms; the request and its views hold until then. */
void hy_http_later(struct hy_request *q);
/* Adds a header to the answer; before hy_http_reply(). Values with control characters panic: they are ours. */
void hy_http_add_header(struct hy_request *q, const char *name, const char *value);
/* Answers; `body` is copied. The request is gone afterwards. From the server thread only. */
void hy_http_reply(struct hy_request *q, int status, const char *content_type, struct hy_bytes body);
/* Answers with application/problem+json: type "/problems/NAME", title by the status, detail, and `errors` (JSON array text, may be NULL). */
void hy_http_problem(struct hy_request *q, int status, const char *name, const char *detail, const char *errors_json);

#endif
