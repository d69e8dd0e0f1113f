#include "pipeline/commit.h"

#include "base/must.h"
#include "base/text.h"
#include "pipeline/guard.h"

static enum status commit_kafka(struct batch *batch, struct ports *ports, struct report *report);
static enum status commit_redis(struct batch *batch, struct ports *ports, struct report *report);

enum status commit_batch(struct batch *batch, struct ports *ports, struct report *report)
{
#ifdef LC_PLANT_COMMIT_REDIS_FIRST
    enum status early = batch->stage == BATCH_SEND ? commit_redis(batch, ports, report) : STATUS_OK;
    if (early != STATUS_OK)
        return early;
#endif
    if (batch->stage == BATCH_SEND) {
        enum status status = commit_kafka(batch, ports, report);
        if (status != STATUS_OK)
            return status;
        batch->stage = BATCH_STORE;
    }
    crash_point("before-redis");
    enum status status = commit_redis(batch, ports, report);
    if (status == STATUS_OK) {
        crash_point("after-redis");
        batch->stage = BATCH_EMPTY;
    }
    return status;
}

/* --- Kafka --- */

static bool wants_transaction(const struct batch *batch)
{
    for (const struct batch_part *part = batch->parts; part != NULL; part = part->next_part)
        if (part->transactional)
            return true;
    return false;
}

static enum status send_outbox(const struct outbox *outbox, struct sink *sink,
                               struct report *report)
{
    for (const struct outbox_message *entry = outbox->first; entry != NULL; entry = entry->next) {
        enum status status = sink->send(sink->self, &entry->message, report);
        if (status == STATUS_REJECT && entry->message.topic == SINK_DEAD_LETTERS) {
            struct sink_message bare =
                entry->message; /* the reason still gets there; the log has the value */
            bare.value = SPAN_ABSENT;
            status = sink->send(sink->self, &bare, report);
        }
        if (status == STATUS_FULL || status == STATUS_REJECT)
            return STATUS_RETRY;
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

static bool offered(const struct batch_part *part)
{
#ifndef LC_PLANT_FOREIGN_OFFSETS
    if (part->partition->lost)
        return false;
#endif
    return !part->replay;
}

/* K of every live part of the batch: where it has no output it moves for nothing. A replay's K
 * stays. */
static enum status send_offsets(struct batch *batch, struct ports *ports, struct report *report)
{
    size_t count = 0;
    for (const struct batch_part *part = batch->parts; part != NULL; part = part->next_part)
        count += offered(part);
    arena_reset(&batch->commit_arena);
    struct sink_offset *offsets = arena_alloc(&batch->commit_arena, (count + 1) * sizeof(*offsets));
    char(*text)[POSITION_METADATA_MAX] =
        arena_alloc(&batch->commit_arena, (count + 1) * sizeof(*text));
    if (offsets == NULL || text == NULL) {
        report_set(report, "memory", "no memory for the offsets of %zu partitions", count);
        return STATUS_RETRY;
    }
    size_t i = 0;
    for (const struct batch_part *part = batch->parts; part != NULL; part = part->next_part) {
        if (!offered(part))
            continue;
        struct delivered delivered = partition_delivery(&part->next);
        size_t len = position_metadata_encode(&delivered, text[i]);
        offsets[i] =
            (struct sink_offset){part->partition->number, delivered.at.offset, {text[i], len}};
        i++;
    }
    /* fresh, in the polling thread: fencing is by the generation in it */
    struct source_membership membership = ports->source.membership(ports->source.self);
#ifdef LC_PLANT_BARE_GROUP
    membership = (struct source_membership){NULL, -1};
#endif
    enum status status = ports->sink.offsets(ports->sink.self, offsets, count, membership, report);
    if (status != STATUS_OK)
        return status;
    crash_point("before-commit");
    return ports->sink.commit(ports->sink.self, report);
}

/* An abort that fails leaves the producer in a state nobody knows. */
static enum status aborted(struct ports *ports, enum status why)
{
    struct report ignored;
    ports->stats.transactions_aborted++;
    if (why != STATUS_RETRY && why != STATUS_STALE)
        return why;
    enum status status = ports->sink.abort(ports->sink.self, &ignored);
    if (status == STATUS_FENCED)
        return status;
    return status == STATUS_OK ? why : STATUS_FATAL;
}

static void count_latency(struct ports *ports, const struct batch_part *part, int64_t now_ms)
{
    static const int64_t bound_ms[] = {1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000};
    enum { BOUNDS = sizeof(bound_ms) / sizeof(bound_ms[0]) };
    _Static_assert(BOUNDS + 1 == sizeof(ports->stats.latency_bucket) / sizeof(uint64_t),
                   "one bucket a bound, and +inf");
    for (uint32_t i = 0; i < part->event_count; i++) {
        int64_t took_ms = now_ms - part->events[i].event.record_ms;
        size_t bucket = 0;
        if (part->events[i].error != DECODE_NONE)
            continue;
        while (bucket < BOUNDS && took_ms > bound_ms[bucket])
            bucket++;
        ports->stats.latency_bucket[bucket]++;
        ports->stats.latency_sum_s += took_ms > 0 ? (double)took_ms / 1000.0 : 0;
    }
}

static void kafka_committed(struct batch *batch, struct ports *ports)
{
    int64_t now_ms = clock_wall_ms(&ports->clock);
    ports->stats.transactions++;
    for (struct batch_part *part = batch->parts; part != NULL; part = part->next_part) {
        if (part->replay)
            continue;
        struct delivered delivered = partition_delivery(&part->next);
        partition_delivered(part->partition, &delivered);
        count_latency(ports, part, now_ms);
        ports->stats.dead_letters += part->outbox.dead_letters;
        ports->stats.errands += part->outbox.errands;
        ports->stats.receipts += part->outbox.receipts;
        for (size_t i = 0; i < DECODE_ERROR_COUNT; i++)
            ports->stats.dead_by_error[i] += part->outbox.dead_by_error[i];
        for (size_t i = 0; i < KIND_COUNT; i++) {
            ports->stats.alerts_by_kind[i] += part->outbox.alerts_by_kind[i];
            ports->stats.alerts += part->outbox.alerts_by_kind[i];
        }
        ports->stats.storms += part->outbox.storms;
        ports->stats.ticks += part->outbox.control > 0 && part->timers_fired > 0;
    }
}

static enum status commit_kafka(struct batch *batch, struct ports *ports, struct report *report)
{
    if (!wants_transaction(batch))
        return STATUS_OK;
    crash_point("before-begin");
    enum status status = ports->sink.begin(ports->sink.self, report);
    for (struct batch_part *part = batch->parts; part != NULL && status == STATUS_OK;
         part = part->next_part)
        status = send_outbox(&part->outbox, &ports->sink, report);
    if (status == STATUS_OK) {
        crash_point("after-produce");
        status = send_offsets(batch, ports, report);
    }
#ifdef LC_PLANT_PRODUCER_KEPT
    if (status == STATUS_FATAL)
        status = STATUS_RETRY; /* as if an unknown outcome were none */
#endif
    if (status != STATUS_OK)
        return aborted(ports, status);
    crash_point("after-commit");
    kafka_committed(batch, ports);
    return STATUS_OK;
}

/* --- Redis --- */

static void cache_what_changed(struct batch_part *part, struct ports *ports)
{
    const struct store_step *step = &part->step;
    uint32_t at = 0;
    for (size_t i = 0; i < step->put_count; i++) {
        const struct store_put *put = &step->puts[i];
        if (mark_is(put->customer))
            continue;
        while (part->customers[at]->hash != put->hash ||
               part->customers[at]->id.at != put->customer.at)
            at++; /* puts are in the order of the customers */
        const struct batch_customer *customer = part->customers[at];
        struct span ledger = put->ledger;
        if (put->record.at == NULL)
            ledger = SPAN_LITERAL("");
        else if (ledger.at == NULL)
            ledger = customer->ledger_raw;
        cache_put(ports->cache, part->partition->number, put->hash, put->customer, put->record,
                  ledger);
    }
}

/* What began or ended to hold time. */
static void tell_held(const struct batch_part *part, struct ports *ports)
{
    const struct store_guard *log = &part->next.guard;
    const uint32_t was = part->base.guard.held;
    const int32_t number = part->partition->number;
    char at[TEXT_TIME_BYTES];
    text_time_format(log->held_ms, at);
    if (log->held & ~was & STORE_HELD_SILENCE) {
        ports->stats.silences++;
        ports_log(
            ports, WORKER_WARNING, number, "silence-guard",
            "no record for too long, or it lagged: time is held at %s and nobody is taken for "
            "silent; it goes on with the next records",
            at);
    }
    if (log->held & ~was & STORE_HELD_STORM)
        ports_log(ports, WORKER_WARNING, number, "storm-brake",
                  "silence told %lld alerts in an hour, more than %lld: the rest goes out slowly",
                  (long long)log->alerts, (long long)guard_storm_limit(&ports->options.guard, log));
    if (was & ~log->held & STORE_HELD_SILENCE)
        ports_log(ports, WORKER_NOTICE, number, "silence-over", "time is the wall's again");
    if (was & ~log->held & STORE_HELD_STORM)
        ports_log(ports, WORKER_NOTICE, number, "storm-over", "nothing is held back any more");
}

static void redis_committed(struct batch_part *part, struct ports *ports)
{
    struct partition *partition = part->partition;
    cache_what_changed(part, ports);
    if (part->params_next != NULL) {
        partition->params = *part->params_next;
        (void)ports_learn(ports, &partition->params.insight); /* or the next switch goes back */
    }
    partition->due_next_ms = part->due_next_ms;
    if (!part->replay && part->next.guard.held != partition->meta.guard.held)
        tell_held(part, ports);
    partition_applied(partition, ports, &part->next);
    ports->stats.store_commits++;
}

static void count_applied(struct batch_part *part, struct ports *ports)
{
    if (part->replay)
        ports->stats.events_replayed += part->applied;
    else
        ports->stats.events += part->applied;
    ports->stats.duplicates += part->duplicates;
    ports->stats.ignored += part->ignored;
    ports->stats.forwarded += part->forwarded;
    ports->stats.unknown_types += part->unknown_types;
    ports->stats.timers += part->timers_fired;
}

/* What an answer means for the part. *retry: it has to be tried again. Not applied and never will
 * be: the partition is claimed again, which replays what Kafka holds. */
static void redis_answer(struct batch_part *part, struct ports *ports, enum status status,
                         bool unknown, const struct report *report, bool *retry)
{
    struct partition *partition = part->partition;
    part->state = PART_DONE;
    if (status == STATUS_OK) {
        redis_committed(part, ports);
        count_applied(part, ports);
        if (partition->phase != PARTITION_STOPPED)
            partition_well(partition);
    } else if (status == STATUS_RETRY || status == STATUS_REJECT) {
        ports->stats.store_retries++;
        if (unknown && position_compare(part->next.at, part->base.at) == 0) {
            /* the position cannot tell whether it was applied */
            partition_reclaim(partition, ports, "a step of unknown outcome");
            return;
        }
        part->state = unknown ? PART_UNKNOWN : PART_BUILT;
        partition_wait(partition, ports, report);
        *retry = true;
    } else {
        ports->stats.store_stale++;
        partition_reclaim(partition, ports, "the state in Redis moved");
    }
}

/* Was it applied before the connection broke? */
static void settle(struct batch_part *part, struct ports *ports, bool *retry)
{
    bool base = false;
    struct report report = {0};
    enum status status = store_settle(part->partition->store, &part->step, &base, &report);
    if (status == STATUS_RETRY && base)
        part->state = PART_BUILT;
    else
        redis_answer(part, ports, status, true, &report, retry);
}

/* One step a partition, all of them under way at once: each has its own connection. */
static enum status commit_redis(struct batch *batch, struct ports *ports, struct report *report)
{
    bool retry = false;
    arena_reset(&batch->commit_arena); /* no step is under way between two calls */
    for (struct batch_part *part = batch->parts; part != NULL; part = part->next_part) {
        if ((!part->stored || part->partition->lost) && part->state == PART_BUILT)
            part->state = PART_DONE;
        if (part->state == PART_UNKNOWN)
            settle(part, ports, &retry);
        if (part->state != PART_BUILT || retry)
            continue;
        enum status status =
            store_commit_begin(part->partition->store, &part->step, &batch->commit_arena, report);
        if (status == STATUS_OK)
            part->state = PART_BEGUN;
        else
            redis_answer(part, ports, status, false, report, &retry);
        batch->overflowed = batch->overflowed || status == STATUS_FULL;
    }
    for (struct batch_part *part = batch->parts; part != NULL; part = part->next_part) {
        bool unknown = false;
        if (part->state != PART_BEGUN)
            continue;
        enum status status = store_commit_end(part->partition->store, &unknown, report);
        redis_answer(part, ports, status, unknown, report, &retry);
    }
    return retry ? STATUS_RETRY : STATUS_OK;
}

void commit_drop(struct batch *batch, struct ports *ports)
{
    for (struct batch_part *part = batch->parts; part != NULL; part = part->next_part)
        if (part->state != PART_DONE &&
            (batch->stage == BATCH_STORE || part->state == PART_UNKNOWN))
            partition_reclaim(part->partition, ports, "a step was given up");
    batch_reset(batch);
}
