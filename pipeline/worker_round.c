/* What the next batch is, and how it is carried through. PROTOCOL.md steps 3 to 7. */
#include "pipeline/worker_inner.h"

#include "base/must.h"

/* A Redis that refuses is asked this often with the finished step; then the partition lets go of it
 * and waits alone. */
#define HOLD_TRIES_MAX 8
/* In replay without records: how often the control log is looked at. */
#define POKE_MS 50
/* --- building --- */

static enum status add_tick(struct worker *worker, struct partition *partition, int64_t now_ms,
                            struct report *report)
{
    const struct guard_options *options = &worker->ports.options.guard;
    const struct guard_time now = {clock_wall_ms(&worker->ports.clock), now_ms};
    struct guard *guard = &partition->guard;
    struct batch_tick tick = {0};
    tick.until_ms = guard_clock(guard, options, &partition->meta, now, &tick.silent);
    tick.alert_max = guard_budget(guard, options, &partition->meta.guard, now_ms);
    tick.storm_over = guard_storm_is_over(guard, options, now_ms);
    enum status status = batch_add_tick(&worker->batch, partition, &tick, report);
    if (status == STATUS_OK)
        guard_spent(guard, tick.told, tick.cut, now_ms);
    partition->tick_at_ms = tick.more ? now_ms : now_ms + worker->ports.options.tick_interval_ms;
    return status;
}

/* Is the state in Redis what we left there? An idle partition would not notice otherwise, nor that
 * a problem is over. */
static enum status probe(struct worker *worker, struct partition *partition, struct report *report)
{
    enum status status =
        store_load(partition->store, &partition->meta, NULL, 0, &worker->batch.arena, report);
    /* a record that cannot be read is no better because Redis answers: a batch carried ends it */
    if (status == STATUS_OK && strcmp(partition->problem.code, PARTITION_VERSION_NEWER) != 0)
        partition_well(partition);
    return status;
}

static enum status add_flush(struct worker *worker, struct partition *partition, int64_t now_ms,
                             struct report *report)
{
    struct ports *ports = &worker->ports;
    struct batch_part *part;
    partition->lazy_at_ms = now_ms + ports->options.lazy_commit_ms;
    if (!partition->caught_up) { /* only for the lag that is shown */
        struct report ignored;
        int64_t low, high;
        if (ports->source.bounds(ports->source.self, partition->number, &low, &high, &ignored) ==
                STATUS_OK &&
            high > partition->log_end)
            partition->log_end = high;
    }
    enum status status = probe(worker, partition, report);
    if (status != STATUS_OK)
        return status;
    partition_control_follow(partition, ports);
    backup_watch_look(&partition->backup, ports, partition->store, partition->number, now_ms);
    bool moved = position_compare(partition->meta.at, partition->delivered.at) > 0;
    bool gap = partition->caught_up && partition->log_end > partition->meta.at.offset;
    return moved || gap ? batch_add_flush(&worker->batch, partition, &part) : STATUS_OK;
}

/* The most urgent thing there is to do for the partition, if any. */
static enum status add_part(struct worker *worker, struct partition *partition,
                            struct report *report)
{
    int64_t now_ms = clock_mono_ms(&worker->ports.clock);
    bool queued = partition->queue_next < partition->queue_count;
    struct batch_part *part = NULL;
    if (partition->birth_due)
        return batch_add_birth(&worker->batch, partition);
    if (!partition_ready(partition) || !backoff_ready(&partition->backoff, now_ms))
        return STATUS_OK;
    if (partition->backoff.tries > 0) {
        enum status status = probe(worker, partition, report);
        if (status != STATUS_OK)
            return status;
    }
    if (partition_switch_due(partition, &worker->ports))
        return batch_add_switch(&worker->batch, partition);
    if (partition->phase == PARTITION_LIVE && partition->guard.clock_ms == INT64_MIN)
        guard_start(&partition->guard, &worker->ports.options.guard, &partition->meta,
                    (struct guard_time){clock_wall_ms(&worker->ports.clock), now_ms});
    bool poke = partition->phase == PARTITION_REPLAYING && now_ms >= partition->poke_at_ms;
    if (queued || poke) {
        partition->poke_at_ms = now_ms + POKE_MS;
        enum status status =
            batch_add_events(&worker->batch, partition, worker->chunk_max, &part, report);
        if (status == STATUS_OK && part != NULL) {
            partition->queue_next += part->taken;
            partition->poke_at_ms = now_ms;
        }
        return status;
    }
    if (partition->phase != PARTITION_LIVE)
        return STATUS_OK;
    bool caught_up = partition->caught_up;
#ifdef LC_PLANT_TICK_EARLY
    caught_up = true;
#endif
    if (partition->params.clock == FOLD_CLOCK_WALL && caught_up &&
        now_ms >= partition->tick_at_ms) {
        const struct batch_part *before = worker->batch.last_part;
        enum status status = add_tick(worker, partition, now_ms, report);
        if (status != STATUS_OK || worker->batch.last_part != before)
            return status;
    }
    return now_ms >= partition->lazy_at_ms ? add_flush(worker, partition, now_ms, report)
                                           : STATUS_OK;
}

/* A part could not be built; what becomes of its partition. */
static void part_failed(struct worker *worker, struct partition *partition, enum status status,
                        const struct report *report)
{
    (void)partition_drop_queue(partition);
    worker->assign_due = true;
    switch (status) {
    case STATUS_STALE:
        worker->ports.stats.store_stale++;
        partition_reclaim(partition, &worker->ports, "the state in Redis moved");
        break;
    case STATUS_GONE:
        partition->rebuild_due = true;
        partition_reclaim(partition, &worker->ports, report->text);
        break;
    case STATUS_REJECT:
        partition_stop(partition, &worker->ports, report);
        break;
    default:
        partition_wait(partition, &worker->ports, report);
        break;
    }
}

/* false: less than this cannot be taken. */
static bool take_less(struct worker *worker)
{
    bool less = worker->chunk_max > 1 || worker->batch.buckets_max > 1;
    worker->chunk_max -= worker->chunk_max / 2;
    worker->batch.buckets_max -= worker->batch.buckets_max / 2;
    return less;
}

static void take_more(struct worker *worker)
{
    const struct worker_options *options = &worker->ports.options;
    size_t chunk = worker->chunk_max * 2, buckets = worker->batch.buckets_max * 2;
    worker->chunk_max = chunk < options->batch_max ? chunk : options->batch_max;
    worker->batch.buckets_max =
        buckets < options->tick_buckets_max ? buckets : options->tick_buckets_max;
}

/* The arena is used up: send what there is; a single part that does not fit is tried with half the
 * records and half the due buckets. */
static enum status arena_full(struct worker *worker, struct partition *partition,
                              struct report *report)
{
    if (worker->batch.parts != NULL)
        return STATUS_OK;
    batch_reset(&worker->batch);
    report_set(report, "batch-memory",
               "the memory of a batch (batch_arena_max) is too small for one record's work");
    if (take_less(worker))
        return STATUS_OK;
    part_failed(worker, partition, STATUS_RETRY, report);
    return STATUS_OK;
}

enum status worker_build(struct worker *worker, struct report *report)
{
    MUST(worker->batch.stage == BATCH_EMPTY);
    size_t count = worker->count, first = worker->turn++;
    for (size_t i = 0; i < count; i++) {
        struct partition *partition = worker->partitions[(first + i) % count];
        enum status status = add_part(worker, partition, report);
        if (status == STATUS_FULL)
            return arena_full(worker, partition, report);
        if (status != STATUS_OK)
            part_failed(worker, partition, status, report);
    }
    if (worker->batch.parts == NULL)
        batch_reset(&worker->batch); /* parts given up may have used the arena */
    else
        take_more(worker);
    return STATUS_OK;
}

/* --- carrying through --- */

static void end_hold(struct worker *worker)
{
    worker->held = false;
    backoff_clear(&worker->hold);
}

void worker_drop_batch(struct worker *worker)
{
    for (struct batch_part *part = worker->batch.parts; part != NULL; part = part->next_part) {
        part->partition->birth_due = false; /* the next claim finds out whether it was born */
        if (part->taken > 0)
            part->partition->caught_up = false; /* its records will come again */
    }
    commit_drop(&worker->batch, &worker->ports);
    worker_drop_queues(worker);
    worker->assign_due = true;
    end_hold(worker);
}

void worker_producer_lost(struct worker *worker, const struct report *why)
{
    ports_log(&worker->ports, WORKER_WARNING, -1, why->code[0] ? why->code : "producer-lost",
              "%s: a new producer, and every partition is read again", why->text);
    worker_drop_batch(worker);
    worker->ports.sink.reopen(worker->ports.sink.self);
    worker->ports.stats.producer_reopened++;
    worker->sink_ready = false;
    for (size_t i = 0; i < worker->count; i++)
        partition_reclaim(worker->partitions[i], &worker->ports,
                          "the last transaction's outcome is unknown");
    worker_drop_queues(worker);
    worker->assign_due = true;
}

static void carried(struct worker *worker)
{
    for (struct batch_part *part = worker->batch.parts; part != NULL; part = part->next_part) {
        part->partition->birth_due = false;
        if (part->partition->phase != PARTITION_STOPPED)
            partition_well(part->partition);
    }
    if (worker->batch.overflowed)
        (void)take_less(worker);
    worker->batch.overflowed = false;
    batch_reset(&worker->batch);
    end_hold(worker);
}

/* Say what is waited for, on every partition that waits. */
static void hold(struct worker *worker, const struct report *report)
{
    backoff_fail(&worker->hold, clock_mono_ms(&worker->ports.clock));
    if (worker->batch.stage != BATCH_SEND || report->code[0] == '\0')
        return; /* a Redis step says it itself */
    for (struct batch_part *part = worker->batch.parts; part != NULL; part = part->next_part)
        partition_wait(part->partition, &worker->ports, report);
}

enum status worker_carry(struct worker *worker, struct report *report)
{
    enum status status = commit_batch(&worker->batch, &worker->ports, report);
    switch (status) {
    case STATUS_OK:
        carried(worker);
        break;
    case STATUS_RETRY:
    case STATUS_STALE:
        hold(worker, report);
        if (worker->batch.stage == BATCH_STORE && worker->hold.tries >= HOLD_TRIES_MAX)
            worker_drop_batch(worker);
        break;
    case STATUS_FENCED:
        worker->fenced = true;
        break;
    default:
        worker_producer_lost(worker, report);
        status = STATUS_RETRY;
        break;
    }
    return status;
}

void worker_flush(struct worker *worker, const int32_t *numbers, size_t count)
{
    struct report report = {0};
    struct batch_part *part;
    if (worker->batch.stage != BATCH_EMPTY || !worker->sink_ready || worker->fenced)
        return;
    for (size_t i = 0; i < worker->count; i++) {
        struct partition *partition = worker->partitions[i];
        if (partition->phase != PARTITION_LIVE ||
            (numbers != NULL && !worker_named(numbers, count, partition->number)) ||
            position_compare(partition->meta.at, partition->delivered.at) <= 0)
            continue;
        partition->caught_up = false; /* K alone: the gap to the end is the next owner's */
        if (batch_add_flush(&worker->batch, partition, &part) != STATUS_OK)
            break;
    }
    if (worker->batch.parts == NULL)
        return;
    if (worker_carry(worker, &report) != STATUS_OK && worker->batch.stage != BATCH_EMPTY)
        worker_drop_batch(worker); /* K stays behind R: nothing is lost by it */
}
