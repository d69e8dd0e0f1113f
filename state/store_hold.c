/* Holds and backup marks: how a backup and a worker keep out of each other's way. */
#include <inttypes.h>
#include <stdio.h>

#include "base/must.h"
#include "base/text.h"
#include "state/store_inner.h"

enum status store_hold(struct store *store, int64_t ttl_ms, struct report *report)
{
    struct store_key key = store_key_hold(store);
    const struct redis_value *value;
    char ttl[24];
    int len = snprintf(ttl, sizeof ttl, "%" PRId64, ttl_ms);
    enum status status;

    MUST(store->token);
    store_talk_begin(store);
    STORE_QUEUE(store, SPAN_LITERAL("SET"), store_key_span(&key), span_of(store->token),
                SPAN_LITERAL("PX"), ((struct span){ttl, (size_t)len}),
                store->holder ? SPAN_LITERAL("XX") : SPAN_LITERAL("NX"));
    status = store_send(store, report);
    if (status == STATUS_OK)
        status = store_take(store, &value, report);
    if (status == STATUS_OK && value->type == REDIS_ERROR)
        status = store_error_status(value->text, report);
    if (status == STATUS_OK && value->type == REDIS_NIL) {
        report_set(report, "partition-held",
                   store->holder ? "the hold on the partition expired: Redis answers too slowly"
                                 : "another backup or restore of this partition is under way");
        status = STATUS_RETRY;
    }
    store_drain(store);
    store->holder = store->holder || status == STATUS_OK;
    return status;
}

void store_release(struct store *store)
{
    struct store_key key = store_key_hold(store);

    if (!store->holder)
        return;
    store->holder = false;
    store_talk_begin(store);
    STORE_QUEUE(store, SPAN_LITERAL("UNLINK"), store_key_span(&key));
    if (store_send(store, NULL) == STATUS_OK)
        store_drain(store);
}

enum status store_backup_note(struct store *store, const struct store_backup *backup,
                              struct report *report)
{
    struct store_key key = store_key_backup(store);
    const struct redis_value *value;
    char text[3][24];
    struct span span[3];
    const int64_t number[3] = {backup->at.offset, backup->at.control, backup->made_ms};
    enum status status;

    for (int i = 0; i < 3; i++)
        span[i] = (struct span){text[i],
                                (size_t)snprintf(text[i], sizeof text[i], "%" PRId64, number[i])};
    store_talk_begin(store);
    STORE_QUEUE(store, SPAN_LITERAL("HSET"), store_key_span(&key), SPAN_LITERAL("R"), span[0],
                SPAN_LITERAL("C"), span[1], SPAN_LITERAL("made"), span[2]);
    status = store_send(store, report);
    if (status == STATUS_OK)
        status = store_expect(store, REDIS_INT, &value, report);
    store_drain(store);
    return status;
}

enum status store_backup_read(struct store *store, struct store_backup *ret_backup,
                              bool *ret_present, struct report *report)
{
    struct store_key key = store_key_backup(store);
    const struct redis_value *value;
    struct store_backup backup;
    enum status status;

    store_talk_begin(store);
    STORE_QUEUE(store, SPAN_LITERAL("HMGET"), store_key_span(&key), SPAN_LITERAL("R"),
                SPAN_LITERAL("C"), SPAN_LITERAL("made"));
    status = store_send(store, report);
    if (status == STATUS_OK)
        status = store_expect(store, REDIS_ARRAY, &value, report);
    if (status == STATUS_OK && value->count != 3)
        status = store_protocol_error(store, report);
    if (status == STATUS_OK) {
        *ret_present = text_i64_parse(value->items[0].text, &backup.at.offset) == STATUS_OK &&
                       text_i64_parse(value->items[1].text, &backup.at.control) == STATUS_OK &&
                       text_i64_parse(value->items[2].text, &backup.made_ms) == STATUS_OK;
        if (*ret_present)
            *ret_backup = backup;
    }
    store_drain(store);
    return status;
}
