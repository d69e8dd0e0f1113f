/* partition: phases and bookkeeping; the claim itself is partition_claim.c. */
#include "pipeline/partition.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/must.h"

#define CONTROL_BEHIND_MAX 256 /* control records that a restart reads to find its place */

struct partition *partition_open(int32_t number)
{
    struct partition *partition = calloc(1, sizeof(*partition));
    if (partition == NULL)
        return NULL;
    partition->number = number;
    partition->phase = PARTITION_CLAIMING;
    partition->newest = (struct position){-1, -1};
    guard_init(&partition->guard);
    control_log_init(&partition->control, number);
    return partition;
}

void partition_close(struct partition *partition, struct ports *ports)
{
    if (partition == NULL)
        return;
    cache_drop_partition(ports->cache, partition->number);
    store_close(partition->store);
    if (partition->connected)
        ports->redis.release(ports->redis.self, partition->number, partition->redis);
    control_log_fini(&partition->control);
    free(partition);
}

void partition_reclaim(struct partition *partition, struct ports *ports, const char *why)
{
    if (partition->phase == PARTITION_STOPPED)
        return;
#ifndef LC_PLANT_CACHE_KEPT
    cache_drop_partition(ports->cache, partition->number);
#endif
    partition->phase = PARTITION_CLAIMING;
    partition->caught_up =
        false; /* the claim waits for the pause, and at the resume the source says it anew */
    (void)partition_drop_queue(partition);
    ports_log(ports, WORKER_NOTICE, partition->number, "reclaim", "%s: reading the state again",
              why);
}

void partition_stop(struct partition *partition, struct ports *ports, const struct report *why)
{
    cache_drop_partition(ports->cache, partition->number);
    partition->phase = PARTITION_STOPPED;
    backoff_clear(&partition->backoff); /* nothing is tried again: the poll need not hurry */
    partition->problem = *why;
    (void)partition_drop_queue(partition);
    ports_log(ports, WORKER_ERROR, partition->number, why->code, "%s", why->text);
}

void partition_wait(struct partition *partition, struct ports *ports, const struct report *why)
{
    /* said once, not at every try */
    if (strcmp(partition->problem.code, why->code) != 0)
        ports_log(ports, WORKER_WARNING, partition->number, why->code, "%s", why->text);
    partition->problem = *why;
    backoff_fail(&partition->backoff, clock_mono_ms(&ports->clock));
}

bool partition_drop_queue(struct partition *partition)
{
    bool dropped = partition->queue_next < partition->queue_count;
    if (dropped)
        partition->caught_up = false; /* or what is dropped would count as a gap before the end */
    partition->queue_next = partition->queue_count = 0;
    return dropped;
}

void partition_well(struct partition *partition)
{
    partition->problem = (struct report){0};
    backoff_clear(&partition->backoff);
}

int64_t partition_fetch_offset(const struct partition *partition)
{
    if (!partition_ready(partition))
        return -1;
    if (partition->verify)
        return partition->meta.last_offset;
    int64_t at = partition->meta.at.offset;
    return partition->loss_accepted && at < partition->log_low ? partition->log_low : at;
}

uint64_t partition_record_hash(const struct record *record)
{
    /* with its time: a retry of one record may stand at the same offset of another log */
    uint64_t fp[2] = {hash_pair(record->key, record->value), (uint64_t)record->timestamp_ms};
    return hash_bytes((struct span){(const char *)fp, sizeof(fp)}, 0);
}

enum status partition_verify(struct partition *partition, struct ports *ports,
                             const struct record *record)
{
    const struct store_meta *meta = &partition->meta;
    bool same = true;
    if (partition->verify)
        same = record != NULL && record->offset == meta->last_offset &&
               partition_record_hash(record) == meta->last_hash;
    else if (record != NULL) /* R moved over this offset because there was nothing */
        same = record->offset <= meta->last_offset || record->offset >= meta->at.offset;
    partition->verify = false;
#ifdef LC_PLANT_VERIFY_OFF
    same = true;
#endif
    if (same)
        return STATUS_OK;
    struct report why;
    report_set(
        &why, "topic-recreated",
        "at or behind offset %lld the log is not the one the state was made from: the topic was "
        "recreated or truncated; see the runbook before starting over",
        (long long)meta->last_offset);
    partition_stop(partition, ports, &why);
    return STATUS_REJECT;
}

bool partition_arrived(struct partition *partition, struct ports *ports)
{
    const struct store_meta *meta = &partition->meta;
    const struct delivered *delivered = &partition->delivered;
    bool same = meta->watermark_ms == delivered->watermark_ms;
    if (delivered->last_known)
        same = same && meta->last_offset == delivered->last_offset &&
               meta->last_hash == delivered->last_hash;
    else /* there was nothing but gaps below K */
        same = same && meta->last_offset < 0;
    if (same || partition->loss_accepted)
        return true;
    struct report why;
    report_set(&why, "replay-diverged",
               "the records replayed up to offset %lld are not those whose alerts were delivered: "
               "the topic was "
               "recreated or truncated; see the runbook before starting over",
               (long long)delivered->at.offset);
    partition_stop(partition, ports, &why);
    return false;
}

void partition_applied(struct partition *partition, struct ports *ports,
                       const struct store_meta *next)
{
    MUST(position_compare(next->at, partition->meta.at) >= 0);
    MUST(next->watermark_ms >= partition->meta.watermark_ms);
    if (next->control_offset > partition->control_at) { /* in replay: that of record C */
        partition->control_at = next->control_offset;
        partition->control_at_number = next->at.control;
    }
    partition->meta = *next;
    partition->present = true;
    if (position_compare(next->at, partition->newest) > 0)
        partition->newest = next->at;
    if (partition->phase == PARTITION_REPLAYING && !partition_replays(partition)) {
        if (!partition_arrived(partition, ports))
            return;
        partition->phase = PARTITION_LIVE;
        ports_log(ports, WORKER_INFO, partition->number, "live", "replay done at offset %lld",
                  (long long)next->at.offset);
    }
}

void partition_delivered(struct partition *partition, const struct delivered *delivered)
{
    MUST(position_compare(delivered->at, partition->delivered.at) >= 0);
    partition->delivered = *delivered;
}

void partition_control_follow(struct partition *partition, struct ports *ports)
{
    const int64_t number = partition->meta.at.control;
    if (partition->control_at < 0 || number - partition->control_at_number < CONTROL_BEHIND_MAX)
        return;
    control_log_seek(&partition->control, partition->control_at);
    for (int i = 0; i < 2 * CONTROL_BEHIND_MAX; i++) {
        struct control_record record;
        struct report ignored;
        int64_t offset;
        if (control_log_peek(&partition->control, &ports->source, &record, &offset, &ignored) !=
                STATUS_OK ||
            record.number > number)
            return;
        partition->control_at = offset;
        partition->control_at_number = record.number;
        control_log_skip(&partition->control);
    }
}

struct delivered partition_delivery(const struct store_meta *meta)
{
    struct delivered delivered = {.at = meta->at,
                                  .control_offset = meta->control_offset,
                                  .watermark_ms = meta->watermark_ms,
                                  .params_version = meta->params_version,
                                  .last_known = meta->last_offset >= 0,
                                  .last_offset = meta->last_offset,
                                  .last_hash = meta->last_hash};
    memcpy(delivered.cfg, meta->cfg, sizeof(delivered.cfg));
    return delivered;
}

bool partition_switch_due(const struct partition *partition, const struct ports *ports)
{
    return partition->phase == PARTITION_LIVE &&
           !insight_newer(&partition->params.insight, &ports->wanted.insight) &&
           strncmp(partition->meta.cfg, ports->cfg, sizeof(ports->cfg)) != 0;
}
