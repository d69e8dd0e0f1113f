/* value against values computed in 100 digits (tests/reference), the published figures, and its own
 * definition. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/text.h"
#include "model/value.h"

#define DAY         TEXT_MS_PER_DAY
#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

struct value_case {
    double p, q, gamma, x, mean;
    double loglik, expected;
};

static const struct value_case cases[] = {
#include "tests/reference/value_cases.inc"
};

static void test_gamma_gamma_agrees_with_100_digits(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct value_case *c = &cases[i];
        const double loglik = value_gg_loglik(c->p, c->q, c->gamma, c->x, c->mean);
        const double mean = value_gg_mean(c->p, c->q, c->gamma, c->x, c->mean);
        if (fabs(loglik - c->loglik) > 1e-11 * fmax(1, fabs(c->loglik)) ||
            fabs(mean / c->expected - 1) > 1e-13) {
            fail_msg("row %zu: ln L %.17g not %.17g, mean %.17g not %.17g", i, loglik, c->loglik,
                     mean, c->expected);
        }
    }
}

/* H025: CDNOW's parameters; customer 1 bought twice more, for 22.35 on average. */
static void test_gamma_gamma_gives_the_published_means(void **state)
{
    (void)state;
    assert_true(fabs(value_gg_mean(6.25, 3.74, 15.44, 2, 22.35) - 24.66) < 0.01);
    assert_true(fabs(value_gg_mean(6.25, 3.74, 15.44, 0, 0) - 35.2) < 0.05);
}

/* Five purchase days in 200 days, 50 days ago; 130.00 on the four repeat days. */
static void buyer(struct customer *ret_customer)
{
    customer_init(ret_customer);
    ret_customer->stage = STAGE_GROWING;
    ret_customer->funnel = STAGE_LEAD;
    ret_customer->first_ms = 20000 * DAY;
    ret_customer->purchase_days = 5;
    ret_customer->first_day = 20000;
    ret_customer->last_day = 20200;
    ret_customer->last_purchase_ms = 20200 * DAY + 5;
    ret_customer->repeat_days_paid = 4;
    ret_customer->repeat_spend_minor = 13000;
    ret_customer->spend_minor = 15000;
}

#define NOW_MS (20250 * DAY)

/* The sum as it is written, month by month. */
static double discounted_year(const struct params *params, struct history history)
{
    double sum = 0, before = 0;
    for (int month = 1; month <= 12; month++) {
        const double until = churn_mbg_expected(churn_mbg(params), history, month * (365.0 / 12));
        sum += (until - before) / pow(1 + params->discount_month, month);
        before = until;
    }
    return sum;
}

static void test_a_buyers_value_is_spend_times_discounted_purchases(void **state)
{
    static const double rates[] = {0, 0.01, 0.2};
    (void)state;
    for (size_t i = 0; i < COUNT(rates); i++) {
        struct params params;
        struct customer customer;
        struct value value;
        const struct history history = {4, 200, 250};
        params_default(&params);
        params.discount_month = rates[i];
        params.gg_gamma = 1e12; /* so that whole minor units keep 13 digits of the sum */
        buyer(&customer);
        value_at(&customer, NOW_MS, &params, &value);
        const double spend = 100 * value_gg_mean(6.25, 3.74, 1e12, 4, 32.5);
        const double clv = spend * discounted_year(&params, history);
        const double purchases = churn_mbg_expected(churn_mbg(&params), history, 365);
        assert_true(clv > 1e13 && clv < 9e15);
        assert_true(fabs((double)value.clv_minor / clv - 1) < 1e-12);
        assert_true(fabs(value.spend_minor / spend - 1) < 1e-14);
        assert_true(fabs(value.purchases_12 / purchases - 1) < 1e-13);
        assert_true(value.p_convert == 1);
    }
}

static void test_who_has_no_paid_repeat_day_spends_as_the_population(void **state)
{
    static const struct {
        uint32_t days;
        int64_t spend;
    } rows[] = {{0, 0}, {3, 0}, {3, -500}};
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct params params;
        struct customer customer;
        struct value value;
        params_default(&params);
        buyer(&customer);
        customer.repeat_days_paid = rows[i].days;
        customer.repeat_spend_minor = rows[i].spend;
        value_at(&customer, NOW_MS, &params, &value);
        assert_true(fabs(value.spend_minor - 100 * 6.25 * 15.44 / 2.74) < 1e-9);
    }
}

static void test_minor_units_follow_the_reporting_currency(void **state)
{
    static const struct {
        enum currency currency;
        double spend;
    } rows[] = {{CURRENCY_JPY, 35.2190}, {CURRENCY_EUR, 3521.90}, {CURRENCY_KWD, 35219.0}};
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct params params;
        struct customer customer;
        struct value value;
        params_default(&params);
        params.reporting = rows[i].currency;
        buyer(&customer);
        customer.repeat_days_paid = 0;
        customer.repeat_spend_minor = 0;
        value_at(&customer, NOW_MS, &params, &value);
        assert_true(fabs(value.spend_minor / rows[i].spend - 1) < 1e-5);
    }
}

struct cost_row {
    const char *name;
    int64_t tenure_days, cost_minor, yearly_minor;
};

static const struct cost_row cost_rows[] = {
    {"all of it in the first year", 100, 70000, 70000},
    {"all of it after exactly a year", 365, 70000, 70000},
    {"half of it after two years", 730, 70000, 35000},
    {"a tenth after ten years", 3650, 70000, 7000},
    {"a cost beyond the value makes it negative", 100, 9000000, 9000000},
};

static void test_service_cost_is_subtracted_by_the_year(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(cost_rows); i++) {
        struct params params;
        struct customer customer;
        struct value free_of_cost, value;
        params_default(&params);
        buyer(&customer);
        customer.first_ms = NOW_MS - cost_rows[i].tenure_days * DAY;
        value_at(&customer, NOW_MS, &params, &free_of_cost);
        customer.cost_minor = cost_rows[i].cost_minor;
        value_at(&customer, NOW_MS, &params, &value);
        if (value.cost_minor != cost_rows[i].yearly_minor ||
            free_of_cost.clv_minor - value.clv_minor != cost_rows[i].yearly_minor) {
            fail_msg("%s: cost %lld", cost_rows[i].name, (long long)value.cost_minor);
        }
    }
}

struct prospect_row {
    const char *name;
    enum stage stage, funnel;
    bool subscribed;
    double p_convert;
    int64_t clv_minor;
};

static const struct prospect_row prospect_rows[] = {
    {"a lead", STAGE_LEAD, STAGE_LEAD, false, 0.05, 250},
    {"a demo attendant", STAGE_DEMO, STAGE_DEMO, false, 0.15, 750},
    {"a trial", STAGE_TRIAL, STAGE_TRIAL, false, 0.30, 1500},
    {"whoever has subscribed has converted", STAGE_TRIAL, STAGE_TRIAL, true, 1, 5000},
    {"an erased customer is worth nothing", STAGE_NONE, STAGE_LEAD, false, 0, 0},
};

static void test_prospects_are_worth_their_chance(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(prospect_rows); i++) {
        const struct prospect_row *row = &prospect_rows[i];
        struct params params;
        struct customer customer;
        struct value value;
        params_default(&params);
        customer_init(&customer);
        customer.first_ms = NOW_MS - DAY;
        customer.stage = row->stage;
        customer.funnel = row->funnel;
        if (row->subscribed) {
            customer.subscription.state = SUBSCRIPTION_ACTIVE;
            customer.subscription.ends_ms = INT64_MAX;
        }
        value_at(&customer, NOW_MS, &params, &value);
        if (value.p_convert != row->p_convert || value.clv_minor != row->clv_minor ||
            value.purchases_12 != 0) {
            fail_msg("%s: %lld", row->name, (long long)value.clv_minor);
        }
    }
}

static void test_value_falls_with_silence_and_stays_within_bounds(void **state)
{
    struct params params;
    struct customer customer;
    struct value value;
    int64_t before = INT64_MAX;
    (void)state;
    params_default(&params);
    buyer(&customer);
    for (int64_t day = 0; day < 500; day += 50) {
        value_at(&customer, NOW_MS + day * DAY, &params, &value);
        assert_true(value.clv_minor < before && value.clv_minor > 0);
        before = value.clv_minor;
    }
    params.gg_gamma = 1e12;
    params.gg_q = 1.001;
    customer.repeat_days_paid = 0;
    customer.repeat_spend_minor = 0;
    value_at(&customer, NOW_MS, &params, &value);
    assert_true(value.clv_minor == INT64_C(9000000000000000));
    customer.cost_minor = INT64_C(9000000000000100);
    params.gg_gamma = 1e-6;
    value_at(&customer, NOW_MS, &params, &value);
    assert_true(value.clv_minor == -INT64_C(9000000000000000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gamma_gamma_agrees_with_100_digits),
        cmocka_unit_test(test_gamma_gamma_gives_the_published_means),
        cmocka_unit_test(test_a_buyers_value_is_spend_times_discounted_purchases),
        cmocka_unit_test(test_who_has_no_paid_repeat_day_spends_as_the_population),
        cmocka_unit_test(test_minor_units_follow_the_reporting_currency),
        cmocka_unit_test(test_service_cost_is_subtracted_by_the_year),
        cmocka_unit_test(test_prospects_are_worth_their_chance),
        cmocka_unit_test(test_value_falls_with_silence_and_stays_within_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
