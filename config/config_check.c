/* What must hold between settings that are each right. A sentence names its settings by their
 * paths, and the place is found from them, so that a check is one row. */
#include <ctype.h>
#include <stdio.h>

#include "config/config_inner.h"

/* Is the word, up to punctuation, the node's path or (a parameter named after others of its
 * section) its key? */
static bool names_node(struct span word, const struct yaml_node *node)
{
    char path[2 * SETTING_TEXT_MAX];

    if (node->depth == 1)
        return span_is(word, node->names[0]) && !node->map;
    if (node->depth != 2)
        return false;
    (void)snprintf(path, sizeof(path), "%.100s.%.100s", node->names[0], node->names[1]);
    return span_is(word, path) || (strchr(node->names[1], '_') && span_is(word, node->names[1]));
}

static bool in_word(char byte)
{
    return isalnum((unsigned char)byte) || byte == '_' || byte == '.';
}

static void contradiction(struct config_reader *reader, const char *sentence)
{
    const struct yaml_node *last = NULL;

    for (const char *at = sentence; *at;) {
        struct span word = {at, 0};

        while (in_word(at[word.len]))
            word.len++;
        at += word.len > 0 ? word.len : 1;
        if (word.len > 1 && word.at[word.len - 1] == '.')
            word.len--; /* the end of a sentence */
        for (size_t i = 0; word.len > 0 && i < reader->tree.count; i++) {
            const struct yaml_node *node = &reader->tree.nodes[i];

            if (!names_node(word, node))
                continue;
            if (node->bad)
                return; /* it has its own error; what it means is not known */
            if (!last || node->value_at.line > last->value_at.line)
                last = node;
        }
    }
    config_error_add(reader->errors, last ? last->value_at.line : 0,
                     last ? last->value_at.column : 0, "%s", sentence);
}

static bool is_remote(const char *address)
{
    struct config_address parsed;

    return config_address_parse(address, &parsed) == STATUS_OK && !parsed.loopback;
}

static void check_topics(struct config_reader *reader)
{
    const struct config *config = &reader->config;
    const struct {
        const char *path, *topic;
    } topics[] = {
        {"kafka.input_topic", config->kafka_input_topic},
        {"kafka.alerts_topic", config->kafka_alerts_topic},
        {"kafka.dead_letter_topic", config->kafka_dead_letter_topic},
        {"kafka.control_topic", config->kafka_control_topic},
    };
    char sentence[SETTING_TEXT_MAX];

    for (size_t i = 0; i < sizeof(topics) / sizeof(topics[0]); i++) {
        for (size_t j = 0; j < i; j++) {
            if (strcmp(topics[i].topic, topics[j].topic) != 0)
                continue;
            (void)snprintf(sentence, sizeof(sentence), "%s must not be %s", topics[i].path,
                           topics[j].path);
            contradiction(reader, sentence);
        }
    }
}

static bool stands(const struct config_reader *reader, const char *section, const char *key)
{
    for (size_t i = 0; i < reader->tree.count; i++) {
        const struct yaml_node *node = &reader->tree.nodes[i];

        if (node->depth == 2 && strcmp(node->names[0], section) == 0 &&
            strcmp(node->names[1], key) == 0)
            return true;
    }
    return false;
}

/* Each of redis.sentinels is host:port; NULL, or what is wrong. */
static const char *sentinels_fault(const struct config *config)
{
    char text[SETTING_TEXT_MAX];
    bool remote = false;

    for (const char *at = config->redis_sentinels; *at;) {
        size_t len = strcspn(at, ","), space = strspn(at, " ");
        struct config_address address;

        (void)snprintf(text, sizeof(text), "%.*s", (int)(len - (space < len ? space : 0)),
                       at + (space < len ? space : 0));
        if (len >= sizeof(text) || config_address_parse(text, &address) != STATUS_OK ||
            address.path[0] || address.port == 0 || (at[len] && !at[len + 1]))
            return "redis.sentinels takes host:port,host:port,... and nothing else";
        remote = remote || !address.loopback;
        at += len + (at[len] == ',');
    }
    return remote && !config->redis_tls && !config->redis_allow_plaintext
               ? "redis.sentinels are other machines: set redis.tls, or redis.allow_plaintext when "
                 "the way there is safe"
               : NULL;
}

static void check_sentinels(struct config_reader *reader)
{
    const struct config *config = &reader->config;
    bool asked = config->redis_sentinels[0] != '\0';
    const char *fault = sentinels_fault(config);
    const struct {
        bool holds;
        const char *sentence;
    } rows[] = {
        {!asked || !stands(reader, "redis", "address"),
         "redis.address and redis.sentinels exclude each other: one fixed server, or the primary "
         "that the Sentinels name"},
        {!asked || config->redis_master[0],
         "redis.sentinels needs redis.master, the name of the primary there"},
        {asked || !config->redis_master[0], "redis.master says nothing without redis.sentinels"},
        {asked || !config->redis_sentinel_username[0],
         "redis.sentinel_username says nothing without redis.sentinels"},
        {asked || !config->redis_sentinel_password_file[0],
         "redis.sentinel_password_file says nothing without redis.sentinels"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (!rows[i].holds)
            contradiction(reader, rows[i].sentence);
    if (fault)
        contradiction(reader, fault);
}

/* A property that stands under kafka.properties and kafka.secrets has two values. */
static void check_secrets(struct config_reader *reader)
{
    const struct config *config = &reader->config;

    for (size_t i = 0; i < reader->tree.count; i++) {
        struct yaml_node *node = &reader->tree.nodes[i];

        if (node->depth != 3 || strcmp(node->names[1], "secrets") != 0)
            continue;
        for (size_t j = 0; j < config->kafka_property_count; j++)
            if (strcmp(config->kafka_properties[j].name, node->names[2]) == 0)
                config_node_fault(reader, node, node->key_at, "stands under kafka.properties too");
    }
}

void config_check(struct config_reader *reader)
{
    const struct config *config = &reader->config;
    const struct {
        bool holds;
        const char *sentence;
    } rows[] = {
        {config->batch_bytes_max >= 16 * config->events_bytes_max,
         "batch.bytes_max must be at least 16 times events.bytes_max"},
        {config->redis_tls || !config->redis_tls_ca_file[0],
         "redis.tls_ca_file says nothing without redis.tls"},
        {config->redis_tls || !config->redis_tls_cert_file[0],
         "redis.tls_cert_file says nothing without redis.tls"},
        {config->redis_tls || !config->redis_tls_server_name[0],
         "redis.tls_server_name says nothing without redis.tls"},
        {!config->redis_tls_cert_file[0] == !config->redis_tls_key_file[0],
         "redis.tls_cert_file and redis.tls_key_file go together"},
        {config->redis_tls || config->redis_allow_plaintext || !is_remote(config->redis_address),
         "redis.address is another machine: set redis.tls, or redis.allow_plaintext when the way "
         "there is safe"},
        /* A rate that is wrong has its own error. */
        {reader->errors->count > 0 || config->assumed == CURRENCY_NONE ||
             config->params.rates[config->assumed].mantissa > 0,
         "money.assumed needs its rate under money.rates"},
        {!config->http_listen[0] || strncmp(config->http_listen, "unix:", 5) != 0,
         "http.listen takes host:port, no unix socket"},
    };
    const char *sentence = params_contradiction(&config->params);

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (!rows[i].holds)
            contradiction(reader, rows[i].sentence);
    check_topics(reader);
    check_secrets(reader);
    check_sentinels(reader);
    if (sentence)
        contradiction(reader, sentence);
}
