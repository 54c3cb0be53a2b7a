#include "mix.h"

#include "bench.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CUSTOMERS 200000
#define TEXTS_MAX 1024

struct texts {
	char *of[TEXTS_MAX];
	size_t count;
};

struct mix {
	uint64_t state, made, run;
	struct texts problems, praise, others;
	double *ranks; /* the sum of 1/rank up to each rank */
	double unheard;
	bool mail;
};

/* xorshift64*: any machine, the same numbers. */
static uint64_t next(struct mix *m)
{
	m->state ^= m->state >> 12;
	m->state ^= m->state << 25;
	m->state ^= m->state >> 27;
	return m->state * 0x2545F4914F6CDD1D;
}

static double unit(struct mix *m)
{
	return (double)(next(m) >> 11) / 9007199254740992.0;
}

static void read_texts(struct mix *m)
{
	const char *path = BENCH_SOURCE_DIR "/services/classifier/model/seeds.jsonl";
	FILE *f = fopen(path, "r");
	char line[8192];
	if (!f)
		bench_die("%s can't be read", path);
	while (fgets(line, sizeof(line), f)) {
		json_t *j = json_loads(line, 0, NULL);
		const char *type = json_string_value(json_object_get(j, "type")),
			   *sentiment = json_string_value(json_object_get(j, "sentiment"));
		const char *text = json_string_value(json_object_get(j, "text"));
		if (!type || !sentiment || !text) {
			json_decref(j);
			continue;
		}
		struct texts *to = strcmp(type, "praise") == 0 && strcmp(sentiment, "positive") == 0 ? &m->praise
				   : strcmp(type, "other") == 0                                      ? &m->others
												     : &m->problems;
		if (to->count < TEXTS_MAX) /* escaped as in JSON, without the quotes */
			to->of[to->count++] = json_dumps(json_object_get(j, "text"), JSON_ENCODE_ANY);
		json_decref(j);
	}
	fclose(f);
	if (!m->problems.count || !m->praise.count)
		bench_die("%s holds no problems or no praise", path);
}

struct mix *mix_new(uint64_t seed)
{
	struct mix *m = calloc(1, sizeof(*m));
	double sum = 0;
	m->state = seed * 0x9E3779B97F4A7C15 + 1;
	m->run = seed;
	m->mail = !getenv("BENCH_NO_MAIL");
	m->unheard = getenv("BENCH_NEW") ? atof(getenv("BENCH_NEW")) : 0.02;
	read_texts(m);
	m->ranks = calloc(CUSTOMERS, sizeof(*m->ranks));
	for (size_t i = 0; i < CUSTOMERS; i++)
		m->ranks[i] = sum += 1.0 / (double)(i + 1);
	return m;
}

void mix_free(struct mix *m)
{
	struct texts *all[] = { &m->problems, &m->praise, &m->others };
	for (size_t k = 0; k < 3; k++)
		for (size_t i = 0; i < all[k]->count; i++)
			free(all[k]->of[i]);
	free(m->ranks);
	free(m);
}

static size_t customer(struct mix *m)
{
	double at = unit(m) * m->ranks[CUSTOMERS - 1];
	size_t low = 0, high = CUSTOMERS - 1;
	while (low < high) {
		size_t middle = (low + high) / 2;
		if (m->ranks[middle] < at)
			low = middle + 1;
		else
			high = middle;
	}
	return low * 7919 % CUSTOMERS; /* the talkative ones are not neighbours */
}

char *mix_object(struct mix *m, char *out)
{
	static const char *const devices[] = { "Redmi K60, Android 13", "iPhone 14, iOS 17.1", "HUAWEI Mate 50",
		"Firefox 121, Windows" };
	double kind = unit(m);
	const struct texts *from = kind < 0.60                       ? &m->problems
				   : kind < 0.95 || !m->others.count ? &m->praise
								     : &m->others;
	const char *text = from->of[next(m) % from->count];
	size_t who = customer(m);
	char unheard[64] = "", mail[80] = "";
	if (kind < m->unheard) /* new words make a new issue: letters, since digits don't count for it */
		for (int i = 0, n = 0; i < 3; i++) {
			unheard[n++] = ' ';
			for (int k = 0; k < 6; k++)
				unheard[n++] = (char)('a' + next(m) % 26);
		}
	if (who % 2 && m->mail)
		snprintf(mail, sizeof(mail), ",\"email\":\"c%zu@example.org\"", who);
	return out +
	       sprintf(out,
		       "{\"id\":\"m%llu-%llu\",\"text\":%.*s%s\",\"channel\":\"app\",\"customer\":{\"id\":\"customer-%"
		       "06zu\",\"locale\":\"%s\"%s},"
		       "\"context\":{\"app\":\"8.4.%d\",\"device\":\"%s\",\"page\":\"/orders/2024/detail?tab=%zu\"}}",
		       (unsigned long long)m->run, (unsigned long long)m->made++, (int)strlen(text) - 1, text, unheard,
		       who, who % 3 ? "zh-CN" : "en-GB", mail, (int)(who % 10), devices[who % 4], who % 97);
}

/* A request around the body, which it frees. */
static char *request(const char *type, char *body, size_t body_size, size_t *size)
{
	char *whole = malloc(body_size + 512);
	int head = sprintf(whole,
		"POST /v1/feedback HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " BENCH_KEY
		"\r\nContent-Type: application/%s\r\nContent-Length: %zu\r\n\r\n",
		type, body_size);
	memcpy(whole + head, body, body_size);
	*size = (size_t)head + body_size;
	free(body);
	return whole;
}

char *mix_request(struct mix *m, size_t items, size_t *size)
{
	char *body = malloc((items + 1) * 2048), *end = body;
	if (items)
		*end++ = '[';
	for (size_t i = 0; i < (items ? items : 1); i++) {
		if (i)
			*end++ = ',';
		end = mix_object(m, end);
	}
	if (items)
		*end++ = ']';
	return request("json", body, (size_t)(end - body), size);
}

char *mix_lines(struct mix *m, size_t items, size_t *size)
{
	char *body = malloc((items + 1) * 2048), *end = body;
	for (size_t i = 0; i < items; i++) {
		end = mix_object(m, end);
		*end++ = '\n';
	}
	return request("x-ndjson", body, (size_t)(end - body), size);
}
