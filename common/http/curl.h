/* libcurl's multi interface on our loop: what the HTTP client and the SMTP engine share. It watches the descriptors that libcurl names, keeps its
 * timer, and tells each transfer when it has ended. Nobody outside common/http includes it.
 *
 * A transfer is a struct http_transfer at the beginning of its owner's structure. http_transfer_open() makes its easy handle with what holds for
 * everything that leaves us: no proxy, no redirect, no signal, TLS 1.2 at least and checked, and the address looked at when the socket is made, after
 * all resolving, so that no spelling and no changing name leads inside (reliability.md rule 32). */
#ifndef HY_HTTP_CURL_H
#define HY_HTTP_CURL_H

#include <curl/curl.h>

#include "base/bytes.h"
#include "base/err.h"
#include "loop/loop.h"

struct http_curl;

/* `connections` to one host at most, 0 = no limit; `kept` idle ones are held for later. */
int http_curl_open(struct http_curl **out, struct hy_loop *loop, long connections, long kept, struct hy_fault *f);
void http_curl_close(struct http_curl **c); /* its transfers are closed before */
/* Milliseconds on the clock that libcurl measures on: a test that stands ours still does not stop the network. */
int64_t http_curl_clock(void);

struct http_transfer {
	CURL *easy;
	struct http_curl *curl;
	bool out;         /* added to the multi handle */
	bool private_ok;
	bool refused;     /* the address was one of ours or of nobody */
	char error[CURL_ERROR_SIZE];
	/* It has ended: from a loop turn, never within another call. It may start, end and free this and other transfers. */
	void (*ended)(struct http_transfer *t, CURLcode code);
};

/* `protocols` for CURLOPT_PROTOCOLS_STR, "http,https". Zeroed before. HY_NO_MEMORY. */
int http_transfer_open(struct http_transfer *t, struct http_curl *c, const char *protocols, const char *ca_file);
int http_transfer_start(struct http_transfer *t);
/* Out of the multi handle: ended() is not called any more; a connection that was only made (CURLOPT_CONNECT_ONLY) is closed. */
void http_transfer_stop(struct http_transfer *t);
void http_transfer_close(struct http_transfer *t); /* stops and frees the easy handle; zeroed or closed already is fine */

/* Ours for libcurl's: HY_UNREACHABLE, HY_TIMEOUT, HY_FORBIDDEN, HY_NO_MEMORY ... */
int http_transfer_err(const struct http_transfer *t, CURLcode code);
/* What went wrong in libcurl's words, for a person. */
const char *http_transfer_words(const struct http_transfer *t, CURLcode code);

/* Loopback, private, link-local, multicast and what is nobody's: the list of rule 32. IPv4 in the clothes of IPv6 counts as refused too. */
bool http_address_private(const struct sockaddr *sa);

#endif
