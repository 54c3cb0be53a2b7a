/* Reading departments and rules from huiyin.yaml. Conditions are compiled here: per rule a list of tests, each a
 * field, the words it may have, and bounds on numbers. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "router/rules_inside.h"

#define HOUR ((int64_t)3600000)
#define DAY (24 * HOUR)

const struct hy_conf_row router_rules_conf[] = {
	{ .path = "departments",
		.type = HY_CONF_TREE,
		.help = "Who acts: a list of {name, title: {zh, en}, due: {low, normal, high, critical}}; `triage` "
			"must be one." },
	{ .path = "rules",
		.type = HY_CONF_TREE,
		.help = "What goes where: a list of {name, when, department | thank | spam, priority}; the first that "
			"matches decides." },
	{ 0 },
};

/* What a condition can look at. `known` are the names that exist out of the box: own labels may join them, so a
 * name is refused only when it looks like one of these with a slip. */
struct looks {
	const char *name;
	enum field field;
	size_t offset;
	const char *known[12];
};

#define IN_CLASSIFICATION(member) offsetof(Huiyin__Classification, member)
static const struct looks looks[] = {
	{ "sentiment", FIELD_LABEL, IN_CLASSIFICATION(sentiment), { "positive", "neutral", "negative" } },
	{ "tone", FIELD_LABEL, IN_CLASSIFICATION(tone),
		{ "satisfied", "neutral", "frustrated", "angry", "worried", "confused", "sad" } },
	{ "type", FIELD_LABEL, IN_CLASSIFICATION(type),
		{ "bug_report", "feature_request", "question", "complaint", "praise", "other" } },
	{ "topic", FIELD_LABEL, IN_CLASSIFICATION(topic),
		{ "delivery", "quality", "price", "billing", "account", "service", "order_refund", "app_tech",
			"performance_usability", "other" } },
	{ "urgency", FIELD_LABEL, IN_CLASSIFICATION(urgency), { "low", "normal", "high", "critical" } },
	{ "spam", FIELD_LABEL, IN_CLASSIFICATION(spam), { "spam" } },
	{ "language", FIELD_TEXT, IN_CLASSIFICATION(language), { "zh", "en", "other" } },
	{ "model", FIELD_TEXT, IN_CLASSIFICATION(model), { NULL } },
	{ "polarity", FIELD_POLARITY, 0, { NULL } },
	{ "sarcastic", FIELD_SARCASTIC, 0, { NULL } },
	{ "unsure", FIELD_UNSURE, 0, { NULL } },
	{ "reason", FIELD_REASON, 0, { NULL } },
	{ "theme", FIELD_THEME, 0, { NULL } },
	{ "pii", FIELD_PII, 0, { "phone", "email", "id_card", "bank_card", "address" } },
	{ "project", FIELD_PROJECT, 0, { NULL } },
	{ "channel", FIELD_CHANNEL, 0, { NULL } },
	{ "kind", FIELD_KIND, 0, { "feedback", "survey", "idea", "vote", "mention", "review", "interview", "reply" } },
	{ "tag", FIELD_TAG, 0, { NULL } },
	{ "trait", FIELD_TRAIT, 0, { NULL } },
	{ "rating", FIELD_RATING, 0, { NULL } },
};
enum { LOOKS = sizeof(looks) / sizeof(looks[0]) };

static const struct department at_first[] = {
	{ "engineering", "研发", "Engineering", { 14 * DAY, 7 * DAY, 2 * DAY, 4 * HOUR } },
	{ "product", "产品", "Product", { 30 * DAY, 14 * DAY, 5 * DAY, DAY } },
	{ "logistics", "物流", "Logistics", { 5 * DAY, 2 * DAY, DAY, 4 * HOUR } },
	{ "finance", "财务", "Finance", { 3 * DAY, DAY, 4 * HOUR, 2 * HOUR } },
	{ "support", "客服", "Support", { 3 * DAY, DAY, 8 * HOUR, 2 * HOUR } },
	{ "quality", "品控", "Quality", { 7 * DAY, 3 * DAY, DAY, 4 * HOUR } },
	{ "marketing", "市场", "Marketing", { 14 * DAY, 7 * DAY, 3 * DAY, DAY } },
	{ TRIAGE, "分拣", "Triage", { 2 * DAY, DAY, 4 * HOUR, HOUR } },
};

/* ---- words and numbers ---- */

static void *room(struct rules *r, size_t count, size_t size)
{
	void *got = hy_arena_get(r->memory, count * size + 1);
	if (!got)
		hy_panic("the rules don't fit into memory");
	memset(got, 0, count * size + 1);
	return got;
}

static const char *keep(struct rules *r, const char *text)
{
	const char *got = hy_arena_text(r->memory, hy_bytes_text(text));
	if (!got)
		hy_panic("the rules don't fit into memory");
	return got;
}

static bool is_name(const char *text)
{
	size_t size = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_-");
	return size > 0 && size <= 32 && text[size] == '\0';
}

/* "<= 6", "> 0.5", "3..5", or a plain number: then `plain` says what it means. */
static bool bounds_parse(const char *text, char plain, struct bounds *out)
{
	char op[3] = "";
	const char *at = text + strspn(text, " ");
	size_t signs = strspn(at, "<>=");
	if (signs > 2)
		return false;
	memcpy(op, at, signs);
	at += signs;
	/* strtod() would take the first dot of a range as its own. */
	const char *dots = signs == 0 ? strstr(at, "..") : NULL;
	char first[40] = "", *end;
	snprintf(first, sizeof(first), "%.*s", (int)(dots ? dots - at : (ptrdiff_t)strlen(at)), at);
	double a = strtod(first, &end), b = a;
	if (end == first || !isfinite(a) || end[strspn(end, " ")] != '\0')
		return false;
	if (dots) {
		b = strtod(dots + 2, &end);
		if (end == dots + 2 || !isfinite(b) || b < a || end[strspn(end, " ")] != '\0')
			return false;
		op[0] = '.';
	} else if (signs == 0) {
		op[0] = plain;
		op[1] = plain == '>' ? '=' : '\0';
	}
	*out = (struct bounds){ .on = true, .low = a, .high = b };
	if (op[0] == '<') {
		out->low = -INFINITY;
		out->high_open = op[1] != '=';
	} else if (op[0] == '>') {
		out->high = INFINITY;
		out->low_open = op[1] != '=';
	} else if (op[0] == '=' && op[1] != '\0' && op[1] != '=') {
		return false;
	}
	return (op[0] != '<' && op[0] != '>') || op[1] == '\0' || op[1] == '=';
}

static void read_bounds(const struct hy_conf_node *n, char plain, struct bounds *out)
{
	if (hy_conf_shape(n) != HY_CONF_SCALAR || !bounds_parse(hy_conf_scalar(n), plain, out))
		hy_conf_fault(n, "a comparison is expected, such as \"<= 6\", \"> 0.5\", \"3..5\" or a plain number");
}

static bool among(const char *word, const char *const *names)
{
	for (; *names; names++)
		if (strcmp(word, *names) == 0)
			return true;
	return false;
}

/* Label sets can be a company's own, so only a slip of a known name is refused; kinds are ours. */
static void check_word(const struct hy_conf_node *n, const struct looks *look, const char *word)
{
	if (!look->known[0] || among(word, look->known))
		return;
	const char *meant = hy_did_you_mean(word, look->known);
	if (meant)
		hy_conf_fault(n, "no %s '%s'; did you mean '%s'?", look->name, word, meant);
	else if (look->field == FIELD_KIND)
		hy_conf_fault(n, "no kind '%s'", word);
}

static const char *project_number(struct rules *r, const struct hy_conf *conf, const struct hy_conf_node *n)
{
	const struct hy_conf_node *projects = hy_conf_tree(conf, "projects");
	const char *names[DEPARTMENTS_MAX + 1] = { projects ? NULL : "default" };
	if (!projects && strcmp(hy_conf_scalar(n), "default") == 0)
		return "1";
	for (size_t i = 0; projects && i < hy_conf_count(projects) && i < DEPARTMENTS_MAX; i++) {
		const struct hy_conf_node *name = hy_conf_get(hy_conf_item(projects, i), "name");
		const struct hy_conf_node *number = hy_conf_get(hy_conf_item(projects, i), "number");
		names[i] = name ? hy_conf_scalar(name) : "";
		if (number && strcmp(names[i], hy_conf_scalar(n)) == 0)
			return keep(r, hy_conf_scalar(number));
	}
	const char *meant = hy_did_you_mean(hy_conf_scalar(n), names);
	hy_conf_fault(n, "no project '%s'%s%s%s", hy_conf_scalar(n), meant ? "; did you mean '" : "",
		meant ? meant : "", meant ? "'?" : "");
	return "";
}

static void read_words(struct rules *r, const struct hy_conf *conf, const struct hy_conf_node *n,
	const struct looks *look, struct words *out)
{
	bool list = hy_conf_shape(n) == HY_CONF_SEQUENCE;
	size_t count = list ? hy_conf_count(n) : 1;
	if (hy_conf_shape(n) == HY_CONF_MAPPING || count == 0) {
		hy_conf_fault(n, "a word or a list of words is expected");
		return;
	}
	out->at = room(r, count, sizeof(*out->at));
	for (size_t i = 0; i < count; i++) {
		const struct hy_conf_node *one = list ? hy_conf_item(n, i) : n;
		if (hy_conf_shape(one) != HY_CONF_SCALAR || hy_conf_scalar(one)[0] == '\0') {
			hy_conf_fault(one, "a word is expected");
			continue;
		}
		check_word(one, look, hy_conf_scalar(one));
		out->at[out->count++] =
			look->field == FIELD_PROJECT ? project_number(r, conf, one) : keep(r, hy_conf_scalar(one));
	}
}

static void read_rating(struct rules *r, const struct hy_conf *conf, const struct hy_conf_node *n, struct test *t)
{
	static const char *const known[] = { "scale", "score", NULL };
	static const struct looks scales = { "scale", FIELD_RATING, 0, { "nps", "csat", "ces", "stars" } };
	if (hy_conf_shape(n) != HY_CONF_MAPPING) {
		read_bounds(n, '=', &t->number);
		return;
	}
	hy_conf_known(n, known);
	const struct hy_conf_node *scale = hy_conf_get(n, "scale"), *score = hy_conf_get(n, "score");
	if (scale)
		read_words(r, conf, scale, &scales, &t->is);
	if (score)
		read_bounds(score, '=', &t->number);
}

/* One condition; traits give one test for each name. */
static void read_condition(struct rules *r, const struct hy_conf *conf, const struct looks *look,
	const struct hy_conf_node *n, struct test *t)
{
	static const char *const known_label[] = { "is", "not", "confidence", NULL };
	static const char *const known_words[] = { "is", "not", NULL };
	*t = (struct test){ .field = look->field, .offset = look->offset };
	switch (look->field) {
	case FIELD_POLARITY:
		read_bounds(n, '=', &t->number);
		return;
	case FIELD_SARCASTIC:
	case FIELD_UNSURE:
		hy_conf_read_bool(n, &t->truth);
		return;
	case FIELD_RATING:
		read_rating(r, conf, n, t);
		return;
	default:
		break;
	}
	if (hy_conf_shape(n) != HY_CONF_MAPPING) {
		read_words(r, conf, n, look, &t->is);
		return;
	}
	hy_conf_known(n, look->field == FIELD_LABEL ? known_label : known_words);
	const struct hy_conf_node *is = hy_conf_get(n, "is"), *isnt = hy_conf_get(n, "not");
	const struct hy_conf_node *confidence = hy_conf_get(n, "confidence");
	if (is)
		read_words(r, conf, is, look, &t->is);
	if (isnt)
		read_words(r, conf, isnt, look, &t->isnt);
	if (confidence && look->field == FIELD_LABEL)
		read_bounds(confidence, '>', &t->confidence);
}

static void read_traits(struct rules *r, const struct hy_conf *conf, const struct looks *look,
	const struct hy_conf_node *n, struct rule *rule)
{
	static const struct looks value = { "trait", FIELD_TAG, 0, { NULL } };
	if (hy_conf_shape(n) != HY_CONF_MAPPING) {
		hy_conf_fault(n, "a map is expected, such as { plan: [pro, enterprise] }");
		return;
	}
	for (size_t i = 0; i < hy_conf_count(n); i++) {
		struct test *t = &rule->tests[rule->count++];
		read_condition(r, conf, &value, hy_conf_item(n, i), t);
		t->field = look->field;
		t->name = keep(r, hy_conf_key(n, i));
	}
}

static void read_when(struct rules *r, const struct hy_conf *conf, const struct hy_conf_node *n, struct rule *rule)
{
	const char *known[LOOKS + 1] = { NULL };
	for (size_t i = 0; i < LOOKS; i++)
		known[i] = looks[i].name;
	if (hy_conf_shape(n) != HY_CONF_MAPPING) {
		hy_conf_fault(n, "conditions are a map, such as { topic: delivery }");
		return;
	}
	hy_conf_known(n, known);
	const struct hy_conf_node *traits = hy_conf_get(n, "trait");
	size_t most = hy_conf_count(n) + (traits ? hy_conf_count(traits) : 0);
	rule->tests = room(r, most, sizeof(*rule->tests));
	for (size_t i = 0; i < LOOKS; i++) {
		const struct hy_conf_node *condition = hy_conf_get(n, looks[i].name);
		if (condition && looks[i].field == FIELD_TRAIT)
			read_traits(r, conf, &looks[i], condition, rule);
		else if (condition)
			read_condition(r, conf, &looks[i], condition, &rule->tests[rule->count++]);
	}
}

static const char *read_department_of(struct rules *r, const struct hy_conf_node *n)
{
	const char *name = hy_conf_scalar(n), *meant;
	const struct department *d = rules_department(r, name);
	if (d)
		return d->name;
	meant = hy_did_you_mean(name, r->names);
	if (meant)
		hy_conf_fault(n, "no department '%s'; did you mean '%s'?", name, meant);
	else
		hy_conf_fault(n, "no department '%s'; departments: lists those that exist", name);
	return TRIAGE;
}

static void read_rule(struct rules *r, const struct hy_conf *conf, const struct hy_conf_node *n, size_t number)
{
	static const char *const known[] = { "name", "when", "department", "thank", "spam", "priority", NULL };
	struct rule *rule = &r->rules[r->rule_count++];
	char otherwise[32];
	snprintf(otherwise, sizeof(otherwise), "rule %zu", number);
	rule->ruling = (struct ruling){ RULING_NONE, keep(r, otherwise), "", "" };
	if (hy_conf_shape(n) != HY_CONF_MAPPING) {
		hy_conf_fault(n, "a rule is a map with name, when, and department, thank or spam");
		return;
	}
	hy_conf_known(n, known);
	const struct hy_conf_node *name = hy_conf_get(n, "name"), *when = hy_conf_get(n, "when"),
				  *department = hy_conf_get(n, "department"), *thank = hy_conf_get(n, "thank"),
				  *spam = hy_conf_get(n, "spam"), *priority = hy_conf_get(n, "priority");
	bool thanks = false, is_spam = false;
	if (name)
		rule->ruling.rule = keep(r, hy_conf_scalar(name));
	for (size_t i = 0; name && i + 1 < r->rule_count; i++)
		if (strcmp(r->rules[i].ruling.rule, rule->ruling.rule) == 0)
			hy_conf_fault(name, "an earlier rule is called '%s' too", rule->ruling.rule);
	if (when)
		read_when(r, conf, when, rule);
	if (department)
		rule->ruling.department = read_department_of(r, department);
	if (thank)
		hy_conf_read_bool(thank, &thanks);
	if (spam)
		hy_conf_read_bool(spam, &is_spam);
	if (priority && !among(hy_conf_scalar(priority), urgency_names))
		hy_conf_fault(priority, "priority is one of low, normal, high, critical");
	else if (priority)
		rule->ruling.priority = urgency_names[urgency_rank(hy_conf_scalar(priority))];
	if (is_spam && (thanks || department))
		hy_conf_fault(spam, "spam is neither thanked nor sent to a department");
	rule->ruling.act = is_spam ? RULING_SPAM : thanks ? RULING_THANK : department ? RULING_TICKET : RULING_NONE;
	if (rule->ruling.act == RULING_NONE)
		hy_conf_fault(n, "this rule does nothing: it needs department, thank: true or spam: true");
}

static void read_department(struct rules *r, const struct hy_conf_node *n)
{
	static const char *const known[] = { "name", "title", "due", NULL }, *const languages[] = { "zh", "en", NULL };
	if (r->department_count == DEPARTMENTS_MAX) {
		hy_conf_fault(n, "more than %d departments", DEPARTMENTS_MAX);
		return;
	}
	if (hy_conf_shape(n) != HY_CONF_MAPPING || !hy_conf_get(n, "name")) {
		hy_conf_fault(n, "a department is a map with name, title and due");
		return;
	}
	hy_conf_known(n, known);
	const struct hy_conf_node *name = hy_conf_get(n, "name"), *title = hy_conf_get(n, "title"),
				  *due = hy_conf_get(n, "due");
	if (!is_name(hy_conf_scalar(name)))
		hy_conf_fault(name, "a department's name has 1 to 32 of a-z, 0-9, _ and -");
	if (rules_department(r, hy_conf_scalar(name)))
		hy_conf_fault(name, "there are two departments '%s'", hy_conf_scalar(name));
	struct department *d = &r->departments[r->department_count];
	*d = at_first[sizeof(at_first) / sizeof(at_first[0]) - 1]; /* triage's due times, unless said */
	d->name = d->zh = d->en = keep(r, hy_conf_scalar(name));
	if (title && hy_conf_shape(title) == HY_CONF_MAPPING) {
		hy_conf_known(title, languages);
		const struct hy_conf_node *zh = hy_conf_get(title, "zh"), *en = hy_conf_get(title, "en");
		d->zh = zh ? keep(r, hy_conf_scalar(zh)) : en ? keep(r, hy_conf_scalar(en)) : d->name;
		d->en = en ? keep(r, hy_conf_scalar(en)) : d->zh;
	} else if (title) {
		d->zh = d->en = keep(r, hy_conf_scalar(title));
	}
	if (due && hy_conf_shape(due) == HY_CONF_MAPPING)
		hy_conf_known(due, urgency_names);
	for (int i = 0; due && i < URGENCY_COUNT; i++) {
		const struct hy_conf_node *one = hy_conf_shape(due) == HY_CONF_MAPPING
							 ? hy_conf_get(due, urgency_names[i])
						 : i ? NULL
						     : due;
		if (one)
			hy_conf_read_duration(one, &d->due_ms[i]);
		else if (hy_conf_shape(due) != HY_CONF_MAPPING)
			d->due_ms[i] = d->due_ms[0]; /* one duration for all */
	}
	r->names[r->department_count++] = d->name;
}

static void read_departments(struct rules *r, const struct hy_conf_node *n)
{
	if (!n) {
		for (size_t i = 0; i < sizeof(at_first) / sizeof(at_first[0]); i++) {
			r->departments[i] = at_first[i];
			r->names[r->department_count++] = at_first[i].name;
		}
		return;
	}
	if (hy_conf_shape(n) != HY_CONF_SEQUENCE) {
		hy_conf_fault(n, "departments are a list");
		return;
	}
	for (size_t i = 0; i < hy_conf_count(n); i++)
		read_department(r, hy_conf_item(n, i));
	if (!rules_department(r, TRIAGE))
		hy_conf_fault(n, "no department '" TRIAGE "': what no rule sends elsewhere goes there");
}

void rules_read(struct rules **out, const struct hy_conf *conf)
{
	struct rules *r = calloc(1, sizeof(*r));
	if (!r)
		hy_panic("no memory for the rules");
	r->memory = hy_arena_new(0);
	read_departments(r, hy_conf_tree(conf, "departments"));
	const struct hy_conf_node *n = hy_conf_tree(conf, "rules");
	if (n && hy_conf_shape(n) != HY_CONF_SEQUENCE) {
		hy_conf_fault(n, "rules are a list");
	} else if (n) {
		r->rules = room(r, hy_conf_count(n), sizeof(*r->rules));
		for (size_t i = 0; i < hy_conf_count(n); i++)
			read_rule(r, conf, hy_conf_item(n, i), i + 1);
	}
	*out = r;
}
