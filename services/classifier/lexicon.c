#include "lexicon.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/text.h"

/* A trie over code points; its edges live in one hash table, so that a step is one look-up and most texts leave at the root. */
struct edge {
	uint64_t key; /* node << 32 | code point; 0 = empty */
	uint32_t node;
};

enum { MEANINGS = 3, NUMBERS_MAX = 4096 };

/* Where a phrase ends. The same words may speak for a type, a topic and urgency at once. */
struct leaf {
	uint16_t row[MEANINGS]; /* of phrases[], + 1; 0 = no more */
	uint16_t number; /* of the phrase, so that a repeat is noticed */
	bool open[MEANINGS]; /* ended with *: the word may go on */
	bool latin;
};

struct lexicon {
	struct edge *edge;
	struct leaf *leaf;
	size_t mask, nodes;
	uint64_t first[64]; /* one bit for the low 12 bits of a first code point */
	uint16_t numbers;
};

static struct edge *edge_at(const struct lexicon *l, uint32_t node, uint32_t c)
{
	uint64_t key = (uint64_t)(node + 1) << 32 | c;
	size_t at = key * 0x9E3779B97F4A7C15u >> 32 & l->mask;
	while (l->edge[at].key && l->edge[at].key != key)
		at = (at + 1) & l->mask;
	return &l->edge[at];
}

static uint32_t step(struct lexicon *l, uint32_t node, uint32_t c)
{
	struct edge *e = edge_at(l, node, c);
	if (!e->key) {
		e->key = (uint64_t)(node + 1) << 32 | c;
		e->node = (uint32_t)l->nodes++;
	}
	return e->node;
}

static void insert(struct lexicon *l, size_t row, struct hy_bytes phrase)
{
	uint32_t node = 0, last = 0;
	bool open = phrase.size && phrase.data[phrase.size - 1] == '*';
	phrase.size -= open;
	if (phrase.size == 0)
		hy_panic("phrases.c: row %zu has an empty phrase", row);
	for (size_t at = 0; at < phrase.size;) {
		uint32_t c = hy_utf8_next(phrase, &at);
		if (node == 0)
			l->first[c >> 6 & 63] |= (uint64_t)1 << (c & 63);
		node = step(l, node, c);
		last = c;
	}
	struct leaf *leaf = &l->leaf[node];
	int i = 0;
	for (; i < MEANINGS && leaf->row[i]; i++)
		if (phrases[leaf->row[i] - 1].sign == phrases[row].sign)
			hy_panic("phrases.c: \"%.*s\" stands twice for the same", (int)phrase.size, phrase.data);
	if (i == MEANINGS || l->numbers == NUMBERS_MAX)
		hy_panic("phrases.c: \"%.*s\" has more than %d meanings, or there are too many phrases",
			(int)phrase.size, phrase.data, MEANINGS);
	if (i == 0)
		leaf->number = l->numbers++;
	leaf->row[i] = (uint16_t)(row + 1);
	leaf->open[i] = open;
	leaf->latin = text_is_letter(last);
}

struct lexicon *lexicon_new(void)
{
	size_t points = 1;
	for (size_t i = 0; i < phrase_count; i++)
		points += strlen(phrases[i].words);
	struct lexicon *l = calloc(1, sizeof(*l));
	size_t places = 1024;
	while (places < points * 2)
		places *= 2;
	if (l) {
		l->mask = places - 1;
		l->edge = calloc(places, sizeof(*l->edge));
		l->leaf = calloc(points + 1, sizeof(*l->leaf));
	}
	if (!l || !l->edge || !l->leaf)
		hy_panic("no memory for the lexicon");
	l->nodes = 1;
	for (size_t i = 0; i < phrase_count; i++)
		for (const char *p = phrases[i].words, *end; *p; p = *end ? end + 1 : end) {
			end = strchrnul(p, '|');
			insert(l, i, hy_bytes(p, (size_t)(end - p)));
		}
	return l;
}

void lexicon_free(struct lexicon **l)
{
	if (!*l)
		return;
	free((*l)->edge);
	free((*l)->leaf);
	free(*l);
	*l = NULL;
}

static void note(struct found *out, uint16_t row, uint16_t number, uint16_t *numbers, uint32_t begin, uint32_t end)
{
	if (out->count == FOUND_MAX)
		return;
	const struct phrase *p = &phrases[row - 1];
	int before = 0;
	for (uint32_t i = 0; i < out->count; i++)
		before += numbers[i] == number && out->at[i].sign == p->sign;
	numbers[out->count] = number;
	out->at[out->count++] = (struct finding){ p->sign, p->weight, (uint16_t)begin, (uint16_t)end };
	out->sum[p->sign] += before == 0 ? p->weight : before == 1 ? p->weight / 2 : 0;
}

/* The longest phrase that begins at `i`; returns where it ends, 0 when there is none. */
static uint32_t longest_at(
	const struct lexicon *l, const struct text *t, uint32_t i, const struct leaf **out, bool *goes_on)
{
	uint32_t node = 0, end = 0;
	for (uint32_t k = i; k < t->count; k++) {
		const struct edge *e = edge_at(l, node, t->norm[k]);
		if (!e->key)
			break;
		node = e->node;
		const struct leaf *leaf = &l->leaf[node];
		bool on = leaf->latin && k + 1 < t->count && text_is_letter(t->norm[k + 1]);
		bool fits = false;
		for (int m = 0; m < MEANINGS && leaf->row[m]; m++)
			fits |= !on || leaf->open[m];
		if (fits) {
			*out = leaf;
			*goes_on = on;
			end = k + 1;
		}
	}
	return end;
}

void lexicon_find(const struct lexicon *l, const struct text *t, struct found *out)
{
	uint16_t numbers[FOUND_MAX];
	uint32_t shielded = 0; /* up to here a phrase of SIGN_NOTHING has swallowed the text */
	out->count = 0;
	memset(out->sum, 0, sizeof(out->sum));
	for (uint32_t i = 0; i < t->count && out->count < FOUND_MAX; i++) {
		uint32_t c = t->norm[i];
		if (i < shielded || !(l->first[c >> 6 & 63] >> (c & 63) & 1) ||
			(i > 0 && text_is_letter(c) && text_is_letter(t->norm[i - 1])))
			continue;
		const struct leaf *leaf = NULL;
		bool goes_on = false;
		uint32_t end = longest_at(l, t, i, &leaf, &goes_on);
		for (int m = 0; end && m < MEANINGS && leaf->row[m]; m++) {
			if (goes_on && !leaf->open[m])
				continue;
			if (phrases[leaf->row[m] - 1].sign == SIGN_NOTHING)
				shielded = end;
			else
				note(out, leaf->row[m], leaf->number, numbers, i, end);
		}
	}
}
