/* params: the defaults are in range and agree; each contradiction is found and named. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "model/params.h"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

static void test_every_default_is_in_its_range(void **state)
{
    struct params params;
    (void)state;
    params_default(&params);
#define PARAM(section, name, type, fallback, min, max, unit, help)                                 \
    assert_true(params.name == fallback && params.name >= min && params.name <= max);
#include "model/params.def"
#undef PARAM
    assert_int_equal(params.clock, FOLD_CLOCK_WALL);
    assert_int_equal(params.reporting, CURRENCY_EUR);
    for (int i = 0; i < CURRENCY_COUNT; i++) {
        assert_int_equal(params.rates[i].mantissa, i == CURRENCY_EUR);
    }
}

static void test_the_defaults_do_not_contradict_each_other(void **state)
{
    struct params params;
    (void)state;
    params_default(&params);
    assert_null(params_contradiction(&params));
}

struct contradiction_row {
    const char *named; /* a word of the sentence */
    void (*agree)(struct params *), (*contradict)(struct params *);
};

#define CHANGE(name, agreeing, contradicting)                                                      \
    static void agree_##name(struct params *params)                                                \
    {                                                                                              \
        params->name = (agreeing);                                                                 \
    }                                                                                              \
    static void contradict_##name(struct params *params)                                           \
    {                                                                                              \
        params->name = (contradicting);                                                            \
    }

CHANGE(gap_min_ms, params->population_gap_ms, params->population_gap_ms + 1)
CHANGE(gap_max_ms, params->population_gap_ms, params->gap_min_ms - 1)
CHANGE(population_gap_ms, params->gap_max_ms, params->gap_max_ms + 1)
CHANGE(decline_gaps, params->churn_gaps, params->churn_gaps + 0.1)
CHANGE(decline_min_ms, params->churn_min_ms, params->churn_min_ms + 1)
CHANGE(loyal_keep_days, params->loyal_days, params->loyal_days + 1)
CHANGE(prospect_stalled_ms, params->forget_ms - 1, params->forget_ms)
CHANGE(churn_risk_high, params->churn_risk_critical, params->churn_risk_critical + 0.01)
CHANGE(churn_risk_clear, params->churn_risk_high, params->churn_risk_high + 0.01)
CHANGE(win_back_second_ms, params->win_back_first_ms + 1, params->win_back_first_ms)
CHANGE(renewal_second_ms, params->renewal_first_ms - 1, params->renewal_first_ms)
CHANGE(convert_lead, params->convert_demo, params->convert_demo + 0.01)
CHANGE(convert_trial, params->convert_demo, params->convert_demo - 0.01)
CHANGE(reporting, CURRENCY_EUR, CURRENCY_NONE)

static void agree_rate(struct params *params)
{
    params->rates[CURRENCY_EUR] = (struct currency_rate){1000, 3};
}

static void contradict_rate(struct params *params)
{
    params->rates[CURRENCY_EUR] = (struct currency_rate){1000, 2};
}

#define ROW(word, name)                                                                            \
    {                                                                                              \
        word, agree_##name, contradict_##name                                                      \
    }

static const struct contradiction_row rows[] = {
    ROW("gap_min", gap_min_ms),
    ROW("gap_max", gap_max_ms),
    ROW("population_gap", population_gap_ms),
    ROW("decline_gaps", decline_gaps),
    ROW("decline_min", decline_min_ms),
    ROW("loyal_keep_days", loyal_keep_days),
    ROW("prospect_stalled", prospect_stalled_ms),
    ROW("churn_risk_high", churn_risk_high),
    ROW("churn_risk_clear", churn_risk_clear),
    ROW("win_back_second", win_back_second_ms),
    ROW("renewal_second", renewal_second_ms),
    ROW("convert_lead", convert_lead),
    ROW("convert_trial", convert_trial),
    ROW("reporting currency", reporting),
    ROW("rate of the reporting", rate),
};

static void test_each_contradiction_on_both_sides_of_its_boundary(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct params params;
        params_default(&params);
        rows[i].agree(&params);
        const char *agreed = params_contradiction(&params);
        params_default(&params);
        rows[i].contradict(&params);
        const char *found = params_contradiction(&params);
        if (agreed || !found || !strstr(found, rows[i].named)) {
            fail_msg("%s: agreeing says %s; contradicting says %s", rows[i].named,
                     agreed ? agreed : "nothing", found ? found : "nothing");
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_default_is_in_its_range),
        cmocka_unit_test(test_the_defaults_do_not_contradict_each_other),
        cmocka_unit_test(test_each_contradiction_on_both_sides_of_its_boundary),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
