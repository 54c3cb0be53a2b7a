/* The verb eval: a model, or the whole judge, against labelled rows: accuracy, macro-F1, calibration error, texts a second. */
#ifndef CLASSIFIER_MEASURE_H
#define CLASSIFIER_MEASURE_H

#include "base/bytes.h"
#include "base/err.h"

struct measure_options {
	const char *model; /* NULL = the installed one */
	const char *task; /* NULL = the one whose labels the rows use */
	const char *taxonomy; /* NULL = labels mean themselves */
	const char *const *files;
	size_t file_count;
	bool model_only; /* without the lexicon, where the model is one that the judge can use */
	bool json;
};

/* Appends the report to `out`. Rows whose label the task does not know are skipped and counted. */
int measure(const struct measure_options *o, struct hy_buffer *out, struct hy_fault *f);

#endif
