/* sim_fault: everything that can go wrong, as a list. A run's faults are drawn before it starts and
 * each says at which port call it happens, so one can be left out and the others keep their
 * meaning: that is what makes a failure reducible. */
#ifndef LC_SIM_FAULT_H
#define LC_SIM_FAULT_H

#include <stddef.h>

#include "tests/sim/sim_random.h"

/* The calls a worker makes to the outside. ANY stands for all of them, in faults that may hit
 * everywhere. */
#define SIM_PORT_TABLE(X)                                                                          \
    X(ANY, "any")                                                                                  \
    X(POLL, "poll")                                                                                \
    X(ASSIGN, "assign")                                                                            \
    X(COMMITTED, "committed")                                                                      \
    X(BOUNDS, "bounds")                                                                            \
    X(PARTITIONS, "partitions")                                                                    \
    X(CONTROL, "control")                                                                          \
    X(OPEN, "open")                                                                                \
    X(BEGIN, "begin")                                                                              \
    X(SEND, "send")                                                                                \
    X(OFFSETS, "offsets")                                                                          \
    X(COMMIT, "commit")                                                                            \
    X(ABORT, "abort")                                                                              \
    X(CONNECT, "connect")                                                                          \
    X(REDIS_SEND, "redis-send")                                                                    \
    X(REDIS_REPLY, "redis-reply")                                                                  \
    X(POINT, "point") /* a named point of the protocol between two calls */

enum sim_port {
#define X(name, label) SIM_PORT_##name,
    SIM_PORT_TABLE(X)
#undef X
        SIM_PORTS
};

/* name, label, port, longest duration in ms (0: it has none), can it cost what Kafka or Redis
 * promised to keep */
#define SIM_FAULT_TABLE(X)                                                                         \
    X(CRASH_BEFORE, "crash-before", ANY, 3000, false)                                              \
    X(CRASH_AFTER, "crash-after", ANY, 3000, false)                                                \
    X(PAUSE_BEFORE, "pause-before", ANY, 30000, false)                                             \
    X(PAUSE_AFTER, "pause-after", ANY, 30000, false)                                               \
    X(ZOMBIE_BEFORE, "zombie-before", ANY, 20000, false) /* and a new one takes its name */        \
    X(ZOMBIE_AFTER, "zombie-after", ANY, 20000, false)                                             \
    X(OVERLAP, "overlap", ANY, 20000,                                                              \
      false) /* a zombie that goes on, its successor slow to claim */                              \
    X(STOP, "stop", ANY, 20000, false)                                                             \
    X(CUT_GROUP, "cut-from-group", ANY, 25000, false)                                              \
    X(REBALANCE, "rebalance", ANY, 0, false)                                                       \
    X(CLOCK, "clock-jump", ANY, 172800000, false)                                                  \
    X(SLOW_MARKERS, "slow-markers", ANY, 4000, false)                                              \
    X(SOURCE_FATAL, "source-fatal", POLL, 0, false)                                                \
    X(COMMITTED_RETRY, "committed-retry", COMMITTED, 0, false)                                     \
    X(BOUNDS_RETRY, "bounds-retry", BOUNDS, 0, false)                                              \
    X(PARTITIONS_RETRY, "partitions-retry", PARTITIONS, 0, false)                                  \
    X(CONTROL_RETRY, "control-retry", CONTROL, 0, false)                                           \
    X(OPEN_RETRY, "open-retry", OPEN, 0, false)                                                    \
    X(BEGIN_FATAL, "begin-fatal", BEGIN, 0, false)                                                 \
    X(SEND_FULL, "send-full", SEND, 0, false)                                                      \
    X(OFFSETS_RETRY, "offsets-abortable", OFFSETS, 0, false)                                       \
    X(COMMIT_RETRY, "commit-abortable", COMMIT, 0, false)                                          \
    X(COMMIT_LOST, "commit-answer-lost", COMMIT, 0, false)                                         \
    X(COMMIT_DROPPED, "commit-request-lost", COMMIT, 0, false)                                     \
    X(COMMIT_DELAYED, "commit-delayed", COMMIT, 9000, false)                                       \
    X(ABORT_FATAL, "abort-fatal", ABORT, 0, false)                                                 \
    X(CONNECT_RETRY, "connect-retry", CONNECT, 0, false)                                           \
    X(REDIS_CUT_BEFORE, "redis-cut-before", REDIS_SEND, 0, false)                                  \
    X(REDIS_CUT_AFTER, "redis-answer-lost", REDIS_SEND, 0, false)                                  \
    X(REDIS_CUT_PARTIAL, "redis-cut-partial", REDIS_REPLY, 0, false)                               \
    X(REDIS_LATE, "redis-late", REDIS_SEND, 5000, false)                                           \
    X(REDIS_DOWN, "redis-down", ANY, 5000, false)                                                  \
    X(REDIS_OOM, "redis-oom", ANY, 5000, false)                                                    \
    X(REDIS_READONLY, "redis-readonly", ANY, 5000, false)                                          \
    X(REDIS_LOADING, "redis-loading", ANY, 5000, false)                                            \
    X(REDIS_SAVE, "redis-save", ANY, 0, false)                                                     \
    X(REDIS_ROLLBACK, "redis-rollback", ANY, 0, false)                                             \
    X(REDIS_FAILOVER, "redis-failover", ANY, 0, false) /* to the saved image, connections live */  \
    X(REDIS_WIPE, "redis-wipe", ANY, 0, false)                                                     \
    X(REDIS_TORN, "redis-torn", ANY, 6000, false) /* half a transaction, after a second restart */ \
    X(REDIS_META_GONE, "redis-meta-gone", ANY, 0, false) /* somebody deletes a partition's meta */ \
    X(RETENTION, "retention", ANY, 0, true)                                                        \
    X(EXPIRE_OFFSETS, "expire-offsets", ANY, 0, true)                                              \
    X(TRUNCATE, "truncate", ANY, 0, true)                                                          \
    X(RECREATE, "recreate", ANY, 0, true)

enum sim_fault_kind {
#define X(name, label, port, ms, loses) SIM_FAULT_##name,
    SIM_FAULT_TABLE(X)
#undef X
        SIM_FAULTS
};

struct sim_fault {
    enum sim_fault_kind kind;
    uint32_t nth;    /* call of its port, from 1, counted over all workers */
    int64_t ms;      /* how long */
    uint32_t choice; /* any further choice it has to make */
};

#define SIM_PLAN_MAX 48

struct sim_plan {
    struct sim_fault at[SIM_PLAN_MAX];
    uint32_t count;
    uint32_t events; /* only so many of the first events; 0: all */
};

const char *sim_fault_label(enum sim_fault_kind kind);
const char *sim_port_label(enum sim_port port);
enum sim_port sim_fault_port(enum sim_fault_kind kind);
bool sim_fault_loses(enum sim_fault_kind kind);
int64_t sim_fault_ms_max(enum sim_fault_kind kind);
/* Draw a plan. `calls` is about how many port calls the run will make without faults; `turn`: the
 * call from which new workers want other parameters, 0 none. */
void sim_plan_draw(struct sim_plan *plan, struct sim_random *random, uint32_t calls, uint32_t turn,
                   bool may_lose);

#endif
