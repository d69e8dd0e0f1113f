/* churn against values computed in 160 digits (tests/reference), the papers' figures, and brute
 * force. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "model/churn.h"

#define DAY         TEXT_MS_PER_DAY
#define MINUTE      INT64_C(60000)
#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

/* --- the models --- */

struct churn_case {
    double r, alpha, a, b, x, t_x, T, horizon;
    double loglik, alive, buy, expected, discounted;
    double theta, buy_timer, theta_alive, alive_timer;
};

static const struct churn_case cases[] = {
#include "tests/reference/churn_cases.inc"
};

static double error_of(double value, double truth)
{
    return fabs(value - truth) / fabs(truth);
}

/* Relative; near ln L = 0 that of L itself. */
static double log_error(double value, double truth)
{
    return fabs(value - truth) / fmax(1, fabs(truth));
}

/* In ln(α + T), the scale on which silence is felt; 0 for twice infinity. */
static double timer_error(double alpha, double value, double truth)
{
    if (isinf(value) || isinf(truth)) {
        return isinf(value) && isinf(truth) ? 0 : INFINITY;
    }
    return fabs(log(alpha + value) - log(alpha + truth));
}

static void check_case(size_t row, const char *what, double error)
{
    if (!(error <= 1e-11)) {
        const struct churn_case *c = &cases[row];
        fail_msg("row %zu (r %g alpha %g a %g b %g x %g t_x %g T %g H %g): %s is off by %g", row,
                 c->r, c->alpha, c->a, c->b, c->x, c->t_x, c->T, c->horizon, what, error);
    }
}

static void test_hard_cases_agree_with_160_digits(void **state)
{
    (void)state;
    assert_true(COUNT(cases) >= 400);
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct churn_case *c = &cases[i];
        const struct mbg m = {c->r, c->alpha, c->a, c->b};
        const struct history h = {c->x, c->t_x, c->T};
        const double expected = churn_mbg_expected(m, h, c->horizon);
        const double buy_timer = churn_mbg_buy_timer(m, c->x, c->t_x, c->T, c->horizon, c->theta);
        const double alive_timer = churn_mbg_alive_timer(m, c->x, c->t_x, c->theta_alive);
        check_case(i, "ln L", log_error(churn_mbg_loglik(m, h), c->loglik));
        check_case(i, "P(alive)", error_of(churn_mbg_alive(m, h), c->alive));
        check_case(i, "P(buy)", error_of(churn_mbg_buy(m, h, c->horizon), c->buy));
        check_case(i, "E", error_of(expected, c->expected));
        check_case(i, "timer of P(buy)", timer_error(c->alpha, buy_timer, c->buy_timer));
        check_case(i, "timer of P(alive)", timer_error(c->alpha, alive_timer, c->alive_timer));
    }
}

static void test_the_discounted_year_agrees_with_160_digits(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct churn_case *c = &cases[i];
        const struct mbg m = {c->r, c->alpha, c->a, c->b};
        const struct history h = {c->x, c->t_x, c->T};
        double sum = 0, before = 0;
        for (int month = 1; month <= 12; month++) {
            const double until = churn_mbg_expected(m, h, month * (365.0 / 12));
            sum += (until - before) / pow(1.01, month);
            before = until;
        }
        check_case(i, "discounted E", error_of(sum, c->discounted));
    }
}

/* From nothing over the series to the integral, all at once. */
static void test_many_times_at_once_are_those_one_by_one(void **state)
{
    static const double days[CHURN_EXPECTED_MAX] = {0,   0,   1e-3, 1,     30,  30,
                                                    365, 800, 3e3,  36500, 1e6, 1e7};
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct churn_case *c = &cases[i];
        const struct mbg m = {c->r, c->alpha, c->a, c->b};
        const struct history h = {c->x, c->t_x, c->T};
        double expected[CHURN_EXPECTED_MAX];
        churn_mbg_expected_each(m, h, CHURN_EXPECTED_MAX, days, expected);
        assert_true(expected[0] == 0);
        for (int j = 0; j < CHURN_EXPECTED_MAX; j++) {
            assert_true(expected[j] == churn_mbg_expected(m, h, days[j]));
        }
    }
}

/* Every corner of the ranges of params.def with extreme histories: finite, in range, rising with
 * time. */
static void test_every_corner_of_the_ranges_is_finite(void **state)
{
    static const double r[] = {1e-3, 1, 1e3}, alpha[] = {1e-3, 1, 1e6}, ab[] = {1e-4, 1, 1e3};
    static const struct history h[] = {
        {0, 0, 0}, {0, 0, 73000}, {1, 1e-9, 1e-9}, {1e5, 1, 36525}, {4e9, 36525, 36525}};
    (void)state;
    for (size_t i = 0; i < 81; i++) {
        const struct mbg m = {r[i % 3], alpha[i / 3 % 3], ab[i / 9 % 3], ab[i / 27]};
        for (size_t j = 0; j < COUNT(h); j++) {
            const double alive = churn_mbg_alive(m, h[j]), buy = churn_mbg_buy(m, h[j], 90);
            const double timer = churn_mbg_buy_timer(m, h[j].x, h[j].t_x, h[j].T, 90, 0.3);
            double before = 0;
            assert_true(isfinite(churn_mbg_loglik(m, h[j])));
            assert_true(alive >= 0 && alive <= 1);
            assert_true(buy >= 0 && buy <= alive);
            assert_true(timer >= h[j].T);
            for (double days = 1e-3; days < 1e5; days *= 100) {
                const double expected = churn_mbg_expected(m, h[j], days);
                assert_true(isfinite(expected) && expected >= before * (1 - 1e-12));
                before = expected;
            }
        }
    }
}

static void test_one_time_buyers_follow_the_closed_form(void **state)
{
    const struct mbg m = {0.525, 43.281, 0.891, 1.614};
    const double gone = m.a / (m.a + m.b);
    const double silent = m.b / (m.a + m.b) * pow(m.alpha / (m.alpha + 100), m.r);
    const struct history h = {0, 0, 100};
    (void)state;
    assert_true(error_of(exp(churn_mbg_loglik(m, h)), gone + silent) < 1e-14);
    assert_true(error_of(churn_mbg_alive(m, h), silent / (gone + silent)) < 1e-14);
}

static void test_the_singularities_of_the_published_form_are_none(void **state)
{
    const struct history h = {3, 50, 80};
    (void)state;
    for (int i = 0; i < 3; i++) {
        /* a = 1, and a + b = 1, against their neighbours on both sides */
        struct mbg m = {0.5, 20, i < 2 ? 1 : 0.25, i == 0 ? 1.5 : i == 1 ? 1e-4 : 0.75};
        const double at = churn_mbg_expected(m, h, 365);
        m.a *= 1 + 1e-9;
        const double above = churn_mbg_expected(m, h, 365);
        m.a *= 1 - 2e-9;
        const double below = churn_mbg_expected(m, h, 365);
        assert_true(error_of(above, at) < 1e-8 && error_of(below, at) < 1e-8);
        assert_true(above != below);
    }
}

static void test_timers_at_their_ends(void **state)
{
    const struct mbg m = {0.525, 43.281, 0.891, 1.614};
    const struct history h = {4, 100, 130};
    const double buy = churn_mbg_buy(m, h, 90);
    (void)state;
    assert_true(churn_mbg_alive_timer(m, 0, 0, 0.9) == 0); /* .64 at once */
    assert_true(churn_mbg_alive_timer(m, 4, 100, 1) == 100);
    assert_true(isinf(churn_mbg_alive_timer(m, 4, 100, 0)));
    assert_true(isinf(churn_mbg_alive_timer(m, 0, 0, 1e-9)));
    assert_true(churn_mbg_buy_timer(m, 4, 100, 130, 90, buy) == 130);
    assert_true(churn_mbg_buy_timer(m, 4, 100, 130, 90, 1) == 130);
    assert_true(churn_mbg_buy_timer(m, 4, 100, 130, 90, buy * (1 - 1e-9)) > 130);
    assert_true(isinf(churn_mbg_buy_timer(m, 4, 100, 130, 90, 0)));
    assert_true(isinf(churn_mbg_buy_timer(m, 4, 100, 130, 90, 1e-30)));
    const double day = churn_mbg_alive_timer(m, 4, 100, 0.5);
    assert_true(error_of(churn_mbg_alive(m, (struct history){4, 100, day}), 0.5) < 1e-13);
}

/* Fader & Hardie 2007: their two cohorts of 1,000 over seven renewals, and the log-likelihoods they
 * published. */
static void test_sbg_gives_the_published_loglikelihoods(void **state)
{
    static const struct {
        double alpha, beta, loglik;
        int left[8];
    } rows[] = {{0.668, 3.806, -1611.16, {1000, 869, 743, 653, 593, 551, 517, 491}},
                {0.704, 1.182, -1680.27, {1000, 631, 468, 382, 326, 289, 262, 241}}};
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        double survival = 1, loglik = 0;
        for (int t = 0; t < 7; t++) {
            const double churn = churn_sbg(rows[i].alpha, rows[i].beta, t);
            loglik += (rows[i].left[t] - rows[i].left[t + 1]) * log(survival * churn);
            survival *= 1 - churn;
        }
        loglik += rows[i].left[7] * log(survival);
        assert_true(fabs(loglik - rows[i].loglik) < 0.006);
    }
}

/* --- with warning signs --- */

#define FIRST_DAY 20000 /* 2024-10-04, the start of bin 2000 */
#define NOW_MS    ((FIRST_DAY + 205) * DAY)

/* Four purchase days in 150 days, five events in each 10 days, 55 days of silence since. */
static void customer_of_old(struct customer *ret_customer)
{
    customer_init(ret_customer);
    ret_customer->stage = STAGE_LOYAL;
    ret_customer->funnel = STAGE_LEAD;
    ret_customer->first_ms = FIRST_DAY * DAY;
    ret_customer->purchase_days = 4;
    ret_customer->first_day = FIRST_DAY;
    ret_customer->last_day = FIRST_DAY + 150;
    ret_customer->last_purchase_ms = ret_customer->last_day * DAY + 12345678;
    ret_customer->now_ms = ret_customer->touch_ms = NOW_MS;
    ret_customer->bin_newest = (FIRST_DAY + 200) / CUSTOMER_BIN_DAYS;
    for (int i = 0; i < CUSTOMER_BINS_MAX; i++) {
        ret_customer->bins[i].events = 5;
    }
}

/* What risk_of() judges by: the defaults, but where a test puts something learned on them. */
static struct params in_force;

static int defaults_in_force(void **state)
{
    (void)state;
    params_default(&in_force);
    return 0;
}

static struct churn_risk risk_of(const struct customer *customer, int64_t at_ms)
{
    struct churn_risk risk;
    churn_risk_at(customer, at_ms, &in_force, &risk);
    return risk;
}

static double logit_of(const struct churn_risk *risk)
{
    double logit = risk->base_logit;
    for (int i = 0; i < FEATURE_COUNT; i++) {
        logit += risk->learned[i];
    }
    for (int i = 0; i < WARNING_COUNT; i++) {
        logit += risk->contribution[i];
    }
    return logit;
}

enum sign { NONE, SCORE_CSAT, SCORE_NPS, FAILED, LATE, UNSUBSCRIBE, OPEN, RESOLVED, TICKET };

static void give_sign(struct customer *customer, enum sign sign, int64_t ms, int16_t score)
{
    switch (sign) {
    case SCORE_CSAT:
    case SCORE_NPS:
        customer->score_metric = sign == SCORE_CSAT ? SURVEY_CSAT : SURVEY_NPS;
        customer->score_last = score;
        customer->score_last_ms = ms;
        break;
    case FAILED:
        customer->last_ms[EVENT_PAYMENT_FAILED] = ms;
        break;
    case LATE:
        customer->last_ms[EVENT_PAYMENT_LATE] = ms;
        break;
    case UNSUBSCRIBE:
        customer->last_ms[EVENT_UNSUBSCRIBED] = ms;
        break;
    case OPEN:
    case RESOLVED:
    case TICKET:
        customer->ticket[customer->tickets++] = (struct ticket){
            .fp = 7,
            .complaint = sign != TICKET,
            .opened_ms = ms - (sign == RESOLVED ? DAY : 0),
            .resolved_ms = sign == RESOLVED ? ms : INT64_MIN,
        };
        break;
    case NONE:
        break;
    }
}

struct sign_row {
    const char *name;
    enum sign sign;
    int16_t score;
    int64_t age_ms;
    enum warning warning;
    double contribution;
};

static const struct sign_row sign_rows[] = {
    {"nothing happened", NONE, 0, 0, WARNING_PAYMENT, 0},
    {"a CSAT of 2 is poor", SCORE_CSAT, 2, DAY, WARNING_SATISFACTION, -0.5},
    {"a CSAT of 3 is not", SCORE_CSAT, 3, DAY, WARNING_SATISFACTION, 0},
    {"an NPS of 6 is poor", SCORE_NPS, 6, DAY, WARNING_SATISFACTION, -0.5},
    {"an NPS of 7 is not", SCORE_NPS, 7, DAY, WARNING_SATISFACTION, 0},
    {"a poor score counts for almost 90 days", SCORE_NPS, 0, 90 * DAY - 1, WARNING_SATISFACTION,
     -0.5},
    {"and no longer", SCORE_NPS, 0, 90 * DAY, WARNING_SATISFACTION, 0},
    {"a failed payment of this moment", FAILED, 0, 0, WARNING_PAYMENT, -0.4},
    {"a failed payment of almost 90 days ago", FAILED, 0, 90 * DAY - 1, WARNING_PAYMENT, -0.4},
    {"a failed payment of 90 days ago", FAILED, 0, 90 * DAY, WARNING_PAYMENT, 0},
    {"a failed payment still to come", FAILED, 0, -1, WARNING_PAYMENT, 0},
    {"a late payment", LATE, 0, DAY, WARNING_PAYMENT, -0.4},
    {"an unsubscription", UNSUBSCRIBE, 0, DAY, WARNING_UNSUBSCRIBED, -0.3},
    {"an old unsubscription", UNSUBSCRIBE, 0, 90 * DAY, WARNING_UNSUBSCRIBED, 0},
    {"an open complaint", OPEN, 0, 0, WARNING_COMPLAINT_OPEN, -1.0},
    {"an open complaint does not age", OPEN, 0, 200 * DAY, WARNING_COMPLAINT_OPEN, -1.0},
    {"a complaint still to come", OPEN, 0, -1, WARNING_COMPLAINT_OPEN, 0},
    {"a resolved complaint is not open", RESOLVED, 0, DAY, WARNING_COMPLAINT_OPEN, 0},
    {"a resolved complaint is remembered", RESOLVED, 0, 90 * DAY - 1, WARNING_COMPLAINT_RESOLVED,
     -0.3},
    {"and then forgotten", RESOLVED, 0, 90 * DAY, WARNING_COMPLAINT_RESOLVED, 0},
    {"a complaint to be resolved tomorrow is open", RESOLVED, 0, -DAY + 1, WARNING_COMPLAINT_OPEN,
     -1.0},
    {"a support ticket is no complaint", TICKET, 0, DAY, WARNING_COMPLAINT_OPEN, 0},
};

static void test_each_warning_on_both_sides_of_its_boundary(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(sign_rows); i++) {
        const struct sign_row *row = &sign_rows[i];
        struct customer customer;
        customer_of_old(&customer);
        const double before = risk_of(&customer, NOW_MS).risk;
        give_sign(&customer, row->sign, NOW_MS - row->age_ms, row->score);
        const struct churn_risk risk = risk_of(&customer, NOW_MS);
        if (risk.contribution[row->warning] != row->contribution ||
            (row->contribution < 0 && !(risk.risk > before))) {
            fail_msg("%s: contribution %g", row->name, risk.contribution[row->warning]);
        }
    }
}

static void test_activity_declines_below_half_of_its_rate(void **state)
{
    static const struct {
        const char *name;
        uint32_t recent, before; /* events 0–30 and 30–120 days ago */
        double contribution;
    } rows[] = {
        {"exactly half of the rate", 3, 18, 0},
        {"less than half", 2, 18, -0.6},
        {"nothing after enough", 0, 6, -0.6},
        {"nothing after too little to tell", 0, 5, 0},
        {"rising", 9, 6, 0},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct customer customer;
        customer_of_old(&customer);
        memset(customer.bins, 0, sizeof customer.bins);
        customer.bins[1].events = rows[i].recent;
        customer.bins[6].events = rows[i].before;
        const struct churn_risk risk = risk_of(&customer, NOW_MS);
        if (risk.contribution[WARNING_ACTIVITY] != rows[i].contribution ||
            risk.value[WARNING_ACTIVITY] != rows[i].recent ||
            risk.baseline[WARNING_ACTIVITY] != rows[i].before / 3.0) {
            fail_msg("%s: contribution %g", rows[i].name, risk.contribution[WARNING_ACTIVITY]);
        }
    }
}

static void test_contributions_sum_to_the_logit_of_the_risk_to_the_bit(void **state)
{
    (void)state;
    for (int mask = 0; mask < 64; mask++) {
        struct customer customer;
        customer_of_old(&customer);
        for (int bit = 0; bit < 6; bit++) {
            if (mask & 1 << bit) {
                give_sign(
                    &customer,
                    (enum sign[]){SCORE_NPS, FAILED, UNSUBSCRIBE, OPEN, RESOLVED, TICKET}[bit],
                    NOW_MS - DAY, 1);
            }
        }
        const struct churn_risk risk = risk_of(&customer, NOW_MS);
        assert_true(risk.risk == 1 / (1 + exp(logit_of(&risk))));
        assert_true(fabs(risk.base_logit - log(risk.p_buy_model / (1 - risk.p_buy_model))) < 1e-12);
    }
}

static void test_without_warnings_the_risk_is_the_models(void **state)
{
    struct params params;
    struct customer customer;
    (void)state;
    params_default(&params);
    customer_of_old(&customer);
    const struct churn_risk risk = risk_of(&customer, NOW_MS);
    const struct history h = {3, 150, 205};
    assert_true(!risk.subscribed);
    assert_true(error_of(risk.p_alive, churn_mbg_alive(churn_mbg(&params), h)) < 1e-14);
    assert_true(error_of(risk.risk, 1 - churn_mbg_buy(churn_mbg(&params), h, 90)) < 1e-14);
    const struct history fresh = {3, 150, 150};
    assert_true(error_of(churn_risk_base(&customer, &params),
                         1 - churn_mbg_buy(churn_mbg(&params), fresh, 90)) < 1e-14);
}

static void test_who_has_not_bought_has_no_risk(void **state)
{
    struct params params;
    struct customer customer;
    struct churn_risk risk, nothing = {0};
    (void)state;
    params_default(&params);
    customer_init(&customer);
    give_sign(&customer, OPEN, NOW_MS, 0);
    churn_risk_at(&customer, NOW_MS, &params, &risk);
    assert_memory_equal(&risk, &nothing, sizeof risk);
    assert_true(churn_risk_base(&customer, &params) == 0);
    assert_true(churn_risk_crossing(&customer, NOW_MS, 0.1, &params) == INT64_MAX);
}

static void test_a_term_has_the_risk_of_its_renewal_until_it_ends(void **state)
{
    struct params params;
    struct customer customer;
    const int64_t ends = NOW_MS + 40 * DAY + 30;
    (void)state;
    params_default(&params);
    customer_of_old(&customer);
    memset(customer.bins, 0, sizeof customer.bins);
    const double silent = risk_of(&customer, ends).risk;
    customer.subscription.state = SUBSCRIPTION_ACTIVE;
    customer.subscription.ends_ms = ends;
    customer.subscription.changed_ms = FIRST_DAY * DAY;
    customer.subscription.renewals = 3;
    struct churn_risk risk = risk_of(&customer, ends - 1);
    assert_true(risk.subscribed);
    assert_true(error_of(risk.risk, churn_sbg(0.704, 1.182, 3)) < 1e-14);
    assert_true(churn_risk_base(&customer, &params) == churn_sbg(0.704, 1.182, 3));
    give_sign(&customer, OPEN, NOW_MS, 0);
    assert_true(risk_of(&customer, ends - 1).risk > risk.risk);
    customer.tickets = 0;
    assert_true(risk_of(&customer, ends).risk == silent);
    /* The step at its end is one of the steps that the crossing walks. */
    assert_true(silent > 0.4);
    assert_true(churn_risk_crossing(&customer, NOW_MS, 0.4, &params) ==
                (ends / MINUTE + 1) * MINUTE);
    customer.purchase_days = 0;
    assert_true(risk_of(&customer, ends - 1).subscribed);
    assert_true(risk_of(&customer, ends).risk == 0);
}

/* --- crossings against brute force --- */

static uint32_t draw(uint32_t *seed, uint32_t below)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (*seed >> 8) % below;
}

static void customer_at_random(struct customer *ret_customer, uint32_t *seed)
{
    struct customer *c = ret_customer;
    customer_of_old(c);
    c->purchase_days = 1 + draw(seed, 12);
    c->last_day = c->first_day + (c->purchase_days > 1 ? 1 + (int32_t)draw(seed, 190) : 0);
    c->last_purchase_ms = c->last_day * DAY + draw(seed, 86400000);
    for (int i = 0; i < CUSTOMER_BINS_MAX; i++) {
        c->bins[i].events = draw(seed, 2) ? draw(seed, 9) : 0;
    }
    for (enum sign sign = SCORE_CSAT; sign <= TICKET; sign++) {
        if (draw(seed, 3) == 0) {
            give_sign(c, sign, NOW_MS - draw(seed, 100) * DAY - draw(seed, 86400000),
                      (int16_t)draw(seed, 5));
        }
    }
    if (draw(seed, 5) == 0) {
        c->subscription.state = SUBSCRIPTION_ACTIVE;
        c->subscription.changed_ms = NOW_MS - DAY;
        c->subscription.ends_ms = NOW_MS + draw(seed, 300) * DAY + draw(seed, 86400000);
    }
}

static bool above(const struct customer *customer, int64_t ms, double threshold)
{
    return risk_of(customer, ms).risk >= threshold;
}

/* No minute of a dense sample before `until` answers `wanted`; every minute of the last two hours
 * is looked at. */
static bool first_is(const struct customer *customer, int64_t from, int64_t until, double threshold,
                     bool wanted)
{
    const int64_t end = until == INT64_MAX ? from + 3652 * DAY : until;
    for (int64_t ms = from; ms < end; ms += ms < from + DAY ? MINUTE : 607 * MINUTE) {
        if (above(customer, ms, threshold) == wanted) {
            return false;
        }
    }
    for (int64_t ms = end - 120 * MINUTE; ms < end; ms += MINUTE) {
        if (ms >= from && above(customer, ms, threshold) == wanted) {
            return false;
        }
    }
    return until == INT64_MAX || above(customer, until, threshold) == wanted;
}

/* Weights as a learner may come to, each sign of them. */
static void learn_at_random(struct params *params, uint32_t *seed)
{
    struct insight insight;
    insight_init(&insight);
    insight.learned = true;
    for (int i = 0; i < FEATURE_COUNT; i++) {
        insight.feature_weight[i] = ((double)draw(seed, 2001) - 1000) / 800;
    }
    insight.feature_weight[FEATURE_ENGAGEMENT] = draw(seed, 1001) / 1000.0;
    insight.feature_weight[FEATURE_SCALE] = -0.9 + draw(seed, 1001) / 500.0;
    for (int i = 0; i < WARNING_COUNT; i++) {
        insight.warning_weight[i] = -(double)draw(seed, 1001) / 500;
    }
    assert_null(insight_check(&insight));
    params_default(params);
    params_learn(params, &insight);
}

static void test_what_is_learned_sums_to_the_logit_too_and_can_be_switched_off(void **state)
{
    uint32_t seed = 4;
    (void)state;
    for (int i = 0; i < 200; i++) {
        struct customer customer;
        customer_at_random(&customer, &seed);
        params_default(&in_force);
        const struct churn_risk plain = risk_of(&customer, NOW_MS);
        learn_at_random(&in_force, &seed);
        const struct churn_risk risk = risk_of(&customer, NOW_MS);
        assert_true(risk.risk == 1 / (1 + exp(logit_of(&risk))));
        assert_true(risk.base_logit == plain.base_logit);
        assert_true(risk.subscribed ||
                    risk.learned[FEATURE_LEVEL] == in_force.insight.feature_weight[FEATURE_LEVEL]);
        assert_true(!risk.subscribed || risk.learned[FEATURE_LEVEL] == 0);
        const struct insight insight = in_force.insight;
        params_default(&in_force);
        in_force.use_learned = 0;
        params_learn(&in_force, &insight);
        assert_true(risk_of(&customer, NOW_MS).risk == plain.risk);
    }
    params_default(&in_force);
}

static void test_the_base_of_what_is_learned_is_the_risk_right_after_the_purchase(void **state)
{
    uint32_t seed = 5;
    (void)state;
    for (int i = 0; i < 50; i++) {
        struct customer customer;
        customer_of_old(&customer);
        memset(customer.bins, 0, sizeof customer.bins);
        learn_at_random(&in_force, &seed);
        assert_true(churn_risk_base(&customer, &in_force) ==
                    risk_of(&customer, customer.last_day * DAY).risk);
    }
    params_default(&in_force);
}

static void crossings_agree(uint32_t seed, bool learned, int customers, int least_crossed,
                            int least_cleared)
{
    struct params params;
    int crossed = 0, cleared = 0;
    params_default(&params);
    for (int i = 0; i < customers; i++) {
        struct customer customer;
        customer_at_random(&customer, &seed);
        if (learned) {
            learn_at_random(&params, &seed);
        }
        in_force = params;
        const int64_t from = NOW_MS + draw(&seed, 86400000);
        const int64_t minute = (from + MINUTE - 1) / MINUTE * MINUTE;
        const double now = risk_of(&customer, from).risk;
        const double threshold = now + (draw(&seed, 120) - 20.0) / 100 * (1 - now);
        const int64_t up = churn_risk_crossing(&customer, from, threshold, &params);
        const int64_t down = churn_risk_clearing(&customer, from, threshold, &params);
        crossed += up != INT64_MAX && up > minute;
        cleared += down != INT64_MAX && down > minute;
        if (!first_is(&customer, minute, up, threshold, true)) {
            fail_msg("customer %d: crossing of %g in %g days", i, threshold,
                     (double)(up - from) / DAY);
        }
        if (!first_is(&customer, minute + (minute == from ? MINUTE : 0), down, threshold, false)) {
            fail_msg("customer %d: clearing of %g in %g days", i, threshold,
                     (double)(down - from) / DAY);
        }
    }
    assert_true(crossed >= least_crossed);
    assert_true(cleared >= least_cleared);
    params_default(&in_force);
}

static void test_crossing_and_clearing_agree_with_brute_force(void **state)
{
    (void)state;
    crossings_agree(20251122, false, 60, 20, 3);
}

static void test_crossing_and_clearing_with_what_is_learned_agree_with_brute_force(void **state)
{
    (void)state;
    crossings_agree(3, true, 200, 60, 8);
}

static void test_the_crossing_of_a_silent_customer_is_the_models_minute(void **state)
{
    struct params params;
    struct customer customer;
    (void)state;
    params_default(&params);
    customer_of_old(&customer);
    memset(customer.bins, 0, sizeof customer.bins);
    const double T = churn_mbg_buy_timer(churn_mbg(&params), 3, 150, 205, 90, 0.1);
    const int64_t exact = FIRST_DAY * DAY + (int64_t)(T * DAY);
    const int64_t told = churn_risk_crossing(&customer, NOW_MS, 0.9, &params);
    assert_true(told % MINUTE == 0);
    assert_true(told >= exact && told - exact <= MINUTE);
    /* The same minute from wherever it is asked before, and the next whole minute once it is over.
     */
    assert_true(churn_risk_crossing(&customer, told - 1, 0.9, &params) == told);
    assert_true(churn_risk_crossing(&customer, told, 0.9, &params) == told);
    assert_true(churn_risk_crossing(&customer, told + 1, 0.9, &params) == told + MINUTE);
    assert_true(churn_risk_crossing(&customer, NOW_MS, 1, &params) == INT64_MAX);
    assert_true(churn_risk_clearing(&customer, NOW_MS, 0.1, &params) == INT64_MAX);
}

static void test_a_warning_that_expires_clears_the_risk(void **state)
{
    struct params params;
    struct customer customer;
    (void)state;
    params_default(&params);
    customer_of_old(&customer);
    customer.purchase_days = 30;
    memset(customer.bins, 0, sizeof customer.bins);
    customer.last_day = FIRST_DAY + 204;
    const double calm = risk_of(&customer, NOW_MS + 2 * DAY).risk;
    give_sign(&customer, FAILED, NOW_MS - 88 * DAY + 30, 0);
    const double warned = risk_of(&customer, NOW_MS).risk;
    assert_true(warned > calm + 1e-3);
    assert_true(churn_risk_clearing(&customer, NOW_MS, (warned + calm) / 2, &params) ==
                NOW_MS + 2 * DAY + MINUTE);
}

static void test_the_crossing_is_the_risks_to_the_bit(void **state)
{
    uint32_t seed = 7;
    struct params params;
    struct customer customer;
    (void)state;
    params_default(&params);
    customer_of_old(&customer);
    memset(customer.bins, 0, sizeof customer.bins);
    for (int i = 0; i < 200; i++) {
        const int64_t told = NOW_MS + (1 + draw(&seed, 500000)) * MINUTE;
        const double risk = risk_of(&customer, told).risk;
        assert_true(risk < risk_of(&customer, told + MINUTE).risk);
        assert_true(churn_risk_crossing(&customer, NOW_MS, risk, &params) == told);
        assert_true(churn_risk_crossing(&customer, NOW_MS, nextafter(risk, 1), &params) ==
                    told + MINUTE);
    }
}

static void test_a_threshold_past_the_clamp_is_never_reached(void **state)
{
    struct params params;
    struct customer customer;
    (void)state;
    params_default(&params);
    customer_of_old(&customer);
    customer.purchase_days = 100;
    const double most = 1 / (1 + exp(-35.0));
    assert_true(churn_risk_crossing(&customer, NOW_MS, most, &params) < INT64_MAX);
    assert_true(churn_risk_crossing(&customer, NOW_MS, 1 - 1.2e-16, &params) == INT64_MAX);
    assert_true(churn_risk_crossing(&customer, NOW_MS, 1.05, &params) == INT64_MAX);
    assert_true(churn_risk_crossing(&customer, NOW_MS, 0, &params) == NOW_MS);
}

/* A failed payment is forgotten in two days, a late one comes in ten: between them the threshold,
 * solved for the first sign, is passed without it. */
static void test_the_same_sign_again_does_not_reach_back(void **state)
{
    struct params params;
    struct customer customer;
    (void)state;
    params_default(&params);
    customer_of_old(&customer);
    memset(customer.bins, 0, sizeof customer.bins);
    give_sign(&customer, FAILED, NOW_MS - 88 * DAY, 0);
    give_sign(&customer, LATE, NOW_MS + 10 * DAY, 0);
    struct customer warned = customer;
    give_sign(&warned, FAILED, NOW_MS, 0);
    const double threshold = risk_of(&warned, NOW_MS + 5 * DAY).risk;
    assert_true(risk_of(&customer, NOW_MS + 10 * DAY - MINUTE).risk < threshold);
    assert_true(churn_risk_crossing(&customer, NOW_MS, threshold, &params) == NOW_MS + 10 * DAY);
}

static void test_clearing_knows_of_terms_and_of_nothing_bought(void **state)
{
    struct params params;
    struct customer customer;
    (void)state;
    params_default(&params);
    customer_of_old(&customer);
    memset(customer.bins, 0, sizeof customer.bins);
    customer.purchase_days = 30;
    assert_true(risk_of(&customer, NOW_MS).risk > 0.9);
    customer.subscription.state = SUBSCRIPTION_ACTIVE;
    customer.subscription.ends_ms = NOW_MS + 100 * DAY;
    give_sign(&customer, FAILED, NOW_MS - 88 * DAY, 0);
    const double warned = risk_of(&customer, NOW_MS).risk;
    assert_true(churn_risk_clearing(&customer, NOW_MS, warned, &params) == NOW_MS + 2 * DAY);
    customer_init(&customer);
    assert_true(churn_risk_clearing(&customer, NOW_MS, 0, &params) == INT64_MAX);
    assert_true(churn_risk_clearing(&customer, NOW_MS, 0.1, &params) == NOW_MS + MINUTE);
}

static void test_labels(void **state)
{
    (void)state;
    assert_string_equal(warning_label(WARNING_ACTIVITY), "activity_decline");
    assert_string_equal(warning_label(WARNING_UNSUBSCRIBED), "unsubscribed");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hard_cases_agree_with_160_digits),
        cmocka_unit_test(test_the_discounted_year_agrees_with_160_digits),
        cmocka_unit_test(test_many_times_at_once_are_those_one_by_one),
        cmocka_unit_test(test_every_corner_of_the_ranges_is_finite),
        cmocka_unit_test(test_one_time_buyers_follow_the_closed_form),
        cmocka_unit_test(test_the_singularities_of_the_published_form_are_none),
        cmocka_unit_test(test_timers_at_their_ends),
        cmocka_unit_test(test_sbg_gives_the_published_loglikelihoods),
        cmocka_unit_test(test_each_warning_on_both_sides_of_its_boundary),
        cmocka_unit_test(test_activity_declines_below_half_of_its_rate),
        cmocka_unit_test(test_contributions_sum_to_the_logit_of_the_risk_to_the_bit),
        cmocka_unit_test(test_without_warnings_the_risk_is_the_models),
        cmocka_unit_test(test_who_has_not_bought_has_no_risk),
        cmocka_unit_test(test_a_term_has_the_risk_of_its_renewal_until_it_ends),
        cmocka_unit_test(test_what_is_learned_sums_to_the_logit_too_and_can_be_switched_off),
        cmocka_unit_test(test_the_base_of_what_is_learned_is_the_risk_right_after_the_purchase),
        cmocka_unit_test(test_crossing_and_clearing_agree_with_brute_force),
        cmocka_unit_test(test_crossing_and_clearing_with_what_is_learned_agree_with_brute_force),
        cmocka_unit_test(test_the_crossing_of_a_silent_customer_is_the_models_minute),
        cmocka_unit_test(test_a_warning_that_expires_clears_the_risk),
        cmocka_unit_test(test_the_crossing_is_the_risks_to_the_bit),
        cmocka_unit_test(test_a_threshold_past_the_clamp_is_never_reached),
        cmocka_unit_test(test_the_same_sign_again_does_not_reach_back),
        cmocka_unit_test(test_clearing_knows_of_terms_and_of_nothing_bought),
        cmocka_unit_test(test_labels),
    };
    return cmocka_run_group_tests(tests, defaults_in_force, NULL);
}
