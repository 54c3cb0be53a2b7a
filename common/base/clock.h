/* Time, through one seam: tests stand the clock still and move it by hand.
 * Wall time is for what is stored and shown; waiting is measured on a clock that never jumps. */
#ifndef HY_BASE_CLOCK_H
#define HY_BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

int64_t hy_now_ms(void);  /* wall clock, milliseconds since 1970-01-01T00:00Z */
int64_t hy_mono_ms(void); /* CLOCK_BOOTTIME, milliseconds; only differences mean something */
uint64_t hy_mono_ns(void);

/* RFC 3339 in UTC with milliseconds, "2026-01-31T08:00:00.000Z". `out` has room for 25. */
void hy_time_text(int64_t ms, char out[static 25]);
/* Reads an RFC 3339 date-time (any offset, optional fraction) into milliseconds; false when it is not one. */
bool hy_time_parse(const char *text, int64_t *ms);
/* "850 ms", "12.4 s", "3 min", "2 h", "5 d": for people. `out` has room for 24. */
void hy_duration_text(int64_t ms, char out[static 24]);

/* Tests only: wall and monotonic clocks stand at `now_ms` until moved again; a negative value lets them run. */
void hy_clock_stand(int64_t now_ms);
/* Tests only: the wall clock runs ahead by so much from now on. A daemon of a test build does it when it begins, by as many ms as
 * $HUIYIN_AHEAD_MS says: what must wait for hours is tried by starting it later. */
void hy_clock_ahead(int64_t ms);

#endif
