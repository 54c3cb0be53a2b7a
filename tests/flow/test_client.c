// link: hy_ring huiyin_client
#include "support/ring.h"

#include "base/clock.h"
#include "client/client.h"
#include "service/service.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

/* libhuiyin.so against the real collector, through both doors. The app is this program run again with arguments; it streams until it is killed.
 * HUIYIN_KILLS (default 10) and HUIYIN_SEED repeat and lengthen the kills. */

enum { PATIENCE = 240000, LIVES = 1000 };

/* ---- the app: items "L.0", "L.1" ... of its life L; tells on standard output how many are in the spool or further ---- */

static int app(char **argv)
{
	struct hy_client *c;
	char why[512], text[64];
	if (hy_client_open_with(&c, HY_CLIENT_OPTIONS(.url = argv[2], .key = argv[3], .spool = argv[4]), why,
		    sizeof(why)) != HY_CLIENT_OK) {
		fprintf(stderr, "%s\n", why);
		return 1;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (int i = 0;; i++) {
		snprintf(text, sizeof(text), "%s.%d", argv[5], i);
		while (hy_client_feedback(c, HY_CLIENT_FEEDBACK(.text = text, .customer_id = "c-1")) == HY_CLIENT_FULL)
			usleep(1000);
		if (i % 20 != 19)
			continue;
		while (hy_client_flush(c, 0) == HY_CLIENT_TIMEOUT)
			usleep(1000);
		int safe = i + 1;
		if (write(STDOUT_FILENO, &safe, sizeof(safe)) != sizeof(safe))
			return 1;
	}
}

struct life {
	pid_t pid;
	int out;
};

static struct life be_born(const char *url, const char *key, const char *spool, int number)
{
	struct life l;
	int pipes[2];
	char name[16];
	snprintf(name, sizeof(name), "%d", number);
	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	l.pid = fork();
	assert_true(l.pid >= 0);
	if (l.pid == 0) {
		dup2(pipes[1], STDOUT_FILENO);
		execl("/proc/self/exe", "app", "app", url, key, spool, name, (char *)NULL);
		_exit(127);
	}
	close(pipes[1]);
	l.out = pipes[0];
	return l;
}

/* How many of its items are safe. */
static int die(struct life *l)
{
	int safe = 0, next, status;
	kill(l->pid, SIGKILL);
	assert_int_equal(waitpid(l->pid, &status, 0), l->pid);
	assert_true(WIFSIGNALED(status));
	while (read(l->out, &next, sizeof(next)) == sizeof(next))
		safe = next;
	close(l->out);
	return safe;
}

/* ---- what the collector has ---- */

struct found {
	int next[LIVES]; /* of each life: how many are there; they came in order, each once */
	int total;
	struct hy_arena *arena;
};

static int on_record(const struct hy_record *r, void *arg)
{
	struct found *found = arg;
	Huiyin__Envelope *e;
	struct hy_fault f;
	int life, item;
	hy_arena_reset(found->arena);
	if (hy_wire_open(found->arena, r->bytes, &e, &f) != HY_OK)
		fail_msg("%s", f.text);
	if (e->feedback->body_case != HUIYIN__FEEDBACK__BODY_REMARK)
		return HY_OK;
	found->total++;
	if (sscanf(e->feedback->remark->text, "%d.%d", &life, &item) != 2)
		return HY_OK;
	assert_in_range(life, 0, LIVES - 1);
	if (item != found->next[life])
		fail_msg("%d.%d stands where %d.%d should", life, item, life, found->next[life]);
	found->next[life]++;
	return HY_OK;
}

/* Every record of the collector's stream, in order. The collector must not run. */
static void read_stream(struct ring *r, int (*each)(const struct hy_record *r, void *arg), void *arg)
{
	static const char *const tables[] = { "log.feedback", "stream", NULL };
	const struct hy_store_options o = { .tables = tables, .read_only = true, .version = 1 };
	struct hy_store *db;
	struct hy_stream *s;
	struct hy_fault f = { 0 };
	char dir[4096];
	uint64_t at;
	snprintf(dir, sizeof(dir), "%s/state/collector", r->dir);
	if (hy_store_open(&db, dir, &o, &f) != HY_OK)
		fail_msg("%s", f.text);
	assert_int_equal(hy_stream_open(&s, db, "feedback"), HY_OK);
	struct hy_txn *t = hy_txn_begin(db, HY_READ);
	assert_int_equal(hy_stream_read(s, t, 0, each, arg, &at), HY_OK);
	hy_txn_abort(&t);
	hy_stream_close(&s);
	hy_store_close(&db);
}

static struct found look(struct ring *r)
{
	struct found found = { .arena = hy_arena_new(0) };
	read_stream(r, on_record, &found);
	hy_arena_free(&found.arena);
	return found;
}

/* ---- a ring of the collector alone ---- */

struct fx {
	struct ring *ring;
	char zmq[4200], http[64], spool[4200];
};

static int open_fx(void **state)
{
	struct fx *fx = calloc(1, sizeof(*fx));
	fx->ring = ring_open(NULL);
	snprintf(fx->zmq, sizeof(fx->zmq), "ipc://%s/run/door.sock", fx->ring->dir);
	snprintf(fx->http, sizeof(fx->http), "http://127.0.0.1:%d", fx->ring->port);
	snprintf(fx->spool, sizeof(fx->spool), "%s/app.spool", fx->ring->dir);
	*state = fx;
	return 0;
}

static int close_fx(void **state)
{
	struct fx *fx = *state;
	ring_close(fx->ring);
	free(fx);
	return 0;
}

static struct hy_client *client(struct fx *fx, const char *url, const char *spool)
{
	struct hy_client *c;
	char why[512];
	if (hy_client_open_with(
		    &c, HY_CLIENT_OPTIONS(.url = url, .key = fx->ring->key, .spool = spool), why, sizeof(why)))
		fail_msg("%s", why);
	return c;
}

static void flushed(struct hy_client *c)
{
	char words[512];
	if (hy_client_flush(c, PATIENCE) == HY_CLIENT_OK)
		return;
	hy_client_problem(c, words, sizeof(words));
	fail_msg("not everything arrived: %s", words);
}

/* ---- exactly once ---- */

static int number_from(const char *name, int otherwise)
{
	const char *text = getenv(name);
	return text ? atoi(text) : otherwise;
}

static void kill_both_sides(struct fx *fx, const char *url)
{
	int kills = number_from("HUIYIN_KILLS", 10), lives = 0, safe[LIVES] = { 0 };
	unsigned seed = (unsigned)number_from("HUIYIN_SEED", (int)getpid());
	print_message("HUIYIN_SEED=%u HUIYIN_KILLS=%d\n", seed, kills);
	srand(seed);
	ring_start(fx->ring, COLLECTOR, NULL);
	struct life l = be_born(url, fx->ring->key, fx->spool, lives++);
	for (int i = 0; i < kills; i++) {
		int whom = rand() % 3;
		usleep((useconds_t)(rand() % 400) * 1000);
		if (whom != 0)
			ring_kill(fx->ring, COLLECTOR, SIGKILL);
		if (whom != 1) {
			safe[lives - 1] = die(&l);
			assert_true(lives < LIVES);
			l = be_born(url, fx->ring->key, fx->spool, lives++);
		}
		if (whom != 0)
			ring_start(fx->ring, COLLECTOR, NULL);
	}
	usleep(300000);
	safe[lives - 1] = die(&l);
	struct hy_client *c = client(fx, url, fx->spool);
	flushed(c);
	struct hy_client_stats s = { .size = sizeof(s) };
	hy_client_stats(c, &s);
	assert_int_equal(s.damaged, 0);
	assert_int_equal(s.renamed, 0);
	assert_int_equal(s.rejected, 0);
	assert_int_equal(hy_client_close(&c), HY_CLIENT_OK);
	ring_kill(fx->ring, COLLECTOR, SIGTERM);
	struct found found = look(fx->ring);
	for (int i = 0; i < lives; i++)
		if (found.next[i] < safe[i])
			fail_msg("life %d: %d were safe, %d are there", i, safe[i], found.next[i]);
	print_message("%d lives, %d items, none lost, none twice\n", lives, found.total);
	assert_true(found.total > 0);
}

static void kill_9_of_app_and_collector_loses_and_doubles_nothing_over_zeromq(void **state)
{
	struct fx *fx = *state;
	kill_both_sides(fx, fx->zmq);
}

static void kill_9_of_app_and_collector_loses_and_doubles_nothing_over_http(void **state)
{
	struct fx *fx = *state;
	kill_both_sides(fx, fx->http);
}

/* ---- everything that a feedback can say arrives, through both doors alike ---- */

static void say_everything(struct fx *fx, const char *url)
{
	const struct hy_client_rating ratings[] = { { "nps", 9, 0, false }, { "ces", 2.5, 7, true } };
	const struct hy_client_pair context[] = { { "version", "3.2.1" }, { "页面", "订单" } };
	const struct hy_client_pair traits[] = { { "plan", "gold" } };
	const char *const tags[] = { "beta", "测试" };
	struct hy_client *c = client(fx, url, NULL);
	assert_int_equal(
		hy_client_feedback(c,
			HY_CLIENT_FEEDBACK(.text = "快递还没到,“急”! \\ \"\t",
				.id = strncmp(url, "http", 4) ? "a" : "b", .channel = "kiosk", .kind = HY_CLIENT_SURVEY,
				.occurred_ms = 1767225600123, .ratings = ratings, .rating_count = 2, .tags = tags,
				.tag_count = 2, .context = context, .context_count = 2, .customer_id = "u-17",
				.customer_email = "li@example.com", .customer_name = "李娜", .customer_locale = "zh-CN",
				.customer_timezone = "Asia/Shanghai", .customer_traits = traits,
				.customer_trait_count = 1)),
		HY_CLIENT_OK);
	flushed(c);
	struct hy_client_stats s = { .size = sizeof(s) };
	hy_client_stats(c, &s);
	assert_int_equal(s.durable, 1);
	assert_int_equal(hy_client_close(&c), HY_CLIENT_OK);
}

struct pair {
	char *said[2];
	int count;
};

/* A remark without what must differ: the app's own id and what the collector adds. */
static int keep_remark(const struct hy_record *r, void *arg)
{
	struct pair *p = arg;
	struct hy_arena *a = hy_arena_new(0);
	struct hy_buffer b = { 0 };
	Huiyin__Envelope *e;
	struct hy_fault f;
	assert_int_equal(hy_wire_open(a, r->bytes, &e, &f), HY_OK);
	const Huiyin__Remark *m = e->feedback->remark;
	const Huiyin__Customer *w = e->feedback->customer;
	hy_buffer_printf(&b, "%d %s %s %lld %s %s %s %s", (int)m->kind, m->channel, m->text, (long long)m->occurred_ms,
		w->id, w->name, w->locale, w->timezone);
	for (size_t i = 0; i < m->n_ratings; i++)
		hy_buffer_printf(&b, " %s %g %g %d", m->ratings[i]->scale, m->ratings[i]->score, m->ratings[i]->max,
			m->ratings[i]->lower_better);
	for (size_t i = 0; i < m->n_context; i++)
		hy_buffer_printf(&b, " %s=%s", m->context[i]->name, m->context[i]->value);
	for (size_t i = 0; i < m->n_tags; i++)
		hy_buffer_printf(&b, " #%s", m->tags[i]);
	for (size_t i = 0; i < w->n_traits; i++)
		hy_buffer_printf(&b, " %s=%s", w->traits[i]->name, w->traits[i]->value);
	assert_true(p->count < 2);
	p->said[p->count++] = strdup(hy_buffer_string(&b));
	hy_buffer_free(&b);
	hy_arena_free(&a);
	return HY_OK;
}

static void everything_that_can_be_said_arrives_alike_through_both_doors(void **state)
{
	struct fx *fx = *state;
	struct pair p = { 0 };
	ring_start(fx->ring, COLLECTOR, NULL);
	say_everything(fx, fx->zmq);
	say_everything(fx, fx->http);
	ring_kill(fx->ring, COLLECTOR, SIGTERM);
	read_stream(fx->ring, keep_remark, &p);
	assert_int_equal(p.count, 2);
	assert_string_equal(p.said[0], p.said[1]);
	assert_string_equal(p.said[0], "1 kiosk 快递还没到,“急”! \\ \"\t 1767225600123 u-17 李娜 zh-CN Asia/Shanghai "
				       "nps 9 10 0 ces 2.5 7 1 version=3.2.1 "
				       "页面=订单 #beta #测试 plan=gold");
	free(p.said[0]);
	free(p.said[1]);
}

/* ---- rejections and wrong keys ---- */

struct told {
	int count;
	char words[512];
};

static void on_rejected(void *arg, const struct hy_client_rejection *r)
{
	struct told *t = arg;
	t->count++;
	snprintf(t->words, sizeof(t->words), "%s|%s|%s", r->id, r->text, r->pointer);
	assert_true(r->detail[0]);
}

static void what_the_collector_refuses(struct fx *fx, const char *url)
{
	struct told told = { 0 };
	struct hy_client *c = client(fx, url, NULL);
	struct hy_client_stats s = { .size = sizeof(s) };
	hy_client_on_rejected(c, on_rejected, &told);
	for (int i = 0; i < 50; i++) {
		char id[16], text[32];
		snprintf(id, sizeof(id), "r%d", i);
		snprintf(text, sizeof(text), "text %d of %.4s", i, url);
		hy_client_feedback(
			c, HY_CLIENT_FEEDBACK(.text = text, .channel = i == 31 ? "Not A Channel" : NULL, .id = NULL));
	}
	flushed(c);
	hy_client_stats(c, &s);
	assert_int_equal(s.durable, 49);
	assert_int_equal(s.rejected, 1);
	/* One alone, too. */
	hy_client_feedback(c, HY_CLIENT_FEEDBACK(.text = "alone", .id = "i-9", .customer_email = "no address"));
	flushed(c);
	hy_client_close(&c);
	assert_int_equal(told.count, 2);
	assert_string_equal(told.words, "i-9|alone|/customer/email");
}

static void a_rejection_is_told_with_the_field_at_fault_through_both_doors(void **state)
{
	struct fx *fx = *state;
	ring_start(fx->ring, COLLECTOR, NULL);
	what_the_collector_refuses(fx, fx->zmq);
	what_the_collector_refuses(fx, fx->http);
}

static void a_key_that_nobody_knows_is_told_and_nothing_is_lost(void **state)
{
	struct fx *fx = *state;
	char key[64], words[512];
	ring_start(fx->ring, COLLECTOR, NULL);
	snprintf(key, sizeof(key), "%s", fx->ring->key);
	fx->ring->key[5] ^= 1;
	struct hy_client *c = client(fx, fx->http, fx->spool);
	hy_client_feedback(c, HY_CLIENT_FEEDBACK(.text = "0.0"));
	do {
		usleep(10000);
		hy_client_problem(c, words, sizeof(words));
	} while (!strstr(words, "401"));
	assert_int_equal(hy_client_close(&c), HY_CLIENT_SPOOLED);
	c = client(fx, fx->zmq, fx->spool);
	do {
		usleep(10000);
		hy_client_problem(c, words, sizeof(words));
	} while (!strstr(words, "unauthorized"));
	assert_int_equal(hy_client_close(&c), HY_CLIENT_SPOOLED);
	snprintf(fx->ring->key, sizeof(fx->ring->key), "%s", key);
	c = client(fx, fx->zmq, fx->spool);
	flushed(c);
	assert_int_equal(hy_client_close(&c), HY_CLIENT_OK);
	ring_kill(fx->ring, COLLECTOR, SIGTERM);
	struct found found = look(fx->ring);
	assert_int_equal(found.next[0], 1);
}

/* ---- CURVE: the door's key and a pair of its own, as `huiyin keygen` makes them ---- */

static void read_key(struct ring *r, const char *name, char *key, size_t room)
{
	char path[4200];
	snprintf(path, sizeof(path), "%s/keys/%s", r->dir, name);
	FILE *f = fopen(path, "r");
	assert_non_null(f);
	assert_non_null(fgets(key, (int)room, f));
	fclose(f);
	key[strcspn(key, "\n")] = 0;
}

static void over_curve_it_comes_in_with_its_own_pair_and_a_stranger_does_not(void **state)
{
	struct fx *fx = *state;
	char door[64], secret[64], key[64], command[4300], *out;
	snprintf(command, sizeof(command), "sed -i 's/curve: auto/curve: always/' '%s/huiyin.yaml'", fx->ring->dir);
	assert_int_equal(system(command), 0);
	assert_int_equal(ring_huiyin(fx->ring, "keygen shop --json", &out), 0);
	json_t *made = json_loads(out, 0, NULL);
	assert_non_null(made);
	snprintf(command, sizeof(command), "key add shop --curve '%s'",
		json_string_value(json_object_get(made, "public")));
	assert_int_equal(ring_huiyin(fx->ring, command, NULL), 0);
	read_key(fx->ring, "door.pub", door, sizeof(door));
	read_key(fx->ring, "shop.curve", secret, sizeof(secret));
	read_key(fx->ring, "shop.key", key, sizeof(key));
	ring_start(fx->ring, COLLECTOR, NULL);
	struct hy_client *c;
	char why[512];
	assert_int_equal(hy_client_open_with(&c,
				 HY_CLIENT_OPTIONS(.url = fx->zmq, .key = key, .curve_server = door,
					 .curve_secret = secret, .close_ms = -1),
				 why, sizeof(why)),
		HY_CLIENT_OK);
	hy_client_feedback(c, HY_CLIENT_FEEDBACK(.text = "0.0"));
	flushed(c);
	hy_client_close(&c);
	char public_text[HY_CURVE_TEXT], stranger[HY_CURVE_TEXT];
	assert_int_equal(hy_curve_make(public_text, stranger), HY_OK);
	assert_int_equal(hy_client_open_with(&c,
				 HY_CLIENT_OPTIONS(.url = fx->zmq, .key = key, .curve_server = door,
					 .curve_secret = stranger, .close_ms = -1),
				 why, sizeof(why)),
		HY_CLIENT_OK);
	hy_client_feedback(c, HY_CLIENT_FEEDBACK(.text = "0.1"));
	assert_int_equal(hy_client_flush(c, 1500), HY_CLIENT_TIMEOUT);
	hy_client_close(&c);
	ring_kill(fx->ring, COLLECTOR, SIGTERM);
	assert_int_equal(look(fx->ring).next[0], 1);
	json_decref(made);
	free(out);
}

int main(int argc, char **argv)
{
	if (argc == 6 && strcmp(argv[1], "app") == 0)
		return app(argv);
#define CASE(name) cmocka_unit_test_setup_teardown(name, open_fx, close_fx)
	const struct CMUnitTest tests[] = {
		CASE(everything_that_can_be_said_arrives_alike_through_both_doors),
		CASE(a_rejection_is_told_with_the_field_at_fault_through_both_doors),
		CASE(a_key_that_nobody_knows_is_told_and_nothing_is_lost),
		CASE(over_curve_it_comes_in_with_its_own_pair_and_a_stranger_does_not),
		CASE(kill_9_of_app_and_collector_loses_and_doubles_nothing_over_zeromq),
		CASE(kill_9_of_app_and_collector_loses_and_doubles_nothing_over_http),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
