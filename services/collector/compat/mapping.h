/* Which events of other systems are feedback, and where in them the words, the score and the customer stand. A row names an event and says where, by JSON
 * pointers. The rows of huiyin.yaml are looked at first, then those that are built in:
 *     mapping:
 *       segment:
 *         events:
 *           - { event: Checkout Rated, kind: survey, scale: csat, score: /properties/answer, text: /properties/remarks }
 * A row only says what differs: for the rest the usual places of its door count. mapped.h makes the Item.
 * Read once, then never changed: any thread may look. */
#ifndef COLLECTOR_MAPPING_H
#define COLLECTOR_MAPPING_H

#include "conf/conf.h"
#include "wire/wire.h"

#define MAP_PLACES 8 /* of one field */

enum map_field {
	MAP_TEXT,
	MAP_SCORE,
	MAP_SCALE,
	MAP_MAX,
	MAP_IN_REPLY_TO,
	/* who it is: */
	MAP_CUSTOMER,
	MAP_EMAIL,
	MAP_PHONE,
	MAP_NAME,
	MAP_LOCALE,
	MAP_TIMEZONE,
	MAP_FIELDS
};

struct map_row {
	const char *name; /* of the event; a * at its end stands for any rest */
	Huiyin__Kind kind;
	/* RFC 6901 pointers, the first with a value counts; what does not begin with / is the value itself. Without any: the door's usual places. */
	const char *at[MAP_FIELDS][MAP_PLACES];
};

/* A door's part of `mapping:`. */
struct map_door {
	const char *name; /* "segment": what its part is called; tells its ids from those of other doors */
	const char *channel;
	const struct map_row *own, *built_in;
	size_t own_count, built_in_count;
	const struct map_row *usual; /* where values are when no row says so */
	bool keep_other; /* events without a row are feedback too, when they have words or a score */
};

struct mapping {
	struct map_door segment, sentry, cloudevents;
	struct hy_arena *memory;
};

/* The part `mapping` of huiyin.yaml; faults go to hy_conf_fault. The caller owns *out. */
void mapping_read(struct mapping **out, const struct hy_conf *conf);
void mapping_free(struct mapping **m);

/* The first row that fits, or NULL. */
const struct map_row *map_find(const struct map_door *door, const char *event);

#endif
