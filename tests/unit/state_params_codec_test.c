#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "state/params_codec.h"

static bool same(const struct params *left, const struct params *right)
{
#define PARAM(section, name, type, fallback, min, max, unit, help)                                 \
    if (left->name != right->name)                                                                 \
        return false;
#include "model/params.def"
#undef PARAM
    for (int i = 0; i < CURRENCY_COUNT; i++)
        if (left->rates[i].mantissa != right->rates[i].mantissa ||
            (left->rates[i].mantissa && left->rates[i].scale != right->rates[i].scale))
            return false;
    return left->clock == right->clock && left->reporting == right->reporting;
}

static void test_parameters_come_back_bit_by_bit(void **state)
{
    struct params params, read;
    struct report report;
    struct arena arena;
    struct span text;
    char before[STORE_CFG_BYTES], after[STORE_CFG_BYTES];

    (void)state;
    arena_init(&arena, 1 << 20);
    params_default(&params);
    params.mbg_r = 0.1 + 0.2; /* 17 digits */
    params.mbg_alpha = 1e-300;
    params.late_max_ms = INT64_MAX;
    params.new_customer_value_minor = -1;
    params.clock = FOLD_CLOCK_EVENT;
    params.reporting = CURRENCY_CNY;
    params.rates[CURRENCY_USD] = (struct currency_rate){INT64_C(1000000000000000), 12};
    params.rates[CURRENCY_JPY] = (struct currency_rate){1, 0};
    assert_int_equal(params_encode(&params, &arena, &text), STATUS_OK);
    assert_true(text.len < PARAMS_TEXT_MAX);
    assert_int_equal(params_decode(text, &read, &report), STATUS_OK);
    assert_true(same(&params, &read));
    params_fingerprint(&params, before);
    params_fingerprint(&read, after);
    assert_string_equal(before, after);
    assert_int_equal(strlen(before), 16);
    arena_fini(&arena);
}

/* Every parameter counts: changing any one of them changes the fingerprint. */
static void test_each_parameter_is_in_the_fingerprint(void **state)
{
    struct params params;
    char first[STORE_CFG_BYTES], other[STORE_CFG_BYTES];

    (void)state;
    params_default(&params);
    params_fingerprint(&params, first);
#define PARAM(section, name, type, fallback, min, max, unit, help)                                 \
    params_default(&params);                                                                       \
    params.name = params.name != 1 ? 1 : 2;                                                        \
    params_fingerprint(&params, other);                                                            \
    if (!strcmp(first, other))                                                                     \
        fail_msg("%s is not in the fingerprint", #name);
#include "model/params.def"
#undef PARAM
    params_default(&params);
    params.clock = params.clock == FOLD_CLOCK_WALL ? FOLD_CLOCK_EVENT : FOLD_CLOCK_WALL;
    params_fingerprint(&params, other);
    assert_string_not_equal(first, other);
    params_default(&params);
    params.rates[CURRENCY_USD] = (struct currency_rate){92, 2};
    params_fingerprint(&params, other);
    assert_string_not_equal(first, other);
}

static void test_an_insight_comes_back_with_its_names(void **state)
{
    static const struct {
        const char *text;
        enum status status;
    } rows[] = {
        {"insight.names=3:shoes,17:b\xc3\xbc"
         "cher\n",
         STATUS_OK},
        {"insight.names=63:0123456789abcdef\n", STATUS_OK},
        {"insight.names=63:0123456789abcdefg\n", STATUS_REJECT}, /* a byte too many */
        {"insight.names=64:shoes\n", STATUS_REJECT},
        {"insight.names=3:shoes,3:books\n", STATUS_REJECT},
        {"insight.names=3:\n", STATUS_REJECT},
        {"insight.names=\n", STATUS_REJECT},
        {"insight.names=3:a\"b\n", STATUS_REJECT},
        {"insight.names=3:a\tb\n", STATUS_REJECT},
    };
    static const char shoes[INSIGHT_NAME_MAX] = "shoes",
                      full[INSIGHT_NAME_MAX] = {'0', '1', '2', '3', '4', '5', '6', '7',
                                                '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'};
    static const char quoted[INSIGHT_NAME_MAX] = "a\\b", padded[INSIGHT_NAME_MAX] = {'a', 0, 'b'};
    struct insight insight, read;
    struct params params;
    struct arena arena;
    struct span text;
    struct report report;

    (void)state;
    arena_init(&arena, 1u << 20);
    insight_init(&insight);
    insight.version = 7;
    insight.category_next[3] = 63;
    insight.category_share[3] = 250;
    assert_true(insight_name_category(&insight, 3, shoes));
    assert_true(insight_name_category(&insight, 63, full));
    assert_false(insight_name_category(&insight, 3, quoted));
    assert_false(insight_name_category(&insight, 3, padded));
    assert_int_equal(params_encode_insight(&insight, &arena, &text), STATUS_OK);
    assert_int_equal(params_decode_insight(text, &read, &report), STATUS_OK);
    assert_memory_equal(&insight, &read, sizeof insight);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (params_decode(span_of(rows[i].text), &params, &report) != rows[i].status)
            fail_msg("%s", rows[i].text);
    arena_fini(&arena);
}

static void test_old_texts_take_defaults_and_strange_ones_are_refused(void **state)
{
    static const struct {
        const char *name, *text;
        enum status status;
    } rows[] = {
        {"an empty text is all defaults", "", STATUS_OK},
        {"a text of one known line", "mbg_r=0.5\n", STATUS_OK},
        {"a rate", "rate.USD=92/2\n", STATUS_OK},
        {"an unknown name", "mbg_z=0.5\n", STATUS_REJECT},
        {"a name given twice", "mbg_r=0.5\nmbg_r=0.5\n", STATUS_REJECT},
        {"a rate given twice", "rate.USD=92/2\nrate.USD=92/2\n", STATUS_REJECT},
        {"no number", "mbg_r=x\n", STATUS_REJECT},
        {"not finite", "mbg_r=1e999\n", STATUS_REJECT},
        {"a fraction where a count belongs", "loyal_days=1.5\n", STATUS_REJECT},
        {"a flag of 2", "calibrated=2\n", STATUS_REJECT},
        {"a flag of 1", "calibrated=1\n", STATUS_OK},
        {"no line end", "mbg_r=0.5", STATUS_REJECT},
        {"no equals sign", "mbg_r\n", STATUS_REJECT},
        {"an unknown clock", "clock=sun\n", STATUS_REJECT},
        {"an unknown reporting currency", "reporting=XXX\n", STATUS_REJECT},
        {"a rate of an unknown currency", "rate.ZZZ=1/0\n", STATUS_REJECT},
        {"a rate of nothing", "rate.USD=0/0\n", STATUS_REJECT},
        {"the first level of the fold", "fold_level=1\n", STATUS_OK},
        {"a level above this build's", "fold_level=3\n", STATUS_REJECT},
        {"no level", "fold_level=0\n", STATUS_REJECT},
        {"a rate of scale 12", "rate.USD=1/12\n", STATUS_OK},
        {"a rate of scale 13", "rate.USD=1/13\n", STATUS_REJECT},
        {"a rate without a scale", "rate.USD=1\n", STATUS_REJECT},
    };
    struct params read;
    struct report report;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        report.code[0] = '\0';
        if (params_decode(span_of(rows[i].text), &read, &report) != rows[i].status)
            fail_msg("%s", rows[i].name);
        if (rows[i].status == STATUS_REJECT)
            assert_string_equal(report.code, "params-text");
    }
}

static void test_learned_weights_come_back_and_damaged_ones_are_refused(void **state)
{
    struct params params, read;
    struct report report;
    struct arena arena;
    struct span text;

    (void)state;
    arena_init(&arena, 1 << 20);
    params_default(&params);
    params.insight.version = 7;
    params.insight.learned = true;
    for (int i = 0; i < FEATURE_COUNT; i++)
        params.insight.feature_weight[i] =
            (i - 2) / 7.0; /* engagement's, the last, may not be negative */
    for (int i = 0; i < WARNING_COUNT; i++)
        params.insight.warning_weight[i] = -i / 3.0;
    assert_null(insight_check(&params.insight));
    assert_int_equal(params_encode(&params, &arena, &text), STATUS_OK);
    assert_int_equal(params_decode(text, &read, &report), STATUS_OK);
    assert_true(read.insight.learned);
    assert_memory_equal(&read.insight, &params.insight, sizeof read.insight);
    params.insight.warning_weight[3] = 0.5;
    assert_int_equal(params_encode(&params, &arena, &text), STATUS_OK);
    assert_int_equal(params_decode(text, &read, &report), STATUS_REJECT);
    params.insight.warning_weight[3] = 0;
    params.insight.feature_weight[FEATURE_SCALE] = -1;
    assert_int_equal(params_encode(&params, &arena, &text), STATUS_OK);
    assert_int_equal(params_decode(text, &read, &report), STATUS_REJECT);
    assert_int_equal(params_decode(span_of("insight.features=1,2\n"), &read, &report),
                     STATUS_REJECT);
    arena_fini(&arena);
}

/* What a build of the first level writes and knows must not change when later ones come. */
static void test_a_fingerprint_tells_the_level(void **state)
{
    struct params params;
    char first[STORE_CFG_BYTES], second[STORE_CFG_BYTES];
    struct arena arena;
    struct span text;

    (void)state;
    arena_init(&arena, 1 << 20);
    params_default(&params);
    params.fold_level = 1;
    params_fingerprint(&params, first);
    assert_int_equal(params_encode(&params, &arena, &text), STATUS_OK);
    assert_null(memmem(text.at, text.len, "fold_level", 10));
    params.fold_level = 2;
    params_fingerprint(&params, second);
    assert_int_equal(strlen(second), 18);
    assert_int_equal(params_level_of(first), 1);
    assert_int_equal(params_level_of(second), 2);
    assert_int_equal(params_level_of(""), 1);
    assert_int_equal(params_level_of("0123456789abcdefff"), 255);
    assert_true(params_level_of("0123456789abcdefzz") == INT64_MAX);
    arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parameters_come_back_bit_by_bit),
        cmocka_unit_test(test_a_fingerprint_tells_the_level),
        cmocka_unit_test(test_each_parameter_is_in_the_fingerprint),
        cmocka_unit_test(test_an_insight_comes_back_with_its_names),
        cmocka_unit_test(test_learned_weights_come_back_and_damaged_ones_are_refused),
        cmocka_unit_test(test_old_texts_take_defaults_and_strange_ones_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
