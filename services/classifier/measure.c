#include "measure.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "eval.h"
#include "json/json.h"
#include "judge.h"
#include "model.h"
#include "rows.h"
#include "taxonomy.h"

struct bench {
	const struct measure_options *options;
	struct taxonomy *taxonomy;
	struct model *model;
	struct judge *judge; /* NULL: the model alone */
	struct judge_scratch *scratch;
	struct hy_arena *arena;
	struct text *text;
	struct model_hits *hits;
	int task;
	char set[128];
	size_t known[MODEL_TASKS_MAX]; /* while looking for the task */
	struct eval eval, two_way;
	size_t skipped;
	uint64_t ns;
};

static const char *gold_of(const struct bench *b, const struct row *row, const char *task)
{
	const char *own = strcmp(task, "sentiment") == 0 ? row->sentiment
			  : strcmp(task, "type") == 0    ? row->type
			  : strcmp(task, "topic") == 0   ? row->topic
							 : "";
	if (*own)
		return own;
	return b->taxonomy ? taxonomy_get(b->taxonomy, b->set, row->label, task) : row->label;
}

static int count_row(void *arg, const struct row *row, struct hy_fault *f)
{
	struct bench *b = arg;
	(void)f;
	for (int i = 0; i < model_tasks(b->model); i++)
		b->known[i] += model_label_find(b->model, i, gold_of(b, row, model_task_name(b->model, i))) >= 0;
	return HY_OK;
}

struct answer {
	int label;
	double confidence, polarity;
};

static struct answer ask_judge(struct bench *b, struct hy_bytes text)
{
	Huiyin__Classification c;
	judge_text(b->judge, b->scratch, &(struct judge_input){ .text = text }, &c, b->arena);
	const char *task = model_task_name(b->model, b->task);
	const Huiyin__Label *l = strcmp(task, "sentiment") == 0 ? c.sentiment
				 : strcmp(task, "type") == 0    ? c.type
								: c.topic;
	struct answer a = { model_label_find(b->model, b->task, l->name), (double)l->confidence, c.polarity };
	hy_arena_reset(b->arena);
	return a;
}

static struct answer ask_model(struct bench *b, struct hy_bytes text)
{
	struct model_scores s;
	float score[MODEL_LABELS_MAX];
	text_read(b->text, text);
	text_grams(b->text);
	model_match(b->model, b->text, b->hits);
	model_score(b->model, b->hits, &s);
	model_label_scores(b->model, b->task, &s, score);
	struct model_verdict v = model_pick(b->model, b->task, score);
	return (struct answer){ v.label, (double)v.confidence, (double)model_polarity(b->model, b->task, &s) };
}

static int judge_row(void *arg, const struct row *row, struct hy_fault *f)
{
	struct bench *b = arg;
	(void)f;
	int gold = model_label_find(b->model, b->task, gold_of(b, row, model_task_name(b->model, b->task)));
	if (gold < 0) {
		b->skipped++;
		return HY_OK;
	}
	uint64_t begin = hy_mono_ns();
	struct answer a = b->judge ? ask_judge(b, row->text) : ask_model(b, row->text);
	b->ns += hy_mono_ns() - begin;
	eval_add(&b->eval, gold, a.label, a.confidence);
	if (model_task_kind(b->model, b->task) == MODEL_POLARITY && gold != 1)
		eval_add(&b->two_way, gold, a.polarity > 0 ? 2 : 0, a.confidence);
	return HY_OK;
}

static int each_file(
	struct bench *b, int (*each)(void *arg, const struct row *row, struct hy_fault *f), struct hy_fault *f)
{
	int err = HY_OK;
	for (size_t i = 0; i < b->options->file_count && err == HY_OK; i++) {
		taxonomy_set_of(b->options->files[i], b->set, sizeof(b->set));
		err = rows_read(b->options->files[i], each, b, f);
	}
	return err;
}

static int choose_task(struct bench *b, struct hy_fault *f)
{
	const char *name = b->options->task;
	if (name) {
		b->task = model_task(b->model, name);
		return b->task >= 0 ? HY_OK : hy_fail(f, HY_USAGE, "the model has no task %s", name);
	}
	int err = model_tasks(b->model) > 1 ? each_file(b, count_row, f) : HY_OK;
	for (int i = 1; i < model_tasks(b->model); i++)
		if (b->known[i] > b->known[b->task])
			b->task = i;
	return err;
}

static int report(struct bench *b, struct hy_buffer *out)
{
	const struct eval *e = &b->eval;
	double speed = b->ns ? (double)e->rows * 1e9 / (double)b->ns : 0;
	if (!b->options->json) {
		hy_buffer_printf(out, "model %s, task %s: %u rows%s\n", model_version(b->model),
			model_task_name(b->model, b->task), e->rows, b->judge ? ", model and lexicon" : "");
		hy_buffer_printf(out, "accuracy %.4f  macro-F1 %.4f  calibration error %.4f  %.0f texts a second\n",
			eval_accuracy(e), eval_macro_f1(e), eval_ece(e), speed);
		if (b->two_way.rows)
			hy_buffer_printf(out, "positive or negative alone: accuracy %.4f of %u\n",
				eval_accuracy(&b->two_way), b->two_way.rows);
		if (b->skipped)
			hy_buffer_printf(out, "%zu rows skipped: the task does not know their label\n", b->skipped);
		for (int i = 0; i < model_labels(b->model, b->task); i++)
			if (e->gold[i] || e->said[i])
				hy_buffer_printf(out, "  %-32s %6u rows  precision %.3f  recall %.3f  F1 %.3f\n",
					model_label(b->model, b->task, i), e->gold[i],
					e->said[i] ? (double)e->right[i] / e->said[i] : 0,
					e->gold[i] ? (double)e->right[i] / e->gold[i] : 0, eval_f1(e, i));
		return HY_OK;
	}
	json_t *labels = json_array();
	for (int i = 0; i < model_labels(b->model, b->task); i++)
		if (e->gold[i] || e->said[i])
			json_array_append_new(
				labels, json_pack("{sssisisisf}", "name", model_label(b->model, b->task, i), "rows",
						(int)e->gold[i], "said", (int)e->said[i], "right", (int)e->right[i],
						"f1", eval_f1(e, i)));
	json_t *root = json_pack("{sssssisisfsfsfsfso}", "model", model_version(b->model), "task",
		model_task_name(b->model, b->task), "rows", (int)e->rows, "skipped", (int)b->skipped, "accuracy",
		eval_accuracy(e), "macro_f1", eval_macro_f1(e), "ece", eval_ece(e), "docs_per_second", speed, "labels",
		labels);
	if (b->two_way.rows)
		json_object_set_new(root, "two_way_accuracy", json_real(eval_accuracy(&b->two_way)));
	char *text = json_dumps(root, JSON_COMPACT | JSON_REAL_PRECISION(6));
	json_decref(root);
	if (!text)
		return HY_NO_MEMORY;
	hy_buffer_text(out, text);
	hy_buffer_text(out, "\n");
	free(text);
	return HY_OK;
}

int measure(const struct measure_options *o, struct hy_buffer *out, struct hy_fault *f)
{
	char path[4096];
	struct bench *b = calloc(1, sizeof(*b));
	if (!b)
		hy_panic("no memory to measure");
	b->options = o;
	if (o->model)
		snprintf(path, sizeof(path), "%s", o->model);
	else
		judge_model_path(path, sizeof(path));
	b->text = text_new();
	b->hits = calloc(1, sizeof(*b->hits));
	b->arena = hy_arena_new(0);
	b->scratch = judge_scratch_new();
	int err = b->hits ? model_open(&b->model, path, f) : hy_fail(f, HY_NO_MEMORY, "no memory to measure");
	if (err == HY_OK && o->taxonomy)
		err = taxonomy_open(&b->taxonomy, o->taxonomy, f);
	if (err == HY_OK && !o->model_only) {
		struct hy_fault other_kind; /* an own label set: then the model alone is what there is */
		if (judge_open(&b->judge, path, &other_kind) != HY_OK)
			b->judge = NULL;
	}
	if (err == HY_OK)
		err = choose_task(b, f);
	if (err == HY_OK)
		err = each_file(b, judge_row, f);
	if (err == HY_OK && b->eval.rows == 0)
		err = hy_fail(f, HY_BAD_INPUT, "no row has a label that the task %s of this model knows",
			model_task_name(b->model, b->task));
	if (err == HY_OK)
		err = report(b, out);
	judge_close(&b->judge);
	judge_scratch_free(&b->scratch);
	hy_arena_free(&b->arena);
	model_close(&b->model);
	taxonomy_close(&b->taxonomy);
	text_free(&b->text);
	free(b->hits);
	free(b);
	return err;
}
