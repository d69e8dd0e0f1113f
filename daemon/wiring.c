/* wiring: see the header. A worker's parts are touched by its own thread only, from open to close;
 * what threads share is read-only, but for the number of partitions, which the first worker to
 * learn it tells the customer's page. */
#include "daemon/wiring.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <syslog.h>

#include "base/must.h"
#include "config/secret.h"
#include "daemon/customer_page.h"
#include "daemon/log.h"
#include "daemon/test_clock.h"
#include "pipeline/kafka_sink.h"
#include "pipeline/kafka_source.h"
#include "state/proposal.h"
#include "state/redis_client.h"
#include "state/roster.h"
#include "state/store.h"

/* A clock that stood still for longer goes on from there, slowly. */
#define TICKS_MADE_UP 60

struct connection { /* of one partition */
    int32_t partition;
    struct redis_client *client;
};

struct wired {
    struct wiring *wiring;
    char instance[96], token[65];
    struct kafka_property properties[KAFKA_PROPERTIES_MAX];
    struct secret *kafka_secrets; /* kafka_secret_count */
    struct kafka_options kafka;
    struct secret redis_password, sentinel_password;
    struct redis_client_options redis;
    struct worker_options options;
    struct kafka_source *source;
    struct kafka_sink *sink;
    struct cache *cache;
    struct connection connections[SOURCE_PARTITIONS_MAX];
    size_t connection_count;
    unsigned opened; /* how often: part of the token */
    bool signed_in;  /* in the roster */
};

struct wiring {
    const struct config *config;
    const char *brokers;
    bool embedded;
    uint64_t incarnation; /* random, of this process */
    struct clock clock;   /* of the workers */
    char process[17];     /* the same as text */
    struct decode_alias aliases[CONFIG_ALIASES_MAX];
    atomic_int partitions; /* of the input topic; 0 unknown */
    struct secret admin_token;
    struct wired page, learner; /* their Redis options */
    struct redis_client *page_client, *learner_client;
    struct wired *workers; /* config->workers */
};

/* --- secrets --- */

/* Absent is right when the place is not configured: the credential is optional. */
static enum status read_secret(const char *place, const char *fallback, struct secret *secret,
                               struct report *report)
{
    char path[SECRET_PATH_MAX];

    secret_wipe(secret);
    if (secret_locate(place, fallback, path))
        return secret_read(path, secret, report);
    if (!place[0])
        return STATUS_OK;
    report_set(report, "secret",
               "the secret \"%.200s\" is not found: an absolute path, or a credential of the unit",
               place);
    return STATUS_REJECT;
}

static enum status read_redis_password(struct wired *wired, struct report *report)
{
    const struct config *config = wired->wiring->config;
    enum status status =
        read_secret(config->redis_password_file, "redis-password", &wired->redis_password, report);

    wired->redis.password = wired->redis_password.len > 0 ? wired->redis_password.text : NULL;
    if (status == STATUS_OK && wired->redis.sentinels)
        status = read_secret(config->redis_sentinel_password_file, "redis-sentinel-password",
                             &wired->sentinel_password, report);
    wired->redis.sentinel_password =
        wired->sentinel_password.len > 0 ? wired->sentinel_password.text : NULL;
    return status;
}

/* *ret_changed: one of them is another than before. */
static enum status read_kafka_secrets(struct wired *wired, bool *ret_changed, struct report *report)
{
    const struct config *config = wired->wiring->config;

    *ret_changed = false;
    for (size_t i = 0; i < config->kafka_secret_count; i++) {
        struct secret fresh;
        enum status status;

        memset(&fresh, 0, sizeof fresh);
        status = read_secret(config->kafka_secrets[i].value, "", &fresh, report);
        if (status != STATUS_OK)
            return status;
        *ret_changed = *ret_changed || fresh.len != wired->kafka_secrets[i].len ||
                       memcmp(fresh.text, wired->kafka_secrets[i].text, fresh.len) != 0;
        wired->kafka_secrets[i] = fresh;
        secret_wipe(&fresh);
    }
    return STATUS_OK;
}

/* Without one the marks are no secret: said once, when the first worker opens. */
static enum status read_erasure_key(struct wired *wired, struct report *report)
{
    const struct config *config = wired->wiring->config;
    struct secret secret;
    enum status status;

    memset(&secret, 0, sizeof secret);
    status = read_secret(config->events_erasure_key_file, "erasure-key", &secret, report);
    if (status != STATUS_OK)
        return status;
    if (secret.len == 0 && !wired->wiring->embedded && wired == wired->wiring->workers &&
        wired->opened == 0)
        log_line(
            LOG_LEVEL_WARNING, "erasure-key", -1,
            "no erasure key: whoever gets a copy of Redis can test whether an id he guesses was "
            "erased; set events.erasure_key_file or the credential erasure-key");
    mark_key_make((struct span){secret.text, secret.len}, config->app, &wired->options.mark_key);
    secret_wipe(&secret);
    return STATUS_OK;
}

enum status wiring_token(struct wiring *wiring, const char **ret_token, struct report *report)
{
    enum status status =
        read_secret(wiring->config->http_token_file, "http-token", &wiring->admin_token, report);

    if (status == STATUS_OK)
        *ret_token = wiring->admin_token.len > 0 ? wiring->admin_token.text : NULL;
    return status;
}

/* --- options --- */

static void on_kafka_line(void *self, int level, const char *facility, const char *text)
{
    enum log_level ours = level <= LOG_ERR      ? LOG_LEVEL_WARNING
                          : level <= LOG_NOTICE ? LOG_LEVEL_INFO
                                                : LOG_LEVEL_DEBUG;

    (void)self;
    if (strcmp(facility, KAFKA_LINE_AWAY) == 0)
        log_line(ours, "kafka-away", -1, "no broker can be reached (%s); trying again by itself",
                 text);
    else
        log_line(ours, "kafka-client", -1, "%s: %s", facility, text);
}

static void fill_kafka(struct wired *wired, const char *instance)
{
    const struct config *config = wired->wiring->config;
    size_t count = 0;

    for (size_t i = 0; i < config->kafka_property_count && count < KAFKA_PROPERTIES_MAX;
         i++, count++)
        wired->properties[count] = (struct kafka_property){config->kafka_properties[i].name,
                                                           config->kafka_properties[i].value};
    for (size_t i = 0; i < config->kafka_secret_count && count < KAFKA_PROPERTIES_MAX; i++, count++)
        wired->properties[count] =
            (struct kafka_property){config->kafka_secrets[i].name, wired->kafka_secrets[i].text};
    wired->kafka = (struct kafka_options){
        .brokers = wired->wiring->brokers,
        .group = config->kafka_group,
        .instance = instance,
        .assignor =
            config->kafka_assignor == CONFIG_ASSIGNOR_RANGE ? "range" : "cooperative-sticky",
        .input = config->kafka_input_topic,
        .control = config->kafka_control_topic,
        .alerts = config->kafka_alerts_topic,
        .dead_letters = config->kafka_dead_letter_topic,
        .crc32 = config->kafka_partitioner == CONFIG_PARTITIONER_CRC32,
        .embedded = wired->wiring->embedded,
        .session_timeout_ms = (int)config->kafka_session_timeout_ms,
        .transaction_timeout_ms = (int)config->kafka_transaction_timeout_ms,
        .properties = wired->properties,
        .property_count = count,
        .log = {.line = on_kafka_line},
    };
}

static const char *or_null(const char *text)
{
    return text[0] ? text : NULL;
}

static void fill_redis(struct wired *wired)
{
    const struct config *config = wired->wiring->config;

    wired->redis = (struct redis_client_options){
        .address = config->redis_address,
        .sentinels = or_null(config->redis_sentinels),
        .master = or_null(config->redis_master),
        .sentinel_username = or_null(config->redis_sentinel_username),
        .username = or_null(config->redis_username),
        .database = (int)config->redis_database,
        .connect_timeout_ms = (int)config->redis_connect_timeout_ms,
        .command_timeout_ms = (int)config->redis_command_timeout_ms,
        .tls = config->redis_tls,
        .tls_ca_file = or_null(config->redis_tls_ca_file),
        .tls_cert_file = or_null(config->redis_tls_cert_file),
        .tls_key_file = or_null(config->redis_tls_key_file),
        .tls_server_name = or_null(config->redis_tls_server_name),
        .allow_plaintext = config->redis_allow_plaintext,
    };
}

static void fill_worker(struct wired *wired)
{
    const struct config *config = wired->wiring->config;

    wired->options = (struct worker_options){
        .app = config->app,
        .token = wired->token,
        .params = config->params,
        .decode =
            {
                .bytes_max = (size_t)config->events_bytes_max,
                .future_max_ms = config->events_future_max_ms,
                .partitions = 1, /* checked; the real number is the worker's to find out */
                .crc32 = config->kafka_partitioner == CONFIG_PARTITIONER_CRC32,
                .currency = config->assumed,
                .aliases = wired->wiring->aliases,
                .alias_count = config->type_alias_count,
            },
        .alert =
            {
                .source = config->alerts_source,
                .msgpack = config->alerts_format == CONFIG_ALERTS_MSGPACK,
                .reporting = config->params.reporting,
                .horizon_ms = config->params.churn_horizon_ms,
                .calibrated = config->params.calibrated != 0,
            },
        .batch_max = (size_t)config->batch_events_max,
        .tick_buckets_max = (size_t)config->batch_tick_buckets_max,
        .tick_interval_ms = config->batch_tick_ms,
        .guard =
            {
                .silence = config->guards_silence,
                .silence_min_ms = config->guards_silence_min_ms,
                .silence_gaps = config->guards_silence_gaps,
                .pace = config->guards_catch_up,
                .elapsed_max_ms = TICKS_MADE_UP * config->batch_tick_ms,
                .storm = config->guards_storm,
                .storm_min = config->guards_storm_min,
                .storm_factor = config->guards_storm_factor,
                .storm_slow_ms = config->guards_storm_slow_ms,
            },
        .lazy_commit_ms = config->batch_lazy_commit_ms,
        .batch_arena_max = (size_t)config->batch_bytes_max,
        .poll_ms = (int)config->batch_poll_ms,
        .look_ms = config->insight_look_ms,
        .continue_after_loss = config->continue_after_loss,
        .tombstone_deletes = config->events_tombstone_deletes,
        .input_topic = config->kafka_input_topic,
    };
}

/* --- Redis connections of a worker's partitions --- */

static enum status on_connect(void *self, int32_t partition, struct redis *ret_redis,
                              struct report *report)
{
    struct wired *wired = self;
    struct redis_client *client = NULL;
    enum status status;

    if (wired->connection_count == SOURCE_PARTITIONS_MAX) {
        report_set(report, "redis-connections", "one worker can own %d partitions; add workers",
                   SOURCE_PARTITIONS_MAX);
        return STATUS_FULL;
    }
    status = redis_client_open(&wired->redis, &client, report);
    if (status != STATUS_OK)
        return status;
    wired->connections[wired->connection_count++] =
        (struct connection){.partition = partition, .client = client};
    *ret_redis = redis_client_port(client);
    return STATUS_OK;
}

static void on_release(void *self, int32_t partition, struct redis redis)
{
    struct wired *wired = self;

    (void)redis;
    for (size_t i = 0; i < wired->connection_count; i++)
        if (wired->connections[i].partition == partition) {
            redis_client_close(wired->connections[i].client);
            wired->connections[i] = wired->connections[--wired->connection_count];
            return;
        }
}

/* --- parts of a worker --- */

static void close_parts(void *self, int index, int timeout_ms)
{
    struct wiring *wiring = self;
    struct wired *wired = &wiring->workers[index];

    if (wired->sink)
        kafka_sink_port(wired->sink).close(wired->sink, timeout_ms);
    kafka_sink_free(wired->sink);
    if (wired->source)
        kafka_source_port(wired->source).close(wired->source, timeout_ms);
    kafka_source_free(wired->source);
    cache_close(wired->cache);
    while (wired->connection_count > 0)
        redis_client_close(wired->connections[--wired->connection_count].client);
    wired->sink = NULL;
    wired->source = NULL;
    wired->cache = NULL;
}

static enum status open_kafka(struct wired *wired, struct report *report)
{
    enum status status = kafka_source_open(&wired->kafka, &wired->source, report);
    int32_t input = 0, control = 0;
    struct source source;

    if (status != STATUS_OK)
        return status;
    source = kafka_source_port(wired->source);
    status = kafka_sink_open(&wired->kafka, source, &wired->sink, report);
    if (status != STATUS_OK)
        return status;
    /* A missing topic is waited for like a missing broker; only here is it said how to make it. */
    status = source.partitions(source.self, &input, &control, report);
    if (status != STATUS_OK)
        return STATUS_RETRY;
    atomic_store(&wired->wiring->partitions, input);
    return STATUS_OK;
}

/* --- who answers to our name --- */

/* Before joining the group, once a process: a restart of the worker is no newcomer. */
static enum status sign(struct wired *wired, struct report *report)
{
    struct redis_client *client = NULL;
    enum status status;

    if (wired->signed_in)
        return STATUS_OK;
    status = redis_client_open(&wired->redis, &client, report);
    if (status == STATUS_OK) {
        struct redis redis = redis_client_port(client);

        status = roster_sign(&redis, wired->wiring->config->app, wired->instance,
                             wired->wiring->process, report);
    }
    redis_client_close(client);
    wired->signed_in = status == STATUS_OK;
    return status;
}

/* Redis away: then nobody can work, and a rival would have been seen had it come before. */
static bool is_rival(void *self, int index)
{
    struct wiring *wiring = self;
    struct wired *wired = &wiring->workers[index];
    struct redis_client *client = NULL;
    struct report report = {0};
    bool rival = false;

    if (redis_client_open(&wired->redis, &client, &report) == STATUS_OK) {
        struct redis redis = redis_client_port(client);

        if (roster_look(&redis, wiring->config->app, wired->instance, wiring->process, &rival,
                        &report) != STATUS_OK)
            log_report(LOG_LEVEL_WARNING, &report);
    }
    redis_client_close(client);
    return rival;
}

static enum status open_parts(void *self, int index, struct runner_parts *ret_parts,
                              struct report *report)
{
    struct wiring *wiring = self;
    struct wired *wired = &wiring->workers[index];
    bool changed = false;
    enum status status = read_kafka_secrets(wired, &changed, report);

    if (status == STATUS_OK)
        status = read_redis_password(wired, report);
    if (status == STATUS_OK)
        status = read_erasure_key(wired, report);
    if (status == STATUS_OK)
        status = sign(wired, report);
    if (status == STATUS_OK)
        status = open_kafka(wired, report);
    if (status == STATUS_OK) {
        wired->cache = cache_open((size_t)wiring->config->cache_bytes_max);
        if (!wired->cache) {
            report_set(report, "memory", "no memory for a cache of %lld bytes; see cache.bytes_max",
                       (long long)wiring->config->cache_bytes_max);
            status = STATUS_RETRY;
        }
    }
    if (status != STATUS_OK) {
        close_parts(wiring, index, 500);
        return status;
    }
    (void)snprintf(wired->token, sizeof wired->token, "%.18s-%016llx-%u", wired->instance,
                   (unsigned long long)wiring->incarnation, wired->opened++);
    *ret_parts = (struct runner_parts){
        .source = kafka_source_port(wired->source),
        .sink = kafka_sink_port(wired->sink),
        .redis = {.self = wired, .connect = on_connect, .release = on_release},
        .options = &wired->options,
        .cache = wired->cache,
        .clock = wiring->clock,
    };
    return STATUS_OK;
}

static bool reload_parts(void *self, int index)
{
    struct wiring *wiring = self;
    struct wired *wired = &wiring->workers[index];
    struct report report = {0};
    bool changed = false;

    /* What can't be read now is kept away from the clients only when they connect anew: say so. */
    if (read_redis_password(wired, &report) != STATUS_OK ||
        read_kafka_secrets(wired, &changed, &report) != STATUS_OK)
        log_report(LOG_LEVEL_ERROR, &report);
    return changed;
}

struct runner_ports wiring_ports(struct wiring *wiring)
{
    return (struct runner_ports){.self = wiring,
                                 .open = open_parts,
                                 .close = close_parts,
                                 .reload = reload_parts,
                                 .rival = is_rival};
}

/* --- the admin's own view of Redis --- */

static enum status open_page(struct wiring *wiring, struct report *report)
{
    enum status status;

    if (wiring->page_client)
        return STATUS_OK;
    status = read_redis_password(&wiring->page, report);
    if (status == STATUS_OK)
        status = redis_client_open(&wiring->page.redis, &wiring->page_client, report);
    return status;
}

/* Next time with the password of then. */
static void close_page(struct wiring *wiring)
{
    redis_client_close(wiring->page_client);
    wiring->page_client = NULL;
}

enum status wiring_redis(void *self, struct report *report)
{
    struct wiring *wiring = self;
    enum status status = open_page(wiring, report);
    struct redis redis;

    if (status != STATUS_OK)
        return status;
    redis = redis_client_port(wiring->page_client);
    status = store_server_check(&redis, report);
    redis.forget(redis.self);
    if (status != STATUS_OK)
        close_page(wiring);
    return status;
}

/* The configured parameters with the newest insight over them. */
static enum status learned_params(struct wiring *wiring, struct params *ret_params,
                                  struct report *report)
{
    struct redis redis = redis_client_port(wiring->page_client);
    struct insight newest;
    enum status status;

    *ret_params = wiring->config->params;
    status = proposal_load(&redis, wiring->config->app, &ret_params->insight, &newest, report);
    if (status == STATUS_OK)
        params_learn(ret_params, &newest);
    return status;
}

enum status wiring_customer(void *self, struct span id, char *buffer, size_t cap, size_t *ret_len,
                            struct report *report)
{
    struct wiring *wiring = self;
    struct clock clock = clock_system();
    struct params params;
    struct customer_page page = {
        .app = wiring->config->app,
        .params = &params,
        .partitions = atomic_load(&wiring->partitions),
        .crc32 = wiring->config->kafka_partitioner == CONFIG_PARTITIONER_CRC32,
        .event_clock = wiring->config->params.clock == FOLD_CLOCK_EVENT,
        .wall_ms = clock_wall_ms(&clock),
    };
    enum status status;

    if (page.partitions == 0) {
        report_set(report, "starting", "the input topic has not been seen yet");
        return STATUS_RETRY;
    }
    status = open_page(wiring, report);
    if (status != STATUS_OK)
        return status;
    page.redis = redis_client_port(wiring->page_client);
    status = learned_params(wiring, &params, report);
    if (status == STATUS_OK)
        status = customer_page_write(&page, id, buffer, cap, ret_len, report);
    if (status != STATUS_OK && status != STATUS_GONE)
        close_page(wiring);
    return status;
}

/* --- the learner's view of Redis --- */

static enum status learner_connect(void *self, struct redis *ret_redis, struct report *report)
{
    struct wiring *wiring = self;
    enum status status = read_redis_password(&wiring->learner, report);

    if (status == STATUS_OK)
        status = redis_client_open(&wiring->learner.redis, &wiring->learner_client, report);
    if (status == STATUS_OK)
        *ret_redis = redis_client_port(wiring->learner_client);
    return status;
}

static void learner_disconnect(void *self)
{
    struct wiring *wiring = self;

    redis_client_close(wiring->learner_client);
    wiring->learner_client = NULL;
}

static int32_t learner_partitions(void *self)
{
    struct wiring *wiring = self;

    return atomic_load(&wiring->partitions);
}

struct learner_options wiring_learner(struct wiring *wiring)
{
    const struct config *config = wiring->config;

    return (struct learner_options){
        .app = config->app,
        .params = &config->params,
        .clock = clock_system(),
        .every_ms = config->insight_every_ms,
        .look_ms = config->insight_look_ms,
        .buyers_min = config->insight_buyers_min,
        .self = wiring,
        .connect = learner_connect,
        .disconnect = learner_disconnect,
        .partitions = learner_partitions,
    };
}

/* --- life --- */

static enum status fill(struct wiring *wiring, struct report *report)
{
    const struct config *config = wiring->config;
    bool changed = false;
    enum status status;

    for (size_t i = 0; i < config->type_alias_count; i++)
        wiring->aliases[i] = (struct decode_alias){.from = config->type_aliases[i].from,
                                                   .to = config->type_aliases[i].to};
    wiring->page.wiring = wiring->learner.wiring = wiring;
    fill_redis(&wiring->page);
    fill_redis(&wiring->learner);
    for (int64_t i = 0; i < config->workers; i++) {
        struct wired *wired = &wiring->workers[i];

        wired->wiring = wiring;
        wired->kafka_secrets = calloc(config->kafka_secret_count + 1, sizeof *wired->kafka_secrets);
        MUST(wired->kafka_secrets != NULL);
        (void)snprintf(wired->instance, sizeof wired->instance, "%.64s-%lld", config->name,
                       (long long)i);
        fill_redis(wired);
        fill_kafka(wired, wired->instance);
        fill_worker(wired);
    }
    status = read_kafka_secrets(&wiring->workers[0], &changed, report);
    if (status == STATUS_OK)
        status = read_redis_password(&wiring->workers[0], report);
    if (status == STATUS_OK)
        status = kafka_conf_check(&wiring->workers[0].kafka, report);
    if (status == STATUS_OK) { /* what the build or the address forbids */
        status = redis_client_open(&wiring->workers[0].redis, &wiring->page_client, report);
        redis_client_close(wiring->page_client);
        wiring->page_client = NULL;
    }
    return status;
}

enum status wiring_open(const struct config *config, const char *embedded_brokers,
                        struct wiring **ret_wiring, struct report *report)
{
    struct wiring *wiring = calloc(1, sizeof *wiring);
    enum status status;
    bool fast = false;

    MUST(wiring != NULL);
    wiring->workers = calloc((size_t)config->workers, sizeof *wiring->workers);
    MUST(wiring->workers != NULL);
    wiring->config = config;
    wiring->embedded = embedded_brokers != NULL;
    wiring->brokers = embedded_brokers ? embedded_brokers : config->kafka_brokers;
    MUST(getrandom(&wiring->incarnation, sizeof wiring->incarnation, 0) ==
         sizeof wiring->incarnation);
    wiring->clock = test_clock_from(getenv("LIFECYCLED_TEST_CLOCK"), &fast);
    if (fast)
        log_line(LOG_LEVEL_WARNING, "test-clock", -1,
                 "LIFECYCLED_TEST_CLOCK is set: the workers' time is not the machine's. For tests "
                 "only");
    (void)snprintf(wiring->process, sizeof wiring->process, "%016llx",
                   (unsigned long long)wiring->incarnation);
    status = fill(wiring, report);
    if (status != STATUS_OK) {
        wiring_close(wiring);
        return status;
    }
    *ret_wiring = wiring;
    return STATUS_OK;
}

void wiring_close(struct wiring *wiring)
{
    if (!wiring)
        return;
    for (int64_t i = 0; i < wiring->config->workers; i++) {
        struct wired *wired = &wiring->workers[i];

        for (size_t j = 0; wired->kafka_secrets && j < wiring->config->kafka_secret_count; j++)
            secret_wipe(&wired->kafka_secrets[j]);
        free(wired->kafka_secrets);
        secret_wipe(&wired->redis_password);
        secret_wipe(&wired->sentinel_password);
    }
    redis_client_close(wiring->page_client);
    secret_wipe(&wiring->page.redis_password);
    secret_wipe(&wiring->page.sentinel_password);
    redis_client_close(wiring->learner_client);
    secret_wipe(&wiring->learner.redis_password);
    secret_wipe(&wiring->learner.sentinel_password);
    secret_wipe(&wiring->admin_token);
    free(wiring->workers);
    free(wiring);
}
