/* Both ends of a link in one thread: a writer's store with the log "feedback", a reader's store that keeps what it took,
 * two loops stepped by hand, and a clock that moves with the steps. Each record's text follows from its number, so that
 * the reader can tell what is right without asking. */
#ifndef HY_TESTS_TWO_ENDS_H
#define HY_TESTS_TWO_ENDS_H

#include "support/test.h"

#include <pthread.h>

#include "base/clock.h"
#include "log/log.h"
#include "stream/block.h"
#include "stream/link.h"

#define STEP_MS 20 /* of the clock, each step */
#define STEPS_MAX 20000

struct ends {
	char *dir;
	char endpoint[200], reader_endpoint[200];
	struct hy_store *writer_db, *reader_db;
	struct hy_loop *writer_loop, *reader_loop;
	struct hy_stream *stream;
	struct hy_stream *streams[2];
	struct hy_serve *serve;
	struct hy_follow *follow;
	uint64_t epoch;
	const char *key, *from, *peer;
	int64_t now_ms;
	uint64_t appended; /* records in the log, over all its lives */
	uint64_t took; /* last number committed by the reader */
	uint64_t began; /* its first */
	uint64_t damaged, erased; /* markers met */
	size_t record_size;
	size_t take_most; /* records of one step of the reader; 0 = all */
	char log[8192]; /* lines logged */
	bool (*allowed)(void *arg, const char *key, const char *peer, const char *stream);
};

static const char *const ends_tables[] = { "log.feedback", "stream", "got", NULL };

static inline void ends_log(const char *line, void *arg)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	struct ends *e = arg;
	pthread_mutex_lock(&lock);
	size_t used = strlen(e->log), size = strlen(line);
	if (used + size + 2 > sizeof(e->log))
		used = 0;
	memcpy(e->log + used, line, size);
	strcpy(e->log + used + size, "\n");
	pthread_mutex_unlock(&lock);
}

static inline size_t ends_record(const struct ends *e, uint64_t seq, uint8_t *out)
{
	size_t size = e->record_size + seq % 7;
	for (size_t i = 0; i < size; i++)
		out[i] = (uint8_t)(seq * 31 + i);
	return size;
}

static inline struct hy_store *ends_store(const struct ends *e, const char *name)
{
	char path[300];
	struct hy_store *db;
	struct hy_fault f = { 0 };
	struct hy_store_options o = { .tables = ends_tables, .maker = name, .version = 1 };
	snprintf(path, sizeof(path), "%s/%s", e->dir, name);
	if (hy_store_open(&db, path, &o, &f) != HY_OK)
		fail_msg("%s", f.text);
	return db;
}

static inline void ends_writer_open(struct ends *e)
{
	struct hy_fault f = { 0 };
	e->writer_db = ends_store(e, "writer");
	assert_int_equal(hy_stream_open(&e->stream, e->writer_db, "feedback"), HY_OK);
	e->streams[0] = e->stream;
	struct hy_serve_options o = { e->writer_db, e->streams, e->endpoint, e->writer_loop, e->allowed, e };
	if (hy_serve_open(&e->serve, &o, &f) != HY_OK)
		fail_msg("%s", f.text);
}

static inline void ends_writer_close(struct ends *e)
{
	hy_serve_close(&e->serve);
	hy_stream_close(&e->stream);
	hy_store_close(&e->writer_db);
}

static inline void ends_follow(struct ends *e)
{
	struct hy_fault f = { 0 };
	struct hy_follow_options o = { e->reader_db, e->peer, "feedback", e->reader_endpoint, ++e->epoch,
		e->reader_loop, e->key, e->from };
	if (hy_follow_open(&e->follow, &o, &f) != HY_OK)
		fail_msg("%s", f.text);
}

static inline void ends_reader_open(struct ends *e)
{
	e->reader_db = ends_store(e, "reader");
	ends_follow(e);
}

static inline void ends_reader_close(struct ends *e)
{
	hy_follow_close(&e->follow);
	hy_store_close(&e->reader_db);
}

static inline struct ends *ends_new(void)
{
	struct ends *e = calloc(1, sizeof(*e));
	e->dir = test_mkdir();
	e->now_ms = 1000000;
	e->record_size = 200;
	e->peer = "classifier";
	e->from = "oldest";
	hy_clock_stand(e->now_ms);
	snprintf(e->endpoint, sizeof(e->endpoint), "ipc://%s/feedback.sock", e->dir);
	strcpy(e->reader_endpoint, e->endpoint);
	hy_log_open("test", HY_DEBUG, 0);
	hy_log_capture(ends_log, e);
	assert_int_equal(hy_loop_open(&e->writer_loop), HY_OK);
	assert_int_equal(hy_loop_open(&e->reader_loop), HY_OK);
	return e;
}

static inline void ends_free(struct ends *e)
{
	hy_link_tamper(NULL, NULL);
	hy_follow_close(&e->follow);
	hy_store_close(&e->reader_db);
	ends_writer_close(e);
	hy_loop_close(&e->writer_loop);
	hy_loop_close(&e->reader_loop);
	hy_loop_zmq_end();
	hy_log_capture(NULL, NULL);
	hy_clock_stand(-1);
	test_rmdir(e->dir);
	free(e);
}

static inline int ends_setup(void **state)
{
	struct ends *e = *state = ends_new();
	ends_writer_open(e);
	ends_reader_open(e);
	return 0;
}

static inline int ends_teardown(void **state)
{
	ends_free(*state);
	return 0;
}

/* Appends `count` records in one transaction, and tells the server. */
static inline void ends_append(struct ends *e, uint64_t count)
{
	uint8_t record[HY_WIRE_ENVELOPE_MAX];
	struct hy_txn *t = hy_txn_begin(e->writer_db, HY_WRITE);
	for (uint64_t i = 0; i < count; i++) {
		uint64_t seq;
		size_t size = ends_record(e, ++e->appended, record);
		assert_int_equal(hy_stream_append(e->stream, t, hy_bytes(record, size), e->now_ms, &seq), HY_OK);
		assert_int_equal(seq, e->appended);
	}
	assert_int_equal(hy_stream_seal(e->stream, t), HY_OK);
	assert_int_equal(hy_txn_commit(&t), HY_OK);
	hy_stream_settled(e->stream, true);
	hy_serve_wake(e->serve);
}

/* The readers' marks into the writer's store. */
static inline bool ends_keep(struct ends *e)
{
	bool changed;
	struct hy_txn *t = hy_txn_begin(e->writer_db, HY_WRITE);
	assert_int_equal(hy_serve_keep(e->serve, t, &changed), HY_OK);
	assert_int_equal(hy_txn_commit(&t), HY_OK);
	return changed;
}

static inline size_t ends_trim(struct ends *e, uint64_t keep_after)
{
	size_t removed;
	struct hy_txn *t = hy_txn_begin(e->writer_db, HY_WRITE);
	assert_int_equal(hy_stream_trim(e->stream, t, keep_after, INT64_MAX, 1000, &removed), HY_OK);
	assert_int_equal(hy_txn_commit(&t), HY_OK);
	hy_stream_settled(e->stream, true);
	return removed;
}

static inline void ends_check(struct ends *e, const struct hy_record *r, uint64_t expected)
{
	uint8_t record[HY_WIRE_ENVELOPE_MAX];
	assert_int_equal(r->seq, expected);
	e->damaged += r->err == HY_DAMAGED;
	e->erased += r->err == HY_ERASED;
	if (r->err != HY_OK) {
		assert_int_equal(r->bytes.size, 0);
		return;
	}
	size_t size = ends_record(e, r->seq, record);
	assert_true(hy_bytes_equal(r->bytes, hy_bytes(record, size)));
}

/* One step of the reader: takes, checks, marks, commits. `commit` false aborts it. Returns how many were taken. */
static inline size_t ends_take(struct ends *e, bool commit)
{
	struct hy_record r;
	size_t n = 0;
	uint64_t last = e->took, damaged = e->damaged, erased = e->erased;
	while ((!e->take_most || n < e->take_most) && hy_follow_take(e->follow, &r)) {
		if (last == 0 && e->began == 0)
			e->began = last = r.seq;
		else
			last++;
		ends_check(e, &r, last);
		n++;
	}
	struct hy_txn *t = hy_txn_begin(e->reader_db, HY_WRITE);
	assert_int_equal(hy_follow_mark(e->follow, t), HY_OK);
	if (commit) {
		assert_int_equal(hy_txn_commit(&t), HY_OK);
		e->took = last;
	} else {
		hy_txn_abort(&t);
		e->damaged = damaged;
		e->erased = erased;
		if (e->took == 0)
			e->began = 0;
	}
	hy_follow_done(e->follow, commit);
	return n;
}

/* Both loops turn once and the clock moves; the reader takes nothing. */
static inline void ends_turn(struct ends *e)
{
	e->now_ms += STEP_MS;
	hy_clock_stand(e->now_ms);
	if (e->serve)
		assert_int_equal(hy_loop_turn(e->writer_loop, 1), HY_OK);
	if (e->follow)
		assert_int_equal(hy_loop_turn(e->reader_loop, 1), HY_OK);
}

static inline void ends_step(struct ends *e)
{
	ends_turn(e);
	if (e->follow)
		ends_take(e, true);
}

/* Steps until `cond` holds; a test that waits for ever fails with the log. */
#define ENDS_UNTIL(e, cond)                                                                                            \
	for (int steps_ = 0; !(cond); steps_++) {                                                                      \
		if (steps_ == STEPS_MAX)                                                                               \
			fail_msg("never came: %s\n%s", #cond, (e)->log);                                               \
		ends_step(e);                                                                                          \
	}
#define ENDS_TURN_UNTIL(e, cond)                                                                                       \
	for (int steps_ = 0; !(cond); steps_++) {                                                                      \
		if (steps_ == STEPS_MAX)                                                                               \
			fail_msg("never came: %s\n%s", #cond, (e)->log);                                               \
		ends_turn(e);                                                                                          \
	}

/* Everything appended has been taken, and both ends agree about the chain. */
static inline void ends_agree(struct ends *e)
{
	ENDS_UNTIL(e, e->took == e->appended);
	struct hy_follow_state s = hy_follow_state(e->follow);
	struct hy_stream_state w = hy_stream_state(e->stream);
	assert_int_equal(s.mark.seq, w.head);
	assert_true(s.mark.chain == w.chain);
	assert_memory_equal(s.mark.log_id.b, w.log_id.b, 16);
	struct hy_mark kept;
	struct hy_txn *t = hy_txn_begin(e->reader_db, HY_READ);
	assert_int_equal(hy_follow_kept(t, "feedback", &kept), HY_OK);
	hy_txn_abort(&t);
	assert_memory_equal(&kept, &s.mark, sizeof(kept));
}

static inline enum hy_link_state ends_link(struct ends *e)
{
	return hy_follow_state(e->follow).link;
}

static inline bool ends_reader(struct ends *e, const char *peer, struct hy_reader *out)
{
	struct hy_reader all[300];
	size_t n = hy_serve_readers(e->serve, all, 300);
	for (size_t i = 0; i < n; i++)
		if (strcmp(all[i].peer, peer) == 0) {
			*out = all[i];
			return true;
		}
	return false;
}

static inline uint64_t ends_committed(struct ends *e)
{
	struct hy_reader r;
	return ends_reader(e, e->peer, &r) ? r.committed : 0;
}

#endif
