/* The model that ships: sentiment, type and topic in one table, both languages, learned from a directory of labelled sets.
 * model/recipe.json names the sets and what their labels mean beyond the directory's taxonomy.tsv; model/seeds.jsonl holds
 * our own sentences for classes that no set has. The data stays outside of the tree; only hashed weights come in. */
#ifndef CLASSIFIER_RECIPE_H
#define CLASSIFIER_RECIPE_H

#include "base/bytes.h"
#include "base/err.h"

struct recipe_options {
	const char *data; /* DIR/SET/{train.jsonl[.gz],dev.jsonl}, DIR/taxonomy.tsv */
	const char *recipe; /* recipe.json */
	const char *seeds; /* seeds.jsonl; NULL = none */
	void (*say)(const char *line); /* progress, for a person; NULL = silent */
};

int recipe_train(const struct recipe_options *o, struct hy_buffer *file, struct hy_fault *f);

#endif
