/* Where a character begins and ends for a person, and how much room it takes on a terminal. Unicode's properties come
 * from ICU; below U+0300 none are needed, which is most of all text asked about. */
#include "base/text.h"

#include <unicode/uchar.h>

enum { ZWJ = 0x200d, VS16 = 0xfe0f, SIMPLE_BELOW = 0x300 };

static int break_class(uint32_t cp)
{
	if (cp == '\r')
		return U_GCB_CR;
	if (cp == '\n')
		return U_GCB_LF;
	return cp < SIMPLE_BELOW ? U_GCB_OTHER : u_getIntPropertyValue((UChar32)cp, UCHAR_GRAPHEME_CLUSTER_BREAK);
}

/* Whether `next` belongs to the character that ends with `prev` (UAX 29). `flags` is the number of regional indicators
 * that directly precede `next`: two make a flag, the third begins another. */
static bool joins(int prev, int next, unsigned flags)
{
	switch (next) {
	case U_GCB_EXTEND:
	case U_GCB_ZWJ:
	case U_GCB_SPACING_MARK:
		return true;
	case U_GCB_LF:
		return prev == U_GCB_CR;
	case U_GCB_REGIONAL_INDICATOR:
		return flags % 2 == 1;
	case U_GCB_L:
	case U_GCB_LV:
	case U_GCB_LVT:
		return prev == U_GCB_L || prev == U_GCB_PREPEND || prev == U_GCB_ZWJ;
	case U_GCB_V:
		return prev == U_GCB_L || prev == U_GCB_LV || prev == U_GCB_V;
	case U_GCB_T:
		return prev == U_GCB_LV || prev == U_GCB_LVT || prev == U_GCB_V || prev == U_GCB_T;
	case U_GCB_CR:
	case U_GCB_CONTROL:
		return false;
	default:
		return prev == U_GCB_ZWJ || prev == U_GCB_PREPEND;
	}
}

struct hy_bytes hy_utf8_prefix(struct hy_bytes text, size_t points)
{
	size_t at = 0, whole = 0; /* `whole`: behind the last character that is complete */
	int prev = U_GCB_CONTROL;
	unsigned flags = 0;
	for (size_t n = 0; at < text.size; n++) {
		size_t next_at = at;
		int next = break_class(hy_utf8_next(text, &next_at));
		if (!joins(prev, next, flags))
			whole = at;
		if (n == points) {
			/* A character that alone is too long is cut after all: a torn one says more than nothing. */
			return hy_bytes(text.data, whole ? whole : at);
		}
		flags = next == U_GCB_REGIONAL_INDICATOR ? flags + 1 : 0;
		prev = next;
		at = next_at;
	}
	return text;
}

static bool is_wide(uint32_t cp)
{
	int width = u_getIntPropertyValue((UChar32)cp, UCHAR_EAST_ASIAN_WIDTH);
	return width == U_EA_WIDE || width == U_EA_FULLWIDTH ||
	       u_hasBinaryProperty((UChar32)cp, UCHAR_EMOJI_PRESENTATION);
}

static bool takes_no_room(uint32_t cp)
{
	switch (u_charType((UChar32)cp)) {
	case U_NON_SPACING_MARK:
	case U_ENCLOSING_MARK:
	case U_FORMAT_CHAR:
	case U_CONTROL_CHAR:
	case U_LINE_SEPARATOR:
	case U_PARAGRAPH_SEPARATOR:
		return true;
	default:
		return cp >= 0x1160 && cp <= 0x11ff; /* Hangul vowels and finals join the syllable before them */
	}
}

size_t hy_text_width(struct hy_bytes text)
{
	size_t columns = 0, last = 0; /* `last`: columns of the character that marks attach to */
	unsigned flags = 0;
	bool joined = false;
	for (size_t at = 0; at < text.size;) {
		uint32_t cp = hy_utf8_next(text, &at);
		if (cp < SIMPLE_BELOW) {
			bool control = cp < 0x20 || (cp >= 0x7f && cp < 0xa0) || cp == 0xad;
			last = control ? 0 : 1;
			columns += last;
			flags = 0;
			joined = false;
			continue;
		}
		bool regional = cp >= 0x1f1e6 && cp <= 0x1f1ff;
		flags = regional ? flags + 1 : 0;
		if (cp == ZWJ) {
			joined = last > 0;
		} else if (cp == VS16) {
			columns += last == 1; /* asks for the picture, which is wide */
			last = last ? 2 : 0;
		} else if (takes_no_room(cp)) {
			continue;
		} else if (last == 2 && (joined || (cp >= 0x1f3fb && cp <= 0x1f3ff))) {
			joined = false; /* one picture with what stands before it: a family, a skin tone */
		} else if (regional) {
			last = flags % 2 == 1 ? 2 : 0;
			columns += last;
		} else {
			last = is_wide(cp) ? 2 : 1;
			columns += last;
			joined = false;
		}
	}
	return columns;
}
