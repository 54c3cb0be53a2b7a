/* A service's handlers in a test: its daemon opened offline in a fresh directory (temporary store, no links, no threads), fed by hand.
 *     struct fx *fx = fx_open(&router_service, &router, YAML);
 *     fx_feed(fx, "classification", envelope);
 *     assert_int_equal(fx_count(fx, "ticket"), ...);
 * Time stands still at FX_NOW until fx_wait(). Outputs are read from the daemon's own log. */
#ifndef HY_TESTS_FIXTURE_H
#define HY_TESTS_FIXTURE_H

#include "support/test.h"

#include "base/clock.h"
#include "service/service.h"

#define FX_NOW INT64_C(1767225600000) /* 2026-01-01T00:00:00Z */

struct fx {
	char *dir;
	struct hy_daemon *daemon;
	const struct hy_service *service;
	void *self;
	struct hy_arena *arena;  /* of what fx_outputs() hands out */
	Huiyin__Envelope **outputs;
	size_t output_count;
	int64_t now_ms;
};

static inline void fx_write(const char *dir, const char *name, const char *text)
{
	char path[4096];
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static inline void fx_start(struct fx *fx)
{
	struct hy_fault f = { 0 };
	struct hy_daemon_options o = { .dir = fx->dir, .offline = true };
	if (hy_daemon_open(&fx->daemon, fx->service, fx->self, &o, &f) != HY_OK)
		fail_msg("%s", f.text);
}

/* `yaml` may be NULL: an empty configuration. `self` is the service's state, zeroed by the caller; a restart hands it in again after `close`. */
static inline struct fx *fx_open(const struct hy_service *service, void *self, const char *yaml)
{
	struct fx *fx = calloc(1, sizeof(*fx));
	assert_non_null(fx);
	fx->dir = test_mkdir();
	fx->service = service;
	fx->self = self;
	fx->arena = hy_arena_new((size_t)256 << 20);
	fx->now_ms = FX_NOW;
	hy_clock_stand(fx->now_ms);
	fx_write(fx->dir, "huiyin.yaml", yaml ? yaml : "{}\n");
	return fx;
}

static inline void fx_close(struct fx *fx)
{
	hy_daemon_close(&fx->daemon);
	hy_arena_free(&fx->arena);
	free(fx->outputs);
	test_rmdir(fx->dir);
	free(fx);
	hy_clock_stand(-1);
}

/* The process ends and starts again on the same store. */
static inline void fx_restart(struct fx *fx)
{
	hy_daemon_close(&fx->daemon);
	fx_start(fx);
}

/* Time passes; what falls due is done. */
static inline void fx_wait(struct fx *fx, int64_t ms)
{
	fx->now_ms += ms;
	hy_clock_stand(fx->now_ms);
	assert_int_equal(hy_daemon_tick(fx->daemon), HY_OK);
}

static inline int fx_feed(struct fx *fx, const char *stream, const Huiyin__Envelope *e)
{
	struct hy_buffer b = { 0 };
	assert_int_equal(hy_wire_pack(&e->base, &b), HY_OK);
	int err = hy_daemon_feed(fx->daemon, stream, hy_buffer_view(&b));
	hy_buffer_free(&b);
	return err;
}

static inline int fx_collect(const struct hy_record *r, void *arg)
{
	struct fx *fx = arg;
	fx->outputs = realloc(fx->outputs, (fx->output_count + 1) * sizeof(*fx->outputs));
	assert_non_null(fx->outputs);
	struct hy_fault f = { 0 };
	if (hy_wire_open(fx->arena, r->bytes, &fx->outputs[fx->output_count], &f) != HY_OK)
		fail_msg("an output breaks the gate: %s", f.text);
	fx->output_count++;
	return HY_OK;
}

/* Everything the service has put on its stream so far; the count. */
static inline size_t fx_outputs(struct fx *fx)
{
	uint64_t at;
	hy_arena_reset(fx->arena);
	fx->output_count = 0;
	struct hy_txn *t = hy_txn_begin(hy_daemon_store(fx->daemon), HY_READ);
	struct hy_stream_state s = hy_stream_state(hy_daemon_output(fx->daemon));
	assert_int_equal(hy_stream_read(hy_daemon_output(fx->daemon), t, s.oldest - 1, fx_collect, fx, &at), HY_OK);
	hy_txn_abort(&t);
	return fx->output_count;
}

/* A command: its code; the answer's JSON (the caller gives the reference back) when `out` is not NULL. */
static inline int fx_ask(struct fx *fx, const char *verb, const char *const *arguments, json_t **out)
{
	const char *text = NULL;
	int err = hy_daemon_ask(fx->daemon, verb, arguments, &text);
	if (out)
		*out = err ? NULL : json_loads(text, JSON_DECODE_ANY, NULL);
	return err;
}

#endif
