/* cache: encoded records of the customers of the partitions owned now, bounded in bytes, evicted by
 * second chance. It holds what Redis holds after the last acknowledged step, nothing newer:
 * dropping it is always right. One worker's; no lock.
 *
 * Records are kept encoded (about 200 bytes), not decoded (over 1 KiB): five times the customers in
 * the same memory, and the batch works on decoded copies, so a refused step has nothing to undo
 * here. */
#ifndef LC_STATE_CACHE_H
#define LC_STATE_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"
#include "base/status.h"

struct cache;

struct cache_stats {
    uint64_t hits, misses, evictions;
    size_t entries, bytes;
};

/* bytes_max bounds everything the cache allocates. NULL when memory is refused. */
struct cache *cache_open(size_t bytes_max);
void cache_close(struct cache *cache); /* accepts NULL */

/* true: present (record.at may be NULL: known to be absent from Redis). Spans are valid until the
 * next put or drop. */
bool cache_get(struct cache *cache, int32_t partition, uint64_t hash, struct span customer,
               struct span *ret_record, struct span *ret_ledger);
void cache_prefetch(const struct cache *cache, int32_t partition, uint64_t hash);
/* Insert or replace, evicting others as needed; the spans must not point into the cache. ledger.at
 * NULL: keep the one that is there; when no entry is there (evicted meanwhile) nothing is kept, for
 * an unknown ledger must not be taken for an empty one (which is len 0). */
void cache_put(struct cache *cache, int32_t partition, uint64_t hash, struct span customer,
               struct span record, struct span ledger);
void cache_drop_partition(struct cache *cache, int32_t partition);
void cache_stats(const struct cache *cache, struct cache_stats *ret_stats);

#endif
