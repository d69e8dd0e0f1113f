/* The newest insight: looked for in Redis once in a while, between two batches, and shown. Each
 * partition then switches to it at an offset of its own (worker_round.c), as to a changed
 * configuration. */
#include "pipeline/worker_inner.h"

#include "base/must.h"
#include "state/proposal.h"

/* The connection of any partition that is at work. */
static struct partition *someone(struct worker *worker)
{
    for (size_t i = 0; i < worker->count; i++) {
        struct partition *partition = worker->partitions[i];
        if (partition->phase == PARTITION_LIVE && partition->connected &&
            partition->problem.code[0] == '\0')
            return partition;
    }
    return NULL;
}

void worker_look(struct worker *worker)
{
    MUST(worker->batch.stage == BATCH_EMPTY);
    struct ports *ports = &worker->ports;
    int64_t now_ms = clock_mono_ms(&ports->clock);
    if (ports->options.look_ms == 0 || now_ms < worker->look_at_ms)
        return;
    struct partition *partition = someone(worker);
    if (partition == NULL)
        return;
    worker->look_at_ms = now_ms + ports->options.look_ms;
    struct insight newest;
    struct report report = {0};
    enum status status = proposal_load(&partition->redis, ports->options.app,
                                       &ports->wanted.insight, &newest, &report);
    if (status == STATUS_OK) {
        uint32_t before = ports->wanted.insight.version;
        worker->look_refused = false;
        if (ports_learn(ports, &newest) && ports->wanted.insight.version != before)
            ports_log(ports, WORKER_INFO, -1, "insight",
                      "version %u of the insight, of %lld buyers", (unsigned)newest.version,
                      (long long)newest.buyers);
        return;
    }
    /* Redis away is told by those who need it; what cannot be read is told once. */
    if (status == STATUS_REJECT && !worker->look_refused)
        ports_log(ports, WORKER_WARNING, -1, report.code, "%s", report.text);
    worker->look_refused = status == STATUS_REJECT;
}

bool worker_live(struct worker *worker, int32_t partition)
{
    bool live = false;
    pthread_mutex_lock(&worker->lock);
    for (size_t i = 0; i < worker->status_count; i++)
        if (worker->statuses[i].partition == partition)
            live = worker->statuses[i].phase == PARTITION_LIVE;
    pthread_mutex_unlock(&worker->lock);
    return live;
}

void worker_insight(struct worker *worker, struct insight *ret_insight)
{
    pthread_mutex_lock(&worker->lock);
    *ret_insight = worker->insight;
    pthread_mutex_unlock(&worker->lock);
}
