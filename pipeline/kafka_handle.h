/* kafka_handle: a librdkafka client with what source and sink both need around it: its log lines,
 * its last problem in words, whether it lost its transaction coordinator, and an end that cannot
 * hang. For kafka_source.c and kafka_sink.c only. */
#ifndef LC_PIPELINE_KAFKA_HANDLE_H
#define LC_PIPELINE_KAFKA_HANDLE_H

#include <librdkafka/rdkafka.h>
#include <stdbool.h>

#include "pipeline/kafka_conf.h"

struct kafka_handle {
    rd_kafka_t *rk; /* NULL: closed */
    const struct kafka_options *options;
    bool topic_gone;       /* a topic it reads does not exist (any more): the group's, since
                              kafka_handle_open */
    struct report problem; /* of the error callback, until taken; code empty: none */
    struct report refusal; /* why a broker or we would not go on: of any of its threads, guarded by
                              a lock; code empty: never */
    int64_t refusal_ms;    /* mono: when */
    unsigned
        coordinator_lost; /* disconnects of the transaction coordinator since kafka_handle_open */
    bool abandoned; /* a client would not end: its threads may still call back, so never free this
                       memory */
};

/* `prepare` (may be NULL) adds an adapter's own callbacks to the conf; their opaque is the handle,
 * which is to be the first member of the adapter's struct. REJECT, RETRY. */
enum status kafka_handle_open(struct kafka_handle *handle, const struct kafka_options *options,
                              enum kafka_role role, void (*prepare)(rd_kafka_conf_t *conf),
                              struct report *report) LC_CHECKED;
/* STATUS_OK, or FENCED / FATAL with words when the client is dead.
 *
 * FENCED says that another member of our instance name joined. That can be ourselves: a JoinGroup
 * times out on a stalled or moving coordinator, librdkafka sends another, the broker executes both
 * (seen with Kafka 4.1). Who it is only a third place can tell (state/roster.h); the group's own
 * description of a member keeps the client id of the one before. */
enum status kafka_handle_fatal(const struct kafka_handle *handle, struct report *report) LC_CHECKED;
/* Move the last problem into report, if there is one. */
void kafka_handle_problem(struct kafka_handle *handle, struct report *report);
/* When a broker refused us lately, or we its certificate, those words instead of those in report: a
 * call that failed knows of its own timeout only. */
void kafka_handle_refusal(struct kafka_handle *handle, struct report *report);
/* Destroys the client within timeout_ms; librdkafka's destroy can hang (its issue 4674), then the
 * client is left to its own threads and the process's end. Accepts a closed handle. */
void kafka_handle_close(struct kafka_handle *handle, int timeout_ms);

#endif
