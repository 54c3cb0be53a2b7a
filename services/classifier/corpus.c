#include "corpus.h"

#include <stdlib.h>

#include "base/err.h"

static void *need(void *p, size_t bytes)
{
	if (!p)
		hy_panic("no memory for %zu bytes of training data", bytes);
	return p;
}

static void *grow(void *p, size_t bytes)
{
	return need(realloc(p, bytes ? bytes : 1), bytes);
}

static void *zeroed(size_t count, size_t size)
{
	return need(calloc(count ? count : 1, size), count * size);
}

static int by_hash(const void *a, const void *b)
{
	uint32_t x = ((const struct text_gram *)a)->hash, y = ((const struct text_gram *)b)->hash;
	return x < y ? -1 : x > y;
}

uint32_t corpus_add(struct corpus *c, struct text *t, struct hy_bytes text)
{
	text_read(t, text);
	text_grams(t);
	qsort(t->grams, t->gram_count, sizeof(*t->grams), by_hash);
	if (c->docs == c->docs_room) {
		c->docs_room = c->docs_room ? c->docs_room * 2 : 1024;
		c->doc = grow(c->doc, c->docs_room * sizeof(*c->doc));
	}
	if (c->size + t->gram_count > c->room) {
		c->room = (c->size + t->gram_count) * 2;
		c->hash = grow(c->hash, c->room * sizeof(*c->hash));
		c->times = grow(c->times, c->room * sizeof(*c->times));
	}
	struct corpus_doc d = { .at = c->size, .grams = t->gram_count };
	for (uint32_t i = 0, end; i < t->gram_count; i = end) {
		for (end = i + 1; end < t->gram_count && t->grams[end].hash == t->grams[i].hash;)
			end++;
		uint32_t times = end - i < CORPUS_LIGHT ? end - i : CORPUS_LIGHT - 1;
		c->hash[c->size] = t->grams[i].hash;
		c->times[c->size++] = (uint16_t)(times | (t->grams[i].length & TEXT_LIGHT));
	}
	d.count = (uint32_t)(c->size - d.at);
	c->doc[c->docs] = d;
	return (uint32_t)c->docs++;
}

void corpus_text(const struct corpus *c, uint32_t doc, struct text *t)
{
	const struct corpus_doc *d = &c->doc[doc];
	t->gram_count = t->count = t->word_count = 0;
	for (size_t i = d->at; i < d->at + d->count; i++)
		for (uint32_t k = c->times[i] & (CORPUS_LIGHT - 1); k > 0; k--)
			t->grams[t->gram_count++] = (struct text_gram){ .hash = c->hash[i] };
}

void corpus_free(struct corpus *c)
{
	free(c->doc);
	free(c->hash);
	free(c->times);
	*c = (struct corpus){ 0 };
}

int lesson_label(struct lesson *l, const char *name, bool add)
{
	for (int i = 0; i < l->labels; i++)
		if (strcmp(l->label[i], name) == 0)
			return i;
	if (!add || l->labels == MODEL_LABELS_MAX || !*name || strlen(name) >= MODEL_NAME_MAX)
		return -1;
	l->label = grow(l->label, (size_t)(l->labels + 1) * sizeof(*l->label));
	memset(l->label[l->labels], 0, sizeof(*l->label));
	strcpy(l->label[l->labels], name);
	return l->labels++;
}

void lesson_add(struct lesson *l, struct lesson_doc d)
{
	if (l->docs == l->room) {
		l->room = l->room ? l->room * 2 : 1024;
		l->doc = grow(l->doc, l->room * sizeof(*l->doc));
	}
	l->doc[l->docs++] = d;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

void lesson_sort_labels(struct lesson *l)
{
	char(*old)[MODEL_NAME_MAX] = zeroed((size_t)l->labels, sizeof(*old));
	uint16_t place[MODEL_LABELS_MAX];
	memcpy(old, l->label, (size_t)l->labels * sizeof(*old));
	qsort(l->label, (size_t)l->labels, sizeof(*l->label), by_name);
	for (int i = 0; i < l->labels; i++)
		place[i] = (uint16_t)lesson_label(l, old[i], false);
	for (size_t i = 0; i < l->docs; i++)
		l->doc[i].label = place[l->doc[i].label];
	free(old);
}

void lesson_balance(struct lesson *l)
{
	size_t(*count)[MODEL_LABELS_MAX] = zeroed(LESSON_SOURCES_MAX, sizeof(*count));
	for (size_t i = 0; i < l->docs; i++)
		count[l->doc[i].source][l->doc[i].label]++;
	for (size_t i = 0; i < l->docs; i++) {
		const size_t *n = count[l->doc[i].source];
		size_t all = 0, classes = 0;
		for (int k = 0; k < l->labels; k++) {
			all += n[k];
			classes += n[k] > 0;
		}
		double w = (double)all / (double)(classes * n[l->doc[i].label]);
		l->doc[i].weight *= (float)(w < 0.25 ? 0.25 : w > 4 ? 4 : w);
	}
	free(count);
}

void lesson_free(struct lesson *l)
{
	free(l->label);
	free(l->doc);
	*l = (struct lesson){ 0 };
}
