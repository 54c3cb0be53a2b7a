/* The collector's main, and jansson where simdjson reads: linked with --wrap=hy_json_read, so that everything else is the collector as it is. The tree that
 * its callers walk is built from jansson's, in memory that stays. */
#include "collector/collector.h"
#include "json/json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int __wrap_hy_json_read(struct hy_json_reader *r, struct hy_bytes text, const struct hy_json **out, struct hy_fault *f);

static struct hy_json *nodes;
static size_t room, used;
static json_t *document;

static size_t count_nodes(const json_t *j)
{
	size_t n = 1, i;
	const char *key;
	json_t *value;
	if (json_is_array(j))
		json_array_foreach(j, i, value) n += count_nodes(value);
	else if (json_is_object(j))
		json_object_foreach((json_t *)(uintptr_t)j, key, value) n += count_nodes(value);
	return n;
}

static struct hy_json *build(const json_t *j, const struct hy_json *parent, const char *key)
{
	struct hy_json *node = &nodes[used++], **last = NULL;
	size_t i;
	const char *name;
	json_t *value;
	*node = (struct hy_json){ .parent = parent, .key = key ? hy_bytes_text(key) : hy_bytes(NULL, 0) };
	switch (json_typeof(j)) {
	case JSON_STRING:
		node->type = HY_JSON_TEXT;
		node->text = hy_bytes(json_string_value(j), json_string_length(j));
		break;
	case JSON_INTEGER:
		node->type = HY_JSON_NUMBER;
		node->whole = true;
		node->integer = json_integer_value(j);
		node->number = (double)node->integer;
		break;
	case JSON_REAL:
		node->type = HY_JSON_NUMBER;
		node->number = json_real_value(j);
		node->whole = node->number == floor(node->number);
		node->integer = (int64_t)node->number;
		break;
	case JSON_TRUE:
	case JSON_FALSE:
		node->type = HY_JSON_BOOL;
		node->truth = json_is_true(j);
		break;
	case JSON_NULL:
		node->type = HY_JSON_NULL;
		break;
	case JSON_ARRAY:
		node->type = HY_JSON_ARRAY;
		last = (struct hy_json **)(uintptr_t)&node->first;
		json_array_foreach(j, i, value)
		{
			*last = build(value, node, NULL);
			last = (struct hy_json **)(uintptr_t) & (*last)->next;
			node->count++;
		}
		break;
	case JSON_OBJECT:
		node->type = HY_JSON_OBJECT;
		last = (struct hy_json **)(uintptr_t)&node->first;
		json_object_foreach((json_t *)(uintptr_t)j, name, value)
		{
			*last = build(value, node, name);
			last = (struct hy_json **)(uintptr_t) & (*last)->next;
			node->count++;
		}
		break;
	}
	return node;
}

int __wrap_hy_json_read(struct hy_json_reader *r, struct hy_bytes text, const struct hy_json **out, struct hy_fault *f)
{
	json_error_t error;
	(void)r;
	json_decref(document);
	document = json_loadb((const char *)text.data, text.size, JSON_REJECT_DUPLICATES, &error);
	if (!document)
		return hy_fail(f, HY_BAD_INPUT, "line %d column %d: %s", error.line, error.column, error.text);
	size_t count = count_nodes(document);
	if (count > room) {
		free(nodes);
		nodes = malloc(count * sizeof(*nodes));
		room = count;
	}
	used = 0;
	*out = build(document, NULL, NULL);
	return HY_OK;
}

int main(int argc, char **argv)
{
	static struct collector self;
	return hy_service_main(argc, argv, &collector_service, &self);
}
