/* The words that decide clear cases: phrases in both languages, each speaking for a type, a topic, a reason of urgency, or
 * marking something else. One walk over a text finds them all. The table is in phrases.c; a phrase is written as text.c
 * normalises it (simplified, lower case, digits 0), Latin phrases match whole words, and a final * lets the last word go on.
 * A lexicon is made once and constant from then on. */
#ifndef CLASSIFIER_LEXICON_H
#define CLASSIFIER_LEXICON_H

#include "text.h"

/* What a phrase speaks for. The order within types and topics is that of the labels' names in type_names and topic_names. */
enum sign {
	SIGN_BUG,
	SIGN_FEATURE,
	SIGN_QUESTION,
	SIGN_COMPLAINT,
	SIGN_PRAISE,
	SIGN_DELIVERY,
	SIGN_QUALITY,
	SIGN_PRICE,
	SIGN_BILLING,
	SIGN_ACCOUNT,
	SIGN_SERVICE,
	SIGN_ORDER_REFUND,
	SIGN_APP_TECH,
	SIGN_USABILITY,
	SIGN_SAFETY,
	SIGN_FRAUD,
	SIGN_MONEY_LOSS,
	SIGN_LOCKED_OUT,
	SIGN_OUTAGE,
	SIGN_DATA_LOSS,
	SIGN_DEADLINE,
	SIGN_REPEATED,
	SIGN_LEGAL,
	SIGN_MEDIA,
	SIGN_LEAVING,
	SIGN_ABUSE,
	SIGN_NOTHING, /* swallows words that would look like another phrase: "no longer crashes", 贵公司 */
	SIGN_COUNT
};
#define SIGN_TYPES 5
#define SIGN_FIRST_TOPIC SIGN_DELIVERY
#define SIGN_TOPICS 9
#define SIGN_FIRST_URGENCY SIGN_SAFETY

struct phrase {
	enum sign sign;
	float weight; /* 1: a hint; 2: clear by itself */
	const char *words; /* phrases, a | between */
};
extern const struct phrase phrases[];
extern const size_t phrase_count;

struct lexicon;
struct lexicon *lexicon_new(void); /* panics without memory, or when phrases.c has a phrase that can't match */
void lexicon_free(struct lexicon **l);

#define FOUND_MAX 192
struct found {
	uint32_t count;
	struct finding {
		enum sign sign;
		float weight;
		uint16_t begin, end; /* normalised positions */
	} at[FOUND_MAX];
	float sum[SIGN_COUNT]; /* of the weights; a phrase said again counts half, and a third time not */
};
/* After text_read(). What is found beyond FOUND_MAX is left out. */
void lexicon_find(const struct lexicon *l, const struct text *t, struct found *out);

#endif
