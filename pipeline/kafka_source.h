/* kafka_source: struct source over a real cluster by librdkafka (≥ 2.0.2): a static member of the
 * consumer group that reads the input by batch queue, and a second, assign-only reader of the
 * control topic. Used by one thread. */
#ifndef LC_PIPELINE_KAFKA_SOURCE_H
#define LC_PIPELINE_KAFKA_SOURCE_H

#include "pipeline/kafka_conf.h"
#include "pipeline/source.h"

struct kafka_source;

/* Makes the clients and subscribes; does not wait for the cluster. options is borrowed. REJECT: see
 * kafka_conf_new; RETRY: no memory or threads. */
enum status kafka_source_open(const struct kafka_options *options, struct kafka_source **ret_source,
                              struct report *report) LC_CHECKED;
struct source kafka_source_port(struct kafka_source *source);
/* Frees what source.close left; closes first when that was not done. Accepts NULL. */
void kafka_source_free(struct kafka_source *source);

#endif
