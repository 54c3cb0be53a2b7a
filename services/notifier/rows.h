/* The notifier's tables: their keys, and rows in and out of them.
 *
 *     person                       person             whom we can reach
 *                                  person, 'n' notice | 't' ticket   what she has part in, beside her on the same page: a random page
 *                                                     written per record costs more than all the rest
 *     preference, gone             person             what she allows, who asked to be forgotten
 *     case                         ticket             where a ticket stands
 *     number                       project, T-n       -> ticket
 *     link                         ticket, who        who waits in which round
 *     note                         ticket, round, kind   what was said to a round
 *     outbox                       notice             what is still owed
 *     queue, receipts              due time, notice   when it is to be tried
 *     ledger                       notice             what became of it
 *     by_ticket                    ticket, notice     notices, owed and done
 *     walk, sweep                  due time, ...      fan-outs, and the walk over old rows
 *     tally                        name               counters
 */
#ifndef HY_NOTIFIER_ROWS_H
#define HY_NOTIFIER_ROWS_H

#include "notifier_rows.pb-c.h"
#include "service/rows.h"

typedef Huiyin__Notifier__Contact contact_row;
typedef Huiyin__Notifier__Preference preference_row;
typedef Huiyin__Notifier__Case case_row;
typedef Huiyin__Notifier__Answer answer_row;
typedef Huiyin__Notifier__Link link_row;
typedef Huiyin__Notifier__Walk walk_row;
typedef Huiyin__Notifier__Notice notice_row;
typedef Huiyin__Notifier__Entry entry_row;
typedef Huiyin__Notifier__Sweep sweep_row;

#define KEY_OF(...)                                                                                                    \
	notifier_key((const struct hy_bytes[]){ __VA_ARGS__ },                                                         \
		sizeof((const struct hy_bytes[]){ __VA_ARGS__ }) / sizeof(struct hy_bytes))

struct hy_key notifier_key(const struct hy_bytes *parts, size_t count);
/* `person` empty: an anonymous link goes by its feedback. */
struct hy_key notifier_link_key(struct hy_id ticket, struct hy_bytes person, struct hy_id feedback);
struct hy_key notifier_note_key(struct hy_id ticket, uint32_t round, uint32_t kind);
struct hy_key notifier_due_key(int64_t due_ms, struct hy_id id);
struct hy_key notifier_number_key(uint32_t project, uint64_t number);

/* A text field: protobuf-c wants it writable, and never writes to it. */
static inline char *row_text(const char *text)
{
	return (char *)(uintptr_t)text;
}

#endif
