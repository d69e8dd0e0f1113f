/* kafka_embedded: see the header. */
#include "daemon/kafka_embedded.h"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdlib.h>

#include "base/must.h"

struct kafka_embedded {
    rd_kafka_t *host; /* librdkafka's mock lives in a client */
    rd_kafka_mock_cluster_t *cluster;
};

static void quiet(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
    (void)rk;
    (void)level;
    (void)facility;
    (void)text;
}

enum status kafka_embedded_open(const char *const *topics, size_t count, int partitions,
                                struct kafka_embedded **ret_embedded, struct report *report)
{
    struct kafka_embedded *embedded = calloc(1, sizeof *embedded);
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char why[256] = "no memory";

    MUST(embedded != NULL);
    rd_kafka_conf_set_log_cb(conf, quiet);
    embedded->host = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
    if (!embedded->host)
        rd_kafka_conf_destroy(conf);
    else
        embedded->cluster = rd_kafka_mock_cluster_new(embedded->host, 1);
    if (!embedded->cluster) {
        kafka_embedded_close(embedded);
        report_set(report, "embedded", "the embedded cluster cannot start: %s", why);
        return STATUS_RETRY;
    }
    for (size_t i = 0; i < count; i++) {
        rd_kafka_resp_err_t err =
            rd_kafka_mock_topic_create(embedded->cluster, topics[i], partitions, 1);

        if (err) {
            kafka_embedded_close(embedded);
            report_set(report, "embedded", "the embedded cluster cannot make topic %s: %s",
                       topics[i], rd_kafka_err2str(err));
            return STATUS_RETRY;
        }
    }
    *ret_embedded = embedded;
    return STATUS_OK;
}

const char *kafka_embedded_brokers(const struct kafka_embedded *embedded)
{
    return rd_kafka_mock_cluster_bootstraps(embedded->cluster);
}

void kafka_embedded_close(struct kafka_embedded *embedded)
{
    if (!embedded)
        return;
    if (embedded->cluster)
        rd_kafka_mock_cluster_destroy(embedded->cluster);
    if (embedded->host)
        rd_kafka_destroy(embedded->host);
    free(embedded);
}
