/* kafka_conf: what may pass through to librdkafka and what may not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "pipeline/kafka_conf.h"

static struct kafka_options options_with(const struct kafka_property *properties, size_t count)
{
    return (struct kafka_options){.brokers = "127.0.0.1:9092",
                                  .group = "app",
                                  .instance = "a-0",
                                  .input = "in",
                                  .control = "control",
                                  .alerts = "alerts",
                                  .dead_letters = "dead",
                                  .properties = properties,
                                  .property_count = count};
}

static void properties_pass_or_are_refused(void **state)
{
    static const struct {
        const char *name; /* of the row */
        struct kafka_property property;
        enum status expect;
        const char *word; /* in the report */
    } rows[] = {
        {"a consumer's tuning passes", {"fetch.message.max.bytes", "2097152"}, STATUS_OK, ""},
        {"a producer's tuning passes", {"linger.ms", "50"}, STATUS_OK, ""},
        {"our own default can be overridden", {"queued.min.messages", "50000"}, STATUS_OK, ""},
        {"security passes", {"security.protocol", "SSL"}, STATUS_OK, ""},
        {"an unknown property is refused by name", {"lingr.ms", "5"}, STATUS_REJECT, "lingr.ms"},
        {"a value out of range is refused", {"linger.ms", "-7"}, STATUS_REJECT, "linger.ms"},
        {"isolation is the protocol's",
         {"isolation.level", "read_uncommitted"},
         STATUS_REJECT,
         "aborted"},
        {"acks are the protocol's", {"acks", "1"}, STATUS_REJECT, "exactly once"},
        {"the reset policy is the protocol's",
         {"auto.offset.reset", "earliest"},
         STATUS_REJECT,
         "lost range"},
        {"the group is a setting of ours", {"group.id", "x"}, STATUS_REJECT, "kafka.group"},
        {"the transactional id is a worker's name",
         {"transactional.id", "x"},
         STATUS_REJECT,
         "stable name"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct kafka_options options = options_with(&rows[i].property, 1);
        struct report report = {0};

        print_message("  %s\n", rows[i].name);
        assert_int_equal(kafka_conf_check(&options, &report), rows[i].expect);
        assert_non_null(strstr(report.text, rows[i].word));
    }
}

static void a_refused_value_is_not_repeated(void **state)
{
    static const struct kafka_property secret = {"security.protocol", "hunter2"};
    struct kafka_options options = options_with(&secret, 1);
    struct report report = {0};

    (void)state;
    assert_int_equal(kafka_conf_check(&options, &report), STATUS_REJECT);
    assert_non_null(strstr(report.text, "security.protocol"));
    assert_null(strstr(report.text, "hunter2"));
}

static void assignors(void **state)
{
    static const struct {
        const char *assignor;
        bool always; /* else it depends on the library */
        enum status expect;
    } rows[] = {
        {NULL, true, STATUS_OK},
        {"range", true, STATUS_OK},
        {"roundrobin", true, STATUS_REJECT},
        {"cooperative-sticky", false, STATUS_OK},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct kafka_options options = options_with(NULL, 0);
        struct report report = {0};
        int major = 0, minor = 0, patch = 0;
        enum status expect = rows[i].expect;

        assert_int_equal(sscanf(kafka_conf_library(), "%d.%d.%d", &major, &minor, &patch), 3);
        if (!rows[i].always && major * 10000 + minor * 100 + patch < 20601)
            expect = STATUS_REJECT; /* its rebalance loop */
        options.assignor = rows[i].assignor;
        assert_int_equal(kafka_conf_check(&options, &report), expect);
    }
}

static void every_reserved_property_says_why(void **state)
{
    (void)state;
    assert_non_null(kafka_conf_reserved("enable.auto.commit"));
    assert_non_null(kafka_conf_reserved("group.instance.id"));
    assert_null(kafka_conf_reserved("linger.ms"));
    assert_null(kafka_conf_reserved(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(properties_pass_or_are_refused),
        cmocka_unit_test(a_refused_value_is_not_repeated),
        cmocka_unit_test(assignors),
        cmocka_unit_test(every_reserved_property_says_why),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
