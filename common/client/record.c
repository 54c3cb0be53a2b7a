/* Records, heads and marks as bytes. Every number that comes from a file is checked here. */
#include "client/record.h"

#define XXH_INLINE_ALL /* no library for one hash */
#include <xxhash.h>

#include <errno.h>
#include <sys/random.h>

static const char head_magic[8] = "HYSPOOL", mark_magic[8] = "HYMARK";
enum { VERSION = 1 };
#define N_MOST ((uint64_t)1 << 62) /* no client comes that far: sums with it stay numbers */

int run_new(struct run *out, uint64_t base_n)
{
	ssize_t n;
	do
		n = getrandom(out->id, sizeof(out->id), 0);
	while (n < 0 && errno == EINTR);
	out->base_n = base_n;
	return n == sizeof(out->id) ? HY_OK : HY_IO;
}

/* ---- records ---- */

static uint32_t check_of(const uint8_t *at, uint32_t size, const struct run *run)
{
	uint64_t seed;
	memcpy(&seed, run->id, sizeof(seed));
	return (uint32_t)XXH3_64bits_withSeed(at + 8, 8 + (size_t)size, seed ^ size);
}

void record_begin(uint8_t *at, uint32_t size, uint64_t n)
{
	memset(at + record_room(size) - 8, 0, size ? 8 : 0);
	memcpy(at, &size, 4);
	memset(at + 4, 0, 4);
	memcpy(at + 8, &n, 8);
}

void record_seal(uint8_t *at, const struct run *run)
{
	uint32_t check = check_of(at, record_size(at), run);
	memcpy(at + 4, &check, 4);
}

int record_read(struct hy_bytes bytes, size_t at, const struct run *run, struct record *out)
{
	if (at > bytes.size || bytes.size - at < RECORD_HEAD)
		return HY_NOT_FOUND;
	const uint8_t *p = bytes.data + at;
	uint32_t size = record_size(p), check;
	if (size > RECORD_PAYLOAD_MAX)
		return HY_DAMAGED;
	if (bytes.size - at < record_room(size))
		return HY_NOT_FOUND;
	memcpy(&check, p + 4, 4);
	if (check != check_of(p, size, run))
		return HY_DAMAGED;
	*out = (struct record){ record_n(p), hy_bytes(p + RECORD_HEAD, size), record_room(size) };
	return HY_OK;
}

size_t record_find(struct hy_bytes bytes, size_t at, const struct run *run, uint64_t first_n, uint64_t last_n)
{
	struct record r;
	for (; at <= bytes.size && bytes.size - at >= RECORD_HEAD; at++) {
		uint64_t n = record_n(bytes.data + at); /* looked at first: it spares nearly every hash */
		if (n >= first_n && n <= last_n && record_read(bytes, at, run, &r) == HY_OK)
			return at;
	}
	return bytes.size;
}

/* ---- heads and marks: magic, version, fields, and a check over all before it ---- */

static void seal(uint8_t *p, size_t size)
{
	uint64_t check = XXH3_64bits(p, size - 8);
	memcpy(p + size - 8, &check, 8);
}

static int open_sealed(struct hy_bytes bytes, size_t size, const char magic[static 8])
{
	uint64_t check;
	uint32_t version;
	if (bytes.size < size || memcmp(bytes.data, magic, 8) != 0)
		return HY_DAMAGED;
	memcpy(&check, bytes.data + size - 8, 8);
	if (check != XXH3_64bits(bytes.data, size - 8))
		return HY_DAMAGED;
	memcpy(&version, bytes.data + 8, 4);
	return version == VERSION ? HY_OK : HY_NEWER;
}

static void begin(uint8_t *p, size_t size, const char magic[static 8])
{
	const uint32_t version = VERSION;
	memset(p, 0, size);
	memcpy(p, magic, 8);
	memcpy(p + 8, &version, 4);
}

void head_write(uint8_t out[static HEAD_SIZE], const struct head *h)
{
	begin(out, HEAD_SIZE, head_magic);
	memcpy(out + 16, h->run.id, RUN_SIZE);
	memcpy(out + 32, &h->run.base_n, 8);
	memcpy(out + 40, &h->first_n, 8);
	seal(out, HEAD_SIZE);
}

int head_read(struct hy_bytes bytes, struct head *out)
{
	int err = open_sealed(bytes, HEAD_SIZE, head_magic);
	if (err != HY_OK)
		return err;
	memcpy(out->run.id, bytes.data + 16, RUN_SIZE);
	memcpy(&out->run.base_n, bytes.data + 32, 8);
	memcpy(&out->first_n, bytes.data + 40, 8);
	return out->first_n > out->run.base_n && out->first_n < N_MOST ? HY_OK : HY_DAMAGED;
}

void mark_write(uint8_t out[static MARK_SIZE], const struct mark *m)
{
	begin(out, MARK_SIZE, mark_magic);
	memcpy(out + 12, &m->turn, 4); /* 32 bits of turns: four billion marks */
	memcpy(out + 16, &m->settled_n, 8);
	memcpy(out + 24, m->run, RUN_SIZE);
	memcpy(out + 40, m->alias.id, RUN_SIZE);
	memcpy(out + 56, &m->alias.base_n, 8);
	seal(out, MARK_SIZE);
}

int mark_read(struct hy_bytes bytes, struct mark *out)
{
	int err = open_sealed(bytes, MARK_SIZE, mark_magic);
	if (err != HY_OK)
		return err;
	*out = (struct mark){ 0 };
	memcpy(&out->turn, bytes.data + 12, 4);
	memcpy(&out->settled_n, bytes.data + 16, 8);
	memcpy(out->run, bytes.data + 24, RUN_SIZE);
	memcpy(out->alias.id, bytes.data + 40, RUN_SIZE);
	memcpy(&out->alias.base_n, bytes.data + 56, 8);
	return out->settled_n < N_MOST ? HY_OK : HY_DAMAGED;
}
