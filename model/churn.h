/* churn: P(alive), P(buys within H), expected purchases and their timers by MBG/NBD (Batislam,
 * Denizel, Filiztekin 2007) and BG/NBD (Fader, Hardie, Lee 2005), and sBG (Fader, Hardie 2007) for
 * subscriptions. Stable forms of Hardie's notes H021, H027, H039; see docs/MODELS.md. Unit of time:
 * days. Every function is finite for every valid input. */
#ifndef LC_MODEL_CHURN_H
#define LC_MODEL_CHURN_H

#include "model/customer.h"
#include "model/feature.h"

struct mbg {
    double r, alpha, a, b;
};

struct mbg churn_mbg(const struct params *params);
/* ln L(r, α, a, b | x, t_x, T). */
double churn_mbg_loglik(struct mbg m, struct history h);
double churn_mbg_alive(struct mbg m, struct history h);
/* P(buys within horizon days | alive). */
double churn_mbg_buy_if_alive(struct mbg m, struct history h, double horizon_days);
/* P(buys within horizon days): the product of the two. */
double churn_mbg_buy(struct mbg m, struct history h, double horizon_days);
/* Expected purchases in the next `days`, relative error ≤ 1e-11; never negative. */
double churn_mbg_expected(struct mbg m, struct history h, double days);
/* The same for count ≤ CHURN_EXPECTED_MAX ascending times at once, much cheaper than one by one. */
#define CHURN_EXPECTED_MAX 12
void churn_mbg_expected_each(struct mbg m, struct history h, int count, const double days[],
                             double ret_expected[]);
/* T* ≥ t_x at which P(alive) falls to theta, infinity when never reached in 200 years, t_x when it
 * is below at once. */
double churn_mbg_alive_timer(struct mbg m, double x, double t_x, double theta);
/* T* ≥ from_T at which P(buys within horizon) falls to theta; by bisection in ln(α + T). */
double churn_mbg_buy_timer(struct mbg m, double x, double t_x, double from_T, double horizon_days,
                           double theta);
/* The same from h.T on, told by logit theta. */
double churn_mbg_logit_timer(struct mbg m, struct history h, double horizon_days,
                             double logit_theta);

/* --- BG/NBD, for comparison: the same parameters, but the first purchase cannot be the last, so
 * that a one-time buyer is alive for ever. With x > 0 it is MBG/NBD with b − 1 in place of b. ---
 */
double churn_bg_loglik(struct mbg m, struct history h);
double churn_bg_alive(struct mbg m, struct history h);
double churn_bg_buy(struct mbg m, struct history h, double horizon_days);
void churn_bg_expected_each(struct mbg m, struct history h, int count, const double days[],
                            double ret_expected[]);
double churn_bg_alive_timer(struct mbg m, double x, double t_x, double theta);
double churn_bg_buy_timer(struct mbg m, double x, double t_x, double from_T, double horizon_days,
                          double theta);

/* sBG: probability to churn at the next renewal after `renewals` renewals. */
double churn_sbg(double alpha, double beta, double renewals);

/* --- with warning signs --- */

/* Everything that explains a churn risk at one time. risk = 1 − logistic(base_logit + Σ learned[i]
 * + Σ contribution[i]), summed in that order. */
struct churn_risk {
    double risk, p_alive, p_buy_model; /* p_buy_model before warnings */
    double base_logit;                 /* logit(p_buy_model), clamped to ±35 */
    double contribution[WARNING_COUNT];
    double value[WARNING_COUNT], baseline[WARNING_COUNT]; /* what was seen, against what */
    double learned[FEATURE_COUNT]; /* of params.insight, when it has learned; never with a term */
    double figure[FEATURE_COUNT];  /* what learned[] weighs */
    bool subscribed;               /* by sBG, not MBG */
};

/* Customer must have purchased or subscribed (purchase_days > 0 or subscribed), else risk is 0 and
 * everything zero. */
void churn_risk_at(const struct customer *customer, int64_t at_ms, const struct params *params,
                   struct churn_risk *ret_risk);
/* Risk right after the last purchase, without warnings and engagement: the base from which a rise
 * counts. */
double churn_risk_base(const struct customer *customer, const struct params *params);
/* Earliest time ≥ from_ms at which the risk of a silent customer reaches `threshold`, walking the
 * steps of the warnings piece by piece; whole minutes, rounded up; INT64_MAX when not within 10
 * years. */
int64_t churn_risk_crossing(const struct customer *customer, int64_t from_ms, double threshold,
                            const struct params *params);
/* Earliest time > from_ms at which it falls below it again in silence (a warning expires);
 * INT64_MAX alike. */
int64_t churn_risk_clearing(const struct customer *customer, int64_t from_ms, double threshold,
                            const struct params *params);

#endif
