#include "cloudevents.h"
#include "collector/web/answer.h"
#include "mapped.h"
#include "collector/web/reception.h"

#include "base/text.h"

#include <sodium.h>
#include <strings.h>

#define EVENTS_MAX 5000
#define ID_MAX 200 /* characters of an Item's id */

/* ---- events ---- */

static void fault(const struct cloudevent *e, const char *attribute, const char *detail, struct item *out)
{
	struct hy_buffer b = { 0 };
	if (e->at)
		hy_json_pointer(&b, e->at);
	if (attribute) /* a header has no better pointer than its name */
		hy_buffer_printf(&b, "/%s%s", e->at ? "" : "ce-", attribute);
	intake_fault(out, hy_buffer_string(&b), detail);
	hy_buffer_free(&b);
}

bool cloudevent_read(const struct hy_json *object, struct cloudevent *e, struct item *out)
{
	*out = (struct item){ 0 };
	*e = (struct cloudevent){ .specversion = hy_json_text(object, "specversion", ""),
		.id = hy_json_text(object, "id", ""),
		.source = hy_json_text(object, "source", ""),
		.type = hy_json_text(object, "type", ""),
		.time = hy_json_text(object, "time", ""),
		.subject = hy_json_text(object, "subject", ""),
		.data = hy_json_get(object, "data"),
		.at = object };
	if (object->type != HY_JSON_OBJECT)
		fault(e, NULL, "an event is an object", out);
	else if (!e->data && hy_json_get(object, "data_base64"))
		fault(e, "data_base64", "is not taken: an event's data is JSON here", out);
	return !out->errors;
}

bool cloudevent_header(const char *value, char *out, size_t room)
{
	size_t n = 0;
	while (*value) {
		int high = *value == '%' ? hy_hex_value(value[1]) : -1, low = high >= 0 ? hy_hex_value(value[2]) : -1;
		char c = low >= 0 ? (char)(high << 4 | low) : *value;
		if (n + 1 >= room || c == 0)
			return false;
		out[n++] = c;
		value += low >= 0 ? 3 : 1;
	}
	out[n] = 0;
	return hy_utf8_valid(hy_bytes(out, n));
}

/* Source and id together are the event's name. As they are where that is short and plain, else their hash. */
static void name_of(const struct cloudevent *e, char out[static ID_MAX + 1])
{
	crypto_generichash_state state;
	uint8_t hash[16];
	size_t source = strlen(e->source), id = strlen(e->id);
	if (source + 1 + id <= ID_MAX && !strchr(e->source, ' ')) {
		memcpy(out, e->source, source);
		out[source] = ' ';
		memcpy(out + source + 1, e->id, id + 1);
		return;
	}
	crypto_generichash_init(&state, NULL, 0, sizeof(hash));
	crypto_generichash_update(&state, (const uint8_t *)e->source, source + 1);
	crypto_generichash_update(&state, (const uint8_t *)e->id, id);
	crypto_generichash_final(&state, hash, sizeof(hash));
	hy_hex(hash, sizeof(hash), out);
}

static bool attributes_hold(const struct cloudevent *e, struct item *out)
{
	if (strcmp(e->specversion, "1.0") != 0)
		fault(e, "specversion", "must be \"1.0\"", out);
	if (!e->id[0])
		fault(e, "id", "is needed", out);
	if (!e->source[0])
		fault(e, "source", "is needed", out);
	if (!e->type[0])
		fault(e, "type", "is needed", out);
	if (!e->data || e->data->type != HY_JSON_OBJECT)
		fault(e, "data", "must be an object with what was said", out);
	return !out->errors;
}

static void map_event(const struct intake *in, const struct map_door *door, const struct map_row *row,
	const struct cloudevent *e, const char *name, struct item *out)
{
	static const char *const apart[] = { "rating", "customer", "user", NULL };
	const struct hy_json *customer = hy_json_get(e->data, "customer");
	struct mapped m;
	int64_t ms;
	map_fill(&m, in, door, row, e->data, out);
	map_note(&m, "ce.type", e->type);
	map_note(&m, "ce.source", e->source);
	map_note(&m, "ce.subject", e->subject);
	map_members(&m, "", e->data, apart);
	map_traits(&m, customer ? customer : hy_json_get(e->data, "user"), NULL);
	map_time(&m, hy_time_parse(e->time, &ms) ? ms : 0, 0);
	map_finish(&m, name);
}

void cloudevent_item(const struct intake *in, const struct map_door *door, const struct cloudevent *e, struct item *out)
{
	char name[ID_MAX + 1];
	*out = (struct item){ 0 };
	if (!attributes_hold(e, out))
		return;
	const struct map_row *row = map_find(door, e->type);
	name_of(e, name);
	if (row || !intake_fits(e->data)) {
		map_event(in, door, row, e, name, out);
		return;
	}
	struct intake ours = *in;
	ours.channel = door->channel;
	intake_feedback(&ours, e->data, out);
	const char *copy = hy_arena_text(in->arena, hy_bytes_text(name));
	out->client_id = hy_bytes_text(copy ? copy : "");
	out->has_client_id = copy != NULL;
	out->said = hy_bytes_text(door->name);
}

/* ---- requests ---- */

enum mode { NO_EVENT, BINARY, STRUCTURED, BATCH };

static const char batch_type[] = "application/cloudevents-batch+json",
		  structured_type[] = "application/cloudevents+json";

static bool is_json(const struct hy_request *q)
{
	const char *type = hy_http_header(q, "Content-Type");
	size_t size = type ? strcspn(type, "; \t") : 0;
	return !type || reception_is(q, "application/json") ||
	       (size > 5 && strncasecmp(type + size - 5, "+json", 5) == 0 &&
		       strncasecmp(type, "application/cloudevents", 23) != 0);
}

/* Answers when there is no event to be had from it. */
static enum mode mode_of(struct hy_request *q)
{
	static const char *const types[] = { structured_type, batch_type, "application/json", NULL };
	if (reception_is(q, batch_type))
		return BATCH;
	if (reception_is(q, structured_type))
		return STRUCTURED;
	if (!is_json(q)) {
		reception_takes(q, types);
		return NO_EVENT;
	}
	if (hy_http_header(q, "ce-specversion"))
		return BINARY;
	hy_http_problem(q, 400, "invalid",
		"This is no CloudEvent: neither the header ce-specversion is there, nor is the Content-Type one of "
		"CloudEvents.",
		NULL);
	return NO_EVENT;
}

static struct hy_api_key *key_of(struct collector *c, struct hy_request *q)
{
	const char *token = hy_http_query(q, "access_token");
	return token && !hy_http_header(q, "Authorization") ? reception_key_text(c, q, hy_bytes_text(token))
							    : reception_key(c, q);
}

void cloudevents_head(struct hy_request *q, void *arg)
{
	if (key_of(arg, q))
		mode_of(q);
}

/* Binary mode: what the headers say, in `text`. */
struct headers {
	char text[6][1024];
};

static bool read_headers(const struct hy_request *q, struct headers *h, struct cloudevent *e)
{
	static const char *const names[] = { "ce-specversion", "ce-id", "ce-source", "ce-type", "ce-time",
		"ce-subject" };
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		const char *value = hy_http_header(q, names[i]);
		h->text[i][0] = 0;
		if (value && !cloudevent_header(value, h->text[i], sizeof(h->text[i])))
			return false;
	}
	*e = (struct cloudevent){ h->text[0], h->text[1], h->text[2], h->text[3], h->text[4], h->text[5], NULL, NULL };
	return true;
}

static bool version_is_known(struct hy_request *q, const char *specversion)
{
	char detail[160];
	bool plain = strlen(specversion) <= 20 && !specversion[strspn(specversion, "0123456789.")];
	if (strcmp(specversion, "1.0") == 0)
		return true;
	snprintf(detail, sizeof(detail), "CloudEvents 1.0 is understood here; specversion is '%s'.",
		plain ? specversion : "...");
	hy_http_problem(q, 400, "specversion", detail, NULL);
	return false;
}

/* The one event of the binary and structured modes; false when the request was answered. */
static bool read_one(
	struct hy_request *q, enum mode mode, const struct hy_json *root, struct headers *h, struct cloudevent *e)
{
	struct item refused;
	if (mode == BINARY && !read_headers(q, h, e)) {
		hy_http_problem(q, 400, "invalid",
			"The ce- headers are UTF-8 of at most 1,023 bytes each, percent-encoded.", NULL);
		return false;
	}
	if (mode == BINARY) {
		e->data = root;
	} else if (!cloudevent_read(root, e, &refused)) {
		reception_problem(q, 422, "invalid", "This event can't be accepted.", refused.errors);
		json_decref(refused.errors);
		return false;
	}
	return version_is_known(q, e->specversion);
}

/* 0 when the request was answered: an empty batch is one, too. */
static size_t count_batch(struct hy_request *q, const struct hy_json *root)
{
	if (root->type != HY_JSON_ARRAY)
		hy_http_problem(q, 400, "invalid", "A batch is an array of events.", NULL);
	else if (root->count > EVENTS_MAX)
		hy_http_problem(q, 422, "invalid", "More than 5,000 events in one batch.", NULL);
	else if (root->count == 0)
		reception_reply(
			q, 202, json_pack("{s:i, s:i, s:[], s:[]}", "accepted", 0, "duplicates", 0, "rejected", "ids"));
	else
		return root->count;
	return 0;
}

void cloudevents_post(struct hy_request *q, void *arg)
{
	struct collector *c = arg;
	const struct map_door *door = &c->mapping->cloudevents;
	struct hy_api_key *key = key_of(c, q);
	enum mode mode = key ? mode_of(q) : NO_EVENT;
	const struct hy_json *root = mode ? reception_json_under(c, q, key) : NULL;
	struct reception_finder finder;
	struct headers headers;
	struct cloudevent e;
	size_t count = 0;
	if (root && mode == BATCH)
		count = count_batch(q, root);
	else if (root)
		count = read_one(q, mode, root, &headers, &e);
	struct submission *s = count && reception_rate(q, key, count) ? reception_begin(c, q, key, count) : NULL;
	if (!s)
		return;
	struct intake in = reception_intake(s, &finder);
	s->single = mode != BATCH;
	s->answer = answer_items;
	if (s->single)
		cloudevent_item(&in, door, &e, &s->items[0]);
	const struct hy_json *each = mode == BATCH ? root->first : NULL;
	for (size_t i = 0; each; each = each->next, i++)
		if (cloudevent_read(each, &e, &s->items[i]))
			cloudevent_item(&in, door, &e, &s->items[i]);
	reception_finish(s);
}
