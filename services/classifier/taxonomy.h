/* What the labels of foreign sets mean in our words: a table set, label -> type, topic, tone, sentiment, tab-separated, with a
 * head line that names its columns. An empty field makes no statement. */
#ifndef CLASSIFIER_TAXONOMY_H
#define CLASSIFIER_TAXONOMY_H

#include "base/err.h"

struct taxonomy;

int taxonomy_open(struct taxonomy **out, const char *path, struct hy_fault *f);
void taxonomy_close(struct taxonomy **t);
/* Adds or replaces one statement; "" takes it back. */
void taxonomy_set(struct taxonomy *t, const char *set, const char *label, const char *task, const char *value);
/* "" when the table makes no statement. */
const char *taxonomy_get(const struct taxonomy *t, const char *set, const char *label, const char *task);
/* The set a file belongs to: the name of the directory it lies in. */
void taxonomy_set_of(const char *path, char *out, size_t room);

#endif
