/* Growing. The number of buckets of a partition only grows, to customers / 16, inside the step that
 * adds the customers.
 *
 * Going from n to n' buckets, the customers of a new bucket k all live in one present bucket: k
 * less its highest bit, repeatedly until it is below n. Those present buckets are read whole
 * (before the MULTI; the standing WATCH guards the time between), and everybody whose bucket
 * differs under n' moves: written to the new bucket, deleted from the old one, in the same MULTI. A
 * put of the same step wins over the copy that was read. The new bucket's entry in the timer index
 * is the old one's: early for one of the two is allowed. */
#include "base/must.h"
#include "base/text.h"
#include "state/store_inner.h"

/* Splits in one step at most; more customers than that a step are caught up with by the following
 * steps. */
#define SPLITS_MAX 1024

uint32_t store_split_target(uint32_t buckets, int64_t customers)
{
    int64_t want = (customers + STORE_BUCKET_TARGET - 1) / STORE_BUCKET_TARGET;

    if (want > (int64_t)buckets + SPLITS_MAX)
        want = (int64_t)buckets + SPLITS_MAX;
    if (want > INT32_MAX)
        want = INT32_MAX;
    return want > buckets ? (uint32_t)want : buckets;
}

/* The present bucket whose customers may move to the new bucket. */
static uint32_t ancestor(uint32_t number, uint32_t buckets)
{
    while (number >= buckets)
        number &= ~(UINT32_C(1) << (31 - __builtin_clz(number)));
    return number;
}

static enum status full(struct report *report)
{
    report_set(report, "batch-memory", "the batch's memory is used up (batch_arena_max)");
    return STATUS_FULL;
}

/* The present buckets to be split, each once, ascending. */
static bool splits_list(uint32_t before, uint32_t after, struct arena *arena,
                        struct store_plan *plan)
{
    size_t grown = after - before, count = 0;
    uint64_t *from = store_order(grown, arena);

    plan->splits = arena_zalloc(arena, grown * sizeof *plan->splits);
    if (!from || !plan->splits)
        return false;
    for (uint32_t number = before; number < after; number++)
        from[number - before] = ancestor(number, before);
    store_order_sort(from, grown);
    for (size_t i = 0; i < grown; i++)
        if (i == 0 || from[i] != from[i - 1])
            plan->splits[count++].from = (uint32_t)from[i];
    plan->split_count = count;
    return true;
}

const struct store_split *store_split_of(const struct store_plan *plan, uint32_t before,
                                         uint32_t number)
{
    uint32_t from = ancestor(number, before);
    size_t low = 0, high = plan->split_count;

    while (low + 1 < high) { /* ascending, and it is there */
        size_t middle = (low + high) / 2;

        if (plan->splits[middle].from <= from)
            low = middle;
        else
            high = middle;
    }
    MUST(plan->splits[low].from == from);
    return &plan->splits[low];
}

static void queue_split(struct store *store, uint32_t number)
{
    struct store_key records = store_key(store, 'b', number);
    struct store_key ledgers = store_key(store, 'l', number);
    struct store_key timers = store_key_timers(store);
    char text[24];
    size_t len = store_score_text(number, text);

    STORE_QUEUE(store, SPAN_LITERAL("HGETALL"), store_key_span(&records));
    STORE_QUEUE(store, SPAN_LITERAL("HGETALL"), store_key_span(&ledgers));
    STORE_QUEUE(store, SPAN_LITERAL("ZSCORE"), store_key_span(&timers), ((struct span){text, len}));
}

static enum status take_split(struct store *store, struct store_split *split, struct arena *arena,
                              struct report *report)
{
    const struct redis_value *records, *ledgers, *score;
    enum status status = store_expect(store, REDIS_ARRAY, &records, report);
    double due;

    if (status == STATUS_OK)
        status = store_expect(store, REDIS_ARRAY, &ledgers, report);
    if (status == STATUS_OK)
        status = store_bucket_read(records, ledgers, arena, &split->bucket, report);
    if (status == STATUS_OK)
        status = store_take(store, &score, report);
    if (status != STATUS_OK)
        return status;
    if (score->type == REDIS_ERROR)
        return store_error_status(score->text, report);
    split->has_due = score->type == REDIS_BULK;
    if (split->has_due &&
        (text_double_parse(score->text, &due) != STATUS_OK || due < -9e18 || due > 9e18))
        return store_protocol_error(store, report);
    if (split->has_due)
        split->due_ms = (int64_t)due;
    return STATUS_OK;
}

static enum status read_splits(struct store *store, struct store_plan *plan, struct arena *arena,
                               struct report *report)
{
    enum status status;

    store_talk_begin(store);
    for (size_t i = 0; i < plan->split_count; i++)
        queue_split(store, plan->splits[i].from);
    status = store_send(store, report);
    for (size_t i = 0; status == STATUS_OK && i < plan->split_count; i++)
        status = take_split(store, &plan->splits[i], arena, report);
    store_drain(store);
    return status;
}

/* The put about this customer, or NULL. Puts are the first `puts` of the writes; `order` holds only
 * them, sorted. */
static struct store_write *put_of(const struct store_plan *plan, size_t puts, uint32_t bucket,
                                  struct span customer)
{
    size_t low = 0, high = puts;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (plan->order[middle] >> 32 < bucket)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < puts && plan->order[low] >> 32 == bucket; low++) {
        struct store_write *write = &plan->writes[(uint32_t)plan->order[low]];

        if (span_equal(write->customer, customer))
            return write;
    }
    return NULL;
}

/* Everybody of the split bucket whose bucket changes. A put that leaves the ledger alone takes it
 * along. */
static void move(struct store_plan *plan, const struct store_split *split, size_t puts)
{
    for (size_t i = 0; i < split->bucket.count; i++) {
        const struct store_blob *blob = &split->bucket.blobs[i];
        uint32_t to = store_bucket_of(blob->hash, plan->buckets);
        struct store_write *put;

        if (to == split->from)
            continue;
        put = put_of(plan, puts, to, blob->customer);
        if (put && !put->ledger.at && !put->remove)
            put->ledger = blob->ledger;
        if (put)
            continue;
        MUST(plan->count < plan->cap);
        plan->writes[plan->count] = (struct store_write){
            .customer = blob->customer, .record = blob->record, .ledger = blob->ledger};
        plan->order[plan->count] = (uint64_t)to << 32 | plan->count;
        plan->count++;
    }
}

static bool plan_grow(struct store_plan *plan, size_t more, struct arena *arena)
{
    size_t cap = plan->count + more;
    struct store_write *writes = arena_alloc(arena, (cap + 1) * sizeof *writes);
    uint64_t *order = store_order(cap, arena);

    if (!writes || !order)
        return false;
    memcpy(writes, plan->writes, plan->count * sizeof *writes);
    memcpy(order, plan->order, plan->count * sizeof *order);
    plan->writes = writes;
    plan->order = order;
    plan->cap = cap;
    return true;
}

enum status store_split_plan(struct store *store, const struct store_step *step,
                             struct store_plan *plan, struct arena *arena, struct report *report)
{
    uint32_t before = step->base->buckets;
    size_t puts = plan->count, moving = 0;
    enum status status;

    if (plan->buckets == before)
        return STATUS_OK;
    if (!splits_list(before, plan->buckets, arena, plan))
        return full(report);
    status = read_splits(store, plan, arena, report);
    if (status != STATUS_OK)
        return status;
    for (size_t i = 0; i < plan->split_count; i++)
        moving += plan->splits[i].bucket.count;
    if (!plan_grow(plan, moving, arena))
        return full(report);
    for (size_t i = 0; i < plan->split_count; i++)
        move(plan, &plan->splits[i], puts);
    /* A swept bucket's exact time is known to the caller better than the index knew it. */
    for (size_t i = 0; i < plan->split_count; i++)
        for (size_t s = 0; s < step->sweep_count; s++)
            if (step->sweeps[s].number == plan->splits[i].from) {
                plan->splits[i].due_ms = step->sweeps[s].due_ms;
                plan->splits[i].has_due = step->sweeps[s].due_ms != INT64_MAX;
            }
    store_order_sort(plan->order, plan->count);
    return STATUS_OK;
}
