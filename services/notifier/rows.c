#include "rows.h"

struct hy_key notifier_key(const struct hy_bytes *parts, size_t count)
{
	struct hy_key k = { .size = 0 };
	for (size_t i = 0; i < count; i++)
		hy_key_bytes(&k, parts[i].data, parts[i].size);
	return k;
}

struct hy_key notifier_link_key(struct hy_id ticket, struct hy_bytes person, struct hy_id feedback)
{
	struct hy_bytes kind = person.size ? HY_LIT("p") : HY_LIT("f");
	return KEY_OF(hy_id_bytes(&ticket), kind, person.size ? person : hy_id_bytes(&feedback));
}

struct hy_key notifier_note_key(struct hy_id ticket, uint32_t round, uint32_t kind)
{
	struct hy_key k = KEY_OF(hy_id_bytes(&ticket));
	hy_key_u64(&k, round);
	hy_key_u64(&k, kind);
	return k;
}

struct hy_key notifier_due_key(int64_t due_ms, struct hy_id id)
{
	struct hy_key k = { .size = 0 };
	hy_key_u64(&k, (uint64_t)due_ms);
	hy_key_bytes(&k, id.b, sizeof(id.b));
	return k;
}

struct hy_key notifier_number_key(uint32_t project, uint64_t number)
{
	struct hy_key k = { .size = 0 };
	hy_key_u64(&k, project);
	hy_key_u64(&k, number);
	return k;
}
