/* Which records and control records a part takes, in the order of the log.
 *
 * Live, that is the next records. In replay, control records come between them, each before the
 * event at its label, and the part ends exactly at (K, C_K): one event further and its alerts would
 * be swallowed. A change of parameters ends a part, so that one part has one set of them. */
#include "base/must.h"
#include "pipeline/batch_inner.h"

/* Everything below this offset of the log is in the queue's past or in `count` records of it. */
static int64_t known_through(const struct partition *partition, size_t count)
{
    if (partition->queue_next + count < partition->queue_count)
        return partition->queue[partition->queue_next + count]->offset;
    int64_t through = partition->caught_up ? partition->log_end : INT64_MIN;
    if (count > 0) {
        int64_t after = partition->queue[partition->queue_next + count - 1]->offset + 1;
        if (after > through)
            through = after;
    }
    return through > partition->meta.at.offset ? through : partition->meta.at.offset;
}

/* Control records up to C_K that belong before, between or right behind the events. */
static enum status plan_controls(struct batch *batch, struct batch_part *part, int64_t through,
                                 struct report *report)
{
    struct partition *partition = part->partition;
    int64_t number = part->base.at.control, label = part->base.at.offset;
    uint32_t at = 0, cap = CONTROL_WINDOW;
    part->controls = arena_alloc(&batch->arena, cap * sizeof(*part->controls));
    if (part->controls == NULL)
        return STATUS_FULL;
    control_log_seek(&partition->control, part->base.control_offset);
    while (number < partition->delivered.at.control) {
        struct batch_control control;
        enum status status = control_log_find(&partition->control, &batch->ports->source,
                                              number + 1, &control.record, &control.offset, report);
        if (status == STATUS_GONE)
            return STATUS_REJECT;
        if (status == STATUS_RETRY || part->control_count == cap) {
#ifndef LC_PLANT_CONTROL_OVERTAKEN
            part->event_count = at; /* an event behind a record not seen yet must wait for it */
#endif
            return STATUS_OK;
        }
        if (control.record.label < label && !partition->loss_accepted) {
            report_set(report, "control-order", "control record %lld is labelled %lld, before %lld",
                       (long long)control.record.number, (long long)control.record.label,
                       (long long)label);
            return STATUS_GONE; /* the state is not of this log: rebuild */
        }
        if (control.record.label > through)
            return STATUS_OK;
        while (at < part->event_count && part->events[at].record->offset < control.record.label)
            at++;
        control.before = at;
        label = control.record.label;
        number++;
        control_log_skip(&partition->control);
        bool parameters =
            control.record.kind == CONTROL_BIRTH || control.record.kind == CONTROL_SWITCH;
        if (parameters) {
            control.record.params.at =
                arena_copy(&batch->arena, control.record.params.at, control.record.params.len);
            if (control.record.params.at == NULL)
                return STATUS_FULL;
            part->event_count = at;
        }
        part->controls[part->control_count++] = control;
        if (parameters)
            return STATUS_OK;
    }
    return STATUS_OK;
}

/* All below K is in this part or was before it: the part ends at K itself, whatever gap lies before
 * it. */
static void plan_end(struct batch_part *part, int64_t through, size_t offered)
{
    const struct position end = partition_replay_end(part->partition);
    int64_t control = part->base.at.control + part->control_count;
    if (through >= end.offset && part->event_count == offered && control == end.control &&
        part->next.at.offset < end.offset)
        part->next.at.offset = end.offset;
}

enum status batch_plan(struct batch *batch, struct batch_part *part, size_t max,
                       struct report *report)
{
    struct partition *partition = part->partition;
    size_t count = partition->queue_count - partition->queue_next;
    if (count > max)
        count = max;
#ifndef LC_PLANT_REPLAY_NOT_CUT
    if (part->replay) {
        const int64_t end = partition_replay_end(partition).offset;
        while (count > 0 && partition->queue[partition->queue_next + count - 1]->offset >= end)
            count--;
    }
#endif
    enum status status = batch_decode(batch, part, count);
    if (status != STATUS_OK || !part->replay)
        return status;
    int64_t through = known_through(partition, count);
    status = plan_controls(batch, part, through, report);
    if (status == STATUS_OK)
        plan_end(part, through, count);
    return status;
}

/* Where an item would bring W; INT64_MIN: it does not move it. */
static int64_t event_watermark(const struct batch_part *part, const struct batch_event *event)
{
    if (part->partition->params.clock != FOLD_CLOCK_EVENT || event->error != DECODE_NONE)
        return INT64_MIN;
    return event->event.time_ms;
}

static int64_t control_watermark(const struct batch_control *control)
{
    return control->record.kind == CONTROL_TICK ? control->record.watermark_ms : INT64_MIN;
}

int64_t batch_plan_horizon(const struct batch_part *part)
{
    int64_t horizon_ms = INT64_MIN;
    for (uint32_t i = 0; i < part->event_count; i++) {
        int64_t at_ms = event_watermark(part, &part->events[i]);
        horizon_ms = at_ms > horizon_ms ? at_ms : horizon_ms;
    }
    for (uint32_t i = 0; i < part->control_count; i++) {
        int64_t at_ms = control_watermark(&part->controls[i]);
        horizon_ms = at_ms > horizon_ms ? at_ms : horizon_ms;
    }
    return horizon_ms;
}

bool batch_plan_cut(struct batch_part *part, int64_t until_ms)
{
    uint32_t events = 0, controls = 0;
    for (;;) {
        if (controls < part->control_count && part->controls[controls].before == events) {
            if (control_watermark(&part->controls[controls]) > until_ms)
                break;
            controls++;
        } else if (events < part->event_count) {
            if (event_watermark(part, &part->events[events]) > until_ms)
                break;
            events++;
        } else {
            return true;
        }
    }
    part->event_count = events;
    part->control_count = controls;
    part->next.at.offset = part->base.at.offset; /* it does not reach the end that was planned */
    return events + controls > 0;
}
