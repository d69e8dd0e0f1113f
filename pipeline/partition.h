/* partition: one owned partition: its claim on the state in Redis, its place in the log, and what
 * it is doing.
 *
 *   CLAIMING ──claim──▶ REPLAYING ──(R,C) = (K,C_K)──▶ LIVE
 *      ▲ │                  │                            │
 *      │ └─▶ STOPPED        └── Redis or Kafka moved ────┘──▶ CLAIMING (cache dropped)
 *
 * The claim is PROTOCOL.md step 2 and the table of lost, truncated and recreated logs. Everything
 * it needs comes from Kafka (K, the control records) and Redis (R); everything it decides is in
 * this struct. A partition that waits for a server keeps its phase and has a problem;
 * worker_partitions shows it as WAITING. */
#ifndef LC_PIPELINE_PARTITION_H
#define LC_PIPELINE_PARTITION_H

#include "pipeline/backoff.h"
#include "pipeline/backup_watch.h"
#include "pipeline/control_log.h"
#include "pipeline/guard.h"
#include "pipeline/ports.h"

#define PARTITION_TOKEN_MAX 64
/* The problem of a partition whose state a newer version wrote. */
#define PARTITION_VERSION_NEWER "version-newer"

struct partition {
    int32_t number;
    enum partition_phase phase;
    struct backoff backoff; /* of the claim, and of loads refused */
    struct report problem;  /* code empty: none */
    bool birth_due;         /* the claim found nothing anywhere: the birth record comes first */
    bool rebuild_due;       /* a record of the state is damaged: wipe at the next claim */
    bool loss_accepted; /* the operator lets it go on after a loss: labels passed over are applied
                           late */

    /* Redis */
    struct redis redis;
    bool connected;
    struct store *store;
    char token[PARTITION_TOKEN_MAX + 1];
    struct store_meta
        meta; /* R, C, W, … as of the last acknowledged step (zero customers when not present) */
    bool present;           /* there is a meta in Redis */
    struct position newest; /* highest (R, C) acknowledged to this incarnation: tells a rollback */
    int64_t due_next_ms;    /* no index entry is below this; INT64_MIN unknown */

    /* Kafka */
    struct delivered delivered; /* K */
    struct control_log control;
    /* The newest control record at or below C whose place in the control topic is known (what a
     * transaction sends does not tell its offset): the next CO. −1: none since the claim. */
    int64_t control_at, control_at_number;
    int64_t log_low, log_end;
    bool caught_up; /* the end of the partition was reached and nothing came since */
    bool verify;    /* the next record must be meta.last_offset with meta.last_hash */

    struct backup_watch backup;

    struct params params; /* in force at `meta.at` */

    /* of the wall clock's ticks and the lazy commit, monotonic ms */
    int64_t tick_at_ms, lazy_at_ms;
    struct guard guard;

    int64_t poke_at_ms; /* in replay without records: when to look at the control log again */
    bool paused;        /* as the source was told last */
    int64_t
        fetched; /* where the source is: told, or behind the last record it brought; −1 nowhere */
    bool lost;   /* planted bugs only: no longer owned but still in a batch */

    /* records of the present poll, not folded yet */
    struct record **queue;
    size_t queue_count, queue_next;
};

struct partition *partition_open(int32_t number); /* NULL: no memory */
/* Drops everything held of it: store, connection, cache. Writes nothing. Accepts NULL. */
void partition_close(struct partition *partition, struct ports *ports);

/* Try to claim. OK: phase is REPLAYING or LIVE, or birth_due is set, or STOPPED with the problem.
 * RETRY: later (the problem says what is waited for, the backoff when). */
enum status partition_claim(struct partition *partition, struct ports *ports) LC_CHECKED;
/* Somebody moved what this stood on, or a server answered with an unknown outcome: drop the cache,
 * claim again. */
void partition_reclaim(struct partition *partition, struct ports *ports, const char *why);
void partition_stop(struct partition *partition, struct ports *ports, const struct report *why);
/* Later, because of `why` (kept as the problem until partition_well). */
void partition_wait(struct partition *partition, struct ports *ports, const struct report *why);
void partition_well(struct partition *partition);
/* Forget the records not folded yet; true: there were some, and they have to be fetched again. */
bool partition_drop_queue(struct partition *partition);

/* Where the source must start or go on; −1: nowhere yet. */
int64_t partition_fetch_offset(const struct partition *partition);
static inline bool partition_ready(const struct partition *partition)
{
    return partition->phase == PARTITION_REPLAYING || partition->phase == PARTITION_LIVE;
}
/* Everything at positions below is delivered already and only replayed. */
static inline struct position partition_replay_end(const struct partition *partition)
{
    struct position end = partition->delivered.at;
#ifdef LC_PLANT_SUPPRESS_LE
    end.offset++;
#endif
    return end;
}
static inline bool partition_replays(const struct partition *partition)
{
#ifdef LC_PLANT_OFFSET_ALONE
    return partition->meta.at.offset < partition_replay_end(partition).offset;
#endif
    return position_compare(partition->meta.at, partition_replay_end(partition)) < 0;
}
/* Of every record fetched: the first one after a claim is the last one before R, and none lies
 * between the two. OK: it is, or it need not be
 * checked. REJECT: the topic is not the one the state was made from: stopped. */
enum status partition_verify(struct partition *partition, struct ports *ports,
                             const struct record *record) LC_CHECKED;
uint64_t partition_record_hash(const struct record *record);

/* A step of the state was acknowledged by Redis: `next` is what holds now. */
void partition_applied(struct partition *partition, struct ports *ports,
                       const struct store_meta *next);
/* R is at K: is this the place the alerts were delivered up to, or another log that is only as
 * long? false: stopped. */
bool partition_arrived(struct partition *partition, struct ports *ports);
/* A transaction with K = delivered committed. */
void partition_delivered(struct partition *partition, const struct delivered *delivered);
/* Control records that this worker made pile up behind CO: read on, so that a restart need not.
 * Bounded; what cannot be read now will be later. */
void partition_control_follow(struct partition *partition, struct ports *ports);
/* K as it would be committed with this meta. */
struct delivered partition_delivery(const struct store_meta *meta);
/* The parameters we want are not those in force: a switch is due (once LIVE). */
bool partition_switch_due(const struct partition *partition, const struct ports *ports);

#endif
