/* customer_page: see the header. */
#include "daemon/customer_page.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/text.h"
#include "model/outlook.h"
#include "pipeline/customer_json.h"
#include "state/customer_codec.h"
#include "state/store.h"

#define ARENA_BYTES (1 << 20)
#define TRIES       5 /* a split of the bucket between the two readings */
#define STEPS_MAX   32
#define HORIZON_MS  (INT64_C(730) * TEXT_MS_PER_DAY)

static enum status load(const struct customer_page *page, struct store *store, int32_t partition,
                        struct span id, struct arena *arena, struct store_meta *ret_meta,
                        struct span *ret_record, struct report *report)
{
    struct redis redis = page->redis;
    enum status status = STATUS_STALE;

    for (int i = 0; i < TRIES && status == STATUS_STALE; i++) {
        struct store_blob blob = {.customer = id, .hash = store_customer_hash(id)};
        bool present = false;

        status = store_peek(&redis, page->app, partition, ret_meta, &present, report);
        if (status != STATUS_OK)
            return status;
        if (!present)
            return STATUS_GONE;
        status = store_load(store, ret_meta, &blob, 1, arena, report);
        *ret_record = blob.record;
        if (status == STATUS_OK && !blob.record.at)
            return STATUS_GONE;
    }
    return status == STATUS_STALE ? STATUS_RETRY : status;
}

static enum status write_json(const struct customer_page *page, struct span id, struct span record,
                              int64_t watermark_ms, struct arena *arena, char *buffer, size_t cap,
                              size_t *ret_len, struct report *report)
{
    struct effects effects = {.cap = EFFECTS_PER_STEP_MAX};
    struct outlook_step steps[STEPS_MAX];
    struct json_writer writer;
    struct customer customer;
    const char *why = NULL;
    int64_t at_ms;
    uint32_t count;

    if (customer_decode(record, &customer, &why) != STATUS_OK) {
        report_set(report, "record-damaged", "the customer's record: %s", why);
        return STATUS_REJECT;
    }
    effects.at = arena_alloc(arena, EFFECTS_PER_STEP_MAX * sizeof *effects.at);
    if (!effects.at) {
        report_set(report, "memory", "no memory for the outlook");
        return STATUS_RETRY;
    }
    at_ms = page->event_clock && watermark_ms != INT64_MIN ? watermark_ms : page->wall_ms;
    if (at_ms < customer.now_ms)
        at_ms = customer.now_ms;
    count = outlook_of(&customer, at_ms + HORIZON_MS, page->params, &effects, steps, STEPS_MAX);
    json_writer_init(&writer, buffer, cap);
    customer_json_write(&writer, id, &customer, at_ms, page->params, steps, count);
    *ret_len = writer.len;
    return writer.full ? STATUS_FULL : STATUS_OK;
}

enum status customer_page_write(const struct customer_page *page, struct span id, char *buffer,
                                size_t cap, size_t *ret_len, struct report *report)
{
    int32_t partition = page->crc32 ? hash_partition_crc32(id, page->partitions)
                                    : hash_partition_murmur2(id, page->partitions);
    struct store *store = store_open_readonly(page->redis, page->app, partition);
    struct store_meta meta = {0};
    struct span record = SPAN_ABSENT;
    struct arena arena;
    enum status status;

    if (!store) {
        report_set(report, "memory", "no memory to read a customer");
        return STATUS_RETRY;
    }
    arena_init(&arena, ARENA_BYTES);
    status = load(page, store, partition, id, &arena, &meta, &record, report);
    if (status == STATUS_OK)
        status =
            write_json(page, id, record, meta.watermark_ms, &arena, buffer, cap, ret_len, report);
    arena_fini(&arena);
    store_close(store);
    return status;
}
