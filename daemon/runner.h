/* runner: one worker in one thread: opens its ports, steps it, replaces the ports after a fatal
 * outcome (backing off), stops it within a bound. Others look at it through runner_view().
 *
 *   STARTING ─▶ RUNNING ◀─▶ WAITING          waiting: a server is away or refuses; goes on by
 * itself │  ▲ ├──┴─ FATAL: ports closed and opened again └─▶ GONE (operator) · FENCED · REFUSED
 * (settings) · ENDED (was asked to) */
#ifndef LC_DAEMON_RUNNER_H
#define LC_DAEMON_RUNNER_H

#include "pipeline/worker.h"

#define RUNNER_PARTITIONS_MAX 256 /* shown of one worker */

struct runner_parts {
    struct source source;
    struct sink sink;
    struct worker_redis_factory redis;
    const struct worker_options *options;
    struct cache *cache; /* empty */
    struct clock clock;  /* of the worker: the system's but for tests */
};

/* Where the parts come from (main's wiring). Called in the runner's thread, one index each. */
struct runner_ports {
    void *self;
    /* RETRY, FATAL: again later. REJECT: settings that cannot work. */
    enum status (*open)(void *self, int index, struct runner_parts *ret_parts,
                        struct report *report);
    void (*close)(void *self, int index, int timeout_ms);
    /* Read the secrets again; true: the ports must be opened again for them to take effect. */
    bool (*reload)(void *self, int index);
    /* The worker was fenced: did another process of its name take over? false: it may open again.
     */
    bool (*rival)(void *self, int index);
};

enum runner_state {
    RUNNER_STARTING,
    RUNNER_RUNNING,
    RUNNER_WAITING,
    RUNNER_GONE,
    RUNNER_FENCED,
    RUNNER_REFUSED,
    RUNNER_ENDED
};

struct runner_view {
    enum runner_state state;
    struct report problem;     /* code empty: none */
    int64_t alive_ms;          /* mono: the last sign of progress */
    uint64_t restarts;         /* of the ports after FATAL */
    struct worker_stats stats; /* counters over all restarts */
    size_t partition_count;
    struct partition_status partitions[RUNNER_PARTITIONS_MAX];
};

struct runner;

/* Starts the thread. NULL: no memory or threads. `clock` is copied. */
struct runner *runner_start(int index, struct runner_ports ports, struct clock clock);
void runner_view(struct runner *runner, struct runner_view *ret_view);
/* Of the worker of now; see worker.h. Without one: false, version 0. */
bool runner_live(struct runner *runner, int32_t partition);
void runner_insight(struct runner *runner, struct insight *ret_insight);
void runner_reload(struct runner *runner);
/* Ask it to stop; runner_ended tells when it has. */
void runner_stop(struct runner *runner, int timeout_ms);
bool runner_ended(struct runner *runner);
/* Joins the thread, which must have ended. Accepts NULL. */
void runner_free(struct runner *runner);

const char *runner_state_label(enum runner_state state);

#endif
