/* walk: every customer of an application as it stands in Redis, bucket by bucket, without claiming
 * anything. Marks of erased ones and ids that have become another customer are none. A running
 * daemon goes on meanwhile, so each customer is right, and all together are of about the same time.
 */
#ifndef LC_INSIGHT_WALK_H
#define LC_INSIGHT_WALK_H

#include "model/customer.h"
#include "state/redis.h"

/* Anything but OK ends the walk. */
typedef enum status walk_each_fn(void *self, int32_t partition, struct span id,
                                 const struct customer *customer);

struct walk {
    struct redis redis; /* a connection of its own */
    const char *app;
    int32_t partitions; /* of the input topic */
    walk_each_fn *each;
    void *self; /* of each */
    /* Called between two buckets: where to be slow. Anything but OK ends the walk. NULL: at full
     * speed. */
    enum status (*pause)(void *pause_self);
    void *pause_self;
};

/* Partitions without a state are passed over. RETRY: Redis does not answer. REJECT: a record is
 * damaged, or the callback said so. FULL: a bucket beyond all measure. */
enum status walk_customers(const struct walk *walk, struct report *report) LC_CHECKED;

/* What can be told without reading customers. */
struct walk_sight {
    int64_t customers;
    int64_t watermark_ms; /* the newest of all partitions; INT64_MIN: none */
    int32_t absent;       /* partitions without a state */
};
enum status walk_sight(struct redis *redis, const char *app, int32_t partitions,
                       struct walk_sight *ret_sight, struct report *report) LC_CHECKED;

#endif
