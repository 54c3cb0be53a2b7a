/* Pairs of CURVE keys in an installation: DIR/keys/NAME.curve holds the secret (0600), for its owner alone. The door's, "door", has its public
 * key beside it in keys/door.pub, to be given to apps. */
#ifndef HUIYIN_PAIR_H
#define HUIYIN_PAIR_H

#include "base/err.h"
#include "loop/loop.h"

/* Makes the pair unless it is there (*made tells), and says its public key. A secret is never overwritten. */
int pair_make(const char *dir, const char *name, char public_key[static HY_CURVE_TEXT], bool *made, struct hy_fault *f);

#endif
