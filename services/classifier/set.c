#include "set.h"

#include <stdio.h>

#include "rows.h"
#include "train.h"

enum { HOLD_OUT = 10 };

struct gathering {
	struct corpus *corpus;
	struct lesson *lesson;
	struct text *text;
	bool add_labels;
	int source;
};

static int on_row(void *arg, const struct row *row, struct hy_fault *f)
{
	struct gathering *g = arg;
	if (!*row->label)
		return HY_OK;
	int label = lesson_label(g->lesson, row->label, g->add_labels);
	if (label < 0 && g->add_labels)
		return hy_fail(f, HY_TOO_LARGE,
			"line %zu: label \"%.60s\": a task has at most %d labels of at most %d bytes", row->line,
			row->label, MODEL_LABELS_MAX, MODEL_NAME_MAX - 1);
	if (label < 0)
		return HY_OK; /* only the dev rows know it: nothing to measure */
	lesson_add(g->lesson, (struct lesson_doc){ .doc = corpus_add(g->corpus, g->text, row->text),
				      .label = (uint16_t)label,
				      .source = (uint16_t)g->source,
				      .weight = 1 });
	return HY_OK;
}

/* Learns without every tenth row, and tunes on those: the figures of confidence then come from unseen texts. */
static int tune_on_held_out(
	const struct corpus *corpus, const struct lesson *all, struct hy_buffer *tuned, struct hy_fault *f)
{
	struct lesson learn = *all, held = *all;
	struct fit fit = { 0 };
	learn.doc = held.doc = NULL;
	learn.docs = learn.room = held.docs = held.room = 0;
	for (size_t i = 0; i < all->docs; i++)
		lesson_add(i % HOLD_OUT == 0 ? &held : &learn, all->doc[i]);
	int err = train_fit(corpus, &learn, &fit, f);
	if (err == HY_OK)
		err = train_build(&learn, &fit, 1, tuned, f);
	if (err == HY_OK)
		err = train_tune(tuned, corpus, &held, 1, f);
	fit_free(&fit);
	learn.label = held.label = NULL; /* they belong to `all` */
	lesson_free(&learn);
	lesson_free(&held);
	return err;
}

static int tune_like(struct hy_buffer *file, const struct hy_buffer *tuned, struct hy_fault *f)
{
	struct model *m = NULL;
	int err = model_open_bytes(&m, hy_buffer_view(tuned), f);
	if (err == HY_OK) {
		model_tune_like(file, m);
		model_close(&m);
	}
	return err;
}

int set_train(const struct set_options *o, struct hy_buffer *file, size_t *rows, int *labels, struct hy_fault *f)
{
	struct corpus corpus = { 0 }, dev = { 0 };
	struct lesson lesson = { .kind = MODEL_CLASSES, .features = o->features },
		      dev_lesson = { .kind = MODEL_CLASSES };
	struct gathering g = { &corpus, &lesson, text_new(), true, 0 };
	struct hy_buffer tuned = { 0 };
	struct fit fit = { 0 };
	int err = HY_OK;
	if ((size_t)snprintf(lesson.name, sizeof(lesson.name), "%s", o->task) >= sizeof(lesson.name))
		err = hy_fail(f, HY_TOO_LARGE, "the name of a task has at most %d bytes", MODEL_NAME_MAX - 1);
	for (size_t i = 0; i < o->file_count && err == HY_OK; i++) {
		struct hy_fault why = { 0 };
		err = rows_read(o->files[i], on_row, &g, &why);
		if (err)
			err = hy_fail(f, err, "%s", why.text);
	}
	if (err == HY_OK) {
		lesson_sort_labels(&lesson);
		err = train_fit(&corpus, &lesson, &fit, f);
	}
	if (err == HY_OK)
		err = train_build(&lesson, &fit, 1, file, f);
	if (err == HY_OK && o->dev) {
		for (int i = 0; i < lesson.labels; i++)
			lesson_label(&dev_lesson, lesson.label[i], true);
		g = (struct gathering){ &dev, &dev_lesson, g.text, false, 0 };
		err = rows_read(o->dev, on_row, &g, f);
		if (err == HY_OK)
			err = train_tune(file, &dev, &dev_lesson, 1, f);
	} else if (err == HY_OK && lesson.docs >= HOLD_OUT * 5) {
		/* A class with one row only may be held out whole: then the usual figures stay. */
		struct hy_fault ignored;
		if (tune_on_held_out(&corpus, &lesson, &tuned, &ignored) == HY_OK)
			err = tune_like(file, &tuned, f);
	}
	*rows = lesson.docs;
	*labels = lesson.labels;
	fit_free(&fit);
	hy_buffer_free(&tuned);
	text_free(&g.text);
	lesson_free(&lesson);
	lesson_free(&dev_lesson);
	corpus_free(&corpus);
	corpus_free(&dev);
	return err;
}
