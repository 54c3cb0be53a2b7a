/* How a model file is laid out; known to model.c, which reads it, and model_build.c, which makes it. */
#ifndef CLASSIFIER_MODEL_FILE_H
#define CLASSIFIER_MODEL_FILE_H

#include <stddef.h>
#include <xxhash.h>

#include "model.h"

/* The file, in the machine's own (little-endian) layout:
 *   head | tasks | outputs | labels | filter | directory | keys | rows
 * The filter is one bit a hash: most n-grams of a text are unknown, and the bit says so without touching the table. The directory
 * is indexed by the top bits of a hash and gives the first key of that bucket; keys are sorted, a row stands at its key's index. */
struct head {
	char magic[8];
	uint32_t format, text;
	uint64_t size;
	uint64_t check; /* XXH3 of everything behind this field */
	uint32_t tasks, outputs, labels, features;
	uint32_t stride; /* bytes of a row */
	uint32_t filter_log2, directory_log2, spare;
	uint64_t tasks_at, outputs_at, labels_at, filter_at, directory_at, keys_at, rows_at;
};

struct task {
	char name[MODEL_NAME_MAX];
	uint32_t kind, first_output, outputs, first_label, labels;
	float calibration[2], band[2], polarity_scale, unsure_margin;
	uint32_t spare[5];
};

struct output {
	float scale, bias;
};

struct label {
	char name[MODEL_NAME_MAX];
};

#define MODEL_MAGIC "HYMODEL\n"
enum { STRIDE_STEP = 4, CHECKED_FROM = offsetof(struct head, check) + sizeof(uint64_t) };

static inline uint64_t check_of(const uint8_t *file, size_t size)
{
	return XXH3_64bits(file + CHECKED_FROM, size - CHECKED_FROM);
}

static inline uint32_t filter_bit(uint32_t hash, uint32_t log2)
{
	return hash * 0x9E3779B1u >> (32 - log2);
}

#endif
