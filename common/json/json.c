#include "json/json.h"
#include "json/read.h"

#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

/* A line of NDJSON or a body is far below this; beyond it, memory for the nodes would no longer be bounded sensibly. */
#define LARGEST ((size_t)64 << 20)
/* From this many digits on, an integer may lie beyond 64 bits. */
#define MANY_DIGITS 19

struct hy_json_reader {
	struct hy_json_parser *parser;
	struct hy_buffer copy; /* padded text of hy_json_read_copy() */
};

struct hy_json_reader *hy_json_reader_new(void)
{
	struct hy_json_reader *r = calloc(1, sizeof(*r));
	uint64_t seed = 0;
	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		hy_panic("json: no random numbers");
	if (!r || !(r->parser = hy_json_parser_new(seed)))
		hy_panic("json: no memory for a reader");
	return r;
}

void hy_json_reader_free(struct hy_json_reader **r)
{
	if (!*r)
		return;
	hy_json_parser_free((*r)->parser);
	hy_buffer_free(&(*r)->copy);
	free(*r);
	*r = NULL;
}

/* ---- Faults: the second, slow pass ---- */

/* Fills `f` with "line 3, column 14: words"; columns count code points, as an editor does. */
static int fault_at(struct hy_fault *f, int err, struct hy_bytes text, size_t at, const char *words)
{
	size_t line = 1, column = 1, i = 0;
	while (i < at && i < text.size) {
		if (hy_utf8_next(text, &i) == '\n') {
			line++;
			column = 1;
		} else {
			column++;
		}
	}
	return hy_fail(f, err, "line %zu, column %zu: %s", line, column, words);
}

const char *hy_json_fault_words(const struct hy_fault *f, size_t *line, size_t *column)
{
	int words = 0;
	if (sscanf(f->text, "line %zu, column %zu: %n", line, column, &words) == 2 && words > 0)
		return f->text + words;
	*line = *column = 0;
	return f->text;
}

#define QUOTED(x) #x
#define DIGITS(x) QUOTED(x)
static const char too_deep[] = "more than " DIGITS(HY_JSON_DEPTH) " levels";
static const char too_wide[] = "more than " DIGITS(HY_JSON_KEYS) " names in one object";

/* The place where a text that isn't UTF-8 stops being it; text.size when it is. */
static size_t bad_utf8(struct hy_bytes text)
{
	size_t at = 0;
	while (at < text.size) {
		size_t before = at;
		/* U+FFFD itself is three bytes long, a broken sequence is passed over one byte at a time. */
		if (hy_utf8_next(text, &at) == 0xfffd && at == before + 1)
			return before;
	}
	return text.size;
}

/* Where a level too deep, or a name too many, stands: brackets and commas outside of texts, nothing else. */
static size_t beyond_limits(struct hy_bytes text, enum hy_json_flaw flaw)
{
	struct {
		bool object;
		uint32_t commas;
	} level[HY_JSON_DEPTH + 1] = { 0 };
	int depth = 0;
	bool quoted = false;
	for (size_t i = 0; i < text.size; i++) {
		uint8_t c = text.data[i];
		if (quoted) {
			if (c == '\\')
				i++;
			else if (c == '"')
				quoted = false;
		} else if (c == '"') {
			quoted = true;
		} else if (c == '[' || c == '{') {
			if (depth == HY_JSON_DEPTH)
				return flaw == HY_JSON_DEEP ? i : text.size;
			level[++depth].object = c == '{';
			level[depth].commas = 0;
		} else if ((c == ']' || c == '}') && depth > 0) {
			depth--;
		} else if (c == ',' && level[depth].object && ++level[depth].commas == HY_JSON_KEYS &&
			   flaw == HY_JSON_WIDE) {
			return i;
		}
	}
	return text.size;
}

/* jansson's sentences that differ in kind, and ours. `back`: it has read past the thing it complains about. */
static const struct {
	const char *theirs, *ours;
	bool back;
} sentences[] = {
	{ "string or '}' expected", "a name in double quotes should stand here", true },
	{ "':' expected", "a ':' should stand here, between the name and its value", true },
	{ "'}' expected", "a ',' or '}' should stand here", true },
	{ "']' expected", "a ',' or ']' should stand here", true },
	{ "invalid token", "not a JSON value (texts stand in double quotes; true, false and null are written small)",
		true },
	{ "unexpected token", "a value should stand here", true },
	{ "control character", "a control character in a text has to be written as \\u00XX", false },
	{ "unexpected newline", "the text isn't closed at the end of its line", false },
	{ "invalid escape", "there is no such escape", false },
	{ "invalid Unicode", "half of a surrogate pair", false },
	{ "end of file expected", "nothing may follow the value", true },
	{ "too big integer", "the number is too large", true },
	{ "real number overflow", "the number is too large", true },
	{ "\\u0000 is not allowed", "a name can't hold the character U+0000", false },
	{ "NUL byte in object key", "a name can't hold the character U+0000", false },
	{ "premature end", "the text ends too early", false },
};

/* The piece of text that jansson's message quotes at its end, "... near 'x'"; empty when it quotes none. */
static struct hy_bytes quoted_by(const char *message)
{
	const char *near = strstr(message, " near '");
	size_t length = near ? strlen(near) : 0;
	return length > 8 && near[length - 1] == '\'' ? hy_bytes(near + 7, length - 8) : (struct hy_bytes){ 0 };
}

/* Reads the text once more, slowly, only to tell where it goes wrong. */
static int explain(struct hy_bytes text, enum hy_json_flaw flaw, struct hy_fault *f)
{
	if (flaw == HY_JSON_MEMORY)
		return hy_fail(f, HY_NO_MEMORY, "no memory for %zu bytes of JSON", text.size);
	if (flaw == HY_JSON_LARGE)
		return hy_fail(f, HY_TOO_LARGE, "%zu bytes of JSON in one piece; the limit is %zu", text.size, LARGEST);
	size_t at = bad_utf8(text);
	if (at < text.size)
		return fault_at(f, HY_BAD_INPUT, text, at, "not UTF-8");
	if (text.size >= 3 && memcmp(text.data, "\xef\xbb\xbf", 3) == 0)
		return fault_at(f, HY_BAD_INPUT, text, 0, "a byte order mark, which JSON does without");
	if (flaw == HY_JSON_DEEP || flaw == HY_JSON_WIDE)
		return fault_at(
			f, HY_BAD_INPUT, text, beyond_limits(text, flaw), flaw == HY_JSON_DEEP ? too_deep : too_wide);
	json_error_t error;
	json_t *json = json_loadb((const char *)text.data, text.size,
		JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, &error);
	if (json) { /* the two disagree about this text: the stricter one decides, and has no place to tell */
		json_decref(json);
		return hy_fail(f, HY_BAD_INPUT, "not valid JSON");
	}
	if (json_error_code(&error) == json_error_stack_overflow)
		return fault_at(f, HY_BAD_INPUT, text, beyond_limits(text, HY_JSON_DEEP), too_deep);
	at = error.position > 0 ? (size_t)error.position : 0;
	if (at > text.size)
		at = text.size;
	struct hy_bytes quoted = quoted_by(error.text);
	bool found =
		quoted.size && quoted.size <= at && memcmp(text.data + at - quoted.size, quoted.data, quoted.size) == 0;
	if (json_error_code(&error) == json_error_duplicate_key) {
		if (found)
			at -= quoted.size;
		char words[256];
		snprintf(words, sizeof(words), "the name %.*s occurs twice in this object", (int)quoted.size,
			quoted.size ? (const char *)quoted.data : "");
		return fault_at(
			f, HY_BAD_INPUT, text, at, quoted.size ? words : "the name occurs twice in this object");
	}
	if (json_error_code(&error) == json_error_premature_end_of_input)
		return fault_at(
			f, HY_BAD_INPUT, text, text.size, text.size ? "the text ends too early" : "no text at all");
	for (size_t i = 0; i < sizeof(sentences) / sizeof(sentences[0]); i++) {
		if (strncmp(error.text, sentences[i].theirs, strlen(sentences[i].theirs)) != 0)
			continue;
		if (sentences[i].back && found)
			at -= quoted.size;
		return fault_at(f, HY_BAD_INPUT, text, at, sentences[i].ours);
	}
	return fault_at(f, HY_BAD_INPUT, text, at, "not valid JSON");
}

/* ---- Reading ---- */

static bool is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

/* simdjson refuses integers of more than 64 bits. JSON allows them, so the text is read once more with an exponent of
 * zero behind each long integer, which makes it a double. */
static enum hy_json_flaw read_wide(struct hy_json_reader *r, struct hy_bytes text, const struct hy_json **out)
{
	struct hy_buffer wide = { 0 };
	size_t copied = 0;
	bool quoted = false;
	for (size_t i = 0; i < text.size; i++) {
		uint8_t c = text.data[i];
		if (quoted) {
			if (c == '\\')
				i++;
			else if (c == '"')
				quoted = false;
		} else if (c == '"') {
			quoted = true;
		} else if (is_digit(c)) {
			size_t end = i;
			while (end < text.size && (is_digit(text.data[end]) || (text.data[end] | 0x20) == 'e' ||
							  memchr("+-.", text.data[end], 3)))
				end++;
			size_t digits = i;
			while (digits < end && is_digit(text.data[digits]))
				digits++;
			if (digits == end && end - i >= MANY_DIGITS) {
				hy_buffer_put(&wide, text.data + copied, end - copied);
				hy_buffer_text(&wide, "e0");
				copied = end;
			}
			i = end - 1;
		}
	}
	enum hy_json_flaw flaw = HY_JSON_NUMERAL;
	if (copied > 0) {
		hy_buffer_put(&wide, text.data + copied, text.size - copied);
		uint8_t *pad = hy_buffer_room(&wide, HY_JSON_PAD);
		flaw = pad ? hy_json_parse(r->parser, wide.data, wide.size, out) : HY_JSON_MEMORY;
	}
	hy_buffer_free(&wide); /* the nodes point into simdjson's buffer, not here */
	return flaw;
}

int hy_json_read(struct hy_json_reader *r, struct hy_bytes text, const struct hy_json **out, struct hy_fault *f)
{
	*out = NULL;
	if (text.size > LARGEST)
		return explain(text, HY_JSON_LARGE, f);
	const struct hy_json *root = NULL;
	enum hy_json_flaw flaw = hy_json_parse(r->parser, text.data, text.size, &root);
	if (flaw == HY_JSON_NUMERAL)
		flaw = read_wide(r, text, &root);
	if (flaw != HY_JSON_FINE)
		return explain(text, flaw, f);
	*out = root;
	return HY_OK;
}

int hy_json_read_copy(struct hy_json_reader *r, struct hy_bytes text, const struct hy_json **out, struct hy_fault *f)
{
	*out = NULL;
	if (text.size > LARGEST)
		return explain(text, HY_JSON_LARGE, f);
	hy_buffer_clear(&r->copy);
	hy_buffer_bytes(&r->copy, text);
	if (!hy_buffer_room(&r->copy, HY_JSON_PAD))
		return explain(text, HY_JSON_MEMORY, f);
	return hy_json_read(r, hy_buffer_view(&r->copy), out, f);
}

/* ---- Walking ---- */

const struct hy_json *hy_json_get(const struct hy_json *object, const char *key)
{
	if (!object || object->type != HY_JSON_OBJECT)
		return NULL;
	struct hy_bytes wanted = hy_bytes_text(key);
	for (const struct hy_json *m = object->first; m; m = m->next) {
		if (hy_bytes_equal(m->key, wanted))
			return m;
	}
	return NULL;
}

const char *hy_json_text(const struct hy_json *object, const char *key, const char *otherwise)
{
	const struct hy_json *m = hy_json_get(object, key);
	return m && m->type == HY_JSON_TEXT ? (const char *)m->text.data : otherwise;
}

int64_t hy_json_integer(const struct hy_json *object, const char *key, int64_t otherwise)
{
	const struct hy_json *m = hy_json_get(object, key);
	return m && m->type == HY_JSON_NUMBER && m->whole ? m->integer : otherwise;
}

bool hy_json_truth(const struct hy_json *object, const char *key, bool otherwise)
{
	const struct hy_json *m = hy_json_get(object, key);
	return m && m->type == HY_JSON_BOOL ? m->truth : otherwise;
}

const char *hy_json_type_name(enum hy_json_type type)
{
	static const char *const names[] = { "null", "true or false", "a number", "a text", "an array", "an object" };
	return names[type];
}

void hy_json_pointer_step(struct hy_buffer *out, struct hy_bytes name)
{
	hy_buffer_byte(out, '/');
	for (size_t i = 0; i < name.size; i++) {
		if (name.data[i] == '~')
			hy_buffer_text(out, "~0");
		else if (name.data[i] == '/')
			hy_buffer_text(out, "~1");
		else
			hy_buffer_byte(out, name.data[i]);
	}
}

void hy_json_pointer(struct hy_buffer *out, const struct hy_json *node)
{
	const struct hy_json *way[HY_JSON_DEPTH + 1];
	size_t steps = 0;
	for (; node->parent; node = node->parent)
		way[steps++] = node;
	while (steps-- > 0) {
		const struct hy_json *step = way[steps];
		if (step->parent->type == HY_JSON_ARRAY) {
			size_t i = 0;
			for (const struct hy_json *m = step->parent->first; m != step; m = m->next)
				i++;
			hy_buffer_printf(out, "/%zu", i);
			continue;
		}
		hy_json_pointer_step(out, step->key);
	}
}

/* The shortest of three precisions that reads back as the same number. */
static void dump_number(struct hy_buffer *out, double v)
{
	char text[40];
	for (int digits = 15; digits <= 17; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, v);
		if (strtod(text, NULL) == v)
			break;
	}
	char *comma = strchr(text, ','); /* of a locale that someone set */
	if (comma)
		*comma = '.';
	hy_buffer_text(out, text);
}

void hy_json_dump(struct hy_buffer *out, const struct hy_json *node)
{
	bool object = node->type == HY_JSON_OBJECT;
	switch (node->type) {
	case HY_JSON_NULL:
		hy_buffer_text(out, "null");
		break;
	case HY_JSON_BOOL:
		hy_buffer_text(out, node->truth ? "true" : "false");
		break;
	case HY_JSON_NUMBER:
		if (node->whole)
			hy_buffer_printf(out, "%lld", (long long)node->integer);
		else
			dump_number(out, node->number);
		break;
	case HY_JSON_TEXT:
		hy_json_put_text(out, node->text);
		break;
	case HY_JSON_ARRAY:
	case HY_JSON_OBJECT:
		hy_buffer_byte(out, object ? '{' : '[');
		for (const struct hy_json *m = node->first; m; m = m->next) {
			if (m != node->first)
				hy_buffer_byte(out, ',');
			if (object) {
				hy_json_put_text(out, m->key);
				hy_buffer_byte(out, ':');
			}
			hy_json_dump(out, m);
		}
		hy_buffer_byte(out, object ? '}' : ']');
		break;
	}
}
