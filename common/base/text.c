/* UTF-8, harmless lines, HTML, and a guess at a mistyped word. */
#include "base/text.h"

#define ONES 0x0101010101010101u
#define HIGHS 0x8080808080808080u

static inline uint64_t load64(const uint8_t *p)
{
	uint64_t v;
	memcpy(&v, p, sizeof(v));
	return v;
}

/* Length of the valid sequence at `p` (at most `left` bytes), or 0. The second byte's range rules out overlong forms,
 * surrogates and what lies above U+10FFFF (RFC 3629 section 4). */
static inline size_t sequence(const uint8_t *p, size_t left)
{
	uint8_t c = p[0];
	if (c < 0x80)
		return 1;
	if (c < 0xc2)
		return 0;
	if (c < 0xe0)
		return left >= 2 && (p[1] & 0xc0) == 0x80 ? 2 : 0;
	if (c < 0xf0) {
		if (left < 3 || (p[1] & 0xc0) != 0x80 || (p[2] & 0xc0) != 0x80)
			return 0;
		return (c == 0xe0 && p[1] < 0xa0) || (c == 0xed && p[1] > 0x9f) ? 0 : 3;
	}
	if (c > 0xf4 || left < 4 || (p[1] & 0xc0) != 0x80 || (p[2] & 0xc0) != 0x80 || (p[3] & 0xc0) != 0x80)
		return 0;
	return (c == 0xf0 && p[1] < 0x90) || (c == 0xf4 && p[1] > 0x8f) ? 0 : 4;
}

bool hy_utf8_valid(struct hy_bytes text)
{
	const uint8_t *p = text.data;
	size_t left = text.size;
	while (left) {
		if (*p < 0x80) {
			while (left >= 8 && !(load64(p) & HIGHS)) {
				p += 8;
				left -= 8;
			}
			while (left && *p < 0x80) {
				p++;
				left--;
			}
			continue;
		}
		size_t n = sequence(p, left);
		if (!n)
			return false;
		p += n;
		left -= n;
	}
	return true;
}

size_t hy_utf8_count(struct hy_bytes text)
{
	size_t count = 0;
	for (size_t i = 0; i < text.size; i++)
		count += (text.data[i] & 0xc0) != 0x80;
	return count;
}

uint32_t hy_utf8_next(struct hy_bytes text, size_t *at)
{
	const uint8_t *p = text.data + *at;
	size_t n = sequence(p, text.size - *at);
	*at += n ? n : 1;
	switch (n) {
	case 1:
		return p[0];
	case 2:
		return (uint32_t)(p[0] & 0x1f) << 6 | (p[1] & 0x3fu);
	case 3:
		return (uint32_t)(p[0] & 0x0f) << 12 | (uint32_t)(p[1] & 0x3f) << 6 | (p[2] & 0x3fu);
	case 4:
		return (uint32_t)(p[0] & 0x07) << 18 | (uint32_t)(p[1] & 0x3f) << 12 | (uint32_t)(p[2] & 0x3f) << 6 |
		       (p[3] & 0x3fu);
	default:
		return 0xfffd;
	}
}

size_t hy_utf8_put(char out[static 4], uint32_t cp)
{
	if (cp > 0x10ffff || (cp >= 0xd800 && cp <= 0xdfff))
		cp = 0xfffd;
	if (cp < 0x80) {
		out[0] = (char)cp;
		return 1;
	}
	if (cp < 0x800) {
		out[0] = (char)(0xc0 | cp >> 6);
		out[1] = (char)(0x80 | (cp & 0x3f));
		return 2;
	}
	if (cp < 0x10000) {
		out[0] = (char)(0xe0 | cp >> 12);
		out[1] = (char)(0x80 | (cp >> 6 & 0x3f));
		out[2] = (char)(0x80 | (cp & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | cp >> 18);
	out[1] = (char)(0x80 | (cp >> 12 & 0x3f));
	out[2] = (char)(0x80 | (cp >> 6 & 0x3f));
	out[3] = (char)(0x80 | (cp & 0x3f));
	return 4;
}

/* What could end a line, move the cursor, or show text in another order than it is stored. */
static bool is_harmful(uint32_t cp)
{
	return cp < 0x20 || (cp >= 0x7f && cp < 0xa0) || cp == 0x61c || cp == 0x200e || cp == 0x200f ||
	       (cp >= 0x2028 && cp <= 0x202e) || (cp >= 0x2066 && cp <= 0x2069) || cp == 0xfeff;
}

/* Length of the plain ASCII (0x20 to 0x7e) at the beginning. */
static size_t plain_run(const uint8_t *p, size_t size)
{
	size_t i = 0;
	for (; size - i >= 8; i += 8) {
		uint64_t v = load64(p + i);
		uint64_t del = v ^ (ONES * 0x7f);
		/* A byte with its high bit set, one below 0x20, or 0x7f. A borrow can flag too much, never too little. */
		if ((v | (v - ONES * 0x20) | (del - ONES)) & HIGHS)
			break;
	}
	while (i < size && p[i] >= 0x20 && p[i] < 0x7f)
		i++;
	return i;
}

void hy_text_line(struct hy_buffer *out, struct hy_bytes text)
{
	size_t at = 0;
	while (at < text.size) {
		size_t plain = plain_run(text.data + at, text.size - at);
		hy_buffer_put(out, text.data + at, plain);
		at += plain;
		if (at == text.size)
			break;
		size_t from = at;
		uint32_t cp = hy_utf8_next(text, &at);
		if (cp == '\n')
			hy_buffer_text(out, "\\n");
		else if (cp == '\t')
			hy_buffer_text(out, "\\t");
		else if (is_harmful(cp))
			hy_buffer_printf(out, "\\u{%x}", (unsigned)cp);
		else if (cp == 0xfffd)
			hy_buffer_text(out, "\xef\xbf\xbd"); /* also in place of a byte that is not UTF-8 */
		else
			hy_buffer_put(out, text.data + from, at - from);
	}
}

void hy_text_html(struct hy_buffer *out, struct hy_bytes text)
{
	size_t from = 0;
	for (size_t i = 0; i < text.size; i++) {
		const char *as;
		switch (text.data[i]) {
		case '&':
			as = "&amp;";
			break;
		case '<':
			as = "&lt;";
			break;
		case '>':
			as = "&gt;";
			break;
		case '"':
			as = "&quot;";
			break;
		case '\'':
			as = "&#39;";
			break;
		default:
			continue;
		}
		if (i > from)
			hy_buffer_put(out, text.data + from, i - from);
		hy_buffer_text(out, as);
		from = i + 1;
	}
	if (text.size > from)
		hy_buffer_put(out, text.data + from, text.size - from);
}

enum { WORD_MAX = 64 };

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Optimal string alignment: insert, delete, replace, and swap of neighbours each cost one. Both at most WORD_MAX long.
 * Case doesn't count. */
static size_t distance(const char *a, size_t a_size, const char *b, size_t b_size)
{
	size_t rows[3][WORD_MAX + 1];
	size_t *before = rows[0], *last = rows[1], *now = rows[2];
	for (size_t j = 0; j <= b_size; j++)
		last[j] = before[j] = j;
	for (size_t i = 1; i <= a_size; i++) {
		now[0] = i;
		for (size_t j = 1; j <= b_size; j++) {
			bool same = lower(a[i - 1]) == lower(b[j - 1]);
			now[j] = least(last[j - 1] + !same, least(last[j], now[j - 1]) + 1);
			if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) && lower(a[i - 2]) == lower(b[j - 1]))
				now[j] = least(now[j], before[j - 2] + 1);
		}
		size_t *free_row = before;
		before = last;
		last = now;
		now = free_row;
	}
	return last[b_size];
}

const char *hy_did_you_mean(const char *word, const char *const *names)
{
	size_t size = strlen(word);
	if (size == 0 || size > WORD_MAX)
		return NULL;
	/* One letter that is wrong altogether is no likeness: something must be left of the word. */
	size_t allowed = least(1 + size / 4, size - 1);
	const char *best = NULL;
	size_t best_distance = allowed + 1;
	for (; *names; names++) {
		size_t other = strlen(*names);
		if (other > WORD_MAX || other > size + allowed || size > other + allowed)
			continue;
		size_t d = distance(word, size, *names, other);
		if (d < best_distance) {
			best_distance = d;
			best = *names;
		}
	}
	return best;
}
