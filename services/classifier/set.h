/* An own label set: a model with one task, learned from the `label` of JSONL rows. */
#ifndef CLASSIFIER_SET_H
#define CLASSIFIER_SET_H

#include "base/bytes.h"
#include "base/err.h"

struct set_options {
	const char *task;
	const char *const *files; /* to learn from */
	size_t file_count;
	const char *dev; /* to tune confidence on; NULL: every tenth row is held out for that, then learned too */
	uint32_t features; /* 0 = 32,768 */
};

/* Rows without a label are skipped; `rows` and `labels` say what was learned. */
int set_train(const struct set_options *o, struct hy_buffer *file, size_t *rows, int *labels, struct hy_fault *f);

#endif
