/* Calls of other systems' clients made feedbacks, without a collector: a mapping from YAML, one document, what came of it. */
#ifndef HY_TESTS_CALLS_FIXTURE_H
#define HY_TESTS_CALLS_FIXTURE_H

#include "support/test.h"

#include "collector/compat/mapped.h"

#define NOW INT64_C(1767225600000) /* 2026-01-01T00:00:00Z */

struct calls {
	struct hy_secret contact, follow_up;
	struct hy_json_reader *reader;
	struct hy_arena *arena;
	struct intake intake;
	struct hy_conf *conf;
	struct mapping *mapping;
	struct item item;
	Huiyin__Feedback *feedback; /* of the item */
};

static const struct hy_conf_row calls_rows[] = { { "mapping", HY_CONF_TREE, NULL, "", NULL, 0, 0 }, { 0 } };

/* Reads a mapping; the faults' words, "" when there are none. The caller frees. */
static inline char *calls_map(struct calls *c, const char *yaml)
{
	static const struct hy_conf_row *const tables[] = { calls_rows, NULL };
	char *dir = test_mkdir(), path[4096];
	struct hy_buffer report = { 0 };
	snprintf(path, sizeof(path), "%s/huiyin.yaml", dir);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fputs(yaml, f);
	fclose(f);
	mapping_free(&c->mapping);
	hy_conf_close(&c->conf);
	hy_conf_open(&c->conf, path, tables, &report);
	mapping_read(&c->mapping, c->conf);
	hy_conf_verdict(c->conf, &report);
	test_rmdir(dir);
	char *words = strdup(hy_buffer_string(&report));
	hy_buffer_free(&report);
	return words;
}

static inline void calls_must_map(struct calls *c, const char *yaml)
{
	char *words = calls_map(c, yaml);
	assert_string_equal(words, "");
	free(words);
}

static inline int calls_setup(void **state)
{
	struct calls *c = calloc(1, sizeof(*c));
	assert_non_null(c);
	memset(c->contact.b, 1, 32);
	memset(c->follow_up.b, 2, 32);
	c->reader = hy_json_reader_new();
	c->arena = hy_arena_new(0);
	c->intake = (struct intake){ .contact_key = &c->contact,
		.follow_up_key = &c->follow_up,
		.project = 1,
		.key_number = 42,
		.now_ms = NOW,
		.arena = c->arena };
	calls_must_map(c, "{}\n");
	*state = c;
	return 0;
}

static inline int calls_teardown(void **state)
{
	struct calls *c = *state;
	json_decref(c->item.errors);
	hy_json_reader_free(&c->reader);
	hy_arena_free(&c->arena);
	mapping_free(&c->mapping);
	hy_conf_close(&c->conf);
	free(c);
	return 0;
}

/* A document; what came of the one before is gone. */
static inline const struct hy_json *calls_read(struct calls *c, const char *json)
{
	const struct hy_json *root;
	struct hy_fault f;
	json_decref(c->item.errors);
	c->item = (struct item){ 0 };
	c->feedback = NULL;
	hy_arena_reset(c->arena);
	if (hy_json_read_copy(c->reader, hy_bytes_text(json), &root, &f) != HY_OK)
		fail_msg("%s: %s", json, f.text);
	return root;
}

/* The remark of the item, which has to be one. */
static inline const Huiyin__Remark *calls_remark(struct calls *c)
{
	struct hy_fault f;
	if (!c->item.ok) {
		char *text = json_dumps(c->item.errors, JSON_ENCODE_ANY);
		fail_msg("refused: %s", text ? text : "without a reason");
	}
	if (hy_wire_unpack(c->arena, &huiyin__feedback__descriptor, c->item.feedback, &c->feedback, &f) != HY_OK)
		fail_msg("%s", f.text);
	assert_int_equal(c->feedback->body_case, HUIYIN__FEEDBACK__BODY_REMARK);
	return c->feedback->remark;
}

/* The value of a pair; NULL when there is none of that name. */
static inline const char *calls_pair(Huiyin__Pair *const *pairs, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(pairs[i]->name, name) == 0)
			return pairs[i]->value;
	return NULL;
}

static inline const char *calls_context(struct calls *c, const char *name)
{
	const Huiyin__Remark *r = calls_remark(c);
	return calls_pair(r->context, r->n_context, name);
}

/* The pointer of the item's first fault; the item has to be refused. */
static inline const char *calls_pointer(const struct calls *c)
{
	assert_false(c->item.ok);
	const char *pointer = json_string_value(json_object_get(json_array_get(c->item.errors, 0), "pointer"));
	assert_non_null(pointer);
	return pointer;
}

/* Whether the words are anywhere in what is kept. */
static inline bool calls_keeps(const struct calls *c, const char *words)
{
	return memmem(c->item.feedback.data, c->item.feedback.size, words, strlen(words)) != NULL;
}

#endif
