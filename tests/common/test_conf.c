// link: hy_conf
#include "support/test.h"

#include "conf/conf.h"

static const struct hy_conf_row common_rows[] = {
	{ "public_url", HY_CONF_TEXT, "http://127.0.0.1:8080", "Where customers reach the pages." },
	{ "retain", HY_CONF_DURATION, "7d", "How long a stream keeps what all have read.", .min = 1000,
		.max = 3650 * 86400000ll },
	{ "store.quota", HY_CONF_BYTES, "8GiB", "Largest size of one store.", .min = 1 << 20, .max = (int64_t)1 << 40 },
	{ "store.warn", HY_CONF_NUMBER, "0.7", "From here on the log warns." },
	{ "log.level", HY_CONF_WORD, "info", "What is logged.", .choices = "debug|info|warn|error" },
	{ "log.colour", HY_CONF_BOOL, "on", "Colours on a terminal." },
	{ 0 },
};
static const struct hy_conf_row router_rows[] = {
	{ "departments", HY_CONF_TREE, NULL, "Who acts." },
	{ "follow_up.wait", HY_CONF_DURATION, "3d", "How long an answer is waited for." },
	{ "follow_up.tries", HY_CONF_INT, "2", "How often to ask.", .min = 0, .max = 5 },
	{ "http.trusted_proxies", HY_CONF_LIST, "127.0.0.1, ::1", "Whose forwarded address counts." },
	{ "http.tls.key", HY_CONF_TEXT, NULL, "The key's file." },
	{ "smtp.password", HY_CONF_TEXT, "", "For the mail server." },
	{ "retain", HY_CONF_DURATION, "1d", "A path that another table has too: the first row counts." },
	{ 0 },
};
static const struct hy_conf_row *const tables[] = { common_rows, router_rows, NULL };

struct fx {
	char *dir;
	char path[300];
	struct hy_conf *conf;
	struct hy_buffer report;
};

static int setup(void **state)
{
	struct fx *fx = calloc(1, sizeof(*fx));
	fx->dir = test_mkdir();
	snprintf(fx->path, sizeof(fx->path), "%s/huiyin.yaml", fx->dir);
	*state = fx;
	return 0;
}

static int teardown(void **state)
{
	struct fx *fx = *state;
	hy_conf_close(&fx->conf);
	hy_conf_close(&fx->conf);
	hy_buffer_free(&fx->report);
	test_rmdir(fx->dir);
	free(fx);
	return 0;
}

static int open_bytes(struct fx *fx, const void *data, size_t size)
{
	FILE *f = fopen(fx->path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, size, f), size);
	assert_int_equal(fclose(f), 0);
	hy_conf_close(&fx->conf);
	hy_buffer_clear(&fx->report);
	return hy_conf_open(&fx->conf, fx->path, tables, &fx->report);
}

static int open_text(struct fx *fx, const char *text)
{
	return open_bytes(fx, text, strlen(text));
}

/* The report without the directory in front of each file name. */
static const char *report(struct fx *fx)
{
	static char out[65536];
	size_t used = 0, dir = strlen(fx->dir) + 1;
	const char *text = hy_buffer_string(&fx->report);
	while (*text && used < sizeof(out) - 1) {
		if (strncmp(text, fx->path, strlen(fx->path)) == 0)
			text += dir;
		out[used++] = *text++;
	}
	out[used] = 0;
	return out;
}

static void reports(struct fx *fx, const char *text, const char *expected)
{
	assert_int_equal(open_text(fx, text), HY_CONFIG);
	assert_string_equal(report(fx), expected);
}

/* The first line of the report. */
static void says(struct fx *fx, const char *text, const char *expected)
{
	assert_int_equal(open_text(fx, text), HY_CONFIG);
	const char *said = report(fx);
	size_t size = strcspn(said, "\n");
	if (strlen(expected) != size || strncmp(said, expected, size) != 0)
		fail_msg("%.200s\n  said      %.*s\n  should be %s", text, (int)size, said, expected);
}

static void fine(struct fx *fx, const char *text)
{
	if (open_text(fx, text) != HY_OK)
		fail_msg("%s\n%s", text, report(fx));
	assert_int_equal(fx->report.size, 0);
}

static void what_the_file_leaves_out_has_its_default(void **state)
{
	struct fx *fx = *state;
	static const char *const empty[] = { "", "# nothing yet\n", "---\n", "store:\nlog:\n  # level: debug\n",
		"~\n" };
	for (size_t i = 0; i < sizeof(empty) / sizeof(empty[0]); i++) {
		fine(fx, empty[i]);
		assert_string_equal(hy_conf_text(fx->conf, "public_url"), "http://127.0.0.1:8080");
		assert_int_equal(hy_conf_int(fx->conf, "retain"), 7 * 86400000);
		assert_int_equal(hy_conf_int(fx->conf, "store.quota"), (int64_t)8 << 30);
		assert_true(hy_conf_number(fx->conf, "store.warn") == 0.7);
		assert_true(hy_conf_bool(fx->conf, "log.colour"));
		assert_string_equal(hy_conf_list(fx->conf, "http.trusted_proxies")[1], "::1");
		assert_null(hy_conf_list(fx->conf, "http.trusted_proxies")[2]);
		assert_string_equal(hy_conf_text(fx->conf, "http.tls.key"), "");
		assert_null(hy_conf_tree(fx->conf, "departments"));
	}
}

static void values_arrive_in_their_own_units(void **state)
{
	struct fx *fx = *state;
	fine(fx, "public_url: https://回音.example\nretain: 1h 30m\nstore: { quota: 300MB, warn: 5e-1 }\n"
		 "log:\n  level: \"warn\"\n  colour: No\nfollow_up:\n  tries: 0\n  wait: 250ms\n"
		 "http:\n  trusted_proxies:\n  - 10.0.0.1\n  tls:\n    key: /etc/key.pem\n");
	assert_string_equal(hy_conf_text(fx->conf, "public_url"), "https://回音.example");
	assert_int_equal(hy_conf_int(fx->conf, "retain"), 90 * 60000);
	assert_int_equal(hy_conf_int(fx->conf, "store.quota"), 300000000);
	assert_true(hy_conf_number(fx->conf, "store.warn") == 0.5);
	assert_string_equal(hy_conf_text(fx->conf, "log.level"), "warn");
	assert_false(hy_conf_bool(fx->conf, "log.colour"));
	assert_int_equal(hy_conf_int(fx->conf, "follow_up.tries"), 0);
	assert_int_equal(hy_conf_int(fx->conf, "follow_up.wait"), 250);
	assert_string_equal(hy_conf_list(fx->conf, "http.trusted_proxies")[0], "10.0.0.1");
	assert_null(hy_conf_list(fx->conf, "http.trusted_proxies")[1]);
	assert_string_equal(hy_conf_text(fx->conf, "http.tls.key"), "/etc/key.pem");
	fine(fx, "store: { quota: 2048 kib }\nhttp: { trusted_proxies: 10.0.0.9 }\n");
	assert_int_equal(hy_conf_int(fx->conf, "store.quota"), 2 << 20);
	assert_string_equal(hy_conf_list(fx->conf, "http.trusted_proxies")[0], "10.0.0.9");
}

static void a_typo_is_shown_with_its_line_and_a_caret_and_the_name_that_was_meant(void **state)
{
	struct fx *fx = *state;
	reports(fx, "# 回音\nstore: { quoat: 7GiB }\n",
		"huiyin.yaml:2:10: unknown setting 'quoat'; did you mean 'quota'?\n"
		"    2 | store: { quoat: 7GiB }\n"
		"      |          ^\n");
	says(fx, "retian: 7d\n", "huiyin.yaml:1:1: unknown setting 'retian'; did you mean 'retain'?");
	says(fx, "departmants: []\n", "huiyin.yaml:1:1: unknown setting 'departmants'; did you mean 'departments'?");
	says(fx, "xyzzy: 1\n", "huiyin.yaml:1:1: unknown setting 'xyzzy'");
	says(fx, "<<: 1\n", "huiyin.yaml:1:1: unknown setting '<<'");
	says(fx, "http: { tls: { kay: x } }\n", "huiyin.yaml:1:16: unknown setting 'kay'; did you mean 'key'?");
	says(fx, "log: { level: wran }\n",
		"huiyin.yaml:1:15: 'wran' isn't one of debug|info|warn|error; did you mean 'warn'?");
}

static void the_caret_stands_under_the_fault_behind_chinese_and_tabs(void **state)
{
	struct fx *fx = *state;
	reports(fx, "log: { level: \"警告\", colour: 是的 }\n",
		"huiyin.yaml:1:15: '警告' isn't one of debug|info|warn|error\n"
		"    1 | log: { level: \"警告\", colour: 是的 }\n"
		"      |               ^\n"
		"huiyin.yaml:1:29: '是的' is neither true nor false\n"
		"    1 | log: { level: \"警告\", colour: 是的 }\n"
		"      |                               ^\n");
	reports(fx, "log: {\tcolour: 是的 }\r\n",
		"huiyin.yaml:1:16: '是的' is neither true nor false\n"
		"    1 | log: {\\tcolour: 是的 }\n"
		"      |                 ^\n");
}

static void every_fault_is_told_not_only_the_first(void **state)
{
	struct fx *fx = *state;
	reports(fx,
		"retain: 7 days\nretian: 1d\nstore:\n  quota: 1KiB\nfollow_up: { tries: 6, wait: 30 }\nretain: 8d\n",
		"huiyin.yaml:1:9: '7 days' isn't a duration; write it like 7d, 12h, 30m, 15s, 250ms or 1h 30m\n"
		"    1 | retain: 7 days\n"
		"      |         ^\n"
		"huiyin.yaml:2:1: unknown setting 'retian'; did you mean 'retain'?\n"
		"    2 | retian: 1d\n"
		"      | ^\n"
		"huiyin.yaml:4:10: '1KiB' is too small; the least is 1MiB\n"
		"    4 |   quota: 1KiB\n"
		"      |          ^\n"
		"huiyin.yaml:5:21: '6' is too large; the most is 5\n"
		"    5 | follow_up: { tries: 6, wait: 30 }\n"
		"      |                     ^\n"
		"huiyin.yaml:5:30: '30' has no unit; write it like 7d, 12h, 30m, 15s or 250ms\n"
		"    5 | follow_up: { tries: 6, wait: 30 }\n"
		"      |                              ^\n"
		"huiyin.yaml:6:1: 'retain' is here twice, first in line 1\n"
		"    6 | retain: 8d\n"
		"      | ^\n");
	/* A value with a fault leaves the default standing. */
	assert_int_equal(hy_conf_int(fx->conf, "follow_up.tries"), 2);
}

static void a_value_of_the_wrong_shape_or_type_is_named(void **state)
{
	struct fx *fx = *state;
	says(fx, "retain: [1d]\n", "huiyin.yaml:1:9: 'retain' is a single value, not a list");
	says(fx, "retain: { a: 1d }\n", "huiyin.yaml:1:9: 'retain' is a single value, not a map");
	says(fx, "retain:\n", "huiyin.yaml:1:1: 'retain' has no value; leave the line out for the default");
	says(fx, "store: 8GiB\n", "huiyin.yaml:1:8: 'store' is a map of settings, not a single value");
	says(fx, "store: [a]\n", "huiyin.yaml:1:8: 'store' is a map of settings, not a list");
	says(fx, "http: { trusted_proxies: { a: b } }\n",
		"huiyin.yaml:1:26: 'http.trusted_proxies' is a list of texts, not a map");
	says(fx, "http: { trusted_proxies: [[a]] }\n",
		"huiyin.yaml:1:27: a text should stand here, as an item of 'http.trusted_proxies'");
	says(fx, "- a\n", "huiyin.yaml:1:1: the file is a map of settings, 'name: value', not a list");
	says(fx, "hello\n", "huiyin.yaml:1:1: the file is a map of settings, 'name: value', not a single value");
	says(fx, "follow_up: { tries: 1.5 }\n", "huiyin.yaml:1:21: '1.5' isn't a whole number");
	says(fx, "follow_up: { tries: 99999999999999999999 }\n",
		"huiyin.yaml:1:21: '99999999999999999999' is too large a number");
	says(fx, "store: { warn: nan }\n", "huiyin.yaml:1:16: 'nan' isn't a number");
	says(fx, "store: { quota: 8 gigs }\n",
		"huiyin.yaml:1:17: '8 gigs' isn't a size; write it like 8GiB, 512 KiB, 300MB or 1024");
	says(fx, "store: { quota: 99999999999 TiB }\n", "huiyin.yaml:1:17: '99999999999 TiB' is too large a size");
	says(fx, "store: { quota: -1 }\n",
		"huiyin.yaml:1:17: '-1' isn't a size; write it like 8GiB, 512 KiB, 300MB or 1024");
	says(fx, "retain: 1h30\n", "huiyin.yaml:1:9: '1h30' has no unit; write it like 7d, 12h, 30m, 15s or 250ms");
	says(fx, "retain: 9999999999999d\n", "huiyin.yaml:1:9: '9999999999999d' is too long");
	says(fx, "retain: 10ms\n", "huiyin.yaml:1:9: '10ms' is too small; the least is 1s");
}

static void what_is_not_yaml_is_told_with_the_faults_before_it(void **state)
{
	struct fx *fx = *state;
	reports(fx, "retian: 7d\nlog:\n\tlevel: info\n",
		"huiyin.yaml:1:1: unknown setting 'retian'; did you mean 'retain'?\n"
		"    1 | retian: 7d\n"
		"      | ^\n"
		"huiyin.yaml:3:1: not YAML: tab character may not be used as indentation\n"
		"    3 | \\tlevel: info\n"
		"      | ^\n");
	says(fx, "public_url: \"http://x\n", "huiyin.yaml:1:14: not YAML: double-quoted scalar without closing quote");
	says(fx, "store: { quota: 8GiB\n", "huiyin.yaml:1:21: not YAML: missing comma in flow mapping");
	says(fx, "retain: @7d\n", "huiyin.yaml:1:9: not YAML: plain scalar cannot start with '@'");
	says(fx, "retain: 7d\n---\nretain: 8d\n", "huiyin.yaml:2:1: a second document begins here; one file holds one");
	says(fx, "departments: &x [a]\nrules: *x\n", "huiyin.yaml:1:15: anchors (&name) have no use here");
	says(fx, "rules: *x\n", "huiyin.yaml:1:8: aliases (*name) have no use here");
	says(fx, "retain: !!str 7d\n", "huiyin.yaml:1:9: tags (!name) have no use here");
	says(fx, "? [a]\n: b\n", "huiyin.yaml:1:3: a name has to be a plain word, not a list or a map");
	says(fx, ": b\n", "huiyin.yaml:1:1: a name is missing in front of the ':'");
	says(fx, "public_url: \"a\\0b\"\n", "huiyin.yaml:1:13: a text can't hold the character U+0000");
	says(fx, "%FOO\n---\nretain: 7d\n", "huiyin.yaml:1:2: not YAML: Unsupported directive");
}

static void a_file_that_is_not_text_or_too_large_or_missing_is_refused(void **state)
{
	struct fx *fx = *state;
	assert_int_equal(open_bytes(fx, "log:\n  # \xe5\xe5\n", 12), HY_CONFIG);
	assert_string_equal(report(fx), "huiyin.yaml:2:5: not UTF-8\n    2 |   # ��\n      |     ^\n");
	assert_int_equal(open_bytes(fx, "a\0b", 3), HY_CONFIG);
	assert_non_null(strstr(report(fx), "huiyin.yaml:1:2: a NUL character\n"));
	char *large = malloc(1200000);
	memset(large, '#', 1200000);
	assert_int_equal(open_bytes(fx, large, 1200000), HY_CONFIG);
	assert_string_equal(report(fx), "huiyin.yaml: is larger than 1024 KiB\n");
	/* A very long line is shown only around its fault. */
	memcpy(large, "departments: [ ", 15);
	memset(large + 15, ' ', 500000);
	memcpy(large + 500015, "]]\n", 3);
	assert_int_equal(open_bytes(fx, large, 500018), HY_CONFIG);
	assert_true(fx->report.size < 1000);
	free(large);
	unlink(fx->path);
	hy_conf_close(&fx->conf);
	hy_buffer_clear(&fx->report);
	assert_int_equal(hy_conf_open(&fx->conf, fx->path, tables, &fx->report), HY_CONFIG);
	assert_string_equal(report(fx), "huiyin.yaml: there is no such file; `huiyin init DIR` writes one\n");
	assert_int_equal(hy_conf_int(fx->conf, "follow_up.tries"), 2);
	hy_conf_close(&fx->conf);
	hy_buffer_clear(&fx->report);
	assert_int_equal(hy_conf_open(&fx->conf, fx->dir, tables, &fx->report), HY_CONFIG);
	assert_non_null(strstr(hy_buffer_string(&fx->report), ": isn't a file\n"));
}

static void quoted_texts_arrive_without_their_escapes(void **state)
{
	struct fx *fx = *state;
	fine(fx, "public_url: 'it''s ''''''''''''''''''''''''''''''''''''''''quoted'\n"
		 "departments:\n- \"\\u56de\\x41\\n\\\"\"\n- |\n  two\n  lines\n- >-\n  one\n  line\n- plain and\n  "
		 "folded\n- ''\n");
	assert_string_equal(hy_conf_text(fx->conf, "public_url"), "it's ''''''''''''''''''''quoted");
	const struct hy_conf_node *list = hy_conf_tree(fx->conf, "departments");
	static const char *const texts[] = { "回A\n\"", "two\nlines\n", "one line", "plain and folded", "" };
	for (size_t i = 0; i < 5; i++)
		assert_string_equal(hy_conf_scalar(hy_conf_item(list, i)), texts[i]);
}

static void deep_and_endless_files_are_refused(void **state)
{
	struct fx *fx = *state;
	struct hy_buffer text = { 0 };
	hy_buffer_text(&text, "departments: ");
	for (int i = 0; i < 20000; i++)
		hy_buffer_text(&text, "[");
	says(fx, hy_buffer_string(&text), "huiyin.yaml:1:29: more than 16 levels of lists and maps");
	hy_buffer_clear(&text);
	hy_buffer_text(&text, "departments: [");
	for (int i = 0; i < 250000; i++)
		hy_buffer_text(&text, "a,");
	says(fx, hy_buffer_string(&text), "huiyin.yaml:1:400009: more than 200000 values in one file");
	hy_buffer_clear(&text);
	for (int i = 0; i < 1000; i++)
		hy_buffer_printf(&text, "zz%d: 1\n", i);
	assert_int_equal(open_bytes(fx, text.data, text.size), HY_CONFIG);
	assert_non_null(strstr(report(fx), "huiyin.yaml: and 950 more\n"));
	hy_buffer_free(&text);
}

static void another_daemons_part_is_left_alone(void **state)
{
	struct fx *fx = *state;
	fine(fx, "classifier: { anything: [goes] }\nkeys:\n  - { name: app, rate: 5 }\nsla: 4h\n");
}

static void a_service_walks_its_own_part_and_reports_with_the_same_face(void **state)
{
	struct fx *fx = *state;
	fine(fx, "departments:\n  物流: { hours: 8h, open: yes, people: 12, share: 0.5 }\n  finance: { hurs: soon, "
		 "people: [1] }\n  none:\n");
	const struct hy_conf_node *all = hy_conf_tree(fx->conf, "departments");
	assert_int_equal(hy_conf_shape(all), HY_CONF_MAPPING);
	assert_int_equal(hy_conf_count(all), 3);
	assert_string_equal(hy_conf_key(all, 0), "物流");
	const struct hy_conf_node *first = hy_conf_item(all, 0), *second = hy_conf_item(all, 1);
	assert_ptr_equal(hy_conf_get(all, "finance"), second);
	assert_null(hy_conf_get(all, "quality"));
	assert_null(hy_conf_get(hy_conf_get(all, "none"), "x"));
	assert_string_equal(hy_conf_scalar(hy_conf_item(all, 2)), "");
	assert_null(hy_conf_item(all, 3));
	assert_string_equal(hy_conf_scalar(hy_conf_get(first, "hours")), "8h");
	int64_t ms = 0, people = 0;
	double share = 0;
	bool open = false;
	assert_true(hy_conf_read_duration(hy_conf_get(first, "hours"), &ms));
	assert_true(hy_conf_read_bool(hy_conf_get(first, "open"), &open));
	assert_true(hy_conf_read_int(hy_conf_get(first, "people"), 1, 50, &people));
	assert_true(hy_conf_read_number(hy_conf_get(first, "share"), &share));
	assert_true(ms == 8 * 3600000 && open && people == 12 && share == 0.5);
	assert_int_equal(hy_conf_verdict(fx->conf, &fx->report), HY_OK);

	assert_false(hy_conf_read_int(hy_conf_get(first, "people"), 1, 10, &people));
	assert_int_equal(people, 12);
	assert_false(hy_conf_read_int(hy_conf_get(second, "people"), 1, 10, &people));
	hy_conf_known(second, (const char *const[]){ "hours", "people", NULL });
	hy_conf_fault(hy_conf_key_node(all, 0), "no queue for '%s'", hy_conf_key(all, 0));
	assert_int_equal(hy_conf_verdict(fx->conf, &fx->report), HY_CONFIG);
	assert_string_equal(report(fx), "huiyin.yaml:2:3: no queue for '物流'\n"
					"    2 |   物流: { hours: 8h, open: yes, people: 12, share: 0.5 }\n"
					"      |   ^\n"
					"huiyin.yaml:2:39: '12' is too large; the most is 10\n"
					"    2 |   物流: { hours: 8h, open: yes, people: 12, share: 0.5 }\n"
					"      |                                         ^\n"
					"huiyin.yaml:3:14: unknown setting 'hurs'; did you mean 'hours'?\n"
					"    3 |   finance: { hurs: soon, people: [1] }\n"
					"      |              ^\n"
					"huiyin.yaml:3:34: a whole number should stand here\n"
					"    3 |   finance: { hurs: soon, people: [1] }\n"
					"      |                                  ^\n");
	/* Each fault is told once; the verdict stays. */
	hy_buffer_clear(&fx->report);
	assert_int_equal(hy_conf_verdict(fx->conf, &fx->report), HY_CONFIG);
	assert_int_equal(fx->report.size, 0);
}

static void the_printed_configuration_reads_back_as_the_same(void **state)
{
	struct fx *fx = *state;
	fine(fx, "public_url: \"a: b # \\\"c\\\"\\n\"\nretain: 30d\nsmtp: { password: hunter2 }\n"
		 "departments:\n  - name: 物流\n    notes: ['-', \"\", ~, -1, \"x, y\"]\n    nobody: {}\n    token: "
		 "abc\n");
	struct hy_buffer first = { 0 }, second = { 0 };
	hy_conf_print(fx->conf, &first);
	assert_string_equal(hy_buffer_string(&first),
		"# Where customers reach the pages. (default: http://127.0.0.1:8080)\n"
		"public_url: \"a: b # \\\"c\\\"\\n\"\n\n"
		"# How long a stream keeps what all have read. From 1s to 3650d. (default: 7d)\n"
		"retain: 30d\n\n"
		"# the stores of all daemons: how large, how full\n"
		"store:\n"
		"  # Largest size of one store. From 1MiB to 1TiB. (default)\n"
		"  quota: 8GiB\n"
		"  # From here on the log warns. (default)\n"
		"  warn: 0.7\n\n"
		"# what is logged, and how\n"
		"log:\n"
		"  # What is logged. One of debug|info|warn|error. (default)\n"
		"  level: info\n"
		"  # Colours on a terminal. (default)\n"
		"  colour: on\n\n"
		"# Who acts.\n"
		"departments:\n"
		"  -\n"
		"    name: 物流\n"
		"    notes:\n"
		"      - \"-\"\n"
		"      - \"\"\n"
		"      - null\n"
		"      - -1\n"
		"      - \"x, y\"\n"
		"    nobody: {}\n"
		"    token: \"(hidden)\"\n\n"
		"# when and how customers are asked whether it helped\n"
		"follow_up:\n"
		"  # How long an answer is waited for. (default)\n"
		"  wait: 3d\n"
		"  # How often to ask. From 0 to 5. (default)\n"
		"  tries: 2\n\n"
		"# the collector's public HTTP door\n"
		"http:\n"
		"  # Whose forwarded address counts. (default)\n"
		"  trusted_proxies: [127.0.0.1, \"::1\"]\n"
		"  tls:\n"
		"    # The key's file. (default)\n"
		"    # key:\n\n"
		"# the mail server that takes the mail\n"
		"smtp:\n"
		"  # For the mail server. (default: empty)\n"
		"  password: \"(hidden)\"\n\n");
	fine(fx, hy_buffer_string(&first));
	hy_conf_print(fx->conf, &second);
	/* What was a default is written out now, so only the comments differ. */
	assert_string_equal(hy_conf_text(fx->conf, "public_url"), "a: b # \"c\"\n");
	assert_int_equal(hy_conf_int(fx->conf, "store.quota"), (int64_t)8 << 30);
	assert_string_equal(hy_conf_scalar(hy_conf_item(
				    hy_conf_get(hy_conf_item(hy_conf_tree(fx->conf, "departments"), 0), "notes"), 4)),
		"x, y");
	hy_buffer_free(&first);
	hy_buffer_free(&second);
}

static void the_printed_defaults_are_a_file_that_changes_nothing(void **state)
{
	struct fx *fx = *state;
	struct hy_buffer out = { 0 };
	hy_conf_print_defaults(router_rows, &out);
	assert_null(strstr(hy_buffer_string(&out), "departments"));
	assert_non_null(strstr(hy_buffer_string(&out), "  # How often to ask. From 0 to 5.\n  tries: 2\n"));
	fine(fx, hy_buffer_string(&out));
	assert_int_equal(hy_conf_int(fx->conf, "follow_up.tries"), 2);
	hy_buffer_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_the_file_leaves_out_has_its_default, setup, teardown),
		cmocka_unit_test_setup_teardown(values_arrive_in_their_own_units, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_typo_is_shown_with_its_line_and_a_caret_and_the_name_that_was_meant, setup, teardown),
		cmocka_unit_test_setup_teardown(
			the_caret_stands_under_the_fault_behind_chinese_and_tabs, setup, teardown),
		cmocka_unit_test_setup_teardown(every_fault_is_told_not_only_the_first, setup, teardown),
		cmocka_unit_test_setup_teardown(a_value_of_the_wrong_shape_or_type_is_named, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_not_yaml_is_told_with_the_faults_before_it, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_file_that_is_not_text_or_too_large_or_missing_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(quoted_texts_arrive_without_their_escapes, setup, teardown),
		cmocka_unit_test_setup_teardown(deep_and_endless_files_are_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(another_daemons_part_is_left_alone, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_service_walks_its_own_part_and_reports_with_the_same_face, setup, teardown),
		cmocka_unit_test_setup_teardown(the_printed_configuration_reads_back_as_the_same, setup, teardown),
		cmocka_unit_test_setup_teardown(the_printed_defaults_are_a_file_that_changes_nothing, setup, teardown),
	};
	return cmocka_run_group_tests_name("conf", tests, NULL, NULL);
}
