// link: hy_ring
/* huiyin import and huiyin mail-in at the real ring: killed in the middle and begun again, beside a collector that is killed too, every row is there once. */
#include "support/ring.h"

#include "base/bytes.h"
#include "base/clock.h"

#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

static int open_ring(void **state)
{
	*state = ring_open(NULL);
	return 0;
}

static int close_ring(void **state)
{
	ring_close(*state);
	return 0;
}

static bool is_up(struct ring *r, void *arg)
{
	(void)arg;
	return ring_http(r, "GET", "/healthz", NULL, NULL, NULL) == 200;
}

/* The collector alone: what it takes waits in its stream. */
static void start_collector(struct ring *r)
{
	ring_start(r, COLLECTOR, NULL);
	ring_until(r, is_up, NULL, "the collector");
}

static void path_in(struct ring *r, const char *name, char out[static 1024])
{
	snprintf(out, 1024, "%s/%s", r->dir, name);
}

/* A table of `good` rows in both languages, every 100th broken in a way that only the collector sees, and every 1,000th in one that the import sees. */
static void write_table(const char *path, int rows)
{
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fputs("评论内容;评分;邮箱;门店\n", f);
	for (int i = 0; i < rows; i++)
		if (i % 1000 == 999)
			fprintf(f, "\"broken\"quote %d;1;;\n", i);
		else if (i % 100 == 50)
			fprintf(f, "score out of range %d;77;;west\n", i);
		else
			fprintf(f, "%s %d;%d;c%d@example.com;\"the\nold town\"\n",
				i % 2 ? "快递太慢了，已经第三天" : "The app crashes when I open the settings", i,
				1 + i % 5, i % 97);
	fclose(f);
}

static pid_t begin_import(struct ring *r, const char *path)
{
	char program[4096];
	snprintf(program, sizeof(program), "%s/huiyin", HY_BIN_DIR);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (!freopen("/dev/null", "w", stdout) || !freopen("/dev/null", "w", stderr))
			_exit(71);
		execl(program, program, "import", "-C", r->dir, path, (char *)NULL);
		_exit(127);
	}
	return pid;
}

static json_int_t accepted(struct ring *r)
{
	json_t *health = ring_ask(r, COLLECTOR, "health", NULL, NULL);
	json_int_t head = json_integer_value(json_object_get(json_object_get(health, "stream"), "head"));
	json_decref(health);
	return head;
}

static json_t *import_json(struct ring *r, const char *arguments, int expected)
{
	char command[4096], *out;
	snprintf(command, sizeof(command), "import --json %s", arguments);
	int code = ring_huiyin(r, command, &out);
	const char *answer = strstr(out, "{\"file\""); /* behind what went to standard error */
	json_t *j = answer ? json_loads(answer, 0, NULL) : NULL;
	if (code != expected || !j)
		fail_msg("exit %d: %s", code, out);
	free(out);
	return j;
}

static json_int_t number(const json_t *j, const char *name)
{
	return json_integer_value(json_object_get(j, name));
}

static void an_import_that_is_killed_and_begun_again_enters_every_row_once(void **state)
{
	enum { ROWS = 30000, REFUSED = 300, BROKEN = 30 };
	struct ring *r = *state;
	char path[1024], rejects[2048];
	int status;
	path_in(r, "reviews.csv", path);
	write_table(path, ROWS);
	start_collector(r);
	int killed = 0;
	for (int i = 0; i < 8; i++) {
		json_int_t before = accepted(r);
		pid_t pid = begin_import(r, path);
		int64_t until = hy_mono_ms() + 60000;
		bool ended = false;
		while (!(ended = waitpid(pid, &status, WNOHANG) == pid) && accepted(r) < before + 500 &&
			hy_mono_ms() < until)
			usleep(1000);
		if (ended)
			break;
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		killed++;
		if (i % 2) { /* and the collector with it */
			ring_kill(r, COLLECTOR, SIGKILL);
			start_collector(r);
		}
	}
	assert_true(killed > 0);
	json_t *j = import_json(r, path, 65);
	assert_int_equal(number(j, "rows"), ROWS);
	assert_int_equal(number(j, "rejected"), REFUSED + BROKEN);
	assert_int_equal(number(j, "accepted") + number(j, "duplicates"), ROWS - REFUSED - BROKEN);
	assert_int_equal(accepted(r), ROWS - REFUSED - BROKEN);
	json_decref(j);
	/* all of it once more: nothing new */
	snprintf(rejects, sizeof(rejects), "--restart %s", path);
	j = import_json(r, rejects, 65);
	assert_int_equal(number(j, "accepted"), 0);
	assert_int_equal(number(j, "duplicates"), ROWS - REFUSED - BROKEN);
	json_decref(j);
	/* the rejects, repaired and imported */
	char command[8192];
	snprintf(command, sizeof(command),
		"sed -i -e 's/;77;;west$/;4;;west/' -e 's/\"broken\"quote/mended quote/' '%s.rejects.csv'", path);
	assert_int_equal(system(command), 0);
	snprintf(rejects, sizeof(rejects), "%s.rejects.csv", path);
	j = import_json(r, rejects, 0);
	assert_int_equal(number(j, "accepted"), REFUSED + BROKEN);
	json_decref(j);
	assert_int_equal(accepted(r), ROWS);
	/* who asks for the first file again finds the repaired rows as they are */
	json_decref(import_json(r, path, 65));
	snprintf(command, sizeof(command), "[ \"$(grep -c ';4;;west$' '%s.rejects.csv')\" = %d ]", path, REFUSED);
	assert_int_equal(system(command), 0);
	ring_start_all(r);
	ring_settle(r);
	json_t *audit = ring_audit(r);
	assert_int_equal(number(audit, "accepted"), ROWS);
	json_decref(audit);
}

static void a_collector_that_is_killed_in_the_middle_is_waited_for(void **state)
{
	enum { ROWS = 20000 };
	struct ring *r = *state;
	char path[1024];
	int status;
	path_in(r, "lines.jsonl", path);
	FILE *f = fopen(path, "w");
	for (int i = 0; i < ROWS; i++)
		fprintf(f, "{\"text\":\"line %d of a file\",\"customer\":{\"id\":\"c%d\"}}\n", i, i % 300);
	fclose(f);
	start_collector(r);
	pid_t pid = begin_import(r, path);
	for (int i = 0; i < 3; i++) {
		json_int_t before = accepted(r);
		int64_t until = hy_mono_ms() + 60000;
		while (accepted(r) < before + 500 && hy_mono_ms() < until && waitpid(pid, &status, WNOHANG) == 0)
			usleep(1000);
		ring_kill(r, COLLECTOR, SIGKILL);
		start_collector(r);
	}
	if (waitpid(pid, &status, 0) == pid)
		assert_int_equal(WEXITSTATUS(status), 0);
	assert_int_equal(accepted(r), ROWS);
	json_t *j = import_json(r, path, 0);
	assert_int_equal(number(j, "accepted") + number(j, "duplicates"), ROWS);
	json_decref(j);
	assert_int_equal(accepted(r), ROWS);
}

static void a_dry_run_sends_nothing_leaves_nothing_and_needs_nobody(void **state)
{
	struct ring *r = *state;
	char path[1024], arguments[2048];
	path_in(r, "reviews.csv", path);
	write_table(path, 2000);
	snprintf(arguments, sizeof(arguments), "--dry-run %s", path);
	json_t *j = import_json(r, arguments, 65);
	assert_int_equal(number(j, "rows"), 2000);
	assert_int_equal(number(j, "rejected"), 2 + 20); /* by the import, and by the collector's check */
	json_decref(j);
	struct stat st;
	snprintf(arguments, sizeof(arguments), "%s.import", path);
	assert_int_not_equal(stat(arguments, &st), 0);
	snprintf(arguments, sizeof(arguments), "%s.rejects.csv", path);
	assert_int_not_equal(stat(arguments, &st), 0);
}

/* ---- mail ---- */

static int mail_in(struct ring *r, const char *mail, const char *options, char **out)
{
	char path[1024], command[4096];
	struct hy_buffer b = { 0 };
	path_in(r, "letter.eml", path);
	FILE *f = fopen(path, "w");
	fputs(mail, f);
	fclose(f);
	snprintf(command, sizeof(command), "'%s/huiyin' mail-in -C '%s' %s < '%s' 2>&1", HY_BIN_DIR, r->dir, options,
		path);
	FILE *p = popen(command, "r");
	assert_non_null(p);
	for (int c; (c = fgetc(p)) != EOF;)
		hy_buffer_byte(&b, (uint8_t)c);
	int status = pclose(p);
	if (out)
		*out = strdup(hy_buffer_string(&b));
	hy_buffer_free(&b);
	return WEXITSTATUS(status);
}

#define MAIL                                                                                                           \
	"From: Li Lei <li@example.com>\nSubject: s\nMessage-ID: <m7@example.com>\nContent-Type: text/plain; "          \
	"charset=utf-8\n\n"

static void a_mail_that_is_delivered_twice_is_one_feedback(void **state)
{
	struct ring *r = *state;
	char *out;
	start_collector(r);
	assert_int_equal(mail_in(r, MAIL "订单一直无法付款\n", "--json", &out), 0);
	assert_non_null(strstr(out, "\"duplicate\":false"));
	free(out);
	assert_int_equal(mail_in(r, "Received: by another road\n" MAIL "订单一直无法付款\n", "--json", &out), 0);
	assert_non_null(strstr(out, "\"duplicate\":true"));
	free(out);
	assert_int_equal(accepted(r), 1);
	/* another mail that says it is this one is kept all the same */
	assert_int_equal(mail_in(r, MAIL "another text\n", "", NULL), 0);
	assert_int_equal(mail_in(r, MAIL "another text\n", "", NULL), 0);
	assert_int_equal(accepted(r), 2);
	/* a token that is none of ours must not cost the mail */
	assert_int_equal(
		mail_in(r, "From: li@example.com\nMessage-ID: <m8@e>\n\nyes\n",
			"--recipient reply+AZwq9Kd8cACabcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJ@acme.example",
			NULL),
		0);
	assert_int_equal(accepted(r), 3);
}

static void an_answer_by_mail_to_a_notice_joins_its_ticket(void **state)
{
	struct ring *r = *state;
	ring_start_all(r);
	assert_true(ring_ready(r));
	free(ring_say(r, "{\"text\":\"The app crashes when I open the settings "
			 "page\",\"customer\":{\"email\":\"li@example.com\",\"locale\":\"en\"}}"));
	ring_settle(r);
	char *out;
	if (ring_huiyin(r, "ticket resolve T-1 --note 'Fixed in 2.4.1'", &out) != 0)
		fail_msg("%s", out);
	free(out);
	ring_settle(r);
	char *notice = ring_mail(r, "li@example.com", "/r/");
	assert_non_null(notice);
	char *link = ring_link(notice), mail[4096];
	snprintf(mail, sizeof(mail),
		"From: li@example.com\nMessage-ID: <m9@example.com>\nIn-Reply-To: <n@acme.example>\n\nIt still "
		"crashes.\n\nOn Monday, Support <s@acme.example> "
		"wrote:\n> http://127.0.0.1%s\n",
		link);
	assert_int_equal(mail_in(r, mail, "", NULL), 0);
	ring_settle(r);
	json_t *audit = ring_audit(r);
	assert_int_equal(number(audit, "accepted"), 2);
	assert_int_equal(number(audit, "replies"), 1);
	json_decref(audit);
	free(link);
	free(notice);
}

static void what_a_mail_server_is_to_do_stands_in_the_exit_code(void **state)
{
	struct ring *r = *state;
	char *out, large[4096];
	assert_int_equal(mail_in(r, MAIL "text\n", "", NULL), 75); /* nobody there: keep it */
	assert_int_equal(mail_in(r, "Auto-Submitted: auto-replied\n" MAIL "I am away\n", "", &out), 0);
	assert_non_null(strstr(out, "passed over"));
	free(out);
	assert_int_equal(mail_in(r, MAIL "text\n", "--sender ''", NULL), 0); /* a bounce is never answered */
	assert_int_equal(mail_in(r, "no mail at all", "", NULL), 65);
	snprintf(large, sizeof(large), "%s%01500d", MAIL, 1);
	assert_int_equal(mail_in(r, large, "--size-max 1000", &out), 65);
	assert_non_null(strstr(out, "larger than 1000 bytes"));
	free(out);
	assert_int_equal(
		mail_in(r, MAIL "text\n", "--key-file /nowhere", NULL), 75); /* our own fault is not the customer's */
	assert_int_equal(mail_in(r, MAIL "text\n", "--recepient a@example.com", NULL), 75);
	assert_int_equal(mail_in(r, MAIL "text\n", "--size-max much", NULL), 75);
	start_collector(r);
	assert_int_equal(mail_in(r, MAIL "text\n", "", NULL), 0);
	assert_int_equal(
		mail_in(r, MAIL "text\n", "--json >/dev/full", NULL), 0); /* it has been taken, whoever hears of it */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_ring, close_ring)
		TEST(an_import_that_is_killed_and_begun_again_enters_every_row_once),
		TEST(a_collector_that_is_killed_in_the_middle_is_waited_for),
		TEST(a_dry_run_sends_nothing_leaves_nothing_and_needs_nobody),
		TEST(a_mail_that_is_delivered_twice_is_one_feedback),
		TEST(an_answer_by_mail_to_a_notice_joins_its_ticket),
		TEST(what_a_mail_server_is_to_do_stands_in_the_exit_code),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
