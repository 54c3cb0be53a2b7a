/* Rows of the router's tables as protobuf messages (router_rows.proto): get unpacks into an arena, put packs. */
#ifndef ROUTER_ROWS_H
#define ROUTER_ROWS_H

#include "store/store.h"
#include "wire/wire.h"

#include "router_rows.pb-c.h"

/* *out (a pointer to the message's struct) lives in the arena. HY_NOT_FOUND when there is none. */
int row_get(struct hy_txn *t, struct hy_arena *a, const char *table, struct hy_bytes key,
	const ProtobufCMessageDescriptor *type, void *out);
int row_put(struct hy_txn *t, const char *table, struct hy_bytes key, const ProtobufCMessage *row);
int row_append(struct hy_txn *t, const char *table, struct hy_bytes key, const ProtobufCMessage *row);
/* Unpacks a value met on a walk; a row that does not unpack is damage: HY_CORRUPT. */
int row_open(struct hy_arena *a, struct hy_bytes value, const ProtobufCMessageDescriptor *type, void *out);

/* A due row: `due_ms` and what it is about. */
struct hy_key row_due_key(int64_t due_ms, struct hy_bytes about);

static inline ProtobufCBinaryData row_id(const struct hy_id *id) /* a view: `id` must outlive the message */
{
	return HY_TO_PB(hy_id_bytes(id));
}

#endif
