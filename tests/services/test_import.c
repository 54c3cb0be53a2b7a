// link: hy_huiyin
/* huiyin import and send against a collector that says what the test tells it to: each connection on a thread of its own. */
#include "support/test.h"

#include "huiyin/files.h"
#include "huiyin/huiyin.h"
#include "huiyin/post.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
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
	pthread_t thread, connections[ANSWERS_MAX];
	size_t connection_count;
	pthread_mutex_t lock;
	struct answer answers[ANSWERS_MAX];
	size_t answer_count;
	char *bodies[ANSWERS_MAX]; /* of the requests */
	size_t request_count;
	bool authorized;
};

static size_t items_of(const char *body)
{
	size_t n = 0;
	for (; *body; body++)
		n += *body == '\n';
	return n;
}

static bool read_request(int fd, struct fake *f, size_t *number)
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
	*number = ANSWERS_MAX;
	if (strncmp(text, "GET ", 4) == 0) {
		free(text);
		return true;
	}
	pthread_mutex_lock(&f->lock);
	f->authorized = strstr(text, "Authorization: Bearer hy_") != NULL;
	*number = f->request_count++ % ANSWERS_MAX;
	f->bodies[*number] = strdup(strstr(text, "\r\n\r\n") + 4);
	pthread_mutex_unlock(&f->lock);
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

struct connection {
	struct fake *fake;
	int fd;
};

static void *serve_one(void *arg)
{
	struct connection c = *(struct connection *)arg;
	struct fake *f = c.fake;
	size_t i;
	free(arg);
	while (read_request(c.fd, f, &i)) {
		if (i == ANSWERS_MAX) { /* only whether somebody is there */
			static const struct answer here = { 200, NULL, "{}", false };
			write_answer(c.fd, f->answers[0].status < 100 ? &f->answers[0] : &here, "");
			continue;
		}
		const struct answer *a = &f->answers[i < f->answer_count ? i : f->answer_count - 1];
		write_answer(c.fd, a, f->bodies[i]);
		if (a->hang_up)
			break;
	}
	close(c.fd);
	return NULL;
}

static void *serve(void *arg)
{
	struct fake *f = arg;
	for (int fd; (fd = accept(f->listener, NULL, NULL)) >= 0;) {
		struct connection *c = malloc(sizeof(*c));
		*c = (struct connection){ f, fd };
		if (f->connection_count == ANSWERS_MAX ||
			pthread_create(&f->connections[f->connection_count++], NULL, serve_one, c) != 0)
			abort();
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
	pthread_mutex_init(&fx->fake.lock, NULL);
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
	for (size_t i = 0; i < fx->fake.connection_count; i++)
		pthread_join(fx->fake.connections[i], NULL);
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

/* The i-th line of a body. */
static json_t *line_of(const char *body, size_t i)
{
	json_error_t e;
	for (; i; i--)
		body = strchr(body, '\n') + 1;
	json_t *j = json_loadb(body, strcspn(body, "\n"), 0, &e);
	assert_non_null(j);
	return j;
}

static char *id_of(const char *body, size_t i)
{
	json_t *j = line_of(body, i);
	char *id = strdup(huiyin_text(j, "id"));
	json_decref(j);
	return id;
}

/* ---- what users see ---- */

static void a_long_file_goes_in_batches_of_at_most_1000_lines(void **state)
{
	struct fx *fx = *state;
	size_t all = 0;
	write_lines(fx, 0, 2100, "w");
	answer(fx, 202, NULL, ACCEPTS);
	begin(fx);
	assert_int_equal(import(fx, NULL), EX_OK);
	assert_int_equal(fx->fake.request_count, 3);
	for (size_t i = 0; i < 3; i++) {
		assert_true(items_of(fx->fake.bodies[i]) <= 1000);
		all += items_of(fx->fake.bodies[i]);
	}
	assert_int_equal(all, 2100);
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
		"{\"accepted\":2,\"duplicates\":0,\"rejected\":[{\"index\":1,\"errors\":[{\"pointer\":\"/"
		"text\",\"detail\":\"too "
		"long\"}]}],\"ids\":[]}");
	begin(fx);
	assert_int_equal(import(fx, NULL), EX_DATAERR);
	json_t *list = rejects(fx);
	assert_int_equal(json_array_size(list), 2);
	const json_t *refused = json_array_get(list, 0), *broken = json_array_get(list, 1);
	assert_int_equal(huiyin_number(refused, "import_line"), 2);
	assert_string_equal(huiyin_text(refused, "import_reason"), "/text: too long");
	assert_string_equal(huiyin_text(refused, "text"), "line 2");
	assert_int_equal(huiyin_number(broken, "import_line"), 4);
	assert_string_equal(huiyin_text(broken, "import_input"), "not json");
	json_decref(list);
}

static void lines_that_may_be_sent_again_are_sent_again_alone(void **state)
{
	struct fx *fx = *state;
	write_lines(fx, 0, 3, "w");
	answer(fx, 202, "Retry-After: 1\r\n",
		"{\"accepted\":2,\"duplicates\":0,\"rejected\":[{\"index\":1,\"line\":2,\"retry\":true,\"errors\":[{"
		"\"pointer\":\"\","
		"\"detail\":\"full\"}]}],\"ids\":[]}");
	answer(fx, 202, NULL, ACCEPTS);
	begin(fx);
	assert_int_equal(import(fx, NULL), EX_OK);
	assert_int_equal(fx->fake.request_count, 2);
	assert_int_equal(items_of(fx->fake.bodies[1]), 1);
	char *was = id_of(fx->fake.bodies[0], 1), *again = id_of(fx->fake.bodies[1], 0);
	assert_string_equal(was, again);
	free(was);
	free(again);
}

static void a_rejects_file_that_was_repaired_is_imported_as_what_it_was(void **state)
{
	struct fx *fx = *state;
	FILE *f = fopen(fx->file, "w");
	fputs("{\"import_line\":7,\"import_reason\":\"/text: too long\",\"text\":\"shorter\"}\n"
	      "{\"import_line\":9,\"import_reason\":\"x\",\"import_input\":\"{\\\"text\\\":\\\"mended\\\"}\"}\n",
		f);
	fclose(f);
	answer(fx, 202, NULL, ACCEPTS);
	begin(fx);
	assert_int_equal(import(fx, NULL), EX_OK);
	json_t *first = line_of(fx->fake.bodies[0], 0), *second = line_of(fx->fake.bodies[0], 1);
	assert_string_equal(huiyin_text(first, "text"), "shorter");
	assert_null(json_object_get(first, "import_line"));
	assert_string_equal(huiyin_text(second, "text"), "mended");
	json_decref(first);
	json_decref(second);
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
	write_lines(fx, 0, 6000, "w");
	answer(fx, 202, NULL, ACCEPTS);
	fx->fake.answers[0].hang_up = true;
	begin(fx);
	assert_int_equal(import(fx, NULL), EX_OK);
	assert_true(fx->fake.request_count >= 6);
}

static void a_batch_that_is_refused_without_saying_why_is_halved_down_to_the_line(void **state)
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
	assert_int_equal(huiyin_number(json_array_get(list, 0), "import_line"), 2);
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

/* 2,000 lines, compressed, of which only `part` in 100 of the bytes have arrived. `line` takes two numbers. */
static void write_torn(struct fx *fx, const char *head, const char *line, int part)
{
	char whole[400];
	struct hy_buffer bytes = { 0 };
	snprintf(whole, sizeof(whole), "%s.whole", fx->file);
	gzFile gz = gzopen(whole, "wb");
	assert_non_null(gz);
	gzputs(gz, head);
	for (unsigned i = 0; i < 2000; i++)
		gzprintf(gz, line, i * 2654435761u, i);
	gzclose(gz);
	assert_int_equal(file_read(whole, 1 << 20, &bytes, NULL), HY_OK);
	bytes.size = bytes.size * (size_t)part / 100;
	assert_int_equal(file_write(fx->file, hy_buffer_view(&bytes), 0600, NULL), HY_OK);
	hy_buffer_free(&bytes);
}

static size_t items_sent(const struct fx *fx)
{
	size_t n = 0;
	for (size_t i = 0; i < fx->fake.request_count; i++)
		n += items_of(fx->fake.bodies[i]);
	return n;
}

static void check_torn(struct fx *fx, const char *head, const char *line, const char *rejects_end)
{
	char path[400];
	answer(fx, 202, NULL, ACCEPTS);
	begin(fx);
	write_torn(fx, head, line, 60);
	assert_int_equal(import(fx, NULL), EX_DATAERR);
	assert_true(items_sent(fx) > 500 && items_sent(fx) < 1900);
	write_torn(fx, head, line, 100);
	assert_int_equal(import(fx, NULL), EX_OK);
	assert_int_equal(items_sent(fx), 2000); /* none in two halves, none left out */
	snprintf(path, sizeof(path), "%s.rejects.%s", fx->file, rejects_end);
	assert_int_not_equal(access(path, F_OK), 0);
}

static void the_line_in_which_a_download_broke_off_is_sent_when_all_of_it_is_there(void **state)
{
	check_torn(*state, "", "{\"text\":\"%u line %u\"}\n", "jsonl");
}

static void the_row_in_which_a_download_broke_off_is_sent_when_all_of_it_is_there(void **state)
{
	struct fx *fx = *state;
	snprintf(fx->file, sizeof(fx->file), "%s/r.csv.gz", fx->dir);
	check_torn(fx, "text,page\n", "\"%u\nrow\",%u\n", "csv");
}

static void a_table_that_ends_behind_broken_quotes_is_done_when_it_is_done(void **state)
{
	struct fx *fx = *state;
	char path[400];
	struct stat before, after;
	snprintf(fx->file, sizeof(fx->file), "%s/r.csv", fx->dir);
	assert_int_equal(file_write(fx->file, HY_LIT("text,page\ngood,1\n\"open,2\n\n"), 0600, NULL), HY_OK);
	answer(fx, 202, NULL, ACCEPTS);
	begin(fx);
	assert_int_equal(import(fx, NULL), EX_DATAERR);
	assert_int_equal(items_sent(fx), 1);
	snprintf(path, sizeof(path), "%s.rejects.csv", fx->file);
	assert_int_equal(stat(path, &before), 0);
	assert_int_equal(import(fx, NULL), EX_DATAERR); /* the earlier run's reject still counts */
	assert_int_equal(items_sent(fx), 1);
	assert_int_equal(stat(path, &after), 0);
	assert_int_equal(after.st_size, before.st_size); /* the row is not refused twice */
}

static void a_table_is_read_by_rows_that_may_have_several_lines(void **state)
{
	struct fx *fx = *state;
	char path[400];
	struct hy_buffer text = { 0 };
	snprintf(fx->file, sizeof(fx->file), "%s/r.csv", fx->dir);
	FILE *f = fopen(fx->file, "w");
	fputs("text;rating.scale;rating.score;shop\n\"two\nlines\";stars;4;west\nthree;stars;x;east\nfour;;;\n", f);
	fclose(f);
	answer(fx, 202, NULL,
		"{\"accepted\":2,\"duplicates\":0,\"rejected\":[{\"index\":1,\"line\":2,\"errors\":[{\"pointer\":\"/"
		"rating/0/"
		"score\",\"detail\":\"not a \\\"number\\\"\"}]}],\"ids\":[]}");
	begin(fx);
	assert_int_equal(import(fx, NULL), EX_DATAERR);
	json_t *first = line_of(fx->fake.bodies[0], 0), *rating = json_array_get(json_object_get(first, "rating"), 0);
	assert_string_equal(huiyin_text(first, "text"), "two\nlines");
	assert_int_equal(huiyin_number(rating, "score"), 4);
	assert_string_equal(huiyin_text(json_object_get(first, "context"), "shop"), "west");
	assert_int_equal(items_of(fx->fake.bodies[0]), 3);
	snprintf(path, sizeof(path), "%s.rejects.csv", fx->file);
	assert_int_equal(file_read(path, 1 << 20, &text, NULL), HY_OK);
	assert_string_equal(hy_buffer_string(&text),
		"\xef\xbb\xbfimport_line;import_reason;text;rating.scale;rating.score;shop\n"
		"4;\"/rating/0/score: not a \"\"number\"\"\";three;stars;x;east\n");
	hy_buffer_free(&text);
	json_decref(first);
	assert_int_equal(import(fx, NULL), EX_DATAERR); /* begun again: nothing is left to send */
	assert_int_equal(fx->fake.request_count, 1);
}

static void the_rejects_of_a_table_are_a_table_to_be_imported_and_rejected_as_they_were(void **state)
{
	struct fx *fx = *state;
	snprintf(fx->file, sizeof(fx->file), "%s/r.csv.rejects.csv", fx->dir);
	FILE *f = fopen(fx->file, "w");
	fputs("\xef\xbb\xbfimport_line;import_reason;内容;评分;门店\n4;\"was \"\"bad\"\"; now "
	      "good\";三;4;east\n9;\"too few\";五\n",
		f);
	fclose(f);
	answer(fx, 202, NULL, ACCEPTS);
	begin(fx);
	assert_int_equal(import(fx, NULL), EX_DATAERR);
	assert_int_equal(items_of(fx->fake.bodies[0]), 1);
	json_t *first = line_of(fx->fake.bodies[0], 0);
	assert_string_equal(huiyin_text(first, "text"), "三");
	assert_int_equal(json_object_size(json_object_get(first, "context")), 1);
	json_decref(first);
}

static void a_file_of_the_same_name_with_other_rows_is_another_file(void **state)
{
	struct fx *fx = *state;
	write_lines(fx, 0, 10, "w");
	answer(fx, 202, NULL, ACCEPTS);
	begin(fx);
	assert_int_equal(import(fx, NULL), EX_OK);
	FILE *f = fopen(fx->file, "w");
	fputs("{\"text\":\"line 0\"}\n{\"text\":\"another week\"}\n", f);
	fclose(f);
	assert_int_equal(import(fx, NULL), EX_OK);
	assert_int_equal(fx->fake.request_count, 2);
	assert_int_equal(items_of(fx->fake.bodies[1]), 2);
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

static int mail_in(struct fx *fx)
{
	char *argv[] = { (char *)(uintptr_t) "huiyin mail-in", (char *)(uintptr_t) "-C", fx->dir, NULL };
	assert_int_equal(file_write(fx->file, HY_LIT("From: li@example.com\nMessage-ID: <m1@example.com>\n\ntext\n"),
				 0600, NULL),
		HY_OK);
	int before = dup(0), fd = open(fx->file, O_RDONLY);
	assert_int_equal(dup2(fd, 0), 0);
	int code = huiyin_mail_in(3, argv);
	dup2(before, 0);
	close(before);
	close(fd);
	return code;
}

static void only_a_refusal_with_a_reason_sends_a_mail_back_to_its_writer(void **state)
{
	struct fx *fx = *state;
	answer(fx, 400, NULL, "<html>a page of whoever listens here now</html>");
	answer(fx, 422, NULL, "{\"detail\":\"no\",\"errors\":[{\"pointer\":\"/text\",\"detail\":\"bad\"}]}");
	begin(fx);
	assert_int_equal(mail_in(fx), EX_TEMPFAIL);
	assert_int_equal(mail_in(fx), EX_DATAERR);
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
	write_lines(fx, 0, 1, "w");
	answer(fx, 99, NULL, "");
	begin(fx);
	assert_int_not_equal(import(fx, NULL), EX_OK);
}

static void a_file_is_imported_by_one_at_a_time(void **state)
{
	struct fx *fx = *state;
	char path[400];
	write_lines(fx, 0, 3, "w");
	answer(fx, 202, NULL, ACCEPTS);
	begin(fx);
	snprintf(path, sizeof(path), "%s.rejects.jsonl", fx->file);
	int fd = open(path, O_RDWR | O_CREAT, 0600);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	assert_int_equal(import(fx, NULL), EX_TEMPFAIL);
	assert_int_equal(fx->fake.request_count, 0);
	close(fd);
	assert_int_equal(import(fx, NULL), EX_OK);
	assert_int_not_equal(access(path, F_OK), 0); /* nothing was rejected */
}

static void every_way_to_write_an_address_leads_to_the_collector(void **state)
{
	static const struct {
		const char *listen, *base;
	} ways[] = { { "127.0.0.1:8080", "http://127.0.0.1:8080" }, { "[::1]:80", "http://[::1]:80" },
		{ ":8080", "http://127.0.0.1:8080" }, { "0.0.0.0:1", "http://127.0.0.1:1" },
		{ "[::]:1", "http://[::1]:1" }, { "*:1", "http://127.0.0.1:1" },
		{ "feedback.example:81", "http://feedback.example:81" } };
	char base[300];
	struct hy_fault f = { 0 };
	(void)state;
	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
		assert_int_equal(post_base(ways[i].listen, base, sizeof(base), &f), HY_OK);
		assert_string_equal(base, ways[i].base);
	}
	assert_int_equal(post_base("nonsense", base, sizeof(base), &f), HY_CONFIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(a_long_file_goes_in_batches_of_at_most_1000_lines),
		TEST(lines_that_are_refused_stand_in_the_rejects_file_with_their_number_and_reason),
		TEST(begun_again_it_sends_only_what_has_been_added),
		TEST(begun_from_the_first_line_it_sends_the_same_ids),
		TEST(a_busy_collector_gets_the_same_again_after_the_pause_it_asked_for),
		TEST(a_connection_that_was_closed_in_between_is_made_again),
		TEST(a_batch_that_is_refused_without_saying_why_is_halved_down_to_the_line),
		TEST(a_key_that_is_not_known_ends_it_and_nothing_is_marked_done),
		TEST(a_compressed_file_is_read_as_it_is),
		TEST(the_line_in_which_a_download_broke_off_is_sent_when_all_of_it_is_there),
		TEST(the_row_in_which_a_download_broke_off_is_sent_when_all_of_it_is_there),
		TEST(a_table_that_ends_behind_broken_quotes_is_done_when_it_is_done),
		TEST(a_table_is_read_by_rows_that_may_have_several_lines),
		TEST(a_dry_run_sends_nothing_and_leaves_nothing),
		TEST(only_a_refusal_with_a_reason_sends_a_mail_back_to_its_writer),
		TEST(nobody_listening_is_69),
		TEST(what_is_no_http_is_refused_and_never_waited_for),
		TEST(lines_that_may_be_sent_again_are_sent_again_alone),
		TEST(a_rejects_file_that_was_repaired_is_imported_as_what_it_was),
		TEST(the_rejects_of_a_table_are_a_table_to_be_imported_and_rejected_as_they_were),
		TEST(a_file_of_the_same_name_with_other_rows_is_another_file),
		TEST(a_file_is_imported_by_one_at_a_time),
		TEST(every_way_to_write_an_address_leads_to_the_collector),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
