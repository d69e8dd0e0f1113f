/* bench_floor: the least that a C program on these servers costs: batch queue, a scan for four
 * fields, a table, two counters and P(alive), an alert when a stage changes, one Kafka transaction
 * with the offsets each 100 ms, one Redis MULTI {MSET, HSET} a batch. A lower bound to measure
 * against, not a product: one customer form, no configuration, no recovery, no contract.
 *
 *   bench_floor BROKERS TOPIC ALERTS EVENTS REDIS_SOCKET     flat JSON of bench_publish
 *
 * Prints "half N" at half of the events and a JSON object at the end. */
#include <hiredis/hiredis.h>
#include <librdkafka/rdkafka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"

#define PARTITIONS 4
#define BATCH      10000
#define COMMIT_MS  100
#define SLOTS      (1u << 20) /* customers are told by their number: "c00001234" */
#define STATE      200

struct state {
    int64_t first_ms, last_ms, bought_ms;
    double spent, alive;
    uint32_t events, purchases, stage, dirty;
    char rest[STATE - 56]; /* what a state of the usual size has besides */
};
_Static_assert(sizeof(struct state) == STATE, "written as it is");

struct floor {
    rd_kafka_t *consumer, *producer;
    rd_kafka_topic_t *alerts;
    rd_kafka_queue_t *queue;
    rd_kafka_topic_partition_list_t *offsets;
    redisContext *redis;
    struct state *states;
    uint32_t dirty[BATCH], dirty_count;
    char keys[BATCH][16];
    const char *argv[2 * BATCH + 1];
    size_t lens[2 * BATCH + 1];
    rd_kafka_message_t *messages[BATCH];
    uint64_t events, alert_count, commits;
};

static void must(int good, const char *what)
{
    if (!good) {
        fprintf(stderr, "bench_floor: %s\n", what);
        exit(1);
    }
}

static void must_kafka(rd_kafka_error_t *error)
{
    must(!error, error ? rd_kafka_error_string(error) : "");
}

static rd_kafka_t *client(rd_kafka_type_t type, const char *settings[][2], size_t count)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char why[256];
    rd_kafka_t *made;

    for (size_t i = 0; i < count; i++)
        must(!rd_kafka_conf_set(conf, settings[i][0], settings[i][1], why, sizeof why), why);
    made = rd_kafka_new(type, conf, why, sizeof why);
    must(made != NULL, why);
    return made;
}

static void open_all(struct floor *floor, char **argv)
{
    const char *consumer[][2] = {
        {"bootstrap.servers", argv[1]},          {"group.id", argv[3]},
        {"enable.auto.commit", "false"},         {"isolation.level", "read_committed"},
        {"queued.min.messages", "1000000"},      {"fetch.wait.max.ms", "10"},
        {"queued.max.messages.kbytes", "131072"}};
    const char *producer[][2] = {{"bootstrap.servers", argv[1]},
                                 {"transactional.id", argv[3]},
                                 {"linger.ms", "2"},
                                 {"compression.codec", "lz4"},
                                 {"retry.backoff.ms", "20"},
                                 {"partitioner", "murmur2_random"}};

    floor->consumer = client(RD_KAFKA_CONSUMER, consumer, sizeof consumer / sizeof *consumer);
    rd_kafka_poll_set_consumer(floor->consumer);
    floor->offsets = rd_kafka_topic_partition_list_new(PARTITIONS);
    for (int i = 0; i < PARTITIONS; i++)
        rd_kafka_topic_partition_list_add(floor->offsets, argv[2], i)->offset =
            RD_KAFKA_OFFSET_BEGINNING;
    rd_kafka_assign(floor->consumer, floor->offsets);
    floor->queue = rd_kafka_queue_get_consumer(floor->consumer);
    floor->producer = client(RD_KAFKA_PRODUCER, producer, sizeof producer / sizeof *producer);
    floor->alerts = rd_kafka_topic_new(floor->producer, argv[3], NULL);
    must_kafka(rd_kafka_init_transactions(floor->producer, 30000));
    floor->redis = redisConnectUnix(argv[5]);
    must(floor->redis && !floor->redis->err, "Redis does not answer");
    floor->states = calloc(SLOTS, sizeof *floor->states);
    must(floor->states != NULL, "no memory");
}

/* The value behind `name` in the text; a text without its first quote. */
static const char *find(const char *text, size_t len, const char *name, size_t name_len)
{
    const char *at = memmem(text, len, name, name_len);

    return at ? at + name_len : NULL;
}

#define FIND(text, len, name) find(text, len, name, sizeof name - 1)

static double p_alive(const struct state *state, int64_t now_ms)
{
    double x = state->purchases > 0 ? state->purchases - 1.0 : 0;
    double t_x = (double)(state->bought_ms - state->first_ms) / 6.048e8;
    double T = (double)(now_ms - state->first_ms) / 6.048e8;

    return x > 0
               ? 1 / (1 + 0.793 / (1.426 + x) * exp((0.243 + x) * log((4.414 + T) / (4.414 + t_x))))
               : 1;
}

static void alert(struct floor *floor, const char *customer, const struct state *state,
                  int64_t time_ms)
{
    char text[256];
    int len = snprintf(text, sizeof text,
                       "{\"customer_id\":\"%.9s\",\"time\":%lld,\"kind\":\"stage_changed\","
                       "\"to\":%u,\"p_alive\":%.6g,\"spent\":%.2f,\"events\":%u}",
                       customer, (long long)time_ms, state->stage, state->alive, state->spent,
                       state->events);

    while (rd_kafka_produce(floor->alerts, RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY, text,
                            (size_t)len, customer, 9, NULL))
        rd_kafka_poll(floor->producer, 10);
    floor->alert_count++;
}

static void apply(struct floor *floor, const rd_kafka_message_t *message)
{
    const char *text = message->payload, *customer, *type, *time, *amount;
    struct state *state;
    uint32_t number, stage;
    int64_t time_ms = 0;

    customer = FIND(text, message->len, "\"customer_id\":\"");
    type = FIND(text, message->len, "\"type\":\"");
    time = FIND(text, message->len, "\"time\":\"");
    amount = FIND(text, message->len, "\"amount\":");
    must(customer && type && time, "an event is not of bench_publish's flat form");
    must(text_time_parse((struct span){time, 24}, &time_ms) == STATUS_OK, "a time is none");
    number = (uint32_t)strtoul(customer + 1, NULL, 10) % SLOTS;
    state = &floor->states[number];
    if (state->events++ == 0)
        state->first_ms = time_ms;
    state->last_ms = time_ms;
    if (amount) {
        state->purchases++;
        state->bought_ms = time_ms;
        state->spent += strtod(amount, NULL);
    }
    state->alive = p_alive(state, time_ms);
    stage = state->purchases == 0 ? 0 : state->alive < 0.5 ? 3 : state->purchases > 1 ? 2 : 1;
    if (stage != state->stage) {
        state->stage = stage;
        alert(floor, customer, state, time_ms);
    }
    if (!state->dirty) {
        state->dirty = 1;
        floor->dirty[floor->dirty_count++] = number;
    }
}

static void save(struct floor *floor)
{
    int argc = 0;
    redisReply *reply;

    floor->argv[argc] = "MSET";
    floor->lens[argc++] = 4;
    for (uint32_t i = 0; i < floor->dirty_count; i++) {
        struct state *state = &floor->states[floor->dirty[i]];

        state->dirty = 0;
        floor->lens[argc] =
            (size_t)snprintf(floor->keys[i], sizeof floor->keys[i], "c:%08u", floor->dirty[i]);
        floor->argv[argc++] = floor->keys[i];
        floor->lens[argc] = STATE;
        floor->argv[argc++] = (const char *)state;
    }
    redisAppendCommand(floor->redis, "MULTI");
    redisAppendCommandArgv(floor->redis, argc, floor->argv, floor->lens);
    redisAppendCommand(floor->redis, "HSET offsets 0 %lld 1 %lld",
                       (long long)floor->offsets->elems[0].offset,
                       (long long)floor->offsets->elems[1].offset);
    redisAppendCommand(floor->redis, "EXEC");
    for (int i = 0; i < 4; i++) {
        must(redisGetReply(floor->redis, (void **)&reply) == REDIS_OK, "Redis broke");
        freeReplyObject(reply);
    }
    floor->dirty_count = 0;
}

static size_t take(struct floor *floor, struct clock *clock, uint64_t left)
{
    int64_t until_ms = clock_mono_ms(clock) + COMMIT_MS, now_ms;
    size_t count = 0;

    while (count < BATCH && count < left && (now_ms = clock_mono_ms(clock)) < until_ms) {
        ssize_t got = rd_kafka_consume_batch_queue(floor->queue, (int)(until_ms - now_ms),
                                                   floor->messages + count, BATCH - count);

        count += got > 0 ? (size_t)got : 0;
    }
    return count;
}

static void batch(struct floor *floor, size_t count)
{
    rd_kafka_consumer_group_metadata_t *group = rd_kafka_consumer_group_metadata(floor->consumer);

    must_kafka(rd_kafka_begin_transaction(floor->producer));
    for (size_t i = 0; i < count; i++) {
        rd_kafka_message_t *message = floor->messages[i];

        if (message->err)
            continue;
        apply(floor, message);
        floor->offsets->elems[message->partition % PARTITIONS].offset = message->offset + 1;
        floor->events++;
    }
    must_kafka(rd_kafka_send_offsets_to_transaction(floor->producer, floor->offsets, group, 30000));
    must_kafka(rd_kafka_commit_transaction(floor->producer, 30000));
    rd_kafka_consumer_group_metadata_destroy(group);
    save(floor);
    for (size_t i = 0; i < count; i++)
        rd_kafka_message_destroy(floor->messages[i]);
    floor->commits++;
}

int main(int argc, char **argv)
{
    struct clock clock = clock_system();
    static struct floor floor;
    uint64_t events, half = 0, half_commits = 0, half_alerts = 0;

    if (argc != 6) {
        fprintf(stderr, "bench_floor: BROKERS TOPIC ALERTS EVENTS REDIS_SOCKET\n");
        return 2;
    }
    open_all(&floor, argv);
    events = strtoull(argv[4], NULL, 10);
    while (floor.events < events) {
        size_t count = take(&floor, &clock, events - floor.events);

        if (count > 0)
            batch(&floor, count);
        if (half == 0 && floor.events >= events / 2) {
            half = floor.events;
            half_commits = floor.commits;
            half_alerts = floor.alert_count;
            printf("half %llu\n", (unsigned long long)half);
            fflush(stdout);
        }
    }
    printf("{\"events\":%llu,\"half\":%llu,\"alerts_an_event\":%.3f,\"events_a_commit\":%.0f}\n",
           (unsigned long long)floor.events, (unsigned long long)half,
           (double)(floor.alert_count - half_alerts) / (double)(floor.events - half),
           (double)(floor.events - half) / (double)(floor.commits - half_commits));
    fflush(stdout);
    _exit(0);
}
