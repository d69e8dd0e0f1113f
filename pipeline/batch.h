/* batch: the work of one round: for each partition the events and control records taken, the
 * customers they touch as decoded copies, what is to be sent, and what is to be written. Everything
 * lives in one arena and nothing outside is changed: a batch that is dropped leaves no trace.
 * commit.h makes it true.
 *
 * A part is built in passes over flat arrays: decode (and prefetch), look up, load what is missing
 * in one round trip, load the buckets whose timers may fire, then fold in order of the log. */
#ifndef LC_PIPELINE_BATCH_H
#define LC_PIPELINE_BATCH_H

#include "model/fold.h"
#include "pipeline/outbox.h"
#include "pipeline/partition.h"
#include "pipeline/timers.h"

struct batch_part;

/* A customer of the batch: a decoded copy. */
struct batch_customer {
    struct span id; /* in the batch's arena */
    uint64_t hash;
    struct batch_part *part;
    struct batch_customer *chain; /* of the table */
    uint32_t index;               /* in part->customers */
    uint32_t events;              /* of the batch */
    bool joined;                  /* one of them brings another customer's state */
    bool marked;                  /* Redis has a mark of its erasure (state/mark.h) */
    bool loaded;
    bool stored; /* Redis has a record of it */
    bool dirty;
    struct span ledger_raw; /* as loaded from Redis; absent when it came from the cache */
    struct customer state;
    struct ledger ledger; /* only with events */
};

/* A decoded record. */
struct batch_event {
    const struct record *record;
    struct event event;
    enum decode_error error;
    struct span detail;
    struct batch_customer *customer; /* NULL with an error */
};

/* A control record of the log, in replay: applied before events[before]. */
struct batch_control {
    struct control_record record;
    int64_t offset; /* in the control topic */
    uint32_t before;
};

enum part_state {
    PART_BUILT,   /* folded, not yet sent to Redis */
    PART_BEGUN,   /* its Redis step is under way */
    PART_UNKNOWN, /* the connection broke: was it applied? */
    PART_DONE     /* applied, or dropped */
};

struct batch_part {
    struct partition *partition;
    struct batch_part *next_part;
    enum part_state state;
    bool replay;        /* effects are suppressed */
    bool transactional; /* K moves: by output or because the lazy commit is due */
    bool stored;        /* a Redis step is wanted */
    struct store_meta base, next;
    struct params *params_next; /* with a switch or birth: in force from `next` on */
    bool due_all;

    struct batch_event *events;
    uint32_t event_count, event_cap;
    struct batch_control *controls;
    uint32_t control_count;
    size_t taken; /* records of the partition's queue this part used up */

    struct batch_customer **customers;
    uint32_t customer_count, customer_cap;
    struct store_bucket *buckets;
    size_t bucket_count;
    int64_t due_next_ms; /* no index entry is below this once the part is applied */
    struct timers timers;
    int64_t alert_max; /* of timers in this part; then W stops */
    int64_t told;      /* alerts of timers */
    bool cut;          /* W stopped for it */
    struct outbox outbox;
    struct store_step step;
    /* counted once the part is applied */
    uint64_t applied, duplicates, ignored, forwarded, unknown_types, timers_fired;
};

enum batch_stage { BATCH_EMPTY, BATCH_SEND, BATCH_STORE };

struct batch {
    struct arena arena;
    struct arena commit_arena; /* of the commit alone: a batch that used its own up can be sent */
    enum batch_stage stage;
    struct batch_part *parts;
    struct batch_part *last_part;
    struct batch_customer **table;
    uint32_t table_mask;
    struct effects effects; /* of one fold step, with its errands */
    struct alert_options alert;
    int64_t wall_ms;    /* when the batch began */
    bool overflowed;    /* a Redis step did not fit the arena: take fewer records next time */
    size_t buckets_max; /* due buckets one part takes; fewer after the arena was full */
    struct ports *ports;
};

/* false: no memory. */
bool batch_init(struct batch *batch, struct ports *ports);
void batch_fini(struct batch *batch); /* accepts zeroed */
void batch_reset(struct batch *batch);

/* Fold up to `max` records of the partition's queue, or (in replay) control records, or only move
 * over the gap to the end of the log. *ret_part NULL: nothing can be done now. RETRY: Redis does
 * not answer (report). STALE: the state moved: reclaim. GONE: a stored record is damaged: rebuild.
 * REJECT: the control log contradicts itself: stop. FULL: the arena; drop the batch and take fewer
 * records. On anything but OK the part is not in the batch. */
enum status batch_add_events(struct batch *batch, struct partition *partition, size_t max,
                             struct batch_part **ret_part, struct report *report) LC_CHECKED;
/* Fire what is due by until_ms, in a recorded tick when anything fires; bounded, so W may stop
 * before. What begins or ends to hold time is recorded, too. */
struct batch_tick {
    int64_t until_ms;  /* where the partition's clock stands (pipeline/guard.h) */
    bool silent;       /* time is held by silence */
    bool storm_over;   /* a storm that is on ends if nothing is held back */
    int64_t alert_max; /* so many may be told in a storm */
    /* out */
    bool more;    /* at once: one batch did not take all that is due */
    bool cut;     /* alerts are held back */
    int64_t told; /* alerts */
};
enum status batch_add_tick(struct batch *batch, struct partition *partition,
                           struct batch_tick *tick, struct report *report) LC_CHECKED;
/* The birth record, or a switch to our parameters. FULL. */
enum status batch_add_birth(struct batch *batch, struct partition *partition) LC_CHECKED;
enum status batch_add_switch(struct batch *batch, struct partition *partition) LC_CHECKED;
/* Move R over the gap to the end of the log and K up to R. FULL. */
enum status batch_add_flush(struct batch *batch, struct partition *partition,
                            struct batch_part **ret_part) LC_CHECKED;

#endif
