#include "service/service.h"

#include <stdlib.h>
#include <unistd.h>

int hy_ask_daemon(const char *dir, const char *daemon, const char *verb, const char *const *name_value_pairs, const struct hy_id *id, int64_t timeout_ms, char **json,
	struct hy_fault *f)
{
	char endpoint[1300];
	snprintf(endpoint, sizeof(endpoint), "ipc://%s/run/%s.ctl.sock", dir, daemon);
	*json = NULL;
	if (access(endpoint + 6, F_OK) != 0)
		return hy_fail(f, HY_UNREACHABLE, "the %s does not run here (%s is missing); start it with `huiyin up %s`", daemon, endpoint + 6, dir);
	struct hy_ids ids = { 0 };
	struct hy_id own = id ? *id : hy_id_new(&ids, hy_now_ms());
	Huiyin__Argument arguments[64], *list[64];
	Huiyin__Ask ask = HUIYIN__ASK__INIT;
	ask.id = HY_ID_TO_PB(own);
	ask.verb = (char *)(uintptr_t)verb;
	ask.arguments = list;
	for (const char *const *p = name_value_pairs; p && p[0] && ask.n_arguments < 64; p += 2) {
		Huiyin__Argument *a = &arguments[ask.n_arguments];
		huiyin__argument__init(a);
		a->name = (char *)(uintptr_t)p[0];
		a->value = (char *)(uintptr_t)p[1];
		list[ask.n_arguments++] = a;
	}
	struct hy_socket *s = NULL;
	struct hy_socket_options o = { .kind = HY_CALLER, .endpoint = endpoint, .frame_max = (size_t)64 << 20 };
	struct hy_buffer frame = { 0 };
	struct hy_bytes message;
	struct hy_arena *arena = hy_arena_new((size_t)256 << 20);
	int err = hy_socket_open(&s, &o, f);
	if (err == HY_OK)
		err = hy_wire_pack(&ask.base, &frame);
	int64_t until = hy_mono_ms() + timeout_ms;
	if (err == HY_OK) {
		/* the connection comes up in the background: until then there is nobody to send to */
		while ((err = hy_socket_send(s, hy_bytes(NULL, 0), hy_buffer_view(&frame))) != HY_OK && hy_mono_ms() < until)
			usleep(2000);
		while (err == HY_OK) {
			int64_t left = until - hy_mono_ms();
			Huiyin__Answer *answer;
			err = hy_socket_receive(s, left > 0 ? left : 0, &message);
			if (err)
				break;
			err = hy_wire_unpack(arena, &huiyin__answer__descriptor, message, &answer, f);
			if (err || !hy_id_equal(HY_ID_FROM_PB(answer->id), own))
				continue;
			err = answer->code;
			if (err)
				hy_fail(f, err, "%s", answer->text);
			else
				*json = strdup(answer->json);
			goto out;
		}
		hy_fail(f, err == HY_TIMEOUT ? HY_TIMEOUT : HY_UNREACHABLE, "the %s did not answer within %" PRId64 " ms; `huiyin status` tells more", daemon, timeout_ms);
		err = err == HY_TIMEOUT ? HY_TIMEOUT : HY_UNREACHABLE;
	}
out:
	hy_socket_close(&s);
	hy_arena_free(&arena);
	hy_buffer_free(&frame);
	return err;
}
