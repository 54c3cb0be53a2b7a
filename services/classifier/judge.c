#include "judge.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/place.h"
#include "base/text.h"
#include "lexicon.h"
#include "model.h"
#include "urgency.h"

enum { SENTIMENT, TYPE, TOPIC, TASKS };
enum { BUG, FEATURE, QUESTION, COMPLAINT, PRAISE, OTHER_TYPE, TYPES };
enum { NEGATIVE, NEUTRAL, POSITIVE };
enum { APP_TECH = SIGN_APP_TECH - SIGN_FIRST_TOPIC, OTHER_TOPIC = SIGN_TOPICS };
enum { EVIDENCE_MAX = 3 };

static const char *const sentiment_names[] = { "negative", "neutral", "positive", NULL };
static const char *const type_names[] = { "bug_report", "feature_request", "question", "complaint", "praise", "other",
	NULL };
static const char *const topic_names[] = { "delivery", "quality", "price", "billing", "account", "service",
	"order_refund", "app_tech", "performance_usability", "other", NULL };
static const struct {
	const char *name;
	const char *const *labels;
} tasks[TASKS] = { { "sentiment", sentiment_names }, { "type", type_names }, { "topic", topic_names } };

struct judge {
	struct model *model;
	struct lexicon *lexicon;
	int task[TASKS];
};

enum { SENTIMENT_LABEL, TYPE_LABEL, TOPIC_LABEL, URGENCY_LABEL, LABELS };

struct judge_scratch {
	Huiyin__Label spare[LABELS]; /* for a verdict whose arena is full */
	struct model_hits hits;
	struct model_scores scores;
	struct found found;
	struct text *text;
};

void judge_model_path(char *out, size_t room)
{
	const char *named = getenv("HUIYIN_MODEL");
	if (named && *named)
		snprintf(out, room, "%s", named);
	else if (!hy_share_path("huiyin.model", out, room))
		snprintf(out, room, "huiyin.model");
}

/* The rules below speak of labels by number, so the file must have exactly these. */
static int check_labels(const struct judge *j, const char *path, struct hy_fault *f)
{
	for (int t = 0; t < TASKS; t++) {
		int n = 0;
		while (tasks[t].labels[n])
			n++;
		bool same = j->task[t] >= 0 && model_labels(j->model, j->task[t]) == n;
		for (int i = 0; same && i < n; i++)
			same = strcmp(model_label(j->model, j->task[t], i), tasks[t].labels[i]) == 0;
		if (!same || (t == SENTIMENT && model_task_kind(j->model, j->task[t]) != MODEL_POLARITY))
			return hy_fail(f, HY_BAD_INPUT,
				"%s does not judge %s as Huiyin does: train it with `huiyin train --data DIR`", path,
				tasks[t].name);
	}
	return HY_OK;
}

int judge_open(struct judge **out, const char *model_path, struct hy_fault *f)
{
	char path[PATH_MAX];
	*out = NULL;
	if (model_path)
		snprintf(path, sizeof(path), "%s", model_path);
	else
		judge_model_path(path, sizeof(path));
	struct judge *j = calloc(1, sizeof(*j));
	if (!j)
		hy_panic("no memory for a judge");
	int err = model_open(&j->model, path, f);
	if (err == HY_OK) {
		for (int t = 0; t < TASKS; t++)
			j->task[t] = model_task(j->model, tasks[t].name);
		err = check_labels(j, path, f);
	}
	if (err) {
		judge_close(&j);
		return err;
	}
	j->lexicon = lexicon_new();
	*out = j;
	return HY_OK;
}

void judge_close(struct judge **j)
{
	if (!*j)
		return;
	model_close(&(*j)->model);
	lexicon_free(&(*j)->lexicon);
	free(*j);
	*j = NULL;
}

const char *judge_model_version(const struct judge *j)
{
	return model_version(j->model);
}

struct judge_scratch *judge_scratch_new(void)
{
	struct judge_scratch *s = calloc(1, sizeof(*s));
	if (!s)
		hy_panic("no memory to judge texts");
	s->text = text_new();
	return s;
}

void judge_scratch_free(struct judge_scratch **s)
{
	if (!*s)
		return;
	text_free(&(*s)->text);
	free(*s);
	*s = NULL;
}

/* Net promoter scores are not even: 0 to 6 are against, 9 and 10 for. The other scales begin at 1. */
static bool one_rating(const Huiyin__Rating *r, float *out)
{
	bool has_max = r->has_max_case == HUIYIN__RATING__HAS_MAX_MAX;
	if (r->has_score_case != HUIYIN__RATING__HAS_SCORE_SCORE || !isfinite(r->score) ||
		(has_max && !isfinite(r->max)))
		return false;
	bool nps = r->scale && strcmp(r->scale, "nps") == 0, ces = r->scale && strcmp(r->scale, "ces") == 0;
	double max = has_max && r->max > 1 ? r->max : nps ? 10 : ces ? 7 : 5, score = r->score, v;
	if (nps) {
		score = score * 10 / max;
		v = score < 6.5 ? -1 + score / 6 * 0.5 : score < 8.5 ? 0 : score < 9.5 ? 0.8 : 1;
	} else {
		v = 2 * (score - 1) / (max - 1) - 1;
	}
	v = v < -1 ? -1 : v > 1 ? 1 : v;
	*out = (float)(r->lower_better ? -v : v);
	return true;
}

bool judge_rating(Huiyin__Rating *const *ratings, size_t count, float *out)
{
	float sum = 0, v;
	int n = 0;
	for (size_t i = 0; i < count; i++)
		if (one_rating(ratings[i], &v)) {
			sum += v;
			n++;
		}
	*out = n ? sum / (float)n : 0;
	return n > 0;
}

static float most(float v, float limit)
{
	return v < limit ? v : limit;
}

/* Longer words on urgency hide the shorter ones that name a topic; they imply it. */
static void add_implied(struct found *found)
{
	float *sum = found->sum;
	sum[SIGN_BILLING] += most(sum[SIGN_MONEY_LOSS], 2);
	sum[SIGN_ACCOUNT] += most(sum[SIGN_LOCKED_OUT], 2);
	sum[SIGN_QUALITY] += most(sum[SIGN_SAFETY], 4);
	sum[SIGN_APP_TECH] += most(sum[SIGN_OUTAGE] + sum[SIGN_DATA_LOSS], 2);
	sum[SIGN_BUG] += most(sum[SIGN_OUTAGE] + sum[SIGN_DATA_LOSS] + sum[SIGN_LOCKED_OUT], 1.5f);
	sum[SIGN_COMPLAINT] += most(sum[SIGN_LEGAL] + sum[SIGN_MEDIA] + sum[SIGN_FRAUD], 3);
}

static void adjust_sentiment(const struct judge_scratch *s, bool rated, float rating, float *score)
{
	const struct text *t = s->text;
	float words = s->found.sum[SIGN_PRAISE] - s->found.sum[SIGN_COMPLAINT];
	for (int i = SIGN_SAFETY; i <= SIGN_DATA_LOSS; i++)
		words -= s->found.sum[i]; /* told coolly, it still is bad news */
	words = words > 3 ? 3 : words < -3 ? -3 : words;
	/* Of emoji alone the model has seen few, and of English reviews fewer than of Chinese ones. */
	float nudge = words * (t->letters + t->han == 0 ? 0.5f : t->han ? 0.05f : 0.1f);
	if (rated) {
		float strength = fabsf(score[POSITIVE]);
		nudge += rating * (fabsf(rating) > 0.9f ? 0.9f : 0.5f) / (1 + strength);
	}
	score[POSITIVE] += nudge;
	score[NEGATIVE] -= nudge;
	score[NEUTRAL] -= 0.15f * fabsf(words);
	if (rated && fabsf(rating) > 0.7f)
		score[NEUTRAL] -= 0.3f;
}

/* In a page of text every phrase turns up sooner or later; there the model, which reads all of it, knows better. */
static float lexicon_share(const struct text *t)
{
	enum { SHORT = 160 };
	return t->count <= SHORT ? 1 : fmaxf(0.2f, (float)SHORT / (float)t->count);
}

static bool fails(const struct found *found)
{
	const float *sum = found->sum;
	return sum[SIGN_BUG] >= 2 && sum[SIGN_APP_TECH] + sum[SIGN_ACCOUNT] + sum[SIGN_USABILITY] > 0;
}

static void adjust_type(const struct judge_scratch *s, float polarity, float *score)
{
	const struct text *t = s->text;
	const float *sum = s->found.sum;
	float share = lexicon_share(t);
	bool asks = t->count && t->norm[t->count - 1] == '?';
	bool mark = asks;
	for (uint32_t i = 0; i < t->count && !mark; i++)
		mark = t->norm[i] == '?';
	float question = most(sum[SIGN_QUESTION], 4);
	if (!mark && sum[SIGN_QUESTION] < 2) {
		question = 0; /* a lone "what" or "when" joins clauses */
		score[QUESTION] -= 0.5f * share;
	}
	/* What plainly fails is a report to engineering, however angry; a wish is a wish, however polite or not. */
	bool broken = fails(&s->found);
	score[BUG] += share * (0.25f * most(sum[SIGN_BUG], 4) + (broken ? 0.4f : 0));
	score[COMPLAINT] -= share * (broken ? 0.3f : 0);
	score[FEATURE] += share * 0.3f * most(sum[SIGN_FEATURE], 4);
	score[QUESTION] += share * (0.15f * question + (asks ? 0.25f : 0));
	score[COMPLAINT] += share * 0.1f * most(sum[SIGN_COMPLAINT], 3);
	score[PRAISE] += share * 0.1f * most(sum[SIGN_PRAISE], 3);
	/* Praise and complaint are what a feeling is called when it is not about anything else. A fault is bad news as well, so
	 * anger does not speak against it, nor kind words against a wish. */
	float feeling = polarity * share;
	score[PRAISE] += 0.4f * feeling;
	score[COMPLAINT] -= (feeling < 0 ? 0.6f : 0.4f) * feeling;
	score[BUG] -= 0.4f * feeling;
	score[FEATURE] += 0.3f * fabsf(feeling);
	if (fabsf(polarity) > 0.5f)
		score[OTHER_TYPE] -= 0.3f;
	if (polarity < -0.2f)
		score[PRAISE] -= 0.6f;
	if (polarity > 0.3f)
		score[COMPLAINT] -= 0.6f;
}

static void adjust_topic(const struct judge_scratch *s, float *score)
{
	for (int i = 0; i < SIGN_TOPICS; i++)
		score[i] += 0.2f * lexicon_share(s->text) * most(s->found.sum[SIGN_FIRST_TOPIC + i], 5);
	bool any = false;
	float highest = score[0];
	for (int i = 0; i < SIGN_TOPICS; i++) {
		any |= s->found.sum[SIGN_FIRST_TOPIC + i] > 0;
		highest = fmaxf(highest, score[i]);
	}
	/* Where it happens matters less than that the program fails: "opening my orders crashes" is not about orders. */
	const float *sum = s->found.sum;
	if (fails(&s->found) && sum[SIGN_APP_TECH] >= 2 && sum[SIGN_ACCOUNT] + sum[SIGN_BILLING] == 0)
		score[APP_TECH] = highest + 0.5f;
	if (!any)
		score[OTHER_TOPIC] += 0.1f;
}

struct verdict {
	struct model_verdict v;
	struct model_span span[EVIDENCE_MAX];
	size_t spans;
};

static void add_span(struct verdict *v, struct model_span span)
{
	if (v->spans == EVIDENCE_MAX)
		return;
	for (size_t i = 0; i < v->spans; i++)
		if (span.begin < v->span[i].end && v->span[i].begin < span.end)
			return; /* shown already */
	v->span[v->spans++] = span;
}

/* First the phrases that spoke for it, clearest first, then the words that the model went by. */
static void find_evidence(
	const struct judge *j, const struct judge_scratch *s, int task, enum sign sign, struct verdict *v)
{
	struct model_span more[EVIDENCE_MAX];
	const struct text *t = s->text;
	for (float weight = 3; weight >= 1 && sign < SIGN_COUNT; weight--)
		for (uint32_t i = 0; i < s->found.count; i++)
			if (s->found.at[i].sign == sign && s->found.at[i].weight == weight)
				add_span(v, (struct model_span){ t->origin[s->found.at[i].begin],
						    t->origin[s->found.at[i].end - 1] + 1, weight });
	if (v->spans == EVIDENCE_MAX)
		return;
	size_t n = model_evidence(j->model, j->task[task], v->v.label, v->v.second, t, &s->hits, more, EVIDENCE_MAX);
	for (size_t i = 0; i < n; i++)
		add_span(v, more[i]);
}

static Huiyin__Label *new_label(struct hy_arena *arena, Huiyin__Label *spare, const char *name, float confidence,
	const struct model_span *spans, size_t n)
{
	Huiyin__Label *l = hy_arena_get(arena, sizeof(*l));
	if (!l)
		l = spare;
	huiyin__label__init(l);
	l->name = (char *)(uintptr_t)name;
	l->confidence = confidence;
	Huiyin__Span **list = n ? hy_arena_get(arena, n * sizeof(*list)) : NULL;
	Huiyin__Span *room = list ? hy_arena_get(arena, n * sizeof(*room)) : NULL;
	if (!room)
		return l;
	for (size_t i = 0; i < n; i++) {
		huiyin__span__init(&room[i]);
		room[i].begin = spans[i].begin;
		room[i].end = spans[i].end;
		list[i] = &room[i];
	}
	l->evidence = list;
	l->n_evidence = n;
	return l;
}

static void fill_urgency(
	struct judge_scratch *s, const struct urgency *u, Huiyin__Classification *out, struct hy_arena *arena)
{
	struct verdict v = { .spans = 0 };
	for (float weight = 3; weight >= 1; weight--)
		for (uint32_t i = 0; i < s->found.count; i++) {
			const struct finding *f = &s->found.at[i];
			if (f->sign >= SIGN_FIRST_URGENCY && f->weight == weight)
				add_span(&v, (struct model_span){ s->text->origin[f->begin],
						     s->text->origin[f->end - 1] + 1, weight });
		}
	out->urgency = new_label(arena, &s->spare[URGENCY_LABEL], u->level, u->confidence, v.span, v.spans);
	out->urgency_reasons = u->reason_count ? hy_arena_get(arena, u->reason_count * sizeof(char *)) : NULL;
	if (!out->urgency_reasons)
		return;
	for (size_t i = 0; i < u->reason_count; i++)
		out->urgency_reasons[i] = (char *)(uintptr_t)u->reasons[i];
	out->n_urgency_reasons = u->reason_count;
}

/* No words: what a rating says is all there is. */
static void judge_rating_alone(bool rated, float rating, struct verdict *sentiment, struct verdict *type,
	struct verdict *topic, float *polarity)
{
	int way = !rated || fabsf(rating) < 0.3f ? NEUTRAL : rating > 0 ? POSITIVE : NEGATIVE;
	float sure = rated ? 0.6f + 0.35f * (way == NEUTRAL ? 0.3f : fabsf(rating)) : 0.3f;
	sentiment->v = (struct model_verdict){ .label = way, .confidence = sure };
	type->v = (struct model_verdict){ .label = way == POSITIVE   ? PRAISE
						   : way == NEGATIVE ? COMPLAINT
								     : OTHER_TYPE,
		.confidence = sure };
	topic->v = (struct model_verdict){ .label = OTHER_TOPIC, .confidence = sure };
	*polarity = rated ? rating : 0;
}

static struct model_verdict pick(const struct judge *j, int task, const float *score, enum text_language language)
{
	struct model_verdict v = model_pick(j->model, j->task[task], score);
	if (language == TEXT_OTHER) /* the model has learned Chinese and English alone */
		v.confidence = most(v.confidence, 0.4f);
	return v;
}

static struct hy_id theme_of(const struct text *t, uint32_t project, const char *topic);

void judge_text(const struct judge *j, struct judge_scratch *s, const struct judge_input *in,
	Huiyin__Classification *out, struct hy_arena *arena)
{
	struct text *t = s->text;
	struct verdict sentiment = { 0 }, type = { 0 }, topic = { 0 };
	float score[MODEL_LABELS_MAX], rating = 0, polarity = 0;
	bool rated = judge_rating(in->ratings, in->rating_count, &rating);
	text_read(t, in->text);
	lexicon_find(j->lexicon, t, &s->found);
	enum text_language language = text_language(t);
	if (t->count == 0) {
		judge_rating_alone(rated, rating, &sentiment, &type, &topic, &polarity);
	} else {
		add_implied(&s->found);
		text_grams(t);
		model_match(j->model, t, &s->hits);
		model_score(j->model, &s->hits, &s->scores);
		model_label_scores(j->model, j->task[SENTIMENT], &s->scores, score);
		float before = score[POSITIVE] - score[NEGATIVE];
		adjust_sentiment(s, rated, rating, score);
		sentiment.v = pick(j, SENTIMENT, score, language);
		s->scores.output[model_first_output(j->model, j->task[SENTIMENT])] +=
			(score[POSITIVE] - score[NEGATIVE] - before) / 2;
		polarity = model_polarity(j->model, j->task[SENTIMENT], &s->scores);
		if (sentiment.v.label == NEUTRAL)
			polarity *= 0.3f; /* which way it leans, were it not neutral */
		model_label_scores(j->model, j->task[TYPE], &s->scores, score);
		adjust_type(s, polarity, score);
		type.v = pick(j, TYPE, score, language);
		model_label_scores(j->model, j->task[TOPIC], &s->scores, score);
		adjust_topic(s, score);
		topic.v = pick(j, TOPIC, score, language);
		/* Small talk is about nothing; who complains or asks is about something, and we don't see what. */
		if (topic.v.label == OTHER_TOPIC && type.v.label != PRAISE && type.v.label != OTHER_TYPE)
			topic.v.confidence = most(topic.v.confidence, 0.6f);
		find_evidence(j, s, SENTIMENT,
			sentiment.v.label == POSITIVE   ? SIGN_PRAISE
			: sentiment.v.label == NEGATIVE ? SIGN_COMPLAINT
							: SIGN_COUNT,
			&sentiment);
		find_evidence(j, s, TYPE, type.v.label < SIGN_TYPES ? (enum sign)type.v.label : SIGN_COUNT, &type);
		find_evidence(j, s, TOPIC,
			topic.v.label < SIGN_TOPICS ? (enum sign)(SIGN_FIRST_TOPIC + topic.v.label) : SIGN_COUNT,
			&topic);
	}
	huiyin__classification__init(out);
	out->at_ms = in->at_ms;
	out->language = (char *)(uintptr_t)text_language_name(language);
	char *version = hy_arena_text(arena, hy_bytes_text(model_version(j->model)));
	if (version)
		out->model = version;
	out->polarity = polarity;
	out->sentiment = new_label(arena, &s->spare[SENTIMENT_LABEL], sentiment_names[sentiment.v.label],
		sentiment.v.confidence, sentiment.span, sentiment.spans);
	out->type = new_label(
		arena, &s->spare[TYPE_LABEL], type_names[type.v.label], type.v.confidence, type.span, type.spans);
	out->topic = new_label(
		arena, &s->spare[TOPIC_LABEL], topic_names[topic.v.label], topic.v.confidence, topic.span, topic.spans);
	struct urgency u =
		urgency_of(&(struct urgency_case){ &s->found, type_names[type.v.label], polarity, rated, rating });
	fill_urgency(s, &u, out, arena);
	out->unsure = (type.v.confidence < 0.5f && topic.v.confidence < 0.5f) ||
		      (t->count == 0 ? !rated : language == TEXT_OTHER);
	struct hy_id *theme = t->count ? hy_arena_get(arena, sizeof(*theme)) : NULL;
	if (theme) {
		*theme = theme_of(t, in->project, topic_names[topic.v.label]);
		out->theme = HY_ID_TO_PB(*theme);
	}
}

/* Marks and spaces are left out, so that "闪退！！" and "闪退" are one issue. */
static struct hy_id theme_of(const struct text *t, uint32_t project, const char *topic)
{
	char words[2048];
	uint8_t number[8];
	size_t size = 0;
	for (uint32_t i = 0; i < t->count && size + 4 < sizeof(words); i++)
		if (t->norm[i] >= 0x80 ? t->norm[i] < 0x2000 || t->norm[i] >= 0x3040 : text_is_letter(t->norm[i]))
			size += hy_utf8_put(words + size, t->norm[i]);
	hy_be_put64(number, project);
	const struct hy_bytes parts[] = { HY_LIT("theme"), hy_bytes(number, sizeof(number)), hy_bytes_text(topic),
		hy_bytes(words, size) };
	return hy_id_derive((struct hy_id){ { 0 } }, parts, sizeof(parts) / sizeof(*parts));
}

struct hy_id judge_theme(struct judge_scratch *s, uint32_t project, const char *topic, struct hy_bytes text)
{
	text_read(s->text, text);
	return theme_of(s->text, project, topic);
}
