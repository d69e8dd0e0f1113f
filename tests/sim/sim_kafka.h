/* sim_kafka: the brokers. Logs, transactions, a group coordinator, and time that is handed in; no
 * worker, no waiting, no chance of its own but marker delays. tests/sim/sim_kafka_test.c holds it
 * against the facts that were measured on Kafka 4.1.1.
 *
 * Entries are never removed from memory: retention moves `low`, so that the oracle can still read
 * what a worker cannot. */
#ifndef LC_SIM_KAFKA_H
#define LC_SIM_KAFKA_H

#include "base/arena.h"
#include "pipeline/record.h"
#include "tests/sim/sim_random.h"

#define SIM_PARTITIONS_MAX 4
#define SIM_NAMES_MAX      4 /* transactional ids and static members */
#define SIM_TXN_PARTS_MAX  16
#define SIM_TXN_TIMEOUT_MS 10000
#define SIM_SESSION_MS     10000
#define SIM_REBALANCE_MS   30000

enum sim_topic { SIM_INPUT, SIM_ALERTS, SIM_DEAD_LETTERS, SIM_CONTROL, SIM_TOPICS };

struct sim_txn;

struct sim_entry {
    bool marker;         /* a control record: takes an offset, is never delivered */
    struct sim_txn *txn; /* NULL: written outside of transactions */
    uint8_t slot;        /* its partition in txn->part */
    int64_t timestamp_ms;
    struct span key, value;
    struct header *headers;
    size_t header_count;
};

struct sim_log {
    struct sim_entry *at;
    int64_t end, cap; /* next offset; entries there is room for */
    int64_t low;      /* log start */
    int64_t stable;   /* last stable offset, brought up to date by sim_kafka_stable */
};

enum sim_txn_state { SIM_TXN_OPEN, SIM_TXN_COMMITTING, SIM_TXN_ABORTING, SIM_TXN_DONE };

struct sim_txn {
    enum sim_txn_state state;
    bool committed; /* meaningful from COMMITTING on */
    int64_t started_ms;
    struct sim_txn *next; /* of those that are not done, newest first */
    struct sim_txn_part {
        enum sim_topic topic;
        int32_t partition;
        bool marked;
        int64_t mark_ms; /* when its marker will be written */
    } part[SIM_TXN_PARTS_MAX];
    uint8_t parts;
    bool has_offsets, offsets_marked;
    int64_t offsets_mark_ms;
    struct sim_txn_offset {
        bool present;
        int64_t offset;
        struct span metadata;
    } offset[SIM_PARTITIONS_MAX];
};

struct sim_producer {
    int64_t epoch;       /* stands for (producer id, epoch); every init counts it up */
    struct sim_txn *txn; /* the newest, may be done */
};

struct sim_member {
    int64_t id;             /* of the incarnation; 0: nobody has this name */
    bool joined;            /* has (re)joined the rebalance that is going on */
    int64_t session_end_ms; /* INT64_MAX while it heartbeats */
    uint32_t partitions;    /* mask */
};

enum sim_group_state { SIM_GROUP_EMPTY, SIM_GROUP_STABLE, SIM_GROUP_PREPARING };

struct sim_kafka {
    struct arena bytes; /* of keys, values, transactions: one run */
    struct sim_random random;
    int64_t now_ms;
    int64_t marker_delay_ms; /* longest time from EndTxn to a marker */
    int32_t partitions;      /* of input and control */
    struct sim_log log[SIM_TOPICS][SIM_PARTITIONS_MAX];
    struct sim_txn *txns;
    struct sim_producer producer[SIM_NAMES_MAX];
    enum sim_group_state group_state;
    int64_t generation;
    int64_t rebalance_end_ms;
    struct sim_member member[SIM_NAMES_MAX];
    struct sim_txn_offset committed[SIM_PARTITIONS_MAX];
    bool went_back[SIM_PARTITIONS_MAX]; /* K was once committed below what it was: never right */
};

/* The broker's answer. */
enum sim_answer {
    SIM_DONE,
    SIM_WAIT,   /* concurrent transaction, unstable offset, rebalance in progress: ask again */
    SIM_FENCED, /* producer epoch or static member replaced */
    SIM_UNKNOWN_MEMBER,
    SIM_ILLEGAL_GENERATION,
    SIM_INVALID_STATE /* no transaction to end */
};

void sim_kafka_init(struct sim_kafka *kafka, int32_t partitions, uint64_t seed);
void sim_kafka_reset(struct sim_kafka *kafka); /* keeps memory for the next run */
/* Bring the time forward: markers, transaction time-outs, sessions, rebalances. Never back. */
void sim_kafka_advance(struct sim_kafka *kafka, int64_t now_ms);

/* Append outside of any transaction. The entry's bytes are copied. */
int64_t sim_kafka_append(struct sim_kafka *kafka, enum sim_topic topic, int32_t partition,
                         const struct sim_entry *entry);
/* A publisher's transaction: appended, open until sim_kafka_finish. */
struct sim_txn *sim_kafka_open_txn(struct sim_kafka *kafka);
int64_t sim_kafka_append_txn(struct sim_kafka *kafka, struct sim_txn *txn, enum sim_topic topic,
                             int32_t partition, const struct sim_entry *entry);
void sim_kafka_finish(struct sim_kafka *kafka, struct sim_txn *txn, bool commit);
/* Last stable offset. */
int64_t sim_kafka_stable(struct sim_kafka *kafka, enum sim_topic topic, int32_t partition);
/* Would a read_committed consumer get it (below the last stable offset)? */
bool sim_kafka_visible(const struct sim_entry *entry);

/* Transactional producers, by name. */
enum sim_answer sim_kafka_producer_init(struct sim_kafka *kafka, int name, int64_t *ret_epoch);
enum sim_answer sim_kafka_produce(struct sim_kafka *kafka, int name, int64_t epoch,
                                  enum sim_topic topic, int32_t partition,
                                  const struct sim_entry *entry);
/* member 0: bare metadata (only a group id), which the broker accepts [M]. */
enum sim_answer sim_kafka_txn_offset(struct sim_kafka *kafka, int name, int64_t epoch,
                                     int64_t member, int64_t generation, int32_t partition,
                                     int64_t offset, struct span metadata);
enum sim_answer sim_kafka_end_txn(struct sim_kafka *kafka, int name, int64_t epoch, bool commit);

/* Group. A name is a group.instance.id. */
enum sim_answer sim_kafka_join(struct sim_kafka *kafka, int name, int64_t member);
/* DONE: stable, *ret_partitions and *ret_generation are the member's. WAIT: a rebalance needs it to
 * join (again). */
enum sim_answer sim_kafka_member(const struct sim_kafka *kafka, int name, int64_t member,
                                 int64_t *ret_generation, uint32_t *ret_partitions);
/* The process stops, or is cut off: its session runs out in SIM_SESSION_MS unless it goes on. */
void sim_kafka_silence(struct sim_kafka *kafka, int name, int64_t member);
void sim_kafka_heartbeat(struct sim_kafka *kafka, int name, int64_t member);
void sim_kafka_rebalance(struct sim_kafka *kafka); /* somebody asks for one */
/* K as a consumer that requires stable offsets sees it. *ret_offset −1: none. */
enum sim_answer sim_kafka_committed(const struct sim_kafka *kafka, int32_t partition,
                                    int64_t *ret_offset, struct span *ret_metadata);
void sim_kafka_expire_offsets(struct sim_kafka *kafka, int32_t partition);

/* Bad days of a topic. */
void sim_kafka_retention(struct sim_kafka *kafka, enum sim_topic topic, int32_t partition,
                         int64_t low);
/* Everything from `end` on is gone (unclean leader election). */
void sim_kafka_truncate(struct sim_kafka *kafka, enum sim_topic topic, int32_t partition,
                        int64_t end);

#endif
