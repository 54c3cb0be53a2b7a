// link: hy_collector
#include "support/fixture.h"

#include "collector/collector.h"
#include "collector/door/door.h"
#include "loop/loop.h"
#include "service/daemon.h"

#include <sodium.h>
#include <sys/stat.h>
#include <time.h>

/* The ZeroMQ door as an app meets it: Submits in, Receipts out, over a socket; the writer's steps are driven by hand. */

#define KEY_ONE "hy_one"
#define KEY_TWO "hy_two"
#define KEY_READS "hy_reads"
#define KEY_SLOW "hy_slow"
#define ITEMS_MOST 5000

struct world {
	struct fx *fx;
	struct collector collector;
	struct hy_loop *loop;
	struct hy_socket *app;
	struct hy_arena *arena;
	char endpoint[200];
	char app_open[HY_CURVE_TEXT], app_secret[HY_CURVE_TEXT], door_open[HY_CURVE_TEXT];
	/* the Submit being made */
	Huiyin__Submit submit;
	Huiyin__Item items[ITEMS_MOST], *list[ITEMS_MOST];
	char texts[ITEMS_MOST][40];
	Huiyin__Who who;
};

static void key_row(char *out, size_t room, const char *name, const char *key, const char *more)
{
	uint8_t hash[32];
	char hex[65];
	crypto_generichash(hash, sizeof(hash), (const uint8_t *)key, strlen(key), NULL, 0);
	hy_hex(hash, sizeof(hash), hex);
	snprintf(out, room, "  - { name: %s, hash: %s, %s }\n", name, hex, more);
}

/* `door` is the door's own settings. */
static void write_yaml(struct world *w, const char *door, bool with_one)
{
	char yaml[4096], row[4][400], curve[100];
	snprintf(curve, sizeof(curve), "curve: \"%s\"", w->app_open);
	key_row(row[0], sizeof(row[0]), "one", KEY_ONE, curve);
	key_row(row[1], sizeof(row[1]), "two", KEY_TWO, "scopes: [feedback]");
	key_row(row[2], sizeof(row[2]), "reads", KEY_READS, "scopes: [follow]");
	key_row(row[3], sizeof(row[3]), "slow", KEY_SLOW, "rate: 10/s");
	snprintf(yaml, sizeof(yaml), "door: { listen: '%s'%s }\nstore: { quota: 64MiB }\nkeys:\n%s%s%s%s", w->endpoint,
		door, with_one ? row[0] : "", row[1], row[2], row[3]);
	fx_write(w->fx->dir, "huiyin.yaml", yaml);
}

static void open_door(struct world *w)
{
	struct hy_fault f = { 0 };
	fx_start(w->fx);
	if (door_open(&w->collector, w->loop, &f) != HY_OK)
		fail_msg("%s", f.text);
}

static void restart(struct world *w)
{
	door_stop(&w->collector);
	hy_daemon_close(&w->fx->daemon);
	open_door(w);
}

static struct hy_socket *app(struct world *w, const char *secret, const char *server)
{
	struct hy_socket *s = NULL;
	struct hy_fault f = { 0 };
	const struct hy_socket_options o = {
		.kind = HY_CALLER, .endpoint = w->endpoint, .window = 64, .curve_secret = secret, .curve_server = server
	};
	if (hy_socket_open(&s, &o, &f) != HY_OK)
		fail_msg("%s", f.text);
	return s;
}

static void make(struct world *w)
{
	char path[600], secret[HY_CURVE_TEXT];
	w->fx = fx_open(&collector_service, &w->collector, NULL);
	snprintf(path, sizeof(path), "%s/keys", w->fx->dir);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/keys/contact.key", w->fx->dir);
	assert_int_equal(hy_secret_make(path, NULL), HY_OK);
	snprintf(path, sizeof(path), "%s/keys/follow-up.key", w->fx->dir);
	assert_int_equal(hy_secret_make(path, NULL), HY_OK);
	assert_int_equal(hy_curve_make(w->app_open, w->app_secret), HY_OK);
	assert_int_equal(hy_curve_make(w->door_open, secret), HY_OK);
	fx_write(w->fx->dir, "keys/door.curve", secret);
	snprintf(path, sizeof(path), "%s/keys/door.curve", w->fx->dir);
	assert_int_equal(chmod(path, 0600), 0);
	snprintf(w->endpoint, sizeof(w->endpoint), "ipc://%s/door.sock", w->fx->dir);
	assert_int_equal(hy_loop_open(&w->loop), HY_OK);
	w->arena = hy_arena_new(0);
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	assert_non_null(w);
	make(w);
	write_yaml(w, "", true);
	open_door(w);
	w->app = app(w, NULL, NULL);
	*state = w;
	return 0;
}

static int setup_curve(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	assert_non_null(w);
	make(w);
	write_yaml(w, ", curve: always", true);
	open_door(w);
	w->app = app(w, w->app_secret, w->door_open);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;
	hy_socket_close(&w->app);
	door_stop(&w->collector);
	fx_close(w->fx);
	hy_loop_close(&w->loop);
	hy_loop_zmq_end();
	hy_arena_free(&w->arena);
	free(w);
	return 0;
}

/* ---- what an app does ---- */

static int64_t mono_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000) + t.tv_nsec / 1000000;
}

/* A Submit of `count` items from `first` on: "feedback FIRST" ... */
static Huiyin__Submit *submit(struct world *w, const char *key, const char *client, uint64_t first, size_t count)
{
	assert_true(count <= ITEMS_MOST);
	huiyin__submit__init(&w->submit);
	w->submit.key = (char *)(uintptr_t)key;
	w->submit.client_id = (char *)(uintptr_t)client;
	w->submit.first_seq = first;
	w->submit.items = w->list;
	w->submit.n_items = count;
	huiyin__who__init(&w->who);
	w->who.id = (char *)(uintptr_t) "c-1";
	for (size_t i = 0; i < count; i++) {
		w->list[i] = &w->items[i];
		huiyin__item__init(&w->items[i]);
		snprintf(w->texts[i], sizeof(w->texts[i]), "反馈 %llu", (unsigned long long)(first + i));
		w->items[i].text = w->texts[i];
		w->items[i].customer = &w->who;
	}
	return &w->submit;
}

static void send_bytes(struct hy_socket *s, struct hy_bytes bytes)
{
	assert_int_equal(hy_socket_ready(s, 120000), HY_OK);
	assert_int_equal(hy_socket_send(s, hy_bytes(NULL, 0), bytes), HY_OK);
}

static void send_submit(struct hy_socket *s, const Huiyin__Submit *m)
{
	struct hy_buffer b = { 0 };
	assert_int_equal(hy_wire_pack(&m->base, &b), HY_OK);
	send_bytes(s, hy_buffer_view(&b));
	hy_buffer_free(&b);
}

/* The next Receipt, after as many steps as it takes. */
static Huiyin__Receipt *hear(struct world *w, struct hy_socket *s)
{
	struct hy_bytes message;
	Huiyin__Receipt *r;
	struct hy_fault f = { 0 };
	for (int64_t end = mono_ms() + 120000; hy_socket_receive(s, 0, &message) != HY_OK;) {
		assert_int_equal(hy_loop_turn(w->loop, 2), HY_OK);
		hy_daemon_tick(w->fx->daemon);
		if (mono_ms() > end)
			fail_msg("no Receipt came");
	}
	hy_arena_reset(w->arena);
	if (hy_wire_unpack(w->arena, &huiyin__receipt__descriptor, message, &r, &f) != HY_OK)
		fail_msg("a Receipt breaks the gate: %s", f.text);
	return r;
}

static Huiyin__Receipt *say(struct world *w, const Huiyin__Submit *m)
{
	send_submit(w->app, m);
	return hear(w, w->app);
}

static Huiyin__Receipt *ask(struct world *w, const char *key, const char *client)
{
	return say(w, submit(w, key, client, 0, 0));
}

static size_t kept(struct world *w)
{
	return fx_outputs(w->fx);
}

static const char *text_kept(struct world *w, size_t i)
{
	assert_true(i < fx_outputs(w->fx));
	assert_non_null(w->fx->outputs[i]->feedback->remark);
	return w->fx->outputs[i]->feedback->remark->text;
}

static void assert_taken(const Huiyin__Receipt *r, uint64_t seq)
{
	assert_string_equal(r->fault, "");
	assert_int_equal(r->durable_seq, seq);
}

/* ---- numbers ---- */

static void items_are_kept_in_order_and_receipted_after_the_commit(void **state)
{
	struct world *w = *state;
	send_submit(w->app, submit(w, KEY_ONE, "app-1", 1, 3));
	struct hy_bytes message;
	for (int i = 0; i < 20; i++) { /* heard, but not yet kept */
		assert_int_equal(hy_loop_turn(w->loop, 2), HY_OK);
		assert_int_equal(hy_socket_receive(w->app, 0, &message), HY_TIMEOUT);
	}
	assert_int_equal(kept(w), 0);
	Huiyin__Receipt *r = hear(w, w->app);
	assert_taken(r, 3);
	assert_string_equal(r->client_id, "app-1");
	assert_true(r->credit > 0);
	assert_int_equal(r->retry_ms, 0);
	assert_int_equal(r->n_rejected, 0);
	assert_int_equal(kept(w), 3);
	assert_string_equal(text_kept(w, 0), "反馈 1");
	assert_string_equal(text_kept(w, 2), "反馈 3");
	assert_string_equal(w->fx->outputs[0]->feedback->remark->channel, "stream");
	assert_string_equal(w->fx->outputs[0]->feedback->customer->id, "c-1");
	assert_int_equal(w->fx->outputs[0]->key.len, HY_PERSON_SIZE);
}

static void what_is_sent_again_is_entered_once(void **state)
{
	struct world *w = *state;
	assert_taken(say(w, submit(w, KEY_ONE, "app-1", 1, 5)), 5);
	assert_taken(say(w, submit(w, KEY_ONE, "app-1", 1, 5)), 5);
	assert_taken(say(w, submit(w, KEY_ONE, "app-1", 3, 3)), 5);
	assert_int_equal(kept(w), 5);
	assert_taken(say(w, submit(w, KEY_ONE, "app-1", 4, 4)), 7); /* half of it is new */
	assert_int_equal(kept(w), 7);
	assert_string_equal(text_kept(w, 6), "反馈 7");
}

static void an_older_part_sent_again_changes_nothing(void **state)
{
	struct world *w = *state;
	assert_taken(say(w, submit(w, KEY_ONE, "app-1", 1, 6)), 6);
	assert_taken(say(w, submit(w, KEY_ONE, "app-1", 2, 2)), 6);
	assert_int_equal(kept(w), 6);
}

static void after_a_restart_the_numbers_go_on(void **state)
{
	struct world *w = *state;
	assert_taken(say(w, submit(w, KEY_ONE, "app-1", 1, 4)), 4);
	restart(w);
	assert_taken(say(w, submit(w, KEY_ONE, "app-1", 1, 6)), 6);
	assert_int_equal(kept(w), 6);
}

static void an_empty_submit_tells_where_to_go_on(void **state)
{
	struct world *w = *state;
	Huiyin__Receipt *r = ask(w, KEY_ONE, "app-1");
	assert_taken(r, 0);
	assert_true(r->credit > 0);
	say(w, submit(w, KEY_ONE, "app-1", 1, 9));
	assert_taken(ask(w, KEY_ONE, "app-1"), 9);
	assert_taken(ask(w, KEY_ONE, "app-2"), 0);
	restart(w);
	assert_taken(ask(w, KEY_ONE, "app-1"), 9);
}

static void an_empty_submit_is_answered_behind_what_was_sent_before_it(void **state)
{
	struct world *w = *state;
	send_submit(w->app, submit(w, KEY_ONE, "app-1", 1, 2));
	send_submit(w->app, submit(w, KEY_ONE, "app-1", 0, 0));
	assert_taken(hear(w, w->app), 2);
	assert_taken(hear(w, w->app), 2);
}

static void a_gap_is_refused_and_nothing_of_it_is_kept(void **state)
{
	struct world *w = *state;
	assert_taken(say(w, submit(w, KEY_ONE, "app-1", 1, 2)), 2);
	Huiyin__Receipt *r = say(w, submit(w, KEY_ONE, "app-1", 4, 2));
	assert_string_equal(r->fault, "gap");
	assert_int_equal(r->durable_seq, 2);
	assert_non_null(strstr(r->detail, "item 4 came, and 3 is the next"));
	assert_int_equal(kept(w), 2);
	r = say(w, submit(w, KEY_ONE, "never-heard-of", 100, 1));
	assert_string_equal(r->fault, "gap");
	assert_int_equal(r->durable_seq, 0);
	assert_non_null(strstr(r->detail, "number what is waiting from 1"));
	assert_taken(say(w, submit(w, KEY_ONE, "app-1", 3, 3)), 5);
	assert_int_equal(kept(w), 5);
}

static void two_programs_under_one_client_id_are_found_out(void **state)
{
	struct world *w = *state;
	assert_taken(say(w, submit(w, KEY_ONE, "app-1", 1, 3)), 3);
	submit(w, KEY_ONE, "app-1", 2, 4);
	w->items[1].text = (char *)(uintptr_t) "another three";
	Huiyin__Receipt *r = say(w, &w->submit);
	assert_string_equal(r->fault, "conflict");
	assert_int_equal(r->durable_seq, 3);
	assert_non_null(strstr(r->detail, "client_id"));
	assert_int_equal(kept(w), 3);
}

static void a_client_id_belongs_to_its_key(void **state)
{
	struct world *w = *state;
	assert_taken(say(w, submit(w, KEY_ONE, "app-1", 1, 3)), 3);
	assert_taken(ask(w, KEY_TWO, "app-1"), 0); /* somebody else's of that name */
	assert_taken(say(w, submit(w, KEY_TWO, "app-1", 1, 1)), 1);
	assert_taken(ask(w, KEY_ONE, "app-1"), 3);
	assert_int_equal(kept(w), 4);
}

static void several_submits_under_way_are_kept_in_order(void **state)
{
	struct world *w = *state;
	for (uint64_t i = 0; i < 10; i++)
		send_submit(w->app, submit(w, KEY_ONE, "app-1", 1 + i * 5, 5));
	for (uint64_t i = 1; i <= 10; i++)
		assert_taken(hear(w, w->app), i * 5);
	assert_int_equal(kept(w), 50);
	assert_string_equal(text_kept(w, 49), "反馈 50");
}

/* ---- items ---- */

static void a_bad_item_costs_only_itself_and_says_so_again(void **state)
{
	struct world *w = *state;
	for (int again = 0; again < 2; again++) {
		submit(w, KEY_ONE, "app-1", 1, 4);
		w->items[1].text = (char *)(uintptr_t) "";
		w->who.email = (char *)(uintptr_t) "";
		w->items[2].channel = (char *)(uintptr_t) "Not A Channel";
		Huiyin__Receipt *r = say(w, &w->submit);
		assert_taken(r, 4);
		assert_int_equal(r->n_rejected, 2);
		assert_int_equal(r->rejected[0]->seq, 2);
		assert_string_equal(
			r->rejected[0]->reasons[0]->detail, "says nothing: text, rating or helped is needed");
		assert_int_equal(r->rejected[1]->seq, 3);
		assert_string_equal(r->rejected[1]->reasons[0]->pointer, "/channel");
		assert_int_equal(kept(w), 2);
	}
	assert_string_equal(text_kept(w, 1), "反馈 4");
}

static void nothing_but_bad_items_moves_on_too(void **state)
{
	struct world *w = *state;
	submit(w, KEY_ONE, "app-1", 1, 1);
	w->items[0].text = (char *)(uintptr_t) "";
	Huiyin__Receipt *r = say(w, &w->submit);
	assert_taken(r, 1);
	assert_int_equal(r->n_rejected, 1);
	assert_taken(say(w, submit(w, KEY_ONE, "app-1", 2, 1)), 2);
	assert_int_equal(kept(w), 1);
}

static void put_item(struct hy_buffer *b, const void *bytes, size_t size)
{
	hy_wire_append(b, 4, hy_bytes(bytes, size));
}

static void put_head(struct hy_buffer *b, const char *key, const char *client, uint64_t first)
{
	hy_wire_append(b, 1, hy_bytes_text(key));
	hy_wire_append(b, 2, hy_bytes_text(client));
	hy_wire_put_varint(b, 3 << 3);
	hy_wire_put_varint(b, first);
}

static void what_the_gate_refuses_is_named_by_its_place(void **state)
{
	struct world *w = *state;
	struct hy_buffer b = { 0 };
	put_head(&b, KEY_ONE, "app-1", 1);
	put_item(&b, "\x0a\x02\xff\xfe", 4); /* text: not UTF-8 */
	put_item(&b, "\x2a\x07\x3a\x05\x12\x03\x61\x00\x62", 9); /* customer.traits[0].value with a NUL */
	put_item(&b, "\x0a\x05hi", 4); /* cut off */
	put_item(&b, "\x18\x63\x0a\x02hi", 6); /* a kind that nobody knows */
	put_item(&b, "\x0a\x05hello", 7);
	send_bytes(w->app, hy_buffer_view(&b));
	hy_buffer_free(&b);
	Huiyin__Receipt *r = hear(w, w->app);
	assert_taken(r, 5);
	assert_int_equal(r->n_rejected, 4);
	assert_string_equal(r->rejected[0]->reasons[0]->pointer, "/text");
	assert_string_equal(r->rejected[0]->reasons[0]->detail, "not UTF-8");
	assert_string_equal(r->rejected[1]->reasons[0]->pointer, "/customer/traits/0/value");
	assert_string_equal(r->rejected[2]->reasons[0]->pointer, "");
	assert_string_equal(r->rejected[3]->reasons[0]->pointer, "/kind");
	assert_int_equal(kept(w), 1);
	assert_string_equal(text_kept(w, 0), "hello");
}

static void fields_of_a_later_version_are_passed_over(void **state)
{
	struct world *w = *state;
	struct hy_buffer b = { 0 };
	put_head(&b, KEY_ONE, "app-1", 1);
	hy_wire_append(&b, 99, HY_LIT("of the Submit"));
	put_item(&b, "\x0a\x05hello\xc2\x3e\x03new", 13); /* field 1000 of the Item */
	send_bytes(w->app, hy_buffer_view(&b));
	hy_buffer_free(&b);
	assert_taken(hear(w, w->app), 1);
	assert_string_equal(text_kept(w, 0), "hello");
}

static void an_item_beyond_its_limit_is_rejected_and_its_neighbours_are_kept(void **state)
{
	struct world *w = *state;
	struct hy_buffer b = { 0 }, large = { 0 };
	char *text = malloc(50000);
	memset(text, 'x', 50000);
	hy_wire_append(&large, 1, hy_bytes(text, 50000));
	put_head(&b, KEY_ONE, "app-1", 1);
	put_item(&b,
		"\x0a\x01"
		"a",
		3);
	put_item(&b, large.data, large.size);
	put_item(&b,
		"\x0a\x01"
		"b",
		3);
	send_bytes(w->app, hy_buffer_view(&b));
	Huiyin__Receipt *r = hear(w, w->app);
	assert_taken(r, 3);
	assert_int_equal(r->n_rejected, 1);
	assert_int_equal(r->rejected[0]->seq, 2);
	assert_string_equal(r->rejected[0]->reasons[0]->detail, "larger than 48 KiB in all");
	assert_int_equal(kept(w), 2);
	hy_buffer_free(&b);
	hy_buffer_free(&large);
	free(text);
}

static void an_id_is_entered_once_through_whatever_door_and_its_conflict_is_told_again(void **state)
{
	struct world *w = *state;
	for (int again = 0; again < 2; again++) {
		submit(w, KEY_ONE, "app-1", 1, 3);
		for (int i = 0; i < 3; i++) {
			w->items[i].id = (char *)(uintptr_t) "mine-1";
			w->items[i].text = (char *)(uintptr_t)(i < 2 ? "the same" : "another");
		}
		Huiyin__Receipt *r = say(w, &w->submit);
		assert_taken(r, 3);
		assert_int_equal(r->n_rejected, 1);
		assert_int_equal(r->rejected[0]->seq, 3);
		assert_string_equal(r->rejected[0]->reasons[0]->pointer, "/id");
		assert_int_equal(kept(w), 1);
	}
	submit(w, KEY_ONE, "app-2", 1, 1); /* of the same key */
	w->items[0].id = (char *)(uintptr_t) "mine-1";
	w->items[0].text = (char *)(uintptr_t) "the same";
	assert_taken(say(w, &w->submit), 1);
	assert_int_equal(kept(w), 1);
}

static void very_many_rejections_fit_into_a_receipt(void **state)
{
	struct world *w = *state;
	submit(w, KEY_ONE, "app-1", 1, 4000);
	for (int i = 0; i < 4000; i++)
		w->items[i].channel = (char *)(uintptr_t) "NOT A CHANNEL AT ALL, AND MUCH TOO LONG";
	ask(w, KEY_ONE, "app-1");
	submit(w, KEY_ONE, "app-1", 1, 4000);
	for (int i = 0; i < 4000; i++)
		w->items[i].channel = (char *)(uintptr_t) "NOT A CHANNEL AT ALL, AND MUCH TOO LONG";
	send_submit(w->app, &w->submit);
	Huiyin__Receipt *r = hear(w, w->app);
	assert_taken(r, 4000);
	assert_int_equal(r->n_rejected, 4000);
	assert_int_equal(r->rejected[3999]->seq, 4000);
	assert_true(r->rejected[3999]->n_reasons >= 1);
	assert_true(huiyin__receipt__get_packed_size(r) < HY_WIRE_FRAME_MAX);
	assert_int_equal(kept(w), 0);
}

/* ---- who may ---- */

static void a_stranger_is_told_and_nothing_is_kept(void **state)
{
	struct world *w = *state;
	Huiyin__Receipt *r = say(w, submit(w, "hy_nobody", "app-1", 1, 3));
	assert_string_equal(r->fault, "unauthorized");
	assert_int_equal(r->credit, 0);
	assert_int_equal(r->durable_seq, 0);
	r = say(w, submit(w, "", "app-1", 1, 3));
	assert_string_equal(r->fault, "unauthorized");
	r = say(w, submit(w, KEY_READS, "app-1", 1, 3));
	assert_string_equal(r->fault, "forbidden");
	assert_int_equal(kept(w), 0);
	assert_int_equal(door_clients(&w->collector), 0);
}

static void a_revoked_key_is_refused_at_its_next_submit(void **state)
{
	struct world *w = *state;
	Huiyin__Receipt *r = NULL;
	assert_taken(say(w, submit(w, KEY_ONE, "app-1", 1, 1)), 1);
	write_yaml(w, "", false);
	for (uint64_t i = 2;; i++) {
		r = say(w, submit(w, KEY_ONE, "app-1", i, 1));
		if (r->fault[0])
			break;
		fx_wait(w->fx, 1000);
		assert_true(i < 20);
	}
	assert_string_equal(r->fault, "unauthorized");
	assert_taken(ask(w, KEY_TWO, "app-1"), 0);
}

static void who_sends_faster_than_its_rate_is_told_when_to_come_back(void **state)
{
	struct world *w = *state;
	assert_taken(say(w, submit(w, KEY_SLOW, "app-1", 1, 10)), 10);
	Huiyin__Receipt *r = say(w, submit(w, KEY_SLOW, "app-1", 11, 10));
	assert_string_equal(r->fault, "rate");
	assert_true(r->retry_ms > 0 && r->retry_ms <= 1001);
	assert_int_equal(r->durable_seq, 10);
	assert_int_equal(kept(w), 10);
	fx_wait(w->fx, r->retry_ms);
	assert_taken(say(w, submit(w, KEY_SLOW, "app-1", 11, 10)), 20);
}

/* ---- what is no Submit ---- */

static void what_is_no_submit_is_answered_with_what_is_wrong(void **state)
{
	struct world *w = *state;
	static const struct {
		const char *client, *words;
		uint64_t first;
		size_t count;
	} wrong[] = { { "", "client_id", 1, 1 }, { "with space", "client_id", 1, 1 }, { "app-1", "first_seq", 0, 1 },
		{ "app-1", "4096", 1, 4097 },
		{ "a123456789012345678901234567890123456789012345678901234567890abcd", "client_id", 1, 1 } };
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		Huiyin__Receipt *r = say(w, submit(w, KEY_ONE, wrong[i].client, wrong[i].first, wrong[i].count));
		assert_string_equal(r->fault, "invalid");
		if (!strstr(r->detail, wrong[i].words))
			fail_msg("'%s' does not say '%s'", r->detail, wrong[i].words);
	}
	send_bytes(w->app, HY_LIT("\x0a\x7f"));
	assert_string_equal(hear(w, w->app)->fault, "unauthorized");
	struct hy_buffer b = { 0 };
	put_head(&b, KEY_ONE, "app-1", 1);
	hy_buffer_put(&b, "\x22\x7f", 2);
	send_bytes(w->app, hy_buffer_view(&b));
	Huiyin__Receipt *r = hear(w, w->app);
	assert_string_equal(r->fault, "invalid");
	assert_non_null(strstr(r->detail, "cut off"));
	hy_buffer_free(&b);
	assert_int_equal(kept(w), 0);
	assert_taken(say(w, submit(w, KEY_ONE, "app-1", 1, 1)), 1); /* and the door goes on */
}

static void a_submit_beyond_its_limit_is_told_so(void **state)
{
	struct world *w = *state;
	struct hy_buffer b = { 0 };
	char *text = calloc(1, 1000);
	memset(text, 'x', 999);
	submit(w, KEY_ONE, "app-1", 1, 600);
	for (int i = 0; i < 600; i++)
		w->items[i].text = text;
	Huiyin__Receipt *r = say(w, &w->submit);
	assert_string_equal(r->fault, "invalid");
	assert_non_null(strstr(r->detail, "at most 524288"));
	assert_int_equal(kept(w), 0);
	hy_buffer_free(&b);
	free(text);
}

/* ---- room ---- */

static void the_credit_grows_with_each_receipt_and_beyond_it_nothing_is_taken(void **state)
{
	struct world *w = *state;
	uint32_t first = ask(w, KEY_ONE, "app-1")->credit, credit = first;
	for (int i = 0; i < 20; i++) {
		uint32_t next = ask(w, KEY_ONE, "app-1")->credit;
		assert_true(next >= credit);
		credit = next;
	}
	assert_true(credit >= 16 * first);
	uint64_t seq = 1;
	Huiyin__Receipt *r = NULL;
	size_t told = 0;
	while (seq < 40000) { /* nobody waits for a Receipt here: the writer stands still */
		send_submit(w->app, submit(w, KEY_ONE, "app-1", seq, 4000));
		assert_int_equal(hy_loop_turn(w->loop, 50), HY_OK);
		seq += 4000;
	}
	for (size_t i = 0; i < 10; i++) {
		r = hear(w, w->app);
		if (r->fault[0]) {
			assert_string_equal(r->fault, "busy");
			assert_true(r->retry_ms > 0);
			told++;
		}
	}
	assert_true(told > 0);
	assert_taken(ask(w, KEY_ONE, "app-1"), (40000 - 4000 * told));
	assert_int_equal(kept(w), 40000 - 4000 * told);
}

static void a_full_store_gives_no_credit_and_heals(void **state)
{
	struct world *w = *state;
	assert_taken(say(w, submit(w, KEY_ONE, "app-1", 1, 2)), 2);
	hy_store_fail_commits(hy_daemon_store(w->fx->daemon), HY_FULL, 1);
	Huiyin__Receipt *r = say(w, submit(w, KEY_ONE, "app-1", 3, 2));
	assert_string_equal(r->fault, "full");
	assert_int_equal(r->credit, 0);
	assert_int_equal(r->durable_seq, 2);
	assert_true(r->retry_ms > 0);
	r = say(w, submit(w, KEY_ONE, "app-1", 3, 2)); /* the same again while it lasts */
	while (r->fault[0]) {
		assert_string_equal(r->fault, "full");
		assert_int_equal(r->credit, 0);
		w->fx->now_ms += 1000;
		hy_clock_stand(w->fx->now_ms);
		upkeep(w->fx->daemon); /* it looks whether there is room again */
		r = say(w, submit(w, KEY_ONE, "app-1", 3, 2));
	}
	assert_taken(r, 4);
	assert_true(r->credit > 0);
	assert_int_equal(kept(w), 4);
}

static void a_step_that_fails_keeps_nothing_and_the_same_submit_goes_through_later(void **state)
{
	struct world *w = *state;
	hy_store_fail_commits(hy_daemon_store(w->fx->daemon), HY_BUSY, 1);
	Huiyin__Receipt *r = say(w, submit(w, KEY_ONE, "app-1", 1, 3));
	assert_string_equal(r->fault, "busy");
	assert_int_equal(r->durable_seq, 0);
	assert_int_equal(kept(w), 0);
	for (int i = 0; i < 200 && r->fault[0]; i++) {
		w->fx->now_ms += 1000;
		hy_clock_stand(w->fx->now_ms);
		r = say(w, submit(w, KEY_ONE, "app-1", 1, 3));
	}
	assert_taken(r, 3);
	assert_int_equal(kept(w), 3);
}

static void a_client_that_is_silent_for_long_is_forgotten_and_begins_anew(void **state)
{
	struct world *w = *state;
	const int64_t day = INT64_C(86400000);
	assert_taken(say(w, submit(w, KEY_ONE, "silent", 1, 3)), 3);
	assert_taken(say(w, submit(w, KEY_ONE, "lively", 1, 3)), 3);
	fx_wait(w->fx, 29 * day);
	assert_taken(say(w, submit(w, KEY_ONE, "lively", 4, 1)), 4);
	fx_wait(w->fx, 2 * day);
	assert_taken(ask(w, KEY_ONE, "lively"), 4);
	assert_taken(ask(w, KEY_ONE, "silent"), 0);
	assert_string_equal(say(w, submit(w, KEY_ONE, "silent", 4, 1))->fault, "gap");
	assert_taken(say(w, submit(w, KEY_ONE, "silent", 1, 1)), 1);
}

static void more_clients_than_a_chunk_are_forgotten_in_several_steps(void **state)
{
	struct world *w = *state;
	struct hy_txn *t;
	char name[32];
	for (int i = 0; i < 2100; i++) {
		snprintf(name, sizeof(name), "client-%04d", i);
		assert_taken(say(w, submit(w, KEY_ONE, name, 1, 1)), 1);
	}
	assert_int_equal(door_clients(&w->collector), 2100);
	fx_wait(w->fx, INT64_C(31) * 86400000);
	for (int i = 0; i < 10; i++)
		fx_wait(w->fx, 10);
	t = hy_txn_begin(hy_daemon_store(w->fx->daemon), HY_READ);
	assert_int_equal(hy_store_rows(t, "door"), 0);
	hy_txn_abort(&t);
}

/* ---- CURVE ---- */

static void with_curve_a_submit_s_key_must_be_the_one_of_its_connection(void **state)
{
	struct world *w = *state;
	assert_taken(say(w, submit(w, KEY_ONE, "app-1", 1, 2)), 2);
	Huiyin__Receipt *r = say(w, submit(w, KEY_TWO, "app-1", 1, 2));
	assert_string_equal(r->fault, "forbidden");
	assert_non_null(strstr(r->detail, "CURVE"));
	assert_int_equal(kept(w), 2);
}

static void with_curve_nobody_comes_in_whose_key_is_not_listed(void **state)
{
	struct world *w = *state;
	char open[HY_CURVE_TEXT], secret[HY_CURVE_TEXT];
	assert_int_equal(hy_curve_make(open, secret), HY_OK);
	struct hy_socket *stranger = app(w, secret, w->door_open), *naked = app(w, NULL, NULL);
	assert_taken(say(w, submit(w, KEY_ONE, "app-1", 1, 2)), 2); /* meanwhile */
	assert_int_equal(hy_socket_ready(stranger, 300), HY_TIMEOUT);
	assert_int_equal(hy_socket_ready(naked, 0), HY_TIMEOUT);
	hy_socket_close(&stranger);
	hy_socket_close(&naked);
}

static void with_curve_a_revoked_key_is_refused_at_once_and_at_the_next_connection(void **state)
{
	struct world *w = *state;
	assert_taken(say(w, submit(w, KEY_ONE, "app-1", 1, 1)), 1);
	write_yaml(w, ", curve: always", false);
	for (uint64_t i = 2;; i++) {
		Huiyin__Receipt *r = say(w, submit(w, KEY_ONE, "app-1", i, 1));
		if (strcmp(r->fault, "unauthorized") == 0)
			break;
		assert_taken(r, i);
		fx_wait(w->fx, 1000);
		assert_true(i < 20);
	}
	int64_t end = mono_ms() + 120000;
	for (bool in = true; in; assert_true(mono_ms() < end)) { /* the list is read anew once a second */
		struct hy_socket *again = app(w, w->app_secret, w->door_open);
		int64_t until = mono_ms() + 300;
		fx_wait(w->fx, 1000);
		while (mono_ms() < until)
			assert_int_equal(hy_loop_turn(w->loop, 10), HY_OK);
		in = hy_socket_ready(again, 0) == HY_OK;
		hy_socket_close(&again);
	}
}

static void an_address_beyond_loopback_needs_a_key_of_the_door(void **state)
{
	struct world *w = *state;
	struct hy_fault f = { 0 };
	char path[600];
	assert_true(door_is_loopback("tcp://127.0.0.1:5570"));
	assert_true(door_is_loopback("ipc:///run/huiyin/door.sock"));
	assert_true(door_is_loopback("tcp://[::1]:5570"));
	assert_false(door_is_loopback("tcp://*:5570"));
	assert_false(door_is_loopback("tcp://0.0.0.0:5570"));
	assert_false(door_is_loopback("tcp://10.0.0.1:5570"));
	assert_false(door_is_loopback("tcp://eth0:5570"));
	door_stop(&w->collector);
	hy_daemon_close(&w->fx->daemon);
	snprintf(path, sizeof(path), "%s/keys/door.curve", w->fx->dir);
	assert_int_equal(unlink(path), 0);
	snprintf(w->endpoint, sizeof(w->endpoint), "tcp://0.0.0.0:*");
	write_yaml(w, "", true);
	fx_start(w->fx);
	assert_int_equal(door_open(&w->collector, w->loop, &f), HY_CONFIG);
	assert_non_null(strstr(f.text, "huiyin keygen"));
}

/* systemd ends a unit whose LoadCredential= names a file that is not there, unless SetCredential= has something to put in its place. */
static void an_installation_of_before_has_no_key_of_the_door_and_its_unit_starts_all_the_same(void **state)
{
	struct world *w = *state;
	struct hy_fault f = { 0 };
	char text[4096] = "", path[600];
	FILE *unit = fopen(HY_SOURCE_DIR "/deploy/systemd/huiyin-collector.service", "r");
	assert_non_null(unit);
	text[fread(text, 1, sizeof(text) - 1, unit)] = 0;
	fclose(unit);
	assert_non_null(strstr(text, "\nLoadCredential=door.curve:"));
	assert_non_null(strstr(text, "\nSetCredential=door.curve:none\n"));
	door_stop(&w->collector);
	hy_daemon_close(&w->fx->daemon);
	fx_write(w->fx->dir, "door.curve", "none");
	snprintf(path, sizeof(path), "%s/door.curve", w->fx->dir);
	assert_int_equal(chmod(path, 0400), 0);
	snprintf(w->endpoint, sizeof(w->endpoint), "tcp://0.0.0.0:*");
	write_yaml(w, "", true);
	fx_start(w->fx);
	setenv("CREDENTIALS_DIRECTORY", w->fx->dir, 1);
	int err = door_open(&w->collector, w->loop, &f);
	unsetenv("CREDENTIALS_DIRECTORY");
	assert_int_equal(err, HY_CONFIG);
	assert_non_null(strstr(f.text, "huiyin keygen"));
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define C(name) cmocka_unit_test_setup_teardown(name, setup_curve, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(items_are_kept_in_order_and_receipted_after_the_commit),
		T(what_is_sent_again_is_entered_once),
		T(an_older_part_sent_again_changes_nothing),
		T(after_a_restart_the_numbers_go_on),
		T(an_empty_submit_tells_where_to_go_on),
		T(an_empty_submit_is_answered_behind_what_was_sent_before_it),
		T(a_gap_is_refused_and_nothing_of_it_is_kept),
		T(two_programs_under_one_client_id_are_found_out),
		T(a_client_id_belongs_to_its_key),
		T(several_submits_under_way_are_kept_in_order),
		T(a_bad_item_costs_only_itself_and_says_so_again),
		T(nothing_but_bad_items_moves_on_too),
		T(what_the_gate_refuses_is_named_by_its_place),
		T(fields_of_a_later_version_are_passed_over),
		T(an_item_beyond_its_limit_is_rejected_and_its_neighbours_are_kept),
		T(an_id_is_entered_once_through_whatever_door_and_its_conflict_is_told_again),
		T(very_many_rejections_fit_into_a_receipt),
		T(a_stranger_is_told_and_nothing_is_kept),
		T(a_revoked_key_is_refused_at_its_next_submit),
		T(who_sends_faster_than_its_rate_is_told_when_to_come_back),
		T(what_is_no_submit_is_answered_with_what_is_wrong),
		T(a_submit_beyond_its_limit_is_told_so),
		T(the_credit_grows_with_each_receipt_and_beyond_it_nothing_is_taken),
		T(a_full_store_gives_no_credit_and_heals),
		T(a_step_that_fails_keeps_nothing_and_the_same_submit_goes_through_later),
		T(a_client_that_is_silent_for_long_is_forgotten_and_begins_anew),
		T(more_clients_than_a_chunk_are_forgotten_in_several_steps),
		C(with_curve_a_submit_s_key_must_be_the_one_of_its_connection),
		C(with_curve_nobody_comes_in_whose_key_is_not_listed),
		C(with_curve_a_revoked_key_is_refused_at_once_and_at_the_next_connection),
		T(an_address_beyond_loopback_needs_a_key_of_the_door),
		T(an_installation_of_before_has_no_key_of_the_door_and_its_unit_starts_all_the_same),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
