/* The other end of the control socket: what commands use to ask a running daemon. */
#include "service/daemon.h"

#include <stdlib.h>
#include <unistd.h>

void ask_fill(Huiyin__Ask *ask, struct ask_words *words, const struct hy_id *id, const char *verb,
	const char *const *name_value_pairs)
{
	huiyin__ask__init(ask);
	ask->id = (ProtobufCBinaryData){ sizeof(id->b), (uint8_t *)(uintptr_t)id->b };
	ask->verb = (char *)(uintptr_t)verb;
	ask->arguments = words->list;
	for (const char *const *p = name_value_pairs; p && p[0]; p += 2) {
		HY_ASSERT(ask->n_arguments < ASK_WORDS);
		Huiyin__Argument *a = &words->rows[ask->n_arguments];
		huiyin__argument__init(a);
		a->name = (char *)(uintptr_t)p[0];
		a->value = (char *)(uintptr_t)p[1];
		words->list[ask->n_arguments++] = a;
	}
}

/* The connection comes up in the background: until then there is nobody to send to. */
static int send_ask(struct hy_socket *s, const Huiyin__Ask *ask, int64_t until)
{
	struct hy_buffer frame = { 0 };
	int err = hy_wire_pack(&ask->base, &frame);
	if (err == HY_OK)
		while ((err = hy_socket_send(s, hy_bytes(NULL, 0), hy_buffer_view(&frame))) != HY_OK &&
			hy_mono_ms() < until)
			usleep(2000);
	hy_buffer_free(&frame);
	return err;
}

/* The answer to `id`; what else comes is an answer to somebody who asked on this connection and gave up. */
static int await_answer(
	struct hy_socket *s, struct hy_arena *arena, const struct hy_id *id, int64_t until, Huiyin__Answer **answer)
{
	for (;;) {
		struct hy_bytes message;
		int64_t left = until - hy_mono_ms();
		int err = hy_socket_receive(s, left > 0 ? left : 0, &message);
		if (err)
			return err;
		hy_arena_reset(arena);
		if (hy_wire_unpack(arena, &huiyin__answer__descriptor, message, answer, NULL) == HY_OK &&
			hy_id_equal(HY_ID_FROM_PB((*answer)->id), *id))
			return HY_OK;
	}
}

int hy_ask_daemon(const char *dir, const char *daemon, const char *verb, const char *const *name_value_pairs,
	const struct hy_id *id, int64_t timeout_ms, char **json, struct hy_fault *f)
{
	char endpoint[1300];
	snprintf(endpoint, sizeof(endpoint), "ipc://%s/run/%s.ctl.sock", dir, daemon);
	*json = NULL;
	if (access(endpoint + 6, F_OK) != 0)
		return hy_fail(f, HY_UNREACHABLE,
			"the %s does not run here (%s is missing); start it with `huiyin up %s`", daemon, endpoint + 6,
			dir);
	struct hy_ids ids = { 0 };
	struct hy_id own = id ? *id : hy_id_new(&ids, hy_now_ms());
	struct ask_words words;
	Huiyin__Ask ask;
	Huiyin__Answer *answer;
	ask_fill(&ask, &words, &own, verb, name_value_pairs);
	struct hy_socket *s = NULL;
	struct hy_socket_options o = { .kind = HY_CALLER, .endpoint = endpoint, .frame_max = (size_t)64 << 20 };
	struct hy_arena *arena = hy_arena_new((size_t)256 << 20);
	int64_t until = hy_mono_ms() + timeout_ms;
	int err = hy_socket_open(&s, &o, f);
	if (err == HY_OK) {
		err = send_ask(s, &ask, until);
		if (err == HY_OK)
			err = await_answer(s, arena, &own, until, &answer);
		if (err) {
			err = err == HY_TIMEOUT ? HY_TIMEOUT : HY_UNREACHABLE;
			hy_fail(f, err, "the %s did not answer within %" PRId64 " ms; `huiyin status` tells more",
				daemon, timeout_ms);
		} else if (answer->code) {
			err = hy_fail(f, answer->code, "%s", answer->text);
		} else if (!(*json = strdup(answer->json))) {
			err = hy_fail(f, HY_NO_MEMORY, "no memory for the answer");
		}
	}
	hy_socket_close(&s);
	hy_arena_free(&arena);
	return err;
}
