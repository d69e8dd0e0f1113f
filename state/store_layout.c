/* Names of keys and fields, meta ↔ text, customers → buckets. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/must.h"
#include "base/text.h"
#include "state/store_inner.h"

static struct store_key key_of(const struct store *store, const char *tail, int len)
{
    struct store_key key;

    MUST(len > 0 && store->prefix_len + (size_t)len < sizeof key.at);
    memcpy(key.at, store->prefix, store->prefix_len);
    memcpy(key.at + store->prefix_len, tail, (size_t)len);
    key.len = store->prefix_len + (size_t)len;
    key.at[key.len] = '\0';
    return key;
}

struct store_key store_key(const struct store *store, char kind, uint32_t number)
{
    char tail[16], *at = tail + sizeof tail; /* written from its end: a wipe names thousands */

    do
        *--at = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    *--at = ':';
    *--at = kind;
    return key_of(store, at, (int)(tail + sizeof tail - at));
}

struct store_key store_key_meta(const struct store *store)
{
    return key_of(store, "m", 1);
}

struct store_key store_key_timers(const struct store *store)
{
    return key_of(store, "t", 1);
}

struct store_key store_key_hold(const struct store *store)
{
    return key_of(store, "hold", 4);
}

struct store_key store_key_backup(const struct store *store)
{
    return key_of(store, "backup", 6);
}

uint64_t store_customer_hash(struct span customer)
{
    return hash_bytes(customer, 0);
}

/* Linear hashing (Litwin 1980): the low bits of the hash, one bit fewer where that bucket is not
 * there yet. */
uint32_t store_bucket_of(uint64_t hash, uint32_t buckets)
{
    uint32_t mask = 0, number;

    MUST(buckets > 0);
    if (buckets > 1)
        mask = UINT32_MAX >> __builtin_clz(buckets - 1);
    number = (uint32_t)hash & mask;
    return number < buckets ? number : number & (mask >> 1);
}

size_t store_score_text(int64_t due_ms, char ret_text[24])
{
    const int64_t exact = INT64_C(1) << 53;

    if (due_ms > exact)
        due_ms = exact;
    if (due_ms < -exact)
        due_ms = -exact;
    return text_i64_format(due_ms, ret_text);
}

/* --- meta --- */

enum {
    FIELD_TOKEN,
    FIELD_GENERATION,
    FIELD_R,
    FIELD_C,
    FIELD_CO,
    FIELD_W,
    FIELD_CFG,
    FIELD_VERSION,
    FIELD_SWITCHED,
    FIELD_CUSTOMERS,
    FIELD_BUCKETS,
    FIELD_LAST,
    FIELD_HASH,
    FIELD_GUARD, /* may be missing: written by an older version */
    FIELD_FORMAT,
    FIELD_MARKS, /* absent in a meta of before there were marks */
};
_Static_assert(FIELD_MARKS + 1 == STORE_META_FIELDS, "every field has its number");

const struct span store_meta_field[STORE_META_FIELDS] = {
    [FIELD_TOKEN] = {"token", 5},
    [FIELD_GENERATION] = {"generation", 10},
    [FIELD_R] = {"R", 1},
    [FIELD_C] = {"C", 1},
    [FIELD_CO] = {"CO", 2},
    [FIELD_W] = {"W", 1},
    [FIELD_CFG] = {"cfg", 3},
    [FIELD_VERSION] = {"params", 6},
    [FIELD_SWITCHED] = {"switched", 8},
    [FIELD_CUSTOMERS] = {"customers", 9},
    [FIELD_BUCKETS] = {"buckets", 7},
    [FIELD_LAST] = {"last", 4},
    [FIELD_HASH] = {"hash", 4},
    [FIELD_GUARD] = {"guard", 5},
    [FIELD_FORMAT] = {"format", 6},
    [FIELD_MARKS] = {"marks", 5},
};

/* The format of a partition whose deletion has begun: whatever is left of it must go. */
#define FORMAT_WIPING "wiping"

static bool number_in(const struct redis_value *items, size_t field, int64_t min, int64_t max,
                      int64_t *ret_value)
{
    return text_i64_parse(items[field].text, ret_value) == STATUS_OK && *ret_value >= min &&
           *ret_value <= max;
}

static enum status damaged(struct report *report, size_t field)
{
    report_set(
        report, "redis-meta-damaged",
        "the partition's meta hash has no valid field '%s'; it was written by something else. "
        "Restore a backup, or delete the partition's keys and let it be rebuilt from Kafka",
        store_meta_field[field].at);
    return STATUS_REJECT;
}

static enum status meta_numbers(const struct redis_value *items, struct store_meta_found *found,
                                struct report *report)
{
    struct store_meta *meta = &found->meta;
    int64_t version, buckets;
    const struct {
        size_t field;
        int64_t min, max, *to;
    } numbers[] = {
        {FIELD_GENERATION, INT64_MIN, INT64_MAX, &found->generation},
        {FIELD_R, 0, INT64_MAX, &meta->at.offset},
        {FIELD_C, 0, INT64_MAX, &meta->at.control},
        {FIELD_CO, INT64_MIN, INT64_MAX, &meta->control_offset},
        {FIELD_W, INT64_MIN, INT64_MAX, &meta->watermark_ms},
        {FIELD_VERSION, 0, UINT32_MAX, &version},
        {FIELD_SWITCHED, INT64_MIN, INT64_MAX, &meta->switched_ms},
        {FIELD_CUSTOMERS, 0, INT64_MAX, &meta->customers},
        {FIELD_BUCKETS, 1, INT32_MAX, &buckets},
        {FIELD_LAST, -1, INT64_MAX, &meta->last_offset},
    };

    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (!number_in(items, numbers[i].field, numbers[i].min, numbers[i].max, numbers[i].to))
            return damaged(report, numbers[i].field);
    meta->params_version = (uint32_t)version;
    meta->buckets = (uint32_t)buckets;
    return STATUS_OK;
}

#define GUARD_NUMBERS 7

/* The numbers of struct store_guard in its order, with commas between. */
static bool guard_read(struct span text, struct store_guard *ret_guard)
{
    int64_t number[GUARD_NUMBERS];

    for (int i = 0; i < GUARD_NUMBERS; i++) {
        const char *comma = memchr(text.at, ',', text.len);
        size_t len = comma ? (size_t)(comma - text.at) : text.len;

        if ((comma == NULL) != (i == GUARD_NUMBERS - 1) ||
            text_i64_parse((struct span){text.at, len}, &number[i]) != STATUS_OK)
            return false;
        len += comma != NULL;
        text = (struct span){text.at + len, text.len - len};
    }
    if (number[0] < 0 || number[0] > (STORE_HELD_SILENCE | STORE_HELD_STORM) || number[3] < 0 ||
        number[5] < 0 || number[6] < 0)
        return false;
    *ret_guard = (struct store_guard){(uint32_t)number[0], number[1], number[2], number[3],
                                      number[4],           number[5], number[6]};
    return true;
}

static void guard_write(const struct store_guard *guard, char *text, size_t size)
{
    snprintf(text, size,
             "%" PRIu32 ",%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64,
             guard->held, guard->held_ms, guard->heard_ms, guard->gap_ms, guard->hour,
             guard->alerts, guard->mean_milli);
}

enum status store_meta_read(const struct store *store, const struct redis_value *reply,
                            struct store_meta_found *ret_found, struct report *report)
{
    struct store_meta_found found = {
        .meta = {
            .buckets = 1, .watermark_ms = INT64_MIN, .switched_ms = INT64_MIN, .last_offset = -1}};
    const struct redis_value *items = reply->items;
    size_t there = 0;
    enum status status;

    for (size_t i = 0; i < STORE_META_FIELDS; i++)
        there += items[i].type == REDIS_BULK;
    bool torn = store_is_torn(&items[STORE_META_FIELDS]);

    if (there == 0) {
        found.present = found.torn = torn; /* half of the first step of all */
        *ret_found = found;
        return STATUS_OK;
    }
    for (size_t i = 0; i < STORE_META_FIELDS; i++)
        if (items[i].type != REDIS_BULK && i != FIELD_GUARD && i != FIELD_MARKS)
            return damaged(report, i);
    if (items[FIELD_MARKS].type == REDIS_BULK &&
        !number_in(items, FIELD_MARKS, 0, INT64_MAX, &found.meta.marks))
        return damaged(report, FIELD_MARKS);
    found.present = true;
    found.torn = torn;
    found.wiping = span_is(items[FIELD_FORMAT].text, FORMAT_WIPING);
    if (!found.wiping && !span_is(items[FIELD_FORMAT].text, "1")) {
        report_set(report, "redis-format",
                   "the partition's state has format '%.*s', this build knows format %d; run the "
                   "version that "
                   "wrote it, or a newer one",
                   (int)(items[FIELD_FORMAT].text.len & 31), items[FIELD_FORMAT].text.at,
                   STORE_FORMAT);
        return STATUS_REJECT;
    }
    status = meta_numbers(items, &found, report);
    if (status != STATUS_OK)
        return status;
    if (items[FIELD_CFG].text.len >= sizeof found.meta.cfg)
        return damaged(report, FIELD_CFG);
    memcpy(found.meta.cfg, items[FIELD_CFG].text.at, items[FIELD_CFG].text.len);
    if (items[FIELD_GUARD].type == REDIS_BULK &&
        !guard_read(items[FIELD_GUARD].text, &found.meta.guard))
        return damaged(report, FIELD_GUARD);
    if (text_u64_hex_parse(items[FIELD_HASH].text, &found.meta.last_hash) != STATUS_OK)
        return damaged(report, FIELD_HASH);
    found.ours = store->token && span_is(items[FIELD_TOKEN].text, store->token);
    *ret_found = found;
    return STATUS_OK;
}

void store_meta_write(const struct store *store, const struct store_key *key,
                      const struct store_meta *meta, struct store_meta_text *ret_text)
{
    char(*value)[STORE_META_VALUE_MAX] = ret_text->value;
    size_t size = STORE_META_VALUE_MAX;

    MUST(strlen(store->token) <= STORE_TOKEN_MAX);
    snprintf(value[FIELD_TOKEN], size, "%s", store->token);
    snprintf(value[FIELD_GENERATION], size, "%" PRId64, store->generation);
    snprintf(value[FIELD_R], size, "%" PRId64, meta->at.offset);
    snprintf(value[FIELD_C], size, "%" PRId64, meta->at.control);
    snprintf(value[FIELD_CO], size, "%" PRId64, meta->control_offset);
    snprintf(value[FIELD_W], size, "%" PRId64, meta->watermark_ms);
    snprintf(value[FIELD_CFG], size, "%s", meta->cfg);
    snprintf(value[FIELD_VERSION], size, "%" PRIu32, meta->params_version);
    snprintf(value[FIELD_SWITCHED], size, "%" PRId64, meta->switched_ms);
    snprintf(value[FIELD_CUSTOMERS], size, "%" PRId64, meta->customers);
    snprintf(value[FIELD_BUCKETS], size, "%" PRIu32, meta->buckets);
    snprintf(value[FIELD_LAST], size, "%" PRId64, meta->last_offset);
    snprintf(value[FIELD_HASH], size, "%016" PRIx64, meta->last_hash);
    guard_write(&meta->guard, value[FIELD_GUARD], size);
    snprintf(value[FIELD_FORMAT], size, "%d", STORE_FORMAT);
    snprintf(value[FIELD_MARKS], size, "%" PRId64, meta->marks);
    ret_text->argv[0] = SPAN_LITERAL("HSET");
    ret_text->argv[1] = store_key_span(key);
    for (size_t i = 0; i < STORE_META_FIELDS; i++) {
        ret_text->argv[2 + 2 * i] = store_meta_field[i];
        ret_text->argv[3 + 2 * i] = span_of(value[i]);
    }
}
