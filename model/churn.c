/* churn: MBG/NBD, BG/NBD and sBG in closed form, and the timers of a silent customer.
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

/* o: log-odds of being gone at T; `stayed` = b + the number of purchases survived. */
static double odds_gone_given(struct mbg m, struct history h, double stayed)
{
    return log(m.a / stayed) + (m.r + h.x) * log1p((h.T - h.t_x) / (m.alpha + h.t_x));
}

static double odds_gone(struct mbg m, struct history h)
{
    return odds_gone_given(m, h, m.b + h.x);
}

static double loglik_dropping(struct mbg m, struct history h, double stayed)
{
    const double o = odds_gone_given(m, h, stayed);
    const double rate = gamma_ln_scaled(m.r + h.x, m.alpha + h.t_x) - gamma_ln_scaled(m.r, m.alpha);
    /* ln [B(a + 1, stayed)/B(a, b)]: gone after the last purchase; e^−o is the part of those still
     * there. */
    const double dropout = log(m.a) + gamma_ln_rise(m.b, m.a) - gamma_ln_rise(stayed, m.a + 1);
    const double either = o > 0 ? log1p(exp(-o)) : log1p(exp(o)) - o;
    return rate + dropout + either;
}

double churn_mbg_loglik(struct mbg m, struct history h)
{
    return loglik_dropping(m, h, m.b + h.x);
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

static double alive_timer(struct mbg m, double x, double t_x, double stayed, double theta)
{
    if (theta <= 0) {
        return INFINITY;
    }
    const double odds_at_t_x = m.a / stayed;
    const double v = log((1 - theta) / (theta * odds_at_t_x)) / (m.r + x);
    if (!(v > 0)) {
        return t_x;
    }
    const double days = t_x + (m.alpha + t_x) * expm1(v);
    return days <= CHURN_TIMER_DAYS_MAX ? days : INFINITY;
}

double churn_mbg_alive_timer(struct mbg m, double x, double t_x, double theta)
{
    return alive_timer(m, x, t_x, m.b + x, theta);
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

/* `gone`: log-odds of being gone at h.T. */
static double logit_timer(struct mbg m, struct history h, double gone, double horizon_days,
                          double target)
{
    MUST(h.T >= h.t_x);
    const double start = m.alpha + h.T;
    const struct buy_curve curve = {.c = m.r + h.x, .o = gone, .reach = horizon_days / start};
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

double churn_mbg_logit_timer(struct mbg m, struct history h, double horizon_days, double target)
{
    return logit_timer(m, h, odds_gone(m, h), horizon_days, target);
}

static double logit_of(double theta)
{
    return theta <= 0 ? -INFINITY : theta < 1 ? log(theta / (1 - theta)) : INFINITY;
}

double churn_mbg_buy_timer(struct mbg m, double x, double t_x, double from_T, double horizon_days,
                           double theta)
{
    const struct history h = {.x = x, .t_x = t_x, .T = from_T};
    return churn_mbg_logit_timer(m, h, horizon_days, logit_of(theta));
}

/* FHL05 count the dropouts after repeat purchases only: one survived less than in MBG/NBD. */
static double bg_stayed(struct mbg m, double x)
{
    return m.b + (x - 1);
}

double churn_bg_loglik(struct mbg m, struct history h)
{
    if (h.x == 0) {
        return -m.r * log1p(h.T / m.alpha);
    }
    return loglik_dropping(m, h, bg_stayed(m, h.x));
}

double churn_bg_alive(struct mbg m, struct history h)
{
    return h.x == 0 ? 1 : 1 / (1 + exp(odds_gone_given(m, h, bg_stayed(m, h.x))));
}

double churn_bg_buy(struct mbg m, struct history h, double horizon_days)
{
    return churn_bg_alive(m, h) * churn_mbg_buy_if_alive(m, h, horizon_days);
}

double churn_bg_alive_timer(struct mbg m, double x, double t_x, double theta)
{
    return x == 0 ? INFINITY : alive_timer(m, x, t_x, bg_stayed(m, x), theta);
}

double churn_bg_buy_timer(struct mbg m, double x, double t_x, double from_T, double horizon_days,
                          double theta)
{
    const struct history h = {.x = x, .t_x = t_x, .T = from_T};
    const double gone = x == 0 ? -INFINITY : odds_gone_given(m, h, bg_stayed(m, x));
    return logit_timer(m, h, gone, horizon_days, logit_of(theta));
}

double churn_sbg(double alpha, double beta, double renewals)
{
    return alpha / (alpha + beta + renewals);
}
