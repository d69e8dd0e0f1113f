/* kafka_conf: what the Kafka clients have in common: where the cluster is, how to be let in, the
 * names of group, instance and topics, and how the properties a user passes through meet those the
 * commit protocol stands on.
 *
 * Design: one struct of borrowed text, filled from the configuration; kafka_conf_new() turns it
 * into librdkafka's object for one role. The type stays librdkafka's own (forward declared), so
 * that only the adapters include its header. */
#ifndef LC_PIPELINE_KAFKA_CONF_H
#define LC_PIPELINE_KAFKA_CONF_H

#include <stdint.h>

#include "base/report.h"
#include "base/status.h"
#include "pipeline/source.h"

#define KAFKA_PROPERTIES_MAX 64

struct rd_kafka_conf_s; /* rd_kafka_conf_t */

/* A librdkafka property passed through, as in its CONFIGURATION.md. */
struct kafka_property {
    const char *name, *value;
};

/* A client's own log and error lines, from any of its threads: must be thread-safe. level: as
 * syslog, 0–7. */
/* The facility of a line that says: no broker can be reached. */
#define KAFKA_LINE_AWAY "AWAY"

struct kafka_log {
    void *self;
    void (*line)(void *self, int level, const char *facility, const char *text);
};

/* Everything borrowed; must outlive the adapters made from it. */
struct kafka_options {
    const char *brokers;  /* host:port, comma separated */
    const char *group;    /* consumer group = the application */
    const char *instance; /* group.instance.id and transactional.id: stable, one per worker */
    const char *assignor; /* "range" or "cooperative-sticky" (librdkafka ≥ 2.6.1 only) */
    const char *input, *control, *alerts, *dead_letters; /* topics */
    bool crc32; /* partition alerts and dead letters with crc32 ("consistent") instead of murmur2 */
    bool embedded;              /* librdkafka's mock cluster: no transactions, at least once */
    int session_timeout_ms;     /* 0: 10000; how long the partitions of a killed worker wait for its
                                   return */
    int transaction_timeout_ms; /* 0: 10000 */
    int request_timeout_ms;     /* 0: 2000; of committed positions, bounds and metadata */
    const struct kafka_property
        *properties; /* passed to every client; at most KAFKA_PROPERTIES_MAX */
    size_t property_count;
    struct kafka_log log; /* line NULL: silent */
};

enum kafka_role {
    KAFKA_PLAIN,   /* properties and brokers only: for tools */
    KAFKA_GROUP,   /* member of the group, reads the input */
    KAFKA_READER,  /* assign-only reader, read_committed (the control topic) */
    KAFKA_PRODUCER /* transactional, or idempotent when embedded */
};

/* A new configuration, the caller's to give to rd_kafka_new() or to destroy. REJECT with words: a
 * property librdkafka does not know or take, or one the commit protocol decides ("kafka-property");
 * cooperative-sticky on an old library ("kafka-assignor"). */
enum status kafka_conf_new(const struct kafka_options *options, enum kafka_role role,
                           struct rd_kafka_conf_s **ret_conf, struct report *report) LC_CHECKED;
/* The same checks for all roles without keeping anything: for --check. */
enum status kafka_conf_check(const struct kafka_options *options, struct report *report) LC_CHECKED;
/* Is this property decided by the commit protocol? NULL: no; else why it is. */
const char *kafka_conf_reserved(const char *name);
/* "2.0.2" */
const char *kafka_conf_library(void);

#endif
