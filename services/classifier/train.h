/* Learning: texts with labels in, a model file out.
 * train_fit() makes one lesson's weights (naive-Bayes-scaled linear SVM, one against the rest, solved by liblinear); train_build() puts
 * several fits into one file; train_tune() measures that file on documents it was not trained on, and sets confidence and the
 * neutral band. Same input, same file: nothing here depends on time or chance. */
#ifndef CLASSIFIER_TRAIN_H
#define CLASSIFIER_TRAIN_H

#include "corpus.h"

struct fit {
	uint32_t *hash, *df;
	float *weight; /* [feature * outputs + output], the view's weight folded in */
	uint32_t *keep; /* the features worth keeping, by number, best first */
	float bias[MODEL_OUTPUTS_MAX];
	size_t features, kept;
	int outputs;
};

int train_fit(const struct corpus *c, const struct lesson *l, struct fit *out, struct hy_fault *f);
void fit_free(struct fit *fit);
int train_build(
	const struct lesson *lessons, const struct fit *fits, int count, struct hy_buffer *file, struct hy_fault *f);
/* `lessons` hold documents of `dev` with labels numbered as in the file. A lesson without documents keeps its defaults. */
int train_tune(
	struct hy_buffer *file, const struct corpus *dev, const struct lesson *lessons, int count, struct hy_fault *f);

#endif
