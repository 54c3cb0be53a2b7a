/* huiyin send: one feedback, from the command line to the collector's door. */
#include "files.h"
#include "huiyin.h"
#include "post.h"
#include "show.h"

#include <unistd.h>

struct send {
	struct common common;
	json_t *feedback, *customer, *ratings, *tags;
	struct hy_buffer text;
	const char *key_file;
	bool has_text;
};

enum {
	OPTION_TEXT = 0x100,
	OPTION_RATING,
	OPTION_EMAIL,
	OPTION_CUSTOMER,
	OPTION_NAME,
	OPTION_LOCALE,
	OPTION_CHANNEL,
	OPTION_KIND,
	OPTION_TAG,
	OPTION_ID,
	OPTION_REPLY,
	OPTION_HELPED,
	OPTION_KEY
};

static const struct argp_option rows[] = {
	{ "text", OPTION_TEXT, "TEXT", 0, "What is said; also as words behind the options, or - for standard input",
		0 },
	{ "rating", OPTION_RATING, "SCALE=N", 0, "A score: nps=9, csat=4, ces=2, stars=5", 0 },
	{ "email", OPTION_EMAIL, "ADDRESS", 0, "Where the customer is told", 0 },
	{ "customer", OPTION_CUSTOMER, "ID", 0, "Your id of the customer", 0 },
	{ "name", OPTION_NAME, "NAME", 0, "The customer's name", 0 },
	{ "locale", OPTION_LOCALE, "TAG", 0, "The customer's language, zh-CN or en", 0 },
	{ "channel", OPTION_CHANNEL, "WORD", 0, "Where it was said (default cli)", 0 },
	{ "kind", OPTION_KIND, "WORD", 0, "feedback, survey, idea, vote, mention, review or interview", 0 },
	{ "tag", OPTION_TAG, "WORD", 0, "A tag; may be given again", 0 },
	{ "id", OPTION_ID, "ID", 0, "Your id of this feedback: sent again, it is entered once", 0 },
	{ "reply", OPTION_REPLY, "TOKEN", 0,
		"It answers a notice (the part behind /r/ in its link) or an earlier feedback's ID", 0 },
	{ "helped", OPTION_HELPED, "yes|no", 0, "With --reply: whether the answer helped", 0 },
	{ "key-file", OPTION_KEY, "FILE", 0, "The API key (default DIR/keys/app-default.key)", 0 },
	{ 0 },
};

static void set_text(json_t *object, const char *name, char *arg, struct argp_state *state)
{
	json_t *v = json_string(arg);
	if (!v)
		argp_error(state, "%s is not UTF-8", name);
	json_object_set_new(object, name, v);
}

static void set_rating(struct send *o, char *arg, struct argp_state *state)
{
	static const char *const scales[] = { "nps", "csat", "ces", "stars", NULL };
	char *equals = strchr(arg, '='), *end = NULL;
	double score = equals ? strtod(equals + 1, &end) : 0;
	if (!equals || end == equals + 1 || *end)
		argp_error(state, "a rating is SCALE=N, like nps=9, not '%s'", arg);
	*equals = 0;
	bool known = false;
	for (size_t i = 0; scales[i]; i++)
		known |= strcmp(scales[i], arg) == 0;
	if (!known) {
		const char *meant = hy_did_you_mean(arg, scales);
		argp_error(state, "no scale '%s'; there are nps, csat, ces and stars%s%s%s", arg,
			meant ? "; did you mean '" : "", meant ? meant : "", meant ? "'?" : "");
	}
	json_object_set_new(o->feedback, "rating",
		json_pack("{s:s, s:o}", "scale", arg, "score",
			score == (double)(long)score ? json_integer((long)score) : json_real(score)));
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct send *o = state->input;
	switch (key) {
	case OPTION_TEXT:
	case ARGP_KEY_ARG:
		if (o->has_text)
			hy_buffer_byte(&o->text, ' ');
		hy_buffer_text(&o->text, arg);
		o->has_text = true;
		return 0;
	case OPTION_RATING:
		set_rating(o, arg, state);
		return 0;
	case OPTION_EMAIL:
		set_text(o->customer, "email", arg, state);
		return 0;
	case OPTION_CUSTOMER:
		set_text(o->customer, "id", arg, state);
		return 0;
	case OPTION_NAME:
		set_text(o->customer, "name", arg, state);
		return 0;
	case OPTION_LOCALE:
		set_text(o->customer, "locale", arg, state);
		return 0;
	case OPTION_CHANNEL:
		set_text(o->feedback, "channel", arg, state);
		return 0;
	case OPTION_KIND:
		set_text(o->feedback, "kind", arg, state);
		return 0;
	case OPTION_TAG:
		json_array_append_new(o->tags, json_string(arg));
		return 0;
	case OPTION_ID:
		set_text(o->feedback, "id", arg, state);
		return 0;
	case OPTION_REPLY:
		set_text(o->feedback, "in_reply_to", arg, state);
		return 0;
	case OPTION_HELPED:
		if (strcmp(arg, "yes") != 0 && strcmp(arg, "no") != 0)
			argp_error(state, "--helped is yes or no, not '%s'", arg);
		json_object_set_new(o->feedback, "helped", json_boolean(arg[0] == 'y'));
		return 0;
	case OPTION_KEY:
		o->key_file = arg;
		return 0;
	case ARGP_KEY_END:
		if (!o->has_text && !json_object_get(o->feedback, "rating") && !json_object_get(o->feedback, "helped"))
			argp_error(state, "there is nothing to send: give a text, --rating or --helped");
		return 0;
	default:
		return key == ARGP_KEY_INIT ? huiyin_no_options(key, arg, state) : ARGP_ERR_UNKNOWN;
	}
}

static int read_stdin(struct hy_buffer *out, struct hy_fault *f)
{
	char chunk[4096];
	hy_buffer_clear(out);
	for (size_t n; (n = fread(chunk, 1, sizeof(chunk), stdin)) > 0;) {
		hy_buffer_put(out, chunk, n);
		if (out->size > 1 << 20)
			return hy_fail(f, HY_TOO_LARGE, "a feedback of more than 1 MiB");
	}
	while (out->size && (out->data[out->size - 1] == '\n' || out->data[out->size - 1] == '\r'))
		out->size--;
	return out->err;
}

/* An id of our own when the caller has none: a connection that breaks before the answer may be tried again. */
static void set_own_id(json_t *feedback)
{
	struct hy_ids ids = { 0 };
	char id[HY_ID_TEXT], text[64];
	hy_id_text(hy_id_new(&ids, hy_now_ms()), id);
	snprintf(text, sizeof(text), "cli-%s", id);
	json_object_set_new(feedback, "id", json_string(text));
}

static int complete(struct send *o, struct hy_fault *f)
{
	int err = o->has_text && strcmp(hy_buffer_string(&o->text), "-") == 0 ? read_stdin(&o->text, f) : HY_OK;
	if (err)
		return err;
	if (o->has_text) {
		json_t *text = json_stringn((const char *)o->text.data, o->text.size);
		if (!text)
			return hy_fail(f, HY_BAD_INPUT, "the text is not UTF-8");
		json_object_set_new(o->feedback, "text", text);
	}
	if (json_object_size(o->customer))
		json_object_set(o->feedback, "customer", o->customer);
	if (json_array_size(o->tags))
		json_object_set(o->feedback, "tags", o->tags);
	if (!json_object_get(o->feedback, "channel"))
		json_object_set_new(o->feedback, "channel", json_string("cli"));
	if (json_object_get(o->feedback, "in_reply_to") && !json_object_get(o->feedback, "kind"))
		json_object_set_new(o->feedback, "kind", json_string("reply"));
	if (!json_object_get(o->feedback, "id"))
		set_own_id(o->feedback);
	return HY_OK;
}

static int deliver(struct send *o, struct post_answer *answer, struct hy_fault *f)
{
	struct post_door door;
	struct post *p = NULL;
	int err = post_door(o->common.dir, o->key_file, &door, f);
	if (err == HY_OK)
		err = post_open(&p, &door, f);
	explicit_bzero(&door, sizeof(door));
	if (err)
		return err;
	char *body = json_dumps(o->feedback, JSON_COMPACT);
	for (int i = 0; i < 10; i++) { /* busy passes; ten times with the pauses that the collector asks for */
		err = post_send(p, "POST", "/v1/feedback", hy_bytes_text(body), answer, f);
		if (err || (answer->status != 429 && answer->status != 503))
			break;
		int64_t wait = answer->retry_after_ms ? answer->retry_after_ms : 1000;
		usleep((useconds_t)(wait < 5000 ? wait : 5000) * 1000);
	}
	free(body);
	post_close(&p);
	return err;
}

static int report(const struct send *o, const struct post_answer *answer)
{
	struct hy_fault f = { 0 };
	if (answer->status != 202) {
		char why[900];
		post_problem(answer->status, hy_buffer_view(&answer->body), why, sizeof(why));
		hy_fail(&f,
			answer->status == 401 || answer->status == 403   ? HY_FORBIDDEN
			: answer->status == 429 || answer->status == 503 ? HY_BUSY
									 : HY_BAD_INPUT,
			"%s", why);
		return huiyin_fail(&o->common, &f);
	}
	json_t *j = json_loadb((const char *)answer->body.data, answer->body.size, 0, NULL);
	if (o->common.json)
		return huiyin_print_json(j ? j : json_object());
	const char *id = json_string_value(json_array_get(json_object_get(j, "ids"), 0));
	if (id)
		printf("%s\n", id);
	if (id && huiyin_number(j, "duplicates"))
		fprintf(stderr, "It was there already.\n");
	json_decref(j);
	return id ? EX_OK : EX_PROTOCOL;
}

int huiyin_send(int argc, char **argv)
{
	struct send o = { .feedback = json_object(), .customer = json_object(), .tags = json_array() };
	struct hy_fault f = { 0 };
	struct post_answer answer = { 0 };
	huiyin_options(argc, argv, rows, parse, "[TEXT...]",
		"Sends one feedback to the running collector and prints its ID.\v"
		"Examples:\n  huiyin send --email li@example.com '点开订单就闪退'\n  huiyin send --rating nps=3 --text "
		"'too slow' --customer 1042\n"
		"  huiyin send --reply TOKEN --helped no '还是没有收到'\n",
		&o.common);
	int err = complete(&o, &f);
	if (err == HY_OK)
		err = deliver(&o, &answer, &f);
	int code = err ? huiyin_fail(&o.common, &f) : report(&o, &answer);
	hy_buffer_free(&answer.body);
	hy_buffer_free(&o.text);
	json_decref(o.feedback);
	json_decref(o.customer);
	json_decref(o.tags);
	return code;
}
