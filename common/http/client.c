/* Calls of the HTTP client: each is one transfer of libcurl's with its answer's bytes. libcurl keeps the connections and lets calls to a busy
 * host wait; bounds, checks and what an outcome means are here. */
#include "http/client.h"

#include <stdlib.h>

#include "base/text.h"
#include "http/curl.h"

enum {
	CONNECTIONS = 8,
	KEPT = 64,
	TIMEOUT_MS = 10000,
	CONNECT_MS = 3000,
	GRACE_MS = 100,
	HEAD_MAX = 64 << 10,
	METHOD_MAX = 16
};
#define ANSWER_MAX ((size_t)64 << 10)

struct hy_http_call {
	struct http_transfer transfer; /* first: http_transfer's ended() gets back here */
	struct hy_http_client *client;
	struct hy_http_call *prev, *next;
	struct curl_slist *headers;
	struct hy_buffer body, words;
	size_t answer_max, head_size;
	int64_t due_ms; /* by http_curl_clock() */
	bool too_large, head_ended;
	void (*done)(void *arg, const struct hy_http_outcome *o);
	void *arg;
};

struct hy_http_client {
	struct http_curl *curl;
	struct hy_loop *loop;
	struct hy_http_call *calls; /* that are out */
	bool private_ok, closing;
	char *ca_file;
};

static int64_t on_time(void *arg);

int hy_http_client_open(struct hy_http_client **out, const struct hy_http_client_options *o, struct hy_fault *f)
{
	*out = NULL;
	struct hy_http_client *c = calloc(1, sizeof(*c));
	if (!c)
		return hy_fail(f, HY_NO_MEMORY, "out of memory");
	c->private_ok = o->private_ok;
	c->loop = o->loop;
	int err = HY_OK;
	if (o->ca_file && !(c->ca_file = strdup(o->ca_file)))
		err = hy_fail(f, HY_NO_MEMORY, "out of memory");
	if (!err)
		err = http_curl_open(&c->curl, o->loop, o->connections ? o->connections : CONNECTIONS, KEPT, f);
	if (!err && hy_loop_watch_time(c->loop, on_time, c) != HY_OK)
		err = hy_fail(f, HY_NO_MEMORY, "out of memory");
	if (err)
		hy_http_client_close(&c);
	*out = c;
	return err;
}

static void call_free(struct hy_http_call *call)
{
	struct hy_http_client *c = call->client;
	if (call->prev)
		call->prev->next = call->next;
	else if (c->calls == call)
		c->calls = call->next;
	if (call->next)
		call->next->prev = call->prev;
	http_transfer_close(&call->transfer);
	curl_slist_free_all(call->headers);
	hy_buffer_free(&call->body);
	hy_buffer_free(&call->words);
	free(call);
}

void hy_http_client_close(struct hy_http_client **c)
{
	if (!*c)
		return;
	(*c)->closing = true;
	while ((*c)->calls) {
		struct hy_http_call *call = (*c)->calls;
		struct hy_http_outcome o = {
			.err = HY_UNREACHABLE, .content_type = "", .words = "the client was closed"
		};
		http_transfer_stop(&call->transfer);
		call->done(call->arg, &o);
		call_free(call);
	}
	hy_loop_unwatch_time((*c)->loop, on_time, *c);
	http_curl_close(&(*c)->curl);
	free((*c)->ca_file);
	free(*c);
	*c = NULL;
}

static void on_ended(struct http_transfer *t, CURLcode code)
{
	struct hy_http_call *call = (struct hy_http_call *)t;
	struct hy_http_outcome o = { .err = http_transfer_err(t, code), .content_type = "", .words = "" };
	if (code == CURLE_WRITE_ERROR)
		o.err = call->too_large ? HY_TOO_LARGE : HY_NO_MEMORY;
	if (o.err == HY_OK && !call->head_ended) /* a connection that closes within the head is no error to libcurl */
		o.err = HY_UNREACHABLE;
	if (o.err == HY_OK) {
		long status = 0;
		curl_off_t after_s = 0;
		char *type = NULL;
		curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
		curl_easy_getinfo(t->easy, CURLINFO_RETRY_AFTER, &after_s);
		curl_easy_getinfo(t->easy, CURLINFO_CONTENT_TYPE, &type);
		o.status = (int)status;
		o.retry_after_ms = after_s <= 0 ? 0 : after_s < INT32_MAX ? after_s * 1000 : (int64_t)INT32_MAX * 1000;
		o.content_type = type ? type : "";
		o.body = hy_buffer_view(&call->body);
	} else {
		const char *words = http_transfer_words(t, code);
		if (call->too_large)
			words = "the answer is larger than its limit";
		else if (code == CURLE_OK)
			words = "the connection broke within the answer";
		hy_text_line(&call->words, hy_bytes_text(words)); /* it may quote the server */
		o.words = hy_buffer_string(&call->words);
	}
	/* Its place among the connections is free before done() asks again. */
	http_transfer_stop(t);
	call->done(call->arg, &o);
	call_free(call);
}

/* libcurl forgets the time while a call waits for a connection; here it is kept, a little later, so that otherwise libcurl's words are heard. */
static int64_t on_time(void *arg)
{
	struct hy_http_client *c = arg;
	int64_t now_ms = http_curl_clock(), wait_ms = -1;
	for (struct hy_http_call *call = c->calls; call;) {
		int64_t left_ms = call->due_ms - now_ms;
		if (left_ms <= 0) {
			on_ended(&call->transfer, CURLE_OPERATION_TIMEDOUT);
			call = c->calls; /* whatever done() did to the list */
			wait_ms = -1;
			continue;
		}
		wait_ms = wait_ms < 0 || left_ms < wait_ms ? left_ms : wait_ms;
		call = call->next;
	}
	return wait_ms;
}

static size_t on_body(char *data, size_t one, size_t size, void *arg)
{
	struct hy_http_call *call = arg;
	if (size * one > call->answer_max - call->body.size) {
		call->too_large = true;
		return 0;
	}
	hy_buffer_put(&call->body, data, size * one);
	return call->body.err == HY_OK ? size * one : 0;
}

/* Nothing of it is kept, but an endless head must end, and one that breaks off be noticed. */
static size_t on_head(char *data, size_t one, size_t size, void *arg)
{
	struct hy_http_call *call = arg;
	if (size * one >= 5 && memcmp(data, "HTTP/", 5) == 0) /* one after a 100 is another head */
		call->head_ended = false;
	else if (size * one == 2 && memcmp(data, "\r\n", 2) == 0)
		call->head_ended = true;
	call->head_size += size * one;
	call->too_large = call->too_large || call->head_size > HEAD_MAX;
	return call->head_size > HEAD_MAX ? 0 : size * one;
}

/* ---- asking ---- */

static bool url_ok(const char *url)
{
	for (const char *p = url; *p; p++)
		if ((unsigned char)*p <= ' ' || *p == 0x7f)
			return false;
	CURLU *u = curl_url();
	char *scheme = NULL, *host = NULL;
	bool ok = u && curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK &&
		  curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
		  curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK && *host &&
		  (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0);
	curl_free(scheme);
	curl_free(host);
	curl_url_cleanup(u);
	return ok;
}

static bool method_ok(const char *method)
{
	size_t size = strspn(method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
	return size && size <= METHOD_MAX && !method[size];
}

/* "Name: value": a token, a colon, no control characters. */
static bool header_ok(const char *header)
{
	size_t name = strspn(header, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_");
	if (!name || header[name] != ':')
		return false;
	for (const char *p = header; *p; p++)
		if (((unsigned char)*p < ' ' && *p != '\t') || *p == 0x7f)
			return false;
	return true;
}

static int check(const struct hy_http_question *q, struct hy_fault *f)
{
	if (!method_ok(q->method))
		return hy_fail(f, HY_BAD_INPUT, "the method is no word in capitals");
	/* Not quoted: what follows the host is often a secret. */
	if (!url_ok(q->url))
		return hy_fail(f, HY_BAD_INPUT, "this is no URL with http:// or https://, a host and no blanks");
	for (const char *const *h = q->headers; h && *h; h++)
		if (!header_ok(*h))
			return hy_fail(f, HY_BAD_INPUT, "a header is not \"Name: value\" without control characters");
	return HY_OK;
}

static bool add_header(struct hy_http_call *call, const char *header)
{
	struct curl_slist *grown = curl_slist_append(call->headers, header);
	if (grown)
		call->headers = grown;
	return grown;
}

static bool all_headers(struct hy_http_call *call, const struct hy_http_question *q)
{
	bool typed = false;
	for (const char *const *h = q->headers; h && *h; h++) {
		typed = typed || strncasecmp(*h, "Content-Type:", 13) == 0;
		if (!add_header(call, *h))
			return false;
	}
	/* libcurl would add a form's type, and wait a second for "100 Continue" before a larger body. */
	return (typed || add_header(call, "Content-Type:")) && add_header(call, "Expect:");
}

static int set_options(struct hy_http_call *call, const struct hy_http_question *q)
{
	CURL *e = call->transfer.easy;
	int64_t timeout_ms = q->timeout_ms ? q->timeout_ms : TIMEOUT_MS;
	bool bare = strcmp(q->method, "GET") == 0 || strcmp(q->method, "HEAD") == 0;
	CURLcode code = CURLE_OK;
#define SET(option, value) (code = code ? code : curl_easy_setopt(e, option, value))
	SET(CURLOPT_URL, q->url);
	SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(CURLOPT_USERAGENT, "huiyin/" HY_VERSION);
	SET(CURLOPT_TIMEOUT_MS, (long)timeout_ms);
	SET(CURLOPT_CONNECTTIMEOUT_MS, (long)(timeout_ms < CONNECT_MS ? timeout_ms : CONNECT_MS));
	SET(CURLOPT_WRITEFUNCTION, on_body);
	SET(CURLOPT_WRITEDATA, call);
	SET(CURLOPT_HEADERFUNCTION, on_head);
	SET(CURLOPT_HEADERDATA, call);
	SET(CURLOPT_HTTPHEADER, call->headers);
	if (strcmp(q->method, "HEAD") == 0)
		SET(CURLOPT_NOBODY, 1L);
	if (!bare || q->body.size) {
		SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)q->body.size);
		SET(CURLOPT_COPYPOSTFIELDS, q->body.size ? (const char *)q->body.data : "");
		SET(CURLOPT_CUSTOMREQUEST, q->method);
	}
#undef SET
	return code ? HY_NO_MEMORY : HY_OK;
}

int hy_http_ask(
	struct hy_http_client *c, const struct hy_http_question *q, struct hy_http_call **out, struct hy_fault *f)
{
	if (out)
		*out = NULL;
	int err = c->closing ? hy_fail(f, HY_BAD_STATE, "the client is being closed") : check(q, f);
	if (err)
		return err;
	struct hy_http_call *call = calloc(1, sizeof(*call));
	if (!call)
		return hy_fail(f, HY_NO_MEMORY, "out of memory");
	call->client = c;
	call->done = q->done;
	call->arg = q->arg;
	call->answer_max = q->answer_max ? q->answer_max : ANSWER_MAX;
	call->due_ms = http_curl_clock() + (q->timeout_ms ? q->timeout_ms : TIMEOUT_MS) + GRACE_MS;
	call->transfer.private_ok = c->private_ok;
	call->transfer.ended = on_ended;
	call->next = c->calls;
	if (c->calls)
		c->calls->prev = call;
	c->calls = call;
	err = http_transfer_open(&call->transfer, c->curl, "http,https", c->ca_file);
	if (!err && !all_headers(call, q))
		err = HY_NO_MEMORY;
	if (!err)
		err = set_options(call, q);
	if (!err)
		err = http_transfer_start(&call->transfer);
	if (err) {
		call_free(call);
		return hy_fail(f, err, "%s", hy_err_text(err));
	}
	if (out)
		*out = call;
	return HY_OK;
}

void hy_http_cancel(struct hy_http_call **call)
{
	if (!*call)
		return;
	call_free(*call);
	*call = NULL;
}
