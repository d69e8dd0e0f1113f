/* churn: MBG/NBD and sBG in closed form, and the timers of a silent customer.
 *
 * With c = r + x and o = ln a − ln(b + x) + c·ln((α + T)/(α + t_x)), P(alive) = 1/(1 + e^o).
 * Everything below stays in logarithms and in sums of positive terms, so that nothing cancels or
 * overflows (docs/MODELS.md). Timers solve in v = ln((α + T)/(α + start)), which keeps short waits
 * exact beside a large α. */
#include "model/churn.h"

#include <math.h>

#include "base/must.h"
#include "model/gamma.h"

#define CHURN_TIMER_DAYS_MAX  (200 * 365.25)
#define CHURN_TIMER_STEPS_MAX 200

struct mbg churn_mbg(const struct params *params)
{
    return (struct mbg){
        .r = params->mbg_r, .alpha = params->mbg_alpha, .a = params->mbg_a, .b = params->mbg_b};
}

/* o: log-odds of being gone at T. */
static double odds_gone(struct mbg m, struct history h)
{
    return log(m.a / (m.b + h.x)) + (m.r + h.x) * log1p((h.T - h.t_x) / (m.alpha + h.t_x));
}

double churn_mbg_loglik(struct mbg m, struct history h)
{
    const double o = odds_gone(m, h);
    const double rate = gamma_ln_scaled(m.r + h.x, m.alpha + h.t_x) - gamma_ln_scaled(m.r, m.alpha);
    /* ln [B(a + 1, b + x)/B(a, b)]: gone after the last purchase; e^−o is the part of those still
     * there. */
    const double dropout = log(m.a) + gamma_ln_rise(m.b, m.a) - gamma_ln_rise(m.b + h.x, m.a + 1);
    const double either = o > 0 ? log1p(exp(-o)) : log1p(exp(o)) - o;
    return rate + dropout + either;
}

double churn_mbg_alive(struct mbg m, struct history h)
{
    return 1 / (1 + exp(odds_gone(m, h)));
}

double churn_mbg_buy_if_alive(struct mbg m, struct history h, double horizon_days)
{
    return -expm1(-(m.r + h.x) * log1p(horizon_days / (m.alpha + h.T)));
}

double churn_mbg_buy(struct mbg m, struct history h, double horizon_days)
{
    return churn_mbg_alive(m, h) * churn_mbg_buy_if_alive(m, h, horizon_days);
}

double churn_mbg_alive_timer(struct mbg m, double x, double t_x, double theta)
{
    if (theta <= 0) {
        return INFINITY;
    }
    const double odds_at_t_x = m.a / (m.b + x);
    const double v = log((1 - theta) / (theta * odds_at_t_x)) / (m.r + x);
    if (!(v > 0)) {
        return t_x;
    }
    const double days = t_x + (m.alpha + t_x) * expm1(v);
    return days <= CHURN_TIMER_DAYS_MAX ? days : INFINITY;
}

/* logit P(buys within the horizon) as a function of v = ln((α + T)/(α + start)): smooth, falling,
 * ever straighter. */
struct buy_curve {
    double c;     /* r + x */
    double o;     /* log-odds of being gone at the start */
    double reach; /* horizon/(α + start) */
};

static double buy_logit(const struct buy_curve *curve, double v, double *ret_fall)
{
    const double odds = exp(curve->o + curve->c * v);
    const double w = curve->reach * exp(-v);
    const double exponent = -curve->c * log1p(w);
    const double never = exp(exponent); /* alive, and yet no purchase in the horizon */
    const double buys = -expm1(exponent);
    /* P/(1 − P) = buys/(odds + never): both of full relative accuracy, so that no θ is too near to
     * 0 or 1. */
    const double slower = curve->c * never * (w / (1 + w));
    *ret_fall = slower / buys + (curve->c * odds + slower) / (odds + never);
    return log(buys / (odds + never));
}

double churn_mbg_logit_timer(struct mbg m, struct history h, double horizon_days, double target)
{
    MUST(h.T >= h.t_x);
    const double start = m.alpha + h.T;
    const struct buy_curve curve = {
        .c = m.r + h.x, .o = odds_gone(m, h), .reach = horizon_days / start};
    const double most = log1p((CHURN_TIMER_DAYS_MAX - h.T) / start);
    double low = 0, high = most, v = 0, fall;
    double excess = buy_logit(&curve, 0, &fall) - target;
    if (!(excess > 0)) {
        return h.T;
    }
    if (!isfinite(excess) || !(most > 0)) {
        return INFINITY;
    }
    /* Newton's steps, kept inside a bracket that bisection narrows when one would leave it. They
     * converge quadratically: after a step of 1e-8 nothing is left to gain. */
    for (int step = 0; step < CHURN_TIMER_STEPS_MAX && high - low > 1e-16 * high; step++) {
        const double move = excess / fall;
        const double next = v + move;
        if (fabs(move) <= 1e-8 * v) {
            v = next;
            break;
        }
        if (next >= most && high >= most && buy_logit(&curve, most, &fall) > target) {
            return INFINITY;
        }
        v = next > low && next < high ? next : low + (high - low) / 2;
        excess = buy_logit(&curve, v, &fall) - target;
        if (excess > 0) {
            low = v;
        } else {
            high = v;
        }
    }
    return h.T + start * expm1(v);
}

double churn_mbg_buy_timer(struct mbg m, double x, double t_x, double from_T, double horizon_days,
                           double theta)
{
    const struct history h = {.x = x, .t_x = t_x, .T = from_T};
    const double target = theta <= 0 ? -INFINITY : theta < 1 ? log(theta / (1 - theta)) : INFINITY;
    return churn_mbg_logit_timer(m, h, horizon_days, target);
}

double churn_sbg(double alpha, double beta, double renewals)
{
    return alpha / (alpha + beta + renewals);
}
