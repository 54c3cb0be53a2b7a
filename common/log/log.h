/* One line an event, on standard error: time, level, program, event, and its fields.
 *     2026-01-31T08:00:00.123Z info  notifier notice.told notice=... channel=file
 * `hy_info("notice.told", "notice=%s channel=%s", id, channel)`. The event name is a fixed word with dots; the fields are
 * logfmt. Whatever comes in is made one harmless line (control characters escaped), so customer text can't forge a line;
 * still, log ids rather than texts, and never secrets. Log once, where the decision is taken.
 * A line is cut at 8 KiB. Below the level nothing is formatted. Lines are written with one write(2): whole lines even from several threads. */
#ifndef HY_LOG_H
#define HY_LOG_H

#include <stdarg.h>
#include <stdbool.h>

enum hy_level { HY_ERROR, HY_WARN, HY_INFO, HY_DEBUG };

/* `color`: 1 yes, 0 no, -1 when standard error is a terminal and NO_COLOR is unset. */
void hy_log_open(const char *program, enum hy_level level, int color);
bool hy_log_level_parse(const char *word, enum hy_level *out);

void hy_log(enum hy_level level, const char *event, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
extern enum hy_level hy_log_level;
#define hy_log_at(l, ...) ((l) <= hy_log_level ? hy_log((l), __VA_ARGS__) : (void)0)
#define hy_error(...) hy_log_at(HY_ERROR, __VA_ARGS__)
#define hy_warn(...) hy_log_at(HY_WARN, __VA_ARGS__)
#define hy_info(...) hy_log_at(HY_INFO, __VA_ARGS__)
#define hy_debug(...) hy_log_at(HY_DEBUG, __VA_ARGS__)

/* Tests only: lines, without their line feed, go to `sink` instead (NULL: back to standard error). */
void hy_log_capture(void (*sink)(const char *line, void *arg), void *arg);

#endif
