// link: hy_ring
#include "support/ring.h"

#include "base/clock.h"
#include "stream/stream.h"

/* A department's own program follows `ticket` with a key of scope `follow`, keeps its mark in its own store, and goes on where it stopped. */

struct program {
	char *dir;
	struct hy_store *db;
	struct hy_loop *loop;
	struct hy_follow *follow;
	uint64_t epoch;
	size_t seen;
	uint64_t last;
};

static void begin(struct program *p, struct ring *r, const char *key)
{
	static const char *const tables[] = { "stream", NULL };
	struct hy_store_options o = { .tables = tables, .maker = "department", .version = 1, .quota_bytes = 1 << 20 };
	struct hy_fault f = { 0 };
	char endpoint[4096];
	if (hy_store_open(&p->db, p->dir, &o, &f) != HY_OK || hy_loop_open(&p->loop) != HY_OK)
		fail_msg("%s", f.text);
	snprintf(endpoint, sizeof(endpoint), "ipc://%s/run/router.sock", r->dir);
	struct hy_follow_options fo = { .db = p->db,
		.peer = "department",
		.stream = "ticket",
		.endpoint = endpoint,
		.epoch = ++p->epoch,
		.loop = p->loop,
		.key = key,
		.from = "oldest" };
	if (hy_follow_open(&p->follow, &fo, &f) != HY_OK)
		fail_msg("%s", f.text);
}

static void end(struct program *p)
{
	hy_follow_close(&p->follow);
	hy_loop_close(&p->loop);
	hy_store_close(&p->db);
}

/* Takes what comes until `enough` records were committed, or the link is refused. */
static void read_until(struct program *p, size_t enough)
{
	int64_t until = hy_mono_ms() + 30000;
	while (p->seen < enough && hy_follow_state(p->follow).link != HY_LINK_REFUSED) {
		struct hy_record record;
		size_t taken = 0;
		hy_loop_turn(p->loop, 50);
		while (hy_follow_take(p->follow, &record)) {
			assert_int_equal(record.seq, p->last + 1);
			p->last = record.seq;
			taken++;
		}
		if (taken) {
			struct hy_txn *t = hy_txn_begin(p->db, HY_WRITE);
			hy_follow_mark(p->follow, t);
			assert_int_equal(hy_txn_commit(&t), HY_OK);
			hy_follow_done(p->follow, true);
			p->seen += taken;
		}
		if (hy_mono_ms() > until)
			fail_msg("%zu of %zu records after 30 s", p->seen, enough);
	}
}

static int open_ring(void **state)
{
	*state = ring_open("s/scopes: \\[ ?feedback ?\\]/scopes: [feedback, follow]/");
	ring_start_all(*state);
	return ring_ready(*state) ? 0 : -1;
}

static int close_ring(void **state)
{
	ring_close(*state);
	return 0;
}

static void a_key_of_scope_follow_reads_tickets_and_goes_on_where_it_stopped(void **state)
{
	struct ring *r = *state;
	struct program p = { .dir = test_mkdir() };
	free(ring_say(r, "{\"text\":\"The app crashes when I open the settings page\",\"customer\":{\"id\":\"a\"}}"));
	begin(&p, r, r->key);
	read_until(&p, 3); /* the feedback passed on, opened, joined */
	end(&p);
	free(ring_say(r, "{\"text\":\"Please add a dark mode\",\"customer\":{\"id\":\"b\"}}"));
	begin(&p, r, r->key);
	read_until(&p, 6);
	json_t *health = ring_ask(r, ROUTER, "health", NULL, NULL), *reader;
	bool listed = false;
	size_t i;
	json_array_foreach(json_object_get(json_object_get(health, "stream"), "readers"), i, reader) listed =
		listed || (json_is_true(json_object_get(reader, "outside")) &&
				  strcmp(json_string_value(json_object_get(reader, "peer")), "department") == 0);
	assert_true(listed);
	json_decref(health);
	end(&p);
	test_rmdir(p.dir);
}

static void a_key_without_the_scope_and_a_stranger_are_refused_with_the_remedy(void **state)
{
	struct ring *r = *state;
	struct program p = { .dir = test_mkdir() };
	begin(&p, r, "hy_somebodys_guess");
	read_until(&p, 1);
	assert_int_equal(p.seen, 0);
	assert_int_equal(hy_follow_state(p.follow).link, HY_LINK_REFUSED);
	assert_non_null(strstr(hy_follow_state(p.follow).trouble, "key"));
	end(&p);
	test_rmdir(p.dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_key_of_scope_follow_reads_tickets_and_goes_on_where_it_stopped, open_ring, close_ring),
		cmocka_unit_test_setup_teardown(
			a_key_without_the_scope_and_a_stranger_are_refused_with_the_remedy, open_ring, close_ring),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
