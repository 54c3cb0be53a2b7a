/* From the outbox through the channel and back: what is due is written, stopped at its dot, all dots are committed
 * in one transaction, then let go; what came of them is committed in one transaction too. Up to 256 notices a turn,
 * the next ones already at their dot while the last are settled. After a kill, a notice in DOT has no answer: where
 * sending again is harmless it goes again at once, else it waits ten minutes and goes once more, or is held, as
 * notify.unknown says. Never more than two copies. */
#ifndef HY_NOTIFIER_SEND_H
#define HY_NOTIFIER_SEND_H

#include "outbox.h"

int notifier_send_open(struct notifier *n, struct hy_fault *f);
void notifier_send_close(struct notifier *n);

/* The work between steps; returns ms until it is wanted again, -1 when a step must come first. */
int64_t notifier_send_work(struct notifier *n);

/* Nothing more is begun, and no dot leaves any more; true while an answer to one that has left is to come or to be written down. */
bool notifier_send_lingers(struct notifier *n);

#endif
