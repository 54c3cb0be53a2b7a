#include "post.h"

#include "files.h"
#include "http/client.h"
#include "json/json.h"

#include <stdio.h>
#include <stdlib.h>

#define ANSWER_MS 45000

/* ---- where it is ---- */

int post_base(const char *listen, char *out, size_t room, struct hy_fault *f)
{
	const char *colon = strrchr(listen, ':');
	char host[200];
	if (!colon || !colon[1] || strspn(colon + 1, "0123456789") != strlen(colon + 1) ||
		(size_t)(colon - listen) >= sizeof(host))
		return hy_fail(f, HY_CONFIG, "http.listen: '%s' is not ADDRESS:PORT", listen);
	snprintf(host, sizeof(host), "%.*s", (int)(colon - listen), listen);
	bool plain6 = strchr(host, ':') && host[0] != '[';
	if (!host[0] || strcmp(host, "0.0.0.0") == 0 || strcmp(host, "*") == 0)
		snprintf(host, sizeof(host), "127.0.0.1");
	else if (strcmp(host, "::") == 0 || strcmp(host, "[::]") == 0)
		snprintf(host, sizeof(host), "[::1]"), plain6 = false;
	snprintf(out, room, "http://%s%s%s:%s", plain6 ? "[" : "", host, plain6 ? "]" : "", colon + 1);
	return HY_OK;
}

int post_door(const char *dir, const char *key_file, struct post_door *out, struct hy_fault *f)
{
	struct settings s = { 0 };
	char path[1200];
	snprintf(path, sizeof(path), "%s/keys/app-default.key", dir);
	int err = settings_read(dir, &s, f);
	if (err == HY_OK)
		err = key_load(key_file ? key_file : path, out->key, sizeof(out->key), f);
	if (err == HY_OK)
		err = post_base(s.listen, out->base, sizeof(out->base), f);
	if (err == HY_OK && s.certificate[0]) {
		const char *host = strstr(s.public_url, "://"), *port = strrchr(s.listen, ':');
		host = host ? host + 3 : s.public_url;
		size_t size = host[0] == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":/");
		snprintf(out->base, sizeof(out->base), "https://%.*s%s", (int)size, host, port);
	}
	memcpy(out->ca_file, s.certificate, sizeof(out->ca_file));
	return err;
}

const char *post_place(const struct post_door *door)
{
	const char *place = strstr(door->base, "://");
	return place ? place + 3 : door->base;
}

/* ---- one exchange ---- */

struct post {
	struct post_door door;
	struct hy_loop *loop;
	struct hy_http_client *client;
	bool done; /* with the question in hand */
	int err;
	char words[400];
	struct post_answer *answer;
};

int post_open(struct post **out, const struct post_door *door, struct hy_fault *f)
{
	struct post *p = *out = calloc(1, sizeof(*p));
	if (!p)
		return hy_fail(f, HY_NO_MEMORY, "no memory");
	p->door = *door;
	int err = hy_loop_open(&p->loop);
	struct hy_http_client_options o = { .loop = p->loop,
		.private_ok = true,
		.connections = 1,
		.ca_file = p->door.ca_file[0] ? p->door.ca_file : NULL };
	if (err == HY_OK)
		err = hy_http_client_open(&p->client, &o, f);
	else
		hy_fail(f, err, "no event loop: %s", hy_err_text(err));
	if (err)
		post_close(out);
	return err;
}

void post_close(struct post **p)
{
	if (!*p)
		return;
	hy_http_client_close(&(*p)->client);
	hy_loop_close(&(*p)->loop);
	explicit_bzero((*p)->door.key, sizeof((*p)->door.key));
	free(*p);
	*p = NULL;
}

static void on_answer(void *arg, const struct hy_http_outcome *o)
{
	struct post *p = arg;
	p->done = true;
	p->err = o->err;
	snprintf(p->words, sizeof(p->words), "%s", o->words);
	p->answer->status = o->status;
	p->answer->retry_after_ms = o->retry_after_ms;
	hy_buffer_clear(&p->answer->body);
	hy_buffer_bytes(&p->answer->body, o->body);
}

int post_send(struct post *p, const char *method, const char *path, struct hy_bytes body, struct post_answer *out,
	struct hy_fault *f)
{
	char url[900], authorization[300];
	const char *const headers[] = { authorization, "Accept: application/json",
		body.size ? "Content-Type: application/json" : NULL, NULL };
	snprintf(url, sizeof(url), "%s%s", p->door.base, path);
	snprintf(authorization, sizeof(authorization), "Authorization: Bearer %s", p->door.key);
	p->done = false;
	p->answer = out;
	struct hy_http_question q = { .method = method,
		.url = url,
		.headers = headers,
		.body = body,
		.timeout_ms = ANSWER_MS,
		.answer_max = POST_ANSWER_MAX,
		.done = on_answer,
		.arg = p };
	struct hy_http_call *call = NULL;
	int err = hy_http_ask(p->client, &q, &call, f);
	explicit_bzero(authorization, sizeof(authorization));
	while (err == HY_OK && !p->done)
		err = hy_loop_turn(p->loop, -1);
	if (err) {
		if (!p->done)
			hy_http_cancel(&call);
		return err;
	}
	if (p->err == HY_UNREACHABLE)
		return hy_fail(f, p->err, "the collector does not answer at %s (%s); start it with `huiyin up`",
			post_place(&p->door), p->words);
	return p->err ? hy_fail(f, p->err, "the collector at %s: %s", post_place(&p->door), p->words) : out->body.err;
}

void post_problem(int status, struct hy_bytes body, char *out, size_t room)
{
	json_t *j = json_loadb((const char *)body.data, body.size, 0, NULL), *e;
	const char *detail = json_string_value(json_object_get(j, "detail"));
	size_t i;
	int n = snprintf(out, room, "%s", detail ? detail : "");
	if (!detail)
		n = snprintf(out, room, "the collector answered %d", status);
	json_array_foreach(json_object_get(j, "errors"), i, e)
	{
		const char *pointer = json_string_value(json_object_get(e, "pointer")),
			   *what = json_string_value(json_object_get(e, "detail"));
		if (what && n > 0 && (size_t)n < room)
			n += snprintf(out + n, room - (size_t)n, "%s%s%s%s", i ? "; " : " ", pointer ? pointer : "",
				pointer && *pointer ? ": " : "", what);
	}
	json_decref(j);
}
