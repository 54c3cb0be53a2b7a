/* A mail as a feedback: the words of its writer in UTF-8 whatever the charset and the encoding, who wrote it and when, its Message-ID as the id, and no
 * attachments but their names. Mail that programs wrote (bounces, vacation notes, lists) is told apart, so that nobody ever answers it. Pure. */
#ifndef HUIYIN_LETTER_H
#define HUIYIN_LETTER_H

#include "json/json.h"

#define LETTER_TEXT_MAX 10000 /* code points; more is cut, with a mark */

struct letter {
	json_t *feedback; /* as POST /v1/feedback takes it; the caller gives the reference back. NULL: see dropped */
	const char *dropped; /* why it is no feedback: "a bounce or a report", ... */
};

/* Takes a whole message. `sender` is the envelope's, NULL when nobody said, "" for a bounce; `recipient` the address it came to, or NULL: reply+TOKEN@... in it
 * says which notice is answered, as the notice's link does in what is quoted. HY_BAD_INPUT: this is no mail. */
int letter_read(struct hy_bytes message, const char *sender, const char *recipient, int64_t now_ms, struct letter *out, struct hy_fault *f);

#endif
