/* Lifetimes of the public view: the rows of a finished loop live for `keep.closed`, then leave in chunks. Rows of one timer's
 * table "keep": a finished ticket whose time has come (its public row, what was told, answers), and two that never end: one walks the feedbacks,
 * one the queues of the ZeroMQ door's clients (`door.forget`). */
#ifndef COLLECTOR_KEEP_H
#define COLLECTOR_KEEP_H

#include "collector.h"

/* Makes sure that the walks are there; at every start. */
int keep_begin(struct hy_daemon *d);
/* A ticket is over: its rows go `keep.closed` after now. */
int keep_ticket(struct hy_step *s, struct hy_bytes ticket);
/* The timer's. */
int collector_on_keep(struct hy_step *s, struct hy_bytes key, struct hy_bytes row, void *self);

#endif
