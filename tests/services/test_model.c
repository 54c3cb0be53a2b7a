// link: hy_classifier
#include "support/test.h"

#include <sys/stat.h>
#include <zlib.h>

#include "classifier/eval.h"
#include "classifier/model.h"
#include "classifier/rows.h"
#include "classifier/set.h"
#include "classifier/tool.h"

/* A small shop's letters: two labels in two languages, told apart by a handful of words. */
static const char *const subjects[] = { "外套", "耳机", "水杯", "台灯", "背包", "键盘", "雨伞", "毛毯" };
static const char *const objects[] = { "jacket", "kettle", "lamp", "keyboard", "blanket", "backpack", "umbrella",
	"mug" };

static void write_rows(FILE *out, int from, int to)
{
	for (int i = from; i < to; i++) {
		const char *zh = subjects[i % 8], *en = objects[(i + i / 8) % 8];
		fprintf(out, "{\"text\":\"%s的快递还没有到，第%d天了\",\"label\":\"delivery\",\"lang\":\"zh\"}\n", zh,
			i);
		fprintf(out, "{\"text\":\"%s的账单不对，多收了%d块\",\"label\":\"billing\",\"lang\":\"zh\"}\n", zh, i);
		fprintf(out, "{\"text\":\"%s用了%d天就闪退，打不开\",\"label\":\"app\",\"lang\":\"zh\"}\n", zh, i);
		fprintf(out, "{\"text\":\"The parcel with my %s has not arrived, day %d\",\"label\":\"delivery\"}\n",
			en, i);
		fprintf(out, "{\"text\":\"My invoice for the %s is wrong by %d dollars\",\"label\":\"billing\"}\n", en,
			i);
		fprintf(out, "{\"text\":\"App crashes when I look at the %s, %d times now\",\"label\":\"app\"}\n", en,
			i);
	}
}

struct fx {
	char *dir;
	char train[256], dev[256], model[256];
	struct model *m;
	struct text *text;
	struct model_hits *hits;
	struct hy_fault fault;
};

static void make_rows(const char *path, int from, int to)
{
	FILE *out = fopen(path, "w");
	assert_non_null(out);
	write_rows(out, from, to);
	fclose(out);
}

static int train_at(struct fx *fx, struct hy_buffer *file)
{
	const char *files[] = { fx->train };
	size_t rows;
	int labels;
	return set_train(&(struct set_options){ .task = "department", .files = files, .file_count = 1, .dev = fx->dev },
		file, &rows, &labels, &fx->fault);
}

static int setup(void **state)
{
	struct fx *fx = calloc(1, sizeof(*fx));
	struct hy_buffer file = { 0 };
	fx->dir = test_mkdir();
	snprintf(fx->train, sizeof(fx->train), "%s/train.jsonl", fx->dir);
	snprintf(fx->dev, sizeof(fx->dev), "%s/dev.jsonl", fx->dir);
	snprintf(fx->model, sizeof(fx->model), "%s/department.model", fx->dir);
	make_rows(fx->train, 0, 24);
	make_rows(fx->dev, 30, 36);
	fx->text = text_new();
	fx->hits = malloc(sizeof(*fx->hits));
	assert_int_equal(train_at(fx, &file), HY_OK);
	assert_int_equal(model_write(fx->model, hy_buffer_view(&file), &fx->fault), HY_OK);
	hy_buffer_free(&file);
	assert_int_equal(model_open(&fx->m, fx->model, &fx->fault), HY_OK);
	*state = fx;
	return 0;
}

static int teardown(void **state)
{
	struct fx *fx = *state;
	model_close(&fx->m);
	text_free(&fx->text);
	free(fx->hits);
	test_rmdir(fx->dir);
	free(fx);
	return 0;
}

static struct model_verdict verdict(struct fx *fx, const char *text)
{
	struct model_scores s;
	float score[MODEL_LABELS_MAX];
	text_read(fx->text, hy_bytes_text(text));
	text_grams(fx->text);
	model_match(fx->m, fx->text, fx->hits);
	model_score(fx->m, fx->hits, &s);
	model_label_scores(fx->m, 0, &s, score);
	return model_pick(fx->m, 0, score);
}

static const char *judged(struct fx *fx, const char *text)
{
	return model_label(fx->m, 0, verdict(fx, text).label);
}

static void an_own_label_set_is_learned_and_told_apart(void **state)
{
	struct fx *fx = *state;
	assert_int_equal(model_tasks(fx->m), 1);
	assert_string_equal(model_task_name(fx->m, 0), "department");
	assert_int_equal(model_labels(fx->m, 0), 3);
	assert_string_equal(judged(fx, "书包的快递还没有到"), "delivery");
	assert_string_equal(judged(fx, "这个月账单不对"), "billing");
	assert_string_equal(judged(fx, "点一下就闪退"), "app");
	assert_string_equal(judged(fx, "my parcel has not arrived"), "delivery");
	assert_string_equal(judged(fx, "the invoice is wrong"), "billing");
	assert_string_equal(judged(fx, "it crashes"), "app");
}

static int count_right(void *arg, const struct row *row, struct hy_fault *f)
{
	struct fx *fx = ((void **)arg)[0];
	struct eval *e = ((void **)arg)[1];
	struct model_verdict v = verdict(fx, (const char *)row->text.data);
	(void)f;
	assert_true(v.confidence > 0 && v.confidence <= 1);
	eval_add(e, model_label_find(fx->m, 0, row->label), v.label, (double)v.confidence);
	return HY_OK;
}

static void unseen_rows_of_the_same_kind_are_judged_right(void **state)
{
	struct fx *fx = *state;
	struct eval e = { 0 };
	void *arg[] = { fx, &e };
	assert_int_equal(rows_read(fx->dev, count_right, arg, &fx->fault), HY_OK);
	assert_int_equal(e.rows, 36);
	assert_true(eval_accuracy(&e) > 0.97);
	assert_true(eval_macro_f1(&e) > 0.97);
	assert_true(eval_ece(&e) < 0.2);
}

static void the_same_rows_make_the_same_file(void **state)
{
	struct fx *fx = *state;
	struct hy_buffer again = { 0 };
	assert_int_equal(train_at(fx, &again), HY_OK);
	assert_true(hy_bytes_equal(hy_buffer_view(&again), model_bytes(fx->m)));
	hy_buffer_free(&again);
}

static void the_same_text_has_the_same_result(void **state)
{
	struct fx *fx = *state;
	struct model_verdict a = verdict(fx, "台灯的快递还没有到"), b;
	verdict(fx, "something else in between, and longer than before: crash crash crash");
	b = verdict(fx, "台灯的快递还没有到");
	assert_int_equal(a.label, b.label);
	assert_memory_equal(&a.margin, &b.margin, sizeof(a.margin));
	assert_memory_equal(&a.confidence, &b.confidence, sizeof(a.confidence));
}

static void weights_take_one_byte_each(void **state)
{
	struct fx *fx = *state;
	/* 4 bytes of key and 3 + 1 of weights a feature; the rest is filter, directory and head. */
	assert_true(model_bytes(fx->m).size < model_features(fx->m) * 8 + model_features(fx->m) * 16 + 4096);
	assert_true(model_features(fx->m) > 100);
}

static void refuses(struct fx *fx, const void *data, size_t size, int err, const char *word)
{
	struct model *m = NULL;
	FILE *out = fopen(fx->train, "w");
	assert_int_equal(fwrite(data, 1, size, out), size);
	fclose(out);
	memset(&fx->fault, 0, sizeof(fx->fault));
	assert_int_equal(model_open(&m, fx->train, &fx->fault), err);
	assert_null(m);
	assert_non_null(strstr(fx->fault.text, word));
	assert_non_null(strstr(fx->fault.text, fx->train));
}

static void a_cut_altered_or_foreign_file_is_refused_with_the_reason(void **state)
{
	struct fx *fx = *state;
	struct hy_bytes good = model_bytes(fx->m);
	uint8_t *bad = malloc(good.size + 1);
	memcpy(bad, good.data, good.size);
	refuses(fx, bad, good.size - 1, HY_DAMAGED, "cut");
	refuses(fx, bad, good.size / 2, HY_DAMAGED, "cut");
	refuses(fx, bad, 20, HY_BAD_INPUT, "not a Huiyin model");
	refuses(fx, "", 0, HY_BAD_INPUT, "not a Huiyin model");
	refuses(fx, "{\"text\":\"hello\"}\n", 17, HY_BAD_INPUT, "not a Huiyin model");
	bad[good.size] = 0;
	refuses(fx, bad, good.size + 1, HY_DAMAGED, "cut");
	bad[8] = 9; /* the format's number */
	refuses(fx, bad, good.size, HY_NEWER, "format 9");
	bad[8] = 0;
	refuses(fx, bad, good.size, HY_BAD_INPUT, "train it again");
	bad[8] = good.data[8];
	bad[12] = 77; /* the number of the text rules */
	refuses(fx, bad, good.size, HY_NEWER, "text rules 77");
	free(bad);
	assert_int_equal(model_open(&(struct model *){ NULL }, "/nonexistent/huiyin.model", &fx->fault), HY_NOT_FOUND);
	make_rows(fx->train, 0, 24);
}

static void no_flipped_byte_goes_unnoticed(void **state)
{
	struct fx *fx = *state;
	struct hy_bytes good = model_bytes(fx->m);
	uint8_t *bad = malloc(good.size);
	memcpy(bad, good.data, good.size);
	for (size_t at = 0; at < good.size; at += at < 512 ? 1 : 257) {
		struct model *m = NULL;
		bad[at] ^= 0x40;
		assert_int_not_equal(model_open_bytes(&m, hy_bytes(bad, good.size), &fx->fault), HY_OK);
		assert_null(m);
		bad[at] ^= 0x40;
	}
	free(bad);
}

static void the_evidence_is_the_words_that_decided(void **state)
{
	struct fx *fx = *state;
	struct model_span span[3];
	const char *text = "昨天买的新手机，一点就闪退。";
	struct model_verdict v = verdict(fx, text);
	size_t n = model_evidence(fx->m, 0, v.label, v.second, fx->text, fx->hits, span, 3);
	assert_true(n >= 1);
	for (size_t i = 0; i < n; i++) {
		assert_true(span[i].begin < span[i].end);
		assert_true(span[i].end <= 14);
	}
	assert_true(span[0].begin >= 10 && span[0].end <= 13); /* 就闪退 */
	v = verdict(fx, "Hello,  the INVOICE was strange");
	n = model_evidence(fx->m, 0, v.label, v.second, fx->text, fx->hits, span, 3);
	assert_true(n >= 1);
	assert_int_equal(span[0].begin, 12); /* of the original, both blanks counted */
	assert_int_equal(span[0].end, 19);
}

static void evidence_stays_inside_whatever_the_text_is(void **state)
{
	struct fx *fx = *state;
	static const char *const texts[] = { "", " ", "!", "\xff\xfe闪退", "１２３闪退！！！", "e\xCC\x81闪退",
		"👍🏽闪退👍🏽", "   闪退   " };
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		struct model_span span[3];
		struct model_verdict v = verdict(fx, texts[i]);
		size_t n = model_evidence(fx->m, 0, v.label, -1, fx->text, fx->hits, span, 3);
		for (size_t k = 0; k < n; k++)
			assert_true(span[k].begin < span[k].end && span[k].end <= fx->text->points);
	}
}

static void compressed_rows_read_like_plain_ones(void **state)
{
	struct fx *fx = *state;
	struct eval plain = { 0 }, packed = { 0 };
	void *a[] = { fx, &plain }, *b[] = { fx, &packed };
	char path[300], line[4096];
	snprintf(path, sizeof(path), "%s/dev.jsonl.gz", fx->dir);
	gzFile out = gzopen(path, "wb");
	FILE *in = fopen(fx->dev, "r");
	while (fgets(line, sizeof(line), in))
		gzputs(out, line);
	fclose(in);
	gzclose(out);
	assert_int_equal(rows_read(fx->dev, count_right, a, &fx->fault), HY_OK);
	assert_int_equal(rows_read(path, count_right, b, &fx->fault), HY_OK);
	assert_memory_equal(&plain, &packed, sizeof(plain));
	assert_int_equal(truncate(path, 60), 0);
	assert_int_equal(rows_read(path, count_right, b, &fx->fault), HY_BAD_INPUT);
	assert_non_null(strstr(fx->fault.text, "dev.jsonl.gz"));
}

static void a_broken_row_is_named_by_file_and_line(void **state)
{
	struct fx *fx = *state;
	struct eval e = { 0 };
	void *arg[] = { fx, &e };
	char path[300];
	snprintf(path, sizeof(path), "%s/broken.jsonl", fx->dir);
	FILE *out = fopen(path, "w");
	fputs("{\"text\":\"fine\",\"label\":\"app\"}\n\n{\"text\":\"cut", out);
	fclose(out);
	assert_int_equal(rows_read(path, count_right, arg, &fx->fault), HY_BAD_INPUT);
	assert_non_null(strstr(fx->fault.text, "broken.jsonl:3:"));
	assert_int_equal(rows_read("/nonexistent", count_right, arg, &fx->fault), HY_NOT_FOUND);
}

static void one_label_alone_teaches_nothing(void **state)
{
	struct fx *fx = *state;
	struct hy_buffer file = { 0 };
	char path[300];
	snprintf(path, sizeof(path), "%s/one.jsonl", fx->dir);
	FILE *out = fopen(path, "w");
	fputs("{\"text\":\"a b c\",\"label\":\"app\"}\n{\"text\":\"a b d\",\"label\":\"app\"}\n", out);
	fclose(out);
	const char *files[] = { path };
	size_t rows;
	int labels;
	assert_int_equal(set_train(&(struct set_options){ .task = "t", .files = files, .file_count = 1 }, &file, &rows,
				 &labels, &fx->fault),
		HY_BAD_INPUT);
	assert_non_null(strstr(fx->fault.text, "two labels"));
	hy_buffer_free(&file);
}

static void without_dev_rows_confidence_comes_from_rows_held_out(void **state)
{
	struct fx *fx = *state;
	struct hy_buffer file = { 0 };
	struct model *m;
	const char *files[] = { fx->train };
	size_t rows;
	int labels;
	assert_int_equal(set_train(&(struct set_options){ .task = "t", .files = files, .file_count = 1 }, &file, &rows,
				 &labels, &fx->fault),
		HY_OK);
	assert_int_equal(rows, 144);
	assert_int_equal(labels, 3);
	assert_int_equal(model_open_bytes(&m, hy_buffer_view(&file), &fx->fault), HY_OK);
	model_close(&m);
	hy_buffer_free(&file);
}

static void the_tool_trains_evaluates_and_says_how_to_use_it(void **state)
{
	struct fx *fx = *state;
	char out[300];
	snprintf(out, sizeof(out), "%s/tool.model", fx->dir);
	char *train[] = { "huiyin-classifier", "--tool", "train", "--data", fx->train, "--dev", fx->dev, "--task",
		"department", "--out", out, "--json", NULL };
	assert_int_equal(classifier_tool(12, train), 0);
	char *eval[] = { "huiyin-classifier", "--tool", "eval", "--model", out, "--json", fx->dev, NULL };
	assert_int_equal(classifier_tool(7, eval), 0);
	char *missing[] = { "huiyin-classifier", "--tool", "eval", "--model", "/nonexistent", fx->dev, NULL };
	assert_int_not_equal(classifier_tool(6, missing), 0);
	char *unknown[] = { "huiyin-classifier", "--tool", "guess", NULL };
	assert_int_equal(classifier_tool(3, unknown), 64);
	char *incomplete[] = { "huiyin-classifier", "--tool", "train", NULL };
	assert_int_equal(classifier_tool(3, incomplete), 64);
}

static void scores_are_counted_as_everyone_counts_them(void **state)
{
	struct eval e = { 0 };
	(void)state;
	eval_add(&e, 0, 0, 0.9);
	eval_add(&e, 0, 1, 0.6);
	eval_add(&e, 1, 1, 0.9);
	eval_add(&e, 1, 1, 0.9);
	assert_float_equal(eval_accuracy(&e), 0.75, 1e-9);
	assert_float_equal(eval_f1(&e, 0), 2.0 / 3, 1e-9);
	assert_float_equal(eval_f1(&e, 1), 0.8, 1e-9);
	assert_float_equal(eval_macro_f1(&e), (2.0 / 3 + 0.8) / 2, 1e-9);
	assert_float_equal(eval_ece(&e), (0.6 + 0.3) / 4, 1e-9);
}

/* $HUIYIN_DATA, or shared/data beside the source tree; without it these checks are skipped. */
static bool data_file(const char *set, const char *name, char *out, size_t room)
{
	const char *dir = getenv("HUIYIN_DATA");
	snprintf(out, room, "%s/%s/%s", dir ? dir : HY_SOURCE_DIR "/../shared/data", set, name);
	return access(out, R_OK) == 0;
}

static void public_sets_are_learned_as_well_as_the_card_says(void **state)
{
	static const struct {
		const char *set;
		double accuracy;
	} sets[] = { { "zh_waimai", 0.89 }, { "en_complaint", 0.84 }, { "zh_sarcasm", 0.66 } };
	struct fx *fx = *state;
	for (size_t i = 0; i < sizeof(sets) / sizeof(*sets); i++) {
		struct hy_buffer file = { 0 };
		struct eval e = { 0 };
		struct model *own = fx->m;
		void *arg[] = { fx, &e };
		char train[4096], dev[4096];
		size_t rows;
		int labels;
		if (!data_file(sets[i].set, "train.jsonl", train, sizeof(train)) ||
			!data_file(sets[i].set, "dev.jsonl", dev, sizeof(dev))) {
			print_message("skipped: %s is not here (set HUIYIN_DATA)\n", train);
			skip();
		}
		const char *files[] = { train };
		const struct set_options o = { .task = sets[i].set, .files = files, .file_count = 1 };
		assert_int_equal(set_train(&o, &file, &rows, &labels, &fx->fault), HY_OK);
		assert_int_equal(model_open_bytes(&fx->m, hy_buffer_view(&file), &fx->fault), HY_OK);
		assert_int_equal(rows_read(dev, count_right, arg, &fx->fault), HY_OK);
		model_close(&fx->m);
		fx->m = own;
		hy_buffer_free(&file);
		print_message("%s: accuracy %.4f of %u, macro-F1 %.4f\n", sets[i].set, eval_accuracy(&e), e.rows,
			eval_macro_f1(&e));
		assert_true(eval_accuracy(&e) >= sets[i].accuracy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_own_label_set_is_learned_and_told_apart),
		cmocka_unit_test(unseen_rows_of_the_same_kind_are_judged_right),
		cmocka_unit_test(the_same_rows_make_the_same_file),
		cmocka_unit_test(the_same_text_has_the_same_result),
		cmocka_unit_test(weights_take_one_byte_each),
		cmocka_unit_test(a_cut_altered_or_foreign_file_is_refused_with_the_reason),
		cmocka_unit_test(no_flipped_byte_goes_unnoticed),
		cmocka_unit_test(the_evidence_is_the_words_that_decided),
		cmocka_unit_test(evidence_stays_inside_whatever_the_text_is),
		cmocka_unit_test(compressed_rows_read_like_plain_ones),
		cmocka_unit_test(a_broken_row_is_named_by_file_and_line),
		cmocka_unit_test(one_label_alone_teaches_nothing),
		cmocka_unit_test(without_dev_rows_confidence_comes_from_rows_held_out),
		cmocka_unit_test(the_tool_trains_evaluates_and_says_how_to_use_it),
		cmocka_unit_test(scores_are_counted_as_everyone_counts_them),
		cmocka_unit_test(public_sets_are_learned_as_well_as_the_card_says),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
