// link: hy_huiyin
/* Tables as shops, forms and help desks export them, good ones and hostile ones: what huiyin import makes of their bytes, without a collector. */
#include "support/test.h"

#include "huiyin/import/columns.h"
#include "huiyin/import/encoding.h"
#include "huiyin/huiyin.h"

#include <time.h>
#include <unicode/ucnv.h>
#include <zlib.h>

struct fx {
	char *dir, path[400];
	struct source *source;
	struct table *table;
	struct columns *columns;
	struct line_rules rules;
	char delimiter;
	const char *encoding;
	struct hy_buffer out; /* items and faults, a line each */
	struct hy_fault fault;
};

static int setup(void **state)
{
	struct fx *fx = calloc(1, sizeof(*fx));
	fx->dir = test_mkdir();
	snprintf(fx->path, sizeof(fx->path), "%s/t.csv", fx->dir);
	*state = fx;
	return 0;
}

static void shut(struct fx *fx)
{
	columns_close(&fx->columns);
	table_close(&fx->table);
	source_close(&fx->source);
	hy_buffer_clear(&fx->out);
}

static int teardown(void **state)
{
	struct fx *fx = *state;
	shut(fx);
	hy_buffer_free(&fx->out);
	test_rmdir(fx->dir);
	free(fx);
	return 0;
}

static void write_file(struct fx *fx, const void *data, size_t size)
{
	FILE *f = fopen(fx->path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, size, f), size);
	assert_int_equal(fclose(f), 0);
}

/* The UTF-8 text as bytes of another encoding. */
static void write_in(struct fx *fx, const char *encoding, const char *text)
{
	UErrorCode code = U_ZERO_ERROR;
	static char bytes[1 << 20];
	int32_t n = ucnv_convert(encoding, "UTF-8", bytes, sizeof(bytes), text, -1, &code);
	assert_true(U_SUCCESS(code));
	write_file(fx, bytes, (size_t)n);
}

static int open_it(struct fx *fx)
{
	shut(fx);
	int err = source_open(&fx->source, fx->path, fx->encoding, &fx->fault);
	if (err == HY_OK)
		err = table_open(&fx->table, fx->source, fx->delimiter, &fx->fault);
	return err ? err : columns_open(&fx->columns, fx->table, &fx->rules, &fx->fault);
}

/* Everything that the rows become: "LINE item" or "LINE! reason". */
static const char *read_all(struct fx *fx)
{
	struct table_row row;
	while (table_next(fx->table, &row)) {
		hy_buffer_printf(&fx->out, "%llu%s ", (unsigned long long)row.first, row.count ? "" : "!");
		if (row.count)
			columns_item(fx->columns, "-", &fx->out);
		else
			hy_buffer_text(&fx->out, row.why);
		hy_buffer_byte(&fx->out, '\n');
	}
	return hy_buffer_string(&fx->out);
}

static const char *rows_of(struct fx *fx, const char *text)
{
	write_file(fx, text, strlen(text));
	int err = open_it(fx);
	if (err)
		fail_msg("%s", fx->fault.text);
	return read_all(fx);
}

static void refuses(struct fx *fx, const char *text, const char *words)
{
	write_file(fx, text, strlen(text));
	if (open_it(fx) == HY_OK)
		fail_msg("it was taken: %s", text);
	if (!strstr(fx->fault.text, words))
		fail_msg("'%s' does not say '%s'", fx->fault.text, words);
}

#define ITEM(n, members) n " {\"id\":\"-\"," members "}\n"
#define SAYS(n, text) ITEM(n, "\"text\":\"" text "\",\"channel\":\"import\"")

/* ---- rows ---- */

static void quotes_delimiters_and_ends_of_lines_are_read_as_spreadsheets_write_them(void **state)
{
	struct fx *fx = *state;
	assert_string_equal(rows_of(fx, "text,shop\r\n\"a, \"\"b\"\"\r\nc\",\r\nd,\r\n"),
		SAYS("2", "a, \\\"b\\\"\\nc") SAYS("4", "d"));
	assert_string_equal(rows_of(fx, "\xef\xbb\xbftext;n\na;1\n"),
		ITEM("2", "\"text\":\"a\",\"channel\":\"import\",\"context\":{\"n\":\"1\"}"));
	assert_string_equal(rows_of(fx, "text\tn\na,b;c\t"), SAYS("2", "a,b;c"));
	assert_string_equal(rows_of(fx, "text|n\ra|\rb|\r"), SAYS("2", "a") SAYS("3", "b"));
	assert_string_equal(rows_of(fx, "text , n\n  a  , \n"), SAYS("2", "a"));
	assert_string_equal(rows_of(fx, "text\ngood, but slow; really\n"), SAYS("2", "good, but slow; really"));
	assert_string_equal(rows_of(fx, "text,n\n\n\na,\n   \n,\n"), SAYS("4", "a") "6 \n");
}

static void a_quote_within_a_plain_cell_is_only_a_quote(void **state)
{
	struct fx *fx = *state;
	assert_string_equal(
		rows_of(fx, "text,n\n5\" screen,\nx \"y\" z,\n"), SAYS("2", "5\\\" screen") SAYS("3", "x \\\"y\\\" z"));
}

static void broken_quotes_cost_their_row_and_nothing_behind_them_is_taken_for_another(void **state)
{
	struct fx *fx = *state;
	assert_string_equal(rows_of(fx, "text,n\n\"a\"b,1\nrest of a cell\nc,\n"),
		"2! something stands behind a quoted cell\n3! it stands behind broken quotes and has 1 cells of "
		"2\n" SAYS("4", "c"));
	/* the end of the file comes first: what was swallowed is read once more */
	assert_string_equal(
		rows_of(fx, "text,n\n\"a,\nb,\nc,\n"), "2! a quoted cell has no end\n" SAYS("3", "b") SAYS("4", "c"));
	/* the quote is closed by another row's */
	assert_string_equal(rows_of(fx, "text,n\n\"a,\nb,\n\"c\",\nd,\n"),
		"2! something stands behind a quoted cell\n" SAYS("3", "b") SAYS("4", "c") SAYS("5", "d"));
}

static void ragged_rows_are_told_apart_by_their_number_of_cells(void **state)
{
	struct fx *fx = *state;
	struct table_row row;
	static const char text[] = "text,a,b\n1\n1,2,3,4\n1,2,3\n";
	write_file(fx, text, strlen(text));
	assert_int_equal(open_it(fx), HY_OK);
	static const size_t counts[] = { 1, 4, 3 };
	for (size_t i = 0; i < 3; i++) {
		assert_true(table_next(fx->table, &row));
		assert_int_equal(row.count, counts[i]);
	}
	assert_false(table_next(fx->table, &row));
}

static void a_row_that_is_too_long_is_told_with_its_lines_and_the_next_one_is_read(void **state)
{
	struct fx *fx = *state;
	struct hy_buffer b = { 0 };
	hy_buffer_text(&b, "text,n\na,\n\"");
	for (int i = 0; i < 100000; i++)
		hy_buffer_text(&b, "one more line of a cell that has no measure\n");
	hy_buffer_text(&b, "\",1\nb,\n");
	write_file(fx, b.data, b.size);
	hy_buffer_clear(&b);
	assert_int_equal(open_it(fx), HY_OK);
	assert_string_equal(read_all(fx),
		SAYS("2", "a") "3! lines 3 to 100003 are one row of more than 128 KiB\n" SAYS("100004", "b"));
	/* and in one line */
	hy_buffer_text(&b, "text,n\na,\n");
	for (int i = 0; i < 300000; i++)
		hy_buffer_text(&b, "0123456789");
	hy_buffer_text(&b, ",\nb,\n");
	write_file(fx, b.data, b.size);
	hy_buffer_free(&b);
	assert_int_equal(open_it(fx), HY_OK);
	assert_string_equal(read_all(fx), SAYS("2", "a") "3! the row has more than 128 KiB\n" SAYS("4", "b"));
}

static void a_table_without_sense_is_refused_with_a_word_on_why(void **state)
{
	struct fx *fx = *state;
	struct hy_buffer b = { 0 };
	refuses(fx, "", "the file is empty");
	refuses(fx, "\n\n", "the file is empty");
	refuses(fx, "\"text,n\na,b\n", "a quoted cell has no end");
	refuses(fx, "foo,bar\n1,2\n", "--map text=COLUMN");
	for (int i = 0; i < 1000000; i++)
		hy_buffer_printf(&b, "c%d,", i);
	refuses(fx, hy_buffer_string(&b), "columns and more; more than 1000 can't be read");
	hy_buffer_clear(&b);
	for (int i = 0; i < 2000; i++)
		hy_buffer_printf(&b, "c%d,", i);
	refuses(fx, hy_buffer_string(&b), "names 2001 columns; more than 1000");
	hy_buffer_free(&b);
	write_file(fx, "PK\3\4\0\0\0\0\0\0\0\0", 12);
	assert_int_equal(open_it(fx), HY_BAD_INPUT);
	assert_non_null(strstr(fx->fault.text, "save a workbook as CSV"));
}

static void a_compressed_table_is_read_as_it_is(void **state)
{
	struct fx *fx = *state;
	gzFile gz = gzopen(fx->path, "wb");
	assert_non_null(gz);
	gzputs(gz, "text,n\na,\n");
	gzclose(gz);
	assert_int_equal(open_it(fx), HY_OK);
	assert_string_equal(read_all(fx), SAYS("2", "a"));
}

/* ---- encodings ---- */

static const char chinese[] =
	"评论内容,评分,门店\n快递太慢了，等了三天,2,西湖店\n\"很好，\n推荐\",5,东店\n服务态度不错,4,南店\n";

static void the_same_table_is_read_from_every_encoding_that_is_found_out(void **state)
{
	static const struct {
		const char *icu, *found;
	} all[] = { { "GB18030", "GB18030" }, { "GBK", "GB18030" }, { "UTF-16LE", "UTF-16LE" },
		{ "UTF-16BE", "UTF-16BE" }, { "UTF-16", "UTF-16" } /* with a mark */, { "UTF-32LE", NULL } };
	struct fx *fx = *state;
	char *wanted = strdup(rows_of(fx, chinese));
	assert_non_null(strstr(wanted, "快递太慢了，等了三天"));
	assert_string_equal(source_encoding(fx->source), "UTF-8");
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		write_in(fx, all[i].icu, chinese);
		if (!all[i].found) {
			assert_int_not_equal(open_it(fx), HY_OK);
			continue;
		}
		assert_int_equal(open_it(fx), HY_OK);
		assert_non_null(strstr(source_encoding(fx->source), all[i].found));
		assert_string_equal(read_all(fx), wanted);
	}
	free(wanted);
}

static void an_encoding_that_is_named_is_taken_whatever_it_looks_like(void **state)
{
	struct fx *fx = *state;
	write_in(fx, "Big5", "text,n\n很好,\n");
	fx->encoding = "Big5";
	assert_int_equal(open_it(fx), HY_OK);
	assert_string_equal(read_all(fx), SAYS("2", "很好"));
	fx->encoding = "klingon";
	assert_int_equal(open_it(fx), HY_USAGE);
	assert_non_null(strstr(fx->fault.text, "no encoding 'klingon'"));
}

static void a_row_in_another_encoding_is_rejected_and_the_others_are_read(void **state)
{
	struct fx *fx = *state;
	char mixed[4096] = "text,n\n快递太慢了,\n", gbk[64] = { 0 };
	UErrorCode code = U_ZERO_ERROR;
	ucnv_convert("GBK", "UTF-8", gbk, sizeof(gbk), "坏行,\n", -1, &code);
	strcat(mixed, gbk);
	strcat(mixed, "很好,\n");
	assert_string_equal(rows_of(fx, mixed), SAYS("2", "快递太慢了") "3! it is not UTF-8\n" SAYS("4", "很好"));
	write_in(fx, "GBK", chinese);
	FILE *f = fopen(fx->path, "a");
	fputs("\xff\xff,1,x\n", f);
	fclose(f);
	assert_int_equal(open_it(fx), HY_OK);
	assert_non_null(strstr(read_all(fx), "6! it is not GB18030"));
}

static void what_is_in_no_encoding_that_can_be_told_is_refused_with_the_way_out(void **state)
{
	struct fx *fx = *state;
	refuses(fx, "text,n\ncaf\xe9,\nna\xefve,\ntr\xe8s,\n", "--encoding=windows-1252");
}

static void a_character_that_the_sample_cuts_is_no_fault(void **state)
{
	struct fx *fx = *state;
	struct hy_buffer b = { 0 };
	const char *name;
	for (size_t shift = 0; shift < 4; shift++) {
		hy_buffer_clear(&b);
		hy_buffer_put(&b, "aaaa", shift);
		while (b.size < ENCODING_SAMPLE)
			hy_buffer_text(&b, "快递");
		assert_int_equal(encoding_detect(hy_bytes(b.data, ENCODING_SAMPLE), false, &name, &fx->fault), HY_OK);
		assert_string_equal(name, "UTF-8");
	}
	hy_buffer_free(&b);
}

/* ---- columns ---- */

static void columns_are_known_by_their_names_in_both_languages(void **state)
{
	struct fx *fx = *state;
	static const char wanted[] =
		"{\"id\":\"r7\",\"text\":\"慢\",\"channel\":\"app-store\",\"occurred_at\":\"2026-01-31T08:05:00.000Z\","
		"\"tags\":[\"物流\",\"慢\",\"x y\"],"
		"\"customer\":{\"id\":\"u1\",\"email\":\"li@example.com\",\"phone\":\"138\",\"name\":\"李雷\"},"
		"\"rating\":[{\"scale\":\"nps\",\"score\":10},{\"scale\":\"stars\",\"score\":4.5}],\"context\":{"
		"\"Shop\":\"west\"}}\n";
	assert_string_equal(rows_of(fx, "编号,评价内容,渠道,时间,标签,用户ID,邮箱,手机号,姓名,NPS,评分,Shop\n"
					"r7,慢,App Store,2026-01-31T08:05:00Z,\"物流，慢; x "
					"y\",u1,li@example.com,138,李雷,10,4.5,west\n") +
				    2,
		wanted);
	assert_string_equal(
		rows_of(fx,
			"ID,Review,Source,Created_At,Labels,User ID,E-Mail,Mobile,Customer Name,nps score,Stars,Shop\n"
			"r7,慢,App Store,1769846700,\"物流，慢; x y\",u1,li@example.com,138,李雷,10,4.5 stars,west\n") +
			2,
		wanted);
}

static void what_exports_write_for_nothing_is_nothing(void **state)
{
	struct fx *fx = *state;
	assert_string_equal(rows_of(fx, "text,email,rating,phone\na,N/A,-,无\n"), SAYS("2", "a"));
}

static void values_that_are_none_of_ours_are_left_for_the_collector_to_name(void **state)
{
	struct fx *fx = *state;
	assert_string_equal(rows_of(fx, "text,rating,date\na,good,soon\nb,8/10,\n"),
		ITEM("2", "\"text\":\"a\",\"channel\":\"import\",\"occurred_at\":\"soon\",\"rating\":[{\"scale\":"
			  "\"stars\",\"score\":\"good\"}]")
			ITEM("3", "\"text\":\"b\",\"channel\":\"import\",\"rating\":[{\"scale\":\"stars\",\"score\":8,"
				  "\"max\":10}]"));
	assert_string_equal(rows_of(fx, "text,渠道\na,微信公众号\n"),
		ITEM("2", "\"text\":\"a\",\"channel\":\"import\",\"context\":{\"渠道\":\"微信公众号\"}"));
}

static void times_are_read_as_people_write_them(void **state)
{
	struct fx *fx = *state;
	setenv("TZ", "Asia/Shanghai", 1);
	tzset();
	static const char *const ways[] = { "2026-01-31 08:05", "2026/1/31 8:05", "2026.1.31 08:05:00",
		"2026年1月31日 8:05", "2026-01-31T08:05:00.000", "2026-01-31T08:05:00+08:00", "1769817900",
		"1769817900123" };
	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
		char text[200];
		snprintf(text, sizeof(text), "text,date\na,%s\n", ways[i]);
		if (!strstr(rows_of(fx, text), "\"occurred_at\":\"2026-01-31T00:05:00."))
			fail_msg("%s: %s", ways[i], hy_buffer_string(&fx->out));
	}
	assert_non_null(strstr(rows_of(fx, "text,date\na,2026-13-31\n"), "\"occurred_at\":\"2026-13-31\""));
	unsetenv("TZ");
	tzset();
}

static void columns_are_mapped_by_name_or_number_and_a_slip_is_answered_with_what_was_meant(void **state)
{
	struct fx *fx = *state;
	assert_int_equal(
		line_rules_parse(&fx->rules, "text=what,rating.stars=3,context.shop=where", false, &fx->fault), HY_OK);
	assert_int_equal(line_rules_parse(&fx->rules, "channel=survey", true, &fx->fault), HY_OK);
	assert_string_equal(rows_of(fx, "what,where,how\na,west,4\n"),
		ITEM("2", "\"text\":\"a\",\"channel\":\"survey\",\"rating\":[{\"scale\":\"stars\",\"score\":4}],"
			  "\"context\":{\"shop\":\"west\"}"));
	refuses(fx, "whut,where,how\na,west,4\n", "no column 'what'; did you mean 'whut'?");
	fx->rules.count = 0;
	assert_int_equal(line_rules_parse(&fx->rules, "test=what", false, &fx->fault), HY_OK);
	refuses(fx, "what,where\na,b\n", "no 'test'; did you mean 'text'?");
	fx->rules.count = 0;
	assert_int_equal(line_rules_parse(&fx->rules, "text=1,text=2", false, &fx->fault), HY_OK);
	refuses(fx, "what,where\na,b\n", "said twice");
}

static void columns_of_one_name_keep_both_their_cells(void **state)
{
	struct fx *fx = *state;
	assert_string_equal(rows_of(fx, "text,x,x,\na,1,2,3\n"),
		ITEM("2", "\"text\":\"a\",\"channel\":\"import\",\"context\":{\"x\":\"1\",\"x (column "
			  "3)\":\"2\",\"column 4\":\"3\"}"));
}

static void a_run_begins_again_where_another_one_ended_in_every_encoding(void **state)
{
	static const char *const encodings[] = { "UTF-8", "GB18030", "UTF-16LE" };
	struct fx *fx = *state;
	struct table_row row;
	for (size_t i = 0; i < 3; i++) {
		write_in(fx, encodings[i], chinese);
		assert_int_equal(open_it(fx), HY_OK);
		assert_true(table_next(fx->table, &row) && row.settled);
		struct source_place place = table_place(fx->table);
		char *rest = strdup(read_all(fx));
		assert_int_equal(open_it(fx), HY_OK);
		assert_int_equal(table_seek(fx->table, place, &fx->fault), HY_OK);
		assert_string_equal(read_all(fx), rest);
		assert_true(strncmp(rest, "3 ", 2) == 0);
		free(rest);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(quotes_delimiters_and_ends_of_lines_are_read_as_spreadsheets_write_them),
		TEST(a_quote_within_a_plain_cell_is_only_a_quote),
		TEST(broken_quotes_cost_their_row_and_nothing_behind_them_is_taken_for_another),
		TEST(ragged_rows_are_told_apart_by_their_number_of_cells),
		TEST(a_row_that_is_too_long_is_told_with_its_lines_and_the_next_one_is_read),
		TEST(a_table_without_sense_is_refused_with_a_word_on_why),
		TEST(a_compressed_table_is_read_as_it_is),
		TEST(the_same_table_is_read_from_every_encoding_that_is_found_out),
		TEST(an_encoding_that_is_named_is_taken_whatever_it_looks_like),
		TEST(a_row_in_another_encoding_is_rejected_and_the_others_are_read),
		TEST(what_is_in_no_encoding_that_can_be_told_is_refused_with_the_way_out),
		TEST(a_character_that_the_sample_cuts_is_no_fault),
		TEST(columns_are_known_by_their_names_in_both_languages),
		TEST(what_exports_write_for_nothing_is_nothing),
		TEST(values_that_are_none_of_ours_are_left_for_the_collector_to_name),
		TEST(times_are_read_as_people_write_them),
		TEST(columns_are_mapped_by_name_or_number_and_a_slip_is_answered_with_what_was_meant),
		TEST(columns_of_one_name_keep_both_their_cells),
		TEST(a_run_begins_again_where_another_one_ended_in_every_encoding),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
