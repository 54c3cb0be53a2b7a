/* What the files of this module share: the server, its connections, its requests. Nobody outside includes it.
 *
 * Who owns what: libmicrohttpd owns a connection and tells us when it begins and ends; struct http_conn is our shadow of it, with its
 * deadline and its place in the count of its address. A request is ours. It lives until two are done with it: libmicrohttpd
 * (`mhd` becomes NULL) and a handler that answers later (`held` becomes false), in either order; so an answer that comes after the client
 * has gone, or after the server was closed, meets a request that still exists and simply ends it.
 * Everything a handler may look at (head, path, body) is copied into the request, so no view points into libmicrohttpd's memory. */
#ifndef HY_HTTP_INNER_H
#define HY_HTTP_INNER_H

#include <microhttpd.h>
#include <netinet/in.h>

#include "http/http.h"
#include "http/inflate.h"

#define HTTP_LINE_MAX ((size_t)2048) /* the request target */
#define HTTP_HEAD_MAX ((size_t)8192)
#define HTTP_FIELDS_MAX 64
#define HTTP_FORM_FIELDS_MAX 200
#define HTTP_SEGMENTS_MAX 16 /* of a path; longer ones match no route */
#define HTTP_PAD ((size_t)64) /* zero bytes behind a body, for the JSON parser */
/* A body we refuse is read to its end up to this size, or the size that would have been taken, so that the client sees the answer. */
#define HTTP_DRAIN_MAX ((size_t)1 << 20)
/* A streamed body has body_ms again each time so many bytes a second have come in that time, and no more than so many times body_ms. */
#define HTTP_STREAM_RATE ((size_t)16 << 10)
#define HTTP_STREAM_TIMES 8
/* All bodies together: a body that grows beyond SMALL stops at LARGE, so that small ones still pass when large ones have had their share. */
#define HTTP_SMALL_BODY ((size_t)256 << 10)
#define HTTP_BODIES_LARGE ((size_t)64 << 20)
#define HTTP_BODIES_MAX ((size_t)128 << 20)
/* Connections above the limit that are told 503 in peace, within so long; the rest is cut off at once. */
#define HTTP_OVER_MAX 64
#define HTTP_OVER_MS 1000
#define HTTP_SPARE_MAX 256 /* finished requests kept for the next ones */

/* Where a connection stands; each phase has a fixed length, so a list in order of arrival is in order of its deadlines. */
enum http_phase {
	HTTP_IDLE, /* waits for a request line: idle_ms */
	HTTP_HEAD, /* has the request line: head_ms */
	HTTP_BODY, /* has the head: body_ms */
	HTTP_STREAM, /* the body goes to the handler as it comes: body_ms, again and again while it is fast enough */
	HTTP_WAIT, /* a handler will answer: answer_ms, then we do */
	HTTP_SEND, /* the answer is on its way: answer_ms */
	HTTP_OVER, /* one too many: HTTP_OVER_MS for everything */
	HTTP_PHASES,
	HTTP_GONE = HTTP_PHASES, /* shut down, in no list, until libmicrohttpd notices */
};

struct http_list {
	struct http_conn *first, *last;
	int64_t length_ms;
};

/* How many connections (or requests, behind a proxy) an address has. IPv6 counts by /64: that is what one household gets. */
struct http_address {
	uint8_t b[16];
};
struct http_place {
	struct http_place *next;
	struct http_address address;
	int count;
};
#define HTTP_BUCKETS 4096
struct http_places {
	struct http_place *bucket[HTTP_BUCKETS];
	uint64_t seed;
};
struct http_trusted {
	struct http_address address;
	unsigned bits;
};

struct http_conn {
	struct hy_http *h;
	struct http_conn *prev, *next;
	struct http_place *place;
	struct hy_request *request; /* NULL between two */
	enum http_phase phase;
	int64_t due_ms;
	int fd, requests;
	bool over;
	struct http_address address;
	struct http_certificate *certificate; /* NULL with plain HTTP */
	char peer[INET6_ADDRSTRLEN];
};

struct http_segment {
	const char *text;
	size_t size;
	bool param;
};
struct http_route {
	const struct hy_route *row;
	struct http_segment segment[HTTP_SEGMENTS_MAX];
	int segments, params;
};

enum http_state {
	HTTP_NEW, /* only the request line is known */
	HTTP_READING, /* the head passed the guard; with an answer already there, the body is read and thrown away */
	HTTP_HANDLING, /* inside the handler */
	HTTP_WAITING, /* suspended */
	HTTP_ANSWERED, /* resumed: libmicrohttpd will ask for the answer */
	HTTP_SENT, /* queued */
};

/* Offsets into hy_request.text: it may move while the head is being taken apart. */
struct http_span {
	uint32_t at, size;
};
struct http_field {
	struct http_span name, value; /* each followed by a NUL */
};

struct hy_request {
	struct hy_http *h; /* NULL after the server was closed */
	struct MHD_Connection *mhd; /* NULL once libmicrohttpd is done with it */
	struct http_conn *conn; /* NULL with `mhd` */
	struct hy_request *next; /* among the spare ones, or the orphans */
	const struct http_route *route;
	struct http_place *forwarded; /* counts against the address behind a trusted proxy */
	void *note;
	enum http_state state;
	bool held, close, chunked, expects;
	bool cors; /* its path may be called by pages of other origins */
	bool headed; /* head() was called ... */
	bool handled; /* ... and handle() too: else dropped() is owed */
	const char *target_at; /* where libmicrohttpd has the raw target: only compared */
	uint64_t length; /* Content-Length, 0 without */
	struct hy_buffer text; /* target, head, decoded path, parameters, query: one after the other */
	struct http_span target, method, path;
	struct http_span segment[HTTP_SEGMENTS_MAX];
	int segments;
	struct http_span param[HTTP_SEGMENTS_MAX];
	struct hy_buffer body; /* unless it is streamed */
	bool (*piece)(struct hy_request *q, struct hy_bytes bytes, void *arg); /* it is */
	struct http_inflate *inflate; /* of a compressed body */
	size_t body_max, body_size; /* bytes, as the handler sees them */
	size_t wire; /* bytes of the body that have come, as they came ... */
	size_t thrown; /* ... of them, those of a refused one */
	size_t window; /* of them, those since the deadline was last put off */
	int64_t stream_until_ms; /* and it is never put off past this */
	char peer[INET6_ADDRSTRLEN];

	struct hy_buffer headers; /* of the answer: name NUL value NUL ... */
	struct MHD_Response *answer;
	int status; /* 0 until answered */

	/* Last: they count their entries, so that a spare request is zeroed up to here only. */
	struct http_field query[HTTP_FIELDS_MAX];
	struct http_field field[HTTP_FIELDS_MAX];
	int queries, fields;
};

struct hy_http {
	struct MHD_Daemon *daemon;
	struct hy_loop *loop; /* NULL in the self-test */
	int epoll_fd, port;
	struct http_route *routes;
	int route_count;
	void *arg;
	int connections_max, per_address, requests_max, over;
	bool running; /* inside http_turn() */
	bool resumed; /* a connection waits to be taken up again */
	bool closing;
	char **origins; /* those that may call routes with `cors`, ended by NULL */
	bool any_origin; /* "*" is among them */
	struct http_tls *tls; /* NULL: plain HTTP */
	struct http_trusted *trusted;
	int trusted_count;
	struct http_places direct, forwarded;
	struct http_list list[HTTP_PHASES];
	struct hy_request *spare;
	struct hy_request *orphans; /* finished for the client, while a handler still holds them */
	int spares;
	size_t bodies; /* bytes held by bodies, and by what inflates them */
	struct hy_http_counts counts;
};

/* framing.c: NULL when head and wire agree; else a sentence for the client, and the status. Fills the request's fields. */
const char *http_guard(struct hy_request *q, const char *method, const char *version, int *status);
bool http_token_text(const char *text, size_t size); /* letters of a header name or a method, one at least */
bool http_host_text(const char *text, size_t size);
/* selftest.c: HY_OK when the guard sees through this libmicrohttpd, once per process. */
int http_selftest(struct hy_fault *f);

/* server.c */
int http_daemon_start(struct hy_http *h, int listen_fd, struct hy_fault *f);
void http_server_free(struct hy_http *h);
int64_t http_turn(void *arg);
void http_resume(struct hy_request *q);
void http_release(struct hy_request *q); /* frees it, or keeps it as a spare, when nobody needs it any more */

/* body.c */
/* After the head: whether its body can be taken as it is announced. Else the answer is made. */
void http_body_expect(struct hy_request *q);
enum MHD_Result http_body_take(struct hy_request *q, const char *data, size_t size); /* MHD_NO: enough of it */
void http_body_end(struct hy_request *q); /* after its last byte: ready for the handler, or the answer is made */
void http_body_free(struct hy_request *q);

/* listen.c: a listening socket for "host:port", not blocking. */
int http_listen(const char *listen, int *fd, struct hy_fault *f);

/* tls.c: *out stays NULL without files. */
struct http_tls;
struct http_certificate;
int http_tls_open(struct http_tls **out, const char *certificate, const char *key, struct hy_fault *f);
void http_tls_free(struct http_tls **t);
struct http_certificate *http_tls_begin(struct http_tls *t, struct MHD_Connection *mhd); /* NULL: it can't be served */
void http_tls_end(struct http_certificate *c); /* of the connection */
#define HTTP_TLS_OPTIONS 2
void http_tls_options(struct MHD_OptionItem out[static HTTP_TLS_OPTIONS]); /* for libmicrohttpd */

/* address.c */
bool http_address_parse(const char *text, size_t size, struct http_address *out);
struct http_address http_address_of(const struct sockaddr *sa);
void http_address_text(const struct http_address *a, char out[static INET6_ADDRSTRLEN]);
bool http_address_loopback(const struct http_address *a);
int http_trusted_parse(struct hy_http *h, const char *const *list, struct hy_fault *f);
bool http_trusted(const struct hy_http *h, const struct http_address *a);
bool http_within(const struct http_address *a, const struct http_trusted *network);
/* NULL: it has `max` already. */
struct http_place *http_place_take(struct http_places *p, const struct http_address *a, int max);
void http_place_leave(struct http_places *p, struct http_place *place);
/* The address that speaks: the peer, or what trusted proxies say stands behind it. True when it is a forwarded one. */
bool http_speaker(const struct hy_request *q, struct http_address *out);

/* connection.c */
void http_phase(struct http_conn *c, enum http_phase phase);
int64_t http_deadlines(struct hy_http *h); /* serves those due; ms until the next, or -1 */
void http_shut(struct http_conn *c);
void http_on_connection(
	void *cls, struct MHD_Connection *mhd, void **context, enum MHD_ConnectionNotificationCode what);

/* target.c: the path taken apart and decoded, the query too. A sentence when it can't be. */
const char *http_target(struct hy_request *q);
/* Appends `in` to `out` decoded, with '+' as a space when `plus`; false on a bad escape, a NUL, or text that isn't UTF-8. */
bool http_decode(struct hy_bytes in, bool plus, struct hy_buffer *out);

/* route.c */
void http_routes_compile(struct hy_http *h, const struct hy_route *rows);
/* Finds the route, or answers 404, 405, or a preflight. */
void http_route(struct hy_request *q);

/* cors.c */
int http_origins_parse(struct hy_http *h, const char *const *list, struct hy_fault *f);
void http_origins_free(struct hy_http *h);
bool http_is_preflight(const struct hy_request *q);
void http_preflight(struct hy_request *q, const char *methods); /* answers */
void http_cors_headers(struct hy_request *q); /* adds to the answer what a page's browser wants to read */

/* reply.c */
/* Our own answer, in the handler's place: `held` stays as it is. */
void http_refuse(struct hy_request *q, int status, const char *name, const char *detail);
void http_busy(struct hy_request *q, const char *detail); /* 503 with Retry-After */
void http_done(struct hy_request *q, int status); /* without a body */
enum MHD_Result http_send(struct hy_request *q); /* queues the answer */

static inline const char *http_text(const struct hy_request *q, struct http_span s)
{
	return (const char *)q->text.data + s.at;
}

#endif
