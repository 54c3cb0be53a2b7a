/* The trained model: one file, mapped read-only, shared by every task and both languages.
 * A file holds tasks (sentiment, type, topic; or one own label set), each with labels and outputs, and ONE table from n-gram
 * hash to a row of int8 weights, one column an output, one scale a column. Judging a text is a walk over its n-grams
 * adding rows; the sums are integers, so the same text gives the same result on every machine.
 * model_open() refuses a file that is cut, altered, of another format or made by another text.c, and says which. An open
 * model is constant: any number of threads may use it, each with its own struct text and struct model_hits.
 * train.h makes such files, judge.h turns their scores into a Classification. */
#ifndef CLASSIFIER_MODEL_H
#define CLASSIFIER_MODEL_H

#include "base/bytes.h"
#include "base/err.h"
#include "text.h"

#define MODEL_FORMAT 1
#define MODEL_TASKS_MAX 16
#define MODEL_OUTPUTS_MAX 256
#define MODEL_LABELS_MAX 256 /* of one task */
#define MODEL_NAME_MAX 64 /* of a task or label, with its NUL */
#define MODEL_FILE_MAX ((size_t)64 << 20)

enum model_kind {
	MODEL_CLASSES = 1, /* one output a label; with two labels one output, above zero = the first */
	MODEL_POLARITY, /* labels negative, neutral, positive from two outputs: polarity, and how neutral it sounds */
};

struct model;

int model_open(struct model **out, const char *path, struct hy_fault *f);
/* The same from memory: takes a copy. For training, which tries what it made before it writes it. */
int model_open_bytes(struct model **out, struct hy_bytes file, struct hy_fault *f);
void model_close(struct model **m);

const char *model_version(const struct model *m); /* "1-3f2a9c41": format and checksum; lives as long as the model */
struct hy_bytes model_bytes(const struct model *m);
size_t model_features(const struct model *m);
int model_tasks(const struct model *m);
int model_task(const struct model *m, const char *name); /* -1 when there is none */
const char *model_task_name(const struct model *m, int task);
enum model_kind model_task_kind(const struct model *m, int task);
int model_first_output(const struct model *m, int task);
int model_labels(const struct model *m, int task);
const char *model_label(const struct model *m, int task, int label);
int model_label_find(const struct model *m, int task, const char *name); /* -1 */
float model_unsure_margin(const struct model *m, int task); /* below it a verdict should not be trusted alone */

/* The n-grams of one text that the table knows. */
struct model_hits {
	uint32_t count, grams; /* hits; n-grams of the text in all */
	struct {
		uint32_t gram, row;
	} hit[TEXT_GRAMS_MAX];
};

/* After text_grams(). */
void model_match(const struct model *m, const struct text *t, struct model_hits *hits);

struct model_scores {
	float output[MODEL_OUTPUTS_MAX];
};
void model_score(const struct model *m, const struct model_hits *hits, struct model_scores *out);

/* One comparable score a label: the highest wins. What rules add goes on top before model_pick(). */
void model_label_scores(
	const struct model *m, int task, const struct model_scores *s, float out[static MODEL_LABELS_MAX]);

struct model_verdict {
	int label, second; /* second = -1 when there is only one */
	float margin; /* >= 0: how far the second is behind */
	float confidence; /* 0..1: share of such margins that were right on the dev parts */
};
struct model_verdict model_pick(const struct model *m, int task, const float *label_scores);
float model_polarity(
	const struct model *m, int task, const struct model_scores *s); /* -1..1; 0 for another kind of task */

struct model_span {
	uint32_t begin, end; /* code points of the original, [begin, end) */
	float weight;
};
/* The words that spoke most for `label` against `other` (-1: against the rest), heaviest first; returns how many, at most `room`. */
size_t model_evidence(const struct model *m, int task, int label, int other, const struct text *t,
	const struct model_hits *hits, struct model_span *out, size_t room);

/* For train.c: what a file is made of. Weights are weights[feature * outputs + output]. */
struct model_task_spec {
	char name[MODEL_NAME_MAX];
	enum model_kind kind;
	int outputs, labels;
	const char *const *label;
	const float *bias; /* one an output */
	float calibration[2]; /* confidence = 1 / (1 + exp(-(c[0] * margin + c[1]))) */
	float band[2]; /* MODEL_POLARITY: neutral when neutral > band[0] + band[1] * |polarity| */
	float polarity_scale, unsure_margin;
};
int model_build(struct hy_buffer *out, const struct model_task_spec *tasks, int task_count, const uint32_t *keys,
	const float *weights, size_t features, struct hy_fault *f); /* keys ascending, each once */
/* Puts the measured numbers of a task into a built file and renews its checksum. */
void model_tune(struct hy_buffer *file, int task, const float calibration[2], const float band[2], float polarity_scale,
	float unsure_margin);
/* The same numbers as `like` has, which has the same tasks. */
void model_tune_like(struct hy_buffer *file, const struct model *like);
int model_write(const char *path, struct hy_bytes file, struct hy_fault *f); /* whole or not at all */

#endif
