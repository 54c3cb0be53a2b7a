#include "model_file.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct model {
	const struct head *head;
	const struct task *tasks;
	const struct output *outputs;
	const struct label *labels;
	const uint64_t *filter;
	const uint32_t *directory, *keys;
	const int8_t *rows;
	bool mapped;
	char version[32];
};

static bool section(const struct head *h, uint64_t at, uint64_t count, uint64_t item)
{
	return at % 8 == 0 && at >= sizeof(*h) && at <= h->size && count <= (h->size - at) / item;
}

static bool name_ok(const char *name)
{
	return name[0] && memchr(name, 0, MODEL_NAME_MAX);
}

/* The checksum finds accidents; these bounds keep a file made with ill intent from leading us outside of it. */
static bool is_sound(struct model *m)
{
	const struct head *h = m->head;
	if (h->tasks < 1 || h->tasks > MODEL_TASKS_MAX || h->outputs < 1 || h->outputs > MODEL_OUTPUTS_MAX ||
		h->labels > MODEL_TASKS_MAX * MODEL_LABELS_MAX || h->stride < h->outputs ||
		h->stride > MODEL_OUTPUTS_MAX || h->stride % STRIDE_STEP || h->filter_log2 < 6 || h->filter_log2 > 30 ||
		h->directory_log2 < 1 || h->directory_log2 > 24)
		return false;
	if (!section(h, h->tasks_at, h->tasks, sizeof(struct task)) ||
		!section(h, h->outputs_at, h->outputs, sizeof(struct output)) ||
		!section(h, h->labels_at, h->labels, sizeof(struct label)) ||
		!section(h, h->filter_at, (uint64_t)1 << (h->filter_log2 - 6), 8) ||
		!section(h, h->directory_at, ((uint64_t)1 << h->directory_log2) + 1, 4) ||
		!section(h, h->keys_at, h->features, 4) || !section(h, h->rows_at, h->features, h->stride))
		return false;
	const uint8_t *base = (const uint8_t *)h;
	m->tasks = (const void *)(base + h->tasks_at);
	m->outputs = (const void *)(base + h->outputs_at);
	m->labels = (const void *)(base + h->labels_at);
	m->filter = (const void *)(base + h->filter_at);
	m->directory = (const void *)(base + h->directory_at);
	m->keys = (const void *)(base + h->keys_at);
	m->rows = (const void *)(base + h->rows_at);
	for (uint32_t i = 0; i < h->tasks; i++) {
		const struct task *t = &m->tasks[i];
		if (!name_ok(t->name) || t->labels < 2 || t->labels > MODEL_LABELS_MAX || t->first_label > h->labels ||
			t->labels > h->labels - t->first_label || t->first_output > h->outputs ||
			t->outputs > h->outputs - t->first_output)
			return false;
		uint32_t outputs = t->kind == MODEL_POLARITY || t->labels > 2 ? t->labels : 1;
		if (t->kind == MODEL_POLARITY ? t->labels != 3 || t->outputs != 2
					      : t->kind != MODEL_CLASSES || t->outputs != outputs)
			return false;
	}
	for (uint32_t i = 0; i < h->labels; i++)
		if (!name_ok(m->labels[i].name))
			return false;
	uint32_t buckets = (uint32_t)1 << h->directory_log2;
	for (uint32_t i = 0; i < buckets; i++)
		if (m->directory[i] > m->directory[i + 1])
			return false;
	return m->directory[0] == 0 && m->directory[buckets] == h->features;
}

static int open_checked(struct model *m, const uint8_t *file, size_t size, const char *name, struct hy_fault *f)
{
	const struct head *h = (const void *)file;
	if (size < sizeof(*h) || memcmp(h->magic, MODEL_MAGIC, sizeof(h->magic)) != 0)
		return hy_fail(f, HY_BAD_INPUT, "%s is not a Huiyin model file", name);
	if (h->format != MODEL_FORMAT)
		return hy_fail(f, h->format > MODEL_FORMAT ? HY_NEWER : HY_BAD_INPUT,
			"%s has model format %u, this program reads format %d: train it again with this version", name,
			h->format, MODEL_FORMAT);
	if (h->text != TEXT_VERSION)
		return hy_fail(f, h->text > TEXT_VERSION ? HY_NEWER : HY_BAD_INPUT,
			"%s was trained with text rules %u, this program has %d: train it again with this version",
			name, h->text, TEXT_VERSION);
	if (h->size != size)
		return hy_fail(f, HY_DAMAGED, "%s is cut: %zu bytes of %llu", name, size, (unsigned long long)h->size);
	if (h->check != check_of(file, size))
		return hy_fail(f, HY_DAMAGED, "%s is damaged: its checksum does not fit its content", name);
	m->head = h;
	if (!is_sound(m))
		return hy_fail(f, HY_DAMAGED, "%s is damaged: its tables do not fit together", name);
	snprintf(m->version, sizeof(m->version), "%u-%08x", h->format, (unsigned)(h->check >> 32));
	return HY_OK;
}

int model_open(struct model **out, const char *path, struct hy_fault *f)
{
	*out = NULL;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return hy_fail(
			f, errno == ENOENT ? HY_NOT_FOUND : hy_err_from_errno(errno), "%s: %s", path, strerror(errno));
	struct stat st;
	int err = HY_OK;
	void *map = MAP_FAILED;
	if (fstat(fd, &st) != 0)
		err = hy_fail(f, hy_err_from_errno(errno), "%s: %s", path, strerror(errno));
	else if (!S_ISREG(st.st_mode) || st.st_size < (off_t)sizeof(struct head))
		err = hy_fail(f, HY_BAD_INPUT, "%s is not a Huiyin model file", path);
	else if (st.st_size > (off_t)MODEL_FILE_MAX)
		err = hy_fail(f, HY_TOO_LARGE, "%s: a model file has at most %zu bytes", path, MODEL_FILE_MAX);
	else if ((map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0)) == MAP_FAILED)
		err = hy_fail(f, hy_err_from_errno(errno), "%s: %s", path, strerror(errno));
	close(fd);
	if (err)
		return err;
	struct model *m = calloc(1, sizeof(*m));
	if (!m)
		hy_panic("no memory for a model");
	m->mapped = true;
	err = open_checked(m, map, (size_t)st.st_size, path, f);
	if (err) {
		munmap(map, (size_t)st.st_size);
		free(m);
		return err;
	}
	*out = m;
	return HY_OK;
}

int model_open_bytes(struct model **out, struct hy_bytes file, struct hy_fault *f)
{
	*out = NULL;
	struct model *m = calloc(1, sizeof(*m));
	uint8_t *copy = malloc(file.size ? file.size : 1);
	if (!m || !copy)
		hy_panic("no memory for a model of %zu bytes", file.size);
	if (file.size)
		memcpy(copy, file.data, file.size);
	int err = open_checked(m, copy, file.size, "the model", f);
	if (err) {
		free(copy);
		free(m);
		return err;
	}
	*out = m;
	return HY_OK;
}

void model_close(struct model **m)
{
	if (!*m)
		return;
	void *file = (void *)(uintptr_t)(*m)->head;
	if ((*m)->mapped)
		munmap(file, (*m)->head->size);
	else
		free(file);
	free(*m);
	*m = NULL;
}

const char *model_version(const struct model *m)
{
	return m->version;
}

struct hy_bytes model_bytes(const struct model *m)
{
	return hy_bytes(m->head, m->head->size);
}

size_t model_features(const struct model *m)
{
	return m->head->features;
}

int model_tasks(const struct model *m)
{
	return (int)m->head->tasks;
}

int model_task(const struct model *m, const char *name)
{
	for (uint32_t i = 0; i < m->head->tasks; i++)
		if (strcmp(m->tasks[i].name, name) == 0)
			return (int)i;
	return -1;
}

const char *model_task_name(const struct model *m, int task)
{
	return m->tasks[task].name;
}

enum model_kind model_task_kind(const struct model *m, int task)
{
	return m->tasks[task].kind;
}

int model_first_output(const struct model *m, int task)
{
	return (int)m->tasks[task].first_output;
}

int model_labels(const struct model *m, int task)
{
	return (int)m->tasks[task].labels;
}

const char *model_label(const struct model *m, int task, int label)
{
	return m->labels[m->tasks[task].first_label + (uint32_t)label].name;
}

int model_label_find(const struct model *m, int task, const char *name)
{
	for (int i = 0; i < model_labels(m, task); i++)
		if (strcmp(model_label(m, task, i), name) == 0)
			return i;
	return -1;
}

float model_unsure_margin(const struct model *m, int task)
{
	return m->tasks[task].unsure_margin;
}

/* The table is larger than the near caches, so hits are looked up in blocks: each stage asks for the memory that the next
 * one reads, and the waits overlap. */
enum { BLOCK = 32 };

static void match_block(
	const struct model *m, const struct text *t, const uint32_t *grams, uint32_t n, struct model_hits *hits)
{
	uint32_t shift = 32 - m->head->directory_log2;
	for (uint32_t i = 0; i < n; i++)
		__builtin_prefetch(&m->directory[t->grams[grams[i]].hash >> shift]);
	for (uint32_t i = 0; i < n; i++)
		__builtin_prefetch(&m->keys[m->directory[t->grams[grams[i]].hash >> shift]]);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t hash = t->grams[grams[i]].hash, bucket = hash >> shift;
		uint32_t row = m->directory[bucket], end = m->directory[bucket + 1];
		while (row < end && m->keys[row] < hash)
			row++;
		if (row == end || m->keys[row] != hash)
			continue;
		__builtin_prefetch(&m->rows[(size_t)row * m->head->stride]);
		hits->hit[hits->count].gram = grams[i];
		hits->hit[hits->count++].row = row;
	}
}

void model_match(const struct model *m, const struct text *t, struct model_hits *hits)
{
	uint32_t block[BLOCK], n = 0, log2 = m->head->filter_log2;
	hits->count = 0;
	hits->grams = t->gram_count;
	for (uint32_t i = 0; i < t->gram_count; i++) {
		uint32_t bit = filter_bit(t->grams[i].hash, log2);
		block[n] = i; /* without a branch: whether a bit is set can't be foreseen */
		n += (uint32_t)(m->filter[bit >> 6] >> (bit & 63)) & 1;
		if (n == BLOCK) {
			match_block(m, t, block, n, hits);
			n = 0;
		}
	}
	match_block(m, t, block, n, hits);
}

void model_score(const struct model *m, const struct model_hits *hits, struct model_scores *out)
{
	int32_t sum[MODEL_OUTPUTS_MAX] = { 0 };
	uint32_t stride = m->head->stride;
	for (uint32_t i = 0; i < hits->count; i++) {
		const int8_t *row = &m->rows[(size_t)hits->hit[i].row * stride];
		for (uint32_t k = 0; k < stride; k += STRIDE_STEP) {
			sum[k] += row[k];
			sum[k + 1] += row[k + 1];
			sum[k + 2] += row[k + 2];
			sum[k + 3] += row[k + 3];
		}
	}
	float length = hits->grams ? 1.0f / sqrtf((float)hits->grams) : 0;
	for (uint32_t k = 0; k < m->head->outputs; k++)
		out->output[k] = (float)sum[k] * m->outputs[k].scale * length + m->outputs[k].bias;
}

void model_label_scores(
	const struct model *m, int task, const struct model_scores *s, float out[static MODEL_LABELS_MAX])
{
	const struct task *t = &m->tasks[task];
	const float *o = &s->output[t->first_output];
	if (t->kind == MODEL_POLARITY) {
		float strength = fabsf(o[0]);
		out[0] = -o[0];
		out[1] = o[1] - t->band[0] + (1 - t->band[1]) * strength;
		out[2] = o[0];
	} else if (t->labels == 2) {
		out[0] = o[0];
		out[1] = -o[0];
	} else {
		for (uint32_t i = 0; i < t->labels; i++)
			out[i] = o[i];
	}
}

struct model_verdict model_pick(const struct model *m, int task, const float *label_scores)
{
	const struct task *t = &m->tasks[task];
	struct model_verdict v = { .label = 0, .second = -1 };
	for (int i = 1; i < (int)t->labels; i++)
		if (label_scores[i] > label_scores[v.label])
			v.label = i;
	for (int i = 0; i < (int)t->labels; i++)
		if (i != v.label && (v.second < 0 || label_scores[i] > label_scores[v.second]))
			v.second = i;
	v.margin = label_scores[v.label] - label_scores[v.second];
	if (!(v.margin >= 0)) /* a damaged scale would show as NaN */
		v.margin = 0;
	v.confidence = 1.0f / (1.0f + expf(-(t->calibration[0] * v.margin + t->calibration[1])));
	return v;
}

float model_polarity(const struct model *m, int task, const struct model_scores *s)
{
	const struct task *t = &m->tasks[task];
	return t->kind == MODEL_POLARITY ? tanhf(t->polarity_scale * s->output[t->first_output]) : 0;
}

/* Which column of a task's rows speaks for a label, and how loud; a negative scale when the column speaks against it. */
struct column {
	uint32_t at;
	float scale;
};

static struct column column_of(const struct model *m, const struct task *t, int label)
{
	uint32_t first = t->first_output;
	if (label < 0)
		return (struct column){ first, 0 };
	if (t->kind == MODEL_POLARITY && label == 1)
		return (struct column){ first + 1, m->outputs[first + 1].scale };
	if (t->kind == MODEL_POLARITY || t->labels == 2) {
		bool above = t->kind == MODEL_POLARITY ? label == 2 : label == 0;
		return (struct column){ first, above ? m->outputs[first].scale : -m->outputs[first].scale };
	}
	return (struct column){ first + (uint32_t)label, m->outputs[first + (uint32_t)label].scale };
}

/* Latin words stay whole, everything else is one position. */
static uint32_t next_piece(const struct text *t, uint32_t at)
{
	uint32_t end = at + 1;
	if (text_is_letter(t->norm[at]))
		while (end < t->count && text_is_letter(t->norm[end]))
			end++;
	return end;
}

size_t model_evidence(const struct model *m, int task, int label, int other, const struct text *t,
	const struct model_hits *hits, struct model_span *out, size_t room)
{
	/* Long texts: the first part shows enough, and the sums stay on the stack. */
	enum { LOOK = 2048, SPAN_MAX = 10 };
	struct column for_it = column_of(m, &m->tasks[task], label), against = column_of(m, &m->tasks[task], other);
	float position[LOOK + 1];
	uint32_t count = t->count < LOOK ? t->count : LOOK;
	memset(position, 0, (count + 1) * sizeof(*position));
	/* Each n-gram's weight is spread evenly over its letters: noted as a step up and a step down, then summed once. */
	for (uint32_t i = 0; i < hits->count; i++) {
		const struct text_gram *g = &t->grams[hits->hit[i].gram];
		uint32_t length = g->length & (TEXT_LIGHT - 1);
		if (length == 0 || g->begin + length > count)
			continue;
		const int8_t *row = &m->rows[(size_t)hits->hit[i].row * m->head->stride];
		float w =
			((float)row[for_it.at] * for_it.scale - (float)row[against.at] * against.scale) / (float)length;
		position[g->begin] += w;
		position[g->begin + length] -= w;
	}
	for (uint32_t k = 1; k < count; k++)
		position[k] += position[k - 1];
	/* A word weighs what its letters gathered; white space and marks carry nothing of their own. */
	for (uint32_t at = 0, end; at < count; at = end) {
		end = next_piece(t, at);
		end = end < count ? end : count;
		float sum = 0;
		for (uint32_t k = at; k < end; k++)
			sum += position[k];
		bool mark = end == at + 1 && !text_is_letter(t->norm[at]) && t->norm[at] < 0x80;
		for (uint32_t k = at; k < end; k++)
			position[k] = mark ? 0 : sum;
	}
	size_t found = 0;
	float first = 0;
	while (found < room) {
		uint32_t best = 0;
		for (uint32_t k = 1; k < count; k++)
			if (position[k] > position[best])
				best = k;
		float peak = count ? position[best] : 0;
		if (peak <= 1e-4f || peak < first * 0.3f)
			break;
		if (found == 0)
			first = peak;
		uint32_t begin = best, end = next_piece(t, best);
		while (begin > 0 && text_is_letter(t->norm[best]) && text_is_letter(t->norm[begin - 1]))
			begin--;
		/* A Han character is rarely a word: neighbours that say the same belong to it. */
		if (text_is_han(t->norm[best])) {
			while (begin > 0 && end - begin < SPAN_MAX && text_is_han(t->norm[begin - 1]) &&
				position[begin - 1] > peak * 0.35f)
				begin--;
			while (end < count && end - begin < SPAN_MAX && text_is_han(t->norm[end]) &&
				position[end] > peak * 0.35f)
				end++;
		}
		end = end < count ? end : count;
		for (uint32_t k = begin; k < end; k++)
			position[k] = 0;
		out[found++] = (struct model_span){ t->origin[begin], t->origin[end - 1] + 1, peak };
	}
	return found;
}
