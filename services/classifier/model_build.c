#include "model_file.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static size_t put_section(struct hy_buffer *out, const void *data, size_t size)
{
	static const uint8_t zero[8];
	hy_buffer_put(out, zero, (8 - out->size % 8) % 8);
	size_t at = out->size;
	hy_buffer_put(out, data, size);
	return at;
}

static uint32_t log2_above(size_t n)
{
	uint32_t l = 0;
	while (((size_t)1 << l) < n)
		l++;
	return l;
}

static void put_keys(struct hy_buffer *out, struct head *h, const uint32_t *keys)
{
	h->filter_log2 = log2_above((size_t)h->features * 12 + 64);
	h->directory_log2 = log2_above(h->features / 2 + 2);
	size_t words = (size_t)1 << (h->filter_log2 - 6), buckets = (size_t)1 << h->directory_log2;
	uint64_t *filter = calloc(words, sizeof(*filter));
	uint32_t *directory = calloc(buckets + 1, sizeof(*directory));
	if (!filter || !directory)
		hy_panic("no memory for a table of %u keys", h->features);
	for (uint32_t i = 0; i < h->features; i++) {
		uint32_t bit = filter_bit(keys[i], h->filter_log2);
		filter[bit >> 6] |= (uint64_t)1 << (bit & 63);
		directory[(keys[i] >> (32 - h->directory_log2)) + 1]++;
	}
	for (size_t i = 0; i < buckets; i++)
		directory[i + 1] += directory[i];
	h->filter_at = put_section(out, filter, words * sizeof(*filter));
	h->directory_at = put_section(out, directory, (buckets + 1) * sizeof(*directory));
	h->keys_at = put_section(out, keys, h->features * sizeof(*keys));
	free(filter);
	free(directory);
}

static void put_rows(struct hy_buffer *out, struct head *h, struct output *outputs, const float *weights)
{
	for (uint32_t k = 0; k < h->outputs; k++) {
		float most = 0;
		for (size_t i = 0; i < h->features; i++)
			most = fmaxf(most, fabsf(weights[i * h->outputs + k]));
		outputs[k].scale = most > 0 ? most / 127 : 1;
	}
	h->rows_at = put_section(out, NULL, 0);
	for (size_t i = 0; i < h->features; i++) {
		int8_t row[MODEL_OUTPUTS_MAX] = { 0 };
		for (uint32_t k = 0; k < h->outputs; k++)
			row[k] = (int8_t)lrintf(weights[i * h->outputs + k] / outputs[k].scale);
		hy_buffer_put(out, row, h->stride);
	}
}

static void seal(struct hy_buffer *file)
{
	struct head *h = (void *)file->data;
	h->check = check_of(file->data, file->size);
}

int model_build(struct hy_buffer *out, const struct model_task_spec *tasks, int task_count, const uint32_t *keys,
	const float *weights, size_t features, struct hy_fault *f)
{
	struct head h = { .format = MODEL_FORMAT,
		.text = TEXT_VERSION,
		.tasks = (uint32_t)task_count,
		.features = (uint32_t)features };
	memcpy(h.magic, MODEL_MAGIC, sizeof(h.magic));
	struct task rows[MODEL_TASKS_MAX] = { 0 };
	struct output outputs[MODEL_OUTPUTS_MAX] = { 0 };
	struct hy_buffer labels = { 0 };
	if (task_count < 1 || task_count > MODEL_TASKS_MAX)
		return hy_fail(f, HY_BAD_INPUT, "a model has 1 to %d tasks", MODEL_TASKS_MAX);
	for (int i = 0; i < task_count; i++) {
		const struct model_task_spec *s = &tasks[i];
		if (s->labels < 2 || s->labels > MODEL_LABELS_MAX ||
			h.outputs + (uint32_t)s->outputs > MODEL_OUTPUTS_MAX) {
			hy_buffer_free(&labels);
			return hy_fail(f, HY_BAD_INPUT,
				"task %s: %d labels, %d outputs; a task has 2 to %d labels, a model at most %d outputs",
				s->name, s->labels, s->outputs, MODEL_LABELS_MAX, MODEL_OUTPUTS_MAX);
		}
		rows[i] = (struct task){ .kind = s->kind,
			.first_output = h.outputs,
			.outputs = (uint32_t)s->outputs,
			.first_label = h.labels,
			.labels = (uint32_t)s->labels,
			.polarity_scale = s->polarity_scale,
			.unsure_margin = s->unsure_margin };
		memcpy(rows[i].name, s->name, sizeof(s->name));
		memcpy(rows[i].calibration, s->calibration, sizeof(s->calibration));
		memcpy(rows[i].band, s->band, sizeof(s->band));
		for (int k = 0; k < s->outputs; k++)
			outputs[h.outputs++].bias = s->bias[k];
		for (int k = 0; k < s->labels; k++) {
			struct label l = { 0 };
			snprintf(l.name, sizeof(l.name), "%s", s->label[k]);
			hy_buffer_put(&labels, &l, sizeof(l));
			h.labels++;
		}
	}
	h.stride = (h.outputs + STRIDE_STEP - 1) / STRIDE_STEP * STRIDE_STEP;
	hy_buffer_clear(out);
	hy_buffer_put(out, &h, sizeof(h)); /* again below, when the places are known */
	h.tasks_at = put_section(out, rows, (size_t)task_count * sizeof(*rows));
	h.outputs_at = put_section(out, outputs, h.outputs * sizeof(*outputs));
	h.labels_at = put_section(out, labels.data, labels.size);
	put_keys(out, &h, keys);
	put_rows(out, &h, outputs, weights);
	hy_buffer_free(&labels);
	if (out->err)
		return hy_fail(f, HY_NO_MEMORY, "no memory for a model of %zu features", features);
	h.size = out->size;
	memcpy(out->data, &h, sizeof(h));
	memcpy(out->data + h.outputs_at, outputs, h.outputs * sizeof(*outputs));
	seal(out);
	return HY_OK;
}

void model_tune(struct hy_buffer *file, int task, const float calibration[2], const float band[2], float polarity_scale,
	float unsure_margin)
{
	struct head *h = (void *)file->data;
	struct task *t = (struct task *)(void *)(file->data + h->tasks_at) + task;
	memcpy(t->calibration, calibration, sizeof(t->calibration));
	memcpy(t->band, band, sizeof(t->band));
	t->polarity_scale = polarity_scale;
	t->unsure_margin = unsure_margin;
	seal(file);
}

void model_tune_like(struct hy_buffer *file, const struct model *like)
{
	const struct head *h = (const void *)model_bytes(like).data;
	const struct task *t = (const void *)(model_bytes(like).data + h->tasks_at);
	for (int i = 0; i < model_tasks(like); i++, t++)
		model_tune(file, i, t->calibration, t->band, t->polarity_scale, t->unsure_margin);
}

int model_write(const char *path, struct hy_bytes file, struct hy_fault *f)
{
	char next[4096];
	if ((size_t)snprintf(next, sizeof(next), "%s.new", path) >= sizeof(next))
		return hy_fail(f, HY_TOO_LARGE, "the path of the model is too long");
	FILE *out = fopen(next, "we");
	if (!out)
		return hy_fail(f, hy_err_from_errno(errno), "%s: %s", next, strerror(errno));
	bool good = fwrite(file.data, 1, file.size, out) == file.size && fflush(out) == 0 && fsync(fileno(out)) == 0;
	int saved = errno;
	good = fclose(out) == 0 && good;
	if (good && rename(next, path) == 0)
		return HY_OK;
	saved = good ? errno : saved;
	unlink(next);
	return hy_fail(f, hy_err_from_errno(saved), "%s: %s", path, strerror(saved));
}
