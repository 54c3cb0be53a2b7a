// link: hy_notifier hy_http hy_template PkgConfig::GMIME PkgConfig::JANSSON
/* Our mail, carried by our SMTP to servers that others wrote, and read by readers that others wrote: whatever stands in names, words and notes comes
 * out as it was meant, in the part where it was meant. Both ways run with STARTTLS, a certificate made here, and AUTH. */
#include "support/test.h"

#include <errno.h>
#include <fcntl.h>
#include <gmime/gmime.h>
#include <jansson.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "http/smtp.h"
#include "notifier/mail.h"
#include "notifier/templates.h"

static const struct notifier_sender from = { "回音客服, \"Care\"", "care@acme.example" };

struct desk {
	char *dir;
	struct hy_loop *loop;
	struct hy_smtp *smtp;
	struct hy_smtp_mail *mail;
	pid_t sink;
	int to_sink, from_sink;
	struct hy_buffer said; /* by the sink */
	struct notifier_templates *templates;
	bool done;
	int code;
	char words[256];
};

/* ---- a server that others wrote ---- */

static void on_said(void *arg)
{
	struct desk *d = arg;
	uint8_t *room = hy_buffer_room(&d->said, 65536);
	ssize_t n = read(d->from_sink, room, 65536);
	if (n <= 0)
		fail_msg("the server ended");
	d->said.size += (size_t)n;
}

/* One line of what the server says; malloc'ed, NULL when there is none yet. */
static char *take_line(struct desk *d)
{
	uint8_t *end = d->said.size ? memchr(d->said.data, '\n', d->said.size) : NULL;
	if (!end)
		return NULL;
	size_t size = (size_t)(end - d->said.data);
	char *line = strndup((const char *)d->said.data, size);
	memmove(d->said.data, end + 1, d->said.size - size - 1);
	d->said.size -= size + 1;
	return line;
}

static char *next_line(struct desk *d)
{
	char *line;
	int64_t until = hy_mono_ms() + 120000;
	while (!(line = take_line(d))) {
		if (hy_mono_ms() > until)
			fail_msg("the server says nothing");
		hy_loop_turn(d->loop, 100);
	}
	return line;
}

static void make_certificate(const char *dir)
{
	char command[8192];
	snprintf(command, sizeof(command),
		"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost "
		"-addext "
		"subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout '%s/key.pem' -out '%s/cert.pem' 2>'%s/openssl.log'",
		dir, dir, dir);
	assert_int_equal(system(command), 0);
}

/* `command` is a sink's program with its first arguments. */
static void desk_open(struct desk *d, const char *const *command)
{
	int in[2], out[2];
	char cert[4096], key[4096];
	const char *words[16];
	struct hy_fault f = { 0 };
	size_t n = 0;
	memset(d, 0, sizeof(*d));
	d->dir = test_mkdir();
	make_certificate(d->dir);
	snprintf(cert, sizeof(cert), "%s/cert.pem", d->dir);
	snprintf(key, sizeof(key), "%s/key.pem", d->dir);
	while (command[n]) {
		words[n] = command[n];
		n++;
	}
	memcpy(words + n, (const char *const[]){ "--tls", cert, key, "--auth", "回音", "pass wörd", NULL },
		7 * sizeof(char *));
	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	d->sink = fork();
	if (d->sink == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(in[0], 0);
		dup2(out[1], 1);
		execvp(words[0], (char *const *)words);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	d->to_sink = in[1];
	d->from_sink = out[0];
	assert_int_equal(hy_loop_open(&d->loop), HY_OK);
	assert_int_equal(hy_loop_watch_fd(d->loop, d->from_sink, on_said, d), HY_OK);
	char *port = next_line(d);
	struct hy_smtp_options o = { .loop = d->loop,
		.host = "localhost",
		.port = atoi(port),
		.tls = HY_SMTP_STARTTLS,
		.ca_file = cert,
		.ehlo = "huiyin.example",
		.user = "回音",
		.password = "pass wörd" };
	if (hy_smtp_open(&d->smtp, &o, &f) != HY_OK)
		fail_msg("%s", f.text);
	free(port);
	const char *const dirs[] = { HY_SOURCE_DIR "/services/notifier/templates", NULL };
	assert_int_equal(notifier_templates_open(&d->templates, dirs, &f), HY_OK);
}

static void desk_close(struct desk *d)
{
	hy_smtp_close(&d->smtp);
	hy_loop_unwatch_fd(d->loop, d->from_sink);
	hy_loop_close(&d->loop);
	close(d->to_sink);
	waitpid(d->sink, NULL, 0);
	close(d->from_sink);
	notifier_templates_close(&d->templates);
	hy_buffer_free(&d->said);
	test_rmdir(d->dir);
}

static void at_dot(void *arg)
{
	struct desk *d = arg;
	hy_smtp_pass(d->mail);
}

static void done(void *arg, const struct hy_smtp_outcome *o)
{
	struct desk *d = arg;
	d->done = true;
	d->code = o->answered ? o->code : 0;
	snprintf(d->words, sizeof(d->words), "%s", o->words ? o->words : "");
}

/* What the other side has read; new reference. */
static json_t *carried(struct desk *d, const char *to, struct hy_bytes message)
{
	struct hy_smtp_letter letter = { .from = "bounce+t0ken@acme.example",
		.to = to,
		.message = message,
		.at_dot = at_dot,
		.done = done,
		.arg = d };
	struct hy_fault f = { 0 };
	d->done = false;
	if (hy_smtp_send(d->smtp, &letter, &d->mail, &f) != HY_OK)
		fail_msg("%s", f.text);
	int64_t until = hy_mono_ms() + 120000;
	while (!d->done && hy_mono_ms() < until)
		hy_loop_turn(d->loop, 100);
	if (!d->done || d->code != 250)
		fail_msg("answered %d %s", d->code, d->words);
	char *line = next_line(d);
	json_t *told = json_loads(line, 0, NULL);
	assert_non_null(told);
	if (json_object_get(told, "fault"))
		fail_msg("the reader stumbles: %s", line);
	free(line);
	return told;
}

/* ---- what was meant ---- */

/* A body in a reader's eyes: line feeds alone, no other control characters but tabs. */
static char *body_meant(struct hy_bytes text)
{
	struct hy_buffer b = { 0 };
	for (size_t i = 0; i < text.size; i++) {
		uint8_t c = text.data[i];
		if (c == '\r' && i + 1 < text.size && text.data[i + 1] == '\n')
			continue;
		if (c == '\r' || c == '\n')
			hy_buffer_byte(&b, '\n');
		else if (c >= 0x20 || c == '\t')
			hy_buffer_byte(&b, c);
	}
	if (b.size == 0 || b.data[b.size - 1] != '\n')
		hy_buffer_byte(&b, '\n');
	char *copy = strdup(hy_buffer_string(&b));
	hy_buffer_free(&b);
	return copy;
}

static char *line_meant(const char *text, size_t points)
{
	struct hy_buffer b = { 0 };
	notifier_line(&b, hy_bytes_text(text), points);
	char *copy = strdup(hy_buffer_string(&b));
	hy_buffer_free(&b);
	for (const char *c = copy; *c; c++)
		assert_true((unsigned char)*c >= 0x20 && *c != 0x7f);
	return copy;
}

static void is_same(const char *what, const json_t *got, const char *meant)
{
	const char *text = json_string_value(got);
	if (text && strcmp(text, meant) == 0)
		return;
	size_t at = 0;
	while (text && text[at] && text[at] == meant[at])
		at++;
	at = at > 40 ? at - 40 : 0;
	fail_msg("%s: \"%.200s\" was meant, it reads \"%.200s\"", what, meant + at, text ? text + at : "(nothing)");
}

static void is_mailbox(const char *what, const json_t *list, const char *name, const char *address)
{
	assert_int_equal(json_array_size(list), 1);
	is_same(what, json_object_get(json_array_get(list, 0), "address"), address);
	is_same(what, json_object_get(json_array_get(list, 0), "name"), name);
}

/* Each header once, and none that nobody wanted. */
static void are_known(const json_t *names)
{
	static const char *const known[] = { "auto-submitted", "content-language", "content-type", "date", "from",
		"in-reply-to", "message-id", "mime-version", "references", "subject", "to" };
	assert_int_equal(json_array_size(names), sizeof(known) / sizeof(*known));
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		assert_string_equal(json_string_value(json_array_get(names, i)), known[i]);
}

/* One notice with `hostile` wherever text of others stands, and what staff wrote. */
static void reads_as_meant(struct desk *d, const char *language, uint32_t kind, const char *hostile, const char *note)
{
	struct notifier_rendered r = { 0 };
	struct hy_buffer message = { 0 };
	struct hy_fault f = { 0 };
	struct notifier_words w = { hostile, hostile, note, "T-12", "https://x.example/r/TOKEN", from.name };
	if (notifier_templates_render(d->templates, language, kind, &w, &r, &f) != HY_OK)
		fail_msg("%s for \"%.100s\"", f.text, hostile);
	struct notifier_mail m = { .from = &from,
		.to = "li.lei+tag@example.com",
		.to_name = hy_bytes_text(hostile),
		.language = language,
		.date_ms = INT64_C(1767225600000),
		.subject = hy_bytes_text(hostile),
		.text = hy_buffer_view(&r.text),
		.html = hy_buffer_view(&r.html) };
	memset(m.notice.b, 0x11, 16);
	memset(m.thread.b, 0x22, 16);
	assert_int_equal(notifier_mail_write(&m, &message), HY_OK);
	json_t *told = carried(d, m.to, hy_buffer_view(&message));
	char *subject = line_meant(hostile, 120), *name = line_meant(hostile, 60), *text = body_meant(m.text),
	     *html = body_meant(m.html);
	are_known(json_object_get(told, "names"));
	is_same("the subject", json_object_get(told, "subject"), subject);
	is_mailbox("the recipient", json_object_get(told, "to"), name, m.to);
	is_mailbox("the sender", json_object_get(told, "from"), from.name, from.address);
	is_same("the text", json_object_get(told, "text"), text);
	is_same("the page", json_object_get(told, "html"), html);
	is_same("the Message-ID", json_object_get(told, "message_id"),
		"<11111111-1111-1111-1111-111111111111@acme.example>");
	is_same("the thread", json_object_get(told, "in_reply_to"),
		"<ticket-22222222-2222-2222-2222-222222222222@acme.example>");
	is_same("its references", json_object_get(told, "references"),
		"<ticket-22222222-2222-2222-2222-222222222222@acme.example>");
	is_same("Auto-Submitted", json_object_get(told, "auto_submitted"), "auto-generated");
	is_same("the language", json_object_get(told, "language"), language);
	is_same("the type", json_object_get(told, "type"), "multipart/alternative");
	assert_int_equal(json_integer_value(json_object_get(told, "date_ms")), m.date_ms);
	assert_int_equal(json_integer_value(json_object_get(told, "attachments")), 0);
	assert_int_equal(json_array_size(json_object_get(told, "defects")), 0);
	assert_true(json_is_true(json_object_get(told, "encrypted")));
	is_same("who signed in", json_object_get(told, "user"), "回音");
	json_t *envelope = json_object_get(told, "envelope");
	is_same("the envelope", json_object_get(envelope, "from"), "bounce+t0ken@acme.example");
	is_same("the envelope", json_array_get(json_object_get(envelope, "to"), 0), m.to);
	assert_int_equal(json_array_size(json_object_get(envelope, "to")), 1);
	free(subject), free(name), free(text), free(html);
	json_decref(told);
	notifier_rendered_free(&r);
	hy_buffer_free(&message);
}

/* ---- the words of others ---- */

static const char *const hostile[] = {
	"李雷",
	"Li Lei",
	"Müller, Jürgen \"the \\ one\" (office) <not@an.address>",
	"a, b, c",
	"\"",
	"\\",
	"<b>bold</b> & <script>alert(1)</script>",
	"{{name}} {{{note}}} {{#link}}",
	"one\r\nBcc: victim@example.com\r\n\r\n<script>",
	"one\nX-Evil: 1",
	"one\rX-Evil: 1",
	"\r\n.\r\nMAIL FROM:<a@b.co>\r\n",
	"\n.\n",
	"\n.\r\n.\n..\n...",
	".",
	"..",
	"From here\nFrom there",
	"=?utf-8?B?5Zue6Z+z?=",
	"=?utf-8?Q?=0D=0ABcc:_v@x.example?=",
	"=?utf-8?B?"
	"?= =?us-ascii?Q?x?=",
	"=?a?",
	"50% =3D =0A =20 = off=",
	"--=_11111111-1111-1111-1111-111111111111",
	"--=_11111111-1111-1111-1111-111111111111--\nafter",
	"Content-Type: text/html\n\n<b>",
	"\u202eevil\u202c \u2066in\u2069 \u200f\u061c",
	"\u2028line\u2029paragraph\xc2\x85next",
	"\ufeffmark",
	"zero\u200bwidth\u200djoiner\u00adsoft",
	"%00 \\0 &#0; \u2400 \x01\x02\x07\x08\x0b\x0c\x1b[31m\x7f",
	"tab\there",
	"   blanks   at   the   ends   ",
	"end of line with a blank \nand a tab\t\nlast ",
	"👩‍🔧👨‍👩‍👧‍👦🇨🇳👍🏽 emoji",
	"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx👩‍🔧👩‍🔧👩‍🔧",
	"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx👩‍🔧👩‍🔧👩‍🔧",
	"回音回音回音回音回音回音回音回音回音回音回音回音回音回音回音回音回音回音回音回音回音回音回音回音回音回音回音回"
	"音回音回音回音回音回音回音回音",
	"a回b音c回d音e回f音g回h音i回j音k回l音m回n音o回p音q回r音s回t音u回v音w回x音y回z音",
	"e\u0301\u0301\u0301\u0301 combining \u0915\u094d\u0937\u093f العربية עברית ไทย",
	"\U0001f468\u200d\U0001f469 \U000e0001 \U0010fffd",
	"verylongwordverylongwordverylongwordverylongwordverylongwordverylongwordverylongwordverylongwordverylongwordve"
	"rylongwordverylongword",
	"http://evil.example/ www.evil.example",
	"=",
	" ",
};

/* `unit` again and again, to `size` bytes at least; malloc'ed. */
static char *much(const char *unit, size_t size)
{
	struct hy_buffer b = { 0 };
	while (b.size < size)
		hy_buffer_text(&b, unit);
	char *copy = strdup(hy_buffer_string(&b));
	hy_buffer_free(&b);
	return copy;
}

static void everything_reads_as_meant(const char *const *command)
{
	struct desk d;
	desk_open(&d, command);
	for (size_t i = 0; i < sizeof(hostile) / sizeof(*hostile); i++) {
		reads_as_meant(&d, "zh", 1 + i % (NOTIFIER_KINDS - 1), hostile[i], hostile[i]);
		reads_as_meant(&d, "en", 2, hostile[i], hostile[i]);
	}
	static const char *const units[] = { "长", "x", "\n.\n", "很长 and more 👍\r\n" };
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
		char *text = much(units[i], 1 << 20);
		reads_as_meant(&d, i % 2 ? "en" : "zh", 2, units[i], text);
		free(text);
	}
	desk_close(&d);
}

static void pythons_reader_reads_what_was_meant(void **state)
{
	(void)state;
	if (system("/usr/bin/python3 -c 'import aiosmtpd' 2>/dev/null") != 0) {
		print_message("SKIP: there is no python3-aiosmtpd; deploy/packages test installs it\n");
		skip();
	}
	everything_reads_as_meant(
		(const char *const[]){ "/usr/bin/python3", HY_SOURCE_DIR "/tests/support/mail_sink.py", NULL });
}

static void nodes_reader_reads_what_was_meant(void **state)
{
	static const char packages[] = HY_BIN_DIR "/../clients/node_modules";
	(void)state;
	if (access(HY_BIN_DIR "/../clients/node_modules/.installed", F_OK) != 0 ||
		system("node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' 2>/dev/null") != 0) {
		print_message("SKIP: node 20 or the packages of tests/clients are not there; the test clients.install "
			      "says why\n");
		skip();
	}
	everything_reads_as_meant(
		(const char *const[]){ "node", HY_SOURCE_DIR "/tests/clients/mail_sink.mjs", packages, NULL });
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pythons_reader_reads_what_was_meant),
		cmocka_unit_test(nodes_reader_reads_what_was_meant),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
