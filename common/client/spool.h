/* The disk spool: a directory that one client owns, with files of records (record.h), the oldest first, removed once the collector has all
 * of them. Background thread only, but for spool_open().
 *     lock                    held by the process that has it open
 *     mark                    how far the collector has it
 *     00000000000004d2.spool  records from number 0x4d2 on
 * Whatever happens to these files, reading goes on behind the damage: what can't be read is handed out as `damaged`, number by number, so that the
 * numbering has no gap; what is missing at the end of a run is not known to be missing, and ends it. */
#ifndef HY_CLIENT_SPOOL_H
#define HY_CLIENT_SPOOL_H

#include "client/record.h"

/* Where reading stands: before the record with number n. A zeroed one stands at the beginning. */
struct place {
	uint64_t n;
	uint64_t segment; /* the file's first number */
	uint64_t at;      /* offset in it; in the ring, the ring's */
};

struct item {
	uint64_t n;
	struct hy_bytes field; /* of a Submit; until the next read */
	const struct run *run; /* likewise */
	bool damaged;          /* nothing can be said about it; `field` is an empty Item */
};
#define ITEM_EMPTY HY_LIT("\x22\x00")

struct spool;

/* Makes the directory when missing, takes the lock, begins a run. HY_IN_USE, HY_NEWER, or what the disk says; the fault tells which path. */
int spool_open(struct spool **out, const char *dir, uint64_t limit_bytes, struct hy_fault *f);
void spool_close(struct spool **s);

uint64_t spool_last_n(const struct spool *s);  /* numbers up to here are taken */
uint64_t spool_bytes(const struct spool *s);
uint64_t spool_set_aside(const struct spool *s); /* items in files whose head is damaged, kept as *.damaged */
void spool_take_run(struct spool *s, const struct run *run); /* what is appended from now on belongs to this one */
const struct run *spool_run(const struct spool *s); /* of what is appended */
const struct mark *spool_mark(const struct spool *s);

/* Writes records, complete but for their checks, and syncs them. HY_OK: durable. HY_FULL with *f empty: the bound is reached; else the disk's
 * error; then nothing was written, as far as any reader will see, and the same records can come again. */
int spool_append(struct spool *s, uint8_t *records, size_t size, struct hy_fault *f);

/* The next item at *p, which moves behind it; false when there is none (yet). */
bool spool_next(struct spool *s, struct place *p, struct item *out);

/* Everything before `p` is settled: files that are done are removed, the mark is kept. */
void spool_settle(struct spool *s, const struct place *p);
/* From number base_n + 1 on the run goes under another name. HY_OK: durable. */
int spool_rename(struct spool *s, const struct run *run, const struct run *alias, struct hy_fault *f);

#endif
