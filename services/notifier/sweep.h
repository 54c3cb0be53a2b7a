/* Rows of finished loops go after keep.closed, in chunks, and stay counted: the ledger's entries by their age, then
 * tickets that have ended with all that hangs on them. Ids are ordered by time, so one walk a day begins with the
 * oldest and ends where nothing can be old enough. */
#ifndef HY_NOTIFIER_SWEEP_H
#define HY_NOTIFIER_SWEEP_H

#include "notifier.h"

int notifier_sweep_begin(struct notifier *n); /* at start: sees to it that a walk is due */
int notifier_sweep_on(struct hy_step *s, struct hy_bytes key, struct hy_bytes row, void *self);

#endif
