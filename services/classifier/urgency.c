#include "urgency.h"

#include <math.h>

/* What each sign is worth, and the word that tells why. Danger alone, said in anger, is critical; the others need company. */
static const struct {
	enum sign sign;
	float points;
	const char *reason;
} signs[] = {
	{ SIGN_SAFETY, 5, "safety" },
	{ SIGN_OUTAGE, 4, "outage" },
	{ SIGN_FRAUD, 3.5f, "fraud" },
	{ SIGN_LEGAL, 3, "legal_threat" },
	{ SIGN_MONEY_LOSS, 2.5f, "money_loss" },
	{ SIGN_DATA_LOSS, 2.5f, "data_loss" },
	{ SIGN_LOCKED_OUT, 2, "locked_out" },
	{ SIGN_MEDIA, 2, "public_threat" },
	{ SIGN_DEADLINE, 1.5f, "deadline" },
	{ SIGN_REPEATED, 1.2f, "repeated_contact" },
	{ SIGN_LEAVING, 1, "may_leave" },
	{ SIGN_ABUSE, 0.7f, "abusive_words" },
};
static const float critical_from = 5.5f, high_from = 3;

static bool is_one_of(const char *word, const char *const *words)
{
	for (; *words; words++)
		if (strcmp(word, *words) == 0)
			return true;
	return false;
}

struct urgency urgency_of(const struct urgency_case *c)
{
	static const char *const calm_types[] = { "praise", "other", "feature_request", NULL };
	struct urgency u = { .level = "normal" };
	float points[URGENCY_REASONS_MAX];
	for (size_t i = 0; i < sizeof(signs) / sizeof(*signs); i++) {
		float sum = c->found->sum[signs[i].sign];
		if (sum <= 0)
			continue;
		/* Said in two ways it weighs a little more. */
		points[u.reason_count] = signs[i].points * (sum > 3 ? 1.2f : 1);
		u.reasons[u.reason_count++] = signs[i].reason;
	}
	if (c->polarity < -0.5f && strcmp(c->type, "praise") != 0) {
		points[u.reason_count] = 1;
		u.reasons[u.reason_count++] = "very_negative";
	}
	if (c->rated && c->rating <= -0.9f) {
		points[u.reason_count] = 0.8f;
		u.reasons[u.reason_count++] = "lowest_rating";
	}
	for (size_t i = 0; i < u.reason_count; i++)
		u.points += points[i];
	/* A thank-you that mentions the hospital, or a wish with "as soon as possible" in it, is no alarm. */
	bool calm = is_one_of(c->type, calm_types);
	if (strcmp(c->type, "praise") == 0 || c->polarity > 0.4f)
		u.points *= 0.4f;
	else if (calm)
		u.points *= 0.7f;
	for (size_t i = 1; i < u.reason_count; i++) /* few: heaviest first by insertion */
		for (size_t k = i; k > 0 && points[k] > points[k - 1]; k--) {
			float p = points[k];
			const char *r = u.reasons[k];
			points[k] = points[k - 1], u.reasons[k] = u.reasons[k - 1];
			points[k - 1] = p, u.reasons[k - 1] = r;
		}
	float near; /* how far from where the level would change */
	if (u.points >= critical_from) {
		u.level = "critical";
		near = u.points - critical_from;
	} else if (u.points >= high_from) {
		u.level = "high";
		near = fminf(u.points - high_from, critical_from - u.points);
	} else if (calm && u.points < 1) {
		u.level = "low";
		near = 1 - u.points;
	} else {
		near = fminf(high_from - u.points, 2);
	}
	u.confidence = fminf(0.95f, 0.6f + 0.15f * near);
	return u;
}
