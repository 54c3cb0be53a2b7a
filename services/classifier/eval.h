/* How good: counts what was meant against what was said, and how honest the confidence was. */
#ifndef CLASSIFIER_EVAL_H
#define CLASSIFIER_EVAL_H

#include <stdbool.h>
#include <stdint.h>
#include <stddef.h>

#define EVAL_LABELS_MAX 257
#define EVAL_BINS 10

struct eval {
	uint32_t gold[EVAL_LABELS_MAX], said[EVAL_LABELS_MAX], right[EVAL_LABELS_MAX];
	struct {
		uint32_t rows, right;
		double confidence;
	} bin[EVAL_BINS]; /* by confidence */
	uint32_t rows, hits;
};

void eval_add(struct eval *e, int gold, int said, double confidence);
double eval_accuracy(const struct eval *e);
double eval_f1(const struct eval *e, int label);
double eval_macro_f1(const struct eval *e); /* over the labels that occur in gold */
/* Expected calibration error: how far confidence is from the share that was right, over ten bins by confidence. */
double eval_ece(const struct eval *e);

#endif
