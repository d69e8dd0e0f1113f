/* predict: one interface to the buying models, for whoever compares them: score and backtest. Unit
 * of time: that of the parameters, but expected purchases and 12-month values want days or weeks
 * told apart by the caller. */
#ifndef LC_MODEL_PREDICT_H
#define LC_MODEL_PREDICT_H

#include "model/fit.h"

/* model: FIT_MBG, FIT_BG or FIT_PARETO; theta > 0 in the order of fit_param(). */
struct predictor {
    enum fit_model model;
    double theta[FIT_PARAMS_MAX];
};

double predict_loglik(const struct predictor *p, struct history h);
double predict_alive(const struct predictor *p, struct history h);
/* P(buys within the horizon). */
double predict_buy(const struct predictor *p, struct history h, double horizon);
/* Expected purchases until each of count ≤ CHURN_EXPECTED_MAX ascending times. */
void predict_expected_each(const struct predictor *p, struct history h, int count,
                           const double times[], double ret_expected[]);
double predict_expected(const struct predictor *p, struct history h, double time);
/* When a customer silent since t_x falls to theta: T* of P(alive), and of P(buys within horizon)
 * from h.T on; infinity when not within 200 years of days. */
double predict_alive_timer(const struct predictor *p, struct history h, double theta);
double predict_buy_timer(const struct predictor *p, struct history h, double horizon, double theta);

#endif
