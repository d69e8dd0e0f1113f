/* bench_publish: the stream into a topic of Kafka.
 *
 *   bench_publish BROKERS TOPIC [-n EVENTS] [-m CUSTOMERS] [-s SEED] [-f json|msgpack|segment]
 *                 [-d DAYS] [-r RATE] [-h HOT] [-k SKEW] [-p PARTITIONS] [-u]
 *
 * Event time runs over DAYS (364) up to now, and each record carries it as its timestamp. -r RATE:
 * so many events a second, event time is the moment of sending (what bench_latency measures from).
 * -h HOT: share of the events that are one customer's. -k SKEW: partition 0 gets SKEW times what
 * another of the PARTITIONS gets. -u: every customer equally often. */
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "bench/stream.h"

#define DAY_MS INT64_C(86400000)

struct publish {
    const char *brokers, *topic;
    struct stream_options stream;
    enum stream_form form;
    long rate, skew, partitions;
    rd_kafka_t *client;
    unsigned long long failed, bytes;
};

static void on_delivery(rd_kafka_t *client, const rd_kafka_message_t *message, void *opaque)
{
    struct publish *publish = opaque;

    (void)client;
    publish->failed += message->err != 0;
}

static void open_client(struct publish *publish)
{
    const char *settings[][2] = {{"bootstrap.servers", publish->brokers},
                                 {"linger.ms", publish->rate ? "0" : "20"},
                                 {"partitioner", "murmur2_random"},
                                 {"enable.idempotence", "true"},
                                 {"queue.buffering.max.messages", "200000"}};
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char why[256];

    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
        if (rd_kafka_conf_set(conf, settings[i][0], settings[i][1], why, sizeof why)) {
            fprintf(stderr, "bench_publish: %s\n", why);
            exit(2);
        }
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    rd_kafka_conf_set_opaque(conf, publish);
    publish->client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
    if (!publish->client) {
        fprintf(stderr, "bench_publish: %s\n", why);
        exit(1);
    }
}

static void produce(struct publish *publish, const struct stream_event *event, const char *key,
                    size_t key_len)
{
    char bytes[STREAM_BYTES_MAX];
    size_t len = stream_write(event, publish->form, bytes);
    rd_kafka_resp_err_t err;

    publish->bytes += len;
    while ((err = rd_kafka_producev(
                publish->client, RD_KAFKA_V_TOPIC(publish->topic),
                RD_KAFKA_V_KEY((void *)(uintptr_t)key, key_len), RD_KAFKA_V_VALUE(bytes, len),
                RD_KAFKA_V_TIMESTAMP(event->time_ms), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                RD_KAFKA_V_END)) == RD_KAFKA_RESP_ERR__QUEUE_FULL)
        rd_kafka_poll(publish->client, 50);
    if (err) {
        fprintf(stderr, "bench_publish: %s\n", rd_kafka_err2str(err));
        exit(1);
    }
}

/* One event in SKEW of the other partitions is kept. */
static bool is_left_out(const struct publish *publish, const struct stream_event *event,
                        const char *key, size_t key_len)
{
    return publish->skew > 1 &&
           hash_partition_murmur2((struct span){key, key_len}, (int32_t)publish->partitions) != 0 &&
           event->id % (unsigned long)publish->skew != 0;
}

static void run(struct publish *publish)
{
    struct clock clock = clock_system();
    struct stream *stream = stream_open(&publish->stream);
    struct stream_event event;
    int64_t begun_ms = clock_mono_ms(&clock);
    unsigned long long sent = 0;
    char key[16];

    if (!stream) {
        fprintf(stderr, "bench_publish: no memory\n");
        exit(1);
    }
    while (stream_next(stream, &event)) {
        size_t key_len = stream_key(&event, key);

        if (is_left_out(publish, &event, key, key_len))
            continue;
        if (publish->rate > 0) {
            while ((clock_mono_ms(&clock) - begun_ms) * publish->rate < (int64_t)sent * 1000) {
                rd_kafka_poll(publish->client, 0);
                usleep(200);
            }
            event.time_ms = clock_wall_ms(&clock);
        }
        produce(publish, &event, key, key_len);
        if (++sent % 1024 == 0)
            rd_kafka_poll(publish->client, 0);
    }
    rd_kafka_flush(publish->client, 60000);
    printf("{\"events\":%llu,\"failed\":%llu,\"bytes_an_event\":%.1f}\n", sent, publish->failed,
           (double)publish->bytes / (double)sent);
    stream_close(stream);
}

int main(int argc, char **argv)
{
    struct publish publish = {.stream = {.seed = 1, .customers = 200000, .events = 2000000},
                              .partitions = 4};
    long days = 364;
    int option;

    while ((option = getopt(argc, argv, "n:m:s:f:d:r:h:k:p:u")) != -1) {
        switch (option) {
        case 'n':
            publish.stream.events = strtoull(optarg, NULL, 10);
            break;
        case 'm':
            publish.stream.customers = (uint32_t)strtoul(optarg, NULL, 10);
            break;
        case 's':
            publish.stream.seed = strtoull(optarg, NULL, 10);
            break;
        case 'f':
            publish.form = optarg[0] == 'm'   ? STREAM_FLAT_MSGPACK
                           : optarg[0] == 's' ? STREAM_SEGMENT_JSON
                                              : STREAM_FLAT_JSON;
            break;
        case 'd':
            days = strtol(optarg, NULL, 10);
            break;
        case 'r':
            publish.rate = strtol(optarg, NULL, 10);
            break;
        case 'h':
            publish.stream.hot = strtod(optarg, NULL);
            break;
        case 'k':
            publish.skew = strtol(optarg, NULL, 10);
            break;
        case 'p':
            publish.partitions = strtol(optarg, NULL, 10);
            break;
        case 'u':
            publish.stream.uniform = true;
            break;
        default:
            return 2;
        }
    }
    if (optind + 2 != argc) {
        fprintf(stderr, "bench_publish: BROKERS TOPIC [options]\n");
        return 2;
    }
    publish.brokers = argv[optind];
    publish.topic = argv[optind + 1];
    publish.stream.end_ms = (int64_t)time(NULL) * 1000;
    publish.stream.span_ms = days * DAY_MS;
    open_client(&publish);
    run(&publish);
    rd_kafka_destroy(publish.client);
    return publish.failed != 0;
}
