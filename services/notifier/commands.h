/* Questions about notices, and what staff decide about those that are held. */
#ifndef HY_NOTIFIER_COMMANDS_H
#define HY_NOTIFIER_COMMANDS_H

#include "notifier.h"

extern const struct hy_command notifier_commands[];

/* {notices, pending, held, told, duplicated, outcomes...}: what `audit` and health say. The caller owns the
 * reference. */
json_t *notifier_counts(struct hy_txn *t, struct notifier *n);

#endif
