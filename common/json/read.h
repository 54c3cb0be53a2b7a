/* The seam to simdjson: C on this side, C++ behind it. Only json.c calls it; no exception crosses it. */
#ifndef HY_JSON_READ_H
#define HY_JSON_READ_H

#include "json/json.h"

/* Why a text was refused. Where and in which words is the second pass's work. */
enum hy_json_flaw {
	HY_JSON_FINE,
	HY_JSON_SYNTAX,
	HY_JSON_NUMERAL, /* a number that simdjson can't hold: perhaps an integer beyond 64 bits */
	HY_JSON_DEEP, /* more than HY_JSON_DEPTH levels */
	HY_JSON_WIDE, /* more than HY_JSON_KEYS names in one object */
	HY_JSON_TWICE, /* a name occurs twice in one object */
	HY_JSON_NUL_KEY, /* a name holds U+0000, which would cut it short for C */
	HY_JSON_LARGE,
	HY_JSON_MEMORY,
};

struct hy_json_parser;
struct hy_json_parser *hy_json_parser_new(
	uint64_t seed); /* NULL without memory; `seed` keeps names' hashes unguessable */
void hy_json_parser_free(struct hy_json_parser *p);
/* `data` has HY_JSON_PAD bytes of room behind `size`. *root lives until the next call. */
enum hy_json_flaw hy_json_parse(
	struct hy_json_parser *p, const uint8_t *data, size_t size, const struct hy_json **root);

#endif
