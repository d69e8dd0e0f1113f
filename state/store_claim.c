/* Who holds the partition: claim, settling an unknown outcome, wiping. All of them set the WATCH
 * that guards the next step. */
#include <inttypes.h>
#include <stdio.h>

#include "base/must.h"
#include "state/store_inner.h"

#define CLAIM_ATTEMPTS 8
#define WIPE_BUCKETS   256 /* of one piece */
#define LOOK_BUCKETS   32  /* of the first look: buckets are filled from the first one on */
/* Without a meta the number of leftover buckets is not known: after this many absent ones there is
 * none. */
#define WIPE_GAP 4096

enum status store_watch_and_read(struct store *store, struct store_meta_found *ret_found,
                                 struct report *report)
{
    struct store_key hold = store_key_hold(store);
    const struct redis_value *held;
    enum status status;

    store_talk_begin(store);
    store->watch = 0;
    store_queue_rewatch(store);
    store_queue_meta(store);
    STORE_QUEUE(store, SPAN_LITERAL("EXISTS"), store_key_span(&hold));
    status = store_send(store, report);
    if (status == STATUS_OK)
        status = store_take_rewatch(store, report);
    if (status == STATUS_OK)
        status = store_take_meta(store, ret_found, report);
    if (status == STATUS_OK)
        status = store_expect(store, REDIS_INT, &held, report);
    if (status == STATUS_OK)
        ret_found->held = held->integer > 0;
    store_drain(store);
    return status;
}

/* Our token and generation, under the WATCH; and the WATCH anew. */
static enum status write_token(struct store *store, const struct store_meta *meta,
                               struct report *report)
{
    struct store_key key = store_key_meta(store);
    const struct redis_value *value;
    char generation[24];
    int len = snprintf(generation, sizeof generation, "%" PRId64, store->generation);
    enum status status;

    store_talk_begin(store);
    STORE_QUEUE(store, SPAN_LITERAL("MULTI"));
    STORE_QUEUE(store, SPAN_LITERAL("HSET"), store_key_span(&key), SPAN_LITERAL("token"),
                span_of(store->token), SPAN_LITERAL("generation"),
                ((struct span){generation, (size_t)len}));
    STORE_QUEUE(store, SPAN_LITERAL("EXEC"));
    store_queue_watch(store);
    store_queue_position(store);
    status = store_send(store, report);
    if (status == STATUS_OK)
        status = store_take_exec(store, 1, report);
    if (status == STATUS_OK)
        status = store_expect(store, REDIS_STATUS, &value, report);
    if (status == STATUS_OK)
        status = store_take_position(store, meta->at, true, meta->buckets, report);
    store_drain(store);
    if (status == STATUS_OK)
        store->watch = store->redis.connection(store->redis.self);
    return status;
}

/* What is there holds half a step (STORE_META_OPEN): from now on it is a wipe that was cut short.
 */
static enum status mark_torn(struct store *store, const struct store_meta *meta,
                             struct report *report)
{
    struct store_key key = store_key_meta(store);
    struct store_meta_text text;
    enum { WRITTEN = sizeof text.argv / sizeof *text.argv };
    struct span argv[WRITTEN + 4];
    enum status status;

    store_meta_write(store, &key, meta, &text);
    memcpy(argv, text.argv, sizeof text.argv);
    argv[WRITTEN] = SPAN_LITERAL("format");
    argv[WRITTEN + 1] = SPAN_LITERAL("wiping");
    argv[WRITTEN + 2] = STORE_META_OPEN;
    argv[WRITTEN + 3] = SPAN_LITERAL("0");
    store_talk_begin(store);
    STORE_QUEUE(store, SPAN_LITERAL("MULTI"));
    store_queue(store, WRITTEN + 4, argv); /* one command: of it there is no half */
    STORE_QUEUE(store, SPAN_LITERAL("EXEC"));
    status = store_send(store, report);
    if (status == STATUS_OK)
        status = store_take_exec(store, 1, report);
    store_drain(store);
    return status;
}

/* --- leftovers of a partition without a meta --- */

static size_t name_buckets(const struct store *store, uint32_t first, uint32_t count,
                           struct store_key *keys, struct span *argv)
{
    size_t argc = 1;

    argv[0] = SPAN_LITERAL("UNLINK");
    for (uint32_t i = 0; i < count; i++) {
        keys[2 * i] = store_key(store, 'b', first + i);
        keys[2 * i + 1] = store_key(store, 'l', first + i);
        argv[argc++] = store_key_span(&keys[2 * i]);
        argv[argc++] = store_key_span(&keys[2 * i + 1]);
    }
    return argc;
}

/* How many of the keys exist; `timers`: the timer index is one of them. */
static enum status count_leftovers(struct store *store, uint32_t first, uint32_t count, bool timers,
                                   int64_t *ret_count, struct report *report)
{
    struct store_key keys[2 * WIPE_BUCKETS], index = store_key_timers(store);
    struct span argv[2 + 2 * WIPE_BUCKETS];
    const struct redis_value *value;
    size_t argc = name_buckets(store, first, count, keys, argv);
    enum status status;

    argv[0] = SPAN_LITERAL("EXISTS");
    if (timers)
        argv[argc++] = store_key_span(&index);
    store_talk_begin(store);
    store_queue(store, argc, argv);
    status = store_send(store, report);
    if (status == STATUS_OK)
        status = store_expect(store, REDIS_INT, &value, report);
    if (status == STATUS_OK)
        *ret_count = value->integer;
    store_drain(store);
    return status;
}

enum status store_absent_bare(struct store *store, struct report *report)
{
    int64_t count = 0;
    enum status status = count_leftovers(store, 0, LOOK_BUCKETS, true, &count, report);

    if (status != STATUS_OK || count == 0)
        return status;
    report_set(report, "redis-moved", "the partition has no meta in Redis but buckets again");
    return STATUS_STALE;
}

/* Buckets, or (a count of 0) the timer index. */
static enum status unlink_leftovers(struct store *store, uint32_t first, uint32_t count,
                                    struct report *report)
{
    struct store_key keys[2 * WIPE_BUCKETS], timers = store_key_timers(store);
    struct span argv[2 + 2 * WIPE_BUCKETS];
    const struct redis_value *value;
    size_t argc = name_buckets(store, first, count, keys, argv);
    enum status status;

    if (count == 0)
        argv[argc++] = store_key_span(&timers);
    store_talk_begin(store);
    STORE_QUEUE(store, SPAN_LITERAL("MULTI"));
    store_queue(store, argc, argv);
    STORE_QUEUE(store, SPAN_LITERAL("EXEC"));
    store_queue_watch(store);
    store_queue_position(store);
    status = store_send(store, report);
    if (status == STATUS_OK)
        status = store_take_exec(store, 1, report);
    if (status == STATUS_OK)
        status = store_expect(store, REDIS_STATUS, &value, report);
    if (status == STATUS_OK)
        status = store_take_position(store, (struct position){0, 0}, false, 0, report);
    store_drain(store);
    return status;
}

/* No meta, and WATCH stands on the absent key. Buckets that outlived it (somebody deleted the meta
 * by hand) would mix with the rebuilt state: they go first, under the WATCH, and the timer index
 * last, so that a claim cut short is found again. STALE: a meta appeared. */
static enum status claim_absent(struct store *store, struct report *report)
{
    uint32_t gap = 0;
    int64_t count = 0;
    uint64_t connection = store->redis.connection(store->redis.self);
    enum status status = count_leftovers(store, 0, LOOK_BUCKETS, true, &count, report);
#ifdef LC_PLANT_LEFTOVERS_KEPT
    count = 0;
#endif
    const bool any = count > 0;

    for (uint32_t first = 0; status == STATUS_OK && any && gap < WIPE_GAP; first += WIPE_BUCKETS) {
        status = count_leftovers(store, first, WIPE_BUCKETS, false, &count, report);
        if (status == STATUS_OK && count > 0)
            status = unlink_leftovers(store, first, WIPE_BUCKETS, report);
        gap = count > 0 ? 0 : gap + WIPE_BUCKETS;
    }
    if (status == STATUS_OK && any)
        status = unlink_leftovers(store, 0, 0, report);
    if (status == STATUS_OK && connection != store->redis.connection(store->redis.self))
        status = STATUS_STALE; /* the WATCH went with its connection */
    store->present = false;
    store->watch = status == STATUS_OK ? connection : 0;
    return status;
}

/* --- wipe --- */

/* One piece: mark the meta, delete some keys, or (`last`) everything that is left. Guarded by the
 * WATCH like any step: a worker that lost the partition cannot wipe its successor's state. */
static enum status wipe_piece(struct store *store, uint32_t first, uint32_t count, bool last,
                              struct report *report)
{
    struct store_key meta = store_key_meta(store), timers = store_key_timers(store);
    struct store_key keys[2 * WIPE_BUCKETS];
    struct span argv[1 + 2 * WIPE_BUCKETS];
    const struct redis_value *value;
    enum status status;

    store_talk_begin(store);
    STORE_QUEUE(store, SPAN_LITERAL("MULTI"));
    store_queue_open(store, SPAN_LITERAL("1"));
    STORE_QUEUE(store, SPAN_LITERAL("HSET"), store_key_span(&meta), SPAN_LITERAL("format"),
                SPAN_LITERAL("wiping"));
    store_queue(store, name_buckets(store, first, count, keys, argv), argv);
    if (last)
        STORE_QUEUE(store, SPAN_LITERAL("UNLINK"), store_key_span(&timers), store_key_span(&meta));
    else
        store_queue_open(store, SPAN_LITERAL("-1"));
    STORE_QUEUE(store, SPAN_LITERAL("EXEC"));
    store_queue_watch(store);
    STORE_QUEUE(store, SPAN_LITERAL("HGET"), store_key_span(&meta), SPAN_LITERAL("token"));
    status = store_send(store, report);
    if (status == STATUS_OK)
        status = store_take_exec(store, 4, report);
    if (status == STATUS_OK)
        status = store_expect(store, REDIS_STATUS, &value, report);
    if (status == STATUS_OK)
        status = store_take(store, &value, report);
    if (status == STATUS_OK &&
        (last ? value->type != REDIS_NIL
              : value->type != REDIS_BULK || !span_is(value->text, store->token)))
        status = STATUS_STALE;
    store_drain(store);
    store->watch = status == STATUS_OK ? store->redis.connection(store->redis.self) : 0;
    return status;
}

enum status store_wipe(struct store *store, struct report *report)
{
    struct store_meta_found found = {0};
    uint32_t buckets;
    enum status status;

    MUST(store->token);
    status = store_watch_and_read(store, &found, report);
    if (status != STATUS_OK)
        return status;
    if (!found.present)
        return claim_absent(store, report);
    if (!found.ours) {
        report_set(report, "redis-moved", "another worker holds this partition: it is not wiped");
        return STATUS_STALE;
    }
    buckets = found.meta.buckets;
    for (uint32_t first = 0; status == STATUS_OK && first < buckets; first += WIPE_BUCKETS) {
        uint32_t left = buckets - first;

        status = wipe_piece(store, first, left < WIPE_BUCKETS ? left : WIPE_BUCKETS,
                            left <= WIPE_BUCKETS, report);
    }
    if (status == STATUS_OK)
        store->present = false;
    return status;
}

/* --- claim and settle --- */

enum status store_claim(struct store *store, struct store_meta *ret_meta, bool *ret_present,
                        struct report *report)
{
    struct store_meta_found found = {0};
    enum status status = STATUS_STALE;

    MUST(store->token);
    for (int attempt = 0; attempt < CLAIM_ATTEMPTS && status == STATUS_STALE; attempt++) {
        status = store_watch_and_read(store, &found, report);
        if (status != STATUS_OK)
            return status;
        if (found.held && !store->holder) {
            report_set(report, "partition-held",
                       "lifecyclectl backs this partition up or restores it; it goes on when that "
                       "is done");
            return STATUS_RETRY;
        }
        if (store->holder)
            store->generation = found.generation; /* nobody's claim becomes older by a backup */
        if (!found.present) {
            status = claim_absent(store, report);
            continue;
        }
        if (found.generation > store->generation) {
            report_set(report, "redis-claimed",
                       "generation %" PRId64
                       " of the consumer group holds this partition, ours is %" PRId64,
                       found.generation, store->generation);
            return STATUS_STALE;
        }
        if (found.torn) {
            status = mark_torn(store, &found.meta, report);
            if (status == STATUS_OK)
                status = STATUS_STALE; /* read it again: now it is a wipe to be finished */
            continue;
        }
        status = write_token(store, &found.meta, report);
    }
    if (status == STATUS_STALE) {
        report_set(report, "redis-contended", "another worker keeps claiming this partition");
        return STATUS_RETRY;
    }
    if (status != STATUS_OK)
        return status;
    store->present = found.present;
    if (found.present && found.wiping) { /* a wipe was cut short: what is left is no state */
        status = store_wipe(store, report);
        if (status != STATUS_OK)
            return status;
        found = (struct store_meta_found){
            .meta = {.buckets = 1, .watermark_ms = INT64_MIN, .last_offset = -1}};
    }
    *ret_meta = found.meta;
    *ret_present = found.present;
    return STATUS_OK;
}

static enum status moved(struct report *report)
{
    report_set(report, "redis-moved",
               "the partition's meta in Redis is neither what it was before the step nor what it "
               "is after it");
    return STATUS_STALE;
}

/* When it is settled that the step was (not) applied, our token is written once more: that breaks
 * the WATCH of the old connection, so that an EXEC of it still on its way to the server will not
 * run, and what was read here stays so. */
enum status store_settle(struct store *store, const struct store_step *step, bool *ret_base,
                         struct report *report)
{
    struct store_meta_found found = {0};
    bool base;
    enum status status;

    *ret_base = false;
    status = store_watch_and_read(store, &found, report);
    if (status != STATUS_OK)
        return status;
    base = found.present ? position_compare(found.meta.at, step->base->at) == 0
                         : position_compare(step->base->at, (struct position){0, 0}) == 0;
    if (found.present && (!found.ours || found.wiping ||
                          (!base && position_compare(found.meta.at, step->next->at) != 0)))
        return moved(report);
    if (!found.present && !base)
        return moved(report);
    if (found.present)
        status = write_token(store, &found.meta, report);
    else
        status = claim_absent(store, report);
    if (status != STATUS_OK)
        return status;
    store->present = found.present;
    if (!base)
        return STATUS_OK;
    *ret_base = true;
    report_set(report, "redis-step-lost", "the step did not reach Redis; it is tried again");
    return STATUS_RETRY;
}
