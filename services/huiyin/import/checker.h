/* The collector's own check of items, in a process beside us: nothing is sent, nothing has to run. */
#ifndef HUIYIN_CHECKER_H
#define HUIYIN_CHECKER_H

#include "sender.h"

struct checker;
/* HY_IO: the collector's program can't be run. The caller closes *out, also after an error. */
int checker_open(struct checker **out, struct hy_fault *f);
void checker_close(struct checker **c);
/* Gives those items of the batch that the collector would refuse their reasons, and counts the others as accepted. HY_IO. */
int checker_batch(struct checker *c, struct batch *b, struct hy_fault *f);

#endif
