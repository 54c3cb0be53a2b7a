// link: hy_huiyin
/* The command without daemons: what it makes of lines, lists, numbers, and answers that others have given. */
#include "support/test.h"

#include <sys/stat.h>

#include "huiyin/account.h"
#include "huiyin/huiyin.h"
#include "huiyin/keylist.h"
#include "huiyin/import/line.h"
#include "huiyin/show.h"

/* ---- lines of an import ---- */

static char *item_of(const char *name, uint64_t number, const char *line, const struct line_rules *rules, int expected)
{
	struct hy_json_reader *reader = hy_json_reader_new();
	struct line_file file;
	struct hy_buffer out = { 0 };
	struct hy_fault f = { 0 };
	line_file(&file, name, HY_LIT("first"));
	assert_int_equal(line_item(reader, &file, rules, number, hy_bytes_text(line), &out, &f), expected);
	char *text = strdup(expected ? f.text : hy_buffer_string(&out));
	hy_buffer_free(&out);
	hy_json_reader_free(&reader);
	return text;
}

static char *id_of(const char *name, uint64_t number, const char *line)
{
	char *item = item_of(name, number, line, NULL, HY_OK);
	json_t *j = json_loads(item, 0, NULL);
	char *id = strdup(huiyin_text(j, "id"));
	json_decref(j);
	free(item);
	return id;
}

static void a_line_without_an_id_gets_the_same_one_each_time_and_another_line_another(void **state)
{
	(void)state;
	char *first = id_of("/a/r.jsonl", 7, "{\"text\":\"慢\"}"),
	     *again = id_of("/b/r.jsonl", 7, " {\"text\":\"慢\"}\r");
	char *next = id_of("/a/r.jsonl", 8, "{\"text\":\"慢\"}"), *other = id_of("/a/s.jsonl", 7, "{\"text\":\"慢\"}");
	assert_string_equal(first, again);
	assert_string_not_equal(first, next);
	assert_string_not_equal(first, other);
	assert_int_equal(strlen(first), 39);
	free(first);
	free(again);
	free(next);
	free(other);
}

static void a_line_with_an_id_is_sent_as_it_is(void **state)
{
	(void)state;
	char *item = item_of("r", 1, "{\"text\":\"x\", \"id\":\"mine\"}", NULL, HY_OK);
	assert_string_equal(item, "{\"text\":\"x\", \"id\":\"mine\"}");
	free(item);
}

static void lines_that_are_no_feedback_say_why(void **state)
{
	(void)state;
	char *broken = item_of("r", 1, "{\"text\": bad}", NULL, HY_BAD_INPUT),
	     *array = item_of("r", 1, "[1]", NULL, HY_BAD_INPUT), *empty = item_of("r", 2, " \r", NULL, HY_NOT_FOUND);
	assert_non_null(strstr(broken, "column"));
	assert_non_null(strstr(array, "object"));
	free(broken);
	free(array);
	free(empty);
}

static void a_byte_order_mark_is_not_part_of_the_first_line(void **state)
{
	(void)state;
	char *item = item_of("r", 1, "\xef\xbb\xbf{\"id\":\"1\",\"text\":\"x\"}", NULL, HY_OK);
	assert_string_equal(item, "{\"id\":\"1\",\"text\":\"x\"}");
	free(item);
}

static void mapped_members_find_their_place_and_the_others_become_context(void **state)
{
	(void)state;
	struct line_rules rules = { .count = 0 };
	struct hy_fault f = { 0 };
	assert_int_equal(
		line_rules_parse(&rules, "text=review,rating.score=stars,customer.id=user.no", false, &f), HY_OK);
	assert_int_equal(line_rules_parse(&rules, "rating.scale=stars", true, &f), HY_OK);
	char *item = item_of("r", 1,
		"{\"review\":\"slow\",\"stars\":\"4\",\"user\":{\"no\":17},\"shop\":\"west\",\"kind\":\"review\"}",
		&rules, HY_OK);
	json_t *j = json_loads(item, 0, NULL);
	assert_string_equal(huiyin_text(j, "text"), "slow");
	assert_string_equal(huiyin_text(j, "kind"), "review");
	assert_int_equal(huiyin_number(json_object_get(j, "rating"), "score"), 4);
	assert_string_equal(huiyin_text(json_object_get(j, "rating"), "scale"), "stars");
	assert_string_equal(huiyin_text(json_object_get(j, "customer"), "id"), "17");
	assert_string_equal(huiyin_text(json_object_get(j, "context"), "shop"), "west");
	assert_null(json_object_get(j, "stars"));
	json_decref(j);
	free(item);
	assert_int_equal(line_rules_parse(&rules, "text", false, &f), HY_USAGE);
}

/* ---- the list of keys ---- */

static char *with_key(const char *yaml)
{
	struct hy_buffer out = { 0 };
	struct hy_fault f = { 0 };
	assert_int_equal(keylist_add(hy_bytes_text(yaml), "{ name: new }", &out, &f), HY_OK);
	char *text = strdup(hy_buffer_string(&out));
	hy_buffer_free(&out);
	return text;
}

static char *without_key(const char *yaml, const char *name, int expected)
{
	struct hy_buffer out = { 0 };
	struct hy_fault f = { 0 };
	assert_int_equal(keylist_remove(hy_bytes_text(yaml), name, &out, &f), expected);
	char *text = strdup(hy_buffer_string(&out));
	hy_buffer_free(&out);
	return text;
}

static void expect_text(char *text, const char *expected)
{
	assert_string_equal(text, expected);
	free(text);
}

static void a_new_key_comes_last_in_its_list_whatever_stands_around_it(void **state)
{
	(void)state;
	expect_text(with_key("a: 1\nkeys:   # who\n  - { name: x }\n  - name: y\n    hash: 1\n\n# rules\nrules: []\n"),
		"a: 1\nkeys:   # who\n  - { name: x }\n  - name: y\n    hash: 1\n  - { name: new }\n\n# rules\nrules: "
		"[]\n");
	expect_text(with_key("keys:\n- name: x\nretain: 7d\n"), "keys:\n- name: x\n- { name: new }\nretain: 7d\n");
	expect_text(with_key("keys: []\nretain: 7d\n"), "keys:\n  - { name: new }\nretain: 7d\n");
	expect_text(with_key("retain: 7d"), "retain: 7d\n\nkeys:\n  - { name: new }\n");
}

static void a_list_on_one_line_is_left_to_its_owner(void **state)
{
	(void)state;
	struct hy_buffer out = { 0 };
	struct hy_fault f = { 0 };
	assert_int_equal(keylist_add(HY_LIT("keys: [{ name: x }]\n"), "{ name: new }", &out, &f), HY_BAD_STATE);
	hy_buffer_free(&out);
}

static void only_the_key_of_that_name_is_taken_away(void **state)
{
	(void)state;
	const char *yaml = "keys:\n  # the app\n  - { name: app, hash: 1 }\n  - hash: 2\n    name: \"app-2\"\n  - { "
			   "hash: 3, name: web }\nretain: 7d\n";
	expect_text(without_key(yaml, "app", HY_OK),
		"keys:\n  # the app\n  - hash: 2\n    name: \"app-2\"\n  - { hash: 3, name: web }\nretain: 7d\n");
	expect_text(without_key(yaml, "app-2", HY_OK),
		"keys:\n  # the app\n  - { name: app, hash: 1 }\n  - { hash: 3, name: web }\nretain: 7d\n");
	expect_text(without_key(yaml, "ap", HY_NOT_FOUND), "");
	expect_text(without_key("keys:\n  - name: only\nretain: 7d\n", "only", HY_OK), "keys: []\nretain: 7d\n");
}

/* ---- the account ---- */

/* 100 accepted, all of them seen and passed on everywhere. */
static struct account all_arrived(void)
{
	return (struct account){ .accepted = 100,
		.collector_head = 120,
		.classifier = { .seen = 100, .emitted = 100, .mark = 120, .head = 120 },
		.router = { .seen = 100, .mark = 120 },
		.router_seen_after = 100 };
}

static void everything_that_has_a_state_is_accounted_for(void **state)
{
	(void)state;
	struct account a = all_arrived();
	a.open = 40;
	a.answered = 30;
	a.replies = 10;
	a.excused[EXCUSED_SPAM] = 5;
	a.excused[EXCUSED_NO_CONTACT] = 15;
	account_close(&a);
	assert_int_equal(a.unaccounted, 0);
	assert_int_equal(a.in_flight, 0);
	assert_true(a.coverage > 0.3528 && a.coverage < 0.3530); /* 30 of 85 */
}

static void what_is_on_its_way_is_in_flight_and_not_missing(void **state)
{
	(void)state;
	struct account a = all_arrived();
	a.classifier =
		(struct station){ .seen = 90, .emitted = 88, .dead = 2, .dead_all = 2, .mark = 110, .head = 108 };
	a.router = (struct station){ .seen = 70, .mark = 80 };
	a.router_seen_after = 80;
	a.open = 75; /* five came while the rows were walked */
	account_close(&a);
	assert_int_equal(a.in_flight, 23);
	assert_int_equal(a.dead, 2);
	assert_int_equal(a.unaccounted, 0);
}

static void what_came_later_than_the_question_does_not_count(void **state)
{
	(void)state;
	struct account a = all_arrived();
	a.classifier =
		(struct station){ .seen = 140, .emitted = 139, .dead = 1, .dead_all = 1, .mark = 160, .head = 159 };
	a.router = (struct station){ .seen = 139, .dead = 1, .mark = 159 };
	a.router_seen_after = 150;
	a.open = 98;
	account_close(&a);
	assert_int_equal(a.in_flight, 0);
	assert_int_equal(a.dead, 2);
	assert_int_equal(a.unaccounted, 0);
}

static void a_row_that_vanished_is_unaccounted(void **state)
{
	(void)state;
	struct account a = all_arrived();
	a.open = 99;
	account_close(&a);
	assert_int_equal(a.unaccounted, 1);
}

static void what_a_station_swallowed_is_not_in_flight_for_ever(void **state)
{
	(void)state;
	struct account a = all_arrived();
	a.classifier.emitted = 99;
	a.router.seen = a.router_seen_after = 99;
	a.open = 99;
	account_close(&a);
	assert_int_equal(a.in_flight, 0);
	assert_int_equal(a.unaccounted, 1);

	a = all_arrived(); /* the link lost one: the mark has passed the head */
	a.router.seen = a.router_seen_after = 99;
	a.open = 99;
	account_close(&a);
	assert_int_equal(a.unaccounted, 1);
}

static void a_row_too_many_is_unaccounted_too(void **state)
{
	(void)state;
	struct account a = all_arrived();
	a.open = 101;
	account_close(&a);
	assert_int_equal(a.unaccounted, -1);
}

static void the_median_is_the_step_with_the_middle_answer(void **state)
{
	(void)state;
	struct close_step steps[] = { { 500, 1 }, { 20, 3 }, { 100, 3 } };
	assert_int_equal(account_median(steps, 3), 100);
	assert_int_equal(account_median(steps, 0), 0);
}

/* ---- showing ---- */

static void a_line_is_cut_by_columns_and_never_inside_a_character(void **state)
{
	(void)state;
	struct hy_buffer b = { 0 };
	show_line(&b, "点开订单就闪退", 9);
	assert_string_equal(hy_buffer_string(&b), "点开订单…");
	hy_buffer_clear(&b);
	show_line(&b, "two\nlines\033[31m", 40);
	assert_null(strchr(hy_buffer_string(&b), '\n'));
	assert_null(strchr(hy_buffer_string(&b), '\033'));
	hy_buffer_clear(&b);
	show_count(&b, -1234567);
	assert_string_equal(hy_buffer_string(&b), "-1,234,567");
	hy_buffer_free(&b);
}

/* ---- what the configuration leads to ---- */

static size_t warnings(const char *dir, const char *yaml, const char *word)
{
	char path[4096];
	size_t found = 0, i;
	json_t *list = json_array(), *w;
	snprintf(path, sizeof(path), "%s/huiyin.yaml", dir);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fputs(yaml, f);
	fclose(f);
	huiyin_config_warnings(dir, list);
	json_array_foreach(list, i, w) found += strstr(json_string_value(w), word) != NULL;
	json_decref(list);
	return found;
}

static void mail_that_can_not_work_is_warned_of(void **state)
{
	(void)state;
	char *dir = test_mkdir(), path[4096];
	snprintf(path, sizeof(path), "%s/keys", dir);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(warnings(dir, "smtp: { host: a.example, user: care }\n", ""), 0); /* nobody uses it */
	assert_int_equal(warnings(dir, "notify: { channel: smtp }\nsmtp: { host: a.example }\n", "public_url"), 1);
	assert_int_equal(warnings(dir, "notify: { channel: smtp }\nsmtp: { host: a.example }\n", "notify.from"), 1);
	static const char yaml[] = "public_url: https://huiyin.example\nnotify: { channel: smtp, from: Care "
				   "<care@a.example> }\nsmtp: { host: "
				   "a.example, user: care }\n";
	assert_int_equal(warnings(dir, yaml, "public_url"), 0);
	assert_int_equal(warnings(dir, yaml, "keys/smtp.password"), 1);
	snprintf(path, sizeof(path), "%s/keys/smtp.password", dir);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fclose(f);
	assert_int_equal(warnings(dir, yaml, ""), 0);
	test_rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_without_an_id_gets_the_same_one_each_time_and_another_line_another),
		cmocka_unit_test(a_line_with_an_id_is_sent_as_it_is),
		cmocka_unit_test(lines_that_are_no_feedback_say_why),
		cmocka_unit_test(a_byte_order_mark_is_not_part_of_the_first_line),
		cmocka_unit_test(mapped_members_find_their_place_and_the_others_become_context),
		cmocka_unit_test(a_new_key_comes_last_in_its_list_whatever_stands_around_it),
		cmocka_unit_test(a_list_on_one_line_is_left_to_its_owner),
		cmocka_unit_test(only_the_key_of_that_name_is_taken_away),
		cmocka_unit_test(everything_that_has_a_state_is_accounted_for),
		cmocka_unit_test(what_is_on_its_way_is_in_flight_and_not_missing),
		cmocka_unit_test(what_came_later_than_the_question_does_not_count),
		cmocka_unit_test(a_row_that_vanished_is_unaccounted),
		cmocka_unit_test(what_a_station_swallowed_is_not_in_flight_for_ever),
		cmocka_unit_test(a_row_too_many_is_unaccounted_too),
		cmocka_unit_test(the_median_is_the_step_with_the_middle_answer),
		cmocka_unit_test(a_line_is_cut_by_columns_and_never_inside_a_character),
		cmocka_unit_test(mail_that_can_not_work_is_warned_of),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
