/* Decoding the records of a part and loading the customers it touches. */
#include "base/hash.h"
#include "base/must.h"
#include "base/text.h"
#include "pipeline/batch_inner.h"
#include "state/customer_codec.h"

/* --- records --- */

/* A null value of a keyed record as a Delete, when the operator wants that. The offset makes its id
 * unique. */
static bool tombstone_event(const struct record *record, struct event *ret_event)
{
    if (record->key.len < 1 || record->key.len > EVENT_CUSTOMER_BYTES_MAX ||
        !text_utf8_valid(record->key))
        return false;
    struct {
        int64_t partition, offset;
    } place = {record->partition, record->offset};
    uint64_t fp =
        hash_pair(SPAN_LITERAL("tombstone"), (struct span){(const char *)&place, sizeof(place)});
    *ret_event = (struct event){.customer = record->key,
                                .type = EVENT_DELETE,
                                .id_fp = fp == 0 ? 1 : fp,
                                .time_ms = record->timestamp_ms,
                                .record_ms = record->timestamp_ms,
                                .offset = record->offset};
    return true;
}

static void decode_one(struct batch *batch, const struct record *record, struct batch_event *event)
{
    struct ports *ports = batch->ports;
    struct header headers[RECORD_HEADERS_MAX];
    size_t count = ports->source.headers(ports->source.self, record, headers, RECORD_HEADERS_MAX);
    *event = (struct batch_event){.record = record};
    if (count > RECORD_HEADERS_MAX) {
        event->error = DECODE_HEADERS;
        event->detail = SPAN_LITERAL("more headers than are taken");
        return;
    }
    event->error = decode_record(record, headers, count, &ports->options.decode, &batch->arena,
                                 &event->event, &event->detail);
    if (event->error == DECODE_NULL_VALUE && ports->options.tombstone_deletes &&
        tombstone_event(record, &event->event))
        event->error = DECODE_NONE;
}

/* Whatever a record holds must fit (pipeline/decode.h): for want of room a good record would become
 * a dead letter. */
static bool room_to_decode(const struct batch *batch)
{
    const size_t need = DECODE_SCRATCH_BYTES(batch->ports->options.decode.bytes_max);
    return batch->arena.bytes_max >= need &&
           batch->arena.bytes_used <= batch->arena.bytes_max - need;
}

enum status batch_decode(struct batch *batch, struct batch_part *part, size_t count)
{
    struct partition *partition = part->partition;
    part->events = arena_alloc(&batch->arena, (count + 1) * sizeof(*part->events));
    if (part->events == NULL)
        return STATUS_FULL;
    for (size_t i = 0; i < count; i++) {
        struct batch_event *event = &part->events[i];
        if (!room_to_decode(batch))
            return STATUS_FULL;
        decode_one(batch, partition->queue[partition->queue_next + i], event);
        part->event_count++;
        if (event->error != DECODE_NONE)
            continue;
        event->customer = batch_customer(batch, part, event->event.customer, true);
        if (event->customer == NULL)
            return STATUS_FULL;
        event->customer->events++;
        event->customer->joined = event->customer->joined || event->event.errand == EVENT_STATE;
        cache_prefetch(batch->ports->cache, partition->number, event->customer->hash);
    }
    return STATUS_OK;
}

/* --- customers --- */

static enum status damaged(struct report *report, const char *why)
{
    if (why ==
        customer_record_newer) { /* not for this build to give up: somebody else can read it */
        report_set(report, PARTITION_VERSION_NEWER,
                   "a customer's record in Redis cannot be read: %s; upgrade this one", why);
        return STATUS_RETRY;
    }
    report_set(report, "record-damaged", "a customer's record in Redis cannot be read: %s",
               why ? why : "unknown");
    return STATUS_GONE;
}

/* Room in the ledger for what the batch may add. */
static uint32_t ledger_room(const struct batch_customer *customer)
{
    return customer->joined ? LEDGER_ORDERS_MAX : customer->events;
}

/* From the bytes Redis or the cache holds; record.at NULL: a new customer, or all there is of it is
 * a mark. */
static enum status customer_from(struct batch *batch, struct batch_customer *customer,
                                 struct span record, struct span ledger, struct report *report)
{
    struct batch_part *part = customer->part;
    const char *why = NULL;
    enum status status = STATUS_OK;
    if (record.at == NULL) {
        customer_init(&customer->state);
        customer->state.params_version = part->base.params_version;
    } else {
        if (customer_decode(record, &customer->state, &why) != STATUS_OK)
            return damaged(report, why);
        customer->stored = !customer->marked;
    }
    if (customer->events > 0) {
        status =
            ledger_decode(ledger, ledger_room(customer), &batch->arena, &customer->ledger, &why);
        if (status != STATUS_OK)
            return status == STATUS_FULL ? status : damaged(report, why);
#ifdef LC_PLANT_DEDUP_OFF
        customer->ledger.order_count = customer->ledger.event_count = 0;
#endif
    }
#ifdef LC_PLANT_REARM_SKIPPED
    customer->state.params_version = part->base.params_version;
#endif
    if (customer->state.params_version < part->base.params_version) {
        fold_rearm(&customer->state, worker_rearm_ms(customer->hash, part->base.switched_ms),
                   part->base.params_version, &part->partition->params);
        customer->dirty = true;
    }
    customer->loaded = true;
    return STATUS_OK;
}

/* Customers of a part that one round trip asks for. */
struct missing {
    struct store_blob *blobs;
    uint32_t *index;
    size_t count;
};

static bool missing_init(struct missing *missing, struct batch *batch,
                         const struct batch_part *part)
{
    missing->blobs =
        arena_alloc(&batch->arena, (part->customer_count + 1) * sizeof(*missing->blobs));
    missing->index =
        arena_alloc(&batch->arena, (part->customer_count + 1) * sizeof(*missing->index));
    missing->count = 0;
    return missing->blobs != NULL && missing->index != NULL;
}

static void missing_add(struct missing *missing, uint32_t index, struct span name, uint64_t hash)
{
    missing->index[missing->count] = index;
    missing->blobs[missing->count++] = (struct store_blob){.customer = name, .hash = hash};
}

/* Nobody by that id: new, or erased. Asked only where there are marks at all. */
static enum status absent(struct batch *batch, struct batch_customer *customer,
                          struct missing *marks, struct report *report)
{
    char *name;
    if (customer->part->base.marks == 0)
        return customer_from(batch, customer, SPAN_ABSENT, SPAN_ABSENT, report);
    name = arena_alloc(&batch->arena, MARK_NAME_BYTES);
    if (name == NULL)
        return STATUS_FULL;
    mark_name(&batch->ports->options.mark_key, customer->id, name);
    struct span span = {name, MARK_NAME_BYTES};
    missing_add(marks, customer->index, span, store_customer_hash(span));
    return STATUS_OK;
}

static enum status load_marks(struct batch *batch, struct batch_part *part, struct missing *marks,
                              struct report *report)
{
    enum status status = STATUS_OK;
    if (marks->count > 0)
        status = store_load(part->partition->store, &part->base, marks->blobs, marks->count,
                            &batch->arena, report);
    for (size_t i = 0; i < marks->count && status == STATUS_OK; i++) {
        struct batch_customer *customer = part->customers[marks->index[i]];
        customer->marked = marks->blobs[i].record.at != NULL;
        status = customer_from(batch, customer, marks->blobs[i].record, SPAN_ABSENT, report);
    }
    return status;
}

static enum status load_customers(struct batch *batch, struct batch_part *part,
                                  struct missing *missing, struct missing *marks,
                                  struct report *report)
{
    enum status status = STATUS_OK;
    if (missing->count > 0)
        status = store_load(part->partition->store, &part->base, missing->blobs, missing->count,
                            &batch->arena, report);
    for (size_t i = 0; i < missing->count && status == STATUS_OK; i++) {
        struct batch_customer *customer = part->customers[missing->index[i]];
        const struct store_blob *blob = &missing->blobs[i];
        customer->ledger_raw = blob->ledger.at != NULL ? blob->ledger : SPAN_LITERAL("");
        status = blob->record.at == NULL
                     ? absent(batch, customer, marks, report)
                     : customer_from(batch, customer, blob->record, blob->ledger, report);
    }
    return status;
}

/* Customers with events: from the cache, the rest in one round trip; in a second one the marks of
 * those that are not there. */
enum status batch_load(struct batch *batch, struct batch_part *part, struct report *report)
{
    struct partition *partition = part->partition;
    struct missing missing, marks;
    enum status status = STATUS_OK;
    if (!missing_init(&missing, batch, part) || !missing_init(&marks, batch, part))
        return STATUS_FULL;
    for (uint32_t i = 0; i < part->customer_count && status == STATUS_OK; i++) {
        struct batch_customer *customer = part->customers[i];
        struct span record = SPAN_ABSENT, ledger = SPAN_ABSENT;
        if (!cache_get(batch->ports->cache, partition->number, customer->hash, customer->id,
                       &record, &ledger))
            missing_add(&missing, i, customer->id, customer->hash);
        else if (record.at == NULL)
            status = absent(batch, customer, &marks, report);
        else
            status = customer_from(batch, customer, record, ledger, report);
    }
    if (status == STATUS_OK)
        status = load_customers(batch, part, &missing, &marks, report);
    return status == STATUS_OK ? load_marks(batch, part, &marks, report) : status;
}

/* --- timers --- */

static enum status add_bucket(struct batch *batch, struct batch_part *part,
                              const struct store_bucket *bucket, struct report *report)
{
    for (size_t i = 0; i < bucket->count; i++) {
        const struct store_blob *blob = &bucket->blobs[i];
        if (mark_is(blob->customer))
            continue;
        struct batch_customer *customer = batch_customer(batch, part, blob->customer, false);
        if (customer == NULL)
            return STATUS_FULL;
        if (customer->loaded)
            continue;
        customer->ledger_raw = blob->ledger.at != NULL ? blob->ledger : SPAN_LITERAL("");
        enum status status = customer_from(batch, customer, blob->record, blob->ledger, report);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

/* Is anything gained by the loaded buckets alone: a timer before next_ms that fires, or an index
 * entry that was too early? */
static bool loaded_suffice(const struct batch *batch, const struct batch_part *part,
                           int64_t next_ms)
{
    for (size_t i = 0; i < part->bucket_count; i++)
        if (batch_bucket_due(batch, part, &part->buckets[i]) != next_ms)
            return true;
    return false;
}

/* More may be due than one batch takes: then W goes to just before the first bucket not taken. When
 * so many customers are due in one millisecond that this gains nothing, they are taken whole, since
 * W cannot stand between them: the arena is the last bound. */
static enum status load_buckets(struct batch *batch, struct batch_part *part, int64_t horizon_ms,
                                int64_t *ret_until_ms, struct report *report)
{
    const int64_t now_ms = part->base.watermark_ms;
    for (size_t max = batch->buckets_max;; max *= 2) {
        int64_t next_ms = INT64_MAX;
        enum status status =
            store_load_due(part->partition->store, &part->base, horizon_ms, max, &batch->arena,
                           &part->buckets, &part->bucket_count, &next_ms, report);
        for (size_t i = 0; i < part->bucket_count && status == STATUS_OK; i++)
            status = add_bucket(batch, part, &part->buckets[i], report);
        if (status != STATUS_OK)
            return status;
        part->due_next_ms = next_ms;
        *ret_until_ms = next_ms > horizon_ms   ? horizon_ms
                        : next_ms - 1 > now_ms ? next_ms - 1
                                               : now_ms;
        if (next_ms > horizon_ms || loaded_suffice(batch, part, next_ms))
            return STATUS_OK;
    }
}

enum status batch_load_due(struct batch *batch, struct batch_part *part, int64_t horizon_ms,
                           int64_t *ret_until_ms, struct report *report)
{
    int64_t until_ms = horizon_ms;
    if (horizon_ms >= part->partition->due_next_ms && part->partition->present) {
        enum status status = load_buckets(batch, part, horizon_ms, &until_ms, report);
        if (status != STATUS_OK)
            return status;
    }
    timers_init(&part->timers, &batch->arena, until_ms);
    for (uint32_t i = 0; i < part->customer_count; i++) {
        const struct batch_customer *customer = part->customers[i];
        enum status status =
            timers_push(&part->timers, (struct heap_item){batch_customer_due(customer),
                                                          customer->hash, customer->index});
        if (status != STATUS_OK)
            return status;
    }
    *ret_until_ms = until_ms;
    return STATUS_OK;
}
