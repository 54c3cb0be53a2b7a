/* What training learns from.
 * A corpus keeps each text as its n-grams, once, whatever number of tasks it teaches; a lesson is a task with its labels and the
 * documents that teach it. The words of a text are gone once it is added. */
#ifndef CLASSIFIER_CORPUS_H
#define CLASSIFIER_CORPUS_H

#include "model.h"
#include "text.h"

struct corpus {
	struct corpus_doc {
		size_t at; /* first of its features */
		uint32_t count, grams; /* distinct features; n-grams with repeats */
	} * doc;
	uint32_t *hash;
	uint16_t *times; /* how often; CORPUS_LIGHT is TEXT_LIGHT of the n-gram */
	size_t docs, docs_room, size, room;
};
#define CORPUS_LIGHT 0x8000

uint32_t corpus_add(
	struct corpus *c, struct text *t, struct hy_bytes text); /* reads the text, returns the document's number */
void corpus_text(const struct corpus *c, uint32_t doc, struct text *t); /* the n-grams again, for model_match() */
void corpus_free(struct corpus *c);

#define LESSON_SOURCES_MAX 64
struct lesson_doc {
	uint32_t doc;
	uint16_t label, source;
	float weight; /* of this row, 1 is usual */
};
struct lesson {
	char name[MODEL_NAME_MAX];
	enum model_kind kind;
	uint32_t features; /* how many to keep; 0 = 32,768 */
	char (*label)[MODEL_NAME_MAX];
	int labels;
	struct lesson_doc *doc;
	size_t docs, room;
};

int lesson_label(
	struct lesson *l, const char *name, bool add); /* its number; -1 when unknown and not added, or no more fit */
void lesson_add(struct lesson *l, struct lesson_doc d);
void lesson_sort_labels(struct lesson *l); /* by name, so that the order of rows does not show in the file */
/* Each source's classes weigh the same within it: n_source / (classes * n_source,class), tamed to 1/4..4. */
void lesson_balance(struct lesson *l);
void lesson_free(struct lesson *l);

#endif
