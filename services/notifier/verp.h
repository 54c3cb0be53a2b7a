/* The address that a mail's bounce goes to: of bounce@example.com the mail of a notice gets bounce+TOKEN@example.com, so that whatever comes back
 * says by itself which notice it is about, however little of the mail it quotes. The token is the notice's id and a check that only we can make, as 39
 * characters of [a-z2-7], since servers fold addresses to lower case. */
#ifndef HY_NOTIFIER_VERP_H
#define HY_NOTIFIER_VERP_H

#include "base/seal.h"

enum { VERP_TOKEN = 39, VERP_LOCAL_MAX = 64 - 1 - VERP_TOKEN /* of the address before the @ */ };

/* `bounce` is an address whose local part is at most VERP_LOCAL_MAX; `room` 256. */
void verp_write(const struct hy_secret *k, const char *bounce, struct hy_id notice, char *out, size_t room);
/* The notice of an address that verp_write() made; false for any other. Upper case is as good. */
bool verp_read(const struct hy_secret *k, const char *address, struct hy_id *notice);

#endif
