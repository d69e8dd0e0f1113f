/* bench_pipeline: the whole worker over ports in memory: what lifecycled itself costs an event.
 *
 *   bench_pipeline [EVENTS [CUSTOMERS [json|msgpack|segment|cloud [PARTITIONS]]]]
 *
 * The first half of the stream is the warm-up. Prints one JSON object. redis_memory, which stands
 * in for Redis, is part of the time (a fifth to a third of it; callgrind tells how much). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/count.h"
#include "bench/world.h"

#define YEAR_MS INT64_C(31536000000)

static double cpu_s(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static enum stream_form form_of(const char *name)
{
    static const char *const names[STREAM_FORMS] = {"json", "msgpack", "segment", "cloud"};

    for (int i = 0; i < STREAM_FORMS; i++)
        if (strcmp(name, names[i]) == 0)
            return (enum stream_form)i;
    fprintf(stderr, "bench_pipeline: %s is no form\n", name);
    exit(2);
}

int main(int argc, char **argv)
{
    uint64_t events = argc > 1 ? strtoull(argv[1], NULL, 10) : 400000;
    uint32_t customers = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 40000;
    struct world_options options = {
        .stream = {.seed = 1,
                   .customers = customers,
                   .events = events,
                   .end_ms = INT64_C(1767225600000),
                   .span_ms = YEAR_MS},
        .form = form_of(argc > 3 ? argv[3] : "json"),
        .partitions = argc > 4 ? (int32_t)strtol(argv[4], NULL, 10) : 4,
        .batch_max = 10000,
        .cache_bytes = (size_t)256 << 20,
    };
    struct world *world = world_open(&options);
    struct worker_stats before, after;
    uint64_t mallocs;
    double begun;

    world_run(world, events / 2);
    worker_stats(world_worker(world), &before);
    mallocs = count_mallocs();
    begun = cpu_s();
    world_run(world, events);
    begun = cpu_s() - begun;
    mallocs = count_mallocs() - mallocs;
    worker_stats(world_worker(world), &after);
    events = after.events - before.events;
    printf(
        "{\"events\":%llu,\"us_an_event\":%.3f,\"alerts_an_event\":%.3f,\"alert_bytes\":%.0f,"
        "\"timers_an_event\":%.3f,\"events_a_commit\":%.0f,\"dead\":%llu,\"mallocs_an_event\":%.4f,"
        "\"cache_bytes_a_customer\":%.0f,\"worker_bytes\":%zu}\n",
        (unsigned long long)events, begun / (double)events * 1e6,
        (double)(after.alerts - before.alerts) / (double)events,
        (double)world_alert_bytes(world) / (double)after.alerts,
        (double)(after.timers - before.timers) / (double)events,
        (double)events / (double)(after.transactions - before.transactions),
        (unsigned long long)after.dead_letters, (double)mallocs / (double)events,
        (double)after.cache.bytes / (double)after.cache.entries, after.live_bytes);
    world_close(world);
    return 0;
}
