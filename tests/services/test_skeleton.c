// link: hy_service
#include "support/fixture.h"

#include "service/daemon.h"

/* Two small services: one that makes records from jobs, one that counts what it reads and can be told to misbehave. */

static const char *const counter_tables[] = { "seen", "due", NULL };

struct counter {
	int fail_with; /* returned for records whose text is "bad" */
	int fired, prepared, unprepared;
	int again; /* how often a due row puts itself back, due at once */
	int bad_row; /* the due row of this record number is refused */
	int steps; /* commits */
};

static struct hy_id record_id(uint32_t n)
{
	struct hy_id id = { { 0 } };
	hy_be_put64(id.b, (uint64_t)FX_NOW << 16);
	id.b[12] = n >> 24, id.b[13] = n >> 16, id.b[14] = n >> 8, id.b[15] = n;
	return id;
}

static int on_feedback(struct hy_step *s, void *self)
{
	struct counter *c = self;
	c->prepared += s->prepared == s->in;
	c->unprepared += !s->prepared;
	hy_txn_count(s->txn, "seen", HY_PB(s->in->id), 1, NULL);
	if (strcmp(s->in->feedback->remark->text, "bad") == 0)
		return c->fail_with;
	Huiyin__Classification ours = HUIYIN__CLASSIFICATION__INIT;
	ours.at_ms = s->now_ms;
	ours.language = "en";
	struct hy_key due = { 0 };
	hy_key_u64(&due, (uint64_t)s->now_ms + 1000);
	hy_key_bytes(&due, s->in->id.data, 16);
	hy_txn_put(s->txn, "due", hy_key_view(&due), HY_PB(s->in->id));
	return hy_step_forward(s, HY_FIELD_CLASSIFICATION, &ours.base);
}

static void *prepare(const Huiyin__Envelope *in, const void *view, struct hy_arena *a, void *worker)
{
	(void)view, (void)a, (void)worker;
	return (void *)(uintptr_t)in;
}

static int on_due(struct hy_step *s, struct hy_bytes key, struct hy_bytes row, void *self)
{
	struct counter *c = self;
	c->fired++;
	if (c->bad_row && row.data[15] == c->bad_row)
		return HY_BAD_STATE;
	return c->again-- > 0 ? hy_txn_put(s->txn, "due", key, row) : HY_OK;
}

static int run_add(struct hy_step *s, struct hy_ask *a, void *self)
{
	(void)self;
	int64_t n;
	hy_txn_count(s->txn, "seen", HY_LIT("added"), hy_ask_int(a, "by", 1), &n);
	if (hy_ask_has(a, "refuse"))
		return hy_ask_fault(a, (int)hy_ask_int(a, "refuse", HY_BAD_STATE), "told to refuse");
	hy_ask_answer(a, json_pack("{s:I}", "n", (json_int_t)n));
	return HY_OK;
}

static const void *count_commits(struct hy_daemon *d, void *self)
{
	(void)d;
	((struct counter *)self)->steps++;
	return NULL;
}

static const struct hy_input inputs[] = { { "feedback", "collector", on_feedback, false, prepare }, { 0 } };
static const struct hy_timer timers[] = { { "due", on_due }, { 0 } };
static const struct hy_command commands[] = { { "add", "adds", true, run_add }, { 0 } };
static const char *const readers[] = { "router", NULL };
static const struct hy_service counter_service = { .name = "classifier",
	.summary = "counts",
	.tables = counter_tables,
	.inputs = inputs,
	.output = "classification",
	.readers = readers,
	.timers = timers,
	.commands = commands,
	.view = count_commits };

static void feedback(Huiyin__Envelope *e, struct hy_id *id, char *text)
{
	static Huiyin__Feedback f;
	static Huiyin__Remark r;
	huiyin__envelope__init(e);
	huiyin__feedback__init(&f);
	huiyin__remark__init(&r);
	r.text = text;
	r.channel = "app";
	f.body_case = HUIYIN__FEEDBACK__BODY_REMARK;
	f.remark = &r;
	e->id = HY_ID_TO_PB(*id);
	e->key = e->id;
	e->project = 1;
	e->at_ms = e->origin_ms = FX_NOW;
	e->feedback = &f;
}

static int feed(struct fx *fx, uint32_t n, char *text)
{
	Huiyin__Envelope e;
	struct hy_id id = record_id(n);
	feedback(&e, &id, text);
	return fx_feed(fx, "feedback", &e);
}

static int setup(void **state)
{
	static struct counter c;
	c = (struct counter){ .fail_with = HY_BAD_INPUT };
	*state = fx_open(&counter_service, &c, NULL);
	fx_start(*state);
	return 0;
}

static int teardown(void **state)
{
	fx_close(*state);
	return 0;
}

static void a_record_is_passed_on_with_our_field_and_all_that_came(void **state)
{
	struct fx *fx = *state;
	assert_int_equal(feed(fx, 1, "hello"), HY_OK);
	assert_int_equal(fx_outputs(fx), 1);
	assert_string_equal(fx->outputs[0]->feedback->remark->text, "hello");
	assert_string_equal(fx->outputs[0]->classification->language, "en");
	assert_int_equal(((struct counter *)fx->self)->prepared, 1);
}

static void a_refused_record_goes_to_the_dead_letters_and_leaves_no_trace_of_its_handler(void **state)
{
	struct fx *fx = *state;
	assert_int_equal(feed(fx, 1, "bad"), HY_BAD_INPUT);
	assert_int_equal(feed(fx, 2, "good"), HY_OK);
	assert_int_equal(fx_outputs(fx), 1);
	json_t *j;
	assert_int_equal(fx_ask(fx, "dead.list", NULL, &j), HY_OK);
	assert_int_equal(json_integer_value(json_object_get(j, "count")), 1);
	const char *letter =
		json_string_value(json_object_get(json_array_get(json_object_get(j, "dead"), 0), "letter"));
	assert_string_equal(letter, "feedback/1");
	json_decref(j);
}

static void a_retried_dead_letter_runs_again_and_a_dropped_one_is_gone(void **state)
{
	struct fx *fx = *state;
	struct counter *c = fx->self;
	feed(fx, 1, "bad");
	feed(fx, 2, "bad");
	const char *const first[] = { "letter", "feedback/1", NULL }, *const second[] = { "letter", "feedback/2",
		NULL };
	assert_int_equal(fx_ask(fx, "dead.retry", first, NULL), HY_BAD_INPUT);
	c->fail_with = HY_OK;
	assert_int_equal(fx_ask(fx, "dead.retry", first, NULL), HY_OK);
	assert_int_equal(fx_ask(fx, "dead.retry", first, NULL), HY_NOT_FOUND);
	assert_int_equal(fx_ask(fx, "dead.drop", second, NULL), HY_OK);
	json_t *j;
	fx_ask(fx, "dead.list", NULL, &j);
	assert_int_equal(json_integer_value(json_object_get(j, "count")), 0);
	json_decref(j);
}

static void a_broken_record_is_a_dead_letter_with_the_field_named(void **state)
{
	struct fx *fx = *state;
	assert_int_equal(hy_daemon_feed(fx->daemon, "feedback", HY_LIT("\xff\xff\xff")), HY_BAD_INPUT);
	json_t *j;
	fx_ask(fx, "dead.list", NULL, &j);
	assert_int_equal(json_integer_value(json_object_get(j, "count")), 1);
	json_decref(j);
}

static void what_may_pass_is_not_buried(void **state)
{
	struct fx *fx = *state;
	((struct counter *)fx->self)->fail_with = HY_BUSY;
	assert_int_equal(feed(fx, 1, "bad"), HY_BUSY);
	json_t *j;
	fx_ask(fx, "dead.list", NULL, &j);
	assert_int_equal(json_integer_value(json_object_get(j, "count")), 0);
	json_decref(j);
}

static void a_due_row_fires_once_and_survives_a_restart(void **state)
{
	struct fx *fx = *state;
	struct counter *c = fx->self;
	feed(fx, 1, "hello");
	fx_wait(fx, 500);
	assert_int_equal(c->fired, 0);
	fx_restart(fx);
	fx_wait(fx, 600);
	assert_int_equal(c->fired, 1);
	fx_wait(fx, 10000);
	assert_int_equal(c->fired, 1);
}

static void a_refused_command_changes_nothing_and_says_why(void **state)
{
	struct fx *fx = *state;
	const char *const refuse[] = { "refuse", "yes", NULL };
	const char *text;
	json_t *j;
	assert_int_equal(hy_daemon_ask(fx->daemon, "add", refuse, &text), HY_BAD_STATE);
	assert_string_equal(text, "told to refuse");
	assert_int_equal(fx_ask(fx, "add", NULL, &j), HY_OK);
	assert_int_equal(json_integer_value(json_object_get(j, "n")), 1);
	json_decref(j);
}

static void a_command_refused_with_a_code_that_stops_programs_does_not_stop_the_daemon(void **state)
{
	struct fx *fx = *state;
	char code[8];
	snprintf(code, sizeof(code), "%d", HY_USAGE);
	const char *const refuse[] = { "refuse", code, NULL };
	assert_int_equal(hy_daemon_ask(fx->daemon, "add", refuse, NULL), HY_USAGE);
	assert_int_equal(fx_ask(fx, "add", NULL, NULL), HY_OK);
}

static void a_command_asked_twice_with_one_id_is_done_once_and_answered_twice(void **state)
{
	struct fx *fx = *state;
	struct hy_id id = record_id(77);
	struct ask_words words;
	Huiyin__Ask ask;
	struct hy_buffer answer = { 0 };
	struct hy_fault f = { 0 };
	const char *const refuse[] = { "refuse", "yes", NULL };
	ask_fill(&ask, &words, &id, "add", refuse);
	assert_int_equal(control_run(fx->daemon, &ask, &answer, &f), HY_BAD_STATE);
	ask_fill(&ask, &words, &id, "add", NULL); /* the refusal is not remembered */
	for (int i = 0; i < 2; i++) {
		assert_int_equal(control_run(fx->daemon, &ask, &answer, &f), HY_OK);
		assert_string_equal(hy_buffer_string(&answer), "{\"n\":1}");
	}
	hy_buffer_free(&answer);
}

static void a_due_row_that_is_refused_is_a_dead_letter_and_the_others_fire(void **state)
{
	struct fx *fx = *state;
	struct counter *c = fx->self;
	json_t *j;
	for (uint32_t n = 1; n <= 5; n++)
		feed(fx, n, "hello");
	c->bad_row = 3;
	fx_wait(fx, 2000);
	assert_int_equal(c->fired, 3 + 4); /* two and the bad one, then all but it */
	fx_ask(fx, "dead.list", NULL, &j);
	assert_int_equal(json_integer_value(json_object_get(j, "count")), 1);
	const char *stream =
		json_string_value(json_object_get(json_array_get(json_object_get(j, "dead"), 0), "stream"));
	assert_string_equal(stream, "timer.due");
	json_decref(j);
	fx_wait(fx, 2000);
	assert_int_equal(c->fired, 7);
}

static void a_row_put_back_due_at_once_has_a_step_of_its_own(void **state)
{
	struct fx *fx = *state;
	struct counter *c = fx->self;
	feed(fx, 1, "hello");
	c->again = 3;
	c->steps = 0;
	fx_wait(fx, 2000);
	assert_int_equal(c->fired, 4);
	assert_int_equal(c->steps, 4);
}

static void a_due_row_whose_commit_failed_fires_when_the_disk_has_room(void **state)
{
	struct fx *fx = *state;
	struct counter *c = fx->self;
	feed(fx, 1, "hello");
	hy_store_fail_commits(hy_daemon_store(fx->daemon), HY_FULL, 1);
	hy_clock_stand(fx->now_ms += 2000);
	assert_int_equal(hy_daemon_tick(fx->daemon), HY_BUSY);
	assert_int_equal(c->fired, 1);
	hy_clock_stand(fx->now_ms += 10000);
	assert_int_equal(hy_daemon_tick(fx->daemon), HY_OK);
	assert_int_equal(c->fired, 2);
}

struct note {
	struct hy_job job;
	const char *text;
	int fail_with, told;
};

static int run_note(struct hy_step *s, struct hy_job *job, void *self)
{
	struct note *n = (struct note *)job;
	(void)self;
	hy_txn_count(s->txn, "seen", hy_bytes_text(n->text), 1, NULL);
	return n->fail_with;
}

static int look_only(struct hy_step *s, struct hy_job *job, void *self)
{
	(void)job, (void)self;
	return hy_txn_number(s->txn, "seen", HY_LIT("nothing")) == 0 ? HY_OK : HY_BAD_STATE;
}

static void done_note(struct hy_job *job, int err, void *self)
{
	(void)self;
	((struct note *)job)->told = err;
}

static void a_job_that_is_refused_is_told_and_those_beside_it_are_kept(void **state)
{
	struct fx *fx = *state;
	struct note notes[] = { { .text = "first" }, { .text = "second", .fail_with = HY_CONFLICT },
		{ .text = "third" } };
	for (size_t i = 0; i < 3; i++) {
		notes[i].job = (struct hy_job){ .run = run_note, .done = done_note, .records = 1 };
		notes[i].told = 1;
		assert_int_equal(hy_daemon_submit(fx->daemon, &notes[i].job), HY_OK);
	}
	assert_int_equal(hy_daemon_tick(fx->daemon), HY_OK);
	assert_int_equal(notes[0].told, HY_OK);
	assert_int_equal(notes[1].told, HY_CONFLICT);
	assert_int_equal(notes[2].told, HY_OK);
	struct hy_txn *t = hy_txn_begin(hy_daemon_store(fx->daemon), HY_READ);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(hy_txn_number(t, "seen", hy_bytes_text(notes[i].text)), i != 1);
	hy_txn_abort(&t);
}

static void a_full_disk_tells_the_jobs_and_answers_questions(void **state)
{
	struct fx *fx = *state;
	struct note kept = { .text = "kept" }, asked = { .text = "asked" }, late = { .text = "late" };
	kept.job = late.job = (struct hy_job){ .run = run_note, .done = done_note, .records = 1 };
	hy_store_fail_commits(hy_daemon_store(fx->daemon), HY_FULL, 1);
	hy_daemon_submit(fx->daemon, &kept.job);
	assert_int_equal(hy_daemon_tick(fx->daemon), HY_BUSY);
	assert_int_equal(kept.told, HY_FULL);
	assert_true(hy_daemon_full(fx->daemon));
	late.told = asked.told = 1;
	asked.job = (struct hy_job){ .run = look_only, .done = done_note };
	hy_daemon_submit(fx->daemon, &late.job);
	hy_daemon_submit(fx->daemon, &asked.job);
	assert_int_equal(hy_daemon_tick(fx->daemon), HY_BUSY);
	assert_int_equal(late.told, HY_FULL);
	assert_int_equal(asked.told, HY_OK);
}

static void what_work_found_out_is_kept_with_the_next_step(void **state)
{
	struct fx *fx = *state;
	struct note found = { .text = "found", .told = 1 };
	found.job = (struct hy_job){ .run = run_note, .done = done_note };
	hy_daemon_post(fx->daemon, &found.job);
	hy_store_fail_commits(hy_daemon_store(fx->daemon), HY_BUSY, 1);
	assert_int_equal(hy_daemon_tick(fx->daemon), HY_BUSY);
	assert_int_equal(found.told, 1);
	hy_clock_stand(fx->now_ms += 1000);
	assert_int_equal(hy_daemon_tick(fx->daemon), HY_OK);
	assert_int_equal(found.told, HY_OK);
}

static void a_retried_dead_letter_is_prepared_like_any_record(void **state)
{
	struct fx *fx = *state;
	struct counter *c = fx->self;
	const char *const first[] = { "letter", "feedback/1", NULL };
	feed(fx, 1, "bad");
	c->fail_with = HY_OK;
	assert_int_equal(fx_ask(fx, "dead.retry", first, NULL), HY_OK);
	assert_int_equal(c->unprepared, 0);
}

static void dead_feedback_stays_in_the_account_when_it_is_dropped(void **state)
{
	struct fx *fx = *state;
	const char *const first[] = { "letter", "feedback/1", NULL };
	feed(fx, 1, "bad");
	feed(fx, 2, "good");
	for (int dropped = 0; dropped < 2; dropped++) {
		json_t *j;
		fx_ask(fx, "standing", NULL, &j);
		assert_int_equal(json_integer_value(json_object_get(j, "seen")), 2);
		assert_int_equal(json_integer_value(json_object_get(j, "emitted")), 1);
		assert_int_equal(json_integer_value(json_object_get(j, "dead")), 1);
		json_decref(j);
		if (!dropped)
			assert_int_equal(fx_ask(fx, "dead.drop", first, NULL), HY_OK);
	}
}

static void a_record_that_came_damaged_is_seen_and_dead_not_on_its_way_for_ever(void **state)
{
	struct fx *fx = *state;
	struct work w = {
		.input = &fx->daemon->inputs[0], .record = { .seq = 9, .err = HY_DAMAGED }, .err = HY_DAMAGED
	};
	assert_int_equal(step_feed(fx->daemon, &w), HY_DAMAGED);
	json_t *j;
	assert_int_equal(fx_ask(fx, "standing", NULL, &j), HY_OK);
	assert_int_equal(json_integer_value(json_object_get(j, "seen")), 1);
	assert_int_equal(json_integer_value(json_object_get(j, "dead")), 1);
	json_decref(j);
}

static void an_unknown_command_is_answered_with_the_one_that_was_meant(void **state)
{
	struct fx *fx = *state;
	const char *text;
	assert_int_equal(hy_daemon_ask(fx->daemon, "dead.lst", NULL, &text), HY_USAGE);
	assert_non_null(strstr(text, "did you mean 'dead.list'"));
}

static void a_full_disk_keeps_nothing_and_the_same_record_goes_through_later(void **state)
{
	struct fx *fx = *state;
	hy_store_fail_commits(hy_daemon_store(fx->daemon), HY_FULL, 1);
	assert_int_equal(feed(fx, 1, "hello"), HY_FULL);
	assert_int_equal(fx_outputs(fx), 0);
	assert_int_equal(feed(fx, 1, "hello"), HY_OK);
	assert_int_equal(fx_outputs(fx), 1);
	struct hy_txn *t = hy_txn_begin(hy_daemon_store(fx->daemon), HY_READ);
	struct hy_id id = record_id(1);
	assert_int_equal(hy_txn_number(t, "seen", hy_id_bytes(&id)), 1);
	hy_txn_abort(&t);
}

static void health_tells_the_head_and_the_dead(void **state)
{
	struct fx *fx = *state;
	feed(fx, 1, "hello");
	feed(fx, 2, "bad");
	json_t *j;
	assert_int_equal(fx_ask(fx, "health", NULL, &j), HY_OK);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(j, "stream"), "head")), 1);
	assert_int_equal(json_integer_value(json_object_get(j, "dead")), 1);
	json_decref(j);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_record_is_passed_on_with_our_field_and_all_that_came, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_refused_record_goes_to_the_dead_letters_and_leaves_no_trace_of_its_handler, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_retried_dead_letter_runs_again_and_a_dropped_one_is_gone, setup, teardown),
		cmocka_unit_test_setup_teardown(a_broken_record_is_a_dead_letter_with_the_field_named, setup, teardown),
		cmocka_unit_test_setup_teardown(what_may_pass_is_not_buried, setup, teardown),
		cmocka_unit_test_setup_teardown(a_due_row_fires_once_and_survives_a_restart, setup, teardown),
		cmocka_unit_test_setup_teardown(a_refused_command_changes_nothing_and_says_why, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_command_refused_with_a_code_that_stops_programs_does_not_stop_the_daemon, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_command_asked_twice_with_one_id_is_done_once_and_answered_twice, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_due_row_that_is_refused_is_a_dead_letter_and_the_others_fire, setup, teardown),
		cmocka_unit_test_setup_teardown(a_row_put_back_due_at_once_has_a_step_of_its_own, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_due_row_whose_commit_failed_fires_when_the_disk_has_room, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_job_that_is_refused_is_told_and_those_beside_it_are_kept, setup, teardown),
		cmocka_unit_test_setup_teardown(a_full_disk_tells_the_jobs_and_answers_questions, setup, teardown),
		cmocka_unit_test_setup_teardown(what_work_found_out_is_kept_with_the_next_step, setup, teardown),
		cmocka_unit_test_setup_teardown(a_retried_dead_letter_is_prepared_like_any_record, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_record_that_came_damaged_is_seen_and_dead_not_on_its_way_for_ever, setup, teardown),
		cmocka_unit_test_setup_teardown(dead_feedback_stays_in_the_account_when_it_is_dropped, setup, teardown),
		cmocka_unit_test_setup_teardown(
			an_unknown_command_is_answered_with_the_one_that_was_meant, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_full_disk_keeps_nothing_and_the_same_record_goes_through_later, setup, teardown),
		cmocka_unit_test_setup_teardown(health_tells_the_head_and_the_dead, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
