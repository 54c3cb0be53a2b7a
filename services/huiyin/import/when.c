#include "when.h"

#include "base/clock.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* At most `digits` digits at *at, which moves behind them and behind `end` when that follows. */
static bool take_number(const char **at, int digits, const char *end, int *out)
{
	const char *p = *at;
	for (*out = 0; *p >= '0' && *p <= '9' && p - *at < digits; p++)
		*out = 10 * *out + (*p - '0');
	bool good = p > *at && strncmp(p, end, strlen(end)) == 0;
	*at = good ? p + strlen(end) : p;
	return good;
}

static bool take_day(const char **at, struct tm *tm)
{
	static const char *const marks[][3] = { { "-", "-", "" }, { "/", "/", "" }, { ".", ".", "" },
		{ "年", "月", "日" } };
	const char *begin = *at;
	for (size_t i = 0; i < sizeof(marks) / sizeof(*marks); i++, *at = begin)
		if (take_number(at, 4, marks[i][0], &tm->tm_year) && take_number(at, 2, marks[i][1], &tm->tm_mon) &&
			take_number(at, 2, marks[i][2], &tm->tm_mday))
			return tm->tm_year >= 1970 && tm->tm_mon >= 1 && tm->tm_mon <= 12 && tm->tm_mday >= 1 &&
			       tm->tm_mday <= 31;
	return false;
}

static bool take_hour(const char **at, struct tm *tm)
{
	if (!take_number(at, 2, ":", &tm->tm_hour) || !take_number(at, 2, "", &tm->tm_min))
		return false;
	if (**at == ':') {
		++*at;
		if (!take_number(at, 2, "", &tm->tm_sec))
			return false;
		if (**at == '.')
			*at += 1 + strspn(*at + 1, "0123456789");
	}
	return tm->tm_hour < 24 && tm->tm_min < 60 && tm->tm_sec <= 60;
}

bool when_read(const char *text, int64_t *ms)
{
	struct tm tm = { .tm_isdst = -1 };
	setenv("TZ", ":/etc/localtime", 0); /* else mktime() looks at that file each time */
	char *end;
	long long number = strtoll(text, &end, 10);
	if (!*end && end - text >= 9 && end - text <= 13) {
		*ms = end - text > 11 ? number : number * 1000;
		return true;
	}
	if (hy_time_parse(text, ms))
		return true;
	if (!take_day(&text, &tm))
		return false;
	text += *text == 'T';
	text += strspn(text, " ");
	if (*text && !take_hour(&text, &tm))
		return false;
	tm.tm_year -= 1900;
	tm.tm_mon--;
	time_t t = *text ? (time_t)-1 : mktime(&tm);
	*ms = (int64_t)t * 1000;
	return t != (time_t)-1;
}
