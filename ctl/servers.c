/* servers: configuration to ports. */
#include "ctl/servers.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/must.h"
#include "config/secret.h"
#include "ctl/ctl.h"
#include "ctl/kafka_client.h"
#include "state/customer_codec.h"
#include "state/proposal.h"

#define DEFAULT_PATH "/etc/lifecycled/lifecycled.yaml"

static int config_read(struct servers *s, const char *path)
{
    static struct config_errors errors;
    if (!path && access(DEFAULT_PATH, R_OK) == 0)
        path = DEFAULT_PATH;
    if (!path) {
        config_default(&s->config);
        return CTL_OK;
    }
    if (config_load(path, kafka_conf_reserved, &s->config, &errors) == STATUS_OK)
        return CTL_OK;
    for (size_t i = 0; i < errors.count; i++) {
        char text[CONFIG_ERROR_TEXT_MAX + 512];
        config_error_format(&errors.errors[i], path, text, sizeof text);
        fprintf(stderr, "%s\n", text);
    }
    return CTL_CONFIG;
}

/* The text of a secret until servers_close(); NULL after its error was printed. */
static const char *secret_keep(struct servers *s, const char *path)
{
    struct report report = {0};
    struct secret *secret = calloc(1, sizeof *secret);
    if (!secret || secret_read(path, secret, &report) != STATUS_OK) {
        ctl_fail_report(CTL_CONFIG, &report);
        free(secret);
        return NULL;
    }
    MUST(s->secret_count < sizeof s->secrets / sizeof *s->secrets);
    s->secrets[s->secret_count++] = secret;
    return secret->text;
}

static int kafka_fill(struct servers *s)
{
    const struct config *c = &s->config;
    size_t count = 0;
    for (size_t i = 0; i < c->kafka_property_count; i++)
        s->properties[count++] =
            (struct kafka_property){c->kafka_properties[i].name, c->kafka_properties[i].value};
    for (size_t i = 0; i < c->kafka_secret_count && count < KAFKA_PROPERTIES_MAX; i++) {
        char path[SECRET_PATH_MAX];
        const char *value =
            secret_locate(c->kafka_secrets[i].value, "", path) ? secret_keep(s, path) : NULL;
        if (!value)
            return ctl_fail(CTL_CONFIG, "kafka.secrets: %s is not to be had",
                            c->kafka_secrets[i].name);
        s->properties[count++] = (struct kafka_property){c->kafka_secrets[i].name, value};
    }
    s->kafka = (struct kafka_options){.brokers = c->kafka_brokers,
                                      .group = c->kafka_group,
                                      .instance = c->name,
                                      .assignor = "range",
                                      .input = c->kafka_input_topic,
                                      .control = c->kafka_control_topic,
                                      .alerts = c->kafka_alerts_topic,
                                      .dead_letters = c->kafka_dead_letter_topic,
                                      .crc32 = c->kafka_partitioner == CONFIG_PARTITIONER_CRC32,
                                      .properties = s->properties,
                                      .property_count = count};
    return CTL_OK;
}

/* The secret at its place, or NULL when there is none; false after its error was printed. */
static bool secret_optional(struct servers *s, const char *place, const char *fallback,
                            const char **ret_text)
{
    char path[SECRET_PATH_MAX];
    *ret_text = NULL;
    if (!secret_locate(place, fallback, path))
        return true;
    *ret_text = secret_keep(s, path);
    return *ret_text != NULL;
}

static int redis_fill(struct servers *s)
{
    const struct config *c = &s->config;
    const char *password = NULL, *sentinel_password = NULL;
    if (!secret_optional(s, c->redis_password_file, "redis-password", &password) ||
        (c->redis_sentinels[0] && !secret_optional(s, c->redis_sentinel_password_file,
                                                   "redis-sentinel-password", &sentinel_password)))
        return CTL_CONFIG;
    s->redis_options = (struct redis_client_options){
        .address = c->redis_address,
        .sentinels = c->redis_sentinels[0] ? c->redis_sentinels : NULL,
        .master = c->redis_master[0] ? c->redis_master : NULL,
        .sentinel_username = c->redis_sentinel_username[0] ? c->redis_sentinel_username : NULL,
        .sentinel_password = sentinel_password,
        .username = c->redis_username[0] ? c->redis_username : NULL,
        .password = password,
        .database = (int)c->redis_database,
        .connect_timeout_ms = (int)c->redis_connect_timeout_ms,
        .command_timeout_ms = (int)c->redis_command_timeout_ms,
        .tls = c->redis_tls,
        .tls_ca_file = c->redis_tls_ca_file[0] ? c->redis_tls_ca_file : NULL,
        .tls_cert_file = c->redis_tls_cert_file[0] ? c->redis_tls_cert_file : NULL,
        .tls_key_file = c->redis_tls_key_file[0] ? c->redis_tls_key_file : NULL,
        .tls_server_name = c->redis_tls_server_name[0] ? c->redis_tls_server_name : NULL,
        .allow_plaintext = c->redis_allow_plaintext};
    return CTL_OK;
}

int servers_load(struct servers *s, const char *config_path, const char *brokers, const char *redis)
{
    *s = (struct servers){0};
    int failed = config_read(s, config_path);
    if (!failed)
        failed = kafka_fill(s);
    if (!failed)
        failed = redis_fill(s);
    if (brokers)
        s->kafka.brokers = brokers;
    if (redis) {
        s->redis_options.address = redis;
        s->redis_options.sentinels = NULL;
    }
    return failed;
}

void servers_close(struct servers *s)
{
    redis_client_close(s->client);
    for (size_t i = 0; i < s->secret_count; i++) {
        secret_wipe(s->secrets[i]);
        free(s->secrets[i]);
    }
    config_fini(&s->config);
    *s = (struct servers){0};
}

const char *servers_input_topic(const struct servers *s)
{
    return s->kafka.input;
}

const char *servers_alerts_topic(const struct servers *s)
{
    return s->kafka.alerts;
}

enum status servers_learn(struct servers *s, struct report *report)
{
    struct insight newest;
    enum status status =
        proposal_load(&s->redis, s->config.app, &s->config.params.insight, &newest, report);
    if (status == STATUS_OK)
        params_learn(&s->config.params, &newest);
    return status;
}

enum status servers_redis(struct servers *s, struct report *report)
{
    if (s->client)
        return STATUS_OK;
    enum status status = redis_client_open(&s->redis_options, &s->client, report);
    if (status != STATUS_OK)
        return status;
    s->redis = redis_client_port(s->client);
    return servers_learn(s, report);
}

enum status servers_partitions(struct servers *s, struct report *report)
{
    size_t count = 0;
    if (s->partitions > 0)
        return STATUS_OK;
    enum status status = kafka_positions_read(&s->kafka, NULL, SIZE_MAX, &count, report);
    if (status == STATUS_OK)
        s->partitions = (int32_t)count;
    return status;
}

enum status servers_walk(struct servers *s, walk_each_fn *each, void *self, struct report *report)
{
    enum status status = servers_partitions(s, report);
    if (status == STATUS_OK)
        status = servers_redis(s, report);
    if (status != STATUS_OK)
        return status;
    struct walk walk = {.redis = s->redis,
                        .app = s->config.app,
                        .partitions = s->partitions,
                        .each = each,
                        .self = self};
    return walk_customers(&walk, report);
}

enum status servers_customer(struct servers *s, struct span id, struct customer *ret_customer,
                             bool *ret_found, struct store_meta *ret_meta, struct report *report)
{
    enum { ARENA_BYTES = 1 << 20, TRIES = 20 };
    enum status status = servers_partitions(s, report);
    if (status == STATUS_OK)
        status = servers_redis(s, report);
    if (status != STATUS_OK)
        return status;
    int32_t partition = s->kafka.crc32 ? hash_partition_crc32(id, s->partitions)
                                       : hash_partition_murmur2(id, s->partitions);
    struct store *store = store_open_readonly(s->redis, s->config.app, partition);
    struct store_blob blob = {.customer = id, .hash = store_customer_hash(id)};
    struct arena arena;
    const char *why = NULL;
    bool present = false;
    arena_init(&arena, ARENA_BYTES);
    status = store ? STATUS_STALE : STATUS_RETRY;
    for (int i = 0; status == STATUS_STALE && i < TRIES; i++) { /* a split in between: look again */
        status = store_peek(&s->redis, s->config.app, partition, ret_meta, &present, report);
        if (status == STATUS_OK && present)
            status = store_load(store, ret_meta, &blob, 1, &arena, report);
    }
    *ret_found = status == STATUS_OK && present && blob.record.at;
    if (*ret_found && customer_decode(blob.record, ret_customer, &why) != STATUS_OK) {
        report_set(report, "record-damaged", "customer %.*s: %s", (int)id.len, id.at, why);
        status = STATUS_REJECT;
    }
    store_close(store);
    arena_fini(&arena);
    return status;
}

int64_t servers_now(const struct servers *s, int64_t asked_ms, int64_t watermark_ms)
{
    struct clock clock = clock_system();
    if (asked_ms != INT64_MIN)
        return asked_ms;
    if (s->config.params.clock == FOLD_CLOCK_EVENT && watermark_ms != INT64_MIN)
        return watermark_ms;
    return clock_wall_ms(&clock);
}
