/* kafka_conf: see the header. Order matters: defaults we chose, then the user's properties, then
 * what the protocol decides, so that a pass-through can tune but not break the promise. */
#include "pipeline/kafka_conf.h"

#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <string.h>

#define COOPERATIVE_VERSION_MIN 0x020601ff /* its rebalance loop is fixed in 2.6.1 */

_Static_assert(sizeof(struct rd_kafka_conf_s *) == sizeof(rd_kafka_conf_t *), "one type");

/* Properties that PROTOCOL decides, and why a user's value would break it. */
static const struct {
    const char *name, *why;
} reserved[] = {
    {"bootstrap.servers", "is kafka.brokers"},
    {"metadata.broker.list", "is kafka.brokers"},
    {"group.id", "is kafka.group"},
    {"group.instance.id", "is the worker's stable name"},
    {"group.protocol", "static membership and explicit assignment need the classic protocol"},
    {"group.remote.assignor",
     "static membership and explicit assignment need the classic protocol"},
    {"partition.assignment.strategy", "is kafka.assignor"},
    {"client.rack", "a follower's end of log is not the leader's"},
    {"enable.auto.commit", "positions are committed in the transaction of their alerts"},
    {"enable.auto.offset.store", "positions are committed in the transaction of their alerts"},
    {"auto.offset.reset", "the start is always explicit; a lost range must be reported"},
    {"isolation.level", "aborted records must never be seen"},
    {"enable.partition.eof", "the end of a partition is a fact the clock needs"},
    {"transactional.id", "is the worker's stable name"},
    {"enable.idempotence", "is part of exactly once"},
    {"acks", "exactly once needs all"},
    {"request.required.acks", "exactly once needs all"},
    {"max.in.flight", "order within a partition is part of exactly once"},
    {"max.in.flight.requests.per.connection", "order within a partition is part of exactly once"},
    {"message.send.max.retries", "is part of exactly once"},
    {"retries", "is part of exactly once"},
    {"partitioner", "is kafka.partitioner"},
    {"log.connection.close", "a lost coordinator must be noticed"},
    {"enable.gapless.guarantee", "is part of exactly once"},
    {"test.mock.num.brokers", "is --embedded"},
};

const char *kafka_conf_reserved(const char *name)
{
    for (size_t i = 0; i < sizeof reserved / sizeof reserved[0]; i++)
        if (strcmp(name, reserved[i].name) == 0)
            return reserved[i].why;
    return NULL;
}

const char *kafka_conf_library(void)
{
    return rd_kafka_version_str();
}

/* One setting with a sticky status: a table of settings is checked once, at its end. */
struct building {
    rd_kafka_conf_t *conf;
    enum status status;
    struct report *report;
};

static void set(struct building *building, const char *name, const char *value)
{
    char why[256];

    if (building->status != STATUS_OK)
        return;
    if (rd_kafka_conf_set(building->conf, name, value, why, sizeof why) == RD_KAFKA_CONF_OK)
        return;
    building->status = STATUS_REJECT;
    /* The value may be a secret: librdkafka's words are kept only when they do not repeat it. */
    report_set(building->report, "kafka-property",
               "kafka.properties: librdkafka %s refuses \"%s\"%s%s; see its CONFIGURATION.md",
               rd_kafka_version_str(), name, value[0] && strstr(why, value) ? "" : ": ",
               value[0] && strstr(why, value) ? "" : why);
}

static void set_int(struct building *building, const char *name, int value)
{
    char text[16];

    (void)snprintf(text, sizeof text, "%d", value);
    set(building, name, text);
}

static void set_defaults(struct building *building, const struct kafka_options *options,
                         enum kafka_role role)
{
    set(building, "client.id", options->instance ? options->instance : "lifecycled");
    set(building, "topic.metadata.refresh.interval.ms", "30000");
    set(building, "reconnect.backoff.ms", "50");
    set(building, "reconnect.backoff.max.ms",
        "1000"); /* default 10 s: an outage would outlive its cause */
    if (role == KAFKA_GROUP) {
        /* librdkafka < 2.2 stops fetching a partition for a whole second when this is reached
         * (default 100,000). */
        set(building, "queued.min.messages", "1000000");
        /* The bound that counts, of all partitions together: some 150,000 events, more than a
         * second of a worker's work, in some 90 MB with what librdkafka keeps of each. */
        set(building, "queued.max.messages.kbytes", "32768");
        set(building, "fetch.wait.max.ms", "10");
        set(building, "fetch.error.backoff.ms", "20");
        set_int(building, "session.timeout.ms",
                options->session_timeout_ms ? options->session_timeout_ms : 10000);
        set(building, "max.poll.interval.ms", "300000");
    } else if (role == KAFKA_READER) {
        set(building, "socket.timeout.ms", "3000"); /* what its blocking calls really wait for */
        set(building, "fetch.wait.max.ms", "10");
        set(building, "fetch.error.backoff.ms", "20");
    } else if (role == KAFKA_PRODUCER) {
        set(building, "linger.ms", "2");
        set(building, "compression.codec", "lz4");
        set(building, "queue.buffering.max.messages", "200000");
        set(building, "queue.buffering.max.kbytes", "131072");
        set(building, "retry.backoff.ms",
            "20"); /* a transaction 16–25 ms; 76–106 at the default 100 */
    }
}

static void set_protocol(struct building *building, const struct kafka_options *options,
                         enum kafka_role role)
{
    set(building, "bootstrap.servers", options->brokers);
    set(building, "log.connection.close", "true"); /* kafka_sink listens for a lost coordinator */
    if (role == KAFKA_GROUP || role == KAFKA_READER) {
        set(building, "group.id", options->group);
        set(building, "enable.auto.commit", "false");
        set(building, "enable.auto.offset.store", "false");
        set(building, "auto.offset.reset", "error");
        set(building, "isolation.level", "read_committed");
        set(building, "enable.partition.eof", "true");
    }
    if (role == KAFKA_GROUP) {
        set(building, "group.instance.id", options->instance);
        set(building, "partition.assignment.strategy",
            options->assignor ? options->assignor : "range");
    }
    if (role == KAFKA_PRODUCER) {
        set(building, "enable.idempotence", "true");
        set(building, "partitioner", options->crc32 ? "consistent" : "murmur2");
        if (!options->embedded) {
            set(building, "transactional.id", options->instance);
            set_int(building, "transaction.timeout.ms",
                    options->transaction_timeout_ms ? options->transaction_timeout_ms : 10000);
        }
    }
}

static enum status check_assignor(const struct kafka_options *options, struct report *report)
{
    const char *assignor = options->assignor ? options->assignor : "range";

    if (strcmp(assignor, "range") == 0)
        return STATUS_OK;
    if (strcmp(assignor, "cooperative-sticky") != 0) {
        report_set(report, "kafka-assignor",
                   "kafka.assignor \"%s\" is unknown; use range or cooperative-sticky", assignor);
        return STATUS_REJECT;
    }
    if (rd_kafka_version() < COOPERATIVE_VERSION_MIN) {
        report_set(report, "kafka-assignor",
                   "kafka.assignor cooperative-sticky needs librdkafka 2.6.1 or newer, here is %s; "
                   "use range",
                   rd_kafka_version_str());
        return STATUS_REJECT;
    }
    return STATUS_OK;
}

enum status kafka_conf_new(const struct kafka_options *options, enum kafka_role role,
                           struct rd_kafka_conf_s **ret_conf, struct report *report)
{
    struct building building = {.conf = rd_kafka_conf_new(), .report = report};

    if (role == KAFKA_GROUP)
        building.status = check_assignor(options, report);
    set_defaults(&building, options, role);
    for (size_t i = 0; i < options->property_count && building.status == STATUS_OK; i++) {
        const struct kafka_property *property = &options->properties[i];
        const char *why = kafka_conf_reserved(property->name);

        if (why && role != KAFKA_PLAIN) {
            building.status = STATUS_REJECT;
            report_set(report, "kafka-property", "kafka.properties: \"%s\" can't be set: %s",
                       property->name, why);
            break;
        }
        set(&building, property->name, property->value);
    }
    set_protocol(&building, options, role);
    if (building.status != STATUS_OK) {
        rd_kafka_conf_destroy(building.conf);
        return building.status;
    }
    *ret_conf = building.conf;
    return STATUS_OK;
}

enum status kafka_conf_check(const struct kafka_options *options, struct report *report)
{
    static const enum kafka_role roles[] = {KAFKA_GROUP, KAFKA_READER, KAFKA_PRODUCER};

    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++) {
        struct rd_kafka_conf_s *conf = NULL;
        enum status status = kafka_conf_new(options, roles[i], &conf, report);

        if (status != STATUS_OK)
            return status;
        rd_kafka_conf_destroy(conf);
    }
    return STATUS_OK;
}
