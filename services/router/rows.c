#include "router/rows.h"

struct hy_key row_due_key(int64_t due_ms, struct hy_bytes about)
{
	struct hy_key k = { 0 };
	hy_key_u64(&k, (uint64_t)due_ms);
	hy_key_bytes(&k, about.data, about.size);
	return k;
}
