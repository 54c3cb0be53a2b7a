// link: hy_huiyin
/* huiyin import and send against a collector that says what the test tells it to: on a thread of its own, one connection at a time. */
#include "support/test.h"

#include "huiyin/files.h"
#include "huiyin/huiyin.h"
#include "huiyin/post.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <zlib.h>

#define ANSWERS_MAX 32

/* What it answers, one after the other; the last one again and again. %N% in a body is the number of items asked for. */
struct answer {
	int status;
	const char *headers, *body;
	bool hang_up; /* after the answer, without having said so */
};

struct fake {
	int listener, port;
	pthread_t thread;
	struct answer answers[ANSWERS_MAX];
	size_t answer_count;
	char *bodies[ANSWERS_MAX]; /* of the requests */
	size_t request_count;
	bool authorized;
};

static size_t items_of(const char *body)
{
	json_t *j = json_loads(body, 0, NULL);
	size_t n = json_is_array(j) ? json_array_size(j) : 1;
	json_decref(j);
	return n;
}

static bool read_request(int fd, struct fake *f)
{
	char *text = calloc(1, 1 << 20);
	size_t size = 0, wanted = 0;
	for (;;) {
		char *end = strstr(text, "\r\n\r\n"), *length = strstr(text, "Content-Length: ");
		if (end && !wanted)
			wanted = (size_t)(end + 4 - text) + (length && length < end ? (size_t)atol(length + 16) : 0);
		if (wanted && size >= wanted)
			break;
		ssize_t n = recv(fd, text + size, (1 << 20) - 1 - size, 0);
		if (n <= 0) {
			free(text);
			return false;
		}
		size += (size_t)n;
	}
	f->authorized = strstr(text, "Authorization: Bearer hy_") != NULL;
	f->bodies[f->request_count++ % ANSWERS_MAX] = strdup(strstr(text, "\r\n\r\n") + 4);
	free(text);
	return true;
}

static void write_answer(int fd, const struct answer *a, const char *request)
{
	char body[4096] = "", head[1024], number[32];
	const char *at = strstr(a->body, "%N%");
	snprintf(number, sizeof(number), "%zu", items_of(request));
	if (at)
		snprintf(body, sizeof(body), "%.*s%s%s", (int)(at - a->body), a->body, number, at + 3);
	else
		snprintf(body, sizeof(body), "%s", a->body);
	int n = snprintf(head, sizeof(head), "HTTP/1.1 %d X\r\n%sContent-Length: %zu\r\n\r\n", a->status,
		a->headers ? a->headers : "", strlen(body));
	send(fd, head, (size_t)n, MSG_NOSIGNAL);
	send(fd, body, strlen(body), MSG_NOSIGNAL);
}

static void *serve(void *arg)
{
	struct fake *f = arg;
	for (int fd; (fd = accept(f->listener, NULL, NULL)) >= 0; close(fd)) {
		while (read_request(fd, f)) {
			size_t i = f->request_count - 1;
			const struct answer *a = &f->answers[i < f->answer_count ? i : f->answer_count - 1];
			write_answer(fd, a, f->bodies[i % ANSWERS_MAX]);
			if (a->hang_up)
				break;
		}
	}
	return NULL;
}

/* ---- fixture: an installation that points to the fake ---- */

struct fx {
	char *dir;
	char file[300];
	struct fake fake;
};

static int setup(void **state)
{
	struct fx *fx = calloc(1, sizeof(*fx));
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(a);
	char path[400], text[200];
	fx->dir = test_mkdir();
	fx->fake.listener = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(fx->fake.listener, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(fx->fake.listener, 8), 0);
	assert_int_equal(getsockname(fx->fake.listener, (struct sockaddr *)&a, &size), 0);
	fx->fake.port = ntohs(a.sin_port);
	snprintf(text, sizeof(text), "http:\n  listen: 127.0.0.1:%d\n", fx->fake.port);
	snprintf(path, sizeof(path), "%s/huiyin.yaml", fx->dir);
	assert_int_equal(file_write(path, hy_bytes_text(text), 0644, NULL), HY_OK);
	snprintf(path, sizeof(path), "%s/keys", fx->dir);
	assert_int_equal(file_mkdir(path, 0700, NULL, NULL), HY_OK);
	snprintf(path, sizeof(path), "%s/keys/app-default.key", fx->dir);
	assert_int_equal(file_write(path, HY_LIT("hy_test\n"), 0600, NULL), HY_OK);
	snprintf(fx->file, sizeof(fx->file), "%s/r.jsonl", fx->dir);
	*state = fx;
	return 0;
}

static int teardown(void **state)
{
	struct fx *fx = *state;
	shutdown(fx->fake.listener, SHUT_RDWR);
	if (fx->fake.answer_count)
		pthread_join(fx->fake.thread, NULL);
	close(fx->fake.listener);
	for (size_t i = 0; i < ANSWERS_MAX; i++)
		free(fx->fake.bodies[i]);
	test_rmdir(fx->dir);
	free(fx);
	return 0;
}

static void answer(struct fx *fx, int status, const char *headers, const char *body)
{
	fx->fake.answers[fx->fake.answer_count++] = (struct answer){ status, headers, body, false };
}

#define ACCEPTS "{\"accepted\":%N%,\"duplicates\":0,\"rejected\":[],\"ids\":[]}"

static void begin(struct fx *fx)
{
	assert_int_equal(pthread_create(&fx->fake.thread, NULL, serve, &fx->fake), 0);
}

static void write_lines(struct fx *fx, int from, int to, const char *mode)
{
	FILE *f = fopen(fx->file, mode);
	assert_non_null(f);
	for (int i = from; i < to; i++)
		fprintf(f, "{\"text\":\"line %d\"}\n", i);
	fclose(f);
}

static int import(struct fx *fx, char *option)
{
	char *argv[] = { (char *)(uintptr_t) "huiyin import", (char *)(uintptr_t) "-C", fx->dir, fx->file,
		option ? option : (char *)(uintptr_t) "--color=never", NULL };
	return huiyin_import(5, argv);
}

static json_t *rejects(struct fx *fx)
{
	char path[400];
	struct hy_buffer text = { 0 };
	json_t *list = json_array();
	snprintf(path, sizeof(path), "%s.rejects.jsonl", fx->file);
	assert_int_equal(file_read(path, 1 << 20, &text, NULL), HY_OK);
	for (char *line = strtok((char *)(uintptr_t)hy_buffer_string(&text), "\n"); line; line = strtok(NULL, "\n"))
		json_array_append_new(list, json_loads(line, 0, NULL));
	hy_buffer_free(&text);
	return list;
}

static char *id_of(const char *body, size_t i)
{
	json_t *j = json_loads(body, 0, NULL);
	char *id = strdup(huiyin_text(json_array_get(j, i), "id"));
	json_decref(j);
	return id;
}

/* ---- what users see ---- */

static void a_long_file_goes_in_arrays_of_at_most_500_over_one_connection(void **state)
{
	struct fx *fx = *state;
	write_lines(fx, 0, 1100, "w");
	answer(fx, 202, NULL, ACCEPTS);
	begin(fx);
	assert_int_equal(import(fx, NULL), EX_OK);
	assert_int_equal(fx->fake.request_count, 3);
	assert_int_equal(items_of(fx->fake.bodies[0]), 500);
	assert_int_equal(items_of(fx->fake.bodies[2]), 100);
	assert_true(fx->fake.authorized);
}

static void lines_that_are_refused_stand_in_the_rejects_file_with_their_number_and_reason(void **state)
{
	struct fx *fx = *state;
	write_lines(fx, 1, 3, "w");
	FILE *f = fopen(fx->file, "a");
	fputs("\nnot json\n{\"text\":\"line 5\"}\n", f);
	fclose(f);
	answer(fx, 202, NULL,
		"{\"accepted\":2,\"duplicates\":0,\"rejected\":[{\"index\":1,\"errors\":[{\"pointer\":\"/1/"
		"text\",\"detail\":\"too "
		"long\"}]}],\"ids\":[]}");
	begin(fx);
	assert_int_equal(import(fx, NULL), EX_DATAERR);
	json_t *list = rejects(fx);
	assert_int_equal(json_array_size(list), 2);
	assert_int_equal(huiyin_number(json_array_get(list, 0), "line"), 4);
	const json_t *second = json_array_get(list, 1), *e = json_array_get(json_object_get(second, "errors"), 0);
	assert_int_equal(huiyin_number(second, "line"), 2);
	assert_string_equal(huiyin_text(e, "pointer"), "/text");
	assert_string_equal(huiyin_text(e, "detail"), "too long");
	json_decref(list);
}

static void begun_again_it_sends_only_what_has_been_added(void **state)
{
	struct fx *fx = *state;
	write_lines(fx, 0, 10, "w");
	answer(fx, 202, NULL, ACCEPTS);
	begin(fx);
	assert_int_equal(import(fx, NULL), EX_OK);
	assert_int_equal(import(fx, NULL), EX_OK);
	assert_int_equal(fx->fake.request_count, 1);
	write_lines(fx, 10, 13, "a");
	assert_int_equal(import(fx, NULL), EX_OK);
	assert_int_equal(fx->fake.request_count, 2);
	assert_int_equal(items_of(fx->fake.bodies[1]), 3);
}

static void begun_from_the_first_line_it_sends_the_same_ids(void **state)
{
	struct fx *fx = *state;
	write_lines(fx, 0, 3, "w");
	answer(fx, 202, NULL, ACCEPTS);
	begin(fx);
	assert_int_equal(import(fx, NULL), EX_OK);
	assert_int_equal(import(fx, (char *)(uintptr_t) "--restart"), EX_OK);
	assert_int_equal(fx->fake.request_count, 2);
	assert_string_equal(fx->fake.bodies[0], fx->fake.bodies[1]);
	char *first = id_of(fx->fake.bodies[0], 0), *second = id_of(fx->fake.bodies[0], 1);
	assert_string_not_equal(first, second);
	free(first);
	free(second);
}

static void a_busy_collector_gets_the_same_again_after_the_pause_it_asked_for(void **state)
{
	struct fx *fx = *state;
	write_lines(fx, 0, 5, "w");
	answer(fx, 503, "Retry-After: 1\r\n", "{\"detail\":\"full\"}");
	answer(fx, 429, "Retry-After: 1\r\n", "{\"detail\":\"slow\"}");
	answer(fx, 202, NULL, ACCEPTS);
	begin(fx);
	assert_int_equal(import(fx, NULL), EX_OK);
	assert_int_equal(fx->fake.request_count, 3);
	assert_string_equal(fx->fake.bodies[0], fx->fake.bodies[2]);
}

static void a_connection_that_was_closed_in_between_is_made_again(void **state)
{
	struct fx *fx = *state;
	write_lines(fx, 0, 1000, "w");
	answer(fx, 202, NULL, ACCEPTS);
	fx->fake.answers[0].hang_up = true;
	begin(fx);
	assert_int_equal(import(fx, NULL), EX_OK);
	assert_int_equal(fx->fake.request_count, 2);
}

static void an_array_that_is_refused_without_saying_why_is_halved_down_to_the_line(void **state)
{
	struct fx *fx = *state;
	write_lines(fx, 0, 2, "w");
	answer(fx, 413, NULL, "{\"detail\":\"too large\"}");
	answer(fx, 202, NULL, ACCEPTS);
	answer(fx, 413, NULL, "{\"detail\":\"too large\"}");
	begin(fx);
	assert_int_equal(import(fx, NULL), EX_DATAERR);
	assert_int_equal(fx->fake.request_count, 3);
	json_t *list = rejects(fx);
	assert_int_equal(json_array_size(list), 1);
	assert_int_equal(huiyin_number(json_array_get(list, 0), "line"), 2);
	json_decref(list);
}

static void a_key_that_is_not_known_ends_it_and_nothing_is_marked_done(void **state)
{
	struct fx *fx = *state;
	char path[400];
	struct hy_buffer text = { 0 };
	write_lines(fx, 0, 5, "w");
	answer(fx, 401, NULL, "{\"detail\":\"This key is not known here.\"}");
	begin(fx);
	assert_int_equal(import(fx, NULL), EX_NOPERM);
	snprintf(path, sizeof(path), "%s.import", fx->file);
	assert_int_equal(file_read(path, 4096, &text, NULL), HY_OK);
	assert_non_null(strstr(hy_buffer_string(&text), "\"lines\":0"));
	hy_buffer_free(&text);
}

static void a_compressed_file_is_read_as_it_is(void **state)
{
	struct fx *fx = *state;
	gzFile gz = gzopen(fx->file, "wb");
	assert_non_null(gz);
	gzputs(gz, "{\"text\":\"one\"}\n{\"text\":\"two, without an end of line\"}");
	gzclose(gz);
	answer(fx, 202, NULL, ACCEPTS);
	begin(fx);
	assert_int_equal(import(fx, NULL), EX_OK);
	assert_int_equal(items_of(fx->fake.bodies[0]), 2);
}

static void a_table_is_read_by_rows_that_may_have_several_lines(void **state)
{
	struct fx *fx = *state;
	snprintf(fx->file, sizeof(fx->file), "%s/r.csv", fx->dir);
	FILE *f = fopen(fx->file, "w");
	fputs("text;rating.scale;rating.score;shop\n\"two\nlines\";stars;4;west\nthree;stars;x;east\nfour;;;\n", f);
	fclose(f);
	answer(fx, 202, NULL,
		"{\"accepted\":2,\"duplicates\":0,\"rejected\":[{\"index\":1,\"errors\":[{\"pointer\":\"/1/rating/"
		"score\",\"detail\":"
		"\"not a number\"}]}],\"ids\":[]}");
	begin(fx);
	assert_int_equal(import(fx, NULL), EX_DATAERR);
	json_t *j = json_loads(fx->fake.bodies[0], 0, NULL), *first = json_array_get(j, 0), *list = rejects(fx);
	assert_string_equal(huiyin_text(first, "text"), "two\nlines");
	assert_int_equal(huiyin_number(json_object_get(first, "rating"), "score"), 4);
	assert_int_equal(json_array_size(j), 3);
	assert_int_equal(huiyin_number(json_array_get(list, 0), "line"), 4);
	json_decref(j);
	json_decref(list);
	assert_int_equal(import(fx, NULL), EX_DATAERR); /* begun again: nothing is left to send */
	assert_int_equal(fx->fake.request_count, 1);
}

static void a_dry_run_sends_nothing_and_leaves_nothing(void **state)
{
	struct fx *fx = *state;
	char path[400];
	write_lines(fx, 0, 5, "w");
	assert_int_equal(import(fx, (char *)(uintptr_t) "--dry-run"), EX_OK);
	assert_int_equal(fx->fake.request_count, 0);
	snprintf(path, sizeof(path), "%s.import", fx->file);
	assert_int_not_equal(access(path, F_OK), 0);
}

static void nobody_listening_is_69(void **state)
{
	struct fx *fx = *state;
	write_lines(fx, 0, 5, "w");
	close(fx->fake.listener);
	fx->fake.listener = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(import(fx, NULL), EX_UNAVAILABLE);
}

static void what_is_no_http_is_refused_and_never_waited_for(void **state)
{
	struct fx *fx = *state;
	struct post *p = NULL;
	struct post_answer a = { 0 };
	struct hy_fault f = { 0 };
	char address[64];
	snprintf(address, sizeof(address), ":%d", fx->fake.port);
	answer(fx, 202, "Transfer-Encoding: chunked\r\n", "0\r\n\r\n");
	begin(fx);
	assert_int_equal(post_open(&p, address, "hy_x", &f), HY_OK);
	assert_int_equal(post_send(p, "POST", "/v1/feedback", HY_LIT("{}"), &a, &f), HY_BAD_INPUT);
	assert_non_null(strstr(f.text, "does not speak HTTP"));
	post_close(&p);
	hy_buffer_free(&a.body);
	assert_int_equal(post_open(&p, "nonsense", "hy_x", &f), HY_CONFIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(a_long_file_goes_in_arrays_of_at_most_500_over_one_connection),
		TEST(lines_that_are_refused_stand_in_the_rejects_file_with_their_number_and_reason),
		TEST(begun_again_it_sends_only_what_has_been_added),
		TEST(begun_from_the_first_line_it_sends_the_same_ids),
		TEST(a_busy_collector_gets_the_same_again_after_the_pause_it_asked_for),
		TEST(a_connection_that_was_closed_in_between_is_made_again),
		TEST(an_array_that_is_refused_without_saying_why_is_halved_down_to_the_line),
		TEST(a_key_that_is_not_known_ends_it_and_nothing_is_marked_done),
		TEST(a_compressed_file_is_read_as_it_is),
		TEST(a_table_is_read_by_rows_that_may_have_several_lines),
		TEST(a_dry_run_sends_nothing_and_leaves_nothing),
		TEST(nobody_listening_is_69),
		TEST(what_is_no_http_is_refused_and_never_waited_for),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
