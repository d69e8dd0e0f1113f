/* servers: the daemon's configuration and the state in its Redis, as the reading commands see them.
 */
#ifndef LC_CTL_SERVERS_H
#define LC_CTL_SERVERS_H

#include "config/config.h"
#include "insight/walk.h"
#include "model/customer.h"
#include "pipeline/kafka_conf.h"
#include "state/redis_client.h"
#include "state/store.h"

struct secret;

struct servers {
    struct config config;
    struct kafka_options kafka; /* borrowed from config */
    struct kafka_property properties[KAFKA_PROPERTIES_MAX];
    struct redis_client_options redis_options;
    struct secret *secrets[KAFKA_PROPERTIES_MAX + 2]; /* wiped and freed by servers_close */
    size_t secret_count;
    struct redis_client *client; /* NULL until first needed */
    struct redis redis;
    int32_t partitions; /* of the input topic; 0 until first needed */
};

/* Reads --config FILE (NULL: the default path when it exists, else defaults), then --brokers and
 * --redis over it. 0, or the exit status after the errors have been printed. */
int servers_load(struct servers *servers, const char *config_path, const char *brokers,
                 const char *redis);
void servers_close(struct servers *servers);

const char *servers_input_topic(const struct servers *servers);
const char *servers_alerts_topic(const struct servers *servers);

/* The customer's state as stored. *ret_found is false when there is none. */
enum status servers_customer(struct servers *servers, struct span id, struct customer *ret_customer,
                             bool *ret_found, struct store_meta *ret_meta,
                             struct report *report) LC_CHECKED;

/* Every customer of every partition, bucket by bucket; not erased ones, nor ids that have become
 * another customer. A running daemon goes on meanwhile, so each
 * customer is right, and all together are of about the same time. Anything but OK from `each`
 * stops. */
enum status servers_walk(struct servers *servers, walk_each_fn *each, void *self,
                         struct report *report) LC_CHECKED;

/* Connected when OK, and config.params has the newest insight over it. */
enum status servers_redis(struct servers *servers, struct report *report) LC_CHECKED;
/* Looks for a newer insight again; for commands that run long. */
enum status servers_learn(struct servers *servers, struct report *report) LC_CHECKED;
/* Sets servers->partitions, asking Kafka. */
enum status servers_partitions(struct servers *servers, struct report *report) LC_CHECKED;

/* The time to look from: `at_ms` when given (≥ 0 years apart from INT64_MIN), else now by the clock
 * the fold uses: the wall clock, or with clock: event the watermark. */
int64_t servers_now(const struct servers *servers, int64_t asked_ms, int64_t watermark_ms);

#endif
