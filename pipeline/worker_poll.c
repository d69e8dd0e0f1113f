/* Polling, assignment and rebalances. PROTOCOL.md steps 2 and 8. */
#include "pipeline/worker_inner.h"

#include "base/must.h"

static struct partition *find(struct worker *worker, int32_t number)
{
    for (size_t i = 0; i < worker->count; i++)
        if (worker->partitions[i]->number == number)
            return worker->partitions[i];
    return NULL;
}

void worker_drop_queues(struct worker *worker)
{
    for (size_t i = 0; i < worker->count; i++) {
        struct partition *partition = worker->partitions[i];
        if (partition_drop_queue(partition))
            worker->assign_due = true; /* fetch them again from R */
    }
}

/* --- telling the source --- */

static bool wants_pause(const struct worker *worker, const struct partition *partition)
{
    return worker->held || !partition_ready(partition) ||
           !backoff_ready(&partition->backoff, clock_mono_ms(&worker->ports.clock));
}

static int64_t fetch_from(const struct partition *partition)
{
    if (partition->queue_next < partition->queue_count)
        return partition->queue[partition->queue_count - 1]->offset + 1;
    return partition_fetch_offset(partition);
}

/* The whole set with its explicit offsets, when anything about it changed. */
static enum status tell_source(struct worker *worker, struct report *report)
{
    struct source_start starts[SOURCE_PARTITIONS_MAX];
    bool changed = worker->assign_due;
    for (size_t i = 0; i < worker->count; i++) {
        struct partition *partition = worker->partitions[i];
        bool paused = wants_pause(worker, partition);
        changed = changed || paused != partition->paused;
        starts[i] = (struct source_start){partition->number, fetch_from(partition), paused};
        if (partition->paused && !paused)
            partition->caught_up = false; /* the source says so anew */
        partition->paused = paused;
    }
    if (!changed)
        return STATUS_OK;
    enum status status =
        worker->ports.source.assign(worker->ports.source.self, starts, worker->count, report);
    worker->assign_due = status != STATUS_OK;
    return status;
}

/* --- changes of ownership --- */

/* FATAL: no memory. A partition that is owned and not known would be read by nobody: the whole
 * connection begins anew. */
static enum status take_on(struct worker *worker, const struct source_batch *polled,
                           struct report *report)
{
    for (size_t i = 0; i < polled->partition_count; i++) {
        int32_t number = polled->partitions[i];
        if (find(worker, number) != NULL)
            continue;
        MUST(worker->count < SOURCE_PARTITIONS_MAX);
        struct partition *partition = partition_open(number);
        if (partition == NULL) {
            report_set(report, "memory", "no memory for partition %d", number);
            return STATUS_FATAL;
        }
        partition->paused = true;
        worker->partitions[worker->count++] = partition;
        worker->ports.stats.assigned++;
        ports_log(&worker->ports, WORKER_INFO, number, "assigned", "claiming");
    }
    return STATUS_OK;
}

static bool batch_touches(const struct worker *worker, const struct source_batch *polled)
{
    for (const struct batch_part *part = worker->batch.parts; part != NULL; part = part->next_part)
        if (worker_named(polled->partitions, polled->partition_count, part->partition->number))
            return true;
    return false;
}

static void let_go(struct worker *worker, const struct source_batch *polled)
{
    size_t kept = 0;
    for (size_t i = 0; i < worker->count; i++) {
        struct partition *partition = worker->partitions[i];
        if (!worker_named(polled->partitions, polled->partition_count, partition->number)) {
            worker->partitions[kept++] = partition;
            continue;
        }
#if defined(LC_PLANT_TXN_KEPT_LOST) || defined(LC_PLANT_FOREIGN_OFFSETS)
        if (batch_touches(worker, polled)) { /* its part is still in the batch: it stays until the
                                                end of the process */
            partition->lost = true;
            continue;
        }
#endif
        partition_close(partition, &worker->ports);
    }
    worker->count = kept;
}

/* Finish or abort, commit Redis, drop the cache, unassign. */
static void revoke(struct worker *worker, const struct source_batch *polled)
{
    struct report report = {0};
    worker->ports.stats.revoked += polled->partition_count;
    if (worker->batch.stage != BATCH_EMPTY && batch_touches(worker, polled)) {
        enum status status = worker_carry(worker, &report);
        if (status != STATUS_OK && worker->batch.stage != BATCH_EMPTY)
            worker_drop_batch(worker);
    }
    worker_flush(worker, polled->partitions, polled->partition_count);
    let_go(worker, polled);
    ports_log(&worker->ports, WORKER_INFO, -1, "revoked", "%zu partitions given back",
              polled->partition_count);
}

/* Somebody else owns them already: drop everything first, write nothing. */
static void lose(struct worker *worker, const struct source_batch *polled)
{
    worker->ports.stats.lost += polled->partition_count;
#if !defined(LC_PLANT_TXN_KEPT_LOST) && !defined(LC_PLANT_FOREIGN_OFFSETS)
    if (worker->batch.stage != BATCH_EMPTY && batch_touches(worker, polled))
        worker_drop_batch(worker);
#endif
    let_go(worker, polled);
    ports_log(&worker->ports, WORKER_WARNING, -1, "lost",
              "%zu partitions lost: this member was away too long", polled->partition_count);
}

static enum status change_owner(struct worker *worker, const struct source_batch *polled,
                                struct report *report)
{
    enum status status = STATUS_OK;
    worker_drop_queues(worker);
    switch (polled->change) {
    case SOURCE_NO_CHANGE:
        return STATUS_OK;
    case SOURCE_ASSIGNED:
        status = take_on(worker, polled, report);
        break;
    case SOURCE_REVOKED:
        revoke(worker, polled);
        break;
    case SOURCE_LOST:
        lose(worker, polled);
        break;
    }
    if (status != STATUS_OK)
        return status;
    worker->assign_due = true; /* acknowledges it */
    return tell_source(worker, report);
}

/* --- records --- */

/* Is it one to fold? The first one after a claim is compared and skipped. */
static bool admit(struct worker *worker, struct partition *partition, const struct record *record)
{
    if (partition == NULL || !partition_ready(partition) || partition->paused)
        return false;
    if (partition_verify(partition, &worker->ports, record) != STATUS_OK)
        return false;
    if (partition->log_end <= record->offset)
        partition->log_end = record->offset + 1;
    return record->offset >= partition->meta.at.offset;
}

static enum status route(struct worker *worker, const struct source_batch *polled)
{
    arena_reset(&worker->queues);
    for (size_t i = 0; i < worker->count; i++)
        worker->partitions[i]->queue_count = worker->partitions[i]->queue_next = 0;
    for (size_t i = 0; i < polled->count; i++) { /* runs of one partition are the rule */
        struct partition *partition = find(worker, polled->records[i].partition);
        if (partition != NULL)
            partition->queue_count++;
    }
    for (size_t i = 0; i < worker->count; i++) {
        struct partition *partition = worker->partitions[i];
        if (partition->queue_count == 0)
            continue;
        if (partition->caught_up) /* nobody had to wait for it: the publishers are alive */
            partition->guard.arrived_ms = clock_wall_ms(&worker->ports.clock);
        partition->caught_up = false;
        partition->queue =
            arena_alloc(&worker->queues, partition->queue_count * sizeof(struct record *));
        partition->queue_count = 0;
        if (partition->queue == NULL)
            return STATUS_FULL;
    }
    struct partition *partition = NULL;
    for (size_t i = 0; i < polled->count; i++) {
        struct record *record = &polled->records[i];
        if (partition == NULL || partition->number != record->partition)
            partition = find(worker, record->partition);
        if (admit(worker, partition, record))
            partition->queue[partition->queue_count++] = record;
    }
    return STATUS_OK;
}

static void note_ends(struct worker *worker, const struct source_batch *polled)
{
    for (size_t i = 0; i < polled->end_count; i++) {
        struct partition *partition = find(worker, polled->ends[i].partition);
        if (partition == NULL || !partition_ready(partition) || partition->paused)
            continue;
        if (partition->verify) { /* the record to compare with is not there */
            if (partition_verify(partition, &worker->ports, NULL) != STATUS_OK)
                continue;
        }
        partition->caught_up = true;
        partition->log_end = polled->ends[i].end;
    }
}

enum status worker_poll(struct worker *worker, int timeout_ms, struct report *report)
{
    struct source *source = &worker->ports.source;
    struct source_batch polled = {0};
    enum status status = tell_source(worker, report);
    *report = (struct report){0};
    if (status == STATUS_OK)
        status = source->poll(source->self, timeout_ms, worker->ports.options.batch_max, &polled,
                              report);
    if (status != STATUS_OK)
        return status;
    if (strcmp(report->code, worker->trouble.code) != 0) { /* empty: all is well again */
        worker->trouble = *report;
        if (report->code[0] != '\0')
            ports_log(&worker->ports, WORKER_WARNING, -1, report->code, "%s", report->text);
    }
    status = route(worker, &polled);
    if (status != STATUS_OK) {
        report_set(report, "memory", "no memory for the queues of a poll");
        return STATUS_FATAL;
    }
    note_ends(worker, &polled);
    if (polled.change != SOURCE_NO_CHANGE)
        status = change_owner(worker, &polled, report);
    return status;
}

void worker_release_all(struct worker *worker)
{
    struct report report = {0};
    while (worker->count > 0)
        partition_close(worker->partitions[--worker->count], &worker->ports);
    worker->assign_due = true;
    if (tell_source(worker, &report) != STATUS_OK)
        ports_log(&worker->ports, WORKER_WARNING, -1, report.code, "%s", report.text);
}
