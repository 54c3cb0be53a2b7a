/* JSON from outside (read, behind simdjson) and JSON to outside (write, behind jansson).
 * Reading is strict: RFC 8259, UTF-8, no duplicate keys, no more than 16 levels, no trailing bytes. A parsed document is a
 * tree of small nodes that point into the document's own memory; walking it costs nothing. Line and column of a fault come from a second,
 * slow pass, made only when there is a fault. */
#ifndef HY_JSON_H
#define HY_JSON_H

#include "base/bytes.h"
#include "base/err.h"

#include <jansson.h> /* writing: json_t, json_pack(), json_object_set_new() are used as they are */

#define HY_JSON_DEPTH 16
#define HY_JSON_KEYS 1000 /* of one object */
#define HY_JSON_PAD 64 /* spare bytes a buffer handed to hy_json_read() must have behind its content */

enum hy_json_type { HY_JSON_NULL, HY_JSON_BOOL, HY_JSON_NUMBER, HY_JSON_TEXT, HY_JSON_ARRAY, HY_JSON_OBJECT };

struct hy_json {
	enum hy_json_type type;
	struct hy_bytes key; /* its name within the object; NUL-terminated behind */
	struct hy_bytes
		text; /* HY_JSON_TEXT: UTF-8, unescaped, NUL-terminated behind; may hold a NUL: check text.size */
	double number; /* HY_JSON_NUMBER */
	int64_t integer; /* the same when `whole` */
	bool whole, truth;
	uint32_t count; /* members of an array or object */
	const struct hy_json *parent, *first, *next; /* first child, next sibling */
};

/* A parser keeps its memory from one document to the next. One per thread. */
struct hy_json_reader;
struct hy_json_reader *hy_json_reader_new(void); /* panics without memory */
void hy_json_reader_free(struct hy_json_reader **r);

/* Parses one document. `text` has HY_JSON_PAD bytes of room behind it (their content does not matter) and isn't changed. *out lives until the next
 * hy_json_read() with the same reader. HY_BAD_INPUT, HY_TOO_LARGE; the fault says line, column and what was expected. */
int hy_json_read(struct hy_json_reader *r, struct hy_bytes text, const struct hy_json **out, struct hy_fault *f);
/* The same, with the memory copied for padding: for callers off the hot path. */
int hy_json_read_copy(struct hy_json_reader *r, struct hy_bytes text, const struct hy_json **out, struct hy_fault *f);
/* What such a fault says, taken apart for those who tell it in fields of their own: its words; *line and *column are 0 when it has no place. */
const char *hy_json_fault_words(const struct hy_fault *f, size_t *line, size_t *column);

const struct hy_json *hy_json_get(
	const struct hy_json *object, const char *key); /* NULL when absent or not an object */
const char *hy_json_text(const struct hy_json *object, const char *key,
	const char *otherwise); /* a text member, NUL-terminated; `otherwise` when absent or of another type */
int64_t hy_json_integer(const struct hy_json *object, const char *key, int64_t otherwise);
bool hy_json_truth(const struct hy_json *object, const char *key, bool otherwise);
const char *hy_json_type_name(enum hy_json_type type);
/* RFC 6901 pointer of a node from the document's root, "/2/customer/email", appended to `out`. */
void hy_json_pointer(struct hy_buffer *out, const struct hy_json *node);
/* One more step of a pointer: "/name", with what has to be escaped in it. */
void hy_json_pointer_step(struct hy_buffer *out, struct hy_bytes name);
/* The node as compact JSON text, appended to `out`. */
void hy_json_dump(struct hy_buffer *out, const struct hy_json *node);
/* A text as JSON, quotes and escapes included, appended to `out`: for who writes many small objects. The text is UTF-8. */
void hy_json_put_text(struct hy_buffer *out, struct hy_bytes text);

#endif
