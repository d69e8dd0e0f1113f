/* store_inner: what the files of the store share. store.c: open, server check, peek;
 * store_layout.c: keys, meta and the hashing of customers into buckets; store_talk.c: pipelines and
 * their answers; store_read.c: loads; store_commit.c: the commit step; store_order.c: sorting by
 * bucket; store_split.c: growing by a bucket; store_hold.c: holds and backup marks;
 * store_restore.c: a partition put back. */
#ifndef LC_STATE_STORE_INNER_H
#define LC_STATE_STORE_INNER_H

#include "state/store.h"

#define STORE_APP_MAX   64
#define STORE_TOKEN_MAX 64
#define STORE_KEY_MAX   128

struct store {
    struct redis redis;
    char prefix[STORE_KEY_MAX - 16]; /* "{app:p}:" */
    size_t prefix_len;
    const char *token; /* NULL: read-only */
    int64_t generation;
    bool present;   /* the partition has a meta, as of the last claim or commit */
    uint64_t watch; /* number of the connection on which WATCH meta stands; 0 none */
    bool holder;    /* the hold on this partition is ours */
    /* the pipeline under way */
    size_t pending;   /* answers not taken yet */
    bool broken;      /* the connection broke since store_talk_begin: what was sent has an unknown
                         outcome */
    size_t queued;    /* commands between MULTI and EXEC of a commit */
    bool send_failed; /* the commit's send broke; `refusal` has the words */
    struct report refusal;
    struct position next;
};

struct store_key {
    char at[STORE_KEY_MAX];
    size_t len;
};

/* --- store_layout.c --- */
struct store_key store_key(const struct store *store, char kind, uint32_t number);
static inline struct span store_key_span(const struct store_key *key)
{
    return (struct span){key->at, key->len};
}
struct store_key store_key_meta(const struct store *store);
struct store_key store_key_timers(const struct store *store);
struct store_key store_key_hold(const struct store *store);
struct store_key store_key_backup(const struct store *store);

/* The fields of meta, as HMGET asks for them and HSET writes them. */
#define STORE_META_FIELDS    16
#define STORE_META_VALUE_MAX 160
struct store_meta_found {
    bool present, wiping, torn, ours, held;
    int64_t generation;
    struct store_meta meta;
};
extern const struct span store_meta_field[STORE_META_FIELDS];
/* From the answer of HMGET of all fields. REJECT: damaged or of an unknown format. */
enum status store_meta_read(const struct store *store, const struct redis_value *reply,
                            struct store_meta_found *ret_found, struct report *report) LC_CHECKED;
struct store_meta_text {
    char value[STORE_META_FIELDS][STORE_META_VALUE_MAX];
    struct span argv[2 + 2 * STORE_META_FIELDS]; /* HSET key field value … */
};
void store_meta_write(const struct store *store, const struct store_key *key,
                      const struct store_meta *meta, struct store_meta_text *ret_text);
/* A score that is never later than due_ms (a double holds 2^53 exactly). The length written. */
size_t store_score_text(int64_t due_ms, char ret_text[24]);

/* --- store_talk.c --- */
void store_talk_begin(struct store *store); /* forgets earlier replies */
void store_queue(struct store *store, size_t argc, const struct span *argv);
#define STORE_QUEUE(store, ...)                                                                    \
    store_queue(store, sizeof((struct span[]){__VA_ARGS__}) / sizeof(struct span),                 \
                (struct span[]){__VA_ARGS__})
void store_queue_watch(struct store *store); /* after an EXEC */
void store_queue_rewatch(struct store *store);
enum status store_take_rewatch(struct store *store, struct report *report) LC_CHECKED;
void store_queue_meta(struct store *store);     /* HMGET of all fields and `open` */
void store_queue_position(struct store *store); /* HMGET token R C buckets open */
/* A step counts `open` up with its first command and down with its last. Redis 7.0 can run half a
 * step: when its append-only file ends inside a transaction it forgets the half but leaves its
 * MULTI in the file, and the restart after that runs it together with what follows. Then `open` is
 * never 0 again: the state is torn, and the next claim wipes and rebuilds it. */
#define STORE_META_OPEN SPAN_LITERAL("open")
void store_queue_open(struct store *store, struct span by);
bool store_is_torn(const struct redis_value *open);
enum status store_send(struct store *store, struct report *report) LC_CHECKED;
/* Next answer, whatever it is. */
enum status store_take(struct store *store, const struct redis_value **ret_value,
                       struct report *report) LC_CHECKED;
/* Next answer, which must be of this type: an error answer becomes its status, anything else ends
 * the connection. */
enum status store_expect(struct store *store, enum redis_type type,
                         const struct redis_value **ret_value, struct report *report) LC_CHECKED;
/* Take what is still to come and forget it. */
void store_drain(struct store *store);
/* The answers of MULTI, `queued` commands, EXEC. OK: executed. STALE: a watched key had changed.
 * RETRY, REJECT: refused, nothing executed (or broken: outcome unknown). GONE: executed, but a
 * command in it failed. */
enum status store_take_exec(struct store *store, size_t queued, struct report *report) LC_CHECKED;
/* The answer of store_queue_position: ours and at `at`? `buckets` 0 is any. STALE when not. */
enum status store_take_position(struct store *store, struct position at, bool present,
                                uint32_t buckets, struct report *report) LC_CHECKED;
/* The answer of store_queue_meta. */
enum status store_take_meta(struct store *store, struct store_meta_found *ret_found,
                            struct report *report) LC_CHECKED;
enum status store_error_status(struct span error, struct report *report) LC_CHECKED;
enum status store_protocol_error(struct store *store, struct report *report) LC_CHECKED;

/* --- store_claim.c --- */
/* WATCH meta, then everything in it. */
enum status store_watch_and_read(struct store *store, struct store_meta_found *ret_found,
                                 struct report *report) LC_CHECKED;

/* --- store_claim.c --- */
/* The meta is absent: is everything else, too? STALE when not. */
enum status store_absent_bare(struct store *store, struct report *report) LC_CHECKED;

/* --- store_order.c --- */
/* Room for an order of up to `count`: upper half bucket, lower half number. NULL: arena full. */
uint64_t *store_order(size_t count, struct arena *arena);
/* Ascending; `order` came from store_order(at least count). */
void store_order_sort(uint64_t *order, size_t count);

/* --- store_read.c --- */
/* HGETALL of records and of ledgers, merged into blobs. Both replies must still be there. */
enum status store_bucket_read(const struct redis_value *records, const struct redis_value *ledgers,
                              struct arena *arena, struct store_bucket *ret_bucket,
                              struct report *report) LC_CHECKED;

/* --- store_split.c --- */
/* What one commit writes, by customer: the puts, and customers that move because their bucket is
 * split. */
struct store_write {
    struct span customer, record, ledger; /* NULL: not written */
    bool remove;                          /* record and ledger */
};
/* One bucket that is split (or split again) in this step. */
struct store_split {
    uint32_t from;
    bool has_due;
    int64_t due_ms; /* its index entry */
    struct store_bucket bucket;
};
struct store_plan {
    struct store_write *writes;
    uint64_t *order; /* of writes, by bucket */
    size_t count, cap;
    struct store_split *splits;
    size_t split_count;
    uint32_t buckets; /* afterwards */
};
/* How many buckets there will be. */
uint32_t store_split_target(uint32_t buckets, int64_t customers);
/* The split from which a new bucket comes. */
const struct store_split *store_split_of(const struct store_plan *plan, uint32_t before,
                                         uint32_t number);
/* Reads the buckets to be split and adds those who move to the plan. */
enum status store_split_plan(struct store *store, const struct store_step *step,
                             struct store_plan *plan, struct arena *arena,
                             struct report *report) LC_CHECKED;

#endif
