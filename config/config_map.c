/* The members of the maps: properties of librdkafka, their secrets, currency rates, names of
 * events. */
#include <stdio.h>

#include "base/must.h"
#include "base/text.h"
#include "config/config_inner.h"

#define RATE_SCALE_MAX    12
#define RATE_MANTISSA_MAX INT64_C(1000000000000000)

static const char *keep(struct config_reader *reader, struct yaml_node *node, struct span text)
{
    char *copy = arena_zalloc(&reader->config.arena, text.len + 1);

    if (!copy) {
        config_node_fault(reader, node, node->key_at, "no memory");
        return NULL;
    }
    if (text.len > 0)
        memcpy(copy, text.at, text.len);
    return copy;
}

static bool ends_in(const char *text, const char *suffix)
{
    size_t len = strlen(text), suffix_len = strlen(suffix);

    return len >= suffix_len && strcmp(text + len - suffix_len, suffix) == 0;
}

static void property_read(struct config_reader *reader, struct yaml_node *node, bool secret)
{
    struct config *config = &reader->config;
    struct config_property *list = secret ? config->kafka_secrets : config->kafka_properties;
    size_t *count = secret ? &config->kafka_secret_count : &config->kafka_property_count;
    const char *name = node->names[2], *why = reader->refuse ? reader->refuse(name) : NULL;
    char words[SETTING_TEXT_MAX * 2];

    if (why) {
        (void)snprintf(words, sizeof(words), "can't be set: %s", why);
        config_node_fault(reader, node, node->key_at, words);
        return;
    }
    /* The file is read by more people than a secret is meant for. */
    if (!secret &&
        (ends_in(name, "password") || ends_in(name, "secret") || ends_in(name, ".pem"))) {
        config_node_fault(reader, node, node->key_at,
                          "a secret does not stand here; name its file under kafka.secrets");
        return;
    }
    if (memchr(node->value.at, '\0', node->value.len)) {
        config_node_fault(reader, node, node->value_at, "holds a zero byte");
        return;
    }
    if (*count == CONFIG_PROPERTIES_MAX) {
        config_node_fault(reader, node, node->key_at, "more properties than are possible");
        return;
    }
    list[*count].name = keep(reader, node, span_of(name));
    list[*count].value = keep(reader, node, node->value);
    *count += list[*count].name && list[*count].value;
}

/* "0.9213" as mantissa 9213, scale 4. */
static bool rate_parse(struct span text, struct currency_rate *ret_rate)
{
    struct currency_rate rate = {0};
    bool point = false, digit = false;

    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] == '.' && !point && digit) {
            point = true;
            digit = false; /* one must follow */
            continue;
        }
        if (text.at[i] < '0' || text.at[i] > '9' || rate.mantissa > (RATE_MANTISSA_MAX - 9) / 10)
            return false;
        rate.mantissa = rate.mantissa * 10 + (text.at[i] - '0');
        rate.scale += point;
        digit = true;
    }
    while (rate.scale > 0 && rate.mantissa % 10 == 0) {
        rate.mantissa /= 10;
        rate.scale--;
    }
    if (!digit || rate.mantissa == 0 || rate.scale > RATE_SCALE_MAX)
        return false;
    *ret_rate = rate;
    return true;
}

static void rate_read(struct config_reader *reader, struct yaml_node *node)
{
    struct params *params = &reader->config.params;
    enum currency currency = currency_find(span_of(node->names[2]));
    struct currency_rate rate;

    if (currency == CURRENCY_NONE) {
        config_node_fault(reader, node, node->key_at, "is no currency of ISO 4217, such as USD");
        return;
    }
    if (!rate_parse(node->value, &rate)) {
        config_node_fault(reader, node, node->value_at,
                          "needs an exact decimal above 0, such as 0.9213, of at most 12 decimals "
                          "and 14 digits");
        return;
    }
    if (currency == params->reporting && (rate.mantissa != 1 || rate.scale != 0)) {
        config_node_fault(reader, node, node->value_at,
                          "is the reporting currency itself; its rate is 1");
        return;
    }
    params->rates[currency] = rate;
}

/* Lower-case letters and digits only, as event_type_find compares. */
static struct span reduce(struct config_reader *reader, const char *name)
{
    char *copy = arena_zalloc(&reader->scratch, strlen(name) + 1);
    size_t len = 0;

    if (!copy)
        return SPAN_ABSENT;
    for (; *name; name++) {
        char byte = *name >= 'A' && *name <= 'Z' ? (char)(*name | 0x20) : *name;

        if ((byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') ||
            (unsigned char)byte >= 0x80)
            copy[len++] = byte;
    }
    return (struct span){copy, len};
}

static void alias_read(struct config_reader *reader, struct yaml_node *node)
{
    static const char *const titles[] = {
#define EVENT_TYPE(name, title, group, required) title,
#include "model/event_type.def"
#undef EVENT_TYPE
    };
    struct config *config = &reader->config;
    struct span from = reduce(reader, node->names[2]);
    enum event_type to = event_type_find(node->value);
    char words[SETTING_TEXT_MAX * 2];

    if (from.len == 0) {
        config_node_fault(reader, node, node->key_at, "holds no letter and no digit");
    } else if (event_type_find(from) != EVENT_UNKNOWN) {
        config_node_fault(reader, node, node->key_at, "is the name of a type already");
    } else if (to == EVENT_UNKNOWN) {
        /* titles[0] is Unknown, which nothing is meant to be. */
        const char *nearest =
            text_did_you_mean(node->value, titles + 1, sizeof(titles) / sizeof(titles[0]) - 1);

        (void)snprintf(words, sizeof(words), "\"%.60s\" is no event type%s%s%s", node->value.at,
                       nearest ? "; did you mean " : "", nearest ? nearest : "",
                       nearest ? "?" : "");
        config_node_fault(reader, node, node->value_at, words);
    } else if (config->type_alias_count == CONFIG_ALIASES_MAX) {
        config_node_fault(reader, node, node->key_at, "more names than are possible");
    } else {
        struct config_alias *alias = &config->type_aliases[config->type_alias_count];

        alias->from = keep(reader, node, from);
        alias->to = to;
        config->type_alias_count += alias->from != NULL;
    }
}

void config_map_read(struct config_reader *reader, struct yaml_node *node)
{
    const char *map = node->names[1];

    if (node->map) {
        config_node_fault(reader, node, node->value_at, "takes one value, not a map");
    } else if (node->null) {
        config_node_fault(reader, node, node->key_at, "has no value");
    } else if (strcmp(map, "properties") == 0) {
        property_read(reader, node, false);
    } else if (strcmp(map, "secrets") == 0) {
        property_read(reader, node, true);
    } else if (strcmp(map, "rates") == 0) {
        rate_read(reader, node);
    } else {
        MUST(strcmp(map, "type_aliases") == 0);
        alias_read(reader, node);
    }
}
