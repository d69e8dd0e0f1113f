/* pipeline_world: one partition of Kafka and a Redis, small enough to read, for tests of the
 * worker: an input log, committed transactions (alerts, dead letters, control records, K), and
 * switches that make one call fail. tests/sim is the big one. */
#ifndef LC_TESTS_PIPELINE_WORLD_H
#define LC_TESTS_PIPELINE_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/text.h"
#include "pipeline/worker.h"
#include "state/redis_memory.h"

#define WORLD_RECORDS 256
#define WORLD_TEXT    320
#define WORLD_T0      INT64_C(1735689600000) /* 2025-01-01T00:00:00Z */
#define WORLD_DAY     INT64_C(86400000)

struct world_text {
    char text[WORLD_TEXT];
    size_t len;
    char key[16];
};

struct world {
    /* Kafka */
    struct world_text input[WORLD_RECORDS];
    int64_t input_ms[WORLD_RECORDS];
    size_t inputs;
    int64_t low;
    char control[WORLD_RECORDS][24 << 10];
    size_t control_len[WORLD_RECORDS];
    size_t controls;
    int64_t k; /* −1 none */
    struct world_text metadata;
    /* of alerts and dead letters: what a read_committed consumer saw */
    size_t alerts, dead_letters;
    uint64_t alert_ids[WORLD_RECORDS];
    char dead_reason[32];
    /* the transaction under way */
    bool open;
    size_t staged_alerts, staged_dead, staged_control;
    uint64_t staged_ids[WORLD_RECORDS];
    int64_t staged_k;
    struct world_text staged_metadata;
    /* the source */
    bool assigned;
    enum source_change change; /* of the next poll */
    int64_t position;
    bool fetching, end_told;
    struct record records[WORLD_RECORDS];
    struct source_end end;
    int32_t number;
    /* switches */
    enum status next_commit; /* answer of the next commit, then OK again; FATAL: it was committed
                                all the same */
    /* Redis and time */
    struct redis_memory *redis;
    int64_t now_ms, wall_ms;
    struct cache *cache;
    struct worker *worker;
    struct worker_options options;
    bool sizes; /* of a batch: the test's own */
    char stopped_by[REPORT_CODE_MAX];
};

/* --- source --- */

static enum status world_poll(void *self, int timeout_ms, size_t max,
                              struct source_batch *ret_batch, struct report *report)
{
    struct world *world = self;
    (void)report;
    *ret_batch = (struct source_batch){.records = world->records, .partitions = &world->number};
    if (world->change != SOURCE_NO_CHANGE) {
        ret_batch->change = world->change;
        ret_batch->partition_count = 1;
        world->change = SOURCE_NO_CHANGE;
        return STATUS_OK;
    }
    while (world->fetching && world->position < (int64_t)world->inputs && ret_batch->count < max) {
        size_t at = (size_t)world->position++;
        const struct world_text *text = &world->input[at];
        world->records[ret_batch->count++] = (struct record){.offset = (int64_t)at,
                                                             .timestamp_ms = world->input_ms[at],
                                                             .key = span_of(text->key),
                                                             .value = {text->text, text->len}};
    }
    if (world->fetching && world->position == (int64_t)world->inputs && !world->end_told) {
        world->end = (struct source_end){0, world->position};
        ret_batch->ends = &world->end;
        ret_batch->end_count = 1;
        world->end_told = true;
    }
    if (ret_batch->count == 0) {
        world->now_ms += timeout_ms > 0 ? timeout_ms : 1;
        world->wall_ms += timeout_ms > 0 ? timeout_ms : 1;
    }
    return STATUS_OK;
}

static size_t world_headers(void *self, const struct record *record, struct header *ret_headers,
                            size_t max)
{
    (void)self, (void)record, (void)ret_headers, (void)max;
    return 0;
}

static enum status world_assign(void *self, const struct source_start *starts, size_t count,
                                struct report *report)
{
    struct world *world = self;
    (void)report;
    world->assigned = count > 0;
    if (count == 0 || starts[0].paused) {
        world->fetching = false;
        return STATUS_OK;
    }
    if (!world->fetching || world->position != starts[0].offset)
        world->end_told = false;
    world->fetching = true;
    world->position = starts[0].offset;
    return STATUS_OK;
}

static enum status world_committed(void *self, int32_t partition, struct arena *arena,
                                   int64_t *ret_offset, struct span *ret_metadata,
                                   struct report *report)
{
    struct world *world = self;
    (void)partition, (void)report;
    assert_false(world->open); /* would wait for our own transaction */
    *ret_offset = world->k;
    *ret_metadata = (struct span){arena_copy(arena, world->metadata.text, world->metadata.len),
                                  world->metadata.len};
    return ret_metadata->at ? STATUS_OK : STATUS_RETRY;
}

static enum status world_bounds(void *self, int32_t partition, int64_t *ret_low, int64_t *ret_high,
                                struct report *report)
{
    struct world *world = self;
    (void)partition, (void)report;
    *ret_low = world->low;
    *ret_high = (int64_t)world->inputs;
    return STATUS_OK;
}

static enum status world_partitions(void *self, int32_t *ret_input, int32_t *ret_control,
                                    struct report *report)
{
    (void)self, (void)report;
    *ret_input = *ret_control = 1;
    return STATUS_OK;
}

static enum status world_control(void *self, int32_t partition, int64_t from, size_t max,
                                 struct arena *arena, struct record **ret_records,
                                 size_t *ret_count, int64_t *ret_end, int64_t *ret_low,
                                 struct report *report)
{
    struct world *world = self;
    size_t count = 0;
    (void)partition, (void)report;
    *ret_records = arena_zalloc(arena, (max + 1) * sizeof **ret_records);
    if (*ret_records == NULL)
        return STATUS_RETRY;
    for (size_t i = (size_t)from; i < world->controls && count < max; i++) {
        const char *copy = arena_copy(arena, world->control[i], world->control_len[i]);
        if (copy == NULL)
            return STATUS_RETRY;
        (*ret_records)[count++] =
            (struct record){.offset = (int64_t)i, .value = {copy, world->control_len[i]}};
    }
    *ret_count = count;
    *ret_end = from + (int64_t)count;
    *ret_low = 0;
    return STATUS_OK;
}

static struct source_membership world_membership(void *self)
{
    (void)self;
    return (struct source_membership){NULL, 1};
}

static enum status world_commit_plain(void *self, int32_t partition, int64_t offset,
                                      struct span metadata, struct report *report)
{
    (void)self, (void)partition, (void)offset, (void)metadata, (void)report;
    return STATUS_FATAL;
}

static void world_source_close(void *self, int timeout_ms)
{
    (void)self, (void)timeout_ms;
}

/* --- sink --- */

static enum status world_open(void *self, struct report *report)
{
    (void)self, (void)report;
    return STATUS_OK;
}

static void world_forget_staged(struct world *world)
{
    world->open = false;
    world->staged_alerts = world->staged_dead = world->staged_control = 0;
    world->staged_k = -1;
}

static enum status world_begin(void *self, struct report *report)
{
    struct world *world = self;
    (void)report;
    assert_false(world->open);
    world_forget_staged(world);
    world->open = true;
    return STATUS_OK;
}

static uint64_t world_id(const struct sink_message *message)
{
    for (size_t i = 0; i < message->header_count; i++)
        if (span_is(message->headers[i].name, "ce_id"))
            return store_customer_hash(message->headers[i].value);
    return 0;
}

static enum status world_send(void *self, const struct sink_message *message, struct report *report)
{
    struct world *world = self;
    (void)report;
    assert_true(world->open);
    if (message->topic == SINK_ALERTS) {
        world->staged_ids[world->staged_alerts++] = world_id(message);
    } else if (message->topic == SINK_DEAD_LETTERS) {
        world->staged_dead++;
        for (size_t i = 0; i < message->header_count; i++)
            if (span_is(message->headers[i].name, "lc-error"))
                (void)snprintf(world->dead_reason, sizeof world->dead_reason, "%.*s",
                               (int)message->headers[i].value.len, message->headers[i].value.at);
    } else {
        size_t at = world->controls + world->staged_control++;
        assert_in_range(message->value.len, 1, sizeof world->control[at]);
        memcpy(world->control[at], message->value.at, message->value.len);
        world->control_len[at] = message->value.len;
    }
    return STATUS_OK;
}

static enum status world_offsets(void *self, const struct sink_offset *offsets, size_t count,
                                 struct source_membership membership, struct report *report)
{
    struct world *world = self;
    (void)report;
    assert_int_equal(count, 1);
    assert_int_equal(membership.generation, 1);
    world->staged_k = offsets[0].offset;
    world->staged_metadata.len = offsets[0].metadata.len;
    memcpy(world->staged_metadata.text, offsets[0].metadata.at, offsets[0].metadata.len);
    return STATUS_OK;
}

static enum status world_commit(void *self, struct report *report)
{
    struct world *world = self;
    enum status answer = world->next_commit;
    world->next_commit = STATUS_OK;
    report_set(report, "scripted", "the test says so");
    if (answer == STATUS_RETRY || answer == STATUS_STALE || answer == STATUS_FENCED)
        return answer;
    assert_true(world->staged_k >= world->k);
    memcpy(world->alert_ids + world->alerts, world->staged_ids,
           world->staged_alerts * sizeof(uint64_t));
    world->alerts += world->staged_alerts;
    world->dead_letters += world->staged_dead;
    world->controls += world->staged_control;
    world->k = world->staged_k;
    world->metadata = world->staged_metadata;
    world_forget_staged(world);
    return answer;
}

static enum status world_abort(void *self, struct report *report)
{
    (void)report;
    world_forget_staged(self);
    return STATUS_OK;
}

static void world_reopen(void *self)
{
    world_forget_staged(self);
}

/* --- Redis, clock, log --- */

static enum status world_connect(void *self, int32_t partition, struct redis *ret_redis,
                                 struct report *report)
{
    struct world *world = self;
    (void)partition, (void)report;
    *ret_redis = redis_memory_port(redis_memory_connect(world->redis));
    return STATUS_OK;
}

static void world_release(void *self, int32_t partition, struct redis redis)
{
    (void)self, (void)partition;
    redis_memory_disconnect(redis.self);
}

static int64_t world_wall(void *self)
{
    return ((struct world *)self)->wall_ms;
}

static int64_t world_mono(void *self)
{
    return ((struct world *)self)->now_ms;
}

/* --- the test's hands --- */

static void world_event(struct world *world, const char *customer, const char *type, int64_t at_ms)
{
    struct world_text *text = &world->input[world->inputs];
    char time[TEXT_TIME_BYTES];
    assert_in_range(world->inputs, 0, WORLD_RECORDS - 1);
    text_time_format(at_ms, time);
    (void)snprintf(text->key, sizeof text->key, "%s", customer);
    text->len = (size_t)snprintf(
        text->text, sizeof text->text,
        "{\"messageId\":\"m%zu\",\"userId\":\"%s\",\"type\":\"track\",\"event\":\"%s\","
        "\"timestamp\":\"%s\",\"properties\":{\"order_id\":\"o%zu\",\"total\":\"12.50\","
        "\"currency\":\"EUR\"}}",
        world->inputs, customer, type, time, world->inputs);
    world->input_ms[world->inputs++] = at_ms;
}

/* A worker over the world's ports; NULL: no memory. */
static struct worker *world_worker(struct world *world)
{
    struct source source = {world,
                            world_poll,
                            world_headers,
                            world_assign,
                            world_committed,
                            world_bounds,
                            world_partitions,
                            world_control,
                            world_membership,
                            world_commit_plain,
                            world_source_close};
    struct sink sink = {.self = world,
                        .open = world_open,
                        .begin = world_begin,
                        .send = world_send,
                        .offsets = world_offsets,
                        .commit = world_commit,
                        .abort = world_abort,
                        .reopen = world_reopen,
                        .exactly_once = true};
    return worker_open(&world->options, source, sink,
                       (struct worker_redis_factory){world, world_connect, world_release},
                       (struct clock){world_wall, world_mono, world}, world->cache,
                       (struct worker_log){0});
}

static void world_start(struct world *world, enum fold_clock clock)
{
    if (world->redis == NULL) {
        world->redis = redis_memory_open();
        world->k = -1;
        world->now_ms = 1000;
        world->wall_ms = WORLD_T0;
        params_default(&world->options.params);
        world->options.params.clock = clock;
    }
    world->options.app = "unit";
    world->options.input_topic = "events";
    world->options.token = "worker-1";
    world->options.decode = (struct decode_options){
        .bytes_max = 4096, .future_max_ms = WORLD_DAY, .currency = CURRENCY_EUR};
    world->options.alert = (struct alert_options){.source = "unit", .reporting = CURRENCY_EUR};
    if (!world->sizes) {
        world->options.batch_max = 100;
        world->options.tick_buckets_max = 4;
        world->options.batch_arena_max = 16u << 20;
    }
    world->options.tick_interval_ms = 1000;
    world->options.guard =
        (struct guard_options){.pace = 1000000, .elapsed_max_ms = 60000, .storm_slow_ms = 3600000};
    world->options.lazy_commit_ms = 500;
    world->options.poll_ms = 100;
    world->cache = cache_open(1 << 20);
    world->change = SOURCE_ASSIGNED;
    world->fetching = false;
    world->worker = world_worker(world);
    assert_non_null(world->worker);
}

/* Steps until nothing moved for a while. */
static enum status world_run(struct world *world, int steps)
{
    struct report report;
    enum status status = STATUS_OK;
    for (int i = 0; i < steps; i++) {
        status = worker_step(world->worker, &report);
        if (status == STATUS_GONE)
            (void)snprintf(world->stopped_by, sizeof world->stopped_by, "%s", report.code);
    }
    return status;
}

/* As kill -9: nothing is flushed; a transaction under way is aborted by the broker. */
static void world_kill(struct world *world)
{
    worker_close(world->worker);
    cache_close(world->cache);
    world->worker = NULL;
    world->cache = NULL;
    world_forget_staged(world);
}

static void world_end(struct world *world)
{
    if (world->worker != NULL)
        world_kill(world);
    redis_memory_close(world->redis);
    *world = (struct world){.k = -1};
}

static struct partition_status world_status(struct world *world)
{
    struct partition_status status = {.partition = -1};
    (void)worker_partitions(world->worker, &status, 1);
    return status;
}

static void world_no_alert_twice(const struct world *world)
{
    for (size_t i = 0; i < world->alerts; i++)
        for (size_t j = 0; j < i; j++)
            assert_true(world->alert_ids[i] != world->alert_ids[j]);
}

#endif
