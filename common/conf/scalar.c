/* One value as people write it. */
#include "conf/inside.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

struct unit {
	const char *name;
	int64_t size;
};

static const struct unit sizes[] = {
	{ "TiB", (int64_t)1 << 40 },
	{ "GiB", 1 << 30 },
	{ "MiB", 1 << 20 },
	{ "KiB", 1 << 10 },
	{ "TB", 1000000000000 },
	{ "GB", 1000000000 },
	{ "MB", 1000000 },
	{ "KB", 1000 },
	{ "B", 1 },
	{ NULL, 0 },
};
static const struct unit durations[] = {
	{ "d", 86400000 },
	{ "h", 3600000 },
	{ "m", 60000 },
	{ "s", 1000 },
	{ "ms", 1 },
	{ NULL, 0 },
};

/* The digits at *p, moved past; false when there are none or too many. */
static bool digits(const char **p, int64_t *out)
{
	int64_t v = 0;
	if (**p < '0' || **p > '9')
		return false;
	for (; **p >= '0' && **p <= '9'; (*p)++) {
		if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, **p - '0', &v))
			return false;
	}
	*out = v;
	return true;
}

static const struct unit *unit_at(const struct unit *units, const char *word, size_t size)
{
	for (; units->name; units++) {
		if (strlen(units->name) == size && strncasecmp(units->name, word, size) == 0)
			return units;
	}
	return NULL;
}

const char *hy_conf_parse_int(const char *text, int64_t *out)
{
	char *end;
	errno = 0;
	long long v = strtoll(text, &end, 10);
	if (end == text || *end || (unsigned char)*text <= ' ')
		return "isn't a whole number";
	if (errno)
		return "is too large a number";
	*out = v;
	return NULL;
}

const char *hy_conf_parse_number(const char *text, double *out)
{
	size_t size = strlen(text);
	char *end;
	if (size == 0 || strspn(text, "0123456789+-.eE") != size)
		return "isn't a number";
	double v = strtod(text, &end);
	if (*end || !isfinite(v))
		return "isn't a number";
	*out = v;
	return NULL;
}

const char *hy_conf_parse_bool(const char *text, int64_t *out)
{
	static const char *const words[] = { "false", "true", "no", "yes", "off", "on" };
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcasecmp(text, words[i]) == 0) {
			*out = i % 2;
			return NULL;
		}
	}
	return "is neither true nor false";
}

const char *hy_conf_parse_bytes(const char *text, int64_t *out)
{
	static const char wrong[] = "isn't a size; write it like 8GiB, 512 KiB, 300MB or 1024";
	int64_t v;
	if (!digits(&text, &v))
		return wrong;
	text += strspn(text, " ");
	const struct unit *unit = *text ? unit_at(sizes, text, strlen(text)) : NULL;
	if (*text && !unit)
		return wrong;
	if (unit && __builtin_mul_overflow(v, unit->size, &v))
		return "is too large a size";
	*out = v;
	return NULL;
}

const char *hy_conf_parse_duration(const char *text, int64_t *ms)
{
	static const char wrong[] = "isn't a duration; write it like 7d, 12h, 30m, 15s, 250ms or 1h 30m";
	int64_t sum = 0;
	if (strcmp(text, "0") == 0) {
		*ms = 0;
		return NULL;
	}
	do {
		int64_t v;
		if (!digits(&text, &v))
			return wrong;
		text += strspn(text, " ");
		size_t size = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
		const struct unit *unit = unit_at(durations, text, size);
		if (!unit)
			return size ? wrong : "has no unit; write it like 7d, 12h, 30m, 15s or 250ms";
		if (__builtin_mul_overflow(v, unit->size, &v) || __builtin_add_overflow(sum, v, &sum))
			return "is too long";
		text += size;
		text += strspn(text, " ");
	} while (*text);
	*ms = sum;
	return NULL;
}

void hy_conf_amount(enum hy_conf_type type, int64_t v, char out[static 32])
{
	const struct unit *units = type == HY_CONF_BYTES ? sizes : type == HY_CONF_DURATION ? durations : NULL;
	for (; units && units->name && v > 0; units++) {
		if (v % units->size == 0) {
			snprintf(out, 32, "%" PRId64 "%s", v / units->size, units->name);
			return;
		}
	}
	snprintf(out, 32, "%" PRId64, v);
}

bool hy_conf_choice(const char *choices, const char *word)
{
	size_t size = strlen(word);
	while (*choices) {
		size_t length = strcspn(choices, "|");
		if (length == size && memcmp(choices, word, size) == 0)
			return true;
		choices += length + (choices[length] == '|');
	}
	return false;
}
