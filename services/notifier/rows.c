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

int notifier_open_row(struct hy_arena *a, struct hy_bytes row, const ProtobufCMessageDescriptor *type, void *out)
{
	int err = hy_wire_unpack(a, type, row, out, NULL);
	return err == HY_OK || err == HY_NO_MEMORY ? err : HY_CORRUPT;
}

int notifier_get(struct hy_txn *t, struct hy_arena *a, const char *table, struct hy_bytes key,
	const ProtobufCMessageDescriptor *type, void *out)
{
	struct hy_bytes row;
	int err = hy_txn_get(t, table, key, &row);
	return err ? err : notifier_open_row(a, row, type, out);
}

int notifier_put(struct hy_txn *t, const char *table, struct hy_bytes key, const ProtobufCMessage *row)
{
	struct hy_buffer b = { 0 };
	int err = hy_wire_pack(row, &b);
	if (err == HY_OK)
		err = hy_txn_put(t, table, key, hy_buffer_view(&b));
	hy_buffer_free(&b);
	return err;
}
