/* huiyin mail-in: one mail on standard input, as a mail server's pipe delivers it, becomes a feedback through the collector's door. The exit code tells the
 * server what to do: 0 done, 75 keep it and come again, 65 it will never be taken. */
#include "huiyin/huiyin.h"
#include "letter.h"
#include "huiyin/post.h"

#include "base/clock.h"
#include "base/text.h"

#include <errno.h>
#include <sodium.h>
#include <unistd.h>

#define SIZE_MAX_DEFAULT ((size_t)10 << 20)

struct mail_in {
	struct common common;
	const char *key_file, *sender, *recipient;
	size_t size_max;
	struct hy_buffer message;
	struct letter letter;
	struct post *post;
	struct post_answer answer;
};

/* ---- in ---- */

/* Reads to the end, also what is too much: a server that can't write its mail to the end makes a guess of its own. */
static int read_mail(struct mail_in *m, struct hy_fault *f)
{
	char chunk[65536];
	bool large = false;
	for (ssize_t n; (n = read(0, chunk, sizeof(chunk))) != 0;) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return hy_fail(f, HY_IO, "standard input: %s", strerror(errno));
		large = large || m->message.size + (size_t)n > m->size_max;
		if (!large)
			hy_buffer_put(&m->message, chunk, (size_t)n);
	}
	if (large)
		return hy_fail(f, HY_TOO_LARGE, "the mail is larger than %zu bytes; --size-max takes larger ones",
			m->size_max);
	/* An mbox file's first line is no header. */
	struct hy_bytes b = hy_buffer_view(&m->message);
	const uint8_t *end = hy_bytes_starts(b, HY_LIT("From ")) ? memchr(b.data, '\n', b.size) : NULL;
	if (end)
		memmove(m->message.data, end + 1, m->message.size -= (size_t)(end + 1 - b.data));
	return m->message.err;
}

/* ---- out ---- */

static int send_it(struct mail_in *m, struct hy_fault *f)
{
	char *body = json_dumps(m->letter.feedback, JSON_COMPACT);
	int err = body ? post_send(m->post, "POST", "/v1/feedback", hy_bytes_text(body), &m->answer, f) : HY_NO_MEMORY;
	free(body);
	return err;
}

/* Whether the answer speaks of that member. */
static bool blames(const struct post_answer *a, const char *pointer)
{
	json_t *j = json_loadb((const char *)a->body.data, a->body.size, 0, NULL), *e;
	bool found = false;
	size_t i;
	json_array_foreach(json_object_get(j, "errors"), i, e) found |= strcmp(huiyin_text(e, "pointer"), pointer) == 0;
	json_decref(j);
	return found;
}

/* Whether the collector says why. A page without a reason is a stranger's: whoever has the address now must not send the mail back to its writer. */
static bool gives_reason(const struct post_answer *a)
{
	json_t *j = json_loadb((const char *)a->body.data, a->body.size, 0, NULL);
	bool reason = json_is_string(json_object_get(j, "detail"));
	json_decref(j);
	return reason;
}

/* Another mail with the same Message-ID: it gets an id of its own, made of what it says. */
static void make_own_id(struct mail_in *m)
{
	uint8_t hash[16];
	char hex[33];
	char *text = json_dumps(m->letter.feedback, JSON_COMPACT | JSON_SORT_KEYS);
	crypto_generichash(hash, sizeof(hash), (const uint8_t *)text, text ? strlen(text) : 0, NULL, 0);
	hy_hex(hash, sizeof(hash), hex);
	free(text);
	json_object_set_new(m->letter.feedback, "id", json_sprintf("mail-%s", hex));
}

/* Sends it, and once more without what the collector can't take but the customer can't mend either. */
static int deliver(struct mail_in *m, struct hy_fault *f)
{
	json_t *fb = m->letter.feedback;
	int err = send_it(m, f);
	if (err == HY_OK && m->answer.status == 422 && json_object_get(fb, "in_reply_to") &&
		blames(&m->answer, "/in_reply_to")) {
		json_object_del(
			fb, "in_reply_to"); /* a ticket that is closed, a token that is not ours: then it is news */
		err = send_it(m, f);
	}
	if (err == HY_OK && m->answer.status == 422 && blames(&m->answer, "/customer/email")) {
		json_object_set(json_object_get(fb, "context"), "from",
			json_object_get(json_object_get(fb, "customer"), "email"));
		json_object_del(fb, "customer");
		err = send_it(m, f);
	}
	if (err == HY_OK && m->answer.status == 409) {
		make_own_id(m);
		err = send_it(m, f);
	}
	if (err || m->answer.status == 202)
		return err;
	char why[900];
	int status = m->answer.status;
	post_problem(status, hy_buffer_view(&m->answer.body), why, sizeof(why));
	bool final = status == 400 || status == 409 || status == 413 || status == 422;
	return hy_fail(f, final && gives_reason(&m->answer) ? HY_BAD_INPUT : HY_BUSY, "%s", why);
}

static int handle(struct mail_in *m, struct hy_fault *f)
{
	struct post_door door;
	int err = read_mail(m, f);
	if (err == HY_OK)
		err = letter_read(hy_buffer_view(&m->message), m->sender, m->recipient, hy_now_ms(), &m->letter, f);
	if (err || m->letter.dropped)
		return err;
	err = post_door(m->common.dir, m->key_file, &door, f);
	if (err == HY_OK)
		err = post_open(&m->post, &door, f);
	explicit_bzero(&door, sizeof(door));
	return err ? err : deliver(m, f);
}

/* Whether anybody reads it or not: the mail is done, and a code that says anything else would bring it back to its writer. */
static void report(const struct mail_in *m)
{
	if (m->letter.dropped) {
		if (m->common.json)
			huiyin_print_json(
				json_pack("{s:n, s:b, s:s}", "id", "duplicate", 0, "dropped", m->letter.dropped));
		else
			fprintf(stderr, "%s: passed over: %s\n", m->common.verb, m->letter.dropped);
		return;
	}
	json_t *j = json_loadb((const char *)m->answer.body.data, m->answer.body.size, 0, NULL);
	const char *id = json_string_value(json_array_get(json_object_get(j, "ids"), 0));
	int duplicate = huiyin_number(j, "duplicates") > 0;
	if (m->common.json)
		huiyin_print_json(json_pack("{s:s?, s:b, s:n}", "id", id, "duplicate", duplicate, "dropped"));
	else if (isatty(STDOUT_FILENO) && id)
		printf("%s\n", id);
	json_decref(j);
}

/* ---- options ---- */

enum { OPTION_KEY = 0x100, OPTION_SIZE, OPTION_RECIPIENT, OPTION_SENDER };

static const struct argp_option rows[] = {
	{ "recipient", OPTION_RECIPIENT, "ADDRESS", 0,
		"The address it came to (default $ORIGINAL_RECIPIENT, then its headers)", 0 },
	{ "sender", OPTION_SENDER, "ADDRESS", 0,
		"The envelope's sender, empty for a bounce (default $SENDER, then Return-Path)", 0 },
	{ "size-max", OPTION_SIZE, "BYTES", 0, "Larger mails are refused (default 10485760)", 0 },
	{ "key-file", OPTION_KEY, "FILE", 0, "The API key (default DIR/keys/app-default.key)", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct mail_in *m = state->input;
	char *end;
	switch (key) {
	case OPTION_KEY:
		m->key_file = arg;
		return 0;
	case OPTION_RECIPIENT:
		m->recipient = arg;
		return 0;
	case OPTION_SENDER:
		m->sender = arg;
		return 0;
	case OPTION_SIZE:
		m->size_max = strtoull(arg, &end, 10);
		if (*end || m->size_max < 1000 || m->size_max > ((size_t)100 << 20))
			argp_error(state, "--size-max is a number of bytes from 1000 to 104857600, not '%s'", arg);
		return 0;
	default:
		return huiyin_no_options(key, arg, state);
	}
}

static const char doc[] =
	"Takes one mail from standard input and makes a feedback of it: the text its writer wrote, without the mail "
	"that is quoted below it; From is the customer, "
	"Message-ID the id, so that a mail that is delivered twice is entered once. Bounces, automatic answers and "
	"mail to many are passed over. "
	"Exit code 0: done, or passed over; 75: the collector can't take it now, come again; 65: this mail will never "
	"be taken.\v"
	"Examples:\n  huiyin mail-in -C /etc/huiyin < letter.eml\nIn /etc/aliases:\n  feedback: \"|/usr/bin/huiyin "
	"mail-in -C /etc/huiyin\"\n"
	"In Postfix's master.cf:\n  huiyin unix - n n - 4 pipe flags=Rq user=huiyin-collector null_sender=\n"
	"    argv=/usr/bin/huiyin mail-in -C /etc/huiyin --sender ${sender} --recipient ${original_recipient}\n";

int huiyin_mail_in(int argc, char **argv)
{
	struct mail_in m = {
		.size_max = SIZE_MAX_DEFAULT, .sender = getenv("SENDER"), .recipient = getenv("ORIGINAL_RECIPIENT")
	};
	struct hy_fault f = { 0 };
	argp_err_exit_status = EX_TEMPFAIL; /* a slip in the server's configuration is our own fault, too */
	huiyin_options(argc, argv, rows, parse, "", doc, &m.common);
	f.err = handle(&m, &f);
	int code = EX_OK;
	if (f.err) {
		huiyin_fail(&m.common, &f);
		/* A server bounces what ends with any other code; what may pass, or is our own fault, must not come back to the customer. */
		code = f.err == HY_BAD_INPUT || f.err == HY_TOO_LARGE ? EX_DATAERR : EX_TEMPFAIL;
	} else {
		report(&m);
	}
	json_decref(m.letter.feedback);
	post_close(&m.post);
	hy_buffer_free(&m.answer.body);
	hy_buffer_free(&m.message);
	return code;
}
