/* Loads. Every load is one pipeline of plain commands between two readings of the meta (token, R,
 * C), on one connection.
 *
 * Why not MULTI … EXEC around it: EXEC clears every WATCH of its connection, and the standing WATCH
 * is what protects the next commit. Why the frame is as good: whoever changes a bucket changes the
 * meta in the same MULTI (a commit moves (R, C), a claim the token, both the token of another
 * worker; a wipe removes it), (token, R, C) never comes back to an earlier value while a connection
 * lives (a rolled back or replaced data set means a new server process or a FLUSHALL, and the token
 * of an incarnation is written by no other), and this store has no step of its own under way. So
 * two equal readings that equal what the caller believes in mean that nothing changed between them.
 */
#include "base/must.h"
#include "base/text.h"
#include "state/store_inner.h"

static enum status full(struct report *report)
{
    report_set(report, "batch-memory", "the batch's memory is used up (batch_arena_max)");
    return STATUS_FULL;
}

/* Only what a read-only handle can know is checked for it: that buckets mean the same. */
static enum status frame_check(struct store *store, const struct store_meta *expect,
                               struct report *report)
{
#ifdef LC_PLANT_READ_UNCHECKED
    const struct redis_value *value;

    (void)expect;
    return store_take(store, &value, report);
#else
    return store_take_position(store, expect->at, store->token ? store->present : true,
                               expect->buckets, report);
#endif
}

/* --- by customer --- */

static void queue_blobs(struct store *store, const struct store_blob *blobs, const uint64_t *order,
                        size_t count, struct span *argv)
{
    for (size_t first = 0, next; first < count; first = next) {
        uint32_t bucket = (uint32_t)(order[first] >> 32);
        struct store_key records = store_key(store, 'b', bucket);
        struct store_key ledgers = store_key(store, 'l', bucket);
        size_t argc = 2;

        for (next = first; next < count && order[next] >> 32 == bucket; next++)
            argv[argc++] = blobs[(uint32_t)order[next]].customer;
        argv[0] = SPAN_LITERAL("HMGET");
        argv[1] = store_key_span(&records);
        store_queue(store, argc, argv);
        argv[1] = store_key_span(&ledgers);
        store_queue(store, argc, argv);
    }
}

/* Absent stays NULL. */
static bool keep(const struct redis_value *value, struct arena *arena, struct span *ret_span)
{
    const char *copy;

    if (value->type != REDIS_BULK)
        return true;
    copy = arena_copy(arena, value->text.at, value->text.len);
    if (!copy)
        return false;
    *ret_span = (struct span){copy, value->text.len};
    return true;
}

static enum status take_group(struct store *store, struct store_blob *blobs, const uint64_t *order,
                              size_t count, struct arena *arena, struct report *report)
{
    for (int half = 0; half < 2; half++) {
        const struct redis_value *value;
        enum status status = store_expect(store, REDIS_ARRAY, &value, report);

        if (status != STATUS_OK)
            return status;
        if (value->count != count)
            return store_protocol_error(store, report);
        for (size_t i = 0; i < count; i++) {
            struct store_blob *blob = &blobs[(uint32_t)order[i]];

            if (!keep(&value->items[i], arena, half ? &blob->ledger : &blob->record))
                return full(report);
            if (half && blob->record.at && !blob->ledger.at)
                blob->ledger = SPAN_LITERAL(""); /* known to be empty, see cache_put() */
        }
    }
    return STATUS_OK;
}

static enum status take_blobs(struct store *store, const struct store_meta *expect,
                              struct store_blob *blobs, const uint64_t *order, size_t count,
                              struct arena *arena, struct report *report)
{
    enum status status = frame_check(store, expect, report);

    for (size_t first = 0, next; status == STATUS_OK && first < count; first = next) {
        for (next = first; next < count && order[next] >> 32 == order[first] >> 32; next++)
            ;
        status = take_group(store, blobs, order + first, next - first, arena, report);
    }
    return status == STATUS_OK ? frame_check(store, expect, report) : status;
}

enum status store_load(struct store *store, const struct store_meta *expect,
                       struct store_blob *blobs, size_t count, struct arena *arena,
                       struct report *report)
{
    uint64_t *order = store_order(count, arena);
    struct span *argv = arena_alloc(arena, (count + 2) * sizeof *argv);
    enum status status;

    if (!order || !argv)
        return full(report);
    for (size_t i = 0; i < count; i++) {
        blobs[i].record = blobs[i].ledger = SPAN_ABSENT;
        order[i] = (uint64_t)store_bucket_of(blobs[i].hash, expect->buckets) << 32 | i;
    }
    store_order_sort(order, count);
    store_talk_begin(store);
    store_queue_position(store);
    queue_blobs(store, blobs, order, count, argv);
    store_queue_position(store);
    status = store_send(store, report);
    if (status == STATUS_OK)
        status = take_blobs(store, expect, blobs, order, count, arena, report);
    store_drain(store);
    return status;
}

/* --- by bucket --- */

enum status store_bucket_read(const struct redis_value *records, const struct redis_value *ledgers,
                              struct arena *arena, struct store_bucket *ret_bucket,
                              struct report *report)
{
    size_t count = records->count / 2, at = 0;
    struct store_blob *blobs = arena_zalloc(arena, (count + 1) * sizeof *blobs);

    if (!blobs)
        return full(report);
    for (size_t i = 0; i < count; i++) {
        if (!keep(&records->items[2 * i], arena, &blobs[i].customer) ||
            !keep(&records->items[2 * i + 1], arena, &blobs[i].record))
            return full(report);
        blobs[i].hash = store_customer_hash(blobs[i].customer);
        blobs[i].ledger = SPAN_LITERAL("");
        /* Both hashes are in insertion order while they are small: the ledger is nearly always the
         * next one. */
        for (size_t tried = 0; tried < ledgers->count / 2; tried++) {
            at = at + 1 < ledgers->count / 2 ? at + 1 : 0;
            if (!span_equal(ledgers->items[2 * at].text, blobs[i].customer))
                continue;
            if (!keep(&ledgers->items[2 * at + 1], arena, &blobs[i].ledger))
                return full(report);
            break;
        }
    }
    ret_bucket->blobs = blobs;
    ret_bucket->count = count;
    return STATUS_OK;
}

static void queue_bucket(struct store *store, uint32_t number)
{
    struct store_key records = store_key(store, 'b', number);
    struct store_key ledgers = store_key(store, 'l', number);

    STORE_QUEUE(store, SPAN_LITERAL("HGETALL"), store_key_span(&records));
    STORE_QUEUE(store, SPAN_LITERAL("HGETALL"), store_key_span(&ledgers));
}

static enum status take_bucket(struct store *store, struct arena *arena,
                               struct store_bucket *ret_bucket, struct report *report)
{
    const struct redis_value *records, *ledgers;
    enum status status = store_expect(store, REDIS_ARRAY, &records, report);

    if (status == STATUS_OK)
        status = store_expect(store, REDIS_ARRAY, &ledgers, report);
    if (status == STATUS_OK)
        status = store_bucket_read(records, ledgers, arena, ret_bucket, report);
    return status;
}

static enum status load_buckets(struct store *store, const struct store_meta *expect,
                                struct store_bucket *buckets, size_t count, struct arena *arena,
                                struct report *report)
{
    enum status status;

    store_talk_begin(store);
    store_queue_position(store);
    for (size_t i = 0; i < count; i++)
        queue_bucket(store, buckets[i].number);
    store_queue_position(store);
    status = store_send(store, report);
    if (status == STATUS_OK)
        status = frame_check(store, expect, report);
    for (size_t i = 0; status == STATUS_OK && i < count; i++)
        status = take_bucket(store, arena, &buckets[i], report);
    if (status == STATUS_OK)
        status = frame_check(store, expect, report);
    store_drain(store);
    return status;
}

enum status store_load_bucket(struct store *store, const struct store_meta *expect, uint32_t number,
                              struct arena *arena, struct store_bucket *ret_bucket,
                              struct report *report)
{
    struct store_bucket bucket = {.number = number};
    enum status status;

    MUST(number < expect->buckets);
    status = load_buckets(store, expect, &bucket, 1, arena, report);
    if (status == STATUS_OK)
        *ret_bucket = bucket;
    return status;
}

enum status store_load_buckets(struct store *store, const struct store_meta *expect, uint32_t first,
                               size_t count, struct arena *arena, struct store_bucket **ret_buckets,
                               struct report *report)
{
    struct store_bucket *buckets = arena_zalloc(arena, (count + 1) * sizeof *buckets);
    enum status status;

    MUST(first < expect->buckets);
    MUST(count <= expect->buckets - first);
    if (!buckets)
        return full(report);
    for (size_t i = 0; i < count; i++)
        buckets[i].number = first + (uint32_t)i;
    status = load_buckets(store, expect, buckets, count, arena, report);
    if (status == STATUS_OK)
        *ret_buckets = buckets;
    return status;
}

/* --- by due time --- */

/* A member of the index with its score; false when either is not ours. */
static bool due_entry(const struct redis_value *member, const struct redis_value *score,
                      uint32_t buckets, uint32_t *ret_number, int64_t *ret_due_ms)
{
    int64_t number;
    double due;

    if (member->type != REDIS_BULK || score->type != REDIS_BULK ||
        text_i64_parse(member->text, &number) != STATUS_OK || number < 0 || number >= buckets ||
        text_double_parse(score->text, &due) != STATUS_OK || due < -9e18 || due > 9e18)
        return false;
    *ret_number = (uint32_t)number;
    *ret_due_ms = (int64_t)due;
    return true;
}

static void queue_due(struct store *store, int64_t until_ms, size_t max)
{
    struct store_key timers = store_key_timers(store);
    char until[24], beyond[26] = "(", limit[24];
    size_t len = store_score_text(until_ms, until);

    memcpy(beyond + 1, until, len + 1);
    size_t limit_len = store_score_text((int64_t)max + 1, limit);
    STORE_QUEUE(store, SPAN_LITERAL("ZRANGEBYSCORE"), store_key_span(&timers), SPAN_LITERAL("-inf"),
                ((struct span){until, len}), SPAN_LITERAL("WITHSCORES"), SPAN_LITERAL("LIMIT"),
                SPAN_LITERAL("0"), ((struct span){limit, limit_len}));
    STORE_QUEUE(store, SPAN_LITERAL("ZRANGEBYSCORE"), store_key_span(&timers),
                ((struct span){beyond, len + 1}), SPAN_LITERAL("+inf"), SPAN_LITERAL("WITHSCORES"),
                SPAN_LITERAL("LIMIT"), SPAN_LITERAL("0"), SPAN_LITERAL("1"));
}

static enum status index_damaged(struct report *report)
{
    report_set(report, "redis-index-damaged",
               "the partition's timer index holds an entry that is no bucket; it was written by "
               "something else. "
               "Delete the partition's keys and let it be rebuilt from Kafka");
    return STATUS_REJECT;
}

/* The numbers of the due buckets, at most max, and the first entry beyond them. */
static enum status take_due(struct store *store, const struct store_meta *expect, size_t max,
                            struct store_bucket *buckets, size_t *ret_count, int64_t *ret_next_ms,
                            struct report *report)
{
    const struct redis_value *due, *beyond;
    enum status status = store_expect(store, REDIS_ARRAY, &due, report);
    uint32_t number;
    int64_t at_ms, next_ms = INT64_MAX;
    size_t count = 0;

    if (status == STATUS_OK)
        status = store_expect(store, REDIS_ARRAY, &beyond, report);
    if (status != STATUS_OK)
        return status;
    for (size_t i = 0; i + 1 < due->count; i += 2) {
        if (!due_entry(&due->items[i], &due->items[i + 1], expect->buckets, &number, &at_ms))
            return index_damaged(report);
        if (count == max) {
            next_ms = at_ms;
            break;
        }
        buckets[count++].number = number;
    }
    if (next_ms == INT64_MAX && beyond->count == 2 &&
        !due_entry(&beyond->items[0], &beyond->items[1], expect->buckets, &number, &next_ms))
        return index_damaged(report);
    *ret_count = count;
    *ret_next_ms = next_ms;
    return STATUS_OK;
}

enum status store_load_due(struct store *store, const struct store_meta *expect, int64_t until_ms,
                           size_t bucket_max, struct arena *arena,
                           struct store_bucket **ret_buckets, size_t *ret_count,
                           int64_t *ret_next_ms, struct report *report)
{
    size_t count = 0, max = bucket_max < expect->buckets ? bucket_max : expect->buckets;
    struct store_bucket *buckets = arena_zalloc(arena, (max + 1) * sizeof *buckets);
    int64_t next_ms = INT64_MAX;
    enum status status;

    if (!buckets)
        return full(report);
    store_talk_begin(store);
    store_queue_position(store);
    queue_due(store, until_ms, max);
    store_queue_position(store); /* what was read lies between two looks at the meta */
    status = store_send(store, report);
    if (status == STATUS_OK)
        status = frame_check(store, expect, report);
    if (status == STATUS_OK)
        status = take_due(store, expect, max, buckets, &count, &next_ms, report);
    if (status == STATUS_OK)
        status = frame_check(store, expect, report);
    store_drain(store);
    if (status == STATUS_OK && count > 0)
        status = load_buckets(store, expect, buckets, count, arena, report);
    if (status != STATUS_OK)
        return status;
    *ret_buckets = buckets;
    *ret_count = count;
    *ret_next_ms = next_ms;
    return STATUS_OK;
}
