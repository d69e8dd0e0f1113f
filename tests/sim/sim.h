/* sim: one run. The world holds the brokers, the Redis server, the clock, the workload still to
 * come and the workers, each in a fiber of its own; sim_run() makes it go until everything is
 * drained and then asks the oracle.
 *
 * Time stands still while a worker computes and moves only in the scheduler. A worker gives control
 * back at port calls. */
#ifndef LC_SIM_H
#define LC_SIM_H

#include <stdio.h>

#include "pipeline/worker.h"
#include "state/redis_memory.h"
#include "tests/sim/sim_fault.h"
#include "tests/sim/sim_fiber.h"
#include "tests/sim/sim_kafka.h"

#define SIM_APP           "sim"
#define SIM_ALERT_PARTS   2
#define SIM_TASKS_MAX     24
#define SIM_LATE_MAX      16
#define SIM_ITEMS_MAX     2000
#define SIM_CUSTOMERS_MAX 60
#define SIM_CALLS_MAX     400000 /* port calls in a run: more is a loop */
#define SIM_DRAIN_MS      600000 /* after the last fault and event everything must have drained */
#define SIM_QUIET_MS      2500   /* nothing moved for at least this long: drained */
#define SIM_W_HOUR_MS     130    /* W follows a wall that leapt at an hour a tick */
#define SIM_TICK_MS       100
#define SIM_LAZY_MS       700
#define SIM_VIOLATION_MAX 400

/* --- what a run is made of: drawn from the seed, or fixed in the scheduled mode (sim_load.c) ---
 */

struct sim_item {
    int64_t after_ms;  /* of simulated time since the item before */
    int64_t warp_ms;   /* days that pass on the wall at this moment */
    int32_t partition; /* −1: nothing is appended (only the warp) */
    int8_t
        txn; /* publisher's transaction: 0 none, 1 open or go on, 2 go on and commit, 3 … abort */
    bool learn; /* a new insight of the population is offered at this moment */
    struct sim_entry entry;
};

struct sim_load {
    int32_t partitions;
    int workers; /* running from the start, ≤ SIM_NAMES_MAX */
    bool clock_event;
    size_t batch_max, fetch_max; /* worker's bound; records one poll gives at most */
    size_t cache_bytes, batch_bytes, tick_buckets_max;
    uint32_t switch_per_mille; /* chance that a call without a latency gives control away */
    uint32_t slow_per_mille;   /* chance of a call that takes long */
    struct params params[2];   /* [1]: what workers started after `params_switch` calls want */
    uint32_t params_switch;    /* 0: never */
    struct guard_options guard;
    bool insights; /* workers look for insights, and some are offered */
    struct sim_item *items;
    size_t count;
    struct arena bytes;
};

/* Draws everything; the same seed gives the same load. */
void sim_load_draw(struct sim_load *load, uint64_t seed, struct sim_random *random);
/* Only the first events; the times stay what they were. 0: all. */
void sim_load_keep(struct sim_load *load, uint32_t events);
/* How far W has to have come at rest: to the wall, or as far as silence lets it. */
int64_t sim_load_until(const struct sim_load *load, const struct store_guard *guard,
                       int64_t wall_ms);
struct decode_options sim_load_decode(const struct sim_load *load);

/* --- workers --- */

enum sim_task_state { SIM_TASK_FREE, SIM_TASK_RUNS, SIM_TASK_CRASHED, SIM_TASK_ENDED };

enum sim_membership { SIM_OUT, SIM_JOINING, SIM_IN, SIM_REVOKING, SIM_LOSING };

/* The consumer (sim_source.c). */
struct sim_source {
    enum sim_membership membership;
    int64_t generation;
    uint32_t partitions; /* of the assignment */
    uint32_t fetching;   /* mask: assigned by the worker and not paused */
    int64_t position[SIM_PARTITIONS_MAX], end_told[SIM_PARTITIONS_MAX];
    int64_t cut_until_ms; /* no contact with the group coordinator */
    struct source_batch batch;
    struct record records[64];
    struct source_end ends[SIM_PARTITIONS_MAX];
    int32_t changed[SIM_PARTITIONS_MAX];
};

/* The transactional producer (sim_sink.c). */
struct sim_sink {
    bool opened, in_txn, abortable, fatal;
    bool sent; /* the broker knows of the transaction */
    int64_t epoch;
};

/* One connection to Redis (sim_redis.c). */
struct sim_redis {
    struct sim_task *task;
    struct redis_memory_conn *conn; /* NULL: not connected */
    uint64_t number, server_epoch;
    char *queued; /* commands not sent yet or not run yet */
    size_t len, cap, run_at;
    uint32_t count;   /* replies still to be taken */
    int broken_after; /* replies until the connection breaks; −1: it does not */
    struct redis_value error;
    bool used;
};

struct sim_task {
    struct sim *sim;
    struct sim_fiber *fiber;
    enum sim_task_state state;
    int id;   /* incarnation, from 1; also the memory owner and the group's member id */
    int name; /* instance name; also the transactional id */
    bool stop_wanted, zombie;
    bool paused;
    int64_t wake_ms;
    int64_t restart_ms; /* after a stop or crash: when the name starts again; INT64_MAX never */
    int64_t clock_offset_ms, clock_until_ms;
    char token[32];
    const struct sim_fault *after; /* crash or pause to happen after the call */
    struct sim_source source;
    struct sim_sink sink;
    struct sim_redis redis[SIM_PARTITIONS_MAX];
    struct worker_options options;
    struct worker *worker;
    struct cache *cache;
    enum status last;
    struct arena scratch; /* of the ports */
};

/* A pipeline that reaches Redis after its sender has given it up; an EndTxn likewise. */
struct sim_late {
    int64_t at_ms;
    bool used;
    int name;
    int64_t epoch; /* EndTxn when > 0 */
    struct redis_memory_conn *conn;
    char *commands;
    size_t len;
};

/* --- the world --- */

struct sim {
    uint64_t seed;
    struct sim_load load;
    struct sim_plan plan;
    struct sim_random random;
    int64_t now_ms, wall_ms; /* wall − now changes by the load's warps */
    size_t next_item;
    struct insight offered; /* the newest; version 0: none */
    int64_t next_item_ms;
    struct sim_txn *publisher[SIM_PARTITIONS_MAX];
    struct sim_kafka kafka;
    struct redis_memory *redis;
    uint64_t redis_epoch; /* counted up when every connection breaks */
    int64_t redis_down_ms, redis_refuse_ms, redis_loading_ms; /* until then */
    int64_t redis_torn_ms, redis_again_ms; /* of the second restart: after the first, when */
    bool torn; /* half a transaction came back: what Redis holds has to be rebuilt */
    struct redis_memory_image *image;
    int64_t slow_markers_ms;
    int64_t
        overlap_ms; /* until then questions of a claim take long, and zombies lose connections */
    struct sim_late late[SIM_LATE_MAX];
    int late_used; /* those behind have been free for the whole run */
    struct sim_task tasks[SIM_TASKS_MAX];
    int tasks_used; /* those behind have been free for the whole run */
    int incarnations;
    int64_t start_ms[SIM_NAMES_MAX]; /* when a name is started; INT64_MAX not */
    uint32_t calls, port_calls[SIM_PORTS];
    uint32_t happened;       /* faults of the plan */
    int64_t last_trouble_ms; /* newest fault, event or end of a fault's time */
    int64_t quiet_since_ms;
    int64_t quiet_wall_ms; /* timers due by then must have fired */
    uint64_t quiet_mark;
    bool stopping;
    /* What may have been lost for good, by partition: then stopping with a report is right. */
    bool low_moved[SIM_PARTITIONS_MAX], may_lose[SIM_PARTITIONS_MAX], rewritten[SIM_PARTITIONS_MAX];
    bool stopped[SIM_PARTITIONS_MAX];  /* the worker said so */
    bool live[SIM_PARTITIONS_MAX];     /* a worker has it and is through with its replay */
    bool reported[SIM_PARTITIONS_MAX]; /* an error was told of it, once */
    FILE *trace;
    char violation[SIM_VIOLATION_MAX]; /* empty: none */
    uint64_t events, alerts;           /* of the oracle, for the summary */
};

/* One run from the start to the verdict. false: sim->violation says what. The world may be used
 * again. */
bool sim_run(struct sim *sim);
void sim_fini(struct sim *sim);
void sim_violate(struct sim *sim, const char *format, ...) __attribute__((format(printf, 2, 3)));
void sim_trace(struct sim *sim, const struct sim_task *task, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Port calls (sim_world.c). begin: counts the call, lets faults happen, may give control away; NULL
 * or the fault the port has to act out. Between begin and end memory belongs to the simulation. */
const struct sim_fault *sim_call_begin(struct sim_task *task, enum sim_port port);
void sim_call_end(struct sim_task *task);
/* The worker waits inside a call. */
void sim_sleep(struct sim_task *task, int64_t ms);
int64_t sim_wall_ms(const struct sim_task *task);
/* Drop the connections and the Redis commands in flight of a worker that is gone. */
void sim_redis_abandon(struct sim_task *task);
void sim_redis_run_late(struct sim *sim, struct sim_late *late);
/* The server died of a torn transaction (sim_world.c). */
void sim_redis_died(struct sim *sim);
void sim_redis_init(struct sim_redis *redis, struct sim_task *task);
struct sim_late *sim_late_new(struct sim *sim, int64_t at_ms);

struct source sim_source_port(struct sim_task *task);
struct sink sim_sink_port(struct sim_task *task);
struct worker_redis_factory sim_redis_factory(struct sim_task *task);

/* What a worker's fiber runs (sim_worker.c). */
void sim_worker_main(void *task);
/* The scheduler says whose fiber runs next. */
void sim_worker_resumes(struct sim_task *task);
/* Which partitions a worker has stopped, which are live, into sim->stopped and sim->live. */
void sim_worker_survey(struct sim *sim);

/* Everything against an independent fold (sim_oracle.c). */
void sim_oracle_judge(struct sim *sim);

#endif
