/* Erasing a person: her words leave the router's rows (subjects of tickets that she opened, comments), in chunks.
 * Her links stay: they hold a keyed hash and numbers, and the account of what became of her feedback needs them. */
#ifndef ROUTER_ERASE_H
#define ROUTER_ERASE_H

#include "service/service.h"

int router_erase_begin(struct hy_step *s, struct hy_bytes person);
int router_erase_on_due(struct hy_step *s, struct hy_bytes key, struct hy_bytes row, void *self);

#endif
