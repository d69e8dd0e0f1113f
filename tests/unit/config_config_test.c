#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "config/setting.h"

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

static const char *refuse(const char *property)
{
    return strcmp(property, "enable.auto.commit") == 0 ? "positions go with their alerts" : NULL;
}

/* Both are large: one of each for all tests. */
static struct config config;
static struct config_errors errors;

static enum status parse(const char *text)
{
    return config_parse(span_of(text), refuse, &config, &errors);
}

static void check_good(const char *name, const char *text)
{
    char line[600];

    if (parse(text) == STATUS_OK)
        return;
    config_error_format(&errors.errors[0], "FILE", line, sizeof(line));
    fail_msg("%s: %s", name, line);
}

/* --- the tables --- */

static void test_every_key_is_there_once_and_in_a_known_section(void **state)
{
    (void)state;
    for (size_t i = 0; i < setting_row_count; i++) {
        const struct setting *setting = &setting_rows[i];
        char key[SETTING_TEXT_MAX], path[SETTING_TEXT_MAX];
        size_t groups = 0;

        (void)snprintf(key, sizeof(key), "%.*s", (int)setting_key(setting).len,
                       setting_key(setting).at);
        setting_path(setting, path);
        if (setting_find(setting->section, key) != setting)
            fail_msg("%s stands twice", path);
        for (size_t g = 0; g < setting_group_count; g++)
            groups += strcmp(setting_groups[g].section, setting->section) == 0;
        if (groups != 1)
            fail_msg("the section of %s is in setting_groups %zu times", path, groups);
        if (setting->help[0] == '\0')
            fail_msg("%s has no help", path);
        if (!(setting->min <= setting->max))
            fail_msg("the range of %s is empty", path);
    }
}

/* "section:\n  key: value\n" */
static const char *file_of(const struct setting *setting, const char *value)
{
    static char text[512];
    struct span key = setting_key(setting);

    if (setting->section[0])
        (void)snprintf(text, sizeof(text), "%s:\n  %.*s: %s\n", setting->section, (int)key.len,
                       key.at, value);
    else
        (void)snprintf(text, sizeof(text), "%.*s: %s\n", (int)key.len, key.at, value);
    return text;
}

/* A bound that contradicts another setting is told in other words than one out of range. */
static bool out_of_range(void)
{
    for (size_t i = 0; i < errors.count; i++)
        if (strstr(errors.errors[i].text, "is out of range"))
            return true;
    return false;
}

static void test_both_sides_of_both_bounds_of_every_number(void **state)
{
    static const struct {
        enum setting_type type;
        const char *format; /* of a double */
        double step;
    } types[] = {
        {SETTING_COUNT, "%.0f", 1},     {SETTING_DURATION, "%.0fms", 1},
        {SETTING_SIZE, "%.0fB", 1},     {SETTING_FRACTION, "%.9f", 1e-9},
        {SETTING_NUMBER, "%.9f", 1e-9}, {SETTING_MONEY, "%.2f", 1},
    };
    size_t checked = 0;

    (void)state;
    for (size_t i = 0; i < setting_row_count; i++) {
        const struct setting *setting = &setting_rows[i];

        for (size_t t = 0; t < ROWS(types); t++) {
            double scale = setting->type == SETTING_MONEY ? 100 : 1, step = types[t].step;
            char value[64];

            if (types[t].type != setting->type)
                continue;
            for (int side = 0; side < 4; side++) {
                double bound = side < 2 ? setting->min : setting->max;
                double finer = step < 1 && bound > 1 ? step * bound : step;
                double at = side == 0 ? bound - finer : side == 3 ? bound + finer : bound;
                bool beyond = side == 0 || side == 3;

                if (at < 0 && setting->min >= 0 && setting->type != SETTING_COUNT)
                    continue; /* has no form at all: "-1ms" */
                (void)snprintf(value, sizeof(value), types[t].format, at / scale);
                if (parse(file_of(setting, value)) == STATUS_OK)
                    config_fini(&config);
                if (out_of_range() != beyond)
                    fail_msg("%s: %s should%s be in range", setting->name, value,
                             beyond ? " not" : "");
                checked++;
            }
        }
    }
    assert_true(checked > 200);
}

static void test_an_empty_file_is_all_defaults(void **state)
{
    struct params params;

    (void)state;
    check_good("empty", "");
    params_default(&params);
    assert_memory_equal(&config.params, &params, sizeof(params));
    assert_string_equal(config.kafka_brokers, "127.0.0.1:9092");
    assert_string_equal(config.kafka_group, "lifecycled");
    assert_string_equal(config.alerts_source, "lifecycled/lifecycled");
    assert_int_equal(config.kafka_session_timeout_ms, 10000);
    assert_int_equal(config.cache_bytes_max, 256 << 20);
    assert_int_equal(config.kafka_partitioner, CONFIG_PARTITIONER_MURMUR2);
    assert_int_equal(config.log_level, CONFIG_LOG_INFO);
    assert_int_equal(config.clock, CONFIG_CLOCK_WALL);
    assert_int_equal(config.assumed, CURRENCY_NONE);
    assert_false(config.continue_after_loss);
    assert_int_equal(config.kafka_property_count, 0);
    config_fini(&config);
}

static char *slurp(const char *path)
{
    char *text = calloc(1, 1 << 20);
    FILE *file = fopen(path, "r");

    assert_non_null(text);
    assert_non_null(file);
    assert_true(fread(text, 1, (1 << 20) - 1, file) > 0);
    fclose(file);
    return text;
}

static void test_the_example_file_is_the_generated_text(void **state)
{
    char *generated = config_print_example(),
         *file = slurp(LC_SOURCE_DIR "/config/lifecycled.yaml");

    (void)state;
    assert_non_null(generated);
    if (strcmp(generated, file) != 0)
        fail_msg(
            "config/lifecycled.yaml is stale: lifecycled --print-config > config/lifecycled.yaml");
    check_good("the example", generated);
    config_fini(&config);
    free(generated);
    free(file);
}

/* Every commented setting made a setting: "#key: value" becomes "key: value". */
static char *uncomment(char *text)
{
    char *out = text;

    for (const char *at = text; *at;) {
        size_t indent = strspn(at, " "), len = strcspn(at, "\n");

        if (at[indent] == '#' && at[indent + 1] >= 'a' && at[indent + 1] <= 'z') {
            memmove(out, at, indent);
            memmove(out + indent, at + indent + 1, len - indent);
            out += len - 1;
            *out++ = '\n';
        } else if (indent == 0 && at[0] >= 'a' && at[0] <= 'z') {
            memmove(out, at, len + 1);
            out += len + 1;
        }
        at += len + (at[len] == '\n');
    }
    *out = '\0';
    return text;
}

static void test_the_example_holds_every_setting_and_its_values_are_the_defaults(void **state)
{
    char *text = config_print_example();
    struct config *defaults = malloc(sizeof(*defaults));
    size_t lines = 0;

    (void)state;
    assert_non_null(text);
    assert_non_null(defaults);
    uncomment(text);
    for (const char *at = text; *at; at++)
        lines += *at == '\n';
    assert_true(lines >= setting_row_count + setting_map_count);
    check_good("the example, uncommented", text);
    config_default(defaults);
    for (size_t i = 0; i < setting_row_count; i++) {
        char got[256], wanted[256];

        setting_format(&setting_rows[i], &config, got, sizeof(got));
        setting_format(&setting_rows[i], defaults, wanted, sizeof(wanted));
        assert_string_equal(got, wanted);
    }
    config_fini(&config);
    free(defaults);
    free(text);
}

static void test_help_has_a_line_a_setting(void **state)
{
    char *text = config_print_help();

    (void)state;
    assert_non_null(text);
    for (size_t i = 0; i < setting_row_count; i++) {
        char path[SETTING_TEXT_MAX], line[SETTING_TEXT_MAX + 4];

        setting_path(&setting_rows[i], path);
        (void)snprintf(line, sizeof(line), "  %s ", path);
        assert_non_null(strstr(text, line));
    }
    free(text);
}

/* --- good files --- */

static void test_values_of_every_type_are_read(void **state)
{
    (void)state;
    check_good("all types",
               "name: node-3\n"
               "app: shop\n"
               "workers: 4\n"
               "clock: event\n"
               "continue_after_loss: true\n"
               "kafka:\n"
               "  brokers: \"a.example:9092,b.example:9092\"\n"
               "  partitioner: crc32\n"
               "  session_timeout: 45s\n"
               "redis: {address: 'unix:/run/redis/redis.sock', database: 3, tls: false}\n"
               "cache:\n"
               "  bytes_max: 2GiB\n"
               "money:\n"
               "  currency: JPY\n"
               "model:\n"
               "  new_customer_value: 5000\n"
               "  mbg_r: 1e-1\n"
               "  calibrated: true\n"
               "rules:\n"
               "  csat_low: 3\n"
               "alerts:\n"
               "  late_max: 36500d\n"
               "http:\n"
               "  listen: \"\"\n");
    assert_string_equal(config.name, "node-3");
    assert_string_equal(config.kafka_group, "shop");
    assert_string_equal(config.alerts_source, "lifecycled/shop");
    assert_int_equal(config.workers, 4);
    assert_int_equal(config.clock, CONFIG_CLOCK_EVENT);
    assert_int_equal(config.params.clock, FOLD_CLOCK_EVENT);
    assert_true(config.continue_after_loss);
    assert_string_equal(config.kafka_brokers, "a.example:9092,b.example:9092");
    assert_int_equal(config.kafka_partitioner, CONFIG_PARTITIONER_CRC32);
    assert_int_equal(config.kafka_session_timeout_ms, 45000);
    assert_string_equal(config.redis_address, "unix:/run/redis/redis.sock");
    assert_int_equal(config.redis_database, 3);
    assert_int_equal(config.cache_bytes_max, INT64_C(2) << 30);
    assert_int_equal(config.params.reporting, CURRENCY_JPY);
    assert_int_equal(config.params.rates[CURRENCY_JPY].mantissa, 1);
    assert_int_equal(config.params.rates[CURRENCY_EUR].mantissa, 0);
    assert_int_equal(config.params.new_customer_value_minor, 5000);
    assert_true(config.params.mbg_r == 0.1);
    assert_int_equal(config.params.calibrated, 1);
    assert_int_equal(config.params.csat_low, 3);
    assert_int_equal(config.params.late_max_ms, 36500 * TEXT_MS_PER_DAY);
    assert_string_equal(config.http_listen, "");
    config_fini(&config);
}

static void test_money_is_read_in_the_currency_that_stands_below_it(void **state)
{
    (void)state;
    check_good("euros", "model: {new_customer_value: 12.5}\nmoney: {currency: EUR}\n");
    assert_int_equal(config.params.new_customer_value_minor, 1250);
    config_fini(&config);
    check_good("dinars", "model: {new_customer_value: 12.5}\nmoney: {currency: KWD}\n");
    assert_int_equal(config.params.new_customer_value_minor, 12500);
    config_fini(&config);
    assert_int_equal(parse("model: {new_customer_value: 12.5}\nmoney: {currency: JPY}\n"),
                     STATUS_REJECT);
}

static void test_maps_are_read(void **state)
{
    (void)state;
    check_good("maps", "kafka:\n"
                       "  properties:\n"
                       "    security.protocol: SASL_SSL\n"
                       "    linger.ms: 5\n"
                       "  secrets: {sasl.password: kafka-password}\n"
                       "money:\n"
                       "  rates:\n"
                       "    USD: 0.92130\n"
                       "    GBP: 2\n"
                       "    EUR: 1.000\n"
                       "events:\n"
                       "  type_aliases:\n"
                       "    Checkout.Done: order_completed\n");
    assert_int_equal(config.kafka_property_count, 2);
    assert_string_equal(config.kafka_properties[0].name, "security.protocol");
    assert_string_equal(config.kafka_properties[0].value, "SASL_SSL");
    assert_string_equal(config.kafka_properties[1].name, "linger.ms");
    assert_string_equal(config.kafka_properties[1].value, "5");
    assert_int_equal(config.kafka_secret_count, 1);
    assert_string_equal(config.kafka_secrets[0].value, "kafka-password");
    assert_int_equal(config.params.rates[CURRENCY_USD].mantissa, 9213);
    assert_int_equal(config.params.rates[CURRENCY_USD].scale, 4);
    assert_int_equal(config.params.rates[CURRENCY_GBP].mantissa, 2);
    assert_int_equal(config.params.rates[CURRENCY_GBP].scale, 0);
    assert_int_equal(config.params.rates[CURRENCY_EUR].mantissa, 1);
    assert_int_equal(config.params.rates[CURRENCY_JPY].mantissa, 0);
    assert_int_equal(config.type_alias_count, 1);
    assert_string_equal(config.type_aliases[0].from, "checkoutdone");
    assert_int_equal(config.type_aliases[0].to, EVENT_ORDER_COMPLETED);
    config_fini(&config);
}

/* --- bad files --- */

struct bad_row {
    const char *name, *text;
    const char *lines[5]; /* exactly these, in this order */
};

static const struct bad_row bad_rows[] = {
    {"a key one letter off",
     "kafka:\n  broker: a:1\n",
     {"FILE:2:3: kafka.broker: no such setting; did you mean brokers?"}},
    {"a section one letter off hides its members",
     "kafak:\n  brokers: a:1\n  x: y\n",
     {"FILE:1:1: kafak: no such setting; did you mean kafka?"}},
    {"a key of another section",
     "redis:\n  session_timeout: 10s\n",
     {"FILE:2:3: redis.session_timeout: no such setting here; it belongs under kafka"}},
    {"a key of the top level",
     "kafka:\n  continue_after_loss: true\n",
     {"FILE:2:3: kafka.continue_after_loss: no such setting here; it belongs at the top level"}},
    {"nothing near", "zzzzzzzz: 1\n", {"FILE:1:1: zzzzzzzz: no such setting"}},
    {"several at once, in the order of the file",
     "workers: 0\nkafka:\n  session_timeout: 10\n  partitioner: murmur\nlog:\n  level: loud\n",
     {"FILE:1:10: workers: \"0\" is out of range: 1 to 64",
      "FILE:3:20: kafka.session_timeout: \"10\" is no duration: a whole number and a unit, 90d, "
      "36h, 15m, 10s or 250ms",
      "FILE:4:16: kafka.partitioner: \"murmur\" is none of murmur2, crc32; did you mean murmur2?",
      "FILE:6:10: log.level: \"loud\" is none of error, warning, notice, info, debug"}},
    {"a duration out of range",
     "kafka:\n  session_timeout: 1s\n",
     {"FILE:2:20: kafka.session_timeout: \"1s\" is out of range: 6s to 5m"}},
    {"a size without unit",
     "cache:\n  bytes_max: 1000000\n",
     {"FILE:2:14: cache.bytes_max: \"1000000\" is no size: a whole number and a unit, 512B, 64KiB, "
      "256MiB or 2GiB"}},
    {"a size in decimal units",
     "cache:\n  bytes_max: 256MB\n",
     {"FILE:2:14: cache.bytes_max: \"256MB\" is no size: a whole number and a unit, 512B, 64KiB, "
      "256MiB or 2GiB"}},
    {"a size past every bound",
     "cache:\n  bytes_max: 99999999999TiB\n",
     {"FILE:2:14: cache.bytes_max: \"99999999999TiB\" is no size: a whole number and a unit, 512B, "
      "64KiB, 256MiB or 2GiB"}},
    {"a fraction above one",
     "stage:\n  decline_risk: 1.5\n",
     {"FILE:2:17: stage.decline_risk: \"1.5\" is out of range: 0 to 1"}},
    {"a number that is a word",
     "model:\n  mbg_r: high\n",
     {"FILE:2:10: model.mbg_r: \"high\" is no number, such as 0.25"}},
    {"not a number",
     "model:\n  mbg_r: .nan\n",
     {"FILE:2:10: model.mbg_r: \".nan\" is no number, such as 0.25"}},
    {"a count with a fraction",
     "workers: 1.5\n",
     {"FILE:1:10: workers: \"1.5\" is no whole number"}},
    {"money finer than the currency",
     "model:\n  new_customer_value: 1.005\n",
     {"FILE:2:23: model.new_customer_value: \"1.005\" is no amount of the reporting currency, such "
      "as 12.50"}},
    {"a flag in other words",
     "continue_after_loss: yes\n",
     {"FILE:1:22: continue_after_loss: \"yes\" is neither true nor false"}},
    {"a currency that is none",
     "money:\n  currency: EUX\n",
     {"FILE:2:13: money.currency: \"EUX\" is no currency of ISO 4217, such as EUR"}},
    {"a name with a space",
     "app: my shop\n",
     {"FILE:1:6: app: \"my shop\" may hold letters, digits, dot, dash and underscore only"}},
    {"an empty name", "app: \"\"\n", {"FILE:1:6: app: \"\" must not be empty"}},
    {"an address without port",
     "redis:\n  address: localhost\n",
     {"FILE:2:12: redis.address: \"localhost\" is neither host:port, [v6]:port nor unix:/path"}},
    {"a value that is missing",
     "kafka:\n  brokers:\n  group: g\n",
     {"FILE:2:3: kafka.brokers: has no value; leave the line out for the default"}},
    {"a map for a value",
     "workers:\n  count: 1\n",
     {"FILE:2:3: workers: takes one value, not a map"}},
    {"a value for a section",
     "kafka: a:1\n",
     {"FILE:1:8: kafka: is a section; its settings stand below it, indented"}},
    {"a value for a map",
     "kafka:\n  properties: a\n",
     {"FILE:2:15: kafka.properties: is a map; its `name: value` lines stand below it, indented"}},
    {"a list for a value",
     "kafka:\n  brokers: [a:1, b:1]\nworkers: x\n",
     {"FILE:2:12: a list; a single value belongs here",
      "FILE:3:10: workers: \"x\" is no whole number"}},
    {"a key that is a list",
     "[a, b]: 1\nworkers: x\n",
     {"FILE:1:1: a key must be a word", "FILE:2:10: workers: \"x\" is no whole number"}},
    {"the same key twice",
     "workers: 1\napp: a\nworkers: 2\n",
     {"FILE:3:1: \"workers\" stands in line 1 already"}},
    {"the same section twice",
     "kafka:\n  group: a\nkafka:\n  group: b\n",
     {"FILE:3:1: \"kafka\" stands in line 1 already"}},
    {"an anchor and an alias",
     "app: &a shop\nname: *a\n",
     {"FILE:1:6: anchors are not used here; write the value out",
      "FILE:2:7: aliases are not used here"}},
    {"a tag",
     "app: !!str shop\n",
     {"FILE:1:6: tags are not used here; the setting decides the type"}},
    {"too deep", "kafka:\n  properties:\n    a:\n      b: c\n", {"FILE:4:7: nested too deep"}},
    {"a second document", "app: a\n---\napp: b\n", {"FILE:2:1: a second document; one is enough"}},
    {"a list for a file",
     "- a\n- b\n",
     {"FILE:1:1: the file must be a map: `setting: value` lines"}},
    {"a word for a file", "hello\n", {"FILE:1:1: the file must be a map: `setting: value` lines"}},
    {"a tab for an indent, and what stands before it",
     "workers: x\nkafka:\n\tbrokers: a:1\n",
     {"FILE:1:10: workers: \"x\" is no whole number",
      "FILE:3:1: not YAML: found character that cannot start any token, while scanning for the "
      "next token"}},
    {"a quote without end",
     "app: \"shop\n",
     {"FILE:2:1: not YAML: found unexpected end of stream, while scanning a quoted scalar"}},
    {"bytes that are no UTF-8", "app: \xff\n", {"FILE: byte 5: invalid leading UTF-8 octet"}},
    {"a control character in a name reaches no terminal",
     "\"a\\x1b[2J\": 1\n",
     {"FILE:1:1: a?[2J: no such setting"}},
    {"a control character in a text",
     "kafka:\n  brokers: \"a\\nb\"\n",
     {"FILE:2:12: kafka.brokers: \"a?b\" holds a control character"}},
    {"a property of the commit protocol",
     "kafka:\n  properties:\n    enable.auto.commit: true\n",
     {"FILE:3:5: kafka.properties.enable.auto.commit: can't be set: positions go with their "
      "alerts"}},
    {"a secret in the open",
     "kafka:\n  properties:\n    sasl.password: x\n",
     {"FILE:3:5: kafka.properties.sasl.password: a secret does not stand here; name its file under "
      "kafka.secrets"}},
    {"a property and a secret of one name",
     "kafka:\n  properties:\n    sasl.username: x\n  secrets:\n    sasl.username: y\n",
     {"FILE:5:5: kafka.secrets.sasl.username: stands under kafka.properties too"}},
    {"a rate of no currency",
     "money:\n  rates:\n    XYZ: 1.5\n",
     {"FILE:3:5: money.rates.XYZ: is no currency of ISO 4217, such as USD"}},
    {"a rate of zero",
     "money:\n  rates:\n    USD: 0.0\n",
     {"FILE:3:10: money.rates.USD: needs an exact decimal above 0, such as 0.9213, of at most 12 "
      "decimals and 14 digits"}},
    {"a rate in e notation",
     "money:\n  rates:\n    USD: 1e2\n",
     {"FILE:3:10: money.rates.USD: needs an exact decimal above 0, such as 0.9213, of at most 12 "
      "decimals and 14 digits"}},
    {"a rate of the reporting currency",
     "money:\n  rates:\n    EUR: 1.1\n",
     {"FILE:3:10: money.rates.EUR: is the reporting currency itself; its rate is 1"}},
    {"an alias of no type",
     "events:\n  type_aliases:\n    buy: Order Complete\n",
     {"FILE:3:10: events.type_aliases.buy: \"Order Complete\" is no event type; did you mean Order "
      "Completed?"}},
    {"an alias of a type's own name",
     "events:\n  type_aliases:\n    order-completed: Delete\n",
     {"FILE:3:5: events.type_aliases.order-completed: is the name of a type already"}},
    {"an alias without letters",
     "events:\n  type_aliases:\n    \"--\": Delete\n",
     {"FILE:3:5: events.type_aliases.--: holds no letter and no digit"}},
};

static void test_bad_files_show_all_their_errors_with_their_places(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS(bad_rows); i++) {
        const struct bad_row *row = &bad_rows[i];
        size_t wanted = 0;
        char line[600];

        if (parse(row->text) != STATUS_REJECT)
            fail_msg("%s: was read", row->name);
        while (wanted < ROWS(row->lines) && row->lines[wanted])
            wanted++;
        for (size_t j = 0; j < errors.count; j++) {
            config_error_format(&errors.errors[j], "FILE", line, sizeof(line));
            if (j >= wanted || strcmp(line, row->lines[j]) != 0)
                fail_msg("%s: error %zu is\n%s\nand should be\n%s", row->name, j, line,
                         j < wanted ? row->lines[j] : "absent");
        }
        if (errors.count != wanted)
            fail_msg("%s: %zu errors, %zu wanted", row->name, errors.count, wanted);
    }
}

struct pair_row {
    const char *name, *good, *bad, *line;
};

/* Settings that are each right, and contradict each other or do not. */
static const struct pair_row pair_rows[] = {
    {"alerts into the input", "kafka:\n  alerts_topic: customer-events2\n",
     "kafka:\n  alerts_topic: customer-events\n",
     "FILE:2:17: kafka.alerts_topic must not be kafka.input_topic"},
    {"the place is the later of two", "kafka:\n  alerts_topic: a\n  input_topic: b\n",
     "kafka:\n  alerts_topic: a\n  input_topic: a\n",
     "FILE:3:16: kafka.alerts_topic must not be kafka.input_topic"},
    {"control into dead letters", "kafka: {control_topic: c, dead_letter_topic: d}\n",
     "kafka: {control_topic: c, dead_letter_topic: c}\n",
     "FILE:1:24: kafka.control_topic must not be kafka.dead_letter_topic"},
    {"a batch too small for its events", "batch:\n  bytes_max: 16MiB\nevents:\n  bytes_max: 1MiB\n",
     "batch:\n  bytes_max: 16777215B\nevents:\n  bytes_max: 1MiB\n",
     "FILE:4:14: batch.bytes_max must be at least 16 times events.bytes_max"},
    {"Redis on another machine without TLS",
     "redis:\n  address: redis.example:6379\n  allow_plaintext: true\n",
     "redis:\n  address: redis.example:6379\n",
     "FILE:2:12: redis.address is another machine: set redis.tls, or redis.allow_plaintext when "
     "the "
     "way there is safe"},
    {"Redis on another machine with TLS", "redis:\n  address: redis.example:6379\n  tls: true\n",
     "redis:\n  tls_ca_file: /etc/ca.pem\n",
     "FILE:2:16: redis.tls_ca_file says nothing without redis.tls"},
    {"a fixed server and Sentinels", "redis: {sentinels: 'a:1, b:2', master: m, tls: true}\n",
     "redis:\n  sentinels: 127.0.0.1:26379\n  master: m\n  address: 127.0.0.1:6379\n",
     "FILE:4:12: redis.address and redis.sentinels exclude each other: one fixed server, or the "
     "primary that the Sentinels name"},
    {"Sentinels without the name of the primary",
     "redis: {sentinels: '127.0.0.1:26379', master: m}\n", "redis:\n  sentinels: 127.0.0.1:26379\n",
     "FILE:2:14: redis.sentinels needs redis.master, the name of the primary there"},
    {"a name of the primary without Sentinels",
     "redis: {sentinels: '[::1]:1', master: m, sentinel_password_file: /a}\n",
     "redis:\n  master: m\n", "FILE:2:11: redis.master says nothing without redis.sentinels"},
    {"Sentinels on other machines without TLS",
     "redis: {sentinels: 's1:1,s2:1', master: m, allow_plaintext: true}\n",
     "redis:\n  master: m\n  sentinels: 127.0.0.1:1,s2:1\n",
     "FILE:3:14: redis.sentinels are other machines: set redis.tls, or redis.allow_plaintext when "
     "the way there is safe"},
    {"a Sentinel without a port", "redis: {sentinels: '127.0.0.1:1', master: m}\n",
     "redis:\n  master: m\n  sentinels: 127.0.0.1:1,127.0.0.2\n",
     "FILE:3:14: redis.sentinels takes host:port,host:port,... and nothing else"},
    {"a list of Sentinels that ends in a comma", "redis: {sentinels: '127.0.0.1:1', master: m}\n",
     "redis:\n  master: m\n  sentinels: '127.0.0.1:1,'\n",
     "FILE:3:14: redis.sentinels takes host:port,host:port,... and nothing else"},
    {"a certificate without key", "redis: {tls: true, tls_cert_file: /a, tls_key_file: /b}\n",
     "redis: {tls: true, tls_cert_file: /a}\n",
     "FILE:1:35: redis.tls_cert_file and redis.tls_key_file go together"},
    {"a currency assumed without its rate", "money: {assumed: USD, rates: {USD: 0.9}}\n",
     "money: {assumed: USD}\n", "FILE:1:18: money.assumed needs its rate under money.rates"},
    {"HTTP on a unix socket", "http:\n  listen: \"[::1]:0\"\n", "http:\n  listen: unix:/run/x\n",
     "FILE:2:11: http.listen takes host:port, no unix socket"},
    {"bands out of order", "rules:\n  churn_risk_high: 0.9\n", "rules:\n  churn_risk_high: 0.91\n",
     "FILE:2:20: rules.churn_risk_high must not be above rules.churn_risk_critical"},
    {"a contradiction of parameters named by their keys", "model:\n  convert_lead: 0.15\n",
     "model:\n  convert_lead: 0.16\n",
     "FILE:2:17: model.convert_lead, convert_demo and convert_trial must not fall along the "
     "funnel"},
};

static void test_contradictions_are_told_where_the_file_makes_them(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS(pair_rows); i++) {
        char line[600];

        check_good(pair_rows[i].name, pair_rows[i].good);
        config_fini(&config);
        assert_int_equal(parse(pair_rows[i].bad), STATUS_REJECT);
        config_error_format(&errors.errors[0], "FILE", line, sizeof(line));
        if (errors.count != 1 || strcmp(line, pair_rows[i].line) != 0)
            fail_msg("%s: %zu errors, the first\n%s\nnot\n%s", pair_rows[i].name, errors.count,
                     line, pair_rows[i].line);
    }
}

static void test_what_is_wrong_itself_contradicts_nothing(void **state)
{
    (void)state;
    assert_int_equal(parse("rules:\n  churn_risk_high: 0.95\n  churn_risk_critical: x\n"),
                     STATUS_REJECT);
    assert_int_equal(errors.count, 1);
    assert_int_equal(errors.errors[0].line, 3);
}

static void test_more_errors_than_there_is_room_are_counted(void **state)
{
    char text[4096] = "";
    size_t len = 0;

    (void)state;
    for (int i = 0; i < CONFIG_ERRORS_MAX + 5; i++)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "zzz%d: 1\n", i);
    assert_int_equal(parse(text), STATUS_REJECT);
    assert_int_equal(errors.count, CONFIG_ERRORS_MAX);
    assert_int_equal(errors.dropped, 5);
}

static void test_a_refused_file_leaves_the_configuration_alone(void **state)
{
    struct config *before = malloc(sizeof(*before));

    (void)state;
    assert_non_null(before);
    check_good("a good one", "app: shop\n");
    memcpy(before, &config, sizeof(config));
    assert_int_equal(parse("app: shop2\nworkers: 0\n"), STATUS_REJECT);
    assert_memory_equal(before, &config, sizeof(config));
    config_fini(&config);
    free(before);
}

/* --- files --- */

static void test_files_that_can_not_be_read_say_why(void **state)
{
    char line[600];

    (void)state;
    assert_int_equal(config_load("/nonexistent/lifecycled.yaml", NULL, &config, &errors),
                     STATUS_REJECT);
    config_error_format(&errors.errors[0], "/nonexistent/lifecycled.yaml", line, sizeof(line));
    assert_string_equal(line,
                        "/nonexistent/lifecycled.yaml: can't be read: No such file or directory");
    assert_int_equal(config_load("/", NULL, &config, &errors), STATUS_REJECT);
    assert_string_equal(errors.errors[0].text, "can't be read: Is a directory");
    assert_int_equal(config_load("/dev/zero", NULL, &config, &errors), STATUS_REJECT);
    assert_string_equal(errors.errors[0].text, "larger than 1 MiB; that is no configuration");
    assert_int_equal(config_load(LC_SOURCE_DIR "/config/lifecycled.yaml", NULL, &config, &errors),
                     STATUS_OK);
    config_fini(&config);
}

struct address_row {
    const char *text;
    enum status status;
    const char *host, *path;
    int port;
    bool loopback;
};

static const struct address_row address_rows[] = {
    {"127.0.0.1:9464", STATUS_OK, "127.0.0.1", "", 9464, true},
    {"127.9.9.9:1", STATUS_OK, "127.9.9.9", "", 1, true},
    {"localhost:0", STATUS_OK, "localhost", "", 0, true},
    {"[::1]:65535", STATUS_OK, "::1", "", 65535, true},
    {"[::]:80", STATUS_OK, "::", "", 80, false},
    {"0.0.0.0:80", STATUS_OK, "0.0.0.0", "", 80, false},
    {"redis.example:6379", STATUS_OK, "redis.example", "", 6379, false},
    {"unix:/run/redis.sock", STATUS_OK, "", "/run/redis.sock", 0, true},
    {"unix:run/redis.sock", STATUS_REJECT, "", "", 0, false},
    {"host:65536", STATUS_REJECT, "", "", 0, false},
    {"host:-1", STATUS_REJECT, "", "", 0, false},
    {"host:-0", STATUS_REJECT, "", "", 0, false},
    {"host:", STATUS_REJECT, "", "", 0, false},
    {"host", STATUS_REJECT, "", "", 0, false},
    {":80", STATUS_REJECT, "", "", 0, false},
    {"::1:80", STATUS_REJECT, "", "", 0, false},
    {"[]:80", STATUS_REJECT, "", "", 0, false},
    {"a b:80", STATUS_REJECT, "", "", 0, false},
    {"http://host:80", STATUS_REJECT, "", "", 0, false},
    {"", STATUS_REJECT, "", "", 0, false},
};

static void test_addresses(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS(address_rows); i++) {
        const struct address_row *row = &address_rows[i];
        struct config_address address = {0};

        if (config_address_parse(row->text, &address) != row->status)
            fail_msg("\"%s\" gave another status", row->text);
        assert_string_equal(address.host, row->host);
        assert_string_equal(address.path, row->path);
        assert_int_equal(address.port, row->port);
        assert_int_equal(address.loopback, row->loopback);
    }
}

/* Whatever is cut or flipped, reading ends, and an error has words. */
static void test_cuts_and_flips_of_a_file_end_in_bounds(void **state)
{
    static const char text[] = "name: a\nkafka:\n  brokers: 'a:1'\n  properties: {x: \"\\u00e9\"}\n"
                               "model: {mbg_r: 0.5}\nmoney:\n  rates: {USD: 0.9}\n";
    char copy[sizeof(text)];

    (void)state;
    for (size_t i = 0; i < sizeof(text) - 1; i++) {
        for (int bit = 0; bit < 9; bit++) {
            memcpy(copy, text, sizeof(text));
            if (bit < 8)
                copy[i] = (char)(copy[i] ^ 1 << bit);
            if (config_parse((struct span){copy, bit < 8 ? sizeof(text) - 1 : i}, refuse, &config,
                             &errors) == STATUS_OK)
                config_fini(&config);
            else
                assert_true(errors.count > 0 && errors.errors[0].text[0] != '\0');
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_key_is_there_once_and_in_a_known_section),
        cmocka_unit_test(test_both_sides_of_both_bounds_of_every_number),
        cmocka_unit_test(test_an_empty_file_is_all_defaults),
        cmocka_unit_test(test_the_example_file_is_the_generated_text),
        cmocka_unit_test(test_the_example_holds_every_setting_and_its_values_are_the_defaults),
        cmocka_unit_test(test_help_has_a_line_a_setting),
        cmocka_unit_test(test_values_of_every_type_are_read),
        cmocka_unit_test(test_money_is_read_in_the_currency_that_stands_below_it),
        cmocka_unit_test(test_maps_are_read),
        cmocka_unit_test(test_bad_files_show_all_their_errors_with_their_places),
        cmocka_unit_test(test_contradictions_are_told_where_the_file_makes_them),
        cmocka_unit_test(test_what_is_wrong_itself_contradicts_nothing),
        cmocka_unit_test(test_more_errors_than_there_is_room_are_counted),
        cmocka_unit_test(test_a_refused_file_leaves_the_configuration_alone),
        cmocka_unit_test(test_files_that_can_not_be_read_say_why),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_cuts_and_flips_of_a_file_end_in_bounds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
