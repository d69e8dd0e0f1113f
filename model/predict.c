/* predict: a switch over the models; unit and meaning as in the header. */
#include "model/predict.h"

#include "base/must.h"
#include "model/churn.h"
#include "model/pareto.h"

static struct mbg mbg_of(const struct predictor *p)
{
    return (struct mbg){.r = p->theta[0], .alpha = p->theta[1], .a = p->theta[2], .b = p->theta[3]};
}

static struct pareto pareto_of(const struct predictor *p)
{
    MUST(p->model == FIT_PARETO);
    return (struct pareto){
        .r = p->theta[0], .alpha = p->theta[1], .s = p->theta[2], .beta = p->theta[3]};
}

double predict_loglik(const struct predictor *p, struct history h)
{
    switch (p->model) {
    case FIT_MBG:
        return churn_mbg_loglik(mbg_of(p), h);
    case FIT_BG:
        return churn_bg_loglik(mbg_of(p), h);
    default:
        return pareto_loglik(pareto_of(p), h);
    }
}

double predict_alive(const struct predictor *p, struct history h)
{
    switch (p->model) {
    case FIT_MBG:
        return churn_mbg_alive(mbg_of(p), h);
    case FIT_BG:
        return churn_bg_alive(mbg_of(p), h);
    default:
        return pareto_alive(pareto_of(p), h);
    }
}

double predict_buy(const struct predictor *p, struct history h, double horizon)
{
    switch (p->model) {
    case FIT_MBG:
        return churn_mbg_buy(mbg_of(p), h, horizon);
    case FIT_BG:
        return churn_bg_buy(mbg_of(p), h, horizon);
    default:
        return pareto_buy(pareto_of(p), h, horizon);
    }
}

void predict_expected_each(const struct predictor *p, struct history h, int count,
                           const double times[], double ret_expected[])
{
    switch (p->model) {
    case FIT_MBG:
        churn_mbg_expected_each(mbg_of(p), h, count, times, ret_expected);
        return;
    case FIT_BG:
        churn_bg_expected_each(mbg_of(p), h, count, times, ret_expected);
        return;
    default:
        for (int i = 0; i < count; i++) {
            ret_expected[i] = pareto_expected(pareto_of(p), h, times[i]);
        }
    }
}

double predict_expected(const struct predictor *p, struct history h, double time)
{
    double expected;
    predict_expected_each(p, h, 1, &time, &expected);
    return expected;
}

double predict_alive_timer(const struct predictor *p, struct history h, double theta)
{
    switch (p->model) {
    case FIT_MBG:
        return churn_mbg_alive_timer(mbg_of(p), h.x, h.t_x, theta);
    case FIT_BG:
        return churn_bg_alive_timer(mbg_of(p), h.x, h.t_x, theta);
    default:
        return pareto_alive_timer(pareto_of(p), h.x, h.t_x, theta);
    }
}

double predict_buy_timer(const struct predictor *p, struct history h, double horizon, double theta)
{
    switch (p->model) {
    case FIT_MBG:
        return churn_mbg_buy_timer(mbg_of(p), h.x, h.t_x, h.T, horizon, theta);
    case FIT_BG:
        return churn_bg_buy_timer(mbg_of(p), h.x, h.t_x, h.T, horizon, theta);
    default:
        return pareto_buy_timer(pareto_of(p), h.x, h.t_x, h.T, horizon, theta);
    }
}
