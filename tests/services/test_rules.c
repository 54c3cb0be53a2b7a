// link: hy_router
#include "support/test.h"

#include "router/rules.h"

static const struct hy_conf_row more[] = { { "projects", HY_CONF_TREE, NULL, "Projects." }, { 0 } };
static const struct hy_conf_row *const rows[] = { router_rules_conf, more, NULL };

struct fx {
	char *dir;
	struct hy_conf *conf;
	struct rules *rules;
	struct hy_buffer report;
	Huiyin__Envelope e;
	Huiyin__Feedback feedback;
	Huiyin__Remark remark;
	Huiyin__Customer customer;
	Huiyin__Classification c;
	Huiyin__Label type, topic, sentiment;
	Huiyin__Rating rating, *ratings[1];
	Huiyin__Pair trait, *traits[1];
	char *tags[2];
};

/* A complaint about a parcel, of a person with a trait, two tags and a bad score. */
static int setup(void **state)
{
	struct fx *fx = calloc(1, sizeof(*fx));
	fx->dir = test_mkdir();
	huiyin__envelope__init(&fx->e);
	huiyin__feedback__init(&fx->feedback);
	huiyin__remark__init(&fx->remark);
	huiyin__customer__init(&fx->customer);
	huiyin__classification__init(&fx->c);
	huiyin__label__init(&fx->type);
	huiyin__label__init(&fx->topic);
	huiyin__label__init(&fx->sentiment);
	huiyin__rating__init(&fx->rating);
	huiyin__pair__init(&fx->trait);
	fx->e.project = 1;
	fx->e.feedback = &fx->feedback;
	fx->e.classification = &fx->c;
	fx->feedback.body_case = HUIYIN__FEEDBACK__BODY_REMARK;
	fx->feedback.remark = &fx->remark;
	fx->feedback.customer = &fx->customer;
	fx->type.name = "complaint";
	fx->type.confidence = 0.7f;
	fx->topic.name = "delivery";
	fx->topic.confidence = 0.55f;
	fx->sentiment.name = "negative";
	fx->c.type = &fx->type;
	fx->c.topic = &fx->topic;
	fx->c.sentiment = &fx->sentiment;
	fx->c.language = "zh";
	fx->c.polarity = -0.6;
	fx->rating.scale = "nps";
	fx->rating.has_score_case = HUIYIN__RATING__HAS_SCORE_SCORE;
	fx->rating.score = 6;
	fx->ratings[0] = &fx->rating;
	fx->remark.ratings = fx->ratings;
	fx->remark.n_ratings = 1;
	fx->remark.channel = "app";
	fx->remark.kind = HUIYIN__KIND__SURVEY;
	fx->tags[0] = "vip";
	fx->tags[1] = "beta";
	fx->remark.tags = fx->tags;
	fx->remark.n_tags = 2;
	fx->trait.name = "plan";
	fx->trait.value = "pro";
	fx->traits[0] = &fx->trait;
	fx->customer.traits = fx->traits;
	fx->customer.n_traits = 1;
	*state = fx;
	return 0;
}

static int teardown(void **state)
{
	struct fx *fx = *state;
	rules_free(&fx->rules);
	hy_conf_close(&fx->conf);
	hy_buffer_free(&fx->report);
	test_rmdir(fx->dir);
	free(fx);
	return 0;
}

/* Reads a file; its faults in words, "" when there are none. */
static const char *read_yaml(struct fx *fx, const char *yaml)
{
	char path[4096];
	snprintf(path, sizeof(path), "%s/huiyin.yaml", fx->dir);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fputs(yaml, f);
	fclose(f);
	rules_free(&fx->rules);
	hy_conf_close(&fx->conf);
	hy_buffer_clear(&fx->report);
	if (hy_conf_open(&fx->conf, path, rows, &fx->report) != HY_OK)
		return hy_buffer_string(&fx->report);
	rules_read(&fx->rules, fx->conf);
	hy_conf_verdict(fx->conf, &fx->report);
	return hy_buffer_string(&fx->report);
}

/* Whether one rule with these conditions catches the feedback. */
static bool caught(struct fx *fx, const char *when)
{
	char yaml[1000];
	struct ruling ruling;
	snprintf(yaml, sizeof(yaml),
		"projects: [{name: shop, number: 1}, {name: other, number: 2}]\n"
		"rules:\n  - {name: it, when: %s, department: logistics}\n",
		when);
	assert_string_equal(read_yaml(fx, yaml), "");
	rules_judge(fx->rules, &fx->e, &ruling);
	return ruling.act == RULING_TICKET;
}

static void faults_with(struct fx *fx, const char *yaml, const char *words)
{
	const char *report = read_yaml(fx, yaml);
	if (!strstr(report, words))
		fail_msg("expected \"%s\" in:\n%s", words, report);
}

static void every_condition_can_hold_and_can_fail(void **state)
{
	static const struct {
		const char *holds, *fails;
	} pairs[] = {
		{ "{type: complaint}", "{type: question}" },
		{ "{type: [question, complaint]}", "{type: [question, praise]}" },
		{ "{type: {not: praise}}", "{type: {not: [praise, complaint]}}" },
		{ "{type: {is: complaint, confidence: 0.6}}", "{type: {is: complaint, confidence: 0.8}}" },
		{ "{topic: {confidence: \"< 0.6\"}}", "{topic: {confidence: \"> 0.6\"}}" },
		{ "{sentiment: negative}", "{sentiment: positive}" },
		{ "{tone: {not: angry}}", "{tone: angry}" },
		{ "{language: zh}", "{language: [en, other]}" },
		{ "{polarity: \"<= -0.5\"}", "{polarity: \"0..1\"}" },
		{ "{sarcastic: false}", "{sarcastic: true}" },
		{ "{unsure: no}", "{unsure: yes}" },
		{ "{channel: [web, app]}", "{channel: web}" },
		{ "{kind: survey}", "{kind: review}" },
		{ "{tag: beta}", "{tag: gold}" },
		{ "{tag: {not: gold}}", "{tag: {not: [gold, vip]}}" },
		{ "{trait: {plan: [pro, enterprise]}}", "{trait: {plan: free}}" },
		{ "{trait: {plan: pro, region: {not: eu}}}", "{trait: {plan: pro, region: eu}}" },
		{ "{rating: {scale: nps, score: \"<= 6\"}}", "{rating: {scale: nps, score: \"< 6\"}}" },
		{ "{rating: {score: \"0..6\"}}", "{rating: {scale: csat, score: \"0..6\"}}" },
		{ "{rating: 6}", "{rating: 5}" },
		{ "{project: shop}", "{project: other}" },
		{ "{}", "{type: question, topic: delivery}" },
		{ "{type: complaint, topic: delivery, channel: app}",
			"{type: complaint, topic: delivery, channel: web}" },
	};
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		if (!caught(*state, pairs[i].holds))
			fail_msg("should hold: %s", pairs[i].holds);
		if (caught(*state, pairs[i].fails))
			fail_msg("should not hold: %s", pairs[i].fails);
	}
}

static void a_label_of_ones_own_can_be_asked_for(void **state)
{
	struct fx *fx = *state;
	fx->topic.name = "warranty_claims";
	assert_true(caught(fx, "{topic: warranty_claims}"));
}

static void a_rating_without_a_score_fits_no_comparison(void **state)
{
	struct fx *fx = *state;
	fx->rating.has_score_case = 0;
	assert_false(caught(fx, "{rating: \"<= 6\"}"));
}

static void the_first_rule_that_matches_decides(void **state)
{
	struct fx *fx = *state;
	struct ruling ruling;
	assert_string_equal(
		read_yaml(fx, "rules:\n"
			      "  - {name: a, when: {type: praise}, thank: true}\n"
			      "  - {name: b, when: {topic: delivery}, department: logistics, priority: high}\n"
			      "  - {name: c, department: support}\n"),
		"");
	rules_judge(fx->rules, &fx->e, &ruling);
	assert_string_equal(ruling.rule, "b");
	assert_string_equal(ruling.department, "logistics");
	assert_string_equal(ruling.priority, "high");
	fx->topic.name = "price";
	rules_judge(fx->rules, &fx->e, &ruling);
	assert_string_equal(ruling.rule, "c");
	fx->type.name = "praise";
	rules_judge(fx->rules, &fx->e, &ruling);
	assert_int_equal(ruling.act, RULING_THANK);
}

static void without_rules_nothing_is_decided_here(void **state)
{
	struct fx *fx = *state;
	struct ruling ruling;
	assert_string_equal(read_yaml(fx, "{}\n"), "");
	rules_judge(fx->rules, &fx->e, &ruling);
	assert_int_equal(ruling.act, RULING_NONE);
	assert_string_equal(ruling.rule, "");
}

static void without_departments_the_eight_exist(void **state)
{
	static const char *const names[] = { "engineering", "product", "logistics", "finance", "support", "quality",
		"marketing", "triage" };
	struct fx *fx = *state;
	assert_string_equal(read_yaml(fx, "{}\n"), "");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_non_null(rules_department(fx->rules, names[i]));
	assert_string_equal(rules_department(fx->rules, "finance")->zh, "财务");
	assert_int_equal(rules_department(fx->rules, "finance")->due_ms[URGENCY_HIGH], 4 * 3600000);
}

static void a_department_has_titles_and_due_times(void **state)
{
	struct fx *fx = *state;
	assert_string_equal(read_yaml(fx, "departments:\n"
					  "  - {name: desk, title: {zh: 前台}, due: {high: 30m}}\n"
					  "  - {name: lab, title: Lab, due: 2d}\n"
					  "  - {name: triage}\n"),
		"");
	const struct department *desk = rules_department(fx->rules, "desk"), *lab = rules_department(fx->rules, "lab");
	assert_string_equal(desk->zh, "前台");
	assert_string_equal(desk->en, "前台");
	assert_int_equal(desk->due_ms[URGENCY_HIGH], 30 * 60000);
	assert_string_equal(lab->en, "Lab");
	assert_int_equal(lab->due_ms[URGENCY_LOW], 2 * 86400000);
	assert_int_equal(lab->due_ms[URGENCY_CRITICAL], 2 * 86400000);
	assert_null(rules_department(fx->rules, "finance"));
}

static void a_rule_naming_a_missing_department_is_a_fault_with_a_suggestion(void **state)
{
	faults_with(*state, "rules:\n  - {name: a, department: logistcs}\n",
		"no department 'logistcs'; did you mean 'logistics'?");
	faults_with(*state, "rules:\n  - {name: a, department: logistcs}\n", "huiyin.yaml:2:");
	faults_with(*state, "rules:\n  - {name: a, department: cafeteria}\n", "no department 'cafeteria'");
}

static void faults_are_named_where_they_stand(void **state)
{
	faults_with(*state, "rules:\n  - {name: a, when: {topik: delivery}, thank: true}\n", "did you mean 'topic'?");
	faults_with(
		*state, "rules:\n  - {name: a, when: {type: bug_reprot}, thank: true}\n", "did you mean 'bug_report'?");
	faults_with(*state, "rules:\n  - {name: a, when: {kind: letter}, thank: true}\n", "no kind 'letter'");
	faults_with(*state, "rules:\n  - {name: a, when: {rating: bad}, thank: true}\n", "a comparison is expected");
	faults_with(
		*state, "rules:\n  - {name: a, when: {polarity: \"=> 3\"}, thank: true}\n", "a comparison is expected");
	faults_with(
		*state, "rules:\n  - {name: a, when: {rating: \"6..3\"}, thank: true}\n", "a comparison is expected");
	faults_with(*state, "rules:\n  - {name: a, when: {project: shop}, thank: true}\n", "no project 'shop'");
	faults_with(*state, "rules:\n  - {name: a, when: {tag: []}, thank: true}\n", "a word or a list of words");
	faults_with(*state, "rules:\n  - {name: a, when: [type], thank: true}\n", "conditions are a map");
	faults_with(*state, "rules:\n  - {name: a, when: {trait: gold}, thank: true}\n", "a map is expected");
	faults_with(*state, "rules:\n  - {name: a}\n", "this rule does nothing");
	faults_with(*state, "rules:\n  - {name: a, spam: true, thank: true}\n", "spam is neither thanked");
	faults_with(*state, "rules:\n  - {name: a, thank: true, priority: urgent}\n", "priority is one of");
	faults_with(*state, "rules:\n  - {name: a, thank: true}\n  - {name: a, spam: true}\n", "is called 'a' too");
	faults_with(*state, "rules: {name: a}\n", "rules are a list");
	faults_with(*state, "departments:\n  - {name: desk}\n", "no department 'triage'");
	faults_with(*state, "departments:\n  - {name: Front Desk}\n  - {name: triage}\n", "a department's name");
	faults_with(*state, "departments:\n  - {name: triage}\n  - {name: triage}\n", "two departments 'triage'");
	faults_with(*state, "departments:\n  - {name: triage, due: {hihg: 1h}}\n", "did you mean 'high'?");
	faults_with(*state, "departments: [triage]\n", "a department is a map");
}

static void the_rules_that_init_writes_are_sound_and_route_by_type_and_topic(void **state)
{
	static const struct {
		const char *type, *topic, *sentiment, *department;
		enum ruling_act act;
	} cases[] = {
		{ "complaint", "delivery", "negative", "logistics", RULING_TICKET },
		{ "complaint", "order_refund", "negative", "finance", RULING_TICKET },
		{ "bug_report", "app_tech", "negative", "engineering", RULING_TICKET },
		{ "feature_request", "app_tech", "neutral", "product", RULING_TICKET },
		{ "complaint", "quality", "negative", "quality", RULING_TICKET },
		{ "question", "account", "neutral", "support", RULING_TICKET },
		{ "praise", "delivery", "positive", "marketing", RULING_THANK },
		{ "other", "other", "neutral", "", RULING_NONE },
	};
	struct fx *fx = *state;
	char yaml[16384] = "";
	FILE *f = fopen(HY_SOURCE_DIR "/services/router/defaults.yaml", "r");
	assert_non_null(f);
	assert_true(fread(yaml, 1, sizeof(yaml) - 1, f) > 0);
	fclose(f);
	assert_string_equal(read_yaml(fx, yaml), "");
	fx->remark.kind = HUIYIN__KIND__FEEDBACK;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ruling ruling;
		fx->type.name = (char *)(uintptr_t)cases[i].type;
		fx->topic.name = (char *)(uintptr_t)cases[i].topic;
		fx->sentiment.name = (char *)(uintptr_t)cases[i].sentiment;
		rules_judge(fx->rules, &fx->e, &ruling);
		assert_int_equal(ruling.act, cases[i].act);
		assert_string_equal(ruling.department, cases[i].department);
	}
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(every_condition_can_hold_and_can_fail),
		TEST(a_label_of_ones_own_can_be_asked_for),
		TEST(a_rating_without_a_score_fits_no_comparison),
		TEST(the_first_rule_that_matches_decides),
		TEST(without_rules_nothing_is_decided_here),
		TEST(without_departments_the_eight_exist),
		TEST(a_department_has_titles_and_due_times),
		TEST(a_rule_naming_a_missing_department_is_a_fault_with_a_suggestion),
		TEST(faults_are_named_where_they_stand),
		TEST(the_rules_that_init_writes_are_sound_and_route_by_type_and_topic),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
