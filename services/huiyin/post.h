/* The collector's door as this command comes to it: http.listen of huiyin.yaml and an API key, over common/http's client. One question at a time and
 * its answer, for who waits anyway; `huiyin import` keeps several on their way (sender.h). */
#ifndef HUIYIN_POST_H
#define HUIYIN_POST_H

#include "base/bytes.h"
#include "base/err.h"

#define POST_ANSWER_MAX ((size_t)16 << 20)

/* "http://127.0.0.1:8080" for a `listen` as in huiyin.yaml: "127.0.0.1:8080", "[::1]:8080", ":8080"; an address for everybody is reached over
 * loopback. HY_CONFIG. */
int post_base(const char *listen, char *out, size_t room, struct hy_fault *f);
/* The door of the installation in `dir`: its base, and the key in `key_file` (NULL: DIR/keys/app-default.key). A collector with TLS of its own is called
 * by the name in public_url, which its certificate holds, and that certificate is trusted. HY_CONFIG, HY_NOT_FOUND. */
struct post_door {
	char base[600], key[256], ca_file[1100]; /* ca_file: empty = plain HTTP */
};
int post_door(const char *dir, const char *key_file, struct post_door *out, struct hy_fault *f);

/* Its base for people, without the scheme. */
const char *post_place(const struct post_door *door);

struct post;
struct post_answer {
	int status;
	int64_t retry_after_ms; /* 0 = not said */
	struct hy_buffer body;
};

/* The connection is made by the first request. The caller owns *out. */
int post_open(struct post **out, const struct post_door *door, struct hy_fault *f);
void post_close(struct post **p);

/* Sends one request and waits for its answer, in *out (its body's memory is kept for the next; the caller frees it). `body` may be empty.
 * HY_UNREACHABLE: nobody listens there, or the connection broke off. HY_TIMEOUT, HY_BAD_INPUT (no HTTP). After HY_OK the status tells. */
int post_send(struct post *p, const char *method, const char *path, struct hy_bytes body, struct post_answer *out,
	struct hy_fault *f);

/* What the answer says went wrong, for a person: the problem's detail, else the status. */
void post_problem(int status, struct hy_bytes body, char *out, size_t room);

#endif
