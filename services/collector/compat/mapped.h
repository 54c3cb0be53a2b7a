/* An Item in the making, from a call of another system: a row of the mapping says where each value stands, and what is not mapped is kept as context.
 *     map_fill(&m, &in, door, row, root, out);     the mapped values; then map_note(), map_members(), map_traits(), map_time()
 *     map_finish(&m, id);                          intake_item(), with faults that point at what came
 * Contact data that can't be any is left out, and never stands in the context: somebody's words are not lost for a slip in an address, and an address is
 * sealed or nowhere. Pure; what it fills looks into the document and the intake's arena. */
#ifndef COLLECTOR_MAPPED_H
#define COLLECTOR_MAPPED_H

#include "collector/intake.h"
#include "mapping.h"

#define MAP_CONTEXT 100 /* pairs of one Item */
#define MAP_HIDDEN (2 * MAP_PLACES)

struct mapped {
	const struct intake *in;
	const struct map_door *door;
	const struct hy_json *root;
	struct item *out;
	Huiyin__Item item;
	Huiyin__Who who;
	Huiyin__Rating rating, *ratings[1];
	Huiyin__Pair pairs[MAP_CONTEXT], *context[MAP_CONTEXT];
	const struct hy_json *from[MAP_FIELDS]; /* where each value stood; NULL = it was not there */
	const struct hy_json *hidden[MAP_HIDDEN]; /* other places with contact data */
	size_t hidden_count;
};

/* From `root`, by `row` (NULL = by the usual places alone). */
void map_fill(struct mapped *m, const struct intake *in, const struct map_door *door, const struct map_row *row,
	const struct hy_json *root, struct item *out);
/* Whether there is anything in it: words or a score. */
bool map_says(const struct mapped *m);

/* Context: one pair, unless `value` is NULL or "". Both are looked at until map_finish(). */
void map_note(struct mapped *m, const char *name, const char *value);
/* Context: the members of `object` (may be NULL) that are not mapped, each name behind `prefix`, without those named in `without` (NULL-terminated, may be
 * NULL). Those for which there is no place stand together in the last pair. */
void map_members(struct mapped *m, const char *prefix, const struct hy_json *object, const char *const *without);
/* The same as the customer's traits. */
void map_traits(struct mapped *m, const struct hy_json *object, const char *const *without);
/* When it was said, by the sender's clock; `sent_ms` is what that clock showed at sending, 0 = not told. The clock's error is taken out. */
void map_time(struct mapped *m, int64_t said_ms, int64_t sent_ms);

/* Checks it. `id` is the client's own, "" = none, and it alone decides whether this came before: such clients put a new time of sending into what
 * they send again. */
void map_finish(struct mapped *m, const char *id);

/* RFC 6901; NULL when nothing is there. */
const struct hy_json *map_at(const struct hy_json *root, const char *pointer);

#endif
