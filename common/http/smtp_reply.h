/* A server's reply (RFC 5321 section 4.2), put together from bytes as they come: lines "250-words" and a last one "250 words", all with the
 * same code. At most 20 lines of 2 KiB each; of the words 500 bytes are kept, as one harmless line. Nobody outside common/http and its tests
 * includes it. */
#ifndef HY_HTTP_SMTP_REPLY_H
#define HY_HTTP_SMTP_REPLY_H

#include "base/bytes.h"
#include "base/err.h"

enum { SMTP_LINE_MAX = 2048, SMTP_LINES_MAX = 20, SMTP_WORDS_MAX = 500 };

struct smtp_reply {
	int code;                        /* 200 to 599; 0 before the first line */
	int lines;
	bool complete;
	char words[SMTP_WORDS_MAX + 1];  /* of all lines, without their codes */
	size_t words_size, line_size;
	char line[SMTP_LINE_MAX];
};

/* Adds to words of `*size` bytes what fits of `text`, whole characters only, as one harmless line and behind a blank. */
void smtp_words_add(char words[static SMTP_WORDS_MAX + 1], size_t *size, struct hy_bytes text);

void smtp_reply_begin(struct smtp_reply *r);
/* Takes bytes up to the end of the reply: *used says how many, `complete` whether it ended there. HY_BAD_INPUT: that is no reply;
 * HY_TOO_LARGE: too many lines, or a line without end. After an error the connection is of no use. */
int smtp_reply_take(struct smtp_reply *r, struct hy_bytes in, size_t *used);

#endif
