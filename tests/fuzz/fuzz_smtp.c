/* A mail server that says whatever it likes: its replies are bounded, end where they end however they arrive, and leave one line of UTF-8. */
#include "base/text.h"
#include "http/smtp_reply.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Takes the bytes in pieces of `step` up to the reply's end; how many that were. */
static size_t take(struct smtp_reply *r, const uint8_t *data, size_t size, size_t step, int *err)
{
	size_t at = 0, used;
	smtp_reply_begin(r);
	*err = HY_OK;
	while (at < size && *err == HY_OK && !r->complete) {
		*err = smtp_reply_take(r, hy_bytes(data + at, size - at < step ? size - at : step), &used);
		at += used;
	}
	return at;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct smtp_reply whole, pieces;
	int err, again;
	size_t step = size ? 1 + data[0] % 7 : 1;
	size_t end = take(&whole, data, size, size + 1, &err), same = take(&pieces, data, size, step, &again);
	if (err != again || whole.code != pieces.code || whole.complete != pieces.complete ||
		strcmp(whole.words, pieces.words) != 0 || (whole.complete && end != same))
		abort();
	if (whole.lines > SMTP_LINES_MAX + 1 || strlen(whole.words) > SMTP_WORDS_MAX ||
		!hy_utf8_valid(hy_bytes_text(whole.words)) || strpbrk(whole.words, "\r\n"))
		abort();
	if (err == HY_OK && !whole.complete && end > (size_t)SMTP_LINE_MAX * (SMTP_LINES_MAX + 1))
		abort(); /* endless */
	return 0;
}
