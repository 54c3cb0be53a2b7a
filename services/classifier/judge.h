/* The whole verdict on one text: language, sentiment, type, topic, urgency, each with confidence and evidence, as the Classification
 * that travels. The model scores, the lexicon adds what is clear by itself, a rating that came along nudges; same
 * text and rating, same result.
 * An open judge is constant: the daemon publishes one, and its worker threads use it together, each with its own scratch.
 *
 *     struct judge *judge;
 *     struct hy_fault f;
 *     if (judge_open(&judge, NULL, &f) != HY_OK) ...            // NULL: the model that was installed
 *     struct judge_scratch *s = judge_scratch_new();            // one a thread
 *     Huiyin__Classification c;
 *     judge_text(judge, s, &(struct judge_input){ .text = text, .project = 1 }, &c, arena);
 */
#ifndef CLASSIFIER_JUDGE_H
#define CLASSIFIER_JUDGE_H

#include "base/err.h"
#include "base/id.h"
#include "wire/wire.h"

struct judge;
struct judge_scratch; /* about 2 MiB, used again and again */

/* Where the model is: $HUIYIN_MODEL, else share/huiyin/huiyin.model beside the program. */
void judge_model_path(char *out, size_t room);
int judge_open(struct judge **out, const char *model_path, struct hy_fault *f); /* NULL = judge_model_path() */
void judge_close(struct judge **j);
const char *judge_model_version(const struct judge *j);

struct judge_scratch *judge_scratch_new(void); /* panics without memory */
void judge_scratch_free(struct judge_scratch **s);

struct judge_input {
	struct hy_bytes text; /* any bytes */
	Huiyin__Rating *const *ratings; /* may be NULL */
	size_t rating_count;
	uint32_t project;
	int64_t at_ms;
};

/* Fills `out`; what it points to lives in the arena or is constant. An arena that is full costs evidence, never a label
 * (the labels then live in the scratch, until its next text). */
void judge_text(const struct judge *j, struct judge_scratch *s, const struct judge_input *in,
	Huiyin__Classification *out, struct hy_arena *arena);

/* The recurring issue of a text: the same for the same project, topic and wording (case, width, script, digits and marks aside). */
struct hy_id judge_theme(struct judge_scratch *s, uint32_t project, const char *topic, struct hy_bytes text);

/* -1 (worst) .. 1 (best) over all ratings that say enough; false when none does. */
bool judge_rating(Huiyin__Rating *const *ratings, size_t count, float *out);

#endif
