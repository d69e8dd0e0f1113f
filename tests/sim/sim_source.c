/* sim_source: the consumer's side of the simulated Kafka, as pipeline/kafka_source.c shows it to a
 * worker. */
#include "base/must.h"
#include "tests/sim/sim.h"
#include "tests/sim/sim_memory.h"

static uint32_t bit(int32_t partition)
{
    return 1u << partition;
}

/* --- membership --- */

static void tell_change(struct sim_source *source, enum source_change change)
{
    source->batch.change = change;
    source->batch.partitions = source->changed;
    source->batch.partition_count = 0;
    for (int32_t i = 0; i < SIM_PARTITIONS_MAX; i++)
        if ((source->partitions & bit(i)) != 0)
            source->changed[source->batch.partition_count++] = i;
}

static void leave(struct sim_source *source, enum source_change change)
{
    if (source->partitions == 0) {
        source->membership = SIM_OUT;
        source->generation = change == SOURCE_LOST ? -1 : source->generation;
        return;
    }
    source->membership = change == SOURCE_LOST ? SIM_LOSING : SIM_REVOKING;
    tell_change(source, change);
    source->fetching = 0;
    if (change == SOURCE_LOST)
        source->generation = -1;
}

/* What the coordinator has to say to us. FENCED: another process has our name. */
static enum status talk_to_group(struct sim_task *task)
{
    struct sim_source *source = &task->source;
    struct sim *sim = task->sim;
    int64_t generation = -1;
    uint32_t partitions = 0;
    if (source->cut_until_ms > sim->now_ms)
        return STATUS_OK;
    if (source->cut_until_ms != 0) {
        source->cut_until_ms = 0;
        sim_kafka_heartbeat(&sim->kafka, task->name, task->id);
    }
    if (source->membership == SIM_OUT) {
        if (sim_kafka_join(&sim->kafka, task->name, task->id) == SIM_FENCED)
            return STATUS_FENCED;
        source->membership = SIM_JOINING;
    }
    switch (sim_kafka_member(&sim->kafka, task->name, task->id, &generation, &partitions)) {
    case SIM_FENCED:
        return STATUS_FENCED;
    case SIM_DONE:
        if (source->membership == SIM_IN && generation != source->generation)
            leave(source, SOURCE_LOST); /* a rebalance went by without us */
        if (source->membership != SIM_JOINING)
            break;
        source->membership = SIM_IN;
        source->generation = generation;
        source->partitions = partitions;
        if (partitions != 0)
            tell_change(source, SOURCE_ASSIGNED);
        break;
    case SIM_WAIT:
        if (source->membership == SIM_IN)
            leave(source, SOURCE_REVOKED);
        break;
    default:
        if (source->membership != SIM_LOSING)
            leave(source, SOURCE_LOST);
        break;
    }
    return STATUS_OK;
}

/* --- fetching --- */

static size_t fetch(struct sim_task *task, int32_t partition, size_t max)
{
    struct sim_source *source = &task->source;
    struct sim *sim = task->sim;
    struct sim_log *log = &sim->kafka.log[SIM_INPUT][partition];
    int64_t stable = sim_kafka_stable(&sim->kafka, SIM_INPUT, partition);
    size_t got = 0;
    while (got < max && source->position[partition] < stable) {
        int64_t offset = source->position[partition]++;
        struct sim_entry *entry = &log->at[offset];
        if (!sim_kafka_visible(entry))
            continue;
        source->records[source->batch.count++] =
            (struct record){.partition = partition,
                            .offset = offset,
                            .timestamp_ms = entry->timestamp_ms,
                            .key = entry->key,
                            .value = entry->value,
                            .impl = entry};
        got++;
    }
    if (source->position[partition] == stable && source->end_told[partition] != stable &&
        !sim_random_chance(&sim->random, 200)) {
        source->end_told[partition] = stable;
        source->ends[source->batch.end_count++] = (struct source_end){partition, stable};
    }
    return got;
}

/* FATAL: a position is not in the log any more (auto.offset.reset=error). */
static enum status fetch_all(struct sim_task *task, size_t max, struct report *report)
{
    struct sim_source *source = &task->source;
    struct sim *sim = task->sim;
    int32_t first = (int32_t)sim_random_below(&sim->random, SIM_PARTITIONS_MAX);
    size_t room = sizeof source->records / sizeof source->records[0];
    max = max < sim->load.fetch_max ? max : sim->load.fetch_max;
    max = max < room ? max : room;
    max = (size_t)sim_random_between(&sim->random, 1, (int64_t)max);
    for (int32_t i = 0; i < SIM_PARTITIONS_MAX; i++) {
        int32_t partition = (first + i) % SIM_PARTITIONS_MAX;
        if ((source->fetching & bit(partition)) == 0)
            continue;
        const struct sim_log *log = &sim->kafka.log[SIM_INPUT][partition];
        if (source->position[partition] < log->low || source->position[partition] > log->end) {
            report_set(report, "offset-out-of-range",
                       "offset %lld of partition %d is not in the log any more",
                       (long long)source->position[partition], partition);
            return STATUS_FATAL;
        }
        max -= fetch(task, partition, max);
        if (max == 0)
            break;
    }
    return STATUS_OK;
}

static enum status source_poll(void *self, int timeout_ms, size_t max,
                               struct source_batch *ret_batch, struct report *report)
{
    struct sim_task *task = self;
    struct sim_source *source = &task->source;
    const struct sim_fault *fault = sim_call_begin(task, SIM_PORT_POLL);
    enum status status = fault != NULL ? STATUS_FATAL : talk_to_group(task);
    bool pending = source->membership == SIM_REVOKING || source->membership == SIM_LOSING;
    source->batch.count = source->batch.end_count = 0;
    source->batch.records = source->records;
    source->batch.ends = source->ends;
    if (status == STATUS_OK && source->batch.change == SOURCE_NO_CHANGE && !pending)
        status = fetch_all(task, max, report);
    else if (status != STATUS_OK)
        report_set(report, status == STATUS_FENCED ? "instance-fenced" : "source-fatal",
                   "the simulation says so");
    *ret_batch = source->batch;
    if (source->batch.count > 0 || source->batch.end_count > 0 || timeout_ms == 0)
        sim_trace(task->sim, task, "poll(%d): %zu records, %zu ends", timeout_ms,
                  source->batch.count, source->batch.end_count);
    bool nothing = source->batch.count == 0 && source->batch.change == SOURCE_NO_CHANGE;
    /* A change is told once; `assign` acknowledges it. */
    source->batch.change = SOURCE_NO_CHANGE;
    source->batch.partition_count = 0;
    if (status == STATUS_OK && nothing && timeout_ms > 0)
        sim_sleep(task, timeout_ms);
    sim_call_end(task);
    return status;
}

static size_t source_headers(void *self, const struct record *record, struct header *ret_headers,
                             size_t max)
{
    const struct sim_entry *entry = record->impl;
    (void)self;
    for (size_t i = 0; i < entry->header_count && i < max; i++)
        ret_headers[i] = entry->headers[i];
    return entry->header_count > max ? max + 1 : entry->header_count;
}

static enum status source_assign(void *self, const struct source_start *starts, size_t count,
                                 struct report *report)
{
    struct sim_task *task = self;
    struct sim_source *source = &task->source;
    (void)sim_call_begin(task, SIM_PORT_ASSIGN);
    (void)report;
    uint32_t fetching = 0, owned = 0;
    for (size_t i = 0; i < count; i++) {
        int32_t partition = starts[i].partition;
        MUST(partition >= 0 && partition < SIM_PARTITIONS_MAX);
        owned |= bit(partition);
        if (starts[i].paused)
            continue;
        fetching |= bit(partition);
        bool there = (source->fetching & bit(partition)) != 0 &&
                     source->position[partition] == starts[i].offset;
        if (!there) {
            source->position[partition] = starts[i].offset;
            source->end_told[partition] = -1;
        }
    }
    source->fetching = fetching;
    if (source->membership == SIM_REVOKING || source->membership == SIM_LOSING) {
        if ((owned & source->partitions) != 0)
            sim_violate(task->sim, "a worker keeps partitions %x of the %x it had to give up",
                        owned & source->partitions, source->partitions);
        source->partitions = 0;
        source->membership = SIM_OUT;
    } else if ((owned & ~source->partitions) != 0) {
        sim_violate(task->sim, "a worker assigns itself partitions %x, it was given %x", owned,
                    source->partitions);
    }
    sim_call_end(task);
    return STATUS_OK;
}

/* --- reading what was committed --- */

/* What is put into a worker's arena is the worker's memory, also when the arena has to grow. */

/* In an overlap the answer is old when it arrives. */
static void linger(struct sim_task *task)
{
    struct sim *sim = task->sim;
    if (sim->overlap_ms > sim->now_ms && !task->zombie && sim_random_chance(&sim->random, 500))
        sim_sleep(task, sim_random_log(&sim->random, 3000));
}

#define UNKNOWN_MS 200 /* how long a question waits for its answer */

static enum status source_committed(void *self, int32_t partition, struct arena *arena,
                                    int64_t *ret_offset, struct span *ret_metadata,
                                    struct report *report)
{
    struct sim_task *task = self;
    struct sim *sim = task->sim;
    const struct sim_fault *fault = sim_call_begin(task, SIM_PORT_COMMITTED);
    enum status status = STATUS_RETRY;
    int64_t offset = -1;
    struct span metadata = SPAN_ABSENT;
    enum sim_answer answer = sim_kafka_committed(&sim->kafka, partition, &offset, &metadata);
#ifdef LC_PLANT_UNSTABLE_K
    if (answer == SIM_WAIT) { /* what a consumer sees that does not ask for stable offsets */
        const struct sim_txn_offset *committed = &sim->kafka.committed[partition];
        offset = committed->present ? committed->offset : -1;
        metadata = committed->present ? committed->metadata : SPAN_ABSENT;
        answer = SIM_DONE;
    }
#endif
    if (fault == NULL && answer == SIM_DONE) {
        status = STATUS_OK;
        *ret_offset = offset;
        *ret_metadata = metadata;
        if (metadata.at != NULL && metadata.len > 0) {
            int owner = sim_memory_owner(task->id);
            void *copy = arena_copy(arena, metadata.at, metadata.len);
            (void)sim_memory_owner(owner);
            MUST(copy != NULL);
            ret_metadata->at = copy;
        }
    } else {
        report_set(report, "offset-unknown", "the position of partition %d is not stable",
                   partition);
        sim_sleep(task, UNKNOWN_MS);
    }
    linger(task);
    sim_trace(sim, task, "committed(%d): %s %lld %.*s", partition, status_name(status),
              (long long)offset, (int)metadata.len, metadata.at != NULL ? metadata.at : "");
    sim_call_end(task);
    return status;
}

static enum status source_bounds(void *self, int32_t partition, int64_t *ret_low, int64_t *ret_high,
                                 struct report *report)
{
    struct sim_task *task = self;
    const struct sim_fault *fault = sim_call_begin(task, SIM_PORT_BOUNDS);
    const struct sim_log *log = &task->sim->kafka.log[SIM_INPUT][partition];
    if (fault == NULL) {
        *ret_low = log->low;
        *ret_high = log->end;
        linger(task);
    } else {
        report_set(report, "bounds-unknown", "the simulation says so");
        sim_sleep(task, UNKNOWN_MS);
    }
    sim_call_end(task);
    return fault == NULL ? STATUS_OK : STATUS_RETRY;
}

static enum status source_partitions(void *self, int32_t *ret_input, int32_t *ret_control,
                                     struct report *report)
{
    struct sim_task *task = self;
    const struct sim_fault *fault = sim_call_begin(task, SIM_PORT_PARTITIONS);
    if (fault == NULL) {
        *ret_input = *ret_control = task->sim->kafka.partitions;
    } else {
        report_set(report, "topic-unknown", "the simulation says so");
        sim_sleep(task, UNKNOWN_MS);
    }
    sim_call_end(task);
    return fault == NULL ? STATUS_OK : STATUS_RETRY;
}

static void copy_record(struct arena *arena, int32_t partition, int64_t offset,
                        const struct sim_entry *entry, struct record *ret_record)
{
    void *key = arena_copy(arena, entry->key.at, entry->key.len);
    void *value = arena_copy(arena, entry->value.at, entry->value.len);
    MUST(key != NULL);
    MUST(value != NULL);
    *ret_record = (struct record){.partition = partition,
                                  .offset = offset,
                                  .timestamp_ms = entry->timestamp_ms,
                                  .key = {key, entry->key.len},
                                  .value = {value, entry->value.len}};
}

static enum status source_control(void *self, int32_t partition, int64_t from, size_t max,
                                  struct arena *arena, struct record **ret_records,
                                  size_t *ret_count, int64_t *ret_end, int64_t *ret_low,
                                  struct report *report)
{
    struct sim_task *task = self;
    struct sim *sim = task->sim;
    const struct sim_fault *fault = sim_call_begin(task, SIM_PORT_CONTROL);
    const struct sim_log *log = &sim->kafka.log[SIM_CONTROL][partition];
    int64_t stable = sim_kafka_stable(&sim->kafka, SIM_CONTROL, partition);
    enum status status = STATUS_OK;
    if (fault != NULL) {
        report_set(report, "control-unknown", "the simulation says so");
        sim_sleep(task, UNKNOWN_MS);
        status = STATUS_RETRY;
    } else {
        int64_t at = from > log->low ? from : log->low;
        size_t count = 0;
        max = (size_t)sim_random_between(&sim->random, 1, max < 4 ? (int64_t)max : 4);
        int owner = sim_memory_owner(task->id);
        struct record *records = arena_alloc(arena, max * sizeof *records);
        MUST(records != NULL);
        for (; at < stable && count < max; at++)
            if (sim_kafka_visible(&log->at[at]))
                copy_record(arena, partition, at, &log->at[at], &records[count++]);
        (void)sim_memory_owner(owner);
        *ret_records = records;
        *ret_count = count;
        *ret_end = at;
        *ret_low = log->low;
    }
    sim_call_end(task);
    return status;
}

static struct source_membership source_membership(void *self)
{
    struct sim_task *task = self;
    return (struct source_membership){.impl = task, .generation = task->source.generation};
}

static enum status source_commit_plain(void *self, int32_t partition, int64_t offset,
                                       struct span metadata, struct report *report)
{
    struct sim_task *task = self;
    (void)metadata;
    (void)report;
    sim_violate(task->sim, "a plain commit of partition %d at %lld on a broker with transactions",
                partition, (long long)offset);
    return STATUS_OK;
}

static void source_close(void *self, int timeout_ms)
{
    struct sim_task *task = self;
    (void)timeout_ms;
    task->source.fetching = 0;
}

struct source sim_source_port(struct sim_task *task)
{
    task->source = (struct sim_source){.generation = -1};
    return (struct source){
        .self = task,
        .poll = source_poll,
        .headers = source_headers,
        .assign = source_assign,
        .committed = source_committed,
        .bounds = source_bounds,
        .partitions = source_partitions,
        .control = source_control,
        .membership = source_membership,
        .commit_plain = source_commit_plain,
        .close = source_close,
    };
}
