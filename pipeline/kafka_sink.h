/* kafka_sink: struct sink over a real cluster by librdkafka: a transactional producer. Used by one
 * thread.
 *
 * With kafka_options.embedded (mock cluster) it is an idempotent producer: commit flushes, then
 * commits each position plainly through `plain`; at least once. */
#ifndef LC_PIPELINE_KAFKA_SINK_H
#define LC_PIPELINE_KAFKA_SINK_H

#include "pipeline/kafka_conf.h"
#include "pipeline/sink.h"

struct kafka_sink;

/* Connects nothing yet: sink.open does. options is borrowed; `plain` is copied and used only when
 * embedded. REJECT: see kafka_conf_new. */
enum status kafka_sink_open(const struct kafka_options *options, struct source plain,
                            struct kafka_sink **ret_sink, struct report *report) LC_CHECKED;
struct sink kafka_sink_port(struct kafka_sink *sink);
/* Frees what sink.close left; closes first when that was not done. Accepts NULL. */
void kafka_sink_free(struct kafka_sink *sink);

#endif
