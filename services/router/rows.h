/* What the router's rows (router_rows.proto) have in common. */
#ifndef ROUTER_ROWS_H
#define ROUTER_ROWS_H

#include "service/rows.h"

#include "router_rows.pb-c.h"

/* A due row: `due_ms` and what it is about. */
struct hy_key row_due_key(int64_t due_ms, struct hy_bytes about);

static inline ProtobufCBinaryData row_id(const struct hy_id *id) /* a view: `id` must outlive the message */
{
	return HY_TO_PB(hy_id_bytes(id));
}

#endif
