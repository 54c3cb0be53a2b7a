#include "text.h"

#include <pthread.h>
#include <stdlib.h>
#include <unicode/utrans.h>

#include "base/err.h"
#include "base/text.h"

/* Traditional to simplified, one character at a time, for the main block. ICU knows the pairs; asking it once and keeping
 * a table makes the fold one load. Without ICU's data the table stays the identity: traditional text is then judged as it is. */
enum { HAN_FIRST = 0x4E00, HAN_LAST = 0x9FFF, HAN_COUNT = HAN_LAST - HAN_FIRST + 1 };
static uint16_t simplified[HAN_COUNT];
static pthread_once_t tables_once = PTHREAD_ONCE_INIT;

static void simplified_fill(void)
{
	enum { CHUNK = 256 };
	UErrorCode status = U_ZERO_ERROR;
	UTransliterator *tr = utrans_openU(u"Traditional-Simplified", -1, UTRANS_FORWARD, NULL, 0, NULL, &status);
	for (int first = 0; first < HAN_COUNT; first += CHUNK) {
		UChar buffer[CHUNK * 4];
		int n = 0;
		for (int i = first; i < first + CHUNK && i < HAN_COUNT; i++) {
			simplified[i] = (uint16_t)(HAN_FIRST + i);
			buffer[n++] = (UChar)(HAN_FIRST + i);
			buffer[n++] = ' '; /* keeps the rules from reading two neighbours as a word */
		}
		int32_t size = n, limit = n;
		if (U_SUCCESS(status))
			utrans_transUChars(tr, buffer, &size, CHUNK * 4, 0, &limit, &status);
		if (U_FAILURE(status) || size != n)
			continue;
		for (int i = 0; i < n / 2; i++)
			if (buffer[2 * i] >= HAN_FIRST && buffer[2 * i] <= HAN_LAST && buffer[2 * i + 1] == ' ')
				simplified[first + i] = buffer[2 * i];
	}
	if (tr)
		utrans_close(tr);
}

/* Frequent words that give another Latin-script language away; none of them is an English word. */
static const char *const foreign_words[] = {
	"que",
	"los",
	"las",
	"una",
	"muy",
	"para",
	"pero",
	"por",
	"con",
	"esta",
	"gracias",
	"der",
	"und",
	"das",
	"nicht",
	"ist",
	"ich",
	"mit",
	"sehr",
	"auch",
	"eine",
	"les",
	"des",
	"est",
	"pas",
	"une",
	"pour",
	"avec",
	"tr\xE8s",
	"dans",
	"nous",
	"je",
	"il",
	"che",
	"non",
	"sono",
	"molto",
	"della",
	"uma",
	"muito",
	"obrigado",
	"het",
	"een",
	"niet",
	"van",
	"voor",
	"och",
	"inte",
	"jest",
	"nie",
	"yang",
	"tidak",
	"dan",
	"saya",
};
enum { FOREIGN_WORDS = sizeof(foreign_words) / sizeof(*foreign_words) };
static uint64_t foreign_keys[FOREIGN_WORDS]; /* the same, eight letters in one number */

static void foreign_fill(void)
{
	for (size_t i = 0; i < FOREIGN_WORDS; i++)
		for (const char *p = foreign_words[i]; *p; p++)
			foreign_keys[i] = foreign_keys[i] << 8 | (uint8_t)*p;
}

static bool is_foreign_word(const uint32_t *p, uint32_t n)
{
	uint64_t key = 0;
	if (n < 2 || n > 8)
		return false;
	for (uint32_t k = 0; k < n; k++)
		key = key << 8 | (p[k] & 0xFF);
	for (size_t i = 0; i < FOREIGN_WORDS; i++)
		if (foreign_keys[i] == key)
			return true;
	return false;
}

static void tables_fill(void)
{
	simplified_fill();
	foreign_fill();
}

struct text *text_new(void)
{
	pthread_once(&tables_once, tables_fill);
	struct text *t = calloc(1, sizeof(*t));
	if (!t)
		hy_panic("no memory for a text of %zu bytes", sizeof(*t));
	return t;
}

void text_free(struct text **t)
{
	free(*t);
	*t = NULL;
}

/* What a character becomes before case is looked at; 0 drops it. */
static uint32_t fold(uint32_t c)
{
	if (c < 0x80)
		return c <= ' ' || c == 0x7F ? ' ' : c;
	if (c >= HAN_FIRST && c <= HAN_LAST)
		return simplified[c - HAN_FIRST];
	if (c >= 0xFF01 && c <= 0xFF5E)
		return c - 0xFEE0;
	if (c == 0x2019 || c == 0x2018)
		return '\'';
	if (c == 0x3000 || c == 0xA0 || (c >= 0x80 && c < 0xA0) || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 ||
		c == 0x2029)
		return ' ';
	/* Joiners, variation selectors and marks of direction have no weight of their own. */
	if ((c >= 0x200B && c <= 0x200F) || (c >= 0x202A && c <= 0x202E) || (c >= 0x2060 && c <= 0x206F) ||
		(c >= 0xFE00 && c <= 0xFE0F) || c == 0xFEFF || c == 0xAD)
		return 0;
	return c;
}

static void count_script(struct text *t, uint32_t c)
{
	if ((c | 32) >= 'a' && (c | 32) <= 'z')
		t->letters++;
	else if (text_is_han(c))
		t->han++;
	else if (c >= 0xC0 && c <= 0x24F && c != 0xD7 && c != 0xF7)
		t->letters++, t->accented++;
	else if ((c >= 0x370 && c < 0x2000) || (c >= 0x3040 && c <= 0x30FF) || (c >= 0x3130 && c <= 0x318F) ||
		 (c >= 0xAC00 && c <= 0xD7AF))
		t->foreign++;
}

static uint64_t mix(uint64_t h, uint64_t v)
{
	h = (h ^ v) * 0x9E3779B97F4A7C15u;
	return h ^ h >> 32;
}

static uint32_t finish(uint64_t h)
{
	return (uint32_t)(h * 0xD6E8FEB86659FD93u >> 32);
}

static void find_words(struct text *t)
{
	t->word_count = 0;
	for (uint32_t i = 0; i < t->count;) {
		uint32_t c = t->norm[i], begin = i;
		if (c == ' ' || text_is_han(c)) {
			i++;
			continue;
		}
		struct text_word w = { .hash = 0x51, .begin = (uint16_t)begin, .letters = text_is_letter(c) };
		if (w.letters) {
			for (; i < t->count && text_is_letter(t->norm[i]); i++)
				w.hash = mix(w.hash, t->norm[i]);
		} else {
			for (; i < t->count && t->norm[i] == c && i - begin < 3; i++)
				w.hash = mix(w.hash, c);
			while (i < t->count && t->norm[i] == c)
				i++;
		}
		w.end = (uint16_t)i;
		t->words[t->word_count++] = w;
	}
}

void text_read(struct text *t, struct hy_bytes utf8)
{
	t->points = t->count = t->letters = t->han = t->foreign = t->accented = t->gram_count = 0;
	for (size_t at = 0; at < utf8.size;) {
		uint32_t point = t->points++;
		uint32_t c = utf8.data[at];
		if (c < 0x80)
			at++;
		else
			c = hy_utf8_next(utf8, &at);
		if (point >= TEXT_POINTS_MAX)
			continue;
		c = fold(c);
		if (c == 0 || (c == ' ' && (t->count == 0 || t->norm[t->count - 1] == ' ')))
			continue;
		count_script(t, c);
		t->raw[t->count] = c;
		if (c >= 'A' && c <= 'Z')
			c += 32;
		else if (c >= '0' && c <= '9')
			c = '0';
		t->norm[t->count] = c;
		t->origin[t->count++] = point;
	}
	if (t->count && t->norm[t->count - 1] == ' ')
		t->count--;
	find_words(t);
}

static void add(struct text *t, uint64_t h, uint32_t begin, uint32_t length, uint16_t light)
{
	if (t->gram_count == TEXT_GRAMS_MAX)
		hy_panic("a text of %u positions has more than %d n-grams", t->count, TEXT_GRAMS_MAX);
	if (length >= TEXT_LIGHT)
		length = TEXT_LIGHT - 1;
	t->grams[t->gram_count++] = (struct text_gram){ finish(h), (uint16_t)begin, (uint16_t)(length | light) };
}

/* Each view hashes under its own seed, so that the same letters in two views are two features. */
enum { CHAR = 0x1000, WORD = 0x2000, EDGE = 0x3000, CLAUSE_FIRST = 0x4000, CLAUSE_LAST = 0x5000 };

static void char_grams(struct text *t)
{
	const uint32_t *p = t->norm;
	for (uint32_t i = 0; i < t->count; i++) {
		uint64_t a = p[i];
		if (a == ' ')
			continue;
		uint32_t left = t->count - i;
		if (a < 0x2000) {
			if (left >= 4)
				add(t,
					mix(CHAR + 4, a ^ (uint64_t)p[i + 1] << 16 ^ (uint64_t)p[i + 2] << 32 ^
							      (uint64_t)p[i + 3] << 48),
					i, 4, 0);
			continue;
		}
		add(t, mix(CHAR + 1, a), i, 1, 0);
		if (left < 2)
			continue;
		a |= (uint64_t)p[i + 1] << 21;
		add(t, mix(CHAR + 2, a), i, 2, 0);
		if (left < 3)
			continue;
		a |= (uint64_t)p[i + 2] << 42;
		add(t, mix(CHAR + 3, a), i, 3, 0);
	}
}

static void word_grams(struct text *t)
{
	uint64_t before = 0x77, earlier = 0x77; /* the marker in front of the first word */
	uint32_t before_at = 0, earlier_at = 0;
	for (uint32_t i = 0; i < t->word_count; i++) {
		const struct text_word *w = &t->words[i];
		if (i == 0)
			before_at = earlier_at = w->begin;
		uint64_t two = mix(mix(WORD + 2, before), w->hash);
		add(t, mix(WORD + 1, w->hash), w->begin, w->end - w->begin, 0);
		add(t, two, before_at, w->end - before_at, 0);
		add(t, mix(mix(mix(WORD + 3, earlier), before), w->hash), earlier_at, w->end - earlier_at, 0);
		add(t, mix(mix(WORD + 4, earlier), w->hash), earlier_at, w->end - earlier_at, 0);
		earlier = before, earlier_at = before_at;
		before = w->hash, before_at = w->begin;
	}
}

static uint32_t bucket(uint32_t n)
{
	return n < 2 ? n : n < 4 ? 2 : n < 8 ? 3 : 4;
}

static uint32_t log2_of(uint32_t n)
{
	uint32_t l = 0;
	while (n >>= 1)
		l++;
	return l;
}

static void edge_grams(struct text *t)
{
	uint32_t bang = 0, ask = 0, dots = 0, repeats = 0, caps = 0, digits = 0;
	const uint32_t *p = t->raw;
	for (uint32_t i = 0, run = 1, upper = 0, dot = 0; i < t->count; i++) {
		uint32_t c = p[i];
		bang += c == '!';
		ask += c == '?';
		digits += c >= '0' && c <= '9';
		run = i && p[i - 1] == c ? run + 1 : 1;
		repeats += run == 3;
		upper = c >= 'A' && c <= 'Z' ? upper + 1 : 0;
		caps += upper == 2;
		dot = c == '.' ? dot + 1 : 0;
		dots += dot == 3 || c == 0x2026;
	}
	const uint32_t counts[] = { bang, ask, dots, repeats, caps, digits };
	for (uint32_t i = 0; i < sizeof(counts) / sizeof(*counts); i++)
		add(t, mix(mix(EDGE, i), bucket(counts[i])), 0, 0, TEXT_LIGHT);
	add(t, mix(mix(EDGE, 10), log2_of(t->count + 1)), 0, 0, TEXT_LIGHT);
	add(t, mix(EDGE, 11), 0, 0, TEXT_LIGHT); /* always there */
	if (t->count == 0)
		return;
	uint32_t n = t->count;
	add(t, mix(mix(EDGE, 20), p[0]), 0, 1, TEXT_LIGHT);
	add(t, mix(mix(EDGE, 21), p[n - 1]), n - 1, 1, TEXT_LIGHT);
	if (n >= 2) {
		add(t, mix(mix(EDGE, 22), p[0] | (uint64_t)p[1] << 32), 0, 2, TEXT_LIGHT);
		add(t, mix(mix(EDGE, 23), p[n - 2] | (uint64_t)p[n - 1] << 32), n - 2, 2, TEXT_LIGHT);
	}
	if (t->word_count == 0)
		return;
	const struct text_word *w = t->words, *z = &t->words[t->word_count - 1];
	add(t, mix(mix(EDGE, 24), w->hash), w->begin, w->end - w->begin, TEXT_LIGHT);
	add(t, mix(mix(EDGE, 25), z->hash), z->begin, z->end - z->begin, TEXT_LIGHT);
	if (t->word_count >= 2) {
		add(t, mix(mix(mix(EDGE, 26), w->hash), w[1].hash), w->begin, w[1].end - w->begin, TEXT_LIGHT);
		add(t, mix(mix(mix(EDGE, 27), z[-1].hash), z->hash), z[-1].begin, z->end - z[-1].begin, TEXT_LIGHT);
	}
}

static bool is_break(uint32_t c)
{
	return c == ',' || c == '.' || c == '!' || c == '?' || c == ';' || c == 0x3002 || c == 0x3001 || c == 0x2026 ||
	       c == '~';
}

/* What stands first and what stands last often carries the verdict; said elsewhere the same words weigh less. */
static void clause_grams(struct text *t, uint64_t view, uint32_t begin, uint32_t end)
{
	const uint32_t *p = t->norm;
	for (uint32_t i = begin; i < end; i++) {
		if (!text_is_han(p[i]))
			continue;
		add(t, mix(view + 1, p[i]), i, 1, TEXT_LIGHT);
		if (i + 1 < end && text_is_han(p[i + 1]))
			add(t, mix(view + 2, p[i] | (uint64_t)p[i + 1] << 32), i, 2, TEXT_LIGHT);
	}
	uint32_t low = 0, high = t->word_count; /* the first word at or behind `begin` */
	while (low < high) {
		uint32_t middle = (low + high) / 2;
		if (t->words[middle].begin < begin)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < t->word_count && t->words[low].begin < end; low++)
		if (t->words[low].letters)
			add(t, mix(view + 3, t->words[low].hash), t->words[low].begin,
				t->words[low].end - t->words[low].begin, TEXT_LIGHT);
}

static void clauses(struct text *t)
{
	enum { CLAUSE_MAX = 40 };
	const uint32_t *p = t->norm;
	uint32_t end = t->count, first = 0, last;
	while (first < end && (is_break(p[first]) || p[first] == ' '))
		first++;
	while (end > first && (is_break(p[end - 1]) || p[end - 1] == ' '))
		end--;
	if (first == end)
		return;
	uint32_t stop = first;
	while (stop < end && !is_break(p[stop]))
		stop++;
	bool whole = stop == end;
	clause_grams(t, CLAUSE_FIRST, first, stop - first > CLAUSE_MAX ? first + CLAUSE_MAX : stop);
	for (last = end; last > first && !is_break(p[last - 1]);)
		last--;
	if (whole && end - first > CLAUSE_MAX)
		last = end - CLAUSE_MAX;
	clause_grams(t, CLAUSE_LAST, last, end);
}

void text_grams(struct text *t)
{
	t->gram_count = 0;
	char_grams(t);
	word_grams(t);
	edge_grams(t);
	clauses(t);
}

enum text_language text_language(const struct text *t)
{
	/* A Han character says about as much as three Latin letters, and product names are Latin in Chinese text too. */
	uint32_t han = t->han * 3;
	if (t->foreign * 3 > han + t->letters && t->foreign > 0)
		return TEXT_OTHER;
	if (t->han > 0 && t->foreign > 2 && t->foreign * 2 >= t->han)
		return TEXT_OTHER; /* Japanese: Han with kana between */
	if (t->han > 0 && han * 2 >= t->letters)
		return TEXT_ZH;
	if (t->letters == 0)
		return t->han ? TEXT_ZH : TEXT_OTHER;
	uint32_t words = 0, foreign = 0;
	for (uint32_t i = 0; i < t->word_count && words < 200; i++) {
		const struct text_word *w = &t->words[i];
		if (!w->letters)
			continue;
		words++;
		foreign += is_foreign_word(t->norm + w->begin, w->end - w->begin);
	}
	if (foreign >= 2 && foreign * 8 >= words)
		return TEXT_OTHER;
	if (t->accented * 25 > t->letters && (foreign > 0 || t->accented > 2))
		return TEXT_OTHER;
	return TEXT_EN;
}

const char *text_language_name(enum text_language l)
{
	return l == TEXT_ZH ? "zh" : l == TEXT_EN ? "en" : "other";
}
