/* One text as the classifier sees it: decoded, folded, cut into words and n-grams.
 * text_read() never trusts its input: a byte that is not UTF-8 becomes U+FFFD, control characters become spaces, and what
 * lies behind TEXT_POINTS_MAX code points is not looked at. Full-width forms become narrow, traditional Chinese simplified, A-Z lower
 * case, each digit 0, white space one space. Every normalised position remembers which code point of the original it came
 * from, so that evidence can be shown in the customer's own words.
 * text_grams() then gathers the hashed n-grams that the model knows its weights by. Training and judging both come through
 * here: a change in this file makes every model file stale, so raise TEXT_VERSION with it.
 * One struct text per thread; it is about 1 MiB, made once and used for text after text without allocating. */
#ifndef CLASSIFIER_TEXT_H
#define CLASSIFIER_TEXT_H

#include "base/bytes.h"

#define TEXT_VERSION 1
#define TEXT_POINTS_MAX 12000
#define TEXT_GRAMS_MAX (TEXT_POINTS_MAX * 7 + 512)

struct text_word {
	uint64_t hash;
	uint16_t begin, end; /* normalised positions */
	bool letters; /* a run of letters and digits; otherwise a run of one other character */
};

struct text_gram {
	uint32_t hash;
	uint16_t begin; /* normalised position */
	uint16_t length; /* positions; 0 for a feature of the whole text. TEXT_LIGHT is its top bit */
};
#define TEXT_LIGHT 0x8000 /* an edge or clause feature: weighs TEXT_LIGHT_WEIGHT, the others 1 */
#define TEXT_LIGHT_WEIGHT 0.7

struct text {
	uint32_t points; /* code points of the original, those not looked at included */
	uint32_t count; /* normalised positions */
	uint32_t letters; /* Latin letters, of any case */
	uint32_t han;
	uint32_t foreign; /* letters of another script: kana, Hangul, Cyrillic, Arabic, Thai ... */
	uint32_t accented; /* Latin letters beyond ASCII */
	uint32_t word_count, gram_count;
	uint32_t raw[TEXT_POINTS_MAX]; /* width and script folded, case and digits as they were */
	uint32_t norm[TEXT_POINTS_MAX];
	uint32_t origin[TEXT_POINTS_MAX]; /* index of the original code point */
	struct text_word words[TEXT_POINTS_MAX];
	struct text_gram grams[TEXT_GRAMS_MAX];
};

struct text *text_new(void); /* panics without memory */
void text_free(struct text **t);

void text_read(struct text *t, struct hy_bytes utf8); /* normalised positions and words */
void text_grams(struct text *t); /* after text_read() */

enum text_language { TEXT_ZH, TEXT_EN, TEXT_OTHER };
enum text_language text_language(const struct text *t);
const char *text_language_name(enum text_language l);

static inline bool text_is_han(uint32_t c)
{
	return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) || (c >= 0x20000 && c <= 0x323AF) ||
	       (c >= 0xF900 && c <= 0xFAFF);
}
/* Part of a word: letters, the digit, apostrophe and underscore. After normalising. */
static inline bool text_is_letter(uint32_t c)
{
	return (c >= 'a' && c <= 'z') || c == '0' || c == '\'' || c == '_' ||
	       (c >= 0xC0 && c <= 0x24F && c != 0xD7 && c != 0xF7);
}

#endif
