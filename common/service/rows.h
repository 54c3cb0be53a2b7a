/* Rows of a service's tables as protobuf messages: get unpacks into an arena, put packs. */
#ifndef HY_SERVICE_ROWS_H
#define HY_SERVICE_ROWS_H

#include "store/store.h"
#include "wire/wire.h"

/* *out (a pointer to the message's struct) lives in the arena. HY_NOT_FOUND when there is none. */
int hy_row_get(struct hy_txn *t, struct hy_arena *a, const char *table, struct hy_bytes key,
	const ProtobufCMessageDescriptor *type, void *out);
int hy_row_put(struct hy_txn *t, const char *table, struct hy_bytes key, const ProtobufCMessage *row);
/* `key` sorts behind every key of the table: cheaper. */
int hy_row_append(struct hy_txn *t, const char *table, struct hy_bytes key, const ProtobufCMessage *row);
/* Unpacks a value met on a walk. A row that does not unpack is damage: HY_CORRUPT. */
int hy_row_open(struct hy_arena *a, struct hy_bytes value, const ProtobufCMessageDescriptor *type, void *out);

#endif
