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
    return log(m.a) - log(m.b + h.x) + (m.r + h.x) * log1p((h.T - h.t_x) / (m.alpha + h.t_x));
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

double churn_mbg_buy(struct mbg m, struct history h, double horizon_days)
{
    const double buys_if_alive = -expm1(-(m.r + h.x) * log1p(horizon_days / (m.alpha + h.T)));
    return churn_mbg_alive(m, h) * buys_if_alive;
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

/* P(buys within the horizon), its complement and its slope, as functions of v = ln((α + T)/(α +
 * start)). */
struct buy_curve {
    double c;     /* r + x */
    double o;     /* log-odds of being gone at the start */
    double reach; /* horizon/(α + start) */
};

struct buy_point {
    double buy, not_buy; /* each to full relative accuracy */
    double slope;        /* −d buy/dv ≥ 0 */
};

static struct buy_point buy_at(const struct buy_curve *curve, double v)
{
    const double odds = exp(curve->o + curve->c * v);
    const double alive = 1 / (1 + odds);
    const double gone = odds < 1 ? odds * alive : 1 / (1 + 1 / odds);
    const double w = curve->reach * exp(-v);
    const double exponent = -curve->c * log1p(w);
    const double never = exp(exponent); /* alive, and yet no purchase in the horizon */
    const double buys = -expm1(exponent);
    return (struct buy_point){.buy = alive * buys,
                              .not_buy = gone + alive * never,
                              .slope = alive * curve->c * (gone * buys + never * w / (1 + w))};
}

double churn_mbg_buy_timer(struct mbg m, double x, double t_x, double from_T, double horizon_days,
                           double theta)
{
    MUST(from_T >= t_x);
    const double start = m.alpha + from_T;
    const struct history h = {.x = x, .t_x = t_x, .T = from_T};
    const struct buy_curve curve = {
        .c = m.r + x, .o = odds_gone(m, h), .reach = horizon_days / start};
    double low = 0, high = log1p((CHURN_TIMER_DAYS_MAX - from_T) / start);
    if (buy_at(&curve, 0).buy <= theta) {
        return from_T;
    }
    if (theta <= 0 || !(high > 0) || buy_at(&curve, high).buy > theta) {
        return INFINITY;
    }
    /* Newton's steps on the logarithm of the smaller of the two probabilities, kept inside a
     * bracket that bisection narrows when a step would leave it. buy(low) > θ ≥ buy(high). */
    double v = high / 2;
    for (int step = 0; step < CHURN_TIMER_STEPS_MAX && high - low > 1e-16 * high; step++) {
        const struct buy_point point = buy_at(&curve, v);
        if (point.buy > theta) {
            low = v;
        } else {
            high = v;
        }
        const double move = theta <= 0.5
                                ? log(point.buy / theta) * point.buy / point.slope
                                : log((1 - theta) / point.not_buy) * point.not_buy / point.slope;
        const double next = v + move;
        if (fabs(move) <= 1e-16 * v) {
            break;
        }
        v = next > low && next < high ? next : low + (high - low) / 2;
    }
    return from_T + start * expm1(v);
}

double churn_sbg(double alpha, double beta, double renewals)
{
    return alpha / (alpha + beta + renewals);
}
