/* Bytes: looking at them (struct hy_bytes), gathering them (struct hy_buffer), and keys that sort (struct hy_key). */
#ifndef HY_BASE_BYTES_H
#define HY_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* A view: it owns nothing. The function that hands one out says how long it lives. */
struct hy_bytes {
	const uint8_t *data;
	size_t size;
};

#define HY_LIT(s) ((struct hy_bytes){ (const uint8_t *)(s), sizeof(s) - 1 })

static inline struct hy_bytes hy_bytes(const void *data, size_t size)
{
	return (struct hy_bytes){ (const uint8_t *)data, size }; /* the cast is for our two C++ files */
}
static inline struct hy_bytes hy_bytes_text(const char *text)
{
	return (struct hy_bytes){ (const uint8_t *)text, text ? strlen(text) : 0 };
}
static inline bool hy_bytes_equal(struct hy_bytes a, struct hy_bytes b)
{
	return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}
static inline bool hy_bytes_starts(struct hy_bytes a, struct hy_bytes prefix)
{
	return a.size >= prefix.size && (prefix.size == 0 || memcmp(a.data, prefix.data, prefix.size) == 0);
}
int hy_bytes_cmp(struct hy_bytes a, struct hy_bytes b); /* as LMDB sorts: bytewise, the shorter first */

/* Big-endian, so that numbers sort as keys. */
static inline void hy_be_put64(uint8_t *p, uint64_t v)
{
	for (int i = 7; i >= 0; i--, v >>= 8)
		p[i] = (uint8_t)v;
}
static inline uint64_t hy_be_get64(const uint8_t *p)
{
	uint64_t v = 0;
	for (int i = 0; i < 8; i++)
		v = v << 8 | p[i];
	return v;
}

/* A growing buffer. Zeroed is empty; out of memory panics only past HY_BUFFER_MAX, otherwise it is remembered in `err`,
 * so that a chain of puts is checked once. The owner calls hy_buffer_free(). */
struct hy_buffer {
	uint8_t *data;
	size_t size, room;
	int err; /* HY_OK or HY_NO_MEMORY; puts after a failure do nothing */
};
#define HY_BUFFER_MAX ((size_t)1 << 30)

void hy_buffer_put(struct hy_buffer *b, const void *data, size_t size);
void hy_buffer_bytes(struct hy_buffer *b, struct hy_bytes v);
void hy_buffer_text(struct hy_buffer *b, const char *text);
void hy_buffer_byte(struct hy_buffer *b, uint8_t v);
void hy_buffer_printf(struct hy_buffer *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
uint8_t *hy_buffer_room(struct hy_buffer *b, size_t size); /* room for `size` more bytes, not yet counted; NULL on failure */
void hy_buffer_clear(struct hy_buffer *b);                 /* empty, keeps its memory, forgets `err` */
void hy_buffer_free(struct hy_buffer *b);                  /* gives the memory back; zeroed again */
const char *hy_buffer_string(struct hy_buffer *b);         /* NUL-terminated view of the content; "" on failure */
static inline struct hy_bytes hy_buffer_view(const struct hy_buffer *b)
{
	return (struct hy_bytes){ b->data, b->size };
}

/* A composite key that sorts by its parts in order: hy_key_u64() big-endian, hy_key_bytes() as they are (fixed-size
 * parts anywhere, a variable part last). Overflow panics: keys are ours. */
struct hy_key {
	uint8_t data[256];
	size_t size;
};
static inline void hy_key_bytes(struct hy_key *k, const void *data, size_t size)
{
	if (size > sizeof(k->data) - k->size)
		__builtin_trap();
	if (size)
		memcpy(k->data + k->size, data, size);
	k->size += size;
}
static inline void hy_key_u64(struct hy_key *k, uint64_t v)
{
	uint8_t be[8];
	hy_be_put64(be, v);
	hy_key_bytes(k, be, 8);
}
static inline struct hy_bytes hy_key_view(const struct hy_key *k)
{
	return (struct hy_bytes){ k->data, k->size };
}

/* Lower-case hexadecimal, for logs and JSON. `out` has room for 2 * size + 1. */
void hy_hex(const void *data, size_t size, char *out);
/* The value of a hexadecimal digit of either case, or -1. */
int hy_hex_value(char c);

/* base64url without padding (RFC 4648 section 5). encode: `out` has room for 4 * size / 3 + 3; returns its length.
 * decode: strict (no padding, no white space, no stray bits); returns the size, or HY_BAD_INPUT, or HY_TOO_LARGE. */
size_t hy_base64url_encode(struct hy_bytes in, char *out);
long hy_base64url_decode(struct hy_bytes text, void *out, size_t room);

#endif
