/* walk: see the header.
 *
 * The walk goes by the buckets there were at its start. Of such a bucket it reads whatever it has
 * become by now (itself and the buckets split off it since), all at one count of buckets, and shows
 * each customer once. A split in between is noticed by the store (STALE) and the bucket is read
 * again. */
#include "insight/walk.h"

#include "state/customer_codec.h"
#include "state/mark.h"
#include "state/store.h"

enum { ARENA_BYTES = 256 << 20, TRIES = 100 };

struct tour {
    const struct walk *walk;
    struct redis redis;
    struct store *store;
    int32_t partition;
    uint32_t begun_with; /* buckets at the start */
    struct store_meta meta;
    struct arena arena;
};

/* Was bucket `number` split off `origin`, directly or not, since there were `begun_with` buckets?
 * (Linear hashing: a bucket comes off the one without its highest bit.) */
static bool descends(uint32_t number, uint32_t origin, uint32_t begun_with)
{
    while (number >= begun_with)
        number &= ~(UINT32_C(1) << (31 - __builtin_clz(number)));
    return number == origin;
}

static enum status show(const struct tour *tour, const struct store_bucket *bucket,
                        struct report *report)
{
    struct customer customer;
    const char *why = NULL;
    for (size_t i = 0; i < bucket->count; i++) {
        const struct store_blob *blob = &bucket->blobs[i];
        if (mark_is(blob->customer))
            continue;
        if (customer_decode(blob->record, &customer, &why) != STATUS_OK) {
            report_set(report, "record-damaged", "customer %.*s of partition %d: %s",
                       (int)blob->customer.len, blob->customer.at, tour->partition, why);
            return STATUS_REJECT;
        }
        if (customer_is_redirect(&customer))
            continue;
        enum status status =
            tour->walk->each(tour->walk->self, tour->partition, blob->customer, &customer);
        if (status != STATUS_OK) {
            report_set(report, "interrupted", "stopped before the end");
            return status;
        }
    }
    return STATUS_OK;
}

static enum status read_family(struct tour *tour, uint32_t origin, struct report *report)
{
    enum { FAMILY_MAX = 64 };
    struct store_bucket family[FAMILY_MAX];
    size_t count = 0;
    arena_reset(&tour->arena);
    enum status status =
        store_load_bucket(tour->store, &tour->meta, origin, &tour->arena, &family[count++], report);
    for (uint32_t n = tour->begun_with; status == STATUS_OK && n < tour->meta.buckets; n++)
        if (descends(n, origin, tour->begun_with)) {
            if (count == FAMILY_MAX)
                return STATUS_FULL;
            status = store_load_bucket(tour->store, &tour->meta, n, &tour->arena, &family[count++],
                                       report);
        }
    for (size_t i = 0; status == STATUS_OK && i < count; i++)
        status = show(tour, &family[i], report);
    return status;
}

static enum status walk_buckets(struct tour *tour, struct report *report)
{
    const struct walk *walk = tour->walk;
    enum status status = STATUS_OK;
    bool present = true;
    for (uint32_t origin = 0, tries = 0; status == STATUS_OK && origin < tour->begun_with;) {
        status = read_family(tour, origin, report);
        if (status == STATUS_STALE && tries++ < TRIES) {
            status =
                store_peek(&tour->redis, walk->app, tour->partition, &tour->meta, &present, report);
        } else {
            tries = 0;
            origin++;
        }
        if (status == STATUS_OK && walk->pause && walk->pause(walk->pause_self) != STATUS_OK) {
            report_set(report, "interrupted", "stopped before the end");
            status = STATUS_REJECT;
        }
    }
    return status;
}

static enum status walk_partition(struct tour *tour, struct report *report)
{
    const struct walk *walk = tour->walk;
    bool present = false;
    enum status status =
        store_peek(&tour->redis, walk->app, tour->partition, &tour->meta, &present, report);
    if (status != STATUS_OK || !present)
        return status;
    tour->begun_with = tour->meta.buckets;
    tour->store = store_open_readonly(tour->redis, walk->app, tour->partition);
    if (!tour->store) {
        report_set(report, "memory", "no memory");
        return STATUS_RETRY;
    }
    status = walk_buckets(tour, report);
    store_close(tour->store);
    return status;
}

enum status walk_customers(const struct walk *walk, struct report *report)
{
    struct tour tour = {.walk = walk, .redis = walk->redis};
    enum status status = STATUS_OK;
    arena_init(&tour.arena, ARENA_BYTES);
    for (; status == STATUS_OK && tour.partition < walk->partitions; tour.partition++)
        status = walk_partition(&tour, report);
    arena_fini(&tour.arena);
    return status;
}

enum status walk_sight(struct redis *redis, const char *app, int32_t partitions,
                       struct walk_sight *ret_sight, struct report *report)
{
    struct walk_sight sight = {.watermark_ms = INT64_MIN};
    for (int32_t p = 0; p < partitions; p++) {
        struct store_meta meta;
        bool present = false;
        enum status status = store_peek(redis, app, p, &meta, &present, report);
        if (status != STATUS_OK)
            return status;
        sight.absent += !present;
        sight.customers += present ? meta.customers : 0;
        if (present && meta.watermark_ms > sight.watermark_ms)
            sight.watermark_ms = meta.watermark_ms;
    }
    *ret_sight = sight;
    return STATUS_OK;
}
