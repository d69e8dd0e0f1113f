/* log: structured lines to journald or as logfmt to standard error. Thread-safe. One for the
 * process, opened by main.
 *
 * A line has a severity, a code (the runbook's key: docs/OPERATIONS.md), optionally a partition,
 * and one sentence. A warning or error of the same code and partition is written when it appears
 * and then at most every LOG_REPEAT_MS, with the number of lines left out, so that an outage of an
 * hour is two lines a minute and not two a millisecond. */
#ifndef LC_DAEMON_LOG_H
#define LC_DAEMON_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/report.h"

#define LOG_REPEAT_MS 30000
#define LOG_LINE_MAX  1024

/* In the order of the configuration's words. */
enum log_level {
    LOG_LEVEL_ERROR,
    LOG_LEVEL_WARNING,
    LOG_LEVEL_NOTICE,
    LOG_LEVEL_INFO,
    LOG_LEVEL_DEBUG
};

struct log_options {
    enum log_level level; /* least important written */
    bool journald;        /* else logfmt to `fd` */
    int fd;
};

void log_open(const struct log_options *options);
/* Does standard error lead to the journal (JOURNAL_STREAM names it)? */
bool log_under_journald(void);
/* partition −1: none. */
void log_line(enum log_level level, const char *code, int32_t partition, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void log_report(enum log_level level, const struct report *report);
/* One logfmt line with its line end, bounded by LOG_LINE_MAX; values are quoted and escaped as
 * needed, control bytes become spaces. Returns the length. For log_line and its test. */
size_t log_format(int64_t wall_ms, enum log_level level, const char *code, int32_t partition,
                  uint64_t left_out, const char *text, char ret_line[LOG_LINE_MAX]);

#endif
