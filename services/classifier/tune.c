#include "train.h"

#include <math.h>
#include <stdlib.h>

struct guess {
	float polarity, neutral; /* MODEL_POLARITY */
	uint16_t label, source;
};

/* P(right) = 1 / (1 + exp(-(a * margin + b))), by Newton's method with a little pull towards zero, so that a handful of
 * documents that are all right does not claim certainty. */
static void fit_logistic(const float *margin, const uint8_t *right, size_t n, float out[2])
{
	double a = 1, b = 0, pull = 0.5;
	for (int round = 0; round < 50; round++) {
		double ga = pull * (a - 1), gb = pull * b, haa = pull, hab = 0, hbb = pull;
		for (size_t i = 0; i < n; i++) {
			double p = 1 / (1 + exp(-(a * margin[i] + b))), e = p - right[i], s = p * (1 - p);
			ga += e * margin[i];
			gb += e;
			haa += s * margin[i] * margin[i];
			hab += s * margin[i];
			hbb += s;
		}
		double det = haa * hbb - hab * hab;
		if (det < 1e-9)
			break;
		double da = (hbb * ga - hab * gb) / det, db = (haa * gb - hab * ga) / det;
		double step = fabs(da) + fabs(db) > 2 ? 2 / (fabs(da) + fabs(db)) : 1;
		a -= step * da;
		b -= step * db;
		if (fabs(da) + fabs(db) < 1e-6)
			break;
	}
	out[0] = a > 0 ? (float)a : 0.01f; /* a wider margin never means less */
	out[1] = (float)b;
}

/* Mean over the sources of the share that is right, so that a large source does not decide for all. */
static double band_value(const struct guess *g, size_t n, float base, float slope)
{
	uint32_t right[LESSON_SOURCES_MAX] = { 0 }, all[LESSON_SOURCES_MAX] = { 0 };
	for (size_t i = 0; i < n; i++) {
		int label = g[i].neutral > base + slope * fabsf(g[i].polarity) ? 1 : g[i].polarity > 0 ? 2 : 0;
		right[g[i].source] += label == g[i].label;
		all[g[i].source]++;
	}
	double sum = 0;
	int sources = 0;
	for (int k = 0; k < LESSON_SOURCES_MAX; k++)
		if (all[k]) {
			sum += (double)right[k] / all[k];
			sources++;
		}
	return sources ? sum / sources : 0;
}

static void find_band(const struct guess *g, size_t n, float band[2])
{
	double best = -1;
	for (int s = -4; s <= 12; s++)
		for (int b = -30; b <= 30; b++) {
			double value = band_value(g, n, (float)b * 0.05f, (float)s * 0.125f);
			if (value > best + 1e-9) {
				best = value;
				band[0] = (float)b * 0.05f;
				band[1] = (float)s * 0.125f;
			}
		}
}

static void score_doc(const struct model *m, const struct corpus *dev, uint32_t doc, struct text *t,
	struct model_hits *hits, struct model_scores *s)
{
	corpus_text(dev, doc, t);
	model_match(m, t, hits);
	model_score(m, hits, s);
}

/* The neutral band first: the margins that confidence is read from depend on it. */
static void tune_band(const struct model *m, int task, const struct corpus *dev, const struct lesson *l, struct text *t,
	struct model_hits *hits, float band[2], float *scale)
{
	struct guess *g = calloc(l->docs, sizeof(*g));
	float *margin = calloc(l->docs, sizeof(*margin)), c[2];
	uint8_t *right = calloc(l->docs, 1);
	if (!g || !margin || !right)
		hy_panic("no memory to tune on %zu documents", l->docs);
	size_t poles = 0;
	int first = model_first_output(m, task);
	for (size_t i = 0; i < l->docs; i++) {
		struct model_scores s;
		score_doc(m, dev, l->doc[i].doc, t, hits, &s);
		g[i] = (struct guess){ s.output[first], s.output[first + 1], l->doc[i].label, l->doc[i].source };
		if (l->doc[i].label == 1)
			continue;
		margin[poles] = fabsf(g[i].polarity);
		right[poles++] = (g[i].polarity > 0) == (l->doc[i].label == 2);
	}
	find_band(g, l->docs, band);
	fit_logistic(margin, right, poles, c);
	*scale = c[0] / 2;
	free(g);
	free(margin);
	free(right);
}

static void tune_task(struct hy_buffer *file, int task, const struct corpus *dev, const struct lesson *l,
	struct text *t, struct model_hits *hits)
{
	struct model *m;
	struct hy_fault f;
	float calibration[2] = { 2, 0 }, band[2] = { 0, 0 }, scale = 1;
	if (l->docs == 0)
		return;
	if (model_open_bytes(&m, hy_buffer_view(file), &f) != HY_OK)
		hy_panic("a model just built does not open: %s", f.text);
	if (l->kind == MODEL_POLARITY) {
		tune_band(m, task, dev, l, t, hits, band, &scale);
		model_tune(file, task, calibration, band, scale, 0);
		model_close(&m);
		if (model_open_bytes(&m, hy_buffer_view(file), &f) != HY_OK)
			hy_panic("a model just tuned does not open: %s", f.text);
	}
	float *margin = calloc(l->docs, sizeof(*margin));
	uint8_t *right = calloc(l->docs, 1);
	if (!margin || !right)
		hy_panic("no memory to tune on %zu documents", l->docs);
	for (size_t i = 0; i < l->docs; i++) {
		struct model_scores s;
		float label_scores[MODEL_LABELS_MAX];
		score_doc(m, dev, l->doc[i].doc, t, hits, &s);
		model_label_scores(m, task, &s, label_scores);
		struct model_verdict v = model_pick(m, task, label_scores);
		margin[i] = v.margin;
		right[i] = v.label == l->doc[i].label;
	}
	fit_logistic(margin, right, l->docs, calibration);
	float even = -calibration[1] / calibration[0]; /* where right and wrong are equally likely */
	model_tune(file, task, calibration, band, scale, even > 0 ? even : 0);
	free(margin);
	free(right);
	model_close(&m);
}

int train_tune(
	struct hy_buffer *file, const struct corpus *dev, const struct lesson *lessons, int count, struct hy_fault *f)
{
	struct text *t = text_new();
	struct model_hits *hits = malloc(sizeof(*hits));
	if (!hits) {
		text_free(&t);
		return hy_fail(f, HY_NO_MEMORY, "no memory to tune the model");
	}
	for (int i = 0; i < count; i++)
		tune_task(file, i, dev, &lessons[i], t, hits);
	free(hits);
	text_free(&t);
	return HY_OK;
}
