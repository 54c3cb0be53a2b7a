#include "recipe.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "json/json.h"
#include "lexicon.h"
#include "rows.h"
#include "taxonomy.h"
#include "train.h"

enum { SENTIMENT, TYPE, TOPIC, TASKS };
static const char *const task_names[TASKS] = { "sentiment", "type", "topic" };

static const char *const sentiment_labels[] = { "negative", "neutral", "positive", NULL };
static const char *const type_labels[] = { "bug_report", "feature_request", "question", "complaint", "praise", "other",
	NULL };
static const char *const topic_labels[] = { "delivery", "quality", "price", "billing", "account", "service",
	"order_refund", "app_tech", "performance_usability", "other", NULL };
static const char *const *const task_labels[TASKS] = { sentiment_labels, type_labels, topic_labels };

struct kitchen {
	const struct recipe_options *options;
	struct taxonomy *taxonomy;
	struct lexicon *lexicon;
	struct text *text;
	struct corpus corpus, dev;
	struct lesson learn[TASKS], tune[TASKS];
	/* of the set being read */
	const char *set;
	const struct hy_json *rules;
	bool for_dev, seeds, weak_topic, weak_question;
	uint16_t source;
	bool asked; /* "question" counts only where the text asks: a set of intents calls everything one */
	float topic_weight;
	int64_t weak_other_every; /* each so many rows that name no topic are taken for "other"; 0 = none */
	size_t weak_others;
	int64_t other_every; /* a row that is "other" counts only each so many times: such sets are large */
	size_t others;
	float seed_weight, weak_weight;
};

static void say(const struct kitchen *k, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void say(const struct kitchen *k, const char *fmt, ...)
{
	char line[256];
	va_list args;
	va_start(args, fmt);
	vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	if (k->options->say)
		k->options->say(line);
}

/* Shops' reviews have no topic, but a review that speaks of one topic alone in plain words shows the model the words around. */
static int weak_topic(const struct found *found)
{
	int best = -1;
	for (int i = 0; i < SIGN_TOPICS; i++) {
		float sum = found->sum[SIGN_FIRST_TOPIC + i];
		if (sum > 0 && best >= 0)
			return -1;
		if (sum >= 2)
			best = i;
		else if (sum > 0)
			return -1;
	}
	return best;
}

static bool names_no_topic(const struct found *found)
{
	for (int i = 0; i < SIGN_TOPICS; i++)
		if (found->sum[SIGN_FIRST_TOPIC + i] > 0)
			return false;
	return true;
}

static bool is_question(const struct found *found, const struct text *t)
{
	return t->count && t->norm[t->count - 1] == '?' && found->sum[SIGN_QUESTION] >= 3 &&
	       found->sum[SIGN_COMPLAINT] == 0 && found->sum[SIGN_BUG] == 0 && found->sum[SIGN_FEATURE] == 0;
}

static int on_row(void *arg, const struct row *row, struct hy_fault *f)
{
	struct kitchen *k = arg;
	const char *value[TASKS] = { row->sentiment, row->type, row->topic };
	float weight[TASKS];
	struct found found;
	for (int i = 0; i < TASKS; i++) {
		weight[i] = k->seeds ? k->seed_weight : 1;
		if (!k->seeds)
			value[i] = taxonomy_get(k->taxonomy, k->set, row->label, task_names[i]);
	}
	if (!k->seeds) {
		text_read(k->text, row->text);
		lexicon_find(k->lexicon, k->text, &found);
		weight[TOPIC] = k->topic_weight;
		if (k->asked && strcmp(value[TYPE], "question") == 0 && found.sum[SIGN_QUESTION] < 2)
			value[TYPE] = "";
	}
	if (!k->seeds && !k->for_dev) {
		int topic = k->weak_topic && !*value[TOPIC] ? weak_topic(&found) : -1;
		if (topic >= 0) {
			value[TOPIC] = topic_labels[topic];
			weight[TOPIC] = k->weak_weight;
		} else if (k->weak_other_every && !*value[TOPIC] && names_no_topic(&found) &&
			   k->weak_others++ % (size_t)k->weak_other_every == 0) {
			value[TOPIC] = "other";
			weight[TOPIC] = k->weak_weight;
		}
		if (k->weak_question && is_question(&found, k->text)) {
			value[TYPE] = "question";
			weight[TYPE] = k->weak_weight;
		}
	}
	if (k->other_every > 1 && (strcmp(value[TYPE], "other") == 0 || strcmp(value[TOPIC], "other") == 0) &&
		k->others++ % (size_t)k->other_every != 0) {
		value[TYPE] = strcmp(value[TYPE], "other") ? value[TYPE] : "";
		value[TOPIC] = strcmp(value[TOPIC], "other") ? value[TOPIC] : "";
	}
	if (!*value[SENTIMENT] && !*value[TYPE] && !*value[TOPIC])
		return HY_OK;
	uint32_t doc = corpus_add(k->for_dev ? &k->dev : &k->corpus, k->text, row->text);
	for (int i = 0; i < TASKS; i++) {
		if (!*value[i])
			continue;
		struct lesson *l = k->for_dev ? &k->tune[i] : &k->learn[i];
		int label = lesson_label(l, value[i], false);
		if (label < 0)
			return hy_fail(
				f, HY_BAD_INPUT, "line %zu: \"%.40s\" is no %s", row->line, value[i], task_names[i]);
		lesson_add(l, (struct lesson_doc){
				      .doc = doc, .label = (uint16_t)label, .source = k->source, .weight = weight[i] });
	}
	return HY_OK;
}

/* {"set": {"label": {"type": "question"}}}: what the recipe says beyond, or against, the taxonomy. */
static void add_meanings(struct kitchen *k, const struct hy_json *sets)
{
	for (const struct hy_json *set = sets ? sets->first : NULL; set; set = set->next)
		for (const struct hy_json *label = set->first; label; label = label->next)
			for (const struct hy_json *task = label->first; task; task = task->next)
				if (task->type == HY_JSON_TEXT)
					taxonomy_set(k->taxonomy, (const char *)set->key.data,
						(const char *)label->key.data, (const char *)task->key.data,
						(const char *)task->text.data);
}

static int read_file(struct kitchen *k, const char *path, struct hy_fault *f)
{
	struct hy_fault why = { 0 };
	k->others = 0;
	int err = rows_read(path, on_row, k, &why);
	return err ? hy_fail(f, err, "%s: %s", path, why.text) : HY_OK;
}

static int read_set(struct kitchen *k, const struct hy_json *rules, struct hy_fault *f)
{
	char path[4096];
	k->set = (const char *)rules->key.data;
	k->weak_topic = hy_json_truth(rules, "weak_topic", false);
	k->weak_question = hy_json_truth(rules, "weak_question", false);
	k->other_every = hy_json_integer(rules, "other_every", 1);
	k->weak_other_every = hy_json_integer(rules, "weak_other_every", 0);
	k->asked = hy_json_truth(rules, "question_if_asked", false);
	const struct hy_json *topic_weight = hy_json_get(rules, "topic_weight");
	k->topic_weight = topic_weight && topic_weight->type == HY_JSON_NUMBER ? (float)topic_weight->number : 1;
	if (k->source == LESSON_SOURCES_MAX - 1)
		return hy_fail(f, HY_TOO_LARGE, "a recipe has at most %d sets", LESSON_SOURCES_MAX - 2);
	k->source++;
	for (int dev = 0; dev < 2; dev++) {
		k->for_dev = dev;
		snprintf(path, sizeof(path), "%s/%s/%s.jsonl", k->options->data, k->set, dev ? "dev" : "train");
		if (access(path, R_OK) != 0)
			strcat(path, ".gz");
		int err = read_file(k, path, f);
		if (err)
			return err;
	}
	say(k, "%-18s %zu texts so far", k->set, k->corpus.docs);
	return HY_OK;
}

static int read_whole(const char *path, struct hy_buffer *out, struct hy_fault *f)
{
	FILE *in = fopen(path, "re");
	if (!in)
		return hy_fail(f, HY_NOT_FOUND, "%s: %m", path);
	char part[4096];
	for (size_t n; (n = fread(part, 1, sizeof(part), in)) > 0 && out->size < ROW_BYTES_MAX;)
		hy_buffer_put(out, part, n);
	fclose(in);
	return out->size < ROW_BYTES_MAX ? HY_OK
					 : hy_fail(f, HY_TOO_LARGE, "%s is larger than %zu bytes", path, ROW_BYTES_MAX);
}

static int gather(struct kitchen *k, const struct hy_json *recipe, struct hy_fault *f)
{
	const struct hy_json *sets = hy_json_get(recipe, "sets"), *tasks = hy_json_get(recipe, "tasks");
	const struct hy_json *weight = hy_json_get(recipe, "seed_weight"), *weak = hy_json_get(recipe, "weak_weight");
	k->seed_weight = weight && weight->type == HY_JSON_NUMBER ? (float)weight->number : 1;
	k->weak_weight = weak && weak->type == HY_JSON_NUMBER ? (float)weak->number : 0.5f;
	if (!sets || sets->type != HY_JSON_OBJECT)
		return hy_fail(f, HY_BAD_INPUT, "%s: expected an object \"sets\"", k->options->recipe);
	for (int i = 0; i < TASKS; i++) {
		struct lesson *both[] = { &k->learn[i], &k->tune[i] };
		for (int b = 0; b < 2; b++) {
			snprintf(both[b]->name, sizeof(both[b]->name), "%s", task_names[i]);
			both[b]->kind = i == SENTIMENT ? MODEL_POLARITY : MODEL_CLASSES;
			both[b]->features = (uint32_t)hy_json_integer(hy_json_get(tasks, task_names[i]), "features", 0);
			for (int n = 0; task_labels[i][n]; n++)
				lesson_label(both[b], task_labels[i][n], true);
		}
	}
	add_meanings(k, hy_json_get(recipe, "labels"));
	int err = HY_OK;
	for (const struct hy_json *set = sets->first; set && err == HY_OK; set = set->next)
		err = read_set(k, set, f);
	if (err == HY_OK && k->options->seeds) {
		k->seeds = true;
		k->for_dev = false;
		k->other_every = 1;
		k->source++;
		err = read_file(k, k->options->seeds, f);
	}
	return err;
}

static int learn(struct kitchen *k, struct hy_buffer *file, struct hy_fault *f)
{
	struct fit fits[TASKS] = { 0 };
	int err = HY_OK;
	for (int i = 0; i < TASKS && err == HY_OK; i++) {
		lesson_balance(&k->learn[i]);
		err = train_fit(&k->corpus, &k->learn[i], &fits[i], f);
		if (err == HY_OK)
			say(k, "%-18s %zu texts, %zu features, %zu kept", task_names[i], k->learn[i].docs,
				fits[i].features, fits[i].kept);
	}
	if (err == HY_OK)
		err = train_build(k->learn, fits, TASKS, file, f);
	if (err == HY_OK)
		err = train_tune(file, &k->dev, k->tune, TASKS, f);
	for (int i = 0; i < TASKS; i++)
		fit_free(&fits[i]);
	return err;
}

int recipe_train(const struct recipe_options *o, struct hy_buffer *file, struct hy_fault *f)
{
	char taxonomy[4096];
	snprintf(taxonomy, sizeof(taxonomy), "%s/taxonomy.tsv", o->data);
	struct kitchen *k = calloc(1, sizeof(*k));
	if (!k)
		return hy_fail(f, HY_NO_MEMORY, "no memory to train");
	struct hy_buffer text = { 0 };
	struct hy_json_reader *reader = hy_json_reader_new();
	const struct hy_json *recipe = NULL;
	struct hy_fault why = { 0 };
	k->options = o;
	k->lexicon = lexicon_new();
	k->text = text_new();
	int err = taxonomy_open(&k->taxonomy, taxonomy, f);
	if (err == HY_OK)
		err = read_whole(o->recipe, &text, f);
	if (err == HY_OK && (err = hy_json_read_copy(reader, hy_buffer_view(&text), &recipe, &why)) != HY_OK)
		hy_fail(f, err, "%s: %s", o->recipe, why.text);
	if (err == HY_OK)
		err = gather(k, recipe, f);
	if (err == HY_OK)
		err = learn(k, file, f);
	for (int i = 0; i < TASKS; i++) {
		lesson_free(&k->learn[i]);
		lesson_free(&k->tune[i]);
	}
	corpus_free(&k->corpus);
	corpus_free(&k->dev);
	taxonomy_close(&k->taxonomy);
	lexicon_free(&k->lexicon);
	text_free(&k->text);
	hy_json_reader_free(&reader);
	hy_buffer_free(&text);
	free(k);
	return err;
}
