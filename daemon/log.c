/* log: see the header. */
#include "daemon/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/text.h"

#define REPEATS                                                                                    \
    128 /* remembered (code, partition) pairs; a collision only repeats a line earlier */

struct repeat {
    uint64_t key;
    int64_t written_ms; /* mono; 0 never */
    uint64_t left_out;
};

static struct {
    pthread_mutex_t lock;
    struct log_options options;
    struct repeat repeats[REPEATS];
} the_log = {.lock = PTHREAD_MUTEX_INITIALIZER,
             .options = {.level = LOG_LEVEL_NOTICE, .fd = STDERR_FILENO}};

static const char *const level_words[] = {"error", "warning", "notice", "info", "debug"};
static const int level_priorities[] = {LOG_ERR, LOG_WARNING, LOG_NOTICE, LOG_INFO, LOG_DEBUG};

void log_open(const struct log_options *options)
{
    (void)pthread_mutex_lock(&the_log.lock);
    the_log.options = *options;
    memset(the_log.repeats, 0, sizeof the_log.repeats);
    (void)pthread_mutex_unlock(&the_log.lock);
}

bool log_under_journald(void)
{
    const char *stream =
        getenv("JOURNAL_STREAM"); /* "device:inode" of our standard error, sd-daemon(7) */
    unsigned long long device = 0, inode = 0;
    struct stat at;

    if (!stream || sscanf(stream, "%llu:%llu", &device, &inode) != 2 ||
        fstat(STDERR_FILENO, &at) != 0)
        return false;
    return at.st_dev == device && at.st_ino == inode;
}

size_t log_format(int64_t wall_ms, enum log_level level, const char *code, int32_t partition,
                  uint64_t left_out, const char *text, char ret_line[LOG_LINE_MAX])
{
    char time[TEXT_TIME_BYTES], place[32] = "", repeated[48] = "";
    size_t len;
    int head;

    (void)text_time_format(wall_ms, time);
    if (partition >= 0)
        (void)snprintf(place, sizeof place, " partition=%d", partition);
    if (left_out > 0)
        (void)snprintf(repeated, sizeof repeated, " left_out=%llu", (unsigned long long)left_out);
    head = snprintf(ret_line, LOG_LINE_MAX, "time=%s level=%s code=%.40s%s%s msg=\"", time,
                    level_words[level], code, place, repeated);
    len = (size_t)head;
    for (; *text && len < LOG_LINE_MAX - 4; text++) {
        unsigned char byte = (unsigned char)*text;

        if (byte == '"' || byte == '\\')
            ret_line[len++] = '\\';
        ret_line[len++] = byte < ' ' || byte == 0x7f ? ' ' : (char)byte;
    }
    ret_line[len++] = '"';
    ret_line[len++] = '\n';
    ret_line[len] = '\0';
    return len;
}

/* Is it time to write this one (again)? *ret_left_out: how many were not written since the last. */
static bool due(enum log_level level, const char *code, int32_t partition, int64_t now_ms,
                uint64_t *ret_left_out)
{
    uint64_t key = hash_bytes(span_of(code), (uint64_t)(uint32_t)partition);
    struct repeat *repeat = &the_log.repeats[key % REPEATS];

    *ret_left_out = 0;
    if (level > LOG_LEVEL_WARNING)
        return true;
    if (repeat->key != key || repeat->written_ms == 0 ||
        now_ms - repeat->written_ms >= LOG_REPEAT_MS) {
        if (repeat->key == key)
            *ret_left_out = repeat->left_out;
        *repeat = (struct repeat){.key = key, .written_ms = now_ms};
        return true;
    }
    repeat->left_out++;
    return false;
}

static void to_journal(enum log_level level, const char *code, int32_t partition, uint64_t left_out,
                       const char *text)
{
    char place[24] = "-";

    if (partition >= 0)
        (void)snprintf(place, sizeof place, "%d", partition);
    (void)sd_journal_send("MESSAGE=%s", text, "PRIORITY=%d", level_priorities[level],
                          "SYSLOG_IDENTIFIER=lifecycled", "LIFECYCLED_CODE=%s", code,
                          "LIFECYCLED_PARTITION=%s", place, "LIFECYCLED_LEFT_OUT=%llu",
                          (unsigned long long)left_out, NULL);
}

void log_line(enum log_level level, const char *code, int32_t partition, const char *format, ...)
{
    struct clock clock = clock_system();
    char text[REPORT_TEXT_MAX + 64], line[LOG_LINE_MAX];
    uint64_t left_out = 0;
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    (void)pthread_mutex_lock(&the_log.lock);
    if (level <= the_log.options.level &&
        due(level, code, partition, clock_mono_ms(&clock) + 1, &left_out)) {
        if (the_log.options.journald) {
            to_journal(level, code, partition, left_out, text);
        } else {
            size_t len =
                log_format(clock_wall_ms(&clock), level, code, partition, left_out, text, line);

            /* Nobody can be told that telling failed. */
            if (write(the_log.options.fd, line, len) < 0)
                the_log.options.fd = STDERR_FILENO;
        }
    }
    (void)pthread_mutex_unlock(&the_log.lock);
}

void log_report(enum log_level level, const struct report *report)
{
    log_line(level, report->code, -1, "%s", report->text);
}
