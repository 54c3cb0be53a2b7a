#include "train.h"

#include <math.h>
#include <stdlib.h>
/* Both of us have a struct model. */
#define model liblinear_model
#include <linear.h>
#undef model

/* The recipe's figures; they were chosen together, on average over many sets. */
#define NB_POWER 0.75 /* how far the naive Bayes ratio bends the scale of a feature */
#define CLASS_POWER 0.3 /* rarer classes cost more, gently */
#define SVM_C 1.0
#define SVM_EPS 0.1
enum { DF_MIN = 2, FEATURES_DEFAULT = 32768 };

static void *need(void *p, size_t bytes)
{
	if (!p)
		hy_panic("no memory for %zu bytes of training data", bytes);
	return p;
}

static void *zeroed(size_t count, size_t size)
{
	return need(calloc(count ? count : 1, size), count * size);
}

/* Hash -> document frequency, then -> number of the feature. Hash 0 stands for an empty place; one n-gram in 2^32 is lost. */
struct dict {
	struct entry {
		uint32_t hash, value;
	} * slot;
	size_t mask, used;
};

static struct entry *dict_find(struct dict *d, uint32_t hash)
{
	size_t at = hash * 0x9E3779B97F4A7C15u >> 20 & d->mask;
	while (d->slot[at].hash && d->slot[at].hash != hash)
		at = (at + 1) & d->mask;
	return &d->slot[at];
}

static void dict_count(struct dict *d, uint32_t hash)
{
	if (d->used * 2 >= d->mask) {
		struct dict wider = { .mask = d->mask ? d->mask * 2 + 1 : 0xFFFF, .used = d->used };
		wider.slot = zeroed(wider.mask + 1, sizeof(*wider.slot));
		for (size_t i = 0; d->slot && i <= d->mask; i++)
			if (d->slot[i].hash)
				*dict_find(&wider, d->slot[i].hash) = d->slot[i];
		free(d->slot);
		*d = wider;
	}
	struct entry *e = dict_find(d, hash);
	d->used += e->hash == 0;
	e->hash = hash;
	e->value++;
}

static int by_entry(const void *a, const void *b)
{
	uint32_t x = ((const struct entry *)a)->hash, y = ((const struct entry *)b)->hash;
	return x < y ? -1 : x > y;
}

/* What liblinear works on. Every document ends with two nodes of its own: the bias, and a private one that nobody shares. */
struct work {
	struct feature_node *node, **x; /* x: one row a document of the lesson */
	float *value; /* node.value without the class's scale */
	size_t nodes;
	float *ratio; /* R of each feature, for the class at hand */
	uint8_t *light; /* of each feature: its view weighs less */
	struct feature_node **chosen;
	double *y, *cost;
};

static void number_features(const struct corpus *c, const struct lesson *l, struct dict *d, struct fit *fit)
{
	for (size_t i = 0; i < l->docs; i++) {
		const struct corpus_doc *doc = &c->doc[l->doc[i].doc];
		for (size_t k = doc->at; k < doc->at + doc->count; k++)
			if (c->hash[k])
				dict_count(d, c->hash[k]);
	}
	size_t n = 0;
	struct entry *seen = zeroed(d->used, sizeof(*seen));
	for (size_t i = 0; d->slot && i <= d->mask; i++)
		if (d->slot[i].value >= DF_MIN)
			seen[n++] = d->slot[i];
		else
			d->slot[i].value = 0;
	qsort(seen, n, sizeof(*seen), by_entry);
	fit->features = n;
	fit->hash = zeroed(n, sizeof(*fit->hash));
	fit->df = zeroed(n, sizeof(*fit->df));
	for (size_t i = 0; i < n; i++) {
		fit->hash[i] = seen[i].hash;
		fit->df[i] = seen[i].value;
		dict_find(d, seen[i].hash)->value = (uint32_t)i + 1;
	}
	free(seen);
}

static void lay_out(const struct corpus *c, const struct lesson *l, struct dict *d, size_t features, struct work *w)
{
	size_t room = l->docs * 3;
	for (size_t i = 0; i < l->docs; i++)
		room += c->doc[l->doc[i].doc].count;
	w->node = need(malloc(room * sizeof(*w->node)), room * sizeof(*w->node));
	w->value = need(malloc(room * sizeof(*w->value)), room * sizeof(*w->value));
	w->x = zeroed(l->docs, sizeof(*w->x));
	w->chosen = zeroed(l->docs, sizeof(*w->chosen));
	w->y = zeroed(l->docs, sizeof(*w->y));
	w->cost = zeroed(l->docs, sizeof(*w->cost));
	w->ratio = zeroed(features, sizeof(*w->ratio));
	w->light = zeroed(features, sizeof(*w->light));
	size_t at = 0;
	for (size_t i = 0; i < l->docs; i++) {
		const struct corpus_doc *doc = &c->doc[l->doc[i].doc];
		float length = 1.0f / sqrtf((float)doc->grams);
		w->x[i] = &w->node[at];
		for (size_t k = doc->at; k < doc->at + doc->count; k++) {
			uint32_t number = c->hash[k] ? dict_find(d, c->hash[k])->value : 0;
			if (number == 0)
				continue;
			bool light = c->times[k] & CORPUS_LIGHT;
			float view = light ? (float)TEXT_LIGHT_WEIGHT : 1.0f;
			w->light[number - 1] = light;
			w->node[at].index = (int)number;
			w->value[at++] = view * (float)(c->times[k] & (CORPUS_LIGHT - 1)) * length;
		}
		w->node[at].index = (int)features + 1;
		w->node[at].value = 1;
		w->value[at++] = 1;
		w->node[at].index = (int)(features + 2 + i);
		w->value[at++] = 0;
		w->node[at].index = -1;
		w->value[at++] = 0;
	}
	w->nodes = at;
}

static void free_work(struct work *w)
{
	free(w->node);
	free(w->value);
	free(w->x);
	free(w->chosen);
	free(w->y);
	free(w->cost);
	free(w->ratio);
	free(w->light);
}

/* +1, -1, or 0 for a document that says nothing about this output. */
static int side(const struct lesson *l, int output, const struct lesson_doc *d)
{
	if (l->kind == MODEL_POLARITY && output == 0)
		return d->label == 2 ? 1 : d->label == 0 ? -1 : 0;
	if (l->kind == MODEL_POLARITY)
		return d->label == 1 ? 1 : -1;
	return d->label == output ? 1 : -1;
}

static void quiet(const char *text)
{
	(void)text;
}

/* |log((df in + 1) / sum / ((df out + 1) / sum))| ^ NB_POWER: words that both sides use alike can hardly move the plane. */
static void set_ratios(struct work *w, size_t chosen, size_t features)
{
	uint32_t *in = zeroed(features, sizeof(*in)), *out = zeroed(features, sizeof(*out));
	double in_sum = 0, out_sum = 0;
	for (size_t i = 0; i < chosen; i++)
		for (const struct feature_node *n = w->chosen[i]; n->index <= (int)features; n++)
			(w->y[i] > 0 ? in : out)[n->index - 1]++;
	for (size_t k = 0; k < features; k++) {
		in_sum += in[k] + 1;
		out_sum += out[k] + 1;
	}
	for (size_t k = 0; k < features; k++)
		w->ratio[k] = (float)pow(fabs(log((in[k] + 1) / in_sum / ((out[k] + 1) / out_sum))), NB_POWER);
	free(in);
	free(out);
}

/* liblinear knows one cost a class, we want one a document. The squared hinge has the cost only on the diagonal of its dual,
 * as 1 / (2C), and a private feature of value v adds v^2 there: so with C = the highest cost and
 * v^2 = (1/C_i - 1/C) / 2 each document gets exactly its own. */
static void set_costs(struct work *w, size_t chosen, size_t features, double highest)
{
	for (size_t i = 0; i < chosen; i++) {
		struct feature_node *n = w->chosen[i];
		for (; n->index <= (int)features; n++)
			n->value = (double)w->value[n - w->node] * w->ratio[n->index - 1];
		double v = (1 / w->cost[i] - 1 / highest) / 2;
		n[1].value = v > 0 ? sqrt(v) : 0;
	}
}

static int fit_output(const struct lesson *l, int output, struct work *w, struct fit *fit, struct hy_fault *f)
{
	size_t chosen = 0, positive = 0;
	for (size_t i = 0; i < l->docs; i++) {
		int s = side(l, output, &l->doc[i]);
		if (s == 0)
			continue;
		w->chosen[chosen] = w->x[i];
		w->y[chosen] = s;
		w->cost[chosen++] = l->doc[i].weight;
		positive += s > 0;
	}
	if (positive == 0 || positive == chosen)
		return hy_fail(f, HY_BAD_INPUT, "task %s: no text to tell \"%s\" from the others", l->name,
			l->kind == MODEL_POLARITY ? output ? "neutral" : "positive" : l->label[output]);
	double power = l->labels == 2 ? CLASS_POWER / 2 : CLASS_POWER, highest = 0;
	double rare = pow((double)(chosen - positive) / (double)positive, power);
	for (size_t i = 0; i < chosen; i++) {
		w->cost[i] *= SVM_C * (w->y[i] > 0 ? rare : l->labels == 2 ? 1 / rare : 1);
		highest = w->cost[i] > highest ? w->cost[i] : highest;
	}
	set_ratios(w, chosen, fit->features);
	set_costs(w, chosen, fit->features, highest);
	struct problem problem = {
		.l = (int)chosen, .n = (int)(fit->features + 1 + l->docs), .y = w->y, .x = w->chosen, .bias = -1
	};
	struct parameter parameter = { .solver_type = L2R_L2LOSS_SVC_DUAL, .eps = SVM_EPS, .C = highest };
	set_print_string_function(quiet);
	srand(1); /* liblinear shuffles with rand() */
	struct liblinear_model *solved = train(&problem, &parameter);
	double sign = solved->label[0] > 0 ? 1 : -1;
	for (size_t k = 0; k < fit->features; k++)
		fit->weight[k * (size_t)fit->outputs + (size_t)output] =
			(float)(sign * solved->w[k] * w->ratio[k] * (w->light[k] ? TEXT_LIGHT_WEIGHT : 1));
	fit->bias[output] = (float)(sign * solved->w[fit->features]);
	free_and_destroy_model(&solved);
	return HY_OK;
}

struct worth {
	double score;
	uint32_t feature;
};

static int by_worth(const void *a, const void *b)
{
	const struct worth *x = a, *y = b;
	if (x->score != y->score)
		return x->score > y->score ? -1 : 1;
	return x->feature < y->feature ? -1 : x->feature > y->feature;
}

/* A feature is worth what it can change, times how often it is met (its root: rare ones were learned from less). */
static void choose(const struct lesson *l, struct fit *fit)
{
	struct worth *all = zeroed(fit->features, sizeof(*all));
	for (size_t i = 0; i < fit->features; i++) {
		const float *w = &fit->weight[i * (size_t)fit->outputs];
		float low = w[0], high = w[0];
		for (int k = 1; k < fit->outputs; k++) {
			low = fminf(low, w[k]);
			high = fmaxf(high, w[k]);
		}
		float span =
			fit->outputs == 1 || l->kind == MODEL_POLARITY ? fmaxf(fabsf(low), fabsf(high)) : high - low;
		all[i] = (struct worth){ (double)span * sqrt(fit->df[i]), (uint32_t)i };
	}
	qsort(all, fit->features, sizeof(*all), by_worth);
	size_t most = l->features ? l->features : FEATURES_DEFAULT;
	fit->kept = fit->features < most ? fit->features : most;
	fit->keep = zeroed(fit->kept, sizeof(*fit->keep));
	for (size_t i = 0; i < fit->kept; i++)
		fit->keep[i] = all[i].feature;
	free(all);
}

int train_fit(const struct corpus *c, const struct lesson *l, struct fit *out, struct hy_fault *f)
{
	*out = (struct fit){ .outputs = l->kind == MODEL_POLARITY ? 2 : l->labels == 2 ? 1 : l->labels };
	if (l->labels < 2)
		return hy_fail(f, HY_BAD_INPUT, "task %s: %zu texts with %d labels; at least two labels are needed",
			l->name, l->docs, l->labels);
	struct dict d = { 0 };
	struct work w = { 0 };
	number_features(c, l, &d, out);
	lay_out(c, l, &d, out->features, &w);
	free(d.slot);
	out->weight = zeroed(out->features * (size_t)out->outputs, sizeof(*out->weight));
	int err = HY_OK;
	for (int k = 0; k < out->outputs && err == HY_OK; k++)
		err = fit_output(l, k, &w, out, f);
	free_work(&w);
	if (err)
		fit_free(out);
	else
		choose(l, out);
	return err;
}

void fit_free(struct fit *fit)
{
	free(fit->hash);
	free(fit->df);
	free(fit->weight);
	free(fit->keep);
	*fit = (struct fit){ 0 };
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return x < y ? -1 : x > y;
}

/* The features that any task wants, once each. */
static uint32_t *all_keys(const struct fit *fits, int count, size_t *keys)
{
	size_t n = 0, room = 0;
	for (int i = 0; i < count; i++)
		room += fits[i].kept;
	uint32_t *key = zeroed(room, sizeof(*key));
	for (int i = 0; i < count; i++)
		for (size_t k = 0; k < fits[i].kept; k++)
			key[n++] = fits[i].hash[fits[i].keep[k]];
	qsort(key, n, sizeof(*key), by_number);
	*keys = 0;
	for (size_t i = 0; i < n; i++)
		if (i == 0 || key[i] != key[i - 1])
			key[(*keys)++] = key[i];
	return key;
}

int train_build(
	const struct lesson *lessons, const struct fit *fits, int count, struct hy_buffer *file, struct hy_fault *f)
{
	struct model_task_spec specs[MODEL_TASKS_MAX] = { 0 };
	const char *labels[MODEL_TASKS_MAX * MODEL_LABELS_MAX];
	size_t named = 0, outputs = 0, keys, first = 0;
	if (count > MODEL_TASKS_MAX)
		return hy_fail(f, HY_TOO_LARGE, "a model has at most %d tasks", MODEL_TASKS_MAX);
	for (int i = 0; i < count; i++) {
		const struct lesson *l = &lessons[i];
		specs[i] = (struct model_task_spec){ .kind = l->kind,
			.outputs = fits[i].outputs,
			.labels = l->labels,
			.label = &labels[named],
			.bias = fits[i].bias,
			.calibration = { 2, 0 },
			.polarity_scale = 1 };
		memcpy(specs[i].name, l->name, sizeof(l->name));
		for (int k = 0; k < l->labels; k++)
			labels[named++] = l->label[k];
		outputs += (size_t)fits[i].outputs;
	}
	uint32_t *key = all_keys(fits, count, &keys);
	float *weights = zeroed(keys * outputs, sizeof(*weights));
	for (int i = 0; i < count; first += (size_t)fits[i++].outputs) {
		size_t at = 0; /* both lists ascend */
		for (size_t k = 0; k < keys; k++) {
			while (at < fits[i].features && fits[i].hash[at] < key[k])
				at++;
			if (at < fits[i].features && fits[i].hash[at] == key[k])
				memcpy(&weights[k * outputs + first], &fits[i].weight[at * (size_t)fits[i].outputs],
					(size_t)fits[i].outputs * sizeof(*weights));
		}
	}
	int err = model_build(file, specs, count, key, weights, keys, f);
	free(weights);
	free(key);
	return err;
}
