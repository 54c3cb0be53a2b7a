#include "service/rows.h"

int hy_row_open(struct hy_arena *a, struct hy_bytes value, const ProtobufCMessageDescriptor *type, void *out)
{
	int err = hy_wire_unpack(a, type, value, out, NULL);
	return err == HY_OK || err == HY_NO_MEMORY ? err : HY_CORRUPT;
}

int hy_row_get(struct hy_txn *t, struct hy_arena *a, const char *table, struct hy_bytes key,
	const ProtobufCMessageDescriptor *type, void *out)
{
	struct hy_bytes value;
	int err = hy_txn_get(t, table, key, &value);
	return err ? err : hy_row_open(a, value, type, out);
}

/* Packed into a buffer of its own: rows are small, and the store copies them into its page. */
static int put(struct hy_txn *t, const char *table, struct hy_bytes key, const ProtobufCMessage *row, bool append)
{
	struct hy_buffer packed = { 0 };
	int err = hy_wire_pack(row, &packed);
	if (err == HY_OK)
		err = append ? hy_txn_append(t, table, key, hy_buffer_view(&packed))
			     : hy_txn_put(t, table, key, hy_buffer_view(&packed));
	hy_buffer_free(&packed);
	return err;
}

int hy_row_put(struct hy_txn *t, const char *table, struct hy_bytes key, const ProtobufCMessage *row)
{
	return put(t, table, key, row, false);
}

int hy_row_append(struct hy_txn *t, const char *table, struct hy_bytes key, const ProtobufCMessage *row)
{
	return put(t, table, key, row, true);
}
