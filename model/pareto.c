/* pareto: the likelihood as the sum of two positive terms, alive at T or gone at some τ in (t_x,
 * T]:
 *
 *   L = Γ(r+x)/Γ(r)·α^r·β^s·{(α+T)^−c (β+T)^−s + s ∫ (α+τ)^−c (β+τ)^−(s+1) dτ},  c = r + x
 *
 * The published form writes the integral with 2F1, which cancels and overflows; the integral itself
 * has a positive, smooth integrand. It is taken by Gauss and Legendre's rule over w = ln(1 + y/M),
 * y = τ − t_x, M the nearer singularity, in panels short enough that the integrand falls by no more
 * than e^PANEL_FALL in each. The same integral gives P(buys within H), as the time of the first
 * purchase is distributed alike with the roles of λ and μ exchanged. */
#include "model/pareto.h"

#include <math.h>

#include "base/must.h"
#include "model/gamma.h"

#define PANEL_FALL 6.0
#define PANEL_MAX  1.0  /* in w; the other singularity is at least π away */
#define PANELS_MAX 1024 /* 200 years over α of 1e-300: 700; each one of PANEL_FALL/e falls */
#define FALL_MAX   44.0 /* e^−44: less than half a last digit is left */
#define NODES      8    /* on each side of a panel's middle */

#define TIMER_MAX       (200 * 365.25)
#define TIMER_STEPS_MAX 200

/* Gauss-Legendre, 16 points (Abramowitz & Stegun 25.4.30). */
static const double nodes[NODES] = {0.0950125098376374401853, 0.2816035507792589132305,
                                    0.4580167776572273863424, 0.6178762444026437484467,
                                    0.7554044083550030338951, 0.8656312023878317438805,
                                    0.9445750230732325760779, 0.9894009349916499325962};
static const double weights[NODES] = {0.1894506104550684962854, 0.1826034150449235888668,
                                      0.1691565193950025381893, 0.1495959888165767320815,
                                      0.1246289712555338720525, 0.0951585116824927848099,
                                      0.0622535239386478928628, 0.0271524594117540948518};

/* ∫_0^Y (1 + y/A)^−c (1 + y/B)^−e dy. */
struct decay {
    double c, a; /* a: A */
    double e, b;
};

/* The integral, and the means under its integrand that the gradient needs. */
struct decayed {
    double sum;
    double ln_a, ln_b;     /* of ln(1 + y/A), ln(1 + y/B) */
    double over_a, over_b; /* of 1/(A + y), 1/(B + y) */
};

static void decay_add(const struct decay *d, double near, double w, double weight,
                      struct decayed *sums)
{
    const double y = near * expm1(w);
    const double ln_a = log1p(y / d->a), ln_b = log1p(y / d->b);
    const double f = weight * exp(w - d->c * ln_a - d->e * ln_b);
    sums->sum += f;
    sums->ln_a += f * ln_a;
    sums->ln_b += f * ln_b;
    sums->over_a += f / (d->a + y);
    sums->over_b += f / (d->b + y);
}

static struct decayed decay_integral(const struct decay *d, double length)
{
    const double near = fmin(d->a, d->b);
    const double end = log1p(length / near);
    struct decayed sums = {0, 0, 0, 0, 0};
    double w = 0;
    for (int panel = 0; w < end; panel++) {
        const double y = near * expm1(w);
        const double fallen = d->c * log1p(y / d->a) + d->e * log1p(y / d->b) - w;
        if (fallen > FALL_MAX) {
            break;
        }
        MUST(panel < PANELS_MAX);
        /* The slope grows by no more than e^PANEL_MAX on the way. */
        const double slope = d->c * (near + y) / (d->a + y) + d->e * (near + y) / (d->b + y);
        const double half = fmin(end - w, fmin(PANEL_MAX, PANEL_FALL / (M_E * slope))) / 2;
        for (int i = 0; i < NODES; i++) {
            decay_add(d, near, w + half * (1 - nodes[i]), half * weights[i], &sums);
            decay_add(d, near, w + half * (1 + nodes[i]), half * weights[i], &sums);
        }
        w = end - w <= 2 * half ? end : w + 2 * half;
    }
    if (sums.sum > 0) {
        sums.ln_a /= sums.sum;
        sums.ln_b /= sums.sum;
        sums.over_a /= sums.sum;
        sums.over_b /= sums.sum;
    }
    sums.sum *= near;
    return sums;
}

/* The two ways to have been silent since t_x, relative to a customer who lived to buy at t_x. */
struct silence {
    double ln_alive, ln_gone; /* −infinity when T = t_x */
    double ln_sum;
    struct decayed decayed;
};

static struct silence silence_of(struct pareto m, struct history h)
{
    const double a = m.alpha + h.t_x, b = m.beta + h.t_x, length = h.T - h.t_x;
    const struct decay decay = {.c = m.r + h.x, .a = a, .e = m.s + 1, .b = b};
    struct silence of;
    MUST(h.T >= h.t_x);
    of.decayed = decay_integral(&decay, length);
    of.ln_alive = -decay.c * log1p(length / a) - m.s * log1p(length / b);
    of.ln_gone = log(m.s / b) + log(of.decayed.sum);
    const double high = fmax(of.ln_alive, of.ln_gone);
    of.ln_sum = high + log1p(exp(fmin(of.ln_alive, of.ln_gone) - high));
    return of;
}

static double loglik_given(struct pareto m, struct history h, double ln_silence)
{
    return gamma_ln_scaled(m.r + h.x, m.alpha + h.t_x) - gamma_ln_scaled(m.r, m.alpha) -
           m.s * log1p(h.t_x / m.beta) + ln_silence;
}

double pareto_loglik(struct pareto m, struct history h)
{
    return loglik_given(m, h, silence_of(m, h).ln_sum);
}

double pareto_loglik_gradient(struct pareto m, struct history h, double ret_gradient[4])
{
    const struct silence of = silence_of(m, h);
    const double alive = exp(of.ln_alive - of.ln_sum), gone = exp(of.ln_gone - of.ln_sum);
    const double c = m.r + h.x, a = m.alpha + h.t_x, b = m.beta + h.t_x, length = h.T - h.t_x;
    const double ln_a = alive * log1p(length / a) + gone * of.decayed.ln_a;
    const double ln_b = alive * log1p(length / b) + gone * of.decayed.ln_b;
    const double over_a = alive / (m.alpha + h.T) + gone * of.decayed.over_a;
    ret_gradient[0] = gamma_psi(c) - gamma_psi(m.r) - log1p(h.t_x / m.alpha) - ln_a;
    ret_gradient[1] = m.r / m.alpha - c * over_a;
    ret_gradient[2] = gone / m.s - log1p(h.t_x / m.beta) - ln_b;
    ret_gradient[3] =
        m.s / m.beta - alive * m.s / (m.beta + h.T) - gone * (m.s + 1) * of.decayed.over_b;
    return loglik_given(m, h, of.ln_sum);
}

double pareto_alive(struct pareto m, struct history h)
{
    const struct silence of = silence_of(m, h);
    return 1 / (1 + exp(of.ln_gone - of.ln_alive));
}

double pareto_buy(struct pareto m, struct history h, double horizon)
{
    const double c = m.r + h.x, a = m.alpha + h.T;
    const struct decay first = {.c = c + 1, .a = a, .e = m.s, .b = m.beta + h.T};
    return pareto_alive(m, h) * fmin(1, c / a * decay_integral(&first, horizon).sum);
}

double pareto_expected(struct pareto m, struct history h, double time)
{
    const double c = m.r + h.x, b = m.beta + h.T, e = m.s - 1;
    const double l = -log1p(time / b);
    const double lived = b * (e == 0 ? -l : -expm1(e * l) / e); /* mean time left of `time` */
    return pareto_alive(m, h) * c / (m.alpha + h.T) * lived;
}

/* --- timers --- */

struct fading {
    struct pareto m;
    double x, t_x;
    double horizon; /* 0: P(alive) */
};

static double fading_at(const struct fading *f, double T)
{
    const struct history h = {.x = f->x, .t_x = f->t_x, .T = T};
    return f->horizon > 0 ? pareto_buy(f->m, h, f->horizon) : pareto_alive(f->m, h);
}

static double fading_timer(const struct fading *f, double from, double theta)
{
    const double start = f->m.alpha + from;
    double low = 0, high = log1p((TIMER_MAX - from) / start);
    if (!(fading_at(f, from) > theta)) {
        return from;
    }
    if (!(high > 0) || fading_at(f, TIMER_MAX) > theta) {
        return INFINITY;
    }
    for (int step = 0; step < TIMER_STEPS_MAX && high - low > 1e-15 * high; step++) {
        const double v = low + (high - low) / 2;
        if (fading_at(f, from + start * expm1(v)) > theta) {
            low = v;
        } else {
            high = v;
        }
    }
    return from + start * expm1(high);
}

double pareto_alive_timer(struct pareto m, double x, double t_x, double theta)
{
    const struct fading f = {.m = m, .x = x, .t_x = t_x, .horizon = 0};
    return fading_timer(&f, t_x, theta);
}

double pareto_buy_timer(struct pareto m, double x, double t_x, double from_T, double horizon,
                        double theta)
{
    const struct fading f = {.m = m, .x = x, .t_x = t_x, .horizon = horizon};
    return fading_timer(&f, from_T, theta);
}
