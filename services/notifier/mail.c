#include "mail.h"

#include "base/text.h"
#include "http/smtp.h"

#include <gmime/gmime.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { NAME_POINTS = 60, SUBJECT_POINTS = 120, LINE = 76 };

void notifier_line(struct hy_buffer *out, struct hy_bytes text, size_t points)
{
	struct hy_buffer line = { 0 };
	bool space = true; /* none at the beginning, never two */
	for (size_t at = 0; at < text.size;) {
		uint32_t cp = hy_utf8_next(text, &at);
		bool blank = cp <= 0x20 || (cp >= 0x7f && cp < 0xa1) || cp == 0x2028 || cp == 0x2029;
		bool turn = (cp >= 0x202a && cp <= 0x202e) || (cp >= 0x2066 && cp <= 0x2069) || cp == 0x200e ||
			    cp == 0x200f || cp == 0x61c || cp == 0xfeff;
		if (turn)
			continue;
		if (blank) {
			if (!space)
				hy_buffer_byte(&line, ' ');
			space = true;
			continue;
		}
		char utf8[4];
		hy_buffer_put(&line, utf8, hy_utf8_put(utf8, cp));
		space = false;
	}
	while (line.size && line.data[line.size - 1] == ' ')
		line.size--;
	struct hy_bytes cut = hy_utf8_prefix(hy_buffer_view(&line), points);
	hy_buffer_bytes(out, cut);
	if (cut.size < line.size)
		hy_buffer_text(out, "…");
	if (line.err)
		out->err = line.err;
	hy_buffer_free(&line);
}

int notifier_sender_parse(const char *text, struct notifier_sender *out, struct hy_fault *f)
{
	const char *open = strrchr(text, '<'), *why = NULL;
	*out = (struct notifier_sender){ 0 };
	size_t size = strlen(text);
	if (open) {
		if (text[size - 1] != '>' || (size_t)(text + size - open) > sizeof(out->address))
			return hy_fail(f, HY_BAD_INPUT, "'%s': write it as Name <address>", text);
		memcpy(out->address, open + 1, (size_t)(text + size - open) - 2);
		struct hy_buffer name = { 0 };
		notifier_line(&name, hy_bytes(text, (size_t)(open - text)), NAME_POINTS);
		struct hy_bytes v = hy_buffer_view(&name);
		if (v.size >= 2 && v.data[0] == '"' && v.data[v.size - 1] == '"')
			v = hy_bytes(v.data + 1, v.size - 2);
		bool fits = v.size < sizeof(out->name);
		if (fits && v.size)
			memcpy(out->name, v.data, v.size);
		hy_buffer_free(&name);
		if (!fits)
			return hy_fail(f, HY_BAD_INPUT, "'%s': the name is too long", text);
	} else {
		if (size >= sizeof(out->address))
			return hy_fail(f, HY_BAD_INPUT, "the e-mail address is longer than 254 characters");
		memcpy(out->address, text, size + 1);
	}
	if (!hy_smtp_address_ok(out->address, &why))
		return hy_fail(f, HY_BAD_INPUT, "'%s': %s", text, why);
	return HY_OK;
}

/* Text of a body: no NUL, no control characters but tab, lines ending in CRLF. */
static void body_text(struct hy_buffer *out, struct hy_bytes text)
{
	for (size_t i = 0; i < text.size;) {
		size_t from = i;
		while (i < text.size && (text.data[i] >= 0x20 || text.data[i] == '\t'))
			i++;
		hy_buffer_put(out, text.data + from, i - from);
		if (i == text.size)
			break;
		uint8_t c = text.data[i++];
		if (c == '\r' && i < text.size && text.data[i] == '\n')
			i++;
		if (c == '\r' || c == '\n')
			hy_buffer_text(out, "\r\n");
	}
	if (out->size < 2 || out->data[out->size - 1] != '\n')
		hy_buffer_text(out, "\r\n");
}

/* "=E5" for each byte. */
static void hex_bytes(struct hy_buffer *out, const uint8_t *data, size_t size)
{
	static const char digits[] = "0123456789ABCDEF";
	for (size_t i = 0; i < size; i++)
		hy_buffer_put(out, (const char[]){ '=', digits[data[i] >> 4], digits[data[i] & 15] }, 3);
}

/* Quoted-printable (RFC 2045 section 6.7). A dot that begins a line is written as =2E, so no line is ever a bare
 * dot, and a soft break never falls inside a character. */
static void quoted_printable(struct hy_buffer *out, struct hy_bytes text)
{
	size_t column = 0;
	for (size_t i = 0; i < text.size;) {
		if (text.data[i] == '\r') {
			hy_buffer_text(out, "\r\n");
			column = 0;
			i += 2;
			continue;
		}
		size_t from = i;
		hy_utf8_next(text, &i);
		uint8_t c = text.data[from];
		bool last = i == text.size || text.data[i] == '\r';
		bool first = column == 0;
		bool plain = c > 0x20 && c < 0x7f && c != '=' && !(first && (c == '.' || c == 'F'));
		plain = plain || ((c == ' ' || c == '\t') && !last);
		size_t width = plain ? 1 : 3 * (i - from);
		if (column + width > LINE - 1) {
			hy_buffer_text(out, "=\r\n");
			column = 0;
			plain = plain && c != '.' && c != 'F'; /* "From " begins a message in mbox files */
			width = plain ? 1 : 3 * (i - from);
		}
		if (plain)
			hy_buffer_byte(out, c);
		else
			hex_bytes(out, text.data + from, i - from);
		column += width;
	}
}

static void base64(struct hy_buffer *out, struct hy_bytes text)
{
	for (size_t at = 0; at < text.size; at += LINE / 4 * 3) {
		size_t size = text.size - at < LINE / 4 * 3 ? text.size - at : LINE / 4 * 3;
		char *line = g_base64_encode(text.data + at, size);
		hy_buffer_text(out, line);
		hy_buffer_text(out, "\r\n");
		g_free(line);
	}
}

/* Mostly ASCII stays readable in the file; Chinese is shorter in base64. */
static GMimeObject *part(const char *subtype, struct hy_bytes content)
{
	struct hy_buffer text = { 0 }, encoded = { 0 };
	body_text(&text, content);
	size_t high = 0;
	for (size_t i = 0; i < text.size; i++)
		high += text.data[i] >= 0x80;
	bool quoted = high * 6 < text.size;
	if (quoted)
		quoted_printable(&encoded, hy_buffer_view(&text));
	else
		base64(&encoded, hy_buffer_view(&text));
	GMimePart *p = NULL;
	if (!text.err && !encoded.err) {
		GMimeContentEncoding how =
			quoted ? GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE : GMIME_CONTENT_ENCODING_BASE64;
		p = g_mime_part_new_with_type("text", subtype);
		g_mime_object_set_content_type_parameter(GMIME_OBJECT(p), "charset", "utf-8");
		GMimeStream *stream = g_mime_stream_mem_new_with_buffer((const char *)encoded.data, encoded.size);
		GMimeDataWrapper *wrapper = g_mime_data_wrapper_new_with_stream(stream, how);
		g_mime_part_set_content(p, wrapper);
		g_mime_part_set_content_encoding(p, how);
		g_object_unref(wrapper);
		g_object_unref(stream);
	}
	hy_buffer_free(&text);
	hy_buffer_free(&encoded);
	return (GMimeObject *)p;
}

static void ready(void)
{
	g_mime_init();
}

/* The longest beginning of `text` of at most `most` bytes and whole characters; with `thirds` one that base64 needs
 * no padding for, or 0. */
static size_t whole_characters(struct hy_bytes text, size_t most, bool thirds)
{
	size_t fits = 0, at = 0;
	while (at < text.size) {
		hy_utf8_next(text, &at);
		if (at > most)
			break;
		if (!thirds || at % 3 == 0 || at == text.size)
			fits = at;
	}
	return fits;
}

/* `text` as RFC 2047 words of at most 75 characters, each of whole characters: GMime makes one endless word of a
 * language that puts no spaces. Some readers glue words together before they decode them, so padding stands in the
 * last one only; where that can't be had a word is written byte by byte. `column` is where the header line stands. */
static void encoded_words(struct hy_buffer *out, struct hy_bytes text, size_t column)
{
	enum { AROUND = 12 }; /* =?utf-8?B? ?= */
	while (text.size) {
		size_t room = LINE - 1 - column - AROUND;
		size_t fits = whole_characters(text, room / 4 * 3, true);
		if (fits) {
			char *word = g_base64_encode(text.data, fits);
			hy_buffer_printf(out, "=?utf-8?B?%s?=", word);
			g_free(word);
		} else {
			fits = whole_characters(text, room / 3, false);
			hy_buffer_text(out, "=?utf-8?Q?");
			hex_bytes(out, text.data, fits);
			hy_buffer_text(out, "?=");
		}
		text = hy_bytes(text.data + fits, text.size - fits);
		if (text.size)
			hy_buffer_text(out, "\n ");
		column = 1;
	}
}

static bool needs_words(struct hy_bytes text)
{
	for (size_t i = 0; i < text.size; i++)
		if (text.data[i] >= 0x80)
			return true;
	return text.size >= 2 && memmem(text.data, text.size, "=?", 2);
}

/* Puts our own words in place of GMime's for a text that ASCII does not hold; `address` (or NULL) follows it. */
static int set_words(GMimeMessage *message, const char *name, struct hy_bytes text, const char *address)
{
	struct hy_buffer raw = { 0 };
	if (!needs_words(text))
		return HY_OK;
	hy_buffer_byte(&raw, ' ');
	encoded_words(&raw, text, strlen(name) + 2);
	if (address)
		hy_buffer_printf(&raw, "\n <%s>", address);
	hy_buffer_byte(&raw, '\n');
	GMimeHeaderList *headers = g_mime_object_get_header_list(GMIME_OBJECT(message));
	g_mime_header_set_raw_value(g_mime_header_list_get_header(headers, name), hy_buffer_string(&raw));
	int err = raw.err;
	hy_buffer_free(&raw);
	return err;
}

static void set_ids(GMimeMessage *message, const struct notifier_mail *m)
{
	const char *host = strchr(m->from->address, '@') + 1;
	char id[HY_ID_TEXT], text[400];
	hy_id_text(m->notice, id);
	snprintf(text, sizeof(text), "%s@%s", id, host);
	g_mime_message_set_message_id(message, text);
	if (hy_id_is_zero(m->thread))
		return;
	/* All notices of one ticket hang on the same, never sent, message: mail programs show them as one
	 * conversation. */
	hy_id_text(m->thread, id);
	snprintf(text, sizeof(text), "<ticket-%s@%s>", id, host);
	g_mime_object_set_header(GMIME_OBJECT(message), "In-Reply-To", text, NULL);
	g_mime_object_set_header(GMIME_OBJECT(message), "References", text, NULL);
}

static GMimeObject *alternatives(const struct notifier_mail *m)
{
	GMimeObject *text = part("plain", m->text), *html = part("html", m->html);
	GMimeMultipart *both = NULL;
	if (text && html) {
		char id[HY_ID_TEXT], boundary[HY_ID_TEXT + 8];
		hy_id_text(m->notice, id);
		/* "=_" occurs in neither base64 nor quoted-printable, so no line of a body can be the boundary. */
		snprintf(boundary, sizeof(boundary), "=_%s", id);
		both = g_mime_multipart_new_with_subtype("alternative");
		g_mime_multipart_set_boundary(both, boundary);
		g_mime_multipart_add(both, text);
		g_mime_multipart_add(both, html);
	}
	if (text)
		g_object_unref(text);
	if (html)
		g_object_unref(html);
	return (GMimeObject *)both;
}

/* GMime writes headers with its own line ends, whatever the platform: CRLF everywhere, once. */
static void put_crlf(struct hy_buffer *out, struct hy_bytes text)
{
	while (text.size) {
		const uint8_t *end = memchr(text.data, '\n', text.size);
		size_t line = end ? (size_t)(end - text.data) : text.size;
		bool bare = end && (line == 0 || end[-1] != '\r');
		hy_buffer_put(out, text.data, line);
		if (end)
			hy_buffer_put(out, bare ? "\r\n" : "\n", bare ? 2 : 1);
		text = hy_bytes(text.data + line + (end != NULL), text.size - line - (end != NULL));
	}
}

int notifier_mail_write(const struct notifier_mail *m, struct hy_buffer *out)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, ready);
	if (!hy_smtp_address_ok(m->to, NULL))
		return HY_BAD_INPUT;
	GMimeObject *body = alternatives(m);
	if (!body)
		return HY_NO_MEMORY;
	struct hy_buffer name = { 0 }, subject = { 0 };
	notifier_line(&name, m->to_name, NAME_POINTS);
	notifier_line(&subject, m->subject, SUBJECT_POINTS);

	GMimeMessage *message = g_mime_message_new(TRUE);
	g_mime_message_add_mailbox(
		message, GMIME_ADDRESS_TYPE_FROM, m->from->name[0] ? m->from->name : NULL, m->from->address);
	g_mime_message_add_mailbox(message, GMIME_ADDRESS_TYPE_TO, name.size ? hy_buffer_string(&name) : NULL, m->to);
	g_mime_message_set_subject(message, hy_buffer_string(&subject), "utf-8");
	GDateTime *date = g_date_time_new_from_unix_utc(m->date_ms / 1000);
	g_mime_message_set_date(message, date);
	g_date_time_unref(date);
	set_ids(message, m);
	g_mime_object_set_header(GMIME_OBJECT(message), "Auto-Submitted", "auto-generated", NULL);
	g_mime_object_set_header(GMIME_OBJECT(message), "Content-Language", m->language, NULL);
	g_mime_message_set_mime_part(message, body);

	int err = set_words(message, "Subject", hy_buffer_view(&subject), NULL);
	err = err ? err : set_words(message, "To", hy_buffer_view(&name), m->to);
	err = err ? err : set_words(message, "From", hy_bytes_text(m->from->name), m->from->address);

	GMimeStream *stream = g_mime_stream_mem_new();
	GMimeFormatOptions *format = g_mime_format_options_new();
	g_mime_format_options_set_newline_format(format, GMIME_NEWLINE_FORMAT_DOS);
	g_mime_object_write_to_stream(GMIME_OBJECT(message), format, stream);
	GByteArray *bytes = g_mime_stream_mem_get_byte_array(GMIME_STREAM_MEM(stream));
	put_crlf(out, hy_bytes(bytes->data, bytes->len));
	g_mime_format_options_free(format);
	g_object_unref(stream);
	g_object_unref(message);
	g_object_unref(body);
	err = err ? err : name.err ? name.err : subject.err ? subject.err : out->err;
	hy_buffer_free(&name);
	hy_buffer_free(&subject);
	return err;
}
