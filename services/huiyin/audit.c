/* huiyin audit: every feedback accounted for (account.h has the reasoning). */
#include "account.h"
#include "huiyin.h"
#include "show.h"

#include <unistd.h>

#define LOOKS 10
#define PAUSE_US 200000
#define PAGES_MAX 100000

struct audit {
	struct common common;
	char upto[HY_ID_TEXT];
	struct account account;
	struct close_step *steps;
	size_t step_count, step_room;
	int64_t median_ms;
};

/* ---- the questions, in ring order ---- */

static int ask_collector(struct audit *o, struct hy_fault *f)
{
	json_t *j = huiyin_ask(&o->common, "collector", "audit", NULL, f);
	if (!j)
		return f->err;
	o->account = (struct account){ .accepted = huiyin_number(j, "accepted"),
		.collector_head = huiyin_number(j, "head") };
	const char *upto = huiyin_text(j, "upto");
	snprintf(o->upto, sizeof(o->upto), "%s",
		*upto ? upto : "00000000-0000-0000-0000-000000000000"); /* nothing yet: nothing counts */
	json_decref(j);
	return HY_OK;
}

static int ask_standing(struct audit *o, const char *daemon, const char *input, const char *upto, struct station *out,
	struct hy_fault *f)
{
	const char *const arguments[] = { "upto", upto, NULL };
	json_t *j = huiyin_ask(&o->common, daemon, "standing", *upto ? arguments : NULL, f);
	if (!j)
		return f->err;
	*out = (struct station){ .seen = huiyin_number(j, "seen"),
		.emitted = huiyin_number(j, "emitted"),
		.dead = huiyin_number(j, "dead"),
		.head = huiyin_number(j, "head"),
		.mark = huiyin_number(json_object_get(j, "marks"), input) };
	json_decref(j);
	return HY_OK;
}

/* Twice: bounded for what is dead of ours, and whole, because its counters know no bound. */
static int ask_classifier(struct audit *o, struct hy_fault *f)
{
	struct station whole;
	int err = ask_standing(o, "classifier", "feedback", o->upto, &o->account.classifier, f);
	int64_t dead = o->account.classifier.dead;
	if (err == HY_OK)
		err = ask_standing(o, "classifier", "feedback", "", &whole, f);
	if (err)
		return err;
	whole.dead_all = whole.dead;
	whole.dead = dead;
	o->account.classifier = whole;
	return HY_OK;
}

static void add_steps(struct audit *o, const json_t *list)
{
	json_t *step;
	size_t i;
	json_array_foreach(list, i, step)
	{
		if (o->step_count == o->step_room) {
			o->step_room = o->step_room ? 2 * o->step_room : 256;
			o->steps = realloc(o->steps, o->step_room * sizeof(*o->steps));
			if (!o->steps)
				hy_panic("no memory for the audit");
		}
		o->steps[o->step_count++] = (struct close_step){ json_integer_value(json_array_get(step, 0)),
			json_integer_value(json_array_get(step, 1)) };
	}
}

static void add_page(struct audit *o, const json_t *page)
{
	struct account *a = &o->account;
	const json_t *excused = json_object_get(page, "excused");
	a->open += huiyin_number(page, "open");
	a->held += huiyin_number(page, "held");
	a->answered += huiyin_number(page, "answered");
	a->replies += huiyin_number(page, "replies");
	a->duplicated += huiyin_number(page, "duplicated");
	for (size_t i = 0; i < EXCUSED; i++)
		a->excused[i] += huiyin_number(excused, excused_names[i]);
	add_steps(o, json_object_get(page, "close_ms"));
}

static int ask_router(struct audit *o, struct hy_fault *f)
{
	struct station after;
	char cursor[HY_ID_TEXT] = "";
	int64_t pages = 0;
	int err = ask_standing(o, "router", "classification", o->upto, &o->account.router, f);
	o->step_count = 0;
	while (err == HY_OK) {
		const char *const arguments[] = { "upto", o->upto, "after", cursor, NULL };
		json_t *page = huiyin_ask_within(&o->common, "router", "audit", arguments, 60000, f);
		if (!page)
			return f->err;
		add_page(o, page);
		if (pages == 0) /* it also counts letters that nobody can read any more */
			o->account.router.dead = huiyin_number(page, "dead");
		snprintf(cursor, sizeof(cursor), "%s", huiyin_text(page, "next"));
		json_decref(page);
		if (!*cursor)
			break;
		if (++pages > PAGES_MAX)
			return hy_fail(f, HY_BAD_STATE, "the router's audit does not come to an end");
	}
	if (err == HY_OK)
		err = ask_standing(o, "router", "classification", o->upto, &after, f);
	o->account.router_seen_after = after.seen;
	return err;
}

static int ask_notifier(struct audit *o, struct hy_fault *f)
{
	json_t *j = huiyin_ask(&o->common, "notifier", "audit", NULL, f);
	if (!j)
		return f->err;
	o->account.duplicated += huiyin_number(j, "duplicated");
	json_decref(j);
	return HY_OK;
}

static int look(struct audit *o, struct hy_fault *f)
{
	struct account *a = &o->account;
	*a = (struct account){ .accepted = a->accepted, .collector_head = a->collector_head };
	int err = ask_classifier(o, f);
	if (err == HY_OK)
		err = ask_router(o, f);
	if (err == HY_OK)
		err = ask_notifier(o, f);
	if (err)
		return err;
	account_close(a);
	o->median_ms = account_median(o->steps, o->step_count);
	return HY_OK;
}

/* Records that move while they are counted may seem to be missing: with the same bound, the next look finds them further on. */
static int audit(struct audit *o, struct hy_fault *f)
{
	int err = ask_collector(o, f);
	for (int i = 0; err == HY_OK && i < LOOKS; i++) {
		if (i)
			usleep(PAUSE_US);
		err = look(o, f);
		if (o->account.unaccounted == 0)
			break;
	}
	return err;
}

/* ---- the answer ---- */

static json_t *audit_json(const struct audit *o)
{
	const struct account *a = &o->account;
	json_t *excused = json_object();
	for (size_t i = 0; i < EXCUSED; i++)
		json_object_set_new(excused, excused_names[i], json_integer(a->excused[i]));
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:I, s:I, s:I, s:f, s:I}", "accepted",
		(json_int_t)a->accepted, "in_flight", (json_int_t)a->in_flight, "open", (json_int_t)a->open, "dead",
		(json_int_t)a->dead, "held", (json_int_t)a->held, "answered", (json_int_t)a->answered, "excused",
		excused, "replies", (json_int_t)a->replies, "unaccounted", (json_int_t)a->unaccounted, "duplicated",
		(json_int_t)a->duplicated, "closure_coverage", a->coverage, "median_close_ms",
		(json_int_t)o->median_ms);
}

static void row(struct show_table *t, const struct account *a, enum show_color color, const char *name, int64_t n,
	const char *meaning)
{
	struct hy_buffer count = { 0 }, bar = { 0 };
	show_count(&count, n);
	if (a->accepted > 0)
		show_bar(&bar, (double)n / (double)a->accepted, 20);
	show_cell(t, SHOW_BOLD, "%s", name);
	show_cell(t, n ? color : SHOW_DIM, "%s", hy_buffer_string(&count));
	show_cell(t, color, "%s", hy_buffer_string(&bar));
	show_cell(t, SHOW_DIM, "%s", meaning);
	hy_buffer_free(&count);
	hy_buffer_free(&bar);
}

static void print(const struct audit *o)
{
	static const char *const why[EXCUSED] = { "nobody left an address", "asked not to be told",
		"their side refused it", "their address does not exist", "tried until it was given up",
		"told too often already", "not a customer's word", "erased at their request", "praise without a name" };
	const struct account *a = &o->account;
	struct show_table t;
	char close[24];
	show_table_open(&t, "|>FEEDBACK| | ");
	row(&t, a, SHOW_PLAIN, "accepted", a->accepted, "every feedback that was answered with 202");
	row(&t, a, SHOW_CYAN, "in flight", a->in_flight, "on its way to a decision");
	row(&t, a, SHOW_YELLOW, "open", a->open, "in a ticket, or about to be told");
	row(&t, a, SHOW_GREEN, "answered", a->answered, "told the outcome, or thanked");
	row(&t, a, SHOW_YELLOW, "held", a->held, "waits for a decision of staff");
	row(&t, a, SHOW_RED, "dead", a->dead, "refused by a handler: huiyin dead list");
	row(&t, a, SHOW_PLAIN, "replies", a->replies, "answers, closed with their ticket");
	for (size_t i = 0; i < EXCUSED; i++)
		if (a->excused[i])
			row(&t, a, SHOW_MAGENTA, excused_names[i], a->excused[i], why[i]);
	row(&t, a, SHOW_RED, "unaccounted", a->unaccounted,
		a->unaccounted ? "this must not be: please keep the stores and report it" : "");
	row(&t, a, SHOW_RED, "duplicated", a->duplicated, a->duplicated ? "notices or feedbacks that came twice" : "");
	show_table_print(&t, stdout);
	hy_duration_text(o->median_ms, close);
	printf("\n%s%.1f %%%s of what was due an answer has it", show_color(stdout, SHOW_BOLD), 100 * a->coverage,
		show_plain(stdout));
	printf(a->answered ? "; half of the answers came within %s.\n" : ".\n", close);
}

int huiyin_audit(int argc, char **argv)
{
	struct audit o = { .steps = NULL };
	struct hy_fault f = { 0 };
	huiyin_options(argc, argv, NULL, huiyin_no_options, NULL,
		"Asks the four daemons one after the other and accounts for every feedback that was accepted: accepted "
		"= in_flight + open + dead + held + answered + excused + "
		"replies. Exit code 1 when something is unaccounted for or duplicated.\v"
		"Examples:\n  huiyin audit\n  huiyin audit --json | jq .closure_coverage\n",
		&o.common);
	int code, err = audit(&o, &f);
	bool good = o.account.unaccounted == 0 && o.account.duplicated == 0;
	if (err) {
		code = huiyin_fail(&o.common, &f);
	} else if (o.common.json) {
		code = huiyin_print_json(audit_json(&o));
		code = code ? code : !good;
	} else {
		print(&o);
		code = !good;
	}
	free(o.steps);
	return code;
}
