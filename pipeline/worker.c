/* worker: one round. Which file decides what: commit.c the order of the commits, partition_claim.c
 * where a partition goes on, batch_plan.c what a batch takes, batch_fold.c how it is folded,
 * worker_poll.c who owns what. */
#include "pipeline/worker_inner.h"

#include <stdlib.h>

#include "base/must.h"

#define QUEUES_BYTES_MAX ((size_t)64 << 20)

struct worker *worker_open(const struct worker_options *options, struct source source,
                           struct sink sink, struct worker_redis_factory redis, struct clock clock,
                           struct cache *cache, struct worker_log log)
{
    MUST(options->batch_max >= 1);
    MUST(options->tick_buckets_max >= 1);
    MUST(options->guard.pace >= 1);
    MUST(options->guard.storm_slow_ms >= 1);
    struct worker *worker = calloc(1, sizeof(*worker));
    if (worker == NULL)
        return NULL;
    worker->ports = (struct ports){.options = *options,
                                   .source = source,
                                   .sink = sink,
                                   .redis = redis,
                                   .clock = clock,
                                   .cache = cache,
                                   .log = log};
    worker->chunk_max = options->batch_max;
    arena_init(&worker->queues, QUEUES_BYTES_MAX);
    pthread_mutex_init(&worker->lock, NULL);
    if (!batch_init(&worker->batch, &worker->ports) ||
        !ports_learn(&worker->ports, &options->params.insight)) {
        worker_close(worker);
        return NULL;
    }
    return worker;
}

void worker_close(struct worker *worker)
{
    if (worker == NULL)
        return;
    while (worker->count > 0)
        partition_close(worker->partitions[--worker->count], &worker->ports);
    batch_fini(&worker->batch);
    arena_fini(&worker->queues);
    pthread_mutex_destroy(&worker->lock);
    free(worker->statuses);
    ports_fini(&worker->ports);
    free(worker);
}

/* --- the round --- */

/* Wait for a server with everything paused: the poll keeps the membership and brings rebalances. */
static enum status wait_held(struct worker *worker, struct report *report)
{
    int64_t left_ms = worker->hold.until_ms - clock_mono_ms(&worker->ports.clock);
    worker->held = true;
    worker_drop_queues(worker);
    int timeout_ms = worker->ports.options.poll_ms;
    if (left_ms < timeout_ms)
        timeout_ms = left_ms > 0 ? (int)left_ms : 0;
    enum status status = worker_poll(worker, timeout_ms, report);
    worker_drop_queues(worker);
    return status == STATUS_OK ? STATUS_RETRY : status;
}

static enum status open_sink(struct worker *worker, struct report *report)
{
    if (!backoff_ready(&worker->hold, clock_mono_ms(&worker->ports.clock)))
        return wait_held(worker, report);
    enum status status = worker->ports.sink.open(worker->ports.sink.self, report);
    if (status == STATUS_OK) {
        worker->sink_ready = true;
        worker->held = false;
        backoff_clear(&worker->hold);
        return STATUS_OK;
    }
    if (status == STATUS_FENCED) {
        worker->fenced = true;
        return status;
    }
    if (worker->hold.tries == 0)
        ports_log(&worker->ports, WORKER_WARNING, -1, report->code, "%s", report->text);
    if (status == STATUS_FATAL)
        worker->ports.sink.reopen(worker->ports.sink.self);
    backoff_fail(&worker->hold, clock_mono_ms(&worker->ports.clock));
    return STATUS_RETRY;
}

static void claim_due(struct worker *worker)
{
    for (size_t i = 0; i < worker->count; i++) {
        struct partition *partition = worker->partitions[i];
        if (partition->phase != PARTITION_CLAIMING || partition->birth_due || !partition->paused ||
            !backoff_ready(&partition->backoff, clock_mono_ms(&worker->ports.clock)))
            continue;
        if (partition_claim(partition, &worker->ports) == STATUS_OK && partition_ready(partition))
            worker->assign_due = true;
    }
}

static bool all_stopped(const struct worker *worker)
{
    for (size_t i = 0; i < worker->count; i++)
        if (worker->partitions[i]->phase != PARTITION_STOPPED)
            return false;
    return worker->count > 0;
}

/* Not longer than until the next thing that falls due by itself. */
static int poll_timeout(const struct worker *worker)
{
    int64_t now_ms = clock_mono_ms(&worker->ports.clock),
            until_ms = now_ms + worker->ports.options.poll_ms;
    for (size_t i = 0; i < worker->count; i++) {
        const struct partition *partition = worker->partitions[i];
        int64_t due_ms = INT64_MAX;
        if (partition->phase == PARTITION_CLAIMING && !partition->paused)
            due_ms = now_ms;
        else if (partition->backoff.tries > 0)
            due_ms = partition->backoff.until_ms;
        else if (partition->phase == PARTITION_REPLAYING)
            due_ms = partition->poke_at_ms;
        else if (partition->phase == PARTITION_LIVE && partition->caught_up &&
                 partition->params.clock == FOLD_CLOCK_WALL)
            due_ms = partition->tick_at_ms;
        until_ms = due_ms < until_ms ? due_ms : until_ms;
    }
    return until_ms > now_ms ? (int)(until_ms - now_ms) : 0;
}

static bool queues_empty(const struct worker *worker)
{
    for (size_t i = 0; i < worker->count; i++)
        if (worker->partitions[i]->queue_next < worker->partitions[i]->queue_count)
            return false;
    return true;
}

static enum status round_once(struct worker *worker, struct report *report)
{
    if (worker->fenced)
        return STATUS_FENCED;
    if (!worker->sink_ready) {
        enum status status = open_sink(worker, report);
        if (status != STATUS_OK)
            return status;
    }
    if (worker->batch.stage == BATCH_EMPTY) {
        worker_look(worker);
        claim_due(worker);
        enum status status = worker_build(worker, report);
        if (status != STATUS_OK)
            return status;
    } else if (!backoff_ready(&worker->hold, clock_mono_ms(&worker->ports.clock))) {
        return wait_held(worker, report);
    }
    if (worker->batch.stage != BATCH_EMPTY)
        return worker_carry(worker, report) == STATUS_FENCED ? STATUS_FENCED : STATUS_OK;
    if (!queues_empty(worker))
        return STATUS_OK; /* a smaller batch is tried next */
    enum status status = worker_poll(worker, poll_timeout(worker), report);
    if (status != STATUS_OK)
        return status;
    if (all_stopped(worker)) {
        *report = worker->partitions[0]->problem;
        return STATUS_GONE;
    }
    return queues_empty(worker) ? STATUS_RETRY : STATUS_OK;
}

/* --- figures --- */

static void write_status(const struct partition *partition, struct partition_status *status)
{
    status->partition = partition->number;
    status->phase = partition->phase;
    status->delivered = partition->delivered.at;
    status->at = partition->meta.at;
    status->watermark_ms = partition->meta.watermark_ms;
    status->log_end = partition->log_end;
    status->customers = partition->meta.customers;
    status->backup = partition->backup.view;
    status->held = partition->params.clock == FOLD_CLOCK_WALL ? partition->meta.guard.held : 0;
    status->problem.code[0] = status->problem.text[0] = '\0';
    if (partition->problem.code[0] == '\0') /* the rule: nothing long to copy in every round */
        return;
    status->problem = partition->problem;
    if (partition->phase != PARTITION_STOPPED)
        status->phase = PARTITION_WAITING;
}

/* Room for a status of each partition; without memory the last ones are not shown. */
static size_t status_room(struct worker *worker)
{
    if (worker->status_cap >= worker->count)
        return worker->count;
    size_t cap = 2 * worker->count;
    struct partition_status *grown = realloc(worker->statuses, cap * sizeof(*grown));
    if (grown == NULL)
        return worker->status_cap;
    worker->statuses = grown;
    worker->status_cap = cap;
    return worker->count;
}

static void publish(struct worker *worker)
{
    struct worker_stats *stats = &worker->ports.stats;
    stats->progress_ms = clock_mono_ms(&worker->ports.clock);
    cache_stats(worker->ports.cache, &stats->cache);
    stats->live_bytes = stats->cache.bytes + worker->batch.arena.bytes_held +
                        worker->batch.commit_arena.bytes_held + worker->queues.bytes_held;
    pthread_mutex_lock(&worker->lock);
    worker->published = *stats;
    worker->status_count = status_room(worker);
    for (size_t i = 0; i < worker->status_count; i++)
        write_status(worker->partitions[i], &worker->statuses[i]);
    if (insight_newer(&worker->ports.wanted.insight, &worker->insight))
        worker->insight = worker->ports.wanted.insight;
    pthread_mutex_unlock(&worker->lock);
}

enum status worker_step(struct worker *worker, struct report *report)
{
    *report = (struct report){0};
    enum status status = round_once(worker, report);
    publish(worker);
    return status;
}

void worker_stop(struct worker *worker, int timeout_ms)
{
    struct report report = {0};
    int64_t until_ms = clock_mono_ms(&worker->ports.clock) + timeout_ms;
    while (worker->batch.stage != BATCH_EMPTY && !worker->fenced &&
           worker_carry(worker, &report) == STATUS_RETRY &&
           clock_mono_ms(&worker->ports.clock) < until_ms)
        if (worker->batch.stage != BATCH_EMPTY && wait_held(worker, &report) != STATUS_RETRY)
            break;
    if (worker->batch.stage != BATCH_EMPTY)
        worker_drop_batch(worker);
    if (clock_mono_ms(&worker->ports.clock) < until_ms)
        worker_flush(worker, NULL, 0);
    worker_release_all(worker);
    publish(worker);
}

void worker_stats(struct worker *worker, struct worker_stats *ret_stats)
{
    pthread_mutex_lock(&worker->lock);
    *ret_stats = worker->published;
    pthread_mutex_unlock(&worker->lock);
}

size_t worker_partitions(struct worker *worker, struct partition_status *ret_statuses, size_t cap)
{
    pthread_mutex_lock(&worker->lock);
    size_t total = worker->status_count, count = total < cap ? total : cap;
    if (count > 0)
        memcpy(ret_statuses, worker->statuses, count * sizeof(*ret_statuses));
    pthread_mutex_unlock(&worker->lock);
    return total;
}
