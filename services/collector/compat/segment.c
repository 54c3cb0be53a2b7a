#include "segment.h"
#include "mapped.h"
#include "collector/web/reception.h"

#define CALLS_MAX 5000

/* ---- calls ---- */

static const char *const types[] = { "track", "identify", "page", "screen", "group", "alias", "batch", NULL };

/* The call that a path asks for; clients that save bytes say its first letter. */
static const char *type_of(const char *path)
{
	const char *last = strrchr(path, '/') + 1;
	for (size_t i = 0; types[i]; i++)
		if (strcmp(last, types[i]) == 0 || (last[0] == types[i][0] && !last[1]))
			return types[i];
	hy_panic("segment: no call at %s", path);
}

enum segment_use segment_use(
	const struct map_door *door, const struct hy_json *call, const char *type, const struct map_row **row)
{
	*row = NULL;
	type = type ? type : hy_json_text(call, "type", "");
	if (call->type != HY_JSON_OBJECT)
		return SEGMENT_FAULT;
	if (strcmp(type, "identify") == 0)
		return SEGMENT_IDENTIFY;
	if (strcmp(type, "track") == 0) {
		const char *event = hy_json_text(call, "event", NULL);
		*row = event ? map_find(door, event) : NULL;
		return !event ? SEGMENT_FAULT : *row || door->keep_other ? SEGMENT_FEEDBACK : SEGMENT_NOTHING;
	}
	for (size_t i = 0; types[i + 1]; i++)
		if (strcmp(type, types[i]) == 0)
			return SEGMENT_NOTHING;
	return SEGMENT_FAULT;
}

static void fault(const struct hy_json *call, const char *member, const char *detail, struct item *out)
{
	struct hy_buffer pointer = { 0 };
	hy_json_pointer(&pointer, call);
	hy_buffer_text(&pointer, member);
	intake_fault(out, hy_buffer_string(&pointer), detail);
	hy_buffer_free(&pointer);
}

static int64_t time_at(const struct hy_json *object, const char *name)
{
	int64_t ms;
	return hy_time_parse(hy_json_text(object, name, ""), &ms) ? ms : 0;
}

static bool feedback(const struct intake *in, const struct map_door *door, const struct map_row *row,
	const struct hy_json *call, int64_t sent_ms, struct item *out)
{
	static const char *const traits[] = { "traits", NULL };
	const struct hy_json *context = hy_json_get(call, "context");
	struct mapped m;
	map_fill(&m, in, door, row, call, out);
	if (!row && !map_says(&m))
		return false;
	map_note(&m, "event", hy_json_text(call, "event", ""));
	map_members(&m, "", hy_json_get(call, "properties"), NULL);
	map_members(&m, "context.", context, traits);
	map_traits(&m, hy_json_get(context, "traits"), NULL);
	map_time(&m, time_at(call, "timestamp"), sent_ms);
	map_finish(&m, hy_json_text(call, "messageId", ""));
	return true;
}

bool segment_item(const struct intake *in, const struct map_door *door, const struct hy_json *call, const char *type,
	int64_t sent_ms, struct item *out)
{
	const struct map_row *row;
	*out = (struct item){ 0 };
	switch (segment_use(door, call, type, &row)) {
	case SEGMENT_NOTHING:
		return false;
	case SEGMENT_FEEDBACK:
		return feedback(in, door, row, call, sent_ms, out);
	case SEGMENT_IDENTIFY:
		intake_identify(in, call, out);
		out->said = hy_bytes_text(door->name); /* the messageId decides, as with feedback */
		return true;
	default:
		if (call->type != HY_JSON_OBJECT)
			fault(call, "", "a call is an object", out);
		else if (!type && strcmp(hy_json_text(call, "type", ""), "track") != 0)
			fault(call, "/type", "must be one of track, identify, page, screen, group, alias", out);
		else
			fault(call, "/event", "must be the name of an event", out);
		return true;
	}
}

/* ---- answers ---- */

/* Which call of the batch each item is; NULL for a single call. */
static size_t index_of(const struct submission *s, size_t i)
{
	return s->note ? ((size_t *)s->note)[i] : i;
}

static json_t *refusals(const struct submission *s)
{
	json_t *list = json_array();
	for (size_t i = 0; i < s->count; i++) {
		const struct item *item = &s->items[i];
		if (item->ok && s->fates[i] != FATE_CONFLICT)
			continue;
		json_t *errors = item->errors ? json_incref(item->errors)
					      : json_pack("[{s:s, s:s}]", "pointer", "/messageId", "detail",
							"conflict: this id came before, by another door");
		json_array_append_new(
			list, json_pack("{s:I, s:o}", "index", (json_int_t)index_of(s, i), "errors", errors));
	}
	return list;
}

static void answer(struct submission *s, int err)
{
	json_t *rejected = refusals(s);
	if (err)
		reception_busy(s->request, err == HY_FULL ? HY_FULL : HY_BUSY);
	else if (json_array_size(rejected) == 0)
		reception_reply(s->request, 200, json_pack("{s:b}", "success", 1));
	else if (json_array_size(rejected) < s->count) /* the clients look at the status alone; people see the rest */
		reception_reply(s->request, 200, json_pack("{s:b, s:O}", "success", 1, "rejected", rejected));
	else
		reception_problem(s->request, 400, "invalid", "This call can't be used.",
			s->single ? json_object_get(json_array_get(rejected, 0), "errors") : rejected);
	json_decref(rejected);
	submission_free(&s);
}

/* ---- POST ---- */

/* Servers and browsers name the key in the Authorization header, phones only in the body. */
static struct hy_api_key *key_of(struct collector *c, struct hy_request *q, const struct hy_json *root)
{
	if (hy_http_header(q, "Authorization"))
		return reception_key(c, q);
	return reception_key_text(c, q, hy_bytes_text(hy_json_text(root, "writeKey", "")));
}

void segment_head(struct hy_request *q, void *arg)
{
	if (hy_http_header(q, "Authorization"))
		reception_key(arg, q);
}

static bool size_fits(const struct hy_json *call)
{
	struct hy_buffer text = { 0 };
	hy_json_dump(&text, call);
	bool fits = text.size <= SEGMENT_CALL_MAX && !text.err;
	hy_buffer_free(&text);
	return fits;
}

/* The first call, or NULL when the request was answered. */
static const struct hy_json *calls_of(struct hy_request *q, const struct hy_json *root, bool batch)
{
	const struct hy_json *list = batch ? hy_json_get(root, "batch") : NULL;
	size_t size = hy_http_body(q).size;
	if (size > (batch ? SEGMENT_BATCH_MAX : SEGMENT_CALL_MAX))
		hy_http_problem(
			q, 400, "too-large", batch ? "A batch has at most 500 KB." : "A call has at most 32 KB.", NULL);
	else if (batch && (!list || list->type != HY_JSON_ARRAY))
		hy_http_problem(q, 400, "invalid", "A batch is an object with its calls in the array `batch`.", NULL);
	else if (batch && list->count > CALLS_MAX)
		hy_http_problem(q, 400, "too-large", "A batch has at most 5,000 calls.", NULL);
	else if (batch && list->count == 0)
		reception_reply(q, 200, json_pack("{s:b}", "success", 1));
	else
		return batch ? list->first : root;
	return NULL;
}

static void take(struct submission *s, const struct map_door *door, const struct hy_json *first, const char *type,
	const struct hy_json *root, bool measure)
{
	struct reception_finder finder;
	struct intake in = reception_intake(s, &finder);
	const struct map_row *row;
	int64_t sent_ms = time_at(root, "sentAt");
	size_t n = 0, index = 0;
	for (const struct hy_json *call = first; call && n < s->count; call = s->single ? NULL : call->next, index++) {
		struct item *out = &s->items[n];
		if (segment_use(door, call, type, &row) == SEGMENT_NOTHING)
			continue;
		if (measure && !size_fits(call))
			fault(call, "", "a call has at most 32 KB", out);
		else if (!segment_item(&in, door, call, type, sent_ms, out))
			continue;
		if (s->note)
			((size_t *)s->note)[n] = index;
		n++;
	}
	s->count = n;
}

void segment_post(struct hy_request *q, void *arg)
{
	struct collector *c = arg;
	const struct map_door *door = &c->mapping->segment;
	const char *type = type_of(hy_http_path(q));
	bool batch = strcmp(type, "batch") == 0;
	const struct hy_json *root = reception_json(c, q);
	struct hy_api_key *key = root ? key_of(c, q, root) : NULL;
	const struct hy_json *first = key ? calls_of(q, root, batch) : NULL;
	const struct map_row *row;
	size_t used = 0;
	if (!first)
		return;
	type = batch ? NULL : type;
	for (const struct hy_json *call = first; call; call = batch ? call->next : NULL)
		used += segment_use(door, call, type, &row) != SEGMENT_NOTHING;
	if (used == 0) {
		reception_reply(q, 200, json_pack("{s:b}", "success", 1));
		return;
	}
	struct submission *s = reception_rate(q, key, used) ? reception_begin(c, q, key, used) : NULL;
	if (!s)
		return;
	s->single = !batch;
	s->answer = answer;
	s->note = batch ? hy_arena_get(s->arena, used * sizeof(size_t)) : NULL;
	take(s, door, first, type, root, batch && hy_http_body(q).size > SEGMENT_CALL_MAX);
	reception_finish(s);
}

/* ---- GET /projects/KEY/settings ---- */

void segment_settings(struct hy_request *q, void *arg)
{
	struct collector *c = arg;
	const char *text = hy_http_param(q, "key"), *url = hy_conf_text(hy_daemon_conf(c->daemon), "public_url");
	const char *host = strstr(url, "://");
	bool plain = strncmp(url, "http://", 7) == 0; /* browsers say https unless they are told; phones always do */
	char api[300];
	if (!reception_key_text(c, q, hy_bytes_text(text)))
		return;
	host = host ? host + 3 : url;
	size_t size = strlen(host);
	snprintf(api, sizeof(api), "%.*s/v1", (int)(size && host[size - 1] == '/' ? size - 1 : size), host);
	reception_reply(q, 200,
		json_pack("{s:{s:{s:s, s:s, s:s}}}", "integrations", "Segment.io", "apiKey", text, "apiHost", api,
			"protocol", plain ? "http" : "https"));
}
