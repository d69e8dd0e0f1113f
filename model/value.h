/* value: expected 12-month value. Gamma-Gamma spend (Hardie's note H025) × expected purchases of
 * MBG/NBD, discounted monthly, less the service cost of a year. Money in minor units of the
 * reporting currency. */
#ifndef LC_MODEL_VALUE_H
#define LC_MODEL_VALUE_H

#include "model/churn.h"

/* Expected spend a purchase day in the units of gamma and mean: p(γ + x·m̄)/(p·x + q − 1); x =
 * repeat days with spend. */
double value_gg_mean(double p, double q, double gamma, double x, double mean);
double value_gg_loglik(double p, double q, double gamma, double x, double mean);

#define VALUE_MONTHS     12
#define VALUE_MONTH_DAYS (365.0 / 12)
/* Σ (E_i − E_{i−1})/(1 + d)^i of the purchases expected until the end of each month i = 1..12. */
double value_discounted(const double expected[VALUE_MONTHS], double discount_month);

struct value {
    int64_t clv_minor;   /* expected 12-month value, net of service cost of the last year */
    double purchases_12; /* expected purchase days in 12 months, undiscounted */
    double spend_minor;  /* expected spend a purchase day, minor units */
    double p_convert;    /* prospects: P(ever buys); 1 for buyers */
    int64_t cost_minor;  /* subtracted service cost */
};

void value_at(const struct customer *customer, int64_t at_ms, const struct params *params,
              struct value *ret_value);

#endif
