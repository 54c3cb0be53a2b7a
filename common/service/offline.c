/* A daemon without links, threads or a control socket: driven by hand, for tests. */
#include "service/daemon.h"

int hy_daemon_feed(struct hy_daemon *d, const char *stream, struct hy_bytes record)
{
	struct input *in = NULL;
	for (size_t i = 0; i < d->input_count; i++)
		if (strcmp(d->inputs[i].def->stream, stream) == 0)
			in = &d->inputs[i];
	if (!in)
		hy_panic("%s does not read %s", d->service->name, stream);
	struct work w = { .input = in, .record = { .seq = ++in->fed, .bytes = record } };
	return step_feed(d, &w);
}

int hy_daemon_tick(struct hy_daemon *d)
{
	struct hy_txn *t = hy_txn_begin(d->db, HY_READ);
	timers_load(d, t);
	hy_txn_abort(&t);
	do {
		enum step_result result;
		while ((result = step_run(d)) == STEP_DONE)
			;
		if (result == STEP_LATER)
			return HY_BUSY;
		daemon_work(d);
	} while (jobs_wait(&d->jobs) || jobs_wait(&d->posts));
	return HY_OK;
}

int hy_daemon_ask(struct hy_daemon *d, const char *verb, const char *const *name_value_pairs, const char **json)
{
	struct ask_words words;
	Huiyin__Ask ask;
	struct hy_id id = hy_step_id(&(struct hy_step){ .daemon = d, .now_ms = hy_now_ms() });
	ask_fill(&ask, &words, &id, verb, name_value_pairs);
	struct hy_fault f = { 0 };
	int err = control_run(d, &ask, &d->answer, &f);
	if (err) {
		hy_buffer_clear(&d->answer);
		hy_buffer_text(&d->answer, f.text);
	}
	if (json)
		*json = hy_buffer_string(&d->answer);
	return err;
}
