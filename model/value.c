/* value: Gamma-Gamma spend (Hardie's note H025) times MBG/NBD purchases, discounted by the month.
 */
#include "model/value.h"

#include <math.h>

#include "base/must.h"
#include "base/text.h"
#include "model/gamma.h"

#define VALUE_MINOR_MAX 9e15 /* what JSON readers keep exact (2^53), as everywhere */

__extension__ typedef __int128 wide;

double value_gg_mean(double p, double q, double gamma, double x, double mean)
{
    return p * (gamma + x * mean) / (p * x + q - 1);
}

double value_gg_loglik(double p, double q, double gamma, double x, double mean)
{
    /* H025 (1a): written with x·m as one sum of spend, so that the powers of it stay together. */
    const double spend = x * mean, px = p * x;
    return gamma_ln_rise(px, q) - gamma_ln(q) + q * log(gamma / (gamma + spend)) -
           px * log1p(gamma / spend) - log(mean);
}

double value_discounted(const double expected[VALUE_MONTHS], double discount_month)
{
    /* Summed by parts: Σ_{i<12} E_i (f^i − f^{i+1}) + E_12 f^12. Nothing cancels. */
    const double factor = 1 / (1 + discount_month);
    double sum = 0, discount = 1;
    for (int i = 0; i < VALUE_MONTHS; i++) {
        discount *= factor;
        sum += expected[i] * (i + 1 < VALUE_MONTHS ? discount * (1 - factor) : discount);
    }
    return sum;
}

/* Discounted and undiscounted expected purchase days of the next twelve months. */
struct purchases {
    double discounted, plain;
};

static struct purchases purchases_expected(const struct customer *customer, int64_t at_ms,
                                           const struct params *params)
{
    const struct mbg mbg = churn_mbg(params);
    const struct history history = customer_history(customer, at_ms);
    double days[VALUE_MONTHS], expected[VALUE_MONTHS];
    _Static_assert(VALUE_MONTHS <= CHURN_EXPECTED_MAX, "a year is asked for at once");
    for (int i = 0; i < VALUE_MONTHS; i++) {
        days[i] = (i + 1) * VALUE_MONTH_DAYS;
    }
    churn_mbg_expected_each(mbg, history, VALUE_MONTHS, days, expected);
    return (struct purchases){.discounted = value_discounted(expected, params->discount_month),
                              .plain = expected[VALUE_MONTHS - 1]};
}

/* P(ever buys) of somebody who has not: by the furthest step of the funnel. */
static double convert_probability(const struct customer *customer, int64_t at_ms,
                                  const struct params *params)
{
    if (customer_subscribed(customer, at_ms)) {
        return 1;
    }
    switch (customer->funnel) {
    case STAGE_TRIAL:
        return params->convert_trial;
    case STAGE_DEMO:
        return params->convert_demo;
    default:
        return params->convert_lead;
    }
}

/* Service cost of a year: all of it in the first year, later the yearly mean. */
static int64_t yearly_cost(const struct customer *customer, int64_t at_ms)
{
    const wide year = 365 * (wide)TEXT_MS_PER_DAY;
    const wide tenure = (wide)at_ms - customer->first_ms;
    if (tenure <= year) {
        return customer->cost_minor;
    }
    return (int64_t)(customer->cost_minor * year / tenure);
}

static int64_t money_of(double minor)
{
    MUST(!isnan(minor));
    return (int64_t)rint(fmax(-VALUE_MINOR_MAX, fmin(VALUE_MINOR_MAX, minor)));
}

void value_at(const struct customer *customer, int64_t at_ms, const struct params *params,
              struct value *ret_value)
{
    struct value value = {0};
    double gross_minor;
    if (customer->stage == STAGE_NONE && customer->purchase_days == 0) {
        *ret_value = value; /* erased, or nobody yet */
        return;
    }
    value.cost_minor = yearly_cost(customer, at_ms);
    if (customer->purchase_days == 0) {
        value.p_convert = convert_probability(customer, at_ms, params);
        gross_minor = value.p_convert * (double)params->new_customer_value_minor;
    } else {
        const double major = currency_minor_in_major(params->reporting);
        const double x = customer->repeat_days_paid;
        /* Amounts ≤ 0 never enter the model; late refunds may still leave such a sum. */
        const bool paid = customer->repeat_days_paid > 0 && customer->repeat_spend_minor > 0;
        const double mean = paid ? (double)customer->repeat_spend_minor / x / major : 0;
        const struct purchases purchases = purchases_expected(customer, at_ms, params);
        value.p_convert = 1;
        value.purchases_12 = purchases.plain;
        value.spend_minor =
            major * value_gg_mean(params->gg_p, params->gg_q, params->gg_gamma, paid ? x : 0, mean);
        gross_minor = value.spend_minor * purchases.discounted;
    }
    value.clv_minor = money_of(gross_minor - (double)value.cost_minor);
    *ret_value = value;
}
