/* store: one partition's state in Redis: layout, claim, reads that notice a rollback, and the one
 * atomic commit step. The logic of PROTOCOL.md steps 2, 6 and 9; over the port redis.h, so that the
 * simulation runs exactly this code.
 *
 * Keys of partition p of application app (one hash slot each, `{app:p}`):
 *   {app:p}:m    hash   the meta: token, generation, R, C, CO, W, cfg, customers, buckets ...
 *   {app:p}:b:N  hash   customer id → record (customer_codec.h); about 16 customers a bucket
 *   {app:p}:l:N  hash   customer id → ledger (same N)
 *   {app:p}:t    zset   N → earliest due_ms of the bucket (early is allowed, late never)
 *   {app:p}:hold        there while lifecyclectl backs up or restores: claims wait; it expires
 *   {app:p}:backup hash R, C and time of the newest backup; outlives a wipe
 *
 * Linear hashing: `buckets` grows by one when customers > 16 × buckets, splitting one bucket inside
 * the same MULTI; so a bucket stays a listpack of about sixteen for one customer or a hundred
 * million. */
#ifndef LC_STATE_STORE_H
#define LC_STATE_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "state/redis.h"

#define STORE_CFG_BYTES     24 /* fingerprint of the parameters in force, hex, and NUL */
#define STORE_BUCKET_TARGET 16
#define STORE_FORMAT        1

/* A position in a partition's log: the next input offset to apply and the number of the next
 * control record. Compared as a pair. */
struct position {
    int64_t offset;
    int64_t control;
};

static inline int position_compare(struct position left, struct position right)
{
    if (left.offset != right.offset)
        return left.offset < right.offset ? -1 : 1;
    return left.control < right.control ? -1 : left.control > right.control;
}

/* What the partition's log says of its pace (pipeline/guard.h); all zero: nothing yet. */
#define STORE_HELD_SILENCE 1u
#define STORE_HELD_STORM   2u
struct store_guard {
    uint32_t held;      /* STORE_HELD_*: what holds W, as of the newest CONTROL_GUARD */
    int64_t held_ms;    /* where time stood when the first of them began */
    int64_t heard_ms;   /* timestamp of the last record before R; 0 none */
    int64_t gap_ms;     /* trailing mean of the time between records */
    int64_t hour;       /* of W, that the next two count */
    int64_t alerts;     /* told by W in that hour */
    int64_t mean_milli; /* trailing mean of the hours before, in thousandths */
};

struct store_meta {
    struct position at;        /* R and C */
    int64_t control_offset;    /* CO: offset in the control topic to read from for C */
    int64_t watermark_ms;      /* W; INT64_MIN none yet */
    char cfg[STORE_CFG_BYTES]; /* fingerprint of the parameters in force */
    uint32_t params_version;   /* number of the switch in force, from 1 */
    int64_t switched_ms; /* W when these parameters took over: timers re-arm no earlier; INT64_MIN
                            at birth */
    int64_t customers;   /* and marks of erased ones (mark.h): the entries of all buckets */
    int64_t marks;       /* of them, marks */
    uint32_t buckets;    /* ≥ 1 */
    int64_t last_offset; /* of the last data record before R, −1 none */
    uint64_t last_hash;  /* of its key and value */
    struct store_guard guard;
};

struct store;

struct store_options {
    const char *app; /* 1–64 of [A-Za-z0-9._-] */
    int32_t partition;
    const char *token;  /* of this worker incarnation, unique, ≤ 64 bytes, outlives the store */
    int64_t generation; /* of the consumer group: an older one than the meta's is refused */
};

struct store *store_open(struct redis redis, const struct store_options *options);
void store_close(struct store *store); /* accepts NULL; does not write */
void store_generation(struct store *store, int64_t generation);

/* Is this server fit: reachable, no eviction policy, a primary? RETRY (away, loading), REJECT
 * (policy, replica) with words. */
enum status store_server_check(struct redis *redis, struct report *report) LC_CHECKED;

/* Claim the partition: WATCH, read, write our token. *ret_present says whether there was a meta;
 * when not, nothing is written and the first commit creates it. STALE: a newer generation holds it.
 * REJECT: wrong key type or unknown format. RETRY. */
enum status store_claim(struct store *store, struct store_meta *ret_meta, bool *ret_present,
                        struct report *report) LC_CHECKED;
/* Delete every key of the partition (rebuild). Claimed or absent; by bucket number, in bounded
 * pieces. */
enum status store_wipe(struct store *store, struct report *report) LC_CHECKED;

/* One customer as stored: spans into the arena given to the call. absent: record.at == NULL. */
struct store_blob {
    struct span customer;       /* in */
    uint64_t hash;              /* in: store_customer_hash(customer) */
    struct span record, ledger; /* out */
};
uint64_t store_customer_hash(struct span customer);
/* The bucket of a customer while the partition has so many (linear hashing). */
uint32_t store_bucket_of(uint64_t hash, uint32_t buckets);
/* Fetch by id. `expect` is the meta the caller believes in: a mismatch of token or position is
 * STALE (drop the cache, claim again). One round trip. FULL: arena. */
enum status store_load(struct store *store, const struct store_meta *expect,
                       struct store_blob *blobs, size_t count, struct arena *arena,
                       struct report *report) LC_CHECKED;

/* The buckets whose index entry is ≤ until_ms, earliest first, at most bucket_max of them, whole.
 * *ret_next_ms: the earliest entry not returned (INT64_MAX none). One or two round trips. */
struct store_bucket {
    uint32_t number;
    struct store_blob *blobs;
    size_t count;
};
enum status store_load_due(struct store *store, const struct store_meta *expect, int64_t until_ms,
                           size_t bucket_max, struct arena *arena,
                           struct store_bucket **ret_buckets, size_t *ret_count,
                           int64_t *ret_next_ms, struct report *report) LC_CHECKED;
/* Bucket by number, for walks (export, plan). */
enum status store_load_bucket(struct store *store, const struct store_meta *expect, uint32_t number,
                              struct arena *arena, struct store_bucket *ret_bucket,
                              struct report *report) LC_CHECKED;

/* The buckets from `first` on, `count` of them: one round trip. */
enum status store_load_buckets(struct store *store, const struct store_meta *expect, uint32_t first,
                               size_t count, struct arena *arena, struct store_bucket **ret_buckets,
                               struct report *report) LC_CHECKED;

/* One changed customer. record.at NULL: delete it (forgotten). ledger.at NULL: unchanged (or
 * deleted with the record). */
struct store_put {
    struct span customer;
    uint64_t hash;
    struct span record, ledger;
    int64_t due_ms; /* INT64_MAX: none */
    bool created;   /* was absent before this step: counts customers */
};
/* A bucket that was swept whole: set its index entry exactly (INT64_MAX removes it). Customers put
 * in the same step into that bucket are already counted in due_ms by the caller. */
struct store_sweep {
    uint32_t number;
    int64_t due_ms;
};
struct store_step {
    const struct store_meta *base; /* as claimed or last committed */
    struct store_meta *next;       /* at, W, … by the caller; customers, buckets by the store */
    const struct store_put *puts;
    size_t put_count;
    const struct store_sweep *sweeps;
    size_t sweep_count;
    bool due_all; /* a switch of parameters: every bucket becomes due at next->watermark_ms */
};
/* Begin sends the step (one pipeline: MULTI … EXEC, WATCH, HMGET); end takes the answers. Between
 * the two the caller may do other work, not with this store. Splits are done here: they may need a
 * read first. The arena must live until end; a step may be begun again as it is.
 *
 * begin: FULL (arena), STALE and RETRY, all before anything was sent; then end must not be called.
 * end: OK. STALE: somebody moved the meta (whether the step came first the meta will say: claim
 * again). RETRY with *ret_applied_unknown: the connection broke after sending, store_settle
 * decides; without: the server refuses writes (OOM, READONLY, LOADING …), nothing was applied, try
 * the same step later. REJECT: it refuses for good (rights), nothing was applied. GONE: a key of
 * the partition is of another type, and the step was applied but for that key (stop, wipe,
 * rebuild). */
enum status store_commit_begin(struct store *store, const struct store_step *step,
                               struct arena *arena, struct report *report) LC_CHECKED;
enum status store_commit_end(struct store *store, bool *ret_applied_unknown,
                             struct report *report) LC_CHECKED;
/* After an unknown outcome, on a fresh connection: OK = `next` is there with our token (it was
 * applied); RETRY = `base` is there (begin again) or no answer yet (*ret_base tells them apart);
 * STALE = anything else. */
enum status store_settle(struct store *store, const struct store_step *step, bool *ret_base,
                         struct report *report) LC_CHECKED;

/* Read-only view for ctl and admin: the meta without claiming. */
enum status store_peek(struct redis *redis, const char *app, int32_t partition,
                       struct store_meta *ret_meta, bool *ret_present,
                       struct report *report) LC_CHECKED;
/* Read-only handle: no token, loads check only that the number of buckets is still `expect`'s
 * (STALE: peek again). */
struct store *store_open_readonly(struct redis redis, const char *app, int32_t partition);

/* --- backup and restore (lifecyclectl) --- */

/* Ask for the partition: until store_release, or ttl_ms after the last store_hold, nobody else may
 * claim it, and the next store_claim of this handle takes it from its owner, whose next step is
 * then refused (as a zombie's would be) and who waits with its claim. Call again to hold on. What
 * makes the copy exact are the checks of every load and step, not the hold: it only keeps the
 * peace. RETRY: another backup or restore holds it, or Redis is away. */
enum status store_hold(struct store *store, int64_t ttl_ms, struct report *report) LC_CHECKED;
void store_release(struct store *store); /* as well as it can: it expires by itself */

/* The newest backup of the partition, as its maker noted it. */
struct store_backup {
    struct position at;
    int64_t made_ms; /* wall clock */
};
enum status store_backup_note(struct store *store, const struct store_backup *backup,
                              struct report *report) LC_CHECKED;
enum status store_backup_read(struct store *store, struct store_backup *ret_backup,
                              bool *ret_present, struct report *report) LC_CHECKED;

/* Put a partition back: begin (after hold and claim) wipes what is there and marks the partition as
 * one whose wipe was cut short, so that a restore cut short is one too; pieces write whole buckets,
 * each once; end makes it the state at meta->at. STALE: somebody else claimed it. */
enum status store_restore_begin(struct store *store, const struct store_meta *meta,
                                struct report *report) LC_CHECKED;
enum status store_restore_piece(struct store *store, const struct store_bucket *buckets,
                                size_t count, struct arena *arena,
                                struct report *report) LC_CHECKED;
enum status store_restore_end(struct store *store, const struct store_meta *meta,
                              struct report *report) LC_CHECKED;

#endif
