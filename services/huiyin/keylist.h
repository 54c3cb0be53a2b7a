/* The `keys:` list of huiyin.yaml, edited as text, so that comments and everything else stay as their owner wrote them. Pure. */
#ifndef HUIYIN_KEYLIST_H
#define HUIYIN_KEYLIST_H

#include "base/bytes.h"
#include "base/err.h"

/* Appends the file with `row` (what stands behind the dash) as the list's last item; a list that is missing is made at the end.
 * HY_BAD_STATE when the list is written in a way that can't be edited safely. */
int keylist_add(struct hy_bytes yaml, const char *row, struct hy_buffer *out, struct hy_fault *f);
/* Appends the file without the item of that name. HY_NOT_FOUND. */
int keylist_remove(struct hy_bytes yaml, const char *name, struct hy_buffer *out, struct hy_fault *f);

#endif
