/* The collector's door without the store behind it: the same HTTP server, the same JSON, the same intake, and an answer at once, which promises nothing. What
 * durability costs is the collector's rate against this one's.
 *     bench-volatile DIR PORT */
#include "bench.h"

#include "base/clock.h"
#include "collector/intake.h"
#include "http/http.h"

#include <signal.h>
#include <sodium.h>
#include <stdlib.h>

struct door {
	struct hy_secret contact, follow_up;
	struct hy_json_reader *json;
	struct hy_arena *arena;
	struct hy_ids ids;
};

static volatile sig_atomic_t stopped;

static void on_signal(int number)
{
	(void)number;
	stopped = 1;
}

static int find_nothing(void *arg, struct hy_id feedback, const uint8_t *person, struct hy_id *ticket)
{
	(void)arg;
	(void)feedback;
	(void)person;
	(void)ticket;
	return HY_NOT_FOUND;
}

static void post(struct hy_request *q, void *arg)
{
	struct door *d = arg;
	const struct hy_json *root;
	struct hy_fault f = { 0 };
	struct item item;
	uint8_t hash[32];
	char id[HY_ID_TEXT];
	const char *key = hy_http_header(q, "Authorization");
	if (!key || crypto_generichash(hash, sizeof(hash), (const uint8_t *)key, strlen(key), NULL, 0) != 0) {
		hy_http_problem(q, 401, "unauthorized", "A key is needed.", NULL);
		return;
	}
	if (hy_json_read(d->json, hy_http_body(q), &root, &f) != HY_OK) {
		hy_http_problem(q, 400, "json", f.text, NULL);
		return;
	}
	hy_arena_reset(d->arena);
	struct intake in = { &d->contact, &d->follow_up, 1, 1, hy_now_ms(), d->arena, find_nothing, NULL };
	intake_feedback(&in, root, &item);
	if (!item.ok) {
		json_decref(item.errors);
		hy_http_problem(q, 422, "invalid", "This can't be accepted.", NULL);
		return;
	}
	hy_id_text(hy_id_new(&d->ids, in.now_ms), id);
	json_t *j = json_pack("{s:i, s:i, s:[], s:[s]}", "accepted", 1, "duplicates", 0, "rejected", "ids", id);
	char *text = json_dumps(j, JSON_COMPACT);
	hy_http_reply(q, 202, "application/json", hy_bytes_text(text));
	free(text);
	json_decref(j);
}

int main(int argc, char **argv)
{
	static const struct hy_route routes[] = { { "POST", "/v1/feedback", 262144, post, NULL }, { 0 } };
	struct door d = { .json = hy_json_reader_new(), .arena = hy_arena_new((size_t)64 << 20) };
	struct hy_loop *loop;
	struct hy_http *http = NULL;
	struct hy_fault f = { 0 };
	char path[1200], listen[64];
	if (argc != 3)
		bench_die("usage: bench-volatile DIR PORT");
	snprintf(path, sizeof(path), "%s/keys/contact.key", argv[1]);
	if (hy_secret_load(path, &d.contact, &f) != HY_OK)
		bench_die("%s", f.text);
	snprintf(path, sizeof(path), "%s/keys/follow-up.key", argv[1]);
	if (hy_secret_load(path, &d.follow_up, &f) != HY_OK)
		bench_die("%s", f.text);
	snprintf(listen, sizeof(listen), "127.0.0.1:%s", argv[2]);
	signal(SIGTERM, on_signal);
	signal(SIGPIPE, SIG_IGN);
	struct hy_http_options o = { .listen = listen, .routes = routes, .arg = &d, .requests = 1000000000 };
	if (hy_loop_open(&loop) != HY_OK)
		bench_die("no loop");
	o.loop = loop;
	if (hy_http_open(&http, &o, &f) != HY_OK)
		bench_die("%s", f.text);
	while (!stopped && hy_loop_turn(loop, 1000) == HY_OK)
		;
	hy_http_close(&http);
	hy_loop_close(&loop);
	hy_json_reader_free(&d.json);
	hy_arena_free(&d.arena);
	return 0;
}
