/* Judging by the rules walks a few short strings and allocates nothing. */
#include "router/rules_inside.h"

#include <stdio.h>
#include <stdlib.h>

const char *const urgency_names[] = { "low", "normal", "high", "critical", NULL };
static const char *const kinds[] = { "feedback", "survey", "idea", "vote", "mention", "review", "interview", "reply" };

enum urgency urgency_rank(const char *name)
{
	for (int i = 0; i < URGENCY_COUNT; i++)
		if (strcmp(name, urgency_names[i]) == 0)
			return (enum urgency)i;
	return URGENCY_NORMAL;
}

void rules_free(struct rules **r)
{
	if (!*r)
		return;
	hy_arena_free(&(*r)->memory);
	free(*r);
	*r = NULL;
}

const struct department *rules_department(const struct rules *r, const char *name)
{
	for (size_t i = 0; i < r->department_count; i++)
		if (strcmp(r->departments[i].name, name) == 0)
			return &r->departments[i];
	return NULL;
}

const char *const *rules_departments(const struct rules *r)
{
	return r->names;
}

/* ---- judging ---- */

static bool within(const struct bounds *b, double v)
{
	return !b->on || ((b->low_open ? v > b->low : v >= b->low) && (b->high_open ? v < b->high : v <= b->high));
}

static bool has_word(const struct words *w, const char *word)
{
	for (size_t i = 0; i < w->count; i++)
		if (strcmp(w->at[i], word) == 0)
			return true;
	return false;
}

static bool word_fits(const struct test *t, const char *word)
{
	return (t->is.count == 0 || has_word(&t->is, word)) && !has_word(&t->isnt, word);
}

/* One of several values must be among `is`, and none among `not`. */
static bool words_fit(const struct test *t, char **values, size_t count)
{
	bool found = t->is.count == 0;
	for (size_t i = 0; i < count; i++) {
		if (has_word(&t->isnt, values[i]))
			return false;
		found = found || has_word(&t->is, values[i]);
	}
	return found;
}

static bool label_fits(const struct test *t, const Huiyin__Label *label)
{
	return word_fits(t, label ? label->name : "") && within(&t->confidence, label ? label->confidence : 0);
}

static bool rating_fits(const struct test *t, const Huiyin__Remark *remark)
{
	for (size_t i = 0; i < remark->n_ratings; i++) {
		const Huiyin__Rating *r = remark->ratings[i];
		if (r->has_score_case && word_fits(t, r->scale) && within(&t->number, r->score))
			return true;
	}
	return false;
}

static bool trait_fits(const struct test *t, const Huiyin__Customer *customer)
{
	for (size_t i = 0; customer && i < customer->n_traits; i++)
		if (strcmp(customer->traits[i]->name, t->name) == 0)
			return word_fits(t, customer->traits[i]->value);
	return t->is.count == 0; /* without the trait she is only what it is not */
}

static bool pii_fits(const struct test *t, const Huiyin__Classification *c)
{
	for (size_t i = 0; i < c->n_pii; i++)
		if (word_fits(t, c->pii[i]->kind))
			return true;
	return false;
}

static bool fits(const struct test *t, const Huiyin__Envelope *e, const Huiyin__Classification *c)
{
	const Huiyin__Remark *remark = e->feedback->remark;
	const char *member = (const char *)c + t->offset;
	char text[HY_ID_TEXT];
	switch (t->field) {
	case FIELD_LABEL:
		return label_fits(t, *(Huiyin__Label *const *)(const void *)member);
	case FIELD_TEXT:
		return word_fits(t, *(char *const *)(const void *)member);
	case FIELD_POLARITY:
		return within(&t->number, c->polarity);
	case FIELD_SARCASTIC:
		return c->sarcastic == t->truth;
	case FIELD_UNSURE:
		return c->unsure == t->truth;
	case FIELD_REASON:
		return words_fit(t, c->urgency_reasons, c->n_urgency_reasons);
	case FIELD_THEME:
		hy_id_text(HY_ID_FROM_PB(c->theme), text);
		return word_fits(t, text);
	case FIELD_PII:
		return pii_fits(t, c);
	case FIELD_PROJECT:
		snprintf(text, sizeof(text), "%u", e->project);
		return word_fits(t, text);
	case FIELD_CHANNEL:
		return word_fits(t, remark->channel);
	case FIELD_KIND:
		return word_fits(t, kinds[remark->kind <= HUIYIN__KIND__REPLY ? remark->kind : 0]);
	case FIELD_TAG:
		return words_fit(t, remark->tags, remark->n_tags);
	case FIELD_TRAIT:
		return trait_fits(t, e->feedback->customer);
	case FIELD_RATING:
		return rating_fits(t, remark);
	}
	return false;
}

void rules_judge(const struct rules *r, const Huiyin__Envelope *e, struct ruling *out)
{
	static const Huiyin__Classification nothing = HUIYIN__CLASSIFICATION__INIT;
	const Huiyin__Classification *c = e->classification ? e->classification : &nothing;
	for (size_t i = 0; i < r->rule_count; i++) {
		const struct rule *rule = &r->rules[i];
		size_t held = 0;
		while (held < rule->count && fits(&rule->tests[held], e, c))
			held++;
		if (held == rule->count && rule->ruling.act != RULING_NONE) {
			*out = rule->ruling;
			return;
		}
	}
	*out = (struct ruling){ RULING_NONE, "", "", "" };
}
