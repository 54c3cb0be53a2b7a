/* Who comes with keys that are none. An address may be wrong so often a second; after that it is told to wait, so that guessing stays slow and its
 * noise small. Whoever has a key is never asked. IPv6 counts by /64. Fixed memory: addresses share a place when there are many. Server thread. */
#ifndef COLLECTOR_STRANGERS_H
#define COLLECTOR_STRANGERS_H

#include <stdint.h>

#define STRANGERS_RATE 20 /* wrong keys a second and address */

struct strangers;
struct strangers *strangers_new(void); /* NULL without memory */
void strangers_free(struct strangers **s);
/* One more wrong key from `peer` (as hy_http_peer() tells it): 0, or the ms it has to wait. */
int64_t strangers_wrong(struct strangers *s, const char *peer, int64_t mono_ms);

#endif
