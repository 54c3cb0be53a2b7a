#include "plain.h"

#include "base/text.h"

#include <stdlib.h>

#define LINES_MAX 20000 /* of a mail whose quote is looked for */
#define SIGNATURE_LINES 15

/* ---- one form ---- */

static void end_line(struct hy_buffer *out, size_t begin, int *empty)
{
	while (out->size > begin && (out->data[out->size - 1] == ' ' || out->data[out->size - 1] == '\t'))
		out->size--;
	bool first = out->size == begin && (begin == 0 || out->data[begin - 1] == '\n');
	*empty = first ? *empty + 1 : 0;
}

void plain_tidy(struct hy_buffer *out, struct hy_bytes text)
{
	struct hy_buffer lines = { 0 };
	int empty = 1; /* none at the beginning */
	size_t begin = 0;
	for (size_t at = 0; at < text.size;) {
		size_t from = at;
		uint32_t cp = hy_utf8_next(text, &at);
		if (cp == '\r' && at < text.size && text.data[at] == '\n')
			continue;
		if (cp == '\n' || cp == '\r' || cp == 0x2028 || cp == 0x2029) {
			end_line(&lines, begin, &empty);
			if (empty <= 1 && lines.size)
				hy_buffer_byte(&lines, '\n');
			begin = lines.size;
			continue;
		}
		if (cp == 0xa0 || cp == 0x3000)
			hy_buffer_byte(&lines, ' ');
		else if (cp == 0xfffd && at == from + 1)
			hy_buffer_text(&lines, "\xef\xbf\xbd");
		else if (cp == '\t' || (cp >= ' ' && cp != 0x7f && (cp < 0x80 || cp >= 0xa0) && cp != 0xfeff))
			hy_buffer_put(&lines, text.data + from, at - from);
	}
	while (lines.size && lines.data[lines.size - 1] <= ' ')
		lines.size--;
	hy_buffer_bytes(out, hy_buffer_view(&lines));
	if (lines.err)
		out->err = lines.err;
	hy_buffer_free(&lines);
}

/* ---- whose words ---- */

struct lines {
	struct hy_bytes *list;
	size_t count;
};

static struct lines split(struct hy_bytes text)
{
	struct lines l = { calloc(LINES_MAX, sizeof(struct hy_bytes)), 0 };
	while (l.list && l.count < LINES_MAX && text.size) {
		const uint8_t *end = memchr(text.data, '\n', text.size);
		size_t size = end ? (size_t)(end - text.data) : text.size;
		l.list[l.count++] = hy_bytes(text.data, size);
		size += end != NULL;
		text = hy_bytes(text.data + size, text.size - size);
	}
	if (text.size) /* too many to be sure */
		l.count = 0;
	return l;
}

static bool has(struct hy_bytes line, const char *word)
{
	return memmem(line.data, line.size, word, strlen(word)) != NULL;
}

static bool ends(struct hy_bytes line, const char *end)
{
	size_t n = strlen(end);
	return line.size >= n && memcmp(line.data + line.size - n, end, n) == 0;
}

static bool starts(struct hy_bytes line, const char *word)
{
	return hy_bytes_starts(line, hy_bytes_text(word));
}

static bool quoted(struct hy_bytes line)
{
	return line.size && line.data[0] == '>';
}

/* "On 3 Jan 2026, Li Lei <li@example.com> wrote:", "在 2026年1月3日，李雷 写道：", over one line or two. */
static bool attribution(const struct lines *l, size_t i, size_t *size)
{
	static const char *const tails[] = { "wrote:", "writes:", "写道：", "写道:", "寫道：",
		"寫道:", "schrieb:", "a écrit :", "escribió:" };
	static const char *const heads[] = { "On ", "在 ", "在2", "于 ", "于2", "於 ", "Am ", "Le ", "El ", "\"", "2",
		"1" };
	bool head = false;
	for (size_t h = 0; h < sizeof(heads) / sizeof(*heads); h++)
		head |= starts(l->list[i], heads[h]);
	for (*size = 1; *size <= 2 && i + *size <= l->count; ++*size)
		for (size_t t = 0; t < sizeof(tails) / sizeof(*tails); t++)
			if (ends(l->list[i + *size - 1], tails[t]))
				return head || has(l->list[i], "@");
	return false;
}

/* All that follows is quoted, or empty. */
static bool all_quoted(const struct lines *l, size_t i)
{
	bool any = false;
	for (; i < l->count; i++) {
		if (l->list[i].size && !quoted(l->list[i]))
			return false;
		any |= quoted(l->list[i]);
	}
	return any;
}

/* A line that says that the mail below is another one. */
static bool divider(const struct lines *l, size_t i)
{
	static const char *const words[] = { "Original Message", "Original message", "原始邮件", "原始郵件",
		"Forwarded message", "转发邮件", "回复的原邮件", "Ursprüngliche Nachricht", "Message d'origine" };
	static const char *const from[] = { "From:", "发件人:", "发件人：", "寄件者:", "寄件者：" };
	static const char *const date[] = { "Sent:", "Date:", "发送时间:", "发送时间：", "日期:", "日期：",
		"收件人:", "收件人：", "To:" };
	struct hy_bytes line = l->list[i];
	for (size_t w = 0; w < sizeof(words) / sizeof(*words); w++)
		if ((starts(line, "--") || starts(line, "__")) && has(line, words[w]))
			return true;
	bool head = false;
	for (size_t w = 0; w < sizeof(from) / sizeof(*from); w++)
		head |= starts(line, from[w]);
	for (size_t n = i + 1; head && n < l->count && n <= i + 2; n++)
		for (size_t w = 0; w < sizeof(date) / sizeof(*date); w++)
			if (starts(l->list[n], date[w]))
				return true;
	return false;
}

/* Where the quote begins, or the number of lines. */
static size_t quote_at(const struct lines *l)
{
	for (size_t i = 0; i < l->count; i++) {
		size_t size = 0;
		if (divider(l, i))
			return i && starts(l->list[i - 1], "____") ? i - 1 : i;
		if (attribution(l, i, &size) && all_quoted(l, i + size))
			return i;
		if (quoted(l->list[i]) && all_quoted(l, i))
			return i;
	}
	return l->count;
}

static bool sent_from(struct hy_bytes line)
{
	static const char *const words[] = { "Sent from my ", "Sent from Mail for ", "Get Outlook for ", "发自我的",
		"來自我的", "从我的", "發自我的", "来自我的" };
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (starts(line, words[i]))
			return true;
	return false;
}

/* Where the signature begins: below "--", which has lost its blank in a tidy text, and short. */
static size_t signature_at(const struct lines *l, size_t count)
{
	for (size_t i = count; i-- > 0 && count - i <= SIGNATURE_LINES;)
		if (hy_bytes_equal(l->list[i], HY_LIT("--")))
			return i;
	while (count && l->list[count - 1].size == 0)
		count--;
	return count && sent_from(l->list[count - 1]) ? count - 1 : count;
}

static bool says_nothing(const struct lines *l, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (l->list[i].size)
			return false;
	return true;
}

size_t plain_own(struct hy_bytes text)
{
	struct lines l = split(text);
	size_t own = text.size, count = quote_at(&l), sign;
	if (l.count && !says_nothing(&l, count)) {
		sign = signature_at(&l, count);
		if (!says_nothing(&l, sign))
			count = sign;
		own = count < l.count ? (size_t)(l.list[count].data - text.data) : text.size;
	}
	while (own && text.data[own - 1] <= ' ')
		own--;
	free(l.list);
	return own;
}
