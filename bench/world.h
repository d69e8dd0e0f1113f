/* world: everything around a worker, in memory: an input log, a sink that only counts, Redis by
 * state/redis_memory. What a worker costs by itself, without any server. */
#ifndef LC_BENCH_WORLD_H
#define LC_BENCH_WORLD_H

#include "bench/stream.h"
#include "pipeline/worker.h"

struct world;

struct world_options {
    struct stream_options stream;
    enum stream_form form;
    int32_t partitions; /* 1–64 */
    size_t batch_max;
    size_t cache_bytes;
};

struct world *world_open(const struct world_options *options); /* NULL: no memory */
void world_close(struct world *world);
struct worker *world_worker(struct world *world);
/* Steps until `events` of the log are applied. */
void world_run(struct world *world, uint64_t events);
uint64_t world_alert_bytes(const struct world *world);

#endif
