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
                                .record_ms = record->timestamp_ms};
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

/* From the bytes Redis or the cache holds; record.at NULL: a new customer. */
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
        customer->stored = true;
    }
    if (customer->events > 0) {
        status = ledger_decode(ledger, customer->events, &batch->arena, &customer->ledger, &why);
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

/* Customers with events: from the cache, the rest collected for one round trip. */
enum status batch_load(struct batch *batch, struct batch_part *part, struct report *report)
{
    struct partition *partition = part->partition;
    struct store_blob *missing =
        arena_alloc(&batch->arena, (part->customer_count + 1) * sizeof(*missing));
    uint32_t *index = arena_alloc(&batch->arena, (part->customer_count + 1) * sizeof(*index));
    size_t count = 0;
    if (missing == NULL || index == NULL)
        return STATUS_FULL;
    for (uint32_t i = 0; i < part->customer_count; i++) {
        struct batch_customer *customer = part->customers[i];
        struct span record = SPAN_ABSENT, ledger = SPAN_ABSENT;
        if (cache_get(batch->ports->cache, partition->number, customer->hash, customer->id, &record,
                      &ledger)) {
            enum status status = customer_from(batch, customer, record, ledger, report);
            if (status != STATUS_OK)
                return status;
        } else {
            index[count] = i;
            missing[count++] =
                (struct store_blob){.customer = customer->id, .hash = customer->hash};
        }
    }
    if (count == 0)
        return STATUS_OK;
    enum status status =
        store_load(partition->store, &part->base, missing, count, &batch->arena, report);
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        struct batch_customer *customer = part->customers[index[i]];
        customer->ledger_raw = missing[i].ledger.at != NULL ? missing[i].ledger : SPAN_LITERAL("");
        status = customer_from(batch, customer, missing[i].record, missing[i].ledger, report);
    }
    return status;
}

/* --- timers --- */

static enum status add_bucket(struct batch *batch, struct batch_part *part,
                              const struct store_bucket *bucket, struct report *report)
{
    for (size_t i = 0; i < bucket->count; i++) {
        const struct store_blob *blob = &bucket->blobs[i];
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
