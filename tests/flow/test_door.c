// link: hy_ring hy_collector
#include "support/fixture.h"
#include "support/ring.h"

#include "base/seal.h"
#include "collector/collector.h"
#include "loop/loop.h"

#include <netinet/in.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>

/* The ZeroMQ door of a real collector: a thousand clients at once, of which some flood, don't read or say nothing; the collector killed
 * while clients stream; CURVE from end to end. Afterwards its log is read at rest: each item of each client is there once, in order.
 * HUIYIN_KILLS (default 10) and HUIYIN_SEED lengthen and repeat the kills. */

#define CLIENTS_MOST 1000
#define BATCH 5
#define SILENCE_MS 2000 /* then a client asks where it stands */
#define PATIENCE_MS 240000

struct app {
	struct hy_socket *socket;
	char client_id[32];
	const char *key;
	int number;
	uint64_t sent, durable, credit, total;
	int64_t heard_ms, retry_at;
	int faults;
	bool met; /* it has been answered once */
};

struct world {
	struct ring *ring;
	struct hy_loop *loop;
	struct hy_arena *arena;
	struct hy_buffer packed;
	char endpoint[300];
	struct app *apps;
	int count;
	const char *curve_secret, *curve_server;
};

static int64_t mono_ms(void)
{
	return hy_mono_ms();
}

static struct hy_socket *connect_to(struct world *w)
{
	struct hy_socket *s = NULL;
	struct hy_fault f = { 0 };
	const struct hy_socket_options o = { .kind = HY_CALLER,
		.endpoint = w->endpoint,
		.curve_secret = w->curve_secret,
		.curve_server = w->curve_server };
	if (hy_socket_open(&s, &o, &f) != HY_OK)
		fail_msg("%s", f.text);
	return s;
}

/* `count` items from `first` on; false when the connection takes nothing now. */
static bool submit(struct world *w, struct app *a, uint64_t first, size_t count)
{
	Huiyin__Submit m = HUIYIN__SUBMIT__INIT;
	Huiyin__Item items[400], *list[400];
	char texts[400][48];
	assert_true(count <= 400);
	for (size_t i = 0; i < count; i++) {
		huiyin__item__init(&items[i]);
		snprintf(texts[i], sizeof(texts[i]), "%d/%llu 快递还没有送到", a->number,
			(unsigned long long)(first + i));
		items[i].text = texts[i];
		list[i] = &items[i];
	}
	m.key = (char *)(uintptr_t)a->key;
	m.client_id = a->client_id;
	m.first_seq = first;
	m.items = list;
	m.n_items = count;
	hy_buffer_clear(&w->packed);
	assert_int_equal(hy_wire_pack(&m.base, &w->packed), HY_OK);
	return hy_socket_send(a->socket, hy_bytes(NULL, 0), hy_buffer_view(&w->packed)) == HY_OK;
}

static struct world *current; /* callbacks get their app alone */

static void on_receipt(void *arg, struct hy_bytes from, struct hy_bytes message)
{
	struct app *a = arg;
	Huiyin__Receipt *r;
	struct hy_fault f = { 0 };
	(void)from;
	hy_arena_reset(current->arena);
	if (hy_wire_unpack(current->arena, &huiyin__receipt__descriptor, message, &r, &f) != HY_OK)
		fail_msg("a Receipt breaks the gate: %s", f.text);
	assert_int_equal(r->n_rejected, 0);
	if (r->fault[0] && strcmp(r->fault, "busy") != 0 && strcmp(r->fault, "gap") != 0)
		fail_msg("%s: %s: %s", a->client_id, r->fault, r->detail);
	a->faults += r->fault[0] != 0;
	a->heard_ms = mono_ms();
	a->met = true;
	a->credit = r->credit;
	if (r->durable_seq > a->durable)
		a->durable = r->durable_seq;
	if (r->fault[0] || a->sent < a->durable)
		a->sent = a->durable; /* from there again */
	a->retry_at = a->heard_ms + r->retry_ms;
}

/* One Submit where there is credit; a question after silence. */
static void go_on(struct world *w, struct app *a)
{
	int64_t now = mono_ms();
	if (now - a->heard_ms > SILENCE_MS && a->durable < a->total) {
		a->heard_ms = now;
		a->sent = a->durable;
		submit(w, a, 0, 0);
		return;
	}
	if (!a->met || now < a->retry_at || a->sent >= a->total || a->sent >= a->durable + a->credit)
		return;
	uint64_t n = a->total - a->sent, room = a->durable + a->credit - a->sent;
	n = n < room ? n : room;
	n = n < BATCH ? n : BATCH;
	if (submit(w, a, a->sent + 1, (size_t)n))
		a->sent += n;
}

static struct app *add_app(struct world *w, const char *key, uint64_t total)
{
	struct app *a = &w->apps[w->count];
	assert_true(w->count < CLIENTS_MOST);
	a->number = w->count++;
	snprintf(a->client_id, sizeof(a->client_id), "app-%d", a->number);
	a->key = key;
	a->total = total;
	a->socket = connect_to(w);
	return a;
}

static void listen_to(struct world *w, struct app *a)
{
	assert_int_equal(hy_loop_watch_socket(w->loop, a->socket, on_receipt, a), HY_OK);
}

static uint64_t sum(const struct world *w, int count)
{
	uint64_t n = 0;
	for (int i = 0; i < count; i++)
		n += w->apps[i].durable;
	return n;
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct rlimit files;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
	files.rlim_cur = files.rlim_max < 16384 ? files.rlim_max : 16384;
	setrlimit(RLIMIT_NOFILE, &files); /* the collector's, too */
	w->ring = ring_open(NULL);
	snprintf(w->endpoint, sizeof(w->endpoint), "ipc://%s/run/door.sock", w->ring->dir);
	assert_int_equal(hy_loop_open(&w->loop), HY_OK);
	w->arena = hy_arena_new(0);
	w->apps = calloc(CLIENTS_MOST, sizeof(*w->apps));
	current = w;
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;
	for (int i = 0; i < w->count; i++)
		hy_socket_close(&w->apps[i].socket);
	hy_loop_close(&w->loop);
	hy_loop_zmq_end();
	hy_arena_free(&w->arena);
	hy_buffer_free(&w->packed);
	ring_close(w->ring);
	free(w->apps);
	free(w);
	return 0;
}

/* ---- the log at rest ---- */

struct reading {
	struct hy_arena *arena;
	uint64_t next[CLIENTS_MOST];
	uint64_t records;
};

static int read_record(const struct hy_record *record, void *arg)
{
	struct reading *r = arg;
	Huiyin__Envelope *e;
	struct hy_fault f = { 0 };
	int number;
	unsigned long long seq;
	hy_arena_reset(r->arena);
	if (hy_wire_open(r->arena, record->bytes, &e, &f) != HY_OK)
		fail_msg("a record breaks the gate: %s", f.text);
	assert_int_equal(sscanf(e->feedback->remark->text, "%d/%llu", &number, &seq), 2);
	if (seq != r->next[number] + 1)
		fail_msg("client %d: %llu came behind %llu", number, seq, (unsigned long long)r->next[number]);
	r->next[number] = seq;
	r->records++;
	return HY_OK;
}

/* Every item up to what each client knows to be durable is there once, in its order. */
static void read_log(struct world *w)
{
	static struct collector collector;
	struct reading *r = calloc(1, sizeof(*r));
	struct hy_daemon *d = NULL;
	struct hy_fault f = { 0 };
	struct hy_daemon_options o = { .dir = w->ring->dir, .offline = true };
	uint64_t at = 0;
	ring_kill(w->ring, COLLECTOR, SIGTERM);
	memset(&collector, 0, sizeof(collector));
	if (hy_daemon_open(&d, &collector_service, &collector, &o, &f) != HY_OK)
		fail_msg("%s", f.text);
	r->arena = hy_arena_new(0);
	struct hy_txn *t = hy_txn_begin(hy_daemon_store(d), HY_READ);
	struct hy_stream_state s = hy_stream_state(hy_daemon_output(d));
	assert_int_equal(hy_stream_read(hy_daemon_output(d), t, s.oldest - 1, read_record, r, &at), HY_OK);
	hy_txn_abort(&t);
	hy_daemon_close(&d);
	for (int i = 0; i < w->count; i++)
		if (r->next[i] < w->apps[i].durable)
			fail_msg("client %d was told %llu and %llu are there", i,
				(unsigned long long)w->apps[i].durable, (unsigned long long)r->next[i]);
	hy_arena_free(&r->arena);
	free(r);
}

/* ---- */

static void a_thousand_clients_are_served_alike_whatever_some_of_them_do(void **state)
{
	enum { NORMAL = 940, SLOW = 9, SILENT = 50, EACH = 120 };
	struct world *w = *state;
	int64_t end = mono_ms() + PATIENCE_MS;
	ring_start(w->ring, COLLECTOR, NULL);
	for (int i = 0; i < NORMAL; i++)
		listen_to(w, add_app(w, w->ring->key, EACH));
	int slow = w->count;
	for (int i = 0; i < SLOW; i++)
		add_app(w, w->ring->key, EACH); /* sends, and reads nothing */
	struct app *flood = add_app(w, w->ring->key, 0);
	for (int i = 0; i < SILENT; i++)
		add_app(w, w->ring->key, 0);
	assert_int_equal(w->count, 1000);
	for (int met = 0; met < NORMAL;) { /* all are there before the first begins */
		met = 0;
		for (int i = 0; i < NORMAL; i++) {
			met += w->apps[i].met;
			if (!w->apps[i].met)
				go_on(w, &w->apps[i]);
		}
		assert_int_equal(hy_loop_turn(w->loop, 5), HY_OK);
		assert_true(mono_ms() < end);
	}
	uint64_t third = 0, least = UINT64_MAX, shared = 0;
	bool looked = false;
	while (sum(w, NORMAL) < (uint64_t)NORMAL * EACH) {
		for (int i = 0; i < NORMAL; i++)
			go_on(w, &w->apps[i]);
		for (int i = slow; i < slow + SLOW; i++)
			submit(w, &w->apps[i], 1, EACH);
		for (int i = 0; i < 4; i++) /* the same again and again, more than anybody's credit */
			submit(w, flood, 1, 400);
		assert_int_equal(hy_loop_turn(w->loop, 1), HY_OK);
		third = sum(w, NORMAL);
		if (!looked && third >= (uint64_t)NORMAL * EACH / 3) {
			looked = true;
			shared = third / NORMAL;
			for (int i = 0; i < NORMAL; i++)
				least = w->apps[i].durable < least ? w->apps[i].durable : least;
		}
		if (mono_ms() > end)
			fail_msg("%llu of %d after %d s", (unsigned long long)third, NORMAL * EACH, PATIENCE_MS / 1000);
	}
	int faults = 0;
	for (int i = 0; i < NORMAL; i++)
		faults += w->apps[i].faults;
	print_message("a third through: the slowest has %llu, the mean is %llu; %d faults in all\n",
		(unsigned long long)least, (unsigned long long)shared, faults);
	assert_true(least * 2 >= shared);
	for (int i = slow; i < w->count;
		i++) /* who has not read must not outlive its door: see set_options() in socket.c */
		hy_socket_close(&w->apps[i].socket);
	read_log(w);
}

static void kills_while_clients_stream_lose_nothing_and_double_nothing(void **state)
{
	enum { APPS = 8 };
	struct world *w = *state;
	const char *kills_wanted = getenv("HUIYIN_KILLS"), *seed = getenv("HUIYIN_SEED");
	int kills = kills_wanted ? atoi(kills_wanted) : 10;
	srand(seed ? (unsigned)atoi(seed) : 1);
	ring_start(w->ring, COLLECTOR, NULL);
	for (int i = 0; i < APPS; i++)
		listen_to(w, add_app(w, w->ring->key, UINT64_MAX / 4)); /* without end */
	for (int i = 0; i < kills; i++) {
		uint64_t before = sum(w, APPS);
		int64_t end = mono_ms() + PATIENCE_MS, kill_at = 0;
		while (!kill_at || mono_ms() < kill_at) {
			for (int k = 0; k < APPS; k++)
				go_on(w, &w->apps[k]);
			assert_int_equal(hy_loop_turn(w->loop, 1), HY_OK);
			if (!kill_at && sum(w, APPS) > before + 100)
				kill_at = mono_ms() + rand() % 200;
			assert_true(mono_ms() < end);
		}
		ring_kill(w->ring, COLLECTOR, SIGKILL);
		ring_start(w->ring, COLLECTOR, NULL);
	}
	int64_t end = mono_ms() + PATIENCE_MS;
	for (int k = 0; k < APPS; k++)
		w->apps[k].total = w->apps[k].durable + 500;
	for (int k = 0; k < APPS;) {
		for (int i = 0; i < APPS; i++)
			go_on(w, &w->apps[i]);
		assert_int_equal(hy_loop_turn(w->loop, 2), HY_OK);
		k += w->apps[k].durable >= w->apps[k].total;
		assert_true(mono_ms() < end);
	}
	read_log(w);
}

/* ---- CURVE ---- */

static int free_port(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0 && bind(fd, (struct sockaddr *)&a, size) == 0 &&
		    getsockname(fd, (struct sockaddr *)&a, &size) == 0);
	close(fd);
	return ntohs(a.sin_port);
}

static void read_word(struct world *w, const char *name, char *out, size_t room)
{
	char path[1200];
	snprintf(path, sizeof(path), "%s/keys/%s", w->ring->dir, name);
	FILE *f = fopen(path, "r");
	assert_non_null(f);
	assert_non_null(fgets(out, (int)room, f));
	out[strcspn(out, "\n")] = 0;
	fclose(f);
}

static void an_app_comes_in_over_tcp_with_the_keys_that_the_command_made(void **state)
{
	struct world *w = *state;
	char edit[1024], words[256], key[64], secret[64], door[64], strange[HY_CURVE_TEXT], strange_open[HY_CURVE_TEXT];
	char *out = NULL;
	snprintf(w->endpoint, sizeof(w->endpoint), "tcp://127.0.0.1:%d", free_port());
	snprintf(edit, sizeof(edit),
		"sed -i -E 's|listen: .*door.sock.*|listen: %s|; s|curve: auto|curve: always|' '%s/huiyin.yaml'",
		w->endpoint, w->ring->dir);
	assert_int_equal(system(edit), 0);
	ring_start(w->ring, COLLECTOR, NULL);
	assert_int_equal(ring_huiyin(w->ring, "keygen shop --json", &out), 0);
	json_t *pair = json_loads(out, 0, NULL);
	assert_non_null(pair);
	snprintf(words, sizeof(words), "key add shop --curve '%s'", json_string_value(json_object_get(pair, "public")));
	json_decref(pair);
	free(out);
	assert_int_equal(ring_huiyin(w->ring, words, NULL), 0); /* the collector runs: it takes notice */
	read_word(w, "shop.key", key, sizeof(key));
	read_word(w, "shop.curve", secret, sizeof(secret));
	read_word(w, "door.pub", door, sizeof(door));
	assert_int_equal(hy_curve_make(strange_open, strange), HY_OK);

	w->curve_secret = strange;
	w->curve_server = door;
	struct app *stranger = add_app(w, key, 10);
	w->curve_secret = w->curve_server = NULL;
	struct app *naked = add_app(w, key, 10);
	w->curve_secret = secret;
	w->curve_server = door;
	struct app *a = add_app(w, key, 200);
	/* ZeroMQ gives up on a door that said no: who was too early comes again. */
	for (int64_t end = mono_ms() + PATIENCE_MS; hy_socket_ready(a->socket, 1000) != HY_OK;) {
		hy_socket_close(&a->socket);
		a->socket = connect_to(w);
		assert_true(mono_ms() < end);
	}
	listen_to(w, a);
	for (int64_t end = mono_ms() + PATIENCE_MS; a->durable < a->total;) {
		go_on(w, a);
		assert_false(submit(w, stranger, 1, 3));
		assert_false(submit(w, naked, 1, 3));
		assert_int_equal(hy_loop_turn(w->loop, 5), HY_OK);
		assert_true(mono_ms() < end);
	}
	assert_int_equal(ring_http(w->ring, "GET", "/metrics", "", NULL, &out), 200);
	assert_non_null(strstr(out, "\nhuiyin_door_clients 1\n"));
	assert_non_null(strstr(out, "\nhuiyin_door_receipts_total "));
	free(out);
	/* the stranger is told nothing; the operator is */
	char command[1200];
	snprintf(command, sizeof(command), "'%s/huiyin' status -C '%s' 2>&1 | grep -q 'that no API key names'",
		HY_BIN_DIR, w->ring->dir);
	assert_int_equal(system(command), 0);
	read_log(w);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_thousand_clients_are_served_alike_whatever_some_of_them_do),
		T(kills_while_clients_stream_lose_nothing_and_double_nothing),
		T(an_app_comes_in_over_tcp_with_the_keys_that_the_command_made),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
