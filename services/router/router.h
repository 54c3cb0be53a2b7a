/* The router decides who acts on each feedback, and keeps the tickets: classifications and deliveries in, ticket
 * events out.
 *
 *     router.c    the tables, and the handlers: decide, reply, deliveries, due times
 *     rules       departments and rules of huiyin.yaml          ticket    states, rows and events of a ticket
 *     themes      which ticket an issue has
 *     people      the links: who waits, who was told, who said what
 *     commands    what staff and programs ask for               merge     moving people from ticket to ticket
 *     audit       what became of every feedback                 keep      old rows leave, their counts stay
 *     erase       a person's words go
 *     rows        messages in tables */
#ifndef ROUTER_ROUTER_H
#define ROUTER_ROUTER_H

#include "router/people.h"
#include "router/rules.h"
#include "router/ticket.h"

struct router {
	struct rules *rules;
	struct themes *themes;
	struct hy_arena *scratch; /* for walks over many rows: reset at each */
	struct hy_id last_feedback; /* the newest id ever entered: a greater one is new without a look */
};

extern const struct hy_service router_service;
extern const struct hy_command router_commands[];

#endif
