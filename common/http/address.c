/* Addresses: one form (16 bytes, IPv4 mapped into IPv6), how many each has open, and who stands behind a trusted proxy. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/random.h>

#include "http/inner.h"

static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

static bool is_v4(const struct http_address *a)
{
	return memcmp(a->b, mapped, sizeof(mapped)) == 0;
}

struct http_address http_address_of(const struct sockaddr *sa)
{
	struct http_address a = { 0 };
	if (sa && sa->sa_family == AF_INET6) {
		memcpy(a.b, &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr, 16);
	} else if (sa && sa->sa_family == AF_INET) {
		memcpy(a.b, mapped, sizeof(mapped));
		memcpy(a.b + 12, &((const struct sockaddr_in *)(const void *)sa)->sin_addr, 4);
	}
	return a;
}

bool http_address_parse(const char *text, size_t size, struct http_address *out)
{
	char copy[INET6_ADDRSTRLEN + 8];
	if (size && text[0] == '[') { /* "[::1]:4711", as some proxies write it */
		const char *end = memchr(text, ']', size);
		if (!end)
			return false;
		size = (size_t)(end - text - 1);
		text++;
	} else {
		const char *colon = memchr(text, ':', size);
		if (colon && !memchr(colon + 1, ':', size - (size_t)(colon + 1 - text)))
			size = (size_t)(colon - text); /* "192.0.2.1:4711" */
	}
	if (size == 0 || size >= sizeof(copy))
		return false;
	memcpy(copy, text, size);
	copy[size] = 0;
	memcpy(out->b, mapped, sizeof(mapped));
	return inet_pton(AF_INET, copy, out->b + 12) == 1 || inet_pton(AF_INET6, copy, out->b) == 1;
}

void http_address_text(const struct http_address *a, char out[static INET6_ADDRSTRLEN])
{
	if (is_v4(a))
		inet_ntop(AF_INET, a->b + 12, out, INET6_ADDRSTRLEN);
	else
		inet_ntop(AF_INET6, a->b, out, INET6_ADDRSTRLEN);
}

bool http_address_loopback(const struct http_address *a)
{
	static const uint8_t one[16] = { [15] = 1 };
	return is_v4(a) ? a->b[12] == 127 : memcmp(a->b, one, 16) == 0;
}

/* ---- trusted proxies ---- */

int http_trusted_parse(struct hy_http *h, const char *const *list, struct hy_fault *f)
{
	int count = 0;
	while (list && list[count])
		count++;
	h->trusted = calloc((size_t)count + 1, sizeof(*h->trusted));
	if (!h->trusted)
		return hy_fail(f, HY_NO_MEMORY, "out of memory");
	for (int i = 0; i < count; i++) {
		struct http_trusted *t = &h->trusted[i];
		const char *slash = strchr(list[i], '/');
		size_t size = slash ? (size_t)(slash - list[i]) : strlen(list[i]);
		if (!http_address_parse(list[i], size, &t->address))
			return hy_fail(f, HY_CONFIG,
				"trusted proxy \"%s\": write an address, or a network like 10.0.0.0/8", list[i]);
		unsigned most = is_v4(&t->address) ? 32 : 128;
		t->bits = 128;
		if (slash) {
			char *end;
			unsigned long bits = strtoul(slash + 1, &end, 10);
			if (slash[1] < '0' || slash[1] > '9' || *end || bits > most)
				return hy_fail(f, HY_CONFIG, "trusted proxy \"%s\": at most /%u here", list[i], most);
			t->bits = (unsigned)bits + 128 - most;
		}
	}
	h->trusted_count = count;
	return HY_OK;
}

bool http_within(const struct http_address *a, const struct http_trusted *t)
{
	unsigned whole = t->bits / 8, rest = t->bits % 8;
	return memcmp(a->b, t->address.b, whole) == 0 &&
	       (rest == 0 || ((a->b[whole] ^ t->address.b[whole]) >> (8 - rest)) == 0);
}

bool http_trusted(const struct hy_http *h, const struct http_address *a)
{
	for (int i = 0; i < h->trusted_count; i++)
		if (http_within(a, &h->trusted[i]))
			return true;
	return false;
}

/* Each proxy appends the address it saw, so the list is read from its end: the first one we don't trust is the speaker.
 * What stands further left the speaker may have written himself. */
bool http_speaker(const struct hy_request *q, struct http_address *out)
{
	*out = q->conn->address;
	if (!q->h->trusted_count || !http_trusted(q->h, out))
		return false;
	bool forwarded = false;
	for (int i = q->fields - 1; i >= 0; i--) {
		const struct http_field *f = &q->field[i];
		if (f->name.size != 15 || strcasecmp(http_text(q, f->name), "X-Forwarded-For") != 0)
			continue;
		const char *list = http_text(q, f->value);
		size_t end = f->value.size;
		while (end) {
			const char *comma = memrchr(list, ',', end);
			size_t from = comma ? (size_t)(comma - list) + 1 : 0, to = end;
			while (from < to && (list[from] == ' ' || list[from] == '\t'))
				from++;
			while (to > from && (list[to - 1] == ' ' || list[to - 1] == '\t'))
				to--;
			struct http_address a;
			if (!http_address_parse(list + from, to - from, &a))
				return forwarded;
			*out = a;
			forwarded = true;
			if (!http_trusted(q->h, &a))
				return true;
			end = comma ? (size_t)(comma - list) : 0;
		}
	}
	return forwarded;
}

/* ---- counting ---- */

static struct http_place **find(struct http_places *p, const struct http_address *a)
{
	if (!p->seed) /* so that nobody can choose addresses that all fall into one bucket */
		if (getrandom(&p->seed, sizeof(p->seed), GRND_NONBLOCK) != (ssize_t)sizeof(p->seed) || !p->seed)
			p->seed = (uint64_t)(uintptr_t)p | 1;
	uint64_t hash = p->seed;
	for (int i = 0; i < 16; i += 8) {
		hash = (hash ^ hy_be_get64(a->b + i)) * UINT64_C(0x9e3779b97f4a7c15);
		hash ^= hash >> 29;
	}
	struct http_place **at = &p->bucket[hash % HTTP_BUCKETS];
	while (*at && memcmp((*at)->address.b, a->b, 16) != 0)
		at = &(*at)->next;
	return at;
}

struct http_place *http_place_take(struct http_places *p, const struct http_address *a, int max)
{
	struct http_address key = *a;
	if (!is_v4(a) && !http_address_loopback(a))
		memset(key.b + 8, 0, 8);
	struct http_place **at = find(p, &key), *place = *at;
	if (!place) {
		place = calloc(1, sizeof(*place));
		if (!place)
			return NULL;
		place->address = key;
		*at = place;
	} else if (place->count >= max) {
		return NULL;
	}
	place->count++;
	return place;
}

void http_place_leave(struct http_places *p, struct http_place *place)
{
	if (!place || --place->count > 0)
		return;
	struct http_place **at = find(p, &place->address);
	*at = place->next;
	free(place);
}
