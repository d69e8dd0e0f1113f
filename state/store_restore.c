/* A partition put back bucket by bucket. Until its end the meta says `wiping`: whoever claims it
 * then deletes what is there and rebuilds from Kafka. Every piece is a step like any other: under
 * the WATCH, counted open and closed. */
#include <stdio.h>

#include "base/must.h"
#include "state/customer_codec.h"
#include "state/store_inner.h"

/* The answers of a step that queued `queued` commands: EXEC, the WATCH anew, the meta still ours.
 */
static enum status take_step(struct store *store, size_t queued, struct report *report)
{
    const struct redis_value *value;
    enum status status = store_take_exec(store, queued, report);

    if (status == STATUS_OK)
        status = store_expect(store, REDIS_STATUS, &value, report);
    if (status == STATUS_OK)
        status = store_take(store, &value, report);
    if (status == STATUS_OK && (value->type != REDIS_BULK || !span_is(value->text, store->token)))
        status = STATUS_STALE;
    if (status == STATUS_STALE)
        report_set(report, "redis-moved",
                   "a daemon claimed the partition meanwhile; it will rebuild it from Kafka");
    store_drain(store);
    store->watch = status == STATUS_OK ? store->redis.connection(store->redis.self) : 0;
    return status;
}

static void queue_end(struct store *store)
{
    struct store_key meta = store_key_meta(store);

    STORE_QUEUE(store, SPAN_LITERAL("EXEC"));
    store_queue_watch(store);
    STORE_QUEUE(store, SPAN_LITERAL("HGET"), store_key_span(&meta), SPAN_LITERAL("token"));
}

static enum status guarded(struct store *store, struct report *report)
{
    if (store->watch != 0 && store->watch == store->redis.connection(store->redis.self))
        return STATUS_OK;
    report_set(report, "redis-away", "the connection to Redis broke during the restore");
    return STATUS_STALE;
}

/* The whole meta; `wiping` until the end. */
static enum status write_meta(struct store *store, const struct store_meta *meta, bool wiping,
                              struct report *report)
{
    struct store_key key = store_key_meta(store);
    struct store_meta_text text;
    enum { WRITTEN = sizeof text.argv / sizeof *text.argv };
    struct span argv[WRITTEN + 4];
    size_t argc = WRITTEN;
    enum status status = guarded(store, report);

    if (status != STATUS_OK)
        return status;
    store_meta_write(store, &key, meta, &text);
    memcpy(argv, text.argv, sizeof text.argv);
    argv[argc++] = STORE_META_OPEN;
    argv[argc++] = SPAN_LITERAL("0");
    if (wiping) {
        argv[argc++] = SPAN_LITERAL("format");
        argv[argc++] = SPAN_LITERAL("wiping");
    }
    store_talk_begin(store);
    STORE_QUEUE(store, SPAN_LITERAL("MULTI"));
    store_queue(store, argc, argv);
    queue_end(store);
    status = store_send(store, report);
    return status == STATUS_OK ? take_step(store, 1, report) : status;
}

enum status store_restore_begin(struct store *store, const struct store_meta *meta,
                                struct report *report)
{
    enum status status;

    MUST(store->holder);
    status = store_wipe(store, report);
    if (status == STATUS_OK)
        status = write_meta(store, meta, true, report);
    if (status == STATUS_OK)
        store->present = true;
    return status;
}

/* What a record says may be early for the index, never late (store.h). */
static int64_t bucket_due(const struct store_bucket *bucket)
{
    int64_t due_ms = INT64_MAX;

    for (size_t i = 0; i < bucket->count; i++) {
        int64_t due = customer_peek_due(bucket->blobs[i].record);

        due_ms = due < due_ms ? due : due_ms;
    }
    return due_ms;
}

static size_t queue_hash(struct store *store, char kind, const struct store_bucket *bucket,
                         struct span *argv)
{
    struct store_key key = store_key(store, kind, bucket->number);
    size_t argc = 2;

    argv[0] = SPAN_LITERAL("HSET");
    argv[1] = store_key_span(&key);
    for (size_t i = 0; i < bucket->count; i++) {
        struct span value = kind == 'b' ? bucket->blobs[i].record : bucket->blobs[i].ledger;

        if (kind == 'l' && value.len == 0)
            continue;
        argv[argc++] = bucket->blobs[i].customer;
        argv[argc++] = value;
    }
    if (argc == 2)
        return 0;
    store_queue(store, argc, argv);
    return 1;
}

static size_t queue_due(struct store *store, const struct store_bucket *bucket)
{
    struct store_key key = store_key_timers(store);
    char score[24], member[16];
    size_t score_len, member_len;
    int64_t due_ms = bucket_due(bucket);

    if (due_ms == INT64_MAX)
        return 0;
    score_len = store_score_text(due_ms, score);
    member_len = (size_t)snprintf(member, sizeof member, "%u", bucket->number);
    STORE_QUEUE(store, SPAN_LITERAL("ZADD"), store_key_span(&key),
                ((struct span){score, score_len}), ((struct span){member, member_len}));
    return 1;
}

enum status store_restore_piece(struct store *store, const struct store_bucket *buckets,
                                size_t count, struct arena *arena, struct report *report)
{
    size_t widest = 0, queued = 2;
    struct span *argv;
    enum status status = guarded(store, report);

    if (status != STATUS_OK)
        return status;
    for (size_t i = 0; i < count; i++)
        widest = buckets[i].count > widest ? buckets[i].count : widest;
    argv = arena_alloc(arena, (2 + 2 * widest) * sizeof *argv);
    if (!argv) {
        report_set(report, "memory", "no memory for a piece of the restore");
        return STATUS_FULL;
    }
    store_talk_begin(store);
    STORE_QUEUE(store, SPAN_LITERAL("MULTI"));
    store_queue_open(store, SPAN_LITERAL("1"));
    for (size_t i = 0; i < count; i++) {
        queued += queue_hash(store, 'b', &buckets[i], argv);
        queued += queue_hash(store, 'l', &buckets[i], argv);
        queued += queue_due(store, &buckets[i]);
    }
    store_queue_open(store, SPAN_LITERAL("-1"));
    queue_end(store);
    status = store_send(store, report);
    return status == STATUS_OK ? take_step(store, queued, report) : status;
}

enum status store_restore_end(struct store *store, const struct store_meta *meta,
                              struct report *report)
{
    return write_meta(store, meta, false, report);
}
