/* runner: see the header. One lock guards what others look at; the worker itself is touched by its
 * own thread only, except for worker_stats() and worker_partitions(), which are made for others. */
#include "daemon/runner.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/log.h"
#include "pipeline/backoff.h"

#define GONE_NAP_MS 200
#define WAITING_KEPT_MS                                                                            \
    6000 /* above the longest back-off: between two tries a worker says nothing */

struct runner {
    int index;
    struct runner_ports ports;
    struct clock clock;
    pthread_t thread;
    atomic_bool stop, reload, ended;
    atomic_int stop_ms;

    pthread_mutex_t lock; /* of all below */
    pthread_cond_t wake;
    struct worker *worker; /* NULL: none now */
    enum runner_state state;
    struct report problem;
    int64_t beat_ms, waiting_ms; /* waiting_ms: when a reason to wait was last told */
    uint64_t restarts;
    struct worker_stats before; /* counters of the workers that are no more */
};

const char *runner_state_label(enum runner_state state)
{
    static const char *const labels[] = {"starting", "running", "waiting", "gone",
                                         "fenced",   "refused", "ended"};

    return labels[state];
}

static enum log_level level_of(enum worker_severity severity)
{
    static const enum log_level levels[] = {LOG_LEVEL_INFO, LOG_LEVEL_NOTICE, LOG_LEVEL_WARNING,
                                            LOG_LEVEL_ERROR};

    return levels[severity];
}

static void on_worker_line(void *self, enum worker_severity severity, int32_t partition,
                           const char *code, const char *text)
{
    (void)self;
    log_line(level_of(severity), code, partition, "%s", text);
}

/* report NULL or without a code: no problem. A sign of life in any case. */
static void set_state(struct runner *runner, enum runner_state state, const struct report *problem)
{
    (void)pthread_mutex_lock(&runner->lock);
    runner->state = state;
    if (problem && problem->code[0])
        runner->problem = *problem;
    else
        runner->problem.code[0] = runner->problem.text[0] = '\0';
    runner->beat_ms = clock_mono_ms(&runner->clock);
    if (state == RUNNER_WAITING)
        runner->waiting_ms = runner->beat_ms;
    (void)pthread_mutex_unlock(&runner->lock);
}

static void beat(struct runner *runner)
{
    (void)pthread_mutex_lock(&runner->lock);
    runner->beat_ms = clock_mono_ms(&runner->clock);
    (void)pthread_mutex_unlock(&runner->lock);
}

/* By the monotonic clock: a wall clock that is set back an hour must not make it an hour long. */
static void nap(struct runner *runner, int64_t ms)
{
    struct timespec until;

    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += (long)(ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    (void)pthread_mutex_lock(&runner->lock);
    if (!atomic_load(&runner->stop))
        (void)pthread_cond_clockwait(&runner->wake, &runner->lock, CLOCK_MONOTONIC, &until);
    (void)pthread_mutex_unlock(&runner->lock);
}

static void add_counters(struct worker_stats *sum, const struct worker_stats *more)
{
#define X(name, help) sum->name += more->name;
    WORKER_COUNTER_TABLE(X)
#undef X
    for (size_t i = 0; i < DECODE_ERROR_COUNT; i++)
        sum->dead_by_error[i] += more->dead_by_error[i];
    for (size_t i = 0; i < KIND_COUNT; i++)
        sum->alerts_by_kind[i] += more->alerts_by_kind[i];
    for (size_t i = 0; i < sizeof sum->latency_bucket / sizeof sum->latency_bucket[0]; i++)
        sum->latency_bucket[i] += more->latency_bucket[i];
    sum->latency_sum_s += more->latency_sum_s;
    sum->cache.hits += more->cache.hits;
    sum->cache.misses += more->cache.misses;
    sum->cache.evictions += more->cache.evictions;
}

static void publish_worker(struct runner *runner, struct worker *worker)
{
    (void)pthread_mutex_lock(&runner->lock);
    runner->worker = worker;
    (void)pthread_mutex_unlock(&runner->lock);
}

static void retire_worker(struct runner *runner, struct worker *worker, int timeout_ms)
{
    struct worker_stats stats;

    worker_stop(worker, timeout_ms);
    worker_stats(worker, &stats);
    (void)pthread_mutex_lock(&runner->lock);
    runner->worker = NULL;
    add_counters(&runner->before, &stats);
    (void)pthread_mutex_unlock(&runner->lock);
    worker_close(worker);
}

/* One step and what it means. false: this worker is done with (`*ret_end` says whether the thread
 * is, too). */
static bool step(struct runner *runner, struct worker *worker, bool *ret_end)
{
    struct report report = {0};
    enum status status = worker_step(worker, &report);

    *ret_end = false;
    switch (status) {
    case STATUS_OK:
        if (runner->state != RUNNER_RUNNING)
            set_state(runner, RUNNER_RUNNING, NULL);
        return true;
    case STATUS_GONE:
        set_state(runner, RUNNER_GONE, &report);
        nap(runner, GONE_NAP_MS);
        return true;
    case STATUS_FENCED:
        if (!runner->ports.rival(runner->ports.self, runner->index)) {
            report_set(&report, "group-rejoin",
                       "the group fenced us, and no other process has our name: it met an old "
                       "request of our own; joining anew");
            log_report(LOG_LEVEL_WARNING, &report);
            set_state(runner, RUNNER_WAITING, &report);
            return false;
        }
        log_report(LOG_LEVEL_ERROR, &report);
        set_state(runner, RUNNER_FENCED, &report);
        *ret_end = true;
        return false;
    case STATUS_FATAL:
        log_report(LOG_LEVEL_WARNING, &report);
        set_state(runner, RUNNER_WAITING, &report);
        return false;
    default: /* it waits, or there is nothing to do */
        if (report.code[0]) {
            log_report(LOG_LEVEL_WARNING, &report);
            set_state(runner, RUNNER_WAITING, &report);
        } else if (runner->state != RUNNER_RUNNING &&
                   clock_mono_ms(&runner->clock) - runner->waiting_ms > WAITING_KEPT_MS) {
            set_state(runner, RUNNER_RUNNING, NULL);
        } else {
            beat(runner);
        }
        return true;
    }
}

/* With open ports until they must be replaced or the thread must end (true). */
static bool run_worker(struct runner *runner, const struct runner_parts *parts,
                       struct backoff *backoff)
{
    struct worker_log log = {.self = runner, .line = on_worker_line};
    struct worker *worker = worker_open(parts->options, parts->source, parts->sink, parts->redis,
                                        parts->clock, parts->cache, log);
    int64_t began_ms = clock_mono_ms(&runner->clock);
    bool end = false, go_on = worker != NULL;

    if (!worker)
        log_line(LOG_LEVEL_ERROR, "memory", -1, "no memory for a worker; trying again");
    publish_worker(runner, worker);
    while (go_on && !atomic_load(&runner->stop)) {
        go_on = step(runner, worker, &end);
        if (atomic_exchange(&runner->reload, false) &&
            runner->ports.reload(runner->ports.self, runner->index)) {
            log_line(LOG_LEVEL_NOTICE, "secrets-reloaded", -1,
                     "worker %d connects anew with changed secrets", runner->index);
            go_on = false;
            backoff_clear(backoff);
        }
        if (backoff->tries > 0 && clock_mono_ms(&runner->clock) - began_ms > 60000)
            backoff_clear(backoff);
    }
    if (worker)
        retire_worker(runner, worker, atomic_load(&runner->stop_ms));
    return end || atomic_load(&runner->stop);
}

static void run(struct runner *runner)
{
    struct backoff backoff = {0};

    for (bool end = false; !end && !atomic_load(&runner->stop);) {
        struct runner_parts parts = {0};
        struct report report = {0};
        enum status status = runner->ports.open(runner->ports.self, runner->index, &parts, &report);

        if (status == STATUS_OK) {
            end = run_worker(runner, &parts, &backoff);
            runner->ports.close(runner->ports.self, runner->index, atomic_load(&runner->stop_ms));
        } else {
            log_report(status == STATUS_REJECT ? LOG_LEVEL_ERROR : LOG_LEVEL_WARNING, &report);
            set_state(runner, status == STATUS_REJECT ? RUNNER_REFUSED : RUNNER_WAITING, &report);
            end = status == STATUS_REJECT;
        }
        if (end || atomic_load(&runner->stop))
            break;
        (void)pthread_mutex_lock(&runner->lock);
        runner->restarts += status == STATUS_OK;
        (void)pthread_mutex_unlock(&runner->lock);
        backoff_fail(&backoff, clock_mono_ms(&runner->clock));
        for (int64_t now = clock_mono_ms(&runner->clock);
             !backoff_ready(&backoff, now) && !atomic_load(&runner->stop);
             now = clock_mono_ms(&runner->clock)) {
            nap(runner, backoff.until_ms - now);
            beat(runner);
        }
    }
}

static void *thread_main(void *self)
{
    struct runner *runner = self;

    run(runner);
    (void)pthread_mutex_lock(&runner->lock);
    if (runner->state != RUNNER_FENCED && runner->state != RUNNER_REFUSED)
        runner->state = RUNNER_ENDED;
    (void)pthread_mutex_unlock(&runner->lock);
    atomic_store(&runner->ended, true);
    return NULL;
}

struct runner *runner_start(int index, struct runner_ports ports, struct clock clock)
{
    struct runner *runner = calloc(1, sizeof *runner);

    if (!runner)
        return NULL;
    runner->index = index;
    runner->ports = ports;
    runner->clock = clock;
    runner->beat_ms = clock_mono_ms(&clock);
    atomic_store(&runner->stop_ms, 2000);
    (void)pthread_mutex_init(&runner->lock, NULL);
    (void)pthread_cond_init(&runner->wake, NULL);
    if (pthread_create(&runner->thread, NULL, thread_main, runner) != 0) {
        free(runner);
        return NULL;
    }
    return runner;
}

void runner_view(struct runner *runner, struct runner_view *ret_view)
{
    (void)pthread_mutex_lock(&runner->lock);
    ret_view->state = runner->state;
    ret_view->problem = runner->problem;
    ret_view->restarts = runner->restarts;
    ret_view->alive_ms = runner->beat_ms;
    ret_view->partition_count = 0;
    memset(&ret_view->stats, 0, sizeof ret_view->stats);
    if (runner->worker) {
        worker_stats(runner->worker, &ret_view->stats);
        ret_view->partition_count =
            worker_partitions(runner->worker, ret_view->partitions, RUNNER_PARTITIONS_MAX);
    }
    add_counters(&ret_view->stats, &runner->before);
    (void)pthread_mutex_unlock(&runner->lock);
    if (ret_view->partition_count > RUNNER_PARTITIONS_MAX)
        ret_view->partition_count = RUNNER_PARTITIONS_MAX;
    if (ret_view->stats.progress_ms > ret_view->alive_ms)
        ret_view->alive_ms = ret_view->stats.progress_ms;
}

bool runner_live(struct runner *runner, int32_t partition)
{
    bool live;

    (void)pthread_mutex_lock(&runner->lock);
    live = runner->worker && worker_live(runner->worker, partition);
    (void)pthread_mutex_unlock(&runner->lock);
    return live;
}

void runner_insight(struct runner *runner, struct insight *ret_insight)
{
    insight_init(ret_insight);
    (void)pthread_mutex_lock(&runner->lock);
    if (runner->worker)
        worker_insight(runner->worker, ret_insight);
    (void)pthread_mutex_unlock(&runner->lock);
}

void runner_reload(struct runner *runner)
{
    atomic_store(&runner->reload, true);
}

void runner_stop(struct runner *runner, int timeout_ms)
{
    atomic_store(&runner->stop_ms, timeout_ms);
    (void)pthread_mutex_lock(&runner->lock);
    atomic_store(&runner->stop, true);
    (void)pthread_cond_broadcast(&runner->wake);
    (void)pthread_mutex_unlock(&runner->lock);
}

bool runner_ended(struct runner *runner)
{
    return atomic_load(&runner->ended);
}

void runner_free(struct runner *runner)
{
    if (!runner)
        return;
    (void)pthread_join(runner->thread, NULL);
    (void)pthread_cond_destroy(&runner->wake);
    (void)pthread_mutex_destroy(&runner->lock);
    free(runner);
}
