/* kafka_embedded: librdkafka's mock cluster inside this process, for the demo and for trying things
 * out. No transactions: at least once. Its content ends with the process. */
#ifndef LC_DAEMON_KAFKA_EMBEDDED_H
#define LC_DAEMON_KAFKA_EMBEDDED_H

#include <stddef.h>

#include "base/report.h"
#include "base/status.h"

#define KAFKA_EMBEDDED_PARTITIONS 4

struct kafka_embedded;

/* A cluster on loopback with these topics, `partitions` each. RETRY without memory or threads. */
enum status kafka_embedded_open(const char *const *topics, size_t count, int partitions,
                                struct kafka_embedded **ret_embedded,
                                struct report *report) LC_CHECKED;
const char *
kafka_embedded_brokers(const struct kafka_embedded *embedded); /* host:port; lives as long as it */
void kafka_embedded_close(struct kafka_embedded *embedded);    /* accepts NULL; its clients first */

#endif
