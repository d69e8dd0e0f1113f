/* bench_latency: how long after its event an alert is there for a consumer that reads committed.
 *
 *   bench_latency BROKERS TOPIC SECONDS [SKIP_SECONDS]
 *
 * Alerts caused by an event say the event's time in ce_time; bench_publish -r sets that to the
 * moment of sending. What comes in the first SKIP_SECONDS is not counted. One JSON object. */
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"

#define BOUND_MS 60000

static unsigned long long counts[BOUND_MS + 1], total;

static struct span header(const rd_kafka_message_t *message, const char *name)
{
    rd_kafka_headers_t *headers = NULL;
    const void *value = NULL;
    size_t len = 0;

    if (rd_kafka_message_headers(message, &headers) ||
        rd_kafka_header_get_last(headers, name, &value, &len))
        return SPAN_ABSENT;
    return (struct span){value, len};
}

static void count(const rd_kafka_message_t *message, int64_t now_ms)
{
    struct span cause = header(message, "ce_causationid"), at = header(message, "ce_time");
    int64_t at_ms, took_ms;

    if (cause.len < 6 || memcmp(cause.at, "event:", 6) != 0 ||
        text_time_parse(at, &at_ms) != STATUS_OK)
        return;
    took_ms = now_ms - at_ms;
    if (took_ms < 0 || took_ms > BOUND_MS)
        took_ms = took_ms < 0 ? 0 : BOUND_MS;
    counts[took_ms]++;
    total++;
}

static int quantile(double share)
{
    unsigned long long seen = 0;
    int ms = 0;

    for (; ms < BOUND_MS; ms++) {
        seen += counts[ms];
        if ((double)seen >= share * (double)total)
            break;
    }
    return ms;
}

static rd_kafka_t *open_consumer(const char *brokers, const char *topic)
{
    const char *settings[][2] = {
        {"bootstrap.servers", brokers},  {"group.id", "bench-latency"},
        {"enable.auto.commit", "false"}, {"isolation.level", "read_committed"},
        {"fetch.wait.max.ms", "5"},      {"auto.offset.reset", "earliest"}};
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(4);
    const struct rd_kafka_metadata *metadata;
    rd_kafka_t *client;
    char why[256];

    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
        if (rd_kafka_conf_set(conf, settings[i][0], settings[i][1], why, sizeof why))
            exit(2);
    client = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof why);
    if (!client || rd_kafka_metadata(client, 1, NULL, &metadata, 10000)) {
        fprintf(stderr, "bench_latency: Kafka at %s does not answer\n", brokers);
        exit(1);
    }
    for (int i = 0; i < metadata->topic_cnt; i++)
        for (int p = 0;
             !strcmp(metadata->topics[i].topic, topic) && p < metadata->topics[i].partition_cnt;
             p++)
            rd_kafka_topic_partition_list_add(list, topic, p)->offset = RD_KAFKA_OFFSET_BEGINNING;
    rd_kafka_metadata_destroy(metadata);
    rd_kafka_poll_set_consumer(client);
    rd_kafka_assign(client, list);
    rd_kafka_topic_partition_list_destroy(list);
    return client;
}

int main(int argc, char **argv)
{
    struct clock clock = clock_system();
    rd_kafka_t *client;
    int64_t begun_ms, seconds, skip = 0;

    if (argc < 4) {
        fprintf(stderr, "bench_latency: BROKERS TOPIC SECONDS [SKIP_SECONDS]\n");
        return 2;
    }
    client = open_consumer(argv[1], argv[2]);
    seconds = strtol(argv[3], NULL, 10);
    if (argc > 4)
        skip = strtol(argv[4], NULL, 10);
    begun_ms = clock_mono_ms(&clock);
    while (clock_mono_ms(&clock) - begun_ms < seconds * 1000) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(client, 100);

        if (message && !message->err && clock_mono_ms(&clock) - begun_ms >= skip * 1000)
            count(message, clock_wall_ms(&clock));
        if (message)
            rd_kafka_message_destroy(message);
    }
    printf("{\"alerts\":%llu,\"p50_ms\":%d,\"p90_ms\":%d,\"p99_ms\":%d,\"p999_ms\":%d}\n", total,
           quantile(0.5), quantile(0.9), quantile(0.99), quantile(0.999));
    rd_kafka_destroy(client);
    return 0;
}
