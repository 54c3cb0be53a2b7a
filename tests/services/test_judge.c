// link: hy_classifier
#include "support/test.h"

#include <math.h>
#include <pthread.h>

#include "base/text.h"
#include "classifier/judge.h"
#include "classifier/lexicon.h"
#include "classifier/text.h"

struct fx {
	struct judge *judge;
	struct judge_scratch *scratch;
	struct hy_arena *arena;
};

static int setup(void **state)
{
	struct fx *fx = calloc(1, sizeof(*fx));
	struct hy_fault f = { 0 };
	if (judge_open(&fx->judge, NULL, &f) != HY_OK) {
		print_error("the shipped model does not open: %s\n", f.text);
		free(fx);
		return -1;
	}
	fx->scratch = judge_scratch_new();
	fx->arena = hy_arena_new(0);
	*state = fx;
	return 0;
}

static int teardown(void **state)
{
	struct fx *fx = *state;
	judge_close(&fx->judge);
	judge_scratch_free(&fx->scratch);
	hy_arena_free(&fx->arena);
	free(fx);
	return 0;
}

static Huiyin__Classification judged(struct fx *fx, struct hy_bytes text)
{
	Huiyin__Classification c;
	hy_arena_reset(fx->arena);
	judge_text(fx->judge, fx->scratch, &(struct judge_input){ .text = text, .project = 1, .at_ms = 42 }, &c,
		fx->arena);
	return c;
}

static Huiyin__Classification rated(struct fx *fx, const char *text, const char *scale, double score, bool lower_better)
{
	Huiyin__Rating r = HUIYIN__RATING__INIT, *list[] = { &r };
	Huiyin__Classification c;
	r.scale = (char *)(uintptr_t)scale;
	r.has_score_case = HUIYIN__RATING__HAS_SCORE_SCORE;
	r.score = score;
	r.lower_better = lower_better;
	hy_arena_reset(fx->arena);
	judge_text(fx->judge, fx->scratch,
		&(struct judge_input){ .text = hy_bytes_text(text), .ratings = list, .rating_count = 1 }, &c,
		fx->arena);
	return c;
}

/* What every verdict keeps, whatever the text was. */
static void check_sound(const Huiyin__Classification *c, size_t points)
{
	const Huiyin__Label *labels[] = { c->sentiment, c->type, c->topic, c->urgency };
	for (size_t i = 0; i < 4; i++) {
		assert_non_null(labels[i]);
		assert_true(strlen(labels[i]->name) > 0);
		assert_true(labels[i]->confidence >= 0 && labels[i]->confidence <= 1);
		for (size_t k = 0; k < labels[i]->n_evidence; k++) {
			assert_true(labels[i]->evidence[k]->begin < labels[i]->evidence[k]->end);
			assert_true(labels[i]->evidence[k]->end <= points);
		}
	}
	assert_true(c->polarity >= -1 && c->polarity <= 1);
	assert_true(
		strcmp(c->language, "zh") == 0 || strcmp(c->language, "en") == 0 || strcmp(c->language, "other") == 0);
	assert_true(protobuf_c_message_check(&c->base));
}

/* NULL: not asked here. */
struct sample {
	const char *text, *language, *sentiment, *type, *topic, *urgency;
};

static const struct sample samples[] = {
	{ "点开订单详情就闪退，重装了也没用", "zh", "negative", "bug_report", "app_tech", "normal" },
	{ "更新之后一直报错，登录不上", "zh", "negative", "bug_report", NULL, NULL },
	{ "这个app老是crash，更新后更严重", "zh", "negative", "bug_report", "app_tech", NULL },
	{ "希望能增加夜间模式，晚上看太刺眼", "zh", NULL, "feature_request", "performance_usability", "low" },
	{ "建议增加批量导出功能", "zh", NULL, "feature_request", NULL, "low" },
	{ "请问发票怎么开？", "zh", NULL, "question", "billing", "normal" },
	{ "退款一般多久能到账呢？", "zh", NULL, "question", NULL, NULL },
	{ "快递三天了还没到，打电话也没人接，太差了", "zh", "negative", "complaint", "delivery", NULL },
	{ "价格太贵了，比别家贵一倍", "zh", "negative", "complaint", "price", NULL },
	{ "客服态度特别好，谢谢小王", "zh", "positive", "praise", "service", "low" },
	{ "衣服质量很好，穿着舒服，好评！", "zh", "positive", "praise", "quality", "low" },
	{ "申请退款一个星期了还不处理，差评", "zh", "negative", "complaint", "order_refund", NULL },
	{ "自动续费没有提醒就扣了我一年的钱", "zh", "negative", NULL, "billing", NULL },
	{ "账号被盗了，钱被转走了两千块，马上处理！！", "zh", "negative", NULL, "account", "critical" },
	{ "充电的时候手机冒烟起火了，太危险了", "zh", "negative", NULL, "quality", "critical" },
	{ "再不退款我就找律师起诉你们", "zh", "negative", "complaint", "order_refund", "high" },
	{ "The app crashes every time I open the camera", "en", "negative", "bug_report", "app_tech", "normal" },
	{ "I can't log in to my account, the verification code never arrives", "en", "negative", "bug_report",
		"account", NULL },
	{ "Would be great if you could add dark mode", "en", NULL, "feature_request", "performance_usability", "low" },
	{ "Please add an option to export my data", "en", NULL, "feature_request", NULL, "low" },
	{ "How do I change my password?", "en", NULL, "question", "account", "normal" },
	{ "Could you tell me when my order will ship?", "en", NULL, "question", "delivery", NULL },
	{ "My package never arrived and nobody answers the phone. Terrible service!", "en", "negative", "complaint",
		"delivery", NULL },
	{ "Way too expensive, the price doubled for nothing", "en", "negative", "complaint", "price", NULL },
	{ "Love it, works perfectly, best app ever", "en", "positive", "praise", "app_tech", "low" },
	{ "Customer service was rude and unhelpful, very disappointed", "en", "negative", "complaint", "service",
		NULL },
	{ "I want my money back, the refund was refused twice. Awful.", "en", "negative", "complaint", "order_refund",
		NULL },
	{ "Our whole team is locked out, production is down, urgent!!!", "en", "negative", NULL, NULL, "critical" },
	{ "The battery caught fire while charging and my son was injured", "en", "negative", NULL, NULL, "critical" },
	{ "Someone made an unauthorized payment from my account, my card was stolen, please help immediately", "en",
		NULL, NULL, NULL, "critical" },
};

static void feedback_in_both_languages_is_understood(void **state)
{
	struct fx *fx = *state;
	int wrong = 0;
	for (size_t i = 0; i < sizeof(samples) / sizeof(*samples); i++) {
		const struct sample *s = &samples[i];
		Huiyin__Classification c = judged(fx, hy_bytes_text(s->text));
		const char *want[] = { s->language, s->sentiment, s->type, s->topic, s->urgency };
		const char *have[] = { c.language, c.sentiment->name, c.type->name, c.topic->name, c.urgency->name };
		check_sound(&c, hy_utf8_count(hy_bytes_text(s->text)));
		for (size_t k = 0; k < 5; k++)
			if (want[k] && strcmp(want[k], have[k]) != 0) {
				print_error("%s: %s, not %s\n", s->text, have[k], want[k]);
				wrong++;
			}
	}
	assert_int_equal(wrong, 0);
}

static void the_language_is_told(void **state)
{
	static const struct {
		const char *text, *language;
	} cases[] = {
		{ "物流太慢了", "zh" },
		{ "Too slow", "en" },
		{ "app打不开", "zh" },
		{ "crash", "en" },
		{ "OK", "en" },
		{ "這個產品非常好用", "zh" },
		{ "使用Windows 11的Chrome浏览器登录", "zh" },
		{ "これはとても良い製品です、ありがとう", "other" },
		{ "정말 좋아요 감사합니다", "other" },
		{ "Очень плохой сервис", "other" },
		{ "خدمة سيئة جدا", "other" },
		{ "Je ne suis pas content avec votre service, c'est très lent", "other" },
		{ "Der Versand hat sehr lange gedauert und ich bin nicht zufrieden", "other" },
		{ "El servicio es muy malo y los pedidos llegan tarde, gracias por nada", "other" },
		{ "12345", "other" },
		{ "👍👍👍", "other" },
		{ "", "other" },
		{ "The café on Müller street was great, thanks", "en" },
	};
	struct fx *fx = *state;
	int wrong = 0;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		Huiyin__Classification c = judged(fx, hy_bytes_text(cases[i].text));
		if (strcmp(c.language, cases[i].language) != 0) {
			print_error("%s: %s, not %s\n", cases[i].text, c.language, cases[i].language);
			wrong++;
		}
	}
	assert_int_equal(wrong, 0);
}

static void another_language_is_left_to_a_person(void **state)
{
	Huiyin__Classification c = judged(*state, HY_LIT("Je ne suis pas content avec votre service, c'est très lent"));
	assert_true(c.unsure);
	assert_true(c.type->confidence <= 0.41f);
}

static void traditional_full_width_and_capitals_are_read_alike(void **state)
{
	struct fx *fx = *state;
	char a[64], b[64];
	Huiyin__Classification c = judged(fx, HY_LIT("ＡＰＰ更新後一直閃退，無法登錄"));
	snprintf(a, sizeof(a), "%s %s %s", c.sentiment->name, c.type->name, c.topic->name);
	c = judged(fx, HY_LIT("app更新后一直闪退，无法登录"));
	snprintf(b, sizeof(b), "%s %s %s", c.sentiment->name, c.type->name, c.topic->name);
	assert_string_equal(a, b);
	assert_string_equal(c.type->name, "bug_report");
	c = judged(fx, HY_LIT("THE APP CRASHES ALL THE TIME"));
	assert_string_equal(c.type->name, "bug_report");
}

static void evidence_points_at_the_words(void **state)
{
	struct fx *fx = *state;
	Huiyin__Classification c = judged(fx, HY_LIT("我想说：快递  太慢了，差评"));
	bool found = false;
	for (size_t i = 0; i < c.topic->n_evidence; i++)
		found |= c.topic->evidence[i]->begin == 4 && c.topic->evidence[i]->end == 6;
	assert_true(found); /* 快递 */
	c = judged(fx, HY_LIT("Hi, the COURIER never came"));
	found = false;
	for (size_t i = 0; i < c.topic->n_evidence; i++)
		found |= c.topic->evidence[i]->begin == 8 && c.topic->evidence[i]->end == 15;
	assert_true(found);
}

static void urgency_tells_its_reasons(void **state)
{
	struct fx *fx = *state;
	Huiyin__Classification c = judged(fx, HY_LIT("充电器漏电，我被烫伤了，再不处理我就报警"));
	assert_string_equal(c.urgency->name, "critical");
	assert_true(c.n_urgency_reasons >= 2);
	assert_string_equal(c.urgency_reasons[0], "safety");
	assert_string_equal(c.urgency_reasons[1], "legal_threat");
	assert_true(c.urgency->n_evidence >= 1);
	c = judged(fx, HY_LIT("谢谢你们，东西很好，很喜欢"));
	assert_string_equal(c.urgency->name, "low");
	assert_int_equal(c.n_urgency_reasons, 0);
	c = judged(fx, HY_LIT("Thank you so much, you saved my day when I was in hospital, great service!"));
	assert_string_not_equal(c.urgency->name, "critical");
}

static void words_that_only_look_like_a_fault_are_none(void **state)
{
	struct fx *fx = *state;
	Huiyin__Classification c = judged(fx, HY_LIT("更新以后不再闪退了，很好用，点赞"));
	assert_string_equal(c.type->name, "praise");
	c = judged(fx, HY_LIT("No longer crashes, works great now, thank you so much!"));
	assert_string_equal(c.type->name, "praise");
}

static void a_rating_decides_when_there_are_no_words(void **state)
{
	struct fx *fx = *state;
	Huiyin__Classification c = rated(fx, "", "stars", 1, false);
	assert_string_equal(c.sentiment->name, "negative");
	assert_string_equal(c.type->name, "complaint");
	assert_false(c.unsure);
	assert_string_equal(rated(fx, "", "stars", 5, false).sentiment->name, "positive");
	assert_string_equal(rated(fx, "", "stars", 3, false).sentiment->name, "neutral");
	assert_string_equal(rated(fx, "", "nps", 10, false).sentiment->name, "positive");
	assert_string_equal(rated(fx, "", "nps", 7, false).sentiment->name, "neutral");
	assert_string_equal(rated(fx, "", "nps", 2, false).sentiment->name, "negative");
	assert_string_equal(rated(fx, "", "csat", 5, false).sentiment->name, "positive");
	assert_string_equal(rated(fx, "", "ces", 7, true).sentiment->name, "negative");
	assert_string_equal(rated(fx, "", "stars", NAN, false).sentiment->name, "neutral");
	assert_string_equal(rated(fx, "", "stars", 1e300, false).sentiment->name, "positive");
}

static void a_rating_nudges_weak_words_and_gives_way_to_strong_ones(void **state)
{
	struct fx *fx = *state;
	double down = rated(fx, "就这样吧", "stars", 1, false).polarity,
	       up = rated(fx, "就这样吧", "stars", 5, false).polarity;
	assert_true(down < up);
	assert_string_equal(rated(fx, "就这样吧", "stars", 1, false).sentiment->name, "negative");
	assert_string_equal(
		rated(fx, "太差了，垃圾，完全没法用，再也不买了", "stars", 5, false).sentiment->name, "negative");
}

static void nothing_at_all_is_left_to_a_person(void **state)
{
	static const char *const texts[] = { "", " ", "\n\t ", "　　", "\xE2\x80\x8B" };
	struct fx *fx = *state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		Huiyin__Classification c = judged(fx, hy_bytes_text(texts[i]));
		check_sound(&c, hy_utf8_count(hy_bytes_text(texts[i])));
		assert_true(c.unsure);
		assert_string_equal(c.sentiment->name, "neutral");
		assert_string_equal(c.type->name, "other");
	}
}

static void a_face_says_enough(void **state)
{
	struct fx *fx = *state;
	assert_string_equal(judged(fx, HY_LIT("👍👍👍")).sentiment->name, "positive");
	assert_string_equal(judged(fx, HY_LIT("😡😡")).sentiment->name, "negative");
}

static void repeat(struct fx *fx, const char *part, size_t points)
{
	size_t size = strlen(part), n = points / hy_utf8_count(hy_bytes_text(part));
	char *text = malloc(n * size + 1);
	for (size_t i = 0; i < n; i++)
		memcpy(text + i * size, part, size);
	Huiyin__Classification c = judged(fx, hy_bytes(text, n * size));
	check_sound(&c, points);
	free(text);
}

static void long_and_monotonous_texts_are_judged_too(void **state)
{
	static const char *const parts[] = { "a", "啊", "!", "😀", "差", "a ", "a!", "好 ", "。", "0", "э", "か", "闪退",
		"crash ", "\xF0\xA0\x80\x80" };
	struct fx *fx = *state;
	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
		repeat(fx, parts[i], 10000);
		repeat(fx, parts[i], 40000);
	}
}

static void bytes_that_are_no_text_do_no_harm(void **state)
{
	struct fx *fx = *state;
	uint8_t bytes[4096];
	uint32_t seed = 1;
	for (int round = 0; round < 200; round++) {
		size_t size = (size_t)round * 20;
		for (size_t i = 0; i < size; i++) {
			seed = seed * 1664525 + 1013904223;
			bytes[i] = (uint8_t)(round % 2 ? seed >> 24 : (seed >> 24) | 0x80);
		}
		Huiyin__Classification c = judged(fx, hy_bytes(bytes, size));
		check_sound(&c, size);
	}
	Huiyin__Classification c = judged(fx, HY_LIT("\xE5\xBF"));
	check_sound(&c, 2);
	c = judged(fx, HY_LIT("a\0b\0闪退"));
	check_sound(&c, 6);
}

static void the_verdict_is_the_same_each_time_and_fits_on_the_wire(void **state)
{
	struct fx *fx = *state;
	struct hy_buffer a = { 0 }, b = { 0 };
	Huiyin__Classification c = judged(fx, HY_LIT("快递太慢，客服不理人，我要退款"));
	assert_int_equal(hy_wire_pack(&c.base, &a), HY_OK);
	judged(fx, HY_LIT("something in between"));
	c = judged(fx, HY_LIT("快递太慢，客服不理人，我要退款"));
	assert_int_equal(hy_wire_pack(&c.base, &b), HY_OK);
	assert_true(hy_bytes_equal(hy_buffer_view(&a), hy_buffer_view(&b)));
	assert_true(a.size < 512);
	assert_int_equal(c.at_ms, 42);
	hy_buffer_free(&a);
	hy_buffer_free(&b);
}

static void a_full_arena_costs_evidence_but_never_a_label(void **state)
{
	struct fx *fx = *state;
	for (size_t limit = 64; limit <= 4096; limit += 64) {
		struct hy_arena *small = hy_arena_new(limit);
		Huiyin__Classification c;
		judge_text(fx->judge, fx->scratch,
			&(struct judge_input){ .text = HY_LIT("快递太慢，客服不理人，我要退款，马上！") }, &c, small);
		assert_string_equal(c.sentiment->name, "negative");
		assert_string_equal(c.type->name, "complaint");
		assert_true(strlen(c.topic->name) > 0 && strlen(c.urgency->name) > 0);
		assert_true(protobuf_c_message_get_packed_size(&c.base) > 0);
		hy_arena_free(&small);
	}
}

struct worker {
	const struct judge *judge;
	struct hy_buffer packed;
};

static void *work(void *arg)
{
	struct worker *w = arg;
	struct judge_scratch *s = judge_scratch_new();
	struct hy_arena *a = hy_arena_new(0);
	for (size_t i = 0; i < 20 * sizeof(samples) / sizeof(*samples); i++) {
		Huiyin__Classification c;
		struct hy_bytes text = hy_bytes_text(samples[i % (sizeof(samples) / sizeof(*samples))].text);
		judge_text(w->judge, s, &(struct judge_input){ .text = text }, &c, a);
		hy_wire_pack(&c.base, &w->packed);
		hy_arena_reset(a);
	}
	hy_arena_free(&a);
	judge_scratch_free(&s);
	return NULL;
}

static void many_threads_share_one_judge(void **state)
{
	struct fx *fx = *state;
	struct worker w[4] = { { 0 } };
	pthread_t thread[4];
	for (int i = 0; i < 4; i++) {
		w[i].judge = fx->judge;
		assert_int_equal(pthread_create(&thread[i], NULL, work, &w[i]), 0);
	}
	for (int i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
	for (int i = 0; i < 4; i++) {
		assert_true(w[i].packed.size > 0 &&
			    hy_bytes_equal(hy_buffer_view(&w[i].packed), hy_buffer_view(&w[0].packed)));
		if (i > 0)
			hy_buffer_free(&w[i].packed);
	}
	hy_buffer_free(&w[0].packed);
}

static void one_issue_has_one_theme(void **state)
{
	struct fx *fx = *state;
	struct hy_id a = judge_theme(fx->scratch, 1, "app_tech", HY_LIT("点开订单就闪退！！"));
	assert_true(hy_id_equal(a, judge_theme(fx->scratch, 1, "app_tech", HY_LIT("點開訂單就閃退。"))));
	assert_false(hy_id_equal(a, judge_theme(fx->scratch, 2, "app_tech", HY_LIT("点开订单就闪退"))));
	assert_false(hy_id_equal(a, judge_theme(fx->scratch, 1, "billing", HY_LIT("点开订单就闪退"))));
	assert_false(hy_id_equal(a, judge_theme(fx->scratch, 1, "app_tech", HY_LIT("点开首页就闪退"))));
	assert_int_equal(judged(fx, HY_LIT("点开订单就闪退")).theme.len, 16);
}

static void a_model_for_other_labels_is_refused_with_the_remedy(void **state)
{
	struct hy_fault f = { 0 };
	struct judge *j;
	(void)state;
	assert_int_equal(judge_open(&j, "/nonexistent.model", &f), HY_NOT_FOUND);
	assert_null(j);
	assert_non_null(strstr(f.text, "/nonexistent.model"));
	assert_int_equal(judge_open(&j, "/proc/self/exe", &f), HY_BAD_INPUT);
	assert_null(j);
}

static void every_phrase_is_written_as_texts_are_read(void **state)
{
	struct text *t = text_new();
	struct lexicon *l = lexicon_new();
	int wrong = 0;
	(void)state;
	for (size_t i = 0; i < phrase_count; i++)
		for (const char *p = phrases[i].words, *end; *p; p = *end ? end + 1 : end) {
			end = strchrnul(p, '|');
			size_t size = (size_t)(end - p) - (end[-1] == '*');
			struct found found;
			bool hit = phrases[i].sign == SIGN_NOTHING;
			text_read(t, hy_bytes(p, size));
			lexicon_find(l, t, &found);
			for (uint32_t k = 0; k < found.count; k++)
				hit |= found.at[k].sign == phrases[i].sign && found.at[k].begin == 0 &&
				       found.at[k].end == t->count;
			if (!hit) {
				print_error("phrases.c: \"%.*s\" is never found\n", (int)size, p);
				wrong++;
			}
		}
	lexicon_free(&l);
	text_free(&t);
	assert_int_equal(wrong, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(feedback_in_both_languages_is_understood),
		cmocka_unit_test(the_language_is_told),
		cmocka_unit_test(another_language_is_left_to_a_person),
		cmocka_unit_test(traditional_full_width_and_capitals_are_read_alike),
		cmocka_unit_test(evidence_points_at_the_words),
		cmocka_unit_test(urgency_tells_its_reasons),
		cmocka_unit_test(words_that_only_look_like_a_fault_are_none),
		cmocka_unit_test(a_rating_decides_when_there_are_no_words),
		cmocka_unit_test(a_rating_nudges_weak_words_and_gives_way_to_strong_ones),
		cmocka_unit_test(nothing_at_all_is_left_to_a_person),
		cmocka_unit_test(a_face_says_enough),
		cmocka_unit_test(long_and_monotonous_texts_are_judged_too),
		cmocka_unit_test(bytes_that_are_no_text_do_no_harm),
		cmocka_unit_test(the_verdict_is_the_same_each_time_and_fits_on_the_wire),
		cmocka_unit_test(a_full_arena_costs_evidence_but_never_a_label),
		cmocka_unit_test(many_threads_share_one_judge),
		cmocka_unit_test(one_issue_has_one_theme),
		cmocka_unit_test(a_model_for_other_labels_is_refused_with_the_remedy),
		cmocka_unit_test(every_phrase_is_written_as_texts_are_read),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
