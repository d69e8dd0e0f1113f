#include "bench/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/must.h"
#include "bench/count.h"
#include "state/redis_memory.h"

#define PARTITIONS_MAX 64
#define DAY_MS         INT64_C(86400000)

struct log {
    struct record *records;
    size_t count, cap, next;
    int64_t k;
    char metadata[1024];
    size_t metadata_len;
    struct record *controls; /* committed control records */
    size_t control_count;
    bool paused, end_told;
};

struct world {
    struct world_options options;
    struct log logs[PARTITIONS_MAX];
    int32_t turn;
    struct record *polled;
    struct source_end ends[PARTITIONS_MAX];
    int32_t numbers[PARTITIONS_MAX];
    bool assigned;
    uint64_t alert_bytes;
    struct redis_memory *redis;
    struct cache *cache;
    struct worker_options worker_options;
    struct worker *worker;
};

/* --- the log --- */

static void *copy(const char *bytes, size_t len)
{
    char *at = malloc(len + 1);

    MUST(at);
    memcpy(at, bytes, len);
    return at;
}

static void append(struct world *world, const struct stream_event *event)
{
    char key[16], bytes[STREAM_BYTES_MAX];
    size_t key_len = stream_key(event, key);
    size_t len = stream_write(event, world->options.form, bytes);
    int32_t number = hash_partition_murmur2((struct span){key, key_len}, world->options.partitions);
    struct log *log = &world->logs[number];

    if (log->count == log->cap) {
        log->cap = log->cap ? log->cap * 2 : 1024;
        log->records = realloc(log->records, log->cap * sizeof *log->records);
        MUST(log->records);
    }
    log->records[log->count] = (struct record){.partition = number,
                                               .offset = (int64_t)log->count,
                                               .timestamp_ms = event->time_ms,
                                               .key = {copy(key, key_len), key_len},
                                               .value = {copy(bytes, len), len}};
    log->count++;
}

static void append_control(struct log *log, const struct sink_message *message)
{
    size_t count = log->control_count++;

    log->controls = realloc(log->controls, (count + 1) * sizeof *log->controls);
    MUST(log->controls);
    log->controls[count] =
        (struct record){.offset = (int64_t)count,
                        .value = {copy(message->value.at, message->value.len), message->value.len}};
}

/* --- source --- */

static enum status poll(void *self, int timeout_ms, size_t max, struct source_batch *ret_batch,
                        struct report *report)
{
    struct world *world = self;
    struct source_batch batch = {
        .records = world->polled, .partitions = world->numbers, .ends = world->ends};

    (void)timeout_ms, (void)report;
    if (!world->assigned) {
        batch.change = SOURCE_ASSIGNED;
        batch.partition_count = (size_t)world->options.partitions;
        world->assigned = true;
        *ret_batch = batch;
        return STATUS_OK;
    }
    for (int32_t i = 0; i < world->options.partitions; i++) { /* runs, as fetches come in */
        int32_t number = (world->turn + i) % world->options.partitions;
        struct log *log = &world->logs[number];
        size_t run = max / (size_t)world->options.partitions + 1;

        while (!log->paused && log->next < log->count && run-- > 0 && batch.count < max)
            world->polled[batch.count++] = log->records[log->next++];
        if (!log->paused && log->next == log->count && !log->end_told) {
            log->end_told = true;
            world->ends[batch.end_count++] = (struct source_end){number, (int64_t)log->count};
        }
    }
    world->turn++;
    *ret_batch = batch;
    return STATUS_OK;
}

static size_t headers(void *self, const struct record *record, struct header *ret_headers,
                      size_t max)
{
    (void)self, (void)record, (void)max;
    if (((struct world *)self)->options.form != STREAM_CLOUD_JSON)
        return 0;
    ret_headers[0] =
        (struct header){SPAN_LITERAL("content-type"), SPAN_LITERAL("application/cloudevents+json")};
    return 1;
}

static enum status assign(void *self, const struct source_start *starts, size_t count,
                          struct report *report)
{
    struct world *world = self;

    (void)report;
    for (size_t i = 0; i < count; i++) {
        struct log *log = &world->logs[starts[i].partition];

        log->paused = starts[i].paused;
        if (!log->paused)
            log->next = (size_t)starts[i].offset;
        log->end_told = false;
    }
    return STATUS_OK;
}

static enum status committed(void *self, int32_t partition, struct arena *arena,
                             int64_t *ret_offset, struct span *ret_metadata, struct report *report)
{
    const struct log *log = &((struct world *)self)->logs[partition];

    (void)report;
    *ret_offset = log->k;
    *ret_metadata =
        (struct span){arena_copy(arena, log->metadata, log->metadata_len), log->metadata_len};
    return STATUS_OK;
}

static enum status bounds(void *self, int32_t partition, int64_t *ret_low, int64_t *ret_high,
                          struct report *report)
{
    (void)report;
    *ret_low = 0;
    *ret_high = (int64_t)((struct world *)self)->logs[partition].count;
    return STATUS_OK;
}

static enum status partitions(void *self, int32_t *ret_input, int32_t *ret_control,
                              struct report *report)
{
    (void)report;
    *ret_input = *ret_control = ((struct world *)self)->options.partitions;
    return STATUS_OK;
}

static enum status control(void *self, int32_t partition, int64_t from, size_t max,
                           struct arena *arena, struct record **ret_records, size_t *ret_count,
                           int64_t *ret_end, int64_t *ret_low, struct report *report)
{
    const struct log *log = &((struct world *)self)->logs[partition];
    size_t count = log->control_count > (size_t)from ? log->control_count - (size_t)from : 0;

    (void)report;
    if (count > max)
        count = max;
    *ret_records = arena_alloc(arena, (count + 1) * sizeof **ret_records);
    MUST(*ret_records);
    if (count > 0)
        memcpy(*ret_records, log->controls + from, count * sizeof **ret_records);
    *ret_count = count;
    *ret_end = from + (int64_t)count;
    *ret_low = 0;
    return STATUS_OK;
}

static struct source_membership membership(void *self)
{
    (void)self;
    return (struct source_membership){NULL, 1};
}

static enum status commit_plain(void *self, int32_t partition, int64_t offset, struct span metadata,
                                struct report *report)
{
    (void)self, (void)partition, (void)offset, (void)metadata, (void)report;
    return STATUS_FATAL;
}

static void close_port(void *self, int timeout_ms)
{
    (void)self, (void)timeout_ms;
}

/* --- sink --- */

static enum status fine(void *self, struct report *report)
{
    (void)self, (void)report;
    return STATUS_OK;
}

static enum status send(void *self, const struct sink_message *message, struct report *report)
{
    struct world *world = self;

    (void)report;
    if (message->topic == SINK_CONTROL)
        append_control(&world->logs[message->partition], message);
    else
        world->alert_bytes += message->value.len;
    return STATUS_OK;
}

static enum status offsets(void *self, const struct sink_offset *at, size_t count,
                           struct source_membership member, struct report *report)
{
    (void)member, (void)report;
    for (size_t i = 0; i < count; i++) {
        struct log *log = &((struct world *)self)->logs[at[i].partition];

        log->k = at[i].offset;
        log->metadata_len = at[i].metadata.len;
        memcpy(log->metadata, at[i].metadata.at, at[i].metadata.len);
    }
    return STATUS_OK;
}

static void reopen(void *self)
{
    (void)self;
}

/* --- Redis: what the server in memory allocates is not counted --- */

struct quiet {
    struct redis port;
};

static void quiet_queue(void *self, size_t argc, const struct span *argv)
{
    struct redis *port = &((struct quiet *)self)->port;

    count_pause();
    port->queue(port->self, argc, argv);
    count_resume();
}

static enum status quiet_send(void *self, struct report *report)
{
    struct redis *port = &((struct quiet *)self)->port;
    enum status status;

    count_pause();
    status = port->send(port->self, report);
    count_resume();
    return status;
}

static enum status quiet_reply(void *self, const struct redis_value **ret_value,
                               struct report *report)
{
    struct redis *port = &((struct quiet *)self)->port;
    enum status status;

    count_pause();
    status = port->reply(port->self, ret_value, report);
    count_resume();
    return status;
}

static void quiet_forget(void *self)
{
    struct redis *port = &((struct quiet *)self)->port;

    port->forget(port->self);
}

static uint64_t quiet_connection(void *self)
{
    struct redis *port = &((struct quiet *)self)->port;

    return port->connection(port->self);
}

static void quiet_close(void *self)
{
    struct redis *port = &((struct quiet *)self)->port;

    port->close(port->self);
}

static enum status connect_redis(void *self, int32_t partition, struct redis *ret_redis,
                                 struct report *report)
{
    struct quiet *quiet = malloc(sizeof *quiet);

    (void)partition, (void)report;
    MUST(quiet);
    quiet->port = redis_memory_port(redis_memory_connect(((struct world *)self)->redis));
    *ret_redis = (struct redis){quiet,        quiet_queue,      quiet_send, quiet_reply,
                                quiet_forget, quiet_connection, quiet_close};
    return STATUS_OK;
}

static void release_redis(void *self, int32_t partition, struct redis redis)
{
    struct quiet *quiet = redis.self;

    (void)self, (void)partition;
    redis_memory_disconnect(quiet->port.self);
    free(quiet);
}

/* --- the rest --- */

static void fill_options(struct world *world)
{
    struct worker_options *options = &world->worker_options;

    *options = (struct worker_options){
        .app = "bench",
        .input_topic = "events",
        .token = "worker-1",
        .decode = {.bytes_max = 262144, .future_max_ms = DAY_MS, .partitions = 1},
        .alert = {.source = "lifecycled/bench", .reporting = CURRENCY_EUR},
        .batch_max = world->options.batch_max,
        .tick_buckets_max = 256,
        .tick_interval_ms = 1000,
        .lazy_commit_ms = 5000,
        .batch_arena_max = (size_t)256 << 20,
        .poll_ms = 100,
        .guard = {.silence = true,
                  .storm = true,
                  .silence_min_ms = 3600000,
                  .silence_gaps = 20,
                  .pace = 24,
                  .storm_min = 100,
                  .storm_factor = 5,
                  .storm_slow_ms = 3600000},
    };
    params_default(&options->params);
    options->alert.horizon_ms = options->params.churn_horizon_ms;
}

/* The stream ends now: time itself has nothing to fire but what fell due on the way. */
static int64_t wall_ms(void *self)
{
    return ((struct world *)self)->options.stream.end_ms;
}

static int64_t mono_ms(void *self)
{
    struct clock clock = clock_system();

    (void)self;
    return clock_mono_ms(&clock);
}

struct worker *world_worker(struct world *world)
{
    return world->worker;
}

struct world *world_open(const struct world_options *options)
{
    struct world *world = calloc(1, sizeof *world);
    struct stream *stream = stream_open(&options->stream);
    struct stream_event event;

    MUST(world);
    MUST(stream);
    MUST(options->partitions <= PARTITIONS_MAX);
    world->options = *options;
    for (int32_t i = 0; i < options->partitions; i++) {
        world->numbers[i] = i;
        world->logs[i].k = -1;
    }
    while (stream_next(stream, &event))
        append(world, &event);
    stream_close(stream);
    world->polled = malloc(options->batch_max * sizeof *world->polled);
    MUST(world->polled);
    world->redis = redis_memory_open();
    world->cache = cache_open(options->cache_bytes);
    fill_options(world);
    world->worker =
        worker_open(&world->worker_options,
                    (struct source){world, poll, headers, assign, committed, bounds, partitions,
                                    control, membership, commit_plain, close_port},
                    (struct sink){.self = world,
                                  .open = fine,
                                  .begin = fine,
                                  .send = send,
                                  .offsets = offsets,
                                  .commit = fine,
                                  .abort = fine,
                                  .reopen = reopen,
                                  .close = close_port,
                                  .exactly_once = true},
                    (struct worker_redis_factory){world, connect_redis, release_redis},
                    (struct clock){.wall_ms = wall_ms, .mono_ms = mono_ms, .self = world},
                    world->cache, (struct worker_log){0});
    MUST(world->worker);
    return world;
}

void world_run(struct world *world, uint64_t events)
{
    struct worker_stats stats;
    struct report report;

    do {
        enum status status = worker_step(world->worker, &report);

        MUST(status == STATUS_OK || status == STATUS_RETRY);
        worker_stats(world->worker, &stats);
    } while (stats.events + stats.dead_letters + stats.duplicates < events);
}

uint64_t world_alert_bytes(const struct world *world)
{
    return world->alert_bytes;
}

void world_close(struct world *world)
{
    worker_close(world->worker);
    cache_close(world->cache);
    redis_memory_close(world->redis);
    for (int32_t i = 0; i < world->options.partitions; i++) {
        struct log *log = &world->logs[i];

        for (size_t j = 0; j < log->count; j++) {
            free((void *)(uintptr_t)log->records[j].key.at);
            free((void *)(uintptr_t)log->records[j].value.at);
        }
        for (size_t j = 0; j < log->control_count; j++)
            free((void *)(uintptr_t)log->controls[j].value.at);
        free(log->records);
        free(log->controls);
    }
    free(world->polled);
    free(world);
}
