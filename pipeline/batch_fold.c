/* Folding a part: events, control records and timers in the order of the log. Only copies are
 * changed. */
#include "pipeline/batch_inner.h"

#include "base/must.h"
#include "model/errands.h"
#include "pipeline/guard.h"
#include "state/params_codec.h"

/* What alerts say of the parameters in force. */
static void alert_options(struct batch *batch, const struct batch_part *part)
{
    const struct params *params = &part->partition->params;
    batch->alert = batch->ports->options.alert;
    batch->alert.reporting = params->reporting;
    batch->alert.horizon_ms = params->churn_horizon_ms;
    batch->alert.params_version = part->base.params_version;
    batch->alert.calibrated = params->calibrated != 0;
}

/* What the step just made becomes messages; in replay it was told before. */
static enum status emit(struct batch *batch, struct batch_part *part,
                        const struct batch_customer *customer)
{
    for (uint32_t i = 0; i < batch->effects.count && !part->replay; i++) {
        enum status status = outbox_alert(&part->outbox, &batch->arena, &batch->effects.at[i],
                                          customer->id, &batch->alert, batch->wall_ms);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

/* After a step: forgotten and erased customers have no ledger, and what is due in this batch joins
 * the timers. */
static enum status settle_customer(struct batch_part *part, struct batch_customer *customer,
                                   int64_t due_before_ms)
{
    customer->dirty = true;
    if (customer_is_empty(&customer->state))
        customer_init(&customer->state);
    if (customer_is_empty(&customer->state) || customer_is_mark(&customer->state))
        ledger_clear(&customer->ledger);
    customer->state.params_version = part->base.params_version; /* an erasure forgets it */
    if (customer->state.due_ms == due_before_ms)
        return STATUS_OK;
    return timers_push(&part->timers, (struct heap_item){batch_customer_due(customer),
                                                         customer->hash, customer->index});
}

/* Against what lateness is measured here in the log. */
static int64_t found(const struct batch_part *part, int64_t found_ms)
{
    return part->partition->params.clock == FOLD_CLOCK_WALL
               ? guard_found_ms(&part->next.guard, found_ms)
               : found_ms;
}

static enum status fire(struct batch *batch, struct batch_part *part,
                        struct batch_customer *customer, int64_t found_ms)
{
    const int64_t due_ms = customer->state.due_ms, at_ms = batch_customer_due(customer);
    batch->effects.count = 0;
    fold_timers(&customer->state, due_ms, found_ms, &part->partition->params, &batch->effects);
    MUST(customer->state.due_ms > due_ms);
    part->timers_fired++;
    part->told += batch->effects.count;
    if (part->partition->params.clock == FOLD_CLOCK_WALL)
        guard_log_alerts(&part->next.guard, at_ms, batch->effects.count);
    enum status status = emit(batch, part, customer);
    return status == STATUS_OK ? settle_customer(part, customer, due_ms) : status;
}

/* Is what is told by now as much as may be? Replays go as far as is recorded. */
static bool brakes(const struct batch *batch, const struct batch_part *part)
{
    return !part->replay && part->partition->params.clock == FOLD_CLOCK_WALL &&
           (part->told >= part->alert_max ||
            guard_storm_begins(&batch->ports->options.guard, &part->next.guard));
}

enum status batch_advance(struct batch *batch, struct batch_part *part, int64_t until_ms,
                          int64_t found_ms)
{
    if (until_ms <= part->next.watermark_ms)
        return STATUS_OK;
    MUST(until_ms <= part->timers.horizon_ms);
    struct heap_item item;
    while (timers_pop(&part->timers, until_ms, &item)) {
        struct batch_customer *customer = part->customers[item.index];
        if (batch_customer_due(customer) != item.at_ms)
            continue; /* an older entry of a customer that moved */
        if (part->cut && item.at_ms > part->next.watermark_ms)
            return STATUS_OK; /* it is held back: its bucket stays due */
        enum status status = fire(batch, part, customer, found(part, found_ms));
        if (status != STATUS_OK)
            return status;
        if (item.at_ms > part->next.watermark_ms)
            part->next.watermark_ms = item.at_ms;
        part->cut = part->cut || brakes(batch, part);
    }
    if (!part->cut)
        part->next.watermark_ms = until_ms;
    return STATUS_OK;
}

static size_t headers_of(struct batch *batch, const struct record *record,
                         struct header headers[RECORD_HEADERS_MAX])
{
    const struct source *source = &batch->ports->source;
    size_t count = source->headers(source->self, record, headers, RECORD_HEADERS_MAX);
    return count > RECORD_HEADERS_MAX ? RECORD_HEADERS_MAX : count;
}

/* What the step wants of other customers, and the receipt of an erasure; in replay it was done
 * before. */
static enum status emit_errands(struct batch *batch, struct batch_part *part,
                                const struct batch_event *event)
{
    const struct errands *errands = batch->effects.errands;
    const struct worker_options *options = &batch->ports->options;
    struct header headers[RECORD_HEADERS_MAX];
    bool silent = part->replay;
#ifdef LC_PLANT_ERRAND_REPLAYED
    silent = false;
#endif
    if (silent || (errands->to_len == 0 && !errands->receipt))
        return STATUS_OK;
    struct outbox_errands todo = {.cause = {.source = options->alert.source,
                                            .customer = event->event.customer,
                                            .event = &event->event,
                                            .record = event->record},
                                  .errands = errands,
                                  .headers = headers,
                                  .header_count = headers_of(batch, event->record, headers),
                                  .decode = &options->decode,
                                  .msgpack = options->alert.msgpack,
                                  .recorded_ms = batch->wall_ms};
    return outbox_errands(&part->outbox, &batch->arena, &todo);
}

static enum status fold_dead_letter(struct batch *batch, struct batch_part *part,
                                    const struct batch_event *event, enum decode_error error,
                                    struct span detail)
{
    if (part->replay)
        return STATUS_OK;
    struct ports *ports = batch->ports;
    struct header headers[RECORD_HEADERS_MAX];
    size_t count = headers_of(batch, event->record, headers);
    struct dead_letter letter = {.record = event->record,
                                 .headers = headers,
                                 .header_count = count,
                                 .error = error,
                                 .detail = detail,
                                 .topic = ports->options.input_topic};
    return outbox_dead_letter(&part->outbox, &batch->arena, &letter);
}

static enum status fold_record(struct batch *batch, struct batch_part *part,
                               struct batch_event *event)
{
    struct batch_customer *customer = event->customer;
    const char *why = NULL;
    enum status status = STATUS_OK;
    if (event->error != DECODE_NONE)
        return fold_dead_letter(batch, part, event, event->error, event->detail);
    int64_t due_ms = customer->state.due_ms;
    const int64_t record_ms = event->event.record_ms;
    batch->effects.count = 0;
    event->event.record_ms = found(part, record_ms);
    enum fold_outcome outcome =
        fold_event(&customer->state, &customer->ledger, &event->event, part->next.watermark_ms,
                   &part->partition->params, &batch->effects, &why);
    event->event.record_ms = record_ms;
    switch (outcome) {
    case FOLD_APPLIED:
        part->applied++;
        part->unknown_types += event->event.type == EVENT_UNKNOWN;
        status = emit(batch, part, customer);
        if (status == STATUS_OK)
            status = emit_errands(batch, part, event);
        if (status == STATUS_OK)
            status = settle_customer(part, customer, due_ms);
        break;
    case FOLD_DUPLICATE:
        part->duplicates++;
        break;
    case FOLD_FORWARDED:
        part->forwarded++;
        status = emit_errands(batch, part, event);
        break;
    case FOLD_IGNORED:
        part->ignored++;
        break;
    case FOLD_REJECTED:
        status = fold_dead_letter(batch, part, event, DECODE_FOLD, span_of(why));
        break;
    }
    /* the event clock: time has come, whatever became of the event */
    if (status == STATUS_OK && part->partition->params.clock == FOLD_CLOCK_EVENT)
        status = batch_advance(batch, part, event->event.time_ms, event->event.record_ms);
    return status;
}

static enum status fold_control(struct batch *batch, struct batch_part *part,
                                const struct batch_control *control, struct report *report)
{
    const struct control_record *record = &control->record;
    MUST(record->number == part->next.at.control + 1);
    part->next.at.control = record->number;
    part->next.control_offset = control->offset;
    if (record->label > part->next.at.offset)
        part->next.at.offset = record->label;
    if (record->kind == CONTROL_TICK)
        return batch_advance(batch, part, record->watermark_ms, record->made_ms);
    if (record->kind == CONTROL_GUARD) {
        guard_log_held(&part->next.guard, record->held, record->watermark_ms);
        return STATUS_OK;
    }
    part->params_next = arena_alloc(&batch->arena, sizeof(*part->params_next));
    if (part->params_next == NULL)
        return STATUS_FULL;
    if (params_decode(record->params, part->params_next, report) != STATUS_OK)
        return STATUS_REJECT;
    params_fingerprint(part->params_next, part->next.cfg);
    part->next.params_version = record->params_version;
    part->next.switched_ms = part->next.watermark_ms;
    part->due_all = record->kind == CONTROL_SWITCH;
    return STATUS_OK;
}

enum status batch_fold(struct batch *batch, struct batch_part *part, struct report *report)
{
    uint32_t controls = 0;
    enum status status = STATUS_OK;
    int64_t end = part->next.at.offset; /* planned: over the gap before K */
    part->next.at.offset = part->base.at.offset;
    alert_options(batch, part);
    for (uint32_t i = 0; i <= part->event_count; i++) {
        while (controls < part->control_count && part->controls[controls].before == i &&
               status == STATUS_OK)
            status = fold_control(batch, part, &part->controls[controls++], report);
        if (i == part->event_count || status != STATUS_OK)
            break;
        const struct record *record = part->events[i].record;
        MUST(record->offset >= part->next.at.offset || part->partition->loss_accepted);
        MUST(part->base.params_version > 0);
        status = fold_record(batch, part, &part->events[i]);
        guard_log_record(&part->next.guard, record->timestamp_ms);
#ifdef LC_PLANT_GAPS_COUNTED
        part->next.at.offset++;
#else
        part->next.at.offset = record->offset + 1;
#endif
    }
    if (status != STATUS_OK)
        return status;
    if (part->event_count > 0) {
        const struct record *last = part->events[part->event_count - 1].record;
        part->next.last_offset = last->offset;
        part->next.last_hash = partition_record_hash(last);
    }
    if (end > part->next.at.offset)
        part->next.at.offset = end;
    part->taken = part->event_count;
    return STATUS_OK;
}

/* A recorded tick: W stands where it was unless the record says so. */
static enum status record_tick(struct batch *batch, struct batch_part *part, int64_t made_ms)
{
    if (part->timers_fired == 0) {
        part->next.watermark_ms = part->base.watermark_ms;
        return STATUS_OK;
    }
    if (part->replay) /* a bounded piece of an advance whose effects were delivered: the state alone
                         keeps it */
        return STATUS_OK;
#ifdef LC_PLANT_TICK_UNRECORDED
    part->transactional = true;
    return STATUS_OK;
#endif
    struct control_record record = {.kind = CONTROL_TICK,
                                    .number = part->next.at.control + 1,
                                    .label = part->next.at.offset,
                                    .watermark_ms = part->next.watermark_ms,
                                    .made_ms = made_ms,
                                    .params_version = part->base.params_version};
    part->next.at.control = record.number;
    return outbox_control(&part->outbox, &batch->arena, part->partition->number, &record);
}

/* The first item alone brings more due than one batch takes: go towards it by a bounded step of W.
 */
static enum status fold_towards(struct batch *batch, struct batch_part *part, int64_t until_ms,
                                bool control_first)
{
    int64_t found_ms =
        control_first ? part->controls[0].record.made_ms : part->events[0].event.record_ms;
    alert_options(batch, part);
    enum status status = batch_advance(batch, part, until_ms, found_ms);
    return status == STATUS_OK ? record_tick(batch, part, found_ms) : status;
}

enum status batch_add_events(struct batch *batch, struct partition *partition, size_t max,
                             struct batch_part **ret_part, struct report *report)
{
    struct batch_part *part = batch_part_new(batch, partition);
    *ret_part = NULL;
    if (part == NULL)
        return STATUS_FULL;
    enum status status = batch_plan(batch, part, max, report);
    if (status != STATUS_OK)
        return status;
    if (part->event_count + part->control_count == 0 &&
        position_compare(part->next.at, part->base.at) == 0)
        return STATUS_OK;
    status = batch_load(batch, part, report);
    int64_t horizon_ms = batch_plan_horizon(part), until_ms = horizon_ms;
    if (status == STATUS_OK && horizon_ms > part->base.watermark_ms)
        status = batch_load_due(batch, part, horizon_ms, &until_ms, report);
    if (status != STATUS_OK)
        return status;
    bool control_first = part->control_count > 0 && part->controls[0].before == 0;
    if (until_ms < horizon_ms && !batch_plan_cut(part, until_ms))
        status = fold_towards(batch, part, until_ms, control_first);
    else
        status = batch_fold(batch, part, report);
    if (status == STATUS_OK)
        status = batch_part_finish(batch, part);
    if (status == STATUS_OK)
        *ret_part = part;
    return status;
}

/* --- ticks --- */

/* From here on time is held by these; a storm that begins is told in the same transaction. */
static enum status record_held(struct batch *batch, struct batch_part *part, uint32_t held,
                               int64_t clock_ms)
{
    struct store_guard *log = &part->next.guard;
    const bool storm = (held & ~log->held & STORE_HELD_STORM) != 0;
    struct control_record record = {.kind = CONTROL_GUARD,
                                    .number = part->next.at.control + 1,
                                    .label = part->next.at.offset,
                                    .watermark_ms = log->held != 0 ? log->held_ms : clock_ms,
                                    .made_ms = batch->wall_ms,
                                    .held = held,
                                    .params_version = part->base.params_version};
    const struct storm_alert alert = {.partition = part->partition->number,
                                      .number = record.number,
                                      .at_ms = clock_ms,
                                      .alerts = log->alerts,
                                      .limit = guard_storm_limit(&batch->ports->options.guard, log),
                                      .mean_milli = log->mean_milli,
                                      .silent = (held & STORE_HELD_SILENCE) != 0};
#ifdef LC_PLANT_STORM_UNRECORDED
    if (storm) {
        part->transactional = true;
        log->held |= STORE_HELD_STORM;
        return outbox_storm(&part->outbox, &batch->arena, &alert, &batch->alert, batch->wall_ms);
    }
#endif
    guard_log_held(log, held, record.watermark_ms);
    part->next.at.control = record.number;
    enum status status =
        outbox_control(&part->outbox, &batch->arena, part->partition->number, &record);
    if (status != STATUS_OK || !storm)
        return status;
    return outbox_storm(&part->outbox, &batch->arena, &alert, &batch->alert, batch->wall_ms);
}

/* What holds time after the tick. */
static uint32_t held_after(const struct batch *batch, const struct batch_part *part,
                           const struct batch_tick *tick)
{
    const struct store_guard *log = &part->next.guard;
    uint32_t held = log->held;
    if (guard_storm_begins(&batch->ports->options.guard, log))
        held |= STORE_HELD_STORM;
    else if (tick->storm_over && !tick->cut && !tick->more)
        held &= ~STORE_HELD_STORM;
    if (!tick->silent && !tick->cut && !tick->more)
        held &= ~STORE_HELD_SILENCE;
    return held;
}

static enum status fire_due(struct batch *batch, struct batch_part *part, struct batch_tick *tick,
                            struct report *report)
{
    int64_t until_ms = tick->until_ms;
    enum status status = batch_load_due(batch, part, tick->until_ms, &until_ms, report);
    part->alert_max = tick->alert_max;
    if (status == STATUS_OK)
        status = batch_advance(batch, part, until_ms, batch->wall_ms);
    if (status == STATUS_OK)
        status = record_tick(batch, part, batch->wall_ms);
    tick->cut = part->cut;
    tick->more = !part->cut && until_ms < tick->until_ms;
    tick->told = part->told;
    return status;
}

enum status batch_add_tick(struct batch *batch, struct partition *partition,
                           struct batch_tick *tick, struct report *report)
{
    const uint32_t held = partition->meta.guard.held;
    const bool due =
        tick->until_ms > partition->meta.watermark_ms &&
        tick->until_ms >= partition->due_next_ms; /* the index says so without asking */
    const bool begins = tick->silent && !(held & STORE_HELD_SILENCE);
    const bool ends = (held & STORE_HELD_SILENCE && !tick->silent) ||
                      (held & STORE_HELD_STORM && tick->storm_over);
    enum status status = STATUS_OK;
    tick->more = tick->cut = false;
    tick->told = 0;
    if (!due && !begins && !ends)
        return STATUS_OK;
    struct batch_part *part = batch_part_new(batch, partition);
    if (part == NULL)
        return STATUS_FULL;
    if (partition->log_end > part->next.at.offset)
        part->next.at.offset = partition->log_end;
    alert_options(batch, part);
    if (begins)
        status = record_held(batch, part, held | STORE_HELD_SILENCE, tick->until_ms);
    if (due && tick->alert_max <= 0)
        tick->cut = true;
    else if (due && status == STATUS_OK)
        status = fire_due(batch, part, tick, report);
    if (status == STATUS_OK && held_after(batch, part, tick) != part->next.guard.held)
        status = record_held(batch, part, held_after(batch, part, tick), part->next.watermark_ms);
    if (status == STATUS_OK && (part->bucket_count > 0 || part->outbox.count > 0))
        status = batch_part_finish(batch, part);
    else if (status == STATUS_OK && due && !tick->cut)
        partition->due_next_ms = part->due_next_ms;
    return status;
}
