#include "eval.h"

#include <math.h>

void eval_add(struct eval *e, int gold, int said, double confidence)
{
	e->rows++;
	e->gold[gold]++;
	e->said[said]++;
	e->right[gold] += gold == said;
	e->hits += gold == said;
	int bin = (int)(confidence * EVAL_BINS);
	bin = bin < 0 ? 0 : bin >= EVAL_BINS ? EVAL_BINS - 1 : bin;
	e->bin[bin].rows++;
	e->bin[bin].right += gold == said;
	e->bin[bin].confidence += confidence;
}

double eval_accuracy(const struct eval *e)
{
	return e->rows ? (double)e->hits / e->rows : 0;
}

double eval_f1(const struct eval *e, int label)
{
	uint32_t sum = e->gold[label] + e->said[label];
	return sum ? 2.0 * e->right[label] / sum : 0;
}

double eval_macro_f1(const struct eval *e)
{
	double sum = 0;
	int labels = 0;
	for (int i = 0; i < EVAL_LABELS_MAX; i++)
		if (e->gold[i]) {
			sum += eval_f1(e, i);
			labels++;
		}
	return labels ? sum / labels : 0;
}

double eval_ece(const struct eval *e)
{
	double sum = 0;
	for (int i = 0; i < EVAL_BINS; i++)
		sum += fabs(e->bin[i].confidence - e->bin[i].right);
	return e->rows ? sum / e->rows : 0;
}
