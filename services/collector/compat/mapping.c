#include "mapping.h"

#include <stdlib.h>
#include <string.h>

/* ---- what is built in ---- */

#define SEGMENT_SCALED(event, word, is)                                                                                \
	{                                                                                                              \
		.name = event, .kind = HUIYIN__KIND__##is, .at = { [MAP_SCALE] = { "/properties/scale", word } }       \
	}

static const struct map_row segment_rows[] = {
	SEGMENT_SCALED("Feedback Given", "stars", FEEDBACK),
	SEGMENT_SCALED("NPS Answered", "nps", SURVEY),
	SEGMENT_SCALED("CSAT Answered", "csat", SURVEY),
	SEGMENT_SCALED("CES Answered", "ces", SURVEY),
	{ .name = "Feature Requested", .kind = HUIYIN__KIND__IDEA },
};

static const struct map_row segment_usual = {
	.at = {
		[MAP_TEXT] = { "/properties/text", "/properties/comment", "/properties/message", "/properties/feedback",
			"/properties/description", "/properties/reason", "/properties/title" },
		[MAP_SCORE] = { "/properties/score", "/properties/rating" },
		[MAP_SCALE] = { "/properties/scale" },
		[MAP_MAX] = { "/properties/max" },
		[MAP_IN_REPLY_TO] = { "/properties/in_reply_to" },
		[MAP_CUSTOMER] = { "/userId", "/anonymousId" },
		[MAP_EMAIL] = { "/context/traits/email", "/properties/email", "/traits/email" },
		[MAP_PHONE] = { "/context/traits/phone", "/properties/phone", "/traits/phone" },
		[MAP_NAME] = { "/context/traits/name", "/traits/name" },
		[MAP_LOCALE] = { "/context/locale" },
		[MAP_TIMEZONE] = { "/context/timezone" },
	},
};

/* From the feedback's own context where the SDK's dialog asked, else from the user that the app has told the SDK. */
static const struct map_row sentry_usual = {
	.at = {
		[MAP_TEXT] = { "/contexts/feedback/message", "/comments" },
		[MAP_CUSTOMER] = { "/user/id" },
		[MAP_EMAIL] = { "/contexts/feedback/contact_email", "/user/email", "/email" },
		[MAP_NAME] = { "/contexts/feedback/name", "/user/name", "/user/username", "/name" },
		[MAP_LOCALE] = { "/contexts/culture/locale" },
		[MAP_TIMEZONE] = { "/contexts/culture/timezone" },
	},
};

static const struct map_row cloudevents_usual = {
	.at = {
		[MAP_TEXT] = { "/text", "/message", "/comment", "/feedback", "/description", "/body", "/title" },
		[MAP_SCORE] = { "/rating/score", "/rating", "/score", "/stars" },
		[MAP_SCALE] = { "/rating/scale", "/scale" },
		[MAP_MAX] = { "/rating/max", "/max" },
		[MAP_IN_REPLY_TO] = { "/in_reply_to" },
		[MAP_CUSTOMER] = { "/customer/id", "/customer", "/user/id", "/user", "/userId", "/user_id", "/customer_id" },
		[MAP_EMAIL] = { "/customer/email", "/user/email", "/email" },
		[MAP_PHONE] = { "/customer/phone", "/user/phone", "/phone" },
		[MAP_NAME] = { "/customer/name", "/user/name", "/name" },
		[MAP_LOCALE] = { "/customer/locale", "/user/locale", "/locale" },
		[MAP_TIMEZONE] = { "/customer/timezone", "/user/timezone", "/timezone" },
	},
};

const struct map_row *map_find(const struct map_door *door, const char *event)
{
	for (size_t i = 0; i < door->own_count + door->built_in_count; i++) {
		const struct map_row *row = i < door->own_count ? &door->own[i] : &door->built_in[i - door->own_count];
		size_t size = strlen(row->name);
		bool open = size && row->name[size - 1] == '*';
		if (open ? strncmp(row->name, event, size - 1) == 0 : strcmp(row->name, event) == 0)
			return row;
	}
	return NULL;
}

/* ---- reading huiyin.yaml ---- */

static const char *const field_names[MAP_FIELDS] = { "text", "score", "scale", "max", "in_reply_to", "customer",
	"email", "phone", "name", "locale", "timezone" };
static const char *const kinds[] = { "feedback", "survey", "idea", "vote", "mention", "review", "interview", NULL };
static const char *const scales[] = { "nps", "csat", "ces", "stars", NULL };

static const char *keep(struct mapping *m, const char *text)
{
	const char *got = hy_arena_text(m->memory, hy_bytes_text(text));
	if (!got)
		hy_panic("the mapping does not fit into memory");
	return got;
}

static int index_of(const char *word, const char *const *words)
{
	for (int i = 0; words[i]; i++)
		if (strcmp(words[i], word) == 0)
			return i;
	return -1;
}

static void fault_word(const struct hy_conf_node *n, const char *what, const char *const *words)
{
	struct hy_buffer list = { 0 };
	for (size_t i = 0; words[i]; i++)
		hy_buffer_printf(&list, "%s%s", i ? ", " : "", words[i]);
	hy_conf_fault(n, "%s is one of %s", what, hy_buffer_string(&list));
	hy_buffer_free(&list);
}

static bool is_pointer(const char *text)
{
	if (text[0] != '/' || strlen(text) > 200)
		return false;
	for (; *text; text++)
		if (*text == '~' && text[1] != '0' && text[1] != '1')
			return false;
	return true;
}

static void check_place(const struct hy_conf_node *n, enum map_field field)
{
	const char *text = hy_conf_scalar(n);
	double number;
	if (hy_conf_shape(n) == HY_CONF_SCALAR && is_pointer(text))
		return;
	if (field == MAP_SCALE) {
		if (index_of(text, scales) < 0)
			fault_word(n, "a scale, when it is no pointer,", scales);
	} else if (field == MAP_MAX) {
		hy_conf_read_number(n, &number);
	} else {
		hy_conf_fault(n, "a JSON pointer is expected, such as /properties/comment");
	}
}

static void read_field(struct mapping *m, const struct hy_conf_node *n, enum map_field field, struct map_row *row)
{
	bool list = hy_conf_shape(n) == HY_CONF_SEQUENCE;
	size_t count = list ? hy_conf_count(n) : 1;
	if (count == 0 || count > MAP_PLACES) {
		hy_conf_fault(n, "one pointer is expected, or a list of at most %d", MAP_PLACES);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		const struct hy_conf_node *one = list ? hy_conf_item(n, i) : n;
		check_place(one, field);
		row->at[field][i] = keep(m, hy_conf_scalar(one));
	}
}

/* `word` is what a row calls its event: event, type. */
static void read_row(struct mapping *m, const struct hy_conf_node *n, const char *word, struct map_row *row)
{
	const char *known[MAP_FIELDS + 3] = { word, "kind" };
	*row = (struct map_row){ .name = "" };
	memcpy(known + 2, field_names, sizeof(field_names));
	if (hy_conf_shape(n) != HY_CONF_MAPPING || !hy_conf_get(n, word)) {
		hy_conf_fault(n,
			"a map with %s and where its values stand is expected, such as { %s: ..., text: /... }", word,
			word);
		return;
	}
	hy_conf_known(n, known);
	const struct hy_conf_node *name = hy_conf_get(n, word), *kind = hy_conf_get(n, "kind");
	row->name = keep(m, hy_conf_scalar(name));
	if (!row->name[0])
		hy_conf_fault(name, "%s is the name of an event; * at its end stands for any rest", word);
	int which = kind ? index_of(hy_conf_scalar(kind), kinds) : 0;
	if (which < 0)
		fault_word(kind, "kind", kinds);
	row->kind = (Huiyin__Kind)(which < 0 ? 0 : which);
	for (int f = 0; f < MAP_FIELDS; f++) {
		const struct hy_conf_node *field = hy_conf_get(n, field_names[f]);
		if (field)
			read_field(m, field, (enum map_field)f, row);
	}
}

static void read_rows(struct mapping *m, const struct hy_conf_node *n, const char *word, struct map_door *door)
{
	if (hy_conf_shape(n) != HY_CONF_SEQUENCE) {
		hy_conf_fault(n, "a list is expected");
		return;
	}
	struct map_row *rows = hy_arena_get(m->memory, (hy_conf_count(n) + 1) * sizeof(*rows));
	if (!rows)
		hy_panic("the mapping does not fit into memory");
	for (size_t i = 0; i < hy_conf_count(n); i++)
		read_row(m, hy_conf_item(n, i), word, &rows[i]);
	door->own = rows;
	door->own_count = hy_conf_count(n);
}

static void read_channel(struct mapping *m, const struct hy_conf_node *n, struct map_door *door)
{
	const char *text = hy_conf_scalar(n);
	size_t size = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_.-");
	if (size == 0 || size > 32 || text[size])
		hy_conf_fault(n, "a channel is 1 to 32 of a-z 0-9 _ . -");
	else
		door->channel = keep(m, text);
}

static void read_other(const struct hy_conf_node *n, struct map_door *door)
{
	static const char *const words[] = { "drop", "keep", NULL };
	int which = index_of(hy_conf_scalar(n), words);
	if (which < 0)
		fault_word(n, "other", words);
	door->keep_other = which == 1;
}

/* `rows` is what the door calls its list, `word` what a row calls its event; NULL: it has none. */
static void read_door(struct mapping *m, const struct hy_conf_node *all, const char *rows, const char *word,
	const char *other, struct map_door *door)
{
	const struct hy_conf_node *n = hy_conf_get(all, door->name), *one;
	const char *known[4] = { "channel" };
	size_t count = 1;
	if (!n)
		return;
	if (hy_conf_shape(n) != HY_CONF_MAPPING) {
		hy_conf_fault(n, "a map is expected");
		return;
	}
	if (rows)
		known[count++] = rows;
	if (other)
		known[count++] = other;
	hy_conf_known(n, known);
	if ((one = hy_conf_get(n, "channel")))
		read_channel(m, one, door);
	if (rows && (one = hy_conf_get(n, rows)))
		read_rows(m, one, word, door);
	if (other && (one = hy_conf_get(n, other)))
		read_other(one, door);
}

void mapping_read(struct mapping **out, const struct hy_conf *conf)
{
	static const char *const doors[] = { "segment", "sentry", "cloudevents", NULL };
	const struct hy_conf_node *all = hy_conf_tree(conf, "mapping");
	struct mapping *m = calloc(1, sizeof(*m));
	if (!m)
		hy_panic("no memory for the mapping");
	m->memory = hy_arena_new(0);
	m->segment = (struct map_door){ .name = "segment",
		.channel = "segment",
		.built_in = segment_rows,
		.built_in_count = sizeof(segment_rows) / sizeof(*segment_rows),
		.usual = &segment_usual };
	m->sentry = (struct map_door){ .name = "sentry", .channel = "sentry", .usual = &sentry_usual };
	m->cloudevents = (struct map_door){
		.name = "cloudevents", .channel = "events", .usual = &cloudevents_usual, .keep_other = true
	};
	if (all && hy_conf_shape(all) != HY_CONF_MAPPING) {
		hy_conf_fault(all, "a map of segment, sentry and cloudevents is expected");
	} else if (all) {
		hy_conf_known(all, doors);
		read_door(m, all, "events", "event", "other", &m->segment);
		read_door(m, all, NULL, NULL, NULL, &m->sentry);
		read_door(m, all, "types", "type", "other", &m->cloudevents);
	}
	*out = m;
}

void mapping_free(struct mapping **m)
{
	if (!*m)
		return;
	hy_arena_free(&(*m)->memory);
	free(*m);
	*m = NULL;
}
