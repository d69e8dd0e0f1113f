/* servers_walk: every customer of the application, while the daemon goes on writing and splitting
 * buckets.
 *
 * The walk goes by the buckets there were at its start. Of such a bucket it reads whatever it has
 * become by now (itself and the buckets split off it since), all at one count of buckets, and shows
 * each customer once. A split in between is noticed by the store (STALE) and the bucket is read
 * again. */
#include <stdlib.h>

#include "ctl/ctl.h"
#include "ctl/servers.h"
#include "state/customer_codec.h"

enum { ARENA_BYTES = 256 << 20, TRIES = 100 };

struct walk {
    struct store *store;
    int32_t partition;
    uint32_t begun_with; /* buckets at the start */
    struct store_meta meta;
    struct arena arena;
    servers_each_fn *each;
    void *self;
};

/* Was bucket `number` split off `origin`, directly or not, since there were `begun_with` buckets?
 * (Linear hashing: a bucket comes off the one without its highest bit.) */
static bool descends(uint32_t number, uint32_t origin, uint32_t begun_with)
{
    while (number >= begun_with)
        number &= ~(UINT32_C(1) << (31 - __builtin_clz(number)));
    return number == origin;
}

static enum status show(const struct walk *w, const struct store_bucket *bucket,
                        struct report *report)
{
    struct customer customer;
    const char *why = NULL;
    for (size_t i = 0; i < bucket->count; i++) {
        const struct store_blob *blob = &bucket->blobs[i];
        if (customer_decode(blob->record, &customer, &why) != STATUS_OK) {
            report_set(report, "record-damaged", "customer %.*s of partition %d: %s",
                       (int)blob->customer.len, blob->customer.at, w->partition, why);
            return STATUS_REJECT;
        }
        enum status status = w->each(w->self, w->partition, blob->customer, &customer);
        if (status != STATUS_OK) {
            report_set(report, "interrupted", "stopped before the end");
            return status;
        }
    }
    return STATUS_OK;
}

static enum status walk_bucket(struct walk *w, uint32_t origin, struct report *report)
{
    enum { FAMILY_MAX = 64 };
    struct store_bucket family[FAMILY_MAX];
    size_t count = 0;
    arena_reset(&w->arena);
    enum status status =
        store_load_bucket(w->store, &w->meta, origin, &w->arena, &family[count++], report);
    for (uint32_t n = w->begun_with; status == STATUS_OK && n < w->meta.buckets; n++)
        if (descends(n, origin, w->begun_with)) {
            if (count == FAMILY_MAX)
                return STATUS_FULL;
            status = store_load_bucket(w->store, &w->meta, n, &w->arena, &family[count++], report);
        }
    for (size_t i = 0; status == STATUS_OK && i < count; i++)
        status = show(w, &family[i], report);
    return status;
}

static enum status walk_partition(struct servers *servers, struct walk *w, struct report *report)
{
    bool present = false;
    enum status status =
        store_peek(&servers->redis, servers->config.app, w->partition, &w->meta, &present, report);
    if (status != STATUS_OK || !present)
        return status;
    w->begun_with = w->meta.buckets;
    w->store = store_open_readonly(servers->redis, servers->config.app, w->partition);
    if (!w->store) {
        report_set(report, "memory", "no memory");
        return STATUS_RETRY;
    }
    for (uint32_t origin = 0, tries = 0; status == STATUS_OK && origin < w->begun_with;) {
        status = walk_bucket(w, origin, report);
        if (status == STATUS_STALE && tries++ < TRIES) {
            status = store_peek(&servers->redis, servers->config.app, w->partition, &w->meta,
                                &present, report);
        } else {
            tries = 0;
            origin++;
        }
    }
    store_close(w->store);
    return status;
}

enum status servers_walk(struct servers *servers, servers_each_fn *each, void *self,
                         struct report *report)
{
    struct walk w = {.each = each, .self = self};
    enum status status = servers_partitions(servers, report);
    if (status == STATUS_OK)
        status = servers_redis(servers, report);
    arena_init(&w.arena, ARENA_BYTES);
    for (w.partition = 0; status == STATUS_OK && w.partition < servers->partitions; w.partition++)
        status = walk_partition(servers, &w, report);
    arena_fini(&w.arena);
    return status;
}
