#include "config/setting.h"

#include <stdio.h>

#include "base/must.h"
#include "base/text.h"

#define OF_TEXT(x)     .fallback_text = (x)
#define OF_NAME(x)     .fallback_text = (x)
#define OF_CURRENCY(x) .fallback_text = (x)
#define OF_ADDRESS(x)  .fallback_text = (x)
#define OF_COUNT(x)    .fallback = (double)(x)
#define OF_DURATION(x) .fallback = (double)(x)
#define OF_SIZE(x)     .fallback = (double)(x)
#define OF_FLAG(x)     .fallback = (x)
#define OF_CHOICE(x)   .fallback = (x)
#define OF_FRACTION(x) .fallback = (x)
#define OF_NUMBER(x)   .fallback = (x)
#define OF_MONEY(x)    .fallback = (double)(x)

/* Types of params.def; its FLAG is an int64_t, that of config.def a bool. */
#define TYPE_COUNT    SETTING_COUNT
#define TYPE_DURATION SETTING_DURATION
#define TYPE_FRACTION SETTING_FRACTION
#define TYPE_NUMBER   SETTING_NUMBER
#define TYPE_MONEY    SETTING_MONEY
#define TYPE_FLAG     SETTING_PARAM_FLAG

const struct setting setting_rows[] = {
#define SETTING(field, where, key, kind, otherwise, low, high, units, words)                       \
    {.section = (where),                                                                           \
     .name = (key),                                                                                \
     .type = SETTING_##kind,                                                                       \
     .offset = offsetof(struct config, field),                                                     \
     OF_##kind(otherwise),                                                                         \
     .min = (double)(low),                                                                         \
     .max = (double)(high),                                                                        \
     .unit = (units),                                                                              \
     .help = (words)},
#include "config/config.def"
#undef SETTING
#define PARAM(where, field, kind, otherwise, low, high, units, words)                              \
    {.section = #where,                                                                            \
     .name = #field,                                                                               \
     .type = TYPE_##kind,                                                                          \
     .offset = offsetof(struct config, params) + offsetof(struct params, field),                   \
     OF_##kind(otherwise),                                                                         \
     .min = (double)(low),                                                                         \
     .max = (double)(high),                                                                        \
     .unit = (units),                                                                              \
     .help = (words)},
#include "model/params.def"
#undef PARAM
};
const size_t setting_row_count = sizeof(setting_rows) / sizeof(setting_rows[0]);

const struct setting_group setting_groups[] = {
    {"", "The instance"},
    {"kafka", "Kafka: where events come from and alerts go to"},
    {"redis", "Redis: where the state of the customers is kept"},
    {"cache", "Customers kept in memory"},
    {"batch", "How much is done at once"},
    {"money", "Currencies"},
    {"events", "What an event may be"},
    {"model", "Parameters of the published models; time in days"},
    {"warnings", "Warning signs: log-odds added to logit P(buy)"},
    {"stage", "Thresholds of the lifecycle stages"},
    {"rules", "Alert kinds"},
    {"tiers", "Tiers A, B, C, D by expected value"},
    {"insight", "What is learned from the population of customers"},
    {"upgrade", "While two versions run in one group"},
    {"alerts", "Alerts as they are written"},
    {"guards", "How fast time may go for a partition"},
    {"log", "Log"},
    {"http", "Metrics, health and customers over HTTP"},
};
const size_t setting_group_count = sizeof(setting_groups) / sizeof(setting_groups[0]);

const struct setting_map setting_maps[] = {
    {"kafka", "properties",
     "any property of librdkafka (its CONFIGURATION.md), but those that exactly-once depends on",
     "security.protocol: SASL_SSL"},
    {"kafka", "secrets",
     "properties of librdkafka whose value stands in a file or systemd credential",
     "sasl.password: kafka-password"},
    {"money", "rates", "units of the reporting currency for one unit of another, exact decimals",
     "USD: 0.9213"},
    {"events", "type_aliases", "names that publishers use, and the type each means",
     "purchase: Order Completed"},
};
const size_t setting_map_count = sizeof(setting_maps) / sizeof(setting_maps[0]);

static bool ends_in(struct span text, const char *suffix)
{
    size_t len = strlen(suffix);

    return text.len > len && memcmp(text.at + text.len - len, suffix, len) == 0;
}

struct span setting_key(const struct setting *setting)
{
    struct span key = span_of(setting->name);

    if (setting->type == SETTING_DURATION && ends_in(key, "_ms"))
        key.len -= 3;
    else if (setting->type == SETTING_MONEY && ends_in(key, "_minor"))
        key.len -= 6;
    return key;
}

void setting_path(const struct setting *setting, char ret_path[SETTING_TEXT_MAX])
{
    struct span key = setting_key(setting);

    (void)snprintf(ret_path, SETTING_TEXT_MAX, "%s%s%.*s", setting->section,
                   setting->section[0] ? "." : "", (int)key.len, key.at);
}

const struct setting *setting_find(const char *section, const char *key)
{
    for (size_t i = 0; i < setting_row_count; i++)
        if (strcmp(setting_rows[i].section, section) == 0 &&
            span_is(setting_key(&setting_rows[i]), key))
            return &setting_rows[i];
    return NULL;
}

/* --- values in struct config --- */

static bool is_text(const struct setting *setting)
{
    return setting->type == SETTING_TEXT || setting->type == SETTING_NAME ||
           setting->type == SETTING_CURRENCY || setting->type == SETTING_ADDRESS;
}

static void put(const struct setting *setting, struct config *config, const void *value,
                size_t size)
{
    memcpy((char *)config + setting->offset, value, size);
}

static void put_text(const struct setting *setting, struct config *config, const char *text)
{
    put(setting, config, &text, sizeof(text));
}

static void put_number(const struct setting *setting, struct config *config, double value)
{
    int64_t whole;
    int choice;
    bool flag;

    MUST(!is_text(setting));
    switch (setting->type) {
    case SETTING_COUNT:
    case SETTING_DURATION:
    case SETTING_SIZE:
    case SETTING_MONEY:
    case SETTING_PARAM_FLAG:
        whole = (int64_t)value;
        put(setting, config, &whole, sizeof(whole));
        break;
    case SETTING_FRACTION:
    case SETTING_NUMBER:
        put(setting, config, &value, sizeof(value));
        break;
    case SETTING_CHOICE:
        choice = (int)value;
        put(setting, config, &choice, sizeof(choice));
        break;
    case SETTING_FLAG:
        flag = value != 0;
        put(setting, config, &flag, sizeof(flag));
        break;
    case SETTING_TEXT:
    case SETTING_NAME:
    case SETTING_CURRENCY:
    case SETTING_ADDRESS:
        break; /* no numbers */
    }
}

static double get_number(const struct setting *setting, const struct config *config)
{
    const char *at = (const char *)config + setting->offset;
    int64_t whole;
    double real;
    int choice;
    bool flag;

    switch (setting->type) {
    case SETTING_FRACTION:
    case SETTING_NUMBER:
        memcpy(&real, at, sizeof(real));
        return real;
    case SETTING_CHOICE:
        memcpy(&choice, at, sizeof(choice));
        return choice;
    case SETTING_FLAG:
        memcpy(&flag, at, sizeof(flag));
        return flag;
    default:
        memcpy(&whole, at, sizeof(whole));
        return (double)whole;
    }
}

void setting_reset(const struct setting *setting, struct config *config)
{
    if (is_text(setting))
        put_text(setting, config, setting->fallback_text);
    else
        put_number(setting, config, setting->fallback);
}

/* --- writing --- */

static const struct size_unit {
    const char *name;
    int64_t bytes;
} size_units[] = {
    {"TiB", INT64_C(1) << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1},
};
#define SIZE_UNITS (sizeof(size_units) / sizeof(size_units[0]))

static void size_format(int64_t bytes, char *ret_text, size_t cap)
{
    size_t i = 0;

    while (bytes % size_units[i].bytes != 0)
        i++; /* ends at "B" */
    (void)snprintf(ret_text, cap, "%lld%s", (long long)(bytes / size_units[i].bytes),
                   size_units[i].name);
}

/* The n-th word of "a|b|c"; absent beyond the last. */
static struct span choice_word(const char *words, int n)
{
    for (int i = 0;; i++) {
        size_t len = strcspn(words, "|");

        if (i == n)
            return (struct span){words, len};
        if (words[len] == '\0')
            return SPAN_ABSENT;
        words += len + 1;
    }
}

/* A number of the setting's type, as it is written in the file. */
static void number_format(const struct setting *setting, const struct config *config, double value,
                          char *ret_text, size_t cap)
{
    struct span word;

    switch (setting->type) {
    case SETTING_DURATION:
        (void)text_duration_format((int64_t)value, ret_text, cap);
        break;
    case SETTING_SIZE:
        size_format((int64_t)value, ret_text, cap);
        break;
    case SETTING_MONEY:
        (void)text_decimal_format((int64_t)value, currency_exponent(config->params.reporting),
                                  ret_text, cap);
        break;
    case SETTING_FLAG:
    case SETTING_PARAM_FLAG:
        (void)snprintf(ret_text, cap, "%s", value != 0 ? "true" : "false");
        break;
    case SETTING_CHOICE:
        word = choice_word(setting->unit, (int)value);
        (void)snprintf(ret_text, cap, "%.*s", (int)word.len, word.at);
        break;
    case SETTING_COUNT:
        (void)snprintf(ret_text, cap, "%lld", (long long)value);
        break;
    default:
        (void)snprintf(ret_text, cap, "%.15g", value);
    }
}

void setting_format(const struct setting *setting, const struct config *config, char *ret_text,
                    size_t cap)
{
    const char *text;

    if (!is_text(setting)) {
        number_format(setting, config, get_number(setting, config), ret_text, cap);
        return;
    }
    memcpy(&text, (const char *)config + setting->offset, sizeof(text));
    (void)snprintf(ret_text, cap, "%s", text);
}

void setting_range(const struct setting *setting, const struct config *config, char *ret_text,
                   size_t cap)
{
    char low[SETTING_TEXT_MAX], high[SETTING_TEXT_MAX];
    size_t len = 0;

    ret_text[0] = '\0';
    if (is_text(setting)) {
        (void)snprintf(ret_text, cap, "%s", setting->unit);
        return;
    }
    if (setting->type == SETTING_FLAG || setting->type == SETTING_PARAM_FLAG) {
        (void)snprintf(ret_text, cap, "true or false");
        return;
    }
    if (setting->type == SETTING_CHOICE) {
        for (int i = 0; choice_word(setting->unit, i).at && len < cap; i++) {
            struct span word = choice_word(setting->unit, i);

            len += (size_t)snprintf(ret_text + len, cap - len, "%s%.*s", i > 0 ? ", " : "",
                                    (int)word.len, word.at);
        }
        return;
    }
    number_format(setting, config, setting->min, low, sizeof(low));
    number_format(setting, config, setting->max, high, sizeof(high));
    (void)snprintf(ret_text, cap, "%s to %s%s%s", low, high, setting->unit[0] ? " " : "",
                   setting->unit);
}

/* --- reading --- */

static enum status reject(struct report *why, struct span text, const char *words)
{
    report_set(why, "config", "\"%.*s\" %s", (int)(text.len < 80 ? text.len : 80), text.at, words);
    return STATUS_REJECT;
}

static enum status size_parse(struct span text, int64_t *ret_bytes)
{
    size_t digits = strspn(text.at, "0123456789");
    struct span unit = {text.at + digits, text.len - digits};

    for (size_t i = 0; i < SIZE_UNITS; i++) {
        int64_t count;

        if (!span_is(unit, size_units[i].name))
            continue;
        if (text_i64_parse((struct span){text.at, digits}, &count) != STATUS_OK ||
            count > INT64_MAX / size_units[i].bytes)
            return STATUS_REJECT;
        *ret_bytes = count * size_units[i].bytes;
        return STATUS_OK;
    }
    return STATUS_REJECT;
}

static enum status flag_parse(struct span text, double *ret_value)
{
    if (!span_is(text, "true") && !span_is(text, "false"))
        return STATUS_REJECT;
    *ret_value = span_is(text, "true");
    return STATUS_OK;
}

static enum status choice_parse(const struct setting *setting, struct span text, double *ret_value,
                                struct report *why)
{
    char words[8][SETTING_TEXT_MAX], list[SETTING_TEXT_MAX];
    const char *candidates[8], *nearest;
    int count = 0;

    for (struct span word; (word = choice_word(setting->unit, count)).at; count++) {
        if (span_equal(word, text)) {
            *ret_value = count;
            return STATUS_OK;
        }
        MUST(count < 8);
        (void)snprintf(words[count], sizeof(words[0]), "%.*s", (int)word.len, word.at);
        candidates[count] = words[count];
    }
    setting_range(setting, NULL, list, sizeof(list));
    nearest = text_did_you_mean(text, candidates, (size_t)count);
    report_set(why, "config", "\"%.*s\" is none of %s%s%s%s", (int)(text.len < 80 ? text.len : 80),
               text.at, list, nearest ? "; did you mean " : "", nearest ? nearest : "",
               nearest ? "?" : "");
    return STATUS_REJECT;
}

static enum status number_parse(const struct setting *setting, struct span text,
                                const struct config *config, double *ret_value, struct report *why)
{
    int64_t whole = 0;
    double real = 0;
    enum status status;

    switch (setting->type) {
    case SETTING_COUNT:
        if (text_i64_parse(text, &whole) != STATUS_OK)
            return reject(why, text, "is no whole number");
        break;
    case SETTING_DURATION:
        if (text_duration_parse(text, &whole) != STATUS_OK)
            return reject(why, text,
                          "is no duration: a whole number and a unit, 90d, 36h, 15m, 10s or 250ms");
        break;
    case SETTING_SIZE:
        if (size_parse(text, &whole) != STATUS_OK)
            return reject(why, text,
                          "is no size: a whole number and a unit, 512B, 64KiB, 256MiB or 2GiB");
        break;
    case SETTING_MONEY:
        if (text_decimal_parse(text, currency_exponent(config->params.reporting), &whole))
            return reject(why, text, "is no amount of the reporting currency, such as 12.50");
        break;
    case SETTING_FLAG:
    case SETTING_PARAM_FLAG:
        status = flag_parse(text, ret_value);
        return status == STATUS_OK ? status : reject(why, text, "is neither true nor false");
    case SETTING_CHOICE:
        return choice_parse(setting, text, ret_value, why);
    default:
        if (text_double_parse(text, &real) != STATUS_OK)
            return reject(why, text, "is no number, such as 0.25");
        *ret_value = real;
        return STATUS_OK;
    }
    *ret_value = (double)whole;
    return STATUS_OK;
}

static bool is_name(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        char byte = text.at[i], lower = (char)(byte | 0x20);

        if (!((lower >= 'a' && lower <= 'z') || (byte >= '0' && byte <= '9') || byte == '.' ||
              byte == '-' || byte == '_'))
            return false;
    }
    return !span_is(text, ".") && !span_is(text, "..");
}

static const char *text_fault(const struct setting *setting, struct span text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.at[i] < 0x20 || text.at[i] == 0x7f)
            return "holds a control character";
    if (text.len == 0 && setting->min > 0)
        return "must not be empty";
    if (text.len == 0)
        return NULL;
    if (setting->type == SETTING_CURRENCY && currency_find(text) == CURRENCY_NONE)
        return "is no currency of ISO 4217, such as EUR";
    if (setting->type == SETTING_NAME && !is_name(text))
        return "may hold letters, digits, dot, dash and underscore only";
    if ((double)text.len < setting->min)
        return "is too short";
    if ((double)text.len > setting->max)
        return "is too long";
    return NULL;
}

static enum status text_parse(const struct setting *setting, struct span text,
                              struct config *config, struct report *why)
{
    const char *fault = text_fault(setting, text);
    struct config_address address;
    char *copy;

    if (fault)
        return reject(why, text, fault);
    copy = arena_zalloc(&config->arena, text.len + 1);
    if (!copy)
        return reject(why, text, "found no memory");
    memcpy(copy, text.at, text.len);
    if (setting->type == SETTING_ADDRESS && text.len > 0 &&
        config_address_parse(copy, &address) != STATUS_OK)
        return reject(why, text, "is neither host:port, [v6]:port nor unix:/path");
    put_text(setting, config, copy);
    return STATUS_OK;
}

enum status setting_parse(const struct setting *setting, struct span text, struct config *config,
                          struct report *why)
{
    char range[2 * SETTING_TEXT_MAX];
    double value = 0;

    if (is_text(setting))
        return text_parse(setting, text, config, why);
    if (number_parse(setting, text, config, &value, why) != STATUS_OK)
        return STATUS_REJECT;
    if (!(value >= setting->min && value <= setting->max)) {
        setting_range(setting, config, range, sizeof(range));
        report_set(why, "config", "\"%.*s\" is out of range: %s",
                   (int)(text.len < 80 ? text.len : 80), text.at, range);
        return STATUS_REJECT;
    }
    put_number(setting, config, value);
    return STATUS_OK;
}
