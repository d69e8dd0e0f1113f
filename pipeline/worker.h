/* worker: the commit protocol. One worker is one thread with its own source (consumer), sink
 * (transactional producer), one Redis connection a partition and a cache; more workers or more
 * machines are the same thing again. PROTOCOL.md is its law; docs/DESIGN.md says where each step of
 * it is.
 *
 * worker_step() does one round: take ownership changes, claim, replay or fold a batch, commit to
 * Kafka, then to Redis. It never blocks longer than its timeouts and never loses anything by
 * returning. Everything that goes wrong is a status here and a line in `events`, which the caller
 * prints. */
#ifndef LC_PIPELINE_WORKER_H
#define LC_PIPELINE_WORKER_H

#include "base/clock.h"
#include "pipeline/alert_codec.h"
#include "pipeline/decode.h"
#include "pipeline/guard.h"
#include "pipeline/position_codec.h"
#include "pipeline/sink.h"
#include "state/cache.h"
#include "state/mark.h"

struct worker;

/* Opens a connection of its own for one partition; closes by redis.close and this function. */
struct worker_redis_factory {
    void *self;
    enum status (*connect)(void *self, int32_t partition, struct redis *ret_redis,
                           struct report *report);
    void (*release)(void *self, int32_t partition, struct redis redis);
};

/* What happened, for the log. Called from worker_step in its own thread; must not call back. */
enum worker_severity { WORKER_INFO, WORKER_NOTICE, WORKER_WARNING, WORKER_ERROR };
struct worker_log {
    void *self;
    void (*line)(void *self, enum worker_severity severity, int32_t partition, const char *code,
                 const char *text);
};

struct worker_options {
    const char *app;         /* key prefix in Redis */
    const char *input_topic; /* name, for lc-topic of dead letters */
    const char *token;       /* unique to this incarnation: instance name, boot, counter */
    struct params params;    /* the configured ones; the newest insight known goes over them */
    struct decode_options decode;
    struct alert_options alert;
    struct mark_key mark_key; /* under which names erased customers' marks are kept */
    size_t batch_max;         /* events a round, 1–100000 */
    size_t tick_buckets_max;  /* buckets swept in one tick */
    int64_t tick_interval_ms; /* wall clock ticks */
    struct guard_options guard;
    int64_t lazy_commit_ms;   /* K without output is committed this often */
    size_t batch_arena_max;   /* bytes */
    int poll_ms;              /* longest wait for records in one step */
    int64_t look_ms;          /* how often a newer insight is looked for in Redis; 0: never */
    bool continue_after_loss; /* operator's decision: go on although the log no longer holds what is
                                 needed */
    bool tombstone_deletes;   /* a null value means erasure */
};

/* Of one partition, for status, metrics, tests. */
enum partition_phase {
    PARTITION_CLAIMING,
    PARTITION_REPLAYING, /* below (K, C_K): effects are suppressed */
    PARTITION_LIVE,
    PARTITION_WAITING, /* Redis or Kafka refuses for now; resumes by itself */
    PARTITION_STOPPED  /* operator's decision is needed */
};
/* The newest backup of a partition against the log's start (backup_watch.h). */
enum backup_use { BACKUP_UNKNOWN, BACKUP_FRESH, BACKUP_NEAR, BACKUP_PASSED };
struct backup_view {
    enum backup_use use; /* UNKNOWN: there is none, or it was not looked at yet */
    int64_t offset, made_ms, log_low;
};

struct partition_status {
    int32_t partition;
    enum partition_phase phase;
    struct position delivered; /* K, C_K */
    struct position at;        /* R, C */
    int64_t watermark_ms, log_end;
    int64_t customers;
    struct backup_view backup;
    uint32_t held;         /* STORE_HELD_*: what holds W */
    struct report problem; /* code empty: none */
};

/* Counters since the start; only ever grow. */
#define WORKER_COUNTER_TABLE(X)                                                                    \
    X(events, "events applied")                                                                    \
    X(events_replayed, "events applied again after a rollback or restart, effects suppressed")     \
    X(duplicates, "events known already")                                                          \
    X(ignored, "events from before an erasure")                                                    \
    X(forwarded, "events sent on because their customer has become another (Alias)")               \
    X(errands, "records written to the input topic: events sent on, and steps of an Alias")        \
    X(receipts, "receipts of erasures sent")                                                       \
    X(dead_letters, "records sent to the dead-letter topic")                                       \
    X(unknown_types, "events of a type we do not know, counted as engagement")                     \
    X(alerts, "alerts sent")                                                                       \
    X(timers, "timers fired")                                                                      \
    X(ticks, "ticks recorded")                                                                     \
    X(silences, "times that silence or lag began to hold a partition's time")                      \
    X(storms, "storm alerts sent")                                                                 \
    X(transactions, "Kafka transactions committed")                                                \
    X(transactions_aborted, "Kafka transactions aborted")                                          \
    X(producer_reopened, "producers replaced after an unknown or fatal outcome")                   \
    X(store_commits, "Redis steps applied")                                                        \
    X(store_stale, "Redis steps refused because the state had moved")                              \
    X(store_retries, "Redis steps tried again")                                                    \
    X(rebuilds, "partitions rebuilt from the start of the log")                                    \
    X(rollbacks, "Redis found behind what it had acknowledged")                                    \
    X(assigned, "partitions assigned")                                                             \
    X(revoked, "partitions revoked")                                                               \
    X(lost, "partitions lost")

struct worker_stats {
#define X(name, help) uint64_t name;
    WORKER_COUNTER_TABLE(X)
#undef X
    uint64_t dead_by_error[DECODE_ERROR_COUNT];
    uint64_t alerts_by_kind[KIND_COUNT];
    int64_t progress_ms; /* mono: the last time a step moved something or found nothing to do */
    struct cache_stats cache;
    /* Event-to-commit time of the last batches, log-spaced buckets in ms:
     * 1,2,5,10,20,50,100,200,500,1000,2000,5000,+inf */
    uint64_t latency_bucket[13];
    double latency_sum_s;
    size_t live_bytes; /* arenas and cache */
};

/* A switch of parameters arms every customer's timer anew, at the earliest here: after W at the
 * switch (so that nothing is due at W itself) and spread over an hour by the customer's hash (so
 * that W can stand between them and a tick stays bounded). Part of the replay's determinism: never
 * changes. */
#define WORKER_REARM_SPREAD_MS 3600000
static inline int64_t worker_rearm_ms(uint64_t customer_hash, int64_t switched_ms)
{
    return switched_ms == INT64_MIN
               ? INT64_MIN
               : switched_ms + 1 + (int64_t)(customer_hash % WORKER_REARM_SPREAD_MS);
}

/* When a customer's timer is fired by W: up to a minute behind its due time, by its hash. The fold
 * names the due time all the same; but midnights, at which everybody's windows move on, do not
 * bring everybody in one instant, between which and itself W could not stand. What an event of its
 * own fires is not put off. Part of the replay's determinism: never changes. */
#define WORKER_DUE_SPREAD_MS 60000
static inline int64_t worker_due_ms(uint64_t customer_hash, int64_t due_ms)
{
    return due_ms > INT64_MAX - WORKER_DUE_SPREAD_MS
               ? INT64_MAX
               : due_ms + (int64_t)(customer_hash % WORKER_DUE_SPREAD_MS);
}

/* Ports and options are borrowed and must outlive the worker. */
struct worker *worker_open(const struct worker_options *options, struct source source,
                           struct sink sink, struct worker_redis_factory redis, struct clock clock,
                           struct cache *cache, struct worker_log log);
/* OK: go on (call again at once). RETRY: nothing to do or waiting; sleep is done inside. FENCED:
 * stop, exit 77. GONE: every partition owned waits for the operator. FATAL: this worker can't go on
 * (report). */
enum status worker_step(struct worker *worker, struct report *report) LC_CHECKED;
/* Flush K, commit what is finished, unassign. The ports are closed by the caller. Bounded by
 * timeout_ms. */
void worker_stop(struct worker *worker, int timeout_ms);
void worker_close(struct worker *worker); /* accepts NULL */

/* Safe from another thread: copies under a lock taken only here and once a step. */
void worker_stats(struct worker *worker, struct worker_stats *ret_stats);
/* Does this worker own the partition, and is it past its replay? */
bool worker_live(struct worker *worker, int32_t partition);
/* The newest insight this worker knows: proposed, or found in force in a partition. */
void worker_insight(struct worker *worker, struct insight *ret_insight);
size_t worker_partitions(struct worker *worker, struct partition_status *ret_statuses, size_t cap);

/* A line for the operator's flow of the protocol; named crash points call this when set (tests
 * only). */
extern void (*worker_crash_point)(const char *name);

#endif
