#include "ctl/in_force.h"

#include <stdlib.h>

#include "ctl/ctl.h"
#include "ctl/kafka_client.h"
#include "pipeline/position_codec.h"
#include "state/params_codec.h"

/* Later records of a partition come later. */
static enum status take(const struct record *record, struct params *params, int32_t count,
                        bool *found, struct report *report)
{
    struct control_record control;
    const char *why = NULL;

    if (record->partition >= count)
        return STATUS_OK;
    if (control_decode(record->value, &control, &why) != STATUS_OK) {
        report_set(report, "control-damaged", "control record %lld of partition %d: %s",
                   (long long)record->offset, record->partition, why);
        return STATUS_REJECT;
    }
    if (control.kind != CONTROL_BIRTH && control.kind != CONTROL_SWITCH)
        return STATUS_OK;
    found[record->partition] = true;
    return params_decode(control.params, &params[record->partition], report);
}

static enum status read_all(struct kafka_reader *reader, struct params *params, int32_t count,
                            bool *found, struct report *report)
{
    struct record record;

    for (;;) {
        bool end = false;
        enum status status = kafka_reader_next(reader, 250, &record, &end, report);

        if (status == STATUS_OK && end)
            return STATUS_OK;
        if (status == STATUS_OK)
            status = take(&record, params, count, found, report);
        if (status != STATUS_OK && status != STATUS_RETRY)
            return status;
        if (ctl_interrupted()) {
            report_set(report, "interrupted", "stopped before the end");
            return STATUS_REJECT;
        }
    }
}

enum status in_force_read(const struct servers *servers, struct params *params, int32_t count,
                          int32_t *ret_missing, struct report *report)
{
    struct kafka_reader *reader = NULL;
    bool *found = calloc((size_t)count, sizeof *found);
    enum status status;

    *ret_missing = -1;
    if (!found) {
        report_set(report, "memory", "no memory");
        return STATUS_RETRY;
    }
    status = kafka_reader_open(&servers->kafka, servers->kafka.control, true, &reader, report);
    if (status == STATUS_OK)
        status = read_all(reader, params, count, found, report);
    for (int32_t i = count; i-- > 0;)
        if (!found[i])
            *ret_missing = i;
    kafka_reader_close(reader);
    free(found);
    return status;
}
