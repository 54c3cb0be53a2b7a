#include "letter.h"

#include "base/clock.h"
#include "base/text.h"
#include "huiyin/import/encoding.h"
#include "plain.h"

#include <gmime/gmime.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>

#define TEXT_BYTES ((size_t)36 << 10) /* of an item's 48 KiB */
#define ID_MAX 200
#define NAMES_MAX 10 /* attachments that are named */
#define PARTS_MAX 1000
#define TOKEN_MIN 40
#define TOKEN_MAX 79

/* ---- headers ---- */

static const char *header(GMimeMessage *m, const char *name)
{
	const char *v = g_mime_object_get_header(GMIME_OBJECT(m), name);
	while (v && (*v == ' ' || *v == '\t'))
		v++;
	return v ? v : "";
}

static bool begins(const char *value, const char *word)
{
	return strncasecmp(value, word, strlen(word)) == 0;
}

/* Why a program wrote it, or NULL. A sender that is answered in error answers again, and both go on for ever. */
static const char *automatic(GMimeMessage *m, const char *sender)
{
	const char *submitted = header(m, "Auto-Submitted"), *precedence = header(m, "Precedence"),
		   *path = header(m, "Return-Path");
	GMimeObject *body = g_mime_message_get_mime_part(m);
	GMimeContentType *type = body ? g_mime_object_get_content_type(body) : NULL;
	if (*submitted && !begins(submitted, "no"))
		return "an automatic answer";
	if (begins(precedence, "bulk") || begins(precedence, "junk") || begins(precedence, "list"))
		return "a mail to many";
	if (begins(path, "<>") ||
		(sender && (!*sender || strcmp(sender, "<>") == 0 || begins(sender, "MAILER-DAEMON"))))
		return "a bounce";
	if (type && g_mime_content_type_is_type(type, "multipart", "report"))
		return "a bounce or a report";
	if (*header(m, "X-Autoreply") || *header(m, "X-Autorespond"))
		return "an automatic answer";
	return NULL;
}

/* One line of a header, harmless and not too long. */
static json_t *line_of(const char *text, size_t points)
{
	struct hy_buffer tidy = { 0 };
	plain_tidy(&tidy, hy_bytes_text(text));
	for (size_t i = 0; i < tidy.size; i++)
		if (tidy.data[i] == '\n' || tidy.data[i] == '\t')
			tidy.data[i] = ' ';
	struct hy_bytes cut = hy_utf8_prefix(hy_buffer_view(&tidy), points);
	json_t *j = cut.size ? json_stringn((const char *)cut.data, cut.size) : NULL;
	hy_buffer_free(&tidy);
	return j;
}

static void set(json_t *object, const char *name, json_t *value)
{
	if (value)
		json_object_set_new(object, name, value);
}

/* ---- who ---- */

static bool address_ok(const char *address)
{
	const char *at = address ? strrchr(address, '@') : NULL;
	if (!at || at == address || !at[1] || strlen(address) > 254)
		return false;
	for (const char *p = address; *p; p++)
		if ((unsigned char)*p <= ' ' || (unsigned char)*p >= 0x7f)
			return false;
	return true;
}

static InternetAddressMailbox *writer(GMimeMessage *m)
{
	InternetAddressList *lists[] = { g_mime_message_get_from(m), g_mime_message_get_sender(m) };
	for (size_t l = 0; l < 2; l++)
		for (int i = 0; lists[l] && i < internet_address_list_length(lists[l]); i++) {
			InternetAddress *a = internet_address_list_get_address(lists[l], i);
			if (INTERNET_ADDRESS_IS_MAILBOX(a) &&
				address_ok(internet_address_mailbox_get_addr(INTERNET_ADDRESS_MAILBOX(a))))
				return INTERNET_ADDRESS_MAILBOX(a);
		}
	return NULL;
}

static bool take_writer(GMimeMessage *m, json_t *feedback, json_t *context)
{
	InternetAddressMailbox *who = writer(m);
	if (!who) {
		set(context, "from", line_of(header(m, "From"), 200));
		return false;
	}
	json_t *customer = json_object();
	const char *name = internet_address_get_name(INTERNET_ADDRESS(who)),
		   *address = internet_address_mailbox_get_addr(who);
	set(customer, "email", json_string(address));
	if (name && strcmp(name, address) != 0)
		set(customer, "name", line_of(name, 100));
	set(feedback, "customer", customer);
	return true;
}

/* ---- what is answered ---- */

static bool token_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/* A token at `text`, ended by one of `ends`. */
static json_t *token_at(const char *text, const char *ends)
{
	size_t n = 0;
	while (n <= TOKEN_MAX && token_letter(text[n]))
		n++;
	return n >= TOKEN_MIN && n <= TOKEN_MAX && (!text[n] || strchr(ends, text[n])) ? json_stringn(text, n) : NULL;
}

/* reply+TOKEN@... */
static json_t *token_of_address(const char *text)
{
	json_t *token = NULL;
	for (const char *p = text; p && !token && (p = strchr(p, '+')); p++)
		token = token_at(p + 1, "@");
	return token;
}

/* The link of a notice, .../r/TOKEN?l=zh, when it stands in the mail that is answered. */
static json_t *token_of_text(const char *text)
{
	json_t *token = NULL;
	for (const char *p = text; !token && (p = strstr(p, "/r/")); p++)
		token = token_at(p + 3, "?&/ \t\r\n>\")]*_");
	return token;
}

/* ---- text ---- */

/* ICU's name for what mail calls gb2312 is stricter than any mail program. */
static const char *charset_of(const char *name)
{
	static const char *const gb[] = { "gb2312", "gbk", "x-gbk", "cp936", "euc-cn", "gb_2312-80", NULL };
	for (size_t i = 0; gb[i]; i++)
		if (strcasecmp(name, gb[i]) == 0)
			return "GB18030";
	return strcasecmp(name, "us-ascii") == 0 || strcasecmp(name, "ascii") == 0 ||
			       strcasecmp(name, "unknown-8bit") == 0
		       ? ""
		       : name;
}

static bool convert(const char *charset, struct hy_bytes raw, struct hy_buffer *out)
{
	struct encoding *e = NULL;
	bool good = encoding_open(&e, charset, NULL) == HY_OK && encoding_convert(e, raw, true, out) == HY_OK;
	encoding_close(&e);
	return good;
}

/* In the charset that the part names; when it names none, or one that it is not in, in the one that it looks like. */
static void to_utf8(const char *charset, struct hy_bytes raw, struct hy_buffer *out)
{
	const char *found = "windows-1252";
	struct hy_fault ignored;
	charset = charset ? charset_of(charset) : "";
	bool utf8 = !*charset || encoding_is_utf8(charset);
	if (utf8 && hy_utf8_valid(raw)) {
		hy_buffer_bytes(out, raw);
		return;
	}
	if (!utf8 && convert(charset, raw, out))
		return;
	hy_buffer_clear(out);
	if (encoding_detect(raw, true, &found, &ignored) != HY_OK)
		found = "windows-1252";
	if (!convert(found, raw, out))
		hy_buffer_bytes(out, raw);
}

static void read_part(GMimePart *part, struct hy_buffer *out)
{
	GMimeDataWrapper *content = g_mime_part_get_content(part);
	if (!content)
		return;
	GMimeStream *stream = g_mime_stream_mem_new();
	g_mime_data_wrapper_write_to_stream(content, stream);
	GByteArray *bytes = g_mime_stream_mem_get_byte_array(GMIME_STREAM_MEM(stream));
	to_utf8(g_mime_object_get_content_type_parameter(GMIME_OBJECT(part), "charset"),
		hy_bytes(bytes->data, bytes->len), out);
	g_object_unref(stream);
}

/* ---- parts ---- */

struct parts {
	GMimePart *plain, *html;
	struct hy_buffer names;
	size_t attached, seen;
};

static int64_t size_of(GMimePart *part)
{
	GMimeDataWrapper *content = g_mime_part_get_content(part);
	GMimeStream *null = g_mime_stream_null_new();
	int64_t size = content ? g_mime_data_wrapper_write_to_stream(content, null) : 0;
	g_object_unref(null);
	return size > 0 ? size : 0;
}

static void note_attachment(struct parts *p, const char *name, int64_t size)
{
	if (++p->attached > NAMES_MAX)
		return;
	json_t *shown = line_of(name && *name ? name : "unnamed", 80);
	hy_buffer_printf(&p->names, "%s%s (%" PRId64 " bytes)", p->names.size ? ", " : "",
		shown ? json_string_value(shown) : "unnamed", size);
	json_decref(shown);
}

static void look_at(struct parts *p, GMimeObject *o)
{
	GMimeContentType *type = g_mime_object_get_content_type(o);
	if (GMIME_IS_MESSAGE_PART(o)) { /* a mail in the mail */
		note_attachment(p, "message.eml", 0);
		return;
	}
	if (!GMIME_IS_PART(o))
		return;
	GMimePart *part = GMIME_PART(o);
	const char *name = g_mime_part_get_filename(part);
	bool attached = g_mime_part_is_attachment(part) || (name && *name);
	bool plain = type && g_mime_content_type_is_type(type, "text", "plain"),
	     html = type && g_mime_content_type_is_type(type, "text", "html");
	if (!attached && plain && !p->plain)
		p->plain = part;
	else if (!attached && html && !p->html)
		p->html = part;
	else if (attached || !(plain || html))
		note_attachment(p, name, size_of(part));
}

static void find_parts(struct parts *p, GMimeObject *o, int depth)
{
	if (!o || depth > 20 || ++p->seen > PARTS_MAX)
		return;
	if (!GMIME_IS_MULTIPART(o)) {
		look_at(p, o);
		return;
	}
	for (int i = 0; i < g_mime_multipart_get_count(GMIME_MULTIPART(o)); i++)
		find_parts(p, g_mime_multipart_get_part(GMIME_MULTIPART(o), i), depth + 1);
}

/* The text of the mail as a whole, tidy; from the HTML when there is no plain text, or only an empty one. */
static void take_text(const struct parts *p, struct hy_buffer *out)
{
	struct hy_buffer raw = { 0 }, text = { 0 };
	if (p->plain) {
		read_part(p->plain, &raw);
		plain_tidy(out, hy_buffer_view(&raw));
	}
	if (out->size == 0 && p->html) {
		hy_buffer_clear(&raw);
		read_part(p->html, &raw);
		plain_html(&text, hy_buffer_view(&raw));
		plain_tidy(out, hy_buffer_view(&text));
	}
	hy_buffer_free(&raw);
	hy_buffer_free(&text);
}

/* At most so many characters and bytes, cut where one ends, with a mark. */
static json_t *bounded(struct hy_bytes text, json_t *context)
{
	static const char mark[] = "\n[…]";
	struct hy_bytes cut = hy_utf8_prefix(text, LETTER_TEXT_MAX);
	struct hy_buffer out = { 0 };
	if (cut.size == text.size && text.size <= TEXT_BYTES)
		return json_stringn((const char *)text.data, text.size);
	for (size_t points = LETTER_TEXT_MAX - 4; cut.size == text.size || cut.size > TEXT_BYTES; points -= 100)
		cut = hy_utf8_prefix(text, points);
	cut = hy_utf8_prefix(cut, LETTER_TEXT_MAX - 4);
	hy_buffer_bytes(&out, cut);
	hy_buffer_text(&out, mark);
	json_t *j = json_stringn((const char *)out.data, out.size);
	hy_buffer_free(&out);
	set(context, "cut", json_sprintf("%zu of %zu characters", hy_utf8_count(cut), hy_utf8_count(text)));
	return j;
}

/* ---- the whole ---- */

/* Message-ID; what can't be an id of the collector's, or is none, becomes a hash. */
static json_t *id_of(GMimeMessage *m, struct hy_bytes message)
{
	const char *said = g_mime_message_get_message_id(m);
	bool good = said && *said && strlen(said) <= ID_MAX;
	for (const char *p = said; good && *p; p++)
		good = (unsigned char)*p > ' ' && (unsigned char)*p < 0x7f;
	if (good)
		return json_string(said);
	uint8_t hash[16];
	char hex[33];
	struct hy_bytes from = said && *said ? hy_bytes_text(said) : message;
	crypto_generichash(hash, sizeof(hash), from.data, from.size, NULL, 0);
	hy_hex(hash, sizeof(hash), hex);
	return json_sprintf("mail-%s", hex);
}

static void take_date(GMimeMessage *m, int64_t now_ms, json_t *feedback)
{
	GDateTime *date = g_mime_message_get_date(m);
	int64_t ms = date ? g_date_time_to_unix(date) * 1000 : 0;
	char text[25];
	if (ms <= 0 || ms > now_ms + 86400000) /* a clock that is a day ahead says nothing */
		return;
	hy_time_text(ms, text);
	set(feedback, "occurred_at", json_string(text));
}

static void take_reply(GMimeMessage *m, const char *recipient, const char *text, json_t *feedback, json_t *context)
{
	static const char *const to[] = { "X-Original-To", "Delivered-To", "To", "Cc" };
	json_t *token = token_of_address(recipient);
	for (size_t i = 0; i < sizeof(to) / sizeof(*to) && !token; i++)
		token = token_of_address(header(m, to[i]));
	bool answers = *header(m, "In-Reply-To") || *header(m, "References");
	if (!token && answers)
		token = token_of_text(text);
	if (token)
		set(feedback, "in_reply_to", token);
	set(context, "in_reply_to", line_of(header(m, "In-Reply-To"), 200));
}

static void fill(GMimeMessage *m, struct hy_bytes message, const char *recipient, int64_t now_ms, struct letter *out)
{
	struct parts parts = { 0 };
	struct hy_buffer text = { 0 };
	json_t *feedback = json_object(), *context = json_object();
	const char *subject = g_mime_message_get_subject(m);
	json_t *title = line_of(subject ? subject : "", 500);
	find_parts(&parts, g_mime_message_get_mime_part(m), 0);
	take_text(&parts, &text);
	take_reply(m, recipient, hy_buffer_string(&text), feedback, context);
	text.size = plain_own(hy_buffer_view(&text));
	set(feedback, "id", id_of(m, message));
	set(feedback, "channel", json_string("mail"));
	if (text.size)
		set(feedback, "text", bounded(hy_buffer_view(&text), context));
	else if (title)
		set(feedback, "text", json_incref(title));
	else if (parts.attached)
		set(feedback, "text", line_of(hy_buffer_string(&parts.names), 500));
	set(context, "subject", title);
	if (parts.attached)
		set(context, "attachments",
			json_sprintf("%zu: %s%s", parts.attached, hy_buffer_string(&parts.names),
				parts.attached > NAMES_MAX ? ", ..." : ""));
	take_date(m, now_ms, feedback);
	take_writer(m, feedback, context);
	if (json_object_size(context))
		json_object_set(feedback, "context", context);
	json_decref(context);
	out->feedback = feedback;
	if (!json_object_get(feedback, "text")) {
		out->dropped = "an empty mail";
		json_decref(feedback);
		out->feedback = NULL;
	}
	hy_buffer_free(&text);
	hy_buffer_free(&parts.names);
}

int letter_read(struct hy_bytes message, const char *sender, const char *recipient, int64_t now_ms, struct letter *out,
	struct hy_fault *f)
{
	static const char *charsets[] = { "utf-8", "gb18030", "windows-1252", NULL }; /* of headers that do not say */
	static bool begun;
	*out = (struct letter){ 0 };
	if (!begun)
		g_mime_init();
	begun = true;
	/* gmime wants a place even for nothing. */
	GMimeStream *stream =
		g_mime_stream_mem_new_with_buffer(message.size ? (const char *)message.data : "", message.size);
	GMimeParser *parser = g_mime_parser_new_with_stream(stream);
	GMimeParserOptions *options = g_mime_parser_options_new();
	g_mime_parser_options_set_fallback_charsets(options, charsets);
	GMimeMessage *m = g_mime_parser_construct_message(parser, options);
	/* The parser takes anything for a mail; one has a writer or a date, and some header at all. */
	bool mail =
		m && (*header(m, "From") || *header(m, "Date") || *header(m, "Message-ID") || *header(m, "Received"));
	if (mail) {
		out->dropped = automatic(m, sender);
		if (!out->dropped)
			fill(m, message, recipient, now_ms, out);
	}
	if (m)
		g_object_unref(m);
	g_mime_parser_options_free(options);
	g_object_unref(parser);
	g_object_unref(stream);
	return mail ? HY_OK
		    : hy_fail(f, HY_BAD_INPUT, "this is no mail: it has none of From, Date, Message-ID and Received");
}
