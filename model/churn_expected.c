/* churn_expected: expected purchases of the next t days by MBG/NBD.
 *
 * Given that the customer is alive at T they are E[(1 − (1 + p·w)^−c)/p] with w = t/(α + T), c = r
 * + x and p (the dropout probability) distributed Beta(a, b + x + 1). Two ways to the same number:
 * a series that needs some 30 terms where it is well conditioned, which includes every customer of
 * an ordinary population; elsewhere the integral itself, whose integrand is positive, by the
 * trapezoidal rule over logit p (exponentially convergent: the integrand is analytic in a strip
 * around the axis and falls exponentially at both ends). */
#include "model/churn.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "base/must.h"

#define SERIES_TERMS_MAX 512
#define SERIES_Z_MAX     0.95 /* beyond, the series needs more work than the integral */
#define SERIES_LOSS_MAX  256  /* rounding errors may grow by this factor: 5e-14 */
#define NODES_MAX        4096 /* on each side; the worst parameters of params.def need some 1,300 */
#define TAIL             1e-18

struct expected {
    double a, b; /* p is distributed Beta(a, b) */
    double c, w;
};

/* Sums of the series for several w at once: its coefficients, which cost a division a term, are the
 * same for all, and lists of numbers are what a compiler makes wide instructions of. */
struct series {
    double z[CHURN_EXPECTED_MAX];      /* w/(1 + w), ascending; 0 where nothing is asked for */
    double tail[CHURN_EXPECTED_MAX];   /* a term below tail · weight is the last */
    double s[CHURN_EXPECTED_MAX];      /* the next term */
    double sum[CHURN_EXPECTED_MAX];    /* those before */
    double weight[CHURN_EXPECTED_MAX]; /* Σ |s_n|; where no term is negative that is the sum */
    int converged;                     /* so many first ones: smaller z come first */
};

/* S = Σ s_n, s_1 = A z, s_{n+1} = s_n (A + n)(a + n − 1)/((C + n)(n + 1)) z, with C = a + b + x, A
 * = a + b − r. Terms of those that have converged no longer change their sums. */
static void series_sum(struct mbg m, double x, int count, struct series *series)
{
    const double big_c = m.a + m.b + x, big_a = m.a + m.b - m.r;
    const bool mixed = big_a < 0; /* every other factor is positive */
    const double *weight = mixed ? series->weight : series->sum;
    int first = 0;
    for (int n = 1; n <= SERIES_TERMS_MAX && first < count; n++) {
        const double ratio = (big_a + n) * (m.a + n - 1) / ((big_c + n) * (n + 1));
        for (int i = first & ~1; i < CHURN_EXPECTED_MAX && mixed; i++) {
            series->weight[i] += fabs(series->s[i]);
        }
        for (int i = first & ~1; i < CHURN_EXPECTED_MAX; i++) {
            series->sum[i] += series->s[i];
            series->s[i] *= ratio * series->z[i];
        }
        while (first < count && fabs(series->s[first]) <= series->tail[first] * weight[first]) {
            first++;
        }
    }
    if (!mixed) {
        memcpy(series->weight, series->sum, sizeof(series->weight));
    }
    series->converged = first;
}

static void series_begin(struct mbg m, double w, int i, struct series *series)
{
    const double z = w / (1 + w);
    series->z[i] = z;
    series->tail[i] = TAIL * (1 - z);
    series->s[i] = (m.a + m.b - m.r) * z;
}

/* E = C·(1 − (1−z)^e)/e − (1−z)^e·S with e = a − 1: regular at a = 1 and at a + b = 1. */
static bool series_end(struct mbg m, double x, double w, const struct series *series, int i,
                       double *ret_expected)
{
    const double e = m.a - 1, big_c = m.a + m.b + x, l = -log1p(w);
    const double power = exp(e * l);
    const double head = big_c * (e == 0 ? -l : -expm1(e * l) / e);
    const double value = head - power * series->sum[i];
    const double loss = (fabs(head) + power * series->weight[i]) * (1 + fabs(e * l));
    *ret_expected = value;
    return i < series->converged && isfinite(loss) && value * SERIES_LOSS_MAX >= loss;
}

/* (1 − (1 + p·w)^−c)/p; falls from c·w at p = 0. */
static double rate_at(const struct expected *of, double p)
{
    return -expm1(-of->c * log1p(p * of->w)) / p;
}

/* Mean of rate_at(p) over Beta(a, b), or with `steep` of (c·w − rate_at(p))/p; both fall or stay
 * where the weight's tails are. Weights are taken relative to the density's top, so no Γ is needed
 * and none can overflow. */
static double beta_mean(const struct expected *of, bool steep)
{
    const double a = of->a, b = of->b;
    const double top = a / (a + b);
    const double step = fmin(0.25, 0.5 * sqrt(1 / a + 1 / b));
    double sum = 0, norm = 0;
    for (int side = -1; side <= 1; side += 2) {
        bool falling = false;
        for (int k = side < 0 ? 1 : 0; k < NODES_MAX && !falling; k++) {
            const double d = side * k * step;
            const double weight = exp(a * d - (a + b) * log1p(top * expm1(d)));
            const double p = 1 / (1 + b / a * exp(-d));
            const double rate = rate_at(of, p);
            const double term = weight * (steep ? (of->c * of->w - rate) / p : rate);
            sum += term;
            norm += weight;
            falling = k > 0 && weight <= TAIL * norm && term <= TAIL * sum;
        }
    }
    return sum / norm;
}

static double integral(struct mbg m, double x, double w)
{
    struct expected of = {.a = m.a, .b = m.b + x + 1, .c = m.r + x, .w = w};
    if (m.a >= 0.3) {
        return beta_mean(&of, false);
    }
    /* The left tail e^(a·u) would be long. E_a[f] = f(0) − a/(a + b)·E_{a+1}[(f(0) − f(p))/p] has a
     * short one; it costs two digits at most, since most of the weight is then at p = 0. */
    const double share = m.a / (m.a + of.b);
    of.a = m.a + 1;
    return of.c * w - share * beta_mean(&of, true);
}

/* Given that it is alive with probability `alive`. */
static void expected_each(struct mbg m, struct history h, double alive, int count,
                          const double days[], double ret_expected[])
{
    struct series series = {.converged = 0};
    int small = 0; /* so many first ones are for the series */
    MUST(count <= CHURN_EXPECTED_MAX);
    for (int i = 0; i < count; i++) {
        const double w = days[i] / (m.alpha + h.T);
        MUST(days[i] >= 0);
        MUST(i == 0 || days[i] >= days[i - 1]);
        if (w / (1 + w) <= SERIES_Z_MAX) {
            series_begin(m, w, small++, &series);
        }
    }
    series_sum(m, h.x, small, &series);
    for (int i = 0; i < count; i++) {
        const double w = days[i] / (m.alpha + h.T);
        double expected;
        if (i >= small || !series_end(m, h.x, w, &series, i, &expected)) {
            expected = w > 0 ? integral(m, h.x, w) : 0;
        }
        ret_expected[i] = fmax(0, expected) * alive;
    }
}

void churn_mbg_expected_each(struct mbg m, struct history h, int count, const double days[],
                             double ret_expected[])
{
    expected_each(m, h, churn_mbg_alive(m, h), count, days, ret_expected);
}

void churn_bg_expected_each(struct mbg m, struct history h, int count, const double days[],
                            double ret_expected[])
{
    const double alive = churn_bg_alive(m, h);
    m.b -= 1; /* p of those alive is distributed Beta(a, b + x) */
    expected_each(m, h, alive, count, days, ret_expected);
}

double churn_mbg_expected(struct mbg m, struct history h, double days)
{
    double expected;
    churn_mbg_expected_each(m, h, 1, &days, &expected);
    return expected;
}
