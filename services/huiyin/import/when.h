/* Times as people and spreadsheets write them. */
#ifndef HUIYIN_WHEN_H
#define HUIYIN_WHEN_H

#include <stdbool.h>
#include <stdint.h>

/* RFC 3339, "2026-01-31 08:05", "2026/1/31 8:05:09", "2026.1.31", "2026年1月31日", seconds or milliseconds since 1970. Without a zone it is this machine's
 * time. False when it is none of them. */
bool when_read(const char *text, int64_t *ms);

#endif
