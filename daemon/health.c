/* health: see the header. */
#include "daemon/health.h"

#include <stdio.h>
#include <string.h>

const char *health_phase_label(enum partition_phase phase)
{
    static const char *const labels[] = {"claiming", "replaying", "live", "waiting", "stopped"};

    return labels[phase];
}

const char *health_held_label(uint32_t held)
{
    return held == STORE_HELD_SILENCE ? "silence" : "storm";
}

int64_t health_lag(const struct partition_status *partition)
{
    int64_t lag = partition->log_end - partition->at.offset;

    return lag > 0 ? lag : 0;
}

/* The first reason found is told: workers first, then partitions, the worst phase first. */
static void because(struct health *health, const char *code, const char *text, int32_t partition)
{
    if (!health->ready)
        return;
    health->ready = false;
    if (partition >= 0)
        (void)snprintf(health->reason, sizeof health->reason, "%s: partition %d: %s", code,
                       partition, text);
    else
        (void)snprintf(health->reason, sizeof health->reason, "%s: %s", code, text);
}

static void judge_runner(struct health *health, const struct runner_view *view)
{
    const struct report *problem = &view->problem;

    switch (view->state) {
    case RUNNER_RUNNING:
        return;
    case RUNNER_STARTING:
        because(health, "starting", "opening connections", -1);
        return;
    case RUNNER_ENDED:
        because(health, "stopping", "asked to stop", -1);
        return;
    case RUNNER_WAITING:
    case RUNNER_GONE:
    case RUNNER_FENCED:
    case RUNNER_REFUSED:
        because(health, problem->code[0] ? problem->code : runner_state_label(view->state),
                problem->code[0] ? problem->text : "see the log", -1);
        return;
    }
}

static void judge_partition(struct health *health, const struct partition_status *partition)
{
    const char *code =
        partition->problem.code[0] ? partition->problem.code : health_phase_label(partition->phase);
    const char *text = partition->problem.code[0] ? partition->problem.text : "not live yet";

    if (partition->phase != PARTITION_LIVE)
        because(health, code, text, partition->partition);
}

/* A backup that retention passes, the worst first. */
static void note_backup(struct health *health, const struct partition_status *partition)
{
    const struct backup_view *backup = &partition->backup;

    if (backup->use < BACKUP_NEAR ||
        (health->note[0] && (backup->use == BACKUP_NEAR || health->backup_passed)))
        return;
    health->backup_passed = backup->use == BACKUP_PASSED;
    (void)snprintf(health->note, sizeof health->note,
                   "%s: partition %d: the newest backup stands at offset %lld, the log begins at "
                   "%lld",
                   health->backup_passed ? "backup-passed" : "backup-near", partition->partition,
                   (long long)backup->offset, (long long)backup->log_low);
}

/* "time is held: silence guard on 2 partitions, storm brake on 1". */
static void note_held(struct health *health, const struct runner_view *views, size_t count)
{
    size_t silent = 0, stormy = 0, len;

    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < views[i].partition_count; j++) {
            silent += (views[i].partitions[j].held & STORE_HELD_SILENCE) != 0;
            stormy += (views[i].partitions[j].held & STORE_HELD_STORM) != 0;
        }
    if (silent > 0)
        (void)snprintf(health->held, sizeof health->held,
                       "time is held: silence guard on %zu partitions", silent);
    len = strlen(health->held);
    if (stormy > 0)
        (void)snprintf(health->held + len, sizeof health->held - len,
                       "%sstorm brake on %zu partitions",
                       len > 0 ? ", " : "time is held: ", stormy);
}

static int exit_status_of(const struct runner_view *views, size_t count)
{
    size_t gone = 0;

    for (size_t i = 0; i < count; i++) {
        if (views[i].state == RUNNER_REFUSED)
            return EXIT_CONFIG;
        if (views[i].state == RUNNER_FENCED)
            return EXIT_FENCED;
        gone += views[i].state == RUNNER_GONE;
    }
    return count > 0 && gone == count ? EXIT_OPERATOR : -1;
}

void health_of(const struct runner_view *views, size_t count, int64_t now_ms, int64_t up_ms,
               struct health *ret_health)
{
    struct health health = {.live = true, .ready = true, .settled = true, .reason = "ok"};
    uint64_t alerts = 0;
    size_t live = 0;
    bool slow = false;

    health.exit_status = exit_status_of(views, count);
    for (size_t i = 0; i < count; i++) {
        health.live = health.live && now_ms - views[i].alive_ms < HEALTH_STALL_MS;
        slow = slow || now_ms - views[i].alive_ms >= HEALTH_SLOW_MS;
        health.settled = health.settled && views[i].state != RUNNER_STARTING;
        alerts += views[i].stats.alerts;
        judge_runner(&health, &views[i]);
    }
    for (int phase = PARTITION_STOPPED; phase >= PARTITION_CLAIMING; phase--)
        for (size_t i = 0; i < count; i++)
            for (size_t j = 0; j < views[i].partition_count; j++)
                if (views[i].partitions[j].phase == (enum partition_phase)phase)
                    judge_partition(&health, &views[i].partitions[j]);
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < views[i].partition_count; j++) {
            health.partitions++;
            live += views[i].partitions[j].phase == PARTITION_LIVE;
            health.lag += health_lag(&views[i].partitions[j]);
            note_backup(&health, &views[i].partitions[j]);
        }
    if (health.partitions == 0 && up_ms < HEALTH_JOINING_MS)
        because(&health, "joining", "no partition owned yet", -1);
    if (slow)
        because(&health, "stalled", "a worker waits inside a call and shows no progress", -1);
    note_held(&health, views, count);
    (void)snprintf(health.status, sizeof health.status,
                   "%s%.80s%s%zu of %zu partitions live, lag %lld, %llu alerts%s%s",
                   health.ready ? "" : "waiting: ", health.ready ? "" : health.reason,
                   health.ready ? "" : "; ", live, health.partitions, (long long)health.lag,
                   (unsigned long long)alerts, health.held[0] ? "; " : "", health.held);
    *ret_health = health;
}
