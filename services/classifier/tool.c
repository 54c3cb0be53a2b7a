#include "tool.h"

#include <argp.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "json/json.h"
#include "judge.h"
#include "measure.h"
#include "model.h"
#include "recipe.h"
#include "set.h"

enum {
	FILES_MAX = 1024,
	OPTION_DATA = 256,
	OPTION_DEV,
	OPTION_OUT,
	OPTION_TASK,
	OPTION_FEATURES,
	OPTION_RECIPE,
	OPTION_SEEDS,
	OPTION_MODEL,
	OPTION_JSON,
	OPTION_TAXONOMY,
	OPTION_MODEL_ONLY
};

/* The options of all verbs; each verb's table offers its own. */
struct options {
	const char *files[FILES_MAX];
	size_t file_count;
	const char *dev, *out, *task, *recipe, *seeds, *model, *taxonomy;
	uint32_t features;
	bool json, model_only;
};

static error_t on_option(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;
	switch (key) {
	case OPTION_DATA:
	case ARGP_KEY_ARG:
		if (o->file_count == FILES_MAX)
			argp_error(state, "at most %d files", FILES_MAX);
		o->files[o->file_count++] = arg;
		return 0;
	case OPTION_DEV:
		o->dev = arg;
		return 0;
	case OPTION_OUT:
		o->out = arg;
		return 0;
	case OPTION_TASK:
		o->task = arg;
		return 0;
	case OPTION_RECIPE:
		o->recipe = arg;
		return 0;
	case OPTION_SEEDS:
		o->seeds = arg;
		return 0;
	case OPTION_MODEL:
		o->model = arg;
		return 0;
	case OPTION_TAXONOMY:
		o->taxonomy = arg;
		return 0;
	case OPTION_JSON:
		o->json = true;
		return 0;
	case OPTION_MODEL_ONLY:
		o->model_only = true;
		return 0;
	case OPTION_FEATURES: {
		char *end;
		unsigned long n = strtoul(arg, &end, 10);
		if (*end || n < 16 || n > 4000000)
			argp_error(state, "--features takes a number from 16 to 4000000");
		o->features = (uint32_t)n;
		return 0;
	}
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static int complain(const struct hy_fault *f)
{
	fprintf(stderr, "huiyin-classifier: %s\n", f->text);
	return hy_err_exit(f->err);
}

static void say(const char *line)
{
	fprintf(stderr, "%s\n", line);
}

/* The recipe and the seeds stay in the source tree: who trains the shipped model anew has it at hand. */
static void beside_sources(const char *name, char *out, size_t room)
{
	snprintf(out, room, "%s/%s", HY_MODEL_SOURCES, name);
}

static bool is_directory(const char *path)
{
	char inside[PATH_MAX];
	return (size_t)snprintf(inside, sizeof(inside), "%s/.", path) < sizeof(inside) && access(inside, F_OK) == 0;
}

static const struct argp_option train_options[] = {
	{ "data", OPTION_DATA, "FILE|DIR", 0, "JSONL rows to learn from (plain or gzip), or the directory of all sets",
		0 },
	{ "dev", OPTION_DEV, "FILE", 0, "rows to set confidence by (default: every tenth row of the data)", 0 },
	{ "task", OPTION_TASK, "NAME", 0, "what the labels are about, like department (default: label)", 0 },
	{ "out", OPTION_OUT, "FILE", 0, "where the model goes", 0 },
	{ "features", OPTION_FEATURES, "N", 0, "n-grams to keep (default 32768)", 0 },
	{ "recipe", OPTION_RECIPE, "FILE", 0, "with a directory: which sets, and what their labels mean", 0 },
	{ "seeds", OPTION_SEEDS, "FILE", 0, "with a directory: own sentences, rows with sentiment, type and topic", 0 },
	{ "json", OPTION_JSON, NULL, 0, "print the result as JSON", 0 },
	{ 0 },
};
static const struct argp train_argp = { train_options, on_option, "[FILE...]",
	"Learns a model from labelled texts.\v"
	"An own label set:   train --data train.jsonl --dev dev.jsonl --task department --out department.model\n"
	"The shipped model:  train --data DIR --out huiyin.model\n"
	"A row is {\"text\": \"...\", \"label\": \"...\"}, one a line.",
	NULL, NULL, NULL };

static int verb_train(struct options *o)
{
	struct hy_fault f = { 0 };
	struct hy_buffer file = { 0 };
	char recipe[PATH_MAX], seeds[PATH_MAX];
	size_t rows = 0;
	int labels = 0, err;
	if (o->file_count == 0 || !o->out)
		return complain(&(struct hy_fault){ HY_USAGE, "train needs --data and --out; see --help" });
	uint64_t begin = hy_mono_ns();
	if (o->file_count == 1 && is_directory(o->files[0])) {
		beside_sources("recipe.json", recipe, sizeof(recipe));
		beside_sources("seeds.jsonl", seeds, sizeof(seeds));
		const struct recipe_options r = { .data = o->files[0],
			.recipe = o->recipe ? o->recipe : recipe,
			.seeds = o->seeds                   ? o->seeds
				 : access(seeds, R_OK) == 0 ? seeds
							    : NULL,
			.say = o->json ? NULL : say };
		err = recipe_train(&r, &file, &f);
	} else {
		const struct set_options s = { .task = o->task ? o->task : "label",
			.files = o->files,
			.file_count = o->file_count,
			.dev = o->dev,
			.features = o->features };
		err = set_train(&s, &file, &rows, &labels, &f);
	}
	if (err == HY_OK)
		err = model_write(o->out, hy_buffer_view(&file), &f);
	struct model *m = NULL;
	if (err == HY_OK)
		err = model_open(&m, o->out, &f); /* what was written is what will be read */
	if (err == HY_OK) {
		double seconds = (double)(hy_mono_ns() - begin) / 1e9;
		if (o->json)
			printf("{\"model\":\"%s\",\"bytes\":%zu,\"features\":%zu,\"tasks\":%d,\"rows\":%zu,\"labels\":%"
			       "d,\"seconds\":%.1f}\n",
				model_version(m), file.size, model_features(m), model_tasks(m), rows, labels, seconds);
		else
			printf("model %s: %zu features, %d task%s, %zu bytes, %.1f s -> %s\n", model_version(m),
				model_features(m), model_tasks(m), model_tasks(m) == 1 ? "" : "s", file.size, seconds,
				o->out);
	}
	model_close(&m);
	hy_buffer_free(&file);
	return err ? complain(&f) : EX_OK;
}

static const struct argp_option eval_options[] = {
	{ "model", OPTION_MODEL, "FILE", 0, "the model to measure (default: the installed one)", 0 },
	{ "task", OPTION_TASK, "NAME", 0, "which task of it (default: the one that knows the rows' labels)", 0 },
	{ "taxonomy", OPTION_TAXONOMY, "FILE", 0,
		"what the labels mean: taxonomy.tsv; a file's set is the directory it lies in", 0 },
	{ "model-only", OPTION_MODEL_ONLY, NULL, 0, "the model's own opinion, without the lexicon's", 0 },
	{ "json", OPTION_JSON, NULL, 0, "print the result as JSON", 0 },
	{ 0 },
};
static const struct argp eval_argp = { eval_options, on_option, "FILE...",
	"Measures a model on labelled rows it has not learned from.\v"
	"eval --model department.model test.jsonl\n"
	"eval --task type --taxonomy data/taxonomy.tsv data/en_issues/dev.jsonl",
	NULL, NULL, NULL };

static int verb_eval(struct options *o)
{
	struct hy_fault f = { 0 };
	struct hy_buffer text = { 0 };
	if (o->file_count == 0)
		return complain(&(struct hy_fault){ HY_USAGE, "eval needs a file of labelled rows; see --help" });
	const struct measure_options m = { .model = o->model,
		.task = o->task,
		.taxonomy = o->taxonomy,
		.files = o->files,
		.file_count = o->file_count,
		.model_only = o->model_only,
		.json = o->json };
	int err = measure(&m, &text, &f);
	if (err == HY_OK && fwrite(text.data, 1, text.size, stdout) != text.size)
		err = hy_fail(&f, HY_IO, "standard output: %m");
	hy_buffer_free(&text);
	return err ? complain(&f) : EX_OK;
}

static const struct argp_option classify_options[] = {
	{ "model", OPTION_MODEL, "FILE", 0, "the model to use (default: the installed one)", 0 },
	{ "json", OPTION_JSON, NULL, 0, "one JSON object a line", 0 },
	{ 0 },
};
static const struct argp classify_argp = { classify_options, on_option, NULL,
	"Reads texts from standard input, one a line, and says what each is about.\v"
	"echo '点开订单就闪退' | huiyin-classifier --tool classify --json",
	NULL, NULL, NULL };

static json_t *label_json(const Huiyin__Label *l)
{
	json_t *spans = json_array();
	for (size_t i = 0; i < l->n_evidence; i++)
		json_array_append_new(spans, json_pack("[ii]", (int)l->evidence[i]->begin, (int)l->evidence[i]->end));
	return json_pack("{sssfso}", "name", l->name, "confidence", (double)l->confidence, "evidence", spans);
}

static void print_json(struct hy_bytes text, const Huiyin__Classification *c)
{
	json_t *reasons = json_array();
	for (size_t i = 0; i < c->n_urgency_reasons; i++)
		json_array_append_new(reasons, json_string(c->urgency_reasons[i]));
	json_t *line = json_pack("{ss%ssso}", "text", (const char *)text.data, text.size, "language", c->language,
		"sentiment", label_json(c->sentiment));
	if (!line) /* the line is not UTF-8: its verdict stands without it */
		line = json_pack("{snssso}", "text", "language", c->language, "sentiment", label_json(c->sentiment));
	json_object_set_new(line, "polarity", json_real(c->polarity));
	json_object_set_new(line, "type", label_json(c->type));
	json_object_set_new(line, "topic", label_json(c->topic));
	json_object_set_new(line, "urgency", label_json(c->urgency));
	json_object_set_new(line, "urgency_reasons", reasons);
	json_object_set_new(line, "unsure", json_boolean(c->unsure));
	json_object_set_new(line, "model", json_string(c->model));
	json_dumpf(line, stdout, JSON_COMPACT | JSON_REAL_PRECISION(4));
	putchar('\n');
	json_decref(line);
}

static int verb_classify(struct options *o)
{
	struct hy_fault f = { 0 };
	struct judge *judge;
	if (o->file_count > 0)
		return complain(&(struct hy_fault){ HY_USAGE, "classify reads standard input and takes no files" });
	if (judge_open(&judge, o->model, &f) != HY_OK)
		return complain(&f);
	struct judge_scratch *scratch = judge_scratch_new();
	struct hy_arena *arena = hy_arena_new(0);
	char *line = NULL;
	size_t room = 0;
	for (ssize_t n; (n = getline(&line, &room, stdin)) >= 0;) {
		while (n > 0 && (line[n - 1] == '\n' || line[n - 1] == '\r'))
			line[--n] = 0;
		Huiyin__Classification c;
		judge_text(judge, scratch, &(struct judge_input){ .text = hy_bytes(line, (size_t)n) }, &c, arena);
		if (o->json)
			print_json(hy_bytes(line, (size_t)n), &c);
		else
			printf("%-5s %-8s %+.2f  %-15s %.2f  %-21s %.2f  %-8s%s\n", c.language, c.sentiment->name,
				c.polarity, c.type->name, (double)c.type->confidence, c.topic->name,
				(double)c.topic->confidence, c.urgency->name, c.unsure ? "  unsure" : "");
		hy_arena_reset(arena);
	}
	bool good = fflush(stdout) == 0 && !ferror(stdin);
	free(line);
	hy_arena_free(&arena);
	judge_scratch_free(&scratch);
	judge_close(&judge);
	return good ? EX_OK : EX_IOERR;
}

static const struct {
	const char *name, *help;
	const struct argp *argp;
	int (*run)(struct options *o);
} verbs[] = {
	{ "train", "learn a model from labelled texts", &train_argp, verb_train },
	{ "eval", "measure a model on labelled texts", &eval_argp, verb_eval },
	{ "classify", "judge the lines of standard input", &classify_argp, verb_classify },
};

static int list_verbs(FILE *out, int code)
{
	fprintf(out, "Usage: huiyin-classifier --tool VERB [OPTION...]\n\n");
	for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++)
		fprintf(out, "  %-10s %s\n", verbs[i].name, verbs[i].help);
	fprintf(out, "\nVERB --help tells more.\n");
	return code;
}

int classifier_tool(int argc, char **argv)
{
	int at = argc > 1 && strcmp(argv[1], "--tool") == 0 ? 2 : 1;
	if (at >= argc)
		return list_verbs(stderr, EX_USAGE);
	if (strcmp(argv[at], "--help") == 0)
		return list_verbs(stdout, EX_OK);
	for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++) {
		if (strcmp(argv[at], verbs[i].name) != 0)
			continue;
		char name[64];
		struct options *o = calloc(1, sizeof(*o));
		if (!o)
			return EX_OSERR;
		snprintf(name, sizeof(name), "huiyin-classifier --tool %s", verbs[i].name);
		char *program = argv[at];
		argv[at] = name;
		error_t bad = argp_parse(verbs[i].argp, argc - at, argv + at, 0, NULL, o);
		argv[at] = program;
		int code = bad ? EX_USAGE : verbs[i].run(o);
		free(o);
		return code;
	}
	fprintf(stderr, "huiyin-classifier: no such verb: %s\n", argv[at]);
	return list_verbs(stderr, EX_USAGE);
}
