/* The classifier understands: feedback in, the same feedback with its classification out. Judging is pure and happens on the workers
 * (prepare); the step only passes on and remembers. What comes back on `ticket` are corrections: somebody put a label right.
 *   judge       one text, all labels
 *   text model  folding, n-grams, scores; lexicon and phrases: what is clear by itself
 *   train ...   the tools behind `huiyin train`, `huiyin eval`, `huiyin classify` */
#ifndef CLASSIFIER_H
#define CLASSIFIER_H

#include "judge.h"
#include "service/service.h"

struct classifier {
	struct judge *judge;
};

extern const struct hy_service classifier_service;

#endif
