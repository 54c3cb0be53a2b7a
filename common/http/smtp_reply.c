#include "http/smtp_reply.h"

#include "base/text.h"

void smtp_reply_begin(struct smtp_reply *r)
{
	r->code = r->lines = 0;
	r->complete = false;
	r->words[0] = 0;
	r->words_size = r->line_size = 0;
}

void smtp_words_add(char words[static SMTP_WORDS_MAX + 1], size_t *size, struct hy_bytes text)
{
	struct hy_buffer line = { 0 };
	if (*size && text.size)
		hy_buffer_byte(&line, ' ');
	hy_text_line(&line, text);
	struct hy_bytes v = hy_buffer_view(&line);
	size_t fits = 0;
	for (size_t at = 0; at < v.size;) {
		hy_utf8_next(v, &at);
		if (*size + at > SMTP_WORDS_MAX)
			break;
		fits = at;
	}
	if (fits)
		memcpy(words + *size, v.data, fits);
	*size += fits;
	words[*size] = 0;
	hy_buffer_free(&line);
}

static int take_line(struct smtp_reply *r)
{
	const char *l = r->line;
	size_t size = r->line_size;
	while (size && l[size - 1] == '\r')
		size--;
	r->line_size = 0;
	if (size < 3 || l[0] < '2' || l[0] > '5' || l[1] < '0' || l[1] > '9' || l[2] < '0' || l[2] > '9')
		return HY_BAD_INPUT;
	int code = (l[0] - '0') * 100 + (l[1] - '0') * 10 + l[2] - '0';
	if ((size > 3 && l[3] != ' ' && l[3] != '-') || (r->code && r->code != code))
		return HY_BAD_INPUT;
	if (++r->lines > SMTP_LINES_MAX)
		return HY_TOO_LARGE;
	r->code = code;
	r->complete = size == 3 || l[3] == ' ';
	if (size > 4)
		smtp_words_add(r->words, &r->words_size, hy_bytes(l + 4, size - 4));
	return HY_OK;
}

int smtp_reply_take(struct smtp_reply *r, struct hy_bytes in, size_t *used)
{
	*used = 0;
	while (*used < in.size && !r->complete) {
		const uint8_t *from = in.data + *used, *end = memchr(from, '\n', in.size - *used);
		size_t size = end ? (size_t)(end - from) : in.size - *used;
		if (size >= SMTP_LINE_MAX - r->line_size)
			return HY_TOO_LARGE;
		memcpy(r->line + r->line_size, from, size);
		r->line_size += size;
		*used += size + (end != NULL);
		int err = end ? take_line(r) : HY_OK;
		if (err)
			return err;
	}
	return HY_OK;
}
