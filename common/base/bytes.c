/* Growing buffers, hexadecimal and base64url. */
#include "base/bytes.h"

#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

int hy_bytes_cmp(struct hy_bytes a, struct hy_bytes b)
{
	size_t both = a.size < b.size ? a.size : b.size;
	int order = both ? memcmp(a.data, b.data, both) : 0;
	return order ? order : (a.size > b.size) - (a.size < b.size);
}

uint8_t *hy_buffer_room(struct hy_buffer *b, size_t size)
{
	if (b->err)
		return NULL;
	if (size <= b->room - b->size && b->data)
		return b->data + b->size;
	if (size > HY_BUFFER_MAX - b->size)
		hy_panic("a buffer of %zu bytes was asked for %zu more", b->size, size);
	size_t room = b->room ? b->room : 128;
	while (room < b->size + size)
		room *= 2;
	uint8_t *data = realloc(b->data, room);
	if (!data) {
		b->err = HY_NO_MEMORY;
		return NULL;
	}
	b->data = data;
	b->room = room;
	return data + b->size;
}

void hy_buffer_put(struct hy_buffer *b, const void *data, size_t size)
{
	if (size == 0)
		return;
	uint8_t *to = hy_buffer_room(b, size);
	if (!to)
		return;
	memcpy(to, data, size);
	b->size += size;
}

void hy_buffer_bytes(struct hy_buffer *b, struct hy_bytes v)
{
	hy_buffer_put(b, v.data, v.size);
}

void hy_buffer_text(struct hy_buffer *b, const char *text)
{
	if (text)
		hy_buffer_put(b, text, strlen(text));
}

void hy_buffer_byte(struct hy_buffer *b, uint8_t v)
{
	uint8_t *to = hy_buffer_room(b, 1);
	if (!to)
		return;
	*to = v;
	b->size++;
}

void hy_buffer_printf(struct hy_buffer *b, const char *fmt, ...)
{
	uint8_t *to = hy_buffer_room(b, 64);
	if (!to)
		return;
	size_t room = b->room - b->size;
	va_list ap, again;
	va_start(ap, fmt);
	va_copy(again, ap);
	int size = vsnprintf((char *)to, room, fmt, ap);
	if (size >= 0 && (size_t)size >= room) {
		to = hy_buffer_room(b, (size_t)size + 1); /* vsnprintf writes its NUL */
		if (to)
			vsnprintf((char *)to, (size_t)size + 1, fmt, again);
	}
	if (size < 0)
		b->err = HY_NO_MEMORY;
	else if (to)
		b->size += (size_t)size;
	va_end(again);
	va_end(ap);
}

void hy_buffer_clear(struct hy_buffer *b)
{
	b->size = 0;
	b->err = HY_OK;
}

void hy_buffer_free(struct hy_buffer *b)
{
	free(b->data);
	*b = (struct hy_buffer){ 0 };
}

const char *hy_buffer_string(struct hy_buffer *b)
{
	uint8_t *end = hy_buffer_room(b, 1);
	if (!end)
		return "";
	*end = '\0';
	return (const char *)b->data;
}

void hy_hex(const void *data, size_t size, char *out)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *p = data;
	for (size_t i = 0; i < size; i++) {
		*out++ = digits[p[i] >> 4];
		*out++ = digits[p[i] & 15];
	}
	*out = '\0';
}

int hy_hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

size_t hy_base64url_encode(struct hy_bytes in, char *out)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	char *to = out;
	uint32_t held = 0;
	int bits = 0;
	for (size_t i = 0; i < in.size; i++) {
		held = held << 8 | in.data[i];
		for (bits += 8; bits >= 6; bits -= 6)
			*to++ = digits[held >> (bits - 6) & 63];
	}
	if (bits)
		*to++ = digits[held << (6 - bits) & 63];
	*to = '\0';
	return (size_t)(to - out);
}

static int base64url_digit(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '-' ? 62 : c == '_' ? 63 : -1;
}

long hy_base64url_decode(struct hy_bytes text, void *out, size_t room)
{
	if (text.size % 4 == 1)
		return HY_BAD_INPUT;
	uint8_t *to = out;
	size_t size = 0;
	uint32_t held = 0;
	int bits = 0;
	for (size_t i = 0; i < text.size; i++) {
		int digit = base64url_digit(text.data[i]);
		if (digit < 0)
			return HY_BAD_INPUT;
		held = (held << 6 | (uint32_t)digit) & 0xffff;
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			if (size == room)
				return HY_TOO_LARGE;
			to[size++] = (uint8_t)(held >> bits);
		}
	}
	/* What is left over must be zero, or one value would have several texts. */
	if (held & ((1u << bits) - 1))
		return HY_BAD_INPUT;
	return (long)size;
}
