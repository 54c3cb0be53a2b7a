/* The only file that reads the machine's clocks. Dates are proleptic Gregorian, counted here: no locale, no time zone
 * files, and the same answer in every thread. */
#include "base/clock.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <time.h>

enum { MS_PER_SECOND = 1000, MS_PER_MINUTE = 60000, MS_PER_HOUR = 3600000, MS_PER_DAY = 86400000 };

static _Atomic int64_t standing_ms = -1, ahead_ms;

void hy_clock_stand(int64_t now_ms)
{
	atomic_store(&standing_ms, now_ms);
}

void hy_clock_ahead(int64_t ms)
{
	atomic_store(&ahead_ms, ms);
}

static struct timespec read_clock(clockid_t clock)
{
	struct timespec t = { 0 };
	clock_gettime(clock, &t);
	return t;
}

int64_t hy_now_ms(void)
{
	int64_t stands = atomic_load_explicit(&standing_ms, memory_order_relaxed);
	if (stands >= 0)
		return stands;
	struct timespec t = read_clock(CLOCK_REALTIME);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000 + atomic_load_explicit(&ahead_ms, memory_order_relaxed);
}

uint64_t hy_mono_ns(void)
{
	int64_t stands = atomic_load_explicit(&standing_ms, memory_order_relaxed);
	if (stands >= 0)
		return (uint64_t)stands * 1000000;
	struct timespec t = read_clock(CLOCK_BOOTTIME);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

int64_t hy_mono_ms(void)
{
	return (int64_t)(hy_mono_ns() / 1000000);
}

/* Days since 1970-01-01. Years are counted from March, so that the leap day is the last of its year; eras of 400 years
 * have 146,097 days. */
static int64_t days_from_date(int64_t year, int month, int day)
{
	year -= month <= 2;
	int64_t era = (year >= 0 ? year : year - 399) / 400;
	int64_t year_of_era = year - era * 400;
	int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

static void date_from_days(int64_t days, int *year, int *month, int *day)
{
	days += 719468;
	int64_t era = (days >= 0 ? days : days - 146096) / 146097;
	int64_t of_era = days - era * 146097;
	int64_t year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	int64_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	int64_t from_march = (5 * of_year + 2) / 153;
	*day = (int)(of_year - (153 * from_march + 2) / 5 + 1);
	*month = (int)(from_march < 10 ? from_march + 3 : from_march - 9);
	*year = (int)(year_of_era + era * 400 + (*month <= 2));
}

static char *put_digits(char *to, int value, int digits)
{
	for (int i = digits - 1; i >= 0; i--, value /= 10)
		to[i] = (char)('0' + value % 10);
	return to + digits;
}

void hy_time_text(int64_t ms, char out[static 25])
{
	const int64_t first = -62167219200000, last = 253402300799999; /* years 0000 to 9999 */
	ms = ms < first ? first : ms > last ? last : ms;
	int64_t days = ms / MS_PER_DAY - (ms % MS_PER_DAY < 0);
	int of_day = (int)(ms - days * MS_PER_DAY);
	int year, month, day;
	date_from_days(days, &year, &month, &day);
	char *to = put_digits(out, year, 4);
	*to++ = '-';
	to = put_digits(to, month, 2);
	*to++ = '-';
	to = put_digits(to, day, 2);
	*to++ = 'T';
	to = put_digits(to, of_day / MS_PER_HOUR, 2);
	*to++ = ':';
	to = put_digits(to, of_day / MS_PER_MINUTE % 60, 2);
	*to++ = ':';
	to = put_digits(to, of_day / MS_PER_SECOND % 60, 2);
	*to++ = '.';
	to = put_digits(to, of_day % MS_PER_SECOND, 3);
	*to++ = 'Z';
	*to = '\0';
}

/* Reads exactly `digits` digits; -1 when something else stands there. */
static int take_digits(const char **at, int digits)
{
	int value = 0;
	for (int i = 0; i < digits; i++, (*at)++) {
		if (**at < '0' || **at > '9')
			return -1;
		value = value * 10 + (**at - '0');
	}
	return value;
}

static bool take(const char **at, char wanted)
{
	if (**at != wanted)
		return false;
	(*at)++;
	return true;
}

static int days_in_month(int year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
	return days[month - 1] + (month == 2 && leap);
}

bool hy_time_parse(const char *text, int64_t *ms)
{
	if (!text)
		return false;
	const char *at = text;
	int year, month, day, hour, minute, second;
	if ((year = take_digits(&at, 4)) < 0 || !take(&at, '-') || (month = take_digits(&at, 2)) < 1 || month > 12 ||
		!take(&at, '-') || (day = take_digits(&at, 2)) < 1 || day > days_in_month(year, month))
		return false;
	if (!take(&at, 'T') && !take(&at, 't') && !take(&at, ' '))
		return false;
	if ((hour = take_digits(&at, 2)) < 0 || hour > 23 || !take(&at, ':') || (minute = take_digits(&at, 2)) < 0 ||
		minute > 59 || !take(&at, ':') || (second = take_digits(&at, 2)) < 0 || second > 60)
		return false;
	int fraction_ms = 0;
	if (take(&at, '.')) {
		int scale = 100;
		const char *first = at;
		for (; *at >= '0' && *at <= '9'; at++, scale /= 10)
			fraction_ms += (*at - '0') * scale;
		if (at == first)
			return false;
	}
	int offset_min = 0;
	if (!take(&at, 'Z') && !take(&at, 'z')) {
		int sign = *at == '-' ? -1 : 1;
		if (!take(&at, '+') && !take(&at, '-'))
			return false;
		int hours = take_digits(&at, 2);
		if (hours < 0 || hours > 23 || !take(&at, ':'))
			return false;
		int minutes = take_digits(&at, 2);
		if (minutes < 0 || minutes > 59)
			return false;
		offset_min = sign * (hours * 60 + minutes);
	}
	if (*at)
		return false;
	/* A leap second (:60) counts as the first moment of the next minute, as POSIX time has no place for it. */
	*ms = days_from_date(year, month, day) * MS_PER_DAY + hour * (int64_t)MS_PER_HOUR + minute * MS_PER_MINUTE +
	      second * MS_PER_SECOND + fraction_ms - offset_min * (int64_t)MS_PER_MINUTE;
	return true;
}

void hy_duration_text(int64_t ms, char out[static 24])
{
	const char *sign = ms < 0 ? "-" : "";
	uint64_t n = ms < 0 ? -(uint64_t)ms : (uint64_t)ms;
	/* A unit begins at two of it, so that 90 minutes do not read as one hour. */
	if (n < MS_PER_SECOND)
		snprintf(out, 24, "%s%u ms", sign, (unsigned)n);
	else if (n < MS_PER_MINUTE)
		snprintf(out, 24, "%s%u.%u s", sign, (unsigned)(n / 1000), (unsigned)(n / 100 % 10));
	else if (n < 2 * (uint64_t)MS_PER_HOUR)
		snprintf(out, 24, "%s%u min", sign, (unsigned)(n / MS_PER_MINUTE));
	else if (n < 2 * (uint64_t)MS_PER_DAY)
		snprintf(out, 24, "%s%u h", sign, (unsigned)(n / MS_PER_HOUR));
	else
		snprintf(out, 24, "%s%llu d", sign, (unsigned long long)(n / MS_PER_DAY));
}
