#include "pipeline/control_log.h"

#define WINDOW_BYTES_MAX ((size_t)CONTROL_WINDOW * (32u << 10))

void control_log_init(struct control_log *log, int32_t partition)
{
    *log = (struct control_log){.partition = partition};
    arena_init(&log->arena, WINDOW_BYTES_MAX);
}

void control_log_fini(struct control_log *log)
{
    arena_fini(&log->arena);
}

void control_log_seek(struct control_log *log, int64_t from)
{
    log->from = from < 0 ? 0 : from;
    log->count = log->next = 0;
}

enum status control_log_peek(struct control_log *log, struct source *source,
                             struct control_record *ret_record, int64_t *ret_offset,
                             struct report *report)
{
    if (log->next == log->count) {
        log->count = log->next = 0;
        arena_reset(&log->arena);
        log->at_end = false;
        int64_t end = log->from;
        enum status status =
            source->control(source->self, log->partition, log->from, CONTROL_WINDOW, &log->arena,
                            &log->window, &log->count, &end, &log->low, report);
        if (status != STATUS_OK)
            return STATUS_RETRY;
        if (end > log->from)
            log->from = end;
        if (log->count == 0) {
            log->at_end = true;
            return STATUS_RETRY;
        }
    }
    const struct record *record = &log->window[log->next];
    const char *why = NULL;
    if (control_decode(record->value, ret_record, &why) != STATUS_OK) {
        report_set(report, "control-damaged",
                   "control record at offset %lld of partition %d cannot be read: %s",
                   (long long)record->offset, log->partition, why ? why : "unknown form");
        return STATUS_GONE;
    }
    *ret_offset = record->offset;
    return STATUS_OK;
}

void control_log_skip(struct control_log *log)
{
    if (log->next < log->count)
        log->next++;
}

enum status control_log_find(struct control_log *log, struct source *source, int64_t number,
                             struct control_record *ret_record, int64_t *ret_offset,
                             struct report *report)
{
    for (;;) {
        struct control_record record;
        int64_t offset;
        enum status status = control_log_peek(log, source, &record, &offset, report);
        if (status != STATUS_OK)
            return status;
        if (record.number == number) {
            *ret_record = record;
            *ret_offset = offset;
            return STATUS_OK;
        }
        if (record.number > number) {
            report_set(report, "control-lost",
                       "the control topic holds record %lld of partition %d but %lld, which comes "
                       "before it, is gone "
                       "(retention shorter than the input's?)",
                       (long long)record.number, log->partition, (long long)number);
            return STATUS_GONE;
        }
        control_log_skip(log);
    }
}
