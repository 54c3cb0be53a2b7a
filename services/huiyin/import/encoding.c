#include "encoding.h"

#include "base/text.h"

#include <stdlib.h>
#include <unicode/ucnv.h>
#include <unicode/ucnv_cb.h>

#define UNITS 8192 /* UTF-16 units between the two encodings at a time */

/* ---- telling ---- */

static bool starts(struct hy_bytes b, const char *mark, size_t size)
{
	return b.size >= size && memcmp(b.data, mark, size) == 0;
}

static const char *by_mark(struct hy_bytes sample)
{
	static const struct {
		const char *mark;
		size_t size;
		const char *name;
	} marks[] = { { "\xef\xbb\xbf", 3, "UTF-8" }, { "\xff\xfe\0\0", 4, "UTF-32LE" }, { "\xff\xfe", 2, "UTF-16LE" },
		{ "\xfe\xff", 2, "UTF-16BE" }, { "\x84\x31\x95\x33", 4, "GB18030" } };
	for (size_t i = 0; i < sizeof(marks) / sizeof(*marks); i++)
		if (starts(sample, marks[i].mark, marks[i].size))
			return marks[i].name;
	return NULL;
}

/* Separators, digits and ends of lines have a zero byte in UTF-16, always on the same side. */
static const char *by_zeros(struct hy_bytes sample, size_t *zeros)
{
	size_t side[2] = { 0 };
	for (size_t i = 0; i < sample.size; i++)
		side[i & 1] += sample.data[i] == 0;
	*zeros = side[0] + side[1];
	if (*zeros < 2 || *zeros * 200 < sample.size)
		return NULL;
	if (side[0] * 20 <= *zeros)
		return "UTF-16LE";
	return side[1] * 20 <= *zeros ? "UTF-16BE" : NULL;
}

/* Bytes of the GB18030 character at `p`, 0 when there is none. */
static size_t gb_character(const uint8_t *p, size_t left)
{
	if (p[0] < 0x80)
		return 1;
	if (p[0] == 0x80 || p[0] == 0xff || left < 2)
		return 0;
	if (p[1] >= 0x40 && p[1] != 0x7f && p[1] != 0xff)
		return 2;
	bool four = left >= 4 && p[1] >= 0x30 && p[1] <= 0x39 && p[2] >= 0x81 && p[2] <= 0xfe && p[3] >= 0x30 &&
		    p[3] <= 0x39;
	return four ? 4 : 0;
}

/* Counts the characters of a line, and those that are common: punctuation and the 6,763 of GB 2312. False when it is not GB18030. */
static bool gb_line(struct hy_bytes line, size_t *characters, size_t *common)
{
	for (size_t i = 0; i < line.size;) {
		const uint8_t *p = line.data + i;
		size_t n = gb_character(p, line.size - i);
		if (n == 0)
			return false;
		if (n > 1)
			++*characters;
		*common += n == 2 && p[1] >= 0xa1 && (p[0] <= 0xa3 || (p[0] >= 0xb0 && p[0] <= 0xf7)) && p[0] >= 0xa1;
		i += n;
	}
	return true;
}

static bool ascii(struct hy_bytes line)
{
	for (size_t i = 0; i < line.size; i++)
		if (line.data[i] >= 0x80)
			return false;
	return true;
}

static const char *by_lines(struct hy_bytes sample)
{
	size_t lines = 0, utf8 = 0, gb = 0, characters = 0, common = 0;
	while (sample.size) {
		const uint8_t *end = memchr(sample.data, '\n', sample.size);
		struct hy_bytes line = hy_bytes(sample.data, end ? (size_t)(end - sample.data) : sample.size);
		sample = hy_bytes(sample.data + line.size, sample.size - line.size);
		if (end)
			sample = hy_bytes(sample.data + 1, sample.size - 1);
		if (ascii(line))
			continue;
		lines++;
		utf8 += hy_utf8_valid(line);
		gb += gb_line(line, &characters, &common);
	}
	/* Two bytes of GBK look like UTF-8 once in a while, a line of them hardly ever; the other way round it is common. So UTF-8 goes first. */
	if (utf8 * 2 >= lines)
		return "UTF-8";
	return gb * 10 >= lines * 8 && common * 2 >= characters ? "GB18030" : NULL;
}

/* The sample without the line that is cut at its end; one long line ends behind its last ASCII character, else before what could be the half of
 * one of UTF-8's. */
static struct hy_bytes whole_lines(struct hy_bytes sample)
{
	const uint8_t *end = memrchr(sample.data, '\n', sample.size);
	if (end)
		return hy_bytes(sample.data, (size_t)(end - sample.data));
	for (size_t i = sample.size; i > 0 && sample.size - i < 64; i--)
		if (sample.data[i - 1] < 0x80)
			return hy_bytes(sample.data, i);
	while (sample.size && (sample.data[sample.size - 1] & 0xc0) == 0x80)
		sample.size--;
	sample.size -= sample.size > 0;
	return sample;
}

int encoding_detect(struct hy_bytes sample, bool whole, const char **name, struct hy_fault *f)
{
	size_t zeros = 0;
	*name = by_mark(sample);
	if (*name)
		return HY_OK;
	*name = by_zeros(sample, &zeros);
	if (*name)
		return HY_OK;
	if (zeros * 200 >= sample.size && zeros)
		return hy_fail(f, HY_BAD_INPUT,
			"this is no text: it holds NUL bytes; save a workbook as CSV first, or name its encoding with "
			"--encoding");
	*name = by_lines(whole ? sample : whole_lines(sample));
	return *name ? HY_OK
		     : hy_fail(f, HY_BAD_INPUT,
			       "its encoding is neither UTF-8 nor GB18030 (GBK) nor UTF-16; name it with --encoding, "
			       "like --encoding=Big5 or --encoding=windows-1252");
}

bool encoding_is_utf8(const char *name)
{
	return strcasecmp(name, "UTF-8") == 0 || strcasecmp(name, "UTF8") == 0;
}

/* ---- converting ---- */

struct encoding {
	UConverter *from;
	UChar units[UNITS];
	UChar high; /* the first half of a pair whose second one has not come yet */
};

/* Half of a pair on its own: no encoding gives it out for anything that is right. */
static void U_CALLCONV mark_bad(const void *context, UConverterToUnicodeArgs *args, const char *bytes, int32_t size,
	UConverterCallbackReason reason, UErrorCode *code)
{
	static const UChar bad[] = { 0xdfff };
	(void)context;
	(void)bytes;
	(void)size;
	if (reason > UCNV_IRREGULAR)
		return; /* reset, close, clone */
	*code = U_ZERO_ERROR;
	ucnv_cbToUWriteUChars(args, bad, 1, 0, code);
}

int encoding_open(struct encoding **out, const char *name, struct hy_fault *f)
{
	UErrorCode code = U_ZERO_ERROR;
	struct encoding *e = calloc(1, sizeof(*e));
	if (!e)
		return hy_fail(f, HY_NO_MEMORY, "no memory");
	e->from = ucnv_open(name, &code);
	if (U_SUCCESS(code))
		ucnv_setToUCallBack(e->from, mark_bad, NULL, NULL, NULL, &code);
	*out = e;
	if (U_SUCCESS(code))
		return HY_OK;
	encoding_close(out);
	return hy_fail(f, HY_USAGE,
		"there is no encoding '%s'; there are UTF-8, GB18030, GBK, Big5, UTF-16LE, UTF-16BE, Shift_JIS, "
		"windows-1252 and more",
		name);
}

void encoding_close(struct encoding **e)
{
	if (!*e)
		return;
	ucnv_close((*e)->from);
	free(*e);
	*e = NULL;
}

static void put_units(struct encoding *e, size_t count, struct hy_buffer *out)
{
	uint8_t *to = hy_buffer_room(out, 3 * count + 4);
	char *at = (char *)to;
	for (size_t i = 0; i < count && to; i++) {
		uint32_t u = e->units[i];
		if (e->high && u >= 0xdc00 && u < 0xe000) {
			u = 0x10000 + ((uint32_t)(e->high - 0xd800) << 10) + (u - 0xdc00);
			at += hy_utf8_put(at, u);
			e->high = 0;
			continue;
		}
		if (e->high)
			*at++ = (char)0xff;
		e->high = 0;
		if (u < 0x80)
			*at++ = (char)u;
		else if (u >= 0xd800 && u < 0xdc00)
			e->high = (UChar)u;
		else if (u >= 0xdc00 && u < 0xe000)
			*at++ = (char)0xff;
		else
			at += hy_utf8_put(at, u);
	}
	if (to)
		out->size += (size_t)(at - (char *)to);
}

int encoding_convert(struct encoding *e, struct hy_bytes piece, bool last, struct hy_buffer *out)
{
	const char *from = piece.size ? (const char *)piece.data : "", *end = from + piece.size;
	UErrorCode code;
	do {
		UChar *to = e->units;
		code = U_ZERO_ERROR;
		ucnv_toUnicode(e->from, &to, e->units + UNITS, &from, end, NULL, last, &code);
		put_units(e, (size_t)(to - e->units), out);
	} while (code == U_BUFFER_OVERFLOW_ERROR && !out->err);
	if (last && e->high) {
		hy_buffer_byte(out, 0xff);
		e->high = 0;
	}
	return U_FAILURE(code) ? HY_BAD_INPUT : out->err;
}
