/* simdjson's DOM, flattened into struct hy_json. Names and texts stay where simdjson unescaped them: in the parser's
 * own buffer, each with a NUL behind it. The nodes stand in blocks that never move, so that pointers between them hold. */
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>

#include <jansson.h>
#include <simdjson.h>

extern "C" {
#pragma GCC diagnostic push
/* hy_bytes() beside struct hy_bytes is plain C; to C++ it is a hidden constructor. */
#pragma GCC diagnostic ignored "-Wshadow"
#include "json/read.h"
#pragma GCC diagnostic pop
}

static_assert(HY_JSON_PAD >= simdjson::SIMDJSON_PADDING, "simdjson reads past the end of a text");

namespace
{

constexpr uint32_t few = 16; /* objects of up to this many names are compared pairwise */
constexpr uint32_t slots = 2048; /* of the hash table for the others: a power of two, twice HY_JSON_KEYS at least */
constexpr double exact = 9007199254740992.0; /* 2^53: up to here a double that is whole is exactly the number written */
static_assert(slots >= 2 * HY_JSON_KEYS, "the table must not fill up");

constexpr size_t block_nodes = 256;
constexpr size_t keep_blocks = 64; /* kept from one document to the next, about 1.5 MB */

struct block {
	std::unique_ptr<block> next;
	struct hy_json nodes[block_nodes];
};

uint64_t load64(const uint8_t *p)
{
	uint64_t v;
	memcpy(&v, p, sizeof(v));
	return v;
}

/* Equal names have equal tags; most different names don't. A name shorter than 8 bytes is its own tag: the bytes
 * read behind it belong to simdjson's buffer (it ends in padding) and are masked away. */
uint64_t tag_of(struct hy_bytes key)
{
	if (key.size >= 8)
		return load64(key.data) ^ load64(key.data + key.size - 8) * 0x9e3779b97f4a7c15u ^ key.size << 56;
	uint64_t mask = key.size ? ~uint64_t(0) >> (64 - 8 * key.size) : 0;
	return (load64(key.data) & mask) | uint64_t(key.size) << 56;
}

uint64_t mix(uint64_t a, uint64_t b)
{
	unsigned __int128 wide = static_cast<unsigned __int128>(a) * b;
	return static_cast<uint64_t>(wide) ^ static_cast<uint64_t>(wide >> 64);
}

uint64_t hash_of(struct hy_bytes key, uint64_t seed)
{
	uint64_t h = seed ^ key.size;
	size_t at = 0;
	for (; at + 8 <= key.size; at += 8)
		h = mix(h ^ load64(key.data + at), seed | 1);
	uint64_t rest = 0;
	if (key.size > at)
		memcpy(&rest, key.data + at, key.size - at);
	return mix(h ^ rest, 0x9e3779b97f4a7c15u ^ seed);
}

} // namespace

struct hy_json_parser {
	simdjson::dom::parser dom;
	std::unique_ptr<block> blocks; /* the first of the chain; each owns the next */
	block *here = nullptr; /* where the next node comes from */
	size_t used = 0; /* of `here` */
	uint64_t seed = 0;
	uint32_t stamp =
		0; /* a slot counts only if it carries the present object's stamp, so nothing is ever cleared */
	struct {
		uint32_t stamp;
		const struct hy_json *node;
	} table[slots] = {};

	~hy_json_parser()
	{
		trim(0);
	}
	void trim(size_t keep);
	struct hy_json *fresh(struct hy_json *parent);
	bool twice(const struct hy_json *object);
	enum hy_json_flaw walk(simdjson::dom::element element, struct hy_json *node, int depth);
	enum hy_json_flaw walk_object(simdjson::dom::object object, struct hy_json *node, int depth);
	enum hy_json_flaw walk_array(simdjson::dom::array array, struct hy_json *node, int depth);
	struct hy_json *add(struct hy_json *parent, struct hy_json *last);
};

/* Gives back all blocks but the first `keep`: one by one, as a long chain must not be freed by recursion. */
void hy_json_parser::trim(size_t keep)
{
	std::unique_ptr<block> *link = &blocks;
	for (; keep > 0 && *link; keep--)
		link = &(*link)->next;
	std::unique_ptr<block> rest = std::move(*link);
	while (rest)
		rest = std::move(rest->next);
	here = blocks.get();
	used = 0;
}

/* A node for the present document, cleared; throws without memory. */
struct hy_json *hy_json_parser::fresh(struct hy_json *parent)
{
	if (!here || used == block_nodes) {
		std::unique_ptr<block> *link = here ? &here->next : &blocks;
		if (!*link)
			link->reset(new block);
		here = link->get();
		used = 0;
	}
	struct hy_json *node = &here->nodes[used++];
	*node = {};
	node->parent = parent;
	return node;
}

bool hy_json_parser::twice(const struct hy_json *object)
{
	if (object->count <= few) {
		uint64_t tags[few];
		const struct hy_json *members[few];
		uint32_t n = 0;
		for (const struct hy_json *m = object->first; m; m = m->next, n++) {
			tags[n] = tag_of(m->key);
			members[n] = m;
			for (uint32_t i = 0; i < n; i++) {
				if (tags[i] == tags[n] && hy_bytes_equal(members[i]->key, m->key))
					return true;
			}
		}
		return false;
	}
	if (++stamp == 0) {
		memset(table, 0, sizeof(table));
		stamp = 1;
	}
	for (const struct hy_json *m = object->first; m; m = m->next) {
		uint32_t at = hash_of(m->key, seed) & (slots - 1);
		for (; table[at].stamp == stamp; at = (at + 1) & (slots - 1)) {
			if (hy_bytes_equal(table[at].node->key, m->key))
				return true;
		}
		table[at].stamp = stamp;
		table[at].node = m;
	}
	return false;
}

/* A fresh node behind `last` (nullptr: the first) in `parent`. */
struct hy_json *hy_json_parser::add(struct hy_json *parent, struct hy_json *last)
{
	struct hy_json *node = fresh(parent);
	if (last)
		last->next = node;
	else
		parent->first = node;
	parent->count++;
	return node;
}

enum hy_json_flaw hy_json_parser::walk_object(simdjson::dom::object object, struct hy_json *node, int depth)
{
	struct hy_json *last = nullptr;
	for (auto field = object.begin(); field != object.end(); ++field) {
		if (node->count == HY_JSON_KEYS)
			return HY_JSON_WIDE;
		last = add(node, last);
		last->key = hy_bytes(field.key_c_str(), field.key_length());
		if (memchr(last->key.data, 0, last->key.size))
			return HY_JSON_NUL_KEY;
		enum hy_json_flaw flaw = walk(field.value(), last, depth);
		if (flaw)
			return flaw;
	}
	return twice(node) ? HY_JSON_TWICE : HY_JSON_FINE;
}

enum hy_json_flaw hy_json_parser::walk_array(simdjson::dom::array array, struct hy_json *node, int depth)
{
	struct hy_json *last = nullptr;
	for (simdjson::dom::element item : array) {
		last = add(node, last);
		enum hy_json_flaw flaw = walk(item, last, depth);
		if (flaw)
			return flaw;
	}
	return HY_JSON_FINE;
}

enum hy_json_flaw hy_json_parser::walk(simdjson::dom::element element, struct hy_json *node, int depth)
{
	using simdjson::dom::element_type;
	switch (element.type()) {
	case element_type::OBJECT:
		node->type = HY_JSON_OBJECT;
		return depth == HY_JSON_DEPTH ? HY_JSON_DEEP
					      : walk_object(element.get_object().value_unsafe(), node, depth + 1);
	case element_type::ARRAY:
		node->type = HY_JSON_ARRAY;
		return depth == HY_JSON_DEPTH ? HY_JSON_DEEP
					      : walk_array(element.get_array().value_unsafe(), node, depth + 1);
	case element_type::STRING: {
		std::string_view text = element.get_string().value_unsafe();
		node->type = HY_JSON_TEXT;
		node->text = hy_bytes(text.data(), text.size());
		return HY_JSON_FINE;
	}
	case element_type::INT64:
		node->type = HY_JSON_NUMBER;
		node->integer = element.get_int64().value_unsafe();
		node->number = static_cast<double>(node->integer);
		node->whole = true;
		return HY_JSON_FINE;
	case element_type::UINT64: /* simdjson's type for integers that int64 can't hold */
		node->type = HY_JSON_NUMBER;
		node->number = static_cast<double>(element.get_uint64().value_unsafe());
		return HY_JSON_FINE;
	case element_type::DOUBLE: {
		double v = element.get_double().value_unsafe();
		node->type = HY_JSON_NUMBER;
		node->number = v;
		/* JSON has one kind of number: 9.0 is as whole as 9. */
		node->whole = v >= -exact && v <= exact && v == static_cast<double>(static_cast<int64_t>(v));
		node->integer = node->whole ? static_cast<int64_t>(v) : 0;
		return HY_JSON_FINE;
	}
	case element_type::BOOL:
		node->type = HY_JSON_BOOL;
		node->truth = element.get_bool().value_unsafe();
		return HY_JSON_FINE;
	case element_type::NULL_VALUE:
		node->type = HY_JSON_NULL;
		return HY_JSON_FINE;
	}
	return HY_JSON_SYNTAX;
}

extern "C" struct hy_json_parser *hy_json_parser_new(uint64_t seed)
{
	try {
		std::unique_ptr<hy_json_parser> p(new hy_json_parser);
		p->seed = seed;
		/* simdjson refuses at its maximum, we one level above ours: the walk decides. */
		if (p->dom.allocate(4096, HY_JSON_DEPTH + 2) != simdjson::SUCCESS)
			return nullptr;
		return p.release();
	} catch (...) {
		return nullptr;
	}
}

extern "C" void hy_json_parser_free(struct hy_json_parser *p)
{
	delete p;
}

static enum hy_json_flaw flaw_of(simdjson::error_code code)
{
	switch (code) {
	case simdjson::SUCCESS:
		return HY_JSON_FINE;
	case simdjson::CAPACITY:
		return HY_JSON_LARGE;
	case simdjson::MEMALLOC:
		return HY_JSON_MEMORY;
	case simdjson::DEPTH_ERROR:
		return HY_JSON_DEEP;
	case simdjson::NUMBER_ERROR:
		return HY_JSON_NUMERAL;
	default:
		return HY_JSON_SYNTAX;
	}
}

extern "C" enum hy_json_flaw hy_json_parse(
	struct hy_json_parser *p, const uint8_t *data, size_t size, const struct hy_json **root)
{
	try {
		p->trim(keep_blocks); /* the last document's nodes are over */
		simdjson::dom::element element;
		enum hy_json_flaw flaw = flaw_of(p->dom.parse(data, size, false).get(element));
		if (flaw)
			return flaw;
		struct hy_json *top = p->fresh(nullptr);
		flaw = p->walk(element, top, 0);
		*root = top;
		return flaw;
	} catch (...) {
		return HY_JSON_MEMORY;
	}
}
