/* The commit step: one pipeline, MULTI … EXEC and then WATCH and the meta again.
 *
 * The WATCH that guards the step was set by the claim or by the step before, in the same pipeline
 * after its EXEC, and the meta read after it was ours; so whatever somebody else did to the meta
 * since, the EXEC answers nil. A WATCH belongs to its connection: when the connection's number is
 * another (or none), the WATCH is set and the meta read anew before anything is sent, and the step
 * is refused unless it still is the base. For a partition without a meta the WATCH stands on the
 * absent key.
 *
 * Everything the step needs from the arena is taken before the first command is queued: a step is
 * sent whole or not at all. */
#include "base/must.h"
#include "base/text.h"
#include "state/store_inner.h"

#define TIMER_PAIRS 256 /* of one ZADD */

static enum status full(struct report *report)
{
    report_set(report, "batch-memory", "the batch's memory is used up (batch_arena_max)");
    return STATUS_FULL;
}

/* --- timers: pairs gathered into commands of bounded length --- */

struct pairs {
    struct store *store;
    struct store_key key;
    bool lower; /* ZADD LT: never later than it is */
    size_t count;
    char score[TIMER_PAIRS][24], member[TIMER_PAIRS][24];
    struct span argv[3 + 2 * TIMER_PAIRS];
    size_t queued;
};

static void pairs_flush(struct pairs *pairs)
{
    size_t head = pairs->lower ? 3 : 2;

    if (pairs->count == 0)
        return;
    pairs->argv[0] = SPAN_LITERAL("ZADD");
    pairs->argv[1] = store_key_span(&pairs->key);
    if (pairs->lower)
        pairs->argv[2] = SPAN_LITERAL("LT");
    store_queue(pairs->store, head + 2 * pairs->count, pairs->argv);
    pairs->count = 0;
    pairs->queued++;
}

static void pairs_add(struct pairs *pairs, uint32_t bucket, int64_t due_ms)
{
    size_t at = (pairs->lower ? 3 : 2) + 2 * pairs->count;
    size_t len;

    if (due_ms == INT64_MAX)
        return;
    len = store_score_text(due_ms, pairs->score[pairs->count]);
    pairs->argv[at] = (struct span){pairs->score[pairs->count], len};
    len = text_i64_format(bucket, pairs->member[pairs->count]);
    pairs->argv[at + 1] = (struct span){pairs->member[pairs->count], len};
    if (++pairs->count == TIMER_PAIRS)
        pairs_flush(pairs);
}

static size_t queue_removed_timer(struct store *store, const struct store_key *key, uint32_t bucket)
{
    char text[TEXT_I64_BYTES];
    size_t len = text_i64_format(bucket, text);

    STORE_QUEUE(store, SPAN_LITERAL("ZREM"), store_key_span(key), ((struct span){text, len}));
    return 1;
}

/* First what is set exactly, then what may only lower it. The number of commands. */
static size_t queue_timers(struct store *store, const struct store_step *step,
                           const struct store_plan *plan, struct pairs *pairs)
{
    uint32_t before = step->base->buckets;
    size_t queued = 0;

    pairs->store = store; /* field by field: the texts behind need no zeroes */
    pairs->key = store_key_timers(store);
    pairs->lower = false;
    pairs->count = pairs->queued = 0;
    for (size_t i = 0; i < step->sweep_count; i++) {
        if (step->sweeps[i].due_ms == INT64_MAX)
            queued += queue_removed_timer(store, &pairs->key, step->sweeps[i].number);
        pairs_add(pairs, step->sweeps[i].number, step->sweeps[i].due_ms);
    }
    pairs_flush(pairs);
    pairs->lower = true;
    for (uint32_t number = before; number < plan->buckets; number++) {
        const struct store_split *split = store_split_of(plan, before, number);

        if (split->has_due)
            pairs_add(pairs, number, split->due_ms);
    }
    for (size_t i = 0; i < step->put_count; i++)
        if (step->puts[i].record.at)
            pairs_add(pairs, store_bucket_of(step->puts[i].hash, plan->buckets),
#ifdef LC_PLANT_LATE_DUE
                      step->puts[i].due_ms == INT64_MAX ? INT64_MAX
                                                        : step->puts[i].due_ms + 3600000);
#else
                      step->puts[i].due_ms);
#endif
    for (uint32_t number = 0; step->due_all && number < plan->buckets; number++)
        pairs_add(pairs, number, step->next->watermark_ms);
    pairs_flush(pairs);
    return queued + pairs->queued;
}

/* --- records --- */

enum column { COLUMN_RECORD, COLUMN_LEDGER };

/* One command about a group of writes of one bucket, if any of them asks for it. */
static size_t queue_column(struct store *store, const struct store_plan *plan, size_t first,
                           size_t next, enum column column, bool remove, struct span *argv)
{
    struct store_key key =
        store_key(store, column == COLUMN_RECORD ? 'b' : 'l', (uint32_t)(plan->order[first] >> 32));
    size_t argc = 2;

    for (size_t i = first; i < next; i++) {
        const struct store_write *write = &plan->writes[(uint32_t)plan->order[i]];
        struct span value = column == COLUMN_RECORD ? write->record : write->ledger;

        if (write->remove != remove || (!remove && !value.at))
            continue;
        argv[argc++] = write->customer;
        if (!remove)
            argv[argc++] = value;
    }
    if (argc == 2)
        return 0;
    argv[0] = remove ? SPAN_LITERAL("HDEL") : SPAN_LITERAL("HSET");
    argv[1] = store_key_span(&key);
    store_queue(store, argc, argv);
    return 1;
}

static size_t queue_writes(struct store *store, const struct store_plan *plan, struct span *argv)
{
    size_t queued = 0;

    for (size_t first = 0, next; first < plan->count; first = next) {
        for (next = first;
             next < plan->count && plan->order[next] >> 32 == plan->order[first] >> 32; next++)
            ;
        queued += queue_column(store, plan, first, next, COLUMN_RECORD, false, argv);
        queued += queue_column(store, plan, first, next, COLUMN_LEDGER, false, argv);
        queued += queue_column(store, plan, first, next, COLUMN_RECORD, true, argv);
        queued += queue_column(store, plan, first, next, COLUMN_LEDGER, true, argv);
    }
    return queued;
}

/* Those who moved leave their old bucket. */
static size_t queue_leavers(struct store *store, const struct store_plan *plan,
                            const struct store_split *split, struct span *argv)
{
    struct store_key records = store_key(store, 'b', split->from);
    struct store_key ledgers = store_key(store, 'l', split->from);
    size_t argc = 2;

    for (size_t i = 0; i < split->bucket.count; i++)
        if (store_bucket_of(split->bucket.blobs[i].hash, plan->buckets) != split->from)
            argv[argc++] = split->bucket.blobs[i].customer;
    if (argc == 2)
        return 0;
    argv[0] = SPAN_LITERAL("HDEL");
    argv[1] = store_key_span(&records);
    store_queue(store, argc, argv);
    argv[1] = store_key_span(&ledgers);
    store_queue(store, argc, argv);
    return 2;
}

/* --- the step --- */

/* Set the WATCH and see that the base is there, when the standing one is gone. */
static enum status watch_again(struct store *store, const struct store_step *step,
                               struct report *report)
{
    enum status status;

#ifdef LC_PLANT_WATCH_ASSUMED
    if (store->watch != 0)
        return STATUS_OK;
#endif
    if (store->watch != 0 && store->watch == store->redis.connection(store->redis.self))
        return STATUS_OK;
    store_talk_begin(store);
    store_queue_rewatch(store);
    store_queue_position(store);
    status = store_send(store, report);
    if (status == STATUS_OK)
        status = store_take_rewatch(store, report);
    if (status == STATUS_OK)
        status =
            store_take_position(store, step->base->at, store->present, step->base->buckets, report);
    store_drain(store);
    /* An absent meta has no position to compare: it may be another absence, with leftovers. */
    if (status == STATUS_OK && !store->present)
        status = store_absent_bare(store, report);
    if (status == STATUS_OK)
        store->watch = store->redis.connection(store->redis.self);
    return status;
}

static bool plan_init(const struct store_step *step, struct store_plan *plan, struct arena *arena)
{
    int64_t customers = step->base->customers;

    plan->writes = arena_alloc(arena, (step->put_count + 1) * sizeof *plan->writes);
    plan->order = store_order(step->put_count, arena);
    if (!plan->writes || !plan->order)
        return false;
    for (size_t i = 0; i < step->put_count; i++) {
        const struct store_put *put = &step->puts[i];

        customers += (put->record.at && put->created) - (!put->record.at && !put->created);
    }
    MUST(customers >= 0);
    plan->buckets = store_split_target(step->base->buckets, customers);
    for (size_t i = 0; i < step->put_count; i++) {
        const struct store_put *put = &step->puts[i];

        plan->writes[i] =
            (struct store_write){put->customer, put->record, put->ledger, put->record.at == NULL};
        plan->order[i] = (uint64_t)store_bucket_of(put->hash, plan->buckets) << 32 | i;
    }
    plan->count = plan->cap = step->put_count;
    store_order_sort(plan->order, plan->count);
    step->next->customers = customers;
    step->next->buckets = plan->buckets;
    return true;
}

static void queue_step(struct store *store, const struct store_step *step,
                       const struct store_plan *plan, struct span *argv, struct pairs *pairs)
{
    struct store_key key = store_key_meta(store);
    struct store_meta_text meta;

    STORE_QUEUE(store, SPAN_LITERAL("MULTI"));
    store_queue_open(store, SPAN_LITERAL("1"));
    store->queued = 1 + queue_writes(store, plan, argv);
    for (size_t i = 0; i < plan->split_count; i++)
        store->queued += queue_leavers(store, plan, &plan->splits[i], argv);
    store->queued += queue_timers(store, step, plan, pairs);
    store_meta_write(store, &key, step->next, &meta);
    store_queue(store, sizeof meta.argv / sizeof *meta.argv, meta.argv);
    store_queue_open(store, SPAN_LITERAL("-1"));
    store->queued += 2;
    STORE_QUEUE(store, SPAN_LITERAL("EXEC"));
    store_queue_watch(store);
    store_queue_position(store);
}

enum status store_commit_begin(struct store *store, const struct store_step *step,
                               struct arena *arena, struct report *report)
{
    struct store_plan plan = {0};
    struct pairs *pairs;
    struct span *argv;
    enum status status;

    MUST(store->token);
    if (!plan_init(step, &plan, arena))
        return full(report);
    status = watch_again(store, step, report);
    if (status == STATUS_OK)
        status = store_split_plan(store, step, &plan, arena, report);
    if (status != STATUS_OK)
        return status;
    argv = arena_alloc(arena, (2 + 2 * plan.count) * sizeof *argv);
    pairs = arena_alloc(arena, sizeof *pairs);
    if (!argv || !pairs)
        return full(report);
#ifdef LC_PLANT_WATCH_ASSUMED
    store->watch = store->redis.connection(store->redis.self);
#endif
    if (store->watch == 0 || store->watch != store->redis.connection(store->redis.self)) {
        report_set(report, "redis-away", "the connection to Redis broke before the step was sent");
        return STATUS_RETRY; /* send would connect anew and the step would run unguarded */
    }
    store_talk_begin(store);
    queue_step(store, step, &plan, argv, pairs);
    store->next = step->next->at;
    store->refusal = (struct report){0};
    /* A send that breaks may have delivered the EXEC: that is for the end to say. */
    store->send_failed = store_send(store, &store->refusal) != STATUS_OK;
    return STATUS_OK;
}

enum status store_commit_end(struct store *store, bool *ret_applied_unknown, struct report *report)
{
    const struct redis_value *value;
    enum status status;

    *ret_applied_unknown = store->send_failed;
    if (store->send_failed) {
        store->send_failed = false;
        report_set(report, store->refusal.code, "%s", store->refusal.text);
        return STATUS_RETRY;
    }
    status = store_take_exec(store, store->queued, report);
    if (status == STATUS_OK) {
        store->present = true;
        status = store_expect(store, REDIS_STATUS, &value, report);
        if (status == STATUS_OK)
            status = store_take_position(store, store->next, true, 0, report);
        if (status == STATUS_RETRY)
            store->broken = true; /* applied, but by whom is guarded now is not known: settle */
    } else if (status == STATUS_STALE) {
        report_set(
            report, "redis-moved",
            "the step was refused: the partition's meta in Redis has changed under this worker");
    }
    *ret_applied_unknown = store->broken;
    store_drain(store);
    /* After a refusal EXEC has taken the old WATCH away; the next begin sets and checks it anew. */
    store->watch = status == STATUS_OK ? store->redis.connection(store->redis.self) : 0;
    return status;
}
